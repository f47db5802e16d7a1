/* GGUF: magic, version, two counts, key-value pairs, tensor descriptions, padding, data. All numbers little-endian.
 *
 * Keys are looked up in a small table while they go by; everything else is stepped over. Tensor sizes need the type's block: a row is
 * cut into blocks of so many elements, each stored in so many bytes. Types this table does not know are newer than it, and the engine may
 * know them: they are counted as unknown rather than refused. */
#include "model/gguf.h"

#include <errno.h>
#include <stdio.h>

enum { WINDOW = 64 * 1024, KEY_MAX = 128, DEFAULT_ALIGNMENT = 32, MAX_DIMENSIONS = 4 };
enum { MIN_KEY_BYTES = 8 + 4 + 1, MIN_TENSOR_BYTES = 8 + 4 + 4 + 8 };

enum value_type {
    VALUE_U8, VALUE_I8, VALUE_U16, VALUE_I16, VALUE_U32, VALUE_I32, VALUE_F32, VALUE_BOOL, VALUE_STRING, VALUE_ARRAY, VALUE_U64, VALUE_I64, VALUE_F64,
};

static const unsigned char value_bytes[] = { /* 0: has no fixed size */
    [VALUE_U8] = 1, [VALUE_I8] = 1, [VALUE_U16] = 2, [VALUE_I16] = 2, [VALUE_U32] = 4, [VALUE_I32] = 4, [VALUE_F32] = 4, [VALUE_BOOL] = 1,
    [VALUE_STRING] = 0, [VALUE_ARRAY] = 0, [VALUE_U64] = 8, [VALUE_I64] = 8, [VALUE_F64] = 8,
};

static const struct tensor_type {
    uint16_t elements, bytes; /* of a block; 0: no such type (any more) */
} types[] = {
    [0]  = { 1, 4 },     /* f32 */      [1]  = { 1, 2 },     /* f16 */
    [2]  = { 32, 18 },   /* q4_0 */     [3]  = { 32, 20 },   /* q4_1 */
    [6]  = { 32, 22 },   /* q5_0 */     [7]  = { 32, 24 },   /* q5_1 */
    [8]  = { 32, 34 },   /* q8_0 */     [9]  = { 32, 36 },   /* q8_1 */
    [10] = { 256, 84 },  /* q2_K */     [11] = { 256, 110 }, /* q3_K */
    [12] = { 256, 144 }, /* q4_K */     [13] = { 256, 176 }, /* q5_K */
    [14] = { 256, 210 }, /* q6_K */     [15] = { 256, 292 }, /* q8_K */
    [16] = { 256, 66 },  /* iq2_xxs */  [17] = { 256, 74 },  /* iq2_xs */
    [18] = { 256, 98 },  /* iq3_xxs */  [19] = { 256, 50 },  /* iq1_s */
    [20] = { 32, 18 },   /* iq4_nl */   [21] = { 256, 110 }, /* iq3_s */
    [22] = { 256, 82 },  /* iq2_s */    [23] = { 256, 136 }, /* iq4_xs */
    [24] = { 1, 1 },     /* i8 */       [25] = { 1, 2 },     /* i16 */
    [26] = { 1, 4 },     /* i32 */      [27] = { 1, 8 },     /* i64 */
    [28] = { 1, 8 },     /* f64 */      [29] = { 256, 56 },  /* iq1_m */
    [30] = { 1, 2 },     /* bf16 */
    [34] = { 256, 54 },  /* tq1_0 */    [35] = { 256, 66 },  /* tq2_0 */
    [39] = { 32, 17 },   /* mxfp4 */    [40] = { 64, 36 },   /* nvfp4 */
    [41] = { 128, 18 },  /* q1_0 */     [42] = { 64, 18 },   /* q2_0 */
};

bool gguf_type_known(uint32_t type)
{
    return type < COUNTOF(types) && types[type].elements;
}

bool gguf_row_bytes(uint32_t type, uint64_t n, uint64_t *out)
{
    return gguf_type_known(type) && n % types[type].elements == 0 && !__builtin_mul_overflow(n / types[type].elements, types[type].bytes, out);
}

/* ---- reading ---- */

