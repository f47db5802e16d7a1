/* The ledger of memory, and the one writer of its level. */
#include "loop/overload.h"

#include "base/err.h"
#include "base/log.h"

#include <stdlib.h>

enum {
    LOOK_MS = 100,
    STAY_MS = 1000,              /* at a level, before it falls: or a burst would be a dozen changes */
    GIVE_BACK_MS = 2000,         /* between two tidyings of the heap */
    QUIET_MS = 60 * 1000,        /* the same is said at most so often */
    REFUSE_AT = 90, SHED_AT = 95, /* percent */
    CALM_AT = 80, SETTLE_AT = 90,
    BEAR_AT = 97,                /* what runs may grow so far: the rest is for what nobody counts */
    TIDY_AT = 70,
};

const char *const overload_level_name[] = { [OVERLOAD_CALM] = "calm", [OVERLOAD_REFUSING] = "refusing", [OVERLOAD_SHEDDING] = "shedding" };

struct overload {
    struct loop *loop;
    overload_measure_fn *measure;
    void *ctx;
    struct own_memory *own;
    struct timer look;
    enum overload_level level;   /* enter() is its only writer */
    int64_t since_ms, looked_ms, tidied_ms, said_ms;
    int64_t limit, refuse, shed, bear; /* bytes */
    int64_t measured, promised, landed;
    uint64_t times;
    void (*on_level)(void *ctx, enum overload_level now);
    void *watch_ctx;
};

static int64_t used(const struct overload *o)
{
    return o->measured + o->promised + o->landed;
}

/* ---- the level ---- */

static void say(struct overload *o, enum overload_level to)
{
    int64_t now = loop_now_ms(o->loop);
    bool quiet = o->said_ms && now - o->said_ms < QUIET_MS;
    enum log_level at = quiet ? LOG_DEBUG : to == OVERLOAD_CALM ? LOG_INFO : LOG_WARN;
    static const char *const what[] = { "new requests are taken again", "new requests are refused", "new requests are refused, idle connections are closed" };
    log_at(at, "memory: %lld MiB of %lld (`limits: {memory: …}`), %lld of them promised: %s", (long long)(used(o) >> 20), (long long)(o->limit >> 20),
        (long long)(o->promised >> 20), what[to]);
    if (!quiet && to != OVERLOAD_CALM)
        o->said_ms = now;
}

static void enter(struct overload *o, enum overload_level to)
{
    say(o, to);
    o->times += o->level == OVERLOAD_CALM;
    o->level = to;
    o->since_ms = loop_now_ms(o->loop);
}

static int64_t percent(const struct overload *o, int part)
{
    return o->limit / 100 * part;
}

static enum overload_level wanted(const struct overload *o)
{
    int64_t n = used(o);
    if (n >= o->shed || (o->level == OVERLOAD_SHEDDING && n >= percent(o, SETTLE_AT)))
        return OVERLOAD_SHEDDING;
    if (n >= o->refuse || (o->level != OVERLOAD_CALM && n >= percent(o, CALM_AT)))
        return OVERLOAD_REFUSING;
    return OVERLOAD_CALM;
}

/* ---- the look ---- */

static void measure(struct overload *o)
{
    int64_t n = o->measure(o->ctx);
    o->looked_ms = loop_now_ms(o->loop);
    if (n < 0)
        return; /* what has landed stays counted until it is known */
    o->measured = n;
    o->landed = 0;
}

/* Freed memory that the allocator keeps counts as used, until it is made to give it back. */
static void tidy(struct overload *o)
{
    int64_t now = loop_now_ms(o->loop);
    if (o->measured < percent(o, TIDY_AT) || (o->tidied_ms && now - o->tidied_ms < GIVE_BACK_MS))
        return;
    o->tidied_ms = now;
    own_memory_give_back();
    measure(o);
}

static void look(void *ctx)
{
    struct overload *o = ctx;
    measure(o);
    tidy(o);
    enum overload_level to = wanted(o);
    bool change = to > o->level || (to < o->level && o->looked_ms - o->since_ms >= STAY_MS);
    if (change)
        enter(o, to);
    if (o->level != OVERLOAD_CALM)
        timer_set(&o->look, LOOK_MS);
    if (o->on_level && (change || o->level != OVERLOAD_CALM))
        o->on_level(o->watch_ctx, o->level);
}

/* Something has changed: within a while somebody looks. */
static void look_soon(struct overload *o)
{
    if (!timer_is_set(&o->look))
        timer_set(&o->look, LOOK_MS);
}

/* ---- the ledger ---- */

bool overload_admits(const struct overload *o, int64_t bytes)
{
    return o->level == OVERLOAD_CALM && used(o) + bytes < o->refuse;
}

bool overload_bears(const struct overload *o, int64_t bytes)
{
    return used(o) + bytes < o->bear;
}

bool overload_is_promised(const struct overload *o)
{
    return o->promised > 0;
}

void overload_promise(struct overload *o, int64_t bytes)
{
    o->promised += bytes;
    look_soon(o);
}

void overload_keep(struct overload *o, int64_t bytes)
{
    o->promised -= bytes;
    o->landed += bytes;
    look_soon(o); /* else it would count for what the next one needs, when long gone */
}

void overload_forget(struct overload *o, int64_t bytes)
{
    o->promised -= bytes;
}

void overload_landed(struct overload *o, int64_t bytes)
{
    o->landed += bytes;
    look_soon(o);
}

void overload_figures(struct overload *o, struct overload_figures *out)
{
    if (loop_now_ms(o->loop) - o->looked_ms >= LOOK_MS)
        measure(o);
    *out = (struct overload_figures){ .level = o->level, .limit_bytes = o->limit, .measured_bytes = o->measured, .promised_bytes = o->promised,
        .used_bytes = used(o), .times = o->times };
}

/* ---- birth and death ---- */

static int64_t ask_system(void *ctx)
{
    return own_memory_bytes(ctx);
}

void overload_limit(struct overload *o, int64_t bytes)
{
    o->limit = bytes;
    o->refuse = percent(o, REFUSE_AT);
    o->shed = percent(o, SHED_AT);
    o->bear = percent(o, BEAR_AT);
    look_soon(o);
}

void overload_watch(struct overload *o, void (*on_level)(void *ctx, enum overload_level now), void *ctx)
{
    o->on_level = on_level;
    o->watch_ctx = ctx;
}

struct overload *overload_new(struct loop *l, overload_measure_fn *measure_fn, void *ctx)
{
    struct overload *o = calloc(1, sizeof *o);
    if (!o)
        die("out of memory for the ledger of memory");
    o->loop = l;
    o->own = measure_fn ? NULL : own_memory_open();
    o->measure = measure_fn ? measure_fn : ask_system;
    o->ctx = measure_fn ? ctx : o->own;
    o->limit = o->refuse = o->shed = o->bear = INT64_MAX / 4;
    timer_init(&o->look, l, look, o);
    measure(o);
    return o;
}

void overload_free(struct overload *o)
{
    if (!o)
        return;
    timer_cancel(&o->look);
    own_memory_close(o->own);
    free(o);
}
