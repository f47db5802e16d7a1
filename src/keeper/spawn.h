/* From a request to a running program: fork, the child's own set-up, exec, and how its failure comes back. */
#ifndef HOB_KEEPER_SPAWN_H
#define HOB_KEEPER_SPAWN_H

#include "keeper/children.h"

/* What went wrong between fork and exec; comes through a pipe that exec closes. */
struct spawn_report {
    int step; /* index for spawn_step_name() */
    int sys;
};
const char *spawn_step_name(int step);

/* The pid, with the reading ends of its words and of its report (both non-blocking, close-on-exec); -1 with errno. */
pid_t spawn_fork(const struct spawn *s, int *words_fd, int *report_fd);

/* Fork with every signal blocked: none reaches the keeper's handlers in the child. The child calls spawn_fresh() first. */
pid_t spawn_fork_quietly(void);
/* In the child: own process group, dies with the keeper, default signals, none blocked. */
void spawn_fresh(pid_t keeper);
bool spawn_pipe(int fds[2]); /* close-on-exec, reading end non-blocking */

#endif
