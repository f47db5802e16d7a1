/* Embeddings on their way to the caller: gathered from one or several answers (a place takes so many inputs at a time), cut to the asked
 * dimensions, written as numbers or, as the official clients ask by default, as base64 of little-endian float32. */
#ifndef HOB_API_EMBED_H
#define HOB_API_EMBED_H

#include "api/answer.h"

struct embeddings;

struct embeddings_wish {
    bool base64;
    int64_t dimensions;      /* 0 = as many as there are; fewer: cut and brought to length 1 again */
    struct str model;        /* in the answer */
};

struct embeddings *embeddings_new(const struct embeddings_wish *w);
void embeddings_free(struct embeddings *v); /* NULL is fine */
/* The next answer, which must hold `count` embeddings. ERR_UP_GARBLED; ERR_INVALID_REQUEST when more dimensions are asked for than there are. */
enum err_code embeddings_take(struct embeddings *v, yyjson_val *root, size_t count, struct err *e) __attribute__((warn_unused_result));
void embeddings_write(const struct embeddings *v, const struct tokens *t, struct str routing, struct buf *out);

/* Was this answer, which has been taken, sent in another form or length than is asked for? Then it must be written anew. */
bool embeddings_differ(const struct embeddings *v, yyjson_val *root);

#endif
