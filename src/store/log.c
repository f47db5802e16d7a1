/* The log: commits go into it, and from time to time what it holds is brought into the file (a checkpoint), so that it can begin anew.
 *
 * A megabyte of it takes the disk some ten milliseconds and two syncs, at a rate of 5,000 rows per second each two seconds: done by the writer that alone
 * would be one answer of a hundred that waits for it. So a thread with a connection of its own does it, beside which commits go on. Under a load
 * without a pause the log is then never quite over: something is always behind what was brought over. Once it has grown, the writer brings over the rest by
 * itself, just after the thread, when that is little. On a disk that takes the log slower than rows come the writer waits for the thread: a disk is not to
 * fill up with a log. What a reader holds up cannot be helped, and is brought over once it is through.
 *
 * SQLite up to 3.51.2 may break the file when a log that has been brought over whole is brought over again while another connection's commit begins it
 * anew (its "WAL-reset bug"). So the thread is started only when a megabyte lies behind the place up to which the last one came: then it has not been brought
 * over whole, and no commit can begin it anew. */
#include "store/store_int.h"

enum {
    DUE_BYTES = 1024 * 1024,            /* of the log, until it is brought over */
    LONG_BYTES = 8 * 1024 * 1024,       /* it has not begun anew for so long that the writer helps: all of it is read at the start after a kill */
    MOST_BYTES = 20 * 1024 * 1024,      /* and now it waits */
    STACK_BYTES = 128 * 1024,
};

static int on_commit(void *ctx, sqlite3 *sql, const char *name, int pages)
{
    struct db_log *l = &((struct store_db *)ctx)->log;
    int64_t bytes = pages * l->page_bytes;
    (void)sql;
    (void)name;
    if (bytes < l->bytes) { /* it has begun anew */
        l->due_bytes = DUE_BYTES;
        l->anew = true;
    }
    l->bytes = bytes;
    return SQLITE_OK;
}

static int64_t page_bytes(struct store_db *db)
{
    sqlite3_stmt *s = NULL;
    int64_t bytes = 0;
    if (sqlite3_prepare_v2(db->sql, "PRAGMA page_size", -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        bytes = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return bytes > 0 ? bytes : 4096;
}

void log_begin(struct store_db *db)
{
    struct db_log *l = &db->log;
    l->page_bytes = page_bytes(db);
    l->bytes = 0;
    l->due_bytes = DUE_BYTES;
    sqlite3_wal_hook(db->sql, on_commit, db);
}

/* Whatever a reader holds up is brought over the next time, and what finds no room too. What the disk has failed makes the file suspect: a sync that has failed is
 * not to be tried again on the same descriptor. */
static void bring_over(struct db_log *l, sqlite3 *sql)
{
    int all = 0, done = 0, rc = sqlite3_wal_checkpoint_v2(sql, NULL, SQLITE_CHECKPOINT_PASSIVE, &all, &done);
    if ((rc & 0xff) == SQLITE_IOERR)
        l->failed = rc;
    l->over_bytes = done > 0 ? done * l->page_bytes : 0;
}

/* A connection for each time: the file may have been set aside since the last one. One that has read nothing yet does not know that there is a log, and brings
 * nothing over without a word. */
static void *beside(void *arg)
{
    struct store_db *db = arg;
    sqlite3 *sql = NULL;
    if (sqlite3_open_v2(db->path, &sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK) {
        sqlite3_db_config(sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        if (sqlite3_exec(sql, "PRAGMA schema_version", NULL, NULL, NULL) == SQLITE_OK)
            bring_over(&db->log, sql);
    }
    sqlite3_close(sql);
    db->log.thread_over = true;
    return NULL;
}

static void start(struct store_db *db)
{
    struct db_log *l = &db->log;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    l->thread_over = l->anew = false;
    l->over_bytes = 0;
    l->thread_started = !pthread_create(&l->thread, &attr, beside, db); /* it has the writer's mask: no signals */
    pthread_attr_destroy(&attr);
    if (!l->thread_started)
        bring_over(l, db->sql);
}

static void join(struct db_log *l)
{
    if (l->thread_started)
        pthread_join(l->thread, NULL);
    l->thread_started = false;
}

/* A megabyte behind what is in the file, and behind where it was tried from: what a reader holds up is not tried with each batch. */
static void put_off(struct db_log *l)
{
    if (!l->anew && l->due_bytes < l->over_bytes + DUE_BYTES)
        l->due_bytes = l->over_bytes + DUE_BYTES;
}

void log_tidy(struct store_db *db)
{
    struct db_log *l = &db->log;
    if (!db->sql || (l->thread_started && !l->thread_over && l->bytes < MOST_BYTES))
        return;
    bool just_over = l->thread_started;
    join(l);
    if (just_over)
        put_off(l);
    if (just_over && l->bytes >= LONG_BYTES) {
        bring_over(l, db->sql);
        l->due_bytes = l->bytes + DUE_BYTES; /* see above: not again before it has grown */
    }
    if (l->failed) {
        db->suspect = true;
        err_set(&db->why, ERR_SYSTEM, "%.180s-wal cannot be brought over: %s", db->path, sqlite3_errstr(l->failed));
        return;
    }
    if (l->bytes < l->due_bytes)
        return;
    l->due_bytes = l->bytes + DUE_BYTES;
    start(db);
}

/* Texts that somebody wants gone lie in the log as they were written. A reader may hold it up: it is tried a few times, and then the log is written over as ever, or
 * gone when hob ends. The wait is short, since rows wait behind it, and there is one at all so that SQLite has the writer's lock meanwhile: no other process's
 * commit begins the log anew (see above). */
void log_wipe(struct store_db *db)
{
    enum { WIPE_MS = 50 };
    struct db_log *l = &db->log;
    l->wipes--;
    join(l);
    sqlite3_busy_timeout(db->sql, WIPE_MS);
    int rc = sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(db->sql, DB_BUSY_MS);
    if ((rc & 0xff) == SQLITE_IOERR)
        l->failed = rc;
    if (rc == SQLITE_OK) {
        l->bytes = l->wipes = 0;
        l->due_bytes = DUE_BYTES;
    }
}

void log_end(struct store_db *db)
{
    join(&db->log);
    db->log.bytes = db->log.wipes = 0;
    db->log.failed = 0;
}
