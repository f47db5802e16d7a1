/* GET swaps/series?id=N: how each role of a swap was served of late, hour by hour: requests and faults from the hourly sums, the first token's median from the rows.
 * {"schema":1,"swap","series":[{"role","model","from","hours","requests":[…],"faults":[…],"ttft_ms":[…]}]}: of each role the new model's, then the old one's; of a swapped engine each
 * model's, whoever asks. */
#include "admin/admin_int.h"

#include "base/clock.h"
#include "evidence/series.h"
#include "evidence/swaps.h"

enum { DAY_MS = 24 * 3600 * 1000 };

struct wanted {
    int64_t swap;
    size_t n;
    struct series all[2 * SWAP_MAX_ROLES];
};

static void on_sum(void *ctx, const struct request_sum *r)
{
    struct wanted *w = ctx;
    for (size_t i = 0; i < w->n; i++)
        series_sum(&w->all[i], r);
}

struct some {
    struct series *at;
    size_t n;
};

static void on_row(void *ctx, const struct request_row *r)
{
    struct some *some = ctx;
    for (size_t i = 0; i < some->n; i++)
        series_row(&some->at[i], r);
}

/* Those of a role are read together. */
static enum err_code read_rows(struct admin_look *l, struct store *s, struct wanted *w)
{
    enum err_code rc = requests_sums(s, w->all[0].from_s, on_sum, w, &l->e);
    for (size_t i = 0, next; i < w->n && !rc; i = next) {
        struct series *first = &w->all[i];
        struct requests_wish wish = { .since_ms = first->from_s * 1000, .role = first->role, .model = first->role.n ? STR("") : first->model };
        for (next = i + 1; first->role.n && next < w->n && str_eq(first->role, w->all[next].role);)
            next++;
        struct some some = { first, next - i };
        rc = requests_read(s, &wish, on_row, &some, &l->e);
    }
    return rc;
}

static enum err_code look(struct admin_look *l, struct store *s)
{
    struct wanted *w = l->ctx;
    enum err_code rc = s && w->n ? read_rows(l, s, w) : ERR_OK;
    json_key(&l->out, STR("swap"));
    json_int(&l->out, w->swap);
    json_key(&l->out, STR("series"));
    json_begin_array(&l->out);
    for (size_t i = 0; i < w->n; i++)
        series_put(&w->all[i], &l->out);
    json_end_array(&l->out);
    for (size_t i = 0; i < w->n; i++)
        series_end(&w->all[i]);
    return rc;
}

/* Since the trial began; before that, the last day. */
static void want(struct admin_look *l, const struct swap *w)
{
    struct wanted *out = l->ctx = arena_new(&l->arena, struct wanted);
    int64_t now = clock_wall_ms(), from = w->from_ms ? w->from_ms : now - DAY_MS;
    out->swap = w->id;
    for (size_t i = 0; i < w->nroles; i++) {
        const struct str models[] = { w->roles[i].to, w->roles[i].from }, name = arena_copy(&l->arena, w->roles[i].name);
        if (w->engine.name.n)
            series_begin(&out->all[out->n++], STR(""), name, from, now);
        for (size_t k = 0; k < COUNTOF(models) && !w->engine.name.n; k++)
            series_begin(&out->all[out->n++], name, arena_copy(&l->arena, models[k]), from, now);
    }
}

void admin_swap_series(struct admin *a, struct http_req *r)
{
    int64_t id;
    struct err e;
    if (!admin_query_number(r, "id", &id))
        return;
    const struct swap *w = id < 0 ? NULL : swaps_find(a->swaps, id);
    if (!w) {
        err_set(&e, ERR_NOT_FOUND, "There is no such swap.");
        err_hint(&e, "`hob swap status` lists them; ?id= names one.");
        admin_refuse(r, &e);
        return;
    }
    struct admin_look *l = admin_look_new(a, r, look);
    want(l, w);
    admin_look_go(a, l);
}
