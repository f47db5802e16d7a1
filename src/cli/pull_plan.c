/* A wish becomes jobs. A repository's files lie in a folder of its own (projectors are called the same in many), what has a name of the user's or comes
 * from an address lies in the models folder itself, a configured model's where its configuration wants it. */
#include "cli/pull_plan.h"

#include "conf/conf.h"
#include "model/files.h"
#include "model/retry.h"

#include <sys/stat.h>

struct planning {
    const struct config *c;
    const struct hub_access *h;
    const struct pull_wish *w;
    struct arena *a;
    struct pull_plan *p;
    struct pull_job *jobs;
    struct err *e;
};

static enum err_code wrong(struct planning *g, const char *param, const char *what)
{
    err_set(g->e, ERR_INVALID_REQUEST, "%s", what);
    return err_param(g->e, "%s", param);
}

/* ---- what is meant ---- */

static enum err_code read_name(struct planning *g)
{
    const struct pull_wish *w = g->w;
    const struct conf_model *m = conf_model(g->c, w->what);
    struct str text = w->what;
    if (m && (!m->file.n || !m->hub.n)) {
        err_set(g->e, ERR_INVALID_REQUEST, "the configuration does not say where models.%.*s comes from", STR_ARG(m->name));
        return err_hint(g->e, m->file.n ? "give it `hub: ORG/REPOSITORY:QUANTISATION`, or an address" : "only a model with `file:` can be fetched");
    }
    if (m && w->to.n)
        return wrong(g, "--to", "a configured model's file has its name already: leave --to out");
    if (!m && !hub_is_name(text)) {
        err_set(g->e, ERR_INVALID_REQUEST, "no model '%.*s' is configured", STR_ARG(text));
        return err_hint(g->e, "name a model of the configuration with `hub:`, ORG/REPOSITORY[:QUANTISATION], or an https:// address");
    }
    g->p->model = m;
    enum err_code rc = hub_name_parse(m ? m->hub : text, g->h->base, g->a, &g->p->name, g->e);
    struct hub_name *n = &g->p->name;
    if (!rc && w->quant.n && (n->file.n || n->url.n || (n->quant.n && !m && !str_eq_nocase(n->quant, w->quant))))
        return wrong(g, "--quant", "the name says already which file is meant: leave --quant out");
    if (!rc && w->projector && n->url.n)
        return wrong(g, "--mmproj", "an address is of one file: give the projector's own address");
    if (w->quant.n)
        n->quant = w->quant;
    return rc;
}

/* ---- under which name ---- */

/* What --to says, without an extension. */
static enum err_code read_to(struct planning *g, struct str *stem)
{
    struct str name = g->w->to, end = STR(".gguf");
    if (!str_eq(hub_file_name(name), name) || name.n > HUB_MAX_NAME - 32)
        return wrong(g, "--to", "--to takes a file name: letters, digits and . _ - +, no leading dot");
    *stem = name.n > end.n && str_eq_nocase(str_from(name, name.n - end.n), end) ? str_make(name.p, name.n - end.n) : name;
    return ERR_OK;
}

static struct str folder_of(struct str path)
{
    size_t n = path.n;
    while (n && path.p[n - 1] != '/')
        n--;
    return str_make(path.p, n);
}

/* The i-th of n files of a configured model: as `file:` is called, which for a split one is its first part. */
static enum err_code configured_target(struct planning *g, size_t i, size_t n, struct str *out)
{
    const struct conf_model *m = g->p->model;
    struct model_part part;
    bool named = model_part_read(m->file, &part);
    if (n == 1 && !named) {
        *out = arena_copy(g->a, m->file);
        return ERR_OK;
    }
    if (!named || part.number != 1 || part.of != (int64_t)n) {
        err_set(g->e, ERR_INVALID_REQUEST, "models.%.*s comes in %zu file%s, and its `file:` is not called so", STR_ARG(m->name), n, n == 1 ? "" : "s");
        return err_hint(g->e, n == 1 ? "give it a name without -00001-of-…" : "let it end in -00001-of-%05zu.gguf", n);
    }
    *out = model_part_path(g->a, &part, (int64_t)i + 1);
    return ERR_OK;
}

