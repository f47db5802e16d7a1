/* The client: a pool of connections to one target, calls on them. How their bytes travel is the wire's business: client_plain.c, client_web.c.
 *
 * A `link` is one connection; it is idle (in the pool's list, newest first) or carries exactly one call. A `call` is what the owner holds; its
 * link changes once when the first one turned out stale. Both are found again without malloc: idle links in the list, spent calls with their
 * buffers in a second one. While a link is idle it is read, so that an end or a stray byte removes it before a call can meet it.
 *
 * How an answer is read is in client_answer.c; here is who is told what, and when. The rule for all functions below that end a call or close a
 * link: they are the last thing their caller does with it. */
#include "base/log.h"
#include "base/uncleared.h"
#include "http/client_answer.h"
#include "http/client_int.h"

#include <stdlib.h>

enum { CALLS_KEPT = 64 }; /* spent ones, with their buffers, for the next */

struct link {
    struct list node; /* in pool->idle */
    struct http_pool *pool;
    void *wire;
    struct http_call *call; /* NULL: idle */
    int64_t idle_since_ms;
    bool open;
    bool used; /* it has carried an answer before: it may be stale */
};

struct http_call {
    struct http_pool *pool;
    struct http_call *next; /* in pool->spent */
    struct link *link;
    const struct http_call_ops *ops;
    void *ctx;
    struct answer answer;
    struct buf head;    /* of the request; kept for a second sending */
    struct str *pieces; /* head, body pieces */
    size_t pieces_n, pieces_room;
    struct timer limit; /* first byte, then idle */
    int64_t first_byte_ms, idle_ms;
    bool to_head, paused;
    bool feeding;       /* its callbacks may be on the stack: not to be reused yet */
};

struct http_pool {
    struct loop *loop;
    const struct wire *wire;
    void *road;            /* the wire's */
    struct http_target to; /* its texts are the pool's own */
    struct http_pool_opts opts;
    struct buf after_path; /* the part of a request head that is always the same */
    struct list idle;
    size_t idle_n;
    struct timer sweep;
    struct http_call *spent;
    size_t spent_n;
    size_t running; /* calls */
    int64_t silent_ms, used_ms;
};

/* --- links ---------------------------------------------------------------------------------------------------------------- */

static void link_close(struct link *k)
{
    if (k->call)
        k->call->link = NULL;
    else if (!list_empty(&k->node))
        k->pool->idle_n--;
    list_remove(&k->node);
    k->pool->wire->close(k->wire);
    free(k);
}

/* The list is newest first, so who has waited longest is at its end: one timer for all of them. */
static void on_sweep(void *ctx)
{
    struct http_pool *p = ctx;
    int64_t now = loop_now_ms(p->loop);
    while (!list_empty(&p->idle)) {
        struct link *oldest = list_entry(p->idle.prev, struct link, node);
        int64_t left = oldest->idle_since_ms + p->opts.idle_ms - now;
        if (left > 0) {
            timer_set(&p->sweep, left);
            return;
        }
        link_close(oldest);
    }
}

static void link_park(struct link *k)
{
    struct http_pool *p = k->pool;
    if (p->idle_n >= p->opts.max_idle || p->opts.idle_ms <= 0) {
        link_close(k);
        return;
    }
    k->used = true;
    k->idle_since_ms = loop_now_ms(p->loop);
    list_push_front(&p->idle, &k->node);
    p->idle_n++;
    p->wire->read(k->wire, true); /* the call may have ended paused */
    if (!timer_is_set(&p->sweep))
        timer_set(&p->sweep, p->opts.idle_ms);
}

static struct link *take_idle(struct http_pool *p)
{
    struct list *node = list_take(&p->idle);
    if (!node)
        return NULL;
    p->idle_n--;
    return list_entry(node, struct link, node);
}

/* --- a call's end --------------------------------------------------------------------------------------------------------- */

static void call_free(struct http_call *c)
{
    answer_fini(&c->answer);
    wipe(c->head.p, c->head.n); /* keys are among the headers */
    buf_free(&c->head);
    free(c->pieces);
    free(c);
}

