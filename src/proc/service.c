/* Services: thin states over the keeper. A death that nobody asked for is told to the owner, who decides whether to start again; what is
 * counted here is only that five such deaths in a minute are enough. */
#include "proc/service.h"

#include "base/list.h"
#include "base/log.h"
#include "proc/obituary.h"
#include "proc/run_keeper.h"

#include <stdlib.h>

enum { DEATHS_MAX = 5, DEATHS_WINDOW_MS = 60 * 1000 };

const char *const service_state_name[] = { "stopped", "starting", "running", "ready", "stopping", "failed" };

struct services {
    struct loop *loop;
    struct keeper *keeper;
    struct list all;
};

struct service {
    struct list node;
    struct services *all;
    char *label;
    const struct service_ops *ops;
    void *ctx;
    enum service_state state;
    int pid;
    int64_t deaths_ms[DEATHS_MAX]; /* the newest last */
    size_t n_deaths;
};

struct services *services_new(struct loop *l, struct keeper *k)
{
    struct services *all = calloc(1, sizeof *all);
    if (!all)
        die("out of memory");
    all->loop = l;
    all->keeper = k;
    list_init(&all->all);
    return all;
}

void services_free(struct services *all)
{
    if (all && !list_empty(&all->all))
        die("services freed before their owners let go of them");
    free(all);
}

size_t services_alive(const struct services *all)
{
    size_t n = 0;
    for (const struct list *i = all->all.next; i != &all->all; i = i->next) {
        enum service_state now = list_entry(i, struct service, node)->state;
        n += now != SERVICE_STOPPED && now != SERVICE_FAILED;
    }
    return n;
}

/* The only writer of s->state. The owner may call anything from inside, service_start() too. */
static void enter(struct service *s, enum service_state to, const struct keeper_exit *death, const struct err *e)
{
    log_debug("service %s: %s -> %s", s->label, service_state_name[s->state], service_state_name[to]);
    s->state = to;
    s->ops->on_state(s->ctx, to, death, e);
}

struct service *service_new(struct services *all, struct str label, const struct service_ops *ops, void *ctx)
{
    struct service *s = calloc(1, sizeof *s);
    char *copy = strndup(label.n ? label.p : "", label.n);
    if (!s || !copy)
        die("out of memory");
    s->all = all;
    s->label = copy;
    s->ops = ops;
    s->ctx = ctx;
    list_push(&all->all, &s->node);
    return s;
}

void service_free(struct service *s)
{
    if (!s)
        return;
    if (s->state != SERVICE_STOPPED && s->state != SERVICE_FAILED)
        die("service %s freed while %s", s->label, service_state_name[s->state]);
    list_remove(&s->node);
    free(s->label);
    free(s);
}

/* Five in a minute? */
static bool count_death(struct service *s)
{
    int64_t now_ms = loop_now_ms(s->all->loop);
    if (s->n_deaths == DEATHS_MAX) {
        memmove(s->deaths_ms, s->deaths_ms + 1, sizeof s->deaths_ms - sizeof s->deaths_ms[0]);
        s->n_deaths--;
    }
    s->deaths_ms[s->n_deaths++] = now_ms;
    return s->n_deaths == DEATHS_MAX && now_ms - s->deaths_ms[0] <= DEATHS_WINDOW_MS;
}

static void ended(struct service *s, const struct keeper_exit *death, const struct err *e)
{
    s->pid = 0;
    if (s->state == SERVICE_STOPPING)
        enter(s, SERVICE_STOPPED, NULL, NULL);
    else
        enter(s, count_death(s) ? SERVICE_FAILED : SERVICE_STOPPED, death, e);
}

static void on_spawned(void *ctx, int pid, const struct err *e)
{
    struct service *s = ctx;
    if (e) {
        ended(s, NULL, e);
        return;
    }
    s->pid = pid;
    if (s->state == SERVICE_STARTING) /* when stopping: the keeper heard of that after the start, and is at it */
        enter(s, SERVICE_RUNNING, NULL, NULL);
}

void service_start(struct service *s, const struct keeper_spawn *spec)
{
    if (s->state == SERVICE_FAILED)
        s->n_deaths = 0;
    else if (s->state != SERVICE_STOPPED)
        die("service %s started while %s", s->label, service_state_name[s->state]);
    struct keeper_spawn own = *spec;
    own.label = str_of(s->label);
    keeper_start_child(s->all->keeper, &own, on_spawned, s);
    enter(s, SERVICE_STARTING, NULL, NULL);
}

void service_adopt(struct service *s, int pid)
{
    if (s->state != SERVICE_STOPPED && s->state != SERVICE_FAILED)
        die("service %s adopted while %s", s->label, service_state_name[s->state]);
    s->pid = pid;
    enter(s, SERVICE_RUNNING, NULL, NULL);
}

void service_is_ready(struct service *s)
{
    if (s->state == SERVICE_RUNNING)
        enter(s, SERVICE_READY, NULL, NULL);
}

void service_stop(struct service *s, uint32_t term_ms, uint32_t again_ms)
{
    if (s->state == SERVICE_STOPPED || s->state == SERVICE_FAILED)
        return;
    keeper_kill(s->all->keeper, str_of(s->label), term_ms, again_ms);
    if (s->state != SERVICE_STOPPING)
        enter(s, SERVICE_STOPPING, NULL, NULL);
}

void services_exited(struct services *all, const struct keeper_exit *x)
{
    if (run_by_keeper_exited(x))
        return;
    for (struct list *i = all->all.next; i != &all->all; i = i->next) {
        struct service *s = list_entry(i, struct service, node);
        if (s->pid != x->pid || !str_eq(str_of(s->label), x->label))
            continue;
        struct err e;
        obituary_read(x, &e);
        ended(s, x, &e);
        return; /* the owner may have changed the list */
    }
    log_debug("child %.*s (%d) ended, nobody here knew it", STR_ARG(x->label), x->pid);
}

enum service_state service_now(const struct service *s)
{
    return s->state;
}

int service_pid(const struct service *s)
{
    return s->pid;
}
