/* What a name means. One space of names for models, their aliases, roles, tiers, old names and `auto`: the configuration keeps them apart (conf/check.c), so the
 * order in which they are looked for decides nothing. */
#include "route/decide_int.h"

#include "conf/conf.h"

#include <time.h>

const struct str route_levels[LEVELS] = { STR("fast"), STR("primary"), STR("heavy") };

size_t route_level(struct str tier)
{
    size_t i = 0;
    while (i < LEVELS && !str_eq(tier, route_levels[i]))
        i++;
    return i;
}

const struct conf_role *name_role(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->nroles; i++)
        if (str_eq(c->roles[i].name, name))
            return &c->roles[i];
    return NULL;
}

const struct conf_tier *name_tier(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->ntiers; i++)
        if (str_eq(c->tiers[i].name, name))
            return &c->tiers[i];
    return NULL;
}

static const struct conf_alias *old_name(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->naliases; i++)
        if (str_eq(c->aliases[i].name, name))
            return &c->aliases[i];
    return NULL;
}

bool route_is_auto(struct str name)
{
    return str_eq(name, STR("auto"));
}

bool route_has_auto(const struct config *c)
{
    for (size_t i = 0; i < LEVELS; i++)
        if (name_tier(c, route_levels[i]))
            return true;
    return name_role(c, STR("chat")) != NULL;
}

static bool present_name(const struct config *c, struct str name, struct meaning *out)
{
    if ((out->model = conf_model(c, name))) {
        out->what = NAMED_MODEL;
    } else if ((out->role = name_role(c, name))) {
        out->what = NAMED_ROLE;
    } else if ((out->tier = name_tier(c, name))) {
        out->what = NAMED_TIER;
        out->model = conf_model(c, out->tier->model);
    } else if (route_is_auto(name)) {
        out->what = NAMED_AUTO;
    }
    return out->what != NAMED_NONE;
}

bool name_meaning(const struct config *c, struct str name, struct meaning *out)
{
    *out = (struct meaning){ .what = NAMED_NONE };
    if (present_name(c, name, out))
        return true;
    const struct conf_alias *alias = old_name(c, name);
    if (!alias || !present_name(c, alias->to, out))
        return false;
    out->alias = alias;
    return true;
}

bool name_for_kind(const struct config *c, enum task task, struct meaning *out)
{
    static const struct str roles[] = { [TASK_CHAT] = STR("chat"), [TASK_TEXT] = STR("chat"), [TASK_EMBED] = STR("embed"), [TASK_RERANK] = STR("rerank") };
    *out = (struct meaning){ .role = name_role(c, roles[task]) };
    out->what = out->role ? NAMED_ROLE : NAMED_NONE;
    return out->role != NULL;
}

/* ---- what a key may name ---- */

static bool same(const struct meaning *a, const struct meaning *b)
{
    return a->what == b->what && a->role == b->role && a->tier == b->tier && a->model == b->model;
}

bool name_is_allowed(const struct config *c, const struct conf_strs *allowed, struct str name, const struct meaning *m)
{
    if (!allowed || !allowed->n)
        return true;
    for (size_t i = 0; i < allowed->n; i++) {
        struct meaning other;
        if (str_eq(allowed->at[i], name) || (name_meaning(c, allowed->at[i], &other) && same(&other, m)))
            return true;
    }
    return false;
}

bool route_may_ask(const struct config *c, const struct conf_strs *allowed, struct str name)
{
    struct meaning m;
    return name_meaning(c, name, &m) && name_is_allowed(c, allowed, name, &m);
}

/* ---- days ---- */

bool name_day_has_come(struct str date, const struct snapshot *s)
{
    char today[16];
    time_t local_s = (time_t)(s->wall_s + s->utc_offset_s);
    struct tm day;
    if (!date.n || !gmtime_r(&local_s, &day) || !strftime(today, sizeof today, "%Y-%m-%d", &day))
        return false;
    return date.n == strlen(today) && memcmp(today, date.p, date.n) >= 0;
}

/* ---- names that are none ---- */

enum { MAX_NAMES = 256, SHOWN_BYTES = 80 };

static size_t put_name(struct str *names, size_t n, struct str name)
{
    if (n < MAX_NAMES)
        names[n++] = name;
    return n;
}

static size_t all_names(const struct config *c, struct str *names)
{
    size_t n = 0;
    for (size_t i = 0; i < c->nmodels; i++) {
        n = put_name(names, n, c->models[i].name);
        for (size_t k = 0; k < c->models[i].aliases.n; k++)
            n = put_name(names, n, c->models[i].aliases.at[k]);
    }
    for (size_t i = 0; i < c->nroles; i++)
        n = put_name(names, n, c->roles[i].name);
    for (size_t i = 0; i < c->ntiers; i++)
        n = put_name(names, n, c->tiers[i].name);
    for (size_t i = 0; i < c->naliases; i++)
        n = put_name(names, n, c->aliases[i].name);
    return route_has_auto(c) ? put_name(names, n, STR("auto")) : n;
}

enum err_code route_unknown_name(const struct config *c, struct str name, struct err *e)
{
    struct str names[MAX_NAMES];
    size_t n = all_names(c, names);
    struct str near = str_nearest(name, names, n);
    struct str shown = str_make(name.p, name.n < SHOWN_BYTES ? name.n : SHOWN_BYTES);
    if (near.n)
        err_set(e, ERR_MODEL_NOT_FOUND, "There is no model, role or tier '%.*s'; did you mean '%.*s'?", STR_ARG(shown), STR_ARG(near));
    else
        err_set(e, ERR_MODEL_NOT_FOUND, "There is no model, role or tier '%.*s'.", STR_ARG(shown));
    err_hint(e, n ? "GET /v1/models lists what there is." : "No model is configured: add one under `models:` in hob.yaml.");
    return err_param(e, "model");
}
