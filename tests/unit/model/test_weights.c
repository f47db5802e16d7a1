/* Small GGUF files, whole and broken, built here. */
#include "gguf_bytes.h"
#include "model/weights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { U32 = GGUF_U32, BOOL = GGUF_BOOL, STRING = GGUF_STRING, ARRAY = GGUF_ARRAY, U64 = GGUF_U64 };

enum { WHOLE_KEYS = 8 };

/* A whole model: f32 2x3 (24 bytes, padded to 64), then q4_0 64x2 (72 bytes). context_length comes before the architecture. */
static void add_whole(struct buf *b)
{
    add_begin(b, 3, 2, WHOLE_KEYS);
    add_key(b, STR("vision.context_length"), U32);
    add_le(b, 77, 4);
    add_key(b, STR("llama.context_length"), U32);
    add_le(b, 8192, 4);
    add_key(b, STR("general.architecture"), STRING);
    add_string(b, STR("llama"));
    add_key(b, STR("general.name"), STRING);
    add_string(b, STR("A small\none"));
    add_key(b, STR("general.alignment"), U32);
    add_le(b, 64, 4);
    add_key(b, STR("tokenizer.ggml.tokens"), ARRAY);
    add_le(b, STRING, 4);
    add_le(b, 5000, 8);
    for (int i = 0; i < 5000; i++)
        add_string(b, STR("token"));
    add_key(b, STR("tokenizer.ggml.scores"), ARRAY);
    add_le(b, U64, 4);
    add_le(b, 3, 8);
    add_le(b, 0, 8);
    add_le(b, 0, 8);
    add_le(b, 0, 8);
    add_key(b, STR("tokenizer.chat_template"), STRING);
    add_string(b, STR("{{ messages }}"));
    add_tensor(b, STR("a"), 0, 2, 3, 0);
    add_tensor(b, STR("b"), 2, 64, 2, 64);
    add_padding(b, 64);
    for (int i = 0; i < 64 + 72; i++)
        buf_add_char(b, (char)i);
}

static char path[64];

static enum err_code check(struct str bytes, struct weights *w, struct err *e)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.n ? bytes.p : "", 1, bytes.n, f), bytes.n);
    assert_int_equal(fclose(f), 0);
    *e = (struct err){ 0 };
    return weights_check(path, w, e);
}

static void test_a_whole_model(void **state)
{
    struct buf b = { 0 };
    struct weights w = { 0 };
    struct err e;
    add_whole(&b);
    if (check(buf_str(&b), &w, &e))
        fail_msg("%s", e.text);
    assert_string_equal(w.architecture, "llama");
    assert_string_equal(w.name, "A small?one");
    assert_int_equal(w.context_train, 8192);
    assert_int_equal(w.tensor_bytes, 24 + 72);
    assert_int_equal(w.file_bytes, b.n);
    assert_int_equal(w.version, 3);
    assert_int_equal(w.files, 1);
    assert_true(w.has_chat_template);
    assert_false(w.unknown_types);
    buf_free(&b);
}

struct memory {
    struct str bytes;
};

static bool read_memory(void *ctx, uint64_t at, void *to, size_t n)
{
    const struct memory *m = ctx;
    assert_true(at <= m->bytes.n && n <= m->bytes.n - at);
    memcpy(to, m->bytes.p + at, n);
    return true;
}

