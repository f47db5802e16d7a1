/* One window of the file is kept: headers are read from front to back. */
#include "model/remote.h"

#include "http/web.h"
#include "model/retry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct remote {
    struct str url;
    struct secret token;
    int64_t idle_ms;
    int64_t size;               /* -1 until the first answer */
    int64_t at;                 /* where the window begins in the file */
    struct buf window;
    int64_t fetched;
    bool refused;               /* the answer is none of use: said in why */
    struct err why;
    enum err_code failed;
};

static enum err_code refuse(struct remote *r, enum err_code code, const char *what)
{
    r->refused = true;
    return err_set(&r->why, code, "%s", what);
}

static bool on_head(void *ctx, const struct web_head *h)
{
    struct remote *r = ctx;
    char text[200];
    if (!h->ranged || h->whole_bytes < 0) {
        snprintf(text, sizeof text, "%.*s does not heed ranges, or does not say how large the file is: its header cannot be read alone", STR_ARG(h->host));
        refuse(r, ERR_UP_GARBLED, text);
        return false;
    }
    if (r->size >= 0 && h->whole_bytes != r->size) {
        refuse(r, ERR_UP_GARBLED, "the file changed while its header was read");
        return false;
    }
    r->size = h->whole_bytes;
    return true;
}

static bool on_bytes(void *ctx, struct str bytes)
{
    struct remote *r = ctx;
    r->fetched += (int64_t)bytes.n;
    if (!buf_feed(&r->window, bytes, &r->why))
        return true;
    refuse(r, ERR_UP_GARBLED, "more came than was asked for");
    return false;
}

static enum err_code by_status(struct remote *r, const struct web_answer *w)
{
    static const struct {
        int status;
        enum err_code code;
    } rows[] = { { 401, ERR_UP_AUTH }, { 403, ERR_UP_AUTH }, { 404, ERR_NOT_FOUND }, { 429, ERR_UP_BUSY }, { 500, ERR_UP_STATUS },
        { 502, ERR_UP_STATUS }, { 503, ERR_UP_STATUS }, { 504, ERR_UP_STATUS } };
    enum err_code code = ERR_UP_GARBLED;
    if (w->status == 206)
        return ERR_OK;
    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (rows[i].status == w->status)
            code = rows[i].code;
    return err_set(&r->why, code, "%s answered %d", w->final_host, w->status);
}

/* The window becomes [at, at + bytes), cut at the end of the file. */
static enum err_code fetch(struct remote *r, int64_t at, int64_t bytes)
{
    struct retry again = { 0 };
    for (;;) {
        struct web_answer w;
        struct err why;
        struct web_get g = { .url = r->url, .bearer = r->token, .from = at, .bytes = bytes, .idle_ms = r->idle_ms, .on_head = on_head,
            .on_bytes = on_bytes, .ctx = r };
        r->at = at;
        r->refused = false;
        buf_free(&r->window);
        buf_init(&r->window, (size_t)bytes);
        enum err_code rc = web_fetch(&g, &w, &why);
        if (r->refused)
            rc = r->why.code;
        else if (rc)
            r->why = why;
        if (!rc)
            rc = by_status(r, &w);
        buf_free(&w.body);
        int64_t due = r->size - at < bytes ? r->size - at : bytes;
        if (!rc && (int64_t)r->window.n < due)
            rc = err_set(&r->why, ERR_UP_RESET, "%s sent less than it promised", w.final_host);
        if (!retry_may_help(rc) || !retry_pause(&again, w.retry_after_s))
            return r->failed = rc;
    }
}

static bool read_remote(void *ctx, uint64_t at, void *to, size_t n)
{
    struct remote *r = ctx;
    int64_t from = (int64_t)at, end = from + (int64_t)n;
    if (from < r->at || end > r->at + (int64_t)r->window.n) {
        int64_t step = 2 * (int64_t)r->window.n < REMOTE_STEP_BYTES ? 2 * (int64_t)r->window.n : REMOTE_STEP_BYTES;
        int64_t left = r->size - from;
        step = step < (int64_t)n ? (int64_t)n : step;
        if (r->fetched > REMOTE_MAX_BYTES)
            r->failed = err_set(&r->why, ERR_UP_GARBLED, "its header takes more than %d MiB", REMOTE_MAX_BYTES >> 20);
        else if (!r->failed && end <= r->size)
            (void)!fetch(r, from, step < left ? step : left);
    }
    if (r->failed || from < r->at || end > r->at + (int64_t)r->window.n) {
        errno = EIO;
        return false;
    }
    memcpy(to, r->window.p + (from - r->at), n);
    return true;
}

enum err_code remote_open(struct str url, struct secret token, int64_t idle_ms, struct remote **out, struct err *e)
{
    struct remote *r = calloc(1, sizeof *r);
    if (!r)
        die("out of memory for a remote file");
    char *copy = malloc(url.n + token.hidden.n + 1);
    if (!copy)
        die("out of memory for a remote file");
    memcpy(copy, url.p, url.n);
    if (token.hidden.n)
        memcpy(copy + url.n, token.hidden.p, token.hidden.n);
    *r = (struct remote){ .url = { copy, url.n }, .token = { { copy + url.n, token.hidden.n } }, .idle_ms = idle_ms, .size = -1 };
    enum err_code rc = fetch(r, 0, REMOTE_FIRST_BYTES);
    if (rc) {
        *e = r->why;
        remote_close(r);
        return rc;
    }
    *out = r;
    return ERR_OK;
}

void remote_close(struct remote *r)
{
    if (!r)
        return;
    buf_free(&r->window);
    free((char *)(uintptr_t)r->url.p);
    free(r);
}

struct gguf_source remote_source(struct remote *r)
{
    return (struct gguf_source){ .read = read_remote, .ctx = r, .size = (uint64_t)r->size };
}

const struct err *remote_error(const struct remote *r)
{
    return r->failed ? &r->why : NULL;
}

int64_t remote_fetched_bytes(const struct remote *r)
{
    return r->fetched;
}
