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
#include "api/ask.h"
#include "api/caller.h"
#include "api/exchange_int.h"
#include "api/talk.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const state_names[] = { "ADMITTED", "DECIDED", "WAITING", "SENT", "RELAYING", "SETTLED", "FAILED", "DONE" };

const struct errand exchange_errands[] = {
    [TASK_CHAT]   = { "chat",        "/chat/completions", "choices", "messages" },
    [TASK_TEXT]   = { "completions", "/completions",      "choices", "prompt" },
    [TASK_EMBED]  = { "embeddings",  "/embeddings",       "data",    "input" },
    [TASK_RERANK] = { "rerank",      "/rerank",           "results", "documents" },
};

enum {
    HIGH_WATER_BYTES = 64 * 1024,       /* not yet taken by the caller: above it the place is not read */
    SILENT_MAX_BYTES = 1024 * 1024,     /* held back before the first content */
    REFUSAL_MAX_BYTES = 64 * 1024,
    SPARE_MAX = 64,                     /* exchanges kept for reuse */
    KEEP_BYTES = 16 * 1024,             /* of each of their buffers */
    END_MS = 50,                        /* from [DONE] to the end of the body; then the connection is given up */
};

static void next_candidate(struct exchange *x);
static void fail(struct exchange *x, const struct err *e);

static void exchange_enter(struct exchange *x, enum exchange_state to)
{
    log_trace("%s %s -> %s at %lld us", x->id, state_names[x->state], state_names[to],
        (long long)((clock_mono_ns() - x->started_ns) / 1000));
    x->state = to;
}

/* ---- the end ---- */

static void dispose(void *ctx);

static void settle(struct exchange *x, const struct err *e)
{
    int64_t now = clock_mono_ns();
    const struct answer_facts *f = exchange_facts(x);
    struct request_figures figures = {
        .endpoint = str_of(exchange_errands[x->ask.task].name),
        .model = x->b ? x->b->name : STR(""),
        .host = x->b ? x->b->host : STR(""),
        .code = str_of(err_row(e ? e->code : ERR_OK)->code),
        .seconds = (double)(now - x->started_ns) / 1e9,
        .ttft_seconds = x->first_ns ? (double)(x->first_ns - x->started_ns) / 1e9 : -1,
        .input_tokens = f->tokens.input,
        .output_tokens = f->tokens.output,
    };
    metrics_request(x->api->metrics, &figures);
    if (!e && x->ntried)
        metrics_fallback(x->api->metrics, x->tried[0].model, x->b->name);
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
        exchange_put_dropped(x, &headers);
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
    return x->way == WAY_RELAY && exchange_facts(x)->began;
}

/* This candidate will not do. While nothing of an answer has left the next one is asked, if the kind of error allows it. */
static void candidate_failed(struct exchange *x, const struct err *e)
{
    struct err why = *e;
    bool next = err_row(why.code)->failover && !has_left(x) && x->at + 1 < x->decision.n;
    release_place(x);
    x->tried[x->ntried++] = (struct tried){ x->b->name, x->b->host, why.code };
    if (!next) {
        fail(x, &why);
        return;
    }
    log_info("%s: %.*s failed, trying the next: %s", x->id, STR_ARG(x->b->name), why.text);
    x->at++;
    next_candidate(x);
}

/* As candidate_failed(), for what went wrong on the way: the sentence begins with who it was. */
static void place_failed(struct exchange *x, const struct err *e)
{
    struct err named = *e;
    snprintf(named.text, sizeof named.text, "'%.*s' on '%.*s': %.200s", STR_ARG(x->b->name), STR_ARG(x->b->host), e->text);
    candidate_failed(x, &named);
}

/* ---- to the caller ---- */

