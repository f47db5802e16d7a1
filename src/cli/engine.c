/* hob engine: the builds of llama-server that the configuration names, and which architectures each of them knows. Needs no daemon; what engines
 * answer is kept in the store, beside a running daemon too. */
#include "backend/engine.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "json/json.h"
#include "model/architectures.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_COLUMNS = 100, BUILD_DIGITS = 8 };

struct engine_command {
    const struct cli_args *args;
    struct config *config;
    struct store *store;        /* NULL: nothing is kept */
    bool json;
};

static int fails(const struct err *e)
{
    cli_error(e);
    return e->code == ERR_INVALID_REQUEST ? EXIT_USAGE : EXIT_FAILED;
}

static struct json_out begin_json(struct buf *out)
{
    struct json_out o = json_out(out);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    return o;
}

static int end_json(struct json_out *o, struct buf *out)
{
    json_end_object(o);
    int rc = print_answer(buf_str(out));
    buf_free(out);
    return rc;
}

static void put_text(struct json_out *o, struct str key, struct str text)
{
    json_key(o, key);
    json_string_or_null(o, text);
}

/* ---- list ---- */

struct listed {
    struct engine engine;
    enum err_code rc;
    struct err why;
    size_t models;              /* that it runs */
};

static void look_at(const struct config *c, size_t i, struct listed *l)
{
    *l = (struct listed){ .engine = { .name = c->engines[i].name } };
    for (size_t k = 0; k < c->nmodels; k++)
        l->models += c->models[k].file.n && str_eq(c->models[k].engine, c->engines[i].name);
    l->rc = engine_find(c, c->engines[i].name, &l->engine, &l->why);
    if (!l->rc)
        l->rc = engine_ask_version(&l->engine, &l->why);
}

static int list_json(const struct config *c)
{
    struct buf out = { 0 };
    struct json_out o = begin_json(&out);
    json_key(&o, STR("engines"));
    json_begin_array(&o);
    for (size_t i = 0; i < c->nengines; i++) {
        struct listed l;
        look_at(c, i, &l);
        json_begin_object(&o);
        put_text(&o, STR("name"), l.engine.name);
        put_text(&o, STR("path"), str_of(l.engine.path));
        put_text(&o, STR("build"), str_of(l.engine.hash));
        put_text(&o, STR("version"), str_of(l.engine.version));
        json_key(&o, STR("models"));
        json_int(&o, (int64_t)l.models);
        json_key(&o, STR("ok"));
        json_bool(&o, !l.rc);
        put_text(&o, STR("why"), str_of(l.rc ? l.why.text : ""));
        json_end_object(&o);
    }
    json_end_array(&o);
    return end_json(&o, &out);
}

static int list(const struct engine_command *x)
{
    static const char *const heads[] = { "ENGINE", "BUILD", "MODELS", "STATUS", "PATH", "VERSION" };
    struct buf out = { 0 };
    struct table t;
    if (x->json)
        return list_json(x->config);
    table_init(&t, heads, COUNTOF(heads));
    for (size_t i = 0; i < x->config->nengines; i++) {
        struct listed l;
        look_at(x->config, i, &l);
        table_cell(&t, l.engine.name);
        table_cell(&t, str_make(l.engine.hash, l.engine.hash[0] ? BUILD_DIGITS : 0));
        table_int(&t, (int64_t)l.models);
        table_cell(&t, !l.rc ? STR("ok") : l.engine.path[0] ? STR("does not run") : STR("missing"));
        table_cell(&t, str_of(l.engine.path));
        table_cell(&t, str_of(l.engine.version));
        if (l.rc)
            table_note(&t, str_of(l.why.text));
        if (l.rc && l.why.hint[0])
            table_note(&t, str_of(l.why.hint));
    }
    table_print(&t, &out);
    table_fini(&t);
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
    return EXIT_OK;
}

/* ---- probing ---- */

struct names {
    struct str at[512];
    size_t n;
};

static void all_names(struct names *to)
{
    for (to->n = 0; architectures[to->n] && to->n < COUNTOF(to->at); to->n++)
        to->at[to->n] = str_of(architectures[to->n]);
}

static void show_progress(const struct engine *g, size_t done, size_t n)
{
    if (!isatty(STDERR_FILENO) || n < 2)
        return;
    if (done == n)
        fprintf(stderr, "\r\033[K");
    else
        fprintf(stderr, "\rasking %.*s: %zu of %zu", STR_ARG(g->name), done, n);
}

