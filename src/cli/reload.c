#include "cli/reload.h"

#include "cli/assume.h"
#include "conf/diff.h"
#include "conf/overlay.h"
#include "net/addr.h"

#include <stdlib.h>

struct reload {
    struct loop *loop;
    const struct cli_args *args;
    struct fleet *fleet;
    reload_change_fn *on_change;
    reload_overlay_fn *overlay; /* NULL: nothing */
    void *ctx;
    struct list next, now;      /* who waits: for the run to come, for the one under way */
    bool again, stopped, held;
    struct work work;
    enum err_code rc;           /* of the work, with: */
    struct config *config;
    struct keys *keys;
    struct err e;
};

static void take_all(struct list *to, struct list *from)
{
    while (!list_empty(from)) {
        struct list *node = from->next;
        list_remove(node);
        list_push(to, node);
    }
}

static void answer(struct reload *r, struct str json, const struct err *e)
{
    while (!list_empty(&r->now)) {
        struct reload_wish *w = list_entry(r->now.next, struct reload_wish, node);
        list_remove(&w->node);
        w->on_done(w->ctx, json, e);
    }
}

static void start(struct reload *r)
{
    r->again = false;
    take_all(&r->now, &r->next);
    loop_work(r->loop, &r->work);
}

/* On the pool: model files' headers are read where there is no configuration file. */
static void read_config(void *ctx)
{
    struct reload *r = ctx;
    r->config = NULL;
    r->keys = NULL;
    r->rc = cli_read_models(r->args, &r->config, &r->e);
    if (!r->rc)
        r->rc = keys_new(r->config, &r->keys, &r->e);
}

/* Without keys only this machine may be served, and the address stays what it is. */
static enum err_code check_door(struct reload *r)
{
    const struct config *was = world_config(fleet_world(r->fleet));
    struct addr at;
    if (r->config->nkeys || addr_parse(was->listen, &at, &r->e) || addr_is_loopback(&at))
        return ERR_OK;
    err_set(&r->e, ERR_CONFIG, "hob listens on %.*s, and there is no key any more", STR_ARG(was->listen));
    return err_hint(&r->e, "keep one under 'keys:', or start hob anew with a loopback address in 'listen:'");
}

/* A file without a word is what an editor has just begun to write: nobody stops all that is served like that. */
static enum err_code check_said(struct reload *r)
{
    const struct config *c = r->config;
    if (!c->path.n || str_trim(c->text.hidden).n)
        return ERR_OK;
    err_set(&r->e, ERR_CONFIG, "%.*s is empty", STR_ARG(c->path));
    return err_hint(&r->e, "save it again; who wants nothing to be served writes `{}` into it");
}

static void refuse(struct reload *r, const struct err *e)
{
    log_error("the configuration stays as it was: %s%s %s", e->text, err_stop(e), e->hint);
    answer(r, STR(""), e);
}

/* What only a new start can change stays what it is, so that the next reload says it again. */
static void keep_what_needs_a_restart(struct config *c, const struct config *was)
{
    c->listen = arena_copy(&c->arena, was->listen);
    c->state = arena_copy(&c->arena, was->state);
}

static const struct config *laid_over(const struct reload *r, const struct config *read)
{
    return r->overlay ? r->overlay(r->ctx, read) : conf_hold(read);
}

static void apply(struct reload *r, const struct config *c, const struct conf_diff *d)
{
    fleet_apply(r->fleet, conf_hold(c), d);
    r->on_change(r->ctx, c, r->keys);
    r->keys = NULL;
}

/* What has changed, in a sentence for the log and in JSON. */
static void tell(const struct config *c, const struct conf_diff *d, struct buf *json)
{
    struct buf text = { 0 };
    reload_sentence(c, d, &text);
    log_info("%.*s", STR_ARG(buf_str(&text)));
    view_reload(c, d, json);
    buf_free(&text);
}

static void take(struct reload *r, struct config *read)
{
    const struct config *was = conf_hold(world_config(fleet_world(r->fleet))), *wanted = laid_over(r, read);
    struct conf_diff d;
    struct arena a;
    struct buf json = { 0 };
    arena_init(&a);
    conf_diff(was, wanted, &a, &d);
    keep_what_needs_a_restart(read, was);
    log_set_level(read->log);
    const struct config *c = laid_over(r, read); /* with what was kept */
    tell(c, &d, &json);
    apply(r, c, &d);
    answer(r, buf_str(&json), NULL);
    buf_free(&json);
    arena_fini(&a);
    conf_free(was);
    conf_free(wanted);
    conf_free(c);
    conf_free(read);
}

void reload_flip(struct reload *r)
{
    const struct config *was = conf_hold(world_config(fleet_world(r->fleet))), *c = laid_over(r, conf_as_read(was));
    struct conf_diff d;
    struct arena a;
    arena_init(&a);
    conf_diff(was, c, &a, &d);
    if (!r->stopped)
        apply(r, c, &d);
    arena_fini(&a);
    conf_free(was);
    conf_free(c);
}

static void refuse_read(struct reload *r)
{
    refuse(r, &r->e);
    conf_free(r->config);
}

static void was_read(void *ctx)
{
    struct reload *r = ctx;
    if (r->stopped)
        conf_free(r->config); /* nobody is left to be told: what there was may be gone */
    else if (r->rc || (r->rc = check_said(r)) || (r->rc = check_door(r)))
        refuse_read(r);
    else
        take(r, r->config);
    keys_free(r->keys);
    r->config = NULL;
    r->keys = NULL;
    if (r->again && !r->held)
        start(r);
}

static const struct err *say_stopped(struct err *e)
{
    err_set(e, ERR_SHUTTING_DOWN, "The gateway is shutting down.");
    return e;
}

void reload_ask(struct reload *r, struct reload_wish *w)
{
    if (r->stopped) {
        struct err e;
        if (w)
            w->on_done(w->ctx, STR(""), say_stopped(&e));
        return;
    }
    if (w) {
        list_remove(&w->node); /* asked again before it was served: it is for the later one */
        list_push(&r->next, &w->node);
    }
    r->again = true;
    if (!r->work.running && !r->held)
        start(r);
}

bool reload_runs(const struct reload *r)
{
    return r->work.running;
}

bool reload_waits(const struct reload *r)
{
    return r->again;
}

void reload_hold(struct reload *r, bool on)
{
    r->held = on;
    if (!on && r->again && !r->work.running)
        start(r);
}

void reload_stop(struct reload *r)
{
    struct err e;
    r->stopped = true;
    r->again = false;
    take_all(&r->now, &r->next);
    answer(r, STR(""), say_stopped(&e));
}

struct reload *reload_new(struct loop *l, const struct cli_args *a, struct fleet *f, reload_change_fn *on_change, void *ctx)
{
    struct reload *r = calloc(1, sizeof *r);
    if (!r)
        die("out of memory for the reload");
    r->loop = l;
    r->args = a;
    r->fleet = f;
    r->on_change = on_change;
    r->ctx = ctx;
    list_init(&r->next);
    list_init(&r->now);
    work_init(&r->work, read_config, was_read, r);
    return r;
}

void reload_use_overlay(struct reload *r, reload_overlay_fn *overlay)
{
    r->overlay = overlay;
}

void reload_free(struct reload *r)
{
    free(r);
}
