/* One row for each request: what it was, where it went, what came of it. No text of prompts or answers. Rows are kept for a while and up to a size; hourly
 * sums stay. The hot table has no index but its order in time. */
#ifndef HOB_STORE_REQUESTS_H
#define HOB_STORE_REQUESTS_H

#include "base/arena.h"
#include "store/store.h"

/* -1: unknown. Empty text: none. Texts are borrowed while it is written, and lie in the reader's arena when it is read. */
struct request_row {
    int64_t time_ms;             /* wall clock, when it came */
    struct str id, client_id;    /* ours; the caller's own (x-client-request-id, x-request-id, traceparent) */
    struct str caller, class;
    struct str endpoint;         /* "chat" … */
    struct str role, tier;
    struct str asked;            /* the name in the request */
    struct str model, host;      /* who answered, or was tried last */
    int status;                  /* that the caller got, or would have: 499 when it left */
    struct str fault, code;      /* "none" … of enum fault; "ok" … of the table of errors */
    struct str evidence;         /* a line: what was seen */
    struct str reason;           /* the first line of the decision */
    int64_t input_tokens, output_tokens, reasoning_tokens, cached_tokens;
    double queue_ms, load_ms, ttft_ms, total_ms;
    struct str chain;            /* JSON: [{"model","host","error"}] */
    int64_t bytes_in, bytes_out;
    bool stream, remote, private_, redacted;
    double cost;                 /* negative = unknown */
    double complexity;           /* negative = not looked at */
    struct str verify;           /* "", "agreed", "improved", "failed" */
};

/* A row on its way: lies inside its owner, who lives until on_done. */
struct request_put {
    struct store_job job;
    struct request_row row;      /* its texts must live until on_done */
    void (*on_done)(void *ctx, const struct err *e); /* e NULL: it is committed as `durability` wants it */
    void *ctx;
};
void requests_put(struct store *s, struct request_put *p);

struct requests_wish {
    int64_t since_ms, until_ms;  /* wall clock; 0 = no end */
    bool faults;                 /* only those with a fault */
    struct str id;               /* only this one (or a caller's own id) */
    struct str model, caller;
    size_t last;                 /* so many, the newest; 0 = all */
};
/* The rows wished for, oldest first, each handed to fn; its texts die on return. From the thread that calls (store_do). */
enum err_code requests_read(struct store *s, const struct requests_wish *w, void (*fn)(void *ctx, const struct request_row *r), void *ctx, struct err *e)
    __attribute__((warn_unused_result));

/* Sums of an hour, by what was asked, who asked and who answered: they outlive the rows. */
struct request_sum {
    int64_t hour_s;
    struct str asked, caller, model, host;
    bool remote;
    int64_t requests, faults, input_tokens, output_tokens, cached_tokens;
    double cost;                 /* of those whose price is known */
    int64_t unpriced;            /* requests whose price is not */
    int64_t verified, agreed, fell_back;
    int64_t last_ms;             /* of the last one */
};
enum err_code requests_sums(struct store *s, int64_t since_s, void (*fn)(void *ctx, const struct request_sum *r), void *ctx, struct err *e)
    __attribute__((warn_unused_result));

/* Age and size, as configured: done by the writer from time to time. */
struct requests_limits {
    int64_t keep_ms, bytes;
    enum { ROWS_PROCESS, ROWS_POWER, ROWS_LAZY } durability;
};
void requests_limit(struct store *s, const struct requests_limits *l);

#endif
