/* Writing: values go straight into a buffer. One flag knows whether a comma is due, since after any complete value the only thing that
 * can follow in its container needs one, and after an opening bracket or a key nothing does. */
#include "json/json_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct json_out json_out(struct buf *to)
{
    return (struct json_out){ .to = to };
}

static void before(struct json_out *o)
{
    if (o->comma)
        buf_add_char(o->to, ',');
    o->comma = true;
}

static void begin(struct json_out *o, char c)
{
    before(o);
    buf_add_char(o->to, c);
    o->comma = false;
}

static void end(struct json_out *o, char c)
{
    buf_add_char(o->to, c);
    o->comma = true;
}

void json_begin_object(struct json_out *o)
{
    begin(o, '{');
}

void json_end_object(struct json_out *o)
{
    end(o, '}');
}

void json_begin_array(struct json_out *o)
{
    begin(o, '[');
}

void json_end_array(struct json_out *o)
{
    end(o, ']');
}

void json_string(struct json_out *o, struct str text)
{
    before(o);
    buf_add_char(o->to, '"');
    json_escape(o->to, text);
    buf_add_char(o->to, '"');
}

void json_key(struct json_out *o, struct str key)
{
    json_string(o, key);
    buf_add_char(o->to, ':');
    o->comma = false;
}

void json_raw(struct json_out *o, struct str json)
{
    before(o);
    buf_add(o->to, json);
}

void json_int(struct json_out *o, int64_t v)
{
    before(o);
    buf_add_int(o->to, v);
}

void json_bool(struct json_out *o, bool v)
{
    json_raw(o, v ? STR("true") : STR("false"));
}

void json_null(struct json_out *o)
{
    json_raw(o, STR("null"));
}

void json_string_or_null(struct json_out *o, struct str text)
{
    if (text.n)
        json_string(o, text);
    else
        json_null(o);
}

void json_int_or_null(struct json_out *o, int64_t v)
{
    if (v >= 0)
        json_int(o, v);
    else
        json_null(o);
}

/* The common case, milliseconds in every answer: few decimals of no large number, without printf. */
static bool put_short(struct json_out *o, double v, int decimals)
{
    static const int scales[] = { 1, 10, 100, 1000 };
    if (decimals < 0 || decimals >= (int)(sizeof scales / sizeof *scales) || !(v > -1e12 && v < 1e12))
        return false;
    int64_t all = (int64_t)rint(fabs(v) * scales[decimals]), scale = scales[decimals], rest = all % scale;
    json_raw(o, v < 0 && all ? STR("-") : STR(""));
    buf_add_int(o->to, all / scale);
    if (rest)
        buf_add_char(o->to, '.');
    for (; rest; rest = rest * 10 % scale)
        buf_add_char(o->to, (char)('0' + rest * 10 / scale));
    return true;
}

void json_double(struct json_out *o, double v, int decimals)
{
    char digits[352]; /* the largest double has 309 digits before the point */
    if (!isfinite(v)) {
        json_null(o);
        return;
    }
    if (put_short(o, v, decimals))
        return;
    decimals = decimals < 0 ? 0 : decimals > 17 ? 17 : decimals;
    int n = snprintf(digits, sizeof digits, "%.*f", decimals, v);
    if (decimals) {
        while (digits[n - 1] == '0')
            n--;
        if (digits[n - 1] == '.')
            n--;
    }
    struct str text = str_make(digits, (size_t)n);
    json_raw(o, str_eq(text, STR("-0")) ? STR("0") : text);
}

void json_value(struct json_out *o, yyjson_val *v)
{
    size_t n = 0;
    char *text = yyjson_val_write_opts(v, YYJSON_WRITE_NOFLAG, NULL, &n, NULL);
    if (!text && v)
        die("out of memory: writing a JSON value");
    json_raw(o, text ? str_make(text, n) : STR("null"));
    free(text);
}

/* Eight bytes at once: does any need a look (control, quote, backslash, not ASCII)? The classic tests for a zero byte and a small one. */
static bool plain8(const unsigned char *p)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t w;
    memcpy(&w, p, 8);
    uint64_t quote = w ^ ones * '"', backslash = w ^ ones * '\\';
    return (((w - ones * 0x20) | (quote - ones) | (backslash - ones) | w) & highs) == 0;
}

static size_t plain_run(const unsigned char *p, size_t n) /* how many bytes from p on can go out as they are */
{
    size_t at = 0, bad;
    while (at < n) {
        if (n - at >= 8 && plain8(p + at)) {
            at += 8;
            continue;
        }
        if (p[at] < 0x20 || p[at] == '"' || p[at] == '\\')
            break;
        size_t length = json_utf8(p + at, n - at, &bad);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}

static void escape_one(struct buf *to, unsigned char c)
{
    static const char letters[0x20] = { ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't' };
    char out[6] = { '\\', 'u', '0', '0', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15] };
    if (c >= 0x20)
        out[1] = (char)c;
    else if (letters[c])
        out[1] = letters[c];
    buf_add(to, str_make(out, out[1] == 'u' ? 6 : 2));
}

void json_escape(struct buf *to, struct str text)
{
    const unsigned char *p = (const unsigned char *)text.p;
    buf_reserve(to, text.n);
    for (size_t at = 0, bad; at < text.n;) {
        size_t run = plain_run(p + at, text.n - at);
        buf_add(to, str_make(text.p + at, run));
        at += run;
        if (at == text.n)
            break;
        if (p[at] < 0x80) {
            escape_one(to, p[at++]);
        } else {
            json_utf8(p + at, text.n - at, &bad);
            buf_lit(to, "\xef\xbf\xbd"); /* U+FFFD */
            at += bad;
        }
    }
}
