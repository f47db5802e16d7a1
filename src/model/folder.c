/* A folder of safetensors: which files are the model's (the index says it, else their names), their headers, and what lies beside them. */
#include "model/model_int.h"

#include "json/json.h"
#include "model/safetensors.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_FILES = 1024, MAX_INDEX = 32 << 20, MAX_CONFIG = 4 << 20, MAX_TOKENIZER = 16 << 20 };

struct files {
    struct str name[MAX_FILES]; /* in the folder */
    size_t n;
    size_t promised;            /* tensors that the index names; 0 = no index */
};

static struct str inside(struct model_files *m, struct str name)
{
    return arena_printf(&m->arena, "%.*s/%.*s", STR_ARG(m->folder), STR_ARG(name));
}

static bool is_there(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

/* ---- which files ---- */

static bool has(const struct files *f, struct str name)
{
    for (size_t i = f->n; i-- > 0;) /* the last is most often the one again */
        if (str_eq(f->name[i], name))
            return true;
    return false;
}

static int by_text(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static bool is_plain_name(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '/' || name.p[i] == 0)
            return false;
    return name.n && name.p[0] != '.' && str_ends(name, STR(".safetensors"));
}

static enum err_code take_map(struct model_files *m, yyjson_val *map, const char *path, struct files *f, struct err *e)
{
    size_t i, n;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(map))
        return err_set(e, ERR_WEIGHTS_BROKEN, "the index %.150s has no weight_map", path);
    yyjson_obj_foreach(map, i, n, key, value) {
        struct str name = json_str(value);
        if (!is_plain_name(name)) /* a name out of a file never leads out of its folder */
            return err_set(e, ERR_WEIGHTS_BROKEN, "the index %.150s names a file that cannot be one of its folder", path);
        if (has(f, name))
            continue;
        if (f->n == MAX_FILES)
            return err_set(e, ERR_WEIGHTS_BROKEN, "the index %.150s names more files than any model has", path);
        f->name[f->n++] = arena_copy(&m->arena, name);
    }
    f->promised = yyjson_obj_size(map);
    return ERR_OK;
}

static enum err_code read_index(struct model_files *m, const char *path, struct files *f, struct err *e)
{
    struct json_doc d = { 0 };
    struct arena scratch;
    struct str text;
    struct err why = { 0 };
    arena_init(&scratch);
    enum err_code rc = model_file_text(path, MAX_INDEX, &scratch, &text, e);
    if (!rc && json_parse(&d, text, &why))
        rc = err_set(e, ERR_WEIGHTS_BROKEN, "the index %.100s is no JSON: %.100s", path, why.text);
    if (!rc)
        rc = take_map(m, yyjson_obj_get(d.root, "weight_map"), path, f, e);
    json_free(&d);
    arena_fini(&scratch);
    return rc;
}

/* Without an index: model.safetensors, else all that are called model…, else all there are. */
static void look_around(struct model_files *m, struct files *f, bool *gguf)
{
    static const struct str begins[] = { STR("model.safetensors"), STR("model"), STR("") };
    *gguf = false;
    for (size_t i = 0; i < COUNTOF(begins) && !f->n; i++) {
        DIR *dir = opendir(m->folder.p);
        for (struct dirent *d; dir && (d = readdir(dir)) && f->n < MAX_FILES;) {
            struct str name = str_of(d->d_name);
            *gguf = *gguf || str_ends(name, STR(".gguf"));
            if (is_plain_name(name) && str_starts(name, begins[i]))
                f->name[f->n++] = arena_copy(&m->arena, name);
        }
        if (dir)
            closedir(dir);
    }
}

static enum err_code find_files(struct model_files *m, struct files *f, struct err *e)
{
    bool gguf = false;
    struct str index = inside(m, STR("model.safetensors.index.json"));
    enum err_code rc = is_there(index.p) ? read_index(m, index.p, f, e) : ERR_OK;
    if (rc)
        return rc;
    if (!f->promised)
        look_around(m, f, &gguf);
    if (f->n)
        qsort(f->name, f->n, sizeof *f->name, by_text);
    if (f->n)
        return ERR_OK;
    err_set(e, ERR_WEIGHTS_MISSING, "the folder %.180s holds no safetensors", m->folder.p);
    err_hint(e, gguf ? "name the .gguf file itself" : "name a .gguf file, or a folder with .safetensors files and their config.json");
    return ERR_WEIGHTS_MISSING;
}

/* ---- their headers ---- */

static enum err_code add_tensors(struct tensor_list *l, const struct safetensors *s, struct err *e)
{
    enum err_code rc = ERR_OK;
    l->m->unknown_types = l->m->unknown_types || s->unknown_types;
    for (size_t i = 0; !rc && i < s->n; i++) {
        const struct safetensor *t = &s->tensors[i];
        rc = model_add_tensor(l, &(struct model_tensor){ .name = t->name, .type = t->type, .bytes = t->bytes, .params = t->elements }, e);
    }
    return rc;
}

