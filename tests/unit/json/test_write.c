/* What is written reads back as what was meant. */
#include "json/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void assert_buf(struct buf *b, struct str want)
{
    if (!str_eq(buf_str(b), want))
        fail_msg("got  %.*s\nwant %.*s", STR_ARG(buf_str(b)), STR_ARG(want));
    buf_free(b);
}

static void test_commas_come_by_themselves(void **state)
{
    struct buf b = { 0 };
    struct json_out o = json_out(&b);
    struct json_doc d;
    assert_int_equal(json_parse(&d, STR("{ \"z\" : [ 1.5 , \"\\u00e9/\" , -3, 18446744073709551615 ] }"), NULL), ERR_OK);
    json_begin_object(&o);
    json_key(&o, STR("a\"b"));
    json_begin_array(&o);
    json_begin_array(&o);
    json_end_array(&o);
    json_begin_object(&o);
    json_end_object(&o);
    json_int(&o, INT64_MIN);
    json_bool(&o, true);
    json_bool(&o, false);
    json_null(&o);
    json_double(&o, 0.5, 3);
    json_string(&o, STR(""));
    json_end_array(&o);
    json_key(&o, STR("r"));
    json_raw(&o, STR("[1, 2]"));
    json_key(&o, STR("v"));
    json_value(&o, d.root);
    json_key(&o, STR("n"));
    json_value(&o, NULL);
    json_end_object(&o);
    json_free(&d);
    assert_buf(&b, STR("{\"a\\\"b\":[[],{},-9223372036854775808,true,false,null,0.5,\"\"],\"r\":[1, 2],"
                       "\"v\":{\"z\":[1.5,\"\xc3\xa9/\",-3,18446744073709551615]},\"n\":null}"));
}

static void test_doubles(void **state)
{
    static const struct { double v; int decimals; struct str want; } cases[] = {
        { 0, 3, STR("0") }, { -0.0, 3, STR("0") }, { -0.0001, 2, STR("0") }, { 1, 3, STR("1") }, { 100, 0, STR("100") }, { 1.5, 3, STR("1.5") },
        { 1.2345, 2, STR("1.23") }, { 0.1 + 0.2, 4, STR("0.3") }, { -12.5, 1, STR("-12.5") }, { 1e20, 2, STR("100000000000000000000") },
        { NAN, 2, STR("null") }, { INFINITY, 2, STR("null") }, { -INFINITY, 2, STR("null") }, { 2.5, -4, STR("2") }, { 0.05, 2, STR("0.05") }, { 999.999, 2, STR("1000") },
        { -0.004, 2, STR("0") }, { 12.34, 1, STR("12.3") }, { 7.001, 3, STR("7.001") }, { -999999999999.5, 1, STR("-999999999999.5") }, { 0.5, 0, STR("0") }, { 0.1, 99, STR("0.10000000000000001") },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf b = { 0 };
        struct json_out o = json_out(&b);
        json_double(&o, cases[i].v, cases[i].decimals);
        assert_buf(&b, cases[i].want);
    }
    struct buf b = { 0 };
    struct json_out o = json_out(&b);
    json_double(&o, -1.7976931348623157e308, 17);
    assert_true(b.n == 310);
    buf_free(&b);
}

static void test_escapes(void **state)
{
    static const struct { struct str text, want; } cases[] = {
        { STR(""), STR("") }, { STR("plain / text <&>"), STR("plain / text <&>") },
        { STR("\"\\\b\f\n\r\t\x01\x1f\x7f"), STR("\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f") },
        { STR("a\0b"), STR("a\\u0000b") },
        { STR("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), STR("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80") },
        { STR("\xff"), STR("\xef\xbf\xbd") },
        { STR("a\xc3"), STR("a\xef\xbf\xbd") },
        { STR("\xe2\x82z"), STR("\xef\xbf\xbdz") },
        { STR("\xf0\x9f\x98"), STR("\xef\xbf\xbd") },
        { STR("\xc0\xaf"), STR("\xef\xbf\xbd\xef\xbf\xbd") },
        { STR("\xed\xa0\x80"), STR("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") },
        { STR("\xf4\x90\x80\x80"), STR("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf b = { 0 };
        json_escape(&b, cases[i].text);
        assert_buf(&b, cases[i].want);
    }
}

static void test_what_nobody_knows_is_null(void **state)
{
    struct buf b = { 0 };
    struct json_out o = json_out(&b);
    json_begin_array(&o);
    json_string_or_null(&o, STR("a"));
    json_string_or_null(&o, STR(""));
    json_int_or_null(&o, 0);
    json_int_or_null(&o, -1);
    json_end_array(&o);
    assert_buf(&b, STR("[\"a\",null,0,null]"));
}

/* Every byte at every place around the eight-byte steps: reads back as itself, or as U+FFFD where it was no UTF-8. */
static void test_every_byte_at_every_place_reads_back(void **state)
{
    for (size_t n = 1; n <= 20; n++) {
        for (size_t at = 0; at < n; at++) {
            for (int c = 0; c < 256; c++) {
                char text[20];
                struct buf b = { 0 };
                struct json_doc d;
                memset(text, 'x', n);
                text[at] = (char)c;
                struct json_out o = json_out(&b);
                json_string(&o, str_make(text, n));
                assert_int_equal(json_parse(&d, buf_str(&b), NULL), ERR_OK);
                struct str back = json_str(d.root);
                if (c < 0x80) {
                    assert_true(str_eq(back, str_make(text, n)));
                } else {
                    assert_int_equal(back.n, n + 2);
                    assert_memory_equal(back.p + at, "\xef\xbf\xbd", 3);
                }
                json_free(&d);
                buf_free(&b);
            }
        }
    }
}

/* It is looked through eight bytes at a time: each byte at each place of two eights and a rest, and sequences across their borders. */
static void test_what_means_itself(void **state)
{
    enum { N = 20 };
    static const struct { const char *bytes; bool whole; } sequences[] = {
        { "\xc3\xa9", true }, { "\xe2\x82\xac", true }, { "\xf0\x9f\x8d\xb2", true },
        { "\xc0\xaf", false }, { "\xed\xa0\x80", false }, { "\xf4\x90\x80\x80", false }, { "\xe2\x82", false },
    };
    char text[N];
    for (int c = 0; c < 0x100; c++) {
        for (size_t at = 0; at < N; at++) {
            memset(text, at % 2 ? ' ' : '~', N);
            text[at] = (char)c;
            assert_int_equal(json_means_itself(str_make(text, N)), c >= 0x20 && c < 0x80 && c != '"' && c != '\\');
        }
    }
    for (size_t i = 0; i < COUNTOF(sequences); i++) {
        size_t n = strlen(sequences[i].bytes);
        for (size_t at = 0; at + n <= N; at++) {
            memset(text, 'a', N);
            memcpy(text + at, sequences[i].bytes, n);
            assert_int_equal(json_means_itself(str_make(text, N)), sequences[i].whole);
            assert_false(n > 1 && json_means_itself(str_make(text, at + n - 1)));
        }
    }
    assert_true(json_means_itself(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commas_come_by_themselves),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_what_nobody_knows_is_null),
        cmocka_unit_test(test_every_byte_at_every_place_reads_back),
        cmocka_unit_test(test_what_means_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
