/* Leases, queues, loads and idling. The backends are stand-ins: this file defines all functions by which the fleet knows backends, so that the
 * linker takes none of the real ones (a new one must be added here too), and each test says itself when a load begins, succeeds or fails. */
#include "fleet/fleet.h"

#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* ---- stand-ins ---- */

const char *const backend_state_name[] = {
    [BACKEND_COLD] = "cold",         [BACKEND_LOADING] = "loading", [BACKEND_HOT] = "hot",
    [BACKEND_DRAINING] = "draining", [BACKEND_FAILED] = "failed", [BACKEND_WEDGED] = "wedged",
};

static const struct backend_kind here = { .name = "here", .managed = true }, elsewhere = { .name = "elsewhere" };

enum { MODELS = 4, ROOMY = 0, PINNED = 1, FAR = 2, SHORT = 3 };

static const char kitchen[] =
    "hosts: {anvil: {url: \"http://127.0.0.1:9001\"}}\n"
    "queue: {limit: 3}\n"
    "models:\n"
    "  roomy:  {file: m.gguf, slots: 2, idle: 1h}\n"
    "  pinned: {file: m.gguf, keep: hot}\n"
    "  far:    {host: anvil}\n"
    "  short:  {file: m.gguf, idle: 1ms}\n";

static struct {
    struct loop *loop;
    struct config *config;
    struct fleet *fleet;
    struct backend *b[MODELS];
    int loads[MODELS], unloads[MODELS], stops;
    bool fails_at_once;         /* the next load does, before it has begun to wait */
    bool in_lease, in_drop;
    size_t settled;             /* leases so far: their order */
} k;

static struct world *world(void)
{
    return fleet_world(k.fleet);
}

static void enter(struct backend *b, enum backend_state to)
{
    b->state = to;
    b->since_ms = loop_now_ms(b->loop);
    b->on_state(b->ctx, b);
}

struct backend *backend_new(struct loop *l, const struct config *c, size_t index, struct services *services, struct str run_dir,
    void (*on_state)(void *ctx, struct backend *b), void *ctx)
{
    struct backend *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->config = c;
    b->model = &c->models[index];
    b->kind = b->model->host.n ? &elsewhere : &here;
    b->name = b->model->name;
    b->host = b->model->host.n ? b->model->host : STR("local");
    b->loop = l;
    b->slots = b->model->host.n ? 0 : b->model->slots;
    b->state = b->model->host.n ? BACKEND_HOT : BACKEND_COLD;
    b->on_state = on_state;
    b->ctx = ctx;
    return k.b[index] = b;
}

void backend_use_config(struct backend *b, const struct config *c, size_t index)
{
    b->model = &c->models[index];
}

void backend_renew(struct backend *b, const struct config *c, size_t index)
{
    assert_true(b->state == BACKEND_COLD || b->state == BACKEND_FAILED);
    backend_use_config(b, c, index);
    b->slots = b->model->slots;
    if (b->state != BACKEND_COLD)
        enter(b, BACKEND_COLD);
}

void backend_retire(struct backend *b)
{
    assert_true(!b->kind->managed || b->state == BACKEND_COLD || b->state == BACKEND_FAILED);
    b->on_state = NULL;
}

void backend_free(struct backend *b)
{
    free(b);
}

void backend_load(struct backend *b)
{
    assert_true(b->kind->managed && (b->state == BACKEND_COLD || b->state == BACKEND_FAILED));
    k.loads[b->model - k.config->models]++;
    enter(b, BACKEND_LOADING);
    if (k.fails_at_once) {
        err_set(&b->last_error, ERR_ENGINE_MISSING, "no engine");
        enter(b, BACKEND_FAILED);
    }
}

void backend_unload(struct backend *b)
{
    assert_true(b->kind->managed);
    k.unloads[b->model - k.config->models]++;
    if (b->state == BACKEND_COLD || b->state == BACKEND_FAILED) {
        if (b->state != BACKEND_COLD)
            enter(b, BACKEND_COLD);
    } else if (b->state != BACKEND_DRAINING) {
        enter(b, BACKEND_DRAINING);
    }
}

void backend_adopt(struct backend *b, const struct keeper_child *c)
{
    assert_true(b->kind->managed && b->state == BACKEND_COLD && str_eq(c->label, b->model->name));
    enter(b, BACKEND_LOADING);
}

