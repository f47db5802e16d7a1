/* Connections of callers: what is read when, what each state makes of an event, and time.
 *
 * A connection has one request at a time, and both are struct http_req. It is read all the time (that is how a caller's leaving is seen); bytes
 * that come while a request is being answered wait in `ahead`, and above AHEAD_MAX the socket is left alone. A small request
 * allocates nothing once the buffers of its connection have grown to what it needs.
 * One deadline per connection: see enum req_timing. The whole answer to a keep-alive request moves it back once, which costs nothing. */
#include "http/server_int.h"

#include "base/clock.h"
#include "base/large.h"
#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

/* KEEP_BYTES is what a connection keeps of each of its buffers while it waits for its next request: with all of them it stays below the 8 KiB that an idle
 * one may cost. To have a larger one again is one malloc a request; kept, ten thousand callers that once sent a long prompt would be hundreds of megabytes. */
enum {
    AHEAD_MAX = 64 * 1024, KEEP_BYTES = 1024, BODY_STEP = 256 * 1024,
    IN_PLACE_LEAST = 64 * 1024,
    CONN_COST = 2048,            /* a connection that has not been read from */
    QUIET_MS = 100,              /* who has asked for nothing for so long can be closed in another's favour */
    OVER_LEAST = 8, OVER_PART = 16, /* beyond the limit are taken so many, or a 16th of it */
    OVER_HEAD_MS = 2000,         /* and they have so long to ask */
    SAY_AGAIN_MS = 60 * 1000,
    HURRY_MS = 1000, HURRY_BYTES_PER_MS = 64, /* while memory is short a body is looked at after so long, and has to have brought 64 KB a second */
};

static void feed(struct http_req *r, struct str bytes);

static void set_deadline(struct http_req *r, enum req_timing why, int64_t in_ms)
{
    r->timing = why;
    timer_set(&r->deadline, in_ms);
}

static void req_free(struct http_req *r)
{
    http_head_fini(&r->head);
    buf_free(&r->body);
    buf_free(&r->ahead);
    buf_free(&r->text);
    buf_free(&r->extra);
    free(r);
}

/* ---- the ledger of memory ---- */

static void promise(struct http_req *r, int64_t bytes)
{
    if (!r->server->overload)
        return;
    r->promised += bytes;
    overload_promise(r->server->overload, bytes);
}

/* Of what was promised: it is there. */
static void keep(struct http_req *r, int64_t bytes)
{
    if (bytes > r->promised)
        bytes = r->promised;
    if (!bytes)
        return;
    r->promised -= bytes;
    overload_keep(r->server->overload, bytes);
}

static void forget(struct http_req *r)
{
    if (r->promised)
        overload_forget(r->server->overload, r->promised);
    r->promised = 0;
}

static void landed(struct http_req *r, size_t bytes)
{
    if (r->server->overload)
        overload_landed(r->server->overload, (int64_t)bytes);
}

/* Who comes leaves room for one of those that are being read to be made something of: else each that is whole finds the room taken by those that came after it, and all
 * are refused. One alone may always come. */
static bool has_room(const struct http_server *s, size_t body_bytes)
{
    int64_t cost = (int64_t)body_bytes * HTTP_BODY_COST, made = (int64_t)body_bytes * HTTP_MADE_COST;
    if (!s->overload || !overload_admits(s->overload, cost))
        return !s->overload;
    return !overload_is_promised(s->overload) || overload_admits(s->overload, cost + made);
}

static enum err_code no_room(const struct http_server *s, size_t body_bytes, struct err *e)
{
    struct overload_figures f;
    overload_figures(s->overload, &f);
    err_set(e, ERR_OVERLOADED, "The gateway has no memory to spare for this request now: %lld MiB of %lld are taken, and it may need %lld.",
        (long long)(f.used_bytes >> 20), (long long)(f.limit_bytes >> 20), (long long)(body_bytes * HTTP_BODY_COST >> 20) + 1);
    e->retry_after_s = 1;
    return err_hint(e, "Try again, send fewer at a time, or raise `limits: {memory: …}`.");
}

