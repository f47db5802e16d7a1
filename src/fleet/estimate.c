#include "fleet/estimate.h"

#include "backend/llama_args.h"
#include "base/log.h"
#include "conf/conf.h"
#include "loop/loop.h"
#include "model/files.h"
#include "model/identity.h"
#include "proc/machine.h"
#include "store/probes.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_IDENTITY_PARTS = 160 };  /* the operator's arguments, and the files beside the model */

/* What a model's files say. */
struct looked {
    struct model_files files, draft_files;
    struct shape shape, draft;
    struct fit_extras extras;
};

/* ---- this machine ---- */

static int64_t machine_total;

static void look_at_machine(void)
{
    struct machine m;
    machine_look("", &m);
    machine_total = m.models_total;
}

/* What models could have at most. Looked up once: it may take a second to ask, and does not change. */
static int64_t machine_bytes(const struct config *c)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (c->budget_bytes)
        return c->budget_bytes;
    pthread_once(&once, look_at_machine);
    return machine_total;
}

/* ---- the files ---- */

static enum err_code file_bytes(struct str path, int64_t *sum, struct err *e)
{
    struct model_files f;
    enum err_code rc = model_files_open_gguf(path.p, &f, e);
    if (rc)
        return rc;
    *sum += (int64_t)f.tensor_bytes;
    model_files_close(&f);
    return ERR_OK;
}

static enum err_code look_at_draft(struct looked *l, struct str path, struct err *e)
{
    enum err_code rc = model_files_open_gguf(path.p, &l->draft_files, e);
    if (!rc)
        rc = shape_of_gguf(&l->draft_files.first, &l->draft_files.arena, &l->draft, e);
    if (rc)
        return rc;
    l->draft.weights_bytes = (int64_t)l->draft_files.tensor_bytes;
    l->extras.draft = &l->draft;
    return ERR_OK;
}

static enum err_code look_at_files(struct looked *l, const struct conf_model *m, struct err *e)
{
    enum err_code rc = shape_of_gguf(&l->files.first, &l->files.arena, &l->shape, e);
    l->shape.weights_bytes = (int64_t)l->files.tensor_bytes; /* of all parts */
    if (!rc && m->mmproj.n)
        rc = file_bytes(m->mmproj, &l->extras.mmproj_bytes, e);
    for (size_t i = 0; !rc && i < m->nloras; i++)
        rc = file_bytes(m->loras[i].file, &l->extras.lora_bytes, e);
    if (!rc && m->draft.n)
        rc = look_at_draft(l, m->draft, e);
    return rc;
}

/* ---- the engine ---- */

static enum err_code check_architecture(const struct config *c, const struct engine *g, enum estimate_effort effort, struct store *s,
    struct estimate *out, struct err *e)
{
    struct str name = str_of(out->architecture);
    enum probe_answer answer = effort == ESTIMATE_CACHED ? engine_remembers(g, name, s) : engine_knows(g, name, s);
    out->architecture_unclear = answer == PROBE_UNCLEAR;
    return answer == PROBE_UNKNOWN ? engine_refuse(c, g, name, s, e) : ERR_OK;
}

/* The child's own command line without what binds it to its place, so that the answer is for the very same settings. */
static bool ask_projection(const struct engine *g, const struct conf_model *m, const struct looked *l, int64_t *bytes)
{
    static const struct str more[] = { STR("--port"), STR("0"), STR("-lv"), STR("4") };
    struct str words[LAUNCH_MAX_WORDS];
    struct launch launch;
    launch_init(&launch);
    size_t n = llama_args_words(&launch, m, l->shape.context_train, words, COUNTOF(words) - COUNTOF(more));
    for (size_t i = 0; i < COUNTOF(more); i++)
        words[n++] = more[i];
    bool says = engine_projects(g, words, n, bytes);
    launch_free(&launch);
    return says;
}

/* ---- identities ---- */

