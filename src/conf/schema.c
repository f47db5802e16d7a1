/* JSON Schema (2020-12) of the file, for editors and for people: every key with type, default, unit and a sentence. A reference ${…} may
 * stand for any value. An editor types scalars as YAML does, so it wants quotes where we need none: `name: 12` is a number to it. */
#include "conf/conf.h"
#include "conf/conf_int.h"
#include "json/json.h"

#define ORIGIN_PATTERN "^[A-Za-z][A-Za-z0-9+.-]*://[^/]+$|\\$\\{"
#define WEB_PATTERN "^https?://|\\$\\{"
#define NAME_PATTERN "^[A-Za-z0-9._:/-]{1,128}$"

static void member(struct json_out *o, const char *key, const char *value)
{
    json_key(o, str_of(key));
    json_string(o, str_of(value));
}

static void words(struct json_out *o, const struct setting *s)
{
    json_key(o, STR("enum"));
    json_begin_array(o);
    for (const struct word *w = s->words; w->name; w++)
        json_string(o, str_of(w->name));
    json_end_array(o);
}

/* `{…}` that is one of the ways to write a value. */
static void pattern(struct json_out *o, const char *regex)
{
    json_begin_object(o);
    member(o, "type", "string");
    member(o, "pattern", regex);
    json_end_object(o);
}

static void constant(struct json_out *o, const char *text)
{
    json_begin_object(o);
    member(o, "const", text);
    json_end_object(o);
}

static void integer(struct json_out *o, const struct setting *s)
{
    json_begin_object(o);
    member(o, "type", "integer");
    json_key(o, STR("minimum"));
    json_int(o, s->min);
    json_key(o, STR("maximum"));
    json_int(o, s->max);
    json_end_object(o);
}

static void real(struct json_out *o, int64_t min, int64_t max)
{
    json_begin_object(o);
    member(o, "type", "number");
    json_key(o, STR("minimum"));
    json_int(o, min);
    json_key(o, STR("maximum"));
    json_int(o, max);
    json_end_object(o);
}

static void any_text(struct json_out *o)
{
    json_begin_object(o);
    member(o, "type", "string");
    json_end_object(o);
}

static void bools(struct json_out *o)
{
    json_begin_object(o);
    member(o, "type", "boolean");
    json_end_object(o);
    json_begin_object(o);
    json_key(o, STR("enum"));
    json_begin_array(o);
    static const char *const names[] = { "on", "off", "yes", "no" }; /* plain `on` is text for YAML 1.2 readers */
    for (size_t i = 0; i < COUNTOF(names); i++)
        json_string(o, str_of(names[i]));
    json_end_array(o);
    json_end_object(o);
}

static void word_values(struct json_out *o, const struct setting *s)
{
    json_begin_object(o);
    words(o, s);
    json_end_object(o);
}

static void list_values(struct json_out *o, const struct setting *s)
{
    json_begin_object(o);
    member(o, "type", "array");
    if (s->max) {
        json_key(o, STR("maxItems"));
        json_int(o, s->max);
    }
    json_key(o, STR("items"));
    json_begin_object(o);
    if (s->words) {
        json_key(o, STR("anyOf"));
        json_begin_array(o);
        word_values(o, s);
        json_begin_object(o);
        member(o, "$ref", "#/$defs/reference");
        json_end_object(o);
        json_end_array(o);
    } else {
        member(o, "type", "string");
        if (s->type == SET_WEBS)
            member(o, "pattern", WEB_PATTERN);
        if (s->type == SET_ORIGINS)
            member(o, "pattern", ORIGIN_PATTERN);
    }
    json_end_object(o);
    json_end_object(o);
}

