/* A place that speaks the Messages API: Anthropic's own, or a server that has taken it over. Somebody else's to keep, as with kind_openai.c; it chats and does
 * nothing else. */
#include "backend/backend_int.h"
#include "backend/pool.h"

static void nothing(struct backend *b)
{
    (void)b;
}

/* ---- refusals ---- */

/* What tells more than the type of an error does. */
static const struct said {
    const char *needle;
    enum err_code code;
    const char *hint;
} sayings[] = {
    { "prompt is too long", ERR_CONTEXT, "Shorten it, or route it to a model with a larger window." },
    { "exceed context limit", ERR_CONTEXT, "Shorten it, or ask for a shorter answer." },
    { "credit balance is too low", ERR_UP_AUTH, "Its account has to be topped up." },
    { "output_config.format", ERR_SCHEMA_UNSUPPORTED, "Simplify the schema in `response_format`, or take a newer model." },
    { "does not support image", ERR_UNSUPPORTED_INPUT, "Give this model `input: [text]` in hob.yaml." },
};

/* Its sentences name the figures ("prompt is too long: 215000 tokens > 200000 maximum"): they are worth repeating. */
static enum err_code read_saying(const struct backend *b, struct str said, struct err *e)
{
    for (size_t i = 0; i < COUNTOF(sayings); i++) {
        if (str_find(said, str_of(sayings[i].needle)) < 0)
            continue;
        if (sayings[i].code == ERR_UP_AUTH)
            err_set(e, ERR_UP_AUTH, "'%.*s' on '%.*s' has no credit left.", STR_ARG(b->name), STR_ARG(b->host));
        else
            err_set(e, sayings[i].code, "'%.*s' on '%.*s': %.*s", STR_ARG(b->name), STR_ARG(b->host), STR_ARG(said));
        err_hint(e, "%s", sayings[i].hint);
        return sayings[i].code == ERR_CONTEXT ? err_param(e, "messages") : sayings[i].code;
    }
    return ERR_OK;
}

static enum err_code read_refusal(const struct backend *b, int status, struct str retry_after, struct str body, struct err *e)
{
    char said[200];
    backend_error_message(body, said, sizeof said);
    return read_saying(b, str_of(said), e) ? e->code : backend_refusal(b, status, retry_after, str_of(said), e);
}

const struct backend_kind backend_kind_anthropic = {
    .name = "anthropic", .managed = false, .dialect = &dialect_anthropic, .chats_only = true, .load = nothing, .unload = nothing, .free = nothing,
    .read_refusal = read_refusal,
};

void anthropic_init(struct backend *b)
{
    struct str path;
    b->kind = &backend_kind_anthropic;
    if (!backend_open_pool(b, &path))
        return;
    backend_set_base(b, path);
    buf_lit(&b->list, "?limit=1000"); /* else it gives a page of twenty */
    if (b->place->key.hidden.n)
        buf_printf(&b->headers, "x-api-key: %.*s\r\n", STR_ARG(b->place->key.hidden));
    buf_lit(&b->headers, "anthropic-version: 2023-06-01\r\nContent-Type: application/json\r\n");
    b->state = BACKEND_HOT;
}
