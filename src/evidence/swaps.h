/* The swaps of this hob: kept in the store, made true in the configuration in force, one step at a time. A step is written first and then done, so that who dies
 * between the two finds it at the next start; only the way back does not wait for a disk that fails: it is done, said, and written when it can be.
 * The loop's thread, all of it. */
#ifndef HOB_EVIDENCE_SWAPS_H
#define HOB_EVIDENCE_SWAPS_H

#include "base/list.h"
#include "evidence/swap.h"
#include "loop/loop.h"

struct store;
struct swaps;

/* Where a model is, as far as it is known. */
struct swaps_place {
    int pid;                    /* of its child; 0 = it has none, or not now */
    int64_t expected_bytes;     /* of memory; -1 = not known */
    char engine[72];            /* a mark of its build; "" = not known, or elsewhere */
};

struct swaps_ops {
    const struct config *(*config)(void *ctx);  /* in force; borrowed */
    void (*flip)(void *ctx);                    /* swaps_overlay() has changed: put it in force, at once */
    void (*shadow)(void *ctx);                  /* what is copied may be other asks now (swaps_shadows()); NULL = nobody asks */
    void (*told)(void *ctx, const struct swap *s, enum swap_step step, struct str role, struct str why); /* a step was taken; NULL = nobody asks */
    void (*place)(void *ctx, struct str model, struct swaps_place *out); /* out: as if nothing were known. NULL = nothing is */
};

/* All borrowed, and must outlive it. */
struct swaps *swaps_new(struct loop *l, struct store *st, const struct swaps_ops *ops, void *ctx);
void swaps_free(struct swaps *s); /* after the store is closed; NULL is fine */
/* What the store has: fetched, put in force (ops->flip), then on_loaded, once. When it cannot be had that is said, on_loaded runs all the same, and it is tried again until
 * it is there. */
void swaps_load(struct swaps *s, void (*on_loaded)(void *ctx));

/* conf_overlay() of base with all that is on; held for the caller. */
const struct config *swaps_overlay(struct swaps *s, const struct config *base);
/* The roles whose asks are copied now, in `out` (its texts until the next step): one after the other, how many. */
struct swaps_shadow {
    const struct swap *swap;
    const struct swap_role *role;
};
size_t swaps_shadows(const struct swaps *s, struct swaps_shadow *out, size_t room);
/* After another file has come into force: swaps that it goes before are retired. */
void swaps_settle(struct swaps *s);

/* A request's row, when it is committed, with its place: what is on trial is watched by it. */
struct request_row;
void swaps_row(struct swaps *s, const struct request_row *r, int64_t at);
/* A model that runs here has come up in a build of its engine, or has failed in it (why): who is on trial there goes back, all of them when it never came up. */
void swaps_backend(struct swaps *s, struct str model, struct str engine_path, const struct err *why);
bool swaps_are_known(const struct swaps *s);        /* the store's are here */
void swaps_refresh(struct swaps *s);            /* before they are shown: the guards as they are now */

size_t swaps_count(const struct swaps *s);
const struct swap *swaps_at(const struct swaps *s, size_t i);       /* in the order of their numbers; until the next step */
const struct swap *swaps_find(const struct swaps *s, int64_t id);   /* NULL: none */

/* ---- steps ---- */

struct swaps_plan {
    struct { struct str name, to; } roles[SWAP_MAX_ROLES];
    size_t nroles;
    struct swap_engine engine;  /* or, with a name: its `to` instead of roles */
    int64_t window_ms;
    double share;
    bool alert_only;
    struct str preflight;       /* JSON of the checks; empty = none were made */
    bool refused;               /* by them, with: */
    struct str why;
};

/* Somebody who wants a step, or a plan, and waits for it. Lies inside its owner; texts must live until on_done, which runs once, never from inside swaps_ask(). */
struct swaps_ask {
    struct list node;
    int64_t id;                 /* of the swap; with a plan: 0 */
    struct swap_wish wish;      /* .now_ms is set here */
    const struct swaps_plan *plan; /* NULL: a step */
    struct str actor;
    void (*on_done)(void *ctx, const struct swap *s, const struct err *e); /* e NULL: taken, and in force */
    void *ctx;
};
void swaps_ask(struct swaps *s, struct swaps_ask *a);
void swaps_unask(struct swaps *s, struct swaps_ask *a); /* on_done will not run; a step under way goes on */
/* The same for who does not wait: texts are copied, an error is logged. */
void swaps_do(struct swaps *s, int64_t id, const struct swap_wish *w, struct str actor);

#endif
