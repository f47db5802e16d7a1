#include "backend/breaker.h"

const char *const breaker_state_name[] = {
    [BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_HALF_OPEN] = "half-open",
};

static void breaker_enter(struct breaker *b, enum breaker_state to, int64_t now_ms)
{
    b->opens += to == BREAKER_OPEN;
    b->state = to;
    b->since_ms = now_ms;
    b->nfailed = 0;
    b->probing = false;
}

enum breaker_state breaker_shown(const struct breaker *b, const struct conf_breaker *set, int64_t now_ms)
{
    bool over = b->state == BREAKER_OPEN && now_ms - b->since_ms >= set->open_ms;
    return over ? BREAKER_HALF_OPEN : b->state;
}

bool breaker_would_admit(const struct breaker *b, const struct conf_breaker *set, int64_t now_ms)
{
    switch (breaker_shown(b, set, now_ms)) {
    case BREAKER_CLOSED:
        return true;
    case BREAKER_OPEN:
        return false;
    case BREAKER_HALF_OPEN:
        break;
    }
    return !b->probing;
}

bool breaker_admits(struct breaker *b, const struct conf_breaker *set, int64_t now_ms)
{
    if (!breaker_would_admit(b, set, now_ms))
        return false;
    if (b->state == BREAKER_OPEN)
        breaker_enter(b, BREAKER_HALF_OPEN, now_ms);
    b->probing = b->state == BREAKER_HALF_OPEN;
    return true;
}

static bool is_old(const struct breaker *b, int64_t asked_ms)
{
    return asked_ms && asked_ms < b->since_ms;
}

void breaker_succeeded(struct breaker *b, int64_t asked_ms, int64_t now_ms)
{
    if (b->state == BREAKER_HALF_OPEN && !is_old(b, asked_ms))
        breaker_enter(b, BREAKER_CLOSED, now_ms);
}

/* The oldest of the last `failures` of them. */
static int64_t first_of_last(const struct breaker *b, size_t failures)
{
    return b->failed_ms[(b->nfailed - failures) % BREAKER_REMEMBERS];
}

void breaker_failed(struct breaker *b, const struct conf_breaker *set, int64_t asked_ms, int64_t now_ms)
{
    if (b->state == BREAKER_OPEN || is_old(b, asked_ms))
        return;
    if (b->state == BREAKER_HALF_OPEN) {
        breaker_enter(b, BREAKER_OPEN, now_ms);
        return;
    }
    size_t failures = (size_t)set->failures < BREAKER_REMEMBERS ? (size_t)set->failures : BREAKER_REMEMBERS;
    b->failed_ms[b->nfailed++ % BREAKER_REMEMBERS] = now_ms;
    if (b->nfailed >= failures && now_ms - first_of_last(b, failures) <= set->window_ms)
        breaker_enter(b, BREAKER_OPEN, now_ms);
}

void breaker_neither(struct breaker *b, int64_t asked_ms)
{
    if (!is_old(b, asked_ms))
        b->probing = false;
}

void breaker_calm(struct breaker *b)
{
    b->nfailed = 0;
}

void breaker_reset(struct breaker *b, int64_t now_ms)
{
    breaker_enter(b, BREAKER_CLOSED, now_ms);
}

int64_t breaker_retry_ms(const struct breaker *b, const struct conf_breaker *set, int64_t now_ms)
{
    int64_t left = b->since_ms + set->open_ms - now_ms;
    return b->state == BREAKER_OPEN && left > 0 ? left : 0;
}
