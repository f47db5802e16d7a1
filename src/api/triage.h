/* The second stage of `auto`: a small model is asked how hard a request is and of what kind, under a schema. Here is what it is asked and how its answer
 * reads; pure. It is one opinion, and a late or odd one is none: then what the words say stands. */
#ifndef HOB_API_TRIAGE_H
#define HOB_API_TRIAGE_H

#include "json/json.h"
#include "route/ask.h"

struct triage_view {
    double complexity;      /* the middle of the tier it named */
    struct str intent;      /* one of config->triage_intents; empty = none of them */
    bool urgent, private;
};

/* A chat request, as JSON. thinks: the place takes chat_template_kwargs, by which a model that thinks is told not to. */
void triage_body(const struct config *c, const struct talk *t, bool thinks, struct buf *out);
/* Out of the content of its answer. False: not as it was asked. */
bool triage_read(const struct config *c, struct str content, struct triage_view *out);

#endif
