/* The breaker, with time passed in: courses of events as tables, and what must hold over an hour of them. */
#include "backend/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct conf_breaker usual = { .failures = 3, .window_ms = 30000, .open_ms = 30000 };

enum act { ASK, GOOD, BAD, NEITHER };

struct step {
    int64_t at_ms;
    enum act act;
    int64_t asked_ms;             /* of what ends; 0 = not known */
    bool admitted;                /* ASK */
    enum breaker_state after;
};

static void follow(const struct conf_breaker *set, const struct step *steps, size_t n)
{
    struct breaker b = { .state = BREAKER_CLOSED };
    for (size_t i = 0; i < n; i++) {
        const struct step *s = &steps[i];
        bool would = breaker_would_admit(&b, set, s->at_ms), admitted = false;
        switch (s->act) {
        case ASK:
            admitted = breaker_admits(&b, set, s->at_ms);
            if (admitted != s->admitted || would != admitted)
                fail_msg("step %zu: admitted %d, would %d", i, admitted, would);
            break;
        case GOOD:
            breaker_succeeded(&b, s->asked_ms, s->at_ms);
            break;
        case BAD:
            breaker_failed(&b, set, s->asked_ms, s->at_ms);
            break;
        case NEITHER:
            breaker_neither(&b, s->asked_ms);
            break;
        }
        if (b.state != s->after)
            fail_msg("step %zu: %s", i, breaker_state_name[b.state]);
    }
}

#define FOLLOW(steps) follow(&usual, (steps), COUNTOF(steps))

static void test_the_third_failure_within_the_window_opens_it(void **state)
{
    static const struct step steps[] = {
        { 1000, BAD, 0, false, BREAKER_CLOSED },   { 20000, BAD, 0, false, BREAKER_CLOSED },   { 20000, ASK, 0, true, BREAKER_CLOSED },
        { 31000, BAD, 0, false, BREAKER_OPEN },    { 31001, ASK, 0, false, BREAKER_OPEN },     { 60999, ASK, 0, false, BREAKER_OPEN },
    };
    FOLLOW(steps);
}

static void test_failures_that_lie_further_apart_do_not(void **state)
{
    static const struct step steps[] = {
        { 1000, BAD, 0, false, BREAKER_CLOSED },  { 20000, BAD, 0, false, BREAKER_CLOSED }, { 31001, BAD, 0, false, BREAKER_CLOSED },
        { 55000, BAD, 0, false, BREAKER_CLOSED }, { 60000, BAD, 0, false, BREAKER_OPEN },
    };
    FOLLOW(steps);
}

static void test_after_its_time_exactly_one_request_is_the_probe(void **state)
{
    static const struct step steps[] = {
        { 1, BAD, 0, false, BREAKER_CLOSED },         { 2, BAD, 0, false, BREAKER_CLOSED },         { 3, BAD, 0, false, BREAKER_OPEN },
        { 30002, ASK, 0, false, BREAKER_OPEN },       { 30003, ASK, 0, true, BREAKER_HALF_OPEN },   { 30003, ASK, 0, false, BREAKER_HALF_OPEN },
        { 90000, ASK, 0, false, BREAKER_HALF_OPEN },  { 90001, GOOD, 30003, false, BREAKER_CLOSED }, { 90001, ASK, 0, true, BREAKER_CLOSED },
        { 90001, ASK, 0, true, BREAKER_CLOSED },
    };
    FOLLOW(steps);
}

static void test_a_probe_that_fails_opens_it_for_as_long_again(void **state)
{
    static const struct step steps[] = {
        { 1, BAD, 0, false, BREAKER_CLOSED },       { 2, BAD, 0, false, BREAKER_CLOSED },       { 3, BAD, 0, false, BREAKER_OPEN },
        { 30003, ASK, 0, true, BREAKER_HALF_OPEN }, { 30100, BAD, 30003, false, BREAKER_OPEN }, { 60099, ASK, 0, false, BREAKER_OPEN },
        { 60100, ASK, 0, true, BREAKER_HALF_OPEN }, { 60101, GOOD, 60100, false, BREAKER_CLOSED },
        { 60102, BAD, 0, false, BREAKER_CLOSED },   { 60103, BAD, 0, false, BREAKER_CLOSED }, /* it begins anew: what was before is forgotten */
    };
    FOLLOW(steps);
}

static void test_a_probe_whose_caller_left_is_made_again(void **state)
{
    static const struct step steps[] = {
        { 1, BAD, 0, false, BREAKER_CLOSED },       { 2, BAD, 0, false, BREAKER_CLOSED },           { 3, BAD, 0, false, BREAKER_OPEN },
        { 30003, ASK, 0, true, BREAKER_HALF_OPEN }, { 30004, NEITHER, 30003, false, BREAKER_HALF_OPEN }, { 30005, ASK, 0, true, BREAKER_HALF_OPEN },
        { 30005, ASK, 0, false, BREAKER_HALF_OPEN },
    };
    FOLLOW(steps);
}

static void test_what_was_asked_before_says_nothing_about_now(void **state)
{
    static const struct step steps[] = {
        { 1, BAD, 1, false, BREAKER_CLOSED },        { 2, BAD, 1, false, BREAKER_CLOSED },         { 3, BAD, 1, false, BREAKER_OPEN },
        { 4, GOOD, 1, false, BREAKER_OPEN },         { 5, BAD, 1, false, BREAKER_OPEN },           { 30003, ASK, 0, true, BREAKER_HALF_OPEN },
        { 30004, BAD, 1, false, BREAKER_HALF_OPEN }, { 30005, GOOD, 1, false, BREAKER_HALF_OPEN }, { 30006, NEITHER, 1, false, BREAKER_HALF_OPEN },
        { 30007, ASK, 0, false, BREAKER_HALF_OPEN }, { 30008, GOOD, 30003, false, BREAKER_CLOSED },
        { 30009, BAD, 2, false, BREAKER_CLOSED },    { 30010, BAD, 2, false, BREAKER_CLOSED },     { 30011, BAD, 2, false, BREAKER_CLOSED },
    };
    FOLLOW(steps);
}

