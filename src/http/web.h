/* The web, for commands and for the pool: GET over https or http, blocking, by libcurl in a module of its own (hob-web.so beside the program or in its
 * library folder), loaded at the first use: what never leaves this machine never pays for it. TLS always verified; redirects followed (at most 10, to
 * https only, except from loopback to loopback); the Authorization goes to the first host only. http:// only to loopback. Proxies as the environment
 * says. */
#ifndef HOB_HTTP_WEB_H
#define HOB_HTTP_WEB_H

#include "base/buf.h"
#include "base/log.h"

struct web_get {
    struct str url;
    struct secret bearer;       /* empty = none */
    int64_t from;               /* first byte wanted; > 0 or `bytes` set: a range request */
    int64_t bytes;              /* how many; 0 = to the end */
    int64_t idle_ms;            /* no byte for so long: ERR_UP_TIMEOUT */
    bool (*on_head)(void *ctx, int status, int64_t whole_bytes, struct str etag);  /* whole_bytes: of the file, -1 = unknown; false: stop */
    bool (*on_bytes)(void *ctx, struct str bytes);                                 /* of a 200 or 206; false: stop */
    void *ctx;
};
struct web_answer {
    int status;
    bool ranged;                /* 206: it heeded the range */
    char final_host[256];       /* who answered, behind redirects */
    struct buf body;            /* when on_bytes is NULL, or of a refusal (at most 64 KiB): the asker's to free */
};
/* ERR_UP_REFUSED, ERR_UP_RESET, ERR_UP_TIMEOUT, ERR_UP_GARBLED, ERR_INVALID_REQUEST (a url that may not be), ERR_SYSTEM (no module: what to install).
 * ERR_CALLER_GONE when a callback stopped it. Any HTTP status is ERR_OK. */
enum err_code web_fetch(const struct web_get *g, struct web_answer *out, struct err *e) __attribute__((warn_unused_result));

#endif
