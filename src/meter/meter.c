/* Counting. A series is found by a hash of its label values, once per use or once for ever; adding to it is then an addition.
 * Nothing is ever removed: what a scraper has seen once must not vanish, and METER_MAX_SERIES bounds a family. */
#include "meter/meter_int.h"

#include <math.h>
#include <stdlib.h>

static void *get(size_t n)
{
    void *p = calloc(1, n);
    if (!p)
        die("out of memory: %zu bytes for a metric", n);
    return p;
}

struct meter *meter_new(void)
{
    struct meter *m = get(sizeof *m);
    m->families_end = &m->families;
    m->hooks_end = &m->hooks;
    return m;
}

static void family_free(struct meter_family *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->series[i]);
    free(f->other);
    free(f->series);
    free(f->slots);
    free(f);
}

void meter_free(struct meter *m)
{
    if (!m)
        return;
    for (struct meter_family *f = m->families, *next; f; f = next) {
        next = f->next;
        family_free(f);
    }
    for (struct meter_hook *h = m->hooks, *next; h; h = next) {
        next = h->next;
        free(h);
    }
    free(m);
}

struct meter_family *meter_add(struct meter *m, const struct meter_row *row)
{
    for (struct meter_family *f = m->families; f; f = f->next)
        if (f->row == row)
            return f;
    struct meter_family *f = get(sizeof *f);
    f->row = row;
    while (f->nlabels < METER_MAX_LABELS && row->labels[f->nlabels])
        f->nlabels++;
    *m->families_end = f;
    m->families_end = &f->next;
    return f;
}

static uint64_t hash_values(const struct str *values, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a; chosen collisions cost at most METER_MAX_SERIES compares */
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < values[i].n; j++)
            h = (h ^ (unsigned char)values[i].p[j]) * 0x100000001b3u;
        h = (h ^ 0xff) * 0x100000001b3u; /* "a","b" is not "ab","" */
    }
    return h ^ h >> 32;
}

static bool has_values(const struct meter_series *s, uint64_t hash, const struct str *values)
{
    if (s->hash != hash)
        return false;
    for (size_t i = 0; i < s->family->nlabels; i++)
        if (!str_eq(s->values[i], values[i]))
            return false;
    return true;
}

/* One block: the series, its buckets, its label values. */
static struct meter_series *series_new(struct meter_family *f, uint64_t hash, const struct str *values)
{
    size_t nbuckets = f->row->kind == METER_HISTOGRAM ? f->row->nbuckets + 1 : 0, nlabels = f->nlabels;
    size_t size = sizeof(struct meter_series) + nbuckets * sizeof(uint64_t);
    for (size_t i = 0; i < nlabels; i++)
        size += values[i].n;
    struct meter_series *s = get(size);
    s->family = f;
    s->hash = hash;
    s->in_bucket = (uint64_t *)(s + 1);
    char *text = (char *)(s->in_bucket + nbuckets);
    for (size_t i = 0; i < nlabels; i++) {
        s->values[i] = str_make(text, values[i].n);
        if (values[i].n)
            memcpy(text, values[i].p, values[i].n);
        text += values[i].n;
    }
    return s;
}

static struct meter_series **slot_of(struct meter_family *f, uint64_t hash, const struct str *values)
{
    size_t at = hash & (f->nslots - 1);
    while (f->slots[at] && !has_values(f->slots[at], hash, values))
        at = (at + 1) & (f->nslots - 1);
    return &f->slots[at];
}

static void grow(struct meter_family *f)
{
    f->cap = f->cap ? f->cap * 2 : 4;
    f->nslots = f->cap * 2;
    f->series = realloc(f->series, f->cap * sizeof *f->series);
    free(f->slots);
    f->slots = get(f->nslots * sizeof *f->slots);
    if (!f->series)
        die("out of memory: %zu series of %s", f->cap, f->row->name);
    for (size_t i = 0; i < f->n; i++)
        *slot_of(f, f->series[i]->hash, f->series[i]->values) = f->series[i];
}

static struct meter_series *other_series(struct meter_family *f)
{
    struct str others[METER_MAX_LABELS];
    for (size_t i = 0; i < f->nlabels; i++)
        others[i] = STR("other");
    if (!f->other)
        f->other = series_new(f, hash_values(others, f->nlabels), others);
    return f->other;
}

struct meter_series *meter_series(struct meter_family *f, const struct str *values)
{
    uint64_t hash = hash_values(values, f->nlabels);
    if (f->n) {
        struct meter_series *known = *slot_of(f, hash, values);
        if (known)
            return known;
    }
    if (f->n == METER_MAX_SERIES)
        return other_series(f);
    if (f->n == f->cap)
        grow(f);
    struct meter_series *s = series_new(f, hash, values);
    *slot_of(f, hash, values) = s;
    f->series[f->n++] = s;
    return s;
}

struct meter_series *meter_plain(struct meter_family *f)
{
    static const struct str none[METER_MAX_LABELS];
    if (f->nlabels)
        die("meter_plain: %s has labels", f->row->name);
    return meter_series(f, none);
}

void meter_inc(struct meter_series *s, double by)
{
    if (isnan(by) || (s->family->row->kind == METER_COUNTER && by < 0)) /* figures come from backends too: a lie is not counted */
        return;
    s->value += by;
}

void meter_set(struct meter_series *s, double to)
{
    s->value = to;
}

void meter_observe(struct meter_series *s, double v)
{
    const struct meter_row *row = s->family->row;
    size_t at = 0;
    if (row->kind != METER_HISTOGRAM)
        die("meter_observe: %s is no histogram", row->name);
    if (isnan(v))
        return;
    while (at < row->nbuckets && v > row->buckets[at])
        at++;
    s->in_bucket[at]++;
    s->count++;
    s->value += v;
}

double meter_read(const struct meter_series *s)
{
    return s->family->row->kind == METER_HISTOGRAM ? (double)s->count : s->value;
}

void meter_on_collect(struct meter *m, void (*fn)(void *ctx), void *ctx)
{
    struct meter_hook *h = get(sizeof *h);
    *h = (struct meter_hook){ fn, ctx, NULL };
    *m->hooks_end = h;
    m->hooks_end = &h->next;
}
