/* Answers: a whole one in one writev, a streamed one as a chunk per flush, or per turn of the loop.
 *
 * The head is composed into `text` and leaves together with the first bytes of the body. A stream's bytes are staged, so that however many events
 * one read from a backend brought, the caller gets them as one chunk in one system call. Who flushes when that read has been told need not be come back
 * to at the end of the turn, when with hundreds of streams the processor's cache knows nothing of this one any more. */
#include "http/server_int.h"


enum { STAGE_MAX = 32 * 1024, PIECES_MAX = 16, CHUNK_ROOM = 2 * sizeof(size_t) + 2 };

static const struct str crlf = { "\r\n", 2 };

static bool is_bodyless(const struct http_req *r, int status)
{
    return status == 204 || status == 304 || str_eq(r->head.method, STR("HEAD"));
}

static void write_pieces(struct http_req *r, const struct str *pieces, size_t n)
{
    for (size_t i = 0; i < n; i++)
        r->wrote += pieces[i].n;
    conn_write(r->conn, pieces, n);
    http_req_watch_writing(r);
}

enum { LENGTH_NONE = -1, LENGTH_CHUNKED = -2 };

static void compose_head(struct http_req *r, int status, struct str content_type, struct str headers, int64_t length)
{
    struct buf *b = &r->text;
    b->n = 0;
    buf_reserve(b, 192 + content_type.n + headers.n + r->extra.n);
    buf_lit(b, "HTTP/1.1 ");
    buf_add_int(b, status);
    buf_add_char(b, ' ');
    buf_add(b, str_of(http_reason(status)));
    buf_add(b, crlf);
    if (content_type.n) {
        buf_lit(b, "Content-Type: ");
        buf_add(b, content_type);
        buf_add(b, crlf);
    }
    if (length == LENGTH_CHUNKED) {
        buf_lit(b, "Transfer-Encoding: chunked\r\n");
    } else if (length >= 0) {
        buf_lit(b, "Content-Length: ");
        buf_add_int(b, length);
        buf_add(b, crlf);
    }
    buf_add(b, headers);
    buf_add(b, buf_str(&r->extra));
    if (r->close_after)
        buf_lit(b, "Connection: close\r\n");
    else if (!r->head.http11)
        buf_lit(b, "Connection: keep-alive\r\n");
    buf_add(b, crlf);
}

void http_req_add_headers(struct http_req *r, struct str lines)
{
    buf_add(&r->extra, lines);
}

static void start_answer(struct http_req *r)
{
    if (r->begun || r->state != REQ_HANDLED)
        die("a second answer to one request");
    r->begun = true;
    r->close_after |= r->server->draining;
}

void http_reply(struct http_req *r, int status, struct str content_type, struct str headers, const struct str *body, size_t pieces)
{
    struct str out[1 + PIECES_MAX];
    struct buf joined = { 0 };
    size_t n = 1, total = 0;
    start_answer(r);
    for (size_t i = 0; i < pieces; i++)
        total += body[i].n;
    compose_head(r, status, content_type, headers, status == 204 || status == 304 ? LENGTH_NONE : (int64_t)total);
    if (is_bodyless(r, status))
        pieces = 0;
    if (pieces > PIECES_MAX) { /* more than one writev holds: as one */
        for (size_t i = 0; i < pieces; i++)
            buf_add(&joined, body[i]);
        out[n++] = buf_str(&joined);
    } else {
        for (size_t i = 0; i < pieces; i++)
            out[n++] = body[i];
    }
    out[0] = buf_str(&r->text);
    write_pieces(r, out, n);
    buf_free(&joined);
    r->text.n = 0;
    if (r->server->overload && conn_pending(r->conn))
        overload_landed(r->server->overload, (int64_t)conn_pending(r->conn));
    http_req_answered(r);
}

void http_reply_begin(struct http_req *r, int status, struct str content_type, struct str headers)
{
    start_answer(r);
    r->bodyless = is_bodyless(r, status);
    r->chunked_out = r->head.http11;
    if (!r->head.http11)
        r->close_after = true; /* its end is the end of the connection */
    bool none = status == 204 || status == 304 || !r->head.http11;
    compose_head(r, status, content_type, headers, none ? LENGTH_NONE : LENGTH_CHUNKED);
    loop_later(r->server->loop, &r->turn);
}

