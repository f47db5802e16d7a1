/* Embeddings: numbers in, numbers or base64 out. */
#include "api/embed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct embeddings {
    struct embeddings_wish wish;
    struct buf floats;       /* one after the other, each `kept` long */
    size_t count;
    size_t dimensions;       /* of the model; 0 = not known yet */
    size_t kept;             /* of each, in floats */
};

struct embeddings *embeddings_new(const struct embeddings_wish *w)
{
    struct embeddings *v = calloc(1, sizeof *v);
    if (!v)
        die("out of memory for embeddings");
    v->wish = *w;
    return v;
}

void embeddings_free(struct embeddings *v)
{
    if (!v)
        return;
    buf_free(&v->floats);
    free(v);
}

/* ---- base64 (RFC 4648, section 4) ---- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void put_base64(struct buf *out, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        unsigned v = (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0u);
        char four[4] = { digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=', left > 2 ? digits[v & 63] : '=' };
        buf_add(out, str_make(four, 4));
    }
}

static bool take_base64(struct buf *out, struct str text)
{
    unsigned v = 0, bits = 0;
    while (text.n && text.p[text.n - 1] == '=')
        text.n--;
    for (size_t i = 0; i < text.n; i++) {
        int d = digit_value(text.p[i]);
        if (d < 0)
            return false;
        v = v << 6 | (unsigned)d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_add_char(out, (char)(v >> bits & 255));
        }
    }
    return true;
}

/* ---- in ---- */

static void add_float(struct buf *to, float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    const char bytes[4] = { (char)(u & 255), (char)(u >> 8 & 255), (char)(u >> 16 & 255), (char)(u >> 24) };
    buf_add(to, str_make(bytes, 4));
}

