/* The reader of answers, byte by byte and at every cut: what is accepted, how it is framed, what is refused and with which words. */
#include "http/client_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

struct seen {
    struct answer answer;
    struct buf text;  /* "STATUS content-type [name=value …]" and the body behind a '>' */
    struct err e;
    size_t behind;
    enum answer_state state;
    size_t heads, bodies;
    bool drop_in_head, drop_in_body;
};

static void on_head(void *ctx, const struct http_answer *a)
{
    struct seen *s = ctx;
    s->heads++;
    buf_add_int(&s->text, a->status);
    buf_add_char(&s->text, ' ');
    buf_add(&s->text, a->content_type);
    for (size_t i = 0; i < a->headers.n; i++) {
        const struct http_header *f = &a->headers.at[i];
        buf_printf(&s->text, " %.*s=%.*s", STR_ARG(f->name), STR_ARG(f->value));
    }
    buf_add_char(&s->text, '>');
    if (s->drop_in_head)
        answer_drop(&s->answer);
}

static void on_body(void *ctx, struct str bytes)
{
    struct seen *s = ctx;
    s->bodies++;
    buf_add(&s->text, bytes);
    if (s->drop_in_body)
        answer_drop(&s->answer);
}

static const struct http_call_ops ops = { .on_head = on_head, .on_body = on_body };

/* Feeds a piece from memory of its own, gone afterwards. */
static void feed(struct seen *s, struct str piece)
{
    if (s->state != ANSWER_READING) {
        s->behind += piece.n;
        return;
    }
    char *own = malloc(piece.n ? piece.n : 1);
    assert_non_null(own);
    memcpy(own, piece.p, piece.n);
    s->state = answer_feed(&s->answer, str_make(own, piece.n), &s->behind, &s->e);
    free(own);
}

static void begin(struct seen *s, bool to_head)
{
    *s = (struct seen){ 0 };
    answer_init(&s->answer);
    answer_begin(&s->answer, to_head, &ops, s);
}

static void fini(struct seen *s)
{
    answer_fini(&s->answer);
    buf_free(&s->text);
}

struct row {
    struct str stream;
    const char *want;  /* as on_head and on_body write it; or for BROKEN a part of the sentence */
    enum answer_state state;
    enum err_code code;
    bool keeps;
    size_t behind;
    bool to_head;
};

#define OK_ "HTTP/1.1 200 OK\r\n"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define WHOLE ANSWER_WHOLE, ERR_OK
#define GARBLED ANSWER_BROKEN, ERR_UP_GARBLED
#define RESET ANSWER_BROKEN, ERR_UP_RESET

