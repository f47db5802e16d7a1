/* What a caller wants, in the gateway's own words: made by a dialect out of a request, read by routing and policy. Plain value; texts are
 * slices of the request. */
#ifndef HOB_ROUTE_ASK_H
#define HOB_ROUTE_ASK_H

#include "base/str.h"
#include "conf/config.h"
#include "route/classify.h"

enum task { TASK_CHAT, TASK_TEXT, TASK_EMBED, TASK_RERANK }; /* chat, plain completion, embeddings, reranking */

struct ask {
    enum task task;
    struct str name;         /* as asked: a model, an alias, a role, a tier or `auto` */
    enum serves serves;      /* what must be able to answer it */
    unsigned input;          /* enum input, or-ed: the kinds of parts it has */
    bool stream;
    bool include_usage;      /* the caller asked for the usage chunk of a stream */
    struct complexity complexity; /* of what is asked; made for `auto` alone */
};

#endif
