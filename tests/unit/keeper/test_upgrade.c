/* Two gateways beside each other: an heir, what it takes over and when, and every end that either of them may have. */
#include "stage.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#ifdef __linux__
#include <sys/ptrace.h>
#endif

/* ---- small words ---- */

static uint32_t hello(struct stage *s)
{
    struct wire_reader in;
    size_t at = stage_begin(s, WIRE_HELLO);
    wire_put_u32(&s->line.out, WIRE_VERSION);
    assert_int_equal(stage_ask(s, at, &in, NULL), WIRE_WELCOME);
    wire_u32(&in);
    wire_u32(&in);
    return wire_u32(&in);
}

static void ready(struct stage *s)
{
    line_end(&s->line, line_begin(&s->line, WIRE_READY, 0));
    hello(s); /* it has been read by now */
}

static void up(struct stage *s)
{
    stage_up(s);
    stage_meet(s);
    assert_int_equal(hello(s), 1);
    ready(s);
}

static enum wire_type ask_plain(struct stage *s, enum wire_type type)
{
    struct wire_reader in;
    return stage_ask(s, stage_begin(s, type), &in, NULL);
}

static enum wire_type spawn(struct stage *s, const char *label, pid_t *pid)
{
    struct wire_reader in;
    static const char *const argv[] = { "/bin/sh", "-c", "exec sleep 1000" };
    size_t at = stage_begin(s, WIRE_SPAWN);
    struct buf *b = &s->line.out;
    wire_put_text(b, str_of(label));
    wire_put_text(b, STR(""));
    wire_put_u64(b, 0);
    wire_put_u32(b, COUNTOF(argv));
    for (size_t i = 0; i < COUNTOF(argv); i++)
        wire_put_text(b, str_of(argv[i]));
    wire_put_u32(b, 1);
    wire_put_text(b, STR("PATH=/usr/bin:/bin"));
    wire_put_text(b, STR(""));
    for (int i = 0; i < 3; i++) /* no fence, no port, no rules */
        wire_put_u32(b, 0);
    enum wire_type answer = stage_ask(s, at, &in, NULL);
    *pid = answer == WIRE_SPAWNED ? (pid_t)wire_u32(&in) : 0;
    return answer;
}

static enum wire_type kill_child(struct stage *s, const char *label)
{
    struct wire_reader in;
    size_t at = stage_begin(s, WIRE_KILL);
    wire_put_text(&s->line.out, str_of(label));
    wire_put_u32(&s->line.out, 0);
    wire_put_u32(&s->line.out, 0);
    return stage_ask(s, at, &in, NULL);
}

static size_t children(struct stage *s)
{
    struct wire_reader in;
    assert_int_equal(stage_ask(s, stage_begin(s, WIRE_LIST), &in, NULL), WIRE_LISTED);
    return wire_u32(&in);
}

static pid_t heirs_pid; /* of the last one */

