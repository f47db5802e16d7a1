/* Counts in a small table, looked through from end to end: it is only asked when a request has failed at a loading place. */
#include "api/rush.h"

static struct rush_count *find(struct rush *r, uint64_t caller, const void *place)
{
    struct rush_count *oldest = &r->at[0];
    for (size_t i = 0; i < RUSH_REMEMBERS; i++) {
        struct rush_count *c = &r->at[i];
        if (c->n && c->caller == caller && c->place == place)
            return c;
        if (c->last_ms < oldest->last_ms)
            oldest = c;
    }
    *oldest = (struct rush_count){ .caller = caller, .place = place };
    return oldest;
}

bool rush_failed(struct rush *r, uint64_t caller, const void *place, int64_t now_ms)
{
    struct rush_count *c = find(r, caller, place);
    if (!c->n || now_ms - c->since_ms > RUSH_WINDOW_MS) {
        c->since_ms = now_ms;
        c->n = 0;
    }
    c->last_ms = now_ms;
    return ++c->n >= RUSH_FAILURES;
}
