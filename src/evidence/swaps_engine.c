/* What is different when a build of an engine is swapped: its roles are the models that run in it. Which they are is settled by the plan; who comes later is the file's. */
#include "evidence/swaps_int.h"

#include "backend/engine.h"
#include "base/clock.h"
#include "conf/conf.h"

/* ---- a plan ---- */

static struct str path_of(const struct config *c, const struct conf_model *m)
{
    const struct conf_engine *g = m && m->file.n ? conf_engine(c, m->engine) : NULL;
    return g ? g->path : STR("");
}

static enum err_code no_such_engine(const struct config *c, struct str name, struct err *e)
{
    struct str names[32];
    size_t n = 0;
    for (size_t i = 0; i < c->nengines && n < COUNTOF(names); i++)
        names[n++] = c->engines[i].name;
    struct str near = str_nearest(name, names, n);
    err_set(e, ERR_NOT_FOUND, "No engine is called '%.*s'.", name.n < 80 ? (int)name.n : 80, name.p ? name.p : "");
    return near.n ? err_hint(e, "Did you mean '%.*s'?", STR_ARG(near)) : err_hint(e, "`hob engine list` has them.");
}

/* Its models that the build in question is not under yet: who is in memory before the others, since they are compared and guarded. */
static enum err_code add_models(struct swaps *s, struct swap *out, const struct conf_engine *g, bool resident, struct err *e)
{
    const struct config *c = s->ops->config(s->ctx), *base = conf_as_read(c);
    for (size_t i = 0; i < base->nmodels; i++) {
        const struct conf_model *m = &base->models[i];
        struct str from = path_of(c, conf_model(c, m->name));
        if (!m->file.n || !str_eq(m->engine, g->name) || !from.n || str_eq(from, out->engine.to))
            continue;
        struct swaps_place place;
        swaps_place_of(s, m->name, &place);
        if (resident != (place.pid > 0))
            continue;
        struct swap_role *r = swap_add(out);
        if (!r)
            return err_set(e, ERR_INVALID_REQUEST, "A swap of an engine moves at most %d models.", SWAP_MAX_MODELS);
        r->name = arena_copy(&out->arena, m->name);
        r->said = arena_copy(&out->arena, g->path);
        r->from = arena_copy(&out->arena, from);
        r->to = out->engine.to;
        r->resident = resident;
    }
    return ERR_OK;
}

static void copy_engine(struct swap *out, const struct swap_engine *p, const struct conf_engine *g)
{
    struct arena *a = &out->arena;
    out->engine = (struct swap_engine){ .name = arena_copy(a, g->name), .from = arena_copy(a, g->path), .to = arena_copy(a, p->to), .version_from = arena_copy(a, p->version_from),
        .version_to = arena_copy(a, p->version_to), .build_from = arena_copy(a, p->build_from), .build_to = arena_copy(a, p->build_to),
        .architectures = arena_copy(a, p->architectures) };
}

enum err_code swaps_plan_engine(struct swaps *s, const struct swaps_plan *p, struct swap *out, struct err *e)
{
    const struct config *base = conf_as_read(s->ops->config(s->ctx));
    const struct conf_engine *g = conf_engine(base, p->engine.name);
    if (p->nroles) {
        err_set(e, ERR_INVALID_REQUEST, "A swap is of models under roles, or of a build of an engine, not of both.");
        return err_hint(e, "Plan one, and when it is promoted the other: else nobody knows which of the two it was.");
    }
    if (!g)
        return no_such_engine(base, p->engine.name, e);
    if (!p->engine.to.n || p->engine.to.p[0] != '/')
        return err_set(e, ERR_INVALID_REQUEST, "The new build is a program, named by its whole path.");
    copy_engine(out, &p->engine, g);
    enum err_code rc = add_models(s, out, g, true, e);
    if (!rc)
        rc = add_models(s, out, g, false, e);
    if (!rc && out->nroles && !str_eq(out->roles[0].from, out->engine.from)) { /* over one that is promoted: what was said of the file's build is not about it */
        out->engine.from = out->roles[0].from;
        out->engine.version_from = out->engine.build_from = STR("");
    }
    if (rc || out->nroles)
        return rc;
    bool any = false;
    for (size_t i = 0; i < base->nmodels; i++)
        any |= base->models[i].file.n && str_eq(base->models[i].engine, g->name);
    if (any)
        return err_set(e, ERR_INVALID_REQUEST, "All models of '%.*s' run in that build already.", STR_ARG(g->name));
    err_set(e, ERR_INVALID_REQUEST, "No model runs in the engine '%.*s': there is nothing to try it with.", STR_ARG(g->name));
    return err_hint(e, "Write its path under `engines:` in hob.yaml, then `hob config reload`.");
}

