/* Inside the dialect of the Messages API: a request's plan, and the file that writes its messages. */
#ifndef HOB_BACKEND_DIALECT_ANTHROPIC_H
#define HOB_BACKEND_DIALECT_ANTHROPIC_H

#include "backend/dialect.h"
#include "backend/dialect_ask.h"

/* `system` and `messages`. ERR_INVALID_REQUEST, ERR_UNSUPPORTED_INPUT. */
enum err_code anthropic_put_messages(const struct dialect_ask *a, struct json_out *o, struct err *e) __attribute__((warn_unused_result));

struct dialect_reader *anthropic_reader_new(size_t max_event_bytes, dialect_event_fn *on_event, void *ctx);
enum err_code anthropic_feed(struct dialect_reader *r, struct str bytes, struct err *e);
enum err_code anthropic_end(struct dialect_reader *r, struct err *e);
void anthropic_stop(struct dialect_reader *r);
void anthropic_free(struct dialect_reader *r);

#endif
