/* The shape of a model, as far as memory and speed depend on it: made of a GGUF header, of a config.json beside safetensors files, or of a few
 * figures that a person gives. Plain values; `layer` lies in the caller's arena. */
#ifndef HOB_MODEL_SHAPE_H
#define HOB_MODEL_SHAPE_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { SHAPE_MAX_LAYERS = 4096 };

struct shape_layer {            /* what one layer keeps */
    uint32_t kv_heads;          /* 0: no attention here, or it uses another layer's keys and values */
    uint32_t k_len, v_len;      /* of a head; v_len 0: keys only (MLA) */
    bool window;                /* sliding window: keeps no more than shape.window tokens */
    uint64_t state_bytes;       /* recurrent state of one sequence, whatever the context */
};

struct shape {
    char architecture[64];
    char name[128];
    const struct shape_layer *layer;
    uint32_t layers;            /* without those that only predict further tokens (nextn), where the engine keeps nothing for them */
    int64_t context_train;      /* 0 = not said */
    int64_t window;             /* tokens of a sliding window; 0 = none */
    int64_t embed, ff, heads, vocab;    /* ff: width of the feed-forward part that every token goes through, 0 = experts only */
    bool gated;                 /* that part has a gate beside it */
    int64_t experts, experts_used;      /* 0 = dense */
    int64_t expert_ff;          /* width of one expert */
    int64_t state_width;        /* values a token has at once where a state is moved on; 0 = no such layers */
    int64_t lasting_width;      /* values of a token that stay from the first layer to the last, beside what goes through all of them */
    bool indexer;               /* scores every token seen, to choose from them */
    int64_t weights_bytes;      /* tensors of all files */
    int64_t params, params_active;      /* active: used for one token; the same when dense. 0 = not known */
    char quant[24];             /* the type that most of the weights have: "q4_K", "bf16", "4bit"; "" = not known */
    int64_t quant_bits;         /* of such a weight, in hundredths of a bit: 450; 0 = not known */
    bool no_kv;                 /* takes its input whole and keeps nothing: embedders, diffusion */
    const char *formula;        /* how its memory is counted: "attention", "sliding window" … */
    bool whole_known;           /* false: an architecture (or tensor types) newer than this program; the figures are the generic ones */
};

struct gguf;
/* ERR_WEIGHTS_BROKEN: keys that contradict each other or cannot be. On error *out is untouched. */
enum err_code shape_of_gguf(const struct gguf *g, struct arena *a, struct shape *out, struct err *e) __attribute__((warn_unused_result));

/* Text of a Transformers or MLX config.json; weights_bytes and params as the safetensors headers have them. ERR_WEIGHTS_BROKEN. */
enum err_code shape_of_config(struct str json, int64_t weights_bytes, int64_t params, struct arena *a, struct shape *out, struct err *e)
    __attribute__((warn_unused_result));

struct model_files;
/* Whichever of the two it is, with the bytes and the weights of all its files. The same errors, which name the file. */
enum err_code shape_of_files(const struct model_files *files, struct arena *a, struct shape *out, struct err *e) __attribute__((warn_unused_result));

/* Bits of a weight, in hundredths and with what goes along (scales, the tensors that are kept finer), of a quantisation by its name: "q4_k_m", "q4",
 * "f16", "4bit" … in any case of letters. 0: nobody knows that name. */
int64_t shape_quant_bits(struct str name);

/* Nothing but figures: a dense model with the same attention in each layer. */
struct shape_figures {
    int64_t params;             /* 70e9 */
    struct str quant;           /* "q4", "q4_k_m", "f16", "4bit" … */
    int64_t layers, kv_heads, head_dim;
    int64_t context_train;
};
/* ERR_INVALID_REQUEST: an unknown quantisation, or a figure that cannot be; param names it. */
enum err_code shape_of_figures(const struct shape_figures *f, struct arena *a, struct shape *out, struct err *e) __attribute__((warn_unused_result));

#endif
