/* hob fit: would it fit, and should it be used so. Rows for each context and each type of keys and values that is asked about, against the memory that
 * is there now. It starts nothing, but for --engine, which lets the engine read the header and say what it would need. */
#include "cli/fit.h"

#include "backend/llama_args.h"
#include "cli/assume.h"
#include "cli/commands.h"

#include <stdio.h>

enum { MAX_ITEMS = 8, MAX_SLOTS = 256, LEAST_MEMORY = 1 << 20 };

/* ---- what is asked ---- */

struct asked {
    int64_t contexts[MAX_ITEMS];
    size_t ncontexts;
    struct str kvs[MAX_ITEMS];
    size_t nkvs;
    int64_t slots, ubatch, memory;      /* 0 = not asked */
};

static int wrong(const char *option, struct str v, const char *what)
{
    fprintf(stderr, "hob: %s: '%.*s' is not %s\n", option, STR_ARG(v), what);
    return EXIT_USAGE;
}

static int read_contexts(struct str list, struct asked *q)
{
    for (struct str rest = list; rest.p;) {
        struct str one = str_trim(str_cut(rest, ',', &rest));
        if (q->ncontexts == MAX_ITEMS || !fit_read_tokens(one, &q->contexts[q->ncontexts++]))
            return wrong("--context", one, "a number of tokens, like 4096 or 32k (at most 8 of them)");
    }
    return EXIT_OK;
}

static int read_kvs(struct str list, struct asked *q)
{
    uint64_t bytes;
    for (struct str rest = list; rest.p;) {
        struct str one = str_trim(str_cut(rest, ',', &rest));
        if (q->nkvs == MAX_ITEMS || !fit_kv_bytes(one, 32, &bytes))
            return wrong("--kv", one, "a type of keys and values: f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0 iq4_nl");
        q->kvs[q->nkvs++] = one;
    }
    return EXIT_OK;
}

static int read_asked(const struct cli_args *a, struct asked *q)
{
    struct str context = cli_option_value(a, "--context"), kv = cli_option_value(a, "--kv"), slots = cli_option_value(a, "--slots");
    struct str memory = cli_option_value(a, "--memory"), ubatch = cli_option_value(a, "--ubatch");
    int rc = EXIT_OK;
    if (context.p)
        rc = read_contexts(context, q);
    if (!rc && kv.p)
        rc = read_kvs(kv, q);
    if (!rc && slots.p && !str_to_int(slots, 1, MAX_SLOTS, &q->slots))
        rc = wrong("--slots", slots, "a number of slots, 1 to 256");
    if (!rc && ubatch.p && !str_to_int(ubatch, 1, 1 << 20, &q->ubatch))
        rc = wrong("--ubatch", ubatch, "a number of tokens");
    if (!rc && memory.p && (!fit_read_bytes(memory, &q->memory) || q->memory < LEAST_MEMORY)) /* `--memory 48` means GiB, and says bytes */
        rc = wrong("--memory", memory, "a size that a model could have, like 48GiB, 48G or 16000MB");
    return rc;
}

/* Figures stand for a model that there is no file of: beside a model they would be left unheeded. */
static int check_figures(const struct cli_args *a)
{
    static const char *const figures[] = { "--params", "--quant", "--layers", "--kv-heads", "--head-dim" };
    for (size_t i = 0; i < COUNTOF(figures); i++)
        if (a->nwords && cli_option_value(a, figures[i]).p) {
            fprintf(stderr, "hob: %s is for a model that has no file; '%.*s' says its own\n", figures[i], STR_ARG(a->words[0]));
            return EXIT_USAGE;
        }
    if (a->nwords || cli_option_value(a, "--params").p)
        return EXIT_OK;
    fprintf(stderr, "hob: which model? hob fit FILE.gguf | FOLDER | https://… | ORG/REPO:QUANT | NAME, or figures: `hob help fit`\n");
    return EXIT_USAGE;
}

/* Nothing asked: what a configured model has; else some usual ones, up to all it was trained for. */
static void add_default_contexts(const struct fit_subject *s, struct asked *q)
{
    static const int64_t usual[] = { 4096, 8192, 32768, 131072 };
    int64_t trained = s->shape.context_train, own = s->model.context ? s->model.context : LLAMA_DEFAULT_CONTEXT;
    if (s->configured) {
        q->contexts[q->ncontexts++] = trained && own > trained ? trained : own;
        return;
    }
    for (size_t i = 0; i < COUNTOF(usual); i++)
        if (!trained || usual[i] < trained)
            q->contexts[q->ncontexts++] = usual[i];
    if (trained)
        q->contexts[q->ncontexts++] = trained;
}

/* ---- the rows ---- */

