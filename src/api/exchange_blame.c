/* From what was seen of a try to whose fault it is: gathers what the table of blame (blame.c) wants to know, and puts what it says into the error. */
#include "api/exchange_int.h"
#include "backend/health.h"

#include <stdio.h>

bool attempt_has_died(const struct attempt *t)
{
    return t->b->kind->managed && t->sent_ms && (t->b->state != BACKEND_HOT || t->b->since_ms > t->sent_ms);
}

static enum blame_where where_of(const struct attempt *t)
{
    if (!t)
        return BLAME_ASKING;
    switch (t->state) {
    case TRY_IDLE:
    case TRY_WAKING:
    case TRY_WAITING:
    case TRY_COUNTING:
    case TRY_RESTING:
        return BLAME_WAITING;
    case TRY_SENT:
    case TRY_RELAYING:
    case TRY_MOURNING:
        break;
    }
    if (attempt_facts(t)->began)
        return attempt_has_left(t) ? BLAME_TELLING : BLAME_ANSWERING;
    return t->status ? BLAME_ANSWERING : BLAME_CONNECTING;
}

/* ---- many at once ---- */

static bool is_loading(const struct attempt *t)
{
    const struct backend *b = t->b;
    if (!b->kind->managed)
        return health_is_asleep(b);
    return b->state != BACKEND_HOT || loop_now_ms(t->x->api->loop) - b->since_ms < RUSH_WINDOW_MS;
}

void exchange_know_caller(struct exchange *x)
{
    if (x->caller || !x->req)
        return;
    uint64_t who = str_hash(x->ask.caller);
    if (!x->ask.caller.n)
        who = str_hash(http_req_header(x->req, STR("user-agent"))) ^ 31 * str_hash(http_req_header(x->req, STR("x-forwarded-for")));
    x->caller = who | 1;
}

static bool is_rush(struct exchange *x, const struct attempt *t, enum blame_where where, enum err_code seen)
{
    if (!t || blame_find(where, seen, CAUSE_RUSH)->cause != CAUSE_RUSH || !is_loading(t))
        return false;
    exchange_know_caller(x);
    return rush_failed(&x->api->rush, x->caller, t->b, loop_now_ms(x->api->loop));
}

/* ---- the row, and what it makes of the error ---- */

static enum blame_cause cause_of(struct exchange *x, const struct attempt *t, enum blame_where where, const struct err *e)
{
    enum blame_cause by_errno = blame_cause_of(e->sys);
    if (by_errno != CAUSE_ANY)
        return by_errno;
    if ((e->code == ERR_UP_RESET || e->code == ERR_UP_REFUSED) && t && attempt_has_died(t))
        return t->b->last_error.code == ERR_OUT_OF_MEMORY ? CAUSE_DIED_OF_MEMORY : CAUSE_DIED;
    return is_rush(x, t, where, e->code) ? CAUSE_RUSH : CAUSE_ANY;
}

/* How a connection ended says little without why it did. */
static void say_that_it_died(enum blame_cause cause, struct err *e)
{
    static const char died[] = "; its process died";
    size_t n = strlen(e->text);
    if (strstr(e->text, died))
        return;
    if (n && e->text[n - 1] == '.')
        n--;
    snprintf(e->text + n, sizeof e->text - n, "%s%s", died, cause == CAUSE_DIED_OF_MEMORY ? ", most likely for want of memory" : "");
}

static void give_hint(const struct attempt *t, enum blame_cause cause, struct err *e)
{
    if (cause == CAUSE_NO_HANDLES)
        err_hint(e, "Give hob more open files (`ulimit -n`, `LimitNOFILE=`), or send fewer requests at a time.");
    else if (cause == CAUSE_RUSH)
        err_hint(e, "Many requests came at once while '%.*s' was loading: warm it first (`hob load %.*s`), or send fewer at a time.", STR_ARG(t->b->name),
            STR_ARG(t->b->name));
    else if (cause == CAUSE_DIED_OF_MEMORY && t->b->last_error.hint[0])
        err_hint(e, "%s", t->b->last_error.hint);
    if (cause == CAUSE_DIED || cause == CAUSE_DIED_OF_MEMORY)
        say_that_it_died(cause, e);
}

const struct blame_row *exchange_blame(struct exchange *x, const struct attempt *t, struct err *e)
{
    enum blame_where where = where_of(t);
    enum blame_cause cause = cause_of(x, t, where, e);
    const struct blame_row *r = blame_find(where, e->code, cause);
    give_hint(t, r->cause, e);
    e->code = r->code;
    e->fault = r->fault;
    return r;
}

void exchange_write_evidence(struct exchange *x, const struct attempt *t, const struct blame_row *r, const struct err *e)
{
    struct str none = STR("");
    blame_write(r, e, t ? t->b->name : none, t ? t->b->host : none, t ? t->status : 0, x->evidence, sizeof x->evidence);
}
