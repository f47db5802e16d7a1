/* The kinds of records: what is put is found, and how a second look changes a first. */
#include "store/calibrations.h"
#include "store/evals.h"
#include "store/model_hours.h"
#include "store/probes.h"
#include "store/shadows.h"
#include "store/swaps.h"

#include "base/buf.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64];
static struct store *store;
static int64_t now_ms = 1800000000000;

static int64_t test_mono(void)
{
    return 1;
}

static int64_t test_wall(void)
{
    return now_ms;
}

static int open_store(void **state)
{
    static const struct clock_source source = { test_mono, test_wall };
    struct err e;
    clock_use(&source);
    snprintf(folder, sizeof folder, "/tmp/hob-records-XXXXXX");
    return !mkdtemp(folder) || store_open(str_of(folder), &store, &e);
}

static int close_store(void **state)
{
    char path[128];
    store_close(store);
    snprintf(path, sizeof path, "%s/hob.db", folder);
    unlink(path);
    clock_use(NULL);
    return rmdir(folder);
}

static void put(const char *model, const char *engine, const char *settings, int64_t estimated, int64_t projected, int64_t idle, int64_t busy,
    int64_t too_short)
{
    struct calibration r = { .estimated_bytes = estimated, .projected_bytes = projected, .idle_bytes = idle, .busy_bytes = busy,
        .short_bytes = too_short };
    struct err e;
    snprintf(r.model, sizeof r.model, "%s", model);
    snprintf(r.engine, sizeof r.engine, "%s", engine);
    snprintf(r.settings, sizeof r.settings, "%s", settings);
    now_ms += 1000;
    if (calibrations_put(store, &r, &e))
        fail_msg("%s", e.text);
}

static size_t find(struct arena *a, const char *model, const char *engine, const struct calibration **rows)
{
    struct err e;
    size_t n = 0;
    if (calibrations_of(store, str_of(model), str_of(engine), a, rows, &n, &e))
        fail_msg("%s", e.text);
    return n;
}

static void test_a_second_look_adds_to_the_first(void **state)
{
    static const struct {
        int64_t put[5], want[5]; /* estimated, projected, idle, busy, short */
    } steps[] = {
        { { 100, 0, 0, 0, 0 }, { 100, 0, 0, 0, 0 } },
        { { 100, 90, 0, 0, 0 }, { 100, 90, 0, 0, 0 } },
        { { 0, 0, 0, 0, 120 }, { 100, 90, 0, 0, 120 } },
        { { 0, 0, 0, 0, 110 }, { 100, 90, 0, 0, 120 } },      /* it died with less, too: the larger is the news */
        { { 101, 0, 0, 0, 0 }, { 101, 90, 0, 0, 120 } },
        { { 101, 0, 200, 0, 0 }, { 101, 90, 200, 0, 0 } },    /* loaded: it is enough now */
        { { 101, 0, 0, 230, 0 }, { 101, 90, 200, 230, 0 } },
        { { 101, 0, 190, 210, 0 }, { 101, 90, 190, 230, 0 } }, /* the most it had stays */
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < COUNTOF(steps); i++) {
        const int64_t *p = steps[i].put, *w = steps[i].want;
        const struct calibration *r = NULL;
        put("m", "e", "s", p[0], p[1], p[2], p[3], p[4]);
        assert_int_equal(find(&a, "m", "e", &r), 1);
        if (r->estimated_bytes != w[0] || r->projected_bytes != w[1] || r->idle_bytes != w[2] || r->busy_bytes != w[3] || r->short_bytes != w[4])
            fail_msg("step %zu: %lld %lld %lld %lld %lld", i, (long long)r->estimated_bytes, (long long)r->projected_bytes, (long long)r->idle_bytes,
                (long long)r->busy_bytes, (long long)r->short_bytes);
        assert_int_equal(r->at_s, now_ms / 1000);
    }
    arena_fini(&a);
}

