/* One question to the hub's public API, and the sentences for its refusals. */
#include "model/hub_ask.h"

#include "http/web_url.h"
#include "model/retry.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_TOKEN_FILE = 4096 };

/* ---- whom to ask, and as whom ---- */

static struct str read_token_file(struct str path, struct arena *a)
{
    char text[MAX_TOKEN_FILE];
    struct str none = { NULL, 0 };
    int fd = open(path.p, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0)
        close(fd);
    return n > 0 ? arena_copy(a, str_trim(str_make(text, (size_t)n))) : none;
}

/* Where the hub's own tools keep it. */
static struct str stored_token(struct arena *a)
{
    const char *path = getenv("HF_TOKEN_PATH"), *home = getenv("HF_HOME"), *cache = getenv("XDG_CACHE_HOME"), *user = getenv("HOME");
    struct str none = { NULL, 0 };
    if (path && path[0])
        return read_token_file(str_of(path), a);
    if (home && home[0])
        return read_token_file(arena_printf(a, "%s/token", home), a);
    if (cache && cache[0])
        return read_token_file(arena_printf(a, "%s/huggingface/token", cache), a);
    return user && user[0] ? read_token_file(arena_printf(a, "%s/.cache/huggingface/token", user), a) : none;
}

enum err_code hub_access_of(const struct config *c, struct arena *a, struct hub_access *out, struct err *e)
{
    struct str base = str_trim(str_of(getenv("HF_ENDPOINT"))), token = str_trim(str_of(getenv("HF_TOKEN")));
    struct web_url url;
    struct err why;
    if (!base.n)
        base = c->hub.n ? c->hub : STR(HUB_DEFAULT);
    while (base.n && base.p[base.n - 1] == '/')
        base.n--;
    if (web_url_parse(base, &url, &why)) {
        err_set(e, ERR_CONFIG, "the hub's address is none that may be asked: %.200s", why.text);
        return err_hint(e, "check HF_ENDPOINT and `pull.hub`");
    }
    if (!token.n)
        token = c->hub_token.hidden.n ? c->hub_token.hidden : stored_token(a);
    *out = (struct hub_access){ .base = arena_copy(a, base), .token = { token }, .idle_ms = c->timeouts.idle_ms,
        .tries = c->mirrors.n ? 2 : 0 }; /* who has mirrors may do without it */
    return ERR_OK;
}

struct secret hub_token_for(const struct hub_access *h, struct str url)
{
    struct web_url hub, other;
    struct err e;
    bool own = !web_url_parse(h->base, &hub, &e) && !web_url_parse(url, &other, &e) && web_url_same_origin(&hub, &other);
    return own ? h->token : (struct secret){ { NULL, 0 } };
}

/* ---- what refusals mean ---- */

static enum err_code refused_access(const struct hub_access *h, const struct hub_name *name, struct str host, const struct web_answer *w, struct err *e)
{
    bool has_token = h->token.hidden.n > 0, gated = strcmp(w->error_code, "GatedRepo") == 0;
    struct arena a;
    if (!name->org.n) {
        err_set(e, ERR_UP_AUTH, "%.*s answered %d: it does not give the file to everybody", STR_ARG(host), w->status);
        return err_hint(e, "HF_TOKEN goes to the hub only, never to other hosts");
    }
    arena_init(&a);
    struct str page = hub_page_url(h->base, name, &a);
    if (gated) {
        err_set(e, ERR_UP_AUTH, "%.*s/%.*s is given only to who has accepted its licence: accept the licence at %.*s", STR_ARG(name->org),
            STR_ARG(name->repo), STR_ARG(page));
        err_hint(e, has_token ? "then try again" : "then make a token on the hub and set HF_TOKEN: the token is missing");
    } else if (has_token) {
        err_set(e, ERR_UP_AUTH, "%.*s answered %d: the token was refused, or may not see %.*s/%.*s", STR_ARG(host), w->status, STR_ARG(name->org),
            STR_ARG(name->repo));
        err_hint(e, "check HF_TOKEN (or `pull.token`), and that the name is right");
    } else {
        err_set(e, ERR_UP_AUTH, "%.*s answered %d: there is no %.*s/%.*s, or it is private and the token is missing", STR_ARG(host), w->status,
            STR_ARG(name->org), STR_ARG(name->repo));
        err_hint(e, "check the name; for a private repository set HF_TOKEN");
    }
    arena_fini(&a);
    return ERR_UP_AUTH;
}

enum err_code hub_refusal(const struct hub_access *h, const struct hub_name *name, struct str host, const struct web_answer *w, struct err *e)
{
    bool has_token = h->token.hidden.n > 0;
    if (w->status == 401 || w->status == 403)
        return refused_access(h, name, host, w, e);
    if (w->status == 404 && name->org.n) {
        err_set(e, ERR_NOT_FOUND, "%.*s answered 404: there is no %.*s/%.*s%s%.*s%s", STR_ARG(host), STR_ARG(name->org), STR_ARG(name->repo),
            name->revision.n ? " at " : "", STR_ARG(name->revision), has_token ? "" : ", or it is private and the token is missing");
        return err_hint(e, has_token ? "check the name" : "check the name; for a private repository set HF_TOKEN");
    }
    if (w->status == 404)
        return err_set(e, ERR_NOT_FOUND, "%.*s answered 404: it has no such file", STR_ARG(host));
    if (w->status == 429) {
        err_set(e, ERR_UP_BUSY, "%.*s answered 429: too many requests", STR_ARG(host));
        return err_hint(e, "try again later; with a token (HF_TOKEN) the hub allows more");
    }
    return err_set(e, w->status >= 500 || w->status == 408 ? ERR_UP_STATUS : ERR_UP_GARBLED, "%.*s answered %d", STR_ARG(host), w->status);
}

/* ---- asking ---- */

static enum err_code ask_once(const struct hub_access *h, const struct hub_name *name, struct str url, struct web_answer *w, struct err *e)
{
    struct web_get g = { .url = url, .bearer = h->token, .idle_ms = h->idle_ms, .body_max = HUB_MAX_INFO, .on_wait = h->on_wait, .ctx = h->ctx };
    enum err_code rc = web_fetch(&g, w, e);
    if (!rc && w->status != 200)
        rc = hub_refusal(h, name, str_of(w->final_host), w, e);
    return rc;
}

enum err_code hub_ask(const struct hub_access *h, const struct hub_name *name, struct arena *a, struct hub_repo *out, struct err *e)
{
    struct retry again = { .tries = h->tries, .on_wait = h->on_wait, .ctx = h->ctx };
    struct str url = hub_info_url(h->base, name, a);
    for (;;) {
        struct web_answer w;
        enum err_code rc = ask_once(h, name, url, &w, e);
        if (!rc)
            rc = hub_repo_read(buf_str(&w.body), a, out, e);
        buf_free(&w.body);
        if (!retry_may_help(rc) || !retry_pause(&again, w.retry_after_s))
            return rc;
    }
}
