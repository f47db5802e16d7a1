/* The file as it was before this program took it further: STATE/hob.db.version-N, for who goes back to the program before it. A connection of its own keeps the file's
 * state from before the steps (a WAL's reader sees what was there when it began); the copy is made from that by a thread, when the steps are kept and rows are written
 * again. So nobody waits for it, however large the file is. It is a help: without room for it there is none, which is said, and the steps stand.
 *
 * Asks that are kept with their texts are not in it: they are to be gone when their time is over. It goes by itself after two weeks, at a start. */
#include "base/clock.h"
#include "base/log.h"
#include "store/store_int.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STACK_BYTES = 256 * 1024, PIECE_PAGES = 256, KEPT_S = 14 * 24 * 60 * 60 };

struct before {
    sqlite3 *from;                      /* NULL: the copy is made; else the log cannot begin anew */
    pthread_t thread;
    bool started;
    _Atomic bool unwanted;
    char path[DB_MAX_PATH + 32], part[DB_MAX_PATH + 48];
};

static void drop(struct before *b)
{
    sqlite3_close(b->from);
    free(b);
}

void before_begin(struct store_db *db, int version)
{
    struct before *b = calloc(1, sizeof *b);
    if (!b)
        die("out of memory");
    snprintf(b->path, sizeof b->path, "%s.version-%d", db->path, version);
    snprintf(b->part, sizeof b->part, "%s.part", b->path);
    bool seen = sqlite3_open_v2(db->path, &b->from, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
        sqlite3_db_config(b->from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) == SQLITE_OK &&
        sqlite3_exec(b->from, "PRAGMA cache_size=-64; PRAGMA mmap_size=0; BEGIN; SELECT count(*) FROM sqlite_master", NULL, NULL, NULL) == SQLITE_OK;
    if (!seen) {
        log_warn("no copy is kept of %s as it was (version %d): %s", db->path, version, b->from ? sqlite3_errmsg(b->from) : "out of memory");
        drop(b);
        return;
    }
    db->before = b;
}

/* Texts are not to outlive their time in a copy. A file from before there were any has no such table. */
static int forget_texts(sqlite3 *to)
{
    int rc = sqlite3_exec(to, "PRAGMA journal_mode=DELETE; PRAGMA secure_delete=ON", NULL, NULL, NULL);
    bool has = !rc && sqlite3_table_column_metadata(to, NULL, "captured", NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK;
    return has ? sqlite3_exec(to, "DELETE FROM captured", NULL, NULL, NULL) : rc;
}

static int copy_pages(struct before *b, sqlite3 *to)
{
    sqlite3_backup *work = sqlite3_backup_init(to, "main", b->from, "main");
    int rc = work ? SQLITE_OK : SQLITE_NOMEM;
    while (rc == SQLITE_OK)
        rc = b->unwanted ? SQLITE_INTERRUPT : sqlite3_backup_step(work, PIECE_PAGES);
    sqlite3_backup_finish(work);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int copy(struct before *b)
{
    sqlite3 *to = NULL;
    unlink(b->part);
    int fd = open(b->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return SQLITE_CANTOPEN;
    close(fd);
    int rc = sqlite3_open_v2(b->part, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (!rc)
        rc = copy_pages(b, to);
    if (!rc)
        rc = forget_texts(to);
    sqlite3_close(to);
    return rc ? rc : rename(b->part, b->path) ? SQLITE_IOERR : SQLITE_OK;
}

static void *work(void *arg)
{
    struct before *b = arg;
    int rc = copy(b);
    sqlite3_close(b->from);
    b->from = NULL;
    if (!rc) {
        log_info("the store as it was is kept as %s for two weeks", b->path);
        return NULL;
    }
    if (!b->unwanted)
        log_warn("no copy could be kept of the store as it was (%s): %s", b->path, sqlite3_errstr(rc));
    unlink(b->part);
    return NULL;
}

void before_keep(struct store_db *db)
{
    struct before *b = db->before;
    pthread_attr_t attr;
    if (!b || b->started)
        return;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    b->started = !pthread_create(&b->thread, &attr, work, b); /* it has the writer's mask: no signals */
    pthread_attr_destroy(&attr);
    if (!b->started)
        (void)work(b);
}

void before_end(struct store_db *db)
{
    struct before *b = db->before;
    if (!b)
        return;
    b->unwanted = db->suspect; /* a sound disk takes it to its end: later there is nothing to be copied from */
    if (b->started)
        pthread_join(b->thread, NULL);
    drop(b);
    db->before = NULL;
}

/* Copies whose time is over, and pieces of one that a kill has left. */
void before_sweep(const struct store_db *db)
{
    char pattern[DB_MAX_PATH + 16];
    glob_t found;
    struct stat st;
    int64_t now_s = clock_wall_ms() / 1000;
    snprintf(pattern, sizeof pattern, "%s.version-*", db->path);
    if (!glob(pattern, GLOB_NOSORT, NULL, &found))
        for (size_t i = 0; i < found.gl_pathc; i++)
            if (!lstat(found.gl_pathv[i], &st) && (now_s - (int64_t)st.st_mtime > KEPT_S || str_ends(str_of(found.gl_pathv[i]), STR(".part"))))
                unlink(found.gl_pathv[i]);
    globfree(&found);
}

bool before_find(const struct store_db *db, char *out, size_t room)
{
    for (int version = store_schema(); version > 0; version--) {
        snprintf(out, room, "%s.version-%d", db->path, version);
        if (!access(out, R_OK))
            return true;
    }
    return false;
}
