/* Shapes out of config.json, as models have them; keys and values summed by hand beside each. */
#include "model/fit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct {
    const char *name, *config;
    int64_t kv;                 /* f16, 4096 tokens, one slot, 512 at a time */
    int64_t context_train;
    const char *quant;
    bool unknown;
} rows[] = {
    { "Llama 3 8B", "{\"model_type\":\"llama\",\"num_hidden_layers\":32,\"num_attention_heads\":32,\"num_key_value_heads\":8,\"hidden_size\":4096,"
        "\"intermediate_size\":14336,\"vocab_size\":128256,\"max_position_embeddings\":8192,\"torch_dtype\":\"bfloat16\"}",
        INT64_C(4096) * 32 * 8 * 256 * 2, 8192, "bf16" },
    { "MLX in 4 bits", "{\"model_type\":\"qwen3\",\"num_hidden_layers\":28,\"num_attention_heads\":16,\"num_key_value_heads\":8,\"head_dim\":128,"
        "\"hidden_size\":1024,\"max_position_embeddings\":40960,\"sliding_window\":null,\"use_sliding_window\":false,"
        "\"quantization\":{\"group_size\":64,\"bits\":4}}", INT64_C(4096) * 28 * 8 * 256 * 2, 40960, "4bit" },
    { "Qwen2 whose window is off", "{\"model_type\":\"qwen2\",\"num_hidden_layers\":4,\"num_attention_heads\":8,\"num_key_value_heads\":2,\"hidden_size\":512,"
        "\"sliding_window\":128,\"max_window_layers\":2,\"use_sliding_window\":false}", INT64_C(4096) * 4 * 2 * 128 * 2, 0, "" },
    /* layers 2 and 3 at the last 128: pad256(128 + 512) = 768 */
    { "Qwen2 whose window is on", "{\"model_type\":\"qwen2\",\"num_hidden_layers\":4,\"num_attention_heads\":8,\"num_key_value_heads\":2,\"hidden_size\":512,"
        "\"sliding_window\":128,\"max_window_layers\":2,\"use_sliding_window\":true}", (INT64_C(2) * 4096 + 2 * 768) * 2 * 128 * 2, 0, "" },
    { "Mistral", "{\"model_type\":\"mistral\",\"num_hidden_layers\":32,\"num_attention_heads\":32,\"num_key_value_heads\":8,\"hidden_size\":4096,"
        "\"sliding_window\":1024}", INT64_C(1536) * 32 * 8 * 256 * 2, 0, "" },
    { "Mixtral", "{\"model_type\":\"mixtral\",\"num_hidden_layers\":32,\"num_attention_heads\":32,\"num_key_value_heads\":8,\"hidden_size\":4096,"
        "\"sliding_window\":null,\"num_local_experts\":8,\"num_experts_per_tok\":2,\"intermediate_size\":14336}", INT64_C(4096) * 32 * 8 * 256 * 2, 0, "" },
    /* 6 layers of which the last looks at everything: 4096 + 5 x 1024 */
    { "Gemma 3 with pictures", "{\"model_type\":\"gemma3\",\"vision_config\":{\"num_hidden_layers\":27},\"text_config\":{\"model_type\":\"gemma3_text\","
        "\"num_hidden_layers\":6,\"num_attention_heads\":4,\"num_key_value_heads\":1,\"head_dim\":256,\"hidden_size\":1152,\"sliding_window\":512}}",
        (INT64_C(4096) + 5 * 1024) * 512 * 2, 0, "" },
    { "Gemma 2", "{\"model_type\":\"gemma2\",\"num_hidden_layers\":4,\"num_attention_heads\":8,\"num_key_value_heads\":4,\"head_dim\":256,\"hidden_size\":2304,"
        "\"sliding_window\":1024}", (INT64_C(2) * 4096 + 2 * 1536) * 4 * 512 * 2, 0, "" },
    /* the last two use others' keys */
    { "Gemma 3n", "{\"model_type\":\"gemma3n\",\"text_config\":{\"model_type\":\"gemma3n_text\",\"num_hidden_layers\":5,\"num_attention_heads\":8,"
        "\"num_key_value_heads\":2,\"head_dim\":256,\"hidden_size\":2048,\"sliding_window\":512,\"num_kv_shared_layers\":2,\"intermediate_size\":[8192,8192,"
        "8192,8192,8192],\"layer_types\":[\"sliding_attention\",\"full_attention\",\"sliding_attention\",\"sliding_attention\",\"full_attention\"]}}",
        (INT64_C(4096) + 2 * 1024) * 2 * 512 * 2, 0, "" },
    /* full: 1 head 512 wide; window: 2 heads 256 wide, both 2048 bytes */
    { "Gemma 4", "{\"model_type\":\"gemma4\",\"text_config\":{\"model_type\":\"gemma4_text\",\"num_hidden_layers\":3,\"num_attention_heads\":8,"
        "\"num_key_value_heads\":2,\"head_dim\":256,\"global_head_dim\":512,\"num_global_key_value_heads\":1,\"hidden_size\":1536,\"sliding_window\":512,"
        "\"layer_types\":[\"sliding_attention\",\"sliding_attention\",\"full_attention\"]}}", (INT64_C(4096) + 2 * 1024) * 2048, 0, "" },
    { "gpt-oss", "{\"model_type\":\"gpt_oss\",\"num_hidden_layers\":2,\"num_attention_heads\":64,\"num_key_value_heads\":8,\"head_dim\":64,\"hidden_size\":2880,"
        "\"sliding_window\":128,\"layer_types\":[\"sliding_attention\",\"full_attention\"],\"quantization_config\":{\"quant_method\":\"mxfp4\"}}",
        (INT64_C(4096) + 768) * 8 * 128 * 2, 0, "mxfp4" },
    { "DeepSeek V3", "{\"model_type\":\"deepseek_v3\",\"num_hidden_layers\":61,\"num_attention_heads\":128,\"num_key_value_heads\":128,\"hidden_size\":7168,"
        "\"kv_lora_rank\":512,\"qk_rope_head_dim\":64,\"n_routed_experts\":256,\"num_experts_per_tok\":8,\"moe_intermediate_size\":2048,"
        "\"max_position_embeddings\":163840}", INT64_C(4096) * 61 * 576 * 2, 163840, "" },
    /* layers 0, 1, 2 keep (4 - 1) x (2 x 16 x 128 + 32 x 128) + 32 x 128 x 128 floats */
    { "Qwen3-Next", "{\"model_type\":\"qwen3_next\",\"num_hidden_layers\":4,\"num_attention_heads\":16,\"num_key_value_heads\":2,\"head_dim\":256,"
        "\"hidden_size\":2048,\"full_attention_interval\":4,\"linear_conv_kernel_dim\":4,\"linear_num_key_heads\":16,\"linear_num_value_heads\":32,"
        "\"linear_key_head_dim\":128,\"linear_value_head_dim\":128,\"num_experts\":512,\"num_experts_per_tok\":10,\"moe_intermediate_size\":512}",
        INT64_C(4096) * 2 * 512 * 2 + INT64_C(3) * (3 * 8192 + 524288) * 4, 0, "" },
    { "BERT", "{\"model_type\":\"bert\",\"num_hidden_layers\":6,\"num_attention_heads\":12,\"hidden_size\":384,\"max_position_embeddings\":512}", 0, 512, "" },
    { "GPT-2", "{\"model_type\":\"gpt2\",\"n_layer\":12,\"n_head\":12,\"n_embd\":768,\"n_positions\":1024}", INT64_C(4096) * 12 * 12 * 128 * 2, 1024, "" },
    { "one that nobody knows", "{\"model_type\":\"gemma9\",\"num_hidden_layers\":2,\"num_attention_heads\":8,\"num_key_value_heads\":2,\"hidden_size\":512}",
        INT64_C(4096) * 2 * 2 * 128 * 2, 0, "", true },
};

