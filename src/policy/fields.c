/* The table of a chat request's fields. First OpenAI's own, then llama.cpp's samplers, both in the order of their documentation. What an engine must never
 * get from outside (chat_template, id_slot, n_discard, lora paths …) simply has no row. */
#include "policy/fields.h"

#include <stdio.h>

#define MAX_INT 2147483647.0

static const struct field fields[] = {
    /* name                    types                       min   max        child */
    { "model",                 FIELD_STRING,               1,    256,       CHILD_OWN },
    { "messages",              FIELD_ARRAY,                1,    100000,    CHILD_OWN },
    { "stream",                FIELD_BOOL,                 0,    0,         CHILD_OWN },
    { "stream_options",        FIELD_OBJECT,               0,    0,         CHILD_OWN },
    { "max_tokens",            FIELD_INT,                  -1,   MAX_INT,   CHILD_OWN },
    { "max_completion_tokens", FIELD_INT,                  -1,   MAX_INT,   CHILD_OWN },
    { "n_predict",             FIELD_INT,                  -1,   MAX_INT,   CHILD_OWN },
    { "response_format",       FIELD_OBJECT,               0,    0,         CHILD_OWN },
    { "n",                     FIELD_INT,                  1,    128,       CHILD_OWN },
    { "temperature",           FIELD_NUMBER,               0,    2,         CHILD_PASS },
    { "top_p",                 FIELD_NUMBER,               0,    1,         CHILD_PASS },
    { "stop",                  FIELD_STRING | FIELD_ARRAY, 0,    4096,      CHILD_PASS },
    { "seed",                  FIELD_INT,                  -1,   1.8e19,    CHILD_PASS },
    { "frequency_penalty",     FIELD_NUMBER,               -2,   2,         CHILD_PASS },
    { "presence_penalty",      FIELD_NUMBER,               -2,   2,         CHILD_PASS },
    { "logit_bias",            FIELD_OBJECT | FIELD_ARRAY, 0,    0,         CHILD_PASS },
    { "logprobs",              FIELD_BOOL,                 0,    0,         CHILD_PASS },
    { "top_logprobs",          FIELD_INT,                  0,    20,        CHILD_PASS },
    { "tools",                 FIELD_ARRAY,                0,    1024,      CHILD_PASS },
    { "tool_choice",           FIELD_STRING | FIELD_OBJECT, 0,   0,         CHILD_PASS },
    { "parallel_tool_calls",   FIELD_BOOL,                 0,    0,         CHILD_PASS },
    { "reasoning_effort",      FIELD_STRING,               1,    64,        CHILD_PASS },
    { "user",                  FIELD_STRING,               0,    4096,      CHILD_DROP },
    { "metadata",              FIELD_OBJECT,               0,    0,         CHILD_DROP },
    { "store",                 FIELD_BOOL,                 0,    0,         CHILD_DROP },
    { "service_tier",          FIELD_STRING,               0,    64,        CHILD_DROP },
    { "modalities",            FIELD_ARRAY,                0,    16,        CHILD_DROP },
    { "audio",                 FIELD_OBJECT,               0,    0,         CHILD_DROP },
    { "prediction",            FIELD_OBJECT,               0,    0,         CHILD_DROP },
    { "verbosity",             FIELD_STRING,               0,    64,        CHILD_DROP },
    { "prompt_cache_key",      FIELD_STRING,               0,    4096,      CHILD_DROP },
    { "safety_identifier",     FIELD_STRING,               0,    4096,      CHILD_DROP },
    { "web_search_options",    FIELD_OBJECT,               0,    0,         CHILD_DROP },

    { "top_k",                 FIELD_INT,                  -1,   MAX_INT,   CHILD_PASS },
    { "min_p",                 FIELD_NUMBER,               0,    1,         CHILD_PASS },
    { "top_n_sigma",           FIELD_NUMBER,               -1,   100,       CHILD_PASS },
    { "typical_p",             FIELD_NUMBER,               0,    1,         CHILD_PASS },
    { "xtc_probability",       FIELD_NUMBER,               0,    1,         CHILD_PASS },
    { "xtc_threshold",         FIELD_NUMBER,               0,    1,         CHILD_PASS },
    { "dynatemp_range",        FIELD_NUMBER,               0,    10,        CHILD_PASS },
    { "dynatemp_exponent",     FIELD_NUMBER,               0,    10,        CHILD_PASS },
    { "repeat_penalty",        FIELD_NUMBER,               0,    10,        CHILD_PASS },
    { "repeat_last_n",         FIELD_INT,                  -1,   MAX_INT,   CHILD_PASS },
    { "dry_multiplier",        FIELD_NUMBER,               0,    100,       CHILD_PASS },
    { "dry_base",              FIELD_NUMBER,               0,    100,       CHILD_PASS },
    { "dry_allowed_length",    FIELD_INT,                  0,    MAX_INT,   CHILD_PASS },
    { "dry_penalty_last_n",    FIELD_INT,                  -1,   MAX_INT,   CHILD_PASS },
    { "dry_sequence_breakers", FIELD_ARRAY,                0,    64,        CHILD_PASS },
    { "mirostat",              FIELD_INT,                  0,    2,         CHILD_PASS },
    { "mirostat_tau",          FIELD_NUMBER,               0,    100,       CHILD_PASS },
    { "mirostat_eta",          FIELD_NUMBER,               0,    1,         CHILD_PASS },
    { "samplers",              FIELD_STRING | FIELD_ARRAY, 0,    1024,      CHILD_PASS },
    { "grammar",               FIELD_STRING,               0,    65536,     CHILD_PASS },
    { "cache_prompt",          FIELD_BOOL,                 0,    0,         CHILD_PASS },
    { "ignore_eos",            FIELD_BOOL,                 0,    0,         CHILD_PASS },
    { "chat_template_kwargs",  FIELD_OBJECT,               0,    0,         CHILD_PASS },
    { "reasoning_format",      FIELD_STRING,               0,    64,        CHILD_PASS },
    { "thinking_budget_tokens", FIELD_INT,                 -1,   MAX_INT,   CHILD_PASS },
    { "reasoning_budget_tokens", FIELD_INT,                -1,   MAX_INT,   CHILD_PASS },
    { "timings_per_token",     FIELD_BOOL,                 0,    0,         CHILD_PASS },
};

