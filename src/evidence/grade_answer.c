/* A chat.completion, as an answer to be graded. */
#include "evidence/grade_int.h"

static struct str text_of(struct arena *a, yyjson_val *v)
{
    return yyjson_is_str(v) ? arena_copy(a, json_str(v)) : (struct str){ "", 0 };
}

static struct str json_of(struct arena *a, yyjson_val *v)
{
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    json_value(&o, v);
    struct str copy = arena_copy(a, buf_str(&text));
    buf_free(&text);
    return copy;
}

/* Content may be a list of parts. */
static struct str content_of(struct arena *a, yyjson_val *v)
{
    struct buf text = { 0 };
    size_t i, most;
    yyjson_val *part;
    if (!yyjson_is_arr(v))
        return text_of(a, v);
    yyjson_arr_foreach(v, i, most, part) {
        if (yyjson_is_str(yyjson_obj_get(part, "text")))
            buf_add(&text, json_str(yyjson_obj_get(part, "text")));
    }
    struct str copy = arena_copy(a, buf_str(&text));
    buf_free(&text);
    return copy;
}

static void read_calls(struct arena *a, yyjson_val *list, struct grade_answer *out)
{
    size_t i, most;
    yyjson_val *call;
    struct grade_call *calls = arena_array(a, struct grade_call, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, most, call) {
        yyjson_val *f = yyjson_obj_get(call, "function"), *arguments = yyjson_obj_get(f, "arguments");
        calls[out->ncalls].name = text_of(a, yyjson_obj_get(f, "name"));
        calls[out->ncalls++].arguments = yyjson_is_obj(arguments) ? json_of(a, arguments) : text_of(a, arguments);
    }
    out->calls = calls;
}

static int64_t figure(yyjson_val *from, const char *name)
{
    yyjson_val *v = yyjson_obj_get(from, name);
    return yyjson_is_num(v) ? (int64_t)yyjson_get_num(v) : -1;
}

enum err_code grade_answer_read(struct arena *a, struct str body, struct grade_answer *out, struct err *e)
{
    struct json_doc d = { 0 };
    struct err why = { 0 };
    struct grade_answer r = { .total_ms = -1 };
    if (json_parse(&d, body, &why))
        return err_set(e, ERR_UP_GARBLED, "the answer is no JSON: %.200s", why.text);
    yyjson_val *choice = yyjson_arr_get(yyjson_obj_get(d.root, "choices"), 0), *message = yyjson_obj_get(choice, "message");
    yyjson_val *routing = yyjson_obj_get(d.root, "_routing"), *thoughts = yyjson_obj_get(message, "reasoning_content");
    if (!yyjson_is_obj(message)) {
        json_free(&d);
        return err_set(e, ERR_UP_GARBLED, "the answer has no choices[0].message");
    }
    r.text = content_of(a, yyjson_obj_get(message, "content"));
    r.reasoning = text_of(a, yyjson_is_str(thoughts) ? thoughts : yyjson_obj_get(message, "reasoning"));
    r.finish = text_of(a, yyjson_obj_get(choice, "finish_reason"));
    read_calls(a, yyjson_obj_get(message, "tool_calls"), &r);
    r.output_tokens = figure(yyjson_obj_get(d.root, "usage"), "completion_tokens");
    r.total_ms = figure(routing, "latency_ms");
    r.ttft_ms = figure(routing, "ttft_ms");
    json_free(&d);
    *out = r;
    return ERR_OK;
}
