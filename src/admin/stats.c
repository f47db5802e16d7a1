/* Long-run averages: of a window, by whom, and beside another window with what makes the two unlike. */
#include "admin/reports.h"

#include "conf/conf.h"
#include "store/model_hours.h"

#include <stdlib.h>

enum { HOUR_S = 3600 };

/* ---- figures ---- */

static void put_spread(struct json_out *o, const char *key, const struct spread *s, const char *other, double q, int decimals)
{
    report_key(o, key);
    json_begin_object(o);
    report_number(o, "p50", spread_at(s, 0.5), decimals);
    if (other)
        report_number(o, other, spread_at(s, q), decimals);
    report_int(o, "requests", s->n);
    json_end_object(o);
}

static void put_errors(struct json_out *o, const struct averages *a)
{
    int64_t all = averages_errors(a);
    report_key(o, "errors");
    json_begin_object(o);
    report_int(o, "all", all);
    report_number(o, "share", a->requests ? (double)all / (double)a->requests : -1, 4);
    for (int f = FAULT_CALLER; f <= FAULT_HARNESS; f++)
        report_int(o, fault_name((enum fault)f), a->faults[f]);
    json_end_object(o);
}

static void put_tokens(struct json_out *o, const struct averages *a)
{
    report_key(o, "tokens");
    json_begin_object(o);
    report_int(o, "input", a->input_tokens);
    report_int(o, "output", a->output_tokens);
    report_int(o, "reasoning", a->reasoning_tokens);
    report_int(o, "cached", a->cached_tokens);
    report_int(o, "requests", a->told);
    json_end_object(o);
}

static void put_averages(struct json_out *o, const struct averages *a, const struct stretch *s)
{
    double hours = stretch_hours(s);
    report_int(o, "requests", a->requests);
    report_number(o, "per_hour", hours > 0 ? (double)a->requests / hours : -1, 3);
    report_number(o, "at_once", hours > 0 ? a->total_ms / (hours * 3600e3) : -1, 4);
    report_int(o, "streams", a->streams);
    report_int(o, "private", a->private_);
    put_errors(o, a);
    report_int(o, "status_429", a->busy);
    put_spread(o, "ttft_ms", &a->ttft, "p95", 0.95, 1);
    put_spread(o, "total_ms", &a->total, "p95", 0.95, 1);
    put_spread(o, "queue_ms", &a->queue, "p95", 0.95, 1);
    put_tokens(o, a);
    put_spread(o, "prompt_tokens", &a->prompt, NULL, 0, 0);
    put_spread(o, "answer_tokens", &a->answer, NULL, 0, 0);
    put_spread(o, "generation_tps", &a->rate, "p5", 0.05, 2);
    report_key(o, "loads");
    json_begin_object(o);
    report_int(o, "waited", a->waited_for_load);
    report_number(o, "waited_ms", a->load_ms, 1);
    json_end_object(o);
    report_key(o, "fallbacks");
    json_begin_object(o);
    report_int(o, "requests", a->fell_back);
    report_number(o, "share", a->requests ? (double)a->fell_back / (double)a->requests : -1, 4);
    json_end_object(o);
}

/* ---- what outlives the rows ---- */

struct older {
    const struct report_wish *wish;
    int64_t until_s, requests, faults, input, output, fell_back, since_s;
};

static void add_sum(void *ctx, const struct request_sum *r)
{
    struct older *k = ctx;
    if (r->hour_s >= k->until_s || !report_wants(k->wish, r->role, r->model))
        return;
    k->since_s = k->since_s ? k->since_s : r->hour_s;
    k->requests += r->requests;
    k->faults += r->faults;
    k->input += r->input_tokens;
    k->output += r->output_tokens;
    k->fell_back += r->fell_back;
}

/* Counts of the hours whose rows have gone. */
static enum err_code put_older(struct json_out *o, struct store *st, const struct report_wish *w, int64_t since_ms, int64_t until_ms, const struct requests_reach *reach,
    struct err *e)
{
    int64_t first_s = (since_ms / 1000 + HOUR_S - 1) / HOUR_S * HOUR_S, end_ms = reach->row_ms && reach->row_ms < until_ms ? reach->row_ms : until_ms;
    struct older k = { .wish = w, .until_s = end_ms / 1000 / HOUR_S * HOUR_S };
    bool gone = st && reach->forgotten && first_s < k.until_s && (!reach->row_ms || reach->row_ms > since_ms);
    enum err_code rc = gone ? requests_sums(st, first_s, add_sum, &k, e) : ERR_OK;
    report_key(o, "before_rows");
    if (rc || !gone) {
        json_null(o);
        return rc;
    }
    json_begin_object(o);
    report_number(o, "hours", (double)(k.until_s - first_s) / HOUR_S, 0);
    report_int(o, "requests", k.requests);
    report_int(o, "errors", k.faults);
    report_int(o, "input_tokens", k.input);
    report_int(o, "output_tokens", k.output);
    report_int(o, "fallbacks", k.fell_back);
    json_end_object(o);
    return ERR_OK;
}

struct loads {
    const struct report_wish *wish;
    int64_t n, ms;
};

