/* Memory: who gets room, in which order, and who has to go for it. Looked at again whenever something has changed that may make room or need it; a
 * look walks over the models, of which there are some dozens at most. */
#include "fleet/sched_int.h"

#include <stdio.h>

enum { VICTIMS_MAX = 64 };

/* ---- sizes for people ---- */

struct size_text {
    char text[24];
};

static struct size_text size(int64_t bytes)
{
    struct size_text t;
    double b = (double)(bytes > 0 ? bytes : 0);
    if (b >= 0.95 * (double)GIB)
        snprintf(t.text, sizeof t.text, "%.1f GiB", b / (double)GIB);
    else
        snprintf(t.text, sizeof t.text, "%.0f MiB", b / (double)MIB);
    return t;
}

/* ---- who comes first ---- */

/* Far behind everybody who waits. */
static const int64_t preload_rank = INT64_MAX / 2;

static int64_t rank_of(const struct sched_model *m)
{
    int64_t rank = preload_rank + (int64_t)m->set.order;
    for (const struct list *i = m->line.next; i != &m->line; i = i->next) { /* the first who may cause a load: mostly the first */
        const struct sched_lease *l = list_entry(i, struct sched_lease, node);
        if (l->rides)
            continue;
        rank = l->rank_ms;
        break;
    }
    return m->asked && m->asked_ms < rank ? m->asked_ms : rank;
}

/* Nobody waits for it. */
static bool is_preload(const struct sched_model *m)
{
    return !sched_demanded(m);
}

static bool preload_runs(const struct sched *s)
{
    for (const struct list *i = s->models.next; i != &s->models; i = i->next) {
        const struct sched_model *m = list_entry(i, struct sched_model, node);
        if ((m->state == SCHED_LOOKING || m->state == SCHED_LOADING) && is_preload(m))
            return true;
    }
    return false;
}

/* Wants room, was not seen in this round, and comes before all such; NULL = none left. */
static struct sched_model *next_wanting(struct sched *s)
{
    struct sched_model *best = NULL;
    int64_t rank = 0;
    for (struct list *i = s->models.next; i != &s->models; i = i->next) {
        struct sched_model *m = list_entry(i, struct sched_model, node);
        if (m->state != SCHED_WANTING || m->round == s->round)
            continue;
        int64_t r = rank_of(m);
        if (!best || r < rank) {
            best = m;
            rank = r;
        }
    }
    return best;
}

/* ---- how much there is ---- */

int64_t room_at_most(const struct sched_model *m)
{
    const struct sched *s = m->sched;
    int64_t room = s->budget_bytes;
    for (const struct list *i = s->models.next; i != &s->models; i = i->next) {
        const struct sched_model *o = list_entry(i, struct sched_model, node);
        if (o != m && (sched_is_pinned(o) || o->state == SCHED_WEDGED))
            room -= o->booked_bytes;
    }
    return room;
}

static bool can_ever_fit(const struct sched_model *m)
{
    return m->sched->budget_bytes == SCHED_NO_BUDGET || m->bytes <= room_at_most(m);
}

static void cannot_fit(struct sched_model *m)
{
    struct sched *s = m->sched;
    int64_t held = s->budget_bytes - room_at_most(m);
    struct size_text needs = size(m->bytes), budget = size(s->budget_bytes), pinned = size(held);
    if (held > 0)
        err_set(&m->why, ERR_DOES_NOT_FIT, "'%.*s' does not fit: it needs %s, the budget for models is %s, and %s of it are held by models that stay.",
            STR_ARG(m->set.name), needs.text, budget.text, pinned.text);
    else
        err_set(&m->why, ERR_DOES_NOT_FIT, "'%.*s' does not fit: it needs %s, the budget for models is %s.", STR_ARG(m->set.name), needs.text,
            budget.text);
    err_hint(&m->why, "`hob fit %.*s` shows what would: a smaller context, fewer slots, a smaller quantisation.", (int)(m->set.name.n < 60 ? m->set.name.n : 60),
        m->set.name.n ? m->set.name.p : "");
    m->retry_ms = s->now_ms; /* whoever asks again is told anew, by what is then */
    sched_step(m, EV_CANNOT);
}

/* Booked, and on its way back. */
static int64_t coming_back(const struct sched *s)
{
    int64_t bytes = 0;
    for (const struct list *i = s->models.next; i != &s->models; i = i->next) {
        const struct sched_model *m = list_entry(i, struct sched_model, node);
        if (m->state == SCHED_LEAVING || m->state == SCHED_STOPPING || m->state == SCHED_RECLAIM)
            bytes += m->booked_bytes;
    }
    return bytes;
}

/* ---- victims ---- */

struct want {
    struct sched_model *head;
    int64_t window_ms;          /* minimum residency, as far as it goes for this one */
    int64_t lately_ms;          /* who was used within it may be waiting for its next turn */
    bool aged;                  /* has waited so long that others who are at work must end */
    bool free_to_contend;       /* the last eviction of what was in use lately is long enough ago */
};