/* As what it is given counts, too: the same file may be one model's draft and another's mistake. */
static bool add_part(struct str *parts, size_t *n, char ids[][IDENTITY_HEX], struct str as, struct str path)
{
    struct identity id;
    if (*n == MAX_IDENTITY_PARTS || !path.n)
        return false;
    identity_init(&id);
    identity_add(&id, as);
    identity_add_file(&id, path.p);
    identity_hex(&id, ids[*n]);
    parts[*n] = str_of(ids[*n]);
    ++*n;
    return true;
}

static void identify_settings(struct estimate *out, const struct conf_model *m)
{
    struct str parts[MAX_IDENTITY_PARTS];
    char(*ids)[IDENTITY_HEX] = calloc(MAX_IDENTITY_PARTS, IDENTITY_HEX);
    size_t n = 0;
    if (!ids)
        die("out of memory");
    for (; n < m->args.n && n < MAX_IDENTITY_PARTS; n++)
        parts[n] = m->args.at[n];
    add_part(parts, &n, ids, STR("mmproj"), m->mmproj);
    add_part(parts, &n, ids, STR("draft"), m->draft);
    for (size_t i = 0; i < m->nloras; i++)
        add_part(parts, &n, ids, STR("lora"), m->loras[i].file);
    calibrate_settings_id(&out->ask, parts, n, out->settings);
    free(ids);
}

static void identify_files(struct estimate *out, const struct model_files *f)
{
    struct identity id;
    identity_init(&id);
    for (size_t i = 0; i < f->n; i++)
        identity_add_file(&id, f->paths[i].p);
    identity_hex(&id, out->model);
}

/* A command is the model, the engine and the settings at once. */
static void identify_command(struct estimate *out, const struct conf_model *m)
{
    struct identity id;
    identity_init(&id);
    identity_add(&id, m->command);
    for (size_t i = 0; i < m->env.n; i++)
        identity_add(&id, m->env.at[i]);
    identity_hex(&id, out->model);
    memcpy(out->settings, out->model, sizeof out->settings);
}

/* ---- the sum ---- */

static void put_projection(struct store *s, const struct estimate *est, int64_t arithmetic, int64_t bytes)
{
    struct calibration row = { .estimated_bytes = arithmetic, .projected_bytes = bytes };
    struct err e;
    memcpy(row.model, est->model, sizeof row.model);
    memcpy(row.engine, est->engine, sizeof row.engine);
    memcpy(row.settings, est->settings, sizeof row.settings);
    if (s)
        (void)!calibrations_put(s, &row, &e); /* it is asked again then */
}

/* What the store's rows make of it. */
static void use_rows(struct estimate *out, const struct config *c, struct store *s, const struct calibration *projection)
{
    struct arena arena;
    struct err e;
    const struct calibration *rows = projection;
    size_t n = projection ? 1 : 0;
    arena_init(&arena);
    if (!n && s && calibrations_of(s, str_of(out->model), str_of(out->engine), &arena, &rows, &n, &e))
        n = 0; /* the store has said why */
    const struct calibrate_ask ask = {
        .total_bytes = out->terms.total - out->terms.cache,
        .cache_bytes = out->terms.cache,
        .weights_bytes = out->terms.weights + out->terms.extras,
        .machine_bytes = n ? machine_bytes(c) : 0,
        .settings = str_of(out->settings),
    };
    out->bytes = calibrate(&ask, rows, n, &out->source);
    arena_fini(&arena);
}

static void project(struct estimate *out, const struct config *c, const struct conf_model *m, const struct engine *g, const struct looked *l,
    struct store *s)
{
    struct calibration row = { .estimated_bytes = out->terms.total - out->terms.cache };
    int64_t bytes;
    if (!ask_projection(g, m, l, &bytes))
        return;
    row.projected_bytes = bytes + out->terms.process; /* the engine does not count itself */
    memcpy(row.settings, out->settings, sizeof row.settings);
    put_projection(s, out, row.estimated_bytes, row.projected_bytes);
    use_rows(out, c, s, &row);
}

