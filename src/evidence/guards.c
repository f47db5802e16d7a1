#include "evidence/guards.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *const guard_name[GUARD_KINDS] = {
    [GUARD_ERRORS] = "errors", [GUARD_BUSY] = "saturation", [GUARD_TTFT] = "ttft", [GUARD_TOTAL] = "total", [GUARD_SCHEMA] = "schema",
    [GUARD_THOUGHTS] = "thoughts", [GUARD_EMPTY] = "empty",
};

enum { LEAST_TIMES = 20 };              /* below, no quantile is worth a limit */
/* A time is only slow when somebody feels it: so much above the old model's 95th percentile. A machine that has more to do than it had moves all times a little, which is
 * no model's fault. */
enum { FELT_MS = 100 };
static const double felt_times = 1.5;
static const double all_alpha = 0.05, slow_quantile = 0.95;

/* Errors have most of the chance to be wrong, as they are what matters most and is rarest; times bear two points, so that a change nobody feels is none. */
static const struct { double weight, tolerance; } rules[GUARD_KINDS] = {
    [GUARD_ERRORS] = { 3, 0 }, [GUARD_BUSY] = { 1, 0.005 }, [GUARD_TTFT] = { 1.5, 0.05 }, [GUARD_TOTAL] = { 1.5, 0.05 }, [GUARD_SCHEMA] = { 2, 0 },
    [GUARD_THOUGHTS] = { 1, 0 }, [GUARD_EMPTY] = { 1, 0 },
};

static bool is_time(size_t kind)
{
    return kind == GUARD_TTFT || kind == GUARD_TOTAL;
}

/* ---- what a row says of a model ---- */

enum said { SAID_NOTHING, SAID_GOOD, SAID_BAD };

struct facts {
    enum said of[GUARD_KINDS];          /* times aside */
    double ttft_ms, total_ms;           /* negative: none */
};

static enum said bad_if(bool bad)
{
    return bad ? SAID_BAD : SAID_GOOD;
}

/* It was asked first, and another place had to answer. */
static bool gave_up(struct str chain, struct str model)
{
    struct json_doc d = { 0 };
    struct err e;
    size_t i, n;
    yyjson_val *tried;
    bool found = false;
    if (!chain.n || json_parse(&d, chain, &e))
        return false;
    yyjson_arr_foreach(d.root, i, n, tried)
        found = found || (str_eq(json_str(yyjson_obj_get(tried, "model")), model) && json_str(yyjson_obj_get(tried, "error")).n > 0);
    json_free(&d);
    return found;
}

static bool is_about_a_model(const struct request_row *r)
{
    return r->fault == FAULT_NONE || r->fault == FAULT_BACKEND || r->fault == FAULT_MODEL;
}

static bool has_code(const struct request_row *r, const char *code)
{
    return str_eq(r->code, str_of(code));
}

static bool read_row(const struct guard_whom *w, const struct request_row *r, struct facts *f)
{
    *f = (struct facts){ .ttft_ms = -1, .total_ms = -1 };
    if (!is_about_a_model(r) || !(str_eq(r->role, w->role) || str_eq(r->tier, w->role)))
        return false;
    if (!str_eq(r->model, w->model)) {
        f->of[GUARD_ERRORS] = SAID_BAD;
        return gave_up(r->chain, w->model);
    }
    bool whole = r->fault == FAULT_NONE;
    f->of[GUARD_ERRORS] = bad_if(!whole);
    f->of[GUARD_BUSY] = bad_if(has_code(r, "rate_limited"));
    f->of[GUARD_SCHEMA] = bad_if(has_code(r, "schema_unmet") || has_code(r, "tool_unmet"));
    f->of[GUARD_THOUGHTS] = bad_if(r->unasked_thoughts);
    f->of[GUARD_EMPTY] = bad_if((whole && r->output_tokens == 0 && str_eq(r->endpoint, STR("chat"))) || has_code(r, "only_thoughts"));
    if (whole) { /* a cold start is not the model's */
        f->ttft_ms = r->ttft_ms >= 0 ? fmax(r->ttft_ms - fmax(r->load_ms, 0), 0) : -1;
        f->total_ms = r->total_ms >= 0 ? fmax(r->total_ms - fmax(r->load_ms, 0), 0) : -1;
    }
    return true;
}

