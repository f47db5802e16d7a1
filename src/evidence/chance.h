/* Distributions that the statistics of this room stand on: normal and binomial. Pure; any thread. Relative error below 1e-12 up to a million
 * trials (tests/unit/evidence/test_chance.c), in the far tails too, where a difference from 1 would have lost all digits. */
#ifndef HOB_EVIDENCE_CHANCE_H
#define HOB_EVIDENCE_CHANCE_H

#include <stdint.h>

double normal_below(double z);    /* P(Z <= z) */
double normal_quantile(double p); /* z with P(Z <= z) = p; infinite at 0 and 1 */

/* X of n trials with chance p each. k may be any number. */
double binomial_at(int64_t k, int64_t n, double p);      /* P(X = k) */
double binomial_at_most(int64_t k, int64_t n, double p); /* P(X <= k) */
double binomial_at_least(int64_t k, int64_t n, double p);

/* The largest p that has P(X <= k) >= tail, and the smallest that has P(X >= k) >= tail: bounds of Clopper and Pearson (Biometrika 26, 1934).
 * 1 when k >= n, 0 when k <= 0. */
double binomial_upper(int64_t k, int64_t n, double tail);
double binomial_lower(int64_t k, int64_t n, double tail);

#endif
