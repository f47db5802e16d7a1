/* hob eval run SUITE --models A,B: what is to be run, and what it came to. */
#include "cli/eval_int.h"

#include "base/clock.h"
#include "cli/ask.h"
#include "cli/eval.h"
#include "cli/listed.h"
#include "cli/table.h"
#include "json/json.h"

#include <stdio.h>
#include <unistd.h>

enum { MOST_CONCURRENCY = 32, PLAIN_PROGRESS_MS = 5000 };

/* ---- the suite ---- */

/* Images of a file's cases lie beside it. */
static int read_suite(struct eval_job *j, struct str name)
{
    const char *slash = NULL;
    int code = eval_suite_open(j->args, arena_copy(&j->memory, name), &j->suite);
    for (size_t i = 0; i < name.n; i++)
        slash = name.p[i] == '/' ? name.p + i : slash;
    j->images.folder = slash ? arena_copy(&j->memory, str_make(name.p, (size_t)(slash - name.p))) : STR("");
    return code;
}

/* ---- who is asked ---- */

static struct conf_strs replicas_of(struct eval_job *j, yyjson_val *m)
{
    yyjson_val *names = yyjson_obj_get(m, "replicas"), *name;
    struct str *at = arena_array(&j->memory, struct str, yyjson_arr_size(names) + 1);
    size_t i, n;
    yyjson_arr_foreach(names, i, n, name)
        at[i] = arena_copy(&j->memory, json_str(name));
    return (struct conf_strs){ at, yyjson_arr_size(names) };
}

static int add_place(struct eval_job *j, yyjson_val *models, struct str said)
{
    struct str host, name = str_cut(said, '@', &host);
    yyjson_val *m = listed_model(models, name), *at = listed_at(models, m, host);
    if (!m) {
        fprintf(stderr, "hob: there is no model '%.*s': `hob models` lists them\n", STR_ARG(name));
        return EXIT_USAGE;
    }
    if (!at) {
        fprintf(stderr, "hob: '%.*s' is not on '%.*s', and none of its `replicas:` is\n", STR_ARG(name), STR_ARG(host));
        return EXIT_USAGE;
    }
    if (j->nplaces == RUN_MAX_PLACES) {
        fprintf(stderr, "hob: at most %d models at a time\n", RUN_MAX_PLACES);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < j->nplaces; i++)
        if (str_eq(j->places[i].name, said)) {
            fprintf(stderr, "hob: '%.*s' is named twice in --models\n", STR_ARG(said));
            return EXIT_USAGE;
        }
    j->places[j->nplaces++] = (struct run_place){ .name = arena_copy(&j->memory, said), .model = arena_copy(&j->memory, json_str(yyjson_obj_get(at, "name"))),
        .host = arena_copy(&j->memory, host), .replicas = replicas_of(j, at) };
    yyjson_val *context = yyjson_obj_get(at, "context");
    j->contexts[j->nplaces - 1] = yyjson_is_int(context) ? yyjson_get_sint(context) : 0;
    eval_place_look(j, j->nplaces - 1, json_str(yyjson_obj_get(at, "host")), json_str(yyjson_obj_get(at, "file")));
    return EXIT_OK;
}

static int find_places(struct eval_job *j)
{
    struct str rest, list = j->models.n ? j->models : cli_option_value(j->args, "--models");
    struct question q = { .method = "GET", .path = "/hob/v1/models", .answer_ms = 60 * 1000 };
    struct json_doc d = { 0 };
    struct buf body = { 0 };
    if (!list.n) {
        fprintf(stderr, "hob: --models says whom to ask: --models A,B\n");
        return EXIT_USAGE;
    }
    int code = ask_daemon(j->args, &q, &body);
    if (!code)
        code = read_answer(buf_str(&body), &d);
    for (; !code && list.n; list = rest) {
        struct str name = str_trim(str_cut(list, ',', &rest));
        if (name.n)
            code = add_place(j, yyjson_obj_get(d.root, "models"), name);
    }
    json_free(&d);
    buf_free(&body);
    return code;
}

/* ---- how ---- */

static int number(const struct cli_args *a, const char *option, int64_t least, int64_t most, int64_t otherwise, int64_t *out)
{
    struct str said = cli_option_value(a, option);
    *out = otherwise;
    if (!said.p || str_to_int(said, least, most, out))
        return EXIT_OK;
    fprintf(stderr, "hob: %s is a number from %lld to %lld, not '%.*s'\n", option, (long long)least, (long long)most, STR_ARG(said));
    return EXIT_USAGE;
}

