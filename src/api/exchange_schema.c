/* JSON that was asked for, kept as a promise: the place is told in the form that its engine takes (policy/schema.h), what it answers is held against the
 * schema before the caller gets it, and what does not fit is asked for once more, at the same place, with what is wrong with it. What does not fit then
 * either goes to the next candidate where the policy says so, or is an error. */
#include "api/ask.h"
#include "api/exchange_int.h"
#include "policy/fields.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    RAW_MAX_BYTES = 16 * 1024,    /* of an answer, in an error */
    DRAFT_MAX_BYTES = 8 * 1024,   /* of an answer, shown to who shall mend it */
    SENTENCE_MAX_BYTES = 130,     /* of what is wrong, in an error: the place's name goes before it */
    MARGIN_TOKENS = 64,           /* a template's own */
    ANSWER_TOKENS = 2048,         /* where nobody knows how long the answer was that was cut */
};

static const char *const mode_name[] = { "", "direct", "reason_first", "two_pass" };
static const char *const outcome_name[] = { "", "valid", "repaired", "escalated" };

/* ---- what is promised ---- */

/* As it stands in the request: the same text, the same compiled schema. */
static struct str schema_text(const struct exchange *x, const struct schema_wish *w)
{
    struct json_member m;
    if (w->kind == SCHEMA_WISH_OBJECT || !json_find_member(&x->doc, w->in, str_of(w->key), &m))
        return STR("{\"type\":\"object\"}");
    return str_make(x->doc.text.p + m.value.at, m.value.end - m.value.at);
}

enum err_code exchange_promise_schema(struct exchange *x, struct err *e)
{
    struct schema_wish w;
    struct schema_made *made = NULL;
    struct err why;
    if (x->ask.task != TASK_CHAT)
        return ERR_OK;
    enum err_code rc = schema_wish_read(x->doc.root, &w, e);
    if (rc || !w.kind)
        return rc;
    struct str text = schema_text(x, &w);
    if (text.n > SCHEMA_MOST_BYTES) {
        err_set(e, ERR_SCHEMA_UNSUPPORTED, "The schema in '%s' has %zu bytes; at most %d are taken.", w.field, text.n, SCHEMA_MOST_BYTES);
        return err_param(e, "%s", w.field);
    }
    if (!x->api->schemas)
        x->api->schemas = schema_cache_new();
    rc = schema_cache_get(x->api->schemas, text, x->policy.schema_formats == TRI_YES, &made, &why);
    if (rc) {
        err_set(e, ERR_SCHEMA_UNSUPPORTED, "The schema in '%s' is none: %.200s", w.field, why.text);
        return err_param(e, "%s", w.field);
    }
    struct schema_promise *p = calloc(1, sizeof *p);
    if (!p)
        die("out of memory for a schema");
    *p = (struct schema_promise){ .wish = w, .made = made, .mode = field_int(x->doc.root, "n") > 1 ? SCHEMA_DIRECT : x->policy.schema_mode }; /* several are let alone */
    p->wants_raw = x->req && ask_is_on(http_req_headers(x->req), STR("x-hob-schema-raw"));
    x->promise = p;
    return ERR_OK;
}

void exchange_forget_schema(struct exchange *x)
{
    struct schema_promise *p = x->promise;
    if (!p)
        return;
    struct buf *all[] = { &p->words, &p->raw };
    for (size_t i = 0; i < COUNTOF(all); i++)
        buf_free(all[i]);
    schema_release(p->made);
    free(p);
    x->promise = NULL;
}

/* What passes as it comes cannot be mended: no field is taken out of it, no second answer follows. */
bool exchange_schema_streams(const struct exchange *x)
{
    const struct schema_promise *p = x->promise;
    return !p || (x->policy.schema_stream == SCHEMA_STREAM_LIVE && p->mode == SCHEMA_DIRECT && field_int(x->doc.root, "n") <= 1);
}

/* ---- what a place is told ---- */

static enum schema_place place_of(const struct backend *b)
{
    if (b->kind == &backend_kind_llama)
        return SCHEMA_LLAMA;
    if (b->kind->dialect == &dialect_anthropic)
        return SCHEMA_ANTHROPIC;
    if (b->kind->dialect == &dialect_ollama)
        return SCHEMA_OLLAMA;
    bool openai = b->place && b->place->kind == HOST_OPENAI && str_find(b->place->url, STR("//api.openai.com")) >= 0;
    return openai ? SCHEMA_OPENAI : SCHEMA_UNKNOWN;
}

static const struct schema_sent *sent_to(const struct attempt *t)
{
    const struct schema_promise *p = t->x->promise;
    return schema_sent_to(p->made, place_of(t->b), p->mode == SCHEMA_REASON_FIRST);
}

