/* What comes of a place's answer: which way it takes to the caller, its events one by one, and its end. */
#include "api/exchange_int.h"
#include "base/clock.h"
#include "policy/fields.h"

enum { EVENT_MAX_BYTES = 1024 * 1024 };

const struct answer_facts *attempt_facts(const struct attempt *t)
{
    return t->way == WAY_COLLECT && t->collect ? collect_facts(t->collect) : &t->relay.facts;
}

bool attempt_wants_events(const struct attempt *t)
{
    return t->way == WAY_RELAY || t->way == WAY_COLLECT;
}

/* Hundreds of streams with a buffer each would all have theirs out of the processor's cache whenever an event comes. */
static void swap_passing(struct attempt *t)
{
    struct buf mine = t->out;
    t->out = t->x->api->passing;
    t->x->api->passing = mine;
}

void attempt_was_fed(struct attempt *t)
{
    enum { KEEP_BYTES = 64 * 1024 }; /* a held answer may have needed megabytes, once */
    if (t->out.n || t->x->api->passing.p)
        return;
    buf_reset(&t->out, KEEP_BYTES);
    swap_passing(t);
}

static void hold_or_not(struct attempt *t, size_t before)
{
    bool held = t->holds;
    t->holds = attempt_holds_text(t);
    if (t->holds && !held)
        t->held_from = before;
}

static void take_event(void *ctx, struct str data)
{
    struct attempt *t = ctx;
    if (exchange_over(t->x) || t->broke.code)
        return;
    if (!t->out.p)
        swap_passing(t);
    size_t before = t->out.n;
    enum err_code rc = t->way == WAY_RELAY ? relay_event(&t->relay, data, &t->out, &t->broke) : collect_event(t->collect, data, &t->broke);
    if (rc) {
        t->dialect->stop(t->reader);
        return;
    }
    if (t->tools && t->way == WAY_RELAY)
        hold_or_not(t, before);
    if (!t->first_ns && attempt_facts(t)->began)
        t->first_ns = clock_mono_ns();
}

static void on_event(void *ctx, struct str data)
{
    struct attempt *t = ctx;
    if (t->mend)
        mend_event(t->mend, data, take_event, t);
    else
        take_event(t, data);
}

static enum way pick_way(const struct attempt *t)
{
    bool generates = t->x->ask.task == TASK_CHAT || t->x->ask.task == TASK_TEXT, rebuilt = t->b->kind->rebuilt || t->dialect->write;
    if (generates && t->x->ask.stream)
        return WAY_RELAY;
    if (generates && rebuilt)
        return WAY_COLLECT;
    return t->x->ask.task == TASK_EMBED && rebuilt ? WAY_EMBED : WAY_WHOLE;
}

/* Something is promised of the answer that is seen when it is whole. */
static bool keeps_what_is_said(const struct attempt *t)
{
    return t->x->ask.task == TASK_CHAT && (t->tools || t->x->promise || t->x->captures || t->x->shadow);
}

void attempt_forget_whole(struct attempt *t)
{
    json_free(&t->whole);
    kept_free(t->kept);
    t->kept = NULL;
}

void attempt_forget_answer(struct attempt *t)
{
    attempt_forget_whole(t);
    collect_free(t->collect);
    t->collect = NULL;
    facts_init(&t->relay.facts);
    t->out.n = 0;
}

void attempt_begin_answer(struct attempt *t)
{
    t->tools = attempt_offers_tools(t);
    t->holds = t->left = false;
    struct answer_frame f = {
        .model = t->b->name,
        .id = str_of(t->x->id),
        .created_s = clock_wall_ms() / 1000,
        .include_usage = t->x->ask.include_usage,
        .max_bytes = (size_t)t->b->model->answer_bytes,
        .text = t->x->ask.task == TASK_TEXT,
        .think_open = attempt_thoughts_open(t),
        .think_show = attempt_shows_thoughts(t),
        .keep = keeps_what_is_said(t),
    };
    t->way = pick_way(t);
    t->status = 0;
    t->broke.code = ERR_OK;
    t->paused = false;
    t->in.n = t->out.n = 0;
    t->gathered = 0;
    attempt_forget_whole(t);
    int64_t tokens = t->relay.facts.tokens.input;
    relay_free(&t->relay);
    relay_init(&t->relay, &f, &t->x->api->scratch);
    if (t->embedded)
        t->relay.facts.tokens.input = tokens; /* of the parts before */
    else
        t->first_ns = 0;
    collect_free(t->collect);
    t->collect = t->way == WAY_COLLECT ? collect_new(&f, &t->x->api->scratch) : NULL;
    mend_free(t->mend);
    t->mend = attempt_wants_events(t) && attempt_values(t) ? mend_new(attempt_values(t)) : NULL;
    t->reader = attempt_wants_events(t) ? t->dialect->reader_new(EVENT_MAX_BYTES, on_event, t) : NULL;
}

/* Thoughts that do not leave, and the little that comes before them, are none of it; nor is what waits to be a call. */
bool attempt_has_left(const struct attempt *t)
{
    const struct answer_facts *f = attempt_facts(t);
    return t->way == WAY_RELAY && (t->left || !t->holds) && (f->said || (f->began && (!f->thoughts || t->relay.frame.think_show == THINK_MOVE)));
}

/* ---- its end ---- */

static void routing_of(struct attempt *t, struct buf *to)
{
    if (world_config(t->x->world)->routing_metadata)
        exchange_put_routing(t->x, to);
}

