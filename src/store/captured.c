/* One table of few rows. Two indexes: a role's in their order, and whose time is over next. */
#include "store/captured.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/store_int.h"

#include <stdlib.h>

enum { BITE = 64 }; /* rows that go between two batches */

static const char put_sql[] = "INSERT INTO captured (time_ms, until_ms, role, id, caller, model, host, flags, input, output, print, text)"
                              " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
static const char most_sql[] = "DELETE FROM captured WHERE role = ?1 AND at <= (SELECT at FROM captured WHERE role = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)";
static const char over_sql[] = "DELETE FROM captured WHERE at IN (SELECT at FROM captured WHERE until_ms <= ?1 ORDER BY until_ms LIMIT ?2)";
static const char due_sql[] = "SELECT min(until_ms) FROM captured";
static const char drop_sql[] = "DELETE FROM captured WHERE role = ?1";
static const char shorten_sql[] = "UPDATE captured SET until_ms = time_ms + ?2 WHERE role = ?1 AND until_ms > time_ms + ?2";
#define COLUMNS "at, time_ms, until_ms, role, id, caller, model, host, flags, input, output, print, length(CAST(text AS BLOB))"
static const char read_sql[] = "SELECT " COLUMNS ", NULL FROM captured WHERE (?1 = '' OR role = ?1) AND until_ms > ?2 ORDER BY at";
static const char one_sql[] = "SELECT " COLUMNS ", text FROM captured WHERE at = ?1 AND until_ms > ?2";

enum { FLAG_STREAM = 1, FLAG_TOOLS = 2, FLAG_SCHEMA = 4 };

