/* From sources in order to one whole file. What came is hashed as it comes; what lay there from before is hashed first. */
#include "model/pull.h"

#include "http/web_url.h"
#include "model/part.h"
#include "model/retry.h"
#include "model/weights.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    PROGRESS_BYTES = 64 * 1024, /* so much brought by a try, and the tries are counted anew */
    MIRROR_TRIES = 2,           /* of one that others come after */
    MAX_ANEW = 3,               /* how often a source may change its mind about the file */
};

struct pull {
    const struct pull_ask *ask;
    struct pull_result *out;
    struct part part;
    struct sha256 *hash;        /* of the part's bytes, all of them */
    int64_t began;              /* bytes from before this run that are still in it */
    bool mixed;                 /* its bytes are of more than one answer */
    const struct pull_source *source;
    int tries;                  /* of this source, in a row */
    char asked_etag[256];       /* the range was asked for only if it is still this */
    enum err_code failed;       /* why a callback ended the answer */
    bool anew;                  /* it was ended to be asked for from the start */
    struct err *e;
};

/* ---- words ---- */

__attribute__((format(printf, 2, 3))) static void say(struct pull *p, const char *fmt, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (p->ask->on_word)
        p->ask->on_word(p->ask->ctx, text);
}

static bool go_on(struct pull *p)
{
    return !p->ask->go_on || p->ask->go_on(p->ask->ctx);
}

static void progress(struct pull *p, enum pull_phase phase, int64_t done, int64_t total)
{
    struct pull_progress now = { .phase = phase, .done_bytes = done, .total_bytes = total, .began_bytes = p->began };
    if (p->ask->on_progress)
        p->ask->on_progress(p->ask->ctx, &now);
}

static bool knows_hash(const struct pull *p)
{
    return p->ask->sha256.n > 0;
}

/* ---- what lies there ---- */

static enum err_code start_anew(struct pull *p)
{
    sha256_free(p->hash);
    p->hash = NULL;
    p->began = 0;
    p->mixed = false;
    enum err_code rc = part_cut(&p->part, 0, p->e);
    return rc ? rc : sha256_new(&p->hash, p->e);
}

static bool on_hashed(void *ctx, int64_t done)
{
    struct pull *p = ctx;
    progress(p, PULL_CHECKING, done, p->part.have);
    return go_on(p);
}

static bool is_strong(const char *etag)
{
    return etag[0] == '"' && etag[1] && etag[1] != '"';
}

/* Why what is there is of no use; NULL: it may be. */
static const char *no_use(const struct pull *p)
{
    const struct pull_ask *a = p->ask;
    const struct part_note *n = &p->part.note;
    if ((a->bytes >= 0 && (p->part.have > a->bytes || (n->bytes >= 0 && n->bytes != a->bytes))) ||
        (a->sha256.n && n->sha256[0] && !str_eq(a->sha256, str_of(n->sha256))))
        return "what lies there is a part of another file";
    if (!a->sha256.n && (!n->url[0] || !is_strong(n->etag)))
        return "it cannot be known of what file the part that lies there is";
    return NULL;
}

static enum err_code take_up(struct pull *p)
{
    const char *why = p->part.have ? no_use(p) : NULL;
    if (why)
        say(p, "%s: starting anew", why);
    enum err_code rc = why ? start_anew(p) : sha256_new(&p->hash, p->e);
    if (rc || !p->part.have)
        return rc;
    bool decides = knows_hash(p) && p->ask->bytes >= 0; /* nobody need be asked any more when all is there */
    if (!decides && p->part.note.bytes >= 0 && p->part.have >= p->part.note.bytes) /* its last byte asks whether it is still the same */
        rc = part_cut(&p->part, p->part.note.bytes > 0 ? p->part.note.bytes - 1 : 0, p->e);
    if (!rc)
        rc = sha256_feed_fd(p->hash, p->part.fd, p->part.have, on_hashed, p, p->e);
    p->began = p->part.have;
    p->mixed = p->part.have > 0;
    return rc;
}

/* ---- an answer ---- */

static bool end(struct pull *p, enum err_code code)
{
    p->failed = code;
    return false;
}

/* The server sends all of it although a range was asked for. */
static enum err_code all_comes(struct pull *p, const struct web_head *h)
{
    bool changed = p->asked_etag[0] && h->etag.n && !str_eq(h->etag, str_of(p->asked_etag));
    say(p, changed ? "the file at %.*s is another one now: starting anew" : "%.*s does not heed ranges: starting anew", STR_ARG(h->host));
    return start_anew(p);
}

