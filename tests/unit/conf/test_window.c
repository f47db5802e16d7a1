/* Windows of local time: what is one, and when it holds. */
#include "conf/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S };

/* Monday, 16 November 2026, 00:00 UTC. */
static const int64_t monday_s = INT64_C(1794787200);

enum { MON, TUE, WED, THU, FRI, SAT, SUN };

static void test_a_window_holds_on_its_days_and_hours(void **state)
{
    static const struct { const char *text; int day, hour, min; bool holds; } cases[] = {
        { "08:00-12:00", MON, 8, 0, true },
        { "08:00-12:00", MON, 7, 59, false },
        { "08:00-12:00", SUN, 11, 59, true },
        { "08:00-12:00", SUN, 12, 0, false }, /* its end is outside */
        { "8:30-9:00", MON, 8, 30, true },
        { "22:00-06:00", MON, 23, 0, true },
        { "22:00-06:00", MON, 5, 59, true },
        { "22:00-06:00", MON, 6, 0, false },
        { "22:00-06:00", MON, 12, 0, false },
        { "22:00 - 06:00", MON, 22, 0, true },
        { "00:00-24:00", WED, 0, 0, true },
        { "00:00-24:00", WED, 23, 59, true },
        { "22:00-24:00", WED, 23, 59, true },
        { "22:00-24:00", THU, 0, 0, false },
        { "22:00-00:00", WED, 23, 59, true },
        { "22:00-00:00", THU, 0, 0, false },
        { "mon-fri", MON, 0, 0, true },
        { "mon-fri", FRI, 23, 59, true },
        { "mon-fri", SAT, 0, 0, false },
        { "Mon - Fri", WED, 12, 0, true },
        { "sat,sun", SUN, 12, 0, true },
        { "sat,sun", MON, 12, 0, false },
        { "sat-mon", MON, 12, 0, true }, /* over the week's end */
        { "sat-mon", TUE, 12, 0, false },
        { "mon,wed-thu", THU, 12, 0, true },
        { "mon,wed-thu", TUE, 12, 0, false },
        { "sat,sun 08:00-12:00", SAT, 9, 0, true },
        { "sat,sun 08:00-12:00", SAT, 13, 0, false },
        { "sat,sun 08:00-12:00", MON, 9, 0, false },
        { "fri 22:00-06:00", FRI, 22, 0, true },
        { "fri 22:00-06:00", SAT, 5, 59, true },  /* the night that began on Friday */
        { "fri 22:00-06:00", FRI, 3, 0, false },  /* this one began on Thursday */
        { "fri 22:00-06:00", SAT, 22, 0, false },
        { "sun 23:00-01:00", MON, 0, 30, true },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct window w;
        int64_t at_s = monday_s + (int64_t)cases[i].day * DAY_S + cases[i].hour * HOUR_S + (int64_t)cases[i].min * 60;
        if (!window_read(str_of(cases[i].text), &w))
            fail_msg("'%s' is not read", cases[i].text);
        if (window_holds(&w, at_s, 0) != cases[i].holds)
            fail_msg("'%s' on day %d, %02d:%02d", cases[i].text, cases[i].day, cases[i].hour, cases[i].min);
        for (int offset_h = -11; offset_h <= 14; offset_h += 5) /* the same clock on the wall elsewhere */
            assert_int_equal(window_holds(&w, at_s - offset_h * HOUR_S, offset_h * HOUR_S), cases[i].holds);
    }
}

static void test_what_is_no_window_is_said_so(void **state)
{
    static const char *const cases[] = {
        "", " ", "08:00", "08:00-", "-12:00", "08:00-08:00", "8-12", "08:00-25:00", "08:60-09:00", "24:00-08:00", "08:00-24:01", "monday", "mon-", "-fri", "mon,,tue",
        "mo-fr", "08:00-12:00 mon", "mon-fri 08:00", "mon fri", "08:00-12:00,14:00-16:00", "+8:00-12:00", "08:0-12:00", "always",
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct window w = { .days = 77 };
        if (window_read(str_of(cases[i]), &w) || w.days != 77)
            fail_msg("'%s' is taken for one", cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_window_holds_on_its_days_and_hours),
        cmocka_unit_test(test_what_is_no_window_is_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
