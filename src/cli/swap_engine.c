/* hob swap plan --engine NAME=PATH: would the new build run what the old one runs? Looked at before anything is planned: that it starts, what each of the two knows, that it
 * takes the flags that its models are started with. The daemon keeps the plan. */
#include "cli/swap.h"

#include "backend/engine.h"
#include "backend/launch.h"
#include "backend/llama_args.h"
#include "cli/ask.h"
#include "cli/numbers.h"
#include "conf/conf.h"
#include "model/architectures.h"
#include "model/files.h"
#include "proc/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_NAMES = 512, TEXT_BYTES = 512, HELP_MS = 20 * 1000 };
static const int64_t second_ms = 1000, year_ms = 365ll * 86400 * 1000;

struct engine_plan {
    const struct cli_args *args;
    struct config *config;
    struct store *store;                /* NULL: nothing is kept of what they answer */
    struct arena arena;
    struct str name, to;
    struct engine builds[2];            /* old, new */
    struct buf lost, gained;            /* architectures: JSON strings, commas between */
    struct buf checks;                  /* JSON objects, commas between */
    struct buf why;                     /* the first check that says no */
    bool refused;
};

/* ---- checks ---- */

static void add_check(struct engine_plan *p, const char *name, bool ok, const char *detail, const char *fix)
{
    struct json_out o = json_out(&p->checks);
    if (p->checks.n)
        buf_lit(&p->checks, ",");
    json_begin_object(&o);
    json_key(&o, STR("name"));
    json_string(&o, str_of(name));
    json_key(&o, STR("ok"));
    json_bool(&o, ok);
    json_key(&o, STR("detail"));
    json_string(&o, str_of(detail));
    json_key(&o, STR("fix"));
    json_string_or_null(&o, str_of(fix));
    json_end_object(&o);
    if (!ok && !p->refused)
        buf_printf(&p->why, "%.*s, %s: %s", STR_ARG(p->to), name, detail);
    p->refused |= !ok;
}

/* Many a program says a version: what runs models takes `--model`, and says so. One that says nothing in time may be a slow one. */
static bool is_no_engine(const struct engine *g)
{
    const char *argv[] = { g->path, "--help", NULL };
    struct buf help = { 0 };
    struct run_end end;
    struct err e;
    bool ran = !run_program(argv, NULL, NULL, HELP_MS, &help, &end, &e) && !end.too_long;
    bool names_it = str_find(buf_str(&help), STR("--model")) >= 0;
    buf_free(&help);
    return ran && !names_it;
}

/* Both are found and say their version; two that are one are no swap. */
static bool check_builds(struct engine_plan *p)
{
    static const char *const names[] = { "old build", "new build" };
    struct err e;
    char detail[TEXT_BYTES];
    for (size_t i = 0; i < 2; i++) {
        struct engine *g = &p->builds[i];
        enum err_code rc = i ? engine_at(p->to, p->name, g, &e) : engine_find(p->config, p->name, g, &e);
        if (!rc)
            rc = engine_ask_version(g, &e);
        if (rc)
            add_check(p, names[i], false, e.text, i ? "Name a llama-server that runs on this machine." : "It must stay on the disk: it is the way back.");
        else
            snprintf(detail, sizeof detail, "%.300s: %s", g->path, g->version[0] ? g->version : "it says no version");
        if (rc)
            return false;
        add_check(p, names[i], true, detail, "");
    }
    if (is_no_engine(&p->builds[1])) {
        add_check(p, "an engine", false, "its `--help` names no `--model`: it is no llama-server", "Name the build's program `llama-server`, not another one of its folder.");
        return false;
    }
    if (!str_eq(str_of(p->builds[0].hash), str_of(p->builds[1].hash)))
        return true;
    add_check(p, "another build", false, "it is the build that is in use already", "Give each build a folder of its own, and name the new one.");
    return false;
}

static void put_name(struct buf *to, struct str name)
{
    struct json_out o = json_out(to);
    if (to->n)
        buf_lit(to, ",");
    json_string(&o, name);
}

static void show_progress(struct str name, size_t done, size_t n)
{
    if (!isatty(STDERR_FILENO))
        return;
    if (done == n)
        fprintf(stderr, "\r\033[K");
    else
        fprintf(stderr, "\rasking both builds of %.*s what they know: %zu of %zu", STR_ARG(name), done, n);
}

