/* What is called against what was offered, and calls that came as text. */
#include "policy/tools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define CITY "{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}," \
    "\"days\":{\"type\":\"integer\",\"minimum\":1}},\"required\":[\"city\"],\"additionalProperties\":false}}}"
#define NOW "{\"type\":\"function\",\"function\":{\"name\":\"now\"}}"
#define ODD(strict) "{\"type\":\"function\",\"function\":{\"name\":\"odd\",\"parameters\":{\"type\":\"banana\"}" strict "}}"
#define ASK(tools, more) "{\"tools\":[" tools "]" more "}"
#define REQUIRED ",\"tool_choice\":\"required\""
#define NAMED ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"now\"}}"
#define ALLOWED(mode) ",\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"" mode "\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"now\"}}]}}"
#define ONE ",\"parallel_tool_calls\":false"

static struct json_doc parse(const char *text)
{
    struct json_doc d;
    struct err e;
    if (json_parse(&d, str_of(text), &e))
        fail_msg("%s: %s", text, e.text);
    return d;
}

/* ---- what is asked for ---- */

static void test_what_no_model_can_answer_is_the_callers(void **state)
{
    static const struct { const char *body, *param, *text; } cases[] = {
        { "{}", NULL, NULL },
        { ASK(CITY, REQUIRED), NULL, NULL },
        { ASK(CITY "," NOW, NAMED), NULL, NULL },
        { ASK(CITY, ",\"tool_choice\":null"), NULL, NULL },
        { ASK("{\"type\":\"web_search\"}", ",\"tool_choice\":{\"type\":\"web_search\"}"), NULL, NULL },
        { ASK("{\"type\":\"custom\",\"custom\":{\"name\":\"now\"}}", NAMED), NULL, NULL },
        { "{\"tools\":null,\"tool_choice\":\"none\"}", NULL, NULL },
        { ASK(CITY ",{\"type\":\"function\",\"function\":{}}", ""), "tools[1]", "tools[1] is a function without a name: `function: {name}`." },
        { ASK("{\"type\":\"function\",\"function\":{\"name\":5}}", ""), "tools[0]", "tools[0] is a function without a name: `function: {name}`." },
        { ASK("{\"type\":\"function\",\"name\":\"now\"}", ""), "tools[0]", "tools[0] is a function without a name: `function: {name}`." },
        { ASK("\"weather\"", ""), "tools[0]", "tools[0] must be an object." },
        { ASK(CITY, NAMED), "tool_choice", "'tool_choice' names 'now', which is not among the 'tools'." },
        { "{\"tool_choice\":\"required\"}", "tool_choice", "'tool_choice' wants a tool to be called, and there are no 'tools'." },
        { ASK("", REQUIRED), "tool_choice", "'tool_choice' wants a tool to be called, and there are no 'tools'." },
        { ASK("", NAMED), "tool_choice", "'tool_choice' names 'now', which is not among the 'tools'." },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_doc d = parse(cases[i].body);
        struct err e = { 0 };
        assert_int_equal(tools_ask_check(&d, &e), cases[i].text ? ERR_INVALID_REQUEST : ERR_OK);
        assert_string_equal(e.text, cases[i].text ? cases[i].text : "");
        assert_string_equal(e.param, cases[i].param ? cases[i].param : "");
        json_free(&d);
    }
}

static void test_a_request_without_tools_wishes_for_nothing(void **state)
{
    static const char *const none[] = { "{}", "{\"tools\":null}", "{\"tools\":[]}", "{\"tools\":\"x\",\"tool_choice\":\"required\"}", "[]" };
    for (size_t i = 0; i < COUNTOF(none); i++) {
        struct json_doc d = parse(none[i]);
        struct tools_wish w;
        assert_false(tools_wish_read(d.root, &w));
        json_free(&d);
    }
}