/* Another hob sees to it itself. */
static bool enforces(const struct attempt *t)
{
    enum schema_place place = place_of(t->b);
    if (t->b->place && t->b->place->kind == HOST_HOB)
        return true;
    if (t->x->promise->wish.kind == SCHEMA_WISH_SCHEMA && !(t->b->model->can & CAN_SCHEMA))
        return false;
    return place == SCHEMA_LLAMA || place == SCHEMA_OLLAMA || place == SCHEMA_OPENAI;
}

static bool is_described(const struct attempt *t)
{
    enum conf_describe d = t->x->policy.schema_describe;
    return d == DESCRIBE_ON || (d != DESCRIBE_OFF && !enforces(t));
}

static struct str words_of(const struct attempt *t)
{
    struct schema_promise *p = t->x->promise;
    if (p->wish.kind == SCHEMA_WISH_SCHEMA)
        return schema_in_words(p->made, p->mode == SCHEMA_REASON_FIRST);
    if (!p->words.n)
        schema_describe(NULL, &p->words);
    return buf_str(&p->words);
}

/* {"type":"json_schema","json_schema":{…}}, whatever the caller's own form. */
static void write_format(struct attempt *t, const struct schema_sent *s)
{
    const struct schema_promise *p = t->x->promise;
    struct json_out o = json_out(&t->format);
    t->format.n = 0;
    json_begin_object(&o);
    json_key(&o, STR("type"));
    json_string(&o, STR("json_schema"));
    json_key(&o, STR("json_schema"));
    json_begin_object(&o);
    json_key(&o, STR("name"));
    json_string(&o, p->wish.name.n ? p->wish.name : STR("answer"));
    if (p->wish.strict) {
        json_key(&o, STR("strict"));
        json_bool(&o, true);
    }
    json_key(&o, STR("schema"));
    json_raw(&o, buf_str(&s->schema));
    json_end_object(&o);
    json_end_object(&o);
}

/* The caller's own words will do: in OpenAI's form, to who takes any schema, and without a field that is ours. */
static bool goes_as_it_is(const struct attempt *t, const struct schema_sent *s)
{
    const struct schema_wish *w = &t->x->promise->wish;
    enum schema_place place = place_of(t->b);
    if (!w->usual || s->reason.name[0])
        return false;
    return w->kind == SCHEMA_WISH_OBJECT || place == SCHEMA_OPENAI || place == SCHEMA_UNKNOWN;
}

static void ask_for_it(struct attempt *t)
{
    struct schema_promise *p = t->x->promise;
    const struct schema_sent *s = sent_to(t);
    t->plan.response_format = (struct str){ NULL, 0 };
    t->plan.describe = is_described(t) ? words_of(t) : STR("");
    if (goes_as_it_is(t, s))
        return;
    if (p->wish.kind == SCHEMA_WISH_OBJECT && !s->reason.name[0]) {
        t->plan.response_format = STR("{\"type\":\"json_object\"}");
        return;
    }
    write_format(t, s);
    t->plan.response_format = buf_str(&t->format);
}

void attempt_plan_schema(struct attempt *t)
{
    const struct schema_promise *p = t->x->promise;
    if (!p)
        return;
    t->schema_step = p->mode == SCHEMA_TWO_PASS ? STEP_FREE : STEP_ASKED;
    if (t->schema_step == STEP_FREE)
        t->plan.response_format = STR("");
    else
        ask_for_it(t);
}

/* ---- what came ---- */

struct look {
    struct schema_fault fault;    /* of an answer that does not fit */
    struct buf better;            /* the answer as the caller gets it, where that is not what came */
    bool unfenced;
};

static bool is_no_json(struct look *l, const struct err *e)
{
    l->fault = (struct schema_fault){ .text = "" };
    snprintf(l->fault.text, sizeof l->fault.text, "is no JSON: %.150s", e->text);
    return false;
}

static bool holds(struct attempt *t, const struct json_doc *d, struct look *l)
{
    if (yyjson_is_num(d->root) && answer_ran_out(attempt_facts(t))) { /* there may have been more digits */
        l->fault = (struct schema_fault){ .text = "is a number, and was cut off" };
        return false;
    }
    return schema_check(schema_compiled(t->x->promise->made), d->root, &l->fault);
}

/* Without the field for thoughts. */
static bool holds_without_reason(struct attempt *t, const struct json_doc *d, const struct schema_reason *r, struct look *l)
{
    struct json_doc rest;
    struct err e;
    struct buf text = { 0 };
    schema_reason_unwrap(d, r, &text);
    bool fits = json_parse(&rest, buf_str(&text), &e) ? is_no_json(l, &e) : holds(t, &rest, l);
    json_free(&rest);
    buf_free(&l->better);
    l->better = text;
    return fits;
}

