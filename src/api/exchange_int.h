/* Inside an exchange: what its files share. exchange.c is its life; exchange_begin.c what leads to a decision, exchange_walk.c the way along its candidates,
 * exchange_place.c the way to one of them, exchange_try.c its being asked, exchange_answer.c what comes of its answer, exchange_blame.c whose fault it is when
 * none does, exchange_reply.c what leaves for the caller, exchange_tell.c what the caller is told of the way, exchange_settle.c the books. */
#ifndef HOB_API_EXCHANGE_INT_H
#define HOB_API_EXCHANGE_INT_H

#include "api/answer.h"
#include "api/blame.h"
#include "api/embed.h"
#include "api/exchange.h"
#include "api/inner.h"
#include "api/mend.h"
#include "api/said.h"
#include "api/verify.h"
#include "backend/host.h"
#include "policy/body.h"
#include "policy/context.h"
#include "policy/policy.h"
#include "policy/reword.h"
#include "policy/schema_cache.h"
#include "policy/think.h"
#include "store/requests.h"

enum exchange_state { X_ADMITTED, X_DECIDED, X_TRYING, X_SETTLED, X_FAILED, X_DONE };
enum attempt_state {
    TRY_IDLE,
    TRY_WAKING,     /* its host sleeps, and somebody waits for it to wake */
    TRY_WAITING,    /* for a lease */
    TRY_COUNTING,   /* the place is ours; its engine is asked how long the prompt is */
    TRY_SENT,
    TRY_RELAYING,   /* a good answer has begun */
    TRY_MOURNING,   /* broke off: has its process died? It is known in a moment */
    TRY_RESTING,    /* before the same place is asked again */
};

enum {
    EXCHANGE_MAX_TRIED = 2 * ROUTE_MAX_CHAIN,
    EXCHANGE_FOREVER_MS = INT32_MAX,     /* 24 days: no limit */
};

enum way { WAY_RELAY, WAY_COLLECT, WAY_WHOLE, WAY_EMBED };

/* The request in other words (exchange_redact.c). */
struct guise {
    struct redaction *values;           /* NULL = it has no placeholders */
    struct buf text;
    struct json_doc doc;                /* of it; its root is NULL until it is made */
};

/* What came of the look at an answer (exchange_check.c). */
enum checked {
    CHECKED_GOOD,
    CHECKED_AGAIN,  /* the same place is to be asked once more, otherwise: what changes is in t->plan, or wherever the check keeps it */
    CHECKED_BAD,    /* e says why: a failed try like any other */
    CHECKED_LATER,  /* a question of the request's own is under way (inner_start): whoever asked it goes on, with exchange_deliver() or exchange_try_failed() */
};

/* Which answer of a place is awaited under a schema (exchange_schema.c). */
enum schema_step {
    STEP_FREE,      /* two_pass: whatever it has to say */
    STEP_ASKED,     /* in the form that was asked for */
};

/* How long the prompt is for the place that is asked, and what came of that (exchange_context.c). */
struct length {
    struct context_size prompt;         /* of what is sent */
    int64_t estimated;                  /* of it, by bytes */
    bool counted, uncountable;          /* its engine has said how many tokens, or could not */
    int64_t window;                     /* 0 = not known */
    int status;                         /* of the count */
    int64_t commas;
    int trims;                          /* rounds */
    int64_t gone;                       /* estimated tokens that were to go so far */
    int64_t before;                     /* tokens of the prompt with all its messages, when some were left out */
    int64_t told, told_least;           /* the window that the place was told to have, and is to be told at least; 0 = it goes by its own */
    int grown;                          /* times it was told a larger one */
    int64_t doubted;                    /* tokens that it said it had read when it was asked once more for that */
    bool resent;                        /* the answer is of a larger window than the first */
    int64_t doubtful;                   /* tokens that it says it has read, which are too few unless it leaves out what it had in its cache */
    int64_t ended;                      /* the window with which the answer ended */
};

