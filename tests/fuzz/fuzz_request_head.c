/* A request's head and chunked body from hostile bytes. The first input byte says where the rest is cut in two: both halves fed one after the other
 * must be understood as the whole is, and what is let in must be as strict as promised, whatever llhttp thought of it. */
#include "http/server_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum err_code rc;
    bool whole;
    size_t used;
    struct buf body;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* In memory of its own, so that nothing can look behind it. */
static enum err_code feed_piece(struct http_head *h, struct outcome *o, struct str bytes, bool body)
{
    struct err e = { 0 };
    size_t used = 0;
    char *copy = malloc(bytes.n ? bytes.n : 1);
    must(copy);
    memcpy(copy, bytes.p ? bytes.p : "", bytes.n);
    if (body)
        o->rc = http_chunks_feed(h, &o->body, 4096, str_make(copy, bytes.n), &used, &o->whole, &e);
    else
        o->rc = http_head_feed(h, str_make(copy, bytes.n), &used, &o->whole, &e);
    free(copy);
    must(used <= bytes.n);
    must(!o->rc || (e.code == o->rc && e.text[0]));
    o->used += used;
    return o->rc;
}

static void feed_all(struct http_head *h, struct outcome *o, struct str bytes, size_t cut, bool body)
{
    size_t first = cut < bytes.n ? cut : bytes.n;
    *o = (struct outcome){ .body = o->body };
    o->body.n = 0;
    if (first && feed_piece(h, o, str_make(bytes.p, first), body))
        return;
    if (!o->whole && first < bytes.n)
        feed_piece(h, o, str_from(bytes, first), body);
}

static void check_slice(const struct http_head *h, struct str s)
{
    must(s.n == 0 || (s.p >= h->bytes.p && s.p + s.n <= h->bytes.p + h->bytes.n));
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        must((c >= ' ' || c == '\t') && c != 0x7f);
    }
}

static void check_admitted(const struct http_head *h)
{
    unsigned lengths = 0, codings = 0, hosts = 0;
    check_slice(h, h->method);
    check_slice(h, h->target);
    must(h->method.n && h->target.n && (h->target.p[0] == '/' || str_eq(h->target, STR("*"))));
    for (size_t i = 0; i < h->n; i++) {
        struct str name = h->fields[i].name, value = h->fields[i].value;
        check_slice(h, name);
        check_slice(h, value);
        must(name.n && !memchr(name.p, ' ', name.n) && !memchr(name.p, ':', name.n));
        must(value.n == 0 || (value.p[0] != ' ' && value.p[value.n - 1] != ' '));
        lengths += str_eq_nocase(name, STR("content-length"));
        codings += str_eq_nocase(name, STR("transfer-encoding"));
        hosts += str_eq_nocase(name, STR("host"));
    }
    must(lengths + codings <= 1 && hosts <= 1 && (hosts == 1 || !h->http11));
    must(h->chunked == (codings == 1) && h->content_length >= 0 && (lengths || h->content_length == 0));
    must(h->n <= h->limits->headers_count);
    must(h->bytes.n <= h->limits->line_bytes + h->limits->headers_bytes + 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_limits small = { .line_bytes = 256, .headers_bytes = 1024, .headers_count = 12 };
    struct http_head a, b;
    struct outcome whole = { 0 }, cut = { 0 };
    if (size == 0)
        return 0;
    struct str bytes = { (const char *)data + 1, size - 1 };
    http_head_init(&a, &small);
    http_head_init(&b, &small);
    feed_all(&a, &whole, bytes, 0, false);
    feed_all(&b, &cut, bytes, data[0], false);
    must(whole.rc == cut.rc && (whole.rc || whole.whole == cut.whole));
    if (whole.whole && !whole.rc) {
        must(whole.used == cut.used && a.n == b.n && str_eq(buf_str(&a.bytes), buf_str(&b.bytes)));
        check_admitted(&a);
        if (a.chunked) {
            struct str rest = str_from(bytes, whole.used);
            feed_all(&a, &whole, rest, 0, true);
            feed_all(&b, &cut, rest, data[0], true);
            must(whole.rc == cut.rc && (whole.rc || whole.whole == cut.whole) && whole.body.n <= 4096);
            must(whole.rc || (whole.used == cut.used && str_eq(buf_str(&whole.body), buf_str(&cut.body))));
        }
    }
    http_head_fini(&a);
    http_head_fini(&b);
    buf_free(&whole.body);
    buf_free(&cut.body);
    return 0;
}
