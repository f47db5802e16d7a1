#include "keeper/line.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <cmocka.h>

/* One message with a field of every kind. */
static size_t write_all(struct buf *b)
{
    size_t at = wire_begin(b, WIRE_SPAWN, 0x89abcdef);
    wire_put_u32(b, 0xfedcba98);
    wire_put_u64(b, 0x0123456789abcdef);
    wire_put_text(b, STR("label\0with a NUL"));
    wire_put_text(b, STR(""));
    wire_put_u32(b, 2);
    wire_put_text(b, STR("-m"));
    wire_put_text(b, STR("model.gguf"));
    wire_end(b, at);
    return at;
}

static void test_every_field_comes_back_as_it_went(void **state)
{
    struct buf b = { 0 };
    buf_lit(&b, "xyz"); /* a message may begin anywhere */
    size_t at = write_all(&b);
    struct wire_head h;
    struct str body;
    bool bad = false;
    assert_true(wire_peek(str_from(buf_str(&b), at), &h, &body, &bad));
    assert_false(bad);
    assert_int_equal(h.type, WIRE_SPAWN);
    assert_int_equal(h.id, 0x89abcdef);
    assert_int_equal(h.fds, 0);
    assert_int_equal(h.body_bytes, b.n - at - WIRE_HEAD_BYTES);
    struct wire_reader r = wire_reader(body);
    assert_int_equal(wire_u32(&r), 0xfedcba98);
    assert_true(wire_u64(&r) == 0x0123456789abcdef);
    assert_true(str_eq(wire_text(&r), STR("label\0with a NUL")));
    assert_int_equal(wire_text(&r).n, 0);
    uint32_t n;
    struct wire_reader list = wire_reader(wire_list(&r, &n));
    assert_int_equal(n, 2);
    assert_int_equal(wire_u32(&list), 2);
    assert_true(str_eq(wire_text(&list), STR("-m")));
    assert_true(str_eq(wire_text(&list), STR("model.gguf")));
    assert_true(wire_reader_ok(&list));
    assert_true(wire_reader_ok(&r));
    buf_free(&b);
}

static bool read_fields(struct str body)
{
    struct wire_reader r = wire_reader(body);
    uint32_t n;
    wire_u32(&r);
    wire_u64(&r);
    wire_text(&r);
    wire_text(&r);
    wire_list(&r, &n);
    return wire_reader_ok(&r);
}

static void test_a_body_cut_anywhere_or_too_long_is_bad(void **state)
{
    struct buf b = { 0 };
    write_all(&b);
    struct str body = str_from(buf_str(&b), WIRE_HEAD_BYTES);
    assert_true(read_fields(body));
    for (size_t n = 0; n < body.n; n++)
        assert_false(read_fields(str_make(body.p, n)));
    buf_add_char(&b, 0);
    assert_false(read_fields(str_from(buf_str(&b), WIRE_HEAD_BYTES)));
    buf_free(&b);
}

static void test_a_message_is_not_there_before_its_last_byte(void **state)
{
    struct buf b = { 0 };
    write_all(&b);
    struct wire_head h;
    struct str body;
    bool bad = false;
    for (size_t n = 0; n < b.n; n++)
        assert_false(wire_peek(str_make(b.p, n), &h, &body, &bad));
    assert_true(wire_peek(buf_str(&b), &h, &body, &bad));
    assert_false(bad);
    buf_free(&b);
}

static void test_a_head_that_promises_too_much_is_bad_at_once(void **state)
{
    static const struct {
        unsigned char head[WIRE_HEAD_BYTES];
        bool bad;
    } heads[] = {
        { { 0, 0, 0x10, 0, 1, 0, 0, 0 }, false }, /* 1 MiB: allowed, not here yet */
        { { 1, 0, 0x10, 0, 1, 0, 0, 0 }, true },
        { { 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0 }, true },
        { { 4, 0, 0, 0, 1, 0, 2, 0 }, true },     /* two descriptors */
        { { 4, 0, 0, 0, 1, 0, 0, 1 }, true },
    };
    for (size_t i = 0; i < COUNTOF(heads); i++) {
        struct wire_head h;
        struct str body;
        bool bad = false;
        assert_false(wire_peek(str_make((const char *)heads[i].head, WIRE_HEAD_BYTES), &h, &body, &bad));
        assert_int_equal(bad, heads[i].bad);
    }
}

