/* Schemas against values. The cases are files in schema/, each a list of
 *   {"schema": ..., "formats": true, "cases": [{"value": ..., "valid": false, "at": "/a", "keyword": "type", "text": "must be ..."}]}
 * or, for what is no schema, {"schema": ..., "refused": "part of the sentence"}. Keywords are covered there; here is what no file can say. */
#include "json/json_int.h"
#include "json/schema_int.h"
#include "json/schema_uri.h"

#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct buf read_file(const char *path)
{
    struct buf text = { 0 };
    FILE *f = fopen(path, "rb");
    size_t n = 1;
    if (!f)
        fail_msg("%s cannot be read", path);
    while (n) {
        n = fread(buf_reserve(&text, 4096), 1, 4096, f);
        text.n += n;
    }
    fclose(f);
    return text;
}

static struct str written(yyjson_val *v, struct buf *to)
{
    struct json_out o = json_out(to);
    buf_reset(to, SIZE_MAX);
    if (v)
        json_value(&o, v);
    return buf_str(to);
}

/* Follows a JSON pointer; the room's own way of writing them is what is being tested. */
static yyjson_val *resolve(yyjson_val *v, const char *pointer)
{
    while (v && *pointer == '/') {
        char name[512];
        size_t n = 0;
        for (pointer++; *pointer && *pointer != '/'; pointer++) {
            char c = *pointer;
            if (c == '~')
                c = *++pointer == '1' ? '/' : '~';
            name[n++] = c;
        }
        int64_t i = 0;
        if (!yyjson_is_arr(v))
            v = yyjson_obj_getn(v, name, n);
        else
            v = str_to_int(str_make(name, n), 0, INT32_MAX, &i) ? yyjson_arr_get(v, (size_t)i) : NULL;
    }
    return v;
}

struct tally {
    size_t schemas, values, refused, failed;
    struct buf a, b;
};

static void complain(struct tally *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct tally *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vprint_error(fmt, ap);
    va_end(ap);
    t->failed++;
}

/* With fewer steps than it takes a check ends undecided, wherever that is: never in the other answer. */
static void check_budgets(struct schema *s, yyjson_val *value, bool valid, const char *file, struct tally *t)
{
    int64_t whole = s->steps;
    for (int64_t steps = 0; steps < 100; steps++) {
        struct schema_fault f = { 0 };
        s->steps = steps;
        bool got = schema_check(s, value, &f), silent = schema_check(s, value, NULL);
        if ((got || silent) && !valid)
            complain(t, "%s: with %lld steps it fits\n", file, (long long)steps);
        if (valid && !got && !f.undecided)
            complain(t, "%s: with %lld steps: %s %s: %s\n", file, (long long)steps, f.at, f.keyword, f.text);
    }
    s->steps = whole;
}

static void check_case(const char *file, const struct schema *s, yyjson_val *schema, yyjson_val *c, struct tally *t)
{
    struct schema_fault fault = { 0 }, again = { 0 };
    yyjson_val *value = yyjson_obj_get(c, "value");
    const char *at = yyjson_get_str(yyjson_obj_get(c, "at")), *keyword = yyjson_get_str(yyjson_obj_get(c, "keyword")), *text = yyjson_get_str(yyjson_obj_get(c, "text"));
    bool valid = yyjson_get_bool(yyjson_obj_get(c, "valid")), got = schema_check(s, value, &fault);
    struct str sv = written(schema, &t->a), vv = written(value, &t->b);
    if (got != valid || schema_check(s, value, NULL) != valid)
        complain(t, "%s: %.*s against %.*s: should be %s; %s %s: %s\n", file, STR_ARG(vv), STR_ARG(sv), valid ? "valid" : "invalid", fault.at, fault.keyword, fault.text);
    if (!valid) {
        schema_check(s, value, &again);
        assert_memory_equal(&again, &fault, sizeof fault);
        if ((at && strcmp(at, fault.at)) || (keyword && strcmp(keyword, fault.keyword)) || (text && strcmp(text, fault.text)))
            complain(t, "%s: %.*s against %.*s:\n  at '%s' keyword '%s' text '%s'\n", file, STR_ARG(vv), STR_ARG(sv), fault.at, fault.keyword, fault.text);
        if (fault.undecided || !fault.text[0] || !fault.keyword[0] || !resolve(value, fault.at))
            complain(t, "%s: %.*s against %.*s:\n  at '%s' keyword '%s' text '%s'\n", file, STR_ARG(vv), STR_ARG(sv), fault.at, fault.keyword, fault.text);
    }
    check_budgets((struct schema *)(uintptr_t)s, value, valid, file, t);
    t->values++;
}

