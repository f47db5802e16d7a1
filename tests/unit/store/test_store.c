/* The store: jobs from many threads, each ended once; what a failing one takes with it; full disks, broken files, sudden ends. */
#include "store/store.h"

#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"
#include "store/look.h"
#include "store/store_int.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <glob.h>
#include <cmocka.h>

static char folder[64];

static int make_folder(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/hob-store-XXXXXX");
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

static size_t count_files(const char *pattern)
{
    char path[512];
    glob_t found;
    snprintf(path, sizeof path, "%s/%s", folder, pattern);
    size_t n = glob(path, 0, NULL, &found) ? 0 : found.gl_pathc;
    globfree(&found);
    return n;
}

/* ---- jobs of this test: rows of a table of its own ---- */

static const char make_sql[] = "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, fill BLOB)";
static const char add_sql[] = "INSERT INTO t VALUES (?1, zeroblob(?2))";
static const char count_sql[] = "SELECT count(*) FROM t WHERE n >= ?1";

struct row {
    struct store_job job;
    int64_t n, bytes;
    int done, failed;
    bool twice;                 /* adds it twice, which fails after the first is in */
    enum err_code rc;
    struct bench *bench;
};

struct bench {
    struct loop *loop;
    struct store *store;
    pthread_t thread;
    size_t left;                /* until the loop stops */
    int64_t last;               /* n of the row that ended last */
    bool in_order;
};

static enum err_code add_once(struct store_db *db, const struct row *r, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, add_sql, e);
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, r->n);
    sqlite3_bind_int64(s, 2, r->bytes);
    int rc = db_step(db, s, e);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

static enum err_code run_row(struct store_db *db, struct store_job *job, struct err *e)
{
    struct row *r = (struct row *)(void *)job;
    enum err_code rc = db_exec(db, make_sql, e);
    if (!rc)
        rc = add_once(db, r, e);
    if (!rc && r->twice)
        rc = add_once(db, r, e);
    return rc;
}

static void row_done(struct store_job *job, const struct err *e)
{
    struct row *r = (struct row *)(void *)job;
    struct bench *b = r->bench;
    assert_true(pthread_equal(pthread_self(), b->thread));
    r->done++;
    r->failed += e != NULL;
    r->rc = e ? e->code : ERR_OK;
    b->in_order = b->in_order && r->n > b->last;
    b->last = r->n;
    if (--b->left == 0)
        loop_stop(b->loop);
}

static void row_init(struct row *r, struct bench *b, int64_t n)
{
    *r = (struct row){ .job = { .run = run_row, .done = row_done }, .n = n, .bench = b };
}

struct count {
    struct store_job job;
    int64_t from, n;
};

static enum err_code run_count(struct store_db *db, struct store_job *job, struct err *e)
{
    struct count *c = (struct count *)(void *)job;
    sqlite3_stmt *s = db_begin(db, count_sql, e);
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, c->from);
    if (db_step(db, s, e) > 0)
        c->n = sqlite3_column_int64(s, 0);
    db_end(s);
    return ERR_OK;
}

static int64_t count_rows(struct store *s)
{
    struct count c = { .job = { .run = run_count, .reads = true }, .n = -1 };
    struct err e;
    return store_do(s, &c.job, &e) ? -1 : c.n;
}

static void open_bench(struct bench *b)
{
    *b = (struct bench){ .loop = loop_new(), .thread = pthread_self(), .last = INT64_MIN, .in_order = true };
    b->store = store_start(b->loop, str_of(folder));
}

static void close_bench(struct bench *b)
{
    store_close(b->store);
    loop_free(b->loop);
}

static void submit_all(struct bench *b, struct row *rows, size_t n)
{
    b->left = n;
    for (size_t i = 0; i < n; i++)
        store_submit(b->store, &rows[i].job);
    loop_run(b->loop);
}

/* ---- what holds ---- */

static void test_jobs_end_once_and_in_order(void **state)
{
    enum { ROWS = 5000 };
    struct bench b;
    struct row *rows = calloc(ROWS, sizeof *rows);
    assert_non_null(rows);
    open_bench(&b);
    for (size_t i = 0; i < ROWS; i++)
        row_init(&rows[i], &b, (int64_t)i);
    submit_all(&b, rows, ROWS);
    for (size_t i = 0; i < ROWS; i++)
        assert_true(rows[i].done == 1 && !rows[i].failed);
    assert_true(b.in_order);
    assert_int_equal(count_rows(b.store), ROWS);
    close_bench(&b);
    free(rows);
}

