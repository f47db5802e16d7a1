/* What goes in and out as JSON, as tables: messages, answers, errors, headers. For the reference only; what they say is held to the program by
 * tests/e2e/test_openapi.py. `always` is promised only where hob itself writes the member: a host's answer is passed on as it came. */
#include "api/reference_int.h"

/* clang-format off */
#define CHUNK_IS "One event of a stream."
#define ANY_PART "\"anyOf\":[{\"properties\":{\"type\":{\"const\":\"text\"},\"text\":{\"type\":\"string\"}},\"required\":[\"text\"]}," \
                 "{\"properties\":{\"type\":{\"not\":{\"const\":\"text\"}}}}]"
#define ANY_SAID "\"anyOf\":[{\"required\":[\"content\"]},{\"required\":[\"tool_calls\"]},{\"required\":[\"function_call\"]}]"

static const struct member members[] = {
    { "Message", NULL, ANY_SAID, false, "A turn of the conversation. It has `content`, or the calls made instead." },
    { "Message", "role",              "=system,developer,user,assistant,tool,function", true, "Who speaks." },
    { "Message", "content",           "string | []Part | null", false, "What is said." },
    { "Message", "tool_calls",        "any",             false, "Of an assistant: the calls it made." },
    { "Message", "function_call",     "any",             false, "The same, as it was before there were tools." },
    { "Message", "tool_call_id",      "any",             false, "Of a tool: the call it answers." },
    { "Message", "name",              "any",             false, "The speaker's name." },

    { "Part", NULL, ANY_PART, false, "A piece of a message. One of type `text` has a string `text`; images, audio and video are in a member named as the type." },
    { "Part", "type",                 "string",          true,  "`text`, `image_url`, `input_audio` …" },

    { "Document", NULL, "", false, "A document to rank, as an object." },
    { "Document", "text",             "string",          true,  "Its text." },

    { "ChatCompletion", NULL, "", false, "A whole answer to a chat." },
    { "ChatCompletion", "id",         "string",          false, "The answer's name." },
    { "ChatCompletion", "object",     "string",          false, "`chat.completion`." },
    { "ChatCompletion", "created",    "integer",         false, "When, in seconds since 1970." },
    { "ChatCompletion", "model",      "string",          true,  "The model that answered, under its name here." },
    { "ChatCompletion", "choices",    "[]ChatChoice",    true,  "The answers; an engine of ours gives one." },
    { "ChatCompletion", "usage",      "Usage",           false, "Tokens read and written." },
    { "ChatCompletion", "system_fingerprint", "string | null", false, "The engine's build." },
    { "ChatCompletion", "timings",    "object",          false, "The engine's own figures." },
    { "ChatCompletion", "_routing",   "Routing",         false, "Who answered, and why (`routing_metadata: off` leaves it out)." },

    { "ChatChoice", NULL, "", false, "One answer." },
    { "ChatChoice", "index",          "integer",         false, "Its number." },
    { "ChatChoice", "message",        "Answer",          false, "What the model says." },
    { "ChatChoice", "logprobs",       "object | null",   false, "Log probabilities, if they were asked for." },
    { "ChatChoice", "finish_reason",  "string | null",   false, "`stop`, `length`, `tool_calls` …" },

    { "Answer", NULL, "", false, "The model's message." },
    { "Answer", "role",               "string",          false, "`assistant`." },
    { "Answer", "content",            "string | null",   false, "The text; null when there are only calls or a refusal." },
    { "Answer", "reasoning_content",  "string | null",   false, "Its thoughts, where they are told apart." },
    { "Answer", "refusal",            "string | null",   false, "Why it will not." },
    { "Answer", "tool_calls",         "[]ToolCall | null", false, "Functions to call." },

    { "ToolCall", NULL, "", false, "A function to call." },
    { "ToolCall", "id",               "string",          false, "To be named in the answer to it." },
    { "ToolCall", "type",             "string",          false, "`function`." },
    { "ToolCall", "function",         "object",          false, "`name`, and `arguments` as JSON in a string." },

    { "ChatChunk", NULL, "", false, CHUNK_IS },
    { "ChatChunk", "id",              "string",          true,  "The same in all events of a stream." },
    { "ChatChunk", "object",          "string",          false, "`chat.completion.chunk`." },
    { "ChatChunk", "created",         "integer",         true,  "The same in all events of a stream." },
    { "ChatChunk", "model",           "string",          true,  "The model that answers, under its name here." },
    { "ChatChunk", "choices",         "[]ChatDelta",     true,  "What is new; empty in the event with the usage." },
    { "ChatChunk", "usage",           "Usage | null",    false, "In the last event, if `stream_options` asked for it." },
    { "ChatChunk", "_routing",        "Routing",         false, "In the event with `finish_reason`." },

    { "ChatDelta", NULL, "", false, "What an event adds." },
    { "ChatDelta", "index",           "integer",         false, "The answer's number." },
    { "ChatDelta", "delta",           "Answer",          false, "The piece; the first one has the role." },
    { "ChatDelta", "finish_reason",   "string | null",   false, "In the last one that adds something." },

    { "Completion", NULL, "", false, "A text, gone on with. The events of a stream have this shape too." },
    { "Completion", "id",             "string",          false, "The answer's name." },
    { "Completion", "object",         "string",          false, "`text_completion`." },
    { "Completion", "created",        "integer",         false, "When, in seconds since 1970." },
    { "Completion", "model",          "string",          true,  "The model that answered, under its name here." },
    { "Completion", "choices",        "[]TextChoice",    true,  "The answers; an engine of ours gives one." },
    { "Completion", "usage",          "Usage | null",    false, "Tokens read and written." },
    { "Completion", "_routing",       "Routing",         false, "Who answered, and why." },

    { "TextChoice", NULL, "", false, "One text, or a piece of it." },
    { "TextChoice", "index",          "integer",         false, "Its number." },
    { "TextChoice", "text",           "string",          false, "The text." },
    { "TextChoice", "logprobs",       "object | null",   false, "Log probabilities, if they were asked for." },
    { "TextChoice", "finish_reason",  "string | null",   false, "`stop` or `length`." },

    { "Usage", NULL, "", false, "Tokens." },
    { "Usage", "prompt_tokens",       "integer",         false, "Read, those from a cache included." },
    { "Usage", "completion_tokens",   "integer",         false, "Written, thoughts included." },
    { "Usage", "total_tokens",        "integer",         false, "Both." },
    { "Usage", "prompt_tokens_details", "object | null", false, "`cached_tokens`." },
    { "Usage", "completion_tokens_details", "object | null", false, "`reasoning_tokens`." },

    { "Embeddings", NULL, "", false, "Vectors, in the order of the input." },
    { "Embeddings", "object",         "string",          false, "`list`." },
    { "Embeddings", "model",          "string",          true,  "The model that answered, under its name here." },
    { "Embeddings", "data",           "[]Embedding",     true,  "A vector for each text." },
    { "Embeddings", "usage",          "Usage",           false, "Tokens read." },
    { "Embeddings", "_routing",       "Routing",         false, "Who answered, and why." },

    { "Embedding", NULL, "", false, "One vector." },
    { "Embedding", "object",          "string",          false, "`embedding`." },
    { "Embedding", "index",           "integer",         false, "The text's place in the input." },
    { "Embedding", "embedding",       "[]number | string", true, "Numbers, or base64 of little-endian 32-bit floats." },

    { "Ranking", NULL, "", false, "Documents, the best first." },
    { "Ranking", "object",            "string",          false, "`list`." },
    { "Ranking", "model",             "string",          true,  "The model that answered, under its name here." },
    { "Ranking", "results",           "[]Ranked",        true,  "The documents." },
    { "Ranking", "usage",             "Usage",           false, "Tokens read." },
    { "Ranking", "_routing",          "Routing",         false, "Who answered, and why." },

    { "Ranked", NULL, "", false, "One document's place." },
    { "Ranked", "index",              "integer",         false, "Its place in the request." },
    { "Ranked", "relevance_score",    "number",          false, "How well it answers; larger is better." },

    { "Models", NULL, "", false, "Every name that may be asked for." },
    { "Models", "object",             "=list",           true,  "Always this." },
    { "Models", "data",               "[]Model",         true,  "Models and their aliases, roles, tiers, old names, `auto`." },

    { "Model", NULL, "", false, "A name that may be asked for." },
    { "Model", "id",                  "string",          true,  "The name." },
    { "Model", "object",              "=model",          true,  "Always this." },
    { "Model", "created",             "integer",         true,  "0." },
    { "Model", "owned_by",            "string",          true,  "`hob`." },
    { "Model", "kind",                "=model,alias,role,tier,auto", true, "What the name is." },
    { "Model", "model",               "string",          false, "Of an alias, role or tier: what it stands for first." },
    { "Model", "deprecated_until",    "string",          false, "Of a name that callers are to leave: by when." },
    { "Model", "successor",           "string | null",   false, "Of such a name: what to ask for instead." },
    { "Model", "host",                "string",          false, "Of a model or alias: where it is; `local` is this machine." },
    { "Model", "state",               "=cold,loading,hot,draining,failed,wedged", false, "Of a model or alias." },
    { "Model", "context",             "integer | null",  false, "Of a model or alias: tokens that one request may use; null where hob does not know." },

    { "Status", NULL, "", false, "How hob is." },
    { "Status", "status",             "=ok,not ready",   true,  "In a word." },
    { "Status", "reason",             "string",          false, "Why not." },
    { "Status", "tiers",              "[]TierStatus",    false, "How each tier is (/readyz)." },

    { "Status", "store",              "StoreStatus",     false, "While rows about requests cannot be written, or wait in memory for that (/readyz)." },

    { "StoreStatus", NULL, "", false, "How it is with what is written down." },
    { "StoreStatus", "failing",       "boolean",         true,  "It cannot be written." },
    { "StoreStatus", "held_rows",     "integer",         true,  "Rows that wait in memory." },
    { "StoreStatus", "reason",        "string",          false, "Why it cannot be written." },

    { "TierStatus", NULL, "", false, "A tier, and whether any of its places would be asked now." },
    { "TierStatus", "name",           "string",          true,  "The tier." },
    { "TierStatus", "breaker",        "=closed,half-open,open", true, "`open`: none of its places would be asked." },
    { "TierStatus", "reason",         "string",          false, "Why not." },

    { "State", NULL, "", false, "How a hob is." },
    { "State", "schema",              "integer",         true,  "1." },
    { "State", "auto",                "boolean",         true,  "It has tiers for `auto` to choose from." },
    { "State", "models",              "[]ModelState",    true,  "All of them." },
    { "State", "memory",              "object",          true,  "`total` for models, and `used` of it, in bytes; null when not known." },

    { "ModelState", NULL, "", false, "A model." },
    { "ModelState", "name",           "string",          true,  "Its name." },
    { "ModelState", "aliases",        "[]string",        true,  "Other names that lead to it, roles and tiers too." },
    { "ModelState", "state",          "=cold,loading,hot,draining,failed,wedged", true, "As `hob ps` has it." },
    { "ModelState", "queue",          "integer",         true,  "Requests that wait for it." },
    { "ModelState", "wait_ms",        "integer | null",  true,  "How long one more would wait, as things look." },
    { "ModelState", "context",        "integer | null",  true,  "Tokens one request may use." },

    { "Loading", NULL, "", false, "llama-server's words for a model that is not there yet." },
    { "Loading", "error",             "object",          true,  "`message`, `type`, and `code`: 503." },

    { "Error", NULL, "", false, "What went wrong." },
    { "Error", "error",               "Problem",         true,  "In OpenAI's shape." },

    { "Problem", NULL, "", false, "What went wrong, and whose it is." },
    { "Problem", "message",           "text",            true,  "A sentence, and what to do next." },
    { "Problem", "type",              "=invalid_request_error,rate_limit_error,server_error", true, "OpenAI's word for the kind." },
    { "Problem", "param",             "string | null",   true,  "The field it is about." },
    { "Problem", "code",              "string",          true,  "One of the [errors](#errors): go by it, not by the sentence." },
    { "Problem", "path",              "string",          false, "Of an answer that does not fit its schema: a JSON pointer to what is wrong." },
    { "Problem", "raw",               "string | null",   false, "And that answer, for who asks with `x-hob-schema-raw: true`." },
    { "Problem", "prompt_tokens",     "integer",         false, "Of `context_length_exceeded`: tokens of the prompt." },
    { "Problem", "max_tokens",        "integer | null",  false, "Likewise: tokens asked for as an answer." },
    { "Problem", "needed",            "integer",         false, "Likewise: both together." },
    { "Problem", "available",         "integer",         false, "Likewise: what one request may use there." },
    { "Problem", "counted",           "boolean",         false, "Likewise: the prompt was counted by the engine; else it is an estimate." },
    { "Problem", "fits",              "string | null",   false, "Likewise: a role or model that would take it." },
    { "Problem", "hob",               "Blame",           true,  "hob's own part." },

    { "Blame", NULL, "", false, "Whose it is." },
    { "Blame", "fault",               "=caller,gateway,backend,model,harness", true, "Whose." },
    { "Blame", "request_id",          "string",          true,  "As in `x-request-id`." },
    { "Blame", "tried",               "[]Tried",         true,  "Places that were tried or passed over, in order." },
    { "Blame", "hint",                "string | null",   true,  "What to do next." },

    { "Tried", NULL, "", false, "A place that failed or was passed over." },
    { "Tried", "model",               "string",          true,  "The model." },
    { "Tried", "host",                "string",          true,  "Where." },
    { "Tried", "error",               "string",          true,  "The code of the error there." },
    { "Tried", "away",                "boolean",         false, "True: nobody could be reached there, or could be the last time." },

    { "Deprecated", NULL, "", false, "A name that callers are to leave: an old one, or that of a model that goes." },
    { "Deprecated", "name",           "string",          true,  "The name." },
    { "Deprecated", "until",          "string",          true,  "By when, YYYY-MM-DD." },
    { "Deprecated", "successor",      "string | null",   true,  "What to ask for instead." },

    { "Routing", NULL, "", false, "Who answered, and why." },
    { "Routing", "role",              "string | null",   true,  "The role by which the model was found." },
    { "Routing", "tier",              "string | null",   true,  "The tier." },
    { "Routing", "model",             "string",          true,  "The model that answered." },
    { "Routing", "host",              "string",          true,  "Where; `local` is this machine." },
    { "Routing", "reason",            "string",          true,  "Why this one." },
    { "Routing", "latency_ms",        "number",          true,  "From the first byte of the request until now." },
    { "Routing", "queue_ms",          "number",          true,  "Of it: waiting for a slot." },
    { "Routing", "load_ms",           "number",          true,  "Of it: waiting for the model to load." },
    { "Routing", "ttft_ms",           "number | null",   true,  "From the first byte of the request to the first content." },
    { "Routing", "tokens",            "Tokens",          true,  "Read and written; null where the place does not say." },
    { "Routing", "fallback_chain",    "[]Tried",         true,  "Those that failed or were passed over before." },
    { "Routing", "fallback",          "string | null",   true,  "`first->answered`, when another answered than the first." },
    { "Routing", "hedged",            "boolean",         false, "True: a second place was asked beside one that was late; the first words won." },
    { "Routing", "rule",              "string",          false, "The rule (`routes:`) that changed something." },
    { "Routing", "cost",              "number",          false, "Of the tokens, at the prices in the configuration; where they are known." },
    { "Routing", "spent",             "Spent",           false, "Tokens of answers that were not what was promised, and were given again." },
    { "Routing", "policy",            "Policies",        true,  "What was done to the request; null: nothing." },
    { "Routing", "deprecated",        "Deprecated",      false, "Of a name that callers are to leave." },

    { "Tokens", NULL, "", false, "Counts of tokens." },
    { "Tokens", "input",              "integer | null",  true,  "Read." },
    { "Tokens", "output",             "integer | null",  true,  "Written." },
    { "Tokens", "reasoning",          "integer | null",  true,  "Of them: thoughts." },
    { "Tokens", "cached",             "integer | null",  true,  "Of those read: from a cache." },

    { "Spent", NULL, "", false, "Tokens; null: unknown." },
    { "Spent", "input",               "integer | null",  true,  "Read." },
    { "Spent", "output",              "integer | null",  true,  "Written." },

    { "Policies", NULL, "", false, "What the gateway did to the request." },
    { "Policies", "thinking",         "string | null",   true,  "About thoughts." },
    { "Policies", "context",          "string | null",   true,  "About the prompt's length: `trimmed=3 tokens_before=… tokens_after=… available=…`, `ended=…`, `resent=…`, `doubtful=…`." },
    { "Policies", "schema",           "string | null",   true,  "About the answer's schema: how it was asked for and what came of it, `direct:valid`." },
};

