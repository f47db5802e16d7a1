/* Runs of suites, kept until they are deleted: what they were to be, and of each the results, one for each case, place and turn. Texts are JSON of the evidence room's
 * own; the store looks at what is named here alone. */
#ifndef HOB_STORE_EVALS_H
#define HOB_STORE_EVALS_H

#include "store/store.h"

struct eval_row {
    int64_t run;
    int64_t began_ms, ended_ms; /* wall clock; 0 = it has not ended */
    struct str suite, state;    /* "running" "done" "stopped" */
    struct str text;
};

struct eval_result {
    int64_t run;
    struct str place;           /* MODEL, or MODEL@HOST, as it was asked */
    struct str item;            /* the case's id */
    int64_t turn;               /* of its repeats, from 1 */
    int passed;                 /* 1, 0; -1: it says nothing of the model (a fault elsewhere) */
    double score;
    struct str fault;           /* "" "model" "gateway" "backend" "harness" */
    struct str text;            /* answer, reasons, times, tokens, request id … */
};

/* A job: lies inside its owner, who lives until on_done (the loop's thread); its texts too. */
struct eval_put {
    struct store_job job;
    struct eval_row row;        /* run 0: a new one, whose number stands here at on_done; else state, ended_ms and text of that one are as here */
    const struct eval_result *results; /* written over what is there with the same run, place, item and turn; row.run says which run. NULL, 0: the row alone */
    size_t nresults;
    bool row_too;               /* with results: the row as well */
    void (*on_done)(void *ctx, const struct err *e); /* e NULL: it is written; ERR_NOT_FOUND: there is no such run */
    void *ctx;
};
void evals_put(struct store *s, struct eval_put *p);

/* Block: for the pool, and for who opened the store to read. Newest first. */
enum err_code evals_read(struct store *s, int64_t run /* 0 = all */, size_t last, void (*fn)(void *ctx, const struct eval_row *r), void *ctx, struct err *e)
    __attribute__((warn_unused_result));
enum err_code eval_results_read(struct store *s, int64_t run, void (*fn)(void *ctx, const struct eval_result *r), void *ctx, struct err *e)
    __attribute__((warn_unused_result));

#endif
