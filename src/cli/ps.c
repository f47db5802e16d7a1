/* hob ps: what runs, as the daemon has it. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "json/json.h"

#include <stdio.h>

static int64_t number(yyjson_val *v) /* -1 = null or none */
{
    return yyjson_is_int(v) ? yyjson_get_sint(v) : -1;
}

static void put_slots(struct table *t, yyjson_val *slots)
{
    char text[48];
    int64_t used = number(yyjson_obj_get(slots, "used")), total = number(yyjson_obj_get(slots, "total"));
    snprintf(text, sizeof text, total >= 0 ? "%lld/%lld" : "%lld", (long long)used, (long long)total);
    table_cell(t, str_of(text));
}

static void put_queue(struct table *t, yyjson_val *queue)
{
    char text[80], age[32];
    int64_t depth = number(yyjson_obj_get(queue, "depth")), oldest = number(yyjson_obj_get(queue, "oldest_ms"));
    snprintf(text, sizeof text, "%lld", (long long)depth);
    if (oldest >= 1000)
        snprintf(text, sizeof text, "%lld (%s)", (long long)depth, show_ms(oldest, age).p);
    table_cell(t, str_of(text));
}

static void put_backend(struct table *t, yyjson_val *b)
{
    char text[32];
    struct str state = json_str(yyjson_obj_get(b, "state")), error = json_str(yyjson_obj_get(b, "last_error"));
    table_cell(t, json_str(yyjson_obj_get(b, "model")));
    table_cell(t, json_str(yyjson_obj_get(b, "host")));
    table_cell(t, state);
    table_int(t, number(yyjson_obj_get(b, "pid")));
    table_cell(t, show_bytes(number(yyjson_obj_get(yyjson_obj_get(b, "memory"), "measured_bytes")), text));
    table_int(t, number(yyjson_obj_get(b, "context")));
    put_slots(t, yyjson_obj_get(b, "slots"));
    put_queue(t, yyjson_obj_get(b, "queue"));
    table_cell(t, show_ms(number(yyjson_obj_get(b, "idle_ms")), text));
    if (error.n && str_eq(state, STR("failed")))
        table_note(t, error);
}

static int print_table(struct str json)
{
    static const char *const heads[] = { "MODEL", "HOST", "STATE", "PID", "MEMORY", "CONTEXT", "SLOTS", "QUEUE", "IDLE" };
    struct json_doc d = { 0 };
    struct err e;
    struct table t;
    struct buf out = { 0 };
    size_t i, n;
    yyjson_val *b;
    if (json_parse(&d, json, &e)) {
        fprintf(stderr, "hob: the daemon's answer is no JSON: %s\n", e.text);
        return EXIT_FAILED;
    }
    table_init(&t, heads, COUNTOF(heads));
    yyjson_arr_foreach(yyjson_obj_get(d.root, "backends"), i, n, b)
        put_backend(&t, b);
    table_print(&t, &out);
    fwrite(out.p, 1, out.n, stdout);
    if (!yyjson_arr_size(yyjson_obj_get(d.root, "backends")))
        fprintf(stderr, "hob: no model is configured\n");
    buf_free(&out);
    table_fini(&t);
    json_free(&d);
    return EXIT_OK;
}

static int run(const struct cli_args *a)
{
    struct buf body;
    struct question q = { .method = "GET", .path = "/hob/v1/ps", .answer_ms = 30 * 1000 };
    int rc = ask_daemon(a, &q, &body);
    if (!rc)
        rc = cli_flag(a, "--json") ? print_answer(buf_str(&body)) : print_table(buf_str(&body));
    buf_free(&body);
    return rc;
}

static const struct cli_option options[] = { CLI_COMMON, { "--json", NULL, NULL, "one JSON object" }, CLI_END };
const struct command cli_ps = { .name = "ps", .usage = "[--json]", .what = "show what runs: state, memory, slots, queue", .example = "hob ps", .run = run,
    .options = options };
