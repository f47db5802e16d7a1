/* Answers against expectations: each row is an expectation as a suite has it, an answer, and what becomes of it. */
#include "evidence/grade.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct suite *suite_of(const char *cases)
{
    struct suite *s = NULL;
    struct err e = { 0 };
    if (suite_read(STR("test.yaml"), str_of(cases), SUITE_YAML, &s, &e))
        fail_msg("%s\n%s", e.text, cases);
    return s;
}

/* clang-format off */
static const struct row {
    const char *expect;    /* YAML, flow */
    const char *answer;
    enum grade_mark mark;
    const char *why;       /* a part of it; NULL = any */
} rows[] = {
    { "{equals: Paris}", "Paris", GRADE_PASS, NULL },
    { "{equals: Paris}", "  Paris\n", GRADE_PASS, NULL },
    { "{equals: Paris}", "Paris.", GRADE_FAIL, "expected 'Paris', got 'Paris.'" },
    { "{equals: Paris, lenient: true}", "**Paris.**", GRADE_PASS, NULL },
    { "{equals: Paris, ignore_case: true}", "PARIS", GRADE_PASS, NULL },
    { "{equals: Paris}", "", GRADE_FAIL, NULL },
    { "Paris", "Paris", GRADE_PASS, NULL },
    { "{contains: [red, blue]}", "blue and red", GRADE_PASS, NULL },
    { "{contains: [red, blue]}", "blue", GRADE_FAIL, "'red' is missing" },
    { "{contains_any: [red, blue]}", "blue", GRADE_PASS, NULL },
    { "{contains_any: [red, blue]}", "green", GRADE_FAIL, "none of the 2" },
    { "{contains: RED, ignore_case: true}", "a red one", GRADE_PASS, NULL },
    { "{not: {contains: sorry}}", "Sorry no", GRADE_PASS, NULL },
    { "{not: {contains: sorry, ignore_case: true}}", "Sorry no", GRADE_FAIL, "this was not to be" },
    { "{contains: a, max_words: 3}", "a b c", GRADE_PASS, NULL },
    { "{contains: a, max_words: 3}", "a b c d", GRADE_FAIL, "at most 3 words, got 4" },
    { "{regex: '^[A-Z]{3}-\\d+$'}", "ABC-12", GRADE_PASS, NULL },
    { "{regex: '^[A-Z]{3}-\\d+$'}", "abc-12", GRADE_FAIL, "nothing matches" },
    { "{regex: '^abc', ignore_case: true}", "ABC-12", GRADE_PASS, NULL },
    { "{regex: '(a+)+$'}", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", GRADE_UNDECIDED, "too long" },
    { "{regex: '('}", "x", GRADE_UNDECIDED, "the pattern is none" },
    /* JSON */
    { "{schema: {type: object, required: [a]}}", "{\"a\":1}", GRADE_PASS, NULL },
    { "{schema: {type: object, required: [a]}}", "{}", GRADE_FAIL, "a" },
    { "{schema: {type: object}}", "```json\n{}\n```", GRADE_FAIL, "code fence" },
    { "{schema: {type: object}, lenient: true}", "Here:\n```json\n{}\n```\nThere.", GRADE_PASS, NULL },
    { "{schema: {type: object}, lenient: true}", "It is {\"a\":[1]}, I think.", GRADE_PASS, NULL },
    { "{schema: {type: object}}", "no idea", GRADE_FAIL, "no JSON" },
    { "{json: $.total, equals: 12}", "{\"total\":12.0}", GRADE_PASS, NULL },
    { "{json: $.total, equals: 12}", "{\"total\":13}", GRADE_FAIL, "expected $.total = 12, got 13" },
    { "{json: $.total, equals: 12}", "{\"total\":\"12\"}", GRADE_FAIL, "got \"12\"" },
    { "{json: $.total, equals: '12'}", "{\"total\":\"12\"}", GRADE_PASS, NULL },
    { "{json: $.total, equals: 12}", "{}", GRADE_FAIL, "got nothing" },
    { "{json: $.a.b, equals: {x: 1, y: [2]}}", "{\"a\":{\"b\":{\"y\":[2],\"x\":1}}}", GRADE_PASS, NULL },
    { "{json: '$.a[-1]', equals: c}", "{\"a\":[\"b\",\"c\"]}", GRADE_PASS, NULL },
    { "{json: '$.a[*].n', equals: [1, 2]}", "{\"a\":[{\"n\":1},{\"n\":2}]}", GRADE_PASS, NULL },
    { "{json: '$.a[*].n', equals: [1, 2]}", "{\"a\":[{\"n\":1}]}", GRADE_FAIL, NULL },
    { "{json: '$[\"a b\"]', equals: null}", "{\"a b\":null}", GRADE_PASS, NULL },
    { "{json: $.t, equals: 1, tolerance: 0.5}", "{\"t\":1.4}", GRADE_PASS, NULL },
    { "{json: $.name, equals: Ann, ignore_case: true}", "{\"name\":\"ANN\"}", GRADE_PASS, NULL },
    { "{json: $.t, number: 1000, tolerance: 1%}", "{\"t\":\"1,005 EUR\"}", GRADE_PASS, NULL },
    { "{json: $.t, number: 1000}", "{\"t\":true}", GRADE_FAIL, NULL },
    { "{json: $.t, contains: b}", "{\"t\":[\"a\",\"b\"]}", GRADE_PASS, NULL },
    { "{json: $.t, contains: b}", "{\"t\":\"abc\"}", GRADE_PASS, NULL },
    { "{json: $.t, contains: b}", "{\"t\":[\"abc\"]}", GRADE_FAIL, "missing" },
    { "{json: $.t, regex: '^\\d{4}$'}", "{\"t\":2024}", GRADE_PASS, NULL },
    { "{json: $.t, min_length: 2, max_length: 3}", "{\"t\":[1,2]}", GRADE_PASS, NULL },
    { "{json: $.t, min_length: 2, max_length: 3}", "{\"t\":[1]}", GRADE_FAIL, "at least 2 items" },
    { "{json: $.t, tags: [A b, c]}", "{\"t\":[\"c\",\"a-b\"]}", GRADE_PASS, NULL },
    { "{json: $.t, schema: {type: integer}}", "{\"t\":1}", GRADE_PASS, NULL },
    { "{json: $.t}", "{\"t\":null}", GRADE_PASS, NULL },
    { "{json: $.t}", "{}", GRADE_FAIL, "there is no $.t" },
    { "{not: {json: $.t}}", "{}", GRADE_PASS, NULL },
    { "{json: t}", "{}", GRADE_UNDECIDED, "begins with $" },
    { "{json: '$..t'}", "{}", GRADE_UNDECIDED, "no path" },
    /* numbers */
    { "{number: 1234.5}", "1,234.50", GRADE_PASS, NULL },
    { "{number: 1234.5}", "It is 1.234,50 EUR.", GRADE_PASS, NULL },
    { "{number: 1234.5}", "1 234,5", GRADE_PASS, NULL },
    { "{number: 1234567}", "1'234'567", GRADE_PASS, NULL },
    { "{number: 1234}", "1,234", GRADE_PASS, NULL },
    { "{number: -5}", "-5", GRADE_PASS, NULL },
    { "{number: -5}", "\xE2\x88\x92" "5 degrees", GRADE_PASS, NULL },
    { "{number: 5}", "-5", GRADE_FAIL, "expected 5" },
    { "{number: 0.5}", ".5", GRADE_PASS, NULL },
    { "{number: 12}", "12 %", GRADE_PASS, NULL },
    { "{number: 0.12}", "12 %", GRADE_PASS, NULL },
    { "{number: 2500000}", "2.5 million", GRADE_PASS, NULL },
    { "{number: 3000}", "3k", GRADE_PASS, NULL },
    { "{number: 6e23}", "6e23", GRADE_PASS, NULL },
    { "{number: 100, tolerance: 5}", "104", GRADE_PASS, NULL },
    { "{number: 100, tolerance: 5%}", "106", GRADE_FAIL, "got 106" },
    { "{number: 12}", "12 of 20", GRADE_FAIL, "alone" },
    { "{number: 12}", "7 + 5 = 12", GRADE_FAIL, NULL },
    { "{number: 12, lenient: true}", "7 + 5 = 12", GRADE_PASS, NULL },
    { "{number: 12}", "12, yes: 12", GRADE_PASS, NULL },
    { "{number: 12}", "twelve", GRADE_FAIL, "no number" },
    { "{number: 2}", "H2O has 2", GRADE_PASS, NULL },
    { "{number: 123}", "1,2,3", GRADE_FAIL, NULL },
    /* sets */
    { "{tags: [urgent, billing]}", "#billing, Urgent", GRADE_PASS, NULL },
    { "{tags: [urgent, billing]}", "- urgent\n- billing\n", GRADE_PASS, NULL },
    { "{tags: [urgent, billing]}", "[\"urgent\",\"billing\"]", GRADE_PASS, NULL },
    { "{tags: [urgent, billing]}", "urgent", GRADE_FAIL, "recall 0.50; missing billing" },
    { "{tags: [urgent, billing]}", "urgent, billing, spam", GRADE_FAIL, "not asked for spam" },
    { "{tags: [urgent, billing], min_precision: 0.6}", "urgent, billing, spam", GRADE_PASS, NULL },
    { "{tags: [urgent, billing]}", "urgent, urgent, billing", GRADE_PASS, NULL },
    { "{tags: [urgent, billing], min_recall: 0.5}", "urgent", GRADE_PASS, NULL },
    { "{tags: [urgent]}", "", GRADE_FAIL, NULL },
    /* the rest */
    { "{no_think: true, min_chars: 1}", "Hello", GRADE_PASS, NULL },
    { "{no_think: true}", "<think>hm</think>Hello", GRADE_FAIL, "<think>" },
    { "{no_think: true}", "hm</think>Hello", GRADE_FAIL, "leak" },
    { "{max_chars: 3}", "\xC3\xA4\xC3\xB6\xC3\xBC", GRADE_PASS, NULL },
    { "{min_lines: 2, max_lines: 2}", "a\n\nb\n", GRADE_PASS, NULL },
    { "{max_ms: 100}", "x", GRADE_UNDECIDED, "nobody has measured" },
    { "{judge: is polite}", "x", GRADE_JUDGE, NULL },
    { "{no_tool: true}", "x", GRADE_PASS, NULL },
};
/* clang-format on */

static void test_each_expectation_marks_and_says_why(void **state)
{
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        char yaml[1024];
        struct arena a;
        struct grade g;
        snprintf(yaml, sizeof yaml, "cases:\n  - input: x\n    expect: %s%s%s\n", rows[i].expect[0] == '{' ? "[" : "", rows[i].expect, rows[i].expect[0] == '{' ? "]" : "");
        struct suite *s = suite_of(yaml);
        arena_init(&a);
        grade(&a, &s->cases[0], &(struct grade_answer){ .text = str_of(rows[i].answer), .total_ms = -1, .ttft_ms = -1, .output_tokens = -1 }, &g);
        struct str why = g.mark == GRADE_PASS ? g.lines[0].why : g.why;
        if (g.mark != rows[i].mark || (rows[i].why && str_find(why, str_of(rows[i].why)) < 0) || !why.n)
            fail_msg("%s | %s: %s, %.*s", rows[i].expect, rows[i].answer, grade_mark_name[g.mark], STR_ARG(why));
        assert_true(g.score >= 0 && g.score <= 1 && (g.mark != GRADE_PASS || g.score > 0));
        arena_fini(&a);
        suite_free(s);
    }
}

