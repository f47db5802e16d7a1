/* The walk over a header: what is kept, what is stepped over, what is refused. Files are bytes in memory. */
#include "gguf_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static bool read_memory(void *ctx, uint64_t at, void *to, size_t n)
{
    const struct str *bytes = ctx;
    assert_true(at <= bytes->n && n <= bytes->n - at);
    memcpy(to, bytes->p + at, n);
    return true;
}

static struct arena arena;

static enum err_code read_bytes(struct str bytes, struct gguf *g, struct err *e)
{
    struct gguf_source source = { read_memory, &bytes, bytes.n };
    *e = (struct err){ 0 };
    arena_reset(&arena);
    return gguf_read(&source, &arena, g, e);
}

static void read_whole(struct buf *b, struct gguf *g)
{
    struct err e;
    if (read_bytes(buf_str(b), g, &e))
        fail_msg("%s", e.text);
}

static void test_every_kind_of_value(void **state)
{
    static const struct { uint32_t type; struct str raw; int64_t integer; double real; } cases[] = {
        { GGUF_U8,   STR("\xff"), 255, 255 },
        { GGUF_I8,   STR("\xff"), -1, -1 },
        { GGUF_U16,  STR("\1\x80"), 0x8001, 0x8001 },
        { GGUF_I16,  STR("\1\x80"), -0x7fff, -0x7fff },
        { GGUF_U32,  STR("\0\0\0\x80"), 0x80000000ll, 2147483648.0 },
        { GGUF_I32,  STR("\0\0\0\x80"), -0x80000000ll, -2147483648.0 },
        { GGUF_F32,  STR("\0\0\x20\xc0"), 0, -2.5 },
        { GGUF_BOOL, STR("\0"), 0, 0 },
        { GGUF_BOOL, STR("\2"), 1, 1 },
        { GGUF_U64,  STR("\1\0\0\0\0\0\0\0"), 1, 1 },
        { GGUF_U64,  STR("\0\0\0\0\0\0\0\x80"), INT64_MAX, 9223372036854775807.0 },
        { GGUF_I64,  STR("\xfe\xff\xff\xff\xff\xff\xff\xff"), -2, -2 },
        { GGUF_F64,  STR("\0\0\0\0\0\0\x04\x40"), 0, 2.5 },
    };
    struct buf b = { 0 };
    struct gguf g;
    add_begin(&b, 3, 0, COUNTOF(cases) + 1);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        char key = (char)('a' + i);
        add_key(&b, str_make(&key, 1), cases[i].type);
        buf_add(&b, cases[i].raw);
    }
    add_text(&b, STR("text"), STR("two\nlines\0and a NUL"));
    read_whole(&b, &g);
    assert_int_equal(g.npairs, COUNTOF(cases) + 1);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        char key = (char)('a' + i);
        const struct gguf_value *v = gguf_find(&g, str_make(&key, 1));
        if (!v || v->type != cases[i].type || v->integer != cases[i].integer || v->real < cases[i].real || v->real > cases[i].real)
            fail_msg("case %zu: %lld %f", i, v ? (long long)v->integer : 0, v ? v->real : 0);
    }
    assert_true(str_eq(gguf_text(&g, STR("text")), STR("two\nlines\0and a NUL")));
    assert_int_equal(g.pairs[COUNTOF(cases)].value.text.p[19], 0);
    assert_null(gguf_find(&g, STR("tex")));
    assert_int_equal(gguf_text(&g, STR("a")).n, 0);
    buf_free(&b);
}

