/* Two places held against each other: rates by pairs of cases, times by pairs of answers, and what may make the comparison one of something else than the models. */
#include "evidence/kept.h"

#include "evidence/verdict_put.h"

#include <math.h>
#include <stdlib.h>

/* ---- which cases ---- */

static const size_t nowhere = (size_t)-1;

/* Cases are in the order of their ids in both. */
static int order_of(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* at[i]: which case of b's is a's case i; nowhere: it has none, or another one under that id. */
static void match(struct kept_pair *p, size_t *at)
{
    const struct suite *a = &p->a.run->suite, *b = &p->b.run->suite;
    size_t i = 0, k = 0;
    while (i < a->ncases || k < b->ncases) {
        int order = i == a->ncases ? 1 : k == b->ncases ? -1 : order_of(a->cases[i].id, b->cases[k].id);
        bool same = !order && (p->a.run == p->b.run || a->cases[i].print == b->cases[k].print);
        if (order <= 0)
            at[i] = same ? k : nowhere;
        if (order <= 0)
            p->left_out[i] = !same;
        p->missing += order != 0;
        p->changed += !order && !same;
        p->compared += same && !a->cases[i].aside;
        i += order <= 0;
        k += order >= 0;
    }
}

static const struct run_cell *cell_of(const struct kept_side *s, size_t item)
{
    return &s->run->tally.cells[item * s->run->nplaces + s->place];
}

static void compare_rates(struct arena *memory, struct kept_pair *p, const size_t *at, double margin)
{
    size_t n = 0, ncases = p->a.run->suite.ncases;
    struct case_score *scores = arena_array(memory, struct case_score, ncases + 1);
    struct cell *cells = arena_array(memory, struct cell, 2 * ncases + 1);
    struct judge_rule rule = judge_usual;
    for (size_t i = 0; i < ncases; i++) {
        if (at[i] == nowhere || p->a.run->suite.cases[i].aside)
            continue;
        const struct run_cell *a = cell_of(&p->a, i), *b = cell_of(&p->b, at[i]);
        cells[2 * i] = (struct cell){ a->passed, a->total };
        cells[2 * i + 1] = (struct cell){ b->passed, b->total };
        if (!a->total || !b->total)
            continue;
        scores[n++] = (struct case_score){ a->passed, a->total, b->passed, b->total };
        pairs_count(&p->majority, 2 * a->passed > a->total, 2 * b->passed > b->total);
    }
    rule.margin = margin >= 0 ? margin : p->a.run->suite.margin > 0 ? p->a.run->suite.margin : rule.margin;
    p->margin = rule.margin;
    cases_judge(scores, n, &rule, &p->verdict);
    suite_discriminates(cells, ncases, 2, rule.alpha, p->kinds, &p->tells);
}

/* ---- times ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double sorted_quantile(struct arena *memory, const double *values, size_t n, double q)
{
    double *sorted = arena_array(memory, double, n + 1);
    memcpy(sorted, values, n * sizeof *values);
    qsort(sorted, n, sizeof *sorted, by_value);
    return n ? quantile_of(sorted, n, q) : NAN;
}

static void compare_times(struct arena *memory, const double *a, const double *b, size_t n, struct kept_times *out)
{
    struct dice dice = dice_of(1); /* the same run is told in the same words */
    *out = (struct kept_times){ .n = n };
    if (n < 2)
        return;
    out->a_median = sorted_quantile(memory, a, n, 0.5);
    out->b_median = sorted_quantile(memory, b, n, 0.5);
    out->a_p95 = sorted_quantile(memory, a, n, 0.95);
    out->b_p95 = sorted_quantile(memory, b, n, 0.95);
    out->median = bootstrap_paired(a, b, n, 0.5, &bootstrap_usual, &dice);
    out->p95 = bootstrap_paired(a, b, n, 0.95, &bootstrap_usual, &dice);
}

static const struct kept_result *results_of(const struct kept_side *s, size_t *n)
{
    size_t from = 0, to;
    while (from < s->run->nresults && s->run->results[from].place != s->place)
        from++;
    for (to = from; to < s->run->nresults && s->run->results[to].place == s->place;)
        to++;
    *n = to - from;
    return s->run->results + from;
}