/* clang-format off */
static const struct {
    const char *expect, *name, *arguments;
    enum grade_mark mark;
    const char *why;
} calls[] = {
    { "{tool: weather, arguments: {city: Berlin}}", "weather", "{\"city\":\"Berlin\",\"unit\":\"C\"}", GRADE_PASS, "" },
    { "{tool: weather, arguments: {city: Berlin, at: {day: 1}}}", "weather", "{\"at\":{\"day\":1.0,\"hour\":2},\"city\":\"Berlin\"}", GRADE_PASS, "" },
    { "{tool: weather, arguments: {city: Berlin}}", "weather", "{\"city\":\"Bonn\"}", GRADE_FAIL, "expected the arguments {\"city\":\"Berlin\"}, got {\"city\":\"Bonn\"}" },
    { "{tool: weather, arguments: {city: Berlin}}", "weather", "{\"city\":", GRADE_FAIL, "no JSON" },
    { "{tool: weather}", "time", "{}", GRADE_FAIL, "expected a call of weather" },
    { "{tool: weather}", "weather", "", GRADE_PASS, "" },
    { "{tool: weather}", NULL, NULL, GRADE_FAIL, "got none" },
    { "{not: {tool: weather}}", "time", "{}", GRADE_PASS, "" },
    { "{no_tool: true}", "time", "{}", GRADE_FAIL, "no tool was to be called" },
};
static const struct {
    const char *tree, *expect, *answer;
    enum grade_mark mark;
} trees[] = {
    { "[a.txt, b/]", "[b/a.txt, b/]", "mv a.txt b/", GRADE_PASS },
    { "[a.txt, b/]", "[b/a.txt, b/]", "mv a.txt b/a.txt", GRADE_PASS },
    { "[a.txt, b/]", "[b/a.txt, b/]", "cp a.txt b\nrm a.txt", GRADE_PASS },
    { "[a.txt, b/]", "[b/a.txt, b/]", "cp a.txt b", GRADE_FAIL },
    { "[a.txt, b/]", "[b/a.txt, b/]", "I would move it.", GRADE_FAIL },
    { "[a.txt, b/]", "[b/a.txt, b/]", "mv missing.txt b", GRADE_FAIL },
    { "[a.txt, b/]", "[b/a.txt, b/]", "", GRADE_FAIL },
    { "[src/x.c, src/y.c]", "[lib/x.c, lib/y.c]", "mv src lib", GRADE_PASS },
    { "[x/a, x/b]", "[x/, y/a, y/b]", "mkdir -p y\nmv x/a x/b y", GRADE_PASS },
    { "[a]", "[a, n/m/]", "mkdir n\nmkdir n/m", GRADE_PASS },
    { "[a]", "[a, n/m/]", "mkdir n/m", GRADE_FAIL },
    { "[a, d/b]", "[a]", "rm -r d", GRADE_PASS },
};
/* clang-format on */

