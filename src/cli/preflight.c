/* hob preflight NAME|FILE [--as ROLE]: the report of fleet/preflight.h, with what a running daemon has in memory. Nothing is loaded but by --load, and
 * then by the daemon, after all else has said yes. */
#include "fleet/preflight.h"

#include "cli/ask.h"
#include "cli/assume.h"
#include "cli/commands.h"
#include "cli/preflight.h"
#include "cli/subject.h"
#include "conf/conf.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct flight {
    const struct cli_args *args;
    struct arena arena;
    struct config *config;
    struct config *of_file;         /* the model of a file alone lies in it */
    struct str name, as;            /* as they were given */
    struct preflight_ask ask;
    struct preflight_daemon daemon;
    struct door door;
    bool runs, was_loaded;
    char load_error[PREFLIGHT_TEXT_BYTES];
};

/* ---- what it is about ---- */

static enum err_code model_of_file(struct flight *f, struct err *e)
{
    struct buf yaml = { 0 };
    char *real = realpath(arena_copy(&f->arena, f->name).p, NULL);
    struct str path = real ? str_of(real) : f->name;
    buf_lit(&yaml, "{\"models\": {\"file\": {\"file\": \"");
    json_escape(&yaml, path);
    buf_lit(&yaml, "\"}}}\n");
    enum err_code rc = conf_parse((struct str){ NULL, 0 }, buf_str(&yaml), &f->of_file, e);
    if (!rc)
        f->ask.model = &f->of_file->models[0];
    buf_free(&yaml);
    free(real);
    return rc;
}

/* Any word may be a role; one that nobody has heard of is most likely misspelt, and then less would be asked of the model than was meant. */
static void tell_unheard_of(const struct config *c, struct str role)
{
    static const struct str usual[] = { STR("chat"), STR("priority"), STR("code"), STR("math"), STR("maths"), STR("vision"), STR("prompt-enhance"),
        STR("extract"), STR("embed"), STR("rerank"), STR("transcribe"), STR("audio_qa"), STR("task") };
    struct str names[256];
    size_t n = COUNTOF(usual);
    memcpy(names, usual, sizeof usual);
    for (size_t i = 0; i < c->nroles && n < COUNTOF(names); i++)
        names[n++] = c->roles[i].name;
    for (size_t i = 0; i < n; i++)
        if (str_eq(names[i], role))
            return;
    struct str near = str_nearest(role, names, n);
    fprintf(stderr, "hob: no role is called '%.*s'%s%.*s%s the model is held against what any role for text wants\n", STR_ARG(role),
        near.n ? ", did you mean '" : "", STR_ARG(near), near.n ? "'?" : ":");
}

