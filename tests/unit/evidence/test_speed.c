/* Rates and quantiles of requests whose times were made up, against values worked out by hand; and two measurements held against each other. */
#include "evidence/speed.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const int64_t ms = 1000000;

static void assert_near(double got, double wanted, double within)
{
    if (!(fabs(got - wanted) <= within))
        fail_msg("%.12g, not %.12g", got, wanted);
}

/* One request: sent at t, its first piece after ttft, then a piece each gap. */
static struct speed_request *add(struct speed_report *r, size_t cell, int round, int64_t sent_ms, int64_t ttft_ms, int64_t gap_ms, int64_t tokens)
{
    struct speed_request *q = speed_add(r);
    double *gaps = arena_array(&r->memory, double, (size_t)tokens);
    for (int64_t i = 0; i + 1 < tokens; i++)
        gaps[i] = (double)gap_ms;
    q->cell = cell;
    q->round = round;
    q->prompt_tokens = 768;
    q->cached_tokens = 0;
    q->output_tokens = tokens;
    q->sent_ns = sent_ms * ms;
    q->first_ns = (sent_ms + ttft_ms) * ms;
    q->last_ns = (sent_ms + ttft_ms + gap_ms * (tokens - 1)) * ms;
    q->gaps_ms = gaps;
    q->ngaps = (size_t)tokens - 1;
    q->model = STR("m");
    q->host = STR("local");
    return q;
}

static void add_cell(struct speed_report *r, int64_t context, int64_t concurrency)
{
    r->cells[r->ncells].context = context;
    r->cells[r->ncells++].concurrency = concurrency;
}

static void test_one_at_a_time(void **state)
{
    struct speed_report r;
    speed_init(&r);
    add_cell(&r, 1024, 1);
    add(&r, 0, 1, 1000, 400, 10, 101);  /* 1920 tok/s of the prompt, 100 tok/s of the answer */
    add(&r, 0, 2, 9000, 200, 20, 101);  /* 3840, 50 */
    add(&r, 0, 3, 19000, 800, 40, 101); /* 960, 25 */
    r.cells[0].joules[0] = 28;          /* 1.4 s: 20 W */
    r.cells[0].joules[1] = 22;          /* 2.2 s: 10 W */
    speed_count(&r);
    const struct speed_cell *c = &r.cells[0];
    assert_int_equal(c->counted, 3);
    assert_int_equal(c->prompt_tokens, 768);
    assert_false(c->by_engine);
    assert_near(c->prompt_tps, 1920, 1e-6);
    assert_near(c->generation_tps, 50, 1e-6);
    assert_near(c->each_generation_tps, 50, 1e-6);
    assert_near(c->ttft_ms.p50, 400, 1e-9);
    assert_near(c->ttft_ms.p99, 400 + 0.98 * 400, 1e-6); /* of 200, 400, 800: at 1.98 */
    assert_int_equal(c->per_token_ms.n, 300);
    assert_near(c->per_token_ms.p50, 20, 1e-9);
    assert_near(c->per_token_ms.p99, 40, 1e-9);
    assert_near(c->pieces_tokens, 1, 1e-9);
    assert_near(c->watts, 15, 1e-9);
    assert_near(c->joules_per_round, 25, 1e-9);
    assert_near(c->tokens_per_joule, (101.0 / 28 + 101.0 / 22) / 2, 1e-9);
    assert_ptr_equal(speed_first(&r), c);
    speed_fini(&r);
}

/* Two at once: the first is read while the second waits, and then the second is while the first goes on. */
static void test_several_at_a_time(void **state)
{
    struct speed_report r;
    speed_init(&r);
    add_cell(&r, 1024, 2);
    add(&r, 0, 1, 1000, 500, 20, 51);   /* from 1500 to 2500 */
    add(&r, 0, 1, 1000, 1000, 20, 51);  /* from 2000 to 3000 */
    speed_count(&r);
    const struct speed_round *round = &r.cells[0].rounds[0];
    assert_int_equal(round->requests, 2);
    assert_near(round->prompt_tps, 2 * 768, 1e-6);              /* in a second */
    assert_near(round->generation_tps, 100 / 1.5, 1e-6);        /* 102 tokens less the two first, from 1500 to 3000 */
    assert_near(r.cells[0].each_generation_tps, 50, 1e-6);
    assert_near(round->ttft_ms, 750, 1e-6);
    assert_near(round->seconds, 2, 1e-9);
    speed_fini(&r);
}

