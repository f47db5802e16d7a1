/* Suites: what is read, what is refused and where, that what is written reads back equal, what is sent, what is told before. */
#include "evidence/suite.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char full[] =
    "suite: mine\n"
    "description: |\n"
    "  Two lines\n"
    "  of it.\n"
    "margin: 0.1\n"
    "defaults:\n"
    "  system: Be brief.\n"
    "  max_tokens: 200\n"
    "  temperature: 0\n"
    "  expect: [{no_think: true}]\n"
    "cases:\n"
    "  - id: one\n"
    "    input: |\n"
    "      What is\n"
    "        7 + 5?\n"
    "\n"
    "    expect:\n"
    "      - number: 12\n"
    "        tolerance: 1%\n"
    "      - not: {contains_any: [sorry, 'can''t'], ignore_case: true}\n"
    "    ideal: 12\n"
    "    wrong: [13, 'sorry, 12']\n"
    "    tags: [math]\n"
    "    repeat: 3\n"
    "    thinking: off\n"
    "  - input: \"tab\\there \\u00e9 \\x07\"\n"
    "    system: ''\n"
    "    schema: {type: object, properties: {a: {type: integer}, b: {enum: ['1', 1, null, true, 1.50]}}, required: [a], additionalProperties: false}\n"
    "    strict: false\n"
    "    expect:\n"
    "      - schema: true\n"
    "      - {json: $.a, equals: 5, weight: 2}\n"
    "      - {json: $.b, tags: [x, y], min_recall: 0.5}\n"
    "      - {json: '$.c', min_length: 1, max_length: 9}\n"
    "  - id: tools\n"
    "    messages: [{role: user, content: hi}, {role: assistant, content: 'yes: 1'}]\n"
    "    input: call it\n"
    "    tools: [{name: f, parameters: {type: object}}]\n"
    "    tool_choice: required\n"
    "    stop: [END]\n"
    "    aside: true\n"
    "    top_p: 0.9\n"
    "    expect: [{tool: f, arguments: {x: 1}}, {min_words: 1, max_words: 5}, {judge: good}]\n"
    "    ideal: {tool: f, arguments: {x: 1}, text: ok}\n"
    "  - {id: tree, input: x, tree: [a, b/], expect: [{tree: [b/a]}, {max_ms: 100}]}\n";

static struct suite *read_ok(const char *text, enum suite_form form)
{
    struct suite *s = NULL;
    struct err e = { 0 };
    if (suite_read(STR("dir/t.yaml"), str_of(text), form, &s, &e))
        fail_msg("%s\n%s", e.text, text);
    return s;
}

static void test_a_suite_is_read(void **state)
{
    struct suite *s = read_ok(full, SUITE_YAML);
    const struct suite_case *c = &s->cases[0];
    assert_int_equal(s->ncases, 4);
    assert_true(str_eq(s->name, STR("mine")) && s->margin > 0.09 && str_eq(s->description, STR("Two lines\nof it.\n")));
    assert_true(str_eq(c->input, STR("What is\n  7 + 5?\n")) && str_eq(c->system, STR("Be brief.")) && c->max_tokens == 200 && c->repeat == 3);
    assert_int_equal(c->nexpects, 3);
    assert_true(c->expects[0].kind == EXPECT_NO_THINK && c->expects[1].kind == EXPECT_NUMBER && c->expects[1].percent && fabs(c->expects[1].tolerance - 0.01) < 1e-12);
    assert_true(c->expects[2].negated && c->expects[2].any && c->expects[2].nocase && c->expects[2].texts.n == 2);
    assert_true(c->has_ideal && str_eq(c->ideal.text, STR("12")) && c->wrong.n == 2 && c->temperature >= 0 && isnan(c->top_p));
    c = &s->cases[1];
    assert_true(str_eq(c->id, STR("#2")) && !c->strict && c->system.n == 0);
    assert_true(str_eq(c->input, STR("tab\there \xC3\xA9 \x07")));
    assert_true(str_eq(c->schema, STR("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"enum\":[\"1\",1,null,true,1.50]}},\"required\":[\"a\"],"
                                      "\"additionalProperties\":false}")));
    assert_true(str_eq(c->expects[1].json, c->schema) && c->expects[2].how == JSON_EQUALS && str_eq(c->expects[2].json, STR("5")));
    assert_true(c->expects[4].how == JSON_LENGTH && c->expects[4].min == 1 && c->expects[4].max == 9);
    c = suite_case_named(s, STR("tools"));
    assert_true(c && c->aside && str_eq(c->tools, STR("[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}]")));
    assert_true(c->expects[2].min == 1 && c->expects[2].max == 5 && str_eq(c->tool_choice, STR("\"required\"")) && str_eq(c->ideal.arguments, STR("{\"x\":1}")));
    assert_null(suite_case_named(s, STR("none")));
    suite_free(s);
}

