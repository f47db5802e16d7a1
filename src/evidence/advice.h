/* Where should a role be answered: here, elsewhere, or both? A table of rules over what is known; the first that holds speaks. It invents nothing: what is not known is
 * named, with how to get it. Pure. */
#ifndef HOB_EVIDENCE_ADVICE_H
#define HOB_EVIDENCE_ADVICE_H

#include "base/str.h"
#include "evidence/stats.h"

/* Of the requests that were answered, or tried last, on one side. Shares 0..1; negative: not known. */
struct advice_side {
    bool there;                     /* the role has such a place */
    int64_t requests;
    double errors;                  /* share whose fault was the gateway's, the place's or the model's */
    double refused;                 /* share of 429 */
    double wait_p95_ms, ttft_p95_ms; /* in line; to the first token */
};

struct advice_facts {
    double hours;                   /* that rows tell of */
    int64_t requests, tokens;       /* in these */
    int64_t peak_hour;              /* requests in the busiest hour */
    double private_share;
    struct advice_side local, cloud;
    bool judged;                    /* both have taken a suite: */
    enum verdict_kind suite;        /* the local one against the cloud's: better, not worse, worse */
    double price_input, price_output; /* of the cloud's, per million tokens; negative: not known */
};

enum advice_place { ADVICE_UNKNOWN, ADVICE_LOCAL, ADVICE_CLOUD, ADVICE_HYBRID, ADVICE_PLACES };
extern const char *const advice_names[ADVICE_PLACES]; /* "unknown" "local" "cloud" "hybrid" */

enum advice_missing {               /* bits: what is not known, and would say more */
    MISSING_ROWS = 1,               /* too few requests, or too short a time */
    MISSING_SUITE = 2,              /* no run of a suite that both have taken */
    MISSING_CASES = 4,              /* one that cannot tell */
    MISSING_PRICE = 8,
    MISSING_CLOUD = 16,             /* there is no place elsewhere */
    MISSING_LOCAL = 32,
    MISSING_ELECTRICITY = 64,       /* hob has no price of it */
};

struct advice {
    enum advice_place place;
    const char *rule;               /* its name: "private" "low_volume" … */
    char why[256], changes[256];    /* a sentence each: the reason, and what would change it */
    unsigned missing;
};

/* The thresholds: ADVICE_HOURS and ADVICE_REQUESTS at least; below ADVICE_LOW_VOLUME requests a day both at once is not worth its keep; from half on private; strained: more
 * than 2 % errors, more than 1 % refused, or 5 s in line at the 95th percentile. */
enum { ADVICE_HOURS = 24, ADVICE_REQUESTS = 30, ADVICE_LOW_VOLUME = 200 };
void advice_give(const struct advice_facts *f, struct advice *out);
bool advice_strained(const struct advice_side *s);

/* What the requests would cost there for a month of 30 days, all of them; -1: not known. input, output: tokens in `hours`. */
double advice_month(double hours, int64_t input, int64_t output, double price_input, double price_output);

#endif
