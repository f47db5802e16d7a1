/* Each stream of the table is cut at every place and at every pair of places; the events must be the same. Every piece lies in memory of
 * its own that is gone after the feed, so that the sanitizers see a slice that was kept. */
#include "base/buf.h"
#include "http/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

struct seen {
    struct buf text; /* "name|data;" for each event */
    struct sse *sse;
    size_t events, stop_after, free_after;
};

static void note_event(void *ctx, struct str event, struct str data)
{
    struct seen *s = ctx;
    buf_add(&s->text, event);
    buf_add_char(&s->text, '|');
    buf_add(&s->text, data);
    buf_add_char(&s->text, ';');
    s->events++;
    if (s->events == s->stop_after)
        sse_stop(s->sse);
    if (s->events == s->free_after)
        sse_free(s->sse);
}

static enum err_code feed_piece(struct seen *s, struct str piece)
{
    struct err e = { 0 };
    char *own = malloc(piece.n ? piece.n : 1);
    assert_non_null(own);
    memcpy(own, piece.p, piece.n);
    enum err_code rc = sse_feed(s->sse, str_make(own, piece.n), &e);
    free(own);
    return rc;
}

static enum err_code run_cut(struct seen *s, size_t max, struct str all, size_t a, size_t b)
{
    s->sse = sse_new(max, note_event, s);
    enum err_code rc = feed_piece(s, str_make(all.p, a));
    if (!rc)
        rc = feed_piece(s, str_make(all.p + a, b - a));
    if (!rc)
        rc = feed_piece(s, str_make(all.p + b, all.n - b));
    sse_free(s->sse);
    return rc;
}

static void expect(const struct seen *s, struct str stream, struct str want, size_t a, size_t b)
{
    if (str_eq(buf_str(&s->text), want))
        return;
    fail_msg("stream \"%.*s\" cut at %zu and %zu: got \"%.*s\", want \"%.*s\"", STR_ARG(stream), a, b, STR_ARG(buf_str(&s->text)),
        STR_ARG(want));
}

static void try_every_cut(size_t max, struct str stream, struct str want, enum err_code rc_want)
{
    for (size_t a = 0; a <= stream.n; a++) {
        for (size_t b = a; b <= stream.n; b++) {
            struct seen s = { 0 };
            assert_int_equal(run_cut(&s, max, stream, a, b), rc_want);
            expect(&s, stream, want, a, b);
            buf_free(&s.text);
        }
    }
}

static void try_byte_by_byte(size_t max, struct str stream, struct str want, enum err_code rc_want)
{
    struct seen s = { 0 };
    enum err_code rc = ERR_OK;
    s.sse = sse_new(max, note_event, &s);
    for (size_t i = 0; i < stream.n && !rc; i++)
        rc = feed_piece(&s, str_make(stream.p + i, 1));
    assert_int_equal(rc, rc_want);
    expect(&s, stream, want, 1, 2);
    sse_free(s.sse);
    buf_free(&s.text);
}

#define BOM "\xEF\xBB\xBF"

static const struct {
    struct str stream, want;
} streams[] = {
    /* stream                                           events */
    { STR("data: a\n\ndata: b\n\n"),                    STR("|a;|b;") },
    { STR("data: a\r\n\r\ndata: b\r\n\r\n"),            STR("|a;|b;") },
    { STR("data: a\r\rdata: b\r\r"),                    STR("|a;|b;") },
    { STR("data: a\r\n\rdata: b\n\r\n"),                STR("|a;|b;") },
    { STR("data: a\n\r\n\rdata: b\r\r\n"),              STR("|a;|b;") },
    { STR("data:a\n\ndata:  a\n\n"),                    STR("|a;| a;") },
    { STR("data: {\"x\":\"y: z\"}\n\ndata: [DONE]\n\n"), STR("|{\"x\":\"y: z\"};|[DONE];") },
    { STR("data: a\ndata: b\ndata: c\n\n"),             STR("|a\nb\nc;") },
    { STR("data\n\n"),                                  STR("|;") },
    { STR("data:\n\n"),                                 STR("|;") },
    { STR("data\ndata\n\n"),                            STR("|\n;") },
    { STR("data\ndata: x\ndata\n\n"),                   STR("|\nx\n;") },
    { STR("event: e\ndata: a\n\ndata: b\n\n"),          STR("e|a;|b;") },
    { STR("data: a\nevent: e\n\n"),                     STR("e|a;") },
    { STR("event: one\nevent: two\ndata: a\n\n"),       STR("two|a;") },
    { STR("event: e\n\ndata: a\n\n"),                   STR("|a;") },
    { STR("event\ndata: a\n\n"),                        STR("|a;") },
    { STR(": life\n\n:\ndata: a\n: more\ndata: b\n\n:\n"), STR("|a\nb;") },
    { STR("id: 7\nretry: 10\ndata: a\nnonsense: x\nData: y\n data: z\n\n"), STR("|a;") },
    { STR(BOM "data: a\n\n"),                           STR("|a;") },
    { STR(BOM "\ndata: a\n\n"),                         STR("|a;") },
    { STR(BOM BOM "data: a\n\ndata: b\n\n"),            STR("|b;") },
    { STR("data: a\n\n" BOM "data: b\n\n"),             STR("|a;") },
    { STR("data: a"),                                   STR("") },
    { STR("data: a\n"),                                 STR("") },
    { STR("data: a\n\ndata: b\n"),                      STR("|a;") },
    { STR("\n\n\r\n\r\r\n"),                            STR("") },
    { STR(""),                                          STR("") },
    { STR("data: \xC3\xA9\xF0\x9F\x8D\xB2\n\n"),        STR("|\xC3\xA9\xF0\x9F\x8D\xB2;") },
    { STR("data: \xFF\0x\n\n"),                         STR("|\xFF\0x;") },
};

