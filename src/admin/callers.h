/* Who still asks by which name: summed out of the hourly sums, which outlive the rows. For GET /hob/v1/callers, and so for `hob models --callers`. */
#ifndef HOB_ADMIN_CALLERS_H
#define HOB_ADMIN_CALLERS_H

#include "base/arena.h"
#include "base/buf.h"
#include "conf/config.h"
#include "store/requests.h"

/* One name as one caller used it. */
struct use {
    struct str name, caller;         /* empty: none was named, or has no key */
    int64_t requests, faults, last_ms;
};

struct uses {
    struct arena arena;              /* init by the owner; names lie there */
    struct use *at;
    size_t n, room;
};
void uses_add(void *uses, const struct request_sum *r); /* for requests_sums() */
void uses_free(struct uses *u);

/* {"schema":1,"since","until","names":[{"name","kind","caller","requests","faults","last","deprecated_until","successor"}]}: those that go first, then by name, then
 * by how often. kind null: the configuration has it no more. */
void view_uses(struct uses *u, const struct config *c, int64_t since_ms, int64_t until_ms, struct buf *out);

#endif
