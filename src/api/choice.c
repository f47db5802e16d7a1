/* Reading a choice, and writing it anew. */
#include "api/choice.h"

#include <stdio.h>

void choice_bufs_free(struct choice_bufs *b)
{
    buf_free(&b->text);
    buf_free(&b->thought);
    buf_free(&b->calls);
}

void choice_init(struct choice *c, int64_t index, const struct answer_frame *f)
{
    *c = (struct choice){ .index = index, .open = f->think_open };
    strip_init(&c->strip, f->think_open);
}

void choice_free(struct choice *c)
{
    calls_free(&c->calls);
}

/* ---- reading ---- */

static bool is_thought(yyjson_val *v)
{
    return yyjson_is_str(v) ? yyjson_get_len(v) > 0 : yyjson_is_ctn(v) && yyjson_get_len(v) > 0;
}

static bool says_something(yyjson_val *v)
{
    return !yyjson_is_null(v) && (!(yyjson_is_str(v) || yyjson_is_ctn(v)) || yyjson_get_len(v) > 0);
}

static bool is(struct str name, const char *what)
{
    return memcmp(name.p, what, name.n) == 0;
}

/* Where the member of that name is kept; NULL for one that nobody here knows. By length: this is asked of every member of every event. */
static yyjson_val **slot_of(struct choice_delta *d, struct str name)
{
    switch (name.n) {
    case sizeof "role" - 1:
        return is(name, "role") ? &d->role : NULL;
    case sizeof "content" - 1:
        return is(name, "content") ? &d->content : is(name, "refusal") ? &d->refusal : NULL;
    case sizeof "reasoning" - 1:
        return is(name, "reasoning") ? &d->reasoning : NULL;
    case sizeof "thinking" - 1:
        return is(name, "thinking") ? &d->thinking : NULL;
    case sizeof "thinking_blocks" - 1:
        return is(name, "thinking_blocks") ? &d->blocks : NULL;
    case sizeof "tool_calls" - 1:
        return is(name, "tool_calls") ? &d->calls : NULL;
    case sizeof "reasoning_content" - 1:
        return is(name, "reasoning_content") ? &d->reasoning_content : is(name, "reasoning_details") ? &d->details : NULL;
    default:
        return NULL;
    }
}

static void read_members(struct choice_delta *d)
{
    size_t i, n;
    yyjson_val *key, *v;
    if (!yyjson_is_obj(d->delta))
        return;
    yyjson_obj_foreach(d->delta, i, n, key, v) {
        yyjson_val **slot = slot_of(d, json_str(key));
        if (!slot)
            d->others |= says_something(v);
        else if (!*slot)
            *slot = v;
        else
            d->changed = true; /* twice: the first counts, and must be the one that callers read */
    }
}

/* In some form that nobody here reads. */
static bool has_other_thoughts(const struct choice_delta *d)
{
    return is_thought(d->details) || is_thought(d->blocks) || is_thought(d->thinking);
}

static void read_own_thoughts(struct choice *c, const struct answer_frame *f, struct choice_delta *d)
{
    bool named = json_str(d->reasoning_content).n > 0;
    d->own = json_str(named ? d->reasoning_content : d->reasoning);
    if (d->own.n && c->open) { /* it tells them apart by itself: its text is text */
        c->open = false;
        strip_init(&c->strip, false);
    }
    if (f->think_show == THINK_DROP)
        d->changed |= is_thought(d->reasoning_content) || is_thought(d->reasoning) || has_other_thoughts(d);
    else
        d->changed |= d->own.n && !named;
}

static void feed(struct choice *c, struct str piece, struct choice_bufs *b)
{
    strip_feed(&c->strip, piece, &b->text, &b->thought);
    c->open &= !piece.n;
}

