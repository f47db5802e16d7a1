/* The file goes to another process: rows packed and unpacked, writing put off and taken up again, rows that go elsewhere, and those that were there already. */
#include "store/store_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "json/json.h"
#include "loop/loop.h"

#include <signal.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64];
static struct loop *loop;

static int begin(void **state)
{
    log_set_level(LOG_ERROR);
    snprintf(folder, sizeof folder, "/tmp/hob-handover-XXXXXX");
    loop = loop_new();
    return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
    char path[128];
    glob_t found;
    loop_free(loop);
    snprintf(path, sizeof path, "%s/*", folder);
    if (!glob(path, 0, NULL, &found))
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
    globfree(&found);
    return rmdir(folder);
}

struct writing {
    struct request_put put;
    struct request_row row;
    char id[40];
    int done; /* 1: written, 2: failed */
};

static void on_done(void *ctx, const struct err *e)
{
    ((struct writing *)ctx)->done = e ? 2 : 1;
}

static void put(struct store *s, struct writing *w, int n)
{
    snprintf(w->id, sizeof w->id, "req_%028x", (unsigned)n);
    w->row = (struct request_row){ .time_ms = clock_wall_ms(), .id = str_of(w->id), .endpoint = STR("chat"), .asked = STR("m"), .model = STR("m"),
        .host = STR("local"), .status = 200, .code = STR("ok"), .input_tokens = 1, .output_tokens = 2, .reasoning_tokens = -1, .cached_tokens = -1,
        .ttft_ms = -1, .cost = -1, .complexity = -1 };
    w->put.row = &w->row;
    w->put.on_done = on_done;
    w->put.ctx = w;
    w->done = 0;
    requests_put(s, &w->put, 1);
}

static void wait_until(bool (*is_so)(void *ctx), void *ctx)
{
    for (int i = 0; i < 10000 && !is_so(ctx); i++) {
        uv_run(loop_uv(loop), UV_RUN_NOWAIT);
        usleep(1000);
    }
    assert_true(is_so(ctx));
}

static bool is_done(void *ctx)
{
    return ((struct writing *)ctx)->done != 0;
}

static bool is_paused(void *ctx)
{
    return store_is_paused(ctx);
}

static void count_row(void *ctx, const struct request_row *r)
{
    ++*(size_t *)ctx;
}

static size_t rows_there(void)
{
    struct store *s = NULL;
    struct err e;
    size_t n = 0;
    struct requests_wish all = { .since_ms = 0 };
    assert_int_equal(store_open_to_read(str_of(folder), &s, &e), ERR_OK);
    if (s)
        assert_int_equal(requests_read(s, &all, count_row, &n, &e), ERR_OK);
    store_close(s);
    return n;
}

/* ---- */

static void test_a_row_comes_back_as_it_was(void **state)
{
    const struct request_row row = { .time_ms = 1800000000123, .id = STR("req_00ff"), .client_id = STR("mine \"7\"\n"), .caller = STR("ann"), .class = STR("chat"),
        .endpoint = STR("chat"), .role = STR("r"), .tier = STR("fast"), .asked = STR("\xe6\x97\xa5"), .unknown = true, .model = STR("m"), .host = STR("h"),
        .status = 502, .fault = FAULT_MODEL, .code = STR("only_thoughts"), .evidence = STR("it said nothing"), .reason = STR("first"), .input_tokens = 1LL << 40,
        .output_tokens = 0, .reasoning_tokens = -1, .cached_tokens = 7, .queue_ms = 0.125, .load_ms = 12345.5, .ttft_ms = -1, .total_ms = 1e7, .chain = STR("[{\"a\":1}]"),
        .bytes_in = 3, .bytes_out = 4, .stream = true, .remote = false, .private_ = true, .redacted = false, .fell_back = true, .unasked_thoughts = true,
        .cost = 0.000012345678, .complexity = 0.5, .verdict = ROW_IMPROVED, .finish = FINISH_LENGTH, .others = 7 };
    struct buf text = { 0 }, again = { 0 };
    struct json_doc d;
    struct request_row got;
    struct err e;
    request_pack(&row, &text);
    assert_int_equal(request_unpack(buf_str(&text), &d, &got, &e), ERR_OK);
    request_pack(&got, &again);
    assert_true(str_eq(buf_str(&text), buf_str(&again)));
    assert_true(str_eq(got.client_id, row.client_id) && str_eq(got.asked, row.asked) && str_eq(got.chain, row.chain));
    assert_true(got.time_ms == row.time_ms && got.input_tokens == row.input_tokens && got.reasoning_tokens == -1 && got.fault == FAULT_MODEL);
    assert_true(got.private_ && got.unknown && !got.redacted && got.verdict == ROW_IMPROVED && got.status == 502 && got.finish == FINISH_LENGTH && got.others == 7);
    assert_true(got.cost > 0.0000123456 && got.cost < 0.0000123457 && got.ttft_ms < 0);
    json_free(&d);
    buf_free(&text);
    buf_free(&again);
}

