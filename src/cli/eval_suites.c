/* hob eval check, import, suites, show-suite: suites without asking anybody. */
#include "cli/eval.h"
#include "cli/input.h"
#include "cli/table.h"
#include "evidence/suite.h"
#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int print_all(struct buf *out)
{
    bool whole = fwrite(out->p, 1, out->n, stdout) == out->n && fflush(stdout) == 0;
    buf_free(out);
    if (!whole)
        fprintf(stderr, "hob: stdout cannot be written\n");
    return whole ? EXIT_OK : EXIT_FAILED;
}

static bool is_builtin(struct str name)
{
    for (const struct suite_builtin *b = suite_builtins; b->name; b++)
        if (str_eq(name, str_of(b->name)))
            return true;
    return false;
}

/* ---- what may be chosen of a built-in suite ---- */

enum { MOST_LENGTHS = 16, SHORTEST = 256, LONGEST = 1024 * 1024 };

struct chosen {
    struct suite_choice choice;
    int64_t lengths[MOST_LENGTHS];
};

/* "8k" is 8192 tokens, as windows are counted. */
static bool read_length(struct str text, int64_t *out)
{
    bool kilo = text.n && (text.p[text.n - 1] == 'k' || text.p[text.n - 1] == 'K');
    if (!str_to_int(kilo ? str_make(text.p, text.n - 1) : text, 1, LONGEST, out))
        return false;
    *out *= kilo ? 1024 : 1;
    return *out >= SHORTEST && *out <= LONGEST;
}

static int take_lengths(const struct cli_args *a, struct str suite, struct chosen *o)
{
    struct str list = cli_option_value(a, "--lengths"), rest;
    if (list.n && !str_eq(suite, STR("long-context"))) {
        fprintf(stderr, "hob: --lengths are those of long-context's texts: '%.*s' has none\n", STR_ARG(suite));
        return EXIT_USAGE;
    }
    for (; list.n; list = rest) {
        struct str one = str_trim(str_cut(list, ',', &rest));
        if (o->choice.nlengths == MOST_LENGTHS || !read_length(one, &o->lengths[o->choice.nlengths++])) {
            fprintf(stderr, "hob: --lengths are up to %d numbers of tokens, from %d to 1024k, like 1k,8k,32k\n", MOST_LENGTHS, SHORTEST);
            return EXIT_USAGE;
        }
        o->choice.lengths = o->lengths;
    }
    return EXIT_OK;
}

static int take_choice(const struct cli_args *a, struct str suite, struct chosen *o)
{
    struct str text = cli_option_value(a, "--seed");
    int64_t seed = 0;
    *o = (struct chosen){ .choice.seed = 0 };
    if (text.n && !str_to_int(text, 0, INT64_MAX, &seed)) {
        fprintf(stderr, "hob: --seed is a whole number\n");
        return EXIT_USAGE;
    }
    o->choice.seed = (uint64_t)seed;
    return take_lengths(a, suite, o);
}

/* Neither a file nor built in: which of those was meant, by its name without a folder and an ending. */
static int no_such_suite(struct str name)
{
    struct str names[16], stem = name;
    size_t n = 0;
    for (const struct suite_builtin *b = suite_builtins; b->name && n < COUNTOF(names); b++)
        names[n++] = str_of(b->name);
    for (size_t i = name.n; i > 0 && stem.n == name.n; i--)
        stem = name.p[i - 1] == '/' ? str_from(name, i) : stem;
    for (size_t i = stem.n; i > 0; i--)
        if (stem.p[i - 1] == '.')
            stem = str_make(stem.p, i - 1);
    struct str near = str_nearest(stem, names, n);
    fprintf(stderr, "hob: there is no file '%.*s', and no built-in suite of that name", STR_ARG(name));
    if (near.n)
        fprintf(stderr, ", did you mean '%.*s'?", STR_ARG(near));
    fprintf(stderr, "\nhob: built in are");
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "%s %.*s", i ? "," : "", STR_ARG(names[i]));
    fputc('\n', stderr);
    return EXIT_USAGE;
}

