/* How hosts are connected to, for all kinds of them: plain or https, with the certificates and through the proxy that hob.yaml says. */
#ifndef HOB_BACKEND_POOL_H
#define HOB_BACKEND_POOL_H

#include "backend/backend.h"

/* *path: what its `url` has behind the authority, without a slash at its end; it lives as long as h. ERR_CONFIG, or ERR_SYSTEM where hob's module for
 * https is not installed; *out is then untouched. */
enum err_code host_pool_open(struct loop *l, const struct conf_host *h, int64_t connect_ms, struct http_pool **out, struct str *path, struct err *e)
    __attribute__((warn_unused_result));

/* Sets b->pool, for a kind's init; false: b is failed, and its last_error says why. */
bool backend_open_pool(struct backend *b, struct str *path) __attribute__((warn_unused_result));

#endif
