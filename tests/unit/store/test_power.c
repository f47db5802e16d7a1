/* The store on a disk that loses its power, and on one that fails: what was told done is there exactly once, and the file is sound.
 * HOB_TEST_FORM=long tries 500 losses of power instead of some 40; HOB_TEST_SEED gives the printed seed again (threads may still take other turns). */
#include "crash_vfs.h"

#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"
#include "store/requests.h"

#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { ROWS = 300, EXTRA = 200, MOST_TEXT = 12000, PAUSE_MS = 11 * 1000 /* the writer's longest */, SPOOL_BYTES = 64 * 1024 * 1024 };

static char folder[64];
static struct loop *loop;
static struct store *store;
static _Atomic int64_t passed_ms;
static uint64_t seed;
static bool is_long;

static int64_t test_mono(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec + passed_ms * 1000000;
}

static int64_t test_wall(void)
{
    return 1800000000000 + passed_ms;
}

static uint64_t draw(uint64_t below)
{
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (seed >> 33) % below;
}

/* The store says what goes wrong, which here is all the time. */
static void hush(bool on)
{
    static int kept = -1;
    fflush(stderr);
    if (on) {
        kept = dup(2);
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(nowhere, 2);
        close(nowhere);
    } else {
        dup2(kept, 2);
        close(kept);
    }
}

static size_t files(const char *pattern, bool remove)
{
    char path[128];
    glob_t found = { 0 };
    snprintf(path, sizeof path, "%s/%s", folder, pattern);
    size_t n = glob(path, 0, NULL, &found) ? 0 : found.gl_pathc;
    for (size_t i = 0; remove && i < n; i++)
        unlink(found.gl_pathv[i]);
    globfree(&found);
    return n;
}

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/hob-power-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static void remove_folder(void)
{
    files("*", true);
    assert_int_equal(rmdir(folder), 0);
}

/* ---- writing ---- */

/* One life of the store. What became of row n is in `fate`. */
enum fate { NEVER, UNDER_WAY, DONE, KEPT, DROPPED };

struct course {
    bool power;
    long cut_after;             /* changes; 0 = none */
    struct crash_fault fault;   /* code 0 = none */
    unsigned heals;             /* after so many rows that failed the disk is well again */
    size_t width, reopen_at;    /* rows on the way; closed and opened again at that row, 0 = never */
    size_t rows;                /* 0 = ROWS */
    /* what came of it */
    unsigned char fate[ROWS + EXTRA];
    size_t next, last, under_way, failed;
    bool is_cut, stuck;         /* the power is gone; the store did not come round when the disk was well again */
};

struct writing {
    struct request_put put;
    struct request_row row;
    struct course *c;
    char id[33];
    size_t n;
};

static char text[MOST_TEXT];

static void hand_in(struct writing *w)
{
    struct course *c = w->c;
    w->n = c->next++;
    c->fate[w->n] = UNDER_WAY;
    c->under_way++;
    snprintf(w->id, sizeof w->id, "req_%028zx", w->n + 1);
    w->row = (struct request_row){ .time_ms = test_wall(), .id = str_of(w->id), .class = STR("program"), .endpoint = STR("chat"), .role = STR("chat"),
        .asked = STR("chat"), .model = w->n % 3 ? STR("small") : STR("large"), .host = STR("local"), .status = 200, .code = STR("ok"), .input_tokens = 10,
        .output_tokens = 5, .reasoning_tokens = -1, .cached_tokens = -1, .cost = -1, .complexity = -1, .reason = str_make(text, 40 + draw(MOST_TEXT - 40)) };
    requests_put(store, &w->put, c->width);
}

static void on_put(void *ctx, const struct err *e)
{
    struct writing *w = ctx;
    struct course *c = w->c;
    c->fate[w->n] = !e ? DONE : w->put.kept ? KEPT : DROPPED;
    c->under_way--;
    c->is_cut = c->is_cut || (e && crash_vfs_is_cut());
    if (e && !c->is_cut && ++c->failed == c->heals)
        crash_vfs_fail(NULL);
    if (e)
        passed_ms += PAUSE_MS; /* so that it is tried again at once */
    if (c->next < c->last && !c->is_cut)
        hand_in(w);
    else if (!c->under_way)
        loop_stop(loop);
}