static void test_calls_are_compared_by_value(void **state)
{
    for (size_t i = 0; i < COUNTOF(calls); i++) {
        char yaml[1024];
        struct arena a;
        struct grade g;
        snprintf(yaml, sizeof yaml, "cases: [{input: x, tools: [{name: weather}], expect: [%s]}]\n", calls[i].expect);
        struct suite *s = suite_of(yaml);
        struct grade_call call = { str_of(calls[i].name), str_of(calls[i].arguments) };
        arena_init(&a);
        grade(&a, &s->cases[0], &(struct grade_answer){ .text = STR(""), .calls = &call, .ncalls = calls[i].name != NULL }, &g);
        if (g.mark != calls[i].mark || str_find(g.why, str_of(calls[i].why)) < 0)
            fail_msg("%s | %s: %s, %.*s", calls[i].expect, calls[i].name, grade_mark_name[g.mark], STR_ARG(g.why));
        arena_fini(&a);
        suite_free(s);
    }
}

static void test_a_tree_is_told_by_its_outcome(void **state)
{
    for (size_t i = 0; i < COUNTOF(trees); i++) {
        char yaml[1024];
        struct arena a;
        struct grade g;
        snprintf(yaml, sizeof yaml, "cases: [{input: x, tree: %s, expect: [{tree: %s}]}]\n", trees[i].tree, trees[i].expect);
        struct suite *s = suite_of(yaml);
        arena_init(&a);
        grade(&a, &s->cases[0], &(struct grade_answer){ .text = str_of(trees[i].answer) }, &g);
        if (g.mark != trees[i].mark)
            fail_msg("%s | %s: %s, %.*s", trees[i].tree, trees[i].answer, grade_mark_name[g.mark], STR_ARG(g.lines[0].why));
        arena_fini(&a);
        suite_free(s);
    }
}

