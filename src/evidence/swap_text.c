/* A swap as JSON: what `hob swap status` shows, and with what is for the store alone what it is read from again. */
#include "evidence/swap.h"

#include "evidence/guards.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- writing ---- */

static void put_text(struct json_out *o, const char *key, struct str text)
{
    json_key(o, str_of(key));
    json_string_or_null(o, text);
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

static void put_number(struct json_out *o, const char *key, int64_t v)
{
    json_key(o, str_of(key));
    json_int(o, v);
}

static void put_double(struct json_out *o, const char *key, double v)
{
    json_key(o, str_of(key));
    json_double(o, v, 6);
}

static void put_raw(struct json_out *o, const char *key, struct str json)
{
    json_key(o, str_of(key));
    if (json.n)
        json_raw(o, json);
    else
        json_null(o);
}

static void put_proof(struct json_out *o, const struct swap_proof *p)
{
    json_begin_object(o);
    put_text(o, "suite", p->suite);
    put_text(o, "run", p->run);
    put_number(o, "pairs", p->pairs);
    put_number(o, "both", p->both);
    put_number(o, "only_old", p->only_old);
    put_number(o, "only_new", p->only_new);
    put_number(o, "neither", p->neither);
    put_double(o, "difference", p->difference);
    json_key(o, STR("ci"));
    json_begin_array(o);
    json_double(o, p->lo, 6);
    json_double(o, p->hi, 6);
    json_end_array(o);
    put_text(o, "verdict", str_of(swap_verdict_name[p->verdict]));
    json_key(o, STR("needed"));
    json_int_or_null(o, p->needed);
    put_text(o, "note", p->note);
    json_end_object(o);
}

/* A model of an engine's swap has the paths in the engine; in the store its own, too. */
static void put_role(struct json_out *o, const struct swap_role *r, bool model, bool whole)
{
    json_begin_object(o);
    put_text(o, model ? "model" : "role", r->name);
    if (!model || whole) {
        put_text(o, "from", r->from);
        put_text(o, "to", r->to);
    }
    if (model) {
        json_key(o, STR("resident"));
        json_bool(o, r->resident);
        put_when(o, "up", r->up_ms);
    }
    put_text(o, "state", str_of(swap_state_name[r->state]));
    put_text(o, "verdict", str_of(swap_verdict_name[r->verdict]));
    put_text(o, "why", r->why);
    json_key(o, STR("evidence"));
    json_begin_array(o);
    for (size_t i = 0; i < r->nproofs; i++)
        put_proof(o, &r->proofs[i]);
    json_end_array(o);
    put_when(o, "smoked", r->smoked_ms);
    if (whole) {
        put_text(o, "said", r->said);
        put_number(o, "smoked_ms", r->smoked_ms);
        put_number(o, "up_ms", r->up_ms);
        put_raw(o, "guards", r->guards);
        put_number(o, "guards_at", r->guards_at);
    }
    json_end_object(o);
}

static void put_roles(struct json_out *o, const char *key, const struct swap *s, size_t n, bool whole)
{
    json_key(o, str_of(key));
    json_begin_array(o);
    for (size_t i = 0; i < n; i++)
        put_role(o, &s->roles[i], s->engine.name.n > 0, whole);
    json_end_array(o);
}

/* Which texts an engine's swap has besides its models. */
static const struct { const char *key; size_t at; } engine_texts[] = {
    { "name", offsetof(struct swap_engine, name) }, { "from", offsetof(struct swap_engine, from) }, { "to", offsetof(struct swap_engine, to) },
    { "version_from", offsetof(struct swap_engine, version_from) }, { "version_to", offsetof(struct swap_engine, version_to) },
    { "build_from", offsetof(struct swap_engine, build_from) }, { "build_to", offsetof(struct swap_engine, build_to) },
};

static void put_engine(struct json_out *o, const struct swap *s, bool whole)
{
    json_key(o, STR("engine"));
    if (!s->engine.name.n) {
        json_null(o);
        return;
    }
    json_begin_object(o);
    for (size_t i = 0; i < COUNTOF(engine_texts); i++)
        put_text(o, engine_texts[i].key, *(const struct str *)(const void *)((const char *)&s->engine + engine_texts[i].at));
    put_raw(o, "architectures", s->engine.architectures);
    put_roles(o, "models", s, s->nroles, whole);
    json_end_object(o);
}

static void put_window(struct json_out *o, const struct swap *s)
{
    json_key(o, STR("window"));
    json_begin_object(o);
    put_when(o, "from", s->from_ms);
    put_when(o, "until", s->until_ms);
    put_double(o, "days", (double)s->window_ms / 86400000);
    json_end_object(o);
}

static void put_guards(struct json_out *o, const struct swap *s)
{
    struct guards *g = malloc(sizeof *g);
    if (!g)
        die("out of memory for guards"); /* an empty list would be a statement */
    json_key(o, STR("guards"));
    json_begin_array(o);
    for (size_t i = 0; i < s->nroles; i++)
        if (s->roles[i].guards.n && guards_read(g, s->roles[i].guards))
            guards_view(g, s->roles[i].name, o);
    json_end_array(o);
    json_key(o, STR("baselines"));
    json_begin_array(o);
    for (size_t i = 0; i < s->nroles; i++)
        if (s->roles[i].guards.n && guards_read(g, s->roles[i].guards))
            guards_view_origin(g, s->roles[i].name, o);
    json_end_array(o);
    free(g);
}

void swap_put(const struct swap *s, int64_t now_ms, bool whole, struct json_out *o)
{
    struct buf next = { 0 };
    json_begin_object(o);
    put_number(o, "id", s->id);
    put_text(o, "state", str_of(swap_state_name[s->state]));
    put_when(o, "made", s->made_ms);
    put_roles(o, "roles", s, s->engine.name.n ? 0 : s->nroles, whole);
    put_engine(o, s, whole);
    put_window(o, s);
    put_double(o, "share", s->share);
    json_key(o, STR("alert_only"));
    json_bool(o, s->alert_only);
    json_key(o, STR("forced"));
    json_bool(o, s->forced);
    put_text(o, "why", s->why);
    put_raw(o, "preflight", s->preflight);
    if (!whole)
        put_guards(o, s);
    if (whole) {
        put_number(o, "made_ms", s->made_ms);
        put_number(o, "from_ms", s->from_ms);
        put_number(o, "until_ms", s->until_ms);
        put_number(o, "window_ms", s->window_ms);
        put_double(o, "shadow_share", s->shadow_share);
        put_number(o, "shadow_idle_ms", s->shadow_idle_ms);
        put_number(o, "shadow_ms", s->shadow_ms);
    }
    swap_next(s, now_ms, &next);
    put_text(o, "next", buf_str(&next));
    json_end_object(o);
    buf_free(&next);
}

/* ---- reading ---- */

static struct str text_of(struct swap *s, yyjson_val *obj, const char *key)
{
    return arena_copy(&s->arena, json_str(yyjson_obj_get(obj, key)));
}

static struct str raw_of(struct swap *s, yyjson_val *obj, const char *key)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    if (!v || yyjson_is_null(v))
        return STR("");
    json_value(&o, v);
    struct str kept = arena_copy(&s->arena, buf_str(&text));
    buf_free(&text);
    return kept;
}

