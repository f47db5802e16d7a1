/* Letting another gateway take this one's place (doc/adr/0013-upgrade.md).
 *
 *   IDLE -> QUEUED -> ASKED -> AWAITED -> SETTLING -> CLOSING -> GIVEN -> LEAVING -> end
 *    ^        │         │        │           │          │         │
 *    └────────┴─────────┴────────┴─ DROPPED ─┴──────────┴─────────┘      the new one is gone: whatever was let go of is taken back
 *
 * QUEUED: the gateway before us still ends its own. AWAITED: the new one starts. SETTLING: until no model is on its way in or out. CLOSING: nobody accepts, nothing
 * is begun, the store commits what it has. GIVEN: all of it is the other's, who is about to listen. LEAVING: it serves; what waits goes there, what is being
 * answered is answered here, within `drain:`. */
#include "cli/gateway_int.h"

#include "base/clock.h"
#include "cli/limits.h"
#include "json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READY_MS = 30 * 1000,       /* from its start until it could take over, where the wish does not say */
    GIVEN_MS = 8 * 1000,        /* until it listens: who comes meanwhile waits */
    CLOSING_MS = 10 * 1000,     /* a disk may be slow */
    AGAIN_MS = 50, LOOK_MS = 5, LEAVING_LOOK_MS = 20,
    LAST_ROWS_MS = 2000,        /* for their commits, once all is cut */
};

enum state { IDLE, QUEUED, ASKED, AWAITED, SETTLING, CLOSING, GIVEN, LEAVING, DROPPED };
static const char *const state_names[] = { "idle", "queued", "asked", "awaited", "settling", "closing", "given", "leaving", "dropped" };

struct upgrade {
    struct gateway *g;
    enum state state;           /* enter() is its only writer */
    struct upgrade_wish wish;   /* on_done NULL: nobody waits (any more) */
    char program[4096];
    char version[64];           /* what the new one says it is */
    int pid;
    struct heir *heir;
    struct timer tick;
    int64_t until_ms;           /* of this state */
    struct err why;             /* it has failed; code ERR_OK: not yet */
    bool stop;                  /* told to stop while nothing was ours */

    int64_t shut_ns;
    size_t passed;              /* connections */
    uint32_t last_conn, last_row;
    struct list rows;           /* at the other, and not committed yet */
    size_t *held;               /* as last told, by model */
    bool cut;
    bool dropped_elder;
};

static void enter(struct upgrade *u, enum state to, int64_t for_ms)
{
    log_debug("upgrade: %s -> %s", state_names[u->state], state_names[to]);
    u->state = to;
    u->until_ms = loop_now_ms(u->g->loop) + for_ms;
}

static bool is_late(const struct upgrade *u)
{
    return loop_now_ms(u->g->loop) >= u->until_ms;
}

/* ---- how it ends without ---- */

static void tell(struct upgrade *u, struct str json, const struct err *e)
{
    struct upgrade_wish w = u->wish;
    u->wish.on_done = NULL;
    if (w.on_done)
        w.on_done(w.ctx, json, e);
}

static void fail(struct upgrade *u)
{
    enter(u, IDLE, 0);
    timer_cancel(&u->tick);
    heir_free(u->heir);
    u->heir = NULL;
    if (!u->g->draining)
        log_error("%s does not take over, this gateway goes on: %s%s %s", u->program, u->why.text, err_stop(&u->why), u->why.hint);
    tell(u, STR(""), &u->why);
    if (u->stop)
        gateway_drain(u->g);
}

/* What was let go of is ours again. */
static void take_back(struct upgrade *u)
{
    struct gateway *g = u->g;
    store_resume(g->store);
    fleet_freeze(g->fleet, false);
    gateway_listen(g);
    admin_open(g->admin);
    reload_hold(g->reload, false);
    fail(u);
}

/* It is killed first: only when it is gone is nothing of ours in two hands. upgrade_heir_gone() goes on. One that was let in may serve by now, when it was we who
 * stood still: then it is not killed, and its words are still to be heard. */
