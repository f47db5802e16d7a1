/* Request rows: what went in comes out; wishes; sums that are right at every moment, over kills too; age and size. */
#include "store/requests.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"

#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { HOUR_MS = 3600 * 1000, SOON_MS = 20 };
#define DAY (INT64_C(24) * HOUR_MS)

static char folder[64];
static _Atomic int64_t now_ms;
static _Atomic int64_t passed_ms; /* of the monotonic clock, too */
static struct loop *loop;
static struct store *store;

static int64_t test_mono(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec + passed_ms * 1000000;
}

/* Time goes by, on all clocks. */
static void pass(int64_t ms)
{
    passed_ms += ms;
    now_ms += ms;
}

static int64_t test_wall(void)
{
    return now_ms;
}

static void open_store(void)
{
    loop = loop_new();
    store = store_start(loop, str_of(folder));
}

static void close_store(void)
{
    store_close(store);
    loop_free(loop);
    store = NULL;
}

static int begin(void **state)
{
    static const struct clock_source source = { test_mono, test_wall };
    now_ms = 1800000000000 - 1800000000000 % HOUR_MS;
    clock_use(&source);
    log_set_level(LOG_ERROR);
    snprintf(folder, sizeof folder, "/tmp/hob-requests-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
    char path[128];
    glob_t found;
    if (store)
        close_store();
    snprintf(path, sizeof path, "%s/*", folder);
    if (!glob(path, 0, NULL, &found))
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
    globfree(&found);
    clock_use(NULL);
    return rmdir(folder);
}

/* ---- writing ---- */

static struct request_row plain_row(void)
{
    return (struct request_row){ .time_ms = now_ms, .id = STR("req_00112233445566778899aabbccdd"), .class = STR("program"), .endpoint = STR("chat"),
        .role = STR("chat"), .asked = STR("chat"), .model = STR("small"), .host = STR("local"), .status = 200, .code = STR("ok"), .input_tokens = 10,
        .output_tokens = 5, .reasoning_tokens = -1, .cached_tokens = -1, .queue_ms = 0.5, .load_ms = 0, .ttft_ms = 1.25, .total_ms = 20.125,
        .bytes_in = 1000, .bytes_out = 500, .cost = -1, .complexity = -1, .stream = true };
}

struct writing {
    struct request_put put;
    struct request_row row;
    size_t *left;
    bool failed;
};

static void on_put(void *ctx, const struct err *e)
{
    struct writing *w = ctx;
    w->failed = e != NULL;
    if (--*w->left == 0)
        loop_stop(loop);
}

/* All of them together; the number of those that were not written. */
static size_t write_rows(const struct request_row *rows, size_t n)
{
    struct writing *w = calloc(n, sizeof *w);
    assert_non_null(w);
    size_t left = n, failed = 0;
    for (size_t i = 0; i < n; i++) {
        w[i] = (struct writing){ .row = rows[i], .left = &left };
        w[i].put = (struct request_put){ .row = &w[i].row, .on_done = on_put, .ctx = &w[i] };
        requests_put(store, &w[i].put, n);
    }
    loop_run(loop);
    for (size_t i = 0; i < n; i++)
        failed += w[i].failed;
    free(w);
    return failed;
}

static void write_many(const struct request_row *row, size_t n)
{
    struct request_row *rows = calloc(n, sizeof *rows);
    assert_non_null(rows);
    for (size_t i = 0; i < n; i++)
        rows[i] = *row;
    assert_int_equal(write_rows(rows, n), 0);
    free(rows);
}

/* ---- reading ---- */

struct found {
    size_t n;
    int64_t first_ms, last_ms, last_at;
    char ids[512];
    bool in_order;
};

static void on_row(void *ctx, const struct request_row *r)
{
    struct found *f = ctx;
    f->in_order = f->in_order && r->at > f->last_at;
    f->last_at = r->at;
    f->first_ms = f->n++ ? f->first_ms : r->time_ms;
    f->last_ms = r->time_ms;
    size_t used = strlen(f->ids);
    snprintf(f->ids + used, sizeof f->ids - used, "%c", r->id.n ? r->id.p[r->id.n - 1] : '-');
}

static struct found find(const struct requests_wish *w)
{
    struct found f = { .in_order = true };
    struct store *s;
    struct err e;
    assert_int_equal(store_open_to_read(str_of(folder), &s, &e), ERR_OK);
    if (requests_read(s, w, on_row, &f, &e))
        fail_msg("%s", e.text);
    store_close(s);
    assert_true(f.in_order);
    return f;
}

static void on_sum(void *ctx, const struct request_sum *r)
{
    struct request_sum *all = ctx;
    all->requests += r->requests;
    all->faults += r->faults;
    all->input_tokens += r->input_tokens;
    all->output_tokens += r->output_tokens;
    all->cost += r->cost;
    all->unpriced += r->unpriced;
    all->verified += r->verified;
    all->agreed += r->agreed;
    all->fell_back += r->fell_back;
    all->last_ms = r->last_ms > all->last_ms ? r->last_ms : all->last_ms;
    all->hour_s += 1; /* here: how many sums */
}

static struct request_sum sums(int64_t since_s)
{
    struct request_sum all = { .hour_s = 0 };
    struct store *s;
    struct err e;
    assert_int_equal(store_open_to_read(str_of(folder), &s, &e), ERR_OK);
    if (requests_sums(s, since_s, on_sum, &all, &e))
        fail_msg("%s", e.text);
    store_close(s);
    return all;
}

/* ---- what holds ---- */

static void assert_str(struct str a, struct str b)
{
    if (!str_eq(a, b))
        fail_msg("'%.*s' is not '%.*s'", STR_ARG(a), STR_ARG(b));
}

static void same(void *ctx, const struct request_row *r)
{
    const struct request_row *w = *(const struct request_row **)ctx;
    *(const struct request_row **)ctx = w + 1;
    const struct str texts[][2] = { { r->id, w->id }, { r->client_id, w->client_id }, { r->caller, w->caller }, { r->class, w->class },
        { r->endpoint, w->endpoint }, { r->role, w->role }, { r->tier, w->tier }, { r->asked, w->asked }, { r->model, w->model }, { r->host, w->host },
        { r->code, w->code }, { r->evidence, w->evidence }, { r->reason, w->reason }, { r->chain, w->chain } };
    const double numbers[][2] = { { r->queue_ms, w->queue_ms }, { r->load_ms, w->load_ms }, { r->ttft_ms, w->ttft_ms }, { r->total_ms, w->total_ms },
        { r->cost, w->cost }, { r->complexity, w->complexity } };
    for (size_t i = 0; i < COUNTOF(texts); i++)
        assert_str(texts[i][0], texts[i][1]);
    for (size_t i = 0; i < COUNTOF(numbers); i++)
        assert_true(numbers[i][0] > numbers[i][1] - 0.001 && numbers[i][0] < numbers[i][1] + 0.001);
    assert_true(r->time_ms == w->time_ms && r->status == w->status && r->fault == w->fault && r->verdict == w->verdict);
    assert_true(r->input_tokens == w->input_tokens && r->output_tokens == w->output_tokens && r->reasoning_tokens == w->reasoning_tokens);
    assert_true(r->cached_tokens == w->cached_tokens && r->bytes_in == w->bytes_in && r->bytes_out == w->bytes_out);
    assert_true(r->stream == w->stream && r->remote == w->remote && r->private_ == w->private_ && r->redacted == w->redacted);
    assert_true(r->fell_back == w->fell_back && r->unknown == w->unknown && r->finish == w->finish && r->others == w->others);
}

static void test_rows_come_out_as_they_went_in(void **state)
{
    struct request_row rows[] = { plain_row(), plain_row(), plain_row() }, *at = rows;
    rows[1] = (struct request_row){ .time_ms = now_ms - 5, .id = STR("req_ff"), .client_id = STR("mine-1"), .caller = STR("ci"), .class = STR("background"),
        .endpoint = STR("embeddings"), .role = STR("embed"), .tier = STR("heavy"), .asked = STR("gpt-\xc3\xa9"), .unknown = true, .model = STR("big"),
        .host = STR("cloud"), .status = 502, .fault = FAULT_HARNESS, .code = STR("backend_failed"), .evidence = STR("it said \"no\""),
        .reason = STR("because"), .input_tokens = 0, .output_tokens = INT64_C(1) << 40, .reasoning_tokens = 7, .cached_tokens = 1, .queue_ms = -1,
        .load_ms = 12000, .ttft_ms = -1, .total_ms = 0, .chain = STR("[{\"model\":\"a\"}]"), .bytes_in = 0, .bytes_out = -1, .remote = true,
        .private_ = true, .redacted = true, .fell_back = true, .cost = 0, .complexity = 0.25, .verdict = ROW_CHECK_FAILED, .finish = FINISH_OTHER, .others = -1 };
    rows[2].finish = FINISH_LENGTH;
    rows[2].others = 200;
    rows[2].id = STR("not one of ours");
    struct store *s;
    struct err e;
    open_store();
    assert_int_equal(write_rows(rows, COUNTOF(rows)), 0);
    rows[2].id = STR("req_");
    assert_int_equal(store_open_to_read(str_of(folder), &s, &e), ERR_OK);
    assert_int_equal(requests_read(s, &(struct requests_wish){ .last = 0 }, same, &at, &e), ERR_OK);
    assert_ptr_equal(at, rows + COUNTOF(rows));
    store_close(s);
}

static void test_wishes(void **state)
{
    int64_t t = now_ms;
    struct request_row rows[6];
    static const char *const ids[] = { "req_a0", "req_b1", "req_c2", "req_d3", "req_e4", "req_f5" };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        rows[i] = plain_row();
        rows[i].id = str_of(ids[i]);
        rows[i].time_ms = t + (int64_t)i * 1000;
    }
    rows[1].fault = FAULT_BACKEND;
    rows[2].client_id = STR("mine");
    rows[3].caller = STR("ci");
    rows[3].fault = FAULT_CALLER;
    rows[4].model = STR("big");
    rows[5].client_id = STR("mine");
    open_store();
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        now_ms = rows[i].time_ms + 7;
        assert_int_equal(write_rows(&rows[i], 1), 0);
    }
    const struct {
        struct requests_wish wish;
        const char *ids;
    } cases[] = {
        { { .last = 0 }, "012345" },
        { { .last = 2 }, "45" },
        { { .last = 100 }, "012345" },
        { { .since_ms = t + 2000 }, "2345" },
        { { .since_ms = t + 2001 }, "345" },
        { { .until_ms = t + 2000 }, "01" },
        { { .since_ms = t + 1000, .until_ms = t + 4000, .last = 2 }, "23" },
        { { .faults = true }, "13" },
        { { .faults = true, .last = 1 }, "3" },
        { { .id = STR("req_c2") }, "2" },
        { { .id = STR("mine") }, "25" },
        { { .id = STR("req_c") }, "" },
        { { .model = STR("big") }, "4" },
        { { .model = STR("chat"), .last = 3 }, "345" }, /* as asked */
        { { .caller = STR("ci") }, "3" },
        { { .caller = STR("nobody") }, "" },
        { { .after = (t + 3007) * 1024 }, "45" },
        { { .after = INT64_MAX }, "" },
        { { .since_ms = INT64_MAX }, "" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct found f = find(&cases[i].wish);
        if (strcmp(f.ids, cases[i].ids) != 0)
            fail_msg("case %zu: %s, not %s", i, f.ids, cases[i].ids);
    }
}

