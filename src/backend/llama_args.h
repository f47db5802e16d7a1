/* From a model's settings to llama-server's command line and environment. Kept apart from its life so that a table can test it. */
#ifndef HOB_BACKEND_LLAMA_ARGS_H
#define HOB_BACKEND_LLAMA_ARGS_H

#include "backend/launch.h"
#include "conf/config.h"
#include "model/fit.h"
#include "model/weights.h"

enum { LLAMA_DEFAULT_CONTEXT = 8192 };

struct llama_args {
    char engine[1024];     /* path */
    char prompts[4000];    /* folder for slots' prompts; "": none are kept */
    int64_t context;       /* out: tokens one request may use, after clamping to what the model was trained for */
};

/* With these settings: the tokens that one request may use, what is computed at a time, and all else that memory depends on. The command line is made
 * of the same. context_train: 0 = not known. */
void llama_fit_ask(const struct conf_model *m, int64_t context_train, struct fit_ask *out);
/* c: fresh. */
void llama_args_make(struct llama_args *a, const struct conf_model *m, const struct weights *w, const char *sock, const char *key_file,
    struct launch *c);
/* What a build may be asked about: the same without the program's name and what binds a child to its place. Words lie in l (launch_init()); how many. context_train: 0 = not known. */
size_t llama_args_words(struct launch *l, const struct conf_model *m, int64_t context_train, struct str *words, size_t room);

#endif
