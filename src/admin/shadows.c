/* Swaps with their shadows: the pairs are in the store, and what they say takes some drawing of lots; both is for the pool. */
#include "admin/admin_int.h"

#include "api/reply.h"
#include "api/shadow.h"
#include "base/arena.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "evidence/shadow.h"
#include "evidence/swaps.h"
#include "json/json.h"

#include <stdlib.h>

/* One swap: as the loop knows it. */
struct shown {
    struct str text;        /* its object */
    int64_t id;
    bool shadowed, on;      /* it had a shadow; it has one now */
    double share;
    int64_t idle_ms, from_ms;
    struct shadow_figures now; /* all its roles together */
};

struct showing {
    struct http_req *r;     /* NULL: who asked has left */
    struct work work;
    struct arena arena;
    struct str state;
    struct shown *all;
    size_t n;
    bool one;
    struct buf body;
    bool failing;           /* the store cannot be opened */
};

/* ---- on the loop ---- */

static void add_figures(struct admin *a, const struct swap *w, struct shown *s)
{
    for (size_t i = 0; i < w->nroles; i++) {
        struct shadow_figures f;
        s->on |= w->roles[i].state == SWAP_SHADOW;
        if (w->roles[i].state != SWAP_SHADOW || !a->api || !api_shadow_figures(a->api, w->id, w->roles[i].name, &f))
            continue;
        s->now.waiting += f.waiting;
        s->now.dropped += f.dropped;
        s->now.cancelled += f.cancelled;
        s->now.unfit += f.unfit;
        s->now.waits = f.waits[0] ? f.waits : s->now.waits;
    }
}

static void note(struct admin *a, struct showing *k, const struct swap *w)
{
    struct shown *s = &k->all[k->n++];
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    swap_put(w, clock_wall_ms(), false, &o);
    *s = (struct shown){ .text = arena_copy(&k->arena, buf_str(&text)), .id = w->id, .shadowed = w->shadow_ms > 0, .share = w->shadow_share, .idle_ms = w->shadow_idle_ms,
        .from_ms = w->shadow_ms, .now.waits = "" };
    buf_free(&text);
    if (s->shadowed)
        add_figures(a, w, s);
}

/* ---- on the pool ---- */

static void put_int(struct json_out *o, const char *key, int64_t v)
{
    json_key(o, str_of(key));
    json_int(o, v);
}

static void put_shadow(const struct shown *s, const struct shadow_report *report, struct buf *to)
{
    struct json_out o = json_out(to);
    struct shadow_totals t;
    shadow_report_totals(report, &t);
    json_begin_object(&o);
    json_key(&o, STR("on"));
    json_bool(&o, s->on);
    json_key(&o, STR("share"));
    json_double(&o, s->share, 6);
    put_int(&o, "idle_ms", s->idle_ms);
    admin_put_when(&o, "from", s->from_ms);
    put_int(&o, "pairs", t.pairs);
    put_int(&o, "dropped", t.dropped + s->now.dropped);
    put_int(&o, "cancelled", t.cancelled + s->now.cancelled);
    put_int(&o, "unfit", t.unfit + s->now.unfit);
    put_int(&o, "waiting", (int64_t)s->now.waiting);
    json_key(&o, STR("waits"));
    json_string_or_null(&o, str_of(s->now.waits));
    json_key(&o, STR("cost"));
    if (t.cost < 0)
        json_null(&o);
    else
        json_double(&o, t.cost, 6);
    json_key(&o, STR("measures"));
    shadow_report_measures(report, &o);
    json_end_object(&o);
}

static void add_row(void *ctx, const struct shadow_row *row)
{
    shadow_report_add(ctx, row);
}

/* The object, with `shadow` as its last member: null where the store cannot be read, since how the swap is is known all the same. */
static void write_one(struct showing *k, struct store *st, const struct shown *s)
{
    struct err e;
    if (!s->shadowed) {
        buf_add(&k->body, s->text);
        return;
    }
    struct shadow_report *report = shadow_report_new();
    bool known = !k->failing && (!st || !shadows_read(st, s->id, add_row, report, &e));
    buf_add(&k->body, str_make(s->text.p, s->text.n - 1));
    buf_lit(&k->body, ",\"shadow\":");
    if (known)
        put_shadow(s, report, &k->body);
    else
        buf_lit(&k->body, "null");
    buf_lit(&k->body, "}");
    shadow_report_free(report);
}

static void write_all(struct showing *k, struct store *st)
{
    buf_add(&k->body, k->one ? STR("") : STR("{\"schema\":1,\"swaps\":["));
    for (size_t i = 0; i < k->n; i++) {
        if (i)
            buf_lit(&k->body, ",");
        write_one(k, st, &k->all[i]);
    }
    buf_add(&k->body, k->one ? STR("") : STR("]}"));
}

static void look(void *ctx)
{
    struct showing *k = ctx;
    struct store *st = NULL;
    struct err e;
    k->failing = store_open_to_read(k->state, &st, &e) != ERR_OK;
    write_all(k, st);
    store_close(st);
}

static void looked(void *ctx)
{
    struct showing *k = ctx;
    struct buf body = { 0 };
    if (k->one)
        buf_lit(&body, "{\"schema\":1,"); /* and the object behind its brace */
    buf_add(&body, str_from(buf_str(&k->body), k->one));
    if (k->r)
        admin_answer(k->r, buf_str(&body), NULL);
    buf_free(&body);
    buf_free(&k->body);
    arena_fini(&k->arena);
    free(k);
}

static void gone(void *ctx)
{
    struct showing *k = ctx;
    k->r = NULL; /* the pool still has it */
}

static const struct http_req_ops ops = { .on_gone = gone };

static bool has_one(struct admin *a, int64_t id)
{
    for (size_t i = 0; i < swaps_count(a->swaps); i++)
        if ((id < 0 || swaps_at(a->swaps, i)->id == id) && swaps_at(a->swaps, i)->shadow_ms)
            return true;
    return false;
}

bool admin_swaps_with_shadows(struct admin *a, struct http_req *r, int64_t id)
{
    size_t all = swaps_count(a->swaps);
    if (!has_one(a, id))
        return false;
    struct showing *k = calloc(1, sizeof *k);
    if (!k)
        die("out of memory for swaps");
    arena_init(&k->arena);
    k->r = r;
    k->one = id >= 0;
    k->all = arena_array(&k->arena, struct shown, all);
    k->state = arena_copy(&k->arena, world_config(fleet_world(a->fleet))->state);
    for (size_t i = 0; i < all; i++)
        if (id < 0 || swaps_at(a->swaps, i)->id == id)
            note(a, k, swaps_at(a->swaps, i));
    http_req_watch(r, &ops, k);
    work_init(&k->work, look, looked, k);
    loop_work(a->loop, &k->work);
    return true;
}
