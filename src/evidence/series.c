#include "evidence/series.h"

#include "evidence/bootstrap.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

enum { HOUR_S = 3600 };

void series_begin(struct series *s, struct str role, struct str model, int64_t from_ms, int64_t until_ms)
{
    int64_t from = from_ms / 1000 / HOUR_S, until = until_ms / 1000 / HOUR_S;
    if (until < from)
        until = from;
    if (until - from >= SERIES_HOURS)
        from = until - SERIES_HOURS + 1;
    *s = (struct series){ .role = role, .model = model, .from_s = from * HOUR_S, .hours = (size_t)(until - from + 1) };
}

void series_end(struct series *s)
{
    for (size_t i = 0; i < SERIES_HOURS; i++)
        free(s->ttft[i]);
}

static size_t hour_of(const struct series *s, int64_t wall_s)
{
    return wall_s < s->from_s ? SERIES_HOURS : (size_t)((wall_s - s->from_s) / HOUR_S);
}

static bool is_meant(const struct series *s, struct str role, struct str tier, struct str model)
{
    return str_eq(s->model, model) && (!s->role.n || str_eq(s->role, role) || str_eq(s->role, tier));
}

void series_sum(struct series *s, const struct request_sum *r)
{
    size_t hour = hour_of(s, r->hour_s);
    if (hour >= s->hours || !is_meant(s, r->role, r->tier, r->model))
        return;
    s->requests[hour] += r->requests;
    s->faults[hour] += r->faults;
}

void series_row(struct series *s, const struct request_row *r)
{
    size_t hour = hour_of(s, r->time_ms / 1000);
    if (hour >= s->hours || r->ttft_ms < 0 || !is_meant(s, r->role, r->tier, r->model) || s->nttft[hour] == SERIES_TIMES)
        return;
    if (!s->ttft[hour] && !(s->ttft[hour] = malloc(SERIES_TIMES * sizeof *s->ttft[hour])))
        die("out of memory for times");
    double ms = r->ttft_ms - (r->load_ms > 0 ? r->load_ms : 0); /* as the guards have it */
    s->ttft[hour][s->nttft[hour]++] = ms > 0 ? ms : 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(double *values, size_t n)
{
    if (!n)
        return NAN;
    qsort(values, n, sizeof *values, by_value);
    return quantile_of(values, n, 0.5);
}

static void put_counts(struct json_out *o, const char *key, const int64_t *v, size_t n)
{
    json_key(o, str_of(key));
    json_begin_array(o);
    for (size_t i = 0; i < n; i++)
        json_int(o, v[i]);
    json_end_array(o);
}

void series_put(struct series *s, struct json_out *o)
{
    char from[40] = "";
    struct tm tm;
    time_t t = (time_t)s->from_s;
    if (gmtime_r(&t, &tm))
        strftime(from, sizeof from, "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_begin_object(o);
    json_key(o, STR("role"));
    json_string_or_null(o, s->role);
    json_key(o, STR("model"));
    json_string(o, s->model);
    json_key(o, STR("from"));
    json_string(o, str_of(from));
    json_key(o, STR("hours"));
    json_int(o, (int64_t)s->hours);
    put_counts(o, "requests", s->requests, s->hours);
    put_counts(o, "faults", s->faults, s->hours);
    json_key(o, STR("ttft_ms"));
    json_begin_array(o);
    for (size_t i = 0; i < s->hours; i++)
        json_double(o, median_of(s->ttft[i], s->nttft[i]), 1);
    json_end_array(o);
    json_end_object(o);
}
