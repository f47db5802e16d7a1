/* Inside the dialect of Ollama: its window, and the file that reads its answers. */
#ifndef HOB_BACKEND_DIALECT_OLLAMA_H
#define HOB_BACKEND_DIALECT_OLLAMA_H

#include "backend/dialect.h"

/* The window that the model is to be loaded with: what is configured, else the next power of two that takes the prompt and an answer of so many tokens. */
int64_t ollama_window(const struct dialect_wish *w, int64_t answer_tokens);

struct dialect_reader *ollama_reader_new(size_t max_line_bytes, dialect_event_fn *on_event, void *ctx);
enum err_code ollama_feed(struct dialect_reader *r, struct str bytes, struct err *e);
enum err_code ollama_end(struct dialect_reader *r, struct err *e);
void ollama_stop(struct dialect_reader *r);
void ollama_free(struct dialect_reader *r);

#endif
