/* Swaps over the admin door.
 *
 *   GET  swaps?id=N           {"schema":1,"swaps":[…]}, or that one as an object
 *   GET  swaps/log?id=N&n=M&role=R   {"schema":1,"steps":[{"swap","time","actor","step","state","role","reason","roles":[…]}]}, oldest first
 *   POST swaps/plan           {"roles":[{"role","to"}] or "engine":{"name","to","version_from","version_to","build_from","build_to","architectures":{…}},"window_ms","share","alert_only","preflight":{…},"refused","why"}
 *   POST swaps/step           {"id","step":"evidence|smoke|shadow|start|promote|rollback|retire","role","why","force","early","window_ms","share","idle_ms","baseline","proof":{…}}
 *
 * A step answers with the swap as it is then, when it is written down and in force. */
#include "admin/admin_int.h"

#include "api/reply.h"
#include "base/arena.h"
#include "base/clock.h"
#include "evidence/swaps.h"
#include "json/json.h"
#include "store/swaps.h"

#include <stdlib.h>

enum { STEPS_DEFAULT = 100, STEPS_MOST = 100000, DAY_MS = 24 * 3600 * 1000, SHORTEST_MS = 1000 };

/* ---- answers ---- */

static void answer_swap(struct http_req *r, const struct swap *w)
{
    struct buf body = { 0 }, object = { 0 };
    struct json_out o = json_out(&object);
    swap_put(w, clock_wall_ms(), false, &o);
    buf_lit(&body, "{\"schema\":1,"); /* and the object behind its brace */
    buf_add(&body, str_from(buf_str(&object), 1));
    reply_json(r, 200, STR(""), buf_str(&body));
    buf_free(&object);
    buf_free(&body);
}

static void answer_all(struct admin *a, struct http_req *r)
{
    struct buf body = { 0 };
    struct json_out o = json_out(&body);
    swaps_refresh(a->swaps);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("swaps"));
    json_begin_array(&o);
    for (size_t i = 0; i < swaps_count(a->swaps); i++)
        swap_put(swaps_at(a->swaps, i), clock_wall_ms(), false, &o);
    json_end_array(&o);
    json_end_object(&o);
    reply_json(r, 200, STR(""), buf_str(&body));
    buf_free(&body);
}

void admin_swaps(struct admin *a, struct http_req *r)
{
    int64_t id;
    struct err e;
    if (!admin_query_number(r, "id", &id))
        return;
    if (!swaps_are_known(a->swaps)) {
        err_set(&e, ERR_STORE_FAILING, "Swaps are not known yet: the store is being opened.");
        e.retry_after_s = 1;
        admin_refuse(r, &e);
        return;
    }
    swaps_refresh(a->swaps);
    if (admin_swaps_with_shadows(a, r, id))
        return;
    const struct swap *w = id < 0 ? NULL : swaps_find(a->swaps, id);
    if (id < 0) {
        answer_all(a, r);
    } else if (w) {
        answer_swap(r, w);
    } else {
        err_set(&e, ERR_NOT_FOUND, "There is no swap %lld.", (long long)id);
        err_hint(&e, "`hob swap status` lists them.");
        admin_refuse(r, &e);
    }
}

/* ---- plans and steps ---- */

struct asking {
    struct admin *admin;
    struct http_req *r;
    bool here;                  /* on the admin socket: as a user who could start programs himself */
    struct json_doc body;
    struct arena texts;
    struct swaps_ask ask;
    struct swaps_plan plan;
    struct swap_proof proof;
};

static void asking_free(struct asking *k)
{
    json_free(&k->body);
    arena_fini(&k->texts);
    free(k);
}

static void asked(void *ctx, const struct swap *w, const struct err *e)
{
    struct asking *k = ctx;
    if (e)
        admin_refuse(k->r, e);
    else
        answer_swap(k->r, w);
    asking_free(k);
}

static void gone(void *ctx)
{
    struct asking *k = ctx;
    swaps_unask(k->admin->swaps, &k->ask);
    asking_free(k);
}

static const struct http_req_ops ops = { .on_gone = gone };

static enum err_code wrong(struct err *e, const char *field, const char *want)
{
    err_set(e, ERR_INVALID_REQUEST, "`%s` must be %s.", field, want);
    return err_param(e, "%s", field);
}

