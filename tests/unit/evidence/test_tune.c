/* The search over made-up machines: what a request takes there is known, and noise is drawn. */
#include "evidence/tune.h"

#include "base/str.h"
#include "evidence/dice.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum { THREADS, BATCH, KV, FACTORS };

/* threads 1 2 4 8 16, batch 256 512 1024 2048, kv f16 q8_0 q4_0 */
static const struct tune_factor factors[FACTORS] = {
    [THREADS] = { .values = 5, .searched = 5, .present = 3, .standard = 4 },
    [BATCH] = { .values = 4, .searched = 4, .present = 1, .standard = 3 },
    [KV] = { .values = 3, .searched = 3, .present = 0, .standard = 0, .answers = true },
};

struct machine {
    const double *threads, *batch, *kv; /* what each value multiplies a request's time by */
    double noise;                       /* standard deviation of its logarithm */
    double drift;                       /* the machine gets slower by so much with each trial */
    int64_t trial_ms;
    bool passes[3];                     /* the suite, by KV type */
    size_t broken;                      /* this number of threads does not start; SIZE_MAX = none */
};

static const double flat[TUNE_MAX_VALUES] = { 1, 1, 1, 1, 1 };
static const double busy_two_cores[] = { 1, 1.8, 2.4, 3, 4 };   /* one thread is best */
static const double wide[] = { 6, 3.2, 1.7, 1, 1.3 };           /* eight are */
static const double small_batch[] = { 0.8, 1, 1.05, 1.1 };
static const double light_kv[] = { 1, 0.9, 0.7 };

struct told {
    struct tune_result result;
    size_t suites, measured;
    int64_t ms;
    bool asked_twice_alike;
};

static double normal(struct dice *d)
{
    return sqrt(-2 * log(1 - dice_unit(d))) * cos(6.283185307179586 * dice_unit(d));
}

static double time_of(const struct machine *m, const struct tune_point *p, size_t trial, struct dice *d)
{
    if (p->at[THREADS] == m->broken)
        return NAN;
    double noise = exp(m->noise * normal(d)), drift = 1 + m->drift * (double)trial;
    return m->threads[p->at[THREADS]] * m->batch[p->at[BATCH]] * m->kv[p->at[KV]] * noise * drift;
}

static struct told play(const struct machine *m, const struct tune_rule *rule, uint64_t seed)
{
    struct tune *t = tune_new(factors, FACTORS, rule);
    struct dice d = dice_of(seed);
    struct told told = { .asked_twice_alike = true };
    struct tune_trial trial, again;
    for (;;) {
        tune_next(t, told.ms, &trial);
        tune_next(t, told.ms, &again);
        told.asked_twice_alike = told.asked_twice_alike && memcmp(&trial.point, &again.point, sizeof trial.point) == 0 && trial.want == again.want;
        if (trial.want == TUNE_END)
            break;
        told.ms += m->trial_ms;
        if (trial.want == TUNE_SUITE) {
            told.suites++;
            tune_suite(t, m->passes[trial.point.at[KV]], told.ms);
        } else {
            tune_took(t, time_of(m, &trial.point, told.measured++, &d), told.ms);
        }
        assert_true(told.measured < 1000);
    }
    tune_result(t, &told.result);
    tune_free(t);
    return told;
}

static struct machine machine_of(const double *threads, const double *batch, const double *kv)
{
    return (struct machine){ .threads = threads, .batch = batch, .kv = kv, .trial_ms = 1000, .passes = { true, true, true }, .broken = SIZE_MAX };
}

static void assert_best(const struct told *told, size_t threads, size_t batch, size_t kv)
{
    assert_int_equal(told->result.best.at[THREADS], threads);
    assert_int_equal(told->result.best.at[BATCH], batch);
    assert_int_equal(told->result.best.at[KV], kv);
}

static void test_the_fastest_is_found_and_its_gain_is_told(void **state)
{
    static const struct row { const double *threads, *batch, *kv; size_t want[FACTORS]; double over_present, over_standard; } rows[] = {
        { busy_two_cores, flat, flat, { 0, 1, 0 }, 3, 4 },
        { wide, flat, flat, { 3, 1, 0 }, NAN, 1.3 },
        { wide, small_batch, flat, { 3, 0, 0 }, 1.25, 1.3 * 1.1 / 0.8 },
        { busy_two_cores, small_batch, light_kv, { 0, 0, 2 }, 3 / 0.8 / 0.7, 4 * 1.1 / 0.8 / 0.7 },
        { flat, flat, flat, { 3, 1, 0 }, NAN, 1 },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        const struct row *r = &rows[i];
        struct machine m = machine_of(r->threads, r->batch, r->kv);
        struct told told = play(&m, NULL, i + 1);
        assert_best(&told, r->want[0], r->want[1], r->want[2]);
        assert_true(told.asked_twice_alike);
        if (!isnan(r->over_present)) {
            assert_true(told.result.changed && told.result.over_present.sure);
            assert_true(fabs(told.result.over_present.factor - r->over_present) < 1e-6);
        } else {
            assert_false(told.result.changed);
        }
        assert_true(fabs(told.result.over_standard.factor - r->over_standard) < 1e-6);
    }
    (void)state;
}

