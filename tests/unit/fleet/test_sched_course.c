/* The schedule under any course of events: a world of models that load, fail, die, hang and shrink, callers of all classes that come and leave, people
 * who load, unload and pin, budgets and configurations that change, and time that passes. After each step everything that must always hold is looked at
 * anew; at the end of each course the world becomes fair, and all who wait must be answered.
 *
 * HOB_MODEL_CHECK_STEPS=N: so many steps in all (default a million); HOB_MODEL_CHECK_SEED=N: that course alone. */
#include "fleet/sched.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MODELS = 6, GUESTS = 48, STEPS = 400, TRAIL = 60, GB = 1024 };

/* What the world knows of a model's process. */
struct stove {
    struct sched_model m;
    bool added, looking, loading, running, stopping, reclaiming, wedged, gone;
    int64_t needs;              /* what the look will say */
    int64_t cut_from_ms;        /* leases may be cut from then on, because it leaves; INT64_MAX = not at all */
    int64_t remove_from_ms;     /* the same, because it is removed */
    enum sched_state was;       /* before the step */
    size_t was_held;
    unsigned was_epoch;
    bool was_pinned;
    int64_t was_hot_ms, was_used_ms;
};

struct guest {
    struct sched_lease lease;
    bool told;                  /* knows that it holds */
};

static struct {
    uint64_t dice, seed;
    struct sched *s;
    struct stove stove[MODELS];
    struct guest guest[GUESTS];
    struct sched_limits limits;
    int64_t now, age_ms, drain_ms;
    bool fair, stopped;
    size_t hung;                /* model that is being told hung in this step, + 1 */
    size_t loads, grants, refusals;
    int64_t contended_ms;       /* when models that were in use lately were last driven out; -1 = never */
    struct {
        const char *what;
        long a, b;
        int64_t now;
    } trail[TRAIL];
    size_t ntrail;
} w;

static unsigned roll(unsigned sides)
{
    w.dice ^= w.dice << 13;
    w.dice ^= w.dice >> 7;
    w.dice ^= w.dice << 17;
    return (unsigned)(w.dice >> 11) % sides;
}

static void note(const char *what, long a, long b)
{
    size_t i = w.ntrail++ % TRAIL;
    w.trail[i].what = what;
    w.trail[i].a = a;
    w.trail[i].b = b;
    w.trail[i].now = w.now;
}

static void tell_all(void)
{
    fprintf(stderr, "seed %" PRIu64 ", at %" PRId64 " ms; the last events:\n", w.seed, w.now);
    for (size_t i = w.ntrail > TRAIL ? w.ntrail - TRAIL : 0; i < w.ntrail; i++)
        fprintf(stderr, "  %8" PRId64 " %s %ld %ld\n", w.trail[i % TRAIL].now, w.trail[i % TRAIL].what, w.trail[i % TRAIL].a, w.trail[i % TRAIL].b);
    for (size_t i = 0; i < MODELS; i++) {
        const struct sched_model *m = &w.stove[i].m;
        if (w.stove[i].added)
            fprintf(stderr, "  model %zu: %s, booked %" PRId64 ", needs %" PRId64 ", %zu held, %zu wait%s%s\n", i, sched_state_name[m->state],
                m->booked_bytes, m->bytes, m->nheld, m->nwaiting, sched_is_pinned(m) ? ", pinned" : "", m->removed ? ", removed" : "");
    }
}

