/* The fleet as a whole: made, started, stopped, and looked at. */
#include "fleet/fleet_int.h"

#include "conf/conf.h"

#include <stdlib.h>

/* ---- what others are told ---- */

const char *fleet_state_word(enum sched_state s)
{
    static const char *const words[SCHED_STATES] = {
        [SCHED_COLD] = "cold",        [SCHED_LOOKING] = "loading",   [SCHED_WANTING] = "loading",  [SCHED_LOADING] = "loading",
        [SCHED_HOT] = "hot",          [SCHED_LEAVING] = "draining",  [SCHED_STOPPING] = "draining", [SCHED_RECLAIM] = "draining",
        [SCHED_FAILED] = "failed",    [SCHED_WEDGED] = "wedged",
    };
    return words[s];
}

size_t fleet_waiting(const struct world *w, size_t model)
{
    return w->place[model]->m.nwaiting;
}

size_t fleet_held(const struct world *w, size_t model)
{
    return w->place[model]->m.nheld;
}

const char *fleet_engine(const struct world *w, size_t model)
{
    const struct fleet_place *p = w->place[model];
    return p->estimated ? p->estimate.engine : "";
}

int64_t fleet_company(const struct world *w, size_t model)
{
    const struct host *at = w->place[model]->b->at; /* NULL: our own children are on one machine */
    int64_t held = 0;
    for (size_t i = 0; i < w->config->nmodels; i++)
        if (w->place[i]->b->at == at)
            held += (int64_t)w->place[i]->m.nheld;
    return held > 0 ? held - 1 : 0;
}

size_t fleet_evictions(const struct world *w, size_t model, enum sched_reason why)
{
    return w->place[model]->evictions[why];
}

static int64_t oldest_ms(const struct sched_model *m, int64_t now)
{
    int64_t since = sched_oldest_ms(m);
    return since == INT64_MAX ? -1 : now - since;
}

void fleet_figures(const struct world *w, size_t model, struct fleet_figures *out)
{
    const struct fleet_place *p = w->place[model];
    const struct sched_model *m = &p->m;
    int64_t now = fleet_now(w->fleet);
    bool up = m->state == SCHED_HOT || m->state == SCHED_LEAVING, known = m->set.managed ? up : m->used_ms > 0;
    *out = (struct fleet_figures){
        .waiting = m->nwaiting,
        .held = m->nheld,
        .oldest_ms = oldest_ms(m, now),
        .idle_ms = m->nheld ? 0 : known ? now - m->used_ms : -1,
        .eta_ms = sched_eta_ms(m, now),
        .estimated_bytes = p->estimated && p->estimate.bytes ? p->estimate.bytes : -1,
        .measured_bytes = p->measured_bytes,
        .booked_bytes = m->booked_bytes,
        .pinned = m->pinned,
        .state = m->state,
    };
}

int64_t fleet_wait_ms(const struct world *w, size_t model)
{
    return sched_wait_ms(&w->place[model]->m, fleet_now(w->fleet));
}

void fleet_budget(const struct fleet *f, struct fleet_budget *out)
{
    *out = (struct fleet_budget){ .total_bytes = budget_bytes(f->budget), .used_bytes = sched_booked(f->sched), .others_bytes = budget_others(f->budget) };
}

void fleet_watch(struct fleet *f, void (*on_state)(void *ctx, struct backend *b), void *ctx)
{
    f->on_state = on_state;
    f->watch_ctx = ctx;
}

bool fleet_ready(struct fleet *f, struct buf *why)
{
    for (size_t i = 0; i < f->world->config->nmodels; i++) {
        const struct fleet_place *p = f->world->place[i];
        if (!p->m.set.keep_hot || p->m.state == SCHED_HOT || (p->adopting && p->was_hot)) /* handed over: it answers, we have only not asked yet */
            continue;
        buf_printf(why, "%.*s is %s", STR_ARG(p->b->name), fleet_state_word(p->m.state));
        if (p->b->last_error.code)
            buf_printf(why, ": %s", p->b->last_error.text);
        return false;
    }
    return true;
}

/* ---- its life ---- */

static size_t list_pids(void *ctx, int *out, size_t room)
{
    struct fleet *f = ctx;
    size_t n = 0;
    for (struct list *i = f->places.next; i != &f->places && n < room; i = i->next) {
        int pid = backend_pid(list_entry(i, struct fleet_place, node)->b);
        if (pid > 0)
            out[n++] = pid;
    }
    return n;
}

static void budget_changed(void *ctx)
{
    struct fleet *f = ctx;
    sched_budget(f->sched, budget_bytes(f->budget), fleet_now(f));
    fleet_carry(f);
}

