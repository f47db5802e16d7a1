/* The connection: how the file is opened, looked at, brought to this program's version, and set aside when it is broken. */
#include "base/clock.h"
#include "base/log.h"
#include "store/look.h"
#include "store/store_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    AGAIN_MS = 5,
    CHECK_DOUBTED_BYTES = 256 * 1024 * 1024, /* after the disk has failed */
    PIECE_BYTES = 64 * 1024,
    CHECK_MAX_BYTES = 4 * 1024 * 1024, /* a larger file is not read through at each start, while rows wait (6 ms a MiB, four times that on busy cores): what is broken in it shows when it is used */
};

/* cache_size: 256 KiB are plenty for short writes, and memory is promised to be little. mmap: a file cut short under it would be a SIGBUS. */
static const char pragmas[] = "PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-256; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;"
                              "PRAGMA trusted_schema=OFF; PRAGMA journal_size_limit=4194304;";

/* ---- errors ---- */

static const struct {
    int code;
    const char *text, *hint;
} known_errors[] = {
    { SQLITE_FULL, "the disk is full", "Make room: what waits in memory is written then." },
    { SQLITE_READONLY, "it may not be written to", "Check the owner and the rights of the state folder." },
    { SQLITE_CANTOPEN, "it cannot be opened", "Check the owner and the rights of the state folder." },
    { SQLITE_BUSY, "another process holds it", "Try again when that one is through." },
    { SQLITE_NOTADB, "it is no database", "It is set aside at the next start of `hob serve`." },
    { SQLITE_CORRUPT, "it is broken", "It is set aside at the next start of `hob serve`." },
};

/* What SQLite says of the last call. */
static enum err_code db_error(struct store_db *db, struct err *e)
{
    int code = (db->sql ? sqlite3_errcode(db->sql) : SQLITE_NOMEM) & 0xff;
    const char *said = db->sql ? sqlite3_errmsg(db->sql) : "out of memory";
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) /* of a disk that fails it is not believed until the next start */
        db->broken = !db->suspect;
    if (code == SQLITE_CONSTRAINT) /* one job's own fault: the store is well */
        return err_set(e, ERR_INTERNAL, "%.200s: %s", db->path, said);
    int sys = db->sql ? sqlite3_system_errno(db->sql) : 0;
    if (code == SQLITE_CANTOPEN && (sys == EMFILE || sys == ENFILE)) {
        err_sys(e, ERR_SYSTEM, sys, "%.200s: it cannot be opened", db->path);
        return err_hint(e, "Let it have more of them (`ulimit -n`, LimitNOFILE=), or wait until there are some.");
    }
    if (code == SQLITE_IOERR) {
        if (sys)
            err_sys(e, ERR_SYSTEM, sys, "%.200s: %s", db->path, said);
        else
            err_set(e, ERR_SYSTEM, "%.200s: %s", db->path, said);
        err_hint(e, "%s", sys == ENOSPC ? "Make room: what waits in memory is written then." : "Look at the disk; it is tried again by itself.");
        db->suspect = true;
        db->why = *e;
        return e->code;
    }
    db->stale |= code == SQLITE_READONLY;
    for (size_t i = 0; i < COUNTOF(known_errors); i++)
        if (known_errors[i].code == code) {
            err_set(e, ERR_SYSTEM, "%.200s: %s", db->path, known_errors[i].text);
            return err_hint(e, "%s", known_errors[i].hint);
        }
    return err_set(e, ERR_SYSTEM, "%.200s: %s", db->path, said);
}

/* ---- statements ---- */

sqlite3_stmt *db_begin(struct store_db *db, const char *text, struct err *e)
{
    size_t i = 0;
    while (i < COUNTOF(db->kept) && db->kept[i].text && db->kept[i].text != text)
        i++;
    if (i == COUNTOF(db->kept))
        die("more than %d statements in the store", DB_MAX_STATEMENTS);
    if (!db->sql) {
        *e = db->why;
        return NULL;
    }
    if (!db->kept[i].stmt && sqlite3_prepare_v3(db->sql, text, -1, SQLITE_PREPARE_PERSISTENT, &db->kept[i].stmt, NULL) != SQLITE_OK) {
        db_error(db, e);
        return NULL;
    }
    db->kept[i].text = text;
    return db->kept[i].stmt;
}

