/* One choice of an answer, event by event or whole: its thoughts told from its text, its calls of tools set right. What relay, collect and whole have in
 * common. What is in order leaves as it came; a choice is written anew only where something of it changes. */
#ifndef HOB_API_CHOICE_H
#define HOB_API_CHOICE_H

#include "api/answer.h"
#include "api/said.h"

/* Over all its events. */
struct choice {
    int64_t index;
    struct strip strip;
    struct calls calls;
    bool open;              /* the template opens a thought, and no text has come */
    bool role_sent;
    bool whole;             /* it comes as one object: a message, no delta */
    struct kept *kept;      /* what it has said so far; NULL = nobody wants to know; not the choice's own */
};

/* What one event (or the whole answer) says of it; dies with its document and at the next use of the bufs. */
struct choice_delta {
    yyjson_val *choice, *delta;
    yyjson_val *role, *content, *reasoning_content, *reasoning, *refusal, *calls; /* of the delta; NULL = not there */
    yyjson_val *details, *blocks, *thinking; /* the same thoughts in other forms: they stay, or go */
    struct str text;        /* thoughts apart */
    struct str own;         /* thoughts under a name of their own */
    struct str moved;       /* thoughts that stood in the text */
    struct str completion;  /* `text` of a plain completion */
    struct str finish;      /* "" = none; "tool_calls" where a place said "stop" after calls */
    bool changed;           /* it cannot leave as it came */
    bool text_changed, calls_changed;
    bool others;            /* something that nobody here knows */
};

void choice_bufs_free(struct choice_bufs *b);

/* Can this element of `choices` be one? An object, and so is what it says: a message; in an event a delta, which may be missing; `text` of a completion. */
bool choice_is_sound(yyjson_val *v, bool whole, bool text);

void choice_init(struct choice *c, int64_t index, const struct answer_frame *f);
void choice_free(struct choice *c);

/* Reads v, an element of `choices`, into *d: all but its calls. */
void choice_read(struct choice *c, const struct answer_frame *f, yyjson_val *v, struct choice_bufs *b, struct choice_delta *d);
/* Its calls. ERR_UP_GARBLED. */
enum err_code choice_read_calls(struct choice *c, const struct answer_frame *f, struct choice_bufs *b, struct choice_delta *d, struct err *e)
    __attribute__((warn_unused_result));
/* The text, or the thought, that is all it says, has said, and leaves as it came: the next event with another one in its place is read and left the same way. NULL: there is
 * more to it. Before its choice_count(). */
yyjson_val *choice_only_text(const struct choice *c, const struct choice_delta *d);
/* After both: how it ends, and what of it counts. */
void choice_count(struct choice *c, const struct answer_frame *f, struct choice_delta *d, struct answer_facts *facts);

/* Thoughts of it do not leave: what spells them (logprobs) must not, either. */
bool choice_hides(const struct choice_delta *d, const struct answer_frame *f);
/* Is anything left of it for the caller? */
bool choice_says(const struct choice_delta *d, const struct answer_frame *f);
/* The choice as it leaves; b as choice_read_calls() has left it. */
void choice_put(struct json_out *o, struct choice *c, const struct answer_frame *f, const struct choice_delta *d, const struct choice_bufs *b);

#endif