static bool on_head(void *ctx, const struct web_head *h)
{
    struct pull *p = ctx;
    const struct pull_ask *a = p->ask;
    struct part_note note = { .bytes = h->whole_bytes >= 0 ? h->whole_bytes : a->bytes };
    if (a->bytes >= 0 && h->whole_bytes >= 0 && h->whole_bytes != a->bytes) {
        err_set(p->e, ERR_WEIGHTS_BROKEN, "%.*s has a file of %lld bytes under that name, it should have %lld", STR_ARG(h->host),
            (long long)h->whole_bytes, (long long)a->bytes);
        return end(p, ERR_WEIGHTS_BROKEN);
    }
    if (h->ranged && p->part.note.bytes >= 0 && note.bytes != p->part.note.bytes) {
        say(p, "the file at %.*s is another one now: starting anew", STR_ARG(h->host));
        p->anew = true;
        return false;
    }
    enum err_code rc = !h->ranged && p->part.have ? all_comes(p, h) : ERR_OK;
    snprintf(note.url, sizeof note.url, "%.*s", STR_ARG(p->source->url));
    snprintf(note.etag, sizeof note.etag, "%.*s", STR_ARG(h->etag));
    snprintf(note.sha256, sizeof note.sha256, "%.*s", STR_ARG(a->sha256));
    if (!rc && note.bytes > p->part.have) {
        size_t n = strlen(p->part.path) - strlen(p->part.name) - strlen(".part");
        rc = pull_check_space(str_make(p->part.path, n), note.bytes - p->part.have, p->e);
    }
    if (!rc)
        rc = part_write_note(&p->part, &note, p->e);
    p->mixed = p->mixed || h->ranged;
    return rc ? end(p, rc) : true;
}

static bool on_bytes(void *ctx, struct str bytes)
{
    struct pull *p = ctx;
    if (p->part.note.bytes >= 0 && p->part.have + (int64_t)bytes.n > p->part.note.bytes) {
        err_set(p->e, ERR_UP_GARBLED, "more came than the %lld bytes that were promised", (long long)p->part.note.bytes);
        return end(p, ERR_UP_GARBLED);
    }
    int64_t before = p->part.have;
    enum err_code rc = part_add(&p->part, bytes, p->e);
    size_t written = (size_t)(p->part.have - before); /* on a full disk a piece of it may be */
    sha256_feed(p->hash, str_make(bytes.p, written));
    p->out->fetched_bytes += (int64_t)written;
    progress(p, PULL_FETCHING, p->part.have, p->part.note.bytes);
    return rc ? end(p, rc) : true;
}

static bool on_wait(void *ctx)
{
    struct pull *p = ctx;
    progress(p, PULL_FETCHING, p->part.have, p->part.note.bytes);
    return go_on(p);
}

/* ---- a source ---- */

/* Did the hub itself answer, not a mirror, nor whom it redirected to? */
static bool is_hubs(const struct pull *p, const struct web_answer *w)
{
    struct web_url hub, asked;
    struct err e;
    return !web_url_parse(p->ask->hub->base, &hub, &e) && !web_url_parse(p->source->url, &asked, &e) && web_url_same_origin(&hub, &asked) &&
           str_eq(hub.host, str_of(w->final_host));
}

static enum err_code by_status(struct pull *p, const struct web_answer *w)
{
    static const struct hub_name nobody;
    if (w->status == 200 || w->status == 206)
        return ERR_OK;
    if (w->status == 416 && p->part.have) { /* it is no longer so long */
        say(p, "the file at %s is another one now: starting anew", w->final_host);
        p->anew = true;
        return ERR_CALLER_GONE;
    }
    return hub_refusal(p->ask->hub, is_hubs(p, w) ? p->ask->name : &nobody, str_of(w->final_host), w, p->e);
}

/* One request for what is missing. ERR_OK: all is there. */
static enum err_code fetch(struct pull *p)
{
    struct web_answer w;
    struct err why;
    const struct part_note *n = &p->part.note;
    p->asked_etag[0] = 0;
    if (p->part.have && !knows_hash(p))
        snprintf(p->asked_etag, sizeof p->asked_etag, "%s", n->etag);
    struct web_get g = { .url = p->source->url, .bearer = p->source->token, .from = p->part.have, .if_range = str_of(p->asked_etag),
        .idle_ms = p->ask->idle_ms, .on_head = on_head, .on_bytes = on_bytes, .on_wait = on_wait, .ctx = p };
    p->failed = ERR_OK;
    p->anew = false;
    enum err_code rc = web_fetch(&g, &w, &why);
    if (p->failed)
        rc = p->failed;
    else if (rc)
        *p->e = why;
    else
        rc = by_status(p, &w);
    p->e->retry_after_s = w.retry_after_s;
    if (!rc && n->bytes >= 0 && p->part.have < n->bytes)
        rc = err_set(p->e, ERR_UP_RESET, "%s sent less than it promised", w.final_host);
    snprintf(p->out->host, sizeof p->out->host, "%s", w.final_host);
    buf_free(&w.body);
    return rc;
}

