/* hob bench MODEL --kv f16,q8_0 --quant a.gguf,b.gguf: the same model in variants, held against the first: by a suite whether it is as good, and beside that how fast it is and what it takes. Each
 * round of each variant is a lab of its own, in turns, so that what the machine does meanwhile meets all of them. Who is picked is decided by the suite: speed and memory choose only
 * among those that it has shown to be not worse. */
#include "cli/bench.h"

#include "base/clock.h"
#include "cli/eval.h"
#include "cli/lab_bench.h"
#include "cli/numbers.h"
#include "cli/table.h"
#include "evidence/suite.h"
#include "evidence/tune.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_VARIANTS = 8, USUAL_ROUNDS = 5, USUAL_CONTEXT = 1024, USUAL_TOKENS = 128, MAX_WARNINGS = 16, LEAST_ROUNDS = 5 };

struct variant {
    struct str label, name, kv, file;   /* name: in a lab; file: empty = the model's own */
    struct lab_set set[5];
    size_t nset, rounds;
    double seconds[TUNE_MAX_ROUNDS], prompt_tps[TUNE_MAX_ROUNDS], answer_tps[TUNE_MAX_ROUNDS], ttft_ms[TUNE_MAX_ROUNDS], cold_ms[TUNE_MAX_ROUNDS];
    int64_t memory_bytes;
    struct buf report;                  /* of its first round */
    struct tune_gain gain;              /* over the first */
    struct eval_pair pair;              /* against the first; not of the first itself */
};

struct ab {
    const struct cli_args *args;
    struct config *config;
    const struct conf_model *model;
    struct arena memory;
    struct variant *v;
    size_t n;
    int64_t rounds, context, tokens;
    struct str suite;
    struct str warnings[MAX_WARNINGS];
    size_t nwarnings;
    char machine[160];
    bool quiet, json;
    size_t pick;
    const char *why;                    /* of the pick */
};

/* ---- the variants ---- */

static struct str file_name(struct str path)
{
    size_t at = path.n;
    while (at && path.p[at - 1] != '/')
        at--;
    return str_from(path, at);
}

/* From where we stand, or from the models folder, as a configuration has it. */
static int find_file(struct ab *j, struct str said, struct str *out)
{
    struct str places[] = { said, arena_printf(&j->memory, "%.*s/%.*s", STR_ARG(j->config->models_dir), STR_ARG(said)) };
    for (size_t i = 0; i < COUNTOF(places); i++) {
        char *real = realpath(arena_copy(&j->memory, places[i]).p, NULL);
        if (real) {
            *out = arena_copy(&j->memory, str_of(real));
            free(real);
            return EXIT_OK;
        }
    }
    fprintf(stderr, "hob: --quant: there is no file %.*s, nor in %.*s\n", STR_ARG(said), STR_ARG(j->config->models_dir));
    return EXIT_USAGE;
}

static struct str quoted(struct ab *j, struct str text)
{
    struct buf out = { 0 };
    struct json_out o = json_out(&out);
    lab_put_text(&o, text);
    struct str kept = arena_copy(&j->memory, buf_str(&out));
    buf_free(&out);
    return kept;
}

static void add_variant(struct ab *j, struct str kv, struct str file, bool kvs, bool files)
{
    struct variant *v = &j->v[j->n++];
    *v = (struct variant){ .kv = kv, .file = file, .memory_bytes = -1 };
    struct str name = file_name(file);
    v->label = kvs && files ? arena_printf(&j->memory, "%.*s %.*s", STR_ARG(name), STR_ARG(kv)) : files ? name : kv;
    v->name = arena_printf(&j->memory, "variant-%zu", j->n);
    v->set[v->nset++] = (struct lab_set){ STR("kv"), quoted(j, kv) };
    if (!files)
        return;
    v->set[v->nset++] = (struct lab_set){ STR("file"), quoted(j, file) };
    v->set[v->nset++] = (struct lab_set){ STR("memory"), STR("") }; /* what was said of these is the configured file's */
    v->set[v->nset++] = (struct lab_set){ STR("sha256"), STR("") };
    v->set[v->nset++] = (struct lab_set){ STR("hub"), STR("") };
}

static size_t cut_list(struct str list, struct str out[MOST_VARIANTS])
{
    struct str rest;
    size_t n = 0;
    for (; list.n && n < MOST_VARIANTS; list = rest) {
        struct str one = str_trim(str_cut(list, ',', &rest));
        if (one.n)
            out[n++] = one;
    }
    return n;
}

