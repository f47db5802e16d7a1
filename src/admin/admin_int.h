/* Inside the admin room: the table's rows, the views, what the systems do differently. */
#ifndef HOB_ADMIN_INT_H
#define HOB_ADMIN_INT_H

#include "admin/admin.h"
#include "api/api.h"
#include "base/arena.h"
#include "http/server.h"
#include "json/json.h"
#include "store/store.h"

struct admin {
    struct loop *loop;
    struct fleet *fleet;
    struct api *api;                                     /* NULL until it is there */
    struct swaps *swaps;
    struct store *store;
    struct http_server *server;
    struct listener *listener;
    struct keeper *keeper;
    bool shut;
    reload_fn *reload;
    void *reload_ctx;
    upgrade_fn *upgrade;
    upgrade_gone_fn *upgrade_gone;
    void *upgrade_ctx;
};

struct admin_row {
    const char *method, *path;
    void (*handle)(struct admin *a, struct http_req *r); /* r is its own until it is answered */
    bool body;                                           /* a JSON object is needed */
    const char *what;                                    /* a line for the documentation */
};
const struct admin_row *admin_row_at(size_t i);          /* NULL past the end */
/* Swaps as they are shown (id -1: all), when one of them has or had a shadow: its pairs are read on the pool. False: none has, and nothing was answered. */
bool admin_swaps_with_shadows(struct admin *a, struct http_req *r, int64_t id);
void admin_refuse(struct http_req *r, const struct err *e);
/* A number from 1 that the query names; -1: it names none. False: it is none, which was answered. */
bool admin_query_number(struct http_req *r, const char *name, int64_t *out);
void admin_answer(struct http_req *r, struct str json, const struct err *e); /* the JSON, or why there is none (e) */

/* ---- look.c: what is read of the store, on the pool ---- */
struct admin_look;
/* On the pool. The answer is an open object with "schema" in it, or empty (bare); s NULL: there is no store yet. An error is in l->e. */
typedef enum err_code admin_look_fn(struct admin_look *l, struct store *s);
struct admin_look {
    struct http_req *r;         /* NULL: who asked has left */
    struct work work;
    struct arena arena;         /* of what is asked for */
    const struct config *config; /* held */
    admin_look_fn *fn;
    bool bare;                  /* fn writes all of the body */
    void *ctx;                  /* the asker's, in the arena */
    struct buf body;
    struct json_out out;
    enum err_code rc;
    struct err e;
};
struct admin_look *admin_look_new(struct admin *a, struct http_req *r, admin_look_fn *fn);
void admin_look_go(struct admin *a, struct admin_look *l); /* answers, and frees it */
void admin_look_refuse(struct admin_look *l, const struct err *e);  /* instead of going: says why, and frees it */
/* What the query names, percent-decoded, in the arena; empty: nothing. */
struct str admin_query_text(struct admin_look *l, const char *name);
void admin_put_text(struct json_out *o, const char *key, struct str text);       /* empty = null */
void admin_put_when(struct json_out *o, const char *key, int64_t wall_ms);       /* "2026-11-21T14:30:05Z"; 0 = null */

/* ---- views.c: JSON out of what is known. A field whose value nobody knows yet is null, never a guess. ---- */
/* measured: bytes of RAM a model has now, -1 = unknown. Shown is that, or what the fleet has last measured where that is more (a GPU's). */
/* The gateway itself; each NULL: not known. */
struct view_gateway {
    const struct api_load *load;
    const struct store_health *store;
};
void view_ps(const struct world *w, const struct fleet_budget *budget, const struct view_gateway *gateway, const int64_t *measured, struct buf *out);
void view_models(const struct world *w, struct buf *out);
/* What an action answers. took_ms: how long it took. */
void view_done(const struct world *w, size_t model, int64_t took_ms, struct buf *out);

/* ---- ps.c, actions.c, reload.c ---- */
void admin_ps(struct admin *a, struct http_req *r);
void admin_load(struct admin *a, struct http_req *r);
void admin_unload(struct admin *a, struct http_req *r);
void admin_reload(struct admin *a, struct http_req *r);
void admin_upgrade(struct admin *a, struct http_req *r); /* upgrade.c */
void admin_logs(struct admin *a, struct http_req *r);    /* logs.c */
void admin_gain(struct admin *a, struct http_req *r);
void admin_callers(struct admin *a, struct http_req *r);
void admin_stats(struct admin *a, struct http_req *r);   /* reports.c */
void admin_stats_residency(struct admin *a, struct http_req *r);
void admin_advise(struct admin *a, struct http_req *r);
void admin_swaps(struct admin *a, struct http_req *r);   /* swaps.c */
void admin_swap_log(struct admin *a, struct http_req *r);
void admin_served(struct admin *a, struct http_req *r);  /* served.c */
void admin_swap_series(struct admin *a, struct http_req *r); /* swap_series.c */
void admin_swap_plan(struct admin *a, struct http_req *r);
void admin_swap_step(struct admin *a, struct http_req *r);
void admin_baselines(struct admin *a, struct http_req *r); /* baselines.c */
void admin_baseline(struct admin *a, struct http_req *r);
void admin_evals(struct admin *a, struct http_req *r);   /* evals.c */
void admin_eval_show(struct admin *a, struct http_req *r);
void admin_eval_new(struct admin *a, struct http_req *r);
void admin_eval_results(struct admin *a, struct http_req *r);
void admin_captured(struct admin *a, struct http_req *r); /* captured.c */
void admin_captured_forget(struct admin *a, struct http_req *r);
void admin_explain(struct admin *a, struct http_req *r); /* explain.c */

/* ---- system_*.c ---- */
/* The user at the other end of a unix socket; false when the system does not say. */
bool system_peer_uid(int fd, unsigned *uid);

#endif
