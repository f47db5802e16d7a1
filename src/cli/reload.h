/* A new configuration while hob serves: read on the pool, checked, compared with the one in force, handed to the fleet. A file that is wrong changes
 * nothing. Asked for while one is under way, another follows it: the file may have changed after it was read. */
#ifndef HOB_CLI_RELOAD_H
#define HOB_CLI_RELOAD_H

#include "admin/admin.h"
#include "cli/cli.h"
#include "guard/key.h"

struct reload;

/* The new configuration is in force; hold it to keep it. Its keys are for who hears of it to take over. */
typedef void reload_change_fn(void *ctx, const struct config *now, struct keys *keys);
/* a: as the gateway was started; its options hold over what the file says. */
struct reload *reload_new(struct loop *l, const struct cli_args *a, struct fleet *f, reload_change_fn *on_change, void *ctx);
/* What is laid over what was read, before it comes into force; held for the caller of fn. Asked anew by reload_flip(), which takes effect at once. */
typedef const struct config *reload_overlay_fn(void *ctx, const struct config *base);
void reload_use_overlay(struct reload *r, reload_overlay_fn *overlay);
void reload_flip(struct reload *r);
void reload_free(struct reload *r);                                /* after loop_free(); NULL is fine */
void reload_ask(struct reload *r, struct reload_wish *w);          /* w: who waits for the end; NULL: the log is told anyway */
bool reload_runs(const struct reload *r);
void reload_hold(struct reload *r, bool on);                       /* what is asked for from now on waits; not while one runs. Off: it is served */
bool reload_waits(const struct reload *r);
void reload_stop(struct reload *r);                                /* who waits is refused at once, as is who asks from now on */

#endif
