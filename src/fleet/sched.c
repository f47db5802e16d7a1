/* The schedule's events, from outside and from what follows. Each is noted in the model, goes through the table (sched_table.c), and then sched_follow() draws
 * what follows for this model and for the memory of all. */
#include "fleet/sched_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is wanted ---- */

bool sched_is_pinned(const struct sched_model *m)
{
    return m->set.keep_hot || m->pinned;
}

bool sched_demanded(const struct sched_model *m)
{
    return m->asked || m->nwaiting > m->nriding;
}

bool sched_preloads(const struct sched_model *m)
{
    return sched_is_pinned(m) && !m->resting && !m->removed && m->sched->started && !m->sched->stopping;
}

/* The failed may be tried again: the time is up, or what was in the way may not be any more. */
static bool may_retry(const struct sched_model *m)
{
    return !m->for_good && m->sched->now_ms >= m->retry_ms;
}

static void leave(struct sched_model *m, enum sched_reason why, int64_t drain_ms)
{
    m->leave = why;
    m->leave_text[0] = 0;
    m->drain_at_ms = drain_ms >= 0 ? m->sched->now_ms + drain_ms : 0;
    if (m->drain_at_ms)
        sched_due(m->sched, m->drain_at_ms);
    sched_step(m, EV_LEAVE);
}

static void review_cold(struct sched_model *m)
{
    struct sched *s = m->sched;
    if (m->changed) {
        m->changed = false;
        m->bytes = -1;
        m->at_least_bytes = 0;
        sched_forgive(m);
        sched_say(m, ORDER_RENEW);
    }
    if (sched_demanded(m) && !s->stopping) {
        if (may_retry(m))
            sched_step(m, EV_WANT);
        else
            sched_due(s, m->retry_ms);
    } else {
        line_refuse_riders(m);
        if (m->removed && !m->told_removed) {
            m->told_removed = true;
            sched_say(m, ORDER_REMOVED);
        }
    }
}

static void review_hot(struct sched_model *m)
{
    struct sched *s = m->sched;
    line_grant(m);
    if (m->changed) {
        leave(m, LEAVE_CHANGED, m->set.drain_ms);
    } else if (m->removed && !m->nwaiting) {
        leave(m, LEAVE_REMOVED, m->remove_at_ms > s->now_ms ? m->remove_at_ms - s->now_ms : 0);
    } else if (!m->nheld && m->set.idle_ms && !sched_is_pinned(m) && m->set.managed) {
        if (s->now_ms - m->used_ms >= m->set.idle_ms) {
            leave(m, LEAVE_IDLE, -1);
            snprintf(m->leave_text, sizeof m->leave_text, "nobody asked for %lld s", (long long)((s->now_ms - m->used_ms) / 1000));
        } else {
            sched_due(s, m->used_ms + m->set.idle_ms);
        }
    }
}

/* What follows from how things are with this model by itself, until nothing does. */
static void review(struct sched_model *m)
{
    enum sched_state was;
    do {
        was = m->state;
        switch (m->state) {
        case SCHED_COLD:
            review_cold(m);
            break;
        case SCHED_WANTING:
            if (m->changed || (!sched_demanded(m) && !sched_preloads(m)))
                sched_step(m, EV_ABANDON);
            break;
        case SCHED_LOADING:
            if (m->changed || (m->removed && !m->nwaiting))
                leave(m, m->changed ? LEAVE_CHANGED : LEAVE_REMOVED, -1);
            break;
        case SCHED_HOT:
            review_hot(m);
            break;
        case SCHED_LEAVING:
            if (!m->nheld)
                sched_step(m, EV_EMPTY);
            break;
        case SCHED_FAILED:
            if (m->changed || m->removed)
                sched_step(m, EV_FORGIVEN);
            break;
        case SCHED_LOOKING:
        case SCHED_STOPPING:
        case SCHED_RECLAIM:
        case SCHED_WEDGED:
        case SCHED_STATES:
            break;
        }
    } while (m->state != was);
}

/* After each event: m is whom it was about. */
void sched_follow(struct sched_model *m)
{
    struct sched *s = m->sched;
    review(m);
    while (s->dirty) {
        s->dirty = false;
        room_place(s);
        room_preload(s);
        for (struct list *i = s->models.next; i != &s->models; i = i->next)
            review(list_entry(i, struct sched_model, node));
    }
}