/* What is staged of a body has room before it for the line of its chunk, and gets the chunk's end behind it, so that an event leaves as one piece. */
static size_t staged_bytes(const struct http_req *r)
{
    return r->server->on_stage == r ? r->server->stage.n - CHUNK_ROOM : 0;
}

static void send_staged(struct http_req *r, struct str extra, bool over);

/* There is one stage: who comes next makes the former one leave. */
static void stage(struct http_req *r, struct str bytes)
{
    struct http_server *s = r->server;
    if (s->on_stage != r) {
        if (s->on_stage)
            send_staged(s->on_stage, STR(""), false);
        s->stage.n = 0;
        buf_reserve(&s->stage, CHUNK_ROOM + STAGE_MAX + sizeof "\r\n0\r\n\r\n");
        s->stage.n = CHUNK_ROOM;
        s->on_stage = r;
    }
    buf_add(&s->stage, bytes);
}

/* Where the chunk begins, its line written. By hand: it is done for each event of each stream. */
static size_t put_chunk_head(char room[CHUNK_ROOM], size_t bytes)
{
    size_t at = CHUNK_ROOM - 2;
    memcpy(room + at, "\r\n", 2);
    for (; bytes; bytes >>= 4)
        room[--at] = "0123456789abcdef"[bytes & 15];
    return at;
}

/* What waits, and `extra` behind it, as one chunk; then, when it is over, the last one. */
static void send_staged(struct http_req *r, struct str extra, bool over)
{
    static const struct str ends[2][2] = { { { "", 0 }, { "0\r\n\r\n", 5 } }, { { "\r\n", 2 }, { "\r\n0\r\n\r\n", 7 } } }; /* [it has a body][over] */
    struct str out[4];
    struct http_server *s = r->server;
    size_t n = 0, body = staged_bytes(r) + extra.n;
    bool framed = r->chunked_out && !r->bodyless;
    struct str end = framed ? ends[body > 0][over] : STR("");
    if (r->text.n)
        out[n++] = buf_str(&r->text);
    if (body) {
        stage(r, extra.n ? STR("") : end);
        out[n++] = str_from(buf_str(&s->stage), framed ? put_chunk_head(s->stage.p, body) : CHUNK_ROOM);
        out[n++] = extra;
    }
    if (extra.n || !body)
        out[n++] = end;
    if (s->on_stage == r)
        s->on_stage = NULL;
    write_pieces(r, out, n);
    r->text.n = 0;
}

void http_reply_flush(struct http_req *r)
{
    if (!r->begun || r->state != REQ_HANDLED)
        die("a flush of no answer");
    later_cancel(&r->turn);
    if (r->text.n || staged_bytes(r))
        send_staged(r, STR(""), false);
}

void http_reply_write(struct http_req *r, struct str bytes)
{
    if (!r->begun || r->state != REQ_HANDLED)
        die("a body without an answer");
    if (r->bodyless || bytes.n == 0)
        return;
    if (staged_bytes(r) + bytes.n >= STAGE_MAX) {
        send_staged(r, bytes, false);
        return;
    }
    stage(r, bytes);
    loop_later(r->server->loop, &r->turn);
}

size_t http_reply_pending(const struct http_req *r)
{
    return r->text.n + staged_bytes(r) + conn_pending(r->conn);
}

void http_reply_end(struct http_req *r)
{
    if (!r->begun || r->state != REQ_HANDLED)
        die("the end of no answer");
    send_staged(r, STR(""), true);
    http_req_answered(r);
}

/* With chunks the missing last one says it; where the end of the connection is the end of the body only a reset can. */
void http_abort(struct http_req *r)
{
    if (r->state != REQ_HANDLED)
        die("an abort of no request");
    if (r->begun)
        http_reply_flush(r);
    http_req_die(r, r->begun && !r->chunked_out);
}
