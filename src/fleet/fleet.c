/* Backends, their queues, and when they load and go. One place per model; place_step() is the only one that decides. */
#include "fleet/fleet.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    RETRY_FIRST_MS = 1000,  /* a `keep: hot` model whose load failed for a reason that may pass is tried again */
    RETRY_LAST_MS = 60000,
    COOL_MS = 2000,         /* after a failed load callers get its reason at once for so long; then one of them tries anew */
};

struct fleet_place {
    struct fleet *fleet;
    struct backend *b;
    struct list waiting;    /* leases, oldest first */
    size_t nwaiting, nheld;
    struct timer idle, retry;
    int64_t retry_ms;
};

struct fleet {
    struct loop *loop;
    const struct config *config;
    struct fleet_place *places;
    size_t n;
    bool stopping;
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;
    struct later stopped;
    void (*on_state)(void *ctx, struct backend *b);
    void *watch_ctx;
};

/* ---- leases ---- */

void lease_init(struct lease *l, void (*on_settled)(void *ctx, const struct err *e), void *ctx)
{
    *l = (struct lease){ .on_settled = on_settled, .ctx = ctx };
    list_init(&l->node);
}

static bool has_slot(const struct fleet_place *p)
{
    return p->b->slots == 0 || p->nheld < (size_t)p->b->slots;
}

static bool idles_away(const struct fleet_place *p)
{
    return p->b->kind->managed && p->b->model->keep == KEEP_DEMAND && p->b->model->idle_ms > 0;
}

static void hold(struct fleet_place *p, struct lease *l)
{
    l->state = LEASE_HELD;
    p->nheld++;
    timer_cancel(&p->idle);
}

static struct lease *take_first(struct fleet_place *p)
{
    struct lease *l = list_entry(p->waiting.next, struct lease, node);
    list_remove(&l->node);
    p->nwaiting--;
    return l;
}

static void grant_waiting(struct fleet_place *p)
{
    while (p->b->state == BACKEND_HOT && p->nwaiting && has_slot(p)) {
        struct lease *l = take_first(p);
        hold(p, l);
        l->on_settled(l->ctx, NULL);
    }
    if (p->b->state == BACKEND_HOT && !p->nheld && idles_away(p))
        timer_set(&p->idle, p->b->model->idle_ms);
}

static void refuse_waiting(struct fleet_place *p, const struct err *why)
{
    struct err e = *why; /* a callback may start the next load, which clears the original */
    size_t n = p->nwaiting; /* those who join meanwhile wait for that load */
    while (n-- && p->nwaiting) {
        struct lease *l = take_first(p);
        l->state = LEASE_NONE;
        l->place = NULL;
        l->on_settled(l->ctx, &e);
    }
}

void lease_drop(struct lease *l)
{
    struct fleet_place *p = l->place;
    enum lease_state was = l->state;
    l->state = LEASE_NONE;
    l->place = NULL;
    switch (was) {
    case LEASE_NONE:
        break;
    case LEASE_WAITING:
        list_remove(&l->node);
        p->nwaiting--;
        break;
    case LEASE_HELD:
        p->nheld--;
        grant_waiting(p);
        break;
    }
}

static enum err_code wait_in_line(struct fleet_place *p, struct lease *l, struct err *e)
{
    if ((int64_t)p->nwaiting >= p->fleet->config->queue_limit) {
        err_set(e, ERR_QUEUE_FULL, "%zu requests are already waiting for '%.*s'.", p->nwaiting, STR_ARG(p->b->model->name));
        e->retry_after_s = 2;
        return err_hint(e, "Try again in a few seconds, or raise `queue: {limit: …}`.");
    }
    l->state = LEASE_WAITING;
    list_push(&p->waiting, &l->node);
    p->nwaiting++;
    return ERR_OK;
}

static bool cooled(const struct fleet_place *p)
{
    return loop_now_ms(p->fleet->loop) - p->b->since_ms >= COOL_MS;
}