/* How what is deleted is overwritten: 1 always, 2 where it costs nothing, 0 not; below 0 it stays as it is. Returns how it is then, -1 = not known. */
static int secure(struct store_db *db, int how)
{
    static const char *const texts[] = { "PRAGMA main.secure_delete = OFF", "PRAGMA main.secure_delete = ON", "PRAGMA main.secure_delete = FAST" };
    sqlite3_stmt *s = NULL;
    int was = -1;
    const char *text = how < 0 || how > 2 ? "PRAGMA main.secure_delete" : texts[how];
    if (sqlite3_prepare_v2(db->sql, text, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        was = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return was;
}

static void bind_count(sqlite3_stmt *s, int at, int64_t v)
{
    if (v < 0)
        sqlite3_bind_null(s, at);
    else
        sqlite3_bind_int64(s, at, v);
}

static enum err_code end(struct store_db *db, sqlite3_stmt *s, struct err *e)
{
    int rc = db_step(db, s, e);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

/* ---- what goes ---- */

/* A statement that deletes, by a text and a number, or by a number alone. What it deletes is overwritten, here and not for all rows: it costs their pages once more. */
static enum err_code delete(struct store_db *db, const char *sql, struct str text, int64_t number, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, sql, e);
    if (!s)
        return e->code;
    if (text.p)
        db_text(s, 1, text);
    else
        sqlite3_bind_int64(s, 1, number);
    if (sqlite3_bind_parameter_count(s) > 1)
        sqlite3_bind_int64(s, 2, text.p ? number : BITE);
    int was = secure(db, -1);
    secure(db, 1);
    enum err_code rc = end(db, s, e);
    if (was >= 0)
        secure(db, was);
    return rc;
}

static enum err_code read_due(struct store_db *db, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, due_sql, e);
    if (!s)
        return e->code;
    int rc = db_step(db, s, e);
    if (rc > 0)
        db->captured_due_ms = sqlite3_column_type(s, 0) == SQLITE_NULL ? INT64_MAX : sqlite3_column_int64(s, 0);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

int64_t captured_due_in_ms(const struct store_db *db)
{
    int64_t now = clock_wall_ms(), due = db->captured_due_ms;
    return !due || due == INT64_MAX ? INT64_MAX : due > now ? due - now : 0;
}

enum err_code captured_tidy(struct store_db *db, bool *more, struct err *e)
{
    enum err_code rc = db->captured_due_ms ? ERR_OK : read_due(db, e);
    *more = false;
    if (rc || captured_due_in_ms(db))
        return rc;
    rc = db_exec(db, "BEGIN IMMEDIATE", e);
    if (!rc)
        rc = delete(db, over_sql, (struct str){ NULL, 0 }, clock_wall_ms(), e);
    if (!rc)
        rc = db_exec(db, "COMMIT", e);
    if (rc && !sqlite3_get_autocommit(db->sql))
        sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    if (!rc)
        rc = read_due(db, e);
    if (rc)
        db->captured_due_ms = clock_wall_ms() + 60 * 1000; /* a disk that fails is not asked without a pause */
    *more = !rc && !captured_due_in_ms(db);
    return rc;
}

/* ---- what comes ---- */

static enum err_code put(struct store_db *db, struct captured_row *r, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, put_sql, e);
    if (!s)
        return e->code;
    const struct str texts[] = { r->role, r->id, r->caller, r->model, r->host };
    sqlite3_bind_int64(s, 1, r->time_ms);
    sqlite3_bind_int64(s, 2, r->until_ms);
    for (int i = 0; i < (int)COUNTOF(texts); i++)
        db_text(s, 3 + i, texts[i].p ? texts[i] : STR(""));
    sqlite3_bind_int(s, 8, (r->stream ? FLAG_STREAM : 0) | (r->tools ? FLAG_TOOLS : 0) | (r->schema ? FLAG_SCHEMA : 0));
    bind_count(s, 9, r->input_tokens);
    bind_count(s, 10, r->output_tokens);
    sqlite3_bind_int64(s, 11, r->print);
    db_text(s, 12, r->text);
    enum err_code rc = end(db, s, e);
    if (!rc)
        r->at = sqlite3_last_insert_rowid(db->sql);
    r->bytes = (int64_t)r->text.n;
    return rc;
}

static enum err_code run_put(struct store_db *db, struct store_job *job, struct err *e)
{
    struct captured_put *p = (struct captured_put *)(void *)job;
    enum err_code rc = put(db, &p->row, e);
    if (!rc)
        rc = delete(db, most_sql, p->row.role, p->most, e);
    if (!rc && p->row.until_ms < db->captured_due_ms)
        db->captured_due_ms = p->row.until_ms;
    return rc;
}

static void put_done(struct store_job *job, const struct err *e)
{
    struct captured_put *p = (struct captured_put *)(void *)job;
    p->on_done(p->ctx, e);
}

void captured_put(struct store *s, struct captured_put *p)
{
    p->job = (struct store_job){ .run = run_put, .done = put_done, .company = STORE_LEISURE };
    store_submit(s, &p->job);
}

static enum err_code run_drop(struct store_db *db, struct store_job *job, struct err *e)
{
    struct captured_drop *d = (struct captured_drop *)(void *)job;
    enum err_code rc = delete(db, drop_sql, d->role, 0, e);
    d->dropped = rc ? 0 : sqlite3_changes(db->sql);
    db->log.wipes = d->dropped ? DB_WIPES : db->log.wipes;
    return rc;
}

static void drop_done(struct store_job *job, const struct err *e)
{
    struct captured_drop *d = (struct captured_drop *)(void *)job;
    d->on_done(d->ctx, e);
}

void captured_drop(struct store *s, struct captured_drop *d)
{
    d->job = (struct store_job){ .run = run_drop, .done = drop_done };
    store_submit(s, &d->job);
}

/* ---- a new configuration ---- */

struct limiting {
    struct store_job job;
    struct arena texts;
    struct captured_limit *at;
    size_t n;
};

static enum err_code shorten(struct store_db *db, const struct captured_limit *l, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, shorten_sql, e);
    if (!s)
        return e->code;
    db_text(s, 1, l->role);
    sqlite3_bind_int64(s, 2, l->keep_ms);
    enum err_code rc = end(db, s, e);
    return rc ? rc : delete(db, most_sql, l->role, l->most, e);
}

static enum err_code run_limit(struct store_db *db, struct store_job *job, struct err *e)
{
    struct limiting *l = (struct limiting *)(void *)job;
    enum err_code rc = ERR_OK;
    for (size_t i = 0; i < l->n && !rc; i++)
        rc = shorten(db, &l->at[i], e);
    db->captured_due_ms = 0;
    return rc;
}

