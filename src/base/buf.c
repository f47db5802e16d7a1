/* A growable byte buffer: doubling, with an optional maximum for bytes that come from outside. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

static buf_no_memory_fn *no_memory;

void buf_on_no_memory(buf_no_memory_fn *fn)
{
    no_memory = fn;
}

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){ .max = max_bytes };
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){ .max = b->max };
}

static void grow(struct buf *b, size_t n)
{
    size_t need, cap = b->cap ? b->cap : 256;
    if (__builtin_add_overflow(b->n, n, &need))
        die("buffer of %zu bytes asked to grow by %zu", b->n, n);
    while (cap < need)
        cap *= 2;
    char *p;
    while (!(p = realloc(b->p, cap)) && no_memory && no_memory(cap))
        continue;
    if (!p)
        die("out of memory: %zu bytes for a buffer", cap);
    b->p = p;
    b->cap = cap;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (n > b->cap - b->n)
        grow(b, n);
    return b->p + b->n;
}

void buf_add(struct buf *b, struct str bytes)
{
    if (bytes.n == 0)
        return;
    memcpy(buf_reserve(b, bytes.n), bytes.p, bytes.n);
    b->n += bytes.n;
}

void buf_add_char(struct buf *b, char c)
{
    *buf_reserve(b, 1) = c;
    b->n++;
}

void buf_add_int(struct buf *b, int64_t v)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        digits[--at] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    if (v < 0)
        digits[--at] = '-';
    buf_add(b, str_make(digits + at, sizeof digits - at));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n > 0) {
        char *at = buf_reserve(b, (size_t)n + 1); /* vsnprintf wants room for its NUL */
        vsnprintf(at, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
    va_end(ap);
}

enum err_code buf_feed(struct buf *b, struct str bytes, struct err *e)
{
    if (b->max && (bytes.n > b->max || b->n > b->max - bytes.n))
        return err_set(e, ERR_TOO_LARGE, "more than %zu bytes", b->max);
    buf_add(b, bytes);
    return ERR_OK;
}

void buf_drop(struct buf *b, size_t n)
{
    if (n >= b->n) {
        b->n = 0;
        return;
    }
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

void buf_reset(struct buf *b, size_t keep_bytes)
{
    b->n = 0;
    if (b->cap > keep_bytes)
        buf_free(b);
}
