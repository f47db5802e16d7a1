/* The addresses of a name. getaddrinfo() blocks, for half a minute when no name server answers, so each name that is looked up has a thread of its own: one
 * that hangs holds up nobody who asks for another. Who asks for a name that is already being looked up waits for the same answer. */
#ifndef HOB_NET_RESOLVE_H
#define HOB_NET_RESOLVE_H

#include "loop/loop.h"

#include <netdb.h>

/* What was found, shared by all who asked. Ports are 0. */
struct addresses {
    const struct addrinfo *first;
    unsigned users;
};
void addresses_release(struct addresses *a); /* NULL is fine */

/* Lies inside who asks. */
struct resolving {
    struct list node;
    void (*done)(void *ctx, struct addresses *found, const char *why);
    void *ctx;
};

/* done runs once, never from inside this call: with the addresses, to be released, or with NULL and the reason (a text that stays). */
void resolve_start(struct loop *l, struct resolving *r, const char *host, void (*done)(void *ctx, struct addresses *found, const char *why), void *ctx);
void resolve_cancel(struct resolving *r); /* done will not run; fine after it has */

#endif
