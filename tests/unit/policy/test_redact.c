/* Values to placeholders and back: requests as JSON, what leaves, and what comes home however it is cut. */
#include "policy/redact.h"

#include "policy/detect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct redaction *redact(const char *request, bool cut, struct buf *out)
{
    struct json_doc d;
    struct err e;
    struct redaction *r = redaction_new();
    if (cut ? json_parse_cut(&d, str_of(request), STR("messages"), &e) : json_parse(&d, str_of(request), &e))
        fail_msg("%s: %s", request, e.text);
    redact_request(r, &d, out);
    json_free(&d);
    assert_int_equal(json_parse(&d, buf_str(out), &e), ERR_OK);
    json_free(&d);
    return r;
}

/* clang-format off */
static void test_texts_of_a_request_leave_with_placeholders(void **state)
{
    static const struct { const char *request, *leaves; size_t count; } cases[] = {
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"mail jane@example.com\"}]}",
          "{\"messages\":[{\"role\":\"user\",\"content\":\"mail [EMAIL_1]\"}]}", 1 },
        { "{\"prompt\":\"a@b.co, c@d.co and a@b.co; +49 151 12345678\"}", "{\"prompt\":\"[EMAIL_1], [EMAIL_2] and [EMAIL_1]; [PHONE_1]\"}", 3 },
        { "{\"prompt\":[\"a@b.co\",\"none\",\"a@b.co\"]}", "{\"prompt\":[\"[EMAIL_1]\",\"none\",\"[EMAIL_1]\"]}", 1 },
        { "{\"input\":\"DE89370400440532013000\"}", "{\"input\":\"[IBAN_1]\"}", 1 },
        { "{\"query\":\"4111111111111111\",\"documents\":[\"x\",{\"text\":\"a@b.co\",\"id\":7}]}", "{\"query\":\"[CARD_1]\",\"documents\":[\"x\",{\"text\":\"[EMAIL_1]\",\"id\":7}]}", 2 },
        { "{\"system\":\"password=hunter22\"}", "{\"system\":\"password=[SECRET_1]\"}", 1 },
        { "{\"user\":\"a@b.co\",\"metadata\":{\"who\":\"a@b.co\"},\"stop\":[\"a@b.co\"]}", "{\"user\":\"[EMAIL_1]\",\"metadata\":{\"who\":\"[EMAIL_1]\"},\"stop\":[\"[EMAIL_1]\"]}", 1 },
        { "{\"something_new\":{\"deep\":[[\"a@b.co\"]]}}", "{\"something_new\":{\"deep\":[[\"[EMAIL_1]\"]]}}", 1 },
        /* parts, calls and results */
        { "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a@b.co\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://u:pa55word@h/a@b.co\"}}]}]}",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"[EMAIL_1]\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://u:pa55word@h/a@b.co\"}}]}]}", 1 },
        { "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a@b.co\",\"function\":{\"name\":\"send\",\"arguments\":\"{\\\"to\\\":\\\"x\\\\na@b.co\\\"}\"}}]},"
          "{\"role\":\"tool\",\"tool_call_id\":\"a@b.co\",\"content\":\"sent to a@b.co\"}]}",
          "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a@b.co\",\"function\":{\"name\":\"send\",\"arguments\":\"{\\\"to\\\":\\\"x\\\\n[EMAIL_1]\\\"}\"}}]},"
          "{\"role\":\"tool\",\"tool_call_id\":\"a@b.co\",\"content\":\"sent to [EMAIL_1]\"}]}", 1 },
        { "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"arguments\":\"{broken a@b.co\"}}]}]}",
          "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"arguments\":\"{broken [EMAIL_1]\"}}]}]}", 1 },
        { "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"name\":\"x\",\"input\":{\"name\":\"a@b.co\"}}]}]}",
          "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"name\":\"x\",\"input\":{\"name\":\"[EMAIL_1]\"}}]}]}", 1 },
        /* names of members, and what they say of their values; numbers */
        { "{\"metadata\":{\"a@b.co\":{\"password\":\"hunter22\",\"phone\":5551234,\"n\":5551234,\"card\": 4111111111111111 ,\"id\":\"x\"}}}",
          "{\"metadata\":{\"[EMAIL_1]\":{\"password\":\"[SECRET_1]\",\"phone\":\"[PHONE_1]\",\"n\":\"[PHONE_1]\",\"card\": \"[CARD_1]\" ,\"id\":\"x\"}}}", 4 },
        { "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"arguments\":\"{\\\"a@b.co\\\":1,\\\"password\\\":\\\"hunter\\u00322\\\",\\\"card\\\":4111111111111111}\"}}]}]}",
          "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"arguments\":\"{\\\"[EMAIL_1]\\\":1,\\\"password\\\":\\\"[SECRET_1]\\\",\\\"card\\\":\\\"[CARD_1]\\\"}\"}}]}]}", 3 },
        { "{\"metadata\":{\"passwords\":7,\"api_key\":\"$KEY\",\"tokens\":\"many\",\"created\":1764000000,\"ids\":[12345678]}}", "{\"metadata\":{\"passwords\":7,\"api_key\":\"$KEY\",\"tokens\":\"many\",\"created\":1764000000,\"ids\":[12345678]}}", 0 },
        { "{\"metadata\":{\"password\":[\"it's5\\\"o\",{\"n\":\"hunter22\"}],\"secret\":\"\"}}", "{\"metadata\":{\"password\":[\"[SECRET_1]\",{\"n\":\"hunter22\"}],\"secret\":\"\"}}", 1 },
        /* what is known from its name is known without it, too */
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"It is hunter22, hunter22!\"},{\"role\":\"user\",\"content\":\"password=hunter22\\nphone: 5551234\"},"
          "{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"arguments\":\"{\\\"p\\\":\\\"xhunter22x 5551234\\\"}\"}}]}]}",
          "{\"messages\":[{\"role\":\"user\",\"content\":\"It is [SECRET_1], [SECRET_1]!\"},{\"role\":\"user\",\"content\":\"password=[SECRET_1]\\nphone: [PHONE_1]\"},"
          "{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"arguments\":\"{\\\"p\\\":\\\"x[SECRET_1]x [PHONE_1]\\\"}\"}}]}]}", 2 },
        { "{\"prompt\":[\"password=secret11 password=22secret\",\"secret11 22secret secret1122secret a@b.co\"]}",
          "{\"prompt\":[\"password=[SECRET_1] password=[SECRET_2]\",\"[SECRET_1] [SECRET_2] [SECRET_1][SECRET_2] [EMAIL_1]\"]}", 3 },
        /* escapes stay right */
        { "{\"prompt\":\"\\\"a@b.co\\\"\\n\\u00e9 \\ud83d\\ude00\"}", "{\"prompt\":\"\\\"[EMAIL_1]\\\"\\n\xc3\xa9 \xf0\x9f\x98\x80\"}", 1 },
        /* what is nobody's text is left alone, and so is what has nothing in it */
        { "{\"model\":\"a@b.co\",\"tools\":[{\"description\":\"a@b.co\"}],\"response_format\":{\"x\":\"a@b.co\"},\"tool_choice\":\"a@b.co\"}",
          "{\"model\":\"a@b.co\",\"tools\":[{\"description\":\"a@b.co\"}],\"response_format\":{\"x\":\"a@b.co\"},\"tool_choice\":\"a@b.co\"}", 0 },
        { "{ \"prompt\" : \"\\u0041\" , \"n\":1e0 }", "{ \"prompt\" : \"\\u0041\" , \"n\":1e0 }", 0 },
        /* what looks like a placeholder is the prompt's own */
        { "{\"prompt\":\"[EMAIL_1] [EMAIL_7] [PHONE_2 [IBAN_03] [EMAIL_x] a@b.co\"}", "{\"prompt\":\"[EMAIL_1] [EMAIL_7] [PHONE_2 [IBAN_03] [EMAIL_x] [EMAIL_8]\"}", 1 },
        { "{\"prompt\":\"a@b.co\",\"input\":\"[EMAIL_1]\"}", "{\"prompt\":\"[EMAIL_2]\",\"input\":\"[EMAIL_1]\"}", 1 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf out = { 0 };
        struct redaction *r = redact(cases[i].request, i % 2, &out);
        if (!str_eq(buf_str(&out), str_of(cases[i].leaves)) || redaction_count(r) != cases[i].count)
            fail_msg("%s\n%.*s\n%s", cases[i].request, STR_ARG(buf_str(&out)), cases[i].leaves);
        redaction_free(r);
        buf_free(&out);
    }
}
/* clang-format on */

