/* Somebody outside is told what has happened to a swap, by a POST to an address. One at a time, in order, a second apart at least; what fails is tried three times, and
 * said once until it works again. Nobody waits for it: what is told has happened already. The loop's thread. */
#ifndef HOB_EVIDENCE_HOOK_H
#define HOB_EVIDENCE_HOOK_H

#include "base/log.h"
#include "evidence/swap.h"
#include "loop/loop.h"

struct hook;
struct hook *hook_new(struct loop *l);
void hook_stop(struct hook *h); /* before the loop ends: nothing is told any more */
void hook_free(struct hook *h); /* what was not told yet is not. NULL is fine */
/* Whom to tell, from now on; empty: nobody. url is copied, and never logged: a token may be in it. */
void hook_use(struct hook *h, struct secret url);
void hook_tell(struct hook *h, const struct swap *s, enum swap_step step, struct str role, struct str why, int64_t now_ms);

/* {"schema":1,"id","state","step","role","reason","at","roles":[{"role","from","to","state"}]}: what is told. Of an engine's swap {…,"engine","from","to",
 * "models":[{"model","state"}]}. */
void hook_put(const struct swap *s, enum swap_step step, struct str role, struct str why, int64_t now_ms, struct buf *out);
bool hook_path_of(struct arena *a, struct str url, struct str *path); /* what is asked for there, its query too; false: it is no address */

#endif
