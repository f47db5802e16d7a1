/* hob load, hob unload: ask, and wait until it is so. How long that has taken so far goes to stderr: one line that is written over on a terminal,
 * a line now and then elsewhere. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TICK_TERMINAL_MS = 200, TICK_PLAIN_MS = 5000 };

struct doing {
    const char *word;    /* "loading" */
    struct str model;
    bool terminal;
};

static void show_waiting(void *ctx, int64_t waited_ms)
{
    struct doing *d = ctx;
    if (waited_ms < 0 && d->terminal)
        fprintf(stderr, "\r\033[K");
    else if (waited_ms >= 0)
        fprintf(stderr, d->terminal ? "\r%s %.*s, %.1f s\033[K" : "%s %.*s, %.0f s so far\n", d->word, STR_ARG(d->model), (double)waited_ms / 1000);
    fflush(stderr);
}

static void print_done(struct str json)
{
    struct json_doc d = { 0 };
    if (read_answer(json, &d))
        return;
    struct str model = json_str(yyjson_obj_get(d.root, "model")), host = json_str(yyjson_obj_get(d.root, "host"));
    struct str state = json_str(yyjson_obj_get(d.root, "state"));
    double took_ms = yyjson_get_num(yyjson_obj_get(d.root, "took_ms"));
    bool pinned = yyjson_get_bool(yyjson_obj_get(d.root, "pinned"));
    printf("%.*s on %.*s is %.*s%s, after %.1f s\n", STR_ARG(model), STR_ARG(host), STR_ARG(state), pinned ? " and stays so" : "",
        took_ms / 1000);
    json_free(&d);
}

static bool on_terminal(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term && !str_eq(str_of(term), STR("dumb"));
}

static int act(const struct cli_args *a, const char *path, const char *word)
{
    struct buf body = { 0 }, answer;
    if (!a->nwords) {
        fprintf(stderr, "hob: which model? hob %s MODEL; `hob models` lists them\n", a->command->name);
        return EXIT_USAGE;
    }
    struct doing d = { .word = word, .model = a->words[0], .terminal = on_terminal() };
    struct json_out o = json_out(&body);
    json_begin_object(&o);
    json_key(&o, STR("model"));
    json_string(&o, a->words[0]);
    if (cli_flag(a, "--pin")) {
        json_key(&o, STR("pin"));
        json_bool(&o, true);
    }
    json_end_object(&o);
    struct question q = { .method = "POST", .path = path, .body = buf_str(&body), .on_tick = show_waiting, .ctx = &d,
        .tick_ms = d.terminal ? TICK_TERMINAL_MS : TICK_PLAIN_MS };
    int rc = ask_daemon(a, &q, &answer);
    if (!rc && cli_flag(a, "--json"))
        rc = print_answer(buf_str(&answer));
    else if (!rc)
        print_done(buf_str(&answer));
    buf_free(&body);
    buf_free(&answer);
    return rc;
}

static int load(const struct cli_args *a)
{
    return act(a, "/hob/v1/models/load", "loading");
}

static int unload(const struct cli_args *a)
{
    return act(a, "/hob/v1/models/unload", "unloading");
}

static const struct cli_option load_options[] = { CLI_COMMON,
    { "--pin", NULL, NULL, "keep it in memory, as `keep: hot` does, until `hob unload`" }, { "--json", NULL, NULL, "one JSON object" }, CLI_END };
static const struct cli_option unload_options[] = { CLI_COMMON, { "--json", NULL, NULL, "one JSON object" }, CLI_END };
const struct command cli_load = { .name = "load", .usage = "MODEL [--pin]", .what = "load a model, and wait until it is ready",
    .example = "hob load smollm2", .run = load, .options = load_options, .max_words = 1, .words = CLI_WORDS_MODELS };
const struct command cli_unload = { .name = "unload", .usage = "MODEL", .what = "let a model finish its requests, then unload it",
    .example = "hob unload smollm2", .run = unload, .options = unload_options, .max_words = 1, .words = CLI_WORDS_MODELS };
