/* What a host is: who is on it, whether it sleeps, what was spent there. What is asked of it is host_probe.c's. */
#include "backend/host_int.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SAVE_MS = 1000,                 /* at most so much of what was spent is lost when the gateway is killed */
    LIST_FRESH_MS = 5 * 60 * 1000,  /* what a list lacks is believed for so long */
};

/* ---- sleep ---- */

static const char *const sleep_names[] = { [HOST_WARM] = "warm", [HOST_WAKING] = "waking", [HOST_COLD] = "cold" };

static void sleep_enter(struct host *h, enum host_sleep to)
{
    if (to != h->sleep)
        log_info("host '%s': %s -> %s", h->name, sleep_names[h->sleep], sleep_names[to]);
    h->sleep = to;
    h->since_ms = host_now(h);
}

/* It goes to sleep by itself: nothing tells us. */
static enum host_sleep sleep_now(const struct host *h)
{
    const struct backend *b = host_newest(h);
    if (!b->place->cold_start_ms)
        return HOST_WARM;
    bool idle = !h->running && host_now(h) - h->used_ms >= b->place->scale_down_ms;
    return h->sleep == HOST_WARM && idle ? HOST_COLD : h->sleep;
}

static void tell(void *ctx)
{
    struct host_wait *w = ctx;
    w->on_awake(w->ctx, w->why.code ? &w->why : NULL);
}

void host_wait_init(struct host_wait *w, void (*on_awake)(void *ctx, const struct err *e), void *ctx)
{
    *w = (struct host_wait){ .on_awake = on_awake, .ctx = ctx };
    list_init(&w->node);
    later_init(&w->told, tell, w);
}

void host_wait_drop(struct host_wait *w)
{
    list_remove(&w->node);
    later_cancel(&w->told);
}

static void settle(struct host *h, struct host_wait *w, const struct err *why)
{
    list_remove(&w->node);
    w->why = why ? *why : (struct err){ .code = ERR_OK };
    loop_later(h->all->loop, &w->told);
}

static void settle_all(struct host *h, const struct err *why)
{
    while (!list_empty(&h->waits))
        settle(h, list_entry(h->waits.next, struct host_wait, node), why);
}

static struct backend *member(struct list *node)
{
    return list_entry(node, struct backend, in_host);
}

void host_awake(struct host *h)
{
    for (struct list *i = h->members.next; i != &h->members; i = i->next)
        health_renew(member(i)); /* what failed was its sleep */
    sleep_enter(h, HOST_WARM);
    h->used_ms = host_now(h);
    h->give_up_ms = 0;
    host_heard(h, true, NULL);
    settle_all(h, NULL);
    host_plan(h);
}

void host_not_awake(struct host *h, const struct err *why)
{
    const struct backend *b = host_newest(h);
    struct err e;
    sleep_enter(h, HOST_COLD);
    h->give_up_ms = host_now(h) + b->place->breaker.open_ms;
    host_heard(h, false, why);
    err_set(&e, ERR_WAKING, "'%s' was asked to wake, and did not: %.200s", h->name, why->text);
    err_hint(&e, "It is tried again when it is next asked for, in %lld s at the earliest.", (long long)(b->place->breaker.open_ms + 999) / 1000);
    log_warn("%s", e.text);
    settle_all(h, &e);
}

bool health_is_asleep(const struct backend *b)
{
    return b->at && sleep_now(b->at) != HOST_WARM;
}

void health_wake(struct backend *b)
{
    struct host *h = b->at;
    if (!h || h->all->stopped || sleep_now(h) != HOST_COLD || host_now(h) < h->give_up_ms)
        return;
    sleep_enter(h, HOST_WAKING);
    h->give_up_ms = host_now(h) + b->place->cold_start_ms;
    h->delay_ms = 0;
    host_try_to_wake(h);
}

void host_wait_begin(struct host_wait *w, struct backend *b)
{
    struct err e;
    health_wake(b);
    if (!health_is_asleep(b)) {
        settle(b->at, w, NULL);
    } else if (sleep_now(b->at) == HOST_COLD) { /* not so soon again */
        host_explain(b, ERR_WAKING, &e);
        settle(b->at, w, &e);
    } else {
        list_push(&b->at->waits, &w->node);
    }
}

