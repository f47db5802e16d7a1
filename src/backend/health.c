#include "backend/health.h"

#include "backend/backend.h"
#include "backend/host.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

enum {
    COOL_FIRST_S = 1, COOL_DOUBLINGS = 7, /* when a place says 429 and not for how long: 1 s to 64 s */
    COOL_LONGEST_S = 3600,              /* however long it says */
    TRIES_MOST = 10,                    /* second tries saved up */
    P95_LEAST = 16,                     /* samples */
};

/* ---- what outcomes say ---- */

/* A child of ours that dies, or does not load, is the fleet's to count: it starts it again, and gives up after five deaths in a minute. What it answers
 * while it lives is counted here as any place's. */
static const struct {
    enum health_verdict elsewhere, child;
} verdicts[ERR_COUNT] = {
    [ERR_OK]               = { HEALTH_GOOD, HEALTH_GOOD },
    [ERR_ONLY_THOUGHTS]    = { HEALTH_GOOD, HEALTH_GOOD }, /* the model's fault: the place has done its work */
    [ERR_SCHEMA_UNMET]     = { HEALTH_GOOD, HEALTH_GOOD },
    [ERR_TOOL_UNMET]       = { HEALTH_GOOD, HEALTH_GOOD },
    [ERR_UP_CUT]           = { HEALTH_GOOD, HEALTH_GOOD }, /* it answers; what is short enough for it, well */
    [ERR_UP_REFUSED]       = { HEALTH_BAD, HEALTH_NEITHER },
    [ERR_UP_RESET]         = { HEALTH_BAD, HEALTH_NEITHER },
    [ERR_UP_GARBLED]       = { HEALTH_BAD, HEALTH_BAD },
    [ERR_UP_STATUS]        = { HEALTH_BAD, HEALTH_BAD },
    [ERR_UP_TIMEOUT]       = { HEALTH_BAD, HEALTH_BAD },
    [ERR_UP_BUSY]          = { HEALTH_BUSY, HEALTH_BUSY },
    [ERR_UP_AUTH]          = { HEALTH_REFUSES, HEALTH_NEITHER },
    [ERR_UP_MODEL_MISSING] = { HEALTH_REFUSES, HEALTH_NEITHER },
    /* all others HEALTH_NEITHER: the caller's (its leaving, its JSON, a prompt too long), the gateway's, the model file's */
};

enum health_verdict health_verdict(enum err_code code, bool managed)
{
    if ((unsigned)code >= ERR_COUNT)
        return HEALTH_NEITHER;
    return managed ? verdicts[code].child : verdicts[code].elsewhere;
}

/* 503 with Retry-After is a 429 in other words. */
static enum health_verdict verdict_of(const struct backend *b, const struct outcome *o)
{
    enum health_verdict v = health_verdict(o->code, b->kind->managed);
    return v == HEALTH_BAD && o->code == ERR_UP_STATUS && o->retry_after_s > 0 ? HEALTH_BUSY : v;
}

/* ---- may it be asked? ---- */

static const struct conf_breaker *settings_of(const struct backend *b)
{
    return b->place ? &b->place->breaker : &b->config->breaker;
}

static int64_t now_of(const struct backend *b)
{
    return loop_now_ms(b->loop);
}

enum breaker_state health_breaker(const struct backend *b)
{
    return breaker_shown(&b->health.breaker, settings_of(b), now_of(b));
}

int64_t health_cool_ms(const struct backend *b)
{
    int64_t left = b->health.cool_until_ms - now_of(b);
    return left > 0 ? left : 0;
}

bool health_is_refusing(const struct backend *b)
{
    return b->health.refusals.state != BREAKER_CLOSED;
}

enum err_code health_would_admit(const struct backend *b)
{
    const struct conf_breaker *set = settings_of(b);
    const struct health *h = &b->health;
    enum err_code rc = b->at ? host_would_admit(b) : ERR_OK;
    if (rc)
        return rc;
    if (health_cool_ms(b))
        return ERR_UP_BUSY;
    if (!breaker_would_admit(&h->refusals, set, now_of(b)))
        return h->refused.code;
    return breaker_would_admit(&h->breaker, set, now_of(b)) ? ERR_OK : ERR_BREAKER_OPEN;
}

static int seconds(int64_t ms) /* a started one counts */
{
    return ms > 0 ? (int)((ms + 999) / 1000) : 1;
}

/* Of times that were too long, that for connecting alone carries the system's word. */
static bool is_no_connection(const struct err *e)
{
    return e->code == ERR_UP_REFUSED || (e->code == ERR_UP_TIMEOUT && e->sys == ETIMEDOUT);
}

