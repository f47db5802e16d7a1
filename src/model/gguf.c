/* GGUF: magic, version, two counts, key-value pairs, tensor descriptions, padding, data. All numbers little-endian.
 *
 * One walk from front to back through a window. Tensor types that are not in our table are newer than it, and the engine may know them: they are
 * noted as unknown rather than refused. */
#include "model/gguf.h"

#include <errno.h>

enum { WINDOW = 64 * 1024, DEFAULT_ALIGNMENT = 32, MAX_ALIGNMENT = 16 << 20, MAX_DIMENSIONS = 4 };
enum { MIN_KEY_BYTES = 8 + 4 + 1, MIN_TENSOR_BYTES = 8 + 4 + 4 + 8 };
/* Names, texts and arrays together. An arena may waste as much again on the ends of its blocks, and the lists themselves are at most
 * 7 MiB of pairs and 9 MiB of tensors. */
enum { MAX_KEPT = 16 << 20 };
_Static_assert(2 * MAX_KEPT + GGUF_MAX_KEYS * sizeof(struct gguf_pair) + GGUF_MAX_TENSORS * sizeof(struct gguf_tensor) <= GGUF_MAX_MEMORY, "");

static const struct kind {
    unsigned char bytes; /* 0: has no fixed size */
    bool integer, sign;
} kinds[] = {
    [GGUF_U8]  = { 1, true, false }, [GGUF_U16] = { 2, true, false },   [GGUF_U32]    = { 4, true, false },  [GGUF_U64]   = { 8, true, false },
    [GGUF_I8]  = { 1, true, true },  [GGUF_I16] = { 2, true, true },    [GGUF_I32]    = { 4, true, true },   [GGUF_I64]   = { 8, true, true },
    [GGUF_F32] = { 4, false, true }, [GGUF_F64] = { 8, false, true },   [GGUF_BOOL]   = { 1, true, false },
    [GGUF_STRING] = { 0, false, false }, [GGUF_ARRAY] = { 0, false, false },
};

bool gguf_is_integer(enum gguf_type type)
{
    return kinds[type].integer;
}

/* ---- reading ---- */

struct reader {
    const struct gguf_source *source;
    struct arena *arena;
    struct err *e;
    enum err_code rc;     /* the first failure; then nothing is read any more */
    uint64_t at;
    size_t kept;          /* bytes, of MAX_KEPT */
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

static uint64_t little_endian(const unsigned char *raw, size_t n)
{
    uint64_t v = 0;
    while (n-- > 0)
        v = v << 8 | raw[n];
    return v;
}

static bool get_number(struct reader *r, size_t bytes, uint64_t *out)
{
    unsigned char raw[8];
    if (!get(r, raw, bytes))
        return false;
    *out = little_endian(raw, bytes);
    return true;
}

static bool get_u32(struct reader *r, uint32_t *out)
{
    uint64_t v = 0;
    bool ok = get_number(r, 4, &v);
    *out = (uint32_t)v;
    return ok;
}

/* NULL: enough was kept of this file. */
static void *keep(struct reader *r, uint64_t n)
{
    if (n > MAX_KEPT - r->kept)
        return NULL;
    r->kept += (size_t)n;
    return arena_alloc(r->arena, (size_t)n);
}

/* *n: its whole length. Its text only when it is no longer than max and there is room for it. */
static bool get_text(struct reader *r, uint64_t max, uint64_t *n, struct str *out)
{
    if (!get_number(r, 8, n) || !there(r, *n))
        return false;
    char *to = *n <= max ? keep(r, *n + 1) : NULL;
    if (!to)
        return skip(r, *n);
    *out = str_make(to, (size_t)*n);
    return get(r, to, (size_t)*n);
}

/* ---- arrays ---- */

/* As many of the next n strings as lie whole in the window; says how many. What is in the window is in the file. */
static uint64_t skip_strings_in_window(struct reader *r, uint64_t n)
{
    uint64_t into = r->at - r->window_at, done = 0;
    if (r->at < r->window_at || into > r->window_n)
        return 0;
    for (; done < n && r->window_n - into >= 8; done++) {
        uint64_t length = little_endian(r->window + into, 8);
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
        uint64_t length = 0;
        n -= skip_strings_in_window(r, n);
        if (!n)
            break;
        if (!get_number(r, 8, &length) || !skip(r, length)) /* the one at the window's end, and the next window with it */
            return false;
    }
    return true;
}

static int64_t as_integer(enum gguf_type type, uint64_t raw)
{
    unsigned unused = 64 - 8u * kinds[type].bytes;
    if (kinds[type].sign)
        return (int64_t)(raw << unused) >> unused;
    if (type == GGUF_BOOL)
        return raw != 0;
    return raw > INT64_MAX ? INT64_MAX : (int64_t)raw;
}

static bool get_integers(struct reader *r, enum gguf_type type, uint64_t n, int64_t *to)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t raw = 0;
        if (!get_number(r, kinds[type].bytes, &raw))
            return false;
        to[i] = as_integer(type, raw);
    }
    return true;
}

