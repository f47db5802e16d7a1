/* llama-server's command line. Each flag is here for a reason found by running it (doc/internals/engine.md). */
#include "backend/llama_args.h"

#include "base/err.h"

#include <unistd.h>

enum {
    BATCH = 512,       /* a cancel takes effect only between batches: 2048, its default, means seconds */
    CACHE_MIB = 256,   /* prompts kept in memory; its default is 8 GiB */
};

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

/* An embedder or reranker takes an input whole: its batch must hold the longest, or the engine answers 500. */
static void add_batches(struct launch *c, const struct llama_args *a, const struct conf_model *m, const struct weights *w)
{
    bool whole = !(m->serves & SERVES_CHAT);
    int64_t batch = whole ? a->context : BATCH;
    launch_add_number(c, "--batch-size", batch);
    launch_add_number(c, "--ubatch-size", batch);
    if (whole)
        launch_add(c, m->serves & SERVES_RERANK ? STR("--reranking") : STR("--embeddings"));
    if (m->serves & SERVES_EMBED && !w->pooling) /* its header does not say how tokens become one vector; the engine would refuse */
        launch_add_pair(c, "--pooling", STR("mean"));
}

void llama_args_make(struct llama_args *a, const struct conf_model *m, const struct weights *w, const char *sock, const char *key_file,
    struct launch *c)
{
    a->context = pick_context(m, w);
    launch_add(c, str_of(a->engine));
    launch_add_pair(c, "--model", m->file);
    launch_add_pair(c, "--alias", m->name);
    launch_add_pair(c, "--host", str_of(sock));
    launch_add_pair(c, "--api-key-file", str_of(key_file));
    launch_add_number(c, "--ctx-size", a->context * m->slots); /* divided among the slots */
    launch_add_number(c, "--parallel", m->slots);
    launch_add_pair(c, "--cache-type-k", m->kv);
    launch_add_pair(c, "--cache-type-v", m->kv);
    launch_add_number(c, "--threads", pick_threads(m));
    add_batches(c, a, m, w);
    launch_add_number(c, "--cache-ram", CACHE_MIB);
    launch_add(c, STR("--no-ui"));
    launch_add(c, STR("--no-slots"));
    launch_add(c, STR("--offline"));
    launch_add_pair(c, "--cors-origins", STR("localhost"));
    for (size_t i = 0; i < m->args.n; i++)
        launch_add(c, m->args.at[i]);
    const char *slash = strrchr(sock, '/');
    launch_pass_env(c, slash ? str_make(sock, (size_t)(slash - sock)) : str_of(sock));
}

enum err_code llama_find_engine(struct str named, char *out, size_t room, struct err *e)
{
    if (launch_find_program(named, out, room))
        return ERR_OK;
    if (named.n && memchr(named.p, '/', named.n)) {
        err_set(e, ERR_ENGINE_MISSING, "The engine '%.*s' is not there, or is no program that may be run.", STR_ARG(named));
        return err_hint(e, "Check `engines: {llama: {path: …}}` in hob.yaml.");
    }
    err_set(e, ERR_ENGINE_MISSING, "No engine: there is no '%.*s' on PATH.", STR_ARG(named));
    return err_hint(e, "Install llama.cpp, or name its llama-server in `engines: {llama: {path: …}}` in hob.yaml.");
}