static void load_fails(size_t model, enum err_code code)
{
    err_set(&k.b[model]->last_error, code, "it broke");
    enter(k.b[model], BACKEND_FAILED);
}

/* ---- guests ---- */

struct guest {
    struct lease lease;
    int calls;
    size_t order;           /* 1 = settled first */
    enum err_code code;     /* of what it was told */
    bool rejoin;            /* asks again when it is refused */
    bool leave;             /* drops what it gets */
};

static enum err_code ask(struct guest *g, size_t model)
{
    struct err e = { 0 };
    k.in_lease = true;
    enum err_code rc = fleet_lease(world(), model, CALLER_PROGRAM, &g->lease, &e);
    k.in_lease = false;
    assert_int_equal(rc, e.code);
    assert_int_equal(rc != ERR_OK, g->lease.own.state == LEASE_NONE);
    return rc;
}

static void on_settled(void *ctx, const struct err *e)
{
    struct guest *g = ctx;
    assert_false(k.in_lease || (k.in_drop && !e)); /* served in a loop: a line of any length must not end the stack */
    assert_int_equal(g->lease.own.state, e ? LEASE_NONE : LEASE_HELD);
    g->calls++;
    g->order = ++k.settled;
    g->code = e ? e->code : ERR_OK;
    if (e && g->rejoin) {
        g->rejoin = false;
        k.b[ROOMY]->since_ms -= 10000;
        ask(g, ROOMY);
    }
    if (!e && g->leave) {
        k.in_drop = true;
        lease_drop(&g->lease);
        k.in_drop = false;
    }
}

static void come(struct guest *g)
{
    *g = (struct guest){ .calls = 0 };
    lease_init(&g->lease, on_settled, g);
}

static void expect_waiting(struct guest *g, size_t n, size_t model)
{
    for (size_t i = 0; i < n; i++) {
        come(&g[i]);
        assert_int_equal(ask(&g[i], model), ERR_OK);
        assert_int_equal(g[i].lease.own.state, LEASE_WAITING);
    }
}

static int open_kitchen(void **state)
{
    struct err e = { 0 };
    memset(&k, 0, sizeof k);
    if (conf_parse(STR("/kitchen/hob.yaml"), STR(kitchen), &k.config, &e))
        fail_msg("%s", e.text);
    k.loop = loop_new();
    k.fleet = fleet_new(k.loop, conf_hold(k.config), NULL, STR("/run"), NULL);
    return 0;
}

static int close_kitchen(void **state)
{
    fleet_free(k.fleet);
    loop_free(k.loop);
    conf_free(k.config);
    return 0;
}

/* ---- claims ---- */

static void test_the_first_lease_loads_and_slots_are_given_in_order(void **state)
{
    struct guest g[3];
    expect_waiting(g, 3, ROOMY);
    assert_int_equal(k.loads[ROOMY], 1);
    assert_int_equal(fleet_waiting(world(), ROOMY), 3);
    enter(k.b[ROOMY], BACKEND_HOT);
    assert_int_equal(fleet_held(world(), ROOMY), 2);
    assert_int_equal(fleet_waiting(world(), ROOMY), 1);
    assert_true(g[0].order == 1 && g[1].order == 2 && g[2].calls == 0);
    lease_drop(&g[1].lease);
    assert_int_equal(g[2].order, 3);
    assert_int_equal(fleet_held(world(), ROOMY), 2);
    lease_drop(&g[0].lease);
    lease_drop(&g[2].lease);
    assert_int_equal(fleet_held(world(), ROOMY), 0);
    assert_int_equal(ask(&g[0], ROOMY), ERR_OK);
    assert_int_equal(g[0].lease.own.state, LEASE_HELD);
    assert_int_equal(g[0].calls, 1); /* held at once: nobody is called */
    lease_drop(&g[0].lease);
    assert_int_equal(k.loads[ROOMY], 1);
}

