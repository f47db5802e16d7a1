/* A child's life: the look on the pool, its key, the start, its end; and how one that an earlier gateway has left is taken over. */
#include "backend/child.h"

#include "base/random.h"
#include "proc/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CONN_IDLE_MS = 4000,            /* llama-server closes kept connections after 5 s */
    LOG_MAX_BYTES = 8 * 1024 * 1024,
};

static void stop_asking(struct child *c)
{
    child_probe_stop(c);
    child_learn_stop(c);
    child_watch_stop(c);
}

/* ---- the service's word ---- */

static void died(struct child *c, enum service_state now, const struct err *e)
{
    struct backend *b = c->b;
    bool was_hot = b->state == BACKEND_HOT;
    if (e)
        b->last_error = *e;
    if (b->last_error.code == ERR_OK) /* it ended by itself with exit code 0 */
        err_set(&b->last_error, ERR_LOAD_FAILED, "The engine of '%.*s' ended by itself.", STR_ARG(b->name));
    if (!b->last_error.hint[0])
        err_hint(&b->last_error, "Its own words are in %s.", c->log_file);
    log_error("%.*s: %s%s %s", STR_ARG(b->name), b->last_error.text, err_stop(&b->last_error), b->last_error.hint);
    backend_enter(b, was_hot && now != SERVICE_FAILED ? BACKEND_COLD : BACKEND_FAILED);
}

static void on_service(void *ctx, enum service_state now, const struct keeper_exit *death, const struct err *e)
{
    struct child *c = ctx;
    (void)death; /* e is what it means */
    switch (now) {
    case SERVICE_STARTING:
    case SERVICE_READY:
    case SERVICE_STOPPING:
        break;
    case SERVICE_RUNNING:
        if (!c->found_pid) { /* else it is looked at first: looked() */
            c->b->spawn_ms = loop_now_ms(c->b->loop) - c->b->since_ms;
            child_probe_start(c);
        }
        break;
    case SERVICE_STOPPED:
    case SERVICE_FAILED:
        if (c->found_pid) { /* it ended while it was looked at; the pool has the look still */
            if (e)
                c->b->last_error = *e;
            break;
        }
        stop_asking(c);
        timer_cancel(&c->end);
        c->saving = false;
        unlink(c->sock);
        if (c->b->state == BACKEND_DRAINING || c->b->state == BACKEND_WEDGED)
            backend_enter(c->b, BACKEND_COLD);
        else
            died(c, now, e);
        break;
    }
}

static const struct service_ops service_ops = { on_service };

void child_is_hot(struct child *c)
{
    service_is_ready(c->service);
    c->b->last_error = (struct err){ .code = ERR_OK };
    child_watch_start(c);
    child_learn_start(c);
    backend_enter(c->b, BACKEND_HOT); /* last: who waits may do anything now */
}

/* ---- its key ---- */

static enum err_code write_key(struct child *c, struct err *e)
{
    unlink(c->key_file);
    int fd = open(c->key_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, ERR_LOAD_FAILED, errno, "cannot write the child's key to %s", c->key_file);
    ssize_t n = write(fd, c->key, 32);
    int bad = close(fd);
    return n == 32 && !bad ? ERR_OK : err_sys(e, ERR_LOAD_FAILED, errno, "cannot write the child's key to %s", c->key_file);
}

/* The headers of every request to the child; the key is in them. */
static void set_headers(struct child *c)
{
    struct buf *h = &c->b->headers;
    h->n = 0;
    if (!c->kind->keyless)
        buf_printf(h, "Authorization: Bearer %s\r\n", c->key);
    buf_lit(h, "Content-Type: application/json\r\n");
}

static bool read_key(struct child *c)
{
    char key[sizeof c->key] = "";
    int fd = open(c->key_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, key, sizeof key - 1);
    if (fd >= 0)
        close(fd);
    if (n != (ssize_t)sizeof key - 1)
        return false;
    memcpy(c->key, key, sizeof key);
    set_headers(c);
    return true;
}

