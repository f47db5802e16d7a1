/* Finding, loading and freeing a configuration; the steps themselves are in tree.c, read.c, resolve.c and check.c. */
#include "conf/conf.h"

#include "conf/conf_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_there(struct str path) /* NUL behind its end */
{
    return access(path.p, F_OK) == 0;
}

static enum err_code take_named(struct str name, const char *by, struct arena *a, struct str *path, struct err *e)
{
    struct str copy = arena_copy(a, name);
    if (!is_there(copy)) {
        if (by)
            err_sys(e, ERR_CONFIG, errno, "%.*s (named by %s)", STR_ARG(name), by);
        else
            err_sys(e, ERR_CONFIG, errno, "the configuration %.*s", STR_ARG(name));
        return err_hint(e, "without a name, ./hob.yaml and ~/.config/hob/hob.yaml are looked for; no file at all is fine");
    }
    *path = copy;
    return ERR_OK;
}

enum err_code conf_find(struct str given, struct arena *a, struct str *path, struct err *e)
{
    struct str env = str_of(getenv("HOB_CONFIG")), home = str_of(getenv("HOME"));
    if (given.n)
        return take_named(given, NULL, a, path, e);
    if (env.n)
        return take_named(env, "HOB_CONFIG", a, path, e);
    struct str here = arena_copy(a, STR("hob.yaml"));
    struct str there = home.n ? path_join(a, home, STR(".config/hob/hob.yaml")) : (struct str){ NULL, 0 };
    *path = is_there(here) ? here : there.n && is_there(there) ? there : (struct str){ NULL, 0 };
    return ERR_OK;
}

static enum err_code absolute_name(struct arena *a, struct str name, struct str *out, struct err *e)
{
    char folder[4096];
    if (str_starts(name, STR("/"))) {
        *out = arena_copy(a, name);
        return ERR_OK;
    }
    if (!getcwd(folder, sizeof folder))
        return err_sys(e, ERR_CONFIG, errno, "the working directory has no name");
    *out = path_join(a, str_of(folder), name);
    return ERR_OK;
}

static enum err_code fill(struct reading *r, struct str text)
{
    struct node *root = NULL;
    struct str full = { NULL, 0 };
    enum err_code rc = absolute_name(&r->c->arena, r->name.n ? r->name : STR("none"), &full, r->e);
    if (rc)
        return rc;
    r->c->path = r->name.n ? full : (struct str){ "", 0 };
    r->c->text.hidden = arena_copy(&r->c->arena, text);
    expansion_init(&r->x, path_folder(full));
    rc = tree_parse(r->name, text, r->tree, &root, r->e);
    if (!rc)
        rc = read_tree(r, root);
    if (!rc)
        rc = resolve_all(r);
    if (!rc)
        rc = check_all(r);
    return rc;
}

/* open_file: others may read the file, so a key written in it deserves a word. */
static enum err_code parse(struct str name, struct str text, bool open_file, struct config **out, struct err *e)
{
    struct err unused = { 0 };
    struct arena tree;
    struct reading r = { .name = name, .tree = &tree, .e = e ? e : &unused };
    r.c = calloc(1, sizeof *r.c);
    if (!r.c)
        die("out of memory while reading the config");
    r.c->holders = 1;
    arena_init(&r.c->arena);
    arena_init(&tree);
    enum err_code rc = fill(&r, text);
    if (!rc && r.literal_secret && open_file)
        log_warn("%.*s holds a key and can be read by others: chmod 600 it, or write ${file:NAME}", STR_ARG(name));
    expansion_free(&r.x);
    free(r.said);
    arena_fini(&tree);
    if (rc)
        conf_free(r.c);
    else
        *out = r.c;
    return rc;
}

enum err_code conf_parse(struct str name, struct str text, struct config **out, struct err *e)
{
    return parse(name, text, false, out, e);
}

