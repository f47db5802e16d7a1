/* The way to a place: its health, its host's sleep, its line; then it is asked (exchange_try.c). */
#include "api/exchange_int.h"
#include "backend/health.h"
#include "base/clock.h"
#include "conf/conf.h"

/* A reload may have said meanwhile that its host is not local. */
static bool would_leave_the_house(const struct attempt *t)
{
    const struct decision *d = &t->x->decision;
    return (d->privacy == PRIVATE_SAID || d->local_only) && !backend_is_local(t->b);
}

/* The place is ours: may it be asked? Its breaker may have opened while we stood in its line. */
static void ask_place(struct attempt *t)
{
    struct err e;
    if (would_leave_the_house(t)) {
        err_set(&e, ERR_PRIVATE_NO_PLACE, "The request has to stay on local hosts, and '%.*s' is on none any more.", STR_ARG(t->b->name));
        exchange_try_failed(t, &e);
        return;
    }
    if (health_admits(t->b, &e)) {
        exchange_passed_over(t, &e);
        return;
    }
    t->admitted = true;
    attempt_send(t);
}

static void on_lease(void *ctx, const struct err *e)
{
    struct attempt *t = ctx;
    struct err why;
    if (e) {
        t->leased = false;
        exchange_try_failed(t, e);
        return;
    }
    t->b = world_backend(t->world, t->model); /* a reload may have put another in its place, with other adapters */
    int64_t hot_for_ms = loop_now_ms(t->x->api->loop) - t->b->since_ms, waited_ms = (clock_mono_ns() - t->waited_ns) / 1000000;
    t->load_ms = waited_ms > hot_for_ms ? waited_ms - hot_for_ms : 0;
    if (attempt_body_fits(t, &why))
        ask_place(t);
    else
        exchange_try_failed(t, &why);
}

/* A reload has taken the place away, and there is another of its name: that one is meant, unless what was decided for a local one would leave the house. */
static bool is_replaced(struct attempt *t)
{
    struct exchange *x = t->x;
    struct world *now = fleet_world(x->api->fleet);
    const struct config *c = world_config(now);
    const struct conf_model *m = conf_model(c, t->b->name);
    if (now == t->world || (x->newer && x->newer != now) || !m || !str_eq(m->name, t->b->name))
        return false;
    struct backend *b = world_backend(now, (size_t)(m - c->models));
    if (backend_is_local(t->b) && !backend_is_local(b))
        return false;
    if (!x->newer)
        x->newer = world_hold(now);
    t->world = now;
    t->model = (size_t)(m - c->models);
    t->b = b;
    return true;
}

static void stand_in_line(struct attempt *t)
{
    struct err e;
    struct exchange *x = t->x;
    t->lease.own.aside = x->is_copy;
    if (x->api->shadows && !x->is_copy)
        shadow_make_way(x, t->b);
    t->lease.own.patience_ms = exchange_has_next(x) ? exchange_left_ms(x) / 2 : exchange_left_ms(x);
    enum err_code rc = attempt_body_fits(t, &e) ? fleet_lease(t->world, t->model, x->class, &t->lease, &e) : e.code;
    if (rc == ERR_NO_BACKEND && is_replaced(t) && attempt_body_fits(t, &e))
        rc = fleet_lease(t->world, t->model, x->class, &t->lease, &e);
    if (rc) {
        exchange_try_failed(t, &e);
        return;
    }
    t->leased = true;
    if (t->lease.own.state == LEASE_HELD) {
        ask_place(t);
        return;
    }
    exchange_know_caller(x);
    attempt_enter(t, TRY_WAITING);
    attempt_set_first_limit(t, t->b->model->queue.deadline_ms);
}

void attempt_awake(void *ctx, const struct err *e)
{
    struct attempt *t = ctx;
    t->load_ms = (clock_mono_ns() - t->waited_ns) / 1000000;
    if (e)
        exchange_try_failed(t, e);
    else
        stand_in_line(t);
}

static void wait_for_sleeper(struct attempt *t)
{
    attempt_enter(t, TRY_WAKING);
    attempt_set_first_limit(t, EXCHANGE_FOREVER_MS);
    host_wait_begin(&t->waking, t->b);
}

void attempt_start(struct attempt *t, size_t at, int64_t repeats)
{
    struct err e;
    t->at = at;
    t->repeats = repeats;
    t->world = t->x->world;
    t->model = t->x->decision.chain[at].model;
    t->b = world_backend(t->world, t->model);
    t->status = 0;
    attempt_forget_answer(t);
    t->length = (struct length){ .counted = false };
    attempt_plan(t);
    lease_init(&t->lease, on_lease, t);
    t->waited_ns = clock_mono_ns();
    t->load_ms = t->sent_ms = 0;
    embeddings_free(t->embeddings); /* what another try has given does not go with this one's */
    t->embeddings = NULL;
    t->embedded = 0;
    enum err_code shut = health_would_admit(t->b);
    if (shut == ERR_WAKING && (t->x->ask.insists || t->x->patient))
        wait_for_sleeper(t);
    else if (shut && health_admits(t->b, &e)) /* which says why not */
        exchange_passed_over(t, &e);
    else
        stand_in_line(t);
}

void attempt_rest(struct attempt *t, int64_t for_ms)
{
    attempt_enter(t, TRY_RESTING);
    timer_set(&t->deadline, for_ms);
}
