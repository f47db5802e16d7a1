/* A conversation as the Messages API has it: what the system says stands apart, the rest is turns of the user and the assistant, each a list of blocks.
 * What tools answered is part of the user's turn. Neighbours with the same role become one turn; who has nothing to say has none. */
#include "backend/dialect_anthropic.h"

struct turns {
    const struct dialect_ask *a;
    struct json_out *o;
    const char *open;             /* whose turn is being written; NULL = nobody's */
    size_t i;                     /* the message at hand */
    struct err *e;
};

static const char user[] = "user", assistant[] = "assistant";

static void put_string(struct json_out *o, struct str key, struct str text)
{
    json_key(o, key);
    json_string(o, text);
}

static void end_turn(struct turns *t)
{
    if (!t->open)
        return;
    json_end_array(t->o);
    json_end_object(t->o);
    t->open = NULL;
}

static void begin_block(struct json_out *o, const char *type)
{
    json_begin_object(o);
    put_string(o, STR("type"), str_of(type));
}

static void enter_turn(struct turns *t, const char *role)
{
    if (t->open == role)
        return;
    end_turn(t);
    json_begin_object(t->o);
    put_string(t->o, STR("role"), str_of(role));
    json_key(t->o, STR("content"));
    json_begin_array(t->o);
    t->open = role;
}

/* ---- blocks ---- */

/* Callers who know where they talk to mark what is worth keeping. */
static void put_cache_mark(struct json_out *o, yyjson_val *part)
{
    yyjson_val *mark = yyjson_obj_get(part, "cache_control");
    if (!yyjson_is_obj(mark))
        return;
    json_key(o, STR("cache_control"));
    json_value(o, mark);
}

/* The API refuses empty ones. */
static void put_text(struct json_out *o, struct str text, yyjson_val *part)
{
    if (!text.n)
        return;
    begin_block(o, "text");
    put_string(o, STR("text"), text);
    put_cache_mark(o, part);
    json_end_object(o);
}

static void put_data_source(struct json_out *o, const struct dialect_part *p)
{
    put_string(o, STR("type"), STR("base64"));
    put_string(o, STR("media_type"), p->media);
    put_string(o, STR("data"), p->base64);
}

static void put_source(struct json_out *o, const struct dialect_part *p)
{
    json_key(o, STR("source"));
    json_begin_object(o);
    if (p->base64.n) {
        put_data_source(o, p);
    } else {
        put_string(o, STR("type"), STR("url"));
        put_string(o, STR("url"), p->url);
    }
    json_end_object(o);
}

static bool is_address(struct str url)
{
    return str_starts(url, STR("https://")) || str_starts(url, STR("http://"));
}

static bool is_known_image(const struct dialect_part *p)
{
    static const struct str types[] = { STR("image/jpeg"), STR("image/png"), STR("image/gif"), STR("image/webp") };
    for (size_t i = 0; i < COUNTOF(types); i++)
        if (str_eq_nocase(p->media, types[i]))
            return p->base64.n > 0;
    return false;
}

/* Why a part cannot be said there; NULL when it can. */
static const char *objection(const struct dialect_part *p)
{
    switch (p->kind) {
    case PART_TEXT:
        return NULL;
    case PART_IMAGE:
        return is_known_image(p) || is_address(p->url) ? NULL : "must be an https address, or a data: URL of a JPEG, PNG, GIF or WebP image in base64";
    case PART_FILE:
        return str_eq_nocase(p->media, STR("application/pdf")) && p->base64.n ? NULL : "must be a PDF, as 'file_data' with a data: URL in base64";
    case PART_OTHER:
        break;
    }
    return "is of a kind that this place does not take";
}

static void put_part(struct json_out *o, const struct dialect_part *p)
{
    if (p->kind == PART_TEXT) {
        put_text(o, p->text, p->v);
        return;
    }
    begin_block(o, p->kind == PART_IMAGE ? "image" : "document");
    put_source(o, p);
    if (p->kind == PART_FILE && p->title.n)
        put_string(o, STR("title"), p->title);
    put_cache_mark(o, p->v);
    json_end_object(o);
}

/* role NULL: blocks of a list that is open already. */
static enum err_code put_parts(struct turns *t, yyjson_val *parts, const char *role)
{
    size_t k, n;
    yyjson_val *v;
    yyjson_arr_foreach(parts, k, n, v) {
        struct dialect_part p = dialect_read_part(t->a, v);
        const char *why = objection(&p);
        if (why)
            return dialect_bad_part(&p, t->i, k, why, t->e);
        if (role && (p.kind != PART_TEXT || p.text.n))
            enter_turn(t, role);
        put_part(t->o, &p);
    }
    return ERR_OK;
}