static int64_t int_of(yyjson_val *obj, const char *key, int64_t otherwise)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    return yyjson_is_int(v) ? yyjson_get_sint(v) : otherwise;
}

static double double_of(yyjson_val *obj, const char *key, double otherwise)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    return yyjson_is_num(v) ? yyjson_get_num(v) : otherwise;
}

static size_t named(yyjson_val *v, const char *const *names, size_t n, size_t otherwise)
{
    for (size_t i = 0; i < n; i++)
        if (names[i][0] && str_eq(json_str(v), str_of(names[i])))
            return i;
    return otherwise;
}

static void read_proof(struct swap *s, yyjson_val *v, struct swap_proof *p)
{
    yyjson_val *ci = yyjson_obj_get(v, "ci");
    *p = (struct swap_proof){
        .suite = text_of(s, v, "suite"), .run = text_of(s, v, "run"), .note = text_of(s, v, "note"),
        .pairs = int_of(v, "pairs", 0), .both = int_of(v, "both", 0), .only_old = int_of(v, "only_old", 0), .only_new = int_of(v, "only_new", 0),
        .neither = int_of(v, "neither", 0), .difference = double_of(v, "difference", 0), .needed = int_of(v, "needed", -1),
        .lo = yyjson_get_num(yyjson_arr_get(ci, 0)), .hi = yyjson_get_num(yyjson_arr_get(ci, 1)),
        .verdict = (enum swap_verdict)named(yyjson_obj_get(v, "verdict"), swap_verdict_name, SWAP_VERDICTS, SWAP_UNJUDGED),
    };
}

