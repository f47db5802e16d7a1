/* GET /openapi.json: the public API as an OpenAPI 3.1 document, written from the tables. Request schemas say exactly what fields_check() lets pass,
 * so that a client made from them is never refused for its form, and one that breaks them always is. */
#include "api/reference.h"
#include "api/reference_int.h"
#include "http/http.h"

#include <stdio.h>

static void put_text(struct json_out *o, struct str key, const char *text)
{
    json_key(o, key);
    json_string(o, str_of(text));
}

static void begin(struct json_out *o, struct str key)
{
    json_key(o, key);
    json_begin_object(o);
}

static void put_ref(struct json_out *o, const char *kind, const char *name)
{
    char where[96];
    snprintf(where, sizeof where, "#/components/%s/%s", kind, name);
    put_text(o, STR("$ref"), where);
}

/* ---- requests ---- */

static const struct {
    unsigned bit;
    const char *name, *min, *max;
} types[] = {
    { FIELD_BOOL,   "boolean", NULL,        NULL },
    { FIELD_INT,    "integer", "minimum",   "maximum" },
    { FIELD_NUMBER, "number",  "minimum",   "maximum" },
    { FIELD_STRING, "string",  "minLength", "maxLength" },
    { FIELD_ARRAY,  "array",   "minItems",  "maxItems" },
    { FIELD_OBJECT, "object",  NULL,        NULL },
};

static void put_range(struct json_out *o, const struct field *f)
{
    if (f->min == 0 && f->max == 0)
        return;
    for (size_t i = 0; i < COUNTOF(types); i++) {
        if (!(f->types & types[i].bit) || !types[i].min)
            continue;
        json_key(o, str_of(types[i].min));
        json_double(o, f->min, 3);
        json_key(o, str_of(types[i].max));
        json_double(o, f->max, 3);
    }
}

/* Keywords of several types do not mind each other: each is for its own. */
static void put_types(struct json_out *o, unsigned of, bool required)
{
    json_key(o, STR("type"));
    json_begin_array(o);
    for (size_t i = 0; i < COUNTOF(types); i++)
        if (of & types[i].bit)
            json_string(o, str_of(types[i].name));
    if (!required)
        json_string(o, STR("null"));
    json_end_array(o);
}

static void put_words(struct json_out *o, const char *words, bool required)
{
    json_key(o, STR("enum"));
    json_begin_array(o);
    for (struct str left = str_of(words); left.n;)
        json_string(o, str_cut(left, ',', &left));
    if (!required)
        json_null(o);
    json_end_array(o);
}

/* One of some texts, or a value of another type. */
static void put_texts(struct json_out *o, const struct field *f)
{
    json_key(o, STR("anyOf"));
    json_begin_array(o);
    json_begin_object(o);
    put_text(o, STR("type"), "string");
    put_words(o, field_words(f), true);
    json_end_object(o);
    json_begin_object(o);
    put_types(o, f->types & ~(unsigned)FIELD_STRING, false);
    json_end_object(o);
    json_end_array(o);
}

static void put_field(struct json_out *o, const struct field *f, bool required)
{
    begin(o, str_of(f->name));
    put_text(o, STR("description"), f->what);
    const char *inside = field_inside(f);
    if (field_words(f)) {
        put_texts(o, f);
    } else {
        if (inside && inside[0] != '=')
            type_put_members(o, inside);
        else
            put_types(o, f->types, required);
        if (inside && inside[0] == '=')
            put_words(o, inside + 1, required);
        put_range(o, f);
    }
    put_text(o, STR("x-hob-engine"), field_child_word(f));
    json_end_object(o);
}

static void put_request(struct json_out *o, enum task task)
{
    const struct field *f;
    const char *name;
    put_text(o, STR("type"), "object");
    json_key(o, STR("required"));
    json_begin_array(o);
    for (size_t i = 0; (name = field_required(task, i)); i++)
        json_string(o, str_of(name));
    json_end_array(o);
    begin(o, STR("properties"));
    for (size_t i = 0; (f = field_at(i)); i++)
        if (f->tasks & 1u << task)
            put_field(o, f, field_is_required(f, task));
    json_end_object(o);
    json_key(o, STR("additionalProperties"));
    json_bool(o, true);
}

/* ---- answers ---- */

static void put_header_refs(struct json_out *o, unsigned on)
{
    const struct header_row *h;
    begin(o, STR("headers"));
    for (size_t i = 0; (h = header_at(i)); i++) {
        if (!(h->on & on))
            continue;
        begin(o, str_of(h->name));
        put_ref(o, "headers", h->name);
        json_end_object(o);
    }
    json_end_object(o);
}

static void put_json_body(struct json_out *o, const char *shape)
{
    begin(o, STR("application/json"));
    json_key(o, STR("schema"));
    type_put_schema(o, shape);
    json_end_object(o);
}