static enum err_code take_text(struct asking *k, yyjson_val *obj, const char *field, struct str *out, struct err *e)
{
    yyjson_val *v = yyjson_obj_get(obj, field);
    if (v && !yyjson_is_null(v) && !yyjson_is_str(v))
        return wrong(e, field, "a text");
    *out = arena_copy(&k->texts, json_str(v));
    return ERR_OK;
}

static enum err_code take_bool(yyjson_val *obj, const char *field, bool *out, struct err *e)
{
    yyjson_val *v = yyjson_obj_get(obj, field);
    *out = yyjson_is_true(v);
    return v && !yyjson_is_bool(v) ? wrong(e, field, "true or false") : ERR_OK;
}

static enum err_code take_window(yyjson_val *obj, int64_t otherwise, int64_t *out, struct err *e)
{
    yyjson_val *v = yyjson_obj_get(obj, "window_ms");
    *out = yyjson_is_int(v) ? yyjson_get_sint(v) : otherwise;
    if (v && (!yyjson_is_int(v) || *out < SHORTEST_MS || *out > 365 * (int64_t)DAY_MS))
        return wrong(e, "window_ms", "a number of milliseconds, from a second to a year");
    return ERR_OK;
}

static enum err_code take_idle(yyjson_val *obj, int64_t *out, struct err *e)
{
    yyjson_val *v = yyjson_obj_get(obj, "idle_ms");
    *out = yyjson_is_int(v) ? yyjson_get_sint(v) : 0;
    if (v && (!yyjson_is_int(v) || *out < 1 || *out > DAY_MS))
        return wrong(e, "idle_ms", "a number of milliseconds, a day at most");
    return ERR_OK;
}

static enum err_code take_share(yyjson_val *obj, const char *field, double otherwise, double *out, struct err *e)
{
    yyjson_val *v = yyjson_obj_get(obj, field);
    *out = yyjson_is_num(v) ? yyjson_get_num(v) : otherwise;
    if (v && (!yyjson_is_num(v) || !(*out > 0) || *out > 1))
        return wrong(e, field, "a share above 0, and 1 at most");
    return ERR_OK;
}

static struct str raw_of(struct asking *k, yyjson_val *v)
{
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    if (!v || yyjson_is_null(v))
        return STR("");
    json_value(&o, v);
    struct str kept = arena_copy(&k->texts, buf_str(&text));
    buf_free(&text);
    return kept;
}

static enum err_code read_engine(struct asking *k, yyjson_val *v, struct err *e)
{
    struct swap_engine *g = &k->plan.engine;
    const struct { const char *field; struct str *to; } texts[] = { { "name", &g->name }, { "to", &g->to }, { "version_from", &g->version_from },
        { "version_to", &g->version_to }, { "build_from", &g->build_from }, { "build_to", &g->build_to } };
    enum err_code rc = ERR_OK;
    if (!k->here) { /* as with an upgrade (upgrade.c) */
        err_set(e, ERR_INVALID_REQUEST, "Which program is an engine is said on the admin socket only.");
        return err_param(e, "engine");
    }
    for (size_t i = 0; i < COUNTOF(texts) && !rc; i++)
        rc = take_text(k, v, texts[i].field, texts[i].to, e);
    g->architectures = raw_of(k, yyjson_obj_get(v, "architectures"));
    return rc || g->name.n ? rc : wrong(e, "engine", "an object with a name, and the new build's path in `to`");
}

static enum err_code read_plan(struct asking *k, struct err *e)
{
    yyjson_val *root = k->body.root, *roles = yyjson_obj_get(root, "roles"), *engine = yyjson_obj_get(root, "engine"), *role;
    struct swaps_plan *p = &k->plan;
    enum err_code rc = engine && !yyjson_is_null(engine) ? read_engine(k, engine, e) : ERR_OK;
    size_t i, n;
    if (rc)
        return rc;
    if (!(p->engine.name.n && !yyjson_arr_size(roles)) && (!yyjson_is_arr(roles) || !yyjson_arr_size(roles) || yyjson_arr_size(roles) > SWAP_MAX_ROLES))
        return wrong(e, "roles", "a list of one to 16 of {\"role\", \"to\"}");
    yyjson_arr_foreach(roles, i, n, role) {
        if (!rc)
            rc = take_text(k, role, "role", &p->roles[p->nroles].name, e);
        if (!rc)
            rc = take_text(k, role, "to", &p->roles[p->nroles++].to, e);
    }
    if (!rc)
        rc = take_window(root, 7 * (int64_t)DAY_MS, &p->window_ms, e);
    if (!rc)
        rc = take_share(root, "share", 1, &p->share, e);
    if (!rc)
        rc = take_bool(root, "alert_only", &p->alert_only, e);
    if (!rc)
        rc = take_bool(root, "refused", &p->refused, e);
    if (!rc)
        rc = take_text(k, root, "why", &p->why, e);
    p->preflight = raw_of(k, yyjson_obj_get(root, "preflight"));
    k->ask.plan = p;
    return rc;
}

