/* hob doctor, the set-up: configuration, folders, the running daemon, the port. */
#include "cli/assume.h"
#include "cli/doctor.h"
#include "cli/table.h"
#include "json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

/* ---- configuration ---- */

static void configuration(struct doctor *d)
{
    struct str path;
    struct err e;
    struct config *c = NULL;
    enum err_code rc = conf_find(cli_option_value(d->args, "--config"), &d->arena, &path, &e);
    if (!rc)
        rc = conf_load(path, &c, &e);
    conf_free(c);
    c = NULL;
    if (!rc && !cli_load_config(d->args, &c)) /* once more, with --state and what commands do with it */
        rc = assume_models(&c, false, NULL, &e);
    if (rc) {
        doctor_say(d, NULL, HEALTH_FAIL, "%s", e.text);
        doctor_fix(d, "%s", e.hint[0] ? e.hint : "correct the file; `hob config check` looks at it alone");
        conf_free(c);
        return;
    }
    d->config = c;
    if (!c)
        return; /* cli_load_config() has said why */
    enum doctor_health h = c->nmodels ? HEALTH_OK : HEALTH_WARN;
    if (path.n)
        doctor_say(d, NULL, h, "%.*s: models %zu, hosts %zu, roles %zu, tiers %zu", STR_ARG(path), c->nmodels, c->nhosts, c->nroles, c->ntiers);
    else
        doctor_say(d, NULL, h, "no configuration file: %zu models found in %.*s", c->nmodels, STR_ARG(c->models_dir));
    if (!c->nmodels)
        doctor_fix(d, "put a .gguf file into %.*s, or name a model under `models:` in hob.yaml", STR_ARG(c->models_dir));
}

/* ---- folders ---- */

/* The nearest folder above that there is. */
static void find_parent(char *path)
{
    while (access(path, F_OK) && strlen(path) > 1) {
        char *slash = strrchr(path, '/');
        *(slash && slash > path ? slash : path + 1) = 0;
    }
}

static void state_folder(struct doctor *d)
{
    char path[4096];
    struct stat st;
    struct str state = d->config->state;
    snprintf(path, sizeof path, "%.*s", STR_ARG(state));
    bool there = stat(path, &st) == 0;
    if (!there)
        find_parent(path);
    if (access(path, W_OK | X_OK) || (there && !S_ISDIR(st.st_mode))) {
        const char *why = there && !S_ISDIR(st.st_mode) ? "it is no folder" : strerror(errno);
        doctor_say(d, NULL, HEALTH_FAIL, "%.*s cannot be written: %s", STR_ARG(state), why);
        doctor_fix(d, "name a folder of your own with `state:` or --state");
    } else if (there && (st.st_mode & 077)) {
        doctor_say(d, NULL, HEALTH_WARN, "%.*s is open to other users", STR_ARG(state));
        doctor_fix(d, "chmod 700 %.*s", STR_ARG(state));
    } else {
        doctor_say(d, NULL, HEALTH_OK, there ? "%.*s" : "%.*s will be made", STR_ARG(state));
    }
}

static void run_folder(struct doctor *d)
{
    struct err e;
    d->run_dir_made = !rundir_is_there(d->config->state);
    if (rundir_make(d->config->state, d->run_dir, &e)) {
        d->run_dir[0] = 0;
        doctor_say(d, NULL, HEALTH_FAIL, "%s", e.text);
        doctor_fix(d, "%s", e.hint[0] ? e.hint : "set XDG_RUNTIME_DIR to a folder of your own");
    } else {
        doctor_say(d, NULL, HEALTH_OK, "%s, private", d->run_dir);
    }
}

/* ---- the daemon ---- */

static void look_at_store(struct doctor *d, yyjson_val *store)
{
    d->store_failing = yyjson_get_bool(yyjson_obj_get(store, "failing"));
    d->held_rows = yyjson_get_sint(yyjson_obj_get(store, "held_rows"));
    d->store_why = arena_copy(&d->arena, json_str(yyjson_obj_get(store, "reason")));
}

static void look_at_backends(struct doctor *d, const struct door *door)
{
    struct question q = { .method = "GET", .path = "/hob/v1/ps", .connect_ms = 1000, .answer_ms = 10000 };
    struct answer got;
    struct json_doc doc = { 0 };
    struct err e;
    size_t i, n;
    yyjson_val *b;
    if (door_ask(door, &q, &got, &e))
        return;
    if (!json_parse(&doc, buf_str(&got.body), &e)) {
        look_at_store(d, yyjson_ptr_get(doc.root, "/gateway/store"));
        yyjson_arr_foreach(yyjson_obj_get(doc.root, "backends"), i, n, b) {
            const char *model = yyjson_get_str(yyjson_obj_get(b, "model"));
            struct str error = json_str(yyjson_obj_get(b, "last_error"));
            if (!str_eq(json_str(yyjson_obj_get(b, "state")), STR("failed")) || !model)
                continue;
            doctor_say(d, model, HEALTH_FAIL, "failed: %.*s", STR_ARG(error));
            doctor_fix(d, "when the cause is gone: hob load %s", model);
        }
    }
    json_free(&doc);
    buf_free(&got.body);
}

