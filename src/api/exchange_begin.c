/* From a request to a decision: who asks, what, how hard it is, and who shall answer. */
#include "api/ask.h"
#include "api/caller.h"
#include "api/exchange_int.h"
#include "api/talk.h"

/* How hard is it? Where somebody wants to know. */
static void weigh(struct exchange *x)
{
    struct talk talk;
    if (!route_wants_words(world_config(x->world), &x->ask))
        return;
    if (!x->api->classifier)
        x->api->classifier = classifier_new();
    talk_read(&x->doc, x->ask.task, &talk);
    classify(x->api->classifier, &talk, &x->ask.complexity);
}

enum err_code exchange_begin(struct exchange *x, struct err *e)
{
    struct http_req *r = x->req;
    enum err_code rc = x->api->draining ? err_set(e, ERR_SHUTTING_DOWN, "The gateway is shutting down.") : ERR_OK;
    if (!rc)
        rc = caller_class(http_req_headers(r), &x->class, e);
    if (!rc)
        rc = ask_read(http_req_body(r), x->ask.task, &x->doc, &x->ask, e);
    if (!rc)
        weigh(x);
    if (!rc) {
        struct snapshot places;
        api_snapshot(x->api, x->world, &places);
        rc = route_decide(world_config(x->world), &x->ask, &places, &x->decision, e);
    }
    if (!rc && x->decision.background) /* of a role: the operator has the last word */
        x->class = CALLER_BACKGROUND;
    return rc;
}
