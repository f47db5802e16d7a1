/* Shapes out of crafted headers, one for each way of keeping keys, values and states; the bytes are summed by hand beside each. */
#include "model/fit.h"
#include "model/gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* ---- headers by hand ---- */

struct key {
    const char *name;           /* without the architecture */
    int64_t v;
    const int64_t *items;       /* instead: an array of n */
    size_t n;
};

enum { MAX_PAIRS = 40, MAX_TENSORS = 8 };

struct header {
    struct gguf g;
    struct gguf_pair pairs[MAX_PAIRS];
    struct gguf_tensor tensors[MAX_TENSORS];
    char names[MAX_PAIRS][96];
};

static void make_header(struct header *h, const char *architecture, const struct key *keys)
{
    memset(h, 0, sizeof *h);
    h->g = (struct gguf){ .version = 3, .architecture = str_of(architecture), .pairs = h->pairs, .tensors = h->tensors };
    for (size_t i = 0; keys[i].name; i++) {
        assert_true(i < MAX_PAIRS);
        snprintf(h->names[i], sizeof h->names[i], "%s.%s", architecture, keys[i].name);
        struct gguf_value v = { .type = GGUF_U32, .integer = keys[i].v, .real = (double)keys[i].v };
        if (keys[i].items)
            v = (struct gguf_value){ .type = GGUF_ARRAY, .item = GGUF_U32, .n = keys[i].n, .integers = keys[i].items };
        h->pairs[h->g.npairs++] = (struct gguf_pair){ str_of(h->names[i]), v };
    }
}

static void add_weights(struct header *h, const char *name, uint32_t type, uint64_t columns, uint64_t rows, uint64_t deep)
{
    uint64_t row = 0;
    assert_true(h->g.ntensors < MAX_TENSORS);
    assert_true(gguf_row_bytes(type, columns, &row));
    h->tensors[h->g.ntensors++] = (struct gguf_tensor){ .name = str_of(name), .type = type, .dimensions = deep > 1 ? 3 : rows > 1 ? 2 : 1,
        .size = { columns, rows, deep, 1 }, .bytes = row * rows * deep };
    h->g.tensor_bytes += row * rows * deep;
}

struct made {
    struct arena arena;
    struct shape shape;
};

static void make_shape(struct made *m, const struct header *h)
{
    struct err e = { 0 };
    arena_init(&m->arena);
    if (shape_of_gguf(&h->g, &m->arena, &m->shape, &e))
        fail_msg("%s", e.text);
}

/* Keys, values and states at `context` for `slots`, f16, 512 tokens at a time. */
static int64_t kv_at(const struct shape *s, int64_t context, int64_t slots, const char *type, bool shared)
{
    struct fit_ask ask = { .context = context, .slots = slots, .kv_k = str_of(type), .kv_v = str_of(type), .ubatch = 512, .flash = true,
        .kv_shared = shared };
    struct fit_terms t;
    assert_true(fit_compute(s, NULL, &ask, &t));
    return t.kv;
}

static int64_t kv_of(const char *architecture, const struct key *keys, int64_t context, int64_t slots)
{
    struct header h;
    struct made m;
    make_header(&h, architecture, keys);
    make_shape(&m, &h);
    int64_t kv = kv_at(&m.shape, context, slots, "f16", false);
    assert_true(m.shape.whole_known);
    arena_fini(&m.arena);
    return kv;
}

/* ---- attention ---- */

static void test_grouped_heads(void **state)
{
    static const struct key keys[] = { { "block_count", 32 }, { "context_length", 131072 }, { "embedding_length", 4096 },
        { "attention.head_count", 32 }, { "attention.head_count_kv", 8 }, { NULL } };
    /* 8192 cells x 32 layers x 8 heads x (128 + 128) x 2 bytes = 1 GiB */
    assert_int_equal(kv_of("llama", keys, 8192, 1), INT64_C(1) << 30);
    /* 8200 tokens are 8448 cells (33 x 256) */
    assert_int_equal(kv_of("llama", keys, 8200, 1), INT64_C(8448) * 32 * 8 * 256 * 2);
}

static void test_heads_by_default(void **state)
{
    static const struct key no_kv_count[] = { { "block_count", 2 }, { "embedding_length", 1024 }, { "attention.head_count", 16 }, { NULL } };
    static const struct key lengths[] = { { "block_count", 2 }, { "embedding_length", 1024 }, { "attention.head_count", 16 },
        { "attention.head_count_kv", 4 }, { "attention.key_length", 192 }, { "attention.value_length", 128 }, { NULL } };
    assert_int_equal(kv_of("gpt2", no_kv_count, 256, 1), 256 * 2 * 16 * (64 + 64) * 2); /* as many as heads */
    assert_int_equal(kv_of("qwen3", lengths, 256, 1), 256 * 2 * 4 * (192 + 128) * 2);
}

