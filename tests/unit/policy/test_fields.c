/* The table of a request's fields, walked row by row, and the shapes of messages. */
#include "policy/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

/* The verdict on a body, as its param and text; "" when it is fine. */
static enum err_code check(const char *body, struct err *e)
{
    struct json_doc d;
    *e = (struct err){ .code = ERR_OK };
    if (json_parse(&d, str_of(body), e))
        fail_msg("%s: %s", e->text, body);
    enum err_code rc = fields_check(d.root, TASK_CHAT, e);
    json_free(&d);
    return rc;
}

/* The body that has just this value for the field, and whatever else a request must have. */
static enum err_code check_value(const struct field *f, const char *value, struct err *e)
{
    struct buf b = { 0 };
    buf_printf(&b, "{\"%s\":%s%s%s}", f->name, value, strcmp(f->name, "model") ? ",\"model\":\"m\"" : "",
        strcmp(f->name, "messages") ? "," MESSAGES : "");
    buf_add_char(&b, 0);
    enum err_code rc = check(b.p, e);
    buf_free(&b);
    return rc;
}

static void expect(const struct field *f, const char *value, enum err_code want)
{
    struct err e;
    enum err_code rc = check_value(f, value, &e);
    if (rc != want || (rc && strcmp(e.param, f->name) != 0))
        fail_msg("%s: %.80s -> %d %s (param %s)", f->name, value, (int)rc, e.text, e.param);
}

static bool is_required(const struct field *f)
{
    return strcmp(f->name, "messages") == 0;
}

static void test_every_row_says_a_whole_thing(void **state)
{
    size_t n = 0;
    for (const struct field *f; (f = field_at(n)); n++) {
        assert_true(f->what[0] && strchr(".?", f->what[strlen(f->what) - 1]));
        assert_true(f->types != 0 && f->min <= f->max && f->tasks);
        for (unsigned t = TASK_CHAT; t <= TASK_RERANK; t++) {
            bool in = f->tasks & 1u << t;
            const struct field *found = field_find((enum task)t, str_of(f->name));
            assert_true(in ? found == f : found != f); /* no name twice */
            assert_null(field_find((enum task)t, str_make(f->name, strlen(f->name) - 1)));
        }
    }
    assert_true(n > 50);
    assert_null(field_find(TASK_CHAT, STR("")));
    assert_null(field_find(TASK_CHAT, STR("chat_template")));
    assert_null(field_find(TASK_CHAT, STR("id_slot")));
}

static void test_every_row_takes_its_types_and_no_other(void **state)
{
    static const struct { const char *value; unsigned types; } values[] = {
        { "true", FIELD_BOOL }, { "1", FIELD_INT | FIELD_NUMBER }, { "0.5", FIELD_NUMBER }, { "\"x\"", FIELD_STRING },
        { "[{\"role\":\"user\",\"content\":\"x\"}]", FIELD_ARRAY }, { "{}", FIELD_OBJECT },
    };
    const struct field *f;
    for (size_t i = 0; (f = field_at(i)); i++) {
        if (!(f->tasks & 1u << TASK_CHAT))
            continue;
        for (size_t k = 0; k < COUNTOF(values); k++)
            expect(f, values[k].value, f->types & values[k].types ? ERR_OK : ERR_INVALID_REQUEST);
        expect(f, "null", is_required(f) ? ERR_INVALID_REQUEST : ERR_OK);
    }
}

static void add_number(struct buf *b, double v)
{
    if (v >= -9e15 && v <= 9e15 && v == (double)(int64_t)v)
        buf_add_int(b, (int64_t)v);
    else
        buf_printf(b, "%.17g", v);
    buf_add_char(b, 0);
}

static void expect_number(const struct field *f, double v, enum err_code want)
{
    struct buf b = { 0 };
    add_number(&b, v);
    expect(f, b.p, want);
    buf_free(&b);
}

