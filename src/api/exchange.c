/* One request's life.
 *
 *   ADMITTED -> DECIDED -> WAITING -> SENT -> RELAYING -> SETTLED -> DONE        from any of them: FAILED -> DONE
 *                  ^___________|_______|         (before the first content, the next candidate of the chain)
 *
 * READING is the HTTP server's. exchange_enter() is the only writer of the state, and traces it. Whatever arrives (a lease, bytes, a timer, the
 * caller's leaving) is a function of its own below, and each leaves the exchange in a state where everything else may still happen.
 *
 * Until the answer's first content nothing has gone to the caller but, after 10 s, the status and comments of a stream: till then a failure moves to
 * the next candidate, or is an ordinary HTTP error. After it, a failure is an error event and the end.
 * Settled (counted, later: the row written) before the last bytes leave. */
#include "api/exchange.h"

#include "api/answer.h"
#include "api/ask.h"
#include "api/embed.h"
#include "base/clock.h"
#include "http/sse.h"
#include "policy/body.h"
#include "policy/fields.h"

#include <stdio.h>
#include <stdlib.h>

enum exchange_state { X_ADMITTED, X_DECIDED, X_WAITING, X_SENT, X_RELAYING, X_SETTLED, X_FAILED, X_DONE };
static const char *const state_names[] = { "ADMITTED", "DECIDED", "WAITING", "SENT", "RELAYING", "SETTLED", "FAILED", "DONE" };

enum way { WAY_RELAY, WAY_COLLECT, WAY_WHOLE, WAY_EMBED };

/* What is asked of a place, by task. */
static const struct errand {
    const char *name;                   /* in metrics */
    const char *path;                   /* behind the place's own */
    const char *holds;                  /* the list in a whole answer */
    const char *subject;                /* the field that is meant when a request is too long */
} errands[] = {
    [TASK_CHAT]   = { "chat",        "/chat/completions", "choices", "messages" },
    [TASK_TEXT]   = { "completions", "/completions",      "choices", "prompt" },
    [TASK_EMBED]  = { "embeddings",  "/embeddings",       "data",    "input" },
    [TASK_RERANK] = { "rerank",      "/rerank",           "results", "documents" },
};

enum {
    HIGH_WATER_BYTES = 64 * 1024,       /* not yet taken by the caller: above it the place is not read */
    EVENT_MAX_BYTES = 1024 * 1024,
    SILENT_MAX_BYTES = 1024 * 1024,     /* held back before the first content */
    REFUSAL_MAX_BYTES = 64 * 1024,
    SPARE_MAX = 64,                     /* exchanges kept for reuse */
    EMBED_AT_A_TIME = 32,               /* inputs in one request to a child: a caller that leaves is noticed between two */
    KEEP_BYTES = 16 * 1024,             /* of each of their buffers */
    END_MS = 50,                        /* from [DONE] to the end of the body; then the connection is given up */
};

struct exchange {
    struct api *api;
    struct list node;
    struct later dispose;
    enum exchange_state state;
    struct http_req *req;               /* NULL once answered, or when the caller is gone */
    char id[REQUEST_ID_BYTES];
    int64_t started_ns, waited_ns, sent_ns, first_ns;  /* 0 = has not happened */
    int64_t load_ms;                    /* of the wait: until the model was loaded */

    struct json_doc doc;
    struct ask ask;
    struct decision decision;
    size_t at;                          /* candidate in the chain */
    struct tried tried[ROUTE_MAX_CHAIN];
    size_t ntried;
    struct err last;                    /* why the last of them failed */

    struct lease lease;
    bool leased;                        /* lease is held or waited for */
    struct backend *b;                  /* of the candidate */
    struct http_call *call;
    struct buf upstream;                /* what goes to the place, or the spliced-in parts of it */
    struct str pieces[BODY_MAX_PIECES];
    size_t npieces;
    struct buf dropped;                 /* names of fields an engine did not get */

    enum way way;
    int status;                         /* the place's */
    bool answered;                      /* its head has come */
    struct sse *sse;
    struct relay relay;
    struct collect *collect;
    struct embeddings *embeddings;
    size_t embedded;                    /* inputs done */
    struct buf in;                      /* a refusal's body, or a whole answer */
    struct buf out;                     /* on its way to the caller */
    struct str retry_after;
    char retry_after_text[16];
    struct err broke;                   /* an error found while reading events */
    bool committed;                     /* the status line has gone to the caller */
    bool paused;