int eval_suite_open(const struct cli_args *a, struct str name, struct suite **out)
{
    struct chosen o;
    struct buf text = { 0 };
    struct err e = { 0 };
    bool builtin = is_builtin(name);
    int code = take_choice(a, name, &o);
    if (!code && !builtin && !str_eq(name, STR("-")) && access(name.p, F_OK))
        code = no_such_suite(name);
    if (!code && !builtin)
        code = input_read(name.p, &text);
    if (!code && (builtin ? suite_builtin_read(name, &o.choice, out, &e) : suite_read(name, buf_str(&text), suite_form_of(name), out, &e))) {
        cli_error(&e);
        code = EXIT_USAGE;
    }
    buf_free(&text);
    return code;
}

/* ---- check ---- */

static void put_finding(struct json_out *o, const struct suite_finding *f)
{
    json_begin_object(o);
    json_key(o, STR("case"));
    json_string(o, f->c->id);
    json_key(o, STR("line"));
    json_int_or_null(o, f->c->place.line ? f->c->place.line : -1);
    json_key(o, STR("fault"));
    json_string_or_null(o, str_of(f->fault ? fault_name(f->fault) : ""));
    json_key(o, STR("text"));
    json_string(o, f->text);
    json_end_object(o);
}

static void check_json(const struct suite *s, const struct suite_finding *f, size_t n, bool ok, struct buf *out)
{
    struct json_out o = json_out(out);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("ok"));
    json_bool(&o, ok);
    json_key(&o, STR("suite"));
    json_string(&o, s->name);
    json_key(&o, STR("cases"));
    json_int(&o, (int64_t)s->ncases);
    json_key(&o, STR("findings"));
    json_begin_array(&o);
    for (size_t i = 0; i < n; i++)
        put_finding(&o, &f[i]);
    json_end_array(&o);
    json_end_object(&o);
    buf_lit(out, "\n");
}

/* hob eval check SUITE */
int eval_check(const struct cli_args *a, const struct str *words, size_t n)
{
    struct suite *s = NULL;
    const struct suite_finding *f = NULL;
    struct arena memory;
    struct buf out = { 0 };
    bool ok = true;
    int code = eval_suite_open(a, words[0], &s);
    if (code)
        return code;
    arena_init(&memory);
    size_t found = suite_check(s, 0, &memory, &f), asked = 0;
    for (size_t i = 0; i < s->ncases; i++)
        asked += (size_t)s->cases[i].repeat;
    for (size_t i = 0; i < found; i++)
        ok &= f[i].fault != FAULT_HARNESS;
    if (cli_flag(a, "--json")) {
        check_json(s, f, found, ok, &out);
    } else {
        buf_printf(&out, "%.*s: cases %zu, requests a model %zu, a difference up to %g points is \"not worse\"\n", STR_ARG(s->name), s->ncases, asked, s->margin * 100);
        for (size_t i = 0; i < found; i++)
            buf_printf(&out, "%.*s:%d: %.*s: %s%.*s\n", STR_ARG(s->from), f[i].c->place.line, STR_ARG(f[i].c->id), f[i].fault ? "" : "note: ", STR_ARG(f[i].text));
    }
    code = print_all(&out);
    suite_free(s);
    arena_fini(&memory);
    return code ? code : ok ? EXIT_OK : EXIT_GATE;
}

/* ---- import ---- */

/* What comes out is a suite, and its form is YAML. */
static int no_json(const struct cli_args *a, const char *word)
{
    if (!cli_flag(a, "--json"))
        return EXIT_OK;
    fprintf(stderr, "hob: `hob eval %s` writes a suite, as YAML: --json says nothing there\n", word);
    return EXIT_USAGE;
}

static int write_out(const struct cli_args *a, struct buf *out)
{
    struct str to = cli_option_value(a, "--output");
    if (!to.n)
        return print_all(out);
    errno = 0;
    FILE *f = fopen(to.p, "wx");
    bool whole = f && fwrite(out->p, 1, out->n, f) == out->n;
    whole = (!f || fclose(f) == 0) && whole;
    if (!f && errno == EEXIST)
        fprintf(stderr, "hob: %s is there already, and stays: name another file with -o, or remove it\n", to.p);
    else if (!whole)
        fprintf(stderr, "hob: %s cannot be written%s%s\n", to.p, errno ? ": " : "", errno ? strerror(errno) : "");
    buf_free(out);
    return whole ? EXIT_OK : EXIT_FAILED;
}