/* The ways to write a value of this type, as members of an anyOf. */
static void ways(struct json_out *o, const struct setting *s)
{
    switch (s->type) {
    case SET_BOOL:
        bools(o);
        break;
    case SET_COUNT:
        integer(o, s);
        pattern(o, "^[0-9]+$");
        break;
    case SET_TOKENS:
        integer(o, s);
        pattern(o, "^[0-9]+ ?[kKM]?$");
        break;
    case SET_BYTES:
        integer(o, s);
        pattern(o, "^[0-9]+ ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?$");
        break;
    case SET_MS:
        pattern(o, "^[0-9]+ ?(ms|s|m|h|d)$");
        break;
    case SET_NUMBER:
        real(o, s->min, s->max);
        pattern(o, "^-?[0-9]+(\\.[0-9]+)?$");
        break;
    case SET_MAYBE:
        real(o, s->min, s->max);
        pattern(o, "^-?[0-9]+(\\.[0-9]+)?$");
        break;
    case SET_MAYBE_INT:
        integer(o, s);
        pattern(o, "^-?[0-9]+$");
        break;
    case SET_SHARE:
        real(o, 0, 1);
        pattern(o, "^[0-9]+(\\.[0-9]+)?%?$");
        break;
    case SET_DATE:
        pattern(o, "^[0-9]{4}-[0-9]{2}-[0-9]{2}$");
        break;
    case SET_RANGE:
        any_text(o);
        break;
    case SET_PROXY:
        pattern(o, "^(socks5h?|http)://");
        break;
    case SET_THINKING:
        word_values(o, s);
        pattern(o, "^budget [0-9]+ ?[kKM]?$");
        break;
    case SET_WORD:
    case SET_CHOICE:
        word_values(o, s);
        break;
    case SET_TEXT:
    case SET_PROSE:
    case SET_PROSE_FILE:
    case SET_NAME:
    case SET_FOLDER:
    case SET_WEIGHTS:
    case SET_PROGRAM:
    case SET_COMMAND:
    case SET_SECRET:
        any_text(o);
        break;
    case SET_LISTEN:
        pattern(o, ":[0-9]{1,5}$");
        break;
    case SET_URL:
        pattern(o, "^https?://");
        break;
    case SET_WEB:
        pattern(o, "^https?://");
        break;
    case SET_SHA256:
        pattern(o, "^[0-9a-fA-F]{64}$");
        break;
    case SET_FLAGS:
        word_values(o, s);
        list_values(o, s);
        break;
    case SET_NAMES:
    case SET_PROSES:
    case SET_HOSTNAMES:
    case SET_PATHS:
        any_text(o);
        list_values(o, s);
        break;
    case SET_WEBS:
        pattern(o, "^https?://");
        list_values(o, s);
        break;
    case SET_ORIGINS:
        pattern(o, "^[A-Za-z][A-Za-z0-9+.-]*://[^/]+$");
        list_values(o, s);
        break;
    case SET_ARGS:
        list_values(o, s);
        break;
    case SET_TYPES:
        break;
    }
    if (s->zero)
        constant(o, s->zero);
    json_begin_object(o);
    member(o, "$ref", "#/$defs/reference");
    json_end_object(o);
}

static void put_default(struct json_out *o, const struct setting *s)
{
    int64_t number;
    if (!s->def)
        return;
    json_key(o, STR("default"));
    if (s->type == SET_BOOL)
        json_bool(o, strcmp(s->def, "on") == 0);
    else if (s->type == SET_NUMBER && !(s->zero && strcmp(s->def, s->zero) == 0))
        json_raw(o, str_of(s->def)); /* a default is written as JSON would have it */
    else if ((s->type == SET_COUNT || s->type == SET_TOKENS) && str_to_int(str_of(s->def), 0, INT64_MAX, &number))
        json_int(o, number);
    else if (setting_is_list(s)) {
        struct str rest = str_of(s->def);
        json_begin_array(o);
        while (rest.n)
            json_string(o, str_cut(rest, ' ', &rest));
        json_end_array(o);
    } else
        json_string(o, str_of(s->def));
}

static void setting_members(struct json_out *o, const struct setting *s)
{
    member(o, "description", s->doc);
    put_default(o, s);
    json_key(o, STR("anyOf"));
    json_begin_array(o);
    ways(o, s);
    json_end_array(o);
}