static int read_options(struct eval_job *j)
{
    const struct cli_args *a = j->args;
    int64_t concurrency;
    int code = number(a, "--at-least", 0, 100, 0, &j->at_least);
    if (!code)
        code = number(a, "--repeat", 1, RUN_MAX_TURNS, 0, &j->repeat);
    if (!code)
        code = number(a, "--concurrency", 1, MOST_CONCURRENCY, 1, &concurrency);
    if (!code)
        code = number(a, "--seed", 0, INT32_MAX, -1, &j->seed);
    if (code)
        return code;
    j->concurrency = (size_t)concurrency;
    j->judge = cli_option_value(a, "--judge");
    j->order = cli_flag(a, "--interleave") ? RUN_INTERLEAVED : RUN_BY_PLACE;
    j->quiet = cli_flag(a, "--quiet");
    return EXIT_OK;
}

/* What is wrong with the suite itself is told before anybody is asked; what is only worth knowing, in brief. */
static void tell_findings(struct eval_job *j)
{
    enum { SHOWN = 3 };
    size_t notes = 0;
    j->nfindings = suite_check(j->suite, 0, &j->memory, &j->findings);
    for (size_t i = 0; i < j->nfindings; i++) {
        const struct suite_finding *f = &j->findings[i];
        bool spoilt = f->fault == FAULT_HARNESS;
        notes += !spoilt;
        if (spoilt || notes <= SHOWN)
            fprintf(stderr, "hob: %s%.*s: %.*s\n", spoilt ? "not asked, as it would say nothing of a model: " : "", STR_ARG(f->c->id), STR_ARG(f->text));
    }
    if (notes > SHOWN)
        fprintf(stderr, "hob: and %zu more notes like these: `hob eval check` has all\n", notes - SHOWN);
}

/* Lengths that a model has no room for. */
static void tell_lengths(const struct eval_job *j)
{
    for (size_t p = 0; p < j->nplaces; p++) {
        int64_t last = 0;
        for (size_t i = 0; i < j->suite->ncases && j->contexts[p]; i++) {
            int64_t tokens = eval_case_tokens(&j->suite->cases[i]);
            if (tokens <= j->contexts[p] || tokens == last)
                continue;
            if (!last)
                fprintf(stderr, "hob: %.*s has a window of %lld tokens, and is not asked about texts of", STR_ARG(j->places[p].name), (long long)j->contexts[p]);
            fprintf(stderr, "%s %lld", last ? "," : "", (long long)tokens);
            last = tokens;
        }
        if (last)
            fputc('\n', stderr);
    }
}

/* ---- how far ---- */

void eval_show_progress(struct eval_job *j, bool last)
{
    static int64_t shown_ms;
    bool terminal = isatty(STDERR_FILENO);
    int64_t now = clock_mono_ms();
    size_t passed = 0, failed = 0, nothing = 0;
    if (j->quiet || (!last && !terminal && now - shown_ms < PLAIN_PROGRESS_MS))
        return;
    shown_ms = now;
    for (size_t i = 0; i < j->nplaces * j->suite->ncases; i++) {
        const struct run_cell *c = &j->tally.cells[i];
        passed += (size_t)c->passed;
        failed += (size_t)(c->total - c->passed);
        nothing += (size_t)(c->faults[FAULT_GATEWAY] + c->faults[FAULT_BACKEND] + c->faults[FAULT_HARNESS]);
    }
    fprintf(stderr, "%shob: %.*s: %zu of %zu asked, %zu passed, %zu failed, %zu say nothing of a model%s", terminal ? "\r\033[K" : "", STR_ARG(j->suite->name), j->done, j->steps, passed,
        failed, nothing, terminal && !last ? "" : "\n");
    fflush(stderr);
}

/* ---- what it came to ---- */

static void put_places(struct json_out *o, const struct eval_job *j)
{
    json_key(o, STR("models"));
    json_begin_array(o);
    for (size_t i = 0; i < j->nplaces; i++) {
        struct run_cell sum = run_tally_sum(&j->tally, j->suite, i, false), aside = run_tally_sum(&j->tally, j->suite, i, true);
        json_begin_object(o);
        json_key(o, STR("model"));
        json_string(o, j->places[i].name);
        run_cell_put(&sum, o);
        run_faults_put(&sum, o);
        if (aside.total) {
            json_key(o, STR("aside"));
            json_begin_object(o);
            run_cell_put(&aside, o);
            json_end_object(o);
        }
        json_end_object(o);
    }
    json_end_array(o);
}

