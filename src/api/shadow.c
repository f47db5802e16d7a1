#include "api/shadow.h"

#include "api/shadow_int.h"
#include "backend/health.h"
#include "base/clock.h"
#include "base/random.h"
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOOK_ASKING_MS = 200, LOOK_MOST_MS = 1000, LOOK_LEAST_MS = 10 };

/* A shadow of one role. */
struct course {
    struct list node;
    uint64_t number;                    /* never used again: what waits for one that is gone finds nothing */
    struct arena texts;
    struct shadow_wish wish;
    bool wished;                        /* by who has just said what is on */
    int64_t busy_ms;                    /* loop time: somebody wanted its machine then */
    size_t waiting;
    int64_t dropped, cancelled, unfit;
};

struct shadows {
    struct asker asker;                 /* of the copy under way */
    struct api *api;
    struct list courses;
    size_t ncourses;
    uint64_t numbers;
    struct list asks;                   /* oldest first */
    size_t nasks, bytes;
    struct shadow_ask *asking;          /* NULL: no copy is under way */
    struct exchange *x;                 /* that */
    struct timer look;
    struct later turn;
};

/* ---- courses ---- */

static struct course *find(struct shadows *s, uint64_t number)
{
    for (struct list *n = s->courses.next; n != &s->courses; n = n->next) {
        struct course *c = list_entry(n, struct course, node);
        if (c->number == number)
            return c;
    }
    return NULL;
}

static const struct conf_model *candidate(const struct api *a, const struct course *c)
{
    return conf_model(api_config(a), c->wish.to);
}

static struct backend *backend_of(const struct api *a, const struct course *c)
{
    const struct conf_model *m = candidate(a, c);
    return m ? world_backend(fleet_world(a->fleet), (size_t)(m - api_config(a)->models)) : NULL;
}

/* What one does the other feels: all that is local is taken for one machine. */
static bool share_a_machine(const struct backend *a, const struct backend *b)
{
    return str_eq(a->host, b->host) || (backend_is_local(a) && backend_is_local(b));
}

/* Somebody wants b. */
static void note_use(struct shadows *s, const struct backend *b)
{
    int64_t now = loop_now_ms(s->api->loop);
    for (struct list *n = s->courses.next; n != &s->courses; n = n->next) {
        struct course *c = list_entry(n, struct course, node);
        const struct backend *to = backend_of(s->api, c);
        if (to && share_a_machine(to, b))
            c->busy_ms = now;
    }
}

/* ---- what waits ---- */

static void leave_queue(struct shadows *s, struct shadow_ask *k)
{
    struct course *c = find(s, k->course);
    list_remove(&k->node);
    s->nasks--;
    s->bytes -= k->body.n;
    if (c)
        c->waiting--;
}

static void drop(struct shadows *s, struct shadow_ask *k)
{
    struct course *c = find(s, k->course);
    leave_queue(s, k);
    if (c) {
        c->dropped++;
        metrics_shadow(s->api->metrics, c->wish.to, "dropped");
    }
    shadow_ask_free(k);
}

static struct shadow_ask *oldest(struct shadows *s)
{
    return list_empty(&s->asks) ? NULL : list_entry(s->asks.next, struct shadow_ask, node);
}

static void look_soon(struct shadows *s)
{
    int64_t in_ms = s->asking ? LOOK_ASKING_MS : LOOK_MOST_MS;
    for (struct list *n = s->courses.next; n != &s->courses; n = n->next) {
        int64_t idle_ms = list_entry(n, struct course, node)->wish.idle_ms;
        in_ms = idle_ms < in_ms ? idle_ms : in_ms;
    }
    if (!timer_is_set(&s->look))
        timer_set(&s->look, in_ms < LOOK_LEAST_MS ? LOOK_LEAST_MS : in_ms);
}

static void queue(struct shadows *s, struct course *c, struct shadow_ask *k, bool first)
{
    if (first)
        list_push_front(&s->asks, &k->node);
    else
        list_push(&s->asks, &k->node);
    s->nasks++;
    s->bytes += k->body.n;
    c->waiting++;
    while (s->nasks > SHADOW_MAX_ASKS || s->bytes > SHADOW_MAX_BYTES)
        drop(s, oldest(s));
    look_soon(s);
}

static void drop_old(struct shadows *s)
{
    int64_t before = loop_now_ms(s->api->loop) - SHADOW_MAX_AGE_MS;
    for (struct list *n = s->asks.next, *next; n != &s->asks; n = next) {
        struct shadow_ask *k = list_entry(n, struct shadow_ask, node);
        next = n->next;
        if (k->since_ms < before || !find(s, k->course))
            drop(s, k);
    }
}

