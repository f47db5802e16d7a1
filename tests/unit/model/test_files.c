/* Models on the disk: one file, parts, folders of safetensors; whole and with each thing that may be wrong. */
#include "model/files.h"
#include "model/weights.h"

#include "gguf_bytes.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64];

static const char *place(const char *name)
{
    static char path[8][400];
    static unsigned next;
    char *p = path[next++ % 8];
    snprintf(p, 400, "%s/%s", folder, name);
    return p;
}

static void put(const char *name, struct str bytes)
{
    FILE *f = fopen(place(name), "wb");
    assert_non_null(f);
    if (bytes.n)
        assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
    assert_int_equal(fclose(f), 0);
}

struct part {
    bool keys;              /* architecture and template */
    uint32_t no, count;     /* count 0: no keys of a split */
    int32_t all;            /* split.tensors.count; 0: none */
    uint32_t tensors;       /* of 4 x 2 f32 */
};

static void put_part(const char *name, struct part p)
{
    struct buf b = { 0 };
    char tensor[16];
    add_begin(&b, 3, p.tensors, (p.keys ? 2u : 0u) + (p.count ? 2u : 0u) + (p.all ? 1u : 0u));
    if (p.keys) {
        add_text(&b, STR("general.architecture"), STR("llama"));
        add_text(&b, STR("tokenizer.chat_template"), STR("{{ messages }}"));
    }
    if (p.count) {
        add_key(&b, STR("split.no"), GGUF_U16);
        add_le(&b, p.no, 2);
        add_key(&b, STR("split.count"), GGUF_U16);
        add_le(&b, p.count, 2);
    }
    if (p.all) {
        add_key(&b, STR("split.tensors.count"), GGUF_I32);
        add_le(&b, (uint32_t)p.all, 4);
    }
    for (uint32_t i = 0; i < p.tensors; i++) {
        snprintf(tensor, sizeof tensor, "t%u.%u", p.no, i);
        add_tensor(&b, str_of(tensor), 0, 4, 2, 32 * i);
    }
    add_padding(&b, 32);
    for (uint32_t i = 0; i < 32 * p.tensors; i++)
        buf_add_char(&b, 0);
    put(name, buf_str(&b));
    buf_free(&b);
}

static void put_three(void)
{
    put_part("m-00001-of-00003.gguf", (struct part){ .keys = true, .no = 0, .count = 3, .all = 3 });
    put_part("m-00002-of-00003.gguf", (struct part){ .no = 1, .count = 3, .tensors = 2 });
    put_part("m-00003-of-00003.gguf", (struct part){ .no = 2, .count = 3, .tensors = 1 });
}

static void must_open(const char *name, struct model_files *m)
{
    struct err e = { 0 };
    if (model_files_open(place(name), m, &e))
        fail_msg("%s: %s", name, e.text);
}

static void must_fail(const char *name, enum err_code want, const char *says, const char *hint)
{
    struct model_files m = { .n = 77 };
    struct err e = { 0 };
    enum err_code rc = model_files_open(place(name), &m, &e);
    if (rc != want || !strstr(e.text, says) || !strstr(e.hint, hint))
        fail_msg("%s: %d %s (%s), not '%s' (%s)", name, rc, e.text, e.hint, says, hint);
    assert_int_equal(m.n, 77);
}

static void test_one_file(void **state)
{
    struct model_files m;
    put_part("one.gguf", (struct part){ .keys = true, .tensors = 2 });
    must_open("one.gguf", &m);
    assert_int_equal(m.n, 1);
    assert_string_equal(m.paths[0].p, place("one.gguf"));
    assert_int_equal(m.ntensors, 2);
    assert_int_equal(m.params, 16);
    assert_int_equal(m.tensor_bytes, 64);
    assert_true(m.has_template && str_eq(m.chat_template, STR("{{ messages }}")));
    assert_true(str_eq(m.first.architecture, STR("llama")) && !m.safetensors);
    assert_string_equal(m.tensors[1].type, "f32");
    model_files_close(&m);
}

