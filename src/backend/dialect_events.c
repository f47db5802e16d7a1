/* OpenAI's chunks. Model and time are left out: whoever passes them on has his own. */
#include "backend/dialect_events.h"

#include <stdio.h>

void chunks_init(struct chunks *c, dialect_event_fn *on_event, void *ctx)
{
    *c = (struct chunks){ .on_event = on_event, .ctx = ctx };
}

void chunks_free(struct chunks *c)
{
    buf_free(&c->text);
}

void chunks_name(struct chunks *c, struct str id)
{
    snprintf(c->id, sizeof c->id, "%.*s", STR_ARG(id));
}

static void put_string(struct json_out *o, struct str key, struct str text)
{
    json_key(o, key);
    json_string(o, text);
}

static struct json_out begin(struct chunks *c)
{
    c->text.n = 0;
    struct json_out o = json_out(&c->text);
    json_begin_object(&o);
    if (c->id[0])
        put_string(&o, STR("id"), str_of(c->id));
    put_string(&o, STR("object"), STR("chat.completion.chunk"));
    json_key(&o, STR("choices"));
    json_begin_array(&o);
    return o;
}

static void end(struct chunks *c, struct json_out *o)
{
    json_end_object(o);
    if (!c->stopped)
        c->on_event(c->ctx, buf_str(&c->text));
}

static struct json_out begin_delta(struct chunks *c)
{
    struct json_out o = begin(c);
    json_begin_object(&o);
    json_key(&o, STR("index"));
    json_int(&o, 0);
    json_key(&o, STR("delta"));
    json_begin_object(&o);
    if (!c->begun)
        put_string(&o, STR("role"), STR("assistant"));
    c->begun = true;
    return o;
}

static void end_delta(struct chunks *c, struct json_out *o, const char *finish)
{
    json_end_object(o);
    json_key(o, STR("finish_reason"));
    json_string_or_null(o, str_of(finish));
    json_end_object(o);
    json_end_array(o);
    end(c, o);
}

static void put_text(struct chunks *c, struct str key, struct str text)
{
    if (!text.n)
        return;
    struct json_out o = begin_delta(c);
    put_string(&o, key, text);
    end_delta(c, &o, NULL);
}

void chunks_content(struct chunks *c, struct str text)
{
    put_text(c, STR("content"), text);
}

void chunks_thought(struct chunks *c, struct str text)
{
    put_text(c, STR("reasoning_content"), text);
}

/* name empty: a further piece of a call that has begun. */
static void put_call(struct chunks *c, size_t index, struct str id, struct str name, struct str arguments)
{
    struct json_out o = begin_delta(c);
    json_key(&o, STR("tool_calls"));
    json_begin_array(&o);
    json_begin_object(&o);
    json_key(&o, STR("index"));
    json_int(&o, (int64_t)index);
    if (name.n) {
        put_string(&o, STR("id"), id);
        put_string(&o, STR("type"), STR("function"));
    }
    json_key(&o, STR("function"));
    json_begin_object(&o);
    if (name.n)
        put_string(&o, STR("name"), name);
    put_string(&o, STR("arguments"), arguments);
    json_end_object(&o);
    json_end_object(&o);
    json_end_array(&o);
    end_delta(c, &o, NULL);
}

void chunks_call(struct chunks *c, size_t index, struct str id, struct str name, struct str arguments)
{
    put_call(c, index, id, name, arguments);
}

void chunks_arguments(struct chunks *c, size_t index, struct str piece)
{
    if (piece.n)
        put_call(c, index, STR(""), STR(""), piece);
}

void chunks_finish(struct chunks *c, const char *reason)
{
    struct json_out o = begin_delta(c);
    end_delta(c, &o, reason);
}

static void put_detail(struct json_out *o, struct str group, struct str name, int64_t n)
{
    if (n < 0)
        return;
    json_key(o, group);
    json_begin_object(o);
    json_key(o, name);
    json_int(o, n);
    json_end_object(o);
}

void chunks_usage(struct chunks *c, const struct chunk_usage *u)
{
    struct json_out o = begin(c);
    json_end_array(&o);
    json_key(&o, STR("usage"));
    json_begin_object(&o);
    json_key(&o, STR("prompt_tokens"));
    json_int(&o, u->input);
    json_key(&o, STR("completion_tokens"));
    json_int(&o, u->output);
    json_key(&o, STR("total_tokens"));
    json_int(&o, u->input + u->output);
    put_detail(&o, STR("prompt_tokens_details"), STR("cached_tokens"), u->cached);
    put_detail(&o, STR("completion_tokens_details"), STR("reasoning_tokens"), u->reasoning);
    json_end_object(&o);
    end(c, &o);
}

void chunks_done(struct chunks *c)
{
    if (!c->stopped)
        c->on_event(c->ctx, STR("[DONE]"));
}

int64_t chunks_count(yyjson_val *v, int64_t otherwise)
{
    enum { MOST = 1 << 30 };
    if (!yyjson_is_int(v) || yyjson_get_sint(v) < 0)
        return otherwise;
    return yyjson_get_sint(v) < MOST ? yyjson_get_sint(v) : MOST;
}
