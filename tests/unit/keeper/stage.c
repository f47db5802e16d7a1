#include "stage.h"

#include "base/clock.h"
#include "keeper/os.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static const char *keeper_path, *stand_in_path;

void stage_programs(const char *keeper, const char *stand_in)
{
    keeper_path = keeper;
    stand_in_path = stand_in;
    signal(SIGPIPE, SIG_IGN);
    os_adopt_orphans(); /* who loses the keeper comes to us, so that we see it die */
}

long stage_left(int64_t until_ms)
{
    int64_t left = until_ms - clock_mono_ms();
    return left > 0 ? (long)left : 0;
}

static void wait_for(int fd, short events, const char *what)
{
    struct pollfd p = { .fd = fd, .events = events };
    if (poll(&p, 1, STAGE_WAIT_MS) != 1)
        fail_msg("waited in vain for %s", what);
}

void stage_up(struct stage *s)
{
    stage_up_with(s, stand_in_path);
}

void stage_up_with(struct stage *s, const char *gateway)
{
    *s = (struct stage){ .puppet = -1, .line = { .sock = -1 } };
    snprintf(s->dir, sizeof s->dir, "/tmp/hob-stage-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->path, sizeof s->path, "%s/door", s->dir);
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    memcpy(at.sun_path, s->path, strlen(s->path));
    s->door = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(s->door, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s->door, 8), 0);
    s->keeper = fork();
    if (s->keeper == 0) {
        execl(keeper_path, "hob-keeper", gateway, s->path, (char *)NULL);
        _exit(89);
    }
    assert_true(s->keeper > 0);
}

bool stage_is_met_within(struct stage *s, int ms)
{
    struct pollfd p = { .fd = s->door, .events = POLLIN };
    return poll(&p, 1, ms) == 1;
}

int stage_meet_fd(struct stage *s)
{
    char byte;
    int wire = -1;
    line_close(&s->line);
    buf_reset(&s->news, 0);
    wait_for(s->door, POLLIN, "the stand-in");
    if (s->puppet >= 0)
        close(s->puppet); /* not before: the last stand-in would exit by itself */
    s->puppet = accept(s->door, NULL, NULL);
    wait_for(s->puppet, POLLIN, "the wire");
    assert_int_equal(wire_recv(s->puppet, &byte, 1, &wire), 1);
    assert_true(wire >= 0);
    return wire;
}

int stage_meet_beside(struct stage *s, struct stage *its, char what)
{
    char byte;
    int other = -1;
    *its = (struct stage){ .puppet = -1, .door = s->door, .keeper = s->keeper, .line = { .sock = -1 } };
    line_open(&its->line, stage_meet_fd(its), 16 << 20);
    wait_for(its->puppet, POLLIN, "the socket to the other");
    assert_int_equal(wire_recv(its->puppet, &byte, 1, &other), 1);
    assert_int_equal(byte, what);
    assert_true(other >= 0);
    return other;
}

void stage_leave(struct stage *its)
{
    line_close(&its->line);
    close(its->puppet);
    buf_free(&its->news);
}

const char *stage_stand_in(void)
{
    return stand_in_path;
}

void stage_meet(struct stage *s)
{
    line_open(&s->line, stage_meet_fd(s), 16 << 20);
}

void stage_deed(struct stage *s, char deed, char arg)
{
    char bytes[2] = { deed, arg };
    assert_int_equal(write(s->puppet, bytes, deed == 'x' ? 2 : 1), deed == 'x' ? 2 : 1);
}

static int reap(pid_t pid, int ms)
{
    int64_t until_ms = clock_mono_ms() + ms;
    for (;;) {
        int status;
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid)
            return status;
        if (got < 0 || !stage_left(until_ms))
            return -1;
        poll(NULL, 0, 2);
    }
}

int stage_end(struct stage *s)
{
    int status = reap(s->keeper, STAGE_WAIT_MS);
    if (status < 0)
        fail_msg("the keeper does not end");
    s->keeper = 0;
    return status;
}

bool stage_gone(pid_t pid)
{
    int64_t until_ms = clock_mono_ms() + STAGE_WAIT_MS;
    while (stage_left(until_ms)) {
        waitpid(pid, NULL, WNOHANG); /* an orphan of the keeper's that is ours now */
        if (kill(pid, 0) && errno == ESRCH)
            return true;
        poll(NULL, 0, 2);
    }
    return false;
}

void stage_down(struct stage *s)
{
    line_close(&s->line);
    if (s->puppet >= 0)
        close(s->puppet);
    if (s->keeper) {
        kill(s->keeper, SIGKILL);
        reap(s->keeper, STAGE_WAIT_MS);
    }
    buf_free(&s->news);
    close(s->door);
    char command[160];
    static const char *const leavings[] = { "door", "words", "words.1", "s", "t" };
    for (size_t i = 0; i < COUNTOF(leavings); i++) {
        snprintf(command, sizeof command, "%s/%s", s->dir, leavings[i]);
        unlink(command);
    }
    assert_int_equal(rmdir(s->dir), 0);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
}

size_t stage_begin(struct stage *s, enum wire_type type)
{
    return line_begin(&s->line, type, ++s->last_id);
}

/* Waits for more bytes; false at the end of the wire. */
static bool more(struct stage *s)
{
    line_flush(&s->line);
    wait_for(s->line.sock, (short)(POLLIN | (line_waits(&s->line) ? POLLOUT : 0)), "the keeper's word");
    return line_read(&s->line) != LINE_EOF;
}

static void keep_news(struct stage *s, const struct wire_head *h, struct str body)
{
    size_t at = wire_begin(&s->news, (enum wire_type)h->type, 0);
    buf_add(&s->news, body);
    wire_end(&s->news, at);
}

enum wire_type stage_ask(struct stage *s, size_t begun_at, struct wire_reader *in, int *fd)
{
    line_end(&s->line, begun_at);
    struct wire_head h;
    struct str body;
    int came;
    for (;;) {
        while (line_next(&s->line, &h, &body, &came)) {
            if (h.id == 0) {
                keep_news(s, &h, body);
                continue;
            }
            assert_int_equal(h.id, s->last_id);
            *in = wire_reader(body);
            if (fd)
                *fd = came;
            else
                assert_int_equal(came, -1);
            return (enum wire_type)h.type;
        }
        assert_true(more(s));
    }
}

enum wire_type stage_news(struct stage *s, struct wire_reader *in)
{
    struct wire_head h;
    struct str body;
    bool bad = false;
    int fd;
    static struct buf kept; /* what *in reads */
    if (wire_peek(buf_str(&s->news), &h, &body, &bad)) {
        buf_reset(&kept, 1 << 20);
        buf_add(&kept, body);
        buf_drop(&s->news, WIRE_HEAD_BYTES + body.n);
        *in = wire_reader(buf_str(&kept));
        return (enum wire_type)h.type;
    }
    while (!line_next(&s->line, &h, &body, &fd))
        assert_true(more(s));
    assert_int_equal(h.id, 0);
    *in = wire_reader(body);
    return (enum wire_type)h.type;
}

bool stage_eof(struct stage *s)
{
    int64_t until_ms = clock_mono_ms() + STAGE_WAIT_MS;
    while (stage_left(until_ms)) {
        struct wire_head h;
        struct str body;
        int fd;
        if (!more(s))
            return true;
        while (line_next(&s->line, &h, &body, &fd))
            continue;
    }
    return false;
}
