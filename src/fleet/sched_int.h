/* Between the parts of the schedule: sched_table.c (the machine), sched.c (its events), sched_line.c (leases and who waits), sched_room.c (memory). */
#ifndef HOB_FLEET_SCHED_INT_H
#define HOB_FLEET_SCHED_INT_H

#include "fleet/sched.h"

struct sched {
    struct list models;
    struct list speaking;               /* models that have orders */
    struct list answered;               /* leases that were granted or refused, to be told */
    int64_t now_ms;
    int64_t due_ms;
    int64_t budget_bytes, booked_bytes;
    struct sched_limits limits;
    size_t nwanting;
    int64_t contended_ms;               /* last taking of what was in use lately, or the load it was for */
    bool contended;                     /* there was one */
    unsigned round;
    bool started, stopping;
    bool dirty;                         /* something changed that may make room, or need it */
};

/* What happens to a model; made by the public events, and by what is found out here. */
enum sched_event {
    EV_WANT,            /* somebody needs it in memory */
    EV_ABANDON,         /* nobody does any more */
    EV_LOOKED,
    EV_CANNOT,          /* it cannot run, or cannot fit */
    EV_ROOM,            /* there is room for it */
    EV_ADOPTED,
    EV_ANSWERS,
    EV_DIED,
    EV_HUNG,
    EV_LEAVE,           /* no more leases; goes when the last has ended */
    EV_STAY,            /* after all */
    EV_EMPTY,           /* the last lease has ended */
    EV_CUT,             /* goes now, leases or not */
    EV_GONE,
    EV_WEDGED,
    EV_RECLAIMED,
    EV_BROKEN,          /* memory is back, and it had failed */
    EV_FORGIVEN,        /* a failure is forgotten */
    SCHED_EVENTS
};
extern const char *const sched_event_name[];

enum cell_kind { CELL_UNSET, CELL_GOES, CELL_STAYS, CELL_NEVER /* cannot happen: a bug */ };
struct sched_cell {
    enum cell_kind kind;
    enum sched_state to;
    void (*act)(struct sched_model *m); /* after it has entered; may be NULL */
};
extern const struct sched_cell sched_table[SCHED_STATES][SCHED_EVENTS];

/* ---- sched_table.c ---- */
enum { SAY_LOADED = ORDER_LOAD + 1, SAY_NOT_LOADED, SAY_UNLOADED, SAY_NOT_UNLOADED }; /* ORDER_SETTLED, as bits of m->orders */
void sched_step(struct sched_model *m, enum sched_event ev);
void sched_say(struct sched_model *m, enum sched_order_kind kind);
void sched_due(struct sched *s, int64_t at_ms);                 /* tick not later than that */
void sched_book(struct sched_model *m, int64_t bytes);          /* the only writer of what is booked */
void sched_speak(struct sched_model *m, int what);              /* an order, or SAY_… */
void sched_unsay(struct sched_model *m, int what);
bool sched_is_booked(enum sched_state s);
void sched_tell_not_loaded(struct sched_model *m);              /* who asked for its load, m->why */
void sched_refuse_all(struct sched_model *m);                   /* and all who wait */
void sched_forgive(struct sched_model *m);                      /* what it has failed of */

/* ---- sched.c ---- */
void sched_follow(struct sched_model *m);                       /* at the end of each event: what follows from it, for m and for all */
bool sched_demanded(const struct sched_model *m);               /* somebody waits for it who may cause a load */
bool sched_preloads(const struct sched_model *m);               /* it is to be in memory without being asked for */

/* ---- sched_line.c ---- */
void line_grant(struct sched_model *m);
void line_refuse(struct sched_model *m, const struct err *why); /* all who wait */
void line_refuse_riders(struct sched_model *m);                 /* who waited for what others have loaded, and they do not any more */
void line_cut(struct sched_model *m);                           /* leases that are held count no more */

/* ---- sched_room.c ---- */
int64_t room_at_most(const struct sched_model *m);              /* what all that cannot go leave for it */
void room_place(struct sched *s);                               /* who can load loads, who must go goes */
void room_preload(struct sched *s);                             /* the next of what is kept hot begins */

#endif
