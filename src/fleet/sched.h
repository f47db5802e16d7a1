/* The schedule: which model is in memory when, and who may use it. Pure: no clock, no loop, no processes. Events go in with the time, orders come
 * out of a queue and are carried out by fleet.c; so a test can drive it through a million steps.
 *
 *              request             sized                room                answers
 *   COLD ─────────────> LOOKING ─────────> WANTING ───────────> LOADING ─────────────> HOT
 *    ^                     │ cannot run       │ nobody waits       │ died, unload        │ chosen as victim, idle, unload
 *    │                     v                  v                    v                     v
 *    │                  FAILED              COLD            RECLAIM / STOPPING        LEAVING   (no new leases)
 *    │                                                                                   │ last lease gone, or the drain limit
 *    └──────────── RECLAIM <───────────────────────────────────────────────────────── STOPPING ──> WEDGED (does not die)
 *      memory is seen to be back       process reaped (from LOADING, HOT and LEAVING too: it died)
 *
 * Memory is booked from LOADING to RECLAIM, WEDGED included; the sum of what is booked is never above the budget when a load is ordered.
 * A lease is taken before the load. Nothing leased or pinned is evicted.
 *
 * Who comes next: models that want memory stand in line by their best waiter; a waiter's rank is the time it came plus its class's handicap (chat 0,
 * program one queue.age, background two), so that nobody starves. What is only kept hot comes behind all who wait, one at a time. The head of the line
 * takes victims: HOT, no lease, nobody waiting, longest (idle time / (load time x weight)) first, as many as are needed and none when they are not
 * enough; none within `residency` of its load; none that was in use lately (within one `residency` more than there are models in memory: then it may be
 * waiting for its next turn) while the last such eviction, or the load it made room for, is younger than `residency`. Once a waiter of the head is older
 * than queue.age victims may also be in use: they get no more leases, and what they hold ends in its own time; and where queue.age is shorter than
 * `residency` it stands in for it. Others may load beside the head: into what is free while it can collect nothing yet and is not older than queue.age
 * (it may take them later), and once it has begun to collect into what it does not need. When nobody needs the room any more, who was leaving for it
 * stays.
 */
#ifndef HOB_FLEET_SCHED_H
#define HOB_FLEET_SCHED_H

#include "base/err.h"
#include "base/list.h"
#include "base/str.h"

enum sched_state {
    SCHED_COLD, SCHED_LOOKING, SCHED_WANTING, SCHED_LOADING, SCHED_HOT, SCHED_LEAVING, SCHED_STOPPING, SCHED_RECLAIM, SCHED_FAILED, SCHED_WEDGED,
    SCHED_STATES
};
extern const char *const sched_state_name[];

enum caller_class { CALLER_CHAT, CALLER_PROGRAM, CALLER_BACKGROUND, CALLER_CLASSES };
enum lease_state { LEASE_NONE, LEASE_WAITING, LEASE_HELD, LEASE_REFUSED /* and not told yet: its owner never sees this */ };

struct sched;
struct sched_model;

/* Lies inside its owner; sched_lease_init() before its first use. */
struct sched_lease {
    struct list node;
    enum lease_state state;
    enum caller_class class;
    bool aside;                         /* its owner's word, before it is asked for: it causes no load, and is no use of the model: what is idle stays so */
    bool rides;                         /* may not cause a load itself */
    unsigned epoch;                     /* the model's: a lease that outlives the child it was held on counts no more */
    int64_t since_ms, rank_ms;          /* began to wait; its place in line */
    int64_t held_ms;                    /* got it */
    int64_t patience_ms;                /* how long its owner would wait at most; 0 = as long as the model's line has it */
    struct sched_model *model;
};

/* What the configuration says of a model, as far as it matters here. */
struct sched_settings {
    struct str name;                    /* must live as long as the model */
    bool managed;                       /* a child of ours; else it is hot for ever, needs no memory and has no slots */
    bool keep_hot;
    int64_t slots;                      /* requests at a time; 0 = no limit */
    int64_t idle_ms;                    /* unloaded after so long without a request; 0 = never */
    int64_t drain_ms;                   /* how long requests may go on when it is unloaded by hand, changed or removed */
    int64_t weight;                     /* how dear it is to lose: 100 is ordinary */
    int64_t queue_limit, age_ms, deadline_ms; /* deadline 0: whoever waits, waits */
    size_t order;                       /* among what is kept hot: lower comes first */
};

enum sched_reason { LEAVE_NONE, LEAVE_ROOM, LEAVE_IDLE, LEAVE_ASKED, LEAVE_CHANGED, LEAVE_REMOVED, LEAVE_STOP };
extern const char *const sched_reason_name[];