static void test_a_thousand_callers_that_leave_never_open_it(void **state)
{
    struct breaker b = { .state = BREAKER_CLOSED };
    for (int i = 0; i < 1000; i++) {
        assert_true(breaker_admits(&b, &usual, i));
        breaker_neither(&b, i);
        assert_int_equal(b.state, BREAKER_CLOSED);
    }
    assert_int_equal(b.opens, 0);
}

static void test_as_many_failures_as_are_set_open_it(void **state)
{
    static const int64_t counts[] = { 1, 2, 3, 31, 32, 33, 99, 100 };
    for (size_t i = 0; i < COUNTOF(counts); i++) {
        struct conf_breaker set = { .failures = counts[i], .window_ms = 1000, .open_ms = 10 };
        struct breaker b = { .state = BREAKER_CLOSED };
        for (int64_t n = 0; n < 3 * counts[i]; n++) /* each too late for the first of them */
            breaker_failed(&b, &set, 0, 1 + n * (1000 / counts[i] + 1001));
        assert_int_equal(b.state, counts[i] == 1 ? BREAKER_OPEN : BREAKER_CLOSED);
        breaker_reset(&b, 0);
        for (int64_t n = 0; n < counts[i]; n++) {
            assert_int_equal(b.state, BREAKER_CLOSED);
            breaker_failed(&b, &set, 0, 5000000);
        }
        assert_int_equal(b.state, BREAKER_OPEN);
    }
}

/* A place that comes and goes, and callers who ask twenty times a second for an hour. Whatever its rhythm: one probe in each time it is open, and nothing
 * else while it is. */
static void test_an_hour_of_flapping_is_no_stampede(void **state)
{
    static const int64_t up_ms[] = { 0, 40, 1000, 29000, 31000, 45000 }, down_ms[] = { 1, 500, 20000, 30000, 61000, 120000 };
    for (size_t i = 0; i < COUNTOF(up_ms); i++)
        for (size_t k = 0; k < COUNTOF(down_ms); k++) {
            struct breaker b = { .state = BREAKER_CLOSED };
            int64_t last_probe = -usual.open_ms, probes = 0;
            for (int64_t now = 1; now < 3600 * 1000; now += 50) {
                enum breaker_state before = b.state;
                if (!breaker_admits(&b, &usual, now))
                    continue;
                assert_int_not_equal(b.state, BREAKER_OPEN);
                if (before == BREAKER_OPEN) {
                    assert_true(now - last_probe >= usual.open_ms);
                    last_probe = now;
                    probes++;
                }
                assert_false(b.state == BREAKER_HALF_OPEN && breaker_would_admit(&b, &usual, now));
                if (now % (up_ms[i] + down_ms[k]) < up_ms[i])
                    breaker_succeeded(&b, now, now);
                else
                    breaker_failed(&b, &usual, now, now);
            }
            assert_true(probes <= 3600 * 1000 / usual.open_ms);
            assert_true(b.opens - probes <= 3600 * 1000 / usual.open_ms);
        }
}

static void test_it_says_when_to_come_again(void **state)
{
    struct breaker b = { .state = BREAKER_CLOSED };
    assert_int_equal(breaker_retry_ms(&b, &usual, 5), 0);
    for (int i = 0; i < 3; i++)
        breaker_failed(&b, &usual, 0, 1000);
    assert_int_equal(breaker_retry_ms(&b, &usual, 1000), 30000);
    assert_int_equal(breaker_retry_ms(&b, &usual, 30999), 1);
    assert_int_equal(breaker_shown(&b, &usual, 30999), BREAKER_OPEN);
    assert_int_equal(breaker_retry_ms(&b, &usual, 31000), 0);
    assert_int_equal(breaker_shown(&b, &usual, 31000), BREAKER_HALF_OPEN);
    assert_int_equal(b.opens, 1);
}

static void test_failures_that_were_forgiven_do_not_count(void **state)
{
    struct breaker b = { .state = BREAKER_CLOSED };
    for (int i = 0; i < 100; i++) {
        breaker_failed(&b, &usual, 0, 1000 + i);
        breaker_failed(&b, &usual, 0, 1000 + i);
        breaker_calm(&b);
    }
    assert_int_equal(b.state, BREAKER_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_third_failure_within_the_window_opens_it),
        cmocka_unit_test(test_failures_that_lie_further_apart_do_not),
        cmocka_unit_test(test_after_its_time_exactly_one_request_is_the_probe),
        cmocka_unit_test(test_a_probe_that_fails_opens_it_for_as_long_again),
        cmocka_unit_test(test_a_probe_whose_caller_left_is_made_again),
        cmocka_unit_test(test_what_was_asked_before_says_nothing_about_now),
        cmocka_unit_test(test_a_thousand_callers_that_leave_never_open_it),
        cmocka_unit_test(test_as_many_failures_as_are_set_open_it),
        cmocka_unit_test(test_an_hour_of_flapping_is_no_stampede),
        cmocka_unit_test(test_it_says_when_to_come_again),
        cmocka_unit_test(test_failures_that_were_forgiven_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
