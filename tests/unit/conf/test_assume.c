/* What stands in for a file that is not there. */
#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <yyjson.h>
#include <cmocka.h>

static const struct conf_found some[] = {
    { STR("base"), STR("/m/base.gguf"), STR("llama, 3 MiB"), SERVES_CHAT, false },
    { STR("mini"), STR("/m/mini Q8.gguf"), STR("bert, 4 MiB"), SERVES_EMBED, false },
    { STR("small"), STR("/m/small.gguf"), STR("llama, 92 MiB"), SERVES_CHAT, true },
    { STR("tall"), STR("/m/tall.gguf"), STR("llama, 99 MiB"), SERVES_CHAT, true },
};

static struct config *parse(struct str yaml)
{
    struct config *c = NULL;
    struct err e = { 0 };
    if (conf_parse((struct str){ NULL, 0 }, yaml, &c, &e))
        fail_msg("%s\n%.*s", e.text, STR_ARG(yaml));
    return c;
}

static struct config *assume(const struct conf_found *found, size_t n, bool notes, struct buf *yaml)
{
    buf_init(yaml, 0);
    conf_assume(STR("/m"), found, n, notes, yaml);
    return parse(buf_str(yaml));
}

static struct str role(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->nroles; i++)
        if (str_eq(c->roles[i].name, name))
            return c->roles[i].model;
    return STR("");
}

static void test_models_and_roles(void **state)
{
    for (int notes = 0; notes < 2; notes++) {
        struct buf yaml;
        struct config *c = assume(some, COUNTOF(some), notes, &yaml);
        assert_int_equal(c->nmodels, COUNTOF(some));
        assert_int_equal(c->path.n, 0);
        for (size_t i = 0; i < c->nmodels; i++) {
            assert_true(str_eq(c->models[i].name, some[i].name));
            assert_true(str_eq(c->models[i].file, some[i].file));
            assert_int_equal(c->models[i].serves, some[i].serves);
            assert_int_equal(c->models[i].keep, KEEP_DEMAND);
            assert_int_equal(c->models[i].context, 0);
        }
        assert_int_equal(c->nroles, 2);
        assert_true(str_eq(role(c, STR("chat")), STR("small")));
        assert_true(str_eq(role(c, STR("embed")), STR("mini")));
        assert_int_equal(str_find(buf_str(&yaml), STR("#")) >= 0, notes);
        assert_int_equal(str_find(buf_str(&yaml), STR("llama, 92 MiB")) >= 0, notes);
        conf_free(c);
        buf_free(&yaml);
    }
}

static void test_nothing_found(void **state)
{
    struct buf yaml;
    struct config *c = assume(NULL, 0, true, &yaml);
    assert_int_equal(c->nmodels + c->nroles, 0);
    assert_true(str_find(buf_str(&yaml), STR("/m\n")) >= 0);
    conf_free(c);
    buf_free(&yaml);
}

static void test_without_a_template_the_first_chats(void **state)
{
    struct buf yaml;
    struct config *c = assume(some, 2, true, &yaml);
    assert_true(str_eq(role(c, STR("chat")), STR("base")));
    assert_true(str_find(buf_str(&yaml), STR("none has a chat template")) >= 0);
    conf_free(c);
    buf_free(&yaml);
    c = assume(some + 1, 1, true, &yaml);
    assert_int_equal(c->nroles, 1);
    conf_free(c);
    buf_free(&yaml);
}

static void test_a_model_may_have_a_roles_name(void **state)
{
    struct conf_found named[] = { some[2], some[1] };
    struct buf yaml;
    named[0].name = STR("embed");
    named[1].serves = SERVES_RERANK;
    struct config *c = assume(named, 2, true, &yaml);
    assert_int_equal(c->nroles, 2);
    assert_true(str_eq(role(c, STR("chat")), STR("embed")));
    assert_true(str_eq(role(c, STR("rerank")), STR("mini")));
    conf_free(c);
    buf_free(&yaml);
}

/* Shown in full, it says that nobody wrote it. */
static void test_it_is_shown_as_assumed(void **state)
{
    struct buf yaml, out;
    struct config *c = assume(some, COUNTOF(some), true, &yaml);
    buf_init(&out, 0);
    conf_show_json(c, &out);
    yyjson_doc *doc = yyjson_read(out.p, out.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_true(yyjson_is_null(yyjson_obj_get(root, "file")));
    assert_string_equal(yyjson_get_str(yyjson_obj_get(yyjson_obj_get(root, "origin"), "/models/small/file")), "assumed");
    yyjson_doc_free(doc);
    out.n = 0;
    conf_show_yaml(c, true, &out);
    assert_true(str_find(buf_str(&out), STR("  small:  # assumed\n    file: /m/small.gguf  # assumed\n")) >= 0);
    struct config *again = parse(buf_str(&out));
    assert_int_equal(again->nmodels, c->nmodels);
    conf_free(again);
    conf_free(c);
    buf_free(&out);
    buf_free(&yaml);
}

static void test_what_is_text(void **state)
{
    static const struct { struct str s; bool is; } cases[] = {
        { STR(""), true }, { STR("/a b\xC3\xA4"), true }, { STR("a\nb"), false }, { STR("a\tb"), false }, { STR("a\x7f"), false }, { STR("\xE4"), false },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++)
        assert_int_equal(conf_is_text(cases[i].s), cases[i].is);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models_and_roles),
        cmocka_unit_test(test_nothing_found),
        cmocka_unit_test(test_without_a_template_the_first_chats),
        cmocka_unit_test(test_a_model_may_have_a_roles_name),
        cmocka_unit_test(test_it_is_shown_as_assumed),
        cmocka_unit_test(test_what_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