static void test_rows_are_found_by_file_and_build_newest_first(void **state)
{
    struct arena a;
    const struct calibration *r = NULL;
    arena_init(&a);
    put("m", "e", "old", 1, 0, 0, 0, 0);
    put("m", "e", "new", 2, 0, 0, 0, 0);
    put("m", "other", "old", 3, 0, 0, 0, 0);
    put("other", "e", "old", 4, 0, 0, 0, 0);
    assert_int_equal(find(&a, "m", "e", &r), 2);
    assert_string_equal(r[0].settings, "new");
    assert_string_equal(r[1].settings, "old");
    assert_int_equal(find(&a, "m", "", &r), 3);
    assert_int_equal(find(&a, "none", "e", &r), 0);
    arena_fini(&a);
}

static void test_what_nobody_used_for_a_year_goes(void **state)
{
    struct arena a;
    const struct calibration *r = NULL;
    arena_init(&a);
    put("m", "e", "old", 1, 0, 0, 0, 0);
    now_ms += INT64_C(401) * 86400 * 1000;
    put("m", "e", "new", 1, 0, 0, 0, 0);
    assert_int_equal(find(&a, "m", "e", &r), 1);
    assert_string_equal(r->settings, "new");
    arena_fini(&a);
}

static void test_answers_of_probes_are_kept_by_build_and_name(void **state)
{
    struct err e;
    int answer = 7;
    assert_int_equal(probes_find(store, STR("build"), STR("llama"), &answer, &e), ERR_OK);
    assert_int_equal(answer, -1);
    assert_int_equal(probes_put(store, STR("build"), STR("llama"), true, &e), ERR_OK);
    assert_int_equal(probes_put(store, STR("build"), STR("nonesuch"), false, &e), ERR_OK);
    static const struct { const char *engine, *name; int want; } rows[] = {
        { "build", "llama", 1 }, { "build", "nonesuch", 0 }, { "other", "llama", -1 }, { "build", "", -1 },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        assert_int_equal(probes_find(store, str_of(rows[i].engine), str_of(rows[i].name), &answer, &e), ERR_OK);
        assert_int_equal(answer, rows[i].want);
    }
    assert_int_equal(probes_put(store, STR("build"), STR("nonesuch"), true, &e), ERR_OK);
    assert_int_equal(probes_find(store, STR("build"), STR("nonesuch"), &answer, &e), ERR_OK);
    assert_int_equal(answer, 1);
}

/* ---- swaps and runs: what was read, as one text ---- */

static struct buf seen;
static enum err_code written;

static void on_written(void *ctx, const struct err *e)
{
    written = e ? e->code : ERR_OK;
}

static const char *seen_text(void)
{
    buf_add_char(&seen, 0);
    return seen.p;
}

static void see_swap(void *ctx, int64_t id, struct str text)
{
    buf_printf(&seen, "%lld=%.*s ", (long long)id, STR_ARG(text));
}

static void see_step(void *ctx, const struct swap_step_row *r)
{
    buf_printf(&seen, "%lld:%.*s>%.*s(%.*s,%.*s,%.*s,%.*s)@%lld ", (long long)r->swap, STR_ARG(r->step), STR_ARG(r->state), STR_ARG(r->actor), STR_ARG(r->role),
        STR_ARG(r->reason), STR_ARG(r->figures), (long long)r->time_ms);
}

static int64_t put_swap(int64_t id, const char *text, struct swap_step_row step)
{
    struct swap_put p = { .id = id, .text = str_of(text), .step = step, .on_done = on_written };
    written = ERR_INTERNAL;
    swaps_put(store, &p);
    assert_int_equal(written, ERR_OK);
    return p.id;
}

static void test_swaps_and_their_steps_are_kept(void **state)
{
    struct err e;
    buf_reset(&seen, 1024);
    int64_t one = put_swap(0, "a", (struct swap_step_row){ .time_ms = 5, .actor = STR("cli"), .step = STR("plan"), .state = STR("planned") });
    int64_t two = put_swap(0, "b", (struct swap_step_row){ .time_ms = 6, .actor = STR("key"), .step = STR("plan"), .state = STR("refused"), .reason = STR("it's none") });
    assert_int_equal(one, 1);
    assert_int_equal(two, 2);
    put_swap(one, "c", (struct swap_step_row){ .time_ms = 4, .actor = STR("guard"), .step = STR("breach"), .state = STR("rolled_back"), .role = STR("chat"), .figures = STR("{}") });
    put_swap(two, "d", (struct swap_step_row){ 0 }); /* no step */
    assert_int_equal(swaps_read(store, see_swap, NULL, &e), ERR_OK);
    assert_string_equal(seen_text(), "1=c 2=d ");
    buf_reset(&seen, 1024);
    assert_int_equal(swap_steps_read(store, one, 0, see_step, NULL, &e), ERR_OK);
    assert_string_equal(seen_text(), "1:plan>planned(cli,,,)@5 1:breach>rolled_back(guard,chat,,{})@4 ");
    buf_reset(&seen, 1024);
    assert_int_equal(swap_steps_read(store, 0, 2, see_step, NULL, &e), ERR_OK);
    assert_string_equal(seen_text(), "2:plan>refused(key,,it's none,)@6 1:breach>rolled_back(guard,chat,,{})@4 ");
    buf_free(&seen);
}

