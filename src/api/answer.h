/* What a place answers, on its way to the caller. Three ways, the same facts at the end:
 *   relay    events in, events out          (the caller streams)
 *   collect  events in, one object out      (a managed child is always streamed from)
 *   whole    one object in, one object out  (any other place, not streaming)
 * Pure transformations of bytes: no connection, no timer. */
#ifndef HOB_API_ANSWER_H
#define HOB_API_ANSWER_H

#include "api/mould.h"
#include "json/json.h"
#include "policy/strip.h"

/* -1: the place did not say. */
struct tokens {
    int64_t input, output, reasoning, cached;
};

struct answer_facts {
    struct tokens tokens;
    bool began;              /* a part of the answer itself has come: content, thoughts, a tool call, an end */
    bool said;               /* of it, more than thoughts and an end: content, a refusal, a tool call */
    bool done;               /* [DONE] has come: whatever follows is ignored */
    char finish[24];         /* finish_reason, "" until there is one */
    int64_t drafted, accepted; /* tokens that a draft model proposed, and those that stood: as an engine of ours says */
    int64_t thoughts;        /* events that carried reasoning */
    bool thought;            /* it thought at all, under a name of its own or in its text; an empty block is no thought */
    bool hidden;             /* there were thoughts in a form that nobody here reads: enciphered, mostly. Not counted: they come beside others, too */
    bool reasoning_estimated; /* tokens.reasoning is ours: the place did not say, or said 0 though it thought */
    int64_t thought_bytes, text_bytes; /* of all choices, thoughts apart; calls of tools are no text */
    int64_t texts;           /* events that carried text */
};

/* It ended because it was allowed no more. */
static inline bool answer_ran_out(const struct answer_facts *f)
{
    return str_eq(str_of(f->finish), STR("length"));
}

enum think_show {            /* thoughts in a chat's answer … */
    THINK_MOVE,              /* … leave as reasoning_content */
    THINK_DROP,              /* … do not leave */
};

struct answer_frame {        /* how the gateway wants it to look */
    struct str model;        /* put in the place of whatever model the place names */
    struct str id;           /* for places that send none */
    int64_t created_s;
    bool include_usage;      /* the caller asked for the usage chunk */
    bool text;               /* a plain completion: choices hold `text`, not a message */
    size_t max_bytes;        /* of a collected or whole answer */
    bool think_open;         /* the template opens a thought, and the place leaves it in the text: what comes first is one */
    enum think_show think_show;
    bool keep;               /* what the first choice says is kept (api/said.h), to be looked at before the end leaves */
};

/* Where one choice of one event is worked on. Zeroed is empty. */
struct choice;
struct kept;
struct said_call;
struct choice_bufs {
    struct buf text, thought, calls;
};

/* ---- relay ---- */
struct relay {
    /* looked at with each event: close together */
    struct answer_facts facts;
    struct mould mould;      /* of its last event that was nothing but a text */
    struct choice *choices;  /* what has come of each */
    size_t nchoices;
    struct kept *kept;       /* what the first has said; NULL = nothing, or the frame does not ask for it */
    struct answer_frame frame;

    struct json_scratch *scratch;
    struct buf end;          /* the chunk with finish_reason, held until usage is known */
    struct buf usage;        /* the usage chunk, when the caller wants it */
    char id[128];            /* of the first chunk: all others get the same */
    int64_t created_s;       /* likewise; 0 = none yet */
    struct choice_bufs bufs;
    struct buf anew;         /* an event's choices, where they cannot leave as they came */
};

void relay_init(struct relay *r, const struct answer_frame *f, struct json_scratch *scratch);
void relay_free(struct relay *r);
/* One event's data; what goes to the caller is appended to out as whole events. ERR_UP_GARBLED, ERR_UP_STATUS (an error event). */
enum err_code relay_event(struct relay *r, struct str data, struct buf *out, struct err *e) __attribute__((warn_unused_result));
/* Its first choice has said that all the time: calls, no content, and ended so. For a stream that has ended, of one choice, whose content and end are still
 * held: what was written of them is dropped by who held it. first: nothing has been written before that, so the role goes with them. */
enum err_code relay_say_calls(struct relay *r, const struct said_call *calls, size_t n, bool first, struct buf *out, struct err *e) __attribute__((warn_unused_result));
/* The stream has ended: the held chunk with routing (a JSON object; empty = none), usage, [DONE]. ERR_UP_GARBLED when it had no finish_reason. */
enum err_code relay_end(struct relay *r, struct str routing, struct buf *out, struct err *e) __attribute__((warn_unused_result));

/* ---- collect ---- */
struct collect;
struct collect *collect_new(const struct answer_frame *f, struct json_scratch *scratch);
void collect_free(struct collect *c);
enum err_code collect_event(struct collect *c, struct str data, struct err *e) __attribute__((warn_unused_result));
enum err_code collect_end(struct collect *c, struct str routing, struct buf *out, struct err *e) __attribute__((warn_unused_result));
const struct answer_facts *collect_facts(const struct collect *c);
struct kept *collect_kept(struct collect *c);  /* what it has said: its object is written of this */

/* ---- whole ---- */
/* Parses a complete answer into *d (it dies at the next use of scratch) and reads its facts. ERR_UP_GARBLED when it is not what was asked for: an
 * object with a list `holds` ("choices", "data", "results") that is not empty. kept (empty; may be NULL) gets what its first choice has said. */
enum err_code whole_read(struct str body, const char *holds, const struct answer_frame *f, struct json_scratch *scratch, struct json_doc *d,
    struct answer_facts *facts, struct kept *kept, struct err *e) __attribute__((warn_unused_result));
/* The same body with model and routing put in, thoughts where they belong, and calls of tools set right; where what was kept has been changed, with that
 * in the first choice. */
void whole_write(const struct json_doc *d, const struct answer_frame *f, struct kept *kept, struct str routing, struct buf *out);

/* ---- shared by the three ---- */
void facts_init(struct answer_facts *f);
void facts_usage(struct answer_facts *f, yyjson_val *usage);
void facts_timings(struct answer_facts *f, yyjson_val *timings); /* llama-server's own, in its last chunk; the last one holds */
void facts_thought(struct answer_facts *f, size_t bytes); /* of one event; tokens of thoughts are estimated until usage names them */
/* How many tokens were written: as the place said, which it does at its end; of an answer that never came to one, as many as were seen. -1: unknown. */
int64_t facts_output(const struct answer_facts *f);
/* {"error": …} in an answer: what it says, blamed on the place. */
enum err_code answer_error(yyjson_val *error, struct err *e);

#endif
