/* How long models were in memory, with how much, and how often they were loaded: a row for each model and hour. For models that this hob loads itself. */
#ifndef HOB_STORE_MODEL_HOURS_H
#define HOB_STORE_MODEL_HOURS_H

#include "store/store.h"

struct model_hour {
    struct str model;
    int64_t hour_s;             /* wall clock, its begin */
    int64_t hot_ms;             /* of it in memory and ready to answer */
    int64_t byte_seconds;       /* memory it had, times how long */
    int64_t loads, load_ms;     /* that ended well, and how long they took */
};
/* A stretch of time that ends then, in which it had so much, by the hours of the clock on the wall: newest first. Of more hours than there is room for the oldest are
 * left out. Returns how many. */
size_t model_hours_split(struct str model, int64_t end_wall_ms, int64_t length_ms, int64_t bytes, struct model_hour *out, size_t room);
/* Added to what is there. Does not wait, and nobody waits for it: a job of its own, which outlives who asked. What fails is lost; the store says why. */
void model_hours_add(struct store *s, const struct model_hour *rows, size_t n);

/* Hours that begin in [since_s, until_s), oldest first. For a store that was opened to read. Texts die when fn returns. */
enum err_code model_hours_read(struct store *s, int64_t since_s, int64_t until_s, void (*fn)(void *ctx, const struct model_hour *r), void *ctx, struct err *e)
    __attribute__((warn_unused_result));
/* When the first hour on record began; 0: there is none. */
enum err_code model_hours_first(struct store *s, int64_t *hour_s, struct err *e) __attribute__((warn_unused_result));

#endif