    struct timer deadline;              /* of the queue, then of the whole */
    struct timer tick;                  /* signs of life for a waiting stream */
};

static void next_candidate(struct exchange *x);
static void fail(struct exchange *x, const struct err *e);

static void exchange_enter(struct exchange *x, enum exchange_state to)
{
    log_trace("%s %s -> %s at %lld us", x->id, state_names[x->state], state_names[to],
        (long long)((clock_mono_ns() - x->started_ns) / 1000));
    x->state = to;
}

static bool over(const struct exchange *x)
{
    return x->state == X_SETTLED || x->state == X_FAILED || x->state == X_DONE;
}

static const struct answer_facts *facts(const struct exchange *x)
{
    return x->way == WAY_COLLECT && x->collect ? collect_facts(x->collect) : &x->relay.facts;
}

/* ---- what the answer says of its way ---- */

static void put_count(struct json_out *o, struct str key, int64_t n)
{
    json_key(o, key);
    if (n < 0)
        json_null(o);
    else
        json_int(o, n);
}

static double ms_between(int64_t from_ns, int64_t to_ns)
{
    return from_ns && to_ns > from_ns ? (double)(to_ns - from_ns) / 1e6 : 0;
}

static void put_text_or_null(struct json_out *o, struct str key, struct str v)
{
    json_key(o, key);
    if (v.n)
        json_string(o, v);
    else
        json_null(o);
}

static void put_tokens(struct json_out *o, const struct answer_facts *f)
{
    json_key(o, STR("tokens"));
    json_begin_object(o);
    put_count(o, STR("input"), f->tokens.input);
    put_count(o, STR("output"), f->tokens.output);
    put_count(o, STR("reasoning"), f->tokens.reasoning >= 0 ? f->tokens.reasoning : f->thoughts ? -1 : 0);
    put_count(o, STR("cached"), f->tokens.cached);
    json_end_object(o);
}

/* "heavy->primary" where both came by a tier, else the models. */
static void put_fallback(struct buf *to, const struct exchange *x)
{
    const struct candidate *first = &x->decision.chain[0], *now = &x->decision.chain[x->at];
    bool tiers = first->tier.n && now->tier.n;
    buf_printf(to, "%.*s->%.*s", STR_ARG(tiers ? first->tier : x->tried[0].model), STR_ARG(tiers ? now->tier : x->b->model->name));
}

static void put_chain(struct json_out *o, const struct exchange *x)
{
    json_key(o, STR("fallback_chain"));
    json_begin_array(o);
    for (size_t i = 0; i < x->ntried; i++) {
        json_begin_object(o);
        json_key(o, STR("model"));
        json_string(o, x->tried[i].model);
        json_key(o, STR("host"));
        json_string(o, x->tried[i].host);
        json_key(o, STR("error"));
        json_string(o, str_of(err_row(x->tried[i].code)->code));
        json_end_object(o);
    }
    json_end_array(o);
    json_key(o, STR("fallback"));
    if (!x->ntried) {
        json_null(o);
        return;
    }
    struct buf way = { 0 };
    put_fallback(&way, x);
    json_string(o, buf_str(&way));
    buf_free(&way);
}

static void put_routing(struct exchange *x, struct buf *to)
{
    int64_t now = clock_mono_ns();
    double queued = ms_between(x->waited_ns, x->sent_ns) - (double)x->load_ms;
    struct json_out o = json_out(to);
    json_begin_object(&o);
    put_text_or_null(&o, STR("role"), x->decision.role);
    put_text_or_null(&o, STR("tier"), x->decision.chain[x->at].tier);
    json_key(&o, STR("model"));
    json_string(&o, x->b->model->name);
    json_key(&o, STR("host"));
    json_string(&o, x->b->host);
    json_key(&o, STR("reason"));
    json_string(&o, x->decision.chain[x->at].reason);
    json_key(&o, STR("latency_ms"));
    json_double(&o, ms_between(x->started_ns, now), 1);
    json_key(&o, STR("queue_ms"));
    json_double(&o, queued > 0 ? queued : 0, 1);
    json_key(&o, STR("load_ms"));
    json_int(&o, x->load_ms);
    json_key(&o, STR("ttft_ms"));
    if (x->first_ns)
        json_double(&o, ms_between(x->started_ns, x->first_ns), 1);
    else
        json_null(&o);
    put_tokens(&o, facts(x));
    put_chain(&o, x);
    json_key(&o, STR("policy"));
    json_raw(&o, STR("{\"thinking\":null,\"context\":null,\"schema\":null}")); /* null: none applies */
    json_end_object(&o);
}

