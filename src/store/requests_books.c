/* What the writer keeps of the rows: the next place, the numbers of ways, up to where rows are in the hourly sums, how many bytes they have. And what it does
 * between two batches, in bites of a millisecond: summing up and forgetting.
 *
 * A row is summed once: its bite adds to the sums and moves `summed_at` in one transaction, so that a kill leaves both or none. Only summed rows go. */
#include "store/requests_int.h"

#include "base/clock.h"

#include <stdlib.h>

enum {
    BITE_SUM = 512, BITE_FORGET = 256,  /* rows */
    WAYS_KEPT = 256,                    /* numbers at hand; others are looked up */
    WAY_MAX_BYTES = 2048,
};

struct kept_way {
    char *key;
    size_t n;
    int64_t way;
};

struct request_books {
    int64_t last_at, summed_at, bytes;
    int64_t unsummed;                   /* rows behind summed_at */
    int64_t oldest_ms;                  /* when the first row came, or later; INT64_MAX = there is none */
    struct kept_way ways[WAYS_KEPT];
};

/* The wall clock beside the monotonic one. After a jump nothing is too old for an hour: else a clock that is wrong for a minute takes all rows with it. */
enum { JUMP_MS = 60 * 1000, DOUBT_MS = 60 * 60 * 1000 };

static bool clock_is_doubted(struct store_db *db)
{
    int64_t now = clock_mono_ms(), apart = clock_wall_ms() - now, by = apart - db->apart_ms;
    if (db->apart_ms && (by > JUMP_MS || by < -JUMP_MS))
        db->doubted_until_ms = now + DOUBT_MS;
    db->apart_ms = apart;
    return now < db->doubted_until_ms;
}

/* About: of a page's bytes a row has these. Lengths and small numbers. */
#define ROW_BYTES                                                                                                                       \
    " 64 + length(id) + ifnull(length(reason), 0) + ifnull(length(code), 0) + ifnull(length(evidence), 0) + ifnull(length(chain), 0)"     \
    " + ifnull(length(client_id), 0) + ifnull(length(asked), 0)"

static const char read_sql[] = "SELECT summed_at, bytes, ifnull((SELECT max(at) FROM requests), 0),"
                               " (SELECT count(*) FROM requests WHERE at > summed_at), (SELECT came_ms FROM requests ORDER BY at LIMIT 1) FROM request_books";
static const char way_put_sql[] = "INSERT OR IGNORE INTO ways VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
static const char way_find_sql[] = "SELECT way FROM ways WHERE endpoint = ?1 AND caller = ?2 AND class = ?3 AND role = ?4 AND tier = ?5 AND asked = ?6"
                                   " AND model = ?7 AND host = ?8 AND remote = ?9";
static const char bite_sql[] = "SELECT max(at), count(*), sum(bytes) FROM"
                               " (SELECT at, " ROW_BYTES " AS bytes FROM requests WHERE at > ?1 ORDER BY at LIMIT ?2)";
static const char sum_sql[] =
    "INSERT INTO request_sums SELECT" ROW_SUMS " WHERE at > ?1 AND at <= ?2 GROUP BY 1, 2 ON CONFLICT DO UPDATE SET"
    " requests = requests + excluded.requests, faults = faults + excluded.faults, input = input + excluded.input, output = output + excluded.output,"
    " cached = cached + excluded.cached, cost = cost + excluded.cost, unpriced = unpriced + excluded.unpriced, verified = verified + excluded.verified,"
    " agreed = agreed + excluded.agreed, fell_back = fell_back + excluded.fell_back, last_ms = max(last_ms, excluded.last_ms)";
static const char keep_sql[] = "UPDATE request_books SET summed_at = ?1, bytes = ?2";
static const char first_sql[] = "SELECT at, came_ms, " ROW_BYTES " FROM requests WHERE at <= ?1 ORDER BY at LIMIT ?2";
static const char forget_sql[] = "DELETE FROM requests WHERE at <= ?1";

void books_forget(struct store_db *db)
{
    if (!db->books)
        return;
    for (size_t i = 0; i < WAYS_KEPT; i++)
        free(db->books->ways[i].key);
    free(db->books);
    db->books = NULL;
}