static enum err_code read_last_event(struct attempt *t, struct err *e)
{
    enum err_code rc = t->dialect->end(t->reader, e); /* it may have held one back until now */
    if (!rc && t->broke.code) {
        *e = t->broke;
        rc = e->code;
    }
    if (!rc && !attempt_facts(t)->finish[0]) /* before anybody blames the model for half an answer */
        rc = err_set(e, ERR_UP_GARBLED, "its stream ended without a finish_reason");
    return rc;
}

static enum err_code read_object(struct attempt *t, struct err *e)
{
    int64_t before = t->embedded ? t->relay.facts.tokens.input : 0;
    struct tokens *sum = &t->relay.facts.tokens;
    exchange_mend_whole(t);
    if (t->relay.frame.keep)
        t->kept = kept_new();
    enum err_code rc = whole_read(buf_str(&t->in), exchange_errands[t->x->ask.task].holds, &t->relay.frame, &t->scratch, &t->whole, &t->relay.facts, t->kept, e);
    if (rc)
        return rc;
    if (!t->first_ns)
        t->first_ns = clock_mono_ns();
    if (t->way == WAY_EMBED)
        sum->input = before >= 0 && sum->input >= 0 ? sum->input + before : -1;
    return ERR_OK;
}

enum err_code attempt_read_answer(struct attempt *t, struct err *e)
{
    return attempt_wants_events(t) ? read_last_event(t, e) : read_object(t, e);
}

/* ---- what it has said ---- */

static struct kept *kept_of(struct attempt *t)
{
    if (t->way == WAY_RELAY)
        return t->relay.kept;
    return t->way == WAY_COLLECT && t->collect ? collect_kept(t->collect) : t->kept;
}

bool attempt_said(struct attempt *t, struct said_all *out)
{
    struct kept *k = kept_of(t);
    if (k)
        kept_said(k, out);
    return k != NULL;
}

/* What a stream has said is under way to the caller. */
static struct kept *changeable(struct attempt *t)
{
    return t->way == WAY_RELAY ? NULL : kept_of(t);
}

bool attempt_set_content(struct attempt *t, struct str content)
{
    struct kept *k = changeable(t);
    if (k)
        kept_set_content(k, content);
    return k != NULL;
}

bool attempt_set_calls(struct attempt *t, const struct said_call *calls, size_t n)
{
    struct kept *k = changeable(t);
    if (!k)
        return false;
    kept_set_content(k, STR(""));
    kept_set_calls(k, calls, n, STR("tool_calls"));
    return true;
}

/* ---- the caller's last bytes ---- */

static enum err_code end_events(struct attempt *t, struct err *e)
{
    struct buf routing = { 0 };
    routing_of(t, &routing);
    enum err_code rc = t->way == WAY_RELAY ? relay_end(&t->relay, buf_str(&routing), &t->out, e) : collect_end(t->collect, buf_str(&routing), &t->out, e);
    buf_free(&routing);
    return rc;
}

static enum err_code take_embeddings(struct attempt *t, yyjson_val *root, size_t count, struct err *e)
{
    struct embeddings_wish w = {
        .base64 = str_eq(json_str(yyjson_obj_get(t->x->doc.root, "encoding_format")), STR("base64")),
        .dimensions = field_int(t->x->doc.root, "dimensions"), /* nothing is left to do where it was heeded */
        .model = t->b->name,
    };
    if (!t->embeddings)
        t->embeddings = embeddings_new(&w);
    t->embedded += count;
    return embeddings_take(t->embeddings, root, count, e);
}

static void write_embeddings(struct attempt *t)
{
    struct buf routing = { 0 };
    routing_of(t, &routing);
    embeddings_write(t->embeddings, &attempt_facts(t)->tokens, buf_str(&routing), &t->out);
    buf_free(&routing);
}

/* One part of an embedding request is answered. True when it was the last. */
static enum err_code end_part(struct attempt *t, const struct json_doc *d, struct err *e)
{
    size_t all = body_inputs(&t->x->doc), left = all - t->embedded;
    enum err_code rc = take_embeddings(t, d->root, left < EMBED_AT_A_TIME ? left : EMBED_AT_A_TIME, e);
    if (!rc && t->embedded == all)
        write_embeddings(t);
    return rc;
}

/* Embeddings are read even when they then leave as they came: what is not one for each input, in order, is no answer. */
static enum err_code end_whole(struct attempt *t, const struct json_doc *d, struct err *e)
{
    if (t->x->ask.task == TASK_EMBED && take_embeddings(t, d->root, body_inputs(&t->x->doc), e))
        return e->code;
    if (t->embeddings && embeddings_differ(t->embeddings, d->root)) {
        write_embeddings(t);
        return ERR_OK;
    }
    struct buf routing = { 0 };
    routing_of(t, &routing);
    whole_write(d, &t->relay.frame, t->kept, buf_str(&routing), &t->out);
    buf_free(&routing);
    return ERR_OK;
}

static enum err_code end_object(struct attempt *t, struct err *e)
{
    enum err_code rc = t->way == WAY_EMBED ? end_part(t, &t->whole, e) : end_whole(t, &t->whole, e);
    attempt_forget_whole(t);
    return rc;
}

enum err_code attempt_end_answer(struct attempt *t, struct err *e)
{
    struct said_all said;
    if (t->x->captures && attempt_said(t, &said))
        exchange_note_answer(t->x, &said);
    return attempt_wants_events(t) ? end_events(t, e) : end_object(t, e);
}