/* At most CONF_MAX_BYTES + 1: the tree says what is wrong with more. A FIFO is fine: `hob config check <(...)`. */
static enum err_code read_all(int fd, struct buf *text, struct err *e)
{
    buf_reserve(text, CONF_MAX_BYTES + 1);
    while (text->n <= CONF_MAX_BYTES) {
        ssize_t n = read(fd, text->p + text->n, CONF_MAX_BYTES + 1 - text->n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, ERR_CONFIG, errno, "cannot be read");
        if (n == 0)
            break;
        text->n += (size_t)n;
    }
    return ERR_OK;
}

enum err_code conf_load(struct str path, struct config **out, struct err *e)
{
    if (path.n == 0)
        return conf_parse((struct str){ NULL, 0 }, (struct str){ NULL, 0 }, out, e);
    struct arena a;
    struct buf text;
    struct stat st = { 0 };
    struct err sentence = { 0 };
    arena_init(&a);
    buf_init(&text, 0);
    enum err_code rc;
    int fd = open(arena_copy(&a, path).p, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        rc = err_sys(&sentence, ERR_CONFIG, errno, "cannot be opened");
    else
        rc = read_all(fd, &text, &sentence);
    if (rc && e)
        *e = sentence;
    if (rc)
        fail_here(path, (struct conf_place){ 0 }, (struct str){ NULL, 0 }, e);
    else
        rc = parse(path, buf_str(&text), (st.st_mode & (S_IRGRP | S_IROTH)) != 0, out, e);
    if (text.p)
        wipe(text.p, text.n); /* it may hold a key */
    buf_free(&text);
    arena_fini(&a);
    if (fd >= 0)
        close(fd);
    return rc;
}

const struct config *conf_hold(const struct config *c)
{
    ((struct config *)(uintptr_t)c)->holders++; /* the one thing in it that changes */
    return c;
}

static enum err_code wipe_secret(void *ctx, const struct setting *s, void *base)
{
    struct str hidden = ((const struct secret *)(const void *)((const char *)base + s->at))->hidden;
    if (hidden.n)
        wipe((void *)(uintptr_t)hidden.p, hidden.n);
    return ERR_OK;
}

void conf_free(const struct config *held)
{
    struct config *c = (struct config *)(uintptr_t)held;
    if (!c || --c->holders)
        return;
    if (c->base) { /* whose texts and secrets they are */
        conf_free(c->base);
        arena_fini(&c->arena);
        free(c);
        return;
    }
    for (size_t i = 0; i < nsettings; i++)
        if (settings[i].type == SET_SECRET)
            fields_each(c, &settings[i], wipe_secret, NULL);
    if (c->text.hidden.n)
        wipe((void *)(uintptr_t)c->text.hidden.p, c->text.hidden.n);
    arena_fini(&c->arena);
    free(c);
}

const struct conf_model *conf_model(const struct config *c, struct str name_or_alias)
{
    for (size_t i = 0; i < c->nmodels; i++) {
        const struct conf_model *m = &c->models[i];
        if (str_eq(m->name, name_or_alias))
            return m;
        for (size_t k = 0; k < m->aliases.n; k++)
            if (str_eq(m->aliases.at[k], name_or_alias))
                return m;
    }
    return NULL;
}

const struct conf_model *conf_meant(const struct config *c, struct str name, struct str *role)
{
    *role = (struct str){ NULL, 0 };
    for (size_t i = 0; i < c->naliases; i++)
        if (str_eq(c->aliases[i].name, name))
            name = c->aliases[i].to; /* no old name itself */
    for (size_t i = 0; i < c->nroles && !role->n; i++)
        if (str_eq(c->roles[i].name, name)) {
            *role = c->roles[i].name;
            name = c->roles[i].model; /* may be a tier */
        }
    for (size_t i = 0; i < c->ntiers; i++)
        if (str_eq(c->tiers[i].name, name))
            return conf_model(c, c->tiers[i].model);
    return conf_model(c, name);
}

bool conf_says(const struct config *c, const void *field)
{
    return said_where(c, field).line > 0;
}

const struct conf_host *conf_host(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->nhosts; i++)
        if (str_eq(c->hosts[i].name, name))
            return &c->hosts[i];
    return NULL;
}

const struct conf_engine *conf_engine(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->nengines; i++)
        if (str_eq(c->engines[i].name, name))
            return &c->engines[i];
    return NULL;
}