static void test_arrays_of_every_kind(void **state)
{
    static const struct { uint32_t item; size_t bytes; bool kept; } cases[] = {
        { GGUF_U8, 1, true },  { GGUF_I8, 1, true },  { GGUF_U16, 2, true },  { GGUF_I16, 2, true },   { GGUF_U32, 4, true }, { GGUF_I32, 4, true },
        { GGUF_U64, 8, true }, { GGUF_I64, 8, true }, { GGUF_BOOL, 1, true }, { GGUF_F32, 4, false },  { GGUF_F64, 8, false },
        { GGUF_STRING, 9, false },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf b = { 0 };
        struct gguf g;
        add_begin(&b, 3, 0, 2);
        add_key(&b, STR("array"), GGUF_ARRAY);
        add_le(&b, cases[i].item, 4);
        add_le(&b, 3, 8);
        for (int k = 0; k < 3; k++) /* of strings: the length 1 and a byte */
            add_le(&b, 1, cases[i].bytes > 8 ? 8 : cases[i].bytes), buf_add(&b, str_make("x", cases[i].bytes > 8));
        add_text(&b, STR("behind"), STR("it"));
        read_whole(&b, &g);
        const struct gguf_value *v = gguf_find(&g, STR("array"));
        assert_int_equal(v->type, GGUF_ARRAY);
        assert_int_equal(v->item, cases[i].item);
        assert_int_equal(v->n, 3);
        assert_int_equal(v->integers != NULL, cases[i].kept);
        assert_true(!cases[i].kept || (v->integers[0] == 1 && v->integers[2] == 1));
        assert_true(str_eq(gguf_text(&g, STR("behind")), STR("it")));
        buf_free(&b);
    }
}

static void test_signs_in_arrays(void **state)
{
    struct buf b = { 0 };
    struct gguf g;
    add_begin(&b, 3, 0, 2);
    add_key(&b, STR("a"), GGUF_ARRAY);
    add_le(&b, GGUF_I32, 4);
    add_le(&b, 2, 8);
    add_le(&b, (uint32_t)-7, 4);
    add_le(&b, 7, 4);
    add_key(&b, STR("none"), GGUF_ARRAY);
    add_le(&b, GGUF_I32, 4);
    add_le(&b, 0, 8);
    read_whole(&b, &g);
    assert_int_equal(gguf_find(&g, STR("a"))->integers[0], -7);
    assert_int_equal(gguf_find(&g, STR("a"))->integers[1], 7);
    assert_int_equal(gguf_find(&g, STR("none"))->n, 0);
    buf_free(&b);
}

/* Length n of a text, an array, a key: kept up to its cap, stepped over from there, and what follows is found either way. */
static void test_what_is_too_long_is_stepped_over(void **state)
{
    static char filler[GGUF_MAX_TEXT + 1];
    memset(filler, 'x', sizeof filler);
    for (size_t more = 0; more <= 1; more++) {
        struct buf b = { 0 };
        struct gguf g;
        add_begin(&b, 3, 1, 4);
        add_text(&b, STR("text"), str_make(filler, GGUF_MAX_TEXT + more));
        add_key(&b, STR("array"), GGUF_ARRAY);
        add_le(&b, GGUF_U8, 4);
        add_le(&b, GGUF_MAX_ITEMS + more, 8);
        buf_add(&b, str_make(filler, GGUF_MAX_ITEMS + more));
        add_u32(&b, str_make(filler, GGUF_MAX_NAME + more), 1);
        add_u32(&b, STR("behind"), 42);
        add_tensor(&b, str_make(filler, GGUF_MAX_NAME + more), 0, 1, 1, 0);
        read_whole(&b, &g);
        assert_int_equal(g.npairs, 4 - more);
        const struct gguf_value *text = gguf_find(&g, STR("text")), *array = gguf_find(&g, STR("array"));
        assert_int_equal(text->n, GGUF_MAX_TEXT + more);
        assert_int_equal(text->text.p != NULL, !more);
        assert_int_equal(gguf_text(&g, STR("text")).n, more ? 0 : GGUF_MAX_TEXT);
        assert_int_equal(array->n, GGUF_MAX_ITEMS + more);
        assert_int_equal(array->integers != NULL, !more);
        assert_int_equal(g.tensors[0].name.n, more ? 0 : GGUF_MAX_NAME);
        assert_int_equal(gguf_find(&g, STR("behind"))->integer, 42);
        buf_free(&b);
    }
}

/* 40 texts of 1 MiB: after 16 MiB no more are kept, and the walk goes on. */
static void test_no_more_is_kept_than_the_cap(void **state)
{
    enum { TEXTS = 40 };
    static char filler[GGUF_MAX_TEXT];
    struct buf b = { 0 };
    struct gguf g;
    size_t kept = 0;
    add_begin(&b, 3, 0, TEXTS);
    for (int i = 0; i < TEXTS; i++)
        add_text(&b, STR("k"), str_make(filler, sizeof filler - 1));
    read_whole(&b, &g);
    for (size_t i = 0; i < g.npairs; i++) {
        assert_int_equal(g.pairs[i].value.n, sizeof filler - 1);
        kept += g.pairs[i].value.text.n;
    }
    assert_int_equal(g.npairs, TEXTS);
    assert_in_range(kept, 14u << 20, 16u << 20);
    buf_free(&b);
}

