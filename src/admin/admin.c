/* The door: a socket made by the keeper (0600), a server of its own, and the table of what may be asked there. The public door
 * knows none of these paths, so no page in a browser can reach them. */
#include "admin/admin_int.h"

#include "api/reply.h"
#include "api/state.h"
#include "net/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

enum { BODY_MAX_BYTES = 64 * 1024 };

static void models(struct admin *a, struct http_req *r)
{
    struct buf body = { 0 };
    view_models(fleet_world(a->fleet), &body);
    reply_json(r, 200, STR(""), buf_str(&body));
    buf_free(&body);
}

static void state(struct admin *a, struct http_req *r)
{
    struct buf body = { 0 };
    state_put(a->fleet, &body);
    reply_json(r, 200, STR(""), buf_str(&body));
    buf_free(&body);
}

static void version(struct admin *a, struct http_req *r)
{
    struct buf body = { 0 };
    (void)a;
    admin_put_version(&body, getpid());
    reply_json(r, 200, STR(""), buf_str(&body));
    buf_free(&body);
}

static const struct admin_row rows[] = {
    /* method  path                     handler        body */
    { "GET",  "/hob/v1/ps",            admin_ps,      false, "What runs, its memory, slots, queue and last error." },
    { "GET",  "/hob/v1/models",        models,        false, "Models, roles and tiers, as configured and as they are." },
    { "GET",  "/hob/v1/state",         state,         false, "Models and memory in brief, as another hob is told them at the public address, too." },
    { "GET",  "/hob/v1/logs",          admin_logs,    false, "Rows about requests, the last 100 or as asked for." },
    { "GET",  "/hob/v1/gain",          admin_gain,    false, "What was answered here and elsewhere, and what that saved." },
    { "GET",  "/hob/v1/callers",       admin_callers, false, "Who asks by which name, how often, and when last." },
    { "GET",  "/hob/v1/stats",         admin_stats,   false, "Long-run averages of a window (`?window=24h`), by model, role, caller or host (`by=`), beside another window (`against=48h..24h`, `before=1`)." },
    { "GET",  "/hob/v1/stats/residency", admin_stats_residency, false, "What models in memory were good for (`?window=7d`): requests an hour, GiB-hours, loads saved and suffered, and whether to keep them hot." },
    { "GET",  "/hob/v1/advise",        admin_advise,  false, "Where a role (`?role=`) is better answered, here, elsewhere or both, with the figures, what would change that, and what is not known." },
    { "GET",  "/hob/v1/version",       version,       false, "This program and its libraries." },
    { "GET",  "/hob/v1/models/history", admin_served, false, "Which model answered which role or tier (`?role=`) from when until when, by which swap or because the configuration says so." },
    { "POST", "/hob/v1/models/load",   admin_load,    true,  "Load a model; answers when it is hot or cannot be." },
    { "POST", "/hob/v1/models/unload", admin_unload,  true,  "Let a model finish what it does, then unload it." },
    { "POST", "/hob/v1/route/explain", admin_explain, true,  "Who would answer this request, and why; its head counts, too. Nothing is asked of any model. `?show_body=first`, or `all`: and what they would be sent." },
    { "GET",  "/hob/v1/evals",         admin_evals,   false, "Runs of suites, newest first." },
    { "GET",  "/hob/v1/evals/show",    admin_eval_show, false, "One of them (`?run=`) with its results." },
    { "POST", "/hob/v1/evals",         admin_eval_new, true, "Begin a run: answers with its number." },
    { "POST", "/hob/v1/evals/results", admin_eval_results, true, "Put results to a run; the same case, place and turn again is written over." },
    { "GET",  "/hob/v1/captured",      admin_captured, false, "Asks that are kept for suites, where a role says so: how many of each role, those of one (`?role=`), and what was asked and answered (`&at=1,2`)." },
    { "POST", "/hob/v1/captured/forget", admin_captured_forget, true, "Delete all that are kept of a role." },
    { "GET",  "/hob/v1/swaps",         admin_swaps,   false, "Swaps of models under roles, or that one (`?id=`)." },
    { "GET",  "/hob/v1/swaps/log",     admin_swap_log, false, "The steps that swaps have taken, with who took them and why: which model answered which role when." },
    { "GET",  "/hob/v1/swaps/series",  admin_swap_series, false, "How the roles of a swap (`?id=`) were served of late, hour by hour: requests, faults, the first token's median." },
    { "GET",  "/hob/v1/swaps/baselines", admin_baselines, false, "What models did under roles, saved for the guards of trials." },
    { "POST", "/hob/v1/swaps/baseline", admin_baseline, true, "Save what the model of a role has done in the last 30 days, or forget what was saved (`do`: save, forget)." },
    { "POST", "/hob/v1/swaps/plan",    admin_swap_plan, true, "Plan a swap: which model takes whose place under which roles, or which build of an engine. Nothing changes yet." },
    { "POST", "/hob/v1/swaps/step",    admin_swap_step, true, "Take a step of a swap: evidence, smoke, shadow, start, promote, rollback or retire. Answers when it is written down and in force." },
    { "POST", "/hob/v1/upgrade",       admin_upgrade, false, "Have another program take over, with its listeners, models and connections; answers when it has. Which one (`program`) is only to be said on the admin socket." },
    { "POST", "/hob/v1/config/reload", admin_reload,  false, "Take over the configuration as it is now; answers what has changed." },
};

