/* What routing must know of the fleet. */
#ifndef HOB_API_PLACES_H
#define HOB_API_PLACES_H

#include "fleet/fleet.h"
#include "route/snapshot.h"

/* Memory for snapshots; zeroed is empty. */
struct places {
    struct route_place *at;
    size_t room;
    int64_t hour;            /* in which utc_offset_s was looked up */
    int utc_offset_s;
};

/* How everything is now. *out lives until the next look, or places_free(). */
void places_look(struct places *p, const struct world *w, struct snapshot *out);
void places_free(struct places *p);

#endif
