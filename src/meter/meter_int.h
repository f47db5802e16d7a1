/* What counting and printing share. */
#ifndef HOB_METER_METER_INT_H
#define HOB_METER_METER_INT_H

#include "meter/meter.h"

struct meter_series {
    struct meter_family *family;
    uint64_t hash;
    double value;                         /* counter, gauge; histogram: sum of what was observed */
    uint64_t count;                       /* histogram */
    uint64_t *in_bucket;                  /* histogram: not cumulative; the last is what is above all bounds */
    struct str values[METER_MAX_LABELS];  /* into the block behind this */
};

struct meter_family {
    const struct meter_row *row;
    struct meter_family *next;
    size_t nlabels;
    struct meter_series **series; /* in the order they came */
    size_t n, cap;
    struct meter_series **slots;  /* hash table over them, linear probing, a power of two, at most half full */
    size_t nslots;
    struct meter_series *other;   /* takes what is beyond METER_MAX_SERIES */
};

struct meter_hook {
    void (*fn)(void *ctx);
    void *ctx;
    struct meter_hook *next;
};

struct meter {
    struct meter_family *families, **families_end;
    struct meter_hook *hooks, **hooks_end;
};

#endif