/* ---- the end of a connection ---- */

/* Nothing is freed under a callback of its own: the memory goes at the end of the turn. */
void http_req_die(struct http_req *r, bool reset)
{
    if (r->state == REQ_DEAD)
        return;
    r->state = REQ_DEAD;
    if (r->server->on_stage == r)
        r->server->on_stage = NULL;
    r->server->n--;
    r->server->nover -= r->over;
    forget(r);
    list_remove(&r->node);
    timer_cancel(&r->deadline);
    if (reset)
        conn_reset(r->conn);
    else
        conn_close(r->conn);
    loop_later(r->server->loop, &r->turn);
}

static void caller_gone(struct http_req *r)
{
    bool tell = r->state == REQ_HANDLED && r->ops && r->ops->on_gone;
    http_req_die(r, false);
    if (tell)
        r->ops->on_gone(r->ops_ctx);
}

/* ---- between requests ---- */

static void wait_for_next(struct http_req *r)
{
    if (r->server->draining && r->ahead.n == 0) {
        http_req_die(r, false);
        return;
    }
    if (r->server->pass) /* not here: what was read may not all be taken in yet */
        loop_later(r->server->loop, &r->turn);
    r->state = REQ_IDLE;
    forget(r);
    list_remove(&r->node);
    list_push(&r->server->quiet, &r->node);
    r->begun = false;
    r->ops = NULL;
    r->headers = (struct http_headers){ NULL, 0 };
    http_head_reset(&r->head);
    buf_reset(&r->body, KEEP_BYTES);
    buf_reset(&r->text, KEEP_BYTES);
    buf_reset(&r->extra, KEEP_BYTES);
    set_deadline(r, TIMING_IDLE, r->server->limits.keep_alive_ms);
    if (r->ahead.n && !r->feeding)
        loop_later(r->server->loop, &r->turn);
}

/* The answer is with the kernel and the connection is to end. Closing a socket with unread input makes the kernel send a reset, which may reach
 * the caller before it has read our answer: so our end goes first, and what still comes is dropped for a while. */
static void end_connection(struct http_req *r)
{
    if (!r->discard && r->ahead.n == 0) {
        http_req_die(r, false);
        return;
    }
    r->state = REQ_LINGERING;
    r->discard = true;
    forget(r);
    buf_reset(&r->ahead, 0);
    buf_reset(&r->body, 0);
    conn_finish(r->conn);
    conn_read(r->conn, true);
    set_deadline(r, TIMING_LINGER, r->server->limits.linger_ms);
}

void http_req_answered(struct http_req *r)
{
    if (conn_pending(r->conn))
        r->state = REQ_FLUSHING;
    else if (r->close_after)
        end_connection(r);
    else
        wait_for_next(r);
}

void http_req_watch_writing(struct http_req *r)
{
    if (r->timing == TIMING_STALL || conn_pending(r->conn) == 0)
        return;
    r->mark = r->wrote - conn_pending(r->conn);
    set_deadline(r, TIMING_STALL, r->server->limits.write_stall_ms);
}

/* ---- to the handler ---- */

/* It has asked for something, or tried to. */
static void is_asking(struct http_req *r)
{
    list_remove(&r->node);
    list_push(&r->server->all, &r->node);
}

static void refuse(struct http_req *r, const struct err *e)
{
    struct http_server *s = r->server;
    is_asking(r);
    r->state = REQ_HANDLED;
    r->headers = (struct http_headers){ r->head.fields, r->head.n };
    if (s->handler.on_refused)
        s->handler.on_refused(s->ctx, r, e);
    if (r->state == REQ_HANDLED && !r->begun && !r->ops)
        http_reply(r, err_row(e->code)->http, STR(""), STR(""), NULL, 0);
}

