/* A disk that fails on purpose and loses its power, for tests: a SQLite VFS over the ordinary one. What is written goes to the real files, so that who reads sees it; beside
 * them it keeps, in memory, what would be there after a loss of power: each file as it was when it was synced last, and what was written since, write by write.
 *
 * What it takes a disk for:
 * - A sector has 512 bytes. Of each write that was not synced any sectors may be there and any not, whatever came before or after it: pages are torn, and the order is nobody's.
 * - Bytes beside a write are left alone (SQLite's "powersafe overwrite").
 * - A sync that fails has brought some of the sectors to the disk; the others are taken for written, and no later sync brings them. They are read as ever until the power goes.
 * - A file that was made, or deleted, is so after a loss of power once its folder was synced: with the first sync of a new journal or log, as SQLite's own VFS does it, or with the
 *   deletion. Until then either may be true, for each file by itself. (A sync of the file alone does not count, though it would do on most file systems.)
 * - SQLite's -shm does not outlive it. Renaming is not SQLite's and not seen.
 * One at a time in a process; files may be used by any threads. */
#ifndef HOB_TEST_CRASH_VFS_H
#define HOB_TEST_CRASH_VFS_H

#include <stdbool.h>
#include <stdint.h>

enum crash_call { CRASH_READ, CRASH_WRITE, CRASH_TRUNCATE, CRASH_SYNC, CRASH_OPEN, CRASH_DELETE, CRASH_SHM, CRASH_CALLS };

struct crash_fault {
    enum crash_call call;
    const char *of;         /* files whose names end so: ".db", "-wal"; "" = all */
    unsigned first;         /* from the first-th call on … */
    bool once;              /* … or this one alone */
    int code;               /* SQLite's, that it returns */
    bool part;              /* a part of a read or a write is done all the same */
};

/* From here on it is the process's default VFS. The same seed draws the same sectors. */
void crash_vfs_begin(uint64_t seed);
void crash_vfs_fail(const struct crash_fault *f);   /* copied; NULL: none from now on. One at a time */
unsigned crash_vfs_fired(void);                     /* how often it struck, since it was set */
void crash_vfs_cut_after(long changes);             /* the power goes with the so-many-th change from now: a write, truncate, sync, deletion, or file that is made. 0: at once */
bool crash_vfs_is_cut(void);                        /* every call fails now */
long crash_vfs_changes(void);                       /* so far */

enum crash_left { CRASH_NOTHING, CRASH_ALL, CRASH_SOME };
/* All files are closed. The power goes, if it did not yet, and of what was not synced this is left: the real files are made so, and the ordinary VFS is the default again. */
void crash_vfs_end(enum crash_left left);
/* Without a loss of power: the files stay as they are. */
void crash_vfs_end_well(void);

#endif