static void put_text_body(struct json_out *o, const char *media)
{
    begin(o, str_of(media));
    json_raw(o, STR("\"schema\":{\"type\":\"string\"}"));
    json_end_object(o);
}

/* OpenAPI 3.1 has no word for streams; what there is in use: the schema of one event, as an object of its fields. */
static void put_events(struct json_out *o, const char *shape)
{
    char data[64];
    snprintf(data, sizeof data, "%s | Error", shape);
    begin(o, STR("text/event-stream"));
    json_raw(o, STR("\"schema\":{\"type\":\"object\",\"required\":[\"data\"],\"properties\":{\"data\":{\"type\":\"string\","
                    "\"anyOf\":[{\"const\":\"[DONE]\"},{\"contentMediaType\":\"application/json\",\"contentSchema\":"));
    o->comma = false;
    type_put_schema(o, data);
    buf_lit(o->to, "}]}}}");
    json_end_object(o);
}

static void put_answer(struct json_out *o, const struct route *t)
{
    begin(o, STR("200"));
    put_text(o, STR("description"), t->event ? "The answer; with `stream: true` its events, each a JSON object, then `[DONE]`." : "The answer.");
    if (t->body != BODY_NONE)
        put_header_refs(o, ON_ANSWER);
    begin(o, STR("content"));
    if (strchr(t->answer, '/'))
        put_text_body(o, t->answer);
    else
        put_json_body(o, t->answer);
    if (t->event)
        put_events(o, t->event);
    json_end_object(o);
    json_end_object(o);
}

static void put_unready(struct json_out *o, const struct route *t)
{
    begin(o, STR("503"));
    put_text(o, STR("description"), "Not ready.");
    begin(o, STR("content"));
    put_json_body(o, t->unready);
    json_end_object(o);
    json_end_object(o);
}

/* The n-th code of the status in the group, each once; NULL past the last. */
static const char *code_of(int status, enum error_group group, size_t n)
{
    const char *last = "";
    for (unsigned c = 0; c < ERR_COUNT; c++) {
        const struct err_row *row = err_row((enum err_code)c);
        if (row->http != status || !error_is_of((enum err_code)c, group) || strcmp(row->code, last) == 0)
            continue; /* rows of one code are neighbours */
        last = row->code;
        if (n-- == 0)
            return last;
    }
    return NULL;
}

static const char *const group_names[] = { [ERRORS_ANY] = "Any", [ERRORS_KEY] = "Key", [ERRORS_ASK] = "Ask" };

static void put_error_ref(struct json_out *o, int status, enum error_group group)
{
    char name[32];
    snprintf(name, sizeof name, "%d", status);
    begin(o, str_of(name));
    snprintf(name, sizeof name, "%s%d", group_names[group], status);
    put_ref(o, "responses", name);
    json_end_object(o);
}

static void put_responses(struct json_out *o, const struct route *t)
{
    begin(o, STR("responses"));
    put_answer(o, t);
    if (t->unready)
        put_unready(o, t);
    for (int status = 400; status < 600; status++)
        if (code_of(status, route_errors(t), 0))
            put_error_ref(o, status, route_errors(t));
        else if (status == 404 && route_takes_name(t))
            put_error_ref(o, status, ERRORS_ASK);
    json_end_object(o);
}

/* The whole answer to a request that failed: the shape of all errors, with the codes that have this status. */
static void put_error(struct json_out *o, int status, enum error_group group)
{
    const char *code;
    char name[32];
    struct buf what = { 0 };
    snprintf(name, sizeof name, "%s%d", group_names[group], status);
    begin(o, str_of(name));
    buf_printf(&what, "%s:", http_reason(status));
    for (size_t i = 0; (code = code_of(status, group, i)); i++)
        buf_printf(&what, "%s `%s`", i ? "," : "", code);
    json_key(o, STR("description"));
    json_string(o, buf_str(&what));
    buf_free(&what);
    put_header_refs(o, ON_ERROR);
    json_raw(o, STR("\"content\":{\"application/json\":{\"schema\":{\"allOf\":[{\"$ref\":\"#/components/schemas/Error\"},{\"properties\":{\"error\":"
                    "{\"properties\":{\"code\":{\"enum\":["));
    o->comma = false;
    for (size_t i = 0; (code = code_of(status, group, i)); i++)
        json_string(o, str_of(code));
    buf_lit(o->to, "]}}}}}]}}}");
    json_end_object(o);
}

/* ---- the document ---- */

static void put_parameter(struct json_out *o)
{
    json_key(o, STR("parameters"));
    json_raw(o, STR("[{\"name\":\"id\",\"in\":\"path\",\"required\":true,\"description\":\"A name, percent-encoded where it must be.\","
                    "\"schema\":{\"type\":\"string\",\"minLength\":1}}]"));
}

