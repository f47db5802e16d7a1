/* Values back to bytes, and edits of bytes. */
#include "json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct str cut(struct str text, struct json_span s)
{
    return str_make(text.p + s.at, s.end - s.at);
}

static void assert_str(struct str got, struct str want)
{
    if (!str_eq(got, want))
        fail_msg("got  %.*s\nwant %.*s", STR_ARG(got), STR_ARG(want));
}

static void test_members_are_found_to_the_byte(void **state)
{
    static const struct { struct str text, name, key, value; } cases[] = {
        { STR("{\"a\":1}"), STR("a"), STR("\"a\""), STR("1") },
        { STR(" \n{ \"x\\\"y\" : [ 1 , \"]\" ] , \"a\"\t:\r{\"}\\\\\":{}} }"), STR("a"), STR("\"a\""), STR("{\"}\\\\\":{}}") },
        { STR(" \n{ \"x\\\"y\" : [ 1 , \"]\" ] , \"a\"\t:\r{\"}\\\\\":{}} }"), STR("x\"y"), STR("\"x\\\"y\""), STR("[ 1 , \"]\" ]") },
        { STR("{\"\\u0061\\u00e9\":\"\\\\\"}"), STR("a\xc3\xa9"), STR("\"\\u0061\\u00e9\""), STR("\"\\\\\"") },
        { STR("{\"\":\"\"}"), STR(""), STR("\"\""), STR("\"\"") },
        { STR("{\"\\ud83d\\ude00\\n\":null,\"\\\\\":-1.5e3}"), STR("\\"), STR("\"\\\\\""), STR("-1.5e3") },
        { STR("{\"\\\"\\\"\\\"\\\"\":true ,\"b\":false}"), STR("b"), STR("\"b\""), STR("false") },
        { STR("{\"\\\"\\\"\\\"\\\"\":true ,\"b\":false}"), STR("\"\"\"\""), STR("\"\\\"\\\"\\\"\\\"\""), STR("true") },
        { STR("{\"a\":[[],{},[{\"a\":[]}]],\"model\":\"m\"}"), STR("model"), STR("\"model\""), STR("\"m\"") },
        { STR("{\"nul\\u0000\":0}"), STR("nul\0"), STR("\"nul\\u0000\""), STR("0") },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_doc d;
        struct json_member m;
        assert_int_equal(json_parse(&d, cases[i].text, NULL), ERR_OK);
        assert_true(json_find_member(&d, d.root, cases[i].name, &m));
        assert_str(cut(d.text, m.key), cases[i].key);
        assert_str(cut(d.text, m.value), cases[i].value);
        assert_false(json_find_member(&d, d.root, STR("absent"), &m));
        json_free(&d);
    }
}

static void test_members_of_inner_objects(void **state)
{
    const struct str text = STR("{\"a\\n\":[{\"k\":1},{\"k\" : \"\\ud83d\\ude00\" , \"o\":{\"k\":[3]}}]}");
    struct json_doc d;
    struct json_member m;
    assert_int_equal(json_parse(&d, text, NULL), ERR_OK);
    yyjson_val *list = yyjson_obj_get(d.root, "a\n"), *second = yyjson_arr_get(list, 1);
    assert_false(json_find_member(&d, list, STR("k"), &m));
    assert_false(json_find_member(&d, NULL, STR("k"), &m));
    assert_true(json_find_member(&d, yyjson_arr_get(list, 0), STR("k"), &m));
    assert_str(cut(text, m.value), STR("1"));
    assert_true(json_find_member(&d, second, STR("k"), &m));
    assert_str(cut(text, m.value), STR("\"\\ud83d\\ude00\""));
    assert_true(json_find_member(&d, yyjson_obj_get(second, "o"), STR("k"), &m));
    assert_str(cut(text, m.value), STR("[3]"));
    json_free(&d);
}

/* The in-situ parse moves nothing but a string's own bytes: every string of a text with escapes everywhere starts where it did. */
static void test_strings_stay_where_they_were(void **state)
{
    const struct str text = STR("[\"\\n\",\"a\",\"\\u00e9\\u00e9\",\"\",\"\\\\\\\\\",\"b\",{\"\\t\":\"c\"},\"\xf0\x9f\x98\x80\\\"\",\"d\"]");
    static const struct str raw[] = { STR("\\n\","), STR("a\","), STR("\\u00e9\\u00e9\""), STR("\",\"\\\\"), STR("\\\\\\\\\""), STR("b\","), STR("\xf0\x9f\x98\x80\\\"") };
    static const size_t index[] = { 0, 1, 2, 3, 4, 5, 7 };
    struct json_doc d;
    assert_int_equal(json_parse(&d, text, NULL), ERR_OK);
    for (size_t i = 0; i < COUNTOF(raw); i++) {
        size_t at = (size_t)(yyjson_get_str(yyjson_arr_get(d.root, index[i])) - d.copy);
        assert_true(str_starts(str_from(text, at), raw[i]));
        assert_int_equal(text.p[at - 1], '"');
    }
    json_free(&d);
}

