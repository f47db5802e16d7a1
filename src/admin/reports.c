/* What a query wishes for, the store opened, and the door: read on the pool, through a connection of its own, so that neither the loop nor the rows' writer waits.
 *
 *   stats/residency?window=7d&role=&model=
 *   advise?role=ROLE&window=30d
 *   stats?window=24h|FROM..UNTIL&against=…|before=1&by=model|role|caller|host&role=&model=      doc/guide/stats.md has the answers */
#include "admin/reports.h"

#include "admin/admin_int.h"
#include "admin/requests.h"
#include "api/reply.h"
#include "base/clock.h"
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>

const struct report reports[REPORT_COUNT] = {
    [REPORT_STATS] = { "stats", "/hob/v1/stats", "24h", " window against before by role model ", report_stats },
    [REPORT_RESIDENCY] = { "stats", "/hob/v1/stats/residency", "7d", " window role model ", report_residency },
    [REPORT_ADVISE] = { "advise", "/hob/v1/advise", "30d", " window role ", report_advise },
};

/* ---- what is wished for ---- */

static enum err_code wrong(struct err *e, struct str what, struct str value, const char *want)
{
    err_set(e, ERR_INVALID_REQUEST, "`%.*s` must be %s, not '%.*s'.", STR_ARG(what), want, value.n < 60 ? (int)value.n : 60, value.n ? value.p : "");
    return err_param(e, "%.*s", STR_ARG(what));
}

static bool read_end(struct str text, int64_t now_ms, int64_t *out_ms)
{
    if (str_eq(text, STR("now"))) {
        *out_ms = now_ms;
        return true;
    }
    return when_parse(text, now_ms, out_ms);
}

/* "24h": from then on. "48h..24h", "2026-11-20..2026-11-21": from one to the other, whichever way round. */
static bool read_range(struct str text, int64_t now_ms, int64_t *since_ms, int64_t *until_ms)
{
    ptrdiff_t dots = str_find(text, STR(".."));
    struct str from = dots < 0 ? text : str_make(text.p, (size_t)dots), until = dots < 0 ? STR("now") : str_from(text, (size_t)dots + 2);
    int64_t a, b;
    if (!read_end(from, now_ms, &a) || !read_end(until, now_ms, &b) || a == b)
        return false;
    *since_ms = a < b ? a : b;
    *until_ms = a < b ? b : a;
    return true;
}

struct wishing {
    struct report_wish *w;
    struct arena *a;
    bool before;
};

static enum err_code take(struct wishing *k, struct str key, struct str value, struct err *e)
{
    static const char *const range = "a time like 24h or 2026-11-21, or two with `..` between";
    struct report_wish *w = k->w;
    if (str_eq(key, STR("window")))
        return read_range(value, w->now_ms, &w->since_ms, &w->until_ms) ? ERR_OK : wrong(e, key, value, range);
    if (str_eq(key, STR("against"))) {
        w->against = true;
        return read_range(value, w->now_ms, &w->against_since_ms, &w->against_until_ms) ? ERR_OK : wrong(e, key, value, range);
    }
    if (str_eq(key, STR("before"))) {
        k->before = !str_eq(value, STR("0"));
        return ERR_OK;
    }
    if (str_eq(key, STR("role")) || str_eq(key, STR("model"))) {
        *(str_eq(key, STR("role")) ? &w->role : &w->model) = value;
        return ERR_OK;
    }
    for (int i = 0; i < BY_COUNT; i++)
        if (str_eq(value, str_of(averages_by_names[i]))) {
            w->by = (enum averages_by)i;
            return ERR_OK;
        }
    return wrong(e, key, value, "model, role, caller or host");
}

static bool knows(const struct report *r, struct str key)
{
    char padded[40];
    snprintf(padded, sizeof padded, " %.*s ", key.n < 32 ? (int)key.n : 32, key.n ? key.p : "");
    return key.n && key.n < 32 && strstr(r->keys, padded);
}

static struct str decoded(struct arena *a, struct str text)
{
    struct buf b = { 0 };
    http_percent_decode(&b, text);
    struct str s = arena_copy(a, buf_str(&b));
    buf_free(&b);
    return s;
}

static enum err_code read_query(const struct report *r, struct str query, struct wishing *k, struct err *e)
{
    enum err_code rc = ERR_OK;
    while (query.n && !rc) {
        struct str value, rest;
        struct str key = decoded(k->a, str_cut(str_cut(query, '&', &rest), '=', &value));
        if (key.n && !knows(r, key)) {
            err_set(e, ERR_INVALID_REQUEST, "There is no such wish here: '%.*s'.", key.n < 60 ? (int)key.n : 60, key.p);
            return err_hint(e, "It knows%sno more.", r->keys);
        }
        if (key.n)
            rc = take(k, key, decoded(k->a, value), e);
        query = rest;
    }
    return rc;
}