static void put_operation(struct json_out *o, const struct route *t)
{
    bool get = strcmp(t->method, "GET") == 0;
    begin(o, get ? STR("get") : STR("post"));
    put_text(o, STR("operationId"), t->name);
    put_text(o, STR("summary"), t->what);
    if (route_takes_name(t))
        put_parameter(o);
    if (t->body != BODY_NONE) {
        begin(o, STR("requestBody"));
        json_key(o, STR("required"));
        json_bool(o, true);
        begin(o, STR("content"));
        begin(o, STR("application/json"));
        begin(o, STR("schema"));
        put_ref(o, "schemas", t->request);
        json_end_object(o);
        json_end_object(o);
        json_end_object(o);
        json_end_object(o);
    }
    put_responses(o, t);
    json_end_object(o);
}

static void put_paths(struct json_out *o)
{
    const struct route *t;
    begin(o, STR("paths"));
    for (size_t i = 0; (t = route_at(i)); i++) {
        char path[64];
        snprintf(path, sizeof path, "%s%s", t->path, route_takes_name(t) ? "{id}" : "");
        begin(o, str_of(path));
        put_operation(o, t);
        json_end_object(o);
    }
    json_end_object(o);
}

/* From the row of the shape itself to the end of its run. */
static void put_shape(struct json_out *o, size_t at)
{
    const struct member *shape = member_at(at), *m;
    begin(o, str_of(shape->shape));
    put_text(o, STR("description"), shape->what);
    put_text(o, STR("type"), "object");
    json_key(o, STR("required"));
    json_begin_array(o);
    for (size_t i = at + 1; (m = member_at(i)) && m->name; i++)
        if (m->always)
            json_string(o, str_of(m->name));
    json_end_array(o);
    begin(o, STR("properties"));
    for (size_t i = at + 1; (m = member_at(i)) && m->name; i++) {
        json_key(o, str_of(m->name));
        type_put_schema(o, m->type);
    }
    json_end_object(o);
    if (shape->type[0])
        json_raw(o, str_of(shape->type));
    json_end_object(o);
}

static void put_schemas(struct json_out *o)
{
    const struct route *t;
    const struct member *m;
    begin(o, STR("schemas"));
    for (size_t i = 0; (t = route_at(i)); i++) {
        if (t->body == BODY_NONE)
            continue;
        begin(o, str_of(t->request));
        put_request(o, route_task(t));
        json_end_object(o);
    }
    for (size_t i = 0; (m = member_at(i)); i++)
        if (!m->name)
            put_shape(o, i);
    json_end_object(o);
}

static void put_headers(struct json_out *o)
{
    const struct header_row *h;
    begin(o, STR("headers"));
    for (size_t i = 0; (h = header_at(i)); i++) {
        begin(o, str_of(h->name));
        put_text(o, STR("description"), h->what);
        json_key(o, STR("required"));
        json_bool(o, h->always);
        json_key(o, STR("schema"));
        type_put_schema(o, h->type);
        json_end_object(o);
    }
    json_end_object(o);
}

static void put_errors(struct json_out *o)
{
    begin(o, STR("responses"));
    for (int status = 400; status < 600; status++)
        for (enum error_group g = ERRORS_ANY; g <= ERRORS_ASK; g++)
            if (code_of(status, g, 0))
                put_error(o, status, g);
    json_end_object(o);
}

void reference_put_openapi(struct buf *to)
{
    struct json_out out = json_out(to), *o = &out;
    json_begin_object(o);
    put_text(o, STR("openapi"), "3.1.0");
    put_text(o, STR("jsonSchemaDialect"), "https://json-schema.org/draft/2020-12/schema");
    begin(o, STR("info"));
    put_text(o, STR("title"), "hob");
    put_text(o, STR("version"), HOB_VERSION);
    put_text(o, STR("description"), "One door to many models. HEAD works wherever GET does. JSON is read strictly: no key twice, no depth over 64. "
        "Where the operator has set keys, one goes into `Authorization: Bearer` or `x-api-key`.");
    json_key(o, STR("license"));
    json_raw(o, STR("{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}"));
    json_end_object(o);
    json_key(o, STR("servers"));
    json_raw(o, STR("[{\"url\":\"/\"}]"));
    put_paths(o);
    begin(o, STR("components"));
    put_schemas(o);
    put_headers(o);
    put_errors(o);
    json_end_object(o);
    json_end_object(o);
}

void api_openapi(struct api *a, struct http_req *r)
{
    struct buf body = { 0 };
    reference_put_openapi(&body);
    reply_json(r, 200, STR(""), buf_str(&body));
    buf_free(&body);
}
