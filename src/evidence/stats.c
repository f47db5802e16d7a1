/* Intervals and tests for counts of passes. */
#include "evidence/stats.h"

#include "base/err.h"
#include "evidence/chance.h"
#include "evidence/stats_int.h"

#include <math.h>

static double clamp(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

struct interval wilson_of_rate(double rate, double total, double alpha)
{
    if (!(total > 0))
        return (struct interval){ 0, 1 };
    double z = normal_quantile(1 - alpha / 2), z2 = z * z / total;
    double middle = (rate + z2 / 2) / (1 + z2), half = sqrt(z2 * (rate * (1 - rate) + z2 / 4)) / (1 + z2);
    /* At the ends the formula says 0 and 1 but for rounding. */
    return (struct interval){ rate > 0 ? fmax(middle - half, 0) : 0, rate < 1 ? fmin(middle + half, 1) : 1 };
}

struct interval wilson_interval(int64_t pass, int64_t total, double alpha)
{
    return wilson_of_rate(total > 0 ? (double)pass / (double)total : 0, (double)total, alpha);
}

struct interval unpaired_interval(int64_t a_pass, int64_t a_total, int64_t b_pass, int64_t b_total, double alpha)
{
    if (a_total <= 0 || b_total <= 0)
        return (struct interval){ -1, 1 };
    struct interval a = wilson_interval(a_pass, a_total, alpha), b = wilson_interval(b_pass, b_total, alpha);
    double pa = (double)a_pass / (double)a_total, pb = (double)b_pass / (double)b_total, d = pb - pa;
    return (struct interval){ d - hypot(pb - b.lo, a.hi - pa), d + hypot(b.hi - pb, pa - a.lo) };
}

/* ---- pairs ---- */

/* The score statistic: what is observed, less what the hypothesis expects, by the standard deviation that it implies. That needs the chance q that only a
 * passes, which the hypothesis leaves open: its likeliest value under it is the larger root of a quadratic. */
double tango_score(double only_a, double only_b, double total, double delta)
{
    double a = 2 * total, b = (2 * total - only_b + only_a) * delta - only_a - only_b, c = -only_a * delta * (1 - delta);
    double root = sqrt(fmax(b * b - 4 * a * c, 0));
    double q = b <= 0 ? (root - b) / (2 * a) : -2 * c / (root + b); /* the same root; the other form would cancel */
    double excess = only_b - only_a - total * delta, variance = total * (2 * fmax(q, fmax(0, -delta)) + delta * (1 - delta));
    return excess == 0 ? 0 : variance > 0 ? excess / sqrt(variance) : copysign(INFINITY, excess);
}

/* Where the score, which falls as delta grows, passes `want`. */
static double score_crosses(double only_a, double only_b, double total, double want, double lo, double hi)
{
    for (int i = 0; i < 100; i++) {
        double middle = (lo + hi) / 2;
        if (middle == lo || middle == hi)
            break;
        *(tango_score(only_a, only_b, total, middle) > want ? &lo : &hi) = middle;
    }
    return (lo + hi) / 2;
}

struct interval tango_of(double only_a, double only_b, double total, double alpha)
{
    if (!(total > 0))
        return (struct interval){ -1, 1 };
    double z = normal_quantile(1 - alpha / 2), d = clamp((only_b - only_a) / total, -1, 1);
    return (struct interval){ d <= -1 ? -1 : score_crosses(only_a, only_b, total, z, -1, d), d >= 1 ? 1 : score_crosses(only_a, only_b, total, -z, d, 1) };
}

struct interval pairs_interval(const struct pairs *p, double alpha)
{
    return tango_of((double)p->only_a, (double)p->only_b, (double)pairs_total(p), alpha);
}

double pairs_p(const struct pairs *p, enum mcnemar kind)
{
    int64_t n = p->only_a + p->only_b, least = p->only_a < p->only_b ? p->only_a : p->only_b;
    double twice = 2 * binomial_at_most(least, n, 0.5);
    if (kind == MCNEMAR_MID_P)
        twice -= binomial_at(least, n, 0.5);
    return fmin(twice, 1);
}

/* ---- several suites ---- */

void holm_adjust(const double *p, size_t n, double *adjusted)
{
    enum { MOST = 1024 };
    if (n > MOST)
        die("holm_adjust: %zu claims", n);
    size_t order[MOST];
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at && p[order[at - 1]] > p[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    double least = 0;
    for (size_t i = 0; i < n; i++)
        adjusted[order[i]] = least = fmax(least, fmin(1, (double)(n - i) * p[order[i]]));
}