/* As the daemon would run it (backend/llama_args.h), but not held to what it was trained for: who asks for more is told. */
static struct fit_ask make_ask(const struct fit_subject *s, const struct asked *q, int64_t context, struct str kv)
{
    struct conf_model m = s->model;
    struct fit_ask ask;
    m.context = context;
    llama_fit_ask(&m, 0, &ask);
    ask.kv_k = ask.kv_v = kv;
    ask.slots = q->slots ? q->slots : ask.slots;
    ask.ubatch = q->ubatch ? q->ubatch : ask.ubatch;
    return ask;
}

/* The settings as they would be in the configuration. */
static struct conf_model as_configured(const struct fit_subject *s, const struct fit_ask *ask)
{
    struct conf_model m = s->model;
    m.context = ask->context;
    m.slots = ask->slots;
    m.kv = ask->kv_k;
    m.memory_bytes = 0; /* what the operator says is what this is held against */
    return m;
}

struct asking {
    const struct config *config;
    const struct asked *asked;
    struct store *store;        /* NULL: nothing is known */
    struct arena *arena;
    bool engine;                /* it is to be asked */
};

static int better_estimate(const struct asking *w, const struct fit_subject *s, const struct fit_ask *ask, struct estimate *out)
{
    struct err e = { 0 };
    struct conf_model m = as_configured(s, ask);
    *out = (struct estimate){ .source = FIT_UNKNOWN };
    if (!s->model.file.n || w->asked->ubatch || (!w->engine && !w->store)) /* the configuration has no batch: nothing is known of another */
        return EXIT_OK;
    enum err_code rc = estimate_model(w->config, &m, w->engine ? ESTIMATE_PROJECT : ESTIMATE_CACHED, w->store, out, &e);
    if (rc && w->engine) /* without it there is the arithmetic */
        cli_error(&e);
    return rc && w->engine ? EXIT_FAILED : EXIT_OK;
}

/* What was measured, or what the engine says, goes before the arithmetic. */
static int improve(const struct asking *w, const struct fit_subject *s, struct fit_row *row)
{
    struct estimate better;
    int rc = better_estimate(w, s, &row->ask, &better);
    if (rc)
        return rc;
    if (w->engine && better.source == FIT_ESTIMATE) {
        fprintf(stderr, "hob: the engine does not say what it would need\n");
        return EXIT_FAILED;
    }
    if (better.source == FIT_ENGINE || better.source == FIT_CALIBRATED || better.source == FIT_MEASURED) {
        row->total = better.bytes;
        row->source = better.source;
    }
    return EXIT_OK;
}

static int add_row(const struct asking *w, struct fit_report *r, const struct fit_ask *ask)
{
    const struct fit_subject *s = r->subject;
    struct fit_row *row = &r->rows[r->nrows++];
    *row = (struct fit_row){ .ask = *ask, .source = FIT_ESTIMATE };
    fit_compute(&s->shape, &s->extras, ask, &row->terms); /* the types were looked at */
    row->total = row->terms.total;
    int rc = improve(w, s, row);
    struct fit_terms shown = row->terms;
    shown.total = row->total;
    row->fits = row->total <= r->room;
    row->nwarnings = fit_warnings(&s->shape, ask, &shown, r->room, s->role, row->warnings);
    return rc;
}

static int add_rows(const struct asking *w, const struct asked *q, struct fit_report *r)
{
    int rc = EXIT_OK;
    for (size_t k = 0; k < q->nkvs && !rc; k++)
        for (size_t i = 0; i < q->ncontexts && !rc; i++) {
            struct fit_ask ask = make_ask(r->subject, q, q->contexts[i], q->kvs[k]);
            rc = add_row(w, r, &ask);
        }
    return rc;
}

/* What the first row needs beyond the arithmetic (repacked weights …) any other context needs too. */
static void find_largest(struct fit_report *r)
{
    const struct fit_row *row = &r->rows[0];
    int64_t beyond = row->total - row->terms.total;
    r->largest_context = fit_largest_context(&r->subject->shape, &r->subject->extras, &row->ask, r->room - beyond);
}

static bool any_fits(const struct fit_report *r)
{
    for (size_t i = 0; i < r->nrows; i++)
        if (r->rows[i].fits)
            return true;
    return false;
}

/* ---- what was measured ---- */

static void find_measured(const struct asking *w, struct fit_report *r)
{
    struct estimate now;
    struct err e = { 0 };
    r->show_measured = true;
    if (!w->store || better_estimate(w, r->subject, &r->rows[0].ask, &now) || !now.model[0])
        return;
    if (calibrations_of(w->store, str_of(now.model), str_of(now.engine), w->arena, &r->measured, &r->nmeasured, &e))
        r->nmeasured = 0; /* the store has said why */
    r->nmeasured = r->nmeasured < FIT_MAX_MEASURED ? r->nmeasured : FIT_MAX_MEASURED;
    memcpy(r->settings, now.settings, sizeof r->settings);
}

