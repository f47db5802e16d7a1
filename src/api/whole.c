/* One object to one object: the bytes as the place sent them, with our name for the model and the routing put in. */
#include "api/answer.h"

#include <stdio.h>

static enum err_code read_completion(yyjson_val *root, struct answer_facts *facts, struct err *e)
{
    yyjson_val *error = yyjson_obj_get(root, "error");
    if (error && !yyjson_is_null(error))
        return answer_error(error, e);
    yyjson_val *choice = yyjson_arr_get_first(yyjson_obj_get(root, "choices"));
    if (!choice)
        return err_set(e, ERR_UP_GARBLED, "its answer is no chat completion (no 'choices')");
    struct str finish = json_str(yyjson_obj_get(choice, "finish_reason"));
    snprintf(facts->finish, sizeof facts->finish, "%.*s", STR_ARG(finish));
    facts->began = true;
    facts_usage(facts, yyjson_obj_get(root, "usage"));
    return ERR_OK;
}

enum err_code whole_read(struct str body, struct json_scratch *scratch, struct json_doc *d, struct answer_facts *facts, struct err *e)
{
    facts_init(facts);
    if (json_parse_fast(d, body, scratch, e))
        return err_set(e, ERR_UP_GARBLED, "its answer is no JSON");
    enum err_code rc = read_completion(d->root, facts, e);
    if (rc)
        json_free(d);
    return rc;
}

void whole_write(const struct json_doc *d, const struct answer_frame *f, struct str routing, struct buf *out)
{
    struct str body = d->text;
    struct json_edit edits[2];
    struct json_member m;
    struct buf put = { 0 };
    size_t n = 0, end = body.n;
    while (end && body.p[end - 1] != '}')
        end--;
    buf_reserve(&put, f->model.n * 6 + routing.n + 32); /* once: the slices below must not move */
    if (json_find_member(d, d->root, STR("model"), &m)) {
        struct json_out o = json_out(&put);
        json_string(&o, f->model);
        edits[n++] = (struct json_edit){ m.value.at, m.value.end - m.value.at, buf_str(&put) };
    }
    if (routing.n && end) {
        size_t at = put.n;
        buf_lit(&put, ",\"_routing\":");
        buf_add(&put, routing);
        edits[n++] = (struct json_edit){ end - 1, 0, str_make(put.p + at, put.n - at) };
    }
    json_splice(out, body, edits, n);
    buf_free(&put);
}