struct reader {
    const struct gguf_source *source;
    struct err *e;
    enum err_code rc;     /* the first failure; then nothing is read any more */
    uint64_t at;
    uint64_t window_at;
    size_t window_n;
    unsigned char window[WINDOW];
};

static bool broken(struct reader *r, const char *what)
{
    if (!r->rc)
        r->rc = err_set(r->e, ERR_WEIGHTS_BROKEN, "%s (at byte %llu of %llu)", what, (unsigned long long)r->at, (unsigned long long)r->source->size);
    return false;
}

static bool there(struct reader *r, uint64_t n) /* that so many bytes follow */
{
    if (n > r->source->size - r->at)
        return broken(r, "the file ends inside its header");
    if (r->at > GGUF_MAX_HEADER || n > GGUF_MAX_HEADER)
        return broken(r, "the header is larger than any model's");
    return !r->rc;
}

static bool skip(struct reader *r, uint64_t n)
{
    if (!there(r, n))
        return false;
    r->at += n;
    return true;
}

static bool fill_window(struct reader *r)
{
    uint64_t left = r->source->size - r->at;
    r->window_at = r->at;
    r->window_n = left < WINDOW ? (size_t)left : WINDOW;
    if (r->source->read(r->source->ctx, r->window_at, r->window, r->window_n))
        return true;
    r->rc = err_sys(r->e, ERR_SYSTEM, errno, "cannot read the model file");
    return false;
}

static bool get(struct reader *r, void *to, size_t n)
{
    unsigned char *out = to;
    if (!there(r, n))
        return false;
    while (n) {
        uint64_t into = r->at - r->window_at;
        if (r->at < r->window_at || into >= r->window_n) {
            if (!fill_window(r))
                return false;
            into = 0;
        }
        size_t part = r->window_n - (size_t)into;
        part = part < n ? part : n;
        memcpy(out, r->window + into, part);
        out += part;
        r->at += part;
        n -= part;
    }
    return true;
}

static bool get_number(struct reader *r, size_t bytes, uint64_t *out)
{
    unsigned char raw[8] = { 0 };
    if (!get(r, raw, bytes))
        return false;
    *out = 0;
    for (size_t i = bytes; i-- > 0;)
        *out = *out << 8 | raw[i];
    return true;
}

static bool get_u32(struct reader *r, uint32_t *out)
{
    uint64_t v = 0;
    bool ok = get_number(r, 4, &v);
    *out = (uint32_t)v;
    return ok;
}

static bool skip_string(struct reader *r)
{
    uint64_t n = 0;
    return get_number(r, 8, &n) && skip(r, n);
}

/* The beginning of a string, as far as it fits, with a NUL; control characters become '?', so that it may be shown. */
static bool get_string(struct reader *r, char *out, size_t size, uint64_t *whole)
{
    if (!get_number(r, 8, whole) || !there(r, *whole))
        return false;
    size_t n = *whole < size - 1 ? (size_t)*whole : size - 1;
    if (!get(r, out, n))
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)out[i] < ' ' || out[i] == 0x7f)
            out[i] = '?';
    out[n] = 0;
    return skip(r, *whole - n);
}

/* ---- key-value pairs ---- */

struct own { /* ARCHITECTURE.key: it may come before general.architecture, so whose it was is kept */
    char of[KEY_MAX];
    uint32_t value;
};

struct wanted {
    struct gguf_head *head;
    uint64_t alignment;
    struct own context, pooling;
};

static uint64_t little_endian(const unsigned char *raw)
{
    uint64_t v = 0;
    for (int i = 8; i-- > 0;)
        v = v << 8 | raw[i];
    return v;
}

/* As many of the next n strings as lie whole in the window; says how many. What is in the window is in the file. */
static uint64_t skip_strings_in_window(struct reader *r, uint64_t n)
{
    uint64_t into = r->at - r->window_at, done = 0;
    if (r->at < r->window_at || into > r->window_n)
        return 0;
    for (; done < n && r->window_n - into >= 8; done++) {
        uint64_t length = little_endian(r->window + into);
        if (length > r->window_n - into - 8)
            break;
        into += 8 + length;
    }
    r->at = r->window_at + into;
    return done;
}

