/* Values put back into an answer whose request went out with placeholders (policy/redact.h), before anything else reads it. Pure. */
#ifndef HOB_API_MEND_H
#define HOB_API_MEND_H

#include "policy/redact.h"

/* A stream's events. Each text of a choice (content, thoughts, arguments of a call …) is a stream of its own: placeholders come in pieces. */
struct mend;
struct mend *mend_new(const struct redaction *r); /* r outlives it */
void mend_free(struct mend *m);                   /* NULL is fine; not from inside on_event */

typedef void mend_event_fn(void *ctx, struct str data); /* dies on return */
/* One event's data. What was held back and is no placeholder leaves at the latest with the choice's finish_reason, if need be in an event of its
 * own before it. What is no JSON passes as it is. */
void mend_event(struct mend *m, struct str data, mend_event_fn *on_event, void *ctx);

/* A whole answer: all texts of `choices` and `results`; out gets the body again. */
void mend_whole(const struct redaction *r, struct str body, struct buf *out);

#endif
