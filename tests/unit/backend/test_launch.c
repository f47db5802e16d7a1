/* A child's words and environment. */
#include "backend/launch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_a_variable_stands_once_and_the_last_holds(void **state)
{
    struct launch l;
    launch_init(&l);
    launch_set_env(&l, STR("A=1"));
    launch_set_env(&l, STR("AB=2"));
    launch_set_env(&l, STR("A=3=4"));
    launch_set_env(&l, STR("B="));
    assert_int_equal(l.nenv, 3);
    assert_true(str_eq(l.env[0], STR("A=3=4")) && str_eq(l.env[1], STR("AB=2")) && str_eq(l.env[2], STR("B=")));
    launch_free(&l);
    assert_int_equal(l.nenv, 0);
}

static void test_words_stand_in_their_order(void **state)
{
    struct launch l;
    launch_init(&l);
    launch_add(&l, STR("program"));
    launch_add_pair(&l, "--flag", STR(""));
    launch_add_number(&l, "--n", INT64_MIN);
    static const char *const want[] = { "program", "--flag", "", "--n", "-9223372036854775808" };
    assert_int_equal(l.nargv, COUNTOF(want));
    for (size_t i = 0; i < COUNTOF(want); i++)
        assert_true(str_eq(l.argv[i], str_of(want[i])));
    launch_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_variable_stands_once_and_the_last_holds),
        cmocka_unit_test(test_words_stand_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
