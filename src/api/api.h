/* The public door: routes, endpoints, one request's life. Rooms below it hand it what they have; it hands the HTTP server its handler. */
#ifndef HOB_API_API_H
#define HOB_API_API_H

#include "fleet/fleet.h"
#include "guard/key.h"
#include "http/server.h"
#include "meter/meter.h"

struct api;
struct store;

/* Everything is borrowed and must outlive the api. */
struct api *api_new(struct loop *l, struct fleet *f, struct meter *m);
void api_end(struct api *a);  /* before its loop is freed: it wants nothing of it any more. What of requests is still under way may end after that */
void api_free(struct api *a); /* no exchange may be running */

/* What http_server_new() takes, with the api as its ctx. */
extern const struct http_handler api_http;
/* Where a row about each request goes. */
void api_use_store(struct api *a, struct store *s);
/* Each row, once it is in the store or kept for it, with its place there; on the loop. NULL: nobody asks. */
struct request_row;
void api_on_row(struct api *a, void (*fn)(void *ctx, const struct request_row *r, int64_t at), void *ctx);
/* What memory there is is asked of it: see api/overload.c. */
void api_use_overload(struct api *a, struct overload *o);
/* So many requests in progress at a time; 0 = any number. */
void api_limit(struct api *a, size_t requests);
/* For the gauge of open connections. */
void api_use_server(struct api *a, const struct http_server *s);

/* Who may come in from now on; taken over. Until it is said everybody may. */
void api_use_keys(struct api *a, struct keys *k);
/* What answers under /hob/v1/ to who has an admin key; without keys there is nothing. */
void api_use_admin(struct api *a, const struct http_handler *h, void *ctx);

size_t api_running(const struct api *a);
/* How much there is of what is limited. */
struct api_load {
    struct overload_figures memory;     /* limit 0: nobody counts it */
    struct http_server_figures connections;
    size_t running, most_running;
};
void api_load(const struct api *a, struct api_load *out);
bool api_is_reading(const struct api *a); /* a body, on the pool, which works with what may not be freed then */
/* A stream whose status has gone to the caller waits for a model that nobody loads yet: it cannot begin anew in another process, nor end in this one once
 * that has the models. */
bool api_has_stuck(const struct api *a, struct str *model);
/* New requests are refused (shutting_down), /readyz says 503; done runs once no exchange is left (at once through the loop when there is none). */
void api_drain(struct api *a, void (*done)(void *ctx), void *ctx);

#endif
