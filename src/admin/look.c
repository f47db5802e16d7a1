/* What is read of the store for who asks: on the pool, through a connection of its own, so that neither the loop nor the writer waits for it. */
#include "admin/admin_int.h"

#include "conf/conf.h"

#include <stdlib.h>
#include <time.h>

static void begin(struct admin_look *l)
{
    l->out = json_out(&l->body);
    if (l->bare)
        return;
    json_begin_object(&l->out);
    json_key(&l->out, STR("schema"));
    json_int(&l->out, 1);
}

static void look(void *ctx)
{
    struct admin_look *l = ctx;
    struct store *s = NULL;
    begin(l);
    l->rc = store_open_to_read(l->config->state, &s, &l->e);
    if (!l->rc)
        l->rc = l->fn(l, s);
    if (!l->bare)
        json_end_object(&l->out);
    store_close(s);
}

static void look_free(struct admin_look *l)
{
    buf_free(&l->body);
    conf_free(l->config);
    arena_fini(&l->arena);
    free(l);
}

static void looked(void *ctx)
{
    struct admin_look *l = ctx;
    if (l->r)
        admin_answer(l->r, buf_str(&l->body), l->rc ? &l->e : NULL);
    look_free(l);
}

static void gone(void *ctx)
{
    struct admin_look *l = ctx;
    l->r = NULL; /* the pool still has it */
}

static const struct http_req_ops ops = { .on_gone = gone };

struct admin_look *admin_look_new(struct admin *a, struct http_req *r, admin_look_fn *fn)
{
    struct admin_look *l = calloc(1, sizeof *l);
    if (!l)
        die("out of memory for a look at the store");
    arena_init(&l->arena);
    l->r = r;
    l->fn = fn;
    l->config = conf_hold(world_config(fleet_world(a->fleet)));
    return l;
}

void admin_look_go(struct admin *a, struct admin_look *l)
{
    http_req_watch(l->r, &ops, l);
    work_init(&l->work, look, looked, l);
    loop_work(a->loop, &l->work);
}

void admin_look_refuse(struct admin_look *l, const struct err *e)
{
    admin_refuse(l->r, e);
    look_free(l);
}

struct str admin_query_text(struct admin_look *l, const char *name)
{
    struct str query = http_req_query(l->r), value, rest, found = STR("");
    for (; query.n; query = rest)
        if (str_eq(str_cut(str_cut(query, '&', &rest), '=', &value), str_of(name))) {
            struct buf text = { 0 };
            http_percent_decode(&text, value);
            found = arena_copy(&l->arena, buf_str(&text));
            buf_free(&text);
        }
    return found;
}

void admin_put_text(struct json_out *o, const char *key, struct str text)
{
    json_key(o, str_of(key));
    json_string_or_null(o, text);
}

void admin_put_when(struct json_out *o, const char *key, int64_t wall_ms)
{
    char text[40] = "";
    struct tm tm;
    time_t t = (time_t)(wall_ms / 1000);
    if (wall_ms && gmtime_r(&t, &tm))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    admin_put_text(o, key, str_of(text));
}
