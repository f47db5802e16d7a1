/* Runs of suites over the admin door: `hob eval run` asks models at the public door, grades what they say, and puts it here.
 *
 *   GET  evals?n=M            {"schema":1,"runs":[{"run","suite","state","began","ended","about":{…}}]}, newest first
 *   GET  evals/show?run=N     the same for one, with "results":[{"place","item","turn","passed":true|false|null,"score","fault","about":{…}}]
 *   POST evals                {"suite","about":{…}}: a new one, which answers with its number
 *   POST evals/results        {"run","state","about","results":[…]}: written over what is there of the same place, item and turn; state and about may be left out */
#include "admin/admin_int.h"
#include "admin/reports.h"

#include "api/reply.h"
#include "base/arena.h"
#include "base/clock.h"
#include "json/json.h"
#include "store/evals.h"

#include <stdlib.h>

enum { RUNS_DEFAULT = 50, MOST_RESULTS = 1000 };

/* ---- putting ---- */

struct putting {
    struct admin *admin;
    struct http_req *r;         /* NULL: who asked has left */
    struct json_doc body;
    struct arena texts;
    struct eval_put put;
};

static void putting_free(struct putting *p)
{
    json_free(&p->body);
    arena_fini(&p->texts);
    free(p);
}

static void written(void *ctx, const struct err *e)
{
    struct putting *p = ctx;
    struct buf body = { 0 };
    buf_printf(&body, "{\"schema\":1,\"run\":%lld}", (long long)p->put.row.run);
    if (p->r)
        admin_answer(p->r, buf_str(&body), e);
    buf_free(&body);
    putting_free(p);
}

static void gone(void *ctx)
{
    struct putting *p = ctx;
    p->r = NULL; /* the store still has it */
}

static const struct http_req_ops ops = { .on_gone = gone };

static enum err_code wrong(struct err *e, const char *field, const char *want)
{
    err_set(e, ERR_INVALID_REQUEST, "`%s` must be %s.", field, want);
    return err_param(e, "%s", field);
}

static struct str raw_of(struct putting *p, yyjson_val *v)
{
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    json_value(&o, v);
    struct str kept = arena_copy(&p->texts, buf_str(&text));
    buf_free(&text);
    return kept;
}

static enum err_code read_new(struct putting *p, struct err *e)
{
    yyjson_val *suite = yyjson_obj_get(p->body.root, "suite"), *about = yyjson_obj_get(p->body.root, "about");
    if (!yyjson_is_str(suite) || !yyjson_get_len(suite))
        return wrong(e, "suite", "the name of a suite");
    if (!yyjson_is_obj(about))
        return wrong(e, "about", "an object");
    p->put.row = (struct eval_row){ .began_ms = clock_wall_ms(), .suite = json_str(suite), .state = STR("running"), .text = raw_of(p, about) };
    return ERR_OK;
}

static enum err_code read_result(struct putting *p, yyjson_val *v, struct eval_result *r, struct err *e)
{
    yyjson_val *turn = yyjson_obj_get(v, "turn"), *passed = yyjson_obj_get(v, "passed"), *score = yyjson_obj_get(v, "score"), *about = yyjson_obj_get(v, "about");
    *r = (struct eval_result){ .place = json_str(yyjson_obj_get(v, "place")), .item = json_str(yyjson_obj_get(v, "item")), .fault = json_str(yyjson_obj_get(v, "fault")),
        .turn = yyjson_get_sint(turn), .score = yyjson_get_num(score), .passed = yyjson_is_bool(passed) ? yyjson_is_true(passed) : -1 };
    if (!r->place.n || !r->item.n || !yyjson_is_int(turn) || r->turn < 1 || !yyjson_is_obj(about))
        return wrong(e, "results", "a list of {\"place\", \"item\", \"turn\", \"passed\", \"score\", \"fault\", \"about\"}");
    r->text = raw_of(p, about);
    return ERR_OK;
}

static enum err_code read_results(struct putting *p, struct err *e)
{
    yyjson_val *root = p->body.root, *run = yyjson_obj_get(root, "run"), *results = yyjson_obj_get(root, "results"), *state = yyjson_obj_get(root, "state");
    yyjson_val *about = yyjson_obj_get(root, "about"), *v;
    enum err_code rc = ERR_OK;
    size_t i, n = yyjson_arr_size(results), max;
    struct eval_result *at = arena_array(&p->texts, struct eval_result, n ? n : 1);
    if (!yyjson_is_int(run) || yyjson_get_sint(run) < 1)
        return wrong(e, "run", "the number of a run");
    if (n > MOST_RESULTS)
        return wrong(e, "results", "a list of 1,000 at most");
    if (state && (!yyjson_is_str(state) || !yyjson_is_obj(about)))
        return wrong(e, "state", "a word, with `about` beside it");
    yyjson_arr_foreach(results, i, max, v)
        if (!rc)
            rc = read_result(p, v, &at[i], e);
    p->put.row.run = yyjson_get_sint(run);
    p->put.results = at;
    p->put.nresults = n;
    if (!rc && state) {
        p->put.row_too = true;
        p->put.row.state = json_str(state);
        p->put.row.text = raw_of(p, about);
        p->put.row.ended_ms = str_eq(p->put.row.state, STR("running")) ? 0 : clock_wall_ms();
    }
    if (!rc && !state && !n)
        rc = wrong(e, "results", "a list");
    return rc;
}

