/* What needs the whole file: values that fall back to another setting, and paths (`~`, relative ones). */
#include "base/hostname.h"
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

static bool is_there(struct str path) /* NUL behind its end */
{
    return access(path.p, F_OK) == 0;
}

/* In the folder of the config file, else in models_dir, else (not there yet) as if in the former: its absence is told when it is loaded. */
static enum err_code find_weights(struct reading *r, struct str key, struct str *file)
{
    struct str asked = *file;
    enum err_code rc = make_absolute(r, key, file);
    if (rc || str_starts(asked, STR("/")) || str_starts(asked, STR("~")) || is_there(*file))
        return rc;
    struct str other = path_join(&r->c->arena, r->c->models_dir, asked);
    if (is_there(other))
        *file = other;
    return ERR_OK;
}

static enum err_code resolve_list(void *ctx, const struct setting *s, void *base)
{
    struct conf_strs *list = (struct conf_strs *)(void *)((char *)base + s->at);
    enum err_code rc = ERR_OK;
    for (size_t i = 0; !rc && i < list->n; i++)
        rc = make_absolute(ctx, last_part(str_of(s->path)), (struct str *)(uintptr_t)&list->at[i]); /* ours until conf_load returns */
    return rc;
}

static enum err_code resolve_path(void *ctx, const struct setting *s, void *base)
{
    struct reading *r = ctx;
    struct str key = last_part(str_of(s->path)), *path = (struct str *)(void *)((char *)base + s->at);
    if (!path->n || (s->type == SET_PROGRAM && !memchr(path->p, '/', path->n))) /* a name for PATH */
        return ERR_OK;
    return s->type == SET_WEIGHTS ? find_weights(r, key, path) : make_absolute(r, key, path);
}

static enum err_code resolve_paths(struct reading *r)
{
    enum err_code rc = ERR_OK;
    for (size_t i = 0; !rc && i < nsettings; i++)
        if (settings[i].type == SET_FOLDER || settings[i].type == SET_PROGRAM || settings[i].type == SET_WEIGHTS || settings[i].type == SET_PROSE_FILE)
            rc = fields_each(r->c, &settings[i], resolve_path, r); /* models_dir has its row above those that look there */
        else if (settings[i].type == SET_PATHS)
            rc = fields_each(r->c, &settings[i], resolve_list, r);
    return rc;
}

static enum err_code fall_back(void *ctx, const struct setting *s, void *base)
{
    const struct config *c = ctx;
    int64_t *field = (int64_t *)(void *)((char *)base + s->at);
    if (*field == 0) /* no such setting allows a 0 */
        *field = *(const int64_t *)(const void *)((const char *)c + setting_find(str_of(s->from))->at);
    return ERR_OK;
}

/* What the environment says is not in the file, so it cannot make the file wrong: it is left aside, with a word. */
static void take_environment(struct reading *r, const struct setting *s)
{
    void *field = (char *)r->c + s->at;
    struct str text = str_of(getenv(s->env));
    struct err e = { 0 };
    if (!text.n || said_where(r->c, field).line)
        return;
    if (text_valid(text) != text.n || value_read(s, text, text, &r->c->arena, field, &e))
        log_warn("%s is not used: %s", s->env, e.code ? e.text : "it holds no UTF-8 text");
}

/* models/llama.gguf -> llama */
static struct str stem(struct str path)
{
    struct str name = path;
    for (size_t i = path.n; i > 0 && name.n == path.n; i--)
        if (path.p[i - 1] == '/')
            name = str_from(path, i);
    for (size_t i = name.n; i > 1; i--)
        if (name.p[i - 1] == '.')
            return (struct str){ name.p, i - 1 };
    return name;
}

static void name_adapters(struct conf_model *m)
{
    for (size_t i = 0; i < m->nloras; i++) {
        struct conf_lora *lora = (struct conf_lora *)(uintptr_t)&m->loras[i];
        if (!lora->name.n)
            lora->name = stem(lora->file);
    }
}

/* ---- hosts, rules ---- */

/* http://HOST… whose HOST is this machine: an address of it, never a name that only looks like one (127.0.0.1.example.org). */
static bool is_here(struct str url)
{
    struct str rest, host, port, authority = str_cut(str_from(url, str_starts(url, STR("https://")) ? 8 : 7), '/', &rest);
    bool brackets;
    return hostname_split(authority, &host, &brackets, &port) && hostname_is_loopback(host);
}

static void resolve_hosts(struct config *c)
{
    for (size_t i = 0; i < c->nhosts; i++) {
        struct conf_host *h = (struct conf_host *)(uintptr_t)&c->hosts[i];
        h->local = h->local_said == TRI_YES || (h->local_said == TRI_UNSAID && !h->proxy.hidden.n && is_here(h->url));
    }
}

static void name_rules(struct config *c)
{
    for (size_t i = 0; i < c->nroutes; i++) {
        struct conf_route *r = (struct conf_route *)(uintptr_t)&c->routes[i];
        if (!r->name.n)
            r->name = arena_printf(&c->arena, "rule %zu", i + 1);
    }
}

enum err_code resolve_all(struct reading *r)
{
    struct config *c = r->c;
    enum err_code rc = resolve_paths(r);
    if (!rc)
        rc = resolve_instructions(r);
    for (size_t i = 0; !rc && i < nsettings; i++) {
        if (settings[i].from)
            rc = fields_each(c, &settings[i], fall_back, c);
        if (settings[i].env)
            take_environment(r, &settings[i]);
    }
    for (size_t i = 0; !rc && i < c->nmodels; i++) {
        struct conf_model *m = (struct conf_model *)(uintptr_t)&c->models[i]; /* ours until conf_load returns */
        if (m->host.n && !m->upstream.n)
            m->upstream = m->name;
        name_adapters(m);
        if (m->sandbox == SANDBOX_UNSAID)
            m->sandbox = c->sandbox ? SANDBOX_ON : SANDBOX_OFF;
    }
    resolve_hosts(c);
    name_rules(c);
    return rc;
}
