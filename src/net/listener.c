/* A listening socket that somebody else made: watched, and its connections taken off it. accept() is our own because the receiver wants a plain
 * descriptor. Out of descriptors it stops watching for a moment: the socket stays readable and would spin the loop.
 * Of a crowd that comes at once so many are taken in a turn (some 10 us each) that who is in already and asks again at once does not go first for seconds. */
#include "net/conn.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AT_ONCE = 128, PAUSE_MS = 100 };

struct listener {
    uv_poll_t poll;
    struct timer pause;
    void (*on_conn)(void *ctx, int fd);
    void *ctx;
    int fd;
    bool starved; /* said once, not ten times a second */
    bool closed;
};

static void on_ready(uv_poll_t *h, int status, int events);

static void resume(void *ctx)
{
    struct listener *s = ctx;
    uv_poll_start(&s->poll, UV_READABLE, on_ready);
}

static void pause_accepting(struct listener *s, int error)
{
    if (!s->starved)
        log_warn("cannot accept connections for now: %s", strerror(error));
    s->starved = true;
    uv_poll_stop(&s->poll);
    timer_set(&s->pause, PAUSE_MS);
}

static void on_ready(uv_poll_t *h, int status, int events)
{
    struct listener *s = h->data;
    for (int i = 0; i < AT_ONCE && !s->closed; i++) {
        int fd = accept(s->fd, NULL, NULL);
        if (fd >= 0) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
            s->starved = false;
            s->on_conn(s->ctx, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(s, errno);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return; /* EAGAIN: all taken */
        }
    }
}

struct listener *listener_new(struct loop *l, int fd, void (*on_conn)(void *ctx, int fd), void *ctx)
{
    struct listener *s = calloc(1, sizeof *s);
    if (!s)
        die("out of memory for a listener");
    s->fd = fd;
    s->on_conn = on_conn;
    s->ctx = ctx;
    s->poll.data = s;
    timer_init(&s->pause, l, resume, s);
    int rc = uv_poll_init(loop_uv(l), &s->poll, fd);
    if (!rc)
        rc = uv_poll_start(&s->poll, UV_READABLE, on_ready);
    if (rc)
        die("cannot watch a listening socket: %s", uv_strerror(rc));
    return s;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void listener_free(struct listener *s)
{
    if (!s || s->closed)
        return;
    s->closed = true;
    timer_cancel(&s->pause);
    uv_close((uv_handle_t *)&s->poll, on_closed);
    close(s->fd);
}
