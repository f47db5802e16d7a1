/* HTTP/1.1 client: one call = one request and its answer. One client for all targets: plain, over TLS, through a proxy; how bytes travel makes no difference to
 * anything said here.
 *
 * A pool belongs to one target and keeps its idle connections. A call started on a pooled connection that turns out stale (closed
 * before a byte of the answer came) is sent once more on a fresh one, unseen by the owner.
 * A call completes exactly once, through on_done, never from inside http_call_start(); after http_call_cancel() nothing runs any more and the
 * connection is closed (that is how a backend learns that nobody listens). In on_done the call is already dead. */
#ifndef HOB_HTTP_CLIENT_H
#define HOB_HTTP_CLIENT_H

#include "http/http.h"
#include "loop/loop.h"
#include "net/addr.h"

struct http_pool;
struct http_call;

struct http_pool_opts {
    size_t max_idle;          /* connections kept for later; more are closed when they come back */
    int64_t idle_ms;          /* an idle one is closed after so long (llama-server closes at 5 s: use 4 s there) */
    int64_t connect_ms;
};

/* Where a pool's connections lead. */
struct http_target {
    struct addr to;
    bool tls;
    struct str ca;            /* a file of certificates to trust instead of the machine's; empty = those */
    struct str proxy;         /* `socks5h://[LOGIN@]HOST:PORT`, `socks5://…`, `http://…`; empty = none: never what the environment says */
};

/* Its address is also what Host says. With TLS or a proxy hob-web.so is loaded: ERR_SYSTEM where it is not installed; *out is then untouched. */
enum err_code http_pool_open(struct loop *l, const struct http_target *to, const struct http_pool_opts *opts, struct http_pool **out, struct err *e)
    __attribute__((warn_unused_result));
/* Plain HTTP straight to an address. host_header: value of Host (copied). */
struct http_pool *http_pool_new(struct loop *l, const struct addr *to, struct str host_header, const struct http_pool_opts *opts);
/* No call may be running (one cancelled from inside its own on_head or on_body runs until that returns; in on_done it does not). Closes the
 * idle connections. NULL is fine. */
void http_pool_free(struct http_pool *p);
size_t http_pool_idle(const struct http_pool *p); /* connections kept for later */
size_t http_pool_running(const struct http_pool *p); /* calls */
/* Since when somebody has been asked there without a byte in return (loop time): since the last byte, or the first call that was started after it, even
 * when that was given up; 0 = all that was asked has been answered. */
int64_t http_pool_silent_ms(const struct http_pool *p);
int64_t http_pool_used_ms(const struct http_pool *p); /* when a call last began, had a byte, or ended; 0 = never */
/* From now on connections go there, in the same way; idle ones to the old address are closed, calls that run end as they do. */
void http_pool_move(struct http_pool *p, const struct addr *to);

struct http_answer {
    int status;
    struct http_headers headers; /* live until on_head returns */
    struct str content_type;     /* without parameters; likewise */
};

struct http_call_ops {
    void (*on_head)(void *ctx, const struct http_answer *a); /* the final head: 1xx are skipped (at most 8, then ERR_UP_GARBLED) */
    void (*on_body)(void *ctx, struct str bytes);            /* slice dies on return */
    /* ERR_OK: the answer is whole. Else ERR_UP_REFUSED (no connection), ERR_UP_RESET (ended early), ERR_UP_GARBLED (not HTTP, head over 64 KiB,
     * chunk errors, two Content-Lengths …), ERR_UP_TIMEOUT (e says which: connect, first byte, idle). e is never NULL; it dies on return. */
    void (*on_done)(void *ctx, enum err_code rc, const struct err *e);
    void (*on_fed)(void *ctx); /* all that one read has brought of the body was handed on; more comes later, or on_done. NULL is fine */
};

struct http_request {
    struct str method;        /* "POST" */
    struct str path;          /* "/v1/chat/completions" */
    struct str headers;       /* block of complete lines ("Name: value\r\n"); Host and Content-Length are the client's */
    const struct str *body;   /* pieces; must live until on_done or cancel (a stale connection sends them again) */
    size_t pieces;
    int64_t first_byte_ms;    /* from sent to the first byte of the answer; 0 = no limit */
    int64_t idle_ms;          /* between two bytes after it; 0 = no limit */
};

/* method, path and headers are copied out before it returns; the body pieces array too, not its bytes; ops must outlive the call. What
 * is in method, path and headers is sent as it is: no byte of a caller may get there unchecked. */
struct http_call *http_call_start(struct http_pool *p, const struct http_request *r, const struct http_call_ops *ops, void *ctx);
void http_call_cancel(struct http_call *c); /* NULL is fine */
/* Paused: nothing is read, the limits stand still; what had been read before is still handed on (on_done, too, may come). */
void http_call_pause(struct http_call *c, bool paused);
bool http_call_had_byte(const struct http_call *c);      /* a byte of the answer has come */

#endif
