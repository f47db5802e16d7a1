/* What the gateway may ask of the kernel, once it has started: it reads from outside, so whoever should get hold of it finds no exec, no fork, no ptrace, no
 * mount. Linux (seccomp): filter_linux.c, the tables and why; elsewhere there is none. */
#ifndef HOB_PROC_FILTER_H
#define HOB_PROC_FILTER_H

#include <stdbool.h>

/* Before the loop is made: it is not to begin with io_uring, which it may not go on with. libuv since 1.45 would end the process for that. */
void filter_refuse_rings(void);
/* For good, for all threads; programs are run by the keeper from now on (run_by_keeper). NULL, or why there is no filter. */
const char *filter_enter(void);
/* Nobody but root looks into this process, and it leaves no core: keys and prompts are in it. */
void filter_hide(void);

/* Of a process, as the kernel shows it: -1 = it does not say. */
struct filter_state {
    int filtered, no_new_privileges;
};
struct filter_state filter_of(int pid);

#endif
