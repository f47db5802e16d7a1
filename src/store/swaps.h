/* Swaps and their steps. What a swap is, is its owner's affair (evidence/swap.h): here it is a text with a number, and each step that it took a row that is never
 * changed: which model answered which role when can be told from them. */
#ifndef HOB_STORE_SWAPS_H
#define HOB_STORE_SWAPS_H

#include "base/buf.h"
#include "store/store.h"

struct swap_step_row {
    int64_t at;             /* in the order in which they were taken; the store's own */
    int64_t swap;
    int64_t time_ms;        /* wall clock */
    struct str actor;       /* who: a key's name, "cli", "guard", "hob" */
    struct str step, state; /* the swap's after it */
    struct str role;        /* of which; empty = of all */
    struct str reason;      /* a sentence */
    struct str figures;     /* JSON; empty = none */
};

/* A swap as it is now, with the step that made it so: both are written, or none. Lies inside its owner, who lives until on_done; its texts too. */
struct swap_put {
    struct store_job job;
    int64_t id;             /* 0: a new one; then the store's number, before on_done */
    struct str text;        /* the store does not look into it */
    struct swap_step_row step;  /* step.step empty: no step, only the text */
    void (*on_done)(void *ctx, const struct err *e); /* on the loop's thread; e NULL: it is written */
    void *ctx;
};
void swaps_put(struct store *s, struct swap_put *p);

/* All swaps, for who must not wait: read on the writer's thread, handed over in their order on the loop's. Lies inside its owner, who lives until on_done. */
struct swaps_fetch {
    struct store_job job;
    struct buf rows;            /* fetch's own */
    void (*on_swap)(void *ctx, int64_t id, struct str text);
    void (*on_done)(void *ctx, const struct err *e); /* after the last of them; e: none was handed over */
    void *ctx;
};
void swaps_fetch(struct store *s, struct swaps_fetch *f);

/* All block: for who opened the store to read, and for the pool. */
enum err_code swaps_read(struct store *s, void (*fn)(void *ctx, int64_t id, struct str text), void *ctx, struct err *e) __attribute__((warn_unused_result));
/* swap 0: of all; the newest `last` of them (0 = all), oldest first. */
enum err_code swap_steps_read(struct store *s, int64_t swap, size_t last, void (*fn)(void *ctx, const struct swap_step_row *r), void *ctx, struct err *e)
    __attribute__((warn_unused_result));

#endif
