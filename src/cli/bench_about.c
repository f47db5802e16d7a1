/* What a measurement is of: the model as the daemon has it, and all that would make another measurement another one. */
#include "cli/bench.h"

#include "cli/listed.h"
#include "model/files.h"
#include "model/summary.h"
#include "proc/machine.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- the place ---- */

static enum err_code ask(const struct door *admin, const char *path, struct json_doc *d, struct buf *body, struct err *e)
{
    struct question q = { .method = "GET", .path = path, .answer_ms = 60 * 1000 };
    struct answer got = { 0 };
    enum err_code rc = door_ask(admin, &q, &got, e);
    *body = got.body;
    if (!rc && got.status != 200)
        rc = err_set(e, got.status == 401 || got.status == 403 ? ERR_NOT_ALLOWED : ERR_UP_STATUS, "The daemon at %s answered %d to %s.", admin->name, got.status, path);
    return rc ? rc : json_parse(d, buf_str(body), e);
}

static int64_t int_or(yyjson_val *v, int64_t otherwise)
{
    return yyjson_is_int(v) ? yyjson_get_sint(v) : otherwise;
}

static int64_t used(yyjson_val *backend)
{
    return int_or(yyjson_obj_get(yyjson_obj_get(backend, "slots"), "used"), 0) + int_or(yyjson_obj_get(yyjson_obj_get(backend, "queue"), "depth"), 0);
}

static void take_figures(yyjson_val *b, struct arena *a, struct bench_place *out)
{
    yyjson_val *load = yyjson_obj_get(b, "load");
    out->engine = arena_copy(a, json_str(yyjson_obj_get(b, "engine")));
    out->state = arena_copy(a, json_str(yyjson_obj_get(b, "state")));
    out->here = out->engine.n > 0;
    out->loaded = str_eq(out->state, STR("hot"));
    out->pinned = yyjson_is_true(yyjson_obj_get(b, "pinned"));
    out->context = int_or(yyjson_obj_get(b, "context"), -1);
    out->slots = int_or(yyjson_obj_get(yyjson_obj_get(b, "slots"), "total"), -1);
    out->pid = int_or(yyjson_obj_get(b, "pid"), -1);
    out->memory_bytes = int_or(yyjson_obj_get(yyjson_obj_get(b, "memory"), "measured_bytes"), -1);
    out->spawn_ms = (double)int_or(yyjson_obj_get(load, "spawn_ms"), -1);
    out->load_ms = (double)int_or(yyjson_obj_get(load, "ready_ms"), -1);
    out->busy = used(b);
}

static bool take_ps(yyjson_val *root, struct arena *a, struct bench_place *out)
{
    yyjson_val *backends = yyjson_obj_get(root, "backends"), *b, *mine = NULL;
    size_t i, n;
    yyjson_arr_foreach(backends, i, n, b)
        if (str_eq(json_str(yyjson_obj_get(b, "model")), out->model) && str_eq(json_str(yyjson_obj_get(b, "host")), out->host))
            mine = b;
    if (!mine)
        return false;
    take_figures(mine, a, out);
    out->others_busy = 0;
    yyjson_arr_foreach(backends, i, n, b)
        if (b != mine && out->here && yyjson_is_str(yyjson_obj_get(b, "engine")))
            out->others_busy += used(b);
    return true;
}

bool bench_look_at(struct str ps, struct arena *a, struct bench_place *out)
{
    struct json_doc d = { 0 };
    struct err e;
    bool there = !json_parse(&d, ps, &e) && take_ps(d.root, a, out);
    json_free(&d);
    return there;
}

static enum err_code find(yyjson_val *models, struct str model, struct str host, struct arena *a, struct bench_place *out, struct err *e)
{
    yyjson_val *m = listed_model(models, model), *at = listed_at(models, m, host);
    if (!m) {
        err_set(e, ERR_MODEL_NOT_FOUND, "There is no model '%.*s'.", STR_ARG(model));
        return err_hint(e, "`hob models` lists them; a role or a tier is no place that could be measured.");
    }
    if (!at)
        return err_set(e, ERR_MODEL_NOT_FOUND, "'%.*s' is not on '%.*s', and none of its `replicas:` is.", STR_ARG(model), STR_ARG(host));
    *out = (struct bench_place){ .model = arena_copy(a, json_str(yyjson_obj_get(at, "name"))), .host = arena_copy(a, json_str(yyjson_obj_get(at, "host"))),
        .file = arena_copy(a, json_str(yyjson_obj_get(at, "file"))) };
    return ERR_OK;
}

