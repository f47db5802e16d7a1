/* Roles, tiers and models are copied, with what is different in them; everything else is the base's, texts included. */
#include "conf/overlay.h"

#include "conf/conf.h"

#include <stdlib.h>

static const int64_t stays_ms = 365ll * 24 * 3600 * 1000; /* who has been replaced goes only for want of memory */

static const struct str *target_of(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->nroles; i++)
        if (str_eq(c->roles[i].name, name))
            return &c->roles[i].model;
    for (size_t i = 0; i < c->ntiers; i++)
        if (str_eq(c->tiers[i].name, name))
            return &c->tiers[i].model;
    return NULL;
}

static enum conf_shift_state look_at_engine(const struct config *base, const struct conf_shift *s)
{
    const struct conf_model *m = conf_model(base, s->name);
    const struct conf_engine *g = m && m->file.n ? conf_engine(base, m->engine) : NULL;
    if (!g)
        return SHIFT_NO_NAME;
    if (!str_eq(g->name, s->engine))
        return SHIFT_OVERTAKEN;
    if (str_eq(g->path, s->to))
        return SHIFT_DONE;
    return str_eq(g->path, s->said) || str_eq(g->path, s->from) ? SHIFT_HOLDS : SHIFT_OVERTAKEN;
}

enum conf_shift_state conf_shift_look(const struct config *base, const struct conf_shift *s)
{
    if (s->engine.n)
        return look_at_engine(base, s);
    struct str role;
    const struct str *target = target_of(base, s->name);
    const struct conf_model *to = conf_model(base, s->to);
    if (!target)
        return SHIFT_NO_NAME;
    if (!to)
        return SHIFT_NO_MODEL;
    const struct conf_model *now = conf_meant(base, *target, &role);
    if (now == to)
        return SHIFT_DONE;
    return now && (str_eq(now->name, s->said) || str_eq(now->name, s->from)) ? SHIFT_HOLDS : SHIFT_OVERTAKEN;
}

/* ---- the copies ---- */

static void *copy(struct arena *a, const void *from, size_t bytes)
{
    void *to = arena_alloc(a, bytes);
    if (bytes)
        memcpy(to, from, bytes);
    return to;
}

/* from, and then what there was, but for `to`. */
static struct conf_strs with_first(struct arena *a, const struct conf_shift *s, const struct conf_strs *was)
{
    struct str *at = arena_array(a, struct str, was->n + 1);
    size_t n = 0;
    at[n++] = s->from;
    for (size_t i = 0; i < was->n; i++)
        if (!str_eq(was->at[i], s->from) && !str_eq(was->at[i], s->to))
            at[n++] = was->at[i];
    return (struct conf_strs){ at, n };
}

static void shift_role(struct arena *a, struct conf_role *r, const struct conf_shift *s)
{
    if (s->share < 1) {
        r->trial = s->to;
        r->trial_share = s->share;
        return;
    }
    r->model = s->to;
    r->fallback = with_first(a, s, &r->fallback);
}

static void shift_name(struct arena *a, struct conf_role *roles, size_t nroles, struct conf_tier *tiers, size_t ntiers, const struct conf_shift *s)
{
    for (size_t i = 0; i < nroles; i++)
        if (str_eq(roles[i].name, s->name)) {
            shift_role(a, &roles[i], s);
            return;
        }
    for (size_t i = 0; i < ntiers; i++)
        if (str_eq(tiers[i].name, s->name))
            tiers[i].model = s->to;
}

static struct conf_model *model_in(struct conf_model *models, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(models[i].name, name))
            return &models[i];
    return NULL;
}

/* Is it still the first one of a role or a tier? */
static bool leads(const struct config *c, struct str model)
{
    struct str role;
    for (size_t i = 0; i < c->nroles; i++) {
        const struct conf_model *m = conf_meant(c, c->roles[i].name, &role);
        if (m && str_eq(m->name, model))
            return true;
    }
    for (size_t i = 0; i < c->ntiers; i++) {
        const struct conf_model *m = conf_meant(c, c->tiers[i].name, &role);
        if (m && str_eq(m->name, model))
            return true;
    }
    return false;
}

