/* Personal data replaced by placeholders on the way out, and put back on the way in.
 *
 * A placeholder is ASCII that a model copies as it is, such as [EMAIL_1]: the same value has the same one throughout a request, and in the next
 * request of a growing conversation too, so that prompt caches stay warm. What was in the prompt before and looks like one is left alone, in both
 * directions: numbers begin behind it. Values are wiped when the redaction is freed; they are in no log, row or metric. */
#ifndef HOB_POLICY_REDACT_H
#define HOB_POLICY_REDACT_H

#include "base/buf.h"
#include "json/json.h"

struct redaction;
struct redaction *redaction_new(void);
void redaction_free(struct redaction *r);            /* NULL is fine */
size_t redaction_count(const struct redaction *r);   /* of values replaced */
/* How many bytes of values an answer gets back: a place that repeats the placeholder of a long one makes of ten bytes what the caller has sent once. What is beyond stays a
 * placeholder. */
size_t redaction_room(const struct redaction *r);

/* Which personal data is in the texts of a request (messages, prompt, input, documents, arguments and results of tools …); enum finding, or-ed. */
unsigned redact_findings(const struct json_doc *d);
/* The request again with placeholders, as text of a document of its own: appended to out (parse it anew). Once for a redaction. */
void redact_request(struct redaction *r, const struct json_doc *d, struct buf *out);

/* Puts values back into a text that comes in pieces. What could be the beginning of a placeholder is held back until it is one or is not, and no
 * longer. */
struct restorer {
    const struct redaction *r;
    size_t *room;                /* of the whole answer: bytes of values that may yet be put */
    bool json;                   /* the text is JSON itself (arguments of a tool): values are escaped */
    char held[24];               /* longer than any placeholder */
    size_t n;
};
void restorer_init(struct restorer *s, const struct redaction *r, bool json, size_t *room);
void restorer_feed(struct restorer *s, struct str piece, struct buf *out);
void restorer_end(struct restorer *s, struct buf *out); /* what was held back and is none; it begins anew */

#endif
