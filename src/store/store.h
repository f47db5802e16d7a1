/* What hob remembers between runs: one SQLite file, STATE/hob.db (WAL). In the daemon one writer thread owns the connection; everybody else hands it
 * jobs, and all jobs that are there when it begins go into one transaction. Commands open the file beside a running daemon, and their jobs run at once.
 * A file for each kind of record has its rows' functions (calibrations.c, probes.c …); the schema is a list of migrations, each run once in a
 * transaction. A disk that is full or read-only fails the jobs, never the program. */
#ifndef HOB_STORE_STORE_H
#define HOB_STORE_STORE_H

#include "base/err.h"
#include "base/str.h"

struct loop;
struct store;
struct store_db;                /* the connection, for a room file's functions: store/store_int.h */

/* For the daemon: opens, creates and migrates on the writer's thread, so that nobody waits. A file that is broken, or is no database, is set aside
 * (hob.db.broken-DATE) with a warning; one that cannot be had, or is a newer hob's, is said once, fails the jobs, and is tried again from time to time. */
struct store *store_start(struct loop *l, struct str state_folder);
#define STORE_LOCK "lock"       /* in the state folder: flock'ed (LOCK_EX) by who serves with it, however many they are */
struct store_job;
/* For who may not get the file after all: it is opened, and brought to this program's version in a transaction that only store_resume() commits. Until then
 * nothing has changed, whoever dies, and what is handed in waits, unless it only reads. opened->done is called once on the loop: could it be had? Nothing is set aside. */
struct store *store_start_on_trial(struct loop *l, struct str state_folder, struct store_job *opened);
/* For a command that would keep what it learns: jobs run at once in the caller's thread. ERR_SYSTEM says what is wrong with the file, and what to do. A command takes
 * no file to another version, and writes nothing where somebody serves: beside a daemon it only reads (a job that writes fails), and of an older hob's file there is
 * nothing to be had: *out NULL and ERR_OK. */
enum err_code store_open(struct str state_folder, struct store **out, struct err *e) __attribute__((warn_unused_result));
/* For reading only; *out NULL and ERR_OK when there is no file yet, or an older hob's. */
enum err_code store_open_to_read(struct str state_folder, struct store **out, struct err *e) __attribute__((warn_unused_result));
/* Waits for the jobs that were handed in and runs their `done`; on the loop thread. Who holds it may still hand in jobs: they fail with
 * ERR_SHUTTING_DOWN. NULL is fine. */
void store_close(struct store *s);
/* The file is let go of, for another process: what is being written is committed, what is handed in waits. The loop's thread; at once after one another. */
void store_pause(struct store *s);
bool store_is_paused(struct store *s);          /* it has been let go of */
void store_resume(struct store *s);             /* it is ours again */
int store_schema(void);                         /* the version of the file's tables that this program makes */
/* For who works on the pool and may be at it when the store is closed. */
struct store *store_hold(struct store *s);      /* NULL is fine */
void store_release(struct store *s);            /* any thread; NULL is fine */

/* A job. `run` on the writer's thread, all or nothing: what it wrote goes back when it fails. `done` on the loop thread, once, when it is on the disk
 * or has failed; NULL: nobody asks. Lies inside its owner, who lives until then; cannot be called back. */
struct store_job {
    struct store_job *next;                                                             /* the store's */
    enum err_code (*run)(struct store_db *db, struct store_job *job, struct err *e);
    bool (*keep)(struct store_db *db, struct store_job *job);                           /* the disk has failed it: keeps what is to be written later; NULL = nothing */
    void (*done)(struct store_job *job, const struct err *e);                           /* e NULL: it is done */
    bool reads;                                                                         /* it writes nothing: opens no transaction */
    bool single;                                                                        /* what it writes is one statement, whole or not at all by itself */
    size_t company;                                                                     /* so many such jobs may come at any moment, this one among them;
                                                                                           0 = it is in a hurry; STORE_LEISURE = nobody waits for it */
    int64_t ended_ns;                                                                   /* when the writer was through with it, monotonic; 0 = it never had it */
    struct err *why;                                                                    /* the store's, and the next too */
    void *wait;
};
enum { STORE_MAX_JOBS = 1 << 16 };      /* waiting at a time; one more fails with ERR_QUEUE_FULL */
/* The writer waits for company, where there may be some: a commit for several costs little more than for one. */
enum { STORE_LINGER_US = 400, STORE_LEISURE_US = 5000 };
#define STORE_LEISURE SIZE_MAX

/* How it is, for who has to say so; any thread. */
struct store_health {
    bool failing;           /* the last try to write went wrong, or there is no file; it is tried again each second */
    size_t held;            /* rows that wait in memory for that */
    int64_t held_written;   /* that have waited so, and are written now: since the start */
    int64_t lag_ms;         /* as store_lag_ms() */
    char why[192];          /* when it fails */
};
void store_health(struct store *s, struct store_health *out);
int64_t store_lag_ms(struct store *s);  /* since when something waits to be written; 0 = nothing does */

void store_submit(struct store *s, struct store_job *job);                              /* any thread, never waits */
/* Hands it in and waits for it: for the pool and for commands, never on the loop thread. `done` is not called. */
enum err_code store_do(struct store *s, struct store_job *job, struct err *e) __attribute__((warn_unused_result));

#endif
