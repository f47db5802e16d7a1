/* What we ask a child ourselves: one question at a time, its answer collected whole. */
#include "backend/child.h"

#include "json/json.h"

enum { ANSWER_MAX_BYTES = 1024 * 1024 /* the chat template is in /props */, LIMIT_MS = 30 * 1000 };

static void on_head(void *ctx, const struct http_answer *a)
{
    struct child *c = ctx;
    c->status = a->status;
    c->answer.max = ANSWER_MAX_BYTES;
    buf_reset(&c->answer, 4096);
}

static void on_body(void *ctx, struct str bytes)
{
    struct child *c = ctx;
    struct err e;
    if (buf_feed(&c->answer, bytes, &e))
        c->status = 0; /* not a child of the kind we know */
}

static void on_done(void *ctx, enum err_code rc, const struct err *e)
{
    struct child *c = ctx;
    (void)e;
    c->call = NULL;
    c->answered(c, rc, c->status, buf_str(&c->answer));
    if (!c->call)
        buf_reset(&c->answer, 0);
}

static const struct http_call_ops ops = { on_head, on_body, on_done };

void child_ask(struct child *c, const struct child_question *q, child_answer_fn *answered)
{
    struct buf headers = { 0 };
    buf_add(&headers, buf_str(&c->b->headers));
    buf_lit(&headers, "X-Hob-Probe: 1\r\n"); /* so that whoever looks at its log sees who asked */
    struct http_request r = {
        .method = q->method ? str_of(q->method) : STR("GET"),
        .path = q->path,
        .headers = buf_str(&headers),
        .body = &q->body,
        .pieces = q->body.n ? 1 : 0,
        .first_byte_ms = q->limit_ms ? q->limit_ms : LIMIT_MS,
        .idle_ms = q->limit_ms ? q->limit_ms : LIMIT_MS,
    };
    c->status = 0;
    c->answered = answered;
    c->call = http_call_start(c->asks, &r, &ops, c);
    wipe(headers.p, headers.n); /* its key is in there */
    buf_free(&headers);
}

void child_ask_cancel(struct child *c)
{
    http_call_cancel(c->call);
    c->call = NULL;
}

struct str child_health_path(const struct child *c)
{
    return c->kind->health ? str_of(c->kind->health) : c->b->model->health;
}

static const struct smallest {
    enum serves serves;
    const char *path, *rest; /* behind "model":NAME */
} smallest[] = {
    { SERVES_CHAT, "/chat/completions", "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"max_tokens\":1,\"temperature\":0,\"stream\":false}" },
    { SERVES_EMBED, "/embeddings", "\"input\":\"Hi\"}" },
    { SERVES_RERANK, "/rerank", "\"query\":\"Hi\",\"documents\":[\"Hi\"]}" },
};

bool child_smallest_question(struct child *c, struct child_question *q)
{
    for (size_t i = 0; i < COUNTOF(smallest); i++) {
        const struct smallest *s = &smallest[i];
        if (!(c->b->model->serves & s->serves))
            continue;
        buf_reset(&c->question, 4096);
        buf_printf(&c->question, "%.*s%s", STR_ARG(buf_str(&c->b->path)), s->path);
        size_t path = c->question.n;
        buf_lit(&c->question, "{\"model\":");
        struct json_out o = json_out(&c->question);
        json_string(&o, c->b->upstream);
        buf_printf(&c->question, ",%s", s->rest);
        struct str all = buf_str(&c->question);
        *q = (struct child_question){ .method = "POST", .path = str_make(all.p, path), .body = str_from(all, path) };
        return true;
    }
    return false;
}
