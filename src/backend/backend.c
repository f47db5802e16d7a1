/* What all kinds share: the state, the timeouts, how refusals read. */
#include "backend/backend.h"

#include "backend/child.h"
#include "backend/host.h"
#include "conf/conf.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>

const char *const backend_state_name[] = {
    [BACKEND_COLD] = "cold",         [BACKEND_LOADING] = "loading", [BACKEND_HOT] = "hot",
    [BACKEND_DRAINING] = "draining", [BACKEND_FAILED] = "failed", [BACKEND_WEDGED] = "wedged",
};

void backend_enter(struct backend *b, enum backend_state to)
{
    int64_t now = loop_now_ms(b->loop);
    if (b->state == BACKEND_LOADING && to == BACKEND_HOT)
        b->load_ms = now - b->since_ms;
    if (b->kind->managed && to != b->state)
        log_debug("%.*s on %.*s: %s -> %s", STR_ARG(b->name), STR_ARG(b->host), backend_state_name[b->state],
            backend_state_name[to]);
    b->state = to;
    b->since_ms = now;
    if (b->kind->managed && to == BACKEND_HOT) {
        health_renew(b);
        b->cannot_count = false;
    }
    if (b->on_state)
        b->on_state(b->ctx, b);
}

/* The narrower one wins where it is set. */
static int64_t pick(int64_t narrow, int64_t wide)
{
    return narrow ? narrow : wide;
}

static struct conf_timeouts resolve_timeouts(const struct config *c, const struct conf_host *h)
{
    static const struct conf_timeouts none = { 0 };
    const struct conf_timeouts *n = h ? &h->timeouts : &none;
    return (struct conf_timeouts){
        .connect_ms = pick(n->connect_ms, c->timeouts.connect_ms),
        .first_byte_ms = pick(n->first_byte_ms, c->timeouts.first_byte_ms),
        .idle_ms = pick(n->idle_ms, c->timeouts.idle_ms),
        .total_ms = pick(n->total_ms, c->timeouts.total_ms),
    };
}

static struct str own_copy(struct str s)
{
    char *p = strndup(s.n ? s.p : "", s.n);
    if (!p)
        die("out of memory for a backend's name");
    return str_make(p, s.n);
}

static void free_copy(struct str s)
{
    free((void *)(uintptr_t)s.p);
}

void backend_use_config(struct backend *b, const struct config *c, size_t index)
{
    const struct config *old = b->config;
    b->config = conf_hold(c);
    b->model = &c->models[index];
    b->place = b->model->host.n ? conf_host(c, b->model->host) : NULL;
    b->says_can = conf_says(c, &b->model->can);
    b->timeouts = resolve_timeouts(c, b->place);
    if (b->model->file.n)
        llama_think_by(b);
    else
        b->think = think_family(b->place, b->model->upstream.n ? b->model->upstream : b->model->name, b->model->think_by);
    conf_free(old);
    if (b->child && b->state == BACKEND_HOT)
        child_watch_start(b->child); /* `warm` and `silence` hold from now on */
}

void backend_renew(struct backend *b, const struct config *c, size_t index)
{
    backend_use_config(b, c, index);
    b->slots = b->model->slots;
    b->context = 0;
    b->load_ms = 0;
    b->tools = TRI_UNSAID;
    b->last_error = (struct err){ .code = ERR_OK };
    if (b->state != BACKEND_COLD)
        backend_enter(b, BACKEND_COLD);
}

unsigned backend_can(const struct backend *b)
{
    unsigned can = b->model->can;
    return b->tools == TRI_NO && !b->says_can ? can & ~(unsigned)CAN_TOOLS : can;
}

void backend_take_template(struct backend *b, const struct template_look *look)
{
    for (size_t i = 0; i < b->model->args.n; i++)
        if (str_starts(b->model->args.at[i], STR("--chat-template"))) /* another is meant */
            return;
    if (look->parses)
        b->tools = look->tools ? TRI_YES : TRI_NO;
}

