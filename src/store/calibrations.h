/* What models were seen to need: one row for (model file, engine build, settings). What the rows say about the next load is model/calibrate.h's. */
#ifndef HOB_STORE_CALIBRATIONS_H
#define HOB_STORE_CALIBRATIONS_H

#include "base/arena.h"
#include "store/store.h"

struct calibration {
    char model[65], engine[65], settings[65];   /* identities: file (path, size, mtime), build, what it was run with; hex */
    int64_t estimated_bytes;                    /* the arithmetic's total, then */
    int64_t projected_bytes;                    /* what the engine itself said it would need, before a load; 0 = it was not asked */
    int64_t idle_bytes, busy_bytes;             /* measured after the load, and after the first long prompt; 0 = not seen */
    int64_t short_bytes;                        /* with so much room it died for want of memory, and has not loaded since; 0 = never */
    int64_t at_s;                               /* wall clock of the last change */
};

/* All of these block: for the pool and for commands, never on the loop thread. */

/* Of this file and build, any settings, newest first; the rows lie in the arena. engine "": of any build. */
enum err_code calibrations_of(struct store *s, struct str model, struct str engine, struct arena *a, const struct calibration **rows, size_t *n,
    struct err *e) __attribute__((warn_unused_result));
/* Keeps a row: figures that are 0 in it stay as they were, except short_bytes, which a measured figure sets to 0. at_s is set. */
enum err_code calibrations_put(struct store *s, const struct calibration *row, struct err *e) __attribute__((warn_unused_result));

#endif
