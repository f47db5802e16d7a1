/* Rows about requests, and what all of them came to, as JSON: for GET /hob/v1/logs and /hob/v1/gain, and for the commands that print the same. */
#ifndef HOB_ADMIN_REQUESTS_H
#define HOB_ADMIN_REQUESTS_H

#include "base/buf.h"
#include "conf/config.h"
#include "json/json.h"
#include "store/requests.h"

/* One object, without a line feed. */
void view_request(const struct request_row *r, struct buf *out);

/* "2026-11-21T14:30:05.250Z" */
void view_time(struct json_out *o, const char *key, int64_t ms);

/* Sums, summed. */
struct gain {
    struct gain_side {
        int64_t requests, faults, input_tokens, output_tokens, cached_tokens;
    } local, remote, nowhere;        /* nowhere: nobody was asked */
    double cost;
    int64_t unpriced;                /* requests elsewhere whose price nobody knows */
    int64_t verified, agreed, fell_back;
};
void gain_add(void *gain, const struct request_sum *r); /* for requests_sums() */
void view_gain(const struct gain *g, const struct conf_price *reference, int64_t since_ms, int64_t until_ms, struct buf *out);

/* "90s" "15m" "2h" "7d" ago, or "2026-11-21", "2026-11-21T14:30", "2026-11-21 14:30:05": local time, or UTC with a Z behind it. */
bool when_parse(struct str text, int64_t now_ms, int64_t *out_ms);

#endif
