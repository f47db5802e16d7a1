/* One request's tries: the candidates of its decision in order, each with a lease, a body, a call and an answer, until one of them has answered. Until the
 * answer's first content a failure moves to the next candidate; after it, it is the end. */
#include "api/exchange_int.h"
#include "base/clock.h"

#include <stdio.h>

enum {
    SILENT_MAX_BYTES = 1024 * 1024,     /* held back before the first content */
    REFUSAL_MAX_BYTES = 64 * 1024,
    END_MS = 50,                        /* from [DONE] to the end of the body; then the connection is given up */
};

static void send_request(struct exchange *x);

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
    exchange_release_place(x);
    x->tried[x->ntried++] = (struct tried){ x->b->name, x->b->host, why.code };
    if (!next) {
        exchange_fail(x, &why);
        return;
    }
    log_info("%s: %.*s failed, trying the next: %s", x->id, STR_ARG(x->b->name), why.text);
    x->at++;
    exchange_next_candidate(x);
}

/* As candidate_failed(), for what went wrong on the way: the sentence begins with who it was. */
static void place_failed(struct exchange *x, const struct err *e)
{
    struct err named = *e;
    snprintf(named.text, sizeof named.text, "'%.*s' on '%.*s': %.200s", STR_ARG(x->b->name), STR_ARG(x->b->host), e->text);
    candidate_failed(x, &named);
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
        exchange_deliver(x);
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
        exchange_send_out(x);
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

void exchange_deadline(void *ctx)
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

void exchange_next_candidate(struct exchange *x)
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