static void test_the_queue_is_bounded(void **state)
{
    struct guest g[3], late;
    struct err e;
    expect_waiting(g, 3, ROOMY);
    come(&late);
    assert_int_equal(ask(&late, ROOMY), ERR_QUEUE_FULL);
    assert_int_equal(fleet_lease(world(), ROOMY, CALLER_PROGRAM, &late.lease, &e), ERR_QUEUE_FULL);
    assert_true(e.retry_after_s > 0 && e.hint[0]);
    lease_drop(&late.lease); /* fine: it has nothing */
    assert_int_equal(fleet_waiting(world(), ROOMY), 3);
    lease_drop(&g[1].lease);
    assert_int_equal(ask(&late, ROOMY), ERR_OK);
    enter(k.b[ROOMY], BACKEND_HOT);
    assert_true(g[0].order == 1 && g[2].order == 2 && !late.calls && !g[1].calls);
    lease_drop(&g[0].lease);
    assert_int_equal(late.order, 3);
    lease_drop(&g[2].lease);
    lease_drop(&late.lease);
}

static void test_a_failed_load_tells_all_who_wait_why(void **state)
{
    struct guest g[3], next;
    expect_waiting(g, 3, ROOMY);
    load_fails(ROOMY, ERR_OUT_OF_MEMORY);
    for (size_t i = 0; i < 3; i++)
        assert_true(g[i].calls == 1 && g[i].code == ERR_OUT_OF_MEMORY && g[i].order == i + 1);
    assert_int_equal(fleet_waiting(world(), ROOMY), 0);
    come(&next);
    assert_int_equal(ask(&next, ROOMY), ERR_OUT_OF_MEMORY); /* for a while at once */
    assert_int_equal(k.loads[ROOMY], 1);
    k.b[ROOMY]->since_ms -= 2000;
    assert_int_equal(ask(&next, ROOMY), ERR_OK);
    assert_int_equal(next.lease.own.state, LEASE_WAITING);
    assert_int_equal(k.loads[ROOMY], 2);
    enter(k.b[ROOMY], BACKEND_HOT);
    assert_int_equal(next.code, ERR_OK);
    lease_drop(&next.lease);
}

static void test_a_load_that_fails_at_once_refuses_at_once(void **state)
{
    struct guest g;
    k.fails_at_once = true;
    come(&g);
    assert_int_equal(ask(&g, ROOMY), ERR_ENGINE_MISSING);
    assert_int_equal(g.calls, 0);
    assert_int_equal(fleet_waiting(world(), ROOMY), 0);
}

static void test_who_asks_again_when_refused_waits_for_the_next_load(void **state)
{
    struct guest g[3];
    expect_waiting(g, 3, ROOMY);
    g[0].rejoin = true;
    load_fails(ROOMY, ERR_LOAD_FAILED);
    assert_int_equal(k.loads[ROOMY], 2);
    assert_int_equal(g[0].calls, 1);
    assert_int_equal(g[0].lease.own.state, LEASE_WAITING);
    assert_true(g[1].code == ERR_LOAD_FAILED && g[2].code == ERR_LOAD_FAILED);
    assert_int_equal(fleet_waiting(world(), ROOMY), 1);
    enter(k.b[ROOMY], BACKEND_HOT);
    assert_int_equal(g[0].lease.own.state, LEASE_HELD);
    lease_drop(&g[0].lease);
}

static void test_a_lease_may_be_dropped_when_it_is_given(void **state)
{
    struct guest g[3];
    expect_waiting(g, 3, ROOMY);
    g[0].leave = g[1].leave = g[2].leave = true;
    enter(k.b[ROOMY], BACKEND_HOT);
    for (size_t i = 0; i < 3; i++)
        assert_true(g[i].calls == 1 && g[i].order == i + 1 && g[i].lease.own.state == LEASE_NONE);
    assert_int_equal(fleet_held(world(), ROOMY), 0);
}

static void test_who_waits_survives_a_death_and_an_unload(void **state)
{
    struct guest g[3];
    expect_waiting(g, 3, ROOMY);
    enter(k.b[ROOMY], BACKEND_HOT);
    enter(k.b[ROOMY], BACKEND_COLD); /* it died, with two at work */
    assert_int_equal(k.loads[ROOMY], 2); /* for the third */
    assert_int_equal(g[2].calls, 0);
    lease_drop(&g[0].lease);
    assert_int_equal(g[2].calls, 0); /* a free slot of what is not there */
    enter(k.b[ROOMY], BACKEND_HOT);
    assert_int_equal(g[2].lease.own.state, LEASE_HELD);
    lease_drop(&g[1].lease);
    lease_drop(&g[2].lease);
    backend_unload(k.b[ROOMY]);
    expect_waiting(g, 1, ROOMY);
    assert_int_equal(k.loads[ROOMY], 2);
    enter(k.b[ROOMY], BACKEND_COLD);
    assert_int_equal(k.loads[ROOMY], 3);
    enter(k.b[ROOMY], BACKEND_HOT);
    assert_int_equal(g[0].lease.own.state, LEASE_HELD);
    lease_drop(&g[0].lease);
}

