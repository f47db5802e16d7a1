/* Leases and wishes: what callers and people ask of the fleet. The schedule decides; here are their own ends of it. */
#include "fleet/fleet_int.h"

/* ---- leases ---- */

void lease_init(struct lease *l, void (*on_settled)(void *ctx, const struct err *e), void *ctx)
{
    *l = (struct lease){ .on_settled = on_settled, .ctx = ctx };
    sched_lease_init(&l->own);
}

enum err_code fleet_lease(struct world *w, size_t model, enum caller_class class, struct lease *l, struct err *e)
{
    struct fleet_place *p = w->place[model];
    struct fleet *f = p->fleet;
    if (!p->b->kind->managed && p->b->state == BACKEND_FAILED && !f->stopping) {
        *e = p->b->last_error; /* it has no address to ask */
        return e->code;
    }
    if (f->stopping)
        return err_set(e, ERR_SHUTTING_DOWN, "The gateway is shutting down.");
    enum err_code rc = sched_request(&p->m, &l->own, class, fleet_now(f), e);
    if (rc && p->m.state == SCHED_FAILED)
        place_check_file(p);
    if (!rc) {
        l->place = p;
        if (l->own.state != LEASE_HELD)
            fleet_carry(f);
    }
    return rc;
}

void lease_outcome(struct lease *l, const struct err *e, int64_t input_tokens)
{
    if (l->own.state == LEASE_HELD && !e && l->own.epoch == l->place->m.epoch)
        memory_answered(l->place, input_tokens);
}

void lease_drop(struct lease *l)
{
    struct fleet_place *p = l->place;
    if (!p)
        return;
    l->place = NULL;
    sched_drop(&l->own, fleet_now(p->fleet));
    fleet_carry(p->fleet);
}

/* ---- wishes ---- */

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

static void settle(struct fleet *f, struct wish *w, const struct err *why)
{
    list_remove(&w->node);
    if (why)
        w->why = *why;
    loop_later(f->loop, &w->told);
}

void line_settle(struct fleet_place *p, bool load, const struct err *why)
{
    for (struct list *i = p->wishes.next, *next; i != &p->wishes; i = next) {
        struct wish *w = list_entry(i, struct wish, node);
        next = i->next;
        if (w->load == load)
            settle(p->fleet, w, why);
    }
}

/* What is so, or cannot be, whatever the schedule thinks of it. */
static bool is_settled(const struct fleet_place *p, bool load, struct err *why)
{
    const struct backend *b = p->b;
    why->code = ERR_OK;
    if (p->fleet->stopping)
        err_set(why, ERR_SHUTTING_DOWN, "The gateway is shutting down.");
    else if (!b->kind->managed && !load)
        err_set(why, ERR_INVALID_REQUEST, "'%.*s' runs on '%.*s', which is not hob's to unload.", STR_ARG(b->name), STR_ARG(b->host));
    else if (!b->kind->managed && b->state == BACKEND_FAILED)
        *why = b->last_error;
    else if (p->removed)
        err_set(why, ERR_NO_BACKEND, "'%.*s' is in the configuration no more.", STR_ARG(b->name));
    return why->code || !b->kind->managed;
}

void fleet_load(struct world *world, size_t model, bool pin, struct wish *w)
{
    struct fleet_place *p = world->place[model];
    struct err why;
    w->load = true;
    if (is_settled(p, true, &why)) {
        settle(p->fleet, w, why.code ? &why : NULL);
        return;
    }
    list_push(&p->wishes, &w->node);
    sched_want(&p->m, pin, fleet_now(p->fleet));
    fleet_carry(p->fleet);
}

void fleet_unload(struct world *world, size_t model, struct wish *w)
{
    struct fleet_place *p = world->place[model];
    struct err why;
    if (is_settled(p, false, &why)) {
        settle(p->fleet, w, why.code ? &why : NULL);
        return;
    }
    list_push(&p->wishes, &w->node);
    sched_unload(&p->m, fleet_now(p->fleet));
    if (p->b->state == BACKEND_FAILED && p->m.state == SCHED_COLD)
        backend_unload(p->b); /* nothing runs; its failure is forgotten */
    fleet_carry(p->fleet);
}