/* Callers that go from model to model in turn, with one eviction in a window, come back to each after as many windows as there are models in memory: who
 * was not used for longer is not part of it. */
static int64_t turn_ms(const struct sched *s)
{
    int64_t turns = 1;
    for (const struct list *i = s->models.next; i != &s->models; i = i->next) {
        const struct sched_model *m = list_entry(i, struct sched_model, node);
        turns += m->booked_bytes > 0 && !sched_is_pinned(m);
    }
    return turns * s->limits.residency_ms;
}

static struct want want_of(struct sched_model *head)
{
    struct sched *s = head->sched;
    int64_t oldest = sched_oldest_ms(head), age = head->set.age_ms;
    struct want w = { .head = head, .window_ms = s->limits.residency_ms, .lately_ms = turn_ms(s) };
    if (head->asked && head->asked_ms < oldest)
        oldest = head->asked_ms;
    if (oldest == INT64_MAX) /* it is only kept hot */
        oldest = head->wanted_ms;
    w.aged = s->now_ms - oldest >= age;
    if (w.aged && age < w.window_ms)
        w.window_ms = age;
    else if (!w.aged)
        sched_due(s, oldest + age);
    w.free_to_contend = !s->contended || s->now_ms - s->contended_ms >= w.window_ms;
    if (!w.free_to_contend)
        sched_due(s, s->contended_ms + w.window_ms);
    return w;
}

enum ease { NOT_NOW, CONTENDED, EASY };

/* May it go for the head, and was it in use lately? What will be allowed later is noted as a time to look again. */
static enum ease ease_of(const struct sched_model *v, const struct want *w)
{
    struct sched *s = v->sched;
    if (v->state != SCHED_HOT || !v->set.managed || sched_is_pinned(v) || !v->booked_bytes)
        return NOT_NOW;
    if (s->now_ms - v->hot_ms < w->window_ms) {
        sched_due(s, v->hot_ms + w->window_ms);
        return NOT_NOW;
    }
    bool quiet = !v->nheld && !v->nwaiting;
    if (quiet && s->now_ms - v->used_ms >= w->lately_ms)
        return EASY;
    if (quiet)
        sched_due(s, v->used_ms + w->lately_ms);
    return w->free_to_contend && (quiet || w->aged) ? CONTENDED : NOT_NOW;
}

/* How little is lost by it: what was idle long and is cheap to load again goes first. Who is at work comes after all who are not, in the order in which
 * they were loaded: so that each has its turn. */
static double loss_order(const struct sched_model *v)
{
    int64_t now = v->sched->now_ms;
    if (v->nheld || v->nwaiting)
        return -1 / (1 + (double)(now - v->hot_ms));
    double load = (double)(v->load_ms > 0 ? v->load_ms : 1), weight = (double)(v->set.weight > 0 ? v->set.weight : 1);
    return (double)(now - v->used_ms) / (load * weight);
}

struct chosen {
    struct sched_model *m;
    double score;
    enum ease ease;
};

static size_t list_victims(const struct want *w, struct chosen *out)
{
    size_t n = 0;
    struct sched *s = w->head->sched;
    for (struct list *i = s->models.next; i != &s->models; i = i->next) {
        struct sched_model *v = list_entry(i, struct sched_model, node);
        enum ease ease = ease_of(v, w);
        if (ease == NOT_NOW || n == VICTIMS_MAX)
            continue;
        struct chosen c = { v, loss_order(v), ease };
        size_t at = n++;
        for (; at > 0 && out[at - 1].score < c.score; at--)
            out[at] = out[at - 1];
        out[at] = c;
    }
    return n;
}

/* As many as are needed, best first; then those are let off that the later ones made needless. Returns how many stand at the front of `all`, 0 = all
 * together are not enough. */
static size_t choose(struct chosen *all, size_t n, int64_t needed)
{
    int64_t got = 0;
    size_t taken = 0, kept = 0;
    while (taken < n && got < needed)
        got += all[taken++].m->booked_bytes;
    if (got < needed)
        return 0;
    for (size_t i = 0; i < taken; i++) {
        if (got - all[i].m->booked_bytes >= needed)
            got -= all[i].m->booked_bytes;
        else
            all[kept++] = all[i];
    }
    return kept;
}

