/* Inside the fleet. sched*.c decide, and know nothing of processes; the rest carries out and tells them what came of it:
 *
 *   fleet.c    the whole: made, started, stopped, looked at        orders.c   what the schedule orders, and the clock it is told
 *   place.c    a model's place: its backend's word, its file       budget.c   how much memory there is for models
 *   lines.c    leases and wishes                                   world.c    who has which places
 *   memory.c   what a child has, and that it gives it back         apply.c    a new configuration
 *   turns.c    another build of an engine, one child at a time       hours.c    how long a child was in memory, for the books */
#ifndef HOB_FLEET_INT_H
#define HOB_FLEET_INT_H

#include "backend/host.h"
#include "fleet/budget.h"
#include "fleet/fleet.h"
#include "fleet/measure.h"
#include "model/identity.h"
#include "model/template.h"

/* A look at a model's file, on the pool: what it needs, or why it cannot be run; and how much memory there is. Both at once. */
struct place_look {
    struct work work;
    struct budget_wait budget;
    int parts;                          /* still out; 0 = none is under way */
    bool again;                         /* somebody came too late for this one */
    const struct config *config;        /* held while it runs, and what of it is looked at */
    const struct conf_model *model;
    struct store *store;
    enum err_code rc;
    struct err why;
    struct estimate estimate;
    char file[IDENTITY_HEX];            /* as it was then */
};

/* Is the file another than the one that failed? */
struct place_file {
    struct work work;
    char path[4096], now[IDENTITY_HEX];
    int64_t looked_ms;
};

/* What does the chat template in its file speak of? Known before the first load, so that nothing is loaded for what it cannot do. */
struct place_template {
    struct work work;
    char path[4096];
    bool found;
    struct template_look look;
};

/* Where a model is, by its name: its line, its leases, its backend. It outlives configurations as long as they say the same of it or only change it; a
 * model that goes away and one of its name that is on a host from now on are two places. */
struct fleet_place {
    struct sched_model m;               /* the schedule's */
    struct fleet *fleet;
    struct list node;                   /* among the fleet's, until it is gone */
    size_t holders;                     /* worlds that have it, and the fleet until it is gone */
    struct backend *b;
    struct backend **retired;           /* that it had before, of other kinds: somebody may still look at them */
    size_t nretired;
    struct list wishes;                 /* of people, open */
    bool changed;                       /* its child goes, to come back with other settings: then place_renew() */
    bool queued;                        /* changed, and its child waits for its turn to go: turns.c */
    bool removed;                       /* it serves who waits, then goes: then place_gone() */
    bool gone;                          /* nothing of it is left but what others still look at */
    struct later settle;                /* it is gone, not under its backend's own callback */

    enum backend_state was;             /* the backend's, as last heard */
    bool stopping;                      /* we have told it to go */
    bool adopting;                      /* its child is an earlier gateway's, and not ours yet */
    bool was_hot;                       /* … and that gateway said that it answers */
    struct place_look look;
    struct place_file file;
    struct place_template template;
    struct estimate estimate;           /* of the last look */
    bool estimated;

    struct measure *measure;            /* under way, or NULL */
    struct measure_plan plan;
    enum measure_when measuring;
    bool measure_again;                 /* it was to be measured busy meanwhile */
    int64_t measured_bytes;             /* -1 = not known */
    struct budget_wait back;            /* is its memory back? */
    struct timer look_again;
    int64_t expect_bytes, others_before_bytes, give_up_ms;
    int64_t hot_since_ms;               /* it is in memory, and counted (hours.c) until then; -1 = it is not */

    size_t evictions[LEAVE_STOP + 1];   /* by reason */
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
    struct store *store;
    struct str run_dir;
    struct world *world;
    struct list places;
    struct sched *sched;
    struct budget *budget;
    struct hosts *hosts;
    struct later carry;                 /* orders are carried out at the end of the turn: never under the callback that caused them */
    struct timer tick, refresh, hours;
    int64_t tick_ms;                    /* when the tick is set for; INT64_MAX = it is not */
    bool started, stopping, told_stopped;
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;
    struct later stopped;
    void (*on_state)(void *ctx, struct backend *b);
    void *watch_ctx;

