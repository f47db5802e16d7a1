#include "evidence/swaps_int.h"

#include "base/clock.h"
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>

enum { AGAIN_MS = 1000 };

/* ---- the list ---- */

static struct kept *kept_new(void)
{
    struct kept *k = calloc(1, sizeof *k);
    if (!k)
        die("out of memory for a swap");
    list_init(&k->node);
    swap_init(&k->swap);
    return k;
}

static void kept_free(struct kept *k)
{
    if (!k)
        return;
    list_remove(&k->node);
    kept_runs_free(k);
    swap_fini(&k->swap);
    free(k);
}

static struct kept *find(const struct swaps *s, int64_t id)
{
    for (struct list *at = s->kept.next; at != &s->kept; at = at->next) {
        struct kept *k = list_entry(at, struct kept, node);
        if (k->swap.id == id)
            return k;
    }
    return NULL;
}

size_t swaps_count(const struct swaps *s)
{
    return s->n;
}

bool swaps_are_known(const struct swaps *s)
{
    return s->loaded;
}

void swaps_refresh(struct swaps *s)
{
    for (struct list *at = s->kept.next; at != &s->kept; at = at->next)
        trials_refresh(list_entry(at, struct kept, node));
}

const struct swap *swaps_at(const struct swaps *s, size_t i)
{
    struct list *at = s->kept.next;
    while (at != &s->kept && i--)
        at = at->next;
    return at == &s->kept ? NULL : &list_entry(at, struct kept, node)->swap;
}

const struct swap *swaps_find(const struct swaps *s, int64_t id)
{
    struct kept *k = find(s, id);
    return k ? &k->swap : NULL;
}

/* ---- what holds ---- */

/* Of several with one name the one that began last: it has taken over from the others. */
static void add_shift(struct conf_shift *all, int64_t *begun, size_t *n, size_t room, const struct conf_shift *shift, int64_t from_ms)
{
    size_t at = 0;
    while (at < *n && !str_eq(all[at].name, shift->name))
        at++;
    if (at == room || (at < *n && begun[at] > from_ms))
        return;
    *n = at < *n ? *n : at + 1;
    all[at] = *shift;
    begun[at] = from_ms;
}

const struct config *swaps_overlay(struct swaps *s, const struct config *base)
{
    enum { MOST = 512 };
    struct arena a;
    arena_init(&a);
    struct conf_shift *all = arena_array(&a, struct conf_shift, MOST);
    int64_t *begun = arena_array(&a, int64_t, MOST);
    size_t n = 0;
    for (struct list *at = s->kept.next; at != &s->kept; at = at->next) {
        const struct swap *w = &list_entry(at, struct kept, node)->swap;
        struct conf_shift *one = swap_is_on(w) ? arena_array(&a, struct conf_shift, w->nroles) : NULL;
        size_t mine = one ? swap_shifts(w, &a, one) : 0;
        for (size_t i = 0; i < mine; i++)
            add_shift(all, begun, &n, MOST, &one[i], w->from_ms);
    }
    const struct config *c = conf_overlay(base, all, n);
    arena_fini(&a);
    return c;
}

size_t swaps_shadows(const struct swaps *s, struct swaps_shadow *out, size_t room)
{
    size_t n = 0;
    for (struct list *at = s->kept.next; at != &s->kept; at = at->next) {
        const struct swap *w = &list_entry(at, struct kept, node)->swap;
        for (size_t i = 0; i < w->nroles && n < room; i++)
            if (w->roles[i].state == SWAP_SHADOW)
                out[n++] = (struct swaps_shadow){ w, &w->roles[i] };
    }
    return n;
}

static void tell_shadows(struct swaps *s)
{
    if (s->ops->shadow)
        s->ops->shadow(s->ctx);
}

/* ---- a plan ---- */

static const struct conf_model *serving(const struct config *c, struct str name)
{
    struct str role;
    for (size_t i = 0; i < c->nroles; i++)
        if (str_eq(c->roles[i].name, name))
            return conf_meant(c, name, &role);
    for (size_t i = 0; i < c->ntiers; i++)
        if (str_eq(c->tiers[i].name, name))
            return conf_meant(c, name, &role);
    return NULL;
}

const struct conf_model *swaps_serving(struct swaps *s, struct str name)
{
    return serving(s->ops->config(s->ctx), name);
}

void swaps_place_of(struct swaps *s, struct str model, struct swaps_place *out)
{
    *out = (struct swaps_place){ .expected_bytes = -1 };
    if (s->ops->place)
        s->ops->place(s->ctx, model, out);
}

