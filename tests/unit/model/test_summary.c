/* What is told of a model: sums by class and type, active parameters, and what its keys say. Files are put together here as model_files would have them. */
#include "model/summary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_classes_by_name(void **state)
{
    static const struct { const char *name; bool safetensors; enum tensor_class is; } cases[] = {
        { "token_embd.weight", false, CLASS_EMBEDDING },                { "per_layer_token_embd.weight", false, CLASS_EMBEDDING },
        { "position_embd.weight", false, CLASS_EMBEDDING },             { "token_embd_norm.weight", false, CLASS_NORM },
        { "output.weight", false, CLASS_OUTPUT },                       { "output_norm.weight", false, CLASS_NORM },
        { "cls.weight", false, CLASS_OUTPUT },                          { "rope_freqs.weight", false, CLASS_OTHER },
        { "blk.0.attn_q.weight", false, CLASS_ATTENTION },              { "blk.0.attn_output.weight", false, CLASS_ATTENTION },
        { "blk.0.attn_kv_a_mqa.weight", false, CLASS_ATTENTION },       { "blk.0.attn_q_norm.weight", false, CLASS_NORM },
        { "blk.0.attn_norm.weight", false, CLASS_NORM },                { "blk.0.ffn_norm.weight", false, CLASS_NORM },
        { "blk.0.ffn_down.weight", false, CLASS_FFN },                  { "blk.0.ffn_gate_inp.weight", false, CLASS_FFN },
        { "blk.0.ffn_gate_exps.weight", false, CLASS_EXPERTS },         { "blk.0.ffn_down_exps.bias", false, CLASS_EXPERTS },
        { "blk.0.ffn_up_shexp.weight", false, CLASS_FFN },              { "blk.0.ffn_gate.3.weight", false, CLASS_EXPERTS },
        { "blk.0.ssm_in.weight", false, CLASS_RECURRENT },              { "blk.0.time_mix_key.weight", false, CLASS_RECURRENT },
        { "blk.0.shortconv.conv.weight", false, CLASS_RECURRENT },      { "v.blk.0.attn_q.weight", false, CLASS_VISION },
        { "mm.0.weight", false, CLASS_VISION },                         { "blk.0.new_thing.weight", false, CLASS_OTHER },
        { "", false, CLASS_OTHER },
        { "model.embed_tokens.weight", true, CLASS_EMBEDDING },         { "transformer.wte.weight", true, CLASS_EMBEDDING },
        { "lm_head.weight", true, CLASS_OUTPUT },                       { "model.norm.weight", true, CLASS_NORM },
        { "model.layers.0.input_layernorm.weight", true, CLASS_NORM },  { "model.layers.0.self_attn.q_proj.weight", true, CLASS_ATTENTION },
        { "model.layers.0.self_attn.q_norm.weight", true, CLASS_NORM }, { "model.layers.0.mlp.gate_proj.weight", true, CLASS_FFN },
        { "model.layers.0.mlp.experts.7.up_proj.weight", true, CLASS_EXPERTS }, { "model.layers.0.mlp.switch_mlp.up_proj.scales", true, CLASS_EXPERTS },
        { "model.layers.0.mlp.experts.gate_up_proj_blocks", true, CLASS_EXPERTS }, { "model.layers.0.mlp.shared_expert.up_proj.weight", true, CLASS_FFN },
        { "model.layers.0.mlp.shared_experts.up_proj.weight", true, CLASS_FFN }, { "model.layers.0.linear_attn.in_proj.weight", true, CLASS_RECURRENT },
        { "encoder.layer.0.attention.output.dense.weight", true, CLASS_ATTENTION }, { "encoder.layer.0.output.dense.weight", true, CLASS_FFN },
        { "encoder.layer.0.output.LayerNorm.weight", true, CLASS_NORM }, { "embeddings.word_embeddings.weight", true, CLASS_EMBEDDING },
        { "vision_tower.encoder.layers.0.self_attn.q_proj.weight", true, CLASS_VISION }, { "model.visual.patch_embed.proj.weight", true, CLASS_VISION },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++)
        if (tensor_class_of(str_of(cases[i].name), cases[i].safetensors) != cases[i].is)
            fail_msg("%s: %s", cases[i].name, tensor_class_name[tensor_class_of(str_of(cases[i].name), cases[i].safetensors)]);
}