static void check_group(const char *file, yyjson_val *group, struct tally *t)
{
    struct schema_options o = { .formats = yyjson_get_bool(yyjson_obj_get(group, "formats")) };
    yyjson_val *schema = yyjson_obj_get(group, "schema"), *c;
    const char *refused = yyjson_get_str(yyjson_obj_get(group, "refused"));
    struct schema *s = NULL;
    struct err e = { 0 };
    size_t i, n;
    enum err_code rc = schema_compile(schema, &o, &s, &e);
    if (rc != (refused ? ERR_INVALID_REQUEST : ERR_OK) || (refused && !strstr(e.text, refused)))
        complain(t, "%s: %.*s: %s\n", file, STR_ARG(written(schema, &t->a)), rc ? e.text : "should be refused");
    t->schemas++;
    t->refused += refused != NULL;
    yyjson_arr_foreach(yyjson_obj_get(group, "cases"), i, n, c)
        check_case(file, s, schema, c, t);
    schema_free(s);
}

static void check_file(const char *file, struct tally *t)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", HOB_SCHEMA_CASES, file);
    struct buf text = read_file(path);
    struct json_doc d;
    struct err e = { 0 };
    yyjson_val *group;
    size_t i, n;
    if (json_parse(&d, buf_str(&text), &e))
        fail_msg("%s: %s", file, e.text);
    yyjson_arr_foreach(d.root, i, n, group)
        check_group(file, group, t);
    json_free(&d);
    buf_free(&text);
}

static void test_cases_of_all_keywords(void **state)
{
    struct tally t = { 0 };
    DIR *folder = opendir(HOB_SCHEMA_CASES);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));)
        if (str_ends(str_of(entry->d_name), STR(".json")))
            check_file(entry->d_name, &t);
    closedir(folder);
    print_message("%zu schemas (%zu refused), %zu values\n", t.schemas, t.refused, t.values);
    assert_int_equal(t.failed, 0);
    assert_true(t.values >= 600);
    buf_free(&t.a);
    buf_free(&t.b);
}

/* ---- what no file can say ---- */

static struct schema *compiled(const char *text, const struct schema_options *o)
{
    struct json_doc d;
    struct schema *s = NULL;
    struct err e = { 0 };
    assert_int_equal(json_parse(&d, str_of(text), &e), ERR_OK);
    if (schema_compile(d.root, o, &s, &e))
        fail_msg("%.200s: %s", text, e.text);
    json_free(&d); /* the schema stands alone from here on */
    return s;
}

static void refused(struct str text, const char *why)
{
    struct json_doc d;
    struct schema *s = NULL;
    struct err e = { 0 };
    assert_int_equal(json_parse(&d, text, &e), ERR_OK);
    assert_int_equal(schema_compile(d.root, NULL, &s, &e), ERR_INVALID_REQUEST);
    assert_int_equal(schema_compile(d.root, NULL, &s, NULL), ERR_INVALID_REQUEST);
    assert_null(s);
    if (!strstr(e.text, why))
        fail_msg("%s", e.text);
    json_free(&d);
}

static bool check(const struct schema *s, struct str value, struct schema_fault *f)
{
    struct json_doc d;
    assert_int_equal(json_parse(&d, value, NULL), ERR_OK);
    bool ok = schema_check(s, d.root, f);
    json_free(&d);
    return ok;
}

