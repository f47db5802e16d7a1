/* The table of fields. First OpenAI's own, then llama.cpp's samplers, both in the order of their documentation. What an engine must never
 * get from outside (chat_template, id_slot, n_discard, lora paths …) simply has no row. */
#include "policy/fields.h"

#include <math.h>
#include <stdio.h>

#define MAX_INT 2147483647.0

enum {
    CHAT = 1 << TASK_CHAT,
    TEXT = 1 << TASK_TEXT,
    EMBED = 1 << TASK_EMBED,
    RERANK = 1 << TASK_RERANK,
    BOTH = CHAT | TEXT,
    ALL = BOTH | EMBED | RERANK,
};

/* clang-format off */
static const struct field fields[] = {
    /* name                    in      types                       min   max        child       what */
    { "model",                 ALL,    FIELD_STRING,               1,    256,       CHILD_OWN, "A model, an alias, a role, a tier or `auto`: GET /v1/models lists them. Without it: the role `chat`, `embed` or `rerank`, by the request." },
    { "messages",              CHAT,   FIELD_ARRAY,                1,    100000,    CHILD_OWN, "The conversation so far, oldest first." },
    { "stream",                BOTH,   FIELD_BOOL,                 0,    0,         CHILD_OWN, "Answer in server-sent events, as it is made." },
    { "stream_options",        BOTH,   FIELD_OBJECT,               0,    0,         CHILD_OWN, "`include_usage: true`: one more chunk, with the usage." },
    { "max_tokens",            BOTH,   FIELD_INT,                  -1,   MAX_INT,   CHILD_OWN, "At most so many tokens of answer; -1 for as many as its model may. An engine of ours takes no 0." },
    { "max_completion_tokens", CHAT,   FIELD_INT,                  -1,   MAX_INT,   CHILD_OWN, "The same under its newer name; it goes first." },
    { "n_predict",             BOTH,   FIELD_INT,                  -1,   MAX_INT,   CHILD_OWN, "The same under llama.cpp's name; it goes last." },
    { "response_format",       CHAT,   FIELD_OBJECT,               0,    0,         CHILD_OWN, "`json_object`, or `json_schema` with a schema to keep to." },
    { "format",                CHAT,   FIELD_STRING | FIELD_OBJECT, 0,   0,         CHILD_OWN, "The same as Ollama has it: `json`, or a schema; where `response_format` asks for none." },
    { "text",                  CHAT,   FIELD_OBJECT,               0,    0,         CHILD_OWN, "The same as /v1/responses has it: `format` in it." },
    { "n",                     BOTH,   FIELD_INT,                  1,    128,       CHILD_OWN, "Answers wanted. An engine of ours gives 1." },
    { "temperature",           BOTH,   FIELD_NUMBER,               0,    2,         CHILD_PASS, "How freely words are picked; 0 takes the likeliest." },
    { "top_p",                 BOTH,   FIELD_NUMBER,               0,    1,         CHILD_PASS, "Pick from the likeliest words that together have this probability." },
    { "stop",                  BOTH,   FIELD_STRING | FIELD_ARRAY, 0,    4096,      CHILD_PASS, "A text, or several, at which the answer ends." },
    { "seed",                  BOTH,   FIELD_INT,                  -1,   1.8e19,    CHILD_PASS, "Start of the random numbers; -1 for any." },
    { "frequency_penalty",     BOTH,   FIELD_NUMBER,               -2,   2,         CHILD_PASS, "Makes words less likely by how often they were said." },
    { "presence_penalty",      BOTH,   FIELD_NUMBER,               -2,   2,         CHILD_PASS, "Makes words less likely once they were said." },
    { "logit_bias",            BOTH,   FIELD_OBJECT | FIELD_ARRAY, 0,    0,         CHILD_PASS, "Makes single tokens likelier or less so." },
    { "logprobs",              CHAT,   FIELD_BOOL,                 0,    0,         CHILD_PASS, "Give the log probability of each token of the answer." },
    { "top_logprobs",          CHAT,   FIELD_INT,                  0,    20,        CHILD_PASS, "And of so many that were likeliest in its place." },
    { "tools",                 CHAT,   FIELD_ARRAY,                0,    1024,      CHILD_PASS, "The functions that the model may call." },
    { "tool_choice",           CHAT,   FIELD_STRING | FIELD_OBJECT, 0,   0,         CHILD_PASS, "`auto`, `none`, `required`, or the function to call." },
    { "parallel_tool_calls",   CHAT,   FIELD_BOOL,                 0,    0,         CHILD_PASS, "May it call several at once?" },
    { "reasoning_effort",      CHAT,   FIELD_STRING,               1,    64,        CHILD_PASS, "Whether to think first, and how much: `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`. What comes of it is the policy's to say." },
    { "reasoning",             CHAT,   FIELD_OBJECT | FIELD_STRING | FIELD_BOOL, 0, 64, CHILD_OWN, "The same as an object: `effort`, `max_tokens` of thoughts, `enabled`." },
    { "thinking",              CHAT,   FIELD_OBJECT | FIELD_STRING | FIELD_BOOL, 0, 64, CHILD_OWN, "Whether to think first: `on`, `off`, or an object with `type` (`enabled`, `disabled`) and `budget_tokens`." },
    { "enable_thinking",       CHAT,   FIELD_BOOL | FIELD_STRING,  0,    64,        CHILD_OWN, "The same as a switch." },
    { "think",                 CHAT,   FIELD_BOOL | FIELD_STRING,  0,    64,        CHILD_OWN, "The same as Ollama has it: a switch, or an effort." },
    { "thinking_budget",       CHAT,   FIELD_INT,                  -1,   MAX_INT,   CHILD_OWN, "At most so many tokens of thoughts; 0 for none." },
    { "user",                  ALL,    FIELD_STRING,               0,    4096,      CHILD_DROP, "The caller's name for its user." },
    { "metadata",              CHAT,   FIELD_OBJECT,               0,    0,         CHILD_DROP, "The caller's notes." },
    { "store",                 CHAT,   FIELD_BOOL,                 0,    0,         CHILD_DROP, "Keep the answer at the host." },
    { "service_tier",          CHAT,   FIELD_STRING,               0,    64,        CHILD_DROP, "A host's class of service." },
    { "modalities",            CHAT,   FIELD_ARRAY,                0,    16,        CHILD_DROP, "Kinds of answer wanted: text, audio." },
    { "audio",                 CHAT,   FIELD_OBJECT,               0,    0,         CHILD_DROP, "Voice and format of a spoken answer." },
    { "prediction",            CHAT,   FIELD_OBJECT,               0,    0,         CHILD_DROP, "Text that is likely to come back unchanged." },
    { "verbosity",             CHAT,   FIELD_STRING,               0,    64,        CHILD_DROP, "How long an answer should be." },
    { "prompt_cache_key",      CHAT,   FIELD_STRING,               0,    4096,      CHILD_DROP, "A host's key for what it has cached." },
    { "safety_identifier",     CHAT,   FIELD_STRING,               0,    4096,      CHILD_DROP, "A host's name for the user, for its abuse checks." },
    { "web_search_options",    CHAT,   FIELD_OBJECT,               0,    0,         CHILD_DROP, "A host's search of the web." },

    { "top_k",                 BOTH,   FIELD_INT,                  -1,   MAX_INT,   CHILD_PASS, "Pick from so many of the likeliest words; 0 or -1 for all." },
    { "min_p",                 BOTH,   FIELD_NUMBER,               0,    1,         CHILD_PASS, "Drop words less likely than this part of the likeliest." },
    { "top_n_sigma",           BOTH,   FIELD_NUMBER,               -1,   100,       CHILD_PASS, "Keep words within so many deviations of the best logit; -1 for off." },
    { "typical_p",             BOTH,   FIELD_NUMBER,               0,    1,         CHILD_PASS, "Keep words that are about as surprising as expected; 1 for off." },
    { "xtc_probability",       BOTH,   FIELD_NUMBER,               0,    1,         CHILD_PASS, "How often to leave out the likeliest words." },
    { "xtc_threshold",         BOTH,   FIELD_NUMBER,               0,    1,         CHILD_PASS, "What counts as likely for that." },
    { "dynatemp_range",        BOTH,   FIELD_NUMBER,               0,    10,        CHILD_PASS, "Let the temperature vary by so much." },
    { "dynatemp_exponent",     BOTH,   FIELD_NUMBER,               0,    10,        CHILD_PASS, "How the entropy turns into that temperature." },
    { "repeat_penalty",        BOTH,   FIELD_NUMBER,               0,    10,        CHILD_PASS, "Divides the likelihood of what was said of late; 1 for off." },
    { "repeat_last_n",         BOTH,   FIELD_INT,                  -1,   MAX_INT,   CHILD_PASS, "How many tokens count as of late; -1 for the whole context." },
    { "dry_multiplier",        BOTH,   FIELD_NUMBER,               0,    100,       CHILD_PASS, "Strength of the penalty on repeated sequences; 0 for off." },
    { "dry_base",              BOTH,   FIELD_NUMBER,               0,    100,       CHILD_PASS, "How fast it grows with their length." },
    { "dry_allowed_length",    BOTH,   FIELD_INT,                  0,    MAX_INT,   CHILD_PASS, "Sequences up to this length go free." },
    { "dry_penalty_last_n",    BOTH,   FIELD_INT,                  -1,   MAX_INT,   CHILD_PASS, "How far back to look for them; -1 for the whole context." },
    { "dry_sequence_breakers", BOTH,   FIELD_ARRAY,                0,    64,        CHILD_PASS, "Texts at which a sequence ends." },
    { "mirostat",              BOTH,   FIELD_INT,                  0,    2,         CHILD_PASS, "Steer towards an even surprise: 0 off, 1 or 2 for its versions." },
    { "mirostat_tau",          BOTH,   FIELD_NUMBER,               0,    100,       CHILD_PASS, "The surprise it aims at." },
    { "mirostat_eta",          BOTH,   FIELD_NUMBER,               0,    1,         CHILD_PASS, "How fast it steers." },
    { "samplers",              BOTH,   FIELD_STRING | FIELD_ARRAY, 0,    1024,      CHILD_PASS, "Which samplers run, in which order." },
    { "grammar",               BOTH,   FIELD_STRING,               0,    65536,     CHILD_PASS, "A GBNF grammar that the answer follows." },
    { "cache_prompt",          BOTH,   FIELD_BOOL,                 0,    0,         CHILD_PASS, "Reuse what the engine still has of the same beginning." },
    { "ignore_eos",            BOTH,   FIELD_BOOL,                 0,    0,         CHILD_PASS, "Go on past the model's own end." },
    { "chat_template_kwargs",  CHAT,   FIELD_OBJECT,               0,    0,         CHILD_PASS, "Values for the model's chat template; `enable_thinking` among them is a wish to think, or not." },
    { "reasoning_format",      CHAT,   FIELD_STRING,               0,    64,        CHILD_PASS, "How thoughts are told from the answer." },
    { "thinking_budget_tokens", CHAT,   FIELD_INT,                 -1,   MAX_INT,   CHILD_PASS, "At most so many tokens of thoughts; -1 for no limit." },
    { "reasoning_budget_tokens", CHAT,   FIELD_INT,                -1,   MAX_INT,   CHILD_PASS, "The same under another name." },
    { "lora",                  BOTH,   FIELD_ARRAY | FIELD_STRING, 0,    256,       CHILD_OWN, "Adapters of the model: names, or `{name, scale}`; those not named work as configured." },
    { "timings_per_token",     BOTH,   FIELD_BOOL,                 0,    0,         CHILD_PASS, "Put the engine's timings in every chunk." },

    { "prompt",                TEXT,   FIELD_STRING | FIELD_ARRAY, 1,    8388608,   CHILD_PASS, "The text to go on with, or token ids. An engine of ours takes one prompt." },
    { "suffix",                TEXT,   FIELD_STRING,               0,    8388608,   CHILD_PASS, "What comes behind the gap, at a host that fills in." },
    { "echo",                  TEXT,   FIELD_BOOL,                 0,    0,         CHILD_PASS, "Say the prompt again first, at a host that does." },
    { "best_of",               TEXT,   FIELD_INT,                  1,    20,        CHILD_DROP, "Make so many, give the best." },
    { "logprobs",              TEXT,   FIELD_INT,                  0,    20,        CHILD_PASS, "So many of the likeliest tokens for each place, with their log probabilities." },

    { "input",                 EMBED,  FIELD_STRING | FIELD_ARRAY, 1,    8388608,   CHILD_OWN, "A text, or several. Token ids only for a host." },
    { "encoding_format",       EMBED,  FIELD_STRING,               1,    16,        CHILD_OWN, "Numbers, or base64 of little-endian 32-bit floats." },
    { "dimensions",            EMBED,  FIELD_INT,                  1,    65536,     CHILD_OWN, "Keep only so many of the model's dimensions, at length 1." },

    { "query",                 RERANK, FIELD_STRING,               1,    8388608,   CHILD_PASS, "What the documents should answer." },
    { "documents",             RERANK, FIELD_ARRAY,                1,    10000,     CHILD_OWN, "What to put in order." },
    { "top_n",                 RERANK, FIELD_INT,                  1,    10000,     CHILD_PASS, "Give only so many of the best." },
    { "return_documents",      RERANK, FIELD_BOOL,                 0,    0,         CHILD_DROP, "Repeat the documents in the answer." },
};
/* clang-format on */