static void test_what_another_version_says_is_understood_as_far_as_it_goes(void **state)
{
    static const struct {
        const char *text;
        bool fine;
    } cases[] = {
        { "{\"id\":\"req_00\",\"new\":[1,{\"a\":2}],\"status\":200}", true },
        { "{\"id\":\"req_00\",\"status\":\"x\",\"stream\":7,\"time_ms\":null,\"model\":5}", true },
        { "{}", false }, { "{\"id\":7}", false }, { "{\"id\":\"\"}", false }, { "[]", false }, { "", false }, { "{\"id\":", false },
        { "{\"id\":\"req_00\",\"fault\":99}", false }, { "{\"id\":\"req_00\",\"fault\":-1}", false }, { "{\"id\":\"req_00\",\"verdict\":4}", false }, { "{\"id\":\"req_00\",\"finish\":6}", false },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_doc d;
        struct request_row r;
        struct err e;
        enum err_code rc = request_unpack(str_of(cases[i].text), &d, &r, &e);
        assert_int_equal(rc == ERR_OK, cases[i].fine);
        if (rc)
            continue;
        assert_true(r.input_tokens == -1 && r.cost < 0 && !r.stream && r.model.n == 0);
        json_free(&d);
    }
}

static void test_what_comes_while_it_is_away_is_written_when_it_is_back(void **state)
{
    struct store *s = store_start(loop, str_of(folder));
    struct writing w[3] = { 0 };
    put(s, &w[0], 1);
    wait_until(is_done, &w[0]);
    for (int round = 0; round < 3; round++) {
        store_pause(s);
        put(s, &w[1], 10 + round);
        wait_until(is_paused, s);
        size_t before = rows_there();
        put(s, &w[2], 20 + round);
        for (int i = 0; i < 20; i++)
            uv_run(loop_uv(loop), UV_RUN_NOWAIT);
        assert_int_equal(w[2].done, 0);
        assert_int_equal(rows_there(), before);
        store_resume(s);
        wait_until(is_done, &w[1]);
        wait_until(is_done, &w[2]);
        assert_true(w[1].done == 1 && w[2].done == 1);
    }
    store_close(s);
    assert_int_equal(rows_there(), 7);
}

static struct writing *sent[8];
static size_t nsent;

static void forward(void *ctx, struct request_put *p)
{
    sent[nsent++] = p->ctx;
}

struct other {
    struct store_job job;
    int done;
};

static enum err_code run_other(struct store_db *db, struct store_job *job, struct err *e)
{
    return ERR_OK;
}

static void other_done(struct store_job *job, const struct err *e)
{
    ((struct other *)(void *)job)->done = e ? (int)e->code : -1;
}

static bool other_is_done(void *ctx)
{
    return ((struct other *)ctx)->done != 0;
}

