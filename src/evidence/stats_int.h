/* What the files of stats.h share: the same formulas for counts that need not be whole. */
#ifndef HOB_EVIDENCE_STATS_INT_H
#define HOB_EVIDENCE_STATS_INT_H

#include "evidence/stats.h"

struct interval wilson_of_rate(double rate, double total, double alpha);
struct interval tango_of(double only_a, double only_b, double total, double alpha);

/* What a verdict is made of once interval and p are known. */
enum verdict_kind verdict_read(const struct verdict *v, const struct judge_rule *rule);
/* How many pairs would tell, after `total` of which so many differed; 0: none would. Never fewer than one more than there were. */
int64_t needed_after(double only_a, double only_b, double total, const struct judge_rule *rule);

#endif
