/* Memory for megabytes that will be written soon and whole: a request's body, the tree of one.
 *
 * A page of 4 KiB costs a fault when it is first touched, and three quarters of what an 8 MB body cost were those (2,000 of them, 4 us each where a
 * hypervisor is in between). So a large block asks for large pages, which Linux gives on request: 4 faults, 0.9 ms instead of 8. It is a mapping of its own,
 * and the system's again when it is free. What of it was not touched costs nothing; what was counts in steps of 2 MiB, so less than LARGE_FROM_BYTES is
 * malloc()'s. Where there are no such pages (`transparent_hugepage/enabled` is `never`; macOS) it is memory as any. */
#ifndef HOB_BASE_LARGE_H
#define HOB_BASE_LARGE_H

#include "base/buf.h"

enum { LARGE_FROM_BYTES = 512 * 1024 };

/* As malloc(), for free() and realloc(), which copies it. NULL when there is none to be had. Any thread. */
void *large_alloc(size_t n) __attribute__((malloc, warn_unused_result));

/* An empty buffer gets room for n bytes at once. False, and nothing is changed: there is none to be had. */
bool large_begin(struct buf *b, size_t n) __attribute__((warn_unused_result));

#endif
