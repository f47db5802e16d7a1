/* Programs run to their end: what they say, how they end, and the limit. */
#include "proc/run.h"

#include "base/clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct run_end run(const char *script, int64_t limit_ms, size_t most, struct buf *said)
{
    const char *const argv[] = { "/bin/sh", "-c", script, NULL };
    struct run_end end = { 0 };
    struct err e;
    buf_init(said, most);
    assert_int_equal(run_program(argv, NULL, NULL, limit_ms, said, &end, &e), ERR_OK);
    return end;
}

static void test_what_it_says_and_how_it_ends_is_told(void **state)
{
    struct buf said;
    struct run_end end = run("echo out; echo err >&2; read x; exit 7", 20000, 0, &said);
    assert_true(end.code == 7 && !end.signal && !end.too_long);
    assert_true(str_eq(buf_str(&said), STR("out\nerr\n")));
    buf_free(&said);
    end = run("kill -9 $$", 20000, 0, &said);
    assert_true(end.signal == SIGKILL && !end.too_long);
    buf_free(&said);
}

static void test_it_is_ended_at_the_limit_with_all_it_started(void **state)
{
    struct buf said;
    int64_t before = clock_mono_ms();
    struct run_end end = run("echo here; sleep 100 & sleep 100", 50, 0, &said);
    assert_true(end.too_long && clock_mono_ms() - before < 20000);
    buf_free(&said);
    end = run("exec >/dev/null 2>&1; sleep 100", 50, 0, &said); /* silent, and alive */
    assert_true(end.too_long);
    buf_free(&said);
}

static void test_more_than_is_wanted_is_dropped(void **state)
{
    struct buf said;
    struct run_end end = run("i=0; while [ $i -lt 3000 ]; do echo 0123456789; i=$((i + 1)); done", 20000, 100, &said);
    assert_true(end.code == 0 && said.n == 100);
    buf_free(&said);
}

static void test_what_is_no_program_fails(void **state)
{
    const char *const argv[] = { "/no/such/program", NULL };
    struct run_end end;
    struct err e;
    struct buf said = { 0 };
    assert_int_equal(run_program(argv, NULL, NULL, 20000, &said, &end, &e), ERR_OK);
    assert_int_equal(end.code, 127);
    buf_free(&said);
}

static void test_it_gets_the_environment_it_is_given(void **state)
{
    const char *const argv[] = { "/bin/sh", "-c", "echo $ONE-$HOME", NULL };
    const char *const env[] = { "ONE=1", NULL };
    struct run_end end;
    struct err e;
    struct buf said = { 0 };
    assert_int_equal(run_program(argv, env, NULL, 20000, &said, &end, &e), ERR_OK);
    assert_true(str_eq(buf_str(&said), STR("1-\n")));
    buf_free(&said);
}

static void test_it_is_ended_once_it_has_said_enough(void **state)
{
    static const struct {
        const char *script, *until, *said;
        bool enough;
    } rows[] = {
        { "echo one; echo two 2 2; exec sleep 100", "two", "one\ntwo 2 2\n", true },
        { "echo one; echo three", "two", "one\nthree\n", false },
        { "echo one; printf two", "two", "one\ntwo", false }, /* no end of that line: its own end ends it */
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        const char *const argv[] = { "/bin/sh", "-c", rows[i].script, NULL };
        struct run_end end;
        struct err e;
        struct buf said = { 0 };
        assert_int_equal(run_program(argv, NULL, rows[i].until, 20000, &said, &end, &e), ERR_OK);
        assert_int_equal(end.enough, rows[i].enough);
        assert_false(end.too_long);
        assert_true(str_eq(buf_str(&said), str_of(rows[i].said)));
        buf_free(&said);
    }
}

/* It reads 4096 bytes at a time: the words lie across two such parts. */
static void test_words_are_found_across_two_reads(void **state)
{
    const char *const argv[] = { "/bin/sh", "-c", "printf '%04094dtwo\\nmore' 0; exec sleep 100", NULL };
    struct run_end end;
    struct err e;
    struct buf said = { 0 };
    assert_int_equal(run_program(argv, NULL, "two", 20000, &said, &end, &e), ERR_OK);
    assert_true(end.enough && str_ends(buf_str(&said), STR("0two\nmore")));
    buf_free(&said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_says_and_how_it_ends_is_told),
        cmocka_unit_test(test_it_is_ended_at_the_limit_with_all_it_started),
        cmocka_unit_test(test_more_than_is_wanted_is_dropped),
        cmocka_unit_test(test_what_is_no_program_fails),
        cmocka_unit_test(test_it_gets_the_environment_it_is_given),
        cmocka_unit_test(test_it_is_ended_once_it_has_said_enough),
        cmocka_unit_test(test_words_are_found_across_two_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
