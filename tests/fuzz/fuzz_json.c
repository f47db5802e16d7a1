/* The JSON reader, spans, edits and writer.
 * Oracles: our slow reader agrees with yyjson on what is JSON; every member of the root is found, its bytes read back as its value, putting
 * another value there changes just that, cutting it takes away just that; the writer's text reads back as the value. */
#include "json/json_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMBERS_TRIED = 40 };

static void must(bool ok)
{
    if (!ok)
        abort();
}

static struct str cut(struct str text, struct json_span s)
{
    must(s.at <= s.end && s.end <= text.n);
    return str_make(text.p + s.at, s.end - s.at);
}

static void check_value_bytes(struct str bytes, yyjson_val *value)
{
    struct json_doc d;
    must(json_parse(&d, bytes, NULL) == ERR_OK);
    must(yyjson_equals(d.root, value));
    json_free(&d);
}

/* The edited text has the same members as the old one, but `name` is `put`, or is gone when put is NULL. */
static void check_edited(const struct json_doc *old, struct str name, const struct json_edit *edit, const char *put)
{
    struct buf text = { 0 };
    struct str pieces[3];
    struct json_doc now;
    yyjson_obj_iter it;
    yyjson_val *key;
    size_t n = json_splice_pieces(pieces, old->text, edit, 1), at = 0;
    json_splice(&text, old->text, edit, 1);
    for (size_t i = 0; i < n; at += pieces[i++].n)
        must(at + pieces[i].n <= text.n && memcmp(text.p + at, pieces[i].p, pieces[i].n) == 0);
    must(at == text.n);
    must(json_parse(&now, buf_str(&text), NULL) == ERR_OK);
    must(yyjson_obj_size(now.root) + (put ? 0 : 1) == yyjson_obj_size(old->root));
    yyjson_obj_iter_init(old->root, &it);
    while ((key = yyjson_obj_iter_next(&it))) {
        yyjson_val *value = yyjson_obj_getn(now.root, yyjson_get_str(key), yyjson_get_len(key));
        if (!str_eq(json_str(key), name))
            must(value && yyjson_equals(value, yyjson_obj_iter_get_val(key)));
        else
            must(put ? yyjson_equals_str(value, put) : !value);
    }
    json_free(&now);
    buf_free(&text);
}

static void check_member(const struct json_doc *d, yyjson_val *key)
{
    struct json_member m;
    struct str name = json_str(key);
    yyjson_val *value = yyjson_obj_iter_get_val(key);
    must(json_find_member(d, d->root, name, &m));
    check_value_bytes(cut(d->text, m.key), key);
    check_value_bytes(cut(d->text, m.value), value);
    struct json_edit edit = { m.value.at, m.value.end - m.value.at, STR("\"put\"") };
    check_edited(d, name, &edit, "put");
    edit = json_cut_member(d->text, &m);
    check_edited(d, name, &edit, NULL);
    if (yyjson_is_obj(value)) {
        size_t inside = json_object_inside(d, value);
        must(inside > m.value.at && inside < m.value.end && inside == m.value.at + 1);
    }
}

/* Cuts every second member at once. */
static void check_cut_many(const struct json_doc *d)
{
    struct json_member m[MEMBERS_TRIED];
    struct json_edit edits[MEMBERS_TRIED];
    struct buf text = { 0 };
    struct json_doc now;
    yyjson_obj_iter it;
    yyjson_val *key;
    size_t n = 0, size = yyjson_obj_size(d->root), chosen = d->text.n;
    yyjson_obj_iter_init(d->root, &it);
    while ((key = yyjson_obj_iter_next(&it)) && n < MEMBERS_TRIED) {
        chosen = chosen * 5 + 3;
        if (chosen >> 4 & 1)
            must(json_find_member(d, d->root, json_str(key), &m[n++]));
    }
    json_splice(&text, d->text, edits, json_cut_members(d->text, m, n, edits));
    must(json_parse(&now, buf_str(&text), NULL) == ERR_OK);
    must(yyjson_obj_size(now.root) + n == size);
    json_free(&now);
    buf_free(&text);
}

static void check_root(const struct json_doc *d)
{
    yyjson_obj_iter it;
    yyjson_val *key;
    size_t tried = 0;
    if (!yyjson_is_obj(d->root))
        return;
    yyjson_obj_iter_init(d->root, &it);
    while ((key = yyjson_obj_iter_next(&it)) && tried++ < MEMBERS_TRIED)
        check_member(d, key);
    check_cut_many(d);
    size_t inside = json_object_inside(d, d->root);
    must(inside >= 1 && d->text.p[inside - 1] == '{' && json_skip_blanks(d->text, 0) == inside - 1);
}

static void check_written(yyjson_val *value)
{
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    json_value(&o, value);
    check_value_bytes(buf_str(&text), value);
    buf_free(&text);
}

/* Any bytes at all, written as a string, are JSON; those that are UTF-8 come back. */
static void check_escape(struct str bytes)
{
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    struct json_doc d;
    size_t at = 0, bad, length = 1;
    json_string(&o, bytes);
    must(json_parse(&d, buf_str(&text), NULL) == ERR_OK);
    for (; at < bytes.n && length; at += length)
        length = json_utf8((const unsigned char *)bytes.p + at, bytes.n - at, &bad);
    if (length)
        must(str_eq(json_str(d.root), bytes));
    json_free(&d);
    buf_free(&text);
}

static bool same_span(struct json_span a, struct json_span b)
{
    return a.at == b.at && a.end == b.end;
}

