/* Command lines and environments of children. */
#include "backend/launch.h"

#include "base/err.h"
#include "proc/env.h"
#include "proc/sweep.h"

#include <stdio.h>

extern char **environ;

void launch_init(struct launch *c)
{
    arena_init(&c->arena);
    c->nargv = c->nenv = 0;
    fence_init(&c->fence, &c->arena, STR(""));
}

void launch_free(struct launch *c)
{
    arena_fini(&c->arena);
    c->nargv = c->nenv = 0;
}

void launch_add(struct launch *c, struct str word)
{
    if (c->nargv == LAUNCH_MAX_WORDS)
        die("more than %d words for a child", LAUNCH_MAX_WORDS); /* the configuration bounds the user's */
    c->argv[c->nargv++] = word;
}

void launch_add_pair(struct launch *c, const char *flag, struct str value)
{
    launch_add(c, str_of(flag));
    launch_add(c, value);
}

void launch_add_number(struct launch *c, const char *flag, int64_t v)
{
    launch_add_pair(c, flag, arena_printf(&c->arena, "%lld", (long long)v));
}

void launch_pass_env(struct launch *c, struct str run_dir)
{
    /* Whatever this child may start carries it too: how the next start finds what outlived a killed keeper (proc/sweep.h). */
    c->env[c->nenv++] = arena_printf(&c->arena, "%s=%.*s", SWEEP_VARIABLE, STR_ARG(run_dir));
    for (char **v = environ; *v; v++)
        if (env_is_passed_on(str_of(*v)) && c->nenv < LAUNCH_MAX_PASSED)
            c->env[c->nenv++] = str_of(*v);
}

void launch_set_env(struct launch *c, struct str name_value)
{
    struct str rest, name = str_cut(name_value, '=', &rest);
    for (size_t i = 0; i < c->nenv; i++)
        if (str_eq(str_cut(c->env[i], '=', &rest), name)) {
            c->env[i] = name_value;
            return;
        }
    if (c->nenv == LAUNCH_MAX_ENV)
        die("more than %d variables for a child", LAUNCH_MAX_ENV); /* the configuration bounds the user's */
    c->env[c->nenv++] = name_value;
}
