/* Inside the keeping of swaps: swaps.c takes steps, trials.c watches what is on trial. */
#ifndef HOB_EVIDENCE_SWAPS_INT_H
#define HOB_EVIDENCE_SWAPS_INT_H

#include "evidence/guards.h"
#include "evidence/swaps.h"
#include "store/swaps.h"

/* The guards of one role while it is on trial. */
struct trial_run {
    struct guards guards;
    int64_t at;                 /* the place of the last row that is in them */
    bool changed;               /* since it was written */
    struct buf text;            /* as the swap's role has it (guards_put) */
};

struct kept {
    struct list node;           /* in the order of their numbers */
    struct swap swap;
    struct trial_run *runs[SWAP_MAX_ROLES]; /* of its first roles, where they are on trial; else NULL */
    bool falls;                 /* it is about to be rolled back, since its build does not come up */
    bool unwritten;             /* done without the store's word, or its guards have moved on */
};

struct trial_job;

/* What watches: the rows that come, and after a start those that came since the guards were written last. */
struct trials {
    bool behind;                /* rows are being read that a gateway before this one has seen, or was about to */
    struct trial_job *job;      /* on the pool; NULL: none */
    struct buf missed;          /* rows that came meanwhile: place, length, text */
    struct timer save, sample;
    struct memory_job *sampling; /* on the pool; NULL: none */
};

struct swaps {
    struct loop *loop;
    struct store *store;
    const struct swaps_ops *ops;
    void *ctx;
    struct list kept;
    size_t n;
    struct list asks;           /* who waits for his turn */
    /* the step under way: */
    struct swaps_ask *asking;   /* NULL: nobody, or he has left */
    bool busy;
    struct kept *next;          /* as it will be; NULL: it is only written again */
    struct swap_wish wish;      /* its texts are next's */
    struct swap_put put;
    struct buf text, figures;
    struct later turn;
    struct timer again;
    char actor[64];
    /* the start: */
    struct swaps_fetch fetch;
    bool fetching, loaded;
    void (*on_loaded)(void *ctx);
    struct trials trials;
    struct list baselines;      /* who asks for them */
};

/* How many of its roles are guarded. */
static inline size_t guarded(const struct swap *s)
{
    return s->nroles < SWAP_MAX_ROLES ? s->nroles : SWAP_MAX_ROLES;
}

/* ---- swaps.c ---- */
void swaps_step_ready(struct swaps *s, const struct err *e); /* the baseline of s->next is there (e NULL), or cannot be had */

const struct conf_model *swaps_serving(struct swaps *s, struct str name);  /* who answers a role or a tier now; NULL: there is none of that name */
enum err_code swaps_no_such_role(struct swaps *s, struct str name, struct err *e);
void swaps_place_of(struct swaps *s, struct str model, struct swaps_place *out);

/* ---- baselines.c ---- */
void baselines_free(struct swaps *s);

/* ---- swaps_engine.c ---- */
enum err_code swaps_plan_engine(struct swaps *s, const struct swaps_plan *p, struct swap *out, struct err *e) __attribute__((warn_unused_result));
/* At its start: the model still runs in the build that is to be replaced. */
enum err_code swaps_check_build(const struct config *c, const struct swap *w, const struct swap_role *r, struct err *e) __attribute__((warn_unused_result));
/* Both builds are on the disk, as they were when it was planned. On the pool. ERR_GATE. */
enum err_code swaps_look_at_builds(const struct swap_engine *g, struct err *e) __attribute__((warn_unused_result));

/* ---- trials.c ---- */
void trials_init(struct swaps *s);
void trials_free(struct swaps *s);
/* Before a start is written: what the old models' rows say, on the pool; ends in swaps_step_ready(). */
void trials_baseline(struct swaps *s);
/* k has come into force; was: what it takes the place of, or NULL. */
void trials_begin(struct swaps *s, struct kept *k, struct kept *was);
void trials_load(struct swaps *s);              /* after the store's swaps are there */
void trials_refresh(struct kept *k);            /* the swap's roles have the guards as they are now */
void kept_runs_free(struct kept *k);

#endif
