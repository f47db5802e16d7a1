/* hob ps: the figures are at hand, the memory is asked of the system, and that on the pool: to sum up the pages of a process that has mapped
 * tens of GiB takes the kernel its time. */
#include "admin/admin_int.h"

#include "api/reply.h"
#include "proc/machine.h"

#include <stdlib.h>

struct ps {
    struct admin *admin;
    struct world *world;        /* held; NULL as r */
    struct http_req *r;         /* NULL: the caller has gone */
    struct work work;
    size_t n;
    struct {
        int pid;
        int64_t bytes;
    } at[];                     /* one a model */
};

static void measure(void *ctx) /* on the pool */
{
    struct ps *p = ctx;
    for (size_t i = 0; i < p->n; i++)
        p->at[i].bytes = p->at[i].pid ? machine_process_ram(p->at[i].pid) : -1;
}

static void answer(struct ps *p)
{
    struct fleet_budget budget;
    struct api_load load;
    struct store_health store;
    struct buf body = { 0 };
    int64_t *measured = calloc(p->n + 1, sizeof *measured);
    if (!measured)
        die("out of memory for figures");
    for (size_t i = 0; i < p->n; i++) /* one that was replaced meanwhile has not been measured */
        measured[i] = p->at[i].pid == backend_pid(world_backend(p->world, i)) ? p->at[i].bytes : -1;
    fleet_budget(p->admin->fleet, &budget);
    if (p->admin->api)
        api_load(p->admin->api, &load);
    if (p->admin->store)
        store_health(p->admin->store, &store);
    struct view_gateway gateway = { p->admin->api ? &load : NULL, p->admin->store ? &store : NULL };
    view_ps(p->world, &budget, &gateway, measured, &body);
    reply_json(p->r, 200, STR(""), buf_str(&body));
    buf_free(&body);
    free(measured);
}

static void measured(void *ctx)
{
    struct ps *p = ctx;
    if (p->r)
        answer(p);
    world_release(p->world);
    free(p);
}

static void gone(void *ctx)
{
    struct ps *p = ctx;
    world_release(p->world); /* now: what ends the daemon may be what ends this */
    p->world = NULL;
    p->r = NULL; /* the pool still has it */
}

static const struct http_req_ops ops = { .on_gone = gone };

void admin_ps(struct admin *a, struct http_req *r)
{
    struct world *w = fleet_world(a->fleet);
    size_t n = world_config(w)->nmodels;
    struct ps *p = calloc(1, sizeof *p + n * sizeof p->at[0]);
    if (!p)
        die("out of memory for figures");
    p->admin = a;
    p->world = world_hold(w);
    p->r = r;
    p->n = n;
    for (size_t i = 0; i < n; i++)
        p->at[i].pid = backend_pid(world_backend(w, i));
    http_req_watch(r, &ops, p);
    work_init(&p->work, measure, measured, p);
    loop_work(a->loop, &p->work);
}
