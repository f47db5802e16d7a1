/* The daemon keeps runs (admin/evals.c): begun, filled result by result, ended. A run that is stopped, or whose daemon or command dies, goes on from what is there. */
#include "cli/eval_int.h"

#include "cli/ask.h"
#include "json/json.h"

#include <stdio.h>

enum { ANSWER_MS = 60 * 1000 };

static int ask(struct eval_job *j, const char *method, const char *path, struct str body, struct buf *answer)
{
    struct question q = { .method = method, .path = path, .body = body, .answer_ms = ANSWER_MS };
    return ask_daemon(j->book ? j->book : j->args, &q, answer);
}

static void put_places(struct json_out *o, const struct eval_job *j)
{
    json_key(o, STR("places"));
    json_begin_array(o);
    for (size_t i = 0; i < j->nplaces; i++) {
        const struct kept_place *k = &j->known[i];
        const struct { const char *key; struct str text; } all[] = { { "name", k->name }, { "model", j->places[i].model }, { "host", k->host }, { "runtime", k->runtime },
            { "engine", k->engine }, { "quantisation", k->quantisation }, { "file", k->file } };
        json_begin_object(o);
        for (size_t t = 0; t < COUNTOF(all); t++) {
            json_key(o, str_of(all[t].key));
            json_string_or_null(o, all[t].text);
        }
        json_end_object(o);
    }
    json_end_array(o);
}

void eval_book_about(const struct eval_job *j, struct buf *out)
{
    struct json_out o = json_out(out);
    char print[20];
    snprintf(print, sizeof print, "%016llx", (unsigned long long)j->suite->print);
    json_begin_object(&o);
    json_key(&o, STR("suite"));
    json_string(&o, j->suite->name);
    json_key(&o, STR("from"));
    json_string(&o, j->suite->from);
    json_key(&o, STR("print"));
    json_string(&o, str_of(print));
    json_key(&o, STR("models"));
    json_begin_array(&o);
    for (size_t i = 0; i < j->nplaces; i++)
        json_string(&o, j->places[i].name);
    json_end_array(&o);
    put_places(&o, j);
    json_key(&o, STR("interleaved"));
    json_bool(&o, j->order == RUN_INTERLEAVED);
    json_key(&o, STR("concurrency"));
    json_int(&o, (int64_t)j->concurrency);
    json_key(&o, STR("cases"));
    json_int(&o, (int64_t)j->suite->ncases);
    json_key(&o, STR("margin"));
    json_double(&o, j->suite->margin, 4);
    json_key(&o, STR("repeat"));
    json_int(&o, j->repeat);
    json_key(&o, STR("seed"));
    json_int(&o, j->seed);
    json_key(&o, STR("aside")); /* cases that are not in the score: who looks at the run may not have the suite */
    json_begin_array(&o);
    for (size_t i = 0; i < j->suite->ncases; i++)
        if (j->suite->cases[i].aside)
            json_string(&o, j->suite->cases[i].id);
    json_end_array(&o);
    json_end_object(&o);
}

static int begin(struct eval_job *j)
{
    struct buf body = { 0 }, about = { 0 }, answer = { 0 };
    struct json_out o = json_out(&body);
    struct json_doc d = { 0 };
    struct err e;
    eval_book_about(j, &about);
    json_begin_object(&o);
    json_key(&o, STR("suite"));
    json_string(&o, j->suite->name);
    json_key(&o, STR("about"));
    json_raw(&o, buf_str(&about));
    json_end_object(&o);
    int code = ask(j, "POST", "/hob/v1/evals", buf_str(&body), &answer);
    if (!code && !json_parse(&d, buf_str(&answer), &e))
        j->run = yyjson_get_sint(yyjson_obj_get(d.root, "run"));
    json_free(&d);
    buf_free(&body);
    buf_free(&about);
    buf_free(&answer);
    return code;
}

/* ---- going on ---- */

static size_t place_named(const struct eval_job *j, struct str name)
{
    size_t i = 0;
    while (i < j->nplaces && !str_eq(j->places[i].name, name))
        i++;
    return i;
}

static enum fault fault_named(struct str name)
{
    for (int f = FAULT_CALLER; f <= FAULT_HARNESS; f++)
        if (str_eq(name, str_of(fault_name((enum fault)f))))
            return (enum fault)f;
    return FAULT_NONE;
}

/* What counted for somebody is not asked again; what said nothing is. */
static void take_result(struct eval_job *j, yyjson_val *v)
{
    yyjson_val *passed = yyjson_obj_get(v, "passed");
    size_t place = place_named(j, json_str(yyjson_obj_get(v, "place")));
    const struct suite_case *c = suite_case_named(j->suite, json_str(yyjson_obj_get(v, "item")));
    if (!yyjson_is_bool(passed) || place == j->nplaces || !c || !run_plan_has(&j->plan, place, c->id, yyjson_get_sint(yyjson_obj_get(v, "turn"))))
        return;
    run_tally_add(&j->tally, (size_t)(c - j->suite->cases), place, yyjson_is_true(passed), fault_named(json_str(yyjson_obj_get(v, "fault"))),
        yyjson_get_num(yyjson_obj_get(v, "score")));
    j->steps--;
}

