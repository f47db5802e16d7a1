/* Parts of a chat request that hob makes itself: triage and verify, suites, commands. Pure. */
#ifndef HOB_API_QUESTION_H
#define HOB_API_QUESTION_H

#include "json/json.h"

void question_put_message(struct json_out *o, const char *role, struct str text);
void question_put_chat(struct json_out *o, struct str text); /* "messages": one, of a user */
/* Parts of a message's content. */
void question_put_text(struct json_out *o, struct str text);
void question_put_image(struct json_out *o, struct str url);
/* The likeliest words; and without thoughts, where the place takes a template's values. */
void question_put_manner(struct json_out *o, bool takes_template_values);

#endif