static void write_until(struct course *c, size_t last)
{
    static struct writing w[16];
    c->last = last;
    for (size_t i = 0; i < c->width && c->next < last; i++) {
        w[i] = (struct writing){ .c = c };
        w[i].put = (struct request_put){ .row = &w[i].row, .on_done = on_put, .ctx = &w[i] };
        hand_in(&w[i]);
    }
    if (c->under_way)
        loop_run(loop);
}

static void open_store(const struct course *c)
{
    loop = loop_new();
    store = store_start(loop, str_of(folder));
    requests_limit(store, &(struct requests_limits){ .power = c->power, .spool_bytes = SPOOL_BYTES });
}

static void close_store(void)
{
    store_close(store);
    loop_free(loop);
    store = NULL;
}

/* Rows that wait are written before a new one: one at a time, until none waits any more. */
static void let_heal(struct course *c)
{
    struct store_health health;
    crash_vfs_fail(NULL);
    c->width = 1;
    do {
        passed_ms += PAUSE_MS;
        write_until(c, c->next + 1);
        store_health(store, &health);
    } while (!c->is_cut && c->next < ROWS + EXTRA - 1 && (health.held || health.failing));
    c->stuck = !c->is_cut && c->next >= ROWS + EXTRA - 1;
}

static void run(struct course *c)
{
    if (c->cut_after)
        crash_vfs_cut_after(c->cut_after);
    if (c->fault.code)
        crash_vfs_fail(&c->fault);
    open_store(c);
    if (c->reopen_at) {
        write_until(c, c->reopen_at);
        if (c->failed && !c->is_cut)
            let_heal(c); /* what waits in memory ends with the program */
        close_store();
        open_store(c);
    }
    size_t rows = c->rows ? c->rows : ROWS;
    if (!c->is_cut && c->next < rows)
        write_until(c, rows);
    if (c->fault.code && !c->is_cut)
        let_heal(c);
}

/* ---- what is there ---- */

struct found {
    unsigned char seen[ROWS + EXTRA];
    size_t rows, twice, strange;
};

static void on_row(void *ctx, const struct request_row *r)
{
    struct found *f = ctx;
    char id[40];
    snprintf(id, sizeof id, "%.*s", STR_ARG(r->id));
    size_t n = strtoull(id + 4, NULL, 16) - 1;
    f->rows++;
    if (n >= ROWS + EXTRA)
        f->strange++;
    else if (f->seen[n]++)
        f->twice++;
}

