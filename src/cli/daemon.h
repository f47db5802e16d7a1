/* How commands find the daemon: it leaves its address in STATE/listen. */
#ifndef HOB_CLI_DAEMON_H
#define HOB_CLI_DAEMON_H

#include "cli/cli.h"
#include "net/addr.h"

void daemon_write_address(const struct config *c, struct str address);
void daemon_forget_address(const struct config *c);

/* $HOB_URL, else what the daemon left, else the configuration's `listen`. ERR_CONFIG for a URL that is none. */
enum err_code daemon_find(const struct config *c, struct addr *to, struct str *path, struct err *e) __attribute__((warn_unused_result));

#endif
