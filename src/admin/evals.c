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
#include <time.h>

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

struct looking {
    struct http_req *r;
    struct work work;
    struct arena arena;
    struct str state;
    int64_t run, last;          /* run 0: all */
    bool found;
    struct buf body;
    struct json_out out;
    enum err_code rc;
    struct err e;
};

static void put_text(struct json_out *o, const char *key, struct str text)
{
    json_key(o, str_of(key));
    json_string_or_null(o, text);
}

static void put_when(struct json_out *o, const char *key, int64_t wall_ms)
{
    char text[40] = "";
    struct tm tm;
    time_t t = (time_t)(wall_ms / 1000);
    if (wall_ms && gmtime_r(&t, &tm))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    put_text(o, key, str_of(text));
}

static void put_row(struct json_out *o, const struct eval_row *r)
{
    json_key(o, STR("run"));
    json_int(o, r->run);
    put_text(o, "suite", r->suite);
    put_text(o, "state", r->state);
    put_when(o, "began", r->began_ms);
    put_when(o, "ended", r->ended_ms);
    json_key(o, STR("about"));
    json_raw(o, r->text);
}

static void on_row(void *ctx, const struct eval_row *r)
{
    struct looking *l = ctx;
    l->found = true;
    if (!l->run)
        json_begin_object(&l->out);
    put_row(&l->out, r);
    if (!l->run)
        json_end_object(&l->out);
}

static void on_result(void *ctx, const struct eval_result *r)
{
    struct looking *l = ctx;
    struct json_out *o = &l->out;
    json_begin_object(o);
    put_text(o, "place", r->place);
    put_text(o, "item", r->item);
    json_key(o, STR("turn"));
    json_int(o, r->turn);
    json_key(o, STR("passed"));
    if (r->passed < 0)
        json_null(o);
    else
        json_bool(o, r->passed);
    json_key(o, STR("score"));
    json_double(o, r->score, 4);
    put_text(o, "fault", r->fault);
    json_key(o, STR("about"));
    json_raw(o, r->text);
    json_end_object(o);
}

static enum err_code look_at_all(struct looking *l, struct store *s)
{
    json_key(&l->out, STR("runs"));
    json_begin_array(&l->out);
    enum err_code rc = s ? evals_read(s, 0, (size_t)l->last, on_row, l, &l->e) : ERR_OK;
    json_end_array(&l->out);
    return rc;
}

static enum err_code look_at_one(struct looking *l, struct store *s)
{
    enum err_code rc = s ? evals_read(s, l->run, 1, on_row, l, &l->e) : ERR_OK;
    json_key(&l->out, STR("results"));
    json_begin_array(&l->out);
    if (!rc && l->found)
        rc = eval_results_read(s, l->run, on_result, l, &l->e);
    json_end_array(&l->out);
    if (!rc && !l->found) {
        rc = err_set(&l->e, ERR_NOT_FOUND, "There is no run %lld.", (long long)l->run);
        err_hint(&l->e, "`hob eval list` has them.");
    }
    return rc;
}

static enum err_code look_at(struct looking *l, struct store *s)
{
    l->out = json_out(&l->body);
    json_begin_object(&l->out);
    json_key(&l->out, STR("schema"));
    json_int(&l->out, 1);
    enum err_code rc = l->run ? look_at_one(l, s) : look_at_all(l, s);
    json_end_object(&l->out);
    return rc;
}

static void look(void *ctx)
{
    struct looking *l = ctx;
    struct store *s = NULL;
    l->rc = store_open_to_read(l->state, &s, &l->e);
    if (!l->rc)
        l->rc = look_at(l, s);
    store_close(s);
}

enum err_code view_run(struct store *st, int64_t run, struct buf *out, struct err *e)
{
    struct looking l = { .run = run };
    enum err_code rc = look_at(&l, st);
    if (rc)
        *e = l.e;
    else
        buf_add(out, buf_str(&l.body));
    buf_free(&l.body);
    return rc;
}

static void looked(void *ctx)
{
    struct looking *l = ctx;
    if (l->r)
        admin_answer(l->r, buf_str(&l->body), l->rc ? &l->e : NULL);
    buf_free(&l->body);
    arena_fini(&l->arena);
    free(l);
}

static void look_gone(void *ctx)
{
    struct looking *l = ctx;
    l->r = NULL; /* the pool still has it */
}

static const struct http_req_ops look_ops = { .on_gone = look_gone };

static void look_for(struct admin *a, struct http_req *r, int64_t run, int64_t last)
{
    struct looking *l = calloc(1, sizeof *l);
    if (!l)
        die("out of memory for runs");
    arena_init(&l->arena);
    l->r = r;
    l->run = run;
    l->last = last;
    l->state = arena_copy(&l->arena, world_config(fleet_world(a->fleet))->state);
    http_req_watch(r, &look_ops, l);
    work_init(&l->work, look, looked, l);
    loop_work(a->loop, &l->work);
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
