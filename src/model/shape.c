/* A model's shape out of its GGUF header. What the header does not say about an architecture is in shape_families.c. */
#include "model/shape_int.h"

#include "model/file.h"
#include "model/gguf.h"

#include <stdio.h>

enum { MOST_WIDE = 1 << 24, MOST_HEADS = 1 << 16 };

struct making {
    const struct gguf *g;
    const struct family *family;
    struct shape *shape;
    struct shape_layer *layer;
    struct err *e;
    enum err_code rc;           /* the first failure */
    uint32_t all_layers;        /* those behind the trunk too */
    bool mla;
};

/* ---- values ---- */

static bool broken(struct making *m, const char *key, int64_t v)
{
    if (!m->rc)
        m->rc = err_set(m->e, ERR_WEIGHTS_BROKEN, "its header says %.*s.%s is %lld, which cannot be", STR_ARG(m->g->architecture), key, (long long)v);
    return false;
}

static bool in_range(struct making *m, const char *key, int64_t v, int64_t most)
{
    return v >= 0 && v <= most ? true : broken(m, key, v);
}

/* A number that may also be an array with one for each layer. */
static int64_t value_of_layer(struct making *m, const char *key, uint32_t layer, int64_t otherwise, int64_t most)
{
    const struct gguf_value *v = gguf_own(m->g, key);
    int64_t n = otherwise;
    if (v && v->type == GGUF_ARRAY) {
        if (v->integers && layer < v->n)
            n = v->integers[layer];
        else if (v->integers)
            broken(m, key, (int64_t)v->n);
    } else {
        n = gguf_int(m->g, key, otherwise);
    }
    return in_range(m, key, n, most) ? n : 0;
}

static int64_t whole_value(struct making *m, const char *key, int64_t most)
{
    const struct gguf_value *v = gguf_own(m->g, key);
    int64_t n = 0;
    if (!v || v->type != GGUF_ARRAY)
        return value_of_layer(m, key, 0, 0, most);
    for (uint32_t i = 0; v->integers && i < v->n && i < SHAPE_MAX_LAYERS; i++) /* the largest of them */
        n = v->integers[i] > n ? v->integers[i] : n;
    return in_range(m, key, n, most) ? n : 0;
}

/* ---- which layers have what ---- */

static bool is_windowed(struct making *m, uint32_t layer)
{
    const struct gguf_value *pattern = gguf_own(m->g, "attention.sliding_window_pattern");
    if (!m->family || m->family->when == WINDOW_NEVER || !m->shape->window)
        return false;
    if (pattern && pattern->type == GGUF_ARRAY && pattern->integers)
        return layer < pattern->n && pattern->integers[layer];
    int64_t period = gguf_int(m->g, "attention.sliding_window_pattern", m->family->period);
    return period >= 0 && period <= SHAPE_MAX_LAYERS && family_windowed(m->family, (uint32_t)period, layer);
}

static bool is_recurrent(struct making *m, uint32_t layer, int64_t kv_heads)
{
    const struct gguf_value *said = gguf_own(m->g, "attention.recurrent_layers");
    int64_t interval = gguf_int(m->g, "full_attention_interval", 4);
    switch (m->family ? m->family->keeps : KEEPS_KV) {
    case KEEPS_KV:
    case KEEPS_NOTHING:
        return false;
    case KEEPS_STATE:
    case KEEPS_BOTH:
        return true;
    case KEEPS_STATE_WITHOUT_KV:
        return kv_heads == 0;
    case KEEPS_STATE_OR_FF:
        return kv_heads == 0 && value_of_layer(m, "feed_forward_length", layer, 0, MOST_WIDE) == 0;
    case KEEPS_STATE_MOSTLY:
        if (said && said->type == GGUF_ARRAY && said->integers)
            return layer < said->n && said->integers[layer];
        return interval > 0 ? (layer + 1) % interval != 0 : broken(m, "full_attention_interval", interval);
    }
    return false;
}

static uint64_t state_bytes(struct making *m)
{
    const struct shape *s = m->shape;
    int64_t conv = gguf_int(m->g, "ssm.conv_kernel", 0);
    switch (m->family->state) {
    case STATE_SSM:
        return state_ssm_bytes(conv, gguf_int(m->g, "ssm.inner_size", 0), gguf_int(m->g, "ssm.group_count", 0), gguf_int(m->g, "ssm.state_size", 0));
    case STATE_WKV:
        conv = value_of_layer(m, "token_shift_count", 0, 2, MOST_HEADS);
        return 4 * (uint64_t)s->embed * (uint64_t)(conv + value_of_layer(m, "wkv.head_size", 0, 0, MOST_HEADS));
    case STATE_SHORT:
        conv = value_of_layer(m, "shortconv.l_cache", 0, 1, MOST_HEADS);
        return 4 * (uint64_t)s->embed * (uint64_t)(conv ? conv - 1 : 0);
    case STATE_KDA: {
        uint64_t head = (uint64_t)value_of_layer(m, "kda.head_dim", 0, 0, MOST_HEADS);
        conv = in_range(m, "ssm.conv_kernel", conv, MOST_HEADS) && conv ? conv - 1 : 0;
        return 4 * (3 * (uint64_t)conv + head) * head * (uint64_t)s->heads;
    }
    }
    return 0;
}

