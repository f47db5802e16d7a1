/* Stream connections over libuv.
 *
 * Reading: all connections share one static 64 KiB buffer, because slices die when on_read returns; an idle connection owns no memory but itself. An owner who
 * waits for megabytes says where they shall lie instead (on_room).
 * Writing: first straight to the kernel from the caller's pieces; only what it does not take is copied, or, of pieces that are lent, sent from where it is. One
 * part is in flight with libuv (its bytes must stay where they are) while later writes collect behind it.
 * Connecting: one handle, opened anew for each address of a name: a failed attempt is closed and the next begins in its close callback.
 * The struct is freed when nothing in libuv points to it any more: see release(). */
#include "net/conn.h"

#include "base/buf.h"
#include "base/uncleared.h"
#include "net/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum state {
    CONN_RESOLVING,
    CONN_CONNECTING,
    CONN_NEXT,    /* the handle of a failed attempt is closing */
    CONN_OPEN,
    CONN_FAILED,  /* reported or about to be; the owner has not closed yet */
    CONN_CLOSED,
};

enum { PIECES = 20, KEEP_BYTES = 512 };

struct conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } u;
    struct loop *loop;
    const struct conn_ops *ops;
    void *ctx;
    enum state state;
    bool has_handle;     /* u is initialised and its close callback has not run */
    bool is_tcp;
    bool reading;
    bool finish_wanted;
    bool sending;        /* something is in flight: ours, or lent */
    int failed;          /* errno of what on_fail will report */
    struct later fail_later;
    uv_write_t write;
    struct buf flight, next;
    struct connecting *connecting; /* only until it is open */
};

/* What is needed only while connecting. */
struct connecting {
    struct conn *c;
    struct addr to;
    void (*on_open)(void *ctx, const struct err *e);
    struct timer deadline;
    int64_t end_ms;
    uv_connect_t connect;
    struct resolving resolve;
    struct addresses *found;
    const struct addrinfo *at;
    int last_error;       /* errno of the newest attempt */
    const char *unresolved; /* why */
    struct sockaddr_storage literal;
};

static char read_buffer[64 * 1024];

static void fail(struct conn *c, int error);

/* Life */

static void connecting_drop(struct conn *c)
{
    struct connecting *k = c->connecting;
    if (!k)
        return;
    timer_cancel(&k->deadline);
    c->connecting = NULL;
    resolve_cancel(&k->resolve);
    addresses_release(k->found);
    free(k);
}

static void release(struct conn *c)
{
    if (c->state != CONN_CLOSED || c->has_handle)
        return;
    buf_free(&c->flight);
    buf_free(&c->next);
    free(c);
}

static void try_next_address(struct conn *c);

static void on_handle_closed(uv_handle_t *h)
{
    struct conn *c = h->data;
    c->has_handle = false;
    if (c->state == CONN_NEXT)
        try_next_address(c);
    else
        release(c);
}

static void on_fail_later(void *ctx);

static void on_release_later(void *ctx)
{
    release(ctx);
}

static struct conn *conn_new(struct loop *l, const struct conn_ops *ops, void *ctx)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        die("out of memory for a connection");
    c->loop = l;
    c->ops = ops;
    c->ctx = ctx;
    later_init(&c->fail_later, on_fail_later, c);
    return c;
}

void conn_close(struct conn *c)
{
    if (!c || c->state == CONN_CLOSED)
        return;
    bool closing = c->state == CONN_NEXT;
    c->state = CONN_CLOSED;
    later_cancel(&c->fail_later);
    if (!c->has_handle) {
        connecting_drop(c);
        c->fail_later.fn = on_release_later; /* a caller further up the stack may still look at it */
        loop_later(c->loop, &c->fail_later);
        return;
    }
    if (!closing)
        uv_close(&c->u.handle, on_handle_closed);
    if (c->connecting) {
        /* uv_close() cancels the attempt, whose request lies in there: its callback runs before on_handle_closed. */
        timer_cancel(&c->connecting->deadline);
        if (closing)
            connecting_drop(c);
    }
}

