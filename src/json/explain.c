/* Why a text is not JSON, for people: a second, slow and strict reader that runs only when yyjson has refused a text, and that knows at
 * every place what could have come there. It is also what the fuzz target holds yyjson against. */
#include "json/json_int.h"

#include <stdio.h>

enum { SNIPPET_MAX = 20 };

enum want { WANT_VALUE, WANT_ITEM_OR_END, WANT_KEY_OR_END, WANT_KEY, WANT_COLON, WANT_COMMA, WANT_NOTHING };

struct reader {
    struct str text;
    size_t at;
    char open[JSON_MAX_DEPTH]; /* '{' or '[' */
    size_t depth;
    enum want want;
    const char *problem; /* says what is wrong at `at` when it is more than a wrong token */
};

static bool at_end(const struct reader *r)
{
    return r->at >= r->text.n;
}

static unsigned char peek(const struct reader *r)
{
    return at_end(r) ? 0 : (unsigned char)r->text.p[r->at];
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static int hex4(const struct reader *r, size_t at) /* -1 when these are not four hex digits */
{
    int v = 0;
    if (at + 4 > r->text.n)
        return -1;
    for (size_t i = at; i < at + 4; i++) {
        char c = r->text.p[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0)
            return -1;
        v = v * 16 + digit;
    }
    return v;
}

static bool fail(struct reader *r, const char *problem)
{
    r->problem = problem;
    return false;
}

static bool read_unicode_escape(struct reader *r) /* at the backslash of \uXXXX */
{
    int unit = hex4(r, r->at + 2);
    if (unit < 0)
        return fail(r, "\\u needs four hex digits");
    if (unit >= 0xdc00 && unit <= 0xdfff)
        return fail(r, "a low surrogate without the high one before it");
    if (unit >= 0xd800 && unit <= 0xdbff) {
        bool pair = r->at + 8 <= r->text.n && r->text.p[r->at + 6] == '\\' && r->text.p[r->at + 7] == 'u';
        int low = pair ? hex4(r, r->at + 8) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return fail(r, "a high surrogate without a low one behind it");
        r->at += 6;
    }
    r->at += 6;
    return true;
}

static bool read_string(struct reader *r) /* at the opening quote */
{
    size_t start = r->at++;
    while (!at_end(r)) {
        unsigned char c = peek(r);
        size_t bad, n;
        if (c == '"') {
            r->at++;
            return true;
        }
        if (c < 0x20)
            return fail(r, "a control character inside a string must be escaped");
        if (c == '\\') {
            char kind = r->at + 1 < r->text.n ? r->text.p[r->at + 1] : 0;
            if (kind == 'u' ? !read_unicode_escape(r) : !kind || !strchr("\"\\/bfnrt", kind))
                return r->problem ? false : fail(r, "no such escape in a string");
            r->at += kind == 'u' ? 0 : 2;
            continue;
        }
        n = json_utf8((const unsigned char *)r->text.p + r->at, r->text.n - r->at, &bad);
        if (n == 0)
            return fail(r, "these bytes are not UTF-8");
        r->at += n;
    }
    r->at = start;
    return fail(r, "this string has no closing quote");
}

static bool read_digits(struct reader *r)
{
    if (!is_digit(peek(r)))
        return fail(r, "expected a digit");
    while (is_digit(peek(r)))
        r->at++;
    return true;
}

static bool read_number(struct reader *r)
{
    if (peek(r) == '-')
        r->at++;
    if (peek(r) == '0') {
        r->at++;
        if (is_digit(peek(r)))
            return fail(r, "a number may not begin with 0");
    } else if (!read_digits(r)) {
        return false;
    }
    if (peek(r) == '.') {
        r->at++;
        if (!read_digits(r))
            return false;
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        r->at++;
        if (peek(r) == '+' || peek(r) == '-')
            r->at++;
        return read_digits(r);
    }
    return true;
}

static bool read_literal(struct reader *r)
{
    static const struct str literals[] = { STR("true"), STR("false"), STR("null") };
    for (size_t i = 0; i < COUNTOF(literals); i++)
        if (str_starts(str_from(r->text, r->at), literals[i])) {
            r->at += literals[i].n;
            return true;
        }
    return false;
}

static void value_done(struct reader *r)
{
    r->want = r->depth ? WANT_COMMA : WANT_NOTHING;
}

static bool read_value(struct reader *r)
{
    unsigned char c = peek(r);
    if (c == '{' || c == '[') {
        if (r->depth == JSON_MAX_DEPTH)
            return false;
        r->open[r->depth++] = (char)c;
        r->at++;
        r->want = c == '{' ? WANT_KEY_OR_END : WANT_ITEM_OR_END;
        return true;
    }
    if (c == '"' ? !read_string(r) : c == '-' || is_digit(c) ? !read_number(r) : !read_literal(r))
        return false;
    value_done(r);
    return true;
}

static bool read_close(struct reader *r)
{
    if (!r->depth || peek(r) != (r->open[r->depth - 1] == '{' ? '}' : ']'))
        return false;
    r->at++;
    r->depth--;
    value_done(r);
    return true;
}

static bool read_key(struct reader *r)
{
    if (peek(r) != '"' || !read_string(r))
        return false;
    r->want = WANT_COLON;
    return true;
}

static bool read_token(struct reader *r)
{
    switch (r->want) {
    case WANT_VALUE: return read_value(r);
    case WANT_ITEM_OR_END: return read_close(r) || read_value(r);
    case WANT_KEY_OR_END: return read_close(r) || read_key(r);
    case WANT_KEY: return read_key(r);
    case WANT_COLON:
        if (peek(r) != ':')
            return false;
        r->at++;
        r->want = WANT_VALUE;
        return true;
    case WANT_COMMA:
        if (peek(r) != ',')
            return read_close(r);
        r->at++;
        r->want = r->open[r->depth - 1] == '{' ? WANT_KEY : WANT_VALUE;
        return true;
    case WANT_NOTHING: return false;
    }
    return false;
}

static const char *wanted(const struct reader *r)
{
    bool object = r->depth && r->open[r->depth - 1] == '{';
    switch (r->want) {
    case WANT_VALUE: return "a value";
    case WANT_ITEM_OR_END: return "a value or ']'";
    case WANT_KEY_OR_END: return "a key in quotes or '}'";
    case WANT_KEY: return "a key in quotes";
    case WANT_COLON: return "':' after the key";
    case WANT_COMMA: return object ? "',' or '}'" : "',' or ']'";
    case WANT_NOTHING: return "nothing more";
    }
    return "";
}

/* What stands there, printable and short: bodies hold what people wrote and do not belong into logs. */
static void snippet(const struct reader *r, char out[SNIPPET_MAX + 3])
{
    size_t n = 0;
    out[n++] = '\'';
    for (size_t at = r->at; at < r->text.n && n <= SNIPPET_MAX; at++) {
        unsigned char c = (unsigned char)r->text.p[at];
        if (n > 1 && (c <= ' ' || strchr(",:[]{}\"", c)))
            break;
        out[n++] = c >= ' ' && c < 0x7f ? (char)c : '?';
    }
    out[n++] = '\'';
    out[n] = 0;
}

static void place(const struct reader *r, size_t *line, size_t *column) /* both from 1; columns are characters */
{
    *line = *column = 1;
    for (size_t i = 0; i < r->at; i++) {
        unsigned char c = (unsigned char)r->text.p[i];
        if (c == '\n') {
            ++*line;
            *column = 1;
        } else if ((c & 0xc0) != 0x80) {
            ++*column;
        }
    }
}

static enum err_code report(const struct reader *r, struct err *e)
{
    char found[SNIPPET_MAX + 3];
    size_t line, column;
    unsigned char c = peek(r);
    bool value = r->want == WANT_VALUE || r->want == WANT_ITEM_OR_END;
    if (!r->problem && value && !at_end(r) && (c == '{' || c == '[')) /* the one good token that is refused */
        return err_set(e, ERR_BAD_REQUEST, "the JSON is nested more than %d levels deep", JSON_MAX_DEPTH);
    place(r, &line, &column);
    snippet(r, found);
    if (r->problem)
        return err_set(e, ERR_INVALID_JSON, "invalid JSON at line %zu, column %zu: %s", line, column, r->problem);
    if (json_skip_blanks(r->text, 0) == r->text.n)
        return err_set(e, ERR_INVALID_JSON, "invalid JSON: the text is empty");
    if (at_end(r))
        return err_set(e, ERR_INVALID_JSON, "invalid JSON at line %zu, column %zu: the text ends where %s was expected", line, column, wanted(r));
    if (r->at == 0 && str_starts(r->text, STR("\xef\xbb\xbf")))
        return err_set(e, ERR_INVALID_JSON, "invalid JSON: the text begins with a byte order mark");
    return err_set(e, ERR_INVALID_JSON, "invalid JSON at line %zu, column %zu: expected %s, found %s", line, column, wanted(r), found);
}

enum err_code json_explain(struct str text, struct err *e)
{
    struct reader r = { .text = text, .want = WANT_VALUE };
    for (;;) {
        r.at = json_skip_blanks(text, r.at);
        if (at_end(&r) && r.want == WANT_NOTHING)
            return ERR_OK;
        if (at_end(&r) || !read_token(&r))
            return report(&r, e);
    }
}