/* A Nemotron cut out of a Llama: a count for each layer, 0 where attention was cut away. */
static void test_a_count_for_each_layer(void **state)
{
    static const int64_t kv[] = { 8, 0, 4, 2 }, heads[] = { 32, 0, 32, 32 };
    static const struct key keys[] = { { "block_count", 4 }, { "embedding_length", 4096 }, { "attention.head_count", 0, heads, 4 },
        { "attention.head_count_kv", 0, kv, 4 }, { NULL } };
    assert_int_equal(kv_of("deci", keys, 1024, 1), 1024 * (8 + 0 + 4 + 2) * (128 + 128) * 2);
}

/* The engine keeps nothing for them in some architectures (here Qwen 3.5 in small: 8 layers of which 2 attend, and one behind them), and keeps it
 * in others. */
static void test_layers_that_only_predict_ahead(void **state)
{
    static const struct key qwen[] = { { "block_count", 9 }, { "nextn_predict_layers", 1 }, { "embedding_length", 256 }, { "attention.head_count", 4 },
        { "attention.head_count_kv", 2 }, { NULL } };
    static const struct key glm[] = { { "block_count", 47 }, { "nextn_predict_layers", 1 }, { "embedding_length", 4096 },
        { "attention.head_count", 96 }, { "attention.head_count_kv", 8 }, { "attention.key_length", 128 }, { "attention.value_length", 128 }, { NULL } };
    assert_int_equal(kv_of("qwen35", qwen, 4096, 1), 4096 * 2 * 2 * 128 * 2);
    assert_int_equal(kv_of("glm4moe", glm, 4096, 1), INT64_C(4096) * 47 * 8 * 256 * 2);
}

/* ---- windows ---- */

/* Gemma 3 4B: 34 layers, each sixth looks at everything (5, 11, 17, 23, 29), 29 at the last 1024. 4 heads 256 wide: a cell is 4096 bytes.
 * At 32768: 5 x 32768 + 29 x pad256(1024 + 512) = 163840 + 44544 = 208384 cells. */
static void test_gemma3(void **state)
{
    static const struct key keys[] = { { "block_count", 34 }, { "embedding_length", 2560 }, { "attention.head_count", 8 },
        { "attention.head_count_kv", 4 }, { "attention.key_length", 256 }, { "attention.value_length", 256 }, { "attention.sliding_window", 1024 }, { NULL } };
    assert_int_equal(kv_of("gemma3", keys, 32768, 1), INT64_C(208384) * 4096);
    /* The window is never larger than the context: 512 x 34 */
    assert_int_equal(kv_of("gemma3", keys, 512, 1), INT64_C(512) * 34 * 4096);
    /* Two slots: everything twice */
    assert_int_equal(kv_of("gemma3", keys, 32768, 2), INT64_C(208384) * 2 * 4096);
}

/* The same in one window of all slots: 5 x 32768 + 29 x pad256(1024 x 2 + 512) = 163840 + 29 x 2560 cells. */
static void test_gemma3_shared(void **state)
{
    static const struct key keys[] = { { "block_count", 34 }, { "embedding_length", 2560 }, { "attention.head_count", 8 },
        { "attention.head_count_kv", 4 }, { "attention.key_length", 256 }, { "attention.value_length", 256 }, { "attention.sliding_window", 1024 }, { NULL } };
    struct header h;
    struct made m;
    make_header(&h, "gemma3", keys);
    make_shape(&m, &h);
    assert_int_equal(kv_at(&m.shape, 32768, 2, "f16", true), (INT64_C(163840) + 29 * 2560) * 4096);
    /* q8_0: 4 heads x 256 = 1024 values = 32 blocks x 34 bytes, twice */
    assert_int_equal(kv_at(&m.shape, 32768, 1, "q8_0", false), INT64_C(208384) * 2 * 32 * 34);
    arena_fini(&m.arena);
}

/* Gemma 2: every second looks at everything. 26 layers: 13 x 8192 + 13 x pad256(4096 + 512). */
static void test_gemma2(void **state)
{
    static const struct key keys[] = { { "block_count", 26 }, { "embedding_length", 2304 }, { "attention.head_count", 8 },
        { "attention.head_count_kv", 4 }, { "attention.key_length", 256 }, { "attention.value_length", 256 }, { "attention.sliding_window", 4096 }, { NULL } };
    assert_int_equal(kv_of("gemma2", keys, 8192, 1), (INT64_C(13) * 8192 + 13 * 4608) * 4096);
}

