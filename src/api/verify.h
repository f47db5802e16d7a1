/* Draft and verify: one model answers, a stronger one reads the answer and lets it stand or gives a better one. Here is what it is asked, how its answer
 * reads, and how the better one takes the draft's place; pure. */
#ifndef HOB_API_VERIFY_H
#define HOB_API_VERIFY_H

#include "json/json.h"

enum verdict {
    VERDICT_NONE,      /* no check was asked for, or none was possible: the draft calls tools, has no words, or is private and the checker is elsewhere */
    VERDICT_AGREED,    /* the draft stands */
    VERDICT_IMPROVED,  /* the checker's own answer is returned */
    VERDICT_FAILED,    /* there was no check, or none that reads: the draft stands */
};
extern const char *const verdict_name[]; /* "" "agreed" "improved" "failed" */

/* The draft's words in a whole answer; empty when there is nothing to check: no text, or it calls tools. A slice of the document. */
struct str verify_draft(yyjson_val *answer);
/* The chat request to the checker: the conversation, the draft as its last answer, and the task. d: the caller's request, with `messages`. thinks: see
 * triage_body(). */
void verify_body(const struct json_doc *d, struct str model, struct str draft, bool thinks, struct buf *out);
/* Out of the content of its answer; better is copied to *answer when the verdict is IMPROVED. */
enum verdict verify_read(struct str content, struct buf *answer);
/* The whole answer again with other words in it, and who they are from. */
void verify_replace(const struct json_doc *answer, struct str words, struct str model, struct buf *out);

#endif
