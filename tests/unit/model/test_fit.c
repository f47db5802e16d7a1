/* The arithmetic of memory, against the engine's own figures (doc/internals/fit.md) and against sums done by hand. */
#include "model/fit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { SMOL_LAYERS = 30 };

static const double mib = 1024 * 1024;

/* SmolLM2-135M: 30 layers, 9 heads, 3 of them with keys, 64 wide. */
static struct shape smol(struct shape_layer layer[SMOL_LAYERS])
{
    for (int i = 0; i < SMOL_LAYERS; i++)
        layer[i] = (struct shape_layer){ .kv_heads = 3, .k_len = 64, .v_len = 64 };
    return (struct shape){ .architecture = "llama", .layer = layer, .layers = SMOL_LAYERS, .context_train = 8192, .embed = 576, .ff = 1536, .heads = 9,
        .vocab = 49152, .gated = true, .weights_bytes = 96576768, .params = 134515008, .quant = "q4_1", .quant_bits = 500, .whole_known = true };
}

static struct fit_ask ask_for(int64_t context, const char *kv)
{
    return (struct fit_ask){ .context = context, .slots = 1, .kv_k = str_of(kv), .kv_v = str_of(kv), .ubatch = 512, .flash = true };
}

static struct fit_terms compute(const struct shape *s, const struct fit_ask *ask)
{
    struct fit_terms t = { 0 };
    assert_true(fit_compute(s, NULL, ask, &t));
    return t;
}

static void test_keys_and_values_of_a_real_model(void **state)
{
    static const struct {
        int64_t context;
        const char *kv;
        int64_t bytes;
        double engine_mib;      /* llama-server's "KV buffer size" */
    } rows[] = {
        { 512,  "f16",  11796480,  11.25 }, { 2048, "f16",  47185920,  45.00 }, { 8192, "f16",  188743680, 180.00 },
        { 512,  "q8_0", 6266880,   5.98 },  { 2048, "q8_0", 25067520,  23.91 }, { 8192, "q8_0", 100270080, 95.62 },
    };
    struct shape_layer layer[SMOL_LAYERS];
    struct shape s = smol(layer);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct fit_ask ask = ask_for(rows[i].context, rows[i].kv);
        int64_t kv = compute(&s, &ask).kv;
        assert_int_equal(kv, rows[i].bytes);
        assert_true((double)kv / mib - rows[i].engine_mib < 0.01 && rows[i].engine_mib - (double)kv / mib < 0.01);
    }
}

/* "compute buffer size" and "output buffer size" of the same engine, added; within a twentieth of a MiB. */
static void test_compute_buffers_of_a_real_model(void **state)
{
    static const struct {
        int64_t context, slots, ubatch;
        bool shared, no_flash, all_logits;
        const char *kv;
        double engine_mib;
    } rows[] = {
        { 512,  1, 512,  .kv = "f16", .engine_mib = 14.01 + 0.19 },
        { 2048, 1, 512,  .kv = "f16", .engine_mib = 15.51 + 0.19 },
        { 8192, 1, 32,   .kv = "f16", .engine_mib = 1.34 + 0.19 },
        { 8192, 1, 64,   .kv = "f16", .engine_mib = 2.69 + 0.19 },
        { 8192, 1, 128,  .kv = "f16", .engine_mib = 5.38 + 0.19 },
        { 8192, 1, 256,  .kv = "f16", .engine_mib = 10.76 + 0.19 },
        { 8192, 1, 512,  .kv = "f16", .engine_mib = 21.51 + 0.19 },
        { 8192, 1, 1024, .kv = "f16", .engine_mib = 43.02 + 0.19 },
        { 8192, 1, 2048, .kv = "f16", .engine_mib = 86.05 + 0.19 },
        { 2048, 4, 512,  .kv = "f16", .engine_mib = 15.51 + 0.75 },
        { 8192, 4, 512,  .kv = "f16", .engine_mib = 21.51 + 0.75, .shared = true },
        { 2048, 1, 512,  .kv = "f16", .engine_mib = 46.38 + 0.19, .no_flash = true },
        { 8192, 1, 512,  .kv = "f16", .engine_mib = 166.38 + 0.19, .no_flash = true },
        { 2048, 1, 512,  .kv = "f16", .engine_mib = 102.51 + 0.19, .all_logits = true },
    };
    struct shape_layer layer[SMOL_LAYERS];
    struct shape s = smol(layer);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct fit_ask ask = ask_for(rows[i].context, rows[i].kv);
        ask.slots = rows[i].slots;
        ask.ubatch = rows[i].ubatch;
        ask.kv_shared = rows[i].shared;
        ask.flash = !rows[i].no_flash;
        ask.all_logits = rows[i].all_logits;
        double got = (double)compute(&s, &ask).compute / mib;
        if (got - rows[i].engine_mib > 0.05 || rows[i].engine_mib - got > 0.05)
            fail_msg("row %zu: %.2f MiB, the engine has %.2f", i, got, rows[i].engine_mib);
    }
}

