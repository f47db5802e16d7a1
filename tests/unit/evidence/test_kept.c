/* A run as it was kept: what is told of it elsewhere is well-formed whatever models have said, and only like is held against like. */
#include "evidence/kept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char about[] = "\"about\":{\"models\":[\"old\",\"new\"],\"margin\":0.05,\"aside\":[\"beside\"],\"interleaved\":true,\"print\":\"00000000000000ff\",\"from\":\"s.yaml\","
                            "\"places\":[{\"name\":\"old\",\"host\":\"local\",\"runtime\":\"llama\",\"engine\":\"llama 1\",\"quantisation\":\"Q8_0\"},"
                            "{\"name\":\"new\",\"host\":\"local\",\"runtime\":\"llama\",\"engine\":\"llama 1\",\"quantisation\":\"Q4_1\"}]}";

static void put(struct buf *to, const char *place, const char *id, int turn, const char *passed, const char *fault, const char *text, const char *print, int ms)
{
    struct json_out o = json_out(to);
    o.comma = to->n && to->p[to->n - 1] == '}';
    json_begin_object(&o);
    const struct { const char *key; struct str text; } texts[] = { { "place", str_of(place) }, { "item", str_of(id) }, { "fault", str_of(fault) } };
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        json_key(&o, str_of(texts[i].key));
        json_string(&o, texts[i].text);
    }
    json_key(&o, STR("turn"));
    json_int(&o, turn);
    json_key(&o, STR("passed"));
    json_raw(&o, str_of(passed));
    json_key(&o, STR("score"));
    json_int(&o, 0);
    json_key(&o, STR("about"));
    json_begin_object(&o);
    json_key(&o, STR("text"));
    json_string(&o, str_of(text));
    json_key(&o, STR("why"));
    json_string(&o, str_of(*fault ? text : ""));
    json_key(&o, STR("print"));
    json_string(&o, str_of(print));
    json_key(&o, STR("request_id"));
    json_string(&o, STR("req-1"));
    json_key(&o, STR("total_ms"));
    json_int(&o, ms);
    json_end_object(&o);
    json_end_object(&o);
}

static void read_run(struct buf *results, int run, struct kept_run *out)
{
    struct buf text = { 0 };
    struct err e;
    buf_printf(&text, "{\"schema\":1,\"run\":%d,\"suite\":\"s\",\"state\":\"done\",\"began\":\"2026-11-22T01:02:03Z\",\"ended\":null,%s,\"results\":[%.*s]}", run, about,
        STR_ARG(buf_str(results)));
    assert_int_equal(kept_run_read(buf_str(&text), out, &e), ERR_OK);
    buf_free(&text);
}

static bool has(const struct buf *b, const char *part)
{
    return str_find(buf_str(b), str_of(part)) >= 0;
}

static const char print_a[] = "00000000000000aa", print_b[] = "00000000000000bb";

static void test_junit_says_whose_fault_it_is(void **state)
{
    static const char *const wanted[] = {
        "<testsuites name=\"s\" tests=\"6\" failures=\"1\" errors=\"2\" skipped=\"1\" time=\"0.600\">",
        "<testsuite name=\"s: old\" tests=\"5\" failures=\"1\" errors=\"2\" skipped=\"1\" time=\"0.500\" timestamp=\"2026-11-22T01:02:03\">",
        "<property name=\"quantisation\" value=\"Q8_0\"/>",
        "<testcase name=\"a\" classname=\"s.old\" time=\"0.100\">\n      <system-out>fine</system-out>\n    </testcase>",
        "<testcase name=\"a (turn 2)\" classname=\"s.old\"",
        "<failure message=\"it said no\" type=\"model\">it said no\nrequest: req-1</failure>",
        "<error message=\"gone\" type=\"backend\">", "<error message=\"full\" type=\"gateway\">",
        "<skipped message=\"no budget\"/>",
    };
    struct buf results = { 0 }, out = { 0 };
    struct kept_run r;
    put(&results, "old", "a", 1, "true", "", "fine", print_a, 100);
    put(&results, "old", "a", 2, "false", "model", "it said no", print_a, 100);
    put(&results, "old", "b", 1, "null", "backend", "gone", print_a, 100);
    put(&results, "old", "c", 1, "null", "gateway", "full", print_a, 100);
    put(&results, "old", "d", 1, "null", "harness", "no budget", print_a, 100);
    put(&results, "new", "a", 1, "true", "", "fine", print_a, 100);
    read_run(&results, 7, &r);
    kept_junit(&r, &out);
    for (size_t i = 0; i < COUNTOF(wanted); i++)
        if (!has(&out, wanted[i]))
            fail_msg("no %s in\n%.*s", wanted[i], STR_ARG(buf_str(&out)));
    kept_run_free(&r);
    buf_free(&results);
    buf_free(&out);
}

