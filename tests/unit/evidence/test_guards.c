/* Guards over rows: what is the model's and what is not, and that a restart in the midst changes nothing. */
#include "evidence/guards.h"

#include "base/arena.h"
#include "base/buf.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct arena texts;
static const struct guard_whom old = { STR("chat"), STR("old") }, new = { STR("chat"), STR("new") };

/* An answer as most are. */
static struct request_row answer(const char *model, struct dice *d)
{
    double slow = dice_unit(d);
    return (struct request_row){ .id = STR("req_1"), .endpoint = STR("chat"), .role = STR("chat"), .model = str_of(model), .code = STR("ok"), .status = 200, .output_tokens = 20,
        .ttft_ms = 100 + 100 * slow, .total_ms = 500 + 900 * slow, .load_ms = 0, .finish = dice_unit(d) < 0.01 ? FINISH_LENGTH : FINISH_STOP };
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

static void is_cut(struct request_row *r, struct dice *d) /* the old one: one in a hundred */
{
    r->finish = dice_unit(d) < 0.08 ? FINISH_LENGTH : FINISH_STOP;
}

static void answers_elsewhere(struct request_row *r, struct dice *d, const char *code)
{
    if (dice_unit(d) >= 0.2)
        return;
    r->model = STR("old");
    r->fell_back = true;
    r->chain = arena_printf(&texts, "[{\"model\":\"new\",\"host\":\"x\",\"error\":\"%s\"}]", code);
}

static void breaks_json_for_another(struct request_row *r, struct dice *d)
{
    answers_elsewhere(r, d, "schema_unmet");
}

static void is_left_alone(struct request_row *r, struct dice *d)
{
    answers_elsewhere(r, d, "breaker_open");
}

static void cannot_take_it(struct request_row *r, struct dice *d)
{
    answers_elsewhere(r, d, "context_length_exceeded");
}

static void has_no_place_in_line(struct request_row *r, struct dice *d) /* the gateway's: no word about a model */
{
    answers_elsewhere(r, d, "queue_full");
}

static void stands_in(struct request_row *r, struct dice *d) /* for the old one, which has failed */
{
    if (dice_unit(d) >= 0.5)
        return;
    r->fell_back = true;
    r->chain = STR("[{\"model\":\"old\",\"host\":\"x\",\"error\":\"backend_failed\"}]");
}

static void is_asked_again(struct request_row *r, struct dice *d) /* and answers then */
{
    r->chain = STR("[{\"model\":\"new\",\"host\":\"x\",\"error\":\"backend_failed\"}]");
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
        { thinks, GUARD_THOUGHTS, GUARD_THOUGHTS, 200 }, { says_nothing, GUARD_EMPTY, GUARD_EMPTY, 400 }, { falls_back, GUARD_ERRORS, GUARD_FALLBACK, 800 },
        { breaks_json_for_another, GUARD_SCHEMA, GUARD_ERRORS, 400 }, { is_cut, GUARD_CUT, GUARD_CUT, 800 }, { is_left_alone, GUARD_FALLBACK, GUARD_FALLBACK, 400 }, { cannot_take_it, GUARD_FALLBACK, GUARD_FALLBACK, 400 },
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
    static change_fn *const cases[] = { same, is_the_gateways, is_the_harness, is_the_callers, is_anothers, is_another_roles, loads_once, has_no_place_in_line,
        stands_in, is_asked_again };
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
    g.origin = (struct guards_origin){ "saved", "old", "abc", 1, 2, 3, "it is old" };
    for (int i = 0; i < 600; i++) {
        struct request_row r = answer("new", &d);
        r.time_ms = 1800000000000 + i * 20000;
        breaks_down(&r, &d);
        if (i % 50 == 0 || g.runs[GUARD_ERRORS]) { /* it dies here */
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

/* ---- bursts, and load ---- */

static int64_t clock_ms;

/* A day of a model: a request a second on average; now and then its host is down for up to a minute, and then all fail. bad: by themselves. */
static void live(struct request_row *r, struct dice *d, double bad, double outages, int64_t *down_until_ms)
{
    clock_ms += (int64_t)(-1000 * log(1 - dice_unit(d)));
    r->time_ms = clock_ms;
    if (clock_ms > *down_until_ms && dice_unit(d) < outages)
        *down_until_ms = clock_ms + (int64_t)(55000 * dice_unit(d));
    if (clock_ms < *down_until_ms || dice_unit(d) < bad)
        spoil(r, FAULT_BACKEND, "backend_failed");
}

static int live_window(uint64_t seed, double bad, double outages, int64_t requests, int64_t *after)
{
    struct dice d = dice_of(seed);
    struct guards g;
    struct baseline b;
    int64_t down_ms = 0;
    clock_ms = 1800000000000;
    baseline_begin(&b);
    for (int64_t i = 0; i < 2000; i++) {
        struct request_row r = answer("old", &d);
        live(&r, &d, 0.02, outages, &down_ms);
        baseline_see(&b, &old, &r);
    }
    guards_begin(&g, &b);
    for (*after = 1; *after <= requests; ++*after) {
        struct request_row r = answer("new", &d);
        live(&r, &d, bad, outages, &down_ms);
        if (guards_see(&g, &new, &r) >= 0)
            return g.breach;
    }
    return -1;
}

/* A host that is down for a minute at a time is one event each time: a good model stays. 60 windows; more than nine of them have a chance below 1 in 500 at 5 %. */
static void test_an_outage_is_one_event(void **state)
{
    size_t breaches = 0;
    int64_t after;
    for (uint64_t i = 0; i < 60; i++)
        breaches += live_window(500 + i, 0.02, 0.002, 3000, &after) >= 0;
    if (breaches > 9)
        fail_msg("%zu of 60", breaches);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void test_runs_cost_little(void **state)
{
    int64_t after[61];
    for (uint64_t i = 0; i < COUNTOF(after); i++)
        live_window(900 + i, 0.06, 0, 3000, &after[i]);
    qsort(after, COUNTOF(after), sizeof *after, by_size);
    if (after[COUNTOF(after) / 2] > 400)
        fail_msg("half of all within %lld", (long long)after[COUNTOF(after) / 2]);
}

/* One that is down for good is no outage: from a minute on each request counts; and one that has never answered counts from the first. */
static void test_who_stays_down_goes_back(void **state)
{
    for (int warm = 0; warm <= 100; warm += 100) {
        struct dice d = dice_of(77);
        struct guards g;
        int breach = -1;
        int64_t n = 0;
        begin(&g, &d, 2000, 0.01);
        clock_ms = 1800000000000;
        for (; breach < 0 && n < 300; n++) {
            struct request_row r = answer("new", &d);
            r.time_ms = clock_ms += 1000;
            if (n >= warm)
                spoil(&r, FAULT_BACKEND, "backend_failed");
            breach = guards_see(&g, &new, &r);
        }
        assert_int_equal(breach, GUARD_ERRORS);
        if (warm ? n < 155 || n > 180 : n > 5)
            fail_msg("after %lld", (long long)n);
    }
}

static void put_load(struct request_row *r, struct dice *d, double busy)
{
    r->others = dice_unit(d) < busy ? 3 : 0;
    if (r->others) { /* all take their turn */
        r->ttft_ms *= 4;
        r->total_ms *= 4;
    }
}

static int with_load(uint64_t seed, double was, double is, double slower, struct guards *g)
{
    struct dice d = dice_of(seed);
    struct baseline b;
    baseline_begin(&b);
    for (int64_t i = 0; i < 2000; i++) {
        struct request_row r = answer("old", &d);
        put_load(&r, &d, was);
        baseline_see(&b, &old, &r);
    }
    guards_begin(g, &b);
    for (int64_t i = 0; i < 1000; i++) {
        struct request_row r = answer("new", &d);
        put_load(&r, &d, is);
        if (r.others) {
            r.ttft_ms *= slower;
            r.total_ms *= slower;
        }
        if (guards_see(g, &new, &r) >= 0)
            return g->breach;
    }
    return -1;
}

/* A busy week does not make a model slow; what is slow under load alone is found there. */
static void test_times_are_held_against_the_same_load(void **state)
{
    struct guards g;
    assert_int_equal(with_load(1, 0.02, 0.9, 1, &g), -1);
    assert_true(g.by_load);
    int breach = with_load(2, 0.3, 0.3, 3, &g);
    assert_true(breach == GUARD_TTFT_BUSY || breach == GUARD_TOTAL_BUSY);
    int none = with_load(3, 0, 1, 3, &g); /* the old one was never busy: nothing to hold that against */
    assert_int_equal(none, -1);
}

/* Whatever the row says besides: a fault of the gateway, the caller or a harness moves no account of any guard, and neither does a try that was given up for one of them. */
static void test_no_guard_sees_what_others_did_wrong(void **state)
{
    static const struct { enum fault fault; const char *code, *model, *tried; } cases[] = {
        { FAULT_GATEWAY, "overloaded", "new", NULL }, { FAULT_GATEWAY, "queue_timeout", "new", NULL }, { FAULT_GATEWAY, "gateway_exhausted", "new", NULL },
        { FAULT_GATEWAY, "store_failing", "new", NULL }, { FAULT_GATEWAY, "internal_error", "new", "backend_failed" }, { FAULT_HARNESS, "queue_full", "new", NULL },
        { FAULT_HARNESS, "backend_timeout", "new", "backend_failed" }, { FAULT_CALLER, "caller_gone", "new", NULL }, { FAULT_CALLER, "caller_gone", "old", "backend_failed" },
        { FAULT_NONE, "ok", "old", "queue_full" }, { FAULT_NONE, "ok", "old", "queue_timeout" }, { FAULT_NONE, "ok", "old", "not_resident" }, { FAULT_NONE, "ok", "old", "no_backend" },
        { FAULT_NONE, "ok", "old", "gateway_exhausted" }, { FAULT_NONE, "ok", "old", "cap_reached" }, { FAULT_NONE, "ok", "old", "a code of tomorrow" }, { FAULT_NONE, "ok", "old", NULL },
        { FAULT_BACKEND, "backend_failed", "old", NULL },
    };
    struct dice d = dice_of(21);
    struct guards g;
    struct baseline b;
    baseline_begin(&b);
    for (int i = 0; i < 2000; i++) {
        struct request_row r = answer("old", &d);
        r.others = i % 2;
        baseline_see(&b, &old, &r);
    }
    guards_begin(&g, &b);
    assert_int_equal(g.watch.n, GUARD_KINDS); /* all of them have something to hold it against */
    for (size_t i = 0; i < COUNTOF(cases) * 4; i++) {
        struct request_row r = answer(cases[i / 4].model, &d);
        r.fault = cases[i / 4].fault;
        r.code = str_of(cases[i / 4].code);
        r.fell_back = cases[i / 4].tried != NULL;
        if (cases[i / 4].tried)
            r.chain = arena_printf(&texts, "[{\"model\":\"new\",\"host\":\"x\",\"error\":\"%s\"}]", cases[i / 4].tried);
        r.finish = FINISH_LENGTH; /* as bad as can be */
        r.output_tokens = 0;
        r.unasked_thoughts = true;
        r.others = (int64_t)(i % 4) - 1;
        r.ttft_ms = r.total_ms = 1e6;
        assert_int_equal(guards_see(&g, &new, &r), -1);
        for (size_t k = 0; k < g.watch.n; k++)
            if (g.watch.guards[k].seen.total)
                fail_msg("%s, tried %s: %s", cases[i / 4].code, cases[i / 4].tried, guard_name[g.kinds[k]]);
    }
}

/* ---- memory ---- */

static const int64_t mib = 1024 * 1024, minute = 60 * 1000;

/* For each minute what it has, and what is expected, in MiB; a "-" is a minute in which nobody looks. after: the minute of the breach; -1: none. */
static void test_memory(void **state)
{
    static const struct { const char *name; int64_t has[40], expected[40]; int minutes, after; } cases[] = {
        { "as expected", { [0 ... 39] = 1000 }, { [0 ... 39] = 1000 }, 40, -1 },
        { "a fifth more", { [0 ... 39] = 1200 }, { [0 ... 39] = 1000 }, 40, -1 },
        { "a peak", { [0 ... 14] = 1000, [15 ... 23] = 4000, [24 ... 39] = 1000 }, { [0 ... 39] = 1000 }, 40, -1 },
        { "it leaks", { [0 ... 14] = 1000, [15 ... 39] = 4000 }, { [0 ... 39] = 1000 }, 40, 25 },
        { "too much from the first on", { [0 ... 39] = 4000 }, { [0 ... 39] = 1000 }, 40, 20 },
        { "measured at work", { [0 ... 39] = 4000 }, { [0 ... 4] = 1000, [5 ... 39] = 4000 }, 40, -1 },
        { "booked more because it leaks", { [0 ... 14] = 1000, [15 ... 39] = 4000 }, { [0 ... 15] = 1000, [16 ... 39] = 4000 }, 40, 25 },
        { "small", { [0 ... 39] = 300 }, { [0 ... 39] = 100 }, 40, -1 },
        { "it was gone for a while", { [0 ... 12] = 1000, [13 ... 18] = 4000, [19 ... 27] = -2, [28 ... 39] = 4000 }, { [0 ... 39] = 1000 }, 40, 38 },
        { "nothing is expected", { [0 ... 39] = 4000 }, { [0 ... 39] = -1 }, 40, -1 },
        { "nothing can be seen", { [0 ... 39] = -1 }, { [0 ... 39] = 1000 }, 40, -1 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct dice d = dice_of(1);
        struct guards g, again;
        struct buf text = { 0 }, twice = { 0 }, said = { 0 };
        int after = -1;
        begin(&g, &d, 0, 0);
        for (int m = 0; m < cases[i].minutes; m++) {
            int64_t has = cases[i].has[m], expected = cases[i].expected[m];
            if (has == -2)
                continue;
            save(&g, &text);
            assert_true(guards_read(&again, buf_str(&text)));
            save(&again, &twice);
            assert_true(str_eq(buf_str(&text), buf_str(&twice)));
            g = again; /* a restart each minute */
            int breach = guards_see_memory(&g, has < 0 ? -1 : has * mib, expected < 0 ? -1 : expected * mib, 1800000000000 + m * minute);
            if (breach >= 0) {
                assert_int_equal(breach, GUARD_MEMORY);
                assert_int_equal(after, -1); /* once */
                after = m;
            }
        }
        if (after != cases[i].after)
            fail_msg("%s: after %d", cases[i].name, after);
        guards_say(&g, GUARD_MEMORY, &said);
        assert_true(after < 0 || str_starts(buf_str(&said), STR("memory: 4000 MiB, where 1000 MiB were expected and 1256 MiB are borne, too much for")));
        buf_free(&text);
        buf_free(&twice);
        buf_free(&said);
    }
}

/* ---- the place ---- */

static struct request_row minute_of(char what, struct dice *d)
{
    struct request_row r = answer(strchr("abB", what) ? "old" : "new", d);
    switch (what) {
    case 'a': /* nobody was there, another answered */
    case 'r': /* nobody was there, and when it was asked again somebody was */
        r.chain = STR("[{\"model\":\"new\",\"host\":\"x\",\"error\":\"backend_timeout\",\"away\":true}]");
        break;
    case 'b': /* left alone because nobody was there */
        r.chain = STR("[{\"model\":\"new\",\"host\":\"x\",\"error\":\"breaker_open\",\"away\":true}]");
        break;
    case 'B': /* left alone for another reason */
        r.chain = STR("[{\"model\":\"new\",\"host\":\"x\",\"error\":\"breaker_open\"}]");
        break;
    case 'A': /* nobody was there, and there is nobody else */
        spoil(&r, FAULT_BACKEND, "backend_failed");
        r.away = true;
        break;
    case 'x': /* it is there, and fails */
        spoil(&r, FAULT_BACKEND, "backend_failed");
        break;
    default:
        break;
    }
    r.fell_back = strchr("abB", what) != NULL;
    return r;
}

/* A letter a minute: 'g' it answers, '.' nobody asks, else as above. */
static void test_a_place_where_nobody_is_has_a_rule_of_its_own(void **state)
{
    static const char ten[] = "aaaaaaaaaa";
    static const struct {
        const char *minutes[3];
        int errors, fallback;       /* bad ones that counted */
        int away_min, after;        /* minutes in all; the minute of the breach, -1: none */
        bool blind;                 /* nothing watches this trial */
    } cases[] = {
        { { "ggaaaag" }, 1, 1, 4, -1 },
        { { "ggbbbbg" }, 0, 1, 4, -1 },
        { { "ggAAAAg" }, 1, 0, 4, -1 },
        { { "ggabbaAg" }, 1, 1, 5, -1 },      /* one outage, however it is met */
        { { "ggabBbaAg" }, 1, 2, 6, -1 },     /* left alone for another reason is another event */
        { { "ggaaxaag" }, 2, 2, 4, -1 },      /* something came from there, and it was bad */
        { { "ggaargg" }, 1, 1, 2, -1 },
        { { "gg", ten, "aaaaag" }, 1, 1, 15, -1 },   /* a minute short of it */
        { { "gg", ten, "aaaaaag" }, 1, 1, 16, 17 },
        { { "ggaaa............", "..", "g" }, 1, 1, 17, -1 }, /* back before anybody met it for so long */
        { { "gga............", "........", "a" }, 1, 1, 21, -1 }, /* two are no proof */
        { { "ggaa............", "........", "a" }, 1, 1, 22, 24 },
        { { "gg", ten, "aaaaaaaaag" }, 1, 1, 19, -1, true },
        { { "AAAAAAAAAAAAAgAAAAAAAAAAAAAg", "AAAAAAAAAAAAAgAAAAAAAAAAAAAg", "AAAAAAAAAAAAAg" }, 5, 0, 65, 64 }, /* up for a moment, again and again */
        { { "xg", "xxxxxxxxxxxxxxxxxx", "g" }, -1, -1, 0, -1 }, /* never away: the guards of the test have the word */
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct dice d = dice_of(31);
        struct guards g, again;
        struct buf text = { 0 }, twice = { 0 }, said = { 0 };
        int after = -1, minute_now = 0, errors = 0, fallback = 0;
        begin(&g, &d, 2000, 0.2);
        snprintf(g.origin.source, sizeof g.origin.source, "%s", cases[i].blind ? "none" : "rows");
        for (size_t part = 0; part < 3; part++)
            for (const char *m = cases[i].minutes[part] ? cases[i].minutes[part] : ""; *m; m++, minute_now++) {
                if (*m == '.')
                    continue;
                struct request_row r = minute_of(*m, &d);
                r.time_ms = 1800000000000 + minute_now * minute;
                int breach = guards_see(&g, &new, &r);
                if (breach == GUARD_PLACE) {
                    assert_int_equal(after, -1); /* once */
                    after = minute_now;
                    guards_say(&g, GUARD_PLACE, &said);
                    assert_true(str_starts(buf_str(&said), STR("place: nobody can be reached there since 2027-01-15T08:")));
                }
                save(&g, &text);
                assert_true(guards_read(&again, buf_str(&text)));
                save(&again, &twice);
                assert_true(str_eq(buf_str(&text), buf_str(&twice)));
                g = again; /* a restart each minute */
            }
        for (size_t k = 0; k < g.watch.n; k++) {
            errors += g.kinds[k] == GUARD_ERRORS ? (int)g.watch.guards[k].seen.bad : 0;
            fallback += g.kinds[k] == GUARD_FALLBACK ? (int)g.watch.guards[k].seen.bad : 0;
        }
        if (after != cases[i].after || guards_away_ms(&g) != cases[i].away_min * minute || (cases[i].errors >= 0 && (errors != cases[i].errors || fallback != cases[i].fallback)))
            fail_msg("%zu: after %d, away %lld min, errors %d, fallback %d", i, after, (long long)(guards_away_ms(&g) / minute), errors, fallback);
        buf_free(&text);
        buf_free(&twice);
        buf_free(&said);
    }
}

/* What the old model's host did is no more held against it. */
static void test_the_old_ones_outages_are_one_event_each(void **state)
{
    struct dice d = dice_of(32);
    struct baseline b;
    baseline_begin(&b);
    for (int i = 0; i < 200; i++) {
        struct request_row r = answer("old", &d);
        r.time_ms = 1800000000000 + i * minute;
        if (i >= 20 && i < 120) {
            spoil(&r, FAULT_BACKEND, "backend_failed");
            r.away = true;
        }
        baseline_see(&b, &old, &r);
    }
    assert_int_equal(b.counts[GUARD_ERRORS].bad, 1);
    assert_int_equal(b.counts[GUARD_ERRORS].total, 101);
    baseline_end(&b);
}

/* As a gateway before this one has written it: one time for all loads, and other names are none. */
static void test_a_text_of_before_goes_on(void **state)
{
    static const char text[] = "{\"requests\":50,\"base_requests\":2000,\"breach\":\"\",\"guards\":{\"errors\":{\"base\":[20,2000],\"seen\":[1,50],\"first\":\"req_a\",\"last\":\"req_a\"},"
                               "\"ttft\":{\"base\":[10,2000],\"seen\":[0,49],\"limit\":300,\"first\":\"\",\"last\":\"\"}}}";
    struct dice d = dice_of(5);
    struct guards g;
    assert_true(guards_read(&g, STR(text)));
    assert_true(!g.by_load && g.watch.n == 2 && g.requests == 50);
    for (int i = 0; i < 30; i++) {
        struct request_row r = answer("new", &d);
        r.others = i % 3 - 1; /* unknown, none, one */
        guards_see(&g, &new, &r);
    }
    assert_int_equal(g.watch.guards[1].seen.total, 79);
    assert_int_equal(g.watch.guards[0].seen.total, 80);
}

int main(void)
{
    arena_init(&texts);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_the_models_ends_its_trial),
        cmocka_unit_test(test_what_is_not_the_models_does_not),
        cmocka_unit_test(test_a_restart_changes_nothing),
        cmocka_unit_test(test_without_a_baseline_nothing_is_watched),
        cmocka_unit_test(test_an_outage_is_one_event),
        cmocka_unit_test(test_runs_cost_little),
        cmocka_unit_test(test_a_place_where_nobody_is_has_a_rule_of_its_own),
        cmocka_unit_test(test_the_old_ones_outages_are_one_event_each),
        cmocka_unit_test(test_who_stays_down_goes_back),
        cmocka_unit_test(test_times_are_held_against_the_same_load),
        cmocka_unit_test(test_no_guard_sees_what_others_did_wrong),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_a_text_of_before_goes_on),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&texts);
    return failed;
}