static enum wire_type upgrade_as(struct stage *s, const char *const *argv, size_t n, int *its)
{
    struct wire_reader in;
    size_t at = stage_begin(s, WIRE_UPGRADE);
    wire_put_u32(&s->line.out, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        wire_put_text(&s->line.out, str_of(argv[i]));
    enum wire_type answer = stage_ask(s, at, &in, its);
    heirs_pid = answer == WIRE_HEIR ? (pid_t)wire_u32(&in) : 0;
    return answer;
}

static enum wire_type upgrade(struct stage *s, const char *program, int *its)
{
    const char *const argv[] = { program, s->path };
    return upgrade_as(s, argv, COUNTOF(argv), its);
}

/* The socket between them is one: what goes in at one end comes out at the other. */
static void assert_linked(int a, int b)
{
    char byte = 0;
    assert_int_equal(write(a, "!", 1), 1);
    assert_int_equal(read(b, &byte, 1), 1);
    assert_int_equal(byte, '!');
}

/* An heir of `old`, on its own stage. */
static void beget(struct stage *old, struct stage *heir)
{
    int mine = -1;
    assert_int_equal(upgrade(old, stage_stand_in(), &mine), WIRE_HEIR);
    int its = stage_meet_beside(old, heir, 'h');
    assert_linked(mine, its);
    close(mine);
    close(its);
}

static void heir_gone(struct stage *s, uint32_t code, uint32_t signal)
{
    struct wire_reader in;
    assert_int_equal(stage_news(s, &in), WIRE_HEIR_GONE);
    assert_int_equal(wire_u32(&in), code);
    assert_int_equal(wire_u32(&in), signal);
    assert_true(wire_reader_ok(&in));
}

/* ---- */

static void test_an_heir_takes_over_and_the_elder_goes(void **state)
{
    struct stage s, heir;
    pid_t child, other;
    up(&s);
    assert_int_equal(spawn(&s, "m", &child), WIRE_SPAWNED);
    beget(&s, &heir);
    assert_int_equal(hello(&heir), 2);
    assert_int_equal(spawn(&heir, "too early", &other), WIRE_FAILED);
    assert_int_equal(kill_child(&heir, "m"), WIRE_FAILED);
    assert_int_equal(ask_plain(&heir, WIRE_TAKE), WIRE_DONE);
    assert_int_equal(children(&heir), 1);
    assert_int_equal(spawn(&s, "too late", &other), WIRE_FAILED);
    assert_int_equal(kill_child(&s, "m"), WIRE_FAILED);
    assert_int_equal(spawn(&heir, "n", &other), WIRE_SPAWNED);
    ready(&heir);
    stage_deed(&s, 'x', 3); /* the elder's end is nobody's */
    assert_true(stage_eof(&s));
    assert_int_equal(children(&heir), 2);
    assert_int_equal(kill(child, 0), 0);
    stage_deed(&heir, 'x', 5);
    int status = stage_end(&s);
    assert_int_equal(WEXITSTATUS(status), 5);
    assert_true(stage_gone(child) && stage_gone(other));
    stage_leave(&heir);
    stage_down(&s);
}

static void test_both_hear_of_a_death(void **state)
{
    struct stage s, heir;
    struct wire_reader in;
    pid_t child;
    up(&s);
    spawn(&s, "m", &child);
    beget(&s, &heir);
    hello(&heir);
    kill(child, SIGKILL);
    assert_int_equal(stage_news(&s, &in), WIRE_EXITED);
    assert_int_equal(stage_news(&heir, &in), WIRE_EXITED);
    stage_leave(&heir);
    stage_down(&s);
}

static void test_an_answer_goes_to_who_has_asked(void **state)
{
    struct stage s, heir;
    pid_t child;
    up(&s);
    beget(&s, &heir);
    hello(&heir);
    for (int i = 0; i < 20; i++) { /* an exec takes a moment: meanwhile the other speaks */
        char label[16];
        snprintf(label, sizeof label, "m%d", i);
        line_end(&heir.line, stage_begin(&heir, WIRE_LIST));
        line_flush(&heir.line);
        assert_int_equal(spawn(&s, label, &child), WIRE_SPAWNED);
        struct wire_head h;
        struct str body;
        int fd;
        while (!line_next(&heir.line, &h, &body, &fd)) {
            struct pollfd p = { .fd = heir.line.sock, .events = POLLIN };
            assert_int_equal(poll(&p, 1, STAGE_WAIT_MS), 1);
            line_read(&heir.line);
        }
        assert_int_equal(h.type, WIRE_LISTED);
        assert_int_equal(h.id, heir.last_id);
    }
    stage_leave(&heir);
    stage_down(&s);
}

static const struct {
    char deed, arg;
    uint32_t code, signal;
} deaths[] = { { 'x', 7, 7, 0 }, { 's', 0, 0, SIGSEGV } };

static void test_an_heir_that_ends_early_changes_nothing(void **state)
{
    struct stage s, heir;
    pid_t child;
    up(&s);
    spawn(&s, "m", &child);
    for (size_t i = 0; i < 2 * COUNTOF(deaths); i++) {
        beget(&s, &heir);
        hello(&heir);
        if (i >= COUNTOF(deaths))
            assert_int_equal(ask_plain(&heir, WIRE_TAKE), WIRE_DONE);
        stage_deed(&heir, deaths[i % COUNTOF(deaths)].deed, deaths[i % COUNTOF(deaths)].arg);
        heir_gone(&s, deaths[i % COUNTOF(deaths)].code, deaths[i % COUNTOF(deaths)].signal);
        stage_leave(&heir);
        assert_int_equal(children(&s), 1);
        pid_t another;
        assert_int_equal(spawn(&s, "n", &another), WIRE_SPAWNED); /* it counts again */
        assert_int_equal(kill_child(&s, "n"), WIRE_DONE);
        struct wire_reader in;
        assert_int_equal(stage_news(&s, &in), WIRE_EXITED);
    }
    assert_false(stage_is_met_within(&s, 50)); /* and nobody is started in its place */
    stage_deed(&s, 's', 0);                    /* what crashes is the old program, and comes back as that */
    stage_meet(&s);
    assert_int_equal(hello(&s), 2 + 2 * COUNTOF(deaths));
    assert_int_equal(kill(child, 0), 0);
    stage_down(&s);
}

static void test_an_heir_that_hangs_can_be_dropped(void **state)
{
    struct stage s, heir;
    up(&s);
    beget(&s, &heir);
    assert_int_equal(ask_plain(&s, WIRE_DROP_HEIR), WIRE_DONE);
    heir_gone(&s, 0, SIGKILL);
    stage_leave(&heir);
    assert_int_equal(ask_plain(&s, WIRE_DROP_HEIR), WIRE_DONE); /* none: nothing */
    beget(&s, &heir);
    stage_leave(&heir);
    stage_down(&s);
}

static void test_a_program_that_is_not_there_is_told(void **state)
{
    struct stage s;
    int mine = -1;
    up(&s);
    assert_int_equal(upgrade(&s, "/no/such/program", &mine), WIRE_HEIR);
    heir_gone(&s, 1, 0);
    char byte;
    assert_int_equal(read(mine, &byte, 1), 0);
    close(mine);
    hello(&s);
    stage_down(&s);
}

static void test_two_are_enough(void **state)
{
    struct stage s, heir;
    up(&s);
    beget(&s, &heir);
    assert_int_equal(upgrade(&s, stage_stand_in(), NULL), WIRE_FAILED);
    hello(&heir);
    assert_int_equal(upgrade(&heir, stage_stand_in(), NULL), WIRE_FAILED);
    assert_int_equal(ask_plain(&heir, WIRE_TAKE), WIRE_DONE);
    assert_int_equal(ask_plain(&heir, WIRE_TAKE), WIRE_FAILED);
    assert_int_equal(upgrade(&s, stage_stand_in(), NULL), WIRE_FAILED);
    assert_int_equal(upgrade(&heir, stage_stand_in(), NULL), WIRE_FAILED);
    assert_int_equal(ask_plain(&s, WIRE_TAKE), WIRE_FAILED);
    stage_leave(&heir);
    stage_down(&s);
}

static void test_when_the_old_one_crashes_its_heir_goes_and_it_comes_back(void **state)
{
    struct stage s, heir;
    up(&s);
    beget(&s, &heir);
    hello(&heir);
    stage_deed(&s, 's', 0);
    assert_true(stage_eof(&heir));
    stage_leave(&heir);
    stage_meet(&s);
    assert_int_equal(hello(&s), 3);
    ready(&s);
    beget(&s, &heir);
    stage_leave(&heir);
    stage_down(&s);
}

/* Killed, it may have the lock yet, or write to the store: a disk may be slow. */
static void test_nobody_is_started_while_the_dead_ones_heir_still_dies(void **state)
{
#ifdef __linux__
    struct stage s, heir;
    int status = 0;
    up(&s);
    beget(&s, &heir);
    hello(&heir);
    if (ptrace(PTRACE_SEIZE, heirs_pid, NULL, (void *)PTRACE_O_TRACEEXIT)) {
        stage_leave(&heir);
        stage_down(&s);
        skip();
    }
    stage_deed(&s, 's', 0);
    assert_int_equal(waitpid(heirs_pid, &status, __WALL), heirs_pid);
    assert_true(WIFSTOPPED(status)); /* on its way out */
    assert_int_equal(ask_plain(&heir, WIRE_TAKE), WIRE_FAILED);
    assert_false(stage_is_met_within(&s, 300));
    ptrace(PTRACE_CONT, heirs_pid, NULL, NULL);
    assert_int_equal(waitpid(heirs_pid, &status, __WALL), heirs_pid);
    stage_leave(&heir);
    stage_meet(&s);
    assert_int_equal(hello(&s), 3);
    ready(&s);
    beget(&s, &heir);
    stage_leave(&heir);
    stage_down(&s);
#else
    skip(); /* nothing holds a process on its way out there */
#endif
}

/* Neither is there to go back to: what comes is the program that has served before, and stays it. */
static void test_a_program_that_never_served_does_not_come_back(void **state)
{
    struct stage s, heir;
    int mine = -1;
    up(&s);
    const char *const argv[] = { "/bin/sh", "-c", "[ \"$HOB_HEIR\" ] && exec \"$0\" \"$1\"", stage_stand_in(), s.path };
    assert_int_equal(upgrade_as(&s, argv, COUNTOF(argv), &mine), WIRE_HEIR);
    close(stage_meet_beside(&s, &heir, 'h'));
    close(mine);
    assert_int_equal(ask_plain(&heir, WIRE_TAKE), WIRE_DONE);
    stage_deed(&s, 's', 0);
    assert_true(stage_eof(&s));
    stage_deed(&heir, 's', 0);
    stage_leave(&heir);
    stage_meet(&s);
    ready(&s);
    stage_deed(&s, 's', 0);
    stage_meet(&s);
    assert_int_equal(hello(&s), 4);
    stage_down(&s);
}

/* The one that counts becomes ready beside its heir: that makes the heir's program nobody's. */
static void test_who_is_ready_late_stays_what_it_is(void **state)
{
    struct stage s, heir;
    int mine = -1;
    stage_up(&s);
    stage_meet(&s);
    assert_int_equal(hello(&s), 1);
    const char *const argv[] = { "/bin/sh", "-c", "[ \"$HOB_HEIR\" ] && exec \"$0\" \"$1\"", stage_stand_in(), s.path };
    assert_int_equal(upgrade_as(&s, argv, COUNTOF(argv), &mine), WIRE_HEIR);
    close(stage_meet_beside(&s, &heir, 'h'));
    close(mine);
    hello(&heir);
    ready(&s);
    stage_deed(&heir, 's', 0);
    stage_leave(&heir);
    children(&s); /* what was said before has been read */
    stage_deed(&s, 's', 0);
    stage_meet(&s);
    assert_int_equal(hello(&s), 3);
    stage_down(&s);
}

static void test_when_the_new_one_crashes_it_comes_back_with_a_socket_to_the_elder(void **state)
{
    struct stage s, heir, next;
    struct wire_reader in;
    struct wire_head h = { .type = 0 };
    struct str body;
    int mine = -1;
    up(&s);
    beget(&s, &heir);
    assert_int_equal(ask_plain(&heir, WIRE_TAKE), WIRE_DONE);
    ready(&heir);
    stage_deed(&heir, 's', 0);
    stage_leave(&heir);
    int its = stage_meet_beside(&s, &next, 'a');
    while (!line_next(&s.line, &h, &body, &mine)) {
        struct pollfd p = { .fd = s.line.sock, .events = POLLIN };
        assert_int_equal(poll(&p, 1, STAGE_WAIT_MS), 1);
        line_read(&s.line);
    }
    assert_int_equal(h.type, WIRE_HEIR);
    assert_int_equal(h.id, 0);
    in = wire_reader(body);
    assert_true(wire_u32(&in) > 0 && wire_reader_ok(&in));
    assert_linked(mine, its);
    close(mine);
    close(its);
    assert_int_equal(hello(&next), 3);
    ready(&next);
    stage_deed(&s, 'x', 0);
    assert_true(stage_eof(&s));
    assert_int_equal(children(&next), 0);
    stage_leave(&next);
    stage_down(&s);
}

/* A program at a path of its own. */
static void copy_stand_in(char to[32])
{
    char piece[16 * 1024];
    ssize_t n;
    snprintf(to, 32, "/tmp/hob-another-XXXXXX");
    int out = mkstemp(to), in = open(stage_stand_in(), O_RDONLY | O_CLOEXEC);
    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, piece, sizeof piece)) > 0)
        assert_int_equal(write(out, piece, (size_t)n), n);
    assert_true(n == 0 && fchmod(out, 0755) == 0 && close(out) == 0 && close(in) == 0);
}

