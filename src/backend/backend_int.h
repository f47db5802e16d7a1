/* Between backend.c and the kinds. */
#ifndef HOB_BACKEND_INT_H
#define HOB_BACKEND_INT_H

#include "backend/backend.h"

/* Set up what a kind needs; called once by backend_new(). */
void llama_init(struct backend *b, struct str run_dir);
void openai_init(struct backend *b);

#endif
