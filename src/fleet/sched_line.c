/* Who waits for a model and who uses it: leases, the line, and what a caller is told who cannot be served. */
#include "fleet/sched_int.h"

static bool has_slot(const struct sched_model *m)
{
    return m->state == SCHED_HOT && (m->slots == 0 || m->nheld < (size_t)m->slots);
}

static void hold(struct sched_model *m, struct sched_lease *l)
{
    l->state = LEASE_HELD;
    l->epoch = m->epoch;
    l->held_ms = m->sched->now_ms;
    m->nheld++;
}

static void leave_line(struct sched_model *m, struct sched_lease *l)
{
    list_remove(&l->node);
    m->nwaiting--;
    m->nriding -= l->rides;
}

void line_grant(struct sched_model *m)
{
    while (m->nwaiting && has_slot(m)) {
        struct sched_lease *l = list_entry(m->line.next, struct sched_lease, node);
        leave_line(m, l);
        hold(m, l);
        list_push(&m->sched->answered, &l->node);
    }
}

static void refuse(struct sched_model *m, struct sched_lease *l)
{
    leave_line(m, l);
    l->state = LEASE_REFUSED;
    list_push(&m->sched->answered, &l->node);
}

void line_refuse(struct sched_model *m, const struct err *why)
{
    if (why != &m->why)
        m->why = *why;
    while (m->nwaiting)
        refuse(m, list_entry(m->line.next, struct sched_lease, node));
}

static enum err_code not_resident(const struct sched_model *m, struct err *e)
{
    err_set(e, ERR_NOT_RESIDENT, "'%.*s' is not in memory, and a background request loads nothing.", STR_ARG(m->set.name));
    err_hint(e, "Ask again while it is loaded, or give it `keep: hot`.");
    e->retry_after_s = 30;
    return e->code;
}

void line_refuse_riders(struct sched_model *m)
{
    struct err e;
    if (!m->nwaiting)
        return;
    not_resident(m, &e);
    line_refuse(m, &e);
}

void line_cut(struct sched_model *m)
{
    m->epoch++;
    m->nheld = 0;
}

int64_t sched_oldest_ms(const struct sched_model *m)
{
    int64_t oldest = INT64_MAX;
    for (const struct list *i = m->line.next; i != &m->line; i = i->next) {
        const struct sched_lease *l = list_entry(i, struct sched_lease, node);
        if (l->since_ms < oldest)
            oldest = l->since_ms;
    }
    return oldest;
}

/* By rank; among equals who came first. Mostly the last: looked for from behind. */
static void stand_in_line(struct sched_model *m, struct sched_lease *l)
{
    struct list *behind = m->line.prev;
    while (behind != &m->line && list_entry(behind, struct sched_lease, node)->rank_ms > l->rank_ms)
        behind = behind->prev;
    list_insert_before(behind->next, &l->node);
    m->nwaiting++;
    m->nriding += l->rides;
}

void sched_lease_init(struct sched_lease *l)
{
    *l = (struct sched_lease){ .state = LEASE_NONE };
    list_init(&l->node);
}

/* ---- asking ---- */

static int64_t wait_ms(const struct sched_model *m, size_t ahead)
{
    int64_t slots = m->slots > 0 ? m->slots : 1;
    return m->service_ms * (int64_t)ahead / slots;
}

static int seconds(int64_t ms)
{
    int64_t s = (ms + 999) / 1000;
    return s < 1 ? 1 : s > 3600 ? 3600 : (int)s;
}

static enum err_code queue_full(const struct sched_model *m, struct err *e)
{
    err_set(e, ERR_QUEUE_FULL, "%zu requests are already waiting for '%.*s'.", m->nwaiting, STR_ARG(m->set.name));
    e->retry_after_s = seconds(wait_ms(m, m->nwaiting));
    return err_hint(e, "Try again later, or raise `queue: {limit: …}`.");
}

/* Before who comes now, in its class. */
static size_t ahead_of(const struct sched_model *m, int64_t rank_ms)
{
    size_t n = 0;
    for (const struct list *i = m->line.next; i != &m->line && list_entry(i, struct sched_lease, node)->rank_ms <= rank_ms; i = i->next)
        n++;
    return n;
}

enum { SEEN_ENOUGH = 4 }; /* requests, before their pace is believed */

/* Who would not be served in time is told so now, and not when that time is up: it can go elsewhere meanwhile, and nobody waits behind it for nothing. The line
 * is looked at only when all of it together would be too long. */
static enum err_code comes_too_late(const struct sched_model *m, const struct sched_lease *l, struct err *e)
{
    int64_t patience = m->set.deadline_ms;
    if (l->patience_ms && (!patience || l->patience_ms < patience))
        patience = l->patience_ms;
    if (!patience || m->state != SCHED_HOT || m->served < SEEN_ENOUGH || wait_ms(m, m->nwaiting) <= patience)
        return ERR_OK;
    size_t ahead = ahead_of(m, m->sched->now_ms + (int64_t)l->class * m->set.age_ms);
    int64_t wait = wait_ms(m, ahead);
    if (wait <= patience)
        return ERR_OK;
    err_set(e, ERR_QUEUE_FULL, "%zu requests are before this one at '%.*s', which takes about %d s; it may wait %d s.", ahead, STR_ARG(m->set.name), seconds(wait),
        seconds(patience));
    e->retry_after_s = seconds(wait - patience);
    return err_hint(e, "Try again later, ask another model, or raise `queue: {deadline: …}`.");
}

