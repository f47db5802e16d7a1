/* The engine's settings that make it faster or slower, as a table: where each stands in hob.yaml or on the command line, what is tried, and what holds when nobody says anything, under
 * hob and under the engine alone. */
#include "cli/tune.h"

#include <stdio.h>

struct knob {
    const char *name;
    const char *key;            /* hob's own setting; NULL: a flag in `args:` */
    const char *flag, *letter;
    bool alone;                 /* the flag has no value: it stands there, which is "off", or it does not */
    bool answers;               /* other kernels, other types: an answer may change */
    bool gpus;                  /* only where there are some */
    const char *unsaid;         /* under hob, where the configuration says nothing; NULL: it is found out */
    const char *standard;       /* the engine's own; NULL: it is found out */
    const char *values[6];      /* to be tried; empty: found out */
};

/* In the order of the search: by how much each usually gives. */
static const struct knob knobs[] = {
    { .name = "threads", .key = "threads", .flag = "--threads", .letter = "-t" },
    { .name = "placement", .flag = "--device", .letter = "-dev", .answers = true, .gpus = true, .unsaid = "auto", .standard = "auto", .values = { "auto", "none" } },
    { .name = "repack", .flag = "--no-repack", .letter = "-nr", .alone = true, .answers = true, .unsaid = "on", .standard = "on", .values = { "on", "off" } },
    { .name = "flash", .flag = "--flash-attn", .letter = "-fa", .answers = true, .unsaid = "auto", .standard = "auto", .values = { "auto", "on", "off" } },
    { .name = "ubatch", .flag = "--ubatch-size", .letter = "-ub", .unsaid = "512", .standard = "512", .values = { "128", "256", "512", "1024" } },
    { .name = "batch", .flag = "--batch-size", .letter = "-b", .unsaid = "512", .standard = "2048", .values = { "512", "1024", "2048" } },
    { .name = "prompt-threads", .flag = "--threads-batch", .letter = "-tb", .unsaid = "same", .standard = "same" },
    { .name = "poll", .flag = "--poll", .letter = "", .unsaid = "50", .standard = "50", .values = { "50", "0" } },
    { .name = "kv", .key = "kv", .flag = "--cache-type-k", .letter = "-ctk", .answers = true, .unsaid = "f16", .standard = "f16", .values = { "f16", "q8_0" } },
};

enum { THREADS, UBATCH = 4, BATCH = 5 };

/* ---- making ---- */

static size_t put_value(struct knobs *k, size_t factor, struct str value)
{
    struct tune_factor *f = &k->factors[factor];
    for (size_t i = 0; i < f->values; i++)
        if (str_eq(k->values[factor][i], value))
            return i;
    if (f->values == TUNE_MAX_VALUES)
        return f->values - 1;
    k->values[factor][f->values] = arena_copy(&k->memory, value);
    return f->values++;
}

static void put_number(struct knobs *k, size_t factor, size_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", n);
    put_value(k, factor, str_of(text));
}

/* All, one less, half (where two share a core), and down by halves: a machine that has something else to do is fastest with few. */
static void put_threads(struct knobs *k, size_t factor, size_t cores)
{
    put_number(k, factor, cores);
    if (cores > 1)
        put_number(k, factor, cores - 1);
    if (cores > 4)
        put_number(k, factor, cores * 3 / 4);
    for (size_t n = cores / 2; n > 1; n /= 2)
        if (k->factors[factor].values < TUNE_MAX_VALUES - 4)
            put_number(k, factor, n);
    put_number(k, factor, 1);
}

static bool is_flag(const struct knob *b, struct str word)
{
    return str_eq(word, str_of(b->flag)) || (b->letter[0] && str_eq(word, str_of(b->letter)));
}

/* What the model's own `args:` say of it; the last one counts. p NULL: nothing. */
static struct str said_in_args(const struct knob *b, const struct conf_strs *args)
{
    struct str said = { NULL, 0 };
    for (size_t i = 0; i < args->n; i++) {
        if (is_flag(b, args->at[i]))
            said = b->alone ? STR("off") : i + 1 < args->n ? args->at[i + 1] : said;
        if (b->alone && str_eq(args->at[i], STR("--repack")))
            said = STR("on");
    }
    return said;
}

static struct str in_force(struct knobs *k, const struct knob *b, const struct conf_model *m, size_t cores)
{
    struct str said = said_in_args(b, &m->args);
    if (said.p)
        return said;
    if (b == &knobs[THREADS])
        return arena_printf(&k->memory, "%lld", (long long)(m->threads ? m->threads : cores > 1 ? (int64_t)cores - 1 : 1));
    return b->key ? m->kv : str_of(b->unsaid);
}

