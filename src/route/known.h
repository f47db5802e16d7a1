/* Requests that chat pages make by themselves (titles, tags, follow-up questions), and heartbeats: known by a table of patterns. Pure. */
#ifndef HOB_ROUTE_KNOWN_H
#define HOB_ROUTE_KNOWN_H

#include "base/str.h"

/* The last user text of a chat and how many messages it has. The pattern's name ("open-webui title", "heartbeat"), or NULL. */
const char *known_caller(struct str last_user, size_t messages, struct str system);

#endif
