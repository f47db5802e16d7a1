/* A llama-server child of ours: one model, on a unix socket in a private folder, with a key of its own, its real context and slots read back.
 * How it lives is in child.c; here is what it is started with, what it says of itself, and how its refusals read.
 *
 * Ready is not what /health says alone: the socket lies in a folder only we may enter, and the child must be the one that lives
 * (doc/internals/engine.md: on a port a stranger may answer). */
#include "backend/child.h"
#include "backend/engine.h"
#include "backend/llama_args.h"
#include "json/json.h"
#include "model/weights.h"

#include <stdlib.h>

struct llama {
    struct child child;
    struct weights weights;
};

static struct llama *llama_of(struct child *c)
{
    return list_entry(c, struct llama, child);
}

static enum err_code look(struct child *c, struct err *e)
{
    return weights_check(c->file, &llama_of(c)->weights, e);
}

static enum err_code make_launch(struct child *c, struct launch *out, struct err *e)
{
    struct backend *b = c->b;
    struct llama_args args = { 0 };
    enum err_code rc = engine_path(b->config, b->model->engine, args.engine, sizeof args.engine, e);
    if (rc)
        return rc;
    llama_args_make(&args, b->model, &llama_of(c)->weights, c->sock, c->key_file, out);
    b->context = args.context;
    b->slots = b->model->slots;
    return ERR_OK;
}

/* ---- what it says of itself ---- */

static bool question(struct child *c, int nth, struct child_question *out)
{
    (void)c;
    *out = (struct child_question){ .path = STR("/props") };
    return nth == 0;
}

static void read_props(struct backend *b, struct str body)
{
    struct json_doc d = { 0 };
    struct err e;
    if (json_parse(&d, body, &e)) {
        log_warn("%.*s: its /props is no JSON: %s", STR_ARG(b->name), e.text);
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
        log_warn("%.*s: asked for a context of %lld tokens, the engine gives %lld", STR_ARG(b->name),
            (long long)b->model->context, (long long)context);
    json_free(&d);
}

static enum child_heard heard(struct child *c, int nth, int status, struct str body, struct err *e)
{
    (void)nth;
    (void)e;
    if (status != 200)
        return CHILD_ASK_AGAIN;
    read_props(c->b, body);
    return CHILD_GO_ON;
}

static void free_own(struct child *c)
{
    free(llama_of(c));
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
        (long long)yyjson_get_sint(yyjson_obj_get(error, "n_prompt_tokens")), STR_ARG(b->name), STR_ARG(b->host),
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

static const struct child_kind llama_child = {
    .look = look, .launch = make_launch, .health = "/health", .question = question, .heard = heard, .silence_ms = 20 * 1000, .free = free_own,
};

const struct backend_kind backend_kind_llama = {
    .name = "llama", .managed = true, .rebuilt = true, .load = child_load, .unload = child_unload, .adopt = child_adopt, .pid = child_pid, .free = child_free,
    .read_refusal = read_refusal,
};

void llama_init(struct backend *b, struct str run_dir)
{
    struct llama *s = calloc(1, sizeof *s);
    if (!s)
        die("out of memory for a child");
    b->kind = &backend_kind_llama;
    child_init(&s->child, b, &llama_child, run_dir);
}
