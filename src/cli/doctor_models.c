/* hob doctor, the models: the engines, what they know, and the files. */
#include "backend/engine.h"
#include "cli/doctor.h"
#include "cli/table.h"
#include "model/weights.h"

#include <stdio.h>

/* Models that this engine runs. */
static size_t models_of(const struct config *c, struct str engine)
{
    size_t n = 0;
    for (size_t i = 0; i < c->nmodels; i++)
        n += c->models[i].file.n && str_eq(c->models[i].engine, engine);
    return n;
}

/* ---- the engines ---- */

static void try_engine(struct doctor *d, const struct conf_engine *named, const char *of)
{
    struct engine g;
    struct err e;
    if (engine_find(d->config, named->name, &g, &e)) {
        bool needed = models_of(d->config, named->name) > 0;
        if (!needed && !of) {
            doctor_say(d, of, HEALTH_OK, "none, and no model needs one");
            return;
        }
        doctor_say(d, of, needed ? HEALTH_FAIL : HEALTH_WARN, "%s", e.text);
        doctor_fix(d, "%s", e.hint);
    } else if (engine_ask_version(&g, &e)) {
        doctor_say(d, of, HEALTH_FAIL, "%s", e.text);
        doctor_fix(d, "install a llama-server for this machine, and name it in `engines: {%.*s: {path: …}}`", STR_ARG(named->name));
    } else {
        doctor_say(d, of, HEALTH_OK, "%s (%s)", g.path, g.version);
    }
}

static void engines(struct doctor *d)
{
    const struct config *c = d->config;
    for (size_t i = 0; i < c->nengines; i++) {
        char of[64];
        snprintf(of, sizeof of, "%.*s", STR_ARG(c->engines[i].name));
        try_engine(d, &c->engines[i], i ? of : NULL); /* the first, "llama", needs no name */
    }
}

/* ---- what they know ---- */

static void say_architecture(struct doctor *d, const struct engine *g, struct str name)
{
    char of[128];
    struct err e;
    bool first = str_eq(g->name, d->config->engines[0].name);
    snprintf(of, sizeof of, "%.*s%s%.*s", STR_ARG(name), first ? "" : "@", first ? 0 : (int)g->name.n, first ? "" : g->name.p);
    switch (engine_knows(g, name, NULL)) {
    case PROBE_KNOWN:
        doctor_say(d, of, HEALTH_OK, "the engine knows it");
        break;
    case PROBE_UNKNOWN:
        (void)!engine_refuse(d->config, g, name, NULL, &e);
        doctor_say(d, of, HEALTH_FAIL, "%s", e.text);
        doctor_fix(d, "%s", e.hint);
        break;
    case PROBE_UNCLEAR:
        doctor_say(d, of, HEALTH_WARN, "the engine did not say whether it knows this architecture");
        doctor_fix(d, "try it: hob load MODEL");
        break;
    }
}

/* Each architecture once for each engine. */
static void architectures(struct doctor *d)
{
    const struct config *c = d->config;
    struct asked {
        struct str engine, name;
    } *asked = arena_array(&d->arena, struct asked, c->nmodels + 1);
    size_t n = 0;
    for (size_t i = 0; i < c->nmodels; i++) {
        const struct conf_model *m = &c->models[i];
        struct engine g;
        struct weights w;
        struct err e;
        if (!m->file.n || weights_check(m->file.p, &w, &e))
            continue;
        struct str name = str_of(w.architecture);
        size_t k = 0;
        while (k < n && !(str_eq(asked[k].name, name) && str_eq(asked[k].engine, m->engine)))
            k++;
        if (k < n || engine_find(c, m->engine, &g, &e) || engine_ask_version(&g, &e)) /* one that does not run was named above */
            continue;
        asked[n++] = (struct asked){ m->engine, arena_copy(&d->arena, name) };
        say_architecture(d, &g, name);
    }
}

/* ---- the files ---- */

static void weights(struct doctor *d)
{
    char name[256], size[32];
    for (size_t i = 0; i < d->config->nmodels; i++) {
        const struct conf_model *m = &d->config->models[i];
        struct weights w;
        struct err e;
        if (!m->file.n)
            continue;
        snprintf(name, sizeof name, "%.*s", STR_ARG(m->name));
        if (weights_check(m->file.p, &w, &e)) {
            doctor_say(d, name, HEALTH_FAIL, "%s", e.text);
            doctor_fix(d, "%s", e.hint[0] ? e.hint : "download it again");
            continue;
        }
        show_bytes((int64_t)w.file_bytes, size);
        if (w.context_train && m->context > w.context_train) {
            doctor_say(d, name, HEALTH_WARN, "%s, %s; `context: %lld` is more than the %lld it was trained for", w.architecture, size,
                (long long)m->context, (long long)w.context_train);
            doctor_fix(d, "set `context:` to %lld or less", (long long)w.context_train);
        } else {
            doctor_say(d, name, HEALTH_OK, "%s, %s, whole", w.architecture, size);
        }
    }
}

const struct check doctor_model_checks[] = {
    { "engine",       engines,       true },
    { "architecture", architectures, true },
    { "weights",      weights,       true },
    { NULL, NULL, false },
};
