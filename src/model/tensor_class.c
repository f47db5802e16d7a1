/* Names of tensors: GGUF has one scheme for all architectures, safetensors those of the models' authors. The first row that matches decides. */
#include "model/summary.h"

const char *const tensor_class_name[CLASS_COUNT] = {
    [CLASS_EMBEDDING] = "embedding", [CLASS_ATTENTION] = "attention", [CLASS_RECURRENT] = "recurrent", [CLASS_FFN] = "ffn", [CLASS_EXPERTS] = "experts",
    [CLASS_NORM] = "norm", [CLASS_OUTPUT] = "output", [CLASS_VISION] = "vision", [CLASS_OTHER] = "other",
};

struct rule {
    struct str part;      /* '#' is any digit */
    bool begins;          /* only at the name's beginning */
    enum tensor_class is;
};

static const struct rule gguf_rules[] = {
    { STR("v."), true, CLASS_VISION },              { STR("mm."), true, CLASS_VISION },             { STR("a."), true, CLASS_VISION },
    { STR("norm"), false, CLASS_NORM },
    { STR("_exps"), false, CLASS_EXPERTS },         { STR("_chexps"), false, CLASS_EXPERTS },
    { STR(".ffn_gate.#"), false, CLASS_EXPERTS },   { STR(".ffn_up.#"), false, CLASS_EXPERTS },     { STR(".ffn_down.#"), false, CLASS_EXPERTS },
    { STR("token_embd"), true, CLASS_EMBEDDING },   { STR("per_layer_token_embd"), true, CLASS_EMBEDDING },
    { STR("token_types"), true, CLASS_EMBEDDING },  { STR("position_embd"), true, CLASS_EMBEDDING },
    { STR("output."), true, CLASS_OUTPUT },         { STR("cls"), true, CLASS_OUTPUT },             { STR("dense_"), true, CLASS_OUTPUT },
    { STR(".ssm_"), false, CLASS_RECURRENT },       { STR(".time_mix_"), false, CLASS_RECURRENT },  { STR(".channel_mix_"), false, CLASS_RECURRENT },
    { STR(".shortconv."), false, CLASS_RECURRENT },
    { STR("attn_"), false, CLASS_ATTENTION },       { STR(".indexer."), false, CLASS_ATTENTION },
    { STR(".ffn_"), false, CLASS_FFN },
};

static const struct rule safetensors_rules[] = {
    { STR("vision"), false, CLASS_VISION },         { STR("visual."), false, CLASS_VISION },        { STR("audio_tower"), false, CLASS_VISION },
    { STR("multi_modal_projector"), false, CLASS_VISION },
    { STR("norm"), false, CLASS_NORM },             { STR("Norm"), false, CLASS_NORM },             { STR(".ln_"), false, CLASS_NORM },
    { STR(".experts."), false, CLASS_EXPERTS },     { STR(".switch_mlp."), false, CLASS_EXPERTS },
    { STR("embed"), false, CLASS_EMBEDDING },       { STR("wte."), false, CLASS_EMBEDDING },        { STR("wpe."), false, CLASS_EMBEDDING },
    { STR("lm_head"), false, CLASS_OUTPUT },        { STR("output."), true, CLASS_OUTPUT },         { STR("score."), true, CLASS_OUTPUT },
    { STR("classifier"), true, CLASS_OUTPUT },      { STR("pooler"), false, CLASS_OUTPUT },
    { STR("linear_attn"), false, CLASS_RECURRENT }, { STR("mamba"), false, CLASS_RECURRENT },       { STR(".ssm"), false, CLASS_RECURRENT },
    { STR(".mixer."), false, CLASS_RECURRENT },     { STR(".conv"), false, CLASS_RECURRENT },
    { STR("attn"), false, CLASS_ATTENTION },        { STR("attention"), false, CLASS_ATTENTION },
    { STR("mlp"), false, CLASS_FFN },               { STR("feed_forward"), false, CLASS_FFN },      { STR("ffn"), false, CLASS_FFN },
    { STR("intermediate.dense"), false, CLASS_FFN }, { STR("output.dense"), false, CLASS_FFN },     { STR(".fc"), false, CLASS_FFN },
};

static bool matches_at(struct str name, size_t at, struct str part)
{
    if (name.n - at < part.n)
        return false;
    for (size_t i = 0; i < part.n; i++) {
        char c = name.p[at + i];
        if (part.p[i] == '#' ? c < '0' || c > '9' : c != part.p[i])
            return false;
    }
    return true;
}

static bool matches(struct str name, const struct rule *r)
{
    if (r->begins)
        return matches_at(name, 0, r->part);
    for (size_t at = 0; at < name.n; at++)
        if (matches_at(name, at, r->part))
            return true;
    return false;
}

enum tensor_class tensor_class_of(struct str name, bool safetensors)
{
    const struct rule *rules = safetensors ? safetensors_rules : gguf_rules;
    size_t n = safetensors ? COUNTOF(safetensors_rules) : COUNTOF(gguf_rules);
    for (size_t i = 0; i < n; i++)
        if (matches(name, &rules[i]))
            return rules[i].is;
    return CLASS_OTHER;
}