/* What lies at its path by then was not asked to take over. */
static void test_what_crashes_comes_back_as_the_program_that_it_was(void **state)
{
#ifdef __linux__
    static const char *const instead[] = { NULL, "#!/bin/sh\nexit 77\n" };
    for (size_t i = 0; i < COUNTOF(instead); i++) {
        struct stage s, heir;
        char another[32];
        int mine = -1;
        up(&s);
        copy_stand_in(another);
        const char *const argv[] = { another, s.path };
        assert_int_equal(upgrade_as(&s, argv, COUNTOF(argv), &mine), WIRE_HEIR);
        close(stage_meet_beside(&s, &heir, 'h'));
        close(mine);
        assert_int_equal(ask_plain(&heir, WIRE_TAKE), WIRE_DONE);
        ready(&heir);
        stage_deed(&s, 'x', 0);
        assert_true(stage_eof(&s));
        hello(&heir);
        assert_int_equal(unlink(another), 0);
        if (instead[i]) {
            int fd = open(another, O_WRONLY | O_CREAT | O_EXCL, 0755);
            assert_int_equal(write(fd, instead[i], strlen(instead[i])), strlen(instead[i]));
            close(fd);
        }
        stage_deed(&heir, 's', 0);
        stage_leave(&heir);
        for (uint32_t starts = 3; starts < 5; starts++) {
            stage_meet(&s);
            assert_int_equal(hello(&s), starts);
            ready(&s);
            stage_deed(&s, 's', 0);
        }
        stage_meet(&s);
        stage_down(&s);
        unlink(another);
    }
#else
    skip(); /* nothing runs what is at no path there */
#endif
}

