/* hob eval compare: runs that the daemon keeps, or with --pairs FILE passes and fails that were had elsewhere; then no daemon is asked. */
#include "cli/ask.h"
#include "cli/eval.h"
#include "cli/input.h"
#include "cli/numbers.h"
#include "evidence/kept.h"
#include "evidence/verdict_put.h"

#include <stdio.h>
#include <stdlib.h>

static int read_line(struct str line, int64_t number, struct pairs *p)
{
    struct json_doc d = { 0 };
    struct err e;
    enum err_code rc = json_parse(&d, line, &e);
    yyjson_val *a = yyjson_obj_get(d.root, "a"), *b = yyjson_obj_get(d.root, "b");
    bool right = !rc && yyjson_is_bool(a) && yyjson_is_bool(b);
    if (right)
        pairs_count(p, yyjson_get_bool(a), yyjson_get_bool(b));
    else
        fprintf(stderr, "hob: line %lld: %s\n", (long long)number, rc ? e.text : "each line is {\"a\": true|false, \"b\": true|false}");
    json_free(&d);
    return right ? EXIT_OK : EXIT_FAILED;
}

static int read_pairs(struct str text, struct pairs *p)
{
    int64_t number = 0;
    int rc = EXIT_OK;
    while (text.n && !rc) {
        struct str rest, line = str_trim(str_cut(text, '\n', &rest));
        number++;
        if (line.n)
            rc = read_line(line, number, p);
        text = rest;
    }
    return rc;
}

static void print_verdict(const struct verdict *v, const struct pairs *p, bool json)
{
    struct buf text = { 0 };
    if (json) {
        struct json_out o = json_out(&text);
        const struct { const char *key; int64_t n; } counts[] = { { "both", p->both }, { "only_a", p->only_a }, { "only_b", p->only_b }, { "neither", p->neither } };
        json_begin_object(&o);
        json_key(&o, STR("schema"));
        json_int(&o, 1);
        verdict_put(v, &o);
        for (size_t i = 0; i < COUNTOF(counts); i++) {
            json_key(&o, str_of(counts[i].key));
            json_int(&o, counts[i].n);
        }
        json_end_object(&o);
        buf_add_char(&text, '\n');
    } else {
        buf_printf(&text, "%lld pairs: both pass %lld, only a %lld, only b %lld, neither %lld\n", (long long)v->pairs, (long long)p->both, (long long)p->only_a,
            (long long)p->only_b, (long long)p->neither);
        verdict_write(v, &text);
    }
    fwrite(text.p, 1, text.n, stdout);
    buf_free(&text);
}

static int compare_pairs(const struct cli_args *a, struct str file)
{
    struct judge_rule rule = judge_usual;
    struct pairs p = { 0 };
    struct verdict v;
    struct buf text = { 0 };
    double points = 100 * rule.margin;
    int rc = option_number(a, "--margin", 0, 100, &points);
    rule.margin = points / 100;
    if (!rc)
        rc = input_read(file.p, &text);
    if (!rc)
        rc = read_pairs(buf_str(&text), &p);
    if (!rc) {
        pairs_judge(&p, &rule, &v);
        print_verdict(&v, &p, cli_flag(a, "--json"));
        rc = fflush(stdout) ? EXIT_FAILED : EXIT_OK;
    }
    buf_free(&text);
    return rc;
}

/* ---- runs ---- */

enum { MOST_RUNS = 32 };

struct comparing {
    const struct cli_args *args;
    struct arena memory;
    struct kept_run runs[MOST_RUNS];
    size_t nruns;
    struct kept_pair pairs[MOST_RUNS];
    size_t npairs;
    struct str old, new;            /* as --models says; empty = it does not */
    double margin;                  /* negative: the suite's */
};

static int no_model(const struct kept_run *r, struct str name)
{
    fprintf(stderr, "hob: run %lld has not asked '%.*s', but", (long long)r->run, STR_ARG(name));
    for (size_t i = 0; i < r->nplaces; i++)
        fprintf(stderr, "%s %.*s", i ? "," : "", STR_ARG(r->places[i].name));
    fputc('\n', stderr);
    return EXIT_USAGE;
}

static int which(void)
{
    fprintf(stderr, "hob: which models? --models A,B: A is the old one\n");
    return EXIT_USAGE;
}

/* Two of one run: those that are named, else the only two. */
static int sides_of_one(const struct comparing *c, const struct kept_run *r, struct kept_side out[2])
{
    size_t old = 0, new = 1;
    if (c->old.n) {
        old = kept_place(r, c->old);
        new = kept_place(r, c->new);
    }
    if (old == r->nplaces || (c->old.n && new == r->nplaces))
        return no_model(r, old == r->nplaces ? c->old : c->new);
    if (r->nplaces < 2 || old == new) {
        fprintf(stderr, "hob: run %lld has one model, and nothing to be held against it: name another run, or two models\n", (long long)r->run);
        return EXIT_USAGE;
    }
    if (!c->old.n && r->nplaces > 2)
        return which();
    out[0] = (struct kept_side){ r, old };
    out[1] = (struct kept_side){ r, new };
    return EXIT_OK;
}

