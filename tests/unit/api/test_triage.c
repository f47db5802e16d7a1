/* What the model of the second stage is asked, and how its answer reads. */
#include "api/triage.h"

#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct config *parse(const char *triage)
{
    char text[512];
    struct config *c;
    struct err e;
    snprintf(text, sizeof text, "models: {small: {file: /s.gguf}}\ntriage: {model: small%s}\n", triage);
    if (conf_parse(STR("hob.yaml"), str_of(text), &c, &e))
        fail_msg("%s", e.text);
    return c;
}

static void test_a_request_is_json_with_a_schema(void **state)
{
    struct config *c = parse(", intents: [search, refund]");
    struct talk t = { .at = { { SAID_SYSTEM, STR("be kind"), true }, { SAID_USER, STR("give me \"my\" money"), true } }, .n = 2 };
    struct buf out = { 0 };
    struct json_doc d;
    struct err e;
    triage_body(c, &t, true, &out);
    assert_int_equal(json_parse(&d, buf_str(&out), &e), ERR_OK);
    assert_true(str_eq(json_str(yyjson_obj_get(d.root, "model")), STR("small")));
    yyjson_val *said = yyjson_ptr_get(d.root, "/messages/1/content");
    assert_true(str_find(json_str(said), STR("give me \"my\" money")) > 0);
    assert_true(str_find(json_str(said), STR("be kind")) < 0);
    assert_int_equal(yyjson_arr_size(yyjson_ptr_get(d.root, "/response_format/json_schema/schema/properties/intent/enum")), 2);
    assert_int_equal(yyjson_arr_size(yyjson_ptr_get(d.root, "/response_format/json_schema/schema/required")), 4);
    assert_true(yyjson_is_false(yyjson_ptr_get(d.root, "/chat_template_kwargs/enable_thinking")));
    json_free(&d);
    buf_free(&out);
    conf_free(c);
}

static void test_long_talk_is_clipped(void **state)
{
    static char long_text[100000];
    struct config *c = parse("");
    struct talk t = { .n = 0 };
    struct buf out = { 0 };
    memset(long_text, 'x', sizeof long_text);
    for (size_t i = 0; i < TALK_MAX; i++)
        t.at[t.n++] = (struct said){ SAID_USER, str_make(long_text, sizeof long_text), true };
    triage_body(c, &t, false, &out);
    assert_true(out.n < 8192);
    assert_true(str_find(buf_str(&out), STR("chat_template_kwargs")) < 0);
    assert_true(str_find(buf_str(&out), STR("intent")) < 0);
    buf_free(&out);
    conf_free(c);
}

static void test_what_it_says_is_read_or_nothing(void **state)
{
    static const struct {
        const char *said;
        bool good;
        double complexity;
        const char *intent;
        bool urgent, private;
    } cases[] = {
        { "{\"complexity\":\"fast\",\"intent\":\"search\",\"urgent\":false,\"private\":false}", true, 0.16, "search", false, false },
        { " {\"private\":true,\"urgent\":true,\"intent\":\"refund\",\"complexity\":\"heavy\"}\n", true, 0.83, "refund", true, true },
        { "{\"complexity\":\"primary\",\"intent\":\"dancing\",\"urgent\":false,\"private\":true}", true, 0.5, "", false, true },
        { "{\"complexity\":\"primary\",\"urgent\":false,\"private\":true}", true, 0.5, "", false, true },
        { "{\"complexity\":\"huge\",\"intent\":\"search\",\"urgent\":false,\"private\":false}", false },
        { "{\"complexity\":\"fast\",\"intent\":\"search\",\"urgent\":\"no\",\"private\":false}", false },
        { "{\"complexity\":\"fast\",\"intent\":\"search\",\"urgent\":false}", false },
        { "Sure! {\"complexity\":\"fast\"}", false },
        { "[]", false },
        { "", false },
    };
    struct config *c = parse(", intents: [search, refund]");
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct triage_view v = { 0 };
        if (triage_read(c, str_of(cases[i].said), &v) != cases[i].good)
            fail_msg("%s", cases[i].said);
        if (!cases[i].good)
            continue;
        assert_true(v.complexity == cases[i].complexity);
        assert_true(str_eq(v.intent, str_of(cases[i].intent)));
        assert_int_equal(v.urgent, cases[i].urgent);
        assert_int_equal(v.private, cases[i].private);
    }
    conf_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_json_with_a_schema),
        cmocka_unit_test(test_long_talk_is_clipped),
        cmocka_unit_test(test_what_it_says_is_read_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