static void test_keys_and_values(void **state)
{
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct fit_ask ask = { .context = 4096, .slots = 1, .kv_k = STR("f16"), .kv_v = STR("f16"), .ubatch = 512, .flash = true };
        struct fit_terms t;
        struct shape s;
        struct err e = { 0 };
        struct arena arena;
        arena_init(&arena);
        if (shape_of_config(str_of(rows[i].config), 1000, 2000, &arena, &s, &e))
            fail_msg("%s: %s", rows[i].name, e.text);
        assert_true(fit_compute(&s, NULL, &ask, &t));
        if (t.kv != rows[i].kv)
            fail_msg("%s: %lld, by hand %lld", rows[i].name, (long long)t.kv, (long long)rows[i].kv);
        assert_int_equal(s.context_train, rows[i].context_train);
        assert_string_equal(s.quant, rows[i].quant);
        assert_int_equal(s.whole_known, !rows[i].unknown);
        assert_int_equal(t.weights, 1000);
        assert_true(s.params == 2000 && s.params_active <= 2000);
        arena_fini(&arena);
    }
}

/* Mixtral 8x7B: 2 of 8 experts, three matrices of 4096 x 14336 each in 32 layers: 46.7B less 6 x 32 x 3 x 58.7M = 12.9B. */
static void test_active_weights(void **state)
{
    struct arena arena;
    struct shape s;
    struct err e;
    arena_init(&arena);
    assert_int_equal(shape_of_config(STR("{\"model_type\":\"mixtral\",\"num_hidden_layers\":32,\"num_attention_heads\":32,\"num_key_value_heads\":8,"
        "\"hidden_size\":4096,\"num_local_experts\":8,\"num_experts_per_tok\":2,\"intermediate_size\":14336}"), 1, INT64_C(46702792704), &arena, &s, &e),
        ERR_OK);
    assert_int_equal(s.params_active, INT64_C(46702792704) - INT64_C(6) * 32 * 3 * 4096 * 14336);
    arena_fini(&arena);
}

static void test_what_cannot_be(void **state)
{
    static const char *const texts[] = {
        "", "[]", "{", "\"x\"", "{}", "{\"num_hidden_layers\":0}", "{\"num_hidden_layers\":-1}", "{\"num_hidden_layers\":1e9}",
        "{\"num_hidden_layers\":\"many\"}", "{\"num_hidden_layers\":5000}", "{\"num_hidden_layers\":2,\"num_attention_heads\":100000000,\"hidden_size\":8}",
        "{\"num_hidden_layers\":2,\"hidden_size\":2000000000}", "{\"num_hidden_layers\":2,\"num_attention_heads\":8,\"hidden_size\":64,\"head_dim\":2000000000}",
        "{\"num_hidden_layers\":2,\"num_attention_heads\":8,\"hidden_size\":64,\"num_key_value_heads\":-8}", "{\"text_config\":{\"num_hidden_layers\":true}}",
    };
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        struct arena arena;
        struct shape s = { .layers = 77 };
        struct err e = { 0 };
        arena_init(&arena);
        if (shape_of_config(str_of(texts[i]), 1, 1, &arena, &s, &e) != ERR_WEIGHTS_BROKEN)
            fail_msg("%s", texts[i]);
        assert_int_equal(s.layers, 77);
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_and_values),
        cmocka_unit_test(test_active_weights),
        cmocka_unit_test(test_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
