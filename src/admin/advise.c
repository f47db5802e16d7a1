/* Where a role should be answered, with the figures: rows of the while, the newest run of a suite that a local model of its chain and one elsewhere have both taken, and
 * prices as they are configured. */
#include "admin/reports.h"

#include "conf/conf.h"
#include "evidence/advice.h"
#include "evidence/kept.h"
#include "store/evals.h"

#include <stdlib.h>

enum { HOUR_MS = 3600 * 1000, MOST_MODELS = 32, MOST_RUNS = 30, MOST_LOOKED_AT = 300 };

struct chain {
    const struct conf_model *at[MOST_MODELS];
    size_t n;
};

struct advising {
    const struct report_wish *wish;
    const struct config *config;
    const struct conf_role *role;
    struct chain here, there;
    int64_t since_ms, until_ms;         /* of which there are rows */
    struct averages all, local, cloud;
    int64_t *hours;                     /* requests in each hour since since_ms */
    size_t nhours;
    double paid;
    int64_t unpriced;                   /* requests elsewhere with tokens and without a known price */
    struct arena memory;
    struct kept_run run;                /* with pair, when suite.n */
    struct kept_pair pair;
    int64_t runs[MOST_RUNS];
    size_t nruns;
    struct str suite;
};

/* ---- its chain ---- */

static void put_in(struct chain *c, const struct conf_model *m)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->at[i] == m)
            return;
    if (c->n < MOST_MODELS)
        c->at[c->n++] = m;
}

static void add_place(struct advising *k, struct str name)
{
    struct str role;
    const struct conf_model *m = conf_meant(k->config, name, &role);
    const struct conf_host *h = m && m->host.n ? conf_host(k->config, m->host) : NULL;
    if (m)
        put_in(!h || h->local ? &k->here : &k->there, m);
    for (size_t i = 0; m && i < m->replicas.n; i++) {
        const struct conf_model *other = conf_model(k->config, m->replicas.at[i]);
        h = other && other->host.n ? conf_host(k->config, other->host) : NULL;
        if (other)
            put_in(!h || h->local ? &k->here : &k->there, other);
    }
}

static enum err_code find_chain(struct advising *k, struct err *e)
{
    const struct config *c = k->config;
    struct str names[64], near;
    size_t n = 0;
    for (size_t i = 0; i < c->nroles; i++) {
        const struct conf_role *r = &c->roles[i];
        if (n < COUNTOF(names))
            names[n++] = r->name;
        if (!str_eq(r->name, k->wish->role))
            continue;
        k->role = r;
        add_place(k, r->model);
        for (size_t f = 0; f < r->fallback.n; f++)
            add_place(k, r->fallback.at[f]);
        return ERR_OK;
    }
    near = str_nearest(k->wish->role, names, n);
    if (!k->wish->role.n)
        err_set(e, ERR_INVALID_REQUEST, "`role` must name a role of the configuration.");
    else
        err_set(e, ERR_INVALID_REQUEST, "There is no role '%.*s' in the configuration%s%.*s%s", k->wish->role.n < 60 ? (int)k->wish->role.n : 60, k->wish->role.p,
            near.n ? ", did you mean '" : ".", STR_ARG(near), near.n ? "'?" : "");
    return err_param(e, "role");
}

/* ---- its rows ---- */

static void add_row(void *ctx, const struct request_row *r)
{
    struct advising *k = ctx;
    size_t hour = (size_t)((r->time_ms - k->since_ms) / HOUR_MS);
    if (!str_eq(r->role, k->wish->role) || r->time_ms < k->since_ms || row_is_measured(r))
        return;
    averages_add(&k->all, r);
    if (r->model.n)
        averages_add(r->remote ? &k->cloud : &k->local, r);
    if (hour < k->nhours)
        k->hours[hour]++;
    if (r->remote && r->cost >= 0)
        k->paid += r->cost;
    k->unpriced += r->remote && r->cost < 0 && r->input_tokens + r->output_tokens > 0;
}

