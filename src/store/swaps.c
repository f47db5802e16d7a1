#include "store/swaps.h"

#include "store/store_int.h"

#include <string.h>

static const char new_sql[] = "INSERT INTO swaps (text) VALUES (?1)";
static const char text_sql[] = "UPDATE swaps SET text = ?2 WHERE swap = ?1";
static const char step_sql[] = "INSERT INTO swap_steps (swap, time_ms, actor, step, state, role, reason, figures) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
static const char read_sql[] = "SELECT swap, text FROM swaps ORDER BY swap";
static const char steps_sql[] = "SELECT * FROM (SELECT at, swap, time_ms, actor, step, state, role, reason, figures FROM swap_steps"
    " WHERE ?1 = 0 OR swap = ?1 ORDER BY at DESC LIMIT ?2) ORDER BY at";

/* ---- writing ---- */

static enum err_code run_once(struct store_db *db, sqlite3_stmt *s, struct err *e)
{
    int rc = db_step(db, s, e);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

static enum err_code put_text(struct store_db *db, struct swap_put *p, int64_t *id, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, p->id ? text_sql : new_sql, e);
    if (!s)
        return e->code;
    if (p->id)
        sqlite3_bind_int64(s, 1, p->id);
    db_text(s, p->id ? 2 : 1, p->text);
    enum err_code rc = run_once(db, s, e);
    *id = p->id ? p->id : sqlite3_last_insert_rowid(db->sql);
    return rc;
}

static enum err_code put_step(struct store_db *db, const struct swap_step_row *r, int64_t id, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, step_sql, e);
    const struct str texts[] = { r->actor, r->step, r->state, r->role, r->reason, r->figures };
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, id);
    sqlite3_bind_int64(s, 2, r->time_ms);
    for (size_t i = 0; i < COUNTOF(texts); i++)
        db_text(s, 3 + (int)i, texts[i].p ? texts[i] : STR(""));
    return run_once(db, s, e);
}

static enum err_code run(struct store_db *db, struct store_job *job, struct err *e)
{
    struct swap_put *p = (struct swap_put *)(void *)job;
    int64_t id = 0;
    enum err_code rc = put_text(db, p, &id, e);
    if (!rc && p->step.step.n)
        rc = put_step(db, &p->step, id, e);
    if (!rc)
        p->step.swap = id;
    return rc;
}

static void done(struct store_job *job, const struct err *e)
{
    struct swap_put *p = (struct swap_put *)(void *)job;
    if (!e)
        p->id = p->step.swap;
    p->on_done(p->ctx, e);
}

void swaps_put(struct store *s, struct swap_put *p)
{
    p->job = (struct store_job){ .run = run, .done = done };
    store_submit(s, &p->job);
}

/* ---- reading ---- */

struct reading {
    struct store_job job;
    int64_t swap;
    size_t last;
    void (*on_swap)(void *ctx, int64_t id, struct str text);
    void (*on_step)(void *ctx, const struct swap_step_row *r);
    void *ctx;
};

static struct str column(sqlite3_stmt *s, int at)
{
    const char *text = (const char *)sqlite3_column_text(s, at);
    return (struct str){ text ? text : "", text ? (size_t)sqlite3_column_bytes(s, at) : 0 };
}

static void hand_out(const struct reading *r, sqlite3_stmt *s)
{
    if (r->on_swap) {
        r->on_swap(r->ctx, sqlite3_column_int64(s, 0), column(s, 1));
        return;
    }
    struct swap_step_row row = {
        .at = sqlite3_column_int64(s, 0), .swap = sqlite3_column_int64(s, 1), .time_ms = sqlite3_column_int64(s, 2), .actor = column(s, 3),
        .step = column(s, 4), .state = column(s, 5), .role = column(s, 6), .reason = column(s, 7), .figures = column(s, 8),
    };
    r->on_step(r->ctx, &row);
}

static enum err_code read_rows(struct store_db *db, struct store_job *job, struct err *e)
{
    struct reading *r = (struct reading *)(void *)job;
    sqlite3_stmt *s = db_begin(db, r->on_swap ? read_sql : steps_sql, e);
    int rc;
    if (!s)
        return e->code;
    if (!r->on_swap) {
        sqlite3_bind_int64(s, 1, r->swap);
        sqlite3_bind_int64(s, 2, r->last ? (int64_t)r->last : -1);
    }
    while ((rc = db_step(db, s, e)) > 0)
        hand_out(r, s);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

enum err_code swaps_read(struct store *s, void (*fn)(void *ctx, int64_t id, struct str text), void *ctx, struct err *e)
{
    struct reading r = { .job = { .run = read_rows, .reads = true }, .on_swap = fn, .ctx = ctx };
    return store_do(s, &r.job, e);
}

enum err_code swap_steps_read(struct store *s, int64_t swap, size_t last, void (*fn)(void *ctx, const struct swap_step_row *r), void *ctx, struct err *e)
{
    struct reading r = { .job = { .run = read_rows, .reads = true }, .on_step = fn, .ctx = ctx, .swap = swap, .last = last };
    return store_do(s, &r.job, e);
}

/* ---- reading for the loop: number, length, text, one behind the other ---- */

static void keep_row(void *ctx, int64_t id, struct str text)
{
    struct buf *rows = ctx;
    const int64_t head[2] = { id, (int64_t)text.n };
    buf_add(rows, (struct str){ (const char *)head, sizeof head });
    buf_add(rows, text);
}

static enum err_code run_fetch(struct store_db *db, struct store_job *job, struct err *e)
{
    struct swaps_fetch *f = (struct swaps_fetch *)(void *)job;
    struct reading r = { .on_swap = keep_row, .ctx = &f->rows };
    buf_reset(&f->rows, 0);
    return read_rows(db, &r.job, e);
}

static void fetched(struct store_job *job, const struct err *e)
{
    struct swaps_fetch *f = (struct swaps_fetch *)(void *)job;
    for (size_t at = 0; !e && at < f->rows.n;) {
        int64_t head[2];
        memcpy(head, f->rows.p + at, sizeof head);
        at += sizeof head;
        f->on_swap(f->ctx, head[0], (struct str){ f->rows.p + at, (size_t)head[1] });
        at += (size_t)head[1];
    }
    buf_free(&f->rows);
    f->on_done(f->ctx, e);
}

void swaps_fetch(struct store *s, struct swaps_fetch *f)
{
    f->job = (struct store_job){ .run = run_fetch, .done = fetched, .reads = true };
    store_submit(s, &f->job);
}
