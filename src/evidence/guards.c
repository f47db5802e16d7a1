#include "evidence/guards.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char *const guard_name[GUARD_KINDS + 1] = {
    [GUARD_ERRORS] = "errors", [GUARD_BUSY] = "saturation", [GUARD_TTFT] = "ttft", [GUARD_TOTAL] = "total", [GUARD_TTFT_BUSY] = "ttft_busy", [GUARD_TOTAL_BUSY] = "total_busy",
    [GUARD_SCHEMA] = "schema", [GUARD_THOUGHTS] = "thoughts", [GUARD_EMPTY] = "empty", [GUARD_CUT] = "cut", [GUARD_FALLBACK] = "fallback",
    [GUARD_MEMORY] = "memory",
};

enum { LEAST_TIMES = 20 };              /* below, no quantile is worth a limit */
enum { LOADS_KNOWN = 500 };             /* so many times whose load is known are enough, however many there are of which it is not */
/* A time is only slow when somebody feels it: so much above the old model's 95th percentile. A machine that has more to do than it had moves all times a little, which is
 * no model's fault. */
enum { FELT_MS = 100 };
static const double felt_times = 1.5;
static const double all_alpha = 0.05, slow_quantile = 0.95;

enum timed { NO_TIME, FIRST, WHOLE };

/* Errors have most of the chance to be wrong, as they are what matters most and is rarest; times bear some points, so that a change nobody feels is none. */
static const struct { double weight, tolerance; bool runs; enum timed timed; enum baseline_load load; } rules[GUARD_KINDS] = {
    [GUARD_ERRORS]     = { 4,   0,     true },
    [GUARD_BUSY]       = { 1,   0.005, true },
    [GUARD_TTFT]       = { 1.5, 0.05,  true, FIRST, LOAD_NONE },
    [GUARD_TOTAL]      = { 1.5, 0.05,  true, WHOLE, LOAD_NONE },
    [GUARD_TTFT_BUSY]  = { 1,   0.05,  true, FIRST, LOAD_SOME },
    [GUARD_TOTAL_BUSY] = { 1,   0.05,  true, WHOLE, LOAD_SOME },
    [GUARD_SCHEMA]     = { 2,   0,     false },
    [GUARD_THOUGHTS]   = { 1,   0,     false },
    [GUARD_EMPTY]      = { 1,   0,     false },
    [GUARD_CUT]        = { 1,   0.01,  false },
    [GUARD_FALLBACK]   = { 1,   0.005, true },
};

static bool is_time(size_t kind)
{
    return rules[kind].timed != NO_TIME;
}

/* ---- what a row says of a model ---- */

enum said { SAID_NOTHING, SAID_GOOD, SAID_BAD, SAID_BAD_ITSELF /* its place is well, and answered: no part of a run */ };

struct facts {
    enum said of[GUARD_KINDS];          /* times aside */
    double ms[3];                       /* by enum timed; negative: none */
    enum baseline_load load;
    int64_t came_ms;
};

static enum said bad_if(bool bad)
{
    return bad ? SAID_BAD : SAID_GOOD;
}

/* What an error's code says of a place that was tried. */
enum gave { GAVE_NOTHING, GAVE_ALONE /* it was not asked, or could not take it */, GAVE_BUSY, GAVE_FAILED };

static enum gave gave_of(struct str code)
{
    static const struct { const char *code; enum gave gave; } odd[] = { { "breaker_open", GAVE_ALONE }, { "waking", GAVE_ALONE }, { "rate_limited", GAVE_BUSY } };
    for (size_t i = 0; i < COUNTOF(odd); i++)
        if (str_eq(code, str_of(odd[i].code)))
            return odd[i].gave;
    for (int i = ERR_OK + 1; i < ERR_COUNT; i++) {
        const struct err_row *row = err_row((enum err_code)i);
        if (str_eq(code, str_of(row->code)))
            return row->fault == FAULT_BACKEND || row->fault == FAULT_MODEL ? GAVE_FAILED : row->fault == FAULT_CALLER && row->failover ? GAVE_ALONE : GAVE_NOTHING;
    }
    return GAVE_NOTHING;
}

