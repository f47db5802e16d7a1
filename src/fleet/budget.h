/* How much memory models may have: what the configuration says, or what the machine has less a reserve and less what strangers use. A look at the
 * machine runs on the pool (a driver's tool may take a second), one at a time; whoever needs a fresh one waits for a look that began after it came. */
#ifndef HOB_FLEET_BUDGET_H
#define HOB_FLEET_BUDGET_H

#include "conf/config.h"
#include "loop/loop.h"

struct budget;

/* Lies inside its owner. done: once, on the loop thread, never from inside budget_wait(). */
struct budget_wait {
    struct list node;
    void (*done)(void *ctx);
    void *ctx;
};
void budget_wait_init(struct budget_wait *w, void (*done)(void *ctx), void *ctx);

enum { BUDGET_MAX_CHILDREN = 256 };

/* pids: of our children, into `out`, at most so many; what they use is not strangers'. changed: after each look. */
struct budget *budget_new(struct loop *l, size_t (*pids)(void *ctx, int *out, size_t room), void (*changed)(void *ctx), void *ctx);
void budget_free(struct budget *b);             /* not while a look runs */
void budget_configure(struct budget *b, const struct config *c);
void budget_ask(struct budget *b, struct budget_wait *w);   /* a fresh look; w NULL: nobody waits for it */
void budget_leave(struct budget_wait *w);
bool budget_runs(const struct budget *b);
bool budget_needs_looks(const struct budget *b);            /* it depends on what strangers do */

/* Bytes for models; -1: nobody knows, nothing is refused for want of memory. */
int64_t budget_bytes(const struct budget *b);
int64_t budget_others(const struct budget *b);  /* strangers'; -1 = not known */

#endif
