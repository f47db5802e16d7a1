/* What a shadow has shown so far: pairs of answers to the same asks (store/shadows.h), measure by measure, with a verdict where one answer is better than another and a
 * plain comparison where it is only different. Information, and no proof at the gate: the asks are real, but nobody has said what a right answer to them is. Pure. */
#ifndef HOB_EVIDENCE_SHADOW_H
#define HOB_EVIDENCE_SHADOW_H

#include "json/json.h"
#include "store/shadows.h"

struct shadow_report;
struct shadow_report *shadow_report_new(void);
void shadow_report_free(struct shadow_report *r); /* NULL is fine */
void shadow_report_add(struct shadow_report *r, const struct shadow_row *row);

/* Of all roles: pairs, and asks that came to nothing up to the last of them. */
struct shadow_totals {
    int64_t pairs, dropped, cancelled, unfit;
    double cost;                /* of the copies, as far as it is known; negative: nothing had a price */
};
void shadow_report_totals(const struct shadow_report *r, struct shadow_totals *out);

/* A list, role by role: {"role","name","pairs","old","new","unit":"share|ms|bytes|tokens","difference","ci":[lo,hi],"verdict","needed"}. A verdict is one of
 * verdict_names, or null; of `alike` there is only `new`, the share of answers that were the same, and its interval. */
void shadow_report_measures(const struct shadow_report *r, struct json_out *o);

#endif
