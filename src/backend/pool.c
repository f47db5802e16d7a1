/* From a host's settings to a pool of connections. */
#include "backend/pool.h"

#include "net/addr.h"

enum { MAX_IDLE = 1024, IDLE_MS = 30 * 1000 };

enum err_code host_pool_open(struct loop *l, const struct conf_host *h, int64_t connect_ms, struct http_pool **out, struct str *path, struct err *e)
{
    struct http_target to = { .ca = h->ca, .proxy = h->proxy.hidden };
    const struct http_pool_opts opts = { .max_idle = MAX_IDLE, .idle_ms = IDLE_MS, .connect_ms = connect_ms };
    enum err_code rc = addr_parse_web(h->url, &to.to, &to.tls, path, e);
    return rc ? rc : http_pool_open(l, &to, &opts, out, e);
}

bool backend_open_pool(struct backend *b, struct str *path)
{
    struct err e;
    if (!host_pool_open(b->loop, b->place, b->timeouts.connect_ms, &b->pool, path, &e))
        return true;
    b->last_error = e;
    b->last_error.code = ERR_LOAD_FAILED; /* callers hear of it, and other places may be asked */
    b->state = BACKEND_FAILED;
    return false;
}