static void drop(struct upgrade *u)
{
    if (u->state != GIVEN) {
        heir_free(u->heir);
        u->heir = NULL;
    }
    keeper_drop_heir(u->g->keeper);
    if (u->state != CLOSING && u->state != GIVEN)
        enter(u, DROPPED, 0);
    u->until_ms = INT64_MAX;
}

void upgrade_heir_gone(struct upgrade *u, int exit_code, int signal)
{
    if (!u->why.code && signal)
        err_set(&u->why, ERR_UPGRADE, "The new program died of signal %d (%s) before it served.", signal, strsignal(signal));
    else if (!u->why.code)
        err_set(&u->why, ERR_UPGRADE, "The new program ended with exit code %d before it served.", exit_code);
    if (!u->why.hint[0])
        err_hint(&u->why, "The old one goes on, nothing has changed. What the new one itself said is in hob's log.");
    switch (u->state) {
    case IDLE:
    case QUEUED:
    case LEAVING:
        break;
    case ASKED:
    case AWAITED:
    case SETTLING:
    case DROPPED:
        fail(u);
        break;
    case CLOSING:
    case GIVEN:
        take_back(u);
        break;
    }
}

/* ---- LEAVING: what it is given ---- */

static void say(struct upgrade *u, enum heir_word word, uint32_t id, uint64_t number, struct str text, int fd)
{
    struct heir_msg m = { .word = word, .id = id, .number = number, .text = text, .fd = fd };
    if (u->heir)
        heir_send(u->heir, &m);
    else if (fd >= 0)
        close(fd);
}

static void pass_conn(struct upgrade *u, uint64_t door, int fd, struct str bytes)
{
    uint32_t id = ++u->last_conn;
    size_t n = bytes.n < HEIR_TEXT_MAX ? bytes.n : HEIR_TEXT_MAX;
    u->passed++;
    say(u, HEIR_CONN, id, door | (n < bytes.n ? HEIR_MORE : 0), str_make(bytes.p, n), fd);
    for (size_t at = n; at < bytes.n; at += n) {
        n = bytes.n - at < HEIR_TEXT_MAX ? bytes.n - at : HEIR_TEXT_MAX;
        say(u, HEIR_BYTES, id, door | (at + n < bytes.n ? HEIR_MORE : 0), str_make(bytes.p + at, n), -1);
    }
}

static void pass_public(void *ctx, int fd, struct str bytes)
{
    pass_conn(ctx, 0, fd, bytes);
}

static void pass_admin(void *ctx, int fd, struct str bytes)
{
    pass_conn(ctx, HEIR_ADMIN, fd, bytes);
}

/* Also those that have come to wait, or to an end, since. While there is nobody to take them they stay. */
static void pass_conns(struct upgrade *u)
{
    if (u->g->server)
        http_server_pass(u->g->server, u->heir ? pass_public : NULL, u);
    http_server_pass(admin_server(u->g->admin), u->heir ? pass_admin : NULL, u);
}

static void tell_held(struct upgrade *u)
{
    struct world *w = fleet_world(u->g->fleet);
    const struct config *c = world_config(w);
    for (size_t i = 0; i < c->nmodels; i++) {
        size_t n = world_backend(w, i)->kind->managed ? fleet_held(w, i) : 0;
        if (n == u->held[i])
            continue;
        u->held[i] = n;
        say(u, HEIR_HELD, 0, n, c->models[i].name, -1);
    }
}

/* What is in memory is told of in any case: of that the other knows that it answers. */
static void tell_all_held(struct upgrade *u)
{
    struct world *w = fleet_world(u->g->fleet);
    size_t n = world_config(w)->nmodels;
    free(u->held);
    u->held = calloc(n + 1, sizeof *u->held);
    if (!u->held)
        die("out of memory");
    for (size_t i = 0; i < n; i++)
        u->held[i] = world_backend(w, i)->kind->managed && world_backend(w, i)->state == BACKEND_HOT ? SIZE_MAX : 0;
    tell_held(u);
}

