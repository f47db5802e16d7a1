/* Requests in, figures out. A round is the unit: its requests share the place, so one alone of them says little, and one that does not count spoils the others. */
#include "evidence/speed.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char *const speed_flag_names[SPEED_FLAGS] = { "failed", "elsewhere", "cached", "shared", "short", "length", "uncounted" };

void speed_init(struct speed_report *r)
{
    *r = (struct speed_report){ .memory_bytes = -1 };
    arena_init(&r->memory);
    r->cells = calloc(SPEED_MAX_CELLS, sizeof *r->cells);
    if (!r->cells)
        die("out of memory for a measurement");
    for (size_t i = 0; i < SPEED_MAX_CELLS; i++)
        for (size_t k = 0; k < SPEED_MAX_ROUNDS; k++)
            r->cells[i].joules[k] = NAN;
}

void speed_fini(struct speed_report *r)
{
    free(r->cells);
    free(r->requests);
    arena_fini(&r->memory);
}

struct speed_request *speed_add(struct speed_report *r)
{
    if (r->nrequests == r->room) {
        r->room = r->room ? 2 * r->room : 64;
        r->requests = realloc(r->requests, r->room * sizeof *r->requests);
        if (!r->requests)
            die("out of memory for a measurement");
    }
    struct speed_request *q = &r->requests[r->nrequests++];
    *q = (struct speed_request){ .prompt_tokens = -1, .cached_tokens = -1, .output_tokens = -1 };
    return q;
}

void speed_warn(struct speed_report *r, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (size_t i = 0; i < r->nwarnings; i++)
        if (str_eq(r->warnings[i], str_of(text)))
            return;
    if (r->nwarnings < SPEED_MAX_WARNINGS)
        r->warnings[r->nwarnings++] = arena_copy(&r->memory, str_of(text));
}

/* ---- values ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts them. */
static struct speed_spread spread(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return (struct speed_spread){ .p50 = n ? quantile_of(v, n, 0.5) : NAN, .p99 = n ? quantile_of(v, n, 0.99) : NAN, .n = n };
}

struct values {
    double *at;
    size_t n;
};

static struct values values_for(struct speed_report *r, size_t most)
{
    return (struct values){ .at = arena_array(&r->memory, double, most + 1) };
}

static void take(struct values *v, double x)
{
    if (isfinite(x))
        v->at[v->n++] = x;
}

static double median(struct values *v)
{
    return spread(v->at, v->n).p50;
}

/* ---- a request ---- */

static double ttft_ms(const struct speed_request *q)
{
    return q->first_ns ? (double)(q->first_ns - q->sent_ns) / 1e6 : NAN;
}

static double request_tps(const struct speed_request *q)
{
    return q->output_tokens > 1 && q->last_ns > q->first_ns ? (double)(q->output_tokens - 1) * 1e9 / (double)(q->last_ns - q->first_ns) : NAN;
}

/* Tokens in a piece, the first piece left out: its token is the prompt's. */
static double piece_tokens(const struct speed_request *q)
{
    return q->ngaps && q->output_tokens > 1 ? (double)(q->output_tokens - 1) / (double)q->ngaps : NAN;
}

static double request_prompt_tps(const struct speed_request *q, bool *by_engine)
{
    *by_engine = q->engine.prompt_n > 0 && q->engine.prompt_ms > 0;
    if (*by_engine)
        return (double)q->engine.prompt_n * 1e3 / q->engine.prompt_ms;
    int64_t cached = q->cached_tokens > 0 ? q->cached_tokens : 0;
    return q->prompt_tokens > 0 && q->first_ns > q->sent_ns ? (double)(q->prompt_tokens - cached) * 1e9 / (double)(q->first_ns - q->sent_ns) : NAN;
}

/* ---- a round ---- */

struct sum {
    int64_t prompt, output, sent_ns, first_ns, last_first_ns, last_ns;
};

