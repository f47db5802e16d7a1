/* Text to a tree of nodes with places. YAML is conf/tree.c's. JSON is read by the JSON reader, which knows its escapes and says what is wrong in its own terms; then a walk
 * over the values and, beside them, the bytes finds where each stands. */
#include "evidence/suite_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_DEPTH = 48, MAX_NODES = 4 * 1024 * 1024, MAX_JSON_KEYS = 4096 };
#define HINT "doc/guide/suites.md has the format; `hob eval suites` names suites that can be copied as a start"

enum err_code suite_fail(struct str name, struct conf_place at, struct err *e, const char *fmt, ...)
{
    char text[200];
    struct str shown = name.n > 96 ? str_from(name, name.n - 96) : name;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (at.line)
        err_set(e, ERR_CONFIG, "%.*s:%d:%d: %s", STR_ARG(shown), at.line, at.column, text);
    else
        err_set(e, ERR_CONFIG, "%.*s: %s", STR_ARG(shown), text);
    return err_hint(e, HINT);
}

/* ---- JSON ---- */

struct walk {
    struct str text;
    size_t at;
    int line, column;      /* of `counted` */
    size_t counted;
    struct arena *a;
};

/* To the next token; commas and colons are none. */
static struct conf_place walk_to(struct walk *w)
{
    while (w->at < w->text.n && strchr(" \t\r\n,:", w->text.p[w->at]))
        w->at++;
    for (; w->counted < w->at; w->counted++) {
        unsigned char c = (unsigned char)w->text.p[w->counted];
        w->line += c == '\n';
        w->column = c == '\n' ? 1 : w->column + ((c & 0xC0) != 0x80);
    }
    return (struct conf_place){ w->line, w->column };
}

static struct node *walk_value(struct walk *w, yyjson_val *v);

static void walk_inside(struct walk *w, yyjson_val *v, struct node *n)
{
    struct node **tail = &n->first;
    size_t i, most;
    yyjson_val *key, *item;
    w->at++;
    if (yyjson_is_arr(v)) {
        yyjson_arr_foreach(v, i, most, item) {
            *tail = walk_value(w, item);
            tail = &(*tail)->next;
        }
    } else {
        yyjson_obj_foreach(v, i, most, key, item) {
            struct conf_place at = walk_to(w);
            w->at = json_skip_value(w->text, w->at);
            *tail = walk_value(w, item);
            (*tail)->key = arena_copy(w->a, json_str(key));
            (*tail)->key_place = at;
            tail = &(*tail)->next;
        }
    }
    n->n = yyjson_get_len(v);
    walk_to(w);
    w->at++;
}

static struct node *walk_value(struct walk *w, yyjson_val *v)
{
    struct node *n = arena_new(w->a, struct node);
    n->place = walk_to(w);
    if (yyjson_is_ctn(v)) {
        n->kind = yyjson_is_arr(v) ? NODE_LIST : NODE_MAP;
        walk_inside(w, v, n);
        return n;
    }
    size_t end = json_skip_value(w->text, w->at);
    n->plain = !yyjson_is_str(v);
    n->text = arena_copy(w->a, n->plain ? str_trim(str_make(w->text.p + w->at, end - w->at)) : json_str(v));
    w->at = end;
    return n;
}

static struct node *read_value(struct str name, struct str text, int line, struct arena *a, struct err *e)
{
    struct json_doc d = { 0 };
    struct err why = { 0 };
    if (json_parse(&d, text, &why)) {
        suite_fail(name, (struct conf_place){ line, 1 }, e, "%.160s", why.text);
        return NULL;
    }
    struct walk w = { text, 0, line, 1, 0, a };
    struct node *n = walk_value(&w, d.root);
    json_free(&d);
    return n;
}

/* Each line is a case. */
static enum err_code read_lines(struct str name, struct str text, struct arena *a, struct node **root, struct err *e)
{
    struct node *map = arena_new(a, struct node), *list = arena_new(a, struct node);
    *map = (struct node){ .kind = NODE_MAP, .place = { 1, 1 }, .n = 1, .first = list };
    *list = (struct node){ .kind = NODE_LIST, .place = { 1, 1 }, .key = STR("cases"), .key_place = { 1, 1 } };
    struct node **tail = &list->first;
    struct str rest = text;
    for (int line = 1; rest.n; line++) {
        struct str one = str_cut(rest, '\n', &rest);
        if (!str_trim(one).n)
            continue;
        *tail = read_value(name, one, line, a, e);
        if (!*tail)
            return ERR_CONFIG;
        tail = &(*tail)->next;
        if (++list->n > SUITE_MAX_CASES)
            return suite_fail(name, (struct conf_place){ line, 1 }, e, "more than %d cases", SUITE_MAX_CASES);
    }
    *root = map;
    return ERR_OK;
}