/* With the ordinary VFS, and before hob looks at it: "ok", or what SQLite says. */
static bool is_sound(char said[256])
{
    char path[128];
    sqlite3 *sql = NULL;
    sqlite3_stmt *s = NULL;
    snprintf(path, sizeof path, "%s/hob.db", folder);
    snprintf(said, 256, "ok");
    if (access(path, F_OK))
        return true;
    if (sqlite3_open_v2(path, &sql, SQLITE_OPEN_READWRITE, NULL) || sqlite3_prepare_v2(sql, "PRAGMA integrity_check", -1, &s, NULL) || sqlite3_step(s) != SQLITE_ROW)
        snprintf(said, 256, "%s", sqlite3_errmsg(sql));
    else
        snprintf(said, 256, "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    sqlite3_db_config(sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL); /* the log is for hob to find */
    sqlite3_close(sql);
    return !strcmp(said, "ok");
}

static void add_sum(void *ctx, const struct request_sum *r)
{
    *(int64_t *)ctx += r->requests;
}

static void look(struct found *f, int64_t *summed)
{
    struct store *s = NULL;
    struct err e;
    *f = (struct found){ .rows = 0 };
    *summed = 0;
    if (store_open_to_read(str_of(folder), &s, &e))
        fail_msg("%s", e.text);
    if (s && (requests_read(s, &(struct requests_wish){ .last = 0 }, on_row, f, &e) || requests_sums(s, 0, add_sum, summed, &e)))
        fail_msg("%s", e.text);
    store_close(s);
}

struct tally {
    size_t points, cut, faults, done, lost, twice, unsound, gone /* told done, of those that may go */;
};

/* hob goes on with the file as if nothing had been: a row more, and sums that agree. */
static bool goes_on(struct course *c)
{
    struct found f;
    int64_t summed;
    size_t at = c->next;
    struct course again = { .power = true, .width = 1, .next = at };
    hush(true);
    open_store(&again);
    write_until(&again, at + 1);
    close_store();
    hush(false);
    look(&f, &summed);
    return again.fate[at] == DONE && f.seen[at] == 1 && !f.strange && summed == (int64_t)f.rows && !files("*.broken-*", false);
}

/* Whether what was told done must be there; what waits in memory was not, but when it was written after all. */
static void judge(struct course *c, bool all, struct tally *t, const char *label)
{
    char said[256] = "set aside";
    struct found f;
    int64_t summed;
    size_t lost = 0, done = 0, gone = 0;
    bool sound = !files("*.broken-*", false) && is_sound(said);
    if (!sound) {
        print_error("%s: %s\n", label, said);
        t->unsound++;
        return;
    }
    look(&f, &summed);
    for (size_t i = 0; i < c->next; i++) {
        bool told = c->fate[i] == DONE || (all && c->fate[i] == KEPT);
        done += told;
        lost += told && c->power && !f.seen[i];
        gone += told && !c->power && !f.seen[i];
        if (c->fate[i] == DROPPED && all)
            lost++;
    }
    if (lost || f.twice)
        print_error("%s: %zu of %zu rows lost, %zu doubled\n", label, lost, done, f.twice);
    t->done += done;
    t->lost += lost;
    t->gone += gone;
    t->twice += f.twice;
    if (c->stuck || !goes_on(c)) {
        print_error("%s: %s\n", label, c->stuck ? "it never came round" : "it did not go on with the file");
        t->unsound++;
    }
}

static void try_point(struct course *c, enum crash_left left, struct tally *t)
{
    char label[160];
    uint64_t its_seed = draw(UINT32_MAX);
    snprintf(label, sizeof label, "point %zu: %s, cut after %ld, leaves %d, width %zu, reopened at %zu, call %d of '%s' %s%u code %d", t->points,
        c->power ? "power" : "process", c->cut_after, left, c->width, c->reopen_at, c->fault.call, c->fault.of ? c->fault.of : "", c->fault.once ? "" : "from ",
        c->fault.first, c->fault.code);
    make_folder();
    crash_vfs_begin(its_seed);
    hush(true);
    run(c);
    bool healed = c->fault.code && !c->is_cut;
    t->cut += c->is_cut;
    t->faults += c->failed != 0;
    crash_vfs_cut_after(0);
    close_store();
    hush(false);
    crash_vfs_end(left);
    t->points++;
    judge(c, healed, t, label);
    remove_folder();
}

/* ---- the tests ---- */

static int begin(void **state)
{
    static const struct clock_source source = { test_mono, test_wall };
    const char *form = getenv("HOB_TEST_FORM"), *given = getenv("HOB_TEST_SEED");
    is_long = form && !strcmp(form, "long");
    memset(text, 'x', sizeof text);
    clock_use(&source);
    sqlite3_randomness(sizeof seed, &seed);
    seed %= 1000000000;
    if (given)
        seed = strtoull(given, NULL, 10);
    print_message("HOB_TEST_SEED=%llu\n", (unsigned long long)seed);
    log_set_level(LOG_ERROR);
    return 0;
}

static int end(void **state)
{
    clock_use(NULL);
    return 0;
}

static void show(const char *name, const struct tally *t)
{
    print_message("%s: points %zu, in the middle %zu, disk failed in %zu, told done %zu, lost %zu, doubled %zu, unsound %zu, may go and gone %zu\n", name,
        t->points, t->cut, t->faults, t->done, t->lost, t->twice, t->unsound, t->gone);
}

/* That the disk is one on which something can be lost. */
static void test_what_is_not_synced_goes_with_the_power(void **state)
{
    static const struct { bool power; enum crash_left left; bool there; } rows[] = {
        { true, CRASH_NOTHING, true }, { false, CRASH_NOTHING, false }, { false, CRASH_ALL, true },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct course c = { .power = rows[i].power, .width = 1 };
        struct found f;
        int64_t summed;
        make_folder();
        crash_vfs_begin(1);
        hush(true);
        open_store(&c);
        write_until(&c, 20);
        crash_vfs_cut_after(0);
        close_store();
        hush(false);
        crash_vfs_end(rows[i].left);
        look(&f, &summed);
        assert_int_equal(f.rows, rows[i].there ? 20 : 0);
        remove_folder();
    }
}

/* As the system does it: the pages count as written, and the next sync says that all is well. */
static void test_a_sync_that_failed_is_not_made_good_by_the_next(void **state)
{
    static const struct { bool again; char want; } rows[] = { { false, 0 }, { true, 'x' } };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        char path[128], lost = 0, seen = 0;
        make_folder();
        snprintf(path, sizeof path, "%s/hob.db", folder);
        for (uint64_t n = 1; n < 20; n++) { /* some of it may have reached the disk */
            crash_vfs_begin(n);
            sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
            sqlite3_file *f = calloc(1, (size_t)vfs->szOsFile);
            assert_non_null(f);
            assert_int_equal(vfs->xOpen(vfs, path, f, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_WAL, NULL), SQLITE_OK);
            assert_int_equal(f->pMethods->xSync(f, 0), SQLITE_OK);
            assert_int_equal(f->pMethods->xWrite(f, "x", 1, 0), SQLITE_OK);
            crash_vfs_fail(&(struct crash_fault){ .call = CRASH_SYNC, .of = "", .first = 1, .once = true, .code = SQLITE_IOERR_FSYNC });
            assert_int_equal(f->pMethods->xSync(f, 0), SQLITE_IOERR_FSYNC);
            if (rows[i].again)
                assert_int_equal(f->pMethods->xWrite(f, "x", 1, 0), SQLITE_OK);
            assert_int_equal(f->pMethods->xSync(f, 0), SQLITE_OK);
            f->pMethods->xClose(f);
            free(f);
            crash_vfs_end(CRASH_ALL);
            int fd = open(path, O_RDONLY | O_CLOEXEC);
            char c = 0;
            bool there = read(fd, &c, 1) == 1 && c == 'x';
            close(fd);
            unlink(path);
            seen |= there;
            lost |= !there;
        }
        assert_true(seen);
        assert_int_equal(lost, !rows[i].again);
        remove_folder();
    }
}

