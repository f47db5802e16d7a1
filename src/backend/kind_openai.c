/* Any OpenAI-compatible address over plain HTTP: llama-server elsewhere, MLX, vLLM, LM Studio. It is somebody else's to keep: always "hot", no
 * limit of ours, no loading. Whether it answers is found out by asking. */
#include "backend/backend_int.h"
#include "net/addr.h"

#include <stdio.h>

static void nothing(struct backend *b)
{
    (void)b;
}

const struct backend_kind backend_kind_openai = {
    .name = "openai", .managed = false, .load = nothing, .unload = nothing, .free = nothing, .read_refusal = backend_plain_refusal,
};

enum { MAX_IDLE = 1024, IDLE_MS = 30 * 1000 };

void openai_init(struct backend *b)
{
    struct addr to;
    struct str path;
    struct err e;
    b->kind = &backend_kind_openai;
    if (addr_parse_url(b->place->url, &to, &path, &e)) { /* the config has checked it */
        b->last_error = e;
        b->state = BACKEND_FAILED;
        return;
    }
    if (!str_ends(path, STR("/v1")))
        buf_printf(&b->path, "%.*s/v1", STR_ARG(path));
    else
        buf_add(&b->path, path);
    if (b->place->key.hidden.n)
        buf_printf(&b->headers, "Authorization: Bearer %.*s\r\n", STR_ARG(b->place->key.hidden));
    buf_lit(&b->headers, "Content-Type: application/json\r\n");
    char host[320];
    addr_format(&to, host, sizeof host);
    struct http_pool_opts opts = { .max_idle = MAX_IDLE, .idle_ms = IDLE_MS, .connect_ms = b->timeouts.connect_ms };
    b->pool = http_pool_new(b->loop, &to, to.port == 80 ? str_of(to.host) : str_of(host), &opts);
    b->state = BACKEND_HOT;
}
