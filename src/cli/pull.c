/* hob pull: brings a model's files here. The paths go to stdout, what goes on to stderr. */
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/pull_plan.h"
#include "cli/table.h"
#include "json/json.h"
#include "model/catalog.h"
#include "model/weights.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct pulling {
    const struct cli_args *args;
    struct config *config;
    struct arena arena;
    struct hub_access hub;
    struct pull_wish wish;
    struct pull_plan plan;
    struct pull_result *results;
    size_t done;                /* jobs */
    struct progress bar;
    struct str shown;           /* name of the file that comes now */
};

/* ---- stopping ---- */

static volatile sig_atomic_t stopped;

static void on_signal(int signal)
{
    stopped = signal;
}

static void catch_signals(void)
{
    struct sigaction stop = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN };
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL); /* a file that may not grow is an error of write() */
}

/* Whoever started us sees by what we ended. */
static int end_by_signal(void)
{
    int by = stopped;
    signal(by, SIG_DFL);
    raise(by);
    return EXIT_FAILED;
}

static bool go_on(void *ctx)
{
    return !stopped;
}

/* ---- words ---- */

static void on_word(void *ctx, const char *text)
{
    struct pulling *p = ctx;
    progress_clear(&p->bar);
    fprintf(stderr, "hob: %s\n", text);
}

static void on_progress(void *ctx, const struct pull_progress *now)
{
    static const char *const words[] = { [PULL_CHECKING] = "checking what is there", [PULL_FETCHING] = "", [PULL_VERIFYING] = "verifying" };
    struct pulling *p = ctx;
    progress_show(&p->bar, p->shown, words[now->phase], now->done_bytes, now->total_bytes, clock_mono_ms());
}

static struct str base_name(struct str path)
{
    size_t at = path.n;
    while (at && path.p[at - 1] != '/')
        at--;
    return str_from(path, at);
}

/* As a configuration would name it: relative to models_dir when it lies there. */
static struct str config_path(const struct pulling *p, struct str path)
{
    struct str dir = p->config->models_dir;
    bool inside = path.n > dir.n + 1 && str_starts(path, dir) && path.p[dir.n] == '/';
    return inside ? str_from(path, dir.n + 1) : path;
}

static const struct pull_job *first_of(const struct pulling *p, bool projector)
{
    for (size_t i = 0; i < p->plan.n; i++)
        if (p->plan.jobs[i].projector == projector)
            return &p->plan.jobs[i];
    return NULL;
}

static void tell_what_there_is(const struct pulling *p)
{
    static const char *const heads[] = { "THERE IS", "SIZE", "FILES", "FIRST FILE" };
    char size[32];
    struct table t;
    struct buf out = { 0 };
    if (!p->plan.nthere)
        return;
    table_init(&t, heads, COUNTOF(heads));
    for (size_t i = 0; i < p->plan.nthere; i++) {
        const struct hub_choice *c = &p->plan.there[i];
        table_cell(&t, c->label);
        table_cell(&t, show_bytes(c->bytes, size));
        table_int(&t, (int64_t)c->n);
        table_cell(&t, c->files[0]->path);
    }
    table_print(&t, &out);
    fprintf(stderr, "%.*s", STR_ARG(buf_str(&out)));
    buf_free(&out);
    table_fini(&t);
}

/* When the configuration was read the file was not there yet, and taken to be missing beside the configuration. */
static bool was_missed(const struct config *c, struct str file, struct str target)
{
    struct str name = base_name(target);
    return str_eq(base_name(file), name) && str_eq(str_make(target.p, target.n - name.n - 1), c->models_dir) && access(file.p, F_OK);
}

/* The configured model whose file this is, when it is one's. */
static const struct conf_model *model_of(const struct config *c, const struct pull_job *job)
{
    for (size_t i = 0; job && i < c->nmodels; i++) {
        struct str file = c->models[i].file;
        if (file.n && (str_eq(file, job->target) || was_missed(c, file, job->target)))
            return &c->models[i];
    }
    return NULL;
}

