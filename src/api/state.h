/* How this hob is, for another one that has it as a host (`kind: hob`): at the public door and at the admin's. */
#ifndef HOB_API_STATE_H
#define HOB_API_STATE_H

#include "fleet/fleet.h"

/* {"schema":1,"auto":…,"models":[{"name","aliases":[…],"state","queue","wait_ms","context"}],"memory":{"total","used"}}. aliases: all other names that lead
 * to it, roles and tiers too. What nobody knows is null. */
void state_put(struct fleet *f, struct buf *out);

#endif
