/* The door for browsers: who is turned away at once (guard/door.h), and what pages that may use this gateway are told (CORS). Others are told nothing, and no answer
 * is for everybody. */
#include "api/api_int.h"

/* What an answer tells that is no part of its body. */
#define EXPOSED "x-request-id, x-should-retry, retry-after, x-hob-model, x-hob-host, x-hob-tier, x-hob-role, x-hob-fallback, x-hob-dropped, x-hob-context, x-hob-schema, x-hob-lint, deprecation, sunset, link"

enum err_code api_let_in(struct api *a, struct http_req *r, struct err *e)
{
    struct str origin;
    struct buf lines = { 0 };
    enum err_code rc = door_check(&a->door, http_req_method(r), http_req_headers(r), &origin, e);
    if (rc || !origin.n)
        return rc;
    buf_printf(&lines, "Access-Control-Allow-Origin: %.*s\r\nVary: Origin\r\nAccess-Control-Expose-Headers: " EXPOSED "\r\n", STR_ARG(origin));
    http_req_add_headers(r, buf_str(&lines));
    buf_free(&lines);
    return ERR_OK;
}

bool api_is_preflight(const struct http_req *r)
{
    return door_is_preflight(http_req_method(r), http_req_headers(r));
}

/* What programs send, ours and others'. A name that ends in '-' stands for all that begin so. */
static const struct str askable[] = {
    STR("authorization"), STR("content-type"), STR("accept"), STR("x-api-key"), STR("x-hob-"), STR("x-client-request-id"), STR("x-request-id"), STR("traceparent"),
    STR("x-stainless-"), STR("openai-"), STR("anthropic-"), STR("x-title"), STR("http-referer"), STR("cache-control"), STR("user-agent"), STR("x-requested-with"),
};

static bool is_askable(struct str name)
{
    for (size_t i = 0; i < COUNTOF(askable); i++) {
        struct str want = askable[i], begin = str_make(name.p, name.n < want.n ? name.n : want.n);
        bool prefix = want.p[want.n - 1] == '-';
        if (str_eq_nocase(prefix ? begin : name, want))
            return true;
    }
    return false;
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] == '-' || s.p[i] == '_' || (s.p[i] >= '0' && s.p[i] <= '9') || ((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'z')))
            return false;
    return s.n > 0;
}

/* Of what the browser wants to send what may be: lists with stars in them say nothing about Authorization. */
static void put_askable(struct buf *to, struct str wanted)
{
    struct str one;
    size_t n = 0;
    while (wanted.n) {
        one = str_trim(str_cut(wanted, ',', &wanted));
        if (is_token(one) && is_askable(one))
            buf_printf(to, "%s%.*s", n++ ? ", " : "Access-Control-Allow-Headers: ", STR_ARG(one));
    }
    if (n)
        buf_lit(to, "\r\n");
}

void api_answer_preflight(struct http_req *r, struct str methods)
{
    struct buf head = { 0 };
    buf_printf(&head, "Access-Control-Allow-Methods: %.*s\r\nAccess-Control-Max-Age: 600\r\n", STR_ARG(methods));
    put_askable(&head, http_req_header(r, STR("access-control-request-headers")));
    if (str_eq(http_req_header(r, STR("access-control-request-private-network")), STR("true")))
        buf_lit(&head, "Access-Control-Allow-Private-Network: true\r\n"); /* this machine, or its network, asked for from outside: the origin was named */
    http_reply(r, 204, STR(""), buf_str(&head), NULL, 0);
    buf_free(&head);
}
