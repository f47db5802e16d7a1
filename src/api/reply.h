/* Answers that are not a model's: JSON bodies, and errors in OpenAI's dialect. For the endpoints here and for the admin door. */
#ifndef HOB_API_REPLY_H
#define HOB_API_REPLY_H

#include "base/buf.h"
#include "http/server.h"
#include "json/json.h"

enum { REQUEST_ID_BYTES = 33 };
void reply_make_id(char out[REQUEST_ID_BYTES]);      /* "req_" and 28 hex digits */

struct tried {                                       /* a place that failed or was passed over, in order */
    struct str model, host;
    enum err_code code;
    bool away;                                       /* nobody could be reached there */
};
void reply_put_tried(struct json_out *o, const struct tried *tried, size_t n); /* as an array, wherever it is told */
/* {"error":{…}}. more: members for it that are this error's own, as JSON: `"path":"$.a","raw":null`; empty = none. */
void reply_error_json(struct buf *out, const struct err *e, struct str request_id, const struct tried *tried, size_t ntried, struct str more);
/* The whole answer to a request that failed, its body given: status, retry hints, Allow for a wrong method unless `headers` has it. `headers` are complete
 * lines to add. */
void reply_refusal(struct http_req *r, const struct err *e, struct str request_id, struct str headers, struct str body);
/* With OpenAI's body, no place having been tried. */
void reply_error(struct http_req *r, const struct err *e, struct str request_id, struct str headers);
void reply_json(struct http_req *r, int status, struct str headers, struct str body);

#endif
