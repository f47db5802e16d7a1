/* From a model's settings to llama-server's command line and environment. Kept apart from its life so that a table can test it. */
#ifndef HOB_BACKEND_LLAMA_ARGS_H
#define HOB_BACKEND_LLAMA_ARGS_H

#include "base/arena.h"
#include "conf/config.h"
#include "model/weights.h"

enum { LLAMA_MAX_ARGS = 128, LLAMA_MAX_ENV = 64, LLAMA_DEFAULT_CONTEXT = 8192 };

struct llama_args {
    char engine[1024];
    struct arena arena;
    struct str argv[LLAMA_MAX_ARGS];
    size_t nargv;
    struct str env[LLAMA_MAX_ENV];
    size_t nenv;
    int64_t context;       /* tokens one request may use, after clamping to what the model was trained for */
};

/* `named` as it stands when it has a slash, else the first executable of that name on PATH. ERR_ENGINE_MISSING. */
enum err_code llama_find_engine(struct str named, char *out, size_t room, struct err *e) __attribute__((warn_unused_result));
void llama_args_make(struct llama_args *a, const struct conf_model *m, const struct weights *w, const char *sock, const char *key_file);
void llama_args_free(struct llama_args *a);

#endif
