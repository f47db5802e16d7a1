/* The gateway's end of the wire, on the loop: a uv_poll over a line, and the requests that wait for their answer, oldest first.
 *
 * Nothing calls back from inside a call: answers come from the poll, and what cannot even be asked is refused at the end of the turn. The
 * keeper that stops speaking sense is a keeper lost: the gateway can do nothing but end, its children end with the keeper. */
#include "proc/keeper.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "keeper/line.h"
#include "proc/fence.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { OUT_MAX_BYTES = 4 * 1024 * 1024, SPAWN_MAX_BYTES = 256 * 1024 };

_Static_assert((int)KEEPER_FD == (int)WIRE_FD && (int)KEEPER_KEPT_FD == (int)WIRE_KEPT_FD && (int)KEEPER_HEIR_FD == (int)WIRE_HEIR_FD,
    "one number, two names");

union done {
    keeper_listen_fn *listen;
    keeper_spawn_fn *spawn;
    keeper_list_fn *list;
    keeper_upgrade_fn *upgrade;
    keeper_take_fn *take;
};

struct request {
    struct list node;
    uint32_t id;
    enum wire_type type;
    union done done;
    void *ctx;
    bool refused;         /* never sent: fails at the end of this turn */
};

struct keeper {
    struct loop *loop;
    struct line line;
    uv_poll_t poll;
    struct list requests;
    struct later refuse;
    const struct keeper_ops *ops;
    void *ctx;
    uint32_t last_id;
    int starts;
    uint32_t hello_id;
    keeper_greeted_fn *on_greeted;
    void *greeted_ctx;
    bool lost;
    bool freed;           /* by its owner; its memory goes when libuv has closed the handle */
};

static void on_poll(uv_poll_t *handle, int status, int events);

static void watch(struct keeper *k)
{
    if (!k->lost && !k->freed)
        uv_poll_start(&k->poll, UV_READABLE | (line_waits(&k->line) ? UV_WRITABLE : 0), on_poll);
}

/* ---- requests ---- */

static struct request *request_new(struct keeper *k, enum wire_type type, union done done, void *ctx)
{
    struct request *r = calloc(1, sizeof *r);
    if (!r)
        die("out of memory");
    if (++k->last_id == 0) /* 0 marks what nobody asked for */
        k->last_id = 1;
    *r = (struct request){ .id = k->last_id, .type = type, .done = done, .ctx = ctx };
    list_push(&k->requests, &r->node);
    return r;
}

static struct request *request_take(struct keeper *k, uint32_t id)
{
    for (struct list *n = k->requests.next; n != &k->requests; n = n->next) {
        struct request *r = list_entry(n, struct request, node);
        if (r->id == id) {
            list_remove(n);
            return r;
        }
    }
    return NULL;
}

static void request_fail(struct request *r, const struct err *e)
{
    switch (r->type) {
    case WIRE_LISTEN:
        r->done.listen(r->ctx, -1, STR(""), e);
        break;
    case WIRE_SPAWN:
        r->done.spawn(r->ctx, 0, e);
        break;
    case WIRE_LIST:
        r->done.list(r->ctx, NULL, 0, NULL, 0);
        break;
    case WIRE_UPGRADE:
        r->done.upgrade(r->ctx, 0, -1, e);
        break;
    case WIRE_TAKE:
        r->done.take(r->ctx, e);
        break;
    default: /* nobody waits for the others */
        break;
    }
}

static void refuse_waiting(void *ctx)
{
    struct keeper *k = ctx;
    struct err e;
    struct list *n = k->requests.next;
    while (n != &k->requests && !k->freed) {
        struct request *r = list_entry(n, struct request, node);
        n = n->next;
        if (!r->refused && !k->lost)
            continue;
        list_remove(&r->node);
        if (r->refused)
            err_set(&e, ERR_LOAD_FAILED, "The command line is longer than the keeper takes.");
        else
            err_set(&e, ERR_SYSTEM, "The keeper is gone.");
        request_fail(r, &e);
        free(r);
        n = k->requests.next; /* the callback may have changed the list */
    }
}

static size_t ask(struct keeper *k, enum wire_type type, union done done, void *ctx)
{
    struct request *r = request_new(k, type, done, ctx);
    if (k->lost)
        loop_later(k->loop, &k->refuse);
    return line_begin(&k->line, type, r->id);
}

static void send_off(struct keeper *k, size_t begun_at)
{
    line_end(&k->line, begun_at);
    line_flush(&k->line); /* when it cannot, the poll will tell */
    watch(k);
}

