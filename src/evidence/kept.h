/* A run as it was kept: read from what the admin door answers (evals/show), looked through, told to others. Pure.
 *
 * Who reads it need not have the suite: which cases there were, which of them stand beside the score, and what each of them was (its print) is in the run. */
#ifndef HOB_EVIDENCE_KEPT_H
#define HOB_EVIDENCE_KEPT_H

#include "evidence/bootstrap.h"
#include "evidence/run.h"
#include "json/json.h"

/* What is known of a place, as it was when the run began; empty = not known. */
struct kept_place {
    struct str name;            /* MODEL, or MODEL@HOST, as it was asked for */
    struct str host, runtime, engine, quantisation, file;
};

struct kept_result {
    size_t place, item;         /* of the places; of the suite's cases */
    int64_t turn;
    int passed;                 /* 1, 0; -1: it says nothing of the model */
    enum fault fault;
    double score;
    struct str why, text, model, host, request_id;
    int64_t total_ms, ttft_ms, load_ms; /* -1: not known; load_ms 0 = none */
};

struct kept_run {
    struct arena memory;        /* of all texts */
    int64_t run;
    struct str state, began, ended;
    bool interleaved;           /* the models were asked in turn */
    struct suite suite;         /* what is left of it: name, from, print, margin; of the cases id, print and aside. By id. Not for suite_free() */
    struct kept_place *places;
    size_t nplaces;
    struct kept_result *results; /* by place, case and turn */
    size_t nresults;
    struct run_tally tally;
};

/* text may die afterwards. ERR_UP_GARBLED: it is none. On error *out is nothing to be freed. */
enum err_code kept_run_read(struct str json, struct kept_run *out, struct err *e) __attribute__((warn_unused_result));
void kept_run_free(struct kept_run *r);
size_t kept_place(const struct kept_run *r, struct str name); /* nplaces: there is none */

/* ---- two places held against each other ---- */

struct kept_side {
    const struct kept_run *run;
    size_t place;
};

struct kept_times {             /* of answers that both gave to the same case in the same turn, without what loads took */
    size_t n;
    double a_median, b_median, a_p95, b_p95;
    struct quantile median, p95; /* of the difference b - a, ms */
};

enum { KEPT_WARNINGS = 16 };
struct kept_pair {
    struct kept_side a, b;      /* a is the old one */
    double margin;              /* so much worse is still "not worse" */
    struct verdict verdict;
    struct pairs majority;
    size_t compared;            /* cases that both have, the same in both */
    size_t changed, missing;    /* cases of that id that are another by now; cases that only one of the runs has. Both left out */
    struct discrimination tells;
    enum case_kind *kinds;      /* of the suite's cases (of a's); in memory */
    bool *left_out;             /* likewise */
    struct kept_times total, ttft;
    struct str warnings[KEPT_WARNINGS];
    size_t nwarnings;
};
/* Of one run, or of two of the same suite. What is put in out lives in `memory`. margin negative: as the suite says. */
void kept_compare(struct arena *memory, struct kept_side a, struct kept_side b, double margin, struct kept_pair *out);
/* Several suites: what was better or worse by chance among so many is taken back (Holm). */
void kept_adjust(struct kept_pair *pairs, size_t n);
/* The object of `hob eval compare --json`, and lines for people. */
void kept_pair_put(const struct kept_pair *p, struct json_out *o); /* into an open object */
void kept_pair_write(const struct kept_pair *p, struct buf *out);

/* ---- told to others ---- */

/* {"schema":1,"run","suite",…,"models":[…],"comparisons":[…],"results":[…]}; kept: what kept_run_read() was given, whose results go in as they are. */
void kept_json(const struct kept_run *r, struct str kept, struct buf *out);
void kept_markdown(const struct kept_run *r, struct buf *out);
/* JUnit's XML: a testsuite a model, a testcase a case and turn. A wrong answer is a failure; what gateway or backend did wrong an error, since something must be mended before
 * anything was measured; a harness' fault is skipped: nothing was tested, and nobody's build is to be red for it. */
void kept_junit(const struct kept_run *r, struct buf *out);

/* For Markdown: on one line, with what would be taken for markup escaped; as a cell of a table too. */
void markdown_text(struct buf *out, struct str text);

#endif
