/* Leases for the requests of another process. They are leases like any: what they hold is not unloaded, and has a slot less. */
#include "fleet/fleet_int.h"

#include <stdlib.h>

struct ghost {
    struct list node;
    struct lease lease;
    struct world *world;        /* held */
    size_t model;
};

struct ghosts {
    struct fleet *fleet;
    struct list all;
};

static void ghost_free(struct ghost *g)
{
    list_remove(&g->node);
    lease_drop(&g->lease);
    world_release(g->world);
    free(g);
}

static void settled(void *ctx, const struct err *e)
{
    if (e) /* it cannot be had: then nothing of it is to be held */
        ghost_free(ctx);
}

static void add(struct ghosts *all, size_t model)
{
    struct ghost *g = calloc(1, sizeof *g);
    struct err e;
    if (!g)
        die("out of memory for a lease");
    g->world = world_hold(fleet_world(all->fleet));
    g->model = model;
    list_push(&all->all, &g->node);
    lease_init(&g->lease, settled, g);
    if (fleet_lease(g->world, model, CALLER_CHAT, &g->lease, &e))
        ghost_free(g);
}

static struct str name_of(const struct ghost *g)
{
    return world_config(g->world)->models[g->model].name;
}

/* Who speaks of its requests has it in memory. */
static void know(struct fleet *f, struct str model)
{
    for (struct list *i = f->places.next; i != &f->places; i = i->next) {
        struct fleet_place *p = list_entry(i, struct fleet_place, node);
        p->was_hot = p->was_hot || (p->adopting && str_eq(p->b->name, model));
    }
}

void ghosts_set(struct ghosts *all, struct str model, size_t n)
{
    know(all->fleet, model);
    const struct config *c = world_config(fleet_world(all->fleet));
    size_t have = 0;
    for (struct list *at = all->all.next, *next; at != &all->all; at = next) {
        struct ghost *g = list_entry(at, struct ghost, node);
        next = at->next;
        if (str_eq(name_of(g), model) && ++have > n)
            ghost_free(g);
    }
    for (size_t i = 0; i < c->nmodels; i++)
        for (; have < n && str_eq(c->models[i].name, model); have++)
            add(all, i);
}

struct ghosts *ghosts_new(struct fleet *f)
{
    struct ghosts *g = calloc(1, sizeof *g);
    if (!g)
        die("out of memory for leases");
    g->fleet = f;
    list_init(&g->all);
    return g;
}

void ghosts_free(struct ghosts *g)
{
    if (!g)
        return;
    for (struct list *n; (n = list_take(&g->all));)
        ghost_free(list_entry(n, struct ghost, node));
    free(g);
}
