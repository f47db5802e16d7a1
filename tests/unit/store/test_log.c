/* The log beside the file: it stays small however much is written, nothing is lost on its way, and its thread is no hindrance when the file goes. */
#include "base/log.h"
#include "loop/loop.h"
#include "store/store.h"
#include "store/store_int.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { WIDTH = 32 /* jobs on the way */, FILL_BYTES = 700 };

static char folder[64];

static int make_folder(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/hob-log-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char path[512];
    glob_t found;
    snprintf(path, sizeof path, "%s/*", folder);
    if (!glob(path, 0, NULL, &found))
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
    globfree(&found);
    return rmdir(folder);
}

/* Writes rows 1 to `last`, each as soon as one before it has ended. */
struct writing {
    struct loop *loop;
    struct store *store;
    int64_t next, last, left;
    int64_t most_bytes;             /* that the log ever had */
    bool breaks;                    /* the file is found broken once the thread has begun */
    bool has_broken;
    struct row {
        struct store_job job;
        struct writing *w;
        int64_t n;
    } rows[WIDTH];
};

static enum err_code run_row(struct store_db *db, struct store_job *job, struct err *e)
{
    struct row *r = (struct row *)(void *)job;
    struct writing *w = r->w;
    enum err_code rc = db_exec(db, "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, fill BLOB)", e);
    sqlite3_stmt *s = rc ? NULL : db_begin(db, "INSERT INTO t VALUES (?1, zeroblob(?2))", e);
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, r->n);
    sqlite3_bind_int64(s, 2, FILL_BYTES);
    if (db_step(db, s, e) < 0)
        rc = e->code;
    db_end(s);
    if (!rc && w->breaks && !w->has_broken && db->log.thread_started) /* and mostly still at work */
        w->has_broken = db->broken = true;                            /* as a read of a bad page would find it */
    return rc;
}

static void hand_in(struct row *r)
{
    r->n = r->w->next++;
    store_submit(r->w->store, &r->job);
}

static void row_done(struct store_job *job, const struct err *e)
{
    struct row *r = (struct row *)(void *)job;
    struct writing *w = r->w;
    char path[128];
    struct stat st;
    if (e)
        fail_msg("row %lld: %s", (long long)r->n, e->text);
    snprintf(path, sizeof path, "%s/hob.db-wal", folder);
    if (!stat(path, &st) && st.st_size > w->most_bytes)
        w->most_bytes = st.st_size;
    if (w->next <= w->last)
        hand_in(r);
    if (--w->left == 0)
        loop_stop(w->loop);
}

static void write_rows(struct writing *w, int64_t first, int64_t n)
{
    w->loop = loop_new();
    w->store = store_start(w->loop, str_of(folder));
    w->next = first;
    w->last = first + n - 1;
    w->left = n;
    for (size_t i = 0; i < WIDTH; i++) {
        w->rows[i] = (struct row){ .job = { .run = run_row, .done = row_done }, .w = w };
        hand_in(&w->rows[i]);
    }
    loop_run(w->loop);
    store_close(w->store);
    loop_free(w->loop);
}