/* Cut anywhere: inside the header it is said so, inside the data both sizes are named. */
static void test_every_cut_is_seen(void **state)
{
    struct buf b = { 0 };
    struct weights w = { 0 };
    struct err e;
    char promise[64];
    add_whole(&b);
    for (size_t n = b.n - 64 - 72 - 300; n < b.n; n++) {
        assert_int_equal(check(str_make(b.p, n), &w, &e), ERR_WEIGHTS_BROKEN);
        snprintf(promise, sizeof promise, "it is %zu bytes, its header promises %zu", n, b.n);
        assert_true(strstr(e.text, "ends inside its header") || strstr(e.text, promise));
        assert_string_equal(e.hint, "download it again");
    }
    assert_non_null(strstr(e.text, promise));
    for (size_t n = 0; n < b.n - 64 - 72; n++) {
        struct memory m = { str_make(b.p, n) };
        struct gguf_source source = { read_memory, &m, n };
        struct arena arena;
        struct gguf g;
        arena_init(&arena);
        enum err_code rc = gguf_read(&source, &arena, &g, &e);
        assert_true(rc == ERR_WEIGHTS_BROKEN || (rc == ERR_OK && g.end > n));
        arena_fini(&arena);
    }
    assert_int_equal(w.file_bytes, 0);
    buf_free(&b);
}