enum err_code fleet_lease(struct fleet *f, size_t model, struct lease *l, struct err *e)
{
    struct fleet_place *p = &f->places[model];
    if (f->stopping)
        return err_set(e, ERR_SHUTTING_DOWN, "The gateway is shutting down.");
    if (p->b->kind->managed && (p->b->state == BACKEND_COLD || (p->b->state == BACKEND_FAILED && cooled(p))))
        backend_load(p->b);
    if (p->b->state == BACKEND_FAILED) {
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
    for (size_t i = 0; i < f->n; i++)
        if (!down(f->places[i].b))
            return;
    loop_later(f->loop, &f->stopped);
}

static void schedule_retry(struct fleet_place *p)
{
    if (p->b->model->keep != KEEP_HOT || !err_row(p->b->last_error.code)->retry)
        return;
    timer_set(&p->retry, p->retry_ms);
    p->retry_ms = p->retry_ms * 2 < RETRY_LAST_MS ? p->retry_ms * 2 : RETRY_LAST_MS;
}

static void retry_load(void *ctx)
{
    struct fleet_place *p = ctx;
    if (!p->fleet->stopping && p->b->state == BACKEND_FAILED)
        backend_load(p->b);
}

static void idle_over(void *ctx)
{
    struct fleet_place *p = ctx;
    if (p->b->state == BACKEND_HOT && !p->nheld && !p->nwaiting) {
        log_info("%.*s: unloaded after %lld s without a request", STR_ARG(p->b->model->name), (long long)(p->b->model->idle_ms / 1000));
        backend_unload(p->b);
    }
}

/* What a new state of the backend means for those who wait. */
static void place_step(struct fleet_place *p)
{
    switch (p->b->state) {
    case BACKEND_LOADING:
    case BACKEND_DRAINING:
        break;
    case BACKEND_HOT:
        timer_cancel(&p->retry);
        p->retry_ms = RETRY_FIRST_MS;
        grant_waiting(p);
        break;
    case BACKEND_FAILED:
        schedule_retry(p);
        refuse_waiting(p, &p->b->last_error);
        break;
    case BACKEND_COLD:
        if (!p->fleet->stopping && (p->nwaiting || p->b->model->keep == KEEP_HOT))
            backend_load(p->b);
        break;
    }
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
    for (size_t i = 0; i < f->n; i++) {
        struct backend *b = f->places[i].b;
        if (!b->kind->managed || b->state != BACKEND_COLD || !str_eq(b->model->name, c->label))
            continue;
        backend_adopt(b, c);
        return true;
    }
    return false;
}

void fleet_start(struct fleet *f)
{
    for (size_t i = 0; i < f->n; i++) {
        struct backend *b = f->places[i].b;
        if (b->kind->managed && b->model->keep == KEEP_HOT && b->state == BACKEND_COLD)
            backend_load(b);
    }
}

void fleet_stop(struct fleet *f, void (*done)(void *ctx), void *ctx)
{
    struct err e;
    err_set(&e, ERR_SHUTTING_DOWN, "The gateway is shutting down.");
    f->stopping = true;
    f->on_stopped = done;
    f->stopped_ctx = ctx;
    for (size_t i = 0; i < f->n; i++) {
        struct fleet_place *p = &f->places[i];
        timer_cancel(&p->idle);
        timer_cancel(&p->retry);
        refuse_waiting(p, &e);
        if (p->b->kind->managed)
            backend_unload(p->b);
    }
    check_stopped(f);
}

/* ---- the whole ---- */

struct fleet *fleet_new(struct loop *l, const struct config *c, struct services *services, struct str run_dir)
{
    struct fleet *f = calloc(1, sizeof *f);
    if (!f || !(f->places = calloc(c->nmodels + 1, sizeof *f->places)))
        die("out of memory for the fleet");
    f->loop = l;
    f->config = c;
    f->n = c->nmodels;
    later_init(&f->stopped, all_stopped, f);
    for (size_t i = 0; i < f->n; i++) {
        struct fleet_place *p = &f->places[i];
        p->fleet = f;
        p->retry_ms = RETRY_FIRST_MS;
        list_init(&p->waiting);
        timer_init(&p->idle, l, idle_over, p);
        timer_init(&p->retry, l, retry_load, p);
        p->b = backend_new(l, c, i, services, run_dir, on_backend, p);
    }
    return f;
}

void fleet_free(struct fleet *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n; i++) {
        timer_cancel(&f->places[i].idle);
        timer_cancel(&f->places[i].retry);
        backend_free(f->places[i].b);
    }
    later_cancel(&f->stopped);
    free(f->places);
    free(f);
}

struct backend *fleet_backend(struct fleet *f, size_t model)
{
    return f->places[model].b;
}

size_t fleet_waiting(struct fleet *f, size_t model)
{
    return f->places[model].nwaiting;
}

size_t fleet_held(struct fleet *f, size_t model)
{
    return f->places[model].nheld;
}

void fleet_watch(struct fleet *f, void (*on_state)(void *ctx, struct backend *b), void *ctx)
{
    f->on_state = on_state;
    f->watch_ctx = ctx;
}

bool fleet_ready(struct fleet *f, struct buf *why)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct backend *b = f->places[i].b;
        if (!b->kind->managed || b->model->keep != KEEP_HOT || b->state == BACKEND_HOT)
            continue;
        buf_printf(why, "%.*s is %s", STR_ARG(b->model->name), backend_state_name[b->state]);
        if (b->last_error.code)
            buf_printf(why, ": %s", b->last_error.text);
        return false;
    }
    return true;
}