static void test_the_engines_own_clock_goes_first(void **state)
{
    struct speed_report r;
    speed_init(&r);
    add_cell(&r, 1024, 1);
    struct speed_request *q = add(&r, 0, 1, 1000, 500, 10, 11);
    q->engine.prompt_n = 700;
    q->engine.prompt_ms = 350;
    speed_count(&r);
    assert_true(r.cells[0].by_engine);
    assert_near(r.cells[0].prompt_tps, 2000, 1e-6);
    speed_fini(&r);
}

/* Pieces that hold two tokens each: the gap is two tokens'. */
static void test_pieces_of_several_tokens(void **state)
{
    struct speed_report r;
    speed_init(&r);
    add_cell(&r, 1024, 1);
    struct speed_request *q = add(&r, 0, 1, 1000, 500, 30, 51);
    q->output_tokens = 101;
    speed_count(&r);
    assert_near(r.cells[0].pieces_tokens, 2, 1e-9);
    assert_near(r.cells[0].per_token_ms.p50, 15, 1e-9);
    assert_near(r.cells[0].generation_tps, 100 / 1.5, 1e-6);
    speed_fini(&r);
}

static void test_what_does_not_count(void **state)
{
    static const struct { unsigned flag; bool counts; } rows[] = { { SPEED_FAILED, false }, { SPEED_ELSEWHERE, false }, { SPEED_CACHED, false }, { SPEED_SHARED, false },
        { SPEED_UNCOUNTED, false }, { SPEED_SHORT, true }, { SPEED_LENGTH, true }, { 0, true } };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct speed_report r;
        speed_init(&r);
        add_cell(&r, 1024, 2);
        add(&r, 0, 1, 1000, 500, 10, 11);
        add(&r, 0, 1, 1000, 500, 10, 11)->flags = rows[i].flag; /* one that does not count spoils its round */
        add(&r, 0, 2, 5000, 250, 10, 11);
        add(&r, 0, 2, 5000, 250, 10, 11);
        speed_count(&r);
        assert_int_equal(r.cells[0].counted, rows[i].counts ? 2 : 1);
        assert_int_equal(r.cells[0].rounds[0].counts, rows[i].counts);
        assert_int_equal(r.cells[0].ttft_ms.n, rows[i].counts ? 4 : 2);
        if (!rows[i].counts)
            assert_near(r.cells[0].ttft_ms.p50, 250, 1e-9);
        speed_fini(&r);
    }
}

static void test_nothing_counts_and_nothing_came(void **state)
{
    struct speed_report r;
    struct buf out = { 0 };
    struct json_doc d;
    struct err e;
    speed_init(&r);
    add_cell(&r, 1024, 1);
    struct speed_request *q = speed_add(&r);
    *q = (struct speed_request){ .round = 1, .flags = SPEED_FAILED, .why = STR("it was answered 503"), .prompt_tokens = -1, .cached_tokens = -1, .output_tokens = -1, .sent_ns = 5 };
    add_cell(&r, 8192, 1);
    r.cells[1].left_out = STR("its context is 4096 tokens");
    speed_count(&r);
    assert_null(speed_first(&r));
    speed_put(&r, STR(""), &out);
    assert_int_equal(json_parse(&d, buf_str(&out), &e), ERR_OK);
    assert_true(yyjson_is_null(yyjson_obj_get(d.root, "prompt_tps")) && yyjson_is_null(yyjson_obj_get(d.root, "generation_tps")));
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(d.root, "cells")), 1);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(yyjson_arr_get_first(yyjson_obj_get(d.root, "left_out")), "why")), "its context is 4096 tokens");
    yyjson_val *run = yyjson_arr_get_first(yyjson_obj_get(d.root, "runs"));
    assert_string_equal(yyjson_get_str(yyjson_arr_get_first(yyjson_obj_get(run, "flags"))), "failed");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(run, "why")), "it was answered 503");
    assert_true(yyjson_is_null(yyjson_obj_get(run, "ttft_ms")));
    json_free(&d);
    buf_free(&out);
    speed_fini(&r);
}