/* Gemma 3n E2B: 30 layers, the first 20 have keys of their own; of those each fifth (4, 9, 14, 19) looks at everything, 16 at the last 512.
 * 2 heads 256 wide: 2048 bytes. At 8192: 4 x 8192 + 16 x pad256(512 + 512) = 32768 + 16384. */
static void test_gemma3n(void **state)
{
    static const struct key keys[] = { { "block_count", 30 }, { "embedding_length", 2048 }, { "attention.head_count", 8 },
        { "attention.head_count_kv", 2 }, { "attention.key_length", 256 }, { "attention.value_length", 256 }, { "attention.sliding_window", 512 }, { NULL } };
    assert_int_equal(kv_of("gemma3n", keys, 8192, 1), INT64_C(49152) * 2048);
}

/* Gemma 4 in small: 10 layers, the last 4 use others' keys, so 6 have their own. Of those layer 4 looks at everything with 1 head 512 wide (2048
 * bytes a cell), five at the last 512 with 2 heads 256 wide (2048 bytes). At 4096: 4096 + 5 x pad256(512 + 512) = 9216 cells. */
static void test_gemma4(void **state)
{
    static const int64_t pattern[] = { 1, 1, 1, 1, 0, 1, 1, 1, 1, 0 }, kv[] = { 2, 2, 2, 2, 1, 2, 2, 2, 2, 1 };
    static const struct key keys[] = { { "block_count", 10 }, { "embedding_length", 1536 }, { "attention.head_count", 8 },
        { "attention.head_count_kv", 0, kv, 10 }, { "attention.key_length", 512 }, { "attention.value_length", 512 },
        { "attention.key_length_swa", 256 }, { "attention.value_length_swa", 256 }, { "attention.sliding_window", 512 },
        { "attention.sliding_window_pattern", 0, pattern, 10 }, { "attention.shared_kv_layers", 4 }, { NULL } };
    assert_int_equal(kv_of("gemma4", keys, 4096, 1), INT64_C(9216) * 2048);
    assert_int_equal(kv_of("gemma4", keys, 4096, 3), INT64_C(9216) * 3 * 2048);
}

/* gpt-oss 20B: 24 layers, every second looks at the last 128: pad256(128 + 512) = 768. 8 heads 64 wide. */
static void test_gpt_oss(void **state)
{
    static const struct key keys[] = { { "block_count", 24 }, { "embedding_length", 2880 }, { "attention.head_count", 64 },
        { "attention.head_count_kv", 8 }, { "attention.key_length", 64 }, { "attention.value_length", 64 }, { "attention.sliding_window", 128 }, { NULL } };
    assert_int_equal(kv_of("gpt-oss", keys, 131072, 1), INT64_C(12) * (131072 + 768) * 8 * 128 * 2);
}

/* One that says a window which the engine does not heed. */
static void test_a_window_that_is_not_heeded(void **state)
{
    static const struct key keys[] = { { "block_count", 32 }, { "embedding_length", 3072 }, { "attention.head_count", 32 },
        { "attention.head_count_kv", 32 }, { "attention.sliding_window", 2047 }, { NULL } };
    assert_int_equal(kv_of("phi3", keys, 4096, 1), INT64_C(4096) * 32 * 32 * 192 * 2);
}

/* The first of four looks at everything: layers 0, 4; the rest at the last 4096, whatever the file says: pad256(4096 + 512) = 4608. */
static void test_the_full_layer_first(void **state)
{
    static const struct key keys[] = { { "block_count", 8 }, { "embedding_length", 1024 }, { "attention.head_count", 8 },
        { "attention.head_count_kv", 2 }, { "attention.sliding_window", 256 }, { NULL } };
    assert_int_equal(kv_of("smallthinker", keys, 16384, 1), (INT64_C(2) * 16384 + 6 * 4608) * 2 * 256 * 2);
}

/* ---- keys only ---- */

