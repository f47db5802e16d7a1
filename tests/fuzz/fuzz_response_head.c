/* The reader of answers: head, interim answers, all framings. Oracle: the same bytes cut otherwise give the same head, body, verdict and
 * rest; a whole answer that is framed by its length has just that length. First byte: bit 0 = the request was HEAD, the others choose the
 * lengths of the pieces. */
#include "http/client_answer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct buf head, body;
    unsigned heads;
    size_t behind;
    enum answer_state state;
    enum err_code code;
};

static void add_counted(struct buf *b, struct str s)
{
    buf_add_int(b, (int64_t)s.n);
    buf_add_char(b, ':');
    buf_add(b, s);
}

static void on_head(void *ctx, const struct http_answer *a)
{
    struct seen *s = ctx;
    if (s->heads++ || a->status < 200 || a->status > 599 || a->headers.n > ANSWER_FIELDS)
        abort();
    buf_add_int(&s->head, a->status);
    add_counted(&s->head, a->content_type);
    for (size_t i = 0; i < a->headers.n; i++) {
        add_counted(&s->head, a->headers.at[i].name);
        add_counted(&s->head, a->headers.at[i].value);
    }
}

static void on_body(void *ctx, struct str bytes)
{
    struct seen *s = ctx;
    if (s->heads != 1 || bytes.n == 0)
        abort();
    buf_add(&s->body, bytes);
}

static const struct http_call_ops ops = { .on_head = on_head, .on_body = on_body };

static enum answer_state feed_own(struct answer *a, struct str piece, size_t *behind, struct err *e)
{
    char *own = malloc(piece.n);
    if (!own)
        abort();
    memcpy(own, piece.p, piece.n);
    enum answer_state state = answer_feed(a, str_make(own, piece.n), behind, e);
    free(own);
    return state;
}

static void check_end(const struct answer *a, const struct seen *s)
{
    if (s->state != ANSWER_WHOLE)
        return;
    if (s->heads != 1 || (a->framing == FRAMED_BY_LENGTH && s->body.n != a->length) || (a->framing == FRAMED_WITHOUT_BODY && s->body.n))
        abort();
}

static void run_cut(struct seen *s, struct str all, bool to_head, unsigned seed)
{
    struct answer a;
    struct err e = { 0 };
    answer_init(&a);
    answer_begin(&a, to_head, &ops, s);
    s->state = ANSWER_READING;
    while (all.n > 0 && s->state == ANSWER_READING) {
        size_t n = seed ? 1 + seed % 11 : all.n;
        n = n < all.n ? n : all.n;
        s->state = feed_own(&a, str_make(all.p, n), &s->behind, &e);
        all = str_from(all, n);
        s->behind += all.n;
        seed = seed ? seed * 5 % 251 + 1 : 0;
    }
    if (s->state == ANSWER_READING)
        s->state = answer_end(&a, &e);
    s->code = s->state == ANSWER_BROKEN ? e.code : ERR_OK;
    if (s->state != ANSWER_WHOLE)
        s->behind = 0;
    check_end(&a, s);
    answer_fini(&a);
}

static void expect_same(const struct seen *x, const struct seen *y)
{
    if (x->state != y->state || x->code != y->code || x->behind != y->behind || x->heads != y->heads)
        abort();
    if (!str_eq(buf_str(&x->head), buf_str(&y->head)) || !str_eq(buf_str(&x->body), buf_str(&y->body)))
        abort();
}

static void forget(struct seen *s)
{
    buf_free(&s->head);
    buf_free(&s->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct str all = str_make((const char *)data + 1, size - 1);
    bool to_head = data[0] & 1;
    struct seen whole = { 0 }, cut = { 0 }, bytes = { 0 };
    run_cut(&whole, all, to_head, 0);
    run_cut(&cut, all, to_head, 1u + data[0] / 2);
    run_cut(&bytes, all, to_head, 11);
    expect_same(&whole, &cut);
    expect_same(&whole, &bytes);
    forget(&whole);
    forget(&cut);
    forget(&bytes);
    return 0;
}