static const struct row rows[] = {
    { STR(OK_ "Content-Length: 3\r\n\r\nabc"), "200  Content-Length=3>abc", WHOLE, .keeps = true },
    { STR(OK_ "Content-Type: a/b\r\ncontent-type: c/d\r\nContent-Typo: e\r\nX-Seventeen-Bytes: f\r\nContent-Length: 0\r\n\r\n"),
      "200 a/b Content-Type=a/b content-type=c/d Content-Typo=e X-Seventeen-Bytes=f Content-Length=0>", WHOLE, .keeps = true },
    { STR(OK_ "Content-Type: a/b; c=d\r\nX:\r\nY: z \t\r\nContent-Length: 0\r\n\r\n"),
      "200 a/b Content-Type=a/b; c=d X= Y=z Content-Length=0>", WHOLE, .keeps = true },
    { STR("HTTP/1.1 404\r\ncontent-length: 1\r\n\r\nx"), "404  content-length=1>x", WHOLE, .keeps = true },
    { STR(OK_ "Content-Length: 1\r\n\r\nabcd"), "200  Content-Length=1>a", WHOLE, .keeps = true, .behind = 3 },
    { STR(OK_ "Connection: close\r\nContent-Length: 1\r\n\r\na"), "200  Connection=close Content-Length=1>a", WHOLE },
    { STR("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na"), "200  Content-Length=1>a", WHOLE },
    { STR("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na"),
      "200  Connection=keep-alive Content-Length=1>a", WHOLE, .keeps = true },
    { STR(CHUNKED "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"), "200  Transfer-Encoding=chunked>abcd", WHOLE, .keeps = true },
    { STR(CHUNKED "A;n=v\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"), "200  Transfer-Encoding=chunked>0123456789", WHOLE, .keeps = true },
    { STR("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
      "200  Connection=keep-alive Transfer-Encoding=chunked>a", WHOLE },
    { STR(OK_ "\r\nto the end"), "200 >to the end", WHOLE },
    { STR("HTTP/1.0 200 OK\r\n\r\n"), "200 >", WHOLE },
    { STR("HTTP/1.1 204 No Content\r\n\r\n"), "204 >", WHOLE, .keeps = true },
    { STR("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), "304  Content-Length=9>", WHOLE, .keeps = true },
    { STR(OK_ "Content-Length: 9\r\n\r\n"), "200  Content-Length=9>", WHOLE, .keeps = true, .to_head = true },
    { STR(CHUNKED), "200  Transfer-Encoding=chunked>", WHOLE, .keeps = true, .to_head = true },
    { STR("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_ "Content-Length: 1\r\n\r\na"),
      "200  Content-Length=1>a", WHOLE, .keeps = true },
    { STR("HTTP/1.1 102 P\r\nContent-Length: 5\r\nA: b\r\n\r\n" OK_ "Content-Length: 1\r\n\r\na"), "200  Content-Length=1>a", WHOLE,
      .keeps = true },
    /* broken off */
    { STR(""), "before the answer began", RESET },
    { STR("HTTP/1.1 20"), "inside the head", RESET },
    { STR(OK_ "Content-Len"), "inside the head", RESET },
    { STR("HTTP/1.1 100 Continue\r\n\r\n"), "inside the head", RESET },
    { STR(OK_ "Content-Length: 10\r\n\r\nabc"), "after 3 of 10 bytes", RESET },
    { STR(CHUNKED "3\r\nabc\r\n"), "inside a chunked answer, after 3 bytes", RESET },
    { STR(CHUNKED "3\r\nabc\r\n0\r\n"), "inside a chunked answer, after 3 bytes", RESET },
    /* garbage */
    { STR("SSH-2.0-x\r\n"), "does not begin with `HTTP/`", GARBLED },
    { STR("{\"a\": 1}"), "does not begin with `HTTP/`", GARBLED },
    { STR("GET / HTTP/1.1\r\n\r\n"), "does not begin with `HTTP/`", GARBLED },
    { STR("HTTP/1.7 200 OK\r\n"), "a version", GARBLED },
    { STR("HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"), "a version", GARBLED },
    { STR("HTTP/1.1 20x OK\r\n"), "status", GARBLED },
    { STR("HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"), "status", GARBLED },
    { STR("HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n"), "status", GARBLED },
    { STR("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), "does not end in CR LF", GARBLED },
    { STR(OK_ "A: b\r\n c\r\n\r\n"), "malformed header", GARBLED },
    { STR(OK_ ": b\r\n\r\n"), "malformed header", GARBLED },
    { STR(OK_ "A : b\r\n\r\n"), "malformed header", GARBLED },
    { STR(OK_ "A: b\0c\r\n\r\n"), "malformed header", GARBLED },
    { STR(OK_ "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "two Content-Length", GARBLED },
    { STR(OK_ "Content-Length: +1\r\n\r\na"), "a Content-Length that is no number", GARBLED },
    { STR(OK_ "Content-Length: 1, 1\r\n\r\na"), "a Content-Length that is no number", GARBLED },
    { STR(OK_ "Content-Length:\r\n\r\na"), "a Content-Length that is no number", GARBLED },
    { STR(OK_ "Content-Length: 99999999999999999999\r\n\r\na"), "a Content-Length that is no number", GARBLED },
    { STR(OK_ "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), "both Content-Length and", GARBLED },
    { STR(OK_ "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"), "both Content-Length and", GARBLED },
    { STR(OK_ "Transfer-Encoding: gzip, chunked\r\n\r\n"), "other than `chunked`", GARBLED },
    { STR(OK_ "Transfer-Encoding: identity\r\n\r\n"), "other than `chunked`", GARBLED },
    { STR(OK_ "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), "other than `chunked`", GARBLED },
    { STR(CHUNKED "zz\r\n"), "a chunk size", GARBLED },
    { STR(CHUNKED "\r\n"), "a chunk size", GARBLED },
    { STR(CHUNKED "11111111111111111\r\n"), "a chunk size", GARBLED },
    { STR(CHUNKED "1\r\nabc"), "a chunk does not end", GARBLED },
    { STR("HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), "switches protocols", GARBLED },
    { STR("HTTP/1.1 101 S\r\n\r\n"), "switches protocols", GARBLED },
};

static void check(const struct row *r, struct seen *s, size_t a, size_t b)
{
    const char *said = "";
    if (s->state == ANSWER_READING)
        s->state = answer_end(&s->answer, &s->e);
    buf_add_char(&s->text, 0);
    if (s->state != r->state)
        said = "state";
    else if (s->state == ANSWER_BROKEN && (s->e.code != r->code || !strstr(s->e.text, r->want)))
        said = "error";
    else if (s->state == ANSWER_WHOLE && strcmp(s->text.p, r->want))
        said = "text";
    else if (s->state == ANSWER_WHOLE && s->behind != r->behind)
        said = "behind";
    if (*said)
        fail_msg("%s of \"%.*s\" cut at %zu and %zu: state %d, \"%s\", error \"%s\"", said, STR_ARG(r->stream), a, b, (int)s->state, s->text.p,
            s->e.text);
}

static void test_any_cut_gives_the_same_answer(void **state)
{
    for (const struct row *r = rows; r < rows + COUNTOF(rows); r++) {
        for (size_t a = 0; a <= r->stream.n; a++) {
            for (size_t b = a; b <= r->stream.n; b++) {
                struct seen s;
                begin(&s, r->to_head);
                feed(&s, str_make(r->stream.p, a));
                feed(&s, str_make(r->stream.p + a, b - a));
                feed(&s, str_make(r->stream.p + b, r->stream.n - b));
                if (s.state == ANSWER_WHOLE)
                    assert_int_equal(answer_keeps_alive(&s.answer), r->keeps);
                check(r, &s, a, b);
                fini(&s);
            }
        }
    }
}

static void test_byte_by_byte_it_is_the_same_too(void **state)
{
    for (const struct row *r = rows; r < rows + COUNTOF(rows); r++) {
        struct seen s;
        begin(&s, r->to_head);
        for (size_t i = 0; i < r->stream.n; i++)
            feed(&s, str_make(r->stream.p + i, 1));
        check(r, &s, 1, 2);
        fini(&s);
    }
}

static void test_one_reader_reads_many_answers(void **state)
{
    struct seen s;
    begin(&s, false);
    for (const struct row *r = rows; r < rows + COUNTOF(rows); r++) {
        s.text.n = 0;
        s.state = ANSWER_READING;
        s.e = (struct err){ 0 };
        answer_begin(&s.answer, r->to_head, &ops, &s);
        feed(&s, r->stream);
        check(r, &s, 0, 0);
    }
    fini(&s);
}

static void test_dropped_inside_a_callback_nothing_follows(void **state)
{
    for (int in_head = 0; in_head < 2; in_head++) {
        struct seen s;
        begin(&s, false);
        *(in_head ? &s.drop_in_head : &s.drop_in_body) = true;
        feed(&s, STR(CHUNKED "1\r\na\r\n1\r\nb\r\n0\r\n\r\n"));
        assert_int_equal(s.state, ANSWER_DROPPED);
        assert_int_equal(s.heads, 1);
        assert_int_equal(s.bodies, in_head ? 0 : 1);
        fini(&s);
    }
}

static void test_body_bytes_are_slices_of_what_was_fed(void **state)
{
    struct seen s;
    begin(&s, false);
    feed(&s, STR(OK_ "Content-Length: 9\r\n\r\nabcdefghi"));
    assert_int_equal(s.bodies, 1);
    fini(&s);
}

/* Endless things, each told by its own limit. `unit` is sent until it is refused. */
static void test_no_flood_is_read_for_ever(void **state)
{
    static const struct {
        struct str start, unit;
        const char *want;
    } floods[] = {
        { STR(""), STR("HTTP/1.1 100 C\r\n\r\n"), "more than 8 interim answers" },
        { STR(""), STR("\r\n"), "without a byte of body" },
        { STR(OK_), STR("A: b\r\n"), "more than 128 header fields" },
        { STR(OK_ "A: "), STR("xxxxxxxxxxxxxxxx"), "bytes of header fields" },
        { STR(OK_), STR("xxxxxxxxxxxxxxxx"), "bytes of header fields" },
        { STR(OK_ "A:"), STR("                "), "without a byte of body" },
        { STR("HTTP/1.1 200 "), STR("xxxxxxxxxxxxxxxx"), "without a byte of body" },
        { STR(CHUNKED "0\r\n"), STR("A: bbbbbbbbbbbbbbb\r\n"), "bytes of header fields" },
        { STR(CHUNKED "1;"), STR("xxxxxxxxxxxxxxxx"), "without a byte of body" },
    };
    for (size_t i = 0; i < COUNTOF(floods); i++) {
        struct seen s;
        size_t sent = 0;
        begin(&s, false);
        for (feed(&s, floods[i].start); s.state == ANSWER_READING && sent < MIB; sent += floods[i].unit.n)
            feed(&s, floods[i].unit);
        assert_int_equal(s.state, ANSWER_BROKEN);
        assert_int_equal(s.e.code, ERR_UP_GARBLED);
        if (!strstr(s.e.text, floods[i].want))
            fail_msg("flood %zu: \"%s\"", i, s.e.text);
        assert_true(s.answer.head.cap <= 2 * ANSWER_HEAD_BYTES);
        fini(&s);
    }
}

static void test_a_large_head_within_the_limit_is_read(void **state)
{
    struct seen s;
    begin(&s, false);
    feed(&s, STR(OK_ "A: "));
    for (int i = 0; i < 60; i++)
        feed(&s, STR("0123456789012345678901234567890123456789012345678901234567890123"
                     "0123456789012345678901234567890123456789012345678901234567890123"));
    feed(&s, STR("\r\nContent-Length: 1\r\n\r\nx"));
    assert_int_equal(s.state, ANSWER_WHOLE);
    assert_int_equal(s.heads, 1);
    fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_cut_gives_the_same_answer),
        cmocka_unit_test(test_byte_by_byte_it_is_the_same_too),
        cmocka_unit_test(test_one_reader_reads_many_answers),
        cmocka_unit_test(test_dropped_inside_a_callback_nothing_follows),
        cmocka_unit_test(test_body_bytes_are_slices_of_what_was_fed),
        cmocka_unit_test(test_no_flood_is_read_for_ever),
        cmocka_unit_test(test_a_large_head_within_the_limit_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
