/* The gateway process: joins the rooms, listens, serves, drains. Started by the keeper, which holds the listening socket and the children.
 *
 *   starting -> serving -> draining (no new requests, the running ones finish, `drain:` at most) -> stopping (children go) -> end
 *
 * Leaving by exit code tells the keeper that it was meant; dying by a signal means: start me again. */
#include "cli/gateway_int.h"

#include "base/clock.h"
#include "cli/accepted.h"
#include "cli/assume.h"
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/limits.h"
#include "cli/table.h"
#include "cli/told.h"
#include "fleet/estimate.h"
#include "proc/filter.h"
#include "proc/run_keeper.h"
#include "proc/sweep.h"
#include "store/captured.h"
#include "store/look.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { PORTS_TO_TRY = 100, FLUSH_LOOK_MS = 20, LOCK_TRIES = 20, LOCK_PAUSE_MS = 10 };

/* ---- the end ---- */

void gateway_end(struct gateway *g, int code)
{
    if (!g->exit_code)
        g->exit_code = code;
    loop_stop(g->loop);
}

static void children_gone(void *ctx)
{
    struct gateway *g = ctx;
    g->stopped = !fleet_has_wedged(g->fleet); /* else it ends as it is: the keeper has the child */
    gateway_end(g, EXIT_OK);
}

static void stop_children(void *ctx)
{
    struct gateway *g = ctx;
    if (g->stopping)
        return;
    g->stopping = true;
    timer_cancel(&g->drain_limit);
    timer_cancel(&g->flush);
    fleet_stop(g->fleet, children_gone, g);
}

/* Each request is answered, but who reads slowly may not have all of it yet. */
static void answers_out(void *ctx)
{
    struct gateway *g = ctx;
    bool elder = g->after != NULL; /* it may still need the children */
    if (elder || (g->server && http_server_flushing(g->server)))
        timer_set(&g->flush, FLUSH_LOOK_MS);
    else
        stop_children(g);
}

static void drain_over(void *ctx)
{
    struct gateway *g = ctx;
    if (g->server)
        log_warn("%zu requests did not finish within the drain limit; they are cut", api_running(g->api) + http_server_flushing(g->server));
    http_server_free(g->server);
    g->server = NULL;
    limits_without_server(g->limits);
    api_use_server(g->api, NULL);
    if (api_is_reading(g->api)) /* it cannot be called back, and takes seconds at most */
        timer_set(&g->drain_limit, FLUSH_LOOK_MS);
    else
        stop_children(g);
}

void gateway_drain(struct gateway *g)
{
    if (g->draining || upgrade_stops(g->upgrade))
        return;
    g->draining = true;
    notify_stopping(g->notify);
    notify_status(g->notify, "stopping: running answers finish");
    reload_stop(g->reload);
    if (api_running(g->api))
        log_info("finishing %zu requests; again to stop at once", api_running(g->api));
    listener_free(g->listener);
    g->listener = NULL;
    daemon_forget_address(g->config);
    http_server_drain(g->server);
    timer_set(&g->drain_limit, g->config->drain_ms);
    api_drain(g->api, answers_out, g);
}

/* ---- what the keeper says ---- */

static void on_exited(void *ctx, const struct keeper_exit *x)
{
    struct gateway *g = ctx;
    if (g->services) /* else it is not built yet, and will ask what runs */
        services_exited(g->services, x);
}

static void on_stop(void *ctx, bool hard)
{
    struct gateway *g = ctx;
    if (hard || !g->services)
        gateway_end(g, EXIT_FAILED);
    else
        gateway_drain(g);
}

void gateway_ask_reload(struct gateway *g)
{
    if (g->draining || g->retired || !g->reload)
        return; /* the service manager was told that we stop: nothing else is true any more */
    notify_reloading(g->notify);
    reload_ask(g->reload, &g->signalled);
}

static void on_reload(void *ctx)
{
    gateway_ask_reload(ctx);
}

static void on_heir_gone(void *ctx, int exit_code, int signal)
{
    struct gateway *g = ctx;
    upgrade_heir_gone(g->upgrade, exit_code, signal);
}

static void on_heir(void *ctx, int fd)
{
    struct gateway *g = ctx;
    upgrade_heir_again(g->upgrade, fd);
}

static void tell_status(struct gateway *g);