static const struct header_row headers[] = {
    { "x-request-id",   ON_ANSWER | ON_STREAM | ON_ERROR, "text", true, "hob's name for the request; the one to quote." },
    { "x-hob-model",    ON_ANSWER | ON_STREAM, "text",  false, "The model that answers. Not in a stream whose status had to leave before anybody had." },
    { "x-hob-host",     ON_ANSWER | ON_STREAM, "text",  false, "Where it is; `local` is this machine. Likewise." },
    { "x-hob-role",     ON_ANSWER | ON_STREAM, "text",  false, "The role by which it was found." },
    { "x-hob-tier",     ON_ANSWER | ON_STREAM, "text",  false, "The tier." },
    { "x-hob-fallback", ON_ANSWER | ON_STREAM, "text",  false, "`first->answered`, when another answered than the first." },
    { "x-hob-context",  ON_ANSWER | ON_STREAM, "text",  false, "What was done for the prompt's length: `trimmed=3 …`, `resent=…`; what came of it: `ended=…`, `doubtful=…`. As in `_routing.policy.context`." },
    { "x-hob-dropped",  ON_ANSWER | ON_STREAM | ON_ERROR, "text", false, "Fields that an engine of ours did not get, comma separated." },
    { "x-hob-schema",   ON_ANSWER | ON_STREAM, "=valid,repaired,escalated", false, "JSON was asked for, and this is JSON that fits. Not in a stream whose status had to leave before it was checked." },
    { "x-hob-schema-unenforced", ON_ANSWER | ON_STREAM, "text", false, "Keywords of the schema that the place does not enforce, comma separated; hob has checked them." },
    { "x-should-retry", ON_ERROR, "=true,false",        true,  "May the same request work later? The official clients obey it." },
    { "Retry-After",    ON_ERROR, "integer",            false, "In so many seconds, where that is known." },
    { "Deprecation",    ON_ANSWER | ON_STREAM, "text",  false, "`@` and a Unix time: the name that was asked for is an old one, or its model goes (RFC 9745)." },
    { "Sunset",         ON_ANSWER | ON_STREAM, "text",  false, "The day it goes on (RFC 8594)." },
    { "Link",           ON_ANSWER | ON_STREAM, "text",  false, "What to ask for instead: `</v1/models/NAME>; rel=\"successor-version\"`." },
    { "Allow",          ON_METHOD, "text",              true,  "The methods that are for this path." },
};