static int make_variants(struct ab *j)
{
    struct str kvs[MOST_VARIANTS], files[MOST_VARIANTS];
    size_t nkvs = cut_list(cli_option_value(j->args, "--kv"), kvs), nfiles = cut_list(cli_option_value(j->args, "--quant"), files);
    bool by_kv = nkvs > 0, by_file = nfiles > 0;
    int code = EXIT_OK;
    for (size_t i = 0; i < nfiles && !code; i++)
        code = find_file(j, files[i], &files[i]);
    if (!by_kv)
        kvs[nkvs++] = j->model->kv;
    if (!by_file)
        files[nfiles++] = j->model->file;
    if (!code && (nkvs * nfiles < 2 || nkvs * nfiles > MOST_VARIANTS)) {
        fprintf(stderr, "hob: two variants at least and %d at most: --kv f16,q8_0 or --quant A.gguf,B.gguf; with both there are as many as one times the other\n", MOST_VARIANTS);
        return EXIT_USAGE;
    }
    j->v = arena_array(&j->memory, struct variant, MOST_VARIANTS);
    for (size_t f = 0; f < nfiles && !code; f++)
        for (size_t k = 0; k < nkvs; k++)
            add_variant(j, kvs[k], files[f], by_kv, by_file);
    return code;
}

/* ---- measuring ---- */

static struct lab_model lab_model_of(const struct ab *j, struct variant *v)
{
    return (struct lab_model){ .model = j->model, .name = v->name, .set = v->set, .nset = v->nset };
}

/* Before the first of them is measured: the last may be wrong. */
static int check_variants(struct ab *j)
{
    struct lab_model models[MOST_VARIANTS];
    struct lab_wish wish = { .args = j->args, .config = j->config, .models = models, .nmodels = j->n };
    struct err e;
    for (size_t i = 0; i < j->n; i++)
        models[i] = lab_model_of(j, &j->v[i]);
    enum err_code rc = lab_check(&wish, &e);
    if (rc)
        cli_error(&e);
    return !rc ? EXIT_OK : rc == ERR_CONFIG ? EXIT_USAGE : EXIT_FAILED;
}

static void say(const struct ab *j, const char *what, size_t round, const struct variant *v)
{
    if (!j->quiet)
        fprintf(stderr, "hob: %s %.*s, %zu of %lld\n", what, STR_ARG(v->label), round + 1, (long long)j->rounds);
}

/* A round that does not count leaves a gap in all lists; a variant whose first round cannot be had ends it all, with the reason. */
static int measure_round(struct ab *j, struct variant *v, size_t round)
{
    struct lab_model m = lab_model_of(j, v);
    struct lab_wish wish = { .args = j->args, .config = j->config, .models = &m, .nmodels = 1, .quiet = true };
    struct lab_figures f;
    struct err e;
    say(j, "measuring", round, v);
    enum err_code rc = lab_measure(&wish, j->context, j->tokens, &f, &e);
    v->seconds[round] = rc ? NAN : lab_seconds(&f, j->context);
    v->prompt_tps[round] = f.prompt_tps;
    v->answer_tps[round] = f.answer_tps;
    v->ttft_ms[round] = f.ttft_ms;
    v->cold_ms[round] = f.cold_ms;
    v->rounds = round + 1;
    v->memory_bytes = f.memory_bytes > v->memory_bytes ? f.memory_bytes : v->memory_bytes;
    if (f.machine[0])
        memcpy(j->machine, f.machine, sizeof j->machine);
    if (!rc && !v->report.n)
        buf_add(&v->report, buf_str(&f.report));
    buf_free(&f.report);
    if (!rc && f.stopped)
        fprintf(stderr, "hob: stopped\n");
    if (rc && round == 0)
        fprintf(stderr, "hob: %.*s: %s%s%s\n", STR_ARG(v->label), e.text, e.hint[0] ? "\nhob: " : "", e.hint);
    return (rc && round == 0) || (!rc && f.stopped) ? EXIT_FAILED : EXIT_OK;
}

static int measure_all(struct ab *j)
{
    int code = EXIT_OK;
    for (size_t round = 0; round < (size_t)j->rounds; round++)
        for (size_t i = 0; i < j->n && !code; i++)
            code = measure_round(j, &j->v[i], round);
    for (size_t i = 1; i < j->n; i++)
        j->v[i].gain = tune_gain_of(j->v[0].seconds, j->v[i].seconds, j->v[i].rounds);
    return code;
}