static void test_choices_are_read(void **state)
{
    static const struct {
        const char *more;
        enum tools_choice choice;
        bool named, allowed, one;
    } rows[] = {
        { "", TOOLS_AUTO, false, false, false },
        { ",\"tool_choice\":null", TOOLS_AUTO, false, false, false },
        { ",\"tool_choice\":\"auto\"", TOOLS_AUTO, false, false, false },
        { ",\"tool_choice\":\"none\"", TOOLS_NONE, false, false, false },
        { REQUIRED, TOOLS_REQUIRED, false, false, false },
        { ",\"tool_choice\":\"any\"", TOOLS_REQUIRED, false, false, false },
        { NAMED, TOOLS_NAMED, true, false, false },
        { ",\"tool_choice\":{\"type\":\"function\"}", TOOLS_AUTO, false, false, false },
        { ALLOWED("auto"), TOOLS_AUTO, false, true, false },
        { ALLOWED("required"), TOOLS_REQUIRED, false, true, false },
        { ONE, TOOLS_AUTO, false, false, true },
        { ",\"parallel_tool_calls\":true", TOOLS_AUTO, false, false, false },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        char text[1000];
        snprintf(text, sizeof text, ASK(NOW, "%s"), rows[i].more);
        struct json_doc d = parse(text);
        struct tools_wish w;
        assert_true(tools_wish_read(d.root, &w));
        assert_int_equal(w.choice, rows[i].choice);
        assert_int_equal(w.named.n > 0, rows[i].named);
        assert_int_equal(w.allowed != NULL, rows[i].allowed);
        assert_int_equal(w.one, rows[i].one);
        json_free(&d);
    }
}

/* ---- what came ---- */

