/* What is read, what is refused, and in which words. */
#include "json/json_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static enum err_code try(struct str text, struct err *e)
{
    struct json_doc d;
    struct json_scratch s = { 0 };
    *e = (struct err){ 0 };
    enum err_code rc = json_parse(&d, text, e);
    json_free(&d);
    enum err_code fast = json_parse_fast(&d, text, &s, NULL);
    assert_true(fast == rc || strstr(e->text, "twice"));
    json_scratch_free(&s);
    return rc;
}

static void test_what_a_tree_costs_is_known_before(void **state)
{
    static const char *const cases[] = { "1", "[]", "{}", "[1,2,[3]]", "{\"a\":{\"b\":[1,\",:[{\"]}}", "\"\"" };
    struct json_doc d;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        assert_int_equal(json_parse(&d, str_of(cases[i]), NULL), ERR_OK);
        assert_true(json_doc_bytes(&d) > 0 && json_doc_bytes(&d) <= json_tree_bytes(str_of(cases[i])));
        json_free(&d);
        assert_int_equal(json_doc_bytes(&d), 0);
    }
}

static void test_what_means_itself_needs_no_escape(void **state)
{
    static const struct { struct str text; bool plain; } cases[] = {
        { STR(""), true }, { STR("abc \x7f"), true }, { STR("\xc3\xa9\xf0\x9f\x98\x80"), true }, { STR("a\nb"), false }, { STR("a\"b"), false }, { STR("a\\b"), false }, { STR("a\xff"), false },
        { STR("a\xc3"), false }, { STR("a\0"), false },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++)
        assert_int_equal(json_means_itself(cases[i].text), cases[i].plain);
}

/* In an object that is compared key by key, and in one that is sorted; read again and again into the same memory. */
static void test_keys_are_told_apart_however_many(void **state)
{
    struct json_scratch s = { 0 };
    struct json_doc d;
    struct buf text = { 0 };
    for (int copies = 0; copies < 2; copies++)
        for (int n = 1; n < 200; n += 7) {
            buf_reset(&text, SIZE_MAX);
            buf_add_char(&text, '{');
            for (int i = 0; i < n; i++)
                buf_printf(&text, "\"%0*d\":%d,", 1 + i % 9, i, i);
            buf_printf(&text, copies ? "\"0\":[]}" : "\"\":[]}");
            struct err e = { 0 };
            enum err_code rc = json_parse_sure(&d, buf_str(&text), &s, &e);
            assert_int_equal(rc, copies ? ERR_BAD_REQUEST : ERR_OK);
            assert_int_equal(json_parse_fast(&d, buf_str(&text), &s, &e), ERR_OK);
        }
    struct err e = { 0 };
    assert_int_equal(json_parse(&d, STR("{\"a b\\u0001\":{\"\xc3\xa9\":1,\"\xc3\xa9\":2}}"), &e), ERR_BAD_REQUEST);
    assert_string_equal(e.param, "a?b?.??");
    buf_free(&text);
    json_scratch_free(&s);
}

