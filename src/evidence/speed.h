/* How fast is a model, measured: what requests to it took -> rates, quantiles and JSON; and two measurements held against each other. Pure: who asks, and reads the clock, is
 * cli/bench_ask.c.
 *
 * Requests that are in flight together make a round. A cell is a size of prompt and a number of requests at a time; its figures are medians over its rounds. What says nothing of
 * the place (somebody else answered, the prompt came out of a cache, somebody else was served meanwhile) is kept, flagged, and counts for nothing. */
#ifndef HOB_EVIDENCE_SPEED_H
#define HOB_EVIDENCE_SPEED_H

#include "base/arena.h"
#include "evidence/bootstrap.h"
#include "json/json.h"

enum { SPEED_MAX_CELLS = 32, SPEED_MAX_COLDS = 64, SPEED_MAX_ROUNDS = 512, SPEED_MAX_WARNINGS = 16 };

enum speed_flag {
    SPEED_FAILED = 1 << 0,      /* no whole answer */
    SPEED_ELSEWHERE = 1 << 1,   /* another place answered */
    SPEED_CACHED = 1 << 2,      /* more of the prompt than its template came out of a cache */
    SPEED_SHARED = 1 << 3,      /* somebody else was served by the place, or by another model on its machine, meanwhile */
    SPEED_SHORT = 1 << 4,       /* fewer tokens came than were asked for: rates hold */
    SPEED_LENGTH = 1 << 5,      /* its prompt is more than 2 % off the length it should have */
    SPEED_UNCOUNTED = 1 << 6,   /* the place did not say how many tokens there were */
    SPEED_FLAGS = 7,
    SPEED_LEAVES_OUT = SPEED_FAILED | SPEED_ELSEWHERE | SPEED_CACHED | SPEED_SHARED | SPEED_UNCOUNTED,
};
extern const char *const speed_flag_names[SPEED_FLAGS];

struct speed_request {
    size_t cell;                /* of the report's */
    int round;                  /* from 1; the same for those that were in flight together */
    unsigned flags;
    struct str why;             /* of FAILED and ELSEWHERE: a sentence; else empty */
    struct str model, host, id; /* who answered; x-request-id */
    int64_t prompt_tokens, cached_tokens, output_tokens; /* as the place says; -1 = it does not */
    int64_t sent_ns, first_ns, last_ns; /* monotonic, at the asker; 0 = never came. last: of the last piece of the answer */
    const double *gaps_ms;      /* between pieces of the answer: as many as came, less one */
    size_t ngaps;
    struct { int64_t prompt_n, predicted_n; double prompt_ms, predicted_ms; } engine; /* by the engine's own clock; 0 = it says nothing */
};

/* A median and the value that 99 of 100 do not exceed, by quantile_of(). n 0: NaN. */
struct speed_spread {
    double p50, p99;
    size_t n;
};

struct speed_round {
    int round;
    bool counts;
    size_t requests;
    double prompt_tps;          /* one at a time: by the engine's clock where it tells, else prompt tokens / ttft. Several: all their prompt tokens / the time to the last first token */
    double generation_tps;      /* tokens after the first ones / from the first piece of any to the last piece of all */
    double ttft_ms, per_token_ms; /* medians over its requests */
    double seconds;             /* from sent to the last piece */
    double joules;              /* in that time; NaN = not known */
    int64_t output_tokens, prompt_tokens;
};

struct speed_cell {
    int64_t context, concurrency;
    struct str left_out;        /* why it was not measured; empty = it was */
    double joules[SPEED_MAX_ROUNDS]; /* of round i + 1, by who measures; NaN (so it is born) = not known */
    /* by speed_count(): */
    struct speed_round *rounds;
    size_t nrounds, counted;
    bool by_engine;             /* where prompt_tps comes from */
    double prompt_tps, generation_tps; /* medians over rounds that count; NaN without one */
    double each_generation_tps; /* of single requests */
    double pieces_tokens;       /* tokens in a piece of an answer: 1 but where several come at once */
    struct speed_spread ttft_ms, per_token_ms; /* over requests; over gaps, each divided by pieces_tokens */
    int64_t prompt_tokens;      /* median */
    double watts, tokens_per_joule, joules_per_round; /* medians; tokens: of answers. NaN = not known */
};

struct speed_cold {             /* from asked to the first token, the model not being in memory */
    double spawn_ms, load_ms, first_token_ms, total_ms; /* negative = not known */
};

struct speed_report {
    struct arena memory;        /* of all texts, gaps and rounds */
    struct str model, host;     /* that was measured */
    struct str settings;        /* a JSON object, flat: speed_settings[] */
    int64_t began_ms;           /* wall clock */
    int64_t tokens, runs;       /* wanted: of an answer; rounds of a cell */
    struct speed_request *requests; /* malloc'd */
    size_t nrequests, room;
    struct speed_cell *cells;   /* SPEED_MAX_CELLS, malloc'd */
    size_t ncells;
    struct speed_cold colds[SPEED_MAX_COLDS];
    size_t ncolds;
    struct str cold_why;        /* why there are none */
    int64_t memory_bytes;       /* most that was seen; -1 = not known */
    struct str energy_source, energy_why; /* "rapl", "nvml", "rapl+nvml", "powermetrics", "configured"; why there is none */
    struct str warnings[SPEED_MAX_WARNINGS];
    size_t nwarnings;
    bool stopped;               /* by an interrupt */
};

void speed_init(struct speed_report *r);
void speed_fini(struct speed_report *r);
struct speed_request *speed_add(struct speed_report *r); /* zeroed; moves those before it */
void speed_warn(struct speed_report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* the same sentence once; further ones than fit are dropped */

/* From requests to figures, once all are there. */
void speed_count(struct speed_report *r);
/* The first cell with figures: what the report as a whole is said to be. NULL = there is none. */
const struct speed_cell *speed_first(const struct speed_report *r);

/* {"schema":1,"model","host",…}: doc/guide/speed.md. more: further members, `,"key":value`…, or empty. */
void speed_put(const struct speed_report *r, struct str more, struct buf *out);

/* ---- two measurements ---- */

enum speed_verdict { SPEED_BETTER, SPEED_WORSE, SPEED_CANNOT_TELL, SPEED_VERDICTS };
extern const char *const speed_verdict_names[SPEED_VERDICTS];

enum { SPEED_LEAST_ROUNDS = 4 }; /* of either, for a verdict: three against three come out apart by chance once in ten */

struct speed_difference {
    int64_t context, concurrency;
    const char *figure;         /* "prompt_tps" … */
    bool more_is_better;
    double a, b;                /* medians over rounds */
    double change, lo, hi;      /* (b - a) / a, with its 95 % interval: bootstrap of medians of logarithms; lo, hi NaN: too few runs for one */
    size_t na, nb;              /* rounds */
    enum speed_verdict verdict;
};

struct speed_comparison {
    struct arena memory;
    struct speed_difference *at;
    size_t n;
    struct str *warnings;       /* what is not alike, so that a difference may be due to it */
    size_t nwarnings;
    struct str a_time, b_time;
};
/* Of two objects that speed_put() wrote, a being the old one. ERR_INVALID_REQUEST when one of them is none. */
enum err_code speed_compare(struct str a, struct str b, struct speed_comparison *out, struct err *e) __attribute__((warn_unused_result));
void speed_comparison_free(struct speed_comparison *c);
/* {"differences":[…],"warnings":[…]} */
void speed_comparison_put(const struct speed_comparison *c, struct json_out *o);

#endif