/* It has failed, and callers are not to try it yet. */
static bool is_barred(const struct sched_model *m)
{
    switch (m->state) {
    case SCHED_FAILED:
        return m->for_good || m->sched->now_ms < m->retry_ms;
    case SCHED_STOPPING:
    case SCHED_RECLAIM:
        return m->failing;
    case SCHED_WEDGED:
        return true;
    case SCHED_COLD:
    case SCHED_LOOKING:
    case SCHED_WANTING:
    case SCHED_LOADING:
    case SCHED_HOT:
    case SCHED_LEAVING:
    case SCHED_STATES:
        break;
    }
    return false;
}

static enum err_code barred(const struct sched_model *m, struct err *e)
{
    *e = m->why;
    if (!m->for_good && m->retry_ms > m->sched->now_ms)
        e->retry_after_s = seconds(m->retry_ms - m->sched->now_ms);
    return e->code;
}

static enum err_code may_wait(const struct sched_model *m, const struct sched_lease *l, struct err *e)
{
    bool comes = m->state == SCHED_HOT || m->state == SCHED_LOADING;
    if (m->sched->stopping)
        return err_set(e, ERR_SHUTTING_DOWN, "The gateway is shutting down.");
    if (m->removed && !comes)
        return err_set(e, ERR_NO_BACKEND, "'%.*s' is in the configuration no more.", STR_ARG(m->set.name));
    if (is_barred(m))
        return barred(m, e);
    if (l->rides && !comes)
        return not_resident(m, e);
    if ((int64_t)m->nwaiting >= m->set.queue_limit)
        return queue_full(m, e);
    return comes_too_late(m, l, e);
}

enum err_code sched_request(struct sched_model *m, struct sched_lease *l, enum caller_class class, int64_t now_ms, struct err *e)
{
    struct sched *s = m->sched;
    s->now_ms = now_ms;
    l->model = m;
    l->class = class;
    l->rides = l->aside || (class == CALLER_BACKGROUND && !s->limits.background_loads);
    if (!m->nwaiting && has_slot(m) && !s->stopping) {
        hold(m, l);
        return ERR_OK;
    }
    enum err_code rc = may_wait(m, l, e);
    if (rc)
        return rc;
    l->state = LEASE_WAITING;
    l->since_ms = now_ms;
    l->rank_ms = now_ms + (int64_t)class * m->set.age_ms;
    stand_in_line(m, l);
    if (m->state == SCHED_FAILED)
        sched_step(m, EV_WANT);
    sched_follow(m);
    return ERR_OK;
}

/* ---- letting go ---- */

static void smooth_service(struct sched_model *m, int64_t held_ms)
{
    m->service_ms = m->service_ms ? m->service_ms + (held_ms - m->service_ms) / 8 : held_ms;
    if (m->service_ms < 1)
        m->service_ms = 1;
}

static void drop_held(struct sched_model *m, const struct sched_lease *l)
{
    struct sched *s = m->sched;
    if (!l->aside) {
        smooth_service(m, s->now_ms - l->held_ms);
        m->served++;
    }
    if (l->epoch != m->epoch)
        return; /* its child is gone already */
    m->nheld--;
    if (!l->aside)
        m->used_ms = s->now_ms;
    if (m->state == SCHED_HOT && !m->nwaiting && !s->nwanting) {
        if (!m->nheld && m->set.idle_ms && m->set.managed)
            sched_due(s, m->used_ms + m->set.idle_ms);
        if (!m->removed)
            return; /* the short way: nobody gains by it */
    }
    s->dirty = s->dirty || s->nwanting;
    sched_follow(m);
}

void sched_drop(struct sched_lease *l, int64_t now_ms)
{
    struct sched_model *m = l->model;
    enum lease_state was = l->state;
    l->state = LEASE_NONE;
    if (was == LEASE_NONE)
        return;
    m->sched->now_ms = now_ms;
    switch (was) {
    case LEASE_NONE:
        break;
    case LEASE_REFUSED:
        list_remove(&l->node);
        break;
    case LEASE_WAITING:
        leave_line(m, l);
        m->sched->dirty = true;
        sched_follow(m);
        break;
    case LEASE_HELD:
        list_remove(&l->node); /* not told yet */
        drop_held(m, l);
        break;
    }
}

/* ---- figures ---- */

/* What is left of its load; 0 when it is hot. */
static int64_t load_left_ms(const struct sched_model *m, int64_t now_ms)
{
    if (m->state == SCHED_LOADING)
        return m->load_ms > now_ms - m->since_ms ? m->load_ms - (now_ms - m->since_ms) : 0;
    return m->state == SCHED_HOT ? 0 : m->load_ms;
}

int64_t sched_eta_ms(const struct sched_model *m, int64_t now_ms)
{
    if (!m->nwaiting || !m->service_ms)
        return -1;
    return load_left_ms(m, now_ms) + wait_ms(m, m->nwaiting);
}

/* A place without slots takes any number at once, each of them slower for the others: as if it had so many. */
enum { SLOTS_ELSEWHERE = 8, UNMEASURED_SERVICE_MS = 1000 };

int64_t sched_wait_ms(const struct sched_model *m, int64_t now_ms)
{
    int64_t slots = m->slots > 0 ? m->slots : SLOTS_ELSEWHERE, service_ms = m->service_ms ? m->service_ms : UNMEASURED_SERVICE_MS;
    size_t before = m->nheld + m->nwaiting; /* a free slot costs nothing */
    bool up = m->state == SCHED_HOT;
    if (m->set.managed && !up && !m->load_ms)
        return -1;
    if (m->set.managed && up && before < (size_t)slots)
        return 0;
    int64_t line_ms = service_ms * (int64_t)before / slots;
    return m->set.managed ? load_left_ms(m, now_ms) + line_ms : line_ms;
}
