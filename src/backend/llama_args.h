/* From a model's settings to llama-server's command line and environment. Kept apart from its life so that a table can test it. */
#ifndef HOB_BACKEND_LLAMA_ARGS_H
#define HOB_BACKEND_LLAMA_ARGS_H

#include "backend/launch.h"
#include "conf/config.h"
#include "model/weights.h"

enum { LLAMA_DEFAULT_CONTEXT = 8192 };

struct llama_args {
    char engine[1024];     /* path */
    int64_t context;       /* out: tokens one request may use, after clamping to what the model was trained for */
};

/* `named` as it stands when it has a slash, else the first executable of that name on PATH. ERR_ENGINE_MISSING. */
enum err_code llama_find_engine(struct str named, char *out, size_t room, struct err *e) __attribute__((warn_unused_result));
/* c: fresh. */
void llama_args_make(struct llama_args *a, const struct conf_model *m, const struct weights *w, const char *sock, const char *key_file,
    struct launch *c);

#endif
