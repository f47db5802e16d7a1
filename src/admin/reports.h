/* What rows and records of a while amount to, as JSON: for GET /hob/v1/stats and its kin, and for the commands that print the same, from the store itself. */
#ifndef HOB_ADMIN_REPORTS_H
#define HOB_ADMIN_REPORTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "conf/config.h"
#include "evidence/averages.h"
#include "json/json.h"
#include "store/store.h"

/* What is wished for. Times are wall clock. */
struct report_wish {
    struct str role, model;                     /* only of these; empty = of all */
    enum averages_by by;
    int64_t now_ms, since_ms, until_ms;
    bool against;                               /* and beside it: */
    int64_t against_since_ms, against_until_ms;
};

struct report {
    const char *name;                           /* of the command */
    const char *path;                           /* "/hob/v1/stats" */
    const char *window;                         /* when none is named */
    const char *keys;                           /* that a query may have, a space between and at both ends */
    /* st NULL: there is no file yet. On the pool, or in a command. */
    enum err_code (*make)(struct store *st, const struct config *c, const struct report_wish *w, struct buf *out, struct err *e);
};
enum { REPORT_STATS, REPORT_RESIDENCY, REPORT_ADVISE, REPORT_COUNT };
extern const struct report reports[REPORT_COUNT];

/* Opens the store to read and makes it. query: "window=24h&by=model", encoded as URLs are. ERR_INVALID_REQUEST names what is wrong in it. */
enum err_code report_make(const struct report *r, const struct config *c, struct str query, int64_t now_ms, struct buf *out, struct err *e) __attribute__((warn_unused_result));

/* ---- for those who make one ---- */

enum err_code report_stats(struct store *st, const struct config *c, const struct report_wish *w, struct buf *out, struct err *e); /* stats.c */
enum err_code report_residency(struct store *st, const struct config *c, const struct report_wish *w, struct buf *out, struct err *e); /* residency.c */
enum err_code report_advise(struct store *st, const struct config *c, const struct report_wish *w, struct buf *out, struct err *e); /* advise.c */

/* A run of a suite with its results, as evals/show answers it (evals.c). */
enum err_code view_run(struct store *st, int64_t run, struct buf *out, struct err *e) __attribute__((warn_unused_result));
/* The rows of a stretch that are wished for. st NULL: none. */
enum err_code report_read(struct store *st, const struct report_wish *w, struct stretch *into, struct err *e) __attribute__((warn_unused_result));
bool report_wants(const struct report_wish *w, struct str role, struct str model);
/* "window": {"since", "until", "hours", "rows_since"}: rows_since is null where there are rows for all of it, else when the first came. */
void report_put_window(struct json_out *o, const char *key, int64_t since_ms, int64_t until_ms, const struct requests_reach *reach);
void report_key(struct json_out *o, const char *key);
void report_number(struct json_out *o, const char *key, double v, int decimals);  /* negative: null */
void report_int(struct json_out *o, const char *key, int64_t v);
void report_text(struct json_out *o, const char *key, struct str v);             /* empty: null */

#endif