static void put_cases(struct json_out *o, const struct eval_job *j, const enum case_kind *kinds)
{
    json_key(o, STR("cases"));
    json_begin_array(o);
    for (size_t i = 0; i < j->suite->ncases; i++) {
        json_begin_object(o);
        json_key(o, STR("id"));
        json_string(o, j->suite->cases[i].id);
        json_key(o, STR("tells"));
        json_string(o, str_of(case_names[kinds[i]]));
        json_key(o, STR("models"));
        json_begin_object(o);
        for (size_t p = 0; p < j->nplaces; p++) {
            const struct run_cell *c = &j->tally.cells[i * j->nplaces + p];
            json_key(o, j->places[p].name);
            json_begin_object(o);
            json_key(o, STR("pass"));
            json_int(o, c->passed);
            json_key(o, STR("total"));
            json_int(o, c->total);
            run_faults_put(c, o);
            json_end_object(o);
        }
        json_end_object(o);
        json_end_object(o);
    }
    json_end_array(o);
}

static void print_json(const struct eval_job *j, const enum case_kind *kinds, const struct discrimination *d)
{
    struct buf out = { 0 };
    struct json_out o = json_out(&out);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("run"));
    json_int(&o, j->run);
    json_key(&o, STR("suite"));
    json_string(&o, j->suite->name);
    json_key(&o, STR("state"));
    json_string(&o, j->stopped ? STR("stopped") : STR("done"));
    put_places(&o, j);
    json_key(&o, STR("discriminates"));
    json_bool(&o, d->discriminates);
    put_cases(&o, j, kinds);
    json_key(&o, STR("judged"));
    json_begin_object(&o);
    json_key(&o, STR("asked"));
    json_int(&o, j->judged.asked);
    json_key(&o, STR("tokens"));
    json_int(&o, j->judged.tokens);
    json_end_object(&o);
    json_end_object(&o);
    print_answer(buf_str(&out));
    buf_free(&out);
}

static void print_sums(const struct eval_job *j)
{
    static const char *const heads[] = { "MODEL", "PASSED", "OF", "RATE", "95 %", "SCORE", "GATEWAY", "BACKEND", "HARNESS" };
    struct table t;
    struct buf out = { 0 };
    char text[48];
    table_init(&t, heads, COUNTOF(heads));
    for (size_t i = 0; i < j->nplaces; i++) {
        struct run_cell c = run_tally_sum(&j->tally, j->suite, i, false), aside = run_tally_sum(&j->tally, j->suite, i, true);
        struct interval ci = wilson_interval(c.passed, c.total, 0.05);
        table_cell(&t, j->places[i].name);
        table_int(&t, c.passed);
        table_int(&t, c.total);
        snprintf(text, sizeof text, c.total ? "%.1f %%" : "-", c.total ? 100.0 * c.passed / c.total : 0);
        table_cell(&t, str_of(text));
        snprintf(text, sizeof text, "%.0f-%.0f %%", 100 * ci.lo, 100 * ci.hi);
        table_cell(&t, str_of(text));
        snprintf(text, sizeof text, "%.2f", c.total ? c.score / c.total : 0);
        table_cell(&t, str_of(text));
        for (int f = FAULT_GATEWAY; f <= FAULT_HARNESS; f++)
            if (f != FAULT_MODEL)
                table_int(&t, c.faults[f]);
        if (aside.total) {
            snprintf(text, sizeof text, "beside the score: %d of %d", aside.passed, aside.total);
            table_note(&t, str_of(text));
        }
    }
    table_print(&t, &out);
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
    table_fini(&t);
}

static void print_text(const struct eval_job *j, const struct discrimination *d)
{
    print_sums(j);
    if (j->nplaces > 1 && !d->discriminates && !j->stopped)
        printf("\nThis suite does not discriminate: models differ on %lld of its cases, and %lld would be the fewest that say anything.\n", (long long)d->tells_most, (long long)d->tells_least);
    if (j->judged.asked)
        printf("judges were asked %lld times, for %lld tokens\n", (long long)j->judged.asked, (long long)j->judged.tokens);
    fprintf(stderr, "hob: run %lld: `hob eval show %lld` has each case\n", (long long)j->run, (long long)j->run);
    if (j->stopped)
        fprintf(stderr, "hob: it was stopped; the same command with --resume %lld goes on\n", (long long)j->run);
}

