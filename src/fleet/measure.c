#include "fleet/measure.h"

#include "base/log.h"
#include "proc/machine.h"

#include <stdlib.h>

struct measure {
    struct work work;
    struct store *store;            /* held; may be NULL */
    struct calibration row;
    int pid;
    enum measure_when when;
    int64_t bytes;
    void (*done)(void *ctx, int64_t bytes); /* NULL: cancelled, or nobody asks */
    void *ctx;
};

static struct measure *make(struct store *s, const struct estimate *e)
{
    struct measure *m = calloc(1, sizeof *m);
    if (!m)
        die("out of memory");
    m->store = store_hold(s);
    m->row.estimated_bytes = e->terms.total - e->terms.cache;
    memcpy(m->row.model, e->model, sizeof m->row.model);
    memcpy(m->row.engine, e->engine, sizeof m->row.engine);
    memcpy(m->row.settings, e->settings, sizeof m->row.settings);
    return m;
}

static void keep(struct measure *m)
{
    struct err e;
    if (m->store && m->row.settings[0])
        (void)!calibrations_put(m->store, &m->row, &e); /* the store says by itself when it cannot be written to */
}

static void look(void *ctx) /* on the pool */
{
    struct measure *m = ctx;
    int64_t ram = machine_process_alone(m->pid), vram = ram > 0 ? machine_process_vram(m->pid) : -1;
    m->bytes = ram > 0 && vram != MACHINE_UNTOLD ? ram + (vram > 0 ? vram : 0) : -1; /* RAM alone would be the smaller part */
    if (m->bytes < 0)
        return;
    if (m->when == MEASURE_IDLE)
        m->row.idle_bytes = m->bytes;
    else
        m->row.busy_bytes = m->bytes;
    keep(m);
}

static void looked(void *ctx)
{
    struct measure *m = ctx;
    if (m->done)
        m->done(m->ctx, m->bytes);
    store_release(m->store);
    free(m);
}

struct measure *measure_start(struct loop *l, struct store *s, const struct estimate *e, int pid, enum measure_when when,
    void (*done)(void *ctx, int64_t bytes), void *ctx)
{
    struct measure *m = make(s, e);
    m->pid = pid;
    m->when = when;
    m->done = done;
    m->ctx = ctx;
    work_init(&m->work, look, looked, m);
    loop_work(l, &m->work);
    return m;
}

void measure_cancel(struct measure *m)
{
    if (m)
        m->done = NULL;
}

static void keep_death(void *ctx) /* on the pool */
{
    keep(ctx);
}

void measure_out_of_memory(struct loop *l, struct store *s, const struct estimate *e, int64_t booked_bytes)
{
    int64_t room = booked_bytes - e->terms.cache; /* kept prompts come on top of the row's figures */
    struct measure *m = make(s, e);
    m->row.short_bytes = room > 0 ? room : booked_bytes;
    work_init(&m->work, keep_death, looked, m);
    loop_work(l, &m->work);
}

bool measure_due(struct measure_plan *p, int64_t prompt_tokens)
{
    bool is_long = prompt_tokens >= MEASURE_LONG_TOKENS, due = !p->first || (is_long && !p->prompt);
    p->first = true;
    p->prompt = p->prompt || is_long;
    return due;
}