static void use_limits(struct fleet *f)
{
    const struct config *c = f->world->config;
    struct sched_limits limits = { .residency_ms = c->residency_ms, .background_loads = c->background_loads };
    budget_configure(f->budget, c);
    sched_limit(f->sched, &limits, fleet_now(f));
    budget_changed(f);
}

void fleet_review(struct fleet *f)
{
    use_limits(f);
    if (f->started)
        budget_ask(f->budget, NULL);
}

bool fleet_adopt(struct fleet *f, const struct keeper_child *c)
{
    for (struct list *i = f->places.next; i != &f->places; i = i->next) {
        struct fleet_place *p = list_entry(i, struct fleet_place, node);
        struct backend *b = p->b;
        if (!b->kind->managed || p->m.state != SCHED_COLD || !str_eq(b->name, c->label))
            continue;
        p->adopting = true;
        sched_adopted(&p->m, -1, fleet_now(f));
        backend_adopt(b, c);
        place_look(p); /* to book what it has */
        return true;
    }
    return false;
}

void fleet_start(struct fleet *f)
{
    f->started = true;
    hosts_start(f->hosts);
    budget_ask(f->budget, NULL);
    sched_start(f->sched, fleet_now(f));
    for (struct list *i = f->places.next; i != &f->places; i = i->next)
        place_look_at_template(list_entry(i, struct fleet_place, node));
    fleet_carry(f);
}

static bool is_settled(const struct fleet_place *p)
{
    switch (p->m.state) {
    case SCHED_LEAVING:
    case SCHED_STOPPING:
        return false;
    case SCHED_LOADING:
        if (!backend_pid(p->b))
            return false; /* the keeper is about to be asked, or to answer */
        break;
    case SCHED_COLD:
    case SCHED_LOOKING:
    case SCHED_WANTING:
    case SCHED_HOT:
    case SCHED_RECLAIM:
    case SCHED_FAILED:
    case SCHED_WEDGED:
    case SCHED_STATES:
        break;
    }
    return !p->adopting && !p->changed && !p->removed;
}

bool fleet_is_settled(const struct fleet *f, struct str *who)
{
    for (const struct list *i = f->places.next; i != &f->places; i = i->next) {
        const struct fleet_place *p = list_entry(i, struct fleet_place, node);
        if (!p->b->kind->managed || is_settled(p))
            continue;
        *who = p->b->name;
        return false;
    }
    return true;
}

static void all_stopped(void *ctx)
{
    struct fleet *f = ctx;
    f->on_stopped(f->stopped_ctx);
}

void fleet_stop(struct fleet *f, void (*done)(void *ctx), void *ctx)
{
    f->stopping = true;
    f->on_stopped = done;
    f->stopped_ctx = ctx;
    hosts_stop(f->hosts);
    sched_stop(f->sched, fleet_now(f));
    for (struct list *i = f->places.next; i != &f->places; i = i->next) {
        struct fleet_place *p = list_entry(i, struct fleet_place, node);
        if (timer_is_set(&p->look_again)) {
            timer_cancel(&p->look_again);
            sched_reclaimed(&p->m, fleet_now(f));
        }
    }
    fleet_carry(f);
}

bool fleet_has_wedged(const struct fleet *f)
{
    for (const struct list *i = f->places.next; i != &f->places; i = i->next)
        if (list_entry(i, struct fleet_place, node)->b->state == BACKEND_WEDGED)
            return true;
    return false;
}

struct fleet *fleet_new(struct loop *l, const struct config *c, struct services *services, struct str run_dir, struct store *store)
{
    struct fleet *f = calloc(1, sizeof *f);
    if (!f)
        die("out of memory for the fleet");
    f->loop = l;
    f->services = services;
    f->store = store;
    f->run_dir = run_dir;
    list_init(&f->places);
    later_init(&f->stopped, all_stopped, f);
    f->sched = sched_new();
    f->budget = budget_new(l, list_pids, budget_changed, f);
    f->hosts = hosts_new(l, store);
    orders_begin(f);
    hours_begin(f);
    f->world = world_new(f, c);
    use_limits(f);
    for (size_t i = 0; i < c->nmodels; i++)
        f->world->place[i] = place_hold(place_new(f, c, i));
    return f;
}

void fleet_free(struct fleet *f)
{
    if (!f)
        return;
    if (f->world->holders != 1)
        die("the fleet is freed while somebody holds its world");
    hours_end(f);
    orders_end(f);
    while (!list_empty(&f->places)) {
        struct fleet_place *p = list_entry(f->places.next, struct fleet_place, node);
        list_remove(&p->node);
        place_release(p);
    }
    later_cancel(&f->stopped);
    world_release(f->world);
    free(f->put_off);
    budget_free(f->budget);
    sched_free(f->sched);
    hosts_free(f->hosts);
    free(f);
}
