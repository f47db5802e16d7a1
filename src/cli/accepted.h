/* The configuration that was last accepted, kept in a file without a name that the keeper holds for its gateways: one that is started again after a crash,
 * while the file on the disk is wrong, goes on with it, as it would have after a refused reload. */
#ifndef HOB_CLI_ACCEPTED_H
#define HOB_CLI_ACCEPTED_H

#include "conf/conf.h"

void accepted_open(void);                       /* for `hob serve`, before it becomes the keeper. When it cannot be had there is none */
void accepted_keep(const struct config *c);     /* for the gateway: c is in force now. Any thread, one at a time */
/* ERR_CONFIG when nothing was kept, or what was is wrong by now (a key file that is gone). */
enum err_code accepted_load(struct config **out, struct err *e) __attribute__((warn_unused_result));

#endif
