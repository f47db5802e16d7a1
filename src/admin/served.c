/* GET models/history?role=R: which model answered which role or tier from when until when, and by what.
 * {"schema":1,"history":[{"role","model","from","until","swap","why"}]}, oldest first; until null: it does now; swap null: the configuration says so. */
#include "admin/admin_int.h"

#include "store/served.h"

#include <stdlib.h>

struct period {
    struct served_row row;
    int64_t until_ms;           /* 0: it lasts */
};

struct periods {
    struct str role;
    struct arena *texts;
    struct period *at;
    size_t n, room;
};

static void on_row(void *ctx, const struct served_row *r)
{
    struct periods *p = ctx;
    for (size_t i = p->n; i-- > 0;)
        if (str_eq(p->at[i].row.role, r->role)) {
            p->at[i].until_ms = r->time_ms;
            break;
        }
    if (p->n == p->room) {
        p->room = p->room ? 2 * p->room : 64;
        p->at = realloc(p->at, p->room * sizeof *p->at);
        if (!p->at)
            die("out of memory for a history");
    }
    p->at[p->n] = (struct period){ .row = *r };
    p->at[p->n].row.role = arena_copy(p->texts, r->role);
    p->at[p->n].row.model = arena_copy(p->texts, r->model);
    p->at[p->n++].row.why = arena_copy(p->texts, r->why);
}

static void put(struct json_out *o, const struct period *p)
{
    json_begin_object(o);
    admin_put_text(o, "role", p->row.role);
    admin_put_text(o, "model", p->row.model);
    admin_put_when(o, "from", p->row.time_ms);
    admin_put_when(o, "until", p->until_ms);
    json_key(o, STR("swap"));
    json_int_or_null(o, p->row.swap ? p->row.swap : -1);
    admin_put_text(o, "why", p->row.why);
    json_end_object(o);
}

static enum err_code look(struct admin_look *l, struct store *s)
{
    struct periods *p = l->ctx;
    p->texts = &l->arena;
    enum err_code rc = s ? served_read(s, p->role, on_row, p, &l->e) : ERR_OK;
    json_key(&l->out, STR("history"));
    json_begin_array(&l->out);
    for (size_t i = 0; i < p->n; i++)
        if (p->at[i].row.model.n) /* else the name is gone: told by the one before */
            put(&l->out, &p->at[i]);
    json_end_array(&l->out);
    free(p->at);
    return rc;
}

void admin_served(struct admin *a, struct http_req *r)
{
    struct admin_look *l = admin_look_new(a, r, look);
    struct periods *p = l->ctx = arena_new(&l->arena, struct periods);
    p->role = admin_query_text(l, "role");
    admin_look_go(a, l);
}
