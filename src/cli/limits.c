/* Limits of the whole.
 *
 * Descriptors: what is open at the start, and RESERVE more, are for the store, the admin socket, logs and children. Of the rest three quarters are for
 * callers and one quarter for the places that answer: idle callers need one descriptor, those that are served two, and most are idle.
 * Memory: see loop/overload.h. By itself a fixed figure, the same on every machine: what a gateway needs goes by its traffic and not by the memory that its
 * models leave. */
#include "cli/limits.h"

#include "base/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { RESERVE = 24, LEAST = 4, BODIES = 8 };

static const int64_t MEMORY = INT64_C(512) << 20;

struct limits {
    struct overload *overload;
    struct http_server *server;
    struct api *api;
    size_t most, open;
    bool known;
};

void limits_files(size_t *most, size_t *open)
{
    struct rlimit lim = { .rlim_cur = 1024 };
    if (!getrlimit(RLIMIT_NOFILE, &lim) && lim.rlim_cur != lim.rlim_max) {
        struct rlimit raised = { .rlim_cur = lim.rlim_max, .rlim_max = lim.rlim_max };
        if (setrlimit(RLIMIT_NOFILE, &raised)) {
            raised.rlim_cur = 10240; /* macOS: its maximum may not be asked for */
            (void)setrlimit(RLIMIT_NOFILE, &raised);
        }
        (void)getrlimit(RLIMIT_NOFILE, &lim);
    }
    int next = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0); /* the lowest that is free */
    if (next >= 0)
        close(next);
    *most = lim.rlim_cur > LIMITS_MOST_FILES ? LIMITS_MOST_FILES : (size_t)lim.rlim_cur;
    *open = next >= 0 ? (size_t)next : *most;
}

struct limits_found limits_find(size_t files, size_t open)
{
    size_t kept = open + RESERVE, rest = files > kept ? files - kept : 0;
    struct limits_found f = { .connections = rest - rest / 4, .requests = rest / 4 };
    f.connections = f.connections > LEAST ? f.connections : LEAST;
    f.requests = f.requests > LEAST ? f.requests : LEAST;
    return f;
}

int64_t limits_memory(const struct config *c)
{
    int64_t bodies = BODIES * c->body_bytes;
    return c->memory_bytes ? c->memory_bytes : bodies > MEMORY ? bodies : MEMORY;
}

void limits_apply(struct limits *l, const struct config *c)
{
    if (!l->known)
        limits_files(&l->most, &l->open); /* now, while nobody has come yet */
    l->known = true;
    struct limits_found f = limits_find(l->most, l->open);
    if (c->connections > (int64_t)f.connections)
        log_warn("`limits: {connections: %lld}`: of %zu open files only %zu are left for callers; raise `ulimit -n`, or LimitNOFILE=", (long long)c->connections,
            l->most, f.connections);
    overload_limit(l->overload, limits_memory(c));
    if (l->server)
        http_server_limit(l->server, c->connections && c->connections < (int64_t)f.connections ? (size_t)c->connections : f.connections);
    api_limit(l->api, c->requests ? (size_t)c->requests : f.requests);
}

static void on_level(void *ctx, enum overload_level now)
{
    struct limits *l = ctx;
    if (!l->server)
        return;
    if (now != OVERLOAD_CALM)
        http_server_hurry(l->server);
    if (now == OVERLOAD_SHEDDING)
        http_server_shed(l->server);
}

struct limits *limits_new(struct loop *loop, struct http_server *s, struct api *a)
{
    struct limits *l = calloc(1, sizeof *l);
    if (!l)
        die("out of memory for limits");
    l->overload = overload_new(loop, NULL, NULL);
    l->server = s;
    l->api = a;
    overload_watch(l->overload, on_level, l);
    http_server_use_overload(s, l->overload);
    api_use_overload(a, l->overload);
    return l;
}

void limits_without_server(struct limits *l)
{
    l->server = NULL;
}

void limits_free(struct limits *l)
{
    if (!l)
        return;
    overload_free(l->overload);
    free(l);
}
