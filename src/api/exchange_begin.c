/* From a request to a decision: who asks, what, how hard it is, and who shall answer. */
#include "api/ask.h"
#include "api/caller.h"
#include "api/exchange_int.h"

enum err_code exchange_begin(struct exchange *x, bool *aside, struct err *e)
{
    struct http_req *r = x->req;
    enum err_code rc = x->api->draining ? err_set(e, ERR_SHUTTING_DOWN, "The gateway is shutting down.") : ERR_OK;
    const struct conf_key *who = NULL;
    if (!rc)
        rc = api_who(x->api, r, &who, e);
    if (!rc)
        rc = caller_class(http_req_headers(r), who ? who->class : CONF_CLASS_UNSAID, &x->class, e);
    if (!rc)
        rc = exchange_has_room(x, e);
    *aside = !rc && exchange_reads_aside(x, who);
    if (*aside)
        return ERR_OK;
    if (!rc)
        rc = ask_read(http_req_body(r), x->ask.task, &x->doc, &x->ask, e);
    return exchange_was_read(x, who, rc);
}

enum err_code exchange_was_read(struct exchange *x, const struct conf_key *who, enum err_code rc)
{
    if (!rc)
        exchange_was_parsed(x);
    if (who) { /* the row of what cannot be read names who sent it, too */
        x->ask.caller = who->name;
        x->ask.allowed = &who->roles;
    }
    if (rc)
        return rc;
    ask_read_head(http_req_headers(x->req), x->class, &x->ask);
    ask_weigh(world_config(x->world), &x->api->classifier, &x->doc, &x->ask, false);
    return ERR_OK;
}

static const struct conf_key *key_of(const struct config *c, struct str name)
{
    for (size_t i = 0; name.n && i < c->nkeys; i++)
        if (str_eq(c->keys[i].name, name))
            return &c->keys[i];
    return NULL;
}

static void resolve_policy(struct exchange *x)
{
    const struct config *c = world_config(x->world);
    const struct decision *d = &x->decision;
    const struct conf_key *key = key_of(c, x->ask.caller);
    struct policy_layers l = { .global = &c->policy };
    l.rule = d->by_rule ? &d->by_rule->policy : NULL;
    l.role = d->by_role ? &d->by_role->policy : NULL;
    l.key = key ? &key->policy : NULL;
    policy_resolve(&l, &x->policy);
}

/* What is checked before it leaves cannot be streamed from its place. */
static void keep_whole(struct exchange *x)
{
    if ((x->decision.verify == SIZE_MAX && exchange_schema_streams(x)) || x->ask.task != TASK_CHAT || !x->ask.stream)
        return;
    x->whole_stream = true;
    x->ask.stream = false;
}

enum err_code exchange_take_decision(struct exchange *x, struct err *e)
{
    resolve_policy(x);
    exchange_take_role(x);
    enum err_code rc = exchange_promise_schema(x, e);
    keep_whole(x);
    if (x->decision.background) /* of a role or a rule: the operator has the last word */
        x->class = CALLER_BACKGROUND;
    exchange_decide_thinking(x);
    exchange_decide_capture(x);
    if (x->api->shadows && x->req && !rc)
        shadow_meet(x);
    return rc;
}

enum err_code exchange_decide(struct exchange *x, struct err *e)
{
    struct snapshot now;
    places_look(&x->api->places, x->world, &now);
    enum err_code rc = ask_decide(world_config(x->world), &now, &x->doc, &x->ask, &x->decision, NULL, e);
    if (!rc)
        rc = exchange_take_decision(x, e);
    return rc;
}
