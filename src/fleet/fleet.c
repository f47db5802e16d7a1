/* Backends, their queues, and when they load and go. One place per model; place_step() is the only one that decides. */
#include "fleet/fleet_int.h"

#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    RETRY_FIRST_MS = 1000,  /* a `keep: hot` model whose load failed for a reason that may pass is tried again */
    RETRY_LAST_MS = 60000,
    COOL_MS = 2000,         /* after a failed load callers get its reason at once for so long; then one of them tries anew */
};

/* ---- leases ---- */

void lease_init(struct lease *l, void (*on_settled)(void *ctx, const struct err *e), void *ctx)
{
    *l = (struct lease){ .on_settled = on_settled, .ctx = ctx };
    list_init(&l->own.node);
}

static bool has_slot(const struct fleet_place *p)
{
    return !p->leaving && (p->b->slots == 0 || p->nheld < (size_t)p->b->slots);
}

static bool idles_away(const struct fleet_place *p)
{
    return p->b->kind->managed && p->b->model->keep == KEEP_DEMAND && p->b->model->idle_ms > 0;
}

static void hold(struct fleet_place *p, struct lease *l)
{
    l->own.state = LEASE_HELD;
    p->nheld++;
    timer_cancel(&p->idle);
}

static struct lease *take_first(struct fleet_place *p)
{
    struct lease *l = list_entry(p->waiting.next, struct lease, own.node);
    list_remove(&l->own.node);
    p->nwaiting--;
    return l;
}

static void leave_if_removed(struct fleet_place *p);

static void grant_waiting(struct fleet_place *p)
{
    if (p->granting)
        return; /* who was just served has let go already: the loop below goes on, instead of one call deeper for each in line */
    p->granting = true;
    while (p->b->state == BACKEND_HOT && p->nwaiting && has_slot(p)) {
        struct lease *l = take_first(p);
        hold(p, l);
        l->on_settled(l->ctx, NULL);
    }
    p->granting = false;
    if (p->b->state == BACKEND_HOT && !p->nheld && idles_away(p))
        timer_set(&p->idle, p->b->model->idle_ms);
    leave_if_removed(p);
}

static void refuse_waiting(struct fleet_place *p, const struct err *why)
{
    struct err e = *why; /* a callback may start the next load, which clears the original */
    size_t n = p->nwaiting; /* those who join meanwhile wait for that load */
    while (n-- && p->nwaiting) {
        struct lease *l = take_first(p);
        l->own.state = LEASE_NONE;
        l->place = NULL;
        l->on_settled(l->ctx, &e);
    }
}

void lease_outcome(struct lease *l, const struct err *e, int64_t input_tokens)
{
    (void)l;
    (void)e;
    (void)input_tokens;
}

static void leave_now(struct fleet_place *p);

void lease_drop(struct lease *l)
{
    struct fleet_place *p = l->place;
    enum lease_state was = l->own.state;
    l->own.state = LEASE_NONE;
    l->place = NULL;
    switch (was) {
    case LEASE_REFUSED:
    case LEASE_NONE:
        break;
    case LEASE_WAITING:
        list_remove(&l->own.node);
        p->nwaiting--;
        leave_if_removed(p);
        break;
    case LEASE_HELD:
        p->nheld--;
        p->used_ms = loop_now_ms(p->fleet->loop);
        if (p->leaving && !p->nheld)
            leave_now(p);
        else
            grant_waiting(p);
        break;
    }
}

static enum err_code wait_in_line(struct fleet_place *p, struct lease *l, struct err *e)
{
    if ((int64_t)p->nwaiting >= p->b->model->queue.limit) {
        err_set(e, ERR_QUEUE_FULL, "%zu requests are already waiting for '%.*s'.", p->nwaiting, STR_ARG(p->b->name));
        e->retry_after_s = 2;
        return err_hint(e, "Try again in a few seconds, or raise `queue: {limit: …}`.");
    }
    l->own.state = LEASE_WAITING;
    l->own.since_ms = loop_now_ms(p->fleet->loop);
    list_push(&p->waiting, &l->own.node);
    p->nwaiting++;
    return ERR_OK;
}

