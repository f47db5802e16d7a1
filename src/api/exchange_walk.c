/* A request's way along the candidates of its decision, in order, until one of them has answered. Until the answer's first content a failure leads on: to
 * the next candidate, or to the same place once more where nobody else is left. After it, it is the end.
 *
 * A hedge is a second attempt beside the first, when that is later than its place mostly is: who has the first content wins, the other is cancelled. */
#include "api/exchange_int.h"
#include "backend/health.h"
#include "base/random.h"

#include <stdio.h>

enum { HEDGE_LEAST_MS = 50 };          /* sooner no place is late */

int64_t exchange_left_ms(const struct exchange *x)
{
    int64_t left = x->until_ms - loop_now_ms(x->api->loop);
    return left > 0 ? left : 0;
}

bool exchange_has_next(const struct exchange *x)
{
    return x->next < x->decision.n;
}

/* NULL: there is none. */
static struct attempt *other_of(struct attempt *t)
{
    return t == &t->x->first ? t->x->second : &t->x->first;
}

static bool other_is_at_it(struct attempt *t)
{
    const struct attempt *other = other_of(t);
    return other && other->state != TRY_IDLE;
}

/* ---- what is remembered of a failure ---- */

static void note(struct attempt *t, const struct blame_row *r, const struct err *e, bool asked)
{
    struct exchange *x = t->x;
    if (x->ntried < COUNTOF(x->tried))
        x->tried[x->ntried++] = (struct tried){ t->b->name, t->b->host, e->code, health_is_away(t->b, e) };
    if (e->retry_after_s && (!x->retry_after_s || e->retry_after_s < x->retry_after_s))
        x->retry_after_s = e->retry_after_s;
    if (asked || !x->failure.code) { /* that somebody was not even asked says less than how another failed */
        x->failure = *e;
        exchange_write_evidence(x, t, r, e);
    }
}

/* ---- the next candidate ---- */

/* Nobody is left to ask. */
static void give_up(struct exchange *x)
{
    struct err e = x->failure;
    if (e.retry_after_s)
        e.retry_after_s = x->retry_after_s; /* whoever is free first */
    exchange_fail(x, &e);
}

/* That it was passed over is not said of who answers after all. */
static void forget(struct exchange *x, struct str model)
{
    size_t kept = 0;
    for (size_t i = 0; i < x->ntried; i++)
        if (x->tried[i].code != ERR_WAKING || !str_eq(x->tried[i].model, model))
            x->tried[kept++] = x->tried[i];
    x->ntried = kept;
}

/* Everybody has failed but who sleeps: better late than never. What runs in the background wakes nobody. */
static void wait_for_sleeper(struct attempt *t)
{
    struct exchange *x = t->x;
    size_t at = x->sleeper;
    x->sleeper = SIZE_MAX;
    x->patient = true;
    forget(x, world_config(x->world)->models[x->decision.chain[at].model].name);
    attempt_start(t, at, 0);
}

static bool may_wait_for_sleeper(const struct exchange *x)
{
    return x->sleeper != SIZE_MAX && !x->decision.background;
}

static bool somebody_is_left(const struct exchange *x)
{
    return exchange_has_next(x) || may_wait_for_sleeper(x);
}

static void go_on(struct attempt *t)
{
    struct exchange *x = t->x;
    if (exchange_has_next(x))
        attempt_start(t, x->next++, 0); /* recursion: at most the chain's length deep */
    else if (may_wait_for_sleeper(x))
        wait_for_sleeper(t);
    else
        give_up(x);
}

void exchange_passed_over(struct attempt *t, const struct err *e)
{
    struct err why = *e;
    attempt_drop(t);
    const struct blame_row *r = exchange_blame(t->x, t, &why);
    note(t, r, &why, false);
    if (why.code == ERR_WAKING && t->x->sleeper == SIZE_MAX)
        t->x->sleeper = t->at;
    if (!other_is_at_it(t))
        go_on(t);
}

/* ---- after a failure ---- */

/* The same place once more, where nobody else is left to ask: at once when its process has died and is being started again, else after a while. Not more
 * often than its share of second tries allows: they would keep down who is down. */
static bool asks_again(const struct attempt *t, const struct blame_row *r, const struct err *e, int64_t *after_ms)
{
    const struct exchange *x = t->x;
    const struct config *c = world_config(x->world);
    if (!r->again || exchange_has_next(x) || e->retry_after_s || t->repeats + 1 >= c->retry_attempts)
        return false;
    uint32_t random;
    random_bytes(&random, sizeof random);
    int64_t wait_ms = c->retry_backoff_ms << t->repeats; /* at most ten times */
    *after_ms = attempt_has_died(t) ? 0 : wait_ms / 2 + (int64_t)random % (wait_ms / 2 + 1);
    return *after_ms < exchange_left_ms(x) && health_may_retry(t->b);
}

/* A part of the answer has gone to the caller. */
static bool has_left(const struct exchange *x)
{
    return attempt_has_left(x->lead);
}

/* An answer that was none: what it has used is paid for, beside that of who answers instead. */
static bool was_in_vain(const struct err *e)
{
    return e->code == ERR_SCHEMA_UNMET || e->code == ERR_TOOL_UNMET || e->code == ERR_ONLY_THOUGHTS;
}