static struct gguf_pair pair_int(const char *key, int64_t v)
{
    return (struct gguf_pair){ str_of(key), { .type = GGUF_U32, .integer = v, .real = (double)v } };
}

static struct gguf_pair pair_text(const char *key, const char *text)
{
    return (struct gguf_pair){ str_of(key), { .type = GGUF_STRING, .n = strlen(text), .text = str_of(text) } };
}

static void begin(struct model_files *m, const struct model_tensor *tensors, size_t n)
{
    static const struct str path = STR("m.gguf");
    *m = (struct model_files){ .paths = &path, .folder = path, .tensors = tensors, .ntensors = n, .n = 1, .first = { .architecture = STR("llama") } };
    arena_init(&m->arena);
    for (size_t i = 0; i < n; i++) {
        m->params += tensors[i].params;
        m->tensor_bytes += tensors[i].bytes;
    }
}

/* 8 experts of which 2 are used: attention 1000, embedding 600, experts 8000 -> 1000 + 600 + 2000. */
static void test_a_mixture_of_experts(void **state)
{
    static const struct model_tensor tensors[] = {
        { STR("token_embd.weight"), "q6_K", 500, 600 },            { STR("blk.0.attn_q.weight"), "q4_K", 400, 700 },
        { STR("blk.0.attn_k.weight"), "q6_K", 250, 300 },          { STR("blk.0.ffn_gate_exps.weight"), "q4_K", 2000, 4000 },
        { STR("blk.0.ffn_up_exps.weight"), "q4_K", 2000, 4000 },
    };
    const struct gguf_pair pairs[] = {
        pair_int("llama.block_count", 1),         pair_int("llama.embedding_length", 64),      pair_int("llama.attention.head_count", 4),
        pair_int("llama.attention.head_count_kv", 2), pair_int("llama.context_length", 4096),  pair_int("llama.expert_count", 8),
        pair_int("llama.expert_used_count", 2),   pair_int("general.file_type", 15),           pair_text("general.license", "mit"),
        pair_text("general.size_label", "8x1B"),  pair_text("general.name", "Mix"),            pair_text("tokenizer.ggml.model", "gpt2"),
        pair_text("tokenizer.ggml.pre", "qwen2"), pair_int("llama.vocab_size", 1000),
    };
    struct model_files m;
    struct summary s;
    begin(&m, tensors, COUNTOF(tensors));
    m.first.pairs = pairs;
    m.first.npairs = COUNTOF(pairs);
    m.chat_template = STR("{% if tools %}{% endif %}");
    summary_make(&m, &s);
    assert_string_equal(s.shape_why, "");
    assert_int_equal(s.params, 9600);
    assert_int_equal(s.params_active, 3600);
    assert_true(s.bits_per_weight > 4.2916 && s.bits_per_weight < 4.2917); /* 5150 bytes of 9600 */
    assert_string_equal(s.quantisation, "Q4_K_M");
    assert_int_equal(s.shape.layers, 1);
    assert_int_equal(s.kv_heads, 2);
    assert_true(str_eq(s.license, STR("mit")) && str_eq(s.size_label, STR("8x1B")) && str_eq(s.tokenizer, STR("gpt2 (qwen2)")));
    assert_true(s.chat.parses && s.chat.tools);
    const struct summary_class *attention = &s.classes[CLASS_ATTENTION];
    assert_int_equal(attention->all.tensors, 2);
    assert_int_equal(attention->all.bytes, 650);
    assert_int_equal(attention->ntypes, 2);
    assert_string_equal(attention->types[0].type, "q4_K");
    assert_int_equal(attention->types[0].sum.params, 700);
    assert_int_equal(s.classes[CLASS_EXPERTS].all.params, 8000);
    assert_int_equal(s.classes[CLASS_VISION].all.tensors, 0);
    arena_fini(&m.arena);
}

