/* Tools: what a request offers and asks for, whether an answer's calls are of that, and calls that came as text. Pure. */
#ifndef HOB_POLICY_TOOLS_H
#define HOB_POLICY_TOOLS_H

#include "json/json.h"

enum { TOOLS_MAX_CALLS = 128 };

struct tool_call {
    struct str name, arguments;     /* arguments: JSON, as the model wrote it; empty counts as {} */
};

/* ---- what is asked for ---- */

enum tools_choice { TOOLS_AUTO, TOOLS_NONE, TOOLS_REQUIRED, TOOLS_NAMED };

struct tools_wish {
    yyjson_val *tools;              /* the list */
    yyjson_val *allowed;            /* of tool_choice: only these of them; NULL = all */
    enum tools_choice choice;
    struct str named;               /* TOOLS_NAMED: that one has to be called, and no other */
    bool one;                       /* parallel_tool_calls: false */
};

/* Out of a chat's `tools`, `tool_choice` and `parallel_tool_calls`. False: it offers none. */
bool tools_wish_read(yyjson_val *root, struct tools_wish *w);

/* What no model can answer, whoever it is. ERR_INVALID_REQUEST: a tool that is no object or a function without a name, a tool_choice that names a tool that is not
 * offered, one that wants a call where none is offered. Kinds of tools and forms of tool_choice that are not known are left to the place. */
enum err_code tools_ask_check(const struct json_doc *d, struct err *e) __attribute__((warn_unused_result));

/* ---- what came ---- */

/* ERR_TOOL_UNMET: a tool that was not offered, none where one had to be called, one where none may be, several where one may be.
 * ERR_SCHEMA_UNMET: arguments that are no object, or not valid under the tool's `parameters`; the path of the first fault is in the text.
 * ERR_INVALID_REQUEST: the tool says `strict`, and its `parameters` are no schema; others like that are not held against anything.
 * remark (appended to, may be NULL): the same, said to the model. formats: `format` in schemas counts. */
enum err_code tools_check(const struct tools_wish *w, const struct tool_call *calls, size_t n, bool formats, struct buf *remark, struct err *e)
    __attribute__((warn_unused_result));

/* The answer that would not do, in words, for the model to see again. */
void tools_draft(struct str content, const struct tool_call *calls, size_t n, struct buf *out);

/* ---- calls that came as text ---- */

/* Some engines leave their models' calls in the text. A text that is calls in one of the known forms and nothing else, white space aside: the calls, their texts in
 * `text`. Forms without a tag of their own (JSON, bare or fenced) count only where the names are offered. False: it is none. */
struct tools_found {
    struct tool_call at[TOOLS_MAX_CALLS];
    size_t n;
    struct buf text;
};
bool tools_in_text(const struct tools_wish *w, struct str content, struct tools_found *out); /* out: fresh, or used before; text is to be freed */

/* While a text comes in: can it still become such calls, as far as its beginning tells? */
bool tools_may_follow(struct str beginning);

#endif