/* Rows in all files of that name. */
static int64_t count_rows(const char *pattern)
{
    char path[512];
    glob_t found;
    int64_t n = 0;
    snprintf(path, sizeof path, "%s/%s", folder, pattern);
    if (glob(path, 0, NULL, &found))
        return 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        sqlite3 *db = NULL;
        sqlite3_stmt *s = NULL;
        assert_int_equal(sqlite3_open_v2(found.gl_pathv[i], &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
        if (sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
            n += sqlite3_column_int64(s, 0);
        sqlite3_finalize(s);
        sqlite3_close(db);
    }
    globfree(&found);
    return n;
}

/* Of so many, where each place of this suite is to be tried (tests/e2e/test_torture.py), few are enough. */
static int64_t or_few(int64_t all, int64_t few)
{
    return getenv("HOB_TEST_BRIEF") ? few : all;
}

static void test_it_stays_small_and_nothing_is_lost(void **state)
{
    enum { MOST = 22 * MIB }; /* 26 MiB of log when nobody helps */
    const int64_t rows = or_few(20000, 1600);
    static struct writing w; /* the store may be at it when an assertion has failed */
    w = (struct writing){ .most_bytes = 0 };
    write_rows(&w, 1, rows);
    assert_in_range(w.most_bytes, 1 * MIB, MOST);
    assert_int_equal(count_rows("hob.db"), rows);
    w = (struct writing){ .most_bytes = 0 };
    write_rows(&w, rows + 1, rows);
    assert_in_range(w.most_bytes, 1 * MIB, MOST);
    assert_int_equal(count_rows("hob.db"), 2 * rows);
}

/* Writes until the log has so many bytes. */
static void fill_log(struct store_db *db, int64_t bytes)
{
    struct err e;
    assert_int_equal(db_exec(db, "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, fill BLOB)", &e), ERR_OK);
    while (db->log.bytes < bytes)
        assert_int_equal(db_exec(db, "INSERT INTO t VALUES (NULL, zeroblob(700))", &e), ERR_OK);
}

static int64_t file_bytes(void)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/hob.db", folder);
    return stat(path, &st) ? -1 : (int64_t)st.st_size;
}

static void test_the_thread_brings_over_what_there_is_and_no_more_before_another_megabyte(void **state)
{
    enum { DUE = 1024 * 1024 };
    struct store_db db = { .speaks = true };
    struct err e;
    snprintf(db.path, sizeof db.path, "%s/hob.db", folder);
    assert_int_equal(db_open(&db, DB_WRITE, &e), ERR_OK);
    fill_log(&db, DUE / 2);
    log_tidy(&db);
    assert_false(db.log.thread_started);
    fill_log(&db, DUE);
    int64_t before = file_bytes();
    log_tidy(&db);
    assert_true(db.log.thread_started);
    fill_log(&db, 2 * DUE + DUE / 8); /* while it is at work, or not yet: it may bring that over, too */
    while (!db.log.thread_over)
        usleep(100);
    int64_t over = db.log.over_bytes;
    assert_in_range(over, DUE, db.log.bytes);
    assert_true(file_bytes() > before);
    log_tidy(&db);
    assert_true(db.log.thread_started == (db.log.bytes >= over + DUE));
    db_close(&db);
    assert_true(count_rows("hob.db") > 500);
}

static void test_who_reads_all_the_while_only_puts_it_off(void **state)
{
    const int64_t rows = or_few(4000, 400);
    static struct writing w; /* the store may be at it when an assertion has failed */
    w = (struct writing){ .most_bytes = 0 };
    char path[128];
    sqlite3 *reader = NULL;
    sqlite3_stmt *s = NULL;
    write_rows(&w, 1, rows);
    snprintf(path, sizeof path, "%s/hob.db", folder);
    assert_int_equal(sqlite3_open_v2(path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(reader, "SELECT n FROM t", -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW); /* and stops there */
    write_rows(&w, rows + 1, rows);
    sqlite3_finalize(s);
    assert_int_equal(sqlite3_close(reader), SQLITE_OK);
    write_rows(&w, 2 * rows + 1, rows);
    assert_int_equal(count_rows("hob.db"), 3 * rows);
}

static void test_the_file_goes_while_the_thread_is_at_work(void **state)
{
    enum { ROWS = 4000 };
    const int64_t times = or_few(4, 1);
    log_set_level(LOG_ERROR);
    for (int64_t i = 0; i < times; i++) {
        static struct writing w; /* the store may be at it when an assertion has failed */
        w = (struct writing){ .breaks = true };
        write_rows(&w, i * ROWS + 1, ROWS);
        assert_true(w.has_broken);
        assert_int_equal(count_rows("hob.db") + count_rows("hob.db.broken-????????T??????Z") + count_rows("hob.db.broken-????????T??????Z-?"),
            (i + 1) * ROWS);
        assert_true(count_rows("hob.db") < (i + 1) * ROWS);
    }
    log_set_level(LOG_INFO);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        CASE(test_it_stays_small_and_nothing_is_lost),
        CASE(test_the_thread_brings_over_what_there_is_and_no_more_before_another_megabyte),
        CASE(test_who_reads_all_the_while_only_puts_it_off),
        CASE(test_the_file_goes_while_the_thread_is_at_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
