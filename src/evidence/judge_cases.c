/* Cases that were asked several times, and suites that tell nothing. */
#include "base/err.h"
#include "evidence/chance.h"
#include "evidence/stats_int.h"

#include <math.h>
#include <stdlib.h>

/* ---- repeated cases ---- */

/* Over the cases that both have answered. Sums of each case's rates, and of their squares for the scatter. */
struct moments {
    int64_t cases, a_pass, b_pass, a_answers, b_answers, answers; /* answers: pairs of them */
    double a, b, aa, bb, dd;
    double only_a, only_b;                        /* as when any answer of a meets any answer of b to the same case */
};

static void add_case(struct moments *m, const struct case_score *c)
{
    double a = (double)c->a_pass / c->a_total, b = (double)c->b_pass / c->b_total;
    m->cases++;
    m->a_pass += c->a_pass;
    m->b_pass += c->b_pass;
    m->a_answers += c->a_total;
    m->b_answers += c->b_total;
    m->answers += c->a_total < c->b_total ? c->a_total : c->b_total;
    m->a += a;
    m->b += b;
    m->aa += a * a;
    m->bb += b * b;
    m->dd += (b - a) * (b - a);
    m->only_a += a * (1 - b);
    m->only_b += b * (1 - a);
}

/* As many independent answers have this scatter: the variance of one by that of the cases' mean (Korn and Graubard, Survey Methodology 24, 1998, for the score
 * interval of one rate). At least the cases: their means scatter no more than single answers do. */
static double worth(double variance_of_one, double sum, double squares, int64_t cases, int64_t answers)
{
    double m = (double)cases, of_mean = m > 1 ? fmax(squares - sum * sum / m, 0) / (m * (m - 1)) : 0;
    double n = of_mean > 0 ? variance_of_one / of_mean : m; /* no scatter at all says nothing of other cases */
    return fmin(fmax(n, m), (double)answers);
}

/* Weights of the cases that differ, as whole numbers: the differences times a number that makes all of them whole, where it is small. */
enum { FINEST = 60 };
static const double WAYS_MOST = 5e7;

static int64_t common(int64_t a, int64_t b) /* the greatest common divisor */
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int64_t fineness(const struct case_score *c, size_t n)
{
    int64_t all = 1;
    for (size_t i = 0; i < n; i++) {
        const int32_t totals[2] = { c[i].a_total, c[i].b_total };
        for (int k = 0; k < 2; k++)
            if (totals[k] > 0 && all <= FINEST)
                all = all / common(all, totals[k]) * totals[k];
    }
    return all <= FINEST ? all : FINEST;
}

/* The chance that the differences, each turned round or not by a coin, sum up to as much as they do; in either direction. `weights` are their sizes, `sum` is
 * what they come to. The distribution is made case by case: after each, at[t] is the chance that those which point upwards have sum t. */
static double turned_exactly(const int64_t *weights, size_t n, int64_t sum, enum mcnemar kind)
{
    int64_t all = 0, reached = 0;
    for (size_t i = 0; i < n; i++)
        all += weights[i];
    double *at = calloc((size_t)all + 1, sizeof *at), more = 0, same = 0;
    if (!at)
        die("no memory for %lld weights", (long long)all);
    at[0] = 1;
    for (size_t i = 0; i < n; i++) {
        reached += weights[i];
        for (int64_t t = reached; t >= 0; t--)
            at[t] = 0.5 * at[t] + (t >= weights[i] ? 0.5 * at[t - weights[i]] : 0);
    }
    for (int64_t t = 0; t <= all; t++) {
        int64_t to = llabs(2 * t - all);
        *(to > llabs(sum) ? &more : &same) += to >= llabs(sum) ? at[t] : 0;
    }
    free(at);
    return fmin(more + (kind == MCNEMAR_MID_P && sum ? same / 2 : same), 1);
}

static double turned_p(const struct case_score *c, size_t n, enum mcnemar kind)
{
    int64_t fine = fineness(c, n), sum = 0, all = 0;
    double squares = 0;
    size_t differ = 0;
    int64_t *weights = calloc(n ? n : 1, sizeof *weights);
    if (!weights)
        die("no memory for %zu cases", n);
    for (size_t i = 0; i < n; i++) {
        if (c[i].a_total <= 0 || c[i].b_total <= 0)
            continue;
        int64_t w = llround((double)fine * ((double)c[i].b_pass / c[i].b_total - (double)c[i].a_pass / c[i].a_total));
        sum += w;
        all += llabs(w);
        squares += (double)(w * w);
        if (w)
            weights[differ++] = llabs(w);
    }
    double p = 1;
    if (differ && (double)all * (double)differ <= WAYS_MOST)
        p = turned_exactly(weights, differ, sum, kind);
    else if (differ)
        p = 2 * normal_below(-fabs((double)sum) / sqrt(squares));
    free(weights);
    return p;
}

