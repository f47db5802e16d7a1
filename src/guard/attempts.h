/* Requests without a key that opens, by where they come from: a bucket of 20 for each address, refilled by one every 500 ms, in a table of fixed size. Keys are
 * too long to be guessed, so this is no lock (a right key is let in whatever its neighbours do): it keeps a client that is wrong, or wicked, from filling
 * logs and the processor. */
#ifndef HOB_GUARD_ATTEMPTS_H
#define HOB_GUARD_ATTEMPTS_H

#include "base/err.h"

#include <stdint.h>

struct attempts;

enum { ATTEMPTS_BURST = 20, ATTEMPTS_REFILL_MS = 500, PEER_BYTES = 16 };

struct attempts *attempts_new(void);
void attempts_free(struct attempts *a); /* NULL is fine */
/* One more has failed there: *e was why, and stays it, or is ERR_TOO_MANY_ATTEMPTS now, with when to come back. An IPv4 peer is mapped into IPv6, of which the first 64
 * bits count. Returns the code. */
enum err_code attempts_failed(struct attempts *a, const unsigned char peer[PEER_BYTES], int64_t now_ms, struct err *e);

#endif
