/* The request is read by a list of what is wanted, and written anew under names of our own: then all of it is looked through for personal data, what a place
 * would get as it came too (policy/redact.c: definitions of tools, schemas). The answer stands behind the messages meanwhile: a value has one placeholder
 * in all of it, and arguments of calls are read as what they are. */
#include "api/capture.h"

#include "json/json.h"
#include "policy/redact.h"
#include "policy/reword.h"
#include "policy/schema.h"

#include <stdlib.h>

enum { MOST_IDS = 128 };

struct writing {
    struct json_out o;
    struct str ids[MOST_IDS];       /* of calls, as the caller had them: numbered anew */
    size_t nids;
};

/* ---- messages ---- */

static void put_id(struct writing *w, struct str id)
{
    char text[24];
    size_t i = 0;
    while (i < w->nids && !str_eq(w->ids[i], id))
        i++;
    if (i == w->nids && i < MOST_IDS)
        w->ids[w->nids++] = id;
    snprintf(text, sizeof text, "call_%zu", i + 1);
    json_string(&w->o, str_of(text));
}

static void put_calls(struct writing *w, yyjson_val *calls)
{
    size_t i, n;
    yyjson_val *call;
    if (!yyjson_arr_size(calls))
        return;
    json_key(&w->o, STR("tool_calls"));
    json_begin_array(&w->o);
    yyjson_arr_foreach(calls, i, n, call) {
        yyjson_val *f = yyjson_obj_get(call, "function");
        json_begin_object(&w->o);
        json_key(&w->o, STR("id"));
        put_id(w, json_str(yyjson_obj_get(call, "id")));
        json_key(&w->o, STR("type"));
        json_string(&w->o, STR("function"));
        json_key(&w->o, STR("function"));
        json_begin_object(&w->o);
        json_key(&w->o, STR("name"));
        json_string(&w->o, json_str(yyjson_obj_get(f, "name")));
        json_key(&w->o, STR("arguments"));
        json_string(&w->o, json_str(yyjson_obj_get(f, "arguments")));
        json_end_object(&w->o);
        json_end_object(&w->o);
    }
    json_end_array(&w->o);
}

/* A list of texts is one text: no two values of it may come apart where it is looked through. */
static enum err_code put_content(struct writing *w, yyjson_val *content, struct err *e)
{
    struct buf text = { 0 };
    size_t i, n;
    yyjson_val *part;
    enum err_code rc = ERR_OK;
    json_key(&w->o, STR("content"));
    if (!yyjson_is_arr(content)) {
        if (yyjson_is_str(content))
            json_string(&w->o, json_str(content));
        else
            json_null(&w->o);
        return ERR_OK;
    }
    yyjson_arr_foreach(content, i, n, part) {
        yyjson_val *t = yyjson_obj_get(part, "text");
        if (!yyjson_is_str(t))
            rc = err_set(e, ERR_UNSUPPORTED_INPUT, "a part of it is no text");
        if (i)
            buf_add_char(&text, '\n');
        buf_add(&text, json_str(t));
    }
    json_string(&w->o, buf_str(&text));
    buf_free(&text);
    return rc;
}

static enum err_code put_message(struct writing *w, yyjson_val *m, struct err *e)
{
    yyjson_val *of = yyjson_obj_get(m, "tool_call_id");
    json_begin_object(&w->o);
    json_key(&w->o, STR("role"));
    json_string(&w->o, json_str(yyjson_obj_get(m, "role")));
    enum err_code rc = put_content(w, yyjson_obj_get(m, "content"), e);
    put_calls(w, yyjson_obj_get(m, "tool_calls"));
    if (yyjson_is_str(of)) {
        json_key(&w->o, STR("tool_call_id"));
        put_id(w, json_str(of));
    }
    json_end_object(&w->o);
    return rc;
}

/* ---- settings ---- */

static void put_if(struct writing *w, yyjson_val *root, const char *name, const char *as)
{
    yyjson_val *v = yyjson_obj_get(root, name);
    if (!v || yyjson_is_null(v))
        return;
    json_key(&w->o, str_of(as));
    json_value(&w->o, v);
}

static void put_schema(struct writing *w, yyjson_val *root)
{
    struct schema_wish wish = { .kind = SCHEMA_WISH_NONE };
    struct err e;
    if (schema_wish_read(root, &wish, &e) || wish.kind == SCHEMA_WISH_NONE)
        return;
    json_key(&w->o, STR("form"));
    if (wish.schema && yyjson_is_obj(wish.schema))
        json_value(&w->o, wish.schema);
    else
        json_raw(&w->o, STR("{\"type\":\"object\"}"));
    json_key(&w->o, STR("strict"));
    json_bool(&w->o, wish.strict);
}

