/* What old models did, kept for the guards of trials to come.
 *
 *   GET  swaps/baselines   {"schema":1,"baselines":[{"role","source","model","engine","requests","from","until","saved","note","by_load","guards":[…]}]}
 *   POST swaps/baseline    {"role","do":"save"|"forget"}: the same of that role, or {"schema":1,"role","forgotten"} */
#include "admin/admin_int.h"

#include "evidence/baselines.h"
#include "json/json.h"

#include <stdlib.h>

struct asking {
    struct http_req *r;
    struct baseline_ask *ask;
};

static void asked(void *ctx, struct str json, const struct err *e)
{
    struct asking *k = ctx;
    admin_answer(k->r, json, e);
    free(k);
}

static void gone(void *ctx)
{
    struct asking *k = ctx;
    baselines_unask(k->ask);
    free(k);
}

static const struct http_req_ops ops = { .on_gone = gone };

static void ask(struct admin *a, struct http_req *r, enum baseline_wish wish, struct str role)
{
    struct err e;
    if (!swaps_are_known(a->swaps)) {
        err_set(&e, ERR_STORE_FAILING, "Swaps are not known yet: the store is being opened.");
        e.retry_after_s = 1;
        admin_refuse(r, &e);
        return;
    }
    struct asking *k = calloc(1, sizeof *k);
    if (!k)
        die("out of memory for a baseline");
    k->r = r;
    http_req_watch(r, &ops, k);
    k->ask = baselines_ask(a->swaps, wish, role, asked, k);
}

void admin_baselines(struct admin *a, struct http_req *r)
{
    ask(a, r, BASELINE_SHOW, STR(""));
}

void admin_baseline(struct admin *a, struct http_req *r)
{
    struct json_doc d = { 0 };
    struct err e;
    enum err_code rc = json_parse(&d, http_req_body(r), &e);
    struct str role = json_str(yyjson_obj_get(d.root, "role")), what = json_str(yyjson_obj_get(d.root, "do"));
    bool save = str_eq(what, STR("save"));
    if (!rc && !role.n) {
        rc = err_set(&e, ERR_INVALID_REQUEST, "`role` must be the name of a role or a tier.");
        err_param(&e, "role");
    } else if (!rc && !save && !str_eq(what, STR("forget"))) {
        rc = err_set(&e, ERR_INVALID_REQUEST, "`do` must be save or forget.");
        err_param(&e, "do");
    }
    if (rc)
        admin_refuse(r, &e);
    else
        ask(a, r, save ? BASELINE_SAVE : BASELINE_FORGET, role);
    json_free(&d);
}
