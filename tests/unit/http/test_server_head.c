#include "http/server_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define HOST "Host: a\r\n"
#define L(lit) { lit, sizeof(lit) - 1 }

struct parsed {
    enum err_code rc;
    bool whole;
    size_t used;
    char what[400]; /* what was understood, as text: equal for every split */
};

static void describe(struct parsed *out, const struct http_head *h)
{
    struct buf b = { 0 };
    buf_printf(&b, "%.*s %.*s?%.*s 1.%d keep=%d chunked=%d expect=%d length=%lld", STR_ARG(h->method), STR_ARG(h->path), STR_ARG(h->query),
        h->http11, h->keep, h->chunked, h->expect_continue, (long long)h->content_length);
    for (size_t i = 0; i < h->n; i++)
        buf_printf(&b, " [%.*s=%.*s]", STR_ARG(h->fields[i].name), STR_ARG(h->fields[i].value));
    size_t n = b.n < sizeof out->what ? b.n : sizeof out->what - 1;
    memcpy(out->what, b.p, n);
    out->what[n] = 0;
    buf_free(&b);
}

/* The bytes in pieces of `step`, the first of `first` bytes; each piece in memory of its own, so that the sanitizers see a slice that outlives it. */
static struct parsed feed(struct http_head *h, struct str bytes, size_t first, size_t step)
{
    struct parsed out = { 0 };
    struct err e = { 0 };
    http_head_reset(h);
    for (size_t at = 0, n = first; at < bytes.n && !out.rc && !out.whole; at += n, n = step) {
        if (n > bytes.n - at)
            n = bytes.n - at;
        if (n == 0)
            continue;
        char *piece = malloc(n);
        assert_non_null(piece);
        size_t used;
        memcpy(piece, bytes.p + at, n);
        out.rc = http_head_feed(h, str_make(piece, n), &used, &out.whole, &e);
        free(piece);
        out.used += used;
        if (out.rc)
            assert_int_equal(e.code, out.rc);
    }
    if (out.whole && !out.rc)
        describe(&out, h);
    return out;
}

