/* Two measurements side by side. Rounds are compared, not tokens: two thousand gaps of one answer are one look at the machine. Ratios, so that a percent is one at every speed:
 * the difference of medians of logarithms, by bootstrap. */
#include "evidence/speed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *const speed_verdict_names[SPEED_VERDICTS] = { "better", "worse", "cannot tell" };

enum { MAX_ROUNDS = 1024, MAX_WARNINGS = 24 };

static const struct {
    const char *name;
    bool more_is_better;
} figures[] = {
    { "prompt_tps",       true },
    { "generation_tps",   true },
    { "ttft_ms",          false },
    { "per_token_ms",     false },
    { "tokens_per_joule", true },
};

/* What must be alike for a difference to be the model's; the first words of a warning. */
static const struct {
    const char *key, *what;
} alike[] = {
    { "machine",        "the machine" },
    { "model",          "the model" },
    { "host",           "the host" },
    { "runtime",        "the runtime" },
    { "engine_build",   "the engine's build" },
    { "engine_path",    "the engine's program" },
    { "weights",        "the file of weights" },
    { "quantisation",   "the quantisation" },
    { "kv",             "the KV format" },
    { "context_window", "the model's context" },
    { "slots",          "the slots" },
    { "threads",        "the threads" },
    { "args",           "the engine's further flags" },
    { "tokens",         "the tokens of an answer" },
    { "ignore_eos",     "whether answers go on past the model's end" },
    { "energy",         "where energy is read" },
    { "hob",            "hob's version" },
};

/* ---- reading ---- */

static yyjson_val *cell_like(yyjson_val *root, int64_t context, int64_t concurrency)
{
    size_t i, n;
    yyjson_val *c;
    yyjson_arr_foreach(yyjson_obj_get(root, "cells"), i, n, c)
        if (yyjson_get_sint(yyjson_obj_get(c, "context")) == context && yyjson_get_sint(yyjson_obj_get(c, "concurrency")) == concurrency)
            return c;
    return NULL;
}