static void test_rows_go_to_who_has_the_file_and_all_else_fails(void **state)
{
    struct store *s = store_start(loop, str_of(folder)), *its;
    struct writing w[4] = { 0 };
    struct other o = { .job = { .run = run_other, .done = other_done } }, late = o;
    nsent = 0;
    put(s, &w[0], 1);
    wait_until(is_done, &w[0]);
    store_pause(s);
    wait_until(is_paused, s);
    put(s, &w[1], 2);
    store_submit(s, &o.job);
    put(s, &w[2], 3);
    requests_forward(s, forward, NULL);
    assert_int_equal(nsent, 2); /* who waited, in order */
    assert_true(sent[0] == &w[1] && sent[1] == &w[2]);
    put(s, &w[3], 4);
    assert_true(nsent == 3 && sent[2] == &w[3]);
    store_submit(s, &late.job);
    wait_until(other_is_done, &o);
    wait_until(other_is_done, &late);
    assert_true(o.done == ERR_SHUTTING_DOWN && late.done == ERR_SHUTTING_DOWN);
    its = store_start(loop, str_of(folder)); /* the other process, played here */
    for (size_t i = 0; i < nsent; i++) {
        requests_put(its, &sent[i]->put, 1);
        wait_until(is_done, sent[i]);
        assert_int_equal(sent[i]->done, 1);
    }
    store_close(s);
    store_close(its);
    assert_int_equal(rows_there(), 4);
}

static void test_a_row_that_may_be_there_is_written_once(void **state)
{
    struct store *s = store_start(loop, str_of(folder));
    struct writing w[2] = { 0 };
    put(s, &w[0], 1);
    wait_until(is_done, &w[0]);
    for (int i = 0; i < 3; i++) {
        w[0].put.maybe_there = true;
        w[0].done = 0;
        requests_put(s, &w[0].put, 1);
        wait_until(is_done, &w[0]);
        assert_int_equal(w[0].done, 1);
    }
    w[1].put.maybe_there = true;
    put(s, &w[1], 2);
    wait_until(is_done, &w[1]);
    store_close(s);
    assert_int_equal(rows_there(), 2);
}

/* ---- on trial ---- */