static void call_release(struct http_call *c)
{
    enum { KEEP_BYTES = 4 * 1024 };
    struct http_pool *p = c->pool;
    p->running--;
    p->used_ms = loop_now_ms(p->loop);
    if (!p->running && c->answer.begun)
        p->silent_ms = 0;
    if (p->spent_n >= CALLS_KEPT) {
        call_free(c);
        return;
    }
    buf_reset(&c->head, KEEP_BYTES);
    c->next = p->spent;
    p->spent = c;
    p->spent_n++;
}

/* All is put away before the owner hears of it: what he starts from inside on_done finds the connection warm. */
static void finish(struct http_call *c, bool keep, enum err_code rc, const struct err *e)
{
    const struct http_call_ops *ops = c->ops;
    void *ctx = c->ctx;
    struct link *k = c->link;
    timer_cancel(&c->limit);
    c->link = NULL;
    k->call = NULL;
    if (keep)
        link_park(k);
    else
        link_close(k);
    call_release(c);
    ops->on_done(ctx, rc, e);
}

static void finish_whole(struct http_call *c, bool keep)
{
    static const struct err none;
    finish(c, keep, ERR_OK, &none);
}

static void on_limit(void *ctx)
{
    struct http_call *c = ctx;
    struct err e;
    if (c->answer.begun)
        err_set(&e, ERR_UP_TIMEOUT, "the answer stood still for %lld ms", (long long)c->idle_ms);
    else
        err_set(&e, ERR_UP_TIMEOUT, "no byte of an answer within %lld ms", (long long)c->first_byte_ms);
    finish(c, false, e.code, &e);
}

static void arm_limit(struct http_call *c)
{
    int64_t ms = c->answer.begun ? c->idle_ms : c->first_byte_ms;
    if (ms > 0 && !c->paused)
        timer_set(&c->limit, ms);
    else
        timer_cancel(&c->limit);
}

/* --- sending, and what comes back ----------------------------------------------------------------------------------------- */

static void send_request(struct http_call *c)
{
    const struct wire *wire = c->pool->wire;
    answer_begin(&c->answer, c->to_head, c->ops, c->ctx);
    wire->read(c->link->wire, !c->paused);
    wire->write(c->link->wire, c->pieces, c->pieces_n);
    arm_limit(c);
}

static void connect_link(struct http_call *c);

/* A connection that carried an answer before may have been closed by the other side while our request was on its way: nobody has
 * seen that request. Only a fresh one is tried after it, so this happens once. */
static bool send_again_if_stale(struct http_call *c)
{
    if (!c->link->used || c->answer.begun)
        return false;
    timer_cancel(&c->limit);
    link_close(c->link);
    connect_link(c);
    return true;
}

static void on_read(void *ctx, struct str bytes)
{
    struct link *k = ctx;
    struct http_call *c = k->call;
    if (!c) {
        log_debug("stray bytes on an idle connection: closed");
        link_close(k);
        return;
    }
    struct err e UNCLEARED;
    size_t behind;
    k->pool->silent_ms = k->pool->used_ms = loop_now_ms(k->pool->loop);
    c->feeding = true;
    enum answer_state state = answer_feed(&c->answer, bytes, &behind, &e);
    if (c->ops->on_fed && state != ANSWER_DROPPED)
        c->ops->on_fed(c->ctx);
    c->feeding = false;
    if (c->answer.dropped)
        state = ANSWER_DROPPED;
    switch (state) {
    case ANSWER_READING:
        arm_limit(c);
        break;
    case ANSWER_WHOLE: /* an answer that came before the request was out leaves the connection in the middle of that request */
        finish_whole(c, behind == 0 && k->pool->wire->pending(k->wire) == 0 && answer_keeps_alive(&c->answer));
        break;
    case ANSWER_BROKEN:
        finish(c, false, e.code, &e);
        break;
    case ANSWER_DROPPED:
        call_release(c);
        break;
    }
}

static void on_end(void *ctx)
{
    struct link *k = ctx;
    struct http_call *c = k->call;
    struct err e;
    if (!c)
        link_close(k);
    else if (answer_end(&c->answer, &e) == ANSWER_WHOLE)
        finish_whole(c, false);
    else if (!send_again_if_stale(c))
        finish(c, false, e.code, &e);
}