static void add_to_sum(struct sum *s, const struct speed_request *q)
{
    s->prompt += q->prompt_tokens - (q->cached_tokens > 0 ? q->cached_tokens : 0);
    s->output += q->output_tokens;
    if (!s->sent_ns || q->sent_ns < s->sent_ns)
        s->sent_ns = q->sent_ns;
    if (!s->first_ns || q->first_ns < s->first_ns)
        s->first_ns = q->first_ns;
    if (q->first_ns > s->last_first_ns)
        s->last_first_ns = q->first_ns;
    if (q->last_ns > s->last_ns)
        s->last_ns = q->last_ns;
}

/* ttft and per_token: room for the cell's requests; what a round has of them. */
static void count_round(struct speed_report *r, size_t cell, struct speed_round *out)
{
    struct values ttft = values_for(r, r->nrequests), token = values_for(r, r->nrequests);
    struct speed_cell *c = &r->cells[cell];
    struct sum s = { 0 };
    bool by_engine = false;
    double alone = NAN;
    out->counts = true;
    for (size_t i = 0; i < r->nrequests; i++) {
        const struct speed_request *q = &r->requests[i];
        if (q->cell != cell || q->round != out->round)
            continue;
        out->requests++;
        out->counts &= !(q->flags & SPEED_LEAVES_OUT);
        if (q->flags & (SPEED_FAILED | SPEED_UNCOUNTED))
            continue;
        add_to_sum(&s, q);
        take(&ttft, ttft_ms(q));
        take(&token, 1e3 / request_tps(q));
        alone = request_prompt_tps(q, &by_engine);
    }
    size_t at = (size_t)out->round - 1;
    out->joules = at < COUNTOF(c->joules) ? c->joules[at] : NAN;
    out->prompt_tokens = s.prompt;
    out->output_tokens = s.output;
    out->ttft_ms = median(&ttft);
    out->per_token_ms = median(&token);
    out->seconds = s.last_ns > s.sent_ns ? (double)(s.last_ns - s.sent_ns) / 1e9 : NAN;
    out->generation_tps = s.last_ns > s.first_ns ? (double)(s.output - (int64_t)out->requests) * 1e9 / (double)(s.last_ns - s.first_ns) : NAN;
    if (c->concurrency == 1)
        out->prompt_tps = alone;
    else
        out->prompt_tps = s.last_first_ns > s.sent_ns ? (double)s.prompt * 1e9 / (double)(s.last_first_ns - s.sent_ns) : NAN;
    if (c->concurrency == 1 && by_engine)
        c->by_engine = true;
}

/* ---- a cell ---- */

static void count_rounds(struct speed_report *r, size_t cell)
{
    struct speed_cell *c = &r->cells[cell];
    int last = 0;
    for (size_t i = 0; i < r->nrequests; i++)
        if (r->requests[i].cell == cell && r->requests[i].round > last)
            last = r->requests[i].round;
    c->rounds = arena_array(&r->memory, struct speed_round, (size_t)last + 1);
    c->nrounds = (size_t)last;
    c->counted = 0;
    for (int i = 0; i < last; i++) {
        c->rounds[i].round = i + 1;
        count_round(r, cell, &c->rounds[i]);
        c->counted += c->rounds[i].counts;
    }
}

static void sum_rounds(struct speed_report *r, struct speed_cell *c)
{
    struct values v[6];
    for (size_t i = 0; i < COUNTOF(v); i++)
        v[i] = values_for(r, c->nrounds);
    for (size_t i = 0; i < c->nrounds; i++) {
        const struct speed_round *round = &c->rounds[i];
        if (!round->counts)
            continue;
        take(&v[0], round->prompt_tps);
        take(&v[1], round->generation_tps);
        take(&v[2], round->joules);
        take(&v[3], round->joules / round->seconds);
        take(&v[4], round->joules > 0 ? (double)round->output_tokens / round->joules : NAN);
    }
    c->prompt_tps = median(&v[0]);
    c->generation_tps = median(&v[1]);
    c->joules_per_round = median(&v[2]);
    c->watts = median(&v[3]);
    c->tokens_per_joule = median(&v[4]);
}