/* A place being asked: one candidate of the chain, with all that belongs to it alone. When it fails the same attempt goes to the next candidate. */
struct attempt {
    /* looked at with each event of its answer: close together */
    struct exchange *x;
    enum attempt_state state;           /* attempt_enter() is its only writer */
    enum way way;
    int status;                         /* the place's */
    bool told_began;                    /* its answer's first content has been noticed */
    bool paused;
    bool tools;                         /* some are offered: what it says is kept */
    bool holds;                         /* its text may be calls of them: what came since held_from waits in `out` */
    bool left;                          /* some of its events have gone to the caller */
    struct http_call *call;
    const struct dialect *dialect;      /* in which the place is asked, and answers */
    struct dialect_reader *reader;
    struct mend *mend;                  /* puts values back into its answer; NULL = there are none */
    struct collect *collect;
    struct buf out;                     /* on its way to the caller; while that is nothing, its memory is with the api (api->passing) */
    int64_t first_ns;                   /* when its answer began; 0 = it has not, and so below */
    struct thinking think;              /* shall it think? The request's, until this place's answer was nothing else */
    struct err broke;                   /* an error found while reading events */
    struct relay relay;
    struct timer deadline;              /* of what it is at: each state has one */

    size_t at;                          /* candidate in the chain */
    struct world *world;                /* in which its place is: the request's, or the newer one */
    size_t model;                       /* in that world's configuration */
    struct backend *b;                  /* its; NULL = none was asked yet */
    struct lease lease;
    struct host_wait waking;
    bool leased;                        /* lease is held or waited for */
    bool admitted;                      /* its health is owed a word */
    bool hurried;                       /* it has to begin before its place would have to: another shall have time left */
    int64_t repeats;                    /* tries of this place before this one */
    int64_t limit_ms;                   /* so much the deadline was, for the error */
    int64_t mourns_until_ms;
    struct err broken;                  /* what it is in mourning for */
    int64_t waited_ns, sent_ns;
    int64_t sent_ms;                    /* likewise, in loop time */
    int64_t load_ms;                    /* of the wait: until the model was loaded */
    int64_t others;                     /* requests that its host had besides when it was sent */
    int64_t gathered;                   /* bytes of an answer that is kept until it is whole */

    enum schema_step schema_step;
    bool thought_again;                 /* it was asked again because of its thoughts */
    struct length length;
    struct reword plan;                 /* what the policies make of the request for this try */
    size_t held_from;
    enum { TOOLS_NOTHING, TOOLS_VALID, TOOLS_REPAIRED, TOOLS_READ /* they came as text */, TOOLS_UNMET /* and were passed on */ } tools_outcome;
    bool mends;                         /* its place has been asked to mend its answer: attempt_unmet() */
    struct buf unmet;                   /* an answer of it, and what is said of that: plan's draft and remark */
    struct buf format;                  /* plan's response_format, where it is not the caller's */
    struct tokens spent;                /* on it, and on all it has said before at that place; zeros = there was none */
    struct guise reworded;              /* the request so, where the plan changes it; values unused */
    struct guise own;                   /* and that with placeholders, or without Anthropic's line */
    struct guise *guise;                /* what the place gets to see; NULL = the request as it came */
    struct buf upstream;                /* what goes to the place, or the spliced-in parts of it */
    struct str pieces[BODY_MAX_PIECES];
    size_t npieces;
    struct buf dropped;                 /* names of fields an engine did not get */
    struct str retry_after;
    char retry_after_text[16];
    struct embeddings *embeddings;
    size_t embedded;                    /* inputs done */
    struct buf in;                      /* a refusal's body, or a whole answer */
    struct json_doc whole;              /* of it; from its end until it is written for the caller */
    struct json_scratch scratch;        /* whole's own: between the two other answers are read */
    struct kept *kept;                  /* what it has said, if that is to be looked at */
};

/* The row about a request, and what has to live until it is written. */
struct books {
    struct request_put put;
    struct request_row row;
    bool open;                          /* it gets a row: it is no chat of a request's own */
    bool under_way;                     /* put is the store's */
    bool closed;                        /* the last bytes have left, or nobody is there who could get them */
    struct timer patience;              /* nobody waits longer for a disk */
    struct err why;                     /* code ERR_OK: it was answered */
    int64_t settled_ns;
    int64_t bytes_in;
    char client_id[64];
    struct buf chain;                   /* JSON */
    struct buf refusal;                 /* what the caller hears of an error: in the books before it leaves */
};

