/* hob eval export RUN: a run for others, as JSON, Markdown or JUnit's XML. */
#include "cli/ask.h"
#include "cli/eval.h"
#include "cli/input.h"
#include "evidence/kept.h"

#include <stdio.h>

enum { ANSWER_MS = 60 * 1000 };

int eval_kept(const struct cli_args *a, struct str number, struct kept_run *out, struct buf *body)
{
    char path[64];
    struct question q = { .method = "GET", .path = path, .answer_ms = ANSWER_MS };
    struct err e;
    int64_t run;
    if (!str_to_int(number, 1, INT64_MAX, &run)) {
        fprintf(stderr, "hob: '%.*s' is no number of a run: `hob eval list` has them\n", STR_ARG(number));
        return EXIT_USAGE;
    }
    snprintf(path, sizeof path, "/hob/v1/evals/show?run=%lld", (long long)run);
    int code = ask_daemon(a, &q, body);
    if (!code && kept_run_read(buf_str(body), out, &e)) {
        cli_error(&e);
        buf_free(body);
        code = EXIT_FAILED;
    }
    return code;
}

/* ---- forms ---- */

static void to_markdown(const struct kept_run *r, struct str kept, struct buf *out)
{
    (void)kept;
    kept_markdown(r, out);
}

static void to_junit(const struct kept_run *r, struct str kept, struct buf *out)
{
    (void)kept;
    kept_junit(r, out);
}

static const struct form {
    const char *name, *ending;
    void (*write)(const struct kept_run *r, struct str kept, struct buf *out);
} forms[] = { { "json", ".json", kept_json }, { "markdown", ".md", to_markdown }, { "junit", ".xml", to_junit } };

static const struct form *form_of(const struct cli_args *a)
{
    struct str said = cli_option_value(a, "--form"), file = cli_option_value(a, "--output");
    for (size_t i = 0; i < COUNTOF(forms); i++)
        if (said.n ? str_eq(said, str_of(forms[i].name)) : str_ends(file, str_of(forms[i].ending)))
            return &forms[i];
    if (!said.n)
        return &forms[0];
    fprintf(stderr, "hob: --form is json, markdown or junit, not '%.*s'\n", STR_ARG(said));
    return NULL;
}

int eval_export(const struct cli_args *a, const struct str *words, size_t n)
{
    const struct form *f = form_of(a);
    struct kept_run run;
    struct buf body = { 0 }, out = { 0 };
    (void)n;
    if (!f)
        return EXIT_USAGE;
    int code = eval_kept(a, words[0], &run, &body);
    if (code)
        return code;
    f->write(&run, buf_str(&body), &out);
    code = output_write(cli_option_value(a, "--output"), buf_str(&out));
    kept_run_free(&run);
    buf_free(&body);
    buf_free(&out);
    return code;
}
