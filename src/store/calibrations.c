#include "store/calibrations.h"

#include "base/clock.h"
#include "store/store_int.h"

#include <stdio.h>

enum { KEPT_DAYS = 400, MOST_ROWS = 256 };

static const char put_sql[] =
    "INSERT INTO calibrations VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO UPDATE SET"
    " estimated_bytes = iif(?4 > 0, ?4, estimated_bytes), projected_bytes = iif(?5 > 0, ?5, projected_bytes),"
    " idle_bytes = iif(?6 > 0, ?6, idle_bytes), busy_bytes = max(?7, busy_bytes)," /* the most it was ever seen with these settings */
    " short_bytes = iif(?8 > 0, max(?8, short_bytes), iif(?6 > 0 OR ?7 > 0, 0, short_bytes)), at_s = ?9";
static const char forget_sql[] = "DELETE FROM calibrations WHERE at_s < ?1";
static const char of_sql[] = "SELECT model, engine, settings, estimated_bytes, projected_bytes, idle_bytes, busy_bytes, short_bytes, at_s"
                             " FROM calibrations WHERE model = ?1 AND (?2 = '' OR engine = ?2) ORDER BY at_s DESC, settings LIMIT ?3";

struct put {
    struct store_job job;
    const struct calibration *row;
};

static enum err_code run_put(struct store_db *db, struct store_job *job, struct err *e)
{
    const struct calibration *r = ((struct put *)(void *)job)->row;
    const int64_t now_s = clock_wall_ms() / 1000;
    const int64_t figures[] = { r->estimated_bytes, r->projected_bytes, r->idle_bytes, r->busy_bytes, r->short_bytes, now_s };
    sqlite3_stmt *s = db_begin(db, put_sql, e);
    if (!s)
        return e->code;
    db_text(s, 1, str_of(r->model));
    db_text(s, 2, str_of(r->engine));
    db_text(s, 3, str_of(r->settings));
    for (size_t i = 0; i < COUNTOF(figures); i++)
        sqlite3_bind_int64(s, (int)i + 4, figures[i]);
    int rc = db_step(db, s, e);
    db_end(s);
    s = rc < 0 ? NULL : db_begin(db, forget_sql, e);
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, now_s - (int64_t)KEPT_DAYS * 86400);
    rc = db_step(db, s, e);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

enum err_code calibrations_put(struct store *s, const struct calibration *row, struct err *e)
{
    struct put p = { .job = { .run = run_put }, .row = row };
    return store_do(s, &p.job, e);
}

struct of {
    struct store_job job;
    struct str model, engine;
    struct arena *arena;
    struct calibration *rows;
    size_t n;
};

static void copy_text(sqlite3_stmt *s, int at, char *out, size_t room)
{
    snprintf(out, room, "%s", (const char *)sqlite3_column_text(s, at));
}

static void read_row(sqlite3_stmt *s, struct calibration *r)
{
    copy_text(s, 0, r->model, sizeof r->model);
    copy_text(s, 1, r->engine, sizeof r->engine);
    copy_text(s, 2, r->settings, sizeof r->settings);
    r->estimated_bytes = sqlite3_column_int64(s, 3);
    r->projected_bytes = sqlite3_column_int64(s, 4);
    r->idle_bytes = sqlite3_column_int64(s, 5);
    r->busy_bytes = sqlite3_column_int64(s, 6);
    r->short_bytes = sqlite3_column_int64(s, 7);
    r->at_s = sqlite3_column_int64(s, 8);
}

static enum err_code run_of(struct store_db *db, struct store_job *job, struct err *e)
{
    struct of *o = (struct of *)(void *)job;
    sqlite3_stmt *s = db_begin(db, of_sql, e);
    int rc = -1;
    if (!s)
        return e->code;
    db_text(s, 1, o->model);
    db_text(s, 2, o->engine);
    sqlite3_bind_int(s, 3, MOST_ROWS);
    while ((rc = db_step(db, s, e)) > 0)
        read_row(s, &o->rows[o->n++]);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

enum err_code calibrations_of(struct store *s, struct str model, struct str engine, struct arena *a, const struct calibration **rows, size_t *n,
    struct err *e)
{
    struct of o = { .job = { .run = run_of, .reads = true }, .model = model, .engine = engine,
        .rows = arena_array(a, struct calibration, MOST_ROWS) };
    enum err_code rc = store_do(s, &o.job, e);
    if (!rc) {
        *rows = o.rows;
        *n = o.n;
    }
    return rc;
}