/* JSON that was asked for: the wish, and what has become of it (exchange_schema.c). */
struct schema_promise {
    struct schema_wish wish;
    struct schema_made *made;           /* held */
    enum conf_schema_mode mode;
    enum { OUTCOME_NONE, OUTCOME_VALID, OUTCOME_REPAIRED, OUTCOME_ESCALATED } outcome;
    bool escalated;                     /* a candidate has failed at it */
    bool wants_raw;                     /* the caller wants to see what did not fit */
    struct buf words;                   /* what a place is told; the same for all */
    struct buf raw;                     /* the answer that did not fit; empty unless that was wished for */
    char at[256];                       /* where in it, a JSON pointer */
};

/* What places have used whose answers were not what was promised, so that another was asked. */
struct lost {
    bool any, remote;                   /* one of them has a price */
    double cost;                        /* negative: unknown, and so below */
    int64_t input, output;              /* tokens */
};

/* A prompt that is too long, in numbers for the caller. */
struct too_long {
    int64_t prompt, answer, window;     /* tokens; window 0 = none was */
    bool counted;
    struct str fits;                    /* a role or model that would take it; may be empty */
};

/* Of a large body, on the pool (exchange_read.c). `running`: the exchange may not be disposed of. */
struct reading {
    struct exchange *x;
    struct work work;
    struct buf body;                    /* taken from the connection; the exchange's document points into it */
    const struct config *config;
    const struct conf_key *who;
    enum err_code rc;                   /* what came of it: */
    struct err e;
    struct json_doc doc;
    struct ask ask;
    struct guise guise;
    int64_t promised;                   /* of memory, for what is made meanwhile */
};

struct exchange {
    struct api *api;
    struct world *world;                /* held: decision and names are of its configuration */
    /* looked at with each event, as what stands above */
    enum exchange_state state;          /* exchange_enter() is its only writer */
    bool committed;                     /* the status line has gone to the caller */
    struct http_req *req;               /* NULL once answered, or when the caller is gone */
    struct attempt *lead;               /* whose answer the caller gets, as things stand */
    struct asker *asker;                /* it is a request's own chat, or a copy of an ask: the answer goes there, and there is no caller */
    int64_t streamed;                   /* bytes of events that have gone to the caller */
    struct timer tick;                  /* signs of life for a waiting stream */

    struct world *newer;                /* held; NULL until a place is looked for that a reload has replaced */
    struct list node;
    struct later dispose;
    struct attempt first;
    struct attempt *second;             /* a hedge; NULL = there was none */

    char id[REQUEST_ID_BYTES];
    int64_t started_ns;
    struct json_doc doc;
    struct guise guises[4];             /* with placeholders or not, with a line for Anthropic or not */
    struct ask ask;
    struct reading reading;
    struct decision decision;
    struct conf_policy policy;          /* resolved, once there is a decision */
    struct think_wish wish;             /* what it says of thinking */
    struct thinking think;
    enum caller_class class;

    size_t next;                        /* candidate that was not asked yet */
    int64_t until_ms;                   /* by then it is over, one way or another (loop time) */
    bool hasty;                         /* that is what the caller's library has said: no fault of a place */
    bool patient;                       /* nobody else is left: a sleeper is waited for */
    size_t sleeper;                     /* the first candidate that was passed over because its host sleeps; SIZE_MAX = none */
    struct timer hedge;                 /* then a second place is asked */
    bool hedged;
    bool hedge_won;                     /* by one of the two: who is asked once more has not won again */
    struct tried tried[EXCHANGE_MAX_TRIED];
    size_t ntried;
    struct err failure;                 /* the most telling so far; code ERR_OK: none */
    struct too_long too_long;
    int retry_after_s;                  /* the soonest that any of them named; 0 = none */
    uint64_t caller;                    /* who asks, as a number; 0 = not looked at yet */
    char evidence[256];                 /* of the last failure, for the row; "" = nothing failed */

    bool is_copy;                       /* its asker has a copy of an ask (api/shadow.h): nobody's request, in no count */
    struct shadow_ask *shadow;          /* what is kept for a copy of its ask, or of that copy; NULL = there is none */
    struct inner inner;                 /* the chat of its own that it has under way */
    struct verified {
        enum verdict verdict;
        size_t model;                   /* who has checked */
        double draft_cost;              /* where the checker's words are the answer: of what they have replaced; negative = unknown */
        struct tokens tokens;           /* of the check */
        int64_t since_ns;
        double ms;                      /* it took */
    } verified;
    struct schema_promise *promise;     /* NULL: no JSON was asked for */
    struct lost lost;
    bool captures;                      /* it is to be kept with its answer, for suites (exchange_capture.c) */
    struct buf captured;                /* what was answered, then */
    bool whole_stream;                  /* the caller streams, but gets the answer when it is whole: it is checked before */
    struct books books;
};

