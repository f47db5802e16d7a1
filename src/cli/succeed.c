/* Taking another gateway's place (doc/adr/0013-upgrade.md): say that we could, wait until it has let go, take the children and the door over, then take what it
 * hands on: connections, rows of the requests that it still answers, how many of those each model has. */
#include "cli/gateway_int.h"

#include "base/clock.h"
#include "json/json.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* A connection of which not all has come. */
struct coming {
    struct list node;
    uint32_t id;
    uint64_t number;
    int fd;
    struct buf bytes;
};

/* A row that is being written for it. */
struct foreign {
    struct list node;
    struct succession *s;               /* NULL: who asked is gone */
    uint32_t id;
    struct request_row row;
    struct json_doc doc;                /* the row's texts lie in its text, a copy: */
    struct buf text;
    struct request_put put;
};

struct held {
    struct list node;
    size_t n;
    struct buf model;
};

struct succession {
    struct gateway *g;
    struct heir *heir;                  /* the socket to the other */
    struct ghosts *ghosts;
    struct list coming, rows, held;     /* held: told before the children were adopted */
    bool began;                         /* the other has let go */
    bool adopted;
};

bool succeed_is_heir(bool *again)
{
    const char *what = getenv(KEEPER_HEIR_NAME);
    *again = what && str_eq(str_of(what), STR("again"));
    return what && !*again;
}

void succeed_fail(struct str why)
{
    struct heir_msg m = { .word = HEIR_FAILED, .text = why, .fd = -1 };
    heir_say_and_end(KEEPER_HEIR_FD, &m);
}

/* ---- connections ---- */

static void take(struct succession *s, int fd, uint64_t number, struct str bytes)
{
    struct gateway *g = s->g;
    struct http_server *door = number & HEIR_ADMIN ? admin_server(g->admin) : g->server;
    if (door)
        http_server_take_with(door, fd, bytes);
    else
        close(fd);
}

static void on_conn(struct succession *s, const struct heir_msg *m)
{
    if (m->fd < 0)
        return;
    if (!(m->number & HEIR_MORE)) {
        take(s, m->fd, m->number, m->text);
        return;
    }
    struct coming *c = calloc(1, sizeof *c);
    if (!c)
        die("out of memory for a connection");
    *c = (struct coming){ .id = m->id, .number = m->number, .fd = m->fd };
    buf_add(&c->bytes, m->text);
    list_push(&s->coming, &c->node);
}

static void coming_free(struct coming *c)
{
    list_remove(&c->node);
    buf_free(&c->bytes);
    free(c);
}

static void on_bytes(struct succession *s, const struct heir_msg *m)
{
    for (struct list *at = s->coming.next; at != &s->coming; at = at->next) {
        struct coming *c = list_entry(at, struct coming, node);
        if (c->id != m->id)
            continue;
        buf_add(&c->bytes, m->text);
        if (!(m->number & HEIR_MORE)) {
            take(s, c->fd, c->number, buf_str(&c->bytes));
            coming_free(c);
        }
        return;
    }
}

/* ---- rows ---- */

static void foreign_free(struct foreign *f)
{
    list_remove(&f->node);
    json_free(&f->doc);
    buf_free(&f->text);
    free(f);
}

static void say_row(struct succession *s, uint32_t id, const struct err *e)
{
    struct heir_msg m = { .word = HEIR_ROW_DONE, .id = id, .text = e ? str_of(e->text) : STR(""), .fd = -1 };
    heir_send(s->heir, &m);
}

static void on_written(void *ctx, const struct err *e)
{
    struct foreign *f = ctx;
    if (f->s)
        say_row(f->s, f->id, e);
    foreign_free(f);
}

static void on_row(struct succession *s, const struct heir_msg *m)
{
    struct foreign *f = calloc(1, sizeof *f);
    struct err e;
    if (!f)
        die("out of memory for a row");
    f->s = s;
    f->id = m->id;
    list_push(&s->rows, &f->node);
    buf_add(&f->text, m->text);
    if (request_unpack(buf_str(&f->text), &f->doc, &f->row, &e)) {
        say_row(s, m->id, &e);
        foreign_free(f);
        return;
    }
    f->put = (struct request_put){ .row = &f->row, .on_done = on_written, .ctx = f, .maybe_there = m->number != 0 };
    requests_put(s->g->store, &f->put, 1);
}

/* ---- what it still has at work ---- */

static void on_held(struct succession *s, const struct heir_msg *m)
{
    if (s->adopted) {
        ghosts_set(s->ghosts, m->text, (size_t)m->number);
        return;
    }
    struct held *h = calloc(1, sizeof *h);
    if (!h)
        die("out of memory");
    h->n = (size_t)m->number;
    buf_add(&h->model, m->text);
    list_push(&s->held, &h->node);
}