static void test_what_a_budget_cuts_is_told_apart(void **state)
{
    static const struct {
        const char *expect, *answer;
        enum grade_mark mark;
    } cases[] = {
        { "{contains: end}", "the begin", GRADE_CUT },       { "{schema: {type: object}}", "{\"a\":", GRADE_CUT }, { "{max_words: 1}", "two words", GRADE_FAIL },
        { "{min_words: 9}", "two words", GRADE_CUT },        { "{not: {contains: the}}", "the begin", GRADE_FAIL }, { "{no_think: true}", "<think>x", GRADE_FAIL },
        { "{contains: begin}", "the begin", GRADE_PASS },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        char yaml[512];
        struct arena a;
        struct grade g;
        snprintf(yaml, sizeof yaml, "cases: [{input: x, expect: [%s]}]\n", cases[i].expect);
        struct suite *s = suite_of(yaml);
        arena_init(&a);
        grade(&a, &s->cases[0], &(struct grade_answer){ .text = str_of(cases[i].answer), .finish = STR("length") }, &g);
        if (g.mark != cases[i].mark)
            fail_msg("%s: %s, %.*s", cases[i].expect, grade_mark_name[g.mark], STR_ARG(g.why));
        arena_fini(&a);
        suite_free(s);
    }
}

static void test_the_score_is_the_weighted_share(void **state)
{
    struct suite *s = suite_of("cases: [{input: x, expect: [{contains: a, weight: 3}, {contains: b}, {judge: nice, weight: 4}]}]\n");
    struct arena a;
    struct grade g;
    struct err e;
    arena_init(&a);
    struct grade_answer answer = { .text = STR("a") };
    grade(&a, &s->cases[0], &answer, &g);
    assert_int_equal(g.mark, GRADE_FAIL);
    assert_true(g.score > 0.7499 && g.score < 0.7501);
    struct str prompt = grade_judge_prompt(&a, &s->cases[0], 2, &answer);
    assert_true(str_find(prompt, STR("nice")) > 0 && str_find(prompt, STR("\na\n</answer-")) > 0);
    assert_int_equal(grade_judge_read(&a, &s->cases[0], 2, STR("```json\n{\"score\": 0.5, \"pass\": true, \"why\": \"fine\"}\n```"), &g.lines[2], &e), ERR_OK);
    grade_settle(&s->cases[0], &g);
    assert_true(g.score > 0.6249 && g.score < 0.6251);
    assert_int_equal(g.lines[2].mark, GRADE_PASS);
    assert_int_equal(grade_judge_read(&a, &s->cases[0], 2, STR("I like it"), &g.lines[2], &e), ERR_UP_GARBLED);
    grade_settle(&s->cases[0], &g);
    assert_int_equal(g.mark, GRADE_UNDECIDED);
    arena_fini(&a);
    suite_free(s);
}