static void test_junit_escapes_what_models_say(void **state)
{
    static const struct { const char *said, *text, *attribute; } cases[] = {
        { "a<b> & \"c\"", "a&lt;b&gt; &amp; &quot;c&quot;", "a&lt;b&gt; &amp; &quot;c&quot;" },
        { "one\ntwo\tthree\rfour", "one\ntwo\tthree&#13;four", "one&#10;two&#9;three&#13;four" },
        { "\x1b[31mred\x01\x7f", "\\x1b[31mred\\x01\\x7f", "\\x1b[31mred\\x01\\x7f" },
        { "]]> caf\xc3\xa9 \xf0\x9f\x98\x80", "]]&gt; caf\xc3\xa9 \xf0\x9f\x98\x80", "]]&gt; caf\xc3\xa9" },
        { "\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd", "\\ufffe\\uffff\xef\xbf\xbd", "\\ufffe\\uffff\xef\xbf\xbd" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf results = { 0 }, out = { 0 }, text = { 0 }, attribute = { 0 };
        struct kept_run r;
        put(&results, "old", "a", 1, "false", "model", cases[i].said, print_a, 1);
        read_run(&results, 1, &r);
        kept_junit(&r, &out);
        buf_printf(&text, "<system-out>%s</system-out>", cases[i].text);
        buf_printf(&attribute, "message=\"%s", cases[i].attribute);
        buf_add_char(&text, '\0');
        buf_add_char(&attribute, '\0');
        if (!has(&out, text.p) || !has(&out, attribute.p))
            fail_msg("%s: %.*s", text.p, STR_ARG(buf_str(&out)));
        kept_run_free(&r);
        buf_free(&results);
        buf_free(&out);
        buf_free(&text);
        buf_free(&attribute);
    }
}

static void test_markdown(void **state)
{
    static const char *const wanted[] = {
        "# s, run 7\n", "| old | local | 1 | 2 | 50.0 % | 9.5 to 90.5 | 0 | 1 | 0 |\n", "| new | local | 2 | 2 | 100.0 %", "- new: runtime llama, engine llama 1, quantisation Q4\\_1\n",
        "## Compared\n", "| old | new | 2 | 0 | 1 |", "**cannot tell**", "- quantisation differs: Q8\\_0, Q4\\_1\n", "## Wrong answers\n\n| case | model | why | request |\n",
        "| b\\|c | old | it said \\*no\\* &lt;x&gt; twice | req-1 |\n", "| beside the score | | 0 | 1 |", "## What says nothing of a model\n", "| d | old | backend | gone | req-1 |\n",
    };
    struct buf results = { 0 }, out = { 0 };
    struct kept_run r;
    put(&results, "old", "a", 1, "true", "", "x", print_a, 100);
    put(&results, "old", "b|c", 1, "false", "model", "it said *no* <x>\ntwice", print_a, 100);
    put(&results, "old", "beside", 1, "false", "model", "no", print_a, 100);
    put(&results, "old", "d", 1, "null", "backend", "gone", print_a, 100);
    put(&results, "new", "a", 1, "true", "", "x", print_a, 100);
    put(&results, "new", "b|c", 1, "true", "", "x", print_a, 100);
    read_run(&results, 7, &r);
    kept_markdown(&r, &out);
    for (size_t i = 0; i < COUNTOF(wanted); i++)
        if (!has(&out, wanted[i]))
            fail_msg("no %s in\n%.*s", wanted[i], STR_ARG(buf_str(&out)));
    kept_run_free(&r);
    buf_free(&results);
    buf_free(&out);
}

static void put_many(struct buf *to, const char *place, int n, int right, const char *print, int ms)
{
    for (int i = 0; i < n; i++) {
        char id[16];
        snprintf(id, sizeof id, "c%d", i);
        put(to, place, id, 1, i < right ? "true" : "false", i < right ? "" : "model", "x", print, ms + i);
    }
}

static bool warns(const struct kept_pair *p, const char *part)
{
    for (size_t i = 0; i < p->nwarnings; i++)
        if (str_find(p->warnings[i], str_of(part)) >= 0)
            return true;
    return false;
}

static void test_two_models_of_one_run(void **state)
{
    struct buf results = { 0 };
    struct kept_run r;
    struct kept_pair p;
    struct arena memory;
    put_many(&results, "old", 40, 40, print_a, 100);
    put_many(&results, "new", 40, 20, print_a, 150);
    read_run(&results, 1, &r);
    arena_init(&memory);
    kept_compare(&memory, (struct kept_side){ &r, 0 }, (struct kept_side){ &r, 1 }, -1, &p);
    assert_int_equal(p.verdict.kind, VERDICT_WORSE);
    assert_int_equal(p.majority.only_a, 20);
    assert_true(p.tells.discriminates && p.compared == 40);
    assert_int_equal(p.total.n, 40);
    assert_true(p.total.median.value == 50 && p.total.median.lo == 50 && p.total.median.hi == 50); /* each was 50 ms later than its pair */
    assert_true(warns(&p, "quantisation differs") && !warns(&p, "engine") && !warns(&p, "in turn"));
    kept_run_free(&r);
    arena_fini(&memory);
    buf_free(&results);
}

static void test_cases_that_have_changed_are_left_out(void **state)
{
    struct buf first = { 0 }, second = { 0 };
    struct kept_run a, b;
    struct kept_pair p;
    struct arena memory;
    put_many(&first, "old", 10, 10, print_a, 1);
    put_many(&second, "old", 6, 6, print_a, 1);
    put(&second, "old", "c7", 1, "false", "model", "x", print_b, 1);
    put(&second, "old", "z", 1, "false", "model", "x", print_a, 1);
    read_run(&first, 1, &a);
    read_run(&second, 2, &b);
    arena_init(&memory);
    kept_compare(&memory, (struct kept_side){ &a, 0 }, (struct kept_side){ &b, 0 }, -1, &p);
    assert_int_equal(p.compared, 6);
    assert_int_equal(p.changed, 1);
    assert_int_equal(p.missing, 4); /* c6 c8 c9 z */
    assert_int_equal(p.verdict.pairs, 6);
    assert_int_equal(p.majority.both, 6);
    assert_int_equal(p.total.n, 6);
    assert_true(warns(&p, "under the same ids, left out: 1") && warns(&p, "alone, left out: 4") && warns(&p, "in turn"));
    kept_run_free(&a);
    kept_run_free(&b);
    arena_fini(&memory);
    buf_free(&first);
    buf_free(&second);
}

static void test_many_suites_take_back_what_was_chance(void **state)
{
    struct buf results = { 0 };
    struct kept_run r;
    struct kept_pair p[3];
    struct arena memory;
    put_many(&results, "old", 40, 40, print_a, 100);
    put_many(&results, "new", 40, 33, print_a, 100);
    read_run(&results, 1, &r);
    arena_init(&memory);
    for (size_t i = 0; i < 3; i++)
        kept_compare(&memory, (struct kept_side){ &r, 0 }, (struct kept_side){ &r, 1 }, -1, &p[i]);
    double alone = p[0].verdict.p;
    assert_int_equal(p[0].verdict.kind, VERDICT_WORSE);
    kept_adjust(p, 1);
    assert_true(p[0].verdict.p == alone && p[0].verdict.kind == VERDICT_WORSE);
    kept_adjust(p, 3);
    assert_true(p[0].verdict.p > 2.9 * alone);
    kept_run_free(&r);
    arena_fini(&memory);
    buf_free(&results);
}

static void test_what_is_no_run(void **state)
{
    static const char *const texts[] = { "", "[]", "{}", "{\"run\":1}", "{\"about\":{}}" };
    struct kept_run r;
    struct err e;
    for (size_t i = 0; i < COUNTOF(texts); i++)
        assert_int_not_equal(kept_run_read(str_of(texts[i]), &r, &e), ERR_OK);
    assert_int_equal(kept_run_read(STR("{\"run\":1,\"about\":{\"aside\":[\"x\"]},\"results\":[{\"item\":\"a\",\"place\":\"nobody\"}]}"), &r, &e), ERR_OK);
    assert_int_equal(r.nresults, 0);
    kept_run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_junit_says_whose_fault_it_is),
        cmocka_unit_test(test_junit_escapes_what_models_say),
        cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_two_models_of_one_run),
        cmocka_unit_test(test_cases_that_have_changed_are_left_out),
        cmocka_unit_test(test_many_suites_take_back_what_was_chance),
        cmocka_unit_test(test_what_is_no_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