static void send_row(struct upgrade *u, const struct request_put *p, bool maybe_there)
{
    struct buf text = { 0 };
    request_pack(p->row, &text);
    say(u, HEIR_ROW, p->number, maybe_there, buf_str(&text), -1);
    buf_free(&text);
}

static void forward(void *ctx, struct request_put *p)
{
    struct upgrade *u = ctx;
    p->number = ++u->last_row;
    list_init(&p->node);
    list_push(&u->rows, &p->node);
    send_row(u, p, false);
}

static void row_done(struct upgrade *u, const struct heir_msg *m)
{
    struct err e;
    for (struct list *at = u->rows.next; at != &u->rows; at = at->next) {
        struct request_put *p = list_entry(at, struct request_put, node);
        if (p->number != m->id)
            continue;
        list_remove(&p->node);
        if (m->text.n)
            err_set(&e, ERR_SYSTEM, "%.*s", STR_ARG(m->text));
        p->on_done(p->ctx, m->text.n ? &e : NULL);
        return;
    }
}

/* ---- LEAVING: its end ---- */

static size_t open_here(const struct gateway *g)
{
    return api_running(g->api) + (g->server ? http_server_connections(g->server) : 0) + http_server_connections(admin_server(g->admin));
}

static void leave(struct upgrade *u)
{
    size_t rows = 0;
    for (const struct list *at = u->rows.next; at != &u->rows; at = at->next)
        rows++;
    if (rows)
        log_error("%zu rows of requests may not be written down: the gateway that has the store did not say that they are", rows);
    log_info("the old gateway has ended what it had begun");
    timer_cancel(&u->tick);
    gateway_end(u->g, EXIT_OK);
}

static void cut(struct upgrade *u)
{
    struct gateway *g = u->g;
    u->cut = true;
    log_warn("%zu requests did not finish within the drain limit; they are cut", api_running(g->api));
    limits_without_server(g->limits);
    http_server_free(g->server);
    g->server = NULL;
    api_use_server(g->api, NULL);
    u->until_ms = loop_now_ms(g->loop) + LAST_ROWS_MS;
}

static void look_leaving(struct upgrade *u)
{
    bool waits = u->heir && heir_waits(u->heir);
    pass_conns(u);
    tell_held(u);
    if (!waits && !open_here(u->g) && list_empty(&u->rows))
        leave(u);
    else if (is_late(u) && u->cut)
        leave(u);
    else if (is_late(u))
        cut(u);
    if (timer_is_set(&u->tick) || u->state != LEAVING)
        return;
    timer_set(&u->tick, LEAVING_LOOK_MS);
}

static void put_answer(const struct upgrade *u, double gap_ms, struct buf *out)
{
    struct json_out o = json_out(out);
    const struct {
        const char *key, *version;
        int pid;
    } both[] = { { "from", HOB_VERSION, (int)getpid() }, { "to", u->version, u->pid } };
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    for (size_t i = 0; i < COUNTOF(both); i++) {
        json_key(&o, str_of(both[i].key));
        json_begin_object(&o);
        json_key(&o, STR("version"));
        json_string(&o, str_of(both[i].version));
        json_key(&o, STR("pid"));
        json_int(&o, both[i].pid);
        json_end_object(&o);
    }
    json_key(&o, STR("program"));
    json_string(&o, str_of(u->program));
    json_key(&o, STR("connections"));
    json_int(&o, (int64_t)u->passed);
    json_key(&o, STR("requests"));
    json_int(&o, (int64_t)api_running(u->g->api));
    json_key(&o, STR("gap_ms"));
    json_double(&o, gap_ms, 1);
    json_end_object(&o);
}