/* DeepSeek V3: 61 layers, one compressed row of 512 and 64 rotated: 4096 x 61 x 576 x 2 = 274.5 MiB. */
static void test_deepseek(void **state)
{
    static const struct key keys[] = { { "block_count", 61 }, { "embedding_length", 7168 }, { "attention.head_count", 128 },
        { "attention.head_count_kv", 1 }, { "attention.key_length", 576 }, { "attention.value_length", 512 }, { "attention.key_length_mla", 192 },
        { "attention.value_length_mla", 128 }, { "attention.kv_lora_rank", 512 }, { "rope.dimension_count", 64 }, { NULL } };
    assert_int_equal(kv_of("deepseek2", keys, 4096, 1), INT64_C(4096) * 61 * 576 * 2);
}

/* An older file of the same architecture: whole heads, keys and values. */
static void test_deepseek_of_old(void **state)
{
    static const struct key keys[] = { { "block_count", 27 }, { "embedding_length", 2048 }, { "attention.head_count", 16 },
        { "attention.head_count_kv", 16 }, { "attention.key_length", 192 }, { "attention.value_length", 128 }, { "attention.kv_lora_rank", 512 },
        { "rope.dimension_count", 64 }, { NULL } };
    assert_int_equal(kv_of("deepseek2", keys, 4096, 1), INT64_C(4096) * 27 * 16 * (192 + 128) * 2);
}

/* An indexer keeps 128 more. */
static void test_deepseek_with_an_indexer(void **state)
{
    static const struct key keys[] = { { "block_count", 61 }, { "embedding_length", 7168 }, { "attention.head_count", 128 },
        { "attention.head_count_kv", 1 }, { "attention.key_length_mla", 192 }, { "attention.kv_lora_rank", 512 }, { "rope.dimension_count", 64 },
        { "attention.indexer.key_length", 128 }, { NULL } };
    assert_int_equal(kv_of("deepseek32", keys, 4096, 1), INT64_C(4096) * 61 * (576 + 128) * 2);
}

/* ---- states ---- */

/* Qwen3-Next 80B: 48 layers, each fourth attends (12) with 2 heads 256 wide; 36 keep (4 - 1) x (4096 + 2 x 16 x 128) + 128 x 4096 = 548864 floats
 * for each sequence. At 4096 for 2: 2 x (12 x 4096 x 2 x 512 x 2 + 36 x 548864 x 4). */
static void test_qwen3next(void **state)
{
    static const struct key keys[] = { { "block_count", 48 }, { "embedding_length", 2048 }, { "attention.head_count", 16 },
        { "attention.head_count_kv", 2 }, { "attention.key_length", 256 }, { "attention.value_length", 256 }, { "ssm.conv_kernel", 4 },
        { "ssm.inner_size", 4096 }, { "ssm.group_count", 16 }, { "ssm.state_size", 128 }, { "full_attention_interval", 4 }, { NULL } };
    int64_t attention = INT64_C(12) * 4096 * 2 * 512 * 2, states = INT64_C(36) * 548864 * 4;
    assert_int_equal(kv_of("qwen3next", keys, 4096, 1), attention + states);
    assert_int_equal(kv_of("qwen3next", keys, 4096, 2), 2 * (attention + states));
}

/* Mamba 130M: 24 layers of (4 - 1) x 1536 + 16 x 1536 = 29184 floats, whatever the context. */
static void test_mamba(void **state)
{
    static const struct key keys[] = { { "block_count", 24 }, { "embedding_length", 768 }, { "attention.head_count", 0 }, { "ssm.conv_kernel", 4 },
        { "ssm.inner_size", 1536 }, { "ssm.state_size", 16 }, { NULL } };
    assert_int_equal(kv_of("mamba", keys, 512, 1), 24 * 29184 * 4);
    assert_int_equal(kv_of("mamba", keys, 100000, 3), 3 * 24 * 29184 * 4);
}

/* Jamba in small: attention in layer 2 alone; the others 3 x 512 + 16 x 512 floats. */
static void test_jamba(void **state)
{
    static const int64_t kv[] = { 0, 0, 8, 0 };
    static const struct key keys[] = { { "block_count", 4 }, { "embedding_length", 256 }, { "attention.head_count", 16 },
        { "attention.head_count_kv", 0, kv, 4 }, { "attention.key_length", 16 }, { "attention.value_length", 16 }, { "ssm.conv_kernel", 4 },
        { "ssm.inner_size", 512 }, { "ssm.state_size", 16 }, { NULL } };
    assert_int_equal(kv_of("jamba", keys, 1024, 1), 1024 * 8 * 32 * 2 + 3 * (3 * 512 + 16 * 512) * 4);
}