/* From here on what comes on this connection has no meaning. */
static void refuse_and_close(struct http_req *r, const struct err *e)
{
    r->close_after = r->discard = true;
    refuse(r, e);
}

static void hand_over(struct http_req *r)
{
    r->state = REQ_HANDLED;
    if (r->server->pass) {
        r->parked = true;
        loop_later(r->server->loop, &r->turn);
        return;
    }
    if (r->head.chunked) /* what it would have been promised had it said how long it is */
        promise(r, (int64_t)r->body.n * (HTTP_BODY_COST - 1));
    r->server->handler.on_request(r->server->ctx, r);
}

/* A large block costs nothing before it is touched; what a smaller one is announced as is not believed beyond a step. */
static void begin_body(struct buf *body, size_t n)
{
    if (n < LARGE_FROM_BYTES || !large_begin(body, n))
        buf_reserve(body, n < BODY_STEP ? n : BODY_STEP);
}

static void start_body(struct http_req *r, bool nothing_yet)
{
    static const struct str go_on = { "HTTP/1.1 100 Continue\r\n\r\n", 25 };
    r->state = REQ_BODY;
    r->timing = TIMING_NOTHING;
    promise(r, r->head.content_length * HTTP_BODY_COST);
    if (!r->head.chunked)
        begin_body(&r->body, (size_t)r->head.content_length);
    if (r->head.expect_continue && nothing_yet) {
        conn_write(r->conn, &go_on, 1);
        r->wrote += go_on.n;
    }
}

/* The head is whole and well-formed: does the handler want the rest? */
static void ask_handler(struct http_req *r, bool nothing_yet)
{
    struct err e;
    struct http_server *s = r->server;
    bool has_body = http_head_has_body(&r->head);
    is_asking(r);
    r->headers = (struct http_headers){ r->head.fields, r->head.n };
    r->close_after = !r->head.keep || r->over;
    r->body_limit = 0;
    enum err_code rc = s->handler.on_head(s->ctx, r, &r->body_limit, &e);
    if (!rc && !r->head.chunked && (uint64_t)r->head.content_length > r->body_limit)
        rc = err_set(&e, ERR_TOO_LARGE, "the body has %lld bytes; at most %zu are taken here", (long long)r->head.content_length, r->body_limit);
    if (!rc && has_body && !has_room(s, (size_t)r->head.content_length))
        rc = no_room(s, r->head.chunked ? 0 : (size_t)r->head.content_length, &e);
    if (rc) {
        r->close_after |= has_body;
        r->discard = has_body;
        refuse(r, &e);
    } else if (has_body) {
        start_body(r, nothing_yet);
    } else {
        hand_over(r);
    }
}

/* ---- bytes in ---- */

static void begin(struct http_req *r)
{
    r->started_ns = clock_mono_ns();
    r->state = REQ_HEAD;
    r->timing = TIMING_NOTHING;
    r->discard = false;
}

static size_t feed_head(struct http_req *r, struct str bytes)
{
    struct err e;
    size_t used;
    bool whole;
    if (http_head_feed(&r->head, bytes, &used, &whole, &e))
        refuse_and_close(r, &e);
    else if (whole)
        ask_handler(r, used == bytes.n);
    return used;
}

/* It grows without having said how far: each step is asked for anew. */
static enum err_code feed_chunks(struct http_req *r, struct str bytes, size_t *used, bool *whole, struct err *e)
{
    size_t before = r->body.n;
    if (http_chunks_feed(&r->head, &r->body, r->body_limit, bytes, used, whole, e))
        return e->code;
    landed(r, r->body.n - before);
    if (r->server->overload && !overload_bears(r->server->overload, (int64_t)r->body.n * (HTTP_BODY_COST - 1)))
        return no_room(r->server, r->body.n, e);
    return ERR_OK;
}