static void put_header(struct buf *to, const char *name, struct str value)
{
    if (!value.n)
        return;
    buf_add(to, str_of(name));
    buf_lit(to, ": ");
    buf_add(to, value);
    buf_lit(to, "\r\n");
}

/* Nobody else will answer any more. A head that has to leave before that (the signs of life of a stream) must not name who may yet fail. */
static bool place_is_final(const struct exchange *x)
{
    return facts(x)->began || x->at + 1 == x->decision.n;
}

static void put_headers(struct exchange *x, struct buf *to)
{
    put_header(to, "x-request-id", str_of(x->id));
    put_header(to, "x-hob-role", x->decision.role);
    if (!place_is_final(x))
        return;
    put_header(to, "x-hob-tier", x->decision.chain[x->at].tier);
    put_header(to, "x-hob-model", x->b->model->name);
    put_header(to, "x-hob-host", x->b->host);
    if (x->ntried) {
        buf_lit(to, "x-hob-fallback: ");
        put_fallback(to, x);
        buf_lit(to, "\r\n");
    }
    put_header(to, "x-hob-dropped", buf_str(&x->dropped));
}

/* ---- the end ---- */

static void dispose(void *ctx);

static void settle(struct exchange *x, const struct err *e)
{
    int64_t now = clock_mono_ns();
    const struct answer_facts *f = facts(x);
    struct request_figures figures = {
        .endpoint = str_of(errands[x->ask.task].name),
        .model = x->b ? x->b->model->name : STR(""),
        .host = x->b ? x->b->host : STR(""),
        .code = str_of(err_row(e ? e->code : ERR_OK)->code),
        .seconds = (double)(now - x->started_ns) / 1e9,
        .ttft_seconds = x->first_ns ? (double)(x->first_ns - x->started_ns) / 1e9 : -1,
        .input_tokens = f->tokens.input,
        .output_tokens = f->tokens.output,
    };
    metrics_request(x->api->metrics, &figures);
    if (!e && x->ntried)
        metrics_fallback(x->api->metrics, x->tried[0].model, x->b->model->name);
    log_debug("%s %.*s -> %.*s on %.*s: %s, %.1f ms%s%s", x->id, STR_ARG(x->ask.name), STR_ARG(figures.model), STR_ARG(figures.host),
        e ? err_row(e->code)->code : "ok", (double)(now - x->started_ns) / 1e6, e ? ": " : "", e ? e->text : "");
}

/* Lets go of the place: no byte comes from it any more, and its slot is free. */
static void release_place(struct exchange *x)
{
    http_call_cancel(x->call);
    x->call = NULL;
    if (x->leased)
        lease_drop(&x->lease);
    x->leased = false;
}

static void finish(struct exchange *x)
{
    exchange_enter(x, X_DONE);
    release_place(x);
    timer_cancel(&x->deadline);
    timer_cancel(&x->tick);
    if (x->sse)
        sse_stop(x->sse); /* we may be inside of it */
    loop_later(x->api->loop, &x->dispose);
}

static void answer_error_now(struct exchange *x, const struct err *e)
{
    struct http_req *r = x->req;
    x->req = NULL;
    if (!x->committed) {
        struct buf headers = { 0 };
        put_header(&headers, "x-hob-dropped", buf_str(&x->dropped));
        reply_error(r, e, str_of(x->id), buf_str(&headers), x->tried, x->ntried);
        buf_free(&headers);
        return;
    }
    struct buf event = { 0 };
    buf_lit(&event, "data: ");
    reply_error_json(&event, e, str_of(x->id), x->tried, x->ntried);
    buf_lit(&event, "\n\n");
    http_reply_write(r, buf_str(&event));
    http_reply_end(r);
    buf_free(&event);
}

static void fail(struct exchange *x, const struct err *e)
{
    struct err why = *e; /* it may lie in what is let go of now */
    exchange_enter(x, X_FAILED);
    release_place(x);
    settle(x, &why);
    if (x->req)
        answer_error_now(x, &why);
    finish(x);
}

/* A part of the answer has gone to the caller. */
static bool has_left(const struct exchange *x)
{
    return x->way == WAY_RELAY && facts(x)->began;
}

