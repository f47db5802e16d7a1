/* Asks of a role that were kept with what was answered, where the configuration says so (`roles.NAME.capture`): what `hob eval capture` draws suites from. Few and
 * short-lived: so many of a role at most, each until its time is over; what goes is written over in the file. Texts are JSON of the api room's own (api/capture.h),
 * and hold no personal data that was found in them. */
#ifndef HOB_STORE_CAPTURED_H
#define HOB_STORE_CAPTURED_H

#include "store/store.h"

struct captured_row {
    int64_t at;                 /* its number, the store's: never given again */
    int64_t time_ms, until_ms;  /* wall clock: when it was answered, and when it is gone */
    struct str role, id;        /* id: the request's */
    struct str caller, model, host;
    bool stream, tools, schema;
    int64_t input_tokens, output_tokens; /* -1 = unknown */
    int64_t print;              /* of what was asked: asks alike have the same */
    int64_t bytes;              /* of text */
    struct str text;            /* p NULL: it was not asked for */
};

/* A job: lies inside its owner, who lives until on_done (the loop's thread); its texts too. Nobody waits for it. */
struct captured_put {
    struct store_job job;
    struct captured_row row;    /* at, bytes: the store's */
    int64_t most;               /* of that role; the oldest go */
    void (*on_done)(void *ctx, const struct err *e);
    void *ctx;
};
void captured_put(struct store *s, struct captured_put *p);

/* All of a role, gone. */
struct captured_drop {
    struct store_job job;
    struct str role;
    int64_t dropped;            /* so many there were: at on_done */
    void (*on_done)(void *ctx, const struct err *e);
    void *ctx;
};
void captured_drop(struct store *s, struct captured_drop *d);

/* What the configuration now says of each role that keeps asks: those that are there are shortened to it. Copied; the loop's thread. */
struct captured_limit {
    struct str role;
    int64_t keep_ms, most;
};
void captured_limit(struct store *s, const struct captured_limit *at, size_t n);

/* Block: for the pool, and for who opened the store to read. What is over is not among them, even where it is not gone yet. Oldest first. */
enum err_code captured_read(struct store *s, struct str role /* empty = of all */, int64_t now_ms, void (*fn)(void *ctx, const struct captured_row *r), void *ctx,
    struct err *e) __attribute__((warn_unused_result)); /* without texts */
enum err_code captured_read_texts(struct store *s, const int64_t *at, size_t n, int64_t now_ms, void (*fn)(void *ctx, const struct captured_row *r), void *ctx,
    struct err *e) __attribute__((warn_unused_result)); /* those; who is not there any more is passed over */

#endif
