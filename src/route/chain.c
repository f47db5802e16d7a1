/* What a name leads to, in order: a model to itself, a tier to its model and the weaker tiers, a role to its model and fallbacks, `auto` to the tiers by
 * complexity. */
#include "route/decide_int.h"

#include "conf/conf.h"

static void add_model(struct making *k, struct str name, const char *reason)
{
    const struct conf_tier *t = name_tier(k->c, name);
    const struct conf_model *m = conf_model(k->c, t ? t->model : name);
    if (m)
        replicas_add(k, m, t ? t->name : (struct str){ NULL, 0 }, reason);
}

/* A conversation stays with the model that it has begun with: what is drawn is drawn of its name. Who has none keeps the role's own model. */
static bool is_drawn(const struct conf_role *r, uint64_t affinity)
{
    if (!r->trial.n || !affinity)
        return false;
    uint64_t x = affinity ^ str_hash(r->name);
    x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15u; /* its upper bits depend on all of it */
    x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
    return (double)(x >> 11) * 0x1p-53 < r->trial_share;
}

static void add_role(struct making *k, const struct conf_role *r)
{
    bool was_local = k->local_only, overruled = k->rule && k->rule->local_only != TRI_UNSAID;
    k->local_only = was_local || (r->local_only && !overruled);
    if (is_drawn(r, k->ask->affinity))
        add_model(k, r->trial, "the role's model on trial");
    add_model(k, r->model, "the role's model");
    for (size_t i = 0; i < r->fallback.n; i++)
        add_model(k, r->fallback.at[i], "the role's fallback");
    k->local_only = was_local;
}

static bool add_level(struct making *k, size_t level, const char *reason)
{
    const struct conf_tier *t = name_tier(k->c, route_levels[level]);
    if (t)
        add_model(k, t->name, reason);
    return t != NULL;
}

static void add_weaker(struct making *k, size_t level)
{
    while (level-- > 0)
        add_level(k, level, "a weaker tier");
}

static void add_tier(struct making *k, const struct conf_tier *t)
{
    size_t level = route_level(t->name);
    add_model(k, t->name, "the tier's model");
    if (level < LEVELS)
        add_weaker(k, level);
}

/* ---- auto ---- */

static size_t level_for(const struct config *c, double score)
{
    return score < c->auto_primary ? 0 : score < c->auto_heavy ? 1 : 2;
}

/* The nearest that is as strong or stronger, else the strongest. LEVELS: there is none. */
static size_t first_level(const struct config *c, size_t wanted)
{
    for (size_t i = wanted; i < LEVELS; i++)
        if (name_tier(c, route_levels[i]))
            return i;
    for (size_t i = wanted; i-- > 0;)
        if (name_tier(c, route_levels[i]))
            return i;
    return LEVELS;
}

static void add_auto(struct making *k)
{
    const struct conf_role *chat = name_role(k->c, STR("chat"));
    size_t first = first_level(k->c, level_for(k->c, k->ask->complexity.score));
    if (first < LEVELS) {
        add_level(k, first, "the tier for its complexity");
        add_weaker(k, first);
        for (size_t i = first + 1; i < LEVELS; i++)
            add_level(k, i, "a stronger tier");
    } else if (chat) {
        add_role(k, chat);
    }
}

const struct conf_role *chain_role(const struct config *c, const struct meaning *m)
{
    if (m->what == NAMED_AUTO && first_level(c, 0) == LEVELS)
        return name_role(c, STR("chat"));
    return m->role;
}

void chain_add(struct making *k, const struct meaning *m, const char *named)
{
    switch (m->what) {
    case NAMED_MODEL:
        replicas_add(k, m->model, (struct str){ NULL, 0 }, named);
        break;
    case NAMED_TIER:
        add_tier(k, m->tier);
        break;
    case NAMED_ROLE:
        add_role(k, m->role);
        break;
    case NAMED_AUTO:
        add_auto(k);
        break;
    case NAMED_NONE:
        break;
    }
}

void chain_add_fallback(struct making *k, struct str name)
{
    struct meaning m;
    if (!name_meaning(k->c, name, &m))
        return;
    if (m.what == NAMED_ROLE)
        add_role(k, m.role);
    else if (m.model)
        replicas_add(k, m.model, m.tier ? m.tier->name : (struct str){ NULL, 0 }, "the rule's fallback");
}