/* A field's name tells what is inside of it, in whichever request it is. */
static const struct { const char *field, *type; } insides[] = {
    { "messages",        "[]Message" },
    { "prompt",          "string | []token | [](string | []token)" },
    { "input",           "text | []token | [](text | []token)" },
    { "documents",       "[](string | Document)" },
    { "encoding_format", "=float,base64" },
};

/* Of a field that may be a text: which texts, comma separated. Big and small letters count alike. */
#define THINKING_WORDS "on,off,true,false,yes,no,enabled,disabled,adaptive,auto,none,minimal,low,medium,high,xhigh,max"
static const struct { const char *field, *words; } field_texts[] = {
    { "reasoning_effort", THINKING_WORDS },
    { "reasoning",        THINKING_WORDS },
    { "thinking",         THINKING_WORDS },
    { "enable_thinking",  THINKING_WORDS },
    { "think",            THINKING_WORDS },
    { "format",           ",json" },
};
/* clang-format on */

const struct member *member_at(size_t i)
{
    return i < COUNTOF(members) ? &members[i] : NULL;
}

const struct header_row *header_at(size_t i)
{
    return i < COUNTOF(headers) ? &headers[i] : NULL;
}

const char *field_inside(const struct field *f)
{
    for (size_t i = 0; i < COUNTOF(insides); i++)
        if (strcmp(insides[i].field, f->name) == 0)
            return insides[i].type;
    return NULL;
}

