/* Does a model earn its memory? What it held and for how long, beside what was asked of it, and what `keep: demand` would have cost its callers in loads. Pure. */
#ifndef HOB_EVIDENCE_RESIDENCY_H
#define HOB_EVIDENCE_RESIDENCY_H

#include "store/requests.h"

/* What was asked of it, in all or by one role. */
struct resident_use {
    int64_t requests;
    int64_t waited;             /* for a load */
    double waited_ms;
    int64_t saved;              /* found it loaded, though nobody had used it for longer than `idle`: with `keep: demand` they would have waited */
};

enum { RESIDENT_MOST_ROLES = 64 };
struct resident_role {
    struct str name;            /* "" = none was meant */
    struct resident_use use;
};

struct resident {
    struct str name;            /* as in the configuration; that and the roles' are borrowed */
    bool keep_hot;
    int64_t idle_ms;            /* after so long unused it would go */
    /* out of the hours on record: */
    int64_t hot_ms, byte_seconds, loads, load_ms;
    /* out of rows: */
    struct resident_use all;
    struct resident_role roles[RESIDENT_MOST_ROLES]; /* what is beyond counts in `all` alone */
    size_t nroles;
    int64_t gaps;               /* requests that came after more than `idle` without any: each a load with `keep: demand` */
    int64_t demand_ms;          /* so long it would have been in memory then */
    int64_t last_end_ms;        /* 0 = no request was seen yet */
};

/* Rows that this model has answered, in the order they were written. One from before since_ms only says when it was used last. role: borrowed. */
void resident_row(struct resident *m, const struct request_row *r, struct str role, int64_t since_ms);
void resident_end(struct resident *m, int64_t since_ms, int64_t until_ms); /* after the last row */

enum resident_advice { RESIDENT_UNKNOWN, RESIDENT_HOT, RESIDENT_DEMAND, RESIDENT_NEVER, RESIDENT_ADVICES };
extern const char *const resident_advice_names[RESIDENT_ADVICES];

struct resident_verdict {
    enum resident_advice advice;
    double gib;                 /* it had, on the mean; -1 = not known */
    double load_s;              /* a load takes, on the mean; -1 = not known */
    double requests_per_hot_hour; /* -1 = it was never in memory */
    double loads_day, wait_s_day; /* with `keep: demand`; wait -1 = not known */
    double gib_hours_day;       /* that `demand` would save, against `hot`; -1 = not known */
    double worth;               /* seconds of waiting for each of these; -1 = not known */
    char why[256];              /* a sentence */
};
/* Below RESIDENT_LEAST_HOURS nothing is advised; `never` needs RESIDENT_NEVER_DAYS with less than one request in each seven days. `hot` is worth it when each GiB-hour
 * that `demand` would save costs callers a second of waiting and more, and at least one load a day. */
enum { RESIDENT_LEAST_HOURS = 24, RESIDENT_NEVER_DAYS = 7 };
void resident_judge(const struct resident *m, double hours, struct resident_verdict *out);

#endif