static int ask_suite(struct ab *j)
{
    struct lab_model models[MOST_VARIANTS];
    struct lab_wish wish = { .args = j->args, .config = j->config, .models = models, .nmodels = j->n, .quiet = true };
    struct lab *lab;
    struct err e;
    int code = EXIT_OK;
    for (size_t i = 0; i < j->n; i++)
        models[i] = lab_model_of(j, &j->v[i]);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    if (lab_open(&lab, &wish, &e)) {
        cli_error(&e);
        return EXIT_FAILED;
    }
    for (size_t i = 1; i < j->n && !code; i++) {
        if (!j->quiet)
            fprintf(stderr, "hob: %.*s: %.*s against %.*s\n", STR_ARG(j->suite), STR_ARG(j->v[i].label), STR_ARG(j->v[0].label));
        code = lab_pair(lab, &wish, j->suite, j->v[0].name, j->v[i].name, &j->v[i].pair);
    }
    lab_close(lab);
    return code;
}

/* ---- what it says ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double middle(const double *v, size_t n)
{
    double kept[TUNE_MAX_ROUNDS];
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(v[i]))
            kept[k++] = v[i];
    qsort(kept, k, sizeof *kept, by_value);
    return k ? quantile_of(kept, k, 0.5) : NAN;
}

/* What differs on purpose is said once, and not warned of. */
static bool on_purpose(struct str warning)
{
    static const char *const heads[] = { "the model differs", "the file of weights", "the quantisation", "the KV format", "of some figures" };
    for (size_t i = 0; i < COUNTOF(heads); i++)
        if (str_starts(warning, str_of(heads[i])))
            return true;
    return false;
}

static void look_alike(struct ab *j)
{
    for (size_t i = 1; i < j->n; i++) {
        struct speed_comparison c;
        struct err e;
        if (!speed_compare(buf_str(&j->v[0].report), buf_str(&j->v[i].report), &c, &e))
            for (size_t w = 0; w < c.nwarnings && j->nwarnings < MAX_WARNINGS; w++)
                if (!on_purpose(c.warnings[w]))
                    j->warnings[j->nwarnings++] = arena_printf(&j->memory, "%.*s: %.*s", STR_ARG(j->v[i].label), STR_ARG(c.warnings[w]));
        speed_comparison_free(&c);
    }
    if (j->rounds < LEAST_ROUNDS && j->nwarnings < MAX_WARNINGS)
        j->warnings[j->nwarnings++] = STR("with fewer than 5 rounds no difference in speed is sure");
}

static bool is_as_good(const struct variant *v)
{
    return v->pair.verdict.kind == VERDICT_BETTER || v->pair.verdict.kind == VERDICT_NOT_WORSE;
}

static bool takes_less(const struct variant *v, const struct variant *than)
{
    return v->memory_bytes > 0 && than->memory_bytes > 0 && (double)v->memory_bytes < 0.95 * (double)than->memory_bytes;
}

/* Among those that the suite has shown to be not worse: who is surely faster than the first, or takes less and is not surely slower; of several the fastest. */
static void pick(struct ab *j)
{
    bool any_good = false, any_unclear = false;
    double best = middle(j->v[0].seconds, j->v[0].rounds);
    j->pick = 0;
    for (size_t i = 1; i < j->n; i++) {
        const struct variant *v = &j->v[i];
        bool better = v->gain.sure || (takes_less(v, &j->v[0]) && !tune_gain_of(v->seconds, j->v[0].seconds, v->rounds).sure), first = j->pick == 0;
        any_good |= is_as_good(v);
        any_unclear |= v->pair.verdict.kind == VERDICT_CANNOT_TELL;
        if (!is_as_good(v) || !better || !(first || middle(v->seconds, v->rounds) < best))
            continue;
        j->pick = i;
        best = middle(v->seconds, v->rounds);
    }
    if (j->pick)
        j->why = j->v[j->pick].gain.sure ? "not worse by the suite, and faster" : "not worse by the suite, and takes less memory";
    else if (any_good)
        j->why = "what is as good by the suite is neither surely faster nor smaller";
    else
        j->why = any_unclear ? "the suite cannot tell whether another is as good: it has too few cases" : "the suite says that the others are worse";
}

/* ---- words ---- */

static void cell(struct table *t, const char *fmt, double v) __attribute__((format(printf, 2, 0)));
static void cell(struct table *t, const char *fmt, double v)
{
    char text[48];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, fmt, v);
#pragma GCC diagnostic pop
    table_cell(t, isnan(v) ? STR("") : str_of(text));
}

