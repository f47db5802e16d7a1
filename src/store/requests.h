/* One row for each request: what it was, where it went, what came of it. No text of prompts or answers. Rows are kept for a while and up to a size; hourly
 * sums stay. The hot table has no index but its order in time, and the names in it are numbers: who asked for what and who answered (a `way`) repeats. */
#ifndef HOB_STORE_REQUESTS_H
#define HOB_STORE_REQUESTS_H

#include "base/buf.h"
#include "base/list.h"
#include "store/store.h"

enum row_verdict { ROW_UNCHECKED, ROW_AGREED, ROW_IMPROVED, ROW_CHECK_FAILED };
extern const char *const row_verdict_name[]; /* "", "agreed" … */
/* How an answer ended, as its place has said. */
enum row_finish { FINISH_UNKNOWN, FINISH_STOP, FINISH_LENGTH, FINISH_TOOLS, FINISH_FILTER, FINISH_OTHER };
extern const char *const row_finish_name[]; /* "", "stop", "length", "tool_calls", "content_filter", "other" */
enum row_finish row_finish_of(struct str said); /* a finish_reason */

/* -1: unknown. Empty text: none. Texts are borrowed while it is written, and until the reader's function returns when it is read. */
struct request_row {
    int64_t at;                  /* its place: rows are in the order in which they were written; the store's own */
    int64_t time_ms;             /* wall clock, when it came */
    struct str id, client_id;    /* ours ("req_" and hex digits); the caller's own (x-client-request-id, x-request-id, traceparent) */
    struct str caller, class;
    struct str endpoint;         /* "chat" … */
    struct str role, tier;
    struct str asked;            /* the name in the request */
    bool unknown;                /* … which is none of ours: it is kept in this row, and not summed by */
    struct str model, host;      /* who answered, or was tried last */
    int status;                  /* that the caller got, or would have: 499 when it left */
    enum fault fault;
    struct str code;             /* "ok", or an error's */
    struct str evidence;         /* a line: what was seen */
    struct str reason;           /* the first line of the decision */
    int64_t input_tokens, output_tokens, reasoning_tokens, cached_tokens;
    double queue_ms, load_ms, ttft_ms, total_ms;
    struct str chain;            /* JSON: [{"model","host","error"}] of those that failed or were passed over; empty = none */
    int64_t bytes_in, bytes_out;
    bool stream, remote, private_, redacted;
    bool fell_back;              /* answered by another place than the first of its chain */
    bool away;                   /* it failed, or was passed over, because nobody could be reached at the host of `model` */
    bool unasked_thoughts;       /* it thought, though it was told not to */
    enum row_finish finish;
    int64_t others;              /* requests that the place's host had besides this one, of any model of ours, when it was sent there */
    double cost;
    double complexity;           /* -1 = not looked at */
    enum row_verdict verdict;
};

/* A row on its way: lies inside its owner, who lives until on_done. */
struct request_put {
    struct store_job job;
    const struct request_row *row; /* it and its texts must live until on_done */
    void (*on_done)(void *ctx, const struct err *e); /* e NULL: it is committed as `durability` wants it */
    void *ctx;
    struct list node;              /* its forwarder's (requests_forward) */
    uint32_t number;
    bool maybe_there;              /* it may have been written before: then it is not written again */
    bool kept;                     /* there was an error, and it waits in memory until the disk takes it: no more is to be done for it */
    int64_t at;                    /* the store's */
};
/* under_way: requests that run now, this one among them: the writer waits a moment (STORE_LINGER_US) for the rows of others, and not at all for one alone.
 * STORE_LEISURE: nobody waits for this row. */
void requests_put(struct store *s, struct request_put *p, size_t under_way);

/* Another process has the file now (store_is_paused()): from here on each row, those that wait first, is fn's, who writes it there and calls its on_done;
 * all other jobs fail. */
typedef void requests_forward_fn(void *ctx, struct request_put *p);
void requests_forward(struct store *s, requests_forward_fn *fn, void *ctx); /* the loop's thread */
/* A row as JSON, and back: names that are unknown are passed over, what is missing is unknown, so that programs of different ages understand each other. */
void request_pack(const struct request_row *r, struct buf *out);
struct json_doc;
/* Its texts lie in d, which is the caller's to free after it; on an error there is nothing to free. */
enum err_code request_unpack(struct str text, struct json_doc *d, struct request_row *r, struct err *e) __attribute__((warn_unused_result));

struct requests_wish {
    int64_t since_ms, until_ms;  /* wall clock; 0 = no end */
    int64_t after;               /* behind this place; 0 = from the first */
    bool faults;                 /* only those with a fault */
    struct str id;               /* only this one, or those with this id of the caller's own */
    struct str model, caller;
    struct str role;             /* or tier */
    size_t last;                 /* so many, the newest; 0 = all */
};
/* The rows wished for, oldest first, each handed to fn. Looks through all rows of the time: for a store that was opened to read, in a command or on the pool,
 * never for the daemon's own. */
enum err_code requests_read(struct store *s, const struct requests_wish *w, void (*fn)(void *ctx, const struct request_row *r), void *ctx, struct err *e)
    __attribute__((warn_unused_result));

/* Sums of an hour, by who asked for what and who answered: they outlive the rows. Those of rows that were not summed up yet are in. */
struct request_sum {
    int64_t hour_s;              /* wall clock, its begin */
    struct str endpoint, caller, class, role, tier, asked, model, host;
    bool remote;
    int64_t requests, faults;
    int64_t input_tokens, output_tokens, cached_tokens;
    double cost;                 /* of those whose price is known */
    int64_t unpriced;            /* requests with tokens whose price is not */
    int64_t verified, agreed, fell_back;
    int64_t last_ms;             /* when the last one came */
};
/* Hours from since_s on, oldest first. As requests_read(): for a store that was opened to read. */
enum err_code requests_sums(struct store *s, int64_t since_s, void (*fn)(void *ctx, const struct request_sum *r), void *ctx, struct err *e)
    __attribute__((warn_unused_result));

/* How far back they go. */
struct requests_reach {
    int64_t row_ms;              /* when the oldest row that is left came; 0 = there is none */
    int64_t hour_s;              /* the oldest hour in the sums; 0 = there is none */
    bool forgotten;              /* rows have gone: there are sums of hours before the oldest row's */
};
enum err_code requests_reach(struct store *s, struct requests_reach *out, struct err *e) __attribute__((warn_unused_result));

/* Age and size, kept to by the writer in small bites. */
struct requests_limits {
    int64_t keep_ms, bytes;      /* 0 = no limit */
    int64_t spool_bytes;         /* of rows that wait in memory while the disk fails */
    bool power;                  /* a commit is on the disk, not only in the system's hands */
};
void requests_limit(struct store *s, const struct requests_limits *l); /* the loop's thread */

#endif