struct both_times {
    double *a_total, *b_total, *a_ttft, *b_ttft;
    size_t ntotal, nttft;
};

static void add_times(struct both_times *t, const struct kept_result *a, const struct kept_result *b)
{
    if (a->total_ms >= 0 && b->total_ms >= 0 && t->ntotal < BOOTSTRAP_MAX) {
        t->a_total[t->ntotal] = (double)(a->total_ms - a->load_ms);
        t->b_total[t->ntotal++] = (double)(b->total_ms - b->load_ms);
    }
    if (a->ttft_ms >= 0 && b->ttft_ms >= 0 && t->nttft < BOOTSTRAP_MAX) {
        t->a_ttft[t->nttft] = (double)a->ttft_ms;
        t->b_ttft[t->nttft++] = (double)b->ttft_ms;
    }
}

/* Both lists are in the order of case and turn, and at[] does not turn an order around. */
static void pair_times(struct arena *memory, struct kept_pair *p, const size_t *at)
{
    size_t na, nb, k = 0;
    const struct kept_result *a = results_of(&p->a, &na), *b = results_of(&p->b, &nb);
    struct both_times t = { arena_array(memory, double, na + 1), arena_array(memory, double, na + 1), arena_array(memory, double, na + 1), arena_array(memory, double, na + 1), 0, 0 };
    for (size_t i = 0; i < na; i++) {
        size_t item = at[a[i].item];
        if (item == nowhere || a[i].passed < 0)
            continue;
        while (k < nb && (b[k].item < item || (b[k].item == item && b[k].turn < a[i].turn)))
            k++;
        if (k < nb && b[k].item == item && b[k].turn == a[i].turn && b[k].passed >= 0)
            add_times(&t, &a[i], &b[k]);
    }
    compare_times(memory, t.a_total, t.b_total, t.ntotal, &p->total);
    compare_times(memory, t.a_ttft, t.b_ttft, t.nttft, &p->ttft);
}

/* ---- warnings ---- */

static void warn(struct kept_pair *p, struct str text)
{
    if (p->nwarnings < KEPT_WARNINGS)
        p->warnings[p->nwarnings++] = text;
}

static const struct kept_place *place_of(const struct kept_side *s)
{
    return &s->run->places[s->place];
}

static void warn_of_places(struct arena *memory, struct kept_pair *p)
{
    const struct kept_place *a = place_of(&p->a), *b = place_of(&p->b);
    const struct { const char *what; struct str a, b; } all[] = {
        { "runtime", a->runtime, b->runtime }, { "engine build", a->engine, b->engine }, { "quantisation", a->quantisation, b->quantisation }, { "host", a->host, b->host },
    };
    for (size_t i = 0; i < COUNTOF(all); i++)
        if (!str_eq(all[i].a, all[i].b))
            warn(p, arena_printf(memory, "%s differs: %.*s, %.*s", all[i].what, STR_ARG(all[i].a.n ? all[i].a : STR("not known")), STR_ARG(all[i].b.n ? all[i].b : STR("not known"))));
    if (!a->runtime.n && !b->runtime.n)
        warn(p, STR("runtime, engine build and quantisation are not known: the run was made before they were kept"));
}

static int64_t nothing_of(const struct kept_side *s)
{
    struct run_cell c = run_tally_sum(&s->run->tally, &s->run->suite, s->place, false);
    return c.faults[FAULT_GATEWAY] + c.faults[FAULT_BACKEND] + c.faults[FAULT_HARNESS];
}