static void tell_what_next(struct pulling *p)
{
    const struct pull_job *model = first_of(p, false), *projector = first_of(p, true);
    const struct config *c = p->config;
    if (p->plan.has_projector && !p->wish.projector)
        fprintf(stderr, "hob: it can see or hear with its projector: --mmproj fetches that too\n");
    const struct conf_model *configured = p->plan.model ? p->plan.model : model_of(c, model);
    if (configured) {
        fprintf(stderr, "hob: `hob load %.*s` loads it\n", STR_ARG(configured->name));
        return;
    }
    struct str name = model ? catalog_name(&p->arena, base_name(model->target), false) : STR("");
    if (!c->path.n && !projector) {
        fprintf(stderr, "hob: `hob serve` serves it without a configuration, as %.*s; one that runs sees it after `hob config reload`\n", STR_ARG(name));
    } else if (model) {
        fprintf(stderr, "hob: to serve it, add to %s:\nmodels:\n  %.*s: {file: %.*s", c->path.n ? c->path.p : "a hob.yaml", STR_ARG(name),
            STR_ARG(config_path(p, model->target)));
        if (projector)
            fprintf(stderr, ", mmproj: %.*s, input: [text, image]", STR_ARG(config_path(p, projector->target)));
        fprintf(stderr, "}\nhob: then `hob config reload`\n");
    }
}

static void put_json_text(struct json_out *o, const char *key, struct str text)
{
    json_key(o, str_of(key));
    json_string_or_null(o, text);
}

static void put_file(struct json_out *o, const struct pull_job *j, const struct pull_result *r)
{
    json_begin_object(o);
    put_json_text(o, "path", j->target);
    json_key(o, STR("projector"));
    json_bool(o, j->projector);
    json_key(o, STR("bytes"));
    json_int(o, r->bytes);
    put_json_text(o, "sha256", str_of(r->sha256));
    json_key(o, STR("verified"));
    json_bool(o, r->verified);
    json_key(o, STR("was_there"));
    json_bool(o, r->was_there);
    json_key(o, STR("fetched_bytes"));
    json_int(o, r->fetched_bytes);
    json_key(o, STR("resumed_bytes"));
    json_int(o, r->resumed_bytes);
    put_json_text(o, "host", str_of(r->host));
    json_end_object(o);
}

static void print_json(struct pulling *p, const struct err *e)
{
    struct buf b = { 0 };
    struct json_out o = json_out(&b);
    const struct pull_job *model = first_of(p, false);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    struct str name = p->plan.model ? p->plan.model->name : model ? catalog_name(&p->arena, base_name(model->target), false) : STR("");
    put_json_text(&o, "model", name);
    put_json_text(&o, "choice", p->plan.choice);
    json_key(&o, STR("files"));
    json_begin_array(&o);
    for (size_t i = 0; i < p->done; i++)
        put_file(&o, &p->plan.jobs[i], &p->results[i]);
    json_end_array(&o);
    json_key(&o, STR("error"));
    if (e) {
        json_begin_object(&o);
        put_json_text(&o, "code", str_of(err_row(e->code)->code));
        put_json_text(&o, "message", str_of(e->text));
        put_json_text(&o, "hint", str_of(e->hint));
        json_end_object(&o);
    } else {
        json_null(&o);
    }
    json_end_object(&o);
    printf("%.*s\n", STR_ARG(buf_str(&b)));
    buf_free(&b);
}

/* ---- the work ---- */

static void tell_done(struct pulling *p, const struct pull_job *j, const struct pull_result *r)
{
    char size[32];
    const char *how = r->was_there ? (r->verified ? "was there already, and its SHA-256 is right" : "was there already; no SHA-256 is known to hold it against")
                                   : (r->verified ? "its SHA-256 is right" : "no SHA-256 is known to hold it against");
    progress_clear(&p->bar);
    fprintf(stderr, "hob: %.*s, %s: %s\n", STR_ARG(base_name(j->target)), show_bytes(r->bytes, size).p, how);
    if (!cli_flag(p->args, "--json"))
        printf("%.*s\n", STR_ARG(j->target));
    fflush(stdout);
}

static enum err_code pull_one(struct pulling *p, const struct pull_job *j, struct pull_result *r, struct err *e)
{
    struct str folder = str_make(j->target.p, j->target.n - base_name(j->target).n - 1);
    struct pull_ask ask = { .sources = j->sources, .nsources = j->nsources, .hub = &p->hub, .name = &p->plan.name, .target = j->target,
        .bytes = j->bytes, .sha256 = j->sha256, .check_header = !j->part, .force = cli_flag(p->args, "--force"),
        .idle_ms = p->config->timeouts.idle_ms, .on_progress = on_progress, .on_word = on_word, .go_on = go_on, .ctx = p };
    p->shown = base_name(j->target);
    enum err_code rc = pull_make_folder(folder, e);
    if (!rc)
        rc = pull_file(&ask, r, e);
    if (!rc)
        tell_done(p, j, r);
    return rc;
}

