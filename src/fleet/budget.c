#include "fleet/budget.h"

#include "base/err.h"
#include "base/log.h"
#include "proc/machine.h"

#include <stdlib.h>

struct budget {
    struct loop *loop;
    size_t (*pids)(void *ctx, int *out, size_t room);
    void (*changed)(void *ctx);
    void *ctx;
    int64_t given_bytes, reserve_bytes;     /* the configuration's; given 0: found out */
    struct work work;
    struct list waiting, served;            /* for the next look; for the one that runs */
    bool again;
    int pid[BUDGET_MAX_CHILDREN];           /* the look's, while it runs */
    size_t npids;
    int64_t total, others;                  /* what it found; -1 = not known */
    bool cards;                             /* there are GPUs with memory of their own */
    bool untold;                            /* the last look did not find them, or what we have of them */
    bool looked, told, told_untold;
    int64_t known_total, known_others;      /* of the last look */
};

void budget_wait_init(struct budget_wait *w, void (*done)(void *ctx), void *ctx)
{
    *w = (struct budget_wait){ .done = done, .ctx = ctx };
    list_init(&w->node);
}

/* What our children have of it; -1 = unknown. */
static int64_t used_by_ours(const struct machine *m, const struct budget *b)
{
    int64_t sum = 0;
    if (m->kind == MEMORY_VRAM)
        return b->npids ? machine_processes_vram(b->pid, b->npids) : 0;
    for (size_t i = 0; i < b->npids; i++) {
        int64_t bytes = machine_process_anon(b->pid[i]);
        sum += bytes > 0 ? bytes : 0;
    }
    return sum;
}

/* A driver's tool that does not answer this time takes no GPU away, and what it does not tell of our children makes them no strangers: what was found the
 * last time stays. */
static void look(void *ctx) /* on the pool */
{
    struct budget *b = ctx;
    struct machine m;
    machine_look("", &m);
    int64_t ours = used_by_ours(&m, b), used = m.models_total - m.models_free;
    b->untold = (b->cards && m.kind != MEMORY_VRAM) || (b->cards && ours < 0);
    if (b->untold)
        return;
    b->cards = m.kind == MEMORY_VRAM;
    b->total = m.models_total > 0 ? m.models_total : -1;
    b->others = b->total < 0 ? -1 : used > ours ? used - (ours > 0 ? ours : 0) : 0;
}

static void start(struct budget *b)
{
    while (!list_empty(&b->waiting)) {
        struct list *first = b->waiting.next;
        list_remove(first);
        list_push(&b->served, first);
    }
    b->again = false;
    b->npids = b->pids(b->ctx, b->pid, BUDGET_MAX_CHILDREN);
    loop_work(b->loop, &b->work);
}

static void looked(void *ctx)
{
    struct budget *b = ctx;
    b->looked = true;
    b->known_total = b->total;
    b->known_others = b->others;
    if (b->total < 0 && !b->given_bytes && !b->told) {
        b->told = true;
        log_warn("how much memory this machine has for models cannot be found out: nothing is refused for want of it. Give `budget: {memory: …}`");
    }
    if (b->untold && !b->told_untold)
        log_warn("the GPU's driver does not tell what memory is in use: what it said last counts on");
    b->told_untold = b->untold;
    b->changed(b->ctx);
    while (!list_empty(&b->served)) {
        struct budget_wait *w = list_entry(b->served.next, struct budget_wait, node);
        list_remove(&w->node);
        w->done(w->ctx);
    }
    if (b->again)
        start(b);
}

struct budget *budget_new(struct loop *l, size_t (*pids)(void *ctx, int *out, size_t room), void (*changed)(void *ctx), void *ctx)
{
    struct budget *b = calloc(1, sizeof *b);
    if (!b)
        die("out of memory for the budget");
    b->loop = l;
    b->pids = pids;
    b->changed = changed;
    b->ctx = ctx;
    b->known_total = b->known_others = -1;
    list_init(&b->waiting);
    list_init(&b->served);
    work_init(&b->work, look, looked, b);
    return b;
}

void budget_free(struct budget *b)
{
    free(b);
}

void budget_configure(struct budget *b, const struct config *c)
{
    b->given_bytes = c->budget_bytes;
    b->reserve_bytes = c->reserve_bytes;
}

void budget_ask(struct budget *b, struct budget_wait *w)
{
    if (w)
        list_push(&b->waiting, &w->node);
    if (b->work.running)
        b->again = true;
    else
        start(b);
}

void budget_leave(struct budget_wait *w)
{
    list_remove(&w->node);
}

bool budget_runs(const struct budget *b)
{
    return b->work.running || b->again;
}

bool budget_needs_looks(const struct budget *b)
{
    return !b->given_bytes && (!b->looked || b->known_total > 0);
}

int64_t budget_bytes(const struct budget *b)
{
    if (b->given_bytes)
        return b->given_bytes;
    if (b->known_total < 0)
        return -1;
    int64_t left = b->known_total - b->reserve_bytes - b->known_others;
    return left > 0 ? left : 0;
}

int64_t budget_others(const struct budget *b)
{
    return b->known_others;
}
