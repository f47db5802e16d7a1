/* What the gateway tells of who serves which role: the history in the store, and who is to be told by `notify`. */
#ifndef HOB_CLI_TOLD_H
#define HOB_CLI_TOLD_H

#include "conf/config.h"
#include "evidence/swap.h"
#include "loop/loop.h"

struct store;
struct told;
struct told *told_new(struct loop *l, struct store *st);
void told_free(struct told *t); /* while the loop is there; NULL is fine */
/* now holds: it was read, or derived for another reason than a step. */
void told_config(struct told *t, const struct config *now);
/* A step was taken, and now holds. */
void told_step(struct told *t, const struct config *now, const struct swap *s, enum swap_step step, struct str role, struct str why);

#endif
