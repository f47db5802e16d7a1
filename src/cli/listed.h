/* Models as GET /hob/v1/models lists them. */
#ifndef HOB_CLI_LISTED_H
#define HOB_CLI_LISTED_H

#include "json/json.h"

/* By its name or an alias; NULL: there is none. */
yyjson_val *listed_model(yyjson_val *models, struct str name);
/* m itself, or the one of its replicas that is on host; empty = any host. NULL: none is, or m is NULL. */
yyjson_val *listed_at(yyjson_val *models, yyjson_val *m, struct str host);

#endif