void keeper_listen(struct keeper *k, struct str addr, keeper_listen_fn *done, void *ctx)
{
    size_t at = ask(k, WIRE_LISTEN, (union done){ .listen = done }, ctx);
    wire_put_text(&k->line.out, addr);
    wire_put_u32(&k->line.out, 0);
    send_off(k, at);
}

static void put_list(struct buf *b, const struct str *items, size_t n)
{
    wire_put_u32(b, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        wire_put_text(b, items[i]);
}

static size_t list_bytes(const struct str *items, size_t n)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += 4 + items[i].n;
    return sum;
}

static void put_fence(struct buf *b, const struct fence_rules *f)
{
    uint32_t bits = (f && f->files ? WIRE_FENCE_FILES : 0) | (f && f->tcp ? WIRE_FENCE_TCP : 0) | (f && f->calls ? WIRE_FENCE_CALLS : 0);
    wire_put_u32(b, bits);
    wire_put_u32(b, bits & WIRE_FENCE_TCP ? (uint32_t)f->port : 0);
    put_list(b, f ? f->at : NULL, bits & WIRE_FENCE_FILES ? f->n : 0);
}

void keeper_start_child(struct keeper *k, const struct keeper_spawn *s, keeper_spawn_fn *done, void *ctx)
{
    union done fn = { .spawn = done };
    if (list_bytes(s->argv, s->nargv) + list_bytes(s->env, s->nenv) + (s->fence ? list_bytes(s->fence->at, s->fence->n) : 0) +
        s->label.n + s->stderr_file.n > SPAWN_MAX_BYTES) {
        request_new(k, WIRE_SPAWN, fn, ctx)->refused = true;
        loop_later(k->loop, &k->refuse);
        return;
    }
    size_t at = ask(k, WIRE_SPAWN, fn, ctx);
    wire_put_text(&k->line.out, s->label);
    wire_put_text(&k->line.out, s->stderr_file);
    wire_put_u64(&k->line.out, s->stderr_max_bytes);
    put_list(&k->line.out, s->argv, s->nargv);
    put_list(&k->line.out, s->env, s->nenv);
    wire_put_text(&k->line.out, STR("")); /* the keeper's own folder */
    put_fence(&k->line.out, s->fence);
    send_off(k, at);
}

void keeper_kill(struct keeper *k, struct str label, uint32_t term_ms, uint32_t again_ms)
{
    size_t at = line_begin(&k->line, WIRE_KILL, ++k->last_id); /* its answer tells nothing: WIRE_EXITED does */
    wire_put_text(&k->line.out, label);
    wire_put_u32(&k->line.out, term_ms);
    wire_put_u32(&k->line.out, again_ms);
    send_off(k, at);
}

void keeper_list(struct keeper *k, keeper_list_fn *done, void *ctx)
{
    send_off(k, ask(k, WIRE_LIST, (union done){ .list = done }, ctx));
}

void keeper_upgrade(struct keeper *k, const struct str *argv, size_t nargv, keeper_upgrade_fn *done, void *ctx)
{
    size_t at = ask(k, WIRE_UPGRADE, (union done){ .upgrade = done }, ctx);
    put_list(&k->line.out, argv, nargv);
    send_off(k, at);
}

void keeper_drop_heir(struct keeper *k)
{
    send_off(k, line_begin(&k->line, WIRE_DROP_HEIR, ++k->last_id)); /* its answer tells nothing: WIRE_HEIR_GONE does */
}

void keeper_take(struct keeper *k, keeper_take_fn *done, void *ctx)
{
    send_off(k, ask(k, WIRE_TAKE, (union done){ .take = done }, ctx));
}

void keeper_when_greeted(struct keeper *k, keeper_greeted_fn *done, void *ctx)
{
    k->on_greeted = done;
    k->greeted_ctx = ctx;
}

void keeper_ready(struct keeper *k)
{
    send_off(k, line_begin(&k->line, WIRE_READY, 0));
}

int keeper_starts(const struct keeper *k)
{
    return k->starts;
}

/* ---- what comes: each returns false for nonsense ---- */

typedef bool word_fn(struct keeper *k, struct request *r, struct wire_reader *in, int *fd);

static bool on_welcome(struct keeper *k, struct request *r, struct wire_reader *in, int *fd)
{
    uint32_t version = wire_u32(in);
    wire_u32(in); /* the keeper's pid: getppid() knows it too */
    uint32_t starts = wire_u32(in);
    if (!wire_reader_ok(in) || version != WIRE_VERSION)
        return false;
    k->starts = (int)starts;
    if (k->on_greeted)
        k->on_greeted(k->greeted_ctx, STR(""));
    return true;
}

