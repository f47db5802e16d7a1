/* One candidate being asked: a lease, a body, a call and an answer. What becomes of the request when it fails is for exchange_walk.c. */
#include "api/caller.h"
#include "api/exchange_int.h"
#include "backend/health.h"
#include "base/clock.h"
#include "base/uncleared.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SILENT_MAX_BYTES = 1024 * 1024,     /* held back before the first content */
    REFUSAL_MAX_BYTES = 64 * 1024,
    END_MS = 50,                        /* from [DONE] to the end of the body; then the connection is given up */
    MOURN_MS = 250, MOURN_STEP_MS = 2, /* the keeper tells of a death in a few ms */
};

static const char *const state_names[] = { "IDLE", "WAKING", "WAITING", "COUNTING", "SENT", "RELAYING", "MOURNING", "RESTING" };

void attempt_enter(struct attempt *t, enum attempt_state to)
{
    log_trace("%s try of %.*s: %s -> %s at %lld us", t->x->id, STR_ARG(t->b->name), state_names[t->state], state_names[to],
        (long long)((clock_mono_ns() - t->x->started_ns) / 1000));
    t->state = to;
}

/* ---- limits of time ---- */

static void set_limit(struct attempt *t, int64_t own_ms, int64_t left_ms)
{
    t->limit_ms = left_ms < own_ms ? left_ms : own_ms;
    if (t->limit_ms < EXCHANGE_FOREVER_MS)
        timer_set(&t->deadline, t->limit_ms);
    else
        timer_cancel(&t->deadline);
}

/* Until a try has begun to answer it has half of what is left, so that another could still be asked; the last one has all of it. */
void attempt_set_first_limit(struct attempt *t, int64_t own_ms)
{
    int64_t left_ms = exchange_left_ms(t->x);
    t->hurried = exchange_has_next(t->x) && left_ms / 2 < own_ms;
    set_limit(t, own_ms, t->hurried ? left_ms / 2 : left_ms);
}

static int64_t total_ms(const struct attempt *t)
{
    return t->b->timeouts.total_ms ? t->b->timeouts.total_ms : EXCHANGE_FOREVER_MS;
}

/* It answers: all the time is its own. */
static void began(struct attempt *t)
{
    t->told_began = true;
    exchange_won(t);
    health_began(t->b, t->sent_ms);
    if (t->hurried)
        set_limit(t, total_ms(t), exchange_left_ms(t->x));
}

/* ---- its end ---- */

/* A child of ours has broken off. Whether it has died is known in a moment, and decides what is said of it and who is asked next. */
static void mourn(struct attempt *t, const struct err *e)
{
    t->broken = *e;
    http_call_cancel(t->call);
    t->call = NULL;
    t->mourns_until_ms = loop_now_ms(t->x->api->loop) + MOURN_MS;
    attempt_enter(t, TRY_MOURNING);
    timer_set(&t->deadline, MOURN_STEP_MS);
}

static void mourn_on(struct attempt *t)
{
    if (attempt_has_died(t) || loop_now_ms(t->x->api->loop) >= t->mourns_until_ms)
        exchange_try_failed(t, &t->broken);
    else
        timer_set(&t->deadline, MOURN_STEP_MS);
}

/* What went wrong on the way: the sentence begins with who it was. */
static void place_failed(struct attempt *t, const struct err *e)
{
    struct err named = *e;
    bool gone = e->code == ERR_UP_RESET || e->code == ERR_UP_REFUSED;
    snprintf(named.text, sizeof named.text, "'%.*s' on '%.*s': %.200s", STR_ARG(t->b->name), STR_ARG(t->b->host), e->text);
    if (e->code == ERR_UP_REFUSED && t->b->place && !e->hint[0] && blame_cause_of(e->sys) == CAUSE_ANY)
        err_hint(&named, "Check that it runs, and `url:` of this host in hob.yaml.");
    if (gone && t->b->kind->managed && !attempt_has_died(t) && blame_cause_of(e->sys) == CAUSE_ANY)
        mourn(t, &named);
    else
        exchange_try_failed(t, &named);
}

void attempt_tell(struct attempt *t, const struct err *e)
{
    const struct answer_facts *f = attempt_facts(t);
    if (!t->admitted)
        return;
    t->admitted = false;
    struct outcome o = {
        .code = e ? e->code : ERR_OK,
        .retry_after_s = e ? e->retry_after_s : 0,
        .why = e,
        .asked_ms = t->sent_ms,
        .ttft_ms = t->first_ns ? (t->first_ns - t->sent_ns) / 1000000 : -1,
        .input_tokens = f->tokens.input,
        .output_tokens = facts_output(f),
    };
    health_tell(t->b, &o);
}

