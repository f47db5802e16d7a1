/* From a body to what was said in it, for who must judge it by its words. */
#ifndef HOB_API_TALK_H
#define HOB_API_TALK_H

#include "json/json.h"
#include "route/ask.h"

/* What the user and the system have said, the end of it when it is much; texts are slices of the document. */
void talk_read(const struct json_doc *d, enum task task, struct talk *out);

#endif
