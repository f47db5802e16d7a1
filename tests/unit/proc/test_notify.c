/* What the service manager hears: the words, at either kind of address, and the watchdog from the loop's timer. */
#include "proc/notify.h"

#include "base/clock.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

struct manager {
    char folder[32], name[64];
    int fd;
    struct loop *loop;
};

static int listen_at(struct manager *m, bool abstract)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    snprintf(m->folder, sizeof m->folder, "/tmp/hob-test-XXXXXX");
    assert_non_null(mkdtemp(m->folder));
    snprintf(m->name, sizeof m->name, "%s%s/notify", abstract ? "@" : "", m->folder);
    memcpy(at.sun_path, m->name, strlen(m->name));
    if (abstract)
        at.sun_path[0] = 0;
    m->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(m->fd >= 0);
    socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(m->name) + (abstract ? 0 : 1));
    assert_int_equal(bind(m->fd, (struct sockaddr *)&at, n), 0);
    m->loop = loop_new();
    return setenv("NOTIFY_SOCKET", m->name, 1);
}

static void close_manager(struct manager *m)
{
    loop_free(m->loop);
    close(m->fd);
    if (m->name[0] == '/')
        unlink(m->name);
    rmdir(m->folder);
}

static void assert_heard(struct manager *m, const char *words)
{
    char got[512];
    ssize_t n = recv(m->fd, got, sizeof got - 1, MSG_DONTWAIT);
    if (!words) {
        assert_int_equal(n, -1);
        return;
    }
    assert_true(n >= 0);
    got[n] = 0;
    assert_string_equal(got, words);
}

static void say_all(bool abstract)
{
    struct manager m;
    listen_at(&m, abstract);
    struct notify *n = notify_new(m.loop);
    assert_null(getenv("NOTIFY_SOCKET")); /* what we start shall not speak for us */
    assert_heard(&m, NULL);
    notify_status(n, "loading %s", "a");
    assert_heard(&m, "STATUS=loading a");
    notify_status(n, "loading %s", "a");
    assert_heard(&m, NULL);
    notify_ready(n);
    assert_heard(&m, "READY=1");
    notify_status(n, "%s", "two\nREADY=1");
    assert_heard(&m, "STATUS=two?READY=1");
    notify_stopping(n);
    assert_heard(&m, "STOPPING=1");
    notify_free(n);
    close_manager(&m);
}

static void test_a_socket_with_a_file_is_told(void **state)
{
    say_all(false);
}

#ifdef __linux__
static void test_a_socket_without_a_file_is_told(void **state)
{
    say_all(true);
}
#endif

static int64_t fixed_ns(void)
{
    return 1234567890123456;
}

static int64_t fixed_ms(void)
{
    return 0;
}

static void test_a_reload_names_its_time(void **state)
{
    static const struct clock_source at = { fixed_ns, fixed_ms };
    struct manager m;
    listen_at(&m, false);
    struct notify *n = notify_new(m.loop);
    clock_use(&at);
    notify_reloading(n);
    clock_use(NULL);
    assert_heard(&m, "RELOADING=1\nMONOTONIC_USEC=1234567890123");
    notify_free(n);
    close_manager(&m);
}

static void test_a_long_status_is_cut(void **state)
{
    char text[1000] = "";
    struct manager m;
    listen_at(&m, false);
    struct notify *n = notify_new(m.loop);
    memset(text, 'x', sizeof text - 1);
    notify_status(n, "%s", text);
    char got[512];
    ssize_t bytes = recv(m.fd, got, sizeof got, MSG_DONTWAIT);
    assert_true(bytes > 100 && bytes <= 207);
    notify_free(n);
    close_manager(&m);
}

static void stop(void *ctx)
{
    loop_stop(ctx);
}

static void run_for(struct loop *l, int64_t ms)
{
    struct timer t;
    timer_init(&t, l, stop, l);
    timer_set(&t, ms);
    loop_run(l);
}

/* us, pid -> whether the watchdog is fed. */
static void test_the_watchdog_is_fed_by_the_loop(void **state)
{
    char own[16], parent[16];
    snprintf(own, sizeof own, "%d", getpid());
    snprintf(parent, sizeof parent, "%d", getppid());
    const struct {
        const char *us, *pid;
        bool fed;
    } rows[] = {
        { "20000", NULL, true },  { "20000", "", true },   { "20000", own, true },  { "20000", parent, true }, { "20000", "2147483647", false },
        { "20000", "x", false },  { NULL, NULL, false },   { "", NULL, false },     { "0", NULL, false },      { "-5", NULL, false },
        { "1s", NULL, false },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct manager m;
        listen_at(&m, false);
        if (rows[i].us)
            setenv("WATCHDOG_USEC", rows[i].us, 1);
        if (rows[i].pid)
            setenv("WATCHDOG_PID", rows[i].pid, 1);
        struct notify *n = notify_new(m.loop);
        assert_null(getenv("WATCHDOG_USEC"));
        assert_null(getenv("WATCHDOG_PID"));
        run_for(m.loop, 25); /* at its start, and after 10 and 20 ms */
        assert_heard(&m, rows[i].fed ? "WATCHDOG=1" : NULL);
        assert_heard(&m, rows[i].fed ? "WATCHDOG=1" : NULL);
        notify_free(n);
        close_manager(&m);
    }
}

static void test_nobody_listens_and_nothing_happens(void **state)
{
    static const char *const names[] = { NULL, "", "x", "@", "vsock:2:1234", "/tmp/hob-test-nobody" };
    char long_name[200] = "/";
    memset(long_name + 1, 'l', sizeof long_name - 2);
    struct loop *l = loop_new();
    for (size_t i = 0; i <= COUNTOF(names); i++) {
        const char *name = i < COUNTOF(names) ? names[i] : long_name;
        unsetenv("NOTIFY_SOCKET");
        if (name)
            setenv("NOTIFY_SOCKET", name, 1);
        struct notify *n = notify_new(l);
        notify_ready(n);
        notify_status(n, "x");
        notify_stopping(n);
        notify_free(n);
    }
    notify_ready(NULL);
    notify_status(NULL, "x");
    notify_free(NULL);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_socket_with_a_file_is_told),
#ifdef __linux__
        cmocka_unit_test(test_a_socket_without_a_file_is_told),
#endif
        cmocka_unit_test(test_a_reload_names_its_time),
        cmocka_unit_test(test_a_long_status_is_cut),
        cmocka_unit_test(test_the_watchdog_is_fed_by_the_loop),
        cmocka_unit_test(test_nobody_listens_and_nothing_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
