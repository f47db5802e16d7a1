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
#include <time.h>

enum { MOST_TEXTS = 100 };

/* ---- looking: on the pool, through a connection of its own ---- */

struct counted {
    struct str role;
    const struct conf_role *conf;   /* NULL: the configuration has none of that name */
    int64_t kept, bytes, oldest_ms, newest_ms, next_over_ms, all_over_ms;
};

struct looking {
    struct http_req *r;
    struct work work;
    struct arena arena;
    const struct config *config;    /* held */
    struct str role;                /* empty: all, and no asks */
    int64_t at[MOST_TEXTS];
    size_t nat;
    struct counted *roles;
    size_t nroles, room;
    struct buf body;
    struct json_out out;
    enum err_code rc;
    struct err e;
};

static void put_text(struct json_out *o, const char *key, struct str text)
{
    json_key(o, str_of(key));
    json_string_or_null(o, text);
}

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

static void put_when(struct json_out *o, const char *key, int64_t wall_ms)
{
    char text[40] = "";
    struct tm tm;
    time_t t = (time_t)(wall_ms / 1000);
    if (wall_ms && gmtime_r(&t, &tm))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    put_text(o, key, str_of(text));
}

static const struct conf_role *role_named(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->nroles; i++)
        if (str_eq(c->roles[i].name, name))
            return &c->roles[i];
    return NULL;
}

static struct counted *counted_of(struct looking *l, struct str role)
{
    for (size_t i = 0; i < l->nroles; i++)
        if (str_eq(l->roles[i].role, role))
            return &l->roles[i];
    if (l->nroles == l->room) {
        struct counted *more = arena_array(&l->arena, struct counted, l->room ? 2 * l->room : 8);
        for (size_t i = 0; i < l->nroles; i++)
            more[i] = l->roles[i];
        l->roles = more;
        l->room = l->room ? 2 * l->room : 8;
    }
    struct counted *c = &l->roles[l->nroles++];
    *c = (struct counted){ .role = arena_copy(&l->arena, role), .conf = role_named(l->config, role) };
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
    put_text(o, "role", c->role);
    put_flag(o, "known", c->conf != NULL);
    put_flag(o, "capturing", on);
    json_key(o, STR("share"));
    json_double(o, on ? w->share : 0, 4);
    put_count(o, "keep_ms", on ? w->keep_ms : -1);
    put_count(o, "most", on ? w->most : -1);
    put_count(o, "kept", c->kept);
    put_count(o, "bytes", c->bytes);
    put_when(o, "oldest", c->oldest_ms);
    put_when(o, "newest", c->newest_ms);
    put_when(o, "next_over", c->next_over_ms);
    put_when(o, "all_over", c->all_over_ms);
    json_end_object(o);
}

static void put_ask(void *ctx, const struct captured_row *r)
{
    struct looking *l = ctx;
    struct json_out *o = &l->out;
    char print[24];
    if (!str_eq(r->role, l->role))
        return;
    snprintf(print, sizeof print, "%016llx", (unsigned long long)r->print);
    json_begin_object(o);
    put_count(o, "at", r->at);
    put_text(o, "id", r->id);
    put_when(o, "time", r->time_ms);
    put_when(o, "until", r->until_ms);
    put_text(o, "caller", r->caller);
    put_text(o, "model", r->model);
    put_text(o, "host", r->host);
    put_flag(o, "stream", r->stream);
    put_flag(o, "tools", r->tools);
    put_flag(o, "schema", r->schema);
    put_count(o, "input_tokens", r->input_tokens);
    put_count(o, "output_tokens", r->output_tokens);
    put_count(o, "bytes", r->bytes);
    put_text(o, "print", str_of(print));
    if (r->text.p) {
        json_key(o, STR("ask"));
        json_raw(o, r->text);
    }
    json_end_object(o);
}

