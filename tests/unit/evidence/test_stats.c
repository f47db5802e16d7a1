/* Intervals and tests against published values; verdicts and their numbers against what they claim, by counting all outcomes or by simulation.
 * Limits of the simulations are such that a right program passes all but once in a million. */
#include "evidence/stats.h"

#include "base/str.h"
#include "evidence/chance.h"
#include "evidence/dice.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void near(const char *what, size_t i, double got, double want, double by)
{
    if (fabs(got - want) <= by)
        return;
    fprintf(stderr, "%s, row %zu: %.9g, not %.9g\n", what, i, got, want);
    fail();
}

/* R. G. Newcombe, Stat. Med. 17 (1998) 857-872, table I, method 3. */
static void test_wilson_as_newcombe_has_it(void **state)
{
    static const struct { int64_t pass, total; double lo, hi; } rows[] = {
        { 81, 263, 0.2553, 0.3662 }, { 15, 148, 0.0624, 0.1605 }, { 0, 20, 0, 0.1611 }, { 1, 29, 0.0061, 0.1718 }, { 20, 20, 1 - 0.1611, 1 }, { 0, 0, 0, 1 } };
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct interval w = wilson_interval(rows[i].pass, rows[i].total, 0.05);
        near("wilson lo", i, w.lo, rows[i].lo, 5.1e-5);
        near("wilson hi", i, w.hi, rows[i].hi, 5.1e-5);
    }
}

/* R. G. Newcombe, Stat. Med. 17 (1998) 873-890, table II, method 10; b first there. */
static void test_unpaired_as_newcombe_has_it(void **state)
{
    static const struct { int64_t b, nb, a, na; double lo, hi; } rows[] = {
        { 56, 70, 48, 80, 0.0524, 0.3339 }, { 9, 10, 3, 10, 0.1705, 0.8090 }, { 6, 7, 2, 7, 0.0582, 0.8062 }, { 5, 56, 0, 29, -0.0381, 0.1926 },
        { 0, 10, 0, 20, -0.1611, 0.2775 }, { 0, 10, 0, 10, -0.2775, 0.2775 }, { 10, 10, 0, 20, 0.6791, 1 }, { 10, 10, 0, 10, 0.6075, 1 } };
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct interval w = unpaired_interval(rows[i].a, rows[i].na, rows[i].b, rows[i].nb, 0.05);
        near("unpaired lo", i, w.lo, rows[i].lo, 5.1e-5);
        near("unpaired hi", i, w.hi, rows[i].hi, 5.1e-5);
    }
}

/* Studies of Bentur (2009) and Cavo (2012): exact and mid-p of McNemar from M. W. Fagerland, S. Lydersen, P. Laake, BMC Med. Res. Methodol. 13:91 (2013), to three
 * digits there. Intervals of all rows: the score by a direct maximisation of the likelihood under the hypothesis, its limits by Brent's method (SciPy). */
static void test_pairs_as_published(void **state)
{
    static const struct { struct pairs p; double lo, hi, exact, mid; } rows[] = {
        { { 1, 1, 7, 12 }, 0.026003, 0.517232, 0.070313, 0.039063 },
        { { 59, 6, 16, 80 }, 0.005433, 0.124023, 0.052479, 0.034690 },
        { { 43, 0, 1, 0 }, -0.059393, 0.118077, 1, 0.5 },
        { { 20, 12, 2, 16 }, -0.344709, -0.061112, 0.012939, 0.007385 },
        { { 80, 40, 20, 20 }, -0.218064, -0.030865, 0.013489, 0.009853 },
        { { 20, 0, 0, 0 }, -0.161125, 0.161125, 1, 1 },
        { { 15, 5, 0, 0 }, -0.468701, -0.048594, 0.0625, 0.03125 },
        { { 12, 4, 4, 0 }, -0.282890, 0.282890, 1, 1 },
        { { 90, 10, 0, 0 }, -0.174366, -0.055229, 0.001953, 0.000977 },
    };
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct interval w = pairs_interval(&rows[i].p, 0.05);
        near("tango lo", i, w.lo, rows[i].lo, 1.1e-6);
        near("tango hi", i, w.hi, rows[i].hi, 1.1e-6);
        near("exact", i, pairs_p(&rows[i].p, MCNEMAR_EXACT), rows[i].exact, 5.1e-7);
        near("mid-p", i, pairs_p(&rows[i].p, MCNEMAR_MID_P), rows[i].mid, 5.1e-7);
    }
}

