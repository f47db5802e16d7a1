/* What the gateway says of itself: alive, ready, metrics. */
#include "api/api_int.h"

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
    if (!ok && api_knows(a, r)) {
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