/* ---- taking over ---- */

static void join_words(struct buf *to, const struct str *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_add(to, words[i]);
        buf_add_char(to, 0);
    }
}

/* Is the child that was found the one we would start now? One that a gateway has handed over is: it may be at work for that one still. With its file gone only the engine knows what it has loaded: then it is.
 * What it would be started with is made in any case: that is how its kind comes to know its port, its context and how it thinks. */
static bool is_as_wanted(struct child *c)
{
    struct launch wanted;
    struct buf words = { 0 };
    struct err e;
    if (c->look_rc)
        return true;
    launch_init(&wanted);
    bool same = false, made = !c->kind->launch(c, &wanted, &e);
    if (made) {
        join_words(&words, wanted.argv, wanted.nargv);
        same = str_eq(buf_str(&words), buf_str(&c->found_argv));
    }
    if (same)
        child_prompts_identify(c, &wanted);
    buf_free(&words);
    launch_free(&wanted);
    return same || (c->found_as_it_is && (made || !c->kind->port)); /* one whose port is not known can be asked nothing */
}

/* The look is over; what became of the child meanwhile? */
static void take_over(struct child *c)
{
    struct backend *b = c->b;
    int pid = c->found_pid;
    enum service_state now = service_now(c->service);
    bool ended = now == SERVICE_STOPPED || now == SERVICE_FAILED, keep = !ended && is_as_wanted(c) && (c->kind->keyless || read_key(c));
    c->found_pid = 0;
    buf_free(&c->found_argv);
    if (ended) {
        on_service(c, now, NULL, NULL); /* what it would have said then */
        return;
    }
    if (keep) {
        log_info("%.*s goes on in process %d", STR_ARG(b->name), pid);
        child_probe_start(c);
        return;
    }
    log_info("%.*s is set up differently now: process %d is stopped", STR_ARG(b->name), pid);
    child_unload(b);
}

/* ---- start and end ---- */

/* A folder to each, in the run directory, where nobody else may enter: what it may write in, and no other child. */
static void make_sock_folder(const struct child *c)
{
    char folder[sizeof c->sock];
    snprintf(folder, sizeof folder, "%s", c->sock);
    *strrchr(folder, '/') = 0;
    mkdir(folder, 0700);
}

static enum err_code start(struct child *c, struct err *e)
{
    struct launch words;
    launch_init(&words);
    enum err_code rc = c->kind->launch(c, &words, e);
    if (!rc)
        child_prompts_identify(c, &words);
    if (!rc && !c->kind->keyless)
        rc = write_key(c, e);
    if (!rc) {
        if (!log_file_folder(c->b->config->state))
            log_warn("%.*s: no folder for what its engine says (errno %d); it is not kept", STR_ARG(c->b->name), errno);
        unlink(c->sock); /* llama-server does not remove an old one, and fails on it */
        make_sock_folder(c);
        child_fence(c, &words);
        struct keeper_spawn spawn = {
            .argv = words.argv, .nargv = words.nargv, .env = words.env, .nenv = words.nenv,
            .stderr_file = str_of(c->log_file), .stderr_max_bytes = LOG_MAX_BYTES, .fence = &words.fence,
        };
        service_start(c->service, &spawn);
    }
    launch_free(&words);
    return rc;
}

static void look(void *ctx) /* on the pool */
{
    struct child *c = ctx;
    child_fence_prepare(c);
    c->look_rc = c->kind->look ? c->kind->look(c, &c->look_error) : ERR_OK;
}

static void looked(void *ctx)
{
    struct child *c = ctx;
    struct backend *b = c->b;
    struct err e = c->look_error;
    if (c->found_pid) {
        bool unwanted = b->state == BACKEND_DRAINING;
        take_over(c);
        if (unwanted && b->state == BACKEND_DRAINING)
            child_unload(b);
        return;
    }
    if (b->state == BACKEND_DRAINING) { /* nobody wants it any more */
        backend_enter(b, BACKEND_COLD);
        return;
    }
    if (!c->look_rc && !start(c, &e))
        return;
    b->last_error = e;
    log_error("%.*s: %s%s %s", STR_ARG(b->name), e.text, err_stop(&e), e.hint);
    backend_enter(b, BACKEND_FAILED);
}

