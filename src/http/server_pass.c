/* Connections on their way to another process: a copy of the socket, and what has come on it as it came, so that the other reads it as if it came now. */
#include "http/server_int.h"

#include <stdio.h>
#include <unistd.h>

/* The body as it came. What was chunked is so again, in one piece. */
static void put_body(const struct http_req *r, struct buf *out)
{
    if (r->head.chunked) {
        if (r->body.n)
            buf_printf(out, "%zx\r\n", r->body.n);
        buf_add(out, buf_str(&r->body));
        buf_add(out, r->body.n ? STR("\r\n0\r\n\r\n") : STR("0\r\n\r\n"));
    } else {
        buf_add(out, buf_str(&r->body));
    }
}

/* False: it stays, for now or until its answer has left. */
static bool may_go(struct http_req *r)
{
    switch (r->state) {
    case REQ_IDLE:
    case REQ_HEAD:
        return true;
    case REQ_BODY:
        return !r->head.chunked; /* half a chunked body cannot be said again */
    case REQ_HANDLED:
        return r->parked || (!r->begun && r->ops && r->ops->on_pass && !r->discard && r->ops->on_pass(r->ops_ctx));
    case REQ_FLUSHING:
    case REQ_LINGERING:
    case REQ_DEAD:
        break;
    }
    return false;
}

bool http_req_pass(struct http_req *r)
{
    struct buf bytes = { 0 };
    if (conn_pending(r->conn) || r->feeding || r->state == REQ_DEAD)
        return false;
    int fd = conn_copy(r->conn); /* first: whoever has let go of it cannot take it back */
    if (fd < 0 || !may_go(r)) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (r->state != REQ_IDLE)
        buf_add(&bytes, buf_str(&r->head.bytes));
    if (r->state == REQ_BODY || r->state == REQ_HANDLED)
        put_body(r, &bytes);
    buf_add(&bytes, buf_str(&r->ahead));
    http_pass_fn *pass = r->server->pass;
    void *ctx = r->server->pass_ctx;
    http_req_die(r, false);
    pass(ctx, fd, buf_str(&bytes));
    buf_free(&bytes);
    return true;
}

void http_server_pass(struct http_server *s, http_pass_fn *fn, void *ctx)
{
    s->pass = fn;
    s->pass_ctx = ctx;
    struct list *lists[] = { &s->all, &s->quiet };
    for (size_t i = 0; fn && i < COUNTOF(lists); i++)
        for (struct list *at = lists[i]->next, *next; at != lists[i]; at = next) {
            next = at->next;
            http_req_pass(list_entry(at, struct http_req, node));
        }
}