static void test_a_clock_that_is_set_back_changes_no_order(void **state)
{
    struct request_row row = plain_row();
    open_store();
    row.id = STR("req_01");
    assert_int_equal(write_rows(&row, 1), 0);
    now_ms -= HOUR_MS;
    row.id = STR("req_02");
    assert_int_equal(write_rows(&row, 1), 0);
    close_store();
    open_store();
    row.id = STR("req_03");
    assert_int_equal(write_rows(&row, 1), 0);
    assert_string_equal(find(&(struct requests_wish){ .last = 0 }).ids, "123");
}

static void test_sums_are_right_at_every_moment(void **state)
{
    struct request_row row = plain_row();
    int64_t all = 0;
    open_store();
    for (int round = 0; round < 40; round++) {
        row.time_ms = now_ms;
        row.fault = round % 4 ? FAULT_NONE : FAULT_MODEL;
        row.cost = round % 2 ? 0.5 : -1;
        row.verdict = round % 8 ? ROW_UNCHECKED : round % 16 ? ROW_AGREED : ROW_CHECK_FAILED;
        row.fell_back = round % 5 == 0;
        write_many(&row, 50 + (size_t)round);
        all += 50 + round;
        struct request_sum s = sums(0);
        assert_int_equal(s.requests, all);
        assert_int_equal(s.input_tokens, 10 * all);
        assert_int_equal(s.output_tokens, 5 * all);
        now_ms += HOUR_MS / 8;
        if (round % 10 == 9) {
            close_store();
            open_store();
            assert_int_equal(sums(0).requests, all);
        }
    }
    struct request_sum s = sums(0);
    assert_int_equal(s.hour_s, 5); /* 40 eighths */
    assert_int_equal(s.last_ms, row.time_ms);
    int64_t faults = 0, priced = 0, verified = 0, agreed = 0, fell_back = 0;
    for (int round = 0; round < 40; round++) {
        faults += round % 4 ? 0 : 50 + round;
        priced += round % 2 ? 50 + round : 0;
        verified += round % 8 ? 0 : 50 + round;
        agreed += round % 8 == 0 && round % 16 ? 50 + round : 0;
        fell_back += round % 5 ? 0 : 50 + round;
    }
    assert_true(s.faults == faults && s.unpriced == all - priced && s.cost > (double)priced / 2 - 0.1 && s.cost < (double)priced / 2 + 0.1);
    assert_true(s.verified == verified && s.agreed == agreed && s.fell_back == fell_back);
    assert_int_equal(sums(row.time_ms / 1000).requests, 8 * 50 + 32 + 33 + 34 + 35 + 36 + 37 + 38 + 39); /* that hour, from its begin */
}