/* A cut string is a beginning of the whole one, and was longer than the limit as it is written; all else is the same. */
static void check_cut_value(const struct json_doc *d, yyjson_val *cut_one, yyjson_val *whole, const struct json_shrink *by)
{
    yyjson_arr_iter a, b;
    yyjson_obj_iter oa, ob;
    yyjson_val *one, *other;
    must(yyjson_get_type(cut_one) == yyjson_get_type(whole) && (yyjson_is_str(whole) || yyjson_get_len(cut_one) == yyjson_get_len(whole)));
    if (json_is_cut(d, cut_one)) {
        size_t at = json_place(d, cut_one);
        must(d->text.p[at - 1] == '"' && json_skip_value(d->text, at - 1) - 2 - (at - 1) > by->longer_than);
        must(yyjson_get_len(cut_one) <= by->keep && str_starts(json_str(whole), json_str(cut_one)));
    } else if (!yyjson_is_ctn(whole)) {
        must(yyjson_equals(cut_one, whole));
    } else if (yyjson_is_arr(whole)) {
        yyjson_arr_iter_init(cut_one, &a);
        yyjson_arr_iter_init(whole, &b);
        while ((one = yyjson_arr_iter_next(&a)) && (other = yyjson_arr_iter_next(&b)))
            check_cut_value(d, one, other, by);
    } else {
        yyjson_obj_iter_init(cut_one, &oa);
        yyjson_obj_iter_init(whole, &ob);
        while ((one = yyjson_obj_iter_next(&oa)) && (other = yyjson_obj_iter_next(&ob))) {
            must(yyjson_equals(one, other));
            check_cut_value(d, yyjson_obj_iter_get_val(one), yyjson_obj_iter_get_val(other), by);
        }
    }
}

/* Spans of a document with gaps are those of the whole one, in every object. */
static void check_cut_spans(const struct json_doc *d, yyjson_val *one, const struct json_doc *whole, yyjson_val *other)
{
    yyjson_obj_iter oa, ob;
    yyjson_val *a, *b;
    struct json_member m, n;
    if (!yyjson_is_obj(one))
        return;
    must(json_object_inside(d, one) == json_object_inside(whole, other));
    yyjson_obj_iter_init(one, &oa);
    yyjson_obj_iter_init(other, &ob);
    for (size_t i = 0; i < MEMBERS_TRIED && (a = yyjson_obj_iter_next(&oa)) && (b = yyjson_obj_iter_next(&ob)); i++) {
        must(json_find_member(d, one, json_str(a), &m) && json_find_member(whole, other, json_str(b), &n));
        must(same_span(m.key, n.key) && same_span(m.value, n.value));
        check_cut_spans(d, yyjson_obj_iter_get_val(a), whole, yyjson_obj_iter_get_val(b));
    }
}

/* Reading with cut strings, the limit so low that it happens, is accepted and refused alike. */
static void check_shrunk(const struct json_doc *whole, struct str text, struct str member, enum err_code rc, const struct err *e)
{
    static const struct json_shrink by = { .longer_than = 16, .keep = 8 };
    struct json_doc d;
    struct err now = { 0 };
    must(json_parse_shrunk(&d, text, member, &by, &now) == rc && strcmp(now.text, e->text) == 0);
    if (!rc) {
        check_cut_value(&d, d.root, whole->root, &by);
        check_cut_spans(&d, d.root, whole, whole->root);
    }
    json_free(&d);
}

/* The scanner alone, at any quote: it finds the string's end just where the text from there to it is a string to the slow reader. */
static void check_scan(struct str text)
{
    struct err why = { 0 };
    const char *quote = text.n ? memchr(text.p, '"', text.n) : NULL;
    if (!quote || !JSON_CAN_SCAN)
        return;
    size_t at = (size_t)(quote - text.p), end = json_string_end(text, at + 1);
    bool fits = end < text.n && !json_explain(str_make(quote, end + 1 - at), &why);
    must(json_scan_string(text, at + 1) == (fits ? end : text.n));
}

/* The member that is cut: `messages`, else the last one with a plain name. */
static struct str member_to_cut(yyjson_val *root)
{
    yyjson_obj_iter it;
    yyjson_val *key;
    struct str name = STR("messages");
    if (!yyjson_is_obj(root) || yyjson_obj_get(root, "messages"))
        return name;
    yyjson_obj_iter_init(root, &it);
    while ((key = yyjson_obj_iter_next(&it)))
        name = json_str(key);
    return name;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *own = malloc(size + 1); /* of its exact size but for the last byte: reading past the text is seen */
    if (!own)
        abort();
    char *p = own + 1;
    if (size)
        memcpy(p, data, size);
    struct str text = str_make(p, size);
    struct json_scratch scratch = { 0 };
    struct json_doc d, fast;
    struct err e = { 0 }, why = { 0 };
    enum err_code rc = json_parse(&d, text, &e), rc_fast = json_parse_fast(&fast, text, &scratch, NULL);
    enum err_code said = json_explain(text, &why);
    if (!rc) {
        must(!said && !rc_fast && yyjson_equals(d.root, fast.root) && json_skip_value(text, json_skip_blanks(text, 0)) <= size);
        check_root(&d);
        check_written(d.root);
    } else if (rc == ERR_INVALID_JSON) {
        must(e.text[0] && (said == ERR_INVALID_JSON || strstr(e.text, "infinity")));
    } else { /* a key twice, or too deep; the slow reader stops at the depth and so may not see what comes behind it */
        must(rc == ERR_BAD_REQUEST && said != ERR_INVALID_JSON);
    }
    check_shrunk(&d, text, member_to_cut(d.root), rc, &e);
    check_scan(text);
    json_free(&d);
    json_scratch_free(&scratch);
    check_escape(text);
    free(own);
    return 0;
}
