/* Any OpenAI-compatible address: llama-server elsewhere, MLX, vLLM, LM Studio. It is somebody else's to keep: always "hot", no
 * limit of ours, no loading. Whether it answers is found out by asking. */
#include "backend/backend_int.h"
#include "backend/pool.h"

static void nothing(struct backend *b)
{
    (void)b;
}

const struct backend_kind backend_kind_openai = {
    .name = "openai", .managed = false, .load = nothing, .unload = nothing, .free = nothing, .read_refusal = backend_plain_refusal,
};

void backend_init_bearer(struct backend *b, const struct backend_kind *kind)
{
    struct str path;
    b->kind = kind;
    if (!backend_open_pool(b, &path))
        return;
    backend_set_base(b, path);
    if (b->place->key.hidden.n)
        buf_printf(&b->headers, "Authorization: Bearer %.*s\r\n", STR_ARG(b->place->key.hidden));
    buf_lit(&b->headers, "Content-Type: application/json\r\n");
    b->state = BACKEND_HOT;
}

void openai_init(struct backend *b)
{
    backend_init_bearer(b, &backend_kind_openai);
}