/* What is asked of a place, by task. */
struct errand {
    const char *name;                   /* in metrics */
    const char *path;                   /* behind the place's own */
    const char *holds;                  /* the list in a whole answer */
    const char *subject;                /* the field that is meant when a request is too long */
};
extern const struct errand exchange_errands[];

enum { EMBED_AT_A_TIME = 32 };          /* inputs in one request to a child: a caller that leaves is noticed between two */

static inline bool exchange_over(const struct exchange *x)
{
    return x->state == X_SETTLED || x->state == X_FAILED || x->state == X_DONE;
}

/* ---- exchange.c ---- */
struct exchange *exchange_new(struct api *a, struct world *w);          /* w is held */
void exchange_go(struct exchange *x);                                   /* all is known of it: decides, and asks */
void exchange_abandon(struct exchange *x);                              /* nobody wants its answer any more */
void exchange_enter(struct exchange *x, enum exchange_state to);        /* the only writer of x->state */
void exchange_fail(struct exchange *x, const struct err *e);            /* the end, with an error for the caller */
void exchange_finish(struct exchange *x);                               /* nothing more will happen, but for the row's way to the disk */
void exchange_dispose(struct exchange *x);                              /* nobody is inside of it any more */
void exchange_free_spare(struct exchange *x);

/* ---- exchange_begin.c ---- */
enum err_code exchange_begin(struct exchange *x, bool *aside, struct err *e) __attribute__((warn_unused_result)); /* who asks, and what; *aside: that comes later */
/* What was asked is known, or rc says why not. Returns rc. */
enum err_code exchange_was_read(struct exchange *x, const struct conf_key *who, enum err_code rc);
void exchange_weigh_and_go(struct exchange *x);
enum err_code exchange_decide(struct exchange *x, struct err *e) __attribute__((warn_unused_result)); /* who shall answer */

enum err_code exchange_take_decision(struct exchange *x, struct err *e); /* what follows from one, however it was made. ERR_SCHEMA_UNSUPPORTED */

/* ---- overload.c ---- */
enum err_code exchange_has_room(struct exchange *x, struct err *e) __attribute__((warn_unused_result)); /* to be parsed */
void exchange_was_parsed(struct exchange *x);                           /* and it is */
enum err_code attempt_gathers(struct attempt *t, size_t bytes, struct err *e) __attribute__((warn_unused_result)); /* so many have come. ERR_OVERLOADED */
enum err_code attempt_gathered(struct attempt *t, struct err *e) __attribute__((warn_unused_result)); /* and that was the last. ERR_OVERLOADED */

/* ---- exchange_read.c ---- */
void reading_init(struct exchange *x);
void reading_clear(struct exchange *x);
bool exchange_reads_aside(struct exchange *x, const struct conf_key *who); /* it goes on by itself, later */

/* ---- exchange_redact.c ---- */
void guise_clear(struct guise *g);
/* `from` without what `cut` says, with placeholders or without. Any thread. */
enum err_code guise_make(enum task task, const struct json_doc *from, struct guise *g, const struct json_edit *cut, bool with_values, struct err *e)
    __attribute__((warn_unused_result));

/* ---- exchange_triage.c ---- */
bool exchange_triage(struct exchange *x);                               /* true: a model is asked first, exchange_go() follows */

/* ---- exchange_verify.c ---- */
/* The lead has its answer. True: it is being checked, and will be delivered after that. */
bool exchange_verify(struct exchange *x);
void exchange_put_verified(const struct exchange *x, struct json_out *o); /* its member in `_routing`, where there was a check */