void cases_judge(const struct case_score *c, size_t n, const struct judge_rule *rule, struct verdict *out)
{
    const struct judge_rule *r = rule ? rule : &judge_usual;
    struct moments m = { 0 };
    for (size_t i = 0; i < n; i++)
        if (c[i].a_total > 0 && c[i].b_total > 0)
            add_case(&m, &c[i]);
    *out = (struct verdict){ .pairs = m.cases, .lo = -1, .hi = 1, .p = 1, .power = r->power, .a_pass = m.a_pass, .b_pass = m.b_pass,
        .a_total = m.a_answers, .b_total = m.b_answers, .a = { 0, 1 }, .b = { 0, 1 } };
    double cases = (double)m.cases, size = 0, only_a = 0, only_b = 0;
    if (m.cases) {
        double d = (m.b - m.a) / cases, differ = (m.only_a + m.only_b) / cases;
        out->difference = d;
        out->a_rate = m.a / cases;
        out->b_rate = m.b / cases;
        out->a = wilson_of_rate(out->a_rate, worth(out->a_rate * (1 - out->a_rate), m.a, m.aa, m.cases, m.a_answers), r->alpha);
        out->b = wilson_of_rate(out->b_rate, worth(out->b_rate * (1 - out->b_rate), m.b, m.bb, m.cases, m.b_answers), r->alpha);
        size = worth(differ - d * d, m.b - m.a, m.dd, m.cases, m.answers);
        only_a = m.only_a / cases * size;
        only_b = m.only_b / cases * size;
        struct interval i = tango_of(only_a, only_b, size, r->alpha);
        out->lo = i.lo;
        out->hi = i.hi;
        out->p = turned_p(c, n, r->mcnemar);
    }
    out->kind = verdict_read(out, r);
    if (out->kind == VERDICT_CANNOT_TELL) /* told in cases: each is worth more than one pair */
        out->needed = (int64_t)ceil((double)needed_after(only_a, only_b, size, r) * (size > 0 ? cases / size : 1));
}

/* ---- does it tell models apart? ---- */

const char *const case_names[CASE_KINDS] = {
    [CASE_TELLS] = "tells", [CASE_ALL_PASS] = "all pass", [CASE_ALL_FAIL] = "all fail", [CASE_ALIKE] = "alike", [CASE_EMPTY] = "empty" };

static bool same_rate(const struct cell *a, const struct cell *b)
{
    return (int64_t)a->pass * b->total == (int64_t)b->pass * a->total;
}

static enum case_kind kind_of(const struct cell *row, size_t models)
{
    const struct cell *first = NULL;
    size_t answered = 0;
    bool alike = true;
    for (size_t i = 0; i < models; i++) {
        if (row[i].total <= 0)
            continue;
        answered++;
        first = first ? first : &row[i];
        alike = alike && same_rate(first, &row[i]);
    }
    if (answered < 2)
        return CASE_EMPTY;
    return !alike ? CASE_TELLS : first->pass == first->total ? CASE_ALL_PASS : first->pass ? CASE_ALIKE : CASE_ALL_FAIL;
}

static int64_t differing(const struct cell *cells, size_t cases, size_t models, size_t a, size_t b)
{
    int64_t n = 0;
    for (size_t i = 0; i < cases; i++) {
        const struct cell *x = &cells[i * models + a], *y = &cells[i * models + b];
        n += x->total > 0 && y->total > 0 && !same_rate(x, y);
    }
    return n;
}

static double rate_of(const struct cell *cells, size_t cases, size_t models, size_t which) /* NaN: never answered */
{
    double sum = 0, n = 0;
    for (size_t i = 0; i < cases; i++) {
        const struct cell *x = &cells[i * models + which];
        sum += x->total > 0 ? (double)x->pass / x->total : 0;
        n += x->total > 0;
    }
    return sum / n;
}

void suite_discriminates(const struct cell *cells, size_t cases, size_t models, double alpha, enum case_kind *kinds, struct discrimination *out)
{
    *out = (struct discrimination){ .tells_least = (int64_t)ceil(1 - log2(alpha) - 1e-9), .lowest = NAN, .highest = NAN };
    for (size_t i = 0; i < cases; i++) {
        enum case_kind k = kind_of(&cells[i * models], models);
        out->counts[k]++;
        if (kinds)
            kinds[i] = k;
    }
    for (size_t a = 0; a < models; a++) {
        double rate = rate_of(cells, cases, models, a);
        out->lowest = fmin(out->lowest, rate); /* these pass over NaN */
        out->highest = fmax(out->highest, rate);
        for (size_t b = a + 1; b < models; b++) {
            int64_t n = differing(cells, cases, models, a, b);
            out->tells_most = n > out->tells_most ? n : out->tells_most;
        }
    }
    out->discriminates = out->tells_most >= out->tells_least;
}
