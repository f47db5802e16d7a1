/* hob stats: long-run averages out of the rows, as callers saw them, with the length of the window and the number of requests behind each. */
#include "cli/stats.h"

#include "cli/commands.h"
#include "cli/table.h"

#include <math.h>
#include <stdio.h>

/* ---- one figure of a window, in a few words ---- */

static void put_share(struct buf *b, int64_t part, int64_t all)
{
    buf_printf(b, "%lld", (long long)part);
    if (all)
        buf_printf(b, " of %lld (%.1f %%)", (long long)all, 100 * (double)part / (double)all);
}

static void put_requests(yyjson_val *v, struct buf *b)
{
    double hour = report_get(v, "per_hour"), at_once = report_get(v, "at_once");
    buf_printf(b, "%lld", (long long)report_count(v, "requests"));
    if (!isnan(hour))
        buf_printf(b, ", %.*f an hour", hour < 10 ? 2 : 0, hour);
    if (!isnan(at_once))
        buf_printf(b, ", %.2f at a time", at_once);
}

static void put_errors(yyjson_val *v, struct buf *b)
{
    yyjson_val *errors = yyjson_obj_get(v, "errors");
    bool any = false;
    put_share(b, report_count(errors, "all"), report_count(v, "requests"));
    for (int f = FAULT_CALLER; f <= FAULT_HARNESS; f++) {
        int64_t n = report_count(errors, fault_name((enum fault)f));
        if (n)
            buf_printf(b, "%s %s %lld", any ? "," : ":", fault_name((enum fault)f), (long long)n);
        any |= n > 0;
    }
}

static void put_429(yyjson_val *v, struct buf *b)
{
    put_share(b, report_count(v, "status_429"), report_count(v, "requests"));
}

static void put_times(yyjson_val *spread, struct buf *b)
{
    int64_t n = report_count(spread, "requests");
    if (!n) {
        buf_printf(b, "none");
        return;
    }
    buf_printf(b, "p50 ");
    report_ms(report_get(spread, "p50"), b);
    buf_printf(b, ", p95 ");
    report_ms(report_get(spread, "p95"), b);
    buf_printf(b, " (%lld)", (long long)n);
}

static void put_ttft(yyjson_val *v, struct buf *b)
{
    put_times(yyjson_obj_get(v, "ttft_ms"), b);
}

static void put_total(yyjson_val *v, struct buf *b)
{
    put_times(yyjson_obj_get(v, "total_ms"), b);
}

static void put_queue(yyjson_val *v, struct buf *b)
{
    put_times(yyjson_obj_get(v, "queue_ms"), b);
}

static void put_tokens(yyjson_val *v, struct buf *b)
{
    yyjson_val *t = yyjson_obj_get(v, "tokens");
    buf_printf(b, "%lld in, %lld out", (long long)report_count(t, "input"), (long long)report_count(t, "output"));
    if (report_count(t, "reasoning"))
        buf_printf(b, ", %lld of thought", (long long)report_count(t, "reasoning"));
    if (report_count(t, "cached"))
        buf_printf(b, ", %lld cached", (long long)report_count(t, "cached"));
    buf_printf(b, " (%lld)", (long long)report_count(t, "requests"));
}

static void put_sizes(yyjson_val *v, struct buf *b)
{
    yyjson_val *prompt = yyjson_obj_get(v, "prompt_tokens"), *answer = yyjson_obj_get(v, "answer_tokens");
    if (!report_count(prompt, "requests") || !report_count(answer, "requests")) {
        buf_printf(b, "none");
        return;
    }
    buf_printf(b, "%.0f and %.0f tokens (%lld)", report_get(prompt, "p50"), report_get(answer, "p50"), (long long)report_count(prompt, "requests"));
}

static void put_rate(yyjson_val *v, struct buf *b)
{
    yyjson_val *r = yyjson_obj_get(v, "generation_tps");
    if (report_count(r, "requests"))
        buf_printf(b, "p50 %.1f, p5 %.1f (%lld)", report_get(r, "p50"), report_get(r, "p5"), (long long)report_count(r, "requests"));
    else
        buf_printf(b, "none");
}