/* SQLite's own check says of a page that cannot be read what it says of a broken one: the file, with all its rows, was set aside for it. */
static void test_a_file_that_cannot_be_read_at_the_start_is_not_set_aside(void **state)
{
    enum { MANY = 40 };
    struct tally t = { 0 };
    make_folder();
    struct course c = { .power = true, .width = 8 };
    open_store(&c);
    write_until(&c, MANY);
    close_store();
    for (unsigned n = 1; n <= 60; n += 1 + n / 20) {
        struct course again = { .power = true, .width = 1, .next = c.next, .heals = 1 };
        again.fault = (struct crash_fault){ .call = CRASH_READ, .of = ".db", .first = n, .once = n % 2, .code = SQLITE_IOERR_READ };
        memcpy(again.fate, c.fate, sizeof c.fate);
        crash_vfs_begin(n);
        crash_vfs_fail(&again.fault);
        hush(true);
        open_store(&again);
        write_until(&again, again.next + 1);
        let_heal(&again);
        close_store();
        hush(false);
        crash_vfs_end_well();
        c = again;
        assert_int_equal(files("*.broken-*", false), 0);
    }
    judge(&c, true, &t, "read at the start");
    remove_folder();
    assert_int_equal(t.lost + t.twice + t.unsound, 0);
}

/* What a whole life without a fault does. */
static long count_changes(bool power)
{
    struct course c = { .power = power, .width = 4, .reopen_at = ROWS / 2 };
    make_folder();
    crash_vfs_begin(1);
    run(&c);
    close_store();
    long n = crash_vfs_changes();
    crash_vfs_end_well();
    remove_folder();
    return n;
}

static struct course any_course(void)
{
    return (struct course){ .power = draw(4) != 0, .width = 1 + draw(16), .reopen_at = draw(2) ? 1 + draw(ROWS) : 0 };
}