static struct request_books *books_of(struct store_db *db, struct err *e)
{
    if (db->books)
        return db->books;
    sqlite3_stmt *s = db_begin(db, read_sql, e);
    struct request_books *b = s ? calloc(1, sizeof *b) : NULL;
    if (!s)
        return NULL;
    if (!b)
        die("out of memory for the rows' books");
    int rc = db_step(db, s, e);
    if (rc > 0) {
        b->summed_at = sqlite3_column_int64(s, 0);
        b->bytes = sqlite3_column_int64(s, 1);
        b->last_at = sqlite3_column_int64(s, 2);
        b->unsummed = sqlite3_column_int64(s, 3);
        b->oldest_ms = sqlite3_column_type(s, 4) == SQLITE_NULL ? INT64_MAX : sqlite3_column_int64(s, 4);
    } else if (!rc) {
        err_set(e, ERR_SYSTEM, "%.200s: the books of the requests are gone", db->path);
    }
    db_end(s);
    if (rc > 0)
        return db->books = b;
    free(b);
    return NULL;
}

enum err_code books_place(struct store_db *db, int64_t *at, struct err *e)
{
    struct request_books *b = books_of(db, e);
    if (!b)
        return e->code;
    int64_t now = clock_wall_ms() * ROW_PLACES_A_MS;
    b->last_at = now > b->last_at ? now : b->last_at + 1; /* a clock that is set back changes no order */
    b->unsummed++;
    if (b->oldest_ms == INT64_MAX)
        b->oldest_ms = now / ROW_PLACES_A_MS;
    *at = b->last_at;
    return ERR_OK;
}

/* ---- ways ---- */

enum { WAY_TEXTS = 8 };

static void texts_of(const struct request_row *r, struct str out[WAY_TEXTS])
{
    const struct str texts[WAY_TEXTS] = { r->endpoint, r->caller, r->class, r->role, r->tier, r->unknown ? STR("") : r->asked, r->model, r->host };
    memcpy(out, texts, sizeof texts);
}

/* All of it in one piece; 0 when that is too long to be kept at hand. */
static size_t key_of(const struct str *texts, bool remote, char out[WAY_MAX_BYTES])
{
    size_t n = 0;
    out[n++] = (char)remote;
    for (size_t i = 0; i < WAY_TEXTS; i++) {
        if (n + texts[i].n + 1 > WAY_MAX_BYTES)
            return 0;
        if (texts[i].n)
            memcpy(out + n, texts[i].p, texts[i].n);
        n += texts[i].n;
        out[n++] = 0;
    }
    return n;
}

static enum err_code find_way(struct store_db *db, const char *sql, const struct str *texts, bool remote, int64_t *way, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, sql, e);
    if (!s)
        return e->code;
    for (int i = 0; i < WAY_TEXTS; i++)
        db_text(s, i + 1, texts[i]);
    sqlite3_bind_int(s, WAY_TEXTS + 1, remote);
    int rc = db_step(db, s, e);
    if (rc > 0)
        *way = sqlite3_column_int64(s, 0);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

static void keep_way(struct kept_way *k, const char *key, size_t n, int64_t way)
{
    free(k->key);
    k->key = malloc(n);
    if (!k->key)
        die("out of memory for a way");
    memcpy(k->key, key, n);
    k->n = n;
    k->way = way;
}

enum err_code books_way(struct store_db *db, const struct request_row *r, int64_t *way, struct err *e)
{
    struct str texts[WAY_TEXTS];
    char key[WAY_MAX_BYTES];
    struct request_books *b = books_of(db, e);
    if (!b)
        return e->code;
    texts_of(r, texts);
    size_t n = key_of(texts, r->remote, key);
    struct kept_way *k = &b->ways[str_hash(str_make(key, n)) % WAYS_KEPT];
    if (n && k->n == n && !memcmp(k->key, key, n)) {
        *way = k->way;
        return ERR_OK;
    }
    *way = 0;
    enum err_code rc = find_way(db, way_find_sql, texts, r->remote, way, e);
    if (!rc && !*way) {
        rc = find_way(db, way_put_sql, texts, r->remote, way, e);
        *way = rc ? 0 : sqlite3_last_insert_rowid(db->sql);
    }
    if (!rc && n)
        keep_way(k, key, n, *way);
    return rc;
}

/* ---- between two batches ---- */

static enum err_code keep(struct store_db *db, int64_t summed_at, int64_t bytes, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, keep_sql, e);
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, summed_at);
    sqlite3_bind_int64(s, 2, bytes);
    int rc = db_step(db, s, e);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