static const struct check_case {
    const char *ask;
    struct {
        const char *name, *arguments;
    } calls[3];
    enum err_code code;
    const char *text, *remark;      /* parts of what is said */
} cases[] = {
    /* good */
    { ASK(CITY, ""), { { NULL, NULL } }, ERR_OK, NULL, NULL },
    { ASK(CITY, ""), { { "weather", "{\"city\":\"Rome\"}" } }, ERR_OK, NULL, NULL },
    { ASK(CITY "," NOW, REQUIRED), { { "weather", "{\"city\":\"Rome\",\"days\":2}" }, { "now", "{}" } }, ERR_OK, NULL, NULL },
    { ASK(NOW, ""), { { "now", "" } }, ERR_OK, NULL, NULL },
    { ASK(NOW, ""), { { "now", " \n" } }, ERR_OK, NULL, NULL },
    { ASK(NOW, ""), { { "now", "{\"whatever\":[1,2]}" } }, ERR_OK, NULL, NULL },
    { ASK(NOW "," CITY, NAMED), { { "now", "{}" } }, ERR_OK, NULL, NULL },
    { ASK(NOW "," CITY, ALLOWED("required")), { { "now", "{}" } }, ERR_OK, NULL, NULL },
    { ASK(NOW, ONE), { { "now", "{}" } }, ERR_OK, NULL, NULL },
    { ASK(NOW, ",\"tool_choice\":\"none\""), { { NULL, NULL } }, ERR_OK, NULL, NULL },
    { ASK(ODD(""), ""), { { "odd", "{\"a\":1}" } }, ERR_OK, NULL, NULL },
    { ASK(ODD(",\"strict\":false"), ""), { { "odd", "{}" } }, ERR_OK, NULL, NULL },
    { ASK("{\"type\":\"custom\",\"custom\":{\"name\":\"sql\"}}", ""), { { "sql", "select 1" } }, ERR_OK, NULL, NULL },
    { ASK("{\"type\":\"web_search\"}," NOW, ""), { { "", "" } }, ERR_OK, NULL, NULL },
    /* no tool, or the wrong one */
    { ASK(NOW "," CITY, ""), { { "wether", "{}" } }, ERR_TOOL_UNMET, "it called 'wether'", "There is no tool 'wether'. The tools are: now, weather." },
    { ASK(NOW, ""), { { "", "{}" } }, ERR_TOOL_UNMET, "it called ''", "There is no tool ''" },
    { ASK(NOW "," CITY, ""), { { "now", "{}" }, { "x", "{}" } }, ERR_TOOL_UNMET, "it called 'x'", NULL },
    { ASK(NOW "," CITY, REQUIRED), { { NULL, NULL } }, ERR_TOOL_UNMET, "it called no tool, and one had", "has to be called now, whatever else there is to say. The tools are: now, weather." },
    { ASK(NOW "," CITY, NAMED), { { NULL, NULL } }, ERR_TOOL_UNMET, "it called no tool, and 'now' had", "The tool 'now' has" },
    { ASK(NOW "," CITY, NAMED), { { "weather", "{\"city\":\"Rome\"}" } }, ERR_TOOL_UNMET, "it called 'weather'", NULL },
    { ASK(NOW "," CITY, ALLOWED("auto")), { { "weather", "{\"city\":\"Rome\"}" } }, ERR_TOOL_UNMET, "it called 'weather'", "The tools are: now." },
    { ASK(NOW, ",\"tool_choice\":\"none\""), { { "now", "{}" } }, ERR_TOOL_UNMET, "`tool_choice` is none", "Answer in words" },
    { ASK(NOW, ONE), { { "now", "{}" }, { "now", "{}" } }, ERR_TOOL_UNMET, "it made 2 calls", "alone" },
    /* arguments */
    { ASK(CITY, ""), { { "weather", "{\"city\":5}" } }, ERR_SCHEMA_UNMET, "call 0, of 'weather', are wrong: /city: must be a string", "/city: must be a string" },
    { ASK(CITY, ""), { { "weather", "{}" } }, ERR_SCHEMA_UNMET, "city", "city" },
    { ASK(CITY, ""), { { "weather", "" } }, ERR_SCHEMA_UNMET, "city", "city" },
    { ASK(CITY, ""), { { "weather", "{\"city\":\"Rome\",\"days\":0}" } }, ERR_SCHEMA_UNMET, "/days: must be at least 1", "/days" },
    { ASK(CITY, ""), { { "weather", "{\"city\":\"Rome\",\"town\":1}" } }, ERR_SCHEMA_UNMET, "town", NULL },
    { ASK(CITY "," NOW, ""), { { "now", "{}" }, { "weather", "{\"city\":null}" } }, ERR_SCHEMA_UNMET, "call 1, of 'weather'", NULL },
    { ASK(CITY, ""), { { "weather", "{\"city\":\"Rome\"" } }, ERR_SCHEMA_UNMET, "are wrong", "Call it again" },
    { ASK(CITY, ""), { { "weather", "{\"city\":\"Rome\",\"city\":\"Paris\"}" } }, ERR_SCHEMA_UNMET, "are wrong", NULL },
    { ASK(NOW, ""), { { "now", "[]" } }, ERR_SCHEMA_UNMET, "no object", "no object" },
    { ASK(NOW, ""), { { "now", "\"{}\"" } }, ERR_SCHEMA_UNMET, "no object", NULL },
    { ASK(NOW, ""), { { "now", "now()" } }, ERR_SCHEMA_UNMET, "are wrong", NULL },
    /* the caller's */
    { ASK(ODD(",\"strict\":true"), ""), { { "odd", "{}" } }, ERR_INVALID_REQUEST, "`parameters` of the tool 'odd' are no schema", NULL },
};

static size_t calls_of(const struct check_case *c, struct tool_call *to)
{
    size_t n = 0;
    for (; n < COUNTOF(c->calls) && c->calls[n].name; n++)
        to[n] = (struct tool_call){ str_of(c->calls[n].name), str_of(c->calls[n].arguments) };
    return n;
}

static void try_check(const struct check_case *c, size_t i)
{
    struct json_doc d = parse(c->ask);
    struct tools_wish w;
    struct tool_call calls[3];
    struct buf remark = { 0 };
    struct err e = { .code = ERR_OK };
    size_t n = calls_of(c, calls);
    assert_true(tools_wish_read(d.root, &w));
    if (tools_check(&w, calls, n, false, &remark, &e) != c->code)
        fail_msg("case %zu: %s", i, e.text);
    buf_add_char(&remark, 0);
    if (c->text && !strstr(e.text, c->text))
        fail_msg("case %zu: '%s' is not in '%s'", i, c->text, e.text);
    if (c->remark && !strstr(remark.p, c->remark))
        fail_msg("case %zu: '%s' is not in '%s'", i, c->remark, remark.p);
    assert_int_equal(remark.n > 1, c->code == ERR_TOOL_UNMET || c->code == ERR_SCHEMA_UNMET);
    assert_int_equal(tools_check(&w, calls, n, false, NULL, &e), c->code);
    buf_free(&remark);
    json_free(&d);
}

