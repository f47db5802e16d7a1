/* Jobs and who runs them. In the daemon they are handed to one thread through a list under a lock; it takes all that are there, runs them in one
 * transaction, and gives them back to the loop, which is woken once for all of them. A command has no such thread: its jobs run where they are asked.
 *
 * A batch: each writing job has a savepoint, so that one that fails takes nothing with it. When SQLite itself gives the transaction up (a full disk
 * does that) or the commit fails, all of the batch that has written fails with the same words. */
#include "store/store.h"

#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"
#include "store/look.h"
#include "store/store_int.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum {
    MAX_BATCH = 1024,               /* jobs in a transaction: the first of them shall not wait for ever */
    AGAIN_MS = 1000,                /* between two tries to have the file again, or to write what waits for the disk; twice as long each time … */
    AGAIN_MAX_MS = 10 * 1000,
    ANEW_MS = 10 * 1000,            /* and between two files that are set aside */
    TIDY_MS = 60 * 60 * 1000,       /* rows grow old when nobody writes, too */
    STACK_BYTES = 512 * 1024,
};

struct queue {
    struct store_job *first, **end;
};

struct store {
    struct store_db db;             /* the writer's alone while there is one */
    struct loop *loop;              /* NULL: a command's */
    struct wake *wake;
    pthread_t thread;
    int64_t tried_ms;               /* to open it again */
    int64_t again_ms;               /* the pause between two tries */
    int64_t anew_ms;                /* a broken one was set aside; 0 = none was */
    bool untidy;                    /* tidying up went wrong, and that was said */

    pthread_mutex_t lock;           /* holds what follows */
    uv_cond_t come;                 /* what pthread_cond_t is */
    pthread_cond_t over;            /* for the writer; for those who wait in store_do() */
    struct queue waiting, ended;
    size_t nwaiting;
    size_t company;                 /* so many rows may come to wait together, as the last one said */
    bool hurry;                     /* somebody waits who has no company */
    bool told_ready;                /* the writer has been told that it need not wait for more */
    struct store_health health;     /* as the writer has it */
    int64_t since_ms;               /* when the first of those that wait, or are being written, was handed in; 0 = none */
    struct requests_limits limits;
    bool limits_new;
    bool running, closing;          /* closing: what is still handed in is refused */
    bool pause, paused;             /* wanted; the file is closed */
    struct store_job *opened;       /* on trial until the pause is over: told whether the file could be had; NULL: not on trial */
    requests_forward_fn *forward;   /* the loop's: whose rows are, once the file is another process's; NULL: ours */
    void *forward_ctx;
    _Atomic int holders;
};

/* Lies on the stack of who waits. */
struct waiter {
    struct err *e;
    enum err_code rc;
    bool over;
};

static void queue_init(struct queue *q)
{
    q->first = NULL;
    q->end = &q->first;
}

static void queue_add(struct queue *q, struct store_job *job)
{
    job->next = NULL;
    *q->end = job;
    q->end = &job->next;
}

/* ---- a batch ---- */

static void fail(struct store_job *job, const struct err *e)
{
    if (job->why)
        return;
    job->why = malloc(sizeof *job->why);
    if (!job->why)
        die("out of memory");
    *job->why = *e;
}

static void refuse(struct store *s, struct store_job *job)
{
    struct err e;
    if (s->closing)
        err_set(&e, ERR_SHUTTING_DOWN, "%.200s is closed", s->db.path);
    else
        err_set(&e, ERR_QUEUE_FULL, "%d records wait to be written to %.200s; no more are taken", STORE_MAX_JOBS, s->db.path);
    fail(job, &e);
}

/* Said once when it begins and once when it is over: a full disk would else fill the log. */
static void tell(struct store_db *db, const struct err *e)
{
    if (!db->speaks)
        return;
    if (e)
        db->failed = *e;
    if (e && !db->failing)
        log_error("%s%s %s", e->text, err_stop(e), e->hint);
    else if (!e && db->failing)
        log_info("%s is written to again", db->path);
    db->failing = e != NULL;
}

/* From `from` on what has written is lost; `to` is where to stop. */
static void fail_all(struct store_db *db, struct store_job *from, const struct store_job *to, const struct err *e)
{
    books_forget(db);
    for (struct store_job *j = from; j != to; j = j->next)
        if (!j->reads)
            fail(j, e);
}