void conn_reset(struct conn *c)
{
    uv_os_fd_t fd;
    if (c && c->state != CONN_CLOSED && c->has_handle && c->is_tcp && !uv_fileno(&c->u.handle, &fd)) {
        struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    conn_close(c);
}

void conn_reown(struct conn *c, const struct conn_ops *ops, void *ctx)
{
    c->ops = ops;
    c->ctx = ctx;
}

/* Failing */

static void on_fail_later(void *ctx)
{
    struct conn *c = ctx;
    struct err e;
    bool late = c->failed == ETIMEDOUT;
    if (c->connecting) {
        struct connecting *k = c->connecting;
        void (*on_open)(void *ctx, const struct err *e) = k->on_open;
        char name[320];
        addr_format(&k->to, name, sizeof name);
        if (k->unresolved)
            err_set(&e, ERR_UP_REFUSED, "cannot resolve %s: %s", k->to.host, k->unresolved);
        else
            err_sys(&e, late ? ERR_UP_TIMEOUT : ERR_UP_REFUSED, c->failed, "cannot connect to %s", name);
        connecting_drop(c);
        on_open(c->ctx, &e);
        return;
    }
    err_sys(&e, ERR_UP_RESET, c->failed, "connection lost");
    c->ops->on_fail(c->ctx, &e);
}

/* Reported at the end of the turn: never from inside a call of the owner's. */
static void fail(struct conn *c, int error)
{
    if (c->state == CONN_FAILED || c->state == CONN_CLOSED)
        return;
    c->state = CONN_FAILED;
    c->failed = error;
    if (c->connecting)
        timer_cancel(&c->connecting->deadline);
    if (c->has_handle)
        uv_read_stop(&c->u.stream);
    loop_later(c->loop, &c->fail_later);
}

/* Reading */

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *b)
{
    struct conn *c = h->data;
    size_t n = 0;
    char *room = c->ops->on_room && c->state == CONN_OPEN ? c->ops->on_room(c->ctx, &n) : NULL;
    b->base = room ? room : read_buffer;
    b->len = room ? n : sizeof read_buffer;
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct conn *c = s->data;
    if (c->state != CONN_OPEN)
        return;
    if (n > 0)
        c->ops->on_read(c->ctx, str_make(b->base, (size_t)n));
    else if (n == UV_EOF) {
        c->reading = false; /* libuv has stopped it */
        c->ops->on_end(c->ctx);
    } else if (n < 0)
        fail(c, (int)-n);
}

void conn_read(struct conn *c, bool on)
{
    if (c->state != CONN_OPEN || on == c->reading)
        return;
    c->reading = on;
    int rc = on ? uv_read_start(&c->u.stream, on_alloc, on_read) : uv_read_stop(&c->u.stream);
    if (rc)
        fail(c, -rc);
}

/* Writing */

static void send_end(struct conn *c)
{
    uv_os_fd_t fd;
    c->finish_wanted = false;
    if (!uv_fileno(&c->u.handle, &fd))
        shutdown(fd, SHUT_WR);
}

static void on_written(uv_write_t *w, int status);

static void start_sending(struct conn *c, const uv_buf_t *b, unsigned n)
{
    int rc = uv_write(&c->write, &c->u.stream, b, n, on_written);
    c->sending = !rc;
    if (rc) {
        buf_reset(&c->flight, KEEP_BYTES);
        fail(c, -rc);
    }
}

static void start_flight(struct conn *c)
{
    struct buf sent = c->flight;
    c->flight = c->next;
    c->next = sent;
    buf_reset(&c->next, KEEP_BYTES);
    uv_buf_t b = { .base = c->flight.p, .len = c->flight.n };
    start_sending(c, &b, 1);
}

static void on_written(uv_write_t *w, int status)
{
    struct conn *c = w->handle->data;
    c->sending = false;
    buf_reset(&c->flight, KEEP_BYTES);
    if (c->state != CONN_OPEN)
        return;
    if (status < 0) {
        fail(c, -status);
        return;
    }
    if (c->next.n) {
        start_flight(c);
        return;
    }
    if (c->finish_wanted)
        send_end(c);
    if (c->ops->on_drain)
        c->ops->on_drain(c->ctx);
}

/* The first of what is left of the pieces behind so many bytes; returns how many that are. */
static unsigned gather(uv_buf_t b[PIECES], const struct str *pieces, size_t n, size_t behind, size_t *bytes)
{
    unsigned used = 0;
    *bytes = 0;
    for (size_t i = 0; i < n && used < PIECES; i++) {
        struct str left = str_from(pieces[i], behind < pieces[i].n ? behind : pieces[i].n);
        behind -= pieces[i].n - left.n;
        *bytes += left.n;
        if (left.n)
            b[used++] = (uv_buf_t){ .base = (char *)(uintptr_t)left.p, .len = left.n };
    }
    return used;
}

/* What the kernel takes of the pieces at once; less than all is not an error. */
static size_t write_now(struct conn *c, const struct str *pieces, size_t n)
{
    uv_buf_t b[PIECES] UNCLEARED;
    size_t bytes;
    unsigned used = gather(b, pieces, n, 0, &bytes);
    if (used == 0)
        return 0;
    int rc = uv_try_write(&c->u.stream, b, used);
    if (rc < 0 && rc != UV_EAGAIN)
        fail(c, -rc);
    return rc < 0 ? 0 : (size_t)rc;
}