static enum err_code no_such_role(const struct config *c, struct str name, struct err *e)
{
    struct str near = { NULL, 0 }, names[64];
    size_t n = 0;
    for (size_t i = 0; i < c->nroles && n < COUNTOF(names); i++)
        names[n++] = c->roles[i].name;
    for (size_t i = 0; i < c->ntiers && n < COUNTOF(names); i++)
        names[n++] = c->tiers[i].name;
    near = str_nearest(name, names, n);
    err_set(e, ERR_NOT_FOUND, "There is no role or tier '%.*s'.", name.n < 80 ? (int)name.n : 80, name.p ? name.p : "");
    return near.n ? err_hint(e, "Did you mean '%.*s'?", STR_ARG(near)) : err_hint(e, "`hob models` lists them.");
}

enum err_code swaps_no_such_role(struct swaps *s, struct str name, struct err *e)
{
    return no_such_role(s->ops->config(s->ctx), name, e);
}

static enum err_code plan_role(const struct config *c, struct swap *s, struct str name, struct str to, struct err *e)
{
    const struct conf_model *is = serving(c, name), *said = serving(conf_as_read(c), name), *next = conf_model(c, to);
    if (!is || !said)
        return no_such_role(c, name, e);
    if (!next) {
        err_set(e, ERR_MODEL_NOT_FOUND, "There is no model '%.*s' in the configuration.", to.n < 80 ? (int)to.n : 80, to.p ? to.p : "");
        return err_hint(e, "Add it under `models:` in hob.yaml, then `hob config reload`.");
    }
    if (is == next)
        return err_set(e, ERR_INVALID_REQUEST, "'%.*s' is served by '%.*s' already.", STR_ARG(name), STR_ARG(next->name));
    if (is->serves & ~next->serves)
        return err_set(e, ERR_INVALID_REQUEST, "'%.*s' serves another kind of request than '%.*s', which it would replace.", STR_ARG(next->name), STR_ARG(is->name));
    if (swap_role(s, name))
        return err_set(e, ERR_INVALID_REQUEST, "'%.*s' is named twice.", STR_ARG(name));
    struct swap_role *r = swap_add(s);
    if (!r)
        return err_set(e, ERR_INVALID_REQUEST, "A swap moves at most %d roles.", SWAP_MAX_ROLES);
    *r = (struct swap_role){
        .name = arena_copy(&s->arena, name), .from = arena_copy(&s->arena, is->name), .said = arena_copy(&s->arena, said->name), .to = arena_copy(&s->arena, next->name),
        .state = SWAP_PLANNED,
    };
    return ERR_OK;
}

static enum err_code plan(struct swaps *s, const struct swaps_plan *p, struct swap *out, struct err *e)
{
    const struct config *c = s->ops->config(s->ctx);
    enum err_code rc = p->nroles || p->engine.name.n ? ERR_OK : err_set(e, ERR_INVALID_REQUEST, "A swap names at least one role: {\"role\": …, \"to\": …}.");
    if (!rc && p->engine.name.n)
        rc = swaps_plan_engine(s, p, out, e);
    for (size_t i = 0; i < p->nroles && !rc; i++)
        rc = plan_role(c, out, p->roles[i].name, p->roles[i].to, e);
    out->made_ms = clock_wall_ms();
    out->window_ms = p->window_ms;
    out->share = p->share;
    out->alert_only = p->alert_only;
    out->preflight = arena_copy(&out->arena, p->preflight);
    out->why = arena_copy(&out->arena, p->why);
    out->state = p->refused ? SWAP_REFUSED : SWAP_PLANNED;
    for (size_t i = 0; i < out->nroles && p->refused; i++)
        out->roles[i].state = SWAP_REFUSED;
    return rc;
}

/* ---- what others have to do with it ---- */

