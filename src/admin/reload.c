/* POST /hob/v1/config/reload: the request that waits for the gateway to take over its configuration, and what has changed then, as one object and in a
 * sentence. */
#include "admin/admin_int.h"

#include "json/json.h"

#include <stdlib.h>

enum { NAMES_IN_A_SENTENCE = 4 };

/* ---- what has changed ---- */

static struct str model_name(const struct config *now, const struct conf_diff *d, enum conf_change change, size_t *cursor, struct str *cause)
{
    for (; *cursor < d->nmodels; ++*cursor)
        if (d->models[*cursor].change == change) {
            *cause = d->models[*cursor].cause;
            return now->models[(*cursor)++].name;
        }
    return (struct str){ NULL, 0 };
}

static size_t count(const struct conf_diff *d, enum conf_change change)
{
    size_t n = 0;
    for (size_t i = 0; i < d->nmodels; i++)
        n += d->models[i].change == change;
    return n;
}

static void put_models(struct json_out *o, const char *key, const struct config *now, const struct conf_diff *d, enum conf_change change)
{
    size_t cursor = 0;
    struct str cause;
    json_key(o, str_of(key));
    json_begin_array(o);
    for (struct str name; (name = model_name(now, d, change, &cursor, &cause)).p;) {
        if (change != CONF_RESTART) {
            json_string(o, name);
            continue;
        }
        json_begin_object(o);
        json_key(o, STR("model"));
        json_string(o, name);
        json_key(o, STR("because"));
        json_string(o, cause);
        json_end_object(o);
    }
    json_end_array(o);
}

static void put_list(struct json_out *o, const char *key, const struct conf_strs *names)
{
    json_key(o, str_of(key));
    json_begin_array(o);
    for (size_t i = 0; i < names->n; i++)
        json_string(o, names->at[i]);
    json_end_array(o);
}

/* "a, b, c, d and 3 more" */
static void say_name(struct buf *out, size_t nth, size_t n, struct str name)
{
    if (nth < NAMES_IN_A_SENTENCE)
        buf_printf(out, "%s%.*s", nth ? ", " : " ", STR_ARG(name));
    else if (nth == NAMES_IN_A_SENTENCE)
        buf_printf(out, " and %zu more", n - nth);
}

static void say_models(struct buf *out, const struct config *now, const struct conf_diff *d, enum conf_change change, const char *words)
{
    size_t n = count(d, change), cursor = 0;
    struct str cause;
    if (n)
        buf_printf(out, "; %s", words);
    for (size_t i = 0; i < n; i++)
        say_name(out, i, n, model_name(now, d, change, &cursor, &cause));
}

static void say_list(struct buf *out, const struct conf_strs *names, const char *words)
{
    if (names->n)
        buf_printf(out, "; %s", words);
    for (size_t i = 0; i < names->n; i++)
        say_name(out, i, names->n, names->at[i]);
}

void reload_sentence(const struct config *now, const struct conf_diff *d, struct buf *out)
{
    size_t kept = count(d, CONF_SAME);
    buf_add(out, now->path.n ? now->path : STR("what the models folder holds"));
    if (kept == d->nmodels && !d->removed.n && !d->changed.n) {
        buf_lit(out, " is in force: nothing has changed");
        return;
    }
    buf_printf(out, " is in force: %zu model%s kept", kept, kept == 1 ? "" : "s");
    say_models(out, now, d, CONF_RESTART, "starting anew:");
    say_models(out, now, d, CONF_ADDED, "added:");
    say_list(out, &d->removed, "removed:");
    say_list(out, &d->changed, "changed:");
    say_list(out, &d->restart, "only when hob is started anew:");
}

void view_reload(const struct config *now, const struct conf_diff *d, struct buf *out)
{
    struct json_out o = json_out(out);
    struct buf sentence = { 0 };
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("file"));
    json_string_or_null(&o, now->path);
    put_models(&o, "kept", now, d, CONF_SAME);
    put_models(&o, "restarted", now, d, CONF_RESTART);
    put_models(&o, "added", now, d, CONF_ADDED);
    put_list(&o, "removed", &d->removed);
    put_list(&o, "changed", &d->changed);
    put_list(&o, "needs_restart", &d->restart);
    reload_sentence(now, d, &sentence);
    json_key(&o, STR("summary"));
    json_string(&o, buf_str(&sentence));
    json_end_object(&o);
    buf_free(&sentence);
}

/* ---- the request ---- */

struct waiting {
    struct reload_wish wish;
    struct http_req *r;
};

static void done(void *ctx, struct str json, const struct err *e)
{
    struct waiting *w = ctx;
    admin_answer(w->r, json, e);
    free(w);
}

static void gone(void *ctx)
{
    struct waiting *w = ctx;
    list_remove(&w->wish.node);
    free(w);
}

/* Another gateway is asked anew. */
static bool pass(void *ctx)
{
    gone(ctx);
    return true;
}

static const struct http_req_ops ops = { .on_gone = gone, .on_pass = pass };

void admin_reload(struct admin *a, struct http_req *r)
{
    struct waiting *w = calloc(1, sizeof *w);
    if (!w)
        die("out of memory for a reload");
    *w = (struct waiting){ .wish = { .on_done = done, .ctx = w }, .r = r };
    list_init(&w->wish.node);
    http_req_watch(r, &ops, w);
    a->reload(a->reload_ctx, &w->wish);
}