static void test_strict_reading(void **state)
{
    static const struct { struct str text; const char *problem; } cases[] = { /* NULL: read */
        { STR("{}"), NULL }, { STR(" [ ] "), NULL }, { STR("1"), NULL }, { STR("\"\""), NULL }, { STR("null"), NULL }, { STR("-0"), NULL },
        { STR("\t\r\n {\"a\" : [1 , -2.5e+3, true,false , null,\"\\u00e9\\ud83d\\ude00\"]}\n"), NULL },
        { STR("\"\\u0000\""), NULL }, { STR("\"\x7f\""), NULL }, { STR("\"\xf0\x9f\x98\x80 \xc3\xa9 \xed\x9f\xbf\""), NULL },
        { STR("18446744073709551616"), NULL }, { STR("1e308"), NULL },
        { STR(""), "the text is empty" }, { STR(" \n"), "the text is empty" },
        { STR("{\"a\":1,}"), "line 1, column 8: expected a key in quotes, found '}'" },
        { STR("[1,]"), "column 4: expected a value, found ']'" },
        { STR("[1 2]"), "expected ',' or ']', found '2'" },
        { STR("{\"a\" 1}"), "expected ':' after the key, found '1'" },
        { STR("{a:1}"), "column 2: expected a key in quotes or '}', found 'a'" },
        { STR("{\n \"a\": tru}"), "line 2, column 7: expected a value, found 'tru'" },
        { STR("{\"\xc3\xa9\xc3\xa9\": x}"), "column 8: expected a value, found 'x'" },
        { STR("{\"a\":1} x"), "expected nothing more, found 'x'" },
        { STR("{\"a\":1}\0"), "expected nothing more, found '?'" },
        { STR("1\0"), "found '?'" }, { STR("\0"), "found '?'" },
        { STR("{\"a\":1"), "the text ends where ',' or '}' was expected" },
        { STR("{\"a\":"), "the text ends where a value was expected" },
        { STR("["), "the text ends where a value or ']' was expected" },
        { STR("[1}"), "expected ',' or ']', found '}'" },
        { STR("// hi\n{}"), "expected a value, found '//'" }, { STR("[1/**/]"), "found '/**/'" },
        { STR("NaN"), "found 'NaN'" }, { STR("[-Infinity]"), "expected a digit" }, { STR("[Infinity]"), "found 'Infinity'" },
        { STR("{'a':1}"), "found ''a''" },
        { STR("\xef\xbb\xbf{}"), "byte order mark" },
        { STR("[01]"), "may not begin with 0" }, { STR("[1.]"), "expected a digit" }, { STR("[.5]"), "expected a value" },
        { STR("[+1]"), "expected a value" }, { STR("[1e]"), "expected a digit" }, { STR("[-]"), "expected a digit" }, { STR("[0x10]"), "found 'x10'" },
        { STR("1e999"), "invalid JSON at byte" },
        { STR("[\"a\nb\"]"), "control character" }, { STR("[\"a"), "column 2: this string has no closing quote" },
        { STR("[\"\\x\"]"), "no such escape" }, { STR("[\"\\u12g4\"]"), "four hex digits" },
        { STR("[\"\\ud800\"]"), "high surrogate without" }, { STR("[\"\\ud800\\u0041\"]"), "high surrogate without" },
        { STR("[\"\\udc00\"]"), "low surrogate without" }, { STR("[\"\\ud800\\ud800\"]"), "high surrogate without" },
        { STR("[\"\xff\"]"), "not UTF-8" }, { STR("[\"\xc0\xaf\"]"), "not UTF-8" }, { STR("[\"\xed\xa0\x80\"]"), "not UTF-8" },
        { STR("[\"\xf4\x90\x80\x80\"]"), "not UTF-8" }, { STR("[\"\xe2\x82\"]"), "not UTF-8" }, { STR("[\"\xc3\"]"), "not UTF-8" },
        { STR("[abcdefghijklmnopqrstuvwxyz]"), "found 'abcdefghijklmnopqrst'" },
        { STR("[\xff\xfe]"), "expected a value or ']', found '?" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct err e;
        enum err_code rc = try(cases[i].text, &e);
        if (rc != (cases[i].problem ? ERR_INVALID_JSON : ERR_OK) || (rc && !strstr(e.text, cases[i].problem)))
            fail_msg("case %zu, %.*s: %d %s", i, STR_ARG(cases[i].text), rc, e.text);
    }
}

/* Every prefix of a text is refused, and its every single byte exchanged is either read or refused with a place. */
static void test_every_cut_and_every_byte(void **state)
{
    const struct str text = STR("{\"model\":\"m\\u00e9\\ud83d\\ude00\",\"n\":[1.5e2,{},[],null],\"\xc3\xa9\":{\"a\":true}}");
    char copy[128];
    struct err e;
    for (size_t n = 0; n < text.n; n++) {
        assert_int_equal(try(str_make(text.p, n), &e), ERR_INVALID_JSON);
        assert_non_null(strstr(e.text, "invalid JSON"));
    }
    for (size_t i = 0; i < text.n; i++) {
        for (int c = 0; c < 256; c++) {
            memcpy(copy, text.p, text.n);
            copy[i] = (char)c;
            if (try(str_make(copy, text.n), &e) == ERR_INVALID_JSON && !strstr(e.text, ", column "))
                fail_msg("byte %zu = %d: %s", i, c, e.text);
        }
    }
}

static void test_keys_given_twice(void **state)
{
    static const struct { struct str text; const char *param; } cases[] = { /* NULL: no key is */
        { STR("{\"a\":1,\"a\":1}"), "a" },
        { STR("{\"a\":1,\"b\":2,\"\\u0061\":3}"), "a" },
        { STR("{\"\":1,\"\":1}"), "" },
        { STR("{\"m\":[{\"x\":1},{\"role\":1,\"y\":{},\"role\":2}]}"), "m.1.role" },
        { STR("[[{\"a\":{\"b\":{\"c\":1,\"c\":2}}}]]"), "0.0.a.b.c" },
        { STR("{\"a\\u0000\":1,\"a\":2}"), NULL },
        { STR("{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}"), NULL },
        { STR("{\"k\\n\":1,\"k\\n\":1}"), "k?" },
        { STR("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"b\":1}"), "b" },
        { STR("{\"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd\":1,\"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd\":1}"), "aaaaaaaaaabbbbbbbbbbccccccccccdd" },
        { STR("{\"reasoning_budget_tokens\":1,\"reasoning_budget_tokens\":1}"), "reasoning_budget_tokens" }, /* our longest */
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct err e;
        enum err_code rc = try(cases[i].text, &e);
        if (rc != (cases[i].param ? ERR_BAD_REQUEST : ERR_OK) || (rc && strcmp(e.param, cases[i].param) != 0))
            fail_msg("case %zu: %d %s (%s)", i, rc, e.text, e.param);
    }
}

/* Objects of every size around the change from comparing to sorting, the repeated key at every place. */
static void test_keys_given_twice_in_objects_of_any_size(void **state)
{
    struct buf b = { 0 };
    struct err e;
    for (int n = 1; n <= 40; n++) {
        for (int twice = -1; twice < n - 1; twice++) {
            buf_reset(&b, SIZE_MAX);
            buf_add_char(&b, '{');
            for (int i = 0; i < n; i++)
                buf_printf(&b, "%s\"k%d\":0", i ? "," : "", i == n - 1 && twice >= 0 ? twice : i);
            buf_add_char(&b, '}');
            assert_int_equal(try(buf_str(&b), &e), twice < 0 ? ERR_OK : ERR_BAD_REQUEST);
        }
    }
    buf_free(&b);
}

static void test_many_keys(void **state)
{
    struct buf b = { 0 };
    struct err e;
    buf_add_char(&b, '{');
    for (int i = 0; i < 100000; i++)
        buf_printf(&b, "\"key%d\":%d,", i, i);
    size_t n = b.n;
    buf_printf(&b, "\"last\":1}");
    assert_int_equal(try(buf_str(&b), &e), ERR_OK);
    b.n = n;
    buf_printf(&b, "\"key77777\":1}");
    assert_int_equal(try(buf_str(&b), &e), ERR_BAD_REQUEST);
    assert_string_equal(e.param, "key77777");
    buf_free(&b);
}

static void test_depth(void **state)
{
    struct err e;
    for (int object = 0; object < 2; object++) {
        static const int depths[] = { 63, 64, 65, 66, 1000, 200000 };
        for (size_t i = 0; i < COUNTOF(depths); i++) {
            struct buf b = { 0 };
            for (int j = 0; j < depths[i]; j++)
                buf_add(&b, object ? STR("{\"a\":") : STR("["));
            buf_add(&b, STR("1"));
            for (int j = 0; j < depths[i]; j++)
                buf_add_char(&b, object ? '}' : ']');
            assert_int_equal(try(buf_str(&b), &e), depths[i] <= JSON_MAX_DEPTH ? ERR_OK : ERR_BAD_REQUEST);
            b.n /= 2; /* cut: both wrong and too deep */
            assert_true(try(buf_str(&b), &e) != ERR_OK);
            buf_free(&b);
        }
    }
}

static void test_failure_leaves_an_empty_document(void **state)
{
    struct json_doc d;
    memset(&d, 0xff, sizeof d);
    assert_int_equal(json_parse(&d, STR("["), NULL), ERR_INVALID_JSON);
    assert_null(d.doc);
    assert_null(d.root);
    json_free(&d);
    json_free(&d);
}

static void test_scratch_is_used_again(void **state)
{
    struct json_scratch s = { 0 };
    struct json_doc d;
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < 3000; n += 271) {
            struct buf b = { 0 };
            buf_add_char(&b, '[');
            for (size_t i = 0; i < n; i++)
                buf_lit(&b, "1,");
            buf_lit(&b, "\"e\\nd\"]");
            assert_int_equal(json_parse_fast(&d, buf_str(&b), &s, NULL), ERR_OK);
            assert_int_equal(yyjson_arr_size(d.root), n + 1);
            assert_true(str_eq(json_str(yyjson_arr_get_last(d.root)), STR("e\nd")));
            if (n % 2)
                json_free(&d); /* allowed, not needed */
            buf_free(&b);
        }
        assert_int_equal(json_parse_fast(&d, STR("[1,"), &s, NULL), ERR_INVALID_JSON);
    }
    char *copy = s.copy.p, *pool = s.pool.p;
    assert_int_equal(json_parse_fast(&d, STR("{\"a\":1}"), &s, NULL), ERR_OK);
    assert_true(s.copy.p == copy && s.pool.p == pool);
    json_scratch_free(&s);
}

