/* The web, for commands and for the pool: GET over https or http, blocking, by libcurl in a module of its own (hob-web.so beside the program or in its
 * library folder), loaded at the first use: what never leaves this machine never pays for it. TLS is always verified. Redirects are followed by our own
 * rules: at most 10; the Authorization goes to the first origin only, and never again once another was met; http:// only to loopback; from elsewhere
 * never to loopback. Proxies (https_proxy, all_proxy, no_proxy; socks5h:// too) and SSL_CERT_FILE, SSL_CERT_DIR as the environment says; this machine
 * itself is never asked through a proxy. The process must ignore SIGPIPE. */
#ifndef HOB_HTTP_WEB_H
#define HOB_HTTP_WEB_H

#include "base/buf.h"
#include "base/log.h"

enum { WEB_MAX_REDIRECTS = 10, WEB_REFUSAL_BYTES = 64 * 1024, WEB_IDLE_BYTES = 1024 };

/* What is known before the first byte of the body. Texts die when the callback returns. */
struct web_head {
    int status;                 /* 200 or 206 */
    bool ranged;                /* 206: it heeded the range */
    int64_t from;               /* where in the file the body begins */
    int64_t whole_bytes;        /* of the whole file; -1 = unknown */
    struct str etag;            /* as it was sent, quotes and W/ included; empty = none */
    struct str host;            /* who answers */
};

struct web_get {
    struct str url;             /* as web_url_parse() takes it */
    struct secret bearer;       /* empty = none */
    struct str ca;              /* a file of certificates to trust instead of the usual ones; empty = those */
    int64_t from;               /* first byte wanted; > 0 or `bytes` set: a range request */
    int64_t bytes;              /* how many; 0 = to the end */
    struct str if_range;        /* a strong etag: the range only if it is still that file, else 200 and all of it; empty = none */
    int64_t idle_ms;            /* fewer than WEB_IDLE_BYTES within so long: ERR_UP_TIMEOUT. 0: 60 s */
    size_t body_max;            /* without on_bytes: how large a 200 may be (ERR_TOO_LARGE past it). 0: WEB_REFUSAL_BYTES */
    bool (*on_head)(void *ctx, const struct web_head *head); /* of a 200 or 206; false: stop */
    bool (*on_bytes)(void *ctx, struct str bytes);           /* its body; false: stop */
    bool (*on_wait)(void *ctx);                              /* at least four times a second, whatever comes; false: stop */
    void *ctx;
};
struct web_answer {
    int status;
    bool ranged;                /* 206 */
    char final_host[256];       /* who answered, behind redirects */
    char error_code[64];        /* x-error-code: how the hub says why */
    int retry_after_s;          /* 0 = not said */
    struct buf body;            /* when on_bytes is NULL, or of a refusal (its first WEB_REFUSAL_BYTES): the asker's to free, also on error */
};
/* ERR_UP_REFUSED, ERR_UP_RESET, ERR_UP_TIMEOUT, ERR_UP_GARBLED (also: a certificate that is not trusted), ERR_INVALID_REQUEST (a url that may not be),
 * ERR_TOO_LARGE, ERR_SYSTEM (no module: what to install). ERR_CALLER_GONE when a callback stopped it. Any HTTP status is ERR_OK. *out is always set. */
enum err_code web_fetch(const struct web_get *g, struct web_answer *out, struct err *e) __attribute__((warn_unused_result));

#endif