static sqlite3 *bare(void)
{
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/hob.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void make_file(const char *first, int steps, int version)
{
    char last[64];
    sqlite3 *db = bare();
    assert_int_equal(sqlite3_exec(db, first, NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < steps; i++)
        assert_int_equal(sqlite3_exec(db, store_migrations[i], NULL, NULL, NULL), SQLITE_OK);
    snprintf(last, sizeof last, "PRAGMA user_version=%d", version);
    assert_int_equal(sqlite3_exec(db, last, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* As another program sees it. */
static int version_there(void)
{
    sqlite3 *db = bare();
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int version = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return version;
}

struct opening {
    struct store_job job;
    int done; /* -1: it could be had; else the error's code */
    char why[192];
};

static void on_opened(struct store_job *job, const struct err *e)
{
    struct opening *o = (struct opening *)(void *)job;
    assert_int_equal(o->done, 0);
    o->done = e ? (int)e->code : -1;
    snprintf(o->why, sizeof o->why, "%.190s", e ? e->text : "");
}

static bool was_opened(void *ctx)
{
    return ((struct opening *)ctx)->done != 0;
}

static enum err_code run_reader(struct store_db *db, struct store_job *job, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, "PRAGMA user_version", e);
    int version = s && db_step(db, s, e) == 1 ? sqlite3_column_int(s, 0) : -1;
    db_end(s);
    return version == store_schema() ? ERR_OK : err_set(e, ERR_INTERNAL, "version %d", version);
}

static void test_a_trial_changes_nothing_until_it_is_over(void **state)
{
    int before = store_schema() - 1;
    make_file("", before, before);
    for (int over = 0; over < 2; over++) {
        struct opening o = { .job.done = on_opened };
        struct writing w = { 0 };
        struct store *s = store_start_on_trial(loop, str_of(folder), &o.job);
        put(s, &w, 1);
        wait_until(was_opened, &o);
        assert_int_equal(o.done, -1);
        assert_int_equal(version_there(), before);
        for (int i = 0; i < 3; i++) { /* who reads sees what it is to become */
            struct other reader = { .job = { .run = run_reader, .done = other_done, .reads = true } };
            store_submit(s, &reader.job);
            wait_until(other_is_done, &reader);
            assert_int_equal(reader.done, -1);
        }
        assert_int_equal(w.done, 0);
        if (over) {
            store_resume(s);
            wait_until(is_done, &w);
        }
        store_close(s);
        assert_int_equal(w.done, over ? 1 : 2);
        assert_int_equal(version_there(), before + over);
    }
    assert_int_equal(rows_there(), 1);
}

static void test_who_dies_on_trial_has_changed_nothing(void **state)
{
    int before = store_schema() - 1, status;
    make_file("", before, before);
    pid_t pid = fork();
    if (pid == 0) {
        struct opening o = { .job.done = on_opened };
        loop = loop_new();
        store_start_on_trial(loop, str_of(folder), &o.job);
        wait_until(was_opened, &o);
        raise(o.done == -1 ? SIGKILL : SIGTERM);
    }
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(version_there(), before);
    struct store *s = store_start(loop, str_of(folder));
    struct writing w = { 0 };
    put(s, &w, 1);
    wait_until(is_done, &w);
    store_close(s);
    assert_int_equal(w.done, 1);
    assert_int_equal(version_there(), before + 1);
}

static void test_what_cannot_be_had_on_trial_stays_as_it_is(void **state)
{
    static const struct {
        const char *first;
        int steps, version;
        const char *says;
    } cases[] = {
        { "CREATE TABLE calibrations (n INTEGER)", 0, 0, "already exists" }, /* a step that fails */
        { "", 1, 9999, "newer hob" },
    };
    char path[128], broken[512], text[16] = "";
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        make_file(cases[i].first, cases[i].steps, cases[i].version);
        struct opening o = { .job.done = on_opened };
        struct store *s = store_start_on_trial(loop, str_of(folder), &o.job);
        wait_until(was_opened, &o);
        assert_int_equal(o.done, ERR_SYSTEM);
        assert_non_null(strstr(o.why, cases[i].says));
        store_close(s);
        assert_int_equal(version_there(), cases[i].version);
        snprintf(path, sizeof path, "%s/hob.db", folder);
        unlink(path);
    }
    FILE *f = fopen(path, "w");
    assert_true(f && fputs("no database, no database", f) >= 0 && !fclose(f));
    struct opening o = { .job.done = on_opened };
    struct store *s = store_start_on_trial(loop, str_of(folder), &o.job);
    wait_until(was_opened, &o);
    assert_int_equal(o.done, ERR_SYSTEM);
    store_close(s);
    f = fopen(path, "r");
    assert_true(f && fread(text, 1, 11, f) == 11 && !fclose(f));
    assert_string_equal(text, "no database");
    glob_t found;
    snprintf(broken, sizeof broken, "%s.broken-*", path);
    assert_int_equal(glob(broken, 0, NULL, &found), GLOB_NOMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_row_comes_back_as_it_was, begin, end),
        cmocka_unit_test_setup_teardown(test_what_another_version_says_is_understood_as_far_as_it_goes, begin, end),
        cmocka_unit_test_setup_teardown(test_what_comes_while_it_is_away_is_written_when_it_is_back, begin, end),
        cmocka_unit_test_setup_teardown(test_rows_go_to_who_has_the_file_and_all_else_fails, begin, end),
        cmocka_unit_test_setup_teardown(test_a_row_that_may_be_there_is_written_once, begin, end),
        cmocka_unit_test_setup_teardown(test_a_trial_changes_nothing_until_it_is_over, begin, end),
        cmocka_unit_test_setup_teardown(test_who_dies_on_trial_has_changed_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_had_on_trial_stays_as_it_is, begin, end),
    };
    return cmocka_run_group_tests_name("store handover", tests, NULL, NULL);
}
