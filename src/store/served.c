#include "store/served.h"

#include "base/arena.h"
#include "store/store_int.h"

#include <stdlib.h>

static const char put_sql[] = "INSERT INTO served (time_ms, role, model, swap, why) SELECT ?1, ?2, ?3, ?4, ?5"
                              " WHERE ifnull((SELECT model FROM served WHERE role = ?2 ORDER BY at DESC LIMIT 1), '') <> ?3";
static const char names_sql[] = "SELECT role FROM served AS last WHERE at = (SELECT max(at) FROM served WHERE role = last.role) AND model <> ''";
static const char read_sql[] = "SELECT time_ms, role, model, swap, why FROM served WHERE ?1 = '' OR role = ?1 ORDER BY at";

/* ---- noting ---- */

struct note {
    struct store_job job;
    struct arena texts;
    struct served_name *all;
    size_t n;
    int64_t time_ms, swap;
    struct str why;
};

static struct str column(sqlite3_stmt *s, int at)
{
    const char *text = (const char *)sqlite3_column_text(s, at);
    return (struct str){ text ? text : "", text ? (size_t)sqlite3_column_bytes(s, at) : 0 };
}

static enum err_code put(struct store_db *db, const struct note *k, struct str role, struct str model, struct err *e)
{
    sqlite3_stmt *s = db_begin(db, put_sql, e);
    if (!s)
        return e->code;
    sqlite3_bind_int64(s, 1, k->time_ms);
    db_text(s, 2, role);
    db_text(s, 3, model);
    sqlite3_bind_int64(s, 4, k->swap);
    db_text(s, 5, k->why);
    int rc = db_step(db, s, e);
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

static bool is_there(const struct note *k, struct str role)
{
    for (size_t i = 0; i < k->n; i++)
        if (str_eq(k->all[i].role, role))
            return true;
    return false;
}

/* Names that were served and are not any more: put after they have been read, as one statement at a time is open. */
static enum err_code put_gone(struct store_db *db, struct note *k, struct err *e)
{
    enum { MOST = 256 };
    struct str gone[MOST];
    size_t n = 0;
    sqlite3_stmt *s = db_begin(db, names_sql, e);
    int rc;
    if (!s)
        return e->code;
    while ((rc = db_step(db, s, e)) > 0 && n < MOST)
        if (!is_there(k, column(s, 0)))
            gone[n++] = arena_copy(&k->texts, column(s, 0));
    db_end(s);
    if (rc < 0)
        return e->code;
    enum err_code done = ERR_OK;
    for (size_t i = 0; i < n && !done; i++)
        done = put(db, k, gone[i], STR(""), e);
    return done;
}

static enum err_code run(struct store_db *db, struct store_job *job, struct err *e)
{
    struct note *k = (struct note *)(void *)job;
    enum err_code rc = put_gone(db, k, e);
    for (size_t i = 0; i < k->n && !rc; i++)
        rc = put(db, k, k->all[i].role, k->all[i].model, e);
    return rc;
}

static void done(struct store_job *job, const struct err *e)
{
    struct note *k = (struct note *)(void *)job;
    (void)e;
    arena_fini(&k->texts);
    free(k);
}

void served_note(struct store *s, const struct served_name *all, size_t n, int64_t time_ms, int64_t swap, struct str why)
{
    struct note *k = calloc(1, sizeof *k);
    if (!k)
        die("out of memory for who serves what");
    arena_init(&k->texts);
    k->all = arena_array(&k->texts, struct served_name, n + 1);
    for (size_t i = 0; i < n; i++)
        k->all[i] = (struct served_name){ arena_copy(&k->texts, all[i].role), arena_copy(&k->texts, all[i].model) };
    k->n = n;
    k->time_ms = time_ms;
    k->swap = swap;
    k->why = arena_copy(&k->texts, why);
    k->job = (struct store_job){ .run = run, .done = done };
    store_submit(s, &k->job);
}

/* ---- reading ---- */

struct reading {
    struct store_job job;
    struct str role;
    void (*fn)(void *ctx, const struct served_row *r);
    void *ctx;
};

static enum err_code run_read(struct store_db *db, struct store_job *job, struct err *e)
{
    struct reading *r = (struct reading *)(void *)job;
    sqlite3_stmt *s = db_begin(db, read_sql, e);
    int rc;
    if (!s)
        return e->code;
    db_text(s, 1, r->role);
    while ((rc = db_step(db, s, e)) > 0) {
        struct served_row row = { .time_ms = sqlite3_column_int64(s, 0), .role = column(s, 1), .model = column(s, 2), .swap = sqlite3_column_int64(s, 3), .why = column(s, 4) };
        r->fn(r->ctx, &row);
    }
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

enum err_code served_read(struct store *s, struct str role, void (*fn)(void *ctx, const struct served_row *r), void *ctx, struct err *e)
{
    struct reading r = { .job = { .run = run_read, .reads = true }, .role = role.p ? role : STR(""), .fn = fn, .ctx = ctx };
    return store_do(s, &r.job, e);
}