static void put_waits(yyjson_val *v, struct buf *b)
{
    yyjson_val *l = yyjson_obj_get(v, "loads");
    put_share(b, report_count(l, "waited"), report_count(v, "requests"));
    if (report_count(l, "waited")) {
        buf_printf(b, ", ");
        report_ms(report_get(l, "waited_ms"), b);
        buf_printf(b, " in all");
    }
}

static void put_fallbacks(yyjson_val *v, struct buf *b)
{
    put_share(b, report_count(yyjson_obj_get(v, "fallbacks"), "requests"), report_count(v, "requests"));
}

static const struct figure {
    const char *name;
    void (*put)(yyjson_val *averages, struct buf *b);
} figures[] = {
    { "requests",               put_requests },
    { "errors",                 put_errors },
    { "refused for load (429)", put_429 },
    { "first token",            put_ttft },
    { "whole answer",           put_total },
    { "in line",                put_queue },
    { "tokens",                 put_tokens },
    { "median prompt, answer",  put_sizes },
    { "tokens a second",        put_rate },
    { "waited for a load",      put_waits },
    { "answered by a fallback", put_fallbacks },
};

/* ---- the same in a column's width, for one group of many ---- */

static void put_short_requests(yyjson_val *v, struct buf *b)
{
    buf_printf(b, "%lld", (long long)report_count(v, "requests"));
}

static void put_part(yyjson_val *v, int64_t n, struct buf *b)
{
    int64_t all = report_count(v, "requests");
    buf_printf(b, "%lld", (long long)n);
    if (n && all)
        buf_printf(b, " (%.1f %%)", 100 * (double)n / (double)all);
}

static void put_short_errors(yyjson_val *v, struct buf *b)
{
    put_part(v, report_count(yyjson_obj_get(v, "errors"), "all"), b);
}

static void put_short_times(yyjson_val *spread, struct buf *b)
{
    if (!report_count(spread, "requests"))
        return;
    report_ms(report_get(spread, "p50"), b);
    buf_printf(b, " / ");
    report_ms(report_get(spread, "p95"), b);
    buf_printf(b, " (%lld)", (long long)report_count(spread, "requests"));
}

static void put_short_ttft(yyjson_val *v, struct buf *b)
{
    put_short_times(yyjson_obj_get(v, "ttft_ms"), b);
}

static void put_short_total(yyjson_val *v, struct buf *b)
{
    put_short_times(yyjson_obj_get(v, "total_ms"), b);
}

static void put_short_tokens(yyjson_val *v, struct buf *b)
{
    yyjson_val *t = yyjson_obj_get(v, "tokens");
    buf_printf(b, "%lld / %lld (%lld)", (long long)report_count(t, "input"), (long long)report_count(t, "output"), (long long)report_count(t, "requests"));
}

static void put_short_rate(yyjson_val *v, struct buf *b)
{
    yyjson_val *r = yyjson_obj_get(v, "generation_tps");
    if (report_count(r, "requests"))
        buf_printf(b, "%.1f (%lld)", report_get(r, "p50"), (long long)report_count(r, "requests"));
}

static void put_short_waits(yyjson_val *v, struct buf *b)
{
    put_part(v, report_count(yyjson_obj_get(v, "loads"), "waited"), b);
}

static void put_short_fallbacks(yyjson_val *v, struct buf *b)
{
    put_part(v, report_count(yyjson_obj_get(v, "fallbacks"), "requests"), b);
}

static const struct figure short_figures[] = {
    { "REQUESTS",          put_short_requests },
    { "ERRORS",            put_short_errors },
    { "FIRST TOKEN P50/95", put_short_ttft },
    { "WHOLE P50/95",      put_short_total },
    { "TOKENS IN/OUT",     put_short_tokens },
    { "TOKENS/S P50",      put_short_rate },
    { "WAITED FOR A LOAD", put_short_waits },
    { "FELL BACK",         put_short_fallbacks },
};

/* ---- all of it ---- */

static void put_cell(struct table *t, struct buf *b)
{
    table_cell(t, buf_str(b));
    b->n = 0;
}

