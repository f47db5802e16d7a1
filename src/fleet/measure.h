/* How much memory a child really has, and what is learned from it. Each look runs on the pool and owns itself; the figures go to the store, where the
 * next estimate finds them. */
#ifndef HOB_FLEET_MEASURE_H
#define HOB_FLEET_MEASURE_H

#include "fleet/estimate.h"
#include "loop/loop.h"

enum measure_when { MEASURE_IDLE /* it is hot, nobody has asked yet */, MEASURE_BUSY /* it has worked */ };

struct measure;

/* done, on the loop thread, once: what it has now (kept prompts, e->terms.cache, may still come on top), or -1 when nothing can be told (it is gone,
 * the system does not say). e is copied; s may be NULL. */
struct measure *measure_start(struct loop *l, struct store *s, const struct estimate *e, int pid, enum measure_when when,
    void (*done)(void *ctx, int64_t bytes), void *ctx);
void measure_cancel(struct measure *m); /* done will not run. NULL is fine; not after done has run */

/* It died for want of memory with `booked` bytes of room: the next estimate is larger, until a load is measured. On the pool by itself. */
void measure_out_of_memory(struct loop *l, struct store *s, const struct estimate *e, int64_t booked_bytes);

/* When to look at a child that works: after its first request, and once more after the first with a long prompt. Zeroed at each load. */
enum { MEASURE_LONG_TOKENS = 512 };
struct measure_plan {
    bool first, prompt;     /* done */
};
bool measure_due(struct measure_plan *p, int64_t prompt_tokens); /* a request has ended well; true: measure busy now */

#endif