static void expect_length(const struct field *f, bool string, size_t n, enum err_code want)
{
    struct buf b = { 0 };
    buf_add_char(&b, string ? '"' : '[');
    for (size_t i = 0; i < n; i++)
        buf_add(&b, string ? STR("x") : i ? STR(",{\"role\":\"user\",\"content\":\"\"}") : STR("{\"role\":\"user\",\"content\":\"\"}"));
    buf_add_char(&b, string ? '"' : ']');
    buf_add_char(&b, 0);
    expect(f, b.p, want);
    buf_free(&b);
}

static void test_every_range_holds_at_both_ends(void **state)
{
    const struct field *f;
    for (size_t i = 0; (f = field_at(i)); i++) {
        if (!(f->tasks & 1u << TASK_CHAT))
            continue;
        if (f->min == 0 && f->max == 0)
            continue;
        double step = f->types & FIELD_INT ? 1 : 0.001;
        if (f->types & (FIELD_INT | FIELD_NUMBER)) {
            expect_number(f, f->min, ERR_OK);
            expect_number(f, f->min - step, ERR_INVALID_REQUEST);
            if (f->max < 1e15) {
                expect_number(f, f->max, ERR_OK);
                expect_number(f, f->max + step, ERR_INVALID_REQUEST);
            }
        }
        for (int string = 0; string < 2; string++) {
            if (!(f->types & (string ? FIELD_STRING : FIELD_ARRAY)))
                continue;
            expect_length(f, string, (size_t)f->min, ERR_OK);
            if (f->min > 0)
                expect_length(f, string, (size_t)f->min - 1, ERR_INVALID_REQUEST);
            expect_length(f, string, (size_t)f->max, ERR_OK);
            expect_length(f, string, (size_t)f->max + 1, ERR_INVALID_REQUEST);
        }
    }
    expect(field_find(TASK_CHAT, STR("seed")), "18000000000000000000", ERR_OK);
    expect(field_find(TASK_CHAT, STR("seed")), "18446744073709551615", ERR_INVALID_REQUEST);
    expect(field_find(TASK_CHAT, STR("seed")), "18000000000000000001", ERR_INVALID_REQUEST); /* the same as a double */
    expect(field_find(TASK_CHAT, STR("max_tokens")), "1e300", ERR_INVALID_REQUEST);
}

static void test_whole_numbers_may_have_a_point(void **state)
{
    static const struct { const char *value; int64_t n; } values[] = {
        { "100", 100 }, { "100.0", 100 }, { "1e2", 100 }, { "-1.0", -1 }, { "0.0", 0 }, { "-0.0", 0 }, { "2147483647.0", 2147483647 },
    };
    const struct field *f = field_find(TASK_CHAT, STR("n_predict"));
    for (size_t i = 0; i < COUNTOF(values); i++) {
        struct json_doc d;
        struct buf b = { 0 };
        expect(f, values[i].value, ERR_OK);
        buf_printf(&b, "{\"n_predict\":%s}", values[i].value);
        assert_int_equal(json_parse(&d, buf_str(&b), NULL), ERR_OK);
        assert_int_equal(field_int(d.root, "n_predict"), values[i].n);
        assert_int_equal(field_int(d.root, "seed"), 0);
        json_free(&d);
        buf_free(&b);
    }
    expect(f, "0.5", ERR_INVALID_REQUEST);
    expect(f, "2147483648.0", ERR_INVALID_REQUEST);
}

static void test_lengths_are_in_characters(void **state)
{
    const struct field *f = field_find(TASK_CHAT, STR("verbosity"));
    for (size_t more = 0; more < 2; more++) {
        struct buf b = { 0 };
        buf_add_char(&b, '"');
        for (size_t i = 0; i < (size_t)f->max + more; i++)
            buf_add(&b, STR("\xe2\x82\xac"));
        buf_lit(&b, "\"\0");
        expect(f, b.p, more ? ERR_INVALID_REQUEST : ERR_OK);
        buf_free(&b);
    }
}

