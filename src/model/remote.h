/* A GGUF's header out of a file that lies elsewhere: ranges of it are fetched as they are read, in growing steps from 1 MiB on, no more than the header
 * needs. The server must heed ranges and say how large the file is; one that does not is an error, since the whole file would come. Blocks on the
 * network. */
#ifndef HOB_MODEL_REMOTE_H
#define HOB_MODEL_REMOTE_H

#include "base/log.h"
#include "model/gguf.h"

enum { REMOTE_FIRST_BYTES = 1 << 20, REMOTE_STEP_BYTES = 8 << 20, REMOTE_MAX_BYTES = 128 << 20 };

struct remote;
/* Fetches the beginning. url: as web_url_parse() takes it; token: for its own origin only, empty = none. The errors of web_fetch(); for a status that is
 * no success ERR_UP_AUTH (401, 403), ERR_NOT_FOUND (404), ERR_UP_BUSY, ERR_UP_STATUS, ERR_UP_GARBLED; ERR_UP_GARBLED too when it does not heed ranges. */
enum err_code remote_open(struct str url, struct secret token, int64_t idle_ms, struct remote **out, struct err *e) __attribute__((warn_unused_result));
void remote_close(struct remote *r); /* NULL is fine */

/* For gguf_read(): its read fails with EIO when the network does, and then remote_error() says why. It lives as long as r. */
struct gguf_source remote_source(struct remote *r);
const struct err *remote_error(const struct remote *r); /* NULL: nothing failed */
int64_t remote_fetched_bytes(const struct remote *r);

#endif