static void test_keys_of_its_own_architecture(void **state)
{
    struct buf b = { 0 };
    struct gguf g;
    add_begin(&b, 3, 0, 7);
    add_u32(&b, STR("clip.n"), 1);
    add_u32(&b, STR("llama.n"), 2); /* before the architecture is named */
    add_u32(&b, STR("llamas.n"), 3);
    add_u32(&b, STR("llama.deep.n"), 4);
    add_text(&b, STR("general.architecture"), STR("llama"));
    add_u32(&b, STR("llama.n"), 5);
    add_text(&b, STR("llama.text"), STR("x"));
    read_whole(&b, &g);
    assert_int_equal(gguf_int(&g, "n", -1), 2);
    assert_int_equal(gguf_int(&g, "deep.n", -1), 4);
    assert_int_equal(gguf_int(&g, "text", -1), -1);
    assert_int_equal(gguf_int(&g, "m", -1), -1);
    assert_null(gguf_own(&g, ""));
    g.architecture = STR("");
    assert_null(gguf_own(&g, "n"));
    buf_free(&b);
}

static void test_the_table_of_tensors(void **state)
{
    struct buf b = { 0 };
    struct gguf g;
    add_begin(&b, 3, 4, 1);
    add_u32(&b, STR("general.alignment"), 64);
    add_tensor(&b, STR("a.weight"), 0, 2, 3, 0);
    add_tensor(&b, STR("b.weight"), 12, 512, 4, 64);
    add_tensor(&b, STR("new"), 99, 5, 1, 2432);
    add_string(&b, STR("scalar"));
    add_le(&b, 0, 4); /* no dimensions: one element */
    add_le(&b, 1, 4);
    add_le(&b, 2368, 8);
    uint64_t data_at = (b.n + 63) / 64 * 64;
    read_whole(&b, &g);
    assert_int_equal(g.data_at, data_at);
    assert_int_equal(g.ntensors, 4);
    assert_int_equal(g.tensors[0].bytes, 24);
    assert_int_equal(g.tensors[0].at, data_at);
    assert_true(str_eq(g.tensors[1].name, STR("b.weight")));
    assert_int_equal(g.tensors[1].bytes, 4 * 2 * 144);
    assert_int_equal(g.tensors[1].size[0], 512);
    assert_int_equal(g.tensors[1].size[1], 4);
    assert_int_equal(g.tensors[1].size[2], 1);
    assert_int_equal(g.tensors[1].at, data_at + 64);
    assert_int_equal(g.tensors[2].bytes, 0);
    assert_int_equal(g.tensors[3].dimensions, 0);
    assert_int_equal(g.tensors[3].bytes, 2);
    assert_int_equal(g.tensor_bytes, 24 + 1152 + 2);
    assert_int_equal(g.end, data_at + 2432); /* an unknown type's size counts as none */
    assert_true(g.unknown_types);
    buf_free(&b);
}

/* A small header with one of everything; every shorter one is refused, and nothing is written. */
static void test_cut_at_every_byte(void **state)
{
    struct buf b = { 0 };
    struct gguf g = { .version = 77 };
    struct err e;
    add_begin(&b, 3, 1, 4);
    add_text(&b, STR("general.architecture"), STR("x"));
    add_u32(&b, STR("x.n"), 1);
    add_key(&b, STR("words"), GGUF_ARRAY);
    add_le(&b, GGUF_STRING, 4);
    add_le(&b, 2, 8);
    add_string(&b, STR("one"));
    add_string(&b, STR(""));
    add_key(&b, STR("numbers"), GGUF_ARRAY);
    add_le(&b, GGUF_I16, 4);
    add_le(&b, 2, 8);
    add_le(&b, 0x10002, 4);
    add_tensor(&b, STR("t"), 0, 1, 1, 0);
    for (size_t n = 0; n < b.n; n++) {
        char *exact = malloc(n ? n : 1); /* so that the sanitizers see a read behind it */
        assert_non_null(exact);
        memcpy(exact, b.p, n);
        assert_int_equal(read_bytes(str_make(exact, n), &g, &e), ERR_WEIGHTS_BROKEN);
        assert_non_null(strstr(e.text, "ends inside its header"));
        assert_int_equal(g.version, 77);
        free(exact);
    }
    read_whole(&b, &g);
    assert_int_equal(gguf_find(&g, STR("numbers"))->integers[1], 1);
    buf_free(&b);
}

