#include "policy/schema.h"

/* ---- what is asked for ---- */

static enum err_code refuse(const struct schema_wish *w, const char *what, struct err *e)
{
    err_set(e, ERR_SCHEMA_UNSUPPORTED, "The schema in '%s' %s.", w->field, what);
    err_hint(e, "A schema is an object such as {\"type\":\"object\",\"properties\":{…}}.");
    return err_param(e, "%s", w->field);
}

static enum err_code take_schema(yyjson_val *in, const char *key, struct schema_wish *w, struct err *e)
{
    yyjson_val *schema = yyjson_obj_get(in, key);
    w->kind = SCHEMA_WISH_SCHEMA;
    w->schema = schema;
    w->in = in;
    w->key = key;
    if (!schema || yyjson_is_null(schema))
        return refuse(w, "is missing", e);
    if (yyjson_is_false(schema))
        return refuse(w, "is `false`, which no answer fits", e);
    if (!yyjson_is_obj(schema) && !yyjson_is_true(schema))
        return refuse(w, "is neither an object nor `true`", e);
    return ERR_OK;
}

/* {"type":"json_schema","json_schema":{"schema":…}}; the inner object may be left out, as in Responses and by some engines. */
static enum err_code read_format(yyjson_val *format, struct schema_wish *w, struct err *e)
{
    yyjson_val *type = yyjson_obj_get(format, "type"), *inner = yyjson_obj_get(format, "json_schema");
    bool nested = yyjson_is_obj(inner);
    if (yyjson_equals_str(type, "json_object")) {
        w->kind = SCHEMA_WISH_OBJECT;
        return yyjson_is_obj(yyjson_obj_get(format, "schema")) ? take_schema(format, "schema", w, e) : ERR_OK;
    }
    if (!yyjson_equals_str(type, "json_schema"))
        return ERR_OK;
    w->usual = nested && w->usual;
    w->name = json_str(yyjson_obj_get(nested ? inner : format, "name"));
    w->strict = yyjson_is_true(yyjson_obj_get(nested ? inner : format, "strict"));
    return take_schema(nested ? inner : format, "schema", w, e);
}

/* "json", or a schema. */
static enum err_code read_ollama(yyjson_val *root, struct schema_wish *w, struct err *e)
{
    yyjson_val *format = yyjson_obj_get(root, "format");
    if (yyjson_equals_str(format, "json")) {
        w->kind = SCHEMA_WISH_OBJECT;
    } else if (yyjson_is_str(format) && yyjson_get_len(format)) {
        err_set(e, ERR_INVALID_REQUEST, "'format' must be \"json\" or a schema.");
        return err_param(e, "format");
    }
    return yyjson_is_obj(format) ? take_schema(root, "format", w, e) : ERR_OK;
}

enum err_code schema_wish_read(yyjson_val *root, struct schema_wish *w, struct err *e)
{
    yyjson_val *usual = yyjson_obj_get(root, "response_format"), *text = yyjson_obj_get(yyjson_obj_get(root, "text"), "format");
    *w = (struct schema_wish){ .field = "response_format", .usual = true };
    enum err_code rc = usual ? read_format(usual, w, e) : ERR_OK;
    if (rc || w->kind)
        return rc;
    *w = (struct schema_wish){ .field = "text.format" };
    rc = text ? read_format(text, w, e) : ERR_OK;
    if (rc || w->kind)
        return rc;
    *w = (struct schema_wish){ .field = "format" };
    return read_ollama(root, w, e);
}

bool schema_wish_names_one(yyjson_val *root)
{
    struct schema_wish w;
    return schema_wish_read(root, &w, NULL) || w.kind == SCHEMA_WISH_SCHEMA;
}

/* ---- to think first ---- */

/* What may stand beside `properties` without minding one more of them. */
static const char *const plain_words[] = {
    "type", "properties", "required", "additionalProperties", "title", "description", "$schema", "$defs", "definitions", "default", "examples", "$comment",
};

static bool is_plain_word(struct str name)
{
    for (size_t i = 0; i < COUNTOF(plain_words); i++)
        if (str_eq(name, str_of(plain_words[i])))
            return true;
    return false;
}

static bool is_plain_object(yyjson_val *schema)
{
    size_t i, n;
    yyjson_val *key, *v, *type = yyjson_obj_get(schema, "type");
    if (!yyjson_is_obj(yyjson_obj_get(schema, "properties")) || (type && !yyjson_equals_str(type, "object")))
        return false;
    yyjson_obj_foreach(schema, i, n, key, v) {
        if (!is_plain_word(json_str(key)))
            return false;
    }
    return true;
}