static void test_power_goes_and_nothing_told_done_is_lost(void **state)
{
    struct tally t = { 0 };
    long all[] = { count_changes(false), count_changes(true) };
    size_t points = is_long ? 500 : 40;
    while (t.points < points) {
        struct course c = any_course();
        c.cut_after = 1 + (long)draw(draw(4) ? (uint64_t)all[c.power] : 100); /* a file's first changes are of another kind */
        try_point(&c, (enum crash_left)draw(3), &t);
    }
    show("power-loss", &t);
    assert_int_equal(t.lost + t.twice + t.unsound, 0);
}

/* The rows behind it are worth nothing on a disk that has a hole there: the log ends where it cannot be read. */
static void test_rows_behind_a_sync_that_failed_are_there(void **state)
{
    struct tally t = { 0 };
    for (unsigned n = 3; n < 15; n++) {
        struct course c = { .power = true, .width = 1 + n % 3, .heals = 1, .rows = 40 };
        c.fault = (struct crash_fault){ .call = CRASH_SYNC, .of = "-wal", .first = n, .once = n % 2, .code = SQLITE_IOERR_FSYNC };
        try_point(&c, CRASH_NOTHING, &t);
    }
    assert_int_equal(t.faults, t.points);
    assert_int_equal(t.lost + t.twice + t.unsound, 0);
}

static const struct {
    enum crash_call call;
    int code;
    bool part;
    unsigned most; /* as often it is called, some */
} kinds[] = {
    { CRASH_READ, SQLITE_IOERR_READ, false, 60 },        { CRASH_READ, SQLITE_IOERR_READ, true, 60 },
    { CRASH_WRITE, SQLITE_FULL, false, 2500 },           { CRASH_WRITE, SQLITE_FULL, true, 1500 },
    { CRASH_WRITE, SQLITE_IOERR_WRITE, false, 2500 },    { CRASH_WRITE, SQLITE_IOERR_WRITE, true, 1500 },
    { CRASH_TRUNCATE, SQLITE_IOERR_TRUNCATE, false, 2 }, { CRASH_SYNC, SQLITE_IOERR_FSYNC, false, 200 },
    { CRASH_OPEN, SQLITE_CANTOPEN, false, 6 },           { CRASH_OPEN, SQLITE_IOERR, false, 6 },
    { CRASH_DELETE, SQLITE_IOERR_DELETE, false, 3 },     { CRASH_SHM, SQLITE_IOERR_SHMMAP, false, 4 },
    { CRASH_SHM, SQLITE_IOERR_SHMSIZE, false, 4 },       { CRASH_SYNC, SQLITE_IOERR_FSYNC, false, 20 },
};

/* Then it is well again; and then the power goes, half of the time before that. */
static void test_the_disk_fails_and_the_power_goes(void **state)
{
    static const char *const of[] = { "", ".db", "-wal" };
    struct tally t = { 0 };
    size_t points = is_long ? 500 : COUNTOF(kinds);
    long all = count_changes(true);
    while (t.points < points) {
        size_t k = t.points % COUNTOF(kinds);
        struct course c = any_course();
        c.power = true;
        c.fault = (struct crash_fault){ .call = kinds[k].call, .code = kinds[k].code, .part = kinds[k].part, .of = of[draw(3)], .once = draw(2),
            .first = 1 + (unsigned)draw(kinds[k].most) };
        c.heals = 1 + (unsigned)draw(40);
        c.cut_after = draw(2) ? 1 + (long)draw((uint64_t)all) : 0;
        try_point(&c, (enum crash_left)draw(3), &t);
    }
    show("disk-failure", &t);
    assert_int_equal(t.lost + t.twice + t.unsound, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_synced_goes_with_the_power),
        cmocka_unit_test(test_a_sync_that_failed_is_not_made_good_by_the_next),
        cmocka_unit_test(test_a_file_that_cannot_be_read_at_the_start_is_not_set_aside),
        cmocka_unit_test(test_power_goes_and_nothing_told_done_is_lost),
        cmocka_unit_test(test_rows_behind_a_sync_that_failed_are_there),
        cmocka_unit_test(test_the_disk_fails_and_the_power_goes),
    };
    return cmocka_run_group_tests_name("store/power", tests, begin, end);
}
