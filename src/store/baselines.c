#include "store/baselines.h"

#include "store/store_int.h"

static const char put_sql[] = "INSERT INTO baselines VALUES (?1, ?2) ON CONFLICT DO UPDATE SET text = ?2";
static const char forget_sql[] = "DELETE FROM baselines WHERE role = ?1";
static const char look_sql[] = "SELECT 1 FROM baselines WHERE role = ?1";
static const char read_sql[] = "SELECT role, text FROM baselines WHERE ?1 = '' OR role = ?1 ORDER BY role";

/* What it came to; below 0: *e. */
static int run_with(struct store_db *db, const char *sql, const struct baseline_put *p, bool text, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, sql, e);
    if (!s)
        return -1;
    db_text(s, 1, p->role);
    if (text)
        db_text(s, 2, p->text);
    int rc = db_step(db, s, e);
    db_end(s);
    return rc;
}

static enum err_code run(struct store_db *db, struct store_job *job, struct err *e)
{
    struct baseline_put *p = (struct baseline_put *)(void *)job;
    int there = run_with(db, look_sql, p, false, e);
    if (there < 0 || run_with(db, p->text.n ? put_sql : forget_sql, p, p->text.n > 0, e) < 0)
        return e->code;
    p->was_there = there > 0;
    return ERR_OK;
}

static void done(struct store_job *job, const struct err *e)
{
    struct baseline_put *p = (struct baseline_put *)(void *)job;
    p->on_done(p->ctx, e);
}

void baselines_put(struct store *s, struct baseline_put *p)
{
    p->job = (struct store_job){ .run = run, .done = done };
    store_submit(s, &p->job);
}

struct reading {
    struct store_job job;
    struct str role;
    void (*fn)(void *ctx, struct str role, struct str text);
    void *ctx;
};

static struct str column(sqlite3_stmt *s, int at)
{
    const char *text = (const char *)sqlite3_column_text(s, at);
    return (struct str){ text ? text : "", text ? (size_t)sqlite3_column_bytes(s, at) : 0 };
}

static enum err_code run_read(struct store_db *db, struct store_job *job, struct err *e)
{
    struct reading *r = (struct reading *)(void *)job;
    sqlite3_stmt *s = db_begin(db, read_sql, e);
    int rc;
    if (!s)
        return e->code;
    db_text(s, 1, r->role);
    while ((rc = db_step(db, s, e)) > 0)
        r->fn(r->ctx, column(s, 0), column(s, 1));
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

enum err_code baselines_read(struct store *s, struct str role, void (*fn)(void *ctx, struct str role, struct str text), void *ctx, struct err *e)
{
    struct reading r = { .job = { .run = run_read, .reads = true }, .role = role, .fn = fn, .ctx = ctx };
    return store_do(s, &r.job, e);
}
