/* A request is explained as it would be served now. */
#include "admin/admin_int.h"

#include "api/explain.h"
#include "api/places.h"
#include "api/reply.h"

void admin_explain(struct admin *a, struct http_req *r)
{
    struct world *w = fleet_world(a->fleet);
    struct places places = { .room = 0 };
    struct snapshot now;
    struct buf body = { 0 };
    struct err e;
    places_look(&places, w, &now);
    struct explain_ask x = { .config = world_config(w), .now = &now, .body = http_req_body(r), .head = http_req_headers(r) };
    if (explain_request(&x, &body, &e))
        admin_refuse(r, &e);
    else
        reply_json(r, 200, STR(""), buf_str(&body));
    buf_free(&body);
    places_free(&places);
}
