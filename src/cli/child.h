/* Runs a program to its end and keeps what it says. For commands: it blocks, and starts no shell. The daemon's children are the keeper's. */
#ifndef HOB_CLI_CHILD_H
#define HOB_CLI_CHILD_H

#include "base/buf.h"

struct child_end {
    int code;          /* exit code when signal is 0 */
    int signal;
    bool too_long;     /* it was killed at the limit */
};

/* argv[0] is a path; ended by NULL. said: stdout and stderr as they came, at most its maximum (the rest is dropped). ERR_SYSTEM: it could not be
 * started. */
enum err_code child_run(const char *const *argv, int64_t limit_ms, struct buf *said, struct child_end *end, struct err *e)
    __attribute__((warn_unused_result));

#endif