static void test_sentences_name_the_field_and_what_was_wanted(void **state)
{
    static const struct { const char *body, *param, *text; } cases[] = {
        { "{\"model\":\"m\"}", "messages", "'messages' is missing." },
        { "{\"model\":\"\"," MESSAGES "}", "model", "'model' must not be empty." },
        { "{\"model\":\"m\",\"messages\":[]}", "messages", "'messages' must not be empty." },
        { "{\"model\":\"m\",\"messages\":\"hi\"}", "messages", "'messages' must be an array, not string." },
        { "{\"model\":\"m\"," MESSAGES ",\"temperature\":2.5}", "temperature", "'temperature' must be between 0 and 2, not 2.5." },
        { "{\"model\":\"m\"," MESSAGES ",\"stop\":7}", "stop", "'stop' must be a string or an array, not uint." },
        { "{\"model\":\"m\"," MESSAGES ",\"stream\":\"yes\"}", "stream", "'stream' must be true or false, not string." },
        { "{\"model\":\"m\"," MESSAGES ",\"str\\u0065am\":1}", "stream", "'stream' must be true or false" },
        { "[]", "", "The body must be a JSON object, not array." },
        { "\"x\"", "", "The body must be a JSON object" },
        { "null", "", "The body must be a JSON object" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct err e;
        assert_int_equal(check(cases[i].body, &e), ERR_INVALID_REQUEST);
        assert_string_equal(e.param, cases[i].param);
        if (!strstr(e.text, cases[i].text))
            fail_msg("%s\nwant %s", e.text, cases[i].text);
    }
}

static void test_messages_have_one_of_their_shapes(void **state)
{
    static const struct { const char *message, *param; } cases[] = {
        { "{\"role\":\"user\",\"content\":\"x\"}", NULL },
        { "{\"role\":\"system\",\"content\":\"\"}", NULL },
        { "{\"role\":\"developer\",\"content\":\"x\"}", NULL },
        { "{\"role\":\"tool\",\"content\":\"x\",\"tool_call_id\":\"a\"}", NULL },
        { "{\"role\":\"function\",\"name\":\"f\",\"content\":\"x\"}", NULL },
        { "{\"role\":\"assistant\",\"tool_calls\":[]}", NULL },
        { "{\"role\":\"assistant\",\"function_call\":{}}", NULL },
        { "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]}", NULL },
        { "{\"role\":\"user\",\"content\":[]}", NULL },
        { "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"image_url\",\"image_url\":{}},{\"type\":\"odd\"}]}", NULL },
        { "7", "messages[1]" },
        { "null", "messages[1]" },
        { "[]", "messages[1]" },
        { "{}", "messages[1].role" },
        { "{\"role\":\"alien\",\"content\":\"x\"}", "messages[1].role" },
        { "{\"role\":\"User\",\"content\":\"x\"}", "messages[1].role" },
        { "{\"role\":\"user\\u0000\",\"content\":\"x\"}", "messages[1].role" },
        { "{\"role\":null,\"content\":\"x\"}", "messages[1].role" },
        { "{\"role\":[\"user\"],\"content\":\"x\"}", "messages[1].role" },
        { "{\"role\":\"user\"}", "messages[1].content" },
        { "{\"role\":\"user\",\"content\":7}", "messages[1].content" },
        { "{\"role\":\"user\",\"content\":{}}", "messages[1].content" },
        { "{\"role\":\"user\",\"content\":[\"x\"]}", "messages[1].content" },
        { "{\"role\":\"user\",\"content\":[{}]}", "messages[1].content" },
        { "{\"role\":\"user\",\"content\":[{\"type\":7}]}", "messages[1].content" },
        { "{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}", "messages[1].content" },
        { "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":null}]}", "messages[1].content" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf b = { 0 };
        struct err e;
        buf_printf(&b, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"},%s]}", cases[i].message);
        buf_add_char(&b, 0);
        enum err_code rc = check(b.p, &e);
        if (rc != (cases[i].param ? ERR_INVALID_REQUEST : ERR_OK) || (rc && strcmp(e.param, cases[i].param) != 0))
            fail_msg("%s -> %s (%s)", cases[i].message, e.text, e.param);
        buf_free(&b);
    }
}

