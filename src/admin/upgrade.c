/* POST /hob/v1/upgrade: the request that waits for another gateway to take this one's place. */
#include "admin/admin_int.h"

#include "json/json.h"

#include <stdlib.h>

enum { LONGEST_WAIT_MS = 10 * 60 * 1000 };

struct waiting {
    struct admin *admin;
    struct http_req *r;         /* NULL: who asked has left */
};

static void done(void *ctx, struct str json, const struct err *e)
{
    struct waiting *w = ctx;
    admin_answer(w->r, json, e);
    free(w);
}

static void gone(void *ctx)
{
    struct waiting *w = ctx;
    w->admin->upgrade_gone(w->admin->upgrade_ctx, w);
    free(w);
}

static const struct http_req_ops ops = { .on_gone = gone };

/* A program is named only by who could start it himself: that is nobody from afar, whatever key he has. */
static enum err_code read_wish(const struct admin *a, struct http_req *r, const struct json_doc *d, struct upgrade_wish *w, struct err *e)
{
    yyjson_val *program = yyjson_obj_get(d->root, "program"), *wait = yyjson_obj_get(d->root, "wait_ms");
    if (program && http_req_server(r) != a->server) {
        err_set(e, ERR_INVALID_REQUEST, "Which program takes over is said on the admin socket only.");
        return err_param(e, "program");
    }
    w->program = json_str(program);
    if (program && (!w->program.n || w->program.p[0] != '/' || memchr(w->program.p, 0, w->program.n))) {
        err_set(e, ERR_INVALID_REQUEST, "`program` is the absolute path of a program.");
        return err_param(e, "program");
    }
    if (wait && (!yyjson_is_int(wait) || yyjson_get_sint(wait) < 1 || yyjson_get_sint(wait) > LONGEST_WAIT_MS)) {
        err_set(e, ERR_INVALID_REQUEST, "`wait_ms` is a number of milliseconds from 1 to %d.", LONGEST_WAIT_MS);
        return err_param(e, "wait_ms");
    }
    w->wait_ms = wait ? yyjson_get_sint(wait) : 0;
    return ERR_OK;
}

void admin_upgrade(struct admin *a, struct http_req *r)
{
    struct json_doc d = { 0 };
    struct err e;
    struct str body = http_req_body(r);
    struct waiting *w = calloc(1, sizeof *w);
    if (!w)
        die("out of memory for an upgrade");
    *w = (struct waiting){ a, r };
    struct upgrade_wish wish = { .on_done = done, .ctx = w };
    enum err_code rc = body.n ? json_parse(&d, body, &e) : ERR_OK;
    if (!rc)
        rc = read_wish(a, r, &d, &wish, &e);
    http_req_watch(r, &ops, w);
    if (!rc)
        rc = a->upgrade(a->upgrade_ctx, &wish, &e);
    json_free(&d);
    if (!rc)
        return;
    admin_refuse(r, &e);
    free(w);
}