enum err_code suite_tree_read(struct str name, struct str text, enum suite_form form, struct arena *a, struct node **root, struct err *e)
{
    static const struct tree_limits limits = { "suite", HINT, SUITE_MAX_BYTES, MAX_NODES, SUITE_MAX_CASES, MAX_DEPTH };
    *root = NULL;
    if (text.n > SUITE_MAX_BYTES)
        return suite_fail(name, (struct conf_place){ 0 }, e, "larger than %d MiB: this is no suite", SUITE_MAX_BYTES / (1024 * 1024));
    if (form == SUITE_YAML)
        return tree_read(name, text, &limits, a, root, e);
    if (str_starts(text, STR("\xEF\xBB\xBF")))
        text = str_from(text, 3);
    if (form == SUITE_JSONL)
        return read_lines(name, text, a, root, e);
    *root = read_value(name, text, 1, a, e);
    return *root ? ERR_OK : ERR_CONFIG;
}

/* ---- what a scalar is ---- */

const struct node *node_get(const struct node *map, const char *key)
{
    for (const struct node *n = map && map->kind == NODE_MAP ? map->first : NULL; n; n = n->next)
        if (str_eq(n->key, str_of(key)))
            return n;
    return NULL;
}

static bool is_one_of(const struct node *n, const char *const *words)
{
    for (; n->kind == NODE_SCALAR && n->plain && *words; words++)
        if (str_eq(n->text, str_of(*words)))
            return true;
    return false;
}

bool node_is_null(const struct node *n)
{
    static const char *const words[] = { "", "~", "null", "Null", "NULL", NULL };
    return is_one_of(n, words);
}

bool node_bool(const struct node *n, bool *out)
{
    static const char *const yes[] = { "true", "True", "TRUE", NULL }, *const no[] = { "false", "False", "FALSE", NULL };
    if (!is_one_of(n, yes) && !is_one_of(n, no))
        return false;
    *out = is_one_of(n, yes);
    return true;
}

static size_t digits(struct str s, size_t at)
{
    size_t i = at;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i - at;
}

bool yaml_is_number(struct str s)
{
    size_t at = s.n && (s.p[0] == '-' || s.p[0] == '+'), whole = digits(s, at), part = 0;
    at += whole;
    if (at < s.n && s.p[at] == '.') {
        part = digits(s, ++at);
        at += part;
    }
    if (!whole && !part)
        return false;
    if (at < s.n && (s.p[at] == 'e' || s.p[at] == 'E')) {
        at++;
        at += at < s.n && (s.p[at] == '-' || s.p[at] == '+');
        size_t power = digits(s, at);
        if (!power)
            return false;
        at += power;
    }
    return at == s.n;
}

bool node_number(const struct node *n, double *out)
{
    if (n->kind != NODE_SCALAR || !yaml_is_number(n->text))
        return false;
    *out = strtod(n->text.p, NULL);
    return isfinite(*out);
}

/* Digits stay as they were written where JSON can have them so. */
static void number_json(struct str s, struct buf *to)
{
    if (s.p[0] == '+')
        s = str_make(s.p + 1, s.n - 1);
    size_t sign = s.n && s.p[0] == '-', whole = digits(s, sign);
    bool bare = sign + whole < s.n && s.p[sign + whole] == '.' && !digits(s, sign + whole + 1);
    if (whole && !bare && (whole == 1 || s.p[sign] != '0')) {
        buf_add(to, s);
        return;
    }
    struct json_out o = json_out(to);
    json_double(&o, strtod(s.p, NULL), 17);
}

static void scalar_json(const struct node *n, struct json_out *o)
{
    bool yes;
    double number;
    if (n->plain && node_is_null(n))
        json_null(o);
    else if (n->plain && node_bool(n, &yes))
        json_bool(o, yes);
    else if (n->plain && node_number(n, &number))
        number_json(n->text, o->to);
    else
        json_string(o, n->text);
}

void node_json(const struct node *n, struct buf *to)
{
    struct json_out o = json_out(to);
    bool map = n->kind == NODE_MAP;
    if (n->kind == NODE_SCALAR) {
        scalar_json(n, &o);
        return;
    }
    buf_add_char(to, map ? '{' : '[');
    for (const struct node *kid = n->first; kid; kid = kid->next) {
        if (kid != n->first)
            buf_add_char(to, ',');
        if (map) {
            o.comma = false;
            json_string(&o, kid->key);
            buf_add_char(to, ':');
        }
        node_json(kid, to);
    }
    buf_add_char(to, map ? '}' : ']');
}