static int find_model(struct flight *f)
{
    struct err e;
    struct subject s;
    bool any = subject_find(f->config, f->name, &s);
    struct str as = f->as.p ? f->as : cli_option_value(f->args, "--as");
    f->ask.model = s.model;
    f->ask.role = as.p ? as : s.role;
    if (as.p)
        tell_unheard_of(f->config, as);
    if (s.model)
        return EXIT_OK;
    if (!any && !subject_is_path(f->name)) /* a file that is not there is for the report to say */
        return subject_unknown(f->config, f->name, "`hob models` lists the models; a file or a folder is named by its path");
    if (model_of_file(f, &e)) {
        cli_error(&e);
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

/* ---- the running daemon ---- */

static int64_t number(yyjson_val *v) /* -1 = null or none */
{
    return yyjson_is_int(v) ? yyjson_get_sint(v) : -1;
}

static bool has_it_in_memory(struct str state)
{
    return str_eq(state, STR("hot")) || str_eq(state, STR("loading"));
}

static void take_resident(struct flight *f, yyjson_val *b, struct preflight_resident *to)
{
    yyjson_val *memory = yyjson_obj_get(b, "memory");
    int64_t booked = number(yyjson_obj_get(memory, "booked_bytes"));
    struct str name = json_str(yyjson_obj_get(b, "model"));
    to->model = arena_copy(&f->arena, name);
    to->bytes = booked > 0 ? booked : number(yyjson_obj_get(memory, "estimated_bytes"));
    to->stays = str_eq(json_str(yyjson_obj_get(b, "keep")), STR("hot")) || yyjson_get_bool(yyjson_obj_get(b, "pinned")) ||
                number(yyjson_obj_get(b, "leases")) > 0;
    if (!str_eq(name, f->ask.model->name))
        return;
    f->was_loaded = has_it_in_memory(json_str(yyjson_obj_get(b, "state")));
    if (str_eq(json_str(yyjson_obj_get(b, "state")), STR("hot")))
        f->ask.thinking = arena_copy(&f->arena, json_str(yyjson_obj_get(b, "thinking")));
}

static void read_ps(struct flight *f, struct str body)
{
    struct json_doc d = { 0 };
    struct err e;
    size_t i, n;
    yyjson_val *b;
    if (json_parse(&d, body, &e))
        return;
    yyjson_val *all = yyjson_obj_get(d.root, "backends");
    struct preflight_resident *at = arena_array(&f->arena, struct preflight_resident, yyjson_arr_size(all) + 1);
    yyjson_arr_foreach(all, i, n, b)
        take_resident(f, b, &at[i]);
    f->daemon = (struct preflight_daemon){ .total_bytes = number(yyjson_obj_get(yyjson_obj_get(d.root, "budget"), "total_bytes")), .at = at,
        .n = yyjson_arr_size(all) };
    f->ask.daemon = &f->daemon;
    json_free(&d);
}

static void ask_ps(struct flight *f)
{
    struct question q = { .method = "GET", .path = "/hob/v1/ps", .connect_ms = 300, .answer_ms = 10 * 1000 };
    struct answer got;
    struct err e;
    if (door_find(f->args, f->config, &f->door, &e) || f->door.remote || door_ask(&f->door, &q, &got, &e))
        return;
    f->runs = got.status == 200;
    if (f->runs)
        read_ps(f, buf_str(&got.body));
    buf_free(&got.body);
}

/* ---- the trial load ---- */

static enum err_code tell_daemon(struct flight *f, const char *path, struct answer *got, struct err *e)
{
    struct buf body = { 0 };
    struct question q = { .method = "POST", .path = path };
    struct json_out o = json_out(&body);
    json_begin_object(&o);
    json_key(&o, STR("model"));
    json_string(&o, f->ask.model->name);
    json_end_object(&o);
    q.body = buf_str(&body);
    enum err_code rc = door_ask(&f->door, &q, got, e);
    buf_free(&body);
    return rc;
}

static void read_load(struct flight *f, const struct answer *got)
{
    struct json_doc d = { 0 };
    struct err e;
    if (json_parse(&d, buf_str(&got->body), &e)) {
        snprintf(f->load_error, sizeof f->load_error, "the daemon answered %d", got->status);
        return;
    }
    struct str why = json_str(yyjson_obj_get(yyjson_obj_get(d.root, "error"), "message"));
    if (got->status == 200)
        f->ask.loaded_context = number(yyjson_obj_get(d.root, "context"));
    else
        snprintf(f->load_error, sizeof f->load_error, "%.*s", STR_ARG(why));
    json_free(&d);
}

/* What was not in memory before is not afterwards. */
static void trial_load(struct flight *f)
{
    struct answer got;
    struct err e;
    fprintf(stderr, "hob: loading %.*s to see it\n", STR_ARG(f->ask.model->name));
    if (tell_daemon(f, "/hob/v1/models/load", &got, &e)) {
        snprintf(f->load_error, sizeof f->load_error, "%s", e.text);
    } else {
        read_load(f, &got);
        buf_free(&got.body);
        bool goes = f->ask.loaded_context && !f->was_loaded && f->ask.model->keep != KEEP_HOT;
        if (goes && !tell_daemon(f, "/hob/v1/models/unload", &got, &e))
            buf_free(&got.body);
    }
    f->ask.load_error = f->load_error[0] ? f->load_error : NULL;
}

static int may_load(const struct flight *f)
{
    if (!cli_flag(f->args, "--load"))
        return EXIT_OK;
    if (f->of_file) {
        fprintf(stderr, "hob: a trial load is the daemon's, and it knows only models of its configuration\n");
        return EXIT_USAGE;
    }
    if (f->runs)
        return EXIT_OK;
    fprintf(stderr, "hob: a trial load is the daemon's, and none answers at %s\nhob: start it with `hob serve`, or leave --load out\n", f->door.name);
    return EXIT_NO_DAEMON;
}

/* ---- what is printed ---- */

static void put_json(const struct flight *f, const struct preflight_report *r, struct buf *out)
{
    struct json_out o = json_out(out);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("model"));
    json_string(&o, f->name);
    json_key(&o, STR("role"));
    json_string_or_null(&o, f->ask.role);
    json_key(&o, STR("ok"));
    json_bool(&o, r->ok);
    json_key(&o, STR("checks"));
    json_begin_array(&o);
    for (size_t i = 0; i < PREFLIGHT_CHECKS; i++) {
        const struct preflight_check *c = &r->checks[i];
        json_begin_object(&o);
        json_key(&o, STR("name"));
        json_string(&o, str_of(c->name));
        json_key(&o, STR("ok"));
        if (c->answer == PREFLIGHT_NOT_APPLICABLE)
            json_null(&o);
        else
            json_bool(&o, c->answer == PREFLIGHT_YES);
        json_key(&o, STR("detail"));
        json_string(&o, str_of(c->detail));
        json_key(&o, STR("fix"));
        if (c->fix[0])
            json_string(&o, str_of(c->fix));
        else
            json_null(&o);
        json_end_object(&o);
    }
    json_end_array(&o);
    json_end_object(&o);
}

static int print_json(const struct flight *f, const struct preflight_report *r)
{
    struct buf out = { 0 };
    put_json(f, r, &out);
    int rc = print_answer(buf_str(&out));
    buf_free(&out);
    return rc;
}

static int print_lines(const struct preflight_report *r)
{
    static const char *const words[] = { [PREFLIGHT_YES] = "ok", [PREFLIGHT_NO] = "no", [PREFLIGHT_NOT_APPLICABLE] = "-" };
    for (size_t i = 0; i < PREFLIGHT_CHECKS; i++) {
        const struct preflight_check *c = &r->checks[i];
        printf("%-2s  %-12s  %s\n", words[c->answer], c->name, c->detail);
        if (c->fix[0])
            printf("                  fix: %s\n", c->fix);
    }
    return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

/* ---- the command ---- */

static void fly(struct flight *f, struct preflight_report *r)
{
    struct err e;
    struct store *store = NULL;
    if (!access(f->config->state.p, W_OK) && store_open(f->config->state, &store, &e))
        store = NULL; /* what was learned is a help, no need */
    f->ask.store = store;
    preflight(&f->ask, r);
    if (r->ok && cli_flag(f->args, "--load")) {
        trial_load(f);
        preflight(&f->ask, r);
    }
    store_close(store);
}

static int prepare(struct flight *f)
{
    struct err e;
    int rc = cli_load_config(f->args, &f->config);
    if (rc)
        return rc;
    if (assume_models(&f->config, false, NULL, &e)) {
        cli_error(&e);
        return EXIT_USAGE;
    }
    f->ask.config = f->config;
    f->ask.hash = cli_flag(f->args, "--hash");
    rc = find_model(f);
    if (!rc)
        ask_ps(f);
    return rc ? rc : may_load(f);
}

static int run(const struct cli_args *a)
{
    struct flight f = { .args = a };
    struct preflight_report r;
    if (!a->nwords) {
        fprintf(stderr, "hob: which model? hob preflight NAME|FILE [--as ROLE]; `hob models` lists them\n");
        return EXIT_USAGE;
    }
    arena_init(&f.arena);
    f.name = a->words[0];
    log_set_level(LOG_ERROR); /* what is wrong is found below, and said once */
    int rc = prepare(&f);
    if (!rc) {
        fly(&f, &r);
        rc = cli_flag(a, "--json") ? print_json(&f, &r) : print_lines(&r);
        rc = rc ? rc : r.ok ? EXIT_OK : EXIT_GATE;
    }
    conf_free(f.of_file);
    conf_free(f.config);
    arena_fini(&f.arena);
    return rc;
}

int preflight_look(const struct cli_args *a, struct str name, struct str as, struct buf *json, struct buf *why)
{
    struct flight f = { .args = a, .name = name, .as = as };
    struct preflight_report r;
    arena_init(&f.arena);
    log_set_level(LOG_ERROR);
    int rc = prepare(&f);
    if (!rc) {
        fly(&f, &r);
        put_json(&f, &r, json);
        rc = r.ok ? EXIT_OK : EXIT_GATE;
        for (size_t i = 0; !r.ok && i < PREFLIGHT_CHECKS && !why->n; i++)
            if (r.checks[i].answer == PREFLIGHT_NO)
                buf_printf(why, "%.*s, %s: %s", STR_ARG(name), r.checks[i].name, r.checks[i].detail);
    }
    conf_free(f.of_file);
    conf_free(f.config);
    arena_fini(&f.arena);
    return rc;
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--as", NULL, "ROLE", "what it is to be used for: is it the right kind of model for that" },
    { "--hash", NULL, NULL, "read the whole file and show its SHA-256 (always done where `sha256:` is configured)" },
    { "--load", NULL, NULL, "when all else says yes: have the daemon load it, and see the context it really has" },
    { "--json", NULL, NULL, "one JSON object" },
    CLI_END,
};
const struct command cli_preflight = { .name = "preflight", .usage = "NAME|FILE [--as ROLE]", .what = "would this model serve here, before anything is loaded",
    .example = "hob preflight gemma.gguf --as vision", .run = run, .options = options, .max_words = 1, .words = CLI_WORDS_NAMES };