static void test_cold_starts_are_medians(void **state)
{
    struct speed_report r;
    struct buf out = { 0 };
    struct json_doc d;
    struct err e;
    speed_init(&r);
    r.colds[0] = (struct speed_cold){ .spawn_ms = 5, .load_ms = 100, .first_token_ms = 50, .total_ms = 155 };
    r.colds[1] = (struct speed_cold){ .spawn_ms = 7, .load_ms = 300, .first_token_ms = 70, .total_ms = 377 };
    r.colds[2] = (struct speed_cold){ .spawn_ms = -1, .load_ms = 200, .first_token_ms = 60, .total_ms = 266 };
    r.ncolds = 3;
    speed_count(&r);
    speed_put(&r, STR(""), &out);
    assert_int_equal(json_parse(&d, buf_str(&out), &e), ERR_OK);
    yyjson_val *cold = yyjson_obj_get(d.root, "cold_start_ms");
    static const struct { const char *name; double ms; } rows[] = { { "spawn", 6 }, { "load", 200 }, { "first_token", 60 }, { "total", 266 }, { "n", 3 } };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_near(yyjson_get_num(yyjson_obj_get(cold, rows[i].name)), rows[i].ms, 1e-9);
    json_free(&d);
    buf_free(&out);
    speed_fini(&r);
}

/* ---- two of them ---- */

/* Rounds with so many milliseconds to the first token each. */
static struct buf measured(const int64_t *ttft_ms, size_t n, const char *settings)
{
    struct speed_report r;
    struct buf out = { 0 };
    speed_init(&r);
    r.model = STR("m");
    r.host = STR("local");
    r.settings = str_of(settings);
    add_cell(&r, 1024, 1);
    for (size_t i = 0; i < n; i++)
        add(&r, 0, (int)i + 1, 1000 + 10000 * (int64_t)i, ttft_ms[i], 10, 11);
    speed_count(&r);
    speed_put(&r, STR(""), &out);
    speed_fini(&r);
    return out;
}

static const struct speed_difference *of(const struct speed_comparison *c, const char *figure)
{
    for (size_t i = 0; i < c->n; i++)
        if (!strcmp(c->at[i].figure, figure))
            return &c->at[i];
    return NULL;
}

static void test_two_that_differ_and_two_that_do_not(void **state)
{
    static const struct { int64_t a[5], b[5]; size_t n; enum speed_verdict ttft, prompt; } rows[] = {
        { { 100, 101, 102, 103, 104 }, { 200, 202, 204, 206, 208 }, 5, SPEED_WORSE, SPEED_WORSE },
        { { 200, 202, 204, 206, 208 }, { 100, 101, 102, 103, 104 }, 5, SPEED_BETTER, SPEED_BETTER },
        { { 100, 200, 300, 150, 250 }, { 200, 110, 280, 160, 240 }, 5, SPEED_CANNOT_TELL, SPEED_CANNOT_TELL },
        { { 100, 101, 102 }, { 200, 202, 204 }, 3, SPEED_CANNOT_TELL, SPEED_CANNOT_TELL }, /* three come out apart by chance once in ten */
        { { 100, 101, 102, 103 }, { 200, 202, 204, 206 }, 4, SPEED_WORSE, SPEED_WORSE },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct buf a = measured(rows[i].a, rows[i].n, "{}"), b = measured(rows[i].b, rows[i].n, "{}");
        struct speed_comparison c;
        struct err e;
        assert_int_equal(speed_compare(buf_str(&a), buf_str(&b), &c, &e), ERR_OK);
        assert_int_equal(of(&c, "ttft_ms")->verdict, rows[i].ttft);
        assert_int_equal(of(&c, "prompt_tps")->verdict, rows[i].prompt);
        assert_int_equal(of(&c, "generation_tps")->verdict, SPEED_CANNOT_TELL); /* the same in both */
        assert_near(of(&c, "generation_tps")->change, 0, 1e-9);
        assert_null(of(&c, "tokens_per_joule")); /* nobody knows */
        assert_int_equal(c.nwarnings, rows[i].n < SPEED_LEAST_ROUNDS);
        speed_comparison_free(&c);
        buf_free(&a);
        buf_free(&b);
    }
    struct buf a = measured(rows[0].a, 5, "{}"), b = measured(rows[0].b, 5, "{}");
    struct speed_comparison c;
    struct err e;
    assert_int_equal(speed_compare(buf_str(&a), buf_str(&b), &c, &e), ERR_OK);
    assert_near(of(&c, "ttft_ms")->a, 102, 1e-6);
    assert_near(of(&c, "ttft_ms")->b, 204, 1e-6);
    assert_near(of(&c, "ttft_ms")->change, 1, 1e-9);
    assert_true(of(&c, "ttft_ms")->lo > 0.9 && of(&c, "ttft_ms")->hi < 1.1);
    speed_comparison_free(&c);
    buf_free(&a);
    buf_free(&b);
}