/* A list of parts, as Mistral has it: {"type":"thinking","thinking":[{"type":"text","text":…}]}, {"type":"text","text":…}. */
static void feed_parts(struct choice *c, yyjson_val *parts, struct choice_bufs *b)
{
    size_t i, n, k, m;
    yyjson_val *part, *inner;
    yyjson_arr_foreach(parts, i, n, part) {
        yyjson_val *thinking = yyjson_obj_get(part, "thinking");
        feed(c, json_str(yyjson_obj_get(part, "text")), b);
        buf_add(&b->thought, json_str(thinking));
        yyjson_arr_foreach(thinking, k, m, inner) buf_add(&b->thought, json_str(yyjson_obj_get(inner, "text")));
    }
}

static bool knows_parts(yyjson_val *parts)
{
    size_t i, n;
    yyjson_val *part;
    yyjson_arr_foreach(parts, i, n, part) {
        struct str type = json_str(yyjson_obj_get(part, "type"));
        if (!str_eq(type, STR("text")) && !str_eq(type, STR("thinking")))
            return false;
    }
    return yyjson_arr_size(parts) > 0;
}

static void read_text(struct choice *c, struct choice_bufs *b, struct choice_delta *d)
{
    struct str came = json_str(d->content);
    bool parts = knows_parts(d->content), ends = c->whole || d->finish.n > 0;
    d->others |= yyjson_is_arr(d->content) && !parts && yyjson_arr_size(d->content) > 0;
    d->text = came;
    if (!parts && strip_settled(&c->strip))
        return;
    b->text.n = b->thought.n = 0;
    if (parts)
        feed_parts(c, d->content, b);
    else
        feed(c, came, b);
    if (ends)
        strip_end(&c->strip, &b->text, &b->thought);
    d->text = buf_str(&b->text);
    d->moved = buf_str(&b->thought);
    d->text_changed = parts || !str_eq(d->text, came);
    d->changed |= d->text_changed || d->moved.n;
}

static void read_choice(const struct choice *c, yyjson_val *v, struct choice_delta *d)
{
    size_t i, n;
    yyjson_val *key, *m;
    if (!yyjson_is_obj(v))
        return;
    yyjson_obj_foreach(v, i, n, key, m) {
        struct str name = json_str(key);
        if (name.n == sizeof "delta" - 1 && is(name, "delta") && !c->whole && !d->delta)
            d->delta = m;
        else if (name.n == sizeof "message" - 1 && is(name, "message") && c->whole && !d->delta)
            d->delta = m;
        else if (name.n == sizeof "text" - 1 && is(name, "text") && !d->completion.n)
            d->completion = json_str(m);
        else if (name.n == sizeof "finish_reason" - 1 && is(name, "finish_reason") && !d->finish.n)
            d->finish = json_str(m);
    }
}

bool choice_is_sound(yyjson_val *v, bool whole, bool text)
{
    yyjson_val *says = yyjson_obj_get(v, text ? "text" : whole ? "message" : "delta");
    bool missing = !says || yyjson_is_null(says);
    if (!yyjson_is_obj(v) || (missing && whole))
        return false;
    return missing || (text ? yyjson_is_str(says) : yyjson_is_obj(says));
}

void choice_read(struct choice *c, const struct answer_frame *f, yyjson_val *v, struct choice_bufs *b, struct choice_delta *d)
{
    *d = (struct choice_delta){ .choice = v };
    read_choice(c, v, d);
    if (f->text) {
        d->text = d->completion;
        return;
    }
    read_members(d);
    read_own_thoughts(c, f, d);
    read_text(c, b, d);
    d->others |= d->completion.n > 0;
}

yyjson_val *choice_only_text(const struct choice *c, const struct choice_delta *d)
{
    bool more = d->changed || d->finish.n || d->completion.n || d->moved.n || d->refusal || d->calls || has_other_thoughts(d) || (d->text.n && d->own.n);
    if (more || c->whole || !c->role_sent || d->role)
        return NULL;
    if (d->own.n)
        return d->reasoning_content;
    return d->text.n && strip_settled(&c->strip) ? d->content : NULL;
}

/* ---- calls ---- */

/* From the first one that has to change on all are written; those before it as they came. */
static void begin_calls(struct choice_delta *d, struct choice_bufs *b, struct json_out *o, size_t before)
{
    d->changed = d->calls_changed = true;
    b->calls.n = 0;
    *o = json_out(&b->calls);
    json_begin_array(o);
    for (size_t i = 0; i < before; i++)
        json_value(o, yyjson_arr_get(d->calls, i));
}