const struct field *field_at(size_t i)
{
    return i < COUNTOF(fields) ? &fields[i] : NULL;
}

const struct field *field_find(struct str name)
{
    for (size_t i = 0; i < COUNTOF(fields); i++)
        if (name.n && name.p[0] == fields[i].name[0] && str_eq(name, str_of(fields[i].name)))
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

enum err_code fields_check(yyjson_val *root, struct err *e)
{
    if (!yyjson_is_obj(root))
        return err_set(e, ERR_INVALID_REQUEST, "The body must be a JSON object, not %s.", yyjson_get_type_desc(root));
    static const char *const required[] = { "model", "messages" };
    yyjson_val *v;
    for (size_t k = 0; k < COUNTOF(required); k++) {
        v = yyjson_obj_get(root, required[k]);
        if (v && !yyjson_is_null(v))
            continue;
        err_set(e, ERR_INVALID_REQUEST, "'%s' is missing.", required[k]);
        if (k == 0)
            err_hint(e, "Name a model, role or tier; GET /v1/models lists them.");
        return err_param(e, "%s", required[k]);
    }
    size_t i, n;
    yyjson_val *key;
    yyjson_obj_foreach(root, i, n, key, v) {
        const struct field *f = field_find(json_str(key));
        if (f && check_field(f, v, e))
            return e->code;
    }
    return check_messages(yyjson_obj_get(root, "messages"), e);
}
