/* A llama-server child of ours: one model, on a unix socket in a private folder, with a key of its own. Brought up by the keeper, probed here
 * until it answers, its real context and slots read back. What it says when it dies is read by proc/obituary.
 *
 * Ready is not what /health says alone: the socket lies in a folder only we may enter, and the child must be the one that lives
 * (doc/internals/engine.md: on a port a stranger may answer). */
#include "backend/backend_int.h"
#include "backend/llama_args.h"
#include "base/random.h"
#include "json/json.h"
#include "model/weights.h"
#include "proc/obituary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    POLL_FIRST_MS = 10,             /* between two looks at /health, growing by a quarter each time */
    POLL_LAST_MS = 250,
    LOAD_LIMIT_MS = 15 * 60 * 1000, /* a load from a slow disk takes minutes; for ever is a hang */
    TERM_MS = 5000,                 /* it may hang on the first TERM with work in flight (doc/internals/engine.md) */
    TERM_AGAIN_MS = 3000,
    CHILD_IDLE_MS = 4000,           /* it closes kept connections after 5 s */
    PROPS_MAX_BYTES = 1024 * 1024,  /* the chat template is in there */
    LOG_MAX_BYTES = 8 * 1024 * 1024,
};

struct backend_kind_state {
    struct backend *b;
    struct service *service;
    struct http_call *probe;        /* GET /health or /props, one at a time */
    struct timer poll, limit;
    int64_t poll_ms;
    bool asking_props;
    int status;                     /* of the probe's answer */
    struct buf answer;
    int found_pid;                  /* of a child to be taken over; 0 = none */
    struct buf found_argv;          /* its words, each with a NUL behind it */
    struct work look;               /* at the model file, on the pool: a large header takes a while */
    enum err_code look_rc;
    struct err look_error;
    struct weights weights;
    char sock[108], key_file[128], log_file[4096];
    char key[33];
};

/* ---- probing ---- */

static void ask(struct backend_kind_state *s, bool props);

static void look_again(struct backend_kind_state *s)
{
    timer_set(&s->poll, s->poll_ms);
    s->poll_ms += s->poll_ms / 4 + 1;
    if (s->poll_ms > POLL_LAST_MS)
        s->poll_ms = POLL_LAST_MS;
}

static void read_props(struct backend_kind_state *s)
{
    struct backend *b = s->b;
    struct json_doc d = { 0 };
    struct err e;
    if (json_parse(&d, buf_str(&s->answer), &e)) {
        log_warn("%.*s: its /props is no JSON: %s", STR_ARG(b->model->name), e.text);
        return;
    }
    yyjson_val *settings = yyjson_obj_get(d.root, "default_generation_settings");
    int64_t context = yyjson_get_sint(yyjson_obj_get(settings, "n_ctx"));
    int64_t slots = yyjson_get_sint(yyjson_obj_get(d.root, "total_slots"));
    if (slots > 0)
        b->slots = slots;
    if (context > 0)
        b->context = context;
    if (b->model->context && context && context < b->model->context)
        log_warn("%.*s: asked for a context of %lld tokens, the engine gives %lld", STR_ARG(b->model->name),
            (long long)b->model->context, (long long)context);
    json_free(&d);
}

static void probe_head(void *ctx, const struct http_answer *a)
{
    struct backend_kind_state *s = ctx;
    s->status = a->status;
    buf_reset(&s->answer, 4096);
}

static void probe_body(void *ctx, struct str bytes)
{
    struct backend_kind_state *s = ctx;
    struct err e;
    if (buf_feed(&s->answer, bytes, &e))
        s->status = 0; /* not a child of the kind we know: look again until the limit */
}

static void is_hot(struct backend_kind_state *s)
{
    read_props(s);
    buf_free(&s->answer);
    timer_cancel(&s->limit);
    service_is_ready(s->service);
    s->b->last_error = (struct err){ .code = ERR_OK };
    backend_enter(s->b, BACKEND_HOT);
}

static void probe_done(void *ctx, enum err_code rc, const struct err *e)
{
    struct backend_kind_state *s = ctx;
    (void)e;
    s->probe = NULL;
    if (s->b->state != BACKEND_LOADING)
        return;
    if (rc || s->status != 200)
        look_again(s);
    else if (s->asking_props)
        is_hot(s);
    else
        ask(s, true);
}

static const struct http_call_ops probe_ops = { probe_head, probe_body, probe_done };

