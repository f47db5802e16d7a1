/* Shared inside the HTTP server: a request's head and body as a parser that owns no socket (fuzzed and tested as such), and the connection that
 * server.c (reading, states, time) and server_answer.c (writing) work on. */
#ifndef HOB_HTTP_SERVER_INT_H
#define HOB_HTTP_SERVER_INT_H

#include "base/buf.h"
#include "http/server.h"
#include "net/conn.h"

#include <llhttp.h>

/* ---- server_head.c ---- */

struct http_head {
    const struct http_limits *limits;
    struct buf bytes;            /* the head as it came, up to and with its empty line; every slice below points into it */
    struct http_header *fields;
    size_t n, cap;

    /* Found by http_head_feed() when the head is whole and well-formed; on an error what was understood so far. */
    struct str method, target;
    struct str path, query;
    bool http11;
    bool keep;                   /* the caller wants the connection kept */
    bool chunked;
    bool expect_continue;
    int64_t content_length;      /* 0 when there is none */

    /* In between. */
    llhttp_t parser;
    enum err_code refused;       /* why a callback stopped llhttp */
    size_t line_n;               /* bytes of the line being scanned, its CR included */
    size_t section_n;            /* bytes of the finished header lines */
    unsigned lines;
    uint16_t flags;              /* llhttp's, as of the end of the head */
    char last;                   /* the byte before the next one */
    bool skipped_empty;          /* one empty line before the request line is forgiven */
    bool in_name, whole;
    enum http_tongue tongue;     /* of who was refused */
    struct buf *body;            /* where chunks go; NULL while the head is parsed */
    size_t body_limit;
    bool body_whole;
};

void http_head_init(struct http_head *h, const struct http_limits *limits);
void http_head_fini(struct http_head *h);
void http_head_reset(struct http_head *h); /* ready for the next request; keeps small buffers */

/* Takes bytes up to the end of the head: *used says how many. ERR_OK and *whole, or ERR_OK and more is needed, or the refusal. */
enum err_code http_head_feed(struct http_head *h, struct str bytes, size_t *used, bool *whole, struct err *e) __attribute__((warn_unused_result));
static inline bool http_head_has_body(const struct http_head *h)
{
    return h->chunked || h->content_length > 0;
}

/* Decodes a chunked body behind that head into `body`, which may hold at most body_limit bytes. */
enum err_code http_chunks_feed(struct http_head *h, struct buf *body, size_t body_limit, struct str bytes, size_t *used, bool *whole,
    struct err *e) __attribute__((warn_unused_result));

/* ---- server.c ---- */

enum req_state {
    REQ_IDLE,      /* between requests: nothing of the next one has come */
    REQ_HEAD,
    REQ_BODY,
    REQ_HANDLED,   /* with the handler */
    REQ_FLUSHING,  /* answered; the kernel has not taken all of it yet */
    REQ_LINGERING, /* our end is sent; what still comes is dropped, so that no reset overtakes the answer */
    REQ_DEAD,      /* freed at the end of the turn */
};

/* What `deadline` was last set for. It is left running when the reason goes away: looking at it in vain is cheaper than cancelling. */
enum req_timing { TIMING_NOTHING, TIMING_IDLE, TIMING_HEAD, TIMING_BODY, TIMING_STALL, TIMING_LINGER };

/* A connection and the one request it has at a time. */
struct http_req {
    /* looked at with each event of a stream: close together */
    struct http_server *server;
    struct conn *conn;
    enum req_state state;
    enum req_timing timing;
    bool begun, chunked_out, bodyless;
    bool close_after;              /* the connection ends with this answer */
    bool discard;                  /* input is not understood (any more), or not wanted: forget it */
    bool feeding;                  /* feed() is on the stack */
    bool over;                     /* beyond the limit of connections */
    bool parked;                   /* whole, and to go to another process at the end of the turn */
    struct buf text;               /* head of the answer, when not sent yet */
    uint64_t wrote;                /* all bytes given to the connection */
    struct later turn;             /* end of turn: flush, go on with a pipelined request, or free */

    struct list node;
    struct timer deadline;
    uint64_t mark;                 /* progress as of when the deadline was set */
    int64_t promised;              /* of the ledger of memory, for what has not come or is not made yet */
    int64_t started_ns;

    struct http_head head;
    struct http_headers headers;
    struct buf body;
    size_t body_limit;
    uint64_t dropped;              /* bytes read only to be forgotten */
    struct buf ahead;              /* came while a request was being answered */

    const struct http_req_ops *ops;
    void *ops_ctx;
    struct buf extra;              /* header lines that any answer gets */
};

struct http_server {
    struct loop *loop;
    struct http_limits limits;
    struct http_handler handler;
    void *ctx;
    struct list all;               /* connections that have asked for something */
    struct list quiet;             /* the others, who has been so for longest first: between requests, or in the middle of a head */
    size_t n, nover;
    size_t most;                   /* connections; 0 = no limit */
    struct overload *overload;     /* NULL: nobody counts */
    uint64_t evicted, over, turned_away;
    struct buf stage;              /* of a stream: what was written and has not left … */
    struct http_req *on_stage;     /* … for this one; NULL: nothing is there */
    int64_t said_full_ms;          /* loop time, when that connections are closed as they come was said; 0 = never */
    bool draining;
    http_pass_fn *pass;            /* where connections go that wait for nothing of ours; NULL: they stay */
    void *pass_ctx;
};

void http_req_answered(struct http_req *r);          /* the handler is through with it */
void http_req_die(struct http_req *r, bool reset);
void http_req_watch_writing(struct http_req *r);     /* after each write: is the caller taking it? */
/* server_pass.c */
bool http_req_pass(struct http_req *r);              /* true: it is gone, to another process */

#endif
