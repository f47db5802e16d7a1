/* Medians and other quantiles with intervals, by drawing again from what was measured (B. Efron, Ann. Statist. 7, 1979). For times, whose tails no formula knows. */
#ifndef HOB_EVIDENCE_BOOTSTRAP_H
#define HOB_EVIDENCE_BOOTSTRAP_H

#include "evidence/dice.h"
#include "evidence/stats.h"

enum { BOOTSTRAP_MAX = 1 << 20 }; /* values of one sample; more is a bug (die()) */

enum bootstrap_kind {
    BOOTSTRAP_PERCENTILE,
    BOOTSTRAP_BCA,  /* corrected for bias and skewness (Efron, JASA 82, 1987); the skewness is that of the cases left out one by one */
};
struct bootstrap_rule {
    double alpha;
    int resamples;  /* 2000 are enough for an interval */
    enum bootstrap_kind kind;
};
extern const struct bootstrap_rule bootstrap_usual; /* 5 %, 2000, percentile: skewness cannot be estimated well for quantiles */

/* A quantile, or a difference of two, and where it lies with 1 - alpha. */
struct quantile {
    double value, lo, hi;
    bool weak;      /* fewer than 5 values lie beyond the quantile: the interval says little of the tail */
};

/* The value below which a share q of the sorted values lies; between two of them, on the line that joins them (type 7 of Hyndman and Fan, Am. Stat. 50,
 * 1996). n >= 1. */
double quantile_of(const double *sorted, size_t n, double q);

/* quantile(values). n 0: all are NaN. The dice are advanced. */
struct quantile bootstrap_quantile(const double *values, size_t n, double q, const struct bootstrap_rule *rule, struct dice *dice);

/* quantile(b) - quantile(a). Paired: a[i] and b[i] were measured one after the other (A B A B, so that what the machine did meanwhile met both); they are
 * drawn together. Unpaired: each from its own. */
struct quantile bootstrap_paired(const double *a, const double *b, size_t n, double q, const struct bootstrap_rule *rule, struct dice *dice);
struct quantile bootstrap_unpaired(const double *a, size_t na, const double *b, size_t nb, double q, const struct bootstrap_rule *rule, struct dice *dice);

#endif
