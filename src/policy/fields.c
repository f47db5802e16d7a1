/* The table of fields. First OpenAI's own, then llama.cpp's samplers, both in the order of their documentation. What an engine must never
 * get from outside (chat_template, id_slot, n_discard, lora paths …) simply has no row. */
#include "policy/fields.h"

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

static const struct field fields[] = {
    /* name                    in      types                       min   max        child */
    { "model",                 ALL,    FIELD_STRING,               1,    256,       CHILD_OWN },
    { "messages",              CHAT,   FIELD_ARRAY,                1,    100000,    CHILD_OWN },
    { "stream",                BOTH,   FIELD_BOOL,                 0,    0,         CHILD_OWN },
    { "stream_options",        BOTH,   FIELD_OBJECT,               0,    0,         CHILD_OWN },
    { "max_tokens",            BOTH,   FIELD_INT,                  -1,   MAX_INT,   CHILD_OWN },
    { "max_completion_tokens", CHAT,   FIELD_INT,                  -1,   MAX_INT,   CHILD_OWN },
    { "n_predict",             BOTH,   FIELD_INT,                  -1,   MAX_INT,   CHILD_OWN },
    { "response_format",       CHAT,   FIELD_OBJECT,               0,    0,         CHILD_OWN },
    { "n",                     BOTH,   FIELD_INT,                  1,    128,       CHILD_OWN },
    { "temperature",           BOTH,   FIELD_NUMBER,               0,    2,         CHILD_PASS },
    { "top_p",                 BOTH,   FIELD_NUMBER,               0,    1,         CHILD_PASS },
    { "stop",                  BOTH,   FIELD_STRING | FIELD_ARRAY, 0,    4096,      CHILD_PASS },
    { "seed",                  BOTH,   FIELD_INT,                  -1,   1.8e19,    CHILD_PASS },
    { "frequency_penalty",     BOTH,   FIELD_NUMBER,               -2,   2,         CHILD_PASS },
    { "presence_penalty",      BOTH,   FIELD_NUMBER,               -2,   2,         CHILD_PASS },
    { "logit_bias",            BOTH,   FIELD_OBJECT | FIELD_ARRAY, 0,    0,         CHILD_PASS },
    { "logprobs",              CHAT,   FIELD_BOOL,                 0,    0,         CHILD_PASS },
    { "top_logprobs",          CHAT,   FIELD_INT,                  0,    20,        CHILD_PASS },
    { "tools",                 CHAT,   FIELD_ARRAY,                0,    1024,      CHILD_PASS },
    { "tool_choice",           CHAT,   FIELD_STRING | FIELD_OBJECT, 0,   0,         CHILD_PASS },
    { "parallel_tool_calls",   CHAT,   FIELD_BOOL,                 0,    0,         CHILD_PASS },
    { "reasoning_effort",      CHAT,   FIELD_STRING,               1,    64,        CHILD_PASS },
    { "user",                  ALL,    FIELD_STRING,               0,    4096,      CHILD_DROP },
    { "metadata",              CHAT,   FIELD_OBJECT,               0,    0,         CHILD_DROP },
    { "store",                 CHAT,   FIELD_BOOL,                 0,    0,         CHILD_DROP },
    { "service_tier",          CHAT,   FIELD_STRING,               0,    64,        CHILD_DROP },
    { "modalities",            CHAT,   FIELD_ARRAY,                0,    16,        CHILD_DROP },
    { "audio",                 CHAT,   FIELD_OBJECT,               0,    0,         CHILD_DROP },
    { "prediction",            CHAT,   FIELD_OBJECT,               0,    0,         CHILD_DROP },
    { "verbosity",             CHAT,   FIELD_STRING,               0,    64,        CHILD_DROP },
    { "prompt_cache_key",      CHAT,   FIELD_STRING,               0,    4096,      CHILD_DROP },
    { "safety_identifier",     CHAT,   FIELD_STRING,               0,    4096,      CHILD_DROP },
    { "web_search_options",    CHAT,   FIELD_OBJECT,               0,    0,         CHILD_DROP },

    { "top_k",                 BOTH,   FIELD_INT,                  -1,   MAX_INT,   CHILD_PASS },
    { "min_p",                 BOTH,   FIELD_NUMBER,               0,    1,         CHILD_PASS },
    { "top_n_sigma",           BOTH,   FIELD_NUMBER,               -1,   100,       CHILD_PASS },
    { "typical_p",             BOTH,   FIELD_NUMBER,               0,    1,         CHILD_PASS },
    { "xtc_probability",       BOTH,   FIELD_NUMBER,               0,    1,         CHILD_PASS },
    { "xtc_threshold",         BOTH,   FIELD_NUMBER,               0,    1,         CHILD_PASS },
    { "dynatemp_range",        BOTH,   FIELD_NUMBER,               0,    10,        CHILD_PASS },
    { "dynatemp_exponent",     BOTH,   FIELD_NUMBER,               0,    10,        CHILD_PASS },
    { "repeat_penalty",        BOTH,   FIELD_NUMBER,               0,    10,        CHILD_PASS },
    { "repeat_last_n",         BOTH,   FIELD_INT,                  -1,   MAX_INT,   CHILD_PASS },
    { "dry_multiplier",        BOTH,   FIELD_NUMBER,               0,    100,       CHILD_PASS },
    { "dry_base",              BOTH,   FIELD_NUMBER,               0,    100,       CHILD_PASS },
    { "dry_allowed_length",    BOTH,   FIELD_INT,                  0,    MAX_INT,   CHILD_PASS },
    { "dry_penalty_last_n",    BOTH,   FIELD_INT,                  -1,   MAX_INT,   CHILD_PASS },
    { "dry_sequence_breakers", BOTH,   FIELD_ARRAY,                0,    64,        CHILD_PASS },
    { "mirostat",              BOTH,   FIELD_INT,                  0,    2,         CHILD_PASS },
    { "mirostat_tau",          BOTH,   FIELD_NUMBER,               0,    100,       CHILD_PASS },
    { "mirostat_eta",          BOTH,   FIELD_NUMBER,               0,    1,         CHILD_PASS },
    { "samplers",              BOTH,   FIELD_STRING | FIELD_ARRAY, 0,    1024,      CHILD_PASS },
    { "grammar",               BOTH,   FIELD_STRING,               0,    65536,     CHILD_PASS },
    { "cache_prompt",          BOTH,   FIELD_BOOL,                 0,    0,         CHILD_PASS },
    { "ignore_eos",            BOTH,   FIELD_BOOL,                 0,    0,         CHILD_PASS },
    { "chat_template_kwargs",  CHAT,   FIELD_OBJECT,               0,    0,         CHILD_PASS },
    { "reasoning_format",      CHAT,   FIELD_STRING,               0,    64,        CHILD_PASS },
    { "thinking_budget_tokens", CHAT,   FIELD_INT,                 -1,   MAX_INT,   CHILD_PASS },
    { "reasoning_budget_tokens", CHAT,   FIELD_INT,                -1,   MAX_INT,   CHILD_PASS },
    { "timings_per_token",     BOTH,   FIELD_BOOL,                 0,    0,         CHILD_PASS },

    { "prompt",                TEXT,   FIELD_STRING | FIELD_ARRAY, 1,    8388608,   CHILD_PASS },
    { "suffix",                TEXT,   FIELD_STRING,               0,    8388608,   CHILD_PASS },
    { "echo",                  TEXT,   FIELD_BOOL,                 0,    0,         CHILD_PASS },
    { "best_of",               TEXT,   FIELD_INT,                  1,    20,        CHILD_DROP },
    { "logprobs",              TEXT,   FIELD_INT,                  0,    20,        CHILD_PASS },

    { "input",                 EMBED,  FIELD_STRING | FIELD_ARRAY, 1,    8388608,   CHILD_OWN },
    { "encoding_format",       EMBED,  FIELD_STRING,               1,    16,        CHILD_OWN },
    { "dimensions",            EMBED,  FIELD_INT,                  1,    65536,     CHILD_OWN },

    { "query",                 RERANK, FIELD_STRING,               1,    8388608,   CHILD_PASS },
    { "documents",             RERANK, FIELD_ARRAY,                1,    10000,     CHILD_OWN },
    { "top_n",                 RERANK, FIELD_INT,                  1,    10000,     CHILD_PASS },
    { "return_documents",      RERANK, FIELD_BOOL,                 0,    0,         CHILD_DROP },
};

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

