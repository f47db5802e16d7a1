/* What the gateway says of itself: alive, ready, models, metrics. */
#include "api/api_int.h"
#include "base/clock.h"

#include <stdio.h>

void api_livez(struct api *a, struct http_req *r)
{
    (void)a;
    reply_json(r, 200, STR(""), STR("{\"status\":\"ok\"}"));
}

static bool ready(struct api *a, struct buf *why)
{
    if (a->draining)
        buf_lit(why, "shutting down");
    return !a->draining && fleet_ready(a->fleet, why);
}

void api_readyz(struct api *a, struct http_req *r)
{
    struct buf why = { 0 }, body = { 0 };
    bool ok = ready(a, &why);
    struct json_out o = json_out(&body);
    json_begin_object(&o);
    json_key(&o, STR("status"));
    json_string(&o, ok ? STR("ok") : STR("not ready"));
    if (!ok) {
        json_key(&o, STR("reason"));
        json_string(&o, buf_str(&why));
    }
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

static void put_entry(struct json_out *o, struct str id, struct str kind, struct str stands_for)
{
    json_begin_object(o);
    json_key(o, STR("id"));
    json_string(o, id);
    json_key(o, STR("object"));
    json_string(o, STR("model"));
    json_key(o, STR("created"));
    json_int(o, 0);
    json_key(o, STR("owned_by"));
    json_string(o, STR("hob"));
    json_key(o, STR("kind"));
    json_string(o, kind);
    if (stands_for.n) {
        json_key(o, STR("model"));
        json_string(o, stands_for);
    }
}

static void put_model(struct json_out *o, const struct backend *b, struct str id, struct str kind, struct str stands_for)
{
    put_entry(o, id, kind, stands_for);
    json_key(o, STR("host"));
    json_string(o, b->host);
    json_key(o, STR("state"));
    json_string(o, str_of(backend_state_name[b->state]));
    json_key(o, STR("context"));
    int64_t context = b->context ? b->context : b->model->context;
    if (context)
        json_int(o, context);
    else
        json_null(o);
    json_end_object(o);
}

void api_models(struct api *a, struct http_req *r)
{
    const struct config *c = a->config;
    struct buf body = { 0 };
    struct json_out o = json_out(&body);
    json_begin_object(&o);
    json_key(&o, STR("object"));
    json_string(&o, STR("list"));
    json_key(&o, STR("data"));
    json_begin_array(&o);
    for (size_t i = 0; i < c->nmodels; i++) {
        const struct backend *b = fleet_backend(a->fleet, i);
        put_model(&o, b, b->model->name, STR("model"), STR(""));
        for (size_t k = 0; k < b->model->aliases.n; k++)
            put_model(&o, b, b->model->aliases.at[k], STR("alias"), b->model->name);
    }
    for (size_t i = 0; i < c->nroles; i++) {
        put_entry(&o, c->roles[i].name, STR("role"), c->roles[i].model);
        json_end_object(&o);
    }
    for (size_t i = 0; i < c->ntiers; i++) {
        put_entry(&o, c->tiers[i].name, STR("tier"), c->tiers[i].model);
        json_end_object(&o);
    }
    json_end_array(&o);
    json_end_object(&o);
    reply_json(r, 200, STR(""), buf_str(&body));
    buf_free(&body);
}
