/* Asking the hub: where it is, with whose token, what a refusal means. Blocks on the network. */
#ifndef HOB_MODEL_HUB_ASK_H
#define HOB_MODEL_HUB_ASK_H

#include "conf/config.h"
#include "http/web.h"
#include "model/hub.h"

struct hub_access {
    struct str base;            /* $HF_ENDPOINT, else the configuration's, else HUB_DEFAULT; without a slash at its end */
    struct secret token;        /* $HF_TOKEN, else the configuration's, else the file that the hub's own tools keep; empty = none */
    int64_t idle_ms;
    int tries;                  /* 0: RETRY_TRIES */
    bool (*on_wait)(void *ctx); /* as struct web_get has it; NULL is fine */
    void *ctx;
};
/* Texts lie in the arena, or in the configuration. ERR_CONFIG: an address of a hub that may not be asked. */
enum err_code hub_access_of(const struct config *c, struct arena *a, struct hub_access *out, struct err *e) __attribute__((warn_unused_result));

/* The token for an address: the hub's own for what lies on the hub, none for anybody else. */
struct secret hub_token_for(const struct hub_access *h, struct str url);

/* What the repository has. Tries again when that may help. ERR_UP_*; ERR_UP_AUTH, ERR_NOT_FOUND as hub_refusal() says. */
enum err_code hub_ask(const struct hub_access *h, const struct hub_name *name, struct arena *a, struct hub_repo *out, struct err *e)
    __attribute__((warn_unused_result));

/* A status of the hub's that is no success, as an error that says what to do: accept the licence, give a token … name->org may be empty. */
enum err_code hub_refusal(const struct hub_access *h, const struct hub_name *name, struct str host, const struct web_answer *w, struct err *e);

#endif
