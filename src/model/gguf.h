/* The header of a GGUF file, walked without trust: every count and length is held against what is left of the file.
 * Memory is one fixed window, however large the header; a header past GGUF_MAX_HEADER is refused. */
#ifndef HOB_MODEL_GGUF_H
#define HOB_MODEL_GGUF_H

#include "base/err.h"
#include "base/str.h"

enum { GGUF_MAX_HEADER = 1 << 30, GGUF_MAX_KEYS = 1 << 16, GGUF_MAX_TENSORS = 1 << 20 };

/* Where the bytes come from. read: n bytes at `at` (never past size); false: failed, with errno set. */
struct gguf_source {
    bool (*read)(void *ctx, uint64_t at, void *to, size_t n);
    void *ctx;
    uint64_t size;
};

struct gguf_head {
    uint32_t version;
    uint64_t tensors, keys;
    char architecture[64], name[128];
    char type[32];         /* general.type: "model", "adapter", "mmproj" …; "" in older files */
    int64_t context_train;
    uint32_t pooling;      /* how an embedder joins its tokens (1 mean, 2 first, 3 last, 4: a reranker's rank); 0: it is none, or does not say */
    uint32_t split_count;
    bool has_chat_template, unknown_types;
    uint64_t data_at;      /* where the tensors' data begins */
    uint64_t tensor_bytes; /* their sum */
    uint64_t end;          /* where the last tensor ends: the file must be at least so long. May be past source->size: the caller's to check */
};

/* ERR_WEIGHTS_BROKEN (says what is wrong, not in which file), or ERR_SYSTEM when the source fails. On error *out is untouched. */
enum err_code gguf_read_head(const struct gguf_source *source, struct gguf_head *out, struct err *e) __attribute__((warn_unused_result));

/* Bytes of n elements in a row of the given tensor type; false when the type is unknown, n is no multiple of its block, or it overflows. */
bool gguf_type_known(uint32_t type);
bool gguf_row_bytes(uint32_t type, uint64_t n, uint64_t *out);

#endif