/* ---- a start ---- */

enum err_code swaps_check_build(const struct config *c, const struct swap *w, const struct swap_role *r, struct err *e)
{
    struct str is = path_of(c, conf_model(c, r->name));
    if (r->state == SWAP_TRIAL || str_eq(is, r->from))
        return ERR_OK;
    err_set(e, ERR_WRONG_STATE, "'%.*s' runs in %.*s by now, and swap %lld was planned against %.*s.", STR_ARG(r->name), is.n ? (int)is.n : 7, is.n ? is.p : "nothing",
        (long long)w->id, STR_ARG(r->from));
    return err_hint(e, "Plan it again.");
}

static enum err_code look_at_build(struct str path, struct str build, const char *which, struct err *e)
{
    struct engine g;
    if (engine_at(path, STR(""), &g, e)) {
        err_set(e, ERR_GATE, "The %s build, %.*s, is not there any more.", which, STR_ARG(path));
        return err_hint(e, "Put it back: both stay on the disk while one of them is on trial.");
    }
    if (!build.n || str_eq(build, str_of(g.hash)))
        return ERR_OK;
    err_set(e, ERR_GATE, "The %s build, %.*s, is another one than when this was planned.", which, STR_ARG(path));
    return err_hint(e, "Give each build a folder of its own, and plan it again.");
}

enum err_code swaps_look_at_builds(const struct swap_engine *g, struct err *e)
{
    enum err_code rc = look_at_build(g->from, g->build_from, "old", e);
    return rc ? rc : look_at_build(g->to, g->build_to, "new", e);
}

/* ---- while it is on ---- */

static void fall(struct swaps *s, struct kept *k, const struct swap_role *r, const struct err *why)
{
    struct arena a;
    if (k->falls)
        return;
    arena_init(&a);
    k->falls = true;
    struct str words = str_of(why->text);
    words.n -= words.n && words.p[words.n - 1] == '.';
    struct str text = arena_printf(&a, "'%.*s' does not come up in %.*s: %.*s", STR_ARG(r->name), STR_ARG(r->to), STR_ARG(words));
    /* A build that does not bring up what the old one had up is not to be tried with the next. Once it had, or of who was not in memory, it may be this model's own matter. */
    bool all = r->resident && !r->up_ms;
    log_error("swap %lld: %.*s; %s back", (long long)k->swap.id, STR_ARG(text), all ? "all go" : "it goes");
    swaps_do(s, k->swap.id, &(struct swap_wish){ .step = STEP_BREACH, .role = all ? STR("") : r->name, .why = text }, STR("hob"));
    arena_fini(&a);
}

void swaps_backend(struct swaps *s, struct str model, struct str engine_path, const struct err *why)
{
    for (struct list *at = s->kept.next; at != &s->kept; at = at->next) {
        struct kept *k = list_entry(at, struct kept, node);
        struct swap_role *r = k->swap.engine.name.n ? swap_role(&k->swap, model) : NULL;
        if (!r || r->state != SWAP_TRIAL || !str_eq(r->to, engine_path))
            continue;
        if (why) {
            fall(s, k, r, why);
        } else if (!r->up_ms) {
            r->up_ms = clock_wall_ms();
            k->unwritten = true;
            loop_later(s->loop, &s->turn);
        }
    }
}
