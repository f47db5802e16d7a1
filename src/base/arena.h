/* Memory that lives as long as one request: taken in bumps, never freed singly, all gone at once. */
#ifndef HOB_BASE_ARENA_H
#define HOB_BASE_ARENA_H

#include "base/str.h"

struct arena_block;
struct arena {
    struct arena_block *head; /* newest first */
    char *at, *end;           /* free bytes of the newest block */
};

void arena_init(struct arena *a);
void arena_fini(struct arena *a);

/* Forgets all that was taken, keeps one block for the next user. */
void arena_reset(struct arena *a);

/* n bytes, zeroed, aligned for any object. Never NULL. */
void *arena_alloc(struct arena *a, size_t n);
struct str arena_copy(struct arena *a, struct str s); /* the copy also carries a NUL behind its end */
struct str arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (n)))

#endif
