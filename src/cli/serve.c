/* hob serve: checks the configuration, so that its errors come at once and plainly, then becomes the keeper, which starts the gateway. */
#include "cli/accepted.h"
#include "cli/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool keeper_path(const char *own, char *out, size_t room)
{
    const char *slash = strrchr(own, '/');
    static const char *const places[] = { "hob-keeper", "../libexec/hob-keeper" };
    for (size_t i = 0; slash && i < COUNTOF(places); i++) {
        snprintf(out, room, "%.*s/%s", (int)(slash - own), own, places[i]);
        if (access(out, X_OK) == 0)
            return true;
    }
    return false;
}

static int prepare(const struct cli_args *a)
{
    struct config *c;
    log_set_level(LOG_ERROR); /* the gateway reads it again, and warns then */
    int rc = cli_load_config(a, &c);
    if (rc)
        return rc;
    char state[4096];
    snprintf(state, sizeof state, "%.*s", STR_ARG(c->state));
    conf_free(c);
    if (cli_make_dirs(state))
        return EXIT_OK;
    fprintf(stderr, "hob: cannot write to the state folder %s: %s\nhob: name another one with `state:` or --state\n", state, strerror(errno));
    return EXIT_FAILED;
}

static int run(const struct cli_args *a)
{
    char own[4096], keeper[4096 + 32];
    int rc = prepare(a);
    if (rc)
        return rc;
    if (!cli_own_path(a, own, sizeof own) || !keeper_path(own, keeper, sizeof keeper)) {
        fprintf(stderr, "hob: cannot find hob-keeper beside %s; is the installation whole?\n", a->program);
        return EXIT_FAILED;
    }
    char **argv = calloc((size_t)a->argc + 3, sizeof *argv);
    if (!argv)
        die("out of memory for arguments");
    size_t n = 0;
    char gateway[] = "gateway";
    argv[n++] = keeper;
    argv[n++] = own;
    argv[n++] = gateway;
    for (int i = 2; i < a->argc; i++)
        argv[n++] = a->argv[i];
    accepted_open();
    execv(keeper, argv);
    fprintf(stderr, "hob: cannot start %s: %s\n", keeper, strerror(errno));
    free(argv);
    return EXIT_FAILED;
}

#define SERVE_OPTIONS                                                                                      \
    CLI_COMMON,                                                                                            \
    { "--listen", "-l", "ADDR", "address of the API (default: `listen:`, 127.0.0.1:8080)" },               \
    { "--next-free-port", NULL, NULL, "when the port is taken, take the next free one and say so" },       \
    { "--strict", NULL, NULL, "exit 1 when a `keep: hot` model cannot be loaded, instead of serving the rest" }, \
    { "--log", NULL, "LEVEL", "error, warn, info, debug or trace" }

static const struct cli_option serve_options[] = { SERVE_OPTIONS, CLI_END };
const struct command cli_serve = { "serve", "[-c FILE]", "serve the API and keep the models running", "hob serve -c hob.yaml", run, serve_options, false, 0 };


static const struct cli_option gateway_options[] = { SERVE_OPTIONS, CLI_END };
const struct command cli_gateway = { "gateway", "", "what the keeper starts; not for people", NULL, gateway_run, gateway_options, true, 0 };
