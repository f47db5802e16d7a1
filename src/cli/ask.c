/* A loop for one call: the same client the gateway uses, so that a unix socket, chunks and deadlines are not written twice. */
#include "cli/ask.h"

#include "admin/admin.h"
#include "http/client.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>

enum { CONNECT_MS = 5000, ANSWER_MAX_BYTES = 16 * 1024 * 1024 };

struct asking {
    struct loop *loop;
    const struct question *q;
    struct answer *out;
    struct timer tick;
    bool ticked;
    int64_t since_ms;
    enum err_code rc;
    struct err e;
};

static void on_head(void *ctx, const struct http_answer *a)
{
    struct asking *s = ctx;
    s->out->status = a->status;
}

static void on_body(void *ctx, struct str bytes)
{
    struct asking *s = ctx;
    struct err e;
    if (buf_feed(&s->out->body, bytes, &e)) /* then it is cut, and no JSON */
        s->out->status = 0;
}

static void on_done(void *ctx, enum err_code rc, const struct err *e)
{
    struct asking *s = ctx;
    s->rc = rc;
    if (rc)
        s->e = *e;
    timer_cancel(&s->tick);
    loop_stop(s->loop);
}

static void on_tick(void *ctx)
{
    struct asking *s = ctx;
    s->ticked = true;
    s->q->on_tick(s->q->ctx, loop_now_ms(s->loop) - s->since_ms);
    timer_set(&s->tick, s->q->tick_ms);
}

static const struct http_call_ops ops = { on_head, on_body, on_done };

enum err_code door_find(const struct cli_args *a, const struct config *c, struct door *out, struct err *e)
{
    *out = (struct door){ .prefix = STR("") };
    if (daemon_is_remote() && !cli_option_value(a, "--state").p && !cli_option_value(a, "--config").p)
        return daemon_find_remote(out, e);
    char path[ADMIN_PATH_BYTES];
    if (!admin_socket_path(c->state, path)) {
        err_set(e, ERR_CONFIG, "The path of the state folder is too long for a socket in it: %.150s", c->state.p);
        return err_hint(e, "Give hob a state folder with a shorter path (`state:` or --state), and start it again with that.");
    }
    out->target.to.kind = ADDR_UNIX;
    snprintf(out->target.to.host, sizeof out->target.to.host, "%s", path);
    snprintf(out->name, sizeof out->name, "%s", path);
    return ERR_OK;
}

/* Who is the same user needs no key at the socket. */
static void put_headers(struct buf *to, const struct door *d, bool has_body)
{
    buf_lit(to, "User-Agent: hob/" HOB_VERSION "\r\n");
    if (has_body)
        buf_lit(to, "Content-Type: application/json\r\n");
    if (d->remote)
        daemon_put_key(d, to);
}

static enum err_code open_pool(const struct door *d, struct loop *l, const struct question *q, struct http_pool **out, struct err *e)
{
    struct http_pool_opts opts = { .max_idle = 0, .idle_ms = 1000, .connect_ms = q->connect_ms ? q->connect_ms : CONNECT_MS };
    if (d->remote)
        return http_pool_open(l, &d->target, &opts, out, e);
    *out = http_pool_new(l, &d->target.to, STR("localhost"), &opts);
    return ERR_OK;
}

static void run_call(struct asking *s, struct http_pool *pool, const struct http_request *r)
{
    s->since_ms = loop_now_ms(s->loop);
    if (s->q->tick_ms > 0)
        timer_set(&s->tick, s->q->tick_ms);
    http_call_start(pool, r, &ops, s);
    loop_run(s->loop);
    if (s->ticked)
        s->q->on_tick(s->q->ctx, -1);
}