static size_t feed_body(struct http_req *r, struct str bytes)
{
    struct err e;
    size_t used = bytes.n;
    bool whole;
    if (r->head.chunked) {
        if (feed_chunks(r, bytes, &used, &whole, &e)) {
            refuse_and_close(r, &e);
            return used;
        }
    } else {
        size_t left = (size_t)r->head.content_length - r->body.n;
        used = bytes.n < left ? bytes.n : left;
        if (r->body.p && bytes.p == r->body.p + r->body.n) /* read to where it belongs: on_room() */
            r->body.n += used;
        else
            buf_add(&r->body, str_make(bytes.p, used));
        keep(r, (int64_t)used);
        whole = used == left;
    }
    if (whole)
        hand_over(r);
    return used;
}

/* For the request after this one. */
static void hold(struct http_req *r, struct str bytes)
{
    buf_add(&r->ahead, bytes);
    landed(r, bytes.n);
    if (r->ahead.n >= AHEAD_MAX || !has_room(r->server, 0))
        conn_read(r->conn, false);
}

static void drop(struct http_req *r, size_t n)
{
    r->dropped += n;
    if (r->state == REQ_LINGERING && r->dropped > r->server->limits.linger_bytes)
        http_req_die(r, false);
}

/* Time runs only for what is not whole after a read: most requests never touch the timer here. */
static void time_input(struct http_req *r)
{
    const struct http_limits *limits = &r->server->limits;
    if (r->timing != TIMING_NOTHING)
        return;
    if (r->state == REQ_HEAD) {
        landed(r, r->head.bytes.n);
        set_deadline(r, TIMING_HEAD, r->over ? OVER_HEAD_MS : limits->head_ms);
    }
    if (r->state == REQ_BODY) {
        r->mark = r->body.n;
        set_deadline(r, TIMING_BODY, limits->body_window_ms);
    }
}

static void feed(struct http_req *r, struct str bytes)
{
    r->feeding = true;
    while (bytes.n && r->state <= REQ_BODY) {
        if (r->state == REQ_IDLE)
            begin(r);
        bytes = str_from(bytes, r->state == REQ_HEAD ? feed_head(r, bytes) : feed_body(r, bytes));
    }
    r->feeding = false;
    if (r->state == REQ_DEAD)
        return;
    time_input(r);
    if (bytes.n && r->discard)
        drop(r, bytes.n);
    else if (bytes.n)
        hold(r, bytes);
}

static void on_read(void *ctx, struct str bytes)
{
    struct http_req *r = ctx;
    switch (r->state) {
    case REQ_IDLE:
        if (r->ahead.n) { /* its turn comes at the end of this one */
            hold(r, bytes);
            return;
        }
        feed(r, bytes);
        return;
    case REQ_HEAD:
    case REQ_BODY:
        feed(r, bytes);
        return;
    case REQ_HANDLED:
    case REQ_FLUSHING:
    case REQ_LINGERING:
        if (r->discard)
            drop(r, bytes.n);
        else
            hold(r, bytes);
        return;
    case REQ_DEAD:
        return;
    }
}

static void on_end(void *ctx)
{
    struct http_req *r = ctx;
    if (r->state == REQ_FLUSHING) { /* it may still read: give it the rest */
        r->close_after = true;
        r->discard = false;
        buf_reset(&r->ahead, 0);
        return;
    }
    caller_gone(r);
}

static void on_fail(void *ctx, const struct err *e)
{
    caller_gone(ctx);
}

static void tell_drained(struct http_req *r)
{
    if (r->state == REQ_HANDLED && r->ops && r->ops->on_drain && http_reply_pending(r) == 0)
        r->ops->on_drain(r->ops_ctx);
}

static void on_drain(void *ctx)
{
    struct http_req *r = ctx;
    if (r->timing == TIMING_STALL)
        r->timing = TIMING_NOTHING;
    if (r->state == REQ_FLUSHING)
        http_req_answered(r);
    else
        tell_drained(r); /* or on_turn() does, once what this turn brought has left too */
}