static void test_what_is_not_said(void **state)
{
    static const struct model_tensor tensors[] = { { STR("a"), "f16", 20, 10 }, { STR("b"), "unknown", 0, 90 } };
    struct model_files m;
    struct summary s;
    begin(&m, tensors, COUNTOF(tensors));
    m.unknown_types = true;
    summary_make(&m, &s);
    assert_non_null(strstr(s.shape_why, "layers"));
    assert_int_equal(s.params, 100);
    assert_int_equal(s.params_active, 100);
    assert_true(s.bits_per_weight >= 0 && s.bits_per_weight <= 0);
    assert_string_equal(s.quantisation, "unknown");
    assert_int_equal(s.license.n, 0);
    assert_int_equal(s.tokenizer.n, 0);
    assert_false(s.chat.parses);
    arena_fini(&m.arena);
}

static void test_more_types_than_are_listed(void **state)
{
    static const char *const types[] = { "f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q4_K", "q6_K" };
    struct model_tensor tensors[COUNTOF(types)];
    struct model_files m;
    struct summary s;
    size_t of = 0;
    for (size_t i = 0; i < COUNTOF(types); i++)
        tensors[i] = (struct model_tensor){ STR("blk.0.ffn_up.weight"), types[i], 10 + i, 1 };
    begin(&m, tensors, COUNTOF(tensors));
    summary_make(&m, &s);
    const struct summary_class *c = &s.classes[CLASS_FFN];
    assert_int_equal(c->ntypes, SUMMARY_MAX_TYPES);
    assert_string_equal(c->types[SUMMARY_MAX_TYPES - 1].type, "other");
    for (size_t i = 0; i < c->ntypes; i++)
        of += c->types[i].sum.tensors;
    assert_int_equal(of, COUNTOF(types));
    assert_int_equal(c->types[SUMMARY_MAX_TYPES - 1].sum.tensors, 3);
    assert_string_equal(c->types[0].type, "q5_1");
    arena_fini(&m.arena);
}

static void test_a_folder_speaks_by_its_config(void **state)
{
    static const struct model_tensor tensors[] = {
        { STR("model.embed_tokens.weight"), "bf16", 2048, 1024 }, { STR("model.layers.0.self_attn.q_proj.weight"), "bf16", 512, 256 },
    };
    struct model_files m;
    struct summary s;
    begin(&m, tensors, COUNTOF(tensors));
    m.first = (struct gguf){ 0 };
    m.safetensors = true;
    m.tokenizer = STR("PreTrainedTokenizerFast");
    m.config_json = STR("{\"model_type\":\"llama\",\"num_hidden_layers\":1,\"hidden_size\":16,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
                        "\"vocab_size\":64,\"max_position_embeddings\":2048,\"torch_dtype\":\"bfloat16\"}");
    summary_make(&m, &s);
    assert_string_equal(s.shape_why, "");
    assert_true(str_eq(s.architecture, STR("llama")) && str_eq(s.tokenizer, STR("PreTrainedTokenizerFast")));
    assert_int_equal(s.shape.context_train, 2048);
    assert_int_equal(s.kv_heads, 2);
    assert_true(s.bits_per_weight > 15.99 && s.bits_per_weight < 16.01);
    arena_fini(&m.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes_by_name),
        cmocka_unit_test(test_a_mixture_of_experts),
        cmocka_unit_test(test_what_is_not_said),
        cmocka_unit_test(test_more_types_than_are_listed),
        cmocka_unit_test(test_a_folder_speaks_by_its_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