/* At its start: the role is still whose place is to be taken, and no other trial has it. */
static enum err_code check_start(struct swaps *s, const struct swap *w, const struct swap_wish *wish, struct err *e)
{
    const struct config *c = s->ops->config(s->ctx);
    for (size_t i = 0; i < w->nroles; i++) {
        const struct swap_role *r = &w->roles[i];
        const struct conf_model *is = w->engine.name.n ? conf_model(c, r->name) : serving(c, r->name);
        if (wish->role.n && !str_eq(wish->role, r->name))
            continue;
        for (struct list *at = s->kept.next; at != &s->kept; at = at->next) {
            struct swap *other = &list_entry(at, struct kept, node)->swap;
            const struct swap_role *theirs = other->id == w->id ? NULL : swap_role(other, r->name);
            if (theirs && theirs->state == SWAP_TRIAL) {
                err_set(e, ERR_WRONG_STATE, "'%.*s' is on trial in swap %lld.", STR_ARG(r->name), (long long)other->id);
                return err_hint(e, "Promote that, or roll it back, first.");
            }
        }
        enum err_code rc = w->engine.name.n ? swaps_check_build(c, w, r, e) : ERR_OK;
        if (rc)
            return rc;
        if (!is)
            return no_such_role(c, r->name, e);
        if (w->engine.name.n && wish->step == STEP_SHADOW) {
            err_set(e, ERR_INVALID_REQUEST, "A build of an engine has no shadow: both would have to be in memory.");
            return err_hint(e, "`hob swap evidence %lld` puts suites to its models in both builds.", (long long)w->id);
        }
        if (wish->step == STEP_SHADOW && !(is->serves & SERVES_CHAT)) {
            err_set(e, ERR_INVALID_REQUEST, "'%.*s' serves no chats, and nothing else is compared by a shadow.", STR_ARG(r->name));
            return err_hint(e, "`hob swap evidence %lld` puts suites to both models.", (long long)w->id);
        }
        if (!w->engine.name.n && r->state != SWAP_TRIAL && !str_eq(is->name, r->from)) {
            err_set(e, ERR_WRONG_STATE, "'%.*s' is served by %.*s by now, and this swap was planned against %.*s.", STR_ARG(r->name), STR_ARG(is->name), STR_ARG(r->from));
            return err_hint(e, "Plan it again.");
        }
    }
    return ERR_OK;
}

/* ---- one step ---- */

static void text_of(const struct swap *w, struct buf *out)
{
    struct json_out o = json_out(out);
    buf_reset(out, 16 * 1024);
    swap_put(w, clock_wall_ms(), true, &o);
}

/* Which models went from which build to which. */
static void figures_of_engine(const struct swap *w, const struct swap_wish *wish, struct json_out *o)
{
    bool back = false;
    json_key(o, STR("engine"));
    json_begin_object(o);
    json_key(o, STR("name"));
    json_string(o, w->engine.name);
    json_key(o, STR("models"));
    json_begin_array(o);
    for (size_t i = 0; i < w->nroles; i++) {
        const struct swap_role *r = &w->roles[i];
        if (wish->role.n && !str_eq(wish->role, r->name))
            continue;
        back |= r->state == SWAP_ROLLED_BACK;
        json_string(o, r->name);
    }
    json_end_array(o);
    json_key(o, STR("from"));
    json_string(o, back ? w->engine.to : w->engine.from);
    json_key(o, STR("to"));
    json_string(o, back ? w->engine.from : w->engine.to);
    json_end_object(o);
}

/* Which role went from whom to whom: the catalogue's history is made of it. */
static void figures_of(const struct swap *w, const struct swap_wish *wish, struct buf *out)
{
    struct json_out o = json_out(out);
    buf_reset(out, 4 * 1024);
    json_begin_object(&o);
    json_key(&o, STR("roles"));
    json_begin_array(&o);
    for (size_t i = 0; i < w->nroles && !w->engine.name.n; i++) {
        const struct swap_role *r = &w->roles[i];
        if (wish->role.n && !str_eq(wish->role, r->name))
            continue;
        bool back = r->state == SWAP_ROLLED_BACK;
        json_begin_object(&o);
        json_key(&o, STR("role"));
        json_string(&o, r->name);
        json_key(&o, STR("state"));
        json_string(&o, str_of(swap_state_name[r->state]));
        json_key(&o, STR("from"));
        json_string(&o, back ? r->to : r->from);
        json_key(&o, STR("to"));
        json_string(&o, back ? r->from : r->to);
        json_end_object(&o);
    }
    json_end_array(&o);
    if (w->engine.name.n)
        figures_of_engine(w, wish, &o);
    json_end_object(&o);
}

static void on_written(void *ctx, const struct err *e);

