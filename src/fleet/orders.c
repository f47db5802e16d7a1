/* What the schedule orders, carried out; and the clock that it is told. Always at the end of a turn: an order may end what has caused it. */
#include "fleet/fleet_int.h"

#include <stdlib.h>

enum { REFRESH_MS = 30 * 1000 };

static void stop(struct fleet_place *p, const struct sched_order *o)
{
    struct backend *b = p->b;
    const char *text = o->why.text;
    p->evictions[o->reason]++;
    if (o->reason != LEAVE_STOP && text[0])
        log_info("%.*s: unloaded (%s): %s", STR_ARG(b->name), sched_reason_name[o->reason], text);
    else if (o->reason != LEAVE_STOP && o->reason != LEAVE_NONE)
        log_info("%.*s: unloaded (%s)", STR_ARG(b->name), sched_reason_name[o->reason]);
    if (!b->kind->managed || b->state == BACKEND_COLD || b->state == BACKEND_FAILED) {
        sched_gone(&p->m, fleet_now(p->fleet));
        return;
    }
    p->stopping = true;
    backend_unload(b);
}

static void renew(struct fleet_place *p)
{
    if (p->changed && !p->fleet->stopping)
        place_renew(p);
}

static struct lease *lease_of(const struct sched_order *o)
{
    return list_entry(o->lease, struct lease, own);
}

static void refuse(struct lease *l, const struct err *why)
{
    l->place = NULL;
    l->on_settled(l->ctx, why);
}

/* While another gateway is about to have the children, or has them, theirs is what comes and goes. What is only told is told. */
static bool is_put_off(const struct fleet *f, const struct sched_order *o)
{
    return f->frozen && o->kind != ORDER_GRANT && o->kind != ORDER_REFUSE && o->kind != ORDER_SETTLED && o->kind != ORDER_REMOVED;
}

static void put_off(struct fleet *f, const struct sched_order *o)
{
    f->put_off = realloc(f->put_off, (f->nput_off + 1) * sizeof *f->put_off);
    if (!f->put_off)
        die("out of memory for an order");
    f->put_off[f->nput_off++] = *o;
}

static void carry_out(const struct sched_order *o)
{
    struct fleet_place *p = list_entry(o->model, struct fleet_place, m);
    switch (o->kind) {
    case ORDER_GRANT:
        lease_of(o)->on_settled(lease_of(o)->ctx, NULL);
        break;
    case ORDER_REFUSE:
        refuse(lease_of(o), &o->why);
        break;
    case ORDER_SETTLED:
        line_settle(p, o->load, o->why.code ? &o->why : NULL);
        break;
    case ORDER_STOP:
        stop(p, o);
        break;
    case ORDER_FAILED:
        place_fail(p, &o->why);
        break;
    case ORDER_RECLAIM:
        memory_reclaim(p);
        break;
    case ORDER_RENEW:
        renew(p);
        break;
    case ORDER_REMOVED:
        loop_later(p->fleet->loop, &p->settle);
        break;
    case ORDER_LOOK:
        place_look(p);
        break;
    case ORDER_LOAD:
        backend_load(p->b);
        break;
    }
}

/* Pool work that runs has its ends in here. */
static bool is_at_work(const struct fleet *f)
{
    bool at_work = budget_runs(f->budget);
    for (const struct list *i = f->places.next; i != &f->places; i = i->next)
        at_work = at_work || place_works(list_entry(i, struct fleet_place, node));
    return at_work;
}

static void refresh_later(struct fleet *f)
{
    if (!timer_is_set(&f->refresh) && !f->stopping && budget_needs_looks(f->budget) && sched_could_use_room(f->sched))
        timer_set(&f->refresh, REFRESH_MS);
}

static void carry(void *ctx)
{
    struct fleet *f = ctx;
    struct sched_order o;
    while (sched_next(f->sched, &o))
        if (is_put_off(f, &o))
            put_off(f, &o);
        else
            carry_out(&o);
    refresh_later(f);
    if (f->stopping && !f->told_stopped && sched_is_down(f->sched) && !is_at_work(f)) {
        f->told_stopped = true;
        loop_later(f->loop, &f->stopped);
    }
}

static void set_tick(struct fleet *f)
{
    int64_t due = sched_due_ms(f->sched), now = fleet_now(f);
    if (due >= f->tick_ms)
        return;
    f->tick_ms = due;
    timer_set(&f->tick, due > now ? due - now : 0);
}

void fleet_carry(struct fleet *f)
{
    if (sched_has_orders(f->sched) || f->stopping || sched_lacks_room(f->sched))
        loop_later(f->loop, &f->carry);
    set_tick(f);
}

static void tick(void *ctx)
{
    struct fleet *f = ctx;
    f->tick_ms = INT64_MAX;
    if (f->frozen)
        return;
    sched_tick(f->sched, fleet_now(f));
    fleet_carry(f);
}

void fleet_freeze(struct fleet *f, bool on)
{
    struct sched_order *orders = f->put_off;
    size_t n = f->nput_off;
    if (on)
        hours_flush(f);
    f->frozen = on;
    if (on)
        return;
    f->put_off = NULL;
    f->nput_off = 0;
    for (size_t i = 0; i < n; i++)
        carry_out(&orders[i]);
    free(orders);
    f->tick_ms = INT64_MAX;
    turns_later(f);
    fleet_carry(f);
}

/* Somebody waits for memory: maybe a stranger has let go of some. */
static void refresh(void *ctx)
{
    struct fleet *f = ctx;
    if (f->stopping || f->frozen || !sched_could_use_room(f->sched))
        return;
    budget_ask(f->budget, NULL);
    refresh_later(f);
}

void orders_begin(struct fleet *f)
{
    f->tick_ms = INT64_MAX;
    later_init(&f->carry, carry, f);
    timer_init(&f->tick, f->loop, tick, f);
    timer_init(&f->refresh, f->loop, refresh, f);
    turns_begin(f);
}

void orders_end(struct fleet *f)
{
    later_cancel(&f->carry);
    timer_cancel(&f->tick);
    timer_cancel(&f->refresh);
    turns_end(f);
}
