/* Walks two configurations beside the table. Entries of a map are paired by name, items of a list by their place. */
#include "conf/diff.h"

#include "conf/conf.h"
#include "conf/conf_int.h"

struct names {
    struct str *at;
    size_t n, room;
};

struct walk {
    struct arena *a;
    struct names changed, restart;
    bool with_file;             /* the model at hand runs in an engine of ours */
    struct str cause;           /* the first difference that a model must start anew for; empty = none */
};

static void add(struct walk *w, struct names *to, struct str name)
{
    if (to->n == to->room) {
        struct str *more = arena_array(w->a, struct str, to->room ? 2 * to->room : 16);
        if (to->n)
            memcpy(more, to->at, to->n * sizeof *more);
        to->at = more;
        to->room = to->room ? 2 * to->room : 16;
    }
    to->at[to->n++] = name;
}

/* "" + listen, queue + limit, roles + chat */
static struct str join(struct walk *w, struct str path, struct str name)
{
    return path.n ? arena_printf(w->a, "%.*s.%.*s", STR_ARG(path), STR_ARG(name)) : name;
}

static void note(struct walk *w, struct str name, enum takes takes)
{
    add(w, &w->changed, name);
    if (takes == TAKES_RESTART)
        add(w, &w->restart, name);
    if (!w->cause.n && (takes == TAKES_MODEL || (takes == TAKES_ENGINE && w->with_file)))
        w->cause = name;
}

/* The names a user sees (shown) and those of the table (path) go side by side. */
static void walk_group(struct walk *w, struct str path, struct str shown, const void *was, const void *now);

static const struct str *name_of(const struct group *g, const char *entry)
{
    return (const struct str *)(const void *)(entry + g->name_at);
}

/* The entry of that name, in its old place or elsewhere. */
static const char *find_entry(const struct group *g, const char *entries, size_t n, struct str name, size_t likely)
{
    if (likely < n && str_eq(*name_of(g, entries + likely * g->size), name))
        return entries + likely * g->size;
    for (size_t i = 0; i < n; i++)
        if (str_eq(*name_of(g, entries + i * g->size), name))
            return entries + i * g->size;
    return NULL;
}

static void walk_setting(struct walk *w, const struct setting *s, struct str shown, const void *was, const void *now)
{
    if (!value_same(s, (const char *)was + s->at, (const char *)now + s->at))
        note(w, shown, s->takes);
}

/* One entry of a map: its keys, or its one value where it has none (`tiers`). */
static void walk_entry(struct walk *w, const struct child *any, struct str shown, const void *was, const void *now)
{
    size_t cursor = 0;
    struct child inside;
    if (child_next(any->path, &cursor, &inside))
        walk_group(w, any->path, shown, was, now);
    else
        walk_setting(w, any->setting, shown, was, now);
}

static void walk_entries(struct walk *w, const struct child *any, struct str shown, const void *was, const void *now)
{
    const struct group *g = any->group;
    size_t nwas, nnow;
    const char *before = group_entries(g, was, &nwas), *after = group_entries(g, now, &nnow);
    for (size_t i = 0; i < nnow; i++) {
        const char *entry = after + i * g->size, *old = find_entry(g, before, nwas, *name_of(g, entry), i);
        struct str name = join(w, shown, *name_of(g, entry));
        if (old)
            walk_entry(w, any, name, old, entry);
        else
            note(w, name, TAKES_NOW); /* who refers to it says what it means */
    }
    for (size_t i = 0; i < nwas; i++) {
        struct str name = *name_of(g, before + i * g->size);
        if (!find_entry(g, after, nnow, name, i))
            note(w, join(w, shown, name), TAKES_NOW);
    }
}

/* A list that is longer or shorter is as much of a change as the worst in it. */
static enum takes worst_below(struct str path)
{
    enum takes worst = TAKES_NOW;
    for (size_t i = 0; i < nsettings; i++)
        if (str_starts(str_of(settings[i].path), path) && settings[i].takes > worst)
            worst = settings[i].takes;
    return worst;
}