const char *field_words(const struct field *f)
{
    for (size_t i = 0; i < COUNTOF(field_texts); i++)
        if (strcmp(field_texts[i].field, f->name) == 0)
            return field_texts[i].words;
    return NULL;
}

bool field_is_required(const struct field *f, enum task task)
{
    const char *name;
    for (size_t i = 0; (name = field_required(task, i)); i++)
        if (strcmp(name, f->name) == 0)
            return true;
    return false;
}

const char *field_child_word(const struct field *f)
{
    static const char *const words[] = { [CHILD_PASS] = "passed", [CHILD_OWN] = "written", [CHILD_DROP] = "dropped" };
    return words[f->child];
}

bool route_takes_name(const struct route *t)
{
    return t->path[strlen(t->path) - 1] == '/';
}

/* The exceptions; what is not named here may come wherever a model is asked. */
bool error_is_of(enum err_code code, enum error_group group)
{
    static const enum err_code any[] = { ERR_BAD_REQUEST, ERR_TOO_LARGE, ERR_HEADERS_TOO_LARGE, ERR_REQUEST_TIMEOUT, ERR_MEDIA_TYPE, ERR_EXPECTATION, ERR_HOST, ERR_ORIGIN };
    static const enum err_code keyed[] = { ERR_INVALID_REQUEST, ERR_NO_KEY, ERR_TOO_MANY_ATTEMPTS };
    static const enum err_code none[] = { ERR_OK, ERR_NOT_FOUND, ERR_METHOD, ERR_CALLER_GONE, ERR_CONFIG, ERR_UPGRADE }; /* not of a route, or not an answer */
    for (size_t i = 0; i < COUNTOF(none); i++)
        if (code == none[i])
            return false;
    for (size_t i = 0; i < COUNTOF(any); i++)
        if (code == any[i])
            return true;
    for (size_t i = 0; i < COUNTOF(keyed); i++)
        if (code == keyed[i])
            return group != ERRORS_ANY;
    return group == ERRORS_ASK;
}