static bool is_wanted(const struct knob *b, struct str only)
{
    struct str rest;
    if (!only.n)
        return true;
    for (; only.n; only = rest)
        if (str_eq(str_trim(str_cut(only, ',', &rest)), str_of(b->name)))
            return true;
    return false;
}

static void add_knob(struct knobs *k, const struct knob *b, const struct knobs_wish *w)
{
    size_t at = k->n++;
    struct tune_factor *f = &k->factors[at];
    k->at[at] = b;
    f->answers = b->answers;
    if (b == &knobs[THREADS])
        put_threads(k, at, w->cores);
    for (size_t i = 0; i < COUNTOF(b->values) && b->values[i]; i++)
        put_value(k, at, str_of(b->values[i]));
    if (!f->values) { /* prompts are read by as many threads as answers are written, or by more */
        put_value(k, at, STR("same"));
        put_number(k, at, w->cores);
        if (w->cores > 2)
            put_number(k, at, w->cores - 1);
    }
    f->searched = is_wanted(b, w->only) ? f->values : 0;
    f->present = put_value(k, at, in_force(k, b, w->model, w->cores));
    char physical[24];
    snprintf(physical, sizeof physical, "%zu", w->physical);
    f->standard = put_value(k, at, str_of(b->standard ? b->standard : physical));
}

static void take_rest(struct knobs *k, const struct conf_strs *args)
{
    struct str *rest = arena_array(&k->memory, struct str, args->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < args->n; i++) {
        const struct knob *b = NULL;
        for (size_t j = 0; j < k->n && !b; j++)
            b = is_flag(k->at[j], args->at[i]) || (k->at[j]->alone && str_eq(args->at[i], STR("--repack"))) ? k->at[j] : NULL;
        if (!b)
            rest[n++] = args->at[i];
        else if (!b->alone)
            i++;
    }
    k->rest = (struct conf_strs){ rest, n };
}

static enum err_code check_names(struct str only, struct err *e)
{
    struct str rest, names[COUNTOF(knobs)];
    for (size_t i = 0; i < COUNTOF(knobs); i++)
        names[i] = str_of(knobs[i].name);
    for (; only.n; only = rest) {
        struct str name = str_trim(str_cut(only, ',', &rest));
        size_t i = 0;
        while (i < COUNTOF(knobs) && !str_eq(name, names[i]))
            i++;
        if (i < COUNTOF(knobs))
            continue;
        struct str near = str_nearest(name, names, COUNTOF(names));
        err_set(e, ERR_INVALID_REQUEST, "'%.*s' is no setting that is tuned%s%.*s%s", STR_ARG(name), near.n ? ", did you mean '" : "", STR_ARG(near), near.n ? "'?" : "");
        return err_hint(e, "they are threads, placement, repack, flash, ubatch, batch, prompt-threads, poll, kv");
    }
    return ERR_OK;
}

enum err_code knobs_make(const struct knobs_wish *w, struct knobs *out, struct err *e)
{
    *out = (struct knobs){ .model = w->model };
    arena_init(&out->memory);
    enum err_code rc = check_names(w->only, e);
    if (rc)
        return rc;
    size_t choices = 0;
    for (size_t i = 0; i < COUNTOF(knobs); i++) {
        if ((knobs[i].gpus && !w->gpus) || str_find(w->help, str_of(knobs[i].flag)) < 0)
            continue;
        add_knob(out, &knobs[i], w);
        choices += out->factors[out->n - 1].searched > 1;
    }
    take_rest(out, &w->model->args);
    if (!choices) {
        err_set(e, ERR_INVALID_REQUEST, "there is nothing to choose: the engine's --help names none of the settings");
        return err_hint(e, "hob tunes llama-server; `hob engine` says which program that is");
    }
    return ERR_OK;
}

void knobs_free(struct knobs *k)
{
    arena_fini(&k->memory);
}

/* ---- writing ---- */

struct str knobs_name(const struct knobs *k, size_t factor)
{
    return str_of(k->at[factor]->name);
}

static struct str value_at(const struct knobs *k, const struct tune_point *p, size_t factor)
{
    return k->values[factor][p->at[factor]];
}

static int64_t number_of(const struct knobs *k, const struct tune_point *p, const struct knob *b)
{
    int64_t n = 0;
    for (size_t i = 0; i < k->n; i++)
        if (k->at[i] == b && str_to_int(value_at(k, p, i), 0, INT32_MAX, &n))
            return n;
    return 0;
}

static bool is_present(const struct knobs *k, const struct tune_point *p, const struct knob *b)
{
    for (size_t i = 0; i < k->n; i++)
        if (k->at[i] == b)
            return p->at[i] == k->factors[i].present;
    return true;
}