/* The table of framing: what is let in, and what is not. */
static const struct {
    struct str in;
    enum err_code rc;
} cases[] = {
    { L("GET / HTTP/1.1\r\n" HOST "\r\n"), ERR_OK },
    { L("\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), ERR_OK },
    { L("GET /a?b=c&d HTTP/1.1\r\nhost:a\r\nX:\r\nY: \t \r\nZ:  v w \t\r\n\r\n"), ERR_OK },
    { L("GET / HTTP/1.0\r\n\r\n"), ERR_OK },
    { L("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), ERR_OK },
    { L("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"), ERR_OK },
    { L("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), ERR_OK },
    { L("OPTIONS /x HTTP/1.1\r\n" HOST "\r\n"), ERR_OK },
    { L("PATCH /x HTTP/1.1\r\n" HOST "\r\n"), ERR_OK },
    { L("POST /x HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"), ERR_OK },
    { L("POST /x HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"), ERR_OK },
    { L("POST /x HTTP/1.1\r\n" HOST "Content-Length: 5 \r\n\r\nhello"), ERR_OK }, /* trailing space is OWS */
    { L("POST /x HTTP/1.1\r\n" HOST "Content-Length: 007\r\n\r\n"), ERR_OK },
    { L("POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"), ERR_OK },
    { L("POST /x HTTP/1.1\r\n" HOST "transfer-encoding: CHUNKED\r\n\r\n"), ERR_OK },
    { L("POST /x HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"), ERR_OK },
    { L("POST /x HTTP/1.1\r\n" HOST "Content-Encoding: identity\r\n\r\n"), ERR_OK },
    { L("GET / HTTP/1.1\r\nHost: a.b_c-d.example:8080\r\n\r\n"), ERR_OK },
    { L("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"), ERR_OK },
    { L("GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n"), ERR_OK },
    { L("GET / HTTP/1.1\r\nHost: a:\r\n\r\n"), ERR_OK },
    { L("GET / HTTP/1.1\r\n" HOST "X: caf\xc3\xa9\r\n\r\n"), ERR_OK }, /* obs-text */

    /* line ends */
    { L("GET / HTTP/1.1\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: a\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "X: a\r\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("\nGET / HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "X\0: a\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "X: a\v\r\n\r\n"), ERR_BAD_REQUEST },

    /* header fields */
    { L("GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n"), ERR_BAD_REQUEST },  /* obs-fold */
    { L("GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "X:\r\n b\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n " HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "X\t: a\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "X\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "X y: a\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "X(y): a\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "\"X\": a\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "X\xc3\xa9: a\r\n\r\n"), ERR_BAD_REQUEST },

    /* Host */
    { L("GET / HTTP/1.1\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost:\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: me@a\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: []\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: :80\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: caf\xc3\xa9\r\n\r\n"), ERR_BAD_REQUEST },

    /* framing headers */
    { L("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\ncontent-length: 6\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Length: 5 5\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Length: 5.0\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Length: 1e3\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551615\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked,\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \x0b" "chunked\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked;q=1\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n"), ERR_BAD_REQUEST },
    { L("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), ERR_BAD_REQUEST },

    /* request line */
    { L("GET  / HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET /  HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1 \r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L(" GET / HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET /\tHTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/2.0\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.2\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/0.9\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.10\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / http/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / ICE/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / RTSP/1.0\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET /\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / x HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET x HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET ?x HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET * HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("OPTIONS ** HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET http://a/ HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET https://a/ HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET /#x HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET /\x01 HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET /\0 HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET /\x7f HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET /caf\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ERR_BAD_REQUEST },
    { L("G@T / HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD },
    { L("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: a:-0\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\nHost: [::1/]\r\n\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\nExpect: much\r\n\r\n"), ERR_MEDIA_TYPE },
    { L("GET / HTTP/1.1\r\n" HOST "Expect: much\r\nContent-Encoding: gzip\r\n\r\n"), ERR_EXPECTATION },
    { L("\x16\x03\x01\x02\x00\x01\x00"), ERR_BAD_REQUEST }, /* TLS */

    /* others' first lines: no empty line may ever come */
    { L("GET /\r\n"), ERR_BAD_REQUEST },
    { L("PRI * HTTP/2.0\r\n"), ERR_BAD_REQUEST },
    { L("\r\nGET /\r\n"), ERR_BAD_REQUEST },
    { L("GET / ICE/1.1\r\n"), ERR_BAD_REQUEST },
    { L("SSH-2.0-OpenSSH_9.9\r\n"), ERR_BAD_REQUEST },
    { L("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), ERR_BAD_REQUEST },
    { L("\r\n\r\n\0\r\nQUIT\n"), ERR_BAD_REQUEST },
    { L("EHLO localhost\r\n"), ERR_METHOD },

    /* what is not offered */
    { L("POST / HTTP/1.1\r\n" HOST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nContent-Length: 0\r\n\r\n"), ERR_OK },
    { L("CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD },
    { L("TRACE / HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD },
    { L("FOO / HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD },
    { L("get / HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD },
    { L("GETX / HTTP/1.1\r\n" HOST "\r\n"), ERR_METHOD },
    { L("G\x80T / HTTP/1.1\r\n" HOST "\r\n"), ERR_BAD_REQUEST },
    { L("GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), ERR_OK },
    { L("GET / HTTP/1.1\r\n" HOST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n"), ERR_OK },
    { L("GET / HTTP/1.1\r\n" HOST "Upgrade: h2c\r\n\r\n"), ERR_OK },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n"), ERR_MEDIA_TYPE },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Encoding: identity, gzip\r\n\r\n"), ERR_MEDIA_TYPE },
    { L("POST / HTTP/1.1\r\n" HOST "Content-Encoding:\r\n\r\n"), ERR_MEDIA_TYPE },
    { L("POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n"), ERR_EXPECTATION },
    { L("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue, x\r\n\r\n"), ERR_EXPECTATION },
    /* framing goes first */
    { L("POST / HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\nContent-Length: x\r\n\r\n"), ERR_BAD_REQUEST },
};

static void test_the_framing_table_holds_at_every_split(void **state)
{
    struct http_head h;
    size_t wrong = 0;
    http_head_init(&h, &http_limits_default);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct str all = cases[i].in;
        struct parsed want = feed(&h, all, all.n, all.n);
        if (want.rc != cases[i].rc || (!want.rc && !want.whole)) {
            print_error("case %zu: got %s, whole %d: %.*s\n", i, err_row(want.rc)->code, want.whole, STR_ARG(all));
            wrong++;
            continue;
        }
        for (size_t first = 0; first <= all.n; first++) {
            struct parsed two = feed(&h, all, first, all.n), bytes = feed(&h, all, first, 1);
            assert_int_equal(two.rc, want.rc);
            assert_int_equal(bytes.rc, want.rc);
            assert_string_equal(two.what, want.what);
            assert_string_equal(bytes.what, want.what);
            if (!want.rc) {
                assert_int_equal(two.used, want.used);
                assert_int_equal(bytes.used, want.used);
            }
        }
    }
    http_head_fini(&h);
    assert_int_equal(wrong, 0);
}

static void test_what_is_understood(void **state)
{
    static const struct {
        const char *in, *what;
    } understood[] = {
        { "GET /a/b?c=d?e HTTP/1.1\r\nHost: x\r\nA: \t b c \t\r\nEmpty:\r\n\r\n",
            "GET /a/b?c=d?e 1.1 keep=1 chunked=0 expect=0 length=0 [Host=x] [A=b c] [Empty=]" },
        { "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nConnection: foo, Close\r\nExpect: 100-Continue\r\n\r\n",
            "POST /? 1.1 keep=0 chunked=0 expect=1 length=12 [Host=x] [Content-Length=12] [Connection=foo, Close] [Expect=100-Continue]" },
        { "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n",
            "POST /? 1.0 keep=0 chunked=0 expect=0 length=1 [Content-Length=1] [Expect=100-continue]" },
        { "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET /? 1.0 keep=1 chunked=0 expect=0 length=0 [Connection=Keep-Alive]" },
        { "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, close\r\n\r\n",
            "GET /? 1.1 keep=0 chunked=0 expect=0 length=0 [Host=x] [Connection=keep-alive, close]" },
        { "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS *? 1.1 keep=1 chunked=0 expect=0 length=0 [Host=x]" },
    };
    struct http_head h;
    http_head_init(&h, &http_limits_default);
    for (size_t i = 0; i < COUNTOF(understood); i++) {
        struct str in = str_of(understood[i].in);
        struct parsed p = feed(&h, in, in.n, in.n);
        assert_int_equal(p.rc, ERR_OK);
        assert_string_equal(p.what, understood[i].what);
    }
    http_head_fini(&h);
}

static void test_a_refusal_needs_no_place_for_its_words(void **state)
{
    static const struct { struct str in; enum err_code rc; } rows[] = {
        { L("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), ERR_BAD_REQUEST }, { L("GET / HTTP/1.1\r\n" HOST "Expect: much\r\n\r\n"), ERR_EXPECTATION },
    };
    struct http_head h;
    bool whole;
    size_t used;
    http_head_init(&h, &http_limits_default);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        http_head_reset(&h);
        assert_int_equal(http_head_feed(&h, rows[i].in, &used, &whole, NULL), rows[i].rc);
    }
    http_head_fini(&h);
}

static void test_a_head_ends_where_it_ends(void **state)
{
    struct http_head h;
    struct str in = STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbodyGET");
    http_head_init(&h, &http_limits_default);
    struct parsed p = feed(&h, in, in.n, in.n);
    assert_true(p.whole);
    assert_int_equal(p.used, in.n - 7);
    http_head_fini(&h);
}

/* ---- limits: one below, at, one above ---- */

static enum err_code feed_built(const struct http_limits *limits, const struct buf *b)
{
    enum err_code rc = ERR_OK;
    struct http_head h;
    http_head_init(&h, limits);
    size_t steps[] = { b->n, 1, 7 };
    for (size_t i = 0; i < COUNTOF(steps); i++) {
        struct parsed p = feed(&h, buf_str(b), steps[i], steps[i]);
        assert_true(p.rc || p.whole);
        if (i)
            assert_int_equal(p.rc, rc);
        rc = p.rc;
        assert_true(h.bytes.n <= limits->line_bytes + limits->headers_bytes + 4);
    }
    http_head_fini(&h);
    return rc;
}

static void test_limits_at_below_and_above(void **state)
{
    struct http_limits limits = http_limits_default;
    limits.line_bytes = 40;
    limits.headers_bytes = 100;
    limits.headers_count = 5;
    for (int off = -1; off <= 1; off++) {
        enum err_code want = off > 0 ? ERR_HEADERS_TOO_LARGE : ERR_OK;
        struct buf b = { 0 };
        /* "GET /" and " HTTP/1.1" are 14 bytes */
        buf_printf(&b, "GET /%0*d HTTP/1.1\r\n" HOST "\r\n", 40 - 14 + off, 0);
        assert_int_equal(feed_built(&limits, &b), want);
        b.n = 0;
        /* "Host: a" and "X: " with line ends are 9 + 5 bytes */
        buf_printf(&b, "GET / HTTP/1.1\r\n" HOST "X: %0*d\r\n\r\n", 100 - 14 + off, 0);
        assert_int_equal(feed_built(&limits, &b), want);
        b.n = 0;
        buf_printf(&b, "GET / HTTP/1.1\r\n" HOST);
        for (int i = 0; i < 5 - 1 + off; i++)
            buf_printf(&b, "X: y\r\n");
        buf_lit(&b, "\r\n");
        assert_int_equal(feed_built(&limits, &b), want);
        buf_free(&b);
    }
}

static void test_a_line_without_end_is_cut_off_at_its_limit(void **state)
{
    static const char *const starts[] = { "GET /", "GET / HTTP/1.1\r\nHost: a\r\nX: ", "GET / HTTP/1.1\r\n" };
    for (size_t i = 0; i < COUNTOF(starts); i++) {
        struct http_head h;
        struct err e;
        size_t used, fed = 0;
        bool whole;
        http_head_init(&h, &http_limits_default);
        assert_int_equal(http_head_feed(&h, str_of(starts[i]), &used, &whole, &e), ERR_OK);
        enum err_code rc = ERR_OK;
        while (!rc && fed < 100000) {
            rc = http_head_feed(&h, STR("x: yxxxxxx"), &used, &whole, &e);
            fed += 10;
        }
        assert_int_equal(rc, ERR_HEADERS_TOO_LARGE);
        assert_true(fed < (i ? 33000 : 8300));
        http_head_fini(&h);
    }
}

static void test_a_head_can_be_used_again(void **state)
{
    struct http_head h;
    struct buf b = { 0 };
    http_head_init(&h, &http_limits_default);
    buf_lit(&b, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 99; i++)
        buf_printf(&b, "X-%d: %0100d\r\n", i, i);
    buf_lit(&b, "\r\n");
    for (int round = 0; round < 3; round++) {
        assert_int_equal(feed(&h, buf_str(&b), b.n, b.n).rc, ERR_OK);
        assert_int_equal(h.n, 100);
        struct str small = STR("GET / HTTP/1.1\r\n" HOST "\r\n");
        assert_int_equal(feed(&h, small, small.n, small.n).rc, ERR_OK);
        assert_int_equal(h.n, 1);
        assert_int_equal(feed(&h, STR("GET x\n"), 6, 6).rc, ERR_BAD_REQUEST);
    }
    buf_free(&b);
    http_head_fini(&h);
}

/* ---- chunked bodies ---- */

static enum err_code feed_chunks(struct str in, size_t first, size_t step, size_t limit, struct buf *body, size_t *used_all, bool *whole)
{
    struct http_head h;
    struct err e;
    enum err_code rc = ERR_OK;
    struct str head = STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    http_head_init(&h, &http_limits_default);
    assert_int_equal(feed(&h, head, head.n, head.n).rc, ERR_OK);
    *whole = false;
    *used_all = 0;
    body->n = 0;
    for (size_t at = 0, n = first; at < in.n && !rc && !*whole; at += n, n = step) {
        size_t used;
        if (n > in.n - at)
            n = in.n - at;
        if (n == 0)
            continue;
        char *piece = malloc(n);
        assert_non_null(piece);
        memcpy(piece, in.p + at, n);
        rc = http_chunks_feed(&h, body, limit, str_make(piece, n), &used, whole, &e);
        free(piece);
        *used_all += used;
        assert_true(body->n <= limit);
    }
    http_head_fini(&h);
    return rc;
}

static void test_chunked_bodies_at_every_split(void **state)
{
    static const struct {
        struct str in;
        enum err_code rc;
        const char *body;
        size_t rest; /* bytes that belong to what comes next */
    } chunked[] = {
        { L("5\r\nhello\r\n0\r\n\r\n"), ERR_OK, "hello", 0 },
        { L("0\r\n\r\n"), ERR_OK, "", 0 },
        { L("1\r\nh\r\n00004\r\nello\r\n000\r\n\r\nGET "), ERR_OK, "hello", 4 },
        { L("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), ERR_OK, "01234567890123456789", 0 },
        { L("14\r\n01234567890123456789\r\n0\r\n\r\n"), ERR_OK, "01234567890123456789", 0 },
        { L("15\r\n012345678901234567890\r\n0\r\n\r\n"), ERR_TOO_LARGE, NULL, 0 },
        { L("a\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n"), ERR_TOO_LARGE, NULL, 0 },
        { L("ffffffff\r\n"), ERR_TOO_LARGE, NULL, 0 },
        { L("fffffffffffffffff\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("5;x=y\r\nhello\r\n0\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("5;x\r\nhello\r\n0\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("5;\r\nhello\r\n0\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("5 \r\nhello\r\n0\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L(" 5\r\nhello\r\n0\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("0x5\r\nhello\r\n0\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("+5\r\nhello\r\n0\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("-5\r\nhello\r\n0\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("\r\nhello\r\n0\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("5\nhello\r\n0\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("5\rhello\r\n0\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("5\r\nhello\n0\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("5\r\nhelloX\r\n0\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("5\r\nhell\r\n0\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("5\r\nhello0\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("5\r\nhello\r\n0\r\nX: y\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("5\r\nhello\r\n0\n\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("5\r\nhello\r\n0\r\n\n"), ERR_BAD_REQUEST, NULL, 0 },
        { L("5\r\nhello\r\n0\r\nx"), ERR_BAD_REQUEST, NULL, 0 },
    };
    struct buf body = { 0 };
    size_t wrong = 0;
    for (size_t i = 0; i < COUNTOF(chunked); i++) {
        struct str all = chunked[i].in;
        for (size_t first = 0; first <= all.n; first++) {
            size_t steps[] = { all.n, 1 };
            for (size_t k = 0; k < COUNTOF(steps); k++) {
                size_t used;
                bool whole;
                enum err_code rc = feed_chunks(all, first, steps[k], 20, &body, &used, &whole);
                if (rc != chunked[i].rc || whole != !rc) {
                    if (first == 0 && k == 0)
                        print_error("case %zu: %s whole %d: %.*s\n", i, err_row(rc)->code, whole, STR_ARG(all));
                    wrong++;
                } else if (!rc) {
                    assert_true(str_eq(buf_str(&body), str_of(chunked[i].body)));
                    assert_int_equal(all.n - used, chunked[i].rest);
                }
            }
        }
    }
    buf_free(&body);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_framing_table_holds_at_every_split),
        cmocka_unit_test(test_what_is_understood),
        cmocka_unit_test(test_a_refusal_needs_no_place_for_its_words),
        cmocka_unit_test(test_a_head_ends_where_it_ends),
        cmocka_unit_test(test_limits_at_below_and_above),
        cmocka_unit_test(test_a_line_without_end_is_cut_off_at_its_limit),
        cmocka_unit_test(test_a_head_can_be_used_again),
        cmocka_unit_test(test_chunked_bodies_at_every_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
