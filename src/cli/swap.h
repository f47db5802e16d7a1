/* hob swap: a file for each of its words, or for a few that are alike; swap.c has the table. Each returns an exit code, and is given the words behind its own. */
#ifndef HOB_CLI_SWAP_H
#define HOB_CLI_SWAP_H

#include "cli/cli.h"
#include "json/json.h"

int swap_plan(const struct cli_args *a, const struct str *words, size_t n);     /* swap_plan.c */
int swap_plan_engine(const struct cli_args *a);                                 /* swap_engine.c: the same with --engine */
int swap_evidence(const struct cli_args *a, const struct str *words, size_t n); /* swap_evidence.c: ID */
int swap_start(const struct cli_args *a, const struct str *words, size_t n);    /* swap_steps.c: ID, as the next three */
int swap_promote(const struct cli_args *a, const struct str *words, size_t n);
int swap_rollback(const struct cli_args *a, const struct str *words, size_t n);
int swap_retire(const struct cli_args *a, const struct str *words, size_t n);
int swap_status(const struct cli_args *a, const struct str *words, size_t n);   /* swap_status.c: [ID] */
int swap_log(const struct cli_args *a, const struct str *words, size_t n);      /* swap_show.c: [ID] */
int swap_report(const struct cli_args *a, const struct str *words, size_t n);   /* swap_report.c: ID */
int swap_history(const struct cli_args *a, const struct str *words, size_t n);  /* swap_history.c: [ROLE] */
int swap_baseline(const struct cli_args *a, const struct str *words, size_t n); /* swap_baseline.c: [ROLE] */
int swap_simulate(const struct cli_args *a, const struct str *words, size_t n); /* swap_simulate.c */

/* ---- swap_evidence.c ---- */
struct eval_pair;
size_t swap_suites_said(const struct cli_args *a, struct str *out, size_t room); /* by --suite; how many */
/* Keeps it with the swap, which is in `swap` then, as it is. */
int swap_keep_proof(const struct cli_args *a, int64_t id, struct str role, const struct eval_pair *p, struct buf *swap);
/* swap_engine_vectors.c: the same texts put to an embedder, or a reranker, in two builds. */
struct door;
struct swap_vectors {
    int64_t texts, alike;
    double lowest;              /* cosine, of all of them */
};
enum err_code swap_compare_vectors(const struct door *door, struct str old, struct str new, bool reranks, struct swap_vectors *out, struct err *e) __attribute__((warn_unused_result));
/* swap_engine_evidence.c */
int swap_evidence_engine(const struct cli_args *a, const struct config *c, int64_t id, yyjson_val *swap, struct buf *after);

/* ---- swap_steps.c ---- */
/* `--shadow SHARE [--idle TIME]` of a swap that is there; the answer is the swap as it is then. */
int swap_shadow(const struct cli_args *a, int64_t id, struct buf *answer);
enum swap_question { QUESTION_CHAT, QUESTION_EMBED, QUESTION_RERANK };
/* The model is asked one thing at the public door. EXIT_GATE: it has not answered, or another has; that was said, with what follows from it. */
int swap_ask_model(const struct cli_args *a, struct str model, enum swap_question kind, const char *then);
int swap_take_step(const struct cli_args *a, int64_t id, const char *step, struct str role, struct str why, struct buf *answer);
/* swap_engine_start.c: start() takes the step, if it is still to be taken. */
int swap_start_engine(const struct cli_args *a, int64_t id, yyjson_val *swap, int (*start)(void *ctx, struct buf *answer), void *ctx);

/* ---- swap_show.c: what they share ---- */
/* Of a shadow's measure: a share in hundredths; else what has three digits before its point needs none behind it. Into out, which is also returned as text. */
struct str swap_amount(double v, struct str unit, bool sign, char out[32]);
/* The number of a swap. EXIT_OK, or EXIT_USAGE with a word. */
int swap_number(struct str word, int64_t *id);
/* Asks the daemon; the answer's text is in body (the caller's to free), and parsed in d unless that is NULL. As ask_daemon(); a gate's no is EXIT_GATE. */
int swap_ask(const struct cli_args *a, const char *method, const char *path, struct str request, struct buf *body, struct json_doc *d);
/* `?key=value`, or `&key=value`; nothing where the value is empty. */
struct buf;
void swap_put_query(struct buf *path, const char *key, struct str value);
/* As --json wants it: the object, or lines for people. */
int swap_print(const struct cli_args *a, struct str object);
void swap_print_object(yyjson_val *swap);

/* ---- swap_status.c ---- */
/* How its roles were served, hour by hour. As swap_ask(). */
int swap_series(const struct cli_args *a, int64_t id, struct buf *body, struct json_doc *d);

#endif
