/* Reads one HTTP/1.x answer out of the bytes of a connection: no sockets, no time. For client.c, the tests and the fuzzer.
 * Strict: what is not plainly one answer is broken. Body bytes are handed on as slices of what was fed; only the head is copied. */
#ifndef HOB_HTTP_CLIENT_ANSWER_H
#define HOB_HTTP_CLIENT_ANSWER_H

#include "base/buf.h"
#include "http/client.h"

#include <llhttp.h>

enum {
    ANSWER_HEAD_BYTES = 64 * 1024, /* names and values of all fields, interim answers and trailers included */
    ANSWER_FIELDS = 128,
    ANSWER_INTERIMS = 8,           /* 1xx answers before the real one */
    ANSWER_DRY_BYTES = 128 * 1024, /* bytes in a row of which none is body: padding without end */
};

enum answer_state {
    ANSWER_READING,
    ANSWER_WHOLE,
    ANSWER_BROKEN,  /* e says why */
    ANSWER_DROPPED, /* answer_drop() was called from inside on_head or on_body */
};

enum answer_framing { FRAMED_BY_LENGTH, FRAMED_BY_CHUNKS, FRAMED_BY_END, FRAMED_WITHOUT_BODY };

struct answer {
    const struct http_call_ops *ops; /* on_head and on_body; on_done is not called from here */
    void *ctx;
    llhttp_t parser;
    struct buf head;                 /* name, value, name, value …: end to end */
    struct http_header *fields;      /* while the head is read only their lengths are right */
    size_t fields_n, fields_room;
    size_t field_bytes, dry_bytes;
    uint64_t body_bytes, length;     /* length: as promised, where framed by it */
    enum answer_framing framing;
    unsigned interims;
    bool to_head;                    /* the request was HEAD */
    bool begun;                      /* a byte has come */
    bool in_value, head_done, dropped;
    struct err *e;                   /* while feeding */
};

void answer_init(struct answer *a); /* once; answer_fini() gives the buffers back */
void answer_fini(struct answer *a);
void answer_begin(struct answer *a, bool to_head, const struct http_call_ops *ops, void *ctx);

/* *behind: bytes after the end of a whole answer. */
enum answer_state answer_feed(struct answer *a, struct str bytes, size_t *behind, struct err *e);
/* The other side has sent its last byte: WHOLE where the body runs to the end, else BROKEN with ERR_UP_RESET. */
enum answer_state answer_end(struct answer *a, struct err *e);
/* No more callbacks. */
void answer_drop(struct answer *a);
/* After WHOLE from answer_feed(): the other side lets the connection live. */
bool answer_keeps_alive(const struct answer *a);

#endif