const struct field *field_at(size_t i)
{
    return i < COUNTOF(fields) ? &fields[i] : NULL;
}

const struct field *field_find(enum task task, struct str name)
{
    for (size_t i = 0; i < COUNTOF(fields); i++)
        if (fields[i].tasks & 1u << task && name.n && name.p[0] == fields[i].name[0] && str_eq(name, str_of(fields[i].name)))
            return &fields[i];
    return NULL;
}

static const struct type_word {
    unsigned bit;
    const char *word;
} type_words[] = {
    { FIELD_BOOL, "true or false" }, { FIELD_INT, "a whole number" }, { FIELD_NUMBER, "a number" },
    { FIELD_STRING, "a string" },    { FIELD_ARRAY, "an array" },     { FIELD_OBJECT, "an object" },
};

/* However it is written: 100.0 is a whole number in JSON, and some languages know no other way. */
static bool is_whole(yyjson_val *v)
{
    return yyjson_is_int(v) || (yyjson_is_real(v) && yyjson_get_real(v) == floor(yyjson_get_real(v)));
}

int64_t field_int(yyjson_val *root, const char *name)
{
    yyjson_val *v = yyjson_obj_get(root, name);
    if (yyjson_is_real(v) && is_whole(v) && fabs(yyjson_get_real(v)) < 9e18)
        return (int64_t)yyjson_get_real(v);
    return yyjson_get_sint(v);
}

