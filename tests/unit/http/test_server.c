#include "http/server.h"

#include "base/buf.h"
#include "net/conn.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define HOST "Host: a\r\n"

/* The server, a handler whose behaviour a test scripts by path, and one caller on the other end of a socket; all in one loop. */
struct stage {
    struct loop *loop;
    struct http_limits limits;
    struct http_server *server;
    struct conn *caller;
    struct buf in;           /* what the caller got */
    bool ended, reset;       /* what the caller saw of the end */
    struct http_req *held;   /* a request for /hold, to be answered by the test */
    int requests, refusals, gone, drains, heads;
    enum err_code refusal;
    struct buf seen;         /* bodies, one after the other, each behind a '|' */
    size_t body_limit;
    bool silent;             /* on_refused answers nothing */
};

static struct stage *stage; /* the one of the running test */

static void give_up(void *ctx)
{
    fail_msg("nothing happened for 20 s; the caller got: %.*s", STR_ARG(buf_str(&stage->in)));
}

#define wait_for(condition)                                \
    do {                                                   \
        struct timer patience;                             \
        timer_init(&patience, stage->loop, give_up, NULL); \
        timer_set(&patience, 20000);                       \
        while (!(condition))                               \
            uv_run(loop_uv(stage->loop), UV_RUN_ONCE);     \
        timer_cancel(&patience);                           \
    } while (0)

/* ---- the handler ---- */

static void reply_text(struct http_req *r, int status, struct str text)
{
    http_reply(r, status, STR("text/plain"), STR("x-test: 1\r\n"), &text, 1);
}

static void on_gone(void *ctx)
{
    stage->gone++;
    stage->held = NULL;
}

static void on_req_drain(void *ctx)
{
    stage->drains++;
}

static const struct http_req_ops req_ops = { on_gone, on_req_drain };

static enum err_code on_head(void *ctx, struct http_req *r, size_t *body_limit, struct err *e)
{
    stage->heads++;
    *body_limit = stage->body_limit;
    if (str_eq(http_req_path(r), STR("/none")))
        return err_set(e, ERR_NOT_FOUND, "no such path");
    return ERR_OK;
}

static void on_request(void *ctx, struct http_req *r)
{
    stage->requests++;
    buf_add_char(&stage->seen, '|');
    buf_add(&stage->seen, http_req_body(r));
    if (str_starts(http_req_path(r), STR("/hold"))) {
        assert_null(stage->held);
        stage->held = r;
        http_req_watch(r, &req_ops, NULL);
    } else if (str_eq(http_req_path(r), STR("/abort"))) {
        http_abort(r);
    } else if (str_eq(http_req_path(r), STR("/nothing"))) {
        http_reply(r, 204, STR(""), STR(""), NULL, 0);
    } else if (str_eq(http_req_path(r), STR("/pieces"))) {
        struct str pieces[30];
        for (size_t i = 0; i < 30; i++)
            pieces[i] = str_make(&"abcdefghijklmnopqrstuvwxyz0123"[i], 1);
        http_reply(r, 200, STR("text/plain"), STR(""), pieces, 30);
    } else {
        struct str pieces[] = { http_req_path(r), STR("="), http_req_body(r) };
        http_reply(r, 200, STR("text/plain"), STR("x-test: 1\r\n"), pieces, 3);
    }
}

static void on_refused(void *ctx, struct http_req *r, const struct err *e)
{
    stage->refusals++;
    stage->refusal = e->code;
    if (!stage->silent)
        reply_text(r, err_row(e->code)->http, str_of(err_row(e->code)->code));
}

static const struct http_handler handler = { on_head, on_request, on_refused };

/* ---- the caller ---- */

static void on_caller_read(void *ctx, struct str bytes)
{
    buf_add(&stage->in, bytes);
}

static void on_caller_end(void *ctx)
{
    stage->ended = true;
}

static void on_caller_fail(void *ctx, const struct err *e)
{
    stage->ended = stage->reset = true;
}

static const struct conn_ops caller_ops = { on_caller_read, on_caller_end, on_caller_fail, NULL };

static void tcp_pair(int fd[2])
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    int door = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(door, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(door, 1), 0);
    assert_int_equal(getsockname(door, (struct sockaddr *)&a, &n), 0);
    fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd[0], (struct sockaddr *)&a, sizeof a), 0);
    fd[1] = accept(door, NULL, NULL);
    assert_true(fd[1] >= 0);
    close(door);
}

/* A new caller; the one before is closed. */
static void call(bool tcp)
{
    int fd[2];
    conn_close(stage->caller);
    if (tcp)
        tcp_pair(fd);
    else
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    stage->in.n = 0;
    stage->ended = stage->reset = false;
    stage->caller = conn_from_fd(stage->loop, fd[0], &caller_ops, NULL);
    conn_read(stage->caller, true);
    http_server_take(stage->server, fd[1]);
}

