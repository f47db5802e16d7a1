/* How many values lie where: quantiles of any number of values in a memory that does not grow with them. A value is counted in the bucket of its logarithm, 1 % wide, so
 * that a quantile is off by 0.5 % at most. Pure. */
#ifndef HOB_EVIDENCE_SPREAD_H
#define HOB_EVIDENCE_SPREAD_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed is empty. */
struct spread {
    uint32_t *counts;   /* by bucket; NULL until there is a value */
    int64_t n;
};
void spread_add(struct spread *s, double v);    /* below 0.01 counts as 0, above 10^9 as that */
/* The smallest value that has at least the share q (0..1) of all at or below it; -1: there are none. */
double spread_at(const struct spread *s, double q);
void spread_fini(struct spread *s);

#endif
