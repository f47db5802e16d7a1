/* An ask and its copy: what is kept of the real one, how the copy is dressed, and what the two answers were like. Of an answer two numbers are kept until both are there,
 * so that it can be said whether they say the same; never its text. */
#include "api/shadow_int.h"

#include "api/ask.h"
#include "api/caller.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "policy/redact.h"
#include "policy/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shadow_ask *shadow_ask_new(uint64_t course)
{
    struct shadow_ask *k = calloc(1, sizeof *k);
    if (!k)
        die("out of memory for a copy of an ask");
    list_init(&k->node);
    k->course = course;
    return k;
}

void shadow_ask_free(struct shadow_ask *k)
{
    if (!k)
        return;
    list_remove(&k->node);
    wipe(k->body.p, k->body.n);
    buf_free(&k->body);
    buf_free(&k->caller);
    buf_free(&k->rule);
    free(k);
}

/* ---- what is said, as a number ---- */

enum { KIND_NULL = 1, KIND_FALSE, KIND_TRUE, KIND_NUMBER, KIND_TEXT, KIND_LIST, KIND_OBJECT };

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ (b + 0x9E3779B97F4A7C15u + (a << 6) + (a >> 2))) * 0xBF58476D1CE4E5B9u;
    return x ^ (x >> 29);
}

static uint64_t number_digest(double v)
{
    uint64_t bits;
    v = v == 0 ? 0 : v; /* -0 is 0 */
    memcpy(&bits, &v, sizeof bits);
    return mix(KIND_NUMBER, bits);
}

/* The same for the same value, however it is written: spaces, the order of members, 1 and 1.0. As deep as the parser lets it be. */
static uint64_t value_digest(yyjson_val *v)
{
    size_t i, n;
    yyjson_val *key, *item;
    uint64_t sum = 0;
    if (yyjson_is_str(v))
        return mix(KIND_TEXT, str_hash(json_str(v)));
    if (yyjson_is_num(v))
        return number_digest(yyjson_get_num(v));
    if (yyjson_is_bool(v))
        return mix(yyjson_is_true(v) ? KIND_TRUE : KIND_FALSE, 0);
    if (yyjson_is_null(v))
        return mix(KIND_NULL, 0);
    yyjson_obj_foreach(v, i, n, key, item) sum += mix(str_hash(json_str(key)), value_digest(item));
    yyjson_arr_foreach(v, i, n, item) sum = mix(sum, value_digest(item));
    return mix(yyjson_is_obj(v) ? KIND_OBJECT : KIND_LIST, sum) | 1; /* never 0 */
}

static uint64_t json_digest(struct str text)
{
    struct json_doc d = { 0 };
    struct err e;
    text = str_trim(text);
    struct str inside = schema_unfence(text);
    text = inside.p ? str_trim(inside) : text;
    if (!text.n || (text.p[0] != '{' && text.p[0] != '[') || json_parse(&d, text, &e))
        return 0;
    uint64_t sum = value_digest(d.root);
    json_free(&d);
    return sum;
}

struct digest shadow_digest(const struct said_all *said)
{
    struct digest d = { true, str_hash(str_trim(said->content)), json_digest(said->content) };
    d.text = mix(d.text, str_hash(said->refusal));
    for (size_t i = 0; i < said->ncalls; i++) {
        uint64_t arguments = json_digest(said->calls[i].arguments);
        d.text = mix(d.text, mix(str_hash(said->calls[i].name), arguments ? arguments : str_hash(said->calls[i].arguments)));
    }
    if (said->ncalls)
        d.json = 0;
    return d;
}

enum shadow_alike shadow_ask_alike(const struct shadow_ask *k)
{
    const struct digest *a = &k->said_old, *b = &k->said_new;
    if (!a->known || !b->known)
        return ALIKE_UNKNOWN;
    if (a->text == b->text)
        return ALIKE_AS_TEXT;
    return a->json && a->json == b->json ? ALIKE_AS_JSON : ALIKE_NOT;
}

/* ---- what an answer was like ---- */

