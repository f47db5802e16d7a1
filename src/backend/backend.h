/* A backend: one model on one place that answers. Its kind says how it is brought up, where requests go and how its refusals read; what a request
 * says is not its business. The fleet owns backends and decides when they load; here is how. */
#ifndef HOB_BACKEND_BACKEND_H
#define HOB_BACKEND_BACKEND_H

#include "backend/dialect.h"
#include "backend/health.h"
#include "backend/think.h"
#include "backend/scale.h"
#include "base/buf.h"
#include "conf/config.h"
#include "model/template.h"
#include "http/client.h"
#include "proc/service.h"

/* A hot one may become draining by itself: it was found hung, is being stopped, and gets no more requests. It is then as if it had died. */
enum backend_state {
    BACKEND_COLD, BACKEND_LOADING, BACKEND_HOT, BACKEND_DRAINING, BACKEND_FAILED,
    BACKEND_WEDGED, /* was killed and does not end: its memory is still taken. Becomes cold when it does end */
};
extern const char *const backend_state_name[];

/* What is worth knowing of one, besides its state; or-ed. */
enum backend_flag {
    BACKEND_PROMPTS_NOT_KEPT = 1, /* `keep_prompts` is on, and its engine does not heed it */
    BACKEND_THINKS_THOUGH_OFF = 2, /* it was told not to, and thought all the same, three times in a row; a clean answer ends it */
    BACKEND_TRUNCATES = 4,        /* it has cut a prompt that was too long for it, without a word */
};

struct backend;
struct host;

/* What another hob says of a model that it has (kind_hob.c). */
struct far {
    int64_t seen_ms;                                /* loop time; 0 = it has not said, or has it not */
    bool hot;
    int64_t wait_ms, queue;                         /* -1 = not known */
    int64_t total_bytes, used_bytes;                /* of its memory for models; likewise */
};

/* One kind of place: a row, and a file kind_*.c. */
struct backend_kind {
    const char *name;
    bool managed;                                   /* a child of ours: it is loaded and unloaded, and has slots */
    bool rebuilt;                                   /* its requests are written anew from the allowlist, chats always streamed from it */
    bool counts;                                    /* it says how many tokens a prompt has, before it is to answer it */
    bool ends_there;                                /* not managed: what it says of a model's window is its end, whatever is configured */
    const struct dialect *dialect;                  /* NULL: OpenAI's */
    bool chats_only;                                /* it knows no other task */
    void (*load)(struct backend *b);                /* cold or failed -> loading -> hot or failed */
    void (*unload)(struct backend *b);              /* any -> draining -> cold, or wedged */
    void (*adopt)(struct backend *b, const struct keeper_child *c); /* managed only; cold -> loading -> hot, or draining -> cold */
    int (*pid)(const struct backend *b);            /* managed only: 0 = no process now */
    void (*free)(struct backend *b);                /* what the kind keeps beside it */
    bool lists_all;                                 /* not managed: a model that is not in its list is not there */
    const char *describe;                           /* path, behind the place's address, that describes a model ({"model":NAME} is posted there once); NULL: none */
    void (*take_description)(struct backend *b, struct str body);
    void (*take_state)(struct backend *b, struct str body); /* what it answers at b->list is its state, of all its models; NULL: a list of models */
    /* What a refusal (any status but 200) means; body is what came, at most 64 KiB. Fills e, with retry_after_s where known. */
    enum err_code (*read_refusal)(const struct backend *b, int status, struct str retry_after, struct str body, struct err *e);
};
extern const struct backend_kind backend_kind_llama, backend_kind_command, backend_kind_openai, backend_kind_anthropic, backend_kind_ollama,
    backend_kind_hob;

struct child;

struct backend {
    const struct config *config;                    /* held; the newest that has this model */
    const struct conf_model *model;                 /* in it */
    const struct conf_host *place;                  /* NULL: this machine */
    const struct backend_kind *kind;
    struct str name;                                /* of the model; this and the next two are its own: they outlive any configuration */
    struct str host;                                /* "local" or the host's name: what callers are told */
    struct str upstream;                            /* what the place calls the model */
    struct loop *loop;
    struct services *services;

    enum backend_state state;                       /* written by backend_enter() alone */
    int64_t since_ms;
    struct err last_error;                          /* why it is failed, or why it last died; code ERR_OK: none */
    int64_t load_ms;                                /* how long the last load took */
    int64_t spawn_ms;                               /* of it, until its process was there; -1 = not known (taken over) */
    int64_t context;                                /* tokens, read back from the child, or as its host says; 0 = unknown. backend_context() */
    struct context_scale scale;                     /* of its prompts */
    bool described;                                 /* its host was asked to, or is being */
    bool cannot_count;                              /* its engine is too old for that */
    bool counts_part;                               /* of a prompt it counts only what was not in its cache */
    int64_t slots;                                  /* requests at a time; 0 = no limit of ours */

