/* From one path to all files of a model. The parts of a GGUF are found by their names, as an engine finds them, and what each says of itself in its
 * header (split.no, split.count, split.tensors.count) must agree. */
#include "model/files.h"

#include "model/model_int.h"

#include <errno.h>
#include <sys/stat.h>

/* ---- names of parts ---- */

bool model_part_read(struct str path, struct model_part *out)
{
    enum { DIGITS = 5, LENGTH = 1 + DIGITS + 4 + DIGITS };
    struct str end = STR(".gguf");
    if (path.n <= end.n + LENGTH || !str_eq_nocase(str_from(path, path.n - end.n), end))
        return false;
    struct str tail = str_make(path.p + path.n - end.n - LENGTH, LENGTH);
    if (tail.p[0] != '-' || !str_starts(str_from(tail, 1 + DIGITS), STR("-of-")) || tail.p[-1] == '/')
        return false;
    out->stem = str_make(path.p, path.n - end.n - LENGTH);
    out->extension = str_from(path, path.n - end.n);
    return str_to_int(str_make(tail.p + 1, DIGITS), 1, 99999, &out->number) &&
           str_to_int(str_from(tail, LENGTH - DIGITS), out->number, 99999, &out->of);
}

struct str model_part_path(struct arena *a, const struct model_part *p, int64_t number)
{
    return arena_printf(a, "%.*s-%05d-of-%05d%.*s", STR_ARG(p->stem), (int)number, (int)p->of, STR_ARG(p->extension));
}

/* ---- the list of tensors ---- */

static void grow(struct tensor_list *l)
{
    struct model_files *m = l->m;
    size_t room = l->room ? 2 * l->room : 512;
    struct model_tensor *at = arena_array(&m->arena, struct model_tensor, room);
    if (m->ntensors)
        memcpy(at, l->at, m->ntensors * sizeof *at);
    l->room = room;
    m->tensors = l->at = at;
}

enum err_code model_add_tensor(struct tensor_list *l, const struct model_tensor *t, struct err *e)
{
    struct model_files *m = l->m;
    if (m->ntensors == MODEL_MAX_TENSORS || __builtin_add_overflow(m->params, t->params, &m->params) ||
        __builtin_add_overflow(m->tensor_bytes, t->bytes, &m->tensor_bytes))
        return err_set(e, ERR_WEIGHTS_BROKEN, "more or larger tensors than any model has");
    if (m->ntensors >= l->room)
        grow(l);
    l->at[m->ntensors] = *t;
    l->at[m->ntensors++].name = arena_copy(&m->arena, t->name);
    return ERR_OK;
}

static int64_t elements(const struct gguf_tensor *t)
{
    return (int64_t)(t->size[0] * t->size[1] * t->size[2] * t->size[3]); /* the reader has seen that it fits */
}

static enum err_code add_tensors(struct tensor_list *l, const struct gguf *g, struct err *e)
{
    enum err_code rc = ERR_OK;
    l->m->unknown_types = l->m->unknown_types || g->unknown_types;
    for (size_t i = 0; !rc && i < g->ntensors; i++) {
        const struct gguf_tensor *t = &g->tensors[i];
        const char *type = gguf_type_name(t->type);
        rc = model_add_tensor(l, &(struct model_tensor){ .name = t->name, .type = type ? type : "unknown", .bytes = t->bytes, .params = elements(t) }, e);
    }
    return rc;
}

/* ---- the parts ---- */

static int64_t split_key(const struct gguf *g, struct str key, int64_t otherwise)
{
    const struct gguf_value *v = gguf_find(g, key);
    return v && gguf_is_integer(v->type) ? v->integer : otherwise;
}

/* Number i from 0 of n by its name. A single file needs no keys; all others have them, and engines go by them. */
static enum err_code check_split(const char *path, const struct gguf *g, int64_t i, int64_t n, struct err *e)
{
    int64_t count = split_key(g, STR("split.count"), 0), no = split_key(g, STR("split.no"), 0);
    bool several = count > 1;
    if (n == 1 && !several)
        return ERR_OK;
    if (n == 1) {
        err_set(e, ERR_WEIGHTS_BROKEN, "the model file %.120s is a part (of %lld) of a model and not named as one; an engine finds the others by their names",
            path, (long long)count);
        err_hint(e, "give it back its name, NAME-%05d-of-%05d.gguf", (int)((no & 0xffff) + 1), (int)(count & 0xffff));
        return ERR_WEIGHTS_BROKEN;
    }
    if (count == n && no == i)
        return ERR_OK;
    if (!several)
        err_set(e, ERR_WEIGHTS_BROKEN, "the model file %.120s is named part %lld of %lld, and its header says nothing of parts", path, (long long)i + 1,
            (long long)n);
    else
        err_set(e, ERR_WEIGHTS_BROKEN, "the model file %.120s is named part %lld of %lld, and its header says part %lld of %lld", path, (long long)i + 1,
            (long long)n, (long long)(no < INT32_MAX ? no + 1 : no), (long long)count);
    err_hint(e, "download it again, under the name it has there");
    return ERR_WEIGHTS_BROKEN;
}

