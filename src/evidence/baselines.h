/* Baselines: what the old model's requests came to, read from rows on the pool, and kept under a role's name for trials to come (`hob swap baseline`). */
#ifndef HOB_EVIDENCE_BASELINES_H
#define HOB_EVIDENCE_BASELINES_H

#include "evidence/guards.h"
#include "evidence/swaps.h"
#include "store/store.h"

/* Both block: for the pool. Rows of the last 30 days, at most 50,000; b: as baseline_begin() left it. st NULL: there is no store yet, and nothing is found. */
enum err_code baseline_of_rows(struct store *st, const struct guard_whom *old, struct baseline *b, struct err *e) __attribute__((warn_unused_result));
/* False with e->code ERR_OK: none is saved, or role is empty. */
bool baseline_saved(struct store *st, struct str role, struct guards *out, struct err *e);
/* Writes into from->note what is to be thought of its being used for `model`, in `engine` ("" = not known), now. */
void baseline_judge(struct guards_origin *from, struct str model, const char *engine, int64_t now_ms);

enum baseline_wish { BASELINE_SHOW, BASELINE_SAVE, BASELINE_FORGET };
/* Of who answers the role now; SHOW with an empty role: all. on_done runs once, from the loop, with the JSON of the answer or why there is none, unless who asked has left. */
struct baseline_ask;
struct baseline_ask *baselines_ask(struct swaps *s, enum baseline_wish wish, struct str role, void (*on_done)(void *ctx, struct str json, const struct err *e), void *ctx);
void baselines_unask(struct baseline_ask *a); /* on_done will not run; what is under way goes on */

#endif