static void on_names(void *ctx, const struct request_sum *r)
{
    struct buf *b = ctx;
    buf_printf(b, "%.*s %.*s>%.*s@%.*s%s %lld;", STR_ARG(r->caller), STR_ARG(r->asked), STR_ARG(r->model), STR_ARG(r->host), r->remote ? "!" : "",
        (long long)r->requests);
}

static void test_sums_are_by_who_asked_for_what_and_who_answered(void **state)
{
    struct request_row rows[] = { plain_row(), plain_row(), plain_row(), plain_row(), plain_row(), plain_row() };
    struct buf b = { 0 };
    struct store *s;
    struct err e;
    rows[1].caller = rows[2].caller = STR("ci");
    rows[3].host = STR("cloud");
    rows[3].remote = true;
    rows[4].asked = STR("never heard of it"), rows[4].unknown = true;
    rows[5].asked = STR("nor of that"), rows[5].unknown = true; /* what anybody may say is no name of ours */
    open_store();
    assert_int_equal(write_rows(rows, COUNTOF(rows)), 0);
    assert_int_equal(store_open_to_read(str_of(folder), &s, &e), ERR_OK);
    assert_int_equal(requests_sums(s, 0, on_names, &b, &e), ERR_OK);
    assert_str(buf_str(&b), STR(" chat>small@local 1;ci chat>small@local 2; chat>small@cloud! 1; >small@local 2;"));
    store_close(s);
    buf_free(&b);
}