static void on_fail(void *ctx, const struct err *why)
{
    struct link *k = ctx;
    struct http_call *c = k->call;
    struct err e = *why; /* closing the connection may take it away */
    if (!c)
        link_close(k);
    else if (!send_again_if_stale(c))
        finish(c, false, e.code, &e);
}

static void on_drain(void *ctx)
{
    struct link *k = ctx;
    if (k->call && !k->call->answer.begun)
        arm_limit(k->call);
}

static const struct conn_ops link_ops = { .on_read = on_read, .on_end = on_end, .on_fail = on_fail, .on_drain = on_drain };

static void on_open(void *ctx, const struct err *why)
{
    struct link *k = ctx;
    struct http_call *c = k->call;
    if (!why) {
        k->open = true;
        send_request(c);
        return;
    }
    struct err e = *why;
    finish(c, false, e.code, &e);
}

static void connect_link(struct http_call *c)
{
    struct http_pool *p = c->pool;
    struct link *k = calloc(1, sizeof *k);
    if (!k)
        die("out of memory: a connection");
    list_init(&k->node);
    k->pool = p;
    k->call = c;
    c->link = k;
    k->wire = p->wire->connect(p->loop, &p->to, p->road, p->opts.connect_ms, &link_ops, k, on_open);
}

/* --- what the owner calls ------------------------------------------------------------------------------------------------- */

static struct http_call *call_take(struct http_pool *p)
{
    struct http_call *c = p->spent;
    if (c) {
        p->spent = c->next;
        p->spent_n--;
    } else {
        c = calloc(1, sizeof *c);
        if (!c)
            die("out of memory: a call");
        c->pool = p;
        answer_init(&c->answer);
        timer_init(&c->limit, p->loop, on_limit, c);
    }
    p->running++;
    p->used_ms = loop_now_ms(p->loop);
    if (!p->silent_ms)
        p->silent_ms = p->used_ms;
    return c;
}

static void build_head(struct http_call *c, const struct http_request *r, size_t body_bytes)
{
    struct buf *h = &c->head;
    h->n = 0;
    buf_add(h, r->method);
    buf_add_char(h, ' ');
    buf_add(h, r->path);
    buf_add(h, buf_str(&c->pool->after_path));
    buf_add(h, r->headers);
    /* A method that may have a body says so even when it is empty. */
    if (body_bytes > 0 || !(c->to_head || str_eq(r->method, STR("GET")))) {
        buf_lit(h, "Content-Length: ");
        buf_add_int(h, (int64_t)body_bytes);
        buf_lit(h, "\r\n");
    }
    buf_lit(h, "\r\n");
}

static void copy_request(struct http_call *c, const struct http_request *r)
{
    if (c->pieces_room < r->pieces + 1) {
        c->pieces_room = r->pieces + 1;
        struct str *pieces = realloc(c->pieces, c->pieces_room * sizeof *c->pieces);
        if (!pieces)
            die("out of memory: %zu pieces of a request", c->pieces_room);
        c->pieces = pieces;
    }
    size_t body_bytes = 0;
    for (size_t i = 0; i < r->pieces; i++) {
        c->pieces[i + 1] = r->body[i];
        body_bytes += r->body[i].n;
    }
    build_head(c, r, body_bytes);
    c->pieces[0] = buf_str(&c->head);
    c->pieces_n = r->pieces + 1;
}

struct http_call *http_call_start(struct http_pool *p, const struct http_request *r, const struct http_call_ops *ops, void *ctx)
{
    struct http_call *c = call_take(p);
    c->ops = ops;
    c->ctx = ctx;
    c->first_byte_ms = r->first_byte_ms;
    c->idle_ms = r->idle_ms;
    c->to_head = str_eq(r->method, STR("HEAD"));
    c->paused = c->feeding = false;
    c->answer.begun = false;
    copy_request(c, r);
    struct link *k = take_idle(p);
    if (!k) {
        connect_link(c);
        return c;
    }
    k->call = c;
    c->link = k;
    send_request(c);
    return c;
}

void http_call_cancel(struct http_call *c)
{
    if (!c)
        return;
    timer_cancel(&c->limit);
    link_close(c->link);
    if (c->feeding)
        answer_drop(&c->answer); /* released when the parser has come back */
    else
        call_release(c);
}

