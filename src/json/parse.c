/* Reading: a padded copy, yyjson's in-situ parse of it, then the checks that yyjson leaves to us.
 *
 * In situ means that string values point into the copy and only a string's own bytes are moved when its escapes are decoded, to the
 * left within the string. So a string's start in the copy is its start in the original: that is what span.c lives on. */
#include "base/large.h"
#include "json/json_int.h"

#include <stdlib.h>

void json_scratch_free(struct json_scratch *s)
{
    buf_free(&s->copy);
    buf_free(&s->pool);
}

/* An allocator for one block, the tree, which stays for the next document. Should the parser ever want a second one at the same time,
 * it gets it from malloc. */
static void *pool_malloc(void *ctx, size_t n)
{
    struct buf *pool = ctx;
    if (pool->n)
        return malloc(n);
    char *p = buf_reserve(pool, n);
    pool->n = n;
    return p;
}

static void *pool_realloc(void *ctx, void *old, size_t old_n, size_t n)
{
    struct buf *pool = ctx;
    if (old != pool->p)
        return realloc(old, n);
    if (n > pool->n)
        buf_reserve(pool, n - pool->n);
    pool->n = n;
    return pool->p;
}

static void pool_free(void *ctx, void *p)
{
    struct buf *pool = ctx;
    if (p == pool->p)
        pool->n = 0;
    else
        free(p);
}

static void pad(char *copy, struct str text)
{
    if (text.n)
        memcpy(copy, text.p, text.n);
    memset(copy + text.n, 0, YYJSON_PADDING_SIZE);
}

/* The tree of a large text. How large it will be is not known, only how large at most; and a block that grows is copied, or moved to small pages. So it is given
 * room for all at once: what is not touched costs nothing. (Not for less: of prose a first page is touched, and a large one would be too much.) */
struct tree_room {
    void *block;
    size_t n, most;
};

static void *tree_malloc(void *ctx, size_t n)
{
    enum { LARGE_TREE_BYTES = 4 * 1024 * 1024 };
    struct tree_room *r = ctx;
    if (n < LARGE_TREE_BYTES)
        return malloc(n);
    r->n = n > r->most ? n : r->most;
    r->block = large_alloc(r->n);
    return r->block ? r->block : malloc(n);
}

static void *tree_realloc(void *ctx, void *old, size_t old_n, size_t n)
{
    struct tree_room *r = ctx;
    if (old != r->block)
        return realloc(old, n);
    if (n <= r->n)
        return old;
    r->block = NULL;
    return realloc(old, n);
}

static void tree_free(void *ctx, void *p) /* the room is gone by then */
{
    free(p);
}

/* d->copy, of which n bytes are text. */
static void parse_copy(struct json_doc *d, size_t n, yyjson_read_err *why)
{
    struct tree_room room = { .most = n * (JSON_TREE_COST + JSON_TREE_COST / 2) }; /* it grows by half */
    const yyjson_alc alc = { tree_malloc, tree_realloc, tree_free, &room };
    d->doc = yyjson_read_opts(d->copy, n, YYJSON_READ_INSITU, &alc, why);
    d->root = yyjson_doc_get_root(d->doc);
}

