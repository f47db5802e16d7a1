/* The schedule: which model is in memory when, and who may use it. Pure: no clock, no loop, no processes. Events go in with the time, orders come
 * out of a queue and are carried out by fleet.c; so a test can drive it through a million steps.
 *
 *              request             sized                room                answers
 *   COLD ─────────────> LOOKING ─────────> WANTING ───────────> LOADING ─────────────> HOT
 *    ^                     │ cannot run       │ nobody waits       │ died                │ chosen as victim, idle, unload
 *    │                     v                  v                    v                     v
 *    │                  FAILED              COLD              FAILED / COLD           LEAVING   (no new leases)
 *    │                                                                                   │ last lease gone, or the drain limit
 *    └──────────── RECLAIM <───────────────────────────────────────────────────────── STOPPING ──> WEDGED (does not die)
 *      memory is seen to be back       process reaped
 *
 * Memory is booked from LOADING to RECLAIM, WEDGED included; the sum of what is booked is never above the budget when a load is ordered.
 * A lease is taken before the load. Nothing leased or pinned is evicted.
 *
 * Who comes next: models that want memory stand in line by their best waiter; a waiter's rank is the time it came plus its class's handicap (chat 0,
 * program one queue.age, background two), so that nobody starves. The head of the line takes victims: HOT, no lease, nobody waiting, longest (idle
 * time / (load time x weight)) first, as many as are needed and none when they are not enough; none within `residency` of its load; none that was in
 * use lately while the last such eviction is younger than `residency`. Once its best waiter is older than queue.age victims may also be in use: they
 * get no more leases, and what they hold ends in its own time. Others may load beside the head only into what it does not need, once it has begun to
 * collect. */
#ifndef HOB_FLEET_SCHED_H
#define HOB_FLEET_SCHED_H

#include "base/err.h"
#include "base/list.h"

#include <stdint.h>

enum sched_state {
    SCHED_COLD, SCHED_LOOKING, SCHED_WANTING, SCHED_LOADING, SCHED_HOT, SCHED_LEAVING, SCHED_STOPPING, SCHED_RECLAIM, SCHED_FAILED, SCHED_WEDGED,
    SCHED_STATES
};
extern const char *const sched_state_name[];

enum caller_class { CALLER_CHAT, CALLER_PROGRAM, CALLER_BACKGROUND };
enum lease_state { LEASE_NONE, LEASE_WAITING, LEASE_HELD };

struct sched;
struct sched_model;

/* Lies inside its owner. */
struct sched_lease {
    struct list node;
    enum lease_state state;
    enum caller_class class;
    int64_t since_ms, rank_ms;          /* began to wait; its place in line */
    int64_t held_ms;                    /* got it */
    struct sched_model *model;
};

enum sched_order_kind {
    ORDER_LOOK,      /* look at the file: sched_looked() */
    ORDER_LOAD,      /* start it: sched_answers(), sched_load_failed() */
    ORDER_STOP,      /* let it go: sched_gone(), or sched_wedged() */
    ORDER_RECLAIM,   /* see that its memory is back: sched_reclaimed() */
    ORDER_GRANT,     /* lease: it is held now */
    ORDER_REFUSE,    /* lease: why */
    ORDER_SETTLED,   /* model: what people asked for (sched_want, sched_unload) is so, or why not */
};
struct sched_order {
    struct list node;
    enum sched_order_kind kind;
    struct sched_model *model;
    struct sched_lease *lease;
    struct err why;                     /* ORDER_REFUSE; ORDER_STOP: the reason in a sentence; ORDER_SETTLED: code ERR_OK = it is so */
};

#endif
