/* A request's head, and chunked bodies: what is let in.
 *
 * The head is first collected line by line (which settles line ends and sizes at every split of the bytes), then parsed in one go where it lies, so
 * that every slice points into it. llhttp does the parsing with all its lenient flags off; the rules behind it are those it does not have: one space
 * between the parts of the request line, one valid Host, the plainest form of each framing header, no coding. Whatever two
 * parsers could read differently is refused. A chunked body goes on in the same llhttp, without extensions and trailers. */
#include "http/server_int.h"

#include <stdlib.h>

enum { FIELDS_FIRST = 16, FIELDS_KEPT = 32, KEEP_BYTES = 1024 };

const struct http_limits http_limits_default = {
    .line_bytes = 8 * KIB,
    .headers_bytes = 32 * KIB,
    .headers_count = 100,
    .head_ms = 10000,
    .body_window_ms = 10000,
    .body_window_bytes = 10 * KIB,
    .keep_alive_ms = 60000,
    .write_stall_ms = 30000,
    .linger_ms = 5000,
    .linger_bytes = 64 * MIB,
};

/* Which bytes may stand where: bit 0 in a token (RFC 9110 section 5.6.2), bit 1 in a target, bit 2 in a Host. */
enum { IN_TOKEN = 1, IN_TARGET = 2, IN_HOST = 4 };
static uint8_t byte_class[256];
static llhttp_settings_t settings;

static void mark_bytes(const char *which, uint8_t bit)
{
    for (; *which; which++)
        byte_class[(unsigned char)*which] |= bit;
}

static bool all_in(struct str s, uint8_t bit)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!(byte_class[(unsigned char)s.p[i]] & bit))
            return false;
    }
    return true;
}

/* ---- what llhttp tells ---- */

static int stop(struct http_head *h, enum err_code why)
{
    h->refused = why;
    return HPE_USER;
}

static int on_method(llhttp_t *p, const char *at, size_t n)
{
    struct http_head *h = p->data;
    h->method = str_make(at, n);
    return 0;
}

static int on_url(llhttp_t *p, const char *at, size_t n)
{
    struct http_head *h = p->data;
    h->target = str_make(at, n);
    return 0;
}

static int on_name(llhttp_t *p, const char *at, size_t n)
{
    struct http_head *h = p->data;
    if (h->body)
        return stop(h, ERR_BAD_REQUEST); /* a trailer */
    if (h->in_name) {
        h->fields[h->n - 1].name.n += n;
        return 0;
    }
    if (h->n == h->limits->headers_count)
        return stop(h, ERR_HEADERS_TOO_LARGE);
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : FIELDS_FIRST;
        h->fields = realloc(h->fields, h->cap * sizeof *h->fields);
        if (!h->fields)
            die("out of memory for header fields");
    }
    h->fields[h->n++] = (struct http_header){ .name = { at, n }, .value = { "", 0 } };
    h->in_name = true;
    return 0;
}

static int on_name_end(llhttp_t *p)
{
    ((struct http_head *)p->data)->in_name = false;
    return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
    struct http_head *h = p->data;
    if (h->body || h->n == 0)
        return stop(h, ERR_BAD_REQUEST);
    struct str *value = &h->fields[h->n - 1].value;
    *value = value->n ? str_make(value->p, (size_t)(at + n - value->p)) : str_make(at, n);
    return 0;
}

static int on_head_end(llhttp_t *p)
{
    struct http_head *h = p->data;
    h->whole = true;
    h->flags = p->flags;
    p->upgrade = 0; /* an offer, which a server may pass over: Java's client makes it with every first request */
    return 0;
}

static int on_chunk(llhttp_t *p)
{
    struct http_head *h = p->data;
    return p->content_length > h->body_limit - h->body->n ? stop(h, ERR_TOO_LARGE) : 0;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
    struct http_head *h = p->data;
    if (!h->body)
        return stop(h, ERR_BAD_REQUEST);
    buf_add(h->body, str_make(at, n)); /* on_chunk() has seen that it fits */
    return 0;
}

static int on_extension(llhttp_t *p, const char *at, size_t n)
{
    return stop(p->data, ERR_BAD_REQUEST);
}

static int on_message_end(llhttp_t *p)
{
    struct http_head *h = p->data;
    h->body_whole = true;
    return h->body ? HPE_PAUSED : 0;
}