static void served(struct upgrade *u, int64_t since_ns)
{
    struct gateway *g = u->g;
    struct buf answer = { 0 };
    double gap_ms = (double)(since_ns - u->shut_ns) / 1e6;
    enter(u, LEAVING, g->config->drain_ms);
    g->retired = true;
    api_shadow(g->api, NULL, 0); /* the other sends copies now */
    u->why = (struct err){ .code = ERR_OK };
    close(g->lock_fd); /* the other has it, too: it is held by whoever is left */
    g->lock_fd = -1;
    notify_free(g->notify);
    g->notify = NULL;
    requests_forward(g->store, forward, u);
    pass_conns(u);
    if (reload_waits(g->reload))
        say(u, HEIR_RELOAD, 0, 0, STR(""), -1);
    log_info("%s (%s, process %d) has taken over: %zu connections handed over, %zu requests end here; nobody accepted for %.1f ms", u->program, u->version,
        u->pid, u->passed, api_running(g->api), gap_ms);
    put_answer(u, gap_ms, &answer);
    tell(u, buf_str(&answer), NULL);
    buf_free(&answer);
    timer_set(&u->tick, 1);
}

/* ---- CLOSING, GIVEN ---- */

static void let_go(struct upgrade *u)
{
    struct gateway *g = u->g;
    enter(u, CLOSING, CLOSING_MS);
    u->shut_ns = clock_mono_ns();
    listener_free(g->listener); /* the keeper has it, too: who comes waits in its line */
    g->listener = NULL;
    admin_shut(g->admin);
    reload_hold(g->reload, true);
    fleet_freeze(g->fleet, true);
    store_pause(g->store);
    timer_set(&u->tick, 1);
}

static void give(struct upgrade *u)
{
    int lock = fcntl(u->g->lock_fd, F_DUPFD_CLOEXEC, 0);
    if (lock < 0) { /* it would serve without, and so might another hob */
        err_set(&u->why, ERR_UPGRADE, "The lock on the state folder could not be handed over: %s.", strerror(errno));
        drop(u);
        return;
    }
    enter(u, GIVEN, GIVEN_MS);
    say(u, HEIR_GO, 0, 0, STR(""), lock);
    tell_all_held(u);
}

static void look_closing(struct upgrade *u)
{
    if (u->heir && store_is_paused(u->g->store)) {
        give(u);
    } else if (is_late(u)) {
        err_set(&u->why, ERR_UPGRADE, "The store could not be closed within %d s.", CLOSING_MS / 1000);
        drop(u);
    }
    timer_set(&u->tick, LOOK_MS);
}

static void look_given(struct upgrade *u)
{
    tell_held(u);
    if (is_late(u)) {
        err_set(&u->why, ERR_UPGRADE, "It did not listen within %d s.", GIVEN_MS / 1000);
        drop(u);
    }
    timer_set(&u->tick, LOOK_MS);
}

/* ---- SETTLING ---- */

static void look_settling(struct upgrade *u)
{
    struct gateway *g = u->g;
    struct str model = STR("");
    bool settled = fleet_is_settled(g->fleet, &model) && !api_has_stuck(g->api, &model);
    if (settled && !reload_runs(g->reload) && g->listener) {
        let_go(u);
        return;
    }
    if (is_late(u)) {
        err_set(&u->why, ERR_UPGRADE, settled ? "A configuration was being taken over all the time." : "The model '%.*s' was on its way in or out all the time.",
            STR_ARG(model));
        err_hint(&u->why, "Try again later.");
        drop(u);
        return;
    }
    timer_set(&u->tick, LOOK_MS);
}

/* ---- the other's words ---- */

static void ready(struct upgrade *u, const struct heir_msg *m)
{
    snprintf(u->version, sizeof u->version, "%.*s", STR_ARG(m->text));
    if (m->id != HEIR_VERSION) {
        err_set(&u->why, ERR_UPGRADE, "It hands over in another way than %s does (%u, not %d).", HOB_VERSION, m->id, HEIR_VERSION);
        err_hint(&u->why, "Restart hob to have it.");
    } else if ((int64_t)m->number < store_schema()) {
        err_set(&u->why, ERR_UPGRADE, "It is older than the store: it could not write down a request (schema %llu, not %d).", (unsigned long long)m->number,
            store_schema());
    }
    if (u->why.code) {
        drop(u);
        return;
    }
    enter(u, SETTLING, u->g->config->drain_ms + CLOSING_MS); /* who leaves may take so long */
    timer_set(&u->tick, 1);
}

