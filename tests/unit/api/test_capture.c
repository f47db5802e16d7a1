/* What of a request is kept, and in which words. */
#include "api/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define ANSWER "{\"role\":\"assistant\",\"content\":\"ok\"}"

static enum err_code make(const char *request, const char *answer, const struct conf_role *role, const char *thinking, struct buf *out, int64_t *print)
{
    struct err e;
    const struct capture_from from = { .request = str_of(request), .role = role, .answer = str_of(answer), .thinking = str_of(thinking) };
    out->n = 0;
    return capture_make(&from, out, print, &e);
}

static void test_what_is_kept(void **state)
{
    static const struct {
        const char *request, *answer, *thinking, *kept;
    } cases[] = {
        { "{\"model\":\"m\",\"user\":\"jane\",\"metadata\":{\"a\":\"b\"},\"seed\":7,\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\",\"name\":\"jane\"}]}", ANSWER, "",
          "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"answer\":{\"text\":\"ok\"}}" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]}],\"max_completion_tokens\":5,\"temperature\":0.5,"
          "\"top_p\":0.25,\"stop\":[\"x\"]}", ANSWER, "off",
          "{\"messages\":[{\"role\":\"user\",\"content\":\"a\\nb\"}],\"max_tokens\":5,\"temperature\":0.5,\"top_p\":0.25,\"stop\":[\"x\"],\"thinking\":\"off\",\"answer\":{\"text\":\"ok\"}}" },
        /* the same value has the same words in all of it, ids of calls are numbered, arguments stay JSON */
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"to a@example.com\"},"
          "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"a@example.com\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"to\\\":\\\"\\\\na@example.com\\\"}\"}}]},"
          "{\"role\":\"tool\",\"tool_call_id\":\"a@example.com\",\"content\":\"sent to b@example.com\"}]}",
          "{\"role\":\"assistant\",\"content\":\"it went to b@example.com\",\"tool_calls\":[{\"id\":\"q\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"to\\\":\\\"b@example.com\\\"}\"}}]}", "",
          "{\"messages\":[{\"role\":\"user\",\"content\":\"to [EMAIL_1]\"},"
          "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"to\\\":\\\"\\\\n[EMAIL_1]\\\"}\"}}]},"
          "{\"role\":\"tool\",\"content\":\"sent to [EMAIL_2]\",\"tool_call_id\":\"call_1\"}],"
          "\"answer\":{\"text\":\"it went to [EMAIL_2]\",\"calls\":[{\"name\":\"f\",\"arguments\":\"{\\\"to\\\":\\\"[EMAIL_2]\\\"}\"}]}}" },
        /* schemas and tools are looked through, too */
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"asks a@example.com\"}}],\"tool_choice\":\"auto\","
          "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"strict\":true,\"schema\":{\"const\":\"a@example.com\"}}}}", ANSWER, "",
          "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"asks [EMAIL_1]\"}}],\"tool_choice\":\"auto\","
          "\"schema\":{\"const\":\"[EMAIL_1]\"},\"strict\":true,\"answer\":{\"text\":\"ok\"}}" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"response_format\":{\"type\":\"json_object\"}}", ANSWER, "",
          "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"schema\":{\"type\":\"object\"},\"strict\":false,\"answer\":{\"text\":\"ok\"}}" },
    };
    struct buf out = { 0 };
    int64_t print;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        assert_int_equal(make(cases[i].request, cases[i].answer, NULL, cases[i].thinking, &out, &print), ERR_OK);
        buf_add_char(&out, 0);
        assert_string_equal(out.p, cases[i].kept);
    }
    buf_free(&out);
}

static void test_asks_alike_have_one_print(void **state)
{
    struct buf out = { 0 };
    int64_t a, b, c, d;
    assert_int_equal(make("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"seed\":1}", ANSWER, NULL, "", &out, &a), ERR_OK);
    assert_int_equal(make("{\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", "{\"role\":\"assistant\",\"content\":\"no\"}", NULL, "", &out, &b), ERR_OK);
    assert_int_equal(make("{\"messages\":[{\"role\":\"user\",\"content\":\"ho\"}]}", ANSWER, NULL, "", &out, &c), ERR_OK);
    assert_int_equal(make("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"temperature\":0}", ANSWER, NULL, "", &out, &d), ERR_OK);
    assert_true(a == b && a != c && a != d);
    buf_free(&out);
}

static void test_a_role_is_part_of_what_was_asked(void **state)
{
    const struct conf_role role = { .name = STR("r"), .words = STR("Be brief."), .instructions = INSTRUCTIONS_ADD, .rewords = true, .max_tokens = 50 };
    struct buf out = { 0 };
    int64_t print;
    assert_int_equal(make("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", ANSWER, &role, "", &out, &print), ERR_OK);
    buf_add_char(&out, 0);
    assert_string_equal(out.p, "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":50,\"answer\":{\"text\":\"ok\"}}");
    buf_free(&out);
}

static void test_what_is_not_kept(void **state)
{
    struct buf out = { 0 }, large = { 0 };
    int64_t print;
    assert_int_equal(make("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:,\"}}]}]}", ANSWER, NULL, "", &out, &print), ERR_UNSUPPORTED_INPUT);
    buf_lit(&large, "{\"messages\":[{\"role\":\"user\",\"content\":\"");
    for (size_t i = 0; i < CAPTURE_MAX_BYTES; i++)
        buf_add_char(&large, 'x');
    buf_add(&large, STR("\"}]}\0"));
    assert_int_equal(make(large.p, ANSWER, NULL, "", &out, &print), ERR_TOO_LARGE);
    buf_free(&large);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_kept),
        cmocka_unit_test(test_asks_alike_have_one_print),
        cmocka_unit_test(test_a_role_is_part_of_what_was_asked),
        cmocka_unit_test(test_what_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
