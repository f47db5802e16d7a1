/* From the body of a request to an ask. */
#include "api/ask.h"

#include "api/exchange.h"
#include "policy/fields.h"

static const struct part {
    const char *type;
    unsigned input;
} parts[] = {
    { "text", INPUT_TEXT },         { "refusal", INPUT_TEXT },    { "image_url", INPUT_IMAGE }, { "input_image", INPUT_IMAGE },
    { "input_audio", INPUT_AUDIO }, { "audio_url", INPUT_AUDIO }, { "video_url", INPUT_VIDEO }, { "input_video", INPUT_VIDEO },
};

static unsigned part_input(yyjson_val *part)
{
    struct str type = json_str(yyjson_obj_get(part, "type"));
    for (size_t i = 0; i < COUNTOF(parts); i++)
        if (str_eq(type, str_of(parts[i].type)))
            return parts[i].input;
    return INPUT_TEXT; /* a kind we do not know is for the place to judge */
}

static unsigned read_inputs(yyjson_val *messages)
{
    unsigned seen = INPUT_TEXT;
    size_t i, n, k, m;
    yyjson_val *message, *part;
    yyjson_arr_foreach(messages, i, n, message) {
        yyjson_val *content = yyjson_obj_get(message, "content");
        yyjson_arr_foreach(content, k, m, part) seen |= part_input(part);
    }
    return seen;
}

static const struct need {
    enum serves serves;
    const char *body;       /* what a body must have, for who sends none */
} needs[] = {
    [TASK_CHAT]   = { SERVES_CHAT,   "'model' and 'messages'" },
    [TASK_TEXT]   = { SERVES_CHAT,   "'model' and 'prompt'" },
    [TASK_EMBED]  = { SERVES_EMBED,  "'model' and 'input'" },
    [TASK_RERANK] = { SERVES_RERANK, "'model', 'query' and 'documents'" },
};

enum err_code ask_read(struct str body, enum task task, struct json_doc *d, struct ask *ask, struct err *e)
{
    if (!body.n) {
        err_set(e, ERR_INVALID_JSON, "The request has no body.");
        return err_hint(e, "Send a JSON object with %s.", needs[task].body);
    }
    /* Of a message we read what it is, not what it says. */
    enum err_code rc = task == TASK_CHAT ? json_parse_cut(d, body, STR("messages"), e) : json_parse(d, body, e);
    if (!rc)
        rc = fields_check(d->root, task, e);
    if (rc)
        return rc;
    bool streams = task == TASK_CHAT || task == TASK_TEXT;
    *ask = (struct ask){
        .task = task,
        .name = json_str(yyjson_obj_get(d->root, "model")),
        .serves = needs[task].serves,
        .input = read_inputs(yyjson_obj_get(d->root, "messages")),
        .stream = streams && yyjson_get_bool(yyjson_obj_get(d->root, "stream")),
        .include_usage = yyjson_get_bool(yyjson_obj_get(yyjson_obj_get(d->root, "stream_options"), "include_usage")),
    };
    return ERR_OK;
}

void api_chat(struct api *a, struct http_req *r)
{
    exchange_start(a, r, TASK_CHAT);
}

void api_completions(struct api *a, struct http_req *r)
{
    exchange_start(a, r, TASK_TEXT);
}

void api_embeddings(struct api *a, struct http_req *r)
{
    exchange_start(a, r, TASK_EMBED);
}

void api_rerank(struct api *a, struct http_req *r)
{
    exchange_start(a, r, TASK_RERANK);
}
