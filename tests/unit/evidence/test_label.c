/* A line says what was expected, and the file gets it: with all else in it as it was. */
#include "evidence/label.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct suite *read_yaml(const char *text)
{
    struct suite *s = NULL;
    struct err e;
    if (suite_read(STR("s.yaml"), str_of(text), SUITE_YAML, &s, &e))
        fail_msg("%s\n%s", e.text, text);
    return s;
}

static const char plain[] = "cases:\n  - id: a\n    input: x\n    schema: {type: object}\n    answered: \" 12 EUR\\n\"\n";
static const char called[] = "cases:\n  - id: a\n    input: x\n    tools: [{name: find, parameters: {type: object}}]\n    answered: {tool: find, arguments: {q: 1}}\n";

static void test_what_a_line_says(void **state)
{
    static const struct {
        const char *suite, *line;
        enum label_act act;
        bool more, ideal;
        const char *json; /* NULL: it is refused */
    } cases[] = {
        { plain, "y", LABEL_EXPECT, false, true, "{\"equals\":\" 12 EUR\\n\"}" },
        { called, "yes", LABEL_EXPECT, false, true, "{\"tool\":\"find\",\"arguments\":{\"q\":1}}" },
        { plain, "  e  12 EUR ", LABEL_EXPECT, false, false, "{\"equals\":\"12 EUR\"}" },
        { plain, "equals \"quoted\"", LABEL_EXPECT, false, false, "{\"equals\":\"\\\"quoted\\\"\"}" },
        { plain, "c", LABEL_EXPECT, false, false, "{\"contains\":\"12 EUR\"}" },
        { plain, "+c 12", LABEL_EXPECT, true, false, "{\"contains\":\"12\"}" },
        { plain, "!c sorry", LABEL_EXPECT, false, false, "{\"not\":{\"contains\":\"sorry\"}}" },
        { plain, "+ !Contains sorry", LABEL_EXPECT, true, false, "{\"not\":{\"contains\":\"sorry\"}}" },
        { plain, "a red | blue", LABEL_EXPECT, false, false, "{\"contains_any\":[\"red\",\"blue\"]}" },
        { plain, "r ^[0-9]+ EUR$", LABEL_EXPECT, false, false, "{\"regex\":\"^[0-9]+ EUR$\"}" },
        { plain, "j $.a.b 12", LABEL_EXPECT, false, false, "{\"json\":\"$.a.b\",\"equals\":12}" },
        { plain, "j $.a some words", LABEL_EXPECT, false, false, "{\"json\":\"$.a\",\"equals\":\"some words\"}" },
        { plain, "j $.a", LABEL_EXPECT, false, false, "{\"json\":\"$.a\"}" },
        { plain, "n 12.5 1%", LABEL_EXPECT, false, false, "{\"number\":12.5,\"tolerance\":\"1%\"}" },
        { plain, "t a, b c", LABEL_EXPECT, false, false, "{\"tags\":[\"a\",\"b c\"]}" },
        { plain, "s", LABEL_EXPECT, false, false, "{\"schema\":true}" },
        { plain, "s {\"type\":\"array\"}", LABEL_EXPECT, false, false, "{\"schema\":{\"type\":\"array\"}}" },
        { called, "o", LABEL_EXPECT, false, false, "{\"tool\":\"find\",\"arguments\":{\"q\":1}}" },
        { called, "o find", LABEL_EXPECT, false, false, "{\"tool\":\"find\"}" },
        { called, "o find {\"q\":2}", LABEL_EXPECT, false, false, "{\"tool\":\"find\",\"arguments\":{\"q\":2}}" },
        { plain, "o none", LABEL_EXPECT, false, false, "{\"no_tool\":true}" },
        { plain, "w", LABEL_WHOLE, false, false, "" },
        { plain, "skip", LABEL_SKIP, false, false, "" },
        { plain, "B", LABEL_EXPECT, false, false, NULL }, /* a letter is small */
        { plain, "Back", LABEL_BACK, false, false, "" },
        { plain, "q", LABEL_QUIT, false, false, "" },
        { plain, "?", LABEL_HELP, false, false, "" },
        { plain, "", LABEL_EXPECT, false, false, NULL },
        { plain, "Paris", LABEL_EXPECT, false, false, NULL },
        { plain, "e", LABEL_EXPECT, false, false, NULL },
        { plain, "n twelve", LABEL_EXPECT, false, false, NULL },
        { plain, "s {", LABEL_EXPECT, false, false, NULL },
        { called, "o find {\"q\"", LABEL_EXPECT, false, false, NULL },
        { plain, "n 12 much", LABEL_EXPECT, false, false, NULL },
        { plain, "o", LABEL_EXPECT, false, false, NULL },
        { plain, "o find {", LABEL_EXPECT, false, false, NULL },
        { called, "s", LABEL_EXPECT, false, false, NULL },
        { called, "s [", LABEL_EXPECT, false, false, NULL },
        { plain, "a |", LABEL_EXPECT, false, false, NULL },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct suite *s = read_yaml(cases[i].suite);
        struct label_said said = { .more = false };
        struct arena a;
        struct err e = { .text = "" };
        arena_init(&a);
        enum err_code rc = label_read(&s->cases[0], str_of(cases[i].line), &a, &said, &e);
        if (!cases[i].json) {
            if (rc != ERR_INVALID_REQUEST || !e.text[0])
                fail_msg("'%s' was taken", cases[i].line);
        } else if (rc || said.act != cases[i].act || said.more != cases[i].more || said.ideal != cases[i].ideal
                   || (said.act == LABEL_EXPECT && !str_eq(said.json, str_of(cases[i].json)))) {
            fail_msg("'%s': %s %.*s", cases[i].line, rc ? e.text : "", STR_ARG(said.json));
        }
        arena_fini(&a);
        suite_free(s);
    }
}