static enum err_code run_writing(struct store_db *db, struct store_job *job, struct err *e)
{
    struct err undo;
    enum err_code rc = job->single ? ERR_OK : db_exec(db, "SAVEPOINT job", e);
    if (rc)
        return rc;
    rc = job->run(db, job, e);
    if (sqlite3_get_autocommit(db->sql)) /* SQLite has given it all up by itself */
        return rc ? rc : err_set(e, ERR_SYSTEM, "%.200s: the transaction was given up", db->path);
    if (job->single)
        return rc;
    if (rc && db_exec(db, "ROLLBACK TO job", &undo))
        sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    else if (db_exec(db, "RELEASE job", &undo) && !rc)
        rc = (*e = undo).code;
    return rc;
}

struct batch {
    struct store_db *db;
    struct store_job *open_since;   /* the first job of the open transaction; NULL = none is open */
    bool bad;                       /* something went wrong that is no fault of one job */
};

static void went_wrong(struct batch *b, const struct err *e)
{
    if (e->code != ERR_SYSTEM)
        return;
    b->bad = true;
    tell(b->db, e);
}

static void run_reading(struct batch *b, struct store_job *job)
{
    struct err e = { .code = ERR_OK };
    if (!job->run(b->db, job, &e))
        return;
    fail(job, &e);
    went_wrong(b, &e);
}

static void run_job(struct batch *b, struct store_job *job)
{
    struct err e = { .code = ERR_OK };
    enum err_code rc = b->open_since ? ERR_OK : db_exec(b->db, "BEGIN IMMEDIATE", &e);
    if (!rc && !b->open_since)
        b->open_since = job;
    if (!rc)
        rc = run_writing(b->db, job, &e);
    if (!rc)
        return;
    fail(job, &e);
    went_wrong(b, &e);
    if (b->open_since && sqlite3_get_autocommit(b->db->sql)) {
        fail_all(b->db, b->open_since, job->next, &e);
        b->open_since = NULL;
    }
}

static void run_batch(struct store_db *db, struct store_job *first)
{
    struct batch b = { .db = db };
    struct err e;
    for (struct store_job *j = first; j; j = j->next) {
        if (j->why)
            continue;
        if (j->reads)
            run_reading(&b, j);
        else
            run_job(&b, j);
    }
    if (b.open_since && db_exec(db, "COMMIT", &e)) {
        if (!sqlite3_get_autocommit(db->sql))
            sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
        fail_all(db, b.open_since, NULL, &e);
        went_wrong(&b, &e);
    } else if (b.open_since && !b.bad) {
        tell(db, NULL);
    }
}

/* ---- the writer ---- */

/* A file that turned out to be broken is set aside and a new one begun; one that could not be had is tried again from time to time. */
static void have_file(struct store *s)
{
    struct err e;
    int64_t now = clock_mono_ms();
    if (s->db.sql && !s->db.broken && !s->db.suspect && !s->db.stale)
        return;
    if (!s->db.broken)
        db_close(&s->db); /* at once: nothing is told done any more that may not be on the disk */
    if ((s->tried_ms && now - s->tried_ms < s->again_ms) || (s->db.broken && s->anew_ms && now - s->anew_ms < ANEW_MS))
        return;
    s->tried_ms = now;
    s->anew_ms = s->db.broken ? now : s->anew_ms;
    if (db_open(&s->db, DB_WRITE_OR_ANEW, &e))
        tell(&s->db, &e);
}

/* ---- what waits for the disk ---- */