/* What HUP has asked for is done, or was refused: the log says which. */
static void signal_served(void *ctx, struct str json, const struct err *e)
{
    struct gateway *g = ctx;
    (void)json;
    (void)e;
    if (!g->draining)
        notify_ready(g->notify);
}

static void limit_rows(struct gateway *g)
{
    const struct config *c = g->config;
    struct requests_limits l = { .keep_ms = c->rows_keep_ms, .bytes = c->rows_bytes, .power = c->durability == DURABLE_POWER, .spool_bytes = c->rows_spool_bytes };
    requests_limit(g->store, &l);
}

/* NULL: there was no configuration. */
static bool captured_so(const struct config *before, const struct conf_role *now)
{
    for (size_t i = 0; before && i < before->nroles; i++) {
        const struct conf_capture *was = &before->roles[i].capture, *w = &now->capture;
        if (str_eq(before->roles[i].name, now->name))
            return was->share == w->share && was->keep_ms == w->keep_ms && was->most == w->most;
    }
    return false;
}

/* Roles that keep asks say so in the log: who runs hob shall know it without looking for it. */
static void limit_captured(struct gateway *g, const struct config *before)
{
    const struct config *c = g->config;
    struct captured_limit *at = calloc(c->nroles + 1, sizeof *at);
    size_t n = 0;
    if (!at)
        die("out of memory for limits");
    for (size_t i = 0; i < c->nroles; i++) {
        const struct conf_capture *w = &c->roles[i].capture;
        char keep[32];
        if (w->share <= 0)
            continue;
        at[n++] = (struct captured_limit){ c->roles[i].name, w->keep_ms, w->most };
        if (captured_so(before, &c->roles[i]))
            continue;
        log_info("role %.*s: %g%% of its asks are kept with their answers, %lld at most, for %s (capture)", STR_ARG(c->roles[i].name), w->share * 100, (long long)w->most,
            show_ms(w->keep_ms, keep).p);
    }
    captured_limit(g->store, at, n);
    free(at);
}

static void on_change(void *ctx, const struct config *now, struct keys *keys)
{
    struct gateway *g = ctx;
    if (keys)
        api_use_keys(g->api, keys);
    const struct config *before = g->config;
    g->config = conf_hold(now);
    limit_rows(g);
    limit_captured(g, before);
    conf_free(before);
    limits_apply(g->limits, now);
    accepted_keep(now);
    swaps_settle(g->swaps);
    if (!g->flipping && g->swaps_known)
        told_config(g->told, now);
    estimate_warm(g->loop, g->config, g->store);
    tell_status(g);
}

/* ---- swaps ---- */

static const struct config *swap_config(void *ctx)
{
    struct gateway *g = ctx;
    return world_config(fleet_world(g->fleet));
}

static void swap_flip(void *ctx)
{
    struct gateway *g = ctx;
    g->flipping = true;
    if (!g->draining && !g->retired)
        reload_flip(g->reload);
    g->flipping = false;
}

static void swap_told(void *ctx, const struct swap *s, enum swap_step step, struct str role, struct str why)
{
    struct gateway *g = ctx;
    if (!g->retired && !g->draining)
        told_step(g->told, swap_config(g), s, step, role, why);
}

static const struct config *lay_over(void *ctx, const struct config *base)
{
    struct gateway *g = ctx;
    return swaps_overlay(g->swaps, base);
}

static void on_row(void *ctx, const struct request_row *r, int64_t at)
{
    struct gateway *g = ctx;
    if (!g->retired) /* else another watches */
        swaps_row(g->swaps, r, at);
}

static void where_is(void *ctx, struct str model, struct swaps_place *out)
{
    struct gateway *g = ctx;
    struct world *w = fleet_world(g->fleet);
    const struct config *c = world_config(w);
    const struct conf_model *m = conf_model(c, model);
    struct fleet_figures f;
    if (g->retired || !m || !world_backend(w, (size_t)(m - c->models))->kind->managed) /* else another watches */
        return;
    fleet_figures(w, (size_t)(m - c->models), &f);
    out->pid = backend_pid(world_backend(w, (size_t)(m - c->models)));
    out->expected_bytes = f.booked_bytes > f.estimated_bytes ? f.booked_bytes : f.estimated_bytes;
    snprintf(out->engine, sizeof out->engine, "%.12s", fleet_engine(w, (size_t)(m - c->models)));
}

