/* Shadows: copies of real asks, put to a model that may take the place of the one that serves their role, when nobody else wants the machine. Their answers go to nobody;
 * what both answers were like is kept as a pair of figures (store/shadows.h). Who wants a shadow is the swaps' affair (evidence/swaps.h): here it is made.
 *
 * A copy is made of an ask that is over, answered or failed, and waits in memory: bounded, the oldest goes first. It is sent when the machine (of a candidate elsewhere:
 * its host) has had nothing to do for a while and the candidate is in memory already: a copy loads nothing, wakes nobody, and a lease of it is no use of the model, so
 * that it changes nothing about who goes when room is needed. It ends at once when a request comes that it would be in the way of, and is tried again later.
 * What is private goes to local candidates alone. */
#ifndef HOB_API_SHADOW_H
#define HOB_API_SHADOW_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct api;

enum {
    SHADOW_MAX_ASKS = 64,               /* waiting */
    SHADOW_MAX_BYTES = 8 * 1024 * 1024, /* of their bodies */
    SHADOW_MAX_BODY = 256 * 1024,       /* of one: larger ones are not copied, since that would take time before an answer's last bytes */
    SHADOW_MAX_AGE_MS = 3600 * 1000,
    SHADOW_TRIES = 3,                   /* of one that callers have cut off */
    SHADOW_MAX_COURSES = 64,
    SHADOW_TIMES_OUTPUT = 4,            /* where an ask names no `max_tokens`: its copy's answer may have so many times what the real one had, and at least */
    SHADOW_LEAST_OUTPUT = 2048,
};

struct shadow_wish {
    int64_t swap;
    struct str role;                    /* or a tier */
    struct str from, to;                /* models: who answers, and who is asked beside */
    double share;                       /* of its asks, 0..1 */
    int64_t idle_ms;                    /* so long nobody must have wanted the machine */
};

/* What is to be copied from now on; n 0: nothing, and what waits is forgotten. Copied. What was wished for before and still is goes on. */
void api_shadow(struct api *a, const struct shadow_wish *all, size_t n);

/* Of a shadow that is on. What is in a pair already is not counted here. */
struct shadow_figures {
    size_t waiting;                     /* asks that were copied, and not sent yet */
    int64_t dropped, cancelled, unfit;  /* store/shadows.h; since the last pair */
    const char *waits;                  /* why the next one is not sent now, a clause; "" = it is, or there is none */
};
bool api_shadow_figures(const struct api *a, int64_t swap, struct str role, struct shadow_figures *out); /* false: there is no such shadow */

#endif
