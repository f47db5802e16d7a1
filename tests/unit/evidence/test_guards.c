/* Guards over rows: what is the model's and what is not, and that a restart in the midst changes nothing. */
#include "evidence/guards.h"

#include "base/buf.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct guard_whom old = { STR("chat"), STR("old") }, new = { STR("chat"), STR("new") };

/* An answer as most are. */
static struct request_row answer(const char *model, struct dice *d)
{
    double slow = dice_unit(d);
    return (struct request_row){ .id = STR("req_1"), .endpoint = STR("chat"), .role = STR("chat"), .model = str_of(model), .code = STR("ok"), .status = 200, .output_tokens = 20,
        .ttft_ms = 100 + 100 * slow, .total_ms = 500 + 900 * slow, .load_ms = 0 };
}

static void spoil(struct request_row *r, enum fault fault, const char *code)
{
    r->fault = fault;
    r->code = str_of(code);
    r->status = 502;
    r->output_tokens = 0;
}

/* Of the old model: `bad` in a hundred fail by themselves. */
static void begin(struct guards *g, struct dice *d, int64_t requests, double bad)
{
    struct baseline b;
    baseline_begin(&b);
    for (int64_t i = 0; i < requests; i++) {
        struct request_row r = answer("old", d);
        if (dice_unit(d) < bad)
            spoil(&r, FAULT_BACKEND, "backend_failed");
        baseline_see(&b, &old, &r);
    }
    guards_begin(g, &b);
}

typedef void change_fn(struct request_row *r, struct dice *d);

static void same(struct request_row *r, struct dice *d)
{
    if (dice_unit(d) < 0.01)
        spoil(r, FAULT_BACKEND, "backend_failed");
}

static void breaks_json(struct request_row *r, struct dice *d)
{
    if (dice_unit(d) < 0.1)
        spoil(r, FAULT_MODEL, "schema_unmet");
}

static void breaks_down(struct request_row *r, struct dice *d)
{
    if (dice_unit(d) < 0.06)
        spoil(r, FAULT_BACKEND, "backend_failed");
}

static void is_slow(struct request_row *r, struct dice *d)
{
    r->ttft_ms *= 3;
    r->total_ms *= 3;
}

static void loads_once(struct request_row *r, struct dice *d)
{
    r->load_ms = 20000;
    r->ttft_ms += 20000;
    r->total_ms += 20000;
}

static void thinks(struct request_row *r, struct dice *d)
{
    r->unasked_thoughts = dice_unit(d) < 0.2;
}

static void says_nothing(struct request_row *r, struct dice *d)
{
    r->output_tokens = dice_unit(d) < 0.1 ? 0 : 20;
}

static void is_the_gateways(struct request_row *r, struct dice *d)
{
    if (dice_unit(d) < 0.5)
        spoil(r, FAULT_GATEWAY, "overloaded");
}

static void is_the_harness(struct request_row *r, struct dice *d)
{
    if (dice_unit(d) < 0.5)
        spoil(r, FAULT_HARNESS, "queue_full");
}

static void is_the_callers(struct request_row *r, struct dice *d)
{
    if (dice_unit(d) < 0.5)
        spoil(r, FAULT_CALLER, "context_length_exceeded");
}

static void is_anothers(struct request_row *r, struct dice *d) /* an outage of the old one, which answers some by itself */
{
    if (dice_unit(d) < 0.5) {
        r->model = STR("old");
        spoil(r, FAULT_BACKEND, "backend_failed");
    }
}

static void falls_back(struct request_row *r, struct dice *d)
{
    if (dice_unit(d) < 0.1) {
        r->model = STR("old");
        r->fell_back = true;
        r->chain = STR("[{\"model\":\"new\",\"host\":\"x\",\"error\":\"backend_failed\"}]");
    }
}

static void is_another_roles(struct request_row *r, struct dice *d)
{
    r->role = STR("code");
    spoil(r, FAULT_MODEL, "schema_unmet");
}

/* -1: no guard spoke in so many requests; else which, and *after how many. */
static int run(struct guards *g, struct dice *d, change_fn *change, int64_t requests, int64_t *after)
{
    for (*after = 1; *after <= requests; ++*after) {
        struct request_row r = answer("new", d);
        change(&r, d);
        int breach = guards_see(g, &new, &r);
        if (breach >= 0)
            return breach;
    }
    return -1;
}

