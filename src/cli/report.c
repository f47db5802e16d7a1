#include "cli/report.h"

#include "base/clock.h"
#include "cli/ask.h"

#include <math.h>
#include <stdio.h>

enum { ANSWER_MS = 120 * 1000 };

static void put_encoded(struct buf *out, struct str value)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~:";
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] && strchr(plain, value.p[i]))
            buf_add(out, str_make(value.p + i, 1));
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)value.p[i]);
}

static void put_query(const struct report_ask *asks, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (!asks[i].value.n)
            continue;
        buf_printf(out, "%s%s=", out->n ? "&" : "", asks[i].key);
        put_encoded(out, asks[i].value);
    }
}

static int from_daemon(const struct cli_args *a, const struct report *r, struct str query, struct buf *body)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s?%.*s", r->path, STR_ARG(query));
    buf_add(&path, str_make("", 1));
    struct question q = { .method = "GET", .path = path.p, .answer_ms = ANSWER_MS };
    int rc = ask_daemon(a, &q, body);
    buf_free(&path);
    return rc;
}

static int from_store(const struct config *c, const struct report *r, struct str query, struct buf *body)
{
    struct err e;
    if (!report_make(r, c, query, clock_wall_ms(), body, &e))
        return EXIT_OK;
    cli_error(&e);
    return e.code == ERR_INVALID_REQUEST ? EXIT_USAGE : EXIT_FAILED;
}

static int print_words(struct str json, void (*put)(yyjson_val *root, struct buf *out))
{
    struct json_doc d = { 0 };
    struct buf out = { 0 };
    struct err e;
    if (json_parse(&d, json, &e)) {
        fprintf(stderr, "hob: the answer is no JSON: %s\n", e.text);
        return EXIT_FAILED;
    }
    put(d.root, &out);
    bool whole = fwrite(out.p, 1, out.n, stdout) == out.n && !fflush(stdout);
    buf_free(&out);
    json_free(&d);
    return whole ? EXIT_OK : EXIT_FAILED;
}

int report_run(const struct cli_args *a, const struct report *r, const struct report_ask *asks, size_t n, void (*put)(yyjson_val *root, struct buf *out))
{
    struct config *c = NULL;
    struct buf body = { 0 }, query = { 0 };
    struct door door;
    struct err e;
    int rc = cli_load_config(a, &c);
    if (rc)
        return rc;
    put_query(asks, n, &query);
    if (!door_find(a, c, &door, &e) && door.remote)
        rc = from_daemon(a, r, buf_str(&query), &body);
    else
        rc = from_store(c, r, buf_str(&query), &body);
    if (!rc)
        rc = cli_flag(a, "--json") ? print_answer(buf_str(&body)) : print_words(buf_str(&body), put);
    buf_free(&query);
    buf_free(&body);
    conf_free(c);
    return rc;
}

/* ---- words ---- */

double report_get(yyjson_val *o, const char *key)
{
    yyjson_val *v = yyjson_obj_get(o, key);
    return yyjson_is_num(v) ? yyjson_get_num(v) : NAN;
}

int64_t report_count(yyjson_val *o, const char *key)
{
    yyjson_val *v = yyjson_obj_get(o, key);
    return yyjson_is_num(v) ? (int64_t)yyjson_get_num(v) : 0;
}

void report_ms(double ms, struct buf *out)
{
    if (isnan(ms))
        buf_printf(out, "unknown");
    else if (ms < 1000)
        buf_printf(out, "%.0f ms", ms);
    else if (ms < 120e3)
        buf_printf(out, "%.*f s", ms < 10e3 ? 2 : 1, ms / 1000);
    else
        buf_printf(out, "%.0f min", ms / 60e3);
}

void report_hours(double hours, struct buf *out)
{
    if (hours < 2)
        buf_printf(out, "%.0f min", hours * 60);
    else if (hours < 72)
        buf_printf(out, "%.4g h", hours);
    else
        buf_printf(out, "%.4g d", hours / 24);
}

static void put_minute(yyjson_val *window, const char *key, struct buf *out)
{
    struct str t = json_str(yyjson_obj_get(window, key));
    if (t.n >= 16)
        buf_printf(out, "%.10s %.5s", t.p, t.p + 11);
}

void report_window(yyjson_val *window, struct buf *out)
{
    report_hours(report_get(window, "hours"), out);
    buf_printf(out, ", ");
    put_minute(window, "since", out);
    buf_printf(out, " to ");
    put_minute(window, "until", out);
    buf_printf(out, " UTC");
}