static void test_an_elder_that_crashes_stays_away(void **state)
{
    struct stage s, heir;
    up(&s);
    beget(&s, &heir);
    assert_int_equal(ask_plain(&heir, WIRE_TAKE), WIRE_DONE);
    stage_deed(&s, 's', 0);
    assert_true(stage_eof(&s));
    ready(&heir);
    assert_false(stage_is_met_within(&s, 50));
    stage_leave(&heir);
    stage_down(&s);
}

static void test_an_elder_that_hangs_can_be_dropped(void **state)
{
    struct stage s, heir;
    up(&s);
    beget(&s, &heir);
    assert_int_equal(ask_plain(&heir, WIRE_TAKE), WIRE_DONE);
    ready(&heir);
    assert_int_equal(ask_plain(&heir, WIRE_DROP_HEIR), WIRE_DONE);
    assert_true(stage_eof(&s));
    assert_int_equal(children(&heir), 0);
    stage_leave(&heir);
    stage_down(&s);
}

static void test_one_on_trial_can_be_dropped_by_its_elder(void **state)
{
    struct stage s, heir;
    up(&s);
    beget(&s, &heir);
    assert_int_equal(ask_plain(&heir, WIRE_TAKE), WIRE_DONE);
    assert_int_equal(ask_plain(&s, WIRE_DROP_HEIR), WIRE_DONE);
    heir_gone(&s, 0, SIGKILL);
    stage_leave(&heir);
    beget(&s, &heir);
    assert_int_equal(ask_plain(&heir, WIRE_TAKE), WIRE_DONE);
    ready(&heir);
    assert_int_equal(ask_plain(&s, WIRE_DROP_HEIR), WIRE_DONE); /* too late */
    assert_int_equal(children(&heir), 0);
    stage_leave(&heir);
    stage_down(&s);
}

