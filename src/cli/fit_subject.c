/* What `hob fit` is asked about: figures, an address, a model of the configuration, a file, a folder. */
#include "cli/fit.h"

#include "cli/assume.h"
#include "cli/subject.h"
#include "model/files.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- figures ---- */

static bool want(const struct cli_args *a, const char *option, const char *like, bool (*read)(struct str s, int64_t *out), int64_t *out)
{
    struct str v = cli_option_value(a, option);
    if (v.p && read(v, out))
        return true;
    if (v.p)
        fprintf(stderr, "hob: %s: '%.*s' is not a number that it could be, like %s\n", option, STR_ARG(v), like);
    else
        fprintf(stderr, "hob: without a model, --params, --quant, --layers, --kv-heads and --head-dim are needed: %s is missing\n", option);
    return false;
}

static bool read_count(struct str s, int64_t *out)
{
    return str_to_int(s, 1, INT32_MAX, out);
}

static int from_figures(const struct cli_args *a, struct fit_subject *s)
{
    struct shape_figures f = { .quant = cli_option_value(a, "--quant") };
    struct err e;
    if (!want(a, "--params", "70B", fit_read_params, &f.params) || !want(a, "--layers", "80", read_count, &f.layers) ||
        !want(a, "--kv-heads", "8", read_count, &f.kv_heads) || !want(a, "--head-dim", "128", read_count, &f.head_dim))
        return EXIT_USAGE;
    if (!f.quant.p)
        f.quant = STR("q4_k_m");
    if (shape_of_figures(&f, &s->arena, &s->shape, &e)) {
        cli_error(&e);
        return EXIT_USAGE;
    }
    snprintf(s->name, sizeof s->name, "%.*s %.*s", STR_ARG(cli_option_value(a, "--params")), STR_ARG(f.quant));
    return EXIT_OK;
}

/* ---- files ---- */

/* What a file is for, as far as memory goes: one that embeds or ranks takes its input whole. */
static unsigned guess_serves(const struct model_files *files, const struct shape *shape)
{
    enum { POOLING_RANK = 4 };
    int64_t pooling = files->safetensors ? 0 : gguf_int(&files->first, "pooling_type", 0);
    if (pooling == POOLING_RANK)
        return SERVES_RERANK;
    return pooling > 0 || shape->no_kv ? SERVES_EMBED : SERVES_CHAT;
}

static enum err_code shape_of_path(struct fit_subject *s, struct str path, struct shape *out, struct err *e)
{
    struct model_files files;
    enum err_code rc = model_files_open(path.p, &files, e);
    if (rc)
        return rc;
    rc = shape_of_files(&files, &s->arena, out, e);
    if (!rc && files.safetensors)
        s->model.file = (struct str){ NULL, 0 }; /* the engine here does not run it */
    if (!rc && !s->configured)
        s->model.serves = guess_serves(&files, out);
    model_files_close(&files);
    return rc;
}

static enum err_code add_tensors(struct str path, int64_t *sum, struct err *e)
{
    struct gguf head;
    struct arena a;
    uint64_t file_bytes;
    arena_init(&a);
    enum err_code rc = model_file_gguf(path.p, &a, &head, &file_bytes, e);
    if (!rc)
        *sum += (int64_t)head.tensor_bytes;
    arena_fini(&a);
    return rc;
}

static enum err_code add_extras(struct fit_subject *s, struct err *e)
{
    const struct conf_model *m = &s->model;
    enum err_code rc = m->mmproj.n ? add_tensors(m->mmproj, &s->extras.mmproj_bytes, e) : ERR_OK;
    for (size_t i = 0; i < m->nloras && !rc; i++)
        rc = add_tensors(m->loras[i].file, &s->extras.lora_bytes, e);
    if (!rc && m->draft.n) {
        rc = shape_of_path(s, m->draft, &s->draft, e);
        s->extras.draft = rc ? NULL : &s->draft;
    }
    return rc;
}

static int failed(const struct err *e)
{
    cli_error(e);
    return EXIT_FAILED;
}

static int from_path(struct fit_subject *s, struct str path)
{
    struct err e;
    char real[4096];
    struct str at = arena_copy(&s->arena, path);
    s->model.file = at;
    if (path.p[0] != '/' && getcwd(real, sizeof real))
        s->model.file = arena_printf(&s->arena, "%s/%.*s", real, STR_ARG(path));
    return shape_of_path(s, at, &s->shape, &e) ? failed(&e) : EXIT_OK;
}

static int from_elsewhere(const struct config *c, struct fit_subject *s, struct str what)
{
    struct err e;
    return fit_web_shape(c, what, &s->arena, &s->shape, &e) ? failed(&e) : EXIT_OK;
}

/* ---- the configuration ---- */

static void find_role(const struct config *c, struct fit_subject *s)
{
    for (size_t i = 0; i < c->nroles && !s->role.n; i++)
        if (conf_model(c, c->roles[i].model) && str_eq(conf_model(c, c->roles[i].model)->name, s->model.name))
            s->role = arena_copy(&s->arena, c->roles[i].name);
}

static int from_configured(const struct config *c, const struct conf_model *m, struct fit_subject *s)
{
    struct err e = { 0 };
    s->configured = true;
    s->model = *m; /* its texts are the configuration's */
    if (!m->file.n) {
        fprintf(stderr, "hob: %.*s has no file here whose memory could be counted\n", STR_ARG(m->name));
        return EXIT_FAILED;
    }
    enum err_code rc = shape_of_path(s, m->file, &s->shape, &e);
    if (!rc)
        rc = add_extras(s, &e);
    find_role(c, s);
    return rc ? failed(&e) : EXIT_OK;
}

/* What a model that no configuration names would be given: the defaults of the settings. */
static void set_defaults(struct fit_subject *s, struct str word)
{
    s->model = (struct conf_model){ .name = arena_copy(&s->arena, word), .engine = STR("llama"), .slots = 1, .kv = STR("f16"), .serves = SERVES_CHAT,
        .input = INPUT_TEXT, .cache_bytes = 256 << 20 };
}

int fit_subject_find(const struct cli_args *a, const struct config *c, struct fit_subject *s)
{
    struct str word = a->nwords ? a->words[0] : STR("");
    struct subject found;
    bool any = subject_find(c, word, &found);
    int rc;
    *s = (struct fit_subject){ .name = "" };
    arena_init(&s->arena);
    set_defaults(s, word);
    snprintf(s->name, sizeof s->name, "%.*s", STR_ARG(word));
    if (!a->nwords)
        rc = from_figures(a, s);
    else if (any && found.model)
        rc = from_configured(c, found.model, s);
    else if (any)
        rc = from_path(s, word);
    else if (fit_is_elsewhere(word))
        rc = from_elsewhere(c, s, word);
    else
        rc = subject_unknown(c, word, "hob fit FILE.gguf | FOLDER | https://… | ORG/REPO:QUANT | NAME; `hob models` lists the names");
    if (!a->nwords && !rc)
        s->model.cache_bytes = 0;
    if (cli_option_value(a, "--as").n)
        s->role = cli_option_value(a, "--as");
    if (rc)
        fit_subject_free(s);
    return rc;
}

void fit_subject_free(struct fit_subject *s)
{
    arena_fini(&s->arena);
}
