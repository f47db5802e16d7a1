/* Which architectures an engine build knows, as it answered. 0 and 1 are the answers; who asks is backend/engine.h. */
#ifndef HOB_STORE_PROBES_H
#define HOB_STORE_PROBES_H

#include "store/store.h"

/* Both block: for the pool and for commands. */
/* *answer: -1 = nothing is known of it. */
enum err_code probes_find(struct store *s, struct str engine, struct str architecture, int *answer, struct err *e) __attribute__((warn_unused_result));
enum err_code probes_put(struct store *s, struct str engine, struct str architecture, bool known, struct err *e) __attribute__((warn_unused_result));

#endif