static void ask_again(struct attempt *t)
{
    http_call_cancel(t->call); /* its body may not have ended yet */
    t->call = NULL;
    attempt_forget_answer(t);
    attempt_send(t);
}

/* The place has said all it will. */
static void complete(struct attempt *t)
{
    struct err e;
    if (attempt_gathered(t, &e)) {
        exchange_try_failed(t, &e);
        return;
    }
    if (attempt_read_answer(t, &e)) {
        place_failed(t, &e);
        return;
    }
    switch (attempt_check(t, &e)) {
    case CHECKED_GOOD:
        if (t->x->shadow)
            shadow_hear(t);
        break;
    case CHECKED_AGAIN:
        t->length.counted = false; /* what changes may be longer */
        ask_again(t);
        return;
    case CHECKED_BAD:
        place_failed(t, &e);
        return;
    case CHECKED_LATER:
        return;
    }
    if (!t->told_began && t->x->ask.task != TASK_EMBED) /* before its end names who has answered: until now a rival could have */
        began(t);
    if (attempt_end_answer(t, &e)) {
        place_failed(t, &e);
        return;
    }
    t->b->drafted += attempt_facts(t)->drafted;
    t->b->accepted += attempt_facts(t)->accepted;
    if (!t->told_began)
        began(t);
    if (t->way == WAY_EMBED && t->embedded < body_inputs(&t->x->doc)) {
        attempt_send(t); /* the next part, under the same lease */
        return;
    }
    attempt_tell(t, NULL);
    if (!exchange_verify(t->x))
        exchange_deliver(t->x);
}

/* ---- from the place ---- */

static void on_answer_head(void *ctx, const struct http_answer *a)
{
    struct attempt *t = ctx;
    t->status = a->status;
    struct str wait = http_header(&a->headers, STR("retry-after"));
    snprintf(t->retry_after_text, sizeof t->retry_after_text, "%.*s", STR_ARG(wait));
    t->retry_after = str_of(t->retry_after_text);
    if (a->status != 200)
        return;
    bool events = str_eq_nocase(a->content_type, str_of(t->dialect->content_type));
    struct err e;
    attempt_enter(t, TRY_RELAYING);
    if (events != attempt_wants_events(t)) {
        err_set(&e, ERR_UP_GARBLED, "it answered with '%.*s' where %s was asked for", (int)(a->content_type.n < 60 ? a->content_type.n : 60),
            a->content_type.n ? a->content_type.p : "", events ? "one JSON object" : "a stream of events");
        place_failed(t, &e);
    }
}

/* Nothing but thoughts, and no end to them. True: it is over, one way or another. */
static bool has_thought_enough(struct attempt *t)
{
    struct err e;
    enum checked c = attempt_check_budget(t, &e);
    if (c == CHECKED_AGAIN)
        ask_again(t);
    else if (c == CHECKED_BAD)
        place_failed(t, &e);
    return c != CHECKED_GOOD;
}

static void feed_events(struct attempt *t, struct str bytes)
{
    struct err e UNCLEARED;
    if (attempt_facts(t)->done)
        return; /* only the end of the body is waited for, and not for long */
    enum err_code rc = t->dialect->feed(t->reader, bytes, &e);
    if (exchange_over(t->x))
        return;
    if (t->broke.code) {
        rc = t->broke.code;
        e = t->broke;
    }
    if (!rc && t->out.n > SILENT_MAX_BYTES && !attempt_facts(t)->began)
        rc = err_set(&e, ERR_UP_GARBLED, "it sent %zu bytes of events without a word of an answer", t->out.n);
    if (!t->told_began && attempt_facts(t)->began)
        began(t);
    if (t->out.n && !t->holds && attempt_has_left(t)) {
        t->left = true;
        exchange_send_out(t->x);
    }
    if (!rc && t->think.plan.budget_tokens && has_thought_enough(t))
        return;
    if (rc)
        place_failed(t, &e);
    else if (attempt_facts(t)->done) /* its connection can be kept once the body ends too, which is now or never */
        timer_set(&t->deadline, END_MS);
}

