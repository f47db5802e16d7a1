/* Requests that chat pages and coding agents make by themselves (titles, tags, follow-up questions), and heartbeats: known by a table of patterns.
 * Pure. */
#ifndef HOB_ROUTE_KNOWN_H
#define HOB_ROUTE_KNOWN_H

#include "base/str.h"
#include "conf/config.h"

/* The last user text of a chat, its first system text, how many messages it has, and the class of its caller: a heartbeat is a program's; a person
 * who says "hi" waits for an answer. The pattern's name ("open-webui title", "heartbeat"), or NULL. */
const char *known_caller(struct str last_user, struct str system, size_t messages, enum conf_class class);

#endif
