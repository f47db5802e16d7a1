/* Adapters by name: what is refused, and what an engine is told. */
#include "policy/lora.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct conf_lora loras[] = {
    { .name = { "poet", 4 }, .scale = 0.5 },
    { .name = { "clerk", 5 }, .scale = 0 },
};

static void test_names_become_numbers_and_all_are_told(void **state)
{
    static const struct { const char *asked, *out; } cases[] = {
        { "null", "[{\"id\":0,\"scale\":0.5},{\"id\":1,\"scale\":0}]" },
        { "[]", "[{\"id\":0,\"scale\":0.5},{\"id\":1,\"scale\":0}]" },
        { "\"clerk\"", "[{\"id\":0,\"scale\":0.5},{\"id\":1,\"scale\":1}]" },
        { "[\"clerk\",\"poet\"]", "[{\"id\":0,\"scale\":0.5},{\"id\":1,\"scale\":1}]" },
        { "{\"name\":\"poet\",\"scale\":0}", "[{\"id\":0,\"scale\":0},{\"id\":1,\"scale\":0}]" },
        { "[{\"name\":\"poet\",\"scale\":null}]", "[{\"id\":0,\"scale\":0.5},{\"id\":1,\"scale\":0}]" },
        { "[{\"name\":\"clerk\",\"scale\":-100},{\"name\":\"clerk\",\"scale\":0.1}]", "[{\"id\":0,\"scale\":0.5},{\"id\":1,\"scale\":0.1}]" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_doc d;
        struct err e;
        struct buf out = { 0 };
        struct json_out o = json_out(&out);
        assert_int_equal(json_parse(&d, str_of(cases[i].asked), &e), ERR_OK);
        assert_int_equal(lora_check(d.root, loras, COUNTOF(loras), &e), ERR_OK);
        lora_write(&o, d.root, loras, COUNTOF(loras));
        if (!str_eq(buf_str(&out), str_of(cases[i].out)))
            fail_msg("%s: %.*s", cases[i].asked, STR_ARG(buf_str(&out)));
        json_free(&d);
        buf_free(&out);
    }
}

static void test_what_is_not_there_is_refused_with_what_is(void **state)
{
    static const struct { const char *asked; size_t n; const char *says; } cases[] = {
        { "\"nobody\"", 2, "it has 'poet', 'clerk'" },
        { "[\"poet\",\"Clerk\"]", 2, "'Clerk'" },
        { "[\"poet\"]", 0, "has no adapters" },
        { "[0]", 2, "names of adapters" },
        { "[[\"poet\"]]", 2, "names of adapters" },
        { "{}", 2, "names of adapters" },
        { "[{\"id\":0,\"scale\":1}]", 2, "names of adapters" },
        { "[{\"name\":\"poet\",\"scale\":\"1\"}]", 2, "between -100 and 100" },
        { "[{\"name\":\"poet\",\"scale\":100.5}]", 2, "between -100 and 100" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_doc d;
        struct err e;
        assert_int_equal(json_parse(&d, str_of(cases[i].asked), &e), ERR_OK);
        if (lora_check(d.root, loras, cases[i].n, &e) != ERR_INVALID_REQUEST || strcmp(e.param, "lora") != 0 || !strstr(e.text, cases[i].says))
            fail_msg("%s: %s", cases[i].asked, e.text);
        json_free(&d);
    }
    assert_int_equal(lora_check(NULL, loras, 2, NULL), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_become_numbers_and_all_are_told),
        cmocka_unit_test(test_what_is_not_there_is_refused_with_what_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