static void test_the_file_keeps_its_form(void **state)
{
    static const struct {
        const char *text;
        size_t at;
        const char *expects;
        bool ideal, kept;
        const char *after;
    } cases[] = {
        { "# mine\nsuite: s\ncases:\n  # the first\n  - id: a   # why\n    input: |\n      two\n\n      lines\n    answered: x\n\n  # the second\n  - id: b\n    input: y\n    answered: z\n", 0,
          "[{\"contains\":\"q\"},{\"not\":{\"equals\":\"r\"}}]", false, true,
          "# mine\nsuite: s\ncases:\n  # the first\n  - id: a   # why\n    input: |\n      two\n\n      lines\n    answered: x\n    expect:\n      - contains: q\n      - not:\n          equals: r\n\n"
          "  # the second\n  - id: b\n    input: y\n    answered: z\n" },
        { "cases:\n- id: a\n  input: x\n  answered: y\ndescription: behind\n", 0, "[{\"equals\":\"y\"}]", true, true,
          "cases:\n- id: a\n  input: x\n  answered: y\n  expect:\n    - equals: \"y\"\n  ideal: \"y\"\ndescription: behind\n" },
        /* what it has goes, wherever it stands; comments do not */
        { "cases:\n  - id: a\n    expect:\n    - equals: old\n    - regex: old\n    # stays\n    input: x\n    ideal: old\n    answered: \"y\"", 0, "[{\"equals\":\"new\"}]", false, true,
          "cases:\n  - id: a\n    # stays\n    input: x\n    answered: \"y\"\n    expect:\n      - equals: new\n" },
        { "cases:\n  - id: a\n    input: x\n    schema: {type: object}\n    answered: \"{}\"\n", 0, "[{\"schema\":true}]", false, true,
          "cases:\n  - id: a\n    input: x\n    schema: {type: object}\n    answered: \"{}\"\n    expect:\n      - schema: true\n" },
        /* on one line there is no place for it */
        { "cases:\n  - {id: a, input: x, answered: z}\n", 0, "[{\"equals\":\"z\"}]", false, false,
          "suite: s\ncases:\n  - id: a\n    input: x\n    answered: z\n    expect:\n      - equals: z\n" },
        { "cases:\n  - expect: old\n    id: a\n    input: x\n    answered: z\n", 0, "[{\"equals\":\"z\"}]", false, false,
          "suite: s\ncases:\n  - id: a\n    input: x\n    answered: z\n    expect:\n      - equals: z\n" },
        { "cases:\n  - id: a\n    input: |\n      expect:\n        - no key\n    answered: z\n", 0, "[{\"equals\":\"z\"}]", false, true,
          "cases:\n  - id: a\n    input: |\n      expect:\n        - no key\n    answered: z\n    expect:\n      - equals: z\n" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct suite *s = read_yaml(cases[i].text), *own = NULL, *again;
        struct suite_case with;
        struct buf out = { 0 };
        struct err e;
        bool kept;
        assert_int_equal(label_case(&s->cases[cases[i].at], str_of(cases[i].expects), cases[i].ideal, &own, &with, &e), ERR_OK);
        if (label_write(s, str_of(cases[i].text), cases[i].at, &with, &out, &kept, &e))
            fail_msg("%s", e.text);
        buf_add_char(&out, 0);
        assert_string_equal(out.p, cases[i].after);
        assert_int_equal(kept, cases[i].kept);
        again = read_yaml(out.p);
        assert_int_equal(again->ncases, s->ncases);
        assert_true(again->cases[cases[i].at].nexpects == with.nexpects);
        suite_free(again);
        suite_free(own);
        suite_free(s);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_line_says),
        cmocka_unit_test(test_the_file_keeps_its_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
