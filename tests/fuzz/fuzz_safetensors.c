/* The header of a safetensors file, from memory. Oracles: never a read past the end; the tensors that are accepted lie one behind the other and fill the
 * file to its last byte; with one byte less or more it is refused. */
#include "model/safetensors.h"

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

static enum err_code read_bytes(struct str bytes, struct arena *a, struct safetensors *out, struct err *e)
{
    struct gguf_source source = { read_memory, &bytes, bytes.n };
    return safetensors_read(&source, a, out, e);
}

static void walk(struct str file, const struct safetensors *s)
{
    uint64_t at = 0;
    must(s->data_at >= 10 && s->data_at <= file.n && s->data_at + s->bytes == file.n);
    for (size_t i = 0; i < s->n; i++) {
        const struct safetensor *t = &s->tensors[i];
        must(t->at == at && t->bytes <= s->bytes - at && t->elements >= 0 && t->type && (!t->name.n || t->name.p[t->name.n] == 0));
        must(s->unknown_types || (t->bytes <= INT64_MAX / 8 && (uint64_t)t->elements <= 8 * t->bytes));
        at += t->bytes;
    }
    must(at == s->bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct safetensors s = { 0 }, again;
    struct arena arena;
    struct err e = { 0 };
    char *longer = malloc(size + 1);
    arena_init(&arena);
    must(longer != NULL);
    if (size)
        memcpy(longer, data, size);
    longer[size] = 0;
    if (read_bytes(str_make((const char *)data, size), &arena, &s, &e)) {
        must(e.code == ERR_WEIGHTS_BROKEN && e.text[0] && !s.tensors);
    } else {
        walk(str_make((const char *)data, size), &s);
        must(read_bytes(str_make(longer, size + 1), &arena, &again, NULL) == ERR_WEIGHTS_BROKEN);
        must(read_bytes(str_make(longer, size - 1), &arena, &again, NULL) == ERR_WEIGHTS_BROKEN);
    }
    arena_fini(&arena);
    free(longer);
    return 0;
}
