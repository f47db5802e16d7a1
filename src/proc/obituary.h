/* From a child's last words to an error that a person can act on. The words are the engine's own, and change between its versions: what no
 * row knows becomes ERR_LOAD_FAILED with the first line that looks like an error as evidence. */
#ifndef HOB_PROC_OBITUARY_H
#define HOB_PROC_OBITUARY_H

#include "proc/keeper.h"

/* Never ERR_OK: a child that ends without being asked has failed, whatever its exit code. text cites the evidence, hint says what to do. */
enum err_code obituary_read(const struct keeper_exit *x, struct err *e);

#endif
