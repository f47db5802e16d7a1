/* Asks that are kept for suites (`roles.NAME.capture`), over the admin door.
 *
 *   GET  captured                 {"schema":1,"roles":[{"role","known","capturing","share","keep_ms","most","kept","bytes","oldest","newest","next_over","all_over"}]}:
 *                                 each role that keeps asks or has some
 *   GET  captured?role=R          with "asks":[{"at","id","time","until","caller","model","host","stream","tools","schema","input_tokens","output_tokens","bytes",
 *                                 "print"}] of that role, the oldest first
 *   GET  captured?role=R&at=1,2   of these alone, each with "ask":{…} (api/capture.h); who is over is passed over
 *   POST captured/forget          {"role":R}: all of that role go, now; {"schema":1,"role","forgotten"} */
#include "admin/admin_int.h"

#include "api/reply.h"
#include "base/arena.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "http/http.h"
#include "json/json.h"
#include "store/captured.h"

#include <stdlib.h>

enum { MOST_TEXTS = 100 };

/* ---- looking: on the pool, through a connection of its own ---- */

struct counted {
    struct str role;
    const struct conf_role *conf;   /* NULL: the configuration has none of that name */
    int64_t kept, bytes, oldest_ms, newest_ms, next_over_ms, all_over_ms;
};

struct wanted {
    const struct config *config;
    struct arena *arena;
    struct str role;                /* empty: all, and no asks */
    int64_t at[MOST_TEXTS];
    size_t nat;
    struct counted *roles;
    size_t nroles, room;
    struct json_out *out;
};

static void put_count(struct json_out *o, const char *key, int64_t n)
{
    json_key(o, str_of(key));
    json_int_or_null(o, n);
}

static void put_flag(struct json_out *o, const char *key, bool on)
{
    json_key(o, str_of(key));
    json_bool(o, on);
}

static const struct conf_role *role_named(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->nroles; i++)
        if (str_eq(c->roles[i].name, name))
            return &c->roles[i];
    return NULL;
}

static struct counted *counted_of(struct wanted *w, struct str role)
{
    for (size_t i = 0; i < w->nroles; i++)
        if (str_eq(w->roles[i].role, role))
            return &w->roles[i];
    if (w->nroles == w->room) {
        struct counted *more = arena_array(w->arena, struct counted, w->room ? 2 * w->room : 8);
        for (size_t i = 0; i < w->nroles; i++)
            more[i] = w->roles[i];
        w->roles = more;
        w->room = w->room ? 2 * w->room : 8;
    }
    struct counted *c = &w->roles[w->nroles++];
    *c = (struct counted){ .role = arena_copy(w->arena, role), .conf = role_named(w->config, role) };
    return c;
}

static void count(void *ctx, const struct captured_row *r)
{
    struct counted *c = counted_of(ctx, r->role);
    c->kept++;
    c->bytes += r->bytes;
    c->oldest_ms = c->oldest_ms ? c->oldest_ms : r->time_ms;
    c->newest_ms = r->time_ms;
    c->next_over_ms = c->next_over_ms && c->next_over_ms < r->until_ms ? c->next_over_ms : r->until_ms;
    c->all_over_ms = c->all_over_ms > r->until_ms ? c->all_over_ms : r->until_ms;
}

static void put_role(struct json_out *o, const struct counted *c)
{
    const struct conf_capture *w = c->conf ? &c->conf->capture : NULL;
    bool on = w && w->share > 0;
    json_begin_object(o);
    admin_put_text(o, "role", c->role);
    put_flag(o, "known", c->conf != NULL);
    put_flag(o, "capturing", on);
    json_key(o, STR("share"));
    json_double(o, on ? w->share : 0, 4);
    put_count(o, "keep_ms", on ? w->keep_ms : -1);
    put_count(o, "most", on ? w->most : -1);
    put_count(o, "kept", c->kept);
    put_count(o, "bytes", c->bytes);
    admin_put_when(o, "oldest", c->oldest_ms);
    admin_put_when(o, "newest", c->newest_ms);
    admin_put_when(o, "next_over", c->next_over_ms);
    admin_put_when(o, "all_over", c->all_over_ms);
    json_end_object(o);
}

static void put_ask(void *ctx, const struct captured_row *r)
{
    struct wanted *w = ctx;
    struct json_out *o = w->out;
    char print[24];
    if (!str_eq(r->role, w->role))
        return;
    snprintf(print, sizeof print, "%016llx", (unsigned long long)r->print);
    json_begin_object(o);
    put_count(o, "at", r->at);
    admin_put_text(o, "id", r->id);
    admin_put_when(o, "time", r->time_ms);
    admin_put_when(o, "until", r->until_ms);
    admin_put_text(o, "caller", r->caller);
    admin_put_text(o, "model", r->model);
    admin_put_text(o, "host", r->host);
    put_flag(o, "stream", r->stream);
    put_flag(o, "tools", r->tools);
    put_flag(o, "schema", r->schema);
    put_count(o, "input_tokens", r->input_tokens);
    put_count(o, "output_tokens", r->output_tokens);
    put_count(o, "bytes", r->bytes);
    admin_put_text(o, "print", str_of(print));
    if (r->text.p) {
        json_key(o, STR("ask"));
        json_raw(o, r->text);
    }
    json_end_object(o);
}

