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

void question_put_chat(struct json_out *o, struct str text)
{
    json_key(o, STR("messages"));
    json_begin_array(o);
    question_put_message(o, "user", text);
    json_end_array(o);
}

void question_put_text(struct json_out *o, struct str text)
{
    json_begin_object(o);
    json_key(o, STR("type"));
    json_string(o, STR("text"));
    json_key(o, STR("text"));
    json_string(o, text);
    json_end_object(o);
}

void question_put_image(struct json_out *o, struct str url)
{
    json_begin_object(o);
    json_key(o, STR("type"));
    json_string(o, STR("image_url"));
    json_key(o, STR("image_url"));
    json_begin_object(o);
    json_key(o, STR("url"));
    json_string(o, url);
    json_end_object(o);
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
