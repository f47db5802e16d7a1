#include "store/host_days.h"

#include "store/store_int.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEPT = 10000 /* a year, as days are written */ };

static const char put_sql[] = "INSERT INTO host_days VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET"
                              " tokens = max(tokens, ?3), unpriced = max(unpriced, ?4), money = max(money, ?5)"; /* they only grow */
static const char forget_sql[] = "DELETE FROM host_days WHERE day < ?1";
static const char get_sql[] = "SELECT tokens, unpriced, money FROM host_days WHERE host = ?1 AND day = ?2";

struct host_day_ask {
    struct store_job job;
    struct host_day row;
    void (*got)(void *ctx, const struct host_day *row); /* NULL: nobody waits any more */
    void *ctx;
    struct host_day_ask **slot;
};

static enum err_code run_put(struct store_db *db, struct store_job *job, struct err *e)
{
    const struct host_day *r = &((struct host_day_ask *)(void *)job)->row;
    sqlite3_stmt *s = db_begin(db, put_sql, e);
    if (!s)
        return e->code;
    db_text(s, 1, str_of(r->host));
    sqlite3_bind_int(s, 2, r->day);
    sqlite3_bind_int64(s, 3, r->tokens);
    sqlite3_bind_int64(s, 4, r->unpriced);
    sqlite3_bind_double(s, 5, r->money);
    int rc = db_step(db, s, e);
    db_end(s);
    s = rc < 0 ? NULL : db_begin(db, forget_sql, e);
    if (!s)
        return e->code;
    sqlite3_bind_int(s, 1, r->day - KEPT);
    rc = db_step(db, s, e);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

static enum err_code run_get(struct store_db *db, struct store_job *job, struct err *e)
{
    struct host_day *r = &((struct host_day_ask *)(void *)job)->row;
    sqlite3_stmt *s = db_begin(db, get_sql, e);
    if (!s)
        return e->code;
    db_text(s, 1, str_of(r->host));
    sqlite3_bind_int(s, 2, r->day);
    int rc = db_step(db, s, e);
    if (rc > 0) {
        r->tokens = sqlite3_column_int64(s, 0);
        r->unpriced = sqlite3_column_int64(s, 1);
        r->money = sqlite3_column_double(s, 2);
    }
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

static void done(struct store_job *job, const struct err *e)
{
    struct host_day_ask *a = (struct host_day_ask *)(void *)job;
    (void)e; /* a row that could not be read is one that is not there */
    if (a->got) {
        *a->slot = NULL;
        a->got(a->ctx, &a->row);
    }
    free(a);
}

static struct host_day_ask *ask_new(const struct host_day *row)
{
    struct host_day_ask *a = calloc(1, sizeof *a);
    if (!a)
        die("out of memory for a host's day");
    a->row = *row;
    a->job.done = done;
    return a;
}

void host_day_put(struct store *s, const struct host_day *row)
{
    struct host_day_ask *a = ask_new(row);
    a->job.run = run_put;
    store_submit(s, &a->job);
}

void host_day_get(struct store *s, struct str host, int day, void (*got)(void *ctx, const struct host_day *row), void *ctx, struct host_day_ask **ask)
{
    struct host_day row = { .day = day };
    snprintf(row.host, sizeof row.host, "%.*s", STR_ARG(host));
    struct host_day_ask *a = ask_new(&row);
    a->job.run = run_get;
    a->job.reads = true;
    a->got = got;
    a->ctx = ctx;
    a->slot = ask;
    *ask = a;
    store_submit(s, &a->job);
}

void host_day_forget(struct host_day_ask *ask)
{
    if (ask)
        ask->got = NULL;
}
