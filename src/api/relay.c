/* Events to events. What is in order leaves as it came; a chunk is edited only where callers would stumble: the model's name, one id for all, a
 * role in the first delta. The chunk with finish_reason waits until usage is known, so that the routing it carries is whole. */
#include "api/answer.h"

#include <stdio.h>

enum { MAX_EDITS = 4 };

void facts_init(struct answer_facts *f)
{
    *f = (struct answer_facts){ .tokens = { -1, -1, -1, -1 } };
}

static int64_t count_of(yyjson_val *v, int64_t otherwise)
{
    return yyjson_is_int(v) ? yyjson_get_sint(v) : otherwise;
}

void facts_usage(struct answer_facts *f, yyjson_val *usage)
{
    if (!yyjson_is_obj(usage))
        return;
    struct tokens *t = &f->tokens;
    t->input = count_of(yyjson_obj_get(usage, "prompt_tokens"), t->input);
    t->output = count_of(yyjson_obj_get(usage, "completion_tokens"), t->output);
    t->cached = count_of(yyjson_obj_get(yyjson_obj_get(usage, "prompt_tokens_details"), "cached_tokens"), t->cached);
    t->reasoning = count_of(yyjson_obj_get(yyjson_obj_get(usage, "completion_tokens_details"), "reasoning_tokens"), t->reasoning);
}

enum err_code answer_error(yyjson_val *error, struct err *e)
{
    struct str said = json_str(yyjson_is_obj(error) ? yyjson_obj_get(error, "message") : error);
    return err_set(e, ERR_UP_STATUS, "it broke off with an error: %.*s", said.n ? (int)(said.n < 160 ? said.n : 160) : 7,
        said.n ? said.p : "(empty)");
}

void relay_init(struct relay *r, const struct answer_frame *f, struct json_scratch *scratch)
{
    *r = (struct relay){ .frame = *f, .scratch = scratch };
    facts_init(&r->facts);
}

void relay_free(struct relay *r)
{
    buf_free(&r->end);
    buf_free(&r->usage);
}

static bool has_text(yyjson_val *v)
{
    return yyjson_is_str(v) && yyjson_get_len(v) > 0;
}

/* Notes what the first choice's delta says; true when it is part of the answer. */
static bool read_delta(struct answer_facts *f, yyjson_val *choice)
{
    yyjson_val *delta = yyjson_obj_get(choice, "delta"), *finish = yyjson_obj_get(choice, "finish_reason");
    bool thought = has_text(yyjson_obj_get(delta, "reasoning_content")) || has_text(yyjson_obj_get(delta, "reasoning"));
    f->thoughts += thought;
    if (has_text(finish))
        snprintf(f->finish, sizeof f->finish, "%s", yyjson_get_str(finish));
    return thought || has_text(finish) || has_text(yyjson_obj_get(delta, "content")) || has_text(yyjson_obj_get(delta, "refusal")) ||
        yyjson_arr_size(yyjson_obj_get(delta, "tool_calls")) > 0;
}

/* The span of a string value in the text, quotes included; found from its place in the parsed copy. */
static struct json_edit replace_string(const struct json_doc *d, yyjson_val *v, struct str put)
{
    size_t at = (size_t)(yyjson_get_str(v) - d->copy) - 1;
    return (struct json_edit){ at, json_skip_value(d->text, at) - at, put };
}

struct edits {
    struct json_edit at[MAX_EDITS];
    size_t n;
    struct buf text; /* of what is put in */
};

static void edit_insert(struct edits *x, struct json_edit one)
{
    size_t i = x->n++;
    for (; i && x->at[i - 1].at > one.at; i--)
        x->at[i] = x->at[i - 1];
    x->at[i] = one;
}

/* A quoted string in x->text; enough room must have been reserved, as the slices point into it. */
static struct str quoted(struct edits *x, struct str prefix, struct str s, struct str suffix)
{
    size_t at = x->text.n;
    struct json_out o = json_out(&x->text);
    buf_add(&x->text, prefix);
    json_string(&o, s);
    buf_add(&x->text, suffix);
    return str_make(x->text.p + at, x->text.n - at);
}

static void edit_model(struct relay *r, const struct json_doc *d, struct edits *x)
{
    yyjson_val *model = yyjson_obj_get(d->root, "model");
    if (yyjson_is_str(model) && !str_eq(json_str(model), r->frame.model))
        edit_insert(x, replace_string(d, model, quoted(x, STR(""), r->frame.model, STR(""))));
}

