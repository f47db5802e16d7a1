/* The schedule's rules, one by one, with the time passed in; and its table, cell by cell. Any course of events: test_sched_course.c. */
#include "fleet/sched_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MODELS = 4, A = 0, B = 1, C = 2, D = 3, GUESTS = 24, MB = 1 << 20, RESIDENCY = 10000, AGE = 30000, DRAIN = 5000 };

static struct {
    struct sched *s;
    struct sched_model m[MODELS];
    struct sched_lease l[GUESTS];
    int64_t now;
    int looks[MODELS], loads[MODELS], stops[MODELS], reclaims[MODELS], fails[MODELS], renewed[MODELS], removed[MODELS];
    int settled[MODELS][2];             /* unload, load */
    enum err_code settled_code[MODELS];
    enum sched_reason reason[MODELS];   /* of the last stop */
    char text[300];                     /* of the last refusal or failure, or why it was stopped */
    enum err_code refused[GUESTS];
    size_t grants, refusals;
} k;

static size_t index_of(const struct sched_model *m)
{
    return (size_t)(m - k.m);
}

static void obey(const struct sched_order *o)
{
    size_t i = index_of(o->model);
    int *counted[] = { [ORDER_STOP] = k.stops, [ORDER_FAILED] = k.fails, [ORDER_RECLAIM] = k.reclaims, [ORDER_RENEW] = k.renewed,
        [ORDER_REMOVED] = k.removed, [ORDER_LOOK] = k.looks, [ORDER_LOAD] = k.loads };
    if (o->why.text[0])
        snprintf(k.text, sizeof k.text, "%s", o->why.text);
    switch (o->kind) {
    case ORDER_GRANT:
        k.grants++;
        break;
    case ORDER_REFUSE:
        k.refused[o->lease - k.l] = o->why.code;
        k.refusals++;
        break;
    case ORDER_SETTLED:
        k.settled[i][o->load]++;
        k.settled_code[i] = o->why.code;
        break;
    case ORDER_STOP:
        k.reason[i] = o->reason;
        counted[o->kind][i]++;
        break;
    case ORDER_FAILED:
    case ORDER_RECLAIM:
    case ORDER_RENEW:
    case ORDER_REMOVED:
    case ORDER_LOOK:
    case ORDER_LOAD:
        counted[o->kind][i]++;
        break;
    }
}

static void pull(void)
{
    struct sched_order o;
    while (sched_next(k.s, &o))
        obey(&o);
}

static const char *const names[MODELS] = { "a", "b", "c", "d" };

static struct sched_settings plain(size_t i)
{
    return (struct sched_settings){ .name = str_of(names[i]), .managed = true, .slots = 2, .drain_ms = DRAIN, .weight = 100, .queue_limit = 5, .age_ms = AGE,
        .order = i };
}

static int open_kitchen(void **state)
{
    memset(&k, 0, sizeof k);
    k.now = 1000000;
    k.s = sched_new();
    sched_limit(k.s, &(struct sched_limits){ .residency_ms = RESIDENCY }, k.now);
    sched_budget(k.s, 4 * MB, k.now);
    for (size_t i = 0; i < MODELS; i++) {
        struct sched_settings set = plain(i);
        sched_add(k.s, &k.m[i], &set, k.now);
    }
    for (size_t i = 0; i < GUESTS; i++)
        sched_lease_init(&k.l[i]);
    sched_start(k.s, k.now);
    pull();
    return 0;
}

static int close_kitchen(void **state)
{
    for (size_t i = 0; i < MODELS; i++)
        sched_forget(&k.m[i]);
    assert_int_equal(sched_booked(k.s), 0);
    sched_free(k.s);
    return 0;
}

/* ---- what happens, in a word each ---- */

static enum err_code ask_as(size_t guest, size_t model, enum caller_class class)
{
    struct err e = { 0 };
    enum err_code rc = sched_request(&k.m[model], &k.l[guest], class, k.now, &e);
    if (rc)
        snprintf(k.text, sizeof k.text, "%s", e.text);
    pull();
    return rc;
}

static enum err_code ask(size_t guest, size_t model)
{
    return ask_as(guest, model, CALLER_PROGRAM);
}

static void drop(size_t guest)
{
    sched_drop(&k.l[guest], k.now);
    pull();
}

static void looked(size_t model, int64_t bytes)
{
    sched_looked(&k.m[model], bytes, k.now);
    pull();
}

static void answers(size_t model)
{
    sched_answers(&k.m[model], 2, 1000, k.now);
    pull();
}

static void goes(size_t model) /* told to, and with its memory */
{
    sched_gone(&k.m[model], k.now);
    pull();
    sched_reclaimed(&k.m[model], k.now);
    pull();
}

static void dies(size_t model, enum err_code code)
{
    struct err e;
    err_set(&e, code, "it broke");
    sched_died(&k.m[model], &e, k.now);
    pull();
    sched_reclaimed(&k.m[model], k.now);
    pull();
}

