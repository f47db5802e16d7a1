/* Kept baselines. What is saved is a text of guards that have seen nothing (guards_put), so that a trial begins with it as with one of rows. */
#include "evidence/baselines.h"

#include "base/clock.h"
#include "conf/conf.h"
#include "evidence/swaps_int.h"
#include "store/baselines.h"

#include <stdio.h>
#include <stdlib.h>

enum { OLD_DAYS = 30, BASELINE_ROWS = 50000, DAY_MS = 24 * 3600 * 1000 };

/* ---- on the pool ---- */

struct reading {
    const struct guard_whom *old;
    struct baseline *b;
};

static void on_row(void *ctx, const struct request_row *r)
{
    struct reading *k = ctx;
    baseline_see(k->b, k->old, r);
}

enum err_code baseline_of_rows(struct store *st, const struct guard_whom *old, struct baseline *b, struct err *e)
{
    struct reading k = { old, b };
    /* by role and not by model: also what another had to answer for it */
    struct requests_wish w = { .since_ms = clock_wall_ms() - OLD_DAYS * (int64_t)DAY_MS, .last = BASELINE_ROWS, .role = old->role,
        .model = old->role.n ? STR("") : old->model };
    return st ? requests_read(st, &w, on_row, &k, e) : ERR_OK;
}

struct saved {
    struct guards *to;
    bool found;
};

static void on_saved(void *ctx, struct str role, struct str text)
{
    struct saved *s = ctx;
    s->found = guards_read(s->to, text);
}

bool baseline_saved(struct store *st, struct str role, struct guards *out, struct err *e)
{
    struct saved s = { .to = out };
    e->code = ERR_OK;
    if (!st || !role.n || baselines_read(st, role, on_saved, &s, e))
        return false;
    e->code = ERR_OK;
    snprintf(out->origin.source, sizeof out->origin.source, "saved");
    return s.found;
}

/* ---- what is to be thought of it ---- */

