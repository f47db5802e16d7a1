/* Request memory. Built with -Darena=malloc each allocation is a malloc of its own, so that the sanitizers see every overrun. */
#include "base/arena.h"

#include "base/err.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef HOB_ARENA_MALLOC
enum { EACH_ITS_OWN = true };
#else
enum { EACH_ITS_OWN = false };
#endif
enum { BLOCK_BYTES = 4096 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* of data */
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *a)
{
    *a = (struct arena){ 0 };
}

/* At least n bytes; for EACH_ITS_OWN no more than that, as one byte behind them must be nobody's. */
static void grow(struct arena *a, size_t n)
{
    enum { SHARED = BLOCK_BYTES - sizeof(struct arena_block) };
    size_t size = EACH_ITS_OWN || n > SHARED ? n : SHARED;
    struct arena_block *b = malloc(sizeof *b + size);
    if (!b)
        die("out of memory: %zu bytes for a request", size);
    b->next = a->head;
    b->size = size;
    a->head = b;
    a->at = b->data;
    a->end = b->data + size;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t want = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (want < n)
        die("arena asked for %zu bytes", n);
    if (EACH_ITS_OWN)
        grow(a, n);
    else if ((size_t)(a->end - a->at) < want || !a->head)
        grow(a, want);
    char *p = a->at;
    if (!EACH_ITS_OWN)
        a->at += want;
    memset(p, 0, EACH_ITS_OWN ? n : want);
    return p;
}

static void free_blocks(struct arena_block *b)
{
    while (b) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
}

void arena_reset(struct arena *a)
{
    struct arena_block *b = a->head;
    if (!b)
        return;
    free_blocks(b->next);
    b->next = NULL;
    if (b->size > 4 * BLOCK_BYTES) {
        free(b);
        arena_init(a);
        return;
    }
    a->at = b->data;
    a->end = b->data + b->size;
}

void arena_fini(struct arena *a)
{
    free_blocks(a->head);
    arena_init(a);
}

struct str arena_copy(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return (struct str){ p, s.n };
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    size_t len = n > 0 ? (size_t)n : 0;
    char *p = arena_alloc(a, len + 1);
    vsnprintf(p, len + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return (struct str){ p, len };
}
