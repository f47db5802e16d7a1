/* From a request to a decision: who asks, what, how hard it is, and who shall answer. */
#include "api/ask.h"
#include "api/caller.h"
#include "api/exchange_int.h"

static const enum conf_class conf_classes[CALLER_CLASSES] = {
    [CALLER_CHAT] = CONF_CLASS_CHAT, [CALLER_PROGRAM] = CONF_CLASS_PROGRAM, [CALLER_BACKGROUND] = CONF_CLASS_BACKGROUND,
};

static enum err_code decide(struct exchange *x, struct err *e)
{
    const struct config *c = world_config(x->world);
    struct snapshot now;
    x->ask.class = conf_classes[x->class];
    ask_weigh(c, &x->api->classifier, &x->doc, &x->ask);
    places_look(&x->api->places, x->world, &now);
    enum err_code rc = ask_decide(c, &now, &x->doc, &x->ask, &x->decision, e);
    if (!rc && x->decision.background) /* of a role or a rule: the operator has the last word */
        x->class = CALLER_BACKGROUND;
    return rc;
}

enum err_code exchange_begin(struct exchange *x, struct err *e)
{
    struct http_req *r = x->req;
    enum err_code rc = x->api->draining ? err_set(e, ERR_SHUTTING_DOWN, "The gateway is shutting down.") : ERR_OK;
    if (!rc)
        rc = caller_class(http_req_headers(r), &x->class, e);
    if (!rc)
        rc = ask_read(http_req_body(r), x->ask.task, &x->doc, &x->ask, e);
    if (rc)
        return rc;
    ask_read_head(http_req_headers(r), &x->ask);
    return decide(x, e);
}