/* ---- what goes ---- */

struct waiting {
    struct timer timer;
    const struct requests_wish *wish;
    size_t want;
    int looks;
};

static void look(void *ctx)
{
    struct waiting *w = ctx;
    if (find(w->wish).n == w->want || ++w->looks == 500)
        loop_stop(loop);
    else
        timer_set(&w->timer, SOON_MS);
}

/* The writer tidies up behind our back. */
static void wait_until_rows(size_t want)
{
    static const struct requests_wish all = { .last = 0 };
    struct waiting w = { .wish = &all, .want = want };
    timer_init(&w.timer, loop, look, &w);
    timer_set(&w.timer, 1);
    loop_run(loop);
    assert_int_equal(find(&all).n, want);
}

static void test_old_rows_go_and_sums_stay(void **state)
{
    struct request_row row = plain_row();
    open_store();
    requests_limit(store, &(struct requests_limits){ .keep_ms = 24 * HOUR_MS });
    write_many(&row, 1500);
    pass(23 * HOUR_MS);
    row.time_ms = now_ms;
    write_many(&row, 10);
    assert_int_equal(find(&(struct requests_wish){ .last = 0 }).n, 1510);
    pass(2 * HOUR_MS);
    row.time_ms = now_ms;
    write_many(&row, 1);
    wait_until_rows(11);
    assert_int_equal(sums(0).requests, 1511);
    close_store();
    pass(INT64_C(100) * HOUR_MS); /* nobody asked anything since */
    open_store();
    requests_limit(store, &(struct requests_limits){ .keep_ms = 24 * HOUR_MS });
    wait_until_rows(0);
    assert_int_equal(sums(0).requests, 1511);
    row.time_ms = now_ms;
    write_many(&row, 3);
    wait_until_rows(3);
    assert_int_equal(sums(0).requests, 1514);
}

