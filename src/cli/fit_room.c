/* What a model may have: what the configuration grants, or what is left of this machine's memory when everything is taken off that is not ours. What the
 * running daemon's models hold is ours: they can go. */
#include "cli/fit.h"

#include "cli/ask.h"
#include "json/json.h"

enum { CONNECT_MS = 300, ANSWER_MS = 10 * 1000 };

static int64_t sum_measured(struct str ps)
{
    struct json_doc d = { 0 };
    size_t i, n;
    yyjson_val *b;
    int64_t sum = 0;
    if (json_parse(&d, ps, NULL))
        return 0;
    yyjson_arr_foreach(yyjson_obj_get(d.root, "backends"), i, n, b) {
        yyjson_val *bytes = yyjson_obj_get(yyjson_obj_get(b, "memory"), "measured_bytes");
        if (yyjson_is_int(bytes) && yyjson_get_sint(bytes) > 0 && yyjson_get_sint(bytes) < INT64_MAX - sum)
            sum += yyjson_get_sint(bytes);
    }
    json_free(&d);
    return sum;
}

/* Without a word when nobody is there, or when who is there is on another machine. */
static int64_t held_by_daemon(const struct cli_args *a, const struct config *c)
{
    static const struct question q = { .method = "GET", .path = "/hob/v1/ps", .connect_ms = CONNECT_MS, .answer_ms = ANSWER_MS };
    struct door door;
    struct answer got = { 0 };
    struct err e;
    int64_t sum = 0;
    if (door_find(a, c, &door, &e) || door.remote || door_ask(&door, &q, &got, &e))
        return 0;
    if (got.status == 200)
        sum = sum_measured(buf_str(&got.body));
    buf_free(&got.body);
    return sum;
}

void fit_find_room(const struct cli_args *a, const struct config *c, int64_t given, struct fit_report *r)
{
    r->room = given;
    if (given)
        return;
    machine_look("", &r->machine);
    r->total = r->machine.models_total;
    r->held = held_by_daemon(a, c);
    r->used = r->total - r->machine.models_free - r->held;
    r->used = r->used > 0 ? r->used : 0;
    r->reserve = c->reserve_bytes;
    r->room = r->total - r->used - r->reserve;
    if (c->budget_bytes)
        r->room = c->budget_bytes;
    if (r->room < 0)
        r->room = 0;
}
