/* A chunked body from hostile bytes, behind a head that is fine. The first input byte says where the rest is cut in two.
 * Oracles: however it is cut it is understood alike; and a decoder written from RFC 9112 alone, without extensions and trailers, agrees with what
 * was let in, byte by byte: two readings of one body are what smuggling is made of. */
#include "http/server_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 512 };

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
static void feed_piece(struct http_head *h, struct outcome *o, struct str bytes)
{
    struct err e = { 0 };
    size_t used = 0;
    char *copy = malloc(bytes.n ? bytes.n : 1);
    must(copy);
    memcpy(copy, bytes.p, bytes.n);
    o->rc = http_chunks_feed(h, &o->body, LIMIT, str_make(copy, bytes.n), &used, &o->whole, &e);
    free(copy);
    must(used <= bytes.n && o->body.n <= LIMIT && (!o->rc || (e.code == o->rc && e.text[0])));
    o->used += used;
}

static void read_head(struct http_head *h)
{
    static const char text[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    size_t used;
    bool whole;
    http_head_init(h, &http_limits_default);
    must(!http_head_feed(h, STR(text), &used, &whole, NULL) && whole && h->chunked);
}

static void decode(struct outcome *o, struct str bytes, size_t cut)
{
    struct http_head h;
    read_head(&h);
    *o = (struct outcome){ 0 };
    if (cut < bytes.n)
        feed_piece(&h, o, str_make(bytes.p, cut));
    else
        cut = 0;
    if (!o->rc && !o->whole)
        feed_piece(&h, o, str_from(bytes, cut));
    http_head_fini(&h);
}

/* ---- the same, by the letter ---- */

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum found { FOUND_WHOLE, FOUND_MORE, FOUND_BAD };

static enum found line_end(struct str bytes, size_t *at)
{
    static const char want[2] = { '\r', '\n' };
    for (size_t i = 0; i < 2; i++, ++*at) {
        if (*at == bytes.n)
            return FOUND_MORE;
        if (bytes.p[*at] != want[i])
            return FOUND_BAD;
    }
    return FOUND_WHOLE;
}

static enum found chunk_size(struct str bytes, size_t *at, uint64_t *n)
{
    size_t digits = 0;
    for (*n = 0; *at < bytes.n && hex(bytes.p[*at]) >= 0; ++*at, digits++) {
        if (*n >> 60)
            return FOUND_BAD;
        *n = 16 * *n + (uint64_t)hex(bytes.p[*at]);
    }
    if (*at == bytes.n)
        return FOUND_MORE;
    return digits ? line_end(bytes, at) : FOUND_BAD;
}

static enum found by_the_letter(struct str bytes, struct buf *body, size_t *used)
{
    for (*used = 0;;) {
        uint64_t n;
        enum found f = chunk_size(bytes, used, &n);
        if (!f && n > LIMIT - body->n)
            return FOUND_BAD;
        if (!f && n) {
            size_t there = bytes.n - *used < n ? bytes.n - *used : (size_t)n;
            buf_add(body, str_make(bytes.p + *used, there));
            *used += there;
            if (there < n)
                return FOUND_MORE;
        }
        if (!f)
            f = line_end(bytes, used);
        if (f || !n)
            return f;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct str bytes = { (const char *)data + 1, size - 1 };
    struct outcome whole, cut;
    struct buf body = { 0 };
    size_t used;
    decode(&whole, bytes, bytes.n);
    decode(&cut, bytes, data[0]);
    must(whole.rc == cut.rc && (whole.rc || whole.whole == cut.whole));
    enum found f = by_the_letter(bytes, &body, &used);
    must((!whole.rc && whole.whole) == (f == FOUND_WHOLE)); /* what is wrong may be refused a few bytes later */
    if (!whole.rc && whole.whole)
        must(whole.used == cut.used && whole.used == used && str_eq(buf_str(&whole.body), buf_str(&body)) && str_eq(buf_str(&cut.body), buf_str(&body)));
    buf_free(&whole.body);
    buf_free(&cut.body);
    buf_free(&body);
    return 0;
}
