/* A draft, its check, and what becomes of it. */
#include "api/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void parse(struct json_doc *d, struct str text)
{
    struct err e;
    if (json_parse(d, text, &e))
        fail_msg("%s: %.*s", e.text, STR_ARG(text));
}

static void test_the_conversation_goes_along(void **state)
{
    static const char request[] = "{ \"messages\" : [ {\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"2+2?\"}]} ], \"model\":\"chat\", \"stream\":true}";
    struct json_doc d, sent;
    struct buf out = { 0 };
    parse(&d, str_of(request));
    verify_body(&d, STR("big"), STR("It is \"5\"."), false, &out);
    parse(&sent, buf_str(&out));
    assert_true(str_eq(json_str(yyjson_obj_get(sent.root, "model")), STR("big")));
    assert_null(yyjson_obj_get(sent.root, "stream"));
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(sent.root, "messages")), 3);
    assert_true(str_eq(json_str(yyjson_ptr_get(sent.root, "/messages/0/content/0/text")), STR("2+2?")));
    assert_true(str_eq(json_str(yyjson_ptr_get(sent.root, "/messages/1/content")), STR("It is \"5\".")));
    assert_true(str_eq(json_str(yyjson_ptr_get(sent.root, "/messages/2/role")), STR("user")));
    json_free(&sent);
    json_free(&d);
    buf_free(&out);
}

static void test_a_draft_is_words(void **state)
{
    static const struct {
        const char *answer, *draft;
    } cases[] = {
        { "{\"choices\":[{\"message\":{\"content\":\"hello\"}}]}", "hello" },
        { "{\"choices\":[{\"message\":{\"content\":\"hello\",\"tool_calls\":[]}}]}", "hello" },
        { "{\"choices\":[{\"message\":{\"content\":\"hello\",\"tool_calls\":[{}]}}]}", "" },
        { "{\"choices\":[{\"message\":{\"content\":null}}]}", "" },
        { "{\"choices\":[]}", "" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_doc d;
        parse(&d, str_of(cases[i].answer));
        assert_true(str_eq(verify_draft(d.root), str_of(cases[i].draft)));
        json_free(&d);
    }
}

static void test_a_check_reads_or_fails(void **state)
{
    static const struct {
        const char *said;
        enum verdict verdict;
        const char *answer;
    } cases[] = {
        { "{\"verdict\":\"good\",\"answer\":\"\"}", VERDICT_AGREED, "" },
        { "{\"verdict\":\"good\",\"answer\":\"never mind\"}", VERDICT_AGREED, "" },
        { "\n{\"verdict\":\"better\",\"answer\":\"4\"} ", VERDICT_IMPROVED, "4" },
        { "{\"verdict\":\"better\",\"answer\":\" \"}", VERDICT_FAILED, "" },
        { "{\"verdict\":\"better\"}", VERDICT_FAILED, "" },
        { "{\"verdict\":\"maybe\",\"answer\":\"4\"}", VERDICT_FAILED, "" },
        { "It is fine.", VERDICT_FAILED, "" },
        { "", VERDICT_FAILED, "" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf answer = { 0 };
        if (verify_read(str_of(cases[i].said), &answer) != cases[i].verdict)
            fail_msg("%s", cases[i].said);
        assert_true(str_eq(buf_str(&answer), str_of(cases[i].answer)));
        buf_free(&answer);
    }
}

static void test_better_words_take_the_place(void **state)
{
    static const struct {
        const char *answer, *want;
    } cases[] = {
        { "{\"id\":\"x\",\"model\":\"small\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"5\"},\"finish_reason\":\"stop\"}]}",
          "{\"id\":\"x\",\"model\":\"big\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"four\\n\"},\"finish_reason\":\"stop\"}]}" },
        { "{\"choices\":[{\"message\":{\"content\":\"5\"}}],\"model\":\"small\"}", "{\"choices\":[{\"message\":{\"content\":\"four\\n\"}}],\"model\":\"big\"}" },
        { "{\"choices\":[{\"message\":{\"content\":\"5\"}}]}", "{\"choices\":[{\"message\":{\"content\":\"four\\n\"}}]}" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_doc d;
        struct buf out = { 0 };
        parse(&d, str_of(cases[i].answer));
        verify_replace(&d, STR("four\n"), STR("big"), &out);
        buf_add_char(&out, 0);
        assert_string_equal(out.p, cases[i].want);
        buf_free(&out);
        json_free(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_conversation_goes_along),
        cmocka_unit_test(test_a_draft_is_words),
        cmocka_unit_test(test_a_check_reads_or_fails),
        cmocka_unit_test(test_better_words_take_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