static enum err_code target(struct planning *g, struct str file_name, size_t i, size_t n, bool projector, struct str *out)
{
    struct str dir = g->c->models_dir, stem = { NULL, 0 };
    const struct conf_model *m = g->p->model;
    if (m && projector && m->mmproj.n) {
        *out = arena_copy(g->a, m->mmproj);
        return ERR_OK;
    }
    if (m && !projector)
        return configured_target(g, i, n, out);
    if (m) {
        *out = arena_printf(g->a, "%.*s%.*s", STR_ARG(folder_of(m->file)), STR_ARG(file_name));
        return ERR_OK;
    }
    if (g->w->to.n) {
        enum err_code rc = read_to(g, &stem);
        if (rc)
            return rc;
        if (n > 1)
            *out = arena_printf(g->a, "%.*s/%.*s-%05zu-of-%05zu.gguf", STR_ARG(dir), STR_ARG(stem), i + 1, n);
        else
            *out = arena_printf(g->a, "%.*s/%.*s%s.gguf", STR_ARG(dir), STR_ARG(stem), projector ? "-mmproj" : "");
    } else if (g->p->name.org.n) {
        *out = arena_printf(g->a, "%.*s/%.*s/%.*s", STR_ARG(dir), STR_ARG(hub_folder(&g->p->name, g->a)), STR_ARG(file_name));
    } else {
        *out = arena_printf(g->a, "%.*s/%.*s", STR_ARG(dir), STR_ARG(file_name));
    }
    return ERR_OK;
}

/* ---- whence ---- */

/* Mirrors first, then the hub; commit NULL: the hub is out of reach. */
static size_t sources_of(struct planning *g, struct str path, const struct str *commit, const struct pull_source **out)
{
    const struct config *c = g->c;
    struct pull_source *s = arena_array(g->a, struct pull_source, c->mirrors.n + 1);
    size_t n = 0;
    for (; n < c->mirrors.n; n++)
        s[n].url = hub_mirror_url(c->mirrors.at[n], &g->p->name, path, g->a);
    if (commit) {
        s[n].url = hub_file_url(g->h->base, &g->p->name, *commit, path, g->a);
        s[n++].token = g->h->token;
    }
    *out = s;
    return n;
}

/* The hash that is expected: what a person pinned goes before what the hub says, and must not contradict it. */
static enum err_code pin(struct planning *g, struct pull_job *j)
{
    struct str pinned = g->w->sha256.n ? g->w->sha256 : g->p->model ? g->p->model->sha256 : (struct str){ NULL, 0 };
    if (!pinned.n || j->projector)
        return ERR_OK;
    if (j->part)
        return g->w->sha256.n ? wrong(g, "--sha256", "a SHA-256 is of one file, and this model comes in several") : ERR_OK;
    char *lower = arena_alloc(g->a, pinned.n + 1);
    for (size_t i = 0; i < pinned.n; i++)
        lower[i] = pinned.p[i] >= 'A' && pinned.p[i] <= 'F' ? (char)(pinned.p[i] - 'A' + 'a') : pinned.p[i];
    struct str want = str_make(lower, pinned.n);
    if (j->sha256.n && !str_eq(j->sha256, want)) {
        err_set(g->e, ERR_WEIGHTS_BROKEN, "the hub says the file's SHA-256 is %.*s, it should be %.*s: nothing was fetched", STR_ARG(j->sha256),
            STR_ARG(want));
        return err_hint(g->e, "the file there was replaced, or another one is meant");
    }
    j->sha256 = want;
    return ERR_OK;
}

static enum err_code add_choice(struct planning *g, const struct hub_choice *choice, struct str commit)
{
    enum err_code rc = ERR_OK;
    for (size_t i = 0; !rc && i < choice->n; i++) {
        const struct hub_file *f = choice->files[i];
        struct pull_job *j = &g->jobs[g->p->n++];
        *j = (struct pull_job){ .bytes = f->bytes, .sha256 = f->sha256, .projector = choice->projector, .part = choice->n > 1 };
        j->nsources = sources_of(g, f->path, &commit, &j->sources);
        rc = target(g, f->name, i, choice->n, choice->projector, &j->target);
        if (!rc)
            rc = pin(g, j);
    }
    return rc;
}

/* Where each file is to be had, by its path or address. */
typedef size_t sources_fn(struct planning *g, struct str path, const struct pull_source **out);

static size_t from_address(struct planning *g, struct str url, const struct pull_source **out)
{
    struct pull_source *s = arena_new(g->a, struct pull_source);
    *s = (struct pull_source){ .url = url, .token = hub_token_for(g->h, url) };
    *out = s;
    return 1;
}