static void refused(struct attempt *t)
{
    struct err e;
    t->b->kind->read_refusal(t->b, t->status, t->retry_after, buf_str(&t->in), &e);
    if (e.code == ERR_CONTEXT && !t->call && attempt_grow(t)) {
        t->length.resent = true;
        attempt_send(t);
        return;
    }
    if (e.code == ERR_CONTEXT)
        attempt_read_too_long(t);
    if (e.code == ERR_CONTEXT)
        err_param(&e, "%s", exchange_errands[t->x->ask.task].subject);
    exchange_try_failed(t, &e);
}

static void on_answer_body(void *ctx, struct str bytes)
{
    struct attempt *t = ctx;
    struct err e UNCLEARED;
    if (t->status == 200 && attempt_gathers(t, bytes.n, &e)) {
        exchange_try_failed(t, &e);
        return;
    }
    if (t->status == 200 && attempt_wants_events(t)) {
        feed_events(t, bytes);
        return;
    }
    size_t room = t->status == 200 ? (size_t)t->b->model->answer_bytes : REFUSAL_MAX_BYTES;
    if (t->in.n + bytes.n <= room) {
        buf_add(&t->in, bytes);
    } else if (t->status != 200) {
        refused(t); /* however much it still has to say about it */
    } else {
        err_set(&e, ERR_UP_GARBLED, "its answer is longer than %zu bytes (`limits: {answer: …}`)", room);
        place_failed(t, &e);
    }
}

static void on_answer_done(void *ctx, enum err_code rc, const struct err *e)
{
    struct attempt *t = ctx;
    t->call = NULL;
    if (exchange_over(t->x))
        return;
    if (rc && attempt_wants_events(t) && attempt_facts(t)->finish[0]) /* the answer itself is whole */
        rc = ERR_OK;
    if (rc)
        place_failed(t, e);
    else if (t->status != 200)
        refused(t);
    else
        complete(t);
}

static void on_answer_fed(void *ctx)
{
    struct attempt *t = ctx;
    if (t == t->x->lead)
        exchange_flush_out(t->x);
    attempt_was_fed(t);
}

static const struct http_call_ops call_ops = { on_answer_head, on_answer_body, on_answer_done, on_answer_fed };

/* ---- to the place ---- */

static struct body_wish wish_of(const struct attempt *t)
{
    const struct conf_model *m = t->b->model;
    return (struct body_wish){
        .task = t->x->ask.task,
        .think = &t->think.plan,
        .wish = &t->x->wish,
        .model = t->b->upstream,
        .from = t->embedded,
        .count = EMBED_AT_A_TIME,
        .loras = m->loras,
        .nloras = m->nloras,
    };
}

bool attempt_body_fits(struct attempt *t, struct err *e)
{
    struct body_wish w = wish_of(t);
    if (t->x->ask.tools && !(backend_can(t->b) & CAN_TOOLS)) /* its engine has only now said so */
        return attempt_refuses_tools(t, e);
    return !t->b->kind->rebuilt || !body_check(&t->x->doc, &w, e);
}

static enum err_code write_in_dialect(struct attempt *t, struct err *e)
{
    const struct conf_model *m = t->b->model;
    struct dialect_wish w = {
        .model = t->b->upstream,
        .max_tokens = m->max_tokens,
        .context = m->context,
        .context_most = t->b->context,
        .context_least = t->length.told_least,
        .prompt_tokens = t->length.prompt.likely,
        .keep_alive = t->b->place->keep_alive,
        .think = &t->think.plan,
    };
    t->length.told = t->dialect->window ? t->dialect->window(attempt_doc(t), &w) : 0;
    enum err_code rc = t->dialect->write(attempt_doc(t), &w, &t->upstream, &t->dropped, e);
    t->pieces[0] = buf_str(&t->upstream);
    t->npieces = 1;
    return rc;
}

/* Asked all the same it would say that it has no such thing, which is no fault of its, and none of the model's. */
static enum err_code refuse_task(const struct attempt *t, struct err *e)
{
    err_set(e, ERR_UNSUPPORTED_INPUT, "'%.*s' on '%.*s' answers chats alone.", STR_ARG(t->b->name), STR_ARG(t->b->host));
    return err_hint(e, "Send it to /v1/chat/completions, or ask for another model.");
}