/* What one knows and the other does not. A name that one of them is silent about is neither. */
static void compare_architectures(struct engine_plan *p)
{
    size_t n = 0;
    while (architectures[n] && n < MOST_NAMES)
        n++;
    for (size_t i = 0; i < n; i++) {
        struct str name = str_of(architectures[i]);
        show_progress(p->name, i, n);
        enum probe_answer old = engine_knows(&p->builds[0], name, p->store), new = engine_knows(&p->builds[1], name, p->store);
        if (old == PROBE_KNOWN && new == PROBE_UNKNOWN)
            put_name(&p->lost, name);
        if (old == PROBE_UNKNOWN && new == PROBE_KNOWN)
            put_name(&p->gained, name);
    }
    show_progress(p->name, n, n);
}

/* What a model's file says it is; empty when that cannot be read: then its own preflight says so. */
static struct str architecture_of(struct engine_plan *p, const struct conf_model *m)
{
    struct model_files f;
    struct err e;
    if (model_files_open_gguf(m->file.p, &f, &e))
        return STR("");
    struct str name = arena_copy(&p->arena, f.first.architecture);
    model_files_close(&f);
    return name;
}

static bool is_of_engine(const struct engine_plan *p, const struct conf_model *m)
{
    return m->file.n && str_eq(m->engine, p->name);
}

static void check_architectures(struct engine_plan *p)
{
    char detail[TEXT_BYTES];
    struct buf lacks = { 0 };
    for (size_t i = 0; i < p->config->nmodels; i++) {
        const struct conf_model *m = &p->config->models[i];
        struct str name = is_of_engine(p, m) ? architecture_of(p, m) : STR("");
        if (name.n && engine_knows(&p->builds[1], name, p->store) == PROBE_UNKNOWN)
            buf_printf(&lacks, "%s'%.*s', which '%.*s' needs", lacks.n ? ", " : "", STR_ARG(name), STR_ARG(m->name));
    }
    if (lacks.n)
        snprintf(detail, sizeof detail, "it does not know %.*s", lacks.n < 400 ? (int)lacks.n : 400, lacks.p);
    else
        snprintf(detail, sizeof detail, "it knows those of all models of '%.*s'", STR_ARG(p->name));
    add_check(p, "architectures", !lacks.n, detail, lacks.n ? "Take a build that knows it, or give that model an engine of its own (`engine:`)." : "");
    compare_architectures(p);
    buf_free(&lacks);
}

/* Each model's own command line: `args:` may have flags that only some builds take. */
static void check_flags(struct engine_plan *p)
{
    char said[256], detail[TEXT_BYTES];
    for (size_t i = 0; i < p->config->nmodels; i++) {
        const struct conf_model *m = &p->config->models[i];
        struct launch launch;
        struct str words[LAUNCH_MAX_WORDS];
        if (!is_of_engine(p, m))
            continue;
        launch_init(&launch);
        size_t n = llama_args_words(&launch, m, 0, words, COUNTOF(words));
        bool dislikes = engine_dislikes(&p->builds[1], words, n, said, sizeof said);
        launch_free(&launch);
        if (!dislikes)
            continue;
        snprintf(detail, sizeof detail, "what '%.*s' is started with: %s", STR_ARG(m->name), said);
        add_check(p, "flags", false, detail, "Change the model's `args:`, or take a build that has the flag.");
        return;
    }
    add_check(p, "flags", true, "it takes what its models are started with", "");
}

/* ---- the plan ---- */

static void put_text(struct json_out *o, const char *key, struct str text)
{
    json_key(o, str_of(key));
    json_string(o, text);
}

static void put_list(struct json_out *o, const char *key, const struct buf *elements)
{
    json_key(o, str_of(key));
    json_begin_array(o);
    if (elements->n)
        json_raw(o, buf_str(elements));
    json_end_array(o);
}

static void put_engine(struct json_out *o, const struct engine_plan *p)
{
    json_key(o, STR("engine"));
    json_begin_object(o);
    put_text(o, "name", p->name);
    put_text(o, "to", p->to);
    put_text(o, "version_from", str_of(p->builds[0].version));
    put_text(o, "version_to", str_of(p->builds[1].version));
    put_text(o, "build_from", str_of(p->builds[0].hash));
    put_text(o, "build_to", str_of(p->builds[1].hash));
    json_key(o, STR("architectures"));
    json_begin_object(o);
    put_list(o, "lost", &p->lost);
    put_list(o, "gained", &p->gained);
    json_end_object(o);
    json_end_object(o);
}

