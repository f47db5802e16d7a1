/* hob bench, in four: the command (bench.c), one model measured behind a door (bench_ask.c; bench_int.h has its parts), what it was measured on (bench_about.c), and how that is told (bench_show.c).
 *
 * bench_measure() says nothing on stdout or stderr: for who measures more than once (hob tune). */
#ifndef HOB_CLI_BENCH_H
#define HOB_CLI_BENCH_H

#include "cli/ask.h"
#include "evidence/speed.h"

enum { BENCH_MAX_LIST = 8, BENCH_MAX_AT_ONCE = 64, BENCH_MAX_RUNS = 256 };

struct bench_wish {
    struct str model, host;             /* host: that must answer; empty = the model's own */
    int64_t contexts[BENCH_MAX_LIST];   /* tokens of prompt and answer together; ascending */
    size_t ncontexts;
    int64_t concurrency[BENCH_MAX_LIST];
    size_t nconcurrency;
    bool corner;                        /* each context with one request at a time, each concurrency with the smallest context; else all of them with all */
    int64_t tokens;                     /* of an answer */
    int64_t runs;                       /* rounds of each cell that must count; twice as many are tried at most */
    int64_t colds;                      /* cold starts, which unload it; 0 = none, but of a model that is not loaded anyway the one there is */
    double watts;                       /* of this machine, as somebody says; 0 = what the machine tells */
    const struct config *config;        /* of that daemon: what the model is set up with; NULL = not at hand */
    struct str settings;                /* further ones, a JSON object whose members go among the report's; or empty */
    /* Before each round and each cold start; may be NULL. False: enough. */
    bool (*on_step)(void *ctx, const char *what, int64_t context, int64_t concurrency, int64_t step, int64_t steps);
    void *ctx;
};
/* 1k, one at a time, 256 tokens, 5 runs. */
struct bench_wish bench_wish_of(struct str model);

/* at: the public door; admin: the other one. *out is fresh, and the caller's to speed_fini() whatever comes of it. An error is one of the whole (no such model, nobody there,
 * it cannot be loaded); what goes wrong in a round is in its requests' flags. An interrupt (SIGINT, SIGTERM) ends it: out->stopped, with what there is. */
enum err_code bench_measure(const struct door *at, const struct door *admin, const struct bench_wish *w, struct speed_report *out, struct err *e)
    __attribute__((warn_unused_result));

/* ---- bench_about.c ---- */

/* A model as the daemon has it. Texts are in a. */
struct bench_place {
    struct str model, host;             /* the configured name; "local" is this machine */
    struct str file, engine, state;     /* empty = not known, or not here */
    int64_t context, slots;             /* -1 = not known */
    int64_t pid, memory_bytes;
    double spawn_ms, load_ms;           /* of its last load; -1 = not known */
    bool here, pinned, loaded;          /* here: a child of that daemon */
    int64_t busy;                       /* requests that it serves, or that wait for it */
    int64_t others_busy;                /* requests served by other models of that machine */
};
/* By the admin door, now. want: a name, alias or MODEL with a host. ERR_MODEL_NOT_FOUND. */
enum err_code bench_look(const struct door *admin, struct str model, struct str host, struct arena *a, struct bench_place *out, struct err *e) __attribute__((warn_unused_result));
/* The same out of the text of /hob/v1/ps, for who has asked. false: it is not there. */
bool bench_look_at(struct str ps, struct arena *a, struct bench_place *out);
/* What came to light while it was measured. */
struct bench_found {
    struct str build;                   /* as the engine signs its answers (system_fingerprint); empty = it does not */
    struct str energy;                  /* where energy is read; empty = nowhere */
    bool ignore_eos;                    /* answers went on past the model's end */
    double load_average;                /* of this machine, over a minute, before it began; NaN = not known */
};
/* {"runtime","engine_build",…} */
struct str bench_settings(const struct bench_wish *w, const struct bench_place *p, const struct bench_found *f, const struct door *at, struct arena *a);

/* ---- bench.c ---- */
bool bench_read_size(struct str s, int64_t most, int64_t *out); /* "8k" is 8192 */

/* ---- bench_ab.c: variants of one model, by --kv and --quant; an exit code ---- */
int bench_ab(const struct cli_args *a, struct str model);

/* ---- bench_show.c ---- */
void bench_show(const struct speed_report *r, struct buf *out);
void bench_show_comparison(const struct speed_comparison *c, struct str against, struct buf *out);

#endif
