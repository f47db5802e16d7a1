/* A circuit breaker. Pure: time is an argument.
 *
 *   CLOSED --failures within the window--> OPEN --open_ms--> HALF_OPEN --the probe succeeds--> CLOSED
 *                                           ^________________________| it fails
 *
 * What was asked before the present state began says nothing about it: fifty requests that all run into the time limit of one outage open it once, and
 * those that come to their end after the place is back do not open it again. */
#ifndef HOB_BACKEND_BREAKER_H
#define HOB_BACKEND_BREAKER_H

#include "conf/config.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
extern const char *const breaker_state_name[]; /* "closed" "open" "half-open" */

enum { BREAKER_REMEMBERS = 100 };     /* `breaker.failures` is at most this */

struct breaker {                      /* zeros: closed */
    enum breaker_state state;         /* breaker_enter() is its only writer */
    int64_t since_ms;
    int64_t failed_ms[BREAKER_REMEMBERS]; /* the last failures, a ring */
    size_t nfailed;
    bool probing;                     /* HALF_OPEN: the one probe is out */
    int64_t opens;                    /* so often so far */
};

/* May a request go there now? Of HALF_OPEN, the one that gets a yes is the probe, and must be told of by one of the three below. */
bool breaker_admits(struct breaker *b, const struct conf_breaker *set, int64_t now_ms);
bool breaker_would_admit(const struct breaker *b, const struct conf_breaker *set, int64_t now_ms); /* as admits, changing nothing */
/* asked_ms: when it was admitted; 0 = not known: it is taken for the latest. */
void breaker_succeeded(struct breaker *b, int64_t asked_ms, int64_t now_ms);
void breaker_failed(struct breaker *b, const struct conf_breaker *set, int64_t asked_ms, int64_t now_ms);
void breaker_neither(struct breaker *b, int64_t asked_ms); /* the caller left, or it was its own fault: the probe is to be made again */
void breaker_calm(struct breaker *b);  /* failures so far do not count, where only those in a row shall */
void breaker_reset(struct breaker *b, int64_t now_ms); /* what failed is gone, and another is in its place: closed */
int64_t breaker_retry_ms(const struct breaker *b, const struct conf_breaker *set, int64_t now_ms); /* until it would admit; 0 = now, or nobody knows */
/* As others are shown it: open until its time is over, then half-open though nobody has asked yet. */
enum breaker_state breaker_shown(const struct breaker *b, const struct conf_breaker *set, int64_t now_ms);

#endif
