/* Headers of safetensors: what is read, and every lie one can tell. Files are bytes in memory. */
#include "model/safetensors.h"

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

static enum err_code read_bytes(struct str bytes, struct safetensors *out, struct err *e)
{
    struct gguf_source source = { read_memory, &bytes, bytes.n };
    *e = (struct err){ 0 };
    arena_reset(&arena);
    return safetensors_read(&source, &arena, out, e);
}

static void add_file(struct buf *b, const char *json, size_t data)
{
    add_le(b, strlen(json), 8);
    buf_add(b, str_of(json));
    for (size_t i = 0; i < data; i++)
        buf_add_char(b, 1);
}

static const char whole[] = "{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[8,32]},"
                            "\"a\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[0,8]},\"none\":{\"dtype\":\"I8\",\"shape\":[0],\"data_offsets\":[8,8]},"
                            "\"one\":{\"dtype\":\"U32\",\"shape\":[],\"data_offsets\":[32,36]}}  ";

static void test_a_whole_header(void **state)
{
    static const struct { const char *name, *type; uint64_t at, bytes; int64_t elements; } want[] = {
        { "a", "bf16", 0, 8, 4 }, { "none", "i8", 8, 0, 0 }, { "b", "f32", 8, 24, 6 }, { "one", "u32", 32, 4, 1 },
    };
    struct buf b = { 0 };
    struct safetensors s;
    struct err e;
    add_file(&b, whole, 36);
    if (read_bytes(buf_str(&b), &s, &e))
        fail_msg("%s", e.text);
    assert_int_equal(s.n, COUNTOF(want));
    assert_int_equal(s.bytes, 36);
    assert_int_equal(s.data_at, 8 + strlen(whole));
    assert_false(s.unknown_types);
    for (size_t i = 0; i < s.n; i++) {
        assert_true(str_eq(s.tensors[i].name, str_of(want[i].name)));
        assert_string_equal(s.tensors[i].type, want[i].type);
        assert_int_equal(s.tensors[i].at, want[i].at);
        assert_int_equal(s.tensors[i].bytes, want[i].bytes);
        assert_int_equal(s.tensors[i].elements, want[i].elements);
    }
    buf_free(&b);
}

static void test_cut_at_every_byte(void **state)
{
    struct buf b = { 0 };
    struct safetensors s = { .n = 77 };
    struct err e;
    add_file(&b, whole, 36);
    for (size_t n = 0; n < b.n; n++) {
        char *exact = malloc(n ? n : 1); /* so that the sanitizers see a read behind it */
        assert_non_null(exact);
        memcpy(exact, b.p, n);
        assert_int_equal(read_bytes(str_make(exact, n), &s, &e), ERR_WEIGHTS_BROKEN);
        assert_non_null(strstr(e.text, n < b.n - 36 ? "ends inside its header" : "cut short"));
        assert_int_equal(s.n, 77);
        free(exact);
    }
    buf_free(&b);
}