static void compare_version(struct doctor *d, const struct door *door, struct str body)
{
    struct json_doc doc = { 0 };
    struct err e;
    struct str version = { NULL, 0 };
    if (!json_parse(&doc, body, &e))
        version = json_str(yyjson_obj_get(doc.root, "version"));
    if (str_eq(version, STR(HOB_VERSION))) {
        doctor_say(d, NULL, HEALTH_OK, "runs, version %s, at %s", HOB_VERSION, door->name);
    } else {
        version = version.n ? version : STR("unknown");
        doctor_say(d, NULL, HEALTH_WARN, "runs version %.*s, this is %s", STR_ARG(version), HOB_VERSION);
        doctor_fix(d, "stop `hob serve` and start it again");
    }
    json_free(&doc);
}

static void running_daemon(struct doctor *d)
{
    struct question q = { .method = "GET", .path = "/hob/v1/version", .connect_ms = 1000, .answer_ms = 5000 };
    struct door door;
    struct answer got;
    struct err e;
    if (door_find(d->args, d->config, &door, &e)) {
        doctor_say(d, NULL, HEALTH_WARN, "%s", e.text);
        doctor_fix(d, "%s", e.hint);
        return;
    }
    enum err_code rc = door_ask(&door, &q, &got, &e);
    if (rc == ERR_UP_REFUSED) {
        doctor_say(d, NULL, HEALTH_OK, "not running (nobody answers at %s)", door.name);
        return;
    }
    if (door.remote && !rc && got.status != 200) {
        doctor_say(d, NULL, HEALTH_WARN, "HOB_URL leads to %s, where only models are served: how it is there cannot be seen from here", door.name);
        doctor_fix(d, "run `hob doctor` on that machine, or unset HOB_URL");
    } else if (rc || got.status != 200) {
        doctor_say(d, NULL, HEALTH_FAIL, "somebody is at %s, but does not answer as hob does%s%s", door.name, rc ? ": " : "", rc ? e.text : "");
        doctor_fix(d, "stop `hob serve` and start it again");
    } else {
        d->daemon = !door.remote;
        compare_version(d, &door, buf_str(&got.body));
        look_at_backends(d, &door);
    }
    if (!rc)
        buf_free(&got.body);
}

/* ---- the port ---- */

/* 0 = it can be had; else errno. */
static int try_bind(const struct addr *a)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } to;
    int yes = 1, rc = 0;
    memset(&to, 0, sizeof to);
    const char *host = str_eq(str_of(a->host), STR("localhost")) ? "127.0.0.1" : a->host;
    bool v6 = strchr(host, ':') != NULL;
    if (v6 ? uv_ip6_addr(host, a->port, &to.v6) : uv_ip4_addr(host, a->port, &to.v4))
        return 0; /* a name: not ours to resolve here */
    int fd = socket(to.any.sa_family, SOCK_STREAM, 0);
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes); /* what was closed a moment ago is no hindrance */
    if (bind(fd, &to.any, v6 ? sizeof to.v6 : sizeof to.v4))
        rc = errno;
    close(fd);
    return rc;
}

static void port(struct doctor *d)
{
    struct addr a;
    struct err e;
    struct str listen_at = d->config->listen;
    if (addr_parse(listen_at, &a, &e) || a.kind != ADDR_TCP) {
        doctor_say(d, NULL, HEALTH_OK, "%.*s", STR_ARG(listen_at));
        return;
    }
    int rc = a.port ? try_bind(&a) : 0;
    if (!rc)
        doctor_say(d, NULL, HEALTH_OK, a.port ? "%.*s is free" : "%.*s: any free port", STR_ARG(listen_at));
    else if (rc == EADDRINUSE && d->daemon)
        doctor_say(d, NULL, HEALTH_OK, "%.*s is the running daemon's", STR_ARG(listen_at));
    else
        doctor_say(d, NULL, HEALTH_FAIL, "%.*s cannot be listened on: %s", STR_ARG(listen_at), strerror(rc));
    if (rc && !(rc == EADDRINUSE && d->daemon))
        doctor_fix(d, "stop what uses the port, or choose another with `listen:` (or --listen, or --next-free-port)");
}

/* Nobody is to find out by chance that prompts are kept. */
static void kept_asks(struct doctor *d)
{
    for (size_t i = 0; i < d->config->nroles; i++) {
        const struct conf_role *r = &d->config->roles[i];
        char keep[32];
        if (r->capture.share <= 0)
            continue;
        doctor_say(d, r->name.p, HEALTH_OK, "%g%% of its asks are kept with their answers, personal data replaced: %lld at most, each for %s", r->capture.share * 100,
            (long long)r->capture.most, show_ms(r->capture.keep_ms, keep).p);
    }
}

const struct check doctor_setup_checks[] = {
    { "config",  configuration,  false },
    { "state",   state_folder,   true },
    { "capture", kept_asks,      true },
    { "run_dir", run_folder,     true },
    { "daemon",  running_daemon, true },
    { "store",   doctor_store,   true },
    { "port",    port,           true },
    { NULL, NULL, false },
};