/* What is copied from now on. */
static void swap_shadow(void *ctx)
{
    struct gateway *g = ctx;
    struct swaps_shadow on[SHADOW_MAX_COURSES];
    struct shadow_wish wishes[SHADOW_MAX_COURSES];
    size_t n = g->retired ? 0 : swaps_shadows(g->swaps, on, COUNTOF(on));
    for (size_t i = 0; i < n; i++)
        wishes[i] = (struct shadow_wish){ .swap = on[i].swap->id, .role = on[i].role->name, .from = on[i].role->from, .to = on[i].role->to,
            .share = on[i].swap->shadow_share, .idle_ms = on[i].swap->shadow_idle_ms };
    api_shadow(g->api, wishes, n);
}

static const struct swaps_ops swaps_ops = { .config = swap_config, .flip = swap_flip, .told = swap_told, .shadow = swap_shadow, .place = where_is };

/* Callers come when it is known who runs, and what is swapped: from the first request on it is as it was before a restart. An heir's store could be had, then. */
static void listen_when_known(struct gateway *g)
{
    if (g->listed && g->swaps_known && !g->draining)
        gateway_listen(g);
}

static keeper_list_fn on_list;

static void swaps_known(void *ctx)
{
    struct gateway *g = ctx;
    g->swaps_known = true;
    told_config(g->told, swap_config(g));
    keeper_list(g->keeper, on_list, g); /* who runs is held against what is to run, and a swap may have moved it to another engine */
}

static void reload(void *ctx, struct reload_wish *w)
{
    struct gateway *g = ctx;
    reload_ask(g->reload, w);
}

static void on_lost(void *ctx)
{
    (void)ctx;
    log_error("the keeper is gone; so are the models");
    _exit(EXIT_FAILED);
}

static const struct keeper_ops keeper_ops = { on_exited, on_stop, on_reload, on_lost, on_heir_gone, on_heir };

/* ---- serving ---- */

static void on_conn(void *ctx, int fd)
{
    struct gateway *g = ctx;
    if (g->server)
        http_server_take(g->server, fd);
    else
        close(fd);
}

/* For `systemctl status`. */
static void tell_status(struct gateway *g)
{
    const struct backend *loading = NULL;
    size_t hot = 0, ours = 0;
    struct world *w = fleet_world(g->fleet);
    for (size_t i = 0; i < world_config(w)->nmodels; i++) {
        const struct backend *b = world_backend(w, i);
        ours += b->kind->managed;
        hot += b->kind->managed && b->state == BACKEND_HOT;
        loading = b->state == BACKEND_LOADING ? b : loading;
    }
    if (g->draining || g->retired)
        return;
    if (loading)
        notify_status(g->notify, "loading %.*s", STR_ARG(loading->model->name));
    else
        notify_status(g->notify, "ready: %zu of %zu models in memory", hot, ours);
}

static void tell_ready(const struct backend *b)
{
    char context[48] = "";
    if (b->context) /* a program of its own need not say */
        snprintf(context, sizeof context, "context %lld, ", (long long)b->context);
    log_info("%.*s is ready after %.1f s: %s%lld slot%s", STR_ARG(b->name), (double)b->load_ms / 1000, context, (long long)b->slots,
        b->slots == 1 ? "" : "s");
}

/* In which build it has come up, or has not. */
static void tell_swaps(struct gateway *g, const struct backend *b)
{
    const struct conf_engine *e = b->model->file.n ? conf_engine(b->config, b->model->engine) : NULL;
    if (e && !g->draining && !g->retired && (b->state == BACKEND_HOT || b->state == BACKEND_FAILED))
        swaps_backend(g->swaps, b->name, e->path, b->state == BACKEND_FAILED ? &b->last_error : NULL);
}

static void on_backend_state(void *ctx, struct backend *b)
{
    struct gateway *g = ctx;
    tell_status(g);
    if (!b->kind->managed)
        return;
    tell_swaps(g, b);
    if (b->state == BACKEND_LOADING)
        log_info("loading %.*s", STR_ARG(b->name));
    else if (b->state == BACKEND_HOT)
        tell_ready(b);
    else if (b->state == BACKEND_FAILED && g->strict && b->model->keep == KEEP_HOT)
        gateway_end(g, EXIT_FAILED);
}