/* Under names of our own where the redaction passes a request's own over. */
static enum err_code write_all(const struct capture_from *from, yyjson_val *root, yyjson_val *answer, struct buf *out, struct err *e)
{
    struct writing w = { .o = json_out(out) };
    size_t i, n;
    yyjson_val *m;
    enum err_code rc = ERR_OK;
    json_begin_object(&w.o);
    json_key(&w.o, STR("messages"));
    json_begin_array(&w.o);
    yyjson_arr_foreach(yyjson_obj_get(root, "messages"), i, n, m)
        if (!rc)
            rc = put_message(&w, m, e);
    if (!rc)
        rc = put_message(&w, answer, e);
    json_end_array(&w.o);
    put_if(&w, root, "tools", "offered");
    put_if(&w, root, "tool_choice", "choice");
    put_schema(&w, root);
    put_if(&w, root, yyjson_obj_get(root, "max_tokens") ? "max_tokens" : "max_completion_tokens", "max_tokens");
    put_if(&w, root, "temperature", "temperature");
    put_if(&w, root, "top_p", "top_p");
    put_if(&w, root, "stop", "stop");
    if (from->thinking.n) {
        json_key(&w.o, STR("thought"));
        json_string(&w.o, from->thinking);
    }
    json_end_object(&w.o);
    return rc;
}

/* ---- the kept form, of what was looked through ---- */

static const struct {
    const char *name, *as;
} last_names[] = {
    { "offered", "tools" }, { "choice", "tool_choice" }, { "form", "schema" }, { "strict", "strict" }, { "max_tokens", "max_tokens" },
    { "temperature", "temperature" }, { "top_p", "top_p" }, { "stop", "stop" }, { "thought", "thinking" },
};

static void put_answer(struct json_out *o, yyjson_val *m)
{
    size_t i, n;
    yyjson_val *calls = yyjson_obj_get(m, "tool_calls"), *call;
    json_begin_object(o);
    json_key(o, STR("text"));
    json_string(o, json_str(yyjson_obj_get(m, "content")));
    if (calls) {
        json_key(o, STR("calls"));
        json_begin_array(o);
        yyjson_arr_foreach(calls, i, n, call) json_value(o, yyjson_obj_get(call, "function"));
        json_end_array(o);
    }
    json_end_object(o);
}

static void write_kept(yyjson_val *root, struct buf *out, int64_t *print)
{
    struct json_out o = json_out(out);
    yyjson_val *messages = yyjson_obj_get(root, "messages"), *m;
    size_t i, n, start = out->n;
    json_begin_object(&o);
    json_key(&o, STR("messages"));
    json_begin_array(&o);
    yyjson_arr_foreach(messages, i, n, m)
        if (i + 1 < n)
            json_value(&o, m);
    json_end_array(&o);
    for (i = 0; i < COUNTOF(last_names); i++) {
        yyjson_val *v = yyjson_obj_get(root, last_names[i].name);
        if (!v)
            continue;
        json_key(&o, str_of(last_names[i].as));
        json_value(&o, v);
    }
    *print = (int64_t)(str_hash(str_make(out->p + start, out->n - start)) >> 1); /* of what is kept, not of what it was made of: nobody shall try values against it */
    json_key(&o, STR("answer"));
    put_answer(&o, yyjson_arr_get_last(messages));
    json_end_object(&o);
}

/* ---- all of it ---- */

/* As the role has it, which is a part of what the model was asked. */
static enum err_code read_request(const struct capture_from *from, struct json_doc *d, struct buf *reworded, struct err *e)
{
    struct reword w = { .role = from->role };
    enum err_code rc = json_parse(d, from->request, e);
    if (rc || !w.role || !reword_changes(d, &w))
        return rc;
    reword_request(d, &w, reworded);
    json_free(d);
    return json_parse(d, buf_str(reworded), e);
}

static enum err_code look_through(const struct json_doc *request, const struct capture_from *from, struct buf *clean, struct err *e)
{
    struct buf plain = { 0 };
    struct json_doc answer = { 0 }, d = { 0 };
    enum err_code rc = json_parse(&answer, from->answer, e);
    if (!rc)
        rc = write_all(from, request->root, answer.root, &plain, e);
    if (!rc)
        rc = json_parse(&d, buf_str(&plain), e);
    if (!rc) {
        struct redaction *r = redaction_new();
        redact_request(r, &d, clean);
        redaction_free(r);
    }
    json_free(&d);
    json_free(&answer);
    wipe(plain.p, plain.n);
    buf_free(&plain);
    return rc;
}

enum err_code capture_make(const struct capture_from *from, struct buf *out, int64_t *print, struct err *e)
{
    struct json_doc request = { 0 }, d = { 0 };
    struct buf reworded = { 0 }, clean = { 0 };
    enum err_code rc = read_request(from, &request, &reworded, e);
    if (!rc)
        rc = look_through(&request, from, &clean, e);
    if (!rc)
        rc = json_parse(&d, buf_str(&clean), e);
    if (!rc && clean.n > CAPTURE_MAX_BYTES)
        rc = err_set(e, ERR_TOO_LARGE, "more than %d bytes", CAPTURE_MAX_BYTES);
    if (!rc)
        write_kept(d.root, out, print);
    json_free(&d);
    json_free(&request);
    wipe(reworded.p, reworded.n);
    buf_free(&reworded);
    buf_free(&clean);
    return rc;
}
