#include "evidence/averages.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *const averages_by_names[BY_COUNT] = { "", "model", "role", "caller", "host" };

/* ---- of some requests ---- */

bool row_is_measured(const struct request_row *r)
{
    return str_starts(r->client_id, STR(MEASURED_EVAL_ID)) || str_starts(r->client_id, STR(MEASURED_BENCH_ID));
}

static void add_tokens(struct averages *a, const struct request_row *r)
{
    if (r->input_tokens < 0 && r->output_tokens < 0)
        return;
    a->told++;
    a->input_tokens += r->input_tokens > 0 ? r->input_tokens : 0;
    a->output_tokens += r->output_tokens > 0 ? r->output_tokens : 0;
    a->reasoning_tokens += r->reasoning_tokens > 0 ? r->reasoning_tokens : 0;
    a->cached_tokens += r->cached_tokens > 0 ? r->cached_tokens : 0;
    if (r->input_tokens >= 0)
        spread_add(&a->prompt, (double)r->input_tokens);
    if (r->output_tokens >= 0)
        spread_add(&a->answer, (double)r->output_tokens);
}

/* A place that sends all at once says nothing of its rate: its first token comes with its last. */
static void add_rate(struct averages *a, const struct request_row *r)
{
    double after_ms = r->total_ms - r->ttft_ms;
    if (r->fault == FAULT_NONE && r->ttft_ms >= 0 && r->output_tokens >= RATE_LEAST_TOKENS && after_ms > 1)
        spread_add(&a->rate, (double)(r->output_tokens - 1) * 1000 / after_ms);
}

void averages_add(struct averages *a, const struct request_row *r)
{
    a->requests++;
    a->streams += r->stream;
    a->private_ += r->private_;
    a->busy += r->status == 429;
    a->fell_back += r->fell_back;
    a->faults[r->fault >= FAULT_NONE && r->fault <= FAULT_HARNESS ? r->fault : FAULT_GATEWAY]++;
    add_tokens(a, r);
    add_rate(a, r);
    if (r->load_ms > 0) {
        a->waited_for_load++;
        a->load_ms += r->load_ms;
    }
    if (r->ttft_ms >= 0)
        spread_add(&a->ttft, r->ttft_ms);
    if (r->queue_ms >= 0 && r->model.n) {
        a->queue_ms += r->queue_ms;
        spread_add(&a->queue, r->queue_ms);
    }
    if (r->total_ms >= 0)
        a->total_ms += r->total_ms;
    if (r->total_ms >= 0 && r->fault == FAULT_NONE)
        spread_add(&a->total, r->total_ms);
}

void averages_fini(struct averages *a)
{
    struct spread *const all[] = { &a->ttft, &a->total, &a->queue, &a->rate, &a->prompt, &a->answer };
    for (size_t i = 0; i < COUNTOF(all); i++)
        spread_fini(all[i]);
}

int64_t averages_errors(const struct averages *a)
{
    return a->requests - a->faults[FAULT_NONE];
}

/* ---- a stretch of time ---- */

void stretch_init(struct stretch *w, int64_t since_ms, int64_t until_ms, enum averages_by by)
{
    *w = (struct stretch){ .since_ms = since_ms, .until_ms = until_ms, .by = by };
    arena_init(&w->names);
}

static void *grown(void *at, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return at;
    *room = *room ? 2 * *room : 16;
    at = realloc(at, *room * size);
    if (!at)
        die("out of memory for a window of requests");
    return at;
}

static struct averages *group_of(struct stretch *w, struct str name)
{
    for (size_t i = 0; i < w->ngroups; i++)
        if (str_eq(w->groups[i].name, name))
            return &w->groups[i].a;
    if (w->ngroups == STRETCH_MOST_GROUPS)
        return &w->groups[w->ngroups - 1].a;
    bool last = w->ngroups + 1 == STRETCH_MOST_GROUPS;
    w->groups = grown(w->groups, w->ngroups, &w->room, sizeof *w->groups);
    w->groups[w->ngroups] = (struct stretch_group){ .name = last ? STR("(others)") : arena_copy(&w->names, name) };
    return &w->groups[w->ngroups++].a;
}