static void test_keywords_are_found_by_name(void **state)
{
    for (enum word w = 0; w < WORD_COUNT; w++)
        assert_int_equal(word_find(word_name(w)), w);
    assert_int_equal(word_find(STR("")), WORD_COUNT);
    assert_int_equal(word_find(STR("type ")), WORD_COUNT);
    assert_int_equal(word_find(STR("zzz")), WORD_COUNT);
    for (enum word w = 0; w < WORD_COUNT; w++)
        assert_true(word_name(w).n < sizeof((struct schema_fault *)0)->keyword);
}

static void test_addresses_are_resolved(void **state)
{
    static const struct { struct str base, ref, want; } cases[] = {
        { STR("http://a.test/b/c"), STR("d"), STR("http://a.test/b/d") },
        { STR("http://a.test/b/c"), STR("../d"), STR("http://a.test/d") },
        { STR("http://a.test/b/c"), STR("../../../d"), STR("http://a.test/d") },
        { STR("http://a.test/b/c"), STR("./d/./e/../f"), STR("http://a.test/b/d/f") },
        { STR("http://a.test/b/c"), STR("/x/y"), STR("http://a.test/x/y") },
        { STR("http://a.test/b/c"), STR("//b.test/y"), STR("http://b.test/y") },
        { STR("http://a.test/b/c"), STR("urn:x"), STR("urn:x") },
        { STR("http://a.test/b/"), STR("d"), STR("http://a.test/b/d") },
        { STR("http://a.test"), STR("d"), STR("http://a.test/d") },
        { STR("http://a.test/b?x=/y/z"), STR("d"), STR("http://a.test/d") },
        { STR("urn:a:b"), STR("d"), STR("d") },
        { STR("a/b.json"), STR("c.json"), STR("a/c.json") },
        { STR("a.json"), STR("c.json"), STR("c.json") },
        { STR(""), STR("c.json"), STR("c.json") },
        { STR("http://a.test/b"), STR(""), STR("http://a.test/b") },
        { STR("HTTP://A.test/b"), STR("d"), STR("HTTP://A.test/d") },
        { STR("h2+x-y.z://a/b"), STR("d"), STR("h2+x-y.z://a/d") },
        { STR("http://a.test?q"), STR("d"), STR("http://a.test/d") },
        { STR("file:/a/b"), STR("c"), STR("file:/a/c") },
        { STR("urn:"), STR("d"), STR("urn:d") },
        { STR("a/b"), STR("1x:y"), STR("a/1x:y") },
        { STR("a/b"), STR("x_y:z"), STR("a/x_y:z") },
        { STR("a/b"), STR("x/y:z"), STR("a/x/y:z") },
        { STR("a/b"), STR("x{:z"), STR("a/x{:z") },
        { STR("a/b"), STR("x;:z"), STR("a/x;:z") },
        { STR("a/b"), STR(":z"), STR("a/:z") },
        { STR("a/b"), STR("../c"), STR("c") },
        { STR("a/b"), STR("../../c"), STR("c") },
        { STR("/a/b"), STR("../../c"), STR("/c") },
        { STR("a/b"), STR(".."), STR("") },
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct str got = uri_resolve(&a, cases[i].base, cases[i].ref);
        if (!str_eq(got, cases[i].want))
            fail_msg("%.*s + %.*s = %.*s", STR_ARG(cases[i].base), STR_ARG(cases[i].ref), STR_ARG(got));
    }
    arena_fini(&a);
}

static void test_percent_signs_are_undone(void **state)
{
    static const struct { struct str text, want; bool fits; } cases[] = {
        { STR(""), STR(""), true }, { STR("a%4a%4A%2f%0Az"), STR("aJJ/\nz"), true }, { STR("%"), STR(""), false }, { STR("%2"), STR(""), false },
        { STR("%g0"), STR(""), false }, { STR("%0g"), STR(""), false }, { STR("%G0"), STR(""), false }, { STR("%/0"), STR(""), false }, { STR("%:0"), STR(""), false },
        { STR("%00"), STR("\0"), true },
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct str got = { 0 };
        assert_int_equal(uri_decode(&a, cases[i].text, &got), cases[i].fits);
        assert_true(!cases[i].fits || str_eq(got, cases[i].want));
    }
    arena_fini(&a);
}