static bool get_array(struct reader *r, struct gguf_value *v)
{
    uint32_t item = 0;
    uint64_t n = 0, bytes = 0;
    if (!get_u32(r, &item) || !get_number(r, 8, &n))
        return false;
    if (item >= COUNTOF(kinds) || item == GGUF_ARRAY)
        return broken(r, "an array of a type that cannot be");
    v->item = (enum gguf_type)item;
    v->n = n;
    if (__builtin_mul_overflow(n, item == GGUF_STRING ? (uint64_t)8 : kinds[item].bytes, &bytes)) /* 8: the length of one */
        return broken(r, "an array longer than the file");
    if (!there(r, bytes))
        return false;
    if (item == GGUF_STRING)
        return skip_strings(r, n);
    int64_t *to = kinds[item].integer && n <= GGUF_MAX_ITEMS ? keep(r, n * sizeof *to) : NULL;
    v->integers = to;
    return to ? get_integers(r, v->item, n, to) : skip(r, bytes);
}

/* ---- key-value pairs ---- */

static double as_real(enum gguf_type type, uint64_t raw)
{
    uint32_t low = (uint32_t)raw;
    float single = 0;
    double real = 0;
    memcpy(&single, &low, sizeof single);
    memcpy(&real, &raw, sizeof real);
    return type == GGUF_F32 ? (double)single : real;
}

static bool get_value(struct reader *r, struct gguf_value *v)
{
    uint32_t type = 0;
    uint64_t raw = 0;
    if (!get_u32(r, &type))
        return false;
    if (type >= COUNTOF(kinds))
        return broken(r, "a value of a type that cannot be");
    v->type = (enum gguf_type)type;
    if (type == GGUF_STRING)
        return get_text(r, GGUF_MAX_TEXT, &v->n, &v->text);
    if (type == GGUF_ARRAY)
        return get_array(r, v);
    if (!get_number(r, kinds[type].bytes, &raw))
        return false;
    if (kinds[type].integer)
        v->integer = as_integer(v->type, raw);
    v->real = kinds[type].integer ? (double)v->integer : as_real(v->type, raw);
    return true;
}

static bool get_pairs(struct reader *r, uint64_t n, struct gguf *g)
{
    struct gguf_pair *pairs = arena_array(r->arena, struct gguf_pair, n);
    for (uint64_t i = 0; i < n; i++) {
        struct gguf_pair pair = { 0 };
        uint64_t length;
        if (!get_text(r, GGUF_MAX_NAME, &length, &pair.key) || !get_value(r, &pair.value))
            return false;
        if (pair.key.p)
            pairs[g->npairs++] = pair;
    }
    g->pairs = pairs;
    return true;
}

static bool find_alignment(struct reader *r, const struct gguf *g, uint64_t *out)
{
    const struct gguf_value *v = gguf_find(g, STR("general.alignment"));
    *out = DEFAULT_ALIGNMENT;
    if (!v || !kinds[v->type].integer)
        return true;
    if (v->integer <= 0 || v->integer > MAX_ALIGNMENT || (v->integer & (v->integer - 1)))
        return broken(r, "general.alignment is no power of two");
    *out = (uint64_t)v->integer;
    return true;
}

/* ---- tensors ---- */

static bool tensor_bytes(struct gguf_tensor *t)
{
    uint64_t all = 1, rows = 1, row = 0;
    for (int i = 0; i < MAX_DIMENSIONS; i++)
        if (__builtin_mul_overflow(all, t->size[i], &all) || all > INT64_MAX || (i && __builtin_mul_overflow(rows, t->size[i], &rows)))
            return false;
    if (!gguf_type_known(t->type))
        return true;
    return gguf_row_bytes(t->type, t->size[0], &row) && !__builtin_mul_overflow(row, rows, &t->bytes);
}

static bool get_tensor(struct reader *r, struct gguf_tensor *t)
{
    uint64_t length;
    if (!get_text(r, GGUF_MAX_NAME, &length, &t->name) || !get_u32(r, &t->dimensions))
        return false;
    if (t->dimensions > MAX_DIMENSIONS)
        return broken(r, "a tensor of more than four dimensions");
    for (uint32_t i = 0; i < MAX_DIMENSIONS; i++) {
        t->size[i] = 1;
        if (i < t->dimensions && !get_number(r, 8, &t->size[i]))
            return false;
    }
    return get_u32(r, &t->type) && get_number(r, 8, &t->at) && (tensor_bytes(t) || broken(r, "a tensor of a size that cannot be"));
}