/* Time passes, with a look at each moment that is due. */
static void wait_ms(int64_t ms)
{
    int64_t to = k.now + ms;
    while (sched_due_ms(k.s) <= to) {
        k.now = sched_due_ms(k.s) > k.now ? sched_due_ms(k.s) : k.now;
        sched_tick(k.s, k.now);
        pull();
    }
    k.now = to;
}

/* Hot, with a lease held by `guest`. */
static void load_for(size_t guest, size_t model, int64_t bytes)
{
    assert_int_equal(ask(guest, model), ERR_OK);
    looked(model, bytes);
    answers(model);
    assert_int_equal(k.l[guest].state, LEASE_HELD);
}

static void load_idle(size_t model, int64_t bytes)
{
    load_for(0, model, bytes);
    drop(0);
}

/* ---- memory ---- */

static void test_what_fits_loads_and_what_does_not_waits(void **state)
{
    load_for(0, A, 3 * MB);
    assert_int_equal(sched_booked(k.s), 3 * MB);
    assert_int_equal(ask(1, B), ERR_OK);
    looked(B, 2 * MB);
    assert_true(k.m[B].state == SCHED_WANTING && !k.loads[B] && !k.stops[A]);
    assert_true(sched_lacks_room(k.s));
    sched_budget(k.s, 5 * MB, k.now); /* a stranger has let go */
    pull();
    assert_int_equal(k.loads[B], 1);
}

static void test_what_nobody_waits_for_any_more_is_not_loaded(void **state)
{
    load_for(0, A, 3 * MB);
    ask(1, B);
    looked(B, 2 * MB);
    drop(1);
    assert_int_equal(k.m[B].state, SCHED_COLD);
    ask(1, C);
    drop(1);
    looked(C, MB); /* the look is awaited all the same */
    assert_true(k.m[C].state == SCHED_COLD && !k.loads[C]);
}

static void test_a_victim_is_idle_and_was_long_enough(void **state)
{
    load_idle(A, 3 * MB);
    ask(1, B);
    looked(B, 2 * MB);
    wait_ms(RESIDENCY - 1);
    assert_int_equal(k.m[A].state, SCHED_HOT);
    wait_ms(1);
    assert_true(k.stops[A] == 1 && k.reason[A] == LEAVE_ROOM);
    assert_string_equal(k.text, "makes room for b, which needs 2 MiB of 4 MiB (1 MiB free): it has 3 MiB, idle for 10.0 s, loaded in 1.0 s");
    assert_int_equal(k.loads[B], 0); /* not before the memory is back */
    sched_gone(&k.m[A], k.now);
    pull();
    assert_true(k.reclaims[A] == 1 && !k.loads[B]);
    sched_reclaimed(&k.m[A], k.now);
    pull();
    assert_int_equal(k.loads[B], 1);
}

static void test_victims_go_by_what_their_loss_costs(void **state)
{
    static const struct {
        int64_t idle_a, idle_b, load_a, load_b, weight_a, weight_b;
        size_t victim;
    } cases[] = {
        { 60000, 50000, 1000, 1000, 100, 100, A }, /* idle for longer */
        { 60000, 50000, 9000, 1000, 100, 100, B }, /* dearer to load again */
        { 60000, 50000, 1000, 1000, 300, 100, B }, /* dear to the operator */
        { 60000, 20000, 2000, 1000, 100, 100, A },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        close_kitchen(state);
        open_kitchen(state);
        k.m[A].set.weight = cases[i].weight_a;
        k.m[B].set.weight = cases[i].weight_b;
        load_idle(A, 2 * MB);
        load_idle(B, 2 * MB);
        k.m[A].load_ms = cases[i].load_a;
        k.m[B].load_ms = cases[i].load_b;
        k.now += 100000;
        k.m[A].used_ms = k.now - cases[i].idle_a;
        k.m[B].used_ms = k.now - cases[i].idle_b;
        ask(1, C);
        looked(C, 2 * MB);
        if (k.stops[cases[i].victim] != 1 || k.stops[A] + k.stops[B] != 1)
            fail_msg("case %zu: %d %d", i, k.stops[A], k.stops[B]);
    }
}

static void test_as_many_as_are_needed_and_none_when_they_are_not_enough(void **state)
{
    load_idle(A, 1 * MB);
    load_idle(B, 1 * MB);
    load_for(1, C, 2 * MB);
    wait_ms(200 * 1000); /* idle for long: no limit but the leases */
    k.m[D].set.age_ms = INT64_MAX / 4;
    ask(2, D);
    looked(D, 3 * MB);
    assert_true(!k.stops[A] && !k.stops[B]); /* all that could go would not do */
    drop(2);
    ask(2, D);
    looked(D, 2 * MB);
    assert_true(k.stops[A] == 1 && k.stops[B] == 1 && !k.stops[C]);
}

static void test_who_is_needless_is_let_off(void **state)
{
    sched_budget(k.s, 5 * MB, k.now);
    load_idle(A, 1 * MB);
    load_idle(B, 3 * MB);
    load_for(1, C, 1 * MB);
    wait_ms(200 * 1000); /* a, idle for longest, would be first; b alone is enough */
    ask(2, D);
    looked(D, 3 * MB);
    assert_true(k.stops[B] == 1 && !k.stops[A]);
}

