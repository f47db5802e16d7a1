/* OpenAI's dialect, the asking side: from a body and a head to an ask, and from an ask to a decision. What a request goes through, and what explains one. */
#ifndef HOB_API_ASK_H
#define HOB_API_ASK_H

#include "fleet/sched.h"
#include "json/json.h"
#include "route/decide.h"

/* ERR_INVALID_JSON, ERR_BAD_REQUEST (duplicate keys), ERR_INVALID_REQUEST. *d is set even on some errors: json_free() it either way. */
enum err_code ask_read(struct str body, enum task task, struct json_doc *d, struct ask *ask, struct err *e) __attribute__((warn_unused_result));
/* What the head says of it: x-hob-session, x-hob-wait, x-hob-host, x-hob-private; rules may look at any header as long as h lives. Before ask_weigh(). */
void ask_read_head(const struct http_headers *h, enum caller_class class, struct ask *ask);
/* A header that is there, and does not say no (false, off, 0). */
bool ask_is_on(const struct http_headers *h, struct str name);

/* What is only looked at where the configuration wants to know: how hard it is and in which language, and how the conversation begins. The classifier is
 * made when it is first needed: *words NULL until then, the caller's to free. always: the words, whoever wants to know. */
void ask_weigh(const struct config *c, struct classifier **words, const struct json_doc *d, struct ask *ask, bool always);
/* Decides, and where it matters whether there is personal data in it, looks and decides again. */
enum err_code ask_decide(const struct config *c, const struct snapshot *s, const struct json_doc *d, struct ask *ask, struct decision *out, struct skips *skips,
    struct err *e) __attribute__((warn_unused_result));

#endif
