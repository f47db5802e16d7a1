/* Inside the api: the routes, how errors are written, what is counted. */
#ifndef HOB_API_INT_H
#define HOB_API_INT_H

#include "api/turned.h"
#include "api/api.h"
#include "api/places.h"
#include "api/reply.h"
#include "api/rush.h"
#include "guard/attempts.h"
#include "guard/door.h"
#include "json/json.h"
#include "route/ask.h"

struct exchange;
struct schema_cache;

struct api {
    struct loop *loop;
    struct fleet *fleet;
    struct meter *meter;
    struct store *store;            /* NULL: nothing is kept of requests */
    void (*on_row)(void *ctx, const struct request_row *r, int64_t at); /* or NULL */
    void *on_row_ctx;
    size_t capturing;               /* asks that are on their way to be kept */
    bool row_was_lost;              /* the last one, and that was said */
    const struct http_server *server;
    struct overload *overload;      /* NULL: nobody counts memory */
    size_t most_running;            /* 0 = any number */
    struct list exchanges;          /* running */
    size_t running;
    struct shadows *shadows;        /* NULL: no ask is copied (api/shadow.h) */
    size_t nshadows;                /* of those that run, copies: they are in nobody's count */
    struct list spare;              /* exchanges to be used again */
    size_t nspare;
    struct json_scratch scratch;    /* for events and answers: each dies before the next is read */
    struct buf passing;             /* memory for events on their way to a caller: one read of one stream after the other has it, so it is always at hand */
    struct metrics *metrics;
    struct places places;           /* the last snapshot */
    struct rush rush;               /* who sends too many at once at what is loading */
    struct keys *keys;              /* NULL until they are read: nobody needs one */
    struct attempts *attempts;
    struct door door;               /* of the configuration in force */
    struct turned_log turned;       /* who was turned away without a row */
    const struct http_handler *admin; /* behind /hob/v1/ */
    void *admin_ctx;
    struct schema_cache *schemas;   /* NULL until somebody asks for JSON */
    struct classifier *classifier;  /* NULL until somebody asks for `auto` */
    bool draining;
    void (*on_drained)(void *ctx);
    void *drained_ctx;
    struct later drained;
};

/* The configuration now in force. A request that goes on for longer than a turn has a world of its own. */
static inline const struct config *api_config(const struct api *a)
{
    return world_config(fleet_world(a->fleet));
}

/* ---- routes.c ---- */
enum route_body { BODY_NONE, BODY_CHAT, BODY_TEXT, BODY_EMBED, BODY_RERANK }; /* JSON, with the fields of enum task */
enum route_needs { NEEDS_NOTHING, NEEDS_KEY, NEEDS_ADMIN };  /* where keys are configured */
struct route {
    const char *method, *path;      /* a path that ends in '/' stands for all that have something behind it */
    void (*handle)(struct api *a, struct http_req *r);
    enum route_needs needs;
    enum route_body body;
    /* For the reference: */
    const char *name;               /* of the operation */
    const char *request, *answer;   /* shapes (shapes.c); an answer that is no JSON: its media type */
    const char *event;              /* the shape of its streams' events; NULL: it has none */
    const char *unready;            /* the shape of a 503 that is no error; or NULL */
    const char *what;               /* a line */
};
static inline enum task route_task(const struct route *t)
{
    return (enum task)(t->body - BODY_CHAT);
}
const struct route *route_at(size_t i); /* NULL past the end */
bool route_has_path(const struct route *t, struct str path);

/* ---- admit.c ---- */
/* Everything that is asked at the public door passes here, once its head is there. ERR_NO_KEY, ERR_TOO_MANY_ATTEMPTS, ERR_NOT_ALLOWED, ERR_INVALID_REQUEST (a key
 * in the query). */