static void test_what_is_written_reads_back_equal(void **state)
{
    struct suite *s = read_ok(full, SUITE_YAML), *again = NULL;
    struct buf once = { 0 }, twice = { 0 };
    struct err e;
    suite_write(s, &once);
    if (suite_read(STR("t.yaml"), buf_str(&once), SUITE_YAML, &again, &e))
        fail_msg("%s\n%.*s", e.text, STR_ARG(buf_str(&once)));
    suite_write(again, &twice);
    if (!str_eq(buf_str(&once), buf_str(&twice)))
        fail_msg("%.*s\n---\n%.*s", STR_ARG(buf_str(&once)), STR_ARG(buf_str(&twice)));
    assert_true(suite_equal(s, again));
    assert_true(s->print == again->print);
    suite_free(again);
    again = read_ok(full, SUITE_YAML);
    assert_true(suite_equal(s, again));
    suite_free(again);
    suite_free(s);
    buf_free(&once);
    buf_free(&twice);
}

static void test_a_changed_case_has_another_print(void **state)
{
    struct suite *a = read_ok("cases: [{id: x, input: a, expect: b}, {id: y, input: c, expect: d}]", SUITE_YAML);
    struct suite *b = read_ok("cases: [{id: z, input: a, expect: b}, {id: y, input: c, expect: e}]", SUITE_YAML);
    assert_true(a->cases[0].print == b->cases[0].print); /* an id alone is no other case */
    assert_true(a->cases[1].print != b->cases[1].print && a->print != b->print && !suite_equal(a, b));
    suite_free(a);
    suite_free(b);
}

static void test_lines_and_json_run_as_they_are(void **state)
{
    struct suite *s = read_ok("{\"input\":\"2+2?\",\"expected\":\"4\"}\n\n{\"input\":\"list\",\"expected\":{\"a\":[1,null]}}\n{\"input\":\"n\",\"expected\":4}\n", SUITE_JSONL);
    assert_int_equal(s->ncases, 3);
    assert_true(s->cases[0].expects[0].kind == EXPECT_EQUALS && str_eq(s->cases[0].expects[0].texts.at[0], STR("4")) && str_eq(s->name, STR("t")));
    assert_true(s->cases[1].expects[0].kind == EXPECT_JSON && str_eq(s->cases[1].expects[0].json, STR("{\"a\":[1,null]}")) && s->cases[1].place.line == 3);
    assert_true(s->cases[2].expects[0].kind == EXPECT_EQUALS);
    suite_free(s);
    s = read_ok("{\n \"suite\": \"j\",\n \"cases\": [ {\"input\": \"a\\ud83d\\ude00\\/\", \"expect\": [{\"contains\": \"b\"}]} ] }", SUITE_JSON);
    assert_true(str_eq(s->cases[0].input, STR("a\xF0\x9F\x98\x80/")) && s->cases[0].place.line == 3 && s->cases[0].place.column == 13);
    suite_free(s);
    s = read_ok("- {input: a, expect: b}\n", SUITE_YAML);
    assert_int_equal(s->ncases, 1);
    suite_free(s);
    assert_true(suite_form_of(STR("a.jsonl")) == SUITE_JSONL && suite_form_of(STR("a.json")) == SUITE_JSON && suite_form_of(STR("a.yml")) == SUITE_YAML);
}

