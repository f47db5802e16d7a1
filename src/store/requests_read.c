/* Rows and sums, read: through another connection than the writer's, in one statement each, so that all of it is of one moment. */
#include "store/requests_int.h"

#include <stdlib.h>

#define ROW_FILTER                                                                                                                          \
    " at > ?1 AND at >= ?2 AND came_ms >= ?3 AND came_ms < ?4 AND (NOT ?5 OR fault <> 0) AND (?6 = '' OR id = ?7 OR client_id = ?6)"          \
    " AND (?8 = '' OR model = ?8 OR ways.asked = ?8) AND (?9 = '' OR caller = ?9) AND (?11 = '' OR role = ?11 OR tier = ?11)"

/* The first of the last n, and all from there on. Without a number the first is any. */
static const char rows_sql[] =
    "SELECT at, came_ms, id, status, fault, flags, input, output, reasoning, cached, queue_us, load_us, ttft_us, total_us, bytes_in, bytes_out, cost,"
    " complexity, reason, code, evidence, chain, client_id, requests.asked, endpoint, caller, class, role, tier, ways.asked, model, host, remote"
    " FROM requests JOIN ways USING (way) WHERE" ROW_FILTER " AND at >= CASE ?10 WHEN 0 THEN 0 ELSE"
    " (SELECT ifnull(min(at), 0) FROM (SELECT at FROM requests JOIN ways USING (way) WHERE" ROW_FILTER " ORDER BY at DESC LIMIT ?10)) END ORDER BY at";
static const char sums_sql[] =
    "SELECT hour_s, sum(requests), sum(faults), sum(input), sum(output), sum(cached), sum(cost), sum(unpriced), sum(verified), sum(agreed), sum(fell_back),"
    " max(last_ms), remote, endpoint, caller, class, role, tier, asked, model, host FROM"
    " (SELECT * FROM request_sums WHERE hour_s >= ?1 UNION ALL SELECT * FROM (SELECT" ROW_SUMS
    " WHERE at > (SELECT summed_at FROM request_books) GROUP BY 1, 2))"
    " JOIN ways USING (way) WHERE hour_s >= ?1 GROUP BY hour_s, way ORDER BY hour_s, way";

static struct str text(sqlite3_stmt *s, int at)
{
    const char *p = (const char *)sqlite3_column_text(s, at);
    return p ? str_make(p, (size_t)sqlite3_column_bytes(s, at)) : STR("");
}

static int64_t count(sqlite3_stmt *s, int at)
{
    return sqlite3_column_type(s, at) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, at);
}

static double ms(sqlite3_stmt *s, int at)
{
    return sqlite3_column_type(s, at) == SQLITE_NULL ? -1 : (double)sqlite3_column_int64(s, at) / 1000;
}

static double number(sqlite3_stmt *s, int at)
{
    return sqlite3_column_type(s, at) == SQLITE_NULL ? -1 : sqlite3_column_double(s, at);
}

static void read_flags(struct request_row *r, int64_t flags)
{
    r->stream = flags & ROW_STREAM;
    r->private_ = flags & ROW_PRIVATE;
    r->redacted = flags & ROW_REDACTED;
    r->fell_back = flags & ROW_FELL_BACK;
    r->unknown = flags & ROW_UNKNOWN;
    r->away = flags & ROW_AWAY;
    r->unasked_thoughts = flags & ROW_UNASKED_THOUGHTS;
    r->verdict = (enum row_verdict)(flags >> ROW_VERDICT_SHIFT & 3);
    int finish = (int)(flags >> ROW_FINISH_SHIFT & 7);
    r->finish = finish <= FINISH_OTHER ? (enum row_finish)finish : FINISH_OTHER;
    r->others = (flags >> ROW_OTHERS_SHIFT & ROW_OTHERS_MAX) - 1;
}

static void read_figures(sqlite3_stmt *s, struct request_row *r)
{
    int64_t *counts[] = { &r->input_tokens, &r->output_tokens, &r->reasoning_tokens, &r->cached_tokens };
    double *times[] = { &r->queue_ms, &r->load_ms, &r->ttft_ms, &r->total_ms };
    for (int i = 0; i < 4; i++) {
        *counts[i] = count(s, 6 + i);
        *times[i] = ms(s, 10 + i);
    }
    r->bytes_in = count(s, 14);
    r->bytes_out = count(s, 15);
    r->cost = number(s, 16);
    r->complexity = number(s, 17);
}

static void read_row(sqlite3_stmt *s, struct request_row *r, char id[ROW_ID_TEXT])
{
    struct str *texts[] = { &r->reason, &r->code, &r->evidence, &r->chain, &r->client_id, &r->asked, &r->endpoint, &r->caller, &r->class, &r->role,
        &r->tier };
    r->at = sqlite3_column_int64(s, 0);
    r->time_ms = sqlite3_column_int64(s, 1);
    r->id = row_id_text(sqlite3_column_blob(s, 2), (size_t)sqlite3_column_bytes(s, 2), id);
    r->status = sqlite3_column_int(s, 3);
    r->fault = (enum fault)sqlite3_column_int(s, 4);
    read_flags(r, sqlite3_column_int64(s, 5));
    read_figures(s, r);
    for (int i = 0; i < (int)COUNTOF(texts); i++)
        *texts[i] = text(s, 18 + i);
    if (!r->code.n)
        r->code = str_of(err_row(ERR_OK)->code);
    if (!r->unknown)
        r->asked = text(s, 29);
    r->model = text(s, 30);
    r->host = text(s, 31);
    r->remote = sqlite3_column_int(s, 32);
}

