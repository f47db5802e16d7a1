#include "evidence/guards_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *const guard_name[GUARD_NAMES] = {
    [GUARD_ERRORS] = "errors", [GUARD_BUSY] = "saturation", [GUARD_TTFT] = "ttft", [GUARD_TOTAL] = "total", [GUARD_TTFT_BUSY] = "ttft_busy", [GUARD_TOTAL_BUSY] = "total_busy",
    [GUARD_SCHEMA] = "schema", [GUARD_THOUGHTS] = "thoughts", [GUARD_EMPTY] = "empty", [GUARD_CUT] = "cut", [GUARD_FALLBACK] = "fallback",
    [GUARD_MEMORY] = "memory", [GUARD_PLACE] = "place",
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

bool guard_is_time(size_t kind)
{
    return rules[kind].timed != NO_TIME;
}

/* ---- what a row says of a model ---- */

enum said { SAID_NOTHING, SAID_GOOD, SAID_BAD, SAID_BAD_ITSELF /* its place is well, and answered: no part of a run */, SAID_AWAY /* bad, and nobody was there */ };

struct facts {
    enum said of[GUARD_KINDS];          /* times aside */
    double ms[3];                       /* by enum timed; negative: none */
    enum baseline_load load;
    int64_t came_ms;
    bool away, there;                   /* of its tries: nobody could be reached; something came from there */
};

static enum said bad_if(bool bad)
{
    return bad ? SAID_BAD : SAID_GOOD;
}

/* What an error's code says of a place that was tried. */
enum gave { GAVE_NOTHING, GAVE_ALONE /* it was not asked, or could not take it */, GAVE_BUSY, GAVE_FAILED, GAVE_WRONG /* it answered, and that was nothing */ };

static enum gave gave_of(struct str code)
{
    static const struct { const char *code; enum gave gave; } odd[] = { { "breaker_open", GAVE_ALONE }, { "waking", GAVE_ALONE }, { "rate_limited", GAVE_BUSY } };
    for (size_t i = 0; i < COUNTOF(odd); i++)
        if (str_eq(code, str_of(odd[i].code)))
            return odd[i].gave;
    for (int i = ERR_OK + 1; i < ERR_COUNT; i++) {
        const struct err_row *row = err_row((enum err_code)i);
        if (str_eq(code, str_of(row->code)))
            return row->fault == FAULT_MODEL ? GAVE_WRONG : row->fault == FAULT_BACKEND ? GAVE_FAILED : row->fault == FAULT_CALLER && row->failover ? GAVE_ALONE : GAVE_NOTHING;
    }
    return GAVE_NOTHING;
}

static bool is_unmet(struct str code)
{
    return str_eq(code, STR("schema_unmet")) || str_eq(code, STR("tool_unmet"));
}

static bool is_mute(struct str code)
{
    return str_eq(code, STR("only_thoughts"));
}

/* A place that was left alone for another reason says nothing about whether it is there. */
static void note_place(struct facts *f, enum gave gave, bool away)
{
    f->away |= away;
    f->there |= !away && gave >= GAVE_BUSY;
}

/* The gravest of its tries before the one that was the last. f: what an answer that was nothing says besides. */
static enum gave gave_up(struct str chain, struct str model, struct facts *f)
{
    struct json_doc d = { 0 };
    struct err e;
    size_t i, n;
    yyjson_val *tried;
    enum gave most = GAVE_NOTHING;
    if (!chain.n || json_parse(&d, chain, &e))
        return most;
    yyjson_arr_foreach(d.root, i, n, tried) {
        struct str code = json_str(yyjson_obj_get(tried, "error"));
        if (!str_eq(json_str(yyjson_obj_get(tried, "model")), model))
            continue;
        enum gave gave = gave_of(code);
        most = gave > most ? gave : most;
        note_place(f, gave, yyjson_is_true(yyjson_obj_get(tried, "away")));
        if (gave == GAVE_WRONG) {
            f->of[GUARD_SCHEMA] = is_unmet(code) ? SAID_BAD : f->of[GUARD_SCHEMA];
            f->of[GUARD_EMPTY] = is_mute(code) ? SAID_BAD : f->of[GUARD_EMPTY];
        }
    }
    json_free(&d);
    return most;
}

