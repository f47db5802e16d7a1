/* A draft is checked before it leaves (`verify:` of a rule): the lead's whole answer, its place let go of first, for the checker may need the room. What cannot be
 * checked leaves as it is. */
#include "api/exchange_int.h"
#include "base/clock.h"

#include <stdio.h>

/* Parsed for as long as it is looked at: the answer in the lead's buffer, whose bytes stay. */
static bool parse_answer(struct attempt *t, struct json_doc *d)
{
    struct err e;
    return json_parse_fast(d, buf_str(&t->out), &t->x->api->scratch, &e) == ERR_OK;
}

/* ---- the answer to a caller who streams, out of a whole one ---- */

/* In a stream calls are counted; in a whole answer they lie in order. */
static void put_calls(struct json_out *o, yyjson_val *calls)
{
    size_t i, n, k, m;
    yyjson_val *call, *key, *value;
    json_key(o, STR("tool_calls"));
    json_begin_array(o);
    yyjson_arr_foreach(calls, i, n, call) {
        json_begin_object(o);
        json_key(o, STR("index"));
        json_int(o, (int64_t)i);
        yyjson_obj_foreach(call, k, m, key, value) {
            json_key(o, json_str(key));
            json_value(o, value);
        }
        json_end_object(o);
    }
    json_end_array(o);
}

static void put_delta(struct json_out *o, yyjson_val *message)
{
    size_t i, n;
    yyjson_val *key, *value;
    json_key(o, STR("delta"));
    json_begin_object(o);
    yyjson_obj_foreach(message, i, n, key, value) {
        if (str_eq(json_str(key), STR("tool_calls"))) {
            if (yyjson_arr_size(value))
                put_calls(o, value);
            continue;
        }
        json_key(o, json_str(key));
        json_value(o, value);
    }
    json_end_object(o);
}

static void put_choice(struct json_out *o, yyjson_val *choice, size_t index, bool end)
{
    json_begin_object(o);
    json_key(o, STR("index"));
    json_int(o, (int64_t)index);
    put_delta(o, end ? NULL : yyjson_obj_get(choice, "message"));
    json_key(o, STR("finish_reason"));
    json_string_or_null(o, end ? json_str(yyjson_obj_get(choice, "finish_reason")) : (struct str){ NULL, 0 });
    json_end_object(o);
}

/* A chunk: what each choice says, or how each ends. */
static void put_chunk(struct buf *to, yyjson_val *choices, bool end, yyjson_val *usage)
{
    struct json_out o = json_out(to);
    size_t i, n;
    yyjson_val *choice;
    json_begin_object(&o);
    json_key(&o, STR("object"));
    json_string(&o, STR("chat.completion.chunk"));
    json_key(&o, STR("choices"));
    json_begin_array(&o);
    yyjson_arr_foreach(choices, i, n, choice) put_choice(&o, choice, i, end);
    json_end_array(&o);
    if (usage) {
        json_key(&o, STR("usage"));
        json_value(&o, usage);
    }
    json_end_object(&o);
}

/* The lead relays from now on, and has done so: its whole answer becomes the events of a stream. */
static enum err_code to_stream(struct attempt *t, const struct json_doc *d, struct str routing, struct err *e)
{
    yyjson_val *choices = yyjson_obj_get(d->root, "choices");
    struct buf said = { 0 }, end = { 0 };
    struct answer_facts facts = *attempt_facts(t);
    struct answer_frame f = {
        .model = t->b->name, .id = str_of(t->x->id), .created_s = clock_wall_ms() / 1000, .include_usage = t->x->ask.include_usage };
    put_chunk(&said, choices, false, NULL);
    put_chunk(&end, choices, true, yyjson_obj_get(d->root, "usage"));
    relay_free(&t->relay);
    relay_init(&t->relay, &f, &t->x->api->scratch); /* d dies with the first event: both are written by now */
    t->out.n = 0;
    t->way = WAY_RELAY;
    enum err_code rc = relay_event(&t->relay, buf_str(&said), &t->out, e);
    if (!rc)
        rc = relay_event(&t->relay, buf_str(&end), &t->out, e);
    if (!rc)
        rc = relay_end(&t->relay, routing, &t->out, e);
    t->relay.facts = facts;
    buf_free(&said);
    buf_free(&end);
    return rc;
}

/* ---- after the check ---- */

