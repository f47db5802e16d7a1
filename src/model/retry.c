/* Waiting in small steps, so that a stop is heard. */
#include "model/retry.h"

#include "base/clock.h"

#include <poll.h>

enum { STEP_MS = 100 };

bool retry_may_help(enum err_code rc)
{
    return rc == ERR_UP_REFUSED || rc == ERR_UP_RESET || rc == ERR_UP_TIMEOUT || rc == ERR_UP_STATUS || rc == ERR_UP_BUSY;
}

bool retry_pause(struct retry *r, int at_least_s)
{
    if (++r->failed >= (r->tries ? r->tries : RETRY_TRIES))
        return false;
    int64_t pause_ms = (int64_t)RETRY_PAUSE_MS << (r->failed - 1);
    if (pause_ms < (int64_t)at_least_s * 1000)
        pause_ms = (int64_t)at_least_s * 1000;
    if (pause_ms > RETRY_MOST_MS)
        pause_ms = RETRY_MOST_MS;
    for (int64_t until = clock_mono_ms() + pause_ms, left; (left = until - clock_mono_ms()) > 0;) {
        if (r->on_wait && !r->on_wait(r->ctx))
            return false;
        poll(NULL, 0, left < STEP_MS ? (int)left : STEP_MS);
    }
    return true;
}