static bool is_about_a_model(const struct request_row *r)
{
    return r->fault == FAULT_NONE || r->fault == FAULT_BACKEND || r->fault == FAULT_MODEL;
}

/* The last try was its own. */
static void read_own(const struct request_row *r, enum gave last, struct facts *f)
{
    bool whole = r->fault == FAULT_NONE, talks = str_eq(r->endpoint, STR("chat")), asked = whole || last >= GAVE_FAILED;
    f->of[GUARD_ERRORS] = !asked ? SAID_NOTHING : r->fault == FAULT_MODEL ? SAID_BAD_ITSELF : bad_if(!whole);
    f->of[GUARD_BUSY] = bad_if(last == GAVE_BUSY);
    if (asked) {
        f->of[GUARD_SCHEMA] = bad_if(is_unmet(r->code));
        f->of[GUARD_THOUGHTS] = bad_if(r->unasked_thoughts);
        f->of[GUARD_EMPTY] = bad_if((whole && r->output_tokens == 0 && talks) || is_mute(r->code));
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
    enum gave before = gave_up(r->chain, w->model, f), last = own && !whole ? gave_of(r->code) : GAVE_NOTHING;
    if (own) {
        note_place(f, last, r->away && !whole);
        f->there |= whole;
        read_own(r, last, f);
    } else if (before >= GAVE_FAILED)
        f->of[GUARD_ERRORS] = before == GAVE_WRONG ? SAID_BAD_ITSELF : SAID_BAD;
    if (before == GAVE_BUSY)
        f->of[GUARD_BUSY] = SAID_BAD;
    bool left_out = before == GAVE_ALONE || before == GAVE_BUSY || last == GAVE_ALONE || last == GAVE_BUSY;
    if (left_out || (whole && before >= GAVE_FAILED && (!own || r->fell_back)))
        f->of[GUARD_FALLBACK] = SAID_BAD;
    else if (own && whole)
        f->of[GUARD_FALLBACK] = SAID_GOOD;
    f->away &= !f->there;
    for (size_t i = 0; f->away && i < GUARD_KINDS; i++)
        f->of[i] = f->of[i] == SAID_BAD ? SAID_AWAY : SAID_NOTHING; /* nor that its JSON would have been right */
    return own || before != GAVE_NOTHING;
}

/* ---- runs ---- */

/* Is it counted? run: when the first bad one of a run came; counts: so far. */
static bool counts_now(size_t kind, int64_t *run, const struct seq_counts *counts, enum said said, int64_t came_ms)
{
    if (said == SAID_AWAY) { /* part of the run that it was met in; else it begins one */
        bool first = !*run;
        *run = first ? came_ms : *run;
        return first;
    }
    if (!rules[kind].runs)
        return true;
    if (said != SAID_BAD) {
        if (came_ms > *run)
            *run = 0;
        return true;
    }
    if (*run)
        return came_ms - *run >= GUARD_RUN_MS;
    if (counts->total > counts->bad || guard_is_time(kind))
        *run = came_ms;
    return true;
}

static bool is_bad(enum said said)
{
    return said == SAID_BAD || said == SAID_BAD_ITSELF || said == SAID_AWAY;
}

/* ---- outages ---- */

int64_t guard_away_now_ms(const struct guard_place *p)
{
    return p->since_ms ? p->last_ms - p->since_ms : 0;
}

/* What began before an outage may end in the midst of it. The first that finds somebody again begins anew: what is bad from then on is no part of it. */
static void see_place(struct guard_place *p, const struct facts *f, int64_t runs[GUARD_KINDS])
{
    p->first_ms = p->first_ms ? p->first_ms : f->came_ms;
    if (f->away) {
        p->requests = p->since_ms ? p->requests + 1 : 1;
        p->since_ms = p->since_ms ? p->since_ms : f->came_ms;
        p->last_ms = f->came_ms > p->last_ms || p->requests == 1 ? f->came_ms : p->last_ms;
    } else if (f->there && p->since_ms && f->came_ms > p->since_ms) {
        p->sum_ms += f->came_ms - p->since_ms;
        p->since_ms = p->requests = 0;
        for (size_t i = 0; i < GUARD_KINDS; i++)
            runs[i] = rules[i].timed == NO_TIME ? 0 : runs[i];
    }
}

static bool is_away_too_long(const struct guard_place *p)
{
    int64_t now_ms = guard_away_now_ms(p), all_ms = p->sum_ms + now_ms;
    if (!p->since_ms || p->requests < GUARD_AWAY_LEAST)
        return false;
    return now_ms >= GUARD_AWAY_MS || (all_ms >= GUARD_AWAY_SUM_MS && 2 * all_ms > p->last_ms - p->first_ms);
}

int64_t guards_away_ms(const struct guards *g)
{
    return g->place.sum_ms + guard_away_now_ms(&g->place);
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
    see_place(&b->place, &f, b->runs);
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
        if (counts[i].total > 0 && (!guard_is_time(i) || isfinite(limit[i])))
            kinds[n++] = i;
    return n;
}

void guards_watch(struct guards *g, const struct seq_counts *base, const struct seq_counts *seen)
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
        g->limit[i] = guard_is_time(i) ? take_limit(b, i, g->by_load) : 0;
    baseline_end(b);
    guards_watch(g, b->counts, NULL);
}