enum { SCHED_DEATHS = 5, SCHED_DEATHS_MS = 60 * 1000, SCHED_BACKOFF_MS = 200, SCHED_BACKOFF_LAST_MS = 30 * 1000 };

/* To be read by anybody, written by sched*.c alone. */
struct sched_model {
    struct list node;                   /* among all */
    struct sched *sched;
    struct sched_settings set;
    enum sched_state state;             /* enter() is its only writer */
    int64_t since_ms;                   /* in this state */

    struct list line;                   /* who waits, best rank first */
    size_t nwaiting, nriding;           /* of them, who may not cause a load */
    size_t nheld;                       /* leases on the child that runs */
    unsigned epoch;                     /* of the child */
    int64_t slots;                      /* as the engine says */
    int64_t hot_ms, used_ms;            /* since when it answers; when the last lease ended or it became hot */
    int64_t load_ms;                    /* how long its last load took; 0 = it had none */
    int64_t service_ms;                 /* how long a lease is held, smoothed; 0 = none ended yet */
    int64_t served;                     /* leases that have ended */

    int64_t bytes;                      /* what it should need; -1 = not looked at */
    int64_t at_least_bytes;             /* with less it died; 0 = it did not */
    int64_t booked_bytes;
    bool uncounted;                     /* it was taken over, and what it has is not booked yet */

    bool asked;                         /* a person waits for its load */
    int64_t asked_ms;
    bool pinned;                        /* by a person: kept as if by `keep: hot` */
    bool resting;                       /* unloaded by hand: not kept hot until somebody wants it again */
    bool changed;                       /* goes, to come back with other settings */
    bool removed, told_removed;         /* goes once its line is served, and does not come back */
    int64_t wanted_ms;                  /* since when it wants memory */
    bool collected;                     /* has taken victims that were in use lately */
    unsigned round;                     /* room_place() has seen it */

    enum sched_reason leave;
    int64_t drain_at_ms;                /* LEAVING: leases are cut then; 0 = never */
    int64_t remove_at_ms;               /* removed: the line is refused and leases are cut then; 0 = done */
    char leave_text[256];

    struct err why;                     /* of the last failure: what waiters were and callers are told */
    bool failing;                       /* in RECLAIM: FAILED comes next */
    bool for_good;                      /* too many deaths: until told otherwise */
    bool tried;                         /* with settings that nobody has seen work: who waits does not hear of the first load that fails */
    bool short_once;                    /* died for want of memory, and is tried once more */
    int level;                          /* of backing off */
    int64_t retry_ms;                   /* not before */
    int64_t deaths_ms[SCHED_DEATHS];    /* oldest first */
    size_t ndeaths;

    struct list speak;                  /* has orders */
    unsigned orders;
};

/* ---- the whole ---- */

struct sched *sched_new(void);
void sched_free(struct sched *s);       /* models are their owners'; NULL is fine */
struct sched_limits {
    int64_t residency_ms;
    bool background_loads;
};
void sched_limit(struct sched *s, const struct sched_limits *l, int64_t now_ms);
enum { SCHED_NO_BUDGET = -1 };          /* admission is off: everything fits */
void sched_budget(struct sched *s, int64_t bytes, int64_t now_ms);
void sched_start(struct sched *s, int64_t now_ms); /* from now on what is kept hot is loaded */
void sched_stop(struct sched *s, int64_t now_ms);  /* refuses and stops everything, leases or not */
bool sched_is_down(const struct sched *s);         /* nothing runs, is booked or looked at but what is wedged */
int64_t sched_booked(const struct sched *s);
int64_t sched_total(const struct sched *s);        /* the budget, or SCHED_NO_BUDGET */
bool sched_lacks_room(const struct sched *s);      /* somebody waits for memory */
bool sched_could_use_room(const struct sched *s);  /* or is kept hot and did not fit: walks over all */

void sched_add(struct sched *s, struct sched_model *m, const struct sched_settings *set, int64_t now_ms); /* m zeroed */
void sched_configure(struct sched_model *m, const struct sched_settings *set, int64_t now_ms); /* other settings, for which its child can stay */
void sched_change(struct sched_model *m, const struct sched_settings *set, int64_t now_ms);    /* … for which it must go: ORDER_RENEW */
void sched_try(struct sched_model *m);             /* after that: until it answers, a first load that fails is tried again, and no waiter is told */
void sched_remove(struct sched_model *m, int64_t now_ms);                                      /* ORDER_REMOVED */
void sched_forget(struct sched_model *m);          /* out of the schedule: after ORDER_REMOVED, or with the whole; its leases must be gone */