static void test_a_failing_job_takes_nothing_with_it(void **state)
{
    enum { ROWS = 300 };
    struct bench b;
    struct row rows[ROWS];
    open_bench(&b);
    for (size_t i = 0; i < ROWS; i++) {
        row_init(&rows[i], &b, (int64_t)i);
        rows[i].twice = i % 3 == 0;
    }
    submit_all(&b, rows, ROWS);
    for (size_t i = 0; i < ROWS; i++)
        assert_true(rows[i].done == 1 && rows[i].failed == (i % 3 == 0));
    assert_int_equal(count_rows(b.store), ROWS - ROWS / 3);
    close_bench(&b);
}

enum { THREADS = 8, OF_EACH = 500 };

struct submitter {
    struct bench *bench;
    struct row rows[OF_EACH];
    pthread_t thread;
    int waited_for;
};

static void *submit(void *arg)
{
    struct submitter *s = arg;
    for (size_t i = 0; i < OF_EACH; i++) {
        struct row *r = &s->rows[i];
        struct err e;
        if (i % 10) {
            store_submit(s->bench->store, &r->job);
        } else { /* a row and then a look whether it is there */
            r->job.done = NULL;
            s->waited_for += !store_do(s->bench->store, &r->job, &e) && count_rows(s->bench->store) > 0;
        }
    }
    return NULL;
}

static void test_many_threads_may_hand_in(void **state)
{
    struct bench b;
    struct submitter *all = calloc(THREADS, sizeof *all);
    assert_non_null(all);
    open_bench(&b);
    b.left = THREADS * (OF_EACH - OF_EACH / 10);
    for (size_t t = 0; t < THREADS; t++) {
        all[t].bench = &b;
        for (size_t i = 0; i < OF_EACH; i++)
            row_init(&all[t].rows[i], &b, (int64_t)(t * OF_EACH + i));
        assert_int_equal(pthread_create(&all[t].thread, NULL, submit, &all[t]), 0);
    }
    loop_run(b.loop);
    for (size_t t = 0; t < THREADS; t++) {
        pthread_join(all[t].thread, NULL);
        assert_int_equal(all[t].waited_for, OF_EACH / 10);
        for (size_t i = 0; i < OF_EACH; i++)
            assert_true(i % 10 == 0 || (all[t].rows[i].done == 1 && !all[t].rows[i].failed));
    }
    assert_int_equal(count_rows(b.store), THREADS * OF_EACH);
    close_bench(&b);
    free(all);
}

static void test_closing_waits_for_what_was_handed_in(void **state)
{
    enum { ROWS = 3000 };
    struct bench b;
    struct row *rows = calloc(ROWS, sizeof *rows);
    assert_non_null(rows);
    open_bench(&b);
    b.left = ROWS + 1;
    for (size_t i = 0; i < ROWS; i++) {
        row_init(&rows[i], &b, (int64_t)i);
        store_submit(b.store, &rows[i].job);
    }
    close_bench(&b);
    for (size_t i = 0; i < ROWS; i++)
        assert_true(rows[i].done == 1 && !rows[i].failed);
    open_bench(&b);
    assert_int_equal(count_rows(b.store), ROWS);
    close_bench(&b);
    free(rows);
}

static void test_who_holds_a_closed_store_is_refused(void **state)
{
    struct bench b;
    struct row r, late;
    struct err e;
    open_bench(&b);
    row_init(&r, &b, 1);
    submit_all(&b, &r, 1);
    struct store *held = store_hold(b.store);
    close_bench(&b);
    row_init(&late, &b, 2);
    b.left = 2;
    store_submit(held, &late.job);
    assert_true(late.done == 1 && late.rc == ERR_SHUTTING_DOWN);
    assert_int_equal(store_do(held, &late.job, &e), ERR_SHUTTING_DOWN);
    store_release(held);
    open_bench(&b);
    assert_int_equal(count_rows(b.store), 1);
    close_bench(&b);
}

struct gate {
    struct store_job job;
    int tell, wait_on;
};

