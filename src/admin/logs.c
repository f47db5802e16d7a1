/* GET /hob/v1/logs, /hob/v1/gain and /hob/v1/callers: read on the pool, through a connection of its own, so that neither the loop nor the rows' writer waits for it.
 *
 *   logs?n=100|all&since=2h&until=…&faults=1&caller=C&model=M&id=ID     {"schema":1,"rows":[…]}, oldest first
 *   gain?since=7d                                                      see doc/guide/logs.md
 *   callers?since=30d                                                  who asks by which name (admin/callers.h) */
#include "admin/admin_int.h"
#include "admin/callers.h"
#include "admin/requests.h"

#include "api/reply.h"
#include "base/arena.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "json/json.h"

#include <stdlib.h>

enum { ROWS_DEFAULT = 100, ROWS_MAX = 10000, GAIN_DAYS = 7, CALLERS_DAYS = 30, HOUR_MS = 3600 * 1000 };

enum look { LOOK_ROWS, LOOK_GAIN, LOOK_CALLERS };

struct looking {
    struct http_req *r;             /* NULL: the caller has gone */
    struct work work;
    struct arena arena;
    struct str state;
    enum look what;
    const struct config *config;    /* held */
    struct requests_wish wish;
    struct conf_price reference;
    struct json_out out;
    struct buf body;
    enum err_code rc;
    struct err e;
};

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

static enum err_code take(struct looking *l, struct str key, struct str value, struct err *e)
{
    struct requests_wish *w = &l->wish;
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

static enum err_code read_query(struct looking *l, struct str query, struct err *e)
{
    enum err_code rc = ERR_OK;
    l->wish.last = ROWS_DEFAULT;
    if (l->what != LOOK_ROWS)
        l->wish.since_ms = clock_wall_ms() - (int64_t)(l->what == LOOK_GAIN ? GAIN_DAYS : CALLERS_DAYS) * 24 * HOUR_MS;
    while (query.n && !rc) {
        struct str value, rest;
        struct str key = str_cut(str_cut(query, '&', &rest), '=', &value);
        if (key.n)
            rc = take(l, decoded(&l->arena, key), decoded(&l->arena, value), e);
        query = rest;
    }
    return rc;
}

/* ---- on the pool ---- */

static void put_row(void *ctx, const struct request_row *r)
{
    struct looking *l = ctx;
    struct buf row = { 0 };
    view_request(r, &row);
    json_raw(&l->out, buf_str(&row));
    buf_free(&row);
}

static enum err_code look_at_rows(struct looking *l, struct store *s)
{
    l->out = json_out(&l->body);
    json_begin_object(&l->out);
    json_key(&l->out, STR("schema"));
    json_int(&l->out, 1);
    json_key(&l->out, STR("rows"));
    json_begin_array(&l->out);
    enum err_code rc = s ? requests_read(s, &l->wish, put_row, l, &l->e) : ERR_OK;
    json_end_array(&l->out);
    json_end_object(&l->out);
    return rc;
}

static enum err_code look_at_gain(struct looking *l, struct store *s)
{
    struct gain g = { .cost = 0 };
    int64_t since_ms = l->wish.since_ms - l->wish.since_ms % HOUR_MS; /* sums are of hours */
    enum err_code rc = s ? requests_sums(s, since_ms / 1000, gain_add, &g, &l->e) : ERR_OK;
    view_gain(&g, &l->reference, since_ms, clock_wall_ms(), &l->body);
    return rc;
}

static enum err_code look_at_callers(struct looking *l, struct store *s)
{
    struct uses u = { .n = 0 };
    int64_t since_ms = l->wish.since_ms - l->wish.since_ms % HOUR_MS;
    arena_init(&u.arena);
    enum err_code rc = s ? requests_sums(s, since_ms / 1000, uses_add, &u, &l->e) : ERR_OK;
    view_uses(&u, l->config, since_ms, clock_wall_ms(), &l->body);
    uses_free(&u);
    return rc;
}

static void look(void *ctx)
{
    static enum err_code (*const looks[])(struct looking *l, struct store *s) = { look_at_rows, look_at_gain, look_at_callers };
    struct looking *l = ctx;
    struct store *s = NULL;
    l->rc = store_open_to_read(l->state, &s, &l->e);
    if (!l->rc)
        l->rc = looks[l->what](l, s);
    store_close(s);
}

/* ---- on the loop ---- */

static void looked(void *ctx)
{
    struct looking *l = ctx;
    if (l->r && l->rc)
        admin_refuse(l->r, &l->e);
    else if (l->r)
        reply_json(l->r, 200, STR(""), buf_str(&l->body));
    conf_free(l->config);
    arena_fini(&l->arena);
    buf_free(&l->body);
    free(l);
}

static void gone(void *ctx)
{
    struct looking *l = ctx;
    l->r = NULL; /* the pool still has it */
}

static const struct http_req_ops ops = { .on_gone = gone };

static void look_for(struct admin *a, struct http_req *r, enum look what)
{
    const struct config *c = world_config(fleet_world(a->fleet));
    struct looking *l = calloc(1, sizeof *l);
    struct err e;
    if (!l)
        die("out of memory for rows");
    arena_init(&l->arena);
    l->what = what;
    if (read_query(l, http_req_query(r), &e)) {
        admin_refuse(r, &e);
        arena_fini(&l->arena);
        free(l);
        return;
    }
    l->r = r;
    l->state = arena_copy(&l->arena, c->state);
    l->reference = c->reference;
    l->config = conf_hold(c);
    http_req_watch(r, &ops, l);
    work_init(&l->work, look, looked, l);
    loop_work(a->loop, &l->work);
}

void admin_logs(struct admin *a, struct http_req *r)
{
    look_for(a, r, LOOK_ROWS);
}

void admin_gain(struct admin *a, struct http_req *r)
{
    look_for(a, r, LOOK_GAIN);
}

void admin_callers(struct admin *a, struct http_req *r)
{
    look_for(a, r, LOOK_CALLERS);
}
