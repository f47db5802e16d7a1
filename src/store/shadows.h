/* Pairs of a shadow: one ask, answered by the model that serves its role and by the one that would take its place (evidence/shadow.h). Figures alone, never a word of
 * the ask or of an answer. Bounded: of each role of a swap the newest SHADOW_MOST, and none older than SHADOW_DAYS. */
#ifndef HOB_STORE_SHADOWS_H
#define HOB_STORE_SHADOWS_H

#include "store/store.h"

enum { SHADOW_MOST = 2000, SHADOW_DAYS = 90 };

/* What one of the two made of it. Flags: 1, 0, or -1 where it was not asked for, or nobody knows. */
struct shadow_side {
    struct str code;            /* "ok", or an error's */
    int fits;                   /* JSON and calls of tools, where they were asked for: as callers get them */
    int thought;                /* though it was told not to */
    int empty;                  /* it said nothing */
    int cut;                    /* by its length */
    double ttft_ms, total_ms;   /* since its place was asked: no line, no load; negative: none */
    int64_t input, output;      /* tokens; -1 = unknown */
    int64_t bytes;              /* of what it said, thoughts apart; -1 = unknown */
};

enum shadow_alike { ALIKE_UNKNOWN = -1, ALIKE_NOT, ALIKE_AS_JSON, ALIKE_AS_TEXT };

struct shadow_row {
    int64_t at;                 /* in the order in which they came; the store's own */
    int64_t swap;
    struct str role;
    int64_t time_ms;            /* wall clock: when the new one was asked */
    struct str request;         /* the real request's id: its row has the rest */
    int64_t waited_ms;          /* from the one answer to the other ask */
    enum shadow_alike alike;
    double cost;                /* of the copy; negative: none, or unknown */
    int64_t dropped, cancelled, unfit; /* asks since the last pair that came to nothing: no room or too old; a caller came; not this model's, or not its fault */
    struct shadow_side old, new;
};

/* Lies inside its owner, who lives until on_done; its texts too. */
struct shadow_put {
    struct store_job job;
    struct shadow_row row;      /* .at is set by the store */
    void (*on_done)(void *ctx, const struct err *e); /* on the loop's thread; e NULL: it is written */
    void *ctx;
};
void shadows_put(struct store *s, struct shadow_put *p);

/* Blocks: for who opened the store to read, and for the pool. Oldest first, of one swap; texts until fn returns. */
enum err_code shadows_read(struct store *s, int64_t swap, void (*fn)(void *ctx, const struct shadow_row *r), void *ctx, struct err *e) __attribute__((warn_unused_result));

#endif
