/* Memory arithmetic. What a llama.cpp engine takes, term by term; doc/internals/fit.md says where each formula comes from and how far it was off.
 *
 * Keys and values: the context is divided among the sequences (streams) and each part padded to 256 cells; layers with a sliding window have a cache
 * of their own, as large as the window and one batch. Recurrent layers keep a state for each sequence, whatever the context.
 * Compute buffers: the engine lays one batch's activations out in advance and reuses their room from layer to layer, so that what counts is the
 * widest moment of one layer, the masks, and the scores at the end. */
#include "model/fit.h"

#include <stdio.h>

enum { CELLS = 256, F32 = 4, F16 = 2, INPUTS_PER_TOKEN = 24 };
/* The program and its libraries, its tokenizer, its threads: 38 to 45 MiB more than weights, keys, values and compute buffers after a long prompt,
 * measured with a build that has the Vulkan libraries in it; 31 without. */
static const int64_t process_bytes = INT64_C(44) << 20;

/* ---- numbers that stop at the largest ---- */

static int64_t plus(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t times(int64_t a, int64_t b)
{
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t pad_cells(int64_t n)
{
    return n > INT64_MAX - CELLS ? INT64_MAX : (n + CELLS - 1) / CELLS * CELLS;
}

/* ---- keys and values ---- */

static const struct kv_type {
    const char *name;
    uint64_t values, bytes;     /* of a block */
} kv_types[] = {
    { "f32", 1, 4 }, { "f16", 1, 2 }, { "bf16", 1, 2 }, { "q8_0", 32, 34 }, { "q5_1", 32, 24 }, { "q5_0", 32, 22 }, { "q4_1", 32, 20 },
    { "q4_0", 32, 18 }, { "iq4_nl", 32, 18 },
};

static const struct kv_type *find_kv_type(struct str name)
{
    for (size_t i = 0; i < COUNTOF(kv_types); i++)
        if (str_eq(name, str_of(kv_types[i].name)))
            return &kv_types[i];
    return NULL;
}

static int64_t row_bytes(const struct kv_type *t, int64_t n)
{
    uint64_t blocks = ((uint64_t)n + t->values - 1) / t->values, bytes;
    return __builtin_mul_overflow(blocks, t->bytes, &bytes) || bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes;
}

bool fit_kv_bytes(struct str type, uint64_t n, uint64_t *out)
{
    const struct kv_type *t = find_kv_type(type);
    if (!t || n > INT64_MAX)
        return false;
    *out = (uint64_t)row_bytes(t, (int64_t)n);
    return true;
}

/* How many tokens the caches hold, in all streams together. */
struct cells {
    int64_t streams;
    int64_t full, window;       /* of one stream */
};

static int64_t ubatch_of(const struct fit_ask *ask)
{
    return ask->ubatch ? smaller(ask->ubatch, ask->context) : ask->context;
}

static struct cells count_cells(const struct shape *s, const struct fit_ask *ask)
{
    struct cells c = { .streams = ask->kv_shared ? 1 : ask->slots, .full = pad_cells(ask->context) };
    int64_t reach = plus(times(s->window, ask->kv_shared ? ask->slots : 1), ask->ubatch ? ask->ubatch : ask->context);
    c.window = s->window ? pad_cells(smaller(c.full, reach)) : 0;
    return c;
}

static int64_t kv_of_layer(const struct shape_layer *l, const struct cells *c, const struct kv_type *k, const struct kv_type *v)
{
    int64_t cells = times(l->window ? c->window : c->full, c->streams);
    int64_t cell = plus(row_bytes(k, times(l->kv_heads, l->k_len)), row_bytes(v, times(l->kv_heads, l->v_len)));
    return times(cells, cell);
}

static int64_t kv_bytes(const struct shape *s, const struct fit_ask *ask, const struct kv_type *k, const struct kv_type *v)
{
    struct cells c = count_cells(s, ask);
    int64_t sum = 0;
    if (s->no_kv)
        return 0;
    for (uint32_t i = 0; i < s->layers; i++) {
        const struct shape_layer *l = &s->layer[i];
        sum = plus(sum, kv_of_layer(l, &c, k, v));
        sum = plus(sum, times(l->state_bytes > INT64_MAX ? INT64_MAX : (int64_t)l->state_bytes, ask->slots));
    }
    return sum;
}

/* ---- compute buffers ---- */

/* The layer with the most. */
static struct shape_layer widest_layer(const struct shape *s)
{
    struct shape_layer widest = { 0 };
    for (uint32_t i = 0; i < s->layers; i++)
        if ((uint64_t)s->layer[i].kv_heads * s->layer[i].k_len > (uint64_t)widest.kv_heads * widest.k_len)
            widest = s->layer[i];
    return widest;
}

/* f32 values a token has at once in the feed-forward part: what goes in and out, the residual; gate, up and their product. */
static int64_t ff_values(const struct shape *s)
{
    int64_t shared = plus(times(s->gated ? 3 : 1, s->ff), times(s->gated ? 4 : 3, s->embed));
    int64_t used = s->experts ? s->experts_used : 0;
    int64_t chosen = plus(times(used, plus(times(3, s->expert_ff), s->embed)), times(4, s->embed));
    return larger(shared, used ? chosen : 0);
}

/* Compressed keys are widened for every head: the question, what it finds, and what is made of that. */
static int64_t attention_values(const struct shape *s)
{
    struct shape_layer l = widest_layer(s);
    bool compressed = l.kv_heads && !l.v_len;
    if (compressed)
        return plus(times(3, times(s->heads, l.k_len)), times(2, s->embed));
    return plus(times(5, s->embed), times(2, times(l.kv_heads, l.k_len)));
}

/* What is looked at, one mask for each kind of layer; where layers only have states there is none. */
static int64_t mask_bytes(const struct shape *s, const struct fit_ask *ask, const struct cells *c, int64_t tokens)
{
    int64_t value = ask->flash ? F16 : F32;
    if (s->no_kv)
        return times(times(tokens, tokens), value);
    if (!widest_layer(s).kv_heads)
        return 0;
    return times(times(tokens, plus(c->full, c->window)), value);
}

static int64_t compute_bytes(const struct shape *s, const struct fit_ask *ask)
{
    struct cells c = count_cells(s, ask);
    int64_t tokens = ubatch_of(ask), seen = s->no_kv ? tokens : c.full, token = times(tokens, F32);
    int64_t scores = plus(ask->flash ? 0 : times(s->heads, seen), s->indexer ? times(2, seen) : 0);
    int64_t logits = s->no_kv ? 0 : times(times(s->vocab, ask->all_logits ? tokens : smaller(ask->slots, tokens)), F32);
    int64_t moments[] = {
        times(ff_values(s), token),
        times(plus(scores, attention_values(s)), token),
        times(s->state_width, token),
        times(plus(s->lasting_width, times(3, s->embed)), token),
        plus(logits, times(times(4, s->embed), token)),
    };
    int64_t most = 0;
    for (size_t i = 0; i < COUNTOF(moments); i++)
        most = larger(most, moments[i]);
    int64_t answers = times(times(s->no_kv ? s->embed : s->vocab, ask->slots), F32); /* where the caller finds them */
    return plus(plus(most, mask_bytes(s, ask, &c, tokens)), plus(answers, times(tokens, INPUTS_PER_TOKEN)));
}

/* ---- all of it ---- */

static int64_t extras_bytes(const struct fit_extras *x, const struct fit_ask *ask)
{
    int64_t sum = 0;
    if (!x)
        return 0;
    sum = plus(x->mmproj_bytes, x->lora_bytes);
    if (x->draft) {
        const struct kv_type *f16 = find_kv_type(STR("f16")); /* the engine's default for a draft, whatever the model has */
        sum = plus(sum, plus(x->draft->weights_bytes, plus(kv_bytes(x->draft, ask, f16, f16), compute_bytes(x->draft, ask))));
    }
    return sum;
}

bool fit_compute(const struct shape *s, const struct fit_extras *x, const struct fit_ask *ask, struct fit_terms *out)
{
    const struct kv_type *k = find_kv_type(ask->kv_k), *v = find_kv_type(ask->kv_v);
    if (!k || !v)
        return false;
    struct fit_terms t = {
        .weights = s->weights_bytes, .extras = extras_bytes(x, ask), .kv = kv_bytes(s, ask, k, v), .compute = compute_bytes(s, ask),
        .cache = s->no_kv ? 0 : ask->cache_bytes, .process = process_bytes,
    };
    t.total = plus(plus(plus(t.weights, t.extras), plus(t.kv, t.compute)), plus(t.cache, t.process));
    *out = t;
    return true;
}

int64_t fit_largest_context(const struct shape *s, const struct fit_extras *x, const struct fit_ask *ask, int64_t bytes)
{
    enum { UNBOUNDED = 1 << 24 };
    int64_t trained = s->context_train > 0 ? s->context_train : UNBOUNDED;
    int64_t least = 0, most = pad_cells(smaller(trained, INT32_MAX)) / CELLS; /* in paddings; `least` is known to fit */
    struct fit_terms t;
    while (least < most) {
        struct fit_ask tried = *ask;
        int64_t middle = least + (most - least + 1) / 2;
        tried.context = smaller(middle * CELLS, trained);
        if (!fit_compute(s, x, &tried, &t))
            return 0;
        if (t.total <= bytes)
            least = middle;
        else
            most = middle - 1;
    }
    return smaller(least * CELLS, trained);
}

/* ---- fits is not should-use ---- */

struct concern {
    const struct shape *shape;
    const struct fit_ask *ask;
    const struct fit_terms *terms;
    int64_t bytes;
    struct str role;
};

enum { Q5 = 550, SMALL_PARAMS_G = 4, ROOM_PERCENT = 10 }; /* Q5: bits of a weight in hundredths, of q5_0 and q5_K */

static bool coarse(const struct shape *s)
{
    return s->quant_bits && s->quant_bits < Q5 && strcmp(s->quant, "mxfp4") != 0; /* models come in mxfp4 from their makers, trained in it */
}

static bool kv_coarse(const struct concern *c)
{
    static const char *const fine[] = { "f32", "f16", "bf16", "q8_0" };
    size_t found = 0;
    for (size_t i = 0; i < COUNTOF(fine); i++)
        found += str_eq(c->ask->kv_k, str_of(fine[i])) + str_eq(c->ask->kv_v, str_of(fine[i]));
    return !c->shape->no_kv && found < 2;
}

static bool small_and_coarse(const struct concern *c)
{
    return coarse(c->shape) && c->shape->params && c->shape->params < INT64_C(1000000000) * SMALL_PARAMS_G;
}

static bool coarse_for_role(const struct concern *c)
{
    static const char *const exact[] = { "code", "math", "maths", "extract" };
    for (size_t i = 0; i < COUNTOF(exact); i++)
        if (str_eq(c->role, str_of(exact[i])))
            return coarse(c->shape);
    return false;
}

static bool little_room(const struct concern *c)
{
    return c->bytes > 0 && c->terms->total <= c->bytes && c->bytes - c->terms->total < c->bytes / 100 * ROOM_PERCENT;
}

static bool beyond_training(const struct concern *c)
{
    return c->shape->context_train > 0 && c->ask->context > c->shape->context_train;
}

static bool architecture_unknown(const struct concern *c)
{
    return !c->shape->whole_known;
}

static const struct {
    const char *code;
    bool (*holds)(const struct concern *c);
    const char *text;
} concerns[] = {
    { "kv_coarse",            kv_coarse,            "keys and values below q8_0: long contexts are recalled less well; q8_0 is the smallest without much loss" },
    { "small_and_coarse",     small_and_coarse,     "a model under 4B suffers below Q5: take Q5_K_M, Q6_K or Q8_0" },
    { "coarse_for_role",      coarse_for_role,      "code, maths and extraction suffer below Q5_K_M: take Q5_K_M or more" },
    { "little_room",          little_room,          "less than 10 % of the memory is left: a longer prompt or anything else on this machine may push it out" },
    { "beyond_training",      beyond_training,      "more context than the model was trained for: hob gives it what it was trained for" },
    { "architecture_unknown", architecture_unknown, "an architecture or a tensor type that hob does not know: the estimate is the general one; `--engine` asks the engine" },
};

size_t fit_warnings(const struct shape *s, const struct fit_ask *ask, const struct fit_terms *terms, int64_t bytes, struct str role,
    struct fit_warning out[FIT_MAX_WARNINGS])
{
    const struct concern c = { s, ask, terms, bytes, role };
    size_t n = 0;
    for (size_t i = 0; i < COUNTOF(concerns) && n < FIT_MAX_WARNINGS; i++) {
        if (!concerns[i].holds(&c))
            continue;
        out[n].code = concerns[i].code;
        snprintf(out[n++].text, sizeof out->text, "%s", concerns[i].text);
    }
    return n;
}
