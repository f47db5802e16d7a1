/* A growable byte buffer. One that is fed from outside is born with its maximum and answers ERR_TOO_LARGE; what we write
 * ourselves grows freely. Running out of memory on our own small objects is fatal (die()), but see buf_on_no_memory(). */
#ifndef HOB_BASE_BUF_H
#define HOB_BASE_BUF_H

#include "base/err.h"
#include "base/str.h"

#include <stdarg.h>

struct buf {
    char *p;
    size_t n, cap;
    size_t max; /* bytes; 0 = no limit */
};

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){ b->p, b->n };
}

/* For a program that must outlive a moment without memory: it is called when there is none, and says whether to try once more. NULL: die() at once. */
typedef bool buf_no_memory_fn(size_t bytes);
void buf_on_no_memory(buf_no_memory_fn *fn);

void buf_init(struct buf *b, size_t max_bytes);
void buf_free(struct buf *b); /* leaves an empty, usable buffer with the same maximum */

/* Room for n more bytes behind b->n; returns where they start. Ignores the maximum: for our own writing. */
char *buf_reserve(struct buf *b, size_t n);

/* For bytes from outside: ERR_TOO_LARGE (nothing added) past the maximum. */
enum err_code buf_feed(struct buf *b, struct str bytes, struct err *e) __attribute__((warn_unused_result));

/* For our own bytes. */
void buf_add(struct buf *b, struct str bytes);
void buf_add_char(struct buf *b, char c);
void buf_add_int(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Drops n bytes at the front. */
void buf_drop(struct buf *b, size_t n);

/* Empties it; gives memory beyond keep_bytes back. */
void buf_reset(struct buf *b, size_t keep_bytes);

#define buf_lit(b, lit) buf_add((b), STR(lit))

#endif
