/* Do two answers say the same? As text, or as JSON however that is written; and what a failure says of a place. */
#include "api/shadow_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static enum shadow_alike alike(const struct said_all *a, const struct said_all *b)
{
    struct shadow_ask k = { .said_old = shadow_digest(a), .said_new = shadow_digest(b) };
    return shadow_ask_alike(&k);
}

static void test_words(void **state)
{
    static const struct { const char *a, *b; enum shadow_alike is; } cases[] = {
        { "yes", "yes", ALIKE_AS_TEXT },
        { " yes\n", "yes", ALIKE_AS_TEXT },
        { "yes", "Yes", ALIKE_NOT },
        { "", "", ALIKE_AS_TEXT },
        { "", "no", ALIKE_NOT },
        { "{\"a\":1,\"b\":[2,null]}", "{\"b\": [2.0, null], \"a\": 1}", ALIKE_AS_JSON },
        { "{\"a\":1}", "```json\n{\"a\": 1}\n```", ALIKE_AS_JSON },
        { "{\"a\":0}", "{\"a\":-0.0}", ALIKE_AS_JSON },
        { "{\"a\":1}", "{\"a\":\"1\"}", ALIKE_NOT },
        { "{\"a\":[1,2]}", "{\"a\":[2,1]}", ALIKE_NOT },
        { "{\"a\":{\"b\":1}}", "{\"b\":{\"a\":1}}", ALIKE_NOT },
        { "{\"a\":true}", "{\"a\":false}", ALIKE_NOT },
        { "[]", "{}", ALIKE_NOT },
        { "[[]]", "[]", ALIKE_NOT },
        { "{\"a\":1", "{\"a\":1 ", ALIKE_AS_TEXT },
        { "{\"a\":1", "{ \"a\":1", ALIKE_NOT },     /* no JSON, and other words */
        { "1", "1.0", ALIKE_NOT },                  /* a bare number is a text */
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct said_all a = { .content = str_of(cases[i].a), .finish = "stop" }, b = { .content = str_of(cases[i].b), .finish = "stop" };
        assert_int_equal(alike(&a, &b), cases[i].is);
        assert_int_equal(alike(&b, &a), cases[i].is);
    }
}

static void test_calls(void **state)
{
    const struct said_call one = { STR("1"), STR("find"), STR("{\"q\":\"a\",\"n\":1}") }, same = { STR("2"), STR("find"), STR("{ \"n\": 1, \"q\": \"a\" }") };
    const struct said_call other = { STR("1"), STR("find"), STR("{\"q\":\"b\",\"n\":1}") }, tool = { STR("1"), STR("seek"), STR("{\"q\":\"a\",\"n\":1}") };
    static const struct said_call none;
    const struct { const struct said_call *b; size_t n; enum shadow_alike is; } cases[] = {
        { &one, 1, ALIKE_AS_TEXT }, { &same, 1, ALIKE_AS_TEXT }, { &other, 1, ALIKE_NOT }, { &tool, 1, ALIKE_NOT }, { &none, 0, ALIKE_NOT },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct said_all a = { .calls = &one, .ncalls = 1, .finish = "tool_calls" }, b = { .calls = cases[i].b, .ncalls = cases[i].n, .finish = "stop" };
        assert_int_equal(alike(&a, &b), cases[i].is);
    }
    struct shadow_ask k = { .said_old = { .known = false }, .said_new = shadow_digest(&(struct said_all){ .content = STR("x") }) };
    assert_int_equal(shadow_ask_alike(&k), ALIKE_UNKNOWN);
}

static void test_what_a_failure_says(void **state)
{
    static const struct { enum err_code code; bool tells; int fits, empty; } cases[] = {
        { ERR_UP_REFUSED, true, -1, -1 }, { ERR_UP_GARBLED, true, -1, -1 }, { ERR_SCHEMA_UNMET, true, 0, -1 }, { ERR_TOOL_UNMET, true, 0, -1 },
        { ERR_ONLY_THOUGHTS, true, -1, 1 }, { ERR_CONTEXT, true, -1, -1 },
        { ERR_BREAKER_OPEN, false, -1, -1 }, { ERR_WAKING, false, -1, -1 }, { ERR_CAPPED, false, -1, -1 }, { ERR_CALLER_GONE, false, -1, -1 },
        { ERR_NOT_RESIDENT, false, -1, -1 }, { ERR_QUEUE_FULL, false, -1, -1 }, { ERR_PRIVATE_NO_PLACE, false, -1, -1 }, { ERR_INVALID_REQUEST, false, -1, -1 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct shadow_side s;
        const struct err e = { .code = cases[i].code };
        assert_int_equal(shadow_side_fail(&s, &e), cases[i].tells);
        assert_true(str_eq(s.code, str_of(err_row(cases[i].code)->code)));
        assert_int_equal(s.fits, cases[i].fits);
        assert_int_equal(s.empty, cases[i].empty);
        assert_true(s.ttft_ms < 0 && s.total_ms < 0 && s.output < 0);
    }
    struct shadow_side s;
    assert_false(shadow_side_fail(&s, &(struct err){ .code = ERR_UP_REFUSED, .fault = FAULT_HARNESS })); /* blamed otherwise */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_what_a_failure_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