static void ask(struct backend_kind_state *s, bool props)
{
    struct http_request r = {
        .method = STR("GET"),
        .path = props ? STR("/props") : STR("/health"),
        .headers = buf_str(&s->b->headers),
        .first_byte_ms = 30 * 1000,
        .idle_ms = 30 * 1000,
    };
    s->asking_props = props;
    s->status = 0;
    s->probe = http_call_start(s->b->pool, &r, &probe_ops, s);
}

static void poll_now(void *ctx)
{
    struct backend_kind_state *s = ctx;
    if (!s->probe)
        ask(s, false);
}

static void stop_probing(struct backend_kind_state *s)
{
    timer_cancel(&s->poll);
    timer_cancel(&s->limit);
    http_call_cancel(s->probe);
    s->probe = NULL;
}

static void load_limit(void *ctx)
{
    struct backend_kind_state *s = ctx;
    stop_probing(s);
    err_set(&s->b->last_error, ERR_LOAD_FAILED, "The engine has been loading '%.*s' for %d minutes without getting ready; it is being stopped.",
        STR_ARG(s->b->model->name), LOAD_LIMIT_MS / 60000);
    err_hint(&s->b->last_error, "Its own words are in %s.", s->log_file);
    service_stop(s->service, TERM_MS, TERM_AGAIN_MS);
}

/* ---- the child ---- */

static void died(struct backend_kind_state *s, enum service_state now, const struct keeper_exit *death, const struct err *e)
{
    struct backend *b = s->b;
    bool was_hot = b->state == BACKEND_HOT;
    if (death)
        obituary_read(death, &b->last_error);
    else if (e)
        b->last_error = *e;
    if (b->last_error.code == ERR_OK) /* it ended by itself with exit code 0 */
        err_set(&b->last_error, ERR_LOAD_FAILED, "The engine of '%.*s' ended by itself.", STR_ARG(b->model->name));
    if (!b->last_error.hint[0])
        err_hint(&b->last_error, "Its own words are in %s.", s->log_file);
    log_error("%.*s: %s%s %s", STR_ARG(b->model->name), b->last_error.text, err_stop(&b->last_error), b->last_error.hint);
    backend_enter(b, was_hot && now != SERVICE_FAILED ? BACKEND_COLD : BACKEND_FAILED);
}

static void on_service(void *ctx, enum service_state now, const struct keeper_exit *death, const struct err *e)
{
    struct backend_kind_state *s = ctx;
    switch (now) {
    case SERVICE_STARTING:
    case SERVICE_READY:
    case SERVICE_STOPPING:
        break;
    case SERVICE_RUNNING:
        s->poll_ms = POLL_FIRST_MS;
        look_again(s);
        timer_set(&s->limit, LOAD_LIMIT_MS);
        break;
    case SERVICE_STOPPED:
    case SERVICE_FAILED:
        stop_probing(s);
        unlink(s->sock);
        if (s->b->state == BACKEND_DRAINING)
            backend_enter(s->b, BACKEND_COLD);
        else
            died(s, now, death, e);
        break;
    }
}

static const struct service_ops service_ops = { on_service };

static enum err_code write_key(struct backend_kind_state *s, struct err *e)
{
    unlink(s->key_file);
    int fd = open(s->key_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, ERR_LOAD_FAILED, errno, "cannot write the child's key to %s", s->key_file);
    ssize_t n = write(fd, s->key, 32);
    int bad = close(fd);
    return n == 32 && !bad ? ERR_OK : err_sys(e, ERR_LOAD_FAILED, errno, "cannot write the child's key to %s", s->key_file);
}

/* The headers of every request to the child; the key is in them. */
static void set_headers(struct backend_kind_state *s)
{
    struct buf *h = &s->b->headers;
    h->n = 0;
    buf_printf(h, "Authorization: Bearer %s\r\nContent-Type: application/json\r\n", s->key);
}

static bool read_key(struct backend_kind_state *s)
{
    char key[sizeof s->key] = "";
    int fd = open(s->key_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, key, sizeof key - 1);
    if (fd >= 0)
        close(fd);
    if (n != (ssize_t)sizeof key - 1)
        return false;
    memcpy(s->key, key, sizeof key);
    set_headers(s);
    return true;
}

static void join_words(struct buf *to, const struct str *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_add(to, words[i]);
        buf_add_char(to, 0);
    }
}

