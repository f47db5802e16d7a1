/* What needs the whole file: values that fall back to another setting, and paths (`~`, relative ones). */
#include "conf/conf_int.h"

#include <stdlib.h>
#include <unistd.h>

/* ~ and ~/x; the text itself otherwise. Sentence without a place on error. */
static enum err_code expand_home(struct arena *a, struct str path, struct str *out, struct err *e)
{
    if (!str_eq(path, STR("~")) && !str_starts(path, STR("~/"))) {
        *out = path;
        return ERR_OK;
    }
    struct str home = str_of(getenv("HOME"));
    if (!str_starts(home, STR("/"))) {
        err_set(e, ERR_CONFIG, "HOME is not set, so %s names no folder", show_text(path).text);
        return err_hint(e, "set HOME, or write an absolute path");
    }
    *out = path.n == 1 ? arena_copy(a, home) : path_join(a, home, str_from(path, 2));
    return ERR_OK;
}

static enum err_code make_absolute(struct reading *r, struct str key, struct str *path)
{
    struct str full;
    enum err_code rc = expand_home(&r->c->arena, *path, &full, r->e);
    if (rc)
        return fail_here(r->name, said_where(r->c, path), key, r->e);
    *path = path_join(&r->c->arena, r->x.folder, full);
    return ERR_OK;
}

/* In the folder of the config file, else in models_dir, else (not there yet) as if in the former: its absence is told when it is loaded. */
static enum err_code find_weights(struct reading *r, struct conf_model *m)
{
    if (m->file.n == 0)
        return ERR_OK;
    struct str asked = m->file;
    enum err_code rc = make_absolute(r, STR("file"), &m->file);
    if (rc || str_starts(asked, STR("/")) || str_starts(asked, STR("~")) || access(m->file.p, F_OK) == 0)
        return rc;
    struct str other = path_join(&r->c->arena, r->c->models_dir, asked);
    if (access(other.p, F_OK) == 0)
        m->file = other;
    return ERR_OK;
}

static void fall_back(const struct config *c, struct str path, void *entry)
{
    for (size_t i = 0; i < nsettings; i++) {
        const struct setting *s = &settings[i];
        if (!s->from || !str_starts(str_of(s->path), path))
            continue;
        int64_t *field = (int64_t *)(void *)((char *)entry + s->at);
        if (*field == 0) /* no such setting allows a 0 */
            *field = *(const int64_t *)(const void *)((const char *)c + setting_find(str_of(s->from))->at);
    }
}

static enum err_code resolve_paths(struct reading *r)
{
    struct config *c = r->c;
    for (size_t i = 0; i < nsettings; i++) {
        const struct setting *s = &settings[i];
        struct str *path = (struct str *)(void *)((char *)c + s->at);
        bool global = !strchr(s->path, '*');
        if (!global || (s->type != SET_FOLDER && s->type != SET_PROGRAM))
            continue;
        if (s->type == SET_PROGRAM && !memchr(path->p, '/', path->n)) /* a name for PATH */
            continue;
        enum err_code rc = make_absolute(r, last_part(str_of(s->path)), path);
        if (rc)
            return rc;
    }
    return ERR_OK;
}

enum err_code resolve_all(struct reading *r)
{
    struct config *c = r->c;
    enum err_code rc = resolve_paths(r);
    for (size_t i = 0; !rc && i < c->nhosts; i++)
        fall_back(c, STR("hosts.*"), (void *)(uintptr_t)&c->hosts[i]); /* ours until conf_load returns */
    for (size_t i = 0; !rc && i < c->nmodels; i++) {
        struct conf_model *m = (struct conf_model *)(uintptr_t)&c->models[i];
        fall_back(c, STR("models.*"), m);
        if (m->host.n && !m->upstream.n)
            m->upstream = m->name;
        rc = find_weights(r, m);
    }
    return rc;
}