static int put_body(struct engine_plan *p, struct buf *body)
{
    struct json_out o = json_out(body);
    int64_t window_ms = 7 * 86400 * 1000;
    int code = option_duration(p->args, "--window", second_ms, year_ms, &window_ms);
    json_begin_object(&o);
    put_engine(&o, p);
    json_key(&o, STR("window_ms"));
    json_int(&o, window_ms);
    json_key(&o, STR("alert_only"));
    json_bool(&o, cli_flag(p->args, "--alert-only"));
    json_key(&o, STR("refused"));
    json_bool(&o, p->refused);
    put_text(&o, "why", p->why.n ? buf_str(&p->why) : cli_option_value(p->args, "--why"));
    json_key(&o, STR("preflight"));
    json_begin_object(&o);
    json_key(&o, STR("ok"));
    json_bool(&o, !p->refused);
    put_list(&o, "checks", &p->checks);
    json_end_object(&o);
    json_end_object(&o);
    return code;
}

/* NAME=PATH; a path that begins here, or a name on PATH, is made a whole one: the daemon is elsewhere. */
static int read_option(struct engine_plan *p)
{
    struct str path, name = str_cut(cli_option_value(p->args, "--engine"), '=', &path);
    char found[ENGINE_MAX_PATH], folder[ENGINE_MAX_PATH];
    if (!name.n || !path.n) {
        fprintf(stderr, "hob: --engine wants NAME=PATH, as in --engine llama=/opt/llama/new/llama-server\n");
        return EXIT_USAGE;
    }
    if (cli_option_value(p->args, "--role").n) {
        fprintf(stderr, "hob: a model under a role and a build of an engine are not swapped at once, or nobody would know which of the two it was: plan one, and when it is promoted the other\n");
        return EXIT_USAGE;
    }
    if (cli_option_value(p->args, "--share").n) {
        fprintf(stderr, "hob: a build of an engine has no --share: each of its models moves as a whole, one after the other\n");
        return EXIT_USAGE;
    }
    if (cli_option_value(p->args, "--shadow").n) {
        fprintf(stderr, "hob: a build of an engine has no --shadow: `hob swap evidence` puts suites to its models in both builds\n");
        return EXIT_USAGE;
    }
    if (daemon_is_remote()) {
        fprintf(stderr, "hob: both builds are looked at by this command: run it on the machine that they are on\n");
        return EXIT_USAGE;
    }
    p->name = name;
    bool is = run_find_program(path, found, sizeof found);
    p->to = arena_copy(&p->arena, is ? str_of(found) : path);
    if (p->to.p[0] != '/' && getcwd(folder, sizeof folder))
        p->to = arena_printf(&p->arena, "%s/%.*s", folder, STR_ARG(p->to));
    return EXIT_OK;
}

static int look(struct engine_plan *p)
{
    struct err e;
    int code = cli_load_config(p->args, &p->config);
    if (code)
        return code;
    if (!conf_engine(p->config, p->name)) {
        fprintf(stderr, "hob: no engine is called '%.*s': `hob engine list` has them\n", STR_ARG(p->name));
        return EXIT_FAILED;
    }
    if (store_open(p->config->state, &p->store, &e))
        p->store = NULL;
    if (check_builds(p)) {
        check_architectures(p);
        check_flags(p);
    }
    return EXIT_OK;
}

int swap_plan_engine(const struct cli_args *a)
{
    struct engine_plan p = { .args = a };
    struct buf body = { 0 }, answer = { 0 };
    arena_init(&p.arena);
    int code = read_option(&p);
    if (!code)
        code = look(&p);
    if (!code)
        code = put_body(&p, &body);
    if (!code)
        code = swap_ask(a, "POST", "/hob/v1/swaps/plan", buf_str(&body), &answer, NULL);
    if (!code)
        code = swap_print(a, buf_str(&answer));
    if (!code && p.refused)
        code = EXIT_GATE;
    struct buf *const all[] = { &p.lost, &p.gained, &p.checks, &p.why, &body, &answer };
    for (size_t i = 0; i < COUNTOF(all); i++)
        buf_free(all[i]);
    store_close(p.store);
    conf_free(p.config);
    arena_fini(&p.arena);
    return code;
}