static void test_a_list_that_claims_four_billion_ends_at_its_bytes(void **state)
{
    struct buf b = { 0 };
    wire_put_u32(&b, UINT32_MAX);
    wire_put_text(&b, STR("one"));
    struct wire_reader r = wire_reader(buf_str(&b));
    uint32_t n = 7;
    assert_int_equal(wire_list(&r, &n).n, 0);
    assert_int_equal(n, 0);
    assert_false(wire_reader_ok(&r));
    assert_int_equal(wire_u32(&r), 0); /* bad stays bad */
    assert_true(wire_text(&r).p == NULL);
    buf_free(&b);
}

static void test_random_bytes_never_leave_the_buffer(void **state)
{
    char bytes[64];
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        size_t n = (size_t)round % sizeof bytes;
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = (char)(seed >> 24 & (round & 1 ? 0x07 : 0xff)); /* small numbers get further */
        }
        struct wire_head h;
        struct str body;
        bool bad = false;
        wire_peek(str_make(bytes, n), &h, &body, &bad);
        read_fields(str_make(bytes, n));
    }
}

/* ---- lines ---- */

static void pair(struct line *a, struct line *b)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    line_open(a, fds[0], 1 << 20);
    line_open(b, fds[1], 1 << 20);
}

static void say(struct line *l, uint32_t id, struct str text, int fd)
{
    size_t at = line_begin(l, WIRE_LISTENING, id);
    wire_put_text(&l->out, text);
    if (fd >= 0)
        line_end_fd(l, at, fd);
    else
        line_end(l, at);
}

static bool same_file(int a, int b)
{
    struct stat sa, sb;
    return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

/* The descriptors must find their messages, however many messages lie between and before. */
static void test_descriptors_arrive_with_their_messages(void **state)
{
    struct line a, b;
    pair(&a, &b);
    int pipes[4];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(pipe(pipes + 2), 0);
    static const int carries[] = { -1, 0, 1, -1, -1, 2, 3, -1 };
    for (uint32_t i = 0; i < COUNTOF(carries); i++)
        say(&a, i + 1, STR("addr"), carries[i] < 0 ? -1 : pipes[carries[i]]);
    assert_int_equal(line_flush(&a), LINE_OPEN);
    assert_false(line_waits(&a));
    uint32_t seen = 0;
    while (seen < COUNTOF(carries)) {
        assert_int_equal(line_read(&b), LINE_OPEN);
        struct wire_head h;
        struct str body;
        int fd;
        while (line_next(&b, &h, &body, &fd)) {
            assert_int_equal(h.id, seen + 1);
            assert_int_equal(fd >= 0, carries[seen] >= 0);
            if (fd >= 0) {
                assert_true(same_file(fd, pipes[carries[seen]]));
                assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
                close(fd);
            }
            seen++;
        }
    }
    for (int i = 0; i < 4; i++)
        close(pipes[i]);
    line_close(&a);
    assert_int_equal(line_read(&b), LINE_EOF);
    line_close(&b);
    line_close(&b);
}

/* What the kernel says beside the bytes and is no descriptor is passed over. */
static void test_other_words_of_the_kernel_are_no_descriptors(void **state)
{
    int pair_of[2], on = 1, fd;
    char byte = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair_of), 0);
