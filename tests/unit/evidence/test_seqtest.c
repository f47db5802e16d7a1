/* What makes the accounts fair is checked exactly: their mean over everything that can happen, baseline included. Simulations show the rest, with limits that a
 * right program passes all but once in a million. The long forms: tests/e2e/test_statistics.py. */
#include "evidence/seqtest.h"

#include "base/str.h"
#include "evidence/chance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* The mean account after n events, over all baselines and all counts. */
static double mean_account(int64_t baseline, int64_t n, double truth, double candidate, double tolerance)
{
    double sum = 0;
    for (int64_t x0 = 0; x0 <= baseline; x0++)
        for (int64_t x = 0; x <= n; x++) {
            struct seq_guard g;
            seq_begin(&g, &(struct seq_rule){ .baseline = { baseline, x0 }, .rate = truth, .tolerance = tolerance }, (struct seq_counts){ n, x });
            sum += binomial_at(x0, baseline, truth) * binomial_at(x, n, candidate) * exp(seq_log_account(&g));
        }
    return sum;
}

static void test_an_account_gains_nothing_where_the_candidate_is_no_worse(void **state)
{
    static const struct { int64_t baseline, n; double truth, candidate, tolerance; } rows[] = {
        { 0, 30, 0.1, 0.1, 0 }, { 0, 30, 0.1, 0.05, 0 }, { 0, 30, 0.1, 0.15, 0.05 }, { 20, 30, 0.1, 0.1, 0 }, { 20, 30, 0.02, 0.02, 0 }, { 50, 20, 0.5, 0.5, 0 },
        { 50, 20, 0.5, 0.6, 0.1 }, { 5, 60, 0.3, 0.3, 0 }, { 20, 10, 0.95, 0.95, 0 } };
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        double mean = mean_account(rows[i].baseline, rows[i].n, rows[i].truth, rows[i].candidate, rows[i].tolerance);
        if (mean > 1 + 1e-6)
            fprintf(stderr, "row %zu: %g\n", i, mean);
        assert_true(mean <= 1 + 1e-6);
        assert_true(rows[i].baseline || rows[i].candidate < rows[i].truth + rows[i].tolerance || fabs(mean - 1) < 1e-9);
    }
}

static void test_prices_are_fair(void **state)
{
    struct seq_guard g;
    double sum = 0;
    (void)state;
    seq_begin(&g, &(struct seq_rule){ .baseline = { 100, 2 } }, (struct seq_counts){ 0, 0 });
    for (int j = 0; j < g.levels; j++)
        sum += exp(g.price[j]) * pow(0.5, j + 1);
    assert_true(sum <= 1 && sum > 0.99);
}

static void test_what_was_saved_goes_on_as_if_nothing_had_been(void **state)
{
    static const struct seq_rule rules[] = { { .baseline = { 2000, 40 }, .weight = 2 }, { .baseline = { 2000, 1000 }, .tolerance = 0.05 }, { .rate = 0.01 } };
    static const double rates[] = { 0.05, 0.6, 0.02 };
    struct seq_watch whole, parts;
    struct dice dice = dice_of(21);
    (void)state;
    seq_watch_begin(&whole, 0.05, rules, NULL, 3);
    parts = whole;
    int at = -1;
    for (int r = 0; r < 3000 && at < 0; r++) {
        struct seq_counts saved[3];
        for (size_t i = 0; i < 3; i++) {
            bool bad = dice_chance(&dice, rates[i]);
            seq_see(&whole, i, bad);
            seq_see(&parts, i, bad);
        }
        at = seq_look(&whole);
        assert_int_equal(seq_look(&parts), at);
        for (size_t i = 0; i < 3; i++) {
            saved[i] = parts.guards[i].seen;
            assert_true(fabs(seq_progress(&whole, i) - seq_progress(&parts, i)) < 1e-9);
        }
        if (r % 50 == 0)
            seq_watch_begin(&parts, 0.05, rules, saved, 3);
    }
    assert_true(at >= 0);
}

/* Among looks that find nothing, the account that is kept up by factors is the one that the counts give. */
static void test_the_short_way_is_the_long_way(void **state)
{
    const struct seq_rule rule = { .baseline = { 500, 10 } };
    struct seq_watch w;
    struct dice dice = dice_of(22);
    (void)state;
    seq_watch_begin(&w, 0.05, &rule, NULL, 1);
    for (int r = 0; r < 20000; r++) {
        seq_see(&w, 0, dice_chance(&dice, 0.02));
        double sum = 0;
        for (int k = 0; k < SEQ_RATIOS; k++)
            sum += w.guards[0].stakes[k];
        assert_true(log(sum) >= seq_log_account(&w.guards[0]) - 1e-6); /* an upper bound: one level of all */
    }
}

