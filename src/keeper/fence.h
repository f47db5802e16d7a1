/* What a child may touch, set up between fork and exec: its rules are what it may reach, all else of the file system is refused to it by the kernel
 * (Landlock), and so is TCP where the fence says so. fence_linux.c or fence_darwin.c, which has none. */
#ifndef HOB_KEEPER_FENCE_H
#define HOB_KEEPER_FENCE_H

#include "base/str.h"

#include <stdbool.h>

struct fence {
    uint32_t bits;      /* enum wire_fence */
    uint32_t port;      /* of TCP, that it may listen on; 0 = none. Only with WIRE_FENCE_TCP */
    struct str rules;   /* list as on the wire: a letter (enum wire_rule), then an absolute path */
    uint32_t nrules;
};

/* Of the kernel: 0 = it has no Landlock, or it is off. */
int fence_abi(void);
/* In the child, for good: it and what it starts gain no privilege by exec. False with errno. */
bool fence_no_privileges(void);
/* In the child, after the above. What a kernel cannot do is left out, and what is not there is no rule. False with errno. */
bool fence_enter(const struct fence *f);

#endif
