/* HTTP/1.1 server over net/conn and llhttp, strict: any framing error is 400 and close. It reads a request whole (head, then body up to
 * the limit its route has), hands it over, and writes what the handler answers. It knows no models, no routes, no JSON.
 *
 * A request belongs to the handler from on_request (or on_refused) until the handler calls http_reply(), http_reply_end() or
 * http_abort(), or until on_gone has run: after that the pointer is dead. One request at a time per connection; pipelined ones wait.
 * While a request is being answered the connection is still read, so that a caller's FIN or RST is seen at once (on_gone). */
#ifndef HOB_HTTP_SERVER_H
#define HOB_HTTP_SERVER_H

#include "http/http.h"
#include "loop/loop.h"
#include "loop/overload.h"

struct http_server;
struct http_req; /* opaque */

struct http_limits {
    size_t line_bytes;         /* 8 KiB: method, target, version; 431 past it */
    size_t headers_bytes;      /* 32 KiB; 431 */
    size_t headers_count;      /* 100; 431 */
    int64_t head_ms;           /* 10 s from first byte to the end of the head; 408 */
    int64_t body_window_ms;    /* 10 s: a body must bring at least body_window_bytes in each; 408 */
    size_t body_window_bytes;  /* 10 KiB */
    int64_t keep_alive_ms;     /* 60 s idle between requests, then closed */
    int64_t write_stall_ms;    /* 30 s in which the caller takes no byte of what is pending, then closed */
    int64_t linger_ms;         /* 5 s after an early refusal in which what still comes is read and dropped (else a reset eats the answer) */
    size_t linger_bytes;       /* 64 MiB of it */
};
extern const struct http_limits http_limits_default;

struct http_handler {
    /* The head is in and well-formed. ERR_OK and the most bytes its body may have, or an error: then on_refused follows and the body is
     * not read (the connection closes after the answer unless there is no body). Content-Encoding, CONNECT, TRACE and unknown
     * expectations are refused before this is asked; `Expect: 100-continue` gets its 100 after it said yes. */
    enum err_code (*on_head)(void *ctx, struct http_req *r, size_t *body_limit, struct err *e);
    void (*on_request)(void *ctx, struct http_req *r);
    /* Broken framing, too large, too slow, or refused by on_head: the handler writes the answer (in its dialect) as usual. The head may be
     * partial: method and target may be empty. When it returns without an answer (and without http_req_watch(), the promise of one), the server
     * answers with the error's status and no body. */
    void (*on_refused)(void *ctx, struct http_req *r, const struct err *e);
};

struct http_server *http_server_new(struct loop *l, const struct http_limits *limits, const struct http_handler *h, void *ctx);
void http_server_take(struct http_server *s, int fd); /* a new connection, already accepted */
/* Draining: no new connections are taken by the owner; idle ones are closed, the others after their answer (Connection: close). */
void http_server_drain(struct http_server *s);
/* Another process takes over: fn gets each connection that waits for nothing of ours, with what has come on it and was not answered; fd is fn's. From then on each
 * that becomes so goes there, too, the requests that come whole among them; what only waits is asked to let go (http_req_ops.on_pass). May be called again,
 * for those. fn NULL: all stay here for now. */
typedef void http_pass_fn(void *ctx, int fd, struct str bytes);
void http_server_pass(struct http_server *s, http_pass_fn *fn, void *ctx);
/* The other side of it: as http_server_take(), and as if those bytes had come now. */
void http_server_take_with(struct http_server *s, int fd, struct str bytes);
size_t http_server_connections(const struct http_server *s);

/* ---- limits of the whole ---- */

/* Memory is taken from this ledger: HTTP_BODY_COST times a body's length before any of it is read, else the request is refused (ERR_OVERLOADED). */
enum { HTTP_MADE_COST = 8 }; /* and what is made of one of those that are being read, at most (json/json.h): room for that is left by who comes later */
enum { HTTP_BODY_COST = 4 }; /* the body, its parsed copy, the request made of it, and what of that the next connection keeps (with TLS: all) */
void http_server_use_overload(struct http_server *s, struct overload *o);
/* So many connections at a time; 0 = any number. Where one more comes the one goes that has asked for nothing for the longest time; where each of them is
 * being served, a few more are taken, of which only what http_req_is_over() says no to is answered as usual, and each closes after its answer; any beyond
 * these is closed at once. */
