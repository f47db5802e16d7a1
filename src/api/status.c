/* What the gateway says of itself: alive, ready, models, metrics. */
#include "api/api_int.h"
#include "route/decide.h"

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

/* All names there are, or one of them. */
struct listing {
    struct json_out *o;
    struct str only;         /* p NULL: all */
    bool found;
};

static bool wanted(struct listing *l, struct str name)
{
    bool yes = !l->found && (!l->only.p || str_eq(l->only, name));
    if (yes && l->only.p)
        l->found = true;
    return yes;
}

static void list_models(struct api *a, struct listing *l)
{
    const struct world *w = fleet_world(a->fleet);
    const struct config *c = world_config(w);
    for (size_t i = 0; i < c->nmodels; i++) {
        const struct backend *b = world_backend(w, i);
        if (wanted(l, b->name))
            put_model(l->o, b, b->name, STR("model"), STR(""));
        for (size_t k = 0; k < b->model->aliases.n; k++)
            if (wanted(l, b->model->aliases.at[k]))
                put_model(l->o, b, b->model->aliases.at[k], STR("alias"), b->name);
    }
    for (size_t i = 0; i < c->nroles; i++)
        if (wanted(l, c->roles[i].name)) {
            put_entry(l->o, c->roles[i].name, STR("role"), c->roles[i].model);
            json_end_object(l->o);
        }
    for (size_t i = 0; i < c->ntiers; i++)
        if (wanted(l, c->tiers[i].name)) {
            put_entry(l->o, c->tiers[i].name, STR("tier"), c->tiers[i].model);
            json_end_object(l->o);
        }
    for (size_t i = 0; i < c->naliases; i++)
        if (wanted(l, c->aliases[i].name)) {
            put_entry(l->o, c->aliases[i].name, STR("alias"), c->aliases[i].to);
            json_end_object(l->o);
        }
    if (route_has_auto(c) && wanted(l, STR("auto"))) {
        put_entry(l->o, STR("auto"), STR("auto"), STR(""));
        json_end_object(l->o);
    }
}

void api_models(struct api *a, struct http_req *r)
{
    struct buf body = { 0 };
    struct json_out o = json_out(&body);
    struct listing l = { .o = &o };
    json_begin_object(&o);
    json_key(&o, STR("object"));
    json_string(&o, STR("list"));
    json_key(&o, STR("data"));
    json_begin_array(&o);
    list_models(a, &l);
    json_end_array(&o);
    json_end_object(&o);
    reply_json(r, 200, STR(""), buf_str(&body));
    buf_free(&body);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX to bytes; what is no escape stays. */
static void percent_decode(struct buf *to, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        int high = text.p[i] == '%' && i + 2 < text.n ? hex_value(text.p[i + 1]) : -1;
        int low = high >= 0 ? hex_value(text.p[i + 2]) : -1;
        buf_add_char(to, low >= 0 ? (char)(high * 16 + low) : text.p[i]);
        i += low >= 0 ? 2 : 0;
    }
}

void api_model(struct api *a, struct http_req *r)
{
    struct buf body = { 0 }, name = { 0 };
    struct json_out o = json_out(&body);
    struct err e;
    percent_decode(&name, str_from(http_req_path(r), sizeof "/v1/models/" - 1));
    struct listing l = { .o = &o, .only = buf_str(&name) };
    list_models(a, &l);
    if (l.found) {
        reply_json(r, 200, STR(""), buf_str(&body));
    } else {
        char id[REQUEST_ID_BYTES];
        reply_make_id(id);
        route_unknown_name(api_config(a), buf_str(&name), &e);
        reply_error(r, &e, str_of(id), STR(""), NULL, 0);
    }
    buf_free(&body);
    buf_free(&name);
}