static void put_row(const struct ab *j, const struct variant *v, struct table *t)
{
    char text[64];
    const struct verdict *d = &v->pair.verdict;
    table_cell(t, v->label);
    cell(t, "%.1f", middle(v->prompt_tps, v->rounds));
    cell(t, "%.1f", middle(v->answer_tps, v->rounds));
    cell(t, "%.0f", middle(v->ttft_ms, v->rounds));
    cell(t, "%.0f", middle(v->cold_ms, v->rounds));
    table_cell(t, v->memory_bytes > 0 ? show_bytes(v->memory_bytes, text) : STR(""));
    snprintf(text, sizeof text, "%lld of %lld", (long long)(v == j->v ? j->v[1].pair.verdict.a_pass : d->b_pass), (long long)(v == j->v ? j->v[1].pair.verdict.a_total : d->b_total));
    table_cell(t, str_of(text));
    table_cell(t, v == j->v ? STR("") : str_of(verdict_names[d->kind]));
}

static void put_differences(const struct ab *j, struct buf *out)
{
    for (size_t i = 1; i < j->n; i++) {
        const struct variant *v = &j->v[i];
        const struct verdict *d = &v->pair.verdict;
        buf_printf(out, "%.*s against %.*s: %.2f times as fast (%.2f to %.2f, %zu rounds in turns); %+.1f points (%+.1f to %+.1f)", STR_ARG(v->label), STR_ARG(j->v[0].label), v->gain.factor, v->gain.lo,
            v->gain.hi, v->gain.rounds, 100 * d->difference, 100 * d->lo, 100 * d->hi);
        if (d->kind == VERDICT_CANNOT_TELL && d->needed)
            buf_printf(out, "; about %lld cases would tell", (long long)d->needed);
        if (v->pair.run)
            buf_printf(out, "; `hob eval show %lld` has each case", (long long)v->pair.run);
        buf_add_char(out, '\n');
    }
}

static void put_words(const struct ab *j, struct buf *out)
{
    static const char *const heads[] = { "VARIANT", "PROMPT tok/s", "ANSWER tok/s", "TTFT ms", "COLD ms", "MEMORY", "PASSED", "VERDICT" };
    struct table t;
    buf_printf(out, "%.*s on %s\n%lld tokens of context, medians of %lld rounds in turns; suite %.*s\n\n", STR_ARG(j->model->name), j->machine, (long long)j->context, (long long)j->rounds,
        STR_ARG(j->suite));
    table_init(&t, heads, COUNTOF(heads));
    for (size_t i = 0; i < j->n; i++)
        put_row(j, &j->v[i], &t);
    table_print(&t, out);
    table_fini(&t);
    buf_add_char(out, '\n');
    put_differences(j, out);
    buf_lit(out, "the variants differ in weights or KV type on purpose\n");
    for (size_t i = 0; i < j->nwarnings; i++)
        buf_printf(out, "warning: %.*s\n", STR_ARG(j->warnings[i]));
    buf_printf(out, "pick: %.*s: %s\n", STR_ARG(j->v[j->pick].label), j->why);
}

/* ---- JSON ---- */

static void put_text(struct json_out *o, const char *key, struct str v)
{
    json_key(o, str_of(key));
    json_string(o, v);
}

static void put_number(struct json_out *o, const char *key, double v)
{
    json_key(o, str_of(key));
    json_double(o, v, 4);
}

static void put_int(struct json_out *o, const char *key, int64_t v)
{
    json_key(o, str_of(key));
    json_int_or_null(o, v);
}

static void put_against_first(const struct variant *v, struct json_out *o)
{
    const struct verdict *d = &v->pair.verdict;
    put_int(o, "run", v->pair.run ? v->pair.run : -1);
    put_text(o, "verdict", str_of(verdict_names[d->kind]));
    put_number(o, "difference", d->difference);
    put_number(o, "difference_lo", d->lo);
    put_number(o, "difference_hi", d->hi);
    put_int(o, "needed", d->needed ? d->needed : -1);
    json_key(o, STR("gain"));
    json_begin_object(o);
    put_number(o, "factor", v->gain.factor);
    put_number(o, "lo", v->gain.lo);
    put_number(o, "hi", v->gain.hi);
    put_int(o, "rounds", (int64_t)v->gain.rounds);
    json_key(o, STR("sure"));
    json_bool(o, v->gain.sure);
    json_end_object(o);
}

