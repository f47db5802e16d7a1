/* What leaves for the caller: a stream's head, its events and its signs of life; a whole answer; an error. */
#include "api/exchange_int.h"

enum { HIGH_WATER_BYTES = 64 * 1024 }; /* not yet taken by the caller: above it the place is not read */

void exchange_write_error(struct exchange *x, const struct err *e)
{
    struct buf *to = &x->books.refusal, more = { 0 };
    to->n = 0;
    if (x->committed)
        buf_lit(to, "data: ");
    exchange_put_schema_error(x, e, &more);
    if (e->code == ERR_CONTEXT)
        exchange_put_too_long(x, &more);
    reply_error_json(to, e, str_of(x->id), x->tried, x->ntried, buf_str(&more));
    buf_free(&more);
    if (x->committed)
        buf_lit(to, "\n\n");
}

static void tell_asker(struct exchange *x, const struct err *e)
{
    struct asker *k = x->asker;
    x->asker = NULL;
    k->answered(k, x, e);
}

void exchange_answer_error(struct exchange *x, const struct err *e)
{
    struct http_req *r = x->req;
    if (x->asker) {
        tell_asker(x, e);
        return;
    }
    x->req = NULL;
    if (x->committed) {
        http_reply_write(r, buf_str(&x->books.refusal));
        http_reply_end(r);
        return;
    }
    struct buf headers = { 0 };
    exchange_put_dropped(x, &headers);
    reply_refusal(r, e, str_of(x->id), buf_str(&headers), buf_str(&x->books.refusal));
    buf_free(&headers);
}

static void commit(struct exchange *x)
{
    struct buf headers = { 0 };
    exchange_put_headers(x, &headers);
    buf_lit(&headers, "Cache-Control: no-cache\r\n");
    http_reply_begin(x->req, 200, STR("text/event-stream"), buf_str(&headers));
    buf_free(&headers);
    x->committed = true;
}

void exchange_send_out(struct exchange *x)
{
    struct attempt *t = x->lead;
    if (x->asker) { /* a copy of a stream: it is measured, and goes nowhere */
        t->out.n = 0;
        return;
    }
    if (!x->committed)
        commit(x);
    http_reply_write(x->req, buf_str(&t->out));
    x->streamed += (int64_t)t->out.n;
    t->out.n = 0;
    timer_set(&x->tick, world_config(x->world)->keepalive_ms);
}

void exchange_flush_out(struct exchange *x)
{
    struct attempt *t = x->lead;
    if (!x->committed || !x->req)
        return;
    http_reply_flush(x->req);
    if (!t->paused && t->call && http_reply_pending(x->req) > HIGH_WATER_BYTES) {
        t->paused = true;
        http_call_pause(t->call, true);
    }
}

void exchange_drained(void *ctx)
{
    struct exchange *x = ctx;
    struct attempt *t = x->lead;
    if (t->paused && t->call) {
        t->paused = false;
        http_call_pause(t->call, false);
    }
}

void exchange_tick(void *ctx)
{
    struct exchange *x = ctx;
    if (exchange_over(x) || !(x->ask.stream || x->whole_stream) || !x->req)
        return;
    if (!x->committed)
        commit(x);
    http_reply_write(x->req, STR(": waiting\n\n"));
    timer_set(&x->tick, world_config(x->world)->keepalive_ms);
}

void exchange_answer_whole(struct exchange *x)
{
    struct buf headers = { 0 };
    struct http_req *r = x->req;
    if (x->asker) {
        tell_asker(x, NULL);
        return;
    }
    exchange_put_headers(x, &headers);
    x->req = NULL;
    reply_json(r, 200, buf_str(&headers), buf_str(&x->lead->out));
    buf_free(&headers);
}
