/* A child's command line and environment, word by word. Nothing of it goes through a shell. */
#ifndef HOB_BACKEND_LAUNCH_H
#define HOB_BACKEND_LAUNCH_H

#include "base/arena.h"
#include "proc/fence.h"

enum { LAUNCH_MAX_WORDS = 256, LAUNCH_MAX_PASSED = 64, LAUNCH_MAX_ENV = 128 };

struct launch {
    struct arena arena;                     /* what was made for it; words may also be borrowed */
    struct str argv[LAUNCH_MAX_WORDS];
    size_t nargv;
    struct str env[LAUNCH_MAX_ENV];        /* "NAME=VALUE" */
    size_t nenv;
    struct fence_rules fence;              /* what it may reach; all, at first */
};

void launch_init(struct launch *c);
void launch_free(struct launch *c);

void launch_add(struct launch *c, struct str word);
void launch_add_pair(struct launch *c, const char *flag, struct str value);
void launch_add_number(struct launch *c, const char *flag, int64_t v);

/* What a child may need of our environment (where libraries and devices are; none of it is a secret), at most LAUNCH_MAX_PASSED of them, and the mark
 * by which strays are found. */
void launch_pass_env(struct launch *c, struct str run_dir);
/* One more, in the place of one of the same name. */
void launch_set_env(struct launch *c, struct str name_value);

#endif