static void test_a_clock_that_jumps_takes_no_rows_with_it(void **state)
{
    static const int64_t jumps[] = { HOUR_MS, -HOUR_MS, 366 * DAY, -2 * 366 * DAY, 366 * DAY };
    struct request_row row = plain_row();
    open_store();
    requests_limit(store, &(struct requests_limits){ .keep_ms = 24 * HOUR_MS });
    write_many(&row, 1);
    for (size_t i = 0; i < COUNTOF(jumps); i++) {
        now_ms += jumps[i];
        row.time_ms = now_ms;
        write_many(&row, 1000); /* more than one bite */
    }
    assert_int_equal(find(&(struct requests_wish){ .last = 0 }).n, 1 + 1000 * COUNTOF(jumps));
    assert_int_equal(sums(INT64_MIN / 2).requests, 1 + 1000 * COUNTOF(jumps));
    pass(26 * HOUR_MS); /* it has not jumped for a day: what it says is old is old */
    row.time_ms = now_ms;
    write_many(&row, 1);
    wait_until_rows(3001); /* but for what was written in another year, and since then: in their order, or for their size */
    close_store();
}

static void test_rows_keep_to_a_size(void **state)
{
    enum { EACH = 64 + 14 + 100, MOST = 1000 };
    struct request_row row = plain_row();
    char reason[101];
    memset(reason, 'x', 100);
    row.reason = str_make(reason, 100);
    open_store();
    requests_limit(store, &(struct requests_limits){ .bytes = EACH * MOST });
    for (int i = 0; i < 20; i++) {
        now_ms += 1000;
        row.time_ms = now_ms;
        write_many(&row, 512);
    }
    wait_until_rows(MOST);
    assert_int_equal(find(&(struct requests_wish){ .last = 0 }).last_ms, now_ms); /* the newest are those that stay */
    assert_int_equal(sums(0).requests, 20 * 512);
    requests_limit(store, &(struct requests_limits){ .bytes = EACH * 10 });
    wait_until_rows(10);
}

/* ---- sudden ends ---- */

/* In a process of its own: the limit is the process's. */
static void fill_disk(void)
{
    struct request_row row = plain_row();
    struct rlimit limit = { .rlim_cur = 700 * 1024, .rlim_max = RLIM_INFINITY };
    char text[4000], name[32];
    size_t kept = 0;
    memset(text, 'x', sizeof text);
    signal(SIGXFSZ, SIG_IGN);
    open_store();
    kept += 1 - write_rows(&row, 1);
    if (setrlimit(RLIMIT_FSIZE, &limit))
        _exit(2);
    row.evidence = str_make(text, sizeof text);
    for (int i = 0; i < 400; i++) { /* each with names of its own: a number that went back with its transaction must not be used again */
        row.caller = str_make(name, (size_t)snprintf(name, sizeof name, "caller %d", i % 50));
        kept += 1 - write_rows(&row, 1);
    }
    if (kept < 2 || kept == 401)
        _exit(3);
    limit.rlim_cur = RLIM_INFINITY;
    if (setrlimit(RLIMIT_FSIZE, &limit))
        _exit(2);
    while (write_rows(&row, 1)) /* until the file is opened again */
        ;
    for (int i = 0; i < 99; i++) {
        row.caller = str_make(name, (size_t)snprintf(name, sizeof name, "caller %d", i % 50));
        if (write_rows(&row, 1))
            _exit(4);
    }
    if (find(&(struct requests_wish){ .last = 0 }).n != kept + 100 || sums(0).requests != (int64_t)kept + 100)
        _exit(5);
    close_store();
    _exit(0);
}