/* Whichever part is named, all are found, from the first. */
static void test_parts(void **state)
{
    static const char *const names[] = { "m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf" };
    put_three();
    for (size_t i = 0; i < COUNTOF(names); i++) {
        struct model_files m;
        struct stat st;
        uint64_t bytes = 0;
        must_open(names[i], &m);
        assert_int_equal(m.n, 3);
        for (size_t k = 0; k < 3; k++) {
            assert_string_equal(m.paths[k].p, place(names[k]));
            assert_int_equal(stat(m.paths[k].p, &st), 0);
            bytes += (uint64_t)st.st_size;
        }
        assert_int_equal(m.file_bytes, bytes);
        assert_int_equal(m.ntensors, 3);
        assert_int_equal(m.tensor_bytes, 96);
        assert_true(str_eq(m.tensors[2].name, STR("t2.0")) && str_eq(m.first.architecture, STR("llama")));
        model_files_close(&m);
    }
}

static void test_parts_that_do_not_agree(void **state)
{
    static const char first[] = "m-00001-of-00003.gguf";
    put_three();
    assert_int_equal(unlink(place("m-00003-of-00003.gguf")), 0);
    must_fail(first, ERR_WEIGHTS_MISSING, "part 3 of the model's 3 files is missing: there is no", "download the missing one");
    assert_int_equal(rename(place(first), place("away")), 0);
    must_fail("m-00002-of-00003.gguf", ERR_WEIGHTS_MISSING, "part 1 of the model's 3 files is missing", "");
    put_three();
    assert_int_equal(truncate(place("m-00002-of-00003.gguf"), 200), 0);
    must_fail(first, ERR_WEIGHTS_BROKEN, "m-00002-of-00003.gguf is cut short", "again");
    put("m-00002-of-00003.gguf", STR("<html>"));
    must_fail(first, ERR_WEIGHTS_BROKEN, "m-00002-of-00003.gguf is a web page", "login");
    put_three();
    put_part("m-00002-of-00003.gguf", (struct part){ .no = 2, .count = 3, .tensors = 2 });
    must_fail(first, ERR_WEIGHTS_BROKEN, "m-00002-of-00003.gguf is named part 2 of 3, and its header says part 3 of 3", "again");
    put_part("m-00002-of-00003.gguf", (struct part){ .no = 1, .count = 4, .tensors = 2 });
    must_fail(first, ERR_WEIGHTS_BROKEN, "is named part 2 of 3, and its header says part 2 of 4", "again");
    put_part("m-00002-of-00003.gguf", (struct part){ .tensors = 2 });
    must_fail(first, ERR_WEIGHTS_BROKEN, "is named part 2 of 3, and its header says nothing of parts", "again");
    put_part("m-00002-of-00003.gguf", (struct part){ .no = 1, .count = 3, .tensors = 1 });
    must_fail(first, ERR_WEIGHTS_BROKEN, "has 2 tensors in its 3 parts, and its header promises 3", "different models");
}

/* An engine takes the first part and finds the others itself. */
static void test_the_look_before_a_load_wants_the_first(void **state)
{
    struct weights w = { 0 };
    struct err e = { 0 };
    put_three();
    assert_int_equal(weights_check(place("m-00001-of-00003.gguf"), &w, &e), ERR_OK);
    assert_int_equal(w.files, 3);
    assert_int_equal(w.tensor_bytes, 96);
    assert_int_equal(weights_check(place("m-00002-of-00003.gguf"), &w, &e), ERR_WEIGHTS_MISSING);
    assert_non_null(strstr(e.text, "is a later part of a model in 3 files"));
    assert_non_null(strstr(e.hint, "m-00001-of-00003.gguf"));
    assert_int_equal(truncate(place("m-00003-of-00003.gguf"), 100), 0);
    assert_int_equal(weights_check(place("m-00001-of-00003.gguf"), &w, &e), ERR_WEIGHTS_BROKEN);
    assert_non_null(strstr(e.text, "m-00003-of-00003.gguf"));
}

