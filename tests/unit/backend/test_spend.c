/* What was used today, and when today ends. */
#include "backend/spend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

enum { HOUR = 3600 * 1000 };

static int64_t local(int year, int month, int day, int hour)
{
    struct tm t = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_isdst = -1 };
    return (int64_t)mktime(&t) * 1000;
}

static void test_a_day_ends_at_local_midnight(void **state)
{
    static const struct { int year, month, day, hour, number, hours_left; } cases[] = {
        { 2026, 11, 21, 20, 20261121, 4 }, { 2026, 12, 31, 0, 20261231, 24 }, { 2028, 2, 29, 23, 20280229, 1 },
        { 2026, 3, 29, 0, 20260329, 23 },  { 2026, 10, 25, 0, 20261025, 25 }, /* the clocks are changed */
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct spend s = { .day = 0 };
        int64_t now = local(cases[i].year, cases[i].month, cases[i].day, cases[i].hour);
        spend_turn(&s, now);
        assert_int_equal(s.day, cases[i].number);
        assert_int_equal(spend_left_ms(&s, now), cases[i].hours_left * (int64_t)HOUR);
    }
}

static void test_a_cap_closes_until_the_day_is_over(void **state)
{
    static const struct conf_cap none = { 0, 0 }, tokens = { .tokens_day = 100 }, money = { .money_day = 0.5 };
    struct spend s = { .day = 0 };
    int64_t now = local(2026, 11, 21, 12), midnight = local(2026, 11, 22, 0);
    spend_turn(&s, now);
    spend_add(&s, 99, 0.49);
    assert_null(spend_reached(&s, &tokens, now));
    assert_null(spend_reached(&s, &money, now));
    spend_add(&s, 1, 0.01);
    assert_string_equal(spend_reached(&s, &tokens, now), "tokens_day");
    assert_string_equal(spend_reached(&s, &money, midnight - 1), "money_day");
    assert_null(spend_reached(&s, &none, now));
    assert_null(spend_reached(&s, &tokens, midnight));
    spend_turn(&s, midnight);
    assert_int_equal(s.day, 20261122);
    assert_int_equal(s.tokens, 0);
}

static void test_a_clock_that_is_set_back_opens_nothing(void **state)
{
    static const struct conf_cap tokens = { .tokens_day = 100 };
    struct spend s = { .day = 0 };
    int64_t now = local(2026, 11, 21, 0);
    spend_turn(&s, now);
    spend_add(&s, 100, 0);
    spend_turn(&s, now - 30 * (int64_t)HOUR);
    assert_non_null(spend_reached(&s, &tokens, now - 30 * (int64_t)HOUR));
    assert_int_equal(s.day, 20261121);
}

static void test_a_clock_that_was_ahead_closes_nothing_for_longer_than_a_day(void **state)
{
    static const struct { int64_t ahead_hours; bool far; } cases[] = { { 1, false }, { 24, false }, { 73, true }, { 365 * 24, true }, { 68 * 365 * 24, true } };
    static const struct conf_cap tokens = { .tokens_day = 100 };
    int64_t now = local(2026, 11, 21, 23), midnight = local(2026, 11, 22, 0);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct spend s = { .day = 0 };
        spend_turn(&s, now + cases[i].ahead_hours * HOUR);
        spend_add(&s, 100, 0);
        spend_turn(&s, now);
        assert_non_null(spend_reached(&s, &tokens, now));
        assert_int_equal(s.until_ms == midnight, cases[i].far);
        spend_turn(&s, midnight);
        assert_int_equal(!spend_reached(&s, &tokens, midnight), cases[i].far);
    }
}

static void test_what_has_no_price_costs_nothing_and_is_known_to(void **state)
{
    struct spend s = { .day = 0 };
    spend_turn(&s, local(2026, 11, 21, 0));
    spend_add(&s, 7, -1);
    spend_add(&s, 5, 0.25);
    assert_int_equal(s.tokens, 12);
    assert_int_equal(s.unpriced, 7);
    assert_true(s.money == 0.25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_day_ends_at_local_midnight),
        cmocka_unit_test(test_a_cap_closes_until_the_day_is_over),
        cmocka_unit_test(test_a_clock_that_is_set_back_opens_nothing),
        cmocka_unit_test(test_a_clock_that_was_ahead_closes_nothing_for_longer_than_a_day),
        cmocka_unit_test(test_what_has_no_price_costs_nothing_and_is_known_to),
    };
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
