/* How many weights a packed tensor stands for. Quantised safetensors keep them in whole numbers (eight of 4 bits in a u32) with scales beside them;
 * config.json says that it is so and in how many bits. In each scheme the names tell which tensor is what. */
#include "model/model_int.h"

#include "json/json.h"

#include <stdlib.h>

enum how {
    HOW_BESIDE,     /* scales, zero points …: no weights of the model */
    HOW_BITS,       /* as many to an element as the configuration's bits go into it */
    HOW_NIBBLES,    /* two to a byte */
    HOW_GROUPS,     /* MLX: scales, a group of weights each; the tensor .weight beside it is what they scale */
};

static const struct scheme {
    struct str ends;
    const char *type; /* NULL: any */
    enum how how;
} schemes[] = {
    { STR(".qweight"), "i32", HOW_BITS },         { STR(".qzeros"), NULL, HOW_BESIDE },            { STR(".g_idx"), NULL, HOW_BESIDE },
    { STR(".weight_packed"), "i32", HOW_BITS },   { STR(".weight_packed"), "u8", HOW_NIBBLES },    { STR(".weight_scale"), NULL, HOW_BESIDE },
    { STR(".weight_shape"), NULL, HOW_BESIDE },   { STR(".weight_zero_point"), NULL, HOW_BESIDE }, { STR(".weight_scale_inv"), NULL, HOW_BESIDE },
    { STR(".weight_g_idx"), NULL, HOW_BESIDE },   { STR(".weight_global_scale"), NULL, HOW_BESIDE }, { STR(".input_scale"), NULL, HOW_BESIDE },
    { STR("_blocks"), "u8", HOW_NIBBLES },        { STR("_scales"), "u8", HOW_BESIDE },            { STR(".biases"), NULL, HOW_BESIDE },
    { STR(".absmax"), NULL, HOW_BESIDE },         { STR(".quant_map"), NULL, HOW_BESIDE },         { STR(".nested_absmax"), NULL, HOW_BESIDE },
    { STR(".nested_quant_map"), NULL, HOW_BESIDE }, { STR(".quant_state.bitsandbytes__nf4"), NULL, HOW_BESIDE },
    { STR(".quant_state.bitsandbytes__fp4"), NULL, HOW_BESIDE }, { STR(".weight"), "u8", HOW_NIBBLES },
    { STR(".scales"), NULL, HOW_GROUPS },
};

struct packing {
    yyjson_val *said;           /* "quantization" (MLX) or "quantization_config" */
    int64_t bits, group;
    struct model_tensor **by_name;
    size_t n;
};

static int64_t number_in(yyjson_val *object, const char *key, int64_t otherwise)
{
    yyjson_val *v = yyjson_obj_get(object, key);
    return yyjson_is_uint(v) && yyjson_get_uint(v) > 0 && yyjson_get_uint(v) <= 65536 ? (int64_t)yyjson_get_uint(v) : otherwise;
}

/* compressed-tensors has its figures one deeper, by groups of layers: the first speaks for all. */
static yyjson_val *first_group(yyjson_val *said)
{
    yyjson_val *groups = yyjson_obj_get(said, "config_groups");
    yyjson_obj_iter it = yyjson_obj_iter_with(groups);
    return yyjson_obj_get(yyjson_obj_iter_get_val(yyjson_obj_iter_next(&it)), "weights");
}

static bool read_packing(yyjson_val *config, struct packing *p)
{
    p->said = yyjson_obj_get(config, "quantization");
    if (!yyjson_is_obj(p->said))
        p->said = yyjson_obj_get(config, "quantization_config");
    if (!yyjson_is_obj(p->said))
        p->said = yyjson_obj_get(yyjson_obj_get(config, "text_config"), "quantization_config");
    if (!yyjson_is_obj(p->said))
        return false;
    p->bits = number_in(p->said, "bits", number_in(first_group(p->said), "num_bits", 4));
    p->group = number_in(p->said, "group_size", 64);
    return true;
}

static int by_name(const void *a, const void *b)
{
    struct str x = (*(struct model_tensor *const *)a)->name, y = (*(struct model_tensor *const *)b)->name;
    int order = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);
    return order ? order : (x.n > y.n) - (x.n < y.n);
}

static struct model_tensor *find(const struct packing *p, struct str name)
{
    struct model_tensor wanted = { .name = name }, *key = &wanted;
    struct model_tensor **found = bsearch(&key, p->by_name, p->n, sizeof *p->by_name, by_name);
    return found ? *found : NULL;
}

/* MLX: as many weights as the groups hold, unless the tensor beside it is as it always was. A layer may have a group size of its own. */
static void count_groups(struct model_files *m, const struct packing *p, struct model_tensor *scales)
{
    struct str layer = str_make(scales->name.p, scales->name.n - 7);
    struct model_tensor *weight = find(p, arena_printf(&m->arena, "%.*s.weight", STR_ARG(layer)));
    int64_t group = number_in(yyjson_obj_getn(p->said, layer.p, layer.n), "group_size", p->group), n = 0;
    if (weight && strcmp(weight->type, "u32") == 0 && !__builtin_mul_overflow(scales->params, group, &n))
        weight->params = n;
    scales->params = 0;
}

static void count(struct model_files *m, const struct packing *p, const struct scheme *s, struct model_tensor *t)
{
    int64_t n = 0, bits = s->how == HOW_BITS ? 32 : 8, of = s->how == HOW_BITS ? p->bits : 4;
    switch (s->how) {
    case HOW_BESIDE:
        t->params = 0;
        break;
    case HOW_BITS:
    case HOW_NIBBLES:
        t->params = __builtin_mul_overflow(t->params, bits, &n) ? t->params : n / of;
        break;
    case HOW_GROUPS:
        count_groups(m, p, t);
        break;
    }
}

static const struct scheme *scheme_of(const struct model_tensor *t)
{
    for (size_t i = 0; i < COUNTOF(schemes); i++)
        if (str_ends(t->name, schemes[i].ends) && (!schemes[i].type || strcmp(schemes[i].type, t->type) == 0))
            return &schemes[i];
    return NULL;
}

static void count_all(struct model_files *m, struct packing *p, struct model_tensor *tensors)
{
    p->n = m->ntensors;
    p->by_name = arena_array(&m->arena, struct model_tensor *, p->n);
    for (size_t i = 0; i < p->n; i++)
        p->by_name[i] = &tensors[i];
    qsort(p->by_name, p->n, sizeof *p->by_name, by_name);
    for (size_t i = 0; i < p->n; i++) {
        const struct scheme *s = scheme_of(&tensors[i]);
        if (s)
            count(m, p, s, &tensors[i]);
    }
    m->params = 0;
    for (size_t i = 0; i < p->n; i++)
        if (__builtin_add_overflow(m->params, tensors[i].params, &m->params))
            m->params = INT64_MAX;
}

void model_count_packed(struct model_files *m, struct model_tensor *tensors)
{
    struct json_doc d;
    struct packing p = { 0 };
    struct err e;
    if (!m->config_json.n || json_parse(&d, m->config_json, &e)) /* who needs the configuration says that it is broken */
        return;
    if (read_packing(d.root, &p))
        count_all(m, &p, tensors);
    json_free(&d);
}