static void start_load(struct fleet_place *p)
{
    p->resting = false;
    if (!p->changed) /* else settle_place() does */
        backend_load(p->b);
}

static bool cooled(const struct fleet_place *p)
{
    return loop_now_ms(p->fleet->loop) - p->b->since_ms >= COOL_MS;
}

static enum err_code say_removed(const struct fleet_place *p, struct err *e)
{
    return err_set(e, ERR_NO_BACKEND, "'%.*s' is in the configuration no more.", STR_ARG(p->b->name));
}

enum err_code fleet_lease(struct world *w, size_t model, enum caller_class class, struct lease *l, struct err *e)
{
    struct fleet_place *p = w->place[model];
    l->own.class = class;
    if (w->fleet->stopping)
        return err_set(e, ERR_SHUTTING_DOWN, "The gateway is shutting down.");
    if (p->removed)
        return say_removed(p, e);
    if (p->b->kind->managed && (p->b->state == BACKEND_COLD || (p->b->state == BACKEND_FAILED && cooled(p))))
        start_load(p);
    if ((p->b->state == BACKEND_FAILED || p->b->state == BACKEND_WEDGED) && !p->changed) {
        *e = p->b->last_error;
        return e->code;
    }
    l->place = p;
    if (p->b->state == BACKEND_HOT && !p->nwaiting && has_slot(p)) {
        hold(p, l);
        return ERR_OK;
    }
    enum err_code rc = wait_in_line(p, l, e);
    if (rc)
        l->place = NULL;
    return rc;
}

/* ---- loads ---- */

static void all_stopped(void *ctx)
{
    struct fleet *f = ctx;
    f->on_stopped(f->stopped_ctx);
}

static bool down(const struct backend *b)
{
    return !b->kind->managed || b->state == BACKEND_COLD || b->state == BACKEND_FAILED;
}

static void check_stopped(struct fleet *f)
{
    for (struct list *i = f->places.next; i != &f->places; i = i->next)
        if (!down(list_entry(i, struct fleet_place, node)->b))
            return;
    loop_later(f->loop, &f->stopped);
}

static void schedule_retry(struct fleet_place *p)
{
    if (p->b->model->keep != KEEP_HOT || p->resting || !err_row(p->b->last_error.code)->retry)
        return;
    timer_set(&p->retry, p->retry_ms);
    p->retry_ms = p->retry_ms * 2 < RETRY_LAST_MS ? p->retry_ms * 2 : RETRY_LAST_MS;
}

static void retry_load(void *ctx)
{
    struct fleet_place *p = ctx;
    if (!p->fleet->stopping && p->b->state == BACKEND_FAILED)
        start_load(p);
}

static void idle_over(void *ctx)
{
    struct fleet_place *p = ctx;
    if (p->b->state == BACKEND_HOT && !p->nheld && !p->nwaiting) {
        log_info("%.*s: unloaded after %lld s without a request", STR_ARG(p->b->name), (long long)(p->b->model->idle_ms / 1000));
        backend_unload(p->b);
    }
}

/* ---- what people ask for ---- */

static void tell(void *ctx)
{
    struct wish *w = ctx;
    w->on_done(w->ctx, w->why.code ? &w->why : NULL);
}

void wish_init(struct wish *w, void (*on_done)(void *ctx, const struct err *e), void *ctx)
{
    *w = (struct wish){ .on_done = on_done, .ctx = ctx };
    list_init(&w->node);
    later_init(&w->told, tell, w);
}

void wish_drop(struct wish *w)
{
    list_remove(&w->node);
    later_cancel(&w->told);
}

static void settle(struct fleet_place *p, struct wish *w, const struct err *why)
{
    list_remove(&w->node);
    if (why)
        w->why = *why;
    loop_later(p->fleet->loop, &w->told);
}

static struct wish *find_wish(struct fleet_place *p, bool load)
{
    for (struct list *i = p->wishes.next; i != &p->wishes; i = i->next) {
        struct wish *w = list_entry(i, struct wish, node);
        if (w->load == load)
            return w;
    }
    return NULL;
}

static void settle_all(struct fleet_place *p, bool load, const struct err *why)
{
    for (struct wish *w; (w = find_wish(p, load));)
        settle(p, w, why);
}

