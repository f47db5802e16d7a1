/* What pairs say together: each measure counts the pairs of which both sides are known, and says no more than they can. */
#include "evidence/shadow.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct shadow_side good = { STR("ok"), 1, 0, 0, 0, 100, 1000, 50, 20, 80 };
static const struct shadow_side down = { STR("backend_failed"), -1, -1, -1, -1, -1, -1, -1, -1, -1 };
static const struct shadow_side unmet = { STR("schema_unmet"), 0, -1, -1, -1, -1, -1, -1, -1, -1 };

static struct shadow_report *r;
static struct json_doc said;
static struct buf text;

static void add(const char *role, struct shadow_side old, struct shadow_side new, enum shadow_alike alike, int times)
{
    for (int i = 0; i < times; i++)
        shadow_report_add(r, &(struct shadow_row){ .role = str_of(role), .old = old, .new = new, .alike = alike, .cost = -1 });
}

static int begin(void **state)
{
    r = shadow_report_new();
    text = (struct buf){ 0 };
    said = (struct json_doc){ 0 };
    return 0;
}

static int end(void **state)
{
    shadow_report_free(r);
    json_free(&said);
    buf_free(&text);
    return 0;
}

static void tell(void)
{
    struct json_out o = json_out(&text);
    struct err e;
    text.n = 0;
    json_free(&said);
    shadow_report_measures(r, &o);
    assert_int_equal(json_parse(&said, buf_str(&text), &e), ERR_OK);
}

/* NULL: nothing is said of it. */
static yyjson_val *measure(const char *role, const char *name)
{
    size_t i, n;
    yyjson_val *m;
    yyjson_arr_foreach(said.root, i, n, m)
        if (str_eq(json_str(yyjson_obj_get(m, "role")), str_of(role)) && str_eq(json_str(yyjson_obj_get(m, "name")), str_of(name)))
            return m;
    return NULL;
}

static double number(const char *role, const char *name, const char *key)
{
    yyjson_val *m = measure(role, name);
    assert_non_null(m);
    return yyjson_is_num(yyjson_obj_get(m, key)) ? yyjson_get_num(yyjson_obj_get(m, key)) : NAN;
}

static void expect(const char *role, const char *name, const char *verdict)
{
    struct str is = json_str(yyjson_obj_get(measure(role, name), "verdict"));
    assert_true(str_eq(is, str_of(verdict)));
}

static void test_yes_and_no(void **state)
{
    struct shadow_side silent = good;
    silent.empty = 1;
    silent.fits = -1;
    add("chat", good, good, ALIKE_AS_TEXT, 300);
    add("chat", good, down, ALIKE_UNKNOWN, 30);
    add("chat", good, unmet, ALIKE_UNKNOWN, 2);
    add("chat", down, good, ALIKE_UNKNOWN, 1);
    add("chat", good, silent, ALIKE_NOT, 1);
    tell();
    assert_true(number("chat", "answered", "pairs") == 334);
    assert_true(fabs(number("chat", "answered", "new") - 302.0 / 334) < 1e-6 && fabs(number("chat", "answered", "difference") + 31.0 / 334) < 1e-5);
    expect("chat", "answered", "worse");
    assert_true(number("chat", "fits", "pairs") == 302 && fabs(number("chat", "fits", "new") - 300.0 / 302) < 1e-6);
    expect("chat", "fits", "not worse"); /* two of 302: no test sees a difference */
    assert_true(number("chat", "says_something", "pairs") == 301);
    expect("chat", "not_cut", "not worse");
    assert_true(number("chat", "alike", "pairs") == 301 && fabs(number("chat", "alike", "new") - 300.0 / 301) < 1e-6);
    assert_true(isnan(number("chat", "alike", "old")));
    expect("chat", "alike", "");
}

static struct shadow_side lasting(double ttft_ms, double total_ms)
{
    struct shadow_side s = good;
    s.ttft_ms = ttft_ms;
    s.total_ms = total_ms;
    return s;
}

static void test_times(void **state)
{
    for (int i = 0; i < 200; i++) {
        double wave = 10 * sin(i);
        add("slow", lasting(100 + wave, 1000 + wave), lasting(150 + wave, 1040 - wave), ALIKE_NOT, 1); /* a third longer; 4 % */
        add("fast", lasting(100 + wave, -1), lasting(60 - wave, 900), ALIKE_NOT, 1);
        if (i < 10)
            add("few", lasting(100, 1000), lasting(900, 9000), ALIKE_NOT, 1);
    }
    tell();
    assert_true(fabs(number("slow", "ttft", "difference") - 50) < 3 && fabs(number("slow", "ttft", "new") - number("slow", "ttft", "old") - number("slow", "ttft", "difference")) < 1e-3);
    expect("slow", "ttft", "worse");
    expect("slow", "ttft_p95", "worse");
    expect("slow", "total", "not worse"); /* nobody feels it */
    expect("fast", "ttft", "better");
    assert_null(measure("fast", "total")); /* one side of it is not known */
    expect("few", "ttft", "cannot tell");
    assert_null(measure("few", "ttft_p95"));
    expect("slow", "output_tokens", "");
    assert_true(number("slow", "output_tokens", "difference") == 0);
}

static void test_totals(void **state)
{
    struct shadow_totals t;
    shadow_report_totals(r, &t);
    assert_true(t.pairs == 0 && t.cost < 0);
    tell();
    assert_int_equal(yyjson_arr_size(said.root), 0);
    shadow_report_add(r, &(struct shadow_row){ .role = STR("a"), .old = good, .new = good, .cost = -1, .dropped = 2, .cancelled = 1 });
    shadow_report_add(r, &(struct shadow_row){ .role = STR("b"), .old = good, .new = good, .cost = 0.25, .unfit = 4, .dropped = 1 });
    shadow_report_totals(r, &t);
    assert_true(t.pairs == 2 && t.dropped == 3 && t.cancelled == 1 && t.unfit == 4 && t.cost == 0.25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
        CASE(test_yes_and_no),
        CASE(test_times),
        CASE(test_totals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