int db_step(struct store_db *db, sqlite3_stmt *s, struct err *e)
{
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE)
        return 0;
    db_error(db, e);
    return -1;
}

void db_end(sqlite3_stmt *s)
{
    if (!s)
        return;
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
}

void db_text(sqlite3_stmt *s, int at, struct str text)
{
    sqlite3_bind_text64(s, at, text.n ? text.p : "", text.n, SQLITE_STATIC, SQLITE_UTF8);
}

enum err_code db_exec(struct store_db *db, const char *text, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, text, e);
    int rc = s ? db_step(db, s, e) : -1;
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

/* Several at once, not kept. */
static enum err_code exec_all(struct store_db *db, const char *text, struct err *e)
{
    return sqlite3_exec(db->sql, text, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : db_error(db, e);
}

/* ---- versions ---- */

static enum err_code read_version(struct store_db *db, int *version, struct err *e)
{
    sqlite3_stmt *s = NULL;
    enum err_code rc = ERR_OK;
    if (sqlite3_prepare_v2(db->sql, "PRAGMA user_version", -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW)
        rc = db_error(db, e);
    else
        *version = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return rc;
}

static enum err_code refuse_newer(struct store_db *db, int version, struct err *e)
{
    char copy[DB_MAX_PATH + 32];
    err_set(e, ERR_SYSTEM, "%.200s is of a newer hob: version %d, this one knows up to %d", db->path, version, store_schema());
    if (before_find(db, copy, sizeof copy)) /* doc/guide/service.md, "Going back" */
        return err_hint(e, "Use that hob, or go back to %.150s, which is the file as it was.", copy);
    return err_hint(e, "Use that hob, or another state folder (--state), or move the file away.");
}

/* Into a transaction; the version is read again inside: two programs may have begun at the same time. */
static enum err_code begin_steps(struct store_db *db, int *version, struct err *e)
{
    enum err_code rc = exec_all(db, "BEGIN IMMEDIATE", e);
    return rc ? rc : read_version(db, version, e);
}

static enum err_code step(struct store_db *db, int *version, struct err *e)
{
    char last[64];
    snprintf(last, sizeof last, "PRAGMA user_version=%d", *version + 1);
    enum err_code rc = exec_all(db, store_migrations[*version], e);
    if (!rc)
        rc = exec_all(db, last, e);
    ++*version;
    return rc;
}

static void give_up(struct store_db *db)
{
    if (!sqlite3_get_autocommit(db->sql))
        sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
}

/* All steps in one transaction, which is left open: whoever dies in it has changed nothing. */
static enum err_code migrate_on_trial(struct store_db *db, int *version, struct err *e)
{
    enum err_code rc = begin_steps(db, version, e);
    while (!rc && *version < store_schema())
        rc = step(db, version, e);
    if (rc)
        give_up(db);
    return rc;
}

enum err_code db_keep(struct store_db *db, struct err *e)
{
    enum err_code rc = sqlite3_get_autocommit(db->sql) ? ERR_OK : exec_all(db, "COMMIT", e);
    if (!rc)
        before_keep(db);
    return rc;
}

static enum err_code migrate(struct store_db *db, int *version, struct err *e)
{
    enum err_code rc = migrate_on_trial(db, version, e);
    if (!rc)
        rc = db_keep(db, e);
    if (rc)
        give_up(db);
    return rc;
}

void db_durable(struct store_db *db)
{
    struct err e;
    if (db->sql && exec_all(db, db->limits.power ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", &e))
        log_warn("%s", e.text);
}

/* ---- opening ---- */

/* What SQLite finds, "ok" or what is wrong. */
static enum err_code quick_check(struct store_db *db, char found[64], struct err *e)
{
    sqlite3_stmt *s = NULL;
    enum err_code rc = ERR_OK;
    if (sqlite3_prepare_v2(db->sql, "PRAGMA quick_check(1)", -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW)
        rc = db_error(db, e);
    else
        snprintf(found, 64, "%.63s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    return rc;
}

/* Each byte of one of SQLite's files. NULL is fine. */
static int read_through(sqlite3_file *f)
{
    sqlite3_int64 size = 0;
    if (!f || !f->pMethods)
        return SQLITE_OK;
    char *piece = malloc(PIECE_BYTES);
    int rc = piece ? f->pMethods->xFileSize(f, &size) : SQLITE_NOMEM;
    for (sqlite3_int64 at = 0; !rc && at < size; at += PIECE_BYTES)
        rc = f->pMethods->xRead(f, piece, size - at < PIECE_BYTES ? (int)(size - at) : PIECE_BYTES, at);
    free(piece);
    return rc;
}

/* SQLite's check says of a page that could not be read what it says of a broken one. So before that is believed all is read, and what could be read is checked once more. */
static enum err_code check_again(struct store_db *db, char found[64], struct err *e)
{
    sqlite3_file *file = NULL, *log = NULL;
    sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    int code = read_through(file);
    if (!code)
        code = read_through(log);
    if (!code)
        return quick_check(db, found, e);
    db->suspect = true;
    return err_set(e, ERR_SYSTEM, "%.180s could not be read: %s", db->path, sqlite3_errstr(code));
}

static enum err_code check(struct store_db *db, bool doubted, struct err *e)
{
    struct stat st;
    char found[64];
    if (stat(db->path, &st) || st.st_size > (doubted ? CHECK_DOUBTED_BYTES : CHECK_MAX_BYTES))
        return ERR_OK;
    enum err_code rc = quick_check(db, found, e);
    if (!rc && !doubted && strcmp(found, "ok") != 0)
        rc = check_again(db, found, e);
    if (rc || !strcmp(found, "ok"))
        return rc;
    db->broken = !doubted;
    return err_set(e, ERR_SYSTEM, "%.200s: %.60s", db->path, found);
}

/* Made by us before SQLite does, for the rights; those of its other files follow this one's. Never opened when it is there: closing it would drop the
 * locks that a connection of this process may have on it. */
static enum err_code make_file(struct store_db *db, struct err *e)
{
    struct stat st;
    if (stat(db->path, &st)) {
        int fd = open(db->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST) {
            err_sys(e, ERR_SYSTEM, errno, "cannot make %.200s", db->path);
            return err_hint(e, "Check the state folder (`state:`, --state) and the room on its disk.");
        }
        if (fd >= 0)
            close(fd);
    } else if (st.st_mode & 077) {
        (void)chmod(db->path, 0600);
    }
    return ERR_OK;
}

/* Two programs that make the file at the same time would wait for each other here, so SQLite does not wait at all: one of them is refused at once. */
static enum err_code use_wal(struct store_db *db, struct err *e)
{
    int64_t until_ms = clock_mono_ms() + DB_BUSY_MS;
    enum err_code rc = exec_all(db, "PRAGMA page_size=1024; PRAGMA journal_mode=WAL", e); /* the size is a new file's: each commit writes whole pages, and a row is small */
    while (rc && (sqlite3_errcode(db->sql) & 0xff) == SQLITE_BUSY && clock_mono_ms() < until_ms) {
        sqlite3_sleep(AGAIN_MS);
        rc = exec_all(db, "PRAGMA journal_mode=WAL", e);
    }
    return rc;
}

/* ---- after the disk has failed ---- */

static int rewrite(sqlite3_file *f)
{
    char *piece = malloc(PIECE_BYTES);
    sqlite3_int64 size = 0;
    int rc = piece ? f->pMethods->xFileSize(f, &size) : SQLITE_NOMEM;
    for (sqlite3_int64 at = 0; !rc && at < size; at += PIECE_BYTES) {
        int n = size - at < PIECE_BYTES ? (int)(size - at) : PIECE_BYTES;
        rc = f->pMethods->xRead(f, piece, n, at);
        if (!rc)
            rc = f->pMethods->xWrite(f, piece, n, at);
    }
    free(piece);
    return rc ? rc : f->pMethods->xSync(f, SQLITE_SYNC_NORMAL);
}

/* Once a sync has failed the system takes the pages for written which are not, and the next sync of them is told that all is well. So the log, which holds
 * what is not in the file yet, is written once more, through this new connection's descriptor; in a transaction, so that nobody else writes it meanwhile. */
static enum err_code rewrite_log(struct store_db *db, struct err *e)
{
    sqlite3_file *f = NULL;
    enum err_code rc = exec_all(db, "BEGIN IMMEDIATE", e);
    if (rc)
        return rc;
    int code = sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_JOURNAL_POINTER, &f);
    if (!code && f && f->pMethods)
        code = rewrite(f);
    sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    return code ? err_set(e, ERR_SYSTEM, "%.180s-wal could not be written anew: %s", db->path, sqlite3_errstr(code)) : ERR_OK;
}

/* Only who serves with a file takes it further: a program that did so in passing would leave the hob that serves, or the one that comes back, a file it does not know. */
static enum err_code bring_up(struct store_db *db, enum db_mode mode, int *version, struct err *e)
{
    enum err_code rc = read_version(db, version, e);
    bool ours = mode != DB_READ && (mode != DB_BESIDE || *version == 0); /* 0: a file that was just made */
    if (!rc && ours && *version && *version < store_schema() && db->speaks)
        before_begin(db, *version);
    if (!rc && ours && *version < store_schema())
        rc = mode == DB_ON_TRIAL ? migrate_on_trial(db, version, e) : migrate(db, version, e);
    return !rc && *version > store_schema() ? refuse_newer(db, *version, e) : rc;
}

/* How long the rows of a start wait for it: the log of one that was killed is read, a small file looked through. */
static void tell_times(const struct store_db *db, int64_t began_ns, int64_t log_ns, int64_t checked_ns)
{
    log_debug("%s is open after %.1f ms: %.1f ms its log, %.1f ms looking it through", db->path, clock_ms_between(began_ns, clock_mono_ns()),
        clock_ms_between(began_ns, log_ns), clock_ms_between(log_ns, checked_ns));
}

static enum err_code open_once(struct store_db *db, enum db_mode mode, struct err *e)
{
    bool write = mode != DB_READ, trial = mode == DB_ON_TRIAL, doubted = db->suspect;
    int64_t began_ns = clock_mono_ns(), log_ns = 0, checked_ns = 0;
    int flags = (write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int version = 0;
    db->broken = db->stale = false;
    enum err_code rc = write ? make_file(db, e) : ERR_OK;
    if (!rc && sqlite3_open_v2(db->path, &db->sql, flags, NULL) != SQLITE_OK)
        rc = db_error(db, e);
    if (!rc) {
        sqlite3_busy_timeout(db->sql, DB_BUSY_MS);
        sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        rc = exec_all(db, pragmas, e);
    }
    if (!rc && !write)
        sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (!rc && write)
        rc = use_wal(db, e);
    log_ns = clock_mono_ns();
    if (!rc && write && !trial && !db->just_had) /* else another process has had it until now */
        rc = check(db, doubted, e);
    db->just_had = false;
    checked_ns = clock_mono_ns();
    if (!rc && write && doubted)
        rc = rewrite_log(db, e);
    if (!rc)
        rc = bring_up(db, mode, &version, e);
    if (!rc && db->speaks)
        log_begin(db);
    if (!rc && db->speaks && db->limits.power)
        db_durable(db);
    if (!rc && db->speaks)
        tell_times(db, began_ns, log_ns, checked_ns);
    db->suspect = db->suspect && rc;
    if (rc || version < store_schema())
        db_close(db);
    return rc;
}

/* Beside its place, with the day and the second. SQLite's own files go with it: they belong to no other. */
static enum err_code set_aside(struct store_db *db, const char *why, struct err *e)
{
    static const char *const parts[] = { "-wal", "-shm", "" };
    char to[DB_MAX_PATH + 64], from[DB_MAX_PATH + 8], day[32];
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm tm;
    struct stat st;
    size_t n = strftime(day, sizeof day - 4, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
    for (int again = 1; again < 100; again++) {
        snprintf(to, sizeof to, "%s.broken-%s", db->path, day);
        if (lstat(to, &st))
            break;
        snprintf(day + n, sizeof day - n, "-%d", again); /* twice in a second */
    }
    log_warn("%s: it is set aside as %s, and a new one is begun", why, to);
    for (size_t i = 0; i < COUNTOF(parts); i++) {
        snprintf(from, sizeof from, "%s%s", db->path, parts[i]);
        snprintf(to, sizeof to, "%s.broken-%s%s", db->path, day, parts[i]);
        if (rename(from, to) && errno != ENOENT)
            return err_sys(e, ERR_SYSTEM, errno, "cannot set %.200s aside", from);
    }
    return ERR_OK;
}

static enum err_code open_or_begin_anew(struct store_db *db, struct err *e)
{
    if (db->suspect)
        db_close(db);
    if (db->broken) { /* found out while it was in use, which opening it again may not find */
        db_close(db);
        enum err_code rc = set_aside(db, "the store turned out to be broken", e);
        if (rc)
            return rc;
    }
    enum err_code rc = open_once(db, DB_WRITE, e);
    if (!rc || !db->broken)
        return rc;
    struct err why = *e;
    rc = set_aside(db, why.text, e);
    return rc ? rc : open_once(db, DB_WRITE, e);
}

enum err_code db_open(struct store_db *db, enum db_mode mode, struct err *e)
{
    struct stat st;
    enum err_code rc = ERR_OK;
    switch (mode) {
    case DB_READ:
        rc = stat(db->path, &st) || !st.st_size ? ERR_OK : open_once(db, mode, e);
        break;
    case DB_WRITE:
    case DB_BESIDE:
    case DB_ON_TRIAL:
        rc = open_once(db, mode, e);
        break;
    case DB_WRITE_OR_ANEW:
        before_sweep(db);
        rc = open_or_begin_anew(db, e);
        break;
    }
    if (rc)
        db->why = *e;
    return rc;
}

void db_close(struct store_db *db)
{
    if (db->sql && db->suspect) /* it would sync the same descriptors again, and be told that all is well */
        sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    db->captured_due_ms = 0;
    books_forget(db);
    before_end(db);
    log_end(db);
    for (size_t i = 0; i < COUNTOF(db->kept); i++) {
        sqlite3_finalize(db->kept[i].stmt);
        db->kept[i].stmt = NULL;
        db->kept[i].text = NULL;
    }
    sqlite3_close(db->sql);
    db->sql = NULL;
}

/* ---- looked at ---- */

static enum err_code look(struct store_db *db, struct store_look *out, struct err *e)
{
    struct stat st;
    char found[64] = "";
    enum err_code rc = ERR_OK;
    if (sqlite3_open_v2(db->path, &db->sql, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL) != SQLITE_OK)
        return db_error(db, e);
    sqlite3_busy_timeout(db->sql, DB_BUSY_MS);
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    rc = exec_all(db, pragmas, e);
    if (!rc)
        rc = read_version(db, &out->version, e);
    if (rc || stat(db->path, &st) || st.st_size > CHECK_DOUBTED_BYTES)
        return rc;
    rc = quick_check(db, found, e);
    out->whole = !rc && !strcmp(found, "ok");
    if (!rc && !out->whole) {
        db->broken = true;
        err_set(e, ERR_SYSTEM, "%.180s is broken: %.60s", db->path, found);
        return err_hint(e, "It is set aside at the next start of `hob serve`.");
    }
    return rc;
}

enum err_code store_look(struct str state_folder, struct store_look *out, struct err *e)
{
    struct store_db *db = calloc(1, sizeof *db); /* thousands of bytes of path and statements */
    struct stat st;
    enum err_code rc = ERR_OK;
    if (!db)
        die("out of memory");
    *out = (struct store_look){ .there = false };
    snprintf(db->path, sizeof db->path, "%.*s/hob.db", STR_ARG(state_folder));
    memcpy(out->path, db->path, sizeof out->path);
    out->there = stat(db->path, &st) == 0;
    if (out->there && st.st_size)
        rc = look(db, out, e);
    out->broken = db->broken;
    sqlite3_close(db->sql);
    free(db);
    return rc;
}