int64_t backend_context(const struct backend *b)
{
    int64_t said = b->context, configured = b->model->context;
    if (!said || !configured)
        return said ? said : configured;
    if (b->kind->managed)
        return said;
    return b->kind->ends_there && said < configured ? said : configured;
}

void backend_retire(struct backend *b)
{
    if (b->retired)
        return;
    b->on_state = NULL;
    host_leave(b);
    b->kind->free(b);
    b->child = NULL;
    b->retired = true;
}

void backend_set_base(struct backend *b, struct str path)
{
    buf_add(&b->path, path);
    if (!str_ends(path, STR("/v1")))
        buf_lit(&b->path, "/v1");
    buf_printf(&b->list, "%.*s/models", STR_ARG(buf_str(&b->path)));
}

static void (*const host_inits[])(struct backend *b) = {
    [HOST_OPENAI] = openai_init, [HOST_ANTHROPIC] = anthropic_init, [HOST_OLLAMA] = ollama_init, [HOST_HOB] = hob_init,
};

struct backend *backend_new(struct loop *l, const struct config *c, size_t index, struct services *services, struct str run_dir,
    void (*on_state)(void *ctx, struct backend *b), void *ctx)
{
    struct backend *b = calloc(1, sizeof *b);
    if (!b)
        die("out of memory for a backend");
    backend_use_config(b, c, index);
    b->loop = l;
    b->services = services;
    b->name = own_copy(b->model->name);
    b->host = own_copy(b->place ? b->place->name : STR("local"));
    b->upstream = own_copy(b->model->upstream.n ? b->model->upstream : b->name);
    if (b->place)
        host_inits[b->place->kind](b);
    else if (b->model->command.n)
        command_init(b, run_dir);
    else
        llama_init(b, run_dir);
    b->on_state = on_state; /* only now: what init entered is where it begins */
    b->ctx = ctx;
    return b;
}

void backend_free(struct backend *b)
{
    if (!b)
        return;
    backend_retire(b);
    if (b->pool)
        http_pool_free(b->pool);
    buf_free(&b->path);
    buf_free(&b->list);
    if (b->headers.p)
        wipe(b->headers.p, b->headers.cap); /* a key was in it */
    buf_free(&b->headers);
    free_copy(b->name);
    free_copy(b->host);
    free_copy(b->upstream);
    conf_free(b->config);
    free(b);
}

void backend_load(struct backend *b)
{
    b->kind->load(b);
}

void backend_unload(struct backend *b)
{
    b->kind->unload(b);
}

void backend_adopt(struct backend *b, const struct keeper_child *c)
{
    b->kind->adopt(b, c);
}

int backend_pid(const struct backend *b)
{
    return b->kind->pid && !b->retired ? b->kind->pid(b) : 0;
}

void backend_thought(struct backend *b, bool did)
{
    enum { IN_A_ROW = 3 };
    bool was = b->flags & BACKEND_THINKS_THOUGH_OFF;
    b->unasked = did ? b->unasked + (b->unasked < IN_A_ROW) : 0;
    bool is = b->unasked >= IN_A_ROW;
    b->flags = is ? b->flags | BACKEND_THINKS_THOUGH_OFF : b->flags & ~(unsigned)BACKEND_THINKS_THOUGH_OFF;
    if (is && !was)
        log_warn("%.*s on %.*s thinks, though it is told not to: `thinking_by:` says how it is told", STR_ARG(b->name), STR_ARG(b->host));
    else if (was && !is)
        log_info("%.*s on %.*s heeds again that it is not to think", STR_ARG(b->name), STR_ARG(b->host));
}

bool backend_is_local(const struct backend *b)
{
    return !b->place || b->place->local;
}

static bool is_page(struct str text)
{
    static const struct str begins[] = { STR("<!doctype html"), STR("<html") };
    for (size_t i = 0; i < COUNTOF(begins); i++)
        if (text.n >= begins[i].n && str_eq_nocase(str_make(text.p, begins[i].n), begins[i]))
            return true;
    return false;
}