static int64_t count_of(yyjson_val *obj, const char *field)
{
    yyjson_val *v = yyjson_obj_get(obj, field);
    return yyjson_is_int(v) ? yyjson_get_sint(v) : 0;
}

static enum err_code read_proof(struct asking *k, yyjson_val *v, struct err *e)
{
    struct swap_proof *p = &k->proof;
    yyjson_val *ci = yyjson_obj_get(v, "ci"), *needed = yyjson_obj_get(v, "needed");
    struct str verdict = json_str(yyjson_obj_get(v, "verdict"));
    enum err_code rc = take_text(k, v, "suite", &p->suite, e);
    if (!rc)
        rc = take_text(k, v, "run", &p->run, e);
    if (!rc)
        rc = take_text(k, v, "note", &p->note, e);
    p->pairs = count_of(v, "pairs");
    p->both = count_of(v, "both");
    p->only_old = count_of(v, "only_old");
    p->only_new = count_of(v, "only_new");
    p->neither = count_of(v, "neither");
    p->difference = yyjson_get_num(yyjson_obj_get(v, "difference"));
    p->lo = yyjson_get_num(yyjson_arr_get(ci, 0));
    p->hi = yyjson_get_num(yyjson_arr_get(ci, 1));
    p->needed = yyjson_is_int(needed) ? yyjson_get_sint(needed) : -1;
    for (size_t i = 1; i < SWAP_VERDICTS; i++)
        if (str_eq(verdict, str_of(swap_verdict_name[i])))
            p->verdict = (enum swap_verdict)i;
    if (!rc && (!p->suite.n || !p->verdict))
        rc = wrong(e, "proof", "an object with a suite and a verdict");
    k->ask.wish.proof = p;
    return rc;
}

/* A guard's breach is no step of people's. */
static enum err_code read_step_name(struct asking *k, struct err *e)
{
    struct str name = json_str(yyjson_obj_get(k->body.root, "step"));
    for (size_t i = STEP_PLAN + 1; i < STEP_BREACH; i++)
        if (str_eq(name, str_of(swap_step_name[i]))) {
            k->ask.wish.step = (enum swap_step)i;
            return ERR_OK;
        }
    return wrong(e, "step", "evidence, smoke, shadow, start, promote, rollback or retire");
}

static enum err_code take_baseline(struct asking *k, struct err *e)
{
    struct str *b = &k->ask.wish.baseline;
    enum err_code rc = take_text(k, k->body.root, "baseline", b, e);
    if (!rc && b->n && !str_eq(*b, STR("rows")) && !str_eq(*b, STR("saved")) && !str_eq(*b, STR("none")))
        rc = wrong(e, "baseline", "rows, saved or none");
    return rc;
}

static enum err_code read_step(struct asking *k, struct err *e)
{
    yyjson_val *root = k->body.root, *id = yyjson_obj_get(root, "id");
    struct swap_wish *w = &k->ask.wish;
    enum err_code rc = yyjson_is_int(id) && yyjson_get_sint(id) > 0 ? ERR_OK : wrong(e, "id", "the number of a swap");
    k->ask.id = yyjson_get_sint(id);
    if (!rc)
        rc = read_step_name(k, e);
    if (!rc)
        rc = take_text(k, root, "role", &w->role, e);
    if (!rc)
        rc = take_text(k, root, "why", &w->why, e);
    if (!rc)
        rc = take_bool(root, "force", &w->force, e);
    if (!rc)
        rc = take_bool(root, "early", &w->early, e);
    if (!rc)
        rc = take_window(root, 0, &w->window_ms, e);
    if (!rc)
        rc = take_share(root, "share", 0, &w->share, e);
    if (!rc)
        rc = take_baseline(k, e);
    if (!rc)
        rc = take_idle(root, &w->idle_ms, e);
    if (!rc && w->step == STEP_EVIDENCE)
        rc = read_proof(k, yyjson_obj_get(root, "proof"), e);
    if (!rc && (w->step == STEP_EVIDENCE || w->step == STEP_SMOKE) && !w->role.n)
        rc = wrong(e, "role", "named for this step");
    return rc;
}

