/* Versions: found in what programs print, compared as people mean them. */
#include "backend/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_a_version_is_found_in_what_a_program_says(void **state)
{
    static const struct {
        struct str said;
        const char *version; /* NULL: none */
    } rows[] = {
        { STR("0.31.2\n"), "0.31.2" },
        { STR("mlx-lm, version 0.31.2"), "0.31.2" },
        { STR("v1.4.0-rc1 (abc1234)"), "1.4.0-rc1" },
        { STR("whisper.cpp b4567\nversion: 1.7.5+cuda12."), "1.7.5+cuda12" },
        { STR("version: 4567 (deadbeef)"), "4567" },
        { STR("build 12, then 1.2"), "1.2" },
        { STR("torch-2.4.1 is no word of its own, 3.0.1 is"), "3.0.1" },
        { STR("no version"), NULL },
        { STR(""), NULL },
        { STR("b4567 x1"), NULL },
        { STR("1111111111111111111111111111111111111111111111111111111111111111111111111.2"), NULL },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        char out[VERSION_BYTES] = "";
        assert_int_equal(version_find(rows[i].said, out), rows[i].version != NULL);
        assert_string_equal(out, rows[i].version ? rows[i].version : "");
    }
}

static void test_versions_are_in_order(void **state)
{
    static const char *const order[] = { "0.9", "0.10.0rc1", "0.10", "0.10.1", "0.31.2-rc1", "0.31.2", "0.31.10", "1.0", "4567",
        "99999999999999999999" };
    for (size_t a = 0; a < COUNTOF(order); a++)
        for (size_t b = 0; b < COUNTOF(order); b++) {
            int got = version_compare(str_of(order[a]), str_of(order[b]));
            if ((got > 0) - (got < 0) != (a > b) - (a < b))
                fail_msg("%s against %s: %d", order[a], order[b], got);
        }
    assert_int_equal(version_compare(STR("1.0"), STR("1.0.0")), 0);
    assert_int_equal(version_compare(STR("1.2+cuda12"), STR("1.2")), 0);
    assert_true(version_compare(STR("1.2.post1"), STR("1.2")) == 0);
    assert_true(version_compare(STR("1.2rc2"), STR("1.2rc1")) > 0);
    assert_true(version_compare(STR("1.2.dev1"), STR("1.2")) < 0);
}

static void test_what_is_wanted_goes_by_the_architecture(void **state)
{
    static const struct str gemma[] = { STR("0.28"), STR("gemma4=0.31.2"), STR("qwen3_next=0.29") }, one[] = { STR("gemma4=0.31.2") };
    static const struct {
        const char *command;
        struct str architecture, wanted;
        bool only_one;
    } rows[] = {
        { "serve --model mlx-community/Gemma-4-e4b", STR(""), STR("0.31.2"), false },
        { "serve --model Qwen3-Next-80B", STR(""), STR("0.29"), false },
        { "serve --model other", STR(""), STR("0.28"), false },
        { "serve --model other", STR("gemma4"), STR("0.31.2"), false },
        { "serve --model Gemma-4-e4b", STR("llama"), STR("0.28"), false },
        { "serve --model other", STR(""), STR("0.31.2"), true },
        { "serve --model other", STR("llama"), STR(""), true },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct conf_model m = { .name = STR("m"), .command = str_of(rows[i].command),
            .min_version = rows[i].only_one ? (struct conf_strs){ one, 1 } : (struct conf_strs){ gemma, 3 } };
        assert_true(str_eq(version_wanted(&m, rows[i].architecture), rows[i].wanted));
    }
}

static void test_the_program_is_asked(void **state)
{
    struct conf_model m = { .name = STR("m") };
    char out[VERSION_BYTES];
    struct err e;
    m.version_command = STR("echo 'a program' 1.2.3");
    assert_int_equal(version_ask(&m, out, &e), ERR_OK);
    assert_string_equal(out, "1.2.3");
    static const struct str none[] = { STR("echo none"), STR("false"), STR("/none/such 1.2"), STR("'open"), STR("") };
    for (size_t i = 0; i < COUNTOF(none); i++) {
        m.version_command = none[i];
        assert_int_not_equal(version_ask(&m, out, &e), ERR_OK);
        assert_true(e.text[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_version_is_found_in_what_a_program_says),
        cmocka_unit_test(test_versions_are_in_order),
        cmocka_unit_test(test_what_is_wanted_goes_by_the_architecture),
        cmocka_unit_test(test_the_program_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