/* Too long for who was meant, and nobody larger is to stand in: then nobody else is asked. Of who would only have stood in it says nothing. */
static bool is_too_long(const struct attempt *t, const struct err *e)
{
    const struct decision *d = &t->x->decision;
    return e->code == ERR_CONTEXT && !d->larger && d->chain[t->at].of == d->first;
}

void exchange_try_failed(struct attempt *t, const struct err *e)
{
    struct exchange *x = t->x;
    struct err why = *e; /* it may lie in what is let go of now */
    int64_t after_ms = 0;
    const struct blame_row *r = exchange_blame(x, t, &why);
    bool other = other_is_at_it(t);
    bool unmet = why.code == ERR_SCHEMA_UNMET || why.code == ERR_TOOL_UNMET;
    bool alone = unmet && x->policy.schema_escalate != TRI_YES; /* what was asked of one model is not asked of three */
    bool end = has_left(x) || !err_row(why.code)->failover || !exchange_left_ms(x) || ((alone || is_too_long(t, &why)) && !other);
    bool again = !end && !other && asks_again(t, r, &why, &after_ms);
    note(t, r, &why, true);
    struct err seen = why; /* not in the place's own words, which may cite a prompt: others read it */
    snprintf(seen.text, sizeof seen.text, "%s", x->evidence);
    if (x->hasty && why.code == ERR_UP_TIMEOUT)
        seen.code = ERR_CALLER_GONE; /* as good as: it was the caller who would not wait */
    attempt_tell(t, &seen);
    if (was_in_vain(&why) && !end && (other || somebody_is_left(x)))
        exchange_lose(t);
    if (unmet && !end && somebody_is_left(x))
        exchange_schema_failed(x);
    attempt_drop(t);
    if (end) {
        exchange_fail(x, &why);
    } else if (other) {
        x->lead = other_of(t);
    } else if (again) {
        log_info("%s: %.*s failed, trying it again: %s", x->id, STR_ARG(t->b->name), x->evidence);
        attempt_rest(t, after_ms);
    } else {
        if (exchange_has_next(x))
            log_info("%s: %.*s failed, trying the next: %s", x->id, STR_ARG(t->b->name), x->evidence);
        go_on(t);
    }
}

/* ---- a second place beside the first ---- */

static bool may_hedge(const struct exchange *x)
{
    int64_t most = world_config(x->world)->hedge_tokens;
    return most && x->ask.tokens > 0 && x->ask.tokens <= most && !x->hedged && !x->ask.insists && exchange_has_next(x);
}

void exchange_sent(struct attempt *t)
{
    struct exchange *x = t->x;
    if (t != &x->first || !may_hedge(x))
        return;
    int64_t late_ms = health_p95_ms(t->b);
    if (late_ms >= 0)
        timer_set(&x->hedge, late_ms > HEDGE_LEAST_MS ? late_ms : HEDGE_LEAST_MS);
}

void exchange_hedge(void *ctx)
{
    struct exchange *x = ctx;
    const struct attempt *first = &x->first;
    struct backend *b = may_hedge(x) ? world_backend(x->world, x->decision.chain[x->next].model) : NULL;
    bool late = (first->state == TRY_SENT || first->state == TRY_RELAYING) && !attempt_facts(first)->began;
    if (!b || !late || health_would_admit(b) || !health_may_retry(first->b)) /* of the requests that the late one gets, a share */
        return;
    log_info("%s: %.*s is late, %.*s is asked beside it", x->id, STR_ARG(first->b->name), STR_ARG(b->name));
    x->hedged = true;
    x->second = attempt_new(x);
    attempt_start(x->second, x->next++, 0);
}

void exchange_won(struct attempt *t)
{
    struct exchange *x = t->x;
    timer_cancel(&x->hedge);
    if (!x->hedged || x->hedge_won)
        return;
    x->hedge_won = true;
    metrics_hedge(x->api->metrics, x->first.b->name, x->second->b->name, t == x->second);
    attempt_drop(other_of(t));
    x->lead = t;
}

/* ---- the beginning ---- */

/* How long the caller's library will wait for a whole answer: what comes later nobody reads. In a stream signs of life keep it waiting. 0 = not said. */
static int64_t patience_ms(const struct exchange *x)
{
    static const char *const headers[] = { "x-stainless-timeout", "x-stainless-read-timeout" };
    int64_t least_ms = 0, s;
    struct str fraction;
    if (!x->req || x->ask.stream || x->whole_stream)
        return 0;
    for (size_t i = 0; i < COUNTOF(headers); i++) {
        struct str said = str_cut(http_req_header(x->req, str_of(headers[i])), '.', &fraction);
        if (said.n && str_to_int(said, 1, 86400, &s) && (!least_ms || s * 1000 < least_ms))
            least_ms = s * 1000;
    }
    return least_ms;
}

void exchange_walk(struct exchange *x)
{
    int64_t total_ms = x->decision.total_ms ? x->decision.total_ms : EXCHANGE_FOREVER_MS;
    int64_t patience = patience_ms(x);
    x->hasty = patience && patience < total_ms;
    x->until_ms = loop_now_ms(x->api->loop) + (x->hasty ? patience : total_ms);
    for (size_t i = 0; i < x->decision.nwake; i++)
        health_wake(world_backend(x->world, x->decision.wake[i]));
    exchange_enter(x, X_TRYING);
    go_on(x->lead);
}
