#include "store/shadows.h"

#include "store/store_int.h"

static const char put_sql[] = "INSERT INTO shadow_pairs (swap, role, time_ms, request, waited_ms, alike, cost, dropped, cancelled, unfit,"
    " old_code, old_fits, old_thought, old_empty, old_cut, old_ttft_us, old_total_us, old_input, old_output, old_bytes,"
    " new_code, new_fits, new_thought, new_empty, new_cut, new_ttft_us, new_total_us, new_input, new_output, new_bytes)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30)";
static const char forget_sql[] = "DELETE FROM shadow_pairs WHERE swap = ?1 AND role = ?2 AND at <="
    " (SELECT at FROM shadow_pairs WHERE swap = ?1 AND role = ?2 ORDER BY at DESC LIMIT 1 OFFSET ?3)";
/* They come in the order of time: some of the oldest are looked at with each new one, so that none outlives its days by much. */
static const char expire_sql[] = "DELETE FROM shadow_pairs WHERE time_ms < ?1 AND at IN (SELECT at FROM shadow_pairs ORDER BY at LIMIT 8)";
static const char read_sql[] = "SELECT at, swap, role, time_ms, request, waited_ms, alike, cost, dropped, cancelled, unfit,"
    " old_code, old_fits, old_thought, old_empty, old_cut, old_ttft_us, old_total_us, old_input, old_output, old_bytes,"
    " new_code, new_fits, new_thought, new_empty, new_cut, new_ttft_us, new_total_us, new_input, new_output, new_bytes"
    " FROM shadow_pairs WHERE swap = ?1 ORDER BY at";

static const int64_t day_ms = 86400000;

/* ---- writing ---- */

static void bind_known(sqlite3_stmt *s, int at, int64_t v)
{
    if (v < 0)
        sqlite3_bind_null(s, at);
    else
        sqlite3_bind_int64(s, at, v);
}

static int64_t in_us(double ms)
{
    return ms < 0 ? -1 : (int64_t)(ms * 1000 + 0.5);
}

static void bind_side(sqlite3_stmt *s, int at, const struct shadow_side *side)
{
    const int64_t values[] = { side->fits, side->thought, side->empty, side->cut, in_us(side->ttft_ms), in_us(side->total_ms), side->input, side->output, side->bytes };
    db_text(s, at, side->code);
    for (size_t i = 0; i < COUNTOF(values); i++)
        bind_known(s, at + 1 + (int)i, values[i]);
}

static enum err_code run_once(struct store_db *db, sqlite3_stmt *s, struct err *e)
{
    int rc = db_step(db, s, e);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

static enum err_code insert(struct store_db *db, const struct shadow_row *r, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, put_sql, e);
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, r->swap);
    db_text(s, 2, r->role);
    sqlite3_bind_int64(s, 3, r->time_ms);
    db_text(s, 4, r->request);
    sqlite3_bind_int64(s, 5, r->waited_ms);
    bind_known(s, 6, r->alike);
    if (r->cost < 0)
        sqlite3_bind_null(s, 7);
    else
        sqlite3_bind_double(s, 7, r->cost);
    sqlite3_bind_int64(s, 8, r->dropped);
    sqlite3_bind_int64(s, 9, r->cancelled);
    sqlite3_bind_int64(s, 10, r->unfit);
    bind_side(s, 11, &r->old);
    bind_side(s, 21, &r->new);
    return run_once(db, s, e);
}

static enum err_code forget(struct store_db *db, const struct shadow_row *r, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, forget_sql, e);
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, r->swap);
    db_text(s, 2, r->role);
    sqlite3_bind_int64(s, 3, SHADOW_MOST);
    return run_once(db, s, e);
}

static enum err_code expire(struct store_db *db, const struct shadow_row *r, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, expire_sql, e);
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, r->time_ms - SHADOW_DAYS * day_ms);
    return run_once(db, s, e);
}

static enum err_code run(struct store_db *db, struct store_job *job, struct err *e)
{
    struct shadow_put *p = (struct shadow_put *)(void *)job;
    enum err_code rc = insert(db, &p->row, e);
    if (rc)
        return rc;
    p->row.at = sqlite3_last_insert_rowid(db->sql);
    rc = forget(db, &p->row, e);
    return rc ? rc : expire(db, &p->row, e);
}

static void done(struct store_job *job, const struct err *e)
{
    struct shadow_put *p = (struct shadow_put *)(void *)job;
    p->on_done(p->ctx, e);
}

void shadows_put(struct store *s, struct shadow_put *p)
{
    p->job = (struct store_job){ .run = run, .done = done, .company = STORE_LEISURE };
    store_submit(s, &p->job);
}

/* ---- reading ---- */

struct reading {
    struct store_job job;
    int64_t swap;
    void (*fn)(void *ctx, const struct shadow_row *r);
    void *ctx;
};

static struct str column(sqlite3_stmt *s, int at)
{
    const char *text = (const char *)sqlite3_column_text(s, at);
    return (struct str){ text ? text : "", text ? (size_t)sqlite3_column_bytes(s, at) : 0 };
}

static int64_t known(sqlite3_stmt *s, int at)
{
    return sqlite3_column_type(s, at) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, at);
}

static double in_ms(int64_t us)
{
    return us < 0 ? -1 : (double)us / 1000;
}

static struct shadow_side side_at(sqlite3_stmt *s, int at)
{
    return (struct shadow_side){ .code = column(s, at), .fits = (int)known(s, at + 1), .thought = (int)known(s, at + 2), .empty = (int)known(s, at + 3),
        .cut = (int)known(s, at + 4), .ttft_ms = in_ms(known(s, at + 5)), .total_ms = in_ms(known(s, at + 6)), .input = known(s, at + 7), .output = known(s, at + 8),
        .bytes = known(s, at + 9) };
}

static void hand_out(const struct reading *r, sqlite3_stmt *s)
{
    const struct shadow_row row = { .at = sqlite3_column_int64(s, 0), .swap = sqlite3_column_int64(s, 1), .role = column(s, 2), .time_ms = sqlite3_column_int64(s, 3),
        .request = column(s, 4), .waited_ms = sqlite3_column_int64(s, 5), .alike = (enum shadow_alike)known(s, 6),
        .cost = sqlite3_column_type(s, 7) == SQLITE_NULL ? -1 : sqlite3_column_double(s, 7), .dropped = sqlite3_column_int64(s, 8), .cancelled = sqlite3_column_int64(s, 9),
        .unfit = sqlite3_column_int64(s, 10), .old = side_at(s, 11), .new = side_at(s, 21) };
    r->fn(r->ctx, &row);
}

static enum err_code read_rows(struct store_db *db, struct store_job *job, struct err *e)
{
    struct reading *r = (struct reading *)(void *)job;
    sqlite3_stmt *s = db_begin(db, read_sql, e);
    int rc;
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, r->swap);
    while ((rc = db_step(db, s, e)) > 0)
        hand_out(r, s);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

enum err_code shadows_read(struct store *s, int64_t swap, void (*fn)(void *ctx, const struct shadow_row *r), void *ctx, struct err *e)
{
    struct reading r = { .job = { .run = read_rows, .reads = true }, .swap = swap, .fn = fn, .ctx = ctx };
    return store_do(s, &r.job, e);
}