static void test_stopping_waits_for_both(void **state)
{
    struct stage s, heir;
    struct wire_reader in;
    pid_t child;
    up(&s);
    spawn(&s, "m", &child);
    beget(&s, &heir);
    assert_int_equal(ask_plain(&heir, WIRE_TAKE), WIRE_DONE);
    ready(&heir); /* it was the last to speak */
    kill(s.keeper, SIGTERM);
    assert_int_equal(stage_news(&s, &in), WIRE_STOP);
    assert_int_equal(stage_news(&heir, &in), WIRE_STOP);
    stage_deed(&heir, 'x', 4);
    assert_true(stage_eof(&heir));
    assert_int_equal(kill(child, 0), 0); /* the elder may still need it */
    assert_int_equal(waitpid(s.keeper, NULL, WNOHANG), 0);
    stage_deed(&s, 'x', 0);
    assert_int_equal(WEXITSTATUS(stage_end(&s)), 4);
    assert_true(stage_gone(child));
    stage_leave(&heir);
    stage_down(&s);
}

static void test_stopping_drops_an_heir(void **state)
{
    struct stage s, heir;
    struct wire_reader in;
    up(&s);
    beget(&s, &heir);
    hello(&heir);
    kill(s.keeper, SIGTERM);
    assert_int_equal(stage_news(&s, &in), WIRE_STOP);
    assert_true(stage_eof(&heir));
    stage_deed(&s, 'x', 0);
    assert_int_equal(WEXITSTATUS(stage_end(&s)), 0);
    stage_leave(&heir);
    stage_down(&s);
}

