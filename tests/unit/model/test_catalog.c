/* From a folder of files to names, uses and a configuration that can be parsed. The GGUF files are built here, as small as can be. */
#include "model/catalog.h"

#include "base/buf.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { U32 = 4, STRING = 8 };

static void test_names_lose_their_quantisation(void **state)
{
    static const struct { const char *file, *name, *whole; } cases[] = {
        { "SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2-135m-instruct", "smollm2-135m-instruct.q4_1" },
        { "Qwen3-8B-Q4_K_M.gguf", "qwen3-8b", "qwen3-8b-q4_k_m" },
        { "tiny.q8_0.gguf", "tiny", "tiny.q8_0" },
        { "Llama-3.2-3B-Instruct-IQ2_XS.gguf", "llama-3.2-3b-instruct", "llama-3.2-3b-instruct-iq2_xs" },
        { "gemma-3-4b-it-f16.gguf", "gemma-3-4b-it", "gemma-3-4b-it-f16" },
        { "gemma-3-4b-it-BF16.gguf", "gemma-3-4b-it", "gemma-3-4b-it-bf16" },
        { "gpt-oss-20b-mxfp4.gguf", "gpt-oss-20b", "gpt-oss-20b-mxfp4" },
        { "gpt-oss-20b-MXFP4_MOE.gguf", "gpt-oss-20b", "gpt-oss-20b-mxfp4_moe" },
        { "Qwen3-30B-A3B-UD-Q4_K_XL.gguf", "qwen3-30b-a3b", "qwen3-30b-a3b-ud-q4_k_xl" },
        { "Model.i1-IQ3_XXS.gguf", "model", "model.i1-iq3_xxs" },
        { "model-Q5_K_S-imat.gguf", "model", "model-q5_k_s-imat" },
        { "phi-4_q4_0.gguf", "phi-4", "phi-4_q4_0" },
        { "phi-4-Q4_0_4_8.gguf", "phi-4", "phi-4-q4_0_4_8" },
        { "phi-4.TQ1_0.GGUF", "phi-4", "phi-4.tq1_0" },
        { "model-IQ4_NL.gguf", "model", "model-iq4_nl" },
        { "model-q6_k.gguf", "model", "model-q6_k" },
        { "model-Q8.gguf", "model", "model-q8" },
        { "gemma-3-27b-it-qat-q4_0.gguf", "gemma-3-27b-it-qat", "gemma-3-27b-it-qat-q4_0" },
        { "big-Q4_K_M-00001-of-00003.gguf", "big", "big-q4_k_m" },
        { "big-00002-of-00003.gguf", "big", "big" },
        { "big-0001-of-0003.gguf", "big-0001-of-0003", "big-0001-of-0003" },
        { "plain.gguf", "plain", "plain" },
        { "model-imat.gguf", "model-imat", "model-imat" },       /* no quantisation before it */
        { "notaq4_0.gguf", "notaq4_0", "notaq4_0" },             /* no separator before it */
        { "Q4_K_M.gguf", "q4_k_m", "q4_k_m" },                   /* nothing would be left */
        { "-Q4_K_M.gguf", "q4_k_m", "q4_k_m" },
        { "A  b (c)_d+e-Q4_0.gguf", "a-b-c-_d-e", "a-b-c-_d-e-q4_0" },
        { "M\xC3\xB6" "del.gguf", "m-del", "m-del" },
        { "\xC3\xB6\xC3\xA4.gguf", "model", "model" },
        { "--x.--.gguf", "x", "x" },
        { ".gguf", "gguf", "gguf" },
        { "", "model", "model" },
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct str name = catalog_name(&a, str_of(cases[i].file), false), whole = catalog_name(&a, str_of(cases[i].file), true);
        if (!str_eq(name, str_of(cases[i].name)) || !str_eq(whole, str_of(cases[i].whole)))
            fail_msg("%s: %.*s, %.*s", cases[i].file, STR_ARG(name), STR_ARG(whole));
    }
    char longest[300];
    memset(longest, 'x', sizeof longest);
    assert_int_equal(catalog_name(&a, str_make(longest, sizeof longest), false).n, 120);
    arena_fini(&a);
}

/* ---- a folder ---- */

static char folder[64];

static void add_le(struct buf *b, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        buf_add_char(b, (char)(v >> 8 * i));
}

static void add_string(struct buf *b, struct str s)
{
    add_le(b, s.n, 8);
    buf_add(b, s);
}

static void add_text(struct buf *b, struct str key, const char *value)
{
    add_string(b, key);
    add_le(b, STRING, 4);
    add_string(b, str_of(value));
}

struct kind {
    const char *architecture, *type; /* general.type; NULL: none */
    uint32_t pooling;
    bool template;
    uint32_t parts, no; /* split.count and split.no */
    bool bare; /* without tensors */
};

static const struct kind chat = { .architecture = "llama", .template = true };