static void port_taken(struct gateway *g, const struct err *e)
{
    if (!g->next_free_port || ++g->port_tries >= PORTS_TO_TRY || g->wanted.port == 0 || g->wanted.port == 65535) {
        struct err named = *e;
        if (!named.hint[0])
            err_hint(&named, "Stop what uses the port, or choose another with --listen, or let --next-free-port choose.");
        log_error("%s%s %s", named.text, err_stop(&named), named.hint);
        gateway_end(g, EXIT_FAILED);
        return;
    }
    g->wanted.port++;
    gateway_listen(g);
}

/* Of this process: on a busy machine the rest of a start is waiting for a turn. */
static double processor_ms(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) ? 0 : (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void on_listening(void *ctx, int fd, struct str bound, const struct err *e)
{
    struct gateway *g = ctx;
    if (g->draining) { /* told to stop while it was on its way */
        if (!e)
            close(fd);
        return;
    }
    if (e) {
        port_taken(g, e);
        return;
    }
    if (g->port_tries)
        log_info("%.*s is taken, the next free port is used", STR_ARG(g->config->listen));
    g->listener = listener_new(g->loop, fd, on_conn, g);
    if (g->listened) /* it was let go of for a while, and came back */
        return;
    g->listened = true;
    log_info("listening on %.*s", STR_ARG(bound));
    log_debug("started in %.1f ms: %.1f ms to read the configuration, %.1f ms to build, the rest until the store and the keeper had answered; %.1f ms of processor",
        clock_ms_between(g->began_ns, clock_mono_ns()), clock_ms_between(g->began_ns, g->read_ns), clock_ms_between(g->read_ns, g->built_ns), processor_ms());
    if (!addr_is_loopback(&g->wanted))
        log_warn("keys and answers cross the network unencrypted: put a proxy with TLS in front, or listen on an address of a VPN");
    daemon_write_address(g->config, bound);
    keeper_ready(g->keeper);
    if (g->on_trial) /* from here on nobody goes back to who was there before */
        store_resume(g->store);
    g->on_trial = false;
    if (g->after)
        succeed_serving(g->after);
    notify_ready(g->notify); /* /livez answers; models come, and go, as they are needed */
    tell_status(g);
    fleet_start(g->fleet);
    estimate_warm(g->loop, g->config, g->store);
}

void gateway_listen(struct gateway *g)
{
    char address[320];
    addr_format(&g->wanted, address, sizeof address);
    keeper_listen(g->keeper, str_of(address), on_listening, g);
}

/* Before the first byte from outside; the sweep needs what is dropped. */
static void drop_powers(struct gateway *g)
{
    if (!g->config->sandbox)
        return;
    filter_hide();
    const char *why = filter_enter();
    if (why)
        log_info("no filter of system calls for the gateway: %s", why);
}

static struct str host_of(const struct addr *a)
{
    struct str host = str_of(a->host);
    return str_eq(host, STR("localhost")) ? STR("127.0.0.1") : host; /* as the keeper has it */
}

/* With --next-free-port a gateway before us may have had to go on from the port that is wanted: callers know that one, and it is still open. */
static void keep_port(struct gateway *g, const struct str *doors, size_t n)
{
    struct addr is;
    struct err e;
    uint16_t found = 0;
    for (size_t i = 0; i < n && g->next_free_port; i++)
        if (!addr_parse(doors[i], &is, &e) && is.kind == ADDR_TCP && str_eq(host_of(&is), host_of(&g->wanted)) && is.port >= g->wanted.port &&
            is.port - g->wanted.port < PORTS_TO_TRY && (!found || is.port < found))
            found = is.port;
    if (found && g->wanted.port)
        g->wanted.port = found;
}

/* What runs already. After a crash that is what the last gateway had: its children are taken over, and those that nobody wants any more are stopped.
 * At the first start nothing of ours should run: what does is left over from a keeper that was killed. */
static void on_list(void *ctx, const struct keeper_child *children, size_t n, const struct str *doors, size_t ndoors)
{
    struct gateway *g = ctx;
    if (g->draining)
        return; /* the keeper ends what runs when we have ended */
    keep_port(g, doors, ndoors);
    if (keeper_starts(g->keeper) == 1)
        sweep_strays(str_of(g->run_dir), SWEEP_ALL);
    drop_powers(g);
    for (size_t i = 0; i < n; i++) {
        struct keeper_child c = children[i];
        c.as_it_is = g->after != NULL; /* the one before us may be using it */
        if (fleet_adopt(g->fleet, &c))
            continue;
        log_info("%.*s is in the configuration no more: stopped", STR_ARG(children[i].label));
        keeper_kill(g->keeper, children[i].label, 0, 0);
    }
    if (g->after)
        succeed_adopted(g->after);
    g->listed = true;
    listen_when_known(g);
}

void gateway_list(struct gateway *g)
{
    swaps_load(g->swaps, swaps_known);
}

void gateway_elder_gone(struct gateway *g)
{
    succeed_free(g->after);
    g->after = NULL;
}

static void on_signal(void *ctx, int signum)
{
    struct gateway *g = ctx;
    (void)signum;
    gateway_drain(g);
}

/* A command may hold it for a moment, to see whether somebody serves (store.c). */
static bool lock_soon(int fd)
{
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
        if (i == LOCK_TRIES)
            return false;
        poll(NULL, 0, LOCK_PAUSE_MS);
    }
    return true;
}