static void test_a_cold_place_nobody_wants_stays_cold(void **state)
{
    struct guest g;
    expect_waiting(&g, 1, ROOMY);
    lease_drop(&g.lease);
    enter(k.b[ROOMY], BACKEND_HOT);
    enter(k.b[ROOMY], BACKEND_COLD);
    assert_int_equal(k.loads[ROOMY], 1);
    enter(k.b[PINNED], BACKEND_LOADING);
    enter(k.b[PINNED], BACKEND_HOT);
    enter(k.b[PINNED], BACKEND_COLD);
    assert_int_equal(k.loads[PINNED], 1); /* `keep: hot` comes back by itself */
}

static void test_the_engine_has_the_last_word_on_its_slots(void **state)
{
    struct guest g[3];
    expect_waiting(g, 3, ROOMY);
    k.b[ROOMY]->slots = 1;
    enter(k.b[ROOMY], BACKEND_HOT);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(fleet_held(world(), ROOMY), 1);
        assert_int_equal(k.settled, i + 1);
        lease_drop(&g[i].lease);
    }
}

static void test_a_place_elsewhere_has_no_queue(void **state)
{
    struct guest g[50];
    for (size_t i = 0; i < COUNTOF(g); i++) {
        come(&g[i]);
        assert_int_equal(ask(&g[i], FAR), ERR_OK);
        assert_int_equal(g[i].lease.own.state, LEASE_HELD);
    }
    assert_int_equal(k.loads[FAR], 0);
    for (size_t i = 0; i < COUNTOF(g); i++)
        lease_drop(&g[i].lease);
    assert_int_equal(k.unloads[FAR], 0);
    load_fails(FAR, ERR_UP_REFUSED); /* it has no address to ask */
    assert_int_equal(ask(&g[0], FAR), ERR_UP_REFUSED);
    k.b[FAR]->since_ms -= 10000;
    assert_int_equal(ask(&g[0], FAR), ERR_UP_REFUSED);
    assert_int_equal(k.loads[FAR], 0);
}

static void stop_when_draining(void *ctx, struct backend *b)
{
    if (b->state == BACKEND_DRAINING)
        loop_stop(k.loop);
}

static void stop_loop(void *ctx)
{
    loop_stop(ctx);
}

static void test_an_idle_place_is_unloaded_but_never_under_a_lease(void **state)
{
    struct guest g;
    fleet_watch(k.fleet, stop_when_draining, NULL);
    expect_waiting(&g, 1, SHORT);
    enter(k.b[SHORT], BACKEND_HOT);
    assert_int_equal(g.lease.own.state, LEASE_HELD);
    struct timer t;
    timer_init(&t, k.loop, stop_loop, k.loop);
    timer_set(&t, 20); /* twenty times its limit */
    loop_run(k.loop);
    assert_int_equal(k.unloads[SHORT], 0);
    lease_drop(&g.lease);
    loop_run(k.loop); /* till it goes */
    assert_int_equal(k.unloads[SHORT], 1);
    assert_int_equal(k.b[SHORT]->state, BACKEND_DRAINING);
    enter(k.b[SHORT], BACKEND_COLD);
    assert_int_equal(k.loads[SHORT], 1);
    backend_load(k.b[SHORT]); /* loaded, and nobody ever came */
    enter(k.b[SHORT], BACKEND_HOT);
    loop_run(k.loop);
    assert_int_equal(k.unloads[SHORT], 2);
}

static void test_at_the_start_what_is_kept_hot_is_loaded(void **state)
{
    struct buf why = { 0 };
    assert_false(fleet_ready(k.fleet, &why));
    assert_true(str_eq(buf_str(&why), STR("pinned is cold")));
    fleet_start(k.fleet);
    assert_true(k.loads[PINNED] == 1 && !k.loads[ROOMY] && !k.loads[FAR] && !k.loads[SHORT]);
    load_fails(PINNED, ERR_WEIGHTS_MISSING);
    why.n = 0;
    assert_false(fleet_ready(k.fleet, &why));
    assert_true(str_eq(buf_str(&why), STR("pinned is failed: it broke")));
    backend_load(k.b[PINNED]);
    enter(k.b[PINNED], BACKEND_HOT);
    assert_true(fleet_ready(k.fleet, &why));
    buf_free(&why);
}