static void write_it(struct swaps *s, const struct swap *w, bool step, struct str actor)
{
    text_of(w, &s->text);
    s->put = (struct swap_put){ .id = w->id, .text = buf_str(&s->text), .on_done = on_written, .ctx = s };
    if (step) {
        figures_of(w, &s->wish, &s->figures);
        s->put.step = (struct swap_step_row){ .time_ms = clock_wall_ms(), .actor = actor, .step = str_of(swap_step_name[s->wish.step]), .state = str_of(swap_state_name[w->state]),
            .role = s->wish.role, .reason = s->wish.step == STEP_PLAN && !s->wish.why.n ? w->why : s->wish.why, .figures = buf_str(&s->figures) };
    }
    s->busy = true;
    swaps_put(s->store, &s->put);
}

static void copy_wish(struct swaps *s, struct kept *k, const struct swap_wish *w)
{
    s->wish = *w;
    s->wish.role = arena_copy(&k->swap.arena, w->role);
    s->wish.why = arena_copy(&k->swap.arena, w->why);
    s->wish.baseline = arena_copy(&k->swap.arena, w->baseline);
    s->wish.run = arena_copy(&k->swap.arena, w->run);
    s->wish.proof = NULL;
}

/* As it will be when the step is taken. */
static enum err_code prepare(struct swaps *s, struct swaps_ask *a, struct kept **out, struct err *e)
{
    struct kept *k = kept_new(), *was = a->plan ? NULL : find(s, a->id);
    struct buf text = { 0 };
    enum err_code rc = ERR_OK;
    a->wish.now_ms = clock_wall_ms();
    if (a->plan) {
        a->wish.step = STEP_PLAN;
        rc = plan(s, a->plan, &k->swap, e);
    } else if (!was) {
        rc = err_set(e, ERR_NOT_FOUND, "There is no swap %lld.", (long long)a->id);
        err_hint(e, "`hob swap status` lists them.");
    } else {
        trials_refresh(was);
        text_of(&was->swap, &text);
        rc = swap_read(&k->swap, buf_str(&text), e);
        if (!rc && (a->wish.step == STEP_START || a->wish.step == STEP_SHADOW))
            rc = check_start(s, &k->swap, &a->wish, e);
        if (!rc)
            rc = swap_take(&k->swap, &a->wish, e);
    }
    buf_free(&text);
    if (rc)
        kept_free(k);
    else
        *out = k;
    return rc;
}

static void answer(struct swaps_ask *a, const struct swap *w, const struct err *e)
{
    if (a)
        a->on_done(a->ctx, w, e);
}

static void begin(struct swaps *s, struct swaps_ask *a)
{
    struct err e;
    enum err_code rc = s->loaded ? ERR_OK : err_set(&e, ERR_STORE_FAILING, "Swaps are not known yet: the store cannot be read.");
    if (rc || prepare(s, a, &s->next, &e)) {
        answer(a, NULL, &e);
        return;
    }
    s->asking = a;
    copy_wish(s, s->next, &a->wish);
    snprintf(s->actor, sizeof s->actor, "%.*s", STR_ARG(a->actor));
    s->busy = true;
    if (a->wish.step == STEP_START)
        trials_baseline(s);
    else
        swaps_step_ready(s, NULL);
}

static void refuse_next(struct swaps *s, const struct err *why)
{
    struct swaps_ask *a = s->asking;
    s->asking = NULL;
    kept_free(s->next);
    s->next = NULL;
    answer(a, NULL, why);
}

/* A trial is not begun without its guards unless somebody says so. */
void swaps_step_ready(struct swaps *s, const struct err *e)
{
    if (!e) {
        write_it(s, &s->next->swap, true, str_of(s->actor));
        return;
    }
    struct err why = *e;
    if (e->code != ERR_NOT_FOUND && e->code != ERR_GATE) {
        err_set(&why, ERR_STORE_FAILING, "The trial is not begun: what the old model's requests came to cannot be read. %.130s", e->text);
        err_hint(&why, "`hob swap start %lld --baseline none` begins it without guards.", (long long)s->next->swap.id);
    }
    s->busy = false;
    refuse_next(s, &why);
    loop_later(s->loop, &s->turn);
}

/* Steps that lead back, or that only note what is so already. */
static bool must_be(enum swap_step step)
{
    return step == STEP_ROLLBACK || step == STEP_BREACH || step == STEP_RETIRE;
}

/* It takes the place of what was there. */
static const struct swap *put_in_place(struct swaps *s, struct kept *k)
{
    struct kept *was = find(s, k->swap.id);
    trials_begin(s, k, was);
    if (was)
        list_insert_before(&was->node, &k->node);
    else
        list_push(&s->kept, &k->node);
    s->n += !was;
    kept_free(was);
    return &k->swap;
}

