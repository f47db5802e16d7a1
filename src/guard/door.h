/* Which names this gateway goes by, and which pages in browsers may use it.
 *
 * Who has no key is known by one thing alone: that he reached the port. A page that somebody opened in a browser on this machine reaches it too, by making its own
 * name mean 127.0.0.1 (DNS rebinding), or by posting across origins. The first is seen by the Host, the second by the Origin; browsers let no script change either.
 * Nothing but yes or no is made of them: no path, no address, no right (doc/adr/0010-host-and-origin.md). */
#ifndef HOB_GUARD_DOOR_H
#define HOB_GUARD_DOOR_H

#include "conf/config.h"
#include "http/http.h"

enum { DOOR_LAST_BYTES = 64 };

struct door {                       /* slices of a configuration: door_set() anew with the next one */
    struct str listen;
    struct conf_strs hosts, origins;
    bool open;                      /* nobody needs a key */
    char last[DOOR_LAST_BYTES];     /* the Host that was let in last: most callers always say the same */
    size_t last_n;
};

void door_set(struct door *d, const struct config *c, bool open);

/* ERR_HOST, ERR_ORIGIN. *origin: the request's, where it is one of `allowed_origins`, so that its page may read the answer; else empty. */
enum err_code door_check(struct door *d, struct str method, const struct http_headers *h, struct str *origin, struct err *e) __attribute__((warn_unused_result));
/* A browser asks whether a page may ask. */
bool door_is_preflight(struct str method, const struct http_headers *h);

/* ---- the parts ---- */
bool door_knows_host(const struct door *d, struct str host);     /* a Host that is well-formed (http/server_head.c) */
bool door_knows_origin(const struct door *d, struct str origin);

#endif