static void test_what_is_the_models_ends_its_trial(void **state)
{
    static const struct { change_fn *change; int guard, or; int64_t within; } cases[] = {
        { breaks_json, GUARD_SCHEMA, GUARD_ERRORS, 400 }, { breaks_down, GUARD_ERRORS, GUARD_ERRORS, 1500 }, { is_slow, GUARD_TTFT, GUARD_TOTAL, 200 },
        { thinks, GUARD_THOUGHTS, GUARD_THOUGHTS, 200 }, { says_nothing, GUARD_EMPTY, GUARD_EMPTY, 400 }, { falls_back, GUARD_ERRORS, GUARD_ERRORS, 800 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct dice d = dice_of(7 + i);
        struct guards g;
        int64_t after;
        begin(&g, &d, 2000, 0.01);
        int breach = run(&g, &d, cases[i].change, cases[i].within, &after);
        if (breach != cases[i].guard && breach != cases[i].or)
            fail_msg("case %zu: guard %d after %lld requests", i, breach, (long long)after);
        struct buf text = { 0 };
        guards_say(&g, (enum guard_kind)breach, &text);
        assert_true(text.n > 40 && str_starts(buf_str(&text), str_of(guard_name[breach])));
        buf_free(&text);
        struct request_row r = answer("new", &d);
        spoil(&r, FAULT_MODEL, "schema_unmet");
        assert_int_equal(guards_see(&g, &new, &r), -1); /* told once */
        assert_int_equal(g.breach, breach);
    }
}

/* 50 windows each: were they wrong as often as they may be, more than nine of them in 50 have a chance of 1 in 5,000. */
static void test_what_is_not_the_models_does_not(void **state)
{
    static change_fn *const cases[] = { same, is_the_gateways, is_the_harness, is_the_callers, is_anothers, is_another_roles, loads_once };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        size_t breaches = 0;
        for (uint64_t trial = 0; trial < 50; trial++) {
            struct dice d = dice_of(1000 * i + trial);
            struct guards g;
            int64_t after;
            begin(&g, &d, 1500, 0.01);
            breaches += run(&g, &d, cases[i], 1000, &after) >= 0;
        }
        if (breaches > 9)
            fail_msg("case %zu: %zu of 50", i, breaches);
    }
}

static void save(const struct guards *g, struct buf *out)
{
    struct json_out o = json_out(out);
    buf_reset(out, 4096);
    guards_put(g, &o);
}

static void test_a_restart_changes_nothing(void **state)
{
    struct dice d = dice_of(3);
    struct guards g, again;
    struct buf text = { 0 }, twice = { 0 };
    begin(&g, &d, 2000, 0.01);
    for (int i = 0; i < 600; i++) {
        struct request_row r = answer("new", &d);
        breaks_down(&r, &d);
        if (i % 50 == 0) { /* it dies here */
            save(&g, &text);
            assert_true(guards_read(&again, buf_str(&text)));
            save(&again, &twice);
            assert_true(str_eq(buf_str(&text), buf_str(&twice)));
            assert_true(fabs(seq_log_account(&again.watch.guards[0]) - seq_log_account(&g.watch.guards[0])) < 1e-6);
        }
        assert_int_equal(guards_see(&g, &new, &r), guards_see(&again, &new, &r));
    }
    static const char *const none[] = { "", "{}", "[]", "{\"guards\":{\"errors\":{}}}", "{\"guards\":{\"errors\":{\"base\":[5,2],\"seen\":[0,0]}}}",
        "{\"guards\":{\"errors\":{\"base\":[0,10],\"seen\":[-1,0]}}}", "{\"guards\":{\"errors\":{\"base\":[0,0],\"seen\":[0,0]}}}" };
    for (size_t i = 0; i < COUNTOF(none); i++)
        assert_false(guards_read(&again, str_of(none[i])));
    buf_free(&text);
    buf_free(&twice);
}

/* Nothing was seen of the old model: there is nothing to hold anybody against, and that is no breach. */
static void test_without_a_baseline_nothing_is_watched(void **state)
{
    struct dice d = dice_of(9);
    struct guards g;
    int64_t after;
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    begin(&g, &d, 0, 0);
    assert_int_equal(run(&g, &d, breaks_json, 500, &after), -1);
    guards_view(&g, STR("chat"), &o);
    assert_int_equal(text.n, 0);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_the_models_ends_its_trial),
        cmocka_unit_test(test_what_is_not_the_models_does_not),
        cmocka_unit_test(test_a_restart_changes_nothing),
        cmocka_unit_test(test_without_a_baseline_nothing_is_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
