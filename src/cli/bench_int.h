/* One model measured behind a door, in parts: what is measured, and in which order (bench_ask.c); before that, a cold start, and what a word is (bench_before.c); a round, and whether it counts
 * (bench_round.c); requests in flight, and a look at the place meanwhile (bench_flight.c). */
#ifndef HOB_CLI_BENCH_INT_H
#define HOB_CLI_BENCH_INT_H

#include "cli/bench.h"
#include "evidence/dice.h"
#include "http/sse.h"
#include "loop/loop.h"
#include "proc/energy.h"

enum { BENCH_CONNECT_MS = 10 * 1000 };

struct bench;

/* One request. */
struct flight {
    struct bench *bench;
    struct http_call *call;
    struct sse *sse;
    struct json_scratch scratch;
    struct buf body, in;
    struct str piece;               /* the body, as it is sent */
    int64_t now_ns;                 /* of the bytes at hand */
    int64_t sent_ns, *pieces_ns;    /* when each piece of the answer came */
    size_t npieces, room;
    int status;
    bool finished, broken;
    char model[160], host[160], id[80], why[240];
    int64_t prompt_tokens, cached_tokens, output_tokens, load_ms;
    struct { int64_t prompt_n, predicted_n; double prompt_ms, predicted_ms; } engine;
};

struct bench {
    const struct door *at, *admin;
    const struct bench_wish *wish;
    struct speed_report *report;
    struct bench_place place;
    struct bench_found found;
    struct arena memory;            /* of place and found */
    struct loop *loop;
    struct http_pool *pool, *admin_pool;
    struct flight flights[BENCH_MAX_AT_ONCE];
    size_t flying, together;        /* requests under way; of the round at hand, those that are through included: their slots come back a little later */
    struct timer tick, look;
    struct http_call *looking;
    struct buf ps;
    int looked_status;
    bool disturbed;                 /* in the round at hand */
    struct energy *energy;          /* NULL = not of this place */
    struct dice dice;
    double overhead, per_word;      /* tokens of a prompt: overhead + per_word * words */
    bool tells_engine;              /* ignore_eos and cache_prompt are sent */
    int64_t steps, step;
    char build[80];
};

/* SIGINT or SIGTERM came: what is under way comes to nothing. */
bool bench_interrupted(void);

/* ---- bench_flight.c ---- */
/* n requests at once of so many words and tokens of an answer, until all are through: flights[0..n-1]. */
void bench_fly(struct bench *b, size_t n, int64_t nwords, int64_t tokens);
void bench_on_look(void *ctx); /* of the timers look and tick */
void bench_on_tick(void *ctx);

/* ---- bench_round.c ---- */
/* How the place is now; names stay. */
enum err_code bench_look_now(struct bench *b, struct err *e) __attribute__((warn_unused_result));
void bench_pause_ms(int64_t ms);
bool bench_tell_step(struct bench *b, const char *what, int64_t context, int64_t concurrency); /* false: enough */
int64_t bench_words_of(const struct bench *b, int64_t length); /* of a prompt of so many tokens */
bool bench_warm_up(struct bench *b);             /* false: enough */
bool bench_run_cell(struct bench *b, size_t cell);

/* ---- bench_before.c ---- */
enum err_code bench_cold_starts(struct bench *b, struct err *e) __attribute__((warn_unused_result));
/* What the template adds to a prompt, and what a word is. */
enum err_code bench_learn_lengths(struct bench *b, struct err *e) __attribute__((warn_unused_result));

#endif