static void mix_add(struct stretch_mix *m, struct arena *names, struct str name)
{
    size_t i = 0;
    while (i < m->n && !str_eq(m->at[i].name, name))
        i++;
    if (i == m->n && m->n >= STRETCH_MOST_GROUPS)
        return; /* a crowd of seldom ones tells no mix */
    if (i == m->n) {
        m->at = grown(m->at, m->n, &m->room, sizeof *m->at);
        m->at[m->n++] = (struct stretch_share){ .name = arena_copy(names, name) };
    }
    m->at[i].requests++;
}

void stretch_add(struct stretch *w, const struct request_row *r)
{
    const struct str names[BY_COUNT] = { [BY_MODEL] = r->model, [BY_ROLE] = r->role, [BY_CALLER] = r->caller, [BY_HOST] = r->host };
    if (row_is_measured(r)) {
        w->left_out++;
        return;
    }
    averages_add(&w->all, r);
    mix_add(&w->callers, &w->names, r->caller);
    mix_add(&w->models, &w->names, r->model);
    if (w->by != BY_NONE)
        averages_add(group_of(w, names[w->by]), r);
}

static int by_requests(const void *a, const void *b)
{
    const struct stretch_group *x = a, *y = b;
    return (x->a.requests < y->a.requests) - (x->a.requests > y->a.requests);
}

void stretch_sort(struct stretch *w)
{
    if (w->ngroups)
        qsort(w->groups, w->ngroups, sizeof *w->groups, by_requests);
}

void stretch_fini(struct stretch *w)
{
    averages_fini(&w->all);
    for (size_t i = 0; i < w->ngroups; i++)
        averages_fini(&w->groups[i].a);
    free(w->groups);
    free(w->callers.at);
    free(w->models.at);
    arena_fini(&w->names);
}

double stretch_hours(const struct stretch *w)
{
    return w->until_ms > w->since_ms ? (double)(w->until_ms - w->since_ms) / 3600e3 : 0;
}

double stretch_at_once(const struct stretch *w)
{
    return w->until_ms > w->since_ms ? w->all.total_ms / (double)(w->until_ms - w->since_ms) : 0;
}

/* ---- are two alike? ---- */

enum { FEW = 30 };
static const double twice = 2, half_more = 1.5, apart_days = 7, streams_apart = 0.2, mix_apart = 0.3, at_once_counts = 0.5;

static const char *const unlike_names[UNLIKE_COUNT] = {
    [UNLIKE_FEW] = "few",         [UNLIKE_LENGTH] = "length",   [UNLIKE_AGE] = "age",         [UNLIKE_LOAD] = "load",       [UNLIKE_AT_ONCE] = "at_once",
    [UNLIKE_PROMPTS] = "prompts", [UNLIKE_ANSWERS] = "answers", [UNLIKE_STREAMS] = "streams", [UNLIKE_CALLERS] = "callers", [UNLIKE_MODELS] = "models",
};

static bool ratio_above(double a, double b, double limit)
{
    double low = fmin(a, b), high = fmax(a, b);
    return high > 0 && (low <= 0 || high / low > limit + 1e-9);
}

static double per_hour(const struct stretch *w)
{
    double hours = stretch_hours(w);
    return hours > 0 ? (double)w->all.requests / hours : 0;
}

static double share_of(int64_t part, int64_t all)
{
    return all ? (double)part / (double)all : 0;
}

static int64_t of_name(const struct stretch_mix *m, struct str name)
{
    for (size_t i = 0; i < m->n; i++)
        if (str_eq(m->at[i].name, name))
            return m->at[i].requests;
    return 0;
}

/* The share of requests that would have to be somebody else's for the two to be the same. */
static double moved(const struct stretch_mix *a, int64_t na, const struct stretch_mix *b, int64_t nb)
{
    double sum = 0;
    for (size_t i = 0; na && nb && i < a->n; i++)
        sum += fmax(share_of(a->at[i].requests, na) - share_of(of_name(b, a->at[i].name), nb), 0);
    return sum;
}