static void test_a_child_of_an_earlier_gateway_goes_to_its_model(void **state)
{
    struct guest g;
    const struct keeper_child child = { .label = STR("roomy"), .pid = 7 }, far = { .label = STR("far"), .pid = 8 }, gone = { .label = STR("room"), .pid = 9 };
    assert_false(fleet_adopt(k.fleet, &gone));
    assert_false(fleet_adopt(k.fleet, &far)); /* its place is elsewhere */
    assert_true(fleet_adopt(k.fleet, &child));
    assert_false(fleet_adopt(k.fleet, &child)); /* once */
    expect_waiting(&g, 1, ROOMY);
    assert_int_equal(k.loads[ROOMY], 0);
    enter(k.b[ROOMY], BACKEND_HOT);
    assert_int_equal(g.lease.own.state, LEASE_HELD);
    lease_drop(&g.lease);
}

static void stopped(void *ctx)
{
    k.stops++;
    loop_stop(k.loop);
}

static void test_stopping_refuses_who_waits_and_ends_when_all_are_down(void **state)
{
    struct guest g[3], late;
    fleet_start(k.fleet);
    enter(k.b[PINNED], BACKEND_HOT);
    expect_waiting(g, 3, ROOMY);
    enter(k.b[ROOMY], BACKEND_HOT);
    fleet_stop(k.fleet, stopped, NULL);
    assert_true(g[2].calls == 1 && g[2].code == ERR_SHUTTING_DOWN);
    assert_true(k.unloads[ROOMY] == 1 && k.unloads[PINNED] == 1 && !k.unloads[FAR]);
    come(&late);
    assert_int_equal(ask(&late, ROOMY), ERR_SHUTTING_DOWN);
    assert_int_equal(ask(&late, FAR), ERR_SHUTTING_DOWN);
    lease_drop(&g[0].lease);
    lease_drop(&g[1].lease);
    enter(k.b[PINNED], BACKEND_COLD);
    assert_int_equal(k.stops, 0);
    enter(k.b[ROOMY], BACKEND_COLD);
    assert_int_equal(k.stops, 0); /* never from inside */
    loop_run(k.loop);
    assert_int_equal(k.stops, 1);
    assert_true(k.loads[ROOMY] == 1 && k.loads[PINNED] == 1); /* not even what is kept hot comes back */
}

static void test_stopping_what_never_ran_ends_as_well(void **state)
{
    fleet_stop(k.fleet, stopped, NULL);
    assert_int_equal(k.stops, 0);
    loop_run(k.loop);
    assert_int_equal(k.stops, 1);
}

/* ---- what people ask for ---- */

struct person {
    struct wish wish;
    int calls;
    enum err_code code;
};

static void on_wish(void *ctx, const struct err *e)
{
    struct person *p = ctx;
    p->calls++;
    p->code = e ? e->code : ERR_OK;
}

static void turn_over(void *ctx)
{
    loop_stop(k.loop);
}

/* Lets what waits for the end of the turn run. */
static void turn(void)
{
    struct later end;
    later_init(&end, turn_over, NULL);
    loop_later(k.loop, &end);
    loop_run(k.loop);
}

static void wants(struct person *p, size_t model, bool load)
{
    *p = (struct person){ .calls = 0 };
    wish_init(&p->wish, on_wish, p);
    if (load)
        fleet_load(world(), model, false, &p->wish);
    else
        fleet_unload(world(), model, &p->wish);
    assert_int_equal(p->calls, 0); /* never from inside */
    turn();
}

static void expect_told(struct person *p, enum err_code code)
{
    turn();
    assert_int_equal(p->calls, 1);
    assert_int_equal(p->code, code);
}

