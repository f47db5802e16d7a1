/* The line that Claude Code writes for Anthropic, cut out for everybody else. */
#include "policy/billing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define LINE "x-anthropic-billing-header: cc_version=2.1.77.c4f; cc_entrypoint=cli; cch=a1b2c;"
#define USER "{\"role\":\"user\",\"content\":\"x\"}"

/* clang-format off */
static void test_the_line_goes_without_a_trace(void **state)
{
    static const struct { const char *messages, *left; } cases[] = {
        { "[{\"role\":\"system\",\"content\":\"" LINE "\"}," USER "]", "[" USER "]" },
        { "[ {\"role\":\"system\",\"content\":\"" LINE "\"} , " USER "]", "[  " USER "]" },
        { "[{\"role\":\"system\",\"content\":\"" LINE "\\nYou are\"}," USER "]", "[{\"role\":\"system\",\"content\":\"You are\"}," USER "]" },
        { "[{\"role\":\"system\",\"content\":\"" LINE "\\n\\nYou are\"}," USER "]", "[{\"role\":\"system\",\"content\":\"You are\"}," USER "]" },
        { "[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"" LINE "\"},{\"type\":\"text\",\"text\":\"You are\"}]}," USER "]",
          "[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"You are\"}]}," USER "]" },
        { "[{\"role\":\"system\",\"content\":[{\"text\":\"You\"}, {\"text\":\"" LINE "\"}]}," USER "]", "[{\"role\":\"system\",\"content\":[{\"text\":\"You\"}]}," USER "]" },
        { "[{\"role\":\"system\",\"content\":[{\"text\":\"" LINE "\\nYou\"},{\"text\":\"b\"}]}," USER "]", "[{\"role\":\"system\",\"content\":[{\"text\":\"You\"},{\"text\":\"b\"}]}," USER "]" },
        { "[{\"role\":\"system\",\"content\":[{\"text\":\"" LINE "\"}]}," USER "]", "[" USER "]" },
        { "[{\"role\":\"developer\",\"content\":\"You are\"},{\"role\":\"system\",\"content\":\"" LINE "\"}," USER "]", "[{\"role\":\"developer\",\"content\":\"You are\"}," USER "]" },
        /* not there, or not what it was made for */
        { "[{\"role\":\"system\",\"content\":\"You are " LINE "\"}," USER "]", NULL },
        { "[{\"role\":\"user\",\"content\":\"" LINE "\"}," USER "]", NULL },
        { "[" USER ",{\"role\":\"system\",\"content\":\"" LINE "\"}]", NULL },
        { "[{\"role\":\"system\",\"content\":\"" LINE "\"}]", NULL },
        { "[{\"role\":\"system\",\"content\":\"" LINE "\\u000aYou are\"}," USER "]", NULL },
        { "[{\"role\":\"system\"}," USER "]", NULL },
        { "[" USER "]", NULL },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf text = { 0 }, out = { 0 };
        struct json_doc d, again;
        struct json_edit cut;
        struct err e;
        buf_printf(&text, "{\"model\":\"m\",\"messages\":%s}", cases[i].messages);
        assert_int_equal(json_parse(&d, buf_str(&text), &e), ERR_OK);
        assert_int_equal(billing_header(&d, &cut), cases[i].left != NULL);
        if (cases[i].left) {
            json_splice(&out, d.text, &cut, 1);
            assert_int_equal(json_parse(&again, buf_str(&out), &e), ERR_OK);
            if (!str_eq(str_make(out.p + 24, out.n - 25), str_of(cases[i].left)))
                fail_msg("%s\n%.*s", cases[i].messages, STR_ARG(buf_str(&out)));
            json_free(&again);
        }
        json_free(&d);
        buf_free(&text);
        buf_free(&out);
    }
}
/* clang-format on */

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_the_line_goes_without_a_trace) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
