/* Inside the client: what a call needs of a connection, and the two ways to have one. */
#ifndef HOB_HTTP_CLIENT_INT_H
#define HOB_HTTP_CLIENT_INT_H

#include "http/client.h"
#include "net/conn.h"

/* A connection that carries bytes, by the rules of net/conn.h: nothing is read until told; on_open once, never from inside connect(); after close() nothing
 * runs, and memory goes when it may. One thing less: write() only when nothing is pending; and one more: what it writes stays where it is until nothing is, or close(). */
struct wire {
    /* ERR_OK and what connect() wants of `road`; NULL: nothing. The target lives as long as the road. */
    enum err_code (*road)(struct loop *l, const struct http_target *to, void **out, struct err *e);
    void (*leave)(void *road);
    void *(*connect)(struct loop *l, const struct http_target *to, void *road, int64_t connect_ms, const struct conn_ops *ops, void *ctx,
        void (*on_open)(void *ctx, const struct err *e));
    void (*read)(void *w, bool on);
    void (*write)(void *w, const struct str *pieces, size_t n);
    size_t (*pending)(const void *w);
    void (*close)(void *w);
};

extern const struct wire wire_plain, wire_web;

/* host_header is copied, and so is the target. */
enum err_code http_pool_over(struct loop *l, const struct wire *wire, const struct http_target *to, struct str host_header, const struct http_pool_opts *opts,
    struct http_pool **out, struct err *e) __attribute__((warn_unused_result));

#endif