static int64_t bytes_of(const struct said_all *said)
{
    size_t n = said->content.n + said->refusal.n;
    for (size_t i = 0; i < said->ncalls; i++)
        n += said->calls[i].name.n + said->calls[i].arguments.n;
    return (int64_t)n;
}

static int fit_of(const struct attempt *t)
{
    if (t->tools_outcome == TOOLS_UNMET)
        return 0;
    return t->x->promise || t->tools_outcome != TOOLS_NOTHING ? 1 : -1;
}

static int thought_of(const struct attempt *t)
{
    const struct answer_facts *f = attempt_facts(t);
    if (!t->think.plan.decided || t->think.plan.on)
        return -1;
    return f->thought || f->tokens.reasoning > 0;
}

void shadow_ask_hear(struct shadow_ask *k, struct attempt *t)
{
    struct said_all said = { .finish = "" };
    const struct tokens used = attempt_used(t);
    bool copy = t->x->is_copy, known = attempt_said(t, &said);
    *(copy ? &k->new : &k->old) = (struct shadow_side){
        .code = str_of(err_row(ERR_OK)->code),
        .fits = fit_of(t),
        .thought = thought_of(t),
        .empty = known ? !str_trim(said.content).n && !said.ncalls && !said.refusal.n : -1,
        .cut = answer_ran_out(attempt_facts(t)),
        .ttft_ms = t->way == WAY_WHOLE || !t->first_ns ? -1 : clock_ms_between(t->sent_ns, t->first_ns),
        .total_ms = clock_ms_between(t->sent_ns, clock_mono_ns()),
        .input = used.input,
        .output = used.output,
        .bytes = known ? bytes_of(&said) : -1,
    };
    *(copy ? &k->said_new : &k->said_old) = known ? shadow_digest(&said) : (struct digest){ .known = false };
    *(copy ? &k->heard_new : &k->heard_old) = true;
}

/* A window that is too small is a difference between two models, though nobody is to blame for it. Who was not asked has shown nothing. */
static bool tells(const struct err *e)
{
    enum fault f = err_fault(e);
    return e->code == ERR_CONTEXT || ((f == FAULT_BACKEND || f == FAULT_MODEL) && e->code != ERR_BREAKER_OPEN && e->code != ERR_WAKING);
}

bool shadow_side_fail(struct shadow_side *s, const struct err *e)
{
    bool unmet = e->code == ERR_SCHEMA_UNMET || e->code == ERR_TOOL_UNMET;
    *s = (struct shadow_side){ .code = str_of(err_row(e->code)->code), .fits = unmet ? 0 : -1, .thought = -1, .empty = e->code == ERR_ONLY_THOUGHTS ? 1 : -1, .cut = -1,
        .ttft_ms = -1, .total_ms = -1, .input = -1, .output = -1, .bytes = -1 };
    return tells(e);
}

/* ---- of the real one ---- */

/* It was asked first, and did not do it: somebody else has, or nobody. */
static bool has_failed(struct shadow_ask *k, const struct exchange *x, struct str from)
{
    const struct tried *first = &x->tried[0];
    struct err e = { .code = ERR_OK };
    if (!x->ntried || !str_eq(first->model, from) || x->books.why.code == ERR_CALLER_GONE)
        return false;
    if (x->books.why.code == first->code)
        e = x->books.why;
    e.code = first->code;
    return shadow_side_fail(&k->old, &e);
}

bool shadow_ask_take(struct shadow_ask *k, struct exchange *x, struct str from, bool *large)
{
    const struct attempt *t = x->lead;
    bool answered = !x->books.why.code && !t->at && k->heard_old;
    *large = false;
    if (!x->req || !x->doc.text.n || (!answered && !has_failed(k, x, from)))
        return false;
    *large = x->doc.text.n > SHADOW_MAX_BODY;
    if (*large)
        return false;
    buf_add(&k->body, x->doc.text);
    buf_add(&k->caller, x->ask.caller);
    buf_add(&k->rule, x->decision.rule);
    snprintf(k->id, sizeof k->id, "%s", x->id);
    k->class = x->class;
    k->privacy = x->decision.privacy;
    k->local_only = x->decision.local_only;
    k->disguised = x->decision.by_rule && x->decision.by_rule->redact == TRI_YES;
    k->by_itself = x->ask.known_background;
    return true;
}

