/* The loop: a thin coat over one uv_loop_t.
 *
 * Timers. All deadlines lie in one binary heap of our own behind a single uv_timer_t. Most deadlines only ever move back ("one more byte came,
 * wait another 60 s"), so an entry keeps its old place (key_ms) while its owner's wish (due_ms) moves on; when the old time is up the entry is put
 * where it now belongs. A busy connection thus costs one heap operation per timeout period, not per request.
 *
 * Laters. libuv's turn is: timers, pending, idle, prepare, poll, check, closing. The batch runs in prepare (for what timers and close callbacks asked
 * for) and again in check (for what I/O asked for). Prepare comes right before the poll, so nothing can be left waiting behind it, except what the
 * batch itself asked for: then an idle handle keeps that poll from sleeping. */
#include "loop/loop.h"

#include "base/err.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct signal_watch {
    struct list node;
    uv_signal_t handle;
    void (*fn)(void *ctx, int signum);
    void *ctx;
};

struct loop {
    uv_loop_t uv;
    uv_timer_t clock;      /* behind the whole heap */
    int64_t armed_ms;      /* when `clock` fires; 0 = not armed */
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uv_idle_t awake;       /* active while laters wait */
    struct list laters;
    struct list signals;
    struct list asides;
    struct timer **heap;
    uint32_t n, cap;
};

/* Timers */

static void place(struct loop *l, struct timer *t, uint32_t at)
{
    l->heap[at] = t;
    t->slot = at + 1;
}

static void sift_up(struct loop *l, struct timer *t, uint32_t at)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (l->heap[parent]->key_ms <= t->key_ms)
            break;
        place(l, l->heap[parent], at);
        at = parent;
    }
    place(l, t, at);
}

static void sift_down(struct loop *l, struct timer *t, uint32_t at)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= l->n)
            break;
        if (child + 1 < l->n && l->heap[child + 1]->key_ms < l->heap[child]->key_ms)
            child++;
        if (t->key_ms <= l->heap[child]->key_ms)
            break;
        place(l, l->heap[child], at);
        at = child;
    }
    place(l, t, at);
}

static void heap_insert(struct loop *l, struct timer *t)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        struct timer **heap = realloc(l->heap, l->cap * sizeof(struct timer *));
        if (!heap)
            die("out of memory for %u timers", l->cap);
        l->heap = heap;
    }
    sift_up(l, t, l->n++);
}

static void heap_remove(struct loop *l, struct timer *t)
{
    uint32_t at = t->slot - 1;
    struct timer *last = l->heap[--l->n];
    t->slot = 0;
    if (last == t)
        return;
    if (at > 0 && last->key_ms < l->heap[(at - 1) / 2]->key_ms)
        sift_up(l, last, at);
    else
        sift_down(l, last, at);
}

static void on_clock(uv_timer_t *h);