/* The schema inside of a larger document: only its part is copied. */
static void test_a_part_of_a_document_is_a_schema(void **state)
{
    struct json_doc d;
    struct schema *s = NULL;
    assert_int_equal(json_parse(&d, STR("{\"x\":[1,\"y\"],\"schema\":{\"type\":\"object\",\"required\":[\"a\"]},\"z\":{\"a\":null}}"), NULL), ERR_OK);
    assert_int_equal(schema_compile(yyjson_obj_get(d.root, "schema"), NULL, &s, NULL), ERR_OK);
    assert_true(schema_check(s, yyjson_obj_get(d.root, "z"), NULL));
    assert_false(schema_check(s, yyjson_obj_get(d.root, "schema"), NULL));
    json_free(&d);
    schema_free(s);
    schema_free(NULL);
    assert_int_equal(schema_compile(NULL, NULL, &s, NULL), ERR_INVALID_REQUEST);
}

static void test_a_fault_is_written(void **state)
{
    struct schema *s = compiled("{\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"]}", NULL);
    struct schema_fault f;
    struct buf text = { 0 };
    assert_false(check(s, STR("{\"a\":\"x\"}"), &f));
    schema_fault_write(&f, &text);
    buf_add_char(&text, '|');
    assert_false(check(s, STR("{}"), &f));
    schema_fault_write(&f, &text);
    buf_add_char(&text, 0);
    assert_string_equal(text.p, "/a: must be an integer, is \"x\"|the value must have the property \"a\"");
    buf_free(&text);
    schema_free(s);
}

/* A path that does not fit ends at an outer part, and never inside of a name. */
static void test_long_paths_end_early(void **state)
{
    char schema[2000], value[2000], name[121];
    struct schema_fault f;
    memset(name, 'k', 120);
    name[120] = 0;
    snprintf(schema, sizeof schema, "{\"additionalProperties\":{\"additionalProperties\":{\"additionalProperties\":{\"type\":\"null\"}}}}");
    snprintf(value, sizeof value, "{\"%s\":{\"%s\":{\"%s\":1}}}", name, name, name);
    struct schema *s = compiled(schema, NULL);
    assert_false(check(s, str_of(value), &f));
    assert_int_equal(strlen(f.at), 2 * 121);
    assert_string_equal(f.text, "must be null, is 1");
    schema_free(s);
}

static struct buf nested(const char *open, size_t n, const char *inner, const char *close)
{
    struct buf b = { 0 };
    for (size_t i = 0; i < n; i++)
        buf_add(&b, str_of(open));
    buf_add(&b, str_of(inner));
    for (size_t i = 0; i < n; i++)
        buf_add(&b, str_of(close));
    return b;
}

static void test_depth_is_bounded(void **state)
{
    struct buf text = nested("{\"not\":", JSON_MAX_DEPTH + 1, "{}", "}");
    yyjson_doc *d = yyjson_read(text.p, text.n, 0);
    struct schema *s = NULL;
    struct err e = { 0 };
    assert_int_equal(schema_compile(yyjson_doc_get_root(d), NULL, &s, &e), ERR_INVALID_REQUEST);
    assert_non_null(strstr(e.text, "nested more than 64"));
    yyjson_doc_free(d);
    buf_free(&text);
    /* A value that did not come through json_parse() may be deeper: the check ends, undecided. */
    text = nested("[", 5000, "1", "]");
    d = yyjson_read(text.p, text.n, 0);
    s = compiled("{\"items\":{\"$ref\":\"#\"}}", NULL);
    struct schema_fault f;
    assert_false(schema_check(s, yyjson_doc_get_root(d), &f));
    assert_true(f.undecided);
    yyjson_doc_free(d);
    schema_free(s);
    buf_free(&text);
}