static enum err_code look_at_roles(struct looking *l, struct store *s)
{
    enum err_code rc = s ? captured_read(s, l->role, clock_wall_ms(), count, l, &l->e) : ERR_OK;
    for (size_t i = 0; i < l->config->nroles; i++)
        if (l->config->roles[i].capture.share > 0 && (!l->role.n || str_eq(l->role, l->config->roles[i].name)))
            counted_of(l, l->config->roles[i].name);
    if (l->role.n) /* whatever it is */
        counted_of(l, l->role);
    json_key(&l->out, STR("roles"));
    json_begin_array(&l->out);
    for (size_t i = 0; i < l->nroles; i++)
        put_role(&l->out, &l->roles[i]);
    json_end_array(&l->out);
    return rc;
}

static enum err_code look_at_asks(struct looking *l, struct store *s)
{
    enum err_code rc = ERR_OK;
    json_key(&l->out, STR("asks"));
    json_begin_array(&l->out);
    if (s)
        rc = l->nat ? captured_read_texts(s, l->at, l->nat, clock_wall_ms(), put_ask, l, &l->e) : captured_read(s, l->role, clock_wall_ms(), put_ask, l, &l->e);
    json_end_array(&l->out);
    return rc;
}

static void look(void *ctx)
{
    struct looking *l = ctx;
    struct store *s = NULL;
    l->out = json_out(&l->body);
    json_begin_object(&l->out);
    json_key(&l->out, STR("schema"));
    json_int(&l->out, 1);
    l->rc = store_open_to_read(l->config->state, &s, &l->e);
    if (!l->rc)
        l->rc = look_at_roles(l, s);
    if (!l->rc && l->role.n)
        l->rc = look_at_asks(l, s);
    json_end_object(&l->out);
    store_close(s);
}

static void looked(void *ctx)
{
    struct looking *l = ctx;
    if (l->r)
        admin_answer(l->r, buf_str(&l->body), l->rc ? &l->e : NULL);
    buf_free(&l->body);
    conf_free(l->config);
    arena_fini(&l->arena);
    free(l);
}

static void look_gone(void *ctx)
{
    struct looking *l = ctx;
    l->r = NULL; /* the pool still has it */
}

static const struct http_req_ops look_ops = { .on_gone = look_gone };

static enum err_code read_numbers(struct looking *l, struct str list, struct err *e)
{
    for (struct str rest; list.n; list = rest) {
        struct str one = str_cut(list, ',', &rest);
        if (l->nat == MOST_TEXTS || !str_to_int(one, 1, INT64_MAX, &l->at[l->nat++])) {
            err_set(e, ERR_INVALID_REQUEST, "`at` is a list of %d numbers at most, with commas between.", MOST_TEXTS);
            return err_param(e, "at");
        }
    }
    return ERR_OK;
}

static enum err_code read_query(struct looking *l, struct str query, struct err *e)
{
    enum err_code rc = ERR_OK;
    for (struct str rest, value; query.n && !rc; query = rest) {
        struct str key = str_cut(str_cut(query, '&', &rest), '=', &value);
        struct buf plain = { 0 };
        http_percent_decode(&plain, value);
        if (str_eq(key, STR("role")))
            l->role = arena_copy(&l->arena, buf_str(&plain));
        else if (str_eq(key, STR("at")))
            rc = read_numbers(l, buf_str(&plain), e);
        buf_free(&plain);
    }
    return rc;
}

void admin_captured(struct admin *a, struct http_req *r)
{
    struct looking *l = calloc(1, sizeof *l);
    struct err e;
    if (!l)
        die("out of memory for asks");
    arena_init(&l->arena);
    if (read_query(l, http_req_query(r), &e)) {
        admin_refuse(r, &e);
        arena_fini(&l->arena);
        free(l);
        return;
    }
    l->r = r;
    l->config = conf_hold(world_config(fleet_world(a->fleet)));
    http_req_watch(r, &look_ops, l);
    work_init(&l->work, look, looked, l);
    loop_work(a->loop, &l->work);
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
    put_text(&o, "role", f->drop.role);
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
