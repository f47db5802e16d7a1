/* A caller on the pool puts its job in a list and wakes the loop, which asks the keeper; the end comes as that of any child, and wakes the caller. What the
 * program says is in a file meanwhile (the keeper writes it for every child), so that who waits for a word of it sees it while it runs.
 *
 * A job lies on its caller's stack: whoever comes back late finds it by its number, or not at all. The lock is held for moments, and while the keeper is asked. */
#include "proc/run_keeper.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "proc/env.h"
#include "proc/fence.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LABEL "program run by hob "

enum { LOOK_MS = 10, KILL_PATIENCE_MS = 2000, FILE_MAX_BYTES = 1024 * 1024 };

extern char **environ;

struct job {
    struct list node;
    unsigned number;
    const char *const *argv, *const *env;
    char label[64], file[PATH_MAX];
    bool asked, unwanted, killed, ended, failed;
    struct err why;             /* when it failed */
    int code, signal;
    uv_cond_t told;
};

static struct {
    _Atomic bool on;            /* read without the lock by who then looks again with it */
    struct loop *loop;
    struct keeper *keeper;
    char dir[256];
    uv_thread_t thread;         /* the loop's */
    uv_async_t *wake;
    uv_mutex_t lock;            /* of what follows */
    struct list jobs;
    unsigned last;
} r;

static struct job *job_of(unsigned number)
{
    for (struct list *n = r.jobs.next; n != &r.jobs; n = n->next)
        if (list_entry(n, struct job, node)->number == number)
            return list_entry(n, struct job, node);
    return NULL;
}

/* ---- on the loop ---- */

static void end_job(struct job *j)
{
    j->ended = true;
    uv_cond_signal(&j->told);
}

static void on_spawned(void *ctx, int pid, const struct err *e)
{
    (void)pid;
    uv_mutex_lock(&r.lock);
    struct job *j = e ? job_of((unsigned)(uintptr_t)ctx) : NULL;
    if (j) {
        j->failed = e->code != ERR_ENGINE_MISSING; /* as from a shell: what is not there ends with 127 */
        j->why = *e;
        j->code = 127;
        end_job(j);
    }
    uv_mutex_unlock(&r.lock);
}

static size_t clean_env(struct arena *a, const char *const *env, struct str **out)
{
    size_t n = 0, k = 0;
    const char *const *from = env ? env : (const char *const *)(uintptr_t)environ;
    while (from[n])
        n++;
    *out = arena_array(a, struct str, n + 1);
    for (size_t i = 0; i < n; i++)
        if (env || env_is_passed_on(str_of(from[i])))
            (*out)[k++] = str_of(from[i]);
    return k;
}

static void put_fence(struct fence_rules *f, struct arena *a, const struct str *argv, size_t n, const struct str *env, size_t nenv)
{
    fence_init(f, a, str_of(r.dir));
    f->files = f->tcp = true;
    f->port = FENCE_PORT_ANY; /* an engine that is only asked something listens first */
    fence_add_system(f);
    fence_add_gpus(f);
    fence_add_program(f, argv[0]);
    for (size_t i = 1; i < n; i++)
        fence_add_word(f, argv[i]);
    for (size_t i = 0; i < nenv; i++)
        fence_add_env(f, env[i]);
}

static void ask_keeper(struct job *j)
{
    struct arena a;
    arena_init(&a);
    size_t n = 0;
    while (j->argv[n])
        n++;
    struct str *argv = arena_array(&a, struct str, n), *env;
    for (size_t i = 0; i < n; i++)
        argv[i] = str_of(j->argv[i]);
    size_t nenv = clean_env(&a, j->env, &env);
    struct fence_rules *f = arena_new(&a, struct fence_rules);
    put_fence(f, &a, argv, n, env, nenv);
    struct keeper_spawn s = { .label = str_of(j->label), .argv = argv, .nargv = n, .env = env, .nenv = nenv, .stderr_file = str_of(j->file),
        .stderr_max_bytes = FILE_MAX_BYTES, .fence = f };
    keeper_start_child(r.keeper, &s, on_spawned, (void *)(uintptr_t)j->number);
    arena_fini(&a);
}

static void on_wake(uv_async_t *handle)
{
    (void)handle;
    uv_mutex_lock(&r.lock);
    for (struct list *n = r.jobs.next; n != &r.jobs; n = n->next) {
        struct job *j = list_entry(n, struct job, node);
        if (!j->asked) {
            j->asked = true;
            ask_keeper(j); /* nothing calls back from inside it */
        }
        if (j->unwanted && !j->killed) {
            j->killed = true;
            keeper_kill(r.keeper, str_of(j->label), 0, 0);
        }
    }
    uv_mutex_unlock(&r.lock);
}

bool run_by_keeper_exited(const struct keeper_exit *x)
{
    if (!r.on || !str_starts(x->label, STR(LABEL)))
        return false;
    uv_mutex_lock(&r.lock);
    for (struct list *n = r.jobs.next; n != &r.jobs; n = n->next) {
        struct job *j = list_entry(n, struct job, node);
        if (!str_eq(str_of(j->label), x->label))
            continue;
        j->code = x->exit_code;
        j->signal = x->signal;
        end_job(j);
        break;
    }
    uv_mutex_unlock(&r.lock);
    return true;
}

