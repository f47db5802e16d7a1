/* The architectures that llama.cpp knows, and what about each its header does not say: which layers have a sliding window, which keep a recurrent
 * state. One that keeps keys and values in the ordinary way is only named: then the general formula is known to be right. */
#include "model/shape_int.h"

static const struct family families[] = {
    /* windows */
    { "gemma2",        .when = WINDOW_ALWAYS,  .period = 2, .window = 4096 },
    { "gemma3",        .when = WINDOW_IF_SAID, .period = 6 },
    { "gemma3n",       .when = WINDOW_ALWAYS,  .period = 5, .own_kv = 20 },
    { "gemma4",        .when = WINDOW_IF_SAID, .period = 1 },   /* it says which, and how many share keys */
    { "cohere2",       .when = WINDOW_ALWAYS,  .period = 4 },
    { "cohere2moe",    .when = WINDOW_ALWAYS,  .period = 4 },
    { "llama4",        .when = WINDOW_ALWAYS,  .period = 4, .window = 8192, .window_fixed = true },   /* chunks */
    { "gpt-oss",       .when = WINDOW_ALWAYS,  .period = 2 },
    { "exaone4",       .when = WINDOW_IF_SAID, .period = 4 },
    { "exaone-moe",    .when = WINDOW_IF_SAID, .period = 4, .ahead_kv = true },
    { "olmo2",         .when = WINDOW_IF_SAID, .period = 4 },
    { "smallthinker",  .when = WINDOW_IF_SAID, .period = 4, .dense_first = true, .window = 4096, .window_fixed = true },
    { "afmoe",         .when = WINDOW_IF_SAID, .period = 4 },
    { "plamo3",        .when = WINDOW_IF_SAID, .period = 8 },
    { "mimo2",         .when = WINDOW_IF_SAID, .period = 1 },
    { "step35",        .when = WINDOW_IF_SAID, .period = 1 },
    /* states */
    { "mamba",         KEEPS_STATE, STATE_SSM },
    { "mamba2",        KEEPS_STATE, STATE_SSM },
    { "rwkv6",         KEEPS_STATE, STATE_WKV },
    { "rwkv6qwen2",    KEEPS_STATE, STATE_WKV },
    { "rwkv7",         KEEPS_STATE, STATE_WKV },
    { "arwkv7",        KEEPS_STATE, STATE_WKV },
    { "jamba",         KEEPS_STATE_WITHOUT_KV, STATE_SSM },
    { "granitehybrid", KEEPS_STATE_WITHOUT_KV, STATE_SSM },
    { "plamo2",        KEEPS_STATE_WITHOUT_KV, STATE_SSM },
    { "nemotron_h",    KEEPS_STATE_OR_FF,      STATE_SSM, .plain_ff = true },
    { "nemotron_h_moe", KEEPS_STATE_OR_FF,     STATE_SSM, .plain_ff = true },
    { "lfm2",          KEEPS_STATE_WITHOUT_KV, STATE_SHORT },
    { "lfm2moe",       KEEPS_STATE_WITHOUT_KV, STATE_SHORT },
    { "kimi-linear",   KEEPS_STATE_WITHOUT_KV, STATE_KDA },
    { "falcon-h1",     KEEPS_BOTH,             STATE_SSM },
    { "qwen3next",     KEEPS_STATE_MOSTLY,     STATE_SSM },
    { "qwen35",        KEEPS_STATE_MOSTLY,     STATE_SSM },
    { "qwen35moe",     KEEPS_STATE_MOSTLY,     STATE_SSM },
    /* nothing */
    { "bert",           KEEPS_NOTHING, .plain_ff = true },
    { "nomic-bert",     KEEPS_NOTHING },
    { "nomic-bert-moe", KEEPS_NOTHING },
    { "jina-bert-v2",   KEEPS_NOTHING },
    { "jina-bert-v3",   KEEPS_NOTHING, .plain_ff = true },
    { "neo-bert",       KEEPS_NOTHING },
    { "modern-bert",    KEEPS_NOTHING },
    { "eurobert",       KEEPS_NOTHING },
    { "gemma-embedding", KEEPS_NOTHING },
    { "dream",          KEEPS_NOTHING },
    { "llada",          KEEPS_NOTHING },
    { "llada-moe",      KEEPS_NOTHING },
    { "rnd1",           KEEPS_NOTHING },
    /* keys without values where the header says so, else the ordinary way */
    { "deepseek2", .ahead_kv = true }, { "deepseek32" }, { "glm-dsa" }, { "minicpm3" }, { "plm" },
    /* the ordinary way */
    { "llama" }, { "llama-embed" }, { "mistral3" }, { "deci" }, { "smollm3" }, { "arcee" }, { "apertus" }, { "seed_oss" },
    { "qwen" }, { "qwen2" }, { "qwen2moe" }, { "qwen2vl" }, { "qwen3" }, { "qwen3moe" }, { "qwen3vl" }, { "qwen3vlmoe" },
    { "gemma" }, { "phi2", .plain_ff = true }, { "phi3" }, { "phimoe" },        /* phi3's window is said and not heeded */
    { "deepseek" }, { "glm4" }, { "glm4moe", .ahead_kv = true }, { "chatglm" }, { "dots1" }, { "ernie4_5" }, { "ernie4_5-moe" },
    { "hunyuan-dense" }, { "hunyuan-moe" }, { "bailingmoe" }, { "bailingmoe2", .ahead_kv = true }, { "minimax-m2" }, { "pangu-embedded" }, { "grovemoe" },
    { "granite" }, { "granitemoe" }, { "nemotron", .plain_ff = true }, { "exaone" }, { "command-r" }, { "dbrx" }, { "grok" }, { "arctic" },
    { "olmo" }, { "olmoe" }, { "openelm" }, { "internlm2" }, { "minicpm" }, { "stablelm" }, { "starcoder2", .plain_ff = true },
    { "starcoder", .plain_ff = true }, { "falcon", .plain_ff = true }, { "mpt", .plain_ff = true }, { "gpt2", .plain_ff = true },
    { "gptneox", .plain_ff = true }, { "bloom", .plain_ff = true }, { "baichuan" }, { "xverse" }, { "orion" }, { "plamo" },
    { "codeshell", .plain_ff = true }, { "bitnet" }, { "chameleon" }, { "jais" }, { "cogvlm" }, { "refact" }, { "maincoder" },
};