struct reading {
    struct store_job job;
    const struct requests_wish *wish;
    int64_t since_s;
    void (*on_row)(void *ctx, const struct request_row *r);
    void (*on_sum)(void *ctx, const struct request_sum *r);
    void *ctx;
};

static void bind_wish(sqlite3_stmt *s, const struct requests_wish *w, char id[ROW_ID_BYTES])
{
    const int64_t first = w->since_ms < INT64_MAX / ROW_PLACES_A_MS ? w->since_ms * ROW_PLACES_A_MS : INT64_MAX;
    sqlite3_bind_int64(s, 1, w->after);
    sqlite3_bind_int64(s, 2, first); /* a row is written after its request came */
    sqlite3_bind_int64(s, 3, w->since_ms);
    sqlite3_bind_int64(s, 4, w->until_ms ? w->until_ms : INT64_MAX);
    sqlite3_bind_int(s, 5, w->faults);
    db_text(s, 6, w->id);
    sqlite3_bind_blob(s, 7, id, (int)row_id_pack(w->id, id), SQLITE_STATIC);
    db_text(s, 8, w->model);
    db_text(s, 9, w->caller);
    sqlite3_bind_int64(s, 10, (int64_t)w->last);
    db_text(s, 11, w->role);
}

static enum err_code run_read(struct store_db *db, struct store_job *job, struct err *e)
{
    struct reading *r = (struct reading *)(void *)job;
    char packed[ROW_ID_BYTES], id[ROW_ID_TEXT];
    sqlite3_stmt *s = db_begin(db, rows_sql, e);
    int rc;
    if (!s)
        return e->code;
    bind_wish(s, r->wish, packed);
    while ((rc = db_step(db, s, e)) > 0) {
        struct request_row row = { .at = 0 };
        read_row(s, &row, id);
        r->on_row(r->ctx, &row);
    }
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

enum err_code requests_read(struct store *s, const struct requests_wish *w, void (*fn)(void *ctx, const struct request_row *r), void *ctx, struct err *e)
{
    struct reading r = { .job = { .run = run_read, .reads = true }, .wish = w, .on_row = fn, .ctx = ctx };
    return store_do(s, &r.job, e);
}

static void read_sum(sqlite3_stmt *s, struct request_sum *r)
{
    int64_t *figures[] = { &r->hour_s, &r->requests, &r->faults, &r->input_tokens, &r->output_tokens, &r->cached_tokens, NULL, &r->unpriced, &r->verified,
        &r->agreed, &r->fell_back, &r->last_ms };
    struct str *texts[] = { &r->endpoint, &r->caller, &r->class, &r->role, &r->tier, &r->asked, &r->model, &r->host };
    for (int i = 0; i < (int)COUNTOF(figures); i++)
        if (figures[i])
            *figures[i] = sqlite3_column_int64(s, i);
    r->cost = sqlite3_column_double(s, 6);
    r->remote = sqlite3_column_int(s, 12);
    for (int i = 0; i < (int)COUNTOF(texts); i++)
        *texts[i] = text(s, 13 + i);
}

static enum err_code run_sums(struct store_db *db, struct store_job *job, struct err *e)
{
    struct reading *r = (struct reading *)(void *)job;
    sqlite3_stmt *s = db_begin(db, sums_sql, e);
    int rc;
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, r->since_s);
    while ((rc = db_step(db, s, e)) > 0) {
        struct request_sum sum = { .hour_s = 0 };
        read_sum(s, &sum);
        r->on_sum(r->ctx, &sum);
    }
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

enum err_code requests_sums(struct store *s, int64_t since_s, void (*fn)(void *ctx, const struct request_sum *r), void *ctx, struct err *e)
{
    struct reading r = { .job = { .run = run_sums, .reads = true }, .since_s = since_s - since_s % 3600, .on_sum = fn, .ctx = ctx };
    return store_do(s, &r.job, e);
}

struct reaching {
    struct store_job job;
    struct requests_reach reach;
};

static enum err_code run_reach(struct store_db *db, struct store_job *job, struct err *e)
{
    static const char sql[] = "SELECT ifnull((SELECT came_ms FROM requests ORDER BY at LIMIT 1), 0), ifnull((SELECT min(hour_s) FROM request_sums), 0)";
    struct requests_reach *r = &((struct reaching *)(void *)job)->reach;
    sqlite3_stmt *s = db_begin(db, sql, e);
    int rc = s ? db_step(db, s, e) : -1;
    if (rc > 0) {
        r->row_ms = sqlite3_column_int64(s, 0);
        r->hour_s = sqlite3_column_int64(s, 1);
        r->forgotten = r->hour_s && (!r->row_ms || r->hour_s < r->row_ms / 1000 / 3600 * 3600);
    }
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

enum err_code requests_reach(struct store *s, struct requests_reach *out, struct err *e)
{
    struct reaching r = { .job = { .run = run_reach, .reads = true } };
    enum err_code rc = store_do(s, &r.job, e);
    if (!rc)
        *out = r.reach;
    return rc;
}