static void evict(const struct chosen *c, struct sched_model *head)
{
    struct sched_model *v = c->m;
    struct sched *s = v->sched;
    struct size_text needs = size(head->bytes), free = size(s->budget_bytes - s->booked_bytes), budget = size(s->budget_bytes), has = size(v->booked_bytes);
    char idle[48];
    if (v->nheld || v->nwaiting)
        snprintf(idle, sizeof idle, "%zu at work, %zu waiting", v->nheld, v->nwaiting);
    else
        snprintf(idle, sizeof idle, "idle for %.1f s", (double)(s->now_ms - v->used_ms) / 1000);
    v->leave = LEAVE_ROOM;
    snprintf(v->leave_text, sizeof v->leave_text, "makes room for %.*s, which needs %s of %s (%s free): it has %s, %s, loaded in %.1f s",
        (int)(head->set.name.n < 40 ? head->set.name.n : 40), head->set.name.p, needs.text, budget.text, free.text, has.text, idle,
        (double)v->load_ms / 1000);
    sched_step(v, EV_LEAVE);
}

/* The head needs so much more than is free or comes back. False: it cannot be had now. */
static bool collect(const struct want *w, int64_t needed)
{
    struct sched_model *head = w->head;
    struct sched *s = head->sched;
    struct chosen all[VICTIMS_MAX];
    size_t n = choose(all, list_victims(w, all), needed);
    for (size_t i = 0; i < n; i++) {
        if (all[i].ease == CONTENDED) {
            head->collected = true;
            s->contended = true;
            s->contended_ms = s->now_ms;
        }
        evict(&all[i], head);
    }
    return n > 0;
}

/* ---- all of it ---- */

/* Nobody needs the room any more: who was to leave for it stays. */
static void let_stay(struct sched *s)
{
    for (struct list *i = s->models.next; i != &s->models; i = i->next) {
        struct sched_model *m = list_entry(i, struct sched_model, node);
        if (m->state == SCHED_LEAVING && m->leave == LEAVE_ROOM && m->nheld)
            sched_step(m, EV_STAY);
    }
}

/* The state of one walk along the line. */
struct walk {
    int64_t free;               /* not booked */
    int64_t spare;              /* of it and of what comes back, what the head leaves */
    bool headed;                /* the head has been found, and waits */
};

static void start(struct sched_model *m, struct walk *w)
{
    w->free -= m->bytes;
    w->spare -= m->bytes;
    sched_step(m, EV_ROOM);
}

/* m is the head: it collects what it needs. While it can collect nothing yet, what is free is of no use to it, and others may have it; who was loaded
 * so may go for it later. Not any more when it has aged: else they could keep it waiting in turn, each protected by `residency`.
 * false: nobody behind it may load now. */
static bool lead(struct sched_model *m, struct walk *w)
{
    struct sched *s = m->sched;
    int64_t missing = m->bytes - w->free - coming_back(s);
    struct want want = want_of(m);
    w->headed = true;
    if (missing > 0 && !collect(&want, missing)) {
        w->spare = w->free;
        return !want.aged;
    }
    w->spare = w->free + coming_back(s) - m->bytes;
    return true;
}

/* false: nobody behind it may load now. */
static bool place_one(struct sched_model *m, struct walk *w)
{
    struct sched *s = m->sched;
    bool waits = is_preload(m) && preload_runs(s); /* one at a time, and nobody waits for it */
    if (!can_ever_fit(m)) {
        cannot_fit(m);
        return true;
    }
    if (waits)
        return true;
    if (s->budget_bytes == SCHED_NO_BUDGET || (m->bytes <= w->free && (!w->headed || m->bytes <= w->spare))) {
        start(m, w);
        return true;
    }
    if (w->headed)
        return true;
    return lead(m, w);
}

/* What is free is not known while somebody has memory that is not booked. */
static bool is_known(const struct sched *s)
{
    for (const struct list *i = s->models.next; i != &s->models; i = i->next)
        if (list_entry(i, struct sched_model, node)->uncounted)
            return s->budget_bytes == SCHED_NO_BUDGET;
    return true;
}

void room_place(struct sched *s)
{
    struct walk w = { .free = s->budget_bytes - s->booked_bytes };
    if (s->nwanting && !is_known(s))
        return;
    s->round++;
    if (!s->nwanting)
        let_stay(s);
    for (struct sched_model *m; s->nwanting && (m = next_wanting(s));) {
        m->round = s->round;
        if (!place_one(m, &w))
            break;
    }
}

/* Failed for want of room alone, and now there would be some. */
static bool fits_now(const struct sched_model *m)
{
    return m->why.code != ERR_DOES_NOT_FIT || can_ever_fit(m);
}

void room_preload(struct sched *s)
{
    struct sched_model *best = NULL;
    if (!s->started || s->stopping)
        return;
    for (struct list *i = s->models.next; i != &s->models; i = i->next) {
        struct sched_model *m = list_entry(i, struct sched_model, node);
        if (!sched_preloads(m) || (m->state != SCHED_COLD && m->state != SCHED_FAILED) || m->for_good)
            continue;
        if (m->state == SCHED_FAILED && !fits_now(m))
            continue;
        if (s->now_ms < m->retry_ms)
            sched_due(s, m->retry_ms);
        else if (!best || m->set.order < best->set.order)
            best = m;
    }
    if (best && !preload_runs(s))
        sched_step(best, EV_WANT);
}