/* ---- what was spent ---- */

static void save(void *ctx)
{
    struct host *h = ctx;
    struct host_day row = { .day = h->spend.day, .tokens = h->spend.tokens, .unpriced = h->spend.unpriced, .money = h->spend.money };
    timer_cancel(&h->save);
    if (!h->dirty || !h->all->store || h->asked_store) /* what was there before comes first */
        return;
    h->dirty = false;
    snprintf(row.host, sizeof row.host, "%s", h->name);
    host_day_put(h->all->store, &row);
}

static void came_from_store(void *ctx, const struct host_day *row)
{
    struct host *h = ctx;
    if (row->day == h->spend.day) {
        h->spend.tokens += row->tokens;
        h->spend.unpriced += row->unpriced;
        h->spend.money += row->money;
    }
    save(h);
}

static void spent(struct host *h, const struct backend *b, const struct outcome *o)
{
    int64_t in = o->input_tokens > 0 ? o->input_tokens : 0, out = o->output_tokens > 0 ? o->output_tokens : 0, wall = clock_wall_ms();
    if (wall >= h->spend.until_ms)
        save(h);
    spend_turn(&h->spend, wall);
    if (!in && !out)
        return;
    spend_add(&h->spend, in + out, health_price(b, in, out));
    h->dirty = true;
    if (!timer_is_set(&h->save))
        timer_set(&h->save, SAVE_MS);
}

/* ---- what it is told, and says ---- */

static bool lacks_model(const struct host *h, const struct backend *b)
{
    bool known = h->listed_ms && host_now(h) - h->listed_ms < LIST_FRESH_MS && h->address == b->address;
    bool sure = b->kind->lists_all || (health_is_refusing(b) && b->health.refused.code == ERR_UP_MODEL_MISSING);
    return known && sure && !host_lists(&h->names, b->upstream);
}

static bool is_used_up(struct host *h, const struct backend *b)
{
    int64_t wall = clock_wall_ms();
    if (!spend_reached(&h->spend, &b->place->cap, wall))
        return false;
    spend_turn(&h->spend, wall); /* nobody who is sent away turns it */
    return spend_reached(&h->spend, &b->place->cap, wall);
}

enum err_code host_would_admit(const struct backend *b)
{
    struct host *h = b->at;
    if (is_used_up(h, b))
        return ERR_CAPPED;
    if (health_is_asleep(b))
        return ERR_WAKING;
    return lacks_model(h, b) ? ERR_UP_MODEL_MISSING : ERR_OK;
}

static int seconds(int64_t ms)
{
    return ms > 0 ? (int)((ms + 999) / 1000) : 1;
}

static enum err_code is_closed(const struct backend *b, struct err *e)
{
    const struct host *h = b->at;
    int64_t wall = clock_wall_ms();
    const char *cap = spend_reached(&h->spend, &b->place->cap, wall);
    err_set(e, ERR_CAPPED, "What may be used of '%s' today is used up (`cap: {%s: …}`).", h->name, cap ? cap : "");
    e->retry_after_s = seconds(spend_left_ms(&h->spend, wall));
    return err_hint(e, "It opens again at midnight; `hob ps` shows what was used.");
}

static enum err_code is_asleep(const struct backend *b, struct err *e)
{
    const struct host *h = b->at;
    int64_t left = h->give_up_ms - host_now(h);
    err_set(e, ERR_WAKING, "'%s' %s.", h->name, h->sleep == HOST_WAKING ? "is waking" : "sleeps");
    if (h->sleep != HOST_WAKING && left > 0) {
        err_set(e, ERR_WAKING, "'%s' could not be woken: %.200s", h->name, h->error.text);
        e->retry_after_s = seconds(left);
        return err_hint(e, "It is tried again in %d s at the earliest.", e->retry_after_s);
    }
    e->retry_after_s = seconds(h->sleep == HOST_WAKING ? left : b->place->cold_start_ms);
    return err_hint(e, "Try again in up to %d s, or send `x-hob-wait: %.40s` to be held until it is awake.", e->retry_after_s, b->name.p);
}