static void on_msg(void *ctx, const struct heir_msg *m)
{
    struct upgrade *u = ctx;
    if (m->fd >= 0)
        close(m->fd);
    if (m->word == HEIR_READY && u->state == AWAITED)
        ready(u, m);
    else if (m->word == HEIR_FAILED && u->state < LEAVING)
        err_set(&u->why, ERR_UPGRADE, "%.*s", STR_ARG(m->text)); /* that it is gone comes by the keeper */
    else if (m->word == HEIR_SERVING && u->state == GIVEN)
        served(u, (int64_t)m->number);
    else if (m->word == HEIR_ROW_DONE)
        row_done(u, m);
}

static void on_end(void *ctx)
{
    struct upgrade *u = ctx;
    heir_free(u->heir);
    u->heir = NULL;
    if (u->state == LEAVING)
        pass_conns(u); /* nobody is there: the keeper brings another */
}

static const struct heir_ops heir_ops = { on_msg, on_end };

void upgrade_heir_again(struct upgrade *u, int fd)
{
    if (u->state != LEAVING && u->state != GIVEN) {
        close(fd);
        return;
    }
    heir_free(u->heir);
    u->heir = heir_new(u->g->loop, fd, &heir_ops, u);
    if (u->state == GIVEN) { /* it served, and died before we heard of it */
        served(u, clock_mono_ns());
        tell_all_held(u);
        return;
    }
    tell_all_held(u);
    for (const struct list *at = u->rows.next; at != &u->rows; at = at->next)
        send_row(u, list_entry(at, struct request_put, node), true);
}

/* ---- the beginning ---- */

static void on_started(void *ctx, int pid, int fd, const struct err *e)
{
    struct upgrade *u = ctx;
    if (e && e->sys == EBUSY && u->state == ASKED && !is_late(u)) { /* who was there before us is not quite gone */
        u->state = QUEUED;
        timer_set(&u->tick, AGAIN_MS);
        return;
    }
    if (e) {
        if (!u->why.code)
            err_set(&u->why, ERR_UPGRADE, "%s", e->text);
        fail(u);
        return;
    }
    u->pid = pid;
    u->heir = heir_new(u->g->loop, fd, &heir_ops, u);
    if (u->state != ASKED)
        return;
    enter(u, AWAITED, u->wish.wait_ms);
    timer_set(&u->tick, u->wish.wait_ms);
}

static void ask(struct upgrade *u)
{
    const struct cli_args *a = u->g->args;
    struct str argv[CLI_MAX_ARGS + 2];
    size_t n = 0;
    argv[n++] = str_of(u->program);
    for (int i = 1; i < a->argc && n < COUNTOF(argv); i++)
        argv[n++] = str_of(a->argv[i]);
    u->state = ASKED;
    keeper_upgrade(u->g->keeper, argv, n, on_started, u);
}

static void look_queued(struct upgrade *u)
{
    if (!u->g->after) {
        ask(u);
    } else if (is_late(u) && !u->dropped_elder) { /* past its own limit: it hangs */
        log_error("the gateway before this one does not end: killed");
        u->dropped_elder = true;
        keeper_drop_heir(u->g->keeper);
        enter(u, QUEUED, LAST_ROWS_MS);
        timer_set(&u->tick, AGAIN_MS);
    } else if (is_late(u)) {
        err_set(&u->why, ERR_UPGRADE, "The gateway before this one still answers what it had begun.");
        fail(u);
    } else {
        timer_set(&u->tick, AGAIN_MS);
    }
}

static void look_awaited(struct upgrade *u)
{
    err_set(&u->why, ERR_UPGRADE, "It was not ready within %.1f s.", (double)u->wish.wait_ms / 1000);
    drop(u);
}