/* What is no JSON, as one line: it goes into a sentence. A page is for a browser, and its text far behind its beginning. */
static void cite(struct str body, char *out, size_t room)
{
    enum { MOST = 120 };
    struct str line = str_trim(body);
    size_t n = 0;
    if (is_page(line)) {
        snprintf(out, room, "a web page");
        return;
    }
    for (size_t i = 0; i < line.n && n < MOST && n + 1 < room; i++) {
        bool space = (unsigned char)line.p[i] <= ' ';
        if (!space)
            out[n++] = line.p[i];
        else if (n && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    out[n] = 0;
}

void backend_error_message(struct str body, char *out, size_t room)
{
    struct json_doc d = { 0 };
    struct err e;
    out[0] = 0;
    if (json_parse(&d, body, &e)) {
        cite(body, out, room);
        return;
    }
    yyjson_val *error = yyjson_obj_get(d.root, "error");
    struct str said = json_str(yyjson_is_obj(error) ? yyjson_obj_get(error, "message") : error);
    if (!said.n)
        said = json_str(yyjson_obj_get(d.root, "message"));
    snprintf(out, room, "%.*s", STR_ARG(said));
    json_free(&d);
}

/* What a status says by itself; the place's kind may know better. */
static const struct refusal {
    int from, to;
    enum err_code code;
    const char *text, *hint;
} refusals[] = {
    { 402, 402, ERR_UP_AUTH, "wants to be paid", "Its account has to be topped up." },
    { 401, 401, ERR_UP_AUTH, "did not accept the gateway's key", "Check `key:` of this host in hob.yaml." },
    { 403, 403, ERR_UP_AUTH, "did not accept the gateway's key", "Check `key:` of this host in hob.yaml." },
    { 407, 407, ERR_UP_AUTH, "stands behind a proxy that wants a login", "Check the host's proxy." },
    { 404, 404, ERR_UP_MODEL_MISSING, "does not have this model or path", "Check `name:` of the model and `url:` of the host in hob.yaml." },
    { 408, 408, ERR_UP_TIMEOUT, "gave up waiting", "" },
    { 413, 413, ERR_TOO_LARGE, "takes no request of this size", "" },
    { 529, 529, ERR_UP_BUSY, "has too much to do", "Try again later." },
    { 429, 429, ERR_UP_BUSY, "has too much to do", "Try again later." },
    { 400, 499, ERR_INVALID_REQUEST, "refused the request", "" },
    { 504, 504, ERR_UP_TIMEOUT, "gave up waiting", "" },
    { 0, 999, ERR_UP_STATUS, "failed", "" },
};

/* Some places repeat the key they did not like, whole or in part: that is not for callers. */
static bool is_citable(const struct backend *b, enum err_code code, struct str said)
{
    struct str key = b->place ? b->place->key.hidden : STR("");
    return code != ERR_UP_AUTH && (!key.n || str_find(said, key) < 0);
}

enum err_code backend_refusal(const struct backend *b, int status, struct str retry_after, struct str said, struct err *e)
{
    const struct refusal *r = refusals;
    while (status < r->from || status > r->to)
        r++;
    if (!is_citable(b, r->code, said))
        said = STR("");
    if (r->code == ERR_INVALID_REQUEST && said.n) /* its words are for the caller */
        err_set(e, r->code, "%.*s", STR_ARG(said));
    else
        err_set(e, r->code, "'%.*s' on '%.*s' %s (%d)%s%.*s", STR_ARG(b->name), STR_ARG(b->host), r->text, status,
            said.n ? ": " : "", STR_ARG(said));
    if (r->code == ERR_UP_AUTH && !b->place)
        err_hint(e, "Something has changed its key file: unload the model, the next request loads it again.");
    else if (r->hint[0])
        err_hint(e, "%s", r->hint);
    int64_t wait = 0;
    if ((r->code == ERR_UP_BUSY || status == 503) && str_to_int(str_trim(retry_after), 0, 86400, &wait))
        e->retry_after_s = (int)wait;
    return r->code;
}

enum err_code backend_plain_refusal(const struct backend *b, int status, struct str retry_after, struct str body, struct err *e)
{
    char said[200];
    backend_error_message(body, said, sizeof said);
    return backend_refusal(b, status, retry_after, str_of(said), e);
}
