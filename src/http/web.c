/* What may be asked, and where a redirect may lead. The bytes come by the module (web_curl.c), one hop at a time; a hop's body is handed on only when
 * it is the last one's. */
#include "http/web.h"

#include "http/web_module.h"
#include "http/web_url.h"

#include <stdio.h>

enum { IDLE_MS = 60 * 1000, MAX_TOKEN_BYTES = 1024, MAX_RETRY_AFTER_S = 3600 };

struct fetch {
    const struct web_get *g;
    struct web_answer *out;
    struct web_url at;           /* who is asked now */
    struct buf url, next;        /* its text; where it redirects to */
    bool may_authorize;          /* still the first origin */
    /* the answer being read */
    int status;
    bool has_range, compressed;
    bool enough;                 /* we ended it, having read what is of use */
    int64_t from, whole_bytes, length;
    char etag[256];
    enum err_code failed;        /* why a callback of ours ended it */
    struct err *e;
};

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool is_body(int status)
{
    return status == 200 || status == 206;
}

static enum err_code fail(struct fetch *f, enum err_code code, const char *what)
{
    char shown[160];
    return f->failed = err_set(f->e, code, "%s: %s", web_url_show(buf_str(&f->url), shown, sizeof shown), what);
}

/* ---- fields ---- */

/* "bytes 100-199/1000", "bytes 100-199/" and a star. */
static bool read_content_range(struct str value, int64_t *from, int64_t *whole)
{
    struct str rest, total;
    int64_t to;
    if (!str_starts(value, STR("bytes ")))
        return false;
    struct str span = str_cut(str_trim(str_from(value, 6)), '/', &total);
    struct str first = str_cut(span, '-', &rest);
    if (!str_to_int(first, 0, INT64_MAX - 1, from) || !str_to_int(rest, *from, INT64_MAX - 1, &to))
        return false;
    *whole = -1;
    return str_eq(total, STR("*")) || (str_to_int(total, 1, INT64_MAX, whole) && to < *whole);
}

static void take_text(char *out, size_t room, struct str value)
{
    bool plain = value.n < room;
    for (size_t i = 0; plain && i < value.n; i++)
        plain = value.p[i] >= ' ' && value.p[i] < 0x7F;
    snprintf(out, room, "%.*s", plain ? (int)value.n : 0, value.n ? value.p : "");
}

static bool field_location(struct fetch *f, struct str value)
{
    return !is_redirect(f->status) || !web_url_join(&f->at, value, &f->next, f->e) || !fail(f, ERR_UP_GARBLED, "it redirects to nowhere");
}

static bool field_length(struct fetch *f, struct str value)
{
    return str_to_int(value, 0, INT64_MAX, &f->length) || !fail(f, ERR_UP_GARBLED, "its Content-Length is no number");
}

static bool field_range(struct fetch *f, struct str value)
{
    f->has_range = f->status == 206;
    return f->status != 206 || read_content_range(value, &f->from, &f->whole_bytes) || !fail(f, ERR_UP_GARBLED, "its Content-Range cannot be read");
}

static bool field_etag(struct fetch *f, struct str value)
{
    take_text(f->etag, sizeof f->etag, value);
    return true;
}

static bool field_encoding(struct fetch *f, struct str value)
{
    f->compressed = !str_eq_nocase(value, STR("identity"));
    return true;
}

static bool field_error_code(struct fetch *f, struct str value)
{
    take_text(f->out->error_code, sizeof f->out->error_code, value);
    return true;
}

static bool field_retry_after(struct fetch *f, struct str value)
{
    int64_t s;
    if (str_to_int(value, 0, INT32_MAX, &s)) /* else a date: as if it were not there */
        f->out->retry_after_s = (int)(s < MAX_RETRY_AFTER_S ? s : MAX_RETRY_AFTER_S);
    return true;
}

