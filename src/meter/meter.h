/* Counters, gauges and histograms, and their Prometheus text. Single-threaded: the loop thread writes and reads.
 *
 * A family is a metric with label names; a series is one set of label values of it. Look a series up once and keep it where the path is
 * hot; series live as long as the meter. A family that has METER_MAX_SERIES series puts further label sets into one whose values are all
 * "other". */
#ifndef HOB_METER_METER_H
#define HOB_METER_METER_H

#include "base/buf.h"

enum { METER_MAX_LABELS = 5, METER_MAX_SERIES = 1000 };
enum meter_kind { METER_COUNTER, METER_GAUGE, METER_HISTOGRAM };

/* One metric: a row of a room's table. Names in base units (`_seconds`, `_bytes`), counters end in `_total`. */
struct meter_row {
    const char *name, *help;
    enum meter_kind kind;
    const char *labels[METER_MAX_LABELS]; /* NULL-terminated when fewer */
    const double *buckets;                /* histogram: ascending upper bounds, +Inf is implied */
    size_t nbuckets;
};

struct meter;
struct meter_family;
struct meter_series;

struct meter *meter_new(void);
void meter_free(struct meter *m);
struct meter_family *meter_add(struct meter *m, const struct meter_row *row); /* row must be static; the same row twice gives the same family */
/* values: as many as the row has labels. */
struct meter_series *meter_series(struct meter_family *f, const struct str *values);
struct meter_series *meter_plain(struct meter_family *f); /* the one series of a family without labels */

void meter_inc(struct meter_series *s, double by);     /* counter or gauge; NaN, and less than 0 to a counter, are left out */
void meter_set(struct meter_series *s, double to);     /* gauge */
void meter_observe(struct meter_series *s, double v);  /* histogram; NaN is left out */
double meter_read(const struct meter_series *s);       /* counter, gauge: value; histogram: count */

/* Prometheus text format 0.0.4, families in the order they were added. Before it calls each `collect` hook (gauges that are read, not kept). */
void meter_on_collect(struct meter *m, void (*fn)(void *ctx), void *ctx);
void meter_write_prometheus(struct meter *m, struct buf *out);

#endif