/* Nemotron-H in small: state, feed-forward, attention, feed-forward. Layers that only feed forward keep nothing. */
static void test_nemotron_h(void **state)
{
    static const int64_t kv[] = { 0, 0, 4, 0 }, ff[] = { 0, 1024, 0, 1024 };
    static const struct key keys[] = { { "block_count", 4 }, { "embedding_length", 512 }, { "attention.head_count", 8 },
        { "attention.head_count_kv", 0, kv, 4 }, { "feed_forward_length", 0, ff, 4 }, { "ssm.conv_kernel", 4 }, { "ssm.inner_size", 1024 },
        { "ssm.state_size", 64 }, { "ssm.group_count", 2 }, { NULL } };
    assert_int_equal(kv_of("nemotron_h", keys, 1024, 1), 1024 * 4 * 128 * 2 + (3 * (1024 + 2 * 2 * 64) + 64 * 1024) * 4);
}

/* Falcon-H1: each layer attends and keeps a state. */
static void test_falcon_h1(void **state)
{
    static const struct key keys[] = { { "block_count", 6 }, { "embedding_length", 512 }, { "attention.head_count", 8 },
        { "attention.head_count_kv", 2 }, { "ssm.conv_kernel", 4 }, { "ssm.inner_size", 768 }, { "ssm.state_size", 128 }, { "ssm.group_count", 1 }, { NULL } };
    assert_int_equal(kv_of("falcon-h1", keys, 1024, 1), 6 * (1024 * 2 * 128 * 2 + (3 * (768 + 2 * 128) + 128 * 768) * 4));
}

/* RWKV 7: two shifted tokens and a head's square for each head: embed x (2 + 64) floats. LFM2: two columns of the convolution. */
static void test_other_states(void **state)
{
    static const int64_t kv[] = { 0, 8, 0 };
    static const struct key rwkv[] = { { "block_count", 12 }, { "embedding_length", 768 }, { "attention.head_count", 0 }, { "wkv.head_size", 64 },
        { "token_shift_count", 2 }, { NULL } };
    static const struct key lfm[] = { { "block_count", 3 }, { "embedding_length", 1024 }, { "attention.head_count", 16 },
        { "attention.head_count_kv", 0, kv, 3 }, { "shortconv.l_cache", 3 }, { NULL } };
    /* Kimi Linear: 3 x 3 columns of 32 heads 128 wide, and their squares; layer 1 keeps keys only */
    static const int64_t kimi_kv[] = { 0, 1, 0 };
    static const struct key kimi[] = { { "block_count", 3 }, { "embedding_length", 2304 }, { "attention.head_count", 32 },
        { "attention.head_count_kv", 0, kimi_kv, 3 }, { "ssm.conv_kernel", 4 }, { "kda.head_dim", 128 }, { "attention.kv_lora_rank", 512 },
        { "attention.key_length_mla", 192 }, { "rope.dimension_count", 64 }, { NULL } };
    assert_int_equal(kv_of("rwkv7", rwkv, 4096, 1), 12 * 768 * (2 + 64) * 4);
    assert_int_equal(kv_of("lfm2", lfm, 512, 1), 512 * 8 * 128 * 2 + 2 * 1024 * 2 * 4);
    assert_int_equal(kv_of("kimi-linear", kimi, 512, 1), 512 * 576 * 2 + 2 * (3 * 3 * 32 * 128 + 128 * 128 * 32) * 4);
}

/* ---- the engine's own figures ---- */

/* Small models of 256 wide (ff 512, 4 heads, 2 with keys, 64 wide) that llama-server was given, at 4096 tokens and 512 at a time: "KV buffer size" and
 * "RS buffer size" added, and "compute buffer size". */