static void copy_behind(struct conn *c, const struct str *pieces, size_t n, size_t taken)
{
    for (size_t i = 0; i < n; i++) {
        if (taken >= pieces[i].n)
            taken -= pieces[i].n;
        else {
            buf_add(&c->next, str_from(pieces[i], taken));
            taken = 0;
        }
    }
}

void conn_write(struct conn *c, const struct str *pieces, size_t n)
{
    if (c->state != CONN_OPEN)
        return;
    bool quiet = !c->sending;
    copy_behind(c, pieces, n, quiet ? write_now(c, pieces, n) : 0);
    if (c->next.n && quiet && c->state == CONN_OPEN)
        start_flight(c);
}

void conn_lend(struct conn *c, const struct str *pieces, size_t n)
{
    uv_buf_t b[PIECES];
    size_t bytes;
    if (c->state != CONN_OPEN || c->sending) {
        conn_write(c, pieces, n);
        return;
    }
    size_t taken = write_now(c, pieces, n);
    unsigned used = gather(b, pieces, n, taken, &bytes);
    if (!used || c->state != CONN_OPEN)
        return;
    start_sending(c, b, used);
    if (c->sending)
        copy_behind(c, pieces, n, taken + bytes); /* of more pieces than anybody has */
}

size_t conn_pending(const struct conn *c)
{
    return c->sending ? uv_stream_get_write_queue_size(&c->u.stream) + c->next.n : c->next.n;
}

void conn_finish(struct conn *c)
{
    if (c->state != CONN_OPEN)
        return;
    if (c->sending)
        c->finish_wanted = true;
    else
        send_end(c);
}

/* Taking over */

struct conn *conn_from_fd(struct loop *l, int fd, const struct conn_ops *ops, void *ctx)
{
    struct conn *c = conn_new(l, ops, ctx);
    struct sockaddr_storage me = { 0 };
    socklen_t n = sizeof me;
    int rc;
    if (getsockname(fd, (struct sockaddr *)&me, &n)) {
        rc = -errno;
    } else if (me.ss_family == AF_UNIX) {
        uv_pipe_init(loop_uv(l), &c->u.pipe, 0);
        c->has_handle = true;
        rc = uv_pipe_open(&c->u.pipe, fd);
    } else {
        uv_tcp_init(loop_uv(l), &c->u.tcp);
        c->has_handle = c->is_tcp = true;
        rc = uv_tcp_open(&c->u.tcp, fd);
        if (!rc)
            uv_tcp_nodelay(&c->u.tcp, 1);
    }
    c->u.handle.data = c;
    c->state = CONN_OPEN;
    if (rc) {
        close(fd);
        fail(c, -rc);
    }
    return c;
}

int conn_copy(const struct conn *c)
{
    uv_os_fd_t fd;
    if (!c->has_handle || c->state == CONN_CLOSED || uv_fileno(&c->u.handle, &fd))
        return -1;
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

void conn_peer(const struct conn *c, unsigned char out[16])
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage room;
    } peer;
    int n = sizeof peer;
    memset(out, 0, 16);
    if (!c->is_tcp || !c->has_handle || uv_tcp_getpeername(&c->u.tcp, &peer.any, &n))
        return;
    if (peer.any.sa_family == AF_INET6)
        memcpy(out, &peer.v6.sin6_addr, 16);
    if (peer.any.sa_family != AF_INET)
        return;
    out[10] = out[11] = 0xFF;
    memcpy(out + 12, &peer.v4.sin_addr, 4);
}

/* Connecting */

static void on_connected(uv_connect_t *r, int status)
{
    struct connecting *k = r->data;
    struct conn *c = k->c;
    if (c->state == CONN_CLOSED) { /* cancelled by conn_close() */
        connecting_drop(c);
        return;
    }
    if (c->state != CONN_CONNECTING)
        return; /* given up by the deadline: its handle is closing */
    if (status < 0) {
        k->last_error = -status;
        c->state = CONN_NEXT;
        uv_close(&c->u.handle, on_handle_closed);
        return;
    }
    void (*on_open)(void *ctx, const struct err *e) = k->on_open;
    c->state = CONN_OPEN;
    connecting_drop(c);
    if (c->is_tcp)
        uv_tcp_nodelay(&c->u.tcp, 1);
    on_open(c->ctx, NULL);
}