/* The checker's words take the draft's place, and it is named as who answers. */
static void take_better(struct exchange *x, struct str words)
{
    struct attempt *t = x->lead;
    struct decision *d = &x->decision;
    struct json_doc answer;
    struct buf better = { 0 };
    if (!parse_answer(t, &answer))
        return;
    const struct tokens used = attempt_used(t);
    x->verified.draft_cost = t->b->kind->managed ? 0 : exchange_price(t->b, &used);
    t->b = world_backend(x->world, x->verified.model);
    t->at = d->n < ROUTE_MAX_CHAIN ? d->n++ : d->n - 1;
    d->chain[t->at] = (struct candidate){ .model = x->verified.model };
    snprintf(d->chain[t->at].reason, sizeof d->chain[t->at].reason, "it has bettered the draft");
    verify_replace(&answer, words, t->b->name, &better);
    t->out.n = 0;
    buf_add(&t->out, buf_str(&better));
    buf_free(&better);
}

/* The answer once more, with what came of the check, in the form that the caller wants. */
static enum err_code write_answer(struct exchange *x, struct err *e)
{
    struct attempt *t = x->lead;
    struct json_doc d;
    struct buf routing = { 0 }, text = { 0 };
    if (world_config(x->world)->routing_metadata)
        exchange_put_routing(x, &routing);
    buf_add(&text, buf_str(&t->out));
    enum err_code rc = json_parse_fast(&d, buf_str(&text), &x->api->scratch, e);
    if (!rc && x->whole_stream) {
        rc = to_stream(t, &d, buf_str(&routing), e);
    } else if (!rc) {
        t->out.n = 0;
        whole_write(&d, &(struct answer_frame){ .model = t->b->name }, NULL, buf_str(&routing), &t->out);
    }
    buf_free(&routing);
    buf_free(&text);
    return rc;
}

static void deliver(struct exchange *x)
{
    struct err e;
    if (write_answer(x, &e))
        exchange_fail(x, &e);
    else
        exchange_deliver(x);
}

static void on_checked(struct exchange *x)
{
    struct buf words = { 0 };
    struct inner *i = &x->inner;
    struct verified *v = &x->verified;
    v->verdict = i->why.code ? VERDICT_FAILED : verify_read(buf_str(&i->content), &words);
    v->tokens = i->tokens;
    v->ms = (double)(clock_mono_ns() - v->since_ns) / 1e6;
    if (i->why.code)
        log_info("%s: the draft could not be checked: %s", x->id, err_row(i->why.code)->code); /* its words may cite the prompt */
    if (v->verdict == VERDICT_IMPROVED && !exchange_schema_allows(x, buf_str(&words)))
        v->verdict = VERDICT_FAILED; /* better, and not in the form that was asked for */
    if (v->verdict == VERDICT_IMPROVED)
        take_better(x, buf_str(&words));
    if (v->verdict == VERDICT_IMPROVED && x->captures)
        exchange_note_answer(x, &(struct said_all){ .content = buf_str(&words) });
    buf_free(&words);
    deliver(x);
}

/* ---- before it ---- */

/* Who checks may see it: the decision names nobody else (route/decide.c). */
static bool check(struct exchange *x, struct str draft)
{
    size_t model = x->decision.verify;
    const struct backend *b = world_backend(x->world, model);
    if (!draft.n)
        return false;
    x->inner.body.n = 0;
    verify_body(attempt_words(x->lead), b->name, draft, b->kind->rebuilt, &x->inner.body);
    lease_outcome(&x->lead->lease, NULL, attempt_facts(x->lead)->tokens.input);
    attempt_drop(x->lead); /* its slot, and its memory, are free for the checker */
    x->verified.model = model;
    x->verified.since_ns = clock_mono_ns();
    inner_start(&x->inner, model, false, exchange_left_ms(x) + 1, on_checked); /* never 0: no limit */
    return true;
}

bool exchange_verify(struct exchange *x)
{
    struct json_doc answer;
    if (x->decision.verify == SIZE_MAX && x->whole_stream) { /* it was held back for another check */
        deliver(x);
        return true;
    }
    if (x->decision.verify == SIZE_MAX || x->ask.task != TASK_CHAT)
        return false;
    if (parse_answer(x->lead, &answer) && check(x, verify_draft(answer.root)))
        return true;
    if (!x->whole_stream)
        return false;
    deliver(x);
    return true;
}

void exchange_put_verified(const struct exchange *x, struct json_out *o)
{
    const struct verified *v = &x->verified;
    if (v->verdict == VERDICT_NONE)
        return;
    const struct backend *b = world_backend(x->world, v->model);
    json_key(o, STR("verify"));
    json_begin_object(o);
    json_key(o, STR("verdict"));
    json_string(o, str_of(verdict_name[v->verdict]));
    json_key(o, STR("model"));
    json_string(o, b->name);
    json_key(o, STR("host"));
    json_string(o, b->host);
    json_key(o, STR("ms"));
    json_double(o, v->ms, 1);
    json_key(o, STR("input_tokens"));
    json_int_or_null(o, v->tokens.input);
    json_key(o, STR("output_tokens"));
    json_int_or_null(o, v->tokens.output);
    json_end_object(o);
}
