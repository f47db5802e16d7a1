/* Values put back into answers: streams whose placeholders are cut anywhere, and whole objects. */
#include "api/mend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct redaction *some_values(void)
{
    struct buf out = { 0 };
    struct json_doc d;
    struct err e;
    struct redaction *r = redaction_new();
    assert_int_equal(json_parse(&d, STR("{\"prompt\":\"jane@example.com 0171 2345678 password='a\\\\b,c1d'\"}"), &e), ERR_OK);
    redact_request(r, &d, &out);
    assert_int_equal(redaction_count(r), 3);
    json_free(&d);
    buf_free(&out);
    return r;
}

/* What a client adds up of a stream. */
struct sum {
    struct buf content, thoughts, text, arguments[2], second;
    size_t events;
    char finish[16];
};

static void add_choice(struct sum *s, yyjson_val *choice)
{
    yyjson_val *delta = yyjson_obj_get(choice, "delta"), *call;
    size_t i, n;
    bool second = yyjson_get_int(yyjson_obj_get(choice, "index")) == 1;
    assert_false(s->finish[0] && !second);
    buf_add(second ? &s->second : &s->content, json_str(yyjson_obj_get(delta, "content")));
    buf_add(&s->thoughts, json_str(yyjson_obj_get(delta, "reasoning_content")));
    buf_add(&s->text, json_str(yyjson_obj_get(choice, "text")));
    yyjson_arr_foreach(yyjson_obj_get(delta, "tool_calls"), i, n, call)
        buf_add(&s->arguments[yyjson_get_int(yyjson_obj_get(call, "index"))], json_str(yyjson_obj_get(yyjson_obj_get(call, "function"), "arguments")));
    if (!second && yyjson_is_str(yyjson_obj_get(choice, "finish_reason")))
        snprintf(s->finish, sizeof s->finish, "%s", yyjson_get_str(yyjson_obj_get(choice, "finish_reason")));
}

static void on_event(void *ctx, struct str data)
{
    struct sum *s = ctx;
    struct json_doc d;
    struct err e;
    size_t i, n;
    yyjson_val *choice;
    if (json_parse(&d, data, &e))
        fail_msg("%.*s: %s", STR_ARG(data), e.text);
    s->events++;
    yyjson_arr_foreach(yyjson_obj_get(d.root, "choices"), i, n, choice) add_choice(s, choice);
    json_free(&d);
}

static void sum_free(struct sum *s)
{
    struct buf *all[] = { &s->content, &s->thoughts, &s->text, &s->arguments[0], &s->arguments[1], &s->second };
    for (size_t i = 0; i < COUNTOF(all); i++)
        buf_free(all[i]);
    *s = (struct sum){ .events = 0 };
}

static void send(struct mend *m, struct sum *s, const char *before, const char *behind, struct str piece, const char *finish)
{
    struct buf event = { 0 };
    struct json_out o = json_out(&event);
    buf_printf(&event, "{\"id\":\"x\",\"choices\":[{\"index\":0,%s", before);
    json_string(&o, piece);
    buf_printf(&event, "%s,\"finish_reason\":%s}]}", behind, finish);
    mend_event(m, buf_str(&event), on_event, s);
    buf_free(&event);
}

static void test_streamed_texts_are_mended_however_they_are_cut(void **state)
{
    static const char answer[] = "Dear [EMAIL_1], {\"p\":\"[SECRET_1]\"} [EMAIL_9] a[1] [PHONE_1", plain[] = "Dear jane@example.com, {\"p\":\"a\\b,c1d\"} [EMAIL_9] a[1] [PHONE_1",
                      json[] = "Dear jane@example.com, {\"p\":\"a\\\\b,c1d\"} [EMAIL_9] a[1] [PHONE_1";
    static const struct { const char *before, *behind; size_t sum; const char *want; } cases[] = {
        { "\"delta\":{\"content\":", "}", offsetof(struct sum, content), plain },
        { "\"delta\":{\"role\":\"assistant\",\"reasoning_content\":", "}", offsetof(struct sum, thoughts), plain },
        { "\"text\":", "", offsetof(struct sum, text), plain },
        { "\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":", "}}]}", offsetof(struct sum, arguments[1]), json },
    };
    struct redaction *r = some_values();
    for (size_t c = 0; c < COUNTOF(cases); c++)
        for (size_t cut = 0; cut < sizeof answer; cut++)
            for (int with_end = 0; with_end < 2; with_end++) { /* the end in an event of its own, or with the last piece */
                struct mend *m = mend_new(r);
                struct sum s = { .events = 0 };
                send(m, &s, cases[c].before, cases[c].behind, str_make(answer, cut), "null");
                send(m, &s, cases[c].before, cases[c].behind, str_make(answer + cut, sizeof answer - 1 - cut), with_end ? "\"stop\"" : "null");
                if (!with_end)
                    mend_event(m, STR("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}"), on_event, &s);
                assert_string_equal(s.finish, "stop");
                if (!str_eq(buf_str((struct buf *)((char *)&s + cases[c].sum)), str_of(cases[c].want)))
                    fail_msg("%s at %zu: %.*s", cases[c].before, cut, STR_ARG(buf_str((struct buf *)((char *)&s + cases[c].sum))));
                mend_free(m);
                sum_free(&s);
            }
    redaction_free(r);
}

