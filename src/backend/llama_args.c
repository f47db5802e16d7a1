/* llama-server's command line. Each flag is here for a reason found by running it (doc/internals/engine.md). */
#include "backend/llama_args.h"

#include "base/err.h"
#include "proc/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum {
    BATCH = 512,       /* a cancel takes effect only between batches: 2048, its default, means seconds */
    CACHE_MIB = 256,   /* prompts kept in memory; its default is 8 GiB */
};

static void add(struct llama_args *a, struct str s)
{
    if (a->nargv == LLAMA_MAX_ARGS)
        die("more than %d arguments for an engine", LLAMA_MAX_ARGS); /* the configuration allows 64 of the user's */
    a->argv[a->nargv++] = s;
}

static void add_pair(struct llama_args *a, const char *flag, struct str value)
{
    add(a, str_of(flag));
    add(a, value);
}

static void add_number(struct llama_args *a, const char *flag, int64_t v)
{
    add_pair(a, flag, arena_printf(&a->arena, "%lld", (long long)v));
}

static int64_t pick_context(const struct conf_model *m, const struct weights *w)
{
    int64_t wanted = m->context ? m->context : LLAMA_DEFAULT_CONTEXT;
    /* Beyond what it was trained for it allocates the memory and then does not use it. */
    if (w->context_train > 0 && wanted > w->context_train) {
        if (m->context)
            log_warn("%.*s: context %lld is more than the model was trained for; it gets %lld", STR_ARG(m->name),
                (long long)m->context, (long long)w->context_train);
        return w->context_train;
    }
    return wanted;
}

static int64_t pick_threads(const struct conf_model *m)
{
    if (m->threads)
        return m->threads;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 1 ? cores - 1 : 1; /* with all of them it collapses as soon as anything else runs */
}

/* What an engine may need of our environment: where libraries and devices are. No secret of ours is in any of these. */
static const char *const passed_on[] = { "PATH=", "HOME=", "USER=", "LANG=", "LC_", "TMPDIR=", "XDG_CACHE_HOME=", "LD_LIBRARY_PATH=",
    "DYLD_LIBRARY_PATH=", "CUDA_", "NVIDIA_", "HIP_", "HSA_", "ROCR_", "VK_", "GGML_", "OMP_" };

static void add_env(struct llama_args *a, struct str run_dir)
{
    /* Whatever this child may start carries it too: how the next start finds what outlived a killed keeper (proc/sweep.h). */
    a->env[a->nenv++] = arena_printf(&a->arena, "%s=%.*s", SWEEP_VARIABLE, STR_ARG(run_dir));
    for (char **v = environ; *v; v++)
        for (size_t i = 0; i < COUNTOF(passed_on); i++)
            if (str_starts(str_of(*v), str_of(passed_on[i])) && a->nenv < LLAMA_MAX_ENV) {
                a->env[a->nenv++] = str_of(*v);
                break;
            }
}

/* An embedder or reranker takes an input whole: its batch must hold the longest, or the engine answers 500. */
static void add_batches(struct llama_args *a, const struct conf_model *m, const struct weights *w)
{
    bool whole = !(m->serves & SERVES_CHAT);
    int64_t batch = whole ? a->context : BATCH;
    add_number(a, "--batch-size", batch);
    add_number(a, "--ubatch-size", batch);
    if (whole)
        add(a, m->serves & SERVES_RERANK ? STR("--reranking") : STR("--embeddings"));
    if (m->serves & SERVES_EMBED && !w->pooling) /* its header does not say how tokens become one vector; the engine would refuse */
        add_pair(a, "--pooling", STR("mean"));
}

void llama_args_make(struct llama_args *a, const struct conf_model *m, const struct weights *w, const char *sock, const char *key_file)
{
    arena_init(&a->arena);
    a->context = pick_context(m, w);
    add(a, str_of(a->engine));
    add_pair(a, "--model", m->file);
    add_pair(a, "--alias", m->name);
    add_pair(a, "--host", str_of(sock));
    add_pair(a, "--api-key-file", str_of(key_file));
    add_number(a, "--ctx-size", a->context * m->slots); /* divided among the slots */
    add_number(a, "--parallel", m->slots);
    add_pair(a, "--cache-type-k", m->kv);
    add_pair(a, "--cache-type-v", m->kv);
    add_number(a, "--threads", pick_threads(m));
    add_batches(a, m, w);
    add_number(a, "--cache-ram", CACHE_MIB);
    add(a, STR("--no-ui"));
    add(a, STR("--no-slots"));
    add(a, STR("--offline"));
    add_pair(a, "--cors-origins", STR("localhost"));
    for (size_t i = 0; i < m->args.n; i++)
        add(a, m->args.at[i]);
    const char *slash = strrchr(sock, '/');
    add_env(a, slash ? str_make(sock, (size_t)(slash - sock)) : str_of(sock));
}

void llama_args_free(struct llama_args *a)
{
    arena_fini(&a->arena);
}

/* A program, whole in `out` (n is what snprintf said). A folder may be entered, which access() calls the same. */
static bool runnable(const char *out, int n, size_t room)
{
    struct stat st;
    return n > 0 && (size_t)n < room && stat(out, &st) == 0 && S_ISREG(st.st_mode) && access(out, X_OK) == 0;
}

static bool find_on_path(struct str name, char *out, size_t room)
{
    struct str rest = str_of(getenv("PATH"));
    while (rest.p && name.n) {
        struct str dir = str_cut(rest, ':', &rest);
        if (dir.n && runnable(out, snprintf(out, room, "%.*s/%.*s", STR_ARG(dir), STR_ARG(name)), room))
            return true;
    }
    return false;
}

enum err_code llama_find_engine(struct str named, char *out, size_t room, struct err *e)
{
    if (named.n && memchr(named.p, '/', named.n)) {
        if (runnable(out, snprintf(out, room, "%.*s", STR_ARG(named)), room))
            return ERR_OK;
        err_set(e, ERR_ENGINE_MISSING, "The engine '%.*s' is not there, or is no program that may be run.", STR_ARG(named));
        return err_hint(e, "Check `engines: {llama: {path: …}}` in hob.yaml.");
    }
    if (find_on_path(named, out, room))
        return ERR_OK;
    err_set(e, ERR_ENGINE_MISSING, "No engine: there is no '%.*s' on PATH.", STR_ARG(named));
    return err_hint(e, "Install llama.cpp, or name its llama-server in `engines: {llama: {path: …}}` in hob.yaml.");
}