static enum err_code import_foreign(struct str name, struct str text, bool foreign, struct arena *memory, struct buf *yaml, struct err *e)
{
    const struct suite_note *notes = NULL;
    struct suite *s = NULL;
    size_t n = 0;
    enum err_code rc = foreign ? suite_import_promptfoo(name, text, memory, yaml, &notes, &n, e) : suite_read(name, text, suite_form_of(name), &s, e);
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "hob: %.*s:%d: %.*s\n", STR_ARG(name), notes[i].line, STR_ARG(notes[i].text));
    if (!rc && foreign)
        rc = suite_read(name, buf_str(yaml), SUITE_YAML, &s, e); /* what is handed out can be read */
    if (!rc && !foreign)
        suite_write(s, yaml);
    suite_free(s);
    return rc;
}

/* hob eval import FILE [--from promptfoo|jsonl] [-o OUT] */
int eval_import(const struct cli_args *a, const struct str *words, size_t n)
{
    struct buf text = { 0 }, yaml = { 0 };
    struct arena memory;
    struct err e = { 0 };
    struct str from = cli_option_value(a, "--from");
    if (from.n && !str_eq(from, STR("promptfoo")) && !str_eq(from, STR("jsonl"))) {
        fprintf(stderr, "hob: --from is promptfoo or jsonl\n");
        return EXIT_USAGE;
    }
    int code = no_json(a, "import");
    if (!code)
        code = input_read(words[0].p, &text);
    bool foreign = from.n ? str_eq(from, STR("promptfoo")) : suite_form_of(words[0]) != SUITE_JSONL;
    arena_init(&memory);
    if (!code && import_foreign(words[0], buf_str(&text), foreign, &memory, &yaml, &e)) {
        cli_error(&e);
        code = EXIT_USAGE;
    }
    if (!code)
        code = write_out(a, &yaml);
    buf_free(&yaml);
    buf_free(&text);
    arena_fini(&memory);
    return code;
}

/* ---- built-in ones ---- */

static size_t count_cases(const struct suite_builtin *b)
{
    struct suite *s = NULL;
    struct err e;
    size_t n = 0;
    if (!suite_builtin_read(str_of(b->name), NULL, &s, &e))
        n = s->ncases;
    suite_free(s);
    return n;
}

/* hob eval suites */
int eval_suites(const struct cli_args *a, const struct str *words, size_t n)
{
    static const char *const heads[] = { "SUITE", "CASES", "SEEDED", "MEASURES" };
    struct buf out = { 0 };
    struct json_out o = json_out(&out);
    struct table t;
    bool json = cli_flag(a, "--json");
    table_init(&t, heads, COUNTOF(heads));
    if (json)
        buf_lit(&out, "{\"schema\":1,\"suites\":[");
    for (const struct suite_builtin *b = suite_builtins; b->name; b++) {
        size_t cases = count_cases(b);
        table_cell(&t, str_of(b->name));
        table_int(&t, (int64_t)cases);
        table_cell(&t, b->seeded ? STR("yes") : STR("no"));
        table_cell(&t, str_of(b->measures));
        if (!json)
            continue;
        json_begin_object(&o);
        json_key(&o, STR("name"));
        json_string(&o, str_of(b->name));
        json_key(&o, STR("cases"));
        json_int(&o, (int64_t)cases);
        json_key(&o, STR("seeded"));
        json_bool(&o, b->seeded);
        json_key(&o, STR("images"));
        json_bool(&o, b->images);
        json_key(&o, STR("measures"));
        json_string(&o, str_of(b->measures));
        json_end_object(&o);
    }
    if (json)
        buf_lit(&out, "]}\n");
    else
        table_print(&t, &out);
    table_fini(&t);
    return print_all(&out);
}

/* hob eval show-suite NAME: as YAML, to be copied as a start */
int eval_show_suite(const struct cli_args *a, const struct str *words, size_t n)
{
    struct chosen o;
    struct buf out = { 0 };
    struct err e = { 0 };
    int code = no_json(a, "show-suite");
    if (!code)
        code = take_choice(a, words[0], &o);
    if (!code && suite_builtin_text(words[0], &o.choice, &out, &e)) {
        cli_error(&e);
        code = EXIT_USAGE;
    }
    return code ? code : write_out(a, &out);
}