static void test_calls_are_held_against_what_was_offered(void **state)
{
    for (size_t i = 0; i < COUNTOF(cases); i++)
        try_check(&cases[i], i);
}

static void test_formats_count_when_they_shall(void **state)
{
    struct json_doc d = parse(ASK("{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"properties\":{\"d\":{\"type\":\"string\",\"format\":\"date\"}}}}}", ""));
    struct tool_call c = { STR("f"), STR("{\"d\":\"today\"}") };
    struct tools_wish w;
    struct err e;
    assert_true(tools_wish_read(d.root, &w));
    assert_int_equal(tools_check(&w, &c, 1, false, NULL, &e), ERR_OK);
    assert_int_equal(tools_check(&w, &c, 1, true, NULL, &e), ERR_SCHEMA_UNMET);
    json_free(&d);
}

static void test_a_draft_says_what_was_said_and_called(void **state)
{
    static const struct tool_call calls[] = { { STR("f"), STR("{\"a\":1}") }, { STR("g"), STR("") } };
    struct buf out = { 0 };
    tools_draft(STR("Well."), calls, 2, &out);
    assert_true(str_eq(buf_str(&out), STR("Well.\n{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}\n{\"name\":\"g\",\"arguments\":\"\"}")));
    out.n = 0;
    tools_draft(STR(""), NULL, 0, &out);
    assert_true(out.n > 0);
    buf_free(&out);
}

/* ---- calls that came as text ---- */

