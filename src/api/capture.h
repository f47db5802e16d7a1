/* An ask and its answer as they may be kept for a suite: what was said, what was offered, the settings that matter, and what came; with placeholders for personal
 * data, in all of it. What is not known to be needed is left out: names of users, metadata, ids of the caller's own. Pure; any thread. */
#ifndef HOB_API_CAPTURE_H
#define HOB_API_CAPTURE_H

#include "base/buf.h"
#include "base/err.h"
#include "conf/config.h"

enum { CAPTURE_MAX_BYTES = 64 * 1024 }; /* of a request, and of what is kept of it: longer ones are not kept */

struct capture_from {
    struct str request;             /* the body as it came; an object that was let in */
    const struct conf_role *role;   /* whose instructions, sampling and stop words belong to what was asked; NULL = none do */
    struct str answer;              /* JSON: the assistant's message, `content` and `tool_calls` */
    struct str thinking;            /* as a suite has it: off, on, low …; empty = not said */
};
/* {"messages":[…],"tools":[…],"tool_choice":…,"schema":{…},"strict":…,"max_tokens":…,"temperature":…,"top_p":…,"stop":[…],"thinking":…,
 *  "answer":{"text":…,"calls":[{"name","arguments"}]}}: what is not said is not there. *print: of the ask alone, the same for asks alike.
 * ERR_UNSUPPORTED_INPUT: it has parts that are no text. ERR_TOO_LARGE. */
enum err_code capture_make(const struct capture_from *from, struct buf *out, int64_t *print, struct err *e) __attribute__((warn_unused_result));

#endif
