/* The machine: a table of states and events, and what entering a state does. Nothing else changes a state. */
#include "fleet/sched_int.h"

const char *const sched_state_name[] = { "cold", "looking", "wanting", "loading", "hot", "leaving", "stopping", "reclaim", "failed", "wedged" };
const char *const sched_reason_name[] = { "", "room", "idle", "asked", "changed", "removed", "stop" };
const char *const sched_event_name[] = { "want", "abandon", "looked", "cannot", "room", "adopted", "answers", "died", "hung", "leave", "stay", "empty",
    "cut", "gone", "wedged", "reclaimed", "broken", "forgiven" };

bool sched_is_booked(enum sched_state s)
{
    return s == SCHED_LOADING || s == SCHED_HOT || s == SCHED_LEAVING || s == SCHED_STOPPING || s == SCHED_RECLAIM || s == SCHED_WEDGED;
}

static void enter(struct sched_model *m, enum sched_state to) /* the only writer of m->state */
{
    struct sched *s = m->sched;
    s->nwanting -= m->state == SCHED_WANTING;
    s->nwanting += to == SCHED_WANTING;
    m->state = to;
    m->since_ms = s->now_ms;
    s->dirty = true;
}

void sched_book(struct sched_model *m, int64_t bytes)
{
    m->sched->booked_bytes += bytes - m->booked_bytes;
    m->booked_bytes = bytes;
    m->sched->dirty = true;
}

void sched_due(struct sched *s, int64_t at_ms)
{
    if (at_ms < s->due_ms)
        s->due_ms = at_ms;
}

void sched_speak(struct sched_model *m, int what)
{
    if (!m->orders)
        list_push(&m->sched->speaking, &m->speak);
    m->orders |= 1u << what;
}

void sched_unsay(struct sched_model *m, int what)
{
    m->orders &= ~(1u << what);
    if (!m->orders)
        list_remove(&m->speak);
}

void sched_say(struct sched_model *m, enum sched_order_kind kind)
{
    sched_speak(m, (int)kind);
}

/* ---- what entering a state does ---- */

static void look(struct sched_model *m)
{
    m->failing = false;
    m->collected = false;
    m->wanted_ms = m->sched->now_ms;
    sched_say(m, ORDER_LOOK);
}

void sched_tell_not_loaded(struct sched_model *m)
{
    if (m->asked)
        sched_speak(m, SAY_NOT_LOADED);
    m->asked = false;
}

void sched_refuse_all(struct sched_model *m)
{
    sched_tell_not_loaded(m);
    line_refuse(m, &m->why);
}

static void fail_unstarted(struct sched_model *m)
{
    sched_say(m, ORDER_FAILED);
    sched_refuse_all(m);
}

static void book_and_load(struct sched_model *m)
{
    struct sched *s = m->sched;
    if (m->collected) {
        s->contended_ms = s->now_ms;
        s->contended = true;
    }
    sched_book(m, m->bytes);
    sched_say(m, ORDER_LOAD);
}

static void count_adopted(struct sched_model *m)
{
    sched_book(m, m->bytes > 0 ? m->bytes : 0);
    m->uncounted = m->bytes < 0;
}

static void become_hot(struct sched_model *m)
{
    m->hot_ms = m->used_ms = m->sched->now_ms;
    m->short_once = m->tried = false;
    m->resting = false;
    m->leave = LEAVE_NONE;
    if (m->asked)
        sched_speak(m, SAY_LOADED);
    m->asked = false;
}

static void stop(struct sched_model *m)
{
    sched_unsay(m, ORDER_LOAD); /* not even begun */
    m->drain_at_ms = 0;
    sched_say(m, ORDER_STOP);
}

static void cut_and_stop(struct sched_model *m)
{
    line_cut(m);
    stop(m);
}

static void be_stopped(struct sched_model *m) /* somebody else does it */
{
    m->drain_at_ms = 0;
    line_cut(m);
    if (m->failing)
        sched_refuse_all(m);
}

static void reclaim(struct sched_model *m)
{
    line_cut(m);
    m->drain_at_ms = 0;
    sched_unsay(m, ORDER_STOP);
    sched_unsay(m, ORDER_LOAD);
    sched_speak(m, SAY_UNLOADED); /* it runs no more: so was the wish, whoever had one */
    sched_say(m, ORDER_RECLAIM);
    if (m->failing)
        sched_refuse_all(m);
}

static void be_wedged(struct sched_model *m)
{
    line_cut(m);
    sched_speak(m, SAY_NOT_UNLOADED);
    sched_refuse_all(m);
}

static void unbook(struct sched_model *m)
{
    sched_book(m, 0);
    m->uncounted = false;
    m->failing = false;
    m->leave = LEAVE_NONE;
}

static void stay(struct sched_model *m)
{
    m->leave = LEAVE_NONE;
    m->drain_at_ms = 0;
}

void sched_forgive(struct sched_model *m)
{
    m->for_good = m->failing = m->short_once = false; /* not m->tried: what is new is still unproven */
    m->level = 0;
    m->retry_ms = 0;
    m->ndeaths = 0;
}

