/* The table of routes, and the handler the HTTP server calls. One parsed path decides everything. */
#include "api/api_int.h"
#include "api/exchange.h"

#include <stdio.h>

/* clang-format off */
static const struct route routes[] = {
    { "POST", "/v1/chat/completions", api_chat,        NEEDS_KEY,     BODY_CHAT,   "chat",       "ChatRequest",       "ChatCompletion", "ChatChunk",  NULL,
      "Answer a chat, streamed or not." },
    { "POST", "/v1/completions",      api_completions, NEEDS_KEY,     BODY_TEXT,   "complete",   "CompletionRequest", "Completion",     "Completion", NULL,
      "Go on with a text, streamed or not." },
    { "POST", "/v1/embeddings",       api_embeddings,  NEEDS_KEY,     BODY_EMBED,  "embed",      "EmbeddingRequest",  "Embeddings",     NULL,         NULL,
      "Turn texts into vectors, as numbers or base64." },
    { "POST", "/v1/rerank",           api_rerank,      NEEDS_KEY,     BODY_RERANK, "rerank",     "RerankRequest",     "Ranking",        NULL,         NULL,
      "Order documents by how well they answer a query." },
    { "GET",  "/v1/models",           api_models,      NEEDS_KEY,     BODY_NONE,   "listModels", NULL,                "Models",         NULL,         NULL,
      "List models, roles and tiers." },
    { "GET",  "/v1/models/",          api_model,       NEEDS_KEY,     BODY_NONE,   "showModel",  NULL,                "Model",          NULL,         NULL,
      "One of them, by name." },
    { "GET",  "/livez",               api_livez,       NEEDS_NOTHING, BODY_NONE,   "livez",      NULL,                "Status",         NULL,         NULL,
      "200 while the gateway runs." },
    { "GET",  "/readyz",              api_readyz,      NEEDS_NOTHING, BODY_NONE,   "readyz",     NULL,                "Status",         NULL,         "Status",
      "200 once every `keep: hot` model answers; 503 with the reason before." },
    { "GET",  "/health",              api_health,      NEEDS_NOTHING, BODY_NONE,   "health",     NULL,                "Status",         NULL,         "Loading",
      "Like /readyz, in llama-server's words." },
    { "GET",  "/metrics",             api_metrics,     NEEDS_KEY,     BODY_NONE,   "metrics",    NULL,                "text/plain",     NULL,         NULL,
      "Counters in Prometheus text form." },
    { "GET",  "/hob/v1/state",        api_state,       NEEDS_KEY,     BODY_NONE,   "state",      NULL,                "State",          NULL,         NULL,
      "How its models and its memory are, for another hob that has it as a host." },
    { "GET",  "/openapi.json",        api_openapi,     NEEDS_NOTHING, BODY_NONE,   "openapi",    NULL,                "object",         NULL,         NULL,
      "This reference, as an OpenAPI 3.1 document." },
};
/* clang-format on */

const struct route *route_at(size_t i)
{
    return i < COUNTOF(routes) ? &routes[i] : NULL;
}

bool route_has_path(const struct route *t, struct str path)
{
    struct str own = str_of(t->path);
    return own.p[own.n - 1] == '/' ? path.n > own.n && str_starts(path, own) : str_eq(path, own);
}

static bool method_fits(const struct route *t, struct str method)
{
    return str_eq(method, str_of(t->method)) || (str_eq(method, STR("HEAD")) && t->method[0] == 'G');
}

static const struct route *find_route(struct str method, struct str path, bool *path_known)
{
    *path_known = false;
    for (size_t i = 0; i < COUNTOF(routes); i++) {
        if (!route_has_path(&routes[i], path))
            continue;
        *path_known = true;
        if (method_fits(&routes[i], method))
            return &routes[i];
    }
    return NULL;
}

static enum err_code no_route(struct str path, struct err *e)
{
    struct str paths[COUNTOF(routes)];
    for (size_t i = 0; i < COUNTOF(routes); i++)
        paths[i] = str_of(routes[i].path);
    struct str near = str_nearest(path, paths, COUNTOF(paths));
    struct str shown = str_make(path.p, path.n < 100 ? path.n : 100);
    err_set(e, ERR_NOT_FOUND, "There is nothing at '%.*s'.", STR_ARG(shown));
    struct str v1 = STR("/v1");
    if (near.n)
        return err_hint(e, "Did you mean %.*s?", STR_ARG(near));
    if (!str_starts(path, v1))
        return err_hint(e, "The API is at /v1: a client's base URL ends in /v1.");
    return err_hint(e, "GET /v1/models and POST /v1/chat/completions are here.");
}

