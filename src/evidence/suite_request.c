/* What is sent for a case. */
#include "evidence/suite_int.h"

#include "api/question.h"

#include <math.h>

static enum err_code image_url(struct arena *a, struct str image, const struct suite_ask *ask, struct str *url, struct err *e)
{
    *url = image;
    if (ask->image)
        return ask->image(ask->image_ctx, image, a, url, e);
    return str_starts(image, STR("data:")) ? ERR_OK : err_set(e, ERR_INVALID_REQUEST, "the image %.100s must be read first, and nobody here reads images", arena_copy(a, image).p);
}

/* Pictures before the words about them: what most chat templates were trained on. */
static enum err_code put_user(struct arena *a, const struct suite_case *c, const struct suite_ask *ask, struct json_out *o, struct err *e)
{
    enum err_code rc = ERR_OK;
    json_begin_object(o);
    json_key(o, STR("role"));
    json_string(o, STR("user"));
    json_key(o, STR("content"));
    json_begin_array(o);
    for (size_t i = 0; i < c->images.n && !rc; i++) {
        struct str url;
        rc = image_url(a, c->images.at[i], ask, &url, e);
        if (!rc)
            question_put_image(o, url);
    }
    if (c->input.n)
        question_put_text(o, c->input);
    json_end_array(o);
    json_end_object(o);
    return rc;
}

static enum err_code put_messages(struct arena *a, const struct suite_case *c, const struct suite_ask *ask, struct json_out *o, struct err *e)
{
    enum err_code rc = ERR_OK;
    struct str inner = c->messages.n ? str_trim(str_make(c->messages.p + 1, c->messages.n - 2)) : (struct str){ NULL, 0 };
    json_key(o, STR("messages"));
    json_begin_array(o);
    if (c->system.n)
        question_put_message(o, "system", c->system);
    if (inner.n)
        json_raw(o, inner);
    if (c->images.n)
        rc = put_user(a, c, ask, o, e);
    else if (c->input.n)
        question_put_message(o, "user", c->input);
    json_end_array(o);
    return rc;
}

static void put_schema(const struct suite_case *c, struct json_out *o)
{
    json_key(o, STR("response_format"));
    json_begin_object(o);
    json_key(o, STR("type"));
    json_string(o, STR("json_schema"));
    json_key(o, STR("json_schema"));
    json_begin_object(o);
    json_key(o, STR("name"));
    json_string(o, STR("answer"));
    json_key(o, STR("strict"));
    json_bool(o, c->strict);
    json_key(o, STR("schema"));
    json_raw(o, c->schema);
    json_end_object(o);
    json_end_object(o);
}

static void put_thinking(struct str thinking, struct json_out *o)
{
    int64_t budget;
    bool counted = str_to_int(thinking, 1, INT64_MAX, &budget), word = str_eq(thinking, STR("on")) || str_eq(thinking, STR("off"));
    json_key(o, counted ? STR("thinking_budget_tokens") : word ? STR("thinking") : STR("reasoning_effort"));
    if (counted)
        json_int(o, budget);
    else
        json_string(o, thinking);
}

static void put_settings(const struct suite_case *c, const struct suite_ask *ask, struct json_out *o)
{
    const struct {
        const char *name;
        struct str json;
    } raw[] = { { "tools", c->tools }, { "tool_choice", c->tool_choice } };
    for (size_t i = 0; i < COUNTOF(raw); i++)
        if (raw[i].json.n) {
            json_key(o, str_of(raw[i].name));
            json_raw(o, raw[i].json);
        }
    if (c->schema.n)
        put_schema(c, o);
    if (c->max_tokens) {
        json_key(o, STR("max_tokens"));
        json_int(o, c->max_tokens);
    }
    if (!isnan(c->temperature)) {
        json_key(o, STR("temperature"));
        json_double(o, c->temperature, 6);
    }
    if (!isnan(c->top_p)) {
        json_key(o, STR("top_p"));
        json_double(o, c->top_p, 6);
    }
    if (c->thinking.n)
        put_thinking(c->thinking, o);
    if (c->stop.n) {
        json_key(o, STR("stop"));
        json_begin_array(o);
        for (size_t i = 0; i < c->stop.n; i++)
            json_string(o, c->stop.at[i]);
        json_end_array(o);
    }
    if (ask->seed >= 0) {
        json_key(o, STR("seed"));
        json_int(o, ask->seed);
    }
}

enum err_code suite_case_request(struct arena *a, const struct suite_case *c, const struct suite_ask *ask, struct str *body, struct err *e)
{
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    json_begin_object(&o);
    json_key(&o, STR("model"));
    json_string(&o, ask->model);
    enum err_code rc = put_messages(a, c, ask, &o, e);
    put_settings(c, ask, &o);
    json_key(&o, STR("stream"));
    json_bool(&o, ask->stream);
    if (ask->stream) {
        json_key(&o, STR("stream_options"));
        json_begin_object(&o);
        json_key(&o, STR("include_usage"));
        json_bool(&o, true);
        json_end_object(&o);
    }
    json_end_object(&o);
    if (!rc)
        *body = arena_copy(a, buf_str(&text));
    buf_free(&text);
    return rc;
}