static unsigned type_of(yyjson_val *v)
{
    if (yyjson_is_bool(v))
        return FIELD_BOOL;
    if (yyjson_is_int(v))
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

static enum err_code check_range(const struct field *f, yyjson_val *v, struct err *e)
{
    if (f->min == 0 && f->max == 0)
        return ERR_OK;
    bool number = yyjson_is_num(v);
    double x = number ? yyjson_get_num(v) : yyjson_is_str(v) ? (double)yyjson_get_len(v) : (double)yyjson_get_len(v);
    if (x >= f->min && x <= f->max)
        return ERR_OK;
    if (number)
        err_set(e, ERR_INVALID_REQUEST, "'%s' must be between %.10g and %.10g, not %.10g.", f->name, f->min, f->max, x);
    else if (x < f->min)
        err_set(e, ERR_INVALID_REQUEST, "'%s' must not be empty.", f->name);
    else
        err_set(e, ERR_INVALID_REQUEST, "'%s' may have at most %.0f %s.", f->name, f->max, yyjson_is_str(v) ? "bytes" : "items");
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

static bool is_tokens(yyjson_val *v)
{
    return yyjson_is_int(v) || yyjson_is_arr(v);
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

static enum err_code check_embed(yyjson_val *root, struct err *e)
{
    struct str format = json_str(yyjson_obj_get(root, "encoding_format"));
    if (format.n && !str_eq(format, STR("float")) && !str_eq(format, STR("base64"))) {
        err_set(e, ERR_INVALID_REQUEST, "'encoding_format' must be \"float\" or \"base64\".");
        return err_param(e, "encoding_format");
    }
    return check_list(yyjson_obj_get(root, "input"), "input", "a string with something in it", is_input, e);
}

static enum err_code check_content(yyjson_val *root, enum task task, struct err *e)
{
    switch (task) {
    case TASK_CHAT:
        return check_messages(yyjson_obj_get(root, "messages"), e);
    case TASK_TEXT:
        return check_list(yyjson_obj_get(root, "prompt"), "prompt", "a string", is_prompt, e);
    case TASK_EMBED:
        return check_embed(root, e);
    case TASK_RERANK:
        return check_list(yyjson_obj_get(root, "documents"), "documents", "a string or an object with a string 'text'", is_document, e);
    }
    return ERR_OK;
}

static const char *const required[][3] = {
    [TASK_CHAT] = { "model", "messages", NULL },
    [TASK_TEXT] = { "model", "prompt", NULL },
    [TASK_EMBED] = { "model", "input", NULL },
    [TASK_RERANK] = { "model", "query", "documents" },
};

static enum err_code check_required(yyjson_val *root, enum task task, struct err *e)
{
    for (size_t k = 0; k < COUNTOF(required[task]) && required[task][k]; k++) {
        yyjson_val *v = yyjson_obj_get(root, required[task][k]);
        if (v && !yyjson_is_null(v))
            continue;
        err_set(e, ERR_INVALID_REQUEST, "'%s' is missing.", required[task][k]);
        if (k == 0)
            err_hint(e, "Name a model, role or tier; GET /v1/models lists them.");
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