/* ---- types ---- */

/* Cuts the first alternative off; nested ones in brackets stay whole. */
static struct str next_type(struct str *left)
{
    size_t depth = 0, i = 0;
    for (; i < left->n; i++) {
        depth += left->p[i] == '(';
        depth -= left->p[i] == ')';
        if (!depth && left->p[i] == '|')
            break;
    }
    struct str one = str_trim(str_make(left->p, i));
    *left = str_from(*left, i + 1);
    return one;
}

static bool is_shape(struct str type)
{
    return type.n && type.p[0] >= 'A' && type.p[0] <= 'Z';
}

static struct str inner(struct str type) /* of "(T)" */
{
    return str_make(type.p + 1, type.n - 2);
}

static void put_type(struct json_out *o, struct str type);

static void put_word(struct json_out *o, struct str type)
{
    if (str_eq(type, STR("any")))
        return;
    json_key(o, STR("type"));
    json_string(o, str_eq(type, STR("text")) ? STR("string") : str_eq(type, STR("token")) ? STR("integer") : type);
    if (str_eq(type, STR("text"))) {
        json_key(o, STR("minLength"));
        json_int(o, 1);
    }
    if (str_eq(type, STR("token"))) {
        json_key(o, STR("minimum"));
        json_int(o, 0);
        json_key(o, STR("maximum"));
        json_int(o, INT32_MAX);
    }
}

