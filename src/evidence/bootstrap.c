/* Quantiles drawn again. Values are sorted once; a draw is then a count per rank, and its quantile is found by walking the counts: no draw is sorted. */
#include "evidence/bootstrap.h"

#include "base/err.h"
#include "evidence/chance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct bootstrap_rule bootstrap_usual = { .alpha = 0.05, .resamples = 2000, .kind = BOOTSTRAP_PERCENTILE };

enum { FEW_BEYOND = 5 };

/* One sample: its values in order, the rank of each, and how often each rank was drawn. */
struct sample {
    size_t n;
    double *sorted;
    uint32_t *rank, *drawn;
};

static void *take(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        die("no memory for %zu values", n);
    return p;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct ranked {
    double value; /* first: compare() looks here */
    uint32_t from;
};

static void sample_init(struct sample *s, const double *values, size_t n)
{
    if (n > BOOTSTRAP_MAX)
        die("bootstrap: %zu values", n);
    struct ranked *order = take(n, sizeof *order);
    *s = (struct sample){ .n = n, .sorted = take(n, sizeof(double)), .rank = take(n, sizeof(uint32_t)), .drawn = take(n, sizeof(uint32_t)) };
    for (size_t i = 0; i < n; i++)
        order[i] = (struct ranked){ values[i], (uint32_t)i };
    qsort(order, n, sizeof *order, compare);
    for (size_t i = 0; i < n; i++) {
        s->sorted[i] = order[i].value;
        s->rank[order[i].from] = (uint32_t)i;
    }
    free(order);
}

static void sample_fini(struct sample *s)
{
    free(s->sorted);
    free(s->rank);
    free(s->drawn);
}

/* ---- quantiles ---- */

/* Between which two places of n the quantile lies, and how far from the first. */
struct place {
    size_t at;
    double share;
};

static struct place place_of(size_t n, double q)
{
    double h = (double)(n - 1) * q, at = floor(h + 1e-9); /* (n - 1) * 0.95 is whole for n = 21, and rounding must not say else */
    return (struct place){ (size_t)at, fmax(h - at, 0) };
}

static double between(double a, double b, double share)
{
    return share > 1e-9 ? a + (b - a) * share : a;
}

double quantile_of(const double *sorted, size_t n, double q)
{
    struct place p = place_of(n, q);
    return between(sorted[p.at], sorted[p.at + 1 < n ? p.at + 1 : p.at], p.share);
}

/* Of what was drawn. */
static double quantile_drawn(const struct sample *s, double q)
{
    struct place p = place_of(s->n, q);
    size_t seen = 0, rank = 0;
    for (; rank < s->n && seen + s->drawn[rank] <= p.at; rank++)
        seen += s->drawn[rank];
    double first = s->sorted[rank];
    if (seen + s->drawn[rank] > p.at + 1 || p.at + 1 >= s->n)
        return first;
    for (rank++; rank < s->n && !s->drawn[rank];)
        rank++;
    return between(first, s->sorted[rank], p.share);
}

/* Of all but the value of that rank. */
static double quantile_without(const struct sample *s, size_t rank, double q)
{
    struct place p = place_of(s->n - 1, q);
    size_t next = p.at + 1 < s->n - 1 ? p.at + 1 : p.at;
    return between(s->sorted[p.at + (p.at >= rank)], s->sorted[next + (next >= rank)], p.share);
}

/* ---- draws ---- */

/* What is estimated: b's quantile, less a's where there is an a. */
struct question {
    struct sample *a, *b;
    bool paired;
    double q;
};

static double draw(const struct question *w, struct dice *dice)
{
    struct sample *b = w->b, *a = w->a;
    memset(b->drawn, 0, b->n * sizeof *b->drawn);
    if (a)
        memset(a->drawn, 0, a->n * sizeof *a->drawn);
    for (size_t i = 0; i < b->n; i++) {
        uint32_t which = dice_below(dice, (uint32_t)b->n);
        b->drawn[b->rank[which]]++;
        if (w->paired)
            a->drawn[a->rank[which]]++;
    }
    for (size_t i = 0; a && !w->paired && i < a->n; i++)
        a->drawn[dice_below(dice, (uint32_t)a->n)]++;
    return quantile_drawn(b, w->q) - (a ? quantile_drawn(a, w->q) : 0);
}

static double as_measured(const struct question *w)
{
    return quantile_of(w->b->sorted, w->b->n, w->q) - (w->a ? quantile_of(w->a->sorted, w->a->n, w->q) : 0);
}

/* ---- BCa ---- */

/* Sums of the third and second powers of the influences; a sixth of their ratio is the acceleration. */
static void add_influences(const double *left_out, size_t n, double sign, double *cubes, double *squares)
{
    double mean = 0;
    for (size_t i = 0; i < n; i++)
        mean += left_out[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        double d = sign * (mean - left_out[i]) * (double)(n - 1) / (double)n; /* scaled, so that samples of two sizes add up */
        *cubes += d * d * d;
        *squares += d * d;
    }
}

static double acceleration(const struct question *w)
{
    const struct sample *a = w->a, *b = w->b;
    double cubes = 0, squares = 0;
    if (b->n < 3 || (a && a->n < 3))
        return 0;
    double *left_out = take(a && a->n > b->n ? a->n : b->n, sizeof *left_out);
    for (size_t i = 0; i < b->n; i++)
        left_out[i] = quantile_without(b, b->rank[i], w->q) - (w->paired ? quantile_without(a, a->rank[i], w->q) : 0);
    add_influences(left_out, b->n, 1, &cubes, &squares);
    for (size_t i = 0; a && !w->paired && i < a->n; i++)
        left_out[i] = quantile_without(a, i, w->q);
    if (a && !w->paired)
        add_influences(left_out, a->n, -1, &cubes, &squares);
    free(left_out);
    return squares > 0 ? cubes / (6 * pow(squares, 1.5)) : 0;
}

/* At which share of the draws a limit lies that would be at `p` without bias and skewness. */
static double corrected(double p, double bias, double accel)
{
    double z = bias + normal_quantile(p);
    return normal_below(bias + z / (1 - accel * z));
}

static double bias_of(const double *draws, size_t n, double value)
{
    double below = 0;
    for (size_t i = 0; i < n; i++)
        below += draws[i] < value ? 1 : draws[i] == value ? 0.5 : 0;
    return normal_quantile(fmin(fmax(below / (double)n, 0.5 / (double)n), 1 - 0.5 / (double)n));
}

/* ---- estimates ---- */

static struct quantile estimate(const struct question *w, const struct bootstrap_rule *rule, struct dice *dice)
{
    const struct bootstrap_rule *r = rule ? rule : &bootstrap_usual;
    size_t n = r->resamples > 1 ? (size_t)r->resamples : 1, least = w->a && w->a->n < w->b->n ? w->a->n : w->b->n;
    struct quantile e = { .value = as_measured(w), .weak = (double)least * fmin(w->q, 1 - w->q) < FEW_BEYOND - 1e-9 };
    double *draws = take(n, sizeof *draws), lo = r->alpha / 2, hi = 1 - lo;
    for (size_t i = 0; i < n; i++)
        draws[i] = draw(w, dice);
    if (r->kind == BOOTSTRAP_BCA) {
        double bias = bias_of(draws, n, e.value), accel = acceleration(w);
        lo = corrected(lo, bias, accel);
        hi = corrected(hi, bias, accel);
    }
    qsort(draws, n, sizeof *draws, compare);
    e.lo = quantile_of(draws, n, lo);
    e.hi = quantile_of(draws, n, hi);
    free(draws);
    return e;
}

static const struct quantile nothing = { NAN, NAN, NAN, true };

struct quantile bootstrap_quantile(const double *values, size_t n, double q, const struct bootstrap_rule *rule, struct dice *dice)
{
    struct sample s;
    if (!n)
        return nothing;
    sample_init(&s, values, n);
    struct quantile e = estimate(&(struct question){ .b = &s, .q = q }, rule, dice);
    sample_fini(&s);
    return e;
}

static struct quantile of_two(const double *a, size_t na, const double *b, size_t nb, double q, const struct bootstrap_rule *rule, struct dice *dice, bool paired)
{
    struct sample x, y;
    if (!na || !nb)
        return nothing;
    sample_init(&x, a, na);
    sample_init(&y, b, nb);
    struct quantile e = estimate(&(struct question){ .a = &x, .b = &y, .q = q, .paired = paired }, rule, dice);
    sample_fini(&x);
    sample_fini(&y);
    return e;
}

struct quantile bootstrap_paired(const double *a, const double *b, size_t n, double q, const struct bootstrap_rule *rule, struct dice *dice)
{
    return of_two(a, n, b, n, q, rule, dice, true);
}

struct quantile bootstrap_unpaired(const double *a, size_t na, const double *b, size_t nb, double q, const struct bootstrap_rule *rule, struct dice *dice)
{
    return of_two(a, na, b, nb, q, rule, dice, false);
}
