/* From the body of a request to an ask, and to a decision about it. */
#include "api/ask.h"

#include "api/caller.h"
#include "api/exchange.h"
#include "api/size.h"
#include "api/talk.h"
#include "backend/think.h"
#include "policy/billing.h"
#include "policy/fields.h"
#include "policy/redact.h"
#include "policy/schema.h"
#include "policy/tools.h"
#include "route/known.h"

static const struct part {
    const char *type;
    unsigned input;
} parts[] = {
    { "text", INPUT_TEXT },         { "refusal", INPUT_TEXT },    { "image_url", INPUT_IMAGE }, { "input_image", INPUT_IMAGE },
    { "input_audio", INPUT_AUDIO }, { "audio_url", INPUT_AUDIO }, { "video_url", INPUT_VIDEO }, { "input_video", INPUT_VIDEO },
    { "file", INPUT_FILE },         { "input_file", INPUT_FILE },
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

static bool offers_tools(yyjson_val *root)
{
    return yyjson_arr_size(yyjson_obj_get(root, "tools")) > 0 && !str_eq(json_str(yyjson_obj_get(root, "tool_choice")), STR("none"));
}

static bool wants_schema(yyjson_val *root)
{
    return schema_wish_names_one(root);
}

static int count_tool_turns(yyjson_val *messages)
{
    int turns = 0;
    size_t i, n;
    yyjson_val *m;
    yyjson_arr_foreach(messages, i, n, m) {
        struct str role = json_str(yyjson_obj_get(m, "role"));
        turns += str_eq(role, STR("tool")) || str_eq(role, STR("function"));
    }
    return turns;
}

/* ---- which conversation is it? ---- */

static uint64_t mix(uint64_t sum, struct str text)
{
    enum { BEGINNING_BYTES = 512 };
    text = billing_rest(text); /* it changes each time */
    if (!text.n)
        return sum;
    return (sum ^ str_hash(str_make(text.p, text.n < BEGINNING_BYTES ? text.n : BEGINNING_BYTES))) * UINT64_C(0x9E3779B97F4A7C15);
}

static uint64_t mix_content(uint64_t sum, yyjson_val *content)
{
    size_t i, n;
    yyjson_val *part;
    if (yyjson_is_str(content))
        return mix(sum, json_str(content));
    yyjson_arr_foreach(content, i, n, part) sum = mix(sum, json_str(yyjson_obj_get(part, "text")));
    return sum;
}

/* How it begins: up to the first thing that its user says. It stays the same however long the conversation gets. */
static uint64_t beginning(yyjson_val *root)
{
    uint64_t sum = 1;
    size_t i, n;
    yyjson_val *m, *prompt = yyjson_obj_get(root, "prompt");
    if (yyjson_is_str(prompt))
        return mix(sum, json_str(prompt));
    yyjson_arr_foreach(yyjson_obj_get(root, "messages"), i, n, m) {
        sum = mix_content(sum, yyjson_obj_get(m, "content"));
        if (str_eq(json_str(yyjson_obj_get(m, "role")), STR("user")))
            break;
    }
    return sum;
}

static void read_session(yyjson_val *root, struct ask *ask)
{
    struct str key = json_str(yyjson_obj_get(root, "prompt_cache_key")), user = json_str(yyjson_obj_get(root, "user"));
    ask->session = key.n ? key : user;
    ask->affinity = key.n ? mix(1, key) : 0;
}

/* ---- the body ---- */

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
    if (!rc && task == TASK_CHAT)
        rc = tools_ask_check(d, e);
    if (!rc && task == TASK_CHAT)
        rc = think_ask_check(d->root, e);
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
        .tools = offers_tools(d->root),
        .schema = wants_schema(d->root),
        .tool_turns = count_tool_turns(yyjson_obj_get(d->root, "messages")),
        .tokens = size_tokens(d, task),
        .max_tokens = streams ? field_budget(d->root) : 0,
    };
    read_session(d->root, ask);
    return ERR_OK;
}

/* ---- the head ---- */

