/* A line (keeper/line.h) on the loop. Few descriptors may wait in one, and few bytes should: what is beyond is kept here in order, and goes in as the other
 * takes. */
#include "proc/heir.h"

#include "base/buf.h"
#include "base/log.h"
#include "keeper/line.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { OUT_MAX_BYTES = 16 * 1024 * 1024, OUT_FULL_BYTES = 1024 * 1024, OUT_FULL_FDS = LINE_FDS / 2, GOODBYE_MS = 1000 };

struct kept {
    struct list node;
    struct heir_msg msg;
    char text[];
};

struct heir {
    struct loop *loop;
    struct line line;
    uv_poll_t poll;
    struct list kept;
    struct later ended;
    const struct heir_ops *ops;
    void *ctx;
    bool lost, freed;
};

static void on_poll(uv_poll_t *handle, int status, int events);

static void watch(struct heir *h)
{
    if (!h->lost && !h->freed)
        uv_poll_start(&h->poll, UV_READABLE | (line_waits(&h->line) ? UV_WRITABLE : 0), on_poll);
}

static void put(struct line *l, const struct heir_msg *m)
{
    size_t at = line_begin(l, (enum wire_type)m->word, m->id);
    wire_put_u64(&l->out, m->number);
    wire_put_text(&l->out, m->text);
    if (m->fd < 0) {
        line_end(l, at);
        return;
    }
    line_end_fd(l, at, m->fd); /* sends a duplicate */
    close(m->fd);
}

static bool is_full(const struct heir *h)
{
    return h->line.out.n > OUT_FULL_BYTES || h->line.n_fds_out >= OUT_FULL_FDS;
}

static void keep(struct heir *h, const struct heir_msg *m)
{
    struct kept *k = malloc(sizeof *k + m->text.n);
    if (!k)
        die("out of memory for a message");
    k->msg = *m;
    if (m->text.n)
        memcpy(k->text, m->text.p, m->text.n);
    k->msg.text = str_make(k->text, m->text.n);
    list_push(&h->kept, &k->node);
}

static enum line_state flush(struct heir *h)
{
    enum line_state state = line_flush(&h->line);
    while (state == LINE_OPEN && !list_empty(&h->kept) && !is_full(h)) {
        struct kept *k = list_entry(h->kept.next, struct kept, node);
        list_remove(&k->node);
        put(&h->line, &k->msg);
        free(k);
        if (is_full(h) || list_empty(&h->kept))
            state = line_flush(&h->line);
    }
    return state;
}

static void lose(struct heir *h)
{
    if (h->lost)
        return;
    h->lost = true;
    uv_poll_stop(&h->poll);
    loop_later(h->loop, &h->ended);
}

static void tell_ended(void *ctx)
{
    struct heir *h = ctx;
    h->ops->on_end(h->ctx);
}

void heir_send(struct heir *h, const struct heir_msg *m)
{
    if (h->lost || h->freed) {
        if (m->fd >= 0)
            close(m->fd);
        return;
    }
    if (!list_empty(&h->kept) || is_full(h))
        keep(h, m);
    else
        put(&h->line, m);
    if (flush(h) == LINE_BROKEN)
        lose(h);
    watch(h); /* of an end the poll tells, behind what has come before it */
}

bool heir_waits(const struct heir *h)
{
    return !h->lost && (line_waits(&h->line) || !list_empty(&h->kept));
}

static bool hear(struct heir *h, const struct wire_head *head, struct str body, int fd)
{
    struct wire_reader in = wire_reader(body);
    struct heir_msg m = { .word = (enum heir_word)head->type, .id = head->id, .fd = fd };
    m.number = wire_u64(&in);
    m.text = wire_text(&in);
    if (!wire_reader_ok(&in) || head->type == 0 || head->type >= HEIR_WORDS) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    h->ops->on_msg(h->ctx, &m);
    return true;
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct heir *h = handle->data;
    enum line_state state = status < 0 ? LINE_BROKEN : line_read(&h->line);
    struct wire_head head;
    struct str body;
    int fd;
    while (!h->freed && line_next(&h->line, &head, &body, &fd))
        if (!hear(h, &head, body, fd)) {
            state = LINE_BROKEN;
            break;
        }
    if (h->freed)
        return;
    if (state == LINE_OPEN && !h->line.broken)
        state = flush(h);
    if (state != LINE_OPEN || h->line.broken)
        lose(h);
    else
        watch(h);
}

struct heir *heir_new(struct loop *l, int fd, const struct heir_ops *ops, void *ctx)
{
    struct heir *h = calloc(1, sizeof *h);
    if (!h)
        die("out of memory");
    h->loop = l;
    h->ops = ops;
    h->ctx = ctx;
    list_init(&h->kept);
    later_init(&h->ended, tell_ended, h);
    line_open(&h->line, fd, OUT_MAX_BYTES);
    h->poll.data = h;
    if (uv_poll_init(loop_uv(l), &h->poll, fd))
        die("descriptor %d is no socket to another gateway", fd);
    watch(h);
    return h;
}

static void on_closed(uv_handle_t *handle)
{
    struct heir *h = handle->data;
    for (struct list *n; (n = list_take(&h->kept));) {
        struct kept *k = list_entry(n, struct kept, node);
        if (k->msg.fd >= 0)
            close(k->msg.fd);
        free(k);
    }
    line_close(&h->line);
    free(h);
}

void heir_free(struct heir *h)
{
    if (!h || h->freed)
        return;
    h->freed = true;
    later_cancel(&h->ended);
    uv_close((uv_handle_t *)&h->poll, on_closed);
}

void heir_say_and_end(int fd, const struct heir_msg *m)
{
    struct line l;
    line_open(&l, fd, OUT_MAX_BYTES);
    put(&l, m);
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    while (line_flush(&l) == LINE_OPEN && line_waits(&l) && poll(&p, 1, GOODBYE_MS) == 1)
        continue;
    line_close(&l);
}