static void warn_of_runs(struct arena *memory, struct kept_pair *p)
{
    const struct kept_run *a = p->a.run, *b = p->b.run;
    int64_t nothing = nothing_of(&p->a) + nothing_of(&p->b);
    if (p->changed)
        warn(p, arena_printf(memory, "cases that are others by now under the same ids, left out: %zu", p->changed));
    if (p->missing)
        warn(p, arena_printf(memory, "cases that are in one of the runs alone, left out: %zu", p->missing));
    if (!str_eq(a->state, STR("done")) || !str_eq(b->state, STR("done")))
        warn(p, arena_printf(memory, "run %lld is not done", (long long)(str_eq(a->state, STR("done")) ? b->run : a->run)));
    if (nothing)
        warn(p, arena_printf(memory, "answers that say nothing of a model, left out: %lld (what failed was the gateway, the backend or the harness)", (long long)nothing));
    if (p->total.n > 1 && (a != b || !a->interleaved))
        warn(p, STR("times were not taken in turn: what the machine did meanwhile met one of the two alone (`--interleave`, in one run)"));
}

void kept_compare(struct arena *memory, struct kept_side a, struct kept_side b, double margin, struct kept_pair *out)
{
    size_t ncases = a.run->suite.ncases, *at = arena_array(memory, size_t, ncases + 1);
    *out = (struct kept_pair){ .a = a, .b = b, .kinds = arena_array(memory, enum case_kind, ncases + 1), .left_out = arena_array(memory, bool, ncases + 1) };
    match(out, at);
    compare_rates(memory, out, at, margin);
    pair_times(memory, out, at);
    warn_of_places(memory, out);
    warn_of_runs(memory, out);
}

/* Each by its own suite's margin, all by their number. */
void kept_adjust(struct kept_pair *pairs, size_t n)
{
    double *p = calloc(n + 1, sizeof *p);
    if (!p)
        die("out of memory for verdicts");
    for (size_t i = 0; i < n; i++)
        p[i] = pairs[i].verdict.p;
    holm_adjust(p, n, p);
    for (size_t i = 0; i < n; i++) {
        struct judge_rule rule = judge_usual;
        rule.margin = pairs[i].margin;
        pairs[i].verdict.p = p[i];
        verdicts_adjust(&pairs[i].verdict, 1, &rule);
    }
    free(p);
}

/* ---- told ---- */

static void put_side(struct json_out *o, const char *key, const struct kept_side *s)
{
    const struct kept_place *p = place_of(s);
    const struct { const char *key; struct str text; } all[] = { { "model", p->name }, { "host", p->host }, { "runtime", p->runtime }, { "engine", p->engine },
        { "quantisation", p->quantisation } };
    json_key(o, str_of(key));
    json_begin_object(o);
    json_key(o, STR("run"));
    json_int(o, s->run->run);
    for (size_t i = 0; i < COUNTOF(all); i++) {
        json_key(o, str_of(all[i].key));
        json_string_or_null(o, all[i].text);
    }
    json_end_object(o);
}

static void put_quantile(struct json_out *o, const char *key, double a, double b, const struct quantile *e)
{
    json_key(o, str_of(key));
    json_begin_object(o);
    const struct { const char *key; double v; } all[] = { { "a", a }, { "b", b }, { "difference", e->value } };
    for (size_t i = 0; i < COUNTOF(all); i++) {
        json_key(o, str_of(all[i].key));
        json_double(o, all[i].v, 1);
    }
    json_key(o, STR("ci"));
    json_begin_array(o);
    json_double(o, e->lo, 1);
    json_double(o, e->hi, 1);
    json_end_array(o);
    json_key(o, STR("weak"));
    json_bool(o, e->weak);
    json_end_object(o);
}

static void put_times(struct json_out *o, const char *key, const struct kept_times *t)
{
    json_key(o, str_of(key));
    if (t->n < 2) {
        json_null(o);
        return;
    }
    json_begin_object(o);
    json_key(o, STR("pairs"));
    json_int(o, (int64_t)t->n);
    put_quantile(o, "median", t->a_median, t->b_median, &t->median);
    put_quantile(o, "p95", t->a_p95, t->b_p95, &t->p95);
    json_end_object(o);
}

static void put_cases(struct json_out *o, const struct kept_pair *p)
{
    json_key(o, STR("cases"));
    json_begin_array(o);
    for (size_t i = 0; i < p->a.run->suite.ncases; i++) {
        const struct suite_case *c = &p->a.run->suite.cases[i];
        if (p->left_out[i] || c->aside)
            continue;
        json_begin_object(o);
        json_key(o, STR("id"));
        json_string(o, c->id);
        json_key(o, STR("tells"));
        json_string(o, str_of(case_names[p->kinds[i]]));
        json_end_object(o);
    }
    json_end_array(o);
}