static size_t values_of(yyjson_val *cell, const char *figure, double *out)
{
    size_t i, max, n = 0;
    yyjson_val *round;
    yyjson_arr_foreach(yyjson_obj_get(cell, "rounds"), i, max, round) {
        yyjson_val *v = yyjson_obj_get(round, figure);
        if (n < MAX_ROUNDS && yyjson_is_true(yyjson_obj_get(round, "counts")) && yyjson_is_num(v) && yyjson_get_num(v) > 0)
            out[n++] = log(yyjson_get_num(v));
    }
    return n;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of what the logarithms in v are of; v is left in disorder. */
static double plain_median(double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        v[i] = exp(v[i]);
    qsort(v, n, sizeof *v, by_value);
    return quantile_of(v, n, 0.5);
}

static enum speed_verdict judge(const struct speed_difference *d)
{
    if (isnan(d->lo) || (d->lo <= 0 && d->hi >= 0))
        return SPEED_CANNOT_TELL;
    return (d->change > 0) == d->more_is_better ? SPEED_BETTER : SPEED_WORSE;
}

/* False: one of them has nothing of it. */
static bool compare_figure(yyjson_val *a, yyjson_val *b, size_t figure, struct speed_difference *out)
{
    double va[MAX_ROUNDS], vb[MAX_ROUNDS];
    struct dice dice = dice_of(1); /* the same comparison comes out the same each time */
    *out = (struct speed_difference){ .context = yyjson_get_sint(yyjson_obj_get(b, "context")), .concurrency = yyjson_get_sint(yyjson_obj_get(b, "concurrency")),
        .figure = figures[figure].name, .more_is_better = figures[figure].more_is_better };
    out->na = values_of(a, out->figure, va);
    out->nb = values_of(b, out->figure, vb);
    if (!out->na || !out->nb)
        return false;
    struct quantile d = bootstrap_unpaired(va, out->na, vb, out->nb, 0.5, &bootstrap_usual, &dice);
    out->a = plain_median(va, out->na);
    out->b = plain_median(vb, out->nb);
    out->change = expm1(d.value);
    bool enough = out->na >= SPEED_LEAST_ROUNDS && out->nb >= SPEED_LEAST_ROUNDS; /* of one run the interval is a point, of three it is too narrow by much */
    out->lo = enough ? expm1(d.lo) : NAN;
    out->hi = enough ? expm1(d.hi) : NAN;
    out->verdict = judge(out);
    return true;
}

static void compare_cells(yyjson_val *a, yyjson_val *b, struct speed_comparison *out)
{
    yyjson_val *cells = yyjson_obj_get(b, "cells"), *c;
    size_t i, n;
    out->at = arena_array(&out->memory, struct speed_difference, yyjson_arr_size(cells) * COUNTOF(figures) + 1);
    yyjson_arr_foreach(cells, i, n, c) {
        yyjson_val *old = cell_like(a, yyjson_get_sint(yyjson_obj_get(c, "context")), yyjson_get_sint(yyjson_obj_get(c, "concurrency")));
        for (size_t f = 0; old && f < COUNTOF(figures); f++)
            out->n += compare_figure(old, c, f, &out->at[out->n]);
    }
}

/* ---- what is not alike ---- */

static void warn(struct speed_comparison *out, struct str text)
{
    if (out->nwarnings < MAX_WARNINGS)
        out->warnings[out->nwarnings++] = text;
}

static struct str shown(struct arena *a, yyjson_val *v)
{
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    if (!v || yyjson_is_null(v))
        return STR("unknown");
    if (yyjson_is_str(v))
        return arena_copy(a, json_str(v));
    json_value(&o, v);
    struct str kept = arena_copy(a, buf_str(&text));
    buf_free(&text);
    return kept;
}

static void look_alike(yyjson_val *a, yyjson_val *b, struct speed_comparison *out)
{
    yyjson_val *sa = yyjson_obj_get(a, "settings"), *sb = yyjson_obj_get(b, "settings");
    for (size_t i = 0; i < COUNTOF(alike); i++) {
        bool outside = str_eq(str_of(alike[i].key), STR("model")) || str_eq(str_of(alike[i].key), STR("host"));
        struct str va = shown(&out->memory, yyjson_obj_get(outside ? a : sa, alike[i].key)), vb = shown(&out->memory, yyjson_obj_get(outside ? b : sb, alike[i].key));
        if (!str_eq(va, vb))
            warn(out, arena_printf(&out->memory, "%s differs: %.*s, now %.*s", alike[i].what, STR_ARG(va), STR_ARG(vb)));
    }
}

static void look_at_rounds(struct speed_comparison *out)
{
    size_t fewest = SPEED_LEAST_ROUNDS;
    for (size_t i = 0; i < out->n; i++) {
        fewest = out->at[i].na < fewest ? out->at[i].na : fewest;
        fewest = out->at[i].nb < fewest ? out->at[i].nb : fewest;
    }
    if (fewest < SPEED_LEAST_ROUNDS)
        warn(out, arena_printf(&out->memory, "of some figures there are but %zu runs: %d of either are the fewest that tell anything", fewest, (int)SPEED_LEAST_ROUNDS));
    if (!out->n)
        warn(out, STR("the two have no context and concurrency in common: nothing can be compared"));
}

enum err_code speed_compare(struct str a, struct str b, struct speed_comparison *out, struct err *e)
{
    struct json_doc da = { 0 }, db = { 0 };
    enum err_code rc = json_parse(&da, a, e);
    *out = (struct speed_comparison){ .n = 0 };
    arena_init(&out->memory);
    out->warnings = arena_array(&out->memory, struct str, MAX_WARNINGS);
    if (!rc)
        rc = json_parse(&db, b, e);
    if (!rc && (!yyjson_is_arr(yyjson_obj_get(da.root, "cells")) || !yyjson_is_arr(yyjson_obj_get(db.root, "cells"))))
        rc = err_set(e, ERR_INVALID_REQUEST, "This is no measurement of `hob bench`: it has no `cells`.");
    if (!rc) {
        compare_cells(da.root, db.root, out);
        look_alike(da.root, db.root, out);
        look_at_rounds(out);
        out->a_time = arena_copy(&out->memory, json_str(yyjson_obj_get(da.root, "time")));
        out->b_time = arena_copy(&out->memory, json_str(yyjson_obj_get(db.root, "time")));
    }
    json_free(&da);
    json_free(&db);
    return rc;
}

void speed_comparison_free(struct speed_comparison *c)
{
    arena_fini(&c->memory);
}

void speed_comparison_put(const struct speed_comparison *c, struct json_out *o)
{
    json_begin_object(o);
    json_key(o, STR("since"));
    json_string_or_null(o, c->a_time);
    json_key(o, STR("differences"));
    json_begin_array(o);
    for (size_t i = 0; i < c->n; i++) {
        const struct speed_difference *d = &c->at[i];
        json_begin_object(o);
        json_key(o, STR("context"));
        json_int(o, d->context);
        json_key(o, STR("concurrency"));
        json_int(o, d->concurrency);
        json_key(o, STR("figure"));
        json_string(o, str_of(d->figure));
        json_key(o, STR("before"));
        json_double(o, d->a, 3);
        json_key(o, STR("now"));
        json_double(o, d->b, 3);
        json_key(o, STR("change"));
        json_double(o, d->change, 4);
        json_key(o, STR("ci"));
        json_begin_array(o);
        json_double(o, d->lo, 4);
        json_double(o, d->hi, 4);
        json_end_array(o);
        json_key(o, STR("verdict"));
        json_string(o, str_of(speed_verdict_names[d->verdict]));
        json_end_object(o);
    }
    json_end_array(o);
    json_key(o, STR("warnings"));
    json_begin_array(o);
    for (size_t i = 0; i < c->nwarnings; i++)
        json_string(o, c->warnings[i]);
    json_end_array(o);
    json_end_object(o);
}
