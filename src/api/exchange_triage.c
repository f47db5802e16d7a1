/* The second stage of `auto`: a model in memory is asked what it makes of the request (api/triage.h), for as long as `triage: {deadline: …}` allows; then who
 * answers is decided. It never causes a load, and where its place is not local it sees nothing private. */
#include "api/exchange_int.h"
#include "api/talk.h"
#include "api/triage.h"
#include "backend/health.h"
#include "conf/conf.h"
#include "policy/redact.h"

static bool rules_ask_for_intent(const struct config *c)
{
    for (size_t i = 0; i < c->nroutes; i++)
        if (c->routes[i].intent.n)
            return true;
    return false;
}

static bool is_wanted(const struct exchange *x, const struct config *c)
{
    return c->triage_model.n && x->ask.task == TASK_CHAT && !x->ask.known_background && (route_means_auto(c, x->ask.name) || rules_ask_for_intent(c));
}

/* As it would be without a judge: whether it may leave at all, and how private it is, which the judge's own request inherits (inner.c). */
static bool decide_before(struct exchange *x)
{
    struct snapshot now;
    struct err e;
    places_look(&x->api->places, x->world, &now);
    return !route_decide(world_config(x->world), &x->ask, &now, &x->decision, NULL, &e);
}

/* A rule or a role may forbid it, whatever the judge would say. */
static bool may_leave(const struct exchange *x)
{
    const struct decision *d = &x->decision;
    return !d->local_only && x->class != CALLER_BACKGROUND && !d->background && d->privacy == PRIVATE_NO && !(x->ask.looked ? x->ask.seen : redact_findings(&x->doc));
}

/* Elsewhere it costs money, and hears what is said. Another hob may have a judge of its own, which may be this one's. */
static bool may_see(struct exchange *x, const struct backend *b)
{
    if (b->kind->managed)
        return true;
    if (b->place && b->place->kind == HOST_HOB && x->ask.hops >= ASK_MOST_HOPS)
        return false;
    bool decided = decide_before(x);
    return backend_is_local(b) || (decided && may_leave(x));
}

static bool is_awake(const struct backend *b)
{
    return b->state == BACKEND_HOT && !health_would_admit(b);
}

static void on_judged(struct exchange *x)
{
    const struct config *c = world_config(x->world);
    struct triage_view v;
    struct ask *ask = &x->ask;
    if (x->inner.why.code)
        log_debug("%s: no triage: %s", x->id, err_row(x->inner.why.code)->code);
    else if (!triage_read(c, buf_str(&x->inner.content), &v))
        log_debug("%s: no triage: its answer is not as it was asked for", x->id);
    else {
        ask->complexity.score = v.complexity;
        ask->complexity.reasons[0] = "triage";
        ask->complexity.nreasons = 1;
        ask->intent = v.intent;
        ask->urgent = ask->urgent || v.urgent;
        if (v.private && ask->privacy == PRIVATE_NO)
            ask->privacy = PRIVATE_FOUND;
    }
    exchange_go(x);
}

bool exchange_triage(struct exchange *x)
{
    const struct config *c = world_config(x->world);
    struct str role;
    struct talk talk;
    const struct conf_model *m = is_wanted(x, c) ? conf_meant(c, c->triage_model, &role) : NULL;
    if (!m)
        return false;
    const struct backend *b = world_backend(x->world, (size_t)(m - c->models));
    if (!is_awake(b) || !may_see(x, b))
        return false;
    talk_read(&x->doc, x->ask.task, &talk);
    x->inner.body.n = 0;
    triage_body(c, &talk, b->kind->rebuilt, &x->inner.body);
    inner_start(&x->inner, (size_t)(m - c->models), true, c->triage_deadline_ms, on_judged);
    return true;
}
