/* Inside the guards: guards.c has what they see, guards_text.c what is told and kept of them. */
#ifndef HOB_EVIDENCE_GUARDS_INT_H
#define HOB_EVIDENCE_GUARDS_INT_H

#include "evidence/guards.h"

bool guard_is_time(size_t kind);
int64_t guard_memory_limit(const struct guard_memory *m);
int64_t guard_away_now_ms(const struct guard_place *p); /* the outage that goes on; 0 = there is none */
/* Accounts for what there is a baseline of; seen NULL: nothing yet. */
void guards_watch(struct guards *g, const struct seq_counts *base, const struct seq_counts *seen);

#endif
