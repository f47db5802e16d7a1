/* From bodies and heads to asks: what routing may want to know of a request, and how long it is. */
#include "api/ask.h"

#include "api/size.h"
#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define SAY(text) "\"messages\":[{\"role\":\"user\",\"content\":\"" text "\"}]"

static void read_chat(const char *body, struct json_doc *d, struct ask *ask)
{
    struct err e;
    if (ask_read(str_of(body), TASK_CHAT, d, ask, &e))
        fail_msg("%s\n%s", e.text, body);
}

static void test_a_body_says_what_it_has_and_needs(void **state)
{
    static const struct {
        const char *body;
        unsigned input;
        bool tools, schema, stream;
        int turns;
        int64_t max;
        const char *name, *session;
    } cases[] = {
        { "{" SAY("hi") "}", INPUT_TEXT, false, false, false, 0, 0, "", "" },
        { "{\"model\":\"chat\",\"stream\":true," SAY("hi") ",\"max_tokens\":50}", INPUT_TEXT, false, false, true, 0, 50, "chat", "" },
        { "{\"model\":\"m\"," SAY("hi") ",\"max_tokens\":50,\"max_completion_tokens\":70,\"n_predict\":9}", INPUT_TEXT, false, false, false, 0, 70, "m", "" },
        { "{\"model\":\"m\"," SAY("hi") ",\"max_tokens\":-1}", INPUT_TEXT, false, false, false, 0, 0, "m", "" },
        { "{\"model\":\"m\"," SAY("hi") ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}", INPUT_TEXT, true, false, false, 0, 0, "m", "" },
        { "{\"model\":\"m\"," SAY("hi") ",\"tools\":[]}", INPUT_TEXT, false, false, false, 0, 0, "m", "" },
        { "{\"model\":\"m\"," SAY("hi") ",\"tool_choice\":\"none\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}", INPUT_TEXT,
          false, false, false, 0, 0, "m", "" },
        { "{\"model\":\"m\"," SAY("hi") ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{}}}}", INPUT_TEXT,
          false, true, false, 0, 0, "m", "" },
        { "{\"model\":\"m\"," SAY("hi") ",\"response_format\":{\"type\":\"json_object\"}}", INPUT_TEXT, false, false, false, 0, 0, "m", "" },
        { "{\"model\":\"m\"," SAY("hi") ",\"user\":\"ann\"}", INPUT_TEXT, false, false, false, 0, 0, "m", "ann" },
        { "{\"model\":\"m\"," SAY("hi") ",\"user\":\"ann\",\"prompt_cache_key\":\"k1\"}", INPUT_TEXT, false, false, false, 0, 0, "m", "k1" },
        { "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:,\"}},"
          "{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}}]}]}", INPUT_TEXT | INPUT_IMAGE | INPUT_FILE, false, false, false, 0, 0, "m", "" },
        { "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":"
          "{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"y\"},{\"role\":\"tool\",\"tool_call_id\":\"2\",\"content\":"
          "\"z\"}]}", INPUT_TEXT, false, false, false, 2, 0, "m", "" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_doc d = { 0 };
        struct ask ask;
        read_chat(cases[i].body, &d, &ask);
        bool right = ask.input == cases[i].input && ask.tools == cases[i].tools && ask.schema == cases[i].schema && ask.stream == cases[i].stream &&
                     ask.tool_turns == cases[i].turns && ask.max_tokens == cases[i].max && str_eq(ask.name, str_of(cases[i].name)) &&
                     str_eq(ask.session, str_of(cases[i].session)) && ask.tokens > 0;
        if (!right)
            fail_msg("%s", cases[i].body);
        json_free(&d);
    }
}