/* What runs here: memory is the matter. */
static bool is_here(const struct conf_model *m)
{
    return !m->host.n;
}

static void replace_model(struct config *c, struct conf_model *models, const struct conf_shift *s)
{
    struct conf_model *from = model_in(models, c->nmodels, s->from), *to = model_in(models, c->nmodels, conf_model(c, s->to)->name);
    if (s->share < 1 || !from || leads(c, s->from))
        return;
    if (is_here(from) && is_here(to) && from->keep == KEEP_HOT) {
        to->keep = KEEP_HOT;
        from->keep = KEEP_DEMAND;
    }
    if (!s->until.n)
        return;
    from->idle_ms = stays_ms;
    if (!from->deprecated.n) {
        from->deprecated = s->until;
        from->successor = to->name;
    }
}

/* ---- engines ---- */

/* A build beside those of the file, under a name of its own: models that stay behind keep theirs. */
static const struct conf_engine *add_engine(struct config *c, struct conf_engine *engines, const struct conf_shift *s)
{
    struct str name = arena_printf(&c->arena, "%.*s at %.*s", STR_ARG(s->engine), STR_ARG(s->to));
    for (size_t i = 0; i < c->nengines; i++)
        if (str_eq(engines[i].name, name))
            return &engines[i];
    engines[c->nengines] = (struct conf_engine){ .name = name, .path = s->to };
    return &engines[c->nengines++];
}

static void shift_engines(struct config *c, struct conf_model *models, const struct conf_shift *shifts, size_t n)
{
    struct conf_engine *engines = arena_array(&c->arena, struct conf_engine, c->nengines + n);
    memcpy(engines, c->engines, c->nengines * sizeof *engines);
    c->engines = engines;
    for (size_t i = 0; i < n; i++)
        if (shifts[i].engine.n)
            model_in(models, c->nmodels, conf_model(c, shifts[i].name)->name)->engine = add_engine(c, engines, &shifts[i])->name;
}

/* The texts of the shifts die with their owner. */
static struct conf_shift *keep_shifts(struct arena *a, const struct config *base, const struct conf_shift *shifts, size_t n, size_t *kept)
{
    struct conf_shift *at = arena_array(a, struct conf_shift, n ? n : 1);
    *kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct conf_shift *s = &shifts[i];
        if (conf_shift_look(base, s) == SHIFT_HOLDS)
            at[(*kept)++] = (struct conf_shift){ arena_copy(a, s->name), arena_copy(a, s->said), arena_copy(a, s->from), arena_copy(a, s->to), s->share, arena_copy(a, s->until),
                arena_copy(a, s->engine) };
    }
    return at;
}

const struct config *conf_overlay(const struct config *base, const struct conf_shift *shifts, size_t n)
{
    size_t kept;
    base = conf_as_read(base);
    struct config *c = malloc(sizeof *c);
    if (!c)
        die("out of memory for a derived configuration");
    *c = *base;
    c->holders = 1;
    arena_init(&c->arena);
    struct conf_shift *mine = keep_shifts(&c->arena, base, shifts, n, &kept);
    c->base = conf_hold(base);
    if (!kept) {
        arena_fini(&c->arena);
        free(c);
        return base;
    }
    struct conf_role *roles = copy(&c->arena, base->roles, base->nroles * sizeof *roles);
    struct conf_tier *tiers = copy(&c->arena, base->tiers, base->ntiers * sizeof *tiers);
    struct conf_model *models = copy(&c->arena, base->models, base->nmodels * sizeof *models);
    for (size_t i = 0; i < kept; i++)
        if (!mine[i].engine.n)
            shift_name(&c->arena, roles, c->nroles, tiers, c->ntiers, &mine[i]);
    c->roles = roles;
    c->tiers = tiers;
    c->models = models;
    for (size_t i = 0; i < kept; i++)
        if (!mine[i].engine.n)
            replace_model(c, models, &mine[i]);
    shift_engines(c, models, mine, kept);
    return c;
}

const struct config *conf_as_read(const struct config *c)
{
    return c->base ? c->base : c;
}