enum err_code door_ask(const struct door *d, const struct question *q, struct answer *out, struct err *e)
{
    struct buf path = { 0 }, headers = { 0 };
    struct asking s = { .loop = loop_new(), .q = q, .out = out };
    struct http_pool *pool = NULL;
    *out = (struct answer){ .status = 0 };
    buf_init(&out->body, ANSWER_MAX_BYTES);
    buf_printf(&path, "%.*s%s", STR_ARG(d->prefix), q->path);
    put_headers(&headers, d, q->body.n > 0);
    buf_add(&headers, q->headers);
    struct http_request r = { .method = str_of(q->method), .path = buf_str(&path), .headers = buf_str(&headers), .body = &q->body,
        .pieces = q->body.n ? 1 : 0, .first_byte_ms = q->answer_ms, .idle_ms = q->answer_ms };
    timer_init(&s.tick, s.loop, on_tick, &s);
    s.rc = open_pool(d, s.loop, q, &pool, &s.e);
    if (!s.rc)
        run_call(&s, pool, &r);
    http_pool_free(pool);
    loop_free(s.loop);
    buf_free(&path);
    wipe(headers.p, headers.n); /* a key may be in it */
    buf_free(&headers);
    if (s.rc) {
        buf_free(&out->body);
        *e = s.e;
    }
    return s.rc;
}

static int not_there(const struct door *d, enum err_code rc, const struct err *e)
{
    if (rc != ERR_UP_REFUSED) {
        fprintf(stderr, "hob: the daemon at %s did not answer: %s\n", d->name, e->text);
        return EXIT_FAILED;
    }
    fprintf(stderr, "hob: no daemon answers at %s%s%s\n", d->name, d->remote ? ": " : "", d->remote ? e->text : "");
    fprintf(stderr, d->remote ? "hob: start it with `hob serve`, or set HOB_URL to where it runs\n"
                              : "hob: start it with `hob serve`; one that runs with another configuration is found by -c FILE or --state DIR\n");
    return EXIT_NO_DAEMON;
}

static int refused(const struct cli_args *a, const struct door *d, const struct answer *got)
{
    struct json_doc doc = { 0 };
    struct err e;
    struct str message = { NULL, 0 }, code = { NULL, 0 };
    if (cli_flag(a, "--json"))
        print_answer(buf_str(&got->body));
    if (!json_parse(&doc, buf_str(&got->body), &e)) {
        yyjson_val *error = yyjson_obj_get(doc.root, "error");
        message = json_str(yyjson_obj_get(error, "message"));
        code = json_str(yyjson_obj_get(error, "code"));
    }
    if (d->remote && str_eq(code, STR("not_found"))) /* the public door */
        fprintf(stderr, "hob: %s serves models only, as it has no keys: `hob %s` works on its own machine, without HOB_URL\n", d->name, a->command->name);
    else if (d->remote && str_eq(code, STR("invalid_api_key")))
        fprintf(stderr, "hob: %s wants a key: set HOB_KEY to one with `admin: on`\n", d->name);
    else if (message.n)
        fprintf(stderr, "hob: %.*s\n", STR_ARG(message));
    else
        fprintf(stderr, "hob: %s answered %d, not as hob does\n", d->name, got->status);
    /* the file is wrong: as a command says that reads it itself; a gate's no is one everywhere */
    int rc = str_eq(code, STR("config")) ? EXIT_USAGE : str_eq(code, STR("gate_refused")) ? EXIT_GATE : EXIT_FAILED;
    json_free(&doc);
    return rc;
}

int ask_daemon(const struct cli_args *a, const struct question *q, struct buf *body)
{
    struct config *c = NULL;
    struct door door;
    struct answer got = { .status = 0 };
    struct err e;
    *body = (struct buf){ .n = 0 };
    int code = cli_load_config(a, &c);
    if (code)
        return code;
    enum err_code rc = door_find(a, c, &door, &e);
    if (rc) {
        cli_error(&e);
        code = rc == ERR_CONFIG && door.remote ? EXIT_USAGE : EXIT_NO_DAEMON;
    } else if ((rc = door_ask(&door, q, &got, &e))) {
        code = not_there(&door, rc, &e);
    } else if (got.status != 200) {
        code = refused(a, &door, &got);
    }
    conf_free(c);
    if (code)
        buf_free(&got.body);
    else
        *body = got.body;
    return code;
}

int read_answer(struct str body, struct json_doc *out)
{
    struct err e;
    if (!json_parse(out, body, &e))
        return EXIT_OK;
    fprintf(stderr, "hob: the daemon's answer is no JSON: %s\n", e.text);
    return EXIT_FAILED;
}

int print_answer(struct str body)
{
    bool whole = fwrite(body.p, 1, body.n, stdout) == body.n && fputc('\n', stdout) != EOF && fflush(stdout) == 0;
    if (!whole)
        fprintf(stderr, "hob: stdout cannot be written\n");
    return whole ? EXIT_OK : EXIT_FAILED;
}