static void test_ends_of_values(void **state)
{
    static const struct { struct str text; size_t end; } cases[] = {
        { STR("1"), 1 }, { STR("12,"), 2 }, { STR("-1e5]"), 4 }, { STR("true}"), 4 }, { STR("null "), 4 }, { STR("\"a\\\"b\\\\\",1"), 8 }, { STR("\"\"x"), 2 },
        { STR("[]]"), 2 }, { STR("{\"}\":\"]\\\"}\"},2"), 12 }, { STR("[[[]],{}] "), 9 }, { STR("[1"), 2 }, { STR("\"abc"), 4 }, { STR("\"a\\\""), 4 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++)
        assert_int_equal(json_skip_value(cases[i].text, 0), cases[i].end);
    assert_int_equal(json_skip_value(STR("x"), 5), 1);
}

static void test_inside_of_objects(void **state)
{
    static const struct { struct str text; const char *pointer; size_t at; } cases[] = {
        { STR("{}"), "", 1 }, { STR("  { } "), "", 3 }, { STR("{ \n\"a\":{}}"), "", 1 }, { STR("{ \n\"a\" : { }}"), "/a", 10 },
        { STR("[{},{},{}]"), "/0", 2 }, { STR("[{},{},{}]"), "/1", 5 }, { STR("[{},{},{}]"), "/2", 8 },
        { STR("[\"{\\\"{\",{\"{\":\"{{\"},[{},{ \"x\":{}}]]"), "/2/0", 21 },
        { STR("[\"{\\\"{\",{\"{\":\"{{\"},[{},{ \"x\":{}}]]"), "/2/1", 24 },
        { STR("[\"{\\\"{\",{\"{\":\"{{\"},[{},{ \"x\":{}}]]"), "/2/1/x", 30 },
        { STR("[\"\",{}]"), "/1", 5 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_doc d;
        assert_int_equal(json_parse(&d, cases[i].text, NULL), ERR_OK);
        assert_int_equal(json_object_inside(&d, yyjson_doc_ptr_get(d.doc, cases[i].pointer)), cases[i].at);
        json_free(&d);
    }
}

static void test_splices(void **state)
{
    const struct str text = STR("0123456789");
    static const struct { struct json_edit edits[3]; size_t n; struct str want; size_t pieces; } cases[] = {
        { { { 0 } }, 0, STR("0123456789"), 1 },
        { { { 0, 10, STR("") } }, 1, STR(""), 0 },
        { { { 0, 0, STR("a") } }, 1, STR("a0123456789"), 2 },
        { { { 10, 0, STR("z") } }, 1, STR("0123456789z"), 2 },
        { { { 2, 3, STR("abc") }, { 5, 0, STR("d") }, { 9, 1, STR("") } }, 3, STR("01abcd5678"), 4 },
        { { { 1, 1, STR("A") }, { 3, 1, STR("B") }, { 5, 1, STR("C") } }, 3, STR("0A2B4C6789"), 7 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf one = { 0 }, two = { 0 };
        struct str pieces[7];
        json_splice(&one, text, cases[i].edits, cases[i].n);
        assert_str(buf_str(&one), cases[i].want);
        size_t n = json_splice_pieces(pieces, text, cases[i].edits, cases[i].n);
        assert_int_equal(n, cases[i].pieces);
        for (size_t j = 0; j < n; j++)
            buf_add(&two, pieces[j]);
        assert_str(buf_str(&two), cases[i].want);
        buf_free(&one);
        buf_free(&two);
    }
}

/* Cuts the members named by the letters of `names`, all at once. */
static void cut_all(struct buf *out, struct str text, const char *names)
{
    struct json_doc d;
    struct json_member m[8];
    struct json_edit edits[8];
    size_t n = strlen(names);
    assert_int_equal(json_parse(&d, text, NULL), ERR_OK);
    for (size_t i = 0; i < n; i++)
        assert_true(json_find_member(&d, d.root, str_make(&names[i], 1), &m[i]));
    size_t count = json_cut_members(text, m, n, edits);
    assert_true(count <= n);
    json_splice(out, text, edits, count);
    if (n == 1) {
        struct json_edit one = json_cut_member(text, m);
        assert_true(count == 1 && one.at == edits[0].at && one.cut == edits[0].cut);
    }
    json_free(&d);
}

static void test_cut_members_bytes(void **state)
{
    static const struct { struct str text; const char *names; struct str want; } cases[] = {
        { STR("{\"a\":1,\"b\":2,\"c\":3}"), "a", STR("{\"b\":2,\"c\":3}") },
        { STR("{\"a\":1,\"b\":2,\"c\":3}"), "b", STR("{\"a\":1,\"c\":3}") },
        { STR("{\"a\":1,\"b\":2,\"c\":3}"), "c", STR("{\"a\":1,\"b\":2}") },
        { STR("{\"a\":1}"), "a", STR("{}") },
        { STR(" { \"a\" : 1 } "), "a", STR(" {  } ") },
        { STR("{ \"a\" : 1 , \"b\" : 2 }"), "a", STR("{ \"b\" : 2 }") },
        { STR("{ \"a\" : 1 , \"b\" : 2 }"), "b", STR("{ \"a\" : 1  }") },
        { STR("{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}"), "b", STR("{\n  \"a\": 1,\n  \"c\": 3\n}") },
        { STR("{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}"), "c", STR("{\n  \"a\": 1,\n  \"b\": 2\n}") },
        { STR("{\"a\":\"},{\",\"b\":\"\\\",\"}"), "a", STR("{\"b\":\"\\\",\"}") },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf b = { 0 };
        cut_all(&b, cases[i].text, cases[i].names);
        assert_str(buf_str(&b), cases[i].want);
        buf_free(&b);
    }
}

/* Every subset of five members, with blanks anywhere: exactly the others stay. */
static void test_every_subset_can_be_cut(void **state)
{
    static const struct str texts[] = {
        STR("{\"a\":1,\"b\":[2,{}],\"c\":\"3,\",\"d\":{\"x\":1},\"e\":null}"),
        STR(" \t{ \"a\" : 1 \n, \"b\" : [2, {}] , \"c\" : \"3,\"\r\n,\"d\":{ \"x\":1 }, \"e\" : null } "),
    };
    for (size_t t = 0; t < COUNTOF(texts); t++) {
        for (unsigned set = 0; set < 32; set++) {
            char names[6] = "";
            size_t n = 0;
            struct buf b = { 0 };
            struct json_doc d;
            for (unsigned i = 0; i < 5; i++)
                if (set >> i & 1)
                    names[n++] = (char)('a' + i);
            cut_all(&b, texts[t], names);
            assert_int_equal(json_parse(&d, buf_str(&b), NULL), ERR_OK);
            assert_int_equal(yyjson_obj_size(d.root), 5 - n);
            for (unsigned i = 0; i < 5; i++)
                assert_int_equal(yyjson_obj_getn(d.root, &"abcde"[i], 1) == NULL, set >> i & 1);
            json_free(&d);
            buf_free(&b);
        }
    }
}

/* Any number of strings replaced, of which none, all or every other one is. */
static void test_strings_are_changed_where_they_stand(void **state)
{
    struct str text = STR("[ \"a\" , {\"k\":\"\\u00e9\"},\"\", \"\\\"\" ]");
    static const struct { unsigned which; const char *out; } cases[] = {
        { 0, "[ \"a\" , {\"k\":\"\\u00e9\"},\"\", \"\\\"\" ]" },
        { 1, "[ <0> , {\"k\":\"\\u00e9\"},\"\", \"\\\"\" ]" },
        { 10, "[ \"a\" , {\"k\":<1>},\"\", <3> ]" },
        { 15, "[ <0> , {\"k\":<1>},<2>, <3> ]" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_doc d;
        struct json_changes changes = { .n = 0 };
        struct buf out = { 0 };
        assert_int_equal(json_parse(&d, text, NULL), ERR_OK);
        yyjson_val *strings[] = { yyjson_arr_get(d.root, 0), yyjson_obj_get(yyjson_arr_get(d.root, 1), "k"), yyjson_arr_get(d.root, 2), yyjson_arr_get(d.root, 3) };
        for (unsigned k = 0; k < COUNTOF(strings); k++)
            if (cases[i].which >> k & 1)
                buf_printf(json_changes_begin(&changes, json_string_span(&d, strings[k])), "<%u>", k);
        json_changes_write(&changes, text, &out);
        assert_str(buf_str(&out), str_of(cases[i].out));
        json_changes_free(&changes);
        buf_free(&out);
        json_free(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings_are_changed_where_they_stand),
        cmocka_unit_test(test_members_are_found_to_the_byte),
        cmocka_unit_test(test_members_of_inner_objects),
        cmocka_unit_test(test_strings_stay_where_they_were),
        cmocka_unit_test(test_ends_of_values),
        cmocka_unit_test(test_inside_of_objects),
        cmocka_unit_test(test_splices),
        cmocka_unit_test(test_cut_members_bytes),
        cmocka_unit_test(test_every_subset_can_be_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
