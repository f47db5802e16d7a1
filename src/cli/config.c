/* hob config: is the file right, what is in force, what may be in it; and the daemon takes it over. All of it comes from the table of settings (conf/settings.c). */
#include "cli/ask.h"
#include "cli/assume.h"
#include "cli/commands.h"
#include "guard/key.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int print_all(struct buf *out)
{
    size_t n = fwrite(out->p, 1, out->n, stdout);
    bool whole = n == out->n && fflush(stdout) == 0;
    buf_free(out);
    if (!whole)
        fprintf(stderr, "hob: stdout cannot be written\n");
    return whole ? EXIT_OK : EXIT_FAILED;
}

/* A rule for what is not there opens nothing, and nothing that comes there later. */
static void warn_missing_paths(const struct conf_model *m)
{
    for (size_t i = 0; i < m->paths.n; i++) {
        char path[4096];
        struct str p = m->paths.at[i];
        p.n -= str_ends(p, STR(":rw")) ? 3 : 0;
        int n = snprintf(path, sizeof path, "%.*s", STR_ARG(p));
        if (n < (int)sizeof path && access(path, F_OK))
            log_warn("the model %.*s: `paths`: %.*s is not there, or leads nowhere: nothing is opened to it", STR_ARG(m->name), STR_ARG(p));
    }
}

/* Files that are not there stop only their model or host, or let nobody in by that key, so they are a warning here. */
static void warn_missing_files(const struct config *c)
{
    for (size_t i = 0; i < c->nhosts; i++) {
        const struct conf_host *h = &c->hosts[i];
        if (h->ca.n && access(h->ca.p, R_OK))
            log_warn("the host %.*s: its `ca`, %.*s, cannot be read", STR_ARG(h->name), STR_ARG(h->ca));
    }
    for (size_t i = 0; i < c->nmodels; i++) {
        const struct conf_model *m = &c->models[i];
        if (m->file.n && access(m->file.p, R_OK))
            log_warn("the model %.*s: there is no file %.*s", STR_ARG(m->name), STR_ARG(m->file));
        warn_missing_paths(m);
    }
    keys_check_files(c);
}

static int check_failed(const struct err *e, bool json)
{
    struct buf out;
    buf_init(&out, 0);
    if (!json) {
        cli_error(e);
        return EXIT_USAGE;
    }
    struct json_out o = json_out(&out);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("ok"));
    json_bool(&o, false);
    json_key(&o, STR("error"));
    json_string(&o, str_of(e->text));
    json_key(&o, STR("hint"));
    json_string(&o, str_of(e->hint));
    json_end_object(&o);
    buf_lit(&out, "\n");
    int rc = print_all(&out);
    return rc ? rc : EXIT_USAGE;
}

static int check_passed(const struct config *c, struct str path, bool json)
{
    const struct {
        const char *name;
        size_t n;
    } counts[] = { { "models", c->nmodels }, { "hosts", c->nhosts }, { "roles", c->nroles }, { "tiers", c->ntiers } };
    struct buf out;
    buf_init(&out, 0);
    warn_missing_files(c);
    if (!json) {
        buf_printf(&out, "%.*s: fine:", STR_ARG(path.n ? path : STR("no configuration file, so the models folder and the defaults hold")));
        for (size_t i = 0; i < COUNTOF(counts); i++)
            buf_printf(&out, "%s %s %zu", i ? "," : "", counts[i].name, counts[i].n);
        buf_lit(&out, "\n");
        return print_all(&out);
    }
    struct json_out o = json_out(&out);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("ok"));
    json_bool(&o, true);
    json_key(&o, STR("file"));
    json_string_or_null(&o, c->path);
    for (size_t i = 0; i < COUNTOF(counts); i++) {
        json_key(&o, str_of(counts[i].name));
        json_int(&o, (int64_t)counts[i].n);
    }
    json_end_object(&o);
    buf_lit(&out, "\n");
    return print_all(&out);
}

/* The file as a word, as -c, or where it is looked for; with none, what is assumed (then also as YAML). */
static enum err_code load(const struct cli_args *a, struct arena *arena, struct str *path, struct config **c, struct buf *assumed, struct err *e)
{
    enum err_code rc = conf_find(a->nwords > 1 ? a->words[1] : cli_option_value(a, "--config"), arena, path, e);
    if (!rc)
        rc = conf_load(*path, c, e);
    return rc ? rc : assume_models(c, !cli_flag(a, "--plain"), assumed, e);
}