static float float_at(const struct buf *from, size_t i)
{
    const unsigned char *p = (const unsigned char *)from->p + 4 * i;
    uint32_t u = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* All of one embedding's floats, little endian, behind what is in `to`. */
static bool read_floats(struct buf *to, yyjson_val *embedding)
{
    if (yyjson_is_str(embedding))
        return take_base64(to, json_str(embedding));
    size_t i, n;
    yyjson_val *v;
    bool ok = yyjson_is_arr(embedding);
    yyjson_arr_foreach(embedding, i, n, v) {
        ok &= yyjson_is_num(v);
        add_float(to, (float)yyjson_get_num(v));
    }
    return ok;
}

/* Cuts the newest embedding to what is kept, and brings it to length 1 again. */
static void cut(struct embeddings *v, size_t begun)
{
    double sum = 0;
    v->floats.n = begun + 4 * v->kept;
    for (size_t i = begun / 4; i < v->floats.n / 4; i++)
        sum += (double)float_at(&v->floats, i) * (double)float_at(&v->floats, i);
    if (sum <= 0)
        return;
    struct buf scaled = { 0 };
    for (size_t i = begun / 4; i < v->floats.n / 4; i++)
        add_float(&scaled, (float)((double)float_at(&v->floats, i) / sqrt(sum)));
    v->floats.n = begun;
    buf_add(&v->floats, buf_str(&scaled));
    buf_free(&scaled);
}

/* JSON knows no infinity: what would come out is none. */
static bool are_finite(const struct buf *floats, size_t begun)
{
    for (size_t i = begun / 4; i < floats->n / 4; i++)
        if (!isfinite(float_at(floats, i)))
            return false;
    return true;
}

static enum err_code learn_dimensions(struct embeddings *v, size_t n, struct err *e)
{
    if (v->wish.dimensions > (int64_t)n) {
        err_set(e, ERR_INVALID_REQUEST, "'dimensions' is %lld, but this model's embeddings have %zu.", (long long)v->wish.dimensions, n);
        return err_param(e, "dimensions");
    }
    v->dimensions = n;
    v->kept = v->wish.dimensions ? (size_t)v->wish.dimensions : n;
    return ERR_OK;
}

static enum err_code take_one(struct embeddings *v, yyjson_val *embedding, struct err *e)
{
    size_t begun = v->floats.n;
    bool ok = read_floats(&v->floats, embedding);
    size_t n = (v->floats.n - begun) / 4;
    if (!ok || !n || (v->floats.n - begun) % 4 || !are_finite(&v->floats, begun))
        return err_set(e, ERR_UP_GARBLED, "it sent an embedding that is no list of numbers");
    if (!v->dimensions && learn_dimensions(v, n, e))
        return e->code;
    if (n != v->dimensions)
        return err_set(e, ERR_UP_GARBLED, "its embeddings differ in length (%zu and %zu)", v->dimensions, n);
    if (v->kept < n)
        cut(v, begun);
    v->count++;
    return ERR_OK;
}

enum err_code embeddings_take(struct embeddings *v, yyjson_val *root, size_t count, struct err *e)
{
    yyjson_val *data = yyjson_obj_get(root, "data"), *item;
    size_t i, n;
    if (yyjson_arr_size(data) != count)
        return err_set(e, ERR_UP_GARBLED, "it sent %zu embeddings for %zu inputs", yyjson_arr_size(data), count);
    yyjson_arr_foreach(data, i, n, item) {
        yyjson_val *index = yyjson_obj_get(item, "index");
        if (index && (!yyjson_is_uint(index) || yyjson_get_uint(index) != i))
            return err_set(e, ERR_UP_GARBLED, "its embeddings are out of order");
        if (take_one(v, yyjson_obj_get(item, "embedding"), e))
            return e->code;
    }
    return ERR_OK;
}

bool embeddings_differ(const struct embeddings *v, yyjson_val *root)
{
    yyjson_val *first = yyjson_obj_get(yyjson_arr_get_first(yyjson_obj_get(root, "data")), "embedding");
    return yyjson_is_str(first) != v->wish.base64 || v->kept < v->dimensions;
}

/* ---- out ---- */

enum { FLOAT_CHARS = 32 };

/* Nine digits give the same float again. A vector's numbers are mostly below 10: those are written by hand, five times as fast as by printf, which for
 * a large batch is a matter of 100 ms that everybody else would wait. Returns the length. */
static size_t write_float(char to[FLOAT_CHARS], float f)
{
    double scaled = fabs((double)f) * 1e8; /* then brought to nine digits before the point */
    int decimals = 8;
    for (; scaled < 1e8 && decimals < 13; decimals++)
        scaled *= 10;
    if (scaled < 1e8 || scaled >= 999999999.5)
        return (size_t)snprintf(to, FLOAT_CHARS, "%.9g", (double)f);
    size_t at = 0;
    int64_t n = llround(scaled);
    if (f < 0)
        to[at++] = '-';
    size_t end = at + 2 + (size_t)decimals, last = end; /* one digit, the point, the decimals */
    for (size_t i = end; i-- > at; n /= 10) {
        if (i == at + 1)
            to[i--] = '.';
        to[i] = (char)('0' + n % 10);
    }
    while (to[last - 1] == '0')
        last--;
    return to[last - 1] == '.' ? last - 1 : last;
}

static void put_embedding(struct json_out *o, const struct embeddings *v, size_t i)
{
    const unsigned char *p = (const unsigned char *)v->floats.p + 4 * v->kept * i;
    json_key(o, STR("embedding"));
    if (v->wish.base64) {
        struct buf text = { 0 };
        put_base64(&text, p, 4 * v->kept);
        json_string(o, buf_str(&text));
        buf_free(&text);
        return;
    }
    json_begin_array(o);
    for (size_t k = 0; k < v->kept; k++) {
        char number[FLOAT_CHARS];
        json_raw(o, str_make(number, write_float(number, float_at(&v->floats, v->kept * i + k))));
    }
    json_end_array(o);
}

static void put_usage(struct json_out *o, const struct tokens *t)
{
    json_key(o, STR("usage"));
    json_begin_object(o);
    json_key(o, STR("prompt_tokens"));
    json_int(o, t->input);
    json_key(o, STR("total_tokens"));
    json_int(o, t->input);
    json_end_object(o);
}

void embeddings_write(const struct embeddings *v, const struct tokens *t, struct str routing, struct buf *out)
{
    struct json_out o = json_out(out);
    json_begin_object(&o);
    json_key(&o, STR("object"));
    json_string(&o, STR("list"));
    json_key(&o, STR("data"));
    json_begin_array(&o);
    for (size_t i = 0; i < v->count; i++) {
        json_begin_object(&o);
        json_key(&o, STR("object"));
        json_string(&o, STR("embedding"));
        json_key(&o, STR("index"));
        json_int(&o, (int64_t)i);
        put_embedding(&o, v, i);
        json_end_object(&o);
    }
    json_end_array(&o);
    json_key(&o, STR("model"));
    json_string(&o, v->wish.model);
    if (t->input >= 0)
        put_usage(&o, t);
    if (routing.n) {
        json_key(&o, STR("_routing"));
        json_raw(&o, routing);
    }
    json_end_object(&o);
}