static void held_free(struct held *h)
{
    list_remove(&h->node);
    buf_free(&h->model);
    free(h);
}

void succeed_adopted(struct succession *s)
{
    s->adopted = true;
    s->ghosts = ghosts_new(s->g->fleet);
    for (struct list *n; (n = list_take(&s->held));) {
        struct held *h = list_entry(n, struct held, node);
        ghosts_set(s->ghosts, buf_str(&h->model), h->n);
        held_free(h);
    }
}

/* ---- the other's words ---- */

static void on_taken(void *ctx, const struct err *e)
{
    struct gateway *g = ctx;
    if (e) {
        log_error("the new gateway cannot take over: %s", e->text);
        _exit(EXIT_FAILED); /* nothing is ours yet: it goes on without us */
    }
    admin_open(g->admin);
    gateway_list(g);
}

static void on_opened(struct store_job *job, const struct err *e)
{
    struct gateway *g = list_entry(job, struct gateway, opened);
    if (!e)
        return;
    log_error("the new gateway cannot take over: %s", e->text);
    if (g->after)
        succeed_fail(str_of(e->text));
    _exit(EXIT_FAILED);
}

static void go(struct succession *s, const struct heir_msg *m)
{
    struct gateway *g = s->g;
    s->began = true;
    g->lock_fd = m->fd;
    g->on_trial = true;
    g->opened.done = on_opened;
    gateway_build(g);
    keeper_take(g->keeper, on_taken, g);
}

static void on_msg(void *ctx, const struct heir_msg *m)
{
    struct succession *s = ctx;
    switch (m->word) {
    case HEIR_GO:
        if (!s->began)
            go(s, m);
        else if (m->fd >= 0)
            close(m->fd);
        return;
    case HEIR_HELD:
        on_held(s, m);
        return;
    case HEIR_CONN:
        on_conn(s, m);
        return;
    case HEIR_BYTES:
        on_bytes(s, m);
        return;
    case HEIR_ROW:
        on_row(s, m);
        return;
    case HEIR_RELOAD:
        gateway_ask_reload(s->g);
        return;
    case HEIR_READY:
    case HEIR_FAILED:
    case HEIR_SERVING:
    case HEIR_ROW_DONE:
    case HEIR_WORDS:
        break;
    }
    if (m->fd >= 0)
        close(m->fd);
}

static void on_end(void *ctx)
{
    struct succession *s = ctx;
    if (!s->began)
        _exit(EXIT_FAILED); /* whose place it was is gone; the keeper starts another */
    gateway_elder_gone(s->g);
}

static const struct heir_ops ops = { on_msg, on_end };

/* ---- birth and death ---- */

static struct succession *begin(struct gateway *g)
{
    struct succession *s = calloc(1, sizeof *s);
    if (!s)
        die("out of memory");
    s->g = g;
    list_init(&s->coming);
    list_init(&s->rows);
    list_init(&s->held);
    s->heir = heir_new(g->loop, KEEPER_HEIR_FD, &ops, s);
    unsetenv(KEEPER_HEIR_NAME);
    g->after = s;
    return s;
}

static void on_greeted(void *ctx, struct str refusal)
{
    struct gateway *g = ctx;
    if (refusal.n) {
        succeed_fail(refusal);
        _exit(EXIT_FAILED);
    }
    struct succession *s = begin(g);
    struct heir_msg m = { .word = HEIR_READY, .id = HEIR_VERSION, .number = (uint64_t)store_schema(), .text = STR(HOB_VERSION), .fd = -1 };
    heir_send(s->heir, &m);
}

void succeed_begin(struct gateway *g)
{
    keeper_when_greeted(g->keeper, on_greeted, g);
}

void succeed_again(struct gateway *g)
{
    begin(g)->began = true;
}

void succeed_serving(struct succession *s)
{
    struct heir_msg m = { .word = HEIR_SERVING, .number = (uint64_t)clock_mono_ns(), .fd = -1 };
    heir_send(s->heir, &m);
}

void succeed_free(struct succession *s)
{
    if (!s)
        return;
    for (struct list *n; (n = list_take(&s->coming));) {
        struct coming *c = list_entry(n, struct coming, node);
        close(c->fd);
        coming_free(c);
    }
    for (struct list *n; (n = list_take(&s->held));)
        held_free(list_entry(n, struct held, node));
    while (!list_empty(&s->rows)) { /* written in any case */
        struct foreign *f = list_entry(s->rows.next, struct foreign, node);
        list_remove(&f->node);
        list_init(&f->node);
        f->s = NULL;
    }
    ghosts_free(s->ghosts);
    heir_free(s->heir);
    free(s);
}
