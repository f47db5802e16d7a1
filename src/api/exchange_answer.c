/* What comes of a place's answer: which way it takes to the caller, its events one by one, and its end. */
#include "api/exchange_int.h"
#include "base/clock.h"
#include "policy/fields.h"

enum { EVENT_MAX_BYTES = 1024 * 1024 };

const struct answer_facts *exchange_facts(const struct exchange *x)
{
    return x->way == WAY_COLLECT && x->collect ? collect_facts(x->collect) : &x->relay.facts;
}

bool exchange_wants_events(const struct exchange *x)
{
    return x->way == WAY_RELAY || x->way == WAY_COLLECT;
}

static void on_event(void *ctx, struct str event, struct str data)
{
    struct exchange *x = ctx;
    (void)event;
    if (exchange_over(x) || x->broke.code)
        return;
    enum err_code rc = x->way == WAY_RELAY ? relay_event(&x->relay, data, &x->out, &x->broke) : collect_event(x->collect, data, &x->broke);
    if (rc) {
        sse_stop(x->sse);
        return;
    }
    if (!x->first_ns && exchange_facts(x)->began)
        x->first_ns = clock_mono_ns();
}

static enum way pick_way(const struct exchange *x)
{
    bool generates = x->ask.task == TASK_CHAT || x->ask.task == TASK_TEXT, rebuilt = x->b->kind->rebuilt;
    if (generates && x->ask.stream)
        return WAY_RELAY;
    if (generates && rebuilt)
        return WAY_COLLECT;
    return x->ask.task == TASK_EMBED && rebuilt ? WAY_EMBED : WAY_WHOLE;
}

void exchange_begin_answer(struct exchange *x)
{
    struct answer_frame f = {
        .model = x->b->name,
        .id = str_of(x->id),
        .created_s = clock_wall_ms() / 1000,
        .include_usage = x->ask.include_usage,
        .max_bytes = (size_t)x->b->model->answer_bytes,
        .text = x->ask.task == TASK_TEXT,
    };
    x->way = pick_way(x);
    x->status = 0;
    x->broke.code = ERR_OK;
    x->paused = false;
    x->in.n = x->out.n = 0;
    int64_t tokens = x->relay.facts.tokens.input;
    relay_free(&x->relay);
    relay_init(&x->relay, &f, &x->api->scratch);
    if (x->embedded)
        x->relay.facts.tokens.input = tokens; /* of the parts before */
    else
        x->first_ns = 0;
    collect_free(x->collect);
    x->collect = x->way == WAY_COLLECT ? collect_new(&f, &x->api->scratch) : NULL;
    sse_free(x->sse);
    x->sse = exchange_wants_events(x) ? sse_new(EVENT_MAX_BYTES, on_event, x) : NULL;
}

/* ---- its end ---- */

static void routing_of(struct exchange *x, struct buf *to)
{
    if (world_config(x->world)->routing_metadata)
        exchange_put_routing(x, to);
}

static enum err_code end_events(struct exchange *x, struct err *e)
{
    struct buf routing = { 0 };
    routing_of(x, &routing);
    enum err_code rc = x->way == WAY_RELAY ? relay_end(&x->relay, buf_str(&routing), &x->out, e) : collect_end(x->collect, buf_str(&routing), &x->out, e);
    buf_free(&routing);
    return rc;
}

static enum err_code take_embeddings(struct exchange *x, yyjson_val *root, size_t count, struct err *e)
{
    struct embeddings_wish w = {
        .base64 = str_eq(json_str(yyjson_obj_get(x->doc.root, "encoding_format")), STR("base64")),
        .dimensions = field_int(x->doc.root, "dimensions"), /* nothing is left to do where it was heeded */
        .model = x->b->name,
    };
    if (!x->embeddings)
        x->embeddings = embeddings_new(&w);
    x->embedded += count;
    return embeddings_take(x->embeddings, root, count, e);
}

static void write_embeddings(struct exchange *x)
{
    struct buf routing = { 0 };
    routing_of(x, &routing);
    embeddings_write(x->embeddings, &exchange_facts(x)->tokens, buf_str(&routing), &x->out);
    buf_free(&routing);
}

/* One part of an embedding request is answered. True when it was the last. */
static enum err_code end_part(struct exchange *x, const struct json_doc *d, int64_t tokens_before, struct err *e)
{
    size_t all = body_inputs(&x->doc), left = all - x->embedded;
    struct tokens *t = &x->relay.facts.tokens;
    enum err_code rc = take_embeddings(x, d->root, left < EMBED_AT_A_TIME ? left : EMBED_AT_A_TIME, e);
    t->input = tokens_before >= 0 && t->input >= 0 ? t->input + tokens_before : -1;
    if (!rc && x->embedded == all)
        write_embeddings(x);
    return rc;
}

/* Embeddings are read even when they then leave as they came: what is not one for each input, in order, is no answer. */
static enum err_code end_whole(struct exchange *x, const struct json_doc *d, struct err *e)
{
    if (x->ask.task == TASK_EMBED && take_embeddings(x, d->root, body_inputs(&x->doc), e))
        return e->code;
    if (x->embeddings && embeddings_differ(x->embeddings, d->root)) {
        write_embeddings(x);
        return ERR_OK;
    }
    struct buf routing = { 0 };
    routing_of(x, &routing);
    whole_write(d, &x->relay.frame, buf_str(&routing), &x->out);
    buf_free(&routing);
    return ERR_OK;
}

static enum err_code end_object(struct exchange *x, struct err *e)
{
    struct json_doc d;
    int64_t tokens_before = x->embedded ? x->relay.facts.tokens.input : 0;
    enum err_code rc = whole_read(buf_str(&x->in), exchange_errands[x->ask.task].holds, &x->api->scratch, &d, &x->relay.facts, e);
    if (rc)
        return rc;
    if (!x->first_ns)
        x->first_ns = clock_mono_ns();
    rc = x->way == WAY_EMBED ? end_part(x, &d, tokens_before, e) : end_whole(x, &d, e);
    json_free(&d);
    return rc;
}

enum err_code exchange_end_answer(struct exchange *x, struct err *e)
{
    return exchange_wants_events(x) ? end_events(x, e) : end_object(x, e);
}
