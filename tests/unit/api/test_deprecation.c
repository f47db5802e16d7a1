/* Headers of a name that goes: dates as the RFCs want them. */
#include "api/deprecation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const struct {
    const char *until, *successor;
    int64_t now_s;
    const char *headers;
} rows[] = {
    { "", "", 0, "" },
    { "2027-01-31", "", 1795219200 + 4000, "Deprecation: @1795219200\r\nSunset: Sun, 31 Jan 2027 00:00:00 GMT\r\n" },
    { "2027-01-31", "chat", 1795219200 + 86399, "Deprecation: @1795219200\r\nSunset: Sun, 31 Jan 2027 00:00:00 GMT\r\n"
      "Link: </v1/models/chat>; rel=\"successor-version\"\r\n" },
    { "2024-02-29", "org/m:q4", 1795219200, "Deprecation: @1709164800\r\nSunset: Thu, 29 Feb 2024 00:00:00 GMT\r\n"
      "Link: </v1/models/org/m%3Aq4>; rel=\"successor-version\"\r\n" },
    { "1970-01-01", "", 1795219200, "Deprecation: @0\r\nSunset: Thu, 01 Jan 1970 00:00:00 GMT\r\n" },
    { "2000-12-31", "", 1795219200, "Deprecation: @978220800\r\nSunset: Sun, 31 Dec 2000 00:00:00 GMT\r\n" },
};

static void test_headers_are_those_of_the_day(void **state)
{
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct deprecation d = { STR("old"), str_of(rows[i].until), str_of(rows[i].successor) };
        struct buf out = { 0 };
        deprecation_put_headers(&d, rows[i].now_s, &out);
        if (!str_eq(buf_str(&out), str_of(rows[i].headers)))
            fail_msg("row %zu: %.*s", i, STR_ARG(buf_str(&out)));
        buf_free(&out);
    }
}

static void test_an_old_name_goes_before_its_model(void **state)
{
    struct conf_model model = { .name = STR("m"), .deprecated = STR("2027-01-31"), .successor = STR("n") };
    struct conf_alias alias = { .name = STR("old"), .to = STR("m"), .deprecated = STR("2026-12-31") };
    struct decision d = { .alias = &alias, .leaving = &model };
    assert_true(str_eq(deprecation_of(&d).name, STR("old")));
    assert_true(str_eq(deprecation_of(&d).successor, STR("m")));
    d.alias = NULL;
    assert_true(str_eq(deprecation_of(&d).name, STR("m")));
    d.leaving = NULL;
    assert_int_equal(deprecation_of(&d).until.n, 0);
    model.deprecated = STR("");
    assert_int_equal(deprecation_of_model(&model).until.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_headers_are_those_of_the_day), cmocka_unit_test(test_an_old_name_goes_before_its_model) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