/* hob config check [FILE] */
static int check(const struct cli_args *a)
{
    struct arena arena;
    struct str path = { NULL, 0 };
    struct config *c = NULL;
    struct err e = { 0 };
    arena_init(&arena);
    enum err_code rc = load(a, &arena, &path, &c, NULL, &e);
    int code = rc ? check_failed(&e, cli_flag(a, "--json")) : check_passed(c, path, cli_flag(a, "--json"));
    conf_free(c);
    arena_fini(&arena);
    return code;
}

static int show(const struct cli_args *a)
{
    struct arena arena;
    struct str path = { NULL, 0 };
    struct config *c = NULL;
    struct buf out;
    struct err e;
    arena_init(&arena);
    buf_init(&out, 0);
    enum err_code rc = load(a, &arena, &path, &c, &out, &e);
    arena_fini(&arena);
    if (rc) {
        cli_error(&e);
        conf_free(c);
        buf_free(&out);
        return EXIT_USAGE;
    }
    if (cli_flag(a, "--json")) {
        buf_reset(&out, 0);
        conf_show_json(c, &out);
        buf_lit(&out, "\n");
    } else if (!out.n) {
        conf_show_yaml(c, !cli_flag(a, "--plain"), &out);
    }
    conf_free(c);
    return print_all(&out);
}

static int schema(const struct cli_args *a)
{
    struct buf out;
    buf_init(&out, 0);
    conf_schema(&out);
    yyjson_doc *doc = yyjson_read(out.p, out.n, 0);
    size_t n = 0;
    char *lines = doc ? yyjson_write(doc, YYJSON_WRITE_PRETTY, &n) : NULL; /* people read it too */
    if (!lines)
        die("the schema is no JSON");
    out.n = 0;
    buf_add(&out, str_make(lines, n));
    buf_lit(&out, "\n");
    free(lines);
    yyjson_doc_free(doc);
    return print_all(&out);
}

/* hob config reload: the daemon's own file is read by the daemon; what it finds wrong comes back. */
static int reload(const struct cli_args *a)
{
    struct buf answer;
    struct question q = { .method = "POST", .path = "/hob/v1/config/reload" };
    struct json_doc d = { 0 };
    struct err e;
    int rc = ask_daemon(a, &q, &answer);
    if (rc)
        return rc;
    if (cli_flag(a, "--json"))
        rc = print_answer(buf_str(&answer));
    else if (!json_parse(&d, buf_str(&answer), &e))
        printf("%.*s\n", STR_ARG(json_str(yyjson_obj_get(d.root, "summary"))));
    json_free(&d);
    buf_free(&answer);
    return rc;
}

static const struct action {
    const char *name;
    size_t most_words;
    int (*run)(const struct cli_args *a);
} actions[] = { { "check", 2, check }, { "show", 2, show }, { "schema", 1, schema }, { "reload", 1, reload } };

static int run(const struct cli_args *a)
{
    struct str names[COUNTOF(actions)], word = a->nwords ? a->words[0] : STR("");
    for (size_t i = 0; i < COUNTOF(actions); i++) {
        names[i] = str_of(actions[i].name);
        if (str_eq(word, names[i]) && a->nwords <= actions[i].most_words)
            return actions[i].run(a);
        if (str_eq(word, names[i])) {
            fprintf(stderr, "hob: `hob config %s` takes no more words: '%.*s'\n", actions[i].name, STR_ARG(a->words[actions[i].most_words]));
            return EXIT_USAGE;
        }
    }
    struct str near = str_nearest(word, names, COUNTOF(names));
    if (near.n)
        fprintf(stderr, "hob: there is no `hob config %.*s`, did you mean '%.*s'?\n", STR_ARG(word), STR_ARG(near));
    else
        fprintf(stderr, "hob: `hob config` wants one of: check, show, schema, reload\n");
    return EXIT_USAGE;
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--json", NULL, NULL, "one JSON object" },
    { "--plain", NULL, NULL, "show: without the comments that say where each value comes from" },
    CLI_END,
};
static const struct cli_sub subs[] = {
    { "check", "is the file right", CLI_WORDS_FILES },
    { "show", "all that is in force, and where each value comes from", CLI_WORDS_FILES },
    { "schema", "what may be in the file, as JSON Schema", CLI_WORDS_NONE },
    { "reload", "have the daemon take over its configuration as it is now", CLI_WORDS_NONE },
    { .name = NULL },
};
const struct command cli_config = { "config", "check|show [FILE] | schema | reload", "check the configuration, show it, or have the daemon take it over",
    "hob config check hob.yaml", run, options, false, 63, .subs = subs };
