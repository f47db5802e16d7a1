/* SHA-256 of what goes by, or of a file: by libcrypto, in the module hob-web.so (http/web_module.h), so that the daemon does not carry it. */
#ifndef HOB_MODEL_SHA256_H
#define HOB_MODEL_SHA256_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

enum { SHA256_HEX = 65 };       /* 64 digits and a NUL */

struct sha256;
/* ERR_SYSTEM: no module. */
enum err_code sha256_new(struct sha256 **out, struct err *e) __attribute__((warn_unused_result));
void sha256_feed(struct sha256 *h, struct str bytes);
void sha256_end(struct sha256 *h, char hex[SHA256_HEX]); /* writes lower-case digits and frees it */
void sha256_free(struct sha256 *h);                      /* without a result; NULL is fine */

/* The first `bytes` of an open file, which must be there; -1 = all of it. on_part (may be NULL) hears of what was read now and then; false stops it:
 * ERR_CALLER_GONE. ERR_SYSTEM. Blocks on the disk. */
typedef bool sha256_part_fn(void *ctx, int64_t done_bytes);
enum err_code sha256_feed_fd(struct sha256 *h, int fd, int64_t bytes, sha256_part_fn *on_part, void *ctx, struct err *e)
    __attribute__((warn_unused_result));
/* The whole file at path. ERR_SYSTEM, ERR_CALLER_GONE. */
enum err_code sha256_file(const char *path, char hex[SHA256_HEX], sha256_part_fn *on_part, void *ctx, struct err *e) __attribute__((warn_unused_result));

bool sha256_is_hex(struct str s);                        /* 64 digits, of either case */

#endif
