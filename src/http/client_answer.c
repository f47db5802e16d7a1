/* One answer, by llhttp in strict mode, plus what llhttp leaves open: interim answers, exactly one transfer coding, versions we speak,
 * limits, and sentences for people. */
#include "http/client_answer.h"

#include <stdlib.h>

void answer_init(struct answer *a)
{
    *a = (struct answer){ 0 };
}

void answer_fini(struct answer *a)
{
    buf_free(&a->head);
    free(a->fields);
    a->fields = NULL;
    a->fields_room = 0;
}

void answer_drop(struct answer *a)
{
    a->dropped = true;
}

/* --- the head ------------------------------------------------------------------------------------------------------------- */

static int refuse(struct answer *a, const char *why)
{
    err_set(a->e, ERR_UP_GARBLED, "the answer is not valid HTTP: %s", why);
    return -1;
}

static struct answer *of(llhttp_t *p)
{
    return p->data;
}

static int count_field_bytes(struct answer *a, size_t n)
{
    a->field_bytes += n;
    if (a->field_bytes <= ANSWER_HEAD_BYTES)
        return 0;
    err_set(a->e, ERR_UP_GARBLED, "the answer has more than %d bytes of header fields", ANSWER_HEAD_BYTES);
    return -1;
}

static int open_field(struct answer *a)
{
    if (a->fields_n == ANSWER_FIELDS) {
        err_set(a->e, ERR_UP_GARBLED, "the answer has more than %d header fields", ANSWER_FIELDS);
        return -1;
    }
    if (a->fields_n == a->fields_room) {
        a->fields_room = a->fields_room ? a->fields_room * 2 : 16;
        a->fields = realloc(a->fields, a->fields_room * sizeof *a->fields);
        if (!a->fields)
            die("out of memory: %zu header fields", a->fields_room);
    }
    a->fields[a->fields_n++] = (struct http_header){ 0 };
    a->in_value = false;
    return 0;
}

static int on_field(llhttp_t *p, const char *at, size_t n)
{
    struct answer *a = of(p);
    if (count_field_bytes(a, n))
        return -1;
    if (a->head_done) /* a trailer: nobody asked for one */
        return 0;
    if ((a->fields_n == 0 || a->in_value) && open_field(a))
        return -1;
    buf_add(&a->head, str_make(at, n));
    a->fields[a->fields_n - 1].name.n += n;
    return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
    struct answer *a = of(p);
    if (count_field_bytes(a, n))
        return -1;
    if (a->head_done || a->fields_n == 0)
        return 0;
    a->in_value = true;
    buf_add(&a->head, str_make(at, n));
    a->fields[a->fields_n - 1].value.n += n;
    return 0;
}

/* llhttp also says so for a value of no bytes. */
static int on_value_complete(llhttp_t *p)
{
    of(p)->in_value = true;
    return 0;
}

