/* hob ps: what runs, as the daemon has it. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "json/json.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { WATCH_MS = 1000 };

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

/* What it has, of what it was thought to need; "~": it runs not, or nobody could measure it. */
static void put_memory(struct table *t, yyjson_val *memory)
{
    char has[32], needs[32], text[72] = "";
    int64_t measured = number(yyjson_obj_get(memory, "measured_bytes")), estimated = number(yyjson_obj_get(memory, "estimated_bytes"));
    show_bytes(measured, has);
    show_bytes(estimated, needs);
    if (measured >= 0 && estimated >= 0)
        snprintf(text, sizeof text, "%s of %s", has, needs);
    else if (measured >= 0 || estimated >= 0)
        snprintf(text, sizeof text, "%s%s", measured >= 0 ? "" : "~", measured >= 0 ? has : needs);
    table_cell(t, str_of(text));
}

/* ---- below its line: what is not so for most ---- */

struct note {
    struct buf text;
    bool any;
};

static void add(struct note *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct note *n, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    buf_printf(&n->text, "%s%s", n->any ? "; " : "", text);
    n->any = true;
}

/* "waits_for_memory" */
static void add_flag(struct note *n, struct str flag)
{
    char text[64];
    snprintf(text, sizeof text, "%.*s", STR_ARG(flag));
    for (char *p = text; *p; p++)
        *p = *p == '_' ? ' ' : *p;
    add(n, "%s", text);
}

static void note_queue(struct note *n, yyjson_val *queue)
{
    char age[32], eta[32];
    int64_t oldest = number(yyjson_obj_get(queue, "oldest_ms")), last = number(yyjson_obj_get(queue, "eta_ms"));
    if (number(yyjson_obj_get(queue, "depth")) <= 0 || oldest < 0)
        return;
    add(n, "the first in line waits for %s", show_ms(oldest, age).p);
    if (last >= 0)
        add(n, "the last is served in about %s", show_ms(last, eta).p);
}

/* What keeps requests away, and what was used of a cap. True when its breaker is not closed. */
static bool note_health(struct note *n, yyjson_val *b)
{
    char text[32];
    struct str breaker = json_str(yyjson_obj_get(b, "breaker"));
    yyjson_val *today = yyjson_obj_get(b, "today"), *cost = yyjson_obj_get(today, "cap_cost");
    int64_t cap = number(yyjson_obj_get(today, "cap_tokens")), wakes = number(yyjson_obj_get(b, "wakes_in_ms")), cools = number(yyjson_obj_get(b, "cooling_ms"));
    bool open = breaker.n && !str_eq(breaker, STR("closed"));
    if (open)
        add(n, "breaker %.*s", STR_ARG(breaker));
    if (cools > 0)
        add(n, "asked again in %s", show_ms(cools, text).p);
    if (wakes >= 0)
        add(n, "awake in %s at most", show_ms(wakes, text).p);
    if (cap > 0)
        add(n, "%lld of %lld tokens today", (long long)number(yyjson_obj_get(today, "tokens")), (long long)cap);
    if (yyjson_is_num(cost))
        add(n, "%.2f of %.2f spent today", yyjson_get_num(yyjson_obj_get(today, "cost")), yyjson_get_num(cost));
    return open;
}

static void put_notes(struct table *t, yyjson_val *b)
{
    struct note n = { .any = false };
    size_t i, count;
    yyjson_val *flag;
    yyjson_arr_foreach(yyjson_obj_get(b, "flags"), i, count, flag)
        add_flag(&n, json_str(flag));
    yyjson_val *accepted = yyjson_obj_get(yyjson_obj_get(b, "draft"), "acceptance");
    if (yyjson_is_num(accepted))
        add(&n, "draft: %.0f %% accepted", 100 * yyjson_get_num(accepted));
    note_queue(&n, yyjson_obj_get(b, "queue"));
    bool open = note_health(&n, b);
    if (n.any)
        table_note(t, buf_str(&n.text));
    struct str error = json_str(yyjson_obj_get(b, "last_error")), state = json_str(yyjson_obj_get(b, "state"));
    if (error.n && (open || !str_eq(state, STR("hot"))))
        table_note(t, error);
    buf_free(&n.text);
}

static void put_backend(struct table *t, yyjson_val *b)
{
    char text[32];
    bool pinned = yyjson_get_bool(yyjson_obj_get(b, "pinned"));
    struct str state = json_str(yyjson_obj_get(b, "state"));
    table_cell(t, json_str(yyjson_obj_get(b, "model")));
    table_cell(t, json_str(yyjson_obj_get(b, "host")));
    snprintf(text, sizeof text, "%.*s%s", STR_ARG(state), pinned ? ", pinned" : "");
    table_cell(t, str_of(text));
    put_memory(t, yyjson_obj_get(b, "memory"));
    table_int(t, number(yyjson_obj_get(b, "context")));
    put_slots(t, yyjson_obj_get(b, "slots"));
    table_int(t, number(yyjson_obj_get(yyjson_obj_get(b, "queue"), "depth")));
    table_cell(t, show_ms(number(yyjson_obj_get(b, "idle_ms")), text));
    put_notes(t, b);
}