static void test_a_load_by_hand_waits_until_it_is_hot(void **state)
{
    struct person p[3];
    wants(&p[0], ROOMY, true);
    wants(&p[1], ROOMY, true);
    assert_true(k.loads[ROOMY] == 1 && !p[0].calls && !p[1].calls);
    enter(k.b[ROOMY], BACKEND_HOT);
    expect_told(&p[0], ERR_OK);
    expect_told(&p[1], ERR_OK);
    wants(&p[2], ROOMY, true); /* it is there already */
    expect_told(&p[2], ERR_OK);
    assert_int_equal(k.loads[ROOMY], 1);
    wants(&p[2], FAR, true); /* somebody else's: as hot as it gets */
    expect_told(&p[2], ERR_OK);
}

static void test_a_load_by_hand_tells_why_not_and_tries_anew_at_once(void **state)
{
    struct person p[2];
    wants(&p[0], ROOMY, true);
    load_fails(ROOMY, ERR_WEIGHTS_BROKEN);
    expect_told(&p[0], ERR_WEIGHTS_BROKEN);
    k.fails_at_once = true;
    wants(&p[1], ROOMY, true); /* no cooling for a person */
    expect_told(&p[1], ERR_ENGINE_MISSING);
    assert_int_equal(k.loads[ROOMY], 2);
}

static void test_who_leaves_is_not_told(void **state)
{
    struct person p[2];
    wants(&p[0], ROOMY, true);
    wants(&p[1], ROOMY, true);
    wish_drop(&p[0].wish);
    enter(k.b[ROOMY], BACKEND_HOT);
    wish_drop(&p[1].wish); /* settled, not yet told */
    turn();
    assert_true(!p[0].calls && !p[1].calls);
}

static void test_an_unload_by_hand_lets_what_runs_finish(void **state)
{
    struct guest g[3];
    struct person p;
    expect_waiting(g, 2, ROOMY);
    enter(k.b[ROOMY], BACKEND_HOT);
    wants(&p, ROOMY, false);
    assert_true(k.unloads[ROOMY] == 0 && p.calls == 0);
    lease_drop(&g[0].lease);
    expect_waiting(g + 2, 1, ROOMY); /* a slot is free, but no more is begun */
    lease_drop(&g[1].lease);
    assert_true(k.unloads[ROOMY] == 1 && p.calls == 0);
    enter(k.b[ROOMY], BACKEND_COLD);
    expect_told(&p, ERR_OK);
    assert_int_equal(k.loads[ROOMY], 2); /* for who has come meanwhile */
    enter(k.b[ROOMY], BACKEND_HOT);
    assert_int_equal(g[2].lease.own.state, LEASE_HELD);
    lease_drop(&g[2].lease);
}

static void test_what_is_unloaded_by_hand_stays_so_until_it_is_wanted(void **state)
{
    struct guest g;
    struct person p;
    fleet_start(k.fleet);
    enter(k.b[PINNED], BACKEND_HOT);
    wants(&p, PINNED, false);
    enter(k.b[PINNED], BACKEND_COLD);
    expect_told(&p, ERR_OK);
    assert_int_equal(k.loads[PINNED], 1); /* `keep: hot` or not */
    expect_waiting(&g, 1, PINNED);
    assert_int_equal(k.loads[PINNED], 2);
    enter(k.b[PINNED], BACKEND_HOT);
    lease_drop(&g.lease);
    enter(k.b[PINNED], BACKEND_COLD); /* it died: now it is kept hot again */
    assert_int_equal(k.loads[PINNED], 3);
}

static void test_an_unload_of_what_does_not_run_is_done(void **state)
{
    struct person p;
    wants(&p, ROOMY, false);
    expect_told(&p, ERR_OK);
    assert_int_equal(k.unloads[ROOMY], 0);
    wants(&p, ROOMY, true);
    load_fails(ROOMY, ERR_WEIGHTS_BROKEN);
    turn();
    wants(&p, ROOMY, false);
    expect_told(&p, ERR_OK);
    assert_int_equal(k.b[ROOMY]->state, BACKEND_COLD);
    wants(&p, FAR, false);
    expect_told(&p, ERR_INVALID_REQUEST);
}

static void test_the_last_of_two_people_has_their_way(void **state)
{
    struct person load, unload;
    wants(&load, ROOMY, true);
    wants(&unload, ROOMY, false);
    expect_told(&load, ERR_NO_BACKEND);
    wants(&load, ROOMY, true); /* while it goes */
    assert_true(!load.calls && !unload.calls);
    enter(k.b[ROOMY], BACKEND_COLD);
    expect_told(&unload, ERR_OK);
    assert_int_equal(k.loads[ROOMY], 2);
    enter(k.b[ROOMY], BACKEND_HOT);
    expect_told(&load, ERR_OK);
}