/* One hob for a state folder. The lock is the process's: it goes with it, however it ends, so that the next gateway gets it. Who comes after one that had just
 * taken over waits for it: the one before that has it until it knows. */
static int lock_state(struct gateway *g, bool again)
{
    char path[4096];
    const struct config *c = g->config;
    snprintf(path, sizeof path, "%.*s/" STORE_LOCK, STR_ARG(c->state));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        fprintf(stderr, "hob: cannot open %s: %s\n", path, strerror(errno));
        return EXIT_FAILED;
    }
    if (again ? flock(fd, LOCK_EX) != 0 : !lock_soon(fd)) {
        fprintf(stderr, "hob: another hob serves with the state folder %.*s\nhob: stop it, or give this one a folder of its own with --state or `state:`\n",
            STR_ARG(c->state));
        close(fd);
        return EXIT_FAILED;
    }
    g->lock_fd = fd; /* stays open */
    return EXIT_OK;
}

static int read_options(struct gateway *g, const struct cli_args *a)
{
    struct err e;
    struct str level = cli_option_value(a, "--log");
    enum log_level at = g->config->log;
    if (level.p && !log_level_parse(level, &at)) {
        fprintf(stderr, "hob: --log wants error, warn, info, debug or trace, not '%.*s'\n", STR_ARG(level));
        return EXIT_USAGE;
    }
    log_set_level(at);
    if (addr_parse(g->config->listen, &g->wanted, &e)) {
        cli_error(&e);
        return EXIT_USAGE;
    }
    if (!addr_is_loopback(&g->wanted) && !g->config->nkeys) {
        fprintf(stderr, "hob: %.*s is not a loopback address: others than this machine would be served without a key\n"
            "hob: `hob keys new NAME` makes one and says what to write under 'keys:'\n", STR_ARG(g->config->listen));
        return EXIT_USAGE;
    }
    if (keys_new(g->config, &g->keys, &e)) {
        cli_error(&e);
        return EXIT_FAILED;
    }
    g->next_free_port = cli_flag(a, "--next-free-port");
    g->strict = cli_flag(a, "--strict");
    if (rundir_make(g->config->state, g->run_dir, &e)) {
        cli_error(&e);
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

void gateway_build(struct gateway *g)
{
    accepted_keep(g->config);
    g->notify = notify_new(g->loop);
    g->services = services_new(g->loop, g->keeper);
    if (g->config->sandbox) /* we may start none, from drop_powers() on */
        run_by_keeper(g->loop, g->keeper, str_of(g->run_dir));
    g->meter = meter_new();
    if (g->on_trial)
        g->store = store_start_on_trial(g->loop, g->config->state, &g->opened);
    else
        g->store = g->after_kill ? store_start_again(g->loop, g->config->state) : store_start(g->loop, g->config->state);
    g->swaps = swaps_new(g->loop, g->store, &swaps_ops, g);
    g->told = told_new(g->loop, g->store);
    g->fleet = fleet_new(g->loop, conf_hold(g->config), g->services, str_of(g->run_dir), g->store);
    g->api = api_new(g->loop, g->fleet, g->meter);
    api_use_store(g->api, g->store);
    api_on_row(g->api, on_row, g);
    limit_rows(g);
    limit_captured(g, NULL);
    g->server = http_server_new(g->loop, &http_limits_default, &api_http, g->api);
    api_use_server(g->api, g->server);
    g->limits = limits_new(g->loop, g->server, g->api);
    limits_apply(g->limits, g->config);
    api_use_keys(g->api, g->keys);
    g->admin = admin_new(g->loop, g->fleet, g->keeper);
    g->reload = reload_new(g->loop, g->args, g->fleet, on_change, g);
    reload_use_overlay(g->reload, lay_over);
    g->signalled = (struct reload_wish){ .on_done = signal_served, .ctx = g };
    list_init(&g->signalled.node);
    api_use_admin(g->api, &admin_http, g->admin);
    admin_use_reload(g->admin, reload, g);
    admin_use_api(g->admin, g->api);
    admin_use_swaps(g->admin, g->swaps, g->store);
    g->upgrade = upgrade_new(g);
    fleet_watch(g->fleet, on_backend_state, g);
    timer_init(&g->drain_limit, g->loop, drain_over, g);
    timer_init(&g->flush, g->loop, answers_out, g);
    loop_on_signal(g->loop, SIGTERM, on_signal, g);
}

/* Only after an orderly end: everything idle, no child left. */
static void take_apart(struct gateway *g)
{
    gateway_elder_gone(g);
    upgrade_free(g->upgrade);
    admin_free(g->admin);
    store_close(g->store); /* the last requests hold what is the fleet's until their rows are written */
    swaps_free(g->swaps);
    told_free(g->told);
    run_by_keeper_end(); /* who waits on the pool for a program is sent home */
    fleet_free(g->fleet);
    services_free(g->services);
    keeper_free(g->keeper);
    notify_free(g->notify);
    limits_free(g->limits);
    api_end(g->api);
    loop_free(g->loop);
    reload_free(g->reload);
    api_free(g->api);
    meter_free(g->meter);
    rundir_tidy(g->config->state, g->run_dir);
    conf_free(g->config);
}

/* An heir goes on with what is in force, whatever the file says by now: that is a reload's affair. */
static int load_heirs(struct gateway *g, struct config **out)
{
    struct err e = { 0 };
    int rc = EXIT_OK;
    enum log_level level;
    if (log_level_parse(cli_option_value(g->args, "--log"), &level))
        log_set_level(level);
    if (cli_read_accepted(g->args, out, &e))
        rc = cli_load_models(g->args, out);
    if (rc)
        succeed_fail(e.code ? str_of(e.text) : STR("It cannot read the configuration."));
    return rc;
}

static int load(struct gateway *g, bool heir, bool again)
{
    struct config *config = NULL;
    int rc = heir ? load_heirs(g, &config) : cli_load_models(g->args, &config);
    if (rc && !heir) /* a gateway before us may have had a better one */
        rc = cli_load_accepted(g->args, &config);
    g->config = config;
    if (!rc)
        rc = read_options(g, g->args);
    if (!rc && !heir)
        rc = lock_state(g, again); /* an heir is given it */
    return rc;
}

/* For the first, and for one that comes after a crash: all of it is ours. */
static void begin(struct gateway *g, bool again)
{
    gateway_build(g);
    if (again)
        succeed_again(g);
    admin_open(g->admin);
    g->built_ns = clock_mono_ns();
    gateway_list(g);
}

int gateway_run(const struct cli_args *a)
{
    static struct gateway g; /* static: what an end at once leaves behind is still somebody's */
    bool again, heir = succeed_is_heir(&again);
    g.after_kill = getenv(KEEPER_KILLED_NAME) != NULL;
    unsetenv(KEEPER_KILLED_NAME);
    g.args = a;
    g.lock_fd = -1;
    g.began_ns = clock_mono_ns();
    int rc = load(&g, heir, again);
    g.read_ns = clock_mono_ns();
    if (rc)
        return rc;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is the store's affair */
    if (g.config->sandbox)
        filter_refuse_rings();
    g.loop = loop_new();
    g.keeper = keeper_attach(g.loop, KEEPER_FD, &keeper_ops, &g);
    if (heir)
        succeed_begin(&g);
    else
        begin(&g, again);
    loop_run(g.loop);
    if (!g.retired && (g.listened || !heir)) /* else it is another's */
        daemon_forget_address(g.config);
    if (!g.stopped)
        return g.exit_code; /* at once: the keeper sees to the children, the system to the rest */
    listener_free(g.listener);
    http_server_free(g.server);
    take_apart(&g);
    return g.exit_code;
}
