/* Is it ready? Its health path is asked until it says 200, then what its kind wants to know. That a process says it is healthy proves little: the
 * proof is a real answer, with our key, from our process. When somebody waits, the first request is that proof (and nothing is lost by asking before);
 * when nobody does, it is asked for one token.
 *
 * How often to look: the longer it has taken, the less does it matter to be late. A look each fortieth of the time so far makes a load seem at most
 * 2.5 % longer than it was. */
#include "backend/child.h"

#include "proc/port.h"

#include <stdlib.h>

enum {
    POLL_PART = 40,
    POLL_FIRST_MS = 2,
    POLL_LAST_MS = 250,
    LOAD_LIMIT_MS = 15 * 60 * 1000, /* a load from a slow disk takes minutes; for ever is a hang */
    PROOF_LIMIT_MS = 2 * 60 * 1000, /* a first token, from weights that may have to be read from the disk for it */
};

static void look_again(struct child *c)
{
    int64_t wait = (loop_now_ms(c->b->loop) - c->running_ms) / POLL_PART;
    timer_set(&c->poll, wait < POLL_FIRST_MS ? POLL_FIRST_MS : wait > POLL_LAST_MS ? POLL_LAST_MS : wait);
}

/* It will not do: b->last_error says why. The service's end makes it failed. */
static void give_up(struct child *c)
{
    if (!c->b->last_error.hint[0])
        err_hint(&c->b->last_error, "Its own words are in %s.", c->log_file);
    child_probe_stop(c);
    child_stop(c);
}

static void hot(struct child *c)
{
    timer_cancel(&c->limit);
    child_is_hot(c);
}

static void proof_came(struct child *c, enum err_code rc, int status, struct str body)
{
    struct backend *b = c->b;
    char said[120];
    if (!rc && status == 200) {
        hot(c);
        return;
    }
    backend_error_message(body, said, sizeof said);
    if (rc)
        err_set(&b->last_error, ERR_LOAD_FAILED, "The engine of '%.*s' says that it is ready, and does not answer a first request.", STR_ARG(b->name));
    else
        err_set(&b->last_error, ERR_LOAD_FAILED, "The engine of '%.*s' says that it is ready, and answers a first request with %d%s%s.", STR_ARG(b->name),
            status, said[0] ? ": " : "", said);
    give_up(c);
}

static void prove(struct child *c)
{
    struct child_question q;
    bool wanted = c->b->wanted && c->b->wanted(c->b->ctx, c->b);
    if (wanted || !child_smallest_question(c, &q)) {
        hot(c);
        return;
    }
    q.limit_ms = PROOF_LIMIT_MS;
    child_ask(c, &q, proof_came);
}

static void answer_came(struct child *c, enum err_code rc, int status, struct str body);

/* It is up: what its kind wants to know, one after the other. */
static void ask_on(struct child *c)
{
    struct child_question q = { .method = NULL };
    if (c->kind->question && c->kind->question(c, c->nth, &q))
        child_ask(c, &q, answer_came);
    else
        child_prompts_restore(c, prove);
}

static void answer_came(struct child *c, enum err_code rc, int status, struct str body)
{
    if (rc) {
        look_again(c);
        return;
    }
    switch (c->kind->heard(c, c->nth++, status, body, &c->b->last_error)) {
    case CHILD_GO_ON:
        ask_on(c);
        break;
    case CHILD_ASK_AGAIN:
        look_again(c);
        break;
    case CHILD_UNFIT:
        give_up(c);
        break;
    }
}

/* ---- is it the one that listens? ---- */

/* Owns itself: the child may be stopped and gone before the pool is through. */
struct owner_check {
    struct work work;
    struct child *child;            /* NULL: nobody wants to know any more */
    int port, pid;
    enum port_owner owner;
};

static void check_owner(void *ctx) /* on the pool */
{
    struct owner_check *o = ctx;
    o->owner = port_owner(o->port, o->pid);
}

static void owner_known(struct child *c, const struct owner_check *o)
{
    switch (o->owner) {
    case PORT_NOBODY:
        look_again(c);
        break;
    case PORT_OURS:
    case PORT_UNKNOWN:
        c->owner = true;
        ask_on(c);
        break;
    case PORT_STRANGER:
        err_set(&c->b->last_error, ERR_LOAD_FAILED, "On port %d, which was for '%.*s', another process answers than the one that was started (%d).", o->port,
            STR_ARG(c->b->name), o->pid);
        err_hint(&c->b->last_error, "Something took the port first, or the program goes into the background: it must stay in the foreground.");
        give_up(c);
        break;
    }
}

static void owner_checked(void *ctx)
{
    struct owner_check *o = ctx;
    if (o->child) {
        o->child->checking = NULL;
        owner_known(o->child, o);
    }
    free(o);
}

static void ask_who_listens(struct child *c, int port)
{
    struct owner_check *o = calloc(1, sizeof *o);
    if (!o)
        die("out of memory for a look at a port");
    o->child = c;
    o->port = port;
    o->pid = service_pid(c->service);
    c->checking = o;
    work_init(&o->work, check_owner, owner_checked, o);
    loop_work(c->b->loop, &o->work);
}

static void health_came(struct child *c, enum err_code rc, int status, struct str body)
{
    int port = c->kind->port ? c->kind->port(c) : 0;
    (void)body;
    c->nth = c->step = 0;
    if (rc || status != 200)
        look_again(c);
    else if (port && !c->owner)
        ask_who_listens(c, port);
    else
        ask_on(c);
}

static void poll_now(void *ctx)
{
    struct child *c = ctx;
    struct child_question q = { .path = child_health_path(c) };
    child_ask(c, &q, health_came);
}

static void load_limit(void *ctx)
{
    struct child *c = ctx;
    err_set(&c->b->last_error, ERR_LOAD_FAILED, "The engine has been loading '%.*s' for %d minutes without getting ready; it is being stopped.",
        STR_ARG(c->b->name), LOAD_LIMIT_MS / 60000);
    give_up(c);
}

void child_probe_init(struct child *c)
{
    timer_init(&c->poll, c->b->loop, poll_now, c);
    timer_init(&c->limit, c->b->loop, load_limit, c);
}

void child_probe_start(struct child *c)
{
    c->running_ms = loop_now_ms(c->b->loop);
    c->owner = false;
    look_again(c);
    timer_set(&c->limit, LOAD_LIMIT_MS);
}

void child_probe_stop(struct child *c)
{
    timer_cancel(&c->poll);
    timer_cancel(&c->limit);
    if (c->checking)
        c->checking->child = NULL;
    c->checking = NULL;
    child_ask_cancel(c);
}