void http_call_pause(struct http_call *c, bool paused)
{
    if (c->paused == paused)
        return;
    c->paused = paused;
    if (!c->link->open)
        return;
    c->pool->wire->read(c->link->wire, !paused);
    arm_limit(c);
}

bool http_call_had_byte(const struct http_call *c)
{
    return c->answer.begun;
}

/* --- the pool's life ------------------------------------------------------------------------------------------------------- */

static struct str own_text(struct str s)
{
    char *p = strndup(s.n ? s.p : "", s.n);
    if (!p)
        die("out of memory: where a pool of connections leads");
    return str_make(p, s.n);
}

static void free_text(struct str s)
{
    char *p = (char *)(uintptr_t)s.p;
    wipe(p, s.n); /* of a proxy: a login may be in it */
    free(p);
}

static void pool_free(struct http_pool *p)
{
    timer_cancel(&p->sweep);
    buf_free(&p->after_path);
    free_text(p->to.ca);
    free_text(p->to.proxy);
    free(p);
}

enum err_code http_pool_over(struct loop *l, const struct wire *wire, const struct http_target *to, struct str host_header, const struct http_pool_opts *opts,
    struct http_pool **out, struct err *e)
{
    struct http_pool *p = calloc(1, sizeof *p);
    if (!p)
        die("out of memory: a pool of connections");
    p->loop = l;
    p->wire = wire;
    p->to = (struct http_target){ .to = to->to, .tls = to->tls, .ca = own_text(to->ca), .proxy = own_text(to->proxy) };
    p->opts = *opts;
    list_init(&p->idle);
    timer_init(&p->sweep, l, on_sweep, p);
    buf_lit(&p->after_path, " HTTP/1.1\r\nHost: ");
    buf_add(&p->after_path, host_header);
    buf_lit(&p->after_path, "\r\n");
    if (opts->max_idle == 0)
        buf_lit(&p->after_path, "Connection: close\r\n");
    enum err_code rc = wire->road(l, &p->to, &p->road, e);
    if (rc)
        pool_free(p);
    else
        *out = p;
    return rc;
}

struct http_pool *http_pool_new(struct loop *l, const struct addr *to, struct str host_header, const struct http_pool_opts *opts)
{
    const struct http_target target = { .to = *to };
    struct http_pool *p = NULL;
    if (http_pool_over(l, &wire_plain, &target, host_header, opts, &p, NULL))
        die("a plain pool cannot be refused");
    return p;
}

enum err_code http_pool_open(struct loop *l, const struct http_target *to, const struct http_pool_opts *opts, struct http_pool **out, struct err *e)
{
    char host[320];
    struct addr named = to->to;
    if (named.kind == ADDR_TCP)
        named.host[strcspn(named.host, "%")] = 0; /* a zone means something on this machine alone (RFC 6874, 1) */
    addr_format(&named, host, sizeof host);
    struct str shown = str_of(host), usual = to->tls ? STR(":443") : STR(":80");
    if (str_ends(shown, usual))
        shown.n -= usual.n;
    return http_pool_over(l, to->tls || to->proxy.n ? &wire_web : &wire_plain, to, shown, opts, out, e);
}

size_t http_pool_idle(const struct http_pool *p)
{
    return p->idle_n;
}

size_t http_pool_running(const struct http_pool *p)
{
    return p->running;
}

int64_t http_pool_silent_ms(const struct http_pool *p)
{
    return p->silent_ms;
}

int64_t http_pool_used_ms(const struct http_pool *p)
{
    return p->used_ms;
}

void http_pool_move(struct http_pool *p, const struct addr *to)
{
    struct link *k;
    while ((k = take_idle(p)))
        link_close(k);
    p->to.to = *to;
}

void http_pool_free(struct http_pool *p)
{
    if (!p)
        return;
    if (p->running)
        die("a pool of connections freed under %zu calls", p->running);
    struct link *k;
    while ((k = take_idle(p)))
        link_close(k);
    for (struct http_call *c = p->spent, *next; c; c = next) {
        next = c->next;
        call_free(c);
    }
    p->wire->leave(p->road);
    pool_free(p);
}