static enum err_code run_numbers(struct store_db *db, const char *sql, int64_t a, int64_t b, int64_t *out, int n, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, sql, e);
    if (!s)
        return e->code;
    const int64_t in[] = { a, b };
    for (int i = 0; i < (int)COUNTOF(in) && i < sqlite3_bind_parameter_count(s); i++)
        sqlite3_bind_int64(s, i + 1, in[i]);
    int rc = db_step(db, s, e);
    for (int i = 0; rc > 0 && i < n; i++)
        out[i] = sqlite3_column_int64(s, i);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

static enum err_code sum_up(struct store_db *db, struct request_books *b, struct err *e)
{
    int64_t bite[3] = { 0 }; /* the last place, rows, bytes */
    enum err_code rc = run_numbers(db, bite_sql, b->summed_at, BITE_SUM, bite, 3, e);
    if (rc || !bite[1]) {
        b->unsummed = rc ? b->unsummed : 0;
        return rc;
    }
    rc = run_numbers(db, sum_sql, b->summed_at, bite[0], NULL, 0, e);
    if (!rc)
        rc = keep(db, bite[0], b->bytes + bite[2], e);
    if (rc)
        return rc;
    b->summed_at = bite[0];
    b->bytes += bite[2];
    b->unsummed = b->unsummed > bite[1] ? b->unsummed - bite[1] : 0;
    return ERR_OK;
}

static bool has_to_go(struct store_db *db, int64_t came_ms, int64_t bytes)
{
    const struct requests_limits *l = &db->limits;
    bool doubted = clock_is_doubted(db);
    return (l->bytes && bytes > l->bytes) || (l->keep_ms && !doubted && came_ms < clock_wall_ms() - l->keep_ms);
}

/* The first rows as far as they have to go; *upto 0: none. */
static enum err_code look_at_first(struct store_db *db, struct request_books *b, int64_t *upto, int64_t *bytes, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, first_sql, e);
    int rc;
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, b->summed_at);
    sqlite3_bind_int(s, 2, BITE_FORGET);
    b->oldest_ms = INT64_MAX;
    while ((rc = db_step(db, s, e)) > 0) {
        b->oldest_ms = sqlite3_column_int64(s, 1);
        if (!has_to_go(db, b->oldest_ms, *bytes))
            break;
        *upto = sqlite3_column_int64(s, 0);
        *bytes -= sqlite3_column_int64(s, 2);
    }
    db_end(s);
    if (b->oldest_ms == INT64_MAX || *bytes < 0) /* none is left */
        *bytes = 0;
    return rc < 0 ? e->code : ERR_OK;
}

static enum err_code forget(struct store_db *db, struct request_books *b, struct err *e)
{
    int64_t upto = 0, bytes = b->bytes;
    enum err_code rc = look_at_first(db, b, &upto, &bytes, e);
    if (rc || !upto)
        return rc;
    rc = run_numbers(db, forget_sql, upto, 0, NULL, 0, e);
    if (!rc)
        rc = keep(db, b->summed_at, bytes, e);
    if (!rc)
        b->bytes = bytes;
    return rc;
}

static bool due_to_forget(struct store_db *db, const struct request_books *b)
{
    return b->oldest_ms != INT64_MAX && has_to_go(db, b->oldest_ms, b->bytes);
}

static enum err_code bite(struct store_db *db, struct request_books *b, struct err *e)
{
    enum err_code rc = db_exec(db, "BEGIN IMMEDIATE", e);
    if (!rc) /* what is to go must be in the sums */
        rc = sum_up(db, b, e);
    if (!rc && due_to_forget(db, b))
        rc = forget(db, b, e);
    if (!rc)
        rc = db_exec(db, "COMMIT", e);
    if (rc && !sqlite3_get_autocommit(db->sql))
        sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    if (rc)
        books_forget(db);
    return rc;
}

enum err_code books_tidy(struct store_db *db, bool *more, struct err *e)
{
    struct request_books *b = books_of(db, e);
    *more = false;
    if (!b)
        return e->code;
    if (b->unsummed < BITE_SUM && !due_to_forget(db, b))
        return ERR_OK;
    enum err_code rc = bite(db, b, e);
    *more = !rc && (b->unsummed >= BITE_SUM || due_to_forget(db, b));
    return rc;
}
