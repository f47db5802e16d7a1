/* hob tune MODEL: which of the engine's own settings are fastest on this machine. Each trial is a lab of its own (lab.h), a fresh engine, so that none gains from what another has warmed;
 * the search is evidence/tune.h, the measuring cli/bench.h, the answers' judge a suite. */
#include "cli/tune.h"

#include "backend/engine.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/eval.h"
#include "cli/lab_bench.h"
#include "cli/numbers.h"
#include "evidence/suite.h"
#include "proc/machine.h"
#include "proc/run.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { USUAL_CONTEXT = 1024, USUAL_TOKENS = 64, HELP_MS = 10 * 1000, MAX_CHECKS = 16 };

struct check {
    struct tune_point point;
    bool passes;
    struct eval_pair pair;
};

struct job {
    const struct cli_args *args;
    struct config *config;
    const struct conf_model *model;
    struct knobs knobs;
    struct tune *tune;
    struct tune_rule rule;
    struct tune_of of;
    int64_t window;                 /* tokens that one request may use */
    struct str suite;
    char engine[ENGINE_MAX_PATH];
    int64_t context, tokens;        /* of a request that is measured */
    int64_t began_ms;
    int64_t memory_bytes;           /* most that any trial took */
    struct check checks[MAX_CHECKS];
    size_t nchecks;
    double now;                     /* what a request takes with what is in force, as last measured */
    bool quiet, json, stopped, any;
    struct err why;                 /* the last trial could not be measured: why */
};

/* ---- a trial ---- */

static struct lab_wish wish_of(const struct job *j, const struct lab_model *models, size_t n)
{
    return (struct lab_wish){ .args = j->args, .config = j->config, .models = models, .nmodels = n, .quiet = true };
}

static double measure(struct job *j, const struct tune_point *p)
{
    struct lab_set sets[KNOBS_SETS];
    struct lab_model m = { .model = j->model, .set = sets, .nset = KNOBS_SETS, .hot = true };
    struct lab_wish wish = wish_of(j, &m, 1);
    struct lab_figures f;
    knobs_sets(&j->knobs, p, sets);
    enum err_code rc = lab_measure(&wish, j->context, j->tokens, &f, &j->why);
    j->stopped = f.stopped;
    j->memory_bytes = f.memory_bytes > j->memory_bytes ? f.memory_bytes : j->memory_bytes;
    if (f.machine[0])
        memcpy(j->of.machine, f.machine, sizeof j->of.machine);
    buf_free(&f.report);
    return rc ? NAN : lab_seconds(&f, j->context);
}

/* Not worse as far as the suite tells, nor by more than the margin as it came out: sixteen cases cannot prove that two are alike. */
static bool passes(const struct eval_pair *p)
{
    return pairs_total(&p->pairs) > 0 && p->verdict.kind != VERDICT_WORSE && p->verdict.difference >= -judge_usual.margin - 1e-9;
}

/* EXIT_OK, or it could not be asked, which was said. */
static int ask_suite(struct job *j, const struct tune_point *p, bool *out)
{
    struct lab_set now[KNOBS_SETS], then[KNOBS_SETS];
    struct tune_point present = knobs_present(&j->knobs);
    struct lab_model models[] = {
        { .model = j->model, .name = STR("in-force"), .set = now, .nset = KNOBS_SETS }, { .model = j->model, .name = STR("tried"), .set = then, .nset = KNOBS_SETS },
    };
    struct lab_wish wish = wish_of(j, models, COUNTOF(models));
    struct check check = { .point = *p };
    struct lab *lab;
    struct err e;
    knobs_sets(&j->knobs, &present, now);
    knobs_sets(&j->knobs, p, then);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    if (lab_open(&lab, &wish, &e)) {
        cli_error(&e);
        return EXIT_FAILED;
    }
    int code = lab_pair(lab, &wish, j->suite, STR("in-force"), STR("tried"), &check.pair);
    lab_close(lab);
    *out = check.passes = !code && passes(&check.pair);
    if (!code && j->nchecks < MAX_CHECKS)
        j->checks[j->nchecks++] = check;
    return code;
}

/* ---- the search ---- */

static int64_t elapsed_ms(const struct job *j)
{
    return clock_mono_ms() - j->began_ms;
}

