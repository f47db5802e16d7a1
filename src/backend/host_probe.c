/* What is asked of a host when no request does: its list of models, and one token. One question at a time, each with a deadline. */
#include "backend/host_int.h"

#include "base/random.h"
#include "json/json.h"

#include <stdio.h>

enum {
    ANSWER_MAX_BYTES = 4 * 1024 * 1024, /* who resells others' models lists thousands */
    LIST_LIMIT_MS = 10 * 1000,
    TOKEN_LIMIT_MS = 60 * 1000,
    NEVER_SLOWER_MS = 5000,             /* between two tries to wake it */
    RECENT_MS = 10 * 1000,              /* a host that tells its state is asked often, as long as it is used */
    STATE_MS = 2000,
};

/* ---- asking ---- */

static void done(struct host *h, enum err_code rc, const struct err *e);

static void on_head(void *ctx, const struct http_answer *a)
{
    struct host_ask *k = &((struct host *)ctx)->ask;
    k->status = a->status;
    snprintf(k->retry_after_text, sizeof k->retry_after_text, "%.*s", STR_ARG(http_header(&a->headers, STR("retry-after"))));
    k->retry_after = str_of(k->retry_after_text);
}

static void on_body(void *ctx, struct str bytes)
{
    struct host_ask *k = &((struct host *)ctx)->ask;
    struct err e;
    (void)!buf_feed(&k->answer, bytes, &e); /* past its maximum: not a list we can read, but it answers */
}

static void on_done(void *ctx, enum err_code rc, const struct err *e)
{
    struct host *h = ctx;
    h->ask.call = NULL;
    done(h, rc, e);
}

static const struct http_call_ops ops = { on_head, on_body, on_done };

static void ask(struct host *h, struct backend *b, enum host_question what, struct str method, struct str path, int64_t limit_ms)
{
    struct host_ask *k = &h->ask;
    struct buf headers = { 0 };
    buf_add(&headers, buf_str(&b->headers));
    buf_lit(&headers, "X-Hob-Probe: 1\r\n"); /* so that whoever looks at its log sees who asked */
    k->what = what;
    k->of = b;
    k->status = 0;
    k->since_ms = host_now(h);
    buf_reset(&k->answer, 0);
    k->answer.max = ANSWER_MAX_BYTES;
    struct str body = buf_str(&k->question);
    struct http_request r = {
        .method = method,
        .path = path,
        .headers = buf_str(&headers),
        .body = &body,
        .pieces = body.n ? 1 : 0,
        .first_byte_ms = limit_ms,
        .idle_ms = limit_ms,
    };
    k->call = http_call_start(b->pool, &r, &ops, h);
    wipe(headers.p, headers.n); /* its key is in there */
    buf_free(&headers);
}

