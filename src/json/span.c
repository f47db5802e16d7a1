/* From parsed values back to the bytes of the original, and edits of those bytes.
 *
 * Strings know where they are (parse.c). All else is found from the nearest string by reading the text, which is known to be valid. */
#include "json/json_int.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

size_t json_skip_blanks(struct str text, size_t at)
{
    while (at < text.n && is_blank(text.p[at]))
        at++;
    return at;
}

static size_t back_over_blanks(struct str text, size_t at) /* text[result - 1] is not blank */
{
    while (at > 0 && is_blank(text.p[at - 1]))
        at--;
    return at;
}

size_t json_string_end(struct str text, size_t at)
{
    while (at < text.n) {
        const char *quote = memchr(text.p + at, '"', text.n - at);
        if (!quote)
            break;
        size_t end = (size_t)(quote - text.p), run = end;
        while (run > at && text.p[run - 1] == '\\')
            run--;
        if ((end - run) % 2 == 0)
            return end;
        at = end + 1;
    }
    return text.n;
}

static size_t behind_string(struct str text, size_t quote)
{
    size_t end = json_string_end(text, quote + 1);
    return end < text.n ? end + 1 : end;
}

static size_t skip_container(struct str text, size_t at)
{
    size_t depth = 0;
    while (at < text.n) {
        char c = text.p[at];
        if (c == '"') {
            at = behind_string(text, at);
            continue;
        }
        at++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            break;
    }
    return at;
}

size_t json_skip_value(struct str text, size_t at)
{
    if (at >= text.n)
        return text.n;
    if (text.p[at] == '"')
        return behind_string(text, at);
    if (text.p[at] == '{' || text.p[at] == '[')
        return skip_container(text, at);
    while (at < text.n && !is_blank(text.p[at]) && text.p[at] != ',' && text.p[at] != ']' && text.p[at] != '}')
        at++;
    return at;
}

struct json_span json_string_span(const struct json_doc *d, yyjson_val *string)
{
    size_t at = json_place(d, string) - 1;
    return (struct json_span){ at, behind_string(d->text, at) };
}

static yyjson_val *find_key(yyjson_val *obj, struct str name)
{
    yyjson_obj_iter it;
    yyjson_val *key;
    yyjson_obj_iter_init(obj, &it);
    while ((key = yyjson_obj_iter_next(&it)))
        if (str_eq(json_str(key), name))
            return key;
    return NULL;
}

bool json_find_member(const struct json_doc *d, yyjson_val *obj, struct str name, struct json_member *out)
{
    yyjson_val *key = yyjson_is_obj(obj) ? find_key(obj, name) : NULL;
    if (!key)
        return false;
    size_t at = json_place(d, key) - 1;
    out->key = (struct json_span){ at, behind_string(d->text, at) };
    at = json_skip_blanks(d->text, out->key.end);
    at = json_skip_blanks(d->text, at + 1); /* the colon */
    out->value = (struct json_span){ at, json_skip_value(d->text, at) };
    return true;
}

/* An empty object has no string in it to be found by. So: the last string before it in the text (values lie in memory in the text's
 * order), and then as many opening braces as there are objects from there on, this one included. */
static size_t inside_empty(const struct json_doc *d, yyjson_val *obj)
{
    size_t at = 0, objects = 0;
    yyjson_val *string = NULL;
    for (yyjson_val *v = d->root; v <= obj; v++) {
        if (unsafe_yyjson_is_str(v)) {
            string = v;
            objects = 0;
        } else if (unsafe_yyjson_is_obj(v)) {
            objects++;
        }
    }
    if (string)
        at = behind_string(d->text, json_place(d, string) - 1);
    for (; at < d->text.n; at++)
        if (d->text.p[at] == '{' && --objects == 0)
            return at + 1;
    die("json_object_inside: not an object of this document");
}

size_t json_object_inside(const struct json_doc *d, yyjson_val *obj)
{
    if (!yyjson_is_obj(obj))
        die("json_object_inside: not an object");
    if (unsafe_yyjson_get_len(obj) == 0)
        return inside_empty(d, obj);
    return back_over_blanks(d->text, json_place(d, unsafe_yyjson_get_first(obj)) - 1);
}

/* The untouched text between `at` and the edit. */
static struct str kept_before(struct str text, size_t at, const struct json_edit *edit)
{
    if (edit->at < at || edit->at > text.n || edit->cut > text.n - edit->at)
        die("json_splice: an edit at %zu is out of order or past the end", edit->at);
    return str_make(text.p + at, edit->at - at);
}

size_t json_splice_pieces(struct str *pieces, struct str text, const struct json_edit *edits, size_t n)
{
    size_t count = 0, at = 0;
    for (size_t i = 0; i < n; i++) {
        struct str kept = kept_before(text, at, &edits[i]);
        if (kept.n)
            pieces[count++] = kept;
        if (edits[i].put.n)
            pieces[count++] = edits[i].put;
        at = edits[i].at + edits[i].cut;
    }
    if (at < text.n)
        pieces[count++] = str_from(text, at);
    return count;
}

void json_splice(struct buf *out, struct str text, const struct json_edit *edits, size_t n)
{
    size_t size = text.n, at = 0;
    for (size_t i = 0; i < n; i++)
        size += edits[i].put.n;
    buf_reserve(out, size);
    for (size_t i = 0; i < n; i++) {
        buf_add(out, kept_before(text, at, &edits[i]));
        buf_add(out, edits[i].put);
        at = edits[i].at + edits[i].cut;
    }
    buf_add(out, str_from(text, at));
}

/* Where the member behind m begins, or its own end when it is the last. */
static size_t next_member(struct str text, const struct json_member *m)
{
    size_t at = json_skip_blanks(text, m->value.end);
    return at < text.n && text.p[at] == ',' ? json_skip_blanks(text, at + 1) : m->value.end;
}

size_t json_cut_members(struct str text, const struct json_member *m, size_t n, struct json_edit *edits)
{
    size_t i = 0, count = 0;
    if (n == 0)
        return 0;
    /* A run from the object's first member on has no comma before it: it goes together with the one behind it. */
    if (text.p[back_over_blanks(text, m[0].key.at) - 1] == '{') {
        size_t end = next_member(text, &m[0]);
        for (i = 1; i < n && end == m[i].key.at; i++)
            end = next_member(text, &m[i]);
        edits[count++] = (struct json_edit){ m[0].key.at, end - m[0].key.at, { NULL, 0 } };
    }
    for (; i < n; i++) {
        size_t comma = back_over_blanks(text, m[i].key.at) - 1;
        edits[count++] = (struct json_edit){ comma, m[i].value.end - comma, { NULL, 0 } };
    }
    return count;
}

struct json_edit json_cut_member(struct str text, const struct json_member *m)
{
    struct json_edit edit;
    json_cut_members(text, m, 1, &edit);
    return edit;
}
