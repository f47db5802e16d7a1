/* A run of a suite: what is asked next of whom, and what an answer counts for. Pure: who sends and waits is elsewhere (cli/eval_run.c).
 *
 * A model is only to be blamed for what it said itself. An answer of another place, a place that was still loading, a gateway that was full, and a budget that cuts
 * the smallest right answer say nothing of it: such results count for nobody, and are told apart by whose fault they are. */
#ifndef HOB_EVIDENCE_RUN_H
#define HOB_EVIDENCE_RUN_H

#include "evidence/grade.h"
#include "evidence/stats.h"
#include "json/json.h"

enum { RUN_MAX_PLACES = 16, RUN_MAX_TURNS = 1000, RUN_TRIES = 4 };

/* One of those that are compared: MODEL, or MODEL@HOST. */
struct run_place {
    struct str name;            /* as it was asked for: in results */
    struct str model;           /* what requests name */
    struct conf_strs replicas;  /* the same model elsewhere: one of them may answer, unless a host is named */
    struct str host;            /* that must have answered; empty = any that the model has */
};

struct run_step {
    size_t place, item;         /* of the places; of the suite's cases */
    int64_t turn;               /* from 1 */
};

enum run_order {
    RUN_BY_PLACE,               /* all of one, then all of the next: few loads */
    RUN_INTERLEAVED,            /* A B A B: for times, where both are in memory */
};

/* What is to be asked, in order. */
struct run_plan {
    const struct suite *suite;
    size_t nplaces;
    int64_t repeat;             /* 0 = as each case says */
    enum run_order order;
    bool *done;                 /* by a step's place in the order; calloc'd by run_plan_init() */
    size_t total, next;         /* next: the first that may not have been handed out */
};
void run_plan_init(struct run_plan *p, const struct suite *s, size_t nplaces, int64_t repeat, enum run_order order);
void run_plan_fini(struct run_plan *p);
/* Not to be asked any more: an earlier run has it. False: there is no such step. */
bool run_plan_has(struct run_plan *p, size_t place, struct str item, int64_t turn);
bool run_plan_next(struct run_plan *p, struct run_step *out); /* false: all were handed out */

/* ---- what came of a step ---- */

struct run_answer {             /* to one request at the public door */
    int status;                 /* 0: there was none, with: */
    struct str trouble;
    struct str body;
    int64_t total_ms;           /* as it was measured here */
    int64_t retry_after_ms;     /* as its head says; 0 = it does not */
};

enum run_outcome {
    RUN_PASSED, RUN_FAILED,     /* of the model */
    RUN_NOTHING,                /* it says nothing of the model: fault names whose it is */
    RUN_AGAIN,                  /* a place was loading, or busy: ask again a little later */
    RUN_JUDGE,                  /* a judge has to be asked about it */
};

struct run_result {
    enum run_outcome outcome;
    enum fault fault;           /* RUN_FAILED: FAULT_MODEL; RUN_NOTHING: gateway, backend or harness; else FAULT_NONE */
    double score;
    struct str why;             /* a sentence; empty when it passed */
    struct str model, host, request_id; /* who answered */
    struct grade_answer answer;
    struct grade grade;         /* once there is an answer to be graded */
    int64_t input_tokens, output_tokens; /* -1: unknown */
    double ttft_ms;             /* -1: unknown */
    int64_t load_ms, wait_ms;   /* wait_ms: RUN_AGAIN, so long */
};

/* tries: requests so far for this step, this one among them; from RUN_TRIES on nothing is asked again. Texts are in a, or in the answer. */
void run_take(struct arena *a, const struct suite_case *c, const struct run_place *p, const struct run_answer *got, int tries, struct run_result *out);
/* After judges have filled in their lines: outcome, score and why anew. */
void run_settle(const struct suite_case *c, struct run_result *r);
/* {"text","reasoning","finish","why","lines":[…],"model","host","request_id","total_ms",…} for the store; texts are cut at 8 KiB. */
void run_put(const struct suite_case *c, const struct run_result *r, const struct run_answer *got, int tries, struct buf *out);

/* ---- what it amounts to ---- */

struct run_cell {               /* a place's results on a case */
    int32_t passed, total;      /* of those that count */
    int32_t faults[FAULT_HARNESS + 1];
    double score;               /* sum over those that count */
};
struct run_tally {
    size_t ncases, nplaces;
    struct run_cell *cells;     /* cells[case * nplaces + place] */
};
void run_tally_init(struct run_tally *t, size_t ncases, size_t nplaces);
void run_tally_fini(struct run_tally *t);
/* passed: 1, 0, -1 (counts for nobody). */
void run_tally_add(struct run_tally *t, size_t item, size_t place, int passed, enum fault fault, double score);
/* The whole of a place; cases that are `aside` are left out, or are alone in it. */
struct run_cell run_tally_sum(const struct run_tally *t, const struct suite *s, size_t place, bool aside);
/* Into an object: pass, total, rate, ci (of the rate, 95 %), score (the mean); and what counted for nobody, by whose fault: faults. */
void run_cell_put(const struct run_cell *c, struct json_out *o);
void run_faults_put(const struct run_cell *c, struct json_out *o);
/* Two places on the cases that both have answered, `aside` ones left out. */
void run_compare(const struct run_tally *t, const struct suite *s, size_t a, size_t b, struct verdict *out, struct pairs *majority);

#endif
