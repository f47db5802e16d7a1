/* The short private folder for sockets and keys: $XDG_RUNTIME_DIR/hob, else /tmp/hob-UID, and in it one per state folder. */
#ifndef HOB_CLI_RUNDIR_H
#define HOB_CLI_RUNDIR_H

#include "base/err.h"
#include "base/str.h"

enum { RUNDIR_MAX_BYTES = 88 }; /* a socket's name must still fit into 107 */

/* Makes it (0700, ours, no link) and writes its path to out. ERR_SYSTEM. */
enum err_code rundir_make(struct str state, char out[RUNDIR_MAX_BYTES], struct err *e) __attribute__((warn_unused_result));

bool rundir_is_there(struct str state);         /* nothing is made */
/* Folders in it, and below STATE/children, in which nothing is left, and it. For who ends, and has the lock still. */
void rundir_tidy(struct str state, const char *run_dir);

/* Where they lie, made as well: for folders of a similar kind. */
enum err_code rundir_parent(char out[RUNDIR_MAX_BYTES], struct err *e) __attribute__((warn_unused_result));

#endif
