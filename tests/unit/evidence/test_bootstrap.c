/* Bootstrapped medians have a closed form: the draw's median is at most the k-th of n values (n odd) when at least (n + 1) / 2 of n draws are among the first k,
 * which has binomial chances (J. S. Maritz and R. G. Jarrett, JASA 73, 1978). */
#include "evidence/bootstrap.h"

#include "base/str.h"
#include "evidence/chance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static double exponential(struct dice *d)
{
    return -log(1 - dice_unit(d));
}

static void test_quantiles_as_type_seven(void **state)
{
    static const double v[] = { 1, 2, 4, 8, 16 };
    static const double rows[][2] = { { 0, 1 }, { 0.5, 4 }, { 0.95, 14.4 }, { 1, 16 }, { 0.125, 1.5 } }; /* numpy.quantile(v, q) */
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_true(fabs(quantile_of(v, 5, rows[i][0]) - rows[i][1]) < 1e-12);
    assert_true(quantile_of(v, 1, 0.95) == 1);
}

/* 20,000 draws: their shares are right to half a percent, and no step of these sizes has one so near to its limit. */
static void test_the_median_has_its_exact_distribution(void **state)
{
    static const size_t sizes[] = { 9, 15, 21, 41 };
    struct dice dice = dice_of(31);
    const struct bootstrap_rule rule = { .alpha = 0.1, .resamples = 20000 };
    double values[41];
    (void)state;
    for (size_t s = 0; s < COUNTOF(sizes); s++) {
        size_t n = sizes[s];
        for (size_t i = 0; i < n; i++)
            values[i] = (double)((i * 8) % n); /* each of 0 … n - 1 once */
        struct quantile e = bootstrap_quantile(values, n, 0.5, &rule, &dice);
        assert_true(e.value == (double)(n / 2));
        const double limits[] = { e.lo, e.hi }, shares[] = { 0.05, 0.95 };
        for (int i = 0; i < 2; i++) {
            double k = floor(limits[i]) + 1, below = binomial_at_least((int64_t)(n + 1) / 2, (int64_t)n, (k - 1) / (double)n),
                   to = binomial_at_least((int64_t)(n + 1) / 2, (int64_t)n, k / (double)n);
            assert_true(below <= shares[i] + 0.008 && to >= shares[i] - 0.008);
        }
    }
}

static void test_the_same_seed_draws_the_same(void **state)
{
    double v[50];
    struct dice dice = dice_of(32), a = dice_of(33), b = dice_of(33);
    (void)state;
    for (size_t i = 0; i < COUNTOF(v); i++)
        v[i] = exponential(&dice);
    struct quantile x = bootstrap_quantile(v, COUNTOF(v), 0.95, NULL, &a), y = bootstrap_quantile(v, COUNTOF(v), 0.95, NULL, &b);
    assert_true(x.lo == y.lo && x.hi == y.hi && x.value == y.value && x.weak);
    assert_true(dice_bits(&a) == dice_bits(&b));
}

static void test_nothing_is_no_estimate(void **state)
{
    struct dice dice = dice_of(34);
    double one = 3;
    (void)state;
    assert_true(isnan(bootstrap_quantile(NULL, 0, 0.5, NULL, &dice).value));
    assert_true(isnan(bootstrap_unpaired(&one, 1, NULL, 0, 0.5, NULL, &dice).lo));
    struct quantile e = bootstrap_paired(&one, &one, 1, 0.5, NULL, &dice);
    assert_true(e.value == 0 && e.lo == 0 && e.hi == 0 && e.weak);
}

/* What the machine did meanwhile is in both times of a pair: drawn together it falls out. */
static void test_pairs_take_the_machine_out(void **state)
{
    double a[200], b[200];
    struct dice dice = dice_of(35);
    (void)state;
    for (size_t i = 0; i < COUNTOF(a); i++) {
        double machine = 10 * dice_unit(&dice);
        a[i] = 5 + machine + 0.1 * exponential(&dice);
        b[i] = 6 + machine + 0.1 * exponential(&dice);
    }
    struct quantile paired = bootstrap_paired(a, b, 200, 0.5, NULL, &dice), loose = bootstrap_unpaired(a, 200, b, 200, 0.5, NULL, &dice);
    assert_true(paired.lo > 0.5 && paired.hi < 1.5 && !paired.weak);
    assert_true((loose.hi - loose.lo) > 2 * (paired.hi - paired.lo));
}

/* 95 % intervals of the median of exponential times hold log 2; 600 samples of 41, all limits six standard deviations away from 95 %. */
static void test_intervals_hold_the_truth(void **state)
{
    static const enum bootstrap_kind kinds[] = { BOOTSTRAP_PERCENTILE, BOOTSTRAP_BCA };
    struct dice dice = dice_of(36);
    (void)state;
    for (size_t k = 0; k < COUNTOF(kinds); k++) {
        const struct bootstrap_rule rule = { .alpha = 0.05, .resamples = 400, .kind = kinds[k] };
        int held = 0;
        for (int t = 0; t < 600; t++) {
            double v[41];
            for (size_t i = 0; i < COUNTOF(v); i++)
                v[i] = exponential(&dice);
            struct quantile e = bootstrap_quantile(v, COUNTOF(v), 0.5, &rule, &dice);
            held += e.lo <= log(2) && log(2) <= e.hi;
        }
        assert_true(held >= 600 * 0.95 - 6 * sqrt(600 * 0.05 * 0.95));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles_as_type_seven),
        cmocka_unit_test(test_the_median_has_its_exact_distribution),
        cmocka_unit_test(test_the_same_seed_draws_the_same),
        cmocka_unit_test(test_nothing_is_no_estimate),
        cmocka_unit_test(test_pairs_take_the_machine_out),
        cmocka_unit_test(test_intervals_hold_the_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
