/* How a role was served hour by hour, of late: what sparklines are made of. Rows and hourly sums in, lists of numbers out. Pure. */
#ifndef HOB_EVIDENCE_SERIES_H
#define HOB_EVIDENCE_SERIES_H

#include "json/json.h"
#include "store/requests.h"

enum { SERIES_HOURS = 48, SERIES_TIMES = 4096 }; /* hours at most; times of an hour that its median is made of, the first ones */

struct series {
    struct str role, model;     /* a role or a tier, empty = whoever asks; who answers. Borrowed */
    int64_t from_s;             /* wall clock: the first hour's begin */
    size_t hours;
    int64_t requests[SERIES_HOURS], faults[SERIES_HOURS];
    double *ttft[SERIES_HOURS]; /* ms, loads left out; NULL: none yet */
    size_t nttft[SERIES_HOURS];
};

/* The hours from `from_ms` to `until_ms`, both in; of more than SERIES_HOURS the last. */
void series_begin(struct series *s, struct str role, struct str model, int64_t from_ms, int64_t until_ms);
void series_end(struct series *s);
void series_sum(struct series *s, const struct request_sum *r);
void series_row(struct series *s, const struct request_row *r);
/* {"role","model","from","hours","requests":[…],"faults":[…],"ttft_ms":[median or null …]} */
void series_put(struct series *s, struct json_out *o);

#endif
