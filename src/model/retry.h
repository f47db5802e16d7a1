/* Trying again: which failures may pass by themselves, and how long to wait for that. Each pause is twice the one before, up to 30 s, and may be ended. */
#ifndef HOB_MODEL_RETRY_H
#define HOB_MODEL_RETRY_H

#include "base/err.h"

#include <stdint.h>

enum { RETRY_TRIES = 5, RETRY_PAUSE_MS = 500, RETRY_MOST_MS = 30 * 1000 };

struct retry {
    int tries;                  /* at most so many in a row; 0: RETRY_TRIES */
    int failed;                 /* tries in a row that brought nothing */
    bool (*on_wait)(void *ctx); /* at least four times a second; false: stop. NULL is fine */
    void *ctx;
};

/* An error after which the same may work soon. */
bool retry_may_help(enum err_code rc);
/* Waits; false: that was the last try, or it was stopped. at_least_s: what the other side asked for. */
bool retry_pause(struct retry *r, int at_least_s);

#endif