static void take_effect(struct swaps *s)
{
    const struct swap *w = put_in_place(s, s->next);
    s->next = NULL;
    if (s->wish.step != STEP_PLAN && s->wish.step != STEP_EVIDENCE && s->wish.step != STEP_SMOKE && s->wish.step != STEP_SHADOW)
        s->ops->flip(s->ctx);
    tell_shadows(s);
    if (s->ops->told)
        s->ops->told(s->ctx, w, s->wish.step, s->wish.role, s->wish.why);
    struct swaps_ask *a = s->asking;
    s->asking = NULL;
    answer(a, w, NULL);
}

static void on_unwritten(struct swaps *s, const struct err *e)
{
    if (must_be(s->wish.step)) {
        log_error("swap %lld: '%s' is done, but not written down (%s); it is tried again", (long long)s->next->swap.id, swap_step_name[s->wish.step], e->text);
        s->next->unwritten = true;
        take_effect(s);
        timer_set(&s->again, AGAIN_MS);
        return;
    }
    struct err why;
    err_set(&why, ERR_STORE_FAILING, "The step is not taken, since the store fails: %.160s", e->text);
    err_hint(&why, "%s", e->hint);
    refuse_next(s, &why);
}

static void on_written(void *ctx, const struct err *e)
{
    struct swaps *s = ctx;
    struct kept *k;
    s->busy = false;
    if (!s->next) { /* written again */
        k = find(s, s->put.id);
        if (k)
            k->unwritten = e != NULL;
        if (e)
            timer_set(&s->again, AGAIN_MS);
    } else if (e) {
        on_unwritten(s, e);
    } else {
        s->next->swap.id = s->put.id;
        take_effect(s);
    }
    loop_later(s->loop, &s->turn);
}

/* What was done without the store. */
static bool write_again(struct swaps *s)
{
    for (struct list *at = s->kept.next; at != &s->kept; at = at->next) {
        struct kept *k = list_entry(at, struct kept, node);
        if (k->unwritten && !timer_is_set(&s->again)) {
            s->wish = (struct swap_wish){ .step = STEP_PLAN };
            trials_refresh(k);
            write_it(s, &k->swap, false, STR(""));
            return true;
        }
    }
    return false;
}

static void on_turn(void *ctx)
{
    struct swaps *s = ctx;
    while (!s->busy && !list_empty(&s->asks)) {
        struct swaps_ask *a = list_entry(s->asks.next, struct swaps_ask, node);
        list_remove(&a->node);
        begin(s, a);
    }
    if (!s->busy)
        write_again(s);
}

void swaps_ask(struct swaps *s, struct swaps_ask *a)
{
    list_init(&a->node);
    list_push(&s->asks, &a->node);
    loop_later(s->loop, &s->turn);
}

void swaps_unask(struct swaps *s, struct swaps_ask *a)
{
    list_remove(&a->node);
    if (s->asking == a)
        s->asking = NULL;
}

/* ---- by itself ---- */

struct own {
    struct swaps_ask ask;
    struct arena texts;
};

static void own_done(void *ctx, const struct swap *w, const struct err *e)
{
    struct own *o = ctx;
    if (e)
        log_warn("swap %lld: '%s' was not taken: %s", (long long)o->ask.id, swap_step_name[o->ask.wish.step], e->text);
    arena_fini(&o->texts);
    free(o);
}

void swaps_do(struct swaps *s, int64_t id, const struct swap_wish *w, struct str actor)
{
    struct own *o = calloc(1, sizeof *o);
    if (!o)
        die("out of memory for a step of a swap");
    arena_init(&o->texts);
    o->ask = (struct swaps_ask){ .id = id, .wish = *w, .on_done = own_done, .ctx = o, .actor = arena_copy(&o->texts, actor) };
    o->ask.wish.role = arena_copy(&o->texts, w->role);
    o->ask.wish.why = arena_copy(&o->texts, w->why);
    swaps_ask(s, &o->ask);
}

