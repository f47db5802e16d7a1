/* One request's life.
 *
 *   ADMITTED -> DECIDED -> TRYING -> SETTLED -> DONE        from any of them: FAILED -> DONE
 *
 *   of an attempt, while TRYING:   IDLE -> WAITING -> SENT -> RELAYING
 *                                   ^_________|________|         (before the first content, the next candidate of the chain)
 *
 * READING is the HTTP server's. exchange_enter() and attempt_enter() are the only writers of the states, and trace them. Whatever arrives (a lease, bytes,
 * a timer, the caller's leaving) is a function of its own, and each leaves the exchange in a state where everything else may still happen.
 *
 * Until the answer's first content nothing has gone to the caller but, after 10 s, the status and comments of a stream: till then a failure moves to
 * the next candidate, or is an ordinary HTTP error. After it, a failure is an error event and the end.
 * Settled (counted, its row written) before the last bytes leave, of an answer or of an error. */
#include "api/exchange_int.h"
#include "base/clock.h"

#include <stdlib.h>

static const char *const state_names[] = { "ADMITTED", "DECIDED", "TRYING", "SETTLED", "FAILED", "DONE" };

const struct errand exchange_errands[] = {
    [TASK_CHAT]   = { "chat",        "/chat/completions", "choices", "messages" },
    [TASK_TEXT]   = { "completions", "/completions",      "choices", "prompt" },
    [TASK_EMBED]  = { "embeddings",  "/embeddings",       "data",    "input" },
    [TASK_RERANK] = { "rerank",      "/rerank",           "results", "documents" },
};

enum {
    SPARE_MAX = 64,                     /* exchanges kept for reuse */
    KEEP_BYTES = 16 * 1024,             /* of each of their buffers */
};

void exchange_enter(struct exchange *x, enum exchange_state to)
{
    log_trace("%s %s -> %s at %lld us", x->id, state_names[x->state], state_names[to],
        (long long)((clock_mono_ns() - x->started_ns) / 1000));
    x->state = to;
}

/* ---- the end ---- */

static void on_dispose(void *ctx);

/* Lets go of the places: no byte comes from them any more, and their slots are free. */
static void drop_tries(struct exchange *x)
{
    attempt_drop(&x->first);
    if (x->second)
        attempt_drop(x->second);
}

void exchange_finish(struct exchange *x)
{
    exchange_enter(x, X_DONE);
    drop_tries(x);
    inner_drop(&x->inner);
    timer_cancel(&x->tick);
    timer_cancel(&x->hedge);
    if (!x->books.under_way && !x->reading.work.running)
        loop_later(x->api->loop, &x->dispose);
}

static void end(struct exchange *x, const struct err *e)
{
    exchange_enter(x, X_FAILED);
    drop_tries(x);
    inner_drop(&x->inner); /* its answer shall find nobody while the row is on its way */
    exchange_settle(x, e);
}

void exchange_fail(struct exchange *x, const struct err *e)
{
    struct err why = *e; /* it may lie in what is let go of now */
    if (!x->ntried) /* no place had a part in it */
        exchange_write_evidence(x, NULL, exchange_blame(x, NULL, &why), &why);
    end(x, &why);
}

void exchange_abandon(struct exchange *x)
{
    struct err e;
    x->req = NULL;
    x->asker = NULL;
    if (exchange_over(x)) /* its row is on the way: that it could have had the answer is true as well */
        return;
    err_set(&e, ERR_CALLER_GONE, "The caller left.");
    const struct attempt *t = x->lead->b ? x->lead : NULL;
    exchange_write_evidence(x, t, exchange_blame(x, t, &e), &e);
    end(x, &e);
}

static void on_gone(void *ctx)
{
    exchange_abandon(ctx);
}

/* It waits for its place, and nothing was sent to anybody, nor to the caller: another process may begin it anew. */
static bool only_waits(const struct exchange *x)
{
    const struct attempt *t = x->lead;
    return x->state == X_TRYING && !x->committed && !x->second && !x->lost.any && (t->state == TRY_WAITING || t->state == TRY_WAKING);
}

