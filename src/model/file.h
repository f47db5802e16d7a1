/* A file that should be a model's, opened to be looked at. What a person most often has instead is a missing file, half a download, or a web page saved
 * under the model's name; each is told apart and named. Blocks on the disk. */
#ifndef HOB_MODEL_FILE_H
#define HOB_MODEL_FILE_H

#include "model/gguf.h"

struct model_file {
    const char *path;           /* the caller's */
    int fd;                     /* -1: not open */
    struct gguf_source source;  /* its bytes; ctx is this struct, which must not move */
};

/* ERR_WEIGHTS_MISSING: not there, not readable, not a file. */
enum err_code model_file_open(struct model_file *f, const char *path, struct err *e) __attribute__((warn_unused_result));
void model_file_close(struct model_file *f);

/* The header of a file as it must be: a GGUF, and all of it there. ERR_WEIGHTS_MISSING; ERR_WEIGHTS_BROKEN names the file and what it is instead;
 * ERR_SYSTEM when the disk fails. That it has tensors and an architecture is not asked: the parts of a model need not. */
enum err_code model_file_gguf(const char *path, struct arena *a, struct gguf *out, uint64_t *file_bytes, struct err *e) __attribute__((warn_unused_result));

/* The whole text of a small file beside a model. ERR_WEIGHTS_MISSING; ERR_WEIGHTS_BROKEN when it is larger than max. */
enum err_code model_file_text(const char *path, size_t max, struct arena *a, struct str *out, struct err *e) __attribute__((warn_unused_result));

/* As much of a text as there is room for, with a NUL, so that it may be shown: control characters become '?'. */
void model_shown(char *to, size_t room, struct str text);

#endif
