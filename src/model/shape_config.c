/* A model's shape out of the config.json that Transformers and MLX have beside their safetensors. Names of keys differ from maker to maker; what a
 * layer is, newer ones say in `layer_types`, older ones by a period that stands in the code of their type. */
#include "model/shape_int.h"

#include "json/json.h"

#include <stdio.h>

enum { MOST = 1 << 24, F32 = 4 };

static const struct type {
    const char *name;           /* model_type */
    uint32_t period;            /* all but one of so many layers have a window, when one is said and layer_types is not; 0 = all */
    bool windowed;              /* it heeds a window without layer_types */
    bool nothing_kept;
    bool plain_ff;
} types[] = {
    { "llama" }, { "smollm3" }, { "qwen3" }, { "qwen3_moe" }, { "qwen3_next" }, { "qwen3_5" }, { "qwen3_5_moe" }, { "qwen2_moe" }, { "qwen2_vl" },
    { "qwen2_5_vl" }, { "qwen3_vl" }, { "qwen3_vl_moe" }, { "qwen3_vl_text" }, { "deepseek" }, { "deepseek_v2" }, { "deepseek_v3" }, { "kimi_k2" },
    { "phi" }, { "phi3" }, { "phimoe" }, { "olmo" }, { "olmo2" }, { "olmo3" }, { "olmoe" }, { "granite" }, { "granitemoe" }, { "glm" }, { "glm4" },
    { "glm4_moe" }, { "cohere" }, { "stablelm" }, { "internlm2" }, { "internlm3" }, { "minicpm" }, { "gemma" }, { "gpt_oss" }, { "exaone4" },
    { "ernie4_5" }, { "ernie4_5_moe" }, { "hunyuan_v1_dense" }, { "seed_oss" }, { "bailing_moe" }, { "llama4_text" }, { "ministral3" }, { "mistral3" },
    { "qwen2",    .windowed = true },
    { "mistral",  .windowed = true },
    { "ministral", .windowed = true },
    { "mixtral",  .windowed = true },
    { "starcoder2", .windowed = true, .plain_ff = true },
    { "gemma2",      2, .windowed = true },
    { "gemma3",      6, .windowed = true },
    { "gemma3_text", 6, .windowed = true },
    { "gemma3n",     5, .windowed = true },
    { "gemma3n_text", 5, .windowed = true },
    { "gemma4",      6, .windowed = true },
    { "gemma4_text", 6, .windowed = true },
    { "cohere2",     4, .windowed = true },
    { "gpt2",     .plain_ff = true }, { "gpt_neox", .plain_ff = true }, { "falcon", .plain_ff = true }, { "bloom", .plain_ff = true },
    { "bert",        .nothing_kept = true, .plain_ff = true },
    { "roberta",     .nothing_kept = true, .plain_ff = true },
    { "xlm-roberta", .nothing_kept = true, .plain_ff = true },
    { "distilbert",  .nothing_kept = true, .plain_ff = true },
    { "mpnet",       .nothing_kept = true, .plain_ff = true },
    { "nomic_bert",  .nothing_kept = true },
    { "modernbert",  .nothing_kept = true },
};

struct making {
    yyjson_val *top, *text;     /* of the language part: text_config, else the whole */
    const struct type *type;
    struct shape *shape;
    struct err *e;
    enum err_code rc;
};

/* ---- values ---- */

static yyjson_val *value(struct making *m, const char *key)
{
    yyjson_val *v = yyjson_obj_get(m->text, key);
    return v && !yyjson_is_null(v) ? v : NULL;
}

static int64_t checked(struct making *m, const char *key, yyjson_val *v)
{
    if (yyjson_is_int(v) && yyjson_get_sint(v) >= 0 && yyjson_get_sint(v) <= INT32_MAX)
        return yyjson_get_sint(v);
    if (!m->rc)
        m->rc = err_set(m->e, ERR_WEIGHTS_BROKEN, "its config.json has a %s that cannot be", key);
    return 0;
}

