/* A configured host: what its backends share. One object a name, however many models are on it, through all reloads; what was learned of an address is
 * forgotten when the address becomes another, what was spent today is not.
 *
 *   probes   while nobody asks it anything, it is asked for its list of models from time to time (`probe:`). That finds an outage before a request does,
 *            tells which models it has, and is a GET: while a breaker is open nothing else goes there. When the breaker's time is over and nobody asks,
 *            one token is asked for, as the one request that tries it
 *   sleep    a host with `cold_start:`  COLD --somebody wants it--> WAKING --it answers--> WARM --`scale_down:` without a request--> COLD
 *            It is taken to sleep until it has answered; it is never probed, since that would keep it awake
 *   caps     `cap:` closes it until local midnight
 *
 * At most one thing is asked of a host at a time. Nothing here waits: a host that is gone costs nobody else anything. */
#ifndef HOB_BACKEND_HOST_H
#define HOB_BACKEND_HOST_H

#include "backend/health.h"
#include "backend/spend.h"
#include "base/arena.h"
#include "loop/loop.h"

struct hosts;
struct host;
struct store;

struct hosts *hosts_new(struct loop *l, struct store *store);   /* store: keeps what was spent; NULL: it is forgotten at the end */
void hosts_start(struct hosts *all);                            /* from now on they are probed */
void hosts_stop(struct hosts *all);                             /* nothing more is asked of any, what was spent is on its way to the store */
void hosts_free(struct hosts *all);                             /* all backends have left. NULL is fine */

/* b->place is set: it belongs to the host of that name, until backend_retire(). */
void hosts_join(struct hosts *all, struct backend *b);
void host_reconfigured(struct backend *b);                      /* its configuration is a newer one, of the same address */
void host_leave(struct backend *b);                             /* fine when it is in none */

/* ---- for health.c ---- */
enum err_code host_would_admit(const struct backend *b);        /* ERR_CAPPED, ERR_WAKING, ERR_UP_MODEL_MISSING */
enum err_code host_explain(const struct backend *b, enum err_code why, struct err *e);
void host_asked(struct backend *b);
void host_told(struct backend *b, const struct outcome *o, enum health_verdict v);

/* ---- sleep ---- */
bool health_is_asleep(const struct backend *b);                 /* or waking */
/* It is woken, when it sleeps; nothing when it is awake or waking, or could not be woken a moment ago. */
void health_wake(struct backend *b);

/* To be told. Lies inside its owner. on_awake runs once, from the loop: e NULL = it is awake, health_admits() may be asked again; else why it is not. */
struct host_wait {
    struct list node;
    struct later told;
    struct err why;
    void (*on_awake)(void *ctx, const struct err *e);
    void *ctx;
};
void host_wait_init(struct host_wait *w, void (*on_awake)(void *ctx, const struct err *e), void *ctx);
void host_wait_begin(struct host_wait *w, struct backend *b);   /* wakes it, too */
void host_wait_drop(struct host_wait *w);                       /* on_awake will not run; any state */

/* ---- for who shows it ---- */
enum host_sleep { HOST_WARM, HOST_WAKING, HOST_COLD };
struct host_figures {
    struct str name;
    const char *sleep;              /* "warm" "waking" "cold"; NULL: it never sleeps */
    int64_t wakes_in_ms;            /* WAKING: at most; else -1 */
    enum tri up;                    /* the last thing that was heard of it */
    int64_t heard_ms;               /* wall clock of that; 0 = nothing yet */
    int64_t probe_ms;               /* how long the last probe took; -1 = there was none */
    const struct err *error;        /* of the last probe, or waking; NULL = none */
    int64_t models;                 /* how many it lists; -1 = not known */
    bool lists_model;               /* the backend's is among them; true when the list is not known */
    struct spend spent;             /* today */
    struct conf_cap cap;
    const char *reached;            /* which cap; NULL = none */
};
/* False: it is in none. */
bool host_figures(const struct backend *b, struct host_figures *out);

/* ---- lists of models ---- */
/* The names in {"data":[{"id":…}]} or {"models":[{"name":…}]}. ERR_UP_GARBLED when it is neither. */
enum err_code host_read_list(struct str body, struct arena *a, struct conf_strs *out, struct err *e) __attribute__((warn_unused_result));
bool host_lists(const struct conf_strs *names, struct str model); /* "qwen3" is "qwen3:latest" too */

#endif