static void ask_all(const struct engine_command *x, const struct engine *g, const struct names *names, enum probe_answer *answers)
{
    for (size_t i = 0; i < names->n; i++) {
        show_progress(g, i, names->n);
        answers[i] = engine_knows(g, names->at[i], x->store);
    }
    show_progress(g, names->n, names->n);
}

/* A heading, and the names in lines; nothing when there are none. */
static void print_names(const char *what, const struct names *names)
{
    size_t column = LINE_COLUMNS;
    if (!names->n)
        return;
    printf("%s (%zu):", what, names->n);
    for (size_t i = 0; i < names->n; i++) {
        if (column + 1 + names->at[i].n > LINE_COLUMNS) {
            printf("\n ");
            column = 1;
        }
        printf(" %.*s", STR_ARG(names->at[i]));
        column += 1 + names->at[i].n;
    }
    printf("\n");
}

static void put_name(struct names *to, struct str name)
{
    to->at[to->n++] = name;
}

static void print_answered(const char *what, const struct names *names, const enum probe_answer *answers, enum probe_answer which)
{
    struct names found = { .n = 0 };
    for (size_t i = 0; i < names->n; i++)
        if (answers[i] == which)
            put_name(&found, names->at[i]);
    print_names(what, &found);
}

static int print_probe_json(const struct engine *g, const struct names *names, const enum probe_answer *answers)
{
    struct buf out = { 0 };
    struct json_out o = begin_json(&out);
    put_text(&o, STR("engine"), g->name);
    put_text(&o, STR("build"), str_of(g->hash));
    json_key(&o, STR("architectures"));
    json_begin_array(&o);
    for (size_t i = 0; i < names->n; i++) {
        json_begin_object(&o);
        put_text(&o, STR("name"), names->at[i]);
        json_key(&o, STR("known"));
        if (answers[i] == PROBE_UNCLEAR)
            json_null(&o);
        else
            json_bool(&o, answers[i] == PROBE_KNOWN);
        json_end_object(&o);
    }
    json_end_array(&o);
    return end_json(&o, &out);
}

/* An engine that does not run at all answers nothing: found out once, not at each name. */
static enum err_code find_running(const struct engine_command *x, struct str name, struct engine *g, struct err *e)
{
    enum err_code rc = engine_find(x->config, name, g, e);
    return rc ? rc : engine_ask_version(g, e);
}

static int probe(const struct engine_command *x)
{
    const struct cli_args *a = x->args;
    struct names names;
    enum probe_answer answers[COUNTOF(names.at)];
    struct engine g;
    struct err e;
    if (a->nwords < 2) {
        fprintf(stderr, "hob: `hob engine probe` wants the name of an engine: hob engine probe llama\n");
        return EXIT_USAGE;
    }
    if (find_running(x, a->words[1], &g, &e))
        return fails(&e);
    all_names(&names);
    if (a->nwords > 2) {
        names.n = a->nwords - 2;
        memcpy(names.at, a->words + 2, names.n * sizeof names.at[0]);
    }
    ask_all(x, &g, &names, answers);
    if (x->json)
        return print_probe_json(&g, &names, answers);
    print_answered("knows", &names, answers, PROBE_KNOWN);
    print_answered("does not know", &names, answers, PROBE_UNKNOWN);
    print_answered("does not say", &names, answers, PROBE_UNCLEAR);
    return EXIT_OK;
}

/* ---- comparing ---- */

struct compared {
    struct engine engine[2];
    struct names only[2], both, unclear;
};

static void compare(const struct engine_command *x, struct compared *c)
{
    struct names all;
    enum probe_answer answers[2][COUNTOF(all.at)];
    bool same = str_eq(str_of(c->engine[0].hash), str_of(c->engine[1].hash));
    all_names(&all);
    ask_all(x, &c->engine[0], &all, answers[0]);
    if (same) /* a name takes some 20 ms and more, where nothing is kept */
        memcpy(answers[1], answers[0], sizeof answers[0]);
    else
        ask_all(x, &c->engine[1], &all, answers[1]);
    c->only[0].n = c->only[1].n = c->both.n = c->unclear.n = 0;
    for (size_t i = 0; i < all.n; i++) {
        enum probe_answer a = answers[0][i], b = answers[1][i];
        if (a == PROBE_UNCLEAR || b == PROBE_UNCLEAR)
            put_name(&c->unclear, all.at[i]);
        else if (a == PROBE_KNOWN && b == PROBE_KNOWN)
            put_name(&c->both, all.at[i]);
        else if (a == PROBE_KNOWN || b == PROBE_KNOWN)
            put_name(&c->only[a == PROBE_KNOWN ? 0 : 1], all.at[i]);
    }
}