int64_t field_budget(yyjson_val *root)
{
    static const char *const names[] = { "max_completion_tokens", "max_tokens", "n_predict" }; /* the first that is there */
    for (size_t i = 0; i < COUNTOF(names); i++) {
        int64_t n = field_int(root, names[i]);
        if (n > 0)
            return n;
    }
    return 0;
}

static unsigned type_of(yyjson_val *v)
{
    if (yyjson_is_bool(v))
        return FIELD_BOOL;
    if (is_whole(v))
        return FIELD_INT | FIELD_NUMBER;
    if (yyjson_is_num(v))
        return FIELD_NUMBER;
    if (yyjson_is_str(v))
        return FIELD_STRING;
    if (yyjson_is_arr(v))
        return FIELD_ARRAY;
    return yyjson_is_obj(v) ? FIELD_OBJECT : 0;
}

static enum err_code wrong_type(const struct field *f, yyjson_val *v, struct err *e)
{
    char wanted[96] = "";
    for (size_t i = 0, n = 0; i < COUNTOF(type_words); i++)
        if (f->types & type_words[i].bit && n < sizeof wanted)
            n += (size_t)snprintf(wanted + n, sizeof wanted - n, "%s%s", n ? " or " : "", type_words[i].word);
    err_set(e, ERR_INVALID_REQUEST, "'%s' must be %s, not %s.", f->name, wanted, yyjson_get_type_desc(v));
    return err_param(e, "%s", f->name);
}