static void see_run(void *ctx, const struct eval_row *r)
{
    buf_printf(&seen, "%lld %.*s %.*s %.*s %lld-%lld; ", (long long)r->run, STR_ARG(r->suite), STR_ARG(r->state), STR_ARG(r->text), (long long)r->began_ms, (long long)r->ended_ms);
}

static void see_result(void *ctx, const struct eval_result *r)
{
    buf_printf(&seen, "%lld %.*s %.*s #%lld %d %.2f %.*s %.*s; ", (long long)r->run, STR_ARG(r->place), STR_ARG(r->item), (long long)r->turn, r->passed, r->score, STR_ARG(r->fault),
        STR_ARG(r->text));
}

static enum err_code put_run(struct eval_put *p)
{
    p->on_done = on_written;
    written = ERR_INTERNAL;
    evals_put(store, p);
    return written;
}

static void test_runs_and_their_results_are_kept(void **state)
{
    struct err e;
    buf_reset(&seen, 1024);
    struct eval_put first = { .row = { .began_ms = 3, .suite = STR("s"), .state = STR("running"), .text = STR("{}") } }, second = first;
    assert_int_equal(put_run(&first), ERR_OK);
    assert_int_equal(put_run(&second), ERR_OK);
    assert_int_equal(first.row.run, 1);
    assert_int_equal(second.row.run, 2);
    const struct eval_result results[] = {
        { .place = STR("m"), .item = STR("c1"), .turn = 1, .passed = 1, .score = 1, .text = STR("x") },
        { .place = STR("m@box"), .item = STR("c1"), .turn = 1, .passed = 0, .score = 0.5, .fault = STR("model"), .text = STR("y") },
        { .place = STR("m"), .item = STR("c1"), .turn = 2, .passed = -1, .fault = STR("gateway"), .text = STR("z") },
    };
    struct eval_put put = { .row = { .run = 1 }, .results = results, .nresults = 3 };
    assert_int_equal(put_run(&put), ERR_OK);
    const struct eval_result again = { .place = STR("m"), .item = STR("c1"), .turn = 2, .passed = 1, .score = 1, .text = STR("now") }; /* asked once more */
    struct eval_put more = { .row = { .run = 1, .ended_ms = 9, .state = STR("done"), .text = STR("{1}") }, .results = &again, .nresults = 1, .row_too = true };
    assert_int_equal(put_run(&more), ERR_OK);
    struct eval_put none = { .row = { .run = 5, .state = STR("done") } };
    assert_int_equal(put_run(&none), ERR_NOT_FOUND);
    assert_int_equal(evals_read(store, 0, 0, see_run, NULL, &e), ERR_OK);
    assert_int_equal(eval_results_read(store, 1, see_result, NULL, &e), ERR_OK);
    assert_string_equal(seen_text(), "2 s running {} 3-0; 1 s done {1} 3-9; 1 m c1 #1 1 1.00  x; 1 m c1 #2 1 1.00  now; 1 m@box c1 #1 0 0.50 model y; ");
    buf_reset(&seen, 1024);
    assert_int_equal(evals_read(store, 2, 1, see_run, NULL, &e), ERR_OK);
    assert_string_equal(seen_text(), "2 s running {} 3-0; ");
    buf_free(&seen);
}

static enum err_code put_pair(struct shadow_row row)
{
    struct shadow_put p = { .row = row, .on_done = on_written };
    written = ERR_INTERNAL;
    shadows_put(store, &p);
    return written;
}