static void limit_done(struct store_job *job, const struct err *e)
{
    struct limiting *l = (struct limiting *)(void *)job;
    if (e)
        log_warn("asks that are kept could not be shortened to what the configuration says now: %s", e->text);
    arena_fini(&l->texts);
    free(l);
}

void captured_limit(struct store *s, const struct captured_limit *at, size_t n)
{
    struct limiting *l = n ? calloc(1, sizeof *l) : NULL;
    if (!n)
        return;
    if (!l)
        die("out of memory for limits");
    arena_init(&l->texts);
    l->at = arena_array(&l->texts, struct captured_limit, n);
    l->n = n;
    for (size_t i = 0; i < n; i++) {
        l->at[i] = at[i];
        l->at[i].role = arena_copy(&l->texts, at[i].role);
    }
    l->job = (struct store_job){ .run = run_limit, .done = limit_done, .company = STORE_LEISURE };
    store_submit(s, &l->job);
}

/* ---- reading ---- */

struct reading {
    struct store_job job;
    struct str role;
    const int64_t *at;
    size_t n;
    int64_t now_ms;
    void (*fn)(void *ctx, const struct captured_row *r);
    void *ctx;
};

static struct str column(sqlite3_stmt *s, int at)
{
    const char *text = (const char *)sqlite3_column_text(s, at);
    return (struct str){ text, text ? (size_t)sqlite3_column_bytes(s, at) : 0 };
}

static int64_t count_at(sqlite3_stmt *s, int at)
{
    return sqlite3_column_type(s, at) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, at);
}

static void hand_out(const struct reading *r, sqlite3_stmt *s)
{
    int flags = sqlite3_column_int(s, 8);
    const struct captured_row row = { .at = sqlite3_column_int64(s, 0), .time_ms = sqlite3_column_int64(s, 1), .until_ms = sqlite3_column_int64(s, 2),
        .role = column(s, 3), .id = column(s, 4), .caller = column(s, 5), .model = column(s, 6), .host = column(s, 7), .stream = flags & FLAG_STREAM,
        .tools = flags & FLAG_TOOLS, .schema = flags & FLAG_SCHEMA, .input_tokens = count_at(s, 9), .output_tokens = count_at(s, 10),
        .print = sqlite3_column_int64(s, 11), .bytes = sqlite3_column_int64(s, 12), .text = column(s, 13) };
    r->fn(r->ctx, &row);
}

static enum err_code run_list(struct store_db *db, struct store_job *job, struct err *e)
{
    struct reading *r = (struct reading *)(void *)job;
    sqlite3_stmt *s = db_begin(db, read_sql, e);
    int rc;
    if (!s)
        return e->code;
    db_text(s, 1, r->role.p ? r->role : STR(""));
    sqlite3_bind_int64(s, 2, r->now_ms);
    while ((rc = db_step(db, s, e)) > 0)
        hand_out(r, s);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

static enum err_code run_texts(struct store_db *db, struct store_job *job, struct err *e)
{
    struct reading *r = (struct reading *)(void *)job;
    int rc = 0;
    for (size_t i = 0; i < r->n && rc >= 0; i++) {
        sqlite3_stmt *s = db_begin(db, one_sql, e);
        if (!s)
            return e->code;
        sqlite3_bind_int64(s, 1, r->at[i]);
        sqlite3_bind_int64(s, 2, r->now_ms);
        if ((rc = db_step(db, s, e)) > 0)
            hand_out(r, s);
        db_end(s);
    }
    return rc < 0 ? e->code : ERR_OK;
}

enum err_code captured_read(struct store *s, struct str role, int64_t now_ms, void (*fn)(void *ctx, const struct captured_row *r), void *ctx, struct err *e)
{
    struct reading r = { .job = { .run = run_list, .reads = true }, .role = role, .now_ms = now_ms, .fn = fn, .ctx = ctx };
    return store_do(s, &r.job, e);
}

enum err_code captured_read_texts(struct store *s, const int64_t *at, size_t n, int64_t now_ms, void (*fn)(void *ctx, const struct captured_row *r), void *ctx,
    struct err *e)
{
    struct reading r = { .job = { .run = run_texts, .reads = true }, .at = at, .n = n, .now_ms = now_ms, .fn = fn, .ctx = ctx };
    return store_do(s, &r.job, e);
}