/* ---- a pair ---- */

struct pair_put {
    struct shadow_put put;
    struct buf role;
    char request[REQUEST_ID_BYTES];
};

static void on_written(void *ctx, const struct err *e)
{
    struct pair_put *p = ctx;
    if (e)
        log_warn("a shadow's pair could not be written: %s", e->text);
    buf_free(&p->role);
    free(p);
}

static double cost_of(const struct exchange *x)
{
    const struct tokens used = attempt_used(x->lead);
    return x->lead->b && !backend_is_local(x->lead->b) ? exchange_price(x->lead->b, &used) : -1;
}

static void keep_pair(struct shadows *s, struct course *c, const struct shadow_ask *k, const struct exchange *x)
{
    metrics_shadow(s->api->metrics, c->wish.to, "pair");
    if (!s->api->store)
        return;
    struct pair_put *p = calloc(1, sizeof *p);
    if (!p)
        die("out of memory for a pair");
    buf_add(&p->role, c->wish.role);
    snprintf(p->request, sizeof p->request, "%s", k->id);
    p->put = (struct shadow_put){ .on_done = on_written, .ctx = p,
        .row = { .swap = c->wish.swap, .role = buf_str(&p->role), .time_ms = k->sent_wall_ms, .request = str_of(p->request), .waited_ms = k->waited_ms,
            .alike = shadow_ask_alike(k), .cost = cost_of(x), .dropped = c->dropped, .cancelled = c->cancelled, .unfit = c->unfit, .old = k->old, .new = k->new } };
    c->dropped = c->cancelled = c->unfit = 0;
    shadows_put(s->api->store, &p->put);
}

/* ---- the copy ---- */

static void take_back(struct shadows *s)
{
    s->x->shadow = NULL;
    s->x = NULL;
    s->asking = NULL;
}

static void no_pair(struct shadows *s, struct course *c, const struct err *e)
{
    c->unfit++;
    metrics_shadow(s->api->metrics, c->wish.to, "unfit");
    log_debug("a copy of an ask for %.*s came to nothing: %s", STR_ARG(c->wish.to), e ? err_row(e->code)->code : "its answer was not heard");
}

static void answered(struct asker *asker, struct exchange *x, const struct err *e)
{
    struct shadows *s = (struct shadows *)(void *)asker;
    struct shadow_ask *k = s->asking;
    struct course *c = find(s, k->course);
    take_back(s);
    if (c && (e ? shadow_side_fail(&k->new, e) : k->heard_new))
        keep_pair(s, c, k, x);
    else if (c)
        no_pair(s, c, e);
    shadow_ask_free(k);
    loop_later(s->api->loop, &s->turn);
}

/* It is in somebody's way, or nobody wants it any more. */
static void cut_off(struct shadows *s)
{
    struct exchange *x = s->x;
    take_back(s);
    exchange_abandon(x);
}

static void make_way(struct shadows *s)
{
    struct shadow_ask *k = s->asking;
    struct course *c = find(s, k->course);
    cut_off(s);
    c->cancelled++;
    metrics_shadow(s->api->metrics, c->wish.to, "cancelled");
    k->heard_new = false;
    if (++k->tries < SHADOW_TRIES) {
        queue(s, c, k, true);
    } else {
        c->dropped++;
        metrics_shadow(s->api->metrics, c->wish.to, "dropped");
        shadow_ask_free(k);
    }
}

static void ask(struct shadows *s, struct course *c, struct shadow_ask *k)
{
    struct exchange *x = exchange_new(s->api, fleet_world(s->api->fleet));
    struct err e;
    s->api->nshadows++;
    s->asking = k;
    s->x = x;
    x->is_copy = true;
    x->shadow = k;
    x->asker = &s->asker;
    x->started_ns = clock_mono_ns();
    snprintf(x->id, sizeof x->id, "%s", k->id);
    k->sent_wall_ms = clock_wall_ms();
    k->waited_ms = loop_now_ms(s->api->loop) - k->since_ms;
    if (shadow_ask_dress(k, x, c->wish.role, c->wish.to, &e)) {
        exchange_fail(x, &e);
        return;
    }
    exchange_enter(x, X_DECIDED);
    timer_cancel(&s->look);
    look_soon(s);
    exchange_walk(x);
}

/* ---- when ---- */

static bool is_coming(enum sched_state state)
{
    return state == SCHED_LOOKING || state == SCHED_WANTING || state == SCHED_LOADING;
}

