/* Bucket i > 0 holds what is above least * width^(i-1), up to least * width^i, and is read as the value in between that is off by the same share at both ends. */
#include "evidence/spread.h"

#include "base/err.h"

#include <math.h>
#include <stdlib.h>

enum { BUCKETS = 2560 };    /* 0, and from 0.01 to 10^9 */
static const double least = 0.01, most = 1e9, width = 1.01;

static size_t bucket_of(double v)
{
    if (!(v > least))
        return 0;
    double i = ceil(log((v < most ? v : most) / least) / log(width));
    return i < 1 ? 1 : i < BUCKETS ? (size_t)i : BUCKETS - 1;
}

void spread_add(struct spread *s, double v)
{
    if (!s->counts && !(s->counts = calloc(BUCKETS, sizeof *s->counts)))
        die("out of memory for a spread of values");
    s->counts[bucket_of(v)]++;
    s->n++;
}

double spread_at(const struct spread *s, double q)
{
    int64_t rank = (int64_t)ceil(q * (double)s->n - 1e-9), below = 0;
    if (!s->n)
        return -1;
    rank = rank < 1 ? 1 : rank;
    for (size_t i = 0; i < BUCKETS; i++) {
        below += s->counts[i];
        if (below >= rank)
            return i ? least * pow(width, (double)i) * 2 / (width + 1) : 0;
    }
    return most;
}

void spread_fini(struct spread *s)
{
    free(s->counts);
    *s = (struct spread){ .n = 0 };
}
