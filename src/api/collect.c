/* Events to one object. Managed children are always streamed from, because only then do they notice that nobody listens; a caller who did not ask for
 * a stream gets the chat.completion that the chunks add up to. */
#include "api/answer.h"

#include "api/choice.h"

#include <stdio.h>
#include <stdlib.h>

struct collect {
    struct answer_frame frame;
    struct answer_facts facts;
    struct json_scratch *scratch;
    struct choice choice;
    struct choice_bufs bufs;
    struct kept *kept;
    struct buf logprobs;            /* items of logprobs.content, comma separated */
    struct buf usage, timings, fingerprint; /* JSON, as it came */
    char id[128];
    int64_t created_s;
};

struct collect *collect_new(const struct answer_frame *f, struct json_scratch *scratch)
{
    struct collect *c = calloc(1, sizeof *c);
    if (!c)
        die("out of memory for an answer");
    c->frame = *f;
    c->scratch = scratch;
    c->created_s = f->created_s;
    choice_init(&c->choice, 0, f);
    c->choice.kept = c->kept = kept_new();
    facts_init(&c->facts);
    return c;
}

void collect_free(struct collect *c)
{
    if (!c)
        return;
    struct buf *all[] = { &c->logprobs, &c->usage, &c->timings, &c->fingerprint };
    for (size_t i = 0; i < COUNTOF(all); i++)
        buf_free(all[i]);
    choice_free(&c->choice);
    choice_bufs_free(&c->bufs);
    kept_free(c->kept);
    free(c);
}

const struct answer_facts *collect_facts(const struct collect *c)
{
    return &c->facts;
}

struct kept *collect_kept(struct collect *c)
{
    return c->kept;
}

static void keep_json(struct collect *c, struct buf *to, yyjson_val *v)
{
    if (!v || yyjson_is_null(v))
        return;
    buf_reset(to, 4096);
    struct json_out o = json_out(to);
    json_value(&o, v);
    (void)c;
}

static void take_logprobs(struct collect *c, yyjson_val *items)
{
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(items, i, n, v) {
        if (c->logprobs.n)
            buf_add_char(&c->logprobs, ',');
        struct json_out o = json_out(&c->logprobs);
        json_value(&o, v);
    }
}

static enum err_code take_delta(struct collect *c, yyjson_val *choice, struct err *e)
{
    struct choice_delta d;
    if (!choice_is_sound(choice, false, c->frame.text))
        return err_set(e, ERR_UP_GARBLED, "it sent a choice that is none");
    choice_read(&c->choice, &c->frame, choice, &c->bufs, &d);
    if (d.calls && choice_read_calls(&c->choice, &c->frame, &c->bufs, &d, e))
        return e->code;
    choice_count(&c->choice, &c->frame, &d, &c->facts);
    if (!choice_hides(&d, &c->frame))
        take_logprobs(c, yyjson_obj_get(yyjson_obj_get(choice, "logprobs"), "content"));
    return ERR_OK;
}

static enum err_code on_chunk(struct collect *c, yyjson_val *root, struct err *e)
{
    yyjson_val *error = yyjson_obj_get(root, "error");
    if (error && !yyjson_is_null(error))
        return answer_error(error, e);
    struct str id = json_str(yyjson_obj_get(root, "id"));
    if (!c->id[0] && id.n && id.n < sizeof c->id)
        snprintf(c->id, sizeof c->id, "%.*s", STR_ARG(id));
    yyjson_val *created = yyjson_obj_get(root, "created");
    if (yyjson_is_int(created))
        c->created_s = yyjson_get_sint(created);
    yyjson_val *usage = yyjson_obj_get(root, "usage");
    facts_usage(&c->facts, usage);
    keep_json(c, &c->usage, usage);
    keep_json(c, &c->timings, yyjson_obj_get(root, "timings"));
    facts_timings(&c->facts, yyjson_obj_get(root, "timings"));
    if (!c->fingerprint.n)
        keep_json(c, &c->fingerprint, yyjson_obj_get(root, "system_fingerprint"));
    yyjson_val *choice = yyjson_arr_get_first(yyjson_obj_get(root, "choices"));
    enum err_code rc = choice ? take_delta(c, choice, e) : ERR_OK;
    if (!rc && kept_bytes(c->kept) + c->logprobs.n > c->frame.max_bytes)
        rc = err_set(e, ERR_UP_GARBLED, "its answer is longer than %zu bytes (`limits: {answer: …}`)", c->frame.max_bytes);
    return rc;
}

