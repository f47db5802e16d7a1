/* Thinking, in the words of requests and of places: what a request says of it, what was decided (policy/think.h), and how a place is told. Pure.
 *
 * Callers say it in every dialect there is; think_read() is the one reader of all of them. Places are told each in its own way: what a child takes is asked
 * of itself once it is loaded (llama_think.c), for all others a table of families goes by the host's address and the model's name. */
#ifndef HOB_BACKEND_THINK_H
#define HOB_BACKEND_THINK_H

#include "conf/config.h"
#include "json/json.h"
#include "model/template.h"

/* ---- what a request says ---- */

enum effort { EFFORT_UNSAID, EFFORT_MINIMAL, EFFORT_LOW, EFFORT_MEDIUM, EFFORT_HIGH, EFFORT_XHIGH, EFFORT_MAX };
extern const char *const effort_name[];

enum think_field {                /* of a request's root, or-ed: where it speaks of thinking */
    THINK_IN_THINKING = 1,        /* thinking: "off", false, {"type": "disabled"} */
    THINK_IN_REASONING = 2,       /* reasoning: {"effort", "max_tokens", "enabled"} */
    THINK_IN_EFFORT = 4,          /* reasoning_effort: "none", "low" … */
    THINK_IN_THINK = 8,           /* think: false, "low" */
    THINK_IN_KWARGS = 16,         /* chat_template_kwargs: {"enable_thinking", "thinking", "thinking_budget", "reasoning_effort"} */
    THINK_IN_ENABLE = 32,         /* enable_thinking: false */
    THINK_IN_LIMIT = 64,          /* thinking_budget_tokens: 512 */
    THINK_IN_LIMIT_2 = 128,       /* reasoning_budget_tokens */
    THINK_IN_BUDGET = 256,        /* thinking_budget */
};
enum { THINK_FIELDS = 9 };
const char *think_field_name(size_t bit); /* by bit; NULL past the last */
bool think_is_field(struct str name);

struct think_wish {
    enum tri wanted;              /* where it says both, no */
    enum effort effort;           /* the first that is said; with a no it means nothing */
    int64_t budget_tokens;        /* the least that is said; 0 = none */
    const char *field;            /* by which it was said first; NULL = it was not */
    const char *negative;         /* holds a budget below 0 that is not -1, "no limit"; NULL = none does */
    const char *unknown;          /* holds a word for an effort that nobody knows, which is taken for a yes; NULL = none does */
    unsigned fields;              /* enum think_field, or-ed */
    bool torn;                    /* it says both */
};
void think_read(yyjson_val *root, struct think_wish *w);
/* ERR_INVALID_REQUEST for a word that says nothing about thinking, and for a budget below 0; what a chat template takes is the template's affair. */
enum err_code think_ask_check(yyjson_val *root, struct err *e) __attribute__((warn_unused_result));

/* ---- what was decided ---- */

struct think_plan {
    bool decided;                 /* else nothing was, and places get what the request says */
    bool on;
    enum effort effort;           /* as wished */
    int64_t budget_tokens;        /* thoughts are cut after so many, off or on; 0 = no limit */
    bool insist;                  /* it was told once already, and not heeded */
};

/* ---- how a place is told ---- */

enum thinks {                     /* a model at its place */
    THINKS_UNKNOWN,
    THINKS_NONE,
    THINKS_SWITCHABLE,
    THINKS_ALWAYS,                /* cannot be told not to */
    THINKS_FORCED,                /* likewise: its template has opened the thought already */
};
extern const char *const thinks_name[]; /* "unknown", "none", "switchable", "always", "forced" */

enum think_limit { LIMIT_NOT, LIMIT_TOKENS /* thinking_budget_tokens */, LIMIT_BUDGET /* thinking_budget */, LIMIT_INSIDE /* of the field that says it */ };

/* By a template's text alone. */
enum thinks think_of_template(const struct template_look *l);

struct think_place {
    enum thinks thinks;
    enum conf_think_by by;        /* THINK_BY_AUTO: nobody knows, and it gets what the request says */
    const char *variable;         /* THINK_BY_TEMPLATE: besides enable_thinking; NULL = none */
    const char *least;            /* THINK_BY_EFFORT: the word for the least; NULL = "none" */
    enum think_limit limit;       /* how it is told of a budget */
    bool open;                    /* its thoughts stand in its text, and their beginning does not: the template has opened them */
    bool lenient;                 /* a field it does not know does no harm there */
};

/* Of a model on a host. `place` NULL: a program of ours. */
struct think_place think_family(const struct conf_host *place, struct str model, enum conf_think_by said);

/* Members for a place's request, into o within its object, in the place of all those fields: the plan, in the place's own way, with what else the request
 * gives the template. Nothing where the place needs no word. */
void think_put(struct json_out *o, yyjson_val *root, const struct think_plan *p, const struct think_wish *w, const struct think_place *t);
/* The request says just that already, in the place's own way, or nobody knows its way: it may leave as it came. */
bool think_fits(const struct think_plan *p, const struct think_wish *w, const struct think_place *t);

#endif