/* This candidate will not do. While nothing of an answer has left the next one is asked, if the kind of error allows it. */
static void candidate_failed(struct exchange *x, const struct err *e)
{
    struct err why = *e;
    bool next = err_row(why.code)->failover && !has_left(x) && x->at + 1 < x->decision.n;
    release_place(x);
    x->tried[x->ntried++] = (struct tried){ x->b->model->name, x->b->host, why.code };
    x->last = why;
    if (!next) {
        fail(x, &why);
        return;
    }
    log_info("%s: %.*s failed, trying the next: %s", x->id, STR_ARG(x->b->model->name), why.text);
    x->at++;
    next_candidate(x);
}

/* As candidate_failed(), for what went wrong on the way: the sentence begins with who it was. */
static void place_failed(struct exchange *x, const struct err *e)
{
    struct err named = *e;
    snprintf(named.text, sizeof named.text, "'%.*s' on '%.*s': %.200s", STR_ARG(x->b->model->name), STR_ARG(x->b->host), e->text);
    candidate_failed(x, &named);
}

/* ---- to the caller ---- */

static void commit(struct exchange *x)
{
    struct buf headers = { 0 };
    put_headers(x, &headers);
    buf_lit(&headers, "Cache-Control: no-cache\r\n");
    http_reply_begin(x->req, 200, STR("text/event-stream"), buf_str(&headers));
    buf_free(&headers);
    x->committed = true;
}

static void send_out(struct exchange *x)
{
    if (!x->committed)
        commit(x);
    http_reply_write(x->req, buf_str(&x->out));
    x->out.n = 0;
    timer_set(&x->tick, x->api->config->keepalive_ms);
    if (!x->paused && x->call && http_reply_pending(x->req) > HIGH_WATER_BYTES) {
        x->paused = true;
        http_call_pause(x->call, true);
    }
}

static void on_drain(void *ctx)
{
    struct exchange *x = ctx;
    if (x->paused && x->call) {
        x->paused = false;
        http_call_pause(x->call, false);
    }
}

static void on_tick(void *ctx)
{
    struct exchange *x = ctx;
    if (over(x) || !x->ask.stream || !x->req)
        return;
    if (!x->committed)
        commit(x);
    http_reply_write(x->req, STR(": waiting\n\n"));
    timer_set(&x->tick, x->api->config->keepalive_ms);
}

static void on_gone(void *ctx)
{
    struct exchange *x = ctx;
    struct err e;
    x->req = NULL;
    err_set(&e, ERR_CALLER_GONE, "The caller left.");
    exchange_enter(x, X_FAILED);
    release_place(x);
    settle(x, &e);
    finish(x);
}

static const struct http_req_ops req_ops = { on_gone, on_drain };

static void answer_whole(struct exchange *x)
{
    struct buf headers = { 0 };
    struct http_req *r = x->req;
    put_headers(x, &headers);
    x->req = NULL;
    reply_json(r, 200, buf_str(&headers), buf_str(&x->out));
    buf_free(&headers);
}

static void send_request(struct exchange *x);

/* The answer is ready in x->out: the books are closed, then the caller gets it. */
static void deliver(struct exchange *x)
{
    exchange_enter(x, X_SETTLED);
    settle(x, NULL);
    if (x->way == WAY_RELAY) {
        send_out(x);
        http_reply_end(x->req);
        x->req = NULL;
    } else {
        answer_whole(x);
    }
    finish(x);
}

static void routing_of(struct exchange *x, struct buf *to)
{
    if (x->api->config->routing_metadata)
        put_routing(x, to);
}

static enum err_code end_events(struct exchange *x, struct err *e)
{
    struct buf routing = { 0 };
    routing_of(x, &routing);
    enum err_code rc = x->way == WAY_RELAY ? relay_end(&x->relay, buf_str(&routing), &x->out, e) : collect_end(x->collect, buf_str(&routing), &x->out, e);
    buf_free(&routing);
    return rc;
}

static enum err_code take_embeddings(struct exchange *x, yyjson_val *root, size_t count, struct err *e)
{
    struct embeddings_wish w = {
        .base64 = str_eq(json_str(yyjson_obj_get(x->doc.root, "encoding_format")), STR("base64")),
        .dimensions = field_int(x->doc.root, "dimensions"), /* nothing is left to do where it was heeded */
        .model = x->b->model->name,
    };
    if (!x->embeddings)
        x->embeddings = embeddings_new(&w);
    x->embedded += count;
    return embeddings_take(x->embeddings, root, count, e);
}