static void compare(const struct stretch *a, const struct stretch *b, struct unlikeness *u)
{
    const double days = fabs((double)(a->until_ms - b->until_ms)) / 86400e3;
    const struct averages *x = &a->all, *y = &b->all;
    const double pairs[UNLIKE_COUNT][2] = {
        [UNLIKE_FEW] = { (double)x->requests, (double)y->requests },
        [UNLIKE_LENGTH] = { stretch_hours(a), stretch_hours(b) },
        [UNLIKE_AGE] = { 0, days },
        [UNLIKE_LOAD] = { per_hour(a), per_hour(b) },
        [UNLIKE_AT_ONCE] = { stretch_at_once(a), stretch_at_once(b) },
        [UNLIKE_PROMPTS] = { spread_at(&x->prompt, 0.5), spread_at(&y->prompt, 0.5) },
        [UNLIKE_ANSWERS] = { spread_at(&x->answer, 0.5), spread_at(&y->answer, 0.5) },
        [UNLIKE_STREAMS] = { share_of(x->streams, x->requests), share_of(y->streams, y->requests) },
        [UNLIKE_CALLERS] = { 0, moved(&a->callers, x->requests, &b->callers, y->requests) },
        [UNLIKE_MODELS] = { 0, moved(&a->models, x->requests, &b->models, y->requests) },
    };
    for (int i = 0; i < UNLIKE_COUNT; i++)
        u[i] = (struct unlikeness){ .what = unlike_names[i], .a = pairs[i][0], .b = pairs[i][1] };
}

static bool is_unlike(enum unlike rule, const struct unlikeness *u)
{
    switch (rule) {
    case UNLIKE_FEW:
        return u->a < FEW || u->b < FEW;
    case UNLIKE_LENGTH:
    case UNLIKE_LOAD:
        return ratio_above(u->a, u->b, twice);
    case UNLIKE_AT_ONCE:
        return fmax(u->a, u->b) >= at_once_counts && ratio_above(u->a, u->b, twice);
    case UNLIKE_AGE:
        return u->b > apart_days;
    case UNLIKE_PROMPTS:
    case UNLIKE_ANSWERS:
        return u->a >= 0 && u->b >= 0 && ratio_above(u->a, u->b, half_more); /* unknown in one is nothing that differs */
    case UNLIKE_STREAMS:
        return fabs(u->a - u->b) > streams_apart + 1e-9;
    case UNLIKE_CALLERS:
    case UNLIKE_MODELS:
        return u->b > mix_apart + 1e-9;
    case UNLIKE_COUNT:
        break;
    }
    return false;
}

static void say(enum unlike rule, struct unlikeness *u)
{
    double percent = 100 * u->b;
    switch (rule) {
    case UNLIKE_FEW:
        snprintf(u->text, sizeof u->text, "fewer than %d requests in one: %.0f and %.0f", FEW, u->a, u->b);
        break;
    case UNLIKE_LENGTH:
        snprintf(u->text, sizeof u->text, "one is more than twice as long: %.1f h and %.1f h", u->a, u->b);
        break;
    case UNLIKE_AGE:
        snprintf(u->text, sizeof u->text, "they end %.0f days apart: models, engines and the machine may be others", u->b);
        break;
    case UNLIKE_LOAD:
        snprintf(u->text, sizeof u->text, "requests an hour differ more than twice: %.1f and %.1f", u->a, u->b);
        break;
    case UNLIKE_AT_ONCE:
        snprintf(u->text, sizeof u->text, "requests at a time differ more than twice: %.2f and %.2f", u->a, u->b);
        break;
    case UNLIKE_PROMPTS:
        snprintf(u->text, sizeof u->text, "the median prompt differs more than 1.5 times: %.0f and %.0f tokens", u->a, u->b);
        break;
    case UNLIKE_ANSWERS:
        snprintf(u->text, sizeof u->text, "the median answer differs more than 1.5 times: %.0f and %.0f tokens", u->a, u->b);
        break;
    case UNLIKE_STREAMS:
        snprintf(u->text, sizeof u->text, "streams are %.0f %% of one and %.0f %% of the other", 100 * u->a, percent);
        break;
    case UNLIKE_CALLERS:
        snprintf(u->text, sizeof u->text, "%.0f %% of the requests come from other callers", percent);
        break;
    case UNLIKE_MODELS:
        snprintf(u->text, sizeof u->text, "%.0f %% of the requests went to other models", percent);
        break;
    case UNLIKE_COUNT:
        break;
    }
}

bool stretches_alike(const struct stretch *a, const struct stretch *b, struct unlikeness *out)
{
    bool alike = true;
    compare(a, b, out);
    for (int i = 0; i < UNLIKE_COUNT; i++) {
        out[i].is = is_unlike((enum unlike)i, &out[i]);
        if (out[i].is)
            say((enum unlike)i, &out[i]);
        alike &= !out[i].is;
    }
    return alike;
}