void http_server_limit(struct http_server *s, size_t connections);
/* Closes all that have asked for nothing for a moment. */
void http_server_shed(struct http_server *s);
/* Refuses the bodies that are on their way for longer than one window (body_window_ms): who announces much and sends little would hold what others need. */
void http_server_hurry(struct http_server *s);
struct http_server_figures {
    size_t connections, limit;
    uint64_t evicted, over, turned_away; /* so far: idle ones closed for others or for memory, taken beyond the limit, closed at once */
};
void http_server_figures(const struct http_server *s, struct http_server_figures *out);
size_t http_server_flushing(const struct http_server *s); /* answered, but the kernel has not taken all of it yet */
void http_server_free(struct http_server *s); /* cuts what is left: on_gone runs for each unfinished request */

/* The request as it came. All slices live as long as the request. */
struct str http_req_method(const struct http_req *r);
struct str http_req_path(const struct http_req *r);   /* before '?', as sent (not decoded) */
struct str http_req_query(const struct http_req *r);  /* after '?', may be empty */
const struct http_headers *http_req_headers(const struct http_req *r);
struct str http_req_header(const struct http_req *r, struct str name);
struct str http_req_body(const struct http_req *r);
void http_req_take_body(struct http_req *r, struct buf *to); /* it is the caller's to free, and the request has none any more */
void http_req_put_back_body(struct http_req *r, struct buf *from); /* it has it again: on_pass needs it */
/* What was spoken by who was refused, as far as it was no HTTP of ours: its first bytes, or its first line, say so. */
enum http_tongue { TONGUE_HTTP, TONGUE_TLS, TONGUE_HTTP2, TONGUE_HTTP09, TONGUE_PROXY, TONGUE_SSH, TONGUE_OTHER, HTTP_TONGUES };
enum http_tongue http_req_tongue(const struct http_req *r);
void http_req_peer(const struct http_req *r, unsigned char out[16]); /* as conn_peer() has it */
const struct http_server *http_req_server(const struct http_req *r);
int64_t http_req_started_ns(const struct http_req *r); /* clock_mono_ns() when its first byte came */

/* It came on a connection beyond the limit: only what costs next to nothing is to be answered. */
bool http_req_is_over(const struct http_req *r);
/* All that is made of its body is made by now: what was taken for that is no promise any more. */
void http_req_is_made(struct http_req *r);

/* Who wants to know while it answers. Set from on_request; may be set again. */
struct http_req_ops {
    void (*on_gone)(void *ctx);  /* the caller has left (FIN, RST, write stall): nothing can be answered any more; r is dead on return */
    void (*on_drain)(void *ctx); /* http_reply_pending() is 0 again; NULL is fine */
    /* Another process could answer it as well: nothing of an answer has left. True: whoever answers lets go of it, and has put back what it
     * took; r is dead then. NULL: it stays. */
    bool (*on_pass)(void *ctx);
};
void http_req_watch(struct http_req *r, const struct http_req_ops *ops, void *ctx);

/* Complete lines for whatever answer this request gets. From on_head on. */
void http_req_add_headers(struct http_req *r, struct str lines);

/* A whole answer. `headers` is a block of complete lines ("Name: value\r\n"…), may be empty; Content-Length, Content-Type (unless empty),
 * Date-less, and Connection are the server's. HEAD sends no body. body is several pieces, written in one go. */
void http_reply(struct http_req *r, int status, struct str content_type, struct str headers, const struct str *body, size_t pieces);

/* A streamed answer: chunked for HTTP/1.1, to the end of the connection for 1.0. Each http_reply_write() is staged, and leaves as one chunk with those
 * before it: when who writes says that this was all for now, at the end of the turn of the loop, or at 32 KiB. */
void http_reply_begin(struct http_req *r, int status, struct str content_type, struct str headers);
void http_reply_write(struct http_req *r, struct str bytes);
void http_reply_flush(struct http_req *r);
size_t http_reply_pending(const struct http_req *r); /* bytes the kernel has not taken yet */
void http_reply_end(struct http_req *r);

/* Ends the connection without an end to the answer: the caller must see that it is not whole. */
void http_abort(struct http_req *r);

#endif
