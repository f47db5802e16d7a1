/* What yyjson does not check: depth, and keys given twice. A splice edits the first of two equal keys, a backend may read the last;
 * so a text with such a pair is refused rather than read in one of the two ways.
 *
 * Small objects compare keys with each other behind a 64-bit filter; large ones sort them, which no choice of keys makes slow. The walk
 * recurses at most JSON_MAX_DEPTH deep. */
#include "json/json_int.h"

#include <stdlib.h>

enum { FEW_KEYS = 16, PATH_KEY_MAX = 32, PATH_SHOWN = 60 }; /* PATH_KEY_MAX: more than the longest name of a field */

/* How the walk came here; read only to name a key in an error. */
struct step {
    const struct step *up;
    yyjson_val *key; /* NULL: an array's item */
    size_t index;
};

static void path_add(struct buf *path, const struct step *s)
{
    if (!s)
        return;
    path_add(path, s->up);
    if (path->n)
        buf_add_char(path, '.');
    if (!s->key) {
        buf_add_int(path, (int64_t)s->index);
        return;
    }
    const char *p = unsafe_yyjson_get_str(s->key);
    size_t n = unsafe_yyjson_get_len(s->key);
    for (size_t i = 0; i < n && i < PATH_KEY_MAX; i++)
        buf_add_char(path, p[i] > ' ' && p[i] < 0x7f ? p[i] : '?');
}

static enum err_code twice(yyjson_val *key, const struct step *up, struct err *e)
{
    struct step last = { up, key, 0 };
    struct buf path = { 0 };
    path_add(&path, &last);
    buf_add_char(&path, 0);
    err_set(e, ERR_BAD_REQUEST, "the key '%.*s' is given twice in the same object", PATH_SHOWN, path.p);
    enum err_code rc = ERR_BAD_REQUEST;
    err_param(e, "%s", path.p);
    buf_free(&path);
    return rc;
}

static bool same(yyjson_val *a, yyjson_val *b)
{
    size_t n = unsafe_yyjson_get_len(a);
    return n == unsafe_yyjson_get_len(b) && memcmp(unsafe_yyjson_get_str(a), unsafe_yyjson_get_str(b), n) == 0;
}

/* Which of 64 bits stands for a key: equal keys share one. */
static uint64_t filter_bit(yyjson_val *key)
{
    const unsigned char *p = (const unsigned char *)unsafe_yyjson_get_str(key);
    size_t n = unsafe_yyjson_get_len(key);
    if (n == 0)
        return 1;
    return (uint64_t)1 << ((n * 5 + p[0] * 3u + p[n - 1] * 7u + p[n / 2]) & 63);
}

/* The second of two equal keys, or NULL. */
static yyjson_val *repeated_of_few(yyjson_val *obj)
{
    yyjson_val *seen[FEW_KEYS];
    size_t n = unsafe_yyjson_get_len(obj), i;
    uint64_t filter = 0;
    yyjson_val *key = unsafe_yyjson_get_first(obj);
    for (i = 0; i < n; i++, key = unsafe_yyjson_get_next(key + 1)) {
        uint64_t bit = filter_bit(key);
        if (filter & bit)
            for (size_t j = 0; j < i; j++)
                if (same(seen[j], key))
                    return key;
        filter |= bit;
        seen[i] = key;
    }
    return NULL;
}

struct entry {
    uint64_t hash;
    yyjson_val *key;
};

static uint64_t hash(yyjson_val *key) /* orders the sort; need not be hard to guess, for ties are ordered by the bytes */
{
    const char *p = unsafe_yyjson_get_str(key);
    size_t n = unsafe_yyjson_get_len(key);
    uint64_t h = n * 0x9e3779b97f4a7c15u, word;
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, p, n);
    h = (h ^ word) * 0xff51afd7ed558ccdu;
    return h ^ h >> 32;
}

static int by_hash(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    size_t an = unsafe_yyjson_get_len(a->key), bn = unsafe_yyjson_get_len(b->key);
    if (an != bn)
        return an < bn ? -1 : 1;
    return memcmp(unsafe_yyjson_get_str(a->key), unsafe_yyjson_get_str(b->key), an);
}

static enum err_code repeated_of_many(yyjson_val *obj, yyjson_val **out, struct err *e)
{
    size_t n = unsafe_yyjson_get_len(obj);
    struct entry *entries = calloc(n, sizeof *entries);
    if (!entries)
        return err_set(e, ERR_SYSTEM, "not enough memory to check %zu keys", n);
    yyjson_val *key = unsafe_yyjson_get_first(obj);
    for (size_t i = 0; i < n; i++, key = unsafe_yyjson_get_next(key + 1))
        entries[i] = (struct entry){ hash(key), key };
    qsort(entries, n, sizeof *entries, by_hash);
    for (size_t i = 1; i < n && !*out; i++)
        if (entries[i - 1].hash == entries[i].hash && same(entries[i - 1].key, entries[i].key))
            *out = entries[i].key;
    free(entries);
    return ERR_OK;
}

static enum err_code check_keys(yyjson_val *obj, const struct step *up, struct err *e)
{
    yyjson_val *key = NULL;
    enum err_code rc = ERR_OK;
    if (unsafe_yyjson_get_len(obj) <= FEW_KEYS)
        key = repeated_of_few(obj);
    else
        rc = repeated_of_many(obj, &key, e);
    return rc ? rc : key ? twice(key, up, e) : ERR_OK;
}

static enum err_code check_container(yyjson_val *v, const struct step *up, int depth, bool unique_keys, struct err *e)
{
    if (depth > JSON_MAX_DEPTH)
        return err_set(e, ERR_BAD_REQUEST, "the JSON is nested more than %d levels deep", JSON_MAX_DEPTH);
    bool object = unsafe_yyjson_is_obj(v);
    enum err_code rc = object && unique_keys ? check_keys(v, up, e) : ERR_OK;
    size_t n = unsafe_yyjson_get_len(v);
    yyjson_val *item = n ? unsafe_yyjson_get_first(v) : NULL;
    for (size_t i = 0; i < n && !rc; i++) {
        yyjson_val *value = object ? item + 1 : item;
        if (unsafe_yyjson_is_ctn(value)) {
            struct step here = { up, object ? item : NULL, i };
            rc = check_container(value, &here, depth + 1, unique_keys, e);
        }
        item = unsafe_yyjson_get_next(value);
    }
    return rc;
}

enum err_code json_check(yyjson_val *root, bool unique_keys, struct err *e)
{
    return unsafe_yyjson_is_ctn(root) ? check_container(root, NULL, 1, unique_keys, e) : ERR_OK;
}
