/* Events to events. What is in order leaves as it came; a chunk is edited only where callers would stumble: the model's name, one id and one time for
 * all, a role in the first delta, usage in a chunk of its own, thoughts where they belong, calls of tools by the rules. The chunk with finish_reason waits until usage is known, so that the routing it carries is whole. */
#include "api/answer.h"

#include "api/answer_edit.h"
#include "api/choice.h"
#include "backend/dialect_events.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHOICES_MAX = 128 }; /* as many as may be asked for */

void facts_init(struct answer_facts *f)
{
    *f = (struct answer_facts){ .tokens = { -1, -1, -1, -1 } };
}

/* No more of them are thoughts than there are. */
static void cap_estimate(struct answer_facts *f)
{
    if (f->reasoning_estimated && f->tokens.output >= 0 && f->tokens.reasoning > f->tokens.output)
        f->tokens.reasoning = f->tokens.output;
}

/* A place that streams token by token sends as many events; one that sends more at a time, or all at once, is estimated by its bytes. */
static int64_t estimate(int64_t events, int64_t bytes)
{
    enum { BYTES_PER_TOKEN = 4, MOST_BYTES_PER_TOKEN = 8 };
    return bytes <= MOST_BYTES_PER_TOKEN * events ? events : (bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN;
}

int64_t facts_output(const struct answer_facts *f)
{
    if (f->tokens.output >= 0 || f->finish[0] || !f->began)
        return f->tokens.output;
    return estimate(f->texts, f->text_bytes) + estimate(f->thoughts, f->thought_bytes);
}

void facts_thought(struct answer_facts *f, size_t bytes)
{
    if (!bytes)
        return;
    f->thought = true;
    f->thoughts++;
    f->thought_bytes += (int64_t)bytes;
    if (f->tokens.reasoning > 0 && !f->reasoning_estimated)
        return;
    f->reasoning_estimated = true;
    f->tokens.reasoning = estimate(f->thoughts, f->thought_bytes);
    cap_estimate(f);
}

void facts_usage(struct answer_facts *f, yyjson_val *usage)
{
    if (!yyjson_is_obj(usage))
        return;
    struct tokens *t = &f->tokens;
    t->input = chunks_count(yyjson_obj_get(usage, "prompt_tokens"), t->input);
    t->output = chunks_count(yyjson_obj_get(usage, "completion_tokens"), t->output);
    t->cached = chunks_count(yyjson_obj_get(yyjson_obj_get(usage, "prompt_tokens_details"), "cached_tokens"), t->cached);
    int64_t reasoning = chunks_count(yyjson_obj_get(yyjson_obj_get(usage, "completion_tokens_details"), "reasoning_tokens"), -1);
    if (reasoning > 0 || (reasoning == 0 && !f->thought)) {
        t->reasoning = reasoning;
        f->reasoning_estimated = false;
    }
    cap_estimate(f);
}

void facts_timings(struct answer_facts *f, yyjson_val *timings)
{
    f->drafted = chunks_count(yyjson_obj_get(timings, "draft_n"), f->drafted);
    f->accepted = chunks_count(yyjson_obj_get(timings, "draft_n_accepted"), f->accepted);
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
    for (size_t i = 0; i < r->nchoices; i++)
        choice_free(&r->choices[i]);
    kept_free(r->kept);
    r->kept = NULL;
    free(r->choices);
    r->choices = NULL;
    r->nchoices = 0;
    choice_bufs_free(&r->bufs);
    buf_free(&r->anew);
    buf_free(&r->end);
    buf_free(&r->usage);
    mould_free(&r->mould);
}

/* The choice that an event speaks of; the at'th of that event says so itself, or is taken to be the at'th of all. */
static struct choice *find_choice(struct relay *r, yyjson_val *v, size_t at)
{
    yyjson_val *says = yyjson_obj_get(v, "index");
    int64_t index = yyjson_is_int(says) ? yyjson_get_sint(says) : (int64_t)at;
    for (size_t i = 0; i < r->nchoices; i++)
        if (r->choices[i].index == index)
            return &r->choices[i];
    if (r->nchoices == CHOICES_MAX)
        return NULL;
    struct choice *more = realloc(r->choices, (r->nchoices + 1) * sizeof *more);
    if (!more)
        die("out of memory for an answer");
    r->choices = more;
    choice_init(&r->choices[r->nchoices], index, &r->frame);
    if (r->frame.keep && !r->nchoices)
        r->choices[0].kept = r->kept = kept_new();
    return &r->choices[r->nchoices++];
}

/* An event's choices on their way. */
struct passing {
    yyjson_val *choices;
    size_t first;           /* the first one's place in r->choices */
    struct json_out out;
    bool anew;              /* they are written anew, into r->anew … */
    size_t put;             /* … so many of them */
    yyjson_val *text;       /* of the one that says nothing else; NULL: there is none */
    bool thought;           /* it is a thought's */
};

/* From the first that changes on: those before it leave as they came. */
static void begin_anew(struct relay *r, struct passing *p, size_t before)
{
    p->anew = true;
    p->put = before;
    r->anew.n = 0;
    p->out = json_out(&r->anew);
    json_begin_array(&p->out);
    for (size_t i = 0; i < before; i++)
        json_value(&p->out, yyjson_arr_get(p->choices, i));
}

static enum err_code count(struct relay *r, struct choice *c, struct choice_delta *d, struct err *e)
{
    choice_count(c, &r->frame, d, &r->facts);
    if (c->kept && kept_bytes(c->kept) > r->frame.max_bytes)
        return err_set(e, ERR_UP_GARBLED, "its answer is longer than %zu bytes (`limits: {answer: …}`)", r->frame.max_bytes);
    return ERR_OK;
}

static enum err_code read_choice(struct relay *r, size_t at, yyjson_val *v, struct passing *p, struct err *e)
{
    struct choice *c = find_choice(r, v, at);
    struct choice_delta d;
    if (!choice_is_sound(v, false, r->frame.text))
        return err_set(e, ERR_UP_GARBLED, "it sent a choice that is none");
    if (!c)
        return err_set(e, ERR_UP_GARBLED, "it sent more than %d choices", CHOICES_MAX);
    choice_read(c, &r->frame, v, &r->bufs, &d);
    if (d.calls && choice_read_calls(c, &r->frame, &r->bufs, &d, e))
        return e->code;
    p->text = choice_only_text(c, &d);
    p->thought = d.own.n > 0;
    if (count(r, c, &d, e))
        return e->code;
    bool role = c->role_sent || d.role || !yyjson_is_obj(d.delta), alone = yyjson_arr_size(p->choices) == 1;
    if (!p->anew && (d.changed || (!role && !alone)))
        begin_anew(r, p, at);
    if (p->anew && (choice_says(&d, &r->frame) || !d.changed)) {
        choice_put(&p->out, c, &r->frame, &d, &r->bufs);
        p->put++;
    }
    c->role_sent |= !p->anew && d.role;
    if (at == 0)
        p->first = (size_t)(c - r->choices);
    return ERR_OK;
}

static enum err_code read_choices(struct relay *r, struct passing *p, struct err *e)
{
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(p->choices, i, n, v) if (read_choice(r, i, v, p, e)) return e->code;
    if (p->anew)
        json_end_array(&p->out);
    return ERR_OK;
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

/* Of a choice that is its event's only one, and leaves as it came. */
static void edit_role(struct choice *c, const struct json_doc *d, yyjson_val *v, struct edits *x)
{
    if (c->role_sent)
        return;
    yyjson_val *delta = yyjson_obj_get(v, "delta");
    if (!yyjson_is_obj(delta))
        return;
    c->role_sent = true;
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

#define EVENT_HEAD "data: "

static void put_event(struct buf *out, const struct json_doc *d, const struct edits *x)
{
    buf_lit(out, EVENT_HEAD);
    size_t from = out->n;
    json_splice(out, d->text, x->at, x->n);
    join_lines(out, from);
    buf_lit(out, "\n\n");
}

/* An event that is nothing but a text: the next ones may be like it. from: where what left for it begins in out. */
static void keep_mould(struct relay *r, const struct json_doc *d, const struct passing *p, const struct edits *x, const struct buf *out, size_t from)
{
    struct json_span text = json_string_span(d, p->text);
    size_t at = text.at + 1, put_at = sizeof EVENT_HEAD - 1 + at;
    for (size_t i = 0; i < x->n && x->at[i].at < at; i++)
        put_at += x->at[i].put.n - x->at[i].cut;
    mould_make(&r->mould, d->text, at, str_from(buf_str(out), from), put_at, text.end - 1 - at);
    r->mould.choice = p->first;
    r->mould.thought = p->thought;
}

/* Nothing in it but choices that anybody here would look at. */
static bool is_only_choices(const struct json_doc *d)
{
    return !yyjson_is_obj(yyjson_obj_get(d->root, "usage")) && !yyjson_obj_get(d->root, "timings");
}

/* p: its choices, read; NULL for a chunk without one. */
static void pass_chunk(struct relay *r, const struct json_doc *d, const struct passing *p, struct buf *out)
{
    struct edits x = { .n = 0 };
    edits_string(&x, d, STR("model"), r->frame.model);
    edits_string(&x, d, STR("id"), pick_id(r, d));
    edits_int(&x, d, STR("created"), pick_created(r, d));
    edits_routing(&x, d, STR(""));
    if (p) {
        if (p->anew)
            edits_value(&x, d, STR("choices"), buf_str(&r->anew));
        else
            edit_role(&r->choices[p->first], d, yyjson_arr_get_first(p->choices), &x);
        if (yyjson_is_obj(yyjson_obj_get(d->root, "usage"))) /* it leaves in a chunk of its own, if the caller asked for it */
            edits_cut(&x, d, STR("usage"));
    }
    size_t from = out->n;
    put_event(out, d, &x);
    if (p && p->text && !p->anew && yyjson_arr_size(p->choices) == 1 && mould_wanted(&r->mould) && is_only_choices(d))
        keep_mould(r, d, p, &x, out, from);
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
    struct passing p = { .choices = yyjson_obj_get(d->root, "choices") };
    if (yyjson_arr_size(p.choices)) {
        bool ended = r->facts.finish[0];
        if (read_choices(r, &p, e))
            return e->code;
        if (!p.anew || p.put)
            pass_chunk(r, d, &p, r->facts.finish[0] && !ended ? &r->end : out);
    }
    take_usage(r, d, yyjson_obj_get(d->root, "usage"));
    facts_timings(&r->facts, yyjson_obj_get(d->root, "timings"));
    return ERR_OK;
}

static enum err_code cast(struct relay *r, struct str text, struct buf *out, struct err *e)
{
    struct choice_delta d = { .text = r->mould.thought ? STR("") : text, .own = r->mould.thought ? text : STR("") };
    if (count(r, &r->choices[r->mould.choice], &d, e))
        return e->code;
    mould_cast(&r->mould, text, out);
    return ERR_OK;
}

enum err_code relay_event(struct relay *r, struct str data, struct buf *out, struct err *e)
{
    struct json_doc d;
    struct str text;
    if (r->facts.done)
        return ERR_OK;
    if (str_eq(data, STR("[DONE]"))) {
        r->facts.done = true;
        return ERR_OK;
    }
    if (!r->facts.finish[0] && mould_fits(&r->mould, data, &text))
        return cast(r, text, out, e);
    enum err_code rc = json_parse_sure(&d, data, r->scratch, e); /* it leaves as it came: whoever reads it next reads the same */
    if (rc)
        return err_set(e, ERR_UP_GARBLED, rc == ERR_BAD_REQUEST ? "it sent an event with a key twice, or nested too deep" : "it sent an event that is no JSON");
    rc = yyjson_is_obj(d.root) ? on_chunk(r, &d, out, e) : err_set(e, ERR_UP_GARBLED, "it sent an event that is no object");
    json_free(&d);
    return rc;
}

static void begin_chunk(struct buf *to, int64_t index)
{
    buf_printf(to, "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":%lld,\"delta\":{", (long long)index);
}

static void write_calls(struct buf *to, int64_t index, const struct said_call *calls, size_t n)
{
    struct json_out o = json_out(to);
    begin_chunk(to, index);
    buf_lit(to, "\"tool_calls\":[");
    for (size_t i = 0; i < n; i++) {
        json_begin_object(&o);
        json_key(&o, STR("index"));
        json_int(&o, (int64_t)i);
        said_put_call(&o, &calls[i]);
        json_end_object(&o);
    }
    buf_lit(to, "]},\"finish_reason\":null}]}");
}

enum err_code relay_say_calls(struct relay *r, const struct said_call *calls, size_t n, bool first, struct buf *out, struct err *e)
{
    struct buf chunk = { 0 };
    bool done = r->facts.done;
    r->facts.done = false;
    r->facts.finish[0] = 0;
    r->end.n = 0;
    if (r->kept)
        kept_set_content(r->kept, STR(""));
    if (first)
        r->choices[0].role_sent = false;
    int64_t index = r->choices[0].index; /* mostly 0 */
    write_calls(&chunk, index, calls, n);
    enum err_code rc = relay_event(r, buf_str(&chunk), out, e);
    chunk.n = 0;
    begin_chunk(&chunk, index);
    buf_lit(&chunk, "},\"finish_reason\":\"tool_calls\"}]}");
    if (!rc)
        rc = relay_event(r, buf_str(&chunk), out, e);
    r->facts.done = done;
    buf_free(&chunk);
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
