/* One object to one object: the bytes as the place sent them, with our name for the model and the routing put in. */
#include "api/answer.h"

#include "api/answer_edit.h"

#include <stdio.h>

static enum err_code read_answer(yyjson_val *root, const char *holds, struct answer_facts *facts, struct err *e)
{
    yyjson_val *error = yyjson_obj_get(root, "error");
    if (error && !yyjson_is_null(error))
        return answer_error(error, e);
    yyjson_val *first = yyjson_arr_get_first(yyjson_obj_get(root, holds));
    if (!first)
        return err_set(e, ERR_UP_GARBLED, "its answer is not what was asked for (no '%s')", holds);
    struct str finish = json_str(yyjson_obj_get(first, "finish_reason"));
    snprintf(facts->finish, sizeof facts->finish, "%.*s", STR_ARG(finish));
    yyjson_val *message = yyjson_obj_get(first, "message");
    facts->began = true;
    facts->thoughts = json_str(yyjson_obj_get(message, "reasoning_content")).n > 0 || json_str(yyjson_obj_get(message, "reasoning")).n > 0;
    facts->said = json_str(yyjson_obj_get(message, "content")).n > 0 || yyjson_arr_size(yyjson_obj_get(message, "tool_calls")) > 0 ||
        json_str(yyjson_obj_get(message, "refusal")).n > 0;
    facts_usage(facts, yyjson_obj_get(root, "usage"));
    return ERR_OK;
}

enum err_code whole_read(struct str body, const char *holds, struct json_scratch *scratch, struct json_doc *d, struct answer_facts *facts,
    struct err *e)
{
    facts_init(facts);
    if (json_parse_fast(d, body, scratch, e))
        return err_set(e, ERR_UP_GARBLED, "its answer is no JSON");
    enum err_code rc = read_answer(d->root, holds, facts, e);
    if (rc)
        json_free(d);
    return rc;
}

void whole_write(const struct json_doc *d, const struct answer_frame *f, struct str routing, struct buf *out)
{
    struct edits x = { .n = 0 };
    edits_string(&x, d, STR("model"), f->model);
    edits_routing(&x, d, routing);
    json_splice(out, d->text, x.at, x.n);
    edits_free(&x);
}
