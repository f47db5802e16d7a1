/* run_program() for a process that may start none (filter.h): its keeper does, as it starts children, and fenced like them. The caller blocks as before, on
 * the pool; loop and keeper are the loop thread's. Nothing of it is seen by who calls run_program(). */
#ifndef HOB_PROC_RUN_KEEPER_H
#define HOB_PROC_RUN_KEEPER_H

#include "proc/keeper.h"
#include "proc/run.h"

/* From now on. dir: a private folder for what programs say, while they run. */
void run_by_keeper(struct loop *l, struct keeper *k, struct str dir);
/* Who waits is told ERR_SYSTEM, and programs are started directly again. Before keeper_free(). Fine when it was never begun. */
void run_by_keeper_end(void);
/* From keeper_ops.on_exited: was it one of these? */
bool run_by_keeper_exited(const struct keeper_exit *x);

/* For run.c. false: not in force. */
bool run_elsewhere(const char *const *argv, const char *const *env, const char *until, int64_t limit_ms, struct buf *said, struct run_end *end,
    struct err *e, enum err_code *rc);

#endif
