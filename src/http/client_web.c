/* A wire through the module: TLS, and proxies. libcurl makes the connection (web_lines.c); here are the program's loop and net/conn.h's rules around it.
 *
 * A `road` is what pools with the same certificates share: the module's lane, the sockets that libcurl waits for while it connects, its timer. Once a line
 * is open its socket is watched here. What a line has to say is said at the end of a turn (on_turn), so that no owner is ever met from inside
 * the module, and may free all of it. */
#include "base/buf.h"
#include "http/client_int.h"
#include "http/web_module.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEEP_BYTES = 4 * 1024, READS = 8 }; /* READS: pieces in a row before others have their turn */

/* ---- roads ---- */

struct road {
    struct list node;   /* in roads */
    struct loop *loop;
    struct str ca;      /* the pool's that opened it first: copied */
    size_t users;       /* pools */
    const struct web_module *module;
    struct web_lane *lane;
    struct timer timer;
    struct later soon;  /* the timer, when it is due at once */
};

static struct list roads = { &roads, &roads };

struct watch {
    uv_poll_t poll;
    struct road *road;
};

static void on_watch_closed(uv_handle_t *h)
{
    free(h->data);
}

static void on_watched(uv_poll_t *h, int status, int events)
{
    struct watch *w = h->data;
    int ready = status < 0 ? WEB_BROKEN | WEB_READ | WEB_WRITE : 0;
    ready |= (events & UV_READABLE ? WEB_READ : 0) | (events & UV_WRITABLE ? WEB_WRITE : 0);
    uv_os_fd_t fd;
    if (!uv_fileno((uv_handle_t *)h, &fd))
        w->road->module->lane_socket(w->road->lane, fd, ready);
}

static struct watch *watch_new(struct road *r, int fd)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w || uv_poll_init(loop_uv(r->loop), &w->poll, fd))
        die("a socket of libcurl's cannot be watched");
    w->poll.data = w;
    w->road = r;
    return w;
}

static int poll_events(int events)
{
    return (events & WEB_READ ? UV_READABLE : 0) | (events & WEB_WRITE ? UV_WRITABLE : 0);
}

static void *watch(void *ctx, void *named, int fd, int events)
{
    struct watch *w = named;
    if (events) {
        w = w ? w : watch_new(ctx, fd);
        uv_poll_start(&w->poll, poll_events(events), on_watched);
        return w;
    }
    if (w)
        uv_close((uv_handle_t *)&w->poll, on_watch_closed);
    return NULL;
}

static void set_timer(void *ctx, int64_t in_ms)
{
    struct road *r = ctx;
    later_cancel(&r->soon);
    timer_cancel(&r->timer);
    if (in_ms > 0)
        timer_set(&r->timer, in_ms);
    else if (in_ms == 0)
        loop_later(r->loop, &r->soon);
}

static void on_timer(void *ctx)
{
    struct road *r = ctx;
    r->module->lane_timer(r->lane);
}

static struct road *find_road(struct loop *l, struct str ca)
{
    for (struct list *n = roads.next; n != &roads; n = n->next) {
        struct road *r = list_entry(n, struct road, node);
        if (r->loop == l && str_eq(r->ca, ca))
            return r;
    }
    return NULL;
}

static void road_free(struct road *r)
{
    if (r->lane)
        r->module->lane_free(r->lane); /* it may still tell the timer something */
    later_cancel(&r->soon);
    timer_cancel(&r->timer);
    list_remove(&r->node);
    free((void *)(uintptr_t)r->ca.p);
    free(r);
}

static enum err_code road_new(struct loop *l, struct str ca, struct road **out, struct err *e)
{
    const struct web_module *m = NULL;
    if (web_module_get(&m, e))
        return ERR_SYSTEM;
    struct road *r = calloc(1, sizeof *r);
    if (!r)
        die("out of memory: a way to a host");
    const struct web_loop ours = { .ctx = r, .watch = watch, .timer = set_timer };
    r->loop = l;
    r->module = m;
    r->ca = str_make(strndup(ca.n ? ca.p : "", ca.n), ca.n);
    list_push(&roads, &r->node);
    timer_init(&r->timer, l, on_timer, r);
    later_init(&r->soon, on_timer, r);
    r->lane = r->ca.p ? m->lane_new(ca.n ? r->ca.p : NULL, &ours) : NULL;
    if (!r->lane)
        die("out of memory: a way to a host");
    *out = r;
    return ERR_OK;
}