static enum err_code look_at_roles(struct admin_look *l, struct store *s)
{
    struct wanted *w = l->ctx;
    enum err_code rc = s ? captured_read(s, w->role, clock_wall_ms(), count, w, &l->e) : ERR_OK;
    for (size_t i = 0; i < l->config->nroles; i++)
        if (l->config->roles[i].capture.share > 0 && (!w->role.n || str_eq(w->role, l->config->roles[i].name)))
            counted_of(w, l->config->roles[i].name);
    if (w->role.n) /* whatever it is */
        counted_of(w, w->role);
    json_key(&l->out, STR("roles"));
    json_begin_array(&l->out);
    for (size_t i = 0; i < w->nroles; i++)
        put_role(&l->out, &w->roles[i]);
    json_end_array(&l->out);
    return rc;
}

static enum err_code look_at_asks(struct admin_look *l, struct store *s)
{
    struct wanted *w = l->ctx;
    enum err_code rc = ERR_OK;
    json_key(&l->out, STR("asks"));
    json_begin_array(&l->out);
    if (s)
        rc = w->nat ? captured_read_texts(s, w->at, w->nat, clock_wall_ms(), put_ask, w, &l->e) : captured_read(s, w->role, clock_wall_ms(), put_ask, w, &l->e);
    json_end_array(&l->out);
    return rc;
}

static enum err_code look(struct admin_look *l, struct store *s)
{
    struct wanted *w = l->ctx;
    w->out = &l->out;
    enum err_code rc = look_at_roles(l, s);
    return !rc && w->role.n ? look_at_asks(l, s) : rc;
}

static enum err_code read_numbers(struct wanted *w, struct str list, struct err *e)
{
    for (struct str rest; list.n; list = rest) {
        struct str one = str_cut(list, ',', &rest);
        if (w->nat == MOST_TEXTS || !str_to_int(one, 1, INT64_MAX, &w->at[w->nat++])) {
            err_set(e, ERR_INVALID_REQUEST, "`at` is a list of %d numbers at most, with commas between.", MOST_TEXTS);
            return err_param(e, "at");
        }
    }
    return ERR_OK;
}

static enum err_code read_query(struct wanted *w, struct str query, struct err *e)
{
    enum err_code rc = ERR_OK;
    for (struct str rest, value; query.n && !rc; query = rest) {
        struct str key = str_cut(str_cut(query, '&', &rest), '=', &value);
        struct buf plain = { 0 };
        http_percent_decode(&plain, value);
        if (str_eq(key, STR("role")))
            w->role = arena_copy(w->arena, buf_str(&plain));
        else if (str_eq(key, STR("at")))
            rc = read_numbers(w, buf_str(&plain), e);
        buf_free(&plain);
    }
    return rc;
}

void admin_captured(struct admin *a, struct http_req *r)
{
    struct admin_look *l = admin_look_new(a, r, look);
    struct wanted *w = l->ctx = arena_new(&l->arena, struct wanted);
    struct err e;
    w->config = l->config;
    w->arena = &l->arena;
    if (read_query(w, http_req_query(r), &e))
        admin_look_refuse(l, &e);
    else
        admin_look_go(a, l);
}

/* ---- forgetting ---- */

struct forgetting {
    struct http_req *r;             /* NULL: who asked has left */
    struct json_doc body;
    struct captured_drop drop;
};

static void forgotten(void *ctx, const struct err *e)
{
    struct forgetting *f = ctx;
    struct buf body = { 0 };
    struct json_out o = json_out(&body);
    json_begin_object(&o);
    put_count(&o, "schema", 1);
    admin_put_text(&o, "role", f->drop.role);
    put_count(&o, "forgotten", f->drop.dropped);
    json_end_object(&o);
    if (!e)
        log_info("role %.*s: %lld asks that were kept are forgotten", STR_ARG(f->drop.role), (long long)f->drop.dropped);
    if (f->r)
        admin_answer(f->r, buf_str(&body), e);
    buf_free(&body);
    json_free(&f->body);
    free(f);
}

static void forget_gone(void *ctx)
{
    struct forgetting *f = ctx;
    f->r = NULL; /* the store still has it */
}

static const struct http_req_ops forget_ops = { .on_gone = forget_gone };

void admin_captured_forget(struct admin *a, struct http_req *r)
{
    struct forgetting *f = calloc(1, sizeof *f);
    struct err e;
    if (!f)
        die("out of memory for asks");
    enum err_code rc = json_parse(&f->body, http_req_body(r), &e);
    struct str role = rc ? (struct str){ NULL, 0 } : json_str(yyjson_obj_get(f->body.root, "role"));
    if (!rc && !role.n) {
        err_set(&e, ERR_INVALID_REQUEST, "`role` must be the name of a role.");
        rc = err_param(&e, "role");
    }
    if (rc) {
        admin_refuse(r, &e);
        json_free(&f->body);
        free(f);
        return;
    }
    f->r = r;
    f->drop = (struct captured_drop){ .role = role, .on_done = forgotten, .ctx = f };
    http_req_watch(r, &forget_ops, f);
    captured_drop(a->store, &f->drop);
}
