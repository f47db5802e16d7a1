/* What models in memory were good for. The hours on record say how long and with how much, the rows what was asked; only the time of which both are known counts. */
#include "admin/reports.h"

#include "evidence/averages.h"
#include "evidence/residency.h"
#include "store/model_hours.h"

#include <stdlib.h>

enum { HOUR_MS = 3600 * 1000 };
static const double gib = 1073741824.0;

struct residents {
    const struct report_wish *wish;
    struct arena names;
    struct resident *at;
    size_t n;
    int64_t since_ms, until_ms;     /* of which hours and rows are known */
};

static struct resident *find(const struct residents *k, struct str name)
{
    for (size_t i = 0; i < k->n; i++)
        if (str_eq(k->at[i].name, name))
            return &k->at[i];
    return NULL;
}

/* Those that we load ourselves. */
static void gather(struct residents *k, const struct config *c)
{
    k->at = calloc(c->nmodels + 1, sizeof *k->at);
    if (!k->at)
        die("out of memory for models");
    for (size_t i = 0; i < c->nmodels; i++) {
        const struct conf_model *m = &c->models[i];
        if (m->host.n || (k->wish->model.n && !str_eq(k->wish->model, m->name)))
            continue;
        k->at[k->n++] = (struct resident){ .name = m->name, .keep_hot = m->keep == KEEP_HOT, .idle_ms = m->idle_ms };
    }
}

static void add_hour(void *ctx, const struct model_hour *h)
{
    struct resident *m = find(ctx, h->model);
    if (!m)
        return;
    m->hot_ms += h->hot_ms;
    m->byte_seconds += h->byte_seconds;
    m->loads += h->loads;
    m->load_ms += h->load_ms;
}

static struct str kept_name(struct residents *k, const struct resident *m, struct str name)
{
    for (size_t i = 0; i < m->nroles; i++)
        if (str_eq(m->roles[i].name, name))
            return m->roles[i].name;
    return m->nroles < RESIDENT_MOST_ROLES ? arena_copy(&k->names, name) : name;
}

static void add_row(void *ctx, const struct request_row *r)
{
    struct residents *k = ctx;
    struct resident *m = find(k, r->model);
    if (m && !r->remote && !row_is_measured(r))
        resident_row(m, r, kept_name(k, m, r->role), k->since_ms);
}

/* From when on both are known: hours begin with the program that first kept them, rows end with `rows.keep`. */
static enum err_code begin(struct residents *k, struct store *st, struct err *e)
{
    struct requests_reach reach;
    int64_t first_s;
    enum err_code rc = requests_reach(st, &reach, e);
    if (!rc)
        rc = model_hours_first(st, &first_s, e);
    if (rc)
        return rc;
    if (!first_s || first_s * 1000 > k->since_ms)
        k->since_ms = first_s ? first_s * 1000 : k->until_ms;
    if (reach.forgotten && reach.row_ms > k->since_ms)
        k->since_ms = reach.row_ms;
    k->since_ms = k->since_ms < k->until_ms ? k->since_ms : k->until_ms;
    return ERR_OK;
}

static int64_t longest_idle(const struct residents *k)
{
    int64_t ms = 0;
    for (size_t i = 0; i < k->n; i++)
        ms = k->at[i].idle_ms > ms ? k->at[i].idle_ms : ms;
    return ms;
}

static enum err_code read_all(struct residents *k, struct store *st, struct err *e)
{
    enum err_code rc = begin(k, st, e);
    int64_t before_ms = k->since_ms - longest_idle(k) - 1; /* who was used last before it, and when */
    const struct requests_wish rows = { .since_ms = before_ms > 0 ? before_ms : 0, .until_ms = k->until_ms };
    if (!rc)
        rc = model_hours_read(st, k->since_ms / 1000, (k->until_ms + 999) / 1000, add_hour, k, e);
    if (!rc)
        rc = requests_read(st, &rows, add_row, k, e);
    for (size_t i = 0; i < k->n; i++)
        resident_end(&k->at[i], k->since_ms, k->until_ms);
    return rc;
}

/* ---- telling ---- */

