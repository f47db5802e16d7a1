/* The header of a model behind an address, without the model: parts of the file are asked for as the reader comes to them, 1 MiB first and 4 after.
 * The parts of a split model are read one after the other. */
#include "cli/fit.h"

#include "http/web.h"
#include "model/files.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_BYTES = 1 << 20, NEXT_BYTES = 4 << 20 };

struct remote {
    struct str url;
    struct buf window;          /* bytes from window_at on */
    uint64_t window_at;
    int64_t whole;              /* of the file; -1 = not told yet */
    bool ranged;
    struct err e;               /* why the last read failed */
};

static bool take_head(void *ctx, const struct web_head *head)
{
    struct remote *r = ctx;
    r->whole = head->whole_bytes;
    r->ranged = head->ranged;
    return true;
}

static bool take_bytes(void *ctx, struct str bytes)
{
    struct remote *r = ctx;
    size_t room = NEXT_BYTES > r->window.n ? NEXT_BYTES - r->window.n : 0;
    buf_add(&r->window, str_make(bytes.p, bytes.n < room ? bytes.n : room));
    return bytes.n < room; /* who does not know ranges sends all of it: then the beginning is all there will be */
}

static enum err_code status_error(const struct remote *r, int status, struct err *e)
{
    if (status == 401 || status == 403)
        return err_set(e, ERR_UP_AUTH, "%.150s is not open to everybody (%d)", r->url.p, status);
    if (status == 404)
        return err_set(e, ERR_WEIGHTS_MISSING, "there is nothing at %.200s", r->url.p);
    return err_set(e, ERR_UP_STATUS, "%.200s answers %d", r->url.p, status);
}

static enum err_code fetch(struct remote *r, uint64_t at, int64_t bytes, struct err *e)
{
    struct web_answer answer;
    struct web_get g = { .url = r->url, .from = (int64_t)at, .bytes = bytes, .on_head = take_head, .on_bytes = take_bytes, .ctx = r };
    r->window.n = 0;
    r->window_at = at;
    enum err_code rc = web_fetch(&g, &answer, e);
    if (rc == ERR_CALLER_GONE && r->window.n) /* we had enough */
        rc = ERR_OK;
    if (!rc && answer.status != 200 && answer.status != 206)
        rc = status_error(r, answer.status, e);
    else if (!rc && at && !r->ranged)
        rc = err_set(e, ERR_UP_GARBLED, "%.150s does not answer for parts of a file, and its header is larger than 4 MiB", r->url.p);
    buf_free(&answer.body);
    return rc;
}

static bool read_at(void *ctx, uint64_t at, void *to, size_t n)
{
    struct remote *r = ctx;
    char *out = to;
    while (n) {
        uint64_t into = at - r->window_at;
        if (at < r->window_at || into >= r->window.n) {
            if (fetch(r, at, NEXT_BYTES, &r->e) || !r->window.n) {
                errno = EIO;
                return false;
            }
            into = 0;
        }
        size_t part = r->window.n - (size_t)into;
        part = part < n ? part : n;
        memcpy(out, r->window.p + into, part);
        out += part;
        at += part;
        n -= part;
    }
    return true;
}

static enum err_code read_one(struct str url, struct arena *a, struct gguf *out, struct err *e)
{
    struct remote r = { .url = arena_copy(a, url), .whole = -1 };
    enum err_code rc = fetch(&r, 0, FIRST_BYTES, e);
    if (!rc && r.whole < 0)
        rc = err_set(e, ERR_UP_GARBLED, "%.150s does not say how long the file is", r.url.p);
    struct gguf_source source = { .read = read_at, .ctx = &r, .size = rc ? 0 : (uint64_t)r.whole };
    struct err why = { 0 };
    struct gguf g;
    if (!rc)
        rc = gguf_read(&source, a, &g, &why);
    if (rc && why.code)
        rc = r.e.code ? err_set(e, r.e.code, "%s", r.e.text) : err_set(e, rc, "%.120s: %.160s", r.url.p, why.text);
    if (!rc && g.end > source.size)
        rc = err_set(e, ERR_WEIGHTS_BROKEN, "%.120s is cut short: it has %llu bytes of %llu", r.url.p, (unsigned long long)source.size,
            (unsigned long long)g.end);
    if (!rc)
        *out = g;
    buf_free(&r.window);
    return rc;
}

/* The others' tensors on top of the first's. */
static enum err_code add_part(struct str url, struct shape *s, struct err *e)
{
    struct arena a;
    struct gguf g;
    arena_init(&a);
    enum err_code rc = read_one(url, &a, &g, e);
    for (size_t i = 0; !rc && i < g.ntensors; i++) {
        int64_t n = (int64_t)(g.tensors[i].size[0] * g.tensors[i].size[1] * g.tensors[i].size[2] * g.tensors[i].size[3]);
        s->params += n;
        s->params_active += str_find(g.tensors[i].name, STR("_exps")) >= 0 && s->experts ? n / s->experts * s->experts_used : n;
    }
    if (!rc)
        s->weights_bytes += (int64_t)g.tensor_bytes;
    arena_fini(&a);
    return rc;
}

enum err_code fit_web_shape(struct str url, struct arena *a, struct shape *out, struct err *e)
{
    struct gguf g;
    struct model_part part;
    struct shape s;
    struct err why = { 0 };
    bool split = model_part_read(url, &part);
    enum err_code rc = read_one(split ? model_part_path(a, &part, 1) : url, a, &g, e);
    if (rc)
        return rc;
    rc = shape_of_gguf(&g, a, &s, &why);
    if (rc)
        return err_set(e, rc, "%.*s: %.160s", url.n < 120 ? (int)url.n : 120, url.p, why.text);
    for (int64_t i = 2; split && i <= part.of && !rc; i++)
        rc = add_part(model_part_path(a, &part, i), &s, e);
    if (!rc)
        *out = s;
    return rc;
}