static bool counts(const struct speed_report *r, size_t cell, const struct speed_request *q)
{
    return q->cell == cell && q->round > 0 && r->cells[cell].rounds[q->round - 1].counts;
}

static void sum_requests(struct speed_report *r, size_t cell)
{
    struct speed_cell *c = &r->cells[cell];
    struct values ttft = values_for(r, r->nrequests), each = values_for(r, r->nrequests), piece = values_for(r, r->nrequests), prompt = values_for(r, r->nrequests);
    size_t ngaps = 0;
    for (size_t i = 0; i < r->nrequests; i++) {
        const struct speed_request *q = &r->requests[i];
        if (!counts(r, cell, q))
            continue;
        take(&ttft, ttft_ms(q));
        take(&each, request_tps(q));
        take(&piece, piece_tokens(q));
        take(&prompt, (double)q->prompt_tokens);
        ngaps += q->ngaps;
    }
    struct values gaps = values_for(r, ngaps);
    c->ttft_ms = spread(ttft.at, ttft.n);
    c->each_generation_tps = median(&each);
    c->pieces_tokens = median(&piece);
    c->prompt_tokens = prompt.n ? (int64_t)llround(median(&prompt)) : -1;
    for (size_t i = 0; i < r->nrequests; i++) {
        const struct speed_request *q = &r->requests[i];
        for (size_t k = 0; counts(r, cell, q) && k < q->ngaps; k++)
            take(&gaps, q->gaps_ms[k] / (piece_tokens(q) > 0 ? piece_tokens(q) : 1));
    }
    c->per_token_ms = spread(gaps.at, gaps.n);
}

void speed_count(struct speed_report *r)
{
    for (size_t i = 0; i < r->ncells; i++) {
        count_rounds(r, i);
        sum_rounds(r, &r->cells[i]);
        sum_requests(r, i);
    }
}

const struct speed_cell *speed_first(const struct speed_report *r)
{
    for (size_t i = 0; i < r->ncells; i++)
        if (r->cells[i].counted)
            return &r->cells[i];
    return NULL;
}

/* ---- JSON ---- */

static void put_str(struct json_out *o, const char *key, struct str v)
{
    json_key(o, str_of(key));
    json_string_or_null(o, v);
}

static void put_int(struct json_out *o, const char *key, int64_t v) /* negative: null */
{
    json_key(o, str_of(key));
    json_int_or_null(o, v);
}

static void put_number(struct json_out *o, const char *key, double v, int decimals)
{
    json_key(o, str_of(key));
    json_double(o, v, decimals);
}

static void put_spread(struct json_out *o, const char *key, const struct speed_spread *s)
{
    json_key(o, str_of(key));
    json_begin_object(o);
    put_number(o, "p50", s ? s->p50 : NAN, 3);
    put_number(o, "p99", s ? s->p99 : NAN, 3);
    put_int(o, "n", s ? (int64_t)s->n : 0);
    json_end_object(o);
}

static const struct speed_cell nothing = { .prompt_tps = NAN, .generation_tps = NAN, .each_generation_tps = NAN, .ttft_ms = { NAN, NAN, 0 }, .per_token_ms = { NAN, NAN, 0 },
    .watts = NAN, .tokens_per_joule = NAN, .joules_per_round = NAN, .prompt_tokens = -1, .pieces_tokens = NAN };

static void put_figures(struct json_out *o, const struct speed_cell *c)
{
    put_number(o, "prompt_tps", c->prompt_tps, 2);
    put_str(o, "prompt_source", !c->counted ? STR("") : c->by_engine ? STR("engine") : STR("ttft"));
    put_number(o, "generation_tps", c->generation_tps, 2);
    put_spread(o, "ttft_ms", &c->ttft_ms);
    put_spread(o, "per_token_ms", &c->per_token_ms);
}

