/* The suite reader. The first byte chooses the form. Oracles: what it takes is written as YAML that it takes again and that equals it and is written the same; requests are
 * JSON; what a check says is about its cases; a grade is within bounds; an import's YAML can be read; what is refused says where. */
#include "evidence/grade.h"
#include "json/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_round_trip(const struct suite *s)
{
    struct buf once = { 0 }, twice = { 0 };
    struct suite *again = NULL;
    struct err e = { 0 };
    suite_write(s, &once);
    must(suite_read(STR("fuzz.yaml"), buf_str(&once), SUITE_YAML, &again, &e) == ERR_OK);
    must(suite_equal(s, again) && s->print == again->print);
    suite_write(again, &twice);
    must(str_eq(buf_str(&once), buf_str(&twice)));
    suite_free(again);
    buf_free(&once);
    buf_free(&twice);
}

static void check_case(const struct suite_case *c, struct arena *a)
{
    struct json_doc d = { 0 };
    struct err e = { 0 };
    struct str body;
    struct grade g;
    struct grade_call call = { STR("f"), STR("{\"x\":1}") };
    if (!suite_case_request(a, c, &(struct suite_ask){ .model = STR("m"), .seed = 1 }, &body, &e)) {
        enum err_code rc = json_parse(&d, body, &e); /* too deep within the request is the caller's to be told */
        must(rc == ERR_OK || rc == ERR_BAD_REQUEST);
        json_free(&d);
    }
    struct str answers[] = { STR(""), STR("{\"a\":[1,\"x\"]}"), c->input, c->ideal.text };
    for (size_t i = 0; i < COUNTOF(answers); i++) {
        grade(a, c, &(struct grade_answer){ .text = answers[i], .calls = &call, .ncalls = i == 1 }, &g);
        must(g.score >= 0 && g.score <= 1.000001 && g.mark < GRADE_MARKS && (g.mark == GRADE_PASS || g.why.n));
    }
}

static void check_import(struct str text)
{
    struct arena a;
    struct buf yaml = { 0 };
    struct suite *s = NULL;
    const struct suite_note *notes;
    struct err e = { 0 };
    size_t n;
    arena_init(&a);
    if (!suite_import_promptfoo(STR("fuzz.yaml"), text, &a, &yaml, &notes, &n, &e))
        if (suite_read(STR("fuzz.yaml"), buf_str(&yaml), SUITE_YAML, &s, &e))
            must(e.code == ERR_CONFIG);
    suite_free(s);
    buf_free(&yaml);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct suite *s = NULL;
    const struct suite_finding *f;
    struct arena a;
    struct err e = { 0 };
    if (!size || size > 64 * 1024)
        return 0;
    struct str text = str_make((const char *)data + 1, size - 1);
    if (data[0] == 'p') {
        check_import(text);
        return 0;
    }
    if (suite_read(STR("fuzz.yaml"), text, data[0] == 'j' ? SUITE_JSON : data[0] == 'l' ? SUITE_JSONL : SUITE_YAML, &s, &e)) {
        must(e.code == ERR_CONFIG && str_starts(str_of(e.text), STR("fuzz.yaml:")) && e.hint[0]);
        return 0;
    }
    check_round_trip(s);
    arena_init(&a);
    for (size_t i = 0; i < s->ncases && i < 8; i++)
        check_case(&s->cases[i], &a);
    size_t n = suite_check(s, 100, &a, &f);
    for (size_t i = 0; i < n; i++)
        must(f[i].c >= s->cases && f[i].c < s->cases + s->ncases && f[i].text.n);
    arena_fini(&a);
    suite_free(s);
    return 0;
}
