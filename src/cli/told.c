#include "cli/told.h"

#include "base/clock.h"
#include "conf/conf.h"
#include "evidence/hook.h"
#include "store/served.h"

#include <stdio.h>
#include <stdlib.h>

struct told {
    struct store *store;
    struct hook *hook;
};

struct told *told_new(struct loop *l, struct store *st)
{
    struct told *t = calloc(1, sizeof *t);
    if (!t)
        die("out of memory for who is told");
    t->store = st;
    t->hook = hook_new(l);
    return t;
}

void told_free(struct told *t)
{
    if (t)
        hook_free(t->hook);
    free(t);
}

/* A role that leads to a tier is served by the tier's model. Roles, then tiers whose name no role has. */
static void note(struct told *t, const struct config *c, int64_t swap, struct str why)
{
    struct served_name *all = calloc(c->nroles + c->ntiers + 1, sizeof *all);
    size_t n = 0;
    if (!all)
        die("out of memory for who serves what");
    for (size_t i = 0; i < c->nroles + c->ntiers; i++) {
        struct str unused, name = i < c->nroles ? c->roles[i].name : c->tiers[i - c->nroles].name;
        const struct conf_model *m = conf_meant(c, name, &unused);
        size_t k = 0;
        while (k < n && !str_eq(all[k].role, name))
            k++;
        if (m && k == n)
            all[n++] = (struct served_name){ name, m->name };
    }
    served_note(t->store, all, n, clock_wall_ms(), swap, why);
    free(all);
}

void told_config(struct told *t, const struct config *now)
{
    hook_use(t->hook, now->notify_url);
    note(t, now, 0, STR("configuration"));
}

void told_step(struct told *t, const struct config *now, const struct swap *s, enum swap_step step, struct str role, struct str why)
{
    char text[200];
    snprintf(text, sizeof text, "%s%s%.*s", swap_step_name[step], why.n ? ": " : "", why.n < 160 ? (int)why.n : 160, why.n ? why.p : "");
    note(t, now, s->id, str_of(text));
    hook_tell(t->hook, s, step, role, why, clock_wall_ms());
}