/* ---- events ---- */

void sched_lease_init(struct sched_lease *l);
/* Sets l->state to LEASE_HELD or LEASE_WAITING (then ORDER_GRANT or ORDER_REFUSE comes), or says why not. */
enum err_code sched_request(struct sched_model *m, struct sched_lease *l, enum caller_class class, int64_t now_ms, struct err *e)
    __attribute__((warn_unused_result));
void sched_drop(struct sched_lease *l, int64_t now_ms);          /* any state */
void sched_want(struct sched_model *m, bool pin, int64_t now_ms); /* by a person: past failures are forgotten. ORDER_SETTLED */
void sched_unload(struct sched_model *m, int64_t now_ms);        /* by a person. ORDER_SETTLED */

void sched_looked(struct sched_model *m, int64_t bytes, int64_t now_ms);            /* ORDER_LOOK: it needs so much; 0 = nobody knows */
void sched_cannot(struct sched_model *m, const struct err *e, int64_t now_ms);      /* ORDER_LOOK: it cannot be run */
void sched_answers(struct sched_model *m, int64_t slots, int64_t load_ms, int64_t now_ms);
void sched_died(struct sched_model *m, const struct err *e, int64_t now_ms);        /* while loading (the load failed) or hot; it is reaped */
void sched_hung(struct sched_model *m, const struct err *e, int64_t now_ms);        /* as died, but it is being stopped: gone or wedged comes. e NULL: for no
                                                                                       fault of its own */
void sched_gone(struct sched_model *m, int64_t now_ms);                             /* ORDER_STOP: it is reaped */
void sched_wedged(struct sched_model *m, const struct err *e, int64_t now_ms);      /* ORDER_STOP: it does not die */
void sched_reclaimed(struct sched_model *m, int64_t now_ms);                        /* ORDER_RECLAIM: done */
/* Cold, but its child runs: as if loading. bytes -1: nobody has looked yet; until sched_measured() nobody is given room. */
void sched_adopted(struct sched_model *m, int64_t bytes, int64_t now_ms);
void sched_measured(struct sched_model *m, int64_t bytes, int64_t now_ms);          /* what is booked for it from now on */
void sched_learned(struct sched_model *m);                                          /* it has been measured: what a death had taught is forgotten */
void sched_file_changed(struct sched_model *m, int64_t now_ms);                     /* failures and figures of the old file are forgotten */

void sched_tick(struct sched *s, int64_t now_ms);
int64_t sched_due_ms(const struct sched *s);      /* when to tick; INT64_MAX = no need */

/* ---- orders ---- */

enum sched_order_kind {
    ORDER_GRANT,     /* lease: it is held now */
    ORDER_REFUSE,    /* lease: why */
    ORDER_SETTLED,   /* model: what people asked for (load: sched_want, else sched_unload) is so, or why not */
    ORDER_STOP,      /* let it go: sched_gone(), or sched_wedged(). It may never have been started: then it is gone at once */
    ORDER_FAILED,    /* model: it will not be loaded, why: nothing was started */
    ORDER_RECLAIM,   /* see that its memory is back: sched_reclaimed() */
    ORDER_RENEW,     /* nothing of it runs: the new settings are in force from now on */
    ORDER_REMOVED,   /* nothing of it is left: sched_forget() */
    ORDER_LOOK,      /* look at the file: sched_looked(), sched_cannot() */
    ORDER_LOAD,      /* start it: sched_answers(), sched_died() */
};
struct sched_order {
    enum sched_order_kind kind;
    struct sched_model *model;
    struct sched_lease *lease;
    bool load;                          /* ORDER_SETTLED */
    enum sched_reason reason;           /* ORDER_STOP */
    struct err why;                     /* ORDER_REFUSE, ORDER_FAILED; ORDER_SETTLED: code ERR_OK = it is so; ORDER_STOP: text, the reason in a sentence */
};
bool sched_next(struct sched *s, struct sched_order *out); /* false: none left */
bool sched_has_orders(const struct sched *s);

/* ---- figures ---- */

int64_t sched_eta_ms(const struct sched_model *m, int64_t now_ms);   /* until who comes last in line is served; -1 = nobody waits, or nobody knows */
int64_t sched_wait_ms(const struct sched_model *m, int64_t now_ms);  /* until one who came now would be served; -1 = nobody knows how long its load takes */
int64_t sched_oldest_ms(const struct sched_model *m);                /* when the one who waits longest came; INT64_MAX = nobody waits */
bool sched_is_pinned(const struct sched_model *m);                   /* by a person or by `keep: hot` */

#endif
