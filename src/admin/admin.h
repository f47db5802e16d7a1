/* The door for who runs hob: views and actions as HTTP/1.1 under /hob/v1/ on the unix socket STATE/hob.sock, for processes of the same user only.
 * What a command prints with --json is what this answers. One table (rows in admin.c): a further view or action is a row and a function.
 *
 *   GET  /hob/v1/ps             what runs, with its figures
 *   GET  /hob/v1/models         what there is to ask for
 *   GET  /hob/v1/logs           rows about requests; ?n= since= until= faults= caller= model= id=
 *   GET  /hob/v1/gain           what was answered here and elsewhere; ?since=
 *   GET  /hob/v1/callers        who asks by which name (callers.h)
 *   GET  /hob/v1/stats          long-run averages and what follows from them (reports.h)
 *   GET  /hob/v1/version        this program and its libraries
 *   POST /hob/v1/models/load    {"model": NAME, "pin": false}: answers when it is hot (200) or could not be made so (the error's status)
 *   POST /hob/v1/models/unload  {"model": NAME}: answers when what ran has finished and the child is gone
 *   POST /hob/v1/route/explain  a request as to /v1: who would answer it, and why; ?show_body=first or all: and what they would be sent
 *   GET  /hob/v1/swaps, /hob/v1/swaps/log, POST /hob/v1/swaps/plan, /hob/v1/swaps/step: swaps.c
 *   GET  /hob/v1/evals, /hob/v1/evals/show, POST /hob/v1/evals, /hob/v1/evals/results: evals.c
 *   GET  /hob/v1/captured, POST /hob/v1/captured/forget: captured.c
 *   POST /hob/v1/upgrade        {"program": PATH, "wait_ms": N}, both may be left out: another gateway takes this one's place; answers when it has
 *   POST /hob/v1/config/reload  answers what the configuration has changed, once it is in force, or why nothing has changed */
#ifndef HOB_ADMIN_ADMIN_H
#define HOB_ADMIN_ADMIN_H

#include "base/buf.h"
#include "conf/diff.h"
#include "fleet/fleet.h"
#include "http/server.h"
#include "proc/keeper.h"

struct admin;

/* Everything is borrowed and must outlive it. Its door is shut: admin_open() asks the keeper to listen; one that cannot be opened is a warning, no more. */
struct admin *admin_new(struct loop *l, struct fleet *f, struct keeper *k);
void admin_free(struct admin *a); /* cuts who still waits; before fleet_free(). NULL is fine */

/* For what only the public door knows: what a request would become. At once after admin_new(). */
struct api;
void admin_use_api(struct admin *a, struct api *api);

struct swaps;
struct store;
void admin_use_swaps(struct admin *a, struct swaps *s, struct store *st); /* and the store, for runs of suites */

/* The same table for another door, with the admin as its ctx: who may come in there is that door's to say. */
extern const struct http_handler admin_http;

/* ---- a new configuration: the gateway's to take over ---- */

/* Lies inside its owner, who takes it out of the list when it no longer cares. */
struct reload_wish {
    struct list node;                       /* init by the owner; in a list of the gateway's while it is open */
    void (*on_done)(void *ctx, struct str json, const struct err *e); /* once: what has changed (view_reload), or why nothing has */
    void *ctx;
};
typedef void reload_fn(void *ctx, struct reload_wish *w);
void admin_use_reload(struct admin *a, reload_fn *reload, void *ctx); /* at once after admin_new() */
/* What came of it: {"schema":1,"file",kept,restarted:[{model,because}],added,removed,changed,needs_restart,summary}, and the summary alone. */
void view_reload(const struct config *now, const struct conf_diff *d, struct buf *out);
void reload_sentence(const struct config *now, const struct conf_diff *d, struct buf *out);

/* ---- another program: the gateway's to begin ---- */

struct upgrade_wish {
    struct str program;                     /* a path; p NULL: what is now where this one was started from */
    int64_t wait_ms;                        /* for the new one to be ready; 0: as long as is usual */
    void (*on_done)(void *ctx, struct str json, const struct err *e); /* once, and before that not when it is dropped (gone) */
    void *ctx;
};
/* ERR_UPGRADE at once: it cannot be begun. The wish is copied; its texts die on return. */
typedef enum err_code upgrade_fn(void *ctx, const struct upgrade_wish *w, struct err *e);
typedef void upgrade_gone_fn(void *ctx, void *wish_ctx); /* who asked has left; the upgrade goes on */
void admin_use_upgrade(struct admin *a, upgrade_fn *upgrade, upgrade_gone_fn *gone, void *ctx);
/* The admin socket's door, shut and opened again: who comes meanwhile waits there. */
void admin_shut(struct admin *a);
void admin_open(struct admin *a);
struct http_server *admin_server(struct admin *a);

/* Where a daemon with that state folder listens for us; false when the path is too long for a socket: then it has no such door. */
enum { ADMIN_PATH_BYTES = 108 };
bool admin_socket_path(struct str state, char out[ADMIN_PATH_BYTES]);

/* {"schema":1,"version":…} of this very program. */
void admin_put_version(struct buf *out, int pid); /* pid: of the gateway that says it; 0 = none says it */

#endif
