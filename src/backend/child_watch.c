/* While a child is hot: does it still answer? Who works and has sent no byte for a while (`silence:`) is asked for its health path, which costs it
 * nothing however long a prompt it is reading; who twice says nothing in half that time is hung, and stopped. The heartbeat (`warm:`) asks an idle one
 * for a token now and then; it does not count as use, and one that is not answered in time is a silence too.
 *
 * And while it is being stopped: a process that is still there long after KILL is wedged (a driver holds it, a disk): its memory stays taken. */
#include "backend/child.h"

enum {
    MISSES_MAX = 2,
    TERM_MS = 5000, TERM_AGAIN_MS = 3000, /* it may hang on the first TERM with work in flight (doc/internals/engine.md) */
    KILL_MS = 10 * 1000,
};

static int64_t silence_ms(const struct child *c)
{
    return c->b->model->silence_ms ? c->b->model->silence_ms : c->kind->silence_ms;
}

/* Since when it has owed somebody an answer, or a sign of life; 0 = it does not. */
static int64_t silent_since_ms(const struct child *c)
{
    int64_t since = http_pool_silent_ms(c->b->pool);
    if (since > c->alive_ms)
        return since;
    return since && http_pool_running(c->b->pool) ? c->alive_ms : 0;
}

/* ---- is it hung? ---- */

static void hung(struct child *c)
{
    struct backend *b = c->b;
    int64_t half = silence_ms(c) / 2;
    err_set(&b->last_error, ERR_UP_TIMEOUT, "The engine of '%.*s' does not answer: silent at work, and %d times for %lld ms when asked whether it lives; it is stopped.",
        STR_ARG(b->name), MISSES_MAX, (long long)half);
    err_hint(&b->last_error, "Its own words are in %s.", c->log_file);
    log_error("%.*s: %s %s", STR_ARG(b->name), b->last_error.text, b->last_error.hint);
    child_watch_stop(c);
    backend_enter(b, BACKEND_DRAINING);
    child_stop(c);
}

static void watch_on(struct child *c)
{
    int64_t silence = silence_ms(c), since = silent_since_ms(c), now = loop_now_ms(c->b->loop);
    c->misses = 0;
    timer_set(&c->watch, since && now - since < silence ? silence - (now - since) : silence);
}

static void health_came(struct child *c, enum err_code rc, int status, struct str body)
{
    (void)status;
    (void)body;
    if (rc)
        return; /* waited out: the next look is at the end of this one's time */
    c->alive_ms = loop_now_ms(c->b->loop); /* whatever it says */
    watch_on(c);
}

static void suspect(struct child *c)
{
    struct child_question q = { .path = child_health_path(c), .limit_ms = silence_ms(c) / 2 };
    child_ask_cancel(c);
    c->asked_ms = loop_now_ms(c->b->loop);
    timer_set(&c->watch, q.limit_ms);
    c->misses++;
    child_ask(c, &q, health_came);
}

static void watch_now(void *ctx)
{
    struct child *c = ctx;
    int64_t since = silent_since_ms(c);
    if (c->misses && since > c->asked_ms)
        watch_on(c); /* a byte of an answer has come meanwhile */
    else if (c->misses >= MISSES_MAX)
        hung(c);
    else if (c->misses || (since && loop_now_ms(c->b->loop) - since >= silence_ms(c)))
        suspect(c);
    else
        watch_on(c);
}

/* ---- the heartbeat ---- */

static void warm_on(struct child *c)
{
    if (c->b->model->warm_ms)
        timer_set(&c->warm, c->b->model->warm_ms);
    else
        timer_cancel(&c->warm);
}

static void beat_came(struct child *c, enum err_code rc, int status, struct str body)
{
    struct backend *b = c->b;
    (void)body;
    warm_on(c);
    if (rc) {
        suspect(c);
        return;
    }
    b->warmed_ms = loop_now_ms(b->loop);
    b->warm_took_ms = b->warmed_ms - c->asked_ms;
    if (status != 200)
        log_warn("%.*s: its engine answers the heartbeat with %d", STR_ARG(b->name), status);
    else
        log_debug("%.*s: heartbeat, %lld ms", STR_ARG(b->name), (long long)b->warm_took_ms);
}

static void warm_now(void *ctx)
{
    struct child *c = ctx;
    struct child_question q;
    int64_t every = c->b->model->warm_ms, quiet = loop_now_ms(c->b->loop) - http_pool_used_ms(c->b->pool);
    bool works = http_pool_running(c->b->pool) > 0;
    if (works || quiet < every) {
        timer_set(&c->warm, works ? every : every - quiet);
    } else if (c->call || !child_smallest_question(c, &q)) {
        warm_on(c);
    } else {
        q.limit_ms = silence_ms(c) * 3 / 2;
        c->asked_ms = loop_now_ms(c->b->loop);
        child_ask(c, &q, beat_came);
    }
}

/* ---- does it end? ---- */

static void end_over(void *ctx)
{
    struct child *c = ctx;
    struct backend *b = c->b;
    err_set(&b->last_error, ERR_UP_TIMEOUT, "The engine of '%.*s' (process %d) was killed %d s ago and does not end; its memory is still taken.", STR_ARG(b->name),
        service_pid(c->service), KILL_MS / 1000);
    err_hint(&b->last_error, "A driver or a disk may hold it: look at the system's log.");
    log_error("%.*s: %s %s", STR_ARG(b->name), b->last_error.text, b->last_error.hint);
    backend_enter(b, BACKEND_WEDGED);
}

void child_stop(struct child *c)
{
    if (!timer_is_set(&c->end))
        timer_set(&c->end, TERM_MS + TERM_AGAIN_MS + KILL_MS);
    service_stop(c->service, TERM_MS, TERM_AGAIN_MS);
}

/* ---- ---- */

void child_watch_init(struct child *c)
{
    timer_init(&c->watch, c->b->loop, watch_now, c);
    timer_init(&c->warm, c->b->loop, warm_now, c);
    timer_init(&c->end, c->b->loop, end_over, c);
}

void child_watch_start(struct child *c)
{
    watch_on(c);
    warm_on(c);
}

void child_watch_stop(struct child *c)
{
    timer_cancel(&c->watch);
    timer_cancel(&c->warm);
    child_ask_cancel(c);
}
