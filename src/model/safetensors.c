/* The length is held against the file before anything of the text is read, and the text against JSON before anything of it is believed. Then the
 * tensors are put in the order of their places: each must begin where the one before it ends, and the last must end where the file does. */
#include "model/safetensors.h"

#include "json/json.h"
#include "model/file.h"

#include <errno.h>
#include <stdlib.h>

enum { LENGTH_BYTES = 8 };

/* Bits, for there are halves of bytes. */
static const struct dtype {
    struct str name;
    const char *shown;
    unsigned bits;
} dtypes[] = {
    { STR("BF16"), "bf16", 16 },       { STR("F16"), "f16", 16 },         { STR("F32"), "f32", 32 },        { STR("F64"), "f64", 64 },
    { STR("F8_E4M3"), "f8_e4m3", 8 },  { STR("F8_E5M2"), "f8_e5m2", 8 },  { STR("F8_E8M0"), "f8_e8m0", 8 },
    { STR("F8_E4M3FNUZ"), "f8_e4m3fnuz", 8 }, { STR("F8_E5M2FNUZ"), "f8_e5m2fnuz", 8 },
    { STR("F6_E2M3"), "f6_e2m3", 6 },  { STR("F6_E3M2"), "f6_e3m2", 6 },  { STR("F4"), "f4", 4 },
    { STR("I8"), "i8", 8 },            { STR("I16"), "i16", 16 },         { STR("I32"), "i32", 32 },        { STR("I64"), "i64", 64 },
    { STR("U8"), "u8", 8 },            { STR("U16"), "u16", 16 },         { STR("U32"), "u32", 32 },        { STR("U64"), "u64", 64 },
    { STR("BOOL"), "bool", 8 },        { STR("C64"), "c64", 64 },
};

struct reading {
    struct arena *arena;
    struct safetensors out;
    struct safetensor *tensors;
    uint64_t room;          /* bytes of data in the file */
    struct err *e;
    enum err_code rc;
};

static bool broken(struct reading *r, const char *what)
{
    if (!r->rc)
        r->rc = err_set(r->e, ERR_WEIGHTS_BROKEN, "%s", what);
    return false;
}

static bool broken_tensor(struct reading *r, struct str name, const char *what)
{
    char shown[80];
    model_shown(shown, sizeof shown, name);
    if (!r->rc)
        r->rc = err_set(r->e, ERR_WEIGHTS_BROKEN, "the tensor '%s' %s", shown, what);
    return false;
}

static const struct dtype *find_dtype(struct str name)
{
    for (size_t i = 0; i < COUNTOF(dtypes); i++)
        if (str_eq(dtypes[i].name, name))
            return &dtypes[i];
    return NULL;
}

/* The product of the shape; false when it is none. */
static bool count_elements(yyjson_val *shape, int64_t *out)
{
    size_t i, n;
    yyjson_val *size;
    int64_t all = 1;
    if (!yyjson_is_arr(shape))
        return false;
    yyjson_arr_foreach(shape, i, n, size)
        if (!yyjson_is_uint(size) || yyjson_get_uint(size) > INT64_MAX || __builtin_mul_overflow(all, (int64_t)yyjson_get_uint(size), &all))
            return false;
    *out = all;
    return true;
}

static bool read_place(yyjson_val *offsets, struct safetensor *t)
{
    yyjson_val *begin = yyjson_arr_get(offsets, 0), *end = yyjson_arr_get(offsets, 1);
    if (yyjson_arr_size(offsets) != 2 || !yyjson_is_uint(begin) || !yyjson_is_uint(end) || yyjson_get_uint(end) < yyjson_get_uint(begin))
        return false;
    t->at = yyjson_get_uint(begin);
    t->bytes = yyjson_get_uint(end) - t->at;
    return true;
}

static bool size_agrees(const struct safetensor *t, const struct dtype *dtype)
{
    int64_t bits = 0;
    return !dtype || (!__builtin_mul_overflow(t->elements, (int64_t)dtype->bits, &bits) && bits % 8 == 0 && (uint64_t)(bits / 8) == t->bytes);
}