static void add_loads(void *ctx, const struct model_hour *h)
{
    struct loads *l = ctx;
    if (l->wish->model.n && !str_eq(l->wish->model, h->model))
        return;
    l->n += h->loads;
    l->ms += h->load_ms;
}

/* Loads that were made, in hours that begin in the window; of a role alone nobody can say whose they were. */
static enum err_code put_loads(struct json_out *o, struct store *st, const struct report_wish *w, int64_t since_ms, int64_t until_ms, struct err *e)
{
    struct loads l = { .wish = w };
    int64_t first_s = since_ms / 1000 / HOUR_S * HOUR_S;
    enum err_code rc = st && !w->role.n ? model_hours_read(st, first_s, until_ms / 1000, add_loads, &l, e) : ERR_OK;
    report_key(o, "model_loads");
    if (rc || w->role.n) {
        json_null(o);
        return rc;
    }
    json_begin_object(o);
    report_int(o, "loads", l.n);
    report_int(o, "load_ms", l.ms);
    json_end_object(o);
    return ERR_OK;
}

/* ---- a window, and two ---- */

static enum err_code put_stretch(struct json_out *o, struct store *st, const struct report_wish *w, const struct stretch *s, const struct requests_reach *reach, struct err *e)
{
    report_put_window(o, "window", s->since_ms, s->until_ms, reach);
    report_key(o, "total");
    json_begin_object(o);
    put_averages(o, &s->all, s);
    json_end_object(o);
    report_key(o, "groups");
    json_begin_array(o);
    for (size_t i = 0; i < s->ngroups; i++) {
        json_begin_object(o);
        report_text(o, "name", s->groups[i].name);
        put_averages(o, &s->groups[i].a, s);
        json_end_object(o);
    }
    json_end_array(o);
    report_int(o, "left_out", s->left_out);
    enum err_code rc = put_loads(o, st, w, s->since_ms, s->until_ms, e);
    return rc ? rc : put_older(o, st, w, s->since_ms, s->until_ms, reach, e);
}

static void put_likeness(struct json_out *o, const struct stretch *a, const struct stretch *b)
{
    struct unlikeness u[UNLIKE_COUNT];
    bool alike = stretches_alike(a, b, u);
    report_key(o, "alike");
    json_bool(o, alike);
    report_key(o, "unlike");
    json_begin_array(o);
    for (int i = 0; i < UNLIKE_COUNT; i++) {
        if (!u[i].is)
            continue;
        json_begin_object(o);
        report_text(o, "what", str_of(u[i].what));
        report_number(o, "window", u[i].a, 4);
        report_number(o, "against", u[i].b, 4);
        report_text(o, "text", str_of(u[i].text));
        json_end_object(o);
    }
    json_end_array(o);
}

static enum err_code put_other(struct json_out *o, struct store *st, const struct report_wish *w, const struct stretch *one, const struct requests_reach *reach, struct err *e)
{
    struct stretch s;
    stretch_init(&s, w->against_since_ms, w->against_until_ms, w->by);
    enum err_code rc = report_read(st, w, &s, e);
    if (!rc) {
        report_key(o, "against");
        json_begin_object(o);
        rc = put_stretch(o, st, w, &s, reach, e);
        json_end_object(o);
        put_likeness(o, one, &s);
    }
    stretch_fini(&s);
    return rc;
}

/* A name of which nobody has heard is a slip of the hand, most times. */
static enum err_code check_names(const struct config *c, const struct report_wish *w, const struct stretch *s, struct err *e)
{
    bool role = !w->role.n, model = !w->model.n || conf_model(c, w->model);
    for (size_t i = 0; i < c->nroles && !role; i++)
        role = str_eq(c->roles[i].name, w->role);
    if ((role && model) || s->all.requests)
        return ERR_OK;
    struct str name = role ? w->model : w->role;
    err_set(e, ERR_INVALID_REQUEST, "There is no %s '%.*s' in the configuration, and no request of it in that window.", role ? "model" : "role", name.n < 60 ? (int)name.n : 60, name.p);
    return err_param(e, role ? "model" : "role");
}

enum err_code report_stats(struct store *st, const struct config *c, const struct report_wish *w, struct buf *out, struct err *e)
{
    struct json_out o = json_out(out);
    struct requests_reach reach = { .row_ms = 0 };
    struct stretch s;
    stretch_init(&s, w->since_ms, w->until_ms, w->by);
    enum err_code rc = st ? requests_reach(st, &reach, e) : ERR_OK;
    if (!rc)
        rc = report_read(st, w, &s, e);
    if (!rc)
        rc = check_names(c, w, &s, e);
    json_begin_object(&o);
    report_int(&o, "schema", 1);
    report_text(&o, "kind", STR("long-run averages"));
    report_text(&o, "role", w->role);
    report_text(&o, "model", w->model);
    report_text(&o, "by", str_of(averages_by_names[w->by]));
    if (!rc)
        rc = put_stretch(&o, st, w, &s, &reach, e);
    if (!rc && w->against)
        rc = put_other(&o, st, w, &s, &reach, e);
    json_end_object(&o);
    stretch_fini(&s);
    return rc;
}