/* ---- exchange_walk.c ---- */
void exchange_walk(struct exchange *x);                                 /* asks the first candidate */
void exchange_passed_over(struct attempt *t, const struct err *e);      /* it is not to be asked now: the next */
void exchange_try_failed(struct attempt *t, const struct err *e);       /* it was, for nothing: the same place again, the next, or the end */
void exchange_hedge(void *ctx);
void exchange_sent(struct attempt *t);                                  /* its request is out: a hedge may follow */
void exchange_won(struct attempt *t);                                   /* it has the first content, and is the lead from now on */
int64_t exchange_left_ms(const struct exchange *x);                     /* until the request's own end; 0 = it is over */
bool exchange_has_next(const struct exchange *x);                       /* another candidate could still be asked */

/* ---- exchange_blame.c ---- */
/* Why a try, or all of it, failed: the code, fault and hint of *e become what the table of blame says. Returns the row. t: whose try it was; NULL = it was
 * the request's own. */
const struct blame_row *exchange_blame(struct exchange *x, const struct attempt *t, struct err *e);
void exchange_write_evidence(struct exchange *x, const struct attempt *t, const struct blame_row *r, const struct err *e);
void exchange_know_caller(struct exchange *x);                          /* for the count of those who send too many at once, before the request is gone */
bool attempt_has_died(const struct attempt *t);                         /* its place's process, since it was asked */

/* ---- exchange_place.c ---- */
void attempt_start(struct attempt *t, size_t at, int64_t repeats);      /* asks decision.chain[at] */
void attempt_rest(struct attempt *t, int64_t for_ms);                   /* then asks the same place again */
void attempt_awake(void *ctx, const struct err *e);                     /* its host is, or is not */

/* ---- exchange_try.c ---- */
void attempt_init(struct attempt *t, struct exchange *x);
void attempt_clear(struct attempt *t, size_t keep_bytes);               /* of each of its buffers */
void attempt_fini(struct attempt *t);                                   /* what a cleared one still has */
struct attempt *attempt_new(struct exchange *x);                        /* one beside the first; attempt_free() clears it, too */
void attempt_free(struct attempt *t);
void attempt_enter(struct attempt *t, enum attempt_state to);           /* the only writer of t->state */
enum err_code attempt_make_body(struct attempt *t, struct err *e) __attribute__((warn_unused_result)); /* t->pieces, for t->b by t->plan */
bool attempt_body_fits(struct attempt *t, struct err *e);               /* its engine can do what is asked, as far as is seen beforehand */
void attempt_set_first_limit(struct attempt *t, int64_t own_ms);        /* until it begins to answer */
void attempt_send(struct attempt *t);                                   /* the place is ours */
void attempt_tell(struct attempt *t, const struct err *e);              /* to its place's health, if it is owed; e NULL: it has answered */
void attempt_drop(struct attempt *t);                                   /* no byte comes from the place any more, and its slot is free */

/* ---- exchange_check.c ---- */
void attempt_hint_cut(const struct attempt *t, struct err *e);           /* of an answer that was cut off: whose limit it was, and what to do */
/* Before anything of its end leaves: content and calls have been read. CHECKED_BAD: *e. */
enum checked attempt_check(struct attempt *t, struct err *e);
/* For checks: the answer is not what was promised, and *e (set, ERR_SCHEMA_UNMET or ERR_TOOL_UNMET) says why. CHECKED_AGAIN: its place is asked once more,
 * with what it has said (draft: in words, not empty) and what is wrong with that (remark: to the model), both copied; once for each try, and only while
 * nothing has left. Else CHECKED_BAD: the next candidate is asked where policy.schema.escalate says so, and nobody otherwise. */
void attempt_show(struct attempt *t, struct str draft, struct str remark); /* both copied into its plan */
enum checked attempt_unmet(struct attempt *t, struct str draft, struct str remark, const struct err *e);

/* ---- exchange_context.c ---- */
void attempt_size_up(struct attempt *t);                                /* it is dressed: t->length */
/* Its body is made. True: it is counted first, or does not fit, and the way goes on elsewhere: attempt_send() again, the next candidate, or the end. */
bool attempt_is_held(struct attempt *t);
int64_t attempt_room(const struct attempt *t);                          /* tokens for an answer of which the caller has not said how long; 0 = not known */
bool attempt_grow(struct attempt *t);                                   /* it is to be told of a larger window, if that can be */
void attempt_read_too_long(struct attempt *t);                          /* t->in: a place's own refusal for length */
enum checked attempt_check_context(struct attempt *t, struct err *e);
void exchange_refused_length(struct exchange *x);                       /* the decision was: too long for who is meant */
void exchange_put_too_long(const struct exchange *x, struct buf *to);   /* the numbers, members for an error */
void exchange_put_context(struct exchange *x, struct json_out *o);      /* its value in `_routing.policy`, of the lead */
void exchange_put_context_header(struct exchange *x, struct buf *to);   /* the same as a line, or nothing */

