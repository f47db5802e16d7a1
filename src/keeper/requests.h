/* What the gateway may ask: a row for each word. */
#ifndef HOB_KEEPER_REQUESTS_H
#define HOB_KEEPER_REQUESTS_H

#include "keeper/wire.h"

/* False: not a request of ours, or one that does not hold what its word promises. */
bool request_handle(const struct wire_head *head, struct str body, int64_t now_ms);

/* From now on nothing new is begun: listen and spawn fail. */
void requests_refuse_new(void);

#endif
