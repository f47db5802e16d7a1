/* Columns, and how sizes and times read. */
#include "cli/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_columns_are_as_wide_as_their_widest_cell(void **state)
{
    static const char *const heads[] = { "A", "LONG", "C" };
    struct table t;
    struct buf out = { 0 };
    table_init(&t, heads, COUNTOF(heads));
    table_cell(&t, STR("größer")); /* six characters, eight bytes */
    table_int(&t, 7);
    table_cell(&t, STR(""));
    table_note(&t, STR("why\x1b[31m"));
    table_cell(&t, STR("b"));
    table_int(&t, -1);
    table_cell(&t, STR("x"));
    table_print(&t, &out);
    buf_add_char(&out, 0);
    assert_string_equal(out.p, "A       LONG  C\n"
                               "größer  7     -\n"
                               "    why?[31m\n"
                               "b       -     x\n");
    buf_free(&out);
    table_fini(&t);
}

static void test_sizes_and_times_are_short(void **state)
{
    static const struct {
        int64_t v;
        const char *bytes, *ms;
    } rows[] = {
        { -1, "", "" },
        { 0, "0 B", "0 s" },
        { 1023, "1023 B", "1 s" },
        { 1536, "1.5 KiB", "1 s" },
        { 135 * 1024 * 1024, "135 MiB", "39 h" },
        { (int64_t)5 << 30, "5.0 GiB", "62 d" },
        { 119999, "117 KiB", "119 s" },
        { 120000, "117 KiB", "2 min" },
        { INT64_MAX, "8388608 TiB", "106751991167 d" },
    };
    char text[32];
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        assert_string_equal(show_bytes(rows[i].v, text).p, rows[i].bytes);
        assert_string_equal(show_ms(rows[i].v, text).p, rows[i].ms);
    }
}

static void test_money_has_as_many_digits_as_it_needs(void **state)
{
    static const struct { double v; const char *text; } rows[] = {
        { 0, "0.00" }, { 0.00034, "0.000340" }, { 0.01, "0.01" }, { 12.346, "12.35" }, { 1234567, "1234567.00" },
    };
    char text[32];
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_string_equal(show_money(rows[i].v, text).p, rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(test_sizes_and_times_are_short),
        cmocka_unit_test(test_money_has_as_many_digits_as_it_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
