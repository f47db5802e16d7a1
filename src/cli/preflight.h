/* hob preflight, for other commands. */
#ifndef HOB_CLI_PREFLIGHT_H
#define HOB_CLI_PREFLIGHT_H

#include "base/buf.h"
#include "cli/cli.h"

/* The report on a model for a role, as `hob preflight NAME --as ROLE --json` has it. EXIT_OK; EXIT_GATE: it would not serve, why has the first check that says so;
 * else there is no report, and it has been said why. */
int preflight_look(const struct cli_args *a, struct str name, struct str as, struct buf *json, struct buf *why);

#endif
