/* Where in an answer texts are, and which pieces belong together. */
#include "api/mend.h"

#include <stdlib.h>

enum { MAX_STRANDS = 512 };

enum field { CONTENT, REASONING_CONTENT, REASONING, REFUSAL, TEXT, ARGUMENTS };

static const char *const field_names[] = { "content", "reasoning_content", "reasoning", "refusal", "text", "arguments" };

/* One text that comes in pieces. */
struct strand {
    int64_t choice, call;           /* call: of ARGUMENTS, its index */
    enum field field;
    struct restorer restorer;
};

struct mend {
    const struct redaction *r;
    struct json_scratch scratch;
    size_t room;                    /* of values: strands share it */
    struct strand *strands;
    size_t n;
    struct buf text;                /* a piece, mended */
    struct buf event;               /* an event, mended */
};

/* An event on its way. */
struct mending {
    struct mend *m;
    const struct json_doc *d;
    struct json_changes changes;
    int64_t choice;
    bool ends;                      /* with it the choice's texts end */
};

struct mend *mend_new(const struct redaction *r)
{
    struct mend *m = calloc(1, sizeof *m);
    if (!m)
        die("out of memory for an answer");
    m->r = r;
    m->room = redaction_room(r);
    return m;
}

void mend_free(struct mend *m)
{
    if (!m)
        return;
    json_scratch_free(&m->scratch);
    buf_free(&m->text);
    buf_free(&m->event);
    free(m->strands);
    free(m);
}

static struct strand *strand_of(struct mend *m, int64_t choice, enum field field, int64_t call)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->strands[i].choice == choice && m->strands[i].field == field && m->strands[i].call == call)
            return &m->strands[i];
    if (m->n == MAX_STRANDS) /* nobody's answer has so many: what is in it stays as it is */
        return NULL;
    struct strand *more = realloc(m->strands, (m->n + 1) * sizeof *more);
    if (!more)
        die("out of memory for an answer");
    m->strands = more;
    m->strands[m->n] = (struct strand){ .choice = choice, .call = call, .field = field };
    restorer_init(&m->strands[m->n].restorer, m->r, field == ARGUMENTS, &m->room);
    return &m->strands[m->n++];
}

static void mend_piece(struct mending *x, yyjson_val *v, enum field field, int64_t call)
{
    struct strand *s = yyjson_is_str(v) ? strand_of(x->m, x->choice, field, call) : NULL;
    if (!s)
        return;
    struct str piece = json_str(v);
    x->m->text.n = 0;
    restorer_feed(&s->restorer, piece, &x->m->text);
    if (x->ends)
        restorer_end(&s->restorer, &x->m->text);
    if (str_eq(buf_str(&x->m->text), piece))
        return;
    struct json_out o = json_out(json_changes_begin(&x->changes, json_string_span(x->d, v)));
    json_string(&o, buf_str(&x->m->text));
}

static enum field field_of(struct str name)
{
    size_t i = 0;
    while (i < ARGUMENTS && !str_eq(name, str_of(field_names[i])))
        i++;
    return (enum field)i;
}

static void mend_calls(struct mending *x, yyjson_val *calls)
{
    size_t i, n;
    yyjson_val *call;
    yyjson_arr_foreach(calls, i, n, call) {
        yyjson_val *index = yyjson_obj_get(call, "index");
        int64_t at = yyjson_is_int(index) ? yyjson_get_sint(index) : 0;
        mend_piece(x, yyjson_obj_get(yyjson_obj_get(call, "function"), "arguments"), ARGUMENTS, at);
    }
}

/* In the order of the text, as changes must be. */
static void mend_members(struct mending *x, yyjson_val *obj)
{
    size_t i, n;
    yyjson_val *key, *v;
    yyjson_obj_foreach(obj, i, n, key, v) {
        struct str name = json_str(key);
        enum field field = field_of(name);
        if (str_eq(name, STR("delta")))
            mend_members(x, v);
        else if (str_eq(name, STR("tool_calls")))
            mend_calls(x, v);
        else if (field != ARGUMENTS)
            mend_piece(x, v, field, 0);
    }
}

static void mend_choice(struct mending *x, yyjson_val *choice)
{
    yyjson_val *index = yyjson_obj_get(choice, "index");
    x->choice = yyjson_is_int(index) ? yyjson_get_sint(index) : 0;
    x->ends = json_str(yyjson_obj_get(choice, "finish_reason")).n > 0;
    mend_members(x, choice);
}

