/* hob doctor, the hosts: does each answer, does it accept our key, does it have the models that the configuration says are there? Asked as the daemon
 * would ask, for the list of models alone, so that it costs nothing. */
#include "backend/host.h"

#include "backend/backend.h"
#include "cli/doctor.h"

#include <stdio.h>

enum { CONNECT_MS = 3000, ANSWER_MS = 5000, LIMIT_MS = 10 * 1000, LIST_MAX_BYTES = 4 * 1024 * 1024 };

struct visit {
    struct loop *loop;
    struct http_call *call;
    struct timer limit;
    enum err_code rc;
    struct err why;
    int status;
    int64_t began_ms, took_ms;
    struct buf body;
};

static void on_head(void *ctx, const struct http_answer *a)
{
    ((struct visit *)ctx)->status = a->status;
}

static void on_body(void *ctx, struct str bytes)
{
    struct visit *v = ctx;
    struct err e;
    (void)!buf_feed(&v->body, bytes, &e); /* what is longer is no list */
}

static void on_done(void *ctx, enum err_code rc, const struct err *e)
{
    struct visit *v = ctx;
    v->call = NULL;
    v->rc = rc;
    v->why = *e;
    v->took_ms = loop_now_ms(v->loop) - v->began_ms;
    loop_stop(v->loop);
}

static void too_late(void *ctx)
{
    struct visit *v = ctx;
    http_call_cancel(v->call);
    v->call = NULL;
    v->rc = err_set(&v->why, ERR_UP_TIMEOUT, "it did not answer within %d s", LIMIT_MS / 1000);
    loop_stop(v->loop);
}

static const struct http_call_ops ops = { on_head, on_body, on_done };

static void visit(struct visit *v, struct backend *b)
{
    struct buf headers = { 0 };
    v->body.max = LIST_MAX_BYTES;
    timer_init(&v->limit, v->loop, too_late, v);
    timer_set(&v->limit, LIMIT_MS);
    v->began_ms = loop_now_ms(v->loop);
    buf_add(&headers, buf_str(&b->headers));
    buf_lit(&headers, "X-Hob-Probe: 1\r\n");
    struct http_request r = { .method = STR("GET"), .path = buf_str(&b->list), .headers = buf_str(&headers), .first_byte_ms = ANSWER_MS, .idle_ms = ANSWER_MS };
    v->call = http_call_start(b->pool, &r, &ops, v);
    wipe(headers.p, headers.n); /* its key is in there */
    buf_free(&headers);
    loop_run(v->loop);
    timer_cancel(&v->limit);
}

/* ---- what came of it ---- */

static void look_at_list(struct doctor *d, const char *of, const struct conf_host *h, const struct visit *v)
{
    struct conf_strs names;
    struct err e;
    if (host_read_list(buf_str(&v->body), &d->arena, &names, &e)) {
        doctor_say(d, of, HEALTH_OK, "answers in %lld ms, and lists no models", (long long)v->took_ms);
        return;
    }
    for (size_t i = 0; i < d->config->nmodels; i++) {
        const struct conf_model *m = &d->config->models[i];
        struct str upstream = m->upstream.n ? m->upstream : m->name;
        if (!str_eq(m->host, h->name) || host_lists(&names, upstream))
            continue;
        struct str near = str_nearest(upstream, names.at, names.n);
        doctor_say(d, of, HEALTH_WARN, "answers, and does not list '%.*s', as which the model '%.*s' is asked for there%s%.*s", STR_ARG(upstream), STR_ARG(m->name),
            near.n ? "; did you mean " : "", STR_ARG(near));
        doctor_fix(d, "check `name:` of '%.*s', or get the model there; it lists %zu model%s", STR_ARG(m->name), names.n, names.n == 1 ? "" : "s");
        return;
    }
    doctor_say(d, of, HEALTH_OK, "answers in %lld ms, lists %zu model%s", (long long)v->took_ms, names.n, names.n == 1 ? "" : "s");
}

static void judge(struct doctor *d, const char *of, const struct conf_host *h, const struct visit *v)
{
    if (v->rc) {
        doctor_say(d, of, HEALTH_FAIL, "%.*s: %s", STR_ARG(h->url), v->why.text);
        doctor_fix(d, "%s", v->why.hint[0] ? v->why.hint : "start what answers there, or correct the host's `url:`");
    } else if (v->status == 401 || v->status == 403) {
        doctor_say(d, of, HEALTH_FAIL, "answers, and does not accept %s (%d)", h->key.hidden.n ? "the key" : "that there is no key", v->status);
        doctor_fix(d, "set the host's `key:`, best as ${file:NAME}");
    } else if (v->status == 407) {
        doctor_say(d, of, HEALTH_FAIL, "the proxy on the way there wants a login (407)");
        doctor_fix(d, "put the login into the host's `proxy:`");
    } else if (v->status != 200) {
        doctor_say(d, of, v->status < 500 ? HEALTH_OK : HEALTH_WARN, "answers, and lists no models (%d)", v->status);
        if (v->status >= 500)
            doctor_fix(d, "look at its own log: it is there, and not well");
    } else {
        look_at_list(d, of, h, v);
    }
}

static const struct conf_model *first_model(const struct config *c, const struct conf_host *h)
{
    for (size_t i = 0; i < c->nmodels; i++)
        if (str_eq(c->models[i].host, h->name))
            return &c->models[i];
    return NULL;
}

static void ask_host(struct doctor *d, const char *of, const struct conf_host *h, const struct conf_model *m)
{
    struct visit v = { .loop = loop_new() };
    struct services *services = services_new(v.loop, NULL);
    struct backend *b = backend_new(v.loop, d->config, (size_t)(m - d->config->models), services, STR(""), NULL, NULL);
    b->timeouts.connect_ms = CONNECT_MS;
    if (b->pool) {
        visit(&v, b);
        judge(d, of, h, &v);
    } else {
        doctor_say(d, of, HEALTH_FAIL, "%s", b->last_error.text);
        doctor_fix(d, "%s", b->last_error.hint[0] ? b->last_error.hint : "correct the host's `url:`");
    }
    backend_free(b);
    services_free(services);
    loop_free(v.loop);
    buf_free(&v.body);
}

static void hosts(struct doctor *d)
{
    for (size_t i = 0; i < d->config->nhosts; i++) {
        const struct conf_host *h = &d->config->hosts[i];
        const struct conf_model *m = first_model(d->config, h);
        char of[128];
        snprintf(of, sizeof of, "%.*s", STR_ARG(h->name));
        if (!m) {
            doctor_say(d, of, HEALTH_WARN, "no model is on it");
            doctor_fix(d, "give a model `host: %s`, or take the host out", of);
        } else if (h->cold_start_ms) {
            doctor_say(d, of, HEALTH_OK, "sleeps when nobody asks: it is not woken for this");
        } else {
            ask_host(d, of, h, m);
        }
    }
}

const struct check doctor_host_checks[] = {
    { "host", hosts, true },
    { "kind", doctor_kinds, true },
    { NULL, NULL, false },
};
