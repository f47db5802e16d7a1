/* Any number of values replaced: what takes their places lies in one buffer. */
#include "json/json_int.h"

#include <stdlib.h>

struct json_change {
    struct json_span where;
    size_t put;             /* where in the buffer its text begins; it ends where the next one's does */
};

struct buf *json_changes_begin(struct json_changes *c, struct json_span where)
{
    if (c->n == c->room) {
        c->room = c->room ? 2 * c->room : 16;
        struct json_change *more = realloc(c->at, c->room * sizeof *more);
        if (!more)
            die("out of memory for the edits of a text");
        c->at = more;
    }
    c->at[c->n++] = (struct json_change){ where, c->put.n };
    return &c->put;
}

void json_changes_write(const struct json_changes *c, struct str text, struct buf *out)
{
    size_t at = 0;
    buf_reserve(out, text.n + c->put.n);
    for (size_t i = 0; i < c->n; i++) {
        const struct json_change *one = &c->at[i];
        size_t end = i + 1 < c->n ? c->at[i + 1].put : c->put.n;
        if (one->where.at < at || one->where.end > text.n)
            die("json_changes: an edit at %zu is out of order or past the end", one->where.at);
        buf_add(out, str_make(text.p + at, one->where.at - at));
        buf_add(out, str_make(c->put.p + one->put, end - one->put));
        at = one->where.end;
    }
    buf_add(out, str_from(text, at));
}

void json_changes_free(struct json_changes *c)
{
    buf_free(&c->put);
    free(c->at);
    *c = (struct json_changes){ .n = 0 };
}