static enum err_code is_without(const struct backend *b, struct err *e)
{
    err_set(e, ERR_UP_MODEL_MISSING, "'%s' does not have '%.*s': it is not in its list of models.", b->at->name, STR_ARG(b->upstream));
    return err_hint(e, "Check `name:` of '%.*s' in hob.yaml, or get the model there; `hob doctor` shows what it has.", STR_ARG(b->name));
}

enum err_code host_explain(const struct backend *b, enum err_code why, struct err *e)
{
    if (why == ERR_CAPPED)
        return is_closed(b, e);
    return why == ERR_WAKING ? is_asleep(b, e) : is_without(b, e);
}

void host_heard(struct host *h, bool up, const struct err *why)
{
    h->up = up ? TRI_YES : TRI_NO;
    h->heard_ms = clock_wall_ms();
    if (why)
        h->error = *why;
    else if (up)
        h->error.code = ERR_OK;
}

void host_asked(struct backend *b)
{
    b->at->running++;
    b->at->used_ms = host_now(b->at);
}

static bool may_have_gone_to_sleep(enum err_code code)
{
    return code == ERR_UP_REFUSED || code == ERR_UP_TIMEOUT || code == ERR_UP_STATUS;
}

void host_told(struct backend *b, const struct outcome *o, enum health_verdict v)
{
    struct host *h = b->at;
    h->running -= h->running > 0;
    h->used_ms = host_now(h);
    spent(h, b, o);
    if (h->address != b->address)
        return;
    if (v == HEALTH_GOOD && health_is_asleep(b))
        host_awake(h);
    else if (v == HEALTH_GOOD || v == HEALTH_REFUSES)
        host_heard(h, true, NULL);
    else if (v == HEALTH_BAD && o->code != ERR_UP_STATUS)
        host_heard(h, false, o->why);
    if (v == HEALTH_BAD && b->place->cold_start_ms && h->sleep == HOST_WARM && may_have_gone_to_sleep(o->code))
        sleep_enter(h, HOST_COLD); /* earlier than we thought */
    if (v == HEALTH_REFUSES && o->code == ERR_UP_MODEL_MISSING && !h->ask.what && h->listed_ms && !b->place->cold_start_ms
        && !h->all->stopped)
        timer_set(&h->timer, 1); /* its list is another, it seems */
}

/* ---- who is on it ---- */

static uint64_t address_of(const struct conf_host *c)
{
    const struct str all[] = { c->url, c->key.hidden, c->ca, c->proxy.hidden };
    uint64_t h = (uint64_t)c->kind + 1;
    for (size_t i = 0; i < COUNTOF(all); i++)
        h = h * 31 + str_hash(all[i]);
    return h;
}

static struct host *host_new(struct hosts *all, struct str name)
{
    struct host *h = calloc(1, sizeof *h);
    if (!h)
        die("out of memory for a host");
    h->all = all;
    snprintf(h->name, sizeof h->name, "%.*s", STR_ARG(name));
    list_init(&h->members);
    list_init(&h->waits);
    list_push(&all->all, &h->node);
    timer_init(&h->timer, all->loop, host_timer, h);
    timer_init(&h->save, all->loop, save, h);
    h->probed_ms = h->probe_took_ms = -1;
    spend_turn(&h->spend, clock_wall_ms());
    if (all->store)
        host_day_get(all->store, name, h->spend.day, came_from_store, h, &h->asked_store);
    return h;
}

static void host_free(struct host *h)
{
    struct err gone;
    err_set(&gone, ERR_NO_BACKEND, "'%s' is in the configuration no more.", h->name);
    settle_all(h, &gone);
    host_day_forget(h->asked_store);
    h->asked_store = NULL;
    save(h);
    timer_cancel(&h->timer);
    buf_free(&h->ask.question);
    buf_free(&h->ask.answer);
    arena_fini(&h->names_in);
    list_remove(&h->node);
    free(h);
}