static void write_embeddings(struct exchange *x)
{
    struct buf routing = { 0 };
    routing_of(x, &routing);
    embeddings_write(x->embeddings, &facts(x)->tokens, buf_str(&routing), &x->out);
    buf_free(&routing);
}

/* One part of an embedding request is answered. True when it was the last. */
static enum err_code end_part(struct exchange *x, const struct json_doc *d, int64_t tokens_before, struct err *e)
{
    size_t all = body_inputs(&x->doc), left = all - x->embedded;
    struct tokens *t = &x->relay.facts.tokens;
    enum err_code rc = take_embeddings(x, d->root, left < EMBED_AT_A_TIME ? left : EMBED_AT_A_TIME, e);
    t->input = tokens_before >= 0 && t->input >= 0 ? t->input + tokens_before : -1;
    if (!rc && x->embedded == all)
        write_embeddings(x);
    return rc;
}

/* Embeddings are read even when they then leave as they came: what is not one for each input, in order, is no answer. */
static enum err_code end_whole(struct exchange *x, const struct json_doc *d, struct err *e)
{
    if (x->ask.task == TASK_EMBED && take_embeddings(x, d->root, body_inputs(&x->doc), e))
        return e->code;
    if (x->embeddings && embeddings_differ(x->embeddings, d->root)) {
        write_embeddings(x);
        return ERR_OK;
    }
    struct buf routing = { 0 };
    routing_of(x, &routing);
    whole_write(d, &x->relay.frame, buf_str(&routing), &x->out);
    buf_free(&routing);
    return ERR_OK;
}

static enum err_code end_object(struct exchange *x, struct err *e)
{
    struct json_doc d;
    int64_t tokens_before = x->embedded ? x->relay.facts.tokens.input : 0;
    enum err_code rc = whole_read(buf_str(&x->in), errands[x->ask.task].holds, &x->api->scratch, &d, &x->relay.facts, e);
    if (rc)
        return rc;
    if (!x->first_ns)
        x->first_ns = clock_mono_ns();
    rc = x->way == WAY_EMBED ? end_part(x, &d, tokens_before, e) : end_whole(x, &d, e);
    json_free(&d);
    return rc;
}

static bool wants_events(const struct exchange *x)
{
    return x->way == WAY_RELAY || x->way == WAY_COLLECT;
}

/* The place has said all it will. */
static void complete(struct exchange *x)
{
    struct err e;
    if (wants_events(x) ? end_events(x, &e) : end_object(x, &e)) {
        place_failed(x, &e);
        return;
    }
    if (x->way == WAY_EMBED && x->embedded < body_inputs(&x->doc))
        send_request(x); /* the next part, under the same lease */
    else
        deliver(x);
}

/* ---- from the place ---- */

static void on_event(void *ctx, struct str event, struct str data)
{
    struct exchange *x = ctx;
    (void)event;
    if (over(x) || x->broke.code)
        return;
    enum err_code rc = x->way == WAY_RELAY ? relay_event(&x->relay, data, &x->out, &x->broke) : collect_event(x->collect, data, &x->broke);
    if (rc) {
        sse_stop(x->sse);
        return;
    }
    if (!x->first_ns && facts(x)->began)
        x->first_ns = clock_mono_ns();
}

static void on_answer_head(void *ctx, const struct http_answer *a)
{
    struct exchange *x = ctx;
    x->answered = true;
    x->status = a->status;
    struct str wait = http_header(&a->headers, STR("retry-after"));
    snprintf(x->retry_after_text, sizeof x->retry_after_text, "%.*s", STR_ARG(wait));
    x->retry_after = str_of(x->retry_after_text);
    if (a->status != 200)
        return;
    bool events = str_eq_nocase(a->content_type, STR("text/event-stream"));
    struct err e;
    exchange_enter(x, X_RELAYING);
    if (events != wants_events(x)) {
        err_set(&e, ERR_UP_GARBLED, "it answered with '%.*s' where %s was asked for", (int)(a->content_type.n < 60 ? a->content_type.n : 60),
            a->content_type.n ? a->content_type.p : "", events ? "one JSON object" : "a stream of events");
        place_failed(x, &e);
    }
}