static void say_trial(const struct job *j, const struct tune_trial *t, double cost)
{
    struct buf words = { 0 };
    struct tune_point present = knobs_present(&j->knobs);
    if (j->quiet)
        return;
    knobs_say(&j->knobs, &t->point, &present, &words);
    if (isnan(cost))
        fprintf(stderr, "hob: %4lld s  %-8s %.*s: cannot be measured: %s\n", (long long)(elapsed_ms(j) / 1000), tune_phase_names[t->phase], STR_ARG(buf_str(&words)), j->why.text);
    else
        fprintf(stderr, "hob: %4lld s  %-8s %.*s: %.3g s a request\n", (long long)(elapsed_ms(j) / 1000), tune_phase_names[t->phase], STR_ARG(buf_str(&words)), cost);
    buf_free(&words);
}

static int do_suite(struct job *j, const struct tune_trial *t)
{
    struct buf words = { 0 };
    struct tune_point present = knobs_present(&j->knobs);
    bool ok = false;
    knobs_say(&j->knobs, &t->point, &present, &words);
    if (!j->quiet)
        fprintf(stderr, "hob: %4lld s  %.*s may change answers: %.*s is put to it\n", (long long)(elapsed_ms(j) / 1000), STR_ARG(buf_str(&words)), STR_ARG(j->suite));
    buf_free(&words);
    int code = ask_suite(j, &t->point, &ok);
    if (!code)
        tune_suite(j->tune, ok, elapsed_ms(j));
    return code;
}

static int search(struct job *j)
{
    struct tune_trial t;
    int code = EXIT_OK;
    j->began_ms = clock_mono_ms();
    for (tune_next(j->tune, 0, &t); t.want != TUNE_END && !code; tune_next(j->tune, elapsed_ms(j), &t)) {
        if (t.want == TUNE_SUITE) {
            code = do_suite(j, &t);
            continue;
        }
        double cost = measure(j, &t.point);
        if (j->stopped) {
            fprintf(stderr, "hob: stopped; nothing was kept\n");
            return EXIT_FAILED;
        }
        j->any |= !isnan(cost);
        if (!j->any) { /* what is in force does not work: so nothing else is to be tried */
            cli_error(&j->why);
            return EXIT_FAILED;
        }
        say_trial(j, &t, cost);
        tune_took(j->tune, cost, elapsed_ms(j));
    }
    return code;
}

/* ---- what it came to ---- */

static void put_gain(struct json_out *o, const char *key, const struct tune_gain *g)
{
    json_key(o, str_of(key));
    json_begin_object(o);
    json_key(o, STR("factor"));
    json_double(o, g->factor, 4);
    json_key(o, STR("lo"));
    json_double(o, g->lo, 4);
    json_key(o, STR("hi"));
    json_double(o, g->hi, 4);
    json_key(o, STR("rounds"));
    json_int(o, (int64_t)g->rounds);
    json_key(o, STR("sure"));
    json_bool(o, g->sure);
    json_end_object(o);
}

static void put_text(struct json_out *o, const char *key, struct str text)
{
    json_key(o, str_of(key));
    json_string(o, text);
}

static void put_point(struct job *j, struct json_out *o, const char *key, const struct tune_point *p, double seconds)
{
    json_key(o, str_of(key));
    json_begin_object(o);
    json_key(o, STR("settings"));
    knobs_put(&j->knobs, p, o);
    json_key(o, STR("seconds"));
    json_double(o, seconds, 5);
    json_end_object(o);
}

static void put_refused(const struct job *j, struct json_out *o, const struct tune_result *r)
{
    json_key(o, STR("refused"));
    json_begin_array(o);
    for (size_t i = 0; i < r->nrefused; i++) {
        json_begin_object(o);
        put_text(o, "setting", knobs_name(&j->knobs, r->refused[i].factor));
        put_text(o, "value", j->knobs.values[r->refused[i].factor][r->refused[i].value]);
        json_end_object(o);
    }
    json_end_array(o);
}

static void put_checks(struct job *j, struct json_out *o)
{
    json_key(o, STR("checks"));
    json_begin_array(o);
    for (size_t i = 0; i < j->nchecks; i++) {
        const struct check *c = &j->checks[i];
        json_begin_object(o);
        json_key(o, STR("settings"));
        knobs_put(&j->knobs, &c->point, o);
        json_key(o, STR("passes"));
        json_bool(o, c->passes);
        put_text(o, "verdict", str_of(verdict_names[c->pair.verdict.kind]));
        json_key(o, STR("run"));
        json_int_or_null(o, c->pair.run ? c->pair.run : -1);
        json_key(o, STR("cases"));
        json_int(o, c->pair.verdict.pairs);
        json_key(o, STR("difference"));
        json_double(o, c->pair.verdict.difference, 4);
        json_end_object(o);
    }
    json_end_array(o);
}

