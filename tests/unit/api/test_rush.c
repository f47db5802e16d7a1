/* Many failures of one caller on one loading place. */
#include "api/rush.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int place_a, place_b;

static int count_until_too_many(struct rush *r, uint64_t caller, const void *place, int64_t from_ms, int64_t step_ms, int most)
{
    for (int i = 1; i <= most; i++)
        if (rush_failed(r, caller, place, from_ms + i * step_ms))
            return i;
    return 0;
}

static void test_the_eighth_within_ten_seconds_is_too_many(void **state)
{
    (void)state;
    static const struct {
        int64_t step_ms;
        int at;
    } cases[] = { { 0, 8 }, { 10, 8 }, { 1000, 8 }, { 1400, 8 }, { 1500, 0 }, { 5000, 0 }, { 60000, 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rush r;
        memset(&r, 0, sizeof r);
        assert_int_equal(count_until_too_many(&r, 7, &place_a, 1000, cases[i].step_ms, 30), cases[i].at);
    }
}

static void test_callers_and_places_are_told_apart(void **state)
{
    (void)state;
    struct rush r;
    memset(&r, 0, sizeof r);
    for (int i = 0; i < RUSH_FAILURES - 1; i++) {
        assert_false(rush_failed(&r, 1, &place_a, 1000));
        assert_false(rush_failed(&r, 2, &place_a, 1000));
        assert_false(rush_failed(&r, 1, &place_b, 1000));
    }
    assert_true(rush_failed(&r, 1, &place_a, 1000));
    assert_true(rush_failed(&r, 2, &place_a, 1000));
    assert_true(rush_failed(&r, 1, &place_b, 1000));
}

static void test_the_quietest_is_forgotten_first(void **state)
{
    (void)state;
    struct rush r;
    memset(&r, 0, sizeof r);
    for (int i = 0; i < RUSH_FAILURES - 1; i++)
        rush_failed(&r, 1, &place_a, 5000);
    for (uint64_t other = 2; other < 2 + RUSH_REMEMBERS - 1; other++)
        rush_failed(&r, other, &place_a, 4000); /* all the room there is; one more takes the place of one of these */
    rush_failed(&r, 100, &place_a, 5001);
    assert_true(rush_failed(&r, 1, &place_a, 5002));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_eighth_within_ten_seconds_is_too_many),
        cmocka_unit_test(test_callers_and_places_are_told_apart),
        cmocka_unit_test(test_the_quietest_is_forgotten_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
