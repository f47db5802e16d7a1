/* Answers that are not a model's: JSON bodies and errors, in OpenAI's dialect. */
#include "api/api_int.h"
#include "base/random.h"

#include <stdio.h>

void reply_make_id(char out[REQUEST_ID_BYTES])
{
    memcpy(out, "req_", 4);
    random_hex(out + 4, REQUEST_ID_BYTES - 5);
}

void reply_json(struct http_req *r, int status, struct str headers, struct str body)
{
    http_reply(r, status, STR("application/json"), headers, &body, 1);
}

void reply_put_tried(struct json_out *o, const struct tried *tried, size_t n)
{
    json_begin_array(o);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(o);
        json_key(o, STR("model"));
        json_string(o, tried[i].model);
        json_key(o, STR("host"));
        json_string(o, tried[i].host);
        json_key(o, STR("error"));
        json_string(o, str_of(err_row(tried[i].code)->code));
        if (tried[i].away) {
            json_key(o, STR("away"));
            json_bool(o, true);
        }
        json_end_object(o);
    }
    json_end_array(o);
}

static void put_or_null(struct json_out *o, struct str key, const char *text)
{
    json_key(o, key);
    if (text[0])
        json_string(o, str_of(text));
    else
        json_null(o);
}

void reply_error_json(struct buf *out, const struct err *e, struct str request_id, const struct tried *tried, size_t ntried, struct str more)
{
    const struct err_row *row = err_row(e->code);
    struct buf message = { 0 };
    buf_add(&message, str_of(e->text));
    if (e->hint[0])
        buf_printf(&message, "%s %s", err_stop(e), e->hint);
    struct json_out o = json_out(out);
    json_begin_object(&o);
    json_key(&o, STR("error"));
    json_begin_object(&o);
    json_key(&o, STR("message"));
    json_string(&o, buf_str(&message));
    json_key(&o, STR("type"));
    json_string(&o, str_of(row->type));
    put_or_null(&o, STR("param"), e->param);
    json_key(&o, STR("code"));
    json_string(&o, str_of(row->code));
    if (more.n)
        buf_printf(out, ",%.*s", STR_ARG(more));
    json_key(&o, STR("hob"));
    json_begin_object(&o);
    json_key(&o, STR("fault"));
    json_string(&o, str_of(fault_name(err_fault(e))));
    json_key(&o, STR("request_id"));
    json_string(&o, request_id);
    json_key(&o, STR("tried"));
    reply_put_tried(&o, tried, ntried);
    put_or_null(&o, STR("hint"), e->hint);
    json_end_object(&o);
    json_end_object(&o);
    json_end_object(&o);
    buf_free(&message);
}

/* The methods that are known for the path of a request. */
static void put_allow(struct buf *to, struct str path)
{
    const struct route *t;
    bool first = true;
    for (size_t i = 0; (t = route_at(i)); i++) {
        if (!route_has_path(t, path))
            continue;
        buf_printf(to, "%s%s%s", first ? "Allow: " : ", ", t->method, t->method[0] == 'G' ? ", HEAD" : "");
        first = false;
    }
    if (first) /* no path of ours, or none that could be read */
        buf_lit(to, "Allow: GET, HEAD, POST");
    buf_lit(to, "\r\n");
}

enum { LONGEST_OBEYED_S = 60 }; /* above it the official clients ignore Retry-After, or give up */

void reply_refusal(struct http_req *r, const struct err *e, struct str request_id, struct str headers, struct str body)
{
    const struct err_row *row = err_row(e->code);
    struct buf head = { 0 };
    bool again = row->retry && e->retry_after_s <= LONGEST_OBEYED_S;
    buf_printf(&head, "x-request-id: %.*s\r\nx-should-retry: %s\r\n", STR_ARG(request_id), again ? "true" : "false");
    if (e->retry_after_s)
        buf_printf(&head, "Retry-After: %d\r\n", e->retry_after_s);
    if (e->code == ERR_METHOD && str_find(headers, STR("Allow: ")) < 0) /* the admin door has named its own */
        put_allow(&head, http_req_path(r));
    if (e->code == ERR_NO_KEY)
        buf_lit(&head, "WWW-Authenticate: Bearer\r\n");
    buf_add(&head, headers);
    reply_json(r, row->http, buf_str(&head), body);
    buf_free(&head);
}

void reply_error(struct http_req *r, const struct err *e, struct str request_id, struct str headers)
{
    struct buf body = { 0 };
    reply_error_json(&body, e, request_id, NULL, 0, STR(""));
    reply_refusal(r, e, request_id, headers, buf_str(&body));
    buf_free(&body);
}
