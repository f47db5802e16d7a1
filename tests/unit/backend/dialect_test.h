/* What the tests of dialects share: requests to bodies, and streams, cut in two at every place, to events. */
#ifndef HOB_TESTS_DIALECT_TEST_H
#define HOB_TESTS_DIALECT_TEST_H

#include "backend/dialect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct body_case {
    const char *claim;
    struct dialect_wish wish;
    const char *request;
    const char *body;             /* NULL: refused, with code and param */
    const char *dropped;          /* or the param */
    enum err_code code;
};

static void assert_same(const char *claim, struct str got, const char *want)
{
    if (!str_eq(got, str_of(want)))
        fail_msg("%s\n got: %.*s\nwant: %s", claim, STR_ARG(got), want);
}

/* Read as the gateway reads it: of long texts in messages the tree has the beginning. */
static void check_body(const struct dialect *d, const struct body_case *c)
{
    struct json_doc doc;
    struct buf out = { 0 }, dropped = { 0 };
    struct err e = { 0 };
    assert_int_equal(json_parse_cut(&doc, str_of(c->request), STR("messages"), &e), ERR_OK);
    enum err_code rc = d->write(&doc, &c->wish, &out, &dropped, &e);
    if (c->body) {
        if (rc)
            fail_msg("%s: %s", c->claim, e.text);
        assert_same(c->claim, buf_str(&out), c->body);
        assert_same(c->claim, buf_str(&dropped), c->dropped);
    } else {
        if (rc != c->code || e.code != c->code)
            fail_msg("%s: it should be refused, and %s", c->claim, rc ? e.text : "is not");
        assert_same(c->claim, str_of(e.param), c->dropped);
    }
    json_free(&doc);
    buf_free(&out);
    buf_free(&dropped);
}

struct stream_case {
    const char *claim;
    const char *stream;
    const char *events;           /* a line each */
    enum err_code code;           /* what it ends with */
    const char *text;             /* of the error, a part */
};

static void gather(void *ctx, struct str data)
{
    struct buf *to = ctx;
    buf_add(to, data);
    buf_add_char(to, '\n');
}

/* In memory of its own, as short as it is: reading past it is seen, and so is a slice kept too long. */
static enum err_code feed_piece(const struct dialect *d, struct dialect_reader *r, struct str piece, struct err *e)
{
    char *own = malloc(piece.n ? piece.n : 1);
    assert_non_null(own);
    memcpy(own, piece.n ? piece.p : "", piece.n);
    enum err_code rc = d->feed(r, str_make(own, piece.n), e);
    free(own);
    return rc;
}

static enum { MAX_LINE = 4096 } max_line = MAX_LINE;

static enum err_code read_cut(const struct dialect *d, struct str stream, size_t cut, struct buf *events, struct err *e)
{
    struct dialect_reader *r = d->reader_new(max_line, gather, events);
    enum err_code rc = feed_piece(d, r, str_make(stream.p, cut), e);
    if (!rc)
        rc = feed_piece(d, r, str_from(stream, cut), e);
    if (!rc)
        rc = d->end(r, e);
    d->free(r);
    return rc;
}

static enum err_code read_bytewise(const struct dialect *d, struct str stream, struct buf *events, struct err *e)
{
    struct dialect_reader *r = d->reader_new(max_line, gather, events);
    enum err_code rc = ERR_OK;
    for (size_t i = 0; i < stream.n && !rc; i++)
        rc = feed_piece(d, r, str_make(stream.p + i, 1), e);
    if (!rc)
        rc = d->end(r, e);
    d->free(r);
    return rc;
}

static void compare(const struct stream_case *c, size_t cut, enum err_code rc, const struct err *e, struct buf *events)
{
    if (rc != c->code || (rc && !strstr(e->text, c->text)))
        fail_msg("%s, cut at %zu: ends with %d, %s", c->claim, cut, (int)rc, rc ? e->text : "well");
    assert_same(c->claim, buf_str(events), c->events);
    buf_free(events);
}

static void check_stream(const struct dialect *d, const struct stream_case *c)
{
    struct str stream = str_of(c->stream);
    struct buf events = { 0 };
    struct err e = { 0 };
    for (size_t cut = 0; cut <= stream.n; cut++)
        compare(c, cut, read_cut(d, stream, cut, &events, &e), &e, &events);
    compare(c, stream.n, read_bytewise(d, stream, &events, &e), &e, &events);
}

/* Who stops listening in the middle hears no more, and the rest is no error. */
struct listener {
    const struct dialect *d;
    struct dialect_reader *r;
    size_t heard;
};

static void hear_one(void *ctx, struct str data)
{
    struct listener *l = ctx;
    (void)data;
    l->heard++;
    l->d->stop(l->r);
}

static void check_stop(const struct dialect *d, const char *stream)
{
    struct listener l = { .d = d };
    struct err e;
    l.r = d->reader_new(MAX_LINE, hear_one, &l);
    assert_int_equal(d->feed(l.r, str_of(stream), &e), ERR_OK);
    assert_int_equal(d->feed(l.r, str_of(stream), &e), ERR_OK);
    assert_int_equal(l.heard, 1);
    d->free(l.r);
}

/* A text of n bytes in place of the only @ of form. */
static char *with_long_text(const char *form, size_t n)
{
    const char *at = strchr(form, '@');
    size_t head = (size_t)(at - form), tail = strlen(at + 1);
    char *out = malloc(head + n + tail + 1);
    assert_non_null(out);
    memcpy(out, form, head);
    memset(out + head, 'A', n);
    memcpy(out + head + n, at + 1, tail + 1);
    return out;
}

/* Longer than what the gateway's reading keeps of a text. */
static void check_long_text(const struct dialect *d, const char *request, const char *body)
{
    enum { LONG = 300 * 1024 };
    struct body_case c = { .claim = "a long text is whole", .wish = { .model = STR("x") }, .dropped = "" };
    char *asked = with_long_text(request, LONG), *wanted = with_long_text(body, LONG);
    c.request = asked;
    c.body = wanted;
    check_body(d, &c);
    free(asked);
    free(wanted);
}

#endif