static enum err_code put_content(struct turns *t, yyjson_val *m, const char *role)
{
    yyjson_val *content = yyjson_obj_get(m, "content");
    if (yyjson_is_arr(content))
        return put_parts(t, content, role);
    struct str text = dialect_text(t->a, m, "content");
    if (text.n && role)
        enter_turn(t, role);
    put_text(t->o, text, NULL);
    return ERR_OK;
}

/* ---- messages ---- */

/* The API takes letters, digits, - and _ only. A call and its result change alike. */
static void put_id(struct turns *t, struct str key, struct str id)
{
    struct str own = arena_copy(t->a->arena, id);
    char *p = (char *)(uintptr_t)own.p;
    for (size_t i = 0; i < own.n; i++) {
        bool fine = (p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z') || (p[i] >= '0' && p[i] <= '9') || p[i] == '-' || p[i] == '_';
        if (!fine)
            p[i] = '_';
    }
    put_string(t->o, key, own);
}

static enum err_code put_call(struct turns *t, yyjson_val *call, size_t k)
{
    struct str arguments;
    enum err_code rc = dialect_arguments(t->a, call, t->i, k, &arguments, t->e);
    if (rc)
        return rc;
    enter_turn(t, assistant);
    begin_block(t->o, "tool_use");
    put_id(t, STR("id"), json_str(yyjson_obj_get(call, "id")));
    put_string(t->o, STR("name"), json_str(yyjson_obj_get(yyjson_obj_get(call, "function"), "name")));
    json_key(t->o, STR("input"));
    json_raw(t->o, arguments);
    json_end_object(t->o);
    return ERR_OK;
}

/* What it thought then is not said again: its signature was not kept. */
static enum err_code put_assistant(struct turns *t, yyjson_val *m)
{
    size_t k, n;
    yyjson_val *call;
    enum err_code rc = put_content(t, m, assistant);
    yyjson_arr_foreach(yyjson_obj_get(m, "tool_calls"), k, n, call) {
        if (!rc)
            rc = put_call(t, call, k);
    }
    return rc;
}

static enum err_code put_tool_result(struct turns *t, yyjson_val *m)
{
    yyjson_val *content = yyjson_obj_get(m, "content");
    enter_turn(t, user);
    begin_block(t->o, "tool_result");
    put_id(t, STR("tool_use_id"), json_str(yyjson_obj_get(m, "tool_call_id")));
    json_key(t->o, STR("content"));
    enum err_code rc = ERR_OK;
    if (yyjson_is_arr(content)) {
        json_begin_array(t->o);
        rc = put_parts(t, content, NULL);
        json_end_array(t->o);
    } else {
        json_string(t->o, dialect_text(t->a, m, "content"));
    }
    json_end_object(t->o);
    return rc;
}

static bool is_system(yyjson_val *m)
{
    struct str role = json_str(yyjson_obj_get(m, "role"));
    return str_eq(role, STR("system")) || str_eq(role, STR("developer"));
}

static enum err_code put_message(struct turns *t, yyjson_val *m)
{
    struct str role = json_str(yyjson_obj_get(m, "role"));
    if (str_eq(role, STR("assistant")))
        return put_assistant(t, m);
    return str_eq(role, STR("tool")) ? put_tool_result(t, m) : put_content(t, m, user);
}

/* Which messages are the system's: where there are no others it is the user who speaks, for the API wants to hear one. */
static size_t count_system(yyjson_val *messages)
{
    size_t i, n, found = 0;
    yyjson_val *m;
    yyjson_arr_foreach(messages, i, n, m) found += is_system(m);
    return found < yyjson_arr_size(messages) ? found : 0;
}

static enum err_code put_system(struct turns *t, yyjson_val *messages)
{
    enum err_code rc = ERR_OK;
    yyjson_val *m;
    size_t n;
    json_key(t->o, STR("system"));
    json_begin_array(t->o);
    yyjson_arr_foreach(messages, t->i, n, m) {
        if (!rc && is_system(m))
            rc = put_content(t, m, NULL);
    }
    json_end_array(t->o);
    return rc;
}

enum err_code anthropic_put_messages(const struct dialect_ask *a, struct json_out *o, struct err *e)
{
    yyjson_val *messages = yyjson_obj_get(a->d->root, "messages"), *m;
    struct turns t = { .a = a, .o = o, .e = e };
    size_t n, system = count_system(messages);
    enum err_code rc = system ? put_system(&t, messages) : ERR_OK;
    json_key(o, STR("messages"));
    json_begin_array(o);
    yyjson_arr_foreach(messages, t.i, n, m) {
        if (!rc && !(system && is_system(m)))
            rc = put_message(&t, m);
    }
    end_turn(&t);
    json_end_array(o);
    return rc;
}