/* ---- the command ---- */

static int print(const struct fit_report *r, bool json)
{
    struct buf out = { 0 };
    if (json)
        fit_show_json(r, &out);
    else
        fit_show_table(r, &out);
    bool whole = fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    buf_free(&out);
    if (!whole)
        fprintf(stderr, "hob: stdout cannot be written\n");
    return !whole ? EXIT_FAILED : any_fits(r) ? EXIT_OK : EXIT_GATE;
}

static int answer(const struct cli_args *a, const struct asking *w, struct asked *q, const struct fit_subject *s)
{
    struct fit_report r = { .subject = s };
    if (!q->ncontexts)
        add_default_contexts(s, q);
    if (!q->nkvs)
        q->kvs[q->nkvs++] = s->model.kv;
    fit_find_room(a, w->config, q->memory, &r);
    int rc = add_rows(w, q, &r);
    if (rc)
        return rc;
    find_largest(&r);
    if (cli_flag(a, "--measured"))
        find_measured(w, &r);
    return print(&r, cli_flag(a, "--json"));
}

static int answer_for(const struct cli_args *a, const struct config *c, struct asked *q, const struct fit_subject *s)
{
    struct arena arena;
    struct err e;
    struct asking w = { .config = c, .asked = q, .engine = cli_flag(a, "--engine"), .arena = &arena };
    if (w.engine && !s->model.file.n) {
        fprintf(stderr, "hob: --engine needs a GGUF file on this machine\n");
        return EXIT_USAGE;
    }
    if (w.engine && q->ubatch) {
        fprintf(stderr, "hob: --engine asks with the batch that hob gives it: --ubatch is for the arithmetic\n");
        return EXIT_USAGE;
    }
    if (store_open_to_read(c->state, &w.store, &e))
        w.store = NULL; /* measurements are a help, not a need */
    arena_init(&arena);
    int rc = answer(a, &w, q, s);
    arena_fini(&arena);
    store_close(w.store);
    return rc;
}

static int load_config(const struct cli_args *a, struct config **c)
{
    struct err e = { 0 };
    int rc = cli_load_config(a, c);
    bool by_name = a->nwords && !memchr(a->words[0].p, '/', a->words[0].n) && !str_ends(a->words[0], STR(".gguf"));
    if (rc || !by_name) /* names of the models folder are only looked up when a name was given */
        return rc;
    log_set_level(LOG_ERROR);
    if (!assume_models(c, false, NULL, &e))
        return EXIT_OK;
    cli_error(&e);
    conf_free(*c);
    return EXIT_USAGE;
}

static int run(const struct cli_args *a)
{
    struct asked q = { 0 };
    struct config *c = NULL;
    struct fit_subject s;
    int rc = read_asked(a, &q);
    if (!rc)
        rc = check_figures(a);
    if (!rc)
        rc = load_config(a, &c);
    if (rc)
        return rc;
    rc = fit_subject_find(a, c, &s);
    if (!rc) {
        rc = answer_for(a, c, &q, &s);
        fit_subject_free(&s);
    }
    conf_free(c);
    return rc;
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--context", NULL, "TOKENS", "contexts to try: 4k,32k,128k (default: the model's own, or some usual ones)" },
    { "--kv", NULL, "TYPES", "types of keys and values to try: f16,q8_0 (default: the model's own, f16)" },
    { "--slots", NULL, "N", "requests at a time, each with such a context" },
    { "--ubatch", NULL, "TOKENS", "tokens computed at a time (default: 512)" },
    { "--memory", NULL, "SIZE", "what it may have: 48GiB (default: what this machine has left)" },
    { "--as", NULL, "ROLE", "what it is to be used for: code, maths, chat …" },
    { "--engine", NULL, NULL, "let the engine say what it would need" },
    { "--measured", NULL, NULL, "show what was measured beside what was estimated" },
    { "--params", NULL, "N", "without a file: how many weights, 70B" },
    { "--quant", NULL, "NAME", "… in what: q4, q4_k_m, q8, f16, 4bit (default: q4_k_m)" },
    { "--layers", NULL, "N", "… layers" },
    { "--kv-heads", NULL, "N", "… heads with keys and values in each" },
    { "--head-dim", NULL, "N", "… how wide each is" },
    { "--json", NULL, NULL, "one JSON object" },
    CLI_END,
};
const struct command cli_fit = { .name = "fit", .usage = "FILE|FOLDER|URL|ORG/REPO:QUANT|NAME", .what = "would a model fit this machine, term by term",
    .example = "hob fit model.gguf --context 4k,32k --kv f16,q8_0", .run = run, .options = options, .max_words = 1, .words = CLI_WORDS_MODELS };