static enum err_code estimate_file(const struct config *c, const struct conf_model *m, enum estimate_effort effort, struct store *s, struct looked *l,
    struct estimate *out, struct err *e)
{
    struct engine g;
    enum err_code rc = engine_find(c, m->engine, &g, e);
    if (rc)
        return rc;
    memcpy(out->engine, g.hash, sizeof out->engine);
    snprintf(out->architecture, sizeof out->architecture, "%.*s", STR_ARG(l->files.first.architecture));
    identify_files(out, &l->files);
    rc = check_architecture(c, &g, effort, s, out, e);
    if (!rc)
        rc = look_at_files(l, m, e);
    if (rc)
        return rc;
    out->context_train = l->shape.context_train;
    llama_fit_ask(m, l->shape.context_train, &out->ask);
    identify_settings(out, m);
    if (!fit_compute(&l->shape, &l->extras, &out->ask, &out->terms)) {
        err_set(e, ERR_CONFIG, "'%.*s': nobody knows how large keys and values of type '%.*s' are.", STR_ARG(m->name), STR_ARG(m->kv));
        return err_hint(e, "Check `kv:` of the model, or say what it needs with `memory:`.");
    }
    if (m->memory_bytes)
        return ERR_OK;
    use_rows(out, c, s, NULL);
    if (out->source == FIT_ESTIMATE && effort == ESTIMATE_PROJECT)
        project(out, c, m, &g, l, s);
    return ERR_OK;
}

enum err_code estimate_model(const struct config *c, const struct conf_model *m, enum estimate_effort effort, struct store *s, struct estimate *out,
    struct err *e)
{
    struct estimate est = { .source = FIT_UNKNOWN };
    struct looked l = { .extras = { 0 } };
    enum err_code rc = ERR_OK;
    if (m->command.n) {
        identify_command(&est, m);
        if (!m->memory_bytes)
            use_rows(&est, c, s, NULL);
    } else {
        rc = model_files_open_gguf(m->file.p, &l.files, e);
        if (rc)
            return rc;
        rc = estimate_file(c, m, effort, s, &l, &est, e);
        model_files_close(&l.files);
        model_files_close(&l.draft_files);
    }
    if (rc)
        return rc;
    if (m->memory_bytes) {
        est.bytes = m->memory_bytes;
        est.source = FIT_GIVEN;
    }
    *out = est;
    return ERR_OK;
}

/* ---- ahead of time ---- */

struct warming {
    struct work work;
    const struct config *config;
    struct store *store;
};

static void warm(void *ctx) /* on the pool */
{
    struct warming *w = ctx;
    for (size_t i = 0; i < w->config->nmodels; i++) {
        const struct conf_model *m = &w->config->models[i];
        struct model_files f;
        struct engine g;
        struct err e;
        int known;
        if (!m->file.n || model_files_open_gguf(m->file.p, &f, &e))
            continue;
        bool open = true;
        if (!engine_find(w->config, m->engine, &g, &e)) {
            open = !probes_find(w->store, str_of(g.hash), f.first.architecture, &known, &e);
            if (open)
                engine_knows(&g, f.first.architecture, w->store);
        }
        model_files_close(&f);
        if (!open) /* the store is closed: we are leaving */
            break;
    }
}

static void warmed(void *ctx)
{
    struct warming *w = ctx;
    store_release(w->store);
    conf_free(w->config);
    free(w);
}

void estimate_warm(struct loop *l, const struct config *c, struct store *s)
{
    if (!s)
        return;
    struct warming *w = calloc(1, sizeof *w);
    if (!w)
        die("out of memory");
    w->config = conf_hold(c);
    w->store = store_hold(s);
    work_init(&w->work, warm, warmed, w);
    loop_work(l, &w->work);
}