static void test_findings_are_named_by_kind(void **state)
{
    static const struct { const char *request; unsigned found; } cases[] = {
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],\"model\":\"a@b.co\"}", 0 },
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"a@b.co 4111111111111111\"}]}", FOUND_EMAIL | FOUND_CARD },
        { "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"arguments\":\"{\\\"p\\\":\\\"+49 151 12345678\\\"}\"}}]}]}", FOUND_PHONE },
        { "{\"prompt\":\"password=hunter22 DE89370400440532013000\"}", FOUND_SECRET | FOUND_IBAN },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_doc d;
        struct err e;
        assert_int_equal(json_parse(&d, str_of(cases[i].request), &e), ERR_OK);
        assert_int_equal(redact_findings(&d), cases[i].found);
        json_free(&d);
    }
}

/* Of a long text the document holds only the beginning. */
static void test_long_texts_are_looked_at_to_their_end(void **state)
{
    struct buf request = { 0 }, out = { 0 };
    struct json_doc d;
    struct err e;
    buf_lit(&request, "{\"messages\":[{\"role\":\"user\",\"content\":\"");
    for (int i = 0; i < 40000; i++)
        buf_lit(&request, "words\\n");
    buf_lit(&request, "jane@example.com\\n\"}]}");
    assert_int_equal(json_parse_cut(&d, buf_str(&request), STR("messages"), &e), ERR_OK);
    assert_int_equal(redact_findings(&d), FOUND_EMAIL);
    struct redaction *r = redaction_new();
    redact_request(r, &d, &out);
    assert_int_equal(redaction_count(r), 1);
    assert_int_equal(str_find(buf_str(&out), STR("jane@example.com")), -1);
    assert_true(str_find(buf_str(&out), STR("words\\n[EMAIL_1]\\n\"}]}")) > 0);
    redaction_free(r);
    json_free(&d);
    buf_free(&request);
    buf_free(&out);
}