static void test_names_of_parts(void **state)
{
    struct model_files m;
    put_part("x.gguf", (struct part){ .keys = true, .no = 1, .count = 3, .tensors = 1 });
    must_fail("x.gguf", ERR_WEIGHTS_BROKEN, "a part (of 3) of a model and not named as one", "NAME-00002-of-00003.gguf");
    put_part("x-00001-of-00001.gguf", (struct part){ .keys = true, .tensors = 1 }); /* all of it, whatever it is called */
    must_open("x-00001-of-00001.gguf", &m);
    model_files_close(&m);
    put_part("x-00001-of-99999.gguf", (struct part){ .keys = true, .tensors = 1 });
    must_fail("x-00001-of-99999.gguf", ERR_WEIGHTS_BROKEN, "more parts than any model has", "");
    static const struct { const char *path; int number, of; } cases[] = {
        { "a-00001-of-00002.gguf", 1, 2 }, { "/b/a-00002-of-00002.GGUF", 2, 2 }, { "a-00003-of-00002.gguf", 0, 0 },  { "a-00000-of-00002.gguf", 0, 0 },
        { "-00001-of-00002.gguf", 0, 0 },  { "b/-00001-of-00002.gguf", 0, 0 },   { "a_00001-of-00002.gguf", 0, 0 },  { "a-0001-of-0002.gguf", 0, 0 },
        { "a-00001-of-00002", 0, 0 },      { "a-00001-to-00002.gguf", 0, 0 },    { "", 0, 0 },
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct model_part p = { 0 };
        bool is = model_part_read(str_of(cases[i].path), &p);
        if (is != (cases[i].number > 0) || (is && (p.number != cases[i].number || p.of != cases[i].of)))
            fail_msg("%s: %d %d of %d", cases[i].path, is, (int)p.number, (int)p.of);
        if (is)
            assert_string_equal(model_part_path(&a, &p, p.number).p, cases[i].path);
    }
    arena_fini(&a);
}

static void test_what_is_no_model(void **state)
{
    must_fail("none.gguf", ERR_WEIGHTS_MISSING, "there is no model file", "`file:`");
    must_fail("none.safetensors", ERR_WEIGHTS_MISSING, "there is no model file", "`file:`");
    put_part("bare.gguf", (struct part){ .keys = true });
    must_fail("bare.gguf", ERR_WEIGHTS_BROKEN, "holds no weights", "");
    put_part("nameless.gguf", (struct part){ .tensors = 1 });
    must_fail("nameless.gguf", ERR_WEIGHTS_BROKEN, "does not name its architecture", "");
    assert_int_equal(mkdir(place("empty"), 0700), 0);
    must_fail("empty", ERR_WEIGHTS_MISSING, "holds no safetensors", "name a .gguf file, or a folder");
    put("empty/a.gguf", STR("GGUF"));
    must_fail("empty", ERR_WEIGHTS_MISSING, "holds no safetensors", "name the .gguf file itself");
    struct model_files m;
    struct err e = { 0 };
    assert_int_equal(model_files_open_gguf(place("empty"), &m, &e), ERR_WEIGHTS_MISSING);
    assert_non_null(strstr(e.text, "is a directory"));
}

/* ---- safetensors ---- */

struct st {
    const char *name, *dtype;
    int rows, columns, bytes; /* bytes: of all */
};

static void put_safetensors(const char *name, const struct st *t, size_t n)
{
    struct buf json = { 0 }, b = { 0 };
    size_t at = 0;
    buf_lit(&json, "{");
    for (size_t i = 0; i < n; i++) {
        buf_printf(&json, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%d,%d],\"data_offsets\":[%zu,%zu]}", i ? "," : "", t[i].name, t[i].dtype, t[i].rows, t[i].columns,
            at, at + (size_t)t[i].bytes);
        at += (size_t)t[i].bytes;
    }
    buf_lit(&json, "}");
    add_le(&b, json.n, 8);
    buf_add(&b, buf_str(&json));
    for (size_t i = 0; i < at; i++)
        buf_add_char(&b, 0);
    put(name, buf_str(&b));
    buf_free(&json);
    buf_free(&b);
}

static const struct st embed = { "model.embed_tokens.weight", "BF16", 4, 8, 64 }, norm = { "model.norm.weight", "F32", 1, 8, 32 };

static void put_folder(void)
{
    mkdir(place("st"), 0700);
    put_safetensors("st/model-00001-of-00002.safetensors", &embed, 1);
    put_safetensors("st/model-00002-of-00002.safetensors", &norm, 1);
    put("st/model.safetensors.index.json", STR("{\"metadata\":{},\"weight_map\":{\"model.norm.weight\":\"model-00002-of-00002.safetensors\","
                                               "\"model.embed_tokens.weight\":\"model-00001-of-00002.safetensors\"}}"));
    put("st/config.json", STR("{\"model_type\":\"llama\"}"));
}