const struct admin_row *admin_row_at(size_t i)
{
    return i < COUNTOF(rows) ? &rows[i] : NULL;
}

/* ---- the handler ---- */

static const struct admin_row *find_row(struct str method, struct str path, const struct admin_row **same_path)
{
    *same_path = NULL;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        if (!str_eq(path, str_of(rows[i].path)))
            continue;
        *same_path = &rows[i];
        if (str_eq(method, str_of(rows[i].method)) || (str_eq(method, STR("HEAD")) && rows[i].method[0] == 'G'))
            return &rows[i];
    }
    return NULL;
}

static enum err_code on_head(void *ctx, struct http_req *r, size_t *body_limit, struct err *e)
{
    const struct admin *a = ctx;
    const struct admin_row *same_path, *row;
    struct str method = http_req_method(r), path = http_req_path(r);
    *body_limit = BODY_MAX_BYTES;
    if ((row = find_row(method, path, &same_path))) {
        if (row->handle == admin_explain || row->handle == admin_eval_results) /* a whole request, or whole answers */
            *body_limit = (size_t)world_config(fleet_world(a->fleet))->body_bytes;
        return ERR_OK;
    }
    if (same_path) {
        err_set(e, ERR_METHOD, "%.*s is not for '%.*s'.", STR_ARG(method), STR_ARG(path));
        return err_hint(e, "The Allow header names what is.");
    }
    err_set(e, ERR_NOT_FOUND, "There is nothing at '%.*s' on the admin socket.", path.n < 100 ? (int)path.n : 100, path.p ? path.p : "");
    return err_hint(e, "Models answer at the public address, under /v1.");
}

static void on_request(void *ctx, struct http_req *r)
{
    const struct admin_row *same_path;
    find_row(http_req_method(r), http_req_path(r), &same_path)->handle(ctx, r);
}

void admin_answer(struct http_req *r, struct str json, const struct err *e)
{
    if (e)
        admin_refuse(r, e);
    else
        reply_json(r, 200, STR(""), json);
}

bool admin_query_number(struct http_req *r, const char *name, int64_t *out)
{
    struct str query = http_req_query(r), value, rest;
    struct err e;
    for (*out = -1; query.n; query = rest)
        if (str_eq(str_cut(str_cut(query, '&', &rest), '=', &value), str_of(name))) {
            if (str_to_int(value, 1, INT64_MAX, out))
                return true;
            err_set(&e, ERR_INVALID_REQUEST, "`%s` is a whole number from 1.", name);
            err_param(&e, "%s", name);
            admin_refuse(r, &e);
            return false;
        }
    return true;
}

