/* Who writes a line of log never waits for who reads it. */
#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { LINES = 2000, ROOM = 1 << 20 };
static char heard[ROOM];

/* What the reader finds, until there is no more. */
static size_t hear(int fd)
{
    size_t n = 0;
    ssize_t got;
    while ((got = read(fd, heard + n, sizeof heard - 1 - n)) > 0)
        n += (size_t)got;
    heard[n] = 0;
    return n;
}

static unsigned count(const char *what)
{
    unsigned n = 0;
    for (const char *p = heard; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

static void test_a_pipe_that_nobody_reads_holds_up_nobody(void **state)
{
    (void)state;
    int ends[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0); /* the reader's end alone: who writes may find a pipe that waits */
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    for (int i = 0; i < LINES; i++)
        log_warn("a line of some words, number %d, and \nno more than that", i);
    hear(ends[0]);
    unsigned first = count("a line of"), missing = 0;
    log_warn("the next one");
    hear(ends[0]);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(ends[0]);
    close(ends[1]);
    assert_in_range(first, 1, LINES - 1);
    const char *said = strstr(heard, "for a while: ");
    assert_non_null(said);
    assert_int_equal(sscanf(said, "for a while: %u lines are missing", &missing), 1);
    assert_int_equal(first + missing, LINES);
    assert_int_equal(count("the next one"), 1);
    assert_true(strstr(heard, "the next one") > said);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_a_pipe_that_nobody_reads_holds_up_nobody) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