static void stop_leaving(struct fleet_place *p)
{
    p->leaving = false;
    timer_cancel(&p->drain);
}

static void leave_now(struct fleet_place *p)
{
    stop_leaving(p);
    if (p->b->state == BACKEND_COLD)
        settle_all(p, false, NULL);
    else
        backend_unload(p->b); /* place_step() settles, now or later */
}

static void drain_over(void *ctx)
{
    struct fleet_place *p = ctx;
    struct err e;
    if (p->removed) {
        say_removed(p, &e);
        refuse_waiting(p, &e);
    }
    if (down(p->b)) {
        leave_if_removed(p);
        return;
    }
    log_warn("%.*s: unloaded; %zu requests did not finish within the drain limit and are cut", STR_ARG(p->b->name), p->nheld);
    leave_now(p);
}

void fleet_load(struct world *world, size_t model, bool pin, struct wish *w)
{
    struct fleet_place *p = world->place[model];
    struct backend *b = p->b;
    struct err e;
    (void)pin;
    w->load = true;
    list_push(&p->wishes, &w->node);
    if (world->fleet->stopping) {
        err_set(&e, ERR_SHUTTING_DOWN, "The gateway is shutting down.");
        settle(p, w, &e);
    } else if (!b->kind->managed || (b->state == BACKEND_HOT && !p->leaving)) {
        settle(p, w, b->state == BACKEND_FAILED ? &b->last_error : NULL);
    } else if (b->state == BACKEND_COLD || b->state == BACKEND_FAILED) {
        start_load(p);
    }
}

void fleet_unload(struct world *world, size_t model, struct wish *w)
{
    struct fleet_place *p = world->place[model];
    struct fleet *f = world->fleet;
    struct str name = p->b->name;
    struct err e;
    list_push(&p->wishes, &w->node);
    if (!p->b->kind->managed) {
        err_set(&e, ERR_INVALID_REQUEST, "'%.*s' runs on '%.*s', which is not hob's to unload.", STR_ARG(name), STR_ARG(p->b->host));
        settle(p, w, &e);
        return;
    }
    if (f->stopping) {
        err_set(&e, ERR_SHUTTING_DOWN, "The gateway is shutting down.");
        settle(p, w, &e);
        return;
    }
    p->resting = true;
    timer_cancel(&p->retry);
    err_set(&e, ERR_NO_BACKEND, "'%.*s' was unloaded before it was ready.", STR_ARG(name));
    settle_all(p, true, &e);
    if (p->b->state != BACKEND_HOT || !p->nheld) {
        leave_now(p);
    } else if (!p->leaving) {
        p->leaving = true;
        timer_set(&p->drain, world->config->drain_ms);
    }
}

static bool wanted(struct fleet_place *p)
{
    bool kept = p->b->model->keep == KEEP_HOT && !p->resting && !p->removed;
    return !p->fleet->stopping && p->b->kind->managed && (p->nwaiting || find_wish(p, true) || kept);
}

/* What a new state of the backend means for those who wait. */
static void place_step(struct fleet_place *p)
{
    switch (p->b->state) {
    case BACKEND_LOADING:
    case BACKEND_DRAINING:
        break;
    case BACKEND_WEDGED: /* it can neither answer nor make room: those who wait hear of it */
        stop_leaving(p);
        settle_all(p, true, &p->b->last_error);
        refuse_waiting(p, &p->b->last_error);
        break;
    case BACKEND_HOT:
        timer_cancel(&p->retry);
        p->retry_ms = RETRY_FIRST_MS;
        p->used_ms = loop_now_ms(p->fleet->loop);
        settle_all(p, true, NULL);
        grant_waiting(p);
        break;
    case BACKEND_FAILED:
        stop_leaving(p);
        settle_all(p, false, NULL); /* it runs no more: so was the wish */
        if (p->changed) {           /* with other settings it may do better: who waits goes on waiting */
            loop_later(p->fleet->loop, &p->settle);
            break;
        }
        schedule_retry(p);
        settle_all(p, true, &p->b->last_error);
        refuse_waiting(p, &p->b->last_error);
        leave_if_removed(p);
        break;
    case BACKEND_COLD:
        p->leaving = false;
        if (!p->removed)
            stop_leaving(p);
        settle_all(p, false, NULL);
        if (p->changed)
            loop_later(p->fleet->loop, &p->settle);
        else if (wanted(p))
            start_load(p);
        leave_if_removed(p);
        break;
    }
}