/* Somebody is served, waits, or is about to be, where the candidate is; its own copy aside. */
static bool is_busy(const struct shadows *s, const struct backend *to)
{
    struct world *w = fleet_world(s->api->fleet);
    for (size_t i = 0; i < world_config(w)->nmodels; i++) {
        const struct backend *b = world_backend(w, i);
        struct fleet_figures f;
        if (!share_a_machine(to, b))
            continue;
        fleet_figures(w, i, &f);
        size_t own = s->x && s->x->lead->b == b && s->x->lead->leased;
        if (f.held + f.waiting > own || (b->kind->managed && is_coming(f.state)))
            return true;
    }
    return false;
}

/* It is to go: unloaded, changed, or for the room it takes; and what it still has to do is waited for. */
static bool is_leaving(const struct attempt *t)
{
    struct fleet_figures f;
    fleet_figures(t->world, t->model, &f);
    return t->b->kind->managed && f.state != SCHED_HOT;
}

static bool has_room(const struct shadows *s, const struct shadow_ask *k)
{
    return !s->api->overload || overload_admits(s->api->overload, (int64_t)k->body.n * JSON_TREE_COST);
}

/* Why the copy has to wait; NULL: it has not. */
static const char *hindrance(const struct shadows *s, struct course *c, const struct shadow_ask *k)
{
    struct backend *to = backend_of(s->api, c);
    if (!to)
        return "the candidate is in the configuration no more";
    if (to->state != BACKEND_HOT)
        return "the candidate is not in memory, and a shadow loads nothing";
    if (is_busy(s, to))
        c->busy_ms = loop_now_ms(s->api->loop);
    if (loop_now_ms(s->api->loop) - c->busy_ms < c->wish.idle_ms)
        return "the machine has other things to do";
    if (health_would_admit(to))
        return "the candidate's place is not to be asked now";
    return has_room(s, k) ? NULL : "the gateway is short of memory";
}

static void send_next(struct shadows *s)
{
    for (struct list *n = s->asks.next; n != &s->asks && !s->asking; n = n->next) {
        struct shadow_ask *k = list_entry(n, struct shadow_ask, node);
        struct course *c = find(s, k->course);
        if (!c || hindrance(s, c, k))
            continue;
        leave_queue(s, k);
        ask(s, c, k);
        return;
    }
}

static void look(void *ctx)
{
    struct shadows *s = ctx;
    drop_old(s);
    if (s->asking && (is_busy(s, s->x->lead->b) || is_leaving(s->x->lead)))
        make_way(s);
    else if (!s->asking)
        send_next(s);
    if (s->asking || s->nasks)
        look_soon(s);
}

static void on_turn(void *ctx)
{
    look(ctx);
}

/* ---- for exchanges ---- */

static bool is_meant(const struct course *c, const struct exchange *x)
{
    const struct decision *d = &x->decision;
    const struct conf_model *first = &world_config(x->world)->models[d->chain[0].model];
    return (str_eq(d->role, c->wish.role) || str_eq(d->chain[0].tier, c->wish.role)) && str_eq(first->name, c->wish.from);
}

static bool falls(double share)
{
    uint32_t dice;
    if (share >= 1)
        return true;
    random_bytes(&dice, sizeof dice);
    return dice < share * 4294967296.0;
}

void shadow_meet(struct exchange *x)
{
    struct shadows *s = x->api->shadows;
    if (x->shadow || !x->decision.n || x->ask.task != TASK_CHAT || x->decision.verify != SIZE_MAX)
        return;
    for (struct list *n = s->courses.next; n != &s->courses; n = n->next) {
        const struct course *c = list_entry(n, struct course, node);
        if (is_meant(c, x) && falls(c->wish.share)) {
            x->shadow = shadow_ask_new(c->number);
            return;
        }
    }
}

void shadow_make_way(struct exchange *x, const struct backend *b)
{
    struct shadows *s = x->api->shadows;
    note_use(s, b);
    if (!s->asking)
        return;
    const struct backend *to = s->x->lead->b;
    if (to && share_a_machine(to, b))
        make_way(s);
}

void shadow_hear(struct attempt *t)
{
    shadow_ask_hear(t->x->shadow, t);
}

void shadow_settled(struct exchange *x)
{
    struct shadows *s = x->api->shadows;
    struct shadow_ask *k = x->shadow;
    struct course *c = k ? find(s, k->course) : NULL;
    bool large = false;
    if (x->lead->b)
        note_use(s, x->lead->b);
    x->shadow = NULL;
    if (c && shadow_ask_take(k, x, c->wish.from, &large)) {
        k->since_ms = loop_now_ms(s->api->loop);
        queue(s, c, k, false);
        return;
    }
    if (large) {
        c->dropped++;
        metrics_shadow(s->api->metrics, c->wish.to, "dropped");
    }
    shadow_ask_free(k);
}

