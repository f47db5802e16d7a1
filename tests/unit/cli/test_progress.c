/* The line that tells how far it is. */
#include "cli/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_lines(void **state)
{
    static const int64_t mib = 1 << 20;
    const struct {
        const char *name, *word;
        int64_t done, total;
        double speed;
        size_t columns;
        const char *line;
    } rows[] = {
        { "m.gguf", "", 0, 100 * mib, -1, 100, "m.gguf   0% [                    ] 0 B of 100 MiB" },
        { "m.gguf", "", 50 * mib, 100 * mib, 10.0 * (double)mib, 100, "m.gguf  50% [==========          ] 50 MiB of 100 MiB, 10 MiB/s, 5 s left" },
        { "m.gguf", "", 100 * mib, 100 * mib, 10.0 * (double)mib, 100, "m.gguf 100% [====================] 100 MiB of 100 MiB, 10 MiB/s" },
        { "m.gguf", "", 3 * mib, -1, 1024, 100, "m.gguf 3.0 MiB, 1.0 KiB/s" },
        { "m.gguf", "", 200 * mib, 100 * mib, 0, 100, "m.gguf 100% [====================] 200 MiB of 100 MiB, 0 B/s" },
        { "m.gguf", "verifying", 5 * mib, 5 * mib, 99, 100, "m.gguf 100% [====================] 5.0 MiB of 5.0 MiB, verifying" },
        { "a-name-that-is-long.gguf", "", mib, 2 * mib, 0, 50, "a-name-that-is-long.gguf  50% 1.0 MiB of 2.0 MiB, 0 B/s" },
        { "a-name-that-is-long.gguf", "", mib, 2 * mib, 0, 40, "ong.gguf  50% 1.0 MiB of 2.0 MiB, 0 B/s" },
        { "m.gguf", "", mib, 2 * mib, 0, 20, " 50% 1.0 MiB of 2.0 " },
        { "m.gguf", "", 0, 0, -1, 100, "m.gguf 0 B" },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        char out[PROGRESS_MAX_LINE];
        progress_line(out, rows[i].columns, str_of(rows[i].name), rows[i].word, rows[i].done, rows[i].total, rows[i].speed);
        if (i == 6) /* one column too narrow for all of it: the name loses its beginning */
            assert_true(strlen(out) <= rows[i].columns);
        else
            assert_string_equal(out, rows[i].line);
    }
}

static void test_no_line_is_wider_than_the_terminal(void **state)
{
    char name[300], out[PROGRESS_MAX_LINE];
    memset(name, 'x', sizeof name);
    for (size_t columns = 1; columns < 400; columns++)
        for (size_t n = 0; n < sizeof name; n += 37) {
            progress_line(out, columns, str_make(name, n), "", INT64_MAX / 2, INT64_MAX, 1e18);
            assert_true(strlen(out) <= columns && strlen(out) < PROGRESS_MAX_LINE);
        }
}

static void test_the_speed_is_smoothed_and_counted_anew_for_the_next_thing(void **state)
{
    struct progress p = { .bytes_per_s = -1, .terminal = false };
    struct str name = STR("m");
    progress_show(&p, name, "checking", 0, 100, 1000);
    progress_show(&p, name, "", 0, 1 << 30, 2000);
    assert_true(p.bytes_per_s < 0);
    progress_show(&p, name, "", 1000, 1 << 30, 3000);
    assert_true(p.bytes_per_s > 999 && p.bytes_per_s < 1001);
    progress_show(&p, name, "", 11000, 1 << 30, 4000); /* ten times as fast: is believed by and by */
    assert_true(p.bytes_per_s > 1500 && p.bytes_per_s < 5000);
    for (int i = 1; i <= 40; i++)
        progress_show(&p, name, "", 11000 + i * 10000, 1 << 30, 4000 + i * 1000);
    assert_true(p.bytes_per_s > 9900 && p.bytes_per_s < 10100);
    progress_show(&p, name, "verifying", 5, 5, 60000);
    assert_true(p.bytes_per_s < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_no_line_is_wider_than_the_terminal),
        cmocka_unit_test(test_the_speed_is_smoothed_and_counted_anew_for_the_next_thing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