static enum err_code read_rows(struct advising *k, struct store *st, struct err *e)
{
    struct requests_reach reach = { .row_ms = 0 };
    enum err_code rc = st ? requests_reach(st, &reach, e) : ERR_OK;
    if (rc)
        return rc;
    k->since_ms = !reach.row_ms ? k->until_ms : reach.row_ms > k->since_ms ? reach.row_ms : k->since_ms;
    k->since_ms = k->since_ms < k->until_ms ? k->since_ms : k->until_ms;
    k->nhours = (size_t)((k->until_ms - k->since_ms) / HOUR_MS) + 1;
    k->hours = calloc(k->nhours, sizeof *k->hours);
    if (!k->hours)
        die("out of memory for the hours of a role");
    const struct requests_wish rows = { .since_ms = k->since_ms, .until_ms = k->until_ms };
    return st && k->since_ms < k->until_ms ? requests_read(st, &rows, add_row, k, e) : ERR_OK;
}

/* ---- a suite that both have taken ---- */

static bool names_model(struct str place, const struct conf_model *m)
{
    struct str host;
    return str_eq(str_cut(place, '@', &host), m->name);
}

static size_t place_of(const struct kept_run *r, const struct chain *c)
{
    for (size_t k = 0; k < c->n; k++)
        for (size_t i = 0; i < r->nplaces; i++)
            if (names_model(r->places[i].name, c->at[k]))
                return i;
    return r->nplaces;
}

/* A role that names its suites is judged by those alone: a name, or a file's without its folder and ending. */
static bool is_its_suite(const struct conf_role *role, struct str suite)
{
    for (size_t i = 0; i < role->suites.n; i++) {
        struct str name = role->suites.at[i], rest;
        while (str_find(name, STR("/")) >= 0)
            name = str_from(name, (size_t)str_find(name, STR("/")) + 1);
        if (str_eq(suite, name) || str_eq(suite, str_cut(name, '.', &rest)))
            return true;
    }
    return !role->suites.n;
}

static void note_run(void *ctx, const struct eval_row *r)
{
    struct advising *k = ctx;
    if (str_eq(r->state, STR("done")) && k->nruns < MOST_RUNS && is_its_suite(k->role, r->suite))
        k->runs[k->nruns++] = r->run;
}

/* True: it is the one. A run that cannot be read is none. */
static enum err_code look_at_run(struct advising *k, struct store *st, int64_t run, bool *found, struct err *e)
{
    struct buf json = { 0 };
    struct err ignored;
    enum err_code rc = view_run(st, run, &json, e);
    *found = false;
    if (!rc && !kept_run_read(buf_str(&json), &k->run, &ignored)) {
        size_t local = place_of(&k->run, &k->here), cloud = place_of(&k->run, &k->there);
        *found = local < k->run.nplaces && cloud < k->run.nplaces;
        if (*found)
            kept_compare(&k->memory, (struct kept_side){ &k->run, cloud }, (struct kept_side){ &k->run, local }, -1, &k->pair);
        if (*found && !k->pair.verdict.pairs)
            *found = false;
        if (!*found)
            kept_run_free(&k->run);
    }
    buf_free(&json);
    return rc;
}

static enum err_code read_suite(struct advising *k, struct store *st, struct err *e)
{
    bool found = false, both = st && k->here.n && k->there.n;
    enum err_code rc = both ? evals_read(st, 0, MOST_LOOKED_AT, note_run, k, e) : ERR_OK;
    for (size_t i = 0; i < k->nruns && !rc && !found; i++)
        rc = look_at_run(k, st, k->runs[i], &found, e);
    if (found)
        k->suite = k->run.suite.name;
    return rc;
}

/* ---- telling ---- */

static struct advice_side side_of(const struct averages *a, const struct chain *c)
{
    int64_t failed = a->faults[FAULT_GATEWAY] + a->faults[FAULT_BACKEND] + a->faults[FAULT_MODEL];
    return (struct advice_side){
        .there = c->n > 0,
        .requests = a->requests,
        .errors = a->requests ? (double)failed / (double)a->requests : -1,
        .refused = a->requests ? (double)a->busy / (double)a->requests : -1,
        .wait_p95_ms = spread_at(&a->queue, 0.95),
        .ttft_p95_ms = spread_at(&a->ttft, 0.95),
    };
}

