/* Edits of an answer's text. */
#include "api/answer_edit.h"

void edits_free(struct edits *x)
{
    for (size_t i = 0; i < x->n; i++)
        buf_free(&x->text[i]);
    x->n = 0;
}

/* Does a belong behind b? At the same place what is put in comes before what is cut; else the first asked for comes first. */
static bool behind(const struct json_edit *a, const struct json_edit *b)
{
    return a->at > b->at || (a->at == b->at && a->cut && !b->cut);
}

static void add(struct edits *x, struct json_edit one)
{
    if (x->n == EDITS_MAX)
        die("more than %d edits of an answer", EDITS_MAX);
    size_t i = x->n++;
    for (; i && behind(&x->at[i - 1], &one); i--)
        x->at[i] = x->at[i - 1];
    x->at[i] = one;
}

void edits_insert(struct edits *x, size_t at, struct str put)
{
    add(x, (struct json_edit){ at, 0, put });
}

static void replace(struct edits *x, struct json_span value, struct str put)
{
    add(x, (struct json_edit){ value.at, value.end - value.at, put });
}

/* x->text[x->n] holds `"name":value,`, the value from `begun` on. */
static void put_member(struct edits *x, const struct json_doc *d, struct str name, size_t begun)
{
    struct str text = buf_str(&x->text[x->n]);
    struct json_member m;
    if (json_find_member(d, d->root, name, &m))
        replace(x, m.value, str_make(text.p + begun, text.n - begun - 1));
    else
        edits_insert(x, json_object_inside(d, d->root), text);
}

void edits_string(struct edits *x, const struct json_doc *d, struct str name, struct str value)
{
    yyjson_val *has = yyjson_obj_getn(d->root, name.p, name.n);
    if (yyjson_is_str(has) && str_eq(json_str(has), value))
        return;
    struct buf *text = &x->text[x->n];
    struct json_out o = json_out(text);
    json_key(&o, name);
    size_t begun = text->n;
    json_string(&o, value);
    buf_add_char(text, ',');
    put_member(x, d, name, begun);
}

void edits_int(struct edits *x, const struct json_doc *d, struct str name, int64_t value)
{
    yyjson_val *has = yyjson_obj_getn(d->root, name.p, name.n);
    if (yyjson_is_int(has) && yyjson_get_sint(has) == value)
        return;
    struct buf *text = &x->text[x->n];
    struct json_out o = json_out(text);
    json_key(&o, name);
    size_t begun = text->n;
    json_int(&o, value);
    buf_add_char(text, ',');
    put_member(x, d, name, begun);
}

void edits_value(struct edits *x, const struct json_doc *d, struct str name, struct str json)
{
    struct json_member m;
    if (json_find_member(d, d->root, name, &m))
        replace(x, m.value, json);
}

void edits_cut(struct edits *x, const struct json_doc *d, struct str name)
{
    struct json_member m;
    if (json_find_member(d, d->root, name, &m))
        add(x, json_cut_member(d->text, &m));
}

/* The root's closing brace: the last byte of the text but for white space. */
static size_t root_end(struct str text)
{
    size_t at = text.n - 1;
    while (text.p[at] != '}')
        at--;
    return at;
}

void edits_routing(struct edits *x, const struct json_doc *d, struct str routing)
{
    struct json_member m;
    if (!routing.n) {
        edits_value(x, d, STR("_routing"), STR("null"));
        return;
    }
    if (json_find_member(d, d->root, STR("_routing"), &m)) {
        replace(x, m.value, routing);
        return;
    }
    struct buf *text = &x->text[x->n];
    buf_lit(text, ",\"_routing\":");
    buf_add(text, routing);
    edits_insert(x, root_end(d->text), buf_str(text));
}
