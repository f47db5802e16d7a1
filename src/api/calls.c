/* Which call a piece belongs to. The number says it, unless a piece of another id brings a name: then it is another call (some number all of them 0).
 * Another id alone is not (some make a new one for each piece). */
#include "api/calls.h"

#include <stdio.h>
#include <stdlib.h>

struct call {
    int64_t number;         /* the place's; -1 = it gives none */
    uint64_t id, name;      /* hashes; 0 = none yet */
};

void calls_free(struct calls *c)
{
    free(c->at);
    *c = (struct calls){ .n = 0 };
}

static uint64_t hash(struct str s)
{
    return s.n ? str_hash(s) | 1 : 0;
}

/* The last one with that number: those before it have ended. -1: none. */
static ptrdiff_t find_number(const struct calls *c, int64_t number)
{
    for (size_t i = c->n; i > 0; i--)
        if (c->at[i - 1].number == number || number < 0)
            return (ptrdiff_t)i - 1;
    return -1;
}

static ptrdiff_t find_id(const struct calls *c, int64_t number, uint64_t id)
{
    for (size_t i = c->n; id && i > 0; i--)
        if (c->at[i - 1].id == id && (number < 0 || c->at[i - 1].number == number))
            return (ptrdiff_t)i - 1;
    return -1;
}

static bool is_another(const struct call *has, uint64_t id, uint64_t name)
{
    if (!name || !has->name)
        return false;
    return id && has->id ? id != has->id : name != has->name;
}

static ptrdiff_t find_call(const struct calls *c, int64_t number, uint64_t id, uint64_t name)
{
    ptrdiff_t i = find_id(c, number, id);
    if (i < 0)
        i = find_number(c, number);
    return i >= 0 && is_another(&c->at[i], id, name) ? -1 : i;
}

static struct call *add_call(struct calls *c, int64_t number)
{
    if (c->n == c->room) {
        c->room = c->room ? 2 * c->room : 4;
        c->at = realloc(c->at, c->room * sizeof *c->at);
        if (!c->at)
            die("out of memory for tool calls");
    }
    c->at[c->n] = (struct call){ .number = number };
    return &c->at[c->n++];
}

/* What a piece holds, read once. */
struct said {
    yyjson_val *index, *id, *type, *function, *name, *arguments;
};

static bool is(yyjson_val *key, const char *what)
{
    return memcmp(json_name(key).p, what, json_name(key).n) == 0;
}

/* One of that name and length: the first counts. */
static void keep(yyjson_val **slot, yyjson_val *key, const char *name, yyjson_val *v)
{
    if (!*slot && is(key, name))
        *slot = v;
}

static void read_function(struct said *s)
{
    size_t i, n;
    yyjson_val *key, *v;
    if (!yyjson_is_obj(s->function))
        return;
    yyjson_obj_foreach(s->function, i, n, key, v) {
        if (yyjson_get_len(key) == sizeof "arguments" - 1)
            keep(&s->arguments, key, "arguments", v);
        else if (yyjson_get_len(key) == sizeof "name" - 1)
            keep(&s->name, key, "name", v);
    }
}

static struct said read_said(yyjson_val *call)
{
    struct said s = { .index = NULL };
    size_t i, n;
    yyjson_val *key, *v;
    if (!yyjson_is_obj(call))
        return s;
    yyjson_obj_foreach(call, i, n, key, v) {
        switch (yyjson_get_len(key)) {
        case sizeof "id" - 1:
            keep(&s.id, key, "id", v);
            break;
        case sizeof "type" - 1:
            keep(&s.type, key, "type", v);
            break;
        case sizeof "index" - 1:
            keep(&s.index, key, "index", v);
            break;
        case sizeof "function" - 1:
            keep(&s.function, key, "function", v);
            break;
        default:
            break;
        }
    }
    read_function(&s);
    return s;
}

static int64_t number_of(const struct said *s)
{
    if (yyjson_is_uint(s->index))
        return yyjson_get_uint(s->index) > INT32_MAX ? INT32_MAX : (int64_t)yyjson_get_uint(s->index);
    return -1;
}

static bool says_function(yyjson_val *type)
{
    return str_eq(json_str(type), STR("function"));
}

/* Others than functions have a member of their own kind ("custom"), and pass. */
static bool is_function(const struct said *s)
{
    return yyjson_is_obj(s->function) || says_function(s->type) || !json_str(s->type).n;
}

static struct str id_or_made(struct str id, struct str request, size_t at, char *made, size_t room)
{
    if (id.n)
        return id;
    snprintf(made, room, "call_%.*s_%zu", (int)(request.n < 64 ? request.n : 64), request.n ? request.p : "", at);
    return str_of(made);
}

/* A call's first piece has all of its head; any other has only arguments, if that. */
static bool is_in_order(const struct said *s, const struct call_piece *p)
{
    bool numbered = yyjson_is_uint(s->index) && yyjson_get_uint(s->index) == p->index, texts = !s->function || yyjson_is_str(s->arguments);
    if (!is_function(s))
        return numbered;
    return numbered && texts && (p->names ? json_str(s->id).n && says_function(s->type) : !s->id && !s->type && !s->name);
}

