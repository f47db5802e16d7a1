/* Distributions against values to 17 digits: mpmath with 40 digits (erfc, the incomplete beta, roots of their logarithms), those of a million trials by SciPy. */
#include "evidence/chance.h"

#include "base/str.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void near(const char *what, size_t i, double got, double want, double relative)
{
    if (fabs(got - want) <= relative * fabs(want) || got == want)
        return;
    fprintf(stderr, "%s, row %zu: %.17g, not %.17g\n", what, i, got, want);
    fail();
}

static void test_the_normal_distribution(void **state)
{
    static const double below[][2] = { { -10, 7.6198530241605261e-24 }, { -3, 0.0013498980316300945 }, { -1, 0.15865525393145705 }, { 0, 0.5 },
        { 0.5, 0.6914624612740131 }, { 1.6448536269514722, 0.95 }, { 5, 0.99999971334842812 } };
    static const double quantiles[][2] = { { 1e-300, -37.047096299361199 }, { 1e-10, -6.3613409024040562 }, { 0.001, -3.0902323061678135 },
        { 0.025, -1.9599639845400542 }, { 0.4, -0.2533471031357998 }, { 0.8, 0.84162123357291421 }, { 0.975, 1.9599639845400542 },
        { 0.999999, 4.7534243088228989 } };
    (void)state;
    for (size_t i = 0; i < COUNTOF(below); i++)
        near("below", i, normal_below(below[i][0]), below[i][1], 1e-13);
    for (size_t i = 0; i < COUNTOF(quantiles); i++)
        near("quantile", i, normal_quantile(quantiles[i][0]), quantiles[i][1], 1e-11);
    assert_true(fabs(normal_quantile(0.5)) < 1e-12);
    assert_true(isinf(normal_quantile(0)) && normal_quantile(0) < 0 && isinf(normal_quantile(1)) && isnan(normal_quantile(NAN)));
}

static void test_the_binomial_distribution(void **state)
{
    static const struct { int64_t k, n; double p, at, most, least; } rows[] = {
        { 0, 1, 0.5, 0.5, 0.5, 1.0 },
        { 3, 10, 0.5, 0.1171875, 0.171875, 0.9453125 },
        { 5, 20, 0.5, 0.0147857666015625, 0.020694732666015625, 0.99409103393554688 },
        { 40, 2000, 0.0282, 0.0041661194282161909, 0.012645186224943857, 0.99152093320327233 },
        { 10, 500, 0.06, 1.0110237431074927e-5, 1.4559587192606324e-5, 0.99999555065023847 },
        { 1, 1000, 0.05, 2.7851698672342356e-21, 2.8380880947116861e-21, 1.0 },
        { 499900, 1000000, 0.5, 0.0007820852079670103, 0.4211313785258083, 0.5796507066821627 },
        { 20, 1000000, 0.0001, 1.5241990672520505e-22, 1.899451823771868e-22, 1.0 },
        { 950, 1000, 0.9, 3.208457329918837e-09, 0.9999999972132897, 5.995167632379592e-09 },
        { -1, 10, 0.3, 0, 0, 1 }, { 11, 10, 0.3, 0, 1, 0 }, { 10, 10, 0.5, 0x1p-10, 1, 0x1p-10 }, { 0, 10, 0, 1, 1, 1 }, { 3, 10, 1, 0, 0, 1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        near("at", i, binomial_at(rows[i].k, rows[i].n, rows[i].p), rows[i].at, 1e-10);
        near("at most", i, binomial_at_most(rows[i].k, rows[i].n, rows[i].p), rows[i].most, 1e-10);
        near("at least", i, binomial_at_least(rows[i].k, rows[i].n, rows[i].p), rows[i].least, 1e-10);
    }
}

static void test_bounds_of_a_rate(void **state)
{
    static const struct { int64_t k, n; double tail, upper; } rows[] = {
        { 0, 10, 0.025, 0.30849710781876082 }, { 5, 20, 0.025, 0.49104587170795754 }, { 40, 2000, 0.01, 0.02854912794059331 },
        { 10, 500, 9.3132257461547852e-10, 0.084541820149142543 }, { 7, 7, 0.1, 1 } };
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        near("upper", i, binomial_upper(rows[i].k, rows[i].n, rows[i].tail), rows[i].upper, 1e-11);
        near("lower", i, binomial_lower(rows[i].n - rows[i].k, rows[i].n, rows[i].tail), 1 - rows[i].upper, 1e-10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_normal_distribution),
        cmocka_unit_test(test_the_binomial_distribution),
        cmocka_unit_test(test_bounds_of_a_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
