/* A row goes in: one insert, most of whose columns are small numbers. What is unknown or none is NULL and costs a byte. */
#include "store/requests.h"

#include "store/requests_int.h"

const char *const row_verdict_name[] = { "", "agreed", "improved", "failed" };
const char *const row_finish_name[] = { "", "stop", "length", "tool_calls", "content_filter", "other" };

enum row_finish row_finish_of(struct str said)
{
    for (size_t i = 0; i < COUNTOF(row_finish_name); i++)
        if (str_eq(said, str_of(row_finish_name[i])))
            return (enum row_finish)i;
    return FINISH_OTHER;
}

static const char put_sql[] = "INSERT INTO requests VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,"
                              " ?22, ?23, ?24, ?25)";

static void put_count(sqlite3_stmt *s, int at, int64_t n)
{
    if (n >= 0)
        sqlite3_bind_int64(s, at, n);
}

static void put_us(sqlite3_stmt *s, int at, double ms)
{
    if (ms >= 0)
        sqlite3_bind_int64(s, at, (int64_t)(ms * 1000 + 0.5));
}

static void put_number(sqlite3_stmt *s, int at, double v)
{
    if (v >= 0)
        sqlite3_bind_double(s, at, v);
}

static void put_text(sqlite3_stmt *s, int at, struct str text)
{
    if (text.n)
        db_text(s, at, text);
}

static int64_t flags_of(const struct request_row *r)
{
    int64_t others = r->others < 0 ? 0 : r->others < ROW_OTHERS_MAX ? r->others + 1 : ROW_OTHERS_MAX;
    return (r->stream ? ROW_STREAM : 0) | (r->private_ ? ROW_PRIVATE : 0) | (r->redacted ? ROW_REDACTED : 0) | (r->fell_back ? ROW_FELL_BACK : 0) |
           (r->unknown ? ROW_UNKNOWN : 0) | (r->unasked_thoughts ? ROW_UNASKED_THOUGHTS : 0) | (int64_t)r->verdict << ROW_VERDICT_SHIFT |
           (int64_t)r->finish << ROW_FINISH_SHIFT | others << ROW_OTHERS_SHIFT | (r->away ? ROW_AWAY : 0);
}

static void bind(sqlite3_stmt *s, const struct request_row *r)
{
    sqlite3_bind_int64(s, 2, r->time_ms);
    sqlite3_bind_int(s, 5, r->status);
    sqlite3_bind_int(s, 6, (int)r->fault);
    sqlite3_bind_int64(s, 7, flags_of(r));
    const int64_t counts[] = { r->input_tokens, r->output_tokens, r->reasoning_tokens, r->cached_tokens };
    const double times[] = { r->queue_ms, r->load_ms, r->ttft_ms, r->total_ms };
    for (int i = 0; i < 4; i++) {
        put_count(s, 8 + i, counts[i]);
        put_us(s, 12 + i, times[i]);
    }
    put_count(s, 16, r->bytes_in);
    put_count(s, 17, r->bytes_out);
    put_number(s, 18, r->cost);
    put_number(s, 19, r->complexity);
    const struct str none = STR(""), code = r->fault == FAULT_NONE ? none : r->code;
    const struct str texts[] = { r->reason, code, r->evidence, r->chain, r->client_id, r->unknown ? r->asked : none };
    for (int i = 0; i < (int)COUNTOF(texts); i++)
        put_text(s, 20 + i, texts[i]);
}

enum err_code requests_write(struct store_db *db, const struct request_row *r, int64_t *at, struct err *e)
{
    char id[ROW_ID_BYTES];
    int64_t way;
    if (books_way(db, r, &way, e) || books_place(db, at, e))
        return e->code;
    sqlite3_stmt *s = db_begin(db, put_sql, e);
    if (!s)
        return e->code;
    bind(s, r);
    sqlite3_bind_int64(s, 1, *at);
    sqlite3_bind_int64(s, 3, way);
    sqlite3_bind_blob(s, 4, id, (int)row_id_pack(r->id, id), SQLITE_STATIC);
    int rc = db_step(db, s, e);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

enum err_code requests_is_at(struct store_db *db, int64_t at, struct str id, bool *there, struct err *e)
{
    char packed[ROW_ID_BYTES];
    size_t n = row_id_pack(id, packed);
    sqlite3_stmt *s = db_begin(db, "SELECT id FROM requests WHERE at = ?1", e);
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, at);
    int rc = db_step(db, s, e);
    const void *found = rc > 0 ? sqlite3_column_blob(s, 0) : NULL;
    *there = found && (size_t)sqlite3_column_bytes(s, 0) == n && !memcmp(found, packed, n);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

/* A row with that id that was written since then. Looks through all of those: for the few that may have come twice. */
static bool request_is_there(struct store_db *db, struct str id, int64_t since_ms)
{
    static const char sql[] = "SELECT 1 FROM requests WHERE at >= ?1 AND id = ?2";
    char packed[ROW_ID_BYTES];
    struct err e;
    sqlite3_stmt *s = db_begin(db, sql, &e);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, since_ms * 1024); /* it was written later than it came */
    sqlite3_bind_blob(s, 2, packed, (int)row_id_pack(id, packed), SQLITE_STATIC);
    bool there = db_step(db, s, &e) == 1;
    db_end(s);
    return there;
}

static enum err_code run_put(struct store_db *db, struct store_job *job, struct err *e)
{
    struct request_put *p = (struct request_put *)(void *)job;
    if (p->maybe_there && request_is_there(db, p->row->id, p->row->time_ms))
        return ERR_OK;
    return requests_write(db, p->row, &p->at, e);
}

static bool keep_put(struct store_db *db, struct store_job *job)
{
    struct request_put *p = (struct request_put *)(void *)job;
    return p->kept = spool_keep(db, p->row, p->at);
}

static void put_done(struct store_job *job, const struct err *e)
{
    struct request_put *p = (struct request_put *)(void *)job;
    p->on_done(p->ctx, e);
}

static bool is_row(const struct store_job *job)
{
    return job->run == run_put;
}

void requests_forward(struct store *s, requests_forward_fn *fn, void *ctx)
{
    store_retire(s, is_row, fn, ctx);
}

void requests_put(struct store *s, struct request_put *p, size_t under_way)
{
    if (store_pass_on(s, p))
        return;
    p->job = (struct store_job){ .run = run_put, .keep = keep_put, .done = put_done, .single = true, .company = under_way };
    p->kept = false;
    p->at = 0;
    store_submit(s, &p->job);
}

/* ---- ids ---- */

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t row_id_pack(struct str id, char out[ROW_ID_BYTES])
{
    struct str digits = str_starts(id, STR("req_")) ? str_from(id, 4) : STR("");
    size_t n = digits.n / 2;
    if (digits.n % 2 || n > ROW_ID_BYTES)
        return 0;
    for (size_t i = 0; i < n; i++) {
        int high = hex(digits.p[2 * i]), low = hex(digits.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        out[i] = (char)(high << 4 | low);
    }
    return n;
}

struct str row_id_text(const unsigned char *packed, size_t n, char out[ROW_ID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    n = n < ROW_ID_BYTES ? n : ROW_ID_BYTES;
    memcpy(out, "req_", 4);
    for (size_t i = 0; i < n; i++) {
        out[4 + 2 * i] = digits[packed[i] >> 4];
        out[5 + 2 * i] = digits[packed[i] & 15];
    }
    return str_make(out, 4 + 2 * n);
}