static enum err_code missing_part(const char *path, int64_t i, int64_t n, struct err *e)
{
    err_set(e, ERR_WEIGHTS_MISSING, "part %lld of the model's %lld files is missing: there is no %.180s", (long long)i + 1, (long long)n, path);
    err_hint(e, "all parts must lie in one folder; download the missing one");
    return ERR_WEIGHTS_MISSING;
}

static enum err_code add_part(struct tensor_list *l, const char *path, int64_t i, int64_t n, struct err *e)
{
    struct model_files *m = l->m;
    struct stat st;
    struct arena scratch;
    struct gguf g;
    uint64_t bytes = 0;
    if (n > 1 && stat(path, &st) && (errno == ENOENT || errno == ENOTDIR))
        return missing_part(path, i, n, e);
    arena_init(&scratch);
    enum err_code rc = model_file_gguf(path, i ? &scratch : &m->arena, &g, &bytes, e);
    if (!rc)
        rc = check_split(path, &g, i, n, e);
    if (!rc)
        rc = add_tensors(l, &g, e);
    if (!rc && i == 0)
        m->first = g;
    m->file_bytes += bytes;
    arena_fini(&scratch);
    return rc;
}

static enum err_code check_whole(const struct model_files *m, struct err *e)
{
    const char *path = m->paths[0].p;
    int64_t promised = m->n > 1 ? split_key(&m->first, STR("split.tensors.count"), (int64_t)m->ntensors) : (int64_t)m->ntensors;
    if (!m->ntensors)
        return err_set(e, ERR_WEIGHTS_BROKEN, "the model file %.150s holds no weights", path);
    if (!m->first.architecture.n)
        return err_set(e, ERR_WEIGHTS_BROKEN, "the model file %.150s does not name its architecture", path);
    if (promised == (int64_t)m->ntensors)
        return ERR_OK;
    err_set(e, ERR_WEIGHTS_BROKEN, "the model %.120s has %zu tensors in its %zu parts, and its header promises %lld", path, m->ntensors, m->n,
        (long long)promised);
    err_hint(e, "the parts are of different models, or made anew; download all of them again");
    return ERR_WEIGHTS_BROKEN;
}

static enum err_code open_gguf(struct model_files *m, const char *path, struct err *e)
{
    struct model_part part;
    bool split = model_part_read(str_of(path), &part);
    struct tensor_list list = { .m = m };
    int64_t n = split ? part.of : 1;
    enum err_code rc = ERR_OK;
    if (n > MODEL_MAX_PARTS)
        return err_set(e, ERR_WEIGHTS_BROKEN, "the model file %.150s is named one of more parts than any model has", path);
    struct str *paths = arena_array(&m->arena, struct str, (size_t)n);
    for (int64_t i = 0; !rc && i < n; i++) {
        paths[i] = split ? model_part_path(&m->arena, &part, i + 1) : arena_copy(&m->arena, str_of(path));
        rc = add_part(&list, paths[i].p, i, n, e);
    }
    m->paths = paths;
    m->n = (size_t)n;
    if (!rc)
        rc = check_whole(m, e);
    const struct gguf_value *template = rc ? NULL : gguf_find(&m->first, STR("tokenizer.chat_template"));
    m->has_template = template && template->type == GGUF_STRING && template->n > 0;
    m->chat_template = m->has_template && template->text.p ? template->text : STR("");
    return rc;
}

/* ---- opening ---- */

static void begin(struct model_files *m)
{
    *m = (struct model_files){ .config_json = STR(""), .chat_template = STR(""), .folder = STR(""), .tokenizer = STR("") };
    arena_init(&m->arena);
}

static enum err_code finish(struct model_files *m, enum err_code rc, struct model_files *out)
{
    if (rc)
        model_files_close(m);
    else
        *out = *m;
    return rc;
}

enum err_code model_files_open_gguf(const char *path, struct model_files *out, struct err *e)
{
    struct model_files m;
    begin(&m);
    return finish(&m, open_gguf(&m, path, e), out);
}

static struct str folder_of(struct str path)
{
    while (path.n && path.p[path.n - 1] != '/')
        path.n--;
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    return path.n ? path : STR(".");
}

enum err_code model_files_open(const char *path, struct model_files *out, struct err *e)
{
    struct model_files m;
    struct stat st;
    struct str p = str_of(path);
    bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    begin(&m);
    if (folder || (str_ends(p, STR(".safetensors")) && stat(path, &st) == 0))
        return finish(&m, model_folder_open(&m, folder ? p : folder_of(p), e), out);
    return finish(&m, open_gguf(&m, path, e), out);
}

void model_files_close(struct model_files *m)
{
    arena_fini(&m->arena);
    *m = (struct model_files){ 0 };
}