enum err_code choice_read_calls(struct choice *c, const struct answer_frame *f, struct choice_bufs *b, struct choice_delta *d, struct err *e)
{
    struct json_out o = json_out(&b->calls);
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(d->calls, i, n, v) {
        struct call_piece p;
        p.in_order = c->whole && calls_in_order(v);
        if (!c->whole && calls_take(&c->calls, v, f->id, &p, e))
            return e->code;
        c->calls.named += c->whole; /* they are only counted */
        if (c->kept && c->whole)
            kept_call(c->kept, v);
        else if (c->kept)
            kept_call_piece(c->kept, &p);
        if (!p.in_order && !d->calls_changed)
            begin_calls(d, b, &o, i);
        if (!d->calls_changed)
            continue;
        if (p.in_order)
            json_value(&o, v);
        else if (c->whole)
            calls_put_whole(&o, v, f->id, i);
        else
            calls_put_piece(&o, v, &p);
    }
    if (d->calls_changed)
        json_end_array(&o);
    return ERR_OK;
}

static void keep(struct choice *c, const struct answer_frame *f, const struct choice_delta *d)
{
    struct str text = d->text;
    if (!text.n && !f->text) /* some places send it so, in a chat, too */
        text = d->completion;
    kept_add(c->kept, KEPT_CONTENT, text);
    kept_add(c->kept, KEPT_REFUSAL, json_str(d->refusal));
    if (f->think_show == THINK_MOVE) {
        kept_add(c->kept, KEPT_REASONING, d->own);
        kept_add(c->kept, KEPT_REASONING, d->moved);
    }
    if (d->finish.n)
        kept_finish(c->kept, d->finish);
}

/* White space behind thoughts is the rest of a template, and no answer. */
static bool is_said(const struct choice_delta *d)
{
    return str_trim(d->text).n || json_str(d->refusal).n || yyjson_arr_size(d->calls) || d->completion.n;
}

void choice_count(struct choice *c, const struct answer_frame *f, struct choice_delta *d, struct answer_facts *facts)
{
    bool said = facts->said || is_said(d);
    size_t thought = d->own.n + d->moved.n;
    if (str_eq(d->finish, STR("stop")) && c->calls.named) {
        d->finish = STR("tool_calls");
        d->changed = true;
    }
    if (d->finish.n)
        snprintf(facts->finish, sizeof facts->finish, "%.*s", STR_ARG(d->finish));
    if (c->kept)
        keep(c, f, d);
    facts_thought(facts, thought);
    facts->text_bytes += (int64_t)d->text.n;
    facts->texts += d->text.n > 0;
    facts->said = said;
    facts->hidden |= has_other_thoughts(d);
    facts->began |= said || d->text.n || d->finish.n || thought;
}

/* ---- writing ---- */

bool choice_hides(const struct choice_delta *d, const struct answer_frame *f)
{
    return f->think_show == THINK_DROP && (d->own.n || d->moved.n);
}

bool choice_says(const struct choice_delta *d, const struct answer_frame *f)
{
    bool thinks = d->own.n || d->moved.n || has_other_thoughts(d);
    return d->text.n || d->finish.n || d->others || json_str(d->refusal).n || yyjson_arr_size(d->calls) || (thinks && f->think_show == THINK_MOVE);
}

static void put_thoughts(struct json_out *o, const struct choice_delta *d)
{
    struct buf both = { 0 };
    json_key(o, STR("reasoning_content"));
    if (!d->own.n || !d->moved.n) {
        json_string(o, d->own.n ? d->own : d->moved);
        return;
    }
    buf_add(&both, d->own);
    buf_add(&both, d->moved);
    json_string(o, buf_str(&both));
    buf_free(&both);
}

static void put_text(struct json_out *o, const struct choice_delta *d)
{
    json_key(o, STR("content"));
    if (d->text.n || !d->calls_changed)
        json_string(o, d->text);
    else
        json_null(o);
}