static void feed_events(struct exchange *x, struct str bytes)
{
    struct err e;
    if (facts(x)->done)
        return; /* only the end of the body is waited for, and not for long */
    enum err_code rc = sse_feed(x->sse, bytes, &e);
    if (over(x))
        return;
    if (x->broke.code) {
        rc = x->broke.code;
        e = x->broke;
    }
    if (!rc && x->out.n > SILENT_MAX_BYTES && !facts(x)->began)
        rc = err_set(&e, ERR_UP_GARBLED, "it sent %zu bytes of events without a word of an answer", x->out.n);
    if (x->out.n && has_left(x))
        send_out(x);
    if (rc)
        place_failed(x, &e);
    else if (facts(x)->done) /* its connection can be kept once the body ends too, which is now or never */
        timer_set(&x->deadline, END_MS);
}

static void refused(struct exchange *x)
{
    struct err e;
    x->b->kind->read_refusal(x->b, x->status, x->retry_after, buf_str(&x->in), &e);
    if (e.code == ERR_CONTEXT)
        err_param(&e, "%s", errands[x->ask.task].subject);
    candidate_failed(x, &e);
}

static void on_answer_body(void *ctx, struct str bytes)
{
    struct exchange *x = ctx;
    struct err e;
    if (x->status == 200 && wants_events(x)) {
        feed_events(x, bytes);
        return;
    }
    size_t room = x->status == 200 ? (size_t)x->b->model->answer_bytes : REFUSAL_MAX_BYTES;
    if (x->in.n + bytes.n <= room) {
        buf_add(&x->in, bytes);
    } else if (x->status != 200) {
        refused(x); /* however much it still has to say about it */
    } else {
        err_set(&e, ERR_UP_GARBLED, "its answer is longer than %zu bytes (`limits: {answer: …}`)", room);
        place_failed(x, &e);
    }
}

static void on_answer_done(void *ctx, enum err_code rc, const struct err *e)
{
    struct exchange *x = ctx;
    x->call = NULL;
    if (over(x))
        return;
    if (rc && wants_events(x) && facts(x)->finish[0]) /* the answer itself is whole */
        rc = ERR_OK;
    if (rc)
        place_failed(x, e);
    else if (x->status != 200)
        refused(x);
    else
        complete(x);
}

static const struct http_call_ops call_ops = { on_answer_head, on_answer_body, on_answer_done };

/* ---- to the place ---- */

static enum way pick_way(const struct exchange *x)
{
    bool generates = x->ask.task == TASK_CHAT || x->ask.task == TASK_TEXT, managed = x->b->kind->managed;
    if (generates && x->ask.stream)
        return WAY_RELAY;
    if (generates && managed)
        return WAY_COLLECT;
    return x->ask.task == TASK_EMBED && managed ? WAY_EMBED : WAY_WHOLE;
}

static void start_answer(struct exchange *x)
{
    struct answer_frame f = {
        .model = x->b->model->name,
        .id = str_of(x->id),
        .created_s = clock_wall_ms() / 1000,
        .include_usage = x->ask.include_usage,
        .max_bytes = (size_t)x->b->model->answer_bytes,
        .text = x->ask.task == TASK_TEXT,
    };
    x->way = pick_way(x);
    x->answered = false;
    x->status = 0;
    x->broke.code = ERR_OK;
    x->paused = false;
    x->in.n = x->out.n = 0;
    int64_t tokens = x->relay.facts.tokens.input;
    relay_free(&x->relay);
    relay_init(&x->relay, &f, &x->api->scratch);
    if (x->embedded)
        x->relay.facts.tokens.input = tokens; /* of the parts before */
    else
        x->first_ns = 0;
    collect_free(x->collect);
    x->collect = x->way == WAY_COLLECT ? collect_new(&f, &x->api->scratch) : NULL;
    sse_free(x->sse);
    x->sse = wants_events(x) ? sse_new(EVENT_MAX_BYTES, on_event, x) : NULL;
}

static enum err_code make_body(struct exchange *x, struct err *e)
{
    struct body_wish w = { .task = x->ask.task, .model = x->b->upstream, .from = x->embedded, .count = EMBED_AT_A_TIME };
    x->upstream.n = x->dropped.n = 0;
    if (!x->b->kind->managed) {
        x->npieces = body_splice(&x->doc, &w, x->ask.stream, &x->upstream, x->pieces);
        return ERR_OK;
    }
    w.max_tokens = x->b->model->max_tokens ? x->b->model->max_tokens : x->b->context;
    enum err_code rc = body_rebuild(&x->doc, &w, &x->upstream, &x->dropped, e);
    x->pieces[0] = buf_str(&x->upstream);
    x->npieces = 1;
    return rc;
}

