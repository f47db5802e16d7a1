/* hob bench MODEL[,MODEL…]: what is to be measured, a model after the other, and where it is kept. Baselines are files, STATE/bench/NAME.json: the very object that --json prints. */
#include "cli/bench.h"

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/numbers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_MODELS = 16, MOST_TOKENS = 8192, LEAST_TOKENS = 2, MOST_CONTEXT = 4 * 1024 * 1024, PLAIN_PROGRESS_MS = 5000, BASELINE_MAX_BYTES = 64 * 1024 * 1024 };

struct job {
    const struct cli_args *args;
    struct config *config;
    struct door at, admin;
    struct bench_wish wish;
    struct str model;               /* at hand */
    bool json, quiet;
    int64_t shown_ms;
    size_t nmodels;
};

/* ---- options ---- */

/* "8k" is 8192; "1000" is 1000. */
bool bench_read_size(struct str s, int64_t most, int64_t *out)
{
    bool k = s.n > 1 && (s.p[s.n - 1] == 'k' || s.p[s.n - 1] == 'K');
    if (!str_to_int(str_make(s.p, s.n - k), 1, k ? most / 1024 : most, out))
        return false;
    *out *= k ? 1024 : 1;
    return true;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int option_list(const struct cli_args *a, const char *name, int64_t most, int64_t out[BENCH_MAX_LIST], size_t *n)
{
    struct str rest, list = cli_option_value(a, name);
    if (!list.p)
        return EXIT_OK;
    *n = 0;
    for (; list.n; list = rest) {
        struct str one = str_trim(str_cut(list, ',', &rest));
        if (*n == BENCH_MAX_LIST || !bench_read_size(one, most, &out[*n])) {
            fprintf(stderr, "hob: %s wants at most %d whole numbers up to %lld with commas between, like 1k,8k\n", name, BENCH_MAX_LIST, (long long)most);
            return EXIT_USAGE;
        }
        ++*n;
    }
    qsort(out, *n, sizeof *out, by_size);
    return EXIT_OK;
}

static const int64_t usual_contexts[] = { 1024, 8192, 32768 }, usual_concurrency[] = { 1, 2, 4 };

static void usual(struct bench_wish *w)
{
    *w = bench_wish_of(STR(""));
    memcpy(w->contexts, usual_contexts, sizeof usual_contexts);
    memcpy(w->concurrency, usual_concurrency, sizeof usual_concurrency);
    w->ncontexts = COUNTOF(usual_contexts);
    w->nconcurrency = COUNTOF(usual_concurrency);
}

static int read_options(struct job *j)
{
    const struct cli_args *a = j->args;
    struct bench_wish *w = &j->wish;
    usual(w);
    int code = option_list(a, "--contexts", MOST_CONTEXT, w->contexts, &w->ncontexts);
    if (!code)
        code = option_list(a, "--concurrency", BENCH_MAX_AT_ONCE, w->concurrency, &w->nconcurrency);
    if (!code)
        code = option_count(a, "--tokens", LEAST_TOKENS, MOST_TOKENS, &w->tokens);
    if (!code)
        code = option_count(a, "--runs", 1, BENCH_MAX_RUNS, &w->runs);
    w->watts = j->config->energy_watts;
    if (!code)
        code = option_number(a, "--watts", 0.1, 1e6, &w->watts);
    w->corner = !(cli_option_value(a, "--contexts").p && cli_option_value(a, "--concurrency").p);
    w->colds = !cli_flag(a, "--cold") ? 0 : w->runs < SPEED_MAX_COLDS ? w->runs : SPEED_MAX_COLDS;
    j->json = cli_flag(a, "--json");
    j->quiet = cli_flag(a, "--quiet");
    return code;
}

/* ---- baselines ---- */

static bool names_a_file(struct str name)
{
    return name.n && memchr(name.p, '/', name.n);
}

static bool good_name(struct str name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    for (size_t i = 0; i < name.n; i++)
        if (!memchr(letters, name.p[i], sizeof letters - 1))
            return false;
    return name.n && name.n < 100 && name.p[0] != '.';
}

/* NAME, or with several models NAME of each: NAME@MODEL. A path stays one. */
static void baseline_path(const struct job *j, struct str name, char *out, size_t room)
{
    char model[200];
    size_t n = 0;
    for (size_t i = 0; i < j->model.n && n + 1 < sizeof model; i++)
        model[n++] = j->model.p[i] == '/' ? '_' : j->model.p[i];
    model[n] = 0;
    if (names_a_file(name))
        snprintf(out, room, "%.*s", STR_ARG(name));
    else if (j->nmodels > 1)
        snprintf(out, room, "%.*s/bench/%.*s@%s.json", STR_ARG(j->config->state), STR_ARG(name), model);
    else
        snprintf(out, room, "%.*s/bench/%.*s.json", STR_ARG(j->config->state), STR_ARG(name));
}

/* False: there is none. */
static bool tell_kept(const struct job *j)
{
    char folder[4096];
    size_t n = 0;
    snprintf(folder, sizeof folder, "%.*s/bench", STR_ARG(j->config->state));
    DIR *d = opendir(folder);
    for (struct dirent *f; d && (f = readdir(d));) {
        struct str name = str_of(f->d_name);
        if (str_ends(name, STR(".json")) && name.n > 5)
            fprintf(stderr, "%s%.*s", n++ ? ", " : "hob: there are: ", (int)name.n - 5, name.p);
    }
    if (d)
        closedir(d);
    if (n)
        fputc('\n', stderr);
    return n > 0;
}

static int read_baseline(const struct job *j, struct buf *out)
{
    char path[4096], part[16384];
    struct str name = cli_option_value(j->args, "--against");
    struct err e;
    size_t n;
    baseline_path(j, name, path, sizeof path);
    FILE *f = fopen(path, "re");
    if (!f) {
        fprintf(stderr, "hob: there is no measurement '%.*s' to compare with: %s: %s\n", STR_ARG(name), path, strerror(errno));
        if (!tell_kept(j))
            fprintf(stderr, "hob: `hob bench MODEL --save NAME` keeps one\n");
        return EXIT_USAGE;
    }
    buf_init(out, BASELINE_MAX_BYTES);
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        if (buf_feed(out, str_make(part, n), &e))
            break;
    fclose(f);
    return EXIT_OK;
}

static int save(const struct job *j, struct str json)
{
    char path[4096], fresh[4200], folder[4096];
    struct str name = cli_option_value(j->args, "--save");
    baseline_path(j, name, path, sizeof path);
    snprintf(folder, sizeof folder, "%.*s/bench", STR_ARG(j->config->state));
    snprintf(fresh, sizeof fresh, "%s.new", path);
    bool made = names_a_file(name) || cli_make_dirs(folder);
    int fd = made ? open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    bool whole = fd >= 0 && write(fd, json.p, json.n) == (ssize_t)json.n && write(fd, "\n", 1) == 1;
    int why = errno;
    if (fd >= 0)
        whole = close(fd) == 0 && whole;
    if (whole && rename(fresh, path) == 0) {
        fprintf(stderr, "hob: kept as %s; `hob bench %.*s --against %.*s` compares with it\n", path, STR_ARG(j->model), STR_ARG(name));
        return EXIT_OK;
    }
    fprintf(stderr, "hob: %s cannot be written: %s\n", path, strerror(why));
    return EXIT_FAILED;
}

static int check_names(const struct job *j)
{
    static const char *const options[] = { "--save", "--against" };
    for (size_t i = 0; i < COUNTOF(options); i++) {
        struct str name = cli_option_value(j->args, options[i]);
        if (!name.p || good_name(name) || names_a_file(name))
            continue;
        fprintf(stderr, "hob: %s wants a name of letters, digits, '.', '_' and '-', or a path with a '/' in it\n", options[i]);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

/* ---- progress ---- */

static bool show_step(void *ctx, const char *what, int64_t context, int64_t concurrency, int64_t step, int64_t steps)
{
    struct job *j = ctx;
    bool terminal = isatty(STDERR_FILENO);
    int64_t now = clock_mono_ms();
    if (j->quiet || (!terminal && j->shown_ms && now - j->shown_ms < PLAIN_PROGRESS_MS))
        return true;
    j->shown_ms = now;
    fprintf(stderr, "%shob: %.*s: %s", terminal ? "\r\033[K" : "", STR_ARG(j->model), what);
    if (context)
        fprintf(stderr, " %lld tokens, %lld at a time, %lld of %lld", (long long)context, (long long)concurrency, (long long)step + 1, (long long)(steps > step ? steps : step + 1));
    fputs(terminal ? "" : "\n", stderr);
    fflush(stderr);
    return true;
}

static void end_progress(const struct job *j)
{
    if (!j->quiet && isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

/* ---- a model ---- */

static int compare(const struct job *j, struct str json, struct speed_comparison *out)
{
    struct buf old = { 0 };
    struct err e;
    int code = read_baseline(j, &old);
    if (!code && speed_compare(buf_str(&old), json, out, &e)) {
        speed_comparison_free(out);
        fprintf(stderr, "hob: '%.*s': %s\n", STR_ARG(cli_option_value(j->args, "--against")), e.text);
        code = EXIT_USAGE;
    }
    buf_free(&old);
    return code;
}

static void print(const struct job *j, const struct speed_report *r, const struct speed_comparison *c)
{
    struct buf out = { 0 }, more = { 0 };
    struct json_out o = json_out(&more);
    if (j->json && c) {
        buf_lit(&more, ",\"comparison\":");
        speed_comparison_put(c, &o);
    }
    if (j->json) {
        speed_put(r, buf_str(&more), &out);
        buf_add_char(&out, '\n');
    } else {
        bench_show(r, &out);
        if (c)
            bench_show_comparison(c, cli_option_value(j->args, "--against"), &out);
    }
    fwrite(out.p, 1, out.n, stdout);
    fflush(stdout);
    buf_free(&out);
    buf_free(&more);
}

static int tell(const struct job *j, const struct speed_report *r)
{
    struct speed_comparison c;
    struct buf json = { 0 };
    bool against = cli_option_value(j->args, "--against").p != NULL;
    speed_put(r, STR(""), &json);
    int code = against ? compare(j, buf_str(&json), &c) : EXIT_OK;
    print(j, r, against && !code ? &c : NULL);
    if (against && !code)
        speed_comparison_free(&c);
    if (!code && cli_option_value(j->args, "--save").p && !r->stopped)
        code = save(j, buf_str(&json));
    if (!code && !speed_first(r)) {
        fprintf(stderr, "hob: nothing of %.*s counts: the notes say why\n", STR_ARG(r->model));
        code = EXIT_FAILED;
    }
    buf_free(&json);
    return code ? code : r->stopped ? EXIT_FAILED : EXIT_OK;
}

static int failed(const struct job *j, enum err_code rc, const struct err *e)
{
    if (rc == ERR_UP_REFUSED) {
        fprintf(stderr, "hob: no daemon answers at %s\nhob: start it with `hob serve`; one that runs with another configuration is found by -c FILE or --state DIR\n", j->admin.name);
        return EXIT_NO_DAEMON;
    }
    cli_error(e);
    return rc == ERR_MODEL_NOT_FOUND ? EXIT_USAGE : EXIT_FAILED;
}

static int bench_model(struct job *j, struct str said)
{
    struct speed_report r;
    struct buf old = { 0 };
    struct err e;
    j->model = said;
    j->wish.model = str_cut(said, '@', &j->wish.host);
    int code = cli_option_value(j->args, "--against").p ? read_baseline(j, &old) : EXIT_OK; /* before an hour is spent */
    buf_free(&old);
    if (code)
        return code;
    enum err_code rc = bench_measure(&j->at, &j->admin, &j->wish, &r, &e);
    end_progress(j);
    code = rc ? failed(j, rc, &e) : tell(j, &r);
    speed_fini(&r);
    return code;
}

/* ---- the command ---- */

static int set_up(struct job *j)
{
    struct err e;
    int code = cli_load_config(j->args, &j->config);
    if (!code)
        code = read_options(j);
    if (!code)
        code = check_names(j);
    if (code)
        return code;
    if (daemon_find(j->config, &j->at, &e) || door_find(j->args, j->config, &j->admin, &e)) {
        cli_error(&e);
        return EXIT_USAGE;
    }
    j->wish.config = j->config;
    j->wish.on_step = show_step;
    j->wish.ctx = j;
    return EXIT_OK;
}

static int run(const struct cli_args *a)
{
    struct job j = { .args = a };
    struct str models[MOST_MODELS], rest, list = a->nwords ? a->words[0] : STR("");
    for (; list.n && j.nmodels < MOST_MODELS; list = rest) {
        struct str one = str_trim(str_cut(list, ',', &rest));
        if (one.n)
            models[j.nmodels++] = one;
    }
    if (!j.nmodels) {
        fprintf(stderr, "hob: which model? hob bench MODEL; `hob models` lists them\n");
        return EXIT_USAGE;
    }
    if (cli_option_value(a, "--kv").p || cli_option_value(a, "--quant").p)
        return bench_ab(a, a->words[0]);
    int code = set_up(&j);
    for (size_t i = 0; i < j.nmodels && !code; i++) {
        if (i && !j.json)
            putchar('\n');
        code = bench_model(&j, models[i]);
    }
    conf_free(j.config);
    return code;
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--contexts", NULL, "LIST", "tokens of prompt and answer together (default: 1k,8k,32k, those that fit)" },
    { "--concurrency", NULL, "LIST", "so many requests at a time (default: 1,2,4, those that it has slots for)" },
    { "--tokens", NULL, "N", "of an answer (default: 256)" },
    { "--runs", NULL, "N", "of each (default: 5; fewer than 4 cannot be compared)" },
    { "--cold", NULL, NULL, "unload it, and measure so many cold starts first" },
    { "--watts", NULL, "W", "what this machine takes meanwhile, where it does not tell" },
    { "--save", NULL, "NAME", "keep it, to be compared with; a path with a '/' is a file" },
    { "--against", NULL, "NAME", "compare with one that was kept" },
    { "--kv", NULL, "LIST", "variants by the type of keys and values, f16,q8_0: held against the first, with a suite" },
    { "--quant", NULL, "FILES", "variants by their weights, A.gguf,B.gguf: likewise" },
    { "--suite", NULL, "SUITE", "that variants are judged by (default: the role's first, else chat-bench)" },
    { "--quiet", "-q", NULL, "no progress" },
    { "--json", NULL, NULL, "one JSON object a model, each on its line" },
    CLI_END,
};

const struct command cli_bench = { .name = "bench", .usage = "MODEL[,MODEL...] [--against NAME]", .what = "measure how fast a model is: prompt and answer rates, first token, cold start, memory",
    .example = "hob bench smollm2 --contexts 1k --concurrency 1,2 --save before", .run = run, .options = options, .max_words = 1, .words = CLI_WORDS_MODELS };
