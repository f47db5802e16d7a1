#include "evidence/hook.h"

#include "http/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WAITING_MOST = 32, TRIES = 3, APART_MS = 1000, CONNECT_MS = 5000, ANSWER_MS = 10 * 1000, AGAIN_MS = 1000, ANSWER_BYTES = 64 * 1024 };

struct hook {
    struct loop *loop;
    struct buf url;             /* a secret, as is what follows from it: */
    struct arena memory;
    struct str path;            /* with its query */
    struct http_pool *pool;     /* NULL: nobody is told */
    struct str waiting[WAITING_MOST];
    size_t nwaiting;
    struct str now;             /* its own, as are those that wait; p NULL: nothing is under way */
    int tries;
    struct http_call *call;
    int64_t since_ms;           /* of the call */
    size_t bytes;               /* of its answer */
    int status;
    struct timer next;
    bool silent, crowded, stopped; /* that it fails, that there is too much to tell, has been said */
};

/* ---- what is told ---- */

static void put_text(struct json_out *o, const char *key, struct str text)
{
    json_key(o, str_of(key));
    json_string_or_null(o, text);
}

/* Of an engine's swap they are models. */
static void put_role(struct json_out *o, const struct swap_role *r, bool model)
{
    json_begin_object(o);
    put_text(o, model ? "model" : "role", r->name);
    if (!model) {
        put_text(o, "from", r->from);
        put_text(o, "to", r->to);
    }
    put_text(o, "state", str_of(swap_state_name[r->state]));
    json_end_object(o);
}

void hook_put(const struct swap *s, enum swap_step step, struct str role, struct str why, int64_t now_ms, struct buf *out)
{
    struct json_out o = json_out(out);
    char at[40] = "";
    struct tm tm;
    time_t t = (time_t)(now_ms / 1000);
    if (gmtime_r(&t, &tm))
        strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("id"));
    json_int(&o, s->id);
    put_text(&o, "state", str_of(swap_state_name[s->state]));
    put_text(&o, "step", str_of(swap_step_name[step]));
    put_text(&o, "role", role);
    put_text(&o, "reason", why);
    put_text(&o, "at", str_of(at));
    if (s->engine.name.n) {
        put_text(&o, "engine", s->engine.name);
        put_text(&o, "from", s->engine.from);
        put_text(&o, "to", s->engine.to);
    }
    json_key(&o, s->engine.name.n ? STR("models") : STR("roles"));
    json_begin_array(&o);
    for (size_t i = 0; i < s->nroles; i++)
        put_role(&o, &s->roles[i], s->engine.name.n > 0);
    json_end_array(&o);
    json_end_object(&o);
}

/* ---- telling ---- */

static void drop(struct str *text)
{
    free((char *)(uintptr_t)text->p);
    *text = (struct str){ NULL, 0 };
}

static void finish(struct hook *h)
{
    drop(&h->now);
    h->tries = 0;
    timer_set(&h->next, APART_MS);
}

static void fail(struct hook *h, const char *why, bool again)
{
    if (again && h->tries < TRIES) {
        timer_set(&h->next, (int64_t)AGAIN_MS << h->tries);
        return;
    }
    if (!h->silent)
        log_warn("notify: a step of a swap could not be told: %s. It is taken all the same; this is not said again until it works", why);
    h->silent = true;
    finish(h);
}

static void on_head(void *ctx, const struct http_answer *a)
{
    struct hook *h = ctx;
    h->status = a->status;
}

static void judge(struct hook *h)
{
    char why[64];
    snprintf(why, sizeof why, "it answers %d", h->status);
    if (h->status / 100 != 2) {
        fail(h, why, h->status == 429 || h->status >= 500);
    } else {
        if (h->silent)
            log_info("notify: it can be told again");
        h->silent = false;
        finish(h);
    }
}

/* Its status is all that is wanted: who goes on and on, or brings it byte by byte, is not heard to his end. */
static void on_body(void *ctx, struct str bytes)
{
    struct hook *h = ctx;
    h->bytes += bytes.n;
    if (h->bytes <= ANSWER_BYTES && loop_now_ms(h->loop) - h->since_ms <= ANSWER_MS)
        return;
    http_call_cancel(h->call);
    h->call = NULL;
    judge(h);
}

static void on_done(void *ctx, enum err_code rc, const struct err *e)
{
    struct hook *h = ctx;
    h->call = NULL;
    if (rc)
        fail(h, e->text, true);
    else
        judge(h);
}

static const struct http_call_ops ops = { on_head, on_body, on_done };