/* Is the child that was found the one we would start now? With its file gone only the engine knows what it has loaded: then it is. */
static bool is_as_wanted(struct backend_kind_state *s)
{
    struct llama_args args = { 0 };
    struct buf wanted = { 0 };
    struct err e;
    if (s->look_rc)
        return true;
    if (llama_find_engine(s->b->config->engine_llama, args.engine, sizeof args.engine, &e))
        return false;
    llama_args_make(&args, s->b->model, &s->weights, s->sock, s->key_file);
    join_words(&wanted, args.argv, args.nargv);
    bool same = str_eq(buf_str(&wanted), buf_str(&s->found_argv));
    buf_free(&wanted);
    llama_args_free(&args);
    return same;
}

static void unload(struct backend *b);

static void take_over(struct backend_kind_state *s)
{
    struct backend *b = s->b;
    int pid = s->found_pid;
    bool keep = is_as_wanted(s) && read_key(s);
    s->found_pid = 0;
    buf_free(&s->found_argv);
    service_adopt(s->service, pid); /* ours from here on, to keep or to stop */
    if (keep) {
        log_info("%.*s goes on in process %d", STR_ARG(b->model->name), pid);
        return;
    }
    log_info("%.*s is set up differently now: process %d is stopped", STR_ARG(b->model->name), pid);
    unload(b);
}

static void adopt(struct backend *b, const struct keeper_child *c)
{
    struct backend_kind_state *s = b->own;
    s->found_pid = c->pid;
    join_words(&s->found_argv, c->argv, c->nargv);
    backend_enter(b, BACKEND_LOADING);
    loop_work(b->loop, &s->look);
}

static enum err_code start_child(struct backend_kind_state *s, struct err *e)
{
    struct backend *b = s->b;
    struct llama_args args = { 0 };
    enum err_code rc = llama_find_engine(b->config->engine_llama, args.engine, sizeof args.engine, e);
    if (!rc)
        rc = write_key(s, e);
    if (rc)
        return rc;
    llama_args_make(&args, b->model, &s->weights, s->sock, s->key_file);
    b->context = args.context;
    b->slots = b->model->slots;
    unlink(s->sock); /* it does not remove an old one, and fails on it */
    struct keeper_spawn spawn = {
        .argv = args.argv, .nargv = args.nargv, .env = args.env, .nenv = args.nenv,
        .stderr_file = str_of(s->log_file), .stderr_max_bytes = LOG_MAX_BYTES,
    };
    service_start(s->service, &spawn);
    llama_args_free(&args);
    return ERR_OK;
}

static void look_at_file(void *ctx) /* on the pool */
{
    struct backend_kind_state *s = ctx;
    char file[4096];
    snprintf(file, sizeof file, "%.*s", STR_ARG(s->b->model->file));
    s->look_rc = weights_check(file, &s->weights, &s->look_error);
}

static void looked(void *ctx)
{
    struct backend_kind_state *s = ctx;
    struct backend *b = s->b;
    struct err e = s->look_error;
    if (s->found_pid) {
        bool unwanted = b->state == BACKEND_DRAINING;
        take_over(s);
        if (unwanted)
            unload(b);
        return;
    }
    if (b->state == BACKEND_DRAINING) { /* nobody wants it any more */
        backend_enter(b, BACKEND_COLD);
        return;
    }
    if (!s->look_rc && !start_child(s, &e))
        return;
    b->last_error = e;
    log_error("%.*s: %s%s %s", STR_ARG(b->model->name), e.text, err_stop(&e), e.hint);
    backend_enter(b, BACKEND_FAILED);
}

static void load(struct backend *b)
{
    backend_enter(b, BACKEND_LOADING); /* last_error stays until it is hot: why it was not, so far */
    loop_work(b->loop, &b->own->look);
}

static void unload(struct backend *b)
{
    struct backend_kind_state *s = b->own;
    enum service_state now = service_now(s->service);
    if (s->look.running) {
        if (b->state != BACKEND_DRAINING)
            backend_enter(b, BACKEND_DRAINING);
        return;
    }
    if (now == SERVICE_STOPPED || now == SERVICE_FAILED) {
        if (b->state != BACKEND_COLD)
            backend_enter(b, BACKEND_COLD);
        return;
    }
    stop_probing(s);
    backend_enter(b, BACKEND_DRAINING);
    service_stop(s->service, TERM_MS, TERM_AGAIN_MS);
}

static int child_pid(const struct backend *b)
{
    return service_pid(b->own->service);
}

static void free_own(struct backend *b)
{
    struct backend_kind_state *s = b->own;
    stop_probing(s);
    service_free(s->service);
    unlink(s->key_file);
    buf_free(&s->answer);
    buf_free(&s->found_argv);
    memset(s->key, 0, sizeof s->key);
    free(s);
}