/* clang-format off */
static const struct {
    const char *text, *error;
    enum suite_form form;
} refused[] = {
    { "", "there is nothing in it" },
    { "cases: []", "a case in it" },
    { "suite: x", "a suite needs `cases`" },
    { "case: []", ":1:1: 'case' is no key of a suite; did you mean 'cases'?" },
    { "cases:\n  - input: a\n    expct: b", ":3:5: 'expct' is no key of a case; did you mean 'expect'?" },
    { "cases:\n  - input: a\n    expect: [{contans: b}]", ":3:15: 'contans' is no key of an expectation; did you mean 'contains'?" },
    { "defaults: {id: x}\ncases: [{input: a, expect: b}]", "'id' is no key of the defaults" },
    { "cases: [{input: a}]", "needs `expect`" },
    { "cases: [{expect: a}]", "needs `input`" },
    { "cases: [{input: a, expect: [{}]}]", "expects nothing" },
    { "cases: [{input: a, expect: [{tolerance: 1}]}]", "says nothing here" },
    { "cases: [{input: a, expect: [{contains: b, tolerance: 1}]}]", "`tolerance` says nothing here" },
    { "cases: [{input: a, expect: [{json: $.a, equals: 1, contains: b}]}]", "one thing a path" },
    { "cases: [{input: a, expect: [{json: $.a, max_words: 1}]}]", "`max_words` says nothing here" },
    { "cases: [{input: a, expect: [{not: {contains: a, regex: b}}]}]", "one expectation" },
    { "cases: [{input: a, expect: [{not: {not: {contains: a}}}]}]", "'not' is no key" },
    { "cases: [{input: a, expect: [{no_think: false}]}]", "can only be true" },
    { "cases: [{input: a, expect: [{schema: true}]}]", "the case's own schema" },
    { "cases: [{input: a, expect: [{number: many}]}]", "must be a number" },
    { "cases: [{input: a, expect: [{max_words: 1.5}]}]", "whole number" },
    { "cases: [{input: a, max_tokens: 0, expect: b}]", "'max_tokens' must be a whole number from 1" },
    { "cases: [{input: a, thinking: maybe, expect: b}]", "`thinking` must be" },
    { "cases: [{input: a, tools: {name: f}, expect: b}]", "`tools` must be a list" },
    { "cases: [{input: a, messages: {role: user}, expect: b}]", "must be a list" },
    { "cases: [{id: x, input: a, expect: b}, {id: x, input: a, expect: b}]", "the id 'x' is taken by the case in line 1" },
    { "cases: [{input: [a], expect: b}]", "must be a text" },
    { "cases: &x [1]", "anchors" },
    { "{\"cases\": [}", "line 1", SUITE_JSON },
    { "{\"cases\":\n [{\"input\": 1, \"inptu\": 2}]}", "t.yaml:2:16: 'inptu'", SUITE_JSON },
    { "{\"input\":\"a\",\"expected\":\"b\"}\n{\"input\":", "t.yaml:2:1:", SUITE_JSONL },
    { "{\"input\":\"a\",\"expected\":\"b\"}\n{\"imput\":\"a\"}", "t.yaml:2:2: 'imput' is no key of a case; did you mean 'input'?", SUITE_JSONL },
};
/* clang-format on */

static void test_what_is_wrong_is_told_with_its_place(void **state)
{
    for (size_t i = 0; i < COUNTOF(refused); i++) {
        struct suite *s = NULL;
        struct err e = { 0 };
        if (suite_read(STR("t.yaml"), str_of(refused[i].text), refused[i].form, &s, &e) != ERR_CONFIG)
            fail_msg("taken: %s", refused[i].text);
        if (str_find(str_of(e.text), str_of(refused[i].error)) < 0 || !str_starts(str_of(e.text), STR("t.yaml:")) || !e.hint[0])
            fail_msg("%s: %s", refused[i].text, e.text);
        assert_null(s);
    }
}