void run_by_keeper(struct loop *l, struct keeper *k, struct str dir)
{
    uv_async_t *wake = calloc(1, sizeof *wake);
    if (!wake)
        die("out of memory");
    r.loop = l;
    r.keeper = k;
    r.thread = uv_thread_self();
    snprintf(r.dir, sizeof r.dir, "%.*s", STR_ARG(dir));
    list_init(&r.jobs);
    uv_mutex_init(&r.lock);
    uv_async_init(loop_uv(l), wake, on_wake);
    uv_unref((uv_handle_t *)wake);
    r.wake = wake;
    r.on = true;
}

static void free_handle(uv_handle_t *h)
{
    free(h);
}

void run_by_keeper_end(void)
{
    if (!r.on)
        return;
    uv_mutex_lock(&r.lock);
    r.on = false; /* the lock stays: who waits still has it */
    for (struct list *n = r.jobs.next; n != &r.jobs; n = n->next) {
        struct job *j = list_entry(n, struct job, node);
        j->failed = true;
        err_set(&j->why, ERR_SYSTEM, "hob is being stopped");
        end_job(j);
    }
    uv_close((uv_handle_t *)r.wake, free_handle);
    uv_mutex_unlock(&r.lock);
}

/* ---- on the pool ---- */

/* The file as far as there is more of it. True: the words have come. */
static bool hear(int *fd, const struct job *j, const char *until, struct buf *said)
{
    char part[4096];
    if (*fd < 0)
        *fd = open(j->file, O_RDONLY | O_CLOEXEC);
    for (ssize_t n = 1; *fd >= 0 && n > 0;) {
        n = read(*fd, part, sizeof part);
        size_t room = said->max && said->n < said->max ? said->max - said->n : 0;
        if (n > 0)
            buf_add(said, str_make(part, !said->max || (size_t)n < room ? (size_t)n : room));
    }
    ptrdiff_t at = until ? str_find(buf_str(said), str_of(until)) : -1;
    return at >= 0 && memchr(said->p + at, '\n', said->n - (size_t)at);
}

/* With the lock. */
static void wait_for_it(struct job *j, const char *until, int64_t until_ms, int *fd, struct buf *said, struct run_end *end)
{
    while (!j->ended && !end->enough) {
        int64_t left = until_ms - clock_mono_ms();
        if (left <= 0) {
            end->too_long = true;
            return;
        }
        if (until && left > LOOK_MS)
            left = LOOK_MS;
        uv_cond_timedwait(&j->told, &r.lock, (uint64_t)left * 1000000);
        uv_mutex_unlock(&r.lock);
        end->enough = until && hear(fd, j, until, said);
        uv_mutex_lock(&r.lock);
    }
}

static void wake_loop(void)
{
    if (r.on)
        uv_async_send(r.wake);
}

static void end_it(struct job *j)
{
    int64_t until_ms = clock_mono_ms() + KILL_PATIENCE_MS;
    j->unwanted = true;
    wake_loop();
    while (!j->ended && clock_mono_ms() < until_ms)
        uv_cond_timedwait(&j->told, &r.lock, 100 * 1000000);
}

bool run_elsewhere(const char *const *argv, const char *const *env, const char *until, int64_t limit_ms, struct buf *said, struct run_end *end,
    struct err *e, enum err_code *rc)
{
    struct job j = { .argv = argv, .env = env };
    int fd = -1;
    if (!r.on)
        return false;
    *end = (struct run_end){ 0 };
    uv_thread_t self = uv_thread_self();
    if (uv_thread_equal(&self, &r.thread))
        die("a program is run on the loop thread: %s", argv[0]);
    uv_cond_init(&j.told);
    uv_mutex_lock(&r.lock);
    if (!r.on) { /* just now: nobody would wake us */
        uv_mutex_unlock(&r.lock);
        uv_cond_destroy(&j.told);
        *rc = err_set(e, ERR_SYSTEM, "hob is being stopped");
        return true;
    }
    j.number = ++r.last;
    snprintf(j.label, sizeof j.label, LABEL "%d.%u", (int)getpid(), j.number);
    snprintf(j.file, sizeof j.file, "%s/program-%d.%u", r.dir, (int)getpid(), j.number);
    list_push(&r.jobs, &j.node);
    wake_loop();
    wait_for_it(&j, until, clock_mono_ms() + limit_ms, &fd, said, end);
    if (!j.ended)
        end_it(&j);
    list_remove(&j.node);
    uv_mutex_unlock(&r.lock);
    hear(&fd, &j, NULL, said);
    if (fd >= 0)
        close(fd);
    unlink(j.file);
    uv_cond_destroy(&j.told);
    end->code = j.code;
    end->signal = end->enough ? 0 : j.signal;
    *rc = j.failed ? (*e = j.why, ERR_SYSTEM) : ERR_OK;
    return true;
}
