/* One end of the wire between gateway and keeper: a non-blocking socket, what came in, what waits to go out, and the descriptors that go
 * along. Both ends use it; neither ever waits in it. What comes in is bounded by WIRE_MAX_BYTES, what waits by a number given at birth. */
#ifndef HOB_KEEPER_LINE_H
#define HOB_KEEPER_LINE_H

#include "keeper/wire.h"

enum { LINE_FDS = 32 };

struct line {
    int sock;            /* -1: closed */
    bool broken;         /* garbage, or more waiting than allowed: only line_close() is of use now */
    struct buf in, out;
    size_t taken;        /* bytes of `in` that line_next() has given out */
    size_t out_max_bytes;
    int fds_in[LINE_FDS];
    size_t n_fds_in;
    struct line_fd {
        size_t at;       /* index in out.p of the message it travels with */
        int fd;
    } fds_out[LINE_FDS];
    size_t n_fds_out;
};

enum line_state { LINE_OPEN, LINE_EOF, LINE_BROKEN };

/* Takes sock over, makes it non-blocking and close-on-exec. Never fails: a socket that cannot be made so is broken. */
void line_open(struct line *l, int sock, size_t out_max_bytes);
void line_close(struct line *l); /* frees all; fine on a zeroed struct with sock -1, and again */

/* Takes in what is there, at most 64 KiB a call. LINE_OPEN also when nothing was. After LINE_EOF what came before it is still to be read. */
enum line_state line_read(struct line *l);
/* The next whole message; false when there is none. *fd is the receiver's, -1 when none came. body dies at the next line_read(). */
bool line_next(struct line *l, struct wire_head *head, struct str *body, int *fd);

/* Writing: line_begin, wire_put_…(&l->out, …), line_end. Nothing leaves before line_flush(). Fine (and for nothing) on a closed line. */
size_t line_begin(struct line *l, enum wire_type type, uint32_t id);
void line_end(struct line *l, size_t begun_at);
void line_end_fd(struct line *l, size_t begun_at, int fd); /* sends a duplicate of fd */
enum line_state line_flush(struct line *l);
static inline bool line_waits(const struct line *l)
{
    return l->out.n > 0;
}

#endif