static void put_engine(const struct job *j, struct json_out *o)
{
    json_key(o, STR("engine"));
    json_begin_object(o);
    put_text(o, "path", str_of(j->engine));
    put_text(o, "build", str_of(j->of.engine));
    json_end_object(o);
}

static void put_result(struct job *j, const struct tune_result *r, struct str lines, struct buf *out)
{
    struct json_out o = json_out(out);
    struct tune_point present = knobs_present(&j->knobs), standard = knobs_standard(&j->knobs);
    char time_text[32];
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    put_text(&o, "model", j->model->name);
    put_text(&o, "time", str_of(time_text));
    put_text(&o, "file", j->model->file);
    put_text(&o, "file_print", str_of(j->of.model));
    put_text(&o, "machine", str_of(j->of.machine));
    put_engine(j, &o);
    put_text(&o, "suite", j->suite);
    json_key(&o, STR("context"));
    json_int(&o, j->context);
    json_key(&o, STR("trials"));
    json_int(&o, (int64_t)r->trials);
    json_key(&o, STR("cut"));
    json_bool(&o, r->cut);
    json_key(&o, STR("changed"));
    json_bool(&o, r->changed);
    put_point(j, &o, "present", &present, r->present);
    put_point(j, &o, "standard", &standard, r->standard);
    put_point(j, &o, "found", &r->found, r->cost);
    json_key(&o, STR("best"));
    knobs_put(&j->knobs, &r->best, &o);
    json_key(&o, STR("gain"));
    json_begin_object(&o);
    put_gain(&o, "over_present", &r->over_present);
    put_gain(&o, "over_standard", &r->over_standard);
    json_end_object(&o);
    put_refused(j, &o, r);
    put_checks(j, &o);
    json_key(&o, STR("memory_bytes"));
    json_int_or_null(&o, j->memory_bytes);
    put_text(&o, "lines", lines);
    json_end_object(&o);
}

static void say_gain(const struct tune_gain *g, const char *over, struct buf *out)
{
    if (isnan(g->factor))
        return;
    buf_printf(out, "%.2f times as fast as %s, %.2f to %.2f with 95 %%, by %zu rounds in turns%s\n", g->factor, over, g->lo, g->hi, g->rounds, g->sure ? "" : ": not sure");
}

static void say_seconds(struct job *j, const char *what, const struct tune_point *p, double seconds, struct buf *out)
{
    struct buf words = { 0 };
    struct tune_point present = knobs_present(&j->knobs);
    knobs_say(&j->knobs, p, &present, &words);
    if (!isnan(seconds))
        buf_printf(out, "  %-18s %8.3g s   %.*s\n", what, seconds, STR_ARG(buf_str(&words)));
    buf_free(&words);
}

static void put_words(struct job *j, const struct tune_result *r, struct str lines, struct buf *out)
{
    struct tune_point present = knobs_present(&j->knobs), standard = knobs_standard(&j->knobs);
    buf_printf(out, "%.*s on %s\n", STR_ARG(j->model->name), j->of.machine);
    buf_printf(out, "a request of %lld tokens with %lld of an answer, medians of the confirmation:\n", (long long)(j->context - j->context / 4), (long long)(j->context / 4));
    say_seconds(j, "the engine's own", &standard, r->standard, out);
    say_seconds(j, "in force", &present, r->present, out);
    if (memcmp(&r->found, &present, sizeof present))
        say_seconds(j, "found", &r->found, r->cost, out);
    say_gain(&r->over_present, "what is in force", out);
    say_gain(&r->over_standard, "the engine's own settings", out);
    for (size_t i = 0; i < r->nrefused; i++)
        buf_printf(out, "%.*s %.*s was faster, and %.*s said no\n", STR_ARG(knobs_name(&j->knobs, r->refused[i].factor)), STR_ARG(j->knobs.values[r->refused[i].factor][r->refused[i].value]),
            STR_ARG(j->suite));
    if (r->cut)
        buf_lit(out, "the budget ended the search before every setting had its turn: --budget has more\n");
    if (!r->changed)
        buf_lit(out, "\nnothing was found that is surely faster than what is in force: leave it\n");
    else
        buf_printf(out, "\nfor hob.yaml, under models: %.*s:\n%.*s", STR_ARG(j->model->name), STR_ARG(lines));
    if (str_find(lines, STR("batch-size")) >= 0)
        buf_lit(out, "(a larger batch makes a prompt go on for longer after its caller has left: it is cancelled between batches)\n");
}

