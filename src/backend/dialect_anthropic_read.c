/* The events of the Messages API, as OpenAI's. A message is blocks, one after the other: a text, thoughts, a call of a tool. How many tokens were read
 * comes with its beginning, how many were said with its end; the latter may correct the former. Blocks and deltas of kinds that we never asked for
 * (searches of its own, signatures, quotations) say nothing to our caller. */
#include "backend/dialect_anthropic.h"

#include "backend/dialect_events.h"
#include "http/sse.h"

#include <stdio.h>
#include <stdlib.h>

struct dialect_reader {
    struct sse *sse;
    struct chunks out;
    struct json_scratch scratch;
    struct err broke;
    bool in_call;                 /* the block at hand is a call of one of the caller's tools */
    bool has_arguments;           /* and some of its arguments have come */
    size_t ncalls;
    int64_t fresh, read, made;    /* tokens of the prompt: not from the cache, from it, put into it */
    int64_t output, thoughts;
    bool finished, over;          /* why it stopped is known; nothing more comes */
};

/* ---- errors ---- */

static enum err_code error_code(struct str type)
{
    static const struct {
        const char *type;
        enum err_code code;
    } temporary[] = { { "overloaded_error", ERR_UP_BUSY }, { "rate_limit_error", ERR_UP_BUSY }, { "timeout_error", ERR_UP_TIMEOUT } };
    for (size_t i = 0; i < COUNTOF(temporary); i++)
        if (str_eq(type, str_of(temporary[i].type)))
            return temporary[i].code;
    return ERR_UP_STATUS; /* in the middle of an answer whatever else goes wrong is the place's */
}

static void on_error(struct dialect_reader *r, yyjson_val *root)
{
    yyjson_val *error = yyjson_obj_get(root, "error");
    struct str said = json_str(yyjson_obj_get(error, "message"));
    if (!said.n)
        said = STR("(empty)");
    err_set(&r->broke, error_code(json_str(yyjson_obj_get(error, "type"))), "it broke off with an error: %.*s", (int)(said.n < 160 ? said.n : 160), said.p);
}

/* ---- events ---- */

static void read_usage(struct dialect_reader *r, yyjson_val *usage)
{
    r->fresh = chunks_count(yyjson_obj_get(usage, "input_tokens"), r->fresh);
    r->read = chunks_count(yyjson_obj_get(usage, "cache_read_input_tokens"), r->read);
    r->made = chunks_count(yyjson_obj_get(usage, "cache_creation_input_tokens"), r->made);
    r->output = chunks_count(yyjson_obj_get(usage, "output_tokens"), r->output);
    r->thoughts = chunks_count(yyjson_obj_get(yyjson_obj_get(usage, "output_tokens_details"), "thinking_tokens"), r->thoughts);
}

static void on_message(struct dialect_reader *r, yyjson_val *root)
{
    yyjson_val *message = yyjson_obj_get(root, "message");
    chunks_name(&r->out, json_str(yyjson_obj_get(message, "id")));
    read_usage(r, yyjson_obj_get(message, "usage"));
}

/* Arguments come in pieces behind it; servers that have them at once put them here. */
static void begin_call(struct dialect_reader *r, yyjson_val *block)
{
    struct buf input = { 0 };
    yyjson_val *v = yyjson_obj_get(block, "input");
    r->in_call = true;
    r->has_arguments = yyjson_obj_size(v) > 0;
    if (r->has_arguments) {
        struct json_out o = json_out(&input);
        json_value(&o, v);
    }
    struct str name = json_str(yyjson_obj_get(block, "name"));
    chunks_call(&r->out, r->ncalls++, json_str(yyjson_obj_get(block, "id")), name.n ? name : STR("?"), buf_str(&input));
    buf_free(&input);
}

static void on_block_start(struct dialect_reader *r, yyjson_val *root)
{
    yyjson_val *block = yyjson_obj_get(root, "content_block"), *type = yyjson_obj_get(block, "type");
    r->in_call = false;
    if (yyjson_equals_str(type, "text"))
        chunks_content(&r->out, json_str(yyjson_obj_get(block, "text")));
    else if (yyjson_equals_str(type, "thinking"))
        chunks_thought(&r->out, json_str(yyjson_obj_get(block, "thinking")));
    else if (yyjson_equals_str(type, "tool_use"))
        begin_call(r, block);
}

static void on_arguments(struct dialect_reader *r, struct str piece)
{
    if (!r->in_call)
        return;
    r->has_arguments |= piece.n > 0;
    chunks_arguments(&r->out, r->ncalls - 1, piece);
}

static void on_block_delta(struct dialect_reader *r, yyjson_val *root)
{
    yyjson_val *delta = yyjson_obj_get(root, "delta"), *type = yyjson_obj_get(delta, "type");
    if (yyjson_equals_str(type, "text_delta"))
        chunks_content(&r->out, json_str(yyjson_obj_get(delta, "text")));
    else if (yyjson_equals_str(type, "thinking_delta"))
        chunks_thought(&r->out, json_str(yyjson_obj_get(delta, "thinking")));
    else if (yyjson_equals_str(type, "input_json_delta"))
        on_arguments(r, json_str(yyjson_obj_get(delta, "partial_json")));
}