static bool read_role(struct swap *s, yyjson_val *v, struct swap_role *r)
{
    size_t state = named(yyjson_obj_get(v, "state"), swap_state_name, SWAP_STATES, SWAP_STATES), i, n;
    yyjson_val *proof;
    *r = (struct swap_role){
        .name = text_of(s, v, s->engine.name.n ? "model" : "role"), .from = text_of(s, v, "from"), .to = text_of(s, v, "to"), .said = text_of(s, v, "said"), .why = text_of(s, v, "why"),
        .verdict = (enum swap_verdict)named(yyjson_obj_get(v, "verdict"), swap_verdict_name, SWAP_VERDICTS, SWAP_UNJUDGED),
        .smoked_ms = int_of(v, "smoked_ms", 0), .resident = yyjson_is_true(yyjson_obj_get(v, "resident")), .up_ms = int_of(v, "up_ms", 0), .guards = raw_of(s, v, "guards"), .guards_at = int_of(v, "guards_at", 0),
    };
    r->state = (enum swap_state)state;
    yyjson_arr_foreach(yyjson_obj_get(v, "evidence"), i, n, proof)
        if (r->nproofs < SWAP_MAX_PROOFS)
            read_proof(s, proof, &r->proofs[r->nproofs++]);
    return state != SWAP_STATES && r->name.n && r->to.n;
}

static bool read_roles(struct swap *s, yyjson_val *roles)
{
    bool good = true;
    yyjson_val *role;
    size_t i, n;
    yyjson_arr_foreach(roles, i, n, role) {
        struct swap_role *r = swap_add(s);
        if (r)
            good = read_role(s, role, r) && good;
    }
    return good;
}

static bool read_engine(struct swap *s, yyjson_val *engine)
{
    for (size_t i = 0; i < COUNTOF(engine_texts); i++)
        *(struct str *)(void *)((char *)&s->engine + engine_texts[i].at) = text_of(s, engine, engine_texts[i].key);
    s->engine.architectures = raw_of(s, engine, "architectures");
    return s->engine.name.n && read_roles(s, yyjson_obj_get(engine, "models"));
}

enum err_code swap_read(struct swap *s, struct str json, struct err *e)
{
    struct json_doc d = { 0 };
    enum err_code rc = json_parse(&d, json, e);
    if (rc)
        return rc;
    yyjson_val *engine = yyjson_obj_get(d.root, "engine");
    size_t state = named(yyjson_obj_get(d.root, "state"), swap_state_name, SWAP_STATES, SWAP_STATES);
    bool good = state != SWAP_STATES;
    s->state = (enum swap_state)state;
    s->id = int_of(d.root, "id", 0);
    s->made_ms = int_of(d.root, "made_ms", 0);
    s->from_ms = int_of(d.root, "from_ms", 0);
    s->until_ms = int_of(d.root, "until_ms", 0);
    s->window_ms = int_of(d.root, "window_ms", 0);
    s->share = double_of(d.root, "share", 1);
    s->shadow_share = double_of(d.root, "shadow_share", 0);
    s->shadow_idle_ms = int_of(d.root, "shadow_idle_ms", 0);
    s->shadow_ms = int_of(d.root, "shadow_ms", 0);
    s->alert_only = yyjson_is_true(yyjson_obj_get(d.root, "alert_only"));
    s->forced = yyjson_is_true(yyjson_obj_get(d.root, "forced"));
    s->why = text_of(s, d.root, "why");
    s->preflight = raw_of(s, d.root, "preflight");
    good = (yyjson_is_obj(engine) ? read_engine(s, engine) : read_roles(s, yyjson_obj_get(d.root, "roles"))) && good;
    json_free(&d);
    return good && s->nroles ? ERR_OK : err_set(e, ERR_INTERNAL, "What the store has of a swap is none");
}
