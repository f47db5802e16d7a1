/* Conditions of rules that have a form of their own. Which names they may speak of is check.c's. */
#include "conf/conf_int.h"
#include "conf/window.h"

static struct str positive(struct str word)
{
    return word.n && word.p[0] == '!' ? str_trim(str_from(word, 1)) : word;
}

static enum err_code check_times(struct reading *r, const struct conf_route *route)
{
    struct window w;
    for (size_t i = 0; i < route->time.n; i++)
        if (!window_read(positive(route->time.at[i]), &w)) {
            fail_at(r->name, said_where(r->c, &route->time.at[i]), r->e, "%s is no time", show_text(route->time.at[i]).text);
            return err_hint(r->e, "write hours, days, or both: 22:00-06:00, mon-fri, sat,sun 08:00-12:00 (in quotes)");
        }
    return ERR_OK;
}

static enum err_code check_classes(struct reading *r, const struct conf_route *route)
{
    static const struct str classes[] = { STR("chat"), STR("program"), STR("background") };
    for (size_t i = 0; i < route->class.n; i++) {
        size_t k = 0;
        while (k < COUNTOF(classes) && !str_eq_nocase(positive(route->class.at[i]), classes[k]))
            k++;
        if (k == COUNTOF(classes)) {
            fail_at(r->name, said_where(r->c, &route->class.at[i]), r->e, "%s is no class of callers", show_text(route->class.at[i]).text);
            return err_hint(r->e, "they are chat, program and background");
        }
    }
    return ERR_OK;
}

enum err_code check_rules(struct reading *r)
{
    enum err_code rc = ERR_OK;
    for (size_t i = 0; !rc && i < r->c->nroutes; i++) {
        rc = check_times(r, &r->c->routes[i]);
        if (!rc)
            rc = check_classes(r, &r->c->routes[i]);
    }
    return rc;
}