static struct str trim_end(struct str s)
{
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* The bytes lie end to end in the buffer, which moved while it grew: now it stands still. */
static void place_fields(struct answer *a)
{
    const char *at = a->head.p;
    for (size_t i = 0; i < a->fields_n; i++) {
        struct http_header *f = &a->fields[i];
        f->name.p = at;
        at += f->name.n;
        f->value.p = at;
        at += f->value.n;
        f->value = trim_end(f->value);
    }
}

/* llhttp frames by the last coding of all Transfer-Encoding fields; we asked for none, so anything but one `chunked` would be
 * passed on as if it were text. */
static int check_fields(struct answer *a, struct str *content_type)
{
    bool coded = false;
    for (size_t i = 0; i < a->fields_n; i++) {
        const struct http_header *f = &a->fields[i];
        if (f->name.n == 12 && content_type->n == 0 && str_eq_nocase(f->name, STR("content-type"))) {
            struct str parameters;
            *content_type = trim_end(str_cut(f->value, ';', &parameters));
        } else if (f->name.n == 17 && str_eq_nocase(f->name, STR("transfer-encoding"))) {
            if (coded || !str_eq_nocase(f->value, STR("chunked")))
                return refuse(a, "a Transfer-Encoding other than `chunked`");
            coded = true;
        }
    }
    return 0;
}

static enum answer_framing framing_of(const struct answer *a)
{
    const llhttp_t *p = &a->parser;
    if (a->to_head || p->status_code == 204 || p->status_code == 304)
        return FRAMED_WITHOUT_BODY;
    if (p->flags & F_CHUNKED)
        return FRAMED_BY_CHUNKS;
    return p->flags & F_CONTENT_LENGTH ? FRAMED_BY_LENGTH : FRAMED_BY_END;
}

static int skip_interim(struct answer *a)
{
    if (a->parser.status_code == 101)
        return refuse(a, "it switches protocols, which nobody asked for");
    if (++a->interims > ANSWER_INTERIMS) {
        err_set(a->e, ERR_UP_GARBLED, "more than %d interim answers (1xx) before the real one", ANSWER_INTERIMS);
        return -1;
    }
    a->fields_n = 0;
    a->head.n = 0;
    return 1; /* no body, whatever its fields say */
}

static int on_head_complete(llhttp_t *p)
{
    struct answer *a = of(p);
    if (p->http_major != 1)
        return refuse(a, "a version other than 1.0 and 1.1");
    if (p->status_code < 100 || p->status_code > 599)
        return refuse(a, "a status outside 100 to 599");
    if (p->status_code < 200)
        return skip_interim(a);
    struct http_answer seen = { .status = p->status_code };
    place_fields(a);
    if (check_fields(a, &seen.content_type))
        return -1;
    a->head_done = true;
    a->framing = framing_of(a);
    a->length = p->content_length;
    seen.headers = (struct http_headers){ a->fields, a->fields_n };
    a->ops->on_head(a->ctx, &seen);
    if (a->dropped)
        return -1;
    return a->framing == FRAMED_WITHOUT_BODY ? 1 : 0;
}

/* --- the body and the end ------------------------------------------------------------------------------------------------- */

static int on_body(llhttp_t *p, const char *at, size_t n)
{
    struct answer *a = of(p);
    a->body_bytes += n;
    a->dry_bytes = 0;
    a->ops->on_body(a->ctx, str_make(at, n));
    return a->dropped ? -1 : 0;
}

static int on_complete(llhttp_t *p)
{
    return of(p)->head_done ? HPE_PAUSED : 0; /* stops behind the last byte; an interim answer is no end */
}

static const llhttp_settings_t settings = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_head_complete,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

void answer_begin(struct answer *a, bool to_head, const struct http_call_ops *ops, void *ctx)
{
    enum { KEEP_BYTES = 4 * 1024 };
    struct answer fresh = { .ops = ops, .ctx = ctx, .to_head = to_head };
    buf_reset(&a->head, KEEP_BYTES);
    fresh.head = a->head;
    fresh.fields = a->fields;
    fresh.fields_room = a->fields_room;
    *a = fresh;
    llhttp_init(&a->parser, HTTP_RESPONSE, &settings);
    a->parser.data = a;
}

static const char *broken_line(const struct answer *a)
{
    return a->head_done ? "a chunk does not end where its size says" : "a line of the head does not end in CR LF";
}

static const char *broken_length(const struct answer *a)
{
    return a->parser.flags & F_TRANSFER_ENCODING ? "both Content-Length and Transfer-Encoding" : "a Content-Length that is no number";
}

static const char *what_is_wrong(const struct answer *a, llhttp_errno_t code)
{
    switch ((int)code) {
    case HPE_INVALID_CONSTANT:          return "it does not begin with `HTTP/`";
    case HPE_INVALID_VERSION:           return "a version other than 1.0 and 1.1";
    case HPE_INVALID_STATUS:            return "no status of three digits";
    case HPE_INVALID_HEADER_TOKEN:      return "a malformed header field";
    case HPE_UNEXPECTED_CONTENT_LENGTH: return "two Content-Length fields";
    case HPE_INVALID_CONTENT_LENGTH:    return broken_length(a);
    case HPE_INVALID_TRANSFER_ENCODING: return "both Content-Length and Transfer-Encoding";
    case HPE_INVALID_CHUNK_SIZE:        return "a chunk size that is no number";
    case HPE_CLOSED_CONNECTION:         return "more bytes after an interim answer that closes the connection";
    case HPE_LF_EXPECTED:
    case HPE_CR_EXPECTED:
    case HPE_STRICT:                    return broken_line(a);
    default:                            return llhttp_get_error_reason(&a->parser);
    }
}

/* Our own callbacks have left their sentence already; all others are llhttp's to explain. */
static enum answer_state broken(struct answer *a, llhttp_errno_t code)
{
    if (a->dropped)
        return ANSWER_DROPPED;
    if (a->e->code == ERR_OK)
        refuse(a, what_is_wrong(a, code));
    return ANSWER_BROKEN;
}

enum answer_state answer_feed(struct answer *a, struct str bytes, size_t *behind, struct err *e)
{
    *behind = 0;
    if (bytes.n == 0)
        return ANSWER_READING;
    a->begun = true;
    a->e = e;
    e->code = ERR_OK;
    a->dry_bytes += bytes.n;
    llhttp_errno_t code = llhttp_execute(&a->parser, bytes.p, bytes.n);
    if (code == HPE_PAUSED) {
        *behind = (size_t)(bytes.p + bytes.n - llhttp_get_error_pos(&a->parser));
        return ANSWER_WHOLE;
    }
    if (code != HPE_OK)
        return broken(a, code);
    if (a->dry_bytes > ANSWER_DRY_BYTES) {
        err_set(e, ERR_UP_GARBLED, "more than %d bytes of the answer without a byte of body", ANSWER_DRY_BYTES);
        return ANSWER_BROKEN;
    }
    return ANSWER_READING;
}

enum answer_state answer_end(struct answer *a, struct err *e)
{
    unsigned long long got = a->body_bytes;
    if (!a->begun)
        err_set(e, ERR_UP_RESET, "the connection ended before the answer began");
    else if (!a->head_done)
        err_set(e, ERR_UP_RESET, "the connection ended inside the head of the answer");
    else if (a->framing == FRAMED_BY_LENGTH)
        err_set(e, ERR_UP_RESET, "the connection ended after %llu of %llu bytes of the answer", got, (unsigned long long)a->length);
    else if (a->framing == FRAMED_BY_CHUNKS)
        err_set(e, ERR_UP_RESET, "the connection ended inside a chunked answer, after %llu bytes", got);
    else
        return ANSWER_WHOLE;
    return ANSWER_BROKEN;
}

bool answer_keeps_alive(const struct answer *a)
{
    /* Chunks from a 1.0 server: their framing is not to be trusted for what follows. */
    return llhttp_should_keep_alive(&a->parser) && !(a->parser.http_minor == 0 && (a->parser.flags & F_TRANSFER_ENCODING));
}