static void test_limits_lie_where_the_score_is_z(void **state)
{
    double z = normal_quantile(0.975);
    (void)state;
    for (int a = 0; a <= 12; a++)
        for (int b = 0; a + b <= 12; b++) {
            struct pairs p = { .both = 12 - a - b, .only_a = a, .only_b = b };
            struct interval w = pairs_interval(&p, 0.05);
            struct pairs turned = { .both = p.both, .only_a = b, .only_b = a };
            struct interval t = pairs_interval(&turned, 0.05);
            assert_true(w.lo >= -1 && w.hi <= 1 && w.lo <= (b - a) / 12.0 && w.hi >= (b - a) / 12.0);
            near("turned", (size_t)a, t.lo, -w.hi, 1e-9);
            if (w.lo > -1)
                near("score at lo", (size_t)a, tango_score(a, b, 12, w.lo), z, 1e-6);
            if (w.hi < 1)
                near("score at hi", (size_t)b, tango_score(a, b, 12, w.hi), -z, 1e-6);
        }
}

static void test_verdicts(void **state)
{
    static const struct { struct pairs p; enum verdict_kind kind; } rows[] = {
        { { 0, 0, 0, 0 }, VERDICT_CANNOT_TELL }, { { 20, 0, 0, 0 }, VERDICT_CANNOT_TELL }, { { 0, 0, 0, 20 }, VERDICT_CANNOT_TELL },
        { { 15, 5, 0, 0 }, VERDICT_CANNOT_TELL }, /* p 0.0625 */
        { { 14, 6, 0, 0 }, VERDICT_WORSE }, { { 14, 0, 6, 0 }, VERDICT_BETTER }, { { 15, 0, 5, 0 }, VERDICT_NOT_WORSE }, { { 90, 10, 0, 0 }, VERDICT_WORSE },
        { { 100, 0, 0, 0 }, VERDICT_NOT_WORSE }, { { 150, 2, 2, 0 }, VERDICT_NOT_WORSE }, { { 12, 4, 4, 0 }, VERDICT_CANNOT_TELL },
        { { 10000, 200, 100, 0 }, VERDICT_NOT_WORSE }, /* a point worse without doubt, and within the margin */
    };
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct verdict v;
        pairs_judge(&rows[i].p, NULL, &v);
        if (v.kind != rows[i].kind)
            fprintf(stderr, "row %zu: %s, not %s\n", i, verdict_names[v.kind], verdict_names[rows[i].kind]);
        assert_int_equal(v.kind, rows[i].kind);
        assert_int_equal(v.needed > 0, v.kind == VERDICT_CANNOT_TELL);
        assert_true(!v.needed || v.needed > v.pairs);
    }
}

static double tell_rate(int64_t pairs, double discordance, double difference, int trials, struct dice *dice)
{
    struct judge_rule quick = judge_usual;
    int told = 0;
    quick.power = 0; /* nobody asks how many would do */
    for (int t = 0; t < trials; t++) {
        struct pairs p = { 0 };
        struct verdict v;
        for (int64_t i = 0; i < pairs; i++) {
            double u = dice_unit(dice);
            *(u < (discordance + difference) / 2 ? &p.only_b : u < discordance ? &p.only_a : &p.both) += 1;
        }
        pairs_judge(&p, &quick, &v);
        told += v.kind != VERDICT_CANNOT_TELL;
    }
    return (double)told / trials;
}

/* 4000 trials: five standard deviations are 0.04 at most. */
static void test_power_is_how_often_it_tells(void **state)
{
    static const struct { double discordance, difference; int64_t n; } rows[] = {
        { 0.024, 0, 142 }, { 0.2, 0, 400 }, { 0.3, -0.2, 60 }, { 0.1, -0.1, 60 }, { 0.3, 0.1, 80 }, { 0.1, -0.04, 300 } };
    struct dice dice = dice_of(11);
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++)
        near("power", i, tell_rate(rows[i].n, rows[i].discordance, rows[i].difference, 4000, &dice),
            pairs_power(rows[i].n, rows[i].discordance, rows[i].difference, NULL), 0.04);
}

