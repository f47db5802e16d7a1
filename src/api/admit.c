/* Who may come in. The table of routes says what each needs (routes.c); the path that was parsed for that is the only one there is. Without keys in the
 * configuration everybody who reaches the port may ask for models, and nobody for /hob/v1/, which is at the unix socket then. */
#include "api/api_int.h"

enum err_code api_who(const struct api *a, const struct http_req *r, const struct conf_key **who, struct err *e)
{
    *who = NULL;
    return a->keys ? keys_check(a->keys, http_req_headers(r), who, e) : ERR_OK;
}

bool api_knows(const struct api *a, const struct http_req *r)
{
    const struct conf_key *who;
    struct err e;
    return api_who(a, r, &who, &e) == ERR_OK;
}

static enum err_code refuse(struct api *a, const struct http_req *r, struct err *e)
{
    unsigned char peer[PEER_BYTES];
    http_req_peer(r, peer);
    return attempts_failed(a->attempts, peer, loop_now_ms(a->loop), e);
}

enum err_code api_admit(struct api *a, enum route_needs needs, const struct http_req *r, struct err *e)
{
    const struct conf_key *who;
    if (needs == NEEDS_NOTHING || !a->keys || keys_open(a->keys))
        return ERR_OK;
    if (key_in_query(http_req_query(r))) {
        err_set(e, ERR_INVALID_REQUEST, "The address carries a key, where logs and histories keep it.");
        return err_hint(e, "Send it as `Authorization: Bearer KEY`, and take this one out of use if it was right.");
    }
    if (api_who(a, r, &who, e))
        return refuse(a, r, e);
    if (needs != NEEDS_ADMIN || (who && who->admin))
        return ERR_OK;
    err_set(e, ERR_NOT_ALLOWED, "The key of %.*s does not open /hob/v1.", STR_ARG(who ? who->name : STR("nobody")));
    return err_hint(e, "The operator gives it `admin: on`.");
}

const struct http_handler *api_admin_at(const struct api *a, struct str path)
{
    return a->keys && !keys_open(a->keys) && str_starts(path, STR("/hob/v1/")) ? a->admin : NULL;
}