static void test_requests_are_the_openai_form(void **state)
{
    struct suite *s = read_ok(full, SUITE_YAML);
    struct arena a;
    struct str body;
    struct err e;
    static const char *const bodies[] = {
        "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"What is\\n  7 + 5?\\n\"}],\"max_tokens\":200,\"temperature\":0,"
        "\"thinking\":\"off\",\"seed\":7,\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
        NULL,
        "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"yes: 1\"},{\"role\":"
        "\"user\",\"content\":\"call it\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}],\"tool_choice\":\"required\",\"max_tokens\":"
        "200,\"temperature\":0,\"top_p\":0.9,\"stop\":[\"END\"],\"seed\":7,\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
    };
    arena_init(&a);
    for (size_t i = 0; i < COUNTOF(bodies); i++) {
        assert_int_equal(suite_case_request(&a, &s->cases[i], &(struct suite_ask){ .model = STR("m"), .seed = 7, .stream = true }, &body, &e), ERR_OK);
        if (bodies[i])
            assert_string_equal(body.p, bodies[i]);
    }
    suite_free(s);
    s = read_ok("cases: [{input: what, images: ['data:image/png;base64,AA=='], schema: {type: object}, expect: a}, {input: what, images: [x.png], expect: a}]", SUITE_YAML);
    assert_int_equal(suite_case_request(&a, &s->cases[0], &(struct suite_ask){ .model = STR("m"), .seed = -1 }, &body, &e), ERR_OK);
    assert_string_equal(body.p, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AA==\"}},{\"type\":\"text\","
                                "\"text\":\"what\"}]}],\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\",\"strict\":true,\"schema\":{\"type\":\"object\"}}},"
                                "\"stream\":false}");
    assert_int_equal(suite_case_request(&a, &s->cases[1], &(struct suite_ask){ .model = STR("m") }, &body, &e), ERR_INVALID_REQUEST);
    suite_free(s);
    arena_fini(&a);
}

/* clang-format off */
static const struct {
    const char *one, *finding; /* NULL: none */
} checked[] = {
    { "{input: a, expect: b, ideal: b, wrong: [c]}", NULL },
    { "{input: a, expect: b, ideal: c}", "its own ideal answer does not pass" },
    { "{input: a, expect: [{contains: b}], wrong: [abc]}", "an answer that it calls wrong" },
    { "{input: a, max_tokens: 2, expect: [{min_words: 20}]}", "cuts every right answer: the smallest has 20" },
    { "{input: a, max_tokens: 20, expect: [{min_words: 20}]}", NULL },
    { "{input: a, max_tokens: 3, expect: [{schema: {type: object, required: [first_name, second_name], properties: {first_name: {type: string}}}}]}", "cuts every right answer" },
    { "{input: a, max_tokens: 100, thinking: 200, expect: b}", "thoughts of 200 tokens" },
    { "{input: a, expect: [{min_words: 5, max_words: 3}]}", "no answer can be both" },
    { "{input: a, expect: [{tool: f}]}", "offers no tools" },
    { "{input: a, expect: [{tree: [a]}]}", "none to begin with" },
    { "{input: a, expect: [{regex: '('}]}", "the pattern is none" },
    { "{input: a, expect: [{json: a.b}]}", "begins with $" },
    { "{input: a, expect: [{schema: {type: 5}}]}", "the schema that it expects is none" },
    { "{input: a, schema: {type: 5}, expect: b}", "the schema that it sends" },
    { "{input: a, expect: [{max_words: 5}]}", "an empty answer passes" },
    { "{input: a, expect: [{max_ms: 5}, {contains: b}], ideal: b}", NULL },
};
/* clang-format on */

static void test_what_the_harness_would_fail_is_told_before(void **state)
{
    for (size_t i = 0; i < COUNTOF(checked); i++) {
        char yaml[512];
        struct arena a;
        const struct suite_finding *f;
        snprintf(yaml, sizeof yaml, "cases: [%s]\n", checked[i].one);
        struct suite *s = read_ok(yaml, SUITE_YAML);
        arena_init(&a);
        size_t n = suite_check(s, 0, &a, &f);
        if ((n > 0) != (checked[i].finding != NULL) || (n && str_find(f[0].text, str_of(checked[i].finding)) < 0))
            fail_msg("%s: %zu, %.*s", checked[i].one, n, STR_ARG(n ? f[0].text : STR("")));
        arena_fini(&a);
        suite_free(s);
    }
}