static bool on_listening(struct keeper *k, struct request *r, struct wire_reader *in, int *fd)
{
    struct str bound = wire_text(in);
    if (!wire_reader_ok(in) || *fd < 0 || !r || r->type != WIRE_LISTEN)
        return false;
    int given = *fd;
    *fd = -1; /* now the receiver's */
    r->done.listen(r->ctx, given, bound, NULL);
    return true;
}

static bool on_spawned(struct keeper *k, struct request *r, struct wire_reader *in, int *fd)
{
    uint32_t pid = wire_u32(in);
    if (!wire_reader_ok(in) || !r || r->type != WIRE_SPAWN || pid == 0 || pid > INT32_MAX)
        return false;
    r->done.spawn(r->ctx, (int)pid, NULL);
    return true;
}

static bool on_done(struct keeper *k, struct request *r, struct wire_reader *in, int *fd)
{
    if (!wire_reader_ok(in))
        return false;
    if (r && r->type == WIRE_TAKE)
        r->done.take(r->ctx, NULL);
    return true;
}

static bool on_heir(struct keeper *k, struct request *r, struct wire_reader *in, int *fd)
{
    uint32_t pid = wire_u32(in);
    if (!wire_reader_ok(in) || *fd < 0 || pid == 0 || pid > INT32_MAX || (r && r->type != WIRE_UPGRADE))
        return false;
    int given = *fd;
    if (!r && !k->ops->on_heir)
        return true;
    *fd = -1; /* now the receiver's */
    if (r)
        r->done.upgrade(r->ctx, (int)pid, given, NULL);
    else
        k->ops->on_heir(k->ctx, given);
    return true;
}

static bool on_heir_gone(struct keeper *k, struct request *r, struct wire_reader *in, int *fd)
{
    uint32_t exit_code = wire_u32(in), signum = wire_u32(in);
    if (!wire_reader_ok(in))
        return false;
    if (k->ops->on_heir_gone)
        k->ops->on_heir_gone(k->ctx, (int)exit_code, (int)signum);
    return true;
}

static enum err_code failure_code(const struct request *r, uint32_t sys)
{
    if (r->type != WIRE_SPAWN)
        return ERR_SYSTEM;
    return sys == ENOENT || sys == EACCES || sys == ENOEXEC ? ERR_ENGINE_MISSING : ERR_LOAD_FAILED;
}

static bool on_failed(struct keeper *k, struct request *r, struct wire_reader *in, int *fd)
{
    uint32_t sys = wire_u32(in);
    struct str sentence = wire_text(in);
    if (!wire_reader_ok(in))
        return false;
    if (!r) {
        log_debug("keeper: %.*s", STR_ARG(sentence)); /* a kill that came too late, for one */
        return true;
    }
    struct err e;
    enum err_code code = failure_code(r, sys);
    if (sys)
        err_sys(&e, code, (int)sys, "%.*s", STR_ARG(sentence));
    else
        err_set(&e, code, "%.*s", STR_ARG(sentence));
    request_fail(r, &e);
    return true;
}

static bool read_child(struct wire_reader *in, struct arena *a, struct keeper_child *c)
{
    c->label = wire_text(in);
    c->pid = (int)wire_u32(in);
    c->started_wall_ms = (int64_t)wire_u64(in);
    uint32_t n;
    struct wire_reader args = wire_reader(wire_list(in, &n));
    wire_u32(&args);
    struct str *argv = arena_array(a, struct str, (size_t)n + 1);
    for (uint32_t i = 0; i < n; i++)
        argv[i] = wire_text(&args);
    c->argv = argv;
    c->nargv = n;
    return !in->bad;
}

static bool on_listed(struct keeper *k, struct request *r, struct wire_reader *in, int *fd)
{
    struct arena a;
    arena_init(&a);
    uint32_t n = wire_u32(in), ndoors = 0;
    bool ok = r && r->type == WIRE_LIST && !in->bad && n <= in->left.n / 16; /* each child takes 16 bytes and more */
    struct keeper_child *children = ok ? arena_array(&a, struct keeper_child, (size_t)n + 1) : NULL;
    for (uint32_t i = 0; ok && i < n; i++)
        ok = read_child(in, &a, &children[i]);
    struct wire_reader list = wire_reader(wire_list(in, &ndoors));
    struct str *doors = arena_array(&a, struct str, (size_t)(in->bad ? 0 : ndoors) + 1);
    wire_u32(&list);
    for (uint32_t i = 0; !in->bad && i < ndoors; i++)
        doors[i] = wire_text(&list);
    ok = ok && wire_reader_ok(in);
    if (ok)
        r->done.list(r->ctx, children, n, doors, ndoors);
    arena_fini(&a);
    return ok;
}