/* A string of `unit` over and over, put at every place of the scanner's blocks and with every one of its bytes spoilt in turn, is judged as
 * the slow reader does. */
static void test_scanner_agrees_with_the_slow_reader(void **state)
{
    static const struct str units[] = {
        STR("plain text "), STR("\\\\\\\""), STR("\\n\\u00e9x"), STR("\\ud83d\\ude00"), STR("\\uDBFF\\uDFFF\\\\"), STR("\xc3\xa9"),
        STR("a\xe6\xbc\xa2\xe0\xa4\x84"), STR("\xed\x9f\xbf\xee\x80\x80"), STR("\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"),
    };
    static const unsigned char spoilers[] = { 0, 0x1f, '"', '\\', 'u', '8', 'd', 0x80, 0x8f, 0x90, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0xf5, 0xff };
    for (size_t i = 0; i < COUNTOF(units) && JSON_CAN_SCAN; i++)
        for (size_t shift = 0; shift < 66; shift++) {
            struct buf b = { 0 };
            buf_add_char(&b, '"');
            for (size_t k = 0; k < shift; k++)
                buf_add_char(&b, '.');
            while (b.n < 150)
                buf_add(&b, units[i]);
            buf_add_char(&b, '"');
            assert_int_equal(json_scan_string(buf_str(&b), 1), b.n - 1);
            for (size_t at = shift + 1; at < b.n; at += shift % 5 + 1)
                for (size_t k = 0; k < COUNTOF(spoilers); k++) {
                    char was = b.p[at];
                    b.p[at] = (char)spoilers[k];
                    size_t end = json_string_end(buf_str(&b), 1);
                    bool fits = end < b.n && !json_explain(str_make(b.p, end + 1), &(struct err){ 0 });
                    assert_int_equal(json_scan_string(buf_str(&b), 1), fits ? end : b.n);
                    b.p[at] = was;
                }
            buf_free(&b);
        }
}