static void test_a_death_while_leaving_is_an_unload_too(void **state)
{
    struct guest g;
    struct person p;
    expect_waiting(&g, 1, ROOMY);
    enter(k.b[ROOMY], BACKEND_HOT);
    wants(&p, ROOMY, false);
    enter(k.b[ROOMY], BACKEND_COLD);
    expect_told(&p, ERR_OK);
    lease_drop(&g.lease);
    assert_true(k.unloads[ROOMY] == 0 && k.loads[ROOMY] == 1);
}

static void test_stopping_settles_wishes(void **state)
{
    struct guest g;
    struct person load, unload, late;
    wants(&load, ROOMY, true);
    expect_waiting(&g, 1, SHORT);
    enter(k.b[SHORT], BACKEND_HOT);
    wants(&unload, SHORT, false);
    fleet_stop(k.fleet, stopped, NULL);
    expect_told(&load, ERR_SHUTTING_DOWN);
    wants(&late, PINNED, true);
    expect_told(&late, ERR_SHUTTING_DOWN);
    assert_int_equal(unload.calls, 0);
    lease_drop(&g.lease);
    enter(k.b[SHORT], BACKEND_COLD);
    expect_told(&unload, ERR_OK);
    enter(k.b[ROOMY], BACKEND_COLD);
    turn();
    assert_int_equal(k.stops, 1);
}

static void test_figures(void **state)
{
    struct fleet_figures f;
    struct guest g[3];
    fleet_figures(world(), ROOMY, &f);
    assert_true(!f.waiting && !f.held && f.oldest_ms == -1 && f.idle_ms == -1);
    expect_waiting(g, 3, ROOMY);
    fleet_figures(world(), ROOMY, &f);
    assert_true(f.waiting == 3 && f.oldest_ms >= 0 && f.idle_ms == -1);
    enter(k.b[ROOMY], BACKEND_HOT);
    fleet_figures(world(), ROOMY, &f);
    assert_true(f.waiting == 1 && f.held == 2 && f.idle_ms == 0);
    for (size_t i = 0; i < 3; i++)
        lease_drop(&g[i].lease);
    fleet_figures(world(), ROOMY, &f);
    assert_true(f.waiting == 0 && f.oldest_ms == -1 && f.idle_ms >= 0);
    enter(k.b[ROOMY], BACKEND_COLD);
    fleet_figures(world(), ROOMY, &f);
    assert_int_equal(f.idle_ms, -1);
}

/* ---- any course of events ---- */

static uint64_t dice;

static unsigned roll(unsigned sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned)(dice >> 11) % sides;
}

enum { GUESTS = 12 };

struct party {
    struct guest g[GUESTS];
    size_t line[GUESTS], n; /* who waits, oldest first, as we think it must be */
};

static void forget(struct party *p, size_t who)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->line[i] == who) {
            memmove(p->line + i, p->line + i + 1, (p->n - i - 1) * sizeof *p->line);
            p->n--;
            return;
        }
}

/* Those who were settled in this step were the oldest, in order, each once. */
static void check_settled(struct party *p, size_t before)
{
    for (size_t order = before + 1; order <= k.settled; order++) {
        assert_true(p->n > 0);
        struct guest *g = &p->g[p->line[0]];
        assert_int_equal(g->order, order);
        assert_int_equal(g->calls, 1);
        g->calls = 0;
        forget(p, p->line[0]);
    }
}

static void check_counts(struct party *p)
{
    size_t held = 0, waiting = 0;
    for (size_t i = 0; i < GUESTS; i++) {
        held += p->g[i].lease.own.state == LEASE_HELD;
        waiting += p->g[i].lease.own.state == LEASE_WAITING;
        assert_int_equal(p->g[i].calls, 0);
    }
    assert_int_equal(held, fleet_held(world(), ROOMY));
    assert_int_equal(waiting, fleet_waiting(world(), ROOMY));
    assert_int_equal(waiting, p->n);
    assert_in_range(held, 0, 2);
    assert_in_range(waiting, 0, 3);
    if (k.b[ROOMY]->state == BACKEND_HOT)
        assert_true(waiting == 0 || held == 2); /* nobody waits beside a free slot */
    if (k.b[ROOMY]->state == BACKEND_COLD || k.b[ROOMY]->state == BACKEND_FAILED)
        assert_int_equal(waiting, 0);
}