/* A call without arguments is one with an empty object. */
static void on_block_stop(struct dialect_reader *r, yyjson_val *root)
{
    (void)root;
    if (r->in_call && !r->has_arguments)
        chunks_arguments(&r->out, r->ncalls - 1, STR("{}"));
    r->in_call = false;
}

static const char *finish_reason(struct str stop)
{
    static const struct {
        const char *stop, *finish;
    } known[] = {
        { "end_turn", "stop" },       { "stop_sequence", "stop" },     { "max_tokens", "length" },
        { "tool_use", "tool_calls" }, { "refusal", "content_filter" }, { "model_context_window_exceeded", "length" },
    };
    for (size_t i = 0; i < COUNTOF(known); i++)
        if (str_eq(stop, str_of(known[i].stop)))
            return known[i].finish;
    return "stop"; /* pause_turn, and what is still to come */
}

static void on_message_delta(struct dialect_reader *r, yyjson_val *root)
{
    struct str stop = json_str(yyjson_obj_get(yyjson_obj_get(root, "delta"), "stop_reason"));
    read_usage(r, yyjson_obj_get(root, "usage"));
    if (!stop.n || r->finished)
        return;
    r->finished = true;
    chunks_finish(&r->out, finish_reason(stop));
}

static void close_message(struct dialect_reader *r)
{
    int64_t cached = r->read > 0 ? r->read : 0;
    struct chunk_usage u = { .input = r->fresh + cached + r->made, .output = r->output, .cached = r->read, .reasoning = r->thoughts };
    r->over = true;
    chunks_usage(&r->out, &u);
    chunks_done(&r->out);
}

static void on_message_stop(struct dialect_reader *r, yyjson_val *root)
{
    (void)root;
    if (r->finished)
        close_message(r);
    else
        err_set(&r->broke, ERR_UP_GARBLED, "its message ended without a word of why");
}

static const struct event_row {
    const char *type;
    void (*on)(struct dialect_reader *r, yyjson_val *root);
} events[] = {
    { "content_block_delta", on_block_delta }, { "content_block_start", on_block_start }, { "content_block_stop", on_block_stop },
    { "message_start", on_message },           { "message_delta", on_message_delta },     { "message_stop", on_message_stop },
    { "error", on_error },
};

static void on_event(void *ctx, struct str name, struct str data)
{
    struct dialect_reader *r = ctx;
    struct json_doc d;
    (void)name; /* the data says it, too */
    if (r->over || r->broke.code)
        return;
    if (json_parse_fast(&d, data, &r->scratch, NULL)) {
        err_set(&r->broke, ERR_UP_GARBLED, "it sent an event that is no JSON");
        return;
    }
    if (!yyjson_is_obj(d.root))
        err_set(&r->broke, ERR_UP_GARBLED, "it sent an event that is no object");
    for (size_t i = 0; i < COUNTOF(events); i++)
        if (yyjson_equals_str(yyjson_obj_get(d.root, "type"), events[i].type))
            events[i].on(r, d.root);
    json_free(&d);
}

/* ---- the reader ---- */

struct dialect_reader *anthropic_reader_new(size_t max_event_bytes, dialect_event_fn *on_chunk, void *ctx)
{
    struct dialect_reader *r = calloc(1, sizeof *r);
    if (!r)
        die("out of memory for a reader of events");
    r->sse = sse_new(max_event_bytes, on_event, r);
    r->read = r->thoughts = -1;
    chunks_init(&r->out, on_chunk, ctx);
    return r;
}

static enum err_code broken(const struct dialect_reader *r, enum err_code rc, struct err *e)
{
    if (!r->broke.code)
        return rc;
    *e = r->broke;
    return e->code;
}

enum err_code anthropic_feed(struct dialect_reader *r, struct str bytes, struct err *e)
{
    if (r->broke.code)
        return broken(r, ERR_OK, e);
    enum err_code rc = sse_feed(r->sse, bytes, e);
    return broken(r, rc, e);
}

enum err_code anthropic_end(struct dialect_reader *r, struct err *e)
{
    if (r->broke.code)
        return broken(r, ERR_OK, e);
    if (!r->finished)
        return err_set(e, ERR_UP_GARBLED, "its stream broke off before the message was over");
    if (!r->over)
        close_message(r);
    return ERR_OK;
}

void anthropic_stop(struct dialect_reader *r)
{
    r->out.stopped = true;
    sse_stop(r->sse);
}

void anthropic_free(struct dialect_reader *r)
{
    if (!r)
        return;
    sse_free(r->sse);
    chunks_free(&r->out);
    json_scratch_free(&r->scratch);
    free(r);
}
