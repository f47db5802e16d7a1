/* What is taken out of a body to be judged by its words. */
#include "api/talk.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* "S:text" "U:text" for what is said, "+" before a further part. */
static void talk_text(const struct talk *t, struct buf *out)
{
    for (size_t i = 0; i < t->n; i++)
        buf_printf(out, "%s%s%s%.*s", i ? " " : "", t->at[i].begins ? "" : "+", t->at[i].by == SAID_SYSTEM ? "S:" : "U:", STR_ARG(t->at[i].text));
    buf_add_char(out, 0);
}

static void check(const char *body, enum task task, const char *want, size_t bytes)
{
    struct json_doc d;
    struct err e;
    struct talk t;
    struct buf got = { 0 };
    if (json_parse(&d, str_of(body), &e))
        fail_msg("%s", e.text);
    talk_read(&d, task, &t);
    talk_text(&t, &got);
    assert_string_equal(got.p, want);
    assert_int_equal(t.bytes, bytes);
    buf_free(&got);
    json_free(&d);
}

static void test_what_user_and_system_say_is_taken(void **state)
{
    check("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}", TASK_CHAT, "U:a", 1);
    check("{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"long\"},"
          "{\"role\":\"user\",\"content\":\"b\"},{\"role\":\"tool\",\"content\":\"xyz\"}]}", TASK_CHAT, "S:s U:a U:b", 10);
    check("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image_url\"},{\"type\":\"text\",\"text\":\"b\"}]}]}", TASK_CHAT, "U:a +U:b", 2);
    check("{\"messages\":[{\"role\":\"user\",\"content\":null},{\"role\":\"user\",\"content\":\"\"},{\"role\":\"developer\",\"content\":\"d\"}]}", TASK_CHAT, "S:d", 1);
    check("{\"prompt\":\"go on\"}", TASK_TEXT, "U:go on", 5);
    check("{\"prompt\":[\"a\",\"b\"]}", TASK_TEXT, "U:a +U:b", 2);
    check("{\"prompt\":[1,2]}", TASK_TEXT, "", 0);
    check("{\"input\":\"a\"}", TASK_EMBED, "", 0);
}

static void test_of_a_long_talk_the_end_and_the_system_are_kept(void **state)
{
    struct buf body = { 0 };
    struct json_doc d;
    struct err e;
    struct talk t;
    buf_lit(&body, "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"}");
    for (int i = 0; i < 500; i++)
        buf_printf(&body, ",{\"role\":\"user\",\"content\":\"%03d\"}", i);
    buf_lit(&body, "]}");
    assert_int_equal(json_parse(&d, buf_str(&body), &e), ERR_OK);
    talk_read(&d, TASK_CHAT, &t);
    assert_int_equal(t.n, TALK_MAX);
    assert_int_equal(t.bytes, 1 + 500 * 3);
    assert_int_equal(t.at[0].by, SAID_SYSTEM);
    for (size_t i = 1; i < t.n; i++) {
        char want[8];
        snprintf(want, sizeof want, "%03zu", 500 - TALK_MAX + i);
        assert_true(str_eq(t.at[i].text, str_of(want)));
    }
    json_free(&d);
    buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_user_and_system_say_is_taken),
        cmocka_unit_test(test_of_a_long_talk_the_end_and_the_system_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
