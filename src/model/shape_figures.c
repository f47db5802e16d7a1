/* A model's shape out of a few figures that a person gives: for those who choose a machine before they have a model. */
#include "model/shape_int.h"

#include <stdio.h>

/* Of a whole file: the tensors that are kept finer are in it. Those of the K and I mixtures are llama.cpp's figures for an 8B model; the older ones
 * their blocks and a finer output. What is only called by its number is the smaller mixture of that name; MLX adds a scale and a bias of 16 bits to
 * each 64 weights. */
static const struct quant {
    const char *name;
    int64_t bits;               /* in hundredths */
} quants[] = {
    { "f32", 3200 }, { "fp32", 3200 }, { "f16", 1600 }, { "fp16", 1600 }, { "bf16", 1600 }, { "f8", 800 }, { "fp8", 800 },
    { "q8", 850 }, { "q8_0", 850 }, { "int8", 800 }, { "8bit", 850 }, { "6bit", 650 }, { "5bit", 550 }, { "4bit", 450 }, { "3bit", 350 }, { "2bit", 250 },
    { "q6", 656 }, { "q6_k", 656 },
    { "q5", 557 }, { "q5_0", 557 }, { "q5_1", 604 }, { "q5_k", 570 }, { "q5_k_s", 557 }, { "q5_k_m", 570 },
    { "q4", 467 }, { "q4_0", 466 }, { "q4_1", 513 }, { "q4_k", 489 }, { "q4_k_s", 467 }, { "q4_k_m", 489 }, { "iq4_xs", 446 }, { "iq4_nl", 468 },
    { "mxfp4", 425 }, { "nvfp4", 450 }, { "int4", 450 }, { "awq", 450 }, { "gptq", 450 },
    { "q3", 400 }, { "q3_k", 400 }, { "q3_k_s", 364 }, { "q3_k_m", 400 }, { "q3_k_l", 430 },
    { "iq3_xxs", 325 }, { "iq3_xs", 350 }, { "iq3_s", 366 }, { "iq3_m", 376 },
    { "q2", 316 }, { "q2_k", 316 }, { "q2_k_s", 297 }, { "iq2_xxs", 238 }, { "iq2_xs", 259 }, { "iq2_s", 274 }, { "iq2_m", 293 },
    { "iq1_s", 200 }, { "iq1_m", 215 },
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == '-' ? '_' : c;
}

static bool same_name(struct str given, const char *name)
{
    size_t n = strlen(name);
    if (given.n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (lower(given.p[i]) != name[i])
            return false;
    return true;
}

int64_t shape_quant_bits(struct str name)
{
    if (str_ends(name, STR("-bit")) && name.n == 5) { /* "4-bit" */
        char digit[] = { name.p[0], 'b', 'i', 't', 0 };
        return shape_quant_bits(str_of(digit));
    }
    for (size_t i = 0; i < COUNTOF(quants); i++)
        if (same_name(name, quants[i].name))
            return quants[i].bits;
    return 0;
}

static int64_t root(int64_t n) /* whole part of the square root */
{
    int64_t low = 0, high = INT32_MAX;
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        if (middle <= n / middle)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static enum err_code check_one(int64_t v, int64_t least, int64_t most, const char *param, struct err *e)
{
    if (v >= least && v <= most)
        return ERR_OK;
    err_set(e, ERR_INVALID_REQUEST, "%s %lld cannot be: it is %lld to %lld", param, (long long)v, (long long)least, (long long)most);
    return err_param(e, "%s", param);
}

static enum err_code check(const struct shape_figures *f, struct err *e)
{
    enum err_code rc = check_one(f->params, 1000, INT64_C(100000000000000), "params", e);
    if (!rc)
        rc = check_one(f->layers, 1, SHAPE_MAX_LAYERS, "layers", e);
    if (!rc)
        rc = check_one(f->kv_heads, 1, 1 << 16, "kv-heads", e);
    if (!rc)
        rc = check_one(f->head_dim, 1, 1 << 16, "head-dim", e);
    if (!rc)
        rc = check_one(f->context_train, 0, INT32_MAX, "context", e);
    if (!rc && !shape_quant_bits(f->quant)) {
        err_set(e, ERR_INVALID_REQUEST, "quant '%.*s' is not known", STR_ARG(f->quant));
        err_hint(e, "f16, q8, q6, q5, q4, q3, q2, their K mixtures (q4_k_m), i-quants (iq4_xs), mxfp4, or 8bit and 4bit as MLX has them");
        rc = err_param(e, "quant");
    }
    return rc;
}

/* A layer of a Llama has about 13 times its width squared in weights (attention 2.25, three matrices 3.5 times as wide 10.5): that gives the width
 * that nobody asked for. It only matters for the compute buffers. */
static void guess_widths(struct shape *s)
{
    enum { SQUARES = 13, STEP = 128, VOCABULARY = 128 * 1024 };
    int64_t width = root(s->params / s->layers / SQUARES);
    s->embed = (width + STEP - 1) / STEP * STEP;
    s->ff = s->embed * 7 / 2;
    s->gated = true;
    s->vocab = VOCABULARY;
}

enum err_code shape_of_figures(const struct shape_figures *f, struct arena *a, struct shape *out, struct err *e)
{
    enum err_code rc = check(f, e);
    if (rc)
        return rc;
    int64_t bits = shape_quant_bits(f->quant);
    struct shape_layer *layer = arena_array(a, struct shape_layer, (size_t)f->layers);
    for (int64_t i = 0; i < f->layers; i++)
        layer[i] = (struct shape_layer){ .kv_heads = (uint32_t)f->kv_heads, .k_len = (uint32_t)f->head_dim, .v_len = (uint32_t)f->head_dim };
    struct shape s = {
        .architecture = "figures", .layer = layer, .layers = (uint32_t)f->layers, .context_train = f->context_train, .params = f->params,
        .params_active = f->params, .quant_bits = bits, .whole_known = true, .formula = "attention",
        .weights_bytes = f->params / 800 * bits + f->params % 800 * bits / 800,
    };
    snprintf(s.quant, sizeof s.quant, "%.*s", STR_ARG(f->quant));
    guess_widths(&s);
    s.heads = s.embed / f->head_dim ? s.embed / f->head_dim : 1;
    *out = s;
    return ERR_OK;
}
