/* The walk over a GGUF header, from memory. Oracles: never a read past the end; what it accepts is in bounds, and every text, array and tensor of it
 * can be walked again and lies in the file as it was read; a header that is read stays the same when the file is longer, and with one byte less
 * before the data begins it is refused. */
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

static enum err_code read_bytes(struct str bytes, struct arena *a, struct gguf *g, struct err *e)
{
    struct gguf_source source = { read_memory, &bytes, bytes.n };
    return gguf_read(&source, a, g, e);
}

/* A text that was kept stands in the file. */
static void walk_text(struct str file, struct str text)
{
    must(text.n == 0 || str_find(file, text) >= 0);
    must(!text.p || text.p[text.n] == 0);
}

static void walk_value(struct str file, const struct gguf_value *v)
{
    volatile int64_t sum = 0;
    must(v->n <= file.n);
    must(!v->text.p || (v->type == GGUF_STRING && v->text.n == v->n && v->n <= GGUF_MAX_TEXT));
    must(!v->integers || (v->type == GGUF_ARRAY && gguf_is_integer(v->item) && v->n <= GGUF_MAX_ITEMS));
    walk_text(file, v->text);
    for (uint64_t i = 0; v->integers && i < v->n; i++) {
        must(v->item != GGUF_BOOL || (v->integers[i] & ~1) == 0);
        sum = sum ^ v->integers[i];
    }
}

static void walk_tensor(struct str file, const struct gguf *g, const struct gguf_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < 4; i++)
        must(!__builtin_mul_overflow(n, t->size[i], &n));
    must(t->dimensions <= 4 && t->at >= g->data_at && t->at <= g->end && t->bytes <= g->end - t->at);
    must(gguf_type_known(t->type) || (g->unknown_types && !t->bytes));
    walk_text(file, t->name);
}

static void walk(struct str file, const struct gguf *g)
{
    must(g->version >= 2 && g->version <= 3 && g->end >= 24 && g->data_at >= 24);
    must(g->npairs * 13 + g->ntensors * 24 + 24 <= file.n);
    walk_text(file, g->architecture);
    for (size_t i = 0; i < g->npairs; i++) {
        must(g->pairs[i].key.p && g->pairs[i].key.n <= GGUF_MAX_NAME && gguf_find(g, g->pairs[i].key));
        walk_text(file, g->pairs[i].key);
        walk_value(file, &g->pairs[i].value);
    }
    for (size_t i = 0; i < g->ntensors; i++)
        walk_tensor(file, g, &g->tensors[i]);
    (void)gguf_int(g, "context_length", 0);
}

static bool same(const struct gguf *a, const struct gguf *b)
{
    return a->end == b->end && a->tensor_bytes == b->tensor_bytes && a->npairs == b->npairs && a->ntensors == b->ntensors && str_eq(a->architecture, b->architecture);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gguf g = { 0 }, again = { 0 };
    struct arena arena;
    struct err e = { 0 };
    struct str file = str_make((const char *)data, size);
    char *longer = malloc(size + 16);
    arena_init(&arena);
    must(longer != NULL);
    if (size)
        memcpy(longer, data, size);
    memset(longer + size, 0, 16);
    if (read_bytes(file, &arena, &g, &e)) {
        must(e.code == ERR_WEIGHTS_BROKEN && e.text[0] && !g.version);
    } else {
        walk(file, &g);
        must(read_bytes(str_make(longer, size + 16), &arena, &again, NULL) == ERR_OK && same(&g, &again));
        if (!g.ntensors)
            must(g.end <= size && read_bytes(str_make(longer, (size_t)g.end - 1), &arena, &again, NULL));
    }
    arena_fini(&arena);
    free(longer);
    return 0;
}
