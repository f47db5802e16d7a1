#include "admin/callers.h"

#include "admin/requests.h"
#include "api/deprecation.h"
#include "conf/conf.h"
#include "json/json.h"

#include <stdlib.h>

/* ---- summing ---- */

static struct use *find(struct uses *u, struct str name, struct str caller)
{
    for (size_t i = 0; i < u->n; i++)
        if (str_eq(u->at[i].name, name) && str_eq(u->at[i].caller, caller))
            return &u->at[i];
    if (u->n == u->room) {
        u->room = u->room ? 2 * u->room : 32;
        u->at = realloc(u->at, u->room * sizeof *u->at);
        if (!u->at)
            die("out of memory for who asks for what");
    }
    struct use *x = &u->at[u->n++];
    *x = (struct use){ .name = arena_copy(&u->arena, name), .caller = arena_copy(&u->arena, caller) };
    return x;
}

void uses_add(void *uses, const struct request_sum *r)
{
    struct use *x = find(uses, r->asked, r->caller);
    x->requests += r->requests;
    x->faults += r->faults;
    x->last_ms = r->last_ms > x->last_ms ? r->last_ms : x->last_ms;
}

void uses_free(struct uses *u)
{
    free(u->at);
    arena_fini(&u->arena);
}

/* ---- telling ---- */

struct told {
    const struct use *use;
    const char *kind;                /* NULL: it is in the configuration no more, or none was named */
    struct deprecation leaving;
};

static const char *kind_of(const struct config *c, struct str name)
{
    const struct conf_model *m = conf_model(c, name);
    struct str role;
    if (m)
        return str_eq(m->name, name) ? "model" : "alias";
    if (route_is_auto(name))
        return "auto";
    if (!conf_meant(c, name, &role))
        return NULL;
    return str_eq(role, name) ? "role" : "tier";
}

static void look_up(const struct config *c, struct told *t)
{
    struct str name = t->use->name;
    for (size_t i = 0; i < c->naliases; i++)
        if (str_eq(c->aliases[i].name, name)) {
            t->kind = "alias";
            t->leaving = deprecation_of_alias(&c->aliases[i]);
            return;
        }
    const struct conf_model *m = conf_model(c, name);
    t->kind = name.n ? kind_of(c, name) : NULL;
    if (m)
        t->leaving = deprecation_of_model(m);
}

static int order_of(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int by_need(const void *a, const void *b)
{
    const struct told *x = a, *y = b;
    if (!x->leaving.until.n != !y->leaving.until.n)
        return x->leaving.until.n ? -1 : 1;
    int order = order_of(x->use->name, y->use->name);
    return order ? order : (x->use->requests < y->use->requests) - (x->use->requests > y->use->requests);
}

static void put_text(struct json_out *o, const char *key, struct str text)
{
    json_key(o, str_of(key));
    json_string_or_null(o, text);
}

static void put_count(struct json_out *o, const char *key, int64_t n)
{
    json_key(o, str_of(key));
    json_int(o, n);
}

static void put_told(struct json_out *o, const struct told *t)
{
    json_begin_object(o);
    put_text(o, "name", t->use->name);
    put_text(o, "kind", str_of(t->kind));
    put_text(o, "caller", t->use->caller);
    put_count(o, "requests", t->use->requests);
    put_count(o, "faults", t->use->faults);
    view_time(o, "last", t->use->last_ms);
    put_text(o, "deprecated_until", t->leaving.until);
    put_text(o, "successor", t->leaving.successor);
    json_end_object(o);
}

void view_uses(struct uses *u, const struct config *c, int64_t since_ms, int64_t until_ms, struct buf *out)
{
    struct told *told = arena_array(&u->arena, struct told, u->n + 1);
    struct json_out o = json_out(out);
    for (size_t i = 0; i < u->n; i++) {
        told[i] = (struct told){ .use = &u->at[i] };
        look_up(c, &told[i]);
    }
    qsort(told, u->n, sizeof *told, by_need);
    json_begin_object(&o);
    put_count(&o, "schema", 1);
    view_time(&o, "since", since_ms);
    view_time(&o, "until", until_ms);
    json_key(&o, STR("names"));
    json_begin_array(&o);
    for (size_t i = 0; i < u->n; i++)
        put_told(&o, &told[i]);
    json_end_array(&o);
    json_end_object(&o);
}