static void begin(struct child *c)
{
    snprintf(c->file, sizeof c->file, "%.*s", STR_ARG(c->b->model->file));
    c->b->drafted = c->b->accepted = 0;
    c->b->warmed_ms = 0;
    c->b->spawn_ms = -1;
    backend_enter(c->b, BACKEND_LOADING); /* last_error stays until it is hot: why it was not, so far */
    loop_work(c->b->loop, &c->look);
}

void child_load(struct backend *b)
{
    begin(b->child);
}

void child_adopt(struct backend *b, const struct keeper_child *found)
{
    struct child *c = b->child;
    c->found_pid = found->pid;
    c->found_as_it_is = found->as_it_is;
    join_words(&c->found_argv, found->argv, found->nargv);
    begin(c);
    service_adopt(c->service, found->pid); /* ours at once, to keep or to stop: it may end at any time */
}

void child_unload(struct backend *b)
{
    struct child *c = b->child;
    enum service_state now = service_now(c->service);
    if (b->state == BACKEND_WEDGED)
        return;
    if (c->look.running) {
        if (b->state != BACKEND_DRAINING)
            backend_enter(b, BACKEND_DRAINING);
        return;
    }
    if (now == SERVICE_STOPPED || now == SERVICE_FAILED) {
        if (b->state != BACKEND_COLD)
            backend_enter(b, BACKEND_COLD);
        return;
    }
    bool idle = b->state == BACKEND_HOT && !c->saving;
    stop_asking(c);
    c->saving = false;
    backend_enter(b, BACKEND_DRAINING);
    if (!idle || !child_prompts_save(c))
        child_stop(c);
}

int child_pid(const struct backend *b)
{
    return service_pid(b->child->service);
}

void child_free(struct backend *b)
{
    struct child *c = b->child;
    stop_asking(c);
    timer_cancel(&c->end);
    service_free(c->service);
    http_pool_free(c->asks);
    unlink(c->key_file);
    buf_free(&c->answer);
    buf_free(&c->question);
    buf_free(&c->found_argv);
    wipe(c->key, sizeof c->key);
    c->kind->free(c);
}

void child_init(struct child *c, struct backend *b, const struct child_kind *k, struct str run_dir)
{
    c->b = b;
    c->kind = k;
    b->child = c;
    b->slots = b->model->slots;
    /* A name for files that is the same in the next gateway, whatever stands before the model in its configuration: its own may be long or hold slashes,
     * and a socket's path ends at 107 bytes. */
    unsigned long long number = str_hash(b->name) >> 16;
    c->number = number;
    snprintf(c->sock, sizeof c->sock, "%.*s/%012llx/m.sock", STR_ARG(run_dir), number);
    snprintf(c->key_file, sizeof c->key_file, "%.*s/%012llx.key", STR_ARG(run_dir), number);
    if (!log_file_path(b->config->state, b->name, c->log_file))
        c->log_file[0] = 0;
    random_hex(c->key, 32);
    buf_lit(&b->path, "/v1");
    set_headers(c);
    struct addr to = { .kind = ADDR_UNIX };
    snprintf(to.host, sizeof to.host, "%s", c->sock);
    struct http_pool_opts opts = { .max_idle = (size_t)b->model->slots, .idle_ms = CONN_IDLE_MS, .connect_ms = b->timeouts.connect_ms };
    b->pool = http_pool_new(b->loop, &to, STR("localhost"), &opts);
    opts.max_idle = 1;
    c->asks = http_pool_new(b->loop, &to, STR("localhost"), &opts);
    child_probe_init(c);
    child_learn_init(c);
    child_watch_init(c);
    work_init(&c->look, look, looked, c);
    c->service = service_new(b->services, b->name, &service_ops, c);
    b->state = BACKEND_COLD;
}
