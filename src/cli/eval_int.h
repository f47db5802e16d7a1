/* hob eval run in parts: what is to be run, and what it came to (eval_run.c); who is asked (eval_places.c); asking, N at a time (eval_ask.c); the daemon's book (eval_book.c). */
#ifndef HOB_CLI_EVAL_INT_H
#define HOB_CLI_EVAL_INT_H

#include "cli/cli.h"
#include "cli/daemon.h"
#include "evidence/images.h"
#include "evidence/kept.h"
#include "evidence/run.h"

struct eval_job {
    const struct cli_args *args;
    const struct cli_args *book;    /* whose daemon keeps the run; NULL: the same */
    struct config *config;
    struct suite *suite;
    struct str models;              /* whom to ask, "A,B"; empty = as --models says */
    struct arena memory;            /* of names */
    struct run_place places[RUN_MAX_PLACES];
    size_t nplaces;
    struct kept_place known[RUN_MAX_PLACES];
    int64_t contexts[RUN_MAX_PLACES]; /* tokens that a request may use; 0 = not known */
    struct run_plan plan;
    struct run_tally tally;
    struct door door;               /* the public one */
    struct images images;
    struct str judge;               /* a role or model; empty = none is asked */
    struct str folder;              /* of the suite's file */
    const struct suite_finding *findings;
    size_t nfindings;
    int64_t run;                    /* its number in the book */
    int64_t repeat, seed, at_least;
    size_t concurrency;
    enum run_order order;
    bool quiet;                     /* no progress */
    bool stopped;                   /* by an interrupt */
    size_t steps, done;             /* to be done when it began; done since */
    struct { int64_t asked, tokens; } judged;
};

/* ---- eval_ask.c: all that is left of the plan; each result goes to the book. EXIT_OK also when models fail; else it has said why. ---- */
int eval_ask_all(struct eval_job *j);
/* Of a text of so many tokens, as its case's tags say; 0 = they do not. What is longer than a place's window is not asked there. */
int64_t eval_case_tokens(const struct suite_case *c);
void eval_show_progress(struct eval_job *j, bool last);

/* ---- eval_places.c: what is known of a place; host and file as the daemon says ---- */
void eval_place_look(struct eval_job *j, size_t place, struct str host, struct str file);

/* ---- eval_book.c ---- */
/* A number for it, or of what --resume names what is there already (then plan and tally have it). */
int eval_book_open(struct eval_job *j, struct str resume);
/* One result; its texts are copied. What cannot be put at once is put with the next. */
int eval_book_put(struct eval_job *j, const struct run_step *step, const struct run_result *r, const struct run_answer *got, int tries);
int eval_book_close(struct eval_job *j);
/* What is said of a run as a whole, as JSON: suite, models, settings, counts. */
void eval_book_about(const struct eval_job *j, struct buf *out);

#endif