static void follow_all(struct sched *s)
{
    s->dirty = true;
    if (!list_empty(&s->models))
        sched_follow(list_entry(s->models.next, struct sched_model, node));
}

/* ---- failures ---- */

static int64_t backoff_ms(int level)
{
    int64_t ms = SCHED_BACKOFF_MS;
    while (level-- > 0 && ms < SCHED_BACKOFF_LAST_MS)
        ms *= 2;
    return ms < SCHED_BACKOFF_LAST_MS ? ms : SCHED_BACKOFF_LAST_MS;
}

static void back_off(struct sched_model *m)
{
    m->retry_ms = m->sched->now_ms + backoff_ms(m->level++);
    sched_due(m->sched, m->retry_ms);
}

/* Notes a death; true when it was one too many. */
static bool too_many_deaths(struct sched_model *m)
{
    int64_t now = m->sched->now_ms;
    if (m->ndeaths == SCHED_DEATHS) {
        memmove(m->deaths_ms, m->deaths_ms + 1, (SCHED_DEATHS - 1) * sizeof *m->deaths_ms);
        m->ndeaths--;
    }
    m->deaths_ms[m->ndeaths++] = now;
    return m->ndeaths == SCHED_DEATHS && now - m->deaths_ms[0] <= SCHED_DEATHS_MS;
}

/* It died for want of memory: half as much again is booked the next time. True: worth a try at once. */
static bool learn_shortage(struct sched_model *m)
{
    if (m->sched->budget_bytes == SCHED_NO_BUDGET)
        return false;
    int64_t more = m->booked_bytes + m->booked_bytes / 2, room = room_at_most(m);
    if (more > room)
        more = room;
    if (more <= m->booked_bytes)
        return false;
    m->at_least_bytes = more;
    return true;
}

/* Nothing else tries it: who reads why must read this, too. */
static void say_who_tries_it(struct err *why)
{
    static const char who[] = "It has died too often: `hob load` tries it.";
    size_t n = strlen(why->hint);
    if (n + sizeof " " + sizeof who <= sizeof why->hint)
        snprintf(why->hint + n, sizeof why->hint - n, "%s%s", n ? " " : "", who);
}

/* How a child has ended that nobody told to: is it tried again, when, and do those who wait hear of it. */
static void note_death(struct sched_model *m, const struct err *e)
{
    bool was_hot = m->state == SCHED_HOT || m->state == SCHED_LEAVING;
    bool more = !was_hot && e->code == ERR_OUT_OF_MEMORY && learn_shortage(m); /* who was hot had enough: it was killed for others' sake, or by a person */
    m->why = *e;
    m->failing = !was_hot;
    if (was_hot && m->sched->now_ms - m->hot_ms > SCHED_DEATHS_MS)
        m->level = 0;
    if (too_many_deaths(m)) {
        m->for_good = m->failing = true;
        say_who_tries_it(&m->why);
    } else if (m->tried && !was_hot) {
        m->tried = m->failing = false;
        back_off(m);
    } else if (more && !m->short_once) {
        m->short_once = true;
        m->failing = false;
        m->retry_ms = m->sched->now_ms;
    } else if (was_hot && !m->level) {
        m->level = 1; /* the first is forgiven */
        m->retry_ms = m->sched->now_ms;
    } else {
        back_off(m);
    }
}

/* ---- events from outside ---- */

void sched_looked(struct sched_model *m, int64_t bytes, int64_t now_ms)
{
    m->sched->now_ms = now_ms;
    if (m->state == SCHED_LOOKING)
        m->bytes = bytes > m->at_least_bytes ? bytes : m->at_least_bytes;
    sched_step(m, EV_LOOKED);
    sched_follow(m);
}

void sched_cannot(struct sched_model *m, const struct err *e, int64_t now_ms)
{
    m->sched->now_ms = now_ms;
    if (m->state == SCHED_LOOKING) {
        m->why = *e;
        back_off(m);
    }
    sched_step(m, EV_CANNOT);
    sched_follow(m);
}

void sched_answers(struct sched_model *m, int64_t slots, int64_t load_ms, int64_t now_ms)
{
    m->sched->now_ms = now_ms;
    if (m->state == SCHED_LOADING) {
        m->slots = slots;
        m->load_ms = load_ms;
    }
    sched_step(m, EV_ANSWERS);
    sched_follow(m);
}