/* ---- exchange_think.c ---- */
void exchange_decide_thinking(struct exchange *x);                      /* once its policy and its class are known */
struct think_place attempt_thinks(const struct attempt *t);             /* how its place is told */
enum think_show attempt_shows_thoughts(const struct attempt *t);
bool attempt_thoughts_open(const struct attempt *t);                    /* its answer begins within one, in its text */
enum checked attempt_check_thoughts(struct attempt *t, struct err *e);  /* did it heed the plan, and say something besides? */
/* Its thoughts are over their budget, and it goes on with them: CHECKED_AGAIN, CHECKED_BAD; else CHECKED_GOOD. */
enum checked attempt_check_budget(struct attempt *t, struct err *e);
void exchange_put_thinking(struct exchange *x, struct json_out *o); /* what became of its thoughts: its value in `_routing.policy`, of the lead */

/* ---- exchange_plan.c ---- */
void exchange_take_role(struct exchange *x);                            /* there is a decision: whatever its role says of the answer's length is as if asked for */
void attempt_plan(struct attempt *t);                                   /* what the policies make of the request for this try: t->plan, anew */
void exchange_put_instructions(struct exchange *x, struct json_out *o); /* what its role has changed: its value in `_routing.policy` */

/* ---- exchange_schema.c ---- */
/* Reads what is asked for, once the policy is known. ERR_SCHEMA_UNSUPPORTED. */
enum err_code exchange_promise_schema(struct exchange *x, struct err *e) __attribute__((warn_unused_result));
void exchange_forget_schema(struct exchange *x);
bool exchange_schema_streams(const struct exchange *x);                 /* what comes may pass, and is checked at its end */
void attempt_plan_schema(struct attempt *t);                            /* its part of t->plan */
enum checked attempt_check_schema(struct attempt *t, struct err *e);
bool exchange_schema_allows(const struct exchange *x, struct str answer); /* what somebody else would say instead */
void exchange_schema_failed(struct exchange *x);                        /* the next candidate is asked for want of one that fits */
void exchange_put_schema(struct exchange *x, struct json_out *o);       /* its value in `_routing.policy` */
void exchange_put_schema_headers(const struct exchange *x, struct buf *to);
void exchange_put_schema_error(const struct exchange *x, const struct err *e, struct buf *to); /* its members of an error */

/* ---- exchange_lint.c ---- */
void exchange_put_lint(const struct exchange *x, struct buf *to);       /* x-hob-lint, where that is wanted and something is found */

/* ---- exchange_tools.c ---- */
bool attempt_offers_tools(const struct attempt *t);
bool attempt_refuses_tools(const struct attempt *t, struct err *e);     /* always false */
bool attempt_holds_text(struct attempt *t);                             /* what a stream has said so far may be calls that come as text */
enum checked attempt_check_tools(struct attempt *t, struct err *e);
void exchange_put_tools(struct exchange *x, struct json_out *o);        /* its value in `_routing.policy` */

/* ---- exchange_redact.c ---- */
enum err_code attempt_dress(struct attempt *t, struct err *e) __attribute__((warn_unused_result)); /* picks, or makes, what the place gets to see */
const struct json_doc *attempt_doc(const struct attempt *t);            /* that */
const struct json_doc *attempt_words(const struct attempt *t);          /* the request as t->plan has made it, with all its values; not for the place */
void attempt_undress(struct attempt *t);
const struct redaction *attempt_values(const struct attempt *t);        /* that are to be put back into its answer; NULL = none */
void exchange_mend_whole(struct attempt *t);                            /* t->in, an answer that came as one object */
void exchange_undress(struct exchange *x);

