/* A model as it lies on the disk: one GGUF, a GGUF in parts (NAME-00001-of-00003.gguf …), or a folder of safetensors with its config.json, as
 * Transformers and MLX have it. Opening reads the headers of all files and holds each against its size and against the others; the weights
 * themselves are never read. Blocks on the disk. */
#ifndef HOB_MODEL_FILES_H
#define HOB_MODEL_FILES_H

#include "model/file.h"

enum { MODEL_MAX_TENSORS = 1 << 19, MODEL_MAX_PARTS = 4096 };

struct model_tensor {
    struct str name;
    const char *type;           /* as gguf_type_name() has it; of safetensors "bf16", "u32", "f8_e4m3" …; "unknown" */
    uint64_t bytes;             /* 0 when the size of its type is not known */
    int64_t params;             /* weights in it: of packed ones the unpacked number, of their scales none */
};

struct model_files {
    struct arena arena;
    const struct str *paths;    /* the files with weights, in order; each with a NUL behind it */
    size_t n;
    const struct model_tensor *tensors; /* of all files */
    size_t ntensors;
    uint64_t file_bytes, tensor_bytes;
    int64_t params;
    bool unknown_types;         /* there are tensors of a type newer than this program */
    struct gguf first;          /* of the first GGUF; zeros for safetensors */
    bool safetensors;
    struct str folder;          /* of safetensors: where they lie */
    struct str config_json;     /* of safetensors: the text of config.json, or "" */
    struct str tokenizer;       /* of safetensors: what tokenizer_config.json calls it, or "" */
    bool has_template;          /* a chat template is there */
    struct str chat_template;   /* its text; "" too when it is longer than GGUF_MAX_TEXT */
};

/* path: a GGUF, any part of one, a folder of safetensors, or one of its files (which stands for the folder). ERR_WEIGHTS_MISSING: not there, not
 * readable, or a part or a file that the index names is not (says which). ERR_WEIGHTS_BROKEN: a file is cut short, is no model file, contradicts its
 * name, the index or itself (says which, and what it is instead). ERR_SYSTEM: the disk failed. On error *out is untouched and nothing is to be
 * closed. */
enum err_code model_files_open(const char *path, struct model_files *out, struct err *e) __attribute__((warn_unused_result));
/* The same for what must be GGUF: a folder is ERR_WEIGHTS_MISSING. */
enum err_code model_files_open_gguf(const char *path, struct model_files *out, struct err *e) __attribute__((warn_unused_result));
void model_files_close(struct model_files *m);

/* "…/NAME-00002-of-00003.gguf". */
struct model_part {
    struct str stem;            /* up to the '-' before its number */
    struct str extension;       /* ".gguf", as it is written */
    int64_t number, of;
};
bool model_part_read(struct str path, struct model_part *out); /* false: not the name of a part */
struct str model_part_path(struct arena *a, const struct model_part *p, int64_t number); /* with a NUL behind it */

#endif