/* A vocabulary is up to a million of them, and most of the time of a look. */
static bool skip_strings(struct reader *r, uint64_t n)
{
    for (; n; n--) {
        n -= skip_strings_in_window(r, n);
        if (!n)
            break;
        if (!skip_string(r)) /* the one at the window's end, and the next window with it */
            return false;
    }
    return true;
}

static bool skip_array(struct reader *r)
{
    uint32_t type = 0;
    uint64_t n = 0, bytes = 0;
    if (!get_u32(r, &type) || !get_number(r, 8, &n))
        return false;
    if (type >= COUNTOF(value_bytes) || type == VALUE_ARRAY)
        return broken(r, "an array of a type that cannot be");
    if (type != VALUE_STRING)
        return __builtin_mul_overflow(n, (uint64_t)value_bytes[type], &bytes) ? broken(r, "an array longer than the file") : skip(r, bytes);
    if (n > (r->source->size - r->at) / 8)
        return broken(r, "an array longer than the file");
    return skip_strings(r, n);
}

static bool skip_value(struct reader *r, uint32_t type)
{
    if (type == VALUE_STRING)
        return skip_string(r);
    if (type == VALUE_ARRAY)
        return skip_array(r);
    return type < COUNTOF(value_bytes) ? skip(r, value_bytes[type]) : broken(r, "a value of a type that cannot be");
}

static bool get_unsigned(struct reader *r, uint32_t type, uint64_t *out)
{
    if (type != VALUE_U16 && type != VALUE_U32 && type != VALUE_U64 && type != VALUE_I32 && type != VALUE_I64)
        return skip_value(r, type);
    return get_number(r, value_bytes[type], out);
}

static bool take_text(struct reader *r, uint32_t type, char *out, size_t size)
{
    uint64_t whole;
    return type == VALUE_STRING ? get_string(r, out, size, &whole) : skip_value(r, type);
}

static bool take_alignment(struct reader *r, uint32_t type, struct wanted *w)
{
    if (!get_unsigned(r, type, &w->alignment))
        return false;
    if (w->alignment == 0 || w->alignment > 16u * 1024 * 1024 || (w->alignment & (w->alignment - 1)))
        return broken(r, "general.alignment is no power of two");
    return true;
}

static bool is_own(const struct own *own, const struct gguf_head *head)
{
    return str_eq(str_of(own->of), str_of(head->architecture));
}

static bool take_own(struct reader *r, uint32_t type, struct own *own, const struct gguf_head *head, struct str architecture)
{
    uint64_t v = 0;
    if (head->architecture[0] && is_own(own, head)) /* has it already */
        return skip_value(r, type);
    if (!get_unsigned(r, type, &v))
        return false;
    own->value = v <= INT32_MAX ? (uint32_t)v : 0;
    snprintf(own->of, sizeof own->of, "%.*s", STR_ARG(architecture));
    return true;
}

static bool take_template(struct reader *r, uint32_t type, struct wanted *w)
{
    uint64_t whole = 0;
    char begin[2];
    if (type != VALUE_STRING)
        return skip_value(r, type);
    if (!get_string(r, begin, sizeof begin, &whole))
        return false;
    w->head->has_chat_template = whole > 0;
    return true;
}

static bool take_split(struct reader *r, uint32_t type, struct wanted *w)
{
    uint64_t v = 0;
    if (!get_unsigned(r, type, &v))
        return false;
    w->head->split_count = v < 10000 ? (uint32_t)v : 0;
    return true;
}

static bool read_pair(struct reader *r, struct wanted *w)
{
    static const struct str context = STR(".context_length"), pooling = STR(".pooling_type");
    char name[KEY_MAX];
    uint64_t whole = 0;
    uint32_t type = 0;
    if (!get_string(r, name, sizeof name, &whole) || !get_u32(r, &type))
        return false;
    struct str key = whole < sizeof name ? str_of(name) : STR("");
    if (str_eq(key, STR("general.architecture")))
        return take_text(r, type, w->head->architecture, sizeof w->head->architecture);
    if (str_eq(key, STR("general.name")))
        return take_text(r, type, w->head->name, sizeof w->head->name);
    if (str_eq(key, STR("general.type")))
        return take_text(r, type, w->head->type, sizeof w->head->type);
    if (str_eq(key, STR("general.alignment")))
        return take_alignment(r, type, w);
    if (str_eq(key, STR("tokenizer.chat_template")))
        return take_template(r, type, w);
    if (str_eq(key, STR("split.count")))
        return take_split(r, type, w);
    if (str_ends(key, context))
        return take_own(r, type, &w->context, w->head, str_make(key.p, key.n - context.n));
    if (str_ends(key, pooling))
        return take_own(r, type, &w->pooling, w->head, str_make(key.p, key.n - pooling.n));
    return skip_value(r, type);
}

