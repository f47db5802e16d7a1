/* A verdict as it is told. */
#ifndef HOB_EVIDENCE_VERDICT_PUT_H
#define HOB_EVIDENCE_VERDICT_PUT_H

#include "evidence/stats.h"
#include "json/json.h"

/* Into an open object: pairs, a, b ({pass, total, rate, ci}), difference, ci, p, verdict, needed (null: nothing is, or no number would do), power. */
void verdict_put(const struct verdict *v, struct json_out *o);
/* Some lines, the verdict last. */
void verdict_write(const struct verdict *v, struct buf *out);

#endif