static void edit_id(struct relay *r, const struct json_doc *d, struct edits *x)
{
    yyjson_val *id = yyjson_obj_get(d->root, "id");
    struct str has = json_str(id);
    if (!r->id[0]) {
        struct str first = has.n && has.n < sizeof r->id ? has : r->frame.id;
        snprintf(r->id, sizeof r->id, "%.*s", STR_ARG(first));
    }
    if (str_eq(has, str_of(r->id)))
        return;
    if (yyjson_is_str(id))
        edit_insert(x, replace_string(d, id, quoted(x, STR(""), str_of(r->id), STR(""))));
    else if (!id)
        edit_insert(x, (struct json_edit){ json_object_inside(d, d->root), 0, quoted(x, STR("\"id\":"), str_of(r->id), STR(",")) });
}

static void edit_role(struct relay *r, const struct json_doc *d, yyjson_val *delta, struct edits *x)
{
    if (r->role_sent || !yyjson_is_obj(delta))
        return;
    r->role_sent = true;
    if (yyjson_obj_get(delta, "role"))
        return;
    edit_insert(x, (struct json_edit){ json_object_inside(d, delta), 0,
        yyjson_obj_size(delta) ? STR("\"role\":\"assistant\",") : STR("\"role\":\"assistant\"") });
}

static void put_event(struct buf *out, struct str data, const struct edits *x)
{
    buf_lit(out, "data: ");
    if (x && x->n)
        json_splice(out, data, x->at, x->n);
    else
        buf_add(out, data);
    buf_lit(out, "\n\n");
}

static void pass_chunk(struct relay *r, const struct json_doc *d, yyjson_val *choice, struct buf *out)
{
    struct edits x = { .n = 0 };
    size_t room = r->frame.model.n * 6 + sizeof r->id * 6 + 64; /* reserved once: slices must not move */
    yyjson_val *model = yyjson_obj_get(d->root, "model"), *id = yyjson_obj_get(d->root, "id");
    if (!str_eq(json_str(model), r->frame.model) || !r->id[0] || !str_eq(json_str(id), str_of(r->id))) {
        buf_reserve(&x.text, room);
        edit_model(r, d, &x);
        edit_id(r, d, &x);
    }
    edit_role(r, d, yyjson_obj_get(choice, "delta"), &x);
    put_event(out, d->text, &x);
    buf_free(&x.text);
}

static enum err_code on_chunk(struct relay *r, const struct json_doc *d, struct buf *out, struct err *e)
{
    yyjson_val *error = yyjson_obj_get(d->root, "error");
    if (error && !yyjson_is_null(error))
        return answer_error(error, e);
    yyjson_val *choice = yyjson_arr_get_first(yyjson_obj_get(d->root, "choices"));
    yyjson_val *usage = yyjson_obj_get(d->root, "usage");
    facts_usage(&r->facts, usage);
    if (choice) {
        bool ended = r->facts.finish[0];
        r->facts.began |= read_delta(&r->facts, choice);
        pass_chunk(r, d, choice, r->facts.finish[0] && !ended ? &r->end : out);
    } else if (yyjson_is_obj(usage) && r->frame.include_usage && !r->usage.n) {
        pass_chunk(r, d, NULL, &r->usage);
    }
    return ERR_OK;
}

enum err_code relay_event(struct relay *r, struct str data, struct buf *out, struct err *e)
{
    struct json_doc d;
    if (r->facts.done)
        return ERR_OK;
    if (str_eq(data, STR("[DONE]"))) {
        r->facts.done = true;
        return ERR_OK;
    }
    if (json_parse_fast(&d, data, r->scratch, e))
        return err_set(e, ERR_UP_GARBLED, "it sent an event that is no JSON");
    enum err_code rc = yyjson_is_obj(d.root) ? on_chunk(r, &d, out, e) : err_set(e, ERR_UP_GARBLED, "it sent an event that is no object");
    json_free(&d);
    return rc;
}

/* `{"a":1}` + routing -> `{"a":1,"_routing":…}`; event is "data: {…}\n\n" or the bare object. */
static void add_routing(struct buf *event, struct str routing)
{
    size_t end = event->n;
    while (end && event->p[end - 1] != '}')
        end--;
    if (!end || !routing.n)
        return;
    struct buf tail = { 0 };
    buf_add(&tail, str_make(event->p + end - 1, event->n - end + 1));
    event->n = end - 1;
    buf_lit(event, ",\"_routing\":");
    buf_add(event, routing);
    buf_add(event, buf_str(&tail));
    buf_free(&tail);
}

enum err_code relay_end(struct relay *r, struct str routing, struct buf *out, struct err *e)
{
    if (!r->facts.finish[0])
        return err_set(e, ERR_UP_GARBLED, "its stream ended without a finish_reason");
    add_routing(&r->end, routing);
    buf_add(out, buf_str(&r->end));
    buf_add(out, buf_str(&r->usage));
    buf_lit(out, "data: [DONE]\n\n");
    return ERR_OK;
}