void sched_died(struct sched_model *m, const struct err *e, int64_t now_ms)
{
    m->sched->now_ms = now_ms;
    if (m->state == SCHED_LOADING || m->state == SCHED_HOT || m->state == SCHED_LEAVING)
        note_death(m, e);
    sched_step(m, EV_DIED);
    sched_follow(m);
}

void sched_hung(struct sched_model *m, const struct err *e, int64_t now_ms)
{
    m->sched->now_ms = now_ms;
    if (e && (m->state == SCHED_LOADING || m->state == SCHED_HOT || m->state == SCHED_LEAVING))
        note_death(m, e);
    sched_step(m, EV_HUNG);
    sched_follow(m);
}

void sched_gone(struct sched_model *m, int64_t now_ms)
{
    m->sched->now_ms = now_ms;
    sched_step(m, EV_GONE);
    sched_follow(m);
}

void sched_wedged(struct sched_model *m, const struct err *e, int64_t now_ms)
{
    m->sched->now_ms = now_ms;
    if (sched_table[m->state][EV_WEDGED].kind == CELL_GOES)
        m->why = *e;
    sched_step(m, EV_WEDGED);
    sched_follow(m);
}

void sched_reclaimed(struct sched_model *m, int64_t now_ms)
{
    m->sched->now_ms = now_ms;
    sched_step(m, m->failing ? EV_BROKEN : EV_RECLAIMED);
    sched_follow(m);
}

void sched_adopted(struct sched_model *m, int64_t bytes, int64_t now_ms)
{
    m->sched->now_ms = now_ms;
    m->bytes = bytes;
    sched_step(m, EV_ADOPTED);
    sched_follow(m);
}

void sched_measured(struct sched_model *m, int64_t bytes, int64_t now_ms)
{
    m->sched->now_ms = now_ms;
    if (!sched_is_booked(m->state))
        return;
    m->at_least_bytes = 0;
    m->uncounted = false;
    sched_book(m, bytes);
    sched_follow(m);
}

void sched_learned(struct sched_model *m)
{
    m->at_least_bytes = 0;
}

void sched_file_changed(struct sched_model *m, int64_t now_ms)
{
    m->sched->now_ms = now_ms;
    m->at_least_bytes = 0;
    sched_step(m, EV_FORGIVEN);
    sched_follow(m);
}

void sched_want(struct sched_model *m, bool pin, int64_t now_ms)
{
    m->sched->now_ms = now_ms;
    m->asked = true;
    m->asked_ms = now_ms;
    m->resting = false;
    m->pinned = m->pinned || pin;
    sched_forgive(m);
    if (m->state == SCHED_HOT) {
        m->asked = false;
        sched_speak(m, SAY_LOADED);
    } else if (m->state == SCHED_WEDGED) {
        sched_tell_not_loaded(m);
    } /* what is leaving goes all the same, and comes back */
    sched_step(m, EV_FORGIVEN);
    sched_follow(m);
}

/* It is leaving already, maybe for room and without a limit: now there is one, and it does not stay any more. */
static void leave_within(struct sched_model *m, enum sched_reason why, int64_t drain_ms)
{
    int64_t at = m->sched->now_ms + drain_ms;
    m->leave = why;
    if (!m->drain_at_ms || at < m->drain_at_ms)
        m->drain_at_ms = at;
    sched_due(m->sched, m->drain_at_ms);
}

static void unload_running(struct sched_model *m)
{
    if (m->state == SCHED_LEAVING)
        leave_within(m, LEAVE_ASKED, m->set.drain_ms);
    else if (m->state == SCHED_HOT || m->state == SCHED_LOADING)
        leave(m, LEAVE_ASKED, m->state == SCHED_HOT ? m->set.drain_ms : -1);
}

void sched_unload(struct sched_model *m, int64_t now_ms)
{
    m->sched->now_ms = now_ms;
    m->resting = true;
    m->pinned = false;
    err_set(&m->why, ERR_NO_BACKEND, "'%.*s' was unloaded before it was ready.", STR_ARG(m->set.name));
    sched_tell_not_loaded(m);
    m->failing = false;
    if (sched_is_booked(m->state))
        unload_running(m);
    else
        sched_speak(m, SAY_UNLOADED);
    if (m->state == SCHED_RECLAIM)
        sched_speak(m, SAY_UNLOADED);
    if (m->state == SCHED_WEDGED)
        sched_speak(m, SAY_NOT_UNLOADED);
    sched_step(m, EV_FORGIVEN);
    sched_follow(m);
}