/* ---- what was held back ---- */

static void put_delta(struct json_out *o, const struct strand *s, struct str text)
{
    if (s->field == ARGUMENTS) {
        json_key(o, STR("tool_calls"));
        json_begin_array(o);
        json_begin_object(o);
        json_key(o, STR("index"));
        json_int(o, s->call);
        json_key(o, STR("function"));
        json_begin_object(o);
    }
    json_key(o, str_of(field_names[s->field]));
    json_string(o, text);
    if (s->field == ARGUMENTS) {
        json_end_object(o);
        json_end_object(o);
        json_end_array(o);
    }
}

static void tell_held(struct mend *m, struct strand *s, mend_event_fn *on_event, void *ctx)
{
    m->text.n = m->event.n = 0;
    restorer_end(&s->restorer, &m->text);
    struct json_out o = json_out(&m->event);
    json_begin_object(&o);
    json_key(&o, STR("object"));
    json_string(&o, s->field == TEXT ? STR("text_completion") : STR("chat.completion.chunk"));
    json_key(&o, STR("choices"));
    json_begin_array(&o);
    json_begin_object(&o);
    json_key(&o, STR("index"));
    json_int(&o, s->choice);
    if (s->field != TEXT) {
        json_key(&o, STR("delta"));
        json_begin_object(&o);
    }
    put_delta(&o, s, buf_str(&m->text));
    if (s->field != TEXT)
        json_end_object(&o);
    json_key(&o, STR("finish_reason"));
    json_null(&o);
    json_end_object(&o);
    json_end_array(&o);
    json_end_object(&o);
    on_event(ctx, buf_str(&m->event));
}

static void tell_what_is_held(struct mend *m, int64_t choice, mend_event_fn *on_event, void *ctx)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->strands[i].choice == choice && m->strands[i].restorer.n)
            tell_held(m, &m->strands[i], on_event, ctx);
}

void mend_event(struct mend *m, struct str data, mend_event_fn *on_event, void *ctx)
{
    struct json_doc d;
    struct mending x = { .m = m, .d = &d };
    size_t i, n;
    yyjson_val *choice;
    if (json_parse_fast(&d, data, &m->scratch, NULL)) {
        on_event(ctx, data);
        return;
    }
    yyjson_arr_foreach(yyjson_obj_get(d.root, "choices"), i, n, choice) {
        mend_choice(&x, choice);
        if (x.ends)
            tell_what_is_held(m, x.choice, on_event, ctx);
    }
    m->event.n = 0;
    json_changes_write(&x.changes, data, &m->event);
    json_changes_free(&x.changes);
    json_free(&d);
    on_event(ctx, buf_str(&m->event));
}

/* ---- a whole answer ---- */

struct whole {
    struct json_changes changes;
    const struct json_doc *d;
    const struct redaction *r;
    size_t room;
};

static void mend_value(struct whole *w, yyjson_val *v, bool json)
{
    size_t i, n;
    yyjson_val *key, *item;
    if (yyjson_is_str(v) && memchr(yyjson_get_str(v), '[', yyjson_get_len(v))) {
        struct restorer s;
        struct buf text = { 0 };
        restorer_init(&s, w->r, json, &w->room);
        restorer_feed(&s, json_str(v), &text);
        restorer_end(&s, &text);
        if (!str_eq(buf_str(&text), json_str(v))) {
            struct json_out o = json_out(json_changes_begin(&w->changes, json_string_span(w->d, v)));
            json_string(&o, buf_str(&text));
        }
        buf_free(&text);
    }
    yyjson_arr_foreach(v, i, n, item) mend_value(w, item, false);
    yyjson_obj_foreach(v, i, n, key, item) mend_value(w, item, str_eq(json_str(key), STR("arguments")));
}

void mend_whole(const struct redaction *r, struct str body, struct buf *out)
{
    struct json_doc d;
    struct whole w = { .d = &d, .r = r, .room = redaction_room(r) };
    struct err e;
    size_t i, n;
    yyjson_val *key, *v;
    if (json_parse(&d, body, &e)) { /* who reads it next will say so */
        buf_add(out, body);
        return;
    }
    yyjson_obj_foreach(d.root, i, n, key, v)
        if (str_eq(json_str(key), STR("choices")) || str_eq(json_str(key), STR("results")))
            mend_value(&w, v, false);
    json_changes_write(&w.changes, body, out);
    json_changes_free(&w.changes);
    json_free(&d);
}
