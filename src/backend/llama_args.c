/* llama-server's command line. Each flag is here for a reason found by running it (doc/internals/engine.md). */
#include "backend/llama_args.h"

#include "base/buf.h"
#include "base/err.h"

#include <unistd.h>

enum {
    BATCH = 512,       /* a cancel takes effect only between batches: 2048, its default, means seconds */
};

static int64_t context_of(const struct conf_model *m, int64_t context_train)
{
    int64_t wanted = m->context ? m->context : LLAMA_DEFAULT_CONTEXT;
    return context_train > 0 && wanted > context_train ? context_train : wanted;
}

static int64_t batch_of(const struct conf_model *m, int64_t context)
{
    /* An embedder or reranker takes an input whole: its batch must hold the longest, or the engine answers 500. */
    return m->serves & SERVES_CHAT ? BATCH : context;
}

void llama_fit_ask(const struct conf_model *m, int64_t context_train, struct fit_ask *out)
{
    int64_t context = context_of(m, context_train);
    *out = (struct fit_ask){ .context = context, .slots = m->slots, .kv_k = m->kv, .kv_v = m->kv, .ubatch = batch_of(m, context),
        .cache_bytes = m->cache_bytes, .kv_shared = m->kv_shared, .flash = true, .all_logits = !(m->serves & SERVES_CHAT) };
}

static int64_t pick_context(const struct conf_model *m, const struct weights *w)
{
    int64_t context = context_of(m, w->context_train);
    if (m->context > context) /* beyond what it was trained for it allocates the memory and then does not use it */
        log_warn("%.*s: context %lld is more than the model was trained for; it gets %lld", STR_ARG(m->name), (long long)m->context,
            (long long)context);
    return context;
}

static int64_t pick_threads(const struct conf_model *m)
{
    if (m->threads)
        return m->threads;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 1 ? cores - 1 : 1; /* with all of them it collapses as soon as anything else runs */
}

static void add_batches(struct launch *c, const struct llama_args *a, const struct conf_model *m, const struct weights *w)
{
    bool whole = !(m->serves & SERVES_CHAT);
    int64_t batch = batch_of(m, a->context);
    launch_add_number(c, "--batch-size", batch);
    launch_add_number(c, "--ubatch-size", batch);
    if (whole)
        launch_add(c, m->serves & SERVES_RERANK ? STR("--reranking") : STR("--embeddings"));
    if (m->serves & SERVES_EMBED && !w->pooling) /* its header does not say how tokens become one vector; the engine would refuse */
        launch_add_pair(c, "--pooling", STR("mean"));
}

/* What lies beside the model: its projector, its draft, its adapters. `-md` alone does nothing: which kind of guessing is meant must be said too. */
static void add_companions(struct launch *c, const struct conf_model *m)
{
    if (m->mmproj.n)
        launch_add_pair(c, "--mmproj", m->mmproj);
    if (m->draft.n) {
        launch_add_pair(c, "--spec-type", STR("draft-simple"));
        launch_add_pair(c, "--model-draft", m->draft);
    }
    struct buf all = { 0 };
    for (size_t i = 0; i < m->nloras; i++)
        buf_printf(&all, "%s%.*s:%g", i ? "," : "", STR_ARG(m->loras[i].file), m->loras[i].scale);
    if (all.n)
        launch_add_pair(c, "--lora-scaled", arena_copy(&c->arena, buf_str(&all)));
    buf_free(&all);
}

void llama_args_make(struct llama_args *a, const struct conf_model *m, const struct weights *w, const char *sock, const char *key_file,
    struct launch *c)
{
    a->context = pick_context(m, w);
    launch_add(c, arena_copy(&c->arena, str_of(a->engine))); /* a dies before c */
    launch_add_pair(c, "--model", m->file);
    launch_add_pair(c, "--alias", m->name);
    launch_add_pair(c, "--host", str_of(sock));
    launch_add_pair(c, "--api-key-file", str_of(key_file));
    launch_add_number(c, "--ctx-size", m->kv_shared ? a->context : a->context * m->slots); /* divided among the slots */
    launch_add_number(c, "--parallel", m->slots);
    if (m->kv_shared)
        launch_add(c, STR("--kv-unified"));
    launch_add_pair(c, "--cache-type-k", m->kv);
    launch_add_pair(c, "--cache-type-v", m->kv);
    launch_add_number(c, "--threads", pick_threads(m));
    add_batches(c, a, m, w);
    launch_add_number(c, "--cache-ram", m->cache_bytes / (int64_t)MIB); /* prompts kept in memory; its default is 8 GiB */
    add_companions(c, m);
    if (a->prompts[0]) /* enough for saving and restoring; --slots would only show them */
        launch_add_pair(c, "--slot-save-path", arena_copy(&c->arena, str_of(a->prompts)));
    launch_add(c, STR("--no-ui"));
    launch_add(c, STR("--no-slots"));
    launch_add(c, STR("--offline"));
    launch_add_pair(c, "--cors-origins", STR("localhost"));
    for (size_t i = 0; i < m->args.n; i++)
        launch_add(c, m->args.at[i]);
    const char *slash = strrchr(key_file, '/'); /* it lies in the run directory, and all children's do */
    launch_pass_env(c, slash ? str_make(key_file, (size_t)(slash - key_file)) : str_of(key_file));
}

size_t llama_args_words(struct launch *l, const struct conf_model *m, int64_t context_train, struct str *words, size_t room)
{
    static const struct str left_out[] = { STR("--host"), STR("--api-key-file"), STR("--alias"), STR("-lv"), STR("--log-verbosity") };
    struct llama_args args = { .context = 0 };
    struct weights w = { .context_train = context_train };
    size_t n = 0;
    llama_args_make(&args, m, &w, "/", "/", l);
    for (size_t i = 1; i < l->nargv && n < room; i++) {
        size_t k = 0;
        while (k < COUNTOF(left_out) && !str_eq(l->argv[i], left_out[k]))
            k++;
        if (k < COUNTOF(left_out))
            i++; /* and its value */
        else
            words[n++] = l->argv[i];
    }
    return n;
}
