#include "base/err.h"
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void test_every_row_is_whole(void **state)
{
    for (int c = ERR_OK + 1; c < ERR_COUNT; c++) {
        const struct err_row *r = err_row((enum err_code)c);
        assert_non_null(r->code);
        assert_in_range(r->http, 400, 599);
        assert_int_not_equal(r->fault, FAULT_NONE);
        assert_true(strlen(r->type) > 0);
        if (r->fault == FAULT_CALLER) {
            assert_in_range(r->http, 400, 499);
            assert_true(!r->retry || c == ERR_REQUEST_TIMEOUT || c == ERR_TOO_MANY_ATTEMPTS);
        }
        if (r->fault == FAULT_BACKEND)
            assert_true(r->failover);
    }
}

static void test_setting_clears_what_was_there(void **state)
{
    struct err e = { 0 };
    err_set(&e, ERR_INVALID_REQUEST, "bad %d", 1);
    err_param(&e, "messages[%d]", 2);
    err_hint(&e, "try %s", "again");
    assert_string_equal(e.text, "bad 1");
    assert_string_equal(e.param, "messages[2]");
    assert_int_equal(err_sys(&e, ERR_SYSTEM, ENOENT, "open"), ERR_SYSTEM);
    assert_int_equal(e.sys, ENOENT);
    assert_non_null(strstr(e.text, "open: "));
    assert_string_equal(e.param, "");
    assert_string_equal(e.hint, "");
    assert_int_equal(err_set(NULL, ERR_INTERNAL, "x"), ERR_INTERNAL);
}

static void test_a_failure_stays_one_for_who_wants_no_words(void **state)
{
    assert_int_equal(err_sys(NULL, ERR_SYSTEM, ENOENT, "open"), ERR_SYSTEM);
    assert_int_not_equal(err_hint(NULL, "try again"), ERR_OK);
    assert_int_not_equal(err_param(NULL, "model"), ERR_OK);
}

static void test_a_hint_follows_what_the_text_ended_with(void **state)
{
    static const struct { const char *text, *hint, *stop; } cases[] = {
        { "It failed.", "Try again.", "" }, { "it failed", "Try again.", "." }, { "it failed", "try again", ";" }, { "Did it?", "try", "" },
        { "it failed", "`hob fit`", "." },  { "it failed", "", "." },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct err e = { 0 };
        err_set(&e, ERR_SYSTEM, "%s", cases[i].text);
        err_hint(&e, "%s", cases[i].hint);
        assert_string_equal(err_stop(&e), cases[i].stop);
    }
}

static void kill_it(void)
{
    kill(getpid(), SIGABRT);
}

/* What a process says that aborts, or is killed by the same signal. */
static void last_words(const char *first, const char *then, void (*ends_by)(void), char out[256])
{
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL); /* cmocka has its own */
        dup2(ends[1], STDERR_FILENO);
        die_if_aborted(first);
        if (then != first)
            die_if_aborted(then);
        ends_by();
        _exit(0);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], out, 255);
    out[n > 0 ? n : 0] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_an_abort_of_anothers_has_a_word_while_it_was_called(void **state)
{
    char said[256];
    last_words("no pool", "no pool", abort, said);
    assert_string_equal(said, "hob: bug or exhausted machine: no pool\n");
    last_words("no pool", NULL, abort, said);
    assert_string_equal(said, "");
    last_words("no pool", NULL, kill_it, said);
    assert_string_equal(said, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_whole),
        cmocka_unit_test(test_setting_clears_what_was_there),
        cmocka_unit_test(test_a_failure_stays_one_for_who_wants_no_words),
        cmocka_unit_test(test_a_hint_follows_what_the_text_ended_with),
        cmocka_unit_test(test_an_abort_of_anothers_has_a_word_while_it_was_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