/* Why yyjson has refused it, in our words; in its own where our reading finds nothing wrong (a number past a double's range). */
static enum err_code refused(struct str text, const yyjson_read_err *why, struct err *e)
{
    if (why->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return err_set(e, ERR_SYSTEM, "not enough memory to read %zu bytes of JSON", text.n);
    enum err_code rc = json_explain(text, e);
    if (!rc)
        rc = err_set(e, ERR_INVALID_JSON, "invalid JSON at byte %zu: %s", why->pos, why->msg ? why->msg : "not readable");
    return rc;
}

enum err_code json_parse(struct json_doc *d, struct str text, struct err *e)
{
    *d = (struct json_doc){ 0 };
    struct json_doc got = { .text = text, .owned = true, .copy = large_alloc(text.n + YYJSON_PADDING_SIZE) };
    if (!got.copy)
        return err_set(e, ERR_SYSTEM, "not enough memory to read %zu bytes of JSON", text.n);
    pad(got.copy, text);
    yyjson_read_err why = { 0 };
    parse_copy(&got, text.n, &why);
    enum err_code rc = got.doc ? json_check(got.root, true, e) : refused(text, &why, e);
    if (rc)
        json_free(&got);
    else
        *d = got;
    return rc;
}

/* True when the shrunk copy could be parsed; *d is whole then, but not yet checked. */
static bool parse_copy_with_gaps(struct json_doc *d)
{
    size_t n = d->text.n - d->gaps[d->ngaps - 1].total;
    d->copy = large_alloc(n + YYJSON_PADDING_SIZE);
    if (!d->copy)
        return false;
    json_copy_shrunk(d->copy, d->text, d->gaps, d->ngaps);
    memset(d->copy + n, 0, YYJSON_PADDING_SIZE);
    yyjson_read_err why;
    parse_copy(d, n, &why);
    return d->doc != NULL;
}

enum err_code json_parse_shrunk(struct json_doc *d, struct str text, struct str member, const struct json_shrink *by, struct err *e)
{
    *d = (struct json_doc){ 0 };
    struct json_doc got = { .text = text, .owned = true };
    got.ngaps = json_shrink(text, member, by, &got.gaps);
    if (!got.ngaps || !parse_copy_with_gaps(&got)) {
        json_free(&got);
        return json_parse(d, text, e);
    }
    enum err_code rc = json_check(got.root, true, e);
    if (rc)
        json_free(&got);
    else
        *d = got;
    return rc;
}

enum err_code json_parse_cut(struct json_doc *d, struct str text, struct str member, struct err *e)
{
    static const struct json_shrink by = { .longer_than = 128 * 1024, .keep = 4096 + 12, .patience = 16 }; /* 12: a character may be written so long */
    return json_parse_shrunk(d, text, member, &by, e);
}

static enum err_code parse_into(struct json_doc *d, struct str text, struct json_scratch *s, bool unique_keys, struct err *e)
{
    *d = (struct json_doc){ 0 };
    buf_reset(&s->copy, SIZE_MAX);
    buf_reset(&s->pool, SIZE_MAX);
    struct json_doc got = { .text = text, .copy = buf_reserve(&s->copy, text.n + YYJSON_PADDING_SIZE) };
    pad(got.copy, text);
    yyjson_read_err why = { 0 };
    const yyjson_alc pool = { pool_malloc, pool_realloc, pool_free, &s->pool };
    got.doc = yyjson_read_opts(got.copy, text.n, YYJSON_READ_INSITU, &pool, &why);
    got.root = yyjson_doc_get_root(got.doc);
    enum err_code rc = got.doc ? json_check(got.root, unique_keys, e) : refused(text, &why, e);
    if (!rc)
        *d = got;
    return rc;
}

size_t json_doc_bytes(const struct json_doc *d)
{
    return d->doc ? yyjson_doc_get_val_count(d->doc) * sizeof(struct yyjson_val) : 0;
}

/* Each value but the first comes behind one of these. Those in strings count, too: it is what there may be at most. */
size_t json_tree_bytes(struct str text)
{
    size_t n = 2;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == ',' || text.p[i] == ':' || text.p[i] == '[' || text.p[i] == '{';
    return n * sizeof(struct yyjson_val);
}

enum err_code json_parse_fast(struct json_doc *d, struct str text, struct json_scratch *s, struct err *e)
{
    return parse_into(d, text, s, false, e);
}

enum err_code json_parse_sure(struct json_doc *d, struct str text, struct json_scratch *s, struct err *e)
{
    return parse_into(d, text, s, true, e);
}

void json_free(struct json_doc *d)
{
    if (d->owned) {
        yyjson_doc_free(d->doc);
        free(d->copy);
        free(d->gaps);
    }
    *d = (struct json_doc){ 0 };
}