static void test_what_the_engine_lays_out(void **state)
{
    static const int64_t jamba_kv[] = { 0, 0, 0, 2, 0, 0, 0, 2 }, gemma_kv[] = { 2, 2, 2, 2, 1, 2, 2, 2, 2, 1 };
    static const int64_t pattern[] = { 1, 1, 1, 1, 0, 1, 1, 1, 1, 0 };
#define SMALL(layers) { "block_count", layers }, { "embedding_length", 256 }, { "feed_forward_length", 512 }, { "attention.head_count", 4 }, { "vocab_size", 320 }
#define SSM { "ssm.conv_kernel", 4 }, { "ssm.inner_size", 512 }, { "ssm.state_size", 16 }
#define MLA { "attention.kv_lora_rank", 256 }, { "rope.dimension_count", 32 }, { "attention.key_length_mla", 96 }
    static const struct {
        const char *architecture;
        struct key keys[14];
        double kv_mib, compute_mib;
    } rows[] = {
        { "llama", { SMALL(16), { "attention.head_count_kv", 2 }, { NULL } }, 32.00, 8.51 },
        { "gemma2", { SMALL(8), { "attention.head_count_kv", 2 }, { "attention.sliding_window", 512 }, { NULL } }, 8.00 + 2.00, 9.52 },
        { "gemma3", { SMALL(13), { "attention.head_count_kv", 2 }, { "attention.sliding_window", 512 }, { NULL } }, 4.00 + 5.50, 9.52 },
        { "gemma3n", { SMALL(30), { "attention.head_count_kv", 2 }, { "attention.sliding_window", 512 }, { NULL } }, 8.00 + 8.00, 66.02 },
        { "gemma3n", { SMALL(22), { "attention.head_count_kv", 2 }, { "attention.sliding_window", 512 }, { NULL } }, 8.00 + 8.00, 50.02 },
        { "gemma4", { SMALL(10), { "attention.head_count_kv", 0, gemma_kv, 10 }, { "attention.key_length", 128 }, { "attention.value_length", 128 },
            { "attention.key_length_swa", 64 }, { "attention.value_length_swa", 64 }, { "attention.sliding_window", 512 },
            { "attention.sliding_window_pattern", 0, pattern, 10 }, { "attention.shared_kv_layers", 5 }, { NULL } }, 2.00 + 2.00, 9.52 },
        { "gpt-oss", { SMALL(8), { "attention.head_count_kv", 2 }, { "attention.sliding_window", 128 }, { NULL } }, 8.00 + 1.50, 7.77 },
        { "cohere2", { SMALL(8), { "attention.head_count_kv", 2 }, { "attention.sliding_window", 512 }, { NULL } }, 4.00 + 3.00, 10.52 },
        { "llama4", { SMALL(8), { "attention.head_count_kv", 2 }, { NULL } }, 4.00 + 12.00, 12.52 },
        { "plamo3", { SMALL(8), { "attention.head_count_kv", 2 }, { "attention.sliding_window", 512 }, { NULL } }, 2.00 + 3.50, 9.52 },
        { "deepseek2", { SMALL(8), { "attention.head_count_kv", 1 }, MLA, { NULL } }, 18.00, 11.29 },
        { "deepseek2", { SMALL(9), { "nextn_predict_layers", 1 }, { "attention.head_count_kv", 1 }, MLA, { NULL } }, 20.25, 0 },
        { "deepseek32", { SMALL(8), { "attention.head_count_kv", 1 }, MLA, { "attention.indexer.key_length", 64 }, { NULL } }, 18.00 + 4.00, 24.28 },
        { "glm-dsa", { SMALL(9), { "nextn_predict_layers", 1 }, { "attention.head_count_kv", 1 }, MLA, { "attention.indexer.key_length", 64 }, { NULL } },
            18.00 + 4.00, 0 },
        { "mamba2", { SMALL(8), SSM, { "ssm.group_count", 2 }, { NULL } }, 0.30, 6.96 },
        { "jamba", { SMALL(8), { "attention.head_count_kv", 0, jamba_kv, 8 }, SSM, { "ssm.group_count", 1 }, { NULL } }, 4.00 + 0.22, 10.55 },
        { "falcon-h1", { SMALL(8), { "attention.head_count_kv", 2 }, SSM, { "ssm.group_count", 1 }, { NULL } }, 16.30, 0 },
        { "qwen3next", { SMALL(8), { "attention.head_count_kv", 2 }, { "ssm.conv_kernel", 4 }, { "ssm.inner_size", 512 }, { "ssm.state_size", 64 },
            { "ssm.group_count", 4 }, { NULL } }, 4.00 + 0.82, 0 },
        { "lfm2", { SMALL(8), { "attention.head_count_kv", 0, jamba_kv, 8 }, { "shortconv.l_cache", 3 }, { NULL } }, 4.01, 8.51 },
        { "rwkv7", { SMALL(8), { "wkv.head_size", 64 }, { NULL } }, 0.52, 9.69 },
        { "gemma-embedding", { SMALL(6), { NULL } }, 0.00, 5.50 },
        { "dream", { SMALL(6), { NULL } }, 0.00, 5.00 },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct fit_ask ask = { .context = 4096, .slots = 1, .kv_k = STR("f16"), .kv_v = STR("f16"), .ubatch = 512, .flash = true };
        struct fit_terms t;
        struct header h;
        struct made m;
        make_header(&h, rows[i].architecture, rows[i].keys);
        make_shape(&m, &h);
        assert_true(fit_compute(&m.shape, NULL, &ask, &t));
        double kv = (double)t.kv / MIB, compute = (double)t.compute / MIB;
        if (kv - rows[i].kv_mib > 0.02 || rows[i].kv_mib - kv > 0.02)
            fail_msg("%s: %.2f MiB of keys, values and states, the engine has %.2f", rows[i].architecture, kv, rows[i].kv_mib);
        if (rows[i].compute_mib > 0 && (compute < 0.92 * rows[i].compute_mib || compute > 1.4 * rows[i].compute_mib))
            fail_msg("%s: %.2f MiB of compute buffers, the engine has %.2f", rows[i].architecture, compute, rows[i].compute_mib);
        arena_fini(&m.arena);
    }
}

