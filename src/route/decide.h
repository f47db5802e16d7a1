/* From an ask to an ordered chain of candidates. Pure: reads its arguments, touches nothing else. */
#ifndef HOB_ROUTE_DECIDE_H
#define HOB_ROUTE_DECIDE_H

#include "base/err.h"
#include "route/ask.h"

enum { ROUTE_MAX_CHAIN = 8 };

struct candidate {
    size_t model;            /* index in config->models */
    struct str tier;         /* by which it came into the chain; empty when its model was named */
    struct str reason;       /* static */
};

struct decision {
    struct str role;         /* by which the models were found; empty when one was named itself */
    bool background;         /* uses only what is in memory: never causes a load */
    struct candidate chain[ROUTE_MAX_CHAIN];
    size_t n;
    char why[128];           /* of `auto`: "complexity 0.71: analysis, long-form -> heavy"; else empty */
};

/* Why the i-th of the chain: for `auto` the reason of the whole decision. Lives as long as *d. */
struct str decision_reason(const struct decision *d, size_t i);

/* `auto` leaves the choice to hob: the tier (fast, primary, heavy) that ask->complexity calls for, else the nearest stronger one that is configured,
 * else the nearest weaker; then the weaker ones, then the stronger, each tried when those before it fail. Without any of the three tiers: role chat. */
bool route_is_auto(struct str name);
bool route_has_auto(const struct config *c); /* there is something for it to choose */

/* ERR_MODEL_NOT_FOUND (with "did you mean"; for `auto` with what to configure), ERR_UNSUPPORTED_INPUT when no candidate takes what the ask has, ERR_INVALID_REQUEST when the
 * named model serves another kind of request. Texts in *out live as long as the config. */
enum err_code route_decide(const struct config *c, const struct ask *ask, struct decision *out, struct err *e)
    __attribute__((warn_unused_result));

/* ERR_MODEL_NOT_FOUND for a name that is none, with "did you mean". */
enum err_code route_unknown_name(const struct config *c, struct str name, struct err *e);

#endif
