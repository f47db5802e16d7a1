#include "evidence/shadow.h"

#include "base/arena.h"
#include "evidence/bootstrap.h"

#include <math.h>
#include <stdlib.h>

enum {
    MAX_ROLES = 16,
    LEAST_TIMES = 20,           /* below, an interval of a median is no more than a guess */
    LEAST_TAIL = 100,           /* for the slowest of twenty */
    MOST_TIMES = SHADOW_MOST,   /* the newest: drawing again from more takes long, and tells little more */
};
static const double margin = 0.1; /* a time that is so much longer is not felt */

/* Of a row what is compared: its text is its role's. */
struct sample {
    size_t role;
    enum shadow_alike alike;
    struct shadow_side old, new;
};

struct shadow_report {
    struct arena texts;
    struct str roles[MAX_ROLES];
    size_t nroles;
    struct sample *at;
    size_t n, room;
    struct shadow_totals totals;
};

struct shadow_report *shadow_report_new(void)
{
    struct shadow_report *r = calloc(1, sizeof *r);
    if (!r)
        die("out of memory for a shadow's report");
    arena_init(&r->texts);
    r->totals.cost = -1;
    return r;
}

void shadow_report_free(struct shadow_report *r)
{
    if (!r)
        return;
    arena_fini(&r->texts);
    free(r->at);
    free(r);
}

static size_t role_of(struct shadow_report *r, struct str name)
{
    for (size_t i = 0; i < r->nroles; i++)
        if (str_eq(r->roles[i], name))
            return i;
    if (r->nroles == MAX_ROLES)
        return MAX_ROLES;
    r->roles[r->nroles] = arena_copy(&r->texts, name);
    return r->nroles++;
}

void shadow_report_add(struct shadow_report *r, const struct shadow_row *row)
{
    size_t role = role_of(r, row->role);
    struct shadow_totals *t = &r->totals;
    if (role == MAX_ROLES)
        return;
    if (r->n == r->room) {
        r->room = r->room ? 2 * r->room : 256;
        r->at = realloc(r->at, r->room * sizeof *r->at);
        if (!r->at)
            die("out of memory for a shadow's report");
    }
    struct sample *s = &r->at[r->n++];
    *s = (struct sample){ role, row->alike, row->old, row->new };
    s->old.code = arena_copy(&r->texts, row->old.code);
    s->new.code = arena_copy(&r->texts, row->new.code);
    t->pairs++;
    t->dropped += row->dropped;
    t->cancelled += row->cancelled;
    t->unfit += row->unfit;
    if (row->cost >= 0)
        t->cost = (t->cost < 0 ? 0 : t->cost) + row->cost;
}

void shadow_report_totals(const struct shadow_report *r, struct shadow_totals *out)
{
    *out = r->totals;
}

/* ---- yes or no ---- */

/* 1: as it should be; 0: it is not; -1: nobody knows. */
static int is_answered(const struct shadow_side *s)
{
    return str_eq(s->code, STR("ok"));
}

static int fits(const struct shadow_side *s)
{
    return s->fits;
}

static int unless(int bad)
{
    return bad < 0 ? -1 : !bad;
}

static int is_without_thoughts(const struct shadow_side *s)
{
    return unless(s->thought);
}

static int says_something(const struct shadow_side *s)
{
    return unless(s->empty);
}

static int is_not_cut(const struct shadow_side *s)
{
    return unless(s->cut);
}

static const struct yes_no {
    const char *name;
    int (*good)(const struct shadow_side *s);
} yes_no[] = {
    { "answered", is_answered },
    { "fits", fits },
    { "no_thoughts", is_without_thoughts },
    { "says_something", says_something },
    { "not_cut", is_not_cut },
};

static void count_pairs(const struct shadow_report *r, size_t role, const struct yes_no *m, struct pairs *p)
{
    *p = (struct pairs){ 0 };
    for (size_t i = 0; i < r->n; i++) {
        int old = m->good(&r->at[i].old), new = m->good(&r->at[i].new);
        if (r->at[i].role == role && old >= 0 && new >= 0)
            pairs_count(p, old, new);
    }
}

/* ---- amounts ---- */

static double ttft(const struct shadow_side *s)
{
    return s->ttft_ms;
}

static double total(const struct shadow_side *s)
{
    return s->total_ms;
}

static double tokens(const struct shadow_side *s)
{
    return (double)s->output;
}

static double bytes(const struct shadow_side *s)
{
    return (double)s->bytes;
}

static const struct amount {
    const char *name, *unit;
    double (*of)(const struct shadow_side *s);  /* negative: none */
    double q;
    int least;                                  /* pairs; below nothing is said of it */
    bool less_is_better;                        /* else it is only told */
} amounts[] = {
    { "ttft", "ms", ttft, 0.5, 1, true },
    { "ttft_p95", "ms", ttft, 0.95, LEAST_TAIL, true },
    { "total", "ms", total, 0.5, 1, true },
    { "total_p95", "ms", total, 0.95, LEAST_TAIL, true },
    { "output_tokens", "tokens", tokens, 0.5, 1, false },
    { "answer_bytes", "bytes", bytes, 0.5, 1, false },
};

struct two {
    double *old, *new;
    size_t n;
};