static void test_only_long_strings_of_the_member_are_cut(void **state)
{
    static const struct json_shrink by = { .longer_than = 16, .keep = 8 };
    static const struct str text = STR("{\"a\":\"0123456789abcdefg\",\"messages\":[\"0123456789abcdef\",\"0123456789abcdefg\",{\"0123456789abcdefghi\":\"1234567\xc3\xa9""89abcdefg\"},"
                                       "\"\\ud83d\\ude00 0123456789\"],\"b\":\"0123456789abcdefg\"}");
    static const struct str want[] = { STR("0123456789abcdef"), STR("01234567"), STR("1234567"), STR("") };
    static const size_t whole[] = { 16, 17, 18, 23 };
    struct json_doc d;
    size_t i, n;
    yyjson_val *v;
    if (!JSON_CAN_SCAN)
        return;
    assert_int_equal(json_parse_shrunk(&d, text, STR("messages"), &by, NULL), ERR_OK);
    assert_int_equal(d.ngaps, 3);
    yyjson_arr_foreach(yyjson_obj_get(d.root, "messages"), i, n, v) {
        v = yyjson_is_obj(v) ? yyjson_obj_get(v, "0123456789abcdefghi") : v;
        assert_true(v && str_eq(json_str(v), want[i]));
        assert_int_equal(json_is_cut(&d, v), i > 0);
        assert_int_equal(json_length(&d, v), whole[i]);
    }
    assert_int_equal(yyjson_get_len(yyjson_obj_get(d.root, "a")), 17);
    assert_int_equal(yyjson_get_len(yyjson_obj_get(d.root, "b")), 17);
    assert_false(json_is_cut(&d, yyjson_obj_get(d.root, "b")));
    json_free(&d);
}