/* A large body is read to where it belongs. Its end is not: behind it the next request may begin. */
static char *on_room(void *ctx, size_t *n)
{
    struct http_req *r = ctx;
    if (r->state != REQ_BODY || r->head.chunked)
        return NULL;
    size_t left = (size_t)r->head.content_length - r->body.n;
    if (left < IN_PLACE_LEAST)
        return NULL;
    if (r->body.cap - r->body.n < IN_PLACE_LEAST)
        buf_reserve(&r->body, IN_PLACE_LEAST);
    size_t room = r->body.cap - r->body.n;
    *n = room < left ? room : left;
    if (*n > BODY_STEP)
        *n = BODY_STEP;
    return r->body.p + r->body.n;
}

static const struct conn_ops conn_ops = { on_read, on_end, on_fail, on_drain, on_room };

/* ---- time ---- */

static void check_body_speed(struct http_req *r)
{
    const struct http_limits *limits = &r->server->limits;
    struct err e;
    if (r->body.n - r->mark < limits->body_window_bytes) {
        err_set(&e, ERR_REQUEST_TIMEOUT, "the body brought %zu bytes in %lld ms", (size_t)(r->body.n - r->mark), (long long)limits->body_window_ms);
        refuse_and_close(r, &e);
        return;
    }
    r->mark = r->body.n;
    set_deadline(r, TIMING_BODY, limits->body_window_ms);
}

static void check_writing(struct http_req *r)
{
    size_t pending = conn_pending(r->conn);
    r->timing = TIMING_NOTHING;
    if (pending && r->wrote - pending == r->mark)
        caller_gone(r);
    else
        http_req_watch_writing(r);
}

static void on_deadline(void *ctx)
{
    struct http_req *r = ctx;
    struct err e;
    switch (r->timing) {
    case TIMING_NOTHING:
        return;
    case TIMING_IDLE:
        if (r->state == REQ_IDLE && r->ahead.n == 0)
            http_req_die(r, false);
        return;
    case TIMING_HEAD:
        if (r->state == REQ_HEAD) {
            err_set(&e, ERR_REQUEST_TIMEOUT, "the head of the request took longer than %lld ms", (long long)r->server->limits.head_ms);
            refuse_and_close(r, &e);
        }
        return;
    case TIMING_BODY:
        if (r->state == REQ_BODY)
            check_body_speed(r);
        return;
    case TIMING_STALL:
        check_writing(r);
        return;
    case TIMING_LINGER:
        http_req_die(r, false);
        return;
    }
}

/* ---- the end of a turn ---- */

static void go_on_with_ahead(struct http_req *r)
{
    struct buf held = r->ahead;
    buf_init(&r->ahead, 0);
    feed(r, buf_str(&held));
    if (r->ahead.p) {
        buf_free(&held);
    } else {
        r->ahead = held;
        buf_reset(&r->ahead, KEEP_BYTES);
    }
    if (r->state != REQ_DEAD && r->ahead.n < AHEAD_MAX)
        conn_read(r->conn, true);
}

static void on_turn(void *ctx)
{
    struct http_req *r = ctx;
    if (r->state == REQ_DEAD) {
        req_free(r);
    } else if (r->server->pass && (r->parked || r->state == REQ_IDLE) && http_req_pass(r)) {
        return;
    } else if (r->state == REQ_HANDLED) {
        if (r->begun)
            http_reply_flush(r);
        tell_drained(r); /* what was only staged counted as pending; when the kernel takes it whole the connection has nothing to say */
    } else if (r->state == REQ_IDLE && r->ahead.n) {
        go_on_with_ahead(r);
    }
}

/* ---- the server ---- */

struct http_server *http_server_new(struct loop *l, const struct http_limits *limits, const struct http_handler *h, void *ctx)
{
    struct http_server *s = calloc(1, sizeof *s);
    if (!s)
        die("out of memory for a server");
    s->loop = l;
    s->limits = *limits;
    s->handler = *h;
    s->ctx = ctx;
    list_init(&s->all);
    list_init(&s->quiet);
    return s;
}