void shadow_forget(struct exchange *x)
{
    if (!x->is_copy)
        shadow_ask_free(x->shadow);
    x->shadow = NULL;
}

/* ---- what is on ---- */

static bool is_same(const struct shadow_wish *a, const struct shadow_wish *b)
{
    return a->swap == b->swap && str_eq(a->role, b->role) && str_eq(a->from, b->from) && str_eq(a->to, b->to);
}

static void course_end(struct shadows *s, struct course *c)
{
    if (s->asking && s->asking->course == c->number) {
        struct shadow_ask *k = s->asking;
        cut_off(s);
        shadow_ask_free(k);
    }
    for (struct list *n = s->asks.next, *next; n != &s->asks; n = next) {
        struct shadow_ask *k = list_entry(n, struct shadow_ask, node);
        next = n->next;
        if (k->course == c->number) {
            leave_queue(s, k);
            shadow_ask_free(k);
        }
    }
    list_remove(&c->node);
    s->ncourses--;
    arena_fini(&c->texts);
    free(c);
}

static void course_begin(struct shadows *s, const struct shadow_wish *w)
{
    struct course *c = calloc(1, sizeof *c);
    if (!c)
        die("out of memory for a shadow");
    arena_init(&c->texts);
    c->number = ++s->numbers;
    c->wish = (struct shadow_wish){ .swap = w->swap, .role = arena_copy(&c->texts, w->role), .from = arena_copy(&c->texts, w->from), .to = arena_copy(&c->texts, w->to) };
    c->busy_ms = loop_now_ms(s->api->loop);
    list_push(&s->courses, &c->node);
    s->ncourses++;
}

static struct course *course_for(struct shadows *s, const struct shadow_wish *w)
{
    for (struct list *n = s->courses.next; n != &s->courses; n = n->next) {
        struct course *c = list_entry(n, struct course, node);
        if (is_same(&c->wish, w))
            return c;
    }
    return NULL;
}

static void wish(struct shadows *s, const struct shadow_wish *w)
{
    if (!course_for(s, w) && s->ncourses < SHADOW_MAX_COURSES)
        course_begin(s, w);
    struct course *c = course_for(s, w);
    if (!c)
        return;
    c->wish.share = w->share;
    c->wish.idle_ms = w->idle_ms;
    c->wished = true;
}

static struct shadows *shadows_new(struct api *a)
{
    struct shadows *s = calloc(1, sizeof *s);
    if (!s)
        die("out of memory for shadows");
    s->asker.answered = answered;
    s->api = a;
    s->numbers = (uint64_t)clock_mono_ns(); /* an ask may outlive all shadows, and meet new ones */
    list_init(&s->courses);
    list_init(&s->asks);
    timer_init(&s->look, a->loop, look, s);
    later_init(&s->turn, on_turn, s);
    return s;
}

static void shadows_end(struct api *a)
{
    struct shadows *s = a->shadows;
    timer_cancel(&s->look);
    later_cancel(&s->turn);
    a->shadows = NULL;
    free(s);
}

void api_shadow(struct api *a, const struct shadow_wish *all, size_t n)
{
    n = a->draining ? 0 : n;
    if (!a->shadows && !n)
        return;
    if (!a->shadows)
        a->shadows = shadows_new(a);
    struct shadows *s = a->shadows;
    for (size_t i = 0; i < n; i++)
        wish(s, &all[i]);
    for (struct list *at = s->courses.next, *next; at != &s->courses; at = next) {
        struct course *c = list_entry(at, struct course, node);
        next = at->next;
        if (!c->wished)
            course_end(s, c);
        else
            c->wished = false;
    }
    if (!n)
        shadows_end(a);
}

bool api_shadow_figures(const struct api *a, int64_t swap, struct str role, struct shadow_figures *out)
{
    struct shadows *s = a->shadows;
    for (struct list *n = s ? s->courses.next : NULL; s && n != &s->courses; n = n->next) {
        struct course *c = list_entry(n, struct course, node);
        if (c->wish.swap != swap || !str_eq(c->wish.role, role))
            continue;
        const char *why = c->waiting && !s->asking ? hindrance(s, c, oldest(s)) : NULL;
        *out = (struct shadow_figures){ c->waiting, c->dropped, c->cancelled, c->unfit, why ? why : "" };
        return true;
    }
    return false;
}
