#include "store/probes.h"

#include "base/clock.h"
#include "store/store_int.h"

static const char find_sql[] = "SELECT known FROM probes WHERE engine = ?1 AND architecture = ?2";
static const char put_sql[] = "INSERT INTO probes VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET known = ?3, at_s = ?4";

struct probe {
    struct store_job job;
    struct str engine, architecture;
    int answer;
};

static enum err_code run(struct store_db *db, struct store_job *job, struct err *e)
{
    struct probe *p = (struct probe *)(void *)job;
    sqlite3_stmt *s = db_begin(db, job->reads ? find_sql : put_sql, e);
    if (!s)
        return e->code;
    db_text(s, 1, p->engine);
    db_text(s, 2, p->architecture);
    if (!job->reads) {
        sqlite3_bind_int(s, 3, p->answer);
        sqlite3_bind_int64(s, 4, clock_wall_ms() / 1000);
    }
    int rc = db_step(db, s, e);
    if (rc > 0)
        p->answer = sqlite3_column_int(s, 0) != 0;
    db_end(s);
    return rc < 0 ? e->code : ERR_OK;
}

enum err_code probes_find(struct store *s, struct str engine, struct str architecture, int *answer, struct err *e)
{
    struct probe p = { .job = { .run = run, .reads = true }, .engine = engine, .architecture = architecture, .answer = -1 };
    enum err_code rc = store_do(s, &p.job, e);
    if (!rc)
        *answer = p.answer;
    return rc;
}

enum err_code probes_put(struct store *s, struct str engine, struct str architecture, bool known, struct err *e)
{
    struct probe p = { .job = { .run = run }, .engine = engine, .architecture = architecture, .answer = known };
    return store_do(s, &p.job, e);
}
