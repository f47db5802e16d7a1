/* Runs a program to its end and keeps what it says. For commands and for the pool: it blocks, and starts no shell. The daemon's children are the
 * keeper's. */
#ifndef HOB_PROC_RUN_H
#define HOB_PROC_RUN_H

#include "base/buf.h"

/* A program of that name: the path itself when it has a slash, else the first executable on PATH. false: there is none, or its path does not fit. */
bool run_find_program(struct str named, char *out, size_t room);

struct run_end {
    int code;          /* exit code when signal is 0 */
    int signal;
    bool too_long;     /* it was killed at the limit */
    bool enough;       /* it was killed because `until` had come */
};

/* argv[0] is a path; ended by NULL. env: "NAME=VALUE" ended by NULL; NULL = ours. until: NULL, or text after which it is killed: the line it stands
 * in is still read to its end. said: stdout and stderr as they came, at most its maximum (the rest is dropped, and `until` is not looked for in it).
 * A program that is not there ends with code 127. ERR_SYSTEM: nothing could be started. */
enum err_code run_program(const char *const *argv, const char *const *env, const char *until, int64_t limit_ms, struct buf *said, struct run_end *end,
    struct err *e) __attribute__((warn_unused_result));

#endif