/* Does the suite tell them apart, as a whole and (kinds, unless NULL) case by case? */
static void look_apart(const struct eval_job *j, enum case_kind *kinds, struct discrimination *out)
{
    size_t ncells = j->suite->ncases * j->nplaces;
    struct arena a;
    arena_init(&a);
    struct cell *cells = arena_array(&a, struct cell, ncells);
    for (size_t i = 0; i < ncells; i++)
        cells[i] = (struct cell){ j->tally.cells[i].passed, j->tally.cells[i].total };
    suite_discriminates(cells, j->suite->ncases, j->nplaces, 0.05, kinds, out);
    arena_fini(&a);
}

static void tell(struct eval_job *j)
{
    enum case_kind *kinds = arena_array(&j->memory, enum case_kind, j->suite->ncases);
    struct discrimination d;
    look_apart(j, kinds, &d);
    if (cli_flag(j->args, "--json"))
        print_json(j, kinds, &d);
    else
        print_text(j, &d);
}

/* A gate for scripts: each of them has at least so many percent. */
static int check_gate(const struct eval_job *j)
{
    for (size_t i = 0; i < j->nplaces && cli_option_value(j->args, "--at-least").p; i++) {
        struct run_cell c = run_tally_sum(&j->tally, j->suite, i, false);
        if (c.total == 0 || 100.0 * c.passed / c.total < (double)j->at_least)
            return EXIT_GATE;
    }
    return EXIT_OK;
}

static int set_up(struct eval_job *j, struct str suite)
{
    struct err e;
    int code = read_options(j);
    if (!code)
        code = cli_load_config(j->args, &j->config);
    if (!code)
        code = read_suite(j, suite);
    if (!code && daemon_find(j->config, &j->door, &e)) {
        cli_error(&e);
        code = EXIT_USAGE;
    }
    return code ? code : find_places(j);
}

static void clean_up(struct eval_job *j)
{
    run_plan_fini(&j->plan);
    run_tally_fini(&j->tally);
    suite_free(j->suite);
    conf_free(j->config);
    arena_fini(&j->memory);
}

static int run_it(struct eval_job *j, struct str resume)
{
    run_plan_init(&j->plan, j->suite, j->nplaces, j->repeat, j->order);
    run_tally_init(&j->tally, j->suite->ncases, j->nplaces);
    for (size_t i = 0; i < j->plan.total; i++)
        j->steps += !j->plan.done[i];
    tell_findings(j);
    tell_lengths(j);
    int code = eval_book_open(j, resume);
    if (!code)
        code = eval_ask_all(j);
    return code ? code : eval_book_close(j);
}

int eval_run(const struct cli_args *a, const struct str *words, size_t n)
{
    struct eval_job j = { .args = a };
    (void)n;
    arena_init(&j.memory);
    int code = set_up(&j, words[0]);
    if (!code)
        code = run_it(&j, cli_option_value(a, "--resume"));
    if (!code)
        tell(&j);
    if (!code)
        code = j.stopped ? EXIT_FAILED : check_gate(&j);
    clean_up(&j);
    return code;
}

int eval_pair(const struct cli_args *a, struct str suite, struct str old, struct str new, struct eval_pair *out)
{
    return eval_pair_in(a, a, suite, old, new, out);
}

int eval_pair_in(const struct cli_args *a, const struct cli_args *book, struct str suite, struct str old, struct str new, struct eval_pair *out)
{
    struct eval_job j = { .args = a, .book = book };
    struct discrimination d;
    *out = (struct eval_pair){ .run = 0 };
    arena_init(&j.memory);
    j.models = arena_printf(&j.memory, "%.*s,%.*s", STR_ARG(old), STR_ARG(new));
    int code = set_up(&j, suite);
    if (!code)
        code = run_it(&j, STR(""));
    if (!code && j.stopped)
        code = EXIT_FAILED;
    if (!code) {
        run_compare(&j.tally, j.suite, 0, 1, &out->verdict, &out->pairs);
        look_apart(&j, NULL, &d);
        out->run = j.run;
        out->discriminates = d.discriminates;
        for (size_t i = 0; i < j.nplaces; i++) {
            struct run_cell c = run_tally_sum(&j.tally, j.suite, i, false);
            out->nothing += c.faults[FAULT_GATEWAY] + c.faults[FAULT_BACKEND] + c.faults[FAULT_HARNESS];
        }
        snprintf(out->suite, sizeof out->suite, "%.*s", STR_ARG(j.suite->name));
    }
    clean_up(&j);
    return code;
}