static enum err_code run_gate(struct store_db *db, struct store_job *job, struct err *e)
{
    const struct gate *g = (const struct gate *)(void *)job;
    char byte = 'x';
    bool through = write(g->tell, &byte, 1) == 1 && read(g->wait_on, &byte, 1) == 1;
    return through ? ERR_OK : err_set(e, ERR_INTERNAL, "no byte");
}

static void test_one_more_than_the_bound_is_refused(void **state)
{
    struct bench b;
    struct row *rows = calloc(STORE_MAX_JOBS + 2, sizeof *rows);
    assert_non_null(rows);
    int there[2], back[2];
    char byte;
    size_t refused = 0;
    assert_true(!pipe(there) && !pipe(back));
    struct gate gate = { .job = { .run = run_gate, .reads = true }, .tell = there[1], .wait_on = back[0] };
    open_bench(&b);
    store_submit(b.store, &gate.job);
    assert_int_equal(read(there[0], &byte, 1), 1); /* the writer stands in it: what comes now stays in line */
    b.left = STORE_MAX_JOBS + 2;
    for (size_t i = 0; i < STORE_MAX_JOBS + 2; i++) {
        row_init(&rows[i], &b, (int64_t)i);
        store_submit(b.store, &rows[i].job);
    }
    assert_int_equal(write(back[1], "x", 1), 1);
    loop_run(b.loop);
    for (size_t i = 0; i < STORE_MAX_JOBS + 2; i++) {
        assert_int_equal(rows[i].done, 1);
        refused += rows[i].rc == ERR_QUEUE_FULL;
    }
    assert_true(refused == 2 && rows[STORE_MAX_JOBS].failed && rows[STORE_MAX_JOBS + 1].failed);
    assert_int_equal(count_rows(b.store), STORE_MAX_JOBS);
    close_bench(&b);
    for (size_t i = 0; i < 2; i++) {
        close(there[i]);
        close(back[i]);
    }
    free(rows);
}

/* ---- the disk ---- */

/* In a process of its own: the limit is the process's. Exits 0 when all was as it should be. */
static void fill_disk(void)
{
    enum { ROWS = 40 };
    struct bench b;
    struct row rows[ROWS], after;
    struct rlimit limit = { .rlim_cur = 512 * 1024, .rlim_max = RLIM_INFINITY };
    int64_t kept = 0;
    signal(SIGXFSZ, SIG_IGN);
    log_set_level(LOG_ERROR);
    open_bench(&b);
    row_init(&after, &b, -1); /* not counted below */
    submit_all(&b, &after, 1); /* it is open */
    if (setrlimit(RLIMIT_FSIZE, &limit))
        _exit(2);
    for (int i = 0; i < ROWS; i++) { /* 4 MiB in all, one batch each */
        row_init(&rows[i], &b, i);
        rows[i].bytes = 100 * 1024;
        submit_all(&b, &rows[i], 1);
        kept += !rows[i].failed;
        if (rows[i].done != 1 || (rows[i].failed && rows[i].rc != ERR_SYSTEM))
            _exit(3);
    }
    if (kept == 0 || kept == ROWS)
        _exit(4);
    limit.rlim_cur = RLIM_INFINITY;
    if (setrlimit(RLIMIT_FSIZE, &limit))
        _exit(2);
    do { /* until the file is opened again */
        row_init(&after, &b, ROWS);
        after.bytes = 100 * 1024;
        submit_all(&b, &after, 1);
    } while (after.failed);
    if ( count_rows(b.store) != kept + 1)
        _exit(5);
    close_bench(&b);
    _exit(0);
}

static bool file_is_sound(void)
{
    char path[128], said[64] = "";
    sqlite3 *db;
    sqlite3_stmt *s;
    snprintf(path, sizeof path, "%s/hob.db", folder);
    if (sqlite3_open(path, &db) == SQLITE_OK && sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL) == SQLITE_OK) {
        if (sqlite3_step(s) == SQLITE_ROW)
            snprintf(said, sizeof said, "%s", (const char *)sqlite3_column_text(s, 0));
        sqlite3_finalize(s);
    }
    sqlite3_close(db);
    return strcmp(said, "ok") == 0;
}