/* ---- one layer ---- */

static void set_lengths(struct making *m, struct shape_layer *l)
{
    int64_t head = m->shape->heads ? m->shape->embed / m->shape->heads : 0;
    int64_t k = value_of_layer(m, "attention.key_length", 0, head, MOST_WIDE), v = value_of_layer(m, "attention.value_length", 0, head, MOST_WIDE);
    if (l->window) {
        k = value_of_layer(m, "attention.key_length_swa", 0, k, MOST_WIDE);
        v = value_of_layer(m, "attention.value_length_swa", 0, v, MOST_WIDE);
    }
    if (m->mla) { /* one compressed row and the rotated part of the key; values are made of the former. And what an indexer looks things up with */
        k = value_of_layer(m, "attention.kv_lora_rank", 0, 0, MOST_WIDE) + value_of_layer(m, "rope.dimension_count", 0, 0, MOST_WIDE);
        k += value_of_layer(m, "attention.indexer.key_length", 0, 0, MOST_WIDE);
        v = 0;
    }
    l->k_len = (uint32_t)k;
    l->v_len = (uint32_t)v;
}

static void make_layer(struct making *m, uint32_t i, uint32_t own_kv)
{
    struct shape_layer *l = &m->layer[i];
    int64_t heads = value_of_layer(m, "attention.head_count", i, 0, MOST_HEADS);
    int64_t kv = value_of_layer(m, "attention.head_count_kv", i, heads, MOST_HEADS);
    bool state = is_recurrent(m, i, kv);
    bool attends = !state || (m->family && m->family->keeps == KEEPS_BOTH);
    l->window = is_windowed(m, i);
    l->kv_heads = attends && i < own_kv ? (uint32_t)(m->mla && kv ? 1 : kv) : 0;
    set_lengths(m, l);
    l->state_bytes = state ? state_bytes(m) : 0;
}

/* Layers at the end use those keys that the last ones before them have. */
static uint32_t layers_with_own_kv(struct making *m)
{
    int64_t shared = value_of_layer(m, "attention.shared_kv_layers", 0, 0, SHAPE_MAX_LAYERS);
    uint32_t own = m->family && m->family->own_kv ? m->family->own_kv : m->all_layers;
    if (shared >= m->all_layers)
        return broken(m, "attention.shared_kv_layers", shared);
    return shared ? m->all_layers - (uint32_t)shared : own;
}

static void make_layers(struct making *m, struct arena *a)
{
    int64_t layers = value_of_layer(m, "block_count", 0, 0, SHAPE_MAX_LAYERS), ahead = value_of_layer(m, "nextn_predict_layers", 0, 0, SHAPE_MAX_LAYERS);
    if (!m->rc && layers == 0)
        m->rc = err_set(m->e, ERR_WEIGHTS_BROKEN, "its header does not say how many layers it has (%.*s.block_count)", STR_ARG(m->g->architecture));
    if (!m->rc && ahead >= layers)
        broken(m, "nextn_predict_layers", ahead);
    if (m->rc)
        return;
    m->all_layers = (uint32_t)layers;
    m->layer = arena_array(a, struct shape_layer, m->all_layers);
    m->shape->layer = m->layer;
    m->shape->layers = m->family && m->family->ahead_kv ? m->all_layers : m->all_layers - (uint32_t)ahead;
    uint32_t own_kv = layers_with_own_kv(m);
    for (uint32_t i = 0; i < m->shape->layers && !m->rc; i++)
        make_layer(m, i, own_kv);
}

/* ---- the whole ---- */

/* Keys only: said by the lengths that heads have after they are made of the compressed row. Older files of the same architectures keep whole heads. */
static bool keeps_keys_only(struct making *m)
{
    if (gguf_int(m->g, "attention.kv_lora_rank", 0) <= 0)
        return false;
    return gguf_own(m->g, "attention.key_length_mla") || gguf_int(m->g, "attention.head_count_kv", 0) == 1;
}

static int64_t pick_window(struct making *m)
{
    int64_t said = value_of_layer(m, "attention.sliding_window", 0, 0, INT32_MAX);
    switch (m->family ? m->family->when : WINDOW_NEVER) {
    case WINDOW_NEVER:
        return 0;
    case WINDOW_IF_SAID:
        return said && m->family->window_fixed ? m->family->window : said;
    case WINDOW_ALWAYS:
        return said && !m->family->window_fixed ? said : m->family->window;
    }
    return 0;
}

