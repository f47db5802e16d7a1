/* The header of a GGUF file, walked without trust: every count and length is held against what is left of the file. What is read lies in the
 * caller's arena, at most GGUF_MAX_MEMORY of it however large the header; texts and arrays that are too long are stepped over, and a header past
 * GGUF_MAX_HEADER is refused. */
#ifndef HOB_MODEL_GGUF_H
#define HOB_MODEL_GGUF_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { GGUF_MAX_HEADER = 1 << 30, GGUF_MAX_KEYS = 1 << 16, GGUF_MAX_TENSORS = 1 << 17, GGUF_MAX_MEMORY = 64 << 20 };
enum {
    GGUF_MAX_NAME = 256,     /* bytes of a key or a tensor's name */
    GGUF_MAX_TEXT = 1 << 20, /* bytes of a text that is kept */
    GGUF_MAX_ITEMS = 1 << 13 /* of an array that is kept: those with an item per layer, not those with one per token */
};

/* Where the bytes come from. read: n bytes at `at` (never past size); false: failed, with errno set. */
struct gguf_source {
    bool (*read)(void *ctx, uint64_t at, void *to, size_t n);
    void *ctx;
    uint64_t size;
};

/* As they are numbered in a file. */
enum gguf_type {
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_STRING, GGUF_ARRAY, GGUF_U64, GGUF_I64, GGUF_F64,
};

struct gguf_value {
    enum gguf_type type;
    enum gguf_type item;     /* of an array */
    uint64_t n;              /* bytes of a string, items of an array */
    int64_t integer;         /* of integers and bools; a u64 above INT64_MAX is INT64_MAX */
    double real;             /* of floats, and of integers and bools once more */
    struct str text;         /* a string as it is in the file, with a NUL behind it; p NULL when it was stepped over */
    const int64_t *integers; /* an array of integers or bools; NULL when it was stepped over or is of another kind */
};

struct gguf_pair {
    struct str key;
    struct gguf_value value;
};

struct gguf_tensor {
    struct str name;         /* empty when it was longer than GGUF_MAX_NAME */
    uint32_t type, dimensions;
    uint64_t size[4];        /* 1 beyond its dimensions; their product fits an int64_t */
    uint64_t at;             /* in the file; may be past its end */
    uint64_t bytes;          /* 0 when the type is unknown */
};

struct gguf {
    uint32_t version;
    const struct gguf_pair *pairs;     /* in the file's order; without those whose key is longer than GGUF_MAX_NAME */
    size_t npairs;
    const struct gguf_tensor *tensors; /* in the file's order */
    size_t ntensors;
    struct str architecture;           /* general.architecture as it is in the file, or "" */
    uint64_t data_at;                  /* where the tensors' data begins */
    uint64_t tensor_bytes;             /* their sum; at least so many when unknown_types */
    uint64_t end;                      /* where the last tensor ends: the file must be at least so long. May be past source->size: the caller's to check */
    bool unknown_types;                /* tensors of a type newer than this program */
};

/* ERR_WEIGHTS_BROKEN (says what is wrong, not in which file), or ERR_SYSTEM when the source fails. On error *out is untouched. */
enum err_code gguf_read(const struct gguf_source *source, struct arena *a, struct gguf *out, struct err *e) __attribute__((warn_unused_result));

/* NULL: it has none. The first when there are several. */
const struct gguf_value *gguf_find(const struct gguf *g, struct str key);
const struct gguf_value *gguf_own(const struct gguf *g, const char *key); /* ARCHITECTURE.key */
int64_t gguf_int(const struct gguf *g, const char *own_key, int64_t otherwise); /* otherwise: there is none, or it is no integer */
struct str gguf_text(const struct gguf *g, struct str key);               /* "": there is none, it is no string or was stepped over */
bool gguf_is_integer(enum gguf_type type);                                /* bool is one */

/* Tensor types (gguf_types.c). Names as ggml has them: "f16", "q4_K"; NULL for one that is not known. */
const char *gguf_type_name(uint32_t tensor_type);
bool gguf_type_known(uint32_t tensor_type);
/* Bytes of n elements in a row of the given tensor type; false when the type is unknown, n is no multiple of its block, or it overflows. */
bool gguf_row_bytes(uint32_t tensor_type, uint64_t n, uint64_t *out);

#endif