static void put_calls(struct json_out *o, const struct buf *calls)
{
    json_key(o, STR("tool_calls"));
    json_raw(o, buf_str(calls));
}

static void put_as_it_came(struct json_out *o, yyjson_val *key, yyjson_val *v)
{
    json_key(o, json_str(key));
    if (yyjson_is_null(v)) /* what most members are needs no memory */
        json_null(o);
    else if (yyjson_is_str(v))
        json_string(o, json_str(v));
    else if (yyjson_is_sint(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) <= INT64_MAX))
        json_int(o, yyjson_get_sint(v));
    else
        json_value(o, v);
}

/* True when it was one of those that hold text or thoughts. */
static bool put_known(struct json_out *o, const struct choice *c, const struct answer_frame *f, const struct choice_delta *d, yyjson_val *v)
{
    bool drops = f->think_show == THINK_DROP;
    if (v == d->content && d->text_changed) {
        if (d->text.n || c->whole)
            put_text(o, d);
        return true;
    }
    if (v == d->reasoning_content && !drops && (d->own.n || d->moved.n)) {
        put_thoughts(o, d);
        return true;
    }
    bool thoughts = v == d->reasoning_content || v == d->reasoning || v == d->details || v == d->blocks || v == d->thinking;
    return drops && thoughts && is_thought(v);
}

static void put_members(struct json_out *o, const struct choice *c, const struct answer_frame *f, const struct choice_delta *d, const struct buf *calls)
{
    struct choice_delta scratch = *d;
    size_t i, n;
    yyjson_val *key, *v;
    if (!yyjson_is_obj(d->delta))
        return;
    yyjson_obj_foreach(d->delta, i, n, key, v) {
        yyjson_val **slot = slot_of(&scratch, json_str(key));
        if ((slot && *slot != v) || put_known(o, c, f, d, v))
            continue;
        if (v == d->calls && d->calls_changed)
            put_calls(o, calls);
        else
            put_as_it_came(o, key, v);
    }
}

static void put_delta(struct json_out *o, struct choice *c, const struct answer_frame *f, const struct choice_delta *d, const struct buf *calls)
{
    json_key(o, c->whole ? STR("message") : STR("delta"));
    json_begin_object(o);
    if (!c->role_sent && !d->role) {
        json_key(o, STR("role"));
        json_string(o, STR("assistant"));
    }
    c->role_sent = true;
    put_members(o, c, f, d, calls);
    if (!d->content && d->text.n)
        put_text(o, d);
    if (!d->calls && d->calls_changed)
        put_calls(o, calls);
    if (!d->reasoning_content && f->think_show == THINK_MOVE && (d->own.n || d->moved.n))
        put_thoughts(o, d);
    json_end_object(o);
}

/* True when the delta was among them. */
static bool put_choice_members(struct json_out *o, struct choice *c, const struct answer_frame *f, const struct choice_delta *d, const struct buf *calls)
{
    size_t i, n;
    yyjson_val *key, *v;
    bool put = false;
    if (!yyjson_is_obj(d->choice))
        return false;
    yyjson_obj_foreach(d->choice, i, n, key, v) {
        struct str name = json_str(key);
        if (v == d->delta) {
            put_delta(o, c, f, d, calls);
            put = true;
        } else if (str_eq(name, STR("finish_reason")) && d->finish.n) {
            json_key(o, name);
            json_string(o, d->finish);
        } else if (str_eq(name, STR("logprobs")) && choice_hides(d, f)) { /* they spell the thoughts */
            json_key(o, name);
            json_null(o);
        } else {
            put_as_it_came(o, key, v);
        }
    }
    return put;
}

void choice_put(struct json_out *o, struct choice *c, const struct answer_frame *f, const struct choice_delta *d, const struct choice_bufs *b)
{
    json_begin_object(o);
    if (!put_choice_members(o, c, f, d, &b->calls) && !f->text)
        put_delta(o, c, f, d, &b->calls);
    json_end_object(o);
}