static enum err_code add_file(struct tensor_list *l, const char *path, struct err *e)
{
    struct model_file f;
    struct arena scratch;
    struct safetensors s;
    struct err why = { 0 };
    enum err_code rc = model_file_open(&f, path, e);
    if (rc)
        return rc;
    arena_init(&scratch);
    rc = safetensors_read(&f.source, &scratch, &s, &why);
    if (rc) {
        err_set(e, rc, "the model file %.120s: %s", path, why.text);
        err_hint(e, "download it again");
    } else {
        rc = add_tensors(l, &s, e);
        l->m->file_bytes += f.source.size;
    }
    arena_fini(&scratch);
    model_file_close(&f);
    return rc;
}

static enum err_code missing_file(const char *path, struct err *e)
{
    err_set(e, ERR_WEIGHTS_MISSING, "a file that the model's index names is missing: there is no %.180s", path);
    err_hint(e, "download it into the same folder");
    return ERR_WEIGHTS_MISSING;
}

static enum err_code read_headers(struct model_files *m, const struct files *f, struct tensor_list *list, struct err *e)
{
    enum err_code rc = ERR_OK;
    struct str *paths = arena_array(&m->arena, struct str, f->n);
    for (size_t i = 0; !rc && i < f->n; i++) {
        paths[i] = inside(m, f->name[i]);
        rc = is_there(paths[i].p) ? add_file(list, paths[i].p, e) : missing_file(paths[i].p, e);
    }
    m->paths = paths;
    m->n = f->n;
    if (!rc && !m->ntensors)
        return err_set(e, ERR_WEIGHTS_BROKEN, "the folder %.150s holds no weights", m->folder.p);
    if (!rc && f->promised > m->ntensors) {
        err_set(e, ERR_WEIGHTS_BROKEN, "the model in %.150s has %zu tensors, and its index names %zu", m->folder.p, m->ntensors, f->promised);
        err_hint(e, "the files are not those of the index; download them again");
        return ERR_WEIGHTS_BROKEN;
    }
    return rc;
}

/* ---- what lies beside them ---- */

/* {"chat_template": TEXT}, or a list of {name, template}: the one called default, else the first. */
static struct str template_in(struct model_files *m, yyjson_val *root)
{
    yyjson_val *said = yyjson_obj_get(root, "chat_template"), *one, *chosen = yyjson_arr_get_first(said);
    size_t i, n;
    yyjson_arr_foreach(said, i, n, one)
        if (str_eq(json_str(yyjson_obj_get(one, "name")), STR("default")))
            chosen = one;
    struct str text = yyjson_is_arr(said) ? json_str(yyjson_obj_get(chosen, "template")) : json_str(said);
    return text.n ? arena_copy(&m->arena, text) : STR("");
}

static void take_jinja(struct model_files *m, struct str text)
{
    m->chat_template = arena_copy(&m->arena, text);
}

static void take_json(struct model_files *m, struct str text)
{
    struct json_doc d;
    struct err e;
    if (json_parse(&d, text, &e))
        return;
    struct str template = template_in(m, d.root), tokenizer = json_str(yyjson_obj_get(d.root, "tokenizer_class"));
    if (template.n)
        m->chat_template = template;
    if (tokenizer.n)
        m->tokenizer = arena_copy(&m->arena, tokenizer);
    json_free(&d);
}

/* None of them is needed to be a model: what is not there or cannot be read is not told. */
static void look_beside(struct model_files *m)
{
    static const struct { const char *name; size_t max; void (*take)(struct model_files *m, struct str text); } places[] = { /* the last one wins */
        { "tokenizer_config.json", MAX_TOKENIZER, take_json }, { "chat_template.json", MAX_TOKENIZER, take_json },
        { "chat_template.jinja", GGUF_MAX_TEXT, take_jinja },
    };
    for (size_t i = 0; i < COUNTOF(places); i++) {
        struct arena scratch;
        struct str text, path = inside(m, str_of(places[i].name));
        struct err e;
        arena_init(&scratch);
        if (is_there(path.p) && !model_file_text(path.p, places[i].max, &scratch, &text, &e))
            places[i].take(m, text);
        arena_fini(&scratch);
    }
    m->has_template = m->chat_template.n > 0;
}

static enum err_code read_config(struct model_files *m, struct err *e)
{
    struct str path = inside(m, STR("config.json"));
    return is_there(path.p) ? model_file_text(path.p, MAX_CONFIG, &m->arena, &m->config_json, e) : ERR_OK;
}

enum err_code model_folder_open(struct model_files *m, struct str folder, struct err *e)
{
    struct files *f = arena_new(&m->arena, struct files);
    struct tensor_list list = { .m = m };
    while (folder.n > 1 && folder.p[folder.n - 1] == '/')
        folder.n--;
    m->safetensors = true;
    m->folder = arena_copy(&m->arena, folder);
    enum err_code rc = find_files(m, f, e);
    if (!rc)
        rc = read_headers(m, f, &list, e);
    if (!rc)
        rc = read_config(m, e);
    if (rc)
        return rc;
    model_count_packed(m, list.at);
    look_beside(m);
    return ERR_OK;
}