/* A commit that changes nothing: is it written to again? */
static enum err_code write_nothing(struct store_db *db, struct err *e)
{
    enum err_code rc = db_exec(db, "BEGIN IMMEDIATE", e);
    if (!rc)
        rc = db_exec(db, "UPDATE request_books SET bytes = bytes", e);
    if (!rc)
        rc = db_exec(db, "COMMIT", e);
    if (rc && db->sql && !sqlite3_get_autocommit(db->sql))
        sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static bool in_trouble(const struct store_db *db)
{
    return db->failing || db->suspect || spool_count(db);
}

/* The first rows that wait; when there are none, a try. */
static enum err_code recover(struct store *s, struct err *e)
{
    struct store_db *db = &s->db;
    have_file(s);
    if (!db->sql) {
        *e = db->why;
        return e->code;
    }
    enum err_code rc = spool_count(db) ? spool_write(db, e) : write_nothing(db, e);
    if (rc || !spool_count(db))
        tell(db, rc ? e : NULL);
    if (!rc)
        s->again_ms = AGAIN_MS;
    return rc;
}

/* Rows do not overtake those that wait, and what has failed for the disk's sake waits with them. */
static void write_jobs(struct store *s, struct store_job *first)
{
    struct err e;
    have_file(s);
    bool bad = spool_count(&s->db) && recover(s, &e);
    for (struct store_job *j = first; bad && j; j = j->next)
        if (j->keep)
            fail(j, &e);
    run_batch(&s->db, first);
    for (struct store_job *j = first; j; j = j->next)
        if (j->keep && j->why && j->why->code == ERR_SYSTEM)
            j->keep(&s->db, j);
}

static void note_health(struct store *s) /* under the lock */
{
    struct store_health *h = &s->health;
    h->failing = s->db.failing;
    h->held = spool_count(&s->db);
    h->held_written = spool_written(&s->db);
    if (h->failing)
        snprintf(h->why, sizeof h->why, "%.*s", (int)sizeof h->why - 1, s->db.failed.text);
}

static void end_job(struct store *s, struct store_job *job) /* under the lock */
{
    struct waiter *w = job->wait;
    if (!w) {
        queue_add(&s->ended, job);
        return;
    }
    w->rc = job->why ? job->why->code : ERR_OK;
    if (job->why)
        *w->e = *job->why;
    free(job->why);
    job->why = NULL;
    w->over = true; /* from here on it may be gone */
}

static struct store_job *take_batch(struct store *s) /* under the lock */
{
    struct store_job *first = s->waiting.first, *last = first;
    size_t n = 1;
    for (; n < MAX_BATCH && last->next; n++)
        last = last->next;
    s->nwaiting -= n;
    s->hurry = last->next != NULL;
    s->told_ready = false;
    s->waiting.first = last->next;
    if (!last->next)
        s->waiting.end = &s->waiting.first;
    last->next = NULL;
    return first;
}

/* Until there is work; false when there will be none any more. Under the lock. */
static bool wait_for_work(struct store *s, bool *tidy)
{
    int64_t due_ms = s->db.log.wipes ? AGAIN_MS : captured_due_in_ms(&s->db), wait_ms = in_trouble(&s->db) ? s->again_ms : due_ms < TIDY_MS ? due_ms : TIDY_MS;
    while (!s->waiting.first && !s->closing && !s->limits_new && !s->pause && !*tidy)
        *tidy = uv_cond_timedwait(&s->come, &s->lock, (uint64_t)wait_ms * 1000000) != 0;
    return s->waiting.first || !s->closing;
}

/* The rows of those that are under way: one commit for all of them. Under the lock. */
static void wait_for_company(struct store *s)
{
    int64_t wait_us = s->company == STORE_LEISURE ? STORE_LEISURE_US : STORE_LINGER_US, until_ns = clock_mono_ns() + wait_us * 1000, left_ns;
    while (!s->hurry && !s->closing && s->nwaiting < s->company && (left_ns = until_ns - clock_mono_ns()) > 0)
        uv_cond_timedwait(&s->come, &s->lock, (uint64_t)left_ns);
}

static void take_limits(struct store *s) /* under the lock */
{
    bool other = s->db.limits.power != s->limits.power;
    s->db.limits = s->limits;
    s->limits_new = false;
    if (other)
        db_durable(&s->db);
}

static void write_batch(struct store *s) /* under the lock, which it lets go of while it writes */
{
    wait_for_company(s);
    struct store_job *job = take_batch(s), *next;
    pthread_mutex_unlock(&s->lock);
    write_jobs(s, job);
    int64_t now_ns = clock_mono_ns();
    pthread_mutex_lock(&s->lock);
    note_health(s);
    for (; job; job = next) {
        next = job->next;
        job->ended_ns = now_ns;
        end_job(s, job);
    }
    s->since_ms = s->waiting.first ? clock_mono_ms() : 0;
    pthread_cond_broadcast(&s->over);
    if (s->ended.first)
        wake_up(s->wake);
}

/* What nobody waits for. False: nothing is left to do, or it cannot be done now. */
static bool tidy_up(struct store *s, bool behind_batch)
{
    struct err e;
    bool more = false, over = false;
    if (in_trouble(&s->db) && !behind_batch && recover(s, &e)) {
        s->again_ms = 2 * s->again_ms < AGAIN_MAX_MS ? 2 * s->again_ms : AGAIN_MAX_MS;
        return false;
    }
    if (!s->db.sql || s->db.broken)
        return false;
    bool failed = books_tidy(&s->db, &more, &e) || captured_tidy(&s->db, &over, &e);
    if (failed && !s->untidy && !s->db.failing)
        log_warn("old requests cannot be summed up or forgotten: %s", e.text);
    s->untidy = failed;
    if (s->db.log.wipes)
        log_wipe(&s->db);
    log_tidy(&s->db);
    return more || over || (spool_count(&s->db) && !s->db.failing);
}

/* Another process is to have the file. Under the lock. */
static void stay_away(struct store *s)
{
    pthread_mutex_unlock(&s->lock);
    db_close(&s->db);
    pthread_mutex_lock(&s->lock);
    s->paused = true;
    while (s->pause && !s->closing)
        uv_cond_wait(&s->come, &s->lock);
    s->paused = false;
    s->tried_ms = 0;
}

static void refuse_waiting(struct store *s) /* under the lock */
{
    struct store_job *job = s->waiting.first, *next;
    queue_init(&s->waiting);
    s->nwaiting = 0;
    for (; job; job = next) {
        next = job->next;
        refuse(s, job);
        end_job(s, job);
    }
    pthread_cond_broadcast(&s->over);
    wake_up(s->wake);
}

/* They see what the steps have made of the file; who writes waits on. Under the lock, which it lets go of meanwhile. */
static void answer_readers(struct store *s)
{
    struct store_job *job = s->waiting.first, *next;
    struct queue readers;
    queue_init(&readers);
    queue_init(&s->waiting);
    for (; job; job = next) {
        next = job->next;
        queue_add(job->reads ? &readers : &s->waiting, job);
        s->nwaiting -= job->reads;
    }
    if (!readers.first)
        return;
    pthread_mutex_unlock(&s->lock);
    run_batch(&s->db, readers.first);
    pthread_mutex_lock(&s->lock);
    for (job = readers.first; job; job = next) {
        next = job->next;
        end_job(s, job);
    }
    pthread_cond_broadcast(&s->over);
    wake_up(s->wake);
}

/* False: it is closed before it was for good, and nothing has changed. */
static bool stand_trial(struct store *s)
{
    struct err e;
    bool had = !db_open(&s->db, DB_ON_TRIAL, &e);
    pthread_mutex_lock(&s->lock);
    if (!had)
        fail(s->opened, &e);
    end_job(s, s->opened);
    wake_up(s->wake);
    while (s->pause && !s->closing) {
        s->told_ready = false;
        if (had)
            answer_readers(s);
        if (!had || !s->told_ready) /* else one has come meanwhile */
            uv_cond_wait(&s->come, &s->lock);
    }
    bool stays = !s->pause;
    if (!stays)
        refuse_waiting(s);
    pthread_mutex_unlock(&s->lock);
    if (had && (!stays || db_keep(&s->db, &e)))
        db_close(&s->db); /* what could not be committed is tried again, as at any start */
    return stays;
}

static void *write_all(void *arg)
{
    struct store *s = arg;
    bool tidy = true;
    if (s->opened && !stand_trial(s))
        return NULL;
    have_file(s); /* here: making it takes a disk its time, and the loop is not to wait */
    if (s->db.sql)
        s->tried_ms = 0; /* should it break at once, it is looked after at once */
    pthread_mutex_lock(&s->lock);
    while (wait_for_work(s, &tidy)) {
        if (s->pause && !s->closing) {
            stay_away(s);
            continue;
        }
        if (s->limits_new)
            take_limits(s);
        bool batch = s->waiting.first != NULL;
        if (batch)
            write_batch(s);
        pthread_mutex_unlock(&s->lock);
        tidy = tidy_up(s, batch);
        pthread_mutex_lock(&s->lock);
        note_health(s);
    }
    pthread_mutex_unlock(&s->lock);
    struct err e;
    s->tried_ms = 0;
    while (spool_count(&s->db) && !recover(s, &e))
        ;
    return NULL;
}

/* ---- the others ---- */

static void tell_owner(struct store_job *job)
{
    struct err *why = job->why;
    job->why = NULL;
    if (job->done)
        job->done(job, why); /* the job may be gone after it */
    free(why);
}

static void tell_owners(void *ctx) /* on the loop */
{
    struct store *s = ctx;
    pthread_mutex_lock(&s->lock);
    struct store_job *job = s->ended.first, *next;
    queue_init(&s->ended);
    pthread_mutex_unlock(&s->lock);
    for (; job; job = next) {
        next = job->next;
        tell_owner(job);
    }
}

/* Under the lock. True: the writer is to be woken, once that is let go of: it would wake up only to wait for it. */
static bool hand_in(struct store *s, struct store_job *job)
{
    if (s->closing || s->nwaiting >= STORE_MAX_JOBS) {
        refuse(s, job);
        end_job(s, job);
        wake_up(s->wake);
        return false;
    }
    queue_add(&s->waiting, job);
    if (job->company != STORE_LEISURE || !s->nwaiting) /* who is in no hurry makes nobody wait */
        s->company = job->company;
    s->hurry = s->hurry || !job->company;
    if (!s->since_ms)
        s->since_ms = clock_mono_ms();
    s->nwaiting++;
    bool ready = s->hurry || s->nwaiting >= s->company, wake = (ready && !s->told_ready) || s->nwaiting == 1;
    s->told_ready = ready;
    return wake;
}

static void run_here(struct store *s, struct store_job *job)
{
    if (s->closing)
        refuse(s, job);
    else
        run_batch(&s->db, job);
}

void store_submit(struct store *s, struct store_job *job)
{
    job->why = NULL;
    job->wait = NULL;
    job->next = NULL;
    job->ended_ns = 0;
    pthread_mutex_lock(&s->lock);
    bool here = !s->running, wake = !here && hand_in(s, job);
    pthread_mutex_unlock(&s->lock);
    if (wake)
        uv_cond_signal(&s->come);
    if (here) {
        run_here(s, job);
        tell_owner(job);
    }
}

enum err_code store_do(struct store *s, struct store_job *job, struct err *e)
{
    struct waiter w = { .e = e };
    job->why = NULL;
    job->wait = &w;
    job->next = NULL;
    pthread_mutex_lock(&s->lock);
    bool here = !s->running;
    if (!here && hand_in(s, job))
        uv_cond_signal(&s->come);
    while (!here && !w.over)
        pthread_cond_wait(&s->over, &s->lock);
    pthread_mutex_unlock(&s->lock);
    if (here) {
        run_here(s, job);
        end_job(s, job);
    }
    return w.rc;
}

void store_health(struct store *s, struct store_health *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->health;
    int64_t since_ms = s->since_ms;
    pthread_mutex_unlock(&s->lock);
    out->lag_ms = since_ms ? clock_mono_ms() - since_ms : 0;
}

int64_t store_lag_ms(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    int64_t since_ms = s->since_ms;
    pthread_mutex_unlock(&s->lock);
    return since_ms ? clock_mono_ms() - since_ms : 0;
}

void requests_limit(struct store *s, const struct requests_limits *l)
{
    pthread_mutex_lock(&s->lock);
    s->limits = *l;
    s->limits_new = true;
    uv_cond_signal(&s->come);
    pthread_mutex_unlock(&s->lock);
}

/* ---- another process has the file ---- */

static void set_pause(struct store *s, bool on)
{
    pthread_mutex_lock(&s->lock);
    s->pause = on;
    uv_cond_signal(&s->come);
    pthread_mutex_unlock(&s->lock);
}

void store_pause(struct store *s)
{
    set_pause(s, true);
}

void store_resume(struct store *s)
{
    set_pause(s, false);
}

bool store_is_paused(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    bool paused = s->paused;
    pthread_mutex_unlock(&s->lock);
    return paused;
}

int store_schema(void)
{
    int n = 0;
    while (store_migrations[n])
        n++;
    return n;
}

bool store_pass_on(struct store *s, struct request_put *p)
{
    if (s->forward)
        s->forward(s->forward_ctx, p);
    return s->forward != NULL;
}

void store_retire(struct store *s, bool (*is_row)(const struct store_job *job), requests_forward_fn *fn, void *ctx)
{
    pthread_mutex_lock(&s->lock);
    struct store_job *job = s->waiting.first, *next;
    struct queue rows;
    queue_init(&rows);
    queue_init(&s->waiting);
    s->nwaiting = 0;
    s->since_ms = 0;
    s->closing = true;
    uv_cond_signal(&s->come);
    for (; job; job = next) {
        next = job->next;
        if (is_row(job)) {
            queue_add(&rows, job);
            continue;
        }
        refuse(s, job);
        end_job(s, job);
    }
    pthread_cond_broadcast(&s->over);
    wake_up(s->wake);
    pthread_mutex_unlock(&s->lock);
    s->forward = fn;
    s->forward_ctx = ctx;
    for (job = rows.first; job; job = next) {
        next = job->next;
        fn(ctx, (struct request_put *)(void *)job);
    }
}

/* ---- opening, closing ---- */

static struct store *make(struct loop *l, struct str folder)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        die("out of memory");
    s->loop = l;
    s->holders = 1;
    s->again_ms = AGAIN_MS;
    s->db.speaks = l != NULL;
    queue_init(&s->waiting);
    queue_init(&s->ended);
    pthread_mutex_init(&s->lock, NULL);
    if (uv_cond_init(&s->come)) /* its waits with a limit are of the monotonic clock */
        die("cannot make a condition");
    pthread_cond_init(&s->over, NULL);
    snprintf(s->db.path, sizeof s->db.path, "%.*s/hob.db", STR_ARG(folder));
    return s;
}

