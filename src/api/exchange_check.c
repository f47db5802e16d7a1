/* A place has said all it will: is it what was promised? One check after the other; the first that is not content decides. The checks themselves are in
 * files of their own; what they ask is in policy/. */
#include "api/exchange_int.h"

static enum checked (*const checks[])(struct attempt *t, struct err *e) = {
    attempt_check_context, /* what was made of half a prompt need not be looked at */
    attempt_check_thoughts,
    attempt_check_tools, /* before what looks at the content: calls may have stood there */
    attempt_check_schema,
    NULL, /* the list's end */
};

enum checked attempt_check(struct attempt *t, struct err *e)
{
    enum checked result = CHECKED_GOOD;
    for (size_t i = 0; result == CHECKED_GOOD && checks[i]; i++)
        result = checks[i](t, e);
    return result;
}

/* ---- what is not what was promised ---- */

static bool may_mend(const struct attempt *t)
{
    return !t->mends && !attempt_has_left(t) && exchange_left_ms(t->x);
}

static int64_t sum(int64_t a, int64_t b)
{
    return a < 0 || b < 0 ? -1 : a + b;
}

struct tokens attempt_used(const struct attempt *t)
{
    struct tokens n = attempt_facts(t)->tokens;
    bool mended = t->spent.input || t->spent.output;
    if (mended && n.output < 0 && !attempt_facts(t)->began) /* of the next nothing is known yet */
        return t->spent;
    n.output = facts_output(attempt_facts(t));
    return (struct tokens){ sum(n.input, t->spent.input), sum(n.output, t->spent.output), sum(n.reasoning, t->spent.reasoning), sum(n.cached, t->spent.cached) };
}

/* Nobody else: who would ask three models to answer one request wants to have said so. */
static void ask_nobody_else(struct exchange *x)
{
    x->next = x->decision.n;
    x->sleeper = SIZE_MAX;
}

void attempt_show(struct attempt *t, struct str draft, struct str remark)
{
    t->unmet.n = 0;
    buf_add(&t->unmet, draft);
    buf_add(&t->unmet, remark);
    t->plan.draft = str_make(t->unmet.p, draft.n);
    t->plan.remark = str_from(buf_str(&t->unmet), draft.n);
}

void attempt_hint_cut(const struct attempt *t, struct err *e)
{
    if (!t->x->ask.max_tokens) {
        err_hint(e, "The model's `max_tokens` or `context` is too small for it.");
        return;
    }
    err_param(e, "max_tokens");
    err_hint(e, "It may have %lld tokens (`max_tokens`): allow more, or leave that out.", (long long)t->x->ask.max_tokens);
}

enum checked attempt_unmet(struct attempt *t, struct str draft, struct str remark, const struct err *e)
{
    if (!may_mend(t)) {
        if (t->x->policy.schema_escalate != TRI_YES)
            ask_nobody_else(t->x);
        return CHECKED_BAD;
    }
    log_info("%s: %.*s is asked to mend its answer: %s", t->x->id, STR_ARG(t->b->name), err_row(e->code)->code); /* more would cite it */
    t->mends = true;
    t->spent = attempt_used(t);
    attempt_show(t, draft, remark);
    return CHECKED_AGAIN;
}
