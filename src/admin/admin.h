/* The door for who runs hob: views and actions as HTTP/1.1 under /hob/v1/ on the unix socket STATE/hob.sock, for processes of the same user only.
 * What a command prints with --json is what this answers. One table (rows in admin.c): a further view or action is a row and a function.
 *
 *   GET  /hob/v1/ps             what runs, with its figures
 *   GET  /hob/v1/models         what there is to ask for
 *   GET  /hob/v1/version        this program and its libraries
 *   POST /hob/v1/models/load    {"model": NAME, "pin": false}: answers when it is hot (200) or could not be made so (the error's status)
 *   POST /hob/v1/models/unload  {"model": NAME}: answers when what ran has finished and the child is gone */
#ifndef HOB_ADMIN_ADMIN_H
#define HOB_ADMIN_ADMIN_H

#include "base/buf.h"
#include "fleet/fleet.h"
#include "proc/keeper.h"

struct admin;

/* Everything is borrowed and must outlive it. Asks the keeper to listen; a door that cannot be opened is a warning, no more. */
struct admin *admin_new(struct loop *l, struct fleet *f, struct keeper *k);
void admin_free(struct admin *a); /* cuts who still waits; before fleet_free(). NULL is fine */

/* Where a daemon with that state folder listens for us; false when the path is too long for a socket: then it has no such door. */
enum { ADMIN_PATH_BYTES = 108 };
bool admin_socket_path(struct str state, char out[ADMIN_PATH_BYTES]);

/* {"schema":1,"version":…} of this very program. */
void admin_put_version(struct buf *out);

#endif