void admin_refuse(struct http_req *r, const struct err *e)
{
    const struct admin_row *row = NULL;
    char id[REQUEST_ID_BYTES], allow[64] = "";
    reply_make_id(id);
    if (e->code == ERR_METHOD)
        find_row(STR(""), http_req_path(r), &row);
    if (row)
        snprintf(allow, sizeof allow, "Allow: %s%s\r\n", row->method, row->method[0] == 'G' ? ", HEAD" : "");
    reply_error(r, e, str_of(id), str_of(allow));
}

static void on_refused(void *ctx, struct http_req *r, const struct err *e)
{
    (void)ctx;
    admin_refuse(r, e);
}

const struct http_handler admin_http = { .on_head = on_head, .on_request = on_request, .on_refused = on_refused };

/* ---- the socket ---- */

bool admin_socket_path(struct str state, char out[ADMIN_PATH_BYTES])
{
    static const size_t system_bytes = sizeof ((struct sockaddr_un *)0)->sun_path; /* 108 on Linux, 104 on macOS */
    size_t most = system_bytes < ADMIN_PATH_BYTES ? system_bytes : ADMIN_PATH_BYTES;
    int n = snprintf(out, ADMIN_PATH_BYTES, "%.*s/hob.sock", STR_ARG(state));
    return n > 0 && (size_t)n < most;
}

/* The file's mode keeps others out already; not every system minds it. */
static bool ours(int fd)
{
    unsigned uid;
    return !system_peer_uid(fd, &uid) || uid == (unsigned)geteuid() || uid == 0;
}

static void on_conn(void *ctx, int fd)
{
    struct admin *a = ctx;
    if (ours(fd)) {
        http_server_take(a->server, fd);
    } else {
        log_warn("the admin socket: somebody who is another user was turned away");
        close(fd);
    }
}

static void on_listening(void *ctx, int fd, struct str bound, const struct err *e)
{
    struct admin *a = ctx;
    (void)bound;
    if (!e && a->shut) {
        close(fd);
        return;
    }
    if (e)
        log_warn("%s. `hob ps`, `load` and `unload` will not find this daemon", e->text);
    else
        a->listener = listener_new(a->loop, fd, on_conn, a);
}

void admin_open(struct admin *a)
{
    char path[ADMIN_PATH_BYTES], address[ADMIN_PATH_BYTES + 8];
    a->shut = false;
    if (admin_socket_path(world_config(fleet_world(a->fleet))->state, path)) {
        snprintf(address, sizeof address, "unix:%s", path);
        keeper_listen(a->keeper, str_of(address), on_listening, a);
    } else {
        log_warn("the state folder's path is too long for a socket in it: `hob ps`, `load` and `unload` will not find this daemon");
    }
}

void admin_shut(struct admin *a)
{
    a->shut = true;
    listener_free(a->listener);
    a->listener = NULL;
}

struct http_server *admin_server(struct admin *a)
{
    return a->server;
}

struct admin *admin_new(struct loop *l, struct fleet *f, struct keeper *k)
{
    struct admin *a = calloc(1, sizeof *a);
    if (!a)
        die("out of memory for the admin door");
    a->loop = l;
    a->fleet = f;
    a->keeper = k;
    a->server = http_server_new(l, &http_limits_default, &admin_http, a);
    return a;
}

void admin_use_api(struct admin *a, struct api *api)
{
    a->api = api;
}

void admin_use_swaps(struct admin *a, struct swaps *s, struct store *st)
{
    a->store = st;
    a->swaps = s;
}

void admin_use_reload(struct admin *a, reload_fn *reload, void *ctx)
{
    a->reload = reload;
    a->reload_ctx = ctx;
}

void admin_use_upgrade(struct admin *a, upgrade_fn *upgrade, upgrade_gone_fn *gone, void *ctx)
{
    a->upgrade = upgrade;
    a->upgrade_gone = gone;
    a->upgrade_ctx = ctx;
}

void admin_free(struct admin *a)
{
    if (!a)
        return;
    listener_free(a->listener);
    http_server_free(a->server);
    free(a);
}