static void tick(void *ctx)
{
    struct upgrade *u = ctx;
    switch (u->state) {
    case IDLE:
    case ASKED:
    case DROPPED:
        break;
    case QUEUED:
        look_queued(u);
        break;
    case AWAITED:
        look_awaited(u);
        break;
    case SETTLING:
        look_settling(u);
        break;
    case CLOSING:
        look_closing(u);
        break;
    case GIVEN:
        look_given(u);
        break;
    case LEAVING:
        look_leaving(u);
        break;
    }
}

/* Is there something to run? Told at once, in plainer words than an exec's. */
static enum err_code check_program(const char *path, struct err *e)
{
    struct stat st;
    if (stat(path, &st))
        return err_sys(e, ERR_UPGRADE, errno, "There is no program at %s", path);
    if (!S_ISREG(st.st_mode) || access(path, X_OK))
        return err_set(e, ERR_UPGRADE, "%s is no program that can be run.", path);
    return ERR_OK;
}

/* What waits in memory for the disk would be written by two at once, or by nobody. */
static enum err_code check_store(struct store *store, struct err *e)
{
    struct store_health h;
    store_health(store, &h);
    if (!h.failing && !h.held)
        return ERR_OK;
    err_set(e, ERR_UPGRADE, "The store cannot be written, and %zu rows wait in memory for it: %s", h.held, h.why);
    return err_hint(e, "Mend that first (doc/guide/troubleshooting.md): then they are written, and nothing is lost.");
}

static enum err_code begin(void *ctx, const struct upgrade_wish *w, struct err *e)
{
    struct gateway *g = ctx;
    struct upgrade *u = g->upgrade;
    char program[sizeof u->program];
    if (g->draining)
        return err_set(e, ERR_SHUTTING_DOWN, "The gateway is shutting down.");
    if (u->state != IDLE)
        return err_set(e, ERR_UPGRADE, g->retired ? "Another gateway has taken over already." : "Another program is about to take over already.");
    snprintf(program, sizeof program, "%.*s", STR_ARG(w->program.p ? w->program : str_of(g->args->argv[0])));
    if (check_program(program, e) || check_store(g->store, e))
        return e->code;
    memcpy(u->program, program, sizeof program);
    u->wish = *w;
    u->wish.program = STR("");
    if (!u->wish.wait_ms)
        u->wish.wait_ms = READY_MS;
    u->why = (struct err){ .code = ERR_OK };
    u->passed = 0;
    u->stop = u->dropped_elder = false;
    log_info("%s is to take over", u->program);
    enter(u, QUEUED, g->config->drain_ms + CLOSING_MS);
    timer_set(&u->tick, 1);
    return ERR_OK;
}

static void asker_gone(void *ctx, void *wish_ctx)
{
    struct gateway *g = ctx;
    if (g->upgrade->wish.ctx == wish_ctx)
        g->upgrade->wish.on_done = NULL;
}

bool upgrade_stops(struct upgrade *u)
{
    if (!u || u->state == IDLE)
        return false;
    if (u->state >= CLOSING && u->state <= LEAVING) { /* the keeper kills one that has not taken over; else both end what they have */
        u->stop = true;
        return true;
    }
    if (!u->why.code)
        err_set(&u->why, ERR_SHUTTING_DOWN, "The gateway is shutting down.");
    tell(u, STR(""), &u->why);
    timer_cancel(&u->tick);
    return false;
}

struct upgrade *upgrade_new(struct gateway *g)
{
    struct upgrade *u = calloc(1, sizeof *u);
    if (!u)
        die("out of memory");
    u->g = g;
    list_init(&u->rows);
    timer_init(&u->tick, g->loop, tick, u);
    admin_use_upgrade(g->admin, begin, asker_gone, g);
    return u;
}

void upgrade_free(struct upgrade *u)
{
    if (!u)
        return;
    timer_cancel(&u->tick);
    heir_free(u->heir);
    free(u->held);
    free(u);
}
