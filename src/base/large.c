/* Large pages need a place that is a multiple of theirs: a mapping that malloc makes by itself has none, and would get small pages at both ends. */
#include "base/large.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE_BYTES = 2 * 1024 * 1024 }; /* where they are larger (ARM with pages of 16 or 64 KiB) the advice is in vain */

void *large_alloc(size_t n)
{
#ifdef MADV_HUGEPAGE
    if (n >= LARGE_FROM_BYTES && n <= SIZE_MAX / 2) {
        size_t whole = (n + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
        void *p = aligned_alloc(PAGE_BYTES, whole);
        if (p)
            (void)madvise(p, whole, MADV_HUGEPAGE); /* advice: without it all works */
        return p;
    }
#endif
    return malloc(n);
}

bool large_begin(struct buf *b, size_t n)
{
    char *p = large_alloc(n);
    if (!p)
        return false;
    buf_free(b);
    b->p = p;
    b->cap = n;
    return true;
}