static bool fits(struct attempt *t, struct str content, struct look *l)
{
    const struct schema_sent *s = sent_to(t);
    struct json_doc d = { 0 };
    struct err e, inside;
    struct str fenced, text = str_trim(content);
    enum err_code rc = json_parse(&d, text, &e);
    if (rc && (fenced = schema_unfence(text)).p && !json_parse(&d, fenced, &inside)) {
        rc = ERR_OK;
        l->unfenced = true;
        buf_add(&l->better, fenced);
    }
    bool good = rc ? is_no_json(l, &e) : s->reason.name[0] ? holds_without_reason(t, &d, &s->reason, l) : holds(t, &d, l);
    json_free(&d);
    return good;
}

/* A host was asked for several: all of them are promised. */
static bool others_fit(struct attempt *t, struct look *l)
{
    size_t i, n;
    yyjson_val *v;
    if (t->way != WAY_WHOLE)
        return true;
    yyjson_arr_foreach(yyjson_obj_get(t->whole.root, "choices"), i, n, v) {
        struct look other = { .unfenced = false };
        yyjson_val *message = yyjson_obj_get(v, "message");
        bool called = yyjson_arr_size(yyjson_obj_get(message, "tool_calls")) || json_str(yyjson_obj_get(message, "refusal")).n;
        if (i && !called && (!fits(t, json_str(yyjson_obj_get(message, "content")), &other) || other.better.n)) {
            l->fault = other.fault;
            if (other.better.n)
                l->fault = (struct schema_fault){ .text = "is not JSON alone, in one of several answers" };
            buf_free(&other.better);
            return false;
        }
    }
    return true;
}

/* ---- what does not fit ---- */

static struct str head_of(struct str text, size_t most)
{
    size_t n = text.n < most ? text.n : most;
    while (n < text.n && n && ((unsigned char)text.p[n] & 0xC0) == 0x80) /* no half letters */
        n--;
    return str_make(text.p, n);
}

/* Before its JSON was whole: what is whole is held against the schema, however it ended. */
static bool was_cut(const struct attempt *t, const struct look *l)
{
    return answer_ran_out(attempt_facts(t)) && !l->fault.keyword[0] && !l->fault.undecided;
}

/* What is said of it to the caller, should that be the end. */
static void refuse(struct attempt *t, const struct look *l, struct str content, struct err *e)
{
    struct schema_promise *p = t->x->promise;
    struct buf sentence = { 0 };
    schema_fault_write(&l->fault, &sentence);
    struct str said = head_of(buf_str(&sentence), SENTENCE_MAX_BYTES);
    if (was_cut(t, l))
        err_set(e, ERR_SCHEMA_UNMET, "its answer was cut off before its JSON was whole");
    else
        err_set(e, ERR_SCHEMA_UNMET, "its answer does not fit the schema: %.*s", STR_ARG(said));
    buf_free(&sentence);
    if (was_cut(t, l))
        attempt_hint_cut(t, e);
    else
        err_hint(e, "Simplify the schema, or ask a stronger model; the header x-hob-schema-raw: true shows what it said.");
    snprintf(p->at, sizeof p->at, "%s", l->fault.at);
    p->raw.n = 0;
    if (p->wants_raw)
        buf_add(&p->raw, head_of(content, RAW_MAX_BYTES));
}

/* Cut off: the same again with a larger budget, as far as somebody other than the caller has set the limit. */
static bool asks_for_more(struct attempt *t)
{
    const struct exchange *x = t->x;
    const struct tokens *n = &attempt_facts(t)->tokens;
    int64_t output = n->output > 0 ? n->output : ANSWER_TOKENS, input = n->input > 0 ? n->input : x->ask.tokens, window = backend_context(t->b);
    int64_t budget = 4 * output;
    if (x->ask.max_tokens)
        return false;
    if (window && budget > window - input - MARGIN_TOKENS)
        budget = window - input - MARGIN_TOKENS;
    if (budget < output + output / 4)
        return false;
    t->plan.max_tokens = budget;
    return reword_max_tokens(&x->doc, &t->plan) == budget; /* else a role's cap is in the way */
}

static void write_remark(const struct look *l, struct buf *to)
{
    buf_lit(to, "That answer does not fit the form that was asked for: ");
    schema_fault_write(&l->fault, to);
    buf_lit(to, ". Give the whole answer again, set right, as JSON alone.");
}

/* To show it its own answer there must be room for that. */
static bool has_room(const struct attempt *t)
{
    const struct tokens *n = &attempt_facts(t)->tokens;
    int64_t window = backend_context(t->b);
    return !window || n->input < 0 || n->output < 0 || n->input + 2 * n->output + 4 * MARGIN_TOKENS < window;
}