void kept_pair_put(const struct kept_pair *p, struct json_out *o)
{
    const struct { const char *key; int64_t n; } counts[] = { { "both", p->majority.both }, { "only_a", p->majority.only_a }, { "only_b", p->majority.only_b },
        { "neither", p->majority.neither }, { "changed", (int64_t)p->changed }, { "missing", (int64_t)p->missing } };
    json_key(o, STR("suite"));
    json_string(o, p->a.run->suite.name);
    put_side(o, "old", &p->a);
    put_side(o, "new", &p->b);
    verdict_put(&p->verdict, o);
    for (size_t i = 0; i < COUNTOF(counts); i++) {
        json_key(o, str_of(counts[i].key));
        json_int(o, counts[i].n);
    }
    json_key(o, STR("discriminates"));
    json_bool(o, p->tells.discriminates);
    put_cases(o, p);
    put_times(o, "total_ms", &p->total);
    put_times(o, "ttft_ms", &p->ttft);
    json_key(o, STR("warnings"));
    json_begin_array(o);
    for (size_t i = 0; i < p->nwarnings; i++)
        json_string(o, p->warnings[i]);
    json_end_array(o);
}

static void write_times(const char *name, const struct kept_times *t, struct buf *out)
{
    if (t->n < 2)
        return;
    buf_printf(out, "%s of %zu pairs: median %.0f -> %.0f ms, b - a %+.0f (%+.0f to %+.0f); p95 %.0f -> %.0f ms, %+.0f (%+.0f to %+.0f)%s\n", name, t->n, t->a_median, t->b_median,
        t->median.value, t->median.lo, t->median.hi, t->a_p95, t->b_p95, t->p95.value, t->p95.lo, t->p95.hi, t->p95.weak ? ", which says little: too few" : "");
}

/* The first of them; all are in --json. */
static void write_kind(const struct kept_pair *p, enum case_kind kind, const char *words, struct buf *out)
{
    enum { SHOWN = 12 };
    size_t n = 0;
    for (size_t i = 0; i < p->a.run->suite.ncases; i++) {
        const struct suite_case *c = &p->a.run->suite.cases[i];
        if (p->left_out[i] || c->aside || p->kinds[i] != kind)
            continue;
        if (n < SHOWN)
            buf_printf(out, "%s%.*s", n ? ", " : words, STR_ARG(c->id));
        n++;
    }
    if (n > SHOWN)
        buf_printf(out, " and %zu more", n - SHOWN);
    if (n)
        buf_lit(out, "\n");
}

void kept_pair_write(const struct kept_pair *p, struct buf *out)
{
    const struct kept_place *a = place_of(&p->a), *b = place_of(&p->b);
    const struct pairs *m = &p->majority;
    buf_printf(out, "%.*s: a = %.*s (run %lld), b = %.*s (run %lld)\n", STR_ARG(p->a.run->suite.name), STR_ARG(a->name), (long long)p->a.run->run, STR_ARG(b->name),
        (long long)p->b.run->run);
    buf_printf(out, "%lld cases: both pass %lld, only a %lld, only b %lld, neither %lld\n", (long long)p->verdict.pairs, (long long)m->both, (long long)m->only_a,
        (long long)m->only_b, (long long)m->neither);
    verdict_write(&p->verdict, out);
    if (!p->tells.discriminates)
        buf_printf(out, "This suite does not discriminate: the two differ on %lld of its cases, and %lld would be the fewest that say anything.\n", (long long)p->tells.tells_most,
            (long long)p->tells.tells_least);
    write_kind(p, CASE_TELLS, "they differ on: ", out);
    write_kind(p, CASE_ALL_PASS, "both pass: ", out);
    write_kind(p, CASE_ALL_FAIL, "both fail: ", out);
    write_kind(p, CASE_ALIKE, "as often: ", out);
    write_times("time", &p->total, out);
    write_times("first token", &p->ttft, out);
}