static void test_lies(void **state)
{
#define T(name, dtype, shape, offsets) "\"" name "\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"
    static const struct { const char *json; size_t data; const char *says; } cases[] = {
        { "{" T("a", "\"F32\"", "[1]", "[0,4]") "," T("b", "\"F32\"", "[1]", "[2,6]") "}", 6, "'b' lies over another" },
        { "{" T("a", "\"F32\"", "[1]", "[0,4]") "," T("b", "\"F32\"", "[1]", "[0,4]") "}", 4, "lies over another" },
        { "{" T("a", "\"F32\"", "[1]", "[0,4]") "," T("b", "\"F32\"", "[1]", "[8,12]") "}", 12, "'b' leaves a hole" },
        { "{" T("a", "\"F32\"", "[1]", "[4,8]") "}", 8, "leaves a hole" },
        { "{" T("a", "\"F32\"", "[1]", "[0,4]") "}", 5, "goes on behind its last tensor" },
        { "{" T("a", "\"F32\"", "[2]", "[0,4]") "}", 4, "another size than its shape" },
        { "{" T("a", "\"F32\"", "[9223372036854775807]", "[0,4]") "}", 4, "another size than its shape" },
        { "{" T("a", "\"F32\"", "[4294967296,4294967296]", "[0,4]") "}", 4, "shape that cannot be" },
        { "{" T("a", "\"F32\"", "[18446744073709551615]", "[0,4]") "}", 4, "shape that cannot be" },
        { "{" T("a", "\"F32\"", "[-1]", "[0,4]") "}", 4, "shape that cannot be" },
        { "{" T("a", "\"F32\"", "[1.0]", "[0,4]") "}", 4, "shape that cannot be" },
        { "{" T("a", "\"F32\"", "1", "[0,4]") "}", 4, "shape that cannot be" },
        { "{" T("a", "\"F4\"", "[3]", "[0,1]") "}", 1, "another size than its shape" },
        { "{" T("a", "\"F32\"", "[1]", "[4,0]") "}", 4, "place that cannot be" },
        { "{" T("a", "\"F32\"", "[1]", "[0,4,8]") "}", 4, "place that cannot be" },
        { "{" T("a", "\"F32\"", "[1]", "[-4,0]") "}", 4, "place that cannot be" },
        { "{" T("a", "\"F32\"", "[1]", "{}") "}", 4, "place that cannot be" },
        { "{" T("a", "7", "[1]", "[0,4]") "}", 4, "no dtype" },
        { "{" T("a", "\"NEW\"", "[1]", "[0,18446744073709551615]") "}", 4, "cut short" },
        { "{\"a\":7}", 0, "no dtype" },
        { "{" T("a", "\"F32\"", "[1]", "[0,4]") "," T("a", "\"F32\"", "[1]", "[4,8]") "}", 8, "no JSON" }, /* a name twice */
        { "{" T("a\\n\\u0007", "\"F32\"", "[2]", "[0,4]") "}", 4, "'a?\?'" },
        { "[]", 0, "no JSON object" },
        { "{", 0, "no JSON" },
        { "", 0, "no JSON" },
        { "{}", 1, "goes on" },
    };
#undef T
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf b = { 0 };
        struct safetensors s;
        struct err e;
        add_file(&b, cases[i].json, cases[i].data);
        enum err_code rc = read_bytes(buf_str(&b), &s, &e);
        if (rc != ERR_WEIGHTS_BROKEN || !strstr(e.text, cases[i].says))
            fail_msg("case %zu: %d %s", i, rc, e.text);
        buf_free(&b);
    }
}

/* Nothing is taken for a header that the file could not hold, or that nobody would write. */
static void test_lengths_that_cannot_be(void **state)
{
    static const struct { uint64_t n; const char *says; } cases[] = {
        { 3, "ends inside its header" }, { SAFETENSORS_MAX_HEADER, "ends inside its header" },
        { SAFETENSORS_MAX_HEADER + 1, "does not begin as" }, { UINT64_MAX, "does not begin as" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf b = { 0 };
        struct safetensors s;
        struct err e;
        add_le(&b, cases[i].n, 8);
        buf_lit(&b, "{}");
        assert_int_equal(read_bytes(buf_str(&b), &s, &e), ERR_WEIGHTS_BROKEN);
        assert_non_null(strstr(e.text, cases[i].says));
        buf_free(&b);
    }
}

static void test_types(void **state)
{
    static const struct { const char *dtype, *type; size_t bytes; bool unknown; } cases[] = { /* of eight elements */
        { "F64", "f64", 64, false }, { "F32", "f32", 32, false },         { "F16", "f16", 16, false }, { "BF16", "bf16", 16, false },
        { "I64", "i64", 64, false }, { "I8", "i8", 8, false },            { "U8", "u8", 8, false },    { "BOOL", "bool", 8, false },
        { "U32", "u32", 32, false }, { "F8_E4M3", "f8_e4m3", 8, false },  { "F4", "f4", 4, false },    { "F6_E2M3", "f6_e2m3", 6, false },
        { "F2", "unknown", 3, true },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf b = { 0 }, json = { 0 };
        struct safetensors s;
        struct err e;
        buf_printf(&json, "{\"t\":{\"dtype\":\"%s\",\"shape\":[2,4],\"data_offsets\":[0,%zu]}}", cases[i].dtype, cases[i].bytes);
        buf_add_char(&json, 0);
        add_file(&b, json.p, cases[i].bytes);
        if (read_bytes(buf_str(&b), &s, &e))
            fail_msg("%s: %s", cases[i].dtype, e.text);
        assert_string_equal(s.tensors[0].type, cases[i].type);
        assert_int_equal(s.unknown_types, cases[i].unknown);
        buf_free(&json);
        buf_free(&b);
    }
}

static bool fail_to_read(void *ctx, uint64_t at, void *to, size_t n)
{
    return false;
}

static void test_a_disk_that_fails(void **state)
{
    struct gguf_source source = { fail_to_read, NULL, 1000 };
    struct safetensors s;
    struct err e = { 0 };
    assert_int_equal(safetensors_read(&source, &arena, &s, &e), ERR_SYSTEM);
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
        cmocka_unit_test(test_a_whole_header),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_lengths_that_cannot_be),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_a_disk_that_fails),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
