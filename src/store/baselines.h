/* What a model did under a role, kept as it was at one moment: one for each role. What is in it is its owner's affair (evidence/guards.h): here it is a text. */
#ifndef HOB_STORE_BASELINES_H
#define HOB_STORE_BASELINES_H

#include "store/store.h"

/* Lies inside its owner, who lives until on_done; its texts too. */
struct baseline_put {
    struct store_job job;
    struct str role;
    struct str text;        /* empty: the role's is forgotten */
    bool was_there;         /* before; the store's word */
    void (*on_done)(void *ctx, const struct err *e); /* on the loop's thread; e NULL: it is written */
    void *ctx;
};
void baselines_put(struct store *s, struct baseline_put *p);

/* By role; role empty: of all. Blocks: for who opened the store to read, and for the pool. */
enum err_code baselines_read(struct store *s, struct str role, void (*fn)(void *ctx, struct str role, struct str text), void *ctx, struct err *e)
    __attribute__((warn_unused_result));

#endif
