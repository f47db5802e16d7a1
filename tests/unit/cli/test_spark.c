/* Numbers as a line of blocks: nothing is the lowest, the most the highest, and one among many is seen. */
#include "cli/spark.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_a_line(void **state)
{
    static const struct { double v[9]; size_t n; const char *blocks, *plain; } cases[] = {
        { { 0 }, 0, "", "" },
        { { 0, 0, 0 }, 3, "▁▁▁", "___" },
        { { 0, 5, 0 }, 3, "▁█▁", "_#_" },
        { { 1, 1000 }, 2, "▂█", ".#" },
        { { 0, 1, 2, 3, 4, 5, 6, 7 }, 8, "▁▃▄▅▆▇██", "_-~=+*##" },
        { { 1, NAN, 1 }, 3, "█ █", "# #" },
        { { NAN, NAN }, 2, "  ", "  " },
        { { -1, 2 }, 2, "▁█", "_#" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf out = { 0 }, plain = { 0 };
        spark_write(&out, cases[i].v, cases[i].n, false);
        spark_write(&plain, cases[i].v, cases[i].n, true);
        if (!str_eq(buf_str(&out), str_of(cases[i].blocks)) || !str_eq(buf_str(&plain), str_of(cases[i].plain)))
            fail_msg("%zu: %.*s, %.*s", i, STR_ARG(buf_str(&out)), STR_ARG(buf_str(&plain)));
        buf_free(&out);
        buf_free(&plain);
    }
}

static void test_the_locale(void **state)
{
    static const struct { const char *all, *ctype, *lang; bool plain; } cases[] = {
        { "", "", "", true }, { "", "", "C", true }, { "", "", "en_US.UTF-8", false }, { "", "", "de_DE.utf8", false }, { "C", "", "en_US.UTF-8", true },
        { "C.UTF-8", "", "C", false }, { "", "de_DE.ISO-8859-1", "en_US.UTF-8", true }, { "", "de_DE.UTF-8@euro", "", false },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        setenv("LC_ALL", cases[i].all, 1);
        setenv("LC_CTYPE", cases[i].ctype, 1);
        setenv("LANG", cases[i].lang, 1);
        if (spark_must_be_plain() != cases[i].plain)
            fail_msg("%zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_a_line), cmocka_unit_test(test_the_locale) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
