/* hob swap evidence ID: each role's suites put to the old model and the new one, and what they say of the two kept with the swap. */
#include "cli/swap.h"

#include "cli/eval.h"
#include "conf/conf.h"

#include <stdio.h>

enum { MOST_SUITES = 8 };

size_t swap_suites_said(const struct cli_args *a, struct str *out, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < a->ngiven && n < room; i++)
        if (str_eq(str_of(a->given[i].option->name), STR("--suite")))
            out[n++] = a->given[i].value;
    return n;
}

/* Of those, the first that says any: --suite, the role's `suites:`, the usual ones. An embedder has no usual ones: what it is good for, hob cannot tell by a text. */
static size_t suites_of(const struct cli_args *a, const struct config *c, struct str role, struct str out[MOST_SUITES])
{
    size_t n = swap_suites_said(a, out, MOST_SUITES);
    for (size_t i = 0; i < c->nroles && !n; i++)
        for (size_t k = 0; str_eq(c->roles[i].name, role) && k < c->roles[i].suites.n && n < MOST_SUITES; k++)
            out[n++] = c->roles[i].suites.at[k];
    if (!n && !str_starts(role, STR("embed")) && !str_starts(role, STR("rerank"))) {
        out[n++] = STR("t-suite");
        out[n++] = STR("chat-bench");
    }
    return n;
}

static void put_proof(struct json_out *o, const struct eval_pair *p)
{
    char run[24], note[160] = "";
    size_t n = 0;
    snprintf(run, sizeof run, p->run ? "%lld" : "", (long long)p->run);
    if (p->note[0])
        n = (size_t)snprintf(note, sizeof note, "%s", p->note);
    if (!p->discriminates)
        n = (size_t)snprintf(note, sizeof note, "it does not discriminate between the two");
    if (p->nothing)
        snprintf(note + n, sizeof note - n, "%s%lld answers say nothing of a model", n ? "; " : "", (long long)p->nothing);
    const struct { const char *key; int64_t v; } counts[] = { { "pairs", p->verdict.pairs }, { "both", p->pairs.both }, { "only_old", p->pairs.only_a }, { "only_new", p->pairs.only_b },
        { "neither", p->pairs.neither } };
    json_key(o, STR("proof"));
    json_begin_object(o);
    json_key(o, STR("suite"));
    json_string(o, str_of(p->suite));
    json_key(o, STR("run"));
    json_string(o, str_of(run));
    for (size_t i = 0; i < COUNTOF(counts); i++) {
        json_key(o, str_of(counts[i].key));
        json_int(o, counts[i].v);
    }
    json_key(o, STR("difference"));
    json_double(o, p->verdict.difference, 6);
    json_key(o, STR("ci"));
    json_begin_array(o);
    json_double(o, p->verdict.lo, 6);
    json_double(o, p->verdict.hi, 6);
    json_end_array(o);
    json_key(o, STR("verdict"));
    json_string(o, str_of(verdict_names[p->verdict.kind]));
    if (p->verdict.needed > 0) {
        json_key(o, STR("needed"));
        json_int(o, p->verdict.needed);
    }
    json_key(o, STR("note"));
    json_string(o, str_of(note));
    json_end_object(o);
}

int swap_keep_proof(const struct cli_args *a, int64_t id, struct str role, const struct eval_pair *p, struct buf *swap)
{
    struct buf body = { 0 };
    struct json_out o = json_out(&body);
    json_begin_object(&o);
    json_key(&o, STR("id"));
    json_int(&o, id);
    json_key(&o, STR("step"));
    json_string(&o, STR("evidence"));
    json_key(&o, STR("role"));
    json_string(&o, role);
    put_proof(&o, p);
    json_end_object(&o);
    buf_free(swap);
    int code = swap_ask(a, "POST", "/hob/v1/swaps/step", buf_str(&body), swap, NULL);
    buf_free(&body);
    return code;
}

static int prove_role(const struct cli_args *a, const struct config *c, int64_t id, yyjson_val *r, struct buf *swap)
{
    struct str role = json_str(yyjson_obj_get(r, "role")), from = json_str(yyjson_obj_get(r, "from")), to = json_str(yyjson_obj_get(r, "to")), suites[MOST_SUITES];
    size_t n = suites_of(a, c, role, suites);
    int code = EXIT_OK;
    if (!n) {
        fprintf(stderr, "hob: no suite says what '%.*s' is good for: name one with --suite, or under `roles.%.*s.suites`\n", STR_ARG(role), STR_ARG(role));
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < n && !code; i++) {
        struct eval_pair p;
        code = eval_pair(a, suites[i], from, to, &p);
        if (!code)
            code = swap_keep_proof(a, id, role, &p, swap);
    }
    return code;
}

static bool is_meant(const struct cli_args *a, yyjson_val *r)
{
    struct str only = cli_option_value(a, "--role"), state = json_str(yyjson_obj_get(r, "state"));
    if (only.n)
        return str_eq(only, json_str(yyjson_obj_get(r, "role")));
    return str_eq(state, STR("planned")) || str_eq(state, STR("evidenced"));
}

/* Worse is a gate's no: for scripts. */
static int print(const struct cli_args *a, struct str swap)
{
    struct json_doc d = { 0 };
    struct err e;
    size_t i, n;
    yyjson_val *r;
    int code = swap_print(a, swap), gate = EXIT_OK;
    if (!code && !json_parse(&d, swap, &e)) {
        yyjson_val *engine = yyjson_obj_get(d.root, "engine");
        yyjson_arr_foreach(yyjson_is_obj(engine) ? yyjson_obj_get(engine, "models") : yyjson_obj_get(d.root, "roles"), i, n, r)
            if (str_eq(json_str(yyjson_obj_get(r, "verdict")), STR("worse")))
                gate = EXIT_GATE;
    }
    json_free(&d);
    return code ? code : gate;
}

int swap_evidence(const struct cli_args *a, const struct str *words, size_t nwords)
{
    struct buf body = { 0 }, swap = { 0 };
    struct json_doc d = { 0 };
    struct config *c = NULL;
    char path[64];
    int64_t id;
    size_t i, n, proven = 0;
    yyjson_val *r;
    (void)nwords;
    int code = swap_number(words[0], &id);
    if (!code)
        code = cli_load_config(a, &c);
    snprintf(path, sizeof path, "/hob/v1/swaps?id=%lld", (long long)id);
    if (!code)
        code = swap_ask(a, "GET", path, STR(""), &body, &d);
    bool engine = !code && yyjson_is_obj(yyjson_obj_get(d.root, "engine"));
    if (engine)
        code = swap_evidence_engine(a, c, id, d.root, &swap);
    if (!code && !engine)
        yyjson_arr_foreach(yyjson_obj_get(d.root, "roles"), i, n, r)
            if (!code && is_meant(a, r)) {
                code = prove_role(a, c, id, r, &swap);
                proven++;
            }
    if (!code && !proven && !engine) {
        fprintf(stderr, "hob: swap %lld has nothing to be proven: it is %.*s\n", (long long)id, STR_ARG(json_str(yyjson_obj_get(d.root, "state"))));
        code = EXIT_FAILED;
    }
    if (!code)
        code = print(a, buf_str(&swap));
    json_free(&d);
    buf_free(&body);
    buf_free(&swap);
    conf_free(c);
    return code;
}
