#include "store/evals.h"

#include "store/store_int.h"

static const char new_sql[] = "INSERT INTO evals (began_ms, ended_ms, suite, state, text) VALUES (?1, ?2, ?3, ?4, ?5)";
static const char row_sql[] = "UPDATE evals SET ended_ms = ?2, state = ?3, text = ?4 WHERE run = ?1";
static const char there_sql[] = "SELECT 1 FROM evals WHERE run = ?1";
static const char result_sql[] = "INSERT INTO eval_results (run, place, item, turn, passed, fault, score, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
    " ON CONFLICT DO UPDATE SET passed = ?5, fault = ?6, score = ?7, text = ?8";
static const char read_sql[] = "SELECT run, began_ms, ended_ms, suite, state, text FROM evals WHERE ?1 = 0 OR run = ?1 ORDER BY run DESC LIMIT ?2";
static const char results_sql[] = "SELECT run, place, item, turn, passed, fault, score, text FROM eval_results WHERE run = ?1";

/* ---- writing ---- */

static enum err_code run_once(struct store_db *db, sqlite3_stmt *s, struct err *e)
{
    int rc = db_step(db, s, e);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

static void bind_time(sqlite3_stmt *s, int at, int64_t ms)
{
    if (ms)
        sqlite3_bind_int64(s, at, ms);
    else
        sqlite3_bind_null(s, at);
}

static enum err_code insert_row(struct store_db *db, struct eval_row *r, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, new_sql, e);
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, r->began_ms);
    bind_time(s, 2, r->ended_ms);
    db_text(s, 3, r->suite);
    db_text(s, 4, r->state);
    db_text(s, 5, r->text);
    enum err_code rc = run_once(db, s, e);
    if (!rc)
        r->run = sqlite3_last_insert_rowid(db->sql);
    return rc;
}

static enum err_code update_row(struct store_db *db, const struct eval_row *r, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, row_sql, e);
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, r->run);
    bind_time(s, 2, r->ended_ms);
    db_text(s, 3, r->state);
    db_text(s, 4, r->text);
    return run_once(db, s, e);
}

static enum err_code check_there(struct store_db *db, int64_t run, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, there_sql, e);
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, run);
    int rc = db_step(db, s, e);
    db_end(s);
    return rc < 0 ? e->code : rc ? ERR_OK : err_set(e, ERR_NOT_FOUND, "There is no run %lld.", (long long)run);
}

static enum err_code put_result(struct store_db *db, int64_t run, const struct eval_result *r, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, result_sql, e);
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, run);
    db_text(s, 2, r->place);
    db_text(s, 3, r->item);
    sqlite3_bind_int64(s, 4, r->turn);
    if (r->passed < 0)
        sqlite3_bind_null(s, 5);
    else
        sqlite3_bind_int(s, 5, r->passed);
    db_text(s, 6, r->fault.p ? r->fault : STR(""));
    sqlite3_bind_double(s, 7, r->score);
    db_text(s, 8, r->text);
    return run_once(db, s, e);
}

static enum err_code run(struct store_db *db, struct store_job *job, struct err *e)
{
    struct eval_put *p = (struct eval_put *)(void *)job;
    enum err_code rc = p->row.run ? check_there(db, p->row.run, e) : insert_row(db, &p->row, e);
    if (!rc && p->row_too)
        rc = update_row(db, &p->row, e);
    for (size_t i = 0; i < p->nresults && !rc; i++)
        rc = put_result(db, p->row.run, &p->results[i], e);
    return rc;
}

static void done(struct store_job *job, const struct err *e)
{
    struct eval_put *p = (struct eval_put *)(void *)job;
    p->on_done(p->ctx, e);
}

void evals_put(struct store *s, struct eval_put *p)
{
    p->job = (struct store_job){ .run = run, .done = done };
    p->row_too = p->row_too || (p->row.run && !p->nresults);
    store_submit(s, &p->job);
}

/* ---- reading ---- */

struct reading {
    struct store_job job;
    int64_t run;
    size_t last;
    void (*on_row)(void *ctx, const struct eval_row *r);
    void (*on_result)(void *ctx, const struct eval_result *r);
    void *ctx;
};

static struct str column(sqlite3_stmt *s, int at)
{
    const char *text = (const char *)sqlite3_column_text(s, at);
    return (struct str){ text ? text : "", text ? (size_t)sqlite3_column_bytes(s, at) : 0 };
}

static void hand_out_row(const struct reading *r, sqlite3_stmt *s)
{
    const struct eval_row row = { .run = sqlite3_column_int64(s, 0), .began_ms = sqlite3_column_int64(s, 1), .ended_ms = sqlite3_column_int64(s, 2),
        .suite = column(s, 3), .state = column(s, 4), .text = column(s, 5) };
    r->on_row(r->ctx, &row);
}

static void hand_out_result(const struct reading *r, sqlite3_stmt *s)
{
    const struct eval_result row = { .run = sqlite3_column_int64(s, 0), .place = column(s, 1), .item = column(s, 2), .turn = sqlite3_column_int64(s, 3),
        .passed = sqlite3_column_type(s, 4) == SQLITE_NULL ? -1 : sqlite3_column_int(s, 4) != 0, .fault = column(s, 5), .score = sqlite3_column_double(s, 6),
        .text = column(s, 7) };
    r->on_result(r->ctx, &row);
}

static enum err_code read_rows(struct store_db *db, struct store_job *job, struct err *e)
{
    struct reading *r = (struct reading *)(void *)job;
    sqlite3_stmt *s = db_begin(db, r->on_row ? read_sql : results_sql, e);
    int rc;
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, r->run);
    if (r->on_row)
        sqlite3_bind_int64(s, 2, r->last ? (int64_t)r->last : -1);
    while ((rc = db_step(db, s, e)) > 0)
        if (r->on_row)
            hand_out_row(r, s);
        else
            hand_out_result(r, s);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

enum err_code evals_read(struct store *s, int64_t run, size_t last, void (*fn)(void *ctx, const struct eval_row *r), void *ctx, struct err *e)
{
    struct reading r = { .job = { .run = read_rows, .reads = true }, .run = run, .last = last, .on_row = fn, .ctx = ctx };
    return store_do(s, &r.job, e);
}

enum err_code eval_results_read(struct store *s, int64_t run, void (*fn)(void *ctx, const struct eval_result *r), void *ctx, struct err *e)
{
    struct reading r = { .job = { .run = read_rows, .reads = true }, .run = run, .on_result = fn, .ctx = ctx };
    return store_do(s, &r.job, e);
}