/* ---- exchange_reply.c ---- */
void exchange_send_out(struct exchange *x);                             /* what the lead has for the caller, as part of a stream … */
void exchange_flush_out(struct exchange *x);                            /* … of which that is all for now */
void exchange_answer_whole(struct exchange *x);                         /* likewise, as the whole answer */
void exchange_write_error(struct exchange *x, const struct err *e);     /* into the books: the body, or a stream's last event */
void exchange_answer_error(struct exchange *x, const struct err *e);    /* that leaves */
void exchange_drained(void *ctx);
void exchange_tick(void *ctx);

/* ---- exchange_settle.c ---- */
void books_init(struct exchange *x);
void books_open(struct exchange *x);                                    /* what the request is known by, while it can be read */
void books_clear(struct exchange *x, size_t keep_bytes);
void books_free(struct exchange *x);
/* Counted, and the row handed in; when that is written the caller gets its last bytes, if it is still there, and the exchange is finished. e NULL: the
 * lead's answer is ready. */
void exchange_settle(struct exchange *x, const struct err *e);
void exchange_deliver(struct exchange *x);                              /* the lead's answer is ready */
double exchange_price(const struct backend *b, const struct tokens *n); /* negative: unknown */
struct tokens attempt_used(const struct attempt *t);                     /* by its answer, and one before that it has mended */
void exchange_lose(struct attempt *t);                                  /* it is left for the next candidate, and what it has used was for nothing */
double exchange_cost(const struct exchange *x);                          /* of the answer, and of its check; negative = unknown, or none */

/* ---- exchange_capture.c ---- */
void exchange_decide_capture(struct exchange *x);                       /* there is a decision: x->captures */
void exchange_note_answer(struct exchange *x, const struct said_all *s); /* x->captures: that is the answer, as things stand */
void exchange_capture(struct exchange *x);                              /* x->captures: it was answered so */
void exchange_forget_capture(struct exchange *x);

/* ---- exchange_answer.c ---- */
bool attempt_has_left(const struct attempt *t);                         /* a part of its answer has gone to the caller, or is about to */
const struct answer_facts *attempt_facts(const struct attempt *t);
bool attempt_wants_events(const struct attempt *t);
void attempt_begin_answer(struct attempt *t);
void attempt_was_fed(struct attempt *t);                                /* with all that has come of its answer so far */
/* The place has said all it will: what is not read of it yet is. Then the facts are whole, and so is t->whole of an answer that came as one object. */
enum err_code attempt_read_answer(struct attempt *t, struct err *e) __attribute__((warn_unused_result));
void attempt_forget_whole(struct attempt *t);
void attempt_forget_answer(struct attempt *t);                          /* it is not the one: what it has used counts no more as that of the next */
/* What the first choice says, for checks and whoever goes on after them; false: it was not kept (nothing was promised of a stream that passes), or there is
 * nothing. */
bool attempt_said(struct attempt *t, struct said_all *out);
/* It shall say that instead. Of a stream that passes it is too late: false. */
bool attempt_set_content(struct attempt *t, struct str content);
bool attempt_set_calls(struct attempt *t, const struct said_call *calls, size_t n); /* and end as calls end, without content */
/* It is read, and checked: t->out gets the caller's last bytes, or another part is to be asked for (then it stays empty). */
enum err_code attempt_end_answer(struct attempt *t, struct err *e) __attribute__((warn_unused_result));

/* ---- shadow.c: asked only where api->shadows, or x->shadow, is there ---- */
void shadow_meet(struct exchange *x);                           /* there is a decision: shall this ask be copied? */
void shadow_make_way(struct exchange *x, const struct backend *b); /* it is about to ask b: a copy under way that would be in its way ends now */
void shadow_hear(struct attempt *t);                            /* its answer is good, and still there as a whole */
void shadow_settled(struct exchange *x);                        /* it is over, and its request's bytes are still there: the copy is made, or forgotten */
void shadow_forget(struct exchange *x);
int64_t shadow_budget(const struct exchange *x);                /* of a copy whose ask named none: tokens that its answer may have; else 0 */

/* ---- exchange_tell.c ---- */
bool exchange_fell_back(const struct exchange *x);              /* another than the first candidate answers */
void exchange_put_routing(struct exchange *x, struct buf *to);  /* the `_routing` object */
void exchange_put_policy(struct exchange *x, struct json_out *o); /* its `policy` */
void exchange_put_headers(struct exchange *x, struct buf *to);  /* complete lines */
void exchange_put_dropped(const struct exchange *x, struct buf *to);

#endif
