/* What a child of ours may reach: the table of every engine (proc/fence.h), the model's files, what its words and environment name, `paths:`, and two
 * folders of its own: one in the run directory, where its socket lies and nobody else's, and one in STATE/children for what it writes down while it runs
 * (temporary files, compiled shaders). All other folders of ours are shut to it: they hold the others' keys and everybody's rows. */
#include "backend/child.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where libraries put what is costly to make. A program of the operator's own keeps its places: models may lie there. */
static const struct {
    const char *name, *folder;
} caches[] = {
    { "XDG_CACHE_HOME", "cache" },
    { "CUDA_CACHE_PATH", "cache/cuda" },
};

static struct str own_folder(const struct child *c, struct arena *a, const char *what)
{
    return arena_printf(a, "%.*s/children/%012llx%s%s", STR_ARG(c->b->config->state), (unsigned long long)c->number, *what ? "/" : "", what);
}

static bool is_fenced(const struct child *c)
{
    return c->b->model->sandbox != SANDBOX_OFF;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    if (at->level > 0)
        remove(path);
    return 0;
}

static void make_folder(struct str path)
{
    mkdir(path.p, 0700); /* it is there already, or the child will say what it misses */
}

/* On the pool, before a start: what the last one has left in its folder for temporary files goes. */
void child_fence_prepare(struct child *c)
{
    struct arena a;
    if (!is_fenced(c) || c->found_pid)
        return;
    arena_init(&a);
    make_folder(arena_printf(&a, "%.*s/children", STR_ARG(c->b->config->state)));
    make_folder(own_folder(c, &a, ""));
    make_folder(own_folder(c, &a, "cache"));
    make_folder(own_folder(c, &a, "cache/cuda"));
    nftw(own_folder(c, &a, "tmp").p, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    make_folder(own_folder(c, &a, "tmp"));
    arena_fini(&a);
}

static void add_paths(struct fence_rules *f, const struct conf_strs *paths, bool written)
{
    for (size_t i = 0; i < paths->n; i++) {
        struct str path = paths->at[i];
        bool writes = str_ends(path, STR(":rw"));
        if (writes == written)
            fence_add_path(f, writes ? FENCE_ALL : FENCE_RUN, str_make(path.p, path.n - (writes ? 3 : 0)));
    }
}

static void add_weights(struct fence_rules *f, const struct conf_model *m)
{
    const struct str files[] = { m->file, m->mmproj, m->draft };
    for (size_t i = 0; i < COUNTOF(files); i++)
        fence_add_word(f, files[i]);
    for (size_t i = 0; i < m->nloras; i++)
        fence_add_word(f, m->loras[i].file);
}

/* An engine that was told of others, to share the work with. */
static bool names_servers(const struct launch *l)
{
    for (size_t i = 0; i < l->nargv; i++)
        if (str_eq(l->argv[i], STR("--rpc")) || str_starts(l->argv[i], STR("--rpc=")))
            return true;
    return false;
}

static void own_places(struct child *c, struct launch *l)
{
    struct str folder = own_folder(c, &l->arena, "");
    fence_add(&l->fence, FENCE_WRITE, folder);
    launch_set_env(l, arena_printf(&l->arena, "TMPDIR=%.*s", STR_ARG(own_folder(c, &l->arena, "tmp"))));
    for (size_t i = 0; !c->b->model->command.n && i < COUNTOF(caches); i++)
        launch_set_env(l, arena_printf(&l->arena, "%s=%.*s", caches[i].name, STR_ARG(own_folder(c, &l->arena, caches[i].folder))));
}

void child_fence(struct child *c, struct launch *l)
{
    const struct conf_model *m = c->b->model;
    struct fence_rules *f = &l->fence;
    fence_init(f, &l->arena, c->b->config->state);
    if (!is_fenced(c))
        return;
    f->files = true;
    fence_add_system(f);
    bool talks = fence_add_gpus(f) || names_servers(l);
    if (m->command.n) /* what languages' libraries for several processes are built on */
        fence_add(f, FENCE_SHARED, STR("/dev/shm"));
    fence_add(f, FENCE_WRITE, str_make(c->sock, (size_t)(strrchr(c->sock, '/') - c->sock)));
    if (!c->kind->keyless)
        fence_add(f, FENCE_READ, str_of(c->key_file));
    if (m->keep_prompts)
        fence_add(f, FENCE_WRITE, arena_printf(&l->arena, "%.*s/prompts", STR_ARG(c->b->config->state)));
    add_paths(f, &m->paths, true);
    add_weights(f, m);
    add_paths(f, &m->paths, false);
    fence_add_program(f, l->argv[0]);
    for (size_t i = 1; i < l->nargv; i++)
        fence_add_word(f, l->argv[i]);
    for (size_t i = 0; i < l->nenv; i++)
        fence_add_env(f, l->env[i]);
    own_places(c, l);
    f->tcp = m->sandbox == SANDBOX_ON && !talks;
    f->calls = f->tcp && !m->command.n; /* a program of the operator's own may have workers that it speaks with */
    f->port = c->kind->port ? c->kind->port(c) : 0;
}