static void say(struct str text)
{
    conn_write(stage->caller, &text, 1);
}

/* True when the caller got exactly this many whole answers is hard to say in general: tests look for the end of the text they expect. */
static bool got(const char *text)
{
    return str_find(buf_str(&stage->in), str_of(text)) >= 0;
}

static bool got_at_end(const char *text)
{
    return str_ends(buf_str(&stage->in), str_of(text));
}

static void assert_got(const char *text)
{
    if (!str_eq(buf_str(&stage->in), str_of(text)))
        fail_msg("wanted:\n%s\ngot:\n%.*s", text, STR_ARG(buf_str(&stage->in)));
}

static int set_up(void **state)
{
    stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    stage->loop = loop_new();
    stage->limits = http_limits_default;
    stage->body_limit = 1000;
    stage->server = http_server_new(stage->loop, &stage->limits, &handler, NULL);
    *state = stage;
    return 0;
}

/* The same server with other limits. */
static void use_limits(void)
{
    http_server_free(stage->server);
    stage->server = http_server_new(stage->loop, &stage->limits, &handler, NULL);
}

static int tear_down(void **state)
{
    conn_close(stage->caller);
    http_server_free(stage->server);
    loop_free(stage->loop);
    buf_free(&stage->in);
    buf_free(&stage->seen);
    free(stage);
    return 0;
}

#define OK_HEAD(length) "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " length "\r\nx-test: 1\r\n"

/* ---- requests and whole answers ---- */

static void test_a_request_is_answered_and_the_connection_kept(void **state)
{
    call(true);
    for (int i = 0; i < 3; i++) {
        stage->in.n = 0;
        say(STR("POST /x?q HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"));
        wait_for(got_at_end("/x=hello"));
        assert_got(OK_HEAD("8") "\r\n/x=hello");
    }
    assert_int_equal(stage->requests, 3);
    assert_int_equal(http_server_connections(stage->server), 1);
}

