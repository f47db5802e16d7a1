/* Names to candidates. A name is looked for among models and aliases, then roles, then tiers; a role adds its fallbacks. `auto` is a name that no
 * configuration can give away (conf/check.c). */
#include "route/decide.h"

#include "conf/conf.h"

#include <stdio.h>

static const struct conf_role *find_role(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->nroles; i++)
        if (str_eq(c->roles[i].name, name))
            return &c->roles[i];
    return NULL;
}

static const struct conf_tier *find_tier(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->ntiers; i++)
        if (str_eq(c->tiers[i].name, name))
            return &c->tiers[i];
    return NULL;
}

/* A model, an alias, or a tier's model; the tier's name goes to *tier. */
static const struct conf_model *find_model(const struct config *c, struct str name, struct str *tier)
{
    const struct conf_model *m = conf_model(c, name);
    const struct conf_tier *t = m ? NULL : find_tier(c, name);
    if (!t)
        return m;
    *tier = t->name;
    return conf_model(c, t->model);
}

static void put(struct candidate *to, size_t model, struct str tier, struct str reason)
{
    *to = (struct candidate){ .model = model, .tier = tier };
    snprintf(to->reason, sizeof to->reason, "%.*s", STR_ARG(reason));
}

static void add(const struct config *c, struct decision *d, const struct conf_model *m, struct str tier, struct str reason)
{
    size_t index = (size_t)(m - c->models);
    for (size_t i = 0; i < d->n; i++)
        if (d->chain[i].model == index)
            return;
    if (d->n < ROUTE_MAX_CHAIN)
        put(&d->chain[d->n++], index, tier, reason);
}

static void add_role(const struct config *c, struct decision *d, const struct conf_role *r)
{
    struct str tier = { NULL, 0 };
    const struct conf_model *m = find_model(c, r->model, &tier);
    d->role = r->name;
    d->background = r->background;
    if (m)
        add(c, d, m, tier, STR("the role's model"));
    for (size_t i = 0; i < r->fallback.n; i++) {
        tier = (struct str){ NULL, 0 };
        m = find_model(c, r->fallback.at[i], &tier);
        if (m)
            add(c, d, m, tier, STR("the role's fallback"));
    }
}

/* ---- auto ---- */

static const struct str levels[] = { STR("fast"), STR("primary"), STR("heavy") }; /* tiers by strength */
enum { LEVELS = COUNTOF(levels) };

bool route_is_auto(struct str name)
{
    return str_eq(name, STR("auto"));
}

bool route_has_auto(const struct config *c)
{
    for (size_t i = 0; i < LEVELS; i++)
        if (find_tier(c, levels[i]))
            return true;
    return find_role(c, STR("chat")) != NULL;
}

static size_t level_for(const struct config *c, double score)
{
    return score < c->auto_primary ? 0 : score < c->auto_heavy ? 1 : 2;
}

static void add_level(const struct config *c, struct decision *d, size_t level, struct str reason)
{
    const struct conf_tier *t = find_tier(c, levels[level]);
    if (t)
        add(c, d, conf_model(c, t->model), t->name, reason);
}

static void add_auto(const struct config *c, const struct ask *ask, struct decision *d)
{
    size_t wanted = level_for(c, ask->complexity.score), first = wanted;
    while (first < LEVELS && !find_tier(c, levels[first]))
        first++;
    if (first == LEVELS) /* none as strong: the strongest there is */
        for (first = wanted; first > 0 && !find_tier(c, levels[first]);)
            first--;
    add_level(c, d, first, STR("the tier for its complexity"));
    for (size_t i = first; i-- > 0;)
        add_level(c, d, i, STR("a weaker tier"));
    for (size_t i = first + 1; i < LEVELS; i++)
        add_level(c, d, i, STR("a stronger tier"));
    const struct conf_role *chat = d->n ? NULL : find_role(c, STR("chat"));
    if (chat)
        add_role(c, d, chat);
}

static void say_why(const struct config *c, const struct ask *ask, struct decision *d)
{
    const struct complexity *x = &ask->complexity;
    struct str to = d->chain[0].tier.n ? d->chain[0].tier : d->role.n ? d->role : c->models[d->chain[0].model].name;
    int n = snprintf(d->why, sizeof d->why, "complexity %.2f: ", x->score);
    for (size_t i = 0; i < x->nreasons && n < (int)sizeof d->why; i++)
        n += snprintf(d->why + n, sizeof d->why - (size_t)n, "%s%s", i ? ", " : "", x->reasons[i]);
    if (n < (int)sizeof d->why)
        snprintf(d->why + n, sizeof d->why - (size_t)n, " -> %.*s", (int)(to.n < 40 ? to.n : 40), to.p);
}

static enum err_code no_auto(struct err *e)
{
    err_set(e, ERR_MODEL_NOT_FOUND, "'auto' has nothing to choose from.");
    err_hint(e, "Name models for `tiers: {fast: …, primary: …, heavy: …}` in hob.yaml, one is enough, or for a role `chat`.");
    return err_param(e, "model");
}

