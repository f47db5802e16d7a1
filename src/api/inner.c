#include "api/inner.h"

#include "api/ask.h"
#include "api/exchange_int.h"
#include "base/clock.h"

#include <stdio.h>

/* ---- the answer ---- */

static void told(void *ctx)
{
    struct inner *i = ctx;
    i->on_done(i->owner);
}

static void finish(struct inner *i)
{
    i->x = NULL;
    timer_cancel(&i->deadline);
    loop_later(i->owner->api->loop, &i->told);
}

/* The words of a whole answer. */
static void take_content(struct inner *i, struct str answer)
{
    struct json_doc d = { 0 };
    if (json_parse(&d, answer, &i->why))
        return;
    struct str said = json_str(yyjson_ptr_get(d.root, "/choices/0/message/content"));
    if (said.n)
        buf_add(&i->content, said);
    else
        err_set(&i->why, ERR_UP_GARBLED, "it said nothing");
    json_free(&d);
}

static void answered(struct asker *k, struct exchange *x, const struct err *e)
{
    struct inner *i = (struct inner *)(void *)k;
    i->tokens = attempt_facts(x->lead)->tokens;
    if (e)
        i->why = *e;
    else
        take_content(i, buf_str(&x->lead->out));
    finish(i);
}

static void on_deadline(void *ctx)
{
    struct inner *i = ctx;
    exchange_abandon(i->x);
    err_set(&i->why, ERR_UP_TIMEOUT, "it did not answer in time");
    finish(i);
}

/* ---- the question ---- */

static enum err_code read_question(struct exchange *x, struct inner *i, size_t model, struct err *e)
{
    enum err_code rc = ask_read(buf_str(&i->body), TASK_CHAT, &x->doc, &x->ask, e);
    if (rc)
        return rc;
    x->decision.n = 1;
    x->decision.chain[0] = (struct candidate){ .model = model };
    x->decision.total_ms = world_config(x->world)->timeouts.total_ms;
    x->decision.verify = SIZE_MAX;
    x->decision.privacy = i->owner->decision.privacy;
    exchange_decide_thinking(x);
    x->decision.local_only = i->owner->decision.local_only;
    return ERR_OK;
}

void inner_start(struct inner *i, size_t model, bool resident, int64_t deadline_ms, void (*on_done)(struct exchange *owner))
{
    struct exchange *owner = i->owner, *x = exchange_new(owner->api, owner->world);
    struct err e;
    x->asker = &i->asker;
    x->class = resident ? CALLER_BACKGROUND : owner->class;
    x->started_ns = clock_mono_ns();
    snprintf(x->id, sizeof x->id, "%s", owner->id);
    i->x = x;
    i->why.code = ERR_OK;
    i->tokens = (struct tokens){ -1, -1, -1, -1 };
    i->content.n = 0;
    i->on_done = on_done;
    if (deadline_ms)
        timer_set(&i->deadline, deadline_ms);
    if (read_question(x, i, model, &e)) {
        exchange_fail(x, &e);
        return;
    }
    exchange_enter(x, X_DECIDED);
    exchange_walk(x);
}

/* ---- birth and death ---- */

void inner_init(struct inner *i, struct exchange *owner)
{
    *i = (struct inner){ .asker = { answered }, .owner = owner };
    timer_init(&i->deadline, owner->api->loop, on_deadline, i);
    later_init(&i->told, told, i);
}

void inner_drop(struct inner *i)
{
    if (i->x)
        exchange_abandon(i->x);
    i->x = NULL;
    timer_cancel(&i->deadline);
    later_cancel(&i->told);
    buf_free(&i->body);
    buf_free(&i->content);
}