/* ---- room for one more ---- */

/* Since when it has asked for nothing: its deadline was set then. */
static int64_t quiet_ms(const struct http_req *r)
{
    const struct http_limits *l = &r->server->limits;
    int64_t in_ms = r->over ? OVER_HEAD_MS : r->timing == TIMING_HEAD ? l->head_ms : l->keep_alive_ms;
    return timer_is_set(&r->deadline) ? loop_now_ms(r->server->loop) - (r->deadline.due_ms - in_ms) : 0;
}

/* In the order in which they came to be quiet, give or take those in the middle of a head. */
static struct http_req *quietest(const struct http_server *s)
{
    struct http_req *r = list_empty(&s->quiet) ? NULL : list_entry(s->quiet.next, struct http_req, node);
    return r && r->ahead.n == 0 && !r->feeding && quiet_ms(r) >= QUIET_MS ? r : NULL;
}

void http_server_shed(struct http_server *s)
{
    for (struct http_req *r = quietest(s); r; r = quietest(s)) {
        s->evicted++;
        http_req_die(r, false);
    }
}

/* Bytes that are announced are promised memory, so sixty callers who announce 8 MiB each and bring a byte now and then would keep everybody else out. */
static bool is_too_slow(const struct http_req *r, int64_t now_ns)
{
    int64_t age_ms = (now_ns - r->started_ns) / 1000000;
    return age_ms >= r->server->limits.body_window_ms || (age_ms >= HURRY_MS && (int64_t)r->body.n < age_ms * HURRY_BYTES_PER_MS);
}

void http_server_hurry(struct http_server *s)
{
    int64_t now_ns = clock_mono_ns();
    struct err e;
    for (struct list *at = s->all.next, *next; at != &s->all; at = next) {
        struct http_req *r = list_entry(at, struct http_req, node);
        next = at->next;
        if (r->state != REQ_BODY || !is_too_slow(r, now_ns))
            continue;
        err_set(&e, ERR_OVERLOADED, "The body came too slowly for a time in which the gateway's memory is short: it has %lld ms, and has to bring %d KiB in each second.",
            (long long)s->limits.body_window_ms, HURRY_BYTES_PER_MS);
        e.retry_after_s = 5;
        refuse_and_close(r, &e);
    }
}

static size_t most_over(const struct http_server *s)
{
    return s->most / OVER_PART > OVER_LEAST ? s->most / OVER_PART : OVER_LEAST;
}

/* False: not even beyond the limit. */
static bool make_room(struct http_server *s, bool *over)
{
    *over = false;
    if (!s->most || s->n - s->nover < s->most)
        return true;
    struct http_req *r = quietest(s);
    if (r) {
        bool was_over = r->over;
        s->evicted++;
        http_req_die(r, false);
        if (!was_over)
            return true;
    }
    *over = true;
    s->over++;
    return s->nover < most_over(s);
}

void http_server_limit(struct http_server *s, size_t connections)
{
    s->most = connections;
}

void http_server_use_overload(struct http_server *s, struct overload *o)
{
    s->overload = o;
}

void http_server_figures(const struct http_server *s, struct http_server_figures *out)
{
    *out = (struct http_server_figures){ .connections = s->n, .limit = s->most, .evicted = s->evicted, .over = s->over, .turned_away = s->turned_away };
}

static struct http_req *take(struct http_server *s, int fd, bool over)
{
    struct http_req *r = calloc(1, sizeof *r);
    if (!r)
        die("out of memory for a connection");
    r->server = s;
    http_head_init(&r->head, &s->limits);
    timer_init(&r->deadline, s->loop, on_deadline, r);
    later_init(&r->turn, on_turn, r);
    list_push(&s->quiet, &r->node);
    s->n++;
    r->over = over;
    s->nover += over;
    landed(r, CONN_COST);
    r->conn = conn_from_fd(s->loop, fd, &conn_ops, r);
    conn_read(r->conn, true);
    set_deadline(r, TIMING_IDLE, over ? OVER_HEAD_MS : s->limits.keep_alive_ms);
    return r;
}

