/* Long strings that nobody here reads are not worth decoding, nor copying: the question in a chat goes on to its place as it came.
 *
 * So a text is walked once. A long string in the member that was named is checked where it stands (scan.c), and the copy that is parsed
 * holds only its beginning. A table of the gaps leads from the copy back to the text. What is wrong with a text is not found here: when
 * anything looks odd, or the parser refuses the shrunk copy, the whole text is parsed, as ever. It must only never be that the shrunk
 * copy is valid and the text is not: outside of strings both have the same bytes, strings begin and end alike, and what is missing
 * has been checked. */
#include "json/json_int.h"

#include <stdlib.h>

struct walk {
    struct str text, member;
    struct json_shrink by;
    size_t depth;
    bool inside;           /* the named member of the root */
    struct json_gap *gaps; /* room for as many as there can be */
    size_t n;
};

/* Most strings are short: their end is found without starting the scanner. One that may be cut has been through it. */
static size_t end_of_string(struct str text, size_t at, size_t longer_than)
{
    size_t most = text.n - at < longer_than ? text.n - at : longer_than;
    const char *quote = memchr(text.p + at, '"', most);
    if (quote && quote[-1] != '\\')
        return (size_t)(quote - text.p);
    return json_scan_string(text, at);
}

static size_t unit_length(const char *p) /* of valid text: a character or an escape, a surrogate with its other half */
{
    unsigned char c = (unsigned char)p[0];
    if (c == '\\' && p[1] == 'u')
        return (p[2] == 'd' || p[2] == 'D') && strchr("89abAB", p[3]) ? 12 : 6;
    return c == '\\' ? 2 : c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static size_t end_of_beginning(const struct walk *w, size_t at, size_t end)
{
    size_t limit = at + w->by.keep, unit;
    while (at < end && at + (unit = unit_length(w->text.p + at)) <= limit)
        at += unit;
    return at;
}

static bool is_key(struct str text, size_t end) /* the quote that ends the string */
{
    size_t next = json_skip_blanks(text, end + 1);
    return next < text.n && text.p[next] == ':';
}

static void on_string(struct walk *w, size_t at, size_t end)
{
    bool is_long = w->inside && end - at > w->by.longer_than;
    if (w->depth != 1 && !is_long)
        return;
    if (is_key(w->text, end)) {
        if (w->depth == 1)
            w->inside = str_eq(str_make(w->text.p + at, end - at), w->member);
        return;
    }
    if (!is_long)
        return;
    size_t before = w->n ? w->gaps[w->n - 1].total : 0, from = end_of_beginning(w, at, end);
    w->gaps[w->n++] = (struct json_gap){ .string = at - before, .at = from - before, .total = before + end - from };
}

/* False where there is nothing to cut, or not at that price: a text of many small things is sooner parsed than walked and parsed. */
static bool walk_text(struct walk *w)
{
    enum { STRING_STEPS = 16 };
    struct str text = w->text;
    size_t steps = w->by.patience ? text.n / w->by.patience : SIZE_MAX;
    for (size_t at = 0; at < text.n; at++) {
        if (steps < STRING_STEPS)
            return false;
        steps -= text.p[at] == '"' ? STRING_STEPS : 1;
        char c = text.p[at];
        if (c == '{' || c == '[') {
            w->depth++;
        } else if (c == '}' || c == ']') {
            w->depth--;
        } else if (c == '"') {
            size_t end = end_of_string(text, at + 1, w->by.longer_than);
            if (end == text.n)
                return false;
            on_string(w, at + 1, end);
            at = end;
        }
    }
    return w->n > 0;
}

size_t json_shrink(struct str text, struct str member, const struct json_shrink *by, struct json_gap **gaps)
{
    struct walk w = { .text = text, .member = member, .by = *by };
    *gaps = NULL;
    if (!JSON_CAN_SCAN || text.n <= by->longer_than)
        return 0;
    w.gaps = calloc(text.n / (by->longer_than + 1) + 1, sizeof *w.gaps);
    if (!w.gaps)
        return 0;
    if (!walk_text(&w)) {
        free(w.gaps);
        return 0;
    }
    *gaps = w.gaps;
    return w.n;
}

void json_copy_shrunk(char *copy, struct str text, const struct json_gap *gaps, size_t n)
{
    size_t at = 0, before = 0;
    for (size_t i = 0; i < n; i++) {
        memcpy(copy + at, text.p + at + before, gaps[i].at - at);
        at = gaps[i].at;
        before = gaps[i].total;
    }
    memcpy(copy + at, text.p + at + before, text.n - at - before);
}

size_t json_place(const struct json_doc *d, yyjson_val *string)
{
    size_t at = (size_t)(unsafe_yyjson_get_str(string) - d->copy), missing = 0;
    for (size_t i = 0; i < d->ngaps && d->gaps[i].at < at; i++)
        missing = d->gaps[i].total;
    return at + missing;
}

/* The gap in this string; NULL: it is whole. */
static const struct json_gap *gap_of(const struct json_doc *d, yyjson_val *string)
{
    size_t at = (size_t)(unsafe_yyjson_get_str(string) - d->copy);
    for (size_t i = 0; i < d->ngaps && d->gaps[i].string <= at; i++)
        if (d->gaps[i].string == at)
            return &d->gaps[i];
    return NULL;
}

bool json_is_cut(const struct json_doc *d, yyjson_val *v)
{
    return yyjson_is_str(v) && gap_of(d, v);
}

size_t json_length(const struct json_doc *d, yyjson_val *string)
{
    const struct json_gap *g = gap_of(d, string);
    return yyjson_get_len(string) + (g ? g->total - (g == d->gaps ? 0 : g[-1].total) : 0);
}