static enum err_code read_wish(const struct report *r, const struct config *c, struct str query, int64_t now_ms, struct arena *a, struct report_wish *w, struct err *e)
{
    struct wishing k = { .w = w, .a = a };
    *w = (struct report_wish){ .now_ms = now_ms };
    if (!read_range(str_of(r->window), now_ms, &w->since_ms, &w->until_ms))
        die("a report has no window");
    enum err_code rc = read_query(r, query, &k, e);
    if (rc)
        return rc;
    if (k.before && w->against)
        return err_set(e, ERR_INVALID_REQUEST, "`against` and `before` both name the other window: one of them is enough.");
    if (k.before) {
        w->against = true;
        w->against_since_ms = w->since_ms - (w->until_ms - w->since_ms);
        w->against_until_ms = w->since_ms;
    }
    const struct conf_model *m = w->model.n ? conf_model(c, w->model) : NULL;
    if (m)
        w->model = m->name; /* an alias, perhaps */
    return ERR_OK;
}

enum err_code report_make(const struct report *r, const struct config *c, struct str query, int64_t now_ms, struct buf *out, struct err *e)
{
    struct store *st = NULL;
    struct report_wish w;
    struct arena a;
    arena_init(&a);
    enum err_code rc = read_wish(r, c, query, now_ms, &a, &w, e);
    if (!rc)
        rc = store_open_to_read(c->state, &st, e);
    if (!rc)
        rc = r->make(st, c, &w, out, e);
    store_close(st);
    arena_fini(&a);
    return rc;
}

/* ---- for those who make one ---- */

bool report_wants(const struct report_wish *w, struct str role, struct str model)
{
    return (!w->role.n || str_eq(w->role, role)) && (!w->model.n || str_eq(w->model, model));
}

struct folding {
    const struct report_wish *w;
    struct stretch *into;
};

static void fold(void *ctx, const struct request_row *r)
{
    struct folding *f = ctx;
    if (report_wants(f->w, r->role, r->model))
        stretch_add(f->into, r);
}

enum err_code report_read(struct store *st, const struct report_wish *w, struct stretch *into, struct err *e)
{
    const struct requests_wish rows = { .since_ms = into->since_ms, .until_ms = into->until_ms };
    struct folding f = { .w = w, .into = into };
    enum err_code rc = st ? requests_read(st, &rows, fold, &f, e) : ERR_OK;
    stretch_sort(into);
    return rc;
}

void report_key(struct json_out *o, const char *key)
{
    json_key(o, str_of(key));
}

void report_number(struct json_out *o, const char *key, double v, int decimals)
{
    report_key(o, key);
    if (v < 0)
        json_null(o);
    else
        json_double(o, v, decimals);
}

void report_int(struct json_out *o, const char *key, int64_t v)
{
    report_key(o, key);
    json_int(o, v);
}

void report_text(struct json_out *o, const char *key, struct str v)
{
    report_key(o, key);
    json_string_or_null(o, v);
}

void report_put_window(struct json_out *o, const char *key, int64_t since_ms, int64_t until_ms, const struct requests_reach *reach)
{
    report_key(o, key);
    json_begin_object(o);
    view_time(o, "since", since_ms);
    view_time(o, "until", until_ms);
    report_number(o, "hours", (double)(until_ms - since_ms) / 3600e3, 4);
    if (reach->forgotten && reach->row_ms > since_ms) {
        view_time(o, "rows_since", reach->row_ms);
    } else {
        report_key(o, "rows_since");
        json_null(o);
    }
    json_end_object(o);
}

/* ---- the door ---- */

struct reporting {
    struct http_req *r;             /* NULL: the caller has gone */
    struct work work;
    struct arena arena;
    const struct report *report;
    const struct config *config;    /* held */
    struct str query;
    struct buf body;
    enum err_code rc;
    struct err e;
};

static void report(void *ctx) /* on the pool */
{
    struct reporting *p = ctx;
    p->rc = report_make(p->report, p->config, p->query, clock_wall_ms(), &p->body, &p->e);
}

static void reported(void *ctx)
{
    struct reporting *p = ctx;
    if (p->r && p->rc)
        admin_refuse(p->r, &p->e);
    else if (p->r)
        reply_json(p->r, 200, STR(""), buf_str(&p->body));
    conf_free(p->config);
    arena_fini(&p->arena);
    buf_free(&p->body);
    free(p);
}

static void gone(void *ctx)
{
    struct reporting *p = ctx;
    p->r = NULL; /* the pool still has it */
}

static const struct http_req_ops ops = { .on_gone = gone };

static void answer(struct admin *a, struct http_req *r, const struct report *what)
{
    struct reporting *p = calloc(1, sizeof *p);
    if (!p)
        die("out of memory for a report");
    arena_init(&p->arena);
    p->r = r;
    p->report = what;
    p->config = conf_hold(world_config(fleet_world(a->fleet)));
    p->query = arena_copy(&p->arena, http_req_query(r));
    http_req_watch(r, &ops, p);
    work_init(&p->work, report, reported, p);
    loop_work(a->loop, &p->work);
}

void admin_stats(struct admin *a, struct http_req *r)
{
    answer(a, r, &reports[REPORT_STATS]);
}

void admin_stats_residency(struct admin *a, struct http_req *r)
{
    answer(a, r, &reports[REPORT_RESIDENCY]);
}

void admin_advise(struct admin *a, struct http_req *r)
{
    answer(a, r, &reports[REPORT_ADVISE]);
}