/* The newest, of which both are known. */
static void gather(const struct shadow_report *r, size_t role, const struct amount *m, struct two *out)
{
    out->n = 0;
    for (size_t i = r->n; i-- > 0 && out->n < MOST_TIMES;) {
        double old = m->of(&r->at[i].old), new = m->of(&r->at[i].new);
        if (r->at[i].role != role || old < 0 || new < 0)
            continue;
        out->old[out->n] = old;
        out->new[out->n++] = new;
    }
}

static enum verdict_kind judge_time(const struct quantile *e, size_t n, double old)
{
    if (n < LEAST_TIMES)
        return VERDICT_CANNOT_TELL;
    if (e->hi < 0)
        return VERDICT_BETTER;
    if (e->hi <= margin * old)
        return VERDICT_NOT_WORSE;
    return e->lo > 0 ? VERDICT_WORSE : VERDICT_CANNOT_TELL;
}

/* ---- as JSON ---- */

struct line {
    struct str role;
    const char *name, *unit;
    int64_t pairs;
    double old, new, difference, lo, hi; /* NaN: null */
    const char *verdict;                /* NULL: there is none to be given */
    int64_t needed;                     /* 0: null */
};

static void put_number(struct json_out *o, const char *key, double v)
{
    json_key(o, str_of(key));
    json_double(o, v, 6);
}

static void put_text(struct json_out *o, const char *key, struct str v)
{
    json_key(o, str_of(key));
    json_string_or_null(o, v);
}

static void put_line(struct json_out *o, const struct line *l)
{
    json_begin_object(o);
    put_text(o, "role", l->role);
    put_text(o, "name", str_of(l->name));
    json_key(o, STR("pairs"));
    json_int(o, l->pairs);
    put_number(o, "old", l->old);
    put_number(o, "new", l->new);
    put_text(o, "unit", str_of(l->unit));
    put_number(o, "difference", l->difference);
    json_key(o, STR("ci"));
    json_begin_array(o);
    json_double(o, l->lo, 6);
    json_double(o, l->hi, 6);
    json_end_array(o);
    put_text(o, "verdict", str_of(l->verdict));
    json_key(o, STR("needed"));
    json_int_or_null(o, l->needed > 0 ? l->needed : -1);
    json_end_object(o);
}

/* Several are looked at together: what only chance says among so many is taken back. */
static void put_yes_no(const struct shadow_report *r, size_t role, struct json_out *o)
{
    struct verdict v[COUNTOF(yes_no)];
    const char *names[COUNTOF(yes_no)];
    size_t n = 0;
    for (size_t i = 0; i < COUNTOF(yes_no); i++) {
        struct pairs p;
        count_pairs(r, role, &yes_no[i], &p);
        if (!pairs_total(&p))
            continue;
        names[n] = yes_no[i].name;
        pairs_judge(&p, NULL, &v[n++]);
    }
    verdicts_adjust(v, n, NULL);
    for (size_t i = 0; i < n; i++)
        put_line(o, &(struct line){ r->roles[role], names[i], "share", v[i].pairs, v[i].a_rate, v[i].b_rate, v[i].difference, v[i].lo, v[i].hi, verdict_names[v[i].kind],
            v[i].needed });
}

static void put_amounts(const struct shadow_report *r, size_t role, struct json_out *o)
{
    struct two both = { calloc(MOST_TIMES, sizeof(double)), calloc(MOST_TIMES, sizeof(double)), 0 };
    struct bootstrap_rule rule = bootstrap_usual;
    struct dice dice = dice_of(1);
    if (!both.old || !both.new)
        die("out of memory for a shadow's report");
    rule.resamples = 1000;
    for (size_t i = 0; i < COUNTOF(amounts); i++) {
        const struct amount *m = &amounts[i];
        gather(r, role, m, &both);
        if (both.n < (size_t)m->least)
            continue;
        struct quantile d = bootstrap_paired(both.old, both.new, both.n, m->q, &rule, &dice);
        double old = bootstrap_quantile(both.old, both.n, m->q, &(struct bootstrap_rule){ 0.05, 1, BOOTSTRAP_PERCENTILE }, &dice).value;
        put_line(o, &(struct line){ r->roles[role], m->name, m->unit, (int64_t)both.n, old, old + d.value, d.value, d.lo, d.hi,
            m->less_is_better ? verdict_names[judge_time(&d, both.n, old)] : NULL, 0 });
    }
    free(both.old);
    free(both.new);
}

static void put_alike(const struct shadow_report *r, size_t role, struct json_out *o)
{
    int64_t alike = 0, n = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (r->at[i].role != role || r->at[i].alike == ALIKE_UNKNOWN)
            continue;
        n++;
        alike += r->at[i].alike != ALIKE_NOT;
    }
    if (!n)
        return;
    struct interval ci = wilson_interval(alike, n, 0.05);
    put_line(o, &(struct line){ r->roles[role], "alike", "share", n, NAN, (double)alike / (double)n, NAN, ci.lo, ci.hi, NULL, 0 });
}

void shadow_report_measures(const struct shadow_report *r, struct json_out *o)
{
    json_begin_array(o);
    for (size_t i = 0; i < r->nroles; i++) {
        put_yes_no(r, i, o);
        put_amounts(r, i, o);
        put_alike(r, i, o);
    }
    json_end_array(o);
}