void host_hush(struct host *h)
{
    http_call_cancel(h->ask.call);
    h->ask.call = NULL;
    h->ask.what = ASK_NOTHING;
    h->ask.of = NULL;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void ask_list(struct host *h, int64_t limit_ms)
{
    struct backend *b = list_entry(h->members.next, struct backend, in_host);
    buf_reset(&h->ask.question, 0);
    h->probed_ms = host_now(h);
    ask(h, b, ASK_LIST, STR("GET"), buf_str(&b->list), limit_ms);
}

/* ---- one token ---- */

static const struct smallest {
    enum serves serves;
    const char *path, *rest; /* behind "model":NAME */
} smallest[] = {
    { SERVES_CHAT, "/chat/completions", "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"max_tokens\":1,\"stream\":false}" },
    { SERVES_EMBED, "/embeddings", "\"input\":\"Hi\"}" },
    { SERVES_RERANK, "/rerank", "\"query\":\"Hi\",\"documents\":[\"Hi\"]}" },
};

static const struct smallest *smallest_of(const struct backend *b)
{
    for (size_t i = 0; i < COUNTOF(smallest); i++)
        if (b->model->serves & smallest[i].serves)
            return &smallest[i];
    return NULL;
}

static void write_question(const struct backend *b, const struct smallest *s, struct buf *out)
{
    struct json_out o = json_out(out);
    buf_lit(out, "{\"model\":");
    json_string(&o, b->upstream);
    buf_printf(out, ",%s", s->rest);
}

/* Where a place has words of its own for a chat. */
static void translate(const struct backend *b, struct buf *question)
{
    const struct dialect_wish w = { .model = b->upstream, .max_tokens = 1, .context = b->model->context, .prompt_tokens = 8, .keep_alive = b->place->keep_alive };
    struct buf own = { 0 }, dropped = { 0 };
    struct json_doc d = { 0 };
    struct err e;
    if (json_parse(&d, buf_str(question), &e) || b->kind->dialect->write(&d, &w, &own, &dropped, &e))
        log_debug("a question of our own cannot be said to '%.*s': %s", STR_ARG(b->host), e.text);
    buf_reset(question, 0);
    buf_add(question, buf_str(&own));
    json_free(&d);
    buf_free(&own);
    buf_free(&dropped);
}

/* False: there is no question that would cost next to nothing (a transcription, say). */
static bool ask_token(struct host *h, struct backend *b, int64_t limit_ms)
{
    const struct smallest *s = smallest_of(b);
    const char *rest = s ? s->path : "";
    struct str base = buf_str(&b->path);
    char path[560];
    if (!s)
        return false;
    buf_reset(&h->ask.question, 0);
    write_question(b, s, &h->ask.question);
    if (b->kind->dialect && s->serves == SERVES_CHAT) {
        translate(b, &h->ask.question);
        base.n -= str_ends(base, STR("/v1")) ? 3 : 0;
        rest = b->kind->dialect->path;
    }
    int n = snprintf(path, sizeof path, "%.*s%s", STR_ARG(base), rest);
    ask(h, b, ASK_TOKEN, STR("POST"), str_make(path, (size_t)n < sizeof path ? (size_t)n : sizeof path - 1), limit_ms);
    return true;
}

/* ---- what a model is ---- */

/* Each is asked about once: it does not change under its name, and where it does little is lost. */
static bool ask_description(struct host *h)
{
    for (struct list *i = h->members.next; i != &h->members; i = i->next) {
        struct backend *b = list_entry(i, struct backend, in_host);
        struct str base = buf_str(&b->path);
        char path[560];
        if (!b->kind->describe || b->described || b->address != h->address || health_breaker(b) != BREAKER_CLOSED)
            continue;
        b->described = true;
        buf_reset(&h->ask.question, 0);
        struct json_out o = json_out(&h->ask.question);
        buf_lit(&h->ask.question, "{\"model\":");
        json_string(&o, b->upstream);
        buf_add_char(&h->ask.question, '}');
        base.n -= str_ends(base, STR("/v1")) ? 3 : 0;
        int n = snprintf(path, sizeof path, "%.*s%s", STR_ARG(base), b->kind->describe);
        ask(h, b, ASK_DESCRIPTION, STR("POST"), str_make(path, (size_t)n < sizeof path ? (size_t)n : sizeof path - 1), LIST_LIMIT_MS);
        return true;
    }
    return false;
}

/* What an answer to a question of ours says. That it does not like the question is no fault of the place. */
static enum err_code verdict(struct host *h, enum err_code rc, const struct err *e, struct err *why)
{
    struct host_ask *k = &h->ask;
    *why = (struct err){ .code = ERR_OK };
    if (rc) {
        err_set(why, rc, "'%s': %.200s", h->name, e->text);
        return rc;
    }
    if (k->status == 200)
        return ERR_OK;
    rc = k->of->kind->read_refusal(k->of, k->status, k->retry_after, buf_str(&k->answer), why);
    return health_verdict(rc, false) == HEALTH_NEITHER ? ERR_OK : rc;
}

/* ---- waking ---- */

static void again(struct host *h, const struct err *why)
{
    int64_t left = h->give_up_ms - host_now(h), first = left / 500;
    if (left <= 0) {
        host_not_awake(h, why);
        return;
    }
    h->error = *why;
    h->delay_ms = h->delay_ms ? least(2 * h->delay_ms, NEVER_SLOWER_MS) : first > 50 ? first : 50;
    timer_set(&h->timer, least(h->delay_ms, left));
}

void host_try_to_wake(struct host *h)
{
    struct err why;
    int64_t left = h->give_up_ms - host_now(h);
    if (h->ask.what)
        return;
    if (left > 0) {
        ask_list(h, left);
        return;
    }
    why = h->error;
    if (!why.code)
        err_set(&why, ERR_UP_TIMEOUT, "it did not answer in time");
    host_not_awake(h, &why);
}

static void wake_heard(struct host *h, enum host_question what, enum err_code rc, const struct err *why, struct backend *b)
{
    if (rc == ERR_UP_AUTH) {
        host_not_awake(h, why);
    } else if (rc && rc != ERR_UP_MODEL_MISSING) { /* who does not know the path answers, too */
        again(h, why);
    } else if (what == ASK_LIST && list_empty(&h->waits) && ask_token(h, b, h->give_up_ms - host_now(h))) {
        return; /* somebody who waits is the proof himself */
    } else {
        host_awake(h);
    }
}

/* ---- probing ---- */

static bool wants_trial(const struct backend *b, const struct host *h)
{
    return b->address == h->address && health_breaker(b) == BREAKER_HALF_OPEN && !health_would_admit(b);
}

/* A breaker's time is over, and nobody has asked: one token is the request that tries it. */
static bool try_one(struct host *h)
{
    for (struct list *i = h->members.next; i != &h->members; i = i->next) {
        struct backend *b = list_entry(i, struct backend, in_host);
        struct err e;
        if (!wants_trial(b, h) || !smallest_of(b) || health_admits(b, &e))
            continue;
        return ask_token(h, b, least(b->timeouts.first_byte_ms, TOKEN_LIMIT_MS));
    }
    return false;
}

static void tell_members(struct host *h, const struct err *why, int64_t asked_ms)
{
    struct outcome o = { .code = why->code, .why = why, .asked_ms = asked_ms, .ttft_ms = -1, .input_tokens = -1, .output_tokens = -1 };
    for (struct list *i = h->members.next; i != &h->members; i = i->next) {
        struct backend *b = list_entry(i, struct backend, in_host);
        if (b->address == h->address)
            health_heard(b, &o);
    }
}

static void list_heard(struct host *h, enum err_code rc, const struct err *why, enum err_code sent)
{
    if (sent) { /* nobody is there: it counts as a request would */
        bool was_up = h->up != TRI_NO;
        host_heard(h, false, why);
        log_at(was_up ? LOG_WARN : LOG_DEBUG, "host '%s' does not answer: %s", h->name, why->text);
        tell_members(h, why, h->ask.since_ms);
        return;
    }
    host_heard(h, true, NULL);
    if (rc)
        h->error = *why; /* such as a key that is not accepted */
}

static void trial_over(struct backend *b, enum err_code rc, const struct err *why, int64_t asked_ms)
{
    struct outcome o = { .code = rc, .retry_after_s = why->retry_after_s, .why = rc ? why : NULL, .asked_ms = asked_ms, .ttft_ms = -1, .input_tokens = -1,
        .output_tokens = -1 };
    health_tell(b, &o);
}

static void take_list(struct host *h, struct backend *b)
{
    struct str body = buf_str(&h->ask.answer);
    host_take_list(h, body);
    for (struct list *i = h->members.next; b->kind->take_state && i != &h->members; i = i->next)
        b->kind->take_state(list_entry(i, struct backend, in_host), body);
}

static void done(struct host *h, enum err_code sent, const struct err *e)
{
    struct host_ask *k = &h->ask;
    struct err why;
    enum err_code rc = verdict(h, sent, e, &why);
    enum host_question what = k->what;
    struct backend *b = k->of;
    k->what = ASK_NOTHING;
    k->of = NULL;
    if (what == ASK_LIST) {
        h->probe_took_ms = host_now(h) - k->since_ms;
        if (!sent && k->status == 200)
            take_list(h, b);
    }
    if (what == ASK_DESCRIPTION && !sent && k->status == 200)
        b->kind->take_description(b, buf_str(&k->answer));
    buf_free(&k->answer);
    if (what == ASK_DESCRIPTION)
        (void)rc;
    else if (h->sleep == HOST_WAKING && b->place->cold_start_ms)
        wake_heard(h, what, rc, &why, b);
    else if (what == ASK_TOKEN)
        trial_over(b, rc, &why, k->since_ms);
    else
        list_heard(h, rc, &why, sent);
    bool goes_on = !sent && ((what == ASK_LIST && !h->ask.what && try_one(h)) || ((what == ASK_LIST || what == ASK_DESCRIPTION) && !h->ask.what && ask_description(h)));
    if (!h->ask.what && h->sleep != HOST_WAKING && !goes_on)
        host_plan(h);
}

/* ---- when ---- */

/* Give or take a fifth: hosts that were configured together are not asked together for ever. */
static int64_t jitter(int64_t ms)
{
    uint16_t r;
    random_bytes(&r, sizeof r);
    return ms - ms / 5 + ms * 2 / 5 * r / UINT16_MAX;
}

/* How long after the last probe. Sooner, when it was not there: three such are as good as three requests. */
static int64_t interval(const struct host *h, const struct backend *b)
{
    const struct conf_host *c = b->place;
    bool used = h->running || host_now(h) - h->used_ms < RECENT_MS;
    if (b->kind->take_state && used)
        return least(c->probe_ms, STATE_MS);
    if (h->up == TRI_NO && health_breaker(b) == BREAKER_CLOSED)
        return least(c->probe_ms, c->breaker.window_ms / (2 * c->breaker.failures) + 1);
    int64_t retry = breaker_retry_ms(&b->health.breaker, &c->breaker, host_now(h));
    return retry ? least(c->probe_ms, retry + 1) : c->probe_ms;
}

void host_plan(struct host *h)
{
    const struct backend *b = host_newest(h);
    timer_cancel(&h->timer);
    if (h->ask.what || !h->all->started || h->all->stopped || !b->pool || !b->place->probe_ms || b->place->cold_start_ms)
        return;
    timer_set(&h->timer, h->probed_ms < 0 ? 1 : jitter(interval(h, b)));
}

/* Requests tell as much as a probe does. */
static bool is_known_to_be_up(const struct host *h, const struct backend *b)
{
    bool asked = h->used_ms && host_now(h) - h->used_ms < b->place->probe_ms;
    return asked && h->up == TRI_YES && h->probed_ms >= 0 && !b->kind->take_state && health_breaker(b) == BREAKER_CLOSED && !health_is_refusing(b);
}

void host_timer(void *ctx)
{
    struct host *h = ctx;
    const struct backend *b = host_newest(h);
    if (h->sleep == HOST_WAKING && b->place->cold_start_ms)
        host_try_to_wake(h);
    else if (!h->ask.what && b->pool && !is_known_to_be_up(h, b))
        ask_list(h, least(b->timeouts.first_byte_ms, LIST_LIMIT_MS));
    else
        host_plan(h);
}