/* Is what is there of use for this source? Else from the start. */
static enum err_code prepare(struct pull *p)
{
    const struct part_note *n = &p->part.note;
    if (!p->part.have || knows_hash(p) || (is_strong(n->etag) && str_eq(str_of(n->url), p->source->url)))
        return ERR_OK;
    say(p, "whether the other file is the same cannot be known: starting anew");
    return start_anew(p);
}

static bool is_all_there(const struct pull *p)
{
    return knows_hash(p) && p->ask->bytes >= 0 && p->part.have == p->ask->bytes;
}

/* Waits for the next try, if there is one. What counts as a success is more of the file than there ever was: who starts anew each time, or breaks off at
 * the same place, gets no further tries for it. */
static enum err_code next_try(struct pull *p, struct retry *again, int64_t *most, enum err_code rc)
{
    int after_s = p->e->retry_after_s;
    if (p->part.have - *most >= PROGRESS_BYTES) {
        *most = p->part.have;
        again->failed = 0;
    }
    if (!retry_may_help(rc))
        return rc;
    if (again->failed + 1 < again->tries)
        say(p, "%s; trying again", p->e->text);
    if (retry_pause(again, after_s))
        return ERR_OK;
    return go_on(p) ? rc : err_set(p->e, ERR_CALLER_GONE, "stopped");
}

/* Until all is there, as far as trying again helps. */
static enum err_code fetch_all(struct pull *p)
{
    struct retry again = { .tries = p->tries, .on_wait = on_wait, .ctx = p };
    enum err_code rc = ERR_OK;
    int64_t most = p->part.have;
    int anew = 0;
    while (!rc && !is_all_there(p)) {
        rc = prepare(p);
        if (!rc)
            rc = fetch(p);
        if (!rc)
            return ERR_OK;
        if (p->anew && ++anew > MAX_ANEW)
            return err_set(p->e, ERR_UP_GARBLED, "%s has another file each time it is asked", p->out->host);
        rc = p->anew ? start_anew(p) : next_try(p, &again, &most, rc);
    }
    return rc;
}

static enum err_code verify(struct pull *p)
{
    struct weights w;
    struct err why;
    progress(p, PULL_VERIFYING, p->part.have, p->part.have);
    sha256_end(p->hash, p->out->sha256);
    p->hash = NULL;
    p->out->verified = knows_hash(p) && str_eq(p->ask->sha256, str_of(p->out->sha256));
    if (knows_hash(p) && !p->out->verified)
        return err_set(p->e, ERR_WEIGHTS_BROKEN, "%s: its SHA-256 is %s, it should be %.*s; it was removed", p->part.name, p->out->sha256,
            STR_ARG(p->ask->sha256));
    if (!p->ask->check_header || !weights_check(p->part.path, &w, &why))
        return ERR_OK;
    if (p->out->verified) { /* a kind newer than this program, perhaps */
        say(p, "it is the file that was asked for, yet: %s", why.text);
        return ERR_OK;
    }
    err_set(p->e, ERR_WEIGHTS_BROKEN, "what came is no model: %.230s", why.text);
    return err_hint(p->e, "it was removed");
}

/* All of it from one source, as it should be; else nothing of it is left. */
static enum err_code from_source(struct pull *p)
{
    enum err_code rc = fetch_all(p);
    if (rc)
        return rc;
    bool mixed = p->mixed;
    rc = verify(p);
    if (!rc)
        return ERR_OK;
    struct err why = *p->e;
    if (start_anew(p))
        return p->e->code;
    if (!mixed) {
        *p->e = why;
        return rc;
    }
    say(p, "what was put together of several pieces is not the file: starting anew");
    rc = fetch_all(p);
    if (!rc && (rc = verify(p))) {
        why = *p->e;
        if (start_anew(p))
            return p->e->code;
        *p->e = why;
    }
    return rc;
}

