/* Which model answered which role or tier, from when on: a row each time that is another one than before, by a swap or because the configuration says so. Rows are
 * never changed. */
#ifndef HOB_STORE_SERVED_H
#define HOB_STORE_SERVED_H

#include "store/store.h"

struct served_row {
    int64_t time_ms;        /* wall clock */
    struct str role, model; /* model empty: the name is in the configuration no more */
    int64_t swap;           /* by which; 0 = by the configuration */
    struct str why;         /* "start of swap 3", "configuration" … */
};

/* What holds now, for all names at once; what is as it was is not written. Texts are copied; a failure is told by the store, and made up for by the next call. */
struct served_name {
    struct str role, model;
};
void served_note(struct store *s, const struct served_name *all, size_t n, int64_t time_ms, int64_t swap, struct str why);

/* Oldest first; role empty: of all. For who opened the store to read. */
enum err_code served_read(struct store *s, struct str role, void (*fn)(void *ctx, const struct served_row *r), void *ctx, struct err *e) __attribute__((warn_unused_result));

#endif
