/* Another build of an engine under models that run. Their children go and come back one at a time, who is kept hot before who is not: the next goes when the last answers
 * again, so that there is always somebody to answer. Who waits for the one whose turn it is goes on waiting, also when its first load fails: what was before may be on its
 * way back. While it does not come up the others keep what they have. */
#include "fleet/fleet_int.h"

#include "conf/conf.h"
#include "conf/diff.h"

/* Its change is its engine's: the model's own `engine:`, or what stands under `engines:`. */
static bool is_of_engine(struct str cause, const struct conf_model *m)
{
    struct str rest = str_starts(cause, STR("models.")) ? str_from(cause, sizeof "models." - 1) : STR("");
    return str_starts(cause, STR("engines.")) || (str_starts(rest, m->name) && str_eq(str_from(rest, m->name.n), STR(".engine")));
}

static bool runs(const struct fleet_place *p)
{
    return p->m.state == SCHED_HOT || p->m.state == SCHED_LOADING;
}

/* As if what has been ordered since had never been. */
static bool is_as_it_runs(const struct fleet_place *p, const struct config *c, size_t model)
{
    struct arena a;
    struct conf_diff d;
    arena_init(&a);
    conf_diff(p->b->config, c, &a, &d);
    bool same = d.models[model].change == CONF_SAME;
    arena_fini(&a);
    return same;
}

bool turns_take(struct fleet_place *p, const struct config *c, size_t model, const struct conf_model_change *change)
{
    struct fleet *f = p->fleet;
    if (p->queued && is_as_it_runs(p, c, model)) {
        p->queued = p->changed = false;
        f->nqueued--;
        place_configure(p, c, model);
        return true;
    }
    if (change->change != CONF_RESTART)
        return p->queued;
    bool engine = is_of_engine(change->cause, &c->models[model]);
    if (p->queued && !engine)
        turns_forget(p);
    if (engine && !p->queued && !p->changed && runs(p)) {
        p->queued = p->changed = true;
        f->nqueued++;
    }
    if (p->queued)
        turns_later(f);
    return p->queued;
}

void turns_forget(struct fleet_place *p)
{
    p->fleet->nqueued -= p->queued;
    p->queued = false;
    if (p->fleet->turn == p)
        p->fleet->turn = NULL;
}

/* Nobody needs to wait for it any more. One that fails is waited for: what it fails of may be the engine's doing. */
static bool is_over(const struct fleet_place *p)
{
    if (p->changed && !p->queued) /* it goes. One that is queued has had its turn, and was changed once more meanwhile */
        return false;
    return p->m.state == SCHED_HOT || (p->m.state == SCHED_COLD && !p->m.nwaiting && !p->m.asked && (p->m.resting || !sched_is_pinned(&p->m)));
}

static struct fleet_place *next_of(const struct fleet *f)
{
    struct fleet_place *best = NULL;
    for (struct list *i = f->places.next; i != &f->places; i = i->next) {
        struct fleet_place *p = list_entry(i, struct fleet_place, node);
        if (!p->queued)
            continue;
        bool kept = sched_is_pinned(&p->m), best_kept = best && sched_is_pinned(&best->m);
        if (!best || kept > best_kept || (kept == best_kept && p->m.set.order < best->m.set.order))
            best = p;
    }
    return best;
}

static void begin(struct fleet_place *p)
{
    struct fleet *f = p->fleet;
    turns_forget(p);
    f->turn = p;
    f->turn_told = false;
    log_info("%.*s: its turn for the other build of its engine%s", STR_ARG(p->b->name), f->nqueued ? "; others wait for theirs" : "");
    place_change(p);
    sched_try(&p->m);
    if (!sched_is_pinned(&p->m)) /* it is there now, and shall be */
        sched_want(&p->m, false, fleet_now(f));
}

static void take_turns(void *ctx)
{
    struct fleet *f = ctx;
    if (f->stopping || f->frozen)
        return;
    for (struct list *i = f->places.next; i != &f->places && f->nqueued; i = i->next) {
        struct fleet_place *p = list_entry(i, struct fleet_place, node);
        if (p->queued && !runs(p)) { /* it goes, or is gone, for another reason: it comes back as it shall be */
            turns_forget(p);
            place_change(p);
        }
    }
    if (f->turn && is_over(f->turn))
        f->turn = NULL;
    if (f->turn && f->turn->b->state == BACKEND_FAILED && f->nqueued && !f->turn_told) {
        f->turn_told = true;
        log_warn("%.*s does not come up in the other build of its engine: the others keep what they have until it does, or is unloaded", STR_ARG(f->turn->b->name));
    }
    struct fleet_place *next = f->turn || !f->nqueued ? NULL : next_of(f);
    if (next)
        begin(next);
    fleet_carry(f);
}

void turns_later(struct fleet *f)
{
    if (f->turn || f->nqueued)
        loop_later(f->loop, &f->turns);
}

void turns_begin(struct fleet *f)
{
    later_init(&f->turns, take_turns, f);
}

void turns_end(struct fleet *f)
{
    later_cancel(&f->turns);
}
