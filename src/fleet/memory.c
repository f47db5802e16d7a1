/* What a child has of memory: measured when it is hot and when it has worked, booked anew when it was more than was thought; and when it is gone, seen
 * to be back before another gets it. */
#include "fleet/fleet_int.h"

enum {
    LOOK_AGAIN_MS = 100,                /* memory of a driver may come back after the process has gone */
    GIVE_UP_MS = 5000,
};
static const int64_t worth_a_look = INT64_C(256) << 20; /* less than that drowns in what others take and give at any time */

/* ---- measuring ---- */

/* What is booked may only rise while nobody knows how much of it the child has not touched yet; what the operator says is never lowered. Kept prompts
 * fill up later than any measurement: they stay on top, as in the next estimate. */
static void book(struct fleet_place *p, enum measure_when when, int64_t has_bytes)
{
    bool given = p->b->model->memory_bytes > 0, known = when == MEASURE_BUSY && p->plan.prompt && !given;
    int64_t bytes = has_bytes + (given ? 0 : p->estimate.terms.cache);
    if (bytes > p->m.booked_bytes || (known && bytes < p->m.booked_bytes)) {
        log_debug("%.*s: has %lld MiB, %lld MiB were booked", STR_ARG(p->b->name), (long long)(has_bytes >> 20),
            (long long)(p->m.booked_bytes >> 20));
        sched_measured(&p->m, bytes, fleet_now(p->fleet));
        fleet_carry(p->fleet);
    }
}

static void measure(struct fleet_place *p, enum measure_when when);

static void measured(void *ctx, int64_t bytes)
{
    struct fleet_place *p = ctx;
    p->measure = NULL;
    if (bytes >= 0) {
        p->measured_bytes = bytes;
        book(p, p->measuring, bytes);
        sched_learned(&p->m);
    }
    if (p->measure_again) { /* it has worked while it was looked at idle */
        p->measure_again = false;
        measure(p, MEASURE_BUSY);
    }
}

static void measure(struct fleet_place *p, enum measure_when when)
{
    int pid = backend_pid(p->b);
    if (p->measure && when == MEASURE_BUSY)
        p->measure_again = true;
    if (p->measure || !p->estimated || pid <= 0 || p->fleet->stopping)
        return;
    p->measuring = when;
    p->measure = measure_start(p->fleet->loop, p->fleet->store, &p->estimate, pid, when, measured, p);
}

void memory_hot(struct fleet_place *p)
{
    p->plan = (struct measure_plan){ .first = false };
    measure(p, MEASURE_IDLE);
}

void memory_answered(struct fleet_place *p, int64_t input_tokens)
{
    if (p->b->kind->managed && measure_due(&p->plan, input_tokens))
        measure(p, MEASURE_BUSY);
}

/* ---- giving back ---- */

/* One that was seen to have much less than was booked for it did not die of that, whatever the signal: strangers took the memory, or a person killed
 * it. Else each such death would ask for more than the last, until it fitted nowhere. */
static bool fell_short(const struct fleet_place *p)
{
    return p->measured_bytes < 0 || p->measured_bytes >= p->m.booked_bytes / 4 * 3;
}

void memory_ended(struct fleet_place *p, const struct err *death)
{
    if (death && death->code == ERR_OUT_OF_MEMORY && p->estimated && fell_short(p))
        measure_out_of_memory(p->fleet->loop, p->fleet->store, &p->estimate, p->m.booked_bytes);
    hours_ended(p);
    measure_cancel(p->measure);
    p->measure = NULL;
    p->measure_again = false;
    p->expect_bytes = p->measured_bytes;
    p->measured_bytes = -1;
    p->others_before_bytes = budget_others(p->fleet->budget);
}

static void is_back(struct fleet_place *p)
{
    sched_reclaimed(&p->m, fleet_now(p->fleet));
    fleet_carry(p->fleet);
}

/* What is not back looks as if strangers had it. */
static void look_for_it(void *ctx)
{
    struct fleet_place *p = ctx;
    int64_t grown = budget_others(p->fleet->budget) - p->others_before_bytes;
    bool missing = grown > p->expect_bytes / 2;
    if (missing && fleet_now(p->fleet) < p->give_up_ms && !p->fleet->stopping) {
        timer_set(&p->look_again, LOOK_AGAIN_MS);
        return;
    }
    if (missing)
        log_warn("%.*s: %lld MiB of its memory did not come back within %d s; they count as somebody else's", STR_ARG(p->b->name),
            (long long)(grown >> 20), GIVE_UP_MS / 1000);
    is_back(p);
}

static void look_again(void *ctx)
{
    struct fleet_place *p = ctx;
    budget_ask(p->fleet->budget, &p->back);
}

void memory_reclaim(struct fleet_place *p)
{
    if (p->fleet->stopping || p->expect_bytes < worth_a_look || p->others_before_bytes < 0) {
        is_back(p);
        return;
    }
    p->give_up_ms = fleet_now(p->fleet) + GIVE_UP_MS;
    budget_ask(p->fleet->budget, &p->back);
}

void memory_begin(struct fleet_place *p)
{
    p->measured_bytes = p->expect_bytes = p->hot_since_ms = -1;
    budget_wait_init(&p->back, look_for_it, p);
    timer_init(&p->look_again, p->fleet->loop, look_again, p);
}

void memory_end(struct fleet_place *p)
{
    measure_cancel(p->measure);
    budget_leave(&p->back);
    timer_cancel(&p->look_again);
}