static void on_deadline(void *ctx)
{
    struct exchange *x = ctx;
    struct err e;
    if (over(x))
        return;
    if (x->state == X_RELAYING && facts(x)->done) {
        complete(x);
        return;
    }
    if (x->state == X_WAITING) {
        err_set(&e, ERR_QUEUE_TIMEOUT, "'%.*s' did not get free in time.", STR_ARG(x->b->model->name));
        err_hint(&e, "Try again later, or raise `queue: {deadline: …}`.");
        e.retry_after_s = 5;
        candidate_failed(x, &e);
        return;
    }
    err_set(&e, ERR_UP_TIMEOUT, "its answer took longer than the %lld s it may take (`timeouts: {total: …}`)",
        (long long)(x->b->timeouts.total_ms / 1000));
    x->at = x->decision.n; /* the time is up for all of them */
    place_failed(x, &e);
}

static void send_request(struct exchange *x)
{
    struct err e;
    if (make_body(x, &e)) {
        candidate_failed(x, &e);
        return;
    }
    start_answer(x);
    exchange_enter(x, X_SENT);
    if (!x->embedded) { /* else it is a further part of one request */
        x->sent_ns = clock_mono_ns();
        if (x->b->timeouts.total_ms)
            timer_set(&x->deadline, x->b->timeouts.total_ms);
        else
            timer_cancel(&x->deadline); /* the queue's */
    }
    char path[560]; /* of a host's at most 480 bytes, and the errand's */
    int n = snprintf(path, sizeof path, "%.*s%s", STR_ARG(buf_str(&x->b->path)), errands[x->ask.task].path);
    struct http_request q = {
        .method = STR("POST"),
        .path = str_make(path, (size_t)n < sizeof path ? (size_t)n : sizeof path - 1),
        .headers = buf_str(&x->b->headers),
        .body = x->pieces,
        .pieces = x->npieces,
        .first_byte_ms = x->b->timeouts.first_byte_ms,
        .idle_ms = x->b->timeouts.idle_ms,
    };
    x->call = http_call_start(x->b->pool, &q, &call_ops, x);
}

/* ---- waiting for a place ---- */

static void on_lease(void *ctx, const struct err *e)
{
    struct exchange *x = ctx;
    if (e) {
        x->leased = false;
        candidate_failed(x, e);
        return;
    }
    int64_t hot_for_ms = loop_now_ms(x->api->loop) - x->b->since_ms, waited_ms = (clock_mono_ns() - x->waited_ns) / 1000000;
    x->load_ms = waited_ms > hot_for_ms ? waited_ms - hot_for_ms : 0;
    send_request(x);
}

/* A background role uses what is in memory. What is loading already will be. */
static bool may_load(const struct exchange *x, struct err *e)
{
    if (!x->decision.background || x->b->state == BACKEND_HOT || x->b->state == BACKEND_LOADING)
        return true;
    err_set(e, ERR_NOT_RESIDENT, "'%.*s' is not in memory, and a background request loads nothing.", STR_ARG(x->b->model->name));
    err_hint(e, "Ask again while it is loaded, or give it `keep: hot`.");
    e->retry_after_s = 30;
    return false;
}

static void next_candidate(struct exchange *x)
{
    struct api *a = x->api;
    struct err e;
    size_t model = x->decision.chain[x->at].model;
    x->b = fleet_backend(a->fleet, model);
    lease_init(&x->lease, on_lease, x);
    x->waited_ns = clock_mono_ns();
    x->load_ms = 0;
    embeddings_free(x->embeddings); /* what another place has given does not go with this one's */
    x->embeddings = NULL;
    x->embedded = 0;
    if (!may_load(x, &e) || fleet_lease(a->fleet, model, &x->lease, &e)) {
        candidate_failed(x, &e); /* recursion: at most the chain's length deep */
        return;
    }
    x->leased = true;
    if (x->lease.state == LEASE_HELD) {
        send_request(x);
        return;
    }
    exchange_enter(x, X_WAITING);
    timer_set(&x->deadline, a->config->queue_deadline_ms);
}

/* ---- birth and death ---- */

static struct exchange *exchange_new(struct api *a)
{
    struct exchange *x;
    if (a->nspare) {
        x = list_entry(a->spare.next, struct exchange, node);
        list_remove(&x->node);
        a->nspare--;
    } else {
        x = calloc(1, sizeof *x);
        if (!x)
            die("out of memory for a request");
        list_init(&x->node);
        x->api = a;
        later_init(&x->dispose, dispose, x);
        timer_init(&x->deadline, a->loop, on_deadline, x);
        timer_init(&x->tick, a->loop, on_tick, x);
    }
    list_push(&a->exchanges, &x->node);
    a->running++;
    return x;
}