static size_t from_mirrors(struct planning *g, struct str path, const struct pull_source **out)
{
    return sources_of(g, path, NULL, out);
}

/* Names are all that is known: of an address, or of mirrors while the hub is out of reach. One part of a split model stands for all of them. */
static enum err_code add_unknown(struct planning *g, struct str path, sources_fn *whence)
{
    struct model_part part;
    struct str rest, plain = str_cut(str_cut(path, '?', &rest), '#', &rest);
    bool whole_address = plain.n == path.n; /* what follows may be a signature for this one file */
    bool split = model_part_read(plain, &part) && part.of > 1;
    size_t n = split && whole_address ? (size_t)part.of : 1;
    enum err_code rc = ERR_OK;
    if (n > MODEL_MAX_PARTS)
        return wrong(g, "", "no model has so many parts");
    g->jobs = arena_array(g->a, struct pull_job, n);
    for (size_t i = 0; !rc && i < n; i++) {
        struct pull_job *j = &g->jobs[g->p->n++];
        struct str one = n > 1 ? model_part_path(g->a, &part, (int64_t)i + 1) : path;
        *j = (struct pull_job){ .bytes = -1, .part = split };
        j->nsources = whence(g, one, &j->sources);
        rc = target(g, hub_file_name(n > 1 ? one : plain), i, n, false, &j->target);
        if (!rc)
            rc = pin(g, j);
    }
    return rc;
}

static enum err_code plan_repo(struct planning *g)
{
    struct pull_plan *p = g->p;
    struct hub_repo repo;
    struct hub_choice model, projector;
    enum err_code rc = hub_ask(g->h, &p->name, g->a, &repo, g->e);
    if (retry_may_help(rc) && hub_file_name(p->name.file).n && g->c->mirrors.n && !g->w->projector)
        return add_unknown(g, p->name.file, from_mirrors); /* the mirrors may be nearer than the hub */
    if (rc)
        return rc;
    rc = hub_choose(&repo, &p->name, g->c->quant.n ? g->c->quant : STR(HUB_DEFAULT_QUANT), g->a, &model, g->e);
    if (rc) {
        p->nthere = hub_choices(&repo, g->a, &p->there);
        return rc;
    }
    p->has_projector = hub_choose_projector(&repo, g->a, &projector);
    if (g->w->projector && !p->has_projector) {
        err_set(g->e, ERR_NOT_FOUND, "%.*s/%.*s has no projector", STR_ARG(p->name.org), STR_ARG(p->name.repo));
        return err_hint(g->e, "leave --mmproj out");
    }
    p->choice = model.label;
    g->jobs = arena_array(g->a, struct pull_job, model.n + (g->w->projector ? projector.n : 0));
    rc = add_choice(g, &model, repo.commit);
    if (!rc && g->w->projector)
        rc = add_choice(g, &projector, repo.commit);
    return rc;
}

enum err_code pull_plan_make(const struct config *c, const struct hub_access *h, const struct pull_wish *w, struct arena *a, struct pull_plan *out,
    struct err *e)
{
    struct planning g = { .c = c, .h = h, .w = w, .a = a, .p = out, .e = e };
    struct str stem;
    *out = (struct pull_plan){ 0 };
    if (w->sha256.n && !sha256_is_hex(w->sha256))
        return wrong(&g, "--sha256", "--sha256 takes 64 hexadecimal digits");
    enum err_code rc = read_name(&g);
    if (!rc && w->to.n)
        rc = read_to(&g, &stem);
    if (!rc)
        rc = out->name.url.n ? add_unknown(&g, out->name.url, from_address) : plan_repo(&g);
    out->jobs = g.jobs;
    return rc;
}

int64_t pull_plan_missing(const struct pull_plan *p, bool force, struct arena *a)
{
    int64_t bytes = 0;
    struct stat st;
    for (size_t i = 0; i < p->n; i++) {
        const struct pull_job *j = &p->jobs[i];
        bool there = !force && stat(j->target.p, &st) == 0 && st.st_size == j->bytes;
        int64_t part = pull_part_bytes(j->target, a);
        if (!there && j->bytes > part && __builtin_add_overflow(bytes, j->bytes - part, &bytes))
            return INT64_MAX;
    }
    return bytes;
}