static bool on_exited(struct keeper *k, struct request *r, struct wire_reader *in, int *fd)
{
    struct keeper_exit x = { .label = wire_text(in), .pid = (int)wire_u32(in) };
    x.exit_code = (int)wire_u32(in);
    x.signal = (int)wire_u32(in);
    x.last = wire_text(in);
    if (!wire_reader_ok(in))
        return false;
    k->ops->on_exited(k->ctx, &x);
    return true;
}

static bool on_stop(struct keeper *k, struct request *r, struct wire_reader *in, int *fd)
{
    uint32_t hard = wire_u32(in);
    if (!wire_reader_ok(in))
        return false;
    k->ops->on_stop(k->ctx, hard != 0);
    return true;
}

static bool on_reload(struct keeper *k, struct request *r, struct wire_reader *in, int *fd)
{
    if (!wire_reader_ok(in))
        return false;
    k->ops->on_reload(k->ctx);
    return true;
}

static word_fn *const words[] = {
    [WIRE_WELCOME]   = on_welcome,
    [WIRE_LISTENING] = on_listening,
    [WIRE_SPAWNED]   = on_spawned,
    [WIRE_DONE]      = on_done,
    [WIRE_FAILED]    = on_failed,
    [WIRE_LISTED]    = on_listed,
    [WIRE_EXITED]    = on_exited,
    [WIRE_STOP]      = on_stop,
    [WIRE_RELOAD]    = on_reload,
    [WIRE_HEIR]      = on_heir,
    [WIRE_HEIR_GONE] = on_heir_gone,
};

/* It does not work with us: as good as lost. */
static bool is_refused(struct keeper *k, struct str body)
{
    struct wire_reader in = wire_reader(body);
    wire_u32(&in);
    struct str why = wire_text(&in);
    log_error("%.*s", STR_ARG(why));
    if (k->on_greeted)
        k->on_greeted(k->greeted_ctx, why);
    return false;
}

static bool hear(struct keeper *k, const struct wire_head *head, struct str body, int fd)
{
    if (head->type >= COUNTOF(words) || !words[head->type]) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    struct wire_reader in = wire_reader(body);
    if (head->id == k->hello_id && head->type == WIRE_FAILED)
        return is_refused(k, body);
    struct request *r = head->id ? request_take(k, head->id) : NULL;
    bool ok = words[head->type](k, r, &in, &fd);
    free(r);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* ---- the end ---- */

static void lose(struct keeper *k)
{
    if (k->lost)
        return;
    k->lost = true;
    uv_poll_stop(&k->poll);
    refuse_waiting(k);
    if (!k->freed)
        k->ops->on_lost(k->ctx);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct keeper *k = handle->data;
    enum line_state state = status < 0 ? LINE_BROKEN : line_read(&k->line);
    struct wire_head head;
    struct str body;
    int fd;
    while (!k->freed && line_next(&k->line, &head, &body, &fd))
        if (!hear(k, &head, body, fd)) {
            state = LINE_BROKEN;
            break;
        }
    if (k->freed)
        return;
    if (state == LINE_OPEN && !k->line.broken)
        state = line_flush(&k->line);
    if (state != LINE_OPEN || k->line.broken)
        lose(k);
    else
        watch(k);
}

struct keeper *keeper_attach(struct loop *l, int fd, const struct keeper_ops *ops, void *ctx)
{
    struct keeper *k = calloc(1, sizeof *k);
    if (!k)
        die("out of memory");
    k->loop = l;
    k->ops = ops;
    k->ctx = ctx;
    list_init(&k->requests);
    later_init(&k->refuse, refuse_waiting, k);
    signal(SIGPIPE, SIG_IGN);
    line_open(&k->line, fd, OUT_MAX_BYTES);
    k->poll.data = k;
    if (uv_poll_init(loop_uv(l), &k->poll, fd))
        die("descriptor %d is no wire to a keeper", fd);
    k->hello_id = ++k->last_id;
    size_t at = line_begin(&k->line, WIRE_HELLO, k->hello_id);
    wire_put_u32(&k->line.out, WIRE_VERSION);
    send_off(k, at);
    return k;
}

static void on_closed(uv_handle_t *handle)
{
    struct keeper *k = handle->data;
    for (struct list *n; (n = list_take(&k->requests));) /* their callbacks never run */
        free(list_entry(n, struct request, node));
    line_close(&k->line);
    free(k);
}

void keeper_free(struct keeper *k)
{
    if (!k || k->freed)
        return;
    k->freed = true;
    later_cancel(&k->refuse);
    uv_close((uv_handle_t *)&k->poll, on_closed);
}