static void some_state(void)
{
    struct backend *b = k.b[ROOMY];
    switch (b->state) {
    case BACKEND_COLD:
        break;
    case BACKEND_LOADING:
        if (roll(3))
            enter(b, BACKEND_HOT);
        else
            load_fails(ROOMY, ERR_LOAD_FAILED);
        break;
    case BACKEND_HOT:
        if (roll(2))
            enter(b, BACKEND_COLD);
        else
            backend_unload(b);
        break;
    case BACKEND_DRAINING:
    case BACKEND_WEDGED:
        enter(b, BACKEND_COLD);
        break;
    case BACKEND_FAILED:
        b->since_ms -= 3000;
        break;
    }
}

static void step(struct party *p)
{
    size_t who = roll(GUESTS), before = k.settled;
    struct guest *g = &p->g[who];
    if (roll(6) == 0) {
        some_state();
    } else if (g->lease.own.state == LEASE_NONE) {
        if (!ask(g, ROOMY) && g->lease.own.state == LEASE_WAITING)
            p->line[p->n++] = who;
    } else {
        forget(p, who);
        lease_drop(&g->lease);
    }
    check_settled(p, before);
    check_counts(p);
}

static void test_whatever_happens_slots_and_order_hold(void **state)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct party p = { .n = 0 };
        open_kitchen(state);
        dice = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
        for (size_t i = 0; i < GUESTS; i++)
            come(&p.g[i]);
        for (int i = 0; i < 300; i++)
            step(&p);
        for (size_t i = 0; i < GUESTS; i++)
            lease_drop(&p.g[i].lease);
        close_kitchen(state);
    }
}

#define IN_KITCHEN(test) cmocka_unit_test_setup_teardown(test, open_kitchen, close_kitchen)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_KITCHEN(test_the_first_lease_loads_and_slots_are_given_in_order),
        IN_KITCHEN(test_the_queue_is_bounded),
        IN_KITCHEN(test_a_failed_load_tells_all_who_wait_why),
        IN_KITCHEN(test_a_load_that_fails_at_once_refuses_at_once),
        IN_KITCHEN(test_who_asks_again_when_refused_waits_for_the_next_load),
        IN_KITCHEN(test_a_lease_may_be_dropped_when_it_is_given),
        IN_KITCHEN(test_who_waits_survives_a_death_and_an_unload),
        IN_KITCHEN(test_a_cold_place_nobody_wants_stays_cold),
        IN_KITCHEN(test_the_engine_has_the_last_word_on_its_slots),
        IN_KITCHEN(test_a_place_elsewhere_has_no_queue),
        IN_KITCHEN(test_an_idle_place_is_unloaded_but_never_under_a_lease),
        IN_KITCHEN(test_at_the_start_what_is_kept_hot_is_loaded),
        IN_KITCHEN(test_a_child_of_an_earlier_gateway_goes_to_its_model),
        IN_KITCHEN(test_stopping_refuses_who_waits_and_ends_when_all_are_down),
        IN_KITCHEN(test_stopping_what_never_ran_ends_as_well),
        IN_KITCHEN(test_a_load_by_hand_waits_until_it_is_hot),
        IN_KITCHEN(test_a_load_by_hand_tells_why_not_and_tries_anew_at_once),
        IN_KITCHEN(test_who_leaves_is_not_told),
        IN_KITCHEN(test_an_unload_by_hand_lets_what_runs_finish),
        IN_KITCHEN(test_what_is_unloaded_by_hand_stays_so_until_it_is_wanted),
        IN_KITCHEN(test_an_unload_of_what_does_not_run_is_done),
        IN_KITCHEN(test_the_last_of_two_people_has_their_way),
        IN_KITCHEN(test_a_death_while_leaving_is_an_unload_too),
        IN_KITCHEN(test_stopping_settles_wishes),
        IN_KITCHEN(test_figures),
        cmocka_unit_test(test_whatever_happens_slots_and_order_hold),
    };
    setenv("HOME", "/home/cook", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