static void test_a_full_disk_fails_jobs_and_no_more(void **state)
{
    int status = 0, pid = fork();
    if (!pid)
        fill_disk();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(file_is_sound());
}

/* Writes rows for ever and tells the number of each that is done. */
struct endless {
    struct row row;
    int to;
};

static void next_row(struct store_job *job, const struct err *e)
{
    struct endless *w = (struct endless *)(void *)job;
    if (e || write(w->to, &w->row.n, sizeof w->row.n) != sizeof w->row.n)
        _exit(1);
    w->row.n += 16;
    store_submit(w->row.bench->store, &w->row.job);
}

static void write_for_ever(int to)
{
    struct bench b;
    struct endless w[16];
    open_bench(&b);
    for (size_t i = 0; i < COUNTOF(w); i++) {
        row_init(&w[i].row, &b, (int64_t)i);
        w[i].row.job.done = next_row;
        w[i].row.bytes = 300;
        w[i].to = to;
        store_submit(b.store, &w[i].row.job);
    }
    loop_run(b.loop);
    _exit(1);
}

static bool has_row(sqlite3 *db, int64_t n)
{
    sqlite3_stmt *s;
    bool there = false;
    if (sqlite3_prepare_v2(db, "SELECT 1 FROM t WHERE n = ?1", -1, &s, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(s, 1, n);
        there = sqlite3_step(s) == SQLITE_ROW;
    }
    sqlite3_finalize(s);
    return there;
}

static void test_what_was_told_done_outlives_a_kill(void **state)
{
    for (int round = 0; round < 5; round++) {
        int ends[2], status;
        char path[128];
        int64_t n, told = 0;
        int64_t *all = calloc(1 << 20, sizeof *all);
        assert_non_null(all);
        sqlite3 *db;
        assert_int_equal(pipe(ends), 0);
        int pid = fork();
        if (!pid)
            write_for_ever(ends[1]);
        close(ends[1]);
        while (read(ends[0], &n, sizeof n) == sizeof n && told < 1 << 20) {
            all[told++] = n;
            if (told == 200 + round * 333)
                kill(pid, SIGKILL);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && told >= 200);
        assert_true(file_is_sound());
        snprintf(path, sizeof path, "%s/hob.db", folder);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        for (int64_t i = 0; i < told; i++)
            if (!has_row(db, all[i]))
                fail_msg("row %lld was told done and is lost", (long long)all[i]);
        sqlite3_exec(db, "DELETE FROM t", NULL, NULL, NULL);
        sqlite3_close(db);
        close(ends[0]);
        free(all);
    }
}

/* ---- the file ---- */

static void write_file(const char *bytes, size_t n, off_t at)
{
    char path[128];
    snprintf(path, sizeof path, "%s/hob.db", folder);
    int fd = open(path, O_RDWR | O_CREAT, 0644);
    assert_true(fd >= 0 && pwrite(fd, bytes, n, at) == (ssize_t)n);
    close(fd);
}

static void test_what_is_no_database_is_set_aside(void **state)
{
    static const struct {
        const char *what;
        size_t keep;        /* bytes of a good file that stay; 0 = none: the text is all there is */
        const char *text;
        off_t at;
    } rows[] = {
        { "a text", 0, "<!DOCTYPE html> this is a page and it is longer than the head of a database, so that nobody can take it for an empty one.", 0 },
        { "half a file", 6000, "", 0 },
        { "a broken page", 1 << 20, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 4096 },
    };
    log_set_level(LOG_ERROR);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct bench b;
        struct err e;
        struct store *s;
        char path[128];
        snprintf(path, sizeof path, "%s/hob.db", folder);
        unlink(path);
        if (rows[i].keep) {
            open_bench(&b);
            close_bench(&b);
            struct stat st;
            assert_int_equal(stat(path, &st), 0);
            if ((off_t)rows[i].keep < st.st_size)
                assert_int_equal(truncate(path, (off_t)rows[i].keep), 0);
        }
        write_file(rows[i].text, strlen(rows[i].text), rows[i].at);
        size_t before = count_files("hob.db.broken-*");
        if (!store_open(str_of(folder), &s, &e)) /* a command says it and leaves it */
            fail_msg("%s: a command opened it", rows[i].what);
        assert_int_equal(e.code, ERR_SYSTEM);
        assert_int_equal(count_files("hob.db.broken-*"), before);
        open_bench(&b);
        struct row r;
        row_init(&r, &b, 1);
        submit_all(&b, &r, 1);
        assert_int_equal(r.failed, 0);
        if (count_files("hob.db.broken-*") <= before)
            fail_msg("%s: nothing was set aside", rows[i].what);
        close_bench(&b);
    }
    log_set_level(LOG_INFO);
}