static void test_a_loser_has_one_run(void **state)
{
    struct machine m = machine_of(wide, flat, flat);
    struct told told = play(&m, NULL, 1);
    /* base 2; threads: anchor 1 + four others once; batch: 1 + 3 + contests of what is alike; kv likewise; confirmation: two arms, six rounds */
    assert_in_range(told.measured, 2 + 5 + 4 + 3 + 12, 2 + 5 + 4 + 3 + 12 + 2 * 2 * 6);
    (void)state;
}

static void test_what_the_suite_refuses_is_not_taken(void **state)
{
    struct machine m = machine_of(flat, flat, light_kv);
    m.passes[2] = false;
    struct told told = play(&m, NULL, 1);
    assert_best(&told, 3, 1, 1); /* the next fastest, which it lets pass */
    assert_int_equal(told.suites, 2);
    assert_int_equal(told.result.nrefused, 1);
    assert_int_equal(told.result.refused[0].factor, KV);
    assert_int_equal(told.result.refused[0].value, 2);
    m.passes[1] = false;
    told = play(&m, NULL, 1);
    assert_best(&told, 3, 1, 0);
    assert_false(told.result.changed);
    (void)state;
}

static void test_no_suite_for_what_changes_no_answer(void **state)
{
    struct machine m = machine_of(busy_two_cores, small_batch, flat);
    assert_int_equal(play(&m, NULL, 1).suites, 0);
    (void)state;
}

static void test_what_does_not_start_is_passed_over(void **state)
{
    struct machine m = machine_of(busy_two_cores, flat, flat);
    m.broken = 0;
    struct told told = play(&m, NULL, 1);
    assert_best(&told, 1, 1, 0);
    m.broken = 4; /* the engine's own do not: one try, and no gain over them */
    told = play(&m, NULL, 1);
    assert_best(&told, 0, 1, 0);
    assert_true(told.result.changed && isnan(told.result.over_standard.factor));
    (void)state;
}

/* 5 % of noise, and nothing to be gained: a gain is claimed seldom. The same with something to gain: it is found mostly, and never something that is slower. */
static void test_noise_is_not_taken_for_a_gain(void **state)
{
    enum { PLAYS = 300 };
    size_t claimed = 0, found = 0;
    for (uint64_t i = 0; i < PLAYS; i++) {
        struct machine none = machine_of(flat, flat, flat), some = machine_of(busy_two_cores, flat, flat);
        none.noise = some.noise = 0.05;
        claimed += play(&none, NULL, 2 * i + 1).result.changed;
        struct told told = play(&some, NULL, 2 * i + 2);
        found += told.result.best.at[THREADS] == 0;
        assert_true(told.result.over_standard.lo > 1);
    }
    assert_in_range(claimed, 0, PLAYS * 5 / 100);
    assert_in_range(found, PLAYS * 99 / 100, PLAYS);
    (void)state;
}

/* A machine that gets slower while it is measured (heat, others): runs in turns see no difference where there is none. */
static void test_drift_is_not_taken_for_a_difference(void **state)
{
    enum { PLAYS = 100 };
    size_t claimed = 0;
    for (uint64_t i = 0; i < PLAYS; i++) {
        struct machine m = machine_of(flat, flat, flat);
        m.noise = 0.02;
        m.drift = 0.01;
        claimed += play(&m, NULL, i + 1).result.changed;
    }
    assert_in_range(claimed, 0, PLAYS * 5 / 100);
    (void)state;
}

static void test_the_budget_ends_the_search_and_keeps_the_confirmation(void **state)
{
    struct machine m = machine_of(busy_two_cores, small_batch, light_kv);
    static const struct { int64_t trial_ms, budget_ms; bool cut; size_t threads; } rows[] = {
        { 1000, 600 * 1000, false, 0 },
        { 20 * 1000, 600 * 1000, true, 0 },   /* thirty trials: threads, and what it comes to */
        { 100 * 1000, 600 * 1000, true, 3 },  /* six */
        { 1000, 0, false, 0 },                /* none is set */
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct tune_rule rule = tune_usual;
        rule.budget_ms = rows[i].budget_ms;
        m.trial_ms = rows[i].trial_ms;
        struct told told = play(&m, &rule, 1);
        assert_int_equal(told.result.cut, rows[i].cut);
        assert_int_equal(told.result.best.at[THREADS], rows[i].threads);
        if (rows[i].trial_ms < 50 * 1000 && rule.budget_ms)
            assert_true(told.ms <= rule.budget_ms);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_fastest_is_found_and_its_gain_is_told),
        cmocka_unit_test(test_a_loser_has_one_run),
        cmocka_unit_test(test_what_the_suite_refuses_is_not_taken),
        cmocka_unit_test(test_no_suite_for_what_changes_no_answer),
        cmocka_unit_test(test_what_does_not_start_is_passed_over),
        cmocka_unit_test(test_noise_is_not_taken_for_a_gain),
        cmocka_unit_test(test_drift_is_not_taken_for_a_difference),
        cmocka_unit_test(test_the_budget_ends_the_search_and_keeps_the_confirmation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