/* ---- nothing kept ---- */

static void test_embedders_keep_nothing(void **state)
{
    static const char *const names[] = { "bert", "nomic-bert", "modern-bert", "jina-bert-v2", "gemma-embedding", "dream", "llada" };
    static const struct key keys[] = { { "block_count", 12 }, { "embedding_length", 384 }, { "attention.head_count", 12 },
        { "attention.sliding_window", 128 }, { NULL } };
    for (size_t i = 0; i < COUNTOF(names); i++)
        assert_int_equal(kv_of(names[i], keys, 512, 1), 0);
}

/* all-MiniLM-L6-v2 has a compute buffer of 5.76 MiB and 0.12 of answers at 512 tokens. */
static void test_compute_of_an_embedder(void **state)
{
    static const struct key keys[] = { { "block_count", 6 }, { "embedding_length", 384 }, { "attention.head_count", 12 },
        { "feed_forward_length", 1536 }, { NULL } };
    struct fit_ask ask = { .context = 512, .slots = 1, .kv_k = STR("f16"), .kv_v = STR("f16"), .flash = true };
    struct fit_terms t;
    struct header h;
    struct made m;
    make_header(&h, "bert", keys);
    make_shape(&m, &h);
    assert_true(fit_compute(&m.shape, NULL, &ask, &t));
    assert_true(t.compute > 5.5 * MIB && t.compute < 6.2 * MIB);
    arena_fini(&m.arena);
}

/* ---- experts ---- */

/* 8 experts of which 2 are used: a quarter of their weights count as active. All are resident. */
static void test_experts(void **state)
{
    static const struct key keys[] = { { "block_count", 1 }, { "embedding_length", 256 }, { "attention.head_count", 4 }, { "feed_forward_length", 512 },
        { "expert_count", 8 }, { "expert_used_count", 2 }, { "expert_feed_forward_length", 128 }, { NULL } };
    struct header h;
    struct made m;
    make_header(&h, "qwen3moe", keys);
    add_weights(&h, "token_embd.weight", 1, 256, 1000, 1);
    add_weights(&h, "blk.0.ffn_gate_exps.weight", 12, 256, 128, 8);
    add_weights(&h, "blk.0.ffn_up_exps.weight", 12, 256, 128, 8);
    make_shape(&m, &h);
    assert_int_equal(m.shape.params, 256000 + 2 * 262144);
    assert_int_equal(m.shape.params_active, 256000 + 2 * 65536);
    assert_int_equal(m.shape.weights_bytes, 512000 + 2 * 262144 / 256 * 144);
    assert_string_equal(m.shape.quant, "q4_K");
    assert_int_equal(m.shape.quant_bits, 450);
    assert_int_equal(m.shape.expert_ff, 128);
    assert_int_equal(m.shape.experts_used, 2);
    arena_fini(&m.arena);
}

/* ---- what is not known, and what cannot be ---- */

static void test_an_unknown_architecture_is_counted_in_the_ordinary_way(void **state)
{
    static const struct key keys[] = { { "block_count", 4 }, { "embedding_length", 512 }, { "attention.head_count", 8 },
        { "attention.head_count_kv", 2 }, { "attention.sliding_window", 128 }, { NULL } };
    struct header h;
    struct made m;
    make_header(&h, "gemma9", keys);
    make_shape(&m, &h);
    assert_false(m.shape.whole_known);
    assert_int_equal(kv_at(&m.shape, 4096, 1, "f16", false), 4096 * 4 * 2 * 128 * 2);
    arena_fini(&m.arena);
}