static struct conf_price price_of(const struct advising *k)
{
    struct conf_price p = { -1, -1 };
    if (!k->there.n)
        return p;
    const struct conf_model *m = k->there.at[0];
    const struct conf_host *h = conf_host(k->config, m->host);
    p.input = m->price.input >= 0 || !h ? m->price.input : h->price.input;
    p.output = m->price.output >= 0 || !h ? m->price.output : h->price.output;
    return p;
}

static int64_t busiest(const struct advising *k)
{
    int64_t most = 0;
    for (size_t i = 0; i < k->nhours; i++)
        most = k->hours[i] > most ? k->hours[i] : most;
    return most;
}

static void put_side(struct json_out *o, const char *key, const struct advice_side *s, const struct chain *c)
{
    report_key(o, key);
    json_begin_object(o);
    report_key(o, "models");
    json_begin_array(o);
    for (size_t i = 0; i < c->n; i++)
        json_string(o, c->at[i]->name);
    json_end_array(o);
    report_int(o, "requests", s->requests);
    report_number(o, "errors_share", s->errors, 4);
    report_number(o, "refused_share", s->refused, 4);
    report_number(o, "wait_p95_ms", s->wait_p95_ms, 1);
    report_number(o, "ttft_p95_ms", s->ttft_p95_ms, 1);
    json_end_object(o);
}

static void put_suite(struct json_out *o, const struct advising *k)
{
    report_key(o, "suite");
    if (!k->suite.n) {
        json_null(o);
        return;
    }
    const struct verdict *v = &k->pair.verdict;
    json_begin_object(o);
    report_int(o, "run", k->run.run);
    report_text(o, "suite", k->suite);
    report_text(o, "cloud", k->run.places[k->pair.a.place].name);
    report_text(o, "local", k->run.places[k->pair.b.place].name);
    report_text(o, "verdict", str_of(verdict_names[v->kind]));
    report_int(o, "cases", v->pairs);
    report_number(o, "cloud_rate", v->a_rate, 4);
    report_number(o, "local_rate", v->b_rate, 4);
    report_key(o, "difference");
    json_double(o, v->difference, 4);
    report_key(o, "ci");
    json_begin_array(o);
    json_double(o, v->lo, 4);
    json_double(o, v->hi, 4);
    json_end_array(o);
    report_int(o, "needed", v->needed);
    json_end_object(o);
}

static void put_price(struct json_out *o, const struct advising *k, const struct conf_price *p, double hours)
{
    const struct averages *a = &k->all;
    const struct conf_price *r = &k->config->reference;
    hours = hours < ADVICE_HOURS ? 0 : hours;
    report_key(o, "price");
    json_begin_object(o);
    report_number(o, "input", p->input, 6);
    report_number(o, "output", p->output, 6);
    report_number(o, "month", advice_month(hours, a->input_tokens, a->output_tokens, p->input, p->output), 4);
    report_number(o, "reference_month", advice_month(hours, a->input_tokens, a->output_tokens, r->input, r->output), 4);
    report_number(o, "paid", k->unpriced && k->paid <= 0 ? -1 : k->paid, 6);
    report_int(o, "unpriced_requests", k->unpriced);
    report_key(o, "electricity");
    json_null(o);
    json_end_object(o);
}

