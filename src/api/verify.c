#include "api/verify.h"

#include "api/question.h"

const char *const verdict_name[] = { "", "agreed", "improved", "failed" };

static const char task[] =
    "Check your last answer to me: is it right, complete and what was asked for? If it can be sent as it is, say {\"verdict\":\"good\",\"answer\":\"\"}. "
    "If it is wrong or lacks something that matters, say {\"verdict\":\"better\",\"answer\":\"…\"} with the whole answer as it should be. "
    "Style alone is no reason. Say nothing but that JSON object.";

static const char schema[] =
    "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"check\",\"strict\":true,\"schema\":{\"type\":\"object\",\"properties\":{\"verdict\":"
    "{\"enum\":[\"good\",\"better\"]},\"answer\":{\"type\":\"string\"}},\"required\":[\"verdict\",\"answer\"],\"additionalProperties\":false}}}";

static yyjson_val *message_of(yyjson_val *answer)
{
    return yyjson_obj_get(yyjson_arr_get_first(yyjson_obj_get(answer, "choices")), "message");
}

struct str verify_draft(yyjson_val *answer)
{
    yyjson_val *message = message_of(answer);
    if (yyjson_arr_size(yyjson_obj_get(message, "tool_calls")))
        return (struct str){ NULL, 0 };
    return json_str(yyjson_obj_get(message, "content"));
}

/* The caller's messages as they came, two more behind them. */
static void put_messages(struct json_out *o, const struct json_doc *d, struct str draft)
{
    struct json_member m;
    json_key(o, STR("messages"));
    json_begin_array(o);
    if (json_find_member(d, d->root, STR("messages"), &m)) /* "[" … "]", at least one in it */
        json_raw(o, str_trim(str_make(d->text.p + m.value.at + 1, m.value.end - m.value.at - 2)));
    question_put_message(o, "assistant", draft);
    question_put_message(o, "user", str_of(task));
    json_end_array(o);
}

void verify_body(const struct json_doc *d, struct str model, struct str draft, bool thinks, struct buf *out)
{
    struct json_out o = json_out(out);
    json_begin_object(&o);
    json_key(&o, STR("model"));
    json_string(&o, model);
    put_messages(&o, d, draft);
    question_put_manner(&o, thinks);
    json_key(&o, STR("response_format"));
    json_raw(&o, str_of(schema));
    json_end_object(&o);
}

enum verdict verify_read(struct str content, struct buf *answer)
{
    struct json_doc d = { 0 };
    struct err e;
    enum verdict v = VERDICT_FAILED;
    if (json_parse(&d, str_trim(content), &e))
        return v;
    struct str said = json_str(yyjson_obj_get(d.root, "verdict")), better = json_str(yyjson_obj_get(d.root, "answer"));
    if (str_eq(said, STR("good"))) {
        v = VERDICT_AGREED;
    } else if (str_eq(said, STR("better")) && str_trim(better).n) {
        buf_add(answer, better);
        v = VERDICT_IMPROVED;
    }
    json_free(&d);
    return v;
}

/* "key": text, in the place of the member's value. */
static struct json_edit edit_text(const struct json_doc *d, yyjson_val *in, const char *key, struct str text, struct buf *put)
{
    struct json_member m;
    struct json_out o = json_out(put);
    json_string(&o, text);
    if (!json_find_member(d, in, str_of(key), &m)) /* nothing to replace */
        return (struct json_edit){ d->text.n, 0, STR("") };
    return (struct json_edit){ m.value.at, m.value.end - m.value.at, buf_str(put) };
}

void verify_replace(const struct json_doc *answer, struct str words, struct str model, struct buf *out)
{
    struct buf content = { 0 }, name = { 0 };
    struct json_edit edits[] = {
        edit_text(answer, message_of(answer->root), "content", words, &content),
        edit_text(answer, answer->root, "model", model, &name),
    };
    if (edits[0].at > edits[1].at) {
        struct json_edit first = edits[1];
        edits[1] = edits[0];
        edits[0] = first;
    }
    json_splice(out, answer->text, edits, COUNTOF(edits));
    buf_free(&content);
    buf_free(&name);
}