static void commit(struct exchange *x)
{
    struct buf headers = { 0 };
    exchange_put_headers(x, &headers);
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
    timer_set(&x->tick, world_config(x->world)->keepalive_ms);
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
    if (exchange_over(x) || !x->ask.stream || !x->req)
        return;
    if (!x->committed)
        commit(x);
    http_reply_write(x->req, STR(": waiting\n\n"));
    timer_set(&x->tick, world_config(x->world)->keepalive_ms);
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
    exchange_put_headers(x, &headers);
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
    lease_outcome(&x->lease, NULL, exchange_facts(x)->tokens.input);
    if (x->way == WAY_RELAY) {
        send_out(x);
        http_reply_end(x->req);
        x->req = NULL;
    } else {
        answer_whole(x);
    }
    finish(x);
}

/* The place has said all it will. */
static void complete(struct exchange *x)
{
    struct err e;
    if (exchange_end_answer(x, &e)) {
        place_failed(x, &e);
        return;
    }
    x->b->drafted += exchange_facts(x)->drafted;
    x->b->accepted += exchange_facts(x)->accepted;
    if (x->way == WAY_EMBED && x->embedded < body_inputs(&x->doc))
        send_request(x); /* the next part, under the same lease */
    else
        deliver(x);
}

/* ---- from the place ---- */

static void on_answer_head(void *ctx, const struct http_answer *a)
{
    struct exchange *x = ctx;
    x->status = a->status;
    struct str wait = http_header(&a->headers, STR("retry-after"));
    snprintf(x->retry_after_text, sizeof x->retry_after_text, "%.*s", STR_ARG(wait));
    x->retry_after = str_of(x->retry_after_text);
    if (a->status != 200)
        return;
    bool events = str_eq_nocase(a->content_type, STR("text/event-stream"));
    struct err e;
    exchange_enter(x, X_RELAYING);
    if (events != exchange_wants_events(x)) {
        err_set(&e, ERR_UP_GARBLED, "it answered with '%.*s' where %s was asked for", (int)(a->content_type.n < 60 ? a->content_type.n : 60),
            a->content_type.n ? a->content_type.p : "", events ? "one JSON object" : "a stream of events");
        place_failed(x, &e);
    }
}

static void feed_events(struct exchange *x, struct str bytes)
{
    struct err e;
    if (exchange_facts(x)->done)
        return; /* only the end of the body is waited for, and not for long */
    enum err_code rc = sse_feed(x->sse, bytes, &e);
    if (exchange_over(x))
        return;
    if (x->broke.code) {
        rc = x->broke.code;
        e = x->broke;
    }
    if (!rc && x->out.n > SILENT_MAX_BYTES && !exchange_facts(x)->began)
        rc = err_set(&e, ERR_UP_GARBLED, "it sent %zu bytes of events without a word of an answer", x->out.n);
    if (x->out.n && has_left(x))
        send_out(x);
    if (rc)
        place_failed(x, &e);
    else if (exchange_facts(x)->done) /* its connection can be kept once the body ends too, which is now or never */
        timer_set(&x->deadline, END_MS);
}

static void refused(struct exchange *x)
{
    struct err e;
    x->b->kind->read_refusal(x->b, x->status, x->retry_after, buf_str(&x->in), &e);
    if (e.code == ERR_CONTEXT)
        err_param(&e, "%s", exchange_errands[x->ask.task].subject);
    candidate_failed(x, &e);
}