static void walk_items(struct walk *w, const struct child *item, struct str shown, const void *was, const void *now)
{
    const struct group *g = item->group;
    size_t nwas, nnow;
    const char *before = group_entries(g, was, &nwas), *after = group_entries(g, now, &nnow);
    if (nwas != nnow) {
        note(w, shown, worst_below(item->path));
        return;
    }
    for (size_t i = 0; i < nnow; i++)
        walk_group(w, item->path, arena_printf(w->a, "%.*s[%zu]", STR_ARG(shown), i), before + i * g->size, after + i * g->size);
}

static void walk_group(struct walk *w, struct str path, struct str shown, const void *was, const void *now)
{
    size_t cursor = 0;
    struct child child;
    while (child_next(path, &cursor, &child)) {
        if (str_eq(child.path, STR("models"))) /* they have a walk of their own */
            continue;
        if (str_eq(child.name, STR("*")))
            walk_entries(w, &child, shown, was, now);
        else if (str_eq(child.name, STR("[]")))
            walk_items(w, &child, shown, was, now);
        else if (child.setting)
            walk_setting(w, child.setting, join(w, shown, child.name), was, now);
        else
            walk_group(w, child.path, join(w, shown, child.name), was, now);
    }
}

/* ---- models ---- */

/* What a model stands on: a change of it is told once, in `changed`, and is a cause for each model. */
static struct str cause_below(struct walk *w, const char *path, struct str shown, const void *was, const void *now)
{
    struct walk probe = { .a = w->a, .with_file = w->with_file };
    if (was && now)
        walk_group(&probe, str_of(path), shown, was, now);
    return probe.cause;
}

static void walk_model(struct walk *w, const struct config *was, const struct config *now, const struct conf_model *old, const struct conf_model *m)
{
    w->cause = (struct str){ NULL, 0 };
    w->with_file = m->file.n > 0;
    walk_group(w, STR("models.*"), join(w, STR("models"), m->name), old, m);
    if (!w->cause.n && m->host.n)
        w->cause = cause_below(w, "hosts.*", join(w, STR("hosts"), m->host), conf_host(was, m->host), conf_host(now, m->host));
    if (!w->cause.n && m->file.n)
        w->cause = cause_below(w, "engines.*", join(w, STR("engines"), m->engine), conf_engine(was, m->engine), conf_engine(now, m->engine));
}

static const struct conf_model *model_named(const struct config *c, struct str name, size_t likely)
{
    const struct group *g = group_find(STR("models.*"));
    return (const struct conf_model *)(const void *)find_entry(g, (const char *)c->models, c->nmodels, name, likely);
}

static struct conf_strs list_of(const struct names *names)
{
    return (struct conf_strs){ names->at, names->n };
}

void conf_diff(const struct config *was, const struct config *now, struct arena *a, struct conf_diff *out)
{
    struct walk w = { .a = a };
    struct names removed = { 0 };
    struct conf_model_change *changes = arena_array(a, struct conf_model_change, now->nmodels);
    walk_group(&w, (struct str){ "", 0 }, (struct str){ "", 0 }, was, now);
    for (size_t i = 0; i < now->nmodels; i++) {
        const struct conf_model *m = &now->models[i], *old = model_named(was, m->name, i);
        changes[i] = (struct conf_model_change){ CONF_ADDED, SIZE_MAX, { NULL, 0 } };
        if (!old)
            continue;
        walk_model(&w, was, now, old, m);
        changes[i] = (struct conf_model_change){ w.cause.n ? CONF_RESTART : CONF_SAME, (size_t)(old - was->models), w.cause };
    }
    for (size_t i = 0; i < was->nmodels; i++)
        if (!model_named(now, was->models[i].name, i))
            add(&w, &removed, was->models[i].name);
    *out = (struct conf_diff){ changes, now->nmodels, list_of(&removed), list_of(&w.changed), list_of(&w.restart) };
}
