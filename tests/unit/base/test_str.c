#include "base/random.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void test_nearest_finds_the_typo_and_only_that(void **state)
{
    static const struct str names[] = { { "smollm2", 7 }, { "chat", 4 }, { "vision", 6 } };
    static const struct { const char *word, *want; } cases[] = {
        { "smolm2", "smollm2" }, { "smollm", "smollm2" }, { "chta", "chat" }, { "Chat", "chat" }, { "vison", "vision" },
        { "gpt-4o", "" }, { "x", "" }, { "", "" }, { "completely-different-name", "" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct str got = str_nearest(str_of(cases[i].word), names, COUNTOF(names));
        assert_true(str_eq(got, str_of(cases[i].want)));
    }
}

static void test_numbers_must_be_whole_and_in_range(void **state)
{
    static const struct { const char *text; bool ok; int64_t want; } cases[] = {
        { "0", true, 0 }, { "-5", true, -5 }, { "9223372036854775807", true, INT64_MAX }, { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775808", false, 0 }, { "-9223372036854775809", false, 0 }, { "", false, 0 }, { "-", false, 0 }, { "1x", false, 0 },
        { " 1", false, 0 }, { "+1", false, 0 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        int64_t v = 77;
        assert_int_equal(str_to_int(str_of(cases[i].text), INT64_MIN, INT64_MAX, &v), cases[i].ok);
        assert_int_equal(v, cases[i].ok ? cases[i].want : 77);
    }
    int64_t v = 0;
    assert_false(str_to_int(STR("11"), 0, 10, &v));
    assert_false(str_to_int(STR("-0"), 0, 10, &v)); /* where no sign can be */
    assert_true(str_to_int(STR("-0"), -1, 10, &v) && v == 0);
}

static void test_cut_and_find(void **state)
{
    struct str rest;
    assert_true(str_eq(str_cut(STR("a?b?c"), '?', &rest), STR("a")));
    assert_true(str_eq(rest, STR("b?c")));
    assert_true(str_eq(str_cut(STR("abc"), '?', &rest), STR("abc")));
    assert_null(rest.p);
    assert_int_equal(str_find(STR("xxabx"), STR("ab")), 2);
    assert_int_equal(str_find(STR("xxa"), STR("ab")), -1);
    assert_int_equal(str_find(STR(""), STR("a")), -1);
    assert_true(str_eq(str_trim(STR(" \t a b\r\n")), STR("a b")));
}

static void test_a_hash_is_fnv_1a(void **state)
{
    assert_true(str_hash(STR("")) == UINT64_C(0xcbf29ce484222325)); /* the values published for it */
    assert_true(str_hash(STR("a")) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(str_hash(STR("foobar")) == UINT64_C(0x85944171f73967e8));
}

static void test_a_keyed_hash_is_siphash_1_3(void **state)
{
    static const uint64_t key[] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) }, other[] = { 1, 2 };
    static const char bytes[] = "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16";
    uint64_t seen[16];
    assert_true(random_hash(STR(""), key) == UINT64_C(0xabac0158050fc4dc)); /* of those published with it */
    for (size_t n = 0; n < COUNTOF(seen); n++) {
        seen[n] = random_hash(str_make(bytes, n), key);
        assert_true(seen[n] == random_hash(str_make(bytes, n), key) && seen[n] != random_hash(str_make(bytes, n), other));
        for (size_t i = 0; i < n; i++)
            assert_true(seen[i] != seen[n]);
    }
}

static void test_what_a_terminal_obeys_is_masked(void **state)
{
    static const struct { const char *in, *out; } cases[] = {
        { "", "" }, { "a b~", "a b~" }, { "a\nb\tc\x1b[2J\x7f", "a?b?c?[2J?" }, { "\xc2\x9b" "2J", "??2J" }, { "\xc2\x80\xc2\xa0\xc2\x9f", "??\xc2\xa0??" },
        { "\xc3\x9b\xe2\x82\x9b", "\xc3\x9b\xe2\x82\x9b" }, { "x\xc2", "x\xc2" }, { "\xc2\n", "\xc2?" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        char text[32];
        snprintf(text, sizeof text, "%s", cases[i].in);
        str_mask_controls(text, strlen(text));
        assert_string_equal(text, cases[i].out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hash_is_fnv_1a),
        cmocka_unit_test(test_a_keyed_hash_is_siphash_1_3),
        cmocka_unit_test(test_nearest_finds_the_typo_and_only_that),
        cmocka_unit_test(test_numbers_must_be_whole_and_in_range),
        cmocka_unit_test(test_cut_and_find),
        cmocka_unit_test(test_what_a_terminal_obeys_is_masked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