bool health_is_away(const struct backend *b, const struct err *e)
{
    return !b->kind->managed && is_no_connection(e->code == ERR_BREAKER_OPEN ? &b->health.last : e);
}

static enum err_code is_open(const struct backend *b, struct err *e)
{
    const struct conf_breaker *set = settings_of(b);
    const struct breaker *k = &b->health.breaker;
    int64_t left = breaker_retry_ms(k, set, now_of(b));
    err_set(e, ERR_BREAKER_OPEN, "'%.*s' on '%.*s' has failed, and is left alone for a while. The last time: %.150s", STR_ARG(b->name), STR_ARG(b->host),
        b->health.last.text);
    e->retry_after_s = seconds(left);
    if (left)
        return err_hint(e, "One request will try it in %d s; `hob ps` shows how it stands.", e->retry_after_s);
    return err_hint(e, "One request is trying it now; `hob ps` shows how it stands.");
}

static enum err_code is_cooling(const struct backend *b, struct err *e)
{
    err_set(e, ERR_UP_BUSY, "'%.*s' on '%.*s' has too much to do, and asked to be left alone.", STR_ARG(b->name), STR_ARG(b->host));
    e->retry_after_s = seconds(health_cool_ms(b));
    return err_hint(e, "Try again in %d s.", e->retry_after_s);
}

/* In its own words: what it said is what has to be mended. */
static enum err_code is_refusing(const struct backend *b, struct err *e)
{
    *e = b->health.refused;
    e->retry_after_s = seconds(breaker_retry_ms(&b->health.refusals, settings_of(b), now_of(b)));
    return e->code;
}

enum err_code health_explain(const struct backend *b, enum err_code code, struct err *e)
{
    if (b->at && host_would_admit(b) == code)
        return host_explain(b, code, e);
    if (code == ERR_UP_BUSY)
        return is_cooling(b, e);
    return code == ERR_BREAKER_OPEN ? is_open(b, e) : is_refusing(b, e);
}

enum err_code health_admits(struct backend *b, struct err *e)
{
    const struct conf_breaker *set = settings_of(b);
    struct health *h = &b->health;
    enum err_code rc = health_would_admit(b);
    if (rc)
        return health_explain(b, rc, e);
    (void)breaker_admits(&h->refusals, set, now_of(b)); /* both would, and both know it when this one is their probe */
    (void)breaker_admits(&h->breaker, set, now_of(b));
    h->tries += b->config->retry_budget;
    if (h->tries > TRIES_MOST)
        h->tries = TRIES_MOST;
    h->asked++;
    if (b->at)
        host_asked(b);
    return ERR_OK;
}

/* ---- what came of it ---- */

/* As it says itself; else longer each time, as long as it goes on. Those that were under way together are one time. */
static void cool_down(struct backend *b, const struct outcome *o)
{
    struct health *h = &b->health;
    int64_t now = now_of(b), wait_s = o->retry_after_s;
    bool again = !o->asked_ms || o->asked_ms > h->cool_since_ms;
    if (!again && wait_s <= 0)
        return;
    if (again) {
        h->cooled += h->cooled < COOL_DOUBLINGS;
        h->cool_since_ms = now;
    }
    if (wait_s <= 0)
        wait_s = (int64_t)COOL_FIRST_S << (h->cooled - 1);
    if (wait_s > COOL_LONGEST_S)
        wait_s = COOL_LONGEST_S;
    if (now + wait_s * 1000 > h->cool_until_ms)
        h->cool_until_ms = now + wait_s * 1000;
}

static void remember(struct backend *b, const struct outcome *o)
{
    struct health *h = &b->health;
    if (o->why)
        h->last = *o->why;
    else
        err_set(&h->last, o->code, "'%.*s' on '%.*s' failed", STR_ARG(b->name), STR_ARG(b->host));
    h->last.code = o->code;
    h->last_ms = clock_wall_ms();
}

static void worked(struct backend *b, int64_t asked_ms)
{
    struct health *h = &b->health;
    breaker_succeeded(&h->breaker, asked_ms, now_of(b));
    breaker_succeeded(&h->refusals, asked_ms, now_of(b));
    breaker_calm(&h->refusals);
    h->cooled = 0;
}