/* The free answer is there: now in the form that was asked for. */
static enum checked ask_in_form(struct attempt *t, struct str content)
{
    struct buf remark = { 0 };
    t->spent = attempt_used(t);
    t->schema_step = STEP_ASKED;
    ask_for_it(t);
    if (!str_trim(content).n || !has_room(t))
        return CHECKED_AGAIN;
    buf_lit(&remark, "Now give that answer in another form, and change nothing of what it says. ");
    buf_add(&remark, words_of(t));
    attempt_show(t, head_of(content, DRAFT_MAX_BYTES), buf_str(&remark));
    buf_free(&remark);
    return CHECKED_AGAIN;
}

static enum checked mend(struct attempt *t, struct str content, const struct look *l, struct err *e)
{
    struct buf remark = { 0 };
    refuse(t, l, content, e);
    if (was_cut(t, l)) {
        t->mends |= !asks_for_more(t); /* asked once more it would be cut again */
        return attempt_unmet(t, STR(""), STR(""), e);
    }
    if (!str_trim(content).n || !has_room(t))
        return attempt_unmet(t, STR(""), STR(""), e);
    write_remark(l, &remark);
    enum checked result = attempt_unmet(t, head_of(content, DRAFT_MAX_BYTES), buf_str(&remark), e);
    buf_free(&remark);
    return result;
}

/* It fits, as the caller gets it. */
static bool keep(struct attempt *t, struct look *l)
{
    struct schema_promise *p = t->x->promise;
    if (l->better.n && !attempt_set_content(t, buf_str(&l->better))) {
        snprintf(l->fault.text, sizeof l->fault.text, "is JSON in a code fence"); /* and on its way as it came */
        return false;
    }
    p->outcome = p->escalated ? OUTCOME_ESCALATED : t->mends || l->unfenced ? OUTCOME_REPAIRED : OUTCOME_VALID;
    return true;
}

enum checked attempt_check_schema(struct attempt *t, struct err *e)
{
    struct said_all said = { .finish = "" };
    struct look l = { .unfenced = false };
    if (!t->x->promise)
        return CHECKED_GOOD;
    (void)attempt_said(t, &said);
    if ((said.ncalls && t->x->ask.tools) || (said.refusal.n && !said.content.n)) /* it does not answer yet, or will not */
        return CHECKED_GOOD;
    if (t->schema_step == STEP_FREE)
        return ask_in_form(t, said.content);
    enum checked result = CHECKED_GOOD;
    if (!fits(t, said.content, &l) || !others_fit(t, &l) || !keep(t, &l))
        result = mend(t, said.content, &l, e);
    buf_free(&l.better);
    return result;
}

bool exchange_schema_allows(const struct exchange *x, struct str answer)
{
    struct json_doc d;
    if (!x->promise)
        return true;
    if (json_parse(&d, str_trim(answer), NULL))
        return false;
    bool good = schema_check(schema_compiled(x->promise->made), d.root, NULL);
    json_free(&d);
    return good;
}

void exchange_schema_failed(struct exchange *x)
{
    if (x->promise)
        x->promise->escalated = true;
}

/* ---- what the caller is told ---- */

/* "direct:valid"; the mode alone while nothing has been checked. */
void exchange_put_schema(struct exchange *x, struct json_out *o)
{
    const struct schema_promise *p = x->promise;
    struct buf text = { 0 };
    if (!p) {
        json_null(o);
        return;
    }
    bool direct = p->mode == SCHEMA_REASON_FIRST && !sent_to(x->lead)->reason.name[0]; /* there was no way to put a field in */
    buf_printf(&text, "%s%s%s", mode_name[direct ? SCHEMA_DIRECT : p->mode], p->outcome ? ":" : "", outcome_name[p->outcome]);
    json_string(o, buf_str(&text));
    buf_free(&text);
}

void exchange_put_schema_headers(const struct exchange *x, struct buf *to)
{
    const struct schema_promise *p = x->promise;
    if (!p || !x->lead->b)
        return;
    const struct schema_sent *s = sent_to(x->lead);
    if (s->unenforced.n)
        buf_printf(to, "x-hob-schema-unenforced: %.*s\r\n", STR_ARG(buf_str(&s->unenforced)));
    if (p->outcome)
        buf_printf(to, "x-hob-schema: %s\r\n", outcome_name[p->outcome]);
}

void exchange_put_schema_error(const struct exchange *x, const struct err *e, struct buf *to)
{
    const struct schema_promise *p = x->promise;
    if (!p || e->code != ERR_SCHEMA_UNMET)
        return;
    struct json_out o = json_out(to);
    json_key(&o, STR("path"));
    json_string(&o, str_of(p->at));
    json_key(&o, STR("raw"));
    if (p->wants_raw)
        json_string(&o, buf_str(&p->raw));
    else
        json_null(&o);
}