#define GOES(state, action) { CELL_GOES, state, action }
#define STAYS { CELL_STAYS, 0, NULL }
#define NEVER { CELL_NEVER, 0, NULL }

/* Reports from outside that come late are of no interest (STAYS); what is decided in here fits the state or is a bug (NEVER). */
const struct sched_cell sched_table[SCHED_STATES][SCHED_EVENTS] = {
    [SCHED_COLD] = {
        [EV_WANT] = GOES(SCHED_LOOKING, look), [EV_ABANDON] = STAYS, [EV_LOOKED] = STAYS, [EV_CANNOT] = STAYS, [EV_ROOM] = NEVER,
        [EV_ADOPTED] = GOES(SCHED_LOADING, count_adopted), [EV_ANSWERS] = STAYS, [EV_DIED] = STAYS, [EV_HUNG] = STAYS, [EV_LEAVE] = STAYS,
        [EV_STAY] = NEVER, [EV_EMPTY] = NEVER, [EV_CUT] = STAYS, [EV_GONE] = STAYS, [EV_WEDGED] = STAYS, [EV_RECLAIMED] = STAYS, [EV_BROKEN] = STAYS,
        [EV_FORGIVEN] = STAYS,
    },
    [SCHED_LOOKING] = { /* ends by the look's end alone: so there is never more than one */
        [EV_WANT] = STAYS, [EV_ABANDON] = STAYS, [EV_LOOKED] = GOES(SCHED_WANTING, NULL), [EV_CANNOT] = GOES(SCHED_FAILED, fail_unstarted), [EV_ROOM] = NEVER,
        [EV_ADOPTED] = NEVER, [EV_ANSWERS] = STAYS, [EV_DIED] = STAYS, [EV_HUNG] = STAYS, [EV_LEAVE] = STAYS, [EV_STAY] = NEVER, [EV_EMPTY] = NEVER,
        [EV_CUT] = STAYS, [EV_GONE] = STAYS, [EV_WEDGED] = STAYS, [EV_RECLAIMED] = STAYS, [EV_BROKEN] = STAYS, [EV_FORGIVEN] = STAYS,
    },
    [SCHED_WANTING] = {
        [EV_WANT] = STAYS, [EV_ABANDON] = GOES(SCHED_COLD, NULL), [EV_LOOKED] = STAYS, [EV_CANNOT] = GOES(SCHED_FAILED, fail_unstarted),
        [EV_ROOM] = GOES(SCHED_LOADING, book_and_load), [EV_ADOPTED] = NEVER, [EV_ANSWERS] = STAYS, [EV_DIED] = STAYS, [EV_HUNG] = STAYS,
        [EV_LEAVE] = GOES(SCHED_COLD, NULL), [EV_STAY] = NEVER, [EV_EMPTY] = NEVER, [EV_CUT] = GOES(SCHED_COLD, NULL), [EV_GONE] = STAYS,
        [EV_WEDGED] = STAYS, [EV_RECLAIMED] = STAYS, [EV_BROKEN] = STAYS, [EV_FORGIVEN] = STAYS,
    },
    [SCHED_LOADING] = {
        [EV_WANT] = STAYS, [EV_ABANDON] = STAYS, [EV_LOOKED] = STAYS, [EV_CANNOT] = STAYS, [EV_ROOM] = NEVER, [EV_ADOPTED] = NEVER,
        [EV_ANSWERS] = GOES(SCHED_HOT, become_hot), [EV_DIED] = GOES(SCHED_RECLAIM, reclaim), [EV_HUNG] = GOES(SCHED_STOPPING, be_stopped),
        [EV_LEAVE] = GOES(SCHED_STOPPING, stop), [EV_STAY] = NEVER, [EV_EMPTY] = NEVER, [EV_CUT] = GOES(SCHED_STOPPING, cut_and_stop),
        [EV_GONE] = GOES(SCHED_RECLAIM, reclaim), [EV_WEDGED] = GOES(SCHED_WEDGED, be_wedged), [EV_RECLAIMED] = STAYS, [EV_BROKEN] = STAYS,
        [EV_FORGIVEN] = STAYS,
    },
    [SCHED_HOT] = {
        [EV_WANT] = STAYS, [EV_ABANDON] = STAYS, [EV_LOOKED] = STAYS, [EV_CANNOT] = STAYS, [EV_ROOM] = NEVER, [EV_ADOPTED] = NEVER,
        [EV_ANSWERS] = STAYS, [EV_DIED] = GOES(SCHED_RECLAIM, reclaim), [EV_HUNG] = GOES(SCHED_STOPPING, be_stopped),
        [EV_LEAVE] = GOES(SCHED_LEAVING, NULL), [EV_STAY] = NEVER, [EV_EMPTY] = STAYS, [EV_CUT] = GOES(SCHED_STOPPING, cut_and_stop),
        [EV_GONE] = GOES(SCHED_RECLAIM, reclaim), [EV_WEDGED] = GOES(SCHED_WEDGED, be_wedged), [EV_RECLAIMED] = STAYS, [EV_BROKEN] = STAYS,
        [EV_FORGIVEN] = STAYS,
    },
    [SCHED_LEAVING] = {
        [EV_WANT] = STAYS, [EV_ABANDON] = STAYS, [EV_LOOKED] = STAYS, [EV_CANNOT] = STAYS, [EV_ROOM] = NEVER, [EV_ADOPTED] = NEVER,
        [EV_ANSWERS] = STAYS, [EV_DIED] = GOES(SCHED_RECLAIM, reclaim), [EV_HUNG] = GOES(SCHED_STOPPING, be_stopped), [EV_LEAVE] = STAYS,
        [EV_STAY] = GOES(SCHED_HOT, stay), [EV_EMPTY] = GOES(SCHED_STOPPING, stop), [EV_CUT] = GOES(SCHED_STOPPING, cut_and_stop),
        [EV_GONE] = GOES(SCHED_RECLAIM, reclaim), [EV_WEDGED] = GOES(SCHED_WEDGED, be_wedged), [EV_RECLAIMED] = STAYS, [EV_BROKEN] = STAYS,
        [EV_FORGIVEN] = STAYS,
    },
    [SCHED_STOPPING] = {
        [EV_WANT] = STAYS, [EV_ABANDON] = STAYS, [EV_LOOKED] = STAYS, [EV_CANNOT] = STAYS, [EV_ROOM] = NEVER, [EV_ADOPTED] = NEVER,
        [EV_ANSWERS] = STAYS, [EV_DIED] = GOES(SCHED_RECLAIM, reclaim), [EV_HUNG] = STAYS, [EV_LEAVE] = STAYS, [EV_STAY] = NEVER, [EV_EMPTY] = NEVER,
        [EV_CUT] = STAYS, [EV_GONE] = GOES(SCHED_RECLAIM, reclaim), [EV_WEDGED] = GOES(SCHED_WEDGED, be_wedged), [EV_RECLAIMED] = STAYS,
        [EV_BROKEN] = STAYS, [EV_FORGIVEN] = STAYS,
    },
    [SCHED_RECLAIM] = {
        [EV_WANT] = STAYS, [EV_ABANDON] = STAYS, [EV_LOOKED] = STAYS, [EV_CANNOT] = STAYS, [EV_ROOM] = NEVER, [EV_ADOPTED] = NEVER,
        [EV_ANSWERS] = STAYS, [EV_DIED] = STAYS, [EV_HUNG] = STAYS, [EV_LEAVE] = STAYS, [EV_STAY] = NEVER, [EV_EMPTY] = NEVER, [EV_CUT] = STAYS,
        [EV_GONE] = STAYS, [EV_WEDGED] = STAYS, [EV_RECLAIMED] = GOES(SCHED_COLD, unbook), [EV_BROKEN] = GOES(SCHED_FAILED, unbook),
        [EV_FORGIVEN] = STAYS,
    },
    [SCHED_FAILED] = {
        [EV_WANT] = GOES(SCHED_LOOKING, look), [EV_ABANDON] = STAYS, [EV_LOOKED] = STAYS, [EV_CANNOT] = STAYS, [EV_ROOM] = NEVER,
        [EV_ADOPTED] = GOES(SCHED_LOADING, count_adopted), [EV_ANSWERS] = STAYS, [EV_DIED] = STAYS, [EV_HUNG] = STAYS, [EV_LEAVE] = STAYS,
        [EV_STAY] = NEVER, [EV_EMPTY] = NEVER, [EV_CUT] = GOES(SCHED_COLD, NULL), [EV_GONE] = STAYS, [EV_WEDGED] = STAYS, [EV_RECLAIMED] = STAYS,
        [EV_BROKEN] = STAYS, [EV_FORGIVEN] = GOES(SCHED_COLD, sched_forgive),
    },
    [SCHED_WEDGED] = { /* nothing can be done but wait */
        [EV_WANT] = STAYS, [EV_ABANDON] = STAYS, [EV_LOOKED] = STAYS, [EV_CANNOT] = STAYS, [EV_ROOM] = NEVER, [EV_ADOPTED] = NEVER,
        [EV_ANSWERS] = STAYS, [EV_DIED] = GOES(SCHED_RECLAIM, reclaim), [EV_HUNG] = STAYS, [EV_LEAVE] = STAYS, [EV_STAY] = NEVER, [EV_EMPTY] = NEVER,
        [EV_CUT] = STAYS, [EV_GONE] = GOES(SCHED_RECLAIM, reclaim), [EV_WEDGED] = STAYS, [EV_RECLAIMED] = STAYS, [EV_BROKEN] = STAYS,
        [EV_FORGIVEN] = STAYS,
    },
};

void sched_step(struct sched_model *m, enum sched_event ev)
{
    const struct sched_cell *c = &sched_table[m->state][ev];
    if (c->kind == CELL_STAYS)
        return;
    if (c->kind != CELL_GOES)
        die("the schedule: %s in state %s", sched_event_name[ev], sched_state_name[m->state]);
    enter(m, c->to);
    if (c->act)
        c->act(m);
}