/* ---- the copy ---- */

static const struct conf_role *role_of(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->nroles; i++)
        if (str_eq(c->roles[i].name, name))
            return &c->roles[i];
    return NULL;
}

static const struct conf_route *rule_of(const struct config *c, struct str name)
{
    for (size_t i = 0; name.n && i < c->nroutes; i++)
        if (str_eq(c->routes[i].name, name))
            return &c->routes[i];
    return NULL;
}

/* As if the candidate itself had been asked for: what it cannot take, personal data, and what rules say of both. */
static enum err_code decide(struct exchange *x, struct str to, size_t *model, struct err *e)
{
    const struct config *c = world_config(x->world);
    const struct conf_model *m = conf_model(c, to);
    struct decision *d = &x->decision;
    struct ask ask = x->ask;
    struct snapshot now;
    if (!m)
        return err_set(e, ERR_MODEL_NOT_FOUND, "'%.*s' is in the configuration no more.", STR_ARG(to));
    *model = (size_t)(m - c->models);
    ask.name = m->name;
    ask.known_background = false;
    ask.caller = STR(""); /* what its key may ask for is no matter: nobody sees the answer */
    places_look(&x->api->places, x->world, &now);
    enum err_code rc = ask_decide(c, &now, &x->doc, &ask, d, NULL, e);
    if (rc)
        return rc;
    for (size_t i = 0; i < d->n; i++)
        if (d->chain[i].model == *model) {
            d->chain[0] = d->chain[i];
            d->n = 1;
            return ERR_OK;
        }
    return err_set(e, ERR_NO_BACKEND, "A rule has others answer what is asked of '%.*s'.", STR_ARG(to));
}

/* A model that does not find an end would go on to that of its window, for nobody. What is longer than this is cut, and shows as that. */
int64_t shadow_budget(const struct exchange *x)
{
    int64_t most = x->shadow ? SHADOW_TIMES_OUTPUT * x->shadow->old.output : 0;
    if (!x->shadow || x->ask.max_tokens)
        return 0;
    return most > SHADOW_LEAST_OUTPUT ? most : SHADOW_LEAST_OUTPUT;
}

enum err_code shadow_ask_dress(struct shadow_ask *k, struct exchange *x, struct str role, struct str to, struct err *e)
{
    const struct config *c = world_config(x->world);
    struct decision *d = &x->decision;
    size_t model = 0;
    enum err_code rc = ask_read(buf_str(&k->body), TASK_CHAT, &x->doc, &x->ask, e);
    x->ask.privacy = k->privacy;
    if (!rc)
        rc = decide(x, to, &model, e);
    if (rc)
        return rc;
    d->local_only |= k->local_only;
    if (k->disguised && d->privacy == PRIVATE_NO && redact_findings(&x->doc)) /* by a header, the caller or the hour: the copy's decision knew none of these */
        d->privacy = PRIVATE_FOUND;
    if ((d->privacy != PRIVATE_NO || d->local_only) && !backend_is_local(world_backend(x->world, model)))
        return err_set(e, ERR_PRIVATE_NO_PLACE, "It is private, and '%.*s' is not local.", STR_ARG(to));
    x->ask.caller = buf_str(&k->caller);
    x->ask.known_background = k->by_itself;
    x->class = k->class;
    d->by_role = role_of(c, role); /* of a tier there is none */
    d->role = d->by_role ? d->by_role->name : (struct str){ NULL, 0 };
    d->by_rule = rule_of(c, buf_str(&k->rule));
    d->total_ms = d->by_role ? d->by_role->total_ms : d->total_ms;
    d->background = false;
    d->verify = SIZE_MAX;
    d->nwake = 0;
    rc = exchange_take_decision(x, e);
    d->background = true; /* it waits for nobody who sleeps */
    x->class = CALLER_BACKGROUND;
    return rc;
}