static void say_change(const struct backend *b, enum breaker_state was, bool refused)
{
    const struct health *h = &b->health;
    if (h->breaker.state != was && h->breaker.state == BREAKER_OPEN)
        log_warn("'%.*s' on '%.*s' is left alone for %lld ms: %s", STR_ARG(b->name), STR_ARG(b->host), (long long)settings_of(b)->open_ms, h->last.text);
    else if (h->breaker.state != was && h->breaker.state == BREAKER_CLOSED)
        log_info("'%.*s' on '%.*s' is back", STR_ARG(b->name), STR_ARG(b->host));
    if (!refused && h->refusals.state == BREAKER_OPEN)
        log_warn("'%.*s' on '%.*s' is asked no more for a while: %s%s %s", STR_ARG(b->name), STR_ARG(b->host), h->refused.text, err_stop(&h->refused),
            h->refused.hint);
}

static void judge(struct backend *b, const struct outcome *o, enum health_verdict v)
{
    struct health *h = &b->health;
    const struct conf_breaker *set = settings_of(b);
    switch (v) {
    case HEALTH_GOOD:
        worked(b, o->asked_ms);
        break;
    case HEALTH_BAD:
        remember(b, o);
        breaker_failed(&h->breaker, set, o->asked_ms, now_of(b));
        breaker_neither(&h->refusals, o->asked_ms);
        break;
    case HEALTH_REFUSES: /* it answers: that is no outage */
        remember(b, o);
        h->refused = h->last;
        breaker_failed(&h->refusals, set, o->asked_ms, now_of(b));
        breaker_succeeded(&h->breaker, o->asked_ms, now_of(b));
        break;
    case HEALTH_BUSY:
        cool_down(b, o);
        breaker_neither(&h->breaker, o->asked_ms);
        breaker_neither(&h->refusals, o->asked_ms);
        break;
    case HEALTH_NEITHER:
        breaker_neither(&h->breaker, o->asked_ms);
        breaker_neither(&h->refusals, o->asked_ms);
        break;
    }
}

static void sample(struct health *h, const struct outcome *o)
{
    if (o->ttft_ms >= 0)
        h->ttft_ms[h->nttft++ % HEALTH_SAMPLES] = o->ttft_ms < INT32_MAX ? (int32_t)o->ttft_ms : INT32_MAX;
}

void health_tell(struct backend *b, const struct outcome *o)
{
    if (b->at)
        host_told(b, o, verdict_of(b, o));
    health_heard(b, o);
}

void health_heard(struct backend *b, const struct outcome *o)
{
    enum breaker_state was = b->health.breaker.state;
    bool refused = health_is_refusing(b);
    judge(b, o, verdict_of(b, o));
    say_change(b, was, refused);
    sample(&b->health, o);
}

void health_began(struct backend *b, int64_t asked_ms)
{
    enum breaker_state was = b->health.breaker.state;
    worked(b, asked_ms);
    say_change(b, was, true);
}

void health_renew(struct backend *b)
{
    struct health *h = &b->health;
    breaker_reset(&h->breaker, now_of(b));
    breaker_reset(&h->refusals, now_of(b));
    h->cool_since_ms = h->cool_until_ms = 0;
    h->cooled = 0;
}

/* ---- second tries ---- */

/* The first may always be made: a place that is asked once an hour would otherwise never earn one. */
bool health_may_retry(struct backend *b)
{
    struct health *h = &b->health;
    if (h->tries < -1e-9 || b->config->retry_budget <= 0)
        return false;
    h->tries -= 1 + b->config->retry_budget; /* what it will earn when it is admitted is taken back: first tries alone pay */
    return true;
}

static int by_size(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

int64_t health_p95_ms(const struct backend *b)
{
    int32_t sorted[HEALTH_SAMPLES];
    size_t n = b->health.nttft < HEALTH_SAMPLES ? b->health.nttft : HEALTH_SAMPLES;
    if (n < P95_LEAST)
        return -1;
    memcpy(sorted, b->health.ttft_ms, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_size);
    return sorted[(n * 95 + 99) / 100 - 1];
}

/* ---- money ---- */

static double first_known(double narrow, double wide)
{
    return narrow >= 0 ? narrow : wide;
}

double health_price(const struct backend *b, int64_t input_tokens, int64_t output_tokens)
{
    static const struct conf_price unknown = { -1, -1 };
    const struct conf_price *host = b->place ? &b->place->price : &unknown, *own = &b->model->price;
    double input = first_known(own->input, host->input), output = first_known(own->output, host->output);
    if (input < 0 || output < 0)
        return -1;
    return (input * (double)(input_tokens > 0 ? input_tokens : 0) + output * (double)(output_tokens > 0 ? output_tokens : 0)) / 1e6;
}