/* With the limits that are in use. */
static void test_large_chat(void **state)
{
    struct json_doc d, whole;
    struct json_member m, n;
    struct err e = { 0 }, why = { 0 };
    struct buf b = { 0 };
    buf_lit(&b, "{\n\"messages\":[{\"role\":\"user\",\"content\":\"");
    while (b.n < 400000)
        buf_lit(&b, "Say \\\"caf\\u00e9\\\" and \xe2\x98\x95.\\n");
    buf_lit(&b, "\"}],\"model\":\"m\"}");
    assert_int_equal(json_parse_cut(&d, buf_str(&b), STR("messages"), NULL), ERR_OK);
    assert_int_equal(json_parse(&whole, buf_str(&b), NULL), ERR_OK);
    assert_int_equal(d.ngaps, JSON_CAN_SCAN);
    assert_true(json_find_member(&d, d.root, STR("model"), &m) && json_find_member(&whole, whole.root, STR("model"), &n));
    assert_memory_equal(&m, &n, sizeof m);
    struct str said = json_str(yyjson_obj_get(yyjson_arr_get_first(yyjson_obj_get(d.root, "messages")), "content"));
    assert_true(said.n > 1000 && str_starts(said, STR("Say \"caf\xc3\xa9\" and")));
    json_free(&d);
    json_free(&whole);
    b.p[b.n - 30] = 1; /* wrong inside the string: the place is told as ever */
    assert_int_equal(json_parse_cut(&d, buf_str(&b), STR("messages"), &e), ERR_INVALID_JSON);
    assert_int_equal(json_parse(&d, buf_str(&b), &why), ERR_INVALID_JSON);
    assert_string_equal(e.text, why.text);
    b.p[b.n - 30] = '.';
    b.p[b.n - 2] = '!'; /* and behind it */
    assert_int_equal(json_parse_cut(&d, buf_str(&b), STR("messages"), &e), ERR_INVALID_JSON);
    assert_int_equal(json_parse(&d, buf_str(&b), &why), ERR_INVALID_JSON);
    assert_string_equal(e.text, why.text);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_tree_costs_is_known_before),
        cmocka_unit_test(test_what_means_itself_needs_no_escape),
        cmocka_unit_test(test_keys_are_told_apart_however_many),
        cmocka_unit_test(test_strict_reading),
        cmocka_unit_test(test_every_cut_and_every_byte),
        cmocka_unit_test(test_keys_given_twice),
        cmocka_unit_test(test_keys_given_twice_in_objects_of_any_size),
        cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_failure_leaves_an_empty_document),
        cmocka_unit_test(test_scratch_is_used_again),
        cmocka_unit_test(test_scanner_agrees_with_the_slow_reader),
        cmocka_unit_test(test_only_long_strings_of_the_member_are_cut),
        cmocka_unit_test(test_large_chat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
