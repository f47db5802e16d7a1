/* What routing must know of the fleet. */
#ifndef HOB_API_PLACES_H
#define HOB_API_PLACES_H

#include "fleet/fleet.h"
#include "route/snapshot.h"

struct api;

/* Lives until it is asked for again. */
void api_snapshot(struct api *a, struct world *w, struct snapshot *out);

#endif
