/* How a backend has been doing, and whether it may be asked: its breaker, a cool-down that it has asked for, its host's caps and sleep, and the budget of
 * second tries. Where requests end up is told here; nobody else counts. */
#ifndef HOB_BACKEND_HEALTH_H
#define HOB_BACKEND_HEALTH_H

#include "backend/breaker.h"
#include "base/err.h"

struct backend;

enum { HEALTH_SAMPLES = 64 };

struct health {
    struct breaker breaker;
    int64_t cool_until_ms;            /* 429: not before; 0 = none */
    int32_t ttft_ms[HEALTH_SAMPLES];  /* the last ones, a ring */
    size_t nttft;
    double tries;                     /* budget of second tries, in tries */
    struct err last;                  /* the last failure that counted; code ERR_OK = none */
    int64_t last_ms;                  /* wall clock */
};

/* May a request go there now? ERR_BREAKER_OPEN, ERR_UP_BUSY (cooling down), ERR_CAPPED, ERR_WAKING, ERR_UP_MODEL_MISSING (its host's list has not got it),
 * each with retry_after_s where it is known. On ERR_OK exactly one health_tell() must follow. */
enum err_code health_admits(struct backend *b, struct err *e) __attribute__((warn_unused_result));
enum err_code health_would_admit(const struct backend *b); /* for snapshots: changes nothing */

struct outcome {
    enum err_code code;               /* of this try; ERR_OK = it answered */
    int retry_after_s;                /* of a 429 or 503 */
    const struct err *why;            /* NULL when it answered */
    int64_t ttft_ms;                  /* -1 = no first content */
    int64_t input_tokens, output_tokens; /* -1 = unknown */
};
/* What came of a try that was admitted. Which codes count against the place is a table's business (health.c): never a caller's leaving, a caller's own 4xx or
 * a context overflow. */
void health_tell(struct backend *b, const struct outcome *o);

/* A second try of the same place, or a hedge: is there budget for it? Takes it. */
bool health_may_retry(struct backend *b);
/* What 95 of 100 first words took at most; -1 = too few are known. */
int64_t health_p95_ms(const struct backend *b);

/* A host that sleeps: something is asked of it so that it wakes; nothing when it is awake or waking. */
void health_wake(struct backend *b);
bool health_is_asleep(const struct backend *b);
/* Money for so many tokens there; negative = unknown. */
double health_price(const struct backend *b, int64_t input_tokens, int64_t output_tokens);

#endif