/* Each definition holds the next one twice against the same value: 2^40 ways. */
static void test_steps_are_bounded(void **state)
{
    struct buf text = { 0 };
    struct schema_fault f;
    buf_lit(&text, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{");
    for (int i = 0; i < 40; i++)
        buf_printf(&text, "\"d%d\":{\"allOf\":[{\"$ref\":\"#/$defs/d%d\"},{\"$ref\":\"#/$defs/d%d\"}]},", i, i + 1, i + 1);
    buf_lit(&text, "\"d40\":{}}}");
    buf_add_char(&text, 0);
    struct schema *s = compiled(text.p, NULL);
    assert_false(check(s, STR("1"), &f));
    assert_true(f.undecided);
    assert_string_equal(f.text, "cannot be checked: it takes more than 2000000 steps");
    assert_string_equal(f.keyword, "");
    schema_free(s);
    struct schema_options o = { .steps = 10 };
    s = compiled("{\"items\":{\"type\":\"integer\"}}", &o);
    assert_true(check(s, STR("[1,2,3]"), &f));
    assert_false(check(s, STR("[1,2,3,4,5,6,7,8,9,10,11]"), &f));
    assert_true(f.undecided);
    assert_false(check(s, STR("[\"x\",2,3,4,5,6,7,8,9,10,11]"), &f)); /* a fault before that is one */
    assert_false(f.undecided);
    schema_free(s);
    buf_free(&text);
}

/* Giving up is neither "fits" nor "does not", so `not` may not make the one of the other. */
static void test_giving_up_is_no_answer_under_not(void **state)
{
    static const char *const schemas[] = {
        "{\"not\":{\"items\":{\"type\":\"integer\"}}}", "{\"anyOf\":[{\"items\":{\"type\":\"integer\"}},true]}", "{\"if\":{\"items\":{\"type\":\"integer\"}}}",
        "{\"contains\":{\"items\":{\"type\":\"integer\"}},\"minContains\":0}", "{\"oneOf\":[{\"items\":{\"type\":\"integer\"}},true]}", "{\"not\":{\"uniqueItems\":true}}",
        "{\"not\":{\"enum\":[[1,2,3,4,5,6,7,8,9,10,11,13]]}}",
    };
    struct schema_options o = { .steps = 8 };
    for (size_t i = 0; i < COUNTOF(schemas); i++) {
        struct schema *s = compiled(schemas[i], &o);
        struct schema_fault f;
        assert_false(check(s, STR("[1,2,3,4,5,6,7,8,9,10,11,[1,2,3,4,5,6,7,8,9,10,11,12]]"), &f));
        if (!f.undecided)
            fail_msg("%s: %s", schemas[i], f.text);
        schema_free(s);
    }
}

static void test_patterns_are_bounded(void **state)
{
    static const char *const schemas[] = {
        "{\"pattern\":\"^(a+)+$\"}", "{\"pattern\":\"(a|aa)+b$\"}", "{\"pattern\":\"(?:a*)*[bc]\"}", "{\"pattern\":\"^(?:.*a){12}$\"}", "{\"pattern\":\"(x+x+)+y\"}", "{\"pattern\":\"a*[bc]\"}",
        "{\"pattern\":\"(?R)?a(?R)\"}", "{\"pattern\":\"[a-z]+[0-9]\"}",
    };
    struct buf value = { 0 };
    buf_add_char(&value, '"');
    for (int i = 0; i < 30000; i++)
        buf_add_char(&value, 'a');
    buf_lit(&value, "!\"");
    for (size_t i = 0; i < COUNTOF(schemas); i++) {
        struct schema *s = compiled(schemas[i], NULL);
        struct schema_fault f = { 0 };
        if (!check(s, buf_str(&value), &f) && f.undecided)
            assert_string_equal(f.text, "cannot be checked: a pattern of the schema takes too long");
        schema_free(s);
    }
    /* Nested repeats, and one that is cheap at each of very many places. */
    struct schema *s;
    struct schema_fault f;
    static const size_t hard[] = { 0, 7 };
    for (size_t i = 0; i < COUNTOF(hard); i++) {
        s = compiled(schemas[hard[i]], NULL);
        assert_false(check(s, buf_str(&value), &f));
        assert_true(f.undecided);
        schema_free(s);
    }
    /* A simple one on a long text is no trouble. */
    s = compiled("{\"pattern\":\"^[a-z]+!$\"}", NULL);
    assert_true(check(s, buf_str(&value), &f));
    schema_free(s);
    buf_free(&value);
}

static void test_compiling_is_bounded(void **state)
{
    struct buf text = { 0 };
    buf_lit(&text, "{\"allOf\":[");
    for (int i = 0; i < 300; i++)
        buf_printf(&text, "%s{\"pattern\":\"((abc){20}){30}x{%d}\"}", i ? "," : "", i);
    buf_lit(&text, "]}");
    refused(buf_str(&text), "patterns of this schema are too large");
    buf_reset(&text, 0);
    buf_lit(&text, "{\"$defs\":{");
    for (int i = 0; i < 1100; i++)
        buf_printf(&text, "%s\"d%d\":{\"$anchor\":\"a%d\"}", i ? "," : "", i, i);
    buf_lit(&text, "}}");
    refused(buf_str(&text), "more than 1000 places have a name");
    buf_reset(&text, 0);
    buf_lit(&text, "{\"$defs\":{");
    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "\"d%d\":{\"$ref\":\"#/$defs/d%d\"},", i, i + 1);
    buf_lit(&text, "\"d1000\":{}}}");
    refused(buf_str(&text), "more than 256 schemas lead one to the next");
    buf_reset(&text, 0);
    buf_lit(&text, "{\"$defs\":{");
    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "\"d%d\":{\"$ref\":\"#/$defs/last\"},", i);
    buf_lit(&text, "\"last\":{}}}");
    refused(buf_str(&text), "too large to resolve its references");
    buf_reset(&text, 0);
    buf_lit(&text, "{\"pattern\":\"");
    for (int i = 0; i < 5000; i++)
        buf_add_char(&text, 'a');
    buf_lit(&text, "\"}");
    refused(buf_str(&text), "does not compile");
    buf_free(&text);
}

