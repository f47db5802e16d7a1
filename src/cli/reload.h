/* A new configuration while hob serves: read on the pool, checked, compared with the one in force, handed to the fleet. A file that is wrong changes
 * nothing. Asked for while one is under way, another follows it: the file may have changed after it was read. */
#ifndef HOB_CLI_RELOAD_H
#define HOB_CLI_RELOAD_H

#include "admin/admin.h"
#include "cli/cli.h"

struct reload;

/* a: as the gateway was started; its options hold over what the file says. on_change: the new configuration is in force; hold it to keep it. */
struct reload *reload_new(struct loop *l, const struct cli_args *a, struct fleet *f, void (*on_change)(void *ctx, const struct config *now), void *ctx);
void reload_free(struct reload *r);                                /* after loop_free(); NULL is fine */
void reload_ask(struct reload *r, struct reload_wish *w);          /* w: who waits for the end; NULL: the log is told anyway */
void reload_stop(struct reload *r);                                /* who waits is refused at once, as is who asks from now on */

#endif