static void add_gguf(struct buf *b, const struct kind *k)
{
    buf_lit(b, "GGUF");
    add_le(b, 3, 4);
    add_le(b, k->bare ? 0 : 1, 8);
    add_le(b, 1 + (k->type ? 1u : 0u) + (k->pooling ? 2u : 0u) + (k->template ? 1u : 0u) + (k->parts ? 2u : 0u), 8);
    if (k->pooling) { /* before the architecture, and another's too */
        struct buf key = { 0 };
        buf_printf(&key, "%s.pooling_type", k->architecture);
        add_string(b, buf_str(&key));
        add_le(b, U32, 4);
        add_le(b, k->pooling, 4);
        add_string(b, STR("other.pooling_type_"));
        add_le(b, U32, 4);
        add_le(b, 9, 4);
        buf_free(&key);
    }
    add_text(b, STR("general.architecture"), k->architecture);
    if (k->type)
        add_text(b, STR("general.type"), k->type);
    if (k->template)
        add_text(b, STR("tokenizer.chat_template"), "{{ messages }}");
    if (k->parts) {
        add_string(b, STR("split.count"));
        add_le(b, U32, 4);
        add_le(b, k->parts, 4);
        add_string(b, STR("split.no"));
        add_le(b, U32, 4);
        add_le(b, k->no, 4);
    }
    if (k->bare)
        return;
    add_string(b, STR("t"));
    add_le(b, 1, 4);
    add_le(b, 8, 8);
    add_le(b, 0, 4);
    add_le(b, 0, 8);
    while (b->n % 32)
        buf_add_char(b, 0);
    for (int i = 0; i < 32; i++)
        buf_add_char(b, 0);
}

static void put_bytes(const char *name, struct str bytes)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    if (bytes.n)
        assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
    assert_int_equal(fclose(f), 0);
}

static void put(const char *name, const struct kind *k)
{
    struct buf b = { 0 };
    add_gguf(&b, k);
    put_bytes(name, buf_str(&b));
    buf_free(&b);
}