/* Its time is up: once. Else it is looked at again when it is. */
static bool is_due(struct sched *s, int64_t *at_ms)
{
    if (!*at_ms)
        return false;
    if (s->now_ms < *at_ms) {
        sched_due(s, *at_ms);
        return false;
    }
    *at_ms = 0;
    return true;
}

static void cut(struct sched_model *m)
{
    if (m->state != SCHED_LEAVING && m->state != SCHED_HOT)
        return;
    snprintf(m->leave_text, sizeof m->leave_text, "%zu requests did not finish within the drain limit and are cut", m->nheld);
    sched_step(m, EV_CUT);
}

void sched_tick(struct sched *s, int64_t now_ms)
{
    s->now_ms = now_ms;
    s->due_ms = INT64_MAX;
    for (struct list *i = s->models.next; i != &s->models; i = i->next) {
        struct sched_model *m = list_entry(i, struct sched_model, node);
        if (is_due(s, &m->remove_at_ms)) {
            m->leave = LEAVE_REMOVED;
            err_set(&m->why, ERR_NO_BACKEND, "'%.*s' is in the configuration no more.", STR_ARG(m->set.name));
            line_refuse(m, &m->why);
            cut(m);
        }
        if (is_due(s, &m->drain_at_ms))
            cut(m);
    }
    follow_all(s);
}

/* ---- the whole ---- */

struct sched *sched_new(void)
{
    struct sched *s = calloc(1, sizeof *s);
    if (!s)
        die("out of memory for the schedule");
    list_init(&s->models);
    list_init(&s->speaking);
    list_init(&s->answered);
    s->due_ms = INT64_MAX;
    s->budget_bytes = SCHED_NO_BUDGET;
    return s;
}

void sched_free(struct sched *s)
{
    free(s);
}

void sched_limit(struct sched *s, const struct sched_limits *l, int64_t now_ms)
{
    s->now_ms = now_ms;
    s->limits = *l;
    follow_all(s);
}

void sched_budget(struct sched *s, int64_t bytes, int64_t now_ms)
{
    s->now_ms = now_ms;
    s->budget_bytes = bytes;
    follow_all(s);
}

void sched_start(struct sched *s, int64_t now_ms)
{
    s->now_ms = now_ms;
    s->started = true;
    follow_all(s);
}

void sched_stop(struct sched *s, int64_t now_ms)
{
    s->now_ms = now_ms;
    s->stopping = true;
    for (struct list *i = s->models.next; i != &s->models; i = i->next) {
        struct sched_model *m = list_entry(i, struct sched_model, node);
        err_set(&m->why, ERR_SHUTTING_DOWN, "The gateway is shutting down.");
        sched_refuse_all(m);
        m->leave = LEAVE_STOP;
        snprintf(m->leave_text, sizeof m->leave_text, "the gateway ends");
        if (m->set.managed)
            sched_step(m, EV_CUT);
    }
    follow_all(s);
}

bool sched_is_down(const struct sched *s)
{
    for (const struct list *i = s->models.next; i != &s->models; i = i->next) {
        const struct sched_model *m = list_entry(i, struct sched_model, node);
        if (m->set.managed && m->state != SCHED_COLD && m->state != SCHED_FAILED && m->state != SCHED_WEDGED)
            return false;
    }
    return true;
}

int64_t sched_booked(const struct sched *s)
{
    return s->booked_bytes;
}

int64_t sched_total(const struct sched *s)
{
    return s->budget_bytes;
}

bool sched_lacks_room(const struct sched *s)
{
    return s->nwanting > 0;
}

bool sched_could_use_room(const struct sched *s)
{
    bool could = s->nwanting > 0;
    for (const struct list *i = s->models.next; i != &s->models; i = i->next) {
        const struct sched_model *m = list_entry(i, struct sched_model, node);
        could = could || (m->state == SCHED_FAILED && m->why.code == ERR_DOES_NOT_FIT && sched_preloads(m));
    }
    return could;
}

int64_t sched_due_ms(const struct sched *s)
{
    return s->due_ms;
}