static bool read_tensor(struct reading *r, struct str name, yyjson_val *said)
{
    struct safetensor t = { .name = name };
    yyjson_val *type = yyjson_obj_get(said, "dtype");
    const struct dtype *dtype = find_dtype(json_str(type));
    if (!yyjson_is_str(type))
        return broken_tensor(r, name, "has no dtype");
    if (!count_elements(yyjson_obj_get(said, "shape"), &t.elements))
        return broken_tensor(r, name, "has a shape that cannot be");
    if (!read_place(yyjson_obj_get(said, "data_offsets"), &t))
        return broken_tensor(r, name, "has a place that cannot be");
    if (!size_agrees(&t, dtype))
        return broken_tensor(r, name, "has a place of another size than its shape");
    t.type = dtype ? dtype->shown : "unknown";
    t.name = arena_copy(r->arena, name);
    r->out.unknown_types = r->out.unknown_types || !dtype;
    r->tensors[r->out.n++] = t;
    return true;
}

static int by_place(const void *a, const void *b)
{
    const struct safetensor *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes); /* empty ones lie between others */
}

static bool check_places(struct reading *r)
{
    uint64_t at = 0;
    if (r->out.n)
        qsort(r->tensors, r->out.n, sizeof *r->tensors, by_place);
    for (size_t i = 0; i < r->out.n; i++) {
        const struct safetensor *t = &r->tensors[i];
        if (t->at < at)
            return broken_tensor(r, t->name, "lies over another");
        if (t->at > at)
            return broken_tensor(r, t->name, "leaves a hole before it");
        at = t->at + t->bytes; /* its end, which was a number of the file */
    }
    r->out.bytes = at;
    r->out.tensors = r->tensors;
    if (at > r->room && !r->rc)
        r->rc = err_set(r->e, ERR_WEIGHTS_BROKEN, "it is cut short: it is %llu bytes, its header promises %llu", (unsigned long long)(r->out.data_at + r->room),
            (unsigned long long)(r->out.data_at + at < at ? UINT64_MAX : r->out.data_at + at));
    if (at < r->room)
        broken(r, "it goes on behind its last tensor");
    return !r->rc;
}

static bool read_json(struct reading *r, struct str text)
{
    struct json_doc d;
    struct err why = { 0 };
    size_t i, n;
    yyjson_val *key, *value;
    if (json_parse(&d, text, &why)) {
        if (!r->rc)
            r->rc = err_set(r->e, ERR_WEIGHTS_BROKEN, "its header is no JSON: %.200s", why.text);
        return false;
    }
    if (!yyjson_is_obj(d.root))
        broken(r, "its header is no JSON object");
    else if (yyjson_obj_size(d.root) > SAFETENSORS_MAX_TENSORS)
        broken(r, "more tensors than any model has");
    r->tensors = r->rc ? NULL : arena_array(r->arena, struct safetensor, yyjson_obj_size(d.root));
    if (!r->rc)
        yyjson_obj_foreach(d.root, i, n, key, value)
            if (!str_eq(json_str(key), STR("__metadata__")) && !read_tensor(r, json_str(key), value))
                break;
    json_free(&d);
    return !r->rc && check_places(r);
}

static bool read_length(struct reading *r, const struct gguf_source *source, uint64_t *n)
{
    unsigned char raw[LENGTH_BYTES];
    if (source->size < sizeof raw)
        return broken(r, "it ends inside its header");
    if (!source->read(source->ctx, 0, raw, sizeof raw)) {
        r->rc = err_sys(r->e, ERR_SYSTEM, errno, "cannot read the model file");
        return false;
    }
    *n = 0;
    for (size_t i = sizeof raw; i-- > 0;)
        *n = *n << 8 | raw[i];
    if (*n > SAFETENSORS_MAX_HEADER)
        return broken(r, "it does not begin as a safetensors file: the length of its header cannot be");
    return *n <= source->size - sizeof raw || broken(r, "it ends inside its header");
}

static bool read_text(struct reading *r, const struct gguf_source *source, char *to, size_t n)
{
    if (source->read(source->ctx, LENGTH_BYTES, to, n))
        return true;
    r->rc = err_sys(r->e, ERR_SYSTEM, errno, "cannot read the model file");
    return false;
}

enum err_code safetensors_read(const struct gguf_source *source, struct arena *a, struct safetensors *out, struct err *e)
{
    struct reading r = { .arena = a, .e = e };
    uint64_t n = 0;
    if (!read_length(&r, source, &n))
        return r.rc;
    char *text = malloc((size_t)n + 1);
    if (!text)
        return err_set(e, ERR_SYSTEM, "out of memory: %llu bytes for a header", (unsigned long long)n);
    r.out.data_at = LENGTH_BYTES + n;
    r.room = source->size - r.out.data_at;
    if (read_text(&r, source, text, (size_t)n) && read_json(&r, str_make(text, (size_t)n)))
        *out = r.out;
    free(text);
    return r.rc;
}