static void test_who_counts_ends_all_when_it_exits(void **state)
{
    struct stage s, heir;
    up(&s);
    beget(&s, &heir);
    assert_int_equal(ask_plain(&heir, WIRE_TAKE), WIRE_DONE);
    ready(&heir);
    stage_deed(&heir, 'x', 6);
    assert_true(stage_eof(&s)); /* the elder goes with it */
    assert_int_equal(WEXITSTATUS(stage_end(&s)), 6);
    stage_leave(&heir);
    stage_down(&s);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    stage_programs(argv[1], argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_heir_takes_over_and_the_elder_goes),
        cmocka_unit_test(test_both_hear_of_a_death),
        cmocka_unit_test(test_an_answer_goes_to_who_has_asked),
        cmocka_unit_test(test_an_heir_that_ends_early_changes_nothing),
        cmocka_unit_test(test_an_heir_that_hangs_can_be_dropped),
        cmocka_unit_test(test_a_program_that_is_not_there_is_told),
        cmocka_unit_test(test_two_are_enough),
        cmocka_unit_test(test_when_the_old_one_crashes_its_heir_goes_and_it_comes_back),
        cmocka_unit_test(test_nobody_is_started_while_the_dead_ones_heir_still_dies),
        cmocka_unit_test(test_a_program_that_never_served_does_not_come_back),
        cmocka_unit_test(test_who_is_ready_late_stays_what_it_is),
        cmocka_unit_test(test_when_the_new_one_crashes_it_comes_back_with_a_socket_to_the_elder),
        cmocka_unit_test(test_what_crashes_comes_back_as_the_program_that_it_was),
        cmocka_unit_test(test_an_elder_that_crashes_stays_away),
        cmocka_unit_test(test_an_elder_that_hangs_can_be_dropped),
        cmocka_unit_test(test_one_on_trial_can_be_dropped_by_its_elder),
        cmocka_unit_test(test_stopping_waits_for_both),
        cmocka_unit_test(test_stopping_drops_an_heir),
        cmocka_unit_test(test_who_counts_ends_all_when_it_exits),
    };
    return cmocka_run_group_tests_name("keeper upgrade", tests, NULL, NULL);
}