#ifdef SO_PASSCRED
    assert_int_equal(setsockopt(pair_of[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
#endif
    assert_int_equal(wire_send(pair_of[0], STR("a"), -1), 1);
    assert_int_equal(wire_recv(pair_of[1], &byte, 1, &fd), 1);
    assert_true(byte == 'a' && fd == -1);
    close(pair_of[0]);
    close(pair_of[1]);
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof here;
    int to = socket(AF_INET, SOCK_DGRAM, 0), from = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(to >= 0 && from >= 0);
    assert_int_equal(bind(to, (struct sockaddr *)&here, sizeof here), 0);
    assert_int_equal(getsockname(to, (struct sockaddr *)&here, &n), 0);
    assert_int_equal(setsockopt(to, IPPROTO_IP, IP_RECVTTL, &on, sizeof on), 0);
    assert_int_equal(connect(from, (struct sockaddr *)&here, sizeof here), 0);
    assert_int_equal(send(from, "b", 1, 0), 1);
    assert_int_equal(wire_recv(to, &byte, 1, &fd), 1);
    assert_true(byte == 'b' && fd == -1);
    close(to);
    close(from);
}

static int waiting[2];

static void on_alarm(int sig)
{
    static char bytes[4096];
    int sys = errno; /* of whom it interrupts */
    (void)sig;
    if (waiting[0] >= 0)
        (void)!write(waiting[0], "c", 1);
    else
        while (read(waiting[1], bytes, sizeof bytes) > 0)
            ;
    errno = sys;
}

/* A signal ends neither a word that is waited for nor one that waits. */
static void test_a_signal_is_no_end(void **state)
{
    struct sigaction act = { .sa_handler = on_alarm }, was;
    struct itimerval soon = { { 0, 2000 }, { 0, 2000 } }, never = { { 0, 0 }, { 0, 0 } };
    int pair_of[2], fd;
    char byte = 0;
    static char many[4096];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair_of), 0);
    assert_int_equal(sigaction(SIGALRM, &act, &was), 0);
    waiting[0] = pair_of[0];
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(wire_recv(pair_of[1], &byte, 1, &fd), 1);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(byte, 'c');
    waiting[0] = -1;
    waiting[1] = pair_of[1];
    assert_int_equal(fcntl(pair_of[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(pair_of[1], F_SETFL, O_NONBLOCK), 0);
    while (wire_send(pair_of[0], str_make(many, sizeof many), -1) > 0)
        ;
    assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
    assert_int_equal(fcntl(pair_of[0], F_SETFL, 0), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(wire_send(pair_of[0], str_make(many, sizeof many), -1), sizeof many);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    sigaction(SIGALRM, &was, NULL);
    close(pair_of[0]);
    close(pair_of[1]);
}

static void test_a_full_socket_keeps_what_waits_and_its_descriptors(void **state)
{
    struct line a, b;
    pair(&a, &b);
    static char text[3000];
    memset(text, 'x', sizeof text);
    uint32_t sent = 0, seen = 0;
    while (!line_waits(&a)) {
        sent++;
        say(&a, sent, str_make(text, sizeof text), sent % 5 ? -1 : b.sock);
        assert_int_equal(line_flush(&a), LINE_OPEN);
    }
    say(&a, ++sent, STR("last"), b.sock);
    while (seen < sent) {
        struct wire_head h;
        struct str body;
        int fd;
        assert_int_equal(line_read(&b), LINE_OPEN);
        while (line_next(&b, &h, &body, &fd)) {
            assert_int_equal(h.id, ++seen);
            assert_int_equal(fd >= 0, seen % 5 == 0 || seen == sent);
            if (fd >= 0)
                close(fd);
        }
        assert_int_equal(line_flush(&a), LINE_OPEN);
    }
    line_close(&a);
    line_close(&b);
}

static void test_more_waiting_than_allowed_breaks_the_line(void **state)
{
    struct line a, b;
    pair(&a, &b);
    static char text[100 * 1024];
    for (int i = 0; i < 40 && !a.broken; i++) {
        say(&a, 1, str_make(text, sizeof text), -1);
        if (!a.broken)
            line_flush(&a);
    }
    assert_true(a.broken);
    assert_int_equal(line_flush(&a), LINE_BROKEN);
    line_close(&a);
    line_close(&b);
}

static void test_a_promised_descriptor_that_did_not_come_breaks_the_line(void **state)
{
    struct line a, b;
    pair(&a, &b);
    size_t at = line_begin(&a, WIRE_LISTENING, 1);
    wire_mark_fd(&a.out, at);
    line_end(&a, at);
    line_flush(&a);
    struct wire_head h;
    struct str body;
    int fd;
    assert_int_equal(line_read(&b), LINE_OPEN);
    assert_false(line_next(&b, &h, &body, &fd));
    assert_true(b.broken);
    assert_int_equal(line_read(&b), LINE_BROKEN);
    line_close(&a);
    line_close(&b);
}

static void test_a_closed_line_takes_words_and_forgets_them(void **state)
{
    struct line l = { .sock = -1 };
    say(&l, 1, STR("x"), -1);
    assert_int_equal(l.out.n, 0);
    assert_int_equal(line_flush(&l), LINE_EOF);
    line_close(&l);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_comes_back_as_it_went),
        cmocka_unit_test(test_a_body_cut_anywhere_or_too_long_is_bad),
        cmocka_unit_test(test_a_message_is_not_there_before_its_last_byte),
        cmocka_unit_test(test_a_head_that_promises_too_much_is_bad_at_once),
        cmocka_unit_test(test_a_list_that_claims_four_billion_ends_at_its_bytes),
        cmocka_unit_test(test_random_bytes_never_leave_the_buffer),
        cmocka_unit_test(test_descriptors_arrive_with_their_messages),
        cmocka_unit_test(test_other_words_of_the_kernel_are_no_descriptors),
        cmocka_unit_test(test_a_signal_is_no_end),
        cmocka_unit_test(test_a_full_socket_keeps_what_waits_and_its_descriptors),
        cmocka_unit_test(test_more_waiting_than_allowed_breaks_the_line),
        cmocka_unit_test(test_a_promised_descriptor_that_did_not_come_breaks_the_line),
        cmocka_unit_test(test_a_closed_line_takes_words_and_forgets_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