void sched_add(struct sched *s, struct sched_model *m, const struct sched_settings *set, int64_t now_ms)
{
    s->now_ms = now_ms;
    m->sched = s;
    m->set = *set;
    m->slots = set->slots;
    m->bytes = -1;
    list_init(&m->line);
    list_init(&m->speak);
    list_push(&s->models, &m->node);
    m->state = set->managed ? SCHED_COLD : SCHED_HOT;
    m->since_ms = now_ms;
    follow_all(s);
}

void sched_configure(struct sched_model *m, const struct sched_settings *set, int64_t now_ms)
{
    m->sched->now_ms = now_ms;
    m->set = *set;
    if (!set->managed)
        m->slots = set->slots; /* a child of ours keeps those that it has */
    m->removed = m->told_removed = false;
    m->remove_at_ms = 0;
    if (m->state == SCHED_LEAVING && m->leave == LEAVE_REMOVED) /* it was to go, and is back in time */
        sched_step(m, EV_STAY);
    follow_all(m->sched);
}

void sched_change(struct sched_model *m, const struct sched_settings *set, int64_t now_ms)
{
    m->sched->now_ms = now_ms;
    m->set = *set;
    m->removed = m->told_removed = false;
    m->remove_at_ms = 0;
    m->changed = true;
    if (m->state == SCHED_LEAVING)
        leave_within(m, LEAVE_CHANGED, set->drain_ms);
    follow_all(m->sched);
}

void sched_try(struct sched_model *m)
{
    m->tried = true;
}

void sched_remove(struct sched_model *m, int64_t now_ms)
{
    struct sched *s = m->sched;
    if (m->removed)
        return;
    s->now_ms = now_ms;
    m->removed = true;
    m->changed = m->pinned = false;
    m->remove_at_ms = now_ms + m->set.drain_ms;
    sched_due(s, m->remove_at_ms);
    err_set(&m->why, ERR_NO_BACKEND, "'%.*s' is in the configuration no more.", STR_ARG(m->set.name));
    sched_tell_not_loaded(m);
    follow_all(s);
}

void sched_forget(struct sched_model *m)
{
    sched_book(m, 0);
    m->sched->nwanting -= m->state == SCHED_WANTING;
    list_remove(&m->speak);
    list_remove(&m->node);
}

/* ---- orders ---- */

static void fill_order(struct sched_model *m, int what, struct sched_order *out)
{
    out->model = m;
    if (what == SAY_NOT_LOADED || what == SAY_NOT_UNLOADED || what == ORDER_FAILED)
        out->why = m->why;
    if (what > ORDER_LOAD) {
        out->kind = ORDER_SETTLED;
        out->load = what == SAY_LOADED || what == SAY_NOT_LOADED;
        return;
    }
    out->kind = (enum sched_order_kind)what;
    if (out->kind == ORDER_STOP) {
        out->reason = m->leave;
        memcpy(out->why.text, m->leave_text, sizeof m->leave_text);
    }
}

bool sched_has_orders(const struct sched *s)
{
    return !list_empty(&s->answered) || !list_empty(&s->speaking);
}

bool sched_next(struct sched *s, struct sched_order *out)
{
    if (!sched_has_orders(s))
        return false;
    *out = (struct sched_order){ .lease = NULL };
    if (!list_empty(&s->answered)) {
        struct sched_lease *l = list_entry(s->answered.next, struct sched_lease, node);
        list_remove(&l->node);
        out->kind = l->state == LEASE_HELD ? ORDER_GRANT : ORDER_REFUSE;
        out->lease = l;
        out->model = l->model;
        if (l->state == LEASE_REFUSED) {
            out->why = l->model->why;
            l->state = LEASE_NONE;
        }
        return true;
    }
    static const int in_turn[] = { SAY_LOADED, SAY_NOT_LOADED, SAY_UNLOADED, SAY_NOT_UNLOADED, /* they are about what was */
        ORDER_STOP, ORDER_FAILED, ORDER_RECLAIM, ORDER_RENEW, ORDER_REMOVED, ORDER_LOOK, ORDER_LOAD };
    struct sched_model *m = list_entry(s->speaking.next, struct sched_model, speak);
    size_t i = 0;
    while (!(m->orders & 1u << in_turn[i]))
        i++;
    sched_unsay(m, in_turn[i]);
    fill_order(m, in_turn[i], out);
    return true;
}
