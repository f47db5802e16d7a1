/* Is it ready? Its health path is asked until it says 200, then what its kind wants to know; then it is hot. */
#include "backend/child.h"

enum {
    POLL_FIRST_MS = 10,             /* between two looks at /health, growing by a quarter each time */
    POLL_LAST_MS = 250,
    LOAD_LIMIT_MS = 15 * 60 * 1000, /* a load from a slow disk takes minutes; for ever is a hang */
    ANSWER_MAX_BYTES = 1024 * 1024, /* the chat template is in /props */
};

static void look_again(struct child *c)
{
    c->asking = ASKING_NOTHING;
    timer_set(&c->poll, c->poll_ms);
    c->poll_ms += c->poll_ms / 4 + 1;
    if (c->poll_ms > POLL_LAST_MS)
        c->poll_ms = POLL_LAST_MS;
}

static void on_head(void *ctx, const struct http_answer *a)
{
    struct child *c = ctx;
    c->status = a->status;
    buf_reset(&c->answer, 4096);
}

static void on_body(void *ctx, struct str bytes)
{
    struct child *c = ctx;
    struct err e;
    if (buf_feed(&c->answer, bytes, &e))
        c->status = 0; /* not a child of the kind we know: look again until the limit */
}

static void on_done(void *ctx, enum err_code rc, const struct err *e);
static const struct http_call_ops call_ops = { on_head, on_body, on_done };

static void get(struct child *c, enum child_asking what, struct str path)
{
    struct http_request r = {
        .method = STR("GET"),
        .path = path,
        .headers = buf_str(&c->b->headers),
        .first_byte_ms = 30 * 1000,
        .idle_ms = 30 * 1000,
    };
    c->asking = what;
    c->status = 0;
    c->call = http_call_start(c->b->pool, &r, &call_ops, c);
}

/* It is up: what its kind wants to know, one after the other. */
static void ask_on(struct child *c)
{
    struct child_question q;
    if (c->kind->question && c->kind->question(c, c->nth, &q)) {
        get(c, ASKING_QUESTION, q.path);
        return;
    }
    c->asking = ASKING_NOTHING;
    buf_free(&c->answer);
    timer_cancel(&c->limit);
    child_is_hot(c);
}

static void on_done(void *ctx, enum err_code rc, const struct err *e)
{
    struct child *c = ctx;
    (void)e;
    c->call = NULL;
    if (c->b->state != BACKEND_LOADING)
        return;
    if (rc) {
        look_again(c);
        return;
    }
    switch (c->asking) {
    case ASKING_NOTHING:
        break;
    case ASKING_HEALTH:
        c->nth = 0;
        if (c->status == 200)
            ask_on(c);
        else
            look_again(c);
        break;
    case ASKING_QUESTION:
        if (c->kind->heard(c, c->nth++, c->status, buf_str(&c->answer)) == CHILD_GO_ON)
            ask_on(c);
        else
            look_again(c);
        break;
    }
}

static void poll_now(void *ctx)
{
    struct child *c = ctx;
    if (!c->call)
        get(c, ASKING_HEALTH, str_of(c->kind->health));
}

static void load_limit(void *ctx)
{
    struct child *c = ctx;
    child_probe_stop(c);
    err_set(&c->b->last_error, ERR_LOAD_FAILED, "The engine has been loading '%.*s' for %d minutes without getting ready; it is being stopped.",
        STR_ARG(c->b->name), LOAD_LIMIT_MS / 60000);
    err_hint(&c->b->last_error, "Its own words are in %s.", c->log_file);
    service_stop(c->service, CHILD_TERM_MS, CHILD_TERM_AGAIN_MS);
}

void child_probe_init(struct child *c)
{
    buf_init(&c->answer, ANSWER_MAX_BYTES);
    timer_init(&c->poll, c->b->loop, poll_now, c);
    timer_init(&c->limit, c->b->loop, load_limit, c);
}

void child_probe_start(struct child *c)
{
    c->poll_ms = POLL_FIRST_MS;
    look_again(c);
    timer_set(&c->limit, LOAD_LIMIT_MS);
}

void child_probe_stop(struct child *c)
{
    timer_cancel(&c->poll);
    timer_cancel(&c->limit);
    http_call_cancel(c->call);
    c->call = NULL;
    c->asking = ASKING_NOTHING;
}
