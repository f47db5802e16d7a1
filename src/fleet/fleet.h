/* All backends, and who may use them when. A lease is the right to send one request to a backend; it is taken before a load and nothing
 * leased is unloaded. A managed child gets no more than its slots at a time: whatever is beyond waits here, in order, bounded, where a
 * caller that leaves is noticed (llama-server's own queue notices nothing: doc/internals/engine.md).
 *
 *   lease: none -> waiting -> held -> none     (waiting -> none when refused or dropped)
 *
 * A world is a configuration in force and its backends: immutable, counted. Who works with one for longer than a turn holds it: the names and
 * settings in it stay, and so do its backends, whatever configuration comes after it. */
#ifndef HOB_FLEET_FLEET_H
#define HOB_FLEET_FLEET_H

#include "backend/backend.h"
#include "fleet/sched.h"

struct fleet;
struct world;
struct store;
struct conf_diff;

/* c: taken over. run_dir: short, 0700, ours; must outlive it. store: what was learned of models' memory; NULL = nothing is remembered. */
struct fleet *fleet_new(struct loop *l, const struct config *c, struct services *services, struct str run_dir, struct store *store);
void fleet_start(struct fleet *f);                                 /* loads what is `keep: hot` */
/* A child of an earlier gateway: true when a model of that name takes it over (backend_adopt). Before fleet_start(). */
bool fleet_adopt(struct fleet *f, const struct keeper_child *c);
/* Unloads everything and refuses what waits; done runs when no child is left but those that do not die. */
void fleet_stop(struct fleet *f, void (*done)(void *ctx), void *ctx);
bool fleet_has_wedged(const struct fleet *f);                      /* a child that does not die: then nothing may be freed */
void fleet_free(struct fleet *f);                                  /* after fleet_stop() is done, no lease and no world held */

/* ---- another gateway takes over ---- */

/* Nothing comes, goes or changes by itself: what is loaded is the other's to know. Else *who says what is on its way. */
bool fleet_is_settled(const struct fleet *f, struct str *who);
/* No load, no unload is begun; leases on what is loaded are given as ever. Thawed: what was put off is done. */
void fleet_freeze(struct fleet *f, bool on);
/* Leases that a request of another process holds: so many of that model, till it is said otherwise. A model that is not in the configuration has none. */
struct ghosts;
struct ghosts *ghosts_new(struct fleet *f);
void ghosts_set(struct ghosts *g, struct str model, size_t n);
void ghosts_free(struct ghosts *g);                                /* drops all. NULL is fine */

/* ---- the world ---- */

struct world *fleet_world(struct fleet *f);                        /* the current one; borrowed */
struct world *world_hold(struct world *w);
void world_release(struct world *w);
const struct config *world_config(const struct world *w);
struct backend *world_backend(const struct world *w, size_t model); /* index in its config->models */

/* A new configuration (taken over) and what it changes against the one in force. What is the same goes on in the same process, what changed gets no new
 * requests, ends those it has (`drain:` at most) and starts anew; who waits for it goes on waiting. What is gone serves who waits, then goes. */
void fleet_apply(struct fleet *f, const struct config *c, const struct conf_diff *d);

/* ---- leases ---- */

/* Lies inside its owner. on_settled runs once after LEASE_WAITING: e NULL = held now, else refused. Never from inside fleet_lease(). */
struct lease {
    struct sched_lease own;             /* .state: see there */
    struct fleet_place *place;
    void (*on_settled)(void *ctx, const struct err *e);
    void *ctx;
};
/* Sets lease->own.state to LEASE_HELD or LEASE_WAITING, or returns why not: ERR_QUEUE_FULL, ERR_SHUTTING_DOWN, or what the last load died of. */
enum err_code fleet_lease(struct world *w, size_t model, enum caller_class class, struct lease *lease, struct err *e) __attribute__((warn_unused_result));
void lease_init(struct lease *l, void (*on_settled)(void *ctx, const struct err *e), void *ctx);
/* What came of the request under a held lease, before it is dropped: e NULL = it was answered. input_tokens: what the place has read; -1 = unknown. */
void lease_outcome(struct lease *l, const struct err *e, int64_t input_tokens);
void lease_drop(struct lease *l);                                  /* any state; the next in line is served */

/* ---- what people ask for ---- */

/* A model loaded, or unloaded. Lies inside its owner; on_done runs once, from the loop: e NULL = it is so, else why not. */
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
/* A failed load is tried again at once, cooled or not. Already hot, or not ours to load: it is so. pin: kept as `keep: hot` is, until it is unloaded
 * by hand. */
void fleet_load(struct world *w, size_t model, bool pin, struct wish *wish);
/* What is running is let finish (`drain:` at most), then the child goes. Who waits in line, or comes meanwhile, is served by the load after it; when
 * nobody does it stays unloaded until it is asked for, `keep: hot` or not. Load wishes that are open are refused. */
void fleet_unload(struct world *w, size_t model, struct wish *wish);

/* ---- figures ---- */

struct fleet_figures {
    size_t waiting, held;
    int64_t oldest_ms;                  /* how long the first in line has waited; -1 = nobody waits */
    int64_t idle_ms;                    /* since the last request ended, or since it is hot; 0 while one runs; -1 = not running, or never asked */
    int64_t eta_ms;                     /* until who comes last in line is served, as things look; -1 = nobody waits, or nobody knows */
    int64_t estimated_bytes;            /* what it should need; -1 = not known (yet) */
    int64_t measured_bytes;             /* what it was last seen to have; -1 = it does not run, or was not measured yet */
    int64_t booked_bytes;               /* of the budget, now */
    bool pinned;                        /* by a person */
    enum sched_state state;
};
/* DESIGN's word for it: "cold" "loading" "hot" "draining" "failed" "wedged". */
const char *fleet_state_word(enum sched_state s);
void fleet_figures(const struct world *w, size_t model, struct fleet_figures *out);
/* Until a request that comes now would begin, as things look: queue x service time + load; -1 = nobody knows how long its load takes. */
int64_t fleet_wait_ms(const struct world *w, size_t model);
const char *fleet_engine(const struct world *w, size_t model);     /* a mark of the build that it was last looked at for; "" = it was not, or is not ours */
size_t fleet_waiting(const struct world *w, size_t model);
size_t fleet_held(const struct world *w, size_t model);
int64_t fleet_company(const struct world *w, size_t model);        /* leases held on its host, or on this machine, besides one of its own */
size_t fleet_evictions(const struct world *w, size_t model, enum sched_reason why); /* so far */

struct fleet_budget {                   /* -1 = not known: nothing is refused for want of memory then */
    int64_t total_bytes, used_bytes;    /* for models; booked of it */
    int64_t others_bytes;               /* strangers have of the machine's */
};
void fleet_budget(const struct fleet *f, struct fleet_budget *out);

/* Every `keep: hot` model answers. Else *why names the first that does not. */
bool fleet_ready(struct fleet *f, struct buf *why);

/* To be told of changes of state (the start-up line, later the events); may be NULL. */
void fleet_watch(struct fleet *f, void (*on_state)(void *ctx, struct backend *b), void *ctx);

#endif
