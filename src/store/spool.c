/* Rows that could not be written wait here, in memory, until the disk takes them again. First come, first written, in bites. Bounded in bytes: what comes when it is full
 * is lost, and so is what lies here when the program ends.
 *
 * A commit that has failed may be there all the same once the file has been opened anew: its pages were in the log, and only the sync failed. So a row keeps the place that it
 * was given last, and is looked for there before it is written again. */
#include "store/requests_int.h"

#include "base/log.h"

#include <stddef.h>
#include <stdlib.h>

enum { BITE = 512 };

struct spooled {
    struct spooled *next;
    struct request_row row; /* its texts lie behind it */
    int64_t at;             /* its place in the last transaction that failed; 0 = it had none */
    size_t bytes;
    char text[];
};

struct spool {
    struct spooled *first, **end;
    size_t n, bytes;
    int64_t written;        /* since the beginning */
};

static const size_t texts[] = {
    offsetof(struct request_row, id), offsetof(struct request_row, client_id), offsetof(struct request_row, caller), offsetof(struct request_row, class),
    offsetof(struct request_row, endpoint), offsetof(struct request_row, role), offsetof(struct request_row, tier), offsetof(struct request_row, asked),
    offsetof(struct request_row, model), offsetof(struct request_row, host), offsetof(struct request_row, code), offsetof(struct request_row, evidence),
    offsetof(struct request_row, reason), offsetof(struct request_row, chain),
};

static struct str *text_of(struct request_row *r, size_t i)
{
    return (struct str *)(void *)((char *)r + texts[i]);
}

static struct spool *spool_of(struct store_db *db)
{
    if (db->spool)
        return db->spool;
    struct spool *s = calloc(1, sizeof *s);
    if (s)
        s->end = &s->first;
    return db->spool = s;
}

static struct spooled *copy(const struct request_row *r, size_t bytes)
{
    struct spooled *s = malloc(bytes);
    if (!s)
        return NULL;
    *s = (struct spooled){ .row = *r, .bytes = bytes };
    char *to = s->text;
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        struct str *t = text_of(&s->row, i);
        if (t->n)
            memcpy(to, t->p, t->n);
        t->p = to;
        to += t->n;
    }
    return s;
}

bool spool_keep(struct store_db *db, const struct request_row *r, int64_t at)
{
    struct request_row borrowed = *r;
    struct spool *s = spool_of(db);
    size_t bytes = sizeof(struct spooled);
    for (size_t i = 0; i < COUNTOF(texts); i++)
        bytes += text_of(&borrowed, i)->n;
    struct spooled *kept = s && (int64_t)(s->bytes + bytes) <= db->limits.spool_bytes ? copy(r, bytes) : NULL;
    if (!kept)
        return false;
    kept->at = at;
    *s->end = kept;
    s->end = &kept->next;
    s->n++;
    s->bytes += bytes;
    return true;
}

size_t spool_count(const struct store_db *db)
{
    return db->spool ? db->spool->n : 0;
}

int64_t spool_written(const struct store_db *db)
{
    return db->spool ? db->spool->written : 0;
}

static void drop_first(struct spool *s)
{
    struct spooled *gone = s->first;
    s->first = gone->next;
    if (!s->first)
        s->end = &s->first;
    s->n--;
    s->bytes -= gone->bytes;
    free(gone);
}

static enum err_code put(struct store_db *db, struct spooled *s, struct err *e)
{
    bool there = false;
    enum err_code rc = s->at ? requests_is_at(db, s->at, s->row.id, &there, e) : ERR_OK;
    if (!rc && !there)
        rc = requests_write(db, &s->row, &s->at, e);
    if (rc && rc != ERR_SYSTEM) { /* it will never be taken, and the others shall not wait for it */
        log_error("the row of %.*s is lost: %s", STR_ARG(s->row.id), e->text);
        rc = ERR_OK;
    }
    return rc;
}

enum err_code spool_write(struct store_db *db, struct err *e)
{
    struct spool *s = db->spool;
    size_t n = 0;
    if (!spool_count(db))
        return ERR_OK;
    enum err_code rc = db_exec(db, "BEGIN IMMEDIATE", e);
    for (struct spooled *i = s->first; !rc && i && n < BITE; i = i->next, n++)
        rc = put(db, i, e);
    if (!rc)
        rc = db_exec(db, "COMMIT", e);
    if (rc) {
        if (db->sql && !sqlite3_get_autocommit(db->sql))
            sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
        books_forget(db);
        return rc;
    }
    s->written += (int64_t)n;
    while (n--)
        drop_first(s);
    return ERR_OK;
}

void spool_free(struct store_db *db)
{
    if (spool_count(db))
        log_error("%zu rows about requests are lost: they could not be written until the end", db->spool->n);
    while (spool_count(db))
        drop_first(db->spool);
    free(db->spool);
    db->spool = NULL;
}
