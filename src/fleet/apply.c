/* A new configuration in the place of the one in force. What comes and goes is told by conf_diff(); here each model gets its place in the new world:
 *
 *   the same         the same place goes on, looking at the new settings
 *   changed          the same place: its child ends what it does, goes, and comes back with other settings (place_change, place_renew); its line stays
 *   its engine's     the same, when its turn comes: turns.c
 *   build changed
 *   changed, on a    a new place at once, since two can be reached side by side; the old one ends with its leases
 *   host
 *   new              a new place; or the one of that name that is still going: its child has to be gone before another of that name begins
 *   gone             the place is in the new world no more, and goes (place_remove, place_gone)
 *
 * Who works in the old world goes on in it: it holds its places, its names and its settings. */
#include "fleet/fleet_int.h"

#include "conf/conf.h"
#include "conf/diff.h"

#include <stdlib.h>

/* A child of that name that is still on its way out. */
static struct fleet_place *find_going(struct fleet *f, struct str name)
{
    for (struct list *i = f->places.next; i != &f->places; i = i->next) {
        struct fleet_place *p = list_entry(i, struct fleet_place, node);
        if (p->removed && p->b->kind->managed && str_eq(p->b->name, name))
            return p;
    }
    return NULL;
}

static bool is_managed(const struct config *c, size_t model)
{
    return c->models[model].host.n == 0;
}

static struct fleet_place *place_for(struct fleet *f, const struct config *c, size_t model, const struct conf_model_change *change)
{
    struct fleet_place *p = change->change == CONF_ADDED ? NULL : f->world->place[change->was];
    bool restart = change->change == CONF_RESTART;
    if (p && p->b->kind->managed && is_managed(c, model) && turns_take(p, c, model, change))
        return p;
    if (p && !restart) {
        if (!p->changed) /* else it looks at the newest when its child has gone */
            place_configure(p, c, model);
        return p;
    }
    if (is_managed(c, model) && (!p || !p->b->kind->managed))
        p = find_going(f, c->models[model].name);
    if (!p || !p->b->kind->managed || !is_managed(c, model))
        return place_new(f, c, model);
    p->removed = false;
    place_change(p);
    return p;
}

static bool has_place(const struct world *w, const struct fleet_place *p)
{
    for (size_t i = 0; i < w->config->nmodels; i++)
        if (w->place[i] == p)
            return true;
    return false;
}

void fleet_apply(struct fleet *f, const struct config *c, const struct conf_diff *d)
{
    struct world *old = f->world, *new = world_new(f, c);
    for (size_t i = 0; i < c->nmodels; i++)
        new->place[i] = place_hold(place_for(f, c, i, &d->models[i]));
    f->world = new;
    for (size_t i = 0; i < old->config->nmodels; i++)
        if (!has_place(new, old->place[i]))
            place_remove(old->place[i]);
    world_release(old);
    fleet_review(f);
    turns_later(f);
}

static size_t index_of(const struct world *w, const struct fleet_place *p)
{
    size_t i = 0;
    while (w->place[i] != p)
        i++;
    return i;
}

static bool same_kind(const struct conf_model *a, const struct conf_model *b)
{
    return !a->file.n == !b->file.n;
}

void place_renew(struct fleet_place *p)
{
    struct fleet *f = p->fleet;
    if (!has_place(f->world, p))
        return; /* removed meanwhile: place_gone() comes */
    const struct config *c = f->world->config;
    size_t model = index_of(f->world, p);
    struct backend *was = p->b;
    p->changed = false;
    if (same_kind(was->model, &c->models[model])) {
        backend_renew(was, c, model);
        place_renewed(p);
        return;
    }
    struct backend **retired = realloc(p->retired, (p->nretired + 1) * sizeof(struct backend *));
    if (!retired)
        die("out of memory for a place");
    p->retired = retired;
    p->retired[p->nretired++] = was;
    backend_retire(was);
    p->b = place_backend(p, c, model);
    place_renewed(p);
}

void place_gone(struct fleet_place *p)
{
    p->gone = true;
    list_remove(&p->node);
    backend_retire(p->b); /* its child's name is free */
    place_release(p);
}