static void put_energy(const struct speed_report *r, struct json_out *o, const struct speed_cell *c)
{
    json_key(o, STR("energy"));
    json_begin_object(o);
    put_str(o, "source", r->energy_source);
    put_number(o, "watts", c->watts, 2);
    put_number(o, "joules_per_run", c->joules_per_round, 3);
    put_number(o, "tokens_per_joule", c->tokens_per_joule, 4);
    put_str(o, "why", r->energy_why);
    json_end_object(o);
}

static void put_rounds(struct json_out *o, const struct speed_cell *c)
{
    json_key(o, STR("rounds"));
    json_begin_array(o);
    for (size_t i = 0; i < c->nrounds; i++) {
        const struct speed_round *q = &c->rounds[i];
        json_begin_object(o);
        put_int(o, "round", q->round);
        json_key(o, STR("counts"));
        json_bool(o, q->counts);
        put_number(o, "prompt_tps", q->prompt_tps, 3);
        put_number(o, "generation_tps", q->generation_tps, 3);
        put_number(o, "ttft_ms", q->ttft_ms, 3);
        put_number(o, "per_token_ms", q->per_token_ms, 3);
        put_number(o, "seconds", q->seconds, 4);
        put_number(o, "joules", q->joules, 3);
        put_number(o, "tokens_per_joule", q->joules > 0 ? (double)q->output_tokens / q->joules : NAN, 4);
        json_end_object(o);
    }
    json_end_array(o);
}

static void put_cells(const struct speed_report *r, struct json_out *o)
{
    json_key(o, STR("cells"));
    json_begin_array(o);
    for (size_t i = 0; i < r->ncells; i++) {
        const struct speed_cell *c = &r->cells[i];
        if (c->left_out.n)
            continue;
        json_begin_object(o);
        put_int(o, "context", c->context);
        put_int(o, "concurrency", c->concurrency);
        put_int(o, "prompt_tokens", c->prompt_tokens);
        put_int(o, "counted", (int64_t)c->counted);
        put_int(o, "left_out", (int64_t)(c->nrounds - c->counted));
        put_figures(o, c);
        put_number(o, "each_generation_tps", c->each_generation_tps, 2);
        put_number(o, "tokens_per_event", c->pieces_tokens, 3);
        put_energy(r, o, c);
        put_rounds(o, c);
        json_end_object(o);
    }
    json_end_array(o);
    json_key(o, STR("left_out"));
    json_begin_array(o);
    for (size_t i = 0; i < r->ncells; i++) {
        const struct speed_cell *c = &r->cells[i];
        if (!c->left_out.n)
            continue;
        json_begin_object(o);
        put_int(o, "context", c->context);
        put_int(o, "concurrency", c->concurrency);
        put_str(o, "why", c->left_out);
        json_end_object(o);
    }
    json_end_array(o);
}

static void put_colds(const struct speed_report *r, struct json_out *o)
{
    static const struct { const char *name; size_t at; } parts[] = { { "total", offsetof(struct speed_cold, total_ms) }, { "spawn", offsetof(struct speed_cold, spawn_ms) },
        { "load", offsetof(struct speed_cold, load_ms) }, { "first_token", offsetof(struct speed_cold, first_token_ms) } };
    json_key(o, STR("cold_start_ms"));
    json_begin_object(o);
    for (size_t i = 0; i < COUNTOF(parts) && r->ncolds; i++) {
        double v[SPEED_MAX_COLDS];
        size_t n = 0;
        for (size_t k = 0; k < r->ncolds; k++) {
            double ms = *(const double *)((const char *)&r->colds[k] + parts[i].at);
            if (ms >= 0)
                v[n++] = ms;
        }
        put_number(o, parts[i].name, spread(v, n).p50, 1);
    }
    put_int(o, "n", (int64_t)r->ncolds);
    put_str(o, "why", r->cold_why);
    json_end_object(o);
}

