/* What is known of architectures (shape_families.c), for those who make a shape. */
#ifndef HOB_MODEL_SHAPE_INT_H
#define HOB_MODEL_SHAPE_INT_H

#include "model/shape.h"

/* Which layers keep keys and values, and which a recurrent state. */
enum keeps {
    KEEPS_KV,               /* all keep keys and values (or what head_count_kv says) */
    KEEPS_NOTHING,          /* the whole input at once: embedders, diffusion */
    KEEPS_STATE,            /* all a state, none keys */
    KEEPS_STATE_WITHOUT_KV, /* those whose head_count_kv is 0 a state */
    KEEPS_STATE_OR_FF,      /* the same, but one that has a feed-forward part is that and nothing else */
    KEEPS_STATE_MOSTLY,     /* all but each full_attention_interval-th a state */
    KEEPS_BOTH,             /* all keep both */
};

enum state { STATE_SSM, STATE_WKV, STATE_SHORT, STATE_KDA };

enum when { WINDOW_NEVER, WINDOW_IF_SAID, WINDOW_ALWAYS }; /* said: with a window in the file */

struct family {
    const char *name;       /* general.architecture */
    enum keeps keeps;
    enum state state;
    enum when when;
    uint32_t period;        /* of windowed layers: all but one of so many, unless the file says which */
    bool dense_first;       /* the one without a window is the first of them, not the last */
    uint32_t window;        /* when the file names none, or */
    bool window_fixed;      /* … whatever the file names */
    bool ahead_kv;          /* layers that predict further tokens keep keys too (they are seen to, whether they are used or not) */
    uint32_t own_kv;        /* only the first so many layers have keys of their own; 0 = all */
    bool plain_ff;          /* no gate beside the feed-forward part */
};

/* NULL: one that is newer than this program. */
const struct family *family_find(struct str architecture);
const char *family_formula(const struct family *f, bool mla);
bool family_windowed(const struct family *f, uint32_t period, uint32_t layer);

/* f32 values of one sequence's state, in bytes; 0 when one of them cannot be. */
uint64_t state_ssm_bytes(int64_t conv, int64_t inner, int64_t groups, int64_t state);

#endif