/* The flags of a point, the model's other ones first. A micro-batch that is larger than the batch would be cut to it: what is in force may be so, what is tried is not. */
static struct conf_strs flags_of(struct knobs *k, const struct tune_point *p)
{
    struct str *at = arena_array(&k->memory, struct str, k->rest.n + 2 * k->n + 2);
    size_t n = k->rest.n;
    if (n)
        memcpy(at, k->rest.at, n * sizeof *at);
    int64_t ubatch = number_of(k, p, &knobs[UBATCH]), batch = number_of(k, p, &knobs[BATCH]);
    for (size_t i = 0; i < k->n; i++) {
        const struct knob *b = k->at[i];
        struct str value = value_at(k, p, i);
        if (b == &knobs[BATCH] && ubatch > batch && !is_present(k, p, &knobs[UBATCH]))
            value = arena_printf(&k->memory, "%lld", (long long)ubatch);
        if (b->key || (b->unsaid && str_eq(value, str_of(b->unsaid))))
            continue;
        at[n++] = str_of(b->flag);
        if (!b->alone)
            at[n++] = value;
    }
    return (struct conf_strs){ at, n };
}

static struct str list_of(struct knobs *k, struct conf_strs list)
{
    struct buf out = { 0 };
    struct json_out o = json_out(&out);
    json_begin_array(&o);
    for (size_t i = 0; i < list.n; i++)
        lab_put_text(&o, list.at[i]);
    json_end_array(&o);
    struct str kept = arena_copy(&k->memory, buf_str(&out));
    buf_free(&out);
    return kept;
}

void knobs_sets(struct knobs *k, const struct tune_point *p, struct lab_set out[KNOBS_SETS])
{
    struct conf_strs flags = flags_of(k, p);
    out[0] = (struct lab_set){ STR("args"), flags.n ? list_of(k, flags) : STR("") };
    out[1] = (struct lab_set){ STR("threads"), k->model->threads ? arena_printf(&k->memory, "%lld", (long long)k->model->threads) : STR("") };
    out[2] = (struct lab_set){ STR("kv"), arena_printf(&k->memory, "\"%.*s\"", STR_ARG(k->model->kv)) };
    for (size_t i = 0; i < k->n; i++) {
        struct str value = value_at(k, p, i);
        if (!k->at[i]->key)
            continue;
        if (k->at[i] == &knobs[THREADS])
            out[1].value = value;
        else
            out[2].value = arena_printf(&k->memory, "\"%.*s\"", STR_ARG(value));
    }
}

static bool same_list(struct conf_strs a, struct conf_strs b)
{
    bool same = a.n == b.n;
    for (size_t i = 0; i < a.n && same; i++)
        same = str_eq(a.at[i], b.at[i]);
    return same;
}

void knobs_put_lines(struct knobs *k, const struct tune_point *p, const char *indent, struct buf *out)
{
    struct tune_point now = knobs_present(k);
    if (memcmp(p->at, now.at, k->n) == 0)
        return; /* however the same is written */
    for (size_t i = 0; i < k->n; i++)
        if (k->at[i]->key && p->at[i] != now.at[i])
            buf_printf(out, "%s%s: %.*s\n", indent, k->at[i]->key, STR_ARG(value_at(k, p, i)));
    struct conf_strs flags = flags_of(k, p);
    if (!same_list(flags, k->model->args))
        buf_printf(out, "%sargs: %.*s\n", indent, STR_ARG(list_of(k, flags)));
}

void knobs_put(const struct knobs *k, const struct tune_point *p, struct json_out *o)
{
    json_begin_object(o);
    for (size_t i = 0; i < k->n; i++) {
        json_key(o, knobs_name(k, i));
        json_string(o, value_at(k, p, i));
    }
    json_end_object(o);
}

void knobs_say(const struct knobs *k, const struct tune_point *p, const struct tune_point *from, struct buf *out)
{
    size_t before = out->n;
    for (size_t i = 0; i < k->n; i++) {
        if (p->at[i] != from->at[i])
            buf_printf(out, "%s%s %.*s", out->n > before ? ", " : "", k->at[i]->name, STR_ARG(value_at(k, p, i)));
    }
    if (out->n == before)
        buf_lit(out, "as it is");
}

struct tune_point knobs_present(const struct knobs *k)
{
    struct tune_point p = { .at = { 0 } };
    for (size_t i = 0; i < k->n; i++)
        p.at[i] = (uint8_t)k->factors[i].present;
    return p;
}

struct tune_point knobs_standard(const struct knobs *k)
{
    struct tune_point p = { .at = { 0 } };
    for (size_t i = 0; i < k->n; i++)
        p.at[i] = (uint8_t)k->factors[i].standard;
    return p;
}