static const struct text_case {
    const char *text;
    struct {
        const char *name, *arguments;
    } calls[3]; /* none: it is text */
} texts[] = {
    { "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call>", { { "weather", "{\"city\":\"Rome\"}" } } },
    { "\n\n<tool_call>{\"name\":\"now\",\"arguments\":{}}</tool_call>\n<tool_call>{\"name\":\"weather\",\"arguments\":{\"city\":\"R\"}}</tool_call>\n",
      { { "now", "{}" }, { "weather", "{\"city\":\"R\"}" } } },
    { "<tool_call>{\"name\":\"now\"}</tool_call>", { { "now", "{}" } } },
    { "<tool_call>{\"name\":\"now\",\"arguments\":{}}", { { "now", "{}" } } },              /* the closing tag was its stop word */
    { "<tool_call>{\"name\":\"other\",\"arguments\":{}}</tool_call>", { { "other", "{}" } } }, /* a call, of what is not offered */
    { "<tool_call>[{\"name\":\"now\",\"arguments\":{}}]", { { "now", "{}" } } },
    { "<|tool_call|>[{\"name\":\"now\",\"arguments\":{}},{\"name\":\"now\",\"arguments\":{}}]<|/tool_call|>", { { "now", "{}" }, { "now", "{}" } } },
    { "<|python_tag|>{\"name\": \"weather\", \"parameters\": {\"city\": \"a;b\"}}; {\"name\":\"now\",\"parameters\":{}}", { { "weather", "{\"city\":\"a;b\"}" }, { "now", "{}" } } },
    { "<|python_tag|>{\"type\":\"function\",\"name\":\"now\",\"parameters\":{}}<|eom_id|>", { { "now", "{}" } } },
    { "<function=weather>{\"city\":\"x\"}</function>", { { "weather", "{\"city\":\"x\"}" } } },
    { "[TOOL_CALLS][{\"name\":\"now\",\"arguments\":{},\"id\":\"abcdefghi\"}]", { { "now", "{}" } } },
    { "[TOOL_CALLS] [{\"name\":\"now\",\"arguments\":\"{\\\"a\\\": 1}\"}]", { { "now", "{\"a\": 1}" } } },
    { "[TOOL_CALLS]weather[ARGS]{\"city\":\"x\"}", { { "weather", "{\"city\":\"x\"}" } } },
    { "[TOOL_CALLS]weather[CALL_ID]abc[ARGS]{\"city\":\"x\"}[TOOL_CALLS]now[ARGS]{}", { { "weather", "{\"city\":\"x\"}" }, { "now", "{}" } } },
    { "[TOOL_CALLS]weather{\"city\":\"x\"}", { { "weather", "{\"city\":\"x\"}" } } },
    { "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{\"city\":\"x\"}\n```<｜tool▁call▁end｜>\n"
      "<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>", { { "weather", "{\"city\":\"x\"}" }, { "now", "{}" } } },
    { "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{\"city\":\"x\"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>", { { "weather", "{\"city\":\"x\"}" } } },
    { "<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>{\"city\":\"x\"}<|tool_call_end|><|tool_calls_section_end|>",
      { { "weather", "{\"city\":\"x\"}" } } },
    { "<|START_ACTION|>[\n {\"tool_call_id\": \"0\", \"tool_name\": \"weather\", \"parameters\": {\"city\": \"x\"}}\n]<|END_ACTION|>", { { "weather", "{\"city\":\"x\"}" } } },
    { "<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{\"city\":\"x\"}<|call|>", { { "weather", "{\"city\":\"x\"}" } } },
    { "```json\n{\"name\": \"weather\", \"arguments\": {\"city\": \"x\"}}\n```", { { "weather", "{\"city\":\"x\"}" } } },
    { "```\n{\"name\":\"now\",\"parameters\":{}}\n```", { { "now", "{}" } } },
    { "{\"name\":\"weather\",\"parameters\":{\"city\":\"x\"}}", { { "weather", "{\"city\":\"x\"}" } } },
    { "{\"type\":\"function\",\"function\":{\"name\":\"now\",\"arguments\":\"{}\"}}", { { "now", "{}" } } },
    { "[{\"name\":\"now\",\"arguments\":{}}]", { { "now", "{}" } } },
    /* text */
    { "", { { NULL, NULL } } },
    { "Hello.", { { NULL, NULL } } },
    { "<tool_call>", { { NULL, NULL } } },
    { "<tool_call>{\"name\":\"now\",\"arguments\":{}}</tool_call> That was it.", { { NULL, NULL } } },
    { "I call: <tool_call>{\"name\":\"now\",\"arguments\":{}}</tool_call>", { { NULL, NULL } } },
    { "<tool_call>{\"name\":\"now\",\"arguments\":{}</tool_call>", { { NULL, NULL } } },
    { "<tool_call>{\"name\":5}</tool_call>", { { NULL, NULL } } },
    { "<tool_call>[]</tool_call>", { { NULL, NULL } } },
    { "<tool_call>{\"a\":1,\"a\":2,\"name\":\"now\"}</tool_call>", { { NULL, NULL } } },
    { "{\"name\":\"Rome\",\"arguments\":{}}", { { NULL, NULL } } },                          /* no tool of that name */
    { "{\"name\":\"now\"}", { { NULL, NULL } } },                                           /* a person could be called so */
    { "{\"name\":\"now\",\"arguments\":{},\"comment\":\"x\"}", { { NULL, NULL } } },
    { "```json\n{\"name\":\"Rome\",\"arguments\":{}}\n```", { { NULL, NULL } } },
    { "```python\nnow()\n```", { { NULL, NULL } } },
    { "[1,2]", { { NULL, NULL } } },
    { "[]", { { NULL, NULL } } },
    { "[TOOL_CALLS]", { { NULL, NULL } } },
    { "<function=>{}</function>", { { NULL, NULL } } },
};

static void test_calls_that_came_as_text_are_found(void **state)
{
    struct json_doc d = parse(ASK(CITY "," NOW, ""));
    struct tools_wish w;
    struct tools_found *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_true(tools_wish_read(d.root, &w));
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        size_t n = 0;
        while (n < 3 && texts[i].calls[n].name)
            n++;
        if (tools_in_text(&w, str_of(texts[i].text), f) != (n > 0) || f->n != n)
            fail_msg("text %zu: %zu calls in %s", i, f->n, texts[i].text);
        for (size_t c = 0; c < n; c++)
            if (!str_eq(f->at[c].name, str_of(texts[i].calls[c].name)) || !str_eq(f->at[c].arguments, str_of(texts[i].calls[c].arguments)))
                fail_msg("text %zu: %.*s %.*s", i, STR_ARG(f->at[c].name), STR_ARG(f->at[c].arguments));
    }
    buf_free(&f->text);
    free(f);
    json_free(&d);
}