static const char promptfoo[] =
    "description: theirs\n"
    "providers: [x]\n"
    "prompts:\n"
    "  - 'Translate to {{lang}}: {{ text }}'\n"
    "  - '[{\"role\": \"user\", \"content\": \"Say {{text}} in {{lang}}\"}]'\n"
    "  - file://p.txt\n"
    "defaultTest: {assert: [{type: not-icontains, value: sorry}]}\n"
    "tests:\n"
    "  - vars: {lang: German, text: house}\n"
    "    assert:\n"
    "      - {type: contains-all, value: 'Haus, das', weight: 2}\n"
    "      - {type: javascript, value: output.length}\n"
    "      - {type: latency, threshold: 5000}\n"
    "  - {vars: {lang: [a, b], text: y}, assert: [{type: is-json, value: {type: object}}, {type: equals, value: '{{text}}'}], options: {}}\n";

static void test_promptfoo_is_taken_over_and_what_is_not_is_named(void **state)
{
    static const struct {
        int line;
        const char *text;
    } want[] = { { 2, "'providers' of the configuration" }, { 4, "{{lang}} stays as it is" }, { 5, "{{lang}} stays as it is" }, { 6, "in another file" },
        { 12, "'javascript' has no likeness" }, { 14, "'options' of a test" } };
    struct arena a;
    struct buf yaml = { 0 };
    const struct suite_note *notes;
    struct err e;
    size_t n;
    arena_init(&a);
    if (suite_import_promptfoo(STR("p.yaml"), STR(promptfoo), &a, &yaml, &notes, &n, &e))
        fail_msg("%s", e.text);
    assert_int_equal(n, COUNTOF(want));
    for (size_t i = 0; i < n; i++)
        if (notes[i].line != want[i].line || str_find(notes[i].text, str_of(want[i].text)) < 0)
            fail_msg("%d: %.*s", notes[i].line, STR_ARG(notes[i].text));
    struct suite *s = NULL;
    if (suite_read(STR("ours.yaml"), buf_str(&yaml), SUITE_YAML, &s, &e))
        fail_msg("%s\n%.*s", e.text, STR_ARG(buf_str(&yaml)));
    assert_int_equal(s->ncases, 4);
    const struct suite_case *c = &s->cases[0];
    assert_true(str_eq(c->input, STR("Translate to German: house")) && c->nexpects == 3 && c->expects[0].negated && c->expects[0].nocase);
    assert_true(c->expects[1].texts.n == 2 && str_eq(c->expects[1].texts.at[1], STR("das")) && c->expects[1].weight > 1.9 && c->expects[2].max == 5000);
    assert_true(str_eq(s->cases[1].messages, STR("[{\"role\":\"user\",\"content\":\"Say house in German\"}]")));
    assert_true(str_eq(s->cases[2].expects[1].json, STR("{\"type\":\"object\"}")) && str_eq(s->cases[2].expects[2].texts.at[0], STR("y")));
    suite_free(s);
    buf_free(&yaml);
    assert_int_equal(suite_import_promptfoo(STR("p.yaml"), STR("a: 1"), &a, &yaml, &notes, &n, &e), ERR_CONFIG);
    buf_free(&yaml);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_suite_is_read),
        cmocka_unit_test(test_what_is_written_reads_back_equal),
        cmocka_unit_test(test_a_changed_case_has_another_print),
        cmocka_unit_test(test_lines_and_json_run_as_they_are),
        cmocka_unit_test(test_what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(test_requests_are_the_openai_form),
        cmocka_unit_test(test_what_the_harness_would_fail_is_told_before),
        cmocka_unit_test(test_promptfoo_is_taken_over_and_what_is_not_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
