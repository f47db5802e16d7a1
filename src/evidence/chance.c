/* The binomial after C. Loader ("Fast and accurate computation of binomial probabilities", 2000): differences of large logarithms would lose what is
 * looked for, so that n! is Stirling's formula with its remainder, and the rest a deviance. Tails are the incomplete beta's continued fraction. */
#include "evidence/chance.h"

#include <math.h>
#include <stdbool.h>

static const double SQRT_HALF = 0.70710678118654752440, LOG_SQRT_2PI = 0.91893853320467274178;

double normal_below(double z)
{
    return 0.5 * erfc(-z * SQRT_HALF);
}

/* A first guess to 4.5e-4 (Abramowitz and Stegun 26.2.23), then Halley's steps with the exact function: each triples the digits. */
double normal_quantile(double p)
{
    if (!(p > 0 && p < 1))
        return p >= 1 ? INFINITY : p <= 0 ? -INFINITY : NAN;
    double tail = p < 0.5 ? p : 1 - p, t = sqrt(-2 * log(tail));
    double x = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    for (int i = 0; i < 3; i++) { /* P(Z > x) = tail */
        double density = exp(-x * x / 2 - LOG_SQRT_2PI);
        double step = (tail - 0.5 * erfc(x * SQRT_HALF)) / density;
        x -= step / (1 + x * step / 2);
    }
    return p < 0.5 ? -x : x;
}

/* ---- binomial ---- */

/* log(n!) - log(sqrt(2 pi n) (n/e)^n) */
static double stirling_rest(double n)
{
    if (n < 16)
        return lgamma(n + 1) - (n + 0.5) * log(n) + n - LOG_SQRT_2PI;
    double r = 1 / (n * n);
    return (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r * (1.0 / 1680 - r * (1.0 / 1188 - r * 691.0 / 360360))))) / n;
}

/* x log(x/m) + m - x, without loss where x is near m. */
static double deviance(double x, double m)
{
    if (fabs(x - m) >= 0.1 * (x + m))
        return x * log(x / m) + m - x;
    double v = (x - m) / (x + m), sum = (x - m) * v, term = 2 * x * v;
    for (int j = 3; j < 1000; j += 2) {
        term *= v * v;
        double next = sum + term / j;
        if (next == sum)
            break;
        sum = next;
    }
    return sum;
}

double binomial_at(int64_t k, int64_t n, double p)
{
    if (k < 0 || k > n)
        return 0;
    if (p <= 0 || p >= 1)
        return (p <= 0 ? k == 0 : k == n) ? 1 : 0;
    double x = (double)k, y = (double)(n - k), all = (double)n;
    if (!k)
        return exp(all * log1p(-p));
    if (k == n)
        return exp(all * log(p));
    double rest = stirling_rest(all) - stirling_rest(x) - stirling_rest(y);
    return exp(rest - deviance(x, all * p) - deviance(y, all * (1 - p)) + 0.5 * log(all / (x * y)) - LOG_SQRT_2PI);
}

/* Lentz's evaluation of the fraction in Abramowitz and Stegun 26.5.8; quick for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    static const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m < 100000; m++) {
        for (int odd = 0; odd < 2; odd++) {
            double e = odd ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)) : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
            d = 1 + e * d;
            c = 1 + e / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            f *= c * d;
        }
        if (fabs(c * d - 1) < 1e-15)
            break;
    }
    return f;
}

/* P(X >= k), 1 <= k <= n, 0 < p < 1: the incomplete beta I_p(k, n - k + 1), from the side on which the fraction is quick. */
static double upper_tail(int64_t k, int64_t n, double p)
{
    double a = (double)k, b = (double)(n - k + 1);
    if (p < (a + 1) / (a + b + 2))
        return binomial_at(k, n, p) * (1 - p) * beta_fraction(a, b, p);
    return 1 - binomial_at(k - 1, n, p) * p * beta_fraction(b, a, 1 - p);
}

static double lower_tail(int64_t k, int64_t n, double p) /* P(X <= k), 0 <= k < n: that n - X is at least n - k */
{
    double a = (double)(n - k), b = (double)(k + 1);
    if (1 - p < (a + 1) / (a + b + 2))
        return binomial_at(k, n, p) * p * beta_fraction(a, b, 1 - p);
    return 1 - binomial_at(k + 1, n, p) * (1 - p) * beta_fraction(b, a, p);
}

double binomial_at_least(int64_t k, int64_t n, double p)
{
    if (k <= 0 || (k <= n && p >= 1))
        return 1;
    return k > n || p <= 0 ? 0 : upper_tail(k, n, p);
}

double binomial_at_most(int64_t k, int64_t n, double p)
{
    if (k >= n || (k >= 0 && p <= 0))
        return 1;
    return k < 0 || p >= 1 ? 0 : lower_tail(k, n, p);
}

/* Newton's steps on the logarithm of the tail, which is concave, kept between bounds that are known to enclose it. */
double binomial_upper(int64_t k, int64_t n, double tail)
{
    if (k >= n)
        return 1;
    if (k < 0)
        return 0;
    double lo = 0, hi = 1, p = ((double)k + 1) / ((double)n + 1);
    for (int i = 0; i < 200; i++) {
        double at = binomial_at_most(k, n, p), slope = (double)n * binomial_at(k, n - 1, p);
        *(at > tail ? &lo : &hi) = p;
        double next = slope > 0 && at > 0 ? p + at / slope * log(at / tail) : -1;
        if (!(next > lo && next < hi))
            next = (lo + hi) / 2;
        if (fabs(next - p) <= 1e-15 * p || next == lo || next == hi)
            return next;
        p = next;
    }
    return p;
}

double binomial_lower(int64_t k, int64_t n, double tail)
{
    return k <= 0 ? 0 : 1 - binomial_upper(n - k, n, tail);
}
