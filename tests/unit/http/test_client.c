/* The client against a scripted server on the same loop: real sockets, each step of the script where it can hurt. The server of a test is a
 * list of scripts, one for each connection it accepts; who asks for more connections than that fails the test.
 *
 * All of it three times: over net's connections, over the module's without TLS, and over the module's with TLS. */
#include "base/buf.h"
#include "http/client_int.h"
#include "http/web_module.h"
#include "tls_peer.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

static enum way { PLAIN, WEB, TLS } way; /* that bytes go in this round of tests */

/* --- the server ----------------------------------------------------------------------------------------------------------- */

enum act {
    END,       /* nothing more: whatever comes is recorded */
    REQUEST,   /* wait for one whole request */
    HEAD_ONLY, /* wait for the head of one, then read no more */
    SEND,
    TURN,      /* until the client has surely seen what was sent */
    DRAIN,     /* until the kernel has all that was sent */
    CLOSE,
    RESET,
    STOP,      /* the loop: the test goes on */
};

struct step {
    enum act act;
    struct str bytes;
};

enum { TURNS = 4, PEERS = 128 };

struct server;
struct peer {
    struct server *server;
    struct conn *conn;
    struct tls_peer *tls;
    const struct step *at;
    struct buf in;
    struct later turn;
    int turns;
    bool ended; /* the client has left */
};

struct server {
    struct loop *loop;
    struct listener *listener;
    struct addr addr;
    const struct step *const *scripts;
    size_t scripts_n;
    bool repeat;               /* the last script for all further connections */
    struct peer *peers[PEERS];
    size_t accepted, requests;
    struct buf last_request;
    bool stop_on_end;          /* the loop stops when a client leaves */
};

static void peer_step(struct peer *p);

/* Length of the first request in b when it is whole, else 0; head_only: of its head. */
static size_t request_bytes(struct str b, bool head_only)
{
    ptrdiff_t head = str_find(b, STR("\r\n\r\n"));
    if (head < 0)
        return 0;
    size_t n = (size_t)head + 4;
    ptrdiff_t at = str_find(str_make(b.p, n), STR("Content-Length: "));
    if (at < 0 || head_only)
        return n;
    n += (size_t)strtoull(b.p + at + 16, NULL, 10);
    return b.n >= n ? n : 0;
}

static void peer_gone(struct peer *p)
{
    p->ended = true;
    later_cancel(&p->turn);
    conn_close(p->conn);
    p->conn = NULL;
    if (p->server->stop_on_end)
        loop_stop(p->server->loop);
}

static bool take_request(struct peer *p, bool head_only)
{
    size_t n = request_bytes(buf_str(&p->in), head_only);
    if (n == 0)
        return false;
    p->server->requests++;
    p->server->last_request.n = 0;
    buf_add(&p->server->last_request, str_make(p->in.p, n));
    buf_drop(&p->in, n);
    if (head_only)
        conn_read(p->conn, false);
    return true;
}

static void peer_flush(struct peer *p)
{
    struct str out = tls_peer_out(p->tls);
    if (out.n)
        conn_write(p->conn, &out, 1);
}

static void peer_send(struct peer *p, struct str bytes)
{
    if (p->tls) {
        tls_peer_write(p->tls, bytes);
        peer_flush(p);
    } else {
        conn_write(p->conn, &bytes, 1);
    }
}

static void peer_close(struct peer *p)
{
    if (p->tls) {
        tls_peer_finish(p->tls);
        peer_flush(p);
    }
    conn_close(p->conn);
    p->conn = NULL;
}

static void peer_step(struct peer *p)
{
    for (;; p->at++) {
        switch (p->at->act) {
        case END:
            return;
        case REQUEST:
        case HEAD_ONLY:
            if (!take_request(p, p->at->act == HEAD_ONLY))
                return;
            break;
        case SEND:
            peer_send(p, p->at->bytes);
            break;
        case TURN:
            if (p->turns++ < TURNS) {
                loop_later(p->server->loop, &p->turn);
                return;
            }
            p->turns = 0;
            break;
        case DRAIN:
            if (conn_pending(p->conn) > 0)
                return;
            break;
        case CLOSE:
            peer_close(p);
            return;
        case RESET:
            conn_reset(p->conn);
            p->conn = NULL;
            return;
        case STOP:
            loop_stop(p->server->loop);
            break;
        }
    }
}

static void on_turn(void *ctx)
{
    peer_step(ctx);
}

static void peer_read(void *ctx, struct str bytes)
{
    struct peer *p = ctx;
    if (p->tls) {
        tls_peer_read(p->tls, bytes, &p->in);
        peer_flush(p);
    } else {
        buf_add(&p->in, bytes);
    }
    if (p->at->act == REQUEST || p->at->act == HEAD_ONLY)
        peer_step(p);
}

static void peer_end(void *ctx)
{
    peer_gone(ctx);
}

static void peer_fail(void *ctx, const struct err *e)
{
    peer_gone(ctx);
}

