/* Inside the fleet: places and worlds. fleet.c is what happens to a place, world.c who has it, apply.c what a new configuration does to all of them. */
#ifndef HOB_FLEET_INT_H
#define HOB_FLEET_INT_H

#include "fleet/fleet.h"

/* Where a model is, by its name: its line, its leases, its backend. It outlives configurations as long as they say the same of it or only change it; a
 * model that goes away and one of its name that is on a host from now on are two places. */
struct fleet_place {
    struct fleet *fleet;
    struct list node;       /* among the fleet's, until it is gone */
    size_t holders;         /* worlds that have it, and the fleet until it is gone */
    struct backend *b;
    struct backend **retired; /* that it had before, of other kinds: somebody may still look at them */
    size_t nretired;
    struct list waiting;    /* leases, oldest first */
    size_t nwaiting, nheld;
    struct timer idle, retry;
    int64_t retry_ms;
    int64_t used_ms;        /* when the last lease went, or when it became hot; 0 = never */
    struct list wishes;     /* of people, open */
    bool leaving;           /* hot, and to be unloaded when the last lease is gone: none is given any more */
    bool granting;          /* grant_waiting() is on the stack */
    bool resting;           /* unloaded by hand: `keep: hot` waits until somebody wants it again */
    bool changed;           /* its child goes, to come back with other settings: then place_renew() */
    bool removed;           /* it serves who waits, then goes: then place_gone() */
    bool gone;              /* nothing of it is left but what others still look at */
    struct timer drain;     /* how long leaving may take */
    struct later settle;    /* it is down: renewed, or gone, not under its backend's own callback */
};

struct world {
    struct fleet *fleet;
    size_t holders;
    const struct config *config;            /* held */
    struct fleet_place *place[];            /* one a model; held */
};

struct fleet {
    struct loop *loop;
    struct services *services;
    struct str run_dir;
    struct world *world;
    struct list places;
    bool started, stopping;
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;
    struct later stopped;
    void (*on_state)(void *ctx, struct backend *b);
    void *watch_ctx;
};

/* ---- fleet.c ---- */
struct fleet_place *place_new(struct fleet *f, const struct config *c, size_t model); /* held by the fleet */
void place_free(struct fleet_place *p);    /* nobody has it any more */
/* A new configuration about a place that runs. After a turn of these: fleet_review(). */
void place_configure(struct fleet_place *p, const struct config *c, size_t model); /* its child can stay */
void place_change(struct fleet_place *p);  /* its child must go; place_renew() comes when it has gone */
void place_remove(struct fleet_place *p);  /* place_gone() comes when nothing is left */
void fleet_review(struct fleet *f);        /* what the configuration in force asks for: what is kept hot is loaded … */

/* ---- world.c ---- */
struct world *world_new(struct fleet *f, const struct config *c); /* c: taken over; its places are for the caller to put in, each with place_hold() */
struct fleet_place *place_hold(struct fleet_place *p);
void place_release(struct fleet_place *p);

/* ---- apply.c ---- */
void place_renew(struct fleet_place *p);   /* nothing of it runs: it is what the configuration in force says from now on */
void place_gone(struct fleet_place *p);    /* out of the fleet */

#endif