/* Resident after a long prompt, without kept prompts: 160.1, 196.4, 174.6, 331.7, 247.5 MiB. */
static void test_total_is_near_what_was_measured(void **state)
{
    static const struct { int64_t context; const char *kv; double measured_mib; } rows[] = {
        { 512, "f16", 160.1 }, { 2048, "f16", 196.4 }, { 2048, "q8_0", 174.6 }, { 8192, "f16", 331.7 }, { 8192, "q8_0", 247.5 },
    };
    struct shape_layer layer[SMOL_LAYERS];
    struct shape s = smol(layer);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct fit_ask ask = ask_for(rows[i].context, rows[i].kv);
        double off = (double)compute(&s, &ask).total / mib / rows[i].measured_mib;
        assert_true(off > 0.95 && off < 1.05);
    }
}

static void test_the_terms_add_up(void **state)
{
    struct shape_layer layer[SMOL_LAYERS];
    struct shape s = smol(layer);
    struct fit_ask ask = ask_for(2048, "f16");
    struct fit_extras x = { .mmproj_bytes = 1000, .lora_bytes = 100, .draft = &s };
    struct fit_terms t, bare = compute(&s, &ask);
    ask.cache_bytes = 5000;
    assert_true(fit_compute(&s, &x, &ask, &t));
    assert_int_equal(t.extras, 1100 + s.weights_bytes + bare.kv + bare.compute);
    assert_int_equal(t.cache, 5000);
    assert_int_equal(t.total, t.weights + t.extras + t.kv + t.compute + t.cache + t.process);
}

/* Each slot has a window of its own, padded by itself; shared, there is one. */
static void test_slots(void **state)
{
    static const struct { int64_t context, slots; bool shared; int64_t cells; } rows[] = {
        { 2048, 1, false, 2048 }, { 2048, 4, false, 8192 }, { 2048, 4, true, 2048 }, { 333, 3, false, 1536 }, { 333, 3, true, 512 },
    };
    struct shape_layer layer[SMOL_LAYERS];
    struct shape s = smol(layer);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct fit_ask ask = ask_for(rows[i].context, "f16");
        ask.slots = rows[i].slots;
        ask.kv_shared = rows[i].shared;
        assert_int_equal(compute(&s, &ask).kv, rows[i].cells * SMOL_LAYERS * 3 * (64 + 64) * 2);
    }
}

static void test_types_of_keys_and_values(void **state)
{
    static const struct { const char *type; uint64_t of_64; } rows[] = {
        { "f32", 256 }, { "f16", 128 }, { "bf16", 128 }, { "q8_0", 68 }, { "q5_1", 48 }, { "q5_0", 44 }, { "q4_1", 40 }, { "q4_0", 36 }, { "iq4_nl", 36 },
    };
    uint64_t bytes;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        assert_true(fit_kv_bytes(str_of(rows[i].type), 64, &bytes));
        assert_int_equal(bytes, rows[i].of_64);
    }
    assert_true(fit_kv_bytes(STR("q8_0"), 33, &bytes));
    assert_int_equal(bytes, 68);
    assert_false(fit_kv_bytes(STR("q9"), 64, &bytes));
    assert_false(fit_kv_bytes(STR(""), 64, &bytes));
}

static void test_an_unknown_type_is_told(void **state)
{
    struct shape_layer layer[SMOL_LAYERS];
    struct shape s = smol(layer);
    struct fit_ask ask = ask_for(2048, "q9_9");
    struct fit_terms t = { .total = 7 };
    assert_false(fit_compute(&s, NULL, &ask, &t));
    assert_int_equal(t.total, 7);
}