static void make_dir(const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static struct catalog *scan(void)
{
    log_set_level(LOG_ERROR); /* what is left out is told as a warning */
    return catalog_scan(str_of(folder));
}

/* The models as "name=file" with the files' paths below the folder, in order. */
static void assert_models(const struct catalog *c, const char *expected)
{
    struct buf b = { 0 };
    for (size_t i = 0; i < c->n; i++) {
        assert_true(str_starts(c->models[i].file, str_of(folder)));
        buf_printf(&b, "%s%.*s=%.*s", i ? " " : "", STR_ARG(c->models[i].name), STR_ARG(str_from(c->models[i].file, strlen(folder) + 1)));
    }
    buf_add_char(&b, 0);
    assert_string_equal(b.p, expected);
    buf_free(&b);
}

static void test_a_folder(void **state)
{
    put("b.Q4_0.gguf", &chat);
    put("a.gguf", &chat);
    put("mmproj-b.gguf", &chat);
    put("b.MMPROJ-f16.gguf", &chat);
    put(".hidden.gguf", &chat);
    put("notes.txt", &chat);
    put("b.gguf.part", &chat);
    make_dir("sub.gguf");
    put("sub.gguf/c-f16.gguf", &chat);
    make_dir("sub.gguf/deep");
    put("sub.gguf/deep/d.gguf", &chat);
    make_dir(".cache");
    put(".cache/e.gguf", &chat);
    struct catalog *c = scan();
    assert_models(c, "a=a.gguf b=b.Q4_0.gguf c=sub.gguf/c-f16.gguf");
    assert_int_equal(c->left_out, 0);
    catalog_free(c);
}

static void test_no_folder_has_no_models(void **state)
{
    struct catalog *c = catalog_scan(STR("/nowhere/at/all"));
    assert_int_equal(c->n + c->left_out, 0);
    catalog_free(c);
    catalog_free(NULL);
    put("file", &chat);
    char path[100];
    snprintf(path, sizeof path, "%s/file", folder);
    c = catalog_scan(str_of(path));
    assert_int_equal(c->n + c->left_out, 0);
    catalog_free(c);
}

static void test_of_one_name_the_second_keeps_its_quantisation(void **state)
{
    put("m-Q8_0.gguf", &chat);
    put("m-Q4_0.gguf", &chat);
    put("M-f16.gguf", &chat);
    make_dir("x");
    put("x/m-Q8_0.gguf", &chat);
    put("auto.gguf", &chat); /* a word that is taken */
    struct catalog *c = scan();
    assert_models(c, "auto-2=auto.gguf m=M-f16.gguf m-q4_0=m-Q4_0.gguf m-q8_0=m-Q8_0.gguf m-q8_0-2=x/m-Q8_0.gguf");
    catalog_free(c);
}

static void test_broken_files_are_left_out(void **state)
{
    put("good.gguf", &chat);
    put_bytes("empty.gguf", STR(""));
    put_bytes("page.gguf", STR("<html>"));
    struct buf b = { 0 };
    add_gguf(&b, &chat);
    put_bytes("cut.gguf", str_make(b.p, b.n - 1));
    put_bytes("line\nbreak.gguf", buf_str(&b));
    put_bytes("latin-\xE4.gguf", buf_str(&b));
    buf_free(&b);
    char path[100];
    snprintf(path, sizeof path, "%s/pipe.gguf", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/link.gguf", folder);
    assert_int_equal(symlink("nowhere.gguf", path), 0);
    struct catalog *c = scan();
    assert_models(c, "good=good.gguf");
    assert_int_equal(c->left_out, 7);
    catalog_free(c);
}

static void test_parts_count_once(void **state)
{
    static const struct kind first = { .architecture = "llama", .template = true, .parts = 3, .bare = true };
    static const struct kind second = { .architecture = "llama", .parts = 3, .no = 1 }, third = { .architecture = "llama", .parts = 3, .no = 2 };
    put("big-Q4_0-00001-of-00003.gguf", &first);
    put("big-Q4_0-00002-of-00003.gguf", &second);
    put("big-Q4_0-00003-of-00003.gguf", &third);
    put("gap-00001-of-00003.gguf", &first);
    put("gap-00003-of-00003.gguf", &third);
    put("headless-00002-of-00003.gguf", &second);
    put("headless-00003-of-00003.gguf", &third);
    put("half-00001-of-00003.gguf", &first);
    put_bytes("half-00002-of-00003.gguf", STR("GGUF"));
    struct catalog *c = scan();
    assert_models(c, "big=big-Q4_0-00001-of-00003.gguf");
    assert_int_equal(c->left_out, 3); /* each told once */
    catalog_free(c);
}

static void test_what_each_serves(void **state)
{
    static const struct { struct kind kind; unsigned serves; } cases[] = {
        { { "llama", .template = true }, SERVES_CHAT },
        { { "llama", "model" }, SERVES_CHAT },
        { { "bert" }, SERVES_EMBED },
        { { "nomic-bert" }, SERVES_EMBED },
        { { "nomic-bert-moe" }, SERVES_EMBED },
        { { "jina-bert-v2" }, SERVES_EMBED },
        { { "modern-bert" }, SERVES_EMBED },
        { { "eurobert" }, SERVES_EMBED },
        { { "gemma-embedding" }, SERVES_EMBED },
        { { "qwen3", .template = true, .pooling = 3 }, SERVES_EMBED },
        { { "bert", .pooling = 1 }, SERVES_EMBED },
        { { "bert", .pooling = 4 }, SERVES_RERANK },
        { { "qwen3", .pooling = 4 }, SERVES_RERANK },
        { { "clip" }, 0 },
        { { "llama", "mmproj" }, 0 },
        { { "llama", "adapter" }, 0 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        put("m.gguf", &cases[i].kind);
        struct catalog *c = scan();
        if (c->n != (cases[i].serves ? 1 : 0) || (c->n && c->models[0].serves != cases[i].serves) || c->left_out)
            fail_msg("case %zu: %zu models, %u", i, c->n, c->n ? c->models[0].serves : 0);
        if (c->n)
            assert_int_equal(c->models[0].has_template, cases[i].kind.template);
        catalog_free(c);
    }
}

/* Whatever the files are called, the configuration can be parsed, and names the same files. */
static void test_odd_names_make_a_configuration(void **state)
{
    static const char *const names[] = { "a b.gguf", "#x: {}.gguf", "\"q'.gguf", "${env:HOME}.gguf", "$$.gguf", "null.gguf", "chat.gguf", "yes.gguf",
        "\xC3\xA4.gguf", "\xE2\x80\xA8.gguf", "1e3.gguf", "-.gguf", "- a.gguf", "%.gguf", "*a.gguf", "embed.gguf" };
    struct kind odd = { .architecture = "llama\xC2\x85\xE2\x80\xA8\xff#\n: x" };
    struct buf yaml = { 0 };
    struct config *conf = NULL;
    struct err e;
    for (size_t i = 0; i < COUNTOF(names); i++)
        put(names[i], &odd);
    struct catalog *c = scan();
    assert_int_equal(c->n, COUNTOF(names));
    conf_assume(str_of(folder), c->models, c->n, true, &yaml);
    if (conf_parse((struct str){ NULL, 0 }, buf_str(&yaml), &conf, &e))
        fail_msg("%s\n%.*s", e.text, STR_ARG(buf_str(&yaml)));
    assert_int_equal(conf->nmodels, c->n);
    for (size_t i = 0; i < c->n; i++) {
        assert_true(str_eq(conf->models[i].name, c->models[i].name));
        assert_true(str_eq(conf->models[i].file, c->models[i].file));
    }
    conf_free(conf);
    buf_free(&yaml);
    catalog_free(c);
}

static int make_folder(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/hob-catalog-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    return remove(path);
}

static int remove_folder(void **state)
{
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_lose_their_quantisation),
        IN_FOLDER(test_a_folder),
        IN_FOLDER(test_no_folder_has_no_models),
        IN_FOLDER(test_of_one_name_the_second_keeps_its_quantisation),
        IN_FOLDER(test_broken_files_are_left_out),
        IN_FOLDER(test_parts_count_once),
        IN_FOLDER(test_what_each_serves),
        IN_FOLDER(test_odd_names_make_a_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