static void test_texts_do_not_run_into_each_other(void **state)
{
    struct redaction *r = some_values();
    struct mend *m = mend_new(r);
    struct sum s = { .events = 0 };
    static const char *const events[] = {
        "{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"[EMA\",\"content\":\"a [PHO\"}},{\"index\":1,\"delta\":{\"content\":\"[EMAIL\"}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"NE_1] b\",\"reasoning_content\":\"IL_1]\"}},{\"index\":1,\"delta\":{\"content\":\"_1] [\"}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"[EM\"}},{\"index\":1,\"function\":{\"arguments\":\"[SECRET\"}}]}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"_1]\"}}]}},{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"AIL_1]\"}}]}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"},{\"index\":1,\"delta\":{},\"finish_reason\":\"stop\"}]}",
        "{\"choices\":[],\"usage\":{\"prompt_tokens\":1}}",
    };
    for (size_t i = 0; i < COUNTOF(events); i++)
        mend_event(m, str_of(events[i]), on_event, &s);
    assert_true(str_eq(buf_str(&s.content), STR("a 0171 2345678 b")));
    assert_true(str_eq(buf_str(&s.thoughts), STR("jane@example.com")));
    assert_true(str_eq(buf_str(&s.arguments[0]), STR("jane@example.com")));
    assert_true(str_eq(buf_str(&s.arguments[1]), STR("a\\\\b,c1d")));
    assert_true(str_eq(buf_str(&s.second), STR("jane@example.com [")));
    assert_int_equal(s.events, COUNTOF(events) + 1); /* what the second choice held, before its end */
    mend_free(m);
    sum_free(&s);
    redaction_free(r);
}

static void keep(void *ctx, struct str data)
{
    buf_add(ctx, data);
}

static void test_what_is_no_answer_passes_as_it_is(void **state)
{
    static const char *const cases[] = { "[DONE]", "no json [EMAIL_1]", "{\"error\":{\"message\":\"[EMAIL_1]\"}}", "{ \"choices\" : [ ] }", "{\"choices\":[{\"delta\":{\"content\":\"x\"}}]}", "[1]", "\"s\"" };
    struct redaction *r = some_values();
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct mend *m = mend_new(r);
        struct buf out = { 0 };
        mend_event(m, str_of(cases[i]), keep, &out);
        assert_true(str_eq(buf_str(&out), str_of(cases[i])));
        buf_free(&out);
        mend_free(m);
    }
    redaction_free(r);
}

static void test_whole_answers_are_mended(void **state)
{
    static const struct { const char *body, *out; } cases[] = {
        { "{\"id\":\"[EMAIL_1]\",\"choices\":[{\"message\":{\"content\":\"to [EMAIL_1]\",\"reasoning_content\":\"[PHONE_1]\",\"tool_calls\":[{\"function\":{\"arguments\":\"{\\\"p\\\":\\\"[SECRET_1]\\\"}\"}}]}}]}",
          "{\"id\":\"[EMAIL_1]\",\"choices\":[{\"message\":{\"content\":\"to jane@example.com\",\"reasoning_content\":\"0171 2345678\",\"tool_calls\":[{\"function\":{\"arguments\":\"{\\\"p\\\":\\\"a\\\\\\\\b,c1d\\\"}\"}}]}}]}" },
        { "{\"choices\":[{\"text\":\"[EMAIL_1]\"},{\"text\":\"[x]\"}]}", "{\"choices\":[{\"text\":\"jane@example.com\"},{\"text\":\"[x]\"}]}" },
        { "{\"results\":[{\"index\":0,\"document\":{\"text\":\"[EMAIL_1]\"}}]}", "{\"results\":[{\"index\":0,\"document\":{\"text\":\"jane@example.com\"}}]}" },
        { "{\"data\":[{\"embedding\":[1]}]}", "{\"data\":[{\"embedding\":[1]}]}" },
        { "garbage [EMAIL_1]", "garbage [EMAIL_1]" },
    };
    struct redaction *r = some_values();
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf out = { 0 };
        mend_whole(r, str_of(cases[i].body), &out);
        if (!str_eq(buf_str(&out), str_of(cases[i].out)))
            fail_msg("%.*s", STR_ARG(buf_str(&out)));
        buf_free(&out);
    }
    redaction_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streamed_texts_are_mended_however_they_are_cut),
        cmocka_unit_test(test_texts_do_not_run_into_each_other),
        cmocka_unit_test(test_what_is_no_answer_passes_as_it_is),
        cmocka_unit_test(test_whole_answers_are_mended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