/* What is found at the end was thought possible all the way; a plain text is let go of at once. */
static void test_while_a_call_comes_in_it_is_thought_possible(void **state)
{
    static const char *const not[] = { "H", "Hello", "<b>", "<tool>", "{ \"city", "[1", "# T", "```py", "``x", "```json\n{\"city" };
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        if (!texts[i].calls[0].name || strstr(texts[i].text, "{\"type\":\"function\",\"function\"")) /* names nothing at first: left to whole answers */
            continue;
        for (size_t n = 0; n <= strlen(texts[i].text); n++)
            if (!tools_may_follow(str_make(texts[i].text, n)))
                fail_msg("text %zu: not after %zu bytes of %s", i, n, texts[i].text);
    }
    for (size_t i = 0; i < COUNTOF(not); i++)
        if (tools_may_follow(str_of(not[i])))
            fail_msg("%s", not[i]);
}

static void test_deep_and_long_texts_are_text(void **state)
{
    enum { DEEP = 200000 };
    struct json_doc d = parse(ASK(NOW, ""));
    struct tools_wish w;
    struct tools_found *f = calloc(1, sizeof *f);
    assert_non_null(f);
    struct buf text = { 0 };
    assert_non_null(f);
    assert_true(tools_wish_read(d.root, &w));
    buf_lit(&text, "<tool_call>{\"name\":\"now\",\"arguments\":");
    for (size_t i = 0; i < DEEP; i++)
        buf_add_char(&text, '[');
    for (size_t i = 0; i < DEEP; i++)
        buf_add_char(&text, ']');
    buf_lit(&text, "}</tool_call>");
    assert_false(tools_in_text(&w, buf_str(&text), f));
    text.n = 0;
    for (size_t i = 0; i <= TOOLS_MAX_CALLS; i++)
        buf_lit(&text, "<tool_call>{\"name\":\"now\"}</tool_call>");
    assert_false(tools_in_text(&w, buf_str(&text), f));
    buf_free(&text);
    buf_free(&f->text);
    free(f);
    json_free(&d);
}

/* A schema of 200 000 values and 128 calls of it: each compiled it anew, and the gateway stood still for seconds. */
static void test_a_tool_called_often_is_compiled_once(void **state)
{
    struct buf text = { 0 };
    struct tool_call calls[TOOLS_MAX_CALLS];
    struct tools_wish w;
    struct json_doc d;
    struct err e;
    (void)state;
    buf_lit(&text, "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"properties\":{\"a\":{\"type\":\"integer\"}");
    for (int i = 0; i < 100000; i++)
        buf_printf(&text, ",\"p%d\":{}", i);
    buf_lit(&text, "}}}}]}");
    assert_int_equal(json_parse(&d, buf_str(&text), &e), ERR_OK);
    assert_true(tools_wish_read(d.root, &w));
    for (size_t i = 0; i < COUNTOF(calls); i++)
        calls[i] = (struct tool_call){ STR("f"), STR("{\"a\":1}") };
    assert_int_equal(tools_check(&w, calls, COUNTOF(calls), false, NULL, &e), ERR_OK);
    calls[COUNTOF(calls) - 1].arguments = STR("{\"a\":\"x\"}");
    assert_int_equal(tools_check(&w, calls, COUNTOF(calls), false, NULL, &e), ERR_SCHEMA_UNMET);
    json_free(&d);
    buf_free(&text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_tool_called_often_is_compiled_once),
        cmocka_unit_test(test_what_no_model_can_answer_is_the_callers),
        cmocka_unit_test(test_a_request_without_tools_wishes_for_nothing),
        cmocka_unit_test(test_choices_are_read),
        cmocka_unit_test(test_calls_are_held_against_what_was_offered),
        cmocka_unit_test(test_formats_count_when_they_shall),
        cmocka_unit_test(test_a_draft_says_what_was_said_and_called),
        cmocka_unit_test(test_calls_that_came_as_text_are_found),
        cmocka_unit_test(test_while_a_call_comes_in_it_is_thought_possible),
        cmocka_unit_test(test_deep_and_long_texts_are_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
