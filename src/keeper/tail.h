/* What a child says: drained from its pipe into a ring that keeps the newest WIRE_OBITUARY_BYTES (for its obituary) and into a file with a
 * cap (for its reader). The ring exists only while the child does; a file that cannot be written never stops the draining. */
#ifndef HOB_KEEPER_TAIL_H
#define HOB_KEEPER_TAIL_H

#include "base/buf.h"

struct tail {
    int fd;               /* the pipe; -1: ended */
    int file;             /* -1: none */
    char *ring;
    uint64_t seen_bytes;  /* ever: the ring holds the last of them */
    uint64_t file_bytes, file_max_bytes;
    char *path;
};

/* Takes fd over. An empty path or max_bytes 0: no file. False when there is no memory (fd is closed). */
bool tail_open(struct tail *t, int fd, struct str path, uint64_t max_bytes);
void tail_close(struct tail *t);
void tail_drain(struct tail *t); /* what is there now, at most 256 KiB; closes the pipe at its end */
void tail_put(const struct tail *t, struct buf *out, size_t max_bytes); /* the newest bytes as a wire text */

#endif
