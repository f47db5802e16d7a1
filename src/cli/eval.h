/* hob eval: a file for each of its words; eval.c has the table. Each returns an exit code, and is given the words behind its own. */
#ifndef HOB_CLI_EVAL_H
#define HOB_CLI_EVAL_H

#include "cli/cli.h"
#include "evidence/stats.h"

int eval_list(const struct cli_args *a, const struct str *words, size_t n);   /* eval_show.c: the runs */
int eval_show(const struct cli_args *a, const struct str *words, size_t n);   /* RUN */
int eval_compare(const struct cli_args *a, const struct str *words, size_t n); /* eval_compare.c: RUN [RUN …], or --pairs FILE */
int eval_export(const struct cli_args *a, const struct str *words, size_t n);  /* eval_export.c: RUN */
int eval_run(const struct cli_args *a, const struct str *words, size_t n);    /* eval_run.c: SUITE */
int eval_check(const struct cli_args *a, const struct str *words, size_t n);  /* eval_suites.c: SUITE */
int eval_import(const struct cli_args *a, const struct str *words, size_t n); /* FILE */
int eval_capture(const struct cli_args *a, const struct str *words, size_t n); /* eval_capture.c: [ROLE] */
int eval_label(const struct cli_args *a, const struct str *words, size_t n);  /* eval_label.c: FILE */
int eval_suites(const struct cli_args *a, const struct str *words, size_t n);
int eval_show_suite(const struct cli_args *a, const struct str *words, size_t n); /* NAME */

/* A run that the daemon keeps, by its number; body is its text. EXIT_OK, or what to exit with after a word on stderr; then there is nothing to be freed. */
struct kept_run;
struct buf;
int eval_kept(const struct cli_args *a, struct str number, struct kept_run *out, struct buf *body);

/* A file, or a built-in suite with --seed. EXIT_OK, or what to exit with after a word on stderr. */
struct suite;
int eval_suite_open(const struct cli_args *a, struct str name, struct suite **out);

/* For other commands: the suite put to two models, as options say. EXIT_OK, or why not was said. */
struct eval_pair {
    int64_t run;
    char suite[96];
    struct verdict verdict;         /* of the second against the first */
    struct pairs pairs;             /* cases, by what most of their turns came to */
    int64_t nothing;                /* answers that say nothing of a model */
    bool discriminates;
    char note[96];                  /* what else is to be said of it */
};
int eval_pair(const struct cli_args *a, struct str suite, struct str old, struct str new, struct eval_pair *out);
/* The same where `a` leads, a lab say; the run is in the book of where `book` leads. */
int eval_pair_in(const struct cli_args *a, const struct cli_args *book, struct str suite, struct str old, struct str new, struct eval_pair *out);

#endif
