/* How much memory a model needs: arithmetic on its shape, per architecture, each term by itself. Pure. Sources of the formulas:
 * doc/internals/fit.md. */
#ifndef HOB_MODEL_FIT_H
#define HOB_MODEL_FIT_H

#include "model/shape.h"

/* How it would be run. */
struct fit_ask {
    int64_t context;            /* tokens one request may use */
    int64_t slots;
    struct str kv_k, kv_v;      /* "f16" "q8_0" … */
    int64_t ubatch;             /* tokens computed at a time; 0 = all of the context (embedders) */
    int64_t cache_bytes;        /* kept prompts */
    bool kv_shared;             /* one window of `context` for all slots */
    bool flash;                 /* flash attention: no score matrix in the compute buffers */
    bool all_logits;            /* the engine makes room for the scores of every token of a batch, not of the last one only */
};

struct fit_terms {              /* bytes */
    int64_t weights;            /* of the model's own files */
    int64_t extras;             /* mmproj, draft (with its own keys and values), adapters */
    int64_t kv;                 /* keys and values, and recurrent state: the engine's own figure to the byte */
    int64_t compute;
    int64_t cache;
    int64_t process;            /* the engine itself */
    int64_t total;
};

/* What lies beside a model's own weights; NULL = none. */
struct fit_extras {
    int64_t mmproj_bytes, lora_bytes;   /* of their tensors */
    const struct shape *draft;
};

/* false: a type of keys and values that nobody knows. Saturates at INT64_MAX. */
bool fit_compute(const struct shape *s, const struct fit_extras *x, const struct fit_ask *ask, struct fit_terms *out);
/* The largest context, a multiple of 256 or all that the model was trained for, with which the total is within `bytes`; 0 = none. */
int64_t fit_largest_context(const struct shape *s, const struct fit_extras *x, const struct fit_ask *ask, int64_t bytes);

/* What speaks against using it so, although it may fit. */
struct fit_warning {
    const char *code;           /* "kv_coarse" "small_and_coarse" "coarse_for_role" "little_room" "beyond_training" "architecture_unknown" */
    char text[256];             /* a sentence */
};
enum { FIT_MAX_WARNINGS = 8 };
/* role: what it is to be used for ("code"), or empty; bytes: what it may have, 0 = not known. Says how many there are. */
size_t fit_warnings(const struct shape *s, const struct fit_ask *ask, const struct fit_terms *terms, int64_t bytes, struct str role,
    struct fit_warning out[FIT_MAX_WARNINGS]);

/* Bytes of n values of a cache type ("q8_0"), begun blocks of 32 counted whole; false for an unknown type. */
bool fit_kv_bytes(struct str type, uint64_t n, uint64_t *out);

#endif
