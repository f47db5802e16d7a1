/* The walk over a GGUF header, from memory. Oracles: never a read past the end; what it accepts is in bounds; a header that is read stays
 * the same when the file is longer, and with one byte less before the data begins it is refused. */
#include "model/gguf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static bool read_memory(void *ctx, uint64_t at, void *to, size_t n)
{
    const struct str *bytes = ctx;
    must(at <= bytes->n && n <= bytes->n - at);
    memcpy(to, bytes->p + at, n);
    return true;
}

static enum err_code read_head(struct str bytes, uint64_t claimed, struct gguf_head *head, struct err *e)
{
    struct gguf_source source = { read_memory, &bytes, claimed };
    return gguf_read_head(&source, head, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gguf_head head = { 0 }, again = { 0 };
    struct err e = { 0 };
    char *longer = malloc(size + 16);
    if (!longer)
        abort();
    if (size)
        memcpy(longer, data, size);
    memset(longer + size, 0, 16);
    if (read_head(str_make((const char *)data, size), size, &head, &e)) {
        must(e.code == ERR_WEIGHTS_BROKEN && e.text[0]);
    } else {
        must(memchr(head.architecture, 0, sizeof head.architecture) && memchr(head.name, 0, sizeof head.name));
        must(head.version >= 2 && head.version <= 3 && head.context_train >= 0 && head.end >= 24);
        must(!head.tensors || (head.end >= head.data_at && head.data_at >= 24));
        must(read_head(str_make(longer, size + 16), size + 16, &again, NULL) == ERR_OK && again.end == head.end && again.tensor_bytes == head.tensor_bytes);
        if (!head.tensors)
            must(head.end <= size && read_head(str_make(longer, (size_t)head.end - 1), head.end - 1, &again, NULL));
    }
    free(longer);
    return 0;
}
