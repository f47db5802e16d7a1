/* A few of many asks, so that each kind of them is there: drawn at random within kinds (who asks, what is offered, how long, who answered), each in proportion, and each
 * at least once where there is room. Pure: the same asks and the same seed give the same ones. */
#ifndef HOB_EVIDENCE_SAMPLE_H
#define HOB_EVIDENCE_SAMPLE_H

#include "base/arena.h"

enum { SAMPLE_SHORT_TOKENS = 256, SAMPLE_LONG_TOKENS = 2048 }; /* of a prompt: up to this it is short, above that long */

struct sample_ask {
    struct str caller, model;
    bool stream, tools, schema;
    int64_t tokens;         /* of the prompt, about */
    int64_t print;          /* asks alike have the same: the last of them stands for all */
};

struct sample_stratum {
    struct str name;        /* "caller jane, model m, tools, short" */
    size_t there, drawn;    /* those alike counted once */
};

struct sample {
    const size_t *drawn;    /* places in asks, ascending */
    size_t n;
    size_t alike;           /* asks for which another stands */
    const struct sample_stratum *strata; /* the largest first */
    size_t nstrata;
};

const char *sample_length(int64_t tokens); /* "short" "medium" "long" */
void sample_draw(const struct sample_ask *asks, size_t n, size_t want, uint64_t seed, struct arena *a, struct sample *out);

#endif