static void set_up_once(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    mark_bytes("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", IN_TOKEN | IN_HOST);
    mark_bytes("!#$%&'*+-.^_`|~", IN_TOKEN);
    mark_bytes("-._~%!$&'()*+;=", IN_HOST);
    for (int c = 0x21; c < 0x7f; c++) {
        if (c != '#')
            byte_class[c] |= IN_TARGET;
    }
    llhttp_settings_init(&settings);
    settings.on_method = on_method;
    settings.on_url = on_url;
    settings.on_header_field = on_name;
    settings.on_header_field_complete = on_name_end;
    settings.on_header_value = on_value;
    settings.on_headers_complete = on_head_end;
    settings.on_chunk_header = on_chunk;
    settings.on_chunk_extension_name = on_extension;
    settings.on_chunk_extension_value = on_extension;
    settings.on_body = on_body;
    settings.on_message_complete = on_message_end;
}

/* ---- collecting ---- */

void http_head_init(struct http_head *h, const struct http_limits *limits)
{
    set_up_once();
    *h = (struct http_head){ .limits = limits };
}

void http_head_fini(struct http_head *h)
{
    buf_free(&h->bytes);
    free(h->fields);
    h->fields = NULL;
    h->n = h->cap = 0;
}

void http_head_reset(struct http_head *h)
{
    const struct http_limits *limits = h->limits;
    struct buf bytes = h->bytes;
    struct http_header *fields = h->fields;
    size_t cap = h->cap;
    buf_reset(&bytes, KEEP_BYTES);
    if (cap > FIELDS_KEPT) {
        free(fields);
        fields = NULL;
        cap = 0;
    }
    *h = (struct http_head){ .limits = limits, .bytes = bytes, .fields = fields, .cap = cap };
}

static enum err_code too_long(const struct http_head *h, struct err *e)
{
    if (h->lines == 0)
        return err_set(e, ERR_HEADERS_TOO_LARGE, "the request line is longer than %zu bytes", h->limits->line_bytes);
    return err_set(e, ERR_HEADERS_TOO_LARGE, "the headers are longer than %zu bytes", h->limits->headers_bytes);
}

/* More of the current line came, line_n counts it. Before its end is seen one byte may yet turn out to be the CR. */
static bool line_fits(const struct http_head *h, bool ended)
{
    size_t n = h->line_n - (ended || h->line_n == 1 ? 1 : 0);
    if (h->lines == 0)
        return n <= h->limits->line_bytes + (ended ? 0 : 1);
    return n == 0 || h->section_n + n + (ended ? 2 : 0) <= h->limits->headers_bytes;
}

/* Anything else is TLS, most likely, where no line end may ever come. */
static bool may_start(char c)
{
    return c == '\r' || c == '\n' || (byte_class[(unsigned char)c] & IN_TOKEN);
}

static enum err_code is_no_http(struct http_head *h, char first, struct err *e)
{
    h->tongue = first == 0x16 ? TONGUE_TLS : TONGUE_OTHER;
    if (h->tongue == TONGUE_OTHER)
        return err_set(e, ERR_BAD_REQUEST, "this is not HTTP");
    err_set(e, ERR_BAD_REQUEST, "you spoke TLS, and this port speaks plain HTTP");
    return err_hint(e, "Ask it by http://, or put a proxy in front that speaks TLS.");
}

static enum err_code is_http2(struct http_head *h, struct err *e)
{
    h->tongue = TONGUE_HTTP2;
    err_set(e, ERR_BAD_REQUEST, "HTTP/2 is not spoken here");
    return err_hint(e, "Ask with HTTP/1.1.");
}

static enum err_code explain(struct http_head *h, llhttp_errno_t code, struct err *e);