static void put_loads(yyjson_val *stretch, struct buf *b)
{
    yyjson_val *l = yyjson_obj_get(stretch, "model_loads");
    if (!yyjson_is_obj(l))
        return;
    buf_printf(b, "%lld", (long long)report_count(l, "loads"));
    if (report_count(l, "loads")) {
        buf_printf(b, ", ");
        report_ms(report_get(l, "load_ms"), b);
        buf_printf(b, " in all");
    }
}

static void put_totals(yyjson_val *root, yyjson_val *other, struct buf *out)
{
    yyjson_val *const sides[] = { root, other };
    struct buf b = { 0 }, heads[2] = { { 0 }, { 0 } };
    struct table t;
    size_t n = other ? 2 : 1;
    for (size_t i = 0; i < n; i++) {
        report_window(yyjson_obj_get(sides[i], "window"), &heads[i]);
        buf_add(&heads[i], str_make("", 1));
    }
    const char *const names[] = { "LONG-RUN AVERAGES", heads[0].p, heads[1].p };
    table_init(&t, names, 1 + n);
    for (size_t f = 0; f < COUNTOF(figures); f++) {
        table_cell(&t, str_of(figures[f].name));
        for (size_t i = 0; i < n; i++) {
            figures[f].put(yyjson_obj_get(sides[i], "total"), &b);
            put_cell(&t, &b);
        }
    }
    table_cell(&t, STR("loads of models"));
    for (size_t i = 0; i < n; i++) {
        put_loads(sides[i], &b);
        put_cell(&t, &b);
    }
    table_print(&t, out);
    table_fini(&t);
    for (size_t i = 0; i < n; i++)
        buf_free(&heads[i]);
    buf_free(&b);
}

static void put_groups(yyjson_val *side, struct str by, struct buf *out)
{
    yyjson_val *groups = yyjson_obj_get(side, "groups"), *g;
    const char *heads[1 + COUNTOF(short_figures)] = { "NAME" };
    size_t i, max;
    struct buf b = { 0 };
    struct table t;
    if (!yyjson_arr_size(groups))
        return;
    for (size_t f = 0; f < COUNTOF(short_figures); f++)
        heads[1 + f] = short_figures[f].name;
    buf_printf(out, "\nby %.*s, ", STR_ARG(by));
    report_window(yyjson_obj_get(side, "window"), out);
    buf_printf(out, "\n");
    table_init(&t, heads, COUNTOF(heads));
    yyjson_arr_foreach(groups, i, max, g) {
        table_cell(&t, json_str(yyjson_obj_get(g, "name")));
        for (size_t f = 0; f < COUNTOF(short_figures); f++) {
            short_figures[f].put(g, &b);
            put_cell(&t, &b);
        }
    }
    table_print(&t, out);
    table_fini(&t);
    buf_free(&b);
}

/* A window that reaches behind the rows: what is left of that time. */
static void put_before_rows(yyjson_val *side, struct buf *out)
{
    struct str since = json_str(yyjson_obj_get(yyjson_obj_get(side, "window"), "rows_since"));
    yyjson_val *old = yyjson_obj_get(side, "before_rows");
    if (since.n < 16)
        return;
    buf_printf(out, "\nThere are rows since %.10s %.5s UTC alone: all above is of those.", since.p, since.p + 11);
    if (yyjson_is_obj(old))
        buf_printf(out, " Hourly sums of the %lld hours before say: %lld requests, %lld of them failed, %lld tokens in, %lld out, %lld fallbacks.",
            (long long)report_count(old, "hours"), (long long)report_count(old, "requests"), (long long)report_count(old, "errors"),
            (long long)report_count(old, "input_tokens"), (long long)report_count(old, "output_tokens"), (long long)report_count(old, "fallbacks"));
    buf_printf(out, "\n");
}

static void put_left_out(yyjson_val *side, struct buf *out)
{
    int64_t n = report_count(side, "left_out");
    if (n)
        buf_printf(out, "\n%lld requests of `hob eval` and `hob bench` are left out.\n", (long long)n);
}