static void peer_drain(void *ctx)
{
    struct peer *p = ctx;
    if (p->at->act == DRAIN)
        peer_step(p);
}

static const struct conn_ops peer_ops = { .on_read = peer_read, .on_end = peer_end, .on_fail = peer_fail, .on_drain = peer_drain };

static void server_accept(void *ctx, int fd)
{
    struct server *s = ctx;
    size_t i = s->accepted++;
    if (i >= PEERS || (i >= s->scripts_n && !s->repeat)) {
        close(fd);
        return;
    }
    struct peer *p = calloc(1, sizeof *p);
    assert_non_null(p);
    s->peers[i] = p;
    p->server = s;
    p->at = s->scripts[i < s->scripts_n ? i : s->scripts_n - 1];
    later_init(&p->turn, on_turn, p);
    p->tls = way == TLS ? tls_peer_new() : NULL;
    p->conn = conn_from_fd(s->loop, fd, &peer_ops, p);
    conn_read(p->conn, true);
    peer_step(p);
}

static int listen_on(struct addr *a, bool local)
{
    int fd;
    if (local) {
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        memcpy(un.sun_path, a->host, strlen(a->host));
        unlink(a->host);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    } else {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof in;
        fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
        *a = (struct addr){ .kind = ADDR_TCP, .host = "127.0.0.1", .port = ntohs(in.sin_port) };
    }
    assert_int_equal(listen(fd, 128), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void server_init(struct server *s, struct loop *l, const struct step *const *scripts, size_t n, bool local)
{
    *s = (struct server){ .loop = l, .scripts = scripts, .scripts_n = n };
    if (local) {
        s->addr.kind = ADDR_UNIX;
        snprintf(s->addr.host, sizeof s->addr.host, "/tmp/hob-test-client-%ld.sock", (long)getpid());
    }
    s->listener = listener_new(l, listen_on(&s->addr, local), server_accept, s);
}

static void server_fini(struct server *s)
{
    listener_free(s->listener);
    for (size_t i = 0; i < PEERS; i++) {
        struct peer *p = s->peers[i];
        if (!p)
            continue;
        later_cancel(&p->turn);
        conn_close(p->conn);
        tls_peer_free(p->tls);
        buf_free(&p->in);
        free(p);
    }
    buf_free(&s->last_request);
    if (s->addr.kind == ADDR_UNIX)
        unlink(s->addr.host);
}

/* --- a test's world: loop, server, pool, and what one call saw ------------------------------------------------------------- */

struct world;
struct seen {
    struct world *world;
    struct http_call *call;
    int status;
    struct buf type, body;
    size_t heads, dones, pieces, body_bytes;
    enum err_code rc;
    struct err e;
    bool dead; /* cancelled: nothing may come any more */
    bool count_only; /* of the body: its length only */
    /* what it does when */
    bool cancel_in_head, cancel_in_body, pause_in_body, start_in_done, start_after_cancel;
    struct seen *then;
    struct timer *resume; /* set when it was paused in its body */
};

struct world {
    struct loop *loop;
    struct server server;
    struct http_pool *pool;
    struct timer guard;
    struct http_request request;
    size_t waiting; /* calls whose end stops the loop when it is the last */
};

static const struct http_pool_opts usual = { .max_idle = 16, .idle_ms = 60000, .connect_ms = 45000 }; /* a hundred handshakes under valgrind */
static const struct str ping = { "ping", 4 };

static void on_guard(void *ctx)
{
    fail_msg("nothing has happened for a minute");
}

static struct http_pool *open_pool(struct loop *l, const struct addr *to, const struct http_pool_opts *opts)
{
    struct http_target target = { .to = *to, .tls = way == TLS };
    struct http_pool *p = NULL;
    struct err e;
    if (way == TLS)
        target.ca = str_of(tls_certificate());
    if (http_pool_over(l, way == PLAIN ? &wire_plain : &wire_web, &target, STR("here:1"), opts, &p, &e))
        fail_msg("%s", e.text);
    return p;
}

static void world_init(struct world *w, const struct step *const *scripts, size_t n, bool local, const struct http_pool_opts *opts)
{
    *w = (struct world){ 0 };
    w->loop = loop_new();
    server_init(&w->server, w->loop, scripts, n, local && way == PLAIN);
    w->pool = open_pool(w->loop, &w->server.addr, opts);
    w->request = (struct http_request){ .method = STR("POST"), .path = STR("/v1/x"), .headers = STR("A: b\r\n"), .body = &ping, .pieces = 1 };
    timer_init(&w->guard, w->loop, on_guard, w);
    timer_set(&w->guard, 60000);
}

static void world_fini(struct world *w)
{
    http_pool_free(w->pool);
    server_fini(&w->server);
    timer_cancel(&w->guard);
    loop_free(w->loop);
}

static void start(struct world *w, struct seen *s);

/* From outside a callback: the loop is not running. */
static void drop(struct seen *s)
{
    http_call_cancel(s->call);
    s->dead = true;
    s->world->waiting--;
}

static void cancel(struct seen *s)
{
    drop(s);
    if (s->start_after_cancel)
        start(s->world, s->then);
    else if (s->world->waiting == 0)
        loop_stop(s->world->loop);
}

static void on_head(void *ctx, const struct http_answer *a)
{
    struct seen *s = ctx;
    assert_false(s->dead);
    assert_int_equal(s->heads++, 0);
    assert_true(http_call_had_byte(s->call));
    s->status = a->status;
    buf_add(&s->type, a->content_type);
    if (s->cancel_in_head)
        cancel(s);
}

static void on_body(void *ctx, struct str bytes)
{
    struct seen *s = ctx;
    assert_false(s->dead);
    s->pieces++;
    s->body_bytes += bytes.n;
    if (!s->count_only)
        buf_add(&s->body, bytes);
    if (s->pause_in_body && s->pieces == 1) {
        http_call_pause(s->call, true);
        if (s->resume)
            timer_set(s->resume, 30);
    }
    if (s->cancel_in_body)
        cancel(s);
}

static void on_done(void *ctx, enum err_code rc, const struct err *e)
{
    struct seen *s = ctx;
    assert_false(s->dead);
    assert_int_equal(s->dones++, 0);
    assert_non_null(e);
    assert_int_equal(e->code, rc);
    s->dead = true;
    s->rc = rc;
    s->e = *e;
    s->world->waiting--;
    if (s->start_in_done)
        start(s->world, s->then);
    if (s->world->waiting == 0)
        loop_stop(s->world->loop);
}

static const struct http_call_ops ops = { .on_head = on_head, .on_body = on_body, .on_done = on_done };

static void start(struct world *w, struct seen *s)
{
    s->world = w;
    w->waiting++;
    size_t dones = s->dones;
    s->call = http_call_start(w->pool, &w->request, &ops, s);
    assert_int_equal(s->dones, dones); /* nothing from inside start */
}

static void seen_fini(struct seen *s)
{
    buf_free(&s->type);
    buf_free(&s->body);
}

/* One call from start to end. */
static void ask(struct world *w, struct seen *s)
{
    *s = (struct seen){ 0 };
    start(w, s);
    loop_run(w->loop);
    assert_int_equal(s->dones, 1);
}

static void ask_for(struct world *w, int status, const char *body)
{
    struct seen s;
    ask(w, &s);
    if (s.rc)
        fail_msg("error: %s", s.e.text);
    assert_int_equal(s.status, status);
    if (!str_eq(buf_str(&s.body), str_of(body)))
        fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(buf_str(&s.body)), body);
    seen_fini(&s);
}

static void ask_in_vain(struct world *w, enum err_code rc, const char *part)
{
    struct seen s;
    ask(w, &s);
    assert_int_equal(s.rc, rc);
    if (!strstr(s.e.text, part))
        fail_msg("\"%s\" does not say \"%s\"", s.e.text, part);
    seen_fini(&s);
}

/* Lets the loop turn until `check` holds. */
struct until {
    struct world *world;
    bool (*holds)(struct world *w, void *what);
    void *what;
    struct later again;
};

static void look_again(void *ctx)
{
    struct until *u = ctx;
    if (u->holds(u->world, u->what))
        loop_stop(u->world->loop);
    else
        loop_later(u->world->loop, &u->again);
}

static void run_until(struct world *w, bool (*holds)(struct world *w, void *what), void *what)
{
    struct until u = { w, holds, what };
    later_init(&u.again, look_again, &u);
    look_again(&u);
    loop_run(w->loop);
    later_cancel(&u.again);
}

static bool idle_is(struct world *w, void *n)
{
    return http_pool_idle(w->pool) == *(size_t *)n;
}

static bool first_client_left(struct world *w, void *ignored)
{
    return w->server.peers[0] && w->server.peers[0]->ended;
}

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=x\r\nContent-Length: 2\r\n\r\nok"
#define SCRIPTS(...) ((const struct step *const[]){ __VA_ARGS__ })
#define STEPS(...) ((const struct step[]){ __VA_ARGS__, { END } })
#define OPEN(w, local, ...) world_init(w, SCRIPTS(__VA_ARGS__), COUNTOF(SCRIPTS(__VA_ARGS__)), local, &usual)

static const struct step one_answer[] = { { REQUEST }, { SEND, STR(ANSWER) }, { END } };
static const struct step two_answers[] = { { REQUEST }, { SEND, STR(ANSWER) }, { REQUEST }, { SEND, STR(ANSWER) }, { END } };

/* --- what is sent, what is read -------------------------------------------------------------------------------------------- */

static void test_request_is_written_as_it_should(void **state)
{
    static const struct {
        struct str method, body[3];
        size_t pieces;
        struct str want;
    } rows[] = {
        { STR("POST"), { STR("{"), STR(""), STR("}") }, 3, STR("POST /v1/x HTTP/1.1\r\nHost: here:1\r\nA: b\r\nContent-Length: 2\r\n\r\n{}") },
        { STR("POST"), { { 0 } }, 0, STR("POST /v1/x HTTP/1.1\r\nHost: here:1\r\nA: b\r\nContent-Length: 0\r\n\r\n") },
        { STR("GET"), { { 0 } }, 0, STR("GET /v1/x HTTP/1.1\r\nHost: here:1\r\nA: b\r\n\r\n") },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct world w;
        OPEN(&w, false, one_answer);
        w.request.method = rows[i].method;
        w.request.body = rows[i].body;
        w.request.pieces = rows[i].pieces;
        ask_for(&w, 200, "ok");
        assert_true(str_eq(buf_str(&w.server.last_request), rows[i].want));
        world_fini(&w);
    }
}

static const struct {
    struct str stream;
    const char *body;
} answers[] = {
    { STR(ANSWER), "ok" },
    { STR("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: u\r\n\r\n"), "abc" },
    { STR("HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 0\r\n\r\n"), "" },
};

/* All on one connection: what one answer leaves behind would spoil the next. */
static void test_an_answer_may_come_in_any_two_pieces(void **state)
{
    for (size_t i = 0; i < COUNTOF(answers); i++) {
        struct str all = answers[i].stream;
        struct step *script = calloc(all.n * 4 + 1, sizeof *script);
        assert_non_null(script);
        size_t n = 0;
        for (size_t cut = 1; cut < all.n; cut++) {
            script[n++] = (struct step){ REQUEST };
            script[n++] = (struct step){ SEND, str_make(all.p, cut) };
            script[n++] = (struct step){ TURN };
            script[n++] = (struct step){ SEND, str_from(all, cut) };
        }
        struct world w;
        OPEN(&w, i & 1, script);
        for (size_t cut = 1; cut < all.n; cut++)
            ask_for(&w, 200, answers[i].body);
        assert_int_equal(w.server.accepted, 1);
        world_fini(&w);
        free(script);
    }
}

static void test_content_type_comes_without_parameters(void **state)
{
    struct world w;
    struct seen s;
    OPEN(&w, false, one_answer);
    ask(&w, &s);
    assert_true(str_eq(buf_str(&s.type), STR("text/plain")));
    seen_fini(&s);
    world_fini(&w);
}

static void test_every_framing(void **state)
{
    static const struct {
        struct str method, stream;
        int status;
        const char *body;
        size_t idle; /* connections kept afterwards */
    } rows[] = {
        { STR("POST"), STR("HTTP/1.1 200 OK\r\n\r\nto the end"), 200, "to the end", 0 },
        { STR("POST"), STR("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na"), 200, "a", 0 },
        { STR("POST"), STR("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"), 200, "a", 0 },
        { STR("POST"), STR("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc"), 200, "a", 0 },
        { STR("POST"), STR("HTTP/1.1 204 No\r\n\r\n"), 204, "", 1 },
        { STR("GET"), STR("HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n"), 304, "", 1 },
        { STR("HEAD"), STR("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), 200, "", 1 },
        { STR("POST"), STR("HTTP/1.1 503 Busy\r\nContent-Length: 1\r\n\r\na"), 503, "a", 1 },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct world w;
        bool to_end = i == 0;
        const struct step script[] = { { REQUEST }, { SEND, rows[i].stream }, { to_end ? CLOSE : END }, { END } };
        OPEN(&w, false, script);
        w.request.method = rows[i].method;
        ask_for(&w, rows[i].status, rows[i].body);
        assert_int_equal(http_pool_idle(w.pool), rows[i].idle);
        world_fini(&w);
    }
}

static void test_what_is_broken_is_told_apart(void **state)
{
    static const struct {
        struct str stream;
        enum act end;
        enum err_code rc;
        const char *part;
    } rows[] = {
        { STR(""), CLOSE, ERR_UP_RESET, "before the answer began" },
        { STR(""), RESET, ERR_UP_RESET, "connection lost" },
        { STR("HTTP/1.1 200 OK\r\nContent-"), CLOSE, ERR_UP_RESET, "inside the head" },
        { STR("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), CLOSE, ERR_UP_RESET, "3 of 9" },
        { STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"), CLOSE, ERR_UP_RESET, "chunked" },
        { STR("hello"), END, ERR_UP_GARBLED, "does not begin" },
        { STR("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), END, ERR_UP_GARBLED, "two Content-Length" },
        { STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx"), END, ERR_UP_GARBLED, "chunk size" },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct world w;
        const struct step script[] = { { REQUEST }, { SEND, rows[i].stream }, { TURN }, { rows[i].end }, { END } };
        OPEN(&w, false, script);
        ask_in_vain(&w, rows[i].rc, rows[i].part);
        assert_int_equal(w.server.accepted, 1); /* a fresh connection is not tried twice */
        assert_int_equal(http_pool_idle(w.pool), 0);
        world_fini(&w);
    }
}

/* --- the pool -------------------------------------------------------------------------------------------------------------- */

static void test_a_connection_is_used_again(void **state)
{
    struct world w;
    for (int local = 0; local < 2; local++) {
        OPEN(&w, local, two_answers);
        ask_for(&w, 200, "ok");
        assert_int_equal(http_pool_idle(w.pool), 1);
        ask_for(&w, 200, "ok");
        assert_int_equal(w.server.accepted, 1);
        world_fini(&w);
    }
}

static void test_on_done_finds_the_connection_warm(void **state)
{
    struct world w;
    OPEN(&w, false, two_answers);
    struct seen second = { 0 }, first = { .start_in_done = true, .then = &second };
    start(&w, &first);
    loop_run(w.loop);
    assert_int_equal(first.dones + second.dones, 2);
    assert_int_equal(second.status, 200);
    assert_int_equal(w.server.accepted, 1);
    seen_fini(&first);
    seen_fini(&second);
    world_fini(&w);
}

static void test_a_stale_connection_is_replaced_unseen(void **state)
{
    static const enum act ends[] = { CLOSE, RESET };
    for (size_t i = 0; i < COUNTOF(ends); i++) {
        struct world w;
        const struct step stale[] = { { REQUEST }, { SEND, STR(ANSWER) }, { REQUEST }, { ends[i] }, { END } };
        OPEN(&w, false, stale, one_answer);
        ask_for(&w, 200, "ok");
        ask_for(&w, 200, "ok");
        assert_int_equal(w.server.accepted, 2);
        assert_int_equal(w.server.requests, 3);
        assert_true(str_ends(buf_str(&w.server.last_request), STR("\r\n\r\nping")));
        world_fini(&w);
    }
}

static void test_it_is_sent_again_only_once_and_only_before_the_answer(void **state)
{
    struct world w;
    const struct step stale[] = { { REQUEST }, { SEND, STR(ANSWER) }, { REQUEST }, { CLOSE }, { END } };
    const struct step closes[] = { { REQUEST }, { CLOSE }, { END } };
    OPEN(&w, false, stale, closes);
    ask_for(&w, 200, "ok");
    ask_in_vain(&w, ERR_UP_RESET, "before the answer began");
    assert_int_equal(w.server.accepted, 2);
    world_fini(&w);

    const struct step begins[] = { { REQUEST }, { SEND, STR(ANSWER) }, { REQUEST }, { SEND, STR("H") }, { TURN }, { CLOSE }, { END } };
    OPEN(&w, false, begins);
    ask_for(&w, 200, "ok");
    ask_in_vain(&w, ERR_UP_RESET, "inside the head");
    assert_int_equal(w.server.accepted, 1);
    world_fini(&w);
}

static void test_an_idle_connection_that_speaks_or_ends_is_dropped_at_once(void **state)
{
    static const struct step then[][3] = { { { CLOSE } }, { { RESET } }, { { SEND, STR("x") } }, { { SEND, STR(ANSWER) } } };
    for (size_t i = 0; i < COUNTOF(then); i++) {
        struct world w;
        const struct step script[] = { { REQUEST }, { SEND, STR(ANSWER) }, { TURN }, { TURN }, then[i][0], { END } };
        OPEN(&w, false, script, one_answer);
        ask_for(&w, 200, "ok");
        size_t none = 0;
        run_until(&w, idle_is, &none);
        ask_for(&w, 200, "ok");
        assert_int_equal(w.server.accepted, 2);
        assert_int_equal(w.server.requests, 2);
        world_fini(&w);
    }
}

static void test_an_idle_connection_has_its_time(void **state)
{
    struct world w;
    const struct http_pool_opts short_idle = { .max_idle = 4, .idle_ms = 5, .connect_ms = 5000 };
    world_init(&w, SCRIPTS(one_answer), 1, false, &short_idle);
    ask_for(&w, 200, "ok");
    run_until(&w, first_client_left, NULL);
    assert_int_equal(http_pool_idle(w.pool), 0);
    world_fini(&w);
}

static void ask_many(struct world *w, struct seen *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        start(w, &s[i]);
    loop_run(w->loop);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(s[i].dones, 1);
        assert_int_equal(s[i].rc, ERR_OK);
        assert_true(str_eq(buf_str(&s[i].body), STR("ok")));
        seen_fini(&s[i]);
        s[i] = (struct seen){ 0 };
    }
}

static void test_only_so_many_idle_ones_are_kept(void **state)
{
    enum { MANY = 100 };
    struct world w;
    static struct seen s[MANY];
    static const struct step *const script[] = { one_answer };
    world_init(&w, script, 1, false, &usual);
    w.server.repeat = true;
    ask_many(&w, s, MANY);
    assert_int_equal(w.server.accepted, MANY);
    assert_int_equal(http_pool_idle(w.pool), usual.max_idle);
    world_fini(&w);

    const struct http_pool_opts none = { .max_idle = 0, .idle_ms = 1000, .connect_ms = 5000 };
    world_init(&w, script, 1, false, &none);
    ask_for(&w, 200, "ok");
    assert_int_equal(http_pool_idle(w.pool), 0);
    assert_true(str_find(buf_str(&w.server.last_request), STR("\r\nConnection: close\r\n")) > 0);
    world_fini(&w);
}

/* --- cancel, pause --------------------------------------------------------------------------------------------------------- */

static void test_cancelled_before_it_is_connected(void **state)
{
    struct world w;
    OPEN(&w, false, one_answer, one_answer);
    struct seen s = { 0 };
    start(&w, &s);
    drop(&s);
    ask_for(&w, 200, "ok");
    assert_int_equal(s.dones + s.heads, 0);
    world_fini(&w);
}

static bool first_request_came(struct world *w, void *ignored)
{
    return w->server.requests == 1;
}

static void test_the_server_learns_of_a_cancel(void **state)
{
    struct world w;
    for (int local = 0; local < 2; local++) {
        OPEN(&w, local, STEPS({ REQUEST }), one_answer);
        struct seen s = { 0 };
        start(&w, &s);
        run_until(&w, first_request_came, NULL);
        drop(&s);
        run_until(&w, first_client_left, NULL);
        ask_for(&w, 200, "ok");
        assert_int_equal(s.dones + s.heads, 0);
        world_fini(&w);
    }
}

/* Chunks in one read: after a cancel in the first none of the others may come. */
#define CHUNKS "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"

static void test_cancelled_from_inside_its_callbacks(void **state)
{
    for (int in_head = 0; in_head < 2; in_head++) {
        for (int again = 0; again < 2; again++) {
            struct world w;
            OPEN(&w, false, STEPS({ REQUEST }, { SEND, STR(CHUNKS) }), one_answer);
            struct seen next = { 0 };
            struct seen s = { .cancel_in_head = in_head, .cancel_in_body = !in_head, .start_after_cancel = again, .then = &next };
            start(&w, &s);
            loop_run(w.loop);
            assert_int_equal(s.heads, 1);
            assert_int_equal(s.pieces, in_head ? 0 : 1);
            assert_int_equal(s.dones, 0);
            if (again)
                assert_true(next.dones == 1 && next.status == 200);
            else
                ask_for(&w, 200, "ok");
            assert_int_equal(w.server.accepted, 2);
            assert_int_equal(http_pool_idle(w.pool), 1);
            seen_fini(&s);
            seen_fini(&next);
            world_fini(&w);
        }
    }
}

static void test_cancelled_in_the_last_piece_of_a_pooled_connection(void **state)
{
    struct world w;
    OPEN(&w, false, two_answers);
    ask_for(&w, 200, "ok");
    struct seen s = { .cancel_in_body = true };
    start(&w, &s);
    loop_run(w.loop);
    assert_int_equal(s.dones, 0);
    assert_int_equal(http_pool_idle(w.pool), 0);
    seen_fini(&s);
    http_call_cancel(NULL);
    world_fini(&w);
}

enum { LARGE = 16 * 1024 * 1024 };

static bool server_is_stuck(struct world *w, void *turns)
{
    struct peer *p = w->server.peers[0];
    return p && p->conn && conn_pending(p->conn) > 0 && --*(int *)turns == 0;
}

static void test_a_paused_call_holds_the_server_back(void **state)
{
    struct world w;
    char *large = malloc(LARGE);
    assert_non_null(large);
    char head[64];
    memset(large, 'x', LARGE);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LARGE);
    OPEN(&w, false, STEPS({ REQUEST }, { SEND, str_of(head) }, { SEND, str_make(large, LARGE) }, { REQUEST }, { SEND, STR(ANSWER) }));
    struct seen s = { .pause_in_body = true, .count_only = true };
    start(&w, &s);
    int turns = 200;
    run_until(&w, server_is_stuck, &turns);
    size_t before = s.body_bytes;
    assert_int_equal(s.pieces, 1);
    turns = 50;
    run_until(&w, server_is_stuck, &turns);
    assert_int_equal(s.body_bytes, before);
    http_call_pause(s.call, false);
    loop_run(w.loop);
    assert_int_equal(s.rc, ERR_OK);
    assert_int_equal(s.body_bytes, LARGE);
    ask_for(&w, 200, "ok");
    assert_int_equal(w.server.accepted, 1);
    seen_fini(&s);
    world_fini(&w);
    free(large);
}

static void on_resume(void *ctx)
{
    struct seen *s = ctx;
    http_call_pause(s->call, false);
}

static void test_limits_stand_still_while_it_is_paused(void **state)
{
    struct world w;
    OPEN(&w, false, STEPS({ REQUEST }, { SEND, STR("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na") }, { TURN }, { SEND, STR("b") }));
    w.request.idle_ms = 8;
    struct timer resume;
    struct seen s = { .pause_in_body = true, .resume = &resume };
    timer_init(&resume, w.loop, on_resume, &s);
    start(&w, &s);
    loop_run(w.loop);
    assert_int_equal(s.rc, ERR_OK);
    assert_true(str_eq(buf_str(&s.body), STR("ab")));
    seen_fini(&s);
    world_fini(&w);
}

static void test_paused_before_it_is_connected(void **state)
{
    struct world w;
    OPEN(&w, false, STEPS({ REQUEST }, { STOP }, { SEND, STR(ANSWER) }));
    w.request.first_byte_ms = 8;
    struct seen s = { 0 };
    struct timer resume;
    start(&w, &s);
    http_call_pause(s.call, true);
    loop_run(w.loop);
    timer_init(&resume, w.loop, on_resume, &s);
    timer_set(&resume, 30);
    loop_run(w.loop);
    assert_int_equal(s.rc, ERR_OK);
    seen_fini(&s);
    world_fini(&w);
}

/* --- early answers --------------------------------------------------------------------------------------------------------- */

static void early_answer(bool local, const struct step *script, int status, size_t body_bytes)
{
    struct world w;
    char *large = malloc(LARGE);
    assert_non_null(large);
    memset(large, 'x', LARGE);
    const struct str body = str_make(large, LARGE);
    OPEN(&w, local, script);
    w.request.body = &body;
    struct seen s = { .count_only = true };
    start(&w, &s);
    loop_run(w.loop);
    if (s.rc)
        fail_msg("error: %s", s.e.text);
    assert_int_equal(s.status, status);
    assert_int_equal(s.body_bytes, body_bytes);
    assert_int_equal(http_pool_idle(w.pool), 0);
    seen_fini(&s);
    world_fini(&w);
    free(large);
}

static void test_an_answer_that_comes_before_the_request_was_read_is_delivered(void **state)
{
    enum { BIG = 1000 * 1024 };
    static char big[BIG];
    memset(big, 'y', BIG);
    struct str no = STR("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
    struct str big_no = STR("HTTP/1.1 413 Too Large\r\nContent-Length: 1024000\r\n\r\n");
    struct str half = str_make(no.p, 30), rest = str_from(no, 30);
    for (int local = 0; local < 2; local++) {
        early_answer(local, STEPS({ HEAD_ONLY }, { SEND, no }), 413, 2);
        early_answer(local, STEPS({ HEAD_ONLY }, { SEND, no }, { CLOSE }), 413, 2);
        early_answer(local, STEPS({ HEAD_ONLY }, { SEND, half }, { TURN }, { SEND, rest }, { CLOSE }), 413, 2);
        early_answer(local, STEPS({ HEAD_ONLY }, { SEND, big_no }, { SEND, str_make(big, BIG) }), 413, BIG);
    }
    /* What a unix socket has taken is in our queue; of a TCP connection the reset may overtake it, then nobody can deliver it. */
    if (way == PLAIN)
        early_answer(true, STEPS({ HEAD_ONLY }, { SEND, big_no }, { SEND, str_make(big, BIG) }, { DRAIN }, { CLOSE }), 413, BIG);
}

/* --- what cannot be reached, what takes too long ---------------------------------------------------------------------------- */

static void test_nobody_listens(void **state)
{
    struct world w;
    OPEN(&w, false, one_answer);
    http_pool_free(w.pool);
    struct addr dead = { 0 };
    close(listen_on(&dead, false));
    w.pool = open_pool(w.loop, &dead, &usual);
    ask_in_vain(&w, ERR_UP_REFUSED, "cannot connect");
    if (way == PLAIN) {
        http_pool_free(w.pool);
        struct addr missing = { .kind = ADDR_UNIX, .host = "/tmp/hob-test-there-is-no-such.sock" };
        w.pool = open_pool(w.loop, &missing, &usual);
        ask_in_vain(&w, ERR_UP_REFUSED, "cannot connect");
    }
    world_fini(&w);
}

static void test_a_name_is_resolved(void **state)
{
    struct world w;
    OPEN(&w, false, two_answers);
    http_pool_free(w.pool);
    struct addr named = w.server.addr;
    snprintf(named.host, sizeof named.host, "localhost");
    w.pool = open_pool(w.loop, &named, &usual);
    ask_for(&w, 200, "ok");
    ask_for(&w, 200, "ok");
    assert_int_equal(w.server.accepted, 1);
    http_pool_free(w.pool);
    w.pool = open_pool(w.loop, &named, &usual);
    struct seen s = { 0 };
    start(&w, &s);
    drop(&s); /* while the name is being looked up */
    world_fini(&w);
}

static void test_no_first_byte(void **state)
{
    struct world w;
    OPEN(&w, false, STEPS({ REQUEST }), one_answer);
    w.request.first_byte_ms = 5;
    ask_in_vain(&w, ERR_UP_TIMEOUT, "no byte of an answer within 5 ms");
    w.request.first_byte_ms = 5000;
    ask_for(&w, 200, "ok");
    world_fini(&w);
}

static void test_no_second_try_after_a_timeout(void **state)
{
    struct world w;
    OPEN(&w, false, STEPS({ REQUEST }, { SEND, STR(ANSWER) }, { REQUEST }));
    ask_for(&w, 200, "ok");
    w.request.first_byte_ms = 5;
    ask_in_vain(&w, ERR_UP_TIMEOUT, "no byte");
    assert_int_equal(w.server.accepted, 1);
    world_fini(&w);
}

static void test_an_answer_that_stands_still(void **state)
{
    struct world w;
    OPEN(&w, false, STEPS({ REQUEST }, { SEND, STR("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na") }));
    w.request.first_byte_ms = 5000;
    w.request.idle_ms = 5;
    ask_in_vain(&w, ERR_UP_TIMEOUT, "stood still for 5 ms");
    world_fini(&w);
}

/* A listener whose queue is full lets further connects wait (on Linux; elsewhere it may refuse, which is an answer too). */
static void test_a_connect_that_takes_too_long(void **state)
{
    struct world w;
    struct addr full = { 0 };
    int fd = listen_on(&full, false), fillers[4];
    assert_int_equal(listen(fd, 0), 0);
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(full.port) };
    for (size_t i = 0; i < COUNTOF(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM, 0);
        fcntl(fillers[i], F_SETFL, O_NONBLOCK);
        int rc = connect(fillers[i], (struct sockaddr *)&in, sizeof in);
        assert_true(rc == 0 || errno == EINPROGRESS);
    }
    OPEN(&w, false, one_answer);
    http_pool_free(w.pool);
    const struct http_pool_opts hasty = { .max_idle = 1, .idle_ms = 1000, .connect_ms = 20 };
    w.pool = open_pool(w.loop, &full, &hasty);
    struct seen s;
    ask(&w, &s);
    assert_true(s.rc == ERR_UP_TIMEOUT || s.rc == ERR_UP_REFUSED);
    seen_fini(&s);
    world_fini(&w);
    for (size_t i = 0; i < COUNTOF(fillers); i++)
        close(fillers[i]);
    close(fd);
}

static int go_by_web(void **state)
{
    way = WEB;
    return 0;
}

static int go_by_tls(void **state)
{
    way = TLS;
    return 0;
}

static void use_module(void)
{
    void *handle = dlopen(HOB_TEST_WEB_MODULE, RTLD_NOW | RTLD_LOCAL);
    const struct web_module *m = handle ? dlsym(handle, WEB_MODULE_SYMBOL) : NULL;
    if (!m)
        die("no module: %s", dlerror());
    web_module_use(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_is_written_as_it_should),
        cmocka_unit_test(test_an_answer_may_come_in_any_two_pieces),
        cmocka_unit_test(test_content_type_comes_without_parameters),
        cmocka_unit_test(test_every_framing),
        cmocka_unit_test(test_what_is_broken_is_told_apart),
        cmocka_unit_test(test_a_connection_is_used_again),
        cmocka_unit_test(test_on_done_finds_the_connection_warm),
        cmocka_unit_test(test_a_stale_connection_is_replaced_unseen),
        cmocka_unit_test(test_it_is_sent_again_only_once_and_only_before_the_answer),
        cmocka_unit_test(test_an_idle_connection_that_speaks_or_ends_is_dropped_at_once),
        cmocka_unit_test(test_an_idle_connection_has_its_time),
        cmocka_unit_test(test_only_so_many_idle_ones_are_kept),
        cmocka_unit_test(test_cancelled_before_it_is_connected),
        cmocka_unit_test(test_the_server_learns_of_a_cancel),
        cmocka_unit_test(test_cancelled_from_inside_its_callbacks),
        cmocka_unit_test(test_cancelled_in_the_last_piece_of_a_pooled_connection),
        cmocka_unit_test(test_a_paused_call_holds_the_server_back),
        cmocka_unit_test(test_limits_stand_still_while_it_is_paused),
        cmocka_unit_test(test_paused_before_it_is_connected),
        cmocka_unit_test(test_an_answer_that_comes_before_the_request_was_read_is_delivered),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_a_name_is_resolved),
        cmocka_unit_test(test_no_first_byte),
        cmocka_unit_test(test_no_second_try_after_a_timeout),
        cmocka_unit_test(test_an_answer_that_stands_still),
        cmocka_unit_test(test_a_connect_that_takes_too_long),
    };
    use_module();
    int bad = cmocka_run_group_tests_name("plain", tests, NULL, NULL);
    if (getenv("HOB_TEST_BRIEF")) /* memory may fail: that of the TLS peer is not ours */
        return bad;
    bad += cmocka_run_group_tests_name("through the module", tests, go_by_web, NULL);
    bad += cmocka_run_group_tests_name("over TLS", tests, go_by_tls, NULL);
    tls_fini();
    return bad;
}
