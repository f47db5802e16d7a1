/* Writes the chunks of an OpenAI chat stream, one event each, for the readers of dialects. */
#ifndef HOB_BACKEND_DIALECT_EVENTS_H
#define HOB_BACKEND_DIALECT_EVENTS_H

#include "backend/dialect.h"

struct chunks {
    dialect_event_fn *on_event;
    void *ctx;
    struct buf text;              /* of the chunk at hand */
    char id[96];                  /* the place's own; "" until it is known */
    bool begun;                   /* the first delta has named the role */
    bool stopped;                 /* nobody listens any more */
};

struct chunk_usage {
    int64_t input, output;        /* input: cached tokens are among them */
    int64_t cached, reasoning;    /* -1 = the place did not say */
};

void chunks_init(struct chunks *c, dialect_event_fn *on_event, void *ctx);
void chunks_free(struct chunks *c);
void chunks_name(struct chunks *c, struct str id);

void chunks_content(struct chunks *c, struct str text);   /* an empty text is no chunk; neither is an empty thought */
void chunks_thought(struct chunks *c, struct str text);
/* A call's beginning, with the first of its arguments. */
void chunks_call(struct chunks *c, size_t index, struct str id, struct str name, struct str arguments);
void chunks_arguments(struct chunks *c, size_t index, struct str piece);
void chunks_finish(struct chunks *c, const char *reason);
void chunks_usage(struct chunks *c, const struct chunk_usage *u);
void chunks_done(struct chunks *c);

/* A count of tokens as a place may send it, within what can be added up; `otherwise` when it is none. */
int64_t chunks_count(yyjson_val *v, int64_t otherwise);

#endif
