/* Hours of a role: which of them, what is counted in them, and what is asked for at an address that is told of swaps. */
#include "evidence/hook.h"
#include "evidence/series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { HOUR_S = 3600 };
static const int64_t noon_s = 1800000000 / HOUR_S * HOUR_S;

static void test_hours(void **state)
{
    static const struct { int64_t from_s, until_s; int64_t first; size_t hours; } cases[] = {
        { 10, 20, 0, 1 }, { 10, HOUR_S, 0, 2 }, { HOUR_S - 1, HOUR_S, 0, 2 }, { 0, 47 * HOUR_S, 0, 48 }, { 0, 48 * HOUR_S + 5, HOUR_S, 48 }, { 20, 10, 0, 1 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct series s;
        series_begin(&s, STR("chat"), STR("m"), (noon_s + cases[i].from_s) * 1000, (noon_s + cases[i].until_s) * 1000);
        assert_int_equal(s.from_s, noon_s + cases[i].first);
        assert_int_equal(s.hours, cases[i].hours);
        series_end(&s);
    }
}

static void test_what_is_counted(void **state)
{
    struct series s;
    struct buf out = { 0 };
    struct json_out o = json_out(&out);
    series_begin(&s, STR("chat"), STR("m"), noon_s * 1000, (noon_s + 2 * HOUR_S) * 1000);
    const struct request_sum sums[] = {
        { .hour_s = noon_s, .role = STR("chat"), .model = STR("m"), .requests = 5, .faults = 1 },
        { .hour_s = noon_s, .role = STR("x"), .tier = STR("chat"), .model = STR("m"), .requests = 2 },
        { .hour_s = noon_s, .role = STR("chat"), .model = STR("other"), .requests = 100 },
        { .hour_s = noon_s, .role = STR("code"), .model = STR("m"), .requests = 100 },
        { .hour_s = noon_s - HOUR_S, .role = STR("chat"), .model = STR("m"), .requests = 100 },
        { .hour_s = noon_s + 3 * HOUR_S, .role = STR("chat"), .model = STR("m"), .requests = 100 },
        { .hour_s = noon_s + 2 * HOUR_S, .role = STR("chat"), .model = STR("m"), .requests = 7 },
    };
    const struct request_row rows[] = {
        { .time_ms = noon_s * 1000, .role = STR("chat"), .model = STR("m"), .ttft_ms = 30, .load_ms = -1 },
        { .time_ms = noon_s * 1000 + 1, .role = STR("chat"), .model = STR("m"), .ttft_ms = 1010, .load_ms = 1000 },
        { .time_ms = noon_s * 1000 + 2, .role = STR("chat"), .model = STR("m"), .ttft_ms = -1 },
        { .time_ms = noon_s * 1000 + 3, .role = STR("chat"), .model = STR("other"), .ttft_ms = 500 },
    };
    for (size_t i = 0; i < COUNTOF(sums); i++)
        series_sum(&s, &sums[i]);
    for (size_t i = 0; i < COUNTOF(rows); i++)
        series_row(&s, &rows[i]);
    series_put(&s, &o);
    assert_true(str_find(buf_str(&out), STR("\"hours\":3,\"requests\":[7,0,7],\"faults\":[1,0,0],\"ttft_ms\":[20,null,null]")) > 0);
    series_end(&s);
    buf_free(&out);
}

static void test_what_is_asked_for_at_an_address(void **state)
{
    static const struct { const char *url, *path; } cases[] = {
        { "https://h", "/" }, { "https://h/", "/" }, { "http://h:81/a/b", "/a/b" }, { "https://h/a/?t=1&u=2", "/a/?t=1&u=2" }, { "https://h?t=1", "/?t=1" },
        { "ftp://h/", NULL }, { "https://", NULL }, { "https://h/a b", NULL }, { "https://h/a\r\nX: y", NULL }, { "https://h/a#b", NULL }, { "https://u:p@h/", NULL }, { "", NULL },
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct str path = { NULL, 0 };
        bool is = hook_path_of(&a, str_of(cases[i].url), &path);
        if (is != (cases[i].path != NULL) || (is && !str_eq(path, str_of(cases[i].path))))
            fail_msg("%s: %.*s", cases[i].url, STR_ARG(path));
    }
    arena_fini(&a);
}

static void test_what_is_told(void **state)
{
    struct swap s;
    struct buf out = { 0 };
    swap_init(&s);
    s.id = 7;
    s.state = SWAP_TRIAL;
    s.nroles = 1;
    s.roles[0] = (struct swap_role){ .name = STR("chat"), .from = STR("old"), .to = STR("new"), .state = SWAP_TRIAL };
    hook_put(&s, STEP_START, STR(""), STR("say \"it\""), 1800000000000, &out);
    assert_true(str_eq(buf_str(&out), STR("{\"schema\":1,\"id\":7,\"state\":\"trial\",\"step\":\"start\",\"role\":null,\"reason\":\"say \\\"it\\\"\",\"at\":\"2027-01-15T08:00:00Z\","
        "\"roles\":[{\"role\":\"chat\",\"from\":\"old\",\"to\":\"new\",\"state\":\"trial\"}]}")));
    buf_free(&out);
    swap_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_hours), cmocka_unit_test(test_what_is_counted), cmocka_unit_test(test_what_is_asked_for_at_an_address),
        cmocka_unit_test(test_what_is_told) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