static void test_needed_pairs_have_the_power(void **state)
{
    static const struct { double discordance, difference; } rows[] = {
        { 0.024, 0 }, { 0.1, 0 }, { 0.3, 0 }, { 0.3, -0.2 }, { 0.1, -0.1 }, { 0.3, 0.1 }, { 0.2, -0.025 }, { 0.02, 0.02 }, { 0.95, -0.03 } };
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        int64_t n = pairs_needed(rows[i].discordance, rows[i].difference, NULL);
        assert_true(n > 0);
        assert_true(pairs_power(n, rows[i].discordance, rows[i].difference, NULL) >= 0.8);
        assert_true(n < 10 || pairs_power(n * 3 / 4, rows[i].discordance, rows[i].difference, NULL) < 0.8);
    }
    struct judge_rule none = judge_usual;
    none.margin = 0;
    assert_int_equal(pairs_needed(0.2, 0, &none), 0); /* alike, and no margin: no number would do */
}

/* 10,000 gates on 20 pairs with a model that is 25 points worse, from "loses a quarter" to "half of all differ". */
static void test_a_gate_of_twenty_pairs_lets_no_bad_model_pass(void **state)
{
    static const double discordances[] = { 0.25, 0.35, 0.5, 0.75 };
    struct judge_rule quick = judge_usual;
    struct dice dice = dice_of(12);
    quick.power = 0;
    (void)state;
    for (size_t d = 0; d < COUNTOF(discordances); d++) {
        int passed = 0;
        for (int t = 0; t < 10000; t++) {
            struct pairs p = { 0 };
            struct verdict v;
            for (int i = 0; i < 20; i++) {
                double u = dice_unit(&dice);
                *(u < (discordances[d] - 0.25) / 2 ? &p.only_b : u < discordances[d] ? &p.only_a : &p.both) += 1;
            }
            pairs_judge(&p, &quick, &v);
            passed += v.kind == VERDICT_NOT_WORSE || v.kind == VERDICT_BETTER;
        }
        assert_true(passed <= 500);
    }
}

static void test_holm(void **state)
{
    static const double p[] = { 0.01, 0.04, 0.03, 0.005 }, want[] = { 0.03, 0.06, 0.06, 0.02 };
    double got[4];
    struct verdict v[2] = { { .kind = VERDICT_WORSE, .p = 0.03, .lo = -0.3, .hi = -0.01 }, { .kind = VERDICT_BETTER, .p = 0.04, .lo = 0.01, .hi = 0.3 } };
    (void)state;
    holm_adjust(p, 4, got);
    for (size_t i = 0; i < 4; i++)
        near("holm", i, got[i], want[i], 1e-12);
    verdicts_adjust(v, 2, NULL);
    assert_int_equal(v[0].kind, VERDICT_CANNOT_TELL);
    assert_int_equal(v[1].kind, VERDICT_NOT_WORSE);
    near("holm p", 0, v[0].p, 0.06, 1e-12);
}

/* ---- repeats ---- */

static void test_one_answer_a_case_is_a_pair(void **state)
{
    struct case_score cases[60];
    struct pairs p = { 0 };
    struct dice dice = dice_of(13);
    (void)state;
    for (int round = 0; round < 50; round++) {
        p = (struct pairs){ 0 };
        for (size_t i = 0; i < COUNTOF(cases); i++) {
            bool a = dice_chance(&dice, 0.8), b = dice_chance(&dice, 0.6);
            cases[i] = (struct case_score){ a, 1, b, 1 };
            pairs_count(&p, a, b);
        }
        struct verdict v, w;
        pairs_judge(&p, NULL, &v);
        cases_judge(cases, COUNTOF(cases), NULL, &w);
        near("lo", 0, w.lo, v.lo, 1e-9);
        near("hi", 0, w.hi, v.hi, 1e-9);
        near("p", 0, w.p, v.p, 1e-9);
        near("a", 0, w.a.lo, v.a.lo, 1e-9);
        assert_int_equal(w.kind, v.kind);
    }
}

/* Ten times the same answers are no more cases than once. */
static void test_repeating_adds_nothing_that_is_not_there(void **state)
{
    struct case_score once[20], often[20];
    struct verdict v, w;
    (void)state;
    for (int i = 0; i < 20; i++) {
        once[i] = (struct case_score){ 1, 1, i >= 5, 1 };
        often[i] = (struct case_score){ 10, 10, i >= 5 ? 10 : 0, 10 };
    }
    cases_judge(once, 20, NULL, &v);
    cases_judge(often, 20, NULL, &w);
    near("lo", 0, w.lo, v.lo, 1e-9);
    near("p", 0, w.p, v.p, 1e-12);
    assert_int_equal(w.needed, v.needed);
}

