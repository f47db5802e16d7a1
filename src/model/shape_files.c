/* The shape of a model as it lies on the disk, whatever it is made of. */
#include "model/shape.h"

#include "model/files.h"

#include <stdio.h>

static int64_t clamped(uint64_t n)
{
    return n < INT64_MAX ? (int64_t)n : INT64_MAX;
}

/* Parts of a split model: the first's header says what it is, its tensors are only some of them. */
static void add_parts(const struct model_files *files, struct shape *s)
{
    int64_t experts = 0;
    s->weights_bytes = clamped(files->tensor_bytes);
    s->whole_known = s->whole_known && !files->unknown_types;
    s->params = s->params_active = files->params;
    for (size_t i = 0; i < files->ntensors; i++)
        if (str_find(files->tensors[i].name, STR("_exps")) >= 0)
            experts += files->tensors[i].params;
    if (s->experts && s->experts_used < s->experts)
        s->params_active -= experts - experts / s->experts * s->experts_used;
}

enum err_code shape_of_files(const struct model_files *files, struct arena *a, struct shape *out, struct err *e)
{
    struct err why = { 0 };
    struct shape s = { 0 };
    const char *path = files->safetensors ? files->folder.p : files->paths[0].p;
    enum err_code rc = ERR_OK;
    if (!files->safetensors)
        rc = shape_of_gguf(&files->first, a, &s, &why);
    else if (files->config_json.n)
        rc = shape_of_config(files->config_json, clamped(files->tensor_bytes), files->params, a, &s, &why);
    else
        rc = err_set(&why, ERR_WEIGHTS_BROKEN, "it has no config.json");
    if (rc)
        return err_set(e, rc, "%.120s: %.160s", path, why.text);
    if (!files->safetensors)
        add_parts(files, &s);
    *out = s;
    return ERR_OK;
}