static void put_enum(struct json_out *o, struct str words)
{
    json_key(o, STR("enum"));
    json_begin_array(o);
    for (struct str left = words; left.n;)
        json_string(o, str_cut(left, ',', &left));
    json_end_array(o);
}

static void put_ref(struct json_out *o, struct str shape)
{
    struct buf where = { 0 };
    json_key(o, STR("$ref"));
    buf_printf(&where, "#/components/schemas/%.*s", STR_ARG(shape));
    json_string(o, buf_str(&where));
    buf_free(&where);
}

/* The members of one alternative's schema. */
static void put_one(struct json_out *o, struct str type)
{
    if (str_starts(type, STR("[]"))) {
        struct str of = str_from(type, 2);
        json_key(o, STR("type"));
        json_string(o, STR("array"));
        json_key(o, STR("items"));
        put_type(o, str_starts(of, STR("(")) ? inner(of) : of);
    } else if (str_starts(type, STR("="))) {
        put_enum(o, str_from(type, 1));
    } else if (is_shape(type)) {
        put_ref(o, type);
    } else {
        put_word(o, type);
    }
}

static void put_members(struct json_out *o, struct str type)
{
    struct str left = type, first = next_type(&left);
    if (!left.n) {
        put_one(o, first);
        return;
    }
    json_key(o, STR("anyOf"));
    json_begin_array(o);
    for (left = type; left.n;) {
        json_begin_object(o);
        put_one(o, next_type(&left));
        json_end_object(o);
    }
    json_end_array(o);
}