/* ---- refusals ---- */

/* Statuses are no classes here (doc/internals/engine.md): some callers' faults come as 500. */
static const struct said {
    const char *needle;
    enum err_code code;
    const char *hint;
} sayings[] = {
    { "input is not supported", ERR_UNSUPPORTED_INPUT, "This model takes text only." },
    { "Loading model", ERR_UP_STATUS, "It is still loading; try again." },
    { "failed to parse grammar", ERR_INVALID_REQUEST, "Check `grammar`." },
    { "JSON schema conversion failed", ERR_SCHEMA_UNSUPPORTED, "Simplify the schema in `response_format`." },
    { "is too large to process", ERR_CONTEXT, "Split it into smaller pieces, or give the model a larger `context:` in hob.yaml." },
    { "does not support embeddings", ERR_INVALID_REQUEST, "Give the model `serves: [embed]` in hob.yaml." },
    { "does not support reranking", ERR_INVALID_REQUEST, "Give the model `serves: [rerank]` in hob.yaml." },
};

static enum err_code context_error(const struct backend *b, yyjson_val *error, struct err *e)
{
    err_set(e, ERR_CONTEXT, "The prompt has %lld tokens, '%.*s' on '%.*s' can take %lld.",
        (long long)yyjson_get_sint(yyjson_obj_get(error, "n_prompt_tokens")), STR_ARG(b->model->name), STR_ARG(b->host),
        (long long)yyjson_get_sint(yyjson_obj_get(error, "n_ctx")));
    err_hint(e, "Shorten it, or give the model a larger `context:` in hob.yaml.");
    return err_param(e, "messages");
}

static enum err_code read_refusal(const struct backend *b, int status, struct str retry_after, struct str body, struct err *e)
{
    char message[200];
    struct json_doc d = { 0 };
    struct err ignored;
    backend_error_message(body, message, sizeof message);
    if (!json_parse(&d, body, &ignored)) {
        yyjson_val *error = yyjson_obj_get(d.root, "error");
        bool too_long = str_eq(json_str(yyjson_obj_get(error, "type")), STR("exceed_context_size_error"));
        if (too_long)
            context_error(b, error, e);
        json_free(&d);
        if (too_long)
            return e->code;
    }
    for (size_t i = 0; i < COUNTOF(sayings); i++)
        if (strstr(message, sayings[i].needle)) {
            err_set(e, sayings[i].code, "%s", message);
            if (sayings[i].hint[0])
                err_hint(e, "%s", sayings[i].hint);
            return e->code;
        }
    return backend_refusal(b, status, retry_after, str_of(message), e);
}

const struct backend_kind backend_kind_llama = {
    .name = "llama", .managed = true, .load = load, .unload = unload, .adopt = adopt, .pid = child_pid, .free = free_own, .read_refusal = read_refusal,
};

void llama_init(struct backend *b, size_t index, struct str run_dir)
{
    struct backend_kind_state *s = calloc(1, sizeof *s);
    if (!s)
        die("out of memory for a child");
    b->kind = &backend_kind_llama;
    b->upstream = b->model->name;
    b->own = s;
    b->slots = b->model->slots;
    s->b = b;
    /* Numbered, not named: a model's name may be long or hold slashes, and a socket's path ends at 107 bytes. */
    snprintf(s->sock, sizeof s->sock, "%.*s/%zu.sock", STR_ARG(run_dir), index);
    snprintf(s->key_file, sizeof s->key_file, "%.*s/%zu.key", STR_ARG(run_dir), index);
    snprintf(s->log_file, sizeof s->log_file, "%.*s/engine-%zu.log", STR_ARG(b->config->state), index);
    random_hex(s->key, 32);
    buf_init(&s->answer, PROPS_MAX_BYTES);
    buf_lit(&b->path, "/v1");
    set_headers(s);
    struct addr to = { .kind = ADDR_UNIX };
    snprintf(to.host, sizeof to.host, "%s", s->sock);
    struct http_pool_opts opts = {
        .max_idle = (size_t)b->model->slots, .idle_ms = CHILD_IDLE_MS, .connect_ms = b->timeouts.connect_ms };
    b->pool = http_pool_new(b->loop, &to, STR("localhost"), &opts);
    timer_init(&s->poll, b->loop, poll_now, s);
    timer_init(&s->limit, b->loop, load_limit, s);
    work_init(&s->look, look_at_file, looked, s);
    s->service = service_new(b->services, b->model->name, &service_ops, s);
    b->state = BACKEND_COLD;
}
