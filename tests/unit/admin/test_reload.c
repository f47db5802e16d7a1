/* What a reload tells: the object scripts rely on, and the sentence for people. */
#include "admin/admin.h"

#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>
#include <cmocka.h>

static struct config *parse(const char *name, const char *text)
{
    struct config *c = NULL;
    struct err e = { 0 };
    if (conf_parse(str_of(name), str_of(text), &c, &e))
        fail_msg("%s\n%s", e.text, text);
    return c;
}

static const struct {
    const char *name, *was, *now, *says;
} rows[] = {
    { "/k/hob.yaml", "models: {a: {file: a}}\n", "models: {a: {file: a}}\n", "/k/hob.yaml is in force: nothing has changed" },
    { "", "", "", "what the models folder holds is in force: nothing has changed" },
    { "/k/hob.yaml", "models: {a: {file: a}, b: {file: b}, c: {file: c}}\nlisten: 127.0.0.1:1\n",
      "models: {a: {file: a}, b: {file: b, slots: 2}, d: {file: d}}\nlisten: 127.0.0.1:2\n",
      "/k/hob.yaml is in force: 1 model kept; starting anew: b; added: d; removed: c; changed: listen, models.b.slots; only when hob is started anew: listen" },
    { "/k/hob.yaml", "", "models: {a: {file: a}, b: {file: b}, c: {file: c}, d: {file: d}, e: {file: e}, f: {file: f}}\n",
      "/k/hob.yaml is in force: 0 models kept; added: a, b, c, d and 2 more" },
};

static void test_the_sentence(void **state)
{
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct config *was = parse(rows[i].name, rows[i].was), *now = parse(rows[i].name, rows[i].now);
        struct conf_diff d;
        struct arena a;
        struct buf out = { 0 };
        arena_init(&a);
        conf_diff(was, now, &a, &d);
        reload_sentence(now, &d, &out);
        buf_add_char(&out, 0);
        assert_string_equal(out.p, rows[i].says);
        buf_free(&out);
        arena_fini(&a);
        conf_free(was);
        conf_free(now);
    }
}

static const char *text_at(yyjson_val *root, const char *pointer)
{
    return yyjson_get_str(yyjson_ptr_get(root, pointer));
}

static void test_the_object(void **state)
{
    struct config *was = parse(rows[2].name, rows[2].was), *now = parse(rows[2].name, rows[2].now);
    struct conf_diff d;
    struct arena a;
    struct buf out = { 0 };
    arena_init(&a);
    conf_diff(was, now, &a, &d);
    view_reload(now, &d, &out);
    yyjson_doc *doc = yyjson_read(out.p, out.n, 0);
    assert_non_null(doc);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_int_equal(yyjson_get_int(yyjson_ptr_get(root, "/schema")), 1);
    assert_string_equal(text_at(root, "/file"), "/k/hob.yaml");
    assert_string_equal(text_at(root, "/kept/0"), "a");
    assert_string_equal(text_at(root, "/restarted/0/model"), "b");
    assert_string_equal(text_at(root, "/restarted/0/because"), "models.b.slots");
    assert_string_equal(text_at(root, "/added/0"), "d");
    assert_string_equal(text_at(root, "/removed/0"), "c");
    assert_string_equal(text_at(root, "/needs_restart/0"), "listen");
    assert_int_equal(yyjson_arr_size(yyjson_ptr_get(root, "/changed")), 2);
    assert_string_equal(text_at(root, "/summary"), rows[2].says);
    yyjson_doc_free(doc);
    buf_free(&out);
    arena_fini(&a);
    conf_free(was);
    conf_free(now);
}

int main(void)
{
    setenv("HOME", "/home/cook", 1);
    unsetenv("HF_ENDPOINT");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_sentence),
        cmocka_unit_test(test_the_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