enum err_code api_admit(struct api *a, enum route_needs needs, const struct http_req *r, struct err *e) __attribute__((warn_unused_result));
/* By which name, and from which page: asked of every head, before anything else. ERR_HOST, ERR_ORIGIN. A page that may gets the lines its browser wants. */
enum err_code api_let_in(struct api *a, struct http_req *r, struct err *e) __attribute__((warn_unused_result));
bool api_is_preflight(const struct http_req *r);
void api_answer_preflight(struct http_req *r, struct str methods); /* "GET, HEAD" */
/* Whose request it is, by the keys that hold now (its head may have come under others); *who NULL: nobody needs a key. ERR_NO_KEY. */
enum err_code api_who(const struct api *a, const struct http_req *r, const struct conf_key **who, struct err *e) __attribute__((warn_unused_result));
/* Details are for who has a key. */
bool api_knows(const struct api *a, const struct http_req *r);
/* What a path under /hob/v1/ is; NULL: there is nothing for who comes from outside. */
const struct http_handler *api_admin_at(const struct api *a, struct str path);

/* ---- overload.c ---- */
enum overload_cause { OVERLOADED_MEMORY, OVERLOADED_REQUESTS, OVERLOADED_CONNECTIONS };
/* May another request for a model be read? ERR_OVERLOADED. */
enum err_code api_has_room(struct api *a, const struct http_req *r, struct err *e) __attribute__((warn_unused_result));
enum overload_cause api_why_overloaded(const struct api *a, const struct http_req *r); /* of one that was just refused for it */

/* ---- endpoints ---- */
void api_chat(struct api *a, struct http_req *r);
void api_completions(struct api *a, struct http_req *r);
void api_embeddings(struct api *a, struct http_req *r);
void api_rerank(struct api *a, struct http_req *r);
void api_model(struct api *a, struct http_req *r);
void api_models(struct api *a, struct http_req *r);
void api_livez(struct api *a, struct http_req *r);
void api_readyz(struct api *a, struct http_req *r);
void api_health(struct api *a, struct http_req *r);
void api_metrics(struct api *a, struct http_req *r);
void api_state(struct api *a, struct http_req *r);
void api_openapi(struct api *a, struct http_req *r);

/* ---- exchange_settle.c ---- */
bool api_refuses_for_store(struct api *a, struct err *e); /* rows cannot be written, and nothing is to be answered without one */

/* ---- metrics.c ---- */
struct metrics *metrics_new(struct api *a);
void metrics_free(struct metrics *m);
struct request_figures {
    struct str endpoint, model, host, code;
    double seconds, ttft_seconds;                    /* negative: none */
    int64_t input_tokens, output_tokens;             /* negative: unknown */
};
void metrics_request(struct metrics *m, const struct request_figures *f);
void metrics_fallback(struct metrics *m, struct str from, struct str to);
void metrics_thoughts(struct metrics *m, struct str model, struct str host); /* that nobody wanted */
enum context_event { CONTEXT_WAS_REFUSED, CONTEXT_WAS_TRIMMED, CONTEXT_WAS_CUT };
void metrics_context(struct metrics *m, enum context_event what, struct str model, struct str host);
void metrics_hedge(struct metrics *m, struct str from, struct str to, bool won);
void metrics_shadow(struct metrics *m, struct str model, const char *end); /* of a copy of an ask: "pair", "dropped", "cancelled", "unfit" */
void metrics_turned(struct metrics *m, const char *reason);
void metrics_overloaded(struct metrics *m, enum overload_cause why);
enum row_end { ROW_WRITTEN, ROW_LOST, ROW_HELD /* it waits for the disk */, ROW_LATE /* its answer has left without it */ };
void metrics_row(struct metrics *m, enum row_end end, double seconds, double commit_seconds); /* the latter negative: nobody knows */

enum capture_end { CAPTURE_KEPT, CAPTURE_DROPPED /* the store was behind, or failed */, CAPTURE_LARGE, CAPTURE_MEDIA };
void metrics_capture(struct metrics *m, enum capture_end end);

#endif
