/* What is left of the kernel behind the filter: each case in a process of its own, since there is no way back. */
#include "proc/filter.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

enum { FINE = 100, NO_FILTER };

/* 100 = it went well, an errno, or minus the signal that it died of. */
static int behind(long (*fn)(long a, long b), long a, long b)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (filter_enter())
            _exit(NO_FILTER);
        errno = 0;
        _exit(fn(a, b) < 0 ? errno : FINE);
    }
    int status = 0;
    assert_true(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static long call(long number, long argument)
{
    return syscall(number, argument, 0, 0, 0, 0, 0);
}

static int up(void **state)
{
    return behind(call, SYS_getpid, 0) == NO_FILTER ? 1 : 0;
}

static void test_what_is_never_done_is_deadly(void **state)
{
    static const long calls[] = { SYS_execve, SYS_execveat, SYS_ptrace, SYS_mount, SYS_bpf, SYS_keyctl, SYS_init_module, SYS_unshare, SYS_setns, SYS_setuid,
        SYS_process_vm_readv, SYS_userfaultfd, SYS_perf_event_open, SYS_chroot, SYS_reboot };
    for (size_t i = 0; i < COUNTOF(calls); i++)
        assert_int_equal(behind(call, calls[i], -1), -SIGSYS);
}

static void test_what_is_not_in_the_table_looks_like_an_older_kernel(void **state)
{
    static const long calls[] = { 425 /* io_uring_setup */, 426, 435 /* clone3 */, SYS_timer_create, SYS_mknodat, SYS_shmget, SYS_msgget, SYS_semget, SYS_tkill /* of any process */, 5000 };
    for (size_t i = 0; i < COUNTOF(calls); i++)
        assert_int_equal(behind(call, calls[i], 1), ENOSYS);
}

static long open_socket(long family, long type)
{
    return socket((int)family, (int)type, 0);
}

static long fork_it(long a, long b)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid;
}

static void *nothing(void *ctx)
{
    return ctx;
}

static long start_thread(long a, long b)
{
    pthread_t t;
    errno = pthread_create(&t, NULL, nothing, NULL);
    return errno || pthread_join(t, NULL) ? -1 : 0;
}

static long send_signal(long to, long b)
{
    return kill(to ? (pid_t)to : getpid(), 0);
}

static long ask_terminal(long what, long b)
{
    int fd = open("/dev/null", O_RDWR), n = 0;
    return ioctl(fd, (unsigned long)what, &n);
}

static long set_process(long what, long value)
{
    return prctl((int)what, value, 0, 0, 0);
}

static long map_code(long a, long b)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long write_file(long a, long b)
{
    char path[] = "/tmp/hob-filter-XXXXXX";
    int fd = mkstemp(path);
    return fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) || ftruncate(fd, 0) || close(fd) || unlink(path) ? -1 : 0;
}

static void test_arguments_decide(void **state)
{
    static const struct {
        const char *what;
        long (*fn)(long a, long b);
        long a, b;
        int result;
    } cases[] = {
        { "tcp", open_socket, AF_INET, SOCK_STREAM, FINE },
        { "tcp6", open_socket, AF_INET6, SOCK_STREAM, FINE },
        { "unix", open_socket, AF_UNIX, SOCK_STREAM, FINE },
        { "netlink", open_socket, AF_NETLINK, SOCK_RAW, FINE },
        { "packets", open_socket, 17, SOCK_RAW, EAFNOSUPPORT },
        { "crypto of the kernel", open_socket, 38, SOCK_SEQPACKET, EAFNOSUPPORT },
        { "vsock", open_socket, 40, SOCK_STREAM, EAFNOSUPPORT },
        { "fork", fork_it, 0, 0, EPERM },
        { "thread", start_thread, 0, 0, FINE },
        { "signal to itself", send_signal, 0, 0, FINE },
        { "signal to init", send_signal, 1, 0, EPERM },
        { "typing for the user", ask_terminal, TIOCSTI, 0, ENOTTY },
        { "dumpable again", set_process, PR_SET_DUMPABLE, 1, EPERM },
        { "name", set_process, PR_SET_NAME, (long)"x", FINE },
        { "library", map_code, 0, 0, FINE },
        { "file", write_file, 0, 0, FINE },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        int got = behind(cases[i].fn, cases[i].a, cases[i].b);
        if (got != cases[i].result)
            fail_msg("%s: %d, not %d", cases[i].what, got, cases[i].result);
    }
}

static pthread_barrier_t meet;

static void *fork_in_thread(void *ctx)
{
    pthread_barrier_wait(&meet); /* it has begun before the filter */
    pthread_barrier_wait(&meet);
    *(long *)ctx = fork_it(0, 0);
    return NULL;
}

static void test_threads_that_ran_before_are_behind_it_too(void **state)
{
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t t;
        long result = 0;
        pthread_barrier_init(&meet, NULL, 2);
        if (pthread_create(&t, NULL, fork_in_thread, &result))
            _exit(1);
        pthread_barrier_wait(&meet);
        bool none = filter_enter() != NULL;
        pthread_barrier_wait(&meet);
        pthread_join(t, NULL);
        _exit(none || result >= 0);
    }
    int status = 0;
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static long states_are_seen(long a, long b)
{
    struct filter_state s = filter_of(getpid());
    return s.filtered == 1 && s.no_new_privileges == 1 ? 0 : -1;
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    *(bool *)handle->data = true;
    uv_poll_stop(handle);
}

/* What a loop does that was made before the filter: libuv since 1.45 has a ring for it, if it may. */
static void test_a_loop_goes_on_behind_it(void **state)
{
    pid_t pid = fork();
    if (pid == 0) {
        uv_loop_t loop;
        uv_poll_t poll;
        int ends[2];
        bool seen = false;
        filter_refuse_rings();
        errno = 0;
        bool refused = call(425 /* io_uring_setup */, 1) < 0 && errno == ENOSYS;
        bool bad = !refused || fork_it(0, 0) < 0 || pipe(ends) || write(ends[1], "x", 1) != 1 || uv_loop_init(&loop) || filter_enter();
        if (bad)
            _exit(1);
        uv_poll_init(&loop, &poll, ends[0]);
        poll.data = &seen;
        uv_poll_start(&poll, UV_READABLE, on_readable);
        uv_run(&loop, UV_RUN_DEFAULT);
        _exit(!seen);
    }
    int status = 0;
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_int_equal(status, 0);
}

static void test_it_is_seen_from_outside(void **state)
{
    assert_int_equal(filter_of(getpid()).filtered, 0);
    assert_int_equal(filter_of(0x7fffffff).filtered, -1);
    assert_int_equal(behind(states_are_seen, 0, 0), FINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_never_done_is_deadly),
        cmocka_unit_test(test_what_is_not_in_the_table_looks_like_an_older_kernel),
        cmocka_unit_test(test_arguments_decide),
        cmocka_unit_test(test_threads_that_ran_before_are_behind_it_too),
        cmocka_unit_test(test_a_loop_goes_on_behind_it),
        cmocka_unit_test(test_it_is_seen_from_outside),
    };
    if (up(NULL)) {
        printf("no filter here: nothing to try\n");
        return 77; /* skipped */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
