/* Between hob and its module hob-web.so, which alone is linked to libcurl and OpenSSL: one table of functions, found by name. The first two members keep
 * their place for ever, so that a module of another release can be told. Two things it does with libcurl: whole requests that block (`get`, for downloads),
 * and connections on the program's loop (`lane`, `dial`: TLS and proxies and nothing else; what is spoken over them is the client's). */
#ifndef HOB_HTTP_WEB_MODULE_H
#define HOB_HTTP_WEB_MODULE_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

enum { WEB_MODULE_ABI = 2 };    /* raised with every change below */
#define WEB_MODULE_SYMBOL "hob_web_module"

/* One request and its answer; no redirect is followed. What a callback is given dies when it returns; one that answers false ends the request. */
struct web_hop {
    const char *url;
    const char *authorization;  /* the header's value; NULL = none */
    const char *range;          /* "0-99"; NULL = all */
    const char *if_range;       /* an etag; NULL = none */
    const char *ca;             /* a file of certificates instead of the usual ones; NULL = those */
    bool direct;                /* past any proxy */
    int64_t idle_ms;
    int64_t idle_bytes;         /* fewer than these within idle_ms: ERR_UP_TIMEOUT */
    bool (*on_status)(void *ctx, int status);                        /* then its fields, then on_fields_end; interim answers are left out */
    bool (*on_field)(void *ctx, struct str name, struct str value);
    bool (*on_fields_end)(void *ctx);
    bool (*on_body)(void *ctx, struct str bytes);
    bool (*on_wait)(void *ctx); /* at least four times a second */
    void *ctx;
};

struct web_sha256;

enum { WEB_READ = 1, WEB_WRITE = 2, WEB_BROKEN = 4 };

/* The program's loop as the module sees it. Used from inside lane_*(), dial() and hang_up(); calls nothing of the module in turn. */
struct web_loop {
    void *ctx;
    void *(*watch)(void *ctx, void *watch, int fd, int events); /* watch NULL: a new one; events 0: not any more. Answers what to name it by */
    void (*timer)(void *ctx, int64_t in_ms);                    /* the one timer, from now on; negative: not set */
};

struct web_dial {
    const char *to;             /* "https://anvil:443", http:// likewise */
    const char *name;           /* what errors call it: "anvil:443" */
    const char *proxy;          /* with its login; NULL = none */
    int64_t connect_ms;         /* for all of it: name, proxy, TLS */
    /* Once, and never from inside dial(); e NULL: it is open. Else ERR_UP_REFUSED, ERR_UP_TIMEOUT, ERR_UP_RESET, ERR_UP_GARBLED. No login is ever in e. The
     * owner may not hang up from inside. */
    void (*on_open)(void *ctx, const struct err *e);
    void *ctx;
};

enum web_io { WEB_MOVED, WEB_LATER, WEB_ENDED, WEB_LOST }; /* LATER: when its socket is ready for more */

struct web_lane;                /* connections that trust the same certificates */
struct web_line;                /* one of them */

struct web_module {
    uint32_t abi;
    const char *release;        /* HOB_VERSION */
    const char *(*libraries)(void); /* what it stands on, with versions: "libcurl/7.88.1 OpenSSL/3.0.19 …" */
    /* ERR_OK: the whole answer was handed over. ERR_UP_REFUSED, ERR_UP_RESET, ERR_UP_TIMEOUT, ERR_UP_GARBLED, ERR_SYSTEM; ERR_CALLER_GONE when a
     * callback ended it. */
    enum err_code (*get)(const struct web_hop *hop, struct err *e);
    /* ca: a file of certificates instead of the usual ones; NULL = those. NULL: out of memory. Freed when all its lines have hung up. */
    struct web_lane *(*lane_new)(const char *ca, const struct web_loop *loop);
    void (*lane_free)(struct web_lane *a);
    void (*lane_socket)(struct web_lane *a, int fd, int events);     /* a watched one is ready */
    void (*lane_timer)(struct web_lane *a);
    /* NULL: e says why; on_open is then not called. d's texts are copied. */
    struct web_line *(*dial)(struct web_lane *a, const struct web_dial *d, struct err *e);
    int (*socket)(struct web_line *n);                               /* of an open one */
    enum web_io (*receive)(struct web_line *n, char *to, size_t room, size_t *got);
    /* After WEB_LATER the same bytes at the same place must be offered again. At most 16 KiB at a time. */
    enum web_io (*send)(struct web_line *n, struct str bytes, size_t *taken);
    void (*hang_up)(struct web_line *n);                             /* at any time; the other side sees it at once */
    struct web_sha256 *(*sha256_new)(void);                          /* NULL: out of memory */
    void (*sha256_feed)(struct web_sha256 *h, struct str bytes);
    void (*sha256_end)(struct web_sha256 *h, unsigned char out[32]); /* frees it; out may be NULL */
};

/* Loads it at the first call: beside the program, or in its library folder. ERR_SYSTEM: not there, or of another release. */
enum err_code web_module_get(const struct web_module **out, struct err *e) __attribute__((warn_unused_result));
void web_module_use(const struct web_module *m); /* a test's; NULL: the real one again */

#endif