static void put_budget(struct buf *out, yyjson_val *budget)
{
    char used[32], total[32], others[32];
    int64_t all = number(yyjson_obj_get(budget, "total_bytes")), booked = number(yyjson_obj_get(budget, "used_bytes"));
    int64_t strangers = number(yyjson_obj_get(budget, "others_bytes"));
    if (all < 0)
        return;
    buf_printf(out, "\nmemory for models: %s of %s", show_bytes(booked > 0 ? booked : 0, used).p, show_bytes(all, total).p);
    if (strangers >= 0)
        buf_printf(out, "; other programs have %s", show_bytes(strangers, others).p);
    buf_lit(out, "\n");
}

/* Of the gateway itself only what is near its limit, or not well. */
static void put_gateway(struct buf *out, yyjson_val *gateway)
{
    char used[32], limit[32];
    yyjson_val *memory = yyjson_obj_get(gateway, "memory");
    struct str level = json_str(yyjson_obj_get(memory, "level"));
    if (level.n && !str_eq(level, STR("calm")))
        buf_printf(out, "overloaded: the gateway has %s of %s (`limits: {memory: …}`), and refuses new requests\n",
            show_bytes(number(yyjson_obj_get(memory, "used_bytes")), used).p, show_bytes(number(yyjson_obj_get(memory, "limit_bytes")), limit).p);
    static const char *const counted[][3] = { { "connections", "open", "connections" }, { "requests", "running", "requests" } };
    for (size_t i = 0; i < COUNTOF(counted); i++) {
        yyjson_val *v = yyjson_obj_get(gateway, counted[i][0]);
        int64_t n = number(yyjson_obj_get(v, counted[i][1])), most = number(yyjson_obj_get(v, "limit"));
        if (most > 0 && n >= most)
            buf_printf(out, "overloaded: %lld %s, of %lld (`limits: {%s: …}`)\n", (long long)n, counted[i][2], (long long)most, counted[i][0]);
    }
    yyjson_val *store = yyjson_obj_get(gateway, "store");
    if (yyjson_get_bool(yyjson_obj_get(store, "failing")))
        buf_printf(out, "rows about requests cannot be written, %lld wait in memory: %.*s\n", (long long)number(yyjson_obj_get(store, "held_rows")),
            STR_ARG(json_str(yyjson_obj_get(store, "reason"))));
}

static int print_table(struct str json)
{
    static const char *const heads[] = { "MODEL", "HOST", "STATE", "MEMORY", "CONTEXT", "SLOTS", "QUEUE", "IDLE" };
    struct json_doc d = { 0 };
    struct table t;
    struct buf out = { 0 };
    size_t i, n;
    yyjson_val *b;
    if (read_answer(json, &d))
        return EXIT_FAILED;
    table_init(&t, heads, COUNTOF(heads));
    yyjson_arr_foreach(yyjson_obj_get(d.root, "backends"), i, n, b)
        put_backend(&t, b);
    table_print(&t, &out);
    put_budget(&out, yyjson_obj_get(d.root, "budget"));
    put_gateway(&out, yyjson_obj_get(d.root, "gateway"));
    bool whole = fwrite(out.p, 1, out.n, stdout) == out.n && !fflush(stdout);
    if (!yyjson_arr_size(yyjson_obj_get(d.root, "backends")))
        fprintf(stderr, "hob: no model is configured\n");
    buf_free(&out);
    table_fini(&t);
    json_free(&d);
    return whole ? EXIT_OK : EXIT_FAILED;
}

static int show(const struct cli_args *a)
{
    struct buf body;
    struct question q = { .method = "GET", .path = "/hob/v1/ps", .answer_ms = 30 * 1000 };
    int rc = ask_daemon(a, &q, &body);
    if (!rc && cli_flag(a, "--watch") && isatty(STDOUT_FILENO))
        printf("\033[H\033[J");
    if (!rc)
        rc = cli_flag(a, "--json") ? print_answer(buf_str(&body)) : print_table(buf_str(&body));
    buf_free(&body);
    return rc;
}

static int run(const struct cli_args *a)
{
    int rc = show(a);
    while (!rc && cli_flag(a, "--watch")) {
        poll(NULL, 0, WATCH_MS);
        rc = show(a);
    }
    return rc;
}

static const struct cli_option options[] = { CLI_COMMON, { "--watch", "-w", NULL, "every second, until interrupted" },
    { "--json", NULL, NULL, "one JSON object" }, CLI_END };
const struct command cli_ps = { .name = "ps", .usage = "[--json]", .what = "show what runs: state, memory, slots, queue", .example = "hob ps", .run = run,
    .options = options };
