/* GET /hob/v1/logs, /hob/v1/gain and /hob/v1/callers: read on the pool, through a connection of its own, so that neither the loop nor the rows' writer waits for it.
 *
 *   logs?n=100|all&since=2h&until=…&faults=1&caller=C&model=M&id=ID     {"schema":1,"rows":[…]}, oldest first
 *   gain?since=7d                                                      see doc/guide/logs.md
 *   callers?since=30d                                                  who asks by which name (admin/callers.h) */
#include "admin/admin_int.h"
#include "admin/callers.h"
#include "admin/requests.h"

#include "base/arena.h"
#include "base/clock.h"
#include "json/json.h"

enum { ROWS_DEFAULT = 100, ROWS_MAX = 10000, GAIN_DAYS = 7, CALLERS_DAYS = 30, HOUR_MS = 3600 * 1000 };

/* ---- what is wished for ---- */

static enum err_code wrong(struct err *e, const char *what, struct str value, const char *want)
{
    err_set(e, ERR_INVALID_REQUEST, "`%s` must be %s, not '%.*s'.", what, want, value.n < 60 ? (int)value.n : 60, value.n ? value.p : "");
    return err_param(e, "%s", what);
}

static enum err_code take_when(struct str value, const char *what, int64_t *out_ms, struct err *e)
{
    return when_parse(value, clock_wall_ms(), out_ms) ? ERR_OK : wrong(e, what, value, "a time, like 2h or 2026-11-21");
}

static enum err_code take_count(struct str value, struct requests_wish *w, struct err *e)
{
    int64_t n = ROWS_MAX;
    if (!str_eq(value, STR("all")) && !str_to_int(value, 1, ROWS_MAX, &n))
        return wrong(e, "n", value, "a number from 1 to 10000, or all");
    w->last = (size_t)n;
    return ERR_OK;
}

static enum err_code take(struct requests_wish *w, struct str key, struct str value, struct err *e)
{
    const struct {
        struct str key;
        struct str *text;
    } texts[] = { { STR("caller"), &w->caller }, { STR("model"), &w->model }, { STR("id"), &w->id } };
    if (str_eq(key, STR("since")))
        return take_when(value, "since", &w->since_ms, e);
    if (str_eq(key, STR("until")))
        return take_when(value, "until", &w->until_ms, e);
    if (str_eq(key, STR("n")))
        return take_count(value, w, e);
    if (str_eq(key, STR("faults"))) {
        w->faults = !str_eq(value, STR("0"));
        return ERR_OK;
    }
    for (size_t i = 0; i < COUNTOF(texts); i++)
        if (str_eq(key, texts[i].key)) {
            *texts[i].text = value;
            return ERR_OK;
        }
    err_set(e, ERR_INVALID_REQUEST, "There is no such wish here: '%.*s'.", key.n < 60 ? (int)key.n : 60, key.n ? key.p : "");
    return err_hint(e, "It knows n, since, until, faults, caller, model and id.");
}

static struct str decoded(struct arena *a, struct str text)
{
    struct buf b = { 0 };
    http_percent_decode(&b, text);
    struct str s = arena_copy(a, buf_str(&b));
    buf_free(&b);
    return s;
}

static enum err_code read_query(struct admin_look *l, struct requests_wish *w, struct str query, struct err *e)
{
    enum err_code rc = ERR_OK;
    while (query.n && !rc) {
        struct str value, rest;
        struct str key = str_cut(str_cut(query, '&', &rest), '=', &value);
        if (key.n)
            rc = take(w, decoded(&l->arena, key), decoded(&l->arena, value), e);
        query = rest;
    }
    return rc;
}

/* ---- on the pool ---- */

static void put_row(void *ctx, const struct request_row *r)
{
    struct json_out *o = ctx;
    struct buf row = { 0 };
    view_request(r, &row);
    json_raw(o, buf_str(&row));
    buf_free(&row);
}

static enum err_code look_at_rows(struct admin_look *l, struct store *s)
{
    json_key(&l->out, STR("rows"));
    json_begin_array(&l->out);
    enum err_code rc = s ? requests_read(s, l->ctx, put_row, &l->out, &l->e) : ERR_OK;
    json_end_array(&l->out);
    return rc;
}

/* Sums are of hours. */
static int64_t since_hour(const struct requests_wish *w)
{
    return w->since_ms - w->since_ms % HOUR_MS;
}

static enum err_code look_at_gain(struct admin_look *l, struct store *s)
{
    struct gain g = { .cost = 0 };
    int64_t since_ms = since_hour(l->ctx);
    enum err_code rc = s ? requests_sums(s, since_ms / 1000, gain_add, &g, &l->e) : ERR_OK;
    view_gain(&g, &l->config->reference, since_ms, clock_wall_ms(), &l->body);
    return rc;
}

static enum err_code look_at_callers(struct admin_look *l, struct store *s)
{
    struct uses u = { .n = 0 };
    int64_t since_ms = since_hour(l->ctx);
    arena_init(&u.arena);
    enum err_code rc = s ? requests_sums(s, since_ms / 1000, uses_add, &u, &l->e) : ERR_OK;
    view_uses(&u, l->config, since_ms, clock_wall_ms(), &l->body);
    uses_free(&u);
    return rc;
}

/* ---- on the loop ---- */

/* days: that are looked at when no time is named; 0: all. */
static void look_for(struct admin *a, struct http_req *r, admin_look_fn *fn, int days)
{
    struct admin_look *l = admin_look_new(a, r, fn);
    struct requests_wish *w = l->ctx = arena_new(&l->arena, struct requests_wish);
    struct err e;
    l->bare = fn != look_at_rows;
    w->last = ROWS_DEFAULT;
    w->since_ms = days ? clock_wall_ms() - (int64_t)days * 24 * HOUR_MS : 0;
    if (read_query(l, w, http_req_query(r), &e))
        admin_look_refuse(l, &e);
    else
        admin_look_go(a, l);
}

void admin_logs(struct admin *a, struct http_req *r)
{
    look_for(a, r, look_at_rows, 0);
}

void admin_gain(struct admin *a, struct http_req *r)
{
    look_for(a, r, look_at_gain, GAIN_DAYS);
}

void admin_callers(struct admin *a, struct http_req *r)
{
    look_for(a, r, look_at_callers, CALLERS_DAYS);
}
