/* hob swap evidence ID, of a build of an engine: each model that was in memory, or all with --all, in both builds, in a hob of its own (lab.h), so that what is in force answers
 * callers meanwhile, and nothing of the new build is near them. The runs are in the user's own book. */
#include "cli/swap.h"

#include "cli/eval.h"
#include "cli/lab.h"
#include "conf/conf.h"

#include <stdio.h>

enum { MOST_SUITES = 8 };

struct proving {
    const struct cli_args *args;
    const struct config *config;
    int64_t id;
    struct str from, to;                /* paths of the builds */
    struct buf *swap;                   /* as it is after the last proof */
    size_t proven, passed_over;
};

static struct str text_at(yyjson_val *obj, const char *key)
{
    return json_str(yyjson_obj_get(obj, key));
}

static bool is_meant(const struct cli_args *a, yyjson_val *m)
{
    struct str only = cli_option_value(a, "--role"), state = text_at(m, "state");
    if (only.n)
        return str_eq(only, text_at(m, "model"));
    return (str_eq(state, STR("planned")) || str_eq(state, STR("evidenced"))) && (yyjson_is_true(yyjson_obj_get(m, "resident")) || cli_flag(a, "--all"));
}

/* Of those, the first that says any: --suite, where the model can be asked, the `suites:` of a role that it answers, the usual ones. */
static size_t suites_of(const struct proving *p, const struct conf_model *m, struct str out[MOST_SUITES])
{
    struct str role;
    if (!(m->serves & SERVES_CHAT))
        return 0; /* suites are chats */
    size_t n = swap_suites_said(p->args, out, MOST_SUITES);
    for (size_t i = 0; i < p->config->nroles && !n; i++) {
        const struct conf_role *r = &p->config->roles[i];
        for (size_t k = 0; conf_meant(p->config, r->name, &role) == m && k < r->suites.n && n < MOST_SUITES; k++)
            out[n++] = r->suites.at[k];
    }
    if (!n) {
        out[n++] = STR("t-suite");
        out[n++] = STR("chat-bench");
    }
    return n;
}

/* One that does not chat, and for which no suite is named: its numbers must be the same. There is no chance in that, and so no interval. */
static int prove_numbers(struct proving *p, struct lab *lab, const struct conf_model *m, struct str old, struct str new)
{
    struct swap_vectors v;
    struct eval_pair pair = { .run = 0, .discriminates = true };
    struct err e;
    if (swap_compare_vectors(lab_door(lab), old, new, (m->serves & SERVES_RERANK) != 0, &v, &e)) {
        cli_error(&e);
        return EXIT_FAILED;
    }
    pair.pairs.both = v.alike;
    pair.pairs.only_a = v.texts - v.alike;
    pair.verdict.pairs = v.texts;
    pair.verdict.difference = pair.verdict.lo = pair.verdict.hi = (double)(v.alike - v.texts) / (double)v.texts;
    pair.verdict.kind = v.alike == v.texts ? VERDICT_NOT_WORSE : VERDICT_WORSE;
    snprintf(pair.suite, sizeof pair.suite, m->serves & SERVES_RERANK ? "scores" : "vectors");
    snprintf(pair.note, sizeof pair.note, "the least alike of %lld texts: cosine %.5f", (long long)v.texts, v.lowest);
    return swap_keep_proof(p->args, p->id, m->name, &pair, p->swap);
}

static int prove_in(struct proving *p, struct lab *lab, const struct conf_model *m, struct str old, struct str new)
{
    struct str suites[MOST_SUITES];
    size_t n = suites_of(p, m, suites);
    int code = n ? EXIT_OK : prove_numbers(p, lab, m, old, new);
    for (size_t i = 0; i < n && !code; i++) {
        struct eval_pair pair;
        code = eval_pair_in(lab_args(lab), p->args, suites[i], old, new, &pair);
        if (!code)
            code = swap_keep_proof(p->args, p->id, m->name, &pair, p->swap);
    }
    return code;
}

static int prove_model(struct proving *p, struct str name)
{
    const struct conf_model *m = conf_model(p->config, name);
    struct arena a;
    struct lab *lab;
    struct err e;
    if (!m || !m->file.n) {
        fprintf(stderr, "hob: '%.*s' is in the configuration no more\n", STR_ARG(name));
        p->passed_over++;
        return EXIT_OK;
    }
    arena_init(&a);
    struct str old = arena_printf(&a, "%.*s-old", STR_ARG(name)), new = arena_printf(&a, "%.*s-new", STR_ARG(name));
    const struct lab_model models[] = { { .model = m, .name = old, .engine = p->from }, { .model = m, .name = new, .engine = p->to } };
    const struct lab_wish wish = { .args = p->args, .config = p->config, .models = models, .nmodels = COUNTOF(models), .quiet = cli_flag(p->args, "--quiet") };
    int code = EXIT_FAILED;
    if (lab_open(&lab, &wish, &e)) {
        cli_error(&e);
    } else {
        code = prove_in(p, lab, m, old, new);
        p->proven += !code;
        lab_close(lab);
    }
    arena_fini(&a);
    return code;
}

int swap_evidence_engine(const struct cli_args *a, const struct config *c, int64_t id, yyjson_val *swap, struct buf *after)
{
    yyjson_val *engine = yyjson_obj_get(swap, "engine"), *m;
    struct proving p = { .args = a, .config = c, .id = id, .from = text_at(engine, "from"), .to = text_at(engine, "to"), .swap = after };
    size_t i, n;
    int code = EXIT_OK;
    yyjson_arr_foreach(yyjson_obj_get(engine, "models"), i, n, m)
        if (!code && is_meant(a, m))
            code = prove_model(&p, text_at(m, "model"));
    if (code || p.proven)
        return code;
    if (!p.passed_over)
        fprintf(stderr, "hob: nothing of swap %lld is to be proven: no model of it was in memory when it was planned (--all takes the others, too), or it has begun\n", (long long)id);
    return EXIT_FAILED;
}
