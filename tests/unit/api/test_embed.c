/* Embeddings: numbers and base64 in, numbers and base64 out, cut, and refused when they are none. */
#include "api/embed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define ITEM(i, embedding) "{\"index\":" #i ",\"embedding\":" embedding "}"
#define DATA(items) "{\"data\":[" items "]}"
#define OUT(i, embedding) "{\"object\":\"embedding\",\"index\":" #i ",\"embedding\":" embedding "}"
#define LIST(items) "{\"object\":\"list\",\"data\":[" items "],\"model\":\"m\"}"

/* Takes each answer of the list (each for `count` inputs) and writes; out is empty after an error. */
static enum err_code convert(const struct embeddings_wish *w, const char *const *answers, size_t count, struct buf *out, bool *differ, struct err *e)
{
    const struct tokens unknown = { -1, -1, -1, -1 };
    struct embeddings *v = embeddings_new(w);
    enum err_code rc = ERR_OK;
    for (size_t i = 0; answers[i] && !rc; i++) {
        struct json_doc d;
        assert_int_equal(json_parse(&d, str_of(answers[i]), e), ERR_OK);
        rc = embeddings_take(v, d.root, count, e);
        if (!rc)
            *differ = embeddings_differ(v, d.root);
        json_free(&d);
    }
    if (!rc)
        embeddings_write(v, &unknown, STR(""), out);
    embeddings_free(v);
    return rc;
}

static void test_every_form_becomes_every_other(void **state)
{
    static const struct { bool base64; int64_t dimensions; const char *answers[3]; const char *want; bool differ; } cases[] = {
        { false, 0, { DATA(ITEM(0, "[1,-0.5]")) }, LIST(OUT(0, "[1,-0.5]")), false },
        { false, 0, { DATA(ITEM(0, "\"AACAPwAAAL8=\"")) }, LIST(OUT(0, "[1,-0.5]")), true },
        { true, 0, { DATA(ITEM(0, "[1,-0.5]")) }, LIST(OUT(0, "\"AACAPwAAAL8=\"")), true },
        { true, 0, { DATA(ITEM(0, "\"AACAPwAAAL8=\"")) }, LIST(OUT(0, "\"AACAPwAAAL8=\"")), false },
        { true, 0, { DATA(ITEM(0, "\"AACAPwAAAL8\"")) }, LIST(OUT(0, "\"AACAPwAAAL8=\"")), false },  /* without its padding */
        { true, 0, { DATA(ITEM(0, "[0]")) }, LIST(OUT(0, "\"AAAAAA==\"")), true },
        { true, 0, { DATA(ITEM(0, "[1,2,3]")) }, LIST(OUT(0, "\"AACAPwAAAEAAAEBA\"")), true },
        { false, 2, { DATA(ITEM(0, "[3,4,12]")) }, LIST(OUT(0, "[0.600000024,0.800000012]")), true },
        { false, 2, { DATA(ITEM(0, "[3,4]")) }, LIST(OUT(0, "[3,4]")), false },                      /* heeded: as it is */
        { false, 1, { DATA(ITEM(0, "[0,5]")) }, LIST(OUT(0, "[0]")), true },                        /* of no length: stays */
        { false, 0, { DATA(ITEM(0, "[1]")), DATA(ITEM(0, "[2]")) }, LIST(OUT(0, "[1]") "," OUT(1, "[2]")), false },
        { false, 0, { DATA(ITEM(0, "[0,10,-1.5,0.25,1e-5,9.5,-0.00012345,1e20,12345678]")) },
          LIST(OUT(0, "[0,10,-1.5,0.25,9.99999975e-06,9.5,-0.000123449994,1.00000002e+20,12345678]")), false },
        { false, 0, { DATA("{\"embedding\":[0.1]}") }, LIST(OUT(0, "[0.100000001]")), false },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct embeddings_wish w = { .base64 = cases[i].base64, .dimensions = cases[i].dimensions, .model = STR("m") };
        struct buf out = { 0 };
        struct err e;
        bool differ = false;
        assert_int_equal(convert(&w, cases[i].answers, 1, &out, &differ, &e), ERR_OK);
        if (!str_eq(buf_str(&out), str_of(cases[i].want)) || differ != cases[i].differ)
            fail_msg("case %zu: %.*s", i, STR_ARG(buf_str(&out)));
        buf_free(&out);
    }
}