static void group_members(struct json_out *o, struct str path, const struct group *g);

/* What stands behind a key: a setting, a group, or either. */
static void child_schema(struct json_out *o, const struct child *c)
{
    size_t cursor = 0;
    struct child inside;
    bool has_keys = child_next(c->path, &cursor, &inside);
    json_begin_object(o);
    if (c->setting && has_keys) {
        member(o, "description", c->group->doc);
        json_key(o, STR("anyOf"));
        json_begin_array(o);
        json_begin_object(o);
        setting_members(o, c->setting);
        json_end_object(o);
        json_begin_object(o);
        group_members(o, c->path, NULL);
        json_end_object(o);
        json_end_array(o);
    } else if (c->setting) {
        setting_members(o, c->setting);
    } else {
        group_members(o, c->path, c->group);
    }
    json_end_object(o);
}

static void required_keys(struct json_out *o, struct str path)
{
    size_t cursor = 0, n = 0;
    struct child c;
    while (child_next(path, &cursor, &c))
        n += c.setting && c.setting->required && !str_eq(c.name, STR("*"));
    if (!n)
        return;
    json_key(o, STR("required"));
    json_begin_array(o);
    for (cursor = 0; child_next(path, &cursor, &c);)
        if (c.setting && c.setting->required)
            json_string(o, c.name);
    json_end_array(o);
}

static void one_of(struct json_out *o, const struct group *g)
{
    if (!g || !g->one_of[0])
        return;
    json_key(o, STR("oneOf"));
    json_begin_array(o);
    for (size_t i = 0; i < COUNTOF(g->one_of); i++) {
        json_begin_object(o);
        json_key(o, STR("required"));
        json_begin_array(o);
        json_string(o, str_of(g->one_of[i]));
        json_end_array(o);
        json_end_object(o);
    }
    json_end_array(o);
}

static void list_members(struct json_out *o, const struct child *item)
{
    json_key(o, STR("type"));
    json_begin_array(o);
    json_string(o, STR("array"));
    json_string(o, STR("null"));
    json_end_array(o);
    json_key(o, STR("items"));
    json_begin_object(o);
    group_members(o, item->path, item->group);
    json_end_object(o);
}

static void group_members(struct json_out *o, struct str path, const struct group *g)
{
    size_t cursor = 0;
    struct child c;
    if (g)
        member(o, "description", g->doc);
    if (child_next(path, &cursor, &c) && str_eq(c.name, STR("[]"))) {
        list_members(o, &c);
        return;
    }
    cursor = 0;
    json_key(o, STR("type"));
    json_begin_array(o); /* `models:` with nothing behind it is an empty map */
    json_string(o, STR("object"));
    json_string(o, STR("null"));
    json_end_array(o);
    bool any = child_next(path, &cursor, &c) && str_eq(c.name, STR("*"));
    json_key(o, any ? STR("patternProperties") : STR("properties"));
    json_begin_object(o);
    for (cursor = 0; child_next(path, &cursor, &c);) {
        json_key(o, any ? STR(NAME_PATTERN) : c.name);
        child_schema(o, &c);
    }
    json_end_object(o);
    json_key(o, STR("additionalProperties"));
    json_bool(o, false);
    required_keys(o, path);
    one_of(o, g);
}

void conf_schema(struct buf *out)
{
    struct json_out o = json_out(out);
    json_begin_object(&o);
    member(&o, "$schema", "https://json-schema.org/draft/2020-12/schema");
    member(&o, "title", "hob.yaml");
    group_members(&o, (struct str){ "", 0 }, NULL);
    json_key(&o, STR("$defs"));
    json_begin_object(&o);
    json_key(&o, STR("reference"));
    json_begin_object(&o);
    member(&o, "description", "A value out of the environment or a file (relative to this one), possibly within other text.");
    member(&o, "type", "string");
    member(&o, "pattern", "\\$\\{(env|file):[^}]+\\}");
    json_end_object(&o);
    json_end_object(&o);
    json_end_object(&o);
}