static void put_likeness(yyjson_val *root, struct buf *out)
{
    yyjson_val *u;
    size_t i, max;
    if (yyjson_is_true(yyjson_obj_get(root, "alike"))) {
        buf_printf(out, "\nThe two windows are alike in length, age, load, sizes, streams, callers and models.\n");
        return;
    }
    buf_printf(out, "\nWARNING: these windows are not alike, so a difference between them says little of the models:\n");
    yyjson_arr_foreach(yyjson_obj_get(root, "unlike"), i, max, u)
        buf_printf(out, "  - %.*s\n", STR_ARG(json_str(yyjson_obj_get(u, "text"))));
}

static void put(yyjson_val *root, struct buf *out)
{
    struct str by = json_str(yyjson_obj_get(root, "by")), role = json_str(yyjson_obj_get(root, "role")), model = json_str(yyjson_obj_get(root, "model"));
    yyjson_val *other = yyjson_obj_get(root, "against");
    if (role.n)
        buf_printf(out, "requests of the role %.*s alone\n", STR_ARG(role));
    if (model.n)
        buf_printf(out, "requests that %.*s has answered alone\n", STR_ARG(model));
    put_totals(root, other, out);
    put_groups(root, by, out);
    put_groups(other, by, out);
    put_before_rows(root, out);
    put_before_rows(other, out);
    put_left_out(root, out);
    put_left_out(other, out);
    if (other)
        put_likeness(root, out);
    buf_printf(out, "\n(n): so many requests are behind a figure. What callers saw, whatever else the machine did: not to be held against figures of `hob bench`.\n");
}

static int residency(const struct cli_args *a, struct str window)
{
    static const char *const others[] = { "--against", "--before", "--by" };
    const struct report_ask asks[] = { { "window", window }, { "role", cli_option_value(a, "--role") }, { "model", cli_option_value(a, "--model") } };
    for (size_t i = 0; i < COUNTOF(others); i++)
        if (cli_option_value(a, others[i]).p) {
            fprintf(stderr, "hob: --residency is of each model in one window: %s says nothing there\n", others[i]);
            return EXIT_USAGE;
        }
    return report_run(a, &reports[REPORT_RESIDENCY], asks, COUNTOF(asks), stats_put_residency);
}

static int run(const struct cli_args *a)
{
    struct str since = cli_option_value(a, "--since"), window = cli_option_value(a, "--window");
    if (since.p && window.p) {
        fprintf(stderr, "hob: --since and --window both name the window: one of them is enough\n");
        return EXIT_USAGE;
    }
    if (cli_flag(a, "--residency"))
        return residency(a, since.p ? since : window);
    const struct report_ask asks[] = {
        { "window", since.p ? since : window },
        { "against", cli_option_value(a, "--against") },
        { "before", cli_flag(a, "--before") ? STR("1") : STR("") },
        { "by", cli_option_value(a, "--by") },
        { "role", cli_option_value(a, "--role") },
        { "model", cli_option_value(a, "--model") },
    };
    return report_run(a, &reports[REPORT_STATS], asks, COUNTOF(asks), put);
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--window", "-w", "RANGE", "24h, or from one time to another: 48h..24h, 2026-11-20..2026-11-21 (default: 24h)" },
    { "--since", NULL, "WHEN", "the same as --window WHEN: from then on" },
    { "--against", NULL, "RANGE", "another window beside it; warns when the two are not alike" },
    { "--before", NULL, NULL, "the same with the window of the same length just before" },
    { "--by", NULL, "WHAT", "each model, role, caller or host, too" },
    { "--role", NULL, "ROLE", "requests of that role alone" },
    { "--model", "-m", "MODEL", "requests that it has answered alone" },
    { "--residency", NULL, NULL, "instead: what each model in memory was good for, and whether to keep it hot (default window: 7d)" },
    { "--json", NULL, NULL, "one JSON object" },
    CLI_END,
};
const struct command cli_stats = { .name = "stats", .usage = "[--window RANGE] [--by WHAT] [--against RANGE | --before] | --residency", .what = "show long-run averages: how requests have fared",
    .example = "hob stats --window 24h --before --by model", .run = run, .options = options };