/* ---- tensors ---- */

static bool read_tensor(struct reader *r, struct gguf_head *head, uint64_t *data_end)
{
    uint32_t dimensions = 0, type = 0;
    uint64_t size = 1, n, offset = 0, end;
    if (!skip_string(r) || !get_u32(r, &dimensions))
        return false;
    if (dimensions > MAX_DIMENSIONS)
        return broken(r, "a tensor of more than four dimensions");
    uint64_t row = 1;
    for (uint32_t i = 0; i < dimensions; i++) {
        if (!get_number(r, 8, &n))
            return false;
        if (i == 0)
            row = n;
        else if (__builtin_mul_overflow(size, n, &size))
            return broken(r, "a tensor of a size that cannot be");
    }
    if (!get_u32(r, &type) || !get_number(r, 8, &offset))
        return false;
    uint64_t row_bytes = 0, bytes = 0;
    if (!gguf_type_known(type))
        head->unknown_types = true;
    else if (!gguf_row_bytes(type, row, &row_bytes) || __builtin_mul_overflow(row_bytes, size, &bytes))
        return broken(r, "a tensor of a size that cannot be");
    if (__builtin_add_overflow(offset, bytes, &end) || __builtin_add_overflow(head->tensor_bytes, bytes, &head->tensor_bytes))
        return broken(r, "a tensor of a size that cannot be");
    if (end > *data_end)
        *data_end = end;
    return true;
}

static bool read_magic(struct reader *r, struct gguf_head *head)
{
    char magic[4];
    if (!get(r, magic, sizeof magic))
        return false;
    if (memcmp(magic, "GGUF", 4) != 0)
        return broken(r, "it does not begin with GGUF");
    if (!get_u32(r, &head->version))
        return false;
    if (head->version && (head->version & 0xffff) == 0)
        return broken(r, "a GGUF for big-endian machines");
    if (head->version < 2 || head->version > 3)
        return broken(r, head->version < 2 ? "a GGUF of version 1, which no engine reads any more" : "a GGUF version newer than 3");
    return get_number(r, 8, &head->tensors) && get_number(r, 8, &head->keys);
}

static bool read_all(struct reader *r, struct gguf_head *head)
{
    struct wanted w = { .head = head, .alignment = DEFAULT_ALIGNMENT };
    uint64_t data_end = 0;
    if (!read_magic(r, head))
        return false;
    if (head->keys > GGUF_MAX_KEYS || head->tensors > GGUF_MAX_TENSORS)
        return broken(r, "more keys or tensors than any model has");
    if (head->keys * MIN_KEY_BYTES + head->tensors * MIN_TENSOR_BYTES > r->source->size - r->at)
        return broken(r, "the file ends inside its header");
    for (uint64_t i = 0; i < head->keys; i++)
        if (!read_pair(r, &w))
            return false;
    for (uint64_t i = 0; i < head->tensors; i++)
        if (!read_tensor(r, head, &data_end))
            return false;
    head->data_at = (r->at + w.alignment - 1) & ~(w.alignment - 1); /* at most 1 GiB and 16 MiB: cannot overflow */
    if (__builtin_add_overflow(head->tensors ? head->data_at : r->at, data_end, &head->end))
        return broken(r, "a tensor of a size that cannot be");
    head->context_train = is_own(&w.context, head) ? w.context.value : 0;
    head->pooling = is_own(&w.pooling, head) ? w.pooling.value : 0;
    return true;
}

enum err_code gguf_read_head(const struct gguf_source *source, struct gguf_head *out, struct err *e)
{
    struct reader r;
    struct gguf_head head = { 0 };
    r.source = source;
    r.e = e;
    r.rc = ERR_OK;
    r.at = r.window_at = 0;
    r.window_n = 0;
    if (read_all(&r, &head))
        *out = head;
    return r.rc;
}