static enum err_code on_head(void *ctx, struct http_req *r, size_t *body_limit, struct err *e)
{
    struct api *a = ctx;
    bool path_known;
    struct str method = http_req_method(r), path = http_req_path(r);
    enum err_code rc = api_let_in(a, r, e);
    if (rc)
        return rc;
    const struct route *t = find_route(method, path, &path_known);
    const struct http_handler *admin = t ? NULL : api_admin_at(a, path);
    if (api_is_preflight(r) && (path_known || admin)) {
        *body_limit = 0;
        return ERR_OK;
    }
    rc = t || admin ? api_admit(a, admin ? NEEDS_ADMIN : t->needs, r, e) : ERR_OK;
    if (rc)
        return rc;
    if (admin)
        return admin->on_head(a->admin_ctx, r, body_limit, e);
    if (t && t->body != BODY_NONE && api_has_room(a, r, e))
        return e->code;
    if (t) {
        *body_limit = t->body != BODY_NONE ? (size_t)api_config(a)->body_bytes : 64 * KIB;
        return ERR_OK;
    }
    if (!path_known)
        return no_route(path, e);
    err_set(e, ERR_METHOD, "%.*s is not for '%.*s'.", STR_ARG(method), STR_ARG(path));
    return err_hint(e, "The Allow header names what is.");
}

/* Strangers shall not fill the book, and whoever is too many is to cost little. */
static bool gets_a_row(const struct route *t, enum err_code code)
{
    return t && t->body != BODY_NONE && code != ERR_TOO_MANY_ATTEMPTS && code != ERR_HOST && code != ERR_ORIGIN && code != ERR_OVERLOADED;
}

/* Whoever gets no row leaves a line in the log at least. */
static void note_turned(struct api *a, struct http_req *r, const struct err *e, bool has_row)
{
    static const enum turned of_overload[] = { [OVERLOADED_MEMORY] = TURNED_MEMORY, [OVERLOADED_REQUESTS] = TURNED_REQUESTS, [OVERLOADED_CONNECTIONS] = TURNED_CONNECTIONS };
    unsigned char peer[16];
    enum turned why = turned_why(e, http_req_tongue(r), of_overload[e->code == ERR_OVERLOADED ? api_why_overloaded(a, r) : OVERLOADED_MEMORY]);
    if (why == TURNED_REASONS)
        return;
    metrics_turned(a->metrics, turned_name[why]);
    http_req_peer(r, peer);
    if (!has_row)
        turned_say(&a->turned, why, peer, e);
}

static void on_refused(void *ctx, struct http_req *r, const struct err *e)
{
    struct api *a = ctx;
    char id[REQUEST_ID_BYTES];
    bool path_known;
    const struct route *t = find_route(http_req_method(r), http_req_path(r), &path_known);
    if (e->code == ERR_OVERLOADED)
        metrics_overloaded(a->metrics, api_why_overloaded(a, r));
    note_turned(a, r, e, gets_a_row(t, e->code));
    if (gets_a_row(t, e->code)) {
        exchange_refuse(a, r, route_task(t), e);
        return;
    }
    reply_make_id(id);
    struct request_figures f = { .endpoint = STR("refused"), .code = str_of(err_row(e->code)->code), .seconds = -1, .ttft_seconds = -1,
        .input_tokens = -1, .output_tokens = -1 };
    metrics_request(a->metrics, &f);
    const struct http_handler *admin = api_admin_at(a, http_req_path(r));
    if (admin)
        admin->on_refused(a->admin_ctx, r, e);
    else
        reply_error(r, e, str_of(id), STR(""));
}

/* For the admin door any of its methods: which, it says itself. */
static void answer_preflight(struct http_req *r)
{
    struct buf methods = { 0 };
    const struct route *t;
    for (size_t i = 0; (t = route_at(i)); i++)
        if (route_has_path(t, http_req_path(r)))
            buf_printf(&methods, "%s%s%s", methods.n ? ", " : "", t->method, t->method[0] == 'G' ? ", HEAD" : "");
    if (!methods.n)
        buf_lit(&methods, "GET, HEAD, POST");
    api_answer_preflight(r, buf_str(&methods));
    buf_free(&methods);
}

static void on_request(void *ctx, struct http_req *r)
{
    struct api *a = ctx;
    bool path_known;
    const struct route *t = find_route(http_req_method(r), http_req_path(r), &path_known);
    const struct http_handler *admin = t ? NULL : api_admin_at(a, http_req_path(r));
    struct err e;
    if (api_is_preflight(r))
        answer_preflight(r);
    else if (t)
        t->handle(a, r);
    else if (admin)
        admin->on_request(a->admin_ctx, r);
    else if (no_route(http_req_path(r), &e)) /* its keys were taken away while its body came */
        on_refused(a, r, &e);
}

const struct http_handler api_http = { .on_head = on_head, .on_request = on_request, .on_refused = on_refused };