/* A timer that went away leaves the clock armed too early: one empty wake-up is cheaper than arming it again each time. */
static void arm(struct loop *l)
{
    if (l->n == 0 || (l->armed_ms && l->armed_ms <= l->heap[0]->key_ms))
        return;
    int64_t wait_ms = l->heap[0]->key_ms - loop_now_ms(l);
    l->armed_ms = l->heap[0]->key_ms;
    uv_timer_start(&l->clock, on_clock, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

static void on_clock(uv_timer_t *h)
{
    struct loop *l = h->data;
    int64_t now = loop_now_ms(l);
    l->armed_ms = INT64_MAX; /* what the callbacks set is armed once, below */
    while (l->n && l->heap[0]->key_ms <= now) {
        struct timer *t = l->heap[0];
        if (t->due_ms > now) {
            t->key_ms = t->due_ms;
            sift_down(l, t, 0);
            continue;
        }
        heap_remove(l, t);
        t->due_ms = 0;
        t->fn(t->ctx);
    }
    l->armed_ms = 0;
    arm(l);
}

void timer_init(struct timer *t, struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    *t = (struct timer){ .loop = l, .fn = fn, .ctx = ctx };
}

void timer_set(struct timer *t, int64_t in_ms)
{
    struct loop *l = t->loop;
    t->due_ms = loop_now_ms(l) + (in_ms > 0 ? in_ms : 1); /* never in this turn: a timer that sets itself again must not hold the loop */
    if (t->slot && t->due_ms >= t->key_ms)
        return;
    t->key_ms = t->due_ms;
    if (t->slot)
        sift_up(l, t, t->slot - 1);
    else
        heap_insert(l, t);
    if (l->armed_ms != INT64_MAX)
        arm(l);
}

void timer_cancel(struct timer *t)
{
    t->due_ms = 0;
    if (t->slot)
        heap_remove(t->loop, t);
}

/* Laters */

void later_init(struct later *w, void (*fn)(void *ctx), void *ctx)
{
    list_init(&w->node);
    w->fn = fn;
    w->ctx = ctx;
}

void loop_later(struct loop *l, struct later *w)
{
    if (list_empty(&w->node))
        list_push(&l->laters, &w->node);
}

void later_cancel(struct later *w)
{
    list_remove(&w->node);
}

static void on_awake(uv_idle_t *h)
{
}

/* One batch: what is asked for while it runs waits for the next one, so that I/O gets its turn in between. */
static void run_laters(struct loop *l)
{
    if (!list_empty(&l->laters)) {
        struct list batch = l->laters;
        batch.next->prev = batch.prev->next = &batch;
        list_init(&l->laters);
        while (!list_empty(&batch)) {
            struct later *w = list_entry(batch.next, struct later, node);
            list_remove(&w->node);
            w->fn(w->ctx);
        }
    }
    if (!list_empty(&l->laters))
        uv_idle_start(&l->awake, on_awake);
    else if (uv_is_active((uv_handle_t *)&l->awake))
        uv_idle_stop(&l->awake);
}

static void on_before_poll(uv_prepare_t *h)
{
    run_laters(h->data);
}

static void on_after_poll(uv_check_t *h)
{
    run_laters(h->data);
}

/* Signals */

static void on_signal(uv_signal_t *h, int signum)
{
    struct signal_watch *w = h->data;
    w->fn(w->ctx, signum);
}

void loop_on_signal(struct loop *l, int signum, void (*fn)(void *ctx, int signum), void *ctx)
{
    struct signal_watch *w = calloc(1, sizeof *w);
    if (!w)
        die("out of memory");
    w->fn = fn;
    w->ctx = ctx;
    list_push(&l->signals, &w->node);
    uv_signal_init(&l->uv, &w->handle);
    w->handle.data = w;
    int rc = uv_signal_start(&w->handle, on_signal, signum);
    if (rc)
        die("cannot watch signal %d: %s", signum, uv_strerror(rc));
}

static void on_signal_closed(uv_handle_t *h)
{
    free(h->data);
}

/* Work for the pool */

void work_init(struct work *w, void (*work)(void *ctx), void (*done)(void *ctx), void *ctx)
{
    *w = (struct work){ .work = work, .done = done, .ctx = ctx };
}

static void run_work(uv_work_t *uv)
{
    struct work *w = uv->data;
    w->work(w->ctx);
}

static void work_done(uv_work_t *uv, int status)
{
    struct work *w = uv->data;
    w->running = false;
    w->done(w->ctx);
}

/* With the first work of all the threads of the pool are started, and libuv aborts where that cannot be done. */
static int queue(struct loop *l, struct work *w)
{
    static bool has_threads;
    if (!has_threads)
        die_if_aborted("the pool's threads cannot be started");
    int rc = uv_queue_work(&l->uv, &w->uv, run_work, work_done);
    if (!has_threads)
        die_if_aborted(NULL);
    has_threads = true;
    return rc;
}

void loop_work(struct loop *l, struct work *w)
{
    if (w->running)
        die("work asked for while it runs");
    w->running = true;
    w->uv.data = w;
    if (queue(l, w))
        die("the pool takes no work");
}

/* Work aside. An errand belongs to its thread, which may never come back, until it is finished; the loop's part of it can be gone by then. */

enum { ASIDE_STACK = 256 * 1024 };

struct errand {
    pthread_mutex_t lock;
    struct aside *aside; /* under lock; NULL: the loop has ended */
    bool finished;       /* under lock */
    void (*work)(void *data);
    void (*drop)(void *data);
    void *data;
};

struct aside {
    struct list node;
    uv_async_t async;
    struct errand *errand;
    void (*done)(void *ctx, void *data);
    void *ctx;
};

static void errand_free(struct errand *e)
{
    pthread_mutex_destroy(&e->lock);
    free(e);
}

static void *run_errand(void *arg)
{
    struct errand *e = arg;
    e->work(e->data);
    pthread_mutex_lock(&e->lock);
    bool waited_for = e->aside;
    e->finished = true;
    if (waited_for)
        uv_async_send(&e->aside->async);
    pthread_mutex_unlock(&e->lock);
    if (!waited_for) {
        e->drop(e->data);
        errand_free(e);
    }
    return NULL;
}

static void on_aside_closed(uv_handle_t *h)
{
    free(h->data);
}

static void aside_close(struct aside *a)
{
    list_remove(&a->node);
    uv_close((uv_handle_t *)&a->async, on_aside_closed);
}

static void on_errand_done(uv_async_t *h)
{
    struct aside *a = h->data;
    struct errand *e = a->errand;
    void *data = e->data;
    pthread_mutex_lock(&e->lock); /* its thread has to be out of there */
    pthread_mutex_unlock(&e->lock);
    errand_free(e);
    aside_close(a);
    a->done(a->ctx, data);
}

int loop_aside(struct loop *l, void (*work)(void *data), void (*done)(void *ctx, void *data), void (*drop)(void *data), void *data, void *ctx)
{
    pthread_t thread;
    pthread_attr_t how;
    struct aside *a = calloc(1, sizeof *a);
    struct errand *e = calloc(1, sizeof *e);
    if (!a || !e || uv_async_init(&l->uv, &a->async, on_errand_done))
        die("cannot make a wake");
    *e = (struct errand){ .aside = a, .work = work, .drop = drop, .data = data };
    a->async.data = a;
    a->errand = e;
    a->done = done;
    a->ctx = ctx;
    list_push(&l->asides, &a->node);
    pthread_mutex_init(&e->lock, NULL);
    pthread_attr_init(&how);
    pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&how, ASIDE_STACK);
    int rc = pthread_create(&thread, &how, run_errand, e);
    pthread_attr_destroy(&how);
    if (rc) {
        aside_close(a);
        errand_free(e);
    }
    return rc;
}

/* The loop ends before it. */
static void aside_abandon(struct aside *a)
{
    struct errand *e = a->errand;
    pthread_mutex_lock(&e->lock);
    bool finished = e->finished;
    e->aside = NULL;
    pthread_mutex_unlock(&e->lock);
    if (finished) {
        e->drop(e->data);
        errand_free(e);
    }
    aside_close(a);
    a->done(a->ctx, NULL);
}

/* Wakes */

struct wake {
    uv_async_t async;
    void (*fn)(void *ctx);
    void *ctx;
};

static void on_wake(uv_async_t *h)
{
    struct wake *w = h->data;
    w->fn(w->ctx);
}

struct wake *wake_new(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    struct wake *w = calloc(1, sizeof *w);
    if (!w || uv_async_init(&l->uv, &w->async, on_wake))
        die("cannot make a wake");
    w->async.data = w;
    w->fn = fn;
    w->ctx = ctx;
    return w;
}

void wake_up(struct wake *w)
{
    uv_async_send(&w->async);
}

static void on_wake_closed(uv_handle_t *h)
{
    free(h->data);
}

void wake_free(struct wake *w)
{
    if (w)
        uv_close((uv_handle_t *)&w->async, on_wake_closed);
}

/* The loop itself */

/* Without memory libuv aborts in the middle, without a word: then it shall be with one. */
static void *had(void *p, size_t n)
{
    if (!p && n)
        die("out of memory: %zu bytes for the loop", n);
    return p;
}

static void *take(size_t n)
{
    return had(malloc(n), n);
}

static void *take_more(void *p, size_t n)
{
    return had(realloc(p, n), n);
}

static void *take_zeroed(size_t n, size_t size)
{
    return had(calloc(n, size), n * size);
}

struct loop *loop_new(void)
{
    uv_replace_allocator(take, take_more, take_zeroed, free);
    struct loop *l = calloc(1, sizeof *l);
    die_if_aborted("cannot make a loop: there is no pipe for signals");
    int rc = l ? uv_loop_init(&l->uv) : UV_ENOMEM;
    die_if_aborted(NULL);
    if (rc)
        die("cannot make a loop: %s", uv_strerror(rc));
    signal(SIGPIPE, SIG_IGN); /* writing to who has left is an error code here, not a death */
    list_init(&l->laters);
    list_init(&l->signals);
    list_init(&l->asides);
    uv_timer_init(&l->uv, &l->clock);
    uv_prepare_init(&l->uv, &l->before_poll);
    uv_check_init(&l->uv, &l->after_poll);
    uv_idle_init(&l->uv, &l->awake);
    l->clock.data = l->before_poll.data = l->after_poll.data = l->awake.data = l;
    uv_prepare_start(&l->before_poll, on_before_poll);
    uv_check_start(&l->after_poll, on_after_poll);
    return l;
}

static void refuse_open_handle(uv_handle_t *h, void *ctx)
{
    if (!uv_is_closing(h))
        die("loop freed with an open %s handle", uv_handle_type_name(uv_handle_get_type(h)));
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    while (!list_empty(&l->laters))
        run_laters(l);
    while (!list_empty(&l->signals)) {
        struct signal_watch *w = list_entry(l->signals.next, struct signal_watch, node);
        list_remove(&w->node);
        uv_close((uv_handle_t *)&w->handle, on_signal_closed);
    }
    while (!list_empty(&l->asides))
        aside_abandon(list_entry(l->asides.next, struct aside, node));
    uv_close((uv_handle_t *)&l->clock, NULL);
    uv_close((uv_handle_t *)&l->before_poll, NULL);
    uv_close((uv_handle_t *)&l->after_poll, NULL);
    uv_close((uv_handle_t *)&l->awake, NULL);
    uv_walk(&l->uv, refuse_open_handle, NULL);
    do /* again when a stop was still pending, or the pool is still at work */
        uv_run(&l->uv, UV_RUN_DEFAULT);
    while (uv_loop_alive(&l->uv));
    while (!list_empty(&l->laters)) /* asked for by a close callback */
        run_laters(l);
    if (uv_loop_close(&l->uv))
        die("loop freed while something in it still lives");
    free(l->heap);
    free(l);
}

void loop_run(struct loop *l)
{
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

uv_loop_t *loop_uv(struct loop *l)
{
    return &l->uv;
}

int64_t loop_now_ms(const struct loop *l)
{
    return (int64_t)uv_now(&l->uv);
}