/* All 2^10 ways to turn signs, one by one. */
static void test_turned_signs_are_all_counted(void **state)
{
    struct case_score c[10];
    struct dice dice = dice_of(14);
    (void)state;
    for (int round = 0; round < 20; round++) {
        int d[10], sum = 0, ways = 0;
        for (int i = 0; i < 10; i++) {
            c[i] = (struct case_score){ (int32_t)dice_below(&dice, 4), 3, (int32_t)dice_below(&dice, 4), 3 };
            d[i] = c[i].b_pass - c[i].a_pass;
            sum += d[i];
        }
        for (int signs = 0; signs < 1024; signs++) {
            int turned = 0;
            for (int i = 0; i < 10; i++)
                turned += signs >> i & 1 ? d[i] : -d[i];
            ways += abs(turned) >= abs(sum);
        }
        struct verdict v;
        cases_judge(c, 10, NULL, &v);
        near("turned", (size_t)round, v.p, ways / 1024.0, 1e-12);
    }
}

/* Models that are alike, each case with a chance of its own, three answers: what is claimed wrongly stays below the level. 2000 trials, the limit is 5 % and
 * five standard deviations. */
static void test_repeats_raise_no_false_claims(void **state)
{
    struct case_score c[40];
    struct judge_rule quick = judge_usual;
    struct dice dice = dice_of(15);
    int wrong = 0;
    quick.power = 0;
    (void)state;
    for (int t = 0; t < 2000; t++) {
        for (int i = 0; i < 40; i++) {
            double p = dice_unit(&dice);
            c[i] = (struct case_score){ 0, 3, 0, 3 };
            for (int k = 0; k < 3; k++) {
                c[i].a_pass += dice_chance(&dice, p);
                c[i].b_pass += dice_chance(&dice, p);
            }
        }
        struct verdict v;
        cases_judge(c, 40, &quick, &v);
        wrong += v.kind == VERDICT_WORSE || v.kind == VERDICT_BETTER;
    }
    assert_true(wrong <= 150);
}

static void test_a_suite_that_tells_nothing_is_named(void **state)
{
    struct cell cells[10][2];
    enum case_kind kinds[10];
    struct discrimination d;
    (void)state;
    for (int i = 0; i < 10; i++) {
        cells[i][0] = (struct cell){ i != 1, 1 };
        cells[i][1] = (struct cell){ i != 1, 1 };
    }
    cells[2][1].pass = 0;
    cells[3][0] = cells[3][1] = (struct cell){ 1, 2 };
    cells[4][1].total = 0;
    suite_discriminates(cells[0], 10, 2, 0.05, kinds, &d);
    assert_false(d.discriminates);
    assert_int_equal(kinds[0], CASE_ALL_PASS);
    assert_int_equal(kinds[1], CASE_ALL_FAIL);
    assert_int_equal(kinds[2], CASE_TELLS);
    assert_int_equal(kinds[3], CASE_ALIKE);
    assert_int_equal(kinds[4], CASE_EMPTY);
    assert_int_equal(d.tells_most, 1);
    assert_int_equal(d.tells_least, 6); /* 2 / 2^6 is the first below 0.05 */
    for (int i = 4; i < 10; i++)
        cells[i][1] = (struct cell){ i % 2, 2 };
    suite_discriminates(cells[0], 10, 2, 0.05, NULL, &d);
    assert_true(d.discriminates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wilson_as_newcombe_has_it),
        cmocka_unit_test(test_unpaired_as_newcombe_has_it),
        cmocka_unit_test(test_pairs_as_published),
        cmocka_unit_test(test_limits_lie_where_the_score_is_z),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_power_is_how_often_it_tells),
        cmocka_unit_test(test_needed_pairs_have_the_power),
        cmocka_unit_test(test_a_gate_of_twenty_pairs_lets_no_bad_model_pass),
        cmocka_unit_test(test_holm),
        cmocka_unit_test(test_one_answer_a_case_is_a_pair),
        cmocka_unit_test(test_repeating_adds_nothing_that_is_not_there),
        cmocka_unit_test(test_turned_signs_are_all_counted),
        cmocka_unit_test(test_repeats_raise_no_false_claims),
        cmocka_unit_test(test_a_suite_that_tells_nothing_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
