/* The configuration of a lab, out of the user's: as `hob config show --json` has it, so that a setting that is added some day comes along by itself. */
#include "cli/lab.h"
#include "json/json.h"

#include <stdio.h>

/* What is taken as it is. Hosts, keys, roles and rules are not: nobody but the measuring asks there. */
static const char *const taken[] = { "models_dir", "log", "sandbox", "keepalive", "timeouts", "queue", "policy", "limits" };

/* What a model's entry loses: its file may not be asked for by others, so neither names that lead elsewhere nor what it does when nobody asks. */
static const char *const dropped[] = { "aliases", "replicas", "successor", "deprecated", "keep", "idle", "warm", "engine" };

static bool is_one_of(struct str name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(name, str_of(list[i])))
            return true;
    return false;
}

/* `${` in a value was `$${` in the file. */
void lab_put_text(struct json_out *o, struct str s)
{
    struct buf out = { 0 };
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '$' && i + 1 < s.n && s.p[i + 1] == '{')
            buf_add_char(&out, '$');
        buf_add_char(&out, s.p[i]);
    }
    json_string(o, buf_str(&out));
    buf_free(&out);
}

static void put_value(struct json_out *o, yyjson_val *v)
{
    size_t i, n;
    yyjson_val *key, *item;
    if (yyjson_is_str(v)) {
        lab_put_text(o, json_str(v));
    } else if (yyjson_is_obj(v)) {
        json_begin_object(o);
        yyjson_obj_foreach(v, i, n, key, item) {
            json_key(o, json_name(key));
            put_value(o, item);
        }
        json_end_object(o);
    } else if (yyjson_is_arr(v)) {
        json_begin_array(o);
        yyjson_arr_foreach(v, i, n, item)
            put_value(o, item);
        json_end_array(o);
    } else {
        json_value(o, v);
    }
}

static void put_pair(struct json_out *o, const char *key, struct str value)
{
    json_key(o, str_of(key));
    lab_put_text(o, value);
}

/* `reserve:` stays; a `memory:` does not: it is the user's daemon's, which has its models beside ours. */
static void put_general(struct json_out *o, yyjson_val *root, struct str state)
{
    size_t i, n;
    yyjson_val *key, *value;
    put_pair(o, "listen", STR("127.0.0.1:0"));
    put_pair(o, "state", state);
    put_pair(o, "drain", STR("1s"));
    put_pair(o, "residency", STR("0s"));
    json_key(o, STR("known_callers"));
    json_bool(o, false);
    json_key(o, STR("privacy"));
    json_begin_object(o);
    put_pair(o, "detect", STR("off"));
    json_end_object(o);
    json_key(o, STR("budget"));
    json_begin_object(o);
    put_pair(o, "reserve", json_str(yyjson_obj_get(yyjson_obj_get(root, "budget"), "reserve")));
    json_end_object(o);
    yyjson_obj_foreach(root, i, n, key, value) {
        if (!is_one_of(json_name(key), taken, COUNTOF(taken)))
            continue;
        json_key(o, json_name(key));
        put_value(o, value);
    }
}

/* Of one that the wish names instead of the configured one; two models may want two. */
static struct str engine_name(const struct lab_model *m, size_t i, char out[32])
{
    snprintf(out, 32, "hob-lab-%zu", i + 1);
    return m->engine.n ? str_of(out) : m->model->engine;
}

static void put_engine(struct json_out *o, struct str name, struct str path)
{
    json_key(o, name);
    json_begin_object(o);
    put_pair(o, "path", path);
    json_end_object(o);
}

static void put_engines(struct json_out *o, const struct config *c, const struct lab_model *models, size_t n)
{
    char name[32];
    json_key(o, STR("engines"));
    json_begin_object(o);
    for (size_t i = 0; i < c->nengines; i++)
        put_engine(o, c->engines[i].name, c->engines[i].path);
    for (size_t i = 0; i < n; i++)
        if (models[i].engine.n)
            put_engine(o, engine_name(&models[i], i, name), models[i].engine);
    json_end_object(o);
}

static const struct lab_set *set_of(const struct lab_model *m, struct str key)
{
    for (size_t i = m->nset; i > 0; i--) /* the last one counts */
        if (str_eq(m->set[i - 1].key, key))
            return &m->set[i - 1];
    return NULL;
}

static void put_model(struct json_out *o, const struct lab_model *m, yyjson_val *entry, size_t index)
{
    char engine[32];
    size_t i, n;
    yyjson_val *key, *value;
    json_begin_object(o);
    put_pair(o, "engine", engine_name(m, index, engine));
    put_pair(o, "keep", m->hot ? STR("hot") : STR("demand"));
    put_pair(o, "idle", STR("1d"));
    yyjson_obj_foreach(entry, i, n, key, value) {
        if (is_one_of(json_name(key), dropped, COUNTOF(dropped)) || set_of(m, json_name(key)))
            continue;
        json_key(o, json_name(key));
        put_value(o, value);
    }
    for (i = 0; i < m->nset; i++) {
        if (!m->set[i].value.n || set_of(m, m->set[i].key) != &m->set[i])
            continue;
        json_key(o, m->set[i].key);
        json_raw(o, m->set[i].value);
    }
    json_end_object(o);
}

static enum err_code put_models(struct json_out *o, const struct lab_model *models, size_t n, yyjson_val *entries, struct err *e)
{
    char name[256];
    json_key(o, STR("models"));
    json_begin_object(o);
    for (size_t i = 0; i < n; i++) {
        const struct lab_model *m = &models[i];
        snprintf(name, sizeof name, "%.*s", STR_ARG(m->model->name));
        yyjson_val *entry = yyjson_obj_get(entries, name);
        if (!m->model->file.n || !entry) {
            err_set(e, ERR_CONFIG, "%s is no model with a `file:` on this machine", name);
            return err_hint(e, "a hob to measure in is made for what an engine of this machine runs");
        }
        json_key(o, m->name.n ? m->name : m->model->name);
        put_model(o, m, entry, i);
    }
    json_end_object(o);
    return ERR_OK;
}

enum err_code lab_write_config(const struct config *c, const struct lab_model *models, size_t n, struct str state, struct buf *out, struct err *e)
{
    struct buf shown = { 0 };
    struct json_doc d = { 0 };
    struct json_out o = json_out(out);
    conf_show_json(c, &shown);
    enum err_code rc = json_parse(&d, buf_str(&shown), e);
    if (!rc) {
        json_begin_object(&o);
        put_general(&o, d.root, state);
        put_engines(&o, c, models, n);
        rc = put_models(&o, models, n, yyjson_obj_get(d.root, "models"), e);
        json_end_object(&o);
    }
    json_free(&d);
    buf_free(&shown);
    return rc;
}