/* Characters, as JSON Schema counts them too. Only a text that might be too long is looked at. */
static double text_length(struct str text, double max)
{
    size_t n = 0;
    if ((double)text.n <= max)
        return (double)text.n;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    return (double)n;
}

/* A double cannot tell large whole numbers apart. */
static bool is_above(yyjson_val *v, double x, double max)
{
    return x > max || (yyjson_is_uint(v) && x == max && yyjson_get_uint(v) > (uint64_t)max);
}

static enum err_code check_range(const struct field *f, yyjson_val *v, struct err *e)
{
    if (f->min == 0 && f->max == 0)
        return ERR_OK;
    bool number = yyjson_is_num(v);
    double x = number ? yyjson_get_num(v) : yyjson_is_str(v) ? text_length(json_str(v), f->max) : (double)yyjson_get_len(v);
    if (x >= f->min && !is_above(v, x, f->max))
        return ERR_OK;
    if (number)
        err_set(e, ERR_INVALID_REQUEST, "'%s' must be between %.10g and %.10g, not %.10g.", f->name, f->min, f->max, x);
    else if (x < f->min)
        err_set(e, ERR_INVALID_REQUEST, "'%s' must not be empty.", f->name);
    else
        err_set(e, ERR_INVALID_REQUEST, "'%s' may have at most %.0f %s.", f->name, f->max, yyjson_is_str(v) ? "characters" : "items");
    return err_param(e, "%s", f->name);
}