/* Who speaks something else, or HTTP/0.9, may wait for an answer without sending the empty line that ends a head. */
static enum err_code other_tongue(struct http_head *h, struct err *e)
{
    struct str line = buf_str(&h->bytes), rest;
    if (str_eq(line, STR("PRI * HTTP/2.0\r\n")))
        return is_http2(h, e);
    if (str_find(line, STR(" HTTP/")) >= 0)
        return ERR_OK;
    if (str_starts(line, STR("SSH-"))) {
        h->tongue = TONGUE_SSH;
        return err_set(e, ERR_BAD_REQUEST, "you spoke SSH, and this port speaks HTTP");
    }
    if (str_starts(line, STR("PROXY "))) {
        h->tongue = TONGUE_PROXY;
        err_set(e, ERR_BAD_REQUEST, "a PROXY header comes first, and none is taken here");
        return err_hint(e, "Switch it off in the proxy in front (HAProxy: no `send-proxy`).");
    }
    llhttp_init(&h->parser, HTTP_REQUEST, &settings);
    h->parser.data = h;
    llhttp_errno_t code = llhttp_execute(&h->parser, line.p, line.n);
    (void)str_cut(line, ' ', &rest);
    h->tongue = code != HPE_INVALID_METHOD && rest.p ? TONGUE_HTTP09 : TONGUE_OTHER;
    if (h->tongue == TONGUE_OTHER)
        return code == HPE_OK ? err_set(e, ERR_BAD_REQUEST, "this is not HTTP") : explain(h, code, e);
    return err_set(e, ERR_BAD_REQUEST, "a request line without a version: HTTP/0.9 is not spoken here");
}

/* from, at: where the line begins and ends in these bytes; its beginning may have come before. The usual end is known at a glance. */
static enum err_code end_first_line(struct http_head *h, struct str bytes, size_t *from, size_t at, struct err *e)
{
    struct str here = str_make(bytes.p + *from, at - *from);
    if (str_ends(here, STR(" HTTP/1.1\r\n")))
        return ERR_OK;
    buf_add(&h->bytes, here);
    *from = at;
    return other_tongue(h, e);
}

/* Looks for the empty line. *used: bytes looked at; *from: where the head starts in them. */
static enum err_code scan(struct http_head *h, struct str bytes, size_t *from, size_t *used, bool *whole, struct err *e)
{
    size_t at = 0;
    while (at < bytes.n) {
        if (h->lines == 0 && h->line_n == 0 && !may_start(bytes.p[at]))
            return is_no_http(h, bytes.p[at], e);
        const char *lf = memchr(bytes.p + at, '\n', bytes.n - at);
        size_t n = lf ? (size_t)(lf - bytes.p) - at : bytes.n - at;
        if (n)
            h->last = bytes.p[at + n - 1];
        h->line_n += n;
        at += n + (lf ? 1 : 0);
        if (lf && h->last != '\r')
            return err_set(e, ERR_BAD_REQUEST, "a line that does not end in CR LF");
        if (!line_fits(h, lf != NULL))
            return too_long(h, e);
        if (!lf)
            break;
        bool empty = h->line_n == 1;
        h->section_n += h->lines ? h->line_n + 1 : 0;
        h->line_n = 0;
        h->last = '\n';
        if (!empty) {
            enum err_code rc = h->lines++ == 0 ? end_first_line(h, bytes, from, at, e) : ERR_OK;
            if (rc)
                return rc;
        } else if (h->lines) {
            *whole = true;
            break;
        } else if (!h->skipped_empty) {
            h->skipped_empty = true; /* some senders put one behind a body */
            h->bytes.n = 0;
            *from = at;
        } else {
            h->tongue = TONGUE_PROXY;
            return err_set(e, ERR_BAD_REQUEST, "empty lines before the request line, as a PROXY header of version 2 begins; none is taken here");
        }
    }
    *used = at;
    return ERR_OK;
}

/* ---- the rules ---- */

static bool is_known_bad_method(struct str line, struct str *method)
{
    struct str rest;
    *method = str_cut(line, ' ', &rest);
    return rest.p && method->n <= 32 && all_in(*method, IN_TOKEN);
}

static enum err_code explain(struct http_head *h, llhttp_errno_t code, struct err *e)
{
    struct str method;
    if (h->refused == ERR_HEADERS_TOO_LARGE)
        return err_set(e, ERR_HEADERS_TOO_LARGE, "more than %zu header fields", h->limits->headers_count);
    if (h->refused == ERR_TOO_LARGE)
        return err_set(e, ERR_TOO_LARGE, "the body is larger than %zu bytes", h->body_limit);
    if (h->refused)
        return err_set(e, h->refused, "chunk extensions and trailers are not taken");
    if (code == HPE_INVALID_METHOD && is_known_bad_method(buf_str(&h->bytes), &method))
        return err_set(e, ERR_METHOD, "unknown method '%.*s'", STR_ARG(method));
    const char *reason = llhttp_get_error_reason(&h->parser);
    return err_set(e, ERR_BAD_REQUEST, "not HTTP/1.1: %s", reason && *reason ? reason : llhttp_errno_name(code));
}