/* In it somewhere; a property of that name counts, too: then the wish is not met, which does no harm. */
static bool has_refs(yyjson_val *v, bool to_root_alone)
{
    static const char *const words[] = { "$ref", "$dynamicRef", "$recursiveRef", "$id", "$anchor" };
    size_t i, n;
    yyjson_val *key, *item;
    if (yyjson_is_arr(v)) {
        yyjson_arr_foreach(v, i, n, item) {
            if (has_refs(item, to_root_alone))
                return true;
        }
        return false;
    }
    yyjson_obj_foreach(v, i, n, key, item) {
        for (size_t k = 0; k < COUNTOF(words); k++)
            if (str_eq(json_str(key), str_of(words[k])) && (!to_root_alone || k || yyjson_equals_str(item, "#")))
                return true;
        if (has_refs(item, to_root_alone))
            return true;
    }
    return false;
}

static void pick_name(yyjson_val *properties, struct schema_reason *r)
{
    static const char *const names[] = { "reasoning", "reasoning_first", "hob_reasoning", "hob_reasoning_first" };
    size_t i = 0;
    while (i + 1 < COUNTOF(names) && yyjson_obj_get(properties, names[i]))
        i++;
    memcpy(r->name, names[i], strlen(names[i]) + 1);
}

/* Bounded: a small model would think until its budget is gone. */
static const char thoughts[] = "{\"type\":\"string\",\"description\":\"Think here first, in a few sentences.\",\"maxLength\":500}";

static void wrap_inside(const struct json_doc *d, const struct schema_reason *r, struct buf *out)
{
    struct json_member m;
    struct buf field = { 0 }, name = { 0 };
    yyjson_val *properties = yyjson_obj_get(d->root, "properties"), *required = yyjson_obj_get(d->root, "required");
    bool listed = json_find_member(d, d->root, STR("required"), &m);
    buf_printf(&field, "\"%s\":%s%s", r->name, thoughts, yyjson_obj_size(properties) ? "," : "");
    buf_printf(&name, listed ? "\"%s\"%s" : "\"required\":[\"%s\"]%s", r->name, !listed || yyjson_arr_size(required) ? "," : "");
    struct json_edit a = { json_object_inside(d, properties), 0, buf_str(&field) };
    struct json_edit b = { listed ? m.value.at + 1 : json_object_inside(d, d->root), 0, buf_str(&name) };
    struct json_edit edits[] = { a.at < b.at ? a : b, a.at < b.at ? b : a };
    json_splice(out, d->text, edits, COUNTOF(edits));
    buf_free(&field);
    buf_free(&name);
}

bool schema_reason_wrap(const struct json_doc *d, struct schema_reason *r, struct buf *out)
{
    *r = (struct schema_reason){ .around = !is_plain_object(d->root) };
    if (has_refs(d->root, !r->around))
        return false;
    pick_name(yyjson_obj_get(d->root, "properties"), r);
    if (!r->around) {
        wrap_inside(d, r, out);
        return true;
    }
    buf_printf(out, "{\"type\":\"object\",\"properties\":{\"%s\":%s,\"answer\":", r->name, thoughts);
    buf_add(out, d->text);
    buf_printf(out, "},\"required\":[\"%s\",\"answer\"],\"additionalProperties\":false}", r->name);
    return true;
}

void schema_reason_unwrap(const struct json_doc *d, const struct schema_reason *r, struct buf *out)
{
    struct json_member m;
    if (r->around && json_find_member(d, d->root, STR("answer"), &m)) {
        buf_add(out, str_make(d->text.p + m.value.at, m.value.end - m.value.at));
    } else if (!r->around && json_find_member(d, d->root, str_of(r->name), &m)) {
        struct json_edit cut = json_cut_member(d->text, &m);
        json_splice(out, d->text, &cut, 1);
    } else {
        buf_add(out, d->text);
    }
}

/* ---- what came ---- */

struct str schema_unfence(struct str text)
{
    static const struct str none = { NULL, 0 };
    struct str rest;
    text = str_trim(text);
    if (text.n < 7 || !str_starts(text, STR("```")) || !str_ends(text, STR("```")))
        return none;
    struct str word = str_cut(str_make(text.p + 3, text.n - 6), '\n', &rest);
    word = str_trim(word);
    if (!rest.p || word.n > 16 || str_find(rest, STR("```")) >= 0)
        return none;
    for (size_t i = 0; i < word.n; i++) /* the name of a language, or nothing */
        if (word.p[i] == '{' || word.p[i] == '[' || word.p[i] == '"')
            return none;
    return str_trim(rest);
}
