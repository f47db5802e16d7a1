/* Personal data replaced by placeholders on the way out, and put back on the way in.
 *
 * A placeholder is ASCII that a model copies as it is, such as [EMAIL_1]: the same value has the same one throughout a request. What was in the prompt before
 * and looks like one is left alone, in both directions. Values are wiped when the redaction is freed; they are in no log, row or metric. */
#ifndef HOB_POLICY_REDACT_H
#define HOB_POLICY_REDACT_H

#include "base/buf.h"
#include "json/json.h"

struct redaction;
struct redaction *redaction_new(void);
void redaction_free(struct redaction *r);            /* NULL is fine */
size_t redaction_count(const struct redaction *r);   /* of values replaced */

/* Which personal data is in the texts of a request (messages, prompt, input, documents, tool results, …); enum finding, or-ed. */
unsigned redact_findings(const struct json_doc *d);
/* The request again with placeholders, as text of a document of its own: *out is that text (parse it anew). ERR_SYSTEM only. */
enum err_code redact_request(struct redaction *r, const struct json_doc *d, struct buf *out, struct err *e) __attribute__((warn_unused_result));
/* A text whose quotes, if it was a JSON string, are already gone. */
void redact_restore(const struct redaction *r, struct str text, struct buf *out);

/* The same for a text that comes in pieces: what could be the beginning of a placeholder is held back until it is one or is not. */
struct restorer {
    const struct redaction *r;
    char held[32];
    size_t n;
};
void restorer_init(struct restorer *s, const struct redaction *r);
void restorer_feed(struct restorer *s, struct str piece, struct buf *out);
void restorer_end(struct restorer *s, struct buf *out); /* what was held back and is none */

#endif
