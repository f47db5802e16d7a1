/* Shapes of models: a config.json, and a GGUF's header. Whatever stands in them, there is a shape whose memory can be counted, or an error that leaves
 * the result alone. */
#include "model/fit.h"
#include "model/gguf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check(enum err_code rc, const struct shape *s, const struct err *e)
{
    static const int64_t contexts[] = { 1, 4096, INT32_MAX };
    int64_t before = 0;
    if (rc) {
        must(rc == ERR_WEIGHTS_BROKEN && e->text[0] && s->layers == 77);
        return;
    }
    must(s->layers > 0 && s->layers <= SHAPE_MAX_LAYERS && s->formula);
    for (size_t i = 0; i < COUNTOF(contexts); i++) {
        struct fit_ask ask = { .context = contexts[i], .slots = 2, .kv_k = STR("q8_0"), .kv_v = STR("f16"), .ubatch = 512, .flash = i != 1 };
        struct fit_warning warnings[FIT_MAX_WARNINGS];
        struct fit_terms t;
        must(fit_compute(s, NULL, &ask, &t));
        must(t.kv >= before && t.compute >= 0 && t.total >= t.kv && t.total >= t.weights); /* more context is never less memory */
        must(fit_warnings(s, &ask, &t, 1 << 30, STR("code"), warnings) <= FIT_MAX_WARNINGS);
        before = t.kv;
    }
}

static bool read_bytes(void *ctx, uint64_t at, void *to, size_t n)
{
    memcpy(to, (const char *)ctx + at, n);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gguf_source source = { .read = read_bytes, .ctx = (void *)(uintptr_t)data, .size = size };
    struct shape of_config = { .layers = 77 }, of_gguf = { .layers = 77 };
    struct arena a;
    struct gguf g;
    struct err e = { 0 };
    arena_init(&a);
    check(shape_of_config(str_make((const char *)data, size), 1000, 1000, &a, &of_config, &e), &of_config, &e);
    if (!gguf_read(&source, &a, &g, &e))
        check(shape_of_gguf(&g, &a, &of_gguf, &e), &of_gguf, &e);
    arena_fini(&a);
    return 0;
}