/* Nobody hears a word, so the log has one, once a minute. */
static void say_full(struct http_server *s)
{
    int64_t now_ms = loop_now_ms(s->loop);
    if (s->said_full_ms && now_ms - s->said_full_ms < SAY_AGAIN_MS)
        return;
    s->said_full_ms = now_ms ? now_ms : 1;
    log_warn("connections are closed as they come: all %zu are being served (`limits: {connections: …}`), and %llu were closed so far", s->n, (unsigned long long)s->turned_away);
}

void http_server_take(struct http_server *s, int fd)
{
    bool over;
    if (make_room(s, &over)) {
        take(s, fd, over);
        return;
    }
    s->turned_away++;
    say_full(s);
    close(fd);
}

/* It was let in once: no limit is asked. */
void http_server_take_with(struct http_server *s, int fd, struct str bytes)
{
    struct http_req *r = take(s, fd, false);
    if (bytes.n)
        on_read(r, bytes);
}

void http_server_drain(struct http_server *s)
{
    s->draining = true;
    for (struct list *at = s->quiet.next, *next; at != &s->quiet; at = next) {
        struct http_req *r = list_entry(at, struct http_req, node);
        next = at->next;
        if (r->state == REQ_IDLE && r->ahead.n == 0)
            http_req_die(r, false);
    }
}

size_t http_server_connections(const struct http_server *s)
{
    return s->n;
}

size_t http_server_flushing(const struct http_server *s)
{
    size_t n = 0;
    for (const struct list *at = s->all.next; at != &s->all; at = at->next)
        n += list_entry(at, struct http_req, node)->state == REQ_FLUSHING;
    return n;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    while (!list_empty(&s->all))
        caller_gone(list_entry(s->all.next, struct http_req, node));
    while (!list_empty(&s->quiet))
        caller_gone(list_entry(s->quiet.next, struct http_req, node));
    buf_free(&s->stage);
    free(s);
}

/* ---- what the handler may look at ---- */

struct str http_req_method(const struct http_req *r)
{
    return r->head.method;
}

struct str http_req_path(const struct http_req *r)
{
    return r->head.path;
}

struct str http_req_query(const struct http_req *r)
{
    return r->head.query;
}

const struct http_headers *http_req_headers(const struct http_req *r)
{
    return &r->headers;
}

struct str http_req_header(const struct http_req *r, struct str name)
{
    return http_header(&r->headers, name);
}

void http_req_take_body(struct http_req *r, struct buf *to)
{
    *to = r->body;
    r->body = (struct buf){ 0 };
}

void http_req_put_back_body(struct http_req *r, struct buf *from)
{
    buf_free(&r->body);
    r->body = *from;
    *from = (struct buf){ 0 };
}

struct str http_req_body(const struct http_req *r)
{
    return buf_str(&r->body);
}

enum http_tongue http_req_tongue(const struct http_req *r)
{
    return r->head.tongue;
}

void http_req_peer(const struct http_req *r, unsigned char out[16])
{
    conn_peer(r->conn, out);
}

bool http_req_is_over(const struct http_req *r)
{
    return r->over;
}

void http_req_is_made(struct http_req *r)
{
    keep(r, r->promised);
}

const struct http_server *http_req_server(const struct http_req *r)
{
    return r->server;
}

int64_t http_req_started_ns(const struct http_req *r)
{
    return r->started_ns;
}

void http_req_watch(struct http_req *r, const struct http_req_ops *ops, void *ctx)
{
    r->ops = ops;
    r->ops_ctx = ctx;
}