static void connect_unix(struct conn *c)
{
    struct connecting *k = c->connecting;
    uv_pipe_init(loop_uv(c->loop), &c->u.pipe, 0);
    c->u.handle.data = c;
    c->has_handle = true;
    c->state = CONN_CONNECTING;
    uv_pipe_connect(&k->connect, &c->u.pipe, k->to.host, on_connected);
}

static void connect_tcp(struct conn *c, const struct sockaddr *to)
{
    uv_tcp_init(loop_uv(c->loop), &c->u.tcp);
    c->u.handle.data = c;
    c->has_handle = c->is_tcp = true;
    c->state = CONN_CONNECTING;
    int rc = uv_tcp_connect(&c->connecting->connect, &c->u.tcp, to, on_connected);
    if (rc) {
        c->connecting->last_error = -rc;
        c->state = CONN_NEXT;
        uv_close(&c->u.handle, on_handle_closed);
    }
}

static int addresses_left(const struct connecting *k)
{
    int n = 0;
    for (const struct addrinfo *a = k->at; a; a = a->ai_next)
        n++;
    return n;
}

/* What was found is shared, and for any port. */
static const struct sockaddr *with_port(struct connecting *k, const struct addrinfo *a)
{
    memcpy(&k->literal, a->ai_addr, a->ai_addrlen < sizeof k->literal ? a->ai_addrlen : sizeof k->literal);
    if (a->ai_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)&k->literal)->sin6_port = htons(k->to.port);
    else
        ((struct sockaddr_in *)(void *)&k->literal)->sin_port = htons(k->to.port);
    return (const struct sockaddr *)&k->literal;
}

/* An address that does not answer must not use up the time of those behind it. */
static void try_next_address(struct conn *c)
{
    struct connecting *k = c->connecting;
    int64_t left_ms = k->end_ms - loop_now_ms(c->loop);
    if (!k->at || left_ms <= 0) {
        fail(c, k->at ? ETIMEDOUT : k->last_error);
        return;
    }
    timer_set(&k->deadline, left_ms / addresses_left(k));
    const struct addrinfo *a = k->at;
    k->at = a->ai_next;
    connect_tcp(c, with_port(k, a));
}

static void on_deadline(void *ctx)
{
    struct connecting *k = ctx;
    struct conn *c = k->c;
    k->last_error = ETIMEDOUT;
    if (c->state == CONN_RESOLVING)
        fail(c, ETIMEDOUT);
    if (c->state != CONN_CONNECTING)
        return; /* between two attempts: try_next_address() sees that the time is up */
    c->state = CONN_NEXT;
    uv_close(&c->u.handle, on_handle_closed);
}

static void on_resolved(void *ctx, struct addresses *found, const char *why)
{
    struct connecting *k = ctx;
    struct conn *c = k->c;
    k->found = found;
    if (c->state != CONN_RESOLVING)
        return;
    if (!found && str_eq_nocase(str_of(k->to.host), STR("localhost"))) { /* a machine without /etc/hosts: RFC 6761 says what it means */
        uv_ip4_addr("127.0.0.1", k->to.port, (struct sockaddr_in *)(void *)&k->literal);
        connect_tcp(c, (const struct sockaddr *)&k->literal);
        return;
    }
    if (!found) {
        k->unresolved = why;
        fail(c, EHOSTUNREACH);
        return;
    }
    k->at = found->first;
    try_next_address(c);
}

/* Wants no resolver, hence no thread: the usual case. */
static bool is_literal(const struct addr *to, struct sockaddr_storage *out)
{
    return uv_ip4_addr(to->host, to->port, (struct sockaddr_in *)(void *)out) == 0
        || uv_ip6_addr(to->host, to->port, (struct sockaddr_in6 *)(void *)out) == 0;
}

struct conn *conn_connect(struct loop *l, const struct addr *to, int64_t timeout_ms, const struct conn_ops *ops, void *ctx,
    void (*on_open)(void *ctx, const struct err *e))
{
    struct conn *c = conn_new(l, ops, ctx);
    struct connecting *k = calloc(1, sizeof *k);
    if (!k)
        die("out of memory for a connection");
    c->connecting = k;
    k->c = c;
    k->to = *to;
    k->on_open = on_open;
    k->connect.data = k;
    k->end_ms = loop_now_ms(l) + timeout_ms;
    timer_init(&k->deadline, l, on_deadline, k);
    timer_set(&k->deadline, timeout_ms);
    if (to->kind == ADDR_UNIX)
        connect_unix(c);
    else if (is_literal(to, &k->literal))
        connect_tcp(c, (const struct sockaddr *)&k->literal);
    else
        resolve_start(l, &k->resolve, to->host, on_resolved, k);
    return c;
}
