/* Long-run averages of rows that are known, and which stretches of time may be held side by side. */
#include "evidence/averages.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { HOUR = 3600 * 1000 };

static void near(double have, double want, double share)
{
    if (fabs(have - want) > share * fabs(want) + 1e-9)
        fail_msg("%.6f, not %.6f", have, want);
}

static void test_quantiles_are_off_by_half_a_percent_at_most(void **state)
{
    static const struct {
        double from, step;
        int n;
        double q, want; /* the smallest that has q of all at or below it */
    } cases[] = {
        { 1, 1, 100, 0.5, 50 },       { 1, 1, 100, 0.95, 95 },  { 1, 1, 100, 0, 1 },          { 1, 1, 100, 1, 100 },
        { 7, 0, 1, 0.5, 7 },          { 7, 0, 1, 0.95, 7 },     { 0, 0, 3, 0.5, 0 },          { 0.02, 0.01, 500, 0.5, 2.51 },
        { 1e6, 1e6, 400, 0.05, 2e7 }, { 10, 10, 2, 0.5, 10 },   { 10, 10, 2, 0.51, 20 },      { 12345, 0, 40, 0.95, 12345 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct spread s = { .n = 0 };
        for (int k = 0; k < cases[i].n; k++)
            spread_add(&s, cases[i].from + k * cases[i].step);
        assert_int_equal(s.n, cases[i].n);
        near(spread_at(&s, cases[i].q), cases[i].want, 0.0051);
        spread_fini(&s);
    }
    struct spread none = { .n = 0 };
    assert_true(spread_at(&none, 0.5) < 0);
    spread_fini(&none);
}

static struct request_row row(const char *caller, const char *model, int64_t input, int64_t output)
{
    return (struct request_row){ .caller = str_of(caller), .model = str_of(model), .role = STR("chat"), .host = STR("here"), .status = 200, .stream = true,
        .input_tokens = input, .output_tokens = output, .reasoning_tokens = -1, .cached_tokens = -1, .ttft_ms = 100, .total_ms = 1100, .queue_ms = 0 };
}

static void test_rows_are_folded(void **state)
{
    struct averages a = { .requests = 0 };
    struct request_row r = row("x", "m", 50, 21);
    averages_add(&a, &r);                               /* 20 tokens in a second */
    r.load_ms = 4000;
    r.fell_back = true;
    r.output_tokens = 3;                                /* too few for a rate */
    averages_add(&a, &r);
    r = row("x", "m", -1, -1);
    r.fault = FAULT_GATEWAY;
    r.status = 429;
    r.ttft_ms = -1;
    r.stream = false;
    averages_add(&a, &r);
    assert_int_equal(a.requests, 3);
    assert_int_equal(averages_errors(&a), 1);
    assert_int_equal(a.faults[FAULT_GATEWAY], 1);
    assert_int_equal(a.busy, 1);
    assert_int_equal(a.fell_back, 1);
    assert_int_equal(a.streams, 2);
    assert_int_equal(a.told, 2);
    assert_int_equal(a.input_tokens, 100);
    assert_int_equal(a.output_tokens, 24);
    assert_int_equal(a.reasoning_tokens, 0);
    assert_int_equal(a.waited_for_load, 1);
    near(a.load_ms, 4000, 0);
    assert_int_equal(a.ttft.n, 2);
    assert_int_equal(a.total.n, 2);                     /* of the answered ones */
    assert_int_equal(a.rate.n, 1);
    near(spread_at(&a.rate, 0.5), 20, 0.0051);
    averages_fini(&a);
}

static void test_what_is_measured_is_left_out(void **state)
{
    static const struct {
        const char *id;
        bool in;
    } cases[] = { { "", true }, { "eval-3-7", false }, { "bench-small", false }, { "evaluation", true }, { "my-eval-3", true } };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct stretch s;
        struct request_row r = row("x", "m", 1, 1);
        r.client_id = str_of(cases[i].id);
        stretch_init(&s, 0, HOUR, BY_MODEL);
        stretch_add(&s, &r);
        assert_int_equal(s.all.requests, cases[i].in);
        assert_int_equal(s.ngroups, cases[i].in);
        assert_int_equal(s.left_out, !cases[i].in);
        stretch_fini(&s);
    }
}