static void put_flags(struct json_out *o, unsigned flags)
{
    json_key(o, STR("flags"));
    json_begin_array(o);
    for (size_t i = 0; i < SPEED_FLAGS; i++)
        if (flags & 1u << i)
            json_string(o, str_of(speed_flag_names[i]));
    json_end_array(o);
}

static void put_engine(struct json_out *o, const struct speed_request *q)
{
    json_key(o, STR("engine"));
    if (!q->engine.prompt_n && !q->engine.predicted_n) {
        json_null(o);
        return;
    }
    json_begin_object(o);
    put_int(o, "prompt_tokens", q->engine.prompt_n);
    put_number(o, "prompt_ms", q->engine.prompt_ms, 3);
    put_int(o, "predicted_tokens", q->engine.predicted_n);
    put_number(o, "predicted_ms", q->engine.predicted_ms, 3);
    json_end_object(o);
}

static void put_requests(const struct speed_report *r, struct json_out *o)
{
    json_key(o, STR("runs"));
    json_begin_array(o);
    for (size_t i = 0; i < r->nrequests; i++) {
        const struct speed_request *q = &r->requests[i];
        const struct speed_cell *c = &r->cells[q->cell];
        json_begin_object(o);
        put_int(o, "context", c->context);
        put_int(o, "concurrency", c->concurrency);
        put_int(o, "round", q->round);
        json_key(o, STR("counts"));
        json_bool(o, counts(r, q->cell, q));
        put_flags(o, q->flags);
        put_str(o, "why", q->why);
        put_str(o, "model", q->model);
        put_str(o, "host", q->host);
        put_str(o, "id", q->id);
        put_int(o, "prompt_tokens", q->prompt_tokens);
        put_int(o, "cached_tokens", q->cached_tokens);
        put_int(o, "output_tokens", q->output_tokens);
        put_number(o, "ttft_ms", ttft_ms(q), 3);
        put_number(o, "generation_tps", request_tps(q), 3);
        put_number(o, "total_ms", q->last_ns ? (double)(q->last_ns - q->sent_ns) / 1e6 : NAN, 3);
        put_engine(o, q);
        json_end_object(o);
    }
    json_end_array(o);
}

static void put_time(struct json_out *o, int64_t wall_ms)
{
    char text[40];
    time_t s = (time_t)(wall_ms / 1000);
    struct tm t;
    gmtime_r(&s, &t);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &t);
    put_str(o, "time", str_of(text));
}

void speed_put(const struct speed_report *r, struct str more, struct buf *out)
{
    const struct speed_cell *c = speed_first(r);
    struct json_out o = json_out(out);
    json_begin_object(&o);
    put_int(&o, "schema", 1);
    put_str(&o, "model", r->model);
    put_str(&o, "host", r->host);
    put_time(&o, r->began_ms);
    json_key(&o, STR("settings"));
    json_raw(&o, r->settings.n ? r->settings : STR("{}"));
    put_int(&o, "context", c ? c->context : -1); /* the figures that follow are this cell's */
    put_int(&o, "concurrency", c ? c->concurrency : -1);
    put_figures(&o, c ? c : &nothing);
    put_colds(r, &o);
    put_int(&o, "memory_bytes", r->memory_bytes);
    put_energy(r, &o, c ? c : &nothing);
    put_cells(r, &o);
    json_key(&o, STR("warnings"));
    json_begin_array(&o);
    for (size_t i = 0; i < r->nwarnings; i++)
        json_string(&o, r->warnings[i]);
    json_end_array(&o);
    json_key(&o, STR("stopped"));
    json_bool(&o, r->stopped);
    put_requests(r, &o);
    buf_add(out, more);
    json_end_object(&o);
}