/* Thousands of values, each of them found again. */
static void test_many_values_have_a_number_each(void **state)
{
    struct buf request = { 0 }, out = { 0 }, back = { 0 };
    struct json_doc d;
    struct err e;
    buf_lit(&request, "{\"prompt\":\"");
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 3000; i++)
            buf_printf(&request, "u%d@example.com ", i);
    buf_lit(&request, "\"}");
    buf_add_char(&request, 0);
    struct redaction *r = redact(request.p, false, &out);
    assert_int_equal(redaction_count(r), 3000);
    assert_true(str_find(buf_str(&out), STR("[EMAIL_2999] [EMAIL_3000] [EMAIL_1] [EMAIL_2] ")) > 0);
    struct restorer s;
    size_t room = SIZE_MAX;
    restorer_init(&s, r, false, &room);
    restorer_feed(&s, buf_str(&out), &back);
    restorer_end(&s, &back);
    assert_true(str_eq(buf_str(&back), str_make(request.p, request.n - 1)));
    assert_int_equal(json_parse(&d, buf_str(&back), &e), ERR_OK);
    json_free(&d);
    redaction_free(r);
    buf_free(&request);
    buf_free(&out);
    buf_free(&back);
}

/* ---- back ---- */

static struct redaction *some_values(void)
{
    struct buf out = { 0 };
    struct redaction *r = redact("{\"prompt\":\"[PHONE_3] a@b.co c@d.co 0171 2345678 password='a\\\\b,c1d'\"}", false, &out);
    assert_int_equal(redaction_count(r), 4);
    buf_free(&out);
    return r;
}

static const struct way_back {
    const char *answer, *text, *json;
} ways_back[] = {
    { "plain", "plain", NULL },
    { "[EMAIL_1]", "a@b.co", NULL },
    { "Dear [EMAIL_2], call [PHONE_4].", "Dear c@d.co, call 0171 2345678.", NULL },
    { "[EMAIL_1][EMAIL_2][EMAIL_1]", "a@b.coc@d.coa@b.co", NULL },
    { "[[EMAIL_1]]", "[a@b.co]", NULL },
    { "[EMAIL_[EMAIL_1]", "[EMAIL_a@b.co", NULL },
    { "[EMAIL_12] [EMAIL_3] [EMAIL_0] [EMAIL_01] [EMAIL_] [email_1] [EMAIL_1 ] [EMAIL-1]", "[EMAIL_12] [EMAIL_3] [EMAIL_0] [EMAIL_01] [EMAIL_] [email_1] [EMAIL_1 ] [EMAIL-1]", NULL },
    { "[PHONE_3] [IBAN_1]", "[PHONE_3] [IBAN_1]", NULL }, /* the prompt's own, and nobody's */
    { "ends with [EMAIL_1", "ends with [EMAIL_1", NULL },
    { "ends with [", "ends with [", NULL },
    { "a[0] = [E[S[", "a[0] = [E[S[", NULL },
    { "[EMAIL_9999999999999999999999999999]", "[EMAIL_9999999999999999999999999999]", NULL },
    { "{\"p\":\"[SECRET_1]\"}", "{\"p\":\"a\\b,c1d\"}", "{\"p\":\"a\\\\b,c1d\"}" },
    { "\xc3\xa9[EMAIL_1]\xc3\xa9", "\xc3\xa9" "a@b.co\xc3\xa9", NULL },
};

