/* What a model is, for people and scripts: made of struct model_files. Plain values; texts borrow from the files, which must outlive it. */
#ifndef HOB_MODEL_SUMMARY_H
#define HOB_MODEL_SUMMARY_H

#include "model/files.h"
#include "model/shape.h"
#include "model/template.h"

/* What a tensor is for, by its name. */
enum tensor_class {
    CLASS_EMBEDDING, CLASS_ATTENTION, CLASS_RECURRENT, CLASS_FFN, CLASS_EXPERTS, CLASS_NORM, CLASS_OUTPUT, CLASS_VISION, CLASS_OTHER,
    CLASS_COUNT,
};
extern const char *const tensor_class_name[CLASS_COUNT];
enum tensor_class tensor_class_of(struct str name, bool safetensors);

enum { SUMMARY_MAX_TYPES = 8 };

struct summary_sum {
    size_t tensors;
    uint64_t bytes;
    int64_t params;
};

struct summary_class {
    struct summary_sum all;
    struct summary_type { const char *type; struct summary_sum sum; } types[SUMMARY_MAX_TYPES]; /* the largest first; the last is "other" when there are more */
    size_t ntypes;
};

struct summary {
    struct str architecture, name, type, tokenizer, license, size_label;    /* "" where the files do not say */
    const char *quantisation;       /* "Q4_K_M", as the file says; the type of most weights where it does not; "" */
    int64_t params, params_active;  /* active: used for one token; the same when dense */
    double bits_per_weight;         /* 0: not known */
    struct shape shape;             /* zeros when `shape_why` says something */
    char shape_why[288];            /* why its keys make no shape; "" */
    int64_t kv_heads;               /* most of any layer; 0 = none, or not known */
    struct summary_class classes[CLASS_COUNT];
    struct template_look chat;      /* when m->chat_template is there */
};

/* What is derived is put into the files' arena. */
void summary_make(struct model_files *m, struct summary *out);

#endif