static void test_other_tasks_have_their_own_needs(void **state)
{
    static const struct { enum task task; const char *body, *param; } cases[] = {
        { TASK_TEXT, "{\"model\":\"m\",\"prompt\":\"x\"}", NULL },
        { TASK_TEXT, "{\"model\":\"m\",\"prompt\":[\"x\",\"y\"]}", NULL },
        { TASK_TEXT, "{\"model\":\"m\",\"prompt\":[1,2]}", NULL },
        { TASK_TEXT, "{\"model\":\"m\",\"prompt\":[1.0,2.0]}", NULL },
        { TASK_TEXT, "{\"model\":\"m\",\"prompt\":[\"x\",[1,2]]}", NULL },
        { TASK_TEXT, "{\"model\":\"m\",\"prompt\":[{}]}", "prompt[0]" },
        { TASK_TEXT, "{\"model\":\"m\",\"prompt\":[1,\"x\"]}", "prompt[1]" }, /* one prompt, or two? */
        { TASK_TEXT, "{\"model\":\"m\",\"prompt\":[\"x\",1]}", "prompt[1]" },
        { TASK_TEXT, "{\"model\":\"m\",\"prompt\":[1,1.5]}", "prompt[1]" },
        { TASK_TEXT, "{\"model\":\"m\",\"prompt\":[1,-1]}", "prompt[1]" },
        { TASK_TEXT, "{\"model\":\"m\",\"prompt\":[[1,\"x\"]]}", "prompt[0]" },
        { TASK_TEXT, "{\"model\":\"m\",\"prompt\":\"\"}", "prompt" },
        { TASK_TEXT, "{\"model\":\"m\",\"messages\":[]}", "prompt" },
        { TASK_TEXT, "{\"model\":\"m\",\"prompt\":\"x\",\"logprobs\":true}", "logprobs" },
        { TASK_EMBED, "{\"model\":\"m\",\"input\":\"x\"}", NULL },
        { TASK_EMBED, "{\"model\":\"m\",\"input\":[\"x\",\"y\"],\"encoding_format\":\"base64\",\"dimensions\":8}", NULL },
        { TASK_EMBED, "{\"model\":\"m\",\"input\":[[1,2]]}", NULL },
        { TASK_EMBED, "{\"model\":\"m\",\"input\":[1,[2]]}", "input[1]" },
        { TASK_EMBED, "{\"model\":\"m\",\"input\":[]}", "input" },
        { TASK_EMBED, "{\"model\":\"m\",\"input\":[\"x\",\"\"]}", "input[1]" },
        { TASK_EMBED, "{\"model\":\"m\",\"input\":\"x\",\"encoding_format\":\"int8\"}", "encoding_format" },
        { TASK_EMBED, "{\"model\":\"m\",\"input\":\"x\",\"dimensions\":0}", "dimensions" },
        { TASK_EMBED, "{\"model\":\"m\"}", "input" },
        { TASK_RERANK, "{\"model\":\"m\",\"query\":\"q\",\"documents\":[\"a\",{\"text\":\"b\"}],\"top_n\":1}", NULL },
        { TASK_RERANK, "{\"model\":\"m\",\"query\":\"q\",\"documents\":[1]}", "documents[0]" },
        { TASK_RERANK, "{\"model\":\"m\",\"query\":\"q\"}", "documents" },
        { TASK_RERANK, "{\"model\":\"m\",\"documents\":[\"a\"]}", "query" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_doc d;
        struct err e = { .code = ERR_OK };
        assert_int_equal(json_parse(&d, str_of(cases[i].body), &e), ERR_OK);
        enum err_code rc = fields_check(d.root, cases[i].task, &e);
        if (rc != (cases[i].param ? ERR_INVALID_REQUEST : ERR_OK) || (rc && strcmp(e.param, cases[i].param) != 0))
            fail_msg("%s -> %d %s (param %s)", cases[i].body, (int)rc, e.text, e.param);
        json_free(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_says_a_whole_thing),
        cmocka_unit_test(test_every_row_takes_its_types_and_no_other),
        cmocka_unit_test(test_every_range_holds_at_both_ends),
        cmocka_unit_test(test_whole_numbers_may_have_a_point),
        cmocka_unit_test(test_lengths_are_in_characters),
        cmocka_unit_test(test_sentences_name_the_field_and_what_was_wanted),
        cmocka_unit_test(test_messages_have_one_of_their_shapes),
        cmocka_unit_test(test_other_tasks_have_their_own_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