    struct http_pool *pool;                         /* NULL until there is somebody to connect to */
    struct buf path;                                /* "/v1": goes before "/chat/completions" */
    struct buf list;                                /* path of the place's list of models */
    struct buf headers;                             /* complete lines for each request, the key included: never printed */
    struct conf_timeouts timeouts;                  /* resolved: no zeros but total */

    unsigned input;                                 /* enum input, or-ed: what its engine says it takes; 0 = it has not said */
    unsigned flags;                                 /* enum backend_flag */
    enum tri tools;                                 /* does its chat template take any: as its engine says, else as the file's own reads */
    bool says_can;                                  /* the configuration itself says what it can */
    struct think_place think;                       /* does it think, and how is it told not to? Written by its kind, and backend_use_config() */
    int unasked;                                    /* answers in a row with thoughts nobody wanted: backend_thought() */
    int64_t warmed_ms, warm_took_ms;                /* the last heartbeat (`warm:`): when (loop time; 0 = none yet), and how long its token took */
    int64_t drafted, accepted;                      /* tokens that its draft model proposed since the load, and those that stood */

    struct health health;                           /* written by health.c alone */
    struct host *at;                                /* hosts_join(); NULL: this machine, or it is in none */
    struct list in_host;
    struct far far;                                 /* written by its kind alone */
    uint64_t address;                               /* of the place: it changes when what is there may be another */

    void (*on_state)(void *ctx, struct backend *b); /* to the fleet, after each change */
    /* Does somebody wait for it? Asked when a child could be hot: then the first request is the proof that it answers, else it is asked for a token
     * first. NULL: nobody does. Set by the fleet after backend_new(). */
    bool (*wanted)(void *ctx, const struct backend *b);
    void *ctx;
    struct child *child;                            /* managed only */
    bool retired;                                   /* backend_retire() */
};

/* The backend of config->models[index]; cold (managed) or hot at once (elsewhere). */
struct backend *backend_new(struct loop *l, const struct config *c, size_t index, struct services *services, struct str run_dir,
    void (*on_state)(void *ctx, struct backend *b), void *ctx);
void backend_free(struct backend *b); /* no call may be running; a managed one must be cold or failed */
/* A newer configuration says the same of this model as the last one did: it is the one to look at from now on. */
void backend_use_config(struct backend *b, const struct config *c, size_t index);
/* A newer configuration says something else of it, of which the kind is the same: what is loaded next is loaded so. Managed, cold or failed. */
void backend_renew(struct backend *b, const struct config *c, size_t index);
/* Nothing more comes of it: its child's name is free for another. Names, settings and pool stay for who still looks at it, until backend_free(). Not while
 * a managed one has a process. */
void backend_retire(struct backend *b);

void backend_load(struct backend *b);   /* only when cold or failed */
void backend_unload(struct backend *b); /* any state */
/* Takes over a child that an earlier gateway has started for this model: kept when it is what would be started now, else replaced. Only when
 * managed and cold; c dies on return. */
void backend_adopt(struct backend *b, const struct keeper_child *c);
int backend_pid(const struct backend *b); /* 0 = it has no process of ours */
void backend_thought(struct backend *b, bool did); /* an answer has come for which it was told not to think */
/* enum can, or-ed: as configured; where nothing is, without tools when they would be dropped in silence. */
unsigned backend_can(const struct backend *b);
/* Its file's template has been looked at: what that tells holds until the engine says so itself. */
void backend_take_template(struct backend *b, const struct template_look *look);
int64_t backend_context(const struct backend *b); /* tokens one request may use, as far as is known; 0 = it is not */
bool backend_is_local(const struct backend *b); /* what is sent there stays with the operator */

/* For the kinds: the only writer of state. */
void backend_enter(struct backend *b, enum backend_state to);
/* For the kinds: the common part of read_refusal, by status alone. `said` (the place's own message) is cited. */
enum err_code backend_refusal(const struct backend *b, int status, struct str retry_after, struct str said, struct err *e);
/* The text of `{"error":{"message":…}}` or `{"error":"…"}`, else the body's beginning in one line, copied to out; "" when there is none. */
void backend_error_message(struct str body, char *out, size_t room);

#endif
