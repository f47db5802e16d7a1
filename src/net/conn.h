/* One stream connection, TCP or unix: bytes in when asked for, bytes out as the other side takes them. Knows no protocol.
 *
 * Pull: nothing is read until conn_read(c, true). Push: conn_write() writes what the kernel takes at once and keeps a copy of the
 * rest; conn_pending() says how much that is. Who writes a lot looks at it and stops above its high-water mark; on_drain says when
 * it is empty again. conn_close() ends everything at once: no callback runs after it, memory goes at the end of the turn. */
#ifndef HOB_NET_CONN_H
#define HOB_NET_CONN_H

#include "loop/loop.h"
#include "net/addr.h"

struct conn;

struct conn_ops {
    void (*on_read)(void *ctx, struct str bytes);            /* slice dies on return */
    void (*on_end)(void *ctx);                                /* the other side has sent its last byte */
    void (*on_fail)(void *ctx, const struct err *e);          /* ERR_UP_RESET and the like; conn_close() is still the owner's to call */
    void (*on_drain)(void *ctx);                              /* all that was pending is with the kernel; NULL is fine */
    char *(*on_room)(void *ctx, size_t *n);                   /* where the next bytes shall lie, and at most how many: on_read gets them there. Returns NULL: anywhere;
                                                               * NULL is fine */
};

/* Connects; exactly one of on_open(ctx, NULL) and on_open(ctx, error) runs, never from inside this call. Names are resolved aside
 * (net/resolve.h) and their addresses tried in turn, each within its share of the time. conn_close() before that cancels it silently.
 * ERR_UP_REFUSED, ERR_UP_TIMEOUT; after an error conn_close() is still the owner's to call, and may be called from on_open. */
struct conn *conn_connect(struct loop *l, const struct addr *to, int64_t timeout_ms, const struct conn_ops *ops, void *ctx,
    void (*on_open)(void *ctx, const struct err *e));

/* Takes an accepted or inherited stream socket over; one that cannot be used comes back through on_fail. */
struct conn *conn_from_fd(struct loop *l, int fd, const struct conn_ops *ops, void *ctx);

/* The other side's address, IPv4 mapped into IPv6; all zeros when it has none (a unix socket). */
void conn_peer(const struct conn *c, unsigned char out[16]);

/* Another descriptor of the same socket, the caller's: for another process. -1 when there is none to be had. */
int conn_copy(const struct conn *c);

void conn_read(struct conn *c, bool on);
/* The pieces leave in one writev where the kernel takes them. An error comes later through on_fail. */
void conn_write(struct conn *c, const struct str *pieces, size_t n);
/* The same, but what the kernel does not take is not copied: the bytes must stay where they are until nothing is pending any more, or conn_close(). */
void conn_lend(struct conn *c, const struct str *pieces, size_t n);
size_t conn_pending(const struct conn *c);
/* What was written is the last: the other side sees our end (FIN) behind it. Reading goes on. */
void conn_finish(struct conn *c);
void conn_close(struct conn *c); /* NULL is fine */
/* conn_close(), and the other side of a TCP connection sees a reset instead of an end. */
void conn_reset(struct conn *c);
/* Another owner for the same connection (an idle one goes back to work). */
void conn_reown(struct conn *c, const struct conn_ops *ops, void *ctx);

/* A listening socket (made by the keeper) whose connections are handed to on_conn. Out of descriptors: waits and goes on. */
struct listener;
struct listener *listener_new(struct loop *l, int fd, void (*on_conn)(void *ctx, int fd), void *ctx);
void listener_free(struct listener *s); /* closes its copy of the socket */

#endif