static void test_groups(void **state)
{
    struct stretch s;
    char name[16];
    stretch_init(&s, 0, HOUR, BY_MODEL);
    for (int i = 0; i < 150; i++) {
        snprintf(name, sizeof name, "m%d", i);
        struct request_row r = row("x", i < 20 ? "often" : name, 1, 1);
        stretch_add(&s, &r);
    }
    stretch_sort(&s);
    assert_int_equal(s.ngroups, STRETCH_MOST_GROUPS);
    assert_true(str_eq(s.groups[0].name, STR("(others)")));     /* 130 names, 98 of them their own */
    assert_int_equal(s.groups[0].a.requests, 32);
    assert_true(str_eq(s.groups[1].name, STR("often")));
    assert_int_equal(s.groups[1].a.requests, 20);
    stretch_fini(&s);
}

struct made {
    int64_t since_ms, until_ms;
    int n;
    int64_t prompt, answer;
    double total_ms;
    int streams;        /* of n */
    int others;         /* of n: by another caller, from another model */
};

static void make(struct stretch *s, const struct made *m)
{
    stretch_init(s, m->since_ms, m->until_ms, BY_NONE);
    for (int i = 0; i < m->n; i++) {
        struct request_row r = row(i < m->others ? "y" : "x", i < m->others ? "n" : "m", m->prompt, m->answer);
        r.total_ms = m->total_ms;
        r.stream = i < m->streams;
        stretch_add(s, &r);
    }
}

#define DAY_MS (24 * (int64_t)HOUR)
#define USUAL { 0, HOUR, 100, 100, 20, 1000, 100, 0 }

static void test_which_are_alike(void **state)
{
    static const struct {
        struct made a, b;
        unsigned broken; /* rules, a bit each */
    } cases[] = {
        { USUAL, USUAL, 0 },
        { USUAL, { HOUR, 2 * HOUR, 199, 149, 29, 1000, 199, 0 }, 0 },                         /* all a little other */
        { USUAL, { 0, HOUR, 201, 100, 20, 1000, 201, 0 }, 1u << UNLIKE_LOAD },
        { USUAL, { 0, HOUR, 100, 152, 20, 1000, 100, 0 }, 1u << UNLIKE_PROMPTS },
        { USUAL, { 0, HOUR, 100, 100, 31, 1000, 100, 0 }, 1u << UNLIKE_ANSWERS },
        { USUAL, { 0, HOUR, 100, 100, 20, 1000, 79, 0 }, 1u << UNLIKE_STREAMS },
        { USUAL, { 0, HOUR, 100, 100, 20, 1000, 80, 0 }, 0 },
        { USUAL, { 0, HOUR, 100, 100, 20, 1000, 100, 31 }, 1u << UNLIKE_CALLERS | 1u << UNLIKE_MODELS },
        { USUAL, { 0, HOUR, 100, 100, 20, 1000, 100, 30 }, 0 },
        { USUAL, { 8 * DAY_MS, 8 * DAY_MS + HOUR, 100, 100, 20, 1000, 100, 0 }, 1u << UNLIKE_AGE },
        { USUAL, { 0, 3 * HOUR, 300, 100, 20, 1000, 300, 0 }, 1u << UNLIKE_LENGTH },
        { USUAL, { 0, HOUR, 100, 100, 20, 36000, 100, 0 }, 1u << UNLIKE_AT_ONCE },            /* 0.03 and 1 at a time */
        { USUAL, { 0, HOUR, 100, 100, 20, 10000, 100, 0 }, 0 },                               /* 0.03 and 0.3: little either way */
        { { 0, HOUR, 29, 100, 20, 1000, 29, 0 }, { 0, HOUR, 29, 100, 20, 1000, 29, 0 }, 1u << UNLIKE_FEW },
        { USUAL, { 0, HOUR, 0, 100, 20, 1000, 0, 0 }, 1u << UNLIKE_FEW | 1u << UNLIKE_LOAD | 1u << UNLIKE_STREAMS },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        for (int turned = 0; turned < 2; turned++) {
            struct stretch a, b;
            struct unlikeness u[UNLIKE_COUNT];
            unsigned broken = 0;
            make(turned ? &b : &a, &cases[i].a);
            make(turned ? &a : &b, &cases[i].b);
            bool alike = stretches_alike(&a, &b, u);
            for (int k = 0; k < UNLIKE_COUNT; k++) {
                broken |= (unsigned)u[k].is << k;
                assert_int_equal(u[k].is, u[k].text[0] != 0);
                assert_non_null(u[k].what);
            }
            if (broken != cases[i].broken || alike != !broken)
                fail_msg("case %zu: %x, not %x", i, broken, cases[i].broken);
            stretch_fini(&a);
            stretch_fini(&b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles_are_off_by_half_a_percent_at_most),
        cmocka_unit_test(test_rows_are_folded),
        cmocka_unit_test(test_what_is_measured_is_left_out),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_which_are_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