static void see_pair(void *ctx, const struct shadow_row *r)
{
    const struct shadow_side *sides[] = { &r->old, &r->new };
    buf_printf(&seen, "%lld %.*s %lld %.*s +%lld %d %.2f %lld/%lld/%lld", (long long)r->swap, STR_ARG(r->role), (long long)r->time_ms, STR_ARG(r->request), (long long)r->waited_ms,
        (int)r->alike, r->cost, (long long)r->dropped, (long long)r->cancelled, (long long)r->unfit);
    for (size_t i = 0; i < 2; i++)
        buf_printf(&seen, " [%.*s %d %d %d %d %.3f %.3f %lld %lld %lld]", STR_ARG(sides[i]->code), sides[i]->fits, sides[i]->thought, sides[i]->empty, sides[i]->cut, sides[i]->ttft_ms,
            sides[i]->total_ms, (long long)sides[i]->input, (long long)sides[i]->output, (long long)sides[i]->bytes);
    buf_lit(&seen, "; ");
}

static void test_pairs_of_a_shadow_are_kept(void **state)
{
    const struct shadow_side good = { STR("ok"), 1, 0, 0, 1, 12.3456, 100, 7, 0, 80 }, none = { STR("backend_failed"), -1, -1, -1, -1, -1, -1, -1, -1, -1 };
    struct err e;
    buf_reset(&seen, 1024);
    assert_int_equal(put_pair((struct shadow_row){ .swap = 1, .role = STR("chat"), .time_ms = 5, .request = STR("req_1"), .waited_ms = 9, .alike = ALIKE_AS_JSON, .cost = 0.25, .dropped = 1,
        .cancelled = 2, .unfit = 3, .old = good, .new = good }), ERR_OK);
    assert_int_equal(put_pair((struct shadow_row){ .swap = 2, .role = STR("chat"), .time_ms = 6, .request = STR("r"), .alike = ALIKE_UNKNOWN, .cost = -1, .old = none, .new = good }), ERR_OK);
    assert_int_equal(shadows_read(store, 1, see_pair, NULL, &e), ERR_OK);
    assert_string_equal(seen_text(), "1 chat 5 req_1 +9 1 0.25 1/2/3 [ok 1 0 0 1 12.346 100.000 7 0 80] [ok 1 0 0 1 12.346 100.000 7 0 80]; ");
    buf_reset(&seen, 1024);
    assert_int_equal(shadows_read(store, 2, see_pair, NULL, &e), ERR_OK);
    assert_string_equal(seen_text(), "2 chat 6 r +0 -1 -1.00 0/0/0 [backend_failed -1 -1 -1 -1 -1.000 -1.000 -1 -1 -1] [ok 1 0 0 1 12.346 100.000 7 0 80]; ");
    buf_free(&seen);
}

static void count_pair(void *ctx, const struct shadow_row *r)
{
    size_t *n = ctx;
    n[str_eq(r->role, STR("chat"))]++;
}

static size_t pairs_of(int64_t swap, bool chat)
{
    size_t n[2] = { 0, 0 };
    struct err e;
    assert_int_equal(shadows_read(store, swap, count_pair, n, &e), ERR_OK);
    return n[chat];
}

static void test_pairs_are_bounded_and_expire(void **state)
{
    const int64_t days = (SHADOW_DAYS + 1) * (int64_t)86400000;
    struct shadow_row row = { .swap = 1, .role = STR("chat"), .request = STR("r"), .old = { .code = STR("ok") }, .new = { .code = STR("ok") } };
    row.role = STR("code");
    assert_int_equal(put_pair(row), ERR_OK);
    row.role = STR("chat");
    for (int i = 0; i < SHADOW_MOST + 20; i++)
        assert_int_equal(put_pair(row), ERR_OK);
    assert_int_equal(pairs_of(1, true), SHADOW_MOST);
    assert_int_equal(pairs_of(1, false), 1);
    row.swap = 2;
    row.time_ms = days;
    for (int i = 0; i < 260; i++) /* each takes some of the oldest with it */
        assert_int_equal(put_pair(row), ERR_OK);
    assert_int_equal(pairs_of(1, true) + pairs_of(1, false), 0);
    assert_int_equal(pairs_of(2, true), 260);
}