static enum err_code web_road(struct loop *l, const struct http_target *to, void **out, struct err *e)
{
    struct road *r = find_road(l, to->ca);
    enum err_code rc = r ? ERR_OK : road_new(l, to->ca, &r, e);
    if (rc)
        return rc;
    r->users++;
    *out = r;
    return ERR_OK;
}

static void web_leave(void *road)
{
    struct road *r = road;
    if (--r->users == 0)
        road_free(r);
}

/* ---- a connection ---- */

enum web_state { WEB_DIALLING, WEB_OPEN, WEB_FAILED, WEB_CLOSED };

struct web_conn {
    struct loop *loop;
    const struct web_module *module;
    struct web_line *line;   /* NULL once it was hung up */
    const struct conn_ops *ops;
    void *ctx;
    void (*on_open)(void *ctx, const struct err *e); /* NULL once it was told */
    enum web_state state;
    struct err e;            /* FAILED: what is to be told */
    struct later turn;       /* something is to be told, or read, at the end of this turn */
    uv_poll_t poll;
    bool has_poll;           /* until its close callback has run */
    int watched;             /* what it waits for now: starting it anew would cost two calls of the kernel each time */
    bool reading;
    bool mute;               /* nothing more can be sent; what the other side has sent before is still read */
    struct buf out;          /* what is to be sent; it stays where it is until it is gone */
    size_t sent;             /* of it */
};

static char read_buffer[64 * 1024]; /* for all: slices die when on_read returns */

static void say_later(struct web_conn *c)
{
    loop_later(c->loop, &c->turn);
}

static void on_ready(uv_poll_t *h, int status, int events);

static void watch_own(struct web_conn *c)
{
    int want = 0;
    if (c->state == WEB_OPEN)
        want = (c->reading ? UV_READABLE : 0) | (c->sent < c->out.n ? UV_WRITABLE : 0);
    if (!c->has_poll || want == c->watched)
        return;
    c->watched = want;
    if (want)
        uv_poll_start(&c->poll, want, on_ready);
    else
        uv_poll_stop(&c->poll);
}

static void fail_as(struct web_conn *c, const struct err *e)
{
    if (c->state == WEB_FAILED || c->state == WEB_CLOSED)
        return;
    c->e = *e;
    c->state = WEB_FAILED;
    watch_own(c);
    say_later(c);
}

static void fail_lost(struct web_conn *c)
{
    struct err e;
    err_set(&e, ERR_UP_RESET, "connection lost");
    fail_as(c, &e);
}

static void told_open(void *ctx, const struct err *e)
{
    struct web_conn *c = ctx;
    if (e) {
        fail_as(c, e);
        return;
    }
    c->poll.data = c;
    if (uv_poll_init(loop_uv(c->loop), &c->poll, c->module->socket(c->line))) {
        fail_lost(c);
        return;
    }
    c->has_poll = true;
    c->state = WEB_OPEN;
    say_later(c);
}

/* Until there is nothing, or nobody who wants it. */
static void read_some(struct web_conn *c)
{
    for (int i = 0; c->state == WEB_OPEN && c->reading; i++) {
        size_t n = 0;
        if (i == READS && !c->mute) {
            say_later(c);
            return;
        }
        switch (c->module->receive(c->line, read_buffer, sizeof read_buffer, &n)) {
        case WEB_MOVED:
            c->ops->on_read(c->ctx, str_make(read_buffer, n));
            break;
        case WEB_ENDED:
            c->reading = false;
            watch_own(c);
            c->ops->on_end(c->ctx);
            return;
        case WEB_LATER:
            if (c->mute)
                fail_lost(c);
            return;
        case WEB_LOST:
            fail_lost(c);
            return;
        }
    }
    if (c->mute && c->state == WEB_OPEN)
        fail_lost(c);
}

/* The other side may have answered before it stopped listening: that is looked for before the failure is told. */
static void cannot_send(struct web_conn *c)
{
    c->mute = true;
    c->out.n = c->sent = 0;
    say_later(c);
}

static void send_some(struct web_conn *c)
{
    while (c->sent < c->out.n) {
        size_t n = 0;
        enum web_io io = c->module->send(c->line, str_from(buf_str(&c->out), c->sent), &n);
        if (io == WEB_LATER)
            break;
        if (io != WEB_MOVED) {
            cannot_send(c);
            return;
        }
        c->sent += n;
    }
    if (c->sent == c->out.n) {
        buf_reset(&c->out, KEEP_BYTES);
        c->sent = 0;
    }
    watch_own(c);
}