/* Of its tries before the one that was the last. */
static enum gave gave_up(struct str chain, struct str model)
{
    struct json_doc d = { 0 };
    struct err e;
    size_t i, n;
    yyjson_val *tried;
    enum gave most = GAVE_NOTHING;
    if (!chain.n || json_parse(&d, chain, &e))
        return most;
    yyjson_arr_foreach(d.root, i, n, tried) {
        enum gave gave = str_eq(json_str(yyjson_obj_get(tried, "model")), model) ? gave_of(json_str(yyjson_obj_get(tried, "error"))) : GAVE_NOTHING;
        most = gave > most ? gave : most;
    }
    json_free(&d);
    return most;
}

static bool is_about_a_model(const struct request_row *r)
{
    return r->fault == FAULT_NONE || r->fault == FAULT_BACKEND || r->fault == FAULT_MODEL;
}

static bool has_code(const struct request_row *r, const char *code)
{
    return str_eq(r->code, str_of(code));
}

/* The last try was its own. */
static void read_own(const struct request_row *r, enum gave last, struct facts *f)
{
    bool whole = r->fault == FAULT_NONE, talks = str_eq(r->endpoint, STR("chat")), asked = whole || last == GAVE_FAILED;
    f->of[GUARD_ERRORS] = !asked ? SAID_NOTHING : r->fault == FAULT_MODEL ? SAID_BAD_ITSELF : bad_if(!whole);
    f->of[GUARD_BUSY] = bad_if(last == GAVE_BUSY);
    if (asked) {
        f->of[GUARD_SCHEMA] = bad_if(has_code(r, "schema_unmet") || has_code(r, "tool_unmet"));
        f->of[GUARD_THOUGHTS] = bad_if(r->unasked_thoughts);
        f->of[GUARD_EMPTY] = bad_if((whole && r->output_tokens == 0 && talks) || has_code(r, "only_thoughts"));
        f->of[GUARD_CUT] = r->finish == FINISH_UNKNOWN ? SAID_NOTHING : bad_if(r->finish == FINISH_LENGTH);
    }
    if (whole) { /* a cold start is not the model's */
        f->ms[FIRST] = r->ttft_ms >= 0 ? fmax(r->ttft_ms - fmax(r->load_ms, 0), 0) : -1;
        f->ms[WHOLE] = r->total_ms >= 0 ? fmax(r->total_ms - fmax(r->load_ms, 0), 0) : -1;
    }
}

static bool read_row(const struct guard_whom *w, const struct request_row *r, struct facts *f)
{
    *f = (struct facts){ .ms = { -1, -1, -1 }, .came_ms = r->time_ms, .load = r->others < 0 ? LOAD_UNKNOWN : r->others ? LOAD_SOME : LOAD_NONE };
    if (!is_about_a_model(r) || !(!w->role.n || str_eq(r->role, w->role) || str_eq(r->tier, w->role)))
        return false;
    bool own = str_eq(r->model, w->model), whole = r->fault == FAULT_NONE;
    enum gave before = gave_up(r->chain, w->model), last = own && !whole ? gave_of(r->code) : GAVE_NOTHING;
    if (own)
        read_own(r, last, f);
    else if (before == GAVE_FAILED)
        f->of[GUARD_ERRORS] = SAID_BAD;
    if (before == GAVE_BUSY)
        f->of[GUARD_BUSY] = SAID_BAD;
    bool left_out = before == GAVE_ALONE || before == GAVE_BUSY || last == GAVE_ALONE || last == GAVE_BUSY;
    if (left_out || (whole && before == GAVE_FAILED && (!own || r->fell_back)))
        f->of[GUARD_FALLBACK] = SAID_BAD;
    else if (own && whole)
        f->of[GUARD_FALLBACK] = SAID_GOOD;
    return own || before != GAVE_NOTHING;
}