const struct family *family_find(struct str architecture)
{
    for (size_t i = 0; i < COUNTOF(families); i++)
        if (str_eq(architecture, str_of(families[i].name)))
            return &families[i];
    return NULL;
}

const char *family_formula(const struct family *f, bool mla)
{
    static const char *const names[] = {
        [KEEPS_KV] = "attention", [KEEPS_NOTHING] = "nothing kept", [KEEPS_STATE] = "recurrent state", [KEEPS_STATE_WITHOUT_KV] = "attention and state",
        [KEEPS_STATE_OR_FF] = "attention and state", [KEEPS_STATE_MOSTLY] = "attention and state", [KEEPS_BOTH] = "attention and state",
    };
    if (!f)
        return mla ? "keys only, assumed" : "attention, assumed";
    if (f->keeps != KEEPS_KV)
        return names[f->keeps];
    return mla ? "keys only" : f->when != WINDOW_NEVER ? "sliding window" : names[KEEPS_KV];
}

bool family_windowed(const struct family *f, uint32_t period, uint32_t layer)
{
    if (period == 0)
        return true;
    return f->dense_first ? layer % period != 0 : layer % period < period - 1;
}

uint64_t state_ssm_bytes(int64_t conv, int64_t inner, int64_t groups, int64_t state)
{
    enum { MOST = 1 << 20, F32 = 4 };
    if (conv < 0 || inner < 0 || groups < 0 || state < 0 || conv > MOST || inner > MOST || groups > MOST || state > MOST)
        return 0;
    uint64_t taps = conv ? (uint64_t)conv - 1 : 0;
    return F32 * (taps * ((uint64_t)inner + 2 * (uint64_t)groups * (uint64_t)state) + (uint64_t)state * (uint64_t)inner);
}
