/* A request's way along the candidates of its decision, in order, until one of them has answered. Until the answer's first content a failure moves to the
 * next candidate; after it, it is the end. */
#include "api/exchange_int.h"

/* A part of the answer has gone to the caller. */
static bool has_left(const struct exchange *x)
{
    return x->lead->way == WAY_RELAY && attempt_facts(x->lead)->began;
}

void exchange_try_failed(struct attempt *t, const struct err *e)
{
    struct exchange *x = t->x;
    struct err why = *e; /* it may lie in what is let go of now */
    bool next = err_row(why.code)->failover && !has_left(x) && t->at + 1 < x->decision.n;
    attempt_drop(t);
    x->tried[x->ntried++] = (struct tried){ t->b->name, t->b->host, why.code };
    if (!next) {
        exchange_fail(x, &why);
        return;
    }
    log_info("%s: %.*s failed, trying the next: %s", x->id, STR_ARG(t->b->name), why.text);
    attempt_start(t, t->at + 1); /* recursion: at most the chain's length deep */
}

void exchange_walk(struct exchange *x)
{
    exchange_enter(x, X_TRYING);
    attempt_start(x->lead, 0);
}