static void on_answer_body(void *ctx, struct str bytes)
{
    struct exchange *x = ctx;
    struct err e;
    if (x->status == 200 && exchange_wants_events(x)) {
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
    if (exchange_over(x))
        return;
    if (rc && exchange_wants_events(x) && exchange_facts(x)->finish[0]) /* the answer itself is whole */
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

static struct body_wish wish_of(const struct exchange *x)
{
    const struct conf_model *m = x->b->model;
    return (struct body_wish){
        .task = x->ask.task, .model = x->b->upstream, .from = x->embedded, .count = EMBED_AT_A_TIME, .loras = m->loras, .nloras = m->nloras };
}

static enum err_code make_body(struct exchange *x, struct err *e)
{
    struct body_wish w = wish_of(x);
    x->upstream.n = x->dropped.n = 0;
    if (!x->b->kind->rebuilt) {
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
    if (exchange_over(x))
        return;
    if (x->state == X_RELAYING && exchange_facts(x)->done) {
        complete(x);
        return;
    }
    if (x->state == X_WAITING) {
        err_set(&e, ERR_QUEUE_TIMEOUT, "'%.*s' did not get free in time.", STR_ARG(x->b->name));
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
    exchange_begin_answer(x);
    exchange_enter(x, X_SENT);
    if (!x->embedded) { /* else it is a further part of one request */
        x->sent_ns = clock_mono_ns();
        if (x->b->timeouts.total_ms)
            timer_set(&x->deadline, x->b->timeouts.total_ms);
        else
            timer_cancel(&x->deadline); /* the queue's */
    }
    char path[560]; /* of a host's at most 480 bytes, and the errand's */
    int n = snprintf(path, sizeof path, "%.*s%s", STR_ARG(buf_str(&x->b->path)), exchange_errands[x->ask.task].path);
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
    x->b = world_backend(x->world, x->decision.chain[x->at].model); /* a reload may have put another in its place */
    int64_t hot_for_ms = loop_now_ms(x->api->loop) - x->b->since_ms, waited_ms = (clock_mono_ns() - x->waited_ns) / 1000000;
    x->load_ms = waited_ms > hot_for_ms ? waited_ms - hot_for_ms : 0;
    send_request(x);
}

static void next_candidate(struct exchange *x)
{
    struct err e;
    size_t model = x->decision.chain[x->at].model;
    x->b = world_backend(x->world, model);
    lease_init(&x->lease, on_lease, x);
    x->waited_ns = clock_mono_ns();
    x->load_ms = 0;
    embeddings_free(x->embeddings); /* what another place has given does not go with this one's */
    x->embeddings = NULL;
    x->embedded = 0;
    struct body_wish w = wish_of(x);
    bool fits = !x->b->kind->rebuilt || !body_check(&x->doc, &w, &e); /* before anything is loaded for it */
    if (!fits || fleet_lease(x->world, model, x->class, &x->lease, &e)) {
        candidate_failed(x, &e); /* recursion: at most the chain's length deep */
        return;
    }
    x->leased = true;
    if (x->lease.own.state == LEASE_HELD) {
        send_request(x);
        return;
    }
    exchange_enter(x, X_WAITING);
    timer_set(&x->deadline, x->b->model->queue.deadline_ms);
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
    world_release(x->world);
    x->world = NULL;
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

void exchange_free_spare(struct exchange *x)
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
        exchange_free_spare(x);
    }
    if (a->draining && !a->running)
        loop_later(a->loop, &a->drained);
}

/* Only `auto` wants to know how hard it is. */
static void weigh(struct exchange *x)
{
    struct talk talk;
    if (!route_is_auto(x->ask.name))
        return;
    if (!x->api->classifier)
        x->api->classifier = classifier_new();
    talk_read(&x->doc, x->ask.task, &talk);
    classify(x->api->classifier, &talk, &x->ask.complexity);
}

void exchange_start(struct api *a, struct http_req *r, enum task task)
{
    struct exchange *x = exchange_new(a);
    struct err e;
    x->req = r;
    x->world = world_hold(fleet_world(a->fleet));
    x->started_ns = http_req_started_ns(r);
    x->ask.task = task;
    reply_make_id(x->id);
    http_req_watch(r, &req_ops, x);
    facts_init(&x->relay.facts);
    enum err_code rc = a->draining ? err_set(&e, ERR_SHUTTING_DOWN, "The gateway is shutting down.") : ERR_OK;
    if (!rc)
        rc = caller_class(http_req_headers(r), &x->class, &e);
    if (!rc)
        rc = ask_read(http_req_body(r), task, &x->doc, &x->ask, &e);
    if (!rc)
        weigh(x);
    if (!rc)
        rc = route_decide(world_config(x->world), &x->ask, &x->decision, &e);
    if (rc) {
        fail(x, &e);
        return;
    }
    if (x->decision.background) /* of a role: the operator has the last word */
        x->class = CALLER_BACKGROUND;
    exchange_enter(x, X_DECIDED);
    if (x->ask.stream)
        timer_set(&x->tick, world_config(x->world)->keepalive_ms);
    next_candidate(x);
}