/* What a token has at once where states are moved on, and what is made of it at the beginning for every layer: fitted to what engines laid out. */
static void set_more_widths(struct making *m)
{
    enum { OF_INNER = 6, OF_EMBED = 20, COPIES = 4, PER_LAYER_3N = 256 };
    struct shape *s = m->shape;
    bool state = m->family && m->family->keeps != KEEPS_KV && m->family->keeps != KEEPS_NOTHING;
    int64_t inner = value_of_layer(m, "ssm.inner_size", 0, 0, MOST_WIDE), layers = value_of_layer(m, "block_count", 0, 0, SHAPE_MAX_LAYERS);
    int64_t per_layer = value_of_layer(m, "embedding_length_per_layer_input", 0, 0, MOST_WIDE);
    if (state)
        s->state_width = m->family->state == STATE_WKV ? OF_EMBED * s->embed : OF_INNER * inner + s->embed;
    if (m->family && m->family->own_kv) /* Gemma 3n: whatever it says */
        per_layer = PER_LAYER_3N;
    s->lasting_width = COPIES * per_layer * layers;
    s->indexer = m->mla && gguf_int(m->g, "attention.indexer.key_length", 0) > 0;
}

static int64_t count_vocabulary(struct making *m)
{
    const struct gguf_value *tokens = gguf_find(m->g, STR("tokenizer.ggml.tokens"));
    int64_t n = value_of_layer(m, "vocab_size", 0, 0, INT32_MAX);
    return !n && tokens && tokens->n <= INT32_MAX ? (int64_t)tokens->n : n;
}

static void set_widths(struct making *m)
{
    struct shape *s = m->shape;
    s->context_train = value_of_layer(m, "context_length", 0, 0, INT32_MAX);
    s->embed = value_of_layer(m, "embedding_length", 0, 0, MOST_WIDE);
    s->ff = whole_value(m, "feed_forward_length", MOST_WIDE);
    s->heads = whole_value(m, "attention.head_count", MOST_HEADS);
    s->vocab = count_vocabulary(m);
    s->experts = value_of_layer(m, "expert_count", 0, 0, MOST_HEADS);
    s->experts_used = whole_value(m, "expert_used_count", MOST_HEADS);
    s->expert_ff = s->experts ? whole_value(m, "expert_feed_forward_length", MOST_WIDE) : 0;
    if (s->experts && !s->expert_ff)
        s->expert_ff = s->ff;
    s->gated = !m->family || !m->family->plain_ff;
    s->window = pick_window(m);
    set_more_widths(m);
}

/* ---- weights ---- */

static int64_t elements(const struct gguf_tensor *t)
{
    return (int64_t)(t->size[0] * t->size[1] * t->size[2] * t->size[3]); /* fits, the reader says */
}

static int64_t plus(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static bool is_of_experts(struct str name)
{
    return str_find(name, STR("_exps")) >= 0;
}

/* Of a type that 256 weights are packed in; 0 = unknown. */
static int64_t hundredths_of_bits(uint32_t type)
{
    enum { ROW = 256 };
    uint64_t bytes;
    return gguf_row_bytes(type, ROW, &bytes) ? (int64_t)(bytes * 8 * 100 / ROW) : 0;
}

static void set_main_type(struct shape *s, const struct gguf *g)
{
    enum { TYPES = 64 };
    int64_t of[TYPES] = { 0 };
    uint32_t most = 0;
    for (size_t i = 0; i < g->ntensors; i++)
        if (g->tensors[i].type < TYPES && g->tensors[i].dimensions > 1)
            of[g->tensors[i].type] = plus(of[g->tensors[i].type], elements(&g->tensors[i]));
    for (uint32_t t = 0; t < TYPES; t++)
        most = of[t] > of[most] ? t : most;
    if (!of[most] || !gguf_type_known(most))
        return;
    snprintf(s->quant, sizeof s->quant, "%s", gguf_type_name(most));
    s->quant_bits = hundredths_of_bits(most);
}

static void set_weights(struct making *m)
{
    struct shape *s = m->shape;
    int64_t of_experts = 0;
    s->weights_bytes = m->g->tensor_bytes > INT64_MAX ? INT64_MAX : (int64_t)m->g->tensor_bytes;
    for (size_t i = 0; i < m->g->ntensors; i++) {
        int64_t n = elements(&m->g->tensors[i]);
        s->params = plus(s->params, n);
        of_experts = plus(of_experts, is_of_experts(m->g->tensors[i].name) ? n : 0);
    }
    s->params_active = s->params;
    if (s->experts && s->experts_used < s->experts)
        s->params_active -= of_experts - of_experts / s->experts * s->experts_used;
    set_main_type(s, m->g);
}

enum err_code shape_of_gguf(const struct gguf *g, struct arena *a, struct shape *out, struct err *e)
{
    struct shape s = { 0 };
    struct making m = { .g = g, .family = family_find(g->architecture), .shape = &s, .e = e };
    m.mla = keeps_keys_only(&m);
    model_shown(s.architecture, sizeof s.architecture, g->architecture);
    model_shown(s.name, sizeof s.name, gguf_text(g, STR("general.name")));
    s.no_kv = m.family && m.family->keeps == KEEPS_NOTHING;
    s.whole_known = m.family && !g->unknown_types;
    s.formula = family_formula(m.family, m.mla);
    set_widths(&m);
    make_layers(&m, a);
    set_weights(&m);
    if (!m.rc)
        *out = s;
    return m.rc;
}
