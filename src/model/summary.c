/* Sums over all tensors, and what the keys say. */
#include "model/summary.h"

#include <stdio.h>

/* general.file_type, as llama.cpp numbers what it packs to; its last few are too young to be named here. */
static const char *const file_types[] = {
    [0] = "F32", [1] = "F16", [2] = "Q4_0", [3] = "Q4_1", [7] = "Q8_0", [8] = "Q5_0", [9] = "Q5_1", [10] = "Q2_K", [11] = "Q3_K_S", [12] = "Q3_K_M",
    [13] = "Q3_K_L", [14] = "Q4_K_S", [15] = "Q4_K_M", [16] = "Q5_K_S", [17] = "Q5_K_M", [18] = "Q6_K", [19] = "IQ2_XXS", [20] = "IQ2_XS", [21] = "Q2_K_S",
    [22] = "IQ3_XS", [23] = "IQ3_XXS", [24] = "IQ1_S", [25] = "IQ4_NL", [26] = "IQ3_S", [27] = "IQ3_M", [28] = "IQ2_S", [29] = "IQ2_M", [30] = "IQ4_XS",
    [31] = "IQ1_M", [32] = "BF16", [36] = "TQ1_0", [37] = "TQ2_0", [38] = "MXFP4_MOE",
};

/* ---- sums ---- */

static void add(struct summary_sum *sum, const struct model_tensor *t)
{
    sum->tensors++;
    sum->bytes += t->bytes; /* part of model_files' sums, which were checked */
    sum->params += t->params;
}

static void add_type(struct summary_class *c, const struct model_tensor *t)
{
    size_t i = 0;
    while (i < c->ntypes && strcmp(c->types[i].type, t->type) != 0)
        i++;
    if (i == SUMMARY_MAX_TYPES) {
        i = SUMMARY_MAX_TYPES - 1;
        c->types[i].type = "other";
    } else if (i == c->ntypes) {
        c->types[c->ntypes++].type = t->type;
    }
    add(&c->types[i].sum, t);
}

static void sort_types(struct summary_class *c)
{
    for (size_t i = 1; i < c->ntypes; i++)
        for (size_t k = i; k > 0 && c->types[k].sum.bytes > c->types[k - 1].sum.bytes && strcmp(c->types[k].type, "other") != 0; k--) {
            struct summary_type t = c->types[k];
            c->types[k] = c->types[k - 1];
            c->types[k - 1] = t;
        }
}

static void sum_up(const struct model_files *m, struct summary *s)
{
    for (size_t i = 0; i < m->ntensors; i++) {
        struct summary_class *c = &s->classes[tensor_class_of(m->tensors[i].name, m->safetensors)];
        add(&c->all, &m->tensors[i]);
        add_type(c, &m->tensors[i]);
    }
    for (size_t i = 0; i < CLASS_COUNT; i++)
        sort_types(&s->classes[i]);
    s->params = m->params;
    if (m->params > 0 && !m->unknown_types)
        s->bits_per_weight = (double)m->tensor_bytes * 8 / (double)m->params;
}

/* Of all experts' weights a token uses as many as it is sent to. */
static int64_t count_active(const struct summary *s)
{
    int64_t experts = s->shape.experts, used = s->shape.experts_used, of_experts = s->classes[CLASS_EXPERTS].all.params;
    if (experts <= 0 || used <= 0 || used >= experts)
        return s->params;
    return s->params - of_experts + (int64_t)((double)of_experts * (double)used / (double)experts + 0.5);
}

/* ---- what it is called ---- */

static const char *main_type(const struct summary *s)
{
    const char *best = "";
    int64_t most = 0;
    for (size_t i = 0; i < CLASS_COUNT; i++)
        for (size_t k = 0; k < s->classes[i].ntypes; k++)
            if (s->classes[i].types[k].sum.params > most) {
                most = s->classes[i].types[k].sum.params;
                best = s->classes[i].types[k].type;
            }
    return best;
}

static const char *quantisation(const struct model_files *m, const struct summary *s)
{
    const struct gguf_value *v = gguf_find(&m->first, STR("general.file_type"));
    bool said = v && gguf_is_integer(v->type) && v->integer >= 0 && v->integer < (int64_t)COUNTOF(file_types) && file_types[v->integer];
    if (said)
        return file_types[v->integer];
    return s->shape.quant[0] && m->safetensors ? s->shape.quant : main_type(s);
}

static struct str tokenizer(struct model_files *m)
{
    struct str model = gguf_text(&m->first, STR("tokenizer.ggml.model")), pre = gguf_text(&m->first, STR("tokenizer.ggml.pre"));
    if (m->safetensors)
        return m->tokenizer;
    return pre.n ? arena_printf(&m->arena, "%.*s (%.*s)", STR_ARG(model), STR_ARG(pre)) : model;
}

static void read_texts(struct model_files *m, struct summary *s)
{
    const struct gguf *g = &m->first;
    s->architecture = m->safetensors ? str_of(s->shape.architecture) : g->architecture;
    s->name = m->safetensors ? str_of(s->shape.name) : gguf_text(g, STR("general.name"));
    s->type = gguf_text(g, STR("general.type"));
    s->license = gguf_text(g, STR("general.license"));
    s->size_label = gguf_text(g, STR("general.size_label"));
    s->tokenizer = tokenizer(m);
    s->quantisation = quantisation(m, s);
}

/* ---- its shape ---- */

static void read_shape(struct model_files *m, struct summary *s)
{
    struct err e = { 0 };
    if (shape_of_files(m, &m->arena, &s->shape, &e))
        snprintf(s->shape_why, sizeof s->shape_why, "%s", e.text);
    for (uint32_t i = 0; i < s->shape.layers; i++)
        if (s->shape.layer[i].kv_heads > s->kv_heads)
            s->kv_heads = s->shape.layer[i].kv_heads;
}

void summary_make(struct model_files *m, struct summary *out)
{
    *out = (struct summary){ .quantisation = "" };
    read_shape(m, out);
    sum_up(m, out);
    read_texts(m, out);
    out->params_active = count_active(out);
    if (m->chat_template.n)
        out->chat = template_look(m->chat_template);
}