/* llhttp forgives more than one space; two parsers that split the line differently see two requests. */
static enum err_code check_line(struct http_head *h, struct err *e)
{
    if (!h->method.n || !h->target.n || h->method.p != h->bytes.p || h->target.p != h->method.p + h->method.n + 1)
        return err_set(e, ERR_BAD_REQUEST, "a request line that is not METHOD TARGET VERSION with single spaces");
    const char *end = h->target.p + h->target.n;
    struct str tail = str_make(end, (size_t)(h->bytes.p + h->bytes.n - end));
    if (str_starts(tail, STR(" HTTP/1.1\r\n")))
        h->http11 = true;
    else if (!str_starts(tail, STR(" HTTP/1.0\r\n")))
        return err_set(e, ERR_BAD_REQUEST, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    h->path = str_cut(h->target, '?', &h->query); /* known even to who refuses the rest: a 405 says what is for it */
    if (str_eq(h->method, STR("CONNECT")) || str_eq(h->method, STR("TRACE")))
        return err_set(e, ERR_METHOD, "the method %.*s is not allowed", STR_ARG(h->method));
    if (!str_starts(h->target, STR("/")) && !(str_eq(h->target, STR("*")) && str_eq(h->method, STR("OPTIONS"))))
        return err_set(e, ERR_BAD_REQUEST, "a target that does not start with '/'");
    if (!all_in(h->target, IN_TARGET))
        return err_set(e, ERR_BAD_REQUEST, "a target with a byte that must be percent-encoded");
    return ERR_OK;
}

static bool is_port(struct str s)
{
    int64_t number;
    return s.n <= 5 && (s.n == 0 || str_to_int(s, 0, 65535, &number));
}

static bool host_is_valid(struct str v)
{
    struct str port;
    if (v.n && v.p[0] == '[') {
        struct str inside = str_cut(str_from(v, 1), ']', &port);
        if (!port.p || inside.n < 2)
            return false;
        for (size_t i = 0; i < inside.n; i++) {
            if (inside.p[i] != ':' && !(byte_class[(unsigned char)inside.p[i]] & IN_HOST))
                return false;
        }
        if (port.n == 0)
            return true;
        if (port.p[0] != ':')
            return false;
        port = str_from(port, 1);
    } else {
        struct str name = str_cut(v, ':', &port);
        if (name.n == 0 || !all_in(name, IN_HOST))
            return false;
        if (!port.p)
            return true;
    }
    return is_port(port);
}

static enum err_code take_host(struct http_head *h, struct str v, struct err *e)
{
    return host_is_valid(v) ? ERR_OK : err_set(e, ERR_BAD_REQUEST, "a Host that is not one");
}

static enum err_code take_content_length(struct http_head *h, struct str v, struct err *e)
{
    int64_t n = 0;
    if (v.n == 0 || v.n > 18)
        return err_set(e, ERR_BAD_REQUEST, "a Content-Length that is not a number");
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return err_set(e, ERR_BAD_REQUEST, "a Content-Length that is not a number");
        n = 10 * n + (v.p[i] - '0');
    }
    h->content_length = n;
    return ERR_OK;
}

static enum err_code take_transfer_encoding(struct http_head *h, struct str v, struct err *e)
{
    if (!str_eq_nocase(v, STR("chunked")))
        return err_set(e, ERR_BAD_REQUEST, "a Transfer-Encoding other than chunked");
    h->chunked = true;
    return ERR_OK;
}

static enum err_code take_content_encoding(struct http_head *h, struct str v, struct err *e)
{
    if (str_eq_nocase(v, STR("identity")))
        return ERR_OK;
    return err_set(e, ERR_MEDIA_TYPE, "a body with a Content-Encoding is not taken: send it plain");
}

static enum err_code take_expect(struct http_head *h, struct str v, struct err *e)
{
    if (!str_eq_nocase(v, STR("100-continue")))
        return err_set(e, ERR_EXPECTATION, "an expectation other than 100-continue");
    h->expect_continue = h->http11;
    return ERR_OK;
}

