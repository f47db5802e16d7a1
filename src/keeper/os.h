/* Where the systems differ: os_linux.c or os_darwin.c. */
#ifndef HOB_KEEPER_OS_H
#define HOB_KEEPER_OS_H

#include <stdbool.h>
#include <sys/types.h>

/* In a fresh child, before exec: die by KILL when the parent does. _exit(127) when it is gone already. */
void os_die_with(pid_t parent);

/* Closes every descriptor from `from` on. */
void os_close_from(int from);

/* A descriptor for the file that `path` leads to now, so that os_exec() can run it whatever becomes of the path; -1 where that cannot be had. */
int os_hold(const char *path);
/* What was held, when something else is at argv[0] by now or nothing; else, and without a held one (-1), what is at argv[0]. Returns when it cannot: errno. */
void os_exec(int held, char *const *argv);

/* The name that ps shows. */
void os_be_called(const char *name);

/* Orphans of our children become ours, so that none escapes by setsid and a double fork. Not when we were born with children that are none of
 * our business (a shell that execs us may have some): then their orphans would come too. */
void os_adopt_orphans(void);
/* KILLs the orphans adopted so far: children of ours for which is_known() says no. Does nothing where they cannot be told. */
void os_kill_strays(bool (*is_known)(pid_t pid));

#endif
