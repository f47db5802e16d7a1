/* How a backend has been doing, and whether it may be asked: its breaker, a cool-down that it has asked for, its host's caps and sleep, and the budget of
 * second tries. Where requests end up is told here; nobody else counts.
 *
 * Four things keep requests away, and they are not the same:
 *   the breaker     it fails: an outage
 *   a cool-down     it has said "not now" (429, or 503 with Retry-After): it is well, and busy
 *   refusals        it does not accept our key, or does not have the model: it is well, and somebody has to change a configuration. They must come in a
 *                   row, since a caller can cause one (a path that a place lacks is a 404, too)
 *   its host        sleeps, is used up for today, or lists its models and has not got this one */
#ifndef HOB_BACKEND_HEALTH_H
#define HOB_BACKEND_HEALTH_H

#include "backend/breaker.h"
#include "base/err.h"

struct backend;

enum { HEALTH_SAMPLES = 64 };

struct health {                       /* zeros: nothing is known */
    struct breaker breaker, refusals;
    int64_t cool_since_ms, cool_until_ms; /* the last cool-down; zeros = there was none */
    int cooled;                       /* times in a row: what it does not say itself is doubled each time */
    int32_t ttft_ms[HEALTH_SAMPLES];  /* the last ones, a ring */
    size_t nttft;
    double tries;                     /* second tries that were earned, less those that were made */
    int64_t asked;                    /* requests admitted so far */
    struct err last;                  /* the last failure that counted; code ERR_OK = none */
    int64_t last_ms;                  /* wall clock */
    struct err refused;               /* the last refusal */
};

/* May a request go there now? ERR_BREAKER_OPEN, ERR_UP_BUSY (cooling down), ERR_UP_AUTH, ERR_CAPPED, ERR_WAKING, ERR_UP_MODEL_MISSING, each with a sentence,
 * what to do, and retry_after_s where it is known. On ERR_OK exactly one health_tell() must follow. */
enum err_code health_admits(struct backend *b, struct err *e) __attribute__((warn_unused_result));
enum err_code health_would_admit(const struct backend *b); /* for snapshots: changes nothing */
enum err_code health_explain(const struct backend *b, enum err_code code, struct err *e); /* what it would not admit for, in words */

/* e, of a try there: nobody could be reached (no connection came about), or it was not asked because nobody could be the last time. Never of a child of ours: that is the model's own. */
bool health_is_away(const struct backend *b, const struct err *e);

struct outcome {
    enum err_code code;               /* of this try; ERR_OK = it answered */
    int retry_after_s;                /* of a 429 or 503 */
    const struct err *why;            /* NULL when it answered */
    int64_t asked_ms;                 /* loop time when it was admitted, or sent; 0 = not known. What began before an outage says nothing about its end */
    int64_t ttft_ms;                  /* from sent to the first content; -1 = there was none */
    int64_t input_tokens, output_tokens; /* -1 = unknown */
};
/* What came of a try that was admitted. Which codes count against the place is a table's business (health.c): never a caller's leaving, a caller's own 4xx or
 * a context overflow. */
void health_tell(struct backend *b, const struct outcome *o);
/* As health_tell(), of what nobody was admitted for: a probe found it. */
void health_heard(struct backend *b, const struct outcome *o);
/* Its first content has come: it is back, however long the answer is. May be left out; health_tell() still follows. */
void health_began(struct backend *b, int64_t asked_ms);

/* A second try of the same place, or a hedge: is there budget for it? Takes it. */
bool health_may_retry(struct backend *b);
/* What 95 of 100 first words took at most; -1 = too few are known. */
int64_t health_p95_ms(const struct backend *b);

/* Money for so many tokens there; negative = unknown. Tokens that are not known (-1) cost nothing. */
double health_price(const struct backend *b, int64_t input_tokens, int64_t output_tokens);

/* ---- for who shows it ---- */
enum breaker_state health_breaker(const struct backend *b);
int64_t health_cool_ms(const struct backend *b); /* until it may be asked again; 0 = it is not cooling down */
bool health_is_refusing(const struct backend *b); /* it is left alone because of our key, or a model that it has not got */

/* What was there is gone, and a new process is in its place: what it did wrong says nothing of it. */
void health_renew(struct backend *b);

/* What an outcome says about the place. */
enum health_verdict {
    HEALTH_NEITHER,                   /* nothing: it was the caller's, ours, or somebody else counts it */
    HEALTH_GOOD,                      /* it works: it answered, however the answer pleased */
    HEALTH_BAD,                       /* it failed */
    HEALTH_BUSY,                      /* it said: not now */
    HEALTH_REFUSES,                   /* our key, or the model's name */
};
enum health_verdict health_verdict(enum err_code code, bool managed);

#endif