static void test_a_folder(void **state)
{
    struct model_files m;
    static const char *const ways[] = { "st", "st/", "st/model-00002-of-00002.safetensors" };
    put_folder();
    put("st/stray.safetensors", STR("not of the index"));
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        must_open(ways[i], &m);
        assert_true(m.safetensors && str_eq(m.config_json, STR("{\"model_type\":\"llama\"}")));
        assert_int_equal(m.n, 2);
        assert_string_equal(m.paths[0].p, place("st/model-00001-of-00002.safetensors"));
        assert_int_equal(m.ntensors, 2);
        assert_int_equal(m.params, 40);
        assert_int_equal(m.tensor_bytes, 96);
        assert_false(m.has_template);
        model_files_close(&m);
    }
}

static void test_a_folder_without_an_index(void **state)
{
    static const struct { const char *files[3]; size_t n; const char *first; } cases[] = {
        { { "model.safetensors", "model-fp8.safetensors", "other.safetensors" }, 1, "model.safetensors" },
        { { "model-b.safetensors", "model-a.safetensors", "other.safetensors" }, 2, "model-a.safetensors" },
        { { "y.safetensors", "x.safetensors", ".hidden.safetensors" }, 2, "x.safetensors" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct model_files m;
        char at[64], name[128];
        snprintf(at, sizeof at, "plain%zu", i);
        assert_int_equal(mkdir(place(at), 0700), 0);
        for (size_t k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "%s/%s", at, cases[i].files[k]);
            put_safetensors(name, &embed, 1);
        }
        must_open(at, &m);
        assert_int_equal(m.n, cases[i].n);
        snprintf(name, sizeof name, "%s/%s", at, cases[i].first);
        assert_string_equal(m.paths[0].p, place(name));
        assert_int_equal(m.config_json.n, 0);
        model_files_close(&m);
    }
}

static void test_folders_that_are_broken(void **state)
{
    static const char last[] = "st/model-00002-of-00002.safetensors", index[] = "st/model.safetensors.index.json";
    put_folder();
    assert_int_equal(unlink(place(last)), 0);
    must_fail("st", ERR_WEIGHTS_MISSING, "a file that the model's index names is missing: there is no", "download it");
    put_folder();
    assert_int_equal(truncate(place(last), 100), 0);
    must_fail("st", ERR_WEIGHTS_BROKEN, "model-00002-of-00002.safetensors: it is cut short: it is 100 bytes, its header promises 113", "again");
    put_safetensors(last, NULL, 0);
    must_fail("st", ERR_WEIGHTS_BROKEN, "has 1 tensors, and its index names 2", "not those of the index");
    put_folder();
    put(index, STR("{\"weight_map\":{\"a\":\"../secret.safetensors\"}}"));
    must_fail("st", ERR_WEIGHTS_BROKEN, "names a file that cannot be one of its folder", "");
    put(index, STR("{\"weight_map\":{\"a\":7}}"));
    must_fail("st", ERR_WEIGHTS_BROKEN, "names a file that cannot be", "");
    put(index, STR("{}"));
    must_fail("st", ERR_WEIGHTS_BROKEN, "has no weight_map", "");
    put(index, STR("{"));
    must_fail("st", ERR_WEIGHTS_BROKEN, "is no JSON", "");
    assert_int_equal(unlink(place(index)), 0);
    put("st/model-00001-of-00002.safetensors", STR("<!DOCTYPE html>"));
    must_fail("st", ERR_WEIGHTS_BROKEN, "does not begin as a safetensors file", "again");
}

static void test_templates_of_a_folder(void **state)
{
    static const struct { const char *file; struct str text; const char *want; } cases[] = { /* each goes before those above it */
        { "st/tokenizer_config.json", STR("{\"chat_template\":null}"), "" },
        { "st/tokenizer_config.json", STR("broken"), "" },
        { "st/tokenizer_config.json", STR("{\"chat_template\":\"one\"}"), "one" },
        { "st/tokenizer_config.json", STR("{\"chat_template\":[{\"name\":\"rag\",\"template\":\"two\"}]}"), "two" },
        { "st/tokenizer_config.json", STR("{\"chat_template\":[{\"name\":\"rag\",\"template\":\"two\"},{\"name\":\"default\",\"template\":\"three\"}]}"), "three" },
        { "st/chat_template.json", STR("{\"chat_template\":\"four\"}"), "four" },
        { "st/chat_template.jinja", STR("five {{ x }}"), "five {{ x }}" },
    };
    put_folder();
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct model_files m;
        put(cases[i].file, cases[i].text);
        must_open("st", &m);
        if (!str_eq(m.chat_template, str_of(cases[i].want)) || m.has_template != (cases[i].want[0] != 0))
            fail_msg("case %zu: %.*s", i, STR_ARG(m.chat_template));
        model_files_close(&m);
    }
}

