/* All backends, and who may use them when. A lease is the right to send one request to a backend; it is taken before a load and nothing
 * leased is unloaded. A managed child gets no more than its slots at a time: whatever is beyond waits here, in order, bounded, where a
 * caller that leaves is noticed (llama-server's own queue notices nothing: ENGINE.md trap 2).
 *
 *   lease: none -> waiting -> held -> none     (waiting -> none when refused or dropped) */
#ifndef HOB_FLEET_FLEET_H
#define HOB_FLEET_FLEET_H

#include "backend/backend.h"

struct fleet;

enum lease_state { LEASE_NONE, LEASE_WAITING, LEASE_HELD };

/* Lies inside its owner. on_settled runs once after LEASE_WAITING: e NULL = held now, else refused. Never from inside fleet_lease(). */
struct lease {
    struct list node;
    enum lease_state state;
    struct fleet_place *place;
    void (*on_settled)(void *ctx, const struct err *e);
    void *ctx;
};

/* run_dir: short, 0700, ours. */
struct fleet *fleet_new(struct loop *l, const struct config *c, struct services *services, struct str run_dir);
void fleet_start(struct fleet *f);                                 /* loads what is `keep: hot` */
/* A child of an earlier gateway: true when a model of that name takes it over (backend_adopt). Before fleet_start(). */
bool fleet_adopt(struct fleet *f, const struct keeper_child *c);
/* Unloads everything and refuses what waits; done runs when no child is left. */
void fleet_stop(struct fleet *f, void (*done)(void *ctx), void *ctx);
void fleet_free(struct fleet *f);                                  /* after fleet_stop() is done, no lease held */

/* Sets *out to LEASE_HELD or LEASE_WAITING, or returns why not: ERR_QUEUE_FULL, ERR_SHUTTING_DOWN, or what the last load died of. */
enum err_code fleet_lease(struct fleet *f, size_t model, struct lease *lease, struct err *e) __attribute__((warn_unused_result));
void lease_init(struct lease *l, void (*on_settled)(void *ctx, const struct err *e), void *ctx);
void lease_drop(struct lease *l);                                  /* any state; the next in line is served */

struct backend *fleet_backend(struct fleet *f, size_t model);
size_t fleet_waiting(struct fleet *f, size_t model);
size_t fleet_held(struct fleet *f, size_t model);
/* Every `keep: hot` model answers. Else *why names the first that does not. */
bool fleet_ready(struct fleet *f, struct buf *why);

/* To be told of changes of state (the start-up line, later the events); may be NULL. */
void fleet_watch(struct fleet *f, void (*on_state)(void *ctx, struct backend *b), void *ctx);

#endif