static void on_ready(uv_poll_t *h, int status, int events)
{
    struct web_conn *c = h->data;
    if (status < 0) { /* libuv has stopped to watch it */
        c->watched = 0;
        cannot_send(c);
        return;
    }
    if (events & UV_READABLE)
        read_some(c);
    if (c->state != WEB_OPEN || !(events & UV_WRITABLE) || c->out.n == 0)
        return;
    send_some(c);
    if (c->out.n == 0 && !c->mute && c->ops->on_drain)
        c->ops->on_drain(c->ctx);
}

static void on_turn(void *ctx)
{
    struct web_conn *c = ctx;
    void (*on_open)(void *ctx, const struct err *e) = c->on_open;
    struct err e = c->e; /* the owner may close it from inside */
    c->on_open = NULL;
    if (on_open)
        on_open(c->ctx, c->state == WEB_FAILED ? &e : NULL);
    else if (c->state == WEB_FAILED)
        c->ops->on_fail(c->ctx, &e);
    else
        read_some(c);
}

/* ---- what the client calls ---- */

/* https://HOST:PORT as nobody can read it differently; *name is what stands behind the slashes. */
static const char *address(const struct http_target *to, char *out, size_t room)
{
    int n = snprintf(out, room, to->tls ? "https://" : "http://");
    addr_format(&to->to, out + n, room - (size_t)n);
    return out + n;
}

static void dial(struct web_conn *c, const struct http_target *to, struct road *r, int64_t connect_ms)
{
    char url[320];
    struct err e;
    struct web_dial d = { .to = url, .proxy = to->proxy.n ? to->proxy.p : NULL, .connect_ms = connect_ms, .on_open = told_open, .ctx = c };
    d.name = address(to, url, sizeof url);
    c->line = r->module->dial(r->lane, &d, &e);
    if (!c->line)
        fail_as(c, &e);
}

static void *web_connect(struct loop *l, const struct http_target *to, void *road, int64_t connect_ms, const struct conn_ops *ops, void *ctx,
    void (*on_open)(void *ctx, const struct err *e))
{
    struct road *r = road;
    struct web_conn *c = calloc(1, sizeof *c);
    if (!c)
        die("out of memory for a connection");
    c->loop = l;
    c->module = r->module;
    c->ops = ops;
    c->ctx = ctx;
    c->on_open = on_open;
    later_init(&c->turn, on_turn, c);
    dial(c, to, r, connect_ms);
    return c;
}

static void web_read(void *w, bool on)
{
    struct web_conn *c = w;
    if (c->state != WEB_OPEN || c->reading == on)
        return;
    c->reading = on;
    watch_own(c);
    if (on)
        say_later(c); /* what was decrypted already, its socket says nothing of */
}

static void web_write(void *w, const struct str *pieces, size_t n)
{
    struct web_conn *c = w;
    if (c->state != WEB_OPEN || c->mute)
        return;
    if (c->out.n)
        die("a request is written while another is on its way");
    for (size_t i = 0; i < n; i++)
        buf_add(&c->out, pieces[i]);
    send_some(c);
}

static size_t web_pending(const void *w)
{
    const struct web_conn *c = w;
    return c->mute ? 1 : c->out.n - c->sent;
}

static void conn_free(void *ctx)
{
    struct web_conn *c = ctx;
    buf_free(&c->out);
    free(c);
}

static void on_poll_closed(uv_handle_t *h)
{
    conn_free(h->data);
}

static void web_close(void *w)
{
    struct web_conn *c = w;
    if (c->state == WEB_CLOSED)
        return;
    c->state = WEB_CLOSED;
    later_cancel(&c->turn);
    if (c->has_poll)
        uv_close((uv_handle_t *)&c->poll, on_poll_closed);
    if (c->line)
        c->module->hang_up(c->line);
    if (!c->has_poll) { /* a caller further up the stack may still look at it */
        c->turn.fn = conn_free;
        loop_later(c->loop, &c->turn);
    }
}

const struct wire wire_web = {
    .road = web_road, .leave = web_leave, .connect = web_connect, .read = web_read, .write = web_write, .pending = web_pending, .close = web_close,
};
