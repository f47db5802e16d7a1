/* Between hob and its module hob-web.so, which alone is linked to libcurl and OpenSSL: one table of functions, found by name. The first two members keep
 * their place for ever, so that a module of another release can be told. The table will also hold the loop's client for hosts over https. */
#ifndef HOB_HTTP_WEB_MODULE_H
#define HOB_HTTP_WEB_MODULE_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

enum { WEB_MODULE_ABI = 1 };    /* raised with every change below */
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

struct web_module {
    uint32_t abi;
    const char *release;        /* HOB_VERSION */
    const char *(*libraries)(void); /* what it stands on, with versions: "libcurl/7.88.1 OpenSSL/3.0.19 …" */
    /* ERR_OK: the whole answer was handed over. ERR_UP_REFUSED, ERR_UP_RESET, ERR_UP_TIMEOUT, ERR_UP_GARBLED, ERR_SYSTEM; ERR_CALLER_GONE when a
     * callback ended it. */
    enum err_code (*get)(const struct web_hop *hop, struct err *e);
    struct web_sha256 *(*sha256_new)(void);                          /* NULL: out of memory */
    void (*sha256_feed)(struct web_sha256 *h, struct str bytes);
    void (*sha256_end)(struct web_sha256 *h, unsigned char out[32]); /* frees it; out may be NULL */
};

/* Loads it at the first call: beside the program, or in its library folder. ERR_SYSTEM: not there, or of another release. */
enum err_code web_module_get(const struct web_module **out, struct err *e) __attribute__((warn_unused_result));
void web_module_use(const struct web_module *m); /* a test's; NULL: the real one again */

#endif
