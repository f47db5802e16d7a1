/* The processes that the gateway asked for: one table of at most CHILD_MAX, each with its own process group, its tail of words and, when it is
 * being stopped, its next step. What happens to them is told to the gateway of the hour (gateway.h). */
#ifndef HOB_KEEPER_CHILDREN_H
#define HOB_KEEPER_CHILDREN_H

#include "base/buf.h"
#include "keeper/fence.h"

#include <poll.h>
#include <sys/types.h>

struct spawn {
    struct str label, stderr_file, cwd;
    uint64_t stderr_max_bytes;
    struct str argv, env;      /* lists as on the wire */
    uint32_t argc, envc;
    struct fence fence;
};

/* The answer comes when the exec is through, or not: WIRE_SPAWNED or WIRE_FAILED to this id. */
void children_spawn(uint32_t id, const struct spawn *s);
/* False: no such child. A child that is being stopped already only ever gets less time. */
bool children_kill(struct str label, uint32_t term_ms, uint32_t again_ms, int64_t now_ms);
void children_kill_all(void);
bool children_tail(struct str label, struct buf *out); /* its newest words as a wire text; false: no such child */
void children_put(struct buf *out);                    /* for LIST */
size_t children_alive(void);

/* For the loop. reaped: true when pid was one of ours. */
bool children_is_one(pid_t pid);
bool children_reaped(pid_t pid, int status);
size_t children_poll(struct pollfd *out);              /* room for 2 * CHILD_MAX */
void children_polled(const struct pollfd *in, size_t n);
int64_t children_due_ms(void);                         /* of the next step; 0 = none */
void children_step(int64_t now_ms);

#endif