static void keep_proof(struct guards *g, size_t kind, struct str id)
{
    if (!g->first_bad[kind][0])
        snprintf(g->first_bad[kind], sizeof g->first_bad[kind], "%.*s", STR_ARG(id));
    snprintf(g->last_bad[kind], sizeof g->last_bad[kind], "%.*s", STR_ARG(id));
}

static enum said said_by(const struct guards *g, const struct facts *f, size_t kind)
{
    if (!guard_is_time(kind))
        return f->of[kind];
    double ms = f->ms[rules[kind].timed];
    return ms < 0 || (g->by_load && f->load != rules[kind].load) ? SAID_NOTHING : bad_if(ms > g->limit[kind]);
}

int guards_see(struct guards *g, const struct guard_whom *candidate, const struct request_row *r)
{
    struct facts f;
    if (!read_row(candidate, r, &f))
        return -1;
    g->requests += !f.away;
    see_place(&g->place, &f, g->runs);
    for (size_t i = 0; i < g->watch.n; i++) {
        size_t kind = g->kinds[i];
        enum said said = said_by(g, &f, kind);
        if (said == SAID_NOTHING || !counts_now(kind, &g->runs[kind], &g->watch.guards[i].seen, said, f.came_ms))
            continue;
        seq_see(&g->watch, i, is_bad(said));
        if (is_bad(said))
            keep_proof(g, kind, r->id);
    }
    if (g->breach >= 0)
        return -1;
    int loudest = seq_look(&g->watch);
    if (loudest >= 0)
        g->breach = (int)g->kinds[loudest];
    else if (f.away && is_away_too_long(&g->place) && !str_eq(str_of(g->origin.source), STR("none")))
        g->breach = GUARD_PLACE;
    return g->breach;
}

/* ---- memory ---- */

static const int64_t least_more_bytes = 256 * MIB;

int64_t guard_memory_limit(const struct guard_memory *m)
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
    if (bytes <= guard_memory_limit(m))
        m->over_ms = 0;
    else if (!m->over_ms || gap)
        m->over_ms = now_ms;
    if (g->breach >= 0 || !m->over_ms || now_ms - m->over_ms < GUARD_MEMORY_MS)
        return -1;
    return g->breach = GUARD_MEMORY;
}
