/* One measurement of a model in a lab (lab.h) by hob bench's own function (bench.h): a fresh engine, measured once, gone again. For who measures the same in turns. */
#ifndef HOB_CLI_LAB_BENCH_H
#define HOB_CLI_LAB_BENCH_H

#include "cli/bench.h"
#include "cli/eval.h"
#include "cli/lab.h"

/* The configuration, and what `name` (a model, an alias, a role) means in it: a model of this machine with a `file:` that serves chats. What else it may be is said on
 * stderr: only what has a `file:` "can be tuned". An exit code; *config is the caller's to free whatever comes of it. */
int lab_find_model(const struct cli_args *a, struct str name, const char *only_such, struct config **config, const struct conf_model **out);

struct lab_figures {
    double prompt_tps, answer_tps;      /* by the engine's own clock where it tells, else as the pieces came */
    double ttft_ms, cold_ms;            /* cold: from asked to the first token, of a model that was not `hot` in the wish; NaN = not known */
    int64_t memory_bytes;               /* -1 = not known */
    char machine[160];
    bool stopped;                       /* by an interrupt: no figure means anything */
    struct buf report;                  /* what `hob bench --json` would say: the caller's to buf_free(), also after an error */
};

/* The wish's first model, at so many tokens of context, so many of them waited for as an answer, one request at a time. While the lab starts an interrupt ends this process, and the lab with
 * it. ERR_*: lab_open()'s, bench_measure()'s; ERR_UP_GARBLED: nothing of it counts, with the reason. */
enum err_code lab_measure(const struct lab_wish *w, int64_t context, int64_t tokens, struct lab_figures *out, struct err *e) __attribute__((warn_unused_result));

/* Two models of a lab answer the same suite. The run is kept in the book of the user's daemon where one answers (then out->run is its number there); else in the lab's, and goes with
 * it (0). An exit code, as eval_pair() has it. */
int lab_pair(const struct lab *l, const struct lab_wish *w, struct str suite, struct str old, struct str new, struct eval_pair *out);

/* What a request of three quarters prompt and a quarter answer takes by these rates: one that ended early does not look fast. */
double lab_seconds(const struct lab_figures *f, int64_t context);

#endif