static void restore(const struct redaction *r, bool json, struct str answer, size_t a, size_t b, struct buf *out)
{
    struct restorer s;
    out->n = 0;
    size_t room = SIZE_MAX;
    restorer_init(&s, r, json, &room);
    restorer_feed(&s, str_make(answer.p, a), out);
    restorer_feed(&s, str_make(answer.p + a, b - a), out);
    restorer_feed(&s, str_make(answer.p + b, answer.n - b), out);
    restorer_end(&s, out);
}

static void test_values_come_back_wherever_the_text_is_cut(void **state)
{
    struct redaction *r = some_values();
    struct buf out = { 0 };
    for (size_t i = 0; i < COUNTOF(ways_back); i++) {
        const struct way_back *w = &ways_back[i];
        struct str answer = str_of(w->answer);
        for (size_t a = 0; a <= answer.n; a++)
            for (size_t b = a; b <= answer.n; b++)
                for (int json = 0; json < 2; json++) {
                    restore(r, json, answer, a, b, &out);
                    if (!str_eq(buf_str(&out), str_of(json && w->json ? w->json : w->text)))
                        fail_msg("%s cut at %zu and %zu: %.*s", w->answer, a, b, STR_ARG(buf_str(&out)));
                }
    }
    buf_free(&out);
    redaction_free(r);
}

/* A place repeats the placeholder of a long value: ten bytes of its own for each megabyte of ours. */
static void test_an_answer_gets_so_much_back_and_no_more(void **state)
{
    enum { TIMES = 200, LONG = 300000 };
    struct buf request = { 0 }, out = { 0 }, answer = { 0 }, back = { 0 };
    buf_lit(&request, "{\"prompt\":\"-----BEGIN PRIVATE KEY-----");
    for (size_t i = 0; i < LONG; i++)
        buf_add_char(&request, 'A');
    buf_lit(&request, "\"}");
    buf_add_char(&request, 0);
    struct redaction *r = redact(request.p, false, &out);
    assert_int_equal(redaction_count(r), 1);
    for (size_t i = 0; i < TIMES; i++)
        buf_lit(&answer, "[SECRET_1]");
    size_t room = redaction_room(r);
    assert_in_range(room, LONG, 10 * (LONG + (1 << 20)));
    struct restorer s;
    restorer_init(&s, r, false, &room);
    restorer_feed(&s, buf_str(&answer), &back);
    restorer_end(&s, &back);
    assert_true(back.n > LONG && back.n < redaction_room(r) + answer.n);
    assert_true(str_ends(buf_str(&back), STR("[SECRET_1][SECRET_1]")));
    redaction_free(r);
    buf_free(&request);
    buf_free(&out);
    buf_free(&answer);
    buf_free(&back);
}

static void test_a_text_is_held_back_no_longer_than_it_may_be_one(void **state)
{
    static const struct { const char *piece; size_t held; } cases[] = {
        { "x", 0 }, { "x[", 1 }, { "x[E", 2 }, { "[EMAIL", 6 }, { "[EMAIL_", 7 }, { "[EMAIL_1", 8 }, { "[EMAIL_1]", 0 }, { "[EMAIL_3", 0 }, { "[EMAIL_12", 0 },
        { "[x", 0 }, { "[EX", 0 }, { "[[", 1 }, { "[EMAIL_0", 0 }, { "[PHONE_3", 8 }, { "[PHONE_4", 8 }, { "[PHONE_5", 0 },
    };
    struct redaction *r = some_values();
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct restorer s;
        struct buf out = { 0 };
        size_t room = SIZE_MAX;
        restorer_init(&s, r, false, &room);
        restorer_feed(&s, str_of(cases[i].piece), &out);
        if (s.n != cases[i].held)
            fail_msg("%s: %zu", cases[i].piece, s.n);
        buf_free(&out);
    }
    redaction_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_of_a_request_leave_with_placeholders),
        cmocka_unit_test(test_findings_are_named_by_kind),
        cmocka_unit_test(test_long_texts_are_looked_at_to_their_end),
        cmocka_unit_test(test_many_values_have_a_number_each),
        cmocka_unit_test(test_values_come_back_wherever_the_text_is_cut),
        cmocka_unit_test(test_an_answer_gets_so_much_back_and_no_more),
        cmocka_unit_test(test_a_text_is_held_back_no_longer_than_it_may_be_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
