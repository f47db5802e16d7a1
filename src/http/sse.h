/* Splits a byte stream into server-sent events (WHATWG HTML, section 9.2): any split of the same bytes gives the same events. LF, CR LF and CR
 * end a line; several data lines are joined with LF; comments are dropped but counted as life. Owns its buffer (<= max_event_bytes);
 * where one read holds whole events their slices point into it, without a copy. Slices die when on_event returns: copy to keep. */
#ifndef HOB_HTTP_SSE_H
#define HOB_HTTP_SSE_H

#include "base/err.h"
#include "base/str.h"

struct sse;
/* event is empty where the stream named none. An event cut off by the end of the stream is never reported. */
typedef void sse_event_fn(void *ctx, struct str event, struct str data);

struct sse *sse_new(size_t max_event_bytes, sse_event_fn *on_event, void *ctx);
/* ERR_UP_GARBLED when an event (its data and its name, with the line at hand) is longer than the maximum; after an error only sse_free()
 * is legal. on_event may call sse_stop(): then no further event is reported and all other bytes are dropped. */
enum err_code sse_feed(struct sse *s, struct str bytes, struct err *e) __attribute__((warn_unused_result));
void sse_stop(struct sse *s);
void sse_free(struct sse *s); /* NULL is fine; from inside on_event too: then it is gone when sse_feed() returns (ERR_OK) */

#endif