static bool is_wanted(void *ctx, const struct backend *b)
{
    struct fleet_place *p = ctx;
    return p->nwaiting > 0;
}

static void on_backend(void *ctx, struct backend *b)
{
    struct fleet_place *p = ctx;
    struct fleet *f = p->fleet;
    if (f->on_state)
        f->on_state(f->watch_ctx, b);
    place_step(p);
    if (f->stopping)
        check_stopped(f);
}

bool fleet_adopt(struct fleet *f, const struct keeper_child *c)
{
    for (struct list *i = f->places.next; i != &f->places; i = i->next) {
        struct backend *b = list_entry(i, struct fleet_place, node)->b;
        if (!b->kind->managed || b->state != BACKEND_COLD || !str_eq(b->name, c->label))
            continue;
        backend_adopt(b, c);
        return true;
    }
    return false;
}

void fleet_start(struct fleet *f)
{
    f->started = true;
    fleet_review(f);
}

void fleet_stop(struct fleet *f, void (*done)(void *ctx), void *ctx)
{
    struct err e;
    err_set(&e, ERR_SHUTTING_DOWN, "The gateway is shutting down.");
    f->stopping = true;
    f->on_stopped = done;
    f->stopped_ctx = ctx;
    for (struct list *i = f->places.next, *next; i != &f->places; i = next) {
        struct fleet_place *p = list_entry(i, struct fleet_place, node);
        next = i->next;
        timer_cancel(&p->idle);
        timer_cancel(&p->retry);
        stop_leaving(p);
        settle_all(p, true, &e);
        refuse_waiting(p, &e);
        if (p->b->kind->managed)
            backend_unload(p->b);
    }
    check_stopped(f);
}

/* ---- a new configuration ---- */

/* It is down, and its backend's callback is over. */
static void settle_place(void *ctx)
{
    struct fleet_place *p = ctx;
    if (!down(p->b))
        return;
    if (p->changed && !p->fleet->stopping) {
        place_renew(p);
        if (p->b->state == BACKEND_COLD && wanted(p))
            start_load(p);
    } else if (p->removed && !p->nwaiting && (p->b->kind->managed || !p->nheld)) {
        place_gone(p);
    }
}

/* What is held on it ends first, for so long as `drain:` says. */
static void leave(struct fleet_place *p)
{
    if (p->b->state == BACKEND_LOADING || (p->b->state == BACKEND_HOT && !p->nheld)) {
        backend_unload(p->b);
    } else if (p->b->state == BACKEND_HOT) {
        p->leaving = true;
        if (!timer_is_set(&p->drain))
            timer_set(&p->drain, p->fleet->world->config->drain_ms);
    }
}

static void leave_if_removed(struct fleet_place *p)
{
    if (!p->removed || p->nwaiting || p->gone)
        return;
    if (down(p->b))
        loop_later(p->fleet->loop, &p->settle);
    else
        leave(p);
}

void place_configure(struct fleet_place *p, const struct config *c, size_t model)
{
    backend_use_config(p->b, c, model);
    timer_cancel(&p->idle);
    if (p->b->state == BACKEND_HOT && !p->nheld && idles_away(p))
        timer_set(&p->idle, p->b->model->idle_ms);
}

void place_change(struct fleet_place *p)
{
    p->changed = true;
    timer_cancel(&p->retry);
    timer_cancel(&p->idle);
    if (!p->leaving)
        timer_cancel(&p->drain);
    if (down(p->b))
        loop_later(p->fleet->loop, &p->settle);
    else
        leave(p);
}

void place_remove(struct fleet_place *p)
{
    struct err e;
    say_removed(p, &e);
    p->removed = true;
    p->changed = false;
    timer_cancel(&p->retry);
    settle_all(p, true, &e);
    if (p->b->kind->managed && !timer_is_set(&p->drain))
        timer_set(&p->drain, p->fleet->world->config->drain_ms);
    leave_if_removed(p);
}