static void ask(struct admin *a, struct http_req *r, enum err_code (*read)(struct asking *k, struct err *e))
{
    struct asking *k = calloc(1, sizeof *k);
    struct err e;
    if (!k)
        die("out of memory for a step of a swap");
    arena_init(&k->texts);
    k->admin = a;
    k->r = r;
    k->here = http_req_server(r) == a->server;
    enum err_code rc = json_parse(&k->body, http_req_body(r), &e);
    if (!rc && !yyjson_is_obj(k->body.root))
        rc = err_set(&e, ERR_INVALID_REQUEST, "The body must be a JSON object.");
    if (!rc)
        rc = read(k, &e);
    if (rc) {
        admin_refuse(r, &e);
        asking_free(k);
        return;
    }
    k->ask.actor = k->here ? STR("cli") : STR("admin key");
    k->ask.on_done = asked;
    k->ask.ctx = k;
    http_req_watch(r, &ops, k);
    swaps_ask(a->swaps, &k->ask);
}

void admin_swap_plan(struct admin *a, struct http_req *r)
{
    ask(a, r, read_plan);
}

void admin_swap_step(struct admin *a, struct http_req *r)
{
    ask(a, r, read_step);
}

/* ---- what has been ---- */

static void put_figures(struct json_out *o, struct str figures)
{
    struct json_doc d = { 0 };
    struct err e;
    json_key(o, STR("roles"));
    if (figures.n && !json_parse(&d, figures, &e) && yyjson_obj_get(d.root, "roles"))
        json_value(o, yyjson_obj_get(d.root, "roles"));
    else
        json_raw(o, STR("[]"));
    if (yyjson_obj_get(d.root, "engine")) {
        json_key(o, STR("engine"));
        json_value(o, yyjson_obj_get(d.root, "engine"));
    }
    json_free(&d);
}

struct wanted {
    int64_t swap, last;     /* swap below 1: of all */
    struct str role;        /* empty: of all; of a build's swap a model */
    struct json_out *out;
};

static bool names(yyjson_val *list, struct str role)
{
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(list, i, n, v)
        if (str_eq(json_str(yyjson_is_obj(v) ? yyjson_obj_get(v, "role") : v), role))
            return true;
    return false;
}

/* What a step moved is in its figures. */
static bool is_of(const struct swap_step_row *r, struct str role)
{
    struct json_doc d = { 0 };
    struct err e;
    if (!role.n)
        return true;
    bool moved = !json_parse(&d, r->figures, &e) && (names(yyjson_obj_get(d.root, "roles"), role) || names(yyjson_obj_get(yyjson_obj_get(d.root, "engine"), "models"), role));
    json_free(&d);
    return moved;
}

static void put_step(void *ctx, const struct swap_step_row *r)
{
    const struct wanted *w = ctx;
    struct json_out *o = w->out;
    if (!is_of(r, w->role))
        return;
    json_begin_object(o);
    json_key(o, STR("swap"));
    json_int(o, r->swap);
    admin_put_when(o, "time", r->time_ms);
    admin_put_text(o, "actor", r->actor);
    admin_put_text(o, "step", r->step);
    admin_put_text(o, "state", r->state);
    admin_put_text(o, "role", r->role);
    admin_put_text(o, "reason", r->reason);
    put_figures(o, r->figures);
    json_end_object(o);
}

static enum err_code look(struct admin_look *l, struct store *s)
{
    struct wanted *w = l->ctx;
    w->out = &l->out;
    json_key(&l->out, STR("steps"));
    json_begin_array(&l->out);
    enum err_code rc = s ? swap_steps_read(s, w->swap > 0 ? w->swap : 0, (size_t)w->last, put_step, w, &l->e) : ERR_OK;
    json_end_array(&l->out);
    return rc;
}

void admin_swap_log(struct admin *a, struct http_req *r)
{
    int64_t id, n;
    if (!admin_query_number(r, "id", &id) || !admin_query_number(r, "n", &n))
        return;
    struct admin_look *l = admin_look_new(a, r, look);
    struct wanted *w = l->ctx = arena_new(&l->arena, struct wanted);
    w->swap = id;
    w->role = admin_query_text(l, "role");
    w->last = n > 0 ? n : w->role.n ? STEPS_MOST : STEPS_DEFAULT; /* those of one role are counted among all */
    admin_look_go(a, l);
}
