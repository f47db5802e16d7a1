/* Between backend.c and the kinds. */
#ifndef HOB_BACKEND_INT_H
#define HOB_BACKEND_INT_H

#include "backend/backend.h"

/* Set up what a kind needs; called once by backend_new(). */
void llama_init(struct backend *b, struct str run_dir);
void command_init(struct backend *b, struct str run_dir);
void openai_init(struct backend *b);

/* read_refusal of a place about which nothing more is known than that it speaks as OpenAI does. */
enum err_code backend_plain_refusal(const struct backend *b, int status, struct str retry_after, struct str body, struct err *e);

#endif