static void put_variant(const struct ab *j, const struct variant *v, struct json_out *o)
{
    const struct verdict *d = v == j->v ? &j->v[1].pair.verdict : &v->pair.verdict;
    json_begin_object(o);
    put_text(o, "name", v->label);
    put_text(o, "kv", v->kv);
    put_text(o, "file", v->file);
    put_number(o, "prompt_tps", middle(v->prompt_tps, v->rounds));
    put_number(o, "generation_tps", middle(v->answer_tps, v->rounds));
    put_number(o, "seconds", middle(v->seconds, v->rounds));
    put_number(o, "ttft_ms", middle(v->ttft_ms, v->rounds));
    put_number(o, "cold_ms", middle(v->cold_ms, v->rounds));
    put_int(o, "memory_bytes", v->memory_bytes);
    put_int(o, "pass", v == j->v ? d->a_pass : d->b_pass);
    put_int(o, "total", v == j->v ? d->a_total : d->b_total);
    if (v != j->v)
        put_against_first(v, o);
    json_end_object(o);
}

static void put_json(const struct ab *j, struct buf *out)
{
    struct json_out o = json_out(out);
    json_begin_object(&o);
    put_int(&o, "schema", 1);
    put_text(&o, "model", j->model->name);
    put_text(&o, "machine", str_of(j->machine));
    put_text(&o, "suite", j->suite);
    put_int(&o, "context", j->context);
    put_int(&o, "rounds", j->rounds);
    json_key(&o, STR("variants"));
    json_begin_array(&o);
    for (size_t i = 0; i < j->n; i++)
        put_variant(j, &j->v[i], &o);
    json_end_array(&o);
    json_key(&o, STR("warnings"));
    json_begin_array(&o);
    for (size_t i = 0; i < j->nwarnings; i++)
        json_string(&o, j->warnings[i]);
    json_end_array(&o);
    put_text(&o, "pick", j->v[j->pick].label);
    put_text(&o, "why", str_of(j->why));
    json_end_object(&o);
    buf_add_char(out, '\n');
}

/* ---- the command ---- */

static int read_options(struct ab *j)
{
    const struct cli_args *a = j->args;
    struct str contexts = cli_option_value(a, "--contexts");
    j->rounds = USUAL_ROUNDS;
    j->tokens = USUAL_TOKENS;
    j->context = USUAL_CONTEXT;
    j->quiet = cli_flag(a, "--quiet");
    j->json = cli_flag(a, "--json");
    int code = option_count(a, "--runs", 1, TUNE_MAX_ROUNDS, &j->rounds);
    if (!code)
        code = option_count(a, "--tokens", 2, 8192, &j->tokens);
    if (!code && contexts.p && !bench_read_size(contexts, 1024 * 1024, &j->context)) {
        fprintf(stderr, "hob: with --kv and --quant --contexts is one number, like 1k\n");
        code = EXIT_USAGE;
    }
    for (size_t i = 0; i < 5 && !code; i++) {
        static const char *const others[] = { "--save", "--against", "--cold", "--concurrency", "--watts" };
        if (!cli_option_value(a, others[i]).p)
            continue;
        fprintf(stderr, "hob: %s does not go with --kv and --quant\n", others[i]);
        code = EXIT_USAGE;
    }
    return code;
}

/* The first suite of a role that it serves, else a general one. */
static struct str usual_suite(const struct ab *j)
{
    for (size_t i = 0; i < j->config->nroles; i++) {
        const struct conf_role *r = &j->config->roles[i];
        if (r->suites.n && str_eq(r->model, j->model->name))
            return r->suites.at[0];
    }
    return STR("chat-bench");
}

static int find_model(struct ab *j, struct str said)
{
    int code = lab_find_model(j->args, said, "has variants", &j->config, &j->model);
    if (code)
        return code;
    j->suite = cli_option_value(j->args, "--suite").p ? cli_option_value(j->args, "--suite") : usual_suite(j);
    struct suite *s = NULL;
    code = eval_suite_open(j->args, j->suite, &s); /* before minutes are spent */
    suite_free(s);
    return code;
}

static void print(const struct ab *j)
{
    struct buf out = { 0 };
    if (j->json)
        put_json(j, &out);
    else
        put_words(j, &out);
    fwrite(out.p, 1, out.n, stdout);
    fflush(stdout);
    buf_free(&out);
}

int bench_ab(const struct cli_args *a, struct str model)
{
    struct ab j = { .args = a };
    arena_init(&j.memory);
    int code = read_options(&j);
    if (!code)
        code = find_model(&j, model);
    if (!code)
        code = make_variants(&j);
    if (!code)
        code = check_variants(&j);
    if (!code)
        code = measure_all(&j);
    if (!code)
        code = ask_suite(&j);
    if (!code) {
        look_alike(&j);
        pick(&j);
        print(&j);
    }
    for (size_t i = 0; i < j.n; i++)
        buf_free(&j.v[i].report);
    conf_free(j.config);
    arena_fini(&j.memory);
    return code;
}