static int tell(struct job *j)
{
    struct tune_result r;
    struct buf lines = { 0 }, json = { 0 }, out = { 0 };
    struct err e;
    tune_result(j->tune, &r);
    if (r.changed)
        knobs_put_lines(&j->knobs, &r.best, "    ", &lines);
    put_result(j, &r, buf_str(&lines), &json);
    if (j->json) {
        buf_add(&out, buf_str(&json));
        buf_add_char(&out, '\n');
    } else {
        put_words(j, &r, buf_str(&lines), &out);
    }
    fwrite(out.p, 1, out.n, stdout);
    fflush(stdout);
    int code = tune_keep(j->config, &j->of, buf_str(&json), &e) ? EXIT_FAILED : EXIT_OK;
    if (code)
        cli_error(&e);
    buf_free(&lines);
    buf_free(&json);
    buf_free(&out);
    return code;
}

/* What would be tried. */
static int show_plan(struct job *j)
{
    struct buf out = { 0 };
    struct json_out o = json_out(&out);
    if (j->json) {
        json_begin_object(&o);
        json_key(&o, STR("schema"));
        json_int(&o, 1);
        put_text(&o, "model", j->model->name);
        put_engine(j, &o);
        json_key(&o, STR("settings"));
        json_begin_array(&o);
    } else {
        buf_printf(&out, "%-15s %-10s %-12s %s\n", "SETTING", "IN FORCE", "ENGINE'S OWN", "TRIED");
    }
    for (size_t i = 0; i < j->knobs.n; i++) {
        const struct tune_factor *f = &j->knobs.factors[i];
        struct str standard = j->knobs.values[i][f->standard];
        if (j->json) {
            json_begin_object(&o);
            put_text(&o, "setting", knobs_name(&j->knobs, i));
            put_text(&o, "present", j->knobs.values[i][f->present]);
            put_text(&o, "standard", standard);
            json_key(&o, STR("answers"));
            json_bool(&o, f->answers);
            json_key(&o, STR("tried"));
            json_begin_array(&o);
            for (size_t k = 0; k < f->searched; k++)
                json_string(&o, j->knobs.values[i][k]);
            json_end_array(&o);
            json_end_object(&o);
            continue;
        }
        buf_printf(&out, "%-15.*s %-10.*s %-12.*s ", STR_ARG(knobs_name(&j->knobs, i)), STR_ARG(j->knobs.values[i][f->present]), STR_ARG(standard));
        for (size_t k = 0; k < f->searched; k++)
            buf_printf(&out, "%s%.*s", k ? " " : "", STR_ARG(j->knobs.values[i][k]));
        buf_printf(&out, "%s\n", f->answers && f->searched ? " (the suite is asked)" : f->searched ? "" : "-");
    }
    if (j->json) {
        json_end_array(&o);
        json_end_object(&o);
        buf_add_char(&out, '\n');
    }
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
    return EXIT_OK;
}

/* ---- the command ---- */

static int read_options(struct job *j)
{
    const struct cli_args *a = j->args;
    int64_t rounds = (int64_t)tune_usual.rounds;
    j->rule = tune_usual;
    j->context = USUAL_CONTEXT;
    j->tokens = USUAL_TOKENS;
    j->quiet = cli_flag(a, "--quiet");
    j->json = cli_flag(a, "--json");
    j->suite = cli_option_value(a, "--suite").p ? cli_option_value(a, "--suite") : STR("t-suite");
    int code = option_duration(a, "--budget", 1000, INT64_C(7) * 24 * 3600 * 1000, &j->rule.budget_ms);
    if (!code)
        code = option_count(a, "--context", 128, 1024 * 1024, &j->context);
    if (!code)
        code = option_count(a, "--rounds", 1, TUNE_MAX_ROUNDS, &rounds);
    j->rule.rounds = (size_t)rounds;
    if (!code)
        code = option_count(a, "--tokens", 8, 4096, &j->tokens);
    return code;
}