enum { THREADS = 4, ROUNDS = 200 };

static void *check_often(void *schema)
{
    intptr_t wrong = 0;
    struct schema_fault f;
    for (int i = 0; i < ROUNDS; i++) {
        wrong += !check(schema, STR("[\"abc\",\"def\"]"), &f);
        wrong += check(schema, STR("[\"abc\",\"DEF\"]"), &f);
        wrong += strcmp(f.at, "/1") != 0;
    }
    return (void *)wrong;
}

static void test_threads_share_a_schema(void **state)
{
    struct schema *s = compiled("{\"items\":{\"pattern\":\"^[a-z]+$\",\"$ref\":\"#/$defs/s\"},\"$defs\":{\"s\":{\"type\":\"string\"}},\"uniqueItems\":true}", NULL);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, check_often, s), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    schema_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases_of_all_keywords),
        cmocka_unit_test(test_keywords_are_found_by_name),
        cmocka_unit_test(test_addresses_are_resolved),
        cmocka_unit_test(test_percent_signs_are_undone),
        cmocka_unit_test(test_a_part_of_a_document_is_a_schema),
        cmocka_unit_test(test_a_fault_is_written),
        cmocka_unit_test(test_long_paths_end_early),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_steps_are_bounded),
        cmocka_unit_test(test_giving_up_is_no_answer_under_not),
        cmocka_unit_test(test_patterns_are_bounded),
        cmocka_unit_test(test_compiling_is_bounded),
        cmocka_unit_test(test_threads_share_a_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
