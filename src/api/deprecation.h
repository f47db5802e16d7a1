/* A name that callers are to leave: an old name, or a model that goes. Told in headers (Deprecation of RFC 9745, Sunset of RFC 8594, a Link to the successor), in
 * `_routing` and in the list of models. */
#ifndef HOB_API_DEPRECATION_H
#define HOB_API_DEPRECATION_H

#include "base/buf.h"
#include "conf/config.h"
#include "route/decide.h"

struct deprecation {
    struct str name, until, successor; /* until: YYYY-MM-DD; all empty = not deprecated; no successor = nobody has said */
};

struct deprecation deprecation_of_model(const struct conf_model *m);
struct deprecation deprecation_of_alias(const struct conf_alias *a);
/* What the asker named: an old name before the model behind it. */
struct deprecation deprecation_of(const struct decision *d);

/* Complete header lines; nothing when it is not deprecated. */
void deprecation_put_headers(const struct deprecation *d, int64_t now_s, struct buf *to);

#endif