static void keep_hour(void *ctx, const struct model_hour *r)
{
    struct buf *b = ctx;
    buf_printf(b, "%.*s@%lld %lld %lld %lld %lld;", STR_ARG(r->model), (long long)r->hour_s, (long long)r->hot_ms, (long long)r->byte_seconds, (long long)r->loads,
        (long long)r->load_ms);
}

static void test_a_stretch_of_time_is_split_by_hours(void **state)
{
    enum { HOUR = 3600 * 1000 };
    static const struct {
        int64_t end_ms, length_ms;
        size_t room;
        const char *want; /* of 2000 bytes */
    } cases[] = {
        { 10 * HOUR + 500, 500, 9, "a@36000 500 1000 0 0;" },
        { 10 * HOUR + 500, 1500, 9, "a@36000 500 1000 0 0;a@32400 1000 2000 0 0;" },
        { 10 * HOUR, 1000, 9, "a@32400 1000 2000 0 0;" },
        { 10 * HOUR, 2 * HOUR + 1, 9, "a@32400 3600000 7200000 0 0;a@28800 3600000 7200000 0 0;a@25200 1 2 0 0;" },
        { 10 * HOUR, 2 * HOUR + 1, 2, "a@32400 3600000 7200000 0 0;a@28800 3600000 7200000 0 0;" },
        { 10 * HOUR, 0, 9, "" },
        { 500, 1000, 9, "a@0 500 1000 0 0;" },      /* a clock that was not set */
    };
    struct model_hour rows[9];
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf b = { 0 };
        size_t n = model_hours_split(STR("a"), cases[i].end_ms, cases[i].length_ms, 2000, rows, cases[i].room);
        for (size_t k = 0; k < n; k++)
            keep_hour(&b, &rows[k]);
        if (!str_eq(buf_str(&b), str_of(cases[i].want)))
            fail_msg("case %zu: %.*s", i, STR_ARG(buf_str(&b)));
        buf_free(&b);
    }
}

static void test_hours_of_models_add_up(void **state)
{
    static const struct model_hour first[] = {
        { .model = { "a", 1 }, .hour_s = 3600, .hot_ms = 1000, .byte_seconds = 500, .loads = 1, .load_ms = 30 },
        { .model = { "b", 1 }, .hour_s = 7200, .hot_ms = 7, .byte_seconds = 8 },
        { .model = { "a", 1 }, .hour_s = 3600, .hot_ms = 10, .byte_seconds = 5, .loads = 1, .load_ms = 3 },
        { .model = { "a", 1 }, .hour_s = 10800, .hot_ms = 1, .byte_seconds = 1 },
    };
    static const struct {
        int64_t since_s, until_s;
        const char *want;
    } cases[] = {
        { 0, 1 << 30, "a@3600 1010 505 2 33;b@7200 7 8 0 0;a@10800 1 1 0 0;" },
        { 3601, 10800, "b@7200 7 8 0 0;" },
        { 10801, 1 << 30, "" },
    };
    int64_t hour = 1;
    struct err e;
    assert_int_equal(model_hours_first(store, &hour, &e), ERR_OK);
    assert_int_equal(hour, 0);
    model_hours_add(store, first, COUNTOF(first));
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf b = { 0 };
        assert_int_equal(model_hours_read(store, cases[i].since_s, cases[i].until_s, keep_hour, &b, &e), ERR_OK);
        if (!str_eq(buf_str(&b), str_of(cases[i].want)))
            fail_msg("case %zu: %.*s", i, STR_ARG(buf_str(&b)));
        buf_free(&b);
    }
    assert_int_equal(model_hours_first(store, &hour, &e), ERR_OK);
    assert_int_equal(hour, 3600);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)
    const struct CMUnitTest tests[] = {
        CASE(test_a_second_look_adds_to_the_first),
        CASE(test_rows_are_found_by_file_and_build_newest_first),
        CASE(test_what_nobody_used_for_a_year_goes),
        CASE(test_answers_of_probes_are_kept_by_build_and_name),
        CASE(test_swaps_and_their_steps_are_kept),
        CASE(test_runs_and_their_results_are_kept),
        CASE(test_pairs_of_a_shadow_are_kept),
        CASE(test_pairs_are_bounded_and_expire),
        CASE(test_a_stretch_of_time_is_split_by_hours),
        CASE(test_hours_of_models_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
