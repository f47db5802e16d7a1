/* Too much at once: what is asked before a request for a model is read, and of work that grows. Memory has its own ledger (loop/overload.h), connections are
 * the server's; here are the requests in progress, and what is told to who is refused.
 *
 * A refusal here costs as little as it can: nothing of the body is read or parsed, and it gets no row, since four times what can be served shall not cost
 * what is served. It is counted. */
#include "api/exchange_int.h"

enum {
    LOOK_BYTES = 64 * 1024, /* what something smaller may become does not matter */
    WHOLE_COST = 2,         /* an answer that is whole is copied for being read, and written for the caller; till its row is written all three are there */
};

_Static_assert((int)JSON_TREE_COST == (int)HTTP_MADE_COST, "what the server leaves room for is a tree");

static enum err_code refuse(struct err *e)
{
    e->retry_after_s = 1;
    return e->code;
}

enum err_code api_has_room(struct api *a, const struct http_req *r, struct err *e)
{
    if (http_req_is_over(r)) {
        err_set(e, ERR_OVERLOADED, "The gateway has as many connections as it may have, and each is being served.");
        err_hint(e, "Try again, or raise `limits: {connections: …}` and the system's limit of open files.");
        return refuse(e);
    }
    if (a->most_running && a->running - a->nshadows >= a->most_running) {
        err_set(e, ERR_OVERLOADED, "The gateway has %zu requests to answer, which is as many as it takes.", a->running - a->nshadows);
        err_hint(e, "Try again, or raise `limits: {requests: …}`.");
        return refuse(e);
    }
    if (a->overload && !overload_admits(a->overload, 0)) {
        err_set(e, ERR_OVERLOADED, "The gateway has hardly any memory left, and takes no new request for a moment.");
        err_hint(e, "Try again, or raise `limits: {memory: …}`.");
        return refuse(e);
    }
    return ERR_OK;
}

enum overload_cause api_why_overloaded(const struct api *a, const struct http_req *r)
{
    if (http_req_is_over(r))
        return OVERLOADED_CONNECTIONS;
    return a->most_running && a->running - a->nshadows >= a->most_running ? OVERLOADED_REQUESTS : OVERLOADED_MEMORY;
}

/* The tree of a text can be eight times as large as it ("1,1,1,1"). It is made in this turn, so nothing is promised: looking closely at the text, which costs
 * as much as parsing it, is only for when that much is not there. */
enum err_code exchange_has_room(struct exchange *x, struct err *e)
{
    const struct overload *o = x->api->overload;
    struct str body = http_req_body(x->req);
    if (!o || body.n < LOOK_BYTES || overload_bears(o, (int64_t)body.n * JSON_TREE_COST) || overload_bears(o, (int64_t)json_tree_bytes(body)))
        return ERR_OK;
    metrics_overloaded(x->api->metrics, OVERLOADED_MEMORY);
    err_set(e, ERR_OVERLOADED, "The gateway has no memory to spare for reading this request now.");
    err_hint(e, "Try again, or raise `limits: {memory: …}`.");
    return refuse(e);
}

void exchange_was_parsed(struct exchange *x)
{
    size_t bytes = json_doc_bytes(&x->doc);
    if (x->api->overload && bytes >= LOOK_BYTES)
        overload_landed(x->api->overload, (int64_t)bytes);
}

static enum err_code no_room_for_answer(struct attempt *t, struct err *e)
{
    metrics_overloaded(t->x->api->metrics, OVERLOADED_MEMORY);
    err_set(e, ERR_OVERLOADED, "The gateway has no memory left to collect the answer in, of which it has %lld bytes.", (long long)t->gathered);
    err_hint(e, "Ask for a stream, which is passed on as it comes, or raise `limits: {memory: …}`.");
    return refuse(e);
}

enum err_code attempt_gathers(struct attempt *t, size_t bytes, struct err *e)
{
    struct overload *o = t->x->api->overload;
    if (!o || (t->way == WAY_RELAY && !t->holds))
        return ERR_OK;
    t->gathered += (int64_t)bytes;
    overload_landed(o, (int64_t)bytes);
    return overload_bears(o, t->gathered * WHOLE_COST) ? ERR_OK : no_room_for_answer(t, e);
}

enum err_code attempt_gathered(struct attempt *t, struct err *e)
{
    struct overload *o = t->x->api->overload;
    int64_t more = t->gathered * WHOLE_COST;
    if (!o || t->gathered < LOOK_BYTES)
        return ERR_OK;
    if (!overload_bears(o, more))
        return no_room_for_answer(t, e);
    overload_landed(o, more);
    return ERR_OK;
}

void api_use_overload(struct api *a, struct overload *o)
{
    a->overload = o;
}

void api_limit(struct api *a, size_t requests)
{
    a->most_running = requests;
}