static void start_writer(struct store *s)
{
    pthread_attr_t attr;
    sigset_t all, before;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop's */
    s->wake = wake_new(s->loop, tell_owners, s);
    s->running = true;
    if (pthread_create(&s->thread, &attr, write_all, s))
        die("cannot start a thread");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
}

static struct store *start(struct loop *l, struct str state_folder, struct store_job *opened, bool just_had)
{
    struct store *s = make(l, state_folder);
    s->db.just_had = just_had;
    s->opened = opened;
    s->pause = opened != NULL;
    if (opened)
        opened->why = opened->wait = NULL;
    start_writer(s);
    return s;
}

struct store *store_start(struct loop *l, struct str state_folder)
{
    return start(l, state_folder, NULL, false);
}

struct store *store_start_again(struct loop *l, struct str state_folder)
{
    return start(l, state_folder, NULL, true);
}

struct store *store_start_on_trial(struct loop *l, struct str state_folder, struct store_job *opened)
{
    return start(l, state_folder, opened, false);
}

static enum err_code open_here(struct str state_folder, enum db_mode mode, struct store **out, struct err *e)
{
    struct store *s = make(NULL, state_folder);
    enum err_code rc = db_open(&s->db, mode, e);
    if (rc || !s->db.sql) {
        store_close(s);
        s = NULL;
    }
    if (!rc)
        *out = s;
    return rc;
}