static bool same_suite(const struct eval_job *j, yyjson_val *about)
{
    char print[20];
    snprintf(print, sizeof print, "%016llx", (unsigned long long)j->suite->print);
    if (str_eq(json_str(yyjson_obj_get(about, "print")), str_of(print)))
        return true;
    fprintf(stderr, "hob: run %lld was of another suite, or the suite has changed since: begin a new run\n", (long long)j->run);
    return false;
}

/* Whoever looks at the run later is to find all of it there. */
static bool same_models(const struct eval_job *j, yyjson_val *about)
{
    yyjson_val *models = yyjson_obj_get(about, "models"), *m;
    size_t i, n, found = 0;
    yyjson_arr_foreach(models, i, n, m)
        found += place_named(j, json_str(m)) < j->nplaces;
    if (found == j->nplaces && found == yyjson_arr_size(models))
        return true;
    fprintf(stderr, "hob: run %lld was of other models: --models", (long long)j->run);
    yyjson_arr_foreach(models, i, n, m)
        fprintf(stderr, "%c%.*s", i ? ',' : ' ', STR_ARG(json_str(m)));
    fputc('\n', stderr);
    return false;
}

static int go_on(struct eval_job *j, struct str resume)
{
    char path[64];
    struct buf answer = { 0 };
    struct json_doc d = { 0 };
    struct err e;
    size_t i, n;
    yyjson_val *v;
    if (!str_to_int(resume, 1, INT64_MAX, &j->run)) {
        fprintf(stderr, "hob: --resume wants the number of a run, not '%.*s': `hob eval list` has them\n", STR_ARG(resume));
        return EXIT_USAGE;
    }
    snprintf(path, sizeof path, "/hob/v1/evals/show?run=%lld", (long long)j->run);
    int code = ask(j, "GET", path, STR(""), &answer);
    if (!code && json_parse(&d, buf_str(&answer), &e)) {
        cli_error(&e);
        code = EXIT_FAILED;
    }
    if (!code && (!same_suite(j, yyjson_obj_get(d.root, "about")) || !same_models(j, yyjson_obj_get(d.root, "about"))))
        code = EXIT_USAGE;
    if (!code)
        yyjson_arr_foreach(yyjson_obj_get(d.root, "results"), i, n, v)
            take_result(j, v);
    json_free(&d);
    buf_free(&answer);
    return code;
}

int eval_book_open(struct eval_job *j, struct str resume)
{
    return resume.n ? go_on(j, resume) : begin(j);
}

/* ---- results ---- */

static int put(struct eval_job *j, struct str state, struct str results)
{
    struct buf body = { 0 }, about = { 0 }, answer = { 0 };
    struct json_out o = json_out(&body);
    json_begin_object(&o);
    json_key(&o, STR("run"));
    json_int(&o, j->run);
    if (state.n) {
        eval_book_about(j, &about);
        json_key(&o, STR("state"));
        json_string(&o, state);
        json_key(&o, STR("about"));
        json_raw(&o, buf_str(&about));
    }
    json_key(&o, STR("results"));
    json_raw(&o, results);
    json_end_object(&o);
    int code = ask(j, "POST", "/hob/v1/evals/results", buf_str(&body), &answer);
    buf_free(&body);
    buf_free(&about);
    buf_free(&answer);
    return code;
}

int eval_book_put(struct eval_job *j, const struct run_step *step, const struct run_result *r, const struct run_answer *got, int tries)
{
    struct buf results = { 0 }, about = { 0 };
    struct json_out o = json_out(&results);
    const struct suite_case *c = &j->suite->cases[step->item];
    bool counts = r->outcome == RUN_PASSED || r->outcome == RUN_FAILED;
    run_put(c, r, got, tries, &about);
    json_begin_array(&o);
    json_begin_object(&o);
    json_key(&o, STR("place"));
    json_string(&o, j->places[step->place].name);
    json_key(&o, STR("item"));
    json_string(&o, c->id);
    json_key(&o, STR("turn"));
    json_int(&o, step->turn);
    json_key(&o, STR("passed"));
    if (counts)
        json_bool(&o, r->outcome == RUN_PASSED);
    else
        json_null(&o);
    json_key(&o, STR("score"));
    json_double(&o, counts ? r->score : 0, 4);
    json_key(&o, STR("fault"));
    json_string(&o, r->fault ? str_of(fault_name(r->fault)) : STR(""));
    json_key(&o, STR("about"));
    json_raw(&o, buf_str(&about));
    json_end_object(&o);
    json_end_array(&o);
    int code = put(j, STR(""), buf_str(&results));
    buf_free(&results);
    buf_free(&about);
    return code;
}

int eval_book_close(struct eval_job *j)
{
    return put(j, j->stopped ? STR("stopped") : STR("done"), STR("[]"));
}