static void put_missing(struct json_out *o, const struct advising *k, unsigned missing)
{
    struct buf run = { 0 };
    buf_printf(&run, "`hob eval run SUITE --models %.*s,%.*s`", STR_ARG(k->there.n ? k->there.at[0]->name : STR("CLOUD")),
        STR_ARG(k->here.n ? k->here.at[0]->name : STR("LOCAL")));
    const struct {
        enum advice_missing bit;
        const char *what;
        struct str how;
    } rows[] = {
        { MISSING_ROWS, "a day and 30 requests of it", STR("let it be used; rows come by themselves") },
        { MISSING_SUITE, "a suite that a local model and one elsewhere have both taken", buf_str(&run) },
        { MISSING_CASES, "enough cases to tell the two apart", buf_str(&run) },
        { MISSING_PRICE, "what it costs elsewhere", STR("set `price: {input: …, output: …}` at that host or model, per million tokens") },
        { MISSING_CLOUD, "a place elsewhere in its chain", STR("name one under `hosts` and in the role's `fallback`") },
        { MISSING_LOCAL, "a local place in its chain", STR("name a model of this machine in the role's `model` or `fallback`") },
        { MISSING_ELECTRICITY, "what electricity costs here", STR("hob has no price of it: `hob bench` tells joules a token where the machine does") },
    };
    report_key(o, "missing");
    json_begin_array(o);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        if (!(missing & rows[i].bit))
            continue;
        json_begin_object(o);
        report_text(o, "what", str_of(rows[i].what));
        report_text(o, "how", rows[i].how);
        json_end_object(o);
    }
    json_end_array(o);
    buf_free(&run);
}

static void put_volume(struct json_out *o, const struct advice_facts *f)
{
    const double days = f->hours < ADVICE_HOURS ? 0 : f->hours / 24; /* a day is not made of minutes */
    report_key(o, "volume");
    json_begin_object(o);
    report_int(o, "requests", f->requests);
    report_number(o, "requests_per_day", days > 0 ? (double)f->requests / days : -1, 1);
    report_number(o, "tokens_per_day", days > 0 ? (double)f->tokens / days : -1, 0);
    report_int(o, "peak_hour_requests", f->peak_hour);
    report_number(o, "private_share", f->requests ? f->private_share : -1, 4);
    json_end_object(o);
}

static void tell(const struct advising *k, struct buf *out)
{
    const struct conf_price price = price_of(k);
    const struct requests_reach none = { .row_ms = 0 };
    const struct advice_facts f = {
        .hours = (double)(k->until_ms - k->since_ms) / HOUR_MS,
        .requests = k->all.requests,
        .tokens = k->all.input_tokens + k->all.output_tokens,
        .peak_hour = busiest(k),
        .private_share = k->all.requests ? (double)k->all.private_ / (double)k->all.requests : 0,
        .local = side_of(&k->local, &k->here),
        .cloud = side_of(&k->cloud, &k->there),
        .judged = k->suite.n > 0,
        .suite = k->pair.verdict.kind,
        .price_input = price.input,
        .price_output = price.output,
    };
    struct json_out o = json_out(out);
    struct advice a;
    advice_give(&f, &a);
    json_begin_object(&o);
    report_int(&o, "schema", 1);
    report_text(&o, "role", k->wish->role);
    report_put_window(&o, "window", k->wish->since_ms, k->wish->until_ms, &none);
    report_put_window(&o, "observed", k->since_ms, k->until_ms, &none);
    report_key(&o, "advice");
    json_begin_object(&o);
    report_text(&o, "place", a.place == ADVICE_UNKNOWN ? STR("") : str_of(advice_names[a.place]));
    report_text(&o, "rule", str_of(a.rule));
    report_text(&o, "why", str_of(a.why));
    report_text(&o, "would_change", str_of(a.changes));
    json_end_object(&o);
    put_volume(&o, &f);
    put_side(&o, "local", &f.local, &k->here);
    put_side(&o, "cloud", &f.cloud, &k->there);
    put_suite(&o, k);
    put_price(&o, k, &price, f.hours);
    put_missing(&o, k, a.missing);
    json_end_object(&o);
}

enum err_code report_advise(struct store *st, const struct config *c, const struct report_wish *w, struct buf *out, struct err *e)
{
    struct advising k = { .wish = w, .config = c, .since_ms = w->since_ms, .until_ms = w->until_ms < w->now_ms ? w->until_ms : w->now_ms };
    arena_init(&k.memory);
    enum err_code rc = find_chain(&k, e);
    if (!rc)
        rc = read_rows(&k, st, e);
    if (!rc)
        rc = read_suite(&k, st, e);
    if (!rc)
        tell(&k, out);
    if (k.suite.n)
        kept_run_free(&k.run);
    averages_fini(&k.all);
    averages_fini(&k.local);
    averages_fini(&k.cloud);
    free(k.hours);
    arena_fini(&k.memory);
    return rc;
}
