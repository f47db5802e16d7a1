/* A request in the words that its policies make of it, before any place's dialect: a role's instructions and defaults, messages that are left out,
 * what an answer shall look like, an answer that would not do. All is said in OpenAI's own terms, so that every kind of place gets it. Pure.
 *
 * The request is one that was let in: an object, its messages objects in an array.
 * A chat (it has `messages`) gets all of it, a plain completion (`prompt`) sampling, stop words and max_tokens alone, anything else nothing. The
 * document may be one of json_parse_cut(d, text, "messages"): of texts in messages spans are copied, never values. Linear; what changes nothing costs
 * a few look-ups. */
#ifndef HOB_POLICY_REWORD_H
#define HOB_POLICY_REWORD_H

#include "json/json.h"
#include "conf/config.h"

struct reword {
    const struct conf_role *role;       /* its instructions, sampling, stop words, max_tokens; NULL = none */
    size_t leave_out;                   /* so many of the oldest messages go, and what cannot stay without them (reword_drops_next) */
    struct str describe;                /* what the answer shall look like, in words: behind the system text; empty = nothing */
    struct str response_format;         /* JSON in the place of the request's; p NULL = as it is; empty = none */
    struct str draft, remark;           /* an answer that would not do, and what is wrong with it: an assistant's and a user's message at the end; empty = none */
    int64_t max_tokens;                 /* instead of the request's, and of the role's; 0 = as it is. The role's cap holds all the same */
};

/* Does anything of it change this request? */
bool reword_changes(const struct json_doc *d, const struct reword *w);
/* The request again, as text of a document of its own: appended to out (parse it anew). What is not touched leaves as it came. */
void reword_request(const struct json_doc *d, const struct reword *w, struct buf *out);

/* What of the role has changed this request, for whoever is told: its instructions, or its numbers. */
bool reword_instructs(const struct json_doc *d, const struct reword *w);
bool reword_tunes(const struct json_doc *d, const struct reword *w);

/* The answer's budget that the reworded request asks for; 0 = it names none. */
int64_t reword_max_tokens(const struct json_doc *d, const struct reword *w);

/* Which messages go when the oldest are left out: asked of each, in their order. Never one of the system (or developer), never the last of the user's or
 * what follows it. What is left must still be a conversation, so with a call of tools its results go, and with a question its answer: a few more than
 * were asked for may go. Counting tokens and rewording both go by this. */
struct reword_drops {
    size_t left;                        /* to go yet */
    size_t at, last;                    /* next message; the last of the user's */
    bool went;                          /* the one before has gone */
};
void reword_drops_begin(struct reword_drops *s, yyjson_val *messages, size_t leave_out);
bool reword_drops_next(struct reword_drops *s, yyjson_val *message); /* true: it goes */
size_t reword_droppable(const struct json_doc *d);                   /* how many could go at all */

#endif