enum err_code collect_event(struct collect *c, struct str data, struct err *e)
{
    struct json_doc d;
    if (c->facts.done)
        return ERR_OK;
    if (str_eq(data, STR("[DONE]"))) {
        c->facts.done = true;
        return ERR_OK;
    }
    enum err_code rc = json_parse_sure(&d, data, c->scratch, e);
    if (rc)
        return err_set(e, ERR_UP_GARBLED, rc == ERR_BAD_REQUEST ? "it sent an event with a key twice, or nested too deep" : "it sent an event that is no JSON");
    rc = yyjson_is_obj(d.root) ? on_chunk(c, d.root, e) : err_set(e, ERR_UP_GARBLED, "it sent an event that is no object");
    json_free(&d);
    return rc;
}

static void put_text(struct json_out *o, struct str key, struct str text)
{
    if (!text.n)
        return;
    json_key(o, key);
    json_string(o, text);
}

static void put_message(struct json_out *o, const struct said_all *s)
{
    json_key(o, STR("message"));
    json_begin_object(o);
    json_key(o, STR("role"));
    json_string(o, STR("assistant"));
    json_key(o, STR("content"));
    if (s->content.n || (!s->ncalls && !s->refusal.n))
        json_string(o, s->content);
    else
        json_null(o);
    put_text(o, STR("refusal"), s->refusal);
    put_text(o, STR("reasoning_content"), s->reasoning);
    if (s->ncalls) {
        json_key(o, STR("tool_calls"));
        said_put_calls(o, s);
    }
    json_end_object(o);
}

static void put_choice(struct json_out *o, const struct collect *c)
{
    struct said_all said;
    kept_said(c->kept, &said);
    json_key(o, STR("choices"));
    json_begin_array(o);
    json_begin_object(o);
    json_key(o, STR("index"));
    json_int(o, 0);
    if (c->frame.text) {
        json_key(o, STR("text"));
        json_string(o, said.content);
    } else {
        put_message(o, &said);
    }
    json_key(o, STR("logprobs"));
    if (c->logprobs.n) {
        json_begin_object(o);
        json_key(o, STR("content"));
        json_begin_array(o);
        json_raw(o, buf_str(&c->logprobs));
        json_end_array(o);
        json_end_object(o);
    } else {
        json_null(o);
    }
    json_key(o, STR("finish_reason"));
    json_string(o, str_of(said.finish));
    json_end_object(o);
    json_end_array(o);
}

static void put_raw(struct json_out *o, struct str key, const struct buf *json)
{
    if (!json->n)
        return;
    json_key(o, key);
    json_raw(o, buf_str(json));
}

enum err_code collect_end(struct collect *c, struct str routing, struct buf *out, struct err *e)
{
    if (!c->facts.finish[0])
        return err_set(e, ERR_UP_GARBLED, "its stream ended without a finish_reason");
    struct json_out o = json_out(out);
    json_begin_object(&o);
    json_key(&o, STR("id"));
    json_string(&o, c->id[0] ? str_of(c->id) : c->frame.id);
    json_key(&o, STR("object"));
    json_string(&o, c->frame.text ? STR("text_completion") : STR("chat.completion"));
    json_key(&o, STR("created"));
    json_int(&o, c->created_s);
    json_key(&o, STR("model"));
    json_string(&o, c->frame.model);
    put_choice(&o, c);
    put_raw(&o, STR("usage"), &c->usage);
    put_raw(&o, STR("system_fingerprint"), &c->fingerprint);
    put_raw(&o, STR("timings"), &c->timings);
    if (routing.n) {
        json_key(&o, STR("_routing"));
        json_raw(&o, routing);
    }
    json_end_object(&o);
    return ERR_OK;
}