static void test_nothing_that_stays_goes(void **state)
{
    k.m[A].set.keep_hot = true;
    load_idle(A, 2 * MB);
    sched_want(&k.m[B], true, k.now);
    pull();
    looked(B, 1 * MB);
    answers(B);
    wait_ms(1000 * 1000);
    assert_int_equal(ask(1, C), ERR_OK);
    looked(C, 2 * MB);
    assert_true(!k.stops[A] && !k.stops[B] && k.refused[1] == ERR_DOES_NOT_FIT && k.m[C].state == SCHED_FAILED && k.fails[C] == 1);
    assert_non_null(strstr(k.text, "it needs 2 MiB, the budget for models is 4 MiB, and 3 MiB of it are held by models that stay"));
    sched_unload(&k.m[B], k.now); /* a pin is a person's to take back */
    pull();
    goes(B);
    assert_int_equal(ask(1, C), ERR_OK);
    looked(C, 2 * MB);
    assert_int_equal(k.loads[C], 1);
}

static void test_callers_in_turn_cause_one_load_in_a_window(void **state)
{
    int64_t last = 0;
    load_idle(A, 4 * MB);
    int n = 0;
    for (int i = 0; i < 400; i++) { /* two callers, one after the other, for 200 s */
        size_t model = i % 2 ? A : B;
        int before = k.loads[A] + k.loads[B];
        assert_int_equal(ask(1, model), ERR_OK);
        for (int t = 0; t < 400 && k.l[1].state == LEASE_WAITING; t++) {
            for (size_t m = A; m <= B; m++) {
                if (k.m[m].state == SCHED_LOOKING)
                    looked(m, 4 * MB);
                if (k.m[m].state == SCHED_STOPPING)
                    goes(m);
                if (k.m[m].state == SCHED_LOADING)
                    answers(m);
            }
            if (k.l[1].state == LEASE_WAITING)
                wait_ms(100);
        }
        assert_int_equal(k.l[1].state, LEASE_HELD);
        if (k.loads[A] + k.loads[B] > before) {
            assert_true(!last || k.now - last >= RESIDENCY);
            last = k.now;
            n++;
        }
        wait_ms(500);
        drop(1);
    }
    assert_true(n > 10);
}

static void test_who_may_be_waiting_for_its_next_turn_is_not_taken_for_idle(void **state)
{
    load_idle(A, 2 * MB);
    load_idle(B, 2 * MB);
    wait_ms(RESIDENCY);
    ask(1, C);
    looked(C, 2 * MB);
    assert_int_equal(k.stops[A], 1);
    goes(A);
    answers(C);
    wait_ms(RESIDENCY / 5);
    ask(2, A);
    looked(A, 2 * MB);
    wait_ms(RESIDENCY - RESIDENCY / 5 - 1);
    assert_int_equal(k.stops[B], 0); /* idle for nearly two windows, but there are two models in memory */
    wait_ms(1);
    assert_int_equal(k.stops[B], 1);
}

static void test_an_aged_waiter_takes_what_is_in_use(void **state)
{
    load_for(0, A, 4 * MB);
    ask(1, B);
    looked(B, 4 * MB);
    wait_ms(AGE - 1);
    assert_int_equal(k.m[A].state, SCHED_HOT);
    wait_ms(1);
    assert_int_equal(k.m[A].state, SCHED_LEAVING);
    assert_int_equal(ask(2, A), ERR_OK); /* no more leases */
    assert_true(k.l[2].state == LEASE_WAITING && !k.stops[A]);
    wait_ms(100 * 1000); /* what is held ends in its own time */
    assert_int_equal(k.stops[A], 0);
    drop(0);
    assert_int_equal(k.stops[A], 1);
    goes(A);
    assert_true(k.loads[B] == 1 && k.m[A].state == SCHED_LOOKING);
}

static void test_who_was_leaving_stays_when_the_room_is_not_needed(void **state)
{
    load_for(0, A, 4 * MB);
    ask(1, B);
    looked(B, 4 * MB);
    wait_ms(AGE);
    ask(2, A);
    assert_int_equal(k.m[A].state, SCHED_LEAVING);
    drop(1); /* b's caller has gone */
    assert_int_equal(k.m[A].state, SCHED_HOT);
    assert_int_equal(k.l[2].state, LEASE_HELD);
}

static void test_beside_the_head_only_what_it_does_not_need(void **state)
{
    sched_budget(k.s, 6 * MB, k.now);
    load_for(0, A, 4 * MB);
    ask(1, B);
    looked(B, 5 * MB);
    wait_ms(AGE);
    assert_true(k.m[A].state == SCHED_LEAVING); /* 2 MB are free, and 1 MB will be left */
    ask(2, C);
    looked(C, 1 * MB);
    ask(3, D);
    looked(D, 2 * MB);
    assert_true(!k.loads[B] && k.loads[C] == 1 && !k.loads[D]);
    drop(0);
    goes(A);
    assert_true(k.loads[B] == 1 && !k.loads[D]);
}