static const struct field {
    const char *name;
    bool (*take)(struct fetch *f, struct str value);
} fields[] = {
    { "location",         field_location },
    { "content-length",   field_length },
    { "content-range",    field_range },
    { "content-encoding", field_encoding },
    { "etag",             field_etag },
    { "x-error-code",     field_error_code },
    { "retry-after",      field_retry_after },
};

/* ---- an answer, as it comes ---- */

static bool on_status(void *ctx, int status)
{
    struct fetch *f = ctx;
    f->status = status;
    f->has_range = f->compressed = f->enough = false;
    f->from = 0;
    f->whole_bytes = f->length = -1;
    f->etag[0] = f->out->error_code[0] = 0;
    f->out->retry_after_s = 0;
    buf_reset(&f->next, WEB_MAX_URL);
    buf_reset(&f->out->body, WEB_REFUSAL_BYTES);
    return true;
}

static bool on_field(void *ctx, struct str name, struct str value)
{
    for (size_t i = 0; i < COUNTOF(fields); i++)
        if (str_eq_nocase(name, str_of(fields[i].name)))
            return fields[i].take(ctx, value);
    return true;
}

static bool asks_range(const struct web_get *g)
{
    return g->from > 0 || g->bytes > 0;
}

static bool on_fields_end(void *ctx)
{
    struct fetch *f = ctx;
    const struct web_get *g = f->g;
    if (!is_body(f->status))
        return true;
    if (f->compressed)
        return !fail(f, ERR_UP_GARBLED, "it sends the file compressed, which nobody asked for");
    if (f->status == 206 && (!asks_range(g) || !f->has_range || f->from != g->from))
        return !fail(f, ERR_UP_GARBLED, "it sends another range than was asked for");
    if (f->status == 200)
        f->whole_bytes = f->length;
    struct web_head head = { .status = f->status, .ranged = f->status == 206, .from = f->from, .whole_bytes = f->whole_bytes,
        .etag = str_of(f->etag), .host = f->at.host };
    return !g->on_head || g->on_head(g->ctx, &head);
}

/* Of what is no file no more is read than is of use. */
static bool keep_some(struct fetch *f, struct str bytes)
{
    struct buf *body = &f->out->body;
    size_t room = body->n < WEB_REFUSAL_BYTES ? WEB_REFUSAL_BYTES - body->n : 0;
    buf_add(body, str_make(bytes.p, bytes.n < room ? bytes.n : room));
    f->enough = bytes.n >= room;
    return !f->enough;
}

static bool on_body(void *ctx, struct str bytes)
{
    struct fetch *f = ctx;
    if (!is_body(f->status))
        return keep_some(f, bytes);
    if (f->g->on_bytes)
        return f->g->on_bytes(f->g->ctx, bytes);
    return !buf_feed(&f->out->body, bytes, f->e) || !fail(f, ERR_TOO_LARGE, "the answer is larger than it may be");
}

static bool on_wait(void *ctx)
{
    struct fetch *f = ctx;
    return !f->g->on_wait || f->g->on_wait(f->g->ctx);
}

/* ---- hops ---- */

static enum err_code hop(struct fetch *f, const struct web_module *m)
{
    const struct web_get *g = f->g;
    char range[64] = "", authorization[MAX_TOKEN_BYTES + 16] = "", if_range[sizeof f->etag] = "", ca[1024] = "", shown[160];
    struct err why = { 0 };
    if (g->bytes > 0)
        snprintf(range, sizeof range, "%lld-%lld", (long long)g->from, (long long)(g->from + g->bytes - 1));
    else if (g->from > 0)
        snprintf(range, sizeof range, "%lld-", (long long)g->from);
    if (f->may_authorize && g->bearer.hidden.n)
        snprintf(authorization, sizeof authorization, "Bearer %.*s", STR_ARG(g->bearer.hidden));
    if (range[0])
        take_text(if_range, sizeof if_range, g->if_range);
    snprintf(ca, sizeof ca, "%.*s", STR_ARG(g->ca));
    struct web_hop h = {
        .url = f->url.p, .authorization = authorization[0] ? authorization : NULL, .range = range[0] ? range : NULL,
        .if_range = if_range[0] ? if_range : NULL, .ca = ca[0] ? ca : NULL, .direct = f->at.loopback, .idle_ms = g->idle_ms ? g->idle_ms : IDLE_MS,
        .idle_bytes = WEB_IDLE_BYTES, .on_status = on_status, .on_field = on_field, .on_fields_end = on_fields_end, .on_body = on_body,
        .on_wait = on_wait, .ctx = f,
    };
    f->failed = ERR_OK;
    enum err_code rc = m->get(&h, &why);
    if (f->failed)
        return f->failed;
    if (rc && !f->enough) {
        err_set(f->e, rc, "%s: %.160s", web_url_show(buf_str(&f->url), shown, sizeof shown), why.text);
        return err_hint(f->e, "%s", why.hint);
    }
    return ERR_OK;
}