static void test_it_never_overflows(void **state)
{
    struct shape_layer layer = { .kv_heads = UINT32_MAX, .k_len = UINT32_MAX, .v_len = UINT32_MAX, .state_bytes = UINT64_MAX };
    struct shape s = { .layer = &layer, .layers = 1, .embed = INT64_MAX, .ff = INT64_MAX, .heads = INT64_MAX, .vocab = INT64_MAX,
        .weights_bytes = INT64_MAX, .window = INT64_MAX };
    struct fit_ask ask = ask_for(INT64_MAX, "q8_0");
    ask.slots = INT64_MAX;
    ask.flash = false;
    assert_int_equal(compute(&s, &ask).total, INT64_MAX);
    assert_int_equal(fit_largest_context(&s, NULL, &ask, INT64_MAX - 1), 0);
}

static void test_the_largest_context(void **state)
{
    struct shape_layer layer[SMOL_LAYERS];
    struct shape s = smol(layer);
    struct fit_ask ask = ask_for(0, "f16");
    s.context_train = 1000000;
    for (int64_t wanted = 256; wanted < 900000; wanted = wanted * 3 / 256 * 256) {
        ask.context = wanted;
        int64_t bytes = compute(&s, &ask).total;
        assert_int_equal(fit_largest_context(&s, NULL, &ask, bytes), wanted);
        assert_int_equal(fit_largest_context(&s, NULL, &ask, bytes - 1), wanted - 256);
    }
    assert_int_equal(fit_largest_context(&s, NULL, &ask, 1000), 0);
    assert_int_equal(fit_largest_context(&s, NULL, &ask, INT64_MAX), 1000000); /* no multiple of 256, but all of it */
}

static void test_warnings(void **state)
{
    static const struct {
        const char *kv, *role, *quant;
        int64_t params, quant_bits, bytes;
        bool unknown;
        const char *codes;
        int64_t trained;
    } rows[] = {
        { "f16",  "",     "q4_1", 7000000000, 500, 0,         false, "" },
        { "q8_0", "chat", "q8_0", 135000000,  850, 0,         false, "" },
        { "q5_1", "",     "q8_0", 135000000,  850, 0,         false, "kv_coarse " },
        { "q4_0", "chat", "q4_1", 3900000000, 500, 0,         false, "kv_coarse small_and_coarse " },
        { "f16",  "code", "q4_K", 7000000000, 450, 0,         false, "coarse_for_role " },
        { "f16",  "code", "q5_K", 7000000000, 550, 0,         false, "" },
        { "f16",  "code", "mxfp4", 2000000000, 425, 0,        false, "" },
        { "f16",  "maths", "",    7000000000, 0,   0,         false, "" },
        { "f16",  "",     "q8_0", 135000000,  850, 210000000, false, "little_room " },
        { "f16",  "",     "q8_0", 135000000,  850, 300000000, false, "" },
        { "f16",  "",     "q8_0", 135000000,  850, 100000000, false, "" },  /* does not fit at all */
        { "f16",  "",     "q8_0", 135000000,  850, 0,         true,  "architecture_unknown " },
        { "f16",  "",     "q8_0", 135000000,  850, 0,         false, "beyond_training ", 2047 },
        { "f16",  "",     "q8_0", 135000000,  850, 0,         false, "", 2048 },
    };
    struct shape_layer layer[SMOL_LAYERS];
    struct fit_warning found[FIT_MAX_WARNINGS];
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct shape s = smol(layer);
        struct fit_ask ask = ask_for(2048, rows[i].kv);
        struct fit_terms t = compute(&s, &ask);
        char codes[256] = "";
        s.params = rows[i].params;
        s.quant_bits = rows[i].quant_bits;
        s.whole_known = !rows[i].unknown;
        s.context_train = rows[i].trained ? rows[i].trained : s.context_train;
        snprintf(s.quant, sizeof s.quant, "%s", rows[i].quant);
        size_t n = fit_warnings(&s, &ask, &t, rows[i].bytes, str_of(rows[i].role), found);
        for (size_t k = 0; k < n; k++) {
            strncat(codes, found[k].code, sizeof codes - strlen(codes) - 1);
            strncat(codes, " ", sizeof codes - strlen(codes) - 1);
            assert_true(strlen(found[k].text) > 20);
        }
        assert_string_equal(codes, rows[i].codes);
    }
}