static enum err_code run_find_broken(struct store_db *db, struct store_job *job, struct err *e)
{
    db->broken = true; /* as a read of a bad page would */
    return err_set(e, ERR_SYSTEM, "broken");
}

static void test_a_file_that_breaks_in_use_is_set_aside(void **state)
{
    struct bench b;
    struct row r;
    struct err e;
    struct store_job find = { .run = run_find_broken, .reads = true };
    log_set_level(LOG_ERROR);
    open_bench(&b);
    row_init(&r, &b, 1);
    submit_all(&b, &r, 1);
    assert_int_equal(store_do(b.store, &find, &e), ERR_SYSTEM);
    row_init(&r, &b, 2);
    submit_all(&b, &r, 1);
    assert_int_equal(r.failed, 0);
    assert_int_equal(count_rows(b.store), 1);
    assert_true(count_files("hob.db.broken-*") > 0);
    close_bench(&b);
    log_set_level(LOG_INFO);
}

static void test_a_newer_file_is_refused(void **state)
{
    struct bench b;
    struct err e;
    struct store *s = NULL;
    char path[128];
    sqlite3 *db;
    open_bench(&b);
    close_bench(&b);
    snprintf(path, sizeof path, "%s/hob.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=9999", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    log_set_level(LOG_ERROR);
    open_bench(&b); /* the daemon goes on without */
    struct row r;
    row_init(&r, &b, 1);
    r.job.done = NULL;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_do(b.store, &r.job, &e), ERR_SYSTEM);
        assert_non_null(strstr(e.text, "newer hob"));
    }
    close_bench(&b);
    assert_int_equal(store_open(str_of(folder), &s, &e), ERR_SYSTEM);
    assert_non_null(strstr(e.text, "newer hob"));
    assert_int_equal(store_open_to_read(str_of(folder), &s, &e), ERR_SYSTEM);
    assert_int_equal(count_files("hob.db.broken-*"), 0);
    log_set_level(LOG_INFO);
}

static void test_a_folder_that_is_not_there_is_an_error(void **state)
{
    struct err e;
    struct store *s = NULL;
    assert_int_equal(store_open(STR("/no/such/folder"), &s, &e), ERR_SYSTEM);
    assert_int_equal(store_open_to_read(STR("/no/such/folder"), &s, &e), ERR_OK);
    assert_null(s);
}

