/* hob swap status [ID]: what is swapped, how it goes, and what is next; of one swap with how its roles were served of late, hour by hour. */
#include "cli/swap.h"

#include "base/clock.h"
#include "cli/ask.h"
#include "cli/spark.h"
#include "cli/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST_HOURS = 64, DAY_S = 86400 };

/* ---- the trial's days ---- */

static bool wall_of(struct str time, int64_t *s)
{
    struct tm tm = { 0 };
    char text[32];
    snprintf(text, sizeof text, "%.*s", STR_ARG(time));
    if (sscanf(text, "%d-%d-%dT%d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    *s = (int64_t)timegm(&tm);
    return true;
}

static void write_days(yyjson_val *swap, struct buf *out)
{
    yyjson_val *window = yyjson_obj_get(swap, "window");
    int64_t from, until, now = clock_wall_ms() / 1000;
    char left[32];
    if (!str_eq(json_str(yyjson_obj_get(swap, "state")), STR("trial")) || !wall_of(json_str(yyjson_obj_get(window, "from")), &from) ||
        !wall_of(json_str(yyjson_obj_get(window, "until")), &until))
        return;
    double days = (double)(until - from) / DAY_S;
    if (now >= until)
        buf_printf(out, "  the trial's window of %.3g days is over\n", days);
    else
        buf_printf(out, "  day %lld of %.3g; %.*s left\n", (long long)((now - from) / DAY_S + 1), days, STR_ARG(show_ms((until - now) * 1000, left)));
}

/* ---- hour by hour ---- */

static size_t numbers_of(yyjson_val *list, double out[MOST_HOURS])
{
    size_t i, max, n = 0;
    yyjson_val *v;
    yyjson_arr_foreach(list, i, max, v)
        if (n < MOST_HOURS)
            out[n++] = yyjson_is_num(v) ? yyjson_get_num(v) : NAN;
    return n;
}

static void write_line(yyjson_val *series, const char *key, const char *name, bool sum, bool plain, struct buf *out)
{
    double v[MOST_HOURS], total = 0, last = NAN;
    size_t n = numbers_of(yyjson_obj_get(series, key), v);
    for (size_t i = 0; i < n; i++) {
        total += isnan(v[i]) ? 0 : v[i];
        last = isnan(v[i]) ? last : v[i];
    }
    buf_printf(out, "    %-11s ", name);
    spark_write(out, v, n, plain);
    if (sum)
        buf_printf(out, "  %.0f\n", total);
    else if (isnan(last))
        buf_lit(out, "  -\n");
    else
        buf_printf(out, "  %.0f ms of late\n", last);
}

static double requests_of(yyjson_val *series)
{
    double v[MOST_HOURS], total = 0;
    size_t n = numbers_of(yyjson_obj_get(series, "requests"), v);
    for (size_t i = 0; i < n; i++)
        total += v[i];
    return total;
}

static void write_series(yyjson_val *all, bool plain, struct buf *out)
{
    size_t i, n;
    yyjson_val *s;
    yyjson_arr_foreach(all, i, n, s) {
        struct str role = json_str(yyjson_obj_get(s, "role")), model = json_str(yyjson_obj_get(s, "model"));
        long long hours = (long long)yyjson_get_sint(yyjson_obj_get(s, "hours"));
        if (requests_of(s) <= 0)
            continue;
        buf_printf(out, "  %.*s%s%.*s, the last %lld hour%s\n", STR_ARG(role), role.n ? " by " : "", STR_ARG(model), hours, hours == 1 ? "" : "s");
        write_line(s, "requests", "requests", true, plain, out);
        write_line(s, "faults", "faults", true, plain, out);
        write_line(s, "ttft_ms", "first token", false, plain, out);
    }
}

int swap_series(const struct cli_args *a, int64_t id, struct buf *body, struct json_doc *d)
{
    char path[80];
    snprintf(path, sizeof path, "/hob/v1/swaps/series?id=%lld", (long long)id);
    return swap_ask(a, "GET", path, STR(""), body, d);
}

/* ---- one ---- */

/* The object, with the series in it. */
static int print_json(struct str swap, yyjson_val *series)
{
    struct buf out = { 0 };
    struct json_out o = json_out(&out);
    buf_add(&out, str_make(swap.p, swap.n - 1));
    o.comma = true;
    json_key(&o, STR("series"));
    json_value(&o, yyjson_obj_get(series, "series"));
    json_end_object(&o);
    int code = print_answer(buf_str(&out));
    buf_free(&out);
    return code;
}

static int print_page(const struct cli_args *a, struct str swap, yyjson_val *series)
{
    struct json_doc d = { 0 };
    struct err e;
    struct buf out = { 0 };
    int code = swap_print(a, swap);
    if (!code && !json_parse(&d, swap, &e)) {
        write_days(d.root, &out);
        write_series(yyjson_obj_get(series, "series"), cli_flag(a, "--plain") || spark_must_be_plain(), &out);
        if (out.n)
            fwrite(out.p, 1, out.n, stdout);
    }
    json_free(&d);
    buf_free(&out);
    return code ? code : fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

static int print_one(const struct cli_args *a, struct str word)
{
    struct buf body = { 0 }, series = { 0 };
    struct json_doc d = { 0 };
    char path[64];
    int64_t id;
    int code = swap_number(word, &id);
    if (code)
        return code;
    snprintf(path, sizeof path, "/hob/v1/swaps?id=%lld", (long long)id);
    code = swap_ask(a, "GET", path, STR(""), &body, NULL);
    if (!code)
        code = swap_series(a, id, &series, &d);
    if (!code)
        code = cli_flag(a, "--json") ? print_json(str_trim(buf_str(&body)), d.root) : print_page(a, buf_str(&body), d.root);
    json_free(&d);
    buf_free(&series);
    buf_free(&body);
    return code;
}

/* ---- all ---- */

static int print_all(const struct cli_args *a)
{
    struct buf body = { 0 };
    struct json_doc d = { 0 };
    size_t i, n;
    yyjson_val *s;
    int code = swap_ask(a, "GET", "/hob/v1/swaps", STR(""), &body, &d);
    if (!code && cli_flag(a, "--json"))
        code = print_answer(buf_str(&body));
    else if (!code && !yyjson_arr_size(yyjson_obj_get(d.root, "swaps")))
        fprintf(stderr, "hob: nothing is swapped: `hob swap plan --role ROLE=MODEL` begins with it\n");
    else if (!code)
        yyjson_arr_foreach(yyjson_obj_get(d.root, "swaps"), i, n, s)
            swap_print_object(s);
    json_free(&d);
    buf_free(&body);
    return code;
}

int swap_status(const struct cli_args *a, const struct str *words, size_t n)
{
    return n ? print_one(a, words[0]) : print_all(a);
}
