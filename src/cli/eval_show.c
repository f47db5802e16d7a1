/* hob eval list, hob eval show: what the daemon keeps of runs, as tables or as it has it. */
#include "cli/ask.h"
#include "cli/eval.h"
#include "cli/table.h"
#include "json/json.h"

#include <stdio.h>

enum { ANSWER_MS = 60 * 1000, WHY_COLUMNS = 70 };

static int ask(const struct cli_args *a, const char *path, struct json_doc *d, struct buf *body)
{
    struct question q = { .method = "GET", .path = path, .answer_ms = ANSWER_MS };
    struct err e;
    int code = ask_daemon(a, &q, body);
    if (code)
        return code;
    if (cli_flag(a, "--json"))
        return print_answer(buf_str(body));
    if (!json_parse(d, buf_str(body), &e))
        return EXIT_OK;
    cli_error(&e);
    return EXIT_FAILED;
}

static void print_table(struct table *t)
{
    struct buf out = { 0 };
    table_print(t, &out);
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
    table_fini(t);
}

static struct str text_at(yyjson_val *obj, const char *key)
{
    return json_str(yyjson_obj_get(obj, key));
}

/* ---- list ---- */

static void cell_places(struct table *t, yyjson_val *about)
{
    struct buf names = { 0 };
    size_t i, n;
    yyjson_val *m;
    yyjson_arr_foreach(yyjson_obj_get(about, "models"), i, n, m)
        buf_printf(&names, "%s%.*s", i ? ", " : "", STR_ARG(json_str(m)));
    table_cell(t, buf_str(&names));
    buf_free(&names);
}

int eval_list(const struct cli_args *a, const struct str *words, size_t nwords)
{
    static const char *const heads[] = { "RUN", "SUITE", "MODELS", "STATE", "BEGAN" };
    struct json_doc d = { 0 };
    struct buf body = { 0 };
    struct table t;
    size_t i, n;
    yyjson_val *run;
    (void)words;
    (void)nwords;
    int code = ask(a, "/hob/v1/evals", &d, &body);
    if (!code && d.root) {
        table_init(&t, heads, COUNTOF(heads));
        yyjson_arr_foreach(yyjson_obj_get(d.root, "runs"), i, n, run) {
            table_int(&t, yyjson_get_sint(yyjson_obj_get(run, "run")));
            table_cell(&t, text_at(run, "suite"));
            cell_places(&t, yyjson_obj_get(run, "about"));
            table_cell(&t, text_at(run, "state"));
            table_cell(&t, text_at(run, "began"));
        }
        if (!yyjson_arr_size(yyjson_obj_get(d.root, "runs")))
            fprintf(stderr, "hob: no runs yet: `hob eval run SUITE --models A,B` begins one\n");
        print_table(&t);
    }
    json_free(&d);
    buf_free(&body);
    return code;
}

/* ---- show ---- */

static const char *mark_of(yyjson_val *result)
{
    yyjson_val *passed = yyjson_obj_get(result, "passed");
    return yyjson_is_true(passed) ? "passed" : yyjson_is_false(passed) ? "failed" : "-";
}

/* As much of it as fits on a line. */
static struct str first_of(struct str text)
{
    size_t n = 0, columns = 0;
    while (n < text.n && text.p[n] != '\n' && columns < WHY_COLUMNS)
        columns += ((unsigned char)text.p[n++] & 0xc0) != 0x80;
    while (n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n++;
    return str_make(text.p, n);
}

static struct str took_of(yyjson_val *ms, char out[32])
{
    enum { LONG_MS = 10 * 1000 };
    int64_t v = yyjson_is_int(ms) ? yyjson_get_sint(ms) : -1;
    if (v >= LONG_MS)
        return show_ms(v, out);
    snprintf(out, 32, v < 0 ? "" : "%lld ms", (long long)v);
    return str_of(out);
}

static void put_result(struct table *t, yyjson_val *result)
{
    yyjson_val *about = yyjson_obj_get(result, "about"), *ms = yyjson_obj_get(about, "total_ms");
    char took[32];
    table_cell(t, text_at(result, "item"));
    table_cell(t, text_at(result, "place"));
    table_int(t, yyjson_get_sint(yyjson_obj_get(result, "turn")));
    table_cell(t, str_of(mark_of(result)));
    table_cell(t, text_at(result, "fault"));
    table_cell(t, took_of(ms, took));
    table_cell(t, first_of(text_at(about, "why")));
}

int eval_show(const struct cli_args *a, const struct str *words, size_t nwords)
{
    static const char *const heads[] = { "CASE", "MODEL", "TURN", "RESULT", "FAULT", "TOOK", "WHY" };
    struct json_doc d = { 0 };
    struct buf body = { 0 };
    struct table t;
    char path[64];
    int64_t run;
    size_t i, n;
    yyjson_val *result;
    (void)nwords;
    if (!str_to_int(words[0], 1, INT64_MAX, &run)) {
        fprintf(stderr, "hob: '%.*s' is no number of a run: `hob eval list` has them\n", STR_ARG(words[0]));
        return EXIT_USAGE;
    }
    snprintf(path, sizeof path, "/hob/v1/evals/show?run=%lld", (long long)run);
    int code = ask(a, path, &d, &body);
    if (!code && d.root) {
        printf("run %lld of %.*s: %.*s\n", (long long)run, STR_ARG(text_at(d.root, "suite")), STR_ARG(text_at(d.root, "state")));
        table_init(&t, heads, COUNTOF(heads));
        yyjson_arr_foreach(yyjson_obj_get(d.root, "results"), i, n, result)
            put_result(&t, result);
        print_table(&t);
    }
    json_free(&d);
    buf_free(&body);
    return code;
}
