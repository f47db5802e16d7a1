/* The Prometheus text format, version 0.0.4. */
#include "meter/meter_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void add_number(struct buf *out, double v)
{
    char digits[32];
    if (isnan(v)) {
        buf_lit(out, "NaN");
    } else if (isinf(v)) {
        buf_add(out, v > 0 ? STR("+Inf") : STR("-Inf"));
    } else if (fabs(v) < 1e15 && v == (double)(int64_t)v) {
        buf_add_int(out, (int64_t)v);
    } else {
        for (int precision = 6; precision <= 17; precision++) { /* the fewest digits that read back as the same number */
            snprintf(digits, sizeof digits, "%.*g", precision, v);
            if (strtod(digits, NULL) == v)
                break;
        }
        buf_add(out, str_of(digits));
    }
}

/* Label values escape the quote as well; help texts do not. */
static void add_escaped(struct buf *out, struct str text, bool quote)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\n')
            buf_lit(out, "\\n");
        else if (c == '\\')
            buf_lit(out, "\\\\");
        else if (c == '"' && quote)
            buf_lit(out, "\\\"");
        else
            buf_add_char(out, c);
    }
}

static void add_head(struct buf *out, const struct meter_row *row)
{
    static const char *const kinds[] = { [METER_COUNTER] = "counter", [METER_GAUGE] = "gauge", [METER_HISTOGRAM] = "histogram" };
    buf_printf(out, "# HELP %s ", row->name);
    add_escaped(out, str_of(row->help), false);
    buf_printf(out, "\n# TYPE %s %s\n", row->name, kinds[row->kind]);
}

/* NAME SUFFIX{labels}, and for a bucket its bound among them. */
static void add_sample(struct buf *out, const struct meter_series *s, const char *suffix, const double *bound, double value)
{
    const struct meter_row *row = s->family->row;
    size_t nlabels = s->family->nlabels;
    buf_add(out, str_of(row->name));
    buf_add(out, str_of(suffix));
    for (size_t i = 0; i < nlabels; i++) {
        buf_add_char(out, i ? ',' : '{');
        buf_add(out, str_of(row->labels[i]));
        buf_lit(out, "=\"");
        add_escaped(out, s->values[i], true);
        buf_add_char(out, '"');
    }
    if (bound) {
        buf_add(out, nlabels ? STR(",le=\"") : STR("{le=\""));
        add_number(out, *bound);
        buf_add_char(out, '"');
    }
    if (nlabels || bound)
        buf_add_char(out, '}');
    buf_add_char(out, ' ');
    add_number(out, value);
    buf_add_char(out, '\n');
}

static void add_histogram(struct buf *out, const struct meter_series *s)
{
    const struct meter_row *row = s->family->row;
    const double infinite = INFINITY;
    uint64_t below = 0;
    for (size_t i = 0; i < row->nbuckets; i++) {
        below += s->in_bucket[i];
        add_sample(out, s, "_bucket", &row->buckets[i], (double)below);
    }
    add_sample(out, s, "_bucket", &infinite, (double)s->count);
    add_sample(out, s, "_sum", NULL, s->value);
    add_sample(out, s, "_count", NULL, (double)s->count);
}

static void add_series(struct buf *out, const struct meter_series *s)
{
    if (s->family->row->kind == METER_HISTOGRAM)
        add_histogram(out, s);
    else
        add_sample(out, s, "", NULL, s->value);
}

void meter_write_prometheus(struct meter *m, struct buf *out)
{
    for (struct meter_hook *h = m->hooks; h; h = h->next)
        h->fn(h->ctx);
    for (struct meter_family *f = m->families; f; f = f->next) {
        add_head(out, f->row);
        for (size_t i = 0; i < f->n; i++)
            add_series(out, f->series[i]);
        if (f->other)
            add_series(out, f->other);
    }
}