static enum err_code check_field(const struct field *f, yyjson_val *v, struct err *e)
{
    if (yyjson_is_null(v))
        return ERR_OK;
    if (!(type_of(v) & f->types))
        return wrong_type(f, v, e);
    return yyjson_is_obj(v) ? ERR_OK : check_range(f, v, e);
}

static enum err_code bad_message(struct err *e, size_t i, const char *where, const char *what)
{
    err_set(e, ERR_INVALID_REQUEST, "messages[%zu]%s %s.", i, where, what);
    return err_param(e, "messages[%zu]%s", i, where);
}

static enum err_code check_parts(yyjson_val *parts, size_t i, struct err *e)
{
    size_t at, n;
    yyjson_val *part;
    yyjson_arr_foreach(parts, at, n, part) {
        if (!yyjson_is_obj(part) || !yyjson_is_str(yyjson_obj_get(part, "type")))
            return bad_message(e, i, ".content", "must hold objects that each have a 'type'");
        if (yyjson_equals_str(yyjson_obj_get(part, "type"), "text") && !yyjson_is_str(yyjson_obj_get(part, "text")))
            return bad_message(e, i, ".content", "has a text part without a string 'text'");
    }
    return ERR_OK;
}

static enum err_code check_messages(yyjson_val *messages, struct err *e)
{
    static const char *const roles[] = { "system", "developer", "user", "assistant", "tool", "function" };
    size_t i, n;
    yyjson_val *m;
    yyjson_arr_foreach(messages, i, n, m) {
        struct str role = json_str(yyjson_obj_get(m, "role"));
        yyjson_val *content = yyjson_obj_get(m, "content");
        bool known = false;
        for (size_t k = 0; k < COUNTOF(roles); k++)
            known |= str_eq(role, str_of(roles[k]));
        if (!yyjson_is_obj(m))
            return bad_message(e, i, "", "must be an object with 'role' and 'content'");
        if (!known)
            return bad_message(e, i, ".role", "must be one of system, developer, user, assistant, tool, function");
        if (content && !yyjson_is_null(content) && !yyjson_is_str(content) && !yyjson_is_arr(content))
            return bad_message(e, i, ".content", "must be a string or an array of parts");
        if (!content && !yyjson_obj_get(m, "tool_calls") && !yyjson_obj_get(m, "function_call"))
            return bad_message(e, i, ".content", "is missing");
        if (yyjson_is_arr(content) && check_parts(content, i, e))
            return e->code;
    }
    return ERR_OK;
}

static enum err_code check_list(yyjson_val *list, const char *name, const char *what, bool (*fits)(yyjson_val *v), struct err *e)
{
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(list, i, n, v) {
        if (fits(v))
            continue;
        err_set(e, ERR_INVALID_REQUEST, "%s[%zu] must be %s.", name, i, what);
        return err_param(e, "%s[%zu]", name, i);
    }
    return ERR_OK;
}

static bool is_token(yyjson_val *v)
{
    return is_whole(v) && yyjson_get_num(v) >= 0 && yyjson_get_num(v) <= MAX_INT;
}

static bool is_tokens(yyjson_val *v)
{
    size_t i, n;
    yyjson_val *id;
    yyjson_arr_foreach(v, i, n, id) {
        if (!is_token(id))
            return false;
    }
    return yyjson_is_arr(v);
}

static bool is_prompt(yyjson_val *v)
{
    return yyjson_is_str(v) || is_tokens(v);
}

static bool is_input(yyjson_val *v)
{
    return (yyjson_is_str(v) && yyjson_get_len(v)) || is_tokens(v);
}

static bool is_document(yyjson_val *v)
{
    return yyjson_is_str(v) || yyjson_is_str(yyjson_obj_get(v, "text"));
}