static void test_who_is_small_passes_a_head_that_can_collect_nothing_until_it_has_aged(void **state)
{
    static const struct {
        int64_t waited_ms;
        int loads;
    } cases[] = { { 0, 1 }, { AGE - 1, 1 }, { AGE, 0 }, { 2 * AGE, 0 } };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        sched_budget(k.s, 6 * MB, k.now);
        ask(0, A);
        looked(A, 4 * MB); /* still loading: it cannot go */
        ask(1, B);
        looked(B, 5 * MB);
        wait_ms(cases[i].waited_ms);
        ask(2, C);
        looked(C, 2 * MB);
        ask(3, D);
        looked(D, 1 * MB);
        assert_int_equal(k.loads[C], cases[i].loads); /* what is free */
        assert_true(!k.loads[B] && !k.loads[D]);
        close_kitchen(state);
        open_kitchen(state);
    }
}

static void test_who_has_passed_the_head_goes_for_it_later(void **state)
{
    sched_budget(k.s, 6 * MB, k.now);
    load_for(0, A, 4 * MB);
    ask(1, B);
    looked(B, 6 * MB);
    load_for(2, C, 2 * MB);
    wait_ms(AGE);
    assert_true(k.m[A].state == SCHED_LEAVING && k.m[C].state == SCHED_LEAVING);
    drop(0);
    drop(2);
    goes(A);
    goes(C);
    assert_int_equal(k.loads[B], 1);
}

static void test_unknown_sizes_and_no_budget_admit_all(void **state)
{
    sched_budget(k.s, SCHED_NO_BUDGET, k.now);
    for (size_t i = 0; i < MODELS; i++) {
        assert_int_equal(ask(i, i), ERR_OK);
        looked(i, 100 * MB);
        assert_int_equal(k.loads[i], 1);
    }
    sched_budget(k.s, 4 * MB, k.now);
    for (size_t i = 0; i < MODELS; i++)
        answers(i);
    assert_int_equal(sched_booked(k.s), 400 * MB);
    sched_measured(&k.m[A], 1 * MB, k.now);
    assert_int_equal(sched_booked(k.s), 301 * MB);
}

static void test_nobody_gets_room_while_what_was_taken_over_is_not_counted(void **state)
{
    static const struct {
        bool dies;
        int64_t has;
        int loads;
    } cases[] = { { false, 3 * MB, 0 }, { false, 2 * MB, 1 }, { false, 0, 1 }, { true, 0, 1 } };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        sched_adopted(&k.m[A], -1, k.now);
        ask(0, B);
        looked(B, 2 * MB);
        assert_true(k.m[B].state == SCHED_WANTING && !k.loads[B]);
        if (cases[i].dies)
            dies(A, ERR_LOAD_FAILED);
        else
            sched_measured(&k.m[A], cases[i].has, k.now);
        pull();
        assert_int_equal(k.loads[B], cases[i].loads);
        close_kitchen(state);
        open_kitchen(state);
    }
    sched_budget(k.s, SCHED_NO_BUDGET, k.now);
    sched_adopted(&k.m[A], -1, k.now);
    ask(0, B);
    looked(B, 2 * MB);
    assert_int_equal(k.loads[B], 1);
}

static void test_a_wedged_one_keeps_its_memory(void **state)
{
    struct err e;
    load_idle(A, 3 * MB);
    sched_unload(&k.m[A], k.now);
    pull();
    err_set(&e, ERR_NO_BACKEND, "it does not die");
    sched_wedged(&k.m[A], &e, k.now);
    pull();
    assert_true(sched_booked(k.s) == 3 * MB && k.settled_code[A] == ERR_NO_BACKEND);
    assert_int_equal(ask(1, A), ERR_NO_BACKEND);
    assert_int_equal(ask(1, B), ERR_OK);
    looked(B, 2 * MB);
    assert_int_equal(k.refused[1], ERR_DOES_NOT_FIT);
    goes(A); /* it did, at last */
    assert_int_equal(sched_booked(k.s), 0);
    assert_int_equal(ask(1, B), ERR_OK);
    looked(B, 2 * MB);
    assert_int_equal(k.loads[B], 1);
}

/* ---- the line ---- */

static void test_classes_come_before_each_other_and_age(void **state)
{
    load_for(0, A, MB);
    k.m[A].slots = 1;
    k.m[A].set.queue_limit = 10;
    ask_as(1, A, CALLER_BACKGROUND);
    ask_as(2, A, CALLER_PROGRAM);
    ask_as(3, A, CALLER_CHAT);
    ask_as(4, A, CALLER_CHAT);
    k.now += AGE + 1;
    ask_as(5, A, CALLER_CHAT); /* comes after a program that has waited for queue.age */
    static const size_t order[] = { 3, 4, 2, 5, 1 };
    drop(0);
    for (size_t i = 0; i < COUNTOF(order); i++) {
        for (size_t g = 1; g <= 5; g++)
            assert_int_equal(k.l[g].state == LEASE_HELD, g == order[i]);
        drop(order[i]);
    }
}