static void step(struct hook *h)
{
    if (h->stopped || !h->pool || h->call || timer_is_set(&h->next))
        return;
    if (!h->now.p && h->nwaiting) {
        h->now = h->waiting[0];
        memmove(h->waiting, h->waiting + 1, --h->nwaiting * sizeof *h->waiting);
    }
    if (!h->now.p)
        return;
    struct http_request r = { .method = STR("POST"), .path = h->path, .headers = STR("Content-Type: application/json\r\nUser-Agent: hob/" HOB_VERSION "\r\n"), .body = &h->now,
        .pieces = 1, .first_byte_ms = ANSWER_MS, .idle_ms = ANSWER_MS };
    h->status = 0;
    h->bytes = 0;
    h->since_ms = loop_now_ms(h->loop);
    h->tries++;
    h->call = http_call_start(h->pool, &r, &ops, h);
}

static void on_next(void *ctx)
{
    step(ctx);
}

void hook_tell(struct hook *h, const struct swap *s, enum swap_step what, struct str role, struct str why, int64_t now_ms)
{
    struct buf text = { 0 };
    if (!h->pool || h->stopped)
        return;
    if (h->nwaiting == WAITING_MOST) { /* the oldest goes: what is so now counts more */
        if (!h->crowded)
            log_warn("notify: more happens than can be told: the oldest steps are left out");
        h->crowded = true;
        drop(&h->waiting[0]);
        memmove(h->waiting, h->waiting + 1, --h->nwaiting * sizeof *h->waiting);
    }
    hook_put(s, what, role, why, now_ms, &text);
    char *copy = malloc(text.n);
    if (!copy)
        die("out of memory for what is told");
    memcpy(copy, text.p, text.n);
    h->waiting[h->nwaiting++] = str_make(copy, text.n);
    buf_free(&text);
    step(h);
}

/* ---- whom ---- */

/* What stands behind the authority is sent as it is, a query too, which addresses of hosts may not have. */
bool hook_path_of(struct arena *a, struct str url, struct str *path)
{
    struct str query, unused, base = str_cut(url, '?', &query);
    struct addr to;
    struct err e;
    bool tls;
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] <= ' ' || url.p[i] == 0x7f || url.p[i] == '#')
            return false;
    if (addr_parse_web(base, &to, &tls, &unused, &e))
        return false;
    struct str rest = str_from(base, (size_t)str_find(base, STR("://")) + 3);
    ptrdiff_t slash = str_find(rest, STR("/"));
    *path = arena_printf(a, "%.*s%s%.*s", STR_ARG(slash < 0 ? STR("/") : str_from(rest, (size_t)slash)), query.p ? "?" : "", STR_ARG(query));
    return true;
}

static void leave(struct hook *h)
{
    http_call_cancel(h->call);
    h->call = NULL;
    timer_cancel(&h->next);
    http_pool_free(h->pool);
    h->pool = NULL;
    drop(&h->now);
    while (h->nwaiting)
        drop(&h->waiting[--h->nwaiting]);
    if (h->url.n)
        wipe(h->url.p, h->url.n);
    if (h->path.n)
        wipe((char *)(uintptr_t)h->path.p, h->path.n);
    h->path = (struct str){ NULL, 0 };
    buf_reset(&h->url, 1024);
    arena_reset(&h->memory);
    h->tries = 0;
}

void hook_use(struct hook *h, struct secret url)
{
    const struct http_pool_opts opts = { .max_idle = 1, .idle_ms = 10 * 1000, .connect_ms = CONNECT_MS };
    struct http_target to = { .tls = false };
    struct str unused, rest;
    struct err e;
    if (h->stopped || str_eq(buf_str(&h->url), url.hidden))
        return;
    leave(h);
    buf_add(&h->url, url.hidden);
    h->silent = h->crowded = false;
    if (!url.hidden.n)
        return;
    if (!hook_path_of(&h->memory, buf_str(&h->url), &h->path) || addr_parse_web(str_cut(buf_str(&h->url), '?', &rest), &to.to, &to.tls, &unused, &e))
        log_error("notify.url is no address that can be told: https://HOST/PATH, or http://; nobody is told of swaps");
    else if (http_pool_open(h->loop, &to, &opts, &h->pool, &e))
        log_error("notify: %s; nobody is told of swaps", e.text);
}

/* ---- its life ---- */

struct hook *hook_new(struct loop *l)
{
    struct hook *h = calloc(1, sizeof *h);
    if (!h)
        die("out of memory for a hook");
    h->loop = l;
    arena_init(&h->memory);
    timer_init(&h->next, l, on_next, h);
    return h;
}

void hook_stop(struct hook *h)
{
    h->stopped = true;
    leave(h);
}

void hook_free(struct hook *h)
{
    if (!h)
        return;
    if (!h->stopped)
        hook_stop(h);
    buf_free(&h->url);
    arena_fini(&h->memory);
    free(h);
}
