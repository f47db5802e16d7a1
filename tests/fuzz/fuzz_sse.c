/* The splitter of events. Oracle: the same bytes cut otherwise give the same events and the same verdict, and no event is longer than its
 * maximum. The first byte of the input chooses the maximum, the second the lengths of the pieces. */
#include "base/buf.h"
#include "http/sse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct buf text;
    size_t max;
};

static void note(void *ctx, struct str event, struct str data)
{
    struct seen *s = ctx;
    if (event.n + data.n > s->max)
        abort();
    buf_add_int(&s->text, (int64_t)event.n);
    buf_add_char(&s->text, ':');
    buf_add(&s->text, event);
    buf_add_int(&s->text, (int64_t)data.n);
    buf_add_char(&s->text, ':');
    buf_add(&s->text, data);
}

/* Each piece in memory of its own, so that a slice kept too long is seen. */
static enum err_code feed_own(struct sse *s, struct str piece)
{
    struct err e;
    char *own = malloc(piece.n);
    if (!own)
        abort();
    memcpy(own, piece.p, piece.n);
    enum err_code rc = sse_feed(s, str_make(own, piece.n), &e);
    free(own);
    return rc;
}

/* seed 0: all at once. */
static enum err_code run_cut(struct seen *seen, struct str all, unsigned seed)
{
    struct sse *s = sse_new(seen->max, note, seen);
    enum err_code rc = ERR_OK;
    while (all.n > 0 && !rc) {
        size_t n = seed ? 1 + seed % 7 : all.n;
        n = n < all.n ? n : all.n;
        rc = feed_own(s, str_make(all.p, n));
        all = str_from(all, n);
        seed = seed ? seed * 5 % 251 + 1 : 0;
    }
    sse_free(s);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct str all = str_make((const char *)data + 2, size - 2);
    struct seen whole = { .max = 8 + data[0] }, cut = whole, bytes = whole;
    enum err_code rc = run_cut(&whole, all, 0);
    if (run_cut(&cut, all, 1u + data[1]) != rc || !str_eq(buf_str(&whole.text), buf_str(&cut.text)))
        abort();
    if (run_cut(&bytes, all, 7) != rc || !str_eq(buf_str(&whole.text), buf_str(&bytes.text)))
        abort();
    buf_free(&whole.text);
    buf_free(&cut.text);
    buf_free(&bytes.text);
    return 0;
}