static void test_alignments_that_cannot_be(void **state)
{
    static const struct { uint32_t v; bool good; } cases[] = {
        { 0, false }, { 1, true }, { 3, false }, { 32, true }, { 4096, true }, { 16 << 20, true }, { 32 << 20, false }, { UINT32_MAX, false },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf b = { 0 };
        struct gguf g;
        struct err e;
        add_begin(&b, 3, 0, 1);
        add_u32(&b, STR("general.alignment"), cases[i].v);
        assert_int_equal(read_bytes(buf_str(&b), &g, &e), cases[i].good ? ERR_OK : ERR_WEIGHTS_BROKEN);
        buf_free(&b);
    }
}

/* Counts at their caps and the smallest file that could hold them: the lists are made, and no more. */
static void test_counts_are_held_against_the_file(void **state)
{
    struct buf b = { 0 };
    struct gguf g;
    struct err e;
    add_begin(&b, 3, GGUF_MAX_TENSORS, 0);
    for (size_t i = 0; i < (size_t)GGUF_MAX_TENSORS * 24 / 8; i++)
        add_le(&b, 0, 8);
    read_whole(&b, &g);
    assert_int_equal(g.ntensors, GGUF_MAX_TENSORS);
    assert_int_equal(read_bytes(str_make(b.p, b.n - 1), &g, &e), ERR_WEIGHTS_BROKEN);
    assert_non_null(strstr(e.text, "(at byte 24"));
    b.p[8] = 1;
    assert_int_equal(read_bytes(buf_str(&b), &g, &e), ERR_WEIGHTS_BROKEN);
    assert_non_null(strstr(e.text, "more keys or tensors than any model has"));
    buf_free(&b);
}

static bool fail_to_read(void *ctx, uint64_t at, void *to, size_t n)
{
    return false;
}

static void test_a_disk_that_fails(void **state)
{
    struct gguf_source source = { fail_to_read, NULL, 1000 };
    struct gguf g;
    struct err e = { 0 };
    assert_int_equal(gguf_read(&source, &arena, &g, &e), ERR_SYSTEM);
}

static void test_sizes_of_types(void **state)
{
    uint64_t n;
    assert_true(gguf_row_bytes(8, 64, &n) && n == 68);
    assert_true(gguf_row_bytes(14, 256, &n) && n == 210);
    assert_true(gguf_row_bytes(39, 32, &n) && n == 17);
    assert_false(gguf_row_bytes(39, 31, &n));
    assert_false(gguf_row_bytes(0, UINT64_MAX / 2, &n));
    assert_false(gguf_type_known(4));
    assert_false(gguf_type_known(43));
    for (uint32_t type = 0; type < 50; type++) {
        assert_int_equal(gguf_type_name(type) != NULL, gguf_type_known(type));
        if (gguf_type_known(type) && type != 27 && type != 28) /* each block is smaller than its elements in full precision */
            assert_true(gguf_row_bytes(type, 256, &n) && n <= 256 * 5);
    }
    assert_string_equal(gguf_type_name(12), "q4_K");
    assert_string_equal(gguf_type_name(30), "bf16");
}

static int begin(void **state)
{
    arena_init(&arena);
    return 0;
}

static int end(void **state)
{
    arena_fini(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_value),
        cmocka_unit_test(test_arrays_of_every_kind),
        cmocka_unit_test(test_signs_in_arrays),
        cmocka_unit_test(test_what_is_too_long_is_stepped_over),
        cmocka_unit_test(test_no_more_is_kept_than_the_cap),
        cmocka_unit_test(test_keys_of_its_own_architecture),
        cmocka_unit_test(test_the_table_of_tensors),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_alignments_that_cannot_be),
        cmocka_unit_test(test_counts_are_held_against_the_file),
        cmocka_unit_test(test_a_disk_that_fails),
        cmocka_unit_test(test_sizes_of_types),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
