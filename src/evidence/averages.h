/* Long-run averages: what rows of a window say of the requests in it, and whether two windows may be held side by side. What callers saw, whatever else the machine did
 * meanwhile: nothing that was measured under control (bench) is ever among it. Pure folding: who reads the rows is elsewhere. */
#ifndef HOB_EVIDENCE_AVERAGES_H
#define HOB_EVIDENCE_AVERAGES_H

#include "base/arena.h"
#include "base/buf.h"
#include "evidence/spread.h"
#include "store/requests.h"

/* What hob asks itself to measure says so in its own id of a request (x-client-request-id): such rows are in no average. Of the hourly sums they are a part. */
#define MEASURED_EVAL_ID "eval-"
#define MEASURED_BENCH_ID "bench-"
bool row_is_measured(const struct request_row *r);

/* Of some requests. */
struct averages {
    int64_t requests, streams, private_, busy /* 429 */, fell_back;
    int64_t faults[FAULT_HARNESS + 1];      /* by whose it was; [FAULT_NONE]: answered */
    int64_t told;                           /* whose tokens are known */
    int64_t input_tokens, output_tokens, reasoning_tokens, cached_tokens;
    int64_t waited_for_load;                /* requests */
    double load_ms, total_ms, queue_ms;     /* sums */
    struct spread ttft, total, queue;       /* ms; ttft where content came, total of answered ones, queue where a place was found */
    struct spread rate;                     /* tokens a second after the first, of answers with RATE_LEAST_TOKENS and more that took a moment */
    struct spread prompt, answer;           /* tokens */
};
enum { RATE_LEAST_TOKENS = 8 };
void averages_add(struct averages *a, const struct request_row *r);
void averages_fini(struct averages *a);
int64_t averages_errors(const struct averages *a); /* requests with a fault, whoever's */

/* ---- a stretch of time ---- */

enum averages_by { BY_NONE, BY_MODEL, BY_ROLE, BY_CALLER, BY_HOST, BY_COUNT };
extern const char *const averages_by_names[BY_COUNT]; /* "" "model" "role" "caller" "host" */

enum { STRETCH_MOST_GROUPS = 100 };          /* what comes beyond is in the last one, "(others)" */
struct stretch_group {
    struct str name;                        /* "" = none: no role was meant, nobody was asked … */
    struct averages a;
};
struct stretch_share {                       /* how many requests are of whom */
    struct str name;
    int64_t requests;
};
struct stretch_mix {
    struct stretch_share *at;
    size_t n, room;
};
/* Init, then rows, then fini. Times are wall clock; rows outside are the caller's to leave out. */
struct stretch {
    int64_t since_ms, until_ms;
    enum averages_by by;
    struct averages all;
    int64_t left_out;                       /* rows of what was measured */
    struct stretch_group *groups;
    size_t ngroups, room;
    struct stretch_mix callers, models;
    struct arena names;
};
void stretch_init(struct stretch *w, int64_t since_ms, int64_t until_ms, enum averages_by by);
void stretch_add(struct stretch *w, const struct request_row *r);
void stretch_sort(struct stretch *w);         /* groups: most requests first */
void stretch_fini(struct stretch *w);
double stretch_hours(const struct stretch *w);
double stretch_at_once(const struct stretch *w);  /* requests under way at a time, on the mean */

/* ---- are two alike? ---- */

enum unlike {
    UNLIKE_FEW,         /* fewer than 30 requests in one */
    UNLIKE_LENGTH,      /* one is more than twice as long */
    UNLIKE_AGE,         /* their ends lie more than 7 days apart */
    UNLIKE_LOAD,        /* requests an hour: more than twice */
    UNLIKE_AT_ONCE,     /* requests under way at a time: more than twice, where one has half of one or more */
    UNLIKE_PROMPTS,     /* median prompt: more than 1.5 times */
    UNLIKE_ANSWERS,     /* median answer: more than 1.5 times */
    UNLIKE_STREAMS,     /* their share: more than 20 points apart */
    UNLIKE_CALLERS,     /* more than 30 % of requests come from other callers */
    UNLIKE_MODELS,      /* more than 30 % of requests were answered by other models */
    UNLIKE_COUNT
};
struct unlikeness {
    const char *what;   /* "few" "length" … */
    bool is;            /* the rule is broken */
    double a, b;        /* what was compared; of the mixes 0 and the share that moved */
    char text[160];     /* a sentence, when it is */
};
/* out[UNLIKE_COUNT], all filled in. True: they are alike as far as these rules see. */
bool stretches_alike(const struct stretch *a, const struct stretch *b, struct unlikeness *out);

#endif