/* ---- runs ---- */

/* Is it counted? run: when the first bad one of a run came; counts: so far. */
static bool counts_now(size_t kind, int64_t *run, const struct seq_counts *counts, enum said said, int64_t came_ms)
{
    if (!rules[kind].runs)
        return true;
    if (said != SAID_BAD) {
        if (came_ms > *run)
            *run = 0;
        return true;
    }
    if (*run)
        return came_ms - *run >= GUARD_RUN_MS;
    if (counts->total > counts->bad)
        *run = came_ms;
    return true;
}

static bool is_bad(enum said said)
{
    return said == SAID_BAD || said == SAID_BAD_ITSELF;
}

/* ---- the old model ---- */

void baseline_begin(struct baseline *b)
{
    *b = (struct baseline){ .requests = 0 };
}

static void keep_time(struct baseline *b, size_t which, enum baseline_load load, double ms, int64_t came_ms)
{
    struct baseline_time **ring = &b->times[which][load];
    if (ms < 0)
        return;
    if (!*ring && !(*ring = calloc(BASELINE_TIMES, sizeof **ring)))
        die("out of memory for a baseline");
    (*ring)[b->ntimes[which][load]++ % BASELINE_TIMES] = (struct baseline_time){ ms, came_ms };
}

void baseline_see(struct baseline *b, const struct guard_whom *old, const struct request_row *r)
{
    struct facts f;
    if (!read_row(old, r, &f))
        return;
    b->from_ms = b->requests ? b->from_ms : r->time_ms;
    b->until_ms = r->time_ms;
    b->requests++;
    for (size_t i = 0; i < GUARD_KINDS; i++)
        if (f.of[i] != SAID_NOTHING && counts_now(i, &b->runs[i], &b->counts[i], f.of[i], f.came_ms)) {
            b->counts[i].total++;
            b->counts[i].bad += is_bad(f.of[i]);
        }
    keep_time(b, 0, f.load, f.ms[FIRST], f.came_ms);
    keep_time(b, 1, f.load, f.ms[WHOLE], f.came_ms);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static size_t kept(const struct baseline *b, size_t which, enum baseline_load load)
{
    return b->ntimes[which][load] < BASELINE_TIMES ? (size_t)b->ntimes[which][load] : BASELINE_TIMES;
}

/* Those of a load, oldest first, behind what there is. */
static void add_times(const struct baseline *b, size_t which, enum baseline_load load, struct baseline_time *to, size_t *n)
{
    size_t have = kept(b, which, load), first = have < BASELINE_TIMES ? 0 : (size_t)(b->ntimes[which][load] % BASELINE_TIMES);
    for (size_t i = 0; i < have; i++)
        to[(*n)++] = b->times[which][load][(first + i) % BASELINE_TIMES];
}

static double limit_of(const struct baseline_time *times, size_t n)
{
    double *sorted = calloc(n, sizeof *sorted);
    if (!sorted)
        die("out of memory for a baseline");
    for (size_t i = 0; i < n; i++)
        sorted[i] = times[i].ms;
    qsort(sorted, n, sizeof *sorted, by_value);
    double slow = seq_limit_of(sorted, n, slow_quantile).limit;
    free(sorted);
    return fmax(slow * felt_times, slow + FELT_MS);
}

static double take_limit(struct baseline *b, size_t kind, bool by_load)
{
    size_t which = rules[kind].timed - FIRST, n = 0;
    double limit = INFINITY;
    struct baseline_time *times = calloc(LOADS * BASELINE_TIMES, sizeof *times);
    if (!times)
        die("out of memory for a baseline");
    for (enum baseline_load load = LOAD_NONE; load < LOADS; load++)
        if (by_load ? load == rules[kind].load : rules[kind].load == LOAD_NONE)
            add_times(b, which, load, times, &n);
    if (n >= LEAST_TIMES) {
        struct seq_counts *counts = &b->counts[kind];
        int64_t run = 0;
        limit = limit_of(times, n);
        for (size_t i = 0; i < n; i++)
            if (counts_now(kind, &run, counts, bad_if(times[i].ms > limit), times[i].came_ms)) {
                counts->total++;
                counts->bad += times[i].ms > limit;
            }
    }
    free(times);
    return limit;
}

/* Enough of its times have a load that is known: rows of older programs do not say. */
static bool knows_loads(const struct baseline *b)
{
    int64_t known = b->ntimes[1][LOAD_NONE] + b->ntimes[1][LOAD_SOME];
    return known >= LOADS_KNOWN || known >= b->ntimes[1][LOAD_UNKNOWN];
}

void baseline_end(struct baseline *b)
{
    for (size_t which = 0; which < 2; which++)
        for (size_t load = 0; load < LOADS; load++) {
            free(b->times[which][load]);
            b->times[which][load] = NULL;
        }
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
    *g = (struct guards){ .breach = -1, .base_requests = b->requests, .by_load = knows_loads(b), .origin = { .from_ms = b->from_ms, .until_ms = b->until_ms } };
    for (size_t i = 0; i < GUARD_KINDS; i++)
        g->limit[i] = is_time(i) ? take_limit(b, i, g->by_load) : 0;
    baseline_end(b);
    begin_watch(g, b->counts, NULL);
}

static void keep_proof(struct guards *g, size_t kind, struct str id)
{
    if (!g->first_bad[kind][0])
        snprintf(g->first_bad[kind], sizeof g->first_bad[kind], "%.*s", STR_ARG(id));
    snprintf(g->last_bad[kind], sizeof g->last_bad[kind], "%.*s", STR_ARG(id));
}

static enum said said_by(const struct guards *g, const struct facts *f, size_t kind)
{
    if (!is_time(kind))
        return f->of[kind];
    double ms = f->ms[rules[kind].timed];
    return ms < 0 || (g->by_load && f->load != rules[kind].load) ? SAID_NOTHING : bad_if(ms > g->limit[kind]);
}

int guards_see(struct guards *g, const struct guard_whom *candidate, const struct request_row *r)
{
    struct facts f;
    if (!read_row(candidate, r, &f))
        return -1;
    g->requests++;
    for (size_t i = 0; i < g->watch.n; i++) {
        size_t kind = g->kinds[i];
        enum said said = said_by(g, &f, kind);
        if (said == SAID_NOTHING || !counts_now(kind, &g->runs[kind], &g->watch.guards[i].seen, said, f.came_ms))
            continue;
        seq_see(&g->watch, i, is_bad(said));
        if (is_bad(said))
            keep_proof(g, kind, r->id);
    }
    int loudest = g->breach < 0 ? seq_look(&g->watch) : -1;
    if (loudest < 0)
        return -1;
    g->breach = (int)g->kinds[loudest];
    return g->breach;
}

/* ---- memory ---- */

static const int64_t one_mib = MIB, least_more_bytes = 256 * MIB;

static int64_t memory_limit(const struct guard_memory *m)
{
    int64_t quarter = m->expected_bytes / 4;
    return m->expected_bytes + (quarter > least_more_bytes ? quarter : least_more_bytes);
}

int guards_see_memory(struct guards *g, int64_t bytes, int64_t expected_bytes, int64_t now_ms)
{
    struct guard_memory *m = &g->memory;
    if (bytes < 0 || expected_bytes < 1)
        return -1;
    bool gap = now_ms - m->last_ms > 5 * GUARD_SAMPLE_MS; /* it was gone, or nobody looked */
    m->first_ms = m->first_ms ? m->first_ms : now_ms;
    m->last_ms = now_ms;
    m->now_bytes = bytes;
    m->most_bytes = bytes > m->most_bytes ? bytes : m->most_bytes;
    if (now_ms - m->first_ms < GUARD_MEMORY_MS || !m->expected_bytes) {
        m->expected_bytes = expected_bytes > m->expected_bytes ? expected_bytes : m->expected_bytes;
        return -1;
    }
    if (bytes <= memory_limit(m))
        m->over_ms = 0;
    else if (!m->over_ms || gap)
        m->over_ms = now_ms;
    if (g->breach >= 0 || !m->over_ms || now_ms - m->over_ms < GUARD_MEMORY_MS)
        return -1;
    return g->breach = GUARD_MEMORY;
}

static void say_memory(const struct guards *g, struct buf *out)
{
    const struct guard_memory *m = &g->memory;
    buf_printf(out, "memory: %lld MiB, where %lld MiB were expected and %lld MiB are borne", (long long)(m->now_bytes / one_mib), (long long)(m->expected_bytes / one_mib),
        (long long)(memory_limit(m) / one_mib));
    if (m->over_ms)
        buf_printf(out, ", too much for %lld min", (long long)((m->last_ms - m->over_ms) / 60000));
    else
        buf_printf(out, "; the most was %lld MiB", (long long)(m->most_bytes / one_mib));
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
    const struct seq_guard *s = kind == GUARD_MEMORY ? NULL : guard_of(g, kind, &at);
    if (kind == GUARD_MEMORY)
        say_memory(g, out);
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

static void view_memory(const struct guards *g, struct str role, struct json_out *o)
{
    struct buf text = { 0 };
    say_memory(g, &text);
    json_begin_object(o);
    put_text(o, "role", role);
    put_text(o, "name", str_of(guard_name[GUARD_MEMORY]));
    put_text(o, "verdict", g->breach == GUARD_MEMORY ? STR("breached") : g->memory.over_ms ? STR("watched") : STR("holds"));
    put_double(o, "value", (double)g->memory.now_bytes);
    put_double(o, "baseline", (double)g->memory.expected_bytes);
    put_text(o, "evidence", buf_str(&text));
    json_end_object(o);
    buf_free(&text);
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
    if (g->memory.expected_bytes)
        view_memory(g, role, o);
}

static void put_when(struct json_out *o, const char *key, int64_t wall_ms)
{
    char text[40] = "";
    struct tm tm;
    time_t t = (time_t)(wall_ms / 1000);
    if (wall_ms && gmtime_r(&t, &tm))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_key(o, str_of(key));
    json_string_or_null(o, str_of(text));
}

static void put_int(struct json_out *o, const char *key, int64_t v)
{
    json_key(o, str_of(key));
    json_int(o, v);
}

static void put_or_null(struct json_out *o, const char *key, const char *text)
{
    json_key(o, str_of(key));
    json_string_or_null(o, str_of(text));
}

static void put_origin(const struct guards *g, struct str role, struct json_out *o)
{
    const struct guards_origin *from = &g->origin;
    put_text(o, "role", role);
    put_or_null(o, "source", from->source);
    put_or_null(o, "model", from->model);
    put_or_null(o, "engine", from->engine);
    put_int(o, "requests", g->base_requests);
    put_when(o, "from", from->from_ms);
    put_when(o, "until", from->until_ms);
    put_when(o, "saved", from->saved_ms);
    put_or_null(o, "note", from->note);
}

void guards_view_origin(const struct guards *g, struct str role, struct json_out *o)
{
    json_begin_object(o);
    put_origin(g, role, o);
    json_end_object(o);
}

void guards_view_base(const struct guards *g, struct str role, struct json_out *o)
{
    json_begin_object(o);
    put_origin(g, role, o);
    json_key(o, STR("by_load"));
    json_bool(o, g->by_load);
    json_key(o, STR("guards"));
    json_begin_array(o);
    for (size_t i = 0; i < g->watch.n; i++) {
        const struct seq_counts *base = &g->watch.guards[i].rule.baseline;
        json_begin_object(o);
        put_text(o, "name", str_of(guard_name[g->kinds[i]]));
        put_int(o, "bad", base->bad);
        put_int(o, "total", base->total);
        put_double(o, "rate", rate(*base));
        json_key(o, STR("limit_ms"));
        if (is_time(g->kinds[i]))
            json_double(o, g->limit[g->kinds[i]], 1);
        else
            json_null(o);
        json_end_object(o);
    }
    json_end_array(o);
    json_end_object(o);
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

static const struct { const char *name; size_t at; } memory_fields[] = {
#define FIELD(name) { #name, offsetof(struct guard_memory, name) }
    FIELD(expected_bytes), FIELD(now_bytes), FIELD(most_bytes), FIELD(first_ms), FIELD(last_ms), FIELD(over_ms),
#undef FIELD
};

static void put_memory(const struct guard_memory *m, struct json_out *o)
{
    json_key(o, STR("memory"));
    json_begin_object(o);
    for (size_t i = 0; i < COUNTOF(memory_fields); i++)
        put_int(o, memory_fields[i].name, *(const int64_t *)(const void *)((const char *)m + memory_fields[i].at));
    json_end_object(o);
}

static void read_memory(struct guard_memory *m, yyjson_val *v)
{
    for (size_t i = 0; i < COUNTOF(memory_fields); i++)
        *(int64_t *)(void *)((char *)m + memory_fields[i].at) = yyjson_get_sint(yyjson_obj_get(v, memory_fields[i].name));
}

void guards_put(const struct guards *g, struct json_out *o)
{
    json_begin_object(o);
    const struct guards_origin *from = &g->origin;
    put_int(o, "requests", g->requests);
    put_int(o, "base_requests", g->base_requests);
    put_text(o, "source", str_of(from->source));
    put_text(o, "model", str_of(from->model));
    put_text(o, "engine", str_of(from->engine));
    put_text(o, "note", str_of(from->note));
    put_int(o, "from_ms", from->from_ms);
    put_int(o, "until_ms", from->until_ms);
    put_int(o, "saved_ms", from->saved_ms);
    json_key(o, STR("by_load"));
    json_bool(o, g->by_load);
    if (g->memory.expected_bytes)
        put_memory(&g->memory, o);
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
        if (g->runs[kind])
            put_int(o, "run", g->runs[kind]);
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
    g->runs[kind] = yyjson_get_sint(yyjson_obj_get(v, "run"));
    snprintf(g->first_bad[kind], sizeof g->first_bad[kind], "%.*s", STR_ARG(first));
    snprintf(g->last_bad[kind], sizeof g->last_bad[kind], "%.*s", STR_ARG(last));
    return read_counts(yyjson_obj_get(v, "base"), base) && read_counts(yyjson_obj_get(v, "seen"), seen) && base->total > 0;
}

static void take_text(yyjson_val *obj, const char *key, char *to, size_t room)
{
    struct str text = json_str(yyjson_obj_get(obj, key));
    snprintf(to, room, "%.*s", STR_ARG(text));
}

static void read_origin(struct guards_origin *from, yyjson_val *v)
{
    take_text(v, "source", from->source, sizeof from->source);
    take_text(v, "model", from->model, sizeof from->model);
    take_text(v, "engine", from->engine, sizeof from->engine);
    take_text(v, "note", from->note, sizeof from->note);
    from->from_ms = yyjson_get_sint(yyjson_obj_get(v, "from_ms"));
    from->until_ms = yyjson_get_sint(yyjson_obj_get(v, "until_ms"));
    from->saved_ms = yyjson_get_sint(yyjson_obj_get(v, "saved_ms"));
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
    read_origin(&g->origin, d.root);
    read_memory(&g->memory, yyjson_obj_get(d.root, "memory"));
    if (str_eq(json_str(yyjson_obj_get(d.root, "breach")), str_of(guard_name[GUARD_MEMORY])))
        g->breach = GUARD_MEMORY;
    g->by_load = yyjson_is_true(yyjson_obj_get(d.root, "by_load"));
    g->requests = yyjson_get_sint(yyjson_obj_get(d.root, "requests"));
    g->base_requests = yyjson_get_sint(yyjson_obj_get(d.root, "base_requests"));
    json_free(&d);
    if (good)
        begin_watch(g, base, seen);
    return good;
}