#define HOLDS(claim)                                  \
    do {                                              \
        if (!(claim)) {                               \
            tell_all();                               \
            fail_msg("it does not hold that " #claim); \
        }                                             \
    } while (0)

static size_t number_of(const struct sched_model *m)
{
    return (size_t)(list_entry(m, struct stove, m) - w.stove);
}

/* ---- orders ---- */

static void obey_stop(struct stove *v)
{
    HOLDS(!v->stopping && !v->reclaiming);
    v->stopping = true;
}

static void obey_load(struct stove *v)
{
    HOLDS(!v->loading && !v->running && !v->stopping && !v->reclaiming && !v->looking);
    HOLDS(sched_total(w.s) == SCHED_NO_BUDGET || sched_booked(w.s) <= sched_total(w.s));
    HOLDS(!w.stopped);
    v->loading = true;
    w.loads++;
}

static void obey(const struct sched_order *o)
{
    struct stove *v = list_entry(o->model, struct stove, m);
    struct guest *g = o->lease ? list_entry(o->lease, struct guest, lease) : NULL;
    switch (o->kind) {
    case ORDER_GRANT:
        HOLDS(g->lease.state == LEASE_HELD && !g->told);
        g->told = true;
        w.grants++;
        break;
    case ORDER_REFUSE:
        HOLDS(g->lease.state == LEASE_NONE && !g->told && o->why.code != ERR_OK);
        w.refusals++;
        break;
    case ORDER_SETTLED:
        break;
    case ORDER_FAILED:
        HOLDS(o->why.code != ERR_OK && !v->loading && !v->running && !v->stopping);
        break;
    case ORDER_STOP:
        obey_stop(v);
        break;
    case ORDER_RECLAIM:
        HOLDS(!v->reclaiming && !v->loading && !v->running && !v->stopping);
        v->reclaiming = true;
        break;
    case ORDER_RENEW:
        HOLDS(!v->loading && !v->running && !v->stopping && !v->reclaiming && !v->looking);
        v->needs = (int64_t)(1 + roll(9)) * GB;
        break;
    case ORDER_REMOVED:
        HOLDS(!v->loading && !v->running && !v->stopping && !v->reclaiming && !v->looking && !v->m.nwaiting);
        v->gone = true;
        break;
    case ORDER_LOOK:
        HOLDS(!v->looking && !v->loading && !v->running && !v->stopping && !v->reclaiming);
        v->looking = true;
        break;
    case ORDER_LOAD:
        obey_load(v);
        break;
    }
}

static void pull_orders(void)
{
    struct sched_order o;
    while (sched_next(w.s, &o)) {
        note(o.kind == ORDER_LOAD ? "  -> load" : o.kind == ORDER_STOP ? "  -> stop" : o.kind == ORDER_GRANT ? "  -> grant" : "  -> order",
            (long)number_of(o.model), (long)o.kind);
        obey(&o);
    }
}

/* ---- what always holds ---- */

static void remember(void)
{
    for (size_t i = 0; i < MODELS; i++) {
        struct stove *v = &w.stove[i];
        v->was = v->m.state;
        if (v->was != SCHED_LEAVING)
            v->cut_from_ms = INT64_MAX;
        v->was_held = v->m.nheld;
        v->was_epoch = v->m.epoch;
        v->was_pinned = v->added && sched_is_pinned(&v->m);
        v->was_hot_ms = v->m.hot_ms;
        v->was_used_ms = v->m.used_ms;
    }
}

static bool may_be_cut(const struct stove *v)
{
    const struct sched_model *m = &v->m;
    if (w.stopped || w.hung == number_of(m) + 1 || m->state == SCHED_RECLAIM || m->state == SCHED_WEDGED || m->state == SCHED_COLD ||
        m->state == SCHED_LOOKING || m->state == SCHED_FAILED)
        return true; /* it is gone: there is nothing to hold on to */
    return (m->leave == LEAVE_ASKED || m->leave == LEAVE_CHANGED || m->leave == LEAVE_REMOVED) && (w.now >= v->cut_from_ms || w.now >= v->remove_from_ms);
}

static void check_model(struct stove *v)
{
    const struct sched_model *m = &v->m;
    bool up = m->state == SCHED_HOT || m->state == SCHED_LEAVING;
    HOLDS(up || !m->nheld);
    HOLDS(!m->slots || m->nheld <= (size_t)m->slots);
    HOLDS(m->nwaiting <= (size_t)m->set.queue_limit);
    HOLDS(!(m->state == SCHED_HOT && m->nwaiting && m->nheld < (size_t)m->slots));
    HOLDS(!(m->state == SCHED_FAILED && m->nwaiting));
    HOLDS(!(m->state == SCHED_COLD && m->nwaiting > m->nriding && w.now >= m->retry_ms && !w.stopped));
    HOLDS(!(m->state == SCHED_COLD && m->nwaiting == m->nriding && m->nwaiting));
    HOLDS(m->booked_bytes == 0 || up || m->state == SCHED_LOADING || m->state == SCHED_STOPPING || m->state == SCHED_RECLAIM || m->state == SCHED_WEDGED);
    HOLDS(m->state != SCHED_WEDGED || v->wedged);
    if (v->was_held && m->epoch != v->was_epoch)
        HOLDS(may_be_cut(v));
    if (v->was == SCHED_HOT && m->leave == LEAVE_ROOM && (m->state == SCHED_LEAVING || m->state == SCHED_STOPPING)) {
        int64_t window = w.limits.residency_ms < w.age_ms ? w.limits.residency_ms : w.age_ms;
        HOLDS(!v->was_pinned || !sched_is_pinned(m));
        HOLDS(w.now - v->was_hot_ms >= window);
        if (v->was_held || w.now - v->was_used_ms < w.limits.residency_ms) {
            HOLDS(w.contended_ms < 0 || w.contended_ms == w.now || w.now - w.contended_ms >= window);
            w.contended_ms = w.now;
        }
    }
}

static void check(void)
{
    size_t held[MODELS] = { 0 }, waiting[MODELS] = { 0 };
    int64_t booked = 0;
    for (size_t i = 0; i < GUESTS; i++) {
        const struct sched_lease *l = &w.guest[i].lease;
        HOLDS(l->state != LEASE_REFUSED); /* all were told */
        HOLDS(w.guest[i].told == (l->state == LEASE_HELD));
        if (l->state == LEASE_WAITING)
            waiting[number_of(l->model)]++;
        if (l->state == LEASE_HELD)
            held[number_of(l->model)] += l->epoch == l->model->epoch;
    }
    for (size_t i = 0; i < MODELS; i++) {
        struct stove *v = &w.stove[i];
        if (!v->added)
            continue;
        booked += v->m.booked_bytes;
        HOLDS(v->m.nheld == held[i]);
        HOLDS(v->m.nwaiting == waiting[i]);
        check_model(v);
    }
    HOLDS(booked == sched_booked(w.s));
    HOLDS(sched_due_ms(w.s) > 0);
}

/* ---- what may happen ---- */

static struct sched_settings settings_of(size_t i)
{
    static const char *const names[MODELS] = { "a", "b", "c", "d", "e", "f" };
    return (struct sched_settings){
        .name = str_of(names[i]), .managed = true, .keep_hot = i == 0 && w.seed % 3 == 0, .slots = 1 + (int64_t)roll(3), .idle_ms = roll(3) ? 60000 : 0,
        .drain_ms = w.drain_ms, .weight = 50 + (int64_t)roll(100), .queue_limit = 10, .age_ms = w.age_ms, .order = i,
    };
}

static void add(struct stove *v)
{
    struct sched_settings set = settings_of((size_t)(v - w.stove));
    *v = (struct stove){ .added = true, .needs = (int64_t)(1 + roll(6)) * GB, .cut_from_ms = INT64_MAX, .remove_from_ms = INT64_MAX };
    sched_add(w.s, &v->m, &set, w.now);
}

static bool is_used(const struct stove *v)
{
    for (size_t i = 0; i < GUESTS; i++)
        if (w.guest[i].lease.state != LEASE_NONE && w.guest[i].lease.model == &v->m)
            return true;
    return false;
}

static void forget(struct stove *v)
{
    note("forget", v - w.stove, 0);
    sched_forget(&v->m);
    v->added = false;
}

static void request(struct guest *g, struct stove *v)
{
    static const enum caller_class often[] = { CALLER_PROGRAM, CALLER_PROGRAM, CALLER_CHAT, CALLER_BACKGROUND };
    struct err e = { 0 };
    enum caller_class class = often[roll(COUNTOF(often))];
    enum err_code rc = sched_request(&v->m, &g->lease, class, w.now, &e);
    note("request", v - w.stove, (long)rc);
    HOLDS(rc == e.code && (rc != ERR_OK) == (g->lease.state == LEASE_NONE));
    g->told = g->lease.state == LEASE_HELD;
}

static void let_go(struct guest *g)
{
    note(g->told ? "drop" : "leave the line", (long)number_of(g->lease.model), g - w.guest);
    g->told = false;
    sched_drop(&g->lease, w.now);
}

/* Whoever waits for the world to do something gets it, or not. */
static void world_goes_on(struct stove *v)
{
    struct err e = { 0 };
    unsigned luck = w.fair ? 0 : roll(20);
    long i = (long)(v - w.stove);
    if (v->looking) {
        v->looking = false;
        note("looked", i, (long)luck);
        if (luck == 1) {
            err_set(&e, ERR_WEIGHTS_BROKEN, "it is broken");
            sched_cannot(&v->m, &e, w.now);
        } else {
            sched_looked(&v->m, luck == 2 ? 100 * GB : luck == 3 ? 0 : v->needs, w.now);
        }
    } else if (v->stopping) {
        if (luck == 1 && !v->wedged && (v->running || v->loading)) {
            v->wedged = true;
            note("wedged", i, 0);
            err_set(&e, ERR_NO_BACKEND, "it does not die");
            sched_wedged(&v->m, &e, w.now);
        } else if (!v->wedged || w.fair || luck == 2) {
            v->stopping = v->running = v->loading = v->wedged = false;
            note("gone", i, 0);
            sched_gone(&v->m, w.now);
        }
    } else if (v->reclaiming) {
        v->reclaiming = false;
        note("reclaimed", i, 0);
        sched_reclaimed(&v->m, w.now);
    } else if (v->loading) {
        v->loading = luck == 4;
        if (luck == 4) {
            v->loading = false;
            v->running = v->stopping = true;
            w.hung = (size_t)i + 1;
            note("hung", i, 0);
            err_set(&e, ERR_LOAD_FAILED, "it hangs");
            sched_hung(&v->m, &e, w.now);
        } else if (luck >= 1 && luck <= 3) {
            note("load fails", i, (long)luck);
            err_set(&e, luck == 1 ? ERR_LOAD_FAILED : ERR_OUT_OF_MEMORY, "it broke");
            sched_died(&v->m, &e, w.now);
        } else {
            v->running = true;
            note("answers", i, 0);
            sched_answers(&v->m, v->m.set.slots, 100 + roll(5000), w.now);
        }
    } else if (v->running && luck == 1 && !roll(4)) {
        v->running = false;
        note("dies", i, 0);
        err_set(&e, roll(4) ? ERR_LOAD_FAILED : ERR_OUT_OF_MEMORY, "it died");
        sched_died(&v->m, &e, w.now);
    } else if (v->running && luck == 2 && !roll(4)) {
        v->stopping = true;
        w.hung = (size_t)i + 1;
        note("hangs", i, 0);
        err_set(&e, ERR_LOAD_FAILED, "it hangs");
        sched_hung(&v->m, &e, w.now);
    } else if (v->running && luck == 3) {
        note("measured", i, 0);
        sched_measured(&v->m, v->needs * (int64_t)(80 + roll(60)) / 100, w.now);
    }
}

static void within_drain(struct stove *v)
{
    if (w.now + w.drain_ms < v->cut_from_ms)
        v->cut_from_ms = w.now + w.drain_ms;
    if (v->remove_from_ms < v->cut_from_ms) /* it was leaving for that already */
        v->cut_from_ms = v->remove_from_ms;
}

static void people(struct stove *v)
{
    struct sched_settings set = settings_of((size_t)(v - w.stove));
    long i = (long)(v - w.stove);
    switch (roll(9)) {
    case 0:
    case 1:
        note("load", i, 0);
        sched_want(&v->m, roll(4) == 0, w.now);
        break;
    case 2:
    case 3:
        note("unload", i, 0);
        within_drain(v);
        sched_unload(&v->m, w.now);
        break;
    case 4:
        note("change", i, 0);
        within_drain(v);
        v->remove_from_ms = INT64_MAX;
        sched_change(&v->m, &set, w.now);
        v->gone = false;
        break;
    case 5:
        note("configure", i, 0);
        set.slots = v->m.set.slots;
        v->remove_from_ms = INT64_MAX;
        sched_configure(&v->m, &set, w.now);
        v->gone = false;
        break;
    case 6:
        note("remove", i, 0);
        v->remove_from_ms = v->m.removed ? v->remove_from_ms : w.now + w.drain_ms;
        sched_remove(&v->m, w.now);
        break;
    case 7:
        note("file changed", i, 0);
        sched_file_changed(&v->m, w.now);
        break;
    case 8:
        w.limits.background_loads = roll(2);
        note("limits", w.limits.background_loads, 0);
        sched_limit(w.s, &w.limits, w.now);
        break;
    }
}

static void budget(void)
{
    int64_t b = roll(12) ? (int64_t)(6 + roll(8)) * GB : SCHED_NO_BUDGET;
    note("budget", (long)b, 0);
    sched_budget(w.s, b, w.now);
}

static void time_passes(void)
{
    int64_t due = sched_due_ms(w.s), to = w.now + roll(roll(8) ? 300 : 20000);
    w.now = due < to ? due > w.now ? due : w.now : to; /* never past what is due: that is the clock's promise */
    if (due <= w.now) {
        note("tick", 0, 0);
        sched_tick(w.s, w.now);
        HOLDS(sched_due_ms(w.s) > w.now || w.drain_ms == 0);
    }
}

static void step(void)
{
    struct stove *v = &w.stove[roll(MODELS)];
    struct guest *g = &w.guest[roll(GUESTS)];
    remember();
    w.hung = 0;
    if (!v->added) {
        if (roll(20) == 0)
            add(v);
    } else if (v->gone && v->m.state == SCHED_COLD && !is_used(v) && roll(3) == 0) {
        forget(v);
    } else {
        switch (roll(16)) {
        case 0: case 1: case 2: case 3: case 4:
            if (g->lease.state == LEASE_NONE)
                request(g, v);
            else if (g->lease.state == LEASE_HELD || roll(4) == 0)
                let_go(g);
            break;
        case 5: case 6: case 7: case 8: case 9: case 10:
            world_goes_on(v);
            break;
        case 11: case 12: case 13: case 14:
            time_passes();
            break;
        case 15:
            if (roll(6) == 0)
                roll(3) ? people(v) : budget();
            break;
        }
    }
    pull_orders();
    check();
}

/* ---- a course ---- */

static bool anybody_left(void)
{
    for (size_t i = 0; i < GUESTS; i++)
        if (w.guest[i].lease.state != LEASE_NONE)
            return true;
    return false;
}

/* Nobody comes any more, loads succeed, requests end: then each request is answered, in so many turns and with so many loads. */
static void becomes_fair(void)
{
    size_t loads = w.loads, turns = 0, bound = GUESTS + 2 * MODELS;
    w.fair = true;
    for (; anybody_left(); turns++) {
        HOLDS(turns < 20000);
        struct guest *g = &w.guest[roll(GUESTS)];
        remember();
        w.hung = 0;
        if (roll(3) == 0 && g->lease.state == LEASE_HELD)
            let_go(g);
        else if (roll(2) && w.stove[turns % MODELS].added)
            world_goes_on(&w.stove[turns % MODELS]);
        else
            time_passes();
        pull_orders();
        check();
    }
    HOLDS(w.loads - loads <= bound);
}

static void stops(void)
{
    remember();
    w.stopped = true;
    note("stop", 0, 0);
    sched_stop(w.s, w.now);
    pull_orders();
    check();
    for (size_t i = 0; i < 1000 && !sched_is_down(w.s); i++) {
        remember();
        if (w.stove[i % MODELS].added)
            world_goes_on(&w.stove[i % MODELS]);
        pull_orders();
        check();
    }
    HOLDS(sched_is_down(w.s));
}

static void begin(uint64_t seed)
{
    memset(&w, 0, sizeof w);
    w.seed = seed;
    w.dice = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    w.now = 1000000;
    w.contended_ms = -1;
    w.limits.residency_ms = (int64_t[]){ 0, 2000, 10000, 10000 }[roll(4)];
    w.age_ms = (int64_t[]){ 1000, 5000, 30000 }[roll(3)];
    w.drain_ms = (int64_t[]){ 0, 3000, 30000 }[roll(3)];
    w.s = sched_new();
    sched_limit(w.s, &w.limits, w.now);
    budget();
    for (size_t i = 0; i < GUESTS; i++)
        sched_lease_init(&w.guest[i].lease);
    for (size_t i = 0; i + 1 < MODELS; i++)
        add(&w.stove[i]);
    sched_start(w.s, w.now);
    pull_orders();
}

static void end(void)
{
    for (size_t i = 0; i < MODELS; i++)
        if (w.stove[i].added)
            sched_forget(&w.stove[i].m);
    HOLDS(sched_booked(w.s) == 0);
    sched_free(w.s);
}

static void test_whatever_happens_what_must_hold_holds(void **state)
{
    const char *steps = getenv("HOB_MODEL_CHECK_STEPS"), *only = getenv("HOB_MODEL_CHECK_SEED");
    uint64_t courses = (steps ? strtoull(steps, NULL, 10) : 1000000) / STEPS, first = only ? strtoull(only, NULL, 10) : 1;
    size_t loads = 0, grants = 0, refusals = 0;
    if (only)
        courses = 1;
    for (uint64_t seed = first; seed < first + courses; seed++) {
        begin(seed);
        for (int i = 0; i < STEPS; i++)
            step();
        becomes_fair();
        stops();
        end();
        loads += w.loads;
        grants += w.grants;
        refusals += w.refusals;
    }
    printf("%" PRIu64 " courses from seed %" PRIu64 ": %zu loads, %zu grants, %zu refusals after a wait\n", courses, first, loads, grants, refusals);
    assert_true(only || (loads > courses && grants > courses && refusals > 0)); /* it was no empty walk */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_whatever_happens_what_must_hold_holds) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
