/* hob upgrade: the running daemon goes on as another program. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <limits.h>

enum { LONGEST_WAIT_S = 600 };

static void print_done(struct str json)
{
    struct json_doc d = { 0 };
    if (read_answer(json, &d))
        return;
    struct str from = json_str(yyjson_ptr_get(d.root, "/from/version")), to = json_str(yyjson_ptr_get(d.root, "/to/version"));
    struct str program = json_str(yyjson_obj_get(d.root, "program"));
    printf("%.*s (%.*s, process %d) has taken over from %.*s (process %d)\n", STR_ARG(program), STR_ARG(to), yyjson_get_int(yyjson_ptr_get(d.root, "/to/pid")),
        STR_ARG(from), yyjson_get_int(yyjson_ptr_get(d.root, "/from/pid")));
    printf("connections handed over: %lld; requests that the old one still answers: %lld; nobody accepted for %.1f ms\n",
        (long long)yyjson_get_sint(yyjson_obj_get(d.root, "connections")), (long long)yyjson_get_sint(yyjson_obj_get(d.root, "requests")),
        yyjson_get_num(yyjson_obj_get(d.root, "gap_ms")));
    json_free(&d);
}

/* The daemon's working folder is another one than ours. */
static bool put_program(struct json_out *o, struct str word)
{
    char path[PATH_MAX], whole[PATH_MAX];
    snprintf(path, sizeof path, "%.*s", STR_ARG(word));
    if (!realpath(path, whole)) {
        fprintf(stderr, "hob: there is no program at %s: %s\n", path, strerror(errno));
        return false;
    }
    json_key(o, STR("program"));
    json_string(o, str_of(whole));
    return true;
}

static bool put_wait(struct json_out *o, struct str word)
{
    int64_t s;
    if (!str_to_int(word, 1, LONGEST_WAIT_S, &s)) {
        fprintf(stderr, "hob: --wait is a number of seconds, 1 to %d, not '%.*s'\n", LONGEST_WAIT_S, STR_ARG(word));
        return false;
    }
    json_key(o, STR("wait_ms"));
    json_int(o, s * 1000);
    return true;
}

static int run(const struct cli_args *a)
{
    struct buf body = { 0 }, answer = { 0 };
    struct str wait = cli_option_value(a, "--wait");
    struct json_out o = json_out(&body);
    json_begin_object(&o);
    bool fine = (!wait.p || put_wait(&o, wait)) && (!a->nwords || put_program(&o, a->words[0]));
    json_end_object(&o);
    struct question q = { .method = "POST", .path = "/hob/v1/upgrade", .body = buf_str(&body) };
    int rc = fine ? ask_daemon(a, &q, &answer) : EXIT_USAGE;
    if (!rc && cli_flag(a, "--json"))
        rc = print_answer(buf_str(&answer));
    else if (!rc)
        print_done(buf_str(&answer));
    buf_free(&body);
    buf_free(&answer);
    return rc;
}

static const struct cli_option options[] = { CLI_COMMON,
    { "--wait", NULL, "SECONDS", "for the new program to be ready; it is given up then, and nothing has changed (default: 30)" },
    { "--json", NULL, NULL, "one JSON object" }, CLI_END };
const struct command cli_upgrade = { .name = "upgrade", .usage = "[PROGRAM]", .what = "have the daemon go on as a new program, with its models, connections and streams",
    .example = "hob upgrade", .run = run, .options = options, .max_words = 1, .words = CLI_WORDS_FILES };