static enum err_code make_body(struct attempt *t, struct err *e)
{
    struct body_wish w = wish_of(t);
    struct think_place thinks = attempt_thinks(t);
    w.thinks = &thinks;
    t->upstream.n = t->dropped.n = 0;
    if (t->b->kind->chats_only && t->x->ask.task != TASK_CHAT)
        return refuse_task(t, e);
    if (attempt_dress(t, e))
        return e->code;
    attempt_size_up(t);
    if (t->dialect->write)
        return write_in_dialect(t, e);
    if (!t->b->kind->rebuilt) {
        t->npieces = body_splice(attempt_doc(t), &w, t->x->ask.stream, &t->upstream, t->pieces);
        return ERR_OK;
    }
    w.max_tokens = attempt_room(t);
    enum err_code rc = body_rebuild(attempt_doc(t), &w, &t->upstream, &t->dropped, e);
    t->pieces[0] = buf_str(&t->upstream);
    t->npieces = 1;
    return rc;
}

/* ---- when its time is up ---- */

static void slept_long(struct attempt *t)
{
    struct err e;
    err_set(&e, ERR_WAKING, "'%.*s' on '%.*s' did not wake within %lld ms.", STR_ARG(t->b->name), STR_ARG(t->b->host), (long long)t->limit_ms);
    e.retry_after_s = 5;
    exchange_try_failed(t, &e);
}

static void waited_long(struct attempt *t)
{
    struct err e;
    err_set(&e, ERR_QUEUE_TIMEOUT, "'%.*s' did not get free in time.", STR_ARG(t->b->name));
    err_hint(&e, "Try again later, or raise `queue: {deadline: …}`.");
    int64_t wait_s = (fleet_wait_ms(t->world, t->model) + 999) / 1000; /* of who comes now */
    e.retry_after_s = wait_s < 1 ? 1 : wait_s > 60 ? 60 : (int)wait_s;
    exchange_try_failed(t, &e);
}

static void answered_long(struct attempt *t)
{
    struct err e;
    bool started = attempt_facts(t)->began;
    if (t->hurried && !started)
        err_set(&e, ERR_UP_TIMEOUT, "it did not begin to answer within %lld ms, which is what it could have of the request's time", (long long)t->limit_ms);
    else
        err_set(&e, ERR_UP_TIMEOUT, "its answer took longer than the %lld s it may take (`timeouts: {total: …}`)", (long long)(t->limit_ms + 999) / 1000);
    place_failed(t, &e);
}

static void on_deadline(void *ctx)
{
    struct attempt *t = ctx;
    if (exchange_over(t->x))
        return;
    switch (t->state) {
    case TRY_IDLE:
    case TRY_COUNTING: /* it has a limit of its own */
        break;
    case TRY_WAKING:
        slept_long(t);
        break;
    case TRY_WAITING:
        waited_long(t);
        break;
    case TRY_SENT:
    case TRY_RELAYING:
        if (attempt_facts(t)->done)
            complete(t);
        else
            answered_long(t);
        break;
    case TRY_MOURNING:
        mourn_on(t);
        break;
    case TRY_RESTING:
        attempt_start(t, t->at, t->repeats + 1);
        break;
    }
}

/* ---- to the place: its own words ---- */

static void drop_reader(struct attempt *t)
{
    if (t->reader)
        t->dialect->free(t->reader);
    t->reader = NULL;
}

/* Only chats differ: what else a place can do it does as OpenAI has it. */
static void pick_dialect(struct attempt *t)
{
    drop_reader(t);
    t->dialect = t->x->ask.task == TASK_CHAT && t->b->kind->dialect ? t->b->kind->dialect : &dialect_openai;
}

enum err_code attempt_make_body(struct attempt *t, struct err *e)
{
    pick_dialect(t);
    return make_body(t, e);
}

/* Where at its host the place is asked: a dialect has a path of its own there. */
static struct str make_path(const struct attempt *t, char *to, size_t room)
{
    struct str base = buf_str(&t->b->path);
    const char *rest = exchange_errands[t->x->ask.task].path;
    if (t->dialect->write) {
        base.n -= str_ends(base, STR("/v1")) ? 3 : 0;
        rest = t->dialect->path;
    }
    int n = snprintf(to, room, "%.*s%s", STR_ARG(base), rest);
    return str_make(to, (size_t)n < room ? (size_t)n : room - 1);
}

/* Another hob decides anew who answers: what is private has to stay on its local places, too. */
static struct str make_headers(const struct attempt *t, struct buf *to)
{
    const struct decision *d = &t->x->decision;
    if (!t->b->place || t->b->place->kind != HOST_HOB)
        return buf_str(&t->b->headers);
    buf_add(to, buf_str(&t->b->headers));
    buf_printf(to, "X-Hob-Class: %.*s\r\n", STR_ARG(caller_class_name(t->x->class)));
    if (d->privacy == PRIVATE_SAID || d->local_only)
        buf_lit(to, "X-Hob-Private: true\r\n");
    return buf_str(to);
}