/* Whoever serves with a state folder has a lock on this file. It is asked for and let go of at once, which who begins to serve waits out. */
static bool is_served(struct str state_folder)
{
    char path[DB_MAX_PATH];
    snprintf(path, sizeof path, "%.*s/" STORE_LOCK, STR_ARG(state_folder));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool served = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    return served;
}

enum err_code store_open(struct str state_folder, struct store **out, struct err *e)
{
    return open_here(state_folder, is_served(state_folder) ? DB_READ : DB_BESIDE, out, e);
}

enum err_code store_open_to_read(struct str state_folder, struct store **out, struct err *e)
{
    return open_here(state_folder, DB_READ, out, e);
}

static void stop_writer(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    uv_cond_signal(&s->come);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_mutex_lock(&s->lock);
    s->running = false;
    pthread_mutex_unlock(&s->lock);
    tell_owners(s);
    wake_free(s->wake);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->running)
        stop_writer(s);
    else
        s->closing = true;
    spool_free(&s->db);
    db_close(&s->db);
    store_release(s);
}

struct store *store_hold(struct store *s)
{
    if (s)
        s->holders++;
    return s;
}

void store_release(struct store *s)
{
    if (!s || --s->holders)
        return;
    pthread_mutex_destroy(&s->lock);
    uv_cond_destroy(&s->come);
    pthread_cond_destroy(&s->over);
    free(s);
}