/* A list of texts, each a string or the ids of its tokens; or the ids of one text's tokens. How many texts there are must not be a matter of opinion. */
static enum err_code check_texts(yyjson_val *list, const char *name, const char *what, bool (*fits)(yyjson_val *v), struct err *e)
{
    if (yyjson_is_num(yyjson_arr_get_first(list)))
        return check_list(list, name, "the id of a token, as the first item is", is_token, e);
    return check_list(list, name, what, fits, e);
}

static enum err_code check_embed(yyjson_val *root, struct err *e)
{
    struct str format = json_str(yyjson_obj_get(root, "encoding_format"));
    if (format.n && !str_eq(format, STR("float")) && !str_eq(format, STR("base64"))) {
        err_set(e, ERR_INVALID_REQUEST, "'encoding_format' must be \"float\" or \"base64\".");
        return err_param(e, "encoding_format");
    }
    return check_texts(yyjson_obj_get(root, "input"), "input", "a string with something in it, or a list of token ids", is_input, e);
}

/* A kind of answer that nobody here knows would be left to the place, and nothing of it checked. */
static enum err_code check_format(yyjson_val *format, const char *field, struct err *e)
{
    static const char *const kinds[] = { "text", "json_object", "json_schema" };
    yyjson_val *type = yyjson_obj_get(format, "type");
    for (size_t i = 0; i < COUNTOF(kinds); i++)
        if (!type || yyjson_equals_str(type, kinds[i]))
            return ERR_OK;
    err_set(e, ERR_INVALID_REQUEST, "'%s.type' must be \"text\", \"json_object\" or \"json_schema\".", field);
    return err_param(e, "%s.type", field);
}

static enum err_code check_formats(yyjson_val *root, struct err *e)
{
    yyjson_val *usual = yyjson_obj_get(root, "response_format"), *text = yyjson_obj_get(yyjson_obj_get(root, "text"), "format");
    if (yyjson_is_obj(usual) && check_format(usual, "response_format", e))
        return e->code;
    if (yyjson_is_obj(text) && check_format(text, "text.format", e))
        return e->code;
    return ERR_OK;
}

static enum err_code check_chat(yyjson_val *root, struct err *e)
{
    enum err_code rc = check_messages(yyjson_obj_get(root, "messages"), e);
    return rc ? rc : check_formats(root, e);
}

static enum err_code check_content(yyjson_val *root, enum task task, struct err *e)
{
    switch (task) {
    case TASK_CHAT:
        return check_chat(root, e);
    case TASK_TEXT:
        return check_texts(yyjson_obj_get(root, "prompt"), "prompt", "a string or a list of token ids", is_prompt, e);
    case TASK_EMBED:
        return check_embed(root, e);
    case TASK_RERANK:
        return check_list(yyjson_obj_get(root, "documents"), "documents", "a string or an object with a string 'text'", is_document, e);
    }
    return ERR_OK;
}

static const char *const required[][3] = {
    [TASK_CHAT] = { "messages", NULL, NULL }, /* without a model it is the role of its kind */
    [TASK_TEXT] = { "prompt", NULL, NULL },
    [TASK_EMBED] = { "input", NULL, NULL },
    [TASK_RERANK] = { "query", "documents", NULL },
};

const char *field_required(enum task task, size_t i)
{
    return i < COUNTOF(required[task]) ? required[task][i] : NULL;
}

static enum err_code check_required(yyjson_val *root, enum task task, struct err *e)
{
    for (size_t k = 0; k < COUNTOF(required[task]) && required[task][k]; k++) {
        yyjson_val *v = yyjson_obj_get(root, required[task][k]);
        if (v && !yyjson_is_null(v))
            continue;
        err_set(e, ERR_INVALID_REQUEST, "'%s' is missing.", required[task][k]);
        return err_param(e, "%s", required[task][k]);
    }
    return ERR_OK;
}

enum err_code fields_check(yyjson_val *root, enum task task, struct err *e)
{
    if (!yyjson_is_obj(root))
        return err_set(e, ERR_INVALID_REQUEST, "The body must be a JSON object, not %s.", yyjson_get_type_desc(root));
    enum err_code rc = check_required(root, task, e);
    size_t i, n;
    yyjson_val *key, *v;
    yyjson_obj_foreach(root, i, n, key, v) {
        const struct field *f = rc ? NULL : field_find(task, json_str(key));
        if (f)
            rc = check_field(f, v, e);
    }
    return rc ? rc : check_content(root, task, e);
}