/* ---- names that are none ---- */

enum { MAX_NAMES = 256 };

static size_t all_names(const struct config *c, struct str *names)
{
    size_t n = 0;
    for (size_t i = 0; i < c->nmodels; i++) {
        const struct conf_model *m = &c->models[i];
        if (n < MAX_NAMES)
            names[n++] = m->name;
        for (size_t k = 0; k < m->aliases.n && n < MAX_NAMES; k++)
            names[n++] = m->aliases.at[k];
    }
    for (size_t i = 0; i < c->nroles && n < MAX_NAMES; i++)
        names[n++] = c->roles[i].name;
    for (size_t i = 0; i < c->ntiers && n < MAX_NAMES; i++)
        names[n++] = c->tiers[i].name;
    if (n < MAX_NAMES && route_has_auto(c))
        names[n++] = STR("auto");
    return n;
}

enum err_code route_unknown_name(const struct config *c, struct str name, struct err *e)
{
    struct str names[MAX_NAMES];
    size_t n = all_names(c, names);
    struct str near = str_nearest(name, names, n);
    struct str shown = str_make(name.p, name.n < 80 ? name.n : 80);
    if (near.n)
        err_set(e, ERR_MODEL_NOT_FOUND, "There is no model, role or tier '%.*s'; did you mean '%.*s'?", STR_ARG(shown), STR_ARG(near));
    else
        err_set(e, ERR_MODEL_NOT_FOUND, "There is no model, role or tier '%.*s'.", STR_ARG(shown));
    err_hint(e, n ? "GET /v1/models lists what there is." : "No model is configured: add one under `models:` in hob.yaml.");
    return err_param(e, "model");
}

struct word {
    unsigned bit;
    const char *name;
};
static const struct word inputs[] = { { INPUT_IMAGE, "image" }, { INPUT_AUDIO, "audio" }, { INPUT_VIDEO, "video" } };
static const struct word services[] = { { SERVES_CHAT, "chat" }, { SERVES_EMBED, "embeddings" }, { SERVES_RERANK, "reranking" } };

static const char *word_for(const struct word *words, size_t n, unsigned bits)
{
    for (size_t i = 0; i < n; i++)
        if (bits & words[i].bit)
            return words[i].name;
    return "such";
}

/* Leaves only those that can take what the ask has. */
static enum err_code keep_able(const struct config *c, const struct ask *ask, struct decision *d, struct err *e)
{
    size_t kept = 0;
    unsigned lacking = 0, wrong = 0;
    for (size_t i = 0; i < d->n; i++) {
        const struct conf_model *m = &c->models[d->chain[i].model];
        if (!(m->serves & (unsigned)ask->serves))
            wrong |= (unsigned)ask->serves;
        else if (ask->input & ~m->input)
            lacking |= ask->input & ~m->input;
        else
            d->chain[kept++] = d->chain[i];
    }
    d->n = kept;
    if (kept)
        return ERR_OK;
    if (lacking) {
        err_set(e, ERR_UNSUPPORTED_INPUT, "'%.*s' takes no %s input.", STR_ARG(ask->name), word_for(inputs, COUNTOF(inputs), lacking));
        err_hint(e, "Ask a model whose `input:` in the configuration names it, or send text only.");
        return err_param(e, "messages");
    }
    err_set(e, ERR_INVALID_REQUEST, "'%.*s' does not serve %s.", STR_ARG(ask->name), word_for(services, COUNTOF(services), wrong));
    err_hint(e, "GET /v1/models lists what each model serves.");
    return err_param(e, "model");
}

bool route_wants_words(const struct config *c, const struct ask *ask)
{
    (void)c;
    return route_is_auto(ask->name);
}

enum err_code route_decide(const struct config *c, const struct ask *ask, const struct snapshot *places, struct decision *out, struct err *e)
{
    struct decision d = { .total_ms = c->timeouts.total_ms, .verify = SIZE_MAX };
    (void)places;
    const struct conf_role *role = NULL;
    struct str tier = { NULL, 0 };
    const struct conf_model *m = conf_model(c, ask->name);
    bool automatic = route_is_auto(ask->name);
    if (automatic)
        add_auto(c, ask, &d);
    else if (m)
        add(c, &d, m, STR(""), STR("named by the caller"));
    else if ((role = find_role(c, ask->name)))
        add_role(c, &d, role);
    else if ((m = find_model(c, ask->name, &tier)))
        add(c, &d, m, tier, STR("the tier's model"));
    if (d.n == 0)
        return automatic ? no_auto(e) : route_unknown_name(c, ask->name, e);
    enum err_code rc = keep_able(c, ask, &d, e);
    if (!rc && automatic)
        say_why(c, ask, &d);
    else if (!rc)
        snprintf(d.why, sizeof d.why, "%s", d.chain[0].reason);
    if (!rc)
        *out = d;
    return rc;
}
