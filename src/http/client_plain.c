/* A wire that is a connection of net's: plain HTTP, straight to an address. */
#include "http/client_int.h"

static enum err_code no_road(struct loop *l, const struct http_target *to, void **out, struct err *e)
{
    *out = NULL;
    return ERR_OK;
}

static void leave_none(void *road)
{
    (void)road;
}

static void *plain_connect(struct loop *l, const struct http_target *to, void *road, int64_t connect_ms, const struct conn_ops *ops, void *ctx,
    void (*on_open)(void *ctx, const struct err *e))
{
    return conn_connect(l, &to->to, connect_ms, ops, ctx, on_open);
}

static void plain_read(void *w, bool on)
{
    conn_read(w, on);
}

static void plain_write(void *w, const struct str *pieces, size_t n)
{
    conn_lend(w, pieces, n);
}

static size_t plain_pending(const void *w)
{
    return conn_pending(w);
}

static void plain_close(void *w)
{
    conn_close(w);
}

const struct wire wire_plain = {
    .road = no_road, .leave = leave_none, .connect = plain_connect, .read = plain_read, .write = plain_write, .pending = plain_pending, .close = plain_close,
};
