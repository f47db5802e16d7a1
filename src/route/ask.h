/* What a caller wants, in the gateway's own words: made by a dialect out of a request, read by routing and policy. Plain value; texts are
 * slices of the request or of the configuration. */
#ifndef HOB_ROUTE_ASK_H
#define HOB_ROUTE_ASK_H

#include "base/str.h"
#include "conf/config.h"
#include "http/http.h"
#include "route/classify.h"

enum task { TASK_CHAT, TASK_TEXT, TASK_EMBED, TASK_RERANK }; /* chat, plain completion, embeddings, reranking */

enum ask_privacy {
    PRIVATE_NO,
    PRIVATE_FOUND,           /* personal data was found in it: soft */
    PRIVATE_SAID,            /* a header or a rule says so: hard */
};

enum { ASK_MOST_HOPS = 1 };  /* a request goes through two hobs at most: who has come from one is sent to no other */

struct ask {
    enum task task;
    struct str name;         /* as asked: a model, an alias, a role, a tier or `auto`; empty = none: the role of its kind (chat, embed, rerank) */
    enum serves serves;      /* what must be able to answer it */
    unsigned input;          /* enum input, or-ed: the kinds of parts it has */
    bool stream;
    bool include_usage;      /* the caller asked for the usage chunk of a stream */
    bool tools;              /* some are offered */
    bool schema;             /* the answer must fit one */
    int tool_turns;          /* answers of tools in it */
    int64_t tokens;          /* of the prompt, estimated */
    int64_t max_tokens;      /* of the answer, as asked; 0 = not said */

    enum conf_class class;
    struct str caller;       /* the name of its key; empty = none */
    const struct conf_strs *allowed; /* what its key may ask for; NULL or empty = anything */
    struct str session;      /* x-hob-session, or what stands for it; empty = none */
    uint64_t affinity;       /* of the session, else of how the conversation begins: the same for all its turns; 0 = none */
    int hops;                /* hobs it has come through before this one (x-hob-hops) */
    bool insists;            /* x-hob-wait: rather waits for the first candidate than take another */
    struct str host;         /* x-hob-host: only places there may answer; empty = anywhere */
    bool known_background;   /* a chat page asks by itself, or a heartbeat (route/known.h) */
    const struct http_header *headers; /* the request's, for rules */
    size_t nheaders;

    struct complexity complexity; /* of what is asked: when `auto` or a rule wants to know (route_wants_words()), else zeros */
    struct str intent;       /* as triage found; empty = not asked, or none */
    bool urgent, fresh;
    enum ask_privacy privacy;
    unsigned findings;       /* enum finding (policy/detect.h), or-ed: when the decision depends on it */
    bool looked;             /* it was looked for them already, and: */
    unsigned seen;
};

#endif