static void test_a_full_disk_loses_what_was_told_lost_and_no_more(void **state)
{
    int status, pid = fork();
    if (!pid)
        fill_disk();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

struct endless {
    struct request_put put;
    struct request_row row;
    char id[33];
    uint64_t n;
    int to;
};

static void next_row(void *ctx, const struct err *e)
{
    struct endless *w = ctx;
    if (e || (w->n && write(w->to, &w->n, sizeof w->n) != sizeof w->n))
        _exit(1);
    w->n += 16;
    snprintf(w->id, sizeof w->id, "req_%028llx", (unsigned long long)w->n);
    w->row.id = str_of(w->id);
    requests_put(store, &w->put, 16);
}

static void write_for_ever(int to, uint64_t from)
{
    static struct endless w[16];
    open_store();
    for (size_t i = 0; i < COUNTOF(w); i++) {
        w[i] = (struct endless){ .row = plain_row(), .n = from + i, .to = to };
        w[i].put = (struct request_put){ .row = &w[i].row, .on_done = next_row, .ctx = &w[i] };
        w[i].n += 16;
        snprintf(w[i].id, sizeof w[i].id, "req_%028llx", (unsigned long long)w[i].n);
        w[i].row.id = str_of(w[i].id);
        requests_put(store, &w[i].put, 16);
    }
    loop_run(loop);
    _exit(1);
}

struct told {
    unsigned char *seen;
    size_t max, rows, twice;
};

static void mark(void *ctx, const struct request_row *r)
{
    struct told *t = ctx;
    char text[40];
    snprintf(text, sizeof text, "%.*s", STR_ARG(r->id));
    size_t n = strtoull(text + 4, NULL, 16);
    t->rows++;
    if (n >= t->max)
        return;
    t->twice += t->seen[n] >> 1 & 1;
    t->seen[n] |= 2;
}

static void test_kills_lose_and_double_nothing(void **state)
{
    enum { MAX = 1 << 20, ROUND = 100000 };
    struct told t = { .seen = calloc(MAX, 1), .max = MAX };
    for (int round = 0; round < 5; round++) {
        int ends[2], status;
        uint64_t n;
        size_t told = 0;
        assert_int_equal(pipe(ends), 0);
        int pid = fork();
        if (!pid)
            write_for_ever(ends[1], (uint64_t)round * ROUND);
        close(ends[1]);
        while (read(ends[0], &n, sizeof n) == sizeof n) {
            if (n < MAX)
                t.seen[n] |= 1;
            if (++told == 700 + (size_t)round * 1333) /* some sums later */
                kill(pid, SIGKILL);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        close(ends[0]);
    }
    struct store *s;
    struct err e;
    assert_int_equal(store_open_to_read(str_of(folder), &s, &e), ERR_OK);
    assert_int_equal(requests_read(s, &(struct requests_wish){ .last = 0 }, mark, &t, &e), ERR_OK);
    store_close(s);
    for (size_t i = 0; i < MAX; i++)
        if (t.seen[i] == 1)
            fail_msg("row %zu was told done and is lost", i);
    assert_int_equal(t.twice, 0);
    assert_int_equal(sums(0).requests, t.rows);
    free(t.seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows_come_out_as_they_went_in, begin, end),
        cmocka_unit_test_setup_teardown(test_wishes, begin, end),
        cmocka_unit_test_setup_teardown(test_a_clock_that_is_set_back_changes_no_order, begin, end),
        cmocka_unit_test_setup_teardown(test_sums_are_right_at_every_moment, begin, end),
        cmocka_unit_test_setup_teardown(test_sums_are_by_who_asked_for_what_and_who_answered, begin, end),
        cmocka_unit_test_setup_teardown(test_old_rows_go_and_sums_stay, begin, end),
        cmocka_unit_test_setup_teardown(test_a_clock_that_jumps_takes_no_rows_with_it, begin, end),
        cmocka_unit_test_setup_teardown(test_rows_keep_to_a_size, begin, end),
        cmocka_unit_test_setup_teardown(test_a_full_disk_loses_what_was_told_lost_and_no_more, begin, end),
        cmocka_unit_test_setup_teardown(test_kills_lose_and_double_nothing, begin, end),
    };
    return cmocka_run_group_tests_name("store/requests", tests, NULL, NULL);
}