static void test_what_it_is_instead(void **state)
{
    static const struct { struct str bytes; const char *says, *hint; } cases[] = {
        { STR(""), "is empty", "download it again" },
        { STR("<!DOCTYPE html><html><body>Sign in</body>"), "is a web page, not a GGUF: it begins with '<!DOCTYPE html><html'", "login" },
        { STR("\n\n <html>"), "is a web page", "login" },
        { STR("version https://git-lfs.github.com/spec/v1\noid"), "is a Git LFS pointer", "git lfs pull" },
        { STR("{\"error\":\"Invalid username or password.\"}"), "is a JSON answer", "error message" },
        { STR("\x40\0\0\0\0\0\0\0{\"__metadata__\":{}}"), "is a safetensors file", "convert" },
        { STR("PK\3\4abc"), "ZIP", "convert" },
        { STR("\0\0\0\0\0\0\0\0"), "is zeros", "did not finish" },
        { STR("\x7f""ELF\1\2"), "is not a GGUF: it begins with '?ELF?", "file:" },
        { STR("G"), "is not a GGUF: it begins with 'G'", "file:" },
        { STR("GGUF"), "ends inside its header", "again" },
        { STR("GGUF\1\0\0\0"), "version 1", "again" },
        { STR("GGUF\x63\0\0\0"), "newer than 3", "again" },
        { STR("GGUF\0\0\0\3"), "big-endian", "again" },
        { STR("GGUF\3\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0"), "more keys or tensors", "again" },
        { STR("GGUF\3\0\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0\0\0\0\0"), "ends inside its header", "again" },
        { STR("GGUF\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "holds no weights", "" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct weights w;
        struct err e;
        if (check(cases[i].bytes, &w, &e) != ERR_WEIGHTS_BROKEN || !strstr(e.text, cases[i].says) || !strstr(e.hint, cases[i].hint))
            fail_msg("case %zu: %s (%s)", i, e.text, e.hint);
    }
}

static void test_what_is_not_there(void **state)
{
    struct weights w;
    struct err e = { 0 };
    unlink(path);
    assert_int_equal(weights_check(path, &w, &e), ERR_WEIGHTS_MISSING);
    assert_non_null(strstr(e.text, "there is no model file"));
    assert_non_null(strstr(e.hint, "`file:`"));
    assert_int_equal(weights_check("/", &w, &e), ERR_WEIGHTS_MISSING);
    assert_non_null(strstr(e.text, "is a directory"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(weights_check(path, &w, &e), ERR_WEIGHTS_MISSING); /* and does not wait for a writer */
    assert_non_null(strstr(e.text, "not a regular file"));
    unlink(path);
}

/* One key or one tensor that lies. */
static void test_lies_in_the_header(void **state)
{
    static const struct { uint32_t type, element; uint64_t n; } arrays[] = {
        { 13, 0, 0 }, { 0xffffffff, 0, 0 }, { ARRAY, ARRAY, 1 }, { ARRAY, 13, 0 }, { ARRAY, U64, UINT64_MAX }, { ARRAY, U64, UINT64_MAX / 8 },
        { ARRAY, STRING, UINT64_MAX }, { ARRAY, STRING, 40 }, { ARRAY, U32, 60 }, { STRING, 0, 0 },
    };
    struct weights w;
    struct err e;
    for (size_t i = 0; i < COUNTOF(arrays); i++) {
        struct buf b = { 0 };
        add_begin(&b, 3, 0, 1);
        add_key(&b, STR("k"), arrays[i].type);
        add_le(&b, arrays[i].element, 4);
        add_le(&b, arrays[i].n, 8);
        for (int j = 0; j < 40; j++)
            buf_add_char(&b, '\x7f');
        enum err_code rc = check(buf_str(&b), &w, &e);
        if (rc != ERR_WEIGHTS_BROKEN || (strstr(e.text, "no weights") && arrays[i].type != STRING))
            fail_msg("array %zu: %d %s", i, rc, e.text);
        buf_free(&b);
    }
    static const struct { uint32_t type; uint64_t columns, rows, offset; bool good; } tensors[] = {
        { 0, 1, 1, 0, true }, { 2, 32, 1, 0, true }, { 2, 33, 1, 0, false }, { 2, 16, 2, 0, false }, { 0, UINT64_MAX, 1, 0, false }, { 0, 1u << 31, 1u << 31, 0, false },
        { 0, 1, UINT64_MAX, 0, false }, { 0, 1, 1, UINT64_MAX, false }, { 0, 1, 1, UINT64_MAX - 100, false }, { 4, 1, 1, 0, true }, { 99, 1, 1, 0, true },
        { 99, 1, 1, 1000, false }, { 0, 0, 1, 0, true }, { 10, 256, 1, 0, true }, { 10, 512, 1, 0, false }, /* 168 bytes of 128 */
    };
    for (size_t i = 0; i < COUNTOF(tensors); i++) {
        struct buf b = { 0 };
        add_begin(&b, 2, 1, 1);
        add_key(&b, STR("general.architecture"), STRING);
        add_string(&b, STR("x"));
        add_tensor(&b, STR("t"), tensors[i].type, tensors[i].columns, tensors[i].rows, tensors[i].offset);
        add_padding(&b, 32);
        for (int j = 0; j < 128; j++)
            buf_add_char(&b, 0);
        enum err_code rc = check(buf_str(&b), &w, &e);
        if (rc != (tensors[i].good ? ERR_OK : ERR_WEIGHTS_BROKEN))
            fail_msg("tensor %zu: %d %s", i, rc, e.text);
        buf_free(&b);
    }
}

/* The file is read in windows of 64 KiB: wherever one ends, in a length or in a text, what follows the strings is found. */
static void test_strings_across_windows(void **state)
{
    for (size_t pad = 0; pad < 30; pad++) {
        static const char spaces[100000];
        struct buf b = { 0 };
        struct weights w;
        struct err e;
        add_begin(&b, 3, 1, 2);
        add_key(&b, STR("words"), ARRAY);
        add_le(&b, STRING, 4);
        add_le(&b, 12003, 8);
        add_string(&b, str_make(spaces, pad));
        for (int i = 0; i < 12000; i++)
            add_string(&b, STR("abc"));
        add_string(&b, str_make(spaces, sizeof spaces)); /* longer than a window */
        add_string(&b, STR(""));
        add_key(&b, STR("general.architecture"), STRING);
        add_string(&b, STR("found"));
        add_tensor(&b, STR("t"), 0, 1, 1, 0);
        add_padding(&b, 32);
        add_le(&b, 0, 4);
        if (check(buf_str(&b), &w, &e))
            fail_msg("pad %zu: %s", pad, e.text);
        assert_string_equal(w.architecture, "found");
        buf_free(&b);
    }
}

static int make_path(void **state)
{
    snprintf(path, sizeof path, "/tmp/hob-weights-%ld.gguf", (long)getpid());
    return 0;
}

static int remove_path(void **state)
{
    unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_model),
        cmocka_unit_test(test_every_cut_is_seen),
        cmocka_unit_test(test_what_it_is_instead),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_lies_in_the_header),
        cmocka_unit_test(test_strings_across_windows),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