static void put(struct admin *a, struct http_req *r, enum err_code (*read)(struct putting *p, struct err *e))
{
    struct putting *p = calloc(1, sizeof *p);
    struct err e;
    if (!p)
        die("out of memory for results");
    arena_init(&p->texts);
    p->admin = a;
    p->r = r;
    enum err_code rc = json_parse(&p->body, http_req_body(r), &e);
    if (!rc && !yyjson_is_obj(p->body.root))
        rc = err_set(&e, ERR_INVALID_REQUEST, "The body must be a JSON object.");
    if (!rc)
        rc = read(p, &e);
    if (rc) {
        admin_refuse(r, &e);
        putting_free(p);
        return;
    }
    p->put.on_done = written;
    p->put.ctx = p;
    http_req_watch(r, &ops, p);
    evals_put(a->store, &p->put);
}

void admin_eval_new(struct admin *a, struct http_req *r)
{
    put(a, r, read_new);
}

void admin_eval_results(struct admin *a, struct http_req *r)
{
    put(a, r, read_results);
}

/* ---- looking: on the pool, through a connection of its own ---- */

struct wanted {
    int64_t run, last;          /* run 0: all */
    bool found;
    struct json_out *out;
    struct err *e;
};

static void put_row(struct json_out *o, const struct eval_row *r)
{
    json_key(o, STR("run"));
    json_int(o, r->run);
    admin_put_text(o, "suite", r->suite);
    admin_put_text(o, "state", r->state);
    admin_put_when(o, "began", r->began_ms);
    admin_put_when(o, "ended", r->ended_ms);
    json_key(o, STR("about"));
    json_raw(o, r->text);
}

static void on_row(void *ctx, const struct eval_row *r)
{
    struct wanted *w = ctx;
    w->found = true;
    if (!w->run)
        json_begin_object(w->out);
    put_row(w->out, r);
    if (!w->run)
        json_end_object(w->out);
}

static void on_result(void *ctx, const struct eval_result *r)
{
    struct wanted *w = ctx;
    struct json_out *o = w->out;
    json_begin_object(o);
    admin_put_text(o, "place", r->place);
    admin_put_text(o, "item", r->item);
    json_key(o, STR("turn"));
    json_int(o, r->turn);
    json_key(o, STR("passed"));
    if (r->passed < 0)
        json_null(o);
    else
        json_bool(o, r->passed);
    json_key(o, STR("score"));
    json_double(o, r->score, 4);
    admin_put_text(o, "fault", r->fault);
    json_key(o, STR("about"));
    json_raw(o, r->text);
    json_end_object(o);
}

static enum err_code look_at_all(struct wanted *w, struct store *s)
{
    json_key(w->out, STR("runs"));
    json_begin_array(w->out);
    enum err_code rc = s ? evals_read(s, 0, (size_t)w->last, on_row, w, w->e) : ERR_OK;
    json_end_array(w->out);
    return rc;
}

static enum err_code look_at_one(struct wanted *w, struct store *s)
{
    enum err_code rc = s ? evals_read(s, w->run, 1, on_row, w, w->e) : ERR_OK;
    json_key(w->out, STR("results"));
    json_begin_array(w->out);
    if (!rc && w->found)
        rc = eval_results_read(s, w->run, on_result, w, w->e);
    json_end_array(w->out);
    if (!rc && !w->found) {
        rc = err_set(w->e, ERR_NOT_FOUND, "There is no run %lld.", (long long)w->run);
        err_hint(w->e, "`hob eval list` has them.");
    }
    return rc;
}

static enum err_code look_at(struct wanted *w, struct store *s)
{
    return w->run ? look_at_one(w, s) : look_at_all(w, s);
}

static enum err_code look(struct admin_look *l, struct store *s)
{
    struct wanted *w = l->ctx;
    w->out = &l->out;
    w->e = &l->e;
    return look_at(w, s);
}

enum err_code view_run(struct store *st, int64_t run, struct buf *out, struct err *e)
{
    struct buf body = { 0 };
    struct json_out o = json_out(&body);
    struct wanted w = { .run = run, .out = &o, .e = e };
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    enum err_code rc = look_at(&w, st);
    json_end_object(&o);
    if (!rc)
        buf_add(out, buf_str(&body));
    buf_free(&body);
    return rc;
}

static void look_for(struct admin *a, struct http_req *r, int64_t run, int64_t last)
{
    struct admin_look *l = admin_look_new(a, r, look);
    struct wanted *w = l->ctx = arena_new(&l->arena, struct wanted);
    w->run = run;
    w->last = last;
    admin_look_go(a, l);
}

void admin_evals(struct admin *a, struct http_req *r)
{
    int64_t n;
    if (admin_query_number(r, "n", &n))
        look_for(a, r, 0, n < 0 ? RUNS_DEFAULT : n);
}

void admin_eval_show(struct admin *a, struct http_req *r)
{
    int64_t run;
    struct err e;
    if (!admin_query_number(r, "run", &run))
        return;
    if (run < 0) {
        wrong(&e, "run", "the number of a run");
        admin_refuse(r, &e);
        return;
    }
    look_for(a, r, run, 1);
}