static void test_only_we_may_read_it(void **state)
{
    struct bench b;
    struct stat st;
    static const char *const parts[] = { "", "-wal", "-shm" };
    write_file("", 0, 0); /* 0644, as a person might leave it */
    open_bench(&b);
    struct row r;
    row_init(&r, &b, 1);
    submit_all(&b, &r, 1);
    for (size_t i = 0; i < COUNTOF(parts); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/hob.db%s", folder, parts[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    close_bench(&b);
}

static void test_a_command_reads_beside_the_daemon(void **state)
{
    struct bench b;
    struct row r;
    struct err e;
    struct store *s = NULL;
    open_bench(&b);
    row_init(&r, &b, 1);
    submit_all(&b, &r, 1);
    assert_int_equal(store_open_to_read(str_of(folder), &s, &e), ERR_OK);
    assert_int_equal(count_rows(s), 1);
    row_init(&r, &b, 2);
    r.job.done = NULL;
    assert_int_equal(store_do(s, &r.job, &e), ERR_SYSTEM); /* only reads */
    store_close(s);
    close_bench(&b);
}

static int version_there(void)
{
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *q;
    snprintf(path, sizeof path, "%s/hob.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int version = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return version;
}

static void do_by_hand(const char *text)
{
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/hob.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void lower_version(void)
{
    char text[64];
    snprintf(text, sizeof text, "PRAGMA user_version=%d", store_schema() - 1);
    do_by_hand(text);
}

static enum err_code write_one(struct store *s, struct err *e)
{
    struct row r;
    row_init(&r, NULL, 1);
    r.job.done = NULL;
    return store_do(s, &r.job, e);
}

/* Who serves has the lock; whose the file is goes by its version. */
static void test_a_command_changes_only_what_is_nobodys(void **state)
{
    static const struct { bool file, older, served, opens, writes; } rows[] = {
        { .opens = true, .writes = true }, /* it makes one */
        { .served = true },                /* whoever serves makes one */
        { .file = true, .opens = true, .writes = true },
        { .file = true, .served = true, .opens = true },
        { .file = true, .older = true },
        { .file = true, .older = true, .served = true },
    };
    char lock[128], path[128];
    snprintf(lock, sizeof lock, "%s/" STORE_LOCK, folder);
    snprintf(path, sizeof path, "%s/hob.db", folder);
    int held = open(lock, O_RDWR | O_CREAT, 0600);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct bench b;
        struct store *s = NULL;
        struct err e;
        unlink(path);
        if (rows[i].file) {
            open_bench(&b);
            close_bench(&b);
        }
        if (rows[i].older)
            lower_version();
        assert_int_equal(flock(held, rows[i].served ? LOCK_EX : LOCK_UN), 0);
        assert_int_equal(store_open(str_of(folder), &s, &e), ERR_OK);
        if ((s != NULL) != rows[i].opens)
            fail_msg("row %zu: %s", i, s ? "opened" : "not opened");
        if (s && (write_one(s, &e) == ERR_OK) != rows[i].writes)
            fail_msg("row %zu: %s", i, rows[i].writes ? e.text : "it wrote");
        store_close(s);
        assert_int_equal(access(path, F_OK) == 0, rows[i].file || rows[i].writes);
        if (rows[i].file)
            assert_int_equal(version_there(), store_schema() - rows[i].older);
    }
    close(held);
}

/* Its steps are all taken, or none. */
static void test_who_serves_takes_an_older_file_further_at_once(void **state)
{
    struct err e;
    struct bench b;
    for (int i = 0; i < 3; i++)
        do_by_hand(store_migrations[i]);
    do_by_hand("CREATE TABLE served (is_in_the_way INTEGER); PRAGMA user_version=3");
    log_set_level(LOG_ERROR);
    for (int good = 0; good < 2; good++) {
        if (good)
            do_by_hand("DROP TABLE served");
        open_bench(&b);
        assert_int_equal(write_one(b.store, &e), good ? ERR_OK : ERR_SYSTEM);
        close_bench(&b);
        assert_int_equal(version_there(), good ? store_schema() : 3);
    }
    log_set_level(LOG_INFO);
}

static int64_t number_in(const char *file, const char *question)
{
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *q;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, question, -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return n;
}

static void leave_file(const char *name, int64_t days)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    struct timespec when[2] = { { .tv_sec = time(NULL) - days * 24 * 3600 }, { .tv_sec = time(NULL) - days * 24 * 3600 } };
    assert_int_equal(futimens(fd, when), 0);
    close(fd);
}

/* It is there for who goes back, without what is to be gone when its time is over, and goes when its own is. */
static void test_the_file_as_it_was_is_kept(void **state)
{
    int before = store_schema() - 1;
    char name[64], path[160], text[64];
    struct stat st;
    struct bench b;
    struct err e;
    for (int i = 0; i < before; i++)
        do_by_hand(store_migrations[i]);
    snprintf(text, sizeof text, "PRAGMA user_version=%d", before);
    do_by_hand(text);
    do_by_hand("PRAGMA journal_mode=WAL; CREATE TABLE t (n INTEGER PRIMARY KEY, fill BLOB);"
        "WITH RECURSIVE c(n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM c WHERE n < 3000) INSERT INTO t SELECT n, zeroblob(300) FROM c;"
        "INSERT INTO captured (time_ms, until_ms, role, id, caller, model, host, flags, print, text) VALUES (1, 9999999999999, 'chat', 'i', '', 'm', '', 0, 0, 'a text of somebody')");
    leave_file("hob.db.version-1", 15);
    leave_file("hob.db.version-2", 13);
    leave_file("hob.db.version-3.part", 0);
    snprintf(name, sizeof name, "hob.db.version-%d", before);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    open_bench(&b);
    assert_int_equal(write_one(b.store, &e), ERR_OK);
    close_bench(&b);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(number_in(name, "PRAGMA user_version"), before);
    assert_int_equal(number_in(name, "SELECT count(*) FROM t"), 2901); /* not the row that came after */
    assert_int_equal(number_in(name, "SELECT count(*) FROM captured"), 0);
    assert_int_equal(number_in(name, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    assert_int_equal(number_in("hob.db", "SELECT count(*) FROM captured"), 1);
    assert_int_equal(number_in("hob.db", "PRAGMA user_version"), before + 1);
    assert_int_equal(count_files("hob.db.version-*"), 2); /* that of version 2 is not old enough */
    int fd = open(path, O_RDONLY);
    char *all = malloc((size_t)st.st_size);
    assert_true(all && read(fd, all, (size_t)st.st_size) == st.st_size);
    assert_null(memmem(all, (size_t)st.st_size, "a text of somebody", 18));
    free(all);
    close(fd);
    open_bench(&b); /* it is made once */
    close_bench(&b);
    assert_int_equal(count_files("hob.db.version-*"), 2);
    do_by_hand("PRAGMA user_version=9999");
    struct store *s = NULL;
    assert_int_equal(store_open_to_read(str_of(folder), &s, &e), ERR_SYSTEM);
    assert_non_null(strstr(e.hint, name));
}

/* Of one that was killed with it: not looked through. What is broken in it all the same shows when it is used. */
static void test_a_file_that_somebody_just_had_is_opened_as_it_is(void **state)
{
    for (int again = 0; again < 2; again++) {
        struct bench b;
        struct stat st;
        struct err e;
        char path[128];
        snprintf(path, sizeof path, "%s/hob.db", folder);
        open_bench(&b);
        close_bench(&b);
        assert_int_equal(stat(path, &st), 0);
        write_file("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16, st.st_size - 1024); /* a page that nobody needs for this */
        log_set_level(LOG_ERROR);
        b.loop = loop_new();
        b.store = again ? store_start_again(b.loop, str_of(folder)) : store_start(b.loop, str_of(folder));
        assert_int_equal(write_one(b.store, &e), ERR_OK);
        assert_int_equal(count_files("hob.db.broken-*") > 0, !again);
        close_bench(&b);
        log_set_level(LOG_INFO);
        assert_int_equal(remove_folder(NULL), 0);
        assert_int_equal(make_folder(NULL), 0);
    }
}

static void test_programs_that_begin_together_make_one_file(void **state)
{
    enum { PROGRAMS = 12 };
    int pids[PROGRAMS], status;
    for (size_t i = 0; i < PROGRAMS; i++) {
        pids[i] = fork();
        if (!pids[i]) {
            struct store *s = NULL;
            struct err e;
            enum err_code rc = store_open(str_of(folder), &s, &e);
            if (rc)
                fprintf(stderr, "%s\n", e.text);
            store_close(s);
            _exit(rc != 0);
        }
    }
    for (size_t i = 0; i < PROGRAMS; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_true(file_is_sound());
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        CASE(test_jobs_end_once_and_in_order),
        CASE(test_a_failing_job_takes_nothing_with_it),
        CASE(test_many_threads_may_hand_in),
        CASE(test_closing_waits_for_what_was_handed_in),
        CASE(test_who_holds_a_closed_store_is_refused),
        CASE(test_one_more_than_the_bound_is_refused),
        CASE(test_a_full_disk_fails_jobs_and_no_more),
        CASE(test_what_was_told_done_outlives_a_kill),
        CASE(test_what_is_no_database_is_set_aside),
        CASE(test_a_file_that_breaks_in_use_is_set_aside),
        CASE(test_a_newer_file_is_refused),
        CASE(test_a_folder_that_is_not_there_is_an_error),
        CASE(test_only_we_may_read_it),
        CASE(test_a_command_reads_beside_the_daemon),
        CASE(test_a_command_changes_only_what_is_nobodys),
        CASE(test_who_serves_takes_an_older_file_further_at_once),
        CASE(test_the_file_as_it_was_is_kept),
        CASE(test_a_file_that_somebody_just_had_is_opened_as_it_is),
        CASE(test_programs_that_begin_together_make_one_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