static double time_of(const struct facts *f, size_t kind)
{
    return kind == GUARD_TTFT ? f->ttft_ms : f->total_ms;
}

/* ---- the old model ---- */

void baseline_begin(struct baseline *b)
{
    *b = (struct baseline){ .ttft = calloc(BASELINE_TIMES, sizeof *b->ttft), .total = calloc(BASELINE_TIMES, sizeof *b->total) };
    if (!b->ttft || !b->total)
        die("out of memory for a baseline");
}

static void keep_time(double *ring, int64_t *n, double ms)
{
    if (ms >= 0)
        ring[(*n)++ % BASELINE_TIMES] = ms;
}

void baseline_see(struct baseline *b, const struct guard_whom *old, const struct request_row *r)
{
    struct facts f;
    if (!read_row(old, r, &f))
        return;
    b->from_ms = b->requests ? b->from_ms : r->time_ms;
    b->until_ms = r->time_ms;
    b->requests++;
    for (size_t i = 0; i < GUARD_KINDS; i++) {
        b->counts[i].total += f.of[i] != SAID_NOTHING;
        b->counts[i].bad += f.of[i] == SAID_BAD;
    }
    keep_time(b->ttft, &b->nttft, f.ttft_ms);
    keep_time(b->total, &b->ntotal, f.total_ms);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double take_limit(struct baseline *b, enum guard_kind kind)
{
    double *times = kind == GUARD_TTFT ? b->ttft : b->total;
    int64_t n = kind == GUARD_TTFT ? b->nttft : b->ntotal;
    size_t kept = n < BASELINE_TIMES ? (size_t)n : BASELINE_TIMES;
    if (kept < LEAST_TIMES)
        return INFINITY;
    qsort(times, kept, sizeof *times, by_value);
    double slow = seq_limit_of(times, kept, slow_quantile).limit;
    double limit = fmax(slow * felt_times, slow + FELT_MS);
    size_t above = kept;
    while (above > 0 && times[above - 1] > limit)
        above--;
    b->counts[kind] = (struct seq_counts){ .total = (int64_t)kept, .bad = (int64_t)(kept - above) };
    return limit;
}

void baseline_end(struct baseline *b)
{
    free(b->ttft);
    free(b->total);
    b->ttft = b->total = NULL;
}

/* ---- the trial ---- */

/* A guard has an account when there is something to hold it against. */
static size_t watched(const struct seq_counts *counts, const double *limit, size_t *kinds)
{
    size_t n = 0;
    for (size_t i = 0; i < GUARD_KINDS; i++)
        if (counts[i].total > 0 && (!is_time(i) || isfinite(limit[i])))
            kinds[n++] = i;
    return n;
}

static void begin_watch(struct guards *g, const struct seq_counts *base, const struct seq_counts *seen)
{
    struct seq_rule rule[GUARD_KINDS];
    struct seq_counts so_far[GUARD_KINDS];
    size_t n = watched(base, g->limit, g->kinds);
    for (size_t i = 0; i < n; i++) {
        size_t kind = g->kinds[i];
        rule[i] = (struct seq_rule){ .baseline = base[kind], .tolerance = rules[kind].tolerance, .weight = rules[kind].weight };
        so_far[i] = seen ? seen[kind] : (struct seq_counts){ 0, 0 };
    }
    seq_watch_begin(&g->watch, all_alpha, rule, so_far, n);
}

void guards_begin(struct guards *g, struct baseline *b)
{
    *g = (struct guards){ .breach = -1, .base_requests = b->requests };
    for (size_t i = 0; i < GUARD_KINDS; i++)
        g->limit[i] = is_time(i) ? take_limit(b, (enum guard_kind)i) : 0;
    baseline_end(b);
    begin_watch(g, b->counts, NULL);
}

static void keep_proof(struct guards *g, size_t kind, struct str id)
{
    if (!g->first_bad[kind][0])
        snprintf(g->first_bad[kind], sizeof g->first_bad[kind], "%.*s", STR_ARG(id));
    snprintf(g->last_bad[kind], sizeof g->last_bad[kind], "%.*s", STR_ARG(id));
}

int guards_see(struct guards *g, const struct guard_whom *candidate, const struct request_row *r)
{
    struct facts f;
    if (!read_row(candidate, r, &f))
        return -1;
    g->requests++;
    for (size_t i = 0; i < g->watch.n; i++) {
        size_t kind = g->kinds[i];
        double ms = is_time(kind) ? time_of(&f, kind) : -1;
        enum said said = !is_time(kind) ? f.of[kind] : ms < 0 ? SAID_NOTHING : bad_if(ms > g->limit[kind]);
        if (said == SAID_NOTHING)
            continue;
        seq_see(&g->watch, i, said == SAID_BAD);
        if (said == SAID_BAD)
            keep_proof(g, kind, r->id);
    }
    int loudest = g->breach < 0 ? seq_look(&g->watch) : -1;
    if (loudest < 0)
        return -1;
    g->breach = (int)g->kinds[loudest];
    return g->breach;
}

/* ---- told ---- */

static const struct seq_guard *guard_of(const struct guards *g, size_t kind, size_t *at)
{
    for (*at = 0; *at < g->watch.n; ++*at)
        if (g->kinds[*at] == kind)
            return &g->watch.guards[*at];
    return NULL;
}

static double rate(struct seq_counts c)
{
    return c.total ? (double)c.bad / (double)c.total : 0;
}

void guards_say(const struct guards *g, enum guard_kind kind, struct buf *out)
{
    size_t at;
    const struct seq_guard *s = guard_of(g, kind, &at);
    if (!s)
        return;
    const struct seq_counts *base = &s->rule.baseline;
    if (is_time(kind))
        buf_printf(out, "%s over %.0f ms: ", guard_name[kind], g->limit[kind]);
    else
        buf_printf(out, "%s: ", guard_name[kind]);
    buf_printf(out, "%lld of %lld requests (%.1f %%), where the old model had %lld of %lld (%.1f %%)", (long long)s->seen.bad, (long long)s->seen.total, 100 * rate(s->seen),
        (long long)base->bad, (long long)base->total, 100 * rate(*base));
    if (g->first_bad[kind][0])
        buf_printf(out, "; the first is %s, the last %s", g->first_bad[kind], g->last_bad[kind]);
}

static void put_text(struct json_out *o, const char *key, struct str text)
{
    json_key(o, str_of(key));
    json_string(o, text);
}

static void put_double(struct json_out *o, const char *key, double v)
{
    json_key(o, str_of(key));
    json_double(o, v, 6);
}

void guards_view(const struct guards *g, struct str role, struct json_out *o)
{
    for (size_t i = 0; i < g->watch.n; i++) {
        size_t kind = g->kinds[i];
        const struct seq_guard *s = &g->watch.guards[i];
        struct buf text = { 0 };
        guards_say(g, (enum guard_kind)kind, &text);
        json_begin_object(o);
        put_text(o, "role", role);
        put_text(o, "name", str_of(guard_name[kind]));
        put_text(o, "verdict", g->breach == (int)kind ? STR("breached") : seq_progress(&g->watch, i) > 0.5 ? STR("watched") : STR("holds"));
        put_double(o, "value", rate(s->seen));
        put_double(o, "baseline", rate(s->rule.baseline));
        put_text(o, "evidence", buf_str(&text));
        json_end_object(o);
        buf_free(&text);
    }
}

/* ---- to save ---- */

static void put_counts(struct json_out *o, const char *key, struct seq_counts c)
{
    json_key(o, str_of(key));
    json_begin_array(o);
    json_int(o, c.bad);
    json_int(o, c.total);
    json_end_array(o);
}

void guards_put(const struct guards *g, struct json_out *o)
{
    json_begin_object(o);
    json_key(o, STR("requests"));
    json_int(o, g->requests);
    json_key(o, STR("base_requests"));
    json_int(o, g->base_requests);
    put_text(o, "breach", g->breach >= 0 ? str_of(guard_name[g->breach]) : STR(""));
    json_key(o, STR("guards"));
    json_begin_object(o);
    for (size_t i = 0; i < g->watch.n; i++) {
        size_t kind = g->kinds[i];
        json_key(o, str_of(guard_name[kind]));
        json_begin_object(o);
        put_counts(o, "base", g->watch.guards[i].rule.baseline);
        put_counts(o, "seen", g->watch.guards[i].seen);
        if (is_time(kind))
            put_double(o, "limit", g->limit[kind]);
        put_text(o, "first", str_of(g->first_bad[kind]));
        put_text(o, "last", str_of(g->last_bad[kind]));
        json_end_object(o);
    }
    json_end_object(o);
    json_end_object(o);
}

static bool read_counts(yyjson_val *v, struct seq_counts *out)
{
    yyjson_val *bad = yyjson_arr_get(v, 0), *total = yyjson_arr_get(v, 1);
    *out = (struct seq_counts){ .bad = yyjson_get_sint(bad), .total = yyjson_get_sint(total) };
    return yyjson_is_int(bad) && yyjson_is_int(total) && out->bad >= 0 && out->total >= out->bad;
}

static bool read_guard(struct guards *g, size_t kind, yyjson_val *v, struct seq_counts *base, struct seq_counts *seen)
{
    struct str first = json_str(yyjson_obj_get(v, "first")), last = json_str(yyjson_obj_get(v, "last"));
    yyjson_val *limit = yyjson_obj_get(v, "limit");
    g->limit[kind] = is_time(kind) ? yyjson_is_num(limit) ? yyjson_get_num(limit) : INFINITY : 0;
    snprintf(g->first_bad[kind], sizeof g->first_bad[kind], "%.*s", STR_ARG(first));
    snprintf(g->last_bad[kind], sizeof g->last_bad[kind], "%.*s", STR_ARG(last));
    return read_counts(yyjson_obj_get(v, "base"), base) && read_counts(yyjson_obj_get(v, "seen"), seen) && base->total > 0;
}

bool guards_read(struct guards *g, struct str json)
{
    struct json_doc d = { 0 };
    struct err e;
    struct seq_counts base[GUARD_KINDS] = { { 0, 0 } }, seen[GUARD_KINDS] = { { 0, 0 } };
    *g = (struct guards){ .breach = -1 };
    for (size_t i = 0; i < GUARD_KINDS; i++)
        g->limit[i] = is_time(i) ? INFINITY : 0;
    if (json_parse(&d, json, &e))
        return false;
    yyjson_val *guards = yyjson_obj_get(d.root, "guards");
    bool good = yyjson_is_obj(guards);
    for (size_t i = 0; i < GUARD_KINDS && good; i++) {
        yyjson_val *v = yyjson_obj_get(guards, guard_name[i]);
        good = !v || read_guard(g, i, v, &base[i], &seen[i]);
        if (str_eq(json_str(yyjson_obj_get(d.root, "breach")), str_of(guard_name[i])))
            g->breach = (int)i;
    }
    g->requests = yyjson_get_sint(yyjson_obj_get(d.root, "requests"));
    g->base_requests = yyjson_get_sint(yyjson_obj_get(d.root, "base_requests"));
    json_free(&d);
    if (good)
        begin_watch(g, base, seen);
    return good;
}
