/* hob advise ROLE: should it be answered here, elsewhere, or both? With the figures, what would change it, and what is not known. */
#include "cli/commands.h"
#include "cli/report.h"
#include "cli/table.h"

#include <math.h>
#include <stdio.h>

static void put_volume(yyjson_val *root, struct buf *out)
{
    yyjson_val *v = yyjson_obj_get(root, "volume");
    double day = report_get(v, "requests_per_day"), private_ = report_get(v, "private_share");
    if (isnan(day))
        show_fact(out, "volume", "%lld requests are on record: of how many a day nobody knows yet", (long long)report_count(v, "requests"));
    else
        show_fact(out, "volume", "%.*f requests and %.0f tokens a day, %lld requests in the busiest hour", day < 10 ? 1 : 0, day, report_get(v, "tokens_per_day"),
            (long long)report_count(v, "peak_hour_requests"));
    if (!isnan(private_))
        show_fact(out, "private", "%.1f %% of %lld requests", 100 * private_, (long long)report_count(v, "requests"));
}

static void put_side(yyjson_val *root, const char *key, const char *head, struct buf *out)
{
    yyjson_val *s = yyjson_obj_get(root, key), *models = yyjson_obj_get(s, "models"), *m;
    struct buf b = { 0 };
    size_t i, max;
    yyjson_arr_foreach(models, i, max, m)
        buf_printf(&b, "%s%.*s", i ? ", " : "", STR_ARG(json_str(m)));
    if (!max)
        buf_printf(&b, "no place of its chain");
    if (report_count(s, "requests")) {
        buf_printf(&b, ": %lld requests, %.1f %% failed, %.1f %% refused (429)", (long long)report_count(s, "requests"), 100 * report_get(s, "errors_share"),
            100 * report_get(s, "refused_share"));
        buf_printf(&b, "; p95 in line ");
        report_ms(report_get(s, "wait_p95_ms"), &b);
        buf_printf(&b, ", to the first token ");
        report_ms(report_get(s, "ttft_p95_ms"), &b);
    }
    buf_printf(out, "%-18s%.*s\n", head, STR_ARG(buf_str(&b)));
    buf_free(&b);
}

static void put_suite(yyjson_val *root, struct buf *out)
{
    yyjson_val *s = yyjson_obj_get(root, "suite");
    if (!yyjson_is_obj(s)) {
        show_fact(out, "suite", "none that both have taken");
        return;
    }
    struct str name = json_str(yyjson_obj_get(s, "suite")), local = json_str(yyjson_obj_get(s, "local")), cloud = json_str(yyjson_obj_get(s, "cloud")),
        verdict = json_str(yyjson_obj_get(s, "verdict"));
    show_fact(out, "suite", "%.*s (run %lld, %lld cases): %.*s %.1f %%, %.*s %.1f %%: the local one is %s%.*s", STR_ARG(name), (long long)report_count(s, "run"),
        (long long)report_count(s, "cases"), STR_ARG(local), 100 * report_get(s, "local_rate"), STR_ARG(cloud), 100 * report_get(s, "cloud_rate"),
        str_eq(verdict, STR("cannot tell")) ? "… " : "", STR_ARG(verdict));
}

static void put_price(yyjson_val *root, struct buf *out)
{
    yyjson_val *p = yyjson_obj_get(root, "price");
    double month = report_get(p, "month"), input = report_get(p, "input"), output = report_get(p, "output"), reference = report_get(p, "reference_month"), paid = report_get(p, "paid");
    char text[32];
    if (isnan(input) || isnan(output))
        show_fact(out, "price", "unknown: no place elsewhere in its chain has a `price:`");
    else if (isnan(month))
        show_fact(out, "price", "%g for a million tokens in, %g out; of how many a month nobody knows yet", input, output);
    else
        show_fact(out, "price", "%s a month, were all of it answered elsewhere", show_money(month, text).p);
    if (!isnan(reference))
        show_fact(out, "", "%s a month at the reference price", show_money(reference, text).p);
    if (!isnan(paid) && paid > 0)
        show_fact(out, "", "%s were paid in that time", show_money(paid, text).p);
    show_fact(out, "electricity", "unknown");
}

static void put(yyjson_val *root, struct buf *out)
{
    yyjson_val *a = yyjson_obj_get(root, "advice"), *missing = yyjson_obj_get(root, "missing"), *m;
    struct str place = json_str(yyjson_obj_get(a, "place"));
    size_t i, max;
    buf_printf(out, "%.*s: %.*s\n", STR_ARG(json_str(yyjson_obj_get(root, "role"))), STR_ARG(place.n ? place : STR("cannot tell")));
    show_fact(out, "why", "%.*s", STR_ARG(json_str(yyjson_obj_get(a, "why"))));
    show_fact(out, "would change it", "%.*s", STR_ARG(json_str(yyjson_obj_get(a, "would_change"))));
    buf_printf(out, "\n%-18s", "on record");
    report_window(yyjson_obj_get(root, "observed"), out);
    buf_printf(out, "\n");
    put_volume(root, out);
    put_side(root, "local", "local", out);
    put_side(root, "cloud", "cloud", out);
    put_suite(root, out);
    put_price(root, out);
    if (yyjson_arr_size(missing))
        buf_printf(out, "\nnot known:\n");
    yyjson_arr_foreach(missing, i, max, m)
        buf_printf(out, "  - %.*s: %.*s\n", STR_ARG(json_str(yyjson_obj_get(m, "what"))), STR_ARG(json_str(yyjson_obj_get(m, "how"))));
}

static int run(const struct cli_args *a)
{
    if (a->nwords != 1) {
        fprintf(stderr, "hob: which role? `hob advise ROLE`\n");
        return EXIT_USAGE;
    }
    const struct report_ask asks[] = { { "role", a->words[0] }, { "window", cli_option_value(a, "--window") } };
    return report_run(a, &reports[REPORT_ADVISE], asks, COUNTOF(asks), put);
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--window", "-w", "RANGE", "out of which rows: 30d, or from one time to another (default: 30d)" },
    { "--json", NULL, NULL, "one JSON object" },
    CLI_END,
};
const struct command cli_advise = { .name = "advise", .usage = "ROLE [--window RANGE] [--json]", .what = "say whether a role is better answered here, elsewhere or both",
    .example = "hob advise chat", .run = run, .options = options, .max_words = 1, .words = CLI_WORDS_NAMES };
