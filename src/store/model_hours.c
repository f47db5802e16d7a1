#include "store/model_hours.h"

#include "base/arena.h"
#include "store/store_int.h"

#include <stdlib.h>

static const char add_sql[] = "INSERT INTO model_hours VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET hot_ms = hot_ms + ?3,"
                              " byte_seconds = byte_seconds + ?4, loads = loads + ?5, load_ms = load_ms + ?6";
static const char read_sql[] = "SELECT model, hour_s, hot_ms, byte_seconds, loads, load_ms FROM model_hours WHERE hour_s >= ?1 AND hour_s < ?2 ORDER BY hour_s, model";
static const char first_sql[] = "SELECT ifnull(min(hour_s), 0) FROM model_hours";

struct adding {
    struct store_job job;
    struct arena arena;
    struct model_hour *rows;
    size_t n;
};

enum { HOUR_MS = 60 * 60 * 1000 };

size_t model_hours_split(struct str model, int64_t end_wall_ms, int64_t length_ms, int64_t bytes, struct model_hour *out, size_t room)
{
    size_t n = 0;
    while (length_ms > 0 && end_wall_ms > 0 && n < room) {
        int64_t hour = (end_wall_ms - 1) / HOUR_MS * HOUR_MS, part = end_wall_ms - hour < length_ms ? end_wall_ms - hour : length_ms;
        out[n++] = (struct model_hour){ .model = model, .hour_s = hour / 1000, .hot_ms = part, .byte_seconds = (int64_t)((double)bytes * (double)part / 1000 + 0.5) };
        length_ms -= part;
        end_wall_ms -= part;
    }
    return n;
}

static enum err_code add(struct store_db *db, const struct model_hour *r, struct err *e)
{
    const int64_t figures[] = { r->hour_s, r->hot_ms, r->byte_seconds, r->loads, r->load_ms };
    sqlite3_stmt *s = db_begin(db, add_sql, e);
    if (!s)
        return e->code;
    db_text(s, 1, r->model);
    for (int i = 0; i < (int)COUNTOF(figures); i++)
        sqlite3_bind_int64(s, 2 + i, figures[i]);
    int rc = db_step(db, s, e);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

static enum err_code run_add(struct store_db *db, struct store_job *job, struct err *e)
{
    const struct adding *a = (struct adding *)(void *)job;
    enum err_code rc = ERR_OK;
    for (size_t i = 0; i < a->n && !rc; i++)
        rc = add(db, &a->rows[i], e);
    return rc;
}

static void added(struct store_job *job, const struct err *e)
{
    struct adding *a = (struct adding *)(void *)job;
    (void)e; /* some minutes of a figure for people: not worth keeping in memory */
    arena_fini(&a->arena);
    free(a);
}

void model_hours_add(struct store *s, const struct model_hour *rows, size_t n)
{
    struct adding *a = calloc(1, sizeof *a);
    if (!a)
        die("out of memory for a model's hours");
    arena_init(&a->arena);
    a->rows = arena_array(&a->arena, struct model_hour, n ? n : 1);
    a->n = n;
    for (size_t i = 0; i < n; i++) {
        a->rows[i] = rows[i];
        a->rows[i].model = arena_copy(&a->arena, rows[i].model);
    }
    a->job = (struct store_job){ .run = run_add, .done = added, .company = STORE_LEISURE };
    store_submit(s, &a->job);
}

struct reading {
    struct store_job job;
    int64_t since_s, until_s, first_s;
    void (*fn)(void *ctx, const struct model_hour *r);
    void *ctx;
};

static enum err_code run_read(struct store_db *db, struct store_job *job, struct err *e)
{
    const struct reading *r = (struct reading *)(void *)job;
    sqlite3_stmt *s = db_begin(db, read_sql, e);
    int rc;
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, r->since_s);
    sqlite3_bind_int64(s, 2, r->until_s);
    while ((rc = db_step(db, s, e)) > 0) {
        const struct model_hour row = {
            .model = str_make((const char *)sqlite3_column_text(s, 0), (size_t)sqlite3_column_bytes(s, 0)),
            .hour_s = sqlite3_column_int64(s, 1),
            .hot_ms = sqlite3_column_int64(s, 2),
            .byte_seconds = sqlite3_column_int64(s, 3),
            .loads = sqlite3_column_int64(s, 4),
            .load_ms = sqlite3_column_int64(s, 5),
        };
        r->fn(r->ctx, &row);
    }
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

enum err_code model_hours_read(struct store *s, int64_t since_s, int64_t until_s, void (*fn)(void *ctx, const struct model_hour *r), void *ctx, struct err *e)
{
    struct reading r = { .job = { .run = run_read, .reads = true }, .since_s = since_s, .until_s = until_s, .fn = fn, .ctx = ctx };
    return store_do(s, &r.job, e);
}

static enum err_code run_first(struct store_db *db, struct store_job *job, struct err *e)
{
    struct reading *r = (struct reading *)(void *)job;
    sqlite3_stmt *s = db_begin(db, first_sql, e);
    int rc = s ? db_step(db, s, e) : -1;
    if (rc > 0)
        r->first_s = sqlite3_column_int64(s, 0);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

enum err_code model_hours_first(struct store *s, int64_t *hour_s, struct err *e)
{
    struct reading r = { .job = { .run = run_first, .reads = true } };
    enum err_code rc = store_do(s, &r.job, e);
    if (!rc)
        *hour_s = r.first_s;
    return rc;
}