/* 70B q4, 80 layers of 8 heads 128 wide: 40.9 GB of weights and 10.7 GB of keys and values at 32k, about 52 GB in all. */
static void test_choosing_a_machine(void **state)
{
    struct arena arena;
    struct shape s;
    struct err e;
    struct shape_figures f = { .params = INT64_C(70000000000), .quant = STR("q4"), .layers = 80, .kv_heads = 8, .head_dim = 128 };
    int64_t memory = INT64_C(48) << 30;
    arena_init(&arena);
    assert_int_equal(shape_of_figures(&f, &arena, &s, &e), ERR_OK);
    struct fit_ask ask = ask_for(32768, "f16");
    struct fit_terms t = compute(&s, &ask);
    assert_int_equal(t.kv, INT64_C(32768) * 80 * 8 * 256 * 2);
    assert_int_equal(t.weights, INT64_C(70000000000) * 467 / 800);
    assert_true(t.total > INT64_C(51600000000) && t.total < INT64_C(52500000000));
    assert_true(t.total > memory);
    ask.context = 2048;
    assert_true(compute(&s, &ask).total < memory);
    int64_t most = fit_largest_context(&s, NULL, &ask, memory);
    assert_true(most > 2048 && most < 32768);
    arena_fini(&arena);
}

static void test_figures_that_cannot_be(void **state)
{
    static const struct { struct shape_figures f; const char *param; } rows[] = {
        { { .params = 0, .quant = STR("q4"), .layers = 80, .kv_heads = 8, .head_dim = 128 }, "params" },
        { { .params = 7000000000, .quant = STR("q4"), .layers = 0, .kv_heads = 8, .head_dim = 128 }, "layers" },
        { { .params = 7000000000, .quant = STR("q4"), .layers = 5000, .kv_heads = 8, .head_dim = 128 }, "layers" },
        { { .params = 7000000000, .quant = STR("q4"), .layers = 32, .kv_heads = -1, .head_dim = 128 }, "kv-heads" },
        { { .params = 7000000000, .quant = STR("q4"), .layers = 32, .kv_heads = 8, .head_dim = 0 }, "head-dim" },
        { { .params = 7000000000, .quant = STR("q17"), .layers = 32, .kv_heads = 8, .head_dim = 128 }, "quant" },
        { { .params = 7000000000, .layers = 32, .kv_heads = 8, .head_dim = 128 }, "quant" },
    };
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct shape s = { .layers = 7 };
        struct err e = { 0 };
        assert_int_equal(shape_of_figures(&rows[i].f, &arena, &s, &e), ERR_INVALID_REQUEST);
        assert_string_equal(e.param, rows[i].param);
        assert_int_equal(s.layers, 7);
    }
    arena_fini(&arena);
}

static void test_names_of_quantisations(void **state)
{
    static const struct { const char *name; int64_t bits; } rows[] = {
        { "q4_k_m", 489 }, { "Q4_K_M", 489 }, { "q4-k-m", 489 }, { "q4", 467 }, { "q5", 557 }, { "q6", 656 }, { "q8", 850 }, { "f16", 1600 },
        { "BF16", 1600 }, { "4bit", 450 }, { "8-bit", 850 }, { "9-bit", 0 }, { "", 0 }, { "q", 0 },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_int_equal(shape_quant_bits(str_of(rows[i].name)), rows[i].bits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_and_values_of_a_real_model),
        cmocka_unit_test(test_compute_buffers_of_a_real_model),
        cmocka_unit_test(test_total_is_near_what_was_measured),
        cmocka_unit_test(test_the_terms_add_up),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_types_of_keys_and_values),
        cmocka_unit_test(test_an_unknown_type_is_told),
        cmocka_unit_test(test_it_never_overflows),
        cmocka_unit_test(test_the_largest_context),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_choosing_a_machine),
        cmocka_unit_test(test_figures_that_cannot_be),
        cmocka_unit_test(test_names_of_quantisations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