/* Parts can be looked at only when they are all there. */
static enum err_code check_parts(struct pulling *p, struct err *e)
{
    struct weights w;
    const struct pull_job *model = first_of(p, false);
    return model && model->part && p->plan.n > 1 ? weights_check(model->target.p, &w, e) : ERR_OK;
}

static enum err_code pull_all(struct pulling *p, struct err *e)
{
    int64_t missing = pull_plan_missing(&p->plan, cli_flag(p->args, "--force"), &p->arena);
    struct str first = p->plan.jobs[0].target;
    enum err_code rc = pull_check_space(str_make(first.p, first.n - base_name(first).n - 1), missing, e);
    p->results = arena_array(&p->arena, struct pull_result, p->plan.n);
    for (; !rc && p->done < p->plan.n; p->done += !rc)
        rc = pull_one(p, &p->plan.jobs[p->done], &p->results[p->done], e);
    return rc ? rc : check_parts(p, e);
}

static int tell_stop(struct pulling *p)
{
    char size[32];
    progress_clear(&p->bar);
    int64_t have = p->results && p->done < p->plan.n ? pull_part_bytes(p->plan.jobs[p->done].target, &p->arena) : 0;
    if (have)
        fprintf(stderr, "hob: stopped; %s of %.*s are kept: the same command goes on there\n", show_bytes(have, size).p, STR_ARG(p->shown));
    else
        fprintf(stderr, "hob: stopped\n");
    return end_by_signal();
}

static int finish(struct pulling *p, enum err_code rc, const struct err *e)
{
    if (stopped)
        return tell_stop(p);
    progress_clear(&p->bar);
    if (rc)
        cli_error(e);
    if (rc)
        tell_what_there_is(p);
    else
        tell_what_next(p);
    if (cli_flag(p->args, "--json"))
        print_json(p, rc ? e : NULL);
    return rc == ERR_INVALID_REQUEST || rc == ERR_CONFIG ? EXIT_USAGE : rc ? EXIT_FAILED : EXIT_OK;
}

static int run(const struct cli_args *a)
{
    struct pulling p = { .args = a };
    struct err e = { 0 };
    if (!a->nwords) {
        fprintf(stderr, "hob: what shall be fetched? ORG/REPOSITORY[:QUANTISATION], an https:// address, or a configured model with `hub:`\n");
        return EXIT_USAGE;
    }
    int exit_code = cli_load_config(a, &p.config);
    if (exit_code)
        return exit_code;
    catch_signals();
    arena_init(&p.arena);
    progress_init(&p.bar);
    p.wish = (struct pull_wish){ .what = a->words[0], .sha256 = cli_option_value(a, "--sha256"), .to = cli_option_value(a, "--to"),
        .quant = cli_option_value(a, "--quant"), .projector = cli_flag(a, "--mmproj") };
    enum err_code rc = hub_access_of(p.config, &p.arena, &p.hub, &e);
    p.hub.on_wait = go_on;
    if (!rc)
        rc = pull_plan_make(p.config, &p.hub, &p.wish, &p.arena, &p.plan, &e);
    if (!rc)
        rc = pull_all(&p, &e);
    exit_code = finish(&p, rc, &e);
    arena_fini(&p.arena);
    conf_free(p.config);
    return exit_code;
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--quant", "-q", "QUANT", "which quantisation (default: the configuration's `pull.quant`, Q4_K_M)" },
    { "--mmproj", NULL, NULL, "the projector too, with which the model sees or hears" },
    { "--to", NULL, "NAME", "call the file so, in the models folder" },
    { "--sha256", NULL, "HASH", "the file must have this SHA-256" },
    { "--force", NULL, NULL, "replace a file that is there already" },
    { "--json", NULL, NULL, "one JSON object" },
    CLI_END,
};
const struct command cli_pull = { .name = "pull", .usage = "MODEL|ORG/REPO[:QUANT]|URL", .what = "fetch a model's files, checked, going on where it was stopped",
    .example = "hob pull ORG/REPOSITORY:Q8_0", .run = run, .options = options, .max_words = 1, .words = CLI_WORDS_MODELS };