static void test_every_split_of_the_bytes_is_the_same_request(void **state)
{
    static const char *const requests[] = {
        "POST /x HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello",
        "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    };
    call(false);
    for (size_t i = 0; i < COUNTOF(requests); i++) {
        struct str all = str_of(requests[i]);
        for (size_t at = 1; at < all.n; at++) {
            stage->in.n = 0;
            say(str_make(all.p, at));
            int reads = 0; /* the first part has to be read by itself */
            while (reads++ < 2)
                uv_run(loop_uv(stage->loop), UV_RUN_NOWAIT);
            assert_int_equal(stage->in.n, 0);
            say(str_from(all, at));
            wait_for(got_at_end("hello"));
            assert_got(OK_HEAD("8") "\r\n/x=hello");
        }
    }
    assert_int_equal(http_server_connections(stage->server), 1);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    call(false);
    say(STR("GET /1 HTTP/1.1\r\n" HOST "\r\nPOST /2 HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nxGET /hold HTTP/1.1\r\n" HOST "\r\n"
            "GET /4 HTTP/1.1\r\n" HOST "\r\nGET /5 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    wait_for(stage->held);
    assert_int_equal(stage->requests, 3);
    reply_text(stage->held, 200, STR("/3"));
    assert_int_equal(stage->requests, 3); /* never from inside a call of the handler's */
    wait_for(stage->ended);
    assert_got(OK_HEAD("3") "\r\n/1=" OK_HEAD("4") "\r\n/2=x" OK_HEAD("2") "\r\n/3" OK_HEAD("3") "\r\n/4=" OK_HEAD("3") "Connection: close\r\n\r\n/5=");
}

static void test_pipelined_bytes_are_bounded_and_none_is_lost(void **state)
{
    enum { N = 8000 };
    struct buf many = { 0 };
    call(false);
    say(STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(stage->held);
    for (int i = 0; i < N; i++)
        buf_printf(&many, "POST /x HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n%01000d", i);
    say(buf_str(&many));
    for (int i = 0; i < 50; i++)
        uv_run(loop_uv(stage->loop), UV_RUN_NOWAIT);
    assert_true(conn_pending(stage->caller) > many.n / 2); /* the server stopped reading */
    reply_text(stage->held, 200, STR("held"));
    wait_for(stage->requests == 1 + N && conn_pending(stage->caller) == 0);
    buf_free(&many);
}

static void test_head_and_bodyless_answers(void **state)
{
    call(false);
    say(STR("HEAD /x HTTP/1.1\r\n" HOST "\r\nGET /nothing HTTP/1.1\r\n" HOST "\r\nGET /pieces HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(got("0123"));
    assert_got(OK_HEAD("3") "\r\nHTTP/1.1 204 No Content\r\n\r\n"
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 30\r\n\r\nabcdefghijklmnopqrstuvwxyz0123");
}

static void test_keep_alive_is_the_callers_wish(void **state)
{
    static const struct {
        const char *request, *line;
        bool kept;
    } wishes[] = {
        { "GET /x HTTP/1.1\r\n" HOST "\r\n", "", true },
        { "GET /x HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "Connection: close\r\n", false },
        { "GET /x HTTP/1.0\r\n\r\n", "Connection: close\r\n", false },
        { "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "Connection: keep-alive\r\n", true },
    };
    for (size_t i = 0; i < COUNTOF(wishes); i++) {
        struct buf want = { 0 };
        call(true);
        buf_printf(&want, OK_HEAD("3") "%s\r\n/x=%c", wishes[i].line, 0);
        say(str_of(wishes[i].request));
        wait_for(wishes[i].kept ? got_at_end("/x=") : stage->ended);
        assert_got(want.p);
        assert_false(stage->reset);
        assert_int_equal(http_server_connections(stage->server), wishes[i].kept);
        buf_free(&want);
        conn_close(stage->caller);
        stage->caller = NULL;
        wait_for(http_server_connections(stage->server) == 0);
    }
}

static void test_expect_gets_its_100_only_when_the_body_is_wanted(void **state)
{
    call(false);
    say(STR("POST /x HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
    wait_for(stage->in.n);
    assert_got("HTTP/1.1 100 Continue\r\n\r\n");
    say(STR("hello"));
    wait_for(got_at_end("/x=hello"));
    stage->in.n = 0; /* the body is there already */
    say(STR("POST /x HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"));
    wait_for(got_at_end("/x=hello"));
    assert_got(OK_HEAD("8") "\r\n/x=hello");
    stage->in.n = 0;
    say(STR("POST /none HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
    wait_for(stage->ended);
    assert_true(got("HTTP/1.1 404 ") && !got("100 Continue"));
}

/* ---- refusals ---- */

static void test_a_refusal_without_body_keeps_the_connection(void **state)
{
    call(false);
    say(STR("GET /none HTTP/1.1\r\n" HOST "\r\nGET /x HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(got_at_end("/x="));
    assert_true(got("HTTP/1.1 404 Not Found\r\n") && !got("Connection: close"));
}

static void test_body_limits_at_below_and_above(void **state)
{
    for (int n = 999; n <= 1001; n++) {
        for (int chunked = 0; chunked <= 1; chunked++) {
            struct buf b = { 0 };
            call(true);
            if (chunked)
                buf_printf(&b, "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n%x\r\n%0*d\r\n0\r\n\r\n", (unsigned)n - 1, n - 1, 0);
            else
                buf_printf(&b, "POST /x HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n%0*d", n, n, 0);
            say(buf_str(&b));
            wait_for(n > 1000 ? got_at_end("body_too_large") : got_at_end("00"));
            assert_true(got(n > 1000 ? "HTTP/1.1 413 Content Too Large\r\n" : "HTTP/1.1 200 OK\r\n"));
            buf_free(&b);
        }
    }
}

/* The whole table is in test_server_head.c; here: what the caller sees. */
static void test_broken_framing_is_refused_and_closed(void **state)
{
    static const struct {
        const char *request;
        enum err_code code;
    } broken[] = {
        { "GET / HTTP/1.1\r\n\r\n", ERR_BAD_REQUEST },
        { "GET / HTTP/1.1\nHost: a\n\n", ERR_BAD_REQUEST },
        { "FOO / HTTP/1.1\r\n" HOST "\r\n", ERR_METHOD },
        { "POST / HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nxyz", ERR_MEDIA_TYPE },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx", ERR_BAD_REQUEST },
        { "GET / HTTP/1.1\r\n" HOST "\r\nrubbish\n", ERR_BAD_REQUEST },
    };
    for (size_t i = 0; i < COUNTOF(broken); i++) {
        char line[64];
        int refusals = stage->refusals;
        call(true);
        say(str_of(broken[i].request));
        wait_for(stage->ended);
        snprintf(line, sizeof line, "HTTP/1.1 %d ", err_row(broken[i].code)->http);
        assert_true(got(line) && got("Connection: close\r\n"));
        assert_false(stage->reset);
        assert_int_equal(stage->refusal, broken[i].code);
        assert_int_equal(stage->refusals, refusals + 1);
    }
}

static void test_a_handler_that_says_nothing_to_a_refusal_gets_an_empty_answer(void **state)
{
    stage->silent = true;
    call(false);
    say(STR("rubbish\r\n\r\n"));
    wait_for(stage->ended);
    assert_got("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

/* The caller is still sending when the refusal comes. Closing with unread bytes would send a reset, which eats the answer on TCP. */
static void test_an_early_refusal_reaches_a_caller_that_is_still_sending(void **state)
{
    enum { BODY = 8 * 1024 * 1024 };
    struct buf body = { 0 };
    call(true);
    memset(buf_reserve(&body, BODY), 'x', BODY);
    body.n = BODY;
    say(STR("POST /x HTTP/1.1\r\n" HOST "Content-Length: 8388608\r\n\r\n"));
    say(buf_str(&body));
    wait_for(stage->ended && conn_pending(stage->caller) == 0);
    assert_true(got("HTTP/1.1 413 ") && got_at_end("body_too_large"));
    assert_false(stage->reset);
    assert_int_equal(http_server_connections(stage->server), 1); /* lingers until the caller ends too */
    conn_finish(stage->caller);
    wait_for(http_server_connections(stage->server) == 0);
    buf_free(&body);
}

static void test_lingering_ends_by_time_and_by_bytes(void **state)
{
    stage->limits.linger_ms = 30;
    use_limits();
    call(true);
    say(STR("POST /none HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\n"));
    wait_for(http_server_connections(stage->server) == 0);
    stage->limits.linger_ms = 600000;
    stage->limits.linger_bytes = 10000;
    use_limits();
    call(true);
    say(STR("POST /none HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n"));
    wait_for(stage->ended);
    assert_int_equal(http_server_connections(stage->server), 1);
    char much[20000] = { 0 };
    say(str_make(much, sizeof much));
    wait_for(http_server_connections(stage->server) == 0);
}

/* ---- time ---- */

static void test_slow_heads_and_bodies_get_408_and_idle_ones_nothing(void **state)
{
    static const struct {
        const char *part;
        bool answered;
    } slow[] = {
        { "", false },
        { "GET /x HTTP/1.1\r\n" HOST "X", true },
        { "POST /x HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhel", true },
        { "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nhel", true },
    };
    stage->limits.head_ms = stage->limits.body_window_ms = stage->limits.keep_alive_ms = stage->limits.linger_ms = 30;
    use_limits();
    for (size_t i = 0; i < COUNTOF(slow); i++) {
        for (int second = 0; second <= 1; second++) {
            call(false);
            if (second) { /* not the first request of the connection */
                say(STR("GET /x HTTP/1.1\r\n" HOST "\r\n"));
                wait_for(got_at_end("/x="));
                stage->in.n = 0;
            }
            say(str_of(slow[i].part));
            wait_for(stage->ended);
            if (slow[i].answered)
                assert_true(got("HTTP/1.1 408 Request Timeout\r\n") && got("Connection: close\r\n"));
            else
                assert_int_equal(stage->in.n, 0);
            wait_for(http_server_connections(stage->server) == 0);
        }
    }
    assert_int_equal(stage->gone, 0);
}

static void on_tick(void *ctx)
{
    say(STR("0123456789"));
    timer_set(ctx, 5);
}

static void test_a_body_that_keeps_its_pace_is_waited_for(void **state)
{
    struct timer tick;
    stage->limits.body_window_ms = 200;
    stage->limits.body_window_bytes = 10;
    use_limits();
    call(false);
    timer_init(&tick, stage->loop, on_tick, &tick);
    say(STR("POST /x HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n"));
    on_tick(&tick);
    wait_for(stage->requests);
    timer_cancel(&tick);
    assert_int_equal(stage->refusals, 0);
}

static void test_a_caller_that_takes_nothing_is_cut_off(void **state)
{
    enum { MUCH = 8 * 1024 * 1024 };
    struct buf much = { 0 };
    stage->limits.write_stall_ms = 40;
    use_limits();
    memset(buf_reserve(&much, MUCH), 'x', MUCH);
    much.n = MUCH;
    for (int streamed = 0; streamed <= 1; streamed++) {
        call(false);
        say(STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
        wait_for(stage->held);
        conn_read(stage->caller, false);
        int gone = stage->gone;
        if (streamed) {
            http_reply_begin(stage->held, 200, STR(""), STR(""));
            http_reply_write(stage->held, buf_str(&much));
            assert_true(http_reply_pending(stage->held) > MUCH / 2);
            wait_for(stage->gone == gone + 1);
        } else {
            struct str piece = buf_str(&much);
            http_reply(stage->held, 200, STR(""), STR(""), &piece, 1);
            stage->held = NULL;
        }
        wait_for(http_server_connections(stage->server) == 0);
    }
    buf_free(&much);
}

/* ---- streams ---- */

static void test_writes_of_one_turn_leave_as_one_chunk(void **state)
{
    call(false);
    say(STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(stage->held);
    http_reply_begin(stage->held, 200, STR("text/event-stream"), STR("x-test: 1\r\n"));
    wait_for(stage->in.n); /* the head does not wait for the first byte */
    assert_got("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nx-test: 1\r\n\r\n");
    stage->in.n = 0;
    http_reply_write(stage->held, STR("data: 1\n\n"));
    http_reply_write(stage->held, STR(""));
    http_reply_write(stage->held, STR("data: 2\n\n"));
    assert_int_equal(http_reply_pending(stage->held), 18);
    wait_for(stage->in.n);
    assert_got("12\r\ndata: 1\n\ndata: 2\n\n\r\n");
    stage->in.n = 0;
    http_reply_write(stage->held, STR("end"));
    http_reply_end(stage->held);
    stage->held = NULL;
    wait_for(stage->in.n);
    assert_got("3\r\nend\r\n0\r\n\r\n");
    say(STR("GET /x HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(got_at_end("/x="));
}

/* Before the turn is over, and not once more at its end. */
static void test_a_flush_leaves_at_once(void **state)
{
    call(false);
    say(STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(stage->held);
    http_reply_begin(stage->held, 200, STR(""), STR(""));
    http_reply_write(stage->held, STR("data: 1\n\n"));
    http_reply_write(stage->held, STR("data: 2\n\n"));
    http_reply_flush(stage->held);
    assert_int_equal(http_reply_pending(stage->held), 0);
    http_reply_flush(stage->held); /* nothing is nothing: an empty chunk would be the end */
    http_reply_write(stage->held, STR("end"));
    http_reply_flush(stage->held);
    http_reply_end(stage->held);
    stage->held = NULL;
    wait_for(got_at_end("0\r\n\r\n"));
    assert_got("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n12\r\ndata: 1\n\ndata: 2\n\n\r\n3\r\nend\r\n0\r\n\r\n");
}

static struct http_req *hold_another(int fd[2])
{
    struct http_req *first = stage->held;
    stage->held = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    fcntl(fd[0], F_SETFL, O_NONBLOCK);
    http_server_take(stage->server, fd[1]);
    assert_true(write(fd[0], "GET /hold HTTP/1.1\r\n" HOST "\r\n", 31) == 31);
    wait_for(stage->held);
    struct http_req *second = stage->held;
    stage->held = first;
    return second;
}

/* Streams that are written to by turns share one stage, and none gets a byte of another; what one that is cut off had there is nobody's. */
static void test_streams_share_a_stage_and_no_bytes(void **state)
{
    char got[256] = "";
    int fd[2];
    call(false);
    say(STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(stage->held);
    struct http_req *second = hold_another(fd);
    http_reply_begin(stage->held, 200, STR(""), STR(""));
    http_reply_begin(second, 200, STR(""), STR(""));
    http_reply_write(stage->held, STR("one"));
    http_reply_write(second, STR("eins"));
    http_reply_write(stage->held, STR("two"));
    http_reply_write(second, STR("zwei"));
    http_abort(second);
    http_reply_write(stage->held, STR("three"));
    http_reply_end(stage->held);
    stage->held = NULL;
    wait_for(got_at_end("0\r\n\r\n"));
    assert_got("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n");
    assert_true(read(fd[0], got, sizeof got - 1) > 0);
    assert_string_equal(got, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\neins\r\n4\r\nzwei\r\n");
    close(fd[0]);
}

static void test_a_stream_to_http_1_0_and_to_head(void **state)
{
    call(true);
    say(STR("GET /hold HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    wait_for(stage->held);
    http_reply_begin(stage->held, 200, STR(""), STR(""));
    http_reply_write(stage->held, STR("abc"));
    http_reply_end(stage->held);
    stage->held = NULL;
    wait_for(stage->ended);
    assert_got("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
    assert_false(stage->reset);
    call(false);
    say(STR("HEAD /hold HTTP/1.1\r\n" HOST "\r\nGET /x HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(stage->held);
    http_reply_begin(stage->held, 200, STR(""), STR(""));
    http_reply_write(stage->held, STR("abc"));
    http_reply_end(stage->held);
    stage->held = NULL;
    wait_for(got_at_end("/x="));
    assert_got("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" OK_HEAD("3") "\r\n/x=");
}

static void test_on_drain_also_tells_of_what_was_only_staged(void **state)
{
    call(false);
    say(STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(stage->held);
    http_reply_begin(stage->held, 200, STR(""), STR(""));
    http_reply_write(stage->held, STR("little enough for the kernel to take it whole"));
    assert_true(http_reply_pending(stage->held) > 0); /* somebody may stop because of it */
    wait_for(stage->drains);
    http_reply_end(stage->held);
    stage->held = NULL;
    wait_for(got_at_end("0\r\n\r\n"));
}

static void test_a_slow_reader_is_noticed_and_on_drain_says_when_it_caught_up(void **state)
{
    enum { MUCH = 4 * 1024 * 1024 };
    struct buf much = { 0 };
    memset(buf_reserve(&much, MUCH), 'x', MUCH);
    much.n = MUCH;
    call(false);
    say(STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(stage->held);
    conn_read(stage->caller, false);
    http_reply_begin(stage->held, 200, STR(""), STR(""));
    http_reply_write(stage->held, buf_str(&much));
    assert_true(http_reply_pending(stage->held) > 0);
    assert_int_equal(stage->drains, 0);
    conn_read(stage->caller, true);
    wait_for(stage->drains);
    assert_int_equal(http_reply_pending(stage->held), 0);
    http_reply_end(stage->held);
    stage->held = NULL;
    wait_for(got_at_end("0\r\n\r\n"));
    assert_true(stage->in.n > MUCH);
    buf_free(&much);
}

static void stage_more(uv_poll_t *h, int status, int events)
{
    uv_poll_stop(h);
    http_reply_write(stage->held, STR("late"));
}

/* In one turn more is written first, then the kernel takes all of what waited: that the rest is out as well must be said too. */
static void test_what_is_written_as_the_reader_catches_up_is_not_forgotten(void **state)
{
    static char much[40000], sink[65536];
    int fd[2], bell[2];
    uv_poll_t more;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_int_equal(pipe(bell), 0);
    fcntl(fd[0], F_SETFL, O_NONBLOCK);
    http_server_take(stage->server, fd[1]);
    assert_true(write(fd[0], "GET /hold HTTP/1.1\r\n" HOST "\r\n", 31) == 31);
    wait_for(stage->held);
    http_reply_begin(stage->held, 200, STR(""), STR(""));
    do
        http_reply_write(stage->held, str_make(much, sizeof much));
    while (http_reply_pending(stage->held) == 0);
    uv_poll_init(loop_uv(stage->loop), &more, bell[0]);
    uv_poll_start(&more, UV_READABLE, stage_more);
    uv_run(loop_uv(stage->loop), UV_RUN_NOWAIT); /* both are watched now */
    assert_true(write(bell[1], "!", 1) == 1);
    while (read(fd[0], sink, sizeof sink) > 0)
        continue;
    wait_for(stage->drains);
    assert_int_equal(http_reply_pending(stage->held), 0);
    http_abort(stage->held);
    stage->held = NULL;
    uv_close((uv_handle_t *)&more, NULL);
    uv_run(loop_uv(stage->loop), UV_RUN_NOWAIT);
    close(fd[0]);
    close(bell[0]);
    close(bell[1]);
}

static void test_an_aborted_answer_is_seen_to_be_incomplete(void **state)
{
    call(true);
    say(STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(stage->held);
    http_reply_begin(stage->held, 200, STR(""), STR(""));
    http_reply_write(stage->held, STR("abc"));
    http_abort(stage->held);
    stage->held = NULL;
    wait_for(stage->ended);
    assert_true(got_at_end("3\r\nabc\r\n")); /* and no last chunk */
    call(true);
    say(STR("GET /hold HTTP/1.0\r\n\r\n"));
    wait_for(stage->held);
    http_reply_begin(stage->held, 200, STR(""), STR(""));
    http_reply_write(stage->held, STR("abc"));
    wait_for(got_at_end("abc")); /* libuv reports bytes and a reset that come together as bytes and an end */
    http_abort(stage->held);
    stage->held = NULL;
    wait_for(stage->ended);
    assert_true(stage->reset); /* an end would look like the end of the answer */
    call(false);
    say(STR("GET /abort HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(stage->ended);
    assert_int_equal(stage->in.n, 0);
    assert_int_equal(stage->gone, 0);
}

/* ---- callers that leave ---- */

static void leave(bool reset)
{
    if (reset)
        conn_reset(stage->caller);
    else
        conn_close(stage->caller);
    stage->caller = NULL;
}

static void test_a_caller_that_leaves_is_noticed_while_it_is_answered(void **state)
{
    int gone = 0;
    for (int reset = 0; reset <= 1; reset++) {
        for (int begun = 0; begun <= 1; begun++) {
            call(true);
            say(STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
            wait_for(stage->held);
            if (begun) {
                http_reply_begin(stage->held, 200, STR(""), STR(""));
                http_reply_write(stage->held, STR("abc"));
                wait_for(got("abc"));
            }
            leave(reset);
            wait_for(stage->gone == gone + 1);
            assert_int_equal(http_server_connections(stage->server), 0);
            gone++;
        }
    }
    call(true); /* half-closed counts too */
    say(STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    conn_finish(stage->caller);
    wait_for(stage->gone == gone + 1);
}

static void test_a_caller_that_leaves_in_the_middle_of_a_request_is_forgotten(void **state)
{
    static const char *const parts[] = { "", "GET", "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhel",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhel" };
    for (size_t i = 0; i < COUNTOF(parts); i++) {
        for (int reset = 0; reset <= 1; reset++) {
            call(true);
            say(str_of(parts[i]));
            uv_run(loop_uv(stage->loop), UV_RUN_NOWAIT);
            leave(reset);
            wait_for(http_server_connections(stage->server) == 0);
        }
    }
    assert_int_equal(stage->requests + stage->refusals + stage->gone, 0);
}

static void test_a_caller_that_ends_after_asking_still_gets_what_was_answered(void **state)
{
    call(true);
    say(STR("GET /x HTTP/1.1\r\n" HOST "\r\n"));
    conn_finish(stage->caller);
    wait_for(stage->ended);
    assert_got(OK_HEAD("3") "\r\n/x=");
    assert_int_equal(stage->gone, 0);
}

/* ---- the end of the server ---- */

static void test_draining_closes_idle_ones_at_once_and_others_after_their_answer(void **state)
{
    call(false);
    say(STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(stage->held);
    struct conn *busy = stage->caller;
    stage->caller = NULL;
    call(false);
    struct conn *idle = stage->caller;
    say(STR("GET /x HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(got_at_end("/x="));
    stage->caller = NULL;
    call(false);
    say(STR("GET /x HT"));
    for (int i = 0; i < 3; i++)
        uv_run(loop_uv(stage->loop), UV_RUN_NOWAIT);
    assert_int_equal(http_server_connections(stage->server), 3);
    http_server_drain(stage->server);
    assert_int_equal(http_server_connections(stage->server), 2);
    say(STR("TP/1.1\r\n" HOST "\r\n"));
    wait_for(got("Connection: close\r\n"));
    assert_int_equal(http_server_connections(stage->server), 1);
    stage->in.n = 0;
    reply_text(stage->held, 200, STR("held"));
    wait_for(got_at_end("held"));
    assert_true(got("Connection: close\r\n"));
    assert_int_equal(http_server_connections(stage->server), 0);
    conn_close(busy);
    conn_close(idle);
}

static void test_freeing_the_server_tells_unfinished_requests(void **state)
{
    call(false);
    say(STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(stage->held);
    http_server_free(stage->server);
    stage->server = NULL;
    assert_int_equal(stage->gone, 1);
    wait_for(stage->ended);
}

static void test_a_large_body_arrives_whole(void **state)
{
    enum { BODY = 3 * 1024 * 1024 };
    struct buf b = { 0 };
    stage->body_limit = BODY;
    call(true);
    buf_printf(&b, "POST /hold HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", BODY);
    size_t head = b.n;
    for (unsigned i = 0; i < BODY; i++)
        buf_add_char(&b, (char)(i * 2654435761u >> 24));
    say(buf_str(&b));
    wait_for(stage->held);
    assert_true(str_eq(http_req_body(stage->held), str_from(buf_str(&b), head)));
    reply_text(stage->held, 200, STR("ok"));
    wait_for(got_at_end("ok"));
    buf_free(&b);
}

/* Bodies are read to where they belong, in blocks of different kinds; never a byte of what is behind them. */
static void test_behind_a_body_of_any_size_the_next_request_begins(void **state)
{
    static const size_t sizes[] = { 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 256 * 1024, 256 * 1024 + 1, 320 * 1024 - 1, 512 * 1024 - 1, 512 * 1024, 512 * 1024 + 1,
        1024 * 1024, 2 * 1024 * 1024 + 3 };
    stage->body_limit = 4 * 1024 * 1024;
    call(true);
    for (size_t k = 0; k < COUNTOF(sizes); k++) {
        struct buf b = { 0 };
        buf_printf(&b, "POST /hold HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", sizes[k]);
        size_t head = b.n;
        for (size_t i = 0; i < sizes[k]; i++)
            buf_add_char(&b, (char)((unsigned)i * 2654435761u >> 24));
        size_t end = b.n;
        buf_lit(&b, "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nnext");
        stage->in.n = 0;
        say(buf_str(&b));
        wait_for(stage->held);
        assert_true(str_eq(http_req_body(stage->held), str_make(b.p + head, end - head)));
        struct http_req *first = stage->held;
        stage->held = NULL;
        reply_text(first, 200, STR("ok"));
        wait_for(stage->held);
        assert_true(str_eq(http_req_body(stage->held), STR("next")));
        struct http_req *second = stage->held;
        stage->held = NULL;
        reply_text(second, 200, STR("end"));
        wait_for(got_at_end("end"));
        buf_free(&b);
    }
}

/* ---- as many as there may be ---- */

static void on_tick_over(void *ctx)
{
    *(bool *)ctx = true;
}

static void turns(int64_t ms)
{
    bool over = false;
    struct timer t;
    timer_init(&t, stage->loop, on_tick_over, &over);
    timer_set(&t, ms);
    while (!over)
        uv_run(loop_uv(stage->loop), UV_RUN_ONCE);
}

static void test_the_quietest_goes_for_who_comes_and_then_who_comes_is_over(void **state)
{
    struct http_server_figures f;
    struct conn *others[16];
    size_t n = 0;
    http_server_limit(stage->server, 2);
    call(false);
    say(STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(stage->held);
    struct conn *busy = stage->caller;
    stage->caller = NULL;
    call(false);
    say(STR("GET /x HT")); /* half of a head is no request */
    struct conn *quiet = stage->caller;
    stage->caller = NULL;
    turns(150);
    call(false);
    wait_for(stage->ended); /* the quiet one */
    http_server_figures(stage->server, &f);
    assert_true(f.connections == 2 && f.evicted == 1 && f.over == 0);
    stage->ended = false;
    stage->held = NULL;
    say(STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(stage->held); /* both are served now */
    struct conn *second = stage->caller;
    stage->caller = NULL;
    call(false);
    assert_false(http_req_is_over(stage->held));
    stage->held = NULL;
    say(STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
    wait_for(stage->held);
    assert_true(http_req_is_over(stage->held));
    stage->in.n = 0;
    reply_text(stage->held, 200, STR("held"));
    wait_for(got_at_end("held"));
    assert_true(got("Connection: close\r\n"));
    wait_for(stage->ended);
    for (; n < 8; n++) { /* these are taken all the same, */
        others[n] = stage->caller;
        stage->caller = NULL;
        call(false);
    }
    http_server_figures(stage->server, &f);
    assert_true(f.connections == 10 && f.over == 9 && f.turned_away == 0);
    others[n++] = stage->caller;
    stage->caller = NULL;
    call(false); /* and this one is not */
    http_server_figures(stage->server, &f);
    assert_true(f.connections == 10 && f.turned_away == 1);
    for (size_t i = 0; i < n; i++)
        conn_close(others[i]);
    conn_close(busy);
    conn_close(quiet);
    conn_close(second);
}

static int64_t no_memory(void *ctx)
{
    return 1000;
}

static void test_a_body_has_its_room_before_it_is_read(void **state)
{
    static const struct {
        const char *head, *answer;
    } cases[] = {
        { "POST /x HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\n", "HTTP/1.1 503" }, /* 4 x 100 are too many beside 3048 */
        { "POST /x HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nabcd", "/x=abcd" },
    };
    struct overload *o = overload_new(stage->loop, no_memory, NULL);
    struct overload_figures f;
    http_server_use_overload(stage->server, o);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        call(false);
        overload_limit(o, i ? 1000000 : 3400); /* a connection counts as 2048 */
        say(str_of(cases[i].head));
        wait_for(got(cases[i].answer));
    }
    stage->caller = (conn_close(stage->caller), NULL);
    turns(10);
    overload_figures(o, &f);
    assert_int_equal(f.promised_bytes, 0);
    http_server_free(stage->server);
    stage->server = NULL;
    overload_free(o);
}

int main(void)
{
#define claim(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        claim(test_a_request_is_answered_and_the_connection_kept),
        claim(test_every_split_of_the_bytes_is_the_same_request),
        claim(test_pipelined_requests_are_answered_in_order),
        claim(test_pipelined_bytes_are_bounded_and_none_is_lost),
        claim(test_head_and_bodyless_answers),
        claim(test_keep_alive_is_the_callers_wish),
        claim(test_expect_gets_its_100_only_when_the_body_is_wanted),
        claim(test_a_refusal_without_body_keeps_the_connection),
        claim(test_body_limits_at_below_and_above),
        claim(test_broken_framing_is_refused_and_closed),
        claim(test_a_handler_that_says_nothing_to_a_refusal_gets_an_empty_answer),
        claim(test_an_early_refusal_reaches_a_caller_that_is_still_sending),
        claim(test_lingering_ends_by_time_and_by_bytes),
        claim(test_slow_heads_and_bodies_get_408_and_idle_ones_nothing),
        claim(test_a_body_that_keeps_its_pace_is_waited_for),
        claim(test_a_caller_that_takes_nothing_is_cut_off),
        claim(test_writes_of_one_turn_leave_as_one_chunk),
        claim(test_a_stream_to_http_1_0_and_to_head),
        claim(test_a_flush_leaves_at_once),
        claim(test_streams_share_a_stage_and_no_bytes),
        claim(test_on_drain_also_tells_of_what_was_only_staged),
        claim(test_a_slow_reader_is_noticed_and_on_drain_says_when_it_caught_up),
        claim(test_what_is_written_as_the_reader_catches_up_is_not_forgotten),
        claim(test_an_aborted_answer_is_seen_to_be_incomplete),
        claim(test_a_caller_that_leaves_is_noticed_while_it_is_answered),
        claim(test_a_caller_that_leaves_in_the_middle_of_a_request_is_forgotten),
        claim(test_a_caller_that_ends_after_asking_still_gets_what_was_answered),
        claim(test_draining_closes_idle_ones_at_once_and_others_after_their_answer),
        claim(test_freeing_the_server_tells_unfinished_requests),
        claim(test_a_large_body_arrives_whole),
        claim(test_behind_a_body_of_any_size_the_next_request_begins),
        claim(test_the_quietest_goes_for_who_comes_and_then_who_comes_is_over),
        claim(test_a_body_has_its_room_before_it_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