static void remark(struct guards_origin *from, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void remark(struct guards_origin *from, const char *fmt, ...)
{
    size_t n = strlen(from->note);
    va_list ap;
    va_start(ap, fmt);
    if (n && n + 2 < sizeof from->note)
        n += (size_t)snprintf(from->note + n, sizeof from->note - n, "; ");
    vsnprintf(from->note + n, sizeof from->note - n, fmt, ap);
    va_end(ap);
}

void baseline_judge(struct guards_origin *from, struct str model, const char *engine, int64_t now_ms)
{
    int64_t days = from->until_ms ? (now_ms - from->until_ms) / DAY_MS : 0;
    from->note[0] = 0;
    if (!str_eq(str_of(from->model), model))
        remark(from, "it is of %.60s, and not of %.*s", from->model, (int)(model.n < 60 ? model.n : 60), model.p);
    if (from->engine[0] && engine[0] && strcmp(from->engine, engine) != 0)
        remark(from, "it is of another build of the engine");
    if (days > OLD_DAYS)
        remark(from, "its last request is %lld days old", (long long)days);
}

/* ---- who asks ---- */

struct baseline_ask {
    struct swaps *swaps;        /* gone with them: then on_done is NULL, too */
    struct list node;           /* among theirs */
    enum baseline_wish wish;
    struct work work;
    struct arena arena;
    struct str role, state;
    struct guard_whom whom;     /* SAVE: who answers it now */
    struct guards_origin origin;
    struct guards *guards;      /* SAVE */
    struct buf kept;            /* SHOW: pairs of role and text, each with its length before it */
    struct baseline_put put;
    struct buf text, answer;
    void (*on_done)(void *ctx, struct str json, const struct err *e);
    void *ctx;
    enum err_code rc;
    struct err e;
};

static void ask_free(struct baseline_ask *a)
{
    list_remove(&a->node);
    buf_free(&a->kept);
    buf_free(&a->text);
    buf_free(&a->answer);
    arena_fini(&a->arena);
    free(a->guards);
    free(a);
}

static void ask_end(struct baseline_ask *a)
{
    if (a->on_done)
        a->on_done(a->ctx, buf_str(&a->answer), a->rc ? &a->e : NULL);
    ask_free(a);
}

static void keep_text(struct buf *kept, struct str text)
{
    const uint64_t n = text.n;
    buf_add(kept, (struct str){ (const char *)&n, sizeof n });
    buf_add(kept, text);
}

static void on_kept(void *ctx, struct str role, struct str text)
{
    struct buf *kept = ctx;
    keep_text(kept, role);
    keep_text(kept, text);
}

static enum err_code look_at_rows(struct baseline_ask *a, struct store *st)
{
    struct baseline b;
    baseline_begin(&b);
    enum err_code rc = baseline_of_rows(st, &a->whom, &b, &a->e);
    if (!rc)
        guards_begin(a->guards, &b);
    baseline_end(&b);
    return rc;
}

static void look(void *ctx)
{
    struct baseline_ask *a = ctx;
    struct store *st = NULL;
    a->rc = store_open_to_read(a->state, &st, &a->e);
    if (!a->rc && a->wish == BASELINE_SAVE)
        a->rc = look_at_rows(a, st);
    else if (!a->rc && st)
        a->rc = baselines_read(st, a->role, on_kept, &a->kept, &a->e);
    store_close(st);
}

/* ---- answers ---- */

static void begin_answer(struct baseline_ask *a, struct json_out *o)
{
    *o = json_out(&a->answer);
    json_begin_object(o);
    json_key(o, STR("schema"));
    json_int(o, 1);
}

/* As it is, and what would be thought of it now. */
static void put_one(struct baseline_ask *a, struct guards *g, struct str role, struct json_out *o)
{
    const struct conf_model *is = swaps_serving(a->swaps, role);
    struct swaps_place place;
    swaps_place_of(a->swaps, is ? is->name : STR(""), &place);
    if (is)
        baseline_judge(&g->origin, is->name, place.engine, clock_wall_ms());
    else
        snprintf(g->origin.note, sizeof g->origin.note, "there is no such role any more");
    guards_view_base(g, role, o);
}

static struct str take_text(const struct buf *kept, size_t *at)
{
    uint64_t n;
    memcpy(&n, kept->p + *at, sizeof n);
    struct str text = { kept->p + *at + sizeof n, (size_t)n };
    *at += sizeof n + (size_t)n;
    return text;
}

static void answer_kept(struct baseline_ask *a)
{
    struct guards *g = malloc(sizeof *g);
    struct json_out o;
    if (!g)
        die("out of memory for a baseline");
    begin_answer(a, &o);
    json_key(&o, STR("baselines"));
    json_begin_array(&o);
    for (size_t at = 0; at < a->kept.n;) {
        struct str role = take_text(&a->kept, &at), text = take_text(&a->kept, &at);
        if (guards_read(g, text))
            put_one(a, g, role, &o);
    }
    json_end_array(&o);
    json_end_object(&o);
    free(g);
}

static void answer_put(struct baseline_ask *a)
{
    struct json_out o;
    begin_answer(a, &o);
    if (a->wish == BASELINE_SAVE) {
        json_key(&o, STR("baselines"));
        json_begin_array(&o);
        put_one(a, a->guards, a->role, &o);
        json_end_array(&o);
    } else {
        json_key(&o, STR("role"));
        json_string(&o, a->role);
        json_key(&o, STR("forgotten"));
        json_bool(&o, a->put.was_there);
    }
    json_end_object(&o);
}

/* ---- writing ---- */

static void on_put(void *ctx, const struct err *e)
{
    struct baseline_ask *a = ctx;
    if (e) {
        a->rc = err_set(&a->e, ERR_STORE_FAILING, "It is not written down, since the store fails: %.150s", e->text);
    } else if (a->swaps) {
        answer_put(a);
    }
    ask_end(a);
}

static void write_down(struct baseline_ask *a)
{
    a->put = (struct baseline_put){ .role = a->role, .text = buf_str(&a->text), .on_done = on_put, .ctx = a };
    baselines_put(a->swaps->store, &a->put);
}

static void save(struct baseline_ask *a)
{
    struct json_out o = json_out(&a->text);
    if (!a->guards->base_requests) {
        a->rc = err_set(&a->e, ERR_WRONG_STATE, "No request of '%.*s' that %.*s answered is on record.", STR_ARG(a->role), STR_ARG(a->whom.model));
        err_hint(&a->e, "Save it when there are some: `hob logs --model %.*s --requests` shows them.", STR_ARG(a->whom.model));
        ask_end(a);
        return;
    }
    a->origin.from_ms = a->guards->origin.from_ms;
    a->origin.until_ms = a->guards->origin.until_ms;
    a->guards->origin = a->origin;
    guards_put(a->guards, &o);
    write_down(a);
}

static void looked(void *ctx)
{
    struct baseline_ask *a = ctx;
    if (a->rc || !a->swaps) {
        ask_end(a);
    } else if (a->wish == BASELINE_SAVE) {
        save(a);
    } else {
        answer_kept(a);
        ask_end(a);
    }
}

/* ---- asking ---- */

/* Whose requests they are has to be plain. */
static enum err_code check_save(struct baseline_ask *a)
{
    struct swaps *s = a->swaps;
    const struct conf_model *is = swaps_serving(s, a->role);
    struct swaps_place place;
    if (!is)
        return swaps_no_such_role(s, a->role, &a->e);
    for (size_t i = 0; i < swaps_count(s); i++) {
        const struct swap *w = swaps_at(s, i);
        for (size_t k = 0; k < w->nroles; k++)
            if (w->roles[k].state == SWAP_TRIAL && str_eq(w->roles[k].name, a->role)) {
                err_set(&a->e, ERR_WRONG_STATE, "'%.*s' is on trial in swap %lld: its baseline is what the old model did before.", STR_ARG(a->role), (long long)w->id);
                return err_hint(&a->e, "Save it before a trial, or when it is over.");
            }
    }
    swaps_place_of(s, is->name, &place);
    a->whom = (struct guard_whom){ a->role, arena_copy(&a->arena, is->name) };
    a->origin = (struct guards_origin){ .source = "saved", .saved_ms = clock_wall_ms() };
    snprintf(a->origin.model, sizeof a->origin.model, "%.*s", STR_ARG(is->name));
    snprintf(a->origin.engine, sizeof a->origin.engine, "%s", place.engine);
    a->guards = malloc(sizeof *a->guards);
    if (!a->guards)
        die("out of memory for a baseline");
    return ERR_OK;
}

static void refuse(void *ctx)
{
    (void)ctx; /* the pool's turn, so that on_done does not run from inside of baselines_ask() */
}

struct baseline_ask *baselines_ask(struct swaps *s, enum baseline_wish wish, struct str role, void (*on_done)(void *ctx, struct str json, const struct err *e), void *ctx)
{
    struct baseline_ask *a = calloc(1, sizeof *a);
    if (!a)
        die("out of memory for a baseline");
    arena_init(&a->arena);
    a->swaps = s;
    a->wish = wish;
    a->role = arena_copy(&a->arena, role);
    a->state = arena_copy(&a->arena, s->ops->config(s->ctx)->state);
    a->on_done = on_done;
    a->ctx = ctx;
    list_init(&a->node);
    list_push(&s->baselines, &a->node);
    if (wish == BASELINE_SAVE)
        a->rc = check_save(a);
    if (wish == BASELINE_FORGET) {
        write_down(a);
        return a;
    }
    work_init(&a->work, a->rc ? refuse : look, looked, a);
    loop_work(s->loop, &a->work);
    return a;
}

void baselines_unask(struct baseline_ask *a)
{
    a->on_done = NULL;
}

void baselines_free(struct swaps *s)
{
    for (struct list *n; (n = list_take(&s->baselines));) {
        struct baseline_ask *a = list_entry(n, struct baseline_ask, node);
        list_init(&a->node);
        a->swaps = NULL;
        a->on_done = NULL;
    }
}
