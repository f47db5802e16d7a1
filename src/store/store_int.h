/* Between the store's thread and its kinds of records: the connection. */
#ifndef HOB_STORE_INT_H
#define HOB_STORE_INT_H

#include "store/requests.h"

#include <pthread.h>
#include <sqlite3.h>

enum { DB_MAX_STATEMENTS = 64, DB_MAX_PATH = 4096, DB_BUSY_MS = 5000 /* a command may be writing */, DB_WIPES = 5 };

/* SQLite's log beside the file, of which it is brought into the file from time to time (log.c). */
struct db_log {
    int64_t page_bytes;
    int64_t bytes, due_bytes;       /* in the log; from so many on it is brought over */
    pthread_t thread;               /* that brings it over */
    bool thread_started;
    int wipes;                      /* what was deleted is to be gone from the log, too: so many tries more */
    bool anew;                      /* the log has begun anew since the thread was started */
    int64_t over_bytes;             /* so many are in the file: the thread's while it works */
    _Atomic bool thread_over;
    _Atomic int failed;             /* SQLite's code, when it could not be brought over for the disk's sake; 0 = it could */
};

/* Used by one thread at a time. */
struct store_db {
    sqlite3 *sql;                   /* NULL: it could not be opened (again) */
    char path[DB_MAX_PATH];
    struct err why;                 /* why sql is NULL */
    bool broken;                    /* something found the file to be no database: to be set aside */
    bool just_had;                  /* another process of ours had it open until it was killed: not looked through, the first time */
    bool speaks;                    /* the daemon's: says what goes wrong, a command's errors are its own to print */
    bool failing;                   /* the last write went wrong, and that was said: failed */
    bool suspect;                   /* a read, a write or a sync has failed: what this connection and its descriptors believe to be on the disk may not be there */
    bool stale;                     /* SQLite opens for reading what it cannot open for writing, also for want of a descriptor: this connection will never write */
    struct err failed;
    struct { const char *text; sqlite3_stmt *stmt; } kept[DB_MAX_STATEMENTS];
    struct db_log log;
    struct requests_limits limits;
    int64_t apart_ms;               /* wall clock less monotonic, when it was last looked at; 0 = not yet */
    int64_t doubted_until_ms;       /* monotonic: the wall clock has jumped, and is not believed where rows are to go for their age */
    struct before *before;          /* the file as it was before its steps, for a copy (before.c); NULL = none is wanted */
    struct spool *spool;            /* rows that wait for the disk (spool.c); NULL = there never were any */
    int64_t captured_due_ms;        /* when the next of the asks that are kept is over, wall clock; INT64_MAX = there is none, 0 = not looked at yet */
    struct request_books *books;    /* what is known of the rows (requests_books.c); NULL = nothing yet */
};

extern const char *const store_migrations[];    /* number n takes the file from version n to n + 1; ended by NULL */

enum db_mode {
    DB_READ,
    DB_WRITE,           /* brought to this program's version */
    DB_BESIDE,          /* for a command: written to as it is, made where there is none; an older hob's is nobody's here but who serves with it */
    DB_WRITE_OR_ANEW,   /* what is broken is set aside */
    DB_ON_TRIAL,        /* brought to this program's version in a transaction that stays open until db_keep(); closed before that, nothing has changed */
};
/* db->path is set; on error db->sql is NULL. DB_READ, DB_BESIDE: ERR_OK and db->sql NULL when there is no file to read, or none of this program's version yet. */
enum err_code db_open(struct store_db *db, enum db_mode mode, struct err *e) __attribute__((warn_unused_result));
enum err_code db_keep(struct store_db *db, struct err *e) __attribute__((warn_unused_result));
void db_close(struct store_db *db);
void db_durable(struct store_db *db);   /* as db->limits.power says; not in a transaction */

/* Text is a static string: the statement is made once and kept by its address. NULL with *e set. Ends (db_end) before it is asked for again. */
sqlite3_stmt *db_begin(struct store_db *db, const char *text, struct err *e);
/* 1 a row, 0 the end, -1 an error. */
int db_step(struct store_db *db, sqlite3_stmt *s, struct err *e);
void db_end(sqlite3_stmt *s);       /* NULL is fine */
void db_text(sqlite3_stmt *s, int at, struct str text);     /* borrowed until db_end() */
/* From db_begin() to db_end() of a statement without rows and without values. */
enum err_code db_exec(struct store_db *db, const char *text, struct err *e) __attribute__((warn_unused_result));

/* ---- store.c ---- */
/* True: somebody else writes it. */
bool store_pass_on(struct store *s, struct request_put *p);
/* All jobs from now on are refused; those that wait and are no rows, too. Rows go to pass_on. */
void store_retire(struct store *s, bool (*is_row)(const struct store_job *job), requests_forward_fn *fn, void *ctx);

/* ---- log.c ---- */
/* The log is brought over by us from now on, no more by SQLite behind a commit for which somebody waits. */
void log_begin(struct store_db *db);
void log_tidy(struct store_db *db);     /* between two batches: what is due. Waits only where the disk cannot keep up */
void log_wipe(struct store_db *db);     /* between two batches: all of it into the file, and none of it left */
void log_end(struct store_db *db);      /* before the connection is closed: nobody is at work on the log any more */

/* ---- before.c: a copy of the file as it was before this program took it further ---- */
void before_begin(struct store_db *db, int version);    /* before the steps: what is there now is what is copied */
void before_keep(struct store_db *db);                  /* the steps stand: copies, beside all else */
void before_end(struct store_db *db);                   /* waits for it; without before_keep(), there is none */
void before_sweep(const struct store_db *db);           /* those whose time is over */
bool before_find(const struct store_db *db, char *out, size_t room);    /* the newest that this program knows */

/* ---- spool.c ---- */
struct request_row;
bool spool_keep(struct store_db *db, const struct request_row *r, int64_t at);  /* false: there is no room */
size_t spool_count(const struct store_db *db);
int64_t spool_written(const struct store_db *db);
enum err_code spool_write(struct store_db *db, struct err *e) __attribute__((warn_unused_result)); /* some of them, in a transaction of its own */
void spool_free(struct store_db *db);                                           /* what is still there is lost, which is said */

/* ---- requests_books.c ---- */
/* Places and numbers for rows, on the writer's thread, inside of a transaction. */
enum err_code books_place(struct store_db *db, int64_t *at, struct err *e) __attribute__((warn_unused_result));
enum err_code books_way(struct store_db *db, const struct request_row *r, int64_t *way, struct err *e) __attribute__((warn_unused_result));
/* A bite of what is to be done between two batches: rows are summed up, old ones go. *more: there is still something to do. */
enum err_code books_tidy(struct store_db *db, bool *more, struct err *e) __attribute__((warn_unused_result));
void books_forget(struct store_db *db); /* a transaction went back, or the file is another */


/* ---- captured.c ---- */
/* A bite of what is over goes. *more: there is still something to do. */
enum err_code captured_tidy(struct store_db *db, bool *more, struct err *e) __attribute__((warn_unused_result));
int64_t captured_due_in_ms(const struct store_db *db);  /* until the next is over; INT64_MAX = none is there, or nobody knows yet */

#endif