static int find_engine(struct job *j, struct buf *help)
{
    struct engine g;
    struct run_end end;
    struct err e;
    enum err_code rc = engine_find(j->config, j->model->engine, &g, &e);
    if (!rc)
        rc = tune_identify(j->config, j->model, &j->of, &j->window, &e);
    const char *argv[] = { g.path, "--help", NULL };
    if (!rc)
        rc = run_program(argv, NULL, NULL, HELP_MS, help, &end, &e);
    if (rc) {
        cli_error(&e);
        return EXIT_FAILED;
    }
    snprintf(j->engine, sizeof j->engine, "%s", g.path);
    if (j->window && j->window < j->context)
        j->context = j->window;
    if (j->tokens > j->context / 2)
        j->tokens = j->context / 2;
    return EXIT_OK;
}

/* Cores that are the first of those that share one; where the kernel does not say, all. */
static size_t physical_cores(size_t all)
{
    size_t n = 0;
    for (size_t i = 0; i < all; i++) {
        char path[128];
        int first = -1;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%zu/topology/thread_siblings_list", i);
        FILE *f = fopen(path, "re");
        bool told = f && fscanf(f, "%d", &first) == 1;
        if (f)
            fclose(f);
        if (!told)
            return all;
        n += (size_t)first == i;
    }
    return n ? n : all;
}

static int find_knobs(struct job *j, struct str help)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    size_t cores = online > 0 ? (size_t)online : 1;
    struct machine machine;
    struct err e;
    machine_look("", &machine);
    struct knobs_wish w = { .model = j->model, .cores = cores, .physical = physical_cores(cores), .gpus = machine.ngpus > 0, .help = help, .only = cli_option_value(j->args, "--only") };
    if (!knobs_make(&w, &j->knobs, &e))
        return EXIT_OK;
    cli_error(&e);
    return EXIT_USAGE;
}

/* Before minutes are spent on what it would refuse. */
static int check_suite(struct job *j)
{
    struct suite *s = NULL;
    int code = eval_suite_open(j->args, j->suite, &s);
    suite_free(s);
    return code;
}

static int tune_model(struct job *j)
{
    struct buf help = { 0 };
    buf_init(&help, MIB);
    int code = lab_find_model(j->args, j->args->words[0], "can be tuned", &j->config, &j->model);
    if (!code)
        code = find_engine(j, &help);
    if (!code)
        code = find_knobs(j, buf_str(&help));
    if (!code && cli_flag(j->args, "--dry-run"))
        code = show_plan(j);
    else if (!code && !(code = check_suite(j))) {
        j->tune = tune_new(j->knobs.factors, j->knobs.n, &j->rule);
        code = search(j);
        if (!code)
            code = tell(j);
    }
    tune_free(j->tune);
    knobs_free(&j->knobs);
    buf_free(&help);
    return code;
}

static int run(const struct cli_args *a)
{
    static struct job j;
    j.args = a;
    int code = read_options(&j);
    if (!code && cli_flag(a, "--show")) {
        code = cli_load_config(a, &j.config);
        if (!code)
            code = tune_show(a, j.config, a->nwords ? a->words[0] : STR(""));
    } else if (!code && !a->nwords) {
        fprintf(stderr, "hob: which model? hob tune MODEL; `hob models` lists them\n");
        code = EXIT_USAGE;
    } else if (!code) {
        code = tune_model(&j);
    }
    conf_free(j.config);
    return code;
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--suite", NULL, "SUITE", "what must still be answered by settings that can change answers (default: t-suite)" },
    { "--budget", NULL, "TIME", "how long it may take, the confirmation included (default: 10m)" },
    { "--only", NULL, "LIST", "these settings alone: threads,placement,repack,flash,ubatch,batch,prompt-threads,poll,kv" },
    { "--context", NULL, "N", "tokens of the requests that are measured, a quarter of them answer (default: 1024)" },
    { "--tokens", NULL, "N", "of an answer that is waited for in each trial (default: 64)" },
    { "--rounds", NULL, "N", "of the confirmation (default: 6; with fewer than 5 nothing is sure)" },
    { "--dry-run", NULL, NULL, "what would be tried" },
    { "--show", NULL, NULL, "what was found here before" },
    { "--quiet", "-q", NULL, "no progress" },
    { "--json", NULL, NULL, "one JSON object" },
    CLI_END,
};

const struct command cli_tune = { .name = "tune", .usage = "MODEL [--suite S] [--budget 10m] | --show", .what = "find the engine's settings that are fastest on this machine, and tell the gain",
    .example = "hob tune smollm2 --budget 10m --suite chat-bench", .run = run, .options = options, .max_words = 1, .words = CLI_WORDS_MODELS };
