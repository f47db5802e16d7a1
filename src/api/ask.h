/* OpenAI's dialect, the asking side: from a body to an ask. */
#ifndef HOB_API_ASK_H
#define HOB_API_ASK_H

#include "json/json.h"
#include "route/ask.h"

/* ERR_INVALID_JSON, ERR_BAD_REQUEST (duplicate keys), ERR_INVALID_REQUEST. *d is set even on some errors: json_free() it either way. */
enum err_code ask_read(struct str body, enum task task, struct json_doc *d, struct ask *ask, struct err *e) __attribute__((warn_unused_result));

#endif
