/* The header of a safetensors file: 8 bytes of length, then JSON that says of each tensor its type, its shape and where its bytes are. Read without
 * trust: sizes against types and shapes, no two tensors over each other, no holes, the end of the data against the file. */
#ifndef HOB_MODEL_SAFETENSORS_H
#define HOB_MODEL_SAFETENSORS_H

#include "model/gguf.h"

enum { SAFETENSORS_MAX_HEADER = 32 << 20, SAFETENSORS_MAX_TENSORS = 1 << 18 };

struct safetensor {
    struct str name;
    const char *type;           /* "bf16"; "unknown" */
    uint64_t at, bytes;         /* in the data */
    int64_t elements;           /* of the shape */
};

struct safetensors {
    const struct safetensor *tensors; /* by place */
    size_t n;
    uint64_t data_at;           /* in the file */
    uint64_t bytes;             /* of all tensors */
    bool unknown_types;
};

/* ERR_WEIGHTS_BROKEN (says what is wrong, not in which file), or ERR_SYSTEM when the source fails. On error *out is untouched. */
enum err_code safetensors_read(const struct gguf_source *source, struct arena *a, struct safetensors *out, struct err *e) __attribute__((warn_unused_result));

#endif