static void test_what_is_not_alike_is_told(void **state)
{
    static const int64_t times[] = { 100, 101, 102, 103 };
    static const struct { const char *a, *b, *warning; } rows[] = {
        { "{\"engine_build\":\"b1\"}", "{\"engine_build\":\"b2\"}", "the engine's build differs: b1, now b2" },
        { "{\"quantisation\":\"Q4_1\"}", "{\"quantisation\":\"Q8_0\"}", "the quantisation differs: Q4_1, now Q8_0" },
        { "{\"kv\":\"f16\"}", "{}", "the KV format differs: f16, now unknown" },
        { "{\"threads\":1}", "{\"threads\":2}", "the threads differs: 1, now 2" },
        { "{\"args\":[\"-b\"]}", "{\"args\":[]}", "the engine's further flags differs: [\"-b\"], now []" },
        { "{\"load_average\":1}", "{\"load_average\":2}", NULL },
        { "{\"machine\":null}", "{}", NULL },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct buf a = measured(times, 4, rows[i].a), b = measured(times, 4, rows[i].b);
        struct speed_comparison c;
        struct err e;
        assert_int_equal(speed_compare(buf_str(&a), buf_str(&b), &c, &e), ERR_OK);
        assert_int_equal(c.nwarnings, rows[i].warning ? 1 : 0);
        if (rows[i].warning)
            assert_true(str_eq(c.warnings[0], str_of(rows[i].warning)));
        speed_comparison_free(&c);
        buf_free(&a);
        buf_free(&b);
    }
}

static void test_what_is_no_measurement(void **state)
{
    static const int64_t times[] = { 100 };
    static const char *const rows[] = { "", "[]", "{}", "{\"cells\":5}", "not JSON" };
    struct buf b = measured(times, 1, "{}");
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct speed_comparison c;
        struct err e;
        assert_int_not_equal(speed_compare(str_of(rows[i]), buf_str(&b), &c, &e), ERR_OK);
        speed_comparison_free(&c);
    }
    struct speed_comparison c;
    struct err e;
    assert_int_equal(speed_compare(STR("{\"cells\":[{\"context\":5,\"rounds\":[7,{\"counts\":true,\"ttft_ms\":\"x\"}]}]}"), buf_str(&b), &c, &e), ERR_OK);
    assert_int_equal(c.n, 0); /* nothing in common */
    speed_comparison_free(&c);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_several_at_a_time),
        cmocka_unit_test(test_the_engines_own_clock_goes_first),
        cmocka_unit_test(test_pieces_of_several_tokens),
        cmocka_unit_test(test_what_does_not_count),
        cmocka_unit_test(test_nothing_counts_and_nothing_came),
        cmocka_unit_test(test_cold_starts_are_medians),
        cmocka_unit_test(test_two_that_differ_and_two_that_do_not),
        cmocka_unit_test(test_what_is_not_alike_is_told),
        cmocka_unit_test(test_what_is_no_measurement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