static enum err_code from_sources(struct pull *p)
{
    enum err_code rc = ERR_SYSTEM;
    for (size_t i = 0; i < p->ask->nsources; i++) {
        p->source = &p->ask->sources[i];
        p->tries = i + 1 < p->ask->nsources ? MIRROR_TRIES : RETRY_TRIES;
        rc = from_source(p);
        if (!rc || rc == ERR_SYSTEM || rc == ERR_CALLER_GONE)
            return rc;
        if (i + 1 < p->ask->nsources)
            say(p, "%s; trying the next place", p->e->text);
    }
    return rc;
}

/* ---- what is there under the name itself ---- */

static bool on_compared(void *ctx, int64_t done)
{
    struct pull *p = ctx;
    progress(p, PULL_CHECKING, done, p->out->bytes);
    return go_on(p);
}

/* *there: it is what was asked for. ERR_SYSTEM: it is something else. Done again once the part is locked: another pull may have ended meanwhile. */
static enum err_code look(struct pull *p, bool *there)
{
    struct stat st;
    const struct pull_ask *a = p->ask;
    *there = false;
    if (lstat(a->target.p, &st) || (a->force && !S_ISDIR(st.st_mode)))
        return ERR_OK;
    if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
        return err_set(p->e, ERR_SYSTEM, "%.200s is there already, and no file", a->target.p);
    if (stat(a->target.p, &st))
        return err_sys(p->e, ERR_SYSTEM, errno, "cannot look at %.200s", a->target.p);
    p->out->bytes = st.st_size;
    bool same = a->bytes < 0 || a->bytes == st.st_size;
    enum err_code rc = same && knows_hash(p) ? sha256_file(a->target.p, p->out->sha256, on_compared, p, p->e) : ERR_OK;
    if (rc)
        return rc;
    if (knows_hash(p))
        same = p->out->verified = same && str_eq(a->sha256, str_of(p->out->sha256));
    if (!same) {
        err_set(p->e, ERR_SYSTEM, "%.200s is there already, and is another file", a->target.p);
        return err_hint(p->e, "--force replaces it, --to NAME gives this one another name");
    }
    *there = p->out->was_there = true;
    return ERR_OK;
}

enum err_code pull_file(const struct pull_ask *ask, struct pull_result *out, struct err *e)
{
    struct pull p = { .ask = ask, .out = out, .e = e, .part = { .folder = -1, .fd = -1 } };
    bool there = false;
    *out = (struct pull_result){ 0 };
    enum err_code rc = look(&p, &there);
    if (rc || there)
        return rc;
    rc = part_open(&p.part, ask->target, e);
    if (!rc)
        rc = look(&p, &there);
    if (!rc && !there)
        rc = take_up(&p);
    if (!rc && !there)
        rc = from_sources(&p);
    if (!rc && !there)
        rc = part_finish(&p.part, e);
    out->bytes = there ? out->bytes : p.part.have;
    out->resumed_bytes = p.began;
    sha256_free(p.hash);
    part_close(&p.part);
    return rc;
}

/* ---- the folder ---- */

int64_t pull_part_bytes(struct str target, struct arena *a)
{
    struct stat st;
    return stat(arena_printf(a, "%.*s.part", STR_ARG(target)).p, &st) ? 0 : st.st_size;
}

enum err_code pull_check_space(struct str folder, int64_t bytes, struct err *e)
{
    char path[4096];
    struct statvfs v;
    int64_t room;
    snprintf(path, sizeof path, "%.*s", STR_ARG(folder));
    while (statvfs(path, &v)) {
        char *slash = strrchr(path, '/');
        if (errno != ENOENT || !slash || slash == path)
            return ERR_OK; /* it will be seen when it is written to */
        *slash = 0;
    }
    if (__builtin_mul_overflow((int64_t)v.f_bavail, (int64_t)v.f_frsize, &room) || room >= bytes)
        return ERR_OK;
    err_set(e, ERR_SYSTEM, "%.*s has %.1f GiB free, %.1f GiB are needed", STR_ARG(folder), (double)room / (double)GIB, (double)bytes / (double)GIB);
    return err_hint(e, "make room, or name another folder with `models_dir:`");
}

enum err_code pull_make_folder(struct str folder, struct err *e)
{
    char path[4096];
    for (size_t i = 1; i <= folder.n && i < sizeof path; i++) {
        if (i < folder.n && folder.p[i] != '/')
            continue;
        snprintf(path, sizeof path, "%.*s", (int)i, folder.p);
        if (mkdir(path, 0755) && errno != EEXIST)
            return err_sys(e, ERR_SYSTEM, errno, "cannot make the folder %.200s", path);
    }
    return ERR_OK;
}