static void test_limits_of_times(void **state)
{
    double times[20];
    (void)state;
    for (int i = 0; i < 20; i++)
        times[i] = i + 1;
    static const struct { size_t n; double q, limit; int64_t above; } rows[] = { { 20, 0.5, 10, 10 }, { 20, 0.95, 19, 1 }, { 1, 0.5, 1, 0 }, { 19, 0.5, 10, 9 } };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct seq_limit l = seq_limit_of(times, rows[i].n, rows[i].q);
        assert_true(l.limit == rows[i].limit);
        assert_int_equal(l.counts.bad, rows[i].above);
        assert_int_equal(l.counts.total, rows[i].n);
    }
    assert_true(isinf(seq_limit_of(times, 0, 0.5).limit));
}

static void test_a_rate_is_at_least(void **state)
{
    assert_true(seq_rate_at_least((struct seq_counts){ 0, 0 }, 0.05) == 0);
    double lo = seq_rate_at_least((struct seq_counts){ 1000, 60 }, 0.05);
    (void)state;
    assert_true(lo > 0.035 && lo < 0.06);
}

/* Nine guards as a trial has them: a quarter of alpha is for errors. */
static size_t nine(struct seq_guess *g, int64_t sample, double errors)
{
    static const struct { double rate; bool limit; } others[] = {
        { 0.5, true }, { 0.05, true }, { 0.5, true }, { 0.05, true }, { 0.01, false }, { 0.01, false }, { 0.02, false }, { 0.001, false } };
    g[0] = (struct seq_guess){ .baseline = 0.02, .candidate = errors, .rule = { .baseline = { sample, 0 }, .weight = 0.25 } };
    for (size_t i = 0; i < COUNTOF(others); i++)
        g[i + 1] = (struct seq_guess){ .baseline = others[i].rate, .candidate = others[i].rate, .limit = others[i].limit,
            .rule = { .baseline = { sample, 0 }, .weight = 0.75 / 8 } };
    return 1 + COUNTOF(others);
}

/* 5 % of 1000 and six standard deviations. */
static void test_no_more_false_alarms_than_alpha(void **state)
{
    struct seq_guess g[SEQ_GUARDS];
    struct seq_simulated found;
    struct dice dice = dice_of(23);
    (void)state;
    for (int64_t sample = 0; sample <= 2000; sample += 1000) {
        size_t n = nine(g, sample, 0.02);
        seq_simulate(g, n, 0.05, 1000, 400, &dice, &found);
        assert_true(found.rollback_rate <= 0.05 + 6 * sqrt(0.05 * 0.95 / 400));
    }
}

static void test_two_percent_more_is_found_in_time(void **state)
{
    struct seq_guess g[SEQ_GUARDS];
    struct seq_simulated found;
    struct dice dice = dice_of(24);
    (void)state;
    size_t n = nine(g, 2000, 0.06);
    seq_simulate(g, n, 0.05, 3000, 400, &dice, &found);
    assert_true(found.rollback_rate > 0.95);
    assert_true(found.median_requests > 0 && found.median_requests <= 400);
    assert_true(found.by_guard[0] > 350);
}

static void test_slower_answers_are_found(void **state)
{
    struct seq_guess g = { .baseline = 0.5, .candidate = 0.65, .limit = true, .rule = { .baseline = { 1000, 0 }, .tolerance = 0.02 } };
    struct seq_simulated found;
    struct dice dice = dice_of(25);
    (void)state;
    seq_simulate(&g, 1, 0.005, 3000, 400, &dice, &found);
    assert_true(found.rollback_rate > 0.95 && found.median_requests <= 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_account_gains_nothing_where_the_candidate_is_no_worse),
        cmocka_unit_test(test_prices_are_fair),
        cmocka_unit_test(test_what_was_saved_goes_on_as_if_nothing_had_been),
        cmocka_unit_test(test_the_short_way_is_the_long_way),
        cmocka_unit_test(test_limits_of_times),
        cmocka_unit_test(test_a_rate_is_at_least),
        cmocka_unit_test(test_no_more_false_alarms_than_alpha),
        cmocka_unit_test(test_two_percent_more_is_found_in_time),
        cmocka_unit_test(test_slower_answers_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