/* keys: names of the same thing, ended by NULL. */
static int64_t number(struct making *m, const char *const *keys, int64_t otherwise)
{
    for (; *keys; keys++) {
        yyjson_val *v = value(m, *keys);
        if (v && !yyjson_is_arr(v)) /* one for each layer: only the widths of a few have that */
            return checked(m, *keys, v);
        int64_t most = 0;
        size_t i, n;
        yyjson_val *item;
        yyjson_arr_foreach(v, i, n, item) {
            int64_t one = checked(m, *keys, item);
            most = one > most ? one : most;
        }
        if (v)
            return most;
    }
    return otherwise;
}

#define KEYS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct str word(struct making *m, const char *key)
{
    return json_str(value(m, key));
}

/* ---- layers ---- */

enum layer_kind { LAYER_FULL, LAYER_WINDOW, LAYER_LINEAR };

static const struct {
    const char *name;
    enum layer_kind kind;
} layer_names[] = {
    { "full_attention", LAYER_FULL }, { "sliding_attention", LAYER_WINDOW }, { "chunked_attention", LAYER_WINDOW }, { "linear_attention", LAYER_LINEAR },
    { "attention", LAYER_FULL },
};

static enum layer_kind named_kind(struct making *m, struct str name)
{
    for (size_t i = 0; i < COUNTOF(layer_names); i++)
        if (str_eq(name, str_of(layer_names[i].name)))
            return layer_names[i].kind;
    m->shape->whole_known = false;
    return LAYER_FULL;
}

static enum layer_kind kind_by_period(struct making *m, uint32_t layer)
{
    int64_t interval = number(m, KEYS("full_attention_interval"), value(m, "linear_conv_kernel_dim") ? 4 : 0);
    int64_t period = number(m, KEYS("sliding_window_pattern", "_sliding_window_pattern"), m->type ? m->type->period : 0);
    if (interval)
        return (layer + 1) % interval ? LAYER_LINEAR : LAYER_FULL;
    if (!m->shape->window || !m->type || !m->type->windowed)
        return LAYER_FULL;
    if (value(m, "max_window_layers")) /* the layers below it look at everything */
        return layer >= number(m, KEYS("max_window_layers"), 0) ? LAYER_WINDOW : LAYER_FULL;
    return !period || (layer + 1) % period ? LAYER_WINDOW : LAYER_FULL;
}

static enum layer_kind kind_of(struct making *m, uint32_t layer)
{
    yyjson_val *names = value(m, "layer_types");
    if (yyjson_is_arr(names) && layer < yyjson_arr_size(names))
        return named_kind(m, json_str(yyjson_arr_get(names, layer)));
    return kind_by_period(m, layer);
}

static uint64_t linear_state_bytes(struct making *m)
{
    uint64_t conv = (uint64_t)number(m, KEYS("linear_conv_kernel_dim"), 4);
    uint64_t k_heads = (uint64_t)number(m, KEYS("linear_num_key_heads"), 0), v_heads = (uint64_t)number(m, KEYS("linear_num_value_heads"), 0);
    uint64_t k = (uint64_t)number(m, KEYS("linear_key_head_dim"), 0), v = (uint64_t)number(m, KEYS("linear_value_head_dim"), 0);
    if (k_heads > 65536 || v_heads > 65536 || k > 65536 || v > 65536 || conv > 65536)
        return 0;
    return F32 * ((conv ? conv - 1 : 0) * (2 * k_heads * k + v_heads * v) + v_heads * k * v);
}