/* One of each: those that are named, else the only one, else the only one that both have. */
static int sides_of_two(const struct comparing *c, const struct kept_run *a, const struct kept_run *b, struct kept_side out[2])
{
    size_t old = 0, new = 0, found = 0;
    if (c->old.n) {
        old = kept_place(a, c->old);
        new = kept_place(b, c->new);
        if (old == a->nplaces || new == b->nplaces)
            return old == a->nplaces ? no_model(a, c->old) : no_model(b, c->new);
    } else if (a->nplaces != 1 || b->nplaces != 1) {
        for (size_t i = 0; i < a->nplaces; i++) {
            size_t k = kept_place(b, a->places[i].name);
            if (k == b->nplaces)
                continue;
            found++;
            old = i;
            new = k;
        }
        if (found != 1)
            return which();
    }
    out[0] = (struct kept_side){ a, old };
    out[1] = (struct kept_side){ b, new };
    return EXIT_OK;
}

/* Runs of the same suite are held against each other, others each in itself. */
static int pair_up(struct comparing *c)
{
    bool used[MOST_RUNS] = { false };
    int code = EXIT_OK;
    for (size_t i = 0; i < c->nruns && !code; i++) {
        struct kept_side sides[2];
        const struct kept_run *other = NULL;
        for (size_t k = i + 1; k < c->nruns && !used[i]; k++)
            if (str_eq(c->runs[i].suite.name, c->runs[k].suite.name)) {
                if (other) {
                    fprintf(stderr, "hob: three runs of %.*s: two can be compared\n", STR_ARG(other->suite.name));
                    return EXIT_USAGE;
                }
                other = &c->runs[k];
                used[k] = true;
            }
        if (used[i])
            continue;
        code = other ? sides_of_two(c, &c->runs[i], other, sides) : sides_of_one(c, &c->runs[i], sides);
        if (!code)
            kept_compare(&c->memory, sides[0], sides[1], c->margin, &c->pairs[c->npairs++]);
    }
    return code;
}

static int check(const struct comparing *c)
{
    for (size_t i = 0; i < c->npairs; i++) {
        const struct kept_pair *p = &c->pairs[i];
        if (p->compared)
            continue;
        fprintf(stderr, "hob: runs %lld and %lld have no case in common%s\n", (long long)p->a.run->run, (long long)p->b.run->run,
            p->changed ? ": the suite has changed (or was drawn by another --seed), so they were asked different things" : "");
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

static int print_pairs_json(const struct comparing *c)
{
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    if (c->npairs == 1) {
        kept_pair_put(&c->pairs[0], &o);
    } else {
        json_key(&o, STR("suites"));
        json_begin_array(&o);
        for (size_t i = 0; i < c->npairs; i++) {
            json_begin_object(&o);
            kept_pair_put(&c->pairs[i], &o);
            json_end_object(&o);
        }
        json_end_array(&o);
    }
    json_end_object(&o);
    int code = print_answer(buf_str(&text));
    buf_free(&text);
    return code;
}

static int print_pairs(const struct comparing *c)
{
    struct buf text = { 0 };
    for (size_t i = 0; i < c->npairs; i++) {
        if (i)
            buf_lit(&text, "\n");
        kept_pair_write(&c->pairs[i], &text);
        for (size_t k = 0; k < c->pairs[i].nwarnings; k++)
            fprintf(stderr, "hob: %.*s\n", STR_ARG(c->pairs[i].warnings[k]));
    }
    if (c->npairs > 1)
        buf_printf(&text, "\np and verdicts are corrected for %zu suites (Holm)\n", c->npairs);
    int code = output_write(STR(""), buf_str(&text));
    buf_free(&text);
    return code;
}

static int read_models(struct comparing *c)
{
    struct str said = cli_option_value(c->args, "--models");
    double points = -1;
    c->old = str_trim(str_cut(said, ',', &c->new));
    c->new = c->new.p ? str_trim(c->new) : c->old;
    int code = option_number(c->args, "--margin", 0, 100, &points);
    c->margin = points < 0 ? -1 : points / 100;
    return code;
}

static int compare_runs(struct comparing *c, const struct str *words, size_t n)
{
    struct buf body = { 0 };
    int code = read_models(c);
    for (size_t i = 0; i < n && !code; i++) {
        code = eval_kept(c->args, words[i], &c->runs[i], &body);
        c->nruns += !code;
        buf_free(&body);
    }
    if (!code)
        code = pair_up(c);
    if (!code)
        code = check(c);
    if (!code && c->npairs > 1)
        kept_adjust(c->pairs, c->npairs);
    if (!code)
        code = cli_flag(c->args, "--json") ? print_pairs_json(c) : print_pairs(c);
    return code;
}

int eval_compare(const struct cli_args *a, const struct str *words, size_t n)
{
    struct str file = cli_option_value(a, "--pairs");
    if (file.n && !n)
        return compare_pairs(a, file);
    if (!n || file.n) {
        fprintf(stderr, "hob: compare what? hob eval compare RUN [RUN …], or hob eval compare --pairs FILE\n");
        return EXIT_USAGE;
    }
    struct comparing *c = calloc(1, sizeof *c);
    if (!c)
        die("out of memory for a comparison");
    c->args = a;
    arena_init(&c->memory);
    int code = compare_runs(c, words, n);
    for (size_t i = 0; i < c->nruns; i++)
        kept_run_free(&c->runs[i]);
    arena_fini(&c->memory);
    free(c);
    return code;
}