void attempt_send(struct attempt *t)
{
    struct buf headers = { 0 };
    struct err e;
    if (attempt_make_body(t, &e)) {
        exchange_try_failed(t, &e);
        return;
    }
    if (attempt_is_held(t))
        return;
    attempt_begin_answer(t);
    attempt_enter(t, TRY_SENT);
    if (!t->embedded) { /* else it is a further part of one request */
        t->told_began = false;
        t->sent_ns = clock_mono_ns();
        t->others = fleet_company(t->world, t->model);
        t->sent_ms = loop_now_ms(t->x->api->loop);
        attempt_set_first_limit(t, total_ms(t));
    }
    char path[560]; /* of a host's at most 480 bytes, and the errand's */
    struct http_request q = {
        .method = STR("POST"),
        .path = make_path(t, path, sizeof path),
        .headers = make_headers(t, &headers),
        .body = t->pieces,
        .pieces = t->npieces,
        .first_byte_ms = t->b->timeouts.first_byte_ms,
        .idle_ms = t->b->timeouts.idle_ms,
    };
    t->call = http_call_start(t->b->pool, &q, &call_ops, t);
    wipe(headers.p, headers.n); /* the place's key is among them */
    buf_free(&headers);
    if (t->x->req)
        http_req_is_made(t->x->req);
    exchange_sent(t);
}

/* ---- birth and death ---- */

void attempt_init(struct attempt *t, struct exchange *x)
{
    t->x = x;
    timer_init(&t->deadline, x->api->loop, on_deadline, t);
    host_wait_init(&t->waking, attempt_awake, t);
    facts_init(&t->relay.facts);
}

static const struct err nothing_seen = { .code = ERR_CALLER_GONE }; /* of the place: it was not at fault, or lost to a faster one */

void attempt_drop(struct attempt *t)
{
    http_call_cancel(t->call);
    t->call = NULL;
    if (t->leased)
        lease_drop(&t->lease);
    t->leased = false;
    if (t->admitted)
        attempt_tell(t, &nothing_seen);
    timer_cancel(&t->deadline);
    if (t->state == TRY_WAKING)
        host_wait_drop(&t->waking);
    if (t->reader)
        t->dialect->stop(t->reader); /* we may be inside of it */
    if (t->state != TRY_IDLE)
        attempt_enter(t, TRY_IDLE);
}

void attempt_clear(struct attempt *t, size_t keep_bytes)
{
    relay_free(&t->relay);
    relay_init(&t->relay, &(struct answer_frame){ .created_s = 0 }, &t->x->api->scratch);
    collect_free(t->collect);
    embeddings_free(t->embeddings);
    mend_free(t->mend);
    drop_reader(t);
    attempt_forget_whole(t);
    t->collect = NULL;
    t->mend = NULL;
    attempt_undress(t);
    t->plan = (struct reword){ .role = NULL };
    t->length = (struct length){ .counted = false };
    t->embeddings = NULL;
    t->b = NULL;
    t->at = t->embedded = 0;
    t->way = WAY_RELAY;
    t->status = 0;
    t->paused = t->told_began = false;
    t->waited_ns = t->sent_ns = t->first_ns = t->load_ms = t->sent_ms = 0;
    struct buf *all[] = { &t->upstream, &t->dropped, &t->in, &t->out, &t->unmet, &t->format, &t->scratch.copy, &t->scratch.pool };
    for (size_t i = 0; i < COUNTOF(all); i++)
        buf_reset(all[i], keep_bytes);
}

void attempt_fini(struct attempt *t)
{
    struct buf *all[] = { &t->upstream, &t->dropped, &t->in, &t->out, &t->unmet, &t->format, &t->scratch.copy, &t->scratch.pool };
    for (size_t i = 0; i < COUNTOF(all); i++)
        buf_free(all[i]);
    timer_cancel(&t->deadline);
}

struct attempt *attempt_new(struct exchange *x)
{
    struct attempt *t = calloc(1, sizeof *t);
    if (!t)
        die("out of memory for a request");
    attempt_init(t, x);
    return t;
}

void attempt_free(struct attempt *t)
{
    attempt_clear(t, 0);
    attempt_fini(t);
    free(t);
}
