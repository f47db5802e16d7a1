/* Events to events. What is in order leaves as it came; a chunk is edited only where callers would stumble: the model's name, one id and one time for
 * all, a role in the first delta, usage in a chunk of its own. The chunk with finish_reason waits until usage is known, so that the routing it carries is whole. */
#include "api/answer.h"

#include "api/answer_edit.h"

#include <stdio.h>

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

void facts_timings(struct answer_facts *f, yyjson_val *timings)
{
    f->drafted = count_of(yyjson_obj_get(timings, "draft_n"), f->drafted);
    f->accepted = count_of(yyjson_obj_get(timings, "draft_n_accepted"), f->accepted);
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
    bool said = has_text(yyjson_obj_get(delta, "content")) || has_text(yyjson_obj_get(delta, "refusal")) || has_text(yyjson_obj_get(choice, "text")) ||
        yyjson_arr_size(yyjson_obj_get(delta, "tool_calls")) > 0;
    f->said |= said;
    return thought || has_text(finish) || said;
}

/* One id for all chunks: the first one's, or ours when it has none. */
static struct str pick_id(struct relay *r, const struct json_doc *d)
{
    if (!r->id[0]) {
        struct str has = json_str(yyjson_obj_get(d->root, "id"));
        bool usable = has.n && has.n < sizeof r->id && !memchr(has.p, 0, has.n);
        struct str first = usable ? has : r->frame.id;
        snprintf(r->id, sizeof r->id, "%.*s", STR_ARG(first));
    }
    return str_of(r->id);
}

static void edit_role(struct relay *r, const struct json_doc *d, yyjson_val *delta, struct edits *x)
{
    if (r->role_sent || !yyjson_is_obj(delta))
        return;
    r->role_sent = true;
    if (!yyjson_obj_get(delta, "role"))
        edits_insert(x, json_object_inside(d, delta), yyjson_obj_size(delta) ? STR("\"role\":\"assistant\",") : STR("\"role\":\"assistant\""));
}

/* Data that came as several lines (which in JSON are blanks) leaves as one: each would need a `data:` of its own. */
static void join_lines(struct buf *event, size_t from)
{
    char *at = event->p + from, *end = event->p + event->n;
    while ((at = memchr(at, '\n', (size_t)(end - at))))
        *at++ = ' ';
}

static int64_t pick_created(struct relay *r, const struct json_doc *d)
{
    int64_t at = yyjson_get_sint(yyjson_obj_get(d->root, "created"));
    if (!r->created_s)
        r->created_s = at ? at : r->frame.created_s;
    return r->created_s;
}

static void put_event(struct buf *out, const struct json_doc *d, const struct edits *x)
{
    buf_lit(out, "data: ");
    size_t from = out->n;
    json_splice(out, d->text, x->at, x->n);
    join_lines(out, from);
    buf_lit(out, "\n\n");
}

static void pass_chunk(struct relay *r, const struct json_doc *d, yyjson_val *choice, struct buf *out)
{
    struct edits x = { .n = 0 };
    edits_string(&x, d, STR("model"), r->frame.model);
    edits_string(&x, d, STR("id"), pick_id(r, d));
    edits_int(&x, d, STR("created"), pick_created(r, d));
    if (choice) {
        edit_role(r, d, yyjson_obj_get(choice, "delta"), &x);
        if (yyjson_is_obj(yyjson_obj_get(d->root, "usage"))) /* it leaves in a chunk of its own, if the caller asked for it */
            edits_cut(&x, d, STR("usage"));
    }
    put_event(out, d, &x);
    edits_free(&x);
}

/* The chunk a caller expects, when the place sent its usage in some other one. */
static void make_usage_chunk(struct relay *r, yyjson_val *usage)
{
    buf_lit(&r->usage, "data: ");
    struct json_out o = json_out(&r->usage);
    json_begin_object(&o);
    json_key(&o, STR("id"));
    json_string(&o, r->id[0] ? str_of(r->id) : r->frame.id);
    json_key(&o, STR("object"));
    json_string(&o, r->frame.text ? STR("text_completion") : STR("chat.completion.chunk"));
    json_key(&o, STR("created"));
    json_int(&o, r->created_s ? r->created_s : r->frame.created_s);
    json_key(&o, STR("model"));
    json_string(&o, r->frame.model);
    json_key(&o, STR("choices"));
    json_raw(&o, STR("[]"));
    json_key(&o, STR("usage"));
    json_value(&o, usage);
    json_end_object(&o);
    buf_lit(&r->usage, "\n\n");
}

static void take_usage(struct relay *r, const struct json_doc *d, yyjson_val *usage)
{
    yyjson_val *choices = yyjson_obj_get(d->root, "choices");
    facts_usage(&r->facts, usage);
    if (!r->frame.include_usage || !yyjson_is_obj(usage))
        return;
    r->usage.n = 0; /* places that count along send it often: the last one holds */
    if (yyjson_is_arr(choices) && !yyjson_arr_size(choices))
        pass_chunk(r, d, NULL, &r->usage);
    else
        make_usage_chunk(r, usage);
}

static enum err_code on_chunk(struct relay *r, const struct json_doc *d, struct buf *out, struct err *e)
{
    yyjson_val *error = yyjson_obj_get(d->root, "error");
    if (error && !yyjson_is_null(error))
        return answer_error(error, e);
    yyjson_val *choice = yyjson_arr_get_first(yyjson_obj_get(d->root, "choices"));
    if (choice) {
        bool ended = r->facts.finish[0];
        r->facts.began |= read_delta(&r->facts, choice);
        pass_chunk(r, d, choice, r->facts.finish[0] && !ended ? &r->end : out);
    }
    take_usage(r, d, yyjson_obj_get(d->root, "usage"));
    facts_timings(&r->facts, yyjson_obj_get(d->root, "timings"));
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

static struct str event_data(const struct buf *event)
{
    return str_make(event->p + sizeof "data: " - 1, event->n - (sizeof "data: \n\n" - 1));
}

static void put_end(struct relay *r, struct str routing, struct buf *out)
{
    struct json_doc d;
    struct edits x = { .n = 0 };
    if (!routing.n || json_parse_fast(&d, event_data(&r->end), r->scratch, NULL)) {
        buf_add(out, buf_str(&r->end));
        return;
    }
    edits_routing(&x, &d, routing);
    put_event(out, &d, &x);
    edits_free(&x);
    json_free(&d);
}

enum err_code relay_end(struct relay *r, struct str routing, struct buf *out, struct err *e)
{
    if (!r->end.n)
        return err_set(e, ERR_UP_GARBLED, "its stream ended without a finish_reason");
    put_end(r, routing, out);
    buf_add(out, buf_str(&r->usage));
    buf_lit(out, "data: [DONE]\n\n");
    return ERR_OK;
}