static void test_any_cut_gives_the_same_events(void **state)
{
    for (size_t i = 0; i < COUNTOF(streams); i++) {
        try_every_cut(1024, streams[i].stream, streams[i].want, ERR_OK);
        try_byte_by_byte(1024, streams[i].stream, streams[i].want, ERR_OK);
    }
}

static const struct {
    struct str stream, want;
    enum err_code rc;
} too_long[] = {
    /* with a maximum of 16 */
    { STR("data: 0123456789\n\n"),                     STR("|0123456789;"), ERR_OK },
    { STR("data: 0123456789x\n\n"),                    STR(""),             ERR_UP_GARBLED },
    { STR("data: ok\n\n: 0123456789 0123456789\n\n"),  STR("|ok;"),         ERR_UP_GARBLED },
    { STR("data: 01\ndata: 45678\n\n"),                STR("|01\n45678;"),  ERR_OK },
    { STR("data: 01234\ndata: 456789\n\n"),            STR(""),             ERR_UP_GARBLED },
    { STR("event: 0123\ndata: 0123456\n\n"),           STR(""),             ERR_UP_GARBLED },
    { STR("data: ok\n\n0123456789abcdefX"),            STR("|ok;"),         ERR_UP_GARBLED },
    { STR("data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n"), STR("|1;|2;|3;|4;"), ERR_OK },
};

static void test_too_long_an_event_is_refused_wherever_it_is_cut(void **state)
{
    for (size_t i = 0; i < COUNTOF(too_long); i++) {
        try_every_cut(16, too_long[i].stream, too_long[i].want, too_long[i].rc);
        try_byte_by_byte(16, too_long[i].stream, too_long[i].want, too_long[i].rc);
    }
}

static void test_after_stop_nothing_is_reported(void **state)
{
    struct str stream = STR("data: a\n\ndata: b\n\ndata: c\n\n");
    for (size_t cut = 0; cut <= stream.n; cut++) {
        struct seen s = { .stop_after = 2 };
        assert_int_equal(run_cut(&s, 64, stream, cut, cut), ERR_OK);
        expect(&s, stream, STR("|a;|b;"), cut, cut);
        buf_free(&s.text);
    }
}

static void test_may_be_freed_from_inside_an_event(void **state)
{
    struct seen s = { .free_after = 2 };
    s.sse = sse_new(64, note_event, &s);
    assert_int_equal(feed_piece(&s, STR("data: a\n\ndata: b\n\ndata: c\n\nda")), ERR_OK);
    assert_true(str_eq(buf_str(&s.text), STR("|a;|b;")));
    buf_free(&s.text);
    sse_free(NULL);
}

static void test_an_error_lasts(void **state)
{
    struct err e = { 0 };
    struct seen s = { 0 };
    s.sse = sse_new(8, note_event, &s);
    assert_int_equal(feed_piece(&s, STR("data: 0123456789\n\n")), ERR_UP_GARBLED);
    assert_int_equal(sse_feed(s.sse, STR("\n\ndata: a\n\n"), &e), ERR_UP_GARBLED);
    assert_int_equal(s.events, 0);
    sse_free(s.sse);
    buf_free(&s.text);
}

struct where {
    struct str bytes;
    size_t inside, outside;
};

static void note_where(void *ctx, struct str event, struct str data)
{
    struct where *w = ctx;
    bool inside = data.p >= w->bytes.p && data.p + data.n <= w->bytes.p + w->bytes.n;
    *(inside ? &w->inside : &w->outside) += 1;
}

static void test_whole_events_are_not_copied(void **state)
{
    struct err e = { 0 };
    struct where w = { .bytes = STR("data: a\n\nevent: x\r\ndata: b\r\n\r\n: c\n\ndata: d\n\n") };
    struct sse *s = sse_new(64, note_where, &w);
    assert_int_equal(sse_feed(s, w.bytes, &e), ERR_OK);
    assert_int_equal(w.inside, 3);
    assert_int_equal(w.outside, 0);
    sse_free(s);
}

/* Lines that end in CR alone must not make the search for LF start over each time. */
static void test_many_short_lines_are_quick(void **state)
{
    struct err e = { 0 };
    struct seen seen = { 0 };
    size_t n = 4 * MIB;
    char *all = malloc(n);
    assert_non_null(all);
    memset(all, '\r', n);
    struct sse *s = sse_new(64, note_event, &seen);
    assert_int_equal(sse_feed(s, str_make(all, n), &e), ERR_OK);
    sse_free(s);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_cut_gives_the_same_events),
        cmocka_unit_test(test_too_long_an_event_is_refused_wherever_it_is_cut),
        cmocka_unit_test(test_after_stop_nothing_is_reported),
        cmocka_unit_test(test_may_be_freed_from_inside_an_event),
        cmocka_unit_test(test_an_error_lasts),
        cmocka_unit_test(test_whole_events_are_not_copied),
        cmocka_unit_test(test_many_short_lines_are_quick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