static void test_what_cannot_be(void **state)
{
    static const int64_t two[] = { 1, 1 };
    static const struct key rows[][6] = {
        { { "embedding_length", 512 }, { NULL } },
        { { "block_count", 0 }, { NULL } },
        { { "block_count", 5000 }, { NULL } },
        { { "block_count", -1 }, { NULL } },
        { { "block_count", 4 }, { "nextn_predict_layers", 4 }, { NULL } },
        { { "block_count", 4 }, { "attention.head_count_kv", -8 }, { NULL } },
        { { "block_count", 4 }, { "attention.head_count_kv", 1 << 20 }, { NULL } },
        { { "block_count", 4 }, { "attention.head_count_kv", 0, two, 2 }, { NULL } },
        { { "block_count", 4 }, { "attention.key_length", INT64_MAX }, { NULL } },
        { { "block_count", 4 }, { "attention.shared_kv_layers", 4 }, { NULL } },
        { { "block_count", 4 }, { "embedding_length", INT64_MAX }, { NULL } },
        { { "block_count", 4 }, { "context_length", -5 }, { NULL } },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct header h;
        struct arena arena;
        struct shape s = { .layers = 77 };
        struct err e = { 0 };
        arena_init(&arena);
        make_header(&h, "llama", rows[i]);
        assert_int_equal(shape_of_gguf(&h.g, &arena, &s, &e), ERR_WEIGHTS_BROKEN);
        assert_int_equal(s.layers, 77);
        assert_true(e.text[0]);
        arena_fini(&arena);
    }
}

/* Whatever numbers stand in a header, there is a shape or an error, and its bytes are no less than nothing. */
static void test_random_headers(void **state)
{
    static const char *const architectures[] = { "llama", "gemma3", "gemma4", "deepseek2", "qwen3next", "mamba", "rwkv7", "kimi-linear", "lfm2", "bert", "?" };
    static const char *const names[] = { "block_count", "embedding_length", "attention.head_count", "attention.head_count_kv", "attention.key_length",
        "attention.sliding_window", "attention.sliding_window_pattern", "attention.shared_kv_layers", "attention.kv_lora_rank", "ssm.conv_kernel",
        "ssm.inner_size", "ssm.state_size", "ssm.group_count", "full_attention_interval", "wkv.head_size", "kda.head_dim", "expert_count", "expert_used_count" };
    static const int64_t values[] = { 0, 1, 2, 7, 64, 4096, -1, 65536, 1 << 20, 1 << 24, INT32_MAX, INT64_MAX, INT64_MIN };
    srand(7);
    for (int round = 0; round < 20000; round++) {
        struct key keys[COUNTOF(names) + 1] = { { .name = "block_count", .v = 1 + rand() % 5 } };
        struct header h;
        struct arena arena;
        struct shape s;
        struct err e;
        for (size_t i = 1; i < COUNTOF(names); i++)
            keys[i] = (struct key){ .name = names[rand() % (int)COUNTOF(names)], .v = values[rand() % (int)COUNTOF(values)] };
        arena_init(&arena);
        make_header(&h, architectures[rand() % (int)COUNTOF(architectures)], keys);
        if (!shape_of_gguf(&h.g, &arena, &s, &e))
            assert_true(kv_at(&s, 4096, 2, "q8_0", false) >= 0);
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grouped_heads),
        cmocka_unit_test(test_heads_by_default),
        cmocka_unit_test(test_a_count_for_each_layer),
        cmocka_unit_test(test_layers_that_only_predict_ahead),
        cmocka_unit_test(test_gemma3),
        cmocka_unit_test(test_gemma3_shared),
        cmocka_unit_test(test_gemma2),
        cmocka_unit_test(test_gemma3n),
        cmocka_unit_test(test_gemma4),
        cmocka_unit_test(test_gpt_oss),
        cmocka_unit_test(test_a_window_that_is_not_heeded),
        cmocka_unit_test(test_the_full_layer_first),
        cmocka_unit_test(test_deepseek),
        cmocka_unit_test(test_deepseek_of_old),
        cmocka_unit_test(test_deepseek_with_an_indexer),
        cmocka_unit_test(test_qwen3next),
        cmocka_unit_test(test_mamba),
        cmocka_unit_test(test_jamba),
        cmocka_unit_test(test_nemotron_h),
        cmocka_unit_test(test_falcon_h1),
        cmocka_unit_test(test_other_states),
        cmocka_unit_test(test_what_the_engine_lays_out),
        cmocka_unit_test(test_embedders_keep_nothing),
        cmocka_unit_test(test_compute_of_an_embedder),
        cmocka_unit_test(test_experts),
        cmocka_unit_test(test_an_unknown_architecture_is_counted_in_the_ordinary_way),
        cmocka_unit_test(test_what_cannot_be),
        cmocka_unit_test(test_random_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
