/* OpenAI's own: the events of its streams are what everything else becomes. */
#include "backend/dialect.h"
#include "http/sse.h"

#include <stdlib.h>

struct dialect_reader {
    struct sse *sse;
    dialect_event_fn *on_event;
    void *ctx;
};

static void on_sse(void *ctx, struct str event, struct str data)
{
    struct dialect_reader *r = ctx;
    (void)event;
    r->on_event(r->ctx, data);
}

static struct dialect_reader *reader_new(size_t max_event_bytes, dialect_event_fn *on_event, void *ctx)
{
    struct dialect_reader *r = calloc(1, sizeof *r);
    if (!r)
        die("out of memory for a reader of events");
    r->sse = sse_new(max_event_bytes, on_sse, r);
    r->on_event = on_event;
    r->ctx = ctx;
    return r;
}

static enum err_code feed(struct dialect_reader *r, struct str bytes, struct err *e)
{
    return sse_feed(r->sse, bytes, e);
}

/* Whether it is whole, its events have said. */
static enum err_code end(struct dialect_reader *r, struct err *e)
{
    (void)r;
    (void)e;
    return ERR_OK;
}

static void stop(struct dialect_reader *r)
{
    sse_stop(r->sse);
}

static void reader_free(struct dialect_reader *r)
{
    if (r)
        sse_free(r->sse);
    free(r);
}

const struct dialect dialect_openai = {
    .path = "/v1/chat/completions",
    .content_type = "text/event-stream",
    .reader_new = reader_new,
    .feed = feed,
    .end = end,
    .stop = stop,
    .free = reader_free,
};