static void exchange_clear(struct exchange *x)
{
    json_free(&x->doc);
    relay_free(&x->relay);
    collect_free(x->collect);
    embeddings_free(x->embeddings);
    sse_free(x->sse);
    x->collect = NULL;
    x->embeddings = NULL;
    x->embedded = 0;
    x->sse = NULL;
    x->b = NULL;
    x->state = X_ADMITTED;
    x->ntried = x->at = 0;
    x->committed = x->leased = x->paused = false;
    x->waited_ns = x->sent_ns = x->first_ns = 0;
    x->ask = (struct ask){ .stream = false };
    x->decision = (struct decision){ .n = 0 };
    relay_init(&x->relay, &(struct answer_frame){ .created_s = 0 }, &x->api->scratch);
    struct buf *all[] = { &x->upstream, &x->dropped, &x->in, &x->out };
    for (size_t i = 0; i < COUNTOF(all); i++)
        buf_reset(all[i], KEEP_BYTES);
}

static void exchange_free(struct exchange *x)
{
    struct buf *all[] = { &x->upstream, &x->dropped, &x->in, &x->out };
    for (size_t i = 0; i < COUNTOF(all); i++)
        buf_free(all[i]);
    timer_cancel(&x->deadline);
    timer_cancel(&x->tick);
    free(x);
}

/* At the end of the turn in which it was done: nobody is inside of it any more. */
static void dispose(void *ctx)
{
    struct exchange *x = ctx;
    struct api *a = x->api;
    list_remove(&x->node);
    a->running--;
    exchange_clear(x);
    if (a->nspare < SPARE_MAX) {
        list_push_front(&a->spare, &x->node);
        a->nspare++;
    } else {
        exchange_free(x);
    }
    if (a->draining && !a->running)
        loop_later(a->loop, &a->drained);
}

void exchange_start(struct api *a, struct http_req *r, enum task task)
{
    struct exchange *x = exchange_new(a);
    struct err e;
    x->req = r;
    x->started_ns = http_req_started_ns(r);
    x->ask.task = task;
    reply_make_id(x->id);
    http_req_watch(r, &req_ops, x);
    facts_init(&x->relay.facts);
    enum err_code rc = a->draining ? err_set(&e, ERR_SHUTTING_DOWN, "The gateway is shutting down.") : ERR_OK;
    if (!rc)
        rc = ask_read(http_req_body(r), task, &x->doc, &x->ask, &e);
    if (!rc)
        rc = route_decide(a->config, &x->ask, &x->decision, &e);
    if (rc) {
        fail(x, &e);
        return;
    }
    exchange_enter(x, X_DECIDED);
    if (x->ask.stream)
        timer_set(&x->tick, a->config->keepalive_ms);
    next_candidate(x);
}

/* ---- the api as a whole ---- */

static void drained(void *ctx)
{
    struct api *a = ctx;
    if (a->on_drained && !a->running)
        a->on_drained(a->drained_ctx);
}

struct api *api_new(struct loop *l, const struct config *c, struct fleet *f, struct meter *m)
{
    struct api *a = calloc(1, sizeof *a);
    if (!a)
        die("out of memory for the api");
    a->loop = l;
    a->config = c;
    a->fleet = f;
    a->meter = m;
    list_init(&a->exchanges);
    list_init(&a->spare);
    later_init(&a->drained, drained, a);
    a->metrics = metrics_new(a);
    return a;
}

void api_free(struct api *a)
{
    if (!a)
        return;
    while (!list_empty(&a->spare)) {
        struct exchange *x = list_entry(a->spare.next, struct exchange, node);
        list_remove(&x->node);
        exchange_free(x);
    }
    later_cancel(&a->drained);
    json_scratch_free(&a->scratch);
    metrics_free(a->metrics);
    free(a);
}

void api_use_server(struct api *a, const struct http_server *s)
{
    a->server = s;
}

size_t api_running(const struct api *a)
{
    return a->running;
}

void api_drain(struct api *a, void (*done)(void *ctx), void *ctx)
{
    a->draining = true;
    a->on_drained = done;
    a->drained_ctx = ctx;
    if (!a->running)
        loop_later(a->loop, &a->drained);
}