    struct fleet_place *turn;           /* whose child goes and comes back in another build of its engine; NULL: nobody's */
    size_t nqueued;                     /* places that wait for their turn */
    bool turn_told;                     /* that its child does not come up */
    struct later turns;

    bool frozen;                        /* another gateway is about to have the children, or has them */
    struct sched_order *put_off;        /* what was ordered meanwhile */
    size_t nput_off;
};

static inline int64_t fleet_now(const struct fleet *f)
{
    return loop_now_ms(f->loop);
}

/* ---- fleet.c ---- */
void fleet_review(struct fleet *f);        /* after a turn of place_configure(), place_change() and place_remove() */

/* ---- place.c ---- */
struct fleet_place *place_new(struct fleet *f, const struct config *c, size_t model); /* held by the fleet */
void place_free(struct fleet_place *p);    /* nobody has it any more */
/* A new configuration about a place that runs. */
void place_configure(struct fleet_place *p, const struct config *c, size_t model); /* its child can stay */
void place_change(struct fleet_place *p);  /* its child must go; place_renew() comes when it has gone */
void place_remove(struct fleet_place *p);  /* place_gone() comes when nothing is left */
void place_renewed(struct fleet_place *p); /* it is: what it is now */
struct backend *place_backend(struct fleet_place *p, const struct config *c, size_t model); /* a new one for it */
void place_look(struct fleet_place *p);    /* sched_looked() or sched_cannot() follows */
void place_check_file(struct fleet_place *p); /* it has failed, and somebody asks: is the file still the same? */
void place_look_at_template(struct fleet_place *p);
void place_fail(struct fleet_place *p, const struct err *why); /* nothing was started */
bool place_works(const struct fleet_place *p); /* the pool has something of it */

/* ---- memory.c ---- */
void memory_begin(struct fleet_place *p);
void memory_hot(struct fleet_place *p);
void memory_answered(struct fleet_place *p, int64_t input_tokens);
void memory_ended(struct fleet_place *p, const struct err *death); /* its process is gone; death NULL: it was told to */
void memory_reclaim(struct fleet_place *p);                        /* sched_reclaimed() follows */
void memory_end(struct fleet_place *p);

/* ---- hours.c ---- */
void hours_begin(struct fleet *f);
void hours_end(struct fleet *f);
void hours_hot(struct fleet_place *p, int64_t load_ms);            /* -1: it was found loaded */
void hours_ended(struct fleet_place *p);                           /* its process is gone; fine on one that was never hot */
void hours_flush(struct fleet *f);                                 /* what is counted goes to the store */

/* ---- orders.c ---- */
void orders_begin(struct fleet *f);
void orders_end(struct fleet *f);
void fleet_carry(struct fleet *f);         /* after events: at the end of the turn; and the tick is set */

/* ---- lines.c ---- */
void line_settle(struct fleet_place *p, bool load, const struct err *why); /* all wishes of a kind; why NULL: it is so */

/* ---- turns.c ---- */
struct conf_model_change;
void turns_begin(struct fleet *f);
void turns_end(struct fleet *f);
/* A new configuration about a managed place: true when its child goes later, when its turn comes, or need not go any more. False: not for turns. */
bool turns_take(struct fleet_place *p, const struct config *c, size_t model, const struct conf_model_change *change);
void turns_later(struct fleet *f);         /* something has changed that may make it the next one's turn */
void turns_forget(struct fleet_place *p);

/* ---- world.c ---- */
struct world *world_new(struct fleet *f, const struct config *c); /* c: taken over; its places are for the caller to put in, each with place_hold() */
struct fleet_place *place_hold(struct fleet_place *p);
void place_release(struct fleet_place *p);

/* ---- apply.c ---- */
void place_renew(struct fleet_place *p);   /* nothing of it runs: it is what the configuration in force says from now on */
void place_gone(struct fleet_place *p);    /* out of the fleet */

#endif
