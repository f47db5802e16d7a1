/* A run out of what the store has of it. Cases are found by their ids, which are sorted once: there may be 20,000, asked of 16 models. */
#include "evidence/kept.h"

#include <stdlib.h>

static struct str text_of(struct kept_run *r, yyjson_val *obj, const char *key)
{
    return arena_copy(&r->memory, json_str(yyjson_obj_get(obj, key)));
}

static int64_t number_of(yyjson_val *obj, const char *key, int64_t otherwise)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    return yyjson_is_int(v) ? yyjson_get_sint(v) : otherwise;
}

static enum fault fault_named(struct str name)
{
    for (int f = FAULT_CALLER; f <= FAULT_HARNESS; f++)
        if (str_eq(name, str_of(fault_name((enum fault)f))))
            return (enum fault)f;
    return FAULT_NONE;
}

static uint64_t print_of(struct str hex)
{
    uint64_t print = 0;
    for (size_t i = 0; i < hex.n && i < 16; i++) {
        char c = hex.p[i];
        print = print << 4 | (uint64_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
    }
    return print;
}

/* ---- places ---- */

static yyjson_val *place_about(yyjson_val *about, struct str name)
{
    size_t i, n;
    yyjson_val *p;
    yyjson_arr_foreach(yyjson_obj_get(about, "places"), i, n, p)
        if (str_eq(json_str(yyjson_obj_get(p, "name")), name))
            return p;
    return NULL;
}

static void read_places(struct kept_run *r, yyjson_val *about)
{
    yyjson_val *models = yyjson_obj_get(about, "models"), *m;
    size_t i, n;
    r->places = arena_array(&r->memory, struct kept_place, yyjson_arr_size(models) + 1);
    yyjson_arr_foreach(models, i, n, m) {
        yyjson_val *p = place_about(about, json_str(m));
        r->places[r->nplaces++] = (struct kept_place){ .name = arena_copy(&r->memory, json_str(m)), .host = text_of(r, p, "host"), .runtime = text_of(r, p, "runtime"),
            .engine = text_of(r, p, "engine"), .quantisation = text_of(r, p, "quantisation"), .file = text_of(r, p, "file") };
    }
}

size_t kept_place(const struct kept_run *r, struct str name)
{
    size_t i = 0;
    while (i < r->nplaces && !str_eq(r->places[i].name, name))
        i++;
    return i;
}

/* ---- cases ---- */

static int by_text(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    size_t n = x->n < y->n ? x->n : y->n;
    int order = n ? memcmp(x->p, y->p, n) : 0;
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static int by_id(const void *id, const void *c)
{
    return by_text(id, &((const struct suite_case *)c)->id);
}

static struct suite_case *case_named(const struct kept_run *r, struct str id)
{
    return r->suite.ncases ? bsearch(&id, r->suite.cases, r->suite.ncases, sizeof *r->suite.cases, by_id) : NULL;
}

static void read_cases(struct kept_run *r, yyjson_val *root)
{
    yyjson_val *results = yyjson_obj_get(root, "results"), *v;
    size_t i, n, total = yyjson_arr_size(results);
    struct str *ids = arena_array(&r->memory, struct str, total + 1);
    struct suite_case *cases = arena_array(&r->memory, struct suite_case, total + 1), *c;
    yyjson_arr_foreach(results, i, n, v)
        ids[i] = json_str(yyjson_obj_get(v, "item"));
    qsort(ids, total, sizeof *ids, by_text);
    for (i = 0; i < total; i++)
        if (!i || !str_eq(ids[i], ids[i - 1]))
            cases[r->suite.ncases++].id = arena_copy(&r->memory, ids[i]);
    r->suite.cases = cases;
    yyjson_arr_foreach(results, i, n, v)
        if ((c = case_named(r, json_str(yyjson_obj_get(v, "item")))))
            c->print = print_of(json_str(yyjson_obj_get(yyjson_obj_get(v, "about"), "print")));
    yyjson_arr_foreach(yyjson_obj_get(yyjson_obj_get(root, "about"), "aside"), i, n, v)
        if ((c = case_named(r, json_str(v))))
            c->aside = true;
}

/* ---- results ---- */

static void read_result(struct kept_run *r, yyjson_val *v, struct kept_result *out)
{
    yyjson_val *about = yyjson_obj_get(v, "about"), *passed = yyjson_obj_get(v, "passed");
    *out = (struct kept_result){ .place = kept_place(r, json_str(yyjson_obj_get(v, "place"))), .turn = number_of(v, "turn", 1),
        .passed = yyjson_is_bool(passed) ? yyjson_is_true(passed) : -1, .fault = fault_named(json_str(yyjson_obj_get(v, "fault"))),
        .score = yyjson_get_num(yyjson_obj_get(v, "score")), .why = text_of(r, about, "why"), .text = text_of(r, about, "text"), .model = text_of(r, about, "model"),
        .host = text_of(r, about, "host"), .request_id = text_of(r, about, "request_id"), .total_ms = number_of(about, "total_ms", -1), .ttft_ms = number_of(about, "ttft_ms", -1),
        .load_ms = number_of(about, "load_ms", 0) };
    const struct suite_case *c = case_named(r, json_str(yyjson_obj_get(v, "item")));
    out->item = c ? (size_t)(c - r->suite.cases) : 0;
}

static int by_place(const void *a, const void *b)
{
    const struct kept_result *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return (x->turn > y->turn) - (x->turn < y->turn);
}

static void read_results(struct kept_run *r, yyjson_val *root)
{
    yyjson_val *results = yyjson_obj_get(root, "results"), *v;
    size_t i, n;
    r->results = arena_array(&r->memory, struct kept_result, yyjson_arr_size(results) + 1);
    run_tally_init(&r->tally, r->suite.ncases, r->nplaces);
    yyjson_arr_foreach(results, i, n, v) {
        struct kept_result *out = &r->results[r->nresults];
        read_result(r, v, out);
        if (out->place == r->nplaces) /* of a model that the run does not name: nothing of ours */
            continue;
        run_tally_add(&r->tally, out->item, out->place, out->passed, out->fault, out->score);
        r->nresults++;
    }
    qsort(r->results, r->nresults, sizeof *r->results, by_place);
}

enum err_code kept_run_read(struct str json, struct kept_run *out, struct err *e)
{
    struct json_doc d = { 0 };
    enum err_code rc = json_parse(&d, json, e);
    yyjson_val *about = yyjson_obj_get(d.root, "about");
    if (!rc && (!yyjson_is_obj(about) || !yyjson_is_int(yyjson_obj_get(d.root, "run"))))
        rc = err_set(e, ERR_UP_GARBLED, "What the daemon has of this run is none");
    if (!rc) {
        *out = (struct kept_run){ .run = yyjson_get_sint(yyjson_obj_get(d.root, "run")) };
        arena_init(&out->memory);
        out->state = text_of(out, d.root, "state");
        out->began = text_of(out, d.root, "began");
        out->ended = text_of(out, d.root, "ended");
        out->interleaved = yyjson_is_true(yyjson_obj_get(about, "interleaved"));
        out->suite.name = text_of(out, d.root, "suite");
        out->suite.from = text_of(out, about, "from");
        out->suite.margin = yyjson_get_num(yyjson_obj_get(about, "margin"));
        out->suite.print = print_of(json_str(yyjson_obj_get(about, "print")));
        read_places(out, about);
        read_cases(out, d.root);
        read_results(out, d.root);
    }
    json_free(&d);
    return rc;
}

void kept_run_free(struct kept_run *r)
{
    run_tally_fini(&r->tally);
    arena_fini(&r->memory);
}
