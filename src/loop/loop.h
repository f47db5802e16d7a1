/* The one loop thread that owns all mutable state of the gateway: turns, timers, "later in this turn", and work for the pool.
 * A thin room over libuv: net and proc take the uv_loop_t from here, everybody above speaks of timers only. */
#ifndef HOB_LOOP_LOOP_H
#define HOB_LOOP_LOOP_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *l);   /* all handles must be closed by then; runs the loop until their close callbacks are through */
void loop_run(struct loop *l);    /* until loop_stop() */
void loop_stop(struct loop *l);
uv_loop_t *loop_uv(struct loop *l);
int64_t loop_now_ms(const struct loop *l); /* monotonic, as of the start of this turn */

/* A deadline. Lies inside its owner; needs no closing beyond timer_cancel(). Moving a deadline back (the common case: one
 * more byte came) costs nothing: the timer is looked at again when its old time is up. */
struct timer {
    struct loop *loop;
    void (*fn)(void *ctx);
    void *ctx;
    int64_t due_ms;  /* wanted; 0 = not set */
    int64_t key_ms;  /* place in the heap */
    uint32_t slot;   /* index in the heap + 1; 0 = not in it */
};

void timer_init(struct timer *t, struct loop *l, void (*fn)(void *ctx), void *ctx);
void timer_set(struct timer *t, int64_t in_ms); /* from now; fires once; setting again replaces */
void timer_cancel(struct timer *t);
static inline bool timer_is_set(const struct timer *t)
{
    return t->due_ms != 0;
}

/* A call at the end of this turn, after all callbacks of this turn: for "nothing is freed under its own callback". */
struct later {
    struct list node;
    void (*fn)(void *ctx);
    void *ctx;
};

void later_init(struct later *w, void (*fn)(void *ctx), void *ctx);
void loop_later(struct loop *l, struct later *w); /* once is enough: asking again before it ran changes nothing */
void later_cancel(struct later *w);

/* A call that may block, on the pool; then `done` on the loop thread, once. Lies inside its owner, who must live until `done` has run: it cannot be
 * called back. `work` may touch only what nobody else touches meanwhile. */
struct work {
    uv_work_t uv;
    void (*work)(void *ctx);
    void (*done)(void *ctx);
    void *ctx;
    bool running;
};

void work_init(struct work *w, void (*work)(void *ctx), void (*done)(void *ctx), void *ctx);
void loop_work(struct loop *l, struct work *w); /* not while it is running */

/* A call that may block for as long as it likes (a resolver that hangs), on a thread of its own, so that it holds up nobody in the pool. `work` may touch
 * only `data`, which is its own until `done` runs on the loop thread and owns it. When the loop is freed first, `done` runs with NULL, and `data` goes by
 * `drop` once `work` has come back, if it ever does. 0, or an errno: then nothing runs and data is the caller's. */
int loop_aside(struct loop *l, void (*work)(void *data), void (*done)(void *ctx, void *data), void (*drop)(void *data), void *data, void *ctx)
    __attribute__((warn_unused_result));

/* A call on the loop thread that any thread may ask for; asked for twice before it ran, it may run once. */
struct wake;
struct wake *wake_new(struct loop *l, void (*fn)(void *ctx), void *ctx);
void wake_up(struct wake *w);     /* any thread */
void wake_free(struct wake *w);   /* on the loop thread, when nobody asks any more: fn will not run. NULL is fine */

/* SIGNUM on the loop thread. */
void loop_on_signal(struct loop *l, int signum, void (*fn)(void *ctx, int signum), void *ctx);

#endif