static bool on_pass(void *ctx)
{
    struct exchange *x = ctx;
    if (!only_waits(x))
        return false;
    if (x->reading.body.n)
        http_req_put_back_body(x->req, &x->reading.body);
    x->req = NULL;
    x->books.open = false; /* its row is the other's to write */
    exchange_finish(x);
    return true;
}

static const struct http_req_ops req_ops = { on_gone, exchange_drained, on_pass };

/* ---- birth and death ---- */

struct exchange *exchange_new(struct api *a, struct world *w)
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
        later_init(&x->dispose, on_dispose, x);
        timer_init(&x->tick, a->loop, exchange_tick, x);
        timer_init(&x->hedge, a->loop, exchange_hedge, x);
        attempt_init(&x->first, x);
        inner_init(&x->inner, x);
        x->sleeper = SIZE_MAX;
        books_init(x);
        reading_init(x);
    }
    x->world = world_hold(w);
    x->policy = world_config(w)->policy;
    x->lead = &x->first;
    list_push(&a->exchanges, &x->node);
    a->running++;
    return x;
}

static void exchange_clear(struct exchange *x)
{
    exchange_undress(x);
    exchange_forget_schema(x);
    if (x->captures)
        exchange_forget_capture(x);
    if (x->shadow)
        shadow_forget(x);
    x->is_copy = false;
    json_free(&x->doc);
    reading_clear(x);
    attempt_clear(&x->first, KEEP_BYTES);
    if (x->second)
        attempt_free(x->second);
    x->second = NULL;
    world_release(x->world);
    if (x->newer)
        world_release(x->newer);
    x->world = x->newer = NULL;
    x->state = X_ADMITTED;
    x->next = x->ntried = 0;
    x->hedged = x->hedge_won = x->committed = x->whole_stream = false;
    x->verified.verdict = VERDICT_NONE;
    x->lost = (struct lost){ .any = false };
    x->failure.code = ERR_OK;
    x->too_long.window = 0;
    x->retry_after_s = 0;
    x->evidence[0] = 0;
    x->caller = 0;
    x->hasty = x->patient = false;
    x->sleeper = SIZE_MAX;
    x->ask = (struct ask){ .stream = false };
    decision_clear(&x->decision);
    books_clear(x, KEEP_BYTES);
}

void exchange_free_spare(struct exchange *x)
{
    attempt_fini(&x->first);
    timer_cancel(&x->tick);
    books_free(x);
    timer_cancel(&x->hedge);
    free(x);
}

void exchange_dispose(struct exchange *x)
{
    struct api *a = x->api;
    list_remove(&x->node);
    a->running--;
    a->nshadows -= x->is_copy;
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

/* At the end of the turn in which it was done. */
static void on_dispose(void *ctx)
{
    exchange_dispose(ctx);
}

void exchange_go(struct exchange *x)
{
    struct err e;
    if (exchange_decide(x, &e)) {
        exchange_refused_length(x);
        exchange_fail(x, &e);
        return;
    }
    exchange_enter(x, X_DECIDED);
    if (x->ask.stream || x->whole_stream)
        timer_set(&x->tick, world_config(x->world)->keepalive_ms);
    exchange_walk(x);
}

void exchange_weigh_and_go(struct exchange *x)
{
    if (!exchange_triage(x))
        exchange_go(x);
}

static struct exchange *open_exchange(struct api *a, struct http_req *r, enum task task)
{
    struct exchange *x = exchange_new(a, fleet_world(a->fleet));
    x->req = r;
    x->started_ns = http_req_started_ns(r);
    x->ask.task = task;
    x->class = CALLER_PROGRAM;
    reply_make_id(x->id);
    http_req_watch(r, &req_ops, x);
    books_open(x);
    return x;
}

void exchange_refuse(struct api *a, struct http_req *r, enum task task, const struct err *e)
{
    exchange_fail(open_exchange(a, r, task), e);
}

void exchange_start(struct api *a, struct http_req *r, enum task task)
{
    struct exchange *x = open_exchange(a, r, task);
    struct err e;
    bool aside;
    if (api_refuses_for_store(a, &e)) {
        x->books.open = false; /* no row: it would push out those of answers */
        exchange_fail(x, &e);
    } else if (exchange_begin(x, &aside, &e)) {
        exchange_fail(x, &e);
    } else if (!aside) {
        exchange_weigh_and_go(x);
    }
}