void fleet_review(struct fleet *f)
{
    if (!f->started)
        return;
    for (size_t i = 0; i < f->world->config->nmodels; i++) {
        struct fleet_place *p = f->world->place[i];
        if (p->b->state == BACKEND_COLD && wanted(p))
            start_load(p);
    }
}

/* ---- the whole ---- */

struct fleet_place *place_new(struct fleet *f, const struct config *c, size_t model)
{
    struct fleet_place *p = calloc(1, sizeof *p);
    if (!p)
        die("out of memory for a place");
    p->fleet = f;
    p->holders = 1;
    p->retry_ms = RETRY_FIRST_MS;
    list_init(&p->waiting);
    list_init(&p->wishes);
    list_push(&f->places, &p->node);
    timer_init(&p->idle, f->loop, idle_over, p);
    timer_init(&p->retry, f->loop, retry_load, p);
    timer_init(&p->drain, f->loop, drain_over, p);
    later_init(&p->settle, settle_place, p);
    p->b = backend_new(f->loop, c, model, f->services, f->run_dir, on_backend, p);
    p->b->wanted = is_wanted;
    return p;
}

void place_free(struct fleet_place *p)
{
    timer_cancel(&p->idle);
    timer_cancel(&p->retry);
    timer_cancel(&p->drain);
    later_cancel(&p->settle);
    backend_free(p->b);
    for (size_t i = 0; i < p->nretired; i++)
        backend_free(p->retired[i]);
    free(p->retired);
    free(p);
}

struct fleet *fleet_new(struct loop *l, const struct config *c, struct services *services, struct str run_dir, struct store *store)
{
    (void)store;
    struct fleet *f = calloc(1, sizeof *f);
    if (!f)
        die("out of memory for the fleet");
    f->loop = l;
    f->services = services;
    f->run_dir = run_dir;
    list_init(&f->places);
    later_init(&f->stopped, all_stopped, f);
    f->world = world_new(f, c);
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
    while (!list_empty(&f->places)) {
        struct fleet_place *p = list_entry(f->places.next, struct fleet_place, node);
        list_remove(&p->node);
        place_release(p);
    }
    later_cancel(&f->stopped);
    world_release(f->world);
    free(f);
}

size_t fleet_waiting(const struct world *w, size_t model)
{
    return w->place[model]->nwaiting;
}

size_t fleet_held(const struct world *w, size_t model)
{
    return w->place[model]->nheld;
}

void fleet_figures(const struct world *w, size_t model, struct fleet_figures *out)
{
    const struct fleet_place *p = w->place[model];
    int64_t now = loop_now_ms(w->fleet->loop);
    *out = (struct fleet_figures){ .waiting = p->nwaiting, .held = p->nheld, .oldest_ms = -1, .idle_ms = -1, .eta_ms = -1, .estimated_bytes = -1,
        .measured_bytes = -1 };
    if (p->nwaiting)
        out->oldest_ms = now - list_entry(p->waiting.next, struct lease, own.node)->own.since_ms;
    if (p->nheld)
        out->idle_ms = 0;
    else if (p->b->state == BACKEND_HOT && p->used_ms)
        out->idle_ms = now - p->used_ms;
}

void fleet_budget(const struct fleet *f, struct fleet_budget *out)
{
    (void)f;
    *out = (struct fleet_budget){ .total_bytes = -1, .used_bytes = -1, .others_bytes = -1 };
}

void fleet_watch(struct fleet *f, void (*on_state)(void *ctx, struct backend *b), void *ctx)
{
    f->on_state = on_state;
    f->watch_ctx = ctx;
}

bool fleet_ready(struct fleet *f, struct buf *why)
{
    for (size_t i = 0; i < f->world->config->nmodels; i++) {
        const struct backend *b = f->world->place[i]->b;
        if (!b->kind->managed || b->model->keep != KEEP_HOT || b->state == BACKEND_HOT)
            continue;
        buf_printf(why, "%.*s is %s", STR_ARG(b->name), backend_state_name[b->state]);
        if (b->last_error.code)
            buf_printf(why, ": %s", b->last_error.text);
        return false;
    }
    return true;
}
