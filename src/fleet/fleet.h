/* All backends, and who may use them when. A lease is the right to send one request to a backend; it is taken before a load and nothing
 * leased is unloaded. A managed child gets no more than its slots at a time: whatever is beyond waits here, in order, bounded, where a
 * caller that leaves is noticed (llama-server's own queue notices nothing: doc/internals/engine.md).
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
    int64_t since_ms;                   /* when it began to wait */
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

/* What a person asked for: a model loaded, or unloaded. Lies inside its owner; on_done runs once, from the loop: e NULL = it is so, else why not. */
struct wish {
    struct list node;                   /* among the place's while it is open */
    struct later told;
    bool load;
    struct err why;
    void (*on_done)(void *ctx, const struct err *e);
    void *ctx;
};
void wish_init(struct wish *w, void (*on_done)(void *ctx, const struct err *e), void *ctx);
void wish_drop(struct wish *w);                                    /* on_done will not run; what the wish began goes on */
/* A failed load is tried again at once, cooled or not. Already hot, or not ours to load: it is so. */
void fleet_load(struct fleet *f, size_t model, struct wish *w);
/* What is running is let finish (`drain:` at most), then the child goes. Who waits in line, or comes meanwhile, is served by the load after it; when
 * nobody does it stays unloaded until it is asked for, `keep: hot` or not. Load wishes that are open are refused. */
void fleet_unload(struct fleet *f, size_t model, struct wish *w);

struct backend *fleet_backend(struct fleet *f, size_t model);
struct fleet_figures {
    size_t waiting, held;
    int64_t oldest_ms;                  /* how long the first in line has waited; -1 = nobody waits */
    int64_t idle_ms;                    /* since the last request ended, or since it is hot; 0 while one runs; -1 = not running, or never asked */
};
void fleet_figures(const struct fleet *f, size_t model, struct fleet_figures *out);
size_t fleet_waiting(struct fleet *f, size_t model);
size_t fleet_held(struct fleet *f, size_t model);
/* Every `keep: hot` model answers. Else *why names the first that does not. */
bool fleet_ready(struct fleet *f, struct buf *why);

/* To be told of changes of state (the start-up line, later the events); may be NULL. */
void fleet_watch(struct fleet *f, void (*on_state)(void *ctx, struct backend *b), void *ctx);

#endif