enum err_code bench_look(const struct door *admin, struct str model, struct str host, struct arena *a, struct bench_place *out, struct err *e)
{
    struct json_doc models = { 0 }, ps = { 0 };
    struct buf models_text = { 0 }, ps_text = { 0 };
    enum err_code rc = ask(admin, "/hob/v1/models", &models, &models_text, e);
    if (!rc)
        rc = find(yyjson_obj_get(models.root, "models"), model, host, a, out, e);
    if (!rc)
        rc = ask(admin, "/hob/v1/ps", &ps, &ps_text, e);
    if (!rc && !take_ps(ps.root, a, out))
        rc = err_set(e, ERR_MODEL_NOT_FOUND, "The daemon does not say how '%.*s' is.", STR_ARG(out->model));
    json_free(&models);
    json_free(&ps);
    buf_free(&models_text);
    buf_free(&ps_text);
    return rc;
}

/* ---- settings ---- */

static void put_str(struct json_out *o, const char *key, struct str v)
{
    json_key(o, str_of(key));
    json_string_or_null(o, v);
}

static void put_int(struct json_out *o, const char *key, int64_t v)
{
    json_key(o, str_of(key));
    json_int_or_null(o, v);
}

/* "AMD EPYC 7B13, 2 cores, 23.4 GiB RAM": what a machine is, not what it is called. */
static struct str machine_words(struct arena *a)
{
    struct machine m;
    uv_cpu_info_t *cpus = NULL;
    int n = 0;
    machine_look("", &m);
    bool known = uv_cpu_info(&cpus, &n) == 0 && n > 0;
    struct str words = arena_printf(a, "%s, %d cores, %s", known ? str_trim(str_of(cpus[0].model)).n ? cpus[0].model : "unknown processor" : "unknown processor", n, m.what);
    if (known)
        uv_free_cpu_info(cpus, n);
    return words;
}

static void put_weights(struct json_out *o, const struct bench_place *p, bool near)
{
    struct model_files files;
    struct summary s;
    struct err e;
    bool there = near && p->file.n && !model_files_open(p->file.p, &files, &e);
    put_str(o, "weights", p->file);
    if (!there) {
        put_str(o, "quantisation", STR(""));
        put_int(o, "weights_bytes", -1);
        return;
    }
    summary_make(&files, &s);
    put_str(o, "quantisation", str_of(s.quantisation));
    put_int(o, "weights_bytes", (int64_t)files.file_bytes);
    model_files_close(&files);
}

static const struct conf_model *configured(const struct config *c, struct str name)
{
    for (size_t i = 0; c && i < c->nmodels; i++)
        if (str_eq(c->models[i].name, name))
            return &c->models[i];
    return NULL;
}

static struct str engine_path(const struct config *c, const struct conf_model *m)
{
    for (size_t i = 0; m && m->file.n && i < c->nengines; i++)
        if (str_eq(c->engines[i].name, m->engine.n ? m->engine : c->engines[0].name))
            return c->engines[i].path;
    return STR("");
}

static void put_set_up(struct json_out *o, const struct config *c, const struct bench_place *p)
{
    const struct conf_model *m = configured(c, p->model);
    bool here = m && p->here;
    put_str(o, "engine_path", here ? engine_path(c, m) : STR(""));
    put_str(o, "kv", here ? m->kv : STR(""));
    put_int(o, "threads", here ? m->threads : -1); /* 0 = cores less one */
    json_key(o, STR("args"));
    json_begin_array(o);
    for (size_t i = 0; here && i < m->args.n; i++)
        json_string(o, m->args.at[i]);
    json_end_array(o);
}

static void put_more(struct json_out *o, struct str settings)
{
    struct json_doc d = { 0 };
    struct err e;
    size_t i, n;
    yyjson_val *key, *v;
    if (settings.n && !json_parse(&d, settings, &e))
        yyjson_obj_foreach(d.root, i, n, key, v) {
            json_key(o, json_name(key));
            json_value(o, v);
        }
    json_free(&d);
}

struct str bench_settings(const struct bench_wish *w, const struct bench_place *p, const struct bench_found *f, const struct door *at, struct arena *a)
{
    struct buf out = { 0 };
    struct json_out o = json_out(&out);
    json_begin_object(&o);
    put_str(&o, "machine", at->remote ? STR("") : machine_words(a));
    put_str(&o, "runtime", p->here ? p->engine : STR("host"));
    put_str(&o, "engine_build", f->build);
    put_weights(&o, p, !at->remote);
    put_set_up(&o, at->remote ? NULL : w->config, p);
    put_int(&o, "context_window", p->context);
    put_int(&o, "slots", p->slots);
    put_int(&o, "tokens", w->tokens);
    put_int(&o, "runs", w->runs);
    put_str(&o, "hob", STR(HOB_VERSION));
    json_key(&o, STR("ignore_eos"));
    json_bool(&o, f->ignore_eos);
    put_str(&o, "energy", f->energy);
    json_key(&o, STR("load_average"));
    json_double(&o, f->load_average, 2);
    put_more(&o, w->settings);
    json_end_object(&o);
    struct str kept = arena_copy(a, buf_str(&out));
    buf_free(&out);
    return kept;
}
