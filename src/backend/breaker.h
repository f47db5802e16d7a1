/* A circuit breaker. Pure: time is an argument.
 *
 *   CLOSED --failures within the window--> OPEN --open_ms--> HALF_OPEN --the probe succeeds--> CLOSED
 *                                           ^________________________| it fails                        */
#ifndef HOB_BACKEND_BREAKER_H
#define HOB_BACKEND_BREAKER_H

#include "conf/config.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
extern const char *const breaker_state_name[]; /* "closed" "open" "half-open" */

enum { BREAKER_REMEMBERS = 32 };

struct breaker {
    enum breaker_state state;         /* breaker_enter() is its only writer */
    int64_t since_ms;
    int64_t failed_ms[BREAKER_REMEMBERS]; /* the last failures, a ring */
    size_t nfailed;
    bool probing;                     /* HALF_OPEN: the one probe is out */
};

/* May a request go there now? Of HALF_OPEN, the one that gets a yes is the probe, and must be told of by one of the three below. */
bool breaker_admits(struct breaker *b, const struct conf_breaker *set, int64_t now_ms);
bool breaker_would_admit(const struct breaker *b, const struct conf_breaker *set, int64_t now_ms); /* as admits, changing nothing */
void breaker_succeeded(struct breaker *b, int64_t now_ms);
void breaker_failed(struct breaker *b, const struct conf_breaker *set, int64_t now_ms);
void breaker_neither(struct breaker *b);  /* the caller left, or it was its own fault: the probe is to be made again */
int64_t breaker_retry_ms(const struct breaker *b, const struct conf_breaker *set, int64_t now_ms); /* until it would admit; 0 = now */

#endif