/* Why the file goes before it; p NULL: it does not. */
static struct str overtaken(struct arena *a, const struct config *base, const struct swap *w, const struct swap_role *r)
{
    struct conf_shift shift = { .name = r->name, .said = r->said, .from = r->from, .to = r->to, .share = 1, .engine = w->engine.name };
    switch (conf_shift_look(base, &shift)) {
    case SHIFT_HOLDS:
        break;
    case SHIFT_DONE:
        return arena_printf(a, "the file says '%.*s' for '%.*s' itself", STR_ARG(r->to), STR_ARG(r->name));
    case SHIFT_OVERTAKEN:
        return arena_printf(a, "the file says another %s for '%.*s', and goes before", w->engine.name.n ? "engine" : "model", STR_ARG(r->name));
    case SHIFT_NO_NAME:
        return arena_printf(a, "'%.*s' is in the file no more", STR_ARG(r->name));
    case SHIFT_NO_MODEL:
        return arena_printf(a, "'%.*s' is in the file no more", STR_ARG(r->to));
    }
    return (struct str){ NULL, 0 };
}

void swaps_settle(struct swaps *s)
{
    const struct config *base = conf_as_read(s->ops->config(s->ctx));
    struct arena a;
    arena_init(&a);
    for (struct list *at = s->kept.next; at != &s->kept; at = at->next) {
        const struct swap *w = &list_entry(at, struct kept, node)->swap;
        for (size_t i = 0; i < w->nroles; i++) {
            const struct swap_role *r = &w->roles[i];
            struct str why = r->state == SWAP_SHADOW || r->state == SWAP_TRIAL || r->state == SWAP_PROMOTED ? overtaken(&a, base, w, r) : (struct str){ NULL, 0 };
            if (why.p)
                swaps_do(s, w->id, &(struct swap_wish){ .step = STEP_RETIRE, .role = r->name, .why = why }, STR("hob"));
        }
    }
    arena_fini(&a);
}

/* ---- its life ---- */

static void on_row(void *ctx, int64_t id, struct str text)
{
    struct swaps *s = ctx;
    struct kept *k = kept_new();
    struct err e;
    if (swap_read(&k->swap, text, &e)) {
        log_error("swap %lld: %s; it is left as it is", (long long)id, e.text);
        kept_free(k);
        return;
    }
    k->swap.id = id;
    list_push(&s->kept, &k->node);
    s->n++;
}

static void on_fetched(void *ctx, const struct err *e)
{
    struct swaps *s = ctx;
    s->fetching = false;
    s->loaded = !e;
    if (e && s->on_loaded)
        log_error("swaps are not known yet (%s): until then roles lead where the file says", e->text);
    else if (!e && s->n)
        s->ops->flip(s->ctx);
    if (!e)
        trials_load(s);
    if (!e)
        tell_shadows(s);
    if (e)
        timer_set(&s->again, AGAIN_MS);
    if (s->on_loaded)
        s->on_loaded(s->ctx);
    s->on_loaded = NULL;
}

static void fetch(struct swaps *s)
{
    s->fetching = true;
    s->fetch = (struct swaps_fetch){ .on_swap = on_row, .on_done = on_fetched, .ctx = s };
    swaps_fetch(s->store, &s->fetch);
}

void swaps_load(struct swaps *s, void (*on_loaded)(void *ctx))
{
    s->on_loaded = on_loaded;
    fetch(s);
}

static void on_again(void *ctx)
{
    struct swaps *s = ctx;
    if (!s->loaded && !s->fetching)
        fetch(s);
    loop_later(s->loop, &s->turn);
}

struct swaps *swaps_new(struct loop *l, struct store *st, const struct swaps_ops *ops, void *ctx)
{
    struct swaps *s = calloc(1, sizeof *s);
    if (!s)
        die("out of memory for the swaps");
    s->loop = l;
    s->store = st;
    s->ops = ops;
    s->ctx = ctx;
    list_init(&s->kept);
    list_init(&s->asks);
    list_init(&s->baselines);
    later_init(&s->turn, on_turn, s);
    timer_init(&s->again, l, on_again, s);
    trials_init(s);
    return s;
}

static void drop_asks(struct swaps *s)
{
    while (!list_empty(&s->asks)) {
        struct swaps_ask *a = list_entry(s->asks.next, struct swaps_ask, node);
        struct err e;
        list_remove(&a->node);
        err_set(&e, ERR_SHUTTING_DOWN, "The gateway is shutting down.");
        a->on_done(a->ctx, NULL, &e);
    }
}

void swaps_free(struct swaps *s)
{
    if (!s)
        return;
    drop_asks(s);
    trials_free(s);
    baselines_free(s);
    for (struct list *n; (n = list_take(&s->kept));)
        kept_free(list_entry(n, struct kept, node));
    kept_free(s->next);
    timer_cancel(&s->again);
    later_cancel(&s->turn);
    buf_free(&s->text);
    buf_free(&s->figures);
    free(s);
}
