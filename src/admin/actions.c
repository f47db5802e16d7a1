/* Load and unload: a wish at the fleet, and the request that waits for it. A caller that leaves takes its wish back, not what it has begun. */
#include "admin/admin_int.h"

#include "api/reply.h"
#include "json/json.h"
#include "conf/conf.h"
#include "route/decide.h"

#include <stdlib.h>

struct action {
    struct wish wish;
    struct admin *admin;
    struct world *world;        /* held */
    struct http_req *r;
    size_t model;
    int64_t since_ms;
};

static void done(void *ctx, const struct err *e)
{
    struct action *act = ctx;
    struct admin *a = act->admin;
    struct buf body = { 0 };
    if (e) {
        admin_refuse(act->r, e);
    } else {
        view_done(act->world, act->model, loop_now_ms(a->loop) - act->since_ms, &body);
        reply_json(act->r, 200, STR(""), buf_str(&body));
        buf_free(&body);
    }
    world_release(act->world);
    free(act);
}

static void gone(void *ctx)
{
    struct action *act = ctx;
    wish_drop(&act->wish);
    world_release(act->world);
    free(act);
}

/* Another gateway is asked anew: what was begun for it goes on there. */
static bool pass(void *ctx)
{
    gone(ctx);
    return true;
}

static const struct http_req_ops ops = { .on_gone = gone, .on_pass = pass };


struct wanted {
    size_t model;
    bool pin;
};

/* {"model": NAME, "pin": true}: a model or an alias; a role or tier means its first model. */
static enum err_code read_wanted(const struct config *c, struct str body, struct wanted *out, struct err *e)
{
    struct json_doc d = { 0 };
    enum err_code rc = json_parse(&d, body, e);
    if (rc)
        return rc;
    struct str name = json_str(yyjson_obj_get(d.root, "model"));
    yyjson_val *pin = yyjson_obj_get(d.root, "pin");
    if (!name.n) {
        err_set(e, ERR_INVALID_REQUEST, "The body must be {\"model\": NAME}.");
        rc = err_param(e, "model");
    } else if (pin && !yyjson_is_bool(pin)) {
        err_set(e, ERR_INVALID_REQUEST, "`pin` is true or false.");
        rc = err_param(e, "pin");
    } else {
        struct str role;
        const struct conf_model *m = conf_meant(c, name, &role);
        rc = m ? ERR_OK : route_unknown_name(c, name, e);
        if (m)
            *out = (struct wanted){ (size_t)(m - c->models), yyjson_get_bool(pin) };
        else if (c->nmodels)
            err_hint(e, "`hob models` lists what there is.");
    }
    json_free(&d);
    return rc;
}

static struct action *action_for(struct admin *a, struct http_req *r, struct wanted *wanted)
{
    struct world *w = fleet_world(a->fleet);
    struct err e;
    if (read_wanted(world_config(w), http_req_body(r), wanted, &e)) {
        admin_refuse(r, &e);
        return NULL;
    }
    struct action *act = calloc(1, sizeof *act);
    if (!act)
        die("out of memory for an action");
    act->admin = a;
    act->world = world_hold(w);
    act->r = r;
    act->model = wanted->model;
    act->since_ms = loop_now_ms(a->loop);
    wish_init(&act->wish, done, act);
    http_req_watch(r, &ops, act);
    return act;
}

void admin_load(struct admin *a, struct http_req *r)
{
    struct wanted wanted;
    struct action *act = action_for(a, r, &wanted);
    if (act)
        fleet_load(act->world, act->model, wanted.pin, &act->wish);
}

void admin_unload(struct admin *a, struct http_req *r)
{
    struct wanted wanted;
    struct action *act = action_for(a, r, &wanted);
    if (act)
        fleet_unload(act->world, act->model, &act->wish);
}
