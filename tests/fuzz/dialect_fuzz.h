/* A dialect, both ways. An input that begins with '{' is a request, any other a stream: its first byte says how it is cut.
 * Oracles: what the gateway lets in is written as an object that is streamed, or refused with a word; with the long texts read by their beginning it becomes the
 * same. A stream cut anywhere gives the same events and the same end; they are what relay and collect take, and a stream that ends well is whole for both. */
#ifndef HOB_TESTS_DIALECT_FUZZ_H
#define HOB_TESTS_DIALECT_FUZZ_H

#include "api/answer.h"
#include "backend/dialect.h"
#include "policy/fields.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_LINE = 2048, FUZZ_ANSWER = 64 * 1024 };

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* ---- requests ---- */

static void check_written(struct str body)
{
    struct json_scratch scratch = { 0 };
    struct json_doc d;
    must(json_parse_fast(&d, body, &scratch, NULL) == ERR_OK);
    must(yyjson_is_true(yyjson_obj_get(d.root, "stream")) && yyjson_equals_str(yyjson_obj_get(d.root, "model"), "claude-3-7"));
    json_free(&d);
    json_scratch_free(&scratch);
}

static enum err_code write_parsed(const struct dialect *d, const struct json_doc *doc, struct buf *out, struct err *e)
{
    static const struct dialect_wish wish = { .model = { "claude-3-7", 10 }, .prompt_tokens = 5000, .keep_alive = { "5m", 2 } };
    struct buf dropped = { 0 };
    enum err_code rc = d->write(doc, &wish, out, &dropped, e);
    must(rc == ERR_OK || (e->code == rc && e->text[0]));
    for (size_t i = 0; i < dropped.n; i++)
        must(dropped.p[i] > ' ' && dropped.p[i] < 127);
    if (!rc)
        check_written(buf_str(out));
    buf_free(&dropped);
    return rc;
}

static void try_request(const struct dialect *d, struct str body)
{
    struct json_doc whole, cut;
    struct buf out = { 0 }, same = { 0 };
    struct err e, again;
    if (json_parse(&whole, body, &e))
        return;
    if (!fields_check(whole.root, TASK_CHAT, &e)) {
        enum err_code rc = write_parsed(d, &whole, &out, &e);
        must(json_parse_cut(&cut, body, STR("messages"), &again) == ERR_OK);
        must(write_parsed(d, &cut, &same, &again) == rc);
        must(rc || str_eq(buf_str(&out), buf_str(&same)));
        json_free(&cut);
    }
    json_free(&whole);
    buf_free(&out);
    buf_free(&same);
}

/* ---- streams ---- */

struct ears {
    struct buf events;            /* a line each */
    struct relay relay;
    struct collect *collect;
    struct json_scratch scratch;
    bool done;
};

static void hear(void *ctx, struct str data)
{
    struct ears *h = ctx;
    struct buf out = { 0 };
    struct err e;
    must(!h->done && !memchr(data.p, '\n', data.n));
    buf_add(&h->events, data);
    buf_add_char(&h->events, '\n');
    must(relay_event(&h->relay, data, &out, &e) == ERR_OK);
    if (collect_event(h->collect, data, &e)) /* more than it may hold, or more calls */
        must(e.code == ERR_UP_GARBLED);
    h->done = h->relay.facts.done;
    buf_free(&out);
}

static char *own_copy(struct str s)
{
    char *p = malloc(s.n ? s.n : 1);
    must(p);
    memcpy(p, s.n ? s.p : "", s.n);
    return p;
}

static enum err_code read_stream(const struct dialect *d, struct str stream, size_t step, struct buf *events)
{
    const struct answer_frame f = { .model = STR("m"), .id = STR("req_1"), .created_s = 9, .max_bytes = FUZZ_ANSWER };
    struct ears h = { .done = false };
    struct buf out = { 0 };
    struct err e = { 0 };
    relay_init(&h.relay, &f, &h.scratch);
    h.collect = collect_new(&f, &h.scratch);
    struct dialect_reader *r = d->reader_new(FUZZ_LINE, hear, &h);
    enum err_code rc = ERR_OK;
    for (size_t at = 0; at < stream.n && !rc; at += step) {
        struct str piece = str_make(stream.p + at, stream.n - at < step ? stream.n - at : step);
        char *own = own_copy(piece);
        rc = d->feed(r, str_make(own, piece.n), &e);
        free(own);
    }
    if (!rc)
        rc = d->end(r, &e);
    must(rc == ERR_OK || (e.code == rc && e.text[0]));
    must(rc || (h.done && relay_end(&h.relay, STR(""), &out, &e) == ERR_OK));
    d->free(r);
    relay_free(&h.relay);
    collect_free(h.collect);
    json_scratch_free(&h.scratch);
    buf_free(&out);
    *events = h.events;
    return rc;
}

static void try_stream(const struct dialect *d, size_t step, struct str stream)
{
    struct buf whole, cut;
    enum err_code rc = read_stream(d, stream, stream.n + 1, &whole), again = read_stream(d, stream, step, &cut);
    must(rc == again && str_eq(buf_str(&whole), buf_str(&cut)));
    buf_free(&whole);
    buf_free(&cut);
}

static int fuzz_dialect(const struct dialect *d, const uint8_t *data, size_t size)
{
    if (size && data[0] == '{')
        try_request(d, str_make((const char *)data, size));
    else if (size)
        try_stream(d, data[0] % 32 + 1u, str_make((const char *)data + 1, size - 1));
    return 0;
}

#endif