static void test_the_line_has_a_bound_and_says_when_to_come(void **state)
{
    struct err e;
    load_for(0, A, MB);
    ask(1, A);
    k.now += 4000;
    drop(0); /* a lease is held for 4 s */
    ask(0, A);
    for (size_t g = 2; g < 7; g++)
        assert_int_equal(ask(g, A), ERR_OK);
    assert_int_equal(sched_request(&k.m[A], &k.l[7], CALLER_CHAT, k.now, &e), ERR_QUEUE_FULL);
    assert_int_equal(e.retry_after_s, 10); /* five before it, two at a time, 4 s each */
    assert_int_equal(sched_eta_ms(&k.m[A], k.now), 10000);
}

static void test_who_would_be_served_too_late_is_told_so_at_once(void **state)
{
    static const struct {
        const char *what;
        int64_t deadline, patience;
        size_t waiting;
        enum caller_class class;
        enum err_code rc;
        int retry_s;
    } cases[] = {
        { "just in time",                         8000, 0,    4, CALLER_CHAT,       ERR_OK,         0 }, /* 4 s each, two at a time */
        { "too late",                             7000, 0,    4, CALLER_CHAT,       ERR_QUEUE_FULL, 1 },
        { "too late for its own patience",        0,    3000, 5, CALLER_CHAT,       ERR_QUEUE_FULL, 7 },
        { "who waits in the background is passed", 7000, 0,   4, CALLER_CLASSES,    ERR_OK,         0 },
        { "nobody has a deadline",                0,    0,    5, CALLER_CHAT,       ERR_OK,         0 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct err e = { 0 };
        if (i) {
            close_kitchen(state);
            open_kitchen(state);
        }
        load_for(0, A, MB);
        ask(1, A);
        for (size_t n = 0; n < 6; n++) { /* a pace that is believed */
            k.now += 4000;
            drop(n % 2);
            ask(n % 2, A);
        }
        k.m[A].set.deadline_ms = cases[i].deadline;
        k.m[A].set.queue_limit = 6;
        k.m[A].service_ms = 4000;
        bool passes = cases[i].class == CALLER_CLASSES;
        for (size_t g = 2; g < 2 + cases[i].waiting; g++) {
            k.l[g].patience_ms = INT32_MAX;
            int64_t deadline = k.m[A].set.deadline_ms;
            k.m[A].set.deadline_ms = 0;
            assert_int_equal(ask_as(g, A, passes ? CALLER_PROGRAM : CALLER_CHAT), ERR_OK);
            k.m[A].set.deadline_ms = deadline;
        }
        k.l[7].patience_ms = cases[i].patience;
        enum err_code rc = sched_request(&k.m[A], &k.l[7], CALLER_CHAT, k.now, &e);
        if (rc != cases[i].rc || e.retry_after_s != cases[i].retry_s)
            fail_msg("%s: %s, %d s", cases[i].what, rc ? e.text : "ok", e.retry_after_s);
    }
}

static void test_a_place_elsewhere_gets_as_many_as_it_is_said_to_take(void **state)
{
    struct sched_model far = { .state = SCHED_COLD };
    struct sched_settings set = { .name = STR("far"), .slots = 1, .queue_limit = 4, .age_ms = 1000 };
    struct sched_lease l[3];
    struct err e;
    sched_add(k.s, &far, &set, k.now);
    for (size_t i = 0; i < COUNTOF(l); i++) {
        sched_lease_init(&l[i]);
        assert_int_equal(sched_request(&far, &l[i], CALLER_CHAT, k.now, &e), ERR_OK);
        assert_int_equal(l[i].state, i ? LEASE_WAITING : LEASE_HELD);
    }
    sched_drop(&l[0], k.now);
    assert_int_equal(l[1].state, LEASE_HELD);
    set.slots = 0; /* unlimited from now on */
    sched_configure(&far, &set, k.now);
    assert_int_equal(l[2].state, LEASE_HELD);
    for (size_t i = 1; i < COUNTOF(l); i++)
        sched_drop(&l[i], k.now);
    sched_forget(&far);
}

static void test_background_rides_along_and_causes_nothing(void **state)
{
    assert_int_equal(ask_as(0, A, CALLER_BACKGROUND), ERR_NOT_RESIDENT);
    assert_int_equal(k.looks[A], 0);
    ask(1, A);
    assert_int_equal(ask_as(0, A, CALLER_BACKGROUND), ERR_NOT_RESIDENT);
    looked(A, MB);
    assert_int_equal(ask_as(0, A, CALLER_BACKGROUND), ERR_OK); /* it is loading */
    drop(1);
    sched_unload(&k.m[A], k.now);
    pull();
    goes(A);
    assert_true(k.refused[0] == ERR_NOT_RESIDENT && k.m[A].state == SCHED_COLD);
    sched_limit(k.s, &(struct sched_limits){ .residency_ms = RESIDENCY, .background_loads = true }, k.now);
    assert_int_equal(ask_as(0, A, CALLER_BACKGROUND), ERR_OK);
    assert_int_equal(k.looks[A], 2);
}

/* A copy of somebody's ask: it loads nothing, whatever is configured, and leaves no trace. */
static void test_a_lease_aside_is_no_use_of_a_model(void **state)
{
    sched_limit(k.s, &(struct sched_limits){ .residency_ms = RESIDENCY, .background_loads = true }, k.now);
    k.l[1].aside = true;
    assert_int_equal(ask_as(1, A, CALLER_BACKGROUND), ERR_NOT_RESIDENT);
    k.m[A].set.idle_ms = 5000;
    load_idle(A, MB);
    int64_t used = k.m[A].used_ms, service = k.m[A].service_ms, served = k.m[A].served;
    for (int i = 0; i < 3; i++) {
        wait_ms(1000);
        assert_int_equal(ask_as(1, A, CALLER_BACKGROUND), ERR_OK);
        wait_ms(500);
        drop(1);
    }
    assert_true(k.m[A].used_ms == used && k.m[A].service_ms == service && k.m[A].served == served);
    assert_int_equal(ask_as(1, A, CALLER_BACKGROUND), ERR_OK);
    wait_ms(1000);
    assert_int_equal(k.stops[A], 0); /* nothing leased goes */
    drop(1);
    wait_ms(0);
    assert_true(k.stops[A] == 1 && k.reason[A] == LEAVE_IDLE);
}

static void test_a_lease_of_the_dead_counts_no_more(void **state)
{
    load_for(0, A, MB);
    dies(A, ERR_LOAD_FAILED);
    assert_int_equal(k.m[A].nheld, 0);
    load_for(1, A, MB);
    drop(0);
    assert_int_equal(k.m[A].nheld, 1);
    drop(1);
    assert_int_equal(k.m[A].nheld, 0);
}

/* ---- failures ---- */

static void test_failed_loads_back_off(void **state)
{
    static const int64_t waits[] = { 200, 400, 800, 1600 };
    struct err e = { 0 };
    for (size_t i = 0; i < COUNTOF(waits); i++) {
        assert_int_equal(ask(0, A), ERR_OK);
        looked(A, MB);
        dies(A, ERR_LOAD_FAILED);
        assert_int_equal(k.refused[0], ERR_LOAD_FAILED);
        k.now += waits[i] - 1;
        assert_int_equal(sched_request(&k.m[A], &k.l[1], CALLER_CHAT, k.now, &e), ERR_LOAD_FAILED);
        assert_int_equal(e.retry_after_s, 1);
        k.now += 1;
    }
    assert_int_equal(ask(0, A), ERR_OK);
    looked(A, MB);
    dies(A, ERR_LOAD_FAILED); /* the fifth within a minute */
    k.now += 1000 * 1000;
    assert_int_equal(ask(0, A), ERR_LOAD_FAILED);
    sched_want(&k.m[A], false, k.now); /* a person says otherwise */
    pull();
    assert_int_equal(k.looks[A], 6);
}

static void test_another_file_is_another_chance(void **state)
{
    for (int i = 0; i < SCHED_DEATHS; i++) {
        assert_int_equal(ask(0, A), ERR_OK);
        looked(A, MB);
        dies(A, ERR_LOAD_FAILED);
        k.now += 5000;
    }
    assert_int_equal(ask(0, A), ERR_LOAD_FAILED);
    sched_file_changed(&k.m[A], k.now);
    pull();
    assert_int_equal(ask(0, A), ERR_OK);
    assert_int_equal(k.looks[A], SCHED_DEATHS + 1);
}

static void test_deaths_long_apart_are_forgiven(void **state)
{
    for (int i = 0; i < 3 * SCHED_DEATHS; i++) {
        assert_int_equal(ask(0, A), ERR_OK);
        looked(A, MB);
        dies(A, ERR_LOAD_FAILED);
        k.now += SCHED_BACKOFF_LAST_MS;
    }
    assert_int_equal(ask(0, A), ERR_OK);
}

static void test_who_waits_survives_a_death(void **state)
{
    load_for(0, A, MB);
    ask(1, A);
    ask(2, A);
    dies(A, ERR_LOAD_FAILED);
    assert_true(k.m[A].state == SCHED_LOOKING && k.l[2].state == LEASE_WAITING); /* the first death is forgiven */
    looked(A, MB);
    answers(A);
    dies(A, ERR_LOAD_FAILED);
    assert_int_equal(k.m[A].state, SCHED_COLD); /* the next costs a moment */
    ask(3, A);
    wait_ms(SCHED_BACKOFF_LAST_MS);
    assert_int_equal(k.m[A].state, SCHED_LOOKING);
}

static void test_a_death_for_want_of_memory_books_more_and_tries_once_again(void **state)
{
    load_idle(B, 2 * MB);
    k.now += 200 * 1000;
    ask(0, A);
    looked(A, 2 * MB);
    assert_int_equal(k.loads[A], 1);
    dies(A, ERR_OUT_OF_MEMORY);
    looked(A, 2 * MB); /* the estimate has not learned yet */
    assert_true(k.stops[B] == 1 && k.l[0].state == LEASE_WAITING);
    goes(B);
    assert_true(k.loads[A] == 2 && sched_booked(k.s) == 3 * MB);
    dies(A, ERR_OUT_OF_MEMORY);
    assert_true(k.refused[0] == ERR_OUT_OF_MEMORY && k.m[A].state == SCHED_FAILED);
}

static void test_a_hot_one_that_is_killed_books_no_more(void **state)
{
    for (int i = 0; i < 10; i++) {
        ask((size_t)i, A);
        looked(A, 2 * MB);
        answers(A);
        assert_int_equal(sched_booked(k.s), 2 * MB);
        dies(A, ERR_OUT_OF_MEMORY);
        k.now += 200 * 1000;
    }
}

static void test_what_is_kept_hot_comes_in_order_one_at_a_time_and_comes_back(void **state)
{
    for (size_t i = 0; i < 3; i++) {
        k.m[i].set.keep_hot = true;
        k.m[i].set.order = 10 - i;
    }
    sched_tick(k.s, k.now);
    pull();
    assert_true(k.looks[C] == 1 && !k.looks[A] && !k.looks[B]);
    looked(C, MB);
    ask(0, D);
    looked(D, MB);
    assert_int_equal(k.loads[D], 1); /* who is waited for does not wait for them */
    assert_int_equal(k.looks[B], 0);
    answers(C);
    looked(B, MB);
    dies(B, ERR_LOAD_FAILED);
    looked(A, MB);
    answers(A);
    wait_ms(SCHED_BACKOFF_MS);
    assert_int_equal(k.looks[B], 2); /* by itself */
    sched_unload(&k.m[A], k.now);
    pull();
    goes(A);
    wait_ms(100000);
    assert_int_equal(k.looks[A], 1); /* it rests until somebody wants it */
}

/* ---- people and configurations ---- */

static void test_idle_models_go_but_not_those_that_stay(void **state)
{
    k.m[A].set.idle_ms = k.m[B].set.idle_ms = 5000;
    load_idle(A, MB);
    sched_want(&k.m[B], true, k.now);
    pull();
    looked(B, MB);
    answers(B);
    wait_ms(4999);
    assert_int_equal(k.stops[A], 0);
    wait_ms(1);
    assert_true(k.stops[A] == 1 && k.reason[A] == LEAVE_IDLE && !k.stops[B]);
}

static void test_an_unload_cuts_after_the_drain_limit(void **state)
{
    load_for(0, A, MB);
    sched_unload(&k.m[A], k.now);
    pull();
    wait_ms(DRAIN - 1);
    assert_true(!k.stops[A] && !k.settled[A][0]);
    wait_ms(1);
    assert_true(k.stops[A] == 1 && k.m[A].nheld == 0);
    sched_gone(&k.m[A], k.now);
    pull();
    assert_true(k.settled[A][0] == 1 && k.settled_code[A] == ERR_OK);
}

static void test_a_changed_model_serves_its_line_with_other_settings(void **state)
{
    struct sched_settings set = plain(A);
    load_for(0, A, MB);
    ask(1, A);
    sched_change(&k.m[A], &set, k.now);
    pull();
    ask(2, A);
    assert_true(k.l[2].state == LEASE_WAITING && !k.stops[A]);
    drop(0);
    drop(1);
    goes(A);
    assert_true(k.renewed[A] == 1 && k.looks[A] == 2);
    looked(A, 2 * MB);
    answers(A);
    assert_int_equal(k.l[2].state, LEASE_HELD);
}

static void test_a_removed_model_serves_who_waits_then_goes(void **state)
{
    load_for(0, A, MB);
    ask(1, A);
    ask(2, A);
    sched_remove(&k.m[A], k.now);
    pull();
    drop(0);
    assert_true(k.l[2].state == LEASE_HELD && !k.stops[A]);
    drop(1);
    drop(2);
    assert_true(k.stops[A] == 1 && k.reason[A] == LEAVE_REMOVED);
    assert_int_equal(ask(3, A), ERR_NO_BACKEND);
    goes(A);
    assert_int_equal(k.removed[A], 1);
}

static void test_stopping_refuses_and_stops_all(void **state)
{
    load_for(0, A, MB);
    ask(1, B);
    ask(2, C);
    looked(C, MB);
    sched_stop(k.s, k.now);
    pull();
    assert_true(k.refused[1] == ERR_SHUTTING_DOWN && k.refused[2] == ERR_SHUTTING_DOWN && k.stops[A] == 1 && k.stops[C] == 1);
    assert_int_equal(ask(3, A), ERR_SHUTTING_DOWN);
    assert_false(sched_is_down(k.s));
    goes(A);
    goes(C);
    looked(B, MB);
    assert_true(sched_is_down(k.s) && !k.loads[B]);
}

/* ---- the table ---- */

static void test_each_cell_says_what_happens(void **state)
{
    for (int s = 0; s < SCHED_STATES; s++)
        for (int ev = 0; ev < SCHED_EVENTS; ev++) {
            const struct sched_cell *c = &sched_table[s][ev];
            if (c->kind == CELL_UNSET)
                fail_msg("%s in state %s: nobody has thought of it", sched_event_name[ev], sched_state_name[s]);
            assert_true(c->kind == CELL_GOES ? (int)c->to != s : !c->act);
        }
}

static void test_each_step_leads_where_the_table_says(void **state)
{
    for (int s = 0; s < SCHED_STATES; s++)
        for (int ev = 0; ev < SCHED_EVENTS; ev++) {
            const struct sched_cell *c = &sched_table[s][ev];
            if (c->kind == CELL_NEVER)
                continue;
            close_kitchen(state);
            open_kitchen(state);
            k.m[A].state = (enum sched_state)s; /* as if it had come there */
            k.s->nwanting = s == SCHED_WANTING;
            sched_step(&k.m[A], (enum sched_event)ev);
            assert_int_equal(k.m[A].state, c->kind == CELL_GOES ? (int)c->to : s);
        }
}

static void test_every_state_can_be_left(void **state)
{
    for (int s = 0; s < SCHED_STATES; s++) {
        size_t ways = 0;
        for (int ev = 0; ev < SCHED_EVENTS; ev++)
            ways += sched_table[s][ev].kind == CELL_GOES;
        assert_true(ways > 0);
    }
}

#define IN_KITCHEN(test) cmocka_unit_test_setup_teardown(test, open_kitchen, close_kitchen)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_KITCHEN(test_what_fits_loads_and_what_does_not_waits),
        IN_KITCHEN(test_what_nobody_waits_for_any_more_is_not_loaded),
        IN_KITCHEN(test_a_victim_is_idle_and_was_long_enough),
        IN_KITCHEN(test_victims_go_by_what_their_loss_costs),
        IN_KITCHEN(test_as_many_as_are_needed_and_none_when_they_are_not_enough),
        IN_KITCHEN(test_who_is_needless_is_let_off),
        IN_KITCHEN(test_nothing_that_stays_goes),
        IN_KITCHEN(test_callers_in_turn_cause_one_load_in_a_window),
        IN_KITCHEN(test_who_may_be_waiting_for_its_next_turn_is_not_taken_for_idle),
        IN_KITCHEN(test_an_aged_waiter_takes_what_is_in_use),
        IN_KITCHEN(test_who_was_leaving_stays_when_the_room_is_not_needed),
        IN_KITCHEN(test_beside_the_head_only_what_it_does_not_need),
        IN_KITCHEN(test_who_is_small_passes_a_head_that_can_collect_nothing_until_it_has_aged),
        IN_KITCHEN(test_who_has_passed_the_head_goes_for_it_later),
        IN_KITCHEN(test_unknown_sizes_and_no_budget_admit_all),
        IN_KITCHEN(test_nobody_gets_room_while_what_was_taken_over_is_not_counted),
        IN_KITCHEN(test_a_wedged_one_keeps_its_memory),
        IN_KITCHEN(test_classes_come_before_each_other_and_age),
        IN_KITCHEN(test_the_line_has_a_bound_and_says_when_to_come),
        IN_KITCHEN(test_who_would_be_served_too_late_is_told_so_at_once),
        IN_KITCHEN(test_a_place_elsewhere_gets_as_many_as_it_is_said_to_take),
        IN_KITCHEN(test_background_rides_along_and_causes_nothing),
        IN_KITCHEN(test_a_lease_aside_is_no_use_of_a_model),
        IN_KITCHEN(test_a_lease_of_the_dead_counts_no_more),
        IN_KITCHEN(test_failed_loads_back_off),
        IN_KITCHEN(test_another_file_is_another_chance),
        IN_KITCHEN(test_deaths_long_apart_are_forgiven),
        IN_KITCHEN(test_who_waits_survives_a_death),
        IN_KITCHEN(test_a_death_for_want_of_memory_books_more_and_tries_once_again),
        IN_KITCHEN(test_a_hot_one_that_is_killed_books_no_more),
        IN_KITCHEN(test_what_is_kept_hot_comes_in_order_one_at_a_time_and_comes_back),
        IN_KITCHEN(test_idle_models_go_but_not_those_that_stay),
        IN_KITCHEN(test_an_unload_cuts_after_the_drain_limit),
        IN_KITCHEN(test_a_changed_model_serves_its_line_with_other_settings),
        IN_KITCHEN(test_a_removed_model_serves_who_waits_then_goes),
        IN_KITCHEN(test_stopping_refuses_and_stops_all),
        IN_KITCHEN(test_each_cell_says_what_happens),
        IN_KITCHEN(test_each_step_leads_where_the_table_says),
        IN_KITCHEN(test_every_state_can_be_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