static void test_a_completion_is_read(void **state)
{
    static const char body[] = "{\"choices\":[{\"message\":{\"content\":\"hi\",\"reasoning_content\":\"hm\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
                               "\"finish_reason\":\"tool_calls\"}],\"usage\":{\"completion_tokens\":7},\"_routing\":{\"latency_ms\":12.5,\"ttft_ms\":null}}";
    struct arena a;
    struct grade_answer r;
    struct err e;
    arena_init(&a);
    assert_int_equal(grade_answer_read(&a, STR(body), &r, &e), ERR_OK);
    assert_true(str_eq(r.text, STR("hi")) && str_eq(r.reasoning, STR("hm")) && r.ncalls == 1 && str_eq(r.calls[0].name, STR("f")) && str_eq(r.calls[0].arguments, STR("{}")));
    assert_true(str_eq(r.finish, STR("tool_calls")) && r.output_tokens == 7 && r.total_ms == 12 && r.ttft_ms == -1);
    assert_int_equal(grade_answer_read(&a, STR("{}"), &r, &e), ERR_UP_GARBLED);
    assert_int_equal(grade_answer_read(&a, STR("x"), &r, &e), ERR_UP_GARBLED);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_expectation_marks_and_says_why),
        cmocka_unit_test(test_calls_are_compared_by_value),
        cmocka_unit_test(test_a_tree_is_told_by_its_outcome),
        cmocka_unit_test(test_what_a_budget_cuts_is_told_apart),
        cmocka_unit_test(test_the_score_is_the_weighted_share),
        cmocka_unit_test(test_a_completion_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