static void put_use(struct json_out *o, const struct resident_use *u, double hot_hours)
{
    report_int(o, "requests", u->requests);
    report_number(o, "requests_per_hot_hour", hot_hours > 0 ? (double)u->requests / hot_hours : -1, 3);
    report_int(o, "loads_saved", u->saved);
    report_int(o, "waited_for_load", u->waited);
    report_number(o, "waited_ms", u->waited_ms, 1);
}

static void put_advice(struct json_out *o, const struct resident *m, double hours)
{
    struct resident_verdict v;
    resident_judge(m, hours, &v);
    report_key(o, "advice");
    json_begin_object(o);
    report_text(o, "keep", v.advice == RESIDENT_UNKNOWN ? STR("") : str_of(resident_advice_names[v.advice]));
    report_text(o, "why", str_of(v.why));
    report_number(o, "gib", v.gib, 3);
    report_number(o, "load_s", v.load_s, 3);
    report_number(o, "demand_loads_per_day", v.loads_day, 2);
    report_number(o, "demand_wait_s_per_day", v.wait_s_day, 2);
    report_number(o, "demand_spares_gib_hours_per_day", v.gib_hours_day, 3);
    report_number(o, "wait_s_per_gib_hour", v.worth, 3);
    json_end_object(o);
}

static void put_resident(struct json_out *o, const struct resident *m, const struct report_wish *w, double hours)
{
    double hot_hours = (double)m->hot_ms / 3600e3;
    json_begin_object(o);
    report_text(o, "model", m->name);
    report_text(o, "keep", m->keep_hot ? STR("hot") : STR("demand"));
    report_number(o, "idle_s", (double)m->idle_ms / 1000, 3);
    report_number(o, "hot_s", (double)m->hot_ms / 1000, 3);
    report_int(o, "byte_seconds", m->byte_seconds);
    report_number(o, "gib_hours", (double)m->byte_seconds / gib / 3600, 4);
    report_int(o, "loads", m->loads);
    report_int(o, "load_ms", m->load_ms);
    put_use(o, &m->all, hot_hours);
    report_key(o, "roles");
    json_begin_array(o);
    for (size_t i = 0; i < m->nroles; i++) {
        if (w->role.n && !str_eq(w->role, m->roles[i].name))
            continue;
        json_begin_object(o);
        report_text(o, "role", m->roles[i].name);
        put_use(o, &m->roles[i].use, hot_hours);
        json_end_object(o);
    }
    json_end_array(o);
    put_advice(o, m, hours);
    json_end_object(o);
}

static bool has_role(const struct resident *m, struct str role)
{
    for (size_t i = 0; i < m->nroles; i++)
        if (str_eq(m->roles[i].name, role))
            return true;
    return !role.n;
}

static int by_memory(const void *a, const void *b)
{
    const struct resident *x = a, *y = b;
    return (x->byte_seconds < y->byte_seconds) - (x->byte_seconds > y->byte_seconds);
}

static void tell(struct residents *k, struct buf *out)
{
    struct json_out o = json_out(out);
    const struct requests_reach none = { .row_ms = 0 };
    json_begin_object(&o);
    report_int(&o, "schema", 1);
    report_put_window(&o, "window", k->wish->since_ms, k->wish->until_ms, &none);
    report_put_window(&o, "observed", k->since_ms, k->until_ms, &none);
    report_key(&o, "models");
    json_begin_array(&o);
    qsort(k->at, k->n, sizeof *k->at, by_memory);
    for (size_t i = 0; i < k->n; i++)
        if (has_role(&k->at[i], k->wish->role))
            put_resident(&o, &k->at[i], k->wish, (double)(k->until_ms - k->since_ms) / 3600e3);
    json_end_array(&o);
    json_end_object(&o);
}

enum err_code report_residency(struct store *st, const struct config *c, const struct report_wish *w, struct buf *out, struct err *e)
{
    struct residents k = { .wish = w, .since_ms = w->since_ms - w->since_ms % HOUR_MS /* the books are of hours */, .until_ms = w->until_ms < w->now_ms ? w->until_ms : w->now_ms };
    arena_init(&k.names);
    gather(&k, c);
    if (!st)
        k.since_ms = k.until_ms;
    enum err_code rc = st ? read_all(&k, st, e) : ERR_OK;
    if (!rc)
        tell(&k, out);
    free(k.at);
    arena_fini(&k.names);
    return rc;
}