static void test_what_is_no_embedding_is_refused(void **state)
{
    static const struct { size_t count; int64_t dimensions; const char *answers[3]; enum err_code code; } cases[] = {
        { 2, 0, { DATA(ITEM(0, "[1]")) }, ERR_UP_GARBLED },
        { 1, 0, { DATA(ITEM(0, "[1]") "," ITEM(1, "[1]")) }, ERR_UP_GARBLED },
        { 2, 0, { DATA(ITEM(1, "[1]") "," ITEM(0, "[1]")) }, ERR_UP_GARBLED },
        { 1, 0, { DATA("{\"index\":\"0\",\"embedding\":[1]}") }, ERR_UP_GARBLED },
        { 2, 0, { DATA(ITEM(0, "[1,2]") "," ITEM(1, "[1]")) }, ERR_UP_GARBLED },
        { 1, 0, { DATA(ITEM(0, "[1,2]")), DATA(ITEM(0, "[1]")) }, ERR_UP_GARBLED },
        { 1, 0, { DATA(ITEM(0, "[]")) }, ERR_UP_GARBLED },
        { 1, 0, { DATA(ITEM(0, "null")) }, ERR_UP_GARBLED },
        { 1, 0, { DATA(ITEM(0, "[1,\"2\"]")) }, ERR_UP_GARBLED },
        { 1, 0, { DATA(ITEM(0, "[1,null]")) }, ERR_UP_GARBLED },
        { 1, 0, { DATA(ITEM(0, "[[1]]")) }, ERR_UP_GARBLED },
        { 1, 0, { DATA(ITEM(0, "[1e300]")) }, ERR_UP_GARBLED },             /* no float32 */
        { 1, 0, { DATA(ITEM(0, "\"AADAfw==\"")) }, ERR_UP_GARBLED },        /* NaN */
        { 1, 0, { DATA(ITEM(0, "\"AACAfw==\"")) }, ERR_UP_GARBLED },        /* infinity */
        { 1, 0, { DATA(ITEM(0, "\"AACAPwA=\"")) }, ERR_UP_GARBLED },        /* no whole float */
        { 1, 0, { DATA(ITEM(0, "\"AAC!Pw==\"")) }, ERR_UP_GARBLED },
        { 1, 0, { DATA("7") }, ERR_UP_GARBLED },
        { 1, 0, { "{\"data\":{}}" }, ERR_UP_GARBLED },
        { 1, 3, { DATA(ITEM(0, "[1,2]")) }, ERR_INVALID_REQUEST },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct embeddings_wish w = { .dimensions = cases[i].dimensions, .model = STR("m") };
        struct buf out = { 0 };
        struct err e;
        bool differ;
        enum err_code rc = convert(&w, cases[i].answers, cases[i].count, &out, &differ, &e);
        if (rc != cases[i].code)
            fail_msg("case %zu: %d", i, (int)rc);
        buf_free(&out);
    }
}

static void test_floats_survive_the_way_through_text(void **state)
{
    enum { MANY = 4000 };
    static float some[MANY] = { 0.1f, -3.4028235e38f, 1.17549435e-38f, 1e-45f, 0.333333343f, 16777217.0f, 0, -0.0f, 1, -1, 9.99999905f, 10, 0.999999940f,
        9.99999975e-06f, 1.00000007e-05f, -1e-4f, 0.0999999940f, 5e-6f };
    uint32_t x = 1;
    for (size_t i = 32; i < MANY; i++) {
        x = x * 1664525u + 1013904223u;
        uint32_t bits = (x & 0x807fffffu) | (100u + (x >> 9) % 40u) << 23; /* 1e-8 to 4096, and below 0 */
        memcpy(&some[i], &bits, sizeof bits);
    }
    struct buf in = { 0 }, out = { 0 };
    struct json_doc d;
    struct err e;
    buf_lit(&in, "{\"data\":[{\"embedding\":[");
    for (size_t i = 0; i < MANY; i++)
        buf_printf(&in, "%s%.9g", i ? "," : "", (double)some[i]);
    buf_lit(&in, "]}]}\0");
    const char *answers[] = { in.p, NULL };
    const struct embeddings_wish w = { .model = STR("m") };
    bool differ;
    assert_int_equal(convert(&w, answers, 1, &out, &differ, &e), ERR_OK);
    assert_int_equal(json_parse(&d, buf_str(&out), &e), ERR_OK);
    yyjson_val *list = yyjson_obj_get(yyjson_arr_get_first(yyjson_obj_get(d.root, "data")), "embedding");
    size_t at, n;
    yyjson_val *got;
    assert_int_equal(yyjson_arr_size(list), MANY);
    yyjson_arr_foreach(list, at, n, got) assert_true((float)yyjson_get_num(got) == some[at]);
    json_free(&d);
    buf_free(&in);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_becomes_every_other),
        cmocka_unit_test(test_what_is_no_embedding_is_refused),
        cmocka_unit_test(test_floats_survive_the_way_through_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