static void set_heads(struct making *m, struct shape_layer *l)
{
    const struct shape *s = m->shape;
    int64_t head = number(m, KEYS("head_dim", "attention_head_dim", "kv_channels"), s->heads ? s->embed / s->heads : 0), v = head;
    int64_t heads = number(m, KEYS("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num"), s->heads);
    int64_t compressed = number(m, KEYS("kv_lora_rank"), 0);
    if (!l->window && value(m, "global_head_dim")) { /* Gemma 4's layers that look at everything */
        head = v = number(m, KEYS("global_head_dim"), head);
        heads = number(m, KEYS("num_global_key_value_heads"), heads);
    }
    if (compressed) {
        heads = 1;
        head = compressed + number(m, KEYS("qk_rope_head_dim"), 0);
        v = 0;
    }
    if (!m->rc && (heads > 65536 || head > MOST))
        m->rc = err_set(m->e, ERR_WEIGHTS_BROKEN, "its config.json has heads that cannot be");
    l->kv_heads = (uint32_t)heads;
    l->k_len = (uint32_t)head;
    l->v_len = (uint32_t)v;
}

static void make_layers(struct making *m, struct arena *a)
{
    int64_t layers = number(m, KEYS("num_hidden_layers", "n_layer", "num_layers", "n_layers"), 0);
    int64_t shared = number(m, KEYS("num_kv_shared_layers"), 0);
    if (!m->rc && (layers < 1 || layers > SHAPE_MAX_LAYERS))
        m->rc = err_set(m->e, ERR_WEIGHTS_BROKEN, "its config.json does not say how many layers it has (num_hidden_layers)");
    if (m->rc)
        return;
    struct shape_layer *layer = arena_array(a, struct shape_layer, (size_t)layers);
    m->shape->layer = layer;
    m->shape->layers = (uint32_t)layers;
    for (uint32_t i = 0; i < layers && !m->rc; i++) {
        enum layer_kind kind = kind_of(m, i);
        layer[i].window = kind == LAYER_WINDOW;
        set_heads(m, &layer[i]);
        if (kind == LAYER_LINEAR || (int64_t)i >= layers - shared)
            layer[i].kv_heads = 0;
        layer[i].state_bytes = kind == LAYER_LINEAR ? linear_state_bytes(m) : 0;
    }
}

/* ---- the rest ---- */

static const struct type *find_type(struct str name)
{
    for (size_t i = 0; i < COUNTOF(types); i++)
        if (str_eq(name, str_of(types[i].name)))
            return &types[i];
    return NULL;
}

static void set_quant(struct making *m)
{
    struct shape *s = m->shape;
    yyjson_val *q = yyjson_obj_get(m->top, "quantization"), *type;
    q = q ? q : yyjson_obj_get(m->top, "quantization_config");
    q = q ? q : yyjson_obj_get(m->text, "quantization_config");
    yyjson_val *bits = yyjson_obj_get(q, "bits");
    if (yyjson_is_int(bits) && yyjson_get_sint(bits) > 0 && yyjson_get_sint(bits) <= 32) {
        snprintf(s->quant, sizeof s->quant, "%dbit", (int)yyjson_get_sint(bits));
        s->quant_bits = yyjson_get_sint(bits) * 100 + 50; /* a scale and a bias for each 64 */
        return;
    }
    type = yyjson_obj_get(q, "quant_method");
    struct str dtype = word(m, "dtype").n ? word(m, "dtype") : word(m, "torch_dtype");
    if (yyjson_is_str(type))
        snprintf(s->quant, sizeof s->quant, "%.23s", yyjson_get_str(type));
    else if (str_eq(dtype, STR("bfloat16")))
        snprintf(s->quant, sizeof s->quant, "bf16");
    else if (str_eq(dtype, STR("float16")))
        snprintf(s->quant, sizeof s->quant, "f16");
    else if (str_eq(dtype, STR("float32")))
        snprintf(s->quant, sizeof s->quant, "f32");
    s->quant_bits = shape_quant_bits(str_of(s->quant));
}

static bool heeds_window(struct making *m)
{
    yyjson_val *use = value(m, "use_sliding_window");
    return !use || yyjson_get_bool(use);
}

