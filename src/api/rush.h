/* A benchmark that sends all it has at once at a model which is only just loading: what then fails says nothing about the model, and is the harness's fault.
 * Seen by the failures of one caller on one loading place. Pure: time is an argument. */
#ifndef HOB_API_RUSH_H
#define HOB_API_RUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RUSH_FAILURES = 8,       /* so many … */
    RUSH_WINDOW_MS = 10000,  /* … within so long; and so long after a load a place still counts as loading */
    RUSH_REMEMBERS = 16,     /* callers on places: the one that has been quiet the longest is forgotten */
};

struct rush {
    struct rush_count {
        uint64_t caller;
        const void *place;
        int64_t since_ms, last_ms;
        unsigned n;
    } at[RUSH_REMEMBERS];
};

/* One request of this caller has failed at a place that is loading, or has only just loaded. Is it one of too many? */
bool rush_failed(struct rush *r, uint64_t caller, const void *place, int64_t now_ms);

#endif