/* Takes f->url as who is asked; f->at points into it from now on. */
static enum err_code settle(struct fetch *f)
{
    *buf_reserve(&f->url, 1) = 0; /* curl wants a NUL behind it */
    return web_url_parse(buf_str(&f->url), &f->at, f->e);
}

/* Who was asked last says where to go on. */
static enum err_code follow(struct fetch *f)
{
    struct web_url from = f->at, to;
    struct err why;
    char shown[160];
    if (!f->next.n)
        return fail(f, ERR_UP_GARBLED, "it redirects without saying where");
    if (web_url_parse(buf_str(&f->next), &to, &why))
        return fail(f, ERR_UP_GARBLED, why.text);
    if (to.loopback && !from.loopback)
        return fail(f, ERR_UP_GARBLED, "it redirects to this machine itself");
    log_debug("%.*s redirects to %s", STR_ARG(from.host), web_url_show(buf_str(&f->next), shown, sizeof shown));
    f->may_authorize = f->may_authorize && web_url_same_origin(&from, &to);
    struct buf old = f->url;
    f->url = f->next;
    f->next = old;
    return settle(f);
}

static enum err_code check(const struct web_get *g, struct err *e)
{
    struct str token = g->bearer.hidden;
    bool plain = token.n <= MAX_TOKEN_BYTES;
    for (size_t i = 0; plain && i < token.n; i++)
        plain = token.p[i] > ' ' && token.p[i] < 0x7F;
    if (!plain)
        return err_set(e, ERR_INVALID_REQUEST, "the token holds a character that may not stand in one, or is longer than %d bytes", MAX_TOKEN_BYTES);
    if (g->from < 0 || g->bytes < 0 || g->bytes > INT64_MAX - g->from)
        return err_set(e, ERR_INVALID_REQUEST, "no such range of a file");
    return ERR_OK;
}

static enum err_code go(struct fetch *f)
{
    const struct web_module *m;
    enum err_code rc = web_module_get(&m, f->e);
    for (int hops = 0; !rc; hops++) {
        rc = hop(f, m);
        snprintf(f->out->final_host, sizeof f->out->final_host, "%.*s", STR_ARG(f->at.host));
        if (rc || !is_redirect(f->status))
            break;
        if (hops == WEB_MAX_REDIRECTS)
            return fail(f, ERR_UP_GARBLED, "more than 10 redirects");
        rc = follow(f);
    }
    f->out->status = f->status;
    f->out->ranged = f->status == 206;
    return rc;
}

enum err_code web_fetch(const struct web_get *g, struct web_answer *out, struct err *e)
{
    struct err unheard;
    struct fetch f = { .g = g, .out = out, .may_authorize = true, .e = e ? e : &unheard };
    *out = (struct web_answer){ 0 };
    buf_init(&out->body, g->body_max ? g->body_max : WEB_REFUSAL_BYTES);
    enum err_code rc = check(g, f.e);
    if (!rc) {
        buf_add(&f.url, g->url);
        rc = settle(&f);
    }
    if (!rc)
        rc = go(&f);
    buf_free(&f.url);
    buf_free(&f.next);
    return rc;
}