/* Packed weights count as what they stand for, their scales as nothing. */
static void test_packed_weights(void **state)
{
    static const struct st mlx[] = { { "l.q.weight", "U32", 16, 8, 512 }, { "l.q.scales", "BF16", 16, 1, 32 }, { "l.q.biases", "BF16", 16, 1, 32 },
        { "l.v.weight", "U32", 16, 16, 1024 }, { "l.v.scales", "BF16", 16, 2, 64 }, { "l.norm.weight", "BF16", 1, 64, 128 } };
    static const struct st gptq[] = { { "l.q.qweight", "I32", 8, 16, 512 }, { "l.q.qzeros", "I32", 1, 2, 8 }, { "l.q.scales", "F16", 1, 16, 32 },
        { "l.q.g_idx", "I32", 1, 64, 256 }, { "l.norm.weight", "F16", 1, 64, 128 } };
    static const struct st mxfp4[] = { { "l.gate_up_proj_blocks", "U8", 4, 16, 64 }, { "l.gate_up_proj_scales", "U8", 4, 1, 4 }, { "l.norm.weight", "BF16", 1, 64, 128 } };
    static const struct st fp8[] = { { "l.q.weight", "F8_E4M3", 16, 64, 1024 }, { "l.q.weight_scale_inv", "F32", 1, 1, 4 } };
    static const struct { const struct st *tensors; size_t n; struct str config; int64_t params; } cases[] = {
        { mlx, COUNTOF(mlx), STR("{\"quantization\":{\"group_size\":64,\"bits\":4,\"l.v\":{\"group_size\":32,\"bits\":8}}}"), 16 * 64 + 16 * 2 * 32 + 64 },
        { mlx, COUNTOF(mlx), STR("{}"), 16 * 8 + 16 + 16 + 16 * 16 + 32 + 64 },
        { mlx, COUNTOF(mlx), STR("no JSON"), 16 * 8 + 16 + 16 + 16 * 16 + 32 + 64 },
        { gptq, COUNTOF(gptq), STR("{\"quantization_config\":{\"bits\":4,\"group_size\":128}}"), 8 * 8 * 16 + 64 },
        { gptq, COUNTOF(gptq), STR("{\"quantization_config\":{\"bits\":8,\"group_size\":128}}"), 8 * 4 * 16 + 64 },
        { mxfp4, COUNTOF(mxfp4), STR("{\"quantization_config\":{\"quant_method\":\"mxfp4\"}}"), 4 * 16 * 2 + 64 },
        { fp8, COUNTOF(fp8), STR("{\"quantization_config\":{\"quant_method\":\"fp8\"}}"), 16 * 64 },
    };
    assert_int_equal(mkdir(place("packed"), 0700), 0);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct model_files m;
        put_safetensors("packed/model.safetensors", cases[i].tensors, cases[i].n);
        put("packed/config.json", cases[i].config);
        must_open("packed", &m);
        if (m.params != cases[i].params)
            fail_msg("case %zu: %lld, not %lld", i, (long long)m.params, (long long)cases[i].params);
        model_files_close(&m);
    }
}

static void empty(const char *path)
{
    char at[512];
    DIR *dir = opendir(path);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        snprintf(at, sizeof at, "%s/%s", path, d->d_name);
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        if (unlink(at))
            empty(at);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

static int make_folder(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/hob-files-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    empty(folder);
    return 0;
}

#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_one_file),
        IN_FOLDER(test_parts),
        IN_FOLDER(test_parts_that_do_not_agree),
        IN_FOLDER(test_the_look_before_a_load_wants_the_first),
        IN_FOLDER(test_names_of_parts),
        IN_FOLDER(test_what_is_no_model),
        IN_FOLDER(test_a_folder),
        IN_FOLDER(test_a_folder_without_an_index),
        IN_FOLDER(test_folders_that_are_broken),
        IN_FOLDER(test_templates_of_a_folder),
        IN_FOLDER(test_packed_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
