/* For tests: the bytes of a GGUF file, written piece by piece. */
#ifndef HOB_TEST_GGUF_BYTES_H
#define HOB_TEST_GGUF_BYTES_H

#include "base/buf.h"
#include "model/gguf.h"

static inline void add_le(struct buf *b, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        buf_add_char(b, (char)(v >> 8 * i));
}

static inline void add_string(struct buf *b, struct str s)
{
    add_le(b, s.n, 8);
    buf_add(b, s);
}

static inline void add_begin(struct buf *b, uint32_t version, uint64_t tensors, uint64_t keys)
{
    buf_lit(b, "GGUF");
    add_le(b, version, 4);
    add_le(b, tensors, 8);
    add_le(b, keys, 8);
}

static inline void add_key(struct buf *b, struct str key, uint32_t type)
{
    add_string(b, key);
    add_le(b, type, 4);
}

static inline void add_text(struct buf *b, struct str key, struct str text)
{
    add_key(b, key, GGUF_STRING);
    add_string(b, text);
}

static inline void add_u32(struct buf *b, struct str key, uint32_t v)
{
    add_key(b, key, GGUF_U32);
    add_le(b, v, 4);
}

static inline void add_tensor(struct buf *b, struct str name, uint32_t type, uint64_t columns, uint64_t rows, uint64_t offset)
{
    add_string(b, name);
    add_le(b, 2, 4);
    add_le(b, columns, 8);
    add_le(b, rows, 8);
    add_le(b, type, 4);
    add_le(b, offset, 8);
}

static inline void add_padding(struct buf *b, size_t to)
{
    while (b->n % to)
        buf_add_char(b, 0);
}

#endif