/* Fields that say how the message is framed, or what it is on this hop. Each may come once. */
enum { HOST, CONTENT_LENGTH, TRANSFER_ENCODING, RULES_FRAMING, CONTENT_ENCODING = RULES_FRAMING, EXPECT };
static const struct rule {
    struct str name;
    enum err_code (*take)(struct http_head *h, struct str value, struct err *e);
} rules[] = {
    [HOST]              = { { "Host", 4 },               take_host },
    [CONTENT_LENGTH]    = { { "Content-Length", 14 },    take_content_length },
    [TRANSFER_ENCODING] = { { "Transfer-Encoding", 17 }, take_transfer_encoding },
    [CONTENT_ENCODING]  = { { "Content-Encoding", 16 },  take_content_encoding },
    [EXPECT]            = { { "Expect", 6 },             take_expect },
};

static enum err_code check_fields(struct http_head *h, struct err *e)
{
    struct err first = { 0 }; /* of those that are not about framing: framing errors go first */
    unsigned seen[COUNTOF(rules)] = { 0 };
    for (size_t i = 0; i < h->n; i++) {
        struct http_header *f = &h->fields[i];
        while (f->value.n && (f->value.p[f->value.n - 1] == ' ' || f->value.p[f->value.n - 1] == '\t'))
            f->value.n--;
        for (size_t k = 0; k < COUNTOF(rules); k++) {
            if (f->name.n != rules[k].name.n || !str_eq_nocase(f->name, rules[k].name))
                continue;
            if (seen[k]++)
                return err_set(e, ERR_BAD_REQUEST, "more than one %s", rules[k].name.p);
            struct err own;
            enum err_code rc = rules[k].take(h, f->value, &own);
            if (rc && k < RULES_FRAMING) {
                if (e)
                    *e = own;
                return rc;
            }
            if (rc && !first.code)
                first = own;
        }
    }
    if (h->http11 && !seen[HOST])
        return err_set(e, ERR_BAD_REQUEST, "no Host");
    if (seen[CONTENT_LENGTH] && h->chunked)
        return err_set(e, ERR_BAD_REQUEST, "both Content-Length and Transfer-Encoding");
    if (h->chunked && !h->http11)
        return err_set(e, ERR_BAD_REQUEST, "Transfer-Encoding in HTTP/1.0");
    if (first.code && e)
        *e = first;
    return first.code;
}

static enum err_code parse(struct http_head *h, struct err *e)
{
    llhttp_init(&h->parser, HTTP_REQUEST, &settings);
    h->parser.data = h;
    llhttp_errno_t code = llhttp_execute(&h->parser, h->bytes.p, h->bytes.n);
    if (code != HPE_OK && code != HPE_PAUSED_UPGRADE)
        return explain(h, code, e);
    if (!h->whole) /* PRI * HTTP/2.0, of which more would have to follow */
        return err_set(e, ERR_BAD_REQUEST, "HTTP/2 is not spoken here");
    enum err_code rc = check_line(h, e);
    if (!rc)
        rc = check_fields(h, e);
    bool close = h->flags & F_CONNECTION_CLOSE, keep = h->flags & F_CONNECTION_KEEP_ALIVE;
    h->keep = !close && (h->http11 || keep);
    return rc;
}

enum err_code http_head_feed(struct http_head *h, struct str bytes, size_t *used, bool *whole, struct err *e)
{
    size_t from = 0;
    *whole = false;
    *used = bytes.n;
    enum err_code rc = scan(h, bytes, &from, used, whole, e);
    if (rc)
        return rc;
    buf_add(&h->bytes, str_make(bytes.p + from, *used - from));
    return *whole ? parse(h, e) : ERR_OK;
}

/* ---- chunks ---- */

enum err_code http_chunks_feed(struct http_head *h, struct buf *body, size_t body_limit, struct str bytes, size_t *used, bool *whole,
    struct err *e)
{
    h->body = body;
    h->body_limit = body_limit;
    *used = bytes.n;
    *whole = false;
    llhttp_errno_t code = llhttp_execute(&h->parser, bytes.p, bytes.n);
    if (code == HPE_OK)
        return ERR_OK;
    if (code != HPE_PAUSED || !h->body_whole)
        return explain(h, code, e);
    *used = (size_t)(llhttp_get_error_pos(&h->parser) - bytes.p);
    *whole = true;
    return ERR_OK;
}