static void put_names(struct json_out *o, struct str key, const struct names *names)
{
    json_key(o, key);
    json_begin_array(o);
    for (size_t i = 0; i < names->n; i++)
        json_string(o, names->at[i]);
    json_end_array(o);
}

static int print_diff_json(const struct compared *c)
{
    struct buf out = { 0 };
    struct json_out o = begin_json(&out);
    put_text(&o, STR("a"), c->engine[0].name);
    put_text(&o, STR("b"), c->engine[1].name);
    json_key(&o, STR("same_build"));
    json_bool(&o, str_eq(str_of(c->engine[0].hash), str_of(c->engine[1].hash)));
    put_names(&o, STR("only_a"), &c->only[0]);
    put_names(&o, STR("only_b"), &c->only[1]);
    put_names(&o, STR("both"), &c->both);
    put_names(&o, STR("unclear"), &c->unclear);
    return end_json(&o, &out);
}

static int diff(const struct engine_command *x)
{
    const struct cli_args *a = x->args;
    struct compared c;
    struct err e;
    if (a->nwords != 3) {
        fprintf(stderr, "hob: `hob engine diff` wants two engines: hob engine diff llama new\n");
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < 2; i++)
        if (find_running(x, a->words[i + 1], &c.engine[i], &e))
            return fails(&e);
    compare(x, &c);
    if (x->json)
        return print_diff_json(&c);
    if (str_eq(str_of(c.engine[0].hash), str_of(c.engine[1].hash)))
        printf("the same build\n");
    for (size_t i = 0; i < 2; i++) {
        char heading[128];
        snprintf(heading, sizeof heading, "only %.*s knows", STR_ARG(c.engine[i].name));
        print_names(heading, &c.only[i]);
    }
    print_names("both know", &c.both);
    print_names("one of them does not say", &c.unclear);
    return EXIT_OK;
}

/* ---- the command ---- */

static const struct cli_sub subs[] = {
    { "list", "the engines that are configured, their builds, and whether they run", CLI_WORDS_NONE },
    { "probe", "which architectures ENGINE knows: those named, or all that hob knows of", CLI_WORDS_NONE },
    { "diff", "which architectures one of two engines knows and the other does not", CLI_WORDS_NONE },
    { NULL, NULL, CLI_WORDS_NONE },
};
static int (*const run_sub[])(const struct engine_command *x) = { list, probe, diff };

static int run(const struct cli_args *a)
{
    struct engine_command x = { .args = a, .json = cli_flag(a, "--json") };
    struct err e;
    size_t i = 0;
    struct str sub = a->nwords ? a->words[0] : STR("list");
    while (i < COUNTOF(run_sub) && !str_eq(sub, str_of(subs[i].name)))
        i++;
    if (i == COUNTOF(run_sub)) {
        fprintf(stderr, "hob: `hob engine` knows list, probe and diff, not '%.*s'\n", STR_ARG(sub));
        return EXIT_USAGE;
    }
    int rc = cli_load_config(a, &x.config);
    if (rc)
        return rc;
    if (!cli_flag(a, "--fresh") && store_open(x.config->state, &x.store, &e))
        x.store = NULL; /* no state folder yet, or it cannot be written to: then nothing is kept */
    rc = run_sub[i](&x);
    store_close(x.store);
    conf_free(x.config);
    return rc;
}

static const struct cli_option options[] = { CLI_COMMON, { "--fresh", NULL, NULL, "ask again, whatever is remembered" },
    { "--json", NULL, NULL, "one JSON object" }, CLI_END };
const struct command cli_engine = { .name = "engine", .usage = "list | probe ENGINE [ARCH...] | diff A B", .what = "show engines and what they know",
    .example = "hob engine probe llama gemma4", .run = run, .options = options, .max_words = CLI_MAX_ARGS, .subs = subs };
