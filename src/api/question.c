#include "api/question.h"

void question_put_message(struct json_out *o, const char *role, struct str text)
{
    json_begin_object(o);
    json_key(o, STR("role"));
    json_string(o, str_of(role));
    json_key(o, STR("content"));
    json_string(o, text);
    json_end_object(o);
}

void question_put_manner(struct json_out *o, bool takes_template_values)
{
    json_key(o, STR("temperature"));
    json_int(o, 0);
    if (takes_template_values) {
        json_key(o, STR("chat_template_kwargs"));
        json_raw(o, STR("{\"enable_thinking\":false}"));
    }
}
