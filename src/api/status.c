/* What the gateway says of itself: alive, ready, metrics. */
#include "api/api_int.h"
#include "conf/conf.h"
#include "store/store.h"

void api_livez(struct api *a, struct http_req *r)
{
    (void)a;
    reply_json(r, 200, STR(""), STR("{\"status\":\"ok\"}"));
}

static void put_store(struct json_out *o, struct api *a)
{
    struct store_health h = { .failing = false };
    if (a->store)
        store_health(a->store, &h);
    if (!h.failing && !h.held)
        return;
    json_key(o, STR("store"));
    json_begin_object(o);
    json_key(o, STR("failing"));
    json_bool(o, h.failing);
    json_key(o, STR("held_rows"));
    json_int(o, (int64_t)h.held);
    if (h.failing) {
        json_key(o, STR("reason"));
        json_string(o, str_of(h.why));
    }
    json_end_object(o);
}

static bool ready(struct api *a, struct buf *why)
{
    struct err e;
    if (a->draining) {
        buf_lit(why, "shutting down");
    } else if (api_refuses_for_store(a, &e)) {
        buf_add(why, str_of(e.text));
    } else {
        return fleet_ready(a->fleet, why);
    }
    return false;
}

/* ---- tiers ---- */

/* Would this place be asked now? As a breaker has it, whatever it is that keeps requests away; *why says what. A host that sleeps can be woken. */
static enum breaker_state place_is(const struct world *w, size_t model, struct err *why)
{
    const struct backend *b = world_backend(w, model);
    struct fleet_figures f;
    fleet_figures(w, model, &f);
    if (b->kind->managed && (f.state == SCHED_FAILED || f.state == SCHED_WEDGED)) {
        *why = b->last_error;
        return BREAKER_OPEN;
    }
    enum err_code shut = health_would_admit(b);
    if (shut && shut != ERR_WAKING)
        health_explain(b, shut, why);
    if (health_breaker(b) == BREAKER_HALF_OPEN)
        return BREAKER_HALF_OPEN;
    return shut && shut != ERR_WAKING ? BREAKER_OPEN : BREAKER_CLOSED;
}

static enum breaker_state better(enum breaker_state a, enum breaker_state b)
{
    return a == BREAKER_CLOSED || b == BREAKER_CLOSED ? BREAKER_CLOSED : a == BREAKER_HALF_OPEN ? a : b;
}

/* Its model, or one that is the same elsewhere: it is open when all of them are. */
static enum breaker_state tier_is(const struct world *w, const struct conf_tier *t, struct err *why)
{
    const struct config *c = world_config(w);
    const struct conf_model *m = conf_model(c, t->model);
    struct err other;
    if (!m)
        return BREAKER_OPEN;
    enum breaker_state is = place_is(w, (size_t)(m - c->models), why);
    for (size_t i = 0; i < m->replicas.n; i++) {
        const struct conf_model *same = conf_model(c, m->replicas.at[i]);
        if (same)
            is = better(is, place_is(w, (size_t)(same - c->models), &other));
    }
    return is;
}

static void put_tiers(struct json_out *o, const struct world *w)
{
    const struct config *c = world_config(w);
    json_key(o, STR("tiers"));
    json_begin_array(o);
    for (size_t i = 0; i < c->ntiers; i++) {
        struct err why = { .code = ERR_OK };
        enum breaker_state is = tier_is(w, &c->tiers[i], &why);
        json_begin_object(o);
        json_key(o, STR("name"));
        json_string(o, c->tiers[i].name);
        json_key(o, STR("breaker"));
        json_string(o, str_of(breaker_state_name[is]));
        if (is != BREAKER_CLOSED && why.code) {
            json_key(o, STR("reason"));
            json_string(o, str_of(why.text));
        }
        json_end_object(o);
    }
    json_end_array(o);
}

void api_readyz(struct api *a, struct http_req *r)
{
    struct buf why = { 0 }, body = { 0 };
    bool ok = ready(a, &why);
    struct json_out o = json_out(&body);
    json_begin_object(&o);
    json_key(&o, STR("status"));
    json_string(&o, ok ? STR("ok") : STR("not ready"));
    if (!ok && api_knows(a, r)) {
        json_key(&o, STR("reason"));
        json_string(&o, buf_str(&why));
    }
    if (world_config(fleet_world(a->fleet))->ntiers && api_knows(a, r))
        put_tiers(&o, fleet_world(a->fleet));
    if (api_knows(a, r))
        put_store(&o, a);
    json_end_object(&o);
    reply_json(r, ok ? 200 : 503, STR(""), buf_str(&body));
    buf_free(&why);
    buf_free(&body);
}

/* For tools that watch a llama-server: its words. */
void api_health(struct api *a, struct http_req *r)
{
    struct buf why = { 0 };
    if (ready(a, &why))
        reply_json(r, 200, STR(""), STR("{\"status\":\"ok\"}"));
    else
        reply_json(r, 503, STR(""), STR("{\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\",\"code\":503}}"));
    buf_free(&why);
}

void api_metrics(struct api *a, struct http_req *r)
{
    struct buf text = { 0 };
    meter_write_prometheus(a->meter, &text);
    struct str body = buf_str(&text);
    http_reply(r, 200, STR("text/plain; version=0.0.4"), STR(""), &body, 1);
    buf_free(&text);
}
