/* Large bodies are read on the pool: parsing, checking and looking for personal data in 8 MiB take up to seconds where the bytes are chosen for it, and the loop has
 * others to serve. The body is taken from its connection, and what is made of it lies apart from the exchange until it is whole: the caller may leave meanwhile, and
 * the exchange ends as any does, but is not used again before the pool is through with it. */
#include "api/ask.h"
#include "api/exchange_int.h"
#include "policy/redact.h"

enum { ASIDE_FROM_BYTES = 256 * 1024 }; /* below it reading takes less than a few ms whatever is in it, and mostly less than the way to the pool and back */

static bool has_remote(const struct config *c)
{
    for (size_t i = 0; i < c->nhosts; i++)
        if (!c->hosts[i].local)
            return true;
    return false;
}

static bool may_redact(const struct config *c)
{
    bool any = c->redact;
    for (size_t i = 0; i < c->nroutes; i++)
        any |= c->routes[i].redact == TRI_YES;
    return any;
}

static bool may_want_findings(const struct config *c)
{
    bool rules = false;
    for (size_t i = 0; i < c->nroutes; i++)
        rules |= c->routes[i].private != TRI_UNSAID;
    return rules || (has_remote(c) && (c->detect != DETECT_OFF || c->triage_model.n));
}

/* On the pool. The configuration is the exchange's own, and nobody changes one. */
static void read_aside(void *ctx)
{
    struct reading *r = ctx;
    const struct config *c = r->config;
    struct json_edit none = { 0 };
    struct err e;
    r->rc = ask_read(buf_str(&r->body), r->ask.task, &r->doc, &r->ask, &r->e);
    if (r->rc || !may_want_findings(c))
        return;
    r->ask.looked = true;
    r->ask.seen = redact_findings(&r->doc);
    if (r->ask.seen && may_redact(c) && guise_make(r->ask.task, &r->doc, &r->guise, &none, true, &e))
        guise_clear(&r->guise); /* it is tried again when it is wanted, and says why not */
}

/* Of the tree that is made: others shall not count on that room meanwhile. What there is then is counted as what has landed. */
static void promise_room(struct reading *r)
{
    struct overload *o = r->x->api->overload;
    int64_t most = (int64_t)r->body.n * JSON_TREE_COST;
    r->promised = !o ? 0 : overload_bears(o, most) ? most : (int64_t)json_tree_bytes(buf_str(&r->body));
    if (o)
        overload_promise(o, r->promised);
}

static void was_read(void *ctx)
{
    struct reading *r = ctx;
    struct exchange *x = r->x;
    if (x->api->overload)
        overload_forget(x->api->overload, r->promised);
    if (exchange_over(x)) {
        if (x->state == X_DONE && !x->books.under_way)
            exchange_dispose(x);
        return;
    }
    x->doc = r->doc;
    x->guises[1] = r->guise; /* the caller's own words, with placeholders */
    r->doc = (struct json_doc){ .root = NULL };
    r->guise = (struct guise){ .values = NULL };
    struct err e = r->e;
    if (!r->rc)
        x->ask = r->ask;
    if (exchange_was_read(x, r->who, r->rc))
        exchange_fail(x, &e);
    else
        exchange_weigh_and_go(x);
}

bool exchange_reads_aside(struct exchange *x, const struct conf_key *who)
{
    struct reading *r = &x->reading;
    if (http_req_body(x->req).n < ASIDE_FROM_BYTES)
        return false;
    http_req_take_body(x->req, &r->body);
    r->ask = (struct ask){ .task = x->ask.task };
    r->config = world_config(x->world);
    r->who = who;
    if (who) /* the row of who leaves meanwhile */
        x->ask.caller = who->name;
    promise_room(r);
    loop_work(x->api->loop, &r->work);
    return true;
}

void reading_init(struct exchange *x)
{
    x->reading.x = x;
    work_init(&x->reading.work, read_aside, was_read, &x->reading);
}

void reading_clear(struct exchange *x)
{
    struct reading *r = &x->reading;
    json_free(&r->doc);
    guise_clear(&r->guise);
    buf_free(&r->body);
    r->config = NULL;
    r->who = NULL;
}
