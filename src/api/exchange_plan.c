/* What the policies make of the request for one try: each puts its part of the plan here, when a place is about to be asked. A check that sends an attempt once
 * more changes the plan itself (attempt_check). */
#include "api/exchange_int.h"

static struct reword role_alone(const struct exchange *x)
{
    const struct conf_role *role = x->decision.by_role;
    return (struct reword){ .role = role && role->rewords ? role : NULL };
}

void exchange_take_role(struct exchange *x)
{
    struct reword w = role_alone(x);
    if (w.role && (x->ask.task == TASK_CHAT || x->ask.task == TASK_TEXT))
        x->ask.max_tokens = reword_max_tokens(&x->doc, &w);
}

void attempt_plan(struct attempt *t)
{
    const struct exchange *x = t->x;
    t->plan = role_alone(x);
    t->plan.max_tokens = x->is_copy ? shadow_budget(x) : 0;
    t->mends = t->thought_again = false;
    t->think = x->think;
    t->spent = (struct tokens){ 0 };
    attempt_plan_schema(t);
}

void exchange_put_instructions(struct exchange *x, struct json_out *o)
{
    const struct reword *plan = &x->lead->plan;
    if (!plan->role || !(reword_instructs(&x->doc, plan) || reword_tunes(&x->doc, plan))) {
        json_null(o);
        return;
    }
    struct buf text = { 0 };
    buf_printf(&text, "role:%.*s", STR_ARG(plan->role->name));
    json_string(o, buf_str(&text));
    buf_free(&text);
}
