/* hob fit: figures as people write them, and the answer with everything in it. */
#include "cli/fit.h"

#include "json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

const struct command *const cli_commands[] = { NULL };

static void test_figures(void **state)
{
    static const struct {
        bool (*read)(struct str s, int64_t *out);
        const char *text;
        int64_t value;          /* 0: refused */
    } rows[] = {
        { fit_read_tokens, "4096", 4096 }, { fit_read_tokens, "4k", 4096 }, { fit_read_tokens, "32K", 32768 }, { fit_read_tokens, "1M", 1 << 20 },
        { fit_read_tokens, "1.5k", 1536 }, { fit_read_tokens, "", 0 }, { fit_read_tokens, "0", 0 }, { fit_read_tokens, "-4", 0 }, { fit_read_tokens, "4x", 0 },
        { fit_read_tokens, "4 k", 4096 }, { fit_read_tokens, "k", 0 }, { fit_read_tokens, "4.", 0 }, { fit_read_tokens, ".5k", 0 }, { fit_read_tokens, "3G", 0 },
        { fit_read_tokens, "9223372036854775807k", 0 }, { fit_read_tokens, "99999999999999999999", 0 },
        { fit_read_bytes, "48GiB", INT64_C(48) << 30 }, { fit_read_bytes, "48G", INT64_C(48) << 30 }, { fit_read_bytes, "48gb", INT64_C(48000000000) },
        { fit_read_bytes, "23.5 GiB", INT64_C(47) << 29 }, { fit_read_bytes, "16000MB", INT64_C(16000000000) }, { fit_read_bytes, "512", 512 },
        { fit_read_bytes, "1TiB", INT64_C(1) << 40 }, { fit_read_bytes, "48Gigs", 0 }, { fit_read_bytes, "9999999TiB", 0 },
        { fit_read_params, "70B", INT64_C(70000000000) }, { fit_read_params, "1.5b", 1500000000 }, { fit_read_params, "0.5B", 500000000 },
        { fit_read_params, "135M", 135000000 }, { fit_read_params, "1T", INT64_C(1000000000000) }, { fit_read_params, "8x7B", 0 }, { fit_read_params, "0", 0 },
        { fit_read_params, "1.123456789012345678901B", 1123456789 },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        int64_t v = 0;
        bool ok = rows[i].read(str_of(rows[i].text), &v);
        if (ok != (rows[i].value != 0) || (ok && v != rows[i].value))
            fail_msg("'%s' is %lld", rows[i].text, (long long)v);
    }
}

static const struct calibration measured[] = {
    { .settings = "aa", .estimated_bytes = 200, .projected_bytes = 180, .idle_bytes = 190, .busy_bytes = 210, .at_s = 1000 },
    { .settings = "bb", .estimated_bytes = 300, .idle_bytes = 290, .at_s = 900 },
};

static void make_report(struct fit_report *r, struct fit_subject *s)
{
    static struct shape_layer layer = { .kv_heads = 1, .k_len = 32, .v_len = 32 };
    *s = (struct fit_subject){ .name = "m", .shape = { .architecture = "llama", .layer = &layer, .layers = 1, .params = 1000, .params_active = 1000,
        .quant = "q8_0", .context_train = 4096, .whole_known = true, .formula = "attention" } };
    *r = (struct fit_report){ .subject = s, .room = 1000, .nrows = 2, .largest_context = 512, .show_measured = true, .measured = measured,
        .nmeasured = COUNTOF(measured), .settings = "aa" };
    for (size_t i = 0; i < 2; i++)
        r->rows[i] = (struct fit_row){ .ask = { .context = 256 * (int64_t)(i + 1), .slots = 1, .kv_k = STR("f16"), .kv_v = STR("f16"), .ubatch = 512 },
            .terms = { .weights = 100, .kv = 50, .total = 150 }, .total = i ? 2000 : 210, .source = i ? FIT_ESTIMATE : FIT_MEASURED, .fits = !i,
            .warnings = { { "kv_coarse", "keys and values are coarse" } }, .nwarnings = 1 };
}

static int64_t int_of(yyjson_val *o, const char *key)
{
    assert_true(yyjson_is_int(yyjson_obj_get(o, key)));
    return yyjson_get_sint(yyjson_obj_get(o, key));
}

static void test_the_object(void **state)
{
    struct fit_report r;
    struct fit_subject s;
    struct buf out = { 0 };
    struct json_doc d = { 0 };
    struct err e;
    make_report(&r, &s);
    fit_show_json(&r, &out);
    assert_int_equal(json_parse(&d, buf_str(&out), &e), ERR_OK);
    yyjson_val *row = yyjson_arr_get(yyjson_obj_get(d.root, "rows"), 0), *first = yyjson_arr_get(yyjson_obj_get(d.root, "measured"), 0);
    assert_int_equal(int_of(d.root, "schema"), 1);
    assert_int_equal(int_of(d.root, "largest_context"), 512);
    assert_true(yyjson_is_null(yyjson_obj_get(d.root, "machine")));
    assert_int_equal(int_of(row, "total_bytes"), 210);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(row, "source")), "measured");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(row, "verdict")), "fits, but");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(yyjson_arr_get(yyjson_obj_get(row, "warnings"), 0), "code")), "kv_coarse");
    assert_int_equal(int_of(first, "idle_bytes"), 190);
    assert_true(yyjson_get_bool(yyjson_obj_get(first, "same_settings")));
    assert_true(yyjson_is_null(yyjson_obj_get(yyjson_arr_get(yyjson_obj_get(d.root, "measured"), 1), "busy_bytes")));
    json_free(&d);
    buf_free(&out);
}

static bool says(const struct buf *out, const char *words)
{
    return str_find(buf_str(out), str_of(words)) >= 0;
}

static void test_the_table(void **state)
{
    struct fit_report r;
    struct fit_subject s;
    struct buf out = { 0 };
    make_report(&r, &s);
    fit_show_table(&r, &out);
    assert_true(says(&out, "does not fit") && says(&out, "fits, but") && says(&out, "measured"));
    assert_true(says(&out, "largest context that fits: 512 tokens (f16, 1 slot)"));
    ptrdiff_t at = str_find(buf_str(&out), STR("keys and values are coarse"));
    assert_true(at > 0 && str_find(str_from(buf_str(&out), (size_t)at + 1), STR("keys and values are coarse")) < 0); /* once, though both rows have it */
    assert_true(says(&out, "THESE SETTINGS") && says(&out, "190 B"));
    buf_reset(&out, 0);
    r.nmeasured = 0;
    r.largest_context = 0;
    fit_show_table(&r, &out);
    assert_true(says(&out, "nothing was measured yet") && says(&out, "no context fits"));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_the_object),
        cmocka_unit_test(test_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
