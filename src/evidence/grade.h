/* An answer held against what a case expects. Pure; may be called from any thread.
 *
 * Judges (`judge:`) are only described here: who runs the suite asks another model with grade_judge_prompt(), gives its words to grade_judge_read(), and
 * settles the whole anew with grade_settle(). */
#ifndef HOB_EVIDENCE_GRADE_H
#define HOB_EVIDENCE_GRADE_H

#include "evidence/suite.h"

struct grade_call {
    struct str name, arguments; /* arguments: JSON text */
};

struct grade_answer {
    struct str text;        /* what the caller sees */
    struct str reasoning;   /* reasoning_content and the like; empty = none */
    const struct grade_call *calls;
    size_t ncalls;
    struct str finish;      /* stop, length, tool_calls …; empty = not told */
    int64_t total_ms, ttft_ms, output_tokens; /* negative: not known */
};
/* Out of a whole chat.completion (choices[0]; usage, `_routing` for the times where the answer has one). Parts live in a. ERR_UP_GARBLED: it is none. */
enum err_code grade_answer_read(struct arena *a, struct str body, struct grade_answer *out, struct err *e) __attribute__((warn_unused_result));

enum grade_mark {
    GRADE_PASS,
    GRADE_FAIL,
    GRADE_CUT,              /* not met, and the answer ended at its budget: about the budget when that is the suite's, not about the model */
    GRADE_JUDGE,            /* a judge must be asked */
    GRADE_UNDECIDED,        /* the expectation itself cannot be held against anything: a pattern that takes too long, a figure nobody measured. A harness matter */
    GRADE_MARKS
};
extern const char *const grade_mark_name[GRADE_MARKS]; /* pass fail cut judge undecided */

struct grade_line {         /* one expectation, in the case's order */
    enum grade_mark mark;
    double score;           /* 0..1; a share where one makes sense (tags: F1; contains: how many of them), else 0 or 1 */
    struct str why;         /* a sentence: "expected $.total = 12, got 13"; of a pass, what was found, or empty */
};

struct grade {
    enum grade_mark mark;   /* PASS: all passed. Else the first of UNDECIDED, CUT, FAIL, JUDGE that a line has */
    double score;           /* weighted mean of the lines' scores; judges that were not asked left out */
    struct str why;         /* of the first line that did not pass; empty when all did */
    struct grade_line *lines;
    size_t nlines;
};
void grade(struct arena *a, const struct suite_case *c, const struct grade_answer *answer, struct grade *out);
/* After lines were changed (by a judge): mark, score and why of the whole. */
void grade_settle(const struct suite_case *c, struct grade *g);

/* What to ask of a judge about line i, as one user message; its answer is to be short JSON, so max_tokens 300 will do. */
struct str grade_judge_prompt(struct arena *a, const struct suite_case *c, size_t i, const struct grade_answer *answer);
/* The judge's words. ERR_UP_GARBLED, and the line is UNDECIDED: it did not judge. */
enum err_code grade_judge_read(struct arena *a, const struct suite_case *c, size_t i, struct str reply, struct grade_line *line, struct err *e);

#endif
