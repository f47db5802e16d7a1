/* The minder: a second, sleeping process of the keeper's that does one thing when the keeper is dead: it kills what the keeper's children have started
 * and the kernel did not take with it. PDEATHSIG reaches a child and not a child's child: a server that a shell script starts would go on holding its
 * memory, and nobody would be left who knows of it.
 *
 * It is nobody's child (started before the keeper adopts orphans), has a session of its own and heeds no TERM: it ends when the keeper's end of its pipe
 * closes. As process 1 a keeper needs none: with that one everything ends. */
#ifndef HOB_KEEPER_MINDER_H
#define HOB_KEEPER_MINDER_H

#include "base/str.h"

/* Before there are children. Without one (no memory, no pipe) everything works, and strays are swept at the next start. */
void minder_start(void);

/* The environment of a child that is about to be started, a list as on the wire: the mark by which its kin are known is in it. */
void minder_look(struct str env);

#endif