static void test_a_head_says_how_it_wants_to_be_served(void **state)
{
    static const struct { const char *name, *value; bool insists, private; const char *session; } cases[] = {
        { "accept", "*/*", false, false, "" },       { "x-hob-wait", "heavy", true, false, "" },   { "x-hob-wait", "false", false, false, "" },
        { "X-Hob-Private", "true", false, true, "" }, { "x-hob-private", "1", false, true, "" },    { "x-hob-private", "no", false, false, "" },
        { "x-hob-session", "s7", false, false, "s7" }, { "x-hob-private", "", false, false, "" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct http_header one = { str_of(cases[i].name), str_of(cases[i].value) };
        struct http_headers h = { &one, 1 };
        struct ask ask = { .name = STR("m") };
        ask_read_head(&h, CALLER_BACKGROUND, &ask);
        assert_int_equal(ask.insists, cases[i].insists);
        assert_int_equal(ask.privacy == PRIVATE_SAID, cases[i].private);
        assert_true(str_eq(ask.session, str_of(cases[i].session)) && (ask.affinity != 0) == (ask.session.n != 0));
        assert_true(ask.class == CONF_CLASS_BACKGROUND && ask.nheaders == 1);
    }
}

/* ---- how long it is ---- */

static void test_lengths_of_texts_come_out_near_what_tokenizers_say(void **state)
{
    static const struct { const char *text; int64_t least, most; } cases[] = {
        { "", 0, 0 },
        { "a", 1, 2 },
        { "The quick brown fox jumps over the lazy dog.", 9, 14 },               /* 10 */
        { "Größere Änderungen müssen über Nacht geprüft werden.", 12, 22 },      /* 16 */
        { "敏捷的棕色狐狸跳过了懒狗。", 10, 16 },                                    /* 13 */
        { "素早い茶色の狐はのろまな犬を飛び越える。", 14, 24 },                        /* 17 */
        { "빠른 갈색 여우가 게으른 개를 뛰어넘는다.", 14, 26 },                        /* 20 */
        { "😀😀😀", 4, 8 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        int64_t n = size_text(str_of(cases[i].text));
        if (n < cases[i].least || n > cases[i].most)
            fail_msg("%s: %lld", cases[i].text, (long long)n);
    }
}

static void test_long_texts_are_counted_by_a_sample(void **state)
{
    static const size_t sizes[] = { 2047, 2048, 2049, 5000, 100000, 131072, 131073, 400000, 3000000 };
    for (size_t i = 0; i < COUNTOF(sizes); i++) { /* beyond 128 KiB a document holds but the beginning */
        struct buf body = { 0 };
        struct json_doc d = { 0 };
        struct ask ask;
        buf_lit(&body, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"");
        memset(buf_reserve(&body, sizes[i]), 'x', sizes[i]);
        body.n += sizes[i];
        buf_lit(&body, "\"}]}");
        buf_add_char(&body, 0);
        read_chat(body.p, &d, &ask);
        assert_in_range(ask.tokens, sizes[i] / 4, sizes[i] / 4 + 16);
        json_free(&d);
        buf_free(&body);
    }
}

static void test_pictures_and_tools_count(void **state)
{
    struct json_doc d = { 0 };
    struct ask plain, picture, tools;
    read_chat("{\"model\":\"m\"," SAY("hi") "}", &d, &plain);
    json_free(&d);
    read_chat("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"},"
              "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:,\"}}]}]}", &d, &picture);
    json_free(&d);
    read_chat("{\"model\":\"m\"," SAY("hi") ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\","
        "\"description\":\"What the weather is like in a place\","
        "\"parameters\":{\"type\":\"object\",\"properties\":{\"place\":{\"type\":\"string\"}}}}}]}", &d, &tools);
    json_free(&d);
    assert_true(picture.tokens >= plain.tokens + 500);
    assert_in_range(tools.tokens, plain.tokens + 25, plain.tokens + 80);
}

/* ---- which conversation it is ---- */

static uint64_t affinity_of(const char *body)
{
    struct json_doc d = { 0 };
    struct ask ask;
    struct config *c = NULL;
    struct err e;
    struct classifier *words = NULL;
    struct str yaml = STR("hosts: {h: {url: \"http://127.0.0.1:1\"}}\nmodels: {a: {host: h, replicas: [b]}, b: {host: h}}\n");
    assert_int_equal(conf_parse(STR("/k/hob.yaml"), yaml, &c, &e), ERR_OK);
    read_chat(body, &d, &ask);
    ask_weigh(c, &words, &d, &ask, false);
    json_free(&d);
    conf_free(c);
    assert_null(words); /* nobody wanted the words */
    return ask.affinity;
}

static void test_a_conversation_is_known_by_its_beginning(void **state)
{
    static const char *const same[] = {
        "{\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"one\"}]}",
        "{\"model\":\"x\",\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"one\"},{\"role\":\"assistant\",\"content\":\"a\"},"
        "{\"role\":\"user\",\"content\":\"two\"}]}",
        "{\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"x-anthropic-billing-header: cc_version=2.1; cch=ab1;\"},"
        "{\"type\":\"text\",\"text\":\"S\"}]},"
        "{\"role\":\"user\",\"content\":\"one\"}]}",
        "{\"stream\":true,\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"S\"}]},{\"role\":\"user\",\"content\":\"one\"}]}",
    };
    static const char *const others[] = {
        "{\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"two\"}]}",
        "{\"messages\":[{\"role\":\"system\",\"content\":\"T\"},{\"role\":\"user\",\"content\":\"one\"}]}",
        "{\"prompt_cache_key\":\"k\",\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"one\"}]}",
    };
    uint64_t first = affinity_of(same[0]);
    assert_true(first != 0);
    for (size_t i = 1; i < COUNTOF(same); i++)
        assert_true(affinity_of(same[i]) == first);
    for (size_t i = 0; i < COUNTOF(others); i++)
        assert_true(affinity_of(others[i]) != first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_body_says_what_it_has_and_needs),
        cmocka_unit_test(test_a_head_says_how_it_wants_to_be_served),
        cmocka_unit_test(test_lengths_of_texts_come_out_near_what_tokenizers_say),
        cmocka_unit_test(test_long_texts_are_counted_by_a_sample),
        cmocka_unit_test(test_pictures_and_tools_count),
        cmocka_unit_test(test_a_conversation_is_known_by_its_beginning),
    };
    setenv("HOME", "/home/cook", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
