/* Leases, queues, loads and idling. The backends are stand-ins: this file defines all functions by which the fleet knows backends, so that the
 * linker takes none of the real ones (a new one must be added here too), and each test says itself when a load begins, succeeds or fails. */
#include "fleet/fleet_int.h"

#include "conf/conf.h"
#include "conf/diff.h"

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

enum { MODELS = 5, ROOMY = 0, PINNED = 1, FAR = 2, SHORT = 3, HUGE_ONE = 4 };

static const char kitchen[] =
    "hosts: {anvil: {url: \"http://127.0.0.1:9001\"}}\n"
    "queue: {limit: 3}\n"
    "budget: {memory: 10GiB}\n"
    "models:\n"
    "  roomy:  {file: m.gguf, slots: 2, idle: 1h, memory: 1GiB}\n"
    "  pinned: {file: m.gguf, keep: hot, memory: 1GiB}\n"
    "  far:    {host: anvil}\n"
    "  short:  {file: m.gguf, idle: 1ms, memory: 1GiB}\n"
    "  huge:   {file: m.gguf, memory: 9728MiB}\n";

static struct {
    struct loop *loop;
    struct config *config;
    struct fleet *fleet;
    struct backend *b[MODELS];
    int loads[MODELS], unloads[MODELS], stops;
    enum err_code look_fails;   /* its file is no good */
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
    b->config = conf_hold(c);
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

static size_t number_of(const struct backend *b)
{
    size_t i = 0;
    while (k.b[i] != b)
        i++;
    return i;
}

void backend_use_config(struct backend *b, const struct config *c, size_t index)
{
    const struct config *was = b->config;
    b->config = conf_hold(c);
    conf_free(was);
    b->model = &c->models[index];
}

void backend_take_template(struct backend *b, const struct template_look *look)
{
    b->tools = look->tools ? TRI_YES : TRI_NO;
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

void backend_enter(struct backend *b, enum backend_state to)
{
    enter(b, to);
}

int backend_pid(const struct backend *b)
{
    return 0;
}

enum err_code estimate_model(const struct config *c, const struct conf_model *m, enum estimate_effort effort, struct store *s, struct estimate *out,
    struct err *e)
{
    if (k.look_fails)
        return err_set(e, k.look_fails, "it cannot be");
    *out = (struct estimate){ .bytes = m->memory_bytes };
    return ERR_OK;
}

void backend_free(struct backend *b)
{
    conf_free(b->config);
    free(b);
}

void backend_load(struct backend *b)
{
    assert_true(b->kind->managed && (b->state == BACKEND_COLD || b->state == BACKEND_FAILED));
    k.loads[number_of(b)]++;
    enter(b, BACKEND_LOADING);
    if (k.fails_at_once) {
        err_set(&b->last_error, ERR_ENGINE_MISSING, "no engine");
        enter(b, BACKEND_FAILED);
    }
}

void backend_unload(struct backend *b)
{
    assert_true(b->kind->managed);
    k.unloads[number_of(b)]++;
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

static void turn_over(void *ctx)
{
    loop_stop(k.loop);
}

static bool pool_works(void)
{
    bool works = budget_runs(k.fleet->budget);
    for (struct list *i = k.fleet->places.next; i != &k.fleet->places; i = i->next)
        works = works || place_works(list_entry(i, struct fleet_place, node));
    return works;
}

/* Lets what waits for the end of the turn run, and what the pool has. */
static void turn(void)
{
    do {
        struct later end;
        later_init(&end, turn_over, NULL);
        loop_later(k.loop, &end);
        loop_run(k.loop);
    } while (pool_works() || sched_has_orders(k.fleet->sched));
}

static void becomes(struct backend *b, enum backend_state to)
{
    enter(b, to);
    turn();
}

static void drop(struct lease *l)
{
    lease_drop(l);
    turn();
}

static void load_fails(size_t model, enum err_code code)
{
    err_set(&k.b[model]->last_error, code, "it broke");
    becomes(k.b[model], BACKEND_FAILED);
}

/* ---- guests ---- */

struct guest {
    struct lease lease;
    int calls;
    size_t order;           /* 1 = settled first */
    enum err_code code;     /* of what it was told */
    bool rejoin;            /* asks again when it is refused */
    enum err_code again;    /* and is told */
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
        g->again = ask(g, ROOMY);
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
    turn();
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
    turn(); /* what the pool has comes back first */
    fleet_free(k.fleet);
    loop_free(k.loop);
    conf_free(k.config);
    return 0;
}

/* ---- people ---- */

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

/* ---- claims ---- */

static void test_the_first_lease_loads_and_slots_are_given_in_order(void **state)
{
    struct guest g[3];
    expect_waiting(g, 3, ROOMY);
    assert_int_equal(k.loads[ROOMY], 1);
    assert_int_equal(fleet_waiting(world(), ROOMY), 3);
    becomes(k.b[ROOMY], BACKEND_HOT);
    assert_int_equal(fleet_held(world(), ROOMY), 2);
    assert_int_equal(fleet_waiting(world(), ROOMY), 1);
    assert_true(g[0].order == 1 && g[1].order == 2 && g[2].calls == 0);
    drop(&g[1].lease);
    assert_int_equal(g[2].order, 3);
    assert_int_equal(fleet_held(world(), ROOMY), 2);
    drop(&g[0].lease);
    drop(&g[2].lease);
    assert_int_equal(fleet_held(world(), ROOMY), 0);
    assert_int_equal(ask(&g[0], ROOMY), ERR_OK);
    assert_int_equal(g[0].lease.own.state, LEASE_HELD);
    assert_int_equal(g[0].calls, 1); /* held at once: nobody is called */
    drop(&g[0].lease);
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
    drop(&late.lease); /* fine: it has nothing */
    assert_int_equal(fleet_waiting(world(), ROOMY), 3);
    drop(&g[1].lease);
    assert_int_equal(ask(&late, ROOMY), ERR_OK);
    becomes(k.b[ROOMY], BACKEND_HOT);
    assert_true(g[0].order == 1 && g[2].order == 2 && !late.calls && !g[1].calls);
    drop(&g[0].lease);
    assert_int_equal(late.order, 3);
    drop(&g[2].lease);
    drop(&late.lease);
}

static void test_a_failed_load_tells_all_who_wait_why(void **state)
{
    struct guest g[3], next;
    struct err e;
    expect_waiting(g, 3, ROOMY);
    load_fails(ROOMY, ERR_LOAD_FAILED);
    for (size_t i = 0; i < 3; i++)
        assert_true(g[i].calls == 1 && g[i].code == ERR_LOAD_FAILED && g[i].order == i + 1);
    assert_int_equal(fleet_waiting(world(), ROOMY), 0);
    come(&next);
    assert_int_equal(fleet_lease(world(), ROOMY, CALLER_PROGRAM, &next.lease, &e), ERR_LOAD_FAILED); /* for a while at once */
    assert_true(e.retry_after_s == 1 && strstr(e.text, "it broke"));
    assert_int_equal(k.loads[ROOMY], 1);
}

static void test_a_load_that_fails_at_once_refuses(void **state)
{
    struct guest g;
    k.fails_at_once = true;
    expect_waiting(&g, 1, ROOMY);
    assert_true(g.calls == 1 && g.code == ERR_ENGINE_MISSING);
    assert_int_equal(fleet_waiting(world(), ROOMY), 0);
}

static void test_what_cannot_be_run_is_never_started(void **state)
{
    struct guest g;
    k.look_fails = ERR_WEIGHTS_BROKEN;
    expect_waiting(&g, 1, ROOMY);
    assert_true(g.calls == 1 && g.code == ERR_WEIGHTS_BROKEN && !k.loads[ROOMY]);
    assert_true(k.b[ROOMY]->state == BACKEND_FAILED && k.b[ROOMY]->last_error.code == ERR_WEIGHTS_BROKEN);
}

static void test_what_does_not_fit_is_told_with_numbers(void **state)
{
    struct guest g;
    struct person p;
    fleet_start(k.fleet);
    turn();
    becomes(k.b[PINNED], BACKEND_HOT); /* 9.5 of 10 GiB would fit alone, and 1 is pinned */
    expect_waiting(&g, 1, HUGE_ONE);
    assert_true(g.calls == 1 && g.code == ERR_DOES_NOT_FIT && !k.loads[HUGE_ONE] && !k.unloads[PINNED]);
    assert_non_null(strstr(k.b[HUGE_ONE]->last_error.text, "it needs 9.5 GiB, the budget for models is 10.0 GiB, and 1.0 GiB"));
    wants(&p, PINNED, false);
    becomes(k.b[PINNED], BACKEND_COLD);
    expect_waiting(&g, 1, HUGE_ONE);
    assert_int_equal(k.loads[HUGE_ONE], 1);
    becomes(k.b[HUGE_ONE], BACKEND_HOT);
    drop(&g.lease);
}

static void test_room_is_made_and_awaited(void **state)
{
    struct guest a, b;
    struct person p;
    struct fleet_budget budget;
    expect_waiting(&a, 1, ROOMY);
    becomes(k.b[ROOMY], BACKEND_HOT);
    expect_waiting(&b, 1, HUGE_ONE);
    assert_true(b.lease.own.state == LEASE_WAITING && !k.loads[HUGE_ONE] && !k.unloads[ROOMY]); /* it is at work, and was just loaded */
    fleet_budget(k.fleet, &budget);
    assert_true(budget.total_bytes == 10 * (int64_t)GIB && budget.used_bytes == (int64_t)GIB);
    drop(&a.lease);
    wants(&p, ROOMY, false);
    assert_true(k.unloads[ROOMY] == 1 && !k.loads[HUGE_ONE]);
    becomes(k.b[ROOMY], BACKEND_COLD);
    assert_int_equal(k.loads[HUGE_ONE], 1);
    becomes(k.b[HUGE_ONE], BACKEND_HOT);
    assert_int_equal(b.lease.own.state, LEASE_HELD);
    drop(&b.lease);
}

static void test_who_asks_again_when_refused_is_told_the_same(void **state)
{
    struct guest g[3];
    expect_waiting(g, 3, ROOMY);
    g[0].rejoin = true;
    load_fails(ROOMY, ERR_LOAD_FAILED);
    assert_true(g[0].calls == 1 && g[0].again == ERR_LOAD_FAILED && g[0].lease.own.state == LEASE_NONE);
    assert_true(g[1].code == ERR_LOAD_FAILED && g[2].code == ERR_LOAD_FAILED);
    assert_int_equal(k.loads[ROOMY], 1);
}

static void test_a_lease_may_be_dropped_when_it_is_given(void **state)
{
    struct guest g[3];
    expect_waiting(g, 3, ROOMY);
    g[0].leave = g[1].leave = g[2].leave = true;
    becomes(k.b[ROOMY], BACKEND_HOT);
    for (size_t i = 0; i < 3; i++)
        assert_true(g[i].calls == 1 && g[i].order == i + 1 && g[i].lease.own.state == LEASE_NONE);
    assert_int_equal(fleet_held(world(), ROOMY), 0);
}

static void test_who_waits_survives_a_death_and_an_unload(void **state)
{
    struct guest g[3];
    struct person p;
    expect_waiting(g, 3, ROOMY);
    becomes(k.b[ROOMY], BACKEND_HOT);
    becomes(k.b[ROOMY], BACKEND_COLD); /* it died, with two at work */
    assert_int_equal(k.loads[ROOMY], 2); /* for the third */
    assert_int_equal(g[2].calls, 0);
    drop(&g[0].lease);
    assert_int_equal(g[2].calls, 0); /* a free slot of what is not there */
    becomes(k.b[ROOMY], BACKEND_HOT);
    assert_int_equal(g[2].lease.own.state, LEASE_HELD);
    assert_int_equal(fleet_held(world(), ROOMY), 1); /* what was held on the dead counts no more */
    drop(&g[1].lease);
    drop(&g[2].lease);
    wants(&p, ROOMY, false);
    expect_waiting(g, 1, ROOMY);
    assert_int_equal(k.loads[ROOMY], 2);
    becomes(k.b[ROOMY], BACKEND_COLD);
    assert_int_equal(k.loads[ROOMY], 3);
    becomes(k.b[ROOMY], BACKEND_HOT);
    assert_int_equal(g[0].lease.own.state, LEASE_HELD);
    drop(&g[0].lease);
}

static void test_one_that_hangs_is_as_if_it_had_died(void **state)
{
    struct guest g[3];
    expect_waiting(g, 3, ROOMY);
    becomes(k.b[ROOMY], BACKEND_HOT);
    becomes(k.b[ROOMY], BACKEND_DRAINING); /* by itself */
    assert_int_equal(fleet_held(world(), ROOMY), 0);
    becomes(k.b[ROOMY], BACKEND_COLD);
    assert_true(k.loads[ROOMY] == 2 && k.unloads[ROOMY] == 0);
    becomes(k.b[ROOMY], BACKEND_HOT);
    assert_int_equal(g[2].lease.own.state, LEASE_HELD);
    for (size_t i = 0; i < 3; i++)
        drop(&g[i].lease);
}

static void test_one_that_does_not_die_keeps_its_memory(void **state)
{
    struct guest g;
    struct person p;
    struct fleet_budget budget;
    expect_waiting(&g, 1, ROOMY);
    becomes(k.b[ROOMY], BACKEND_HOT);
    drop(&g.lease);
    wants(&p, ROOMY, false);
    err_set(&k.b[ROOMY]->last_error, ERR_LOAD_FAILED, "it does not die");
    becomes(k.b[ROOMY], BACKEND_WEDGED);
    expect_told(&p, ERR_LOAD_FAILED);
    fleet_budget(k.fleet, &budget);
    assert_int_equal(budget.used_bytes, GIB);
    assert_int_equal(ask(&g, ROOMY), ERR_LOAD_FAILED);
    assert_true(fleet_has_wedged(k.fleet));
    becomes(k.b[ROOMY], BACKEND_COLD);
    fleet_budget(k.fleet, &budget);
    assert_true(budget.used_bytes == 0 && !fleet_has_wedged(k.fleet));
    expect_waiting(&g, 1, ROOMY);
    assert_int_equal(k.loads[ROOMY], 2);
    becomes(k.b[ROOMY], BACKEND_HOT);
    drop(&g.lease);
}

static void test_a_cold_place_nobody_wants_stays_cold(void **state)
{
    struct guest g;
    expect_waiting(&g, 1, ROOMY);
    drop(&g.lease);
    becomes(k.b[ROOMY], BACKEND_HOT);
    becomes(k.b[ROOMY], BACKEND_COLD);
    assert_int_equal(k.loads[ROOMY], 1);
    fleet_start(k.fleet);
    turn();
    becomes(k.b[PINNED], BACKEND_HOT);
    becomes(k.b[PINNED], BACKEND_COLD);
    assert_int_equal(k.loads[PINNED], 2); /* `keep: hot` comes back by itself */
}

static void test_the_engine_has_the_last_word_on_its_slots(void **state)
{
    struct guest g[3];
    expect_waiting(g, 3, ROOMY);
    k.b[ROOMY]->slots = 1;
    becomes(k.b[ROOMY], BACKEND_HOT);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(fleet_held(world(), ROOMY), 1);
        assert_int_equal(k.settled, i + 1);
        drop(&g[i].lease);
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
        drop(&g[i].lease);
    assert_int_equal(k.unloads[FAR], 0);
    load_fails(FAR, ERR_UP_REFUSED); /* it has no address to ask */
    assert_int_equal(ask(&g[0], FAR), ERR_UP_REFUSED);
    k.b[FAR]->since_ms -= 10000;
    assert_int_equal(ask(&g[0], FAR), ERR_UP_REFUSED);
    assert_int_equal(k.loads[FAR], 0);
}

static void stop_loop(void *ctx)
{
    loop_stop(ctx);
}

/* Runs the loop until the model was unloaded so many times, or for some turns of a clock. */
static void wait_for_unloads(size_t model, int n, int at_most_ms)
{
    struct timer t;
    timer_init(&t, k.loop, stop_loop, k.loop);
    while (k.unloads[model] < n && at_most_ms--) {
        timer_set(&t, 1);
        loop_run(k.loop);
    }
}

static void test_an_idle_place_is_unloaded_but_never_under_a_lease(void **state)
{
    struct guest g;
    struct person p;
    expect_waiting(&g, 1, SHORT);
    becomes(k.b[SHORT], BACKEND_HOT);
    assert_int_equal(g.lease.own.state, LEASE_HELD);
    wait_for_unloads(SHORT, 1, 20); /* twenty times its limit */
    assert_int_equal(k.unloads[SHORT], 0);
    drop(&g.lease);
    wait_for_unloads(SHORT, 1, 10000);
    assert_int_equal(k.unloads[SHORT], 1);
    assert_int_equal(k.b[SHORT]->state, BACKEND_DRAINING);
    assert_int_equal(fleet_evictions(world(), SHORT, LEAVE_IDLE), 1);
    becomes(k.b[SHORT], BACKEND_COLD);
    assert_int_equal(k.loads[SHORT], 1);
    wants(&p, SHORT, true); /* loaded, and nobody ever came */
    becomes(k.b[SHORT], BACKEND_HOT);
    wait_for_unloads(SHORT, 2, 10000);
    assert_int_equal(k.unloads[SHORT], 2);
}

static void test_at_the_start_what_is_kept_hot_is_loaded(void **state)
{
    struct person p;
    struct buf why = { 0 };
    assert_false(fleet_ready(k.fleet, &why));
    assert_true(str_eq(buf_str(&why), STR("pinned is cold")));
    fleet_start(k.fleet);
    turn();
    assert_true(k.loads[PINNED] == 1 && !k.loads[ROOMY] && !k.loads[FAR] && !k.loads[SHORT]);
    load_fails(PINNED, ERR_WEIGHTS_MISSING);
    why.n = 0;
    assert_false(fleet_ready(k.fleet, &why));
    assert_true(str_eq(buf_str(&why), STR("pinned is failed: it broke")));
    wants(&p, PINNED, true);
    becomes(k.b[PINNED], BACKEND_HOT);
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
    becomes(k.b[ROOMY], BACKEND_HOT);
    assert_int_equal(g.lease.own.state, LEASE_HELD);
    drop(&g.lease);
}

static void test_who_waits_for_a_child_that_ends_while_it_is_taken_over_gets_another(void **state)
{
    struct guest g;
    assert_true(fleet_adopt(k.fleet, &(struct keeper_child){ .label = STR("roomy"), .pid = 7 }));
    expect_waiting(&g, 1, ROOMY);
    load_fails(ROOMY, ERR_LOAD_FAILED);
    assert_true(k.loads[ROOMY] == 1 && g.calls == 0);
    load_fails(ROOMY, ERR_LOAD_FAILED); /* now it is a load of ours */
    assert_true(k.loads[ROOMY] == 1 && g.code == ERR_LOAD_FAILED);
}

/* The kitchen without its last model. */
static void remove_the_last(void)
{
    struct err e = { 0 };
    struct config *c = NULL;
    struct arena a;
    struct conf_diff d;
    struct str less = STR(kitchen);
    less.n = (size_t)str_find(less, STR("  huge:"));
    if (conf_parse(STR("/kitchen/hob.yaml"), less, &c, &e))
        fail_msg("%s", e.text);
    arena_init(&a);
    conf_diff(k.config, c, &a, &d);
    fleet_apply(k.fleet, c, &d);
    arena_fini(&a);
}

static size_t places(void)
{
    size_t n = 0;
    for (struct list *i = k.fleet->places.next; i != &k.fleet->places; i = i->next)
        n++;
    return n;
}

static void test_one_that_is_removed_goes_whatever_the_pool_has_of_it(void **state)
{
    static const bool adopted[] = { false, true };
    for (size_t i = 0; i < COUNTOF(adopted); i++) {
        struct guest g;
        if (adopted[i]) {
            assert_true(fleet_adopt(k.fleet, &(struct keeper_child){ .label = STR("huge"), .pid = 7 }));
            enter(k.b[HUGE_ONE], BACKEND_FAILED); /* before the look at its file is over */
        } else {
            k.look_fails = ERR_WEIGHTS_BROKEN;
            expect_waiting(&g, 1, HUGE_ONE);
            assert_int_equal(g.code, ERR_WEIGHTS_BROKEN);
            come(&g);
            assert_int_equal(ask(&g, HUGE_ONE), ERR_WEIGHTS_BROKEN); /* is its file another now? */
        }
        assert_true(pool_works());
        remove_the_last();
        turn();
        turn();
        assert_int_equal(places(), MODELS - 1);
        close_kitchen(state);
        open_kitchen(state);
    }
}

/* The kitchen with another build of its engine. */
static void use_engine(const char *path)
{
    struct err e = { 0 };
    struct config *c = NULL;
    struct arena a;
    struct conf_diff d;
    arena_init(&a);
    if (conf_parse(STR("/kitchen/hob.yaml"), arena_printf(&a, "engines: {llama: {path: %s}}\n%s", path, kitchen), &c, &e))
        fail_msg("%s", e.text);
    conf_diff(world_config(world()), c, &a, &d);
    fleet_apply(k.fleet, c, &d);
    arena_fini(&a);
    turn();
}

static const char *engine_of(size_t model)
{
    return conf_engine(k.b[model]->config, k.b[model]->model->engine)->path.p;
}

/* It goes as it was told to, and is loaded again. */
static void comes_back(size_t model)
{
    assert_int_equal(k.b[model]->state, BACKEND_DRAINING);
    becomes(k.b[model], BACKEND_COLD);
    assert_int_equal(k.b[model]->state, BACKEND_LOADING);
}

static void test_another_build_of_an_engine_comes_to_one_child_at_a_time(void **state)
{
    struct guest busy, idle, waits, other;
    use_engine("/a/llama-server");
    fleet_start(k.fleet);
    turn();
    becomes(k.b[PINNED], BACKEND_HOT);
    expect_waiting(&busy, 1, SHORT);
    becomes(k.b[SHORT], BACKEND_HOT);
    expect_waiting(&idle, 1, ROOMY);
    becomes(k.b[ROOMY], BACKEND_HOT);
    drop(&idle.lease);
    use_engine("/b/llama-server");
    assert_true(k.unloads[PINNED] == 1 && !k.unloads[ROOMY] && !k.unloads[SHORT]); /* what is kept hot is the first */
    expect_waiting(&waits, 1, PINNED);
    come(&other);
    assert_int_equal(ask(&other, ROOMY), ERR_OK);
    assert_int_equal(other.lease.own.state, LEASE_HELD); /* the others answer */
    drop(&other.lease);
    comes_back(PINNED);
    assert_string_equal(engine_of(PINNED), "/b/llama-server");
    assert_string_equal(engine_of(ROOMY), "/a/llama-server");
    /* it dies: who waits does not hear of it, the next does not go, and the way back undoes what had not begun */
    load_fails(PINNED, ERR_LOAD_FAILED);
    assert_true(!waits.calls && !k.unloads[ROOMY] && !k.unloads[SHORT]);
    use_engine("/a/llama-server");
    assert_string_equal(engine_of(PINNED), "/a/llama-server");
    becomes(k.b[PINNED], BACKEND_HOT);
    assert_true(waits.calls == 1 && waits.code == ERR_OK);
    drop(&waits.lease);
    assert_true(!k.unloads[ROOMY] && !k.unloads[SHORT]);
    /* again: each in its turn; the idle one comes back, too, and the busy one ends what it does first */
    use_engine("/c/llama-server");
    comes_back(PINNED);
    assert_false(k.unloads[ROOMY]);
    becomes(k.b[PINNED], BACKEND_HOT);
    assert_true(k.unloads[ROOMY] == 1 && !k.unloads[SHORT]);
    comes_back(ROOMY);
    becomes(k.b[ROOMY], BACKEND_HOT);
    assert_int_equal(k.unloads[SHORT], 0);
    assert_int_equal(k.fleet->turn->m.state, SCHED_LEAVING);
    drop(&busy.lease);
    comes_back(SHORT);
    becomes(k.b[SHORT], BACKEND_HOT);
    assert_null(k.fleet->turn);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(engine_of((size_t[]){ PINNED, ROOMY, SHORT }[i]), "/c/llama-server");
    assert_int_equal(k.unloads[HUGE_ONE] + k.loads[HUGE_ONE], 0);
    assert_string_equal(engine_of(HUGE_ONE), "/c/llama-server"); /* what does not run has it at once */
}

/* The build is changed again while the one whose turn it is loads: it is next once more, and nobody waits for ever. */
static void test_the_build_changes_again_in_the_middle_of_a_turn(void **state)
{
    struct guest g;
    use_engine("/a/llama-server");
    fleet_start(k.fleet);
    turn();
    becomes(k.b[PINNED], BACKEND_HOT);
    expect_waiting(&g, 1, ROOMY);
    becomes(k.b[ROOMY], BACKEND_HOT);
    drop(&g.lease);
    use_engine("/b/llama-server");
    comes_back(PINNED);
    becomes(k.b[PINNED], BACKEND_HOT);
    comes_back(ROOMY); /* the last of them: nobody is queued */
    use_engine("/a/llama-server");
    assert_int_equal(k.unloads[PINNED], 1);
    becomes(k.b[ROOMY], BACKEND_HOT);
    assert_true(k.unloads[PINNED] == 2 && k.unloads[ROOMY] == 1);
    comes_back(PINNED);
    becomes(k.b[PINNED], BACKEND_HOT);
    comes_back(ROOMY);
    becomes(k.b[ROOMY], BACKEND_HOT);
    assert_null(k.fleet->turn);
    assert_string_equal(engine_of(PINNED), "/a/llama-server");
    assert_string_equal(engine_of(ROOMY), "/a/llama-server");
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
    turn();
    becomes(k.b[PINNED], BACKEND_HOT);
    expect_waiting(g, 3, ROOMY);
    becomes(k.b[ROOMY], BACKEND_HOT);
    fleet_stop(k.fleet, stopped, NULL);
    turn();
    assert_true(g[2].calls == 1 && g[2].code == ERR_SHUTTING_DOWN);
    assert_true(k.unloads[ROOMY] == 1 && k.unloads[PINNED] == 1 && !k.unloads[FAR]);
    come(&late);
    assert_int_equal(ask(&late, ROOMY), ERR_SHUTTING_DOWN);
    assert_int_equal(ask(&late, FAR), ERR_SHUTTING_DOWN);
    drop(&g[0].lease);
    drop(&g[1].lease);
    becomes(k.b[PINNED], BACKEND_COLD);
    assert_int_equal(k.stops, 0);
    enter(k.b[ROOMY], BACKEND_COLD);
    assert_int_equal(k.stops, 0); /* never from inside */
    turn();
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


static void test_a_load_by_hand_waits_until_it_is_hot(void **state)
{
    struct person p[3];
    wants(&p[0], ROOMY, true);
    wants(&p[1], ROOMY, true);
    assert_true(k.loads[ROOMY] == 1 && !p[0].calls && !p[1].calls);
    becomes(k.b[ROOMY], BACKEND_HOT);
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
    becomes(k.b[ROOMY], BACKEND_HOT);
    wants(&p, ROOMY, false);
    assert_true(k.unloads[ROOMY] == 0 && p.calls == 0);
    drop(&g[0].lease);
    expect_waiting(g + 2, 1, ROOMY); /* a slot is free, but no more is begun */
    drop(&g[1].lease);
    assert_true(k.unloads[ROOMY] == 1 && p.calls == 0);
    becomes(k.b[ROOMY], BACKEND_COLD);
    expect_told(&p, ERR_OK);
    assert_int_equal(k.loads[ROOMY], 2); /* for who has come meanwhile */
    becomes(k.b[ROOMY], BACKEND_HOT);
    assert_int_equal(g[2].lease.own.state, LEASE_HELD);
    drop(&g[2].lease);
}

static void test_what_is_unloaded_by_hand_stays_so_until_it_is_wanted(void **state)
{
    struct guest g;
    struct person p;
    fleet_start(k.fleet);
    turn();
    becomes(k.b[PINNED], BACKEND_HOT);
    wants(&p, PINNED, false);
    becomes(k.b[PINNED], BACKEND_COLD);
    expect_told(&p, ERR_OK);
    assert_int_equal(k.loads[PINNED], 1); /* `keep: hot` or not */
    expect_waiting(&g, 1, PINNED);
    assert_int_equal(k.loads[PINNED], 2);
    becomes(k.b[PINNED], BACKEND_HOT);
    drop(&g.lease);
    becomes(k.b[PINNED], BACKEND_COLD); /* it died: now it is kept hot again */
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
    becomes(k.b[ROOMY], BACKEND_COLD);
    expect_told(&unload, ERR_OK);
    assert_int_equal(k.loads[ROOMY], 2);
    becomes(k.b[ROOMY], BACKEND_HOT);
    expect_told(&load, ERR_OK);
}

static void test_a_death_while_leaving_is_an_unload_too(void **state)
{
    struct guest g;
    struct person p;
    expect_waiting(&g, 1, ROOMY);
    becomes(k.b[ROOMY], BACKEND_HOT);
    wants(&p, ROOMY, false);
    becomes(k.b[ROOMY], BACKEND_COLD);
    expect_told(&p, ERR_OK);
    drop(&g.lease);
    assert_true(k.unloads[ROOMY] == 0 && k.loads[ROOMY] == 1);
}

static void test_stopping_settles_wishes(void **state)
{
    struct guest g;
    struct person load, unload, late;
    wants(&load, ROOMY, true);
    expect_waiting(&g, 1, SHORT);
    becomes(k.b[SHORT], BACKEND_HOT);
    wants(&unload, SHORT, false);
    fleet_stop(k.fleet, stopped, NULL);
    expect_told(&load, ERR_SHUTTING_DOWN);
    wants(&late, PINNED, true);
    expect_told(&late, ERR_SHUTTING_DOWN);
    assert_int_equal(unload.calls, 0);
    drop(&g.lease);
    becomes(k.b[SHORT], BACKEND_COLD);
    expect_told(&unload, ERR_OK);
    becomes(k.b[ROOMY], BACKEND_COLD);
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
    becomes(k.b[ROOMY], BACKEND_HOT);
    fleet_figures(world(), ROOMY, &f);
    assert_true(f.waiting == 1 && f.held == 2 && f.idle_ms == 0);
    for (size_t i = 0; i < 3; i++)
        drop(&g[i].lease);
    fleet_figures(world(), ROOMY, &f);
    assert_true(f.waiting == 0 && f.oldest_ms == -1 && f.idle_ms >= 0);
    becomes(k.b[ROOMY], BACKEND_COLD);
    fleet_figures(world(), ROOMY, &f);
    assert_int_equal(f.idle_ms, -1);
}

#define IN_KITCHEN(test) cmocka_unit_test_setup_teardown(test, open_kitchen, close_kitchen)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_KITCHEN(test_the_first_lease_loads_and_slots_are_given_in_order),
        IN_KITCHEN(test_the_queue_is_bounded),
        IN_KITCHEN(test_a_failed_load_tells_all_who_wait_why),
        IN_KITCHEN(test_a_load_that_fails_at_once_refuses),
        IN_KITCHEN(test_what_cannot_be_run_is_never_started),
        IN_KITCHEN(test_what_does_not_fit_is_told_with_numbers),
        IN_KITCHEN(test_room_is_made_and_awaited),
        IN_KITCHEN(test_who_asks_again_when_refused_is_told_the_same),
        IN_KITCHEN(test_a_lease_may_be_dropped_when_it_is_given),
        IN_KITCHEN(test_who_waits_survives_a_death_and_an_unload),
        IN_KITCHEN(test_one_that_hangs_is_as_if_it_had_died),
        IN_KITCHEN(test_one_that_does_not_die_keeps_its_memory),
        IN_KITCHEN(test_a_cold_place_nobody_wants_stays_cold),
        IN_KITCHEN(test_the_engine_has_the_last_word_on_its_slots),
        IN_KITCHEN(test_a_place_elsewhere_has_no_queue),
        IN_KITCHEN(test_an_idle_place_is_unloaded_but_never_under_a_lease),
        IN_KITCHEN(test_at_the_start_what_is_kept_hot_is_loaded),
        IN_KITCHEN(test_a_child_of_an_earlier_gateway_goes_to_its_model),
        IN_KITCHEN(test_who_waits_for_a_child_that_ends_while_it_is_taken_over_gets_another),
        IN_KITCHEN(test_one_that_is_removed_goes_whatever_the_pool_has_of_it),
        IN_KITCHEN(test_another_build_of_an_engine_comes_to_one_child_at_a_time),
        IN_KITCHEN(test_the_build_changes_again_in_the_middle_of_a_turn),
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
    };
    setenv("HOME", "/home/cook", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
