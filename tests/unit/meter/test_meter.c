#include "meter/meter.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const double bounds[] = { 0.1, 1, 2.5 };
static const struct meter_row rows[] = {
    { "hob_requests_total", "Requests,\nby what came of them \\o/", METER_COUNTER, { "code", "model" }, NULL, 0 },
    { "hob_loaded_models", "Models in memory", METER_GAUGE, { NULL }, NULL, 0 },
    { "hob_wait_seconds", "Time in the queue", METER_HISTOGRAM, { "role" }, bounds, COUNTOF(bounds) },
    { "hob_five_total", "As many labels as there can be", METER_COUNTER, { "a", "b", "c", "d", "e" }, NULL, 0 },
};

static void assert_text(struct meter *m, const char *want)
{
    struct buf out = { 0 };
    meter_write_prometheus(m, &out);
    buf_add_char(&out, 0);
    assert_string_equal(out.p, want);
    buf_free(&out);
}

static void test_text_of_every_kind(void **state)
{
    struct meter *m = meter_new();
    struct meter_family *requests = meter_add(m, &rows[0]), *loaded = meter_add(m, &rows[1]), *waits = meter_add(m, &rows[2]);
    assert_ptr_equal(meter_add(m, &rows[0]), requests);
    const struct str ok[] = { STR("200"), STR("a \"quoted\\\" \n one") };
    meter_inc(meter_series(requests, ok), 1);
    meter_inc(meter_series(requests, ok), 2);
    meter_inc(meter_series(requests, (struct str[]){ STR("2"), STR("00") }), 0.5);
    meter_set(meter_plain(loaded), 3);
    meter_inc(meter_plain(loaded), -1);
    struct meter_series *w = meter_series(waits, (struct str[]){ STR("chat") });
    const double seen[] = { 0.1, 0.05, 1, 2, 7 };
    for (size_t i = 0; i < COUNTOF(seen); i++)
        meter_observe(w, seen[i]);
    assert_true(meter_read(w) == 5);
    assert_text(m,
        "# HELP hob_requests_total Requests,\\nby what came of them \\\\o/\n"
        "# TYPE hob_requests_total counter\n"
        "hob_requests_total{code=\"200\",model=\"a \\\"quoted\\\\\\\" \\n one\"} 3\n"
        "hob_requests_total{code=\"2\",model=\"00\"} 0.5\n"
        "# HELP hob_loaded_models Models in memory\n"
        "# TYPE hob_loaded_models gauge\n"
        "hob_loaded_models 2\n"
        "# HELP hob_wait_seconds Time in the queue\n"
        "# TYPE hob_wait_seconds histogram\n"
        "hob_wait_seconds_bucket{role=\"chat\",le=\"0.1\"} 2\n"
        "hob_wait_seconds_bucket{role=\"chat\",le=\"1\"} 3\n"
        "hob_wait_seconds_bucket{role=\"chat\",le=\"2.5\"} 4\n"
        "hob_wait_seconds_bucket{role=\"chat\",le=\"+Inf\"} 5\n"
        "hob_wait_seconds_sum{role=\"chat\"} 10.15\n"
        "hob_wait_seconds_count{role=\"chat\"} 5\n");
    meter_free(m);
}

static void test_numbers_are_short_and_exact(void **state)
{
    static const struct { double v; const char *text; } cases[] = {
        { 0, "0" }, { -0.0, "0" }, { 0.1, "0.1" }, { 1e15, "1e+15" }, { 1234567890123, "1234567890123" }, { 1.0 / 3, "0.3333333333333333" },
        { 1e300, "1e+300" }, { -2.5, "-2.5" }, { 123456.789, "123456.789" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct meter *m = meter_new();
        char want[256];
        meter_set(meter_plain(meter_add(m, &rows[1])), cases[i].v);
        snprintf(want, sizeof want, "# HELP hob_loaded_models Models in memory\n# TYPE hob_loaded_models gauge\nhob_loaded_models %s\n", cases[i].text);
        assert_text(m, want);
        meter_free(m);
    }
}

static void test_what_is_no_number_is_left_out(void **state)
{
    struct meter *m = meter_new();
    struct meter_series *c = meter_series(meter_add(m, &rows[0]), (struct str[]){ STR(""), STR("") });
    meter_inc(c, 5);
    meter_inc(c, -3);
    meter_inc(c, NAN);
    assert_true(meter_read(c) == 5);
    struct meter_series *h = meter_series(meter_add(m, &rows[2]), (struct str[]){ STR("") });
    meter_observe(h, NAN);
    assert_true(meter_read(h) == 0);
    meter_free(m);
    meter_free(NULL);
}

static struct meter_series *numbered(struct meter_family *f, int i)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%d", i);
    struct str v = str_make(text, (size_t)n);
    return meter_series(f, (struct str[]){ v, v, v, v, v });
}

static void test_a_thousand_series_and_then_other(void **state)
{
    struct meter *m = meter_new();
    struct meter_family *f = meter_add(m, &rows[3]);
    struct meter_series *first = numbered(f, 0);
    for (int i = 0; i < METER_MAX_SERIES; i++)
        meter_inc(numbered(f, i), i);
    for (int i = 0; i < METER_MAX_SERIES; i++)
        assert_true(meter_read(numbered(f, i)) == i); /* found again, not made anew */
    assert_ptr_equal(numbered(f, 0), first);
    struct meter_series *other = numbered(f, METER_MAX_SERIES);
    meter_inc(other, 7);
    assert_ptr_equal(numbered(f, METER_MAX_SERIES + 1), other);
    struct buf out = { 0 };
    meter_write_prometheus(m, &out);
    assert_true(str_ends(buf_str(&out), STR("hob_five_total{a=\"other\",b=\"other\",c=\"other\",d=\"other\",e=\"other\"} 7\n")));
    buf_free(&out);
    meter_free(m);
}

static void read_gauge(void *ctx)
{
    meter_inc(ctx, 1);
}

static void test_hooks_run_before_the_text(void **state)
{
    struct meter *m = meter_new();
    struct meter_series *s = meter_plain(meter_add(m, &rows[1]));
    meter_on_collect(m, read_gauge, s);
    meter_on_collect(m, read_gauge, s);
    assert_text(m, "# HELP hob_loaded_models Models in memory\n# TYPE hob_loaded_models gauge\nhob_loaded_models 2\n");
    meter_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_of_every_kind),
        cmocka_unit_test(test_numbers_are_short_and_exact),
        cmocka_unit_test(test_what_is_no_number_is_left_out),
        cmocka_unit_test(test_a_thousand_series_and_then_other),
        cmocka_unit_test(test_hooks_run_before_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