bool ask_is_on(const struct http_headers *h, struct str name)
{
    struct str v = http_header(h, name);
    return v.n && !str_eq_nocase(v, STR("false")) && !str_eq_nocase(v, STR("no")) && !str_eq_nocase(v, STR("off")) && !str_eq(v, STR("0"));
}

/* What is no number has come through something that is not known to end. */
static int hops_of(const struct http_headers *h)
{
    struct str said = http_header(h, STR("x-hob-hops"));
    int64_t hops = ASK_MOST_HOPS;
    if (said.p && str_to_int(str_trim(said), 0, INT32_MAX, &hops))
        return (int)hops;
    return said.p ? ASK_MOST_HOPS : 0;
}

void ask_read_head(const struct http_headers *h, enum caller_class class, struct ask *ask)
{
    struct str session = http_header(h, STR("x-hob-session"));
    if (session.n) {
        ask->session = session;
        ask->affinity = mix(1, session);
    }
    ask->class = caller_conf_class(class);
    ask->hops = hops_of(h);
    ask->insists = ask_is_on(h, STR("x-hob-wait"));
    ask->host = http_header(h, STR("x-hob-host"));
    if (ask_is_on(h, STR("x-hob-private")))
        ask->privacy = PRIVATE_SAID;
    ask->headers = h->at;
    ask->nheaders = h->n;
}

/* ---- the decision ---- */

static struct str first_text(yyjson_val *content)
{
    return json_str(yyjson_is_arr(content) ? yyjson_obj_get(yyjson_arr_get_first(content), "text") : content);
}

static bool is_known(const struct json_doc *d, enum conf_class class)
{
    yyjson_val *messages = yyjson_obj_get(d->root, "messages"), *first = yyjson_arr_get_first(messages), *last = yyjson_arr_get_last(messages);
    struct str user = { NULL, 0 }, system = { NULL, 0 };
    if (str_eq(json_str(yyjson_obj_get(last, "role")), STR("user")))
        user = first_text(yyjson_obj_get(last, "content"));
    if (str_eq(json_str(yyjson_obj_get(first, "role")), STR("system")))
        system = billing_rest(first_text(yyjson_obj_get(first, "content")));
    return user.p && known_caller(user, system, yyjson_arr_size(messages), class);
}

/* It matters which conversation it is: one of several that are the same is to answer it, or a share of all is on trial. */
static bool tells_apart(const struct config *c)
{
    for (size_t i = 0; i < c->nmodels; i++)
        if (c->models[i].replicas.n)
            return true;
    for (size_t i = 0; c->base && i < c->nroles; i++) /* as read it has no trial */
        if (c->roles[i].trial.n)
            return true;
    return false;
}

void ask_weigh(const struct config *c, struct classifier **words, const struct json_doc *d, struct ask *ask, bool always)
{
    struct talk talk;
    if (!ask->affinity && ask->serves == SERVES_CHAT && tells_apart(c))
        ask->affinity = beginning(d->root);
    ask->known_background = c->known_callers && ask->task == TASK_CHAT && is_known(d, ask->class);
    if ((!always && !route_wants_words(c, ask)) || ask->serves != SERVES_CHAT)
        return;
    if (!*words)
        *words = classifier_new();
    talk_read(d, ask->task, &talk);
    classifier_tune(*words, c->auto_weights, c->nauto_weights);
    classify(*words, &talk, &ask->complexity);
    ask->urgent = ask->complexity.urgent;
    ask->fresh = ask->complexity.fresh;
}

enum err_code ask_decide(const struct config *c, const struct snapshot *s, const struct json_doc *d, struct ask *ask, struct decision *out, struct skips *skips,
    struct err *e)
{
    enum err_code rc = route_decide(c, ask, s, out, skips, e);
    if (!route_wants_findings(c, ask, out, s))
        return rc;
    ask->findings = ask->looked ? ask->seen : redact_findings(d);
    if (!ask->findings)
        return rc;
    ask->privacy = PRIVATE_FOUND;
    return route_decide(c, ask, s, out, skips, e);
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