/* It is another one now, of the same name. */
static void forget(struct host *h, uint64_t address)
{
    host_hush(h);
    timer_cancel(&h->timer);
    arena_reset(&h->names_in);
    h->address = address;
    h->names.n = 0;
    h->listed_ms = 0;
    h->list_said = false;
    h->sleep = HOST_COLD; /* where it never sleeps, sleep_now() knows better */
    h->give_up_ms = 0;
    h->up = TRI_UNSAID;
    h->heard_ms = 0;
    h->error.code = ERR_OK;
    h->probed_ms = h->probe_took_ms = -1;
}

void hosts_join(struct hosts *all, struct backend *b)
{
    struct host *h = NULL;
    for (struct list *i = all->all.next; i != &all->all && !h; i = i->next)
        if (str_eq(str_of(list_entry(i, struct host, node)->name), b->place->name))
            h = list_entry(i, struct host, node);
    if (!h)
        h = host_new(all, b->place->name);
    b->at = h;
    b->address = address_of(b->place);
    list_push_front(&h->members, &b->in_host);
    if (h->address != b->address) {
        struct err other;
        err_set(&other, ERR_WAKING, "'%s' has another address now.", h->name);
        forget(h, b->address);
        settle_all(h, &other);
    }
    host_plan(h);
}

void host_reconfigured(struct backend *b)
{
    struct host *h = b->at;
    if (!h || h->address != b->address)
        return;
    list_remove(&b->in_host);
    list_push_front(&h->members, &b->in_host);
    if (h->sleep != HOST_WAKING)
        host_plan(h);
}

void host_leave(struct backend *b)
{
    struct host *h = b->at;
    if (!h)
        return;
    bool asking = h->ask.of == b;
    if (asking)
        host_hush(h);
    list_remove(&b->in_host);
    b->at = NULL;
    if (list_empty(&h->members))
        host_free(h);
    else if (asking && h->sleep == HOST_WAKING)
        timer_set(&h->timer, 1);
    else if (asking)
        host_plan(h);
}

/* ---- all of them ---- */

struct hosts *hosts_new(struct loop *l, struct store *store)
{
    struct hosts *all = calloc(1, sizeof *all);
    if (!all)
        die("out of memory for hosts");
    all->loop = l;
    all->store = store;
    list_init(&all->all);
    return all;
}

void hosts_start(struct hosts *all)
{
    all->started = true;
    for (struct list *i = all->all.next; i != &all->all; i = i->next)
        host_plan(list_entry(i, struct host, node));
}

void hosts_stop(struct hosts *all)
{
    struct err stops;
    err_set(&stops, ERR_SHUTTING_DOWN, "The gateway is shutting down.");
    all->stopped = true;
    for (struct list *i = all->all.next; i != &all->all; i = i->next) {
        struct host *h = list_entry(i, struct host, node);
        host_hush(h);
        timer_cancel(&h->timer);
        settle_all(h, &stops);
        save(h);
    }
}

void hosts_free(struct hosts *all)
{
    if (all && !list_empty(&all->all))
        die("hosts are freed while somebody is on them");
    free(all);
}

bool host_figures(const struct backend *b, struct host_figures *out)
{
    const struct host *h = b->at;
    if (!h)
        return false;
    int64_t wall = clock_wall_ms(), left = h->give_up_ms - host_now(h);
    bool sleeps = b->place->cold_start_ms > 0, today = wall < h->spend.until_ms;
    *out = (struct host_figures){
        .name = str_of(h->name),
        .sleep = sleeps ? sleep_names[sleep_now(h)] : NULL,
        .wakes_in_ms = sleeps && h->sleep == HOST_WAKING ? (left > 0 ? left : 0) : -1,
        .up = h->up,
        .heard_ms = h->heard_ms,
        .probe_ms = h->probe_took_ms,
        .error = h->error.code ? &h->error : NULL,
        .models = h->listed_ms ? (int64_t)h->names.n : -1,
        .lists_model = !h->listed_ms || host_lists(&h->names, b->upstream),
        .spent = today ? h->spend : (struct spend){ .day = 0 },
        .cap = b->place->cap,
        .reached = spend_reached(&h->spend, &b->place->cap, wall),
    };
    return true;
}