static void put_type(struct json_out *o, struct str type)
{
    json_begin_object(o);
    put_members(o, type);
    json_end_object(o);
}

void type_put_schema(struct json_out *o, const char *type)
{
    put_type(o, str_of(type));
}

void type_put_members(struct json_out *o, const char *type)
{
    put_members(o, str_of(type));
}

static void put_link(struct buf *to, struct str shape)
{
    buf_printf(to, "[%.*s](#", STR_ARG(shape));
    for (size_t i = 0; i < shape.n; i++) /* headings are linked to in small letters */
        buf_add_char(to, (char)(shape.p[i] | 32));
    buf_add_char(to, ')');
}

static void put_plain(struct buf *to, struct str word)
{
    buf_add(to, str_eq(word, STR("text")) ? STR("non-empty string") : str_eq(word, STR("token")) ? STR("token id") : word);
}

static void put_words(struct buf *to, struct str type)
{
    for (struct str left = type; left.n;) {
        struct str one = next_type(&left);
        while (str_starts(one, STR("[]"))) {
            buf_lit(to, "list of ");
            one = str_from(one, 2);
        }
        bool is_choice = str_starts(one, STR("="));
        if (str_starts(one, STR("("))) {
            buf_add_char(to, '(');
            put_words(to, inner(one));
            buf_add_char(to, ')');
        } else if (is_shape(one)) {
            put_link(to, one);
        } else if (!is_choice) {
            put_plain(to, one);
        }
        for (struct str words = is_choice ? str_from(one, 1) : STR(""); words.n;) {
            struct str word = str_cut(words, ',', &words);
            buf_printf(to, "`%.*s`%s", STR_ARG(word), words.n ? ", " : "");
        }
        if (left.n)
            buf_lit(to, " or ");
    }
}

void type_put_words(struct buf *to, const char *type)
{
    put_words(to, str_of(type));
}