static void set_widths(struct making *m)
{
    struct shape *s = m->shape;
    s->embed = number(m, KEYS("hidden_size", "n_embd", "d_model", "dim"), 0);
    s->heads = number(m, KEYS("num_attention_heads", "n_head", "n_heads"), 0);
    s->ff = number(m, KEYS("intermediate_size", "n_inner", "ffn_dim", "hidden_dim"), 4 * s->embed);
    s->vocab = number(m, KEYS("vocab_size"), 0);
    s->context_train = number(m, KEYS("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"), 0);
    s->experts = number(m, KEYS("num_experts", "num_local_experts", "n_routed_experts"), 0);
    s->experts_used = s->experts ? number(m, KEYS("num_experts_per_tok", "num_experts_per_token", "top_k_experts"), 0) : 0;
    s->expert_ff = s->experts ? number(m, KEYS("moe_intermediate_size"), s->ff) : 0;
    s->window = heeds_window(m) ? number(m, KEYS("sliding_window", "attention_chunk_size"), 0) : 0;
    s->gated = !m->type || !m->type->plain_ff;
    if (!m->rc && (s->embed > MOST || s->ff > MOST || s->heads > 65536 || s->experts > 65536 || s->expert_ff > MOST))
        m->rc = err_set(m->e, ERR_WEIGHTS_BROKEN, "its config.json has widths that cannot be");
}

/* Of a mixture, by widths alone: three matrices for each expert in each layer. */
static int64_t active_params(const struct shape *s)
{
    int64_t idle = s->experts > s->experts_used ? s->experts - s->experts_used : 0, away;
    if (__builtin_mul_overflow(3 * s->embed * s->expert_ff, idle * s->layers, &away) || away >= s->params)
        return s->params;
    return s->params - away;
}

static const char *formula(const struct shape *s)
{
    bool state = false, window = false, keys_only = s->layers > 0;
    for (uint32_t i = 0; i < s->layers; i++) {
        state = state || s->layer[i].state_bytes;
        window = window || s->layer[i].window;
        keys_only = keys_only && s->layer[i].k_len && !s->layer[i].v_len;
    }
    return s->no_kv ? "nothing kept" : state ? "attention and state" : keys_only ? "keys only" : window ? "sliding window" : "attention";
}

static void make(struct making *m, struct arena *a)
{
    struct shape *s = m->shape;
    struct str type = json_str(yyjson_obj_get(m->text, "model_type"));
    if (!type.n)
        type = json_str(yyjson_obj_get(m->top, "model_type"));
    m->type = find_type(type);
    snprintf(s->architecture, sizeof s->architecture, "%.*s", (int)(type.n < 63 ? type.n : 63), type.n ? type.p : "");
    s->whole_known = m->type != NULL;
    s->no_kv = m->type && m->type->nothing_kept;
    set_widths(m);
    make_layers(m, a);
    set_quant(m);
    if (m->rc)
        return;
    s->params_active = active_params(s);
    s->formula = formula(s);
}

enum err_code shape_of_config(struct str json, int64_t weights_bytes, int64_t params, struct arena *a, struct shape *out, struct err *e)
{
    struct json_doc d = { 0 };
    struct err why = { 0 };
    struct shape s = { .weights_bytes = weights_bytes, .params = params };
    if (json_parse(&d, json, &why))
        return err_set(e, ERR_WEIGHTS_BROKEN, "its config.json is no JSON: %.200s", why.text);
    struct making m = { .top = d.root, .text = d.root, .shape = &s, .e = e };
    if (yyjson_is_obj(yyjson_obj_get(d.root, "text_config")))
        m.text = yyjson_obj_get(d.root, "text_config");
    if (!yyjson_is_obj(d.root))
        m.rc = err_set(e, ERR_WEIGHTS_BROKEN, "its config.json is no object");
    else
        make(&m, a);
    json_free(&d);
    if (!m.rc)
        *out = s;
    return m.rc;
}