/* *data_end: of the data alone; the tensors' places are of the data too, until all are known. */
static bool get_tensors(struct reader *r, uint64_t n, struct gguf *g, struct gguf_tensor *tensors, uint64_t *data_end)
{
    for (uint64_t i = 0; i < n; i++) {
        struct gguf_tensor *t = &tensors[i];
        uint64_t end;
        if (!get_tensor(r, t))
            return false;
        if (__builtin_add_overflow(t->at, t->bytes, &end) || __builtin_add_overflow(g->tensor_bytes, t->bytes, &g->tensor_bytes))
            return broken(r, "a tensor of a size that cannot be");
        g->unknown_types = g->unknown_types || !gguf_type_known(t->type);
        *data_end = end > *data_end ? end : *data_end;
    }
    g->tensors = tensors;
    g->ntensors = (size_t)n;
    return true;
}

/* ---- the whole ---- */

static bool get_begin(struct reader *r, struct gguf *g, uint64_t *tensors, uint64_t *keys)
{
    char magic[4];
    if (!get(r, magic, sizeof magic))
        return false;
    if (memcmp(magic, "GGUF", 4) != 0)
        return broken(r, "it does not begin with GGUF");
    if (!get_u32(r, &g->version))
        return false;
    if (g->version && (g->version & 0xffff) == 0)
        return broken(r, "a GGUF for big-endian machines");
    if (g->version < 2 || g->version > 3)
        return broken(r, g->version < 2 ? "a GGUF of version 1, which no engine reads any more" : "a GGUF version newer than 3");
    if (!get_number(r, 8, tensors) || !get_number(r, 8, keys))
        return false;
    if (*keys > GGUF_MAX_KEYS || *tensors > GGUF_MAX_TENSORS)
        return broken(r, "more keys or tensors than any model has");
    if (*keys * MIN_KEY_BYTES + *tensors * MIN_TENSOR_BYTES > r->source->size - r->at)
        return broken(r, "the file ends inside its header");
    return true;
}

static bool read_all(struct reader *r, struct gguf *g)
{
    uint64_t ntensors = 0, nkeys = 0, alignment, data_end = 0;
    if (!get_begin(r, g, &ntensors, &nkeys) || !get_pairs(r, nkeys, g) || !find_alignment(r, g, &alignment))
        return false;
    struct gguf_tensor *tensors = arena_array(r->arena, struct gguf_tensor, ntensors);
    if (!get_tensors(r, ntensors, g, tensors, &data_end))
        return false;
    g->data_at = (r->at + alignment - 1) & ~(alignment - 1); /* at most 1 GiB and 16 MiB: cannot overflow */
    if (__builtin_add_overflow(ntensors ? g->data_at : r->at, data_end, &g->end))
        return broken(r, "a tensor of a size that cannot be");
    for (size_t i = 0; i < g->ntensors; i++)
        tensors[i].at += g->data_at; /* at most g->end */
    g->architecture = gguf_text(g, STR("general.architecture"));
    return true;
}

enum err_code gguf_read(const struct gguf_source *source, struct arena *a, struct gguf *out, struct err *e)
{
    struct reader r;
    struct gguf g = { 0 };
    r.source = source;
    r.arena = a;
    r.e = e;
    r.rc = ERR_OK;
    r.at = r.window_at = 0;
    r.kept = r.window_n = 0;
    if (read_all(&r, &g))
        *out = g;
    return r.rc;
}

/* ---- looking up ---- */

const struct gguf_value *gguf_find(const struct gguf *g, struct str key)
{
    for (size_t i = 0; i < g->npairs; i++)
        if (str_eq(g->pairs[i].key, key))
            return &g->pairs[i].value;
    return NULL;
}

const struct gguf_value *gguf_own(const struct gguf *g, const char *key)
{
    struct str architecture = g->architecture;
    for (size_t i = 0; architecture.n && i < g->npairs; i++) {
        struct str k = g->pairs[i].key;
        if (str_starts(k, architecture) && k.n > architecture.n && k.p[architecture.n] == '.' && str_eq(str_from(k, architecture.n + 1), str_of(key)))
            return &g->pairs[i].value;
    }
    return NULL;
}

int64_t gguf_int(const struct gguf *g, const char *own_key, int64_t otherwise)
{
    const struct gguf_value *v = gguf_own(g, own_key);
    return v && kinds[v->type].integer ? v->integer : otherwise;
}

struct str gguf_text(const struct gguf *g, struct str key)
{
    const struct gguf_value *v = gguf_find(g, key);
    return v && v->text.p ? v->text : STR("");
}