/* What the piece says anew, and whether that is all it says. */
static void read_piece(struct call *call, const struct said *s, struct str request, struct call_piece *p)
{
    p->arguments = s->arguments;
    p->name = json_str(s->name);
    p->names = p->name.n && !call->name;
    if (!call->id)
        call->id = hash(json_str(s->id));
    if (p->names) {
        call->name = hash(p->name);
        p->id = id_or_made(json_str(s->id), request, p->index, p->made, sizeof p->made);
    }
    p->in_order = is_in_order(s, p);
}

enum err_code calls_take(struct calls *c, yyjson_val *v, struct str request, struct call_piece *p, struct err *e)
{
    struct said s = read_said(v);
    int64_t number = number_of(&s);
    uint64_t id = hash(json_str(s.id)), name = hash(json_str(s.name));
    ptrdiff_t i = find_call(c, number, id, name);
    bool skips = i < 0 && !id && !name && number > (int64_t)c->n;
    if (skips || (i < 0 && c->n == CALLS_MAX))
        return err_set(e, ERR_UP_GARBLED, "it sent tool call %lld after %zu", (long long)number, c->n);
    struct call *call = i < 0 ? add_call(c, number) : &c->at[i];
    p->index = (size_t)(call - c->at);
    read_piece(call, &s, request, p);
    c->named += p->names;
    return ERR_OK;
}

void calls_put_arguments(struct json_out *o, yyjson_val *arguments)
{
    if (!arguments || yyjson_is_null(arguments) || yyjson_is_str(arguments)) {
        json_string(o, json_str(arguments));
        return;
    }
    struct buf text = { 0 };
    struct json_out inner = json_out(&text);
    json_value(&inner, arguments);
    json_string(o, buf_str(&text));
    buf_free(&text);
}

static bool is_one_of(struct str key, const char *const *names)
{
    while (*names && !str_eq(key, str_of(*names)))
        names++;
    return *names != NULL;
}

static void put_others(struct json_out *o, yyjson_val *obj, const char *const *but)
{
    size_t i, n;
    yyjson_val *key, *v;
    yyjson_obj_foreach(obj, i, n, key, v) {
        if (is_one_of(json_str(key), but))
            continue;
        json_key(o, json_str(key));
        json_value(o, v);
    }
}

static void put_head(struct json_out *o, struct str id)
{
    json_key(o, STR("id"));
    json_string(o, id);
    json_key(o, STR("type"));
    json_string(o, STR("function"));
}

static const char *const call_names[] = { "index", "id", "type", "function", NULL };
static const char *const function_names[] = { "name", "arguments", NULL };

void calls_put_piece(struct json_out *o, yyjson_val *v, const struct call_piece *p)
{
    struct said s = read_said(v);
    yyjson_val *function = s.function;
    bool says = p->arguments && !yyjson_is_null(p->arguments);
    json_begin_object(o);
    json_key(o, STR("index"));
    json_int(o, (int64_t)p->index);
    if (!is_function(&s)) {
        static const char *const number[] = { "index", NULL };
        put_others(o, v, number);
        json_end_object(o);
        return;
    }
    if (p->names)
        put_head(o, p->id);
    if (function) {
        json_key(o, STR("function"));
        json_begin_object(o);
        if (p->names) {
            json_key(o, STR("name"));
            json_string(o, p->name);
        }
        if (p->names || says) {
            json_key(o, STR("arguments"));
            calls_put_arguments(o, p->arguments);
        }
        put_others(o, function, function_names);
        json_end_object(o);
    }
    put_others(o, v, call_names);
    json_end_object(o);
}

bool calls_in_order(yyjson_val *v)
{
    yyjson_val *function = yyjson_obj_get(v, "function");
    if (!yyjson_is_obj(function))
        return true;
    return json_str(yyjson_obj_get(v, "id")).n > 0 && says_function(yyjson_obj_get(v, "type")) && yyjson_is_str(yyjson_obj_get(function, "arguments"));
}

void calls_put_whole(struct json_out *o, yyjson_val *v, struct str request, size_t at)
{
    static const char *const whole_names[] = { "id", "type", "function", NULL };
    char made[96];
    yyjson_val *function = yyjson_obj_get(v, "function");
    if (calls_in_order(v)) {
        json_value(o, v);
        return;
    }
    json_begin_object(o);
    put_head(o, id_or_made(json_str(yyjson_obj_get(v, "id")), request, at, made, sizeof made));
    json_key(o, STR("function"));
    json_begin_object(o);
    json_key(o, STR("name"));
    json_string(o, json_str(yyjson_obj_get(function, "name")));
    json_key(o, STR("arguments"));
    calls_put_arguments(o, yyjson_obj_get(function, "arguments"));
    put_others(o, function, function_names);
    json_end_object(o);
    put_others(o, v, whole_names);
    json_end_object(o);
}
