/* Inside the api: the routes, how errors are written, what is counted. */
#ifndef HOB_API_INT_H
#define HOB_API_INT_H

#include "api/api.h"
#include "json/json.h"

struct exchange;

struct api {
    struct loop *loop;
    const struct config *config;
    struct fleet *fleet;
    struct meter *meter;
    const struct http_server *server;
    struct list exchanges;          /* running */
    size_t running;
    struct list spare;              /* exchanges to be used again */
    size_t nspare;
    struct json_scratch scratch;    /* for events and answers: each dies before the next is read */
    struct metrics *metrics;
    bool draining;
    void (*on_drained)(void *ctx);
    void *drained_ctx;
    struct later drained;
};

/* ---- routes.c ---- */
enum body_size { BODY_NONE, BODY_JSON };
struct route {
    const char *method, *path;
    void (*handle)(struct api *a, struct http_req *r);
    enum body_size body;
    const char *what;               /* a line for the documentation */
};
const struct route *route_at(size_t i); /* NULL past the end */

/* ---- endpoints ---- */
void api_chat(struct api *a, struct http_req *r);
void api_models(struct api *a, struct http_req *r);
void api_livez(struct api *a, struct http_req *r);
void api_readyz(struct api *a, struct http_req *r);
void api_health(struct api *a, struct http_req *r);
void api_metrics(struct api *a, struct http_req *r);

/* ---- reply.c: answers in OpenAI's dialect ---- */
enum { REQUEST_ID_BYTES = 33 };
void reply_make_id(char out[REQUEST_ID_BYTES]);      /* "req_" and 28 hex digits */

struct tried {                                       /* a place that failed or was passed over, in order */
    struct str model, host;
    enum err_code code;
};
/* {"error":{…}} */
void reply_error_json(struct buf *out, const struct err *e, struct str request_id, const struct tried *tried, size_t ntried);
/* The whole answer to a request that failed: status, retry hints, Allow for a wrong method. `headers` are complete lines to add. */
void reply_error(struct http_req *r, const struct err *e, struct str request_id, struct str headers, const struct tried *tried, size_t ntried);
void reply_json(struct http_req *r, int status, struct str headers, struct str body);

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

#endif
